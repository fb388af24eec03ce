import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.durations.responses import checked_responses
from equipoise.endpoints.durations.time_in_response import mean_times, time_in_response, time_in_response_batch
from equipoise.endpoints.survival.curves import restricted_mean_trials
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.endpoints.survival.restricted_means import restricted_mean_difference
from equipoise.errors import InputError, NotEstimable
from equipoise.estimate import Scale
from response_law import MONOTONE, NOT_MONOTONE, ONLY_SELECTION, trials
from survival_reference import cases, columns

CLOSE = {"rel": 1e-12, "abs": 1e-12}


@pytest.mark.parametrize("horizon", [4.0, 11.5])
def test_it_is_the_restricted_mean_of_the_curve_with_an_atom_at_nought(horizon):
    arm, responded, time, observed = MONOTONE.draw(np.random.default_rng(1), 1, 60, (10, 80))
    arm, responded, time, observed = arm[0], responded[0], np.ceil(time[0]), observed[0]
    found = time_in_response(arm, responded, time, observed, horizon)
    curves = [
        kaplan_meier(np.where(responded, time, 0.0)[arm == at], np.where(responded, observed, True)[arm == at])
        for at in (0, 1)
    ]
    for curve, own in zip(curves, (found.control, found.experimental), strict=True):
        mean = curve.restricted_mean(horizon)
        assert (own.mean, own.standard_error) == (
            pytest.approx(mean.value, **CLOSE),
            pytest.approx(mean.standard_error, **CLOSE),
        )
    reference = restricted_mean_difference(curves[1], curves[0], horizon)
    assert found.difference.effect == pytest.approx(reference.effect, **CLOSE)
    assert found.difference.standard_error == pytest.approx(reference.standard_error, **CLOSE)
    assert found.difference.scale == Scale.TIME_DIFFERENCE


@pytest.mark.parametrize(("inputs", "expected"), cases("restricted_mean_survival_time"))
def test_where_everybody_responds_it_is_survrm2s_restricted_mean(inputs, expected):
    data = columns(inputs["data"])
    arm = (data[inputs["group"]] == inputs["arm1_level"]).astype(int)
    found = time_in_response(arm, np.ones(arm.size), data["time"], data["event"], inputs["tau"])
    for own, name in ((found.control, "arm0"), (found.experimental, "arm1")):
        assert (own.mean, own.standard_error) == pytest.approx((expected[name]["rmst"], expected[name]["se"]), rel=1e-9)
    reference = expected["difference_arm1_minus_arm0"]
    ours = (found.difference.effect, found.interval.lower, found.interval.upper, found.difference.p_value)
    assert ours == pytest.approx(
        tuple(reference[key] for key in ("estimate", "ci_lower", "ci_upper", "p_value")), rel=1e-9
    )
    reference = expected["ratio_arm1_over_arm0"]
    ours = (found.ratio, found.ratio_interval.lower, found.ratio_interval.upper)
    assert ours == pytest.approx(tuple(reference[key] for key in ("estimate", "ci_lower", "ci_upper")), rel=1e-9)


def test_many_trials_are_restricted_means_with_an_atom_at_nought():
    arm, responded, time, observed = trials(9, 300, 14, unknown=0.0)
    found = time_in_response_batch(arm, responded, time, observed, 6.0)
    responder = responded == 1
    other = restricted_mean_trials(
        np.where(responder, time, 0.0), np.where(responder, observed, 1.0), np.where(arm >= 0, arm, -1), 6.0
    )
    assert set(found.failures) == set(other.failures)
    np.testing.assert_allclose(found.effect, other.effect, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found.standard_error, other.standard_error, rtol=1e-11)


def test_its_variance_is_that_of_a_share_times_a_mean():
    arm, responded, time, observed = MONOTONE.draw(np.random.default_rng(2), 1, 80, (10, 80))
    found = time_in_response(arm[0], responded[0], time[0], observed[0], 9.0)
    for at, own in enumerate((found.control, found.experimental)):
        members = arm[0] == at
        chosen = members & responded[0]
        share, patients = responded[0][members].mean(), members.sum()
        mean = kaplan_meier(time[0][chosen], observed[0][chosen]).restricted_mean(9.0)
        variance = mean.value**2 * share * (1 - share) / patients + share**2 * mean.standard_error**2
        assert own.mean == pytest.approx(share * mean.value, **CLOSE)
        assert own.standard_error**2 == pytest.approx(variance, **CLOSE)
        assert (own.patients, own.responders) == (patients, chosen.sum())


def test_deleting_patients_one_by_one_tells_the_same_variance():
    arm, responded, time, observed = (part[0] for part in MONOTONE.draw(np.random.default_rng(3), 1, 160, (10, 80)))
    found = time_in_response(arm, responded, time, observed, 9.0)
    arms = np.broadcast_to(arm, (160, 160)).copy()
    np.fill_diagonal(arms, -1)
    without = time_in_response_batch(arms, responded, time, observed, 9.0).effect
    variance = sum(79 / 80 * np.sum((without[arm == at] - without[arm == at].mean()) ** 2) for at in (0, 1))
    assert found.difference.standard_error == pytest.approx(math.sqrt(variance), rel=0.02)


def test_resampling_patients_tells_the_same_variance():
    generator = np.random.default_rng(4)
    arm, responded, time, observed = (part[0] for part in MONOTONE.draw(generator, 1, 200, (20, 80)))
    found = time_in_response(arm, responded, time, observed, 15.0)
    rows = np.concatenate([np.flatnonzero(arm == at)[generator.integers(0, 100, (4000, 100))] for at in (0, 1)], axis=1)
    again = time_in_response_batch(arm[rows], responded[rows], time[rows], observed[rows], 15.0)
    assert not again.failures
    assert found.difference.standard_error == pytest.approx(again.effect.std(), rel=0.04)


@pytest.mark.parametrize("law", [MONOTONE, NOT_MONOTONE, ONLY_SELECTION], ids=["monotone", "not monotone", "selection"])
@pytest.mark.parametrize("patients", [60, 200])
def test_unbiased_and_covering_under_a_law_of_potential_outcomes(law, patients):
    horizon, count = 20.0, 4000
    found = time_in_response_batch(*law.draw(np.random.default_rng(5), count, patients, (5, 120)), horizon)
    kept = ~np.isnan(found.effect)
    assert kept.mean() > 0.99
    error = found.effect[kept] - law.difference(horizon)
    assert abs(error.mean()) < 4 * error.std() / math.sqrt(kept.sum())
    covered = np.mean(np.abs(error) < 1.959964 * found.standard_error[kept])
    slack = 0.015 if patients == 60 else 0.0
    assert covered == pytest.approx(0.95, abs=slack + 4 * math.sqrt(0.95 * 0.05 / count))
    assert np.sqrt(np.mean(found.standard_error[kept] ** 2)) == pytest.approx(error.std(), rel=0.03 + 1.5 / patients)


def test_responders_alone_differ_though_no_patient_gains_a_day():
    """Each patient's response lasts as long in either arm; the experimental arm adds responders who relapse early."""
    horizon, count = 40.0, 400
    arm, responded, time, observed = ONLY_SELECTION.draw(np.random.default_rng(6), count, 300, (40, 120))
    naive = ONLY_SELECTION.among_responders(horizon)
    assert naive < -5
    found = time_in_response_batch(np.where(responded, arm, -1), responded, time, observed, horizon)
    assert found.effect.mean() == pytest.approx(naive, abs=4 * found.effect.std() / math.sqrt(count))
    assert np.mean(found.effect < -1.96 * found.standard_error) > 0.9
    assert ONLY_SELECTION.difference(horizon) > 0
    everyone = time_in_response_batch(arm, responded, time, observed, horizon)
    assert everyone.effect.mean() == pytest.approx(
        ONLY_SELECTION.difference(horizon), abs=4 * everyone.effect.std() / math.sqrt(count)
    )


@pytest.mark.parametrize("horizon", [None, 6.0])
def test_many_trials_are_each_as_one(horizon):
    arm, responded, time, observed = trials(7, 300, 14)
    many = time_in_response_batch(arm, responded, time, observed, horizon)
    assert 30 < len(many.failures) < 270
    for at in range(300):
        try:
            one = time_in_response(arm[at], responded[at], time[at], observed[at], horizon)
        except NotEstimable as error:
            reason = str(error)
        else:
            reason = None
            assert many.effect[at] == pytest.approx(one.difference.effect, rel=1e-12, abs=1e-12)
            assert many.standard_error[at] == pytest.approx(one.difference.standard_error, rel=1e-12)
            assert np.isinf(many.degrees_of_freedom[at])
        assert many.failures.get(at) == reason
        assert np.isnan(many.effect[at]) == (reason is not None)


@given(st.integers(0, 1000))
def test_swapping_arms_and_rescaling_time(seed):
    arm, responded, time, observed = trials(seed, 1, 30)
    there = time_in_response_batch(arm, responded, time, observed, 5.0)
    back = time_in_response_batch(np.where(arm >= 0, 1 - arm, -1), responded, time, observed, 5.0)
    weeks = time_in_response_batch(arm, responded, time / 7, observed, 5.0 / 7)
    np.testing.assert_allclose(back.effect, -there.effect, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(back.standard_error, there.standard_error, rtol=1e-12)
    np.testing.assert_allclose(weeks.effect * 7, there.effect, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(weeks.standard_error * 7, there.standard_error, rtol=1e-11)


def test_the_horizon_is_the_follow_up_where_none_is_given():
    arm = np.repeat([0, 1], 3)
    responded = np.array([1, 1, 0, 1, 1, 0])
    time = np.array([5.0, 9.0, 0.0, 4.0, 12.0, 0.0])
    found = time_in_response(arm, responded, time, [1, 0, 0, 1, 0, 0])
    assert found.horizon == 9
    assert (found.control.mean, found.experimental.mean) == (pytest.approx(14 / 3), pytest.approx(13 / 3))
    all_lost = time_in_response(arm, responded, time, [1, 1, 0, 1, 1, 0])
    assert all_lost.horizon == 12
    assert all_lost.experimental.mean == pytest.approx(16 / 3)
    one_known = time_in_response(arm, responded, time, [1, 0, 0, 1, 1, 0])
    assert one_known.horizon == 9


def test_a_ratio_where_both_arms_respond():
    arm, responded, time, observed = (part[0] for part in MONOTONE.draw(np.random.default_rng(8), 1, 100, (20, 80)))
    found = time_in_response(arm, responded, time, observed, 15.0, level=0.9)
    control, experimental = found.control, found.experimental
    assert found.ratio == pytest.approx(experimental.mean / control.mean)
    relative = math.hypot(control.standard_error / control.mean, experimental.standard_error / experimental.mean)
    assert math.log(found.ratio_interval.upper / found.ratio) == pytest.approx(1.6448536269514722 * relative)
    assert found.ratio_interval.lower * found.ratio_interval.upper == pytest.approx(found.ratio**2)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "mean time in response within 15" in str(found)


def test_nobody_responds_to_control():
    found = time_in_response([0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 4, 0], [0, 0, 1, 0], 10.0)
    assert (found.control.mean, found.control.standard_error) == (0, 0)
    assert found.experimental.mean == 2
    assert found.ratio == math.inf
    assert found.ratio_interval is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_everybody_responds():
    found = time_in_response([0, 0, 1, 1], [1, 1, 1, 1], [2, 4, 6, 12], [1, 1, 1, 0], 10.0)
    assert found.control.mean == 3
    assert found.experimental.mean == 8


@pytest.mark.parametrize(
    ("arm", "responded", "time", "observed", "horizon", "reason"),
    [
        ([0, 0], [1, 0], [3, 0], [1, 0], 2.0, "no patient of the experimental arm"),
        ([1, 0], [1, np.nan], [3, np.nan], [1, 0], 2.0, "no patient of the control arm"),
        ([0, 1], [0, 0], [0, 0], [0, 0], 2.0, "does not vary"),
        ([0, 1], [0, 0], [0, 0], [0, 0], None, "nobody has been followed"),
        ([0, 0, 1, 1], [1, 1, 1, 1], [9, 9, 9, 9], [0, 0, 0, 0], 8.0, "does not vary"),
        ([0, 0, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], None, "nobody has been followed"),
        ([0, 0, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], 5.0, "control arm have been followed for 0 at most"),
        (
            [0, 0, 1, 1],
            [1, 0, 1, 0],
            [9, 0, 7, 0],
            [0, 0, 0, 0],
            8.0,
            "experimental arm have been followed for 7 at most",
        ),
    ],
)
def test_what_data_do_not_tell_is_said(arm, responded, time, observed, horizon, reason):
    with pytest.raises(NotEstimable, match=reason):
        time_in_response(arm, responded, time, observed, horizon)
    many = time_in_response_batch([arm], [responded], [time], [observed], horizon)
    assert reason in many.failures[0]


@pytest.mark.parametrize(
    ("arm", "responded", "time", "observed", "horizon", "field"),
    [
        ([0, 2], [1, 0], [3, 0], [1, 0], 2.0, "arm"),
        ([0, 1], [2, 0], [3, 0], [1, 0], 2.0, "responded"),
        ([0, 1], [1, 0], [-3, 0], [1, 0], 2.0, "time"),
        ([0, 1], [1, 0], [np.nan, 0], [1, 0], 2.0, "time"),
        ([0, 1], [1, 0], [3, 0], [np.nan, 0], 2.0, "observed"),
        ([0, 1], [1, 0], [3, 0], [0.5, 0], 2.0, "observed"),
        ([0, 1, 1], [1, 0], [3, 0], [1, 0], 2.0, "arm, responded"),
        (["a", "b"], [1, 0], [3, 0], [1, 0], 2.0, "arm"),
        ([], [], [], [], 2.0, "arm"),
        ([0, 1], [1, 0], [3, 0], [1, 0], 0.0, "horizon"),
        ([0, 1], [1, 0], [3, 0], [1, 0], math.inf, "horizon"),
        ([0, 1], [1, 0], [3, 0], [1, 0], "week", "horizon"),
    ],
)
def test_bad_input_is_refused(arm, responded, time, observed, horizon, field):
    with pytest.raises(InputError, match=f"^{field}"):
        time_in_response(arm, responded, time, observed, horizon)


def test_one_trial_is_no_batch():
    with pytest.raises(InputError, match="one row a trial"):
        time_in_response_batch([0, 0, 1], [1, 0, 1], [3, 0, 4], [1, 0, 1], 2.0)


def test_a_level_that_is_none_is_refused():
    with pytest.raises(InputError, match="level"):
        time_in_response([0, 0, 1], [1, 0, 1], [3, 0, 4], [1, 0, 1], 2.0, level=1.5)


def test_times_and_flags_of_non_responders_are_not_read():
    arguments = [0, 0, 1, 1], [1, 0, 1, 0]
    some = mean_times(checked_responses(*arguments, [3, np.nan, 5, 77], [1, np.nan, 1, 0]), 4.0)
    none = mean_times(checked_responses(*arguments, [3, 0, 5, 0], [1, 0, 1, 0]), 4.0)
    np.testing.assert_array_equal(some.mean, none.mean)
    np.testing.assert_array_equal(some.parts, none.parts)
