"""Counting days gives what sorting gives, and leaves to it what does not fall on days."""

import numpy as np
import pytest

from equipoise.endpoints.durations.responses import checked_responses
from equipoise.endpoints.durations.time_in_response import mean_times, time_in_response_batch
from equipoise.endpoints.survival.by_days import (
    hazard_ratio_by_days,
    log_rank_by_days,
    mean_sums_by_days,
    restricted_mean_by_days,
)
from equipoise.endpoints.survival.cox_two_arms import hazard_ratio_trials
from equipoise.endpoints.survival.curves import restricted_mean_trials
from equipoise.endpoints.survival.day_kernels import LAST_DAY
from equipoise.endpoints.survival.log_rank import log_rank_trials


def many(trials=120, patients=30, seed=3, longest=20.0):
    """Ties, absent patients, unknown times, arms without patients, trials without events, censoring within days."""
    rng = np.random.default_rng(seed)
    shape = (trials, patients)
    arm = rng.integers(0, 2, shape)
    arm[rng.random(shape) < 0.1] = -1
    arm[::17] = np.minimum(arm[::17], 0)
    time = np.ceil(rng.exponential(longest / 2, shape))
    followed = rng.uniform(0, longest, shape)
    event = (time <= followed) & (rng.random(trials) < 0.9)[:, None]
    time = np.where(event, time, followed)
    time[rng.random(shape) < 0.05] = np.nan
    early = rng.random(trials) < 0.2
    event[early] &= arm[early] == 1
    return time, event, arm


def compare(found, expected, left):
    assert not left.any()
    for name in ("effect", "standard_error", "degrees_of_freedom"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-11, atol=1e-12)
    assert found.failures == expected.failures
    assert 0 < len(found.failures) < len(found)


WAYS = [
    (log_rank_by_days, lambda *given: log_rank_trials(*given).estimates()),
    (hazard_ratio_by_days, hazard_ratio_trials),
]


@pytest.mark.parametrize(("by_days", "sorted_way"), WAYS)
@pytest.mark.parametrize("strata", [False, True])
def test_tests_are_those_of_sorted_times(by_days, sorted_way, strata):
    time, event, arm = many()
    codes = np.random.default_rng(4).integers(-1, 4, arm.shape) if strata else None
    found, left = by_days(time, event, arm, codes)
    compare(found, sorted_way(time, event, arm, codes), left)


@pytest.mark.parametrize("horizon", [5.0, 7.3, 12.0])
def test_restricted_means_are_those_of_sorted_times(horizon):
    time, event, arm = many(patients=60)
    found, left = restricted_mean_by_days(time, event, arm, horizon)
    compare(found, restricted_mean_trials(time, event, arm, horizon), left)


def test_other_arms_are_of_no_account():
    time, event, arm = many()
    other = np.where(arm < 0, 2, arm)
    for by_days in (log_rank_by_days, hazard_ratio_by_days):
        one, two = by_days(time, event, arm)[0], by_days(time, event, other)[0]
        np.testing.assert_array_equal(one.effect, two.effect)
        assert one.failures == two.failures


@pytest.mark.parametrize("odd", [-1.0, np.inf, 2.5, LAST_DAY + 1.0])
def test_what_does_not_fall_on_days_is_left(odd):
    time, event, arm = many()
    plain = log_rank_by_days(time, event, arm)[0]
    at = np.argmax(event[5] & (arm[5] >= 0) & ~np.isnan(time[5]))
    time[5, at] = odd
    for by_days in (log_rank_by_days, hazard_ratio_by_days):
        found, left = by_days(time, event, arm)
        assert np.flatnonzero(left).tolist() == [5]
        assert np.isnan(found.effect[5])
        assert 5 not in found.failures
    _, left = mean_sums_by_days(time, event, arm, 5.0)
    assert np.flatnonzero(left).tolist() == [5]
    # Nothing of a trial that is left is seen in the next.
    others = np.arange(len(arm)) != 5
    np.testing.assert_array_equal(log_rank_by_days(time, event, arm)[0].effect[others], plain.effect[others])


def test_late_censoring_is_counted():
    time, event, arm = many()
    late = np.where(event, time, time + 3.0 * LAST_DAY)
    found, left = log_rank_by_days(late, event, arm)
    compare(found, log_rank_trials(late, event, arm).estimates(), left)


@pytest.mark.parametrize("horizon", [None, 6.0])
def test_time_in_response_is_that_of_sorted_times(horizon):
    time, lost, arm = many(patients=40)
    rng = np.random.default_rng(9)
    responded = (rng.random(arm.shape) < 0.6).astype(float)
    responded[rng.random(arm.shape) < 0.1] = np.nan
    time = np.nan_to_num(time)
    time[::7] += np.where(lost[::7], 0.25, 0.0)
    found = time_in_response_batch(arm, responded, time, lost, horizon)
    whole = mean_times(checked_responses(arm, responded, time, lost), horizon)
    effect, error = whole.difference
    known = ~np.isnan(found.effect)
    np.testing.assert_allclose(found.effect[known], effect[known], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.standard_error[known], error[known], rtol=1e-11)
    reasons = whole.failures()
    assert {at: why for at, why in found.failures.items() if at in reasons} == reasons
    assert not (error[[at for at in found.failures if at not in reasons]] > 0).any()
    assert 0 < len(found.failures) < len(arm)
