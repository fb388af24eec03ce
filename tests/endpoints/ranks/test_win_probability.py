import math

import numpy as np
import pytest
from scipy import stats

from equipoise.endpoints.ranks.rank_sum import rank_sum
from equipoise.endpoints.ranks.win_probability import win_probability, win_probability_batch
from equipoise.errors import InputError
from equipoise.estimate import Scale
from ranks_reference import random_trials


def test_agrees_with_brunner_munzel_and_wilcoxon():
    rng = np.random.default_rng(11)
    for digits in (0, 1, 6):
        values = np.round(rng.normal(size=41) * 2, digits)
        arm = np.repeat([1, 0], [16, 25])
        found = win_probability(values, arm)
        estimate = found.estimate(error="unconstrained")
        theirs = stats.brunnermunzel(values[arm == 0], values[arm == 1])
        assert (estimate.statistic, estimate.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-10)
        assert estimate.null_value == 0.5
        test = rank_sum(values, arm, method="normal", continuity=False)
        assert found.estimate().z == pytest.approx(test.z, rel=1e-13)
        assert found.estimate().p_value == pytest.approx(test.p_value, rel=1e-12)


def test_agrees_with_a_published_variance():
    """Brunner & Konietschke (2025, Stat Papers 66:20), as tested in R's hce: unbiased variance 0.0041708562.

    Their estimator is DeLong's with divisors n instead of n - 1, less what ties and single pairs add, rescaled.
    """
    values = np.repeat(np.tile([5.0, 4, 3, 2, 1], 2), [16, 5, 0, 1, 0, 4, 1, 5, 7, 2])
    arm = np.repeat([1, 0], [22, 19])
    found = win_probability(values, arm)
    compared = np.sign(np.subtract.outer(values[arm == 1], values[arm == 0]))
    shares = (compared + 1) / 2
    delong = shares.mean(axis=1).var(ddof=1) / 22 + shares.mean(axis=0).var(ddof=1) / 19
    assert found.probability == pytest.approx(shares.mean(), rel=1e-14)
    assert found.standard_error**2 == pytest.approx(delong, rel=1e-13)
    parts = (shares.mean(axis=1).var(ddof=1) * 21 / 22**2, shares.mean(axis=0).var(ddof=1) * 18 / 19**2)
    tied = np.mean(compared == 0)
    single = (found.probability * (1 - found.probability) - tied / 4) / (22 * 19)
    assert 22 * 19 / (21 * 18) * (sum(parts) - single) == pytest.approx(0.0041708562, abs=5e-11)


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_batch_is_the_single_estimate_of_each_trial(better):
    values, arm = random_trials(17)
    batch = win_probability_batch(values, arm, better=better)
    names = ("probability", "null_standard_error", "standard_error", "degrees_of_freedom")
    combinations = [
        (scale, error)
        for scale in (Scale.WIN_PROBABILITY, Scale.LOG_WIN_ODDS, Scale.NET_BENEFIT)
        for error in ("null", "unconstrained")
    ]
    found = {key: batch.estimates(*key) for key in combinations}
    for at in range(len(values)):
        try:
            one = win_probability(values[at], arm[at], better=better)
        except InputError as error:
            one = error
        if isinstance(one, InputError):
            assert str(one) == str(batch.refusals[at])
            continue
        ours, theirs = [getattr(batch, name)[at] for name in names], [getattr(one, name) for name in names]
        assert ours == pytest.approx(theirs, rel=1e-14, nan_ok=True)
        for key, estimates in found.items():
            try:
                single = one.estimate(*key)
            except InputError as error:
                single = error
            if isinstance(single, InputError):
                assert estimates.failures[at] == str(single)
                assert np.isnan(estimates.effect[at])
            else:
                assert at not in estimates.failures
                assert (estimates.effect[at], estimates.standard_error[at], estimates.degrees_of_freedom[at]) == (
                    pytest.approx((single.effect, single.standard_error, single.degrees_of_freedom), rel=1e-14)
                )


def test_direction_scale_and_monotone_maps():
    rng = np.random.default_rng(2)
    values, arm = rng.integers(0, 30, 50).astype(float), rng.integers(0, 2, 50)
    found = win_probability(values, arm)
    lower = win_probability(values, arm, better="lower")
    assert lower.probability == pytest.approx(1 - found.probability, rel=1e-14)
    assert lower.standard_error == found.standard_error
    assert win_probability(-values, arm).probability == pytest.approx(lower.probability, rel=1e-14)
    assert win_probability(np.exp(values), arm) == found
    odds = found.estimate(Scale.LOG_WIN_ODDS, "unconstrained")
    assert math.exp(odds.effect) == pytest.approx(found.odds, rel=1e-13)
    slope = 1 / (found.probability * (1 - found.probability))
    assert odds.standard_error == pytest.approx(slope * found.standard_error, rel=1e-13)
    assert found.estimate(Scale.NET_BENEFIT).z == pytest.approx(found.estimate().z, rel=1e-13)
    assert found.estimate(Scale.LOG_WIN_ODDS).z == pytest.approx(found.estimate().z, rel=1e-13)
    even = win_probability([1, 4, 2, 3], [0, 0, 1, 1])
    assert even.estimate(Scale.LOG_WIN_ODDS).standard_error == pytest.approx(4 * even.null_standard_error, rel=1e-14)
    assert found.net_benefit == pytest.approx(2 * found.probability - 1, rel=1e-13)
    swapped = win_probability(values, 1 - arm)
    assert swapped.odds == pytest.approx(1 / found.odds, rel=1e-12)
    logit, mirrored = found.interval(), swapped.interval()
    assert (mirrored.lower, mirrored.upper) == pytest.approx((1 - logit.upper, 1 - logit.lower), rel=1e-12)


def test_score_interval_is_newcombes_equation_and_is_defined_for_separated_arms():
    found = win_probability([1, 2, 3, 4, 5, 6, 7.0], [0, 0, 1, 0, 1, 1, 1])
    interval = found.interval(method="score")
    size = 3.5
    for limit in (interval.lower, interval.upper):
        hanley = (1 - limit) / (2 - limit) + limit / (1 + limit)
        variance = limit * (1 - limit) * (1 + (size - 1) * hanley) / 12
        assert abs(found.probability - limit) == pytest.approx(1.959963984540054 * math.sqrt(variance), rel=1e-9)
    apart = win_probability([1, 2, 3, 4, 5, 6.0], [0, 0, 0, 1, 1, 1])
    assert apart.odds == math.inf
    assert apart.interval(method="score").upper == 1.0
    assert 0.3 < apart.interval(method="score").lower < 0.8
    for method in ("logit", "wald"):
        with pytest.raises(InputError, match="overlap"):
            apart.interval(method=method)
    assert apart.estimate().z == pytest.approx(9 / 2 / math.sqrt(9 * 7 / 12), rel=1e-13)


@pytest.mark.parametrize("sizes", [(12, 12), (15, 40)])
@pytest.mark.parametrize("shift", [0.0, 1.2])
def test_coverage(sizes, shift):
    """2,500 trials: normal outcomes, the experimental arm's twice as spread, so that the null error would not do."""
    rng = np.random.default_rng(7)
    arm = np.tile(np.repeat([0, 1], sizes), (2500, 1))
    values = rng.normal(size=arm.shape) * (1 + arm) + shift * arm
    truth = stats.norm.cdf(shift / math.sqrt(5))
    found = win_probability_batch(values, arm)
    logit = found.estimates(Scale.LOG_WIN_ODDS, "unconstrained")
    half = stats.norm.ppf(0.975) * logit.standard_error
    covered = np.abs(logit.effect - math.log(truth / (1 - truth))) <= half
    assert np.mean(covered[~np.isnan(half)]) == pytest.approx(0.96, abs=0.0175)
    assert found.probability.mean() == pytest.approx(truth, abs=0.008)
    assert np.nanmean(found.standard_error**2) == pytest.approx(found.probability.var(), rel=0.1)


def test_no_patients_and_other_refusals():
    with pytest.raises(InputError, match="each arm"):
        win_probability([1, 2], [1, 1])
    with pytest.raises(InputError, match="higher"):
        win_probability([1, 2], [0, 1], better="more")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="differ"):
        win_probability([1, 1, 1], [0, 1, 1]).estimate()
    with pytest.raises(InputError, match="at least two"):
        win_probability([1, 2, 0], [0, 1, 1]).estimate(error="unconstrained")
    with pytest.raises(InputError, match="scale"):
        win_probability([1, 2], [0, 1]).estimate(Scale.LOG_ODDS_RATIO)
    with pytest.raises(InputError, match="method"):
        win_probability([1, 2], [0, 1]).interval(method="best")  # type: ignore[arg-type]
    assert len(win_probability_batch(np.empty((0, 3)), np.empty((0, 3)))) == 0
    assert set(win_probability_batch(np.empty((2, 0)), np.empty((2, 0))).refusals) == {0, 1}


def test_infinite_outcomes_are_beyond_the_others():
    values, arm = [1, 2, math.inf, -math.inf, 3, math.inf], [0, 1, 1, 0, 0, 0]
    assert win_probability(values, arm) == win_probability([1, 2, 9, -9, 3, 9], arm)
