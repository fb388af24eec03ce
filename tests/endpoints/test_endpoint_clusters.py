"""The clusters of a rating scale from one model: alone, in many trials, as primary endpoint."""

import json
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from endpoint_trials import assert_batch_is_each, assert_plan_is_what_trials_show, cut, drawn_trials
from equipoise import InputError, endpoints
from equipoise.endpoints.planning.cluster_law import cluster_moments
from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.regression.related_outcomes import fit_related_outcomes
from equipoise.errors import NotEstimable
from equipoise.patients import Draws, Truth, draw_clusters, draw_scores
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import edited

CLUSTERS = ("B", "C", "D", "E")


def protocol_of(clusters=(), **changes):
    endpoint = {"name": "caps-clusters", "type": "clusters", "role": "primary", "visit": "week2"}
    return edited(endpoints=[endpoint | {"clusters": list(clusters)}], **changes)


def scores_of(data, visit="week2", names=CLUSTERS):
    return np.stack([data.subscale(name, visit) for name in names], axis=1)


PROTOCOL = protocol_of()


def test_it_is_the_model_of_related_outcomes():
    data = drawn_trials(PROTOCOL, 1, 50)[0]
    before = scores_of(data, "baseline")
    fitted = fit_related_outcomes(scores_of(data) - before, data.arm, own=before, names=CLUSTERS)
    result = endpoints.estimate(PROTOCOL.primary, PROTOCOL, data)
    assert [item.cluster for item in result.clusters] == list(CLUSTERS)
    for ours, theirs in zip(result.clusters, fitted.estimates(better="lower"), strict=True):
        assert ours.estimate == replace(theirs, label=ours.estimate.label)
        assert ours.interval == theirs.interval(PROTOCOL.confidence_level)
    total = fitted.combined(better="lower", label="caps-clusters")
    assert result.estimate == endpoints.primary_estimate(PROTOCOL.primary, PROTOCOL, data) == total
    np.testing.assert_array_equal(result.covariance, fitted.covariance_of_estimates())
    assert result.covariance.sum() == pytest.approx(total.standard_error**2, rel=1e-10)
    np.testing.assert_allclose(np.diag(result.correlation), 1.0)
    assert result.joint_test == fitted.joint_test()
    assert result.patients == endpoints.analysed(PROTOCOL.primary, PROTOCOL, data).sum() == fitted.rows.sum()
    assert set(result.hypotheses) == {"caps-clusters", *(f"caps-clusters: {name}" for name in CLUSTERS)}
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("outcome", ["change", "score"])
def test_with_covariates_in_common_clusters_and_total_are_separate_analyses_of_covariance(outcome):
    """Zellner's equality, and the sum of the clusters the analysis of the total: exactly."""
    protocol = protocol_of(analysis__covariates=["age"], analysis__by_visit=[], analysis__outcome=outcome)
    data = drawn_trials(protocol, 1, 60)[0]
    result = endpoints.estimate(protocol.primary, protocol, data)
    values, total = scores_of(data), data.at("week2")
    if outcome == "change":
        values, total = values - scores_of(data, "baseline"), total - data.baseline
    for item, column in zip(result.clusters, values.T, strict=True):
        theirs = ancova(column, data.arm, data.covariates["age"]).estimate
        assert item.estimate.effect == pytest.approx(theirs.effect, rel=1e-11, abs=1e-13)
        assert item.estimate.standard_error == pytest.approx(theirs.standard_error, rel=1e-11)
        assert item.estimate.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-9)
    theirs = ancova(total, data.arm, data.covariates["age"]).estimate
    assert result.estimate.effect == pytest.approx(theirs.effect, rel=1e-11)
    assert result.estimate.standard_error == pytest.approx(theirs.standard_error, rel=1e-11)
    assert result.estimate.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-9)


def test_change_and_score_agree_where_each_cluster_has_its_baseline():
    data = drawn_trials(PROTOCOL, 1, 50)[0]
    score = protocol_of(analysis__outcome="score")
    first = endpoints.estimate(PROTOCOL.primary, PROTOCOL, data)
    second = endpoints.estimate(score.primary, score, data)
    for one, other in zip(first.clusters, second.clusters, strict=True):
        assert one.estimate.effect == pytest.approx(other.estimate.effect, rel=1e-7)
        assert one.standardised == pytest.approx(other.standardised, rel=1e-7)


def test_which_cluster_improved_most_is_told_by_standardised_differences():
    data = drawn_trials(PROTOCOL, 1, 60)[0]
    shifted = data.subscales["C"].copy()
    seen = (data.arm == 1) & ~np.isnan(shifted[:, 3])
    taken = np.minimum(shifted[seen, 3], 4.0)
    shifted[seen, 3] -= taken
    scores = data.scores.copy()
    scores[seen, 3] -= taken
    data = replace(data, scores=scores, subscales=data.subscales | {"C": shifted})
    result = endpoints.estimate(PROTOCOL.primary, PROTOCOL, data)
    assert result.most_improved.cluster == "C"
    spread = result.most_improved.deviation
    assert result.most_improved.standardised == pytest.approx(result.most_improved.estimate.effect / spread)
    values = data.subscale("C", "week2")
    rows = endpoints.analysed(PROTOCOL.primary, PROTOCOL, data)
    parts = [values[rows & (data.arm == arm)] for arm in (0, 1)]
    pooled = np.sqrt(sum(part.var() * len(part) for part in parts) / (rows.sum() - 2))
    assert spread == pytest.approx(pooled, rel=1e-12)
    effects, means, correlations = result.tables
    assert "in favour of ketamine is in Avoidance (C)" in effects.note
    assert [row[1] for row in effects.rows][-1] == "Sum"
    assert len(means.rows) == 8
    assert correlations.rows[2][1] == pytest.approx(result.correlation[2, 0])
    for table in result.tables:
        for row in table.rows:
            assert len(row) == len(table.columns)


def test_clusters_that_do_not_sum_are_refused_naming_patient_visit_and_sums():
    data = drawn_trials(PROTOCOL, 1, 30)[0]
    parts = {name: values.copy() for name, values in data.subscales.items()}
    at = int(np.flatnonzero(~np.isnan(data.scores[:, 3]))[4])
    parts["D"][at, 3] += 1
    wrong = replace(data, subscales=parts)
    sums = " + ".join(f"{name} {parts[name][at, 3]:g}" for name in CLUSTERS)
    expected = (
        f"clusters of patient {data.patient[at]} at week2 is '{sums} = {data.scores[at, 3] + 1:g}'; expected the total"
        f" of CAPS-5 there, {data.scores[at, 3]:g}"
    )
    for call in (endpoints.estimate, endpoints.primary, endpoints.analysed):
        with pytest.raises(InputError) as caught:
            call(PROTOCOL.primary, PROTOCOL, wrong)
        assert str(caught.value) == expected
    parts["B"][0, 0] -= 1
    with pytest.raises(InputError, match=r"at baseline .* \(and 1 other assessment likewise\)"):
        endpoints.estimate(PROTOCOL.primary, PROTOCOL, wrong)
    parts["B"][0, 0] += 1
    without_total = data.scores.copy()
    without_total[at, 3] = np.nan
    result = endpoints.estimate(PROTOCOL.primary, PROTOCOL, replace(wrong, scores=without_total))
    assert result.patients == endpoints.analysed(PROTOCOL.primary, PROTOCOL, data).sum()
    parts["D"][at, 3] -= 1 - 1e-12
    assert endpoints.estimate(PROTOCOL.primary, PROTOCOL, replace(data, subscales=parts)).patients == result.patients


def test_a_patient_with_some_clusters_only_stays():
    data = drawn_trials(PROTOCOL, 1, 40)[0]
    parts = {name: values.copy() for name, values in data.subscales.items()}
    at = int(np.flatnonzero(~np.isnan(data.scores[:, 3]))[0])
    parts["E"][at, 3] = np.nan
    some = replace(data, subscales=parts)
    whole, partly = (endpoints.estimate(PROTOCOL.primary, PROTOCOL, item) for item in (data, some))
    assert whole.patients == partly.patients
    assert whole.estimate != partly.estimate
    parts["E"][at, 0] = np.nan
    assert endpoints.estimate(PROTOCOL.primary, PROTOCOL, some).patients == whole.patients - 1


OPTIONS = [
    {},
    {"analysis__degrees_of_freedom": "kenward-roger", "analysis__outcome": "score"},
    {"analysis__degrees_of_freedom": "residual", "analysis__covariates": ["baseline", "age", "sex"]},
    {"analysis__degrees_of_freedom": "normal", "analysis__covariates": ["age"], "analysis__by_visit": []},
    {"analysis__covariates": [], "analysis__by_visit": []},
    {"clusters": ["B", "D"]},
    {"clusters": ["C"]},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_many_trials_equal_each(options):
    protocol = protocol_of(**options)
    trials = drawn_trials(protocol, 25, 60)
    parts = {name: values.copy() for name, values in trials[0].subscales.items()}
    parts["B"][np.flatnonzero(~np.isnan(parts["B"][:, 3]))[1], 3] = np.nan
    trials[0] = replace(trials[0], subscales=parts)
    assert not assert_batch_is_each(protocol, trials, 1e-9).failures


@pytest.mark.parametrize(
    "options",
    [
        {"analysis__covariance_by_arm": True},
        {"analysis__variance": "CR2"},
        {"analysis__method": "ml"},
        {"analysis__degrees_of_freedom": "kenward-roger-mmrm"},
    ],
)
def test_options_that_many_at_once_do_not_know_go_one_by_one(options):
    protocol = protocol_of(**options)
    assert_batch_is_each(protocol, drawn_trials(protocol, 5, 50), 1e-13)


def test_many_trials_fail_where_each_does_for_its_reason():
    trials = cut(drawn_trials(PROTOCOL, 30, 20), 3, 14)
    parts = {name: values.copy() for name, values in trials[0].subscales.items()}
    parts["C"][np.flatnonzero(~np.isnan(parts["C"][:, 3]))[0], 3] += 2
    trials[0] = replace(trials[0], subscales=parts)
    trials[1] = trials[1].only(trials[1].arm == 1)
    unseen = {name: np.where(np.arange(4) == 3, np.nan, values) for name, values in trials[2].subscales.items()}
    trials[2] = replace(trials[2], subscales=unseen)
    many = assert_batch_is_each(PROTOCOL, trials, 1e-9)
    assert "expected the total of CAPS-5 there" in many.failures[0]
    assert {0, 1, 2} <= set(many.failures)
    assert len(many.failures) < 25


def test_moments_of_the_clusters_are_those_of_the_draws():
    draws = Draws.of(5, "moments", [0])
    truth = Truth.of(PROTOCOL, "later-trials")
    law = truth.arms[1]
    scores = draw_scores(draws, np.ones((1, 150_000), dtype=np.intp), truth.laws)[:, :, [0, 3]]
    parts = draw_clusters(draws, PROTOCOL.scale, scores)
    joint = np.cov(np.concatenate([np.stack([parts[name][0, :, at] for name in CLUSTERS]) for at in (0, 1)]))
    shares = np.array([5, 2, 7, 6]) / 20
    before, between, after = cluster_moments(shares, 80.0, 0.0, law, 3)
    np.testing.assert_allclose(joint[:4, :4], before, atol=0.15)
    np.testing.assert_allclose(joint[4:, 4:], after, atol=0.2)
    # the correlation of the plan is that of the latent values; whole points inside the scale have a little less
    np.testing.assert_allclose(joint[:4, 4:], between, atol=0.2)
    assert before.sum() == pytest.approx(law.covariance[0, 0], rel=1e-12)
    assert after.sum() == pytest.approx(law.covariance[3, 3], rel=1e-12)


@pytest.mark.parametrize("options", [*OPTIONS[:2], *OPTIONS[3:]])
def test_plan_is_what_many_trials_show(options):
    protocol = protocol_of(**options)
    planned = assert_plan_is_what_trials_show(protocol, number=250, bias=0.1)
    assert planned.better == "lower"


def test_as_primary_it_is_planned_and_run():
    planned = eq.plan(PROTOCOL)
    assert planned.effect < -8
    result = eq.run(PROTOCOL, "as-published", seed=4)
    assert result.conclusion is not None
    assert result.conclusion.observed == result.primary.estimate
    described = endpoints.describe(PROTOCOL.primary, PROTOCOL)
    assert "Intrusion (B), Avoidance (C), Negative alterations" in described.method
    assert described.measured == "CAPS-5"
    some = protocol_of(["B", "E"])
    assert endpoints.describe(some.primary, some).measured == "the sum of B and E of CAPS-5"


def test_three_arms_are_each_compared_with_control():
    arms = {
        name: {"mean": [40.0, 36.0, 35.0, mean], "sd": [7.0, 9.0, 10.0, 10.0], "dropout": 0.1}
        for name, mean in (("midazolam", 35.0), ("ketamine", 33.0), ("esketamine", 24.0))
    }
    protocol = protocol_of(
        arms=[
            {"name": "midazolam", "role": "control"},
            {"name": "ketamine", "role": "experimental"},
            {"name": "esketamine", "role": "experimental"},
        ],
        allocation={"method": "simple", "ratio": dict.fromkeys(arms, 1)},
        analysis__experimental="ketamine",
        scenarios={"later-trials": {"arms": arms}},
        sample_size={"scenario": "later-trials", "patients": 90},
        stopping={"alpha": 0.05, "sided": 2, "fractions": [1.0]},
    )
    trials = drawn_trials(protocol, 6, 90)
    result = endpoints.estimate(protocol.primary, protocol, trials[0])
    assert [item.arm for item in result.comparisons] == ["ketamine", "esketamine"]
    assert [item.arm for item in result.clusters] == ["ketamine"] * 4 + ["esketamine"] * 4
    assert len(result.primary_clusters) == 4
    assert result.comparisons[1].estimate.effect < result.comparisons[0].estimate.effect
    assert_batch_is_each(protocol, trials, 1e-9)


def test_data_without_clusters_are_refused():
    data = replace(drawn_trials(PROTOCOL, 1, 20)[0], subscales={})
    with pytest.raises(InputError, match="a cluster of the scale in the data; they have none"):
        endpoints.estimate(PROTOCOL.primary, PROTOCOL, data)


def test_trials_of_which_none_has_a_maximum_fail_for_the_reasons_of_each():
    """Raters who drift to the end of the scale leave clusters that are constant but for the first patients."""
    protocol = protocol_of(**{"scenarios__as-published__rater_drift": {"points_per_year": 80.0}})
    truth = Truth.of(protocol, "as-published")
    trials = [virtual_trial(protocol, truth, Draws.of(1, "x", np.array([number])), 60) for number in (1, 2)]
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    assert np.isnan(found.effect).all()
    for at, data in enumerate(trials):
        with pytest.raises((InputError, NotEstimable)) as caught:
            endpoints.primary(protocol.primary, protocol, data)
        assert found.failures[at] == str(caught.value)
