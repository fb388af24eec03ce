"""Many trials at once: the same as each on its own, and the level of the tests by simulation."""

import math

import numpy as np
import pytest

from equipoise.endpoints.survival.cox import cox_regression
from equipoise.endpoints.survival.cox_batch import cox_trials
from equipoise.endpoints.survival.cox_two_arms import hazard_ratio_trials
from equipoise.endpoints.survival.curves import restricted_mean_trials, survival_trials
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.endpoints.survival.log_rank import log_rank, log_rank_trials
from equipoise.endpoints.survival.restricted_means import restricted_mean_difference
from equipoise.errors import InputError

SAME = {"rtol": 1e-10, "atol": 1e-12}


def random_trials(seed, trials=150, most=40, longest=12, effect=0.0):
    """Times in days with many ties, censoring, and absent patients; some trials tiny, some without events."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, (trials, most))
    arm[np.arange(most) >= rng.integers(1, most + 1, trials)[:, None]] = -1
    draw = np.ceil(rng.exponential(longest / 2, (trials, most)) * np.exp(effect * (arm == 1)))
    censoring = rng.integers(0, longest + 1, (trials, most)) + rng.choice([0, 0.5], (trials, most))
    event = draw <= censoring
    event[::17] = False
    time = np.minimum(draw, censoring)
    time[arm < 0] = np.nan
    time[rng.random((trials, most)) < 0.03] = np.nan
    return time, event, arm, rng.integers(0, 3, (trials, most)), rng.standard_normal((trials, most, 2))


def of_trial(arrays, at):
    """Patients of one trial whose time is known."""
    time, _, arm, *_ = arrays
    here = (arm[at] >= 0) & ~np.isnan(time[at])
    return [values[at, here] for values in arrays]


def compare_with_singles(found, single, arrays):
    """Same estimates, and failures in the same trials."""
    failed = 0
    for at in range(len(arrays[0])):
        try:
            one = single(*of_trial(arrays, at))
        except InputError:
            failed += 1
            one = None
        assert (one is None) == (at in found.failures), at
        if one is not None:
            np.testing.assert_allclose(
                [found.effect[at], found.standard_error[at]], [one.effect, one.standard_error], **SAME
            )
        else:
            assert math.isnan(found.effect[at])
            assert math.isnan(found.standard_error[at])
    assert 0 < failed < len(arrays[0]) / 2


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("rho", [0, 1])
def test_log_rank_equals_the_single_test(stratified, rho):
    arrays = random_trials(1)
    time, event, arm, strata, _ = arrays
    many = log_rank_trials(time, event, arm, strata if stratified else None, rho=rho)
    failed, reason = 0, InputError("", "", "")
    for at in range(len(time)):
        one_time, one_event, one_arm, one_strata, _ = of_trial(arrays, at)
        try:
            one = log_rank(one_time, one_event, one_arm, one_strata if stratified else None, rho)
        except InputError as error:
            one, reason = None, error
        if one is None:
            failed += 1
            assert math.isnan(many.z[at])
            assert reason.field == "group" or str(many.failures[at]) == str(reason)
            continue
        assert at not in many.failures
        assert many.events[at] == one_event.sum()
        np.testing.assert_allclose(
            [many.observed[at], many.expected[at], many.variance[at], many.z[at]],
            [one.observed, one.expected, one.variance, one.z],
            **SAME,
        )
        if not rho:
            estimate, estimates = one.estimate(), many.estimates()
            np.testing.assert_allclose(estimates.effect[at], estimate.effect, **SAME)
            np.testing.assert_allclose(estimates.standard_error[at], estimate.standard_error, **SAME)
    assert 8 < failed < 60
    if rho:
        with pytest.raises(InputError, match="one-step"):
            many.estimates()


@pytest.mark.parametrize("stratified", [False, True])
def test_hazard_ratios_equal_the_single_regression(stratified):
    arrays = random_trials(2, effect=0.3)
    time, event, arm, strata, _ = arrays
    chosen = strata if stratified else None

    def single(time, event, arm, strata, _):
        return cox_regression(time, event, arm, strata=strata if stratified else None).estimate

    compare_with_singles(hazard_ratio_trials(time, event, arm, chosen), single, arrays)
    general = cox_trials(time, event, arm, strata=chosen)
    compare_with_singles(general.estimates(), single, arrays)


@pytest.mark.parametrize("stratified", [False, True])
def test_adjusted_hazard_ratios_equal_the_single_regression(stratified):
    arrays = random_trials(3, most=60)
    time, event, arm, strata, covariates = arrays

    def single(time, event, arm, strata, covariates):
        return cox_regression(time, event, arm, covariates, strata=strata if stratified else None).estimate

    many = cox_trials(time, event, arm, covariates, strata=strata if stratified else None)
    compare_with_singles(many.estimates(), single, arrays)
    at = next(at for at in range(len(time)) if at not in many.failures)
    one_time, one_event, one_arm, one_strata, one_covariates = of_trial(arrays, at)
    fit = cox_regression(one_time, one_event, one_arm, one_covariates, strata=one_strata if stratified else None)
    np.testing.assert_allclose(many.coefficients[at], fit.coefficients, **SAME)
    np.testing.assert_allclose(many.covariance[at], fit.covariance, **SAME)
    assert many.log_likelihood[at] == pytest.approx(fit.log_likelihood, rel=1e-12)
    assert (many.names, many.patients[at]) == (("arm", "covariate 1", "covariate 2"), fit.patients)


def test_restricted_means_equal_the_single_difference():
    arrays = random_trials(4, most=60)
    time, event, arm, *_ = arrays

    def single(time, event, arm, *_):
        if not 0 < arm.sum() < arm.size:
            raise InputError("arm", arm, "both")
        curves = [kaplan_meier(time[arm == code], event[arm == code]) for code in (1, 0)]
        return restricted_mean_difference(*curves, 9.0)

    many = restricted_mean_trials(time, event, arm, 9)
    compare_with_singles(many, single, arrays)
    for at, reason in many.failures.items():
        try:
            single(*of_trial(arrays, at))
        except InputError as error:
            told = str(error)
        assert told.startswith("arm") or reason == told


def test_survival_equals_the_single_curve():
    arrays = random_trials(5, trials=60)
    time, event, arm, *_ = arrays
    times = [0, 2.5, 5, 9, 40]
    many = survival_trials(time, event, arm, times)
    assert many.survival.shape == (60, 2, 5)
    for at in range(60):
        one_time, one_event, one_arm, *_ = of_trial(arrays, at)
        for code in (0, 1):
            members = one_arm == code
            if not members.any():
                assert np.isnan(many.survival[at, code]).all()
                continue
            curve = kaplan_meier(one_time[members], one_event[members])
            for place, moment in enumerate(times):
                if moment > curve.last_time and curve.survival[-1] > 0:
                    assert np.isnan(many.survival[at, code, place])
                    assert np.isnan(many.standard_error[at, code, place])
                else:
                    ours = many.survival[at, code, place], many.standard_error[at, code, place]
                    theirs = curve.survival_at(moment), curve.standard_error_at(moment)
                    np.testing.assert_allclose(ours, theirs, **SAME)


def test_trials_do_not_depend_on_what_stands_beside_them():
    time, event, arm, strata, covariates = random_trials(6, trials=40)
    for run in (
        lambda chosen: log_rank_trials(time[chosen], event[chosen], arm[chosen], strata[chosen]).expected,
        lambda chosen: hazard_ratio_trials(time[chosen], event[chosen], arm[chosen], strata[chosen]).effect,
        lambda chosen: cox_trials(time[chosen], event[chosen], arm[chosen], covariates[chosen]).coefficients,
        lambda chosen: restricted_mean_trials(time[chosen], event[chosen], arm[chosen], 6).effect,
    ):
        whole, some = run(np.arange(40)), run(np.arange(7, 19))
        np.testing.assert_allclose(some, whole[7:19], rtol=1e-12, atol=1e-14)


def test_order_of_patients_and_empty_places_do_not_matter():
    arrays = random_trials(7, trials=30)
    time, event, arm, strata, _ = arrays
    rng = np.random.default_rng(1)
    order = np.argsort(rng.random(time.shape), axis=1)
    wide = [
        np.concatenate((np.take_along_axis(values, order, 1), np.full((30, 5), filler)), axis=1)
        for values, filler in ((time, 0.0), (event, 1), (arm, -1), (strata, 2))
    ]
    for run in (log_rank_trials, hazard_ratio_trials):
        first, second = run(time, event, arm, strata), run(*wide)
        ours = first.z if run is log_rank_trials else first.effect
        theirs = second.z if run is log_rank_trials else second.effect
        np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-14)


def test_reasons():
    def reason(time, event, arm, run=hazard_ratio_trials):
        failures = run(np.array([time], dtype=float), np.array([event]), np.array([arm])).failures
        return str(failures[0]) if failures else ""

    assert "at least one patient in both arms" in reason([1, 2], [1, 1], [0, 0])
    assert "all times are censored" in reason([1, 2], [0, 0], [0, 1])
    assert "[2, 0]; expected events in both arms" in reason([1, 2, 3], [1, 1, 0], [0, 0, 1])
    assert "while patients of the other are at risk" in reason([1, 2, 3, 4], [1, 1, 1, 1], [0, 0, 1, 1])
    assert reason([1, 2, 3, 4], [1, 1, 1, 1], [0, 1, 1, 0]) == ""
    for one in ([1, 2], [1, 1], [0, 0]), ([1, 2], [0, 0], [0, 1]), ([1, 2, 3], [1, 1, 0], [0, 0, 1]):
        assert reason(*one, run=cox_trials)
    assert "events in both arms" in reason([1, 2, 3], [1, 1, 0], [0, 0, 1], run=cox_trials)

    def mean_reason(*given):
        return reason(*given, run=lambda *arrays: restricted_mean_trials(*arrays, 5))

    assert "at least one patient in each arm" in mean_reason([9, 9], [1, 1], [0, 0])
    assert "follow-up, which ends at 4" in mean_reason([9, 4], [1, 0], [0, 1])
    assert "some patients, but not all" in mean_reason([9, 9], [1, 0], [0, 1])
    assert mean_reason([1, 3, 2, 4], [1, 1, 1, 1], [0, 0, 1, 1]) == ""


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time": [1.0, 2.0]}, "time"),
        ({"time": [[1.0, -2.0]]}, "time"),
        ({"time": [[1.0, math.inf]]}, "time"),
        ({"time": [["a", "b"]]}, "time, event, arm, strata"),
        ({"event": [[1, 2]]}, "event"),
        ({"event": [1, 1]}, "event"),
        ({"arm": [[0, 2]]}, "arm"),
        ({"arm": [[0, math.nan]]}, "arm"),
        ({"strata": [[0, 0.5]]}, "strata"),
        ({"strata": [[0]]}, "strata"),
    ],
)
def test_arrays_that_cannot_be_used(changes, field):
    given = {"time": [[1.0, 2.0]], "event": [[1, 1]], "arm": [[0, 1]]} | changes
    for run in (log_rank_trials, hazard_ratio_trials, cox_trials):
        with pytest.raises(InputError) as caught:
            run(**given)
        assert caught.value.field == field
    for horizon in (0, math.inf, "a"):
        with pytest.raises(InputError, match="horizon"):
            restricted_mean_trials([[1.0, 2.0]], [[1, 1]], [[0, 1]], horizon)
    with pytest.raises(InputError, match="0 or later"):
        survival_trials([[1.0, 2.0]], [[1, 1]], [[0, 1]], [-1])


def test_patients_of_unknown_stratum_or_time_are_left_out():
    time, event, arm, strata, _ = random_trials(8, trials=20)
    unknown = np.where(np.arange(time.shape[1]) % 4 == 0, -1, strata)
    without = np.where(unknown < 0, -1, arm)
    np.testing.assert_array_equal(
        log_rank_trials(time, event, arm, unknown).expected, log_rank_trials(time, event, without, strata).expected
    )


def exponential_trials(seed, trials, patients, log_hazard_ratio=0.0):
    """Exponential times in whole days with censoring, strata that matter and a prognostic covariate."""
    rng = np.random.default_rng(seed)
    arm = np.tile(np.arange(patients) % 2, (trials, 1))
    strata, covariate = rng.integers(0, 2, arm.shape), rng.standard_normal(arm.shape)
    hazard = np.exp(log_hazard_ratio * arm + 0.7 * strata + 0.4 * covariate) / 100
    draw, censoring = rng.exponential(1 / hazard), rng.uniform(0, 250, arm.shape)
    return np.ceil(np.minimum(draw, censoring)), draw <= censoring, arm, strata, covariate


def test_level_of_all_tests_under_no_effect():
    """20,000 trials of 120 patients: two-sided level 0.05 within four Monte-Carlo errors (0.0062)."""
    time, event, arm, strata, _ = exponential_trials(11, 20_000, 120)
    scores = {
        "log-rank": log_rank_trials(time, event, arm).z,
        "stratified": log_rank_trials(time, event, arm, strata).z,
        "rho 1": log_rank_trials(time, event, arm, rho=1).z,
    }
    for name, found in (
        ("cox", hazard_ratio_trials(time, event, arm)),
        ("cox stratified", hazard_ratio_trials(time, event, arm, strata)),
        ("restricted mean", restricted_mean_trials(time, event, arm, 120)),
    ):
        scores[name] = found.effect / found.standard_error
    assert np.isnan(scores["restricted mean"]).mean() < 0.005
    scores["restricted mean"] = scores["restricted mean"][~np.isnan(scores["restricted mean"])]
    for name, z in scores.items():
        assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.05, abs=0.0062), name
        assert np.mean(z) == pytest.approx(0, abs=0.03), name


def test_estimates_find_the_truth():
    """4,000 stratified trials of 300 patients at a hazard ratio of 0.7: bias, spread and coverage of Cox's estimate.

    Unstratified and unadjusted estimates lean towards no effect, as hazard ratios are not collapsible.
    """
    truth = math.log(0.7)
    time, event, arm, strata, covariate = exponential_trials(12, 4000, 300, truth)
    found = cox_trials(time[:1500], event[:1500], arm[:1500], covariate[:1500], strata=strata[:1500]).estimates()
    effect, error = found.effect, found.standard_error
    assert np.mean(effect) == pytest.approx(truth, abs=4 * 0.15 / math.sqrt(1500))
    assert np.std(effect) == pytest.approx(np.mean(error), rel=0.08)
    assert np.mean(np.abs(effect - truth) < 1.959964 * error) == pytest.approx(0.95, abs=0.023)
    plain = hazard_ratio_trials(time, event, arm).effect
    assert truth < np.mean(plain) < 0.7 * truth
    peto = log_rank_trials(time, event, arm, strata).estimates()
    cox = hazard_ratio_trials(time, event, arm, strata)
    assert np.mean(peto.effect) == pytest.approx(np.mean(cox.effect), abs=0.01)


def test_restricted_mean_difference_finds_the_truth():
    """Exponential arms with means 100 and 160 days, to 120 days: 100 (1 - e^-1.2) and 160 (1 - e^-0.75)."""
    rng = np.random.default_rng(13)
    arm = np.tile(np.arange(200) % 2, (3000, 1))
    draw = rng.exponential(np.where(arm == 1, 160.0, 100.0))
    censoring = rng.uniform(60, 400, arm.shape)
    found = restricted_mean_trials(np.minimum(draw, censoring), draw <= censoring, arm, 120)
    assert not found.failures
    truth = 160 * (1 - math.exp(-0.75)) - 100 * (1 - math.exp(-1.2))
    assert np.mean(found.effect) == pytest.approx(truth, abs=4 * np.std(found.effect) / math.sqrt(3000))
    assert np.mean(found.standard_error) == pytest.approx(np.std(found.effect), rel=0.06)


def test_a_maximum_is_found_where_linear_programming_says_there_is_one():
    """Small trials without ties: no finite maximum where some direction puts every event first of all at risk then."""
    linprog = pytest.importorskip("scipy.optimize").linprog
    rng = np.random.default_rng(3)
    shape = (200, 14)
    arm, covariates = rng.integers(0, 2, shape), np.round(rng.standard_normal((*shape, 2)), 1)
    time, event = np.argsort(rng.random(shape), axis=1) + 1.0, rng.random(shape) < 0.5
    many = cox_trials(time, event, arm, covariates)
    monotone = []
    for at in range(len(arm)):
        if at in many.failures and "infinity" not in str(many.failures[at]):
            continue
        columns = np.column_stack((arm[at], covariates[at]))
        gaps = np.concatenate([columns[one] - columns[time[at] > time[at, one]] for one in np.flatnonzero(event[at])])
        found = linprog(-gaps.sum(axis=0), A_ub=-gaps, b_ub=np.zeros(len(gaps)), bounds=[(-1, 1)] * 3)
        monotone.append(-found.fun > 1e-7)
        assert monotone[-1] == (at in many.failures), at
    assert 5 < sum(monotone) < len(monotone) - 100
