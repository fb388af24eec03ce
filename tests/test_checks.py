"""What is taken as a number, numbers, a whole number or an object of a kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from equipoise import InputError
from equipoise.checks import confidence_level, instance, normal_quantile, number, numbers, whole
from equipoise.endpoints.binary.fisher import fisher_exact
from equipoise.endpoints.binary.proportions import risk_difference, wilson_interval
from equipoise.endpoints.durations.partial_identification import imbens_manski
from equipoise.endpoints.durations.time_in_response import time_in_response
from equipoise.endpoints.guesses.bang import bang_index
from equipoise.endpoints.ranks.hodges_lehmann import hodges_lehmann
from equipoise.endpoints.ranks.matched_pairs import MatchedPairs
from equipoise.endpoints.ranks.win_probability import win_probability
from equipoise.endpoints.safety.poisson_rates import rate_limits
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.estimate import Estimate, Scale


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2)])
def test_numbers_are_taken(value):
    assert number("x", value) == 2.0
    assert whole("x", value) == 2
    np.testing.assert_array_equal(numbers("x", value), [2.0])


def test_vectors_are_taken():
    for given in ((1, 2), [1, 2], np.array([1, 2]), range(1, 3), (i for i in (1, 2))):
        np.testing.assert_array_equal(numbers("x", given), [1.0, 2.0])
    assert number("x", math.inf, infinite=True) == math.inf
    assert numbers("x", [math.inf], infinite=True)[0] == math.inf
    assert instance("x", 1.5, float, "a float") == 1.5


@pytest.mark.parametrize("value", ["2", None, True, math.nan, math.inf, [2], np.array([2.0]), 1j, Decimal("nan")])
def test_no_number(value):
    with pytest.raises(InputError, match="x is "):
        number("x", value)
    with pytest.raises(InputError, match="x is "):
        whole("x", value)


def test_no_numbers():
    for value in ("12", [[1, 2]], [1, None], [1, "a"], [[1], [1, 2]], {1, 2}, [math.nan], [math.inf], None):
        with pytest.raises(InputError, match="x is "):
            numbers("x", value)
    with pytest.raises(InputError):
        whole("x", 1.5)
    for value in (float, "1"):
        with pytest.raises(InputError, match="a float"):
            instance("x", value, float, "a float")


def test_confidence_levels():
    assert confidence_level(np.float64(0.9)) == 0.9
    assert normal_quantile(0.95) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-14)
    assert normal_quantile(1e-12) == pytest.approx(0.0, abs=1e-11)


TIMES, FLAGS, ARMS, OTHERS = [1.0, 2.0, 3.0, 4.0], [1, 1, 0, 1], [0, 0, 1, 1], [True, False, True, True]
WINS = win_probability([1.0, 2.5, 3.0, 2.0], ARMS)
TAKES_LEVEL: dict[str, Callable[[Any], object]] = {
    "normal quantile": normal_quantile,
    "kaplan-meier": lambda level: kaplan_meier(TIMES, FLAGS, level=level),
    "restricted mean": lambda level: kaplan_meier(TIMES, FLAGS).restricted_mean(2.5).interval(level),
    "wilson": lambda level: wilson_interval(3, 10, level),
    "risk difference": lambda level: risk_difference(3, 10, 4, 10, level),
    "fisher": lambda level: fisher_exact(3, 10, 4, 10, level),
    "win probability": WINS.interval,
    "win probability, score": lambda level: WINS.interval(level, "score"),
    "hodges-lehmann": lambda level: hodges_lehmann([1.0, 2.0, 3.0, 2.5], ARMS, level=level),
    "matched pairs": MatchedPairs(3, 2).interval,
    "time in response": lambda level: time_in_response(ARMS, OTHERS, TIMES, FLAGS, 3.0, level=level),
    "bounds": lambda level: imbens_manski(0.1, 0.2, level),
    "rates": lambda level: rate_limits(3, 10.0, level),
    "bang": lambda level: bang_index(5, 3, 2, level),
    "bang, one-sided": lambda level: bang_index(5, 3, 2).one_sided_limit(level),
    "estimate": Estimate(1.0, 0.5, scale=Scale.MEAN_DIFFERENCE, better="higher").interval,
}


@pytest.mark.parametrize("level", ["95%", None, True, 95, 0, 1, math.nan, [0.95]])
@pytest.mark.parametrize("name", TAKES_LEVEL)
def test_no_confidence_level(name, level):
    with pytest.raises(InputError, match=r"level is .*a confidence level between 0 and 1"):
        TAKES_LEVEL[name](level)
