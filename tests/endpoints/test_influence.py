"""Correlations between the estimates of a trial's endpoints: exact, large-sample and simulated values."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

import equipoise as eq
from endpoint_trials import drawn_trials
from equipoise import InputError, NotEstimable, endpoints
from equipoise.data import Events
from equipoise.endpoints.influence import correlations_of_many, endpoint_correlations
from equipoise.endpoints.influence_bootstrap import bootstrap_correlations
from equipoise.patients import Draws, Truth
from equipoise.simulation import draw_cohort, virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import with_measures

KETAMINE = eq.gallery("ptsd-ketamine")
EVERY = with_measures(
    [
        {"name": "change", "type": "mean", "visit": "week2"},
        {"name": "ranks", "type": "mean", "visit": "week1", "method": "wilcoxon"},
        {"name": "pressure", "type": "mean", "measure": "pressure", "method": "t"},
        {"name": "remission", "type": "response", "measure": "remission", "effect": "odds-ratio"},
        {"name": "adjusted", "type": "response", "visit": "week2", "improvement": 0.3, "covariates": ["baseline"]},
        {"name": "cgi", "type": "ordinal", "measure": "cgi"},
        {"name": "score", "type": "ordinal", "visit": "week2", "method": "win-probability"},
        {"name": "relapse", "type": "time-to-event", "measure": "relapse"},
        {"name": "log-rank", "type": "time-to-event", "measure": "relapse", "test": "log-rank"},
        {"name": "restricted", "type": "time-to-event", "measure": "relapse", "test": "restricted-mean", "horizon": 10},
        {"name": "panic", "type": "count", "measure": "panic"},
        {
            "name": "composite",
            "type": "hierarchical",
            "components": [{"measure": "relapse"}, {"measure": "cgi"}, {"visit": "week2", "margin": 5.0}],
        },
        {"name": "clusters", "type": "clusters", "visit": "week2"},
        {"name": "adverse", "type": "adverse-events"},
        {"name": "nausea", "type": "adverse-events", "term": "nausea"},
        {"name": "guesses", "type": "blinding", "guesses": ["own-guess", "rater-guess"]},
    ]
)


def looks(protocol, number, patients, reached, scenario="as-published", seed=3):
    """Trials as known when so many had reached the last visit, and the same patients followed to the end."""
    found = []
    for trial in drawn_trials(protocol, number, patients, scenario, seed):
        known = trial.known_at(float(np.sort(trial.reached[:, -1])[reached - 1]))
        found.append((known, trial.only(trial.randomised <= known.cut)))
    return found


def left_out(protocol, endpoint, data):
    """Estimates without each patient, one fit a patient."""
    found = np.empty(len(data))
    for at in range(len(data)):
        some = data.only(np.arange(len(data)) != at)
        found[at] = endpoints.primary_estimate(endpoint, protocol, some).effect
    return found


def welch_like(one, two, arm):
    """Covariance of two differences of means."""
    return sum(np.cov(one[arm == at], two[arm == at])[0, 1] / (arm == at).sum() for at in (0, 1))


def test_every_kind_of_endpoint_is_its_single_fits():
    data, followed = looks(EVERY, 1, 40, 34)[0]
    found = endpoint_correlations(EVERY, data, followed)
    assert found.failures == {}
    assert found.names == tuple(item.name for item in EVERY.endpoints)
    scaled = []
    for place, endpoint in enumerate(EVERY.endpoints):
        of = followed if endpoints.needs_follow_up(endpoint) else data
        whole, left = endpoints.primary_estimate(endpoint, EVERY, of), left_out(EVERY, endpoint, of)
        size = np.array([(of.arm == arm).sum() for arm in of.arm])
        expected = (size - 1) * (whole.effect - left)
        np.testing.assert_allclose(found.influence[:, place], expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())
        assert found.effects[place] == pytest.approx(whole.effect, rel=1e-10)
        assert found.model_standard_errors[place] == pytest.approx(whole.standard_error, rel=1e-9)
        means = np.array([left[of.arm == arm].mean() for arm in of.arm])
        scaled.append((left - means) * np.sqrt((size - 1) / size))
    covariance = np.array(scaled) @ np.array(scaled).T
    error = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found.matrix, covariance / np.outer(error, error), rtol=0, atol=1e-7)
    np.testing.assert_allclose(found.standard_errors, error, rtol=1e-7)
    np.testing.assert_allclose(found.matrix, found.matrix.T, atol=1e-14)
    assert np.linalg.eigvalsh(found.matrix).min() > -1e-12


def test_many_trials_are_each():
    names = ["caps5-week2", "response", "loss-of-response", "remission", "relapse", "clusters", "composite", "panic"]
    trials = looks(EVERY, 6, 24, 20, "no-effect") + looks(EVERY, 6, 40, 30)
    small = trials[0][0].only(np.arange(len(trials[0][0])) < 3)
    trials.append((small, small))
    known, followed = (TrialBatch.of([pair[at] for pair in trials]) for at in (0, 1))
    many = correlations_of_many(EVERY, known, followed, names)
    assert not any(12 not in many.failures[name] for name in names[:3])
    for at, (data, later) in enumerate(trials):
        one = endpoint_correlations(EVERY, data, later, names)
        assert one.failures == {name: found[at] for name, found in many.failures.items() if at in found}
        assert one.patients == many.patients[at]
        np.testing.assert_allclose(many.matrix[at], one.matrix, rtol=0, atol=1e-10)
        np.testing.assert_allclose(many.standard_errors[at], one.standard_errors, rtol=1e-10)
        np.testing.assert_allclose(many.matrix_standard_errors[at], one.matrix_standard_errors, rtol=0, atol=1e-10)
        np.testing.assert_array_equal(many.doubled[at], [one.doubled.get(name, 0) for name in names])
        assert many.of("caps5-week2", "response")[at] == pytest.approx(
            one.of("caps5-week2", "response"), abs=1e-10, nan_ok=True
        )


def test_two_differences_of_means_are_exact():
    protocol = with_measures(
        [
            {"name": "pressure", "type": "mean", "measure": "pressure", "method": "welch"},
            {"name": "change", "type": "mean", "visit": "week2", "method": "t"},
            {"name": "remission", "type": "response", "measure": "remission"},
        ]
    )
    data = drawn_trials(edited_without_dropout(protocol), 1, 33)[0]
    found = endpoint_correlations(protocol, data, names=["pressure", "change", "remission"])
    outcomes = [data.measure("pressure").value, data.at("week2") - data.baseline, data.measure("remission").value]
    covariance = np.array([[welch_like(one, two, data.arm) for two in outcomes] for one in outcomes])
    error = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found.standard_errors, error, rtol=1e-12)
    np.testing.assert_allclose(found.matrix, covariance / np.outer(error, error), rtol=0, atol=1e-12)
    assert found.standard_errors[0] == pytest.approx(found.model_standard_errors[0], rel=1e-12)


def edited_without_dropout(protocol):
    scenarios = {
        name: scenario.model_copy(
            update={"arms": {arm: truth.model_copy(update={"dropout": 0.0}) for arm, truth in scenario.arms.items()}}
        )
        for name, scenario in protocol.scenarios.items()
    }
    return protocol.model_copy(update={"scenarios": scenarios})


def test_analyses_of_covariance_have_influences_of_their_residuals():
    """Left out, patient i moves b by (X'X)^-1 x_i e_i / (1 - h_i) (Cook & Weisberg 1982, section 2.2)."""
    protocol = with_measures(
        [
            {"name": "change", "type": "mean", "visit": "week2"},
            {"name": "pressure", "type": "mean", "measure": "pressure", "method": "ancova", "covariates": ["baseline"]},
        ]
    )
    data = drawn_trials(edited_without_dropout(protocol), 1, 40)[0]
    found = endpoint_correlations(protocol, data, names=["change", "pressure"])
    design = np.column_stack([np.ones(40), data.arm, data.baseline])
    inverse = np.linalg.inv(design.T @ design)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    for place, outcome in enumerate([data.at("week2") - data.baseline, data.measure("pressure").value]):
        residual = outcome - design @ (inverse @ (design.T @ outcome))
        moved = (design @ inverse[1]) * residual / (1 - leverage)
        size = np.bincount(data.arm)[data.arm]
        np.testing.assert_allclose(found.influence[:, place], (size - 1) * moved, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("patients", [60, 120])
def test_mixed_model_and_a_cluster_on_complete_data(patients):
    """Both contrasts are the same function of complete data, so that the residuals' correlation is the estimates'."""
    protocol = edited_without_dropout(
        with_measures(
            [{"name": "parts", "type": "clusters", "visit": "week2"}], analysis__covariates=[], analysis__by_visit=[]
        )
    )
    arm = np.arange(patients) % 2
    data = replace(drawn_trials(protocol, 1, patients)[0], arm=arm)
    names = ["caps5-week2", "parts", "parts: B", "parts: D"]
    found = endpoint_correlations(protocol, data, names=names)
    total = data.at("week2") - data.baseline
    outcomes = [total, total] + [data.subscale(name, "week2") - data.subscale(name, "baseline") for name in "BD"]
    residuals = np.array([part - np.array([part[arm == at].mean() for at in arm]) for part in outcomes])
    np.testing.assert_allclose(found.matrix, np.corrcoef(residuals), rtol=0, atol=1e-7)


def test_mixed_model_and_a_cluster_with_baselines():
    """Large samples: two regressions with their own covariates, A1 S12 A2' of seemingly unrelated ones."""
    protocol = edited_without_dropout(
        with_measures([{"name": "parts", "type": "clusters", "visit": "week2", "clusters": ["C"]}])
    )
    data = drawn_trials(protocol, 1, 600)[0]
    found = endpoint_correlations(protocol, data, names=["caps5-week2", "parts"])
    rows, residuals = [], []
    for outcome, before in (
        (data.at("week2"), data.baseline),
        (data.subscale("C", "week2"), data.subscale("C", "baseline")),
    ):
        design = np.column_stack([np.ones(600), data.arm, before])
        solve = np.linalg.pinv(design)
        rows.append(solve[1])
        residuals.append(outcome - design @ (solve @ outcome))
    expected = np.corrcoef(residuals)[0, 1] * (rows[0] @ rows[1]) / np.sqrt((rows[0] @ rows[0]) * (rows[1] @ rows[1]))
    assert found.of("caps5-week2", "parts") == pytest.approx(expected, abs=0.03)
    np.testing.assert_allclose(found.standard_errors, found.model_standard_errors, rtol=0.05)


def test_a_response_and_the_mean_it_cuts():
    """Of normal scores cut at c: covariance of score and response in an arm is sd phi((c - mean) / sd) / n."""
    protocol = with_measures([{"name": "change", "type": "mean", "visit": "week2", "method": "welch"}])
    size, sd, means = 2000, 10.0, np.array([36.0, 24.0])
    data = drawn_trials(edited_without_dropout(protocol), 1, size)[0]
    drawn = means[data.arm] + sd * np.random.default_rng(1).normal(size=size)
    scores = data.scores.copy()
    scores[:, 0], scores[:, -1] = 40.0, drawn
    found = endpoint_correlations(protocol, replace(data, scores=scores), names=["change", "response"])
    count, place = np.bincount(data.arm), (0.7 * 40.0 - means) / sd
    density, share = np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi), ndtr(place)
    covariance, variance = (-sd * density / count).sum(), (share * (1 - share) / count).sum()
    expected = covariance / np.sqrt(variance * (sd**2 / count).sum())
    assert found.of("change", "response") == pytest.approx(
        expected, abs=4 * found.standard_error_of("change", "response")
    )
    assert 0.005 < found.standard_error_of("change", "response") < 0.02


def test_a_correlation_has_the_error_it_shows():
    """Of normal outcomes (1 - r^2) / sqrt(n) in large trials, and the spread over trials."""
    protocol = with_measures(
        [
            {"name": "change", "type": "mean", "visit": "week2", "method": "t"},
            {"name": "earlier", "type": "mean", "visit": "week1", "method": "t"},
        ]
    )
    protocol = edited_without_dropout(protocol)
    many = correlations_of_many(protocol, TrialBatch.of(drawn_trials(protocol, 300, 100)), names=["change", "earlier"])
    found, error = many.of("change", "earlier"), many.matrix_standard_errors[:, 0, 1]
    assert error.mean() == pytest.approx((1 - found.mean() ** 2) / np.sqrt(98), rel=0.06)
    assert found.std(ddof=1) == pytest.approx(error.mean(), rel=4 / np.sqrt(600) + 0.06)


@pytest.mark.parametrize("scenario", ["as-published", "no-effect"])
def test_it_is_the_correlation_over_virtual_trials(scenario):
    """Over trials of 40 estimates correlate as one trial tells on average, 0.03 apart at most besides chance."""
    number, patients = 500, 40
    cohort = draw_cohort(KETAMINE, Truth.of(KETAMINE, scenario), Draws.of(5, scenario, np.arange(number)), patients)
    rows, days = np.arange(number), cohort.reached[:, :, -1].max(axis=1)
    found = correlations_of_many(KETAMINE, cohort.known_at(rows, days), cohort.known_at(rows, days, followed=True))
    for place, name in enumerate(found.names[1:], start=1):
        both = ~np.isnan(found.effects[:, [0, place]]).any(axis=1)
        pair = found.effects[both][:, [0, place]]
        over_trials, told = np.corrcoef(pair[:, 0], pair[:, 1])[0, 1], found.of("caps5-week2", name)
        chance = np.hypot((1 - over_trials**2) / np.sqrt(number), np.nanstd(told) / np.sqrt(number))
        assert np.nanmean(told) == pytest.approx(over_trials, abs=0.03 + 3 * chance)
        assert np.nanmean(found.standard_errors[:, place]) == pytest.approx(np.std(pair[:, 1], ddof=1), rel=0.12)


def test_the_bootstrap_agrees():
    data, followed = looks(KETAMINE, 1, 80, 70)[0]
    left, drawn = endpoint_correlations(KETAMINE, data, followed), bootstrap_correlations(KETAMINE, data, followed)
    assert (drawn.used == 2000).all()
    np.testing.assert_allclose(drawn.standard_errors, left.standard_errors, rtol=0.08)
    np.testing.assert_allclose(drawn.matrix, left.matrix, atol=0.03 + 3 * drawn.matrix_standard_errors.max())
    again = bootstrap_correlations(KETAMINE, data, followed, resamples=2000, seed=2)
    gap = (again.matrix - drawn.matrix)[np.triu_indices(6, 1)]
    error = drawn.matrix_standard_errors[np.triu_indices(6, 1)]
    assert 0.4 < np.sqrt(np.mean((gap / error) ** 2)) / np.sqrt(2) < 1.7
    first = bootstrap_correlations(KETAMINE, data, followed, ["response", "clusters"], resamples=50)
    twice = bootstrap_correlations(KETAMINE, data, followed, ["response", "clusters"], resamples=50)
    np.testing.assert_array_equal(first.matrix, twice.matrix)
    assert "over 50 bootstrap samples" in str(first)
    assert first.of("response", "clusters") == first.matrix[0, 1]


def test_the_bootstrap_leaves_out_what_cannot_be_estimated():
    data = answered(with_one_responder := np.r_[1.0, np.zeros(29)])
    found = bootstrap_correlations(BINARY, data, names=["change", "remission"], resamples=400)
    expected = 1 - (1 - 1 / 15) ** 15
    assert found.used[1, 1] / 400 == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 400))
    assert found.used[0, 0] == 400
    assert found.used[0, 1] == found.used[1, 1]
    assert with_one_responder.sum() == 1


BINARY = edited_without_dropout(
    with_measures(
        [
            {"name": "change", "type": "mean", "visit": "week2", "method": "t"},
            {"name": "remission", "type": "response", "measure": "remission"},
        ]
    )
)


def answered(value, patients=30):
    """A trial of two arms in turn with these answers."""
    data = drawn_trials(BINARY, 1, patients)[0]
    measured = replace(data.measures["remission"], value=np.asarray(value, dtype=float))
    return replace(data, arm=np.arange(patients) % 2, measures=dict(data.measures) | {"remission": measured})


def test_the_only_event_is_entered_twice():
    """Without her nobody has an event; means have the same influence either way."""
    data = answered(np.r_[0.0, 1.0, np.zeros(28)])
    found = endpoint_correlations(BINARY, data, names=["change", "remission"])
    assert found.failures == {}
    assert found.doubled == {"remission": 1}
    assert found.influence[1, 1] == pytest.approx(16 * (2 / 16 - 1 / 15), rel=1e-12)
    outcomes = data.at("week2") - data.baseline, data.measure("remission").value
    covariance = welch_like(*outcomes, data.arm)
    expected = covariance / np.sqrt(np.prod([welch_like(one, one, data.arm) for one in outcomes]))
    assert found.of("change", "remission") == pytest.approx(expected, abs=1e-12)
    assert "remission: 1 entered twice" in str(found)


def test_no_patient_moves_an_estimate():
    data = answered(np.arange(30) % 2)
    found = endpoint_correlations(BINARY, data, names=["change", "remission"])
    assert found.failures == {"remission": "no patient moves the estimate"}
    assert np.isnan(found.of("change", "remission"))
    assert np.isnan(found.standard_errors[1])
    assert found.of("change", "change") == 1


def test_reasons_where_there_is_no_correlation():
    data = answered(np.zeros(30))
    found = endpoint_correlations(BINARY, data, names=["change", "remission"])
    with pytest.raises((InputError, NotEstimable)) as told:
        endpoints.primary_estimate(BINARY.endpoint("remission"), BINARY, data)
    assert found.failures == {"remission": str(told.value)}
    assert np.isnan(found.matrix[1]).all()
    assert np.isnan(found.effects[1])
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["correlations"][0] == [1.0, None]
    assert "remission: counts is" in str(found)


def test_too_many_cannot_be_left_out():
    """Two patients an arm have Welch's t test, which no one of them can leave."""
    protocol = with_measures([{"name": "change", "type": "mean", "visit": "week2", "method": "welch"}])
    data = answered([1, 0, 0, 1], 4)
    found = endpoint_correlations(protocol, data, names=["change"])
    assert "no estimate with any of 4 of 4 patients left out: " in found.failures["change"]
    assert not np.isnan(found.effects[0])
    one = data.only(np.array([True, True, True, False]))
    assert endpoint_correlations(BINARY, one, names=["remission"]).failures == {
        "remission": "an arm has fewer than two patients"
    }


def test_data_without_what_an_endpoint_needs():
    data = replace(drawn_trials(KETAMINE, 1, 30)[0], subscales={}, events=Events(), has_events=False)
    found = endpoint_correlations(KETAMINE, data)
    assert set(found.failures) == {"loss-of-response", "clusters", "adverse-events"}
    assert not np.isnan(found.of("caps5-week2", "blinding"))
    assert set(endpoint_correlations(KETAMINE, data, names=["clusters: B", "response"]).failures) == {"clusters: B"}


def test_three_arms():
    """Patients of the third arm count where a model of all arms holds them, and a difference of means does not."""
    data = drawn_trials(EVERY, 1, 45)[0]
    assert endpoint_correlations(EVERY, data, names=["change", "pressure"]).patients == 45
    third = replace(data, arm=np.arange(45) % 3, arm_names=(*data.arm_names, "third"))
    found = endpoint_correlations(EVERY, third, names=["change", "pressure"])
    assert (found.influence[third.arm == 2, 1] == 0).all()
    assert (found.influence[third.arm == 2, 0] != 0).any()


def test_refusals():
    data = drawn_trials(KETAMINE, 1, 20)[0]
    with pytest.raises(InputError, match="hypothesis is 'no-such'"):
        endpoint_correlations(KETAMINE, data, names=["no-such"])
    with pytest.raises(InputError, match="names"):
        endpoint_correlations(KETAMINE, data, names=[])
    with pytest.raises(InputError, match="followed is 19; expected the 20 patients"):
        endpoint_correlations(KETAMINE, data, data.only(np.arange(20) > 0))
    with pytest.raises(InputError, match="in the same places"):
        correlations_of_many(KETAMINE, TrialBatch.of([data]), TrialBatch.of([data.only(np.arange(20) > 0)]))
    with pytest.raises(InputError, match="endpoint is 'blinding'; expected one of response"):
        endpoint_correlations(KETAMINE, data, names=["response"]).of("response", "blinding")
    for resamples in (1, -3):
        with pytest.raises(InputError, match="resamples"):
            bootstrap_correlations(KETAMINE, data, resamples=resamples)
    with pytest.raises(InputError, match="seed"):
        bootstrap_correlations(KETAMINE, data, seed=-1, resamples=10)


def test_memory_is_bounded_and_chunks_do_not_matter(monkeypatch):
    data = drawn_trials(KETAMINE, 1, 30)[0]
    whole = endpoint_correlations(KETAMINE, data)
    monkeypatch.setattr("equipoise.endpoints.refits._VALUES", 7 * 30 * 4)
    np.testing.assert_allclose(endpoint_correlations(KETAMINE, data).matrix, whole.matrix, rtol=0, atol=1e-12)


def test_it_is_quick():
    data = virtual_trial(KETAMINE, Truth.of(KETAMINE, "as-published"), Draws.of(1, "quick", [0]), 40)
    endpoint_correlations(KETAMINE, data)
    started = time.process_time()
    endpoint_correlations(KETAMINE, data)
    assert time.process_time() - started < 1.0
