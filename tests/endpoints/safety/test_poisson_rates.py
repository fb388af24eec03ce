import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from equipoise.endpoints.safety.poisson_rates import rate_difference_limits, rate_limits, rate_ratio_limits
from equipoise.errors import InputError
from rate_values import R_POISSON_RATES, R_POISSON_RATIOS, STATSMODELS_RATE_DIFFERENCES

COUNTS = st.integers(0, 40)
TIMES = st.floats(0.5, 500)


@pytest.mark.parametrize(("events", "level", "lower", "upper"), R_POISSON_RATES)
def test_one_rate_as_r_has_it(events, level, lower, upper):
    found = rate_limits(events, 1.0, level)
    assert [float(limit) for limit in found] == pytest.approx([lower, upper], rel=1e-12)
    tenth = rate_limits(events, 10.0, level)
    assert [10 * float(limit) for limit in tenth] == pytest.approx([lower, upper], rel=1e-12)


@given(COUNTS, st.floats(0.5, 0.999))
def test_one_rate_by_the_identity_with_chi_square(events, level):
    lower, upper = rate_limits(events, 1.0, level)
    tail = (1 - level) / 2
    assert upper == pytest.approx(stats.chi2.ppf(1 - tail, 2 * events + 2) / 2, rel=1e-9)
    assert stats.poisson.cdf(events, upper) == pytest.approx(tail, rel=1e-9)
    if events:
        assert lower == pytest.approx(stats.chi2.ppf(tail, 2 * events) / 2, rel=1e-9)
        assert stats.poisson.sf(events - 1, lower) == pytest.approx(tail, rel=1e-9)
    else:
        assert lower == 0


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_one_rate_covers_at_least_as_stated(level):
    events = np.arange(200)
    lower, upper = rate_limits(events, 1.0, level)
    for mean in np.linspace(0.05, 60, 500):
        assert stats.poisson.pmf(events, mean)[(lower <= mean) & (mean <= upper)].sum() >= level - 1e-12


@pytest.mark.parametrize(("events1", "time1", "events2", "time2", "level", "lower", "upper"), R_POISSON_RATIOS)
def test_ratio_as_r_has_it(events1, time1, events2, time2, level, lower, upper):
    found = rate_ratio_limits(events1, time1, events2, time2, level)
    assert [float(limit) for limit in found] == pytest.approx([lower, upper], rel=1e-11)


@given(COUNTS, TIMES, COUNTS, TIMES)
def test_ratio_by_the_exact_binomial_interval(events1, time1, events2, time2):
    lower, upper = rate_ratio_limits(events1, time1, events2, time2)
    if events1 + events2:
        exact = stats.binomtest(events1, events1 + events2).proportion_ci()
        scale = time2 / time1
        assert lower == pytest.approx(exact.low / (1 - exact.low) * scale, rel=1e-8)
        if exact.high < 1:
            assert upper == pytest.approx(exact.high / (1 - exact.high) * scale, rel=1e-8)
    other = rate_ratio_limits(events2, time2, events1, time1)
    assert lower * other[1] == pytest.approx(1, rel=1e-12) if events1 else lower == 0
    assert upper * other[0] == pytest.approx(1, rel=1e-12) if events2 else upper == math.inf


def joint(mean1, mean2, limits, value, size=80):
    events = np.arange(size)
    probability = np.outer(stats.poisson.pmf(events, mean1), stats.poisson.pmf(events, mean2))
    lower, upper = limits(events[:, None], events[None, :])
    return probability[(lower <= value) & (value <= upper)].sum()


@pytest.mark.parametrize(("mean1", "mean2"), [(1.0, 1.0), (3.0, 8.0), (12.0, 6.0), (25.0, 25.0)])
def test_ratio_covers_at_least_as_stated(mean1, mean2):
    found = joint(mean1, mean2, lambda one, two: rate_ratio_limits(one, 10.0, two, 25.0), mean1 / 10 / (mean2 / 25))
    assert found >= 0.95


@pytest.mark.parametrize(
    ("events1", "time1", "events2", "time2", "level", "lower", "upper"), STATSMODELS_RATE_DIFFERENCES
)
def test_difference_as_statsmodels_has_it(events1, time1, events2, time2, level, lower, upper):
    found = rate_difference_limits(events1, time1, events2, time2, level)
    assert [float(limit) for limit in found] == pytest.approx([lower, upper], abs=1e-8)


def restricted(events1, time1, events2, time2, difference):
    """Rates most likely under a difference, by minimising the likelihood over a grid finer and finer."""
    low, high = max(0.0, -difference), (events1 + events2 + 1) / min(time1, time2) + abs(difference)
    for _ in range(14):
        second = np.linspace(low, high, 201)
        first = second + difference
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [
                np.where(events > 0, events * np.log(np.maximum(rate, 0)), 0)
                for events, rate in ((events1, first), (events2, second))
            ]
        best = int(np.argmax(logs[0] + logs[1] - first * time1 - second * time2))
        low, high = second[max(best - 1, 0)], second[min(best + 1, 200)]
    return float(second[best]) + difference, float(second[best])


@given(st.integers(0, 15), st.floats(0.5, 20), st.integers(0, 15), st.floats(0.5, 20))
def test_the_score_test_just_does_not_reject_the_limits(events1, time1, events2, time2):
    for limit in rate_difference_limits(events1, time1, events2, time2):
        one, two = restricted(events1, time1, events2, time2, float(limit))
        error = math.sqrt(one / time1 + two / time2)
        distance = abs(events1 / time1 - events2 / time2 - float(limit))
        assert distance == pytest.approx(1.959963984540054 * error, rel=1e-4)


@pytest.mark.parametrize(("mean1", "mean2"), [(2.0, 2.0), (3.0, 8.0), (12.0, 6.0), (25.0, 25.0)])
def test_difference_covers_about_as_stated(mean1, mean2):
    found = joint(mean1, mean2, lambda one, two: rate_difference_limits(one, 10.0, two, 25.0), mean1 / 10 - mean2 / 25)
    assert found == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("mean", [4.0, 15.0])
def test_level_of_the_score_interval_is_near_that_of_the_e_test(mean):
    """The E-test (Krishnamoorthy & Thomson 2004), as scipy has it, rejects as often under equal rates, within 1.5%."""
    events = np.arange(40)
    weight = np.outer(stats.poisson.pmf(events, mean), stats.poisson.pmf(events, 2 * mean))
    lower, upper = rate_difference_limits(events[:, None], 10.0, events[None, :], 20.0)
    ours = weight[(lower > 0) | (upper < 0)].sum()
    theirs = 0.0
    for place in zip(*np.nonzero(weight > 2e-4), strict=True):
        test = stats.poisson_means_test(int(place[0]), 10.0, int(place[1]), 20.0)
        theirs += weight[place] * (test.pvalue < 0.05)
    assert ours == pytest.approx(theirs, abs=0.015)
    assert ours < 0.065


@given(COUNTS, TIMES, COUNTS, TIMES, st.floats(0.1, 100))
def test_difference_is_antisymmetric_and_has_units(events1, time1, events2, time2, unit):
    lower, upper = rate_difference_limits(events1, time1, events2, time2)
    other = rate_difference_limits(events2, time2, events1, time1)
    assert lower <= events1 / time1 - events2 / time2 <= upper
    assert (lower, upper) == (pytest.approx(-other[1], rel=1e-12), pytest.approx(-other[0], rel=1e-12))
    scaled = rate_difference_limits(events1, time1 * unit, events2, time2 * unit)
    scale = max(abs(lower), abs(upper))
    assert scaled[0] * unit == pytest.approx(lower, rel=1e-9, abs=1e-9 * scale)
    assert scaled[1] * unit == pytest.approx(upper, rel=1e-9, abs=1e-9 * scale)


def test_no_events_and_no_exposure():
    square = 1.959963984540054**2
    lower, upper = rate_difference_limits(0, 10, 0, 40)
    assert (lower, upper) == (pytest.approx(-square / 40), pytest.approx(square / 10))
    assert [float(limit) for limit in rate_ratio_limits(0, 10, 0, 40)] == [0, math.inf]
    assert [float(limit) for limit in rate_limits(0, 0)] == [0, math.inf]
    assert [float(limit) for limit in rate_limits(3, 0)] == [0, math.inf]
    assert [float(limit) for limit in rate_difference_limits(3, 0, 2, 5)] == [-math.inf, math.inf]
    assert [float(limit) for limit in rate_ratio_limits(3, 10, 2, 0)] == [0, math.inf]


def test_arrays_are_numbers_one_by_one():
    generator = np.random.default_rng(1)
    events1, events2 = generator.poisson(3, (2, 50))
    time1, time2 = generator.uniform(0, 10, (2, 50)) * (generator.random((2, 50)) > 0.1)
    for limits in (rate_difference_limits, rate_ratio_limits):
        many = limits(events1, time1, events2, time2)
        for at in range(50):
            one = limits(events1[at], time1[at], events2[at], time2[at])
            assert (many[0][at], many[1][at]) == (float(one[0]), float(one[1]))


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: rate_limits(-1, 1), "events"),
        (lambda: rate_limits(1.5, 1), "events"),
        (lambda: rate_limits(1, -1), "exposure"),
        (lambda: rate_limits("a", 1), "events"),
        (lambda: rate_limits(1, math.nan), "exposure"),
        (lambda: rate_limits(1, 1, 1.0), "level"),
        (lambda: rate_ratio_limits(1, 1, -1, 1), "events2"),
        (lambda: rate_difference_limits(1, 1, 1, -1), "exposure2"),
    ],
)
def test_bad_input_is_refused(call, field):
    with pytest.raises(InputError, match=f"^{field}"):
        call()
