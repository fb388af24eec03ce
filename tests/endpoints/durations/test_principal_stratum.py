import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.durations.partial_identification import imbens_manski
from equipoise.endpoints.durations.principal_stratum import principal_stratum, principal_stratum_batch
from equipoise.endpoints.durations.time_in_response import time_in_response
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.errors import InputError, NotEstimable
from response_law import MONOTONE, NOT_MONOTONE, ONLY_SELECTION, bounds_by_programme, trials


def one(law, seed, patients, censoring=(20, 120)):
    return tuple(part[0] for part in law.draw(np.random.default_rng(seed), 1, patients, censoring))


def test_effect_under_monotonicity_and_its_delta_variance():
    arm, responded, time, observed = one(MONOTONE, 1, 120)
    found = principal_stratum(arm, responded, time, observed, 15.0)
    times = time_in_response(arm, responded, time, observed, 15.0)
    members = arm == 1
    share, patients = responded[members].mean(), members.sum()
    mean = kaplan_meier(time[members & responded], observed[members & responded]).restricted_mean(15.0)
    control = times.control
    assert found.share == share
    assert found.effect.effect == pytest.approx(times.difference.effect / share, rel=1e-12)
    variance = (
        mean.standard_error**2
        + (control.standard_error / share) ** 2
        + (control.mean / share**2) ** 2 * share * (1 - share) / patients
    )
    assert found.effect.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)
    covariance = mean.value * share * (1 - share) / patients
    gradient = np.array([1 / share, -found.effect.effect / share])
    joint = np.array([[times.experimental.standard_error**2, covariance], [covariance, share * (1 - share) / patients]])
    assert gradient @ joint @ gradient + (control.standard_error / share) ** 2 == pytest.approx(variance, rel=1e-12)


@given(st.integers(0, 3000), st.integers(8, 40))
def test_bounds_are_those_of_the_linear_programme(seed, patients):
    generator = np.random.default_rng(seed)
    arm = np.arange(patients) % 2
    responded = generator.random(patients) < np.where(arm == 1, generator.random(), generator.random())
    time = np.ceil(generator.exponential(10, patients))
    if not responded[arm == 1].any():
        return
    try:
        found = principal_stratum(arm, responded, time, np.ones(patients), 12.0)
    except NotEstimable:
        return
    lower, upper = bounds_by_programme(arm, responded, time, 12.0)
    assert found.lower == pytest.approx(lower, rel=1e-9, abs=1e-9)
    assert found.upper == pytest.approx(upper, rel=1e-9, abs=1e-9)
    shares = [responded[arm == at].mean() for at in (0, 1)]
    if shares[1] >= shares[0]:
        assert found.lower == pytest.approx(found.effect.effect, rel=1e-12, abs=1e-12)
        assert found.lower_error == pytest.approx(found.effect.standard_error, rel=1e-12)
    if sum(shares) <= 1:
        among = np.minimum(time, 12.0)[(arm == 1) & responded].mean()
        assert found.upper == pytest.approx(among, rel=1e-12)
    assert found.more_under_control == (shares[0] > shares[1])


@pytest.mark.parametrize("law", [NOT_MONOTONE, ONLY_SELECTION], ids=["not monotone", "selection"])
@pytest.mark.parametrize("swap", [False, True])
def test_errors_of_the_bounds_are_those_of_resampling(law, swap):
    generator = np.random.default_rng(11)
    arm, responded, time, observed = (part[0] for part in law.draw(generator, 1, 300, (30, 120)))
    arm = 1 - arm if swap else arm
    found = principal_stratum(arm, responded, time, observed, 20.0)
    again = np.empty((2, 1500))
    for at in range(again.shape[1]):
        rows = np.concatenate([generator.choice(np.flatnonzero(arm == side), 150) for side in (0, 1)])
        other = principal_stratum(arm[rows], responded[rows], time[rows], observed[rows], 20.0)
        again[:, at] = other.lower, other.upper
    assert found.lower_error == pytest.approx(again[0].std(), rel=0.1)
    assert found.upper_error == pytest.approx(again[1].std(), rel=0.1)


@pytest.mark.parametrize("patients", [80, 300])
def test_unbiased_and_covering_under_monotonicity(patients):
    horizon, count = 20.0, 4000
    found = principal_stratum_batch(*MONOTONE.draw(np.random.default_rng(12), count, patients, (10, 120)), horizon)
    kept = ~np.isnan(found.effect)
    assert kept.mean() > 0.999
    error = found.effect[kept] - MONOTONE.stratum_effect(horizon)
    assert abs(error.mean()) < 4 * error.std() / math.sqrt(count)
    covered = np.mean(np.abs(error) < 1.959964 * found.standard_error[kept])
    assert covered == pytest.approx(0.95, abs=0.01 + 4 * math.sqrt(0.95 * 0.05 / count))


def test_no_effect_in_the_stratum_where_only_those_who_respond_anyway_would_lose_nothing():
    """Those who respond to the experimental arm only gain all their days; the others nothing: monotone, so unbiased."""
    horizon, count = 20.0, 3000
    found = principal_stratum_batch(*ONLY_SELECTION.draw(np.random.default_rng(13), count, 200, (10, 120)), horizon)
    error = found.effect - ONLY_SELECTION.stratum_effect(horizon)
    assert abs(error.mean()) < 4 * error.std() / math.sqrt(count)


def test_bounds_contain_the_truth_where_monotonicity_fails():
    horizon, count = 20.0, 400
    truth = NOT_MONOTONE.stratum_effect(horizon)
    arm, responded, time, observed = NOT_MONOTONE.draw(np.random.default_rng(14), count, 400, (20, 120))
    found = [principal_stratum(arm[at], responded[at], time[at], observed[at], horizon) for at in range(count)]
    effects = np.array([item.effect.effect for item in found])
    assert effects.mean() < truth - 4 * effects.std() / math.sqrt(count)
    assert np.mean([item.lower for item in found]) < truth < np.mean([item.upper for item in found])
    assert np.mean([truth in item.bounds_interval for item in found]) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / count)


def test_interval_of_the_bounds_covers_where_the_truth_is_a_bound():
    """Under monotonicity, and more responders to the experimental arm, the truth is the lower bound itself."""
    horizon, count = 20.0, 1000
    arm, responded, time, observed = MONOTONE.draw(np.random.default_rng(15), count, 300, (20, 120))
    truth = MONOTONE.stratum_effect(horizon)
    covered = [
        truth in principal_stratum(arm[at], responded[at], time[at], observed[at], horizon).bounds_interval
        for at in range(count)
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01 + 4 * math.sqrt(0.95 * 0.05 / count))


@pytest.mark.parametrize("horizon", [None, 6.0])
def test_many_trials_are_each_as_one(horizon):
    arm, responded, time, observed = trials(16, 300, 14)
    many = principal_stratum_batch(arm, responded, time, observed, horizon)
    assert 30 < len(many.failures) < 270
    for at in range(300):
        reason = None
        try:
            single = principal_stratum(arm[at], responded[at], time[at], observed[at], horizon)
        except NotEstimable as error:
            reason = str(error)
        else:
            assert many.effect[at] == pytest.approx(single.effect.effect, rel=1e-12, abs=1e-12)
            assert many.standard_error[at] == pytest.approx(single.effect.standard_error, rel=1e-12)
        assert many.failures.get(at) == reason
        assert np.isnan(many.effect[at]) == (reason is not None)


def test_nobody_responds_to_the_experimental_arm():
    with pytest.raises(NotEstimable, match="nobody of the experimental arm responded"):
        principal_stratum([0, 0, 1, 1], [1, 0, 0, 0], [3, 0, 0, 0], [1, 0, 0, 0], 5.0)


def test_everybody_responds_to_the_experimental_arm():
    found = principal_stratum([0, 0, 0, 1, 1], [1, 0, 1, 1, 1], [3, 0, 2, 4, 9], [1, 0, 1, 1, 0], 5.0)
    assert found.share == 1
    assert found.effect.effect == pytest.approx(4.5 - 5 / 3)
    assert found.lower == pytest.approx(found.upper)
    assert found.bounds_interval.upper == pytest.approx(min(found.interval.upper, 5.0))


def test_nobody_responds_to_control():
    found = principal_stratum([0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 4, 9], [0, 0, 1, 0], 5.0)
    assert found.effect.effect == pytest.approx(4.5)
    assert found.lower == found.upper == pytest.approx(4.5)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "if nobody responds to control only" in str(found)


def test_more_respond_to_control():
    arm, responded, time, observed = one(MONOTONE, 17, 200)
    found = principal_stratum(1 - arm, responded, time, observed, 10.0)
    assert found.more_under_control
    assert found.lower < found.upper


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_imbens_and_manski_run_from_the_two_sided_to_the_one_sided_quantile(level):
    from scipy.stats import norm

    assert imbens_manski(0.0, 1.0, level) == pytest.approx(norm.ppf((1 + level) / 2), rel=1e-12)
    assert imbens_manski(1e6, 1.0, level) == pytest.approx(norm.ppf(level), rel=1e-12)
    assert imbens_manski(3.0, 0.0, level) == pytest.approx(norm.ppf((1 + level) / 2), rel=1e-12)
    for width in (0.1, 1.0, 3.0):
        reach = imbens_manski(width, 2.0, level)
        assert norm.cdf(reach + width / 2) - norm.cdf(-reach) == pytest.approx(level, abs=1e-12)


def test_a_level_that_is_none_is_refused():
    with pytest.raises(InputError, match="level"):
        imbens_manski(1.0, 1.0, 1.0)
