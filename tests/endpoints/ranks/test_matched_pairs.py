import math

import numpy as np
import pytest

from equipoise.endpoints.ranks.matched_pairs import matched_win_ratio
from equipoise.errors import InputError


def test_formulas():
    """Pocock et al. (2012): p = 60 / 100 of the decided pairs, 0.6 +- 1.96 sqrt(0.24 / 100), as odds."""
    found = matched_win_ratio(60, 40)
    half = 1.959963984540054 * math.sqrt(0.24 / 100)
    interval = found.interval()
    assert found.ratio == 1.5
    assert (interval.lower, interval.upper) == pytest.approx(
        ((0.6 - half) / (0.4 + half), (0.6 + half) / (0.4 - half)), rel=1e-13
    )
    assert found.z == pytest.approx(0.1 / math.sqrt(0.24 / 100), rel=1e-13)
    assert found.estimate().standard_error == pytest.approx(math.sqrt(1 / 60 + 1 / 40), rel=1e-13)
    turned = matched_win_ratio(40, 60).interval()
    assert (turned.lower, turned.upper) == pytest.approx((1 / interval.upper, 1 / interval.lower), rel=1e-12)


def test_coverage():
    rng = np.random.default_rng(1)
    intervals = [matched_win_ratio(won, 150 - won).interval() for won in rng.binomial(150, 0.6, 2000)]
    assert np.mean([1.5 in interval for interval in intervals]) == pytest.approx(0.95, abs=0.017)


def test_extremes():
    won = matched_win_ratio(5, 0)
    assert (won.ratio, won.z, won.p_value) == (math.inf, math.inf, 0)
    assert matched_win_ratio(0, 5).interval().upper == 0
    with pytest.raises(InputError, match="won and lost"):
        won.estimate()
    with pytest.raises(InputError, match="not tied"):
        matched_win_ratio(0, 0)
    with pytest.raises(InputError, match="won"):
        matched_win_ratio(1.5, 2)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="level"):
        matched_win_ratio(1, 2).interval(2)
