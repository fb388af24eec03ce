import json

import numpy as np
import pytest

from equipoise import Decision, InputError, TrialData, analyse, gallery, run
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial import NotAnalysed, adverse_events, baseline, flow
from protocols import edited, plain_table

PROTOCOL = gallery("ptsd-ketamine")


def undated(scores, arm, protocol=PROTOCOL, **covariates):
    scores = np.asarray(scores, dtype=float)
    blank = np.full(len(scores), np.nan)
    return TrialData(
        arm_names=protocol.arm_names,
        visit_names=protocol.visit_names,
        scale=protocol.outcome.scale,
        patient=np.array([f"P{row}" for row in range(len(scores))]),
        arm=np.asarray(arm, dtype=np.intp),
        scores=scores,
        covariates=covariates,
        randomised=blank,
        assessed=np.full_like(scores, np.nan),
        due=np.full_like(scores, np.nan),
        withdrawn=blank,
        last_contact=blank,
    )


def drawn(patients=30, seed=1):
    generator = np.random.default_rng(seed)
    scores = np.clip(40 + generator.normal(0, 7, (patients, 1)) + generator.normal(0, 5, (patients, 4)), 0, 80)
    arm = np.arange(patients) % 2
    scores[arm == 1, 1:] -= 14
    return scores, arm


def test_data_without_dates_are_the_look_they_are_said_to_be():
    scores, arm = drawn()
    data = undated(scores, arm)
    interim = analyse(PROTOCOL, data, look=1)
    last = analyse(PROTOCOL, undated(*drawn(40)))
    assert interim.stopped_early
    assert interim.conclusion.efficacy_bound == pytest.approx(2.3397, abs=1e-4)
    assert interim.conclusion.interval.lower == pytest.approx(interim.conclusion.observed_interval.lower, rel=1e-9)
    assert last.last_look.number == 2
    assert last.conclusion.decision is Decision.EFFICACY
    assert abs(last.conclusion.median_unbiased) < abs(last.conclusion.observed.effect)
    with pytest.raises(InputError, match="look"):
        analyse(PROTOCOL, data, look=3)


def test_under_and_over_running_spend_what_is_left():
    short = analyse(PROTOCOL, undated(*drawn(36)), look=2)
    assert short.conclusion.information == (0.75, 0.9)
    planned = short.plan.design.bounds_at([0.75, 0.9], True).efficacy[-1]
    assert short.conclusion.efficacy_bound == pytest.approx(planned, rel=1e-12)
    assert analyse(PROTOCOL, undated(*drawn(46))).conclusion.information == (0.75, 1.15)
    early = analyse(PROTOCOL, undated(*drawn(34)), look=1)
    assert early.conclusion.information == (0.85,)
    assert 2.0118 < early.conclusion.efficacy_bound < 2.3397
    with pytest.raises(InputError, match="look 1 is planned at 30"):
        analyse(PROTOCOL, undated(*drawn(28)), look=2)
    with pytest.raises(InputError, match="from 1 to 2: 36 of 40 patients are due"):
        analyse(PROTOCOL, undated(*drawn(36)))


def test_more_patients_than_planned_are_all_in_the_last_look():
    truth, generator = Truth.of(PROTOCOL, "no-effect"), Draws.of(1, "no-effect", [3])
    result = analyse(PROTOCOL, virtual_trial(PROTOCOL, truth, generator, 45))
    assert [look.due for look in result.looks] == [30, 45]
    assert result.conclusion.information == (0.75, 1.125)
    assert result.conclusion.decision is result.last_look.decision


def test_loss_of_response_without_dates_is_said_not_to_be_analysed():
    scores, arm = drawn()
    result = analyse(PROTOCOL, undated(scores, arm), look=1)
    assert isinstance(result.secondary[1], NotAnalysed)
    assert "dates" in result.secondary[1].reason
    assert "not_analysed" in result.to_json()


def test_a_trial_that_cannot_be_analysed_says_so():
    scores, arm = drawn(4)
    protocol = edited(sample_size={"scenario": "as-published", "patients": 4}, stopping__patients=[4])
    result = analyse(protocol, undated(scores, arm))
    assert result.conclusion is None
    assert isinstance(result.primary, NotAnalysed)
    assert result.last_look.failure == result.primary.reason
    assert result.last_look.decision is Decision.NOT_REJECTED
    json.loads(result.to_json())


def test_foreign_data_are_refused():
    scores, arm = drawn()
    with pytest.raises(InputError, match="arms and visits"):
        analyse(gallery("beat-the-blues"), undated(scores, arm))


@pytest.mark.parametrize("scenario", ["as-published", "no-effect", "later-trials"])
def test_counts_of_the_flow_add_up(scenario):
    for trial in range(5):
        result = run(PROTOCOL, scenario, seed=3, trial=trial)
        for row in flow(PROTOCOL, result.data):
            assert row.randomised == row.withdrew_before_primary + row.not_yet_due + row.seen_at_primary
            assert row.seen_at_primary <= row.analysed <= row.randomised
        assert sum(row.randomised for row in flow(PROTOCOL, result.data)) == result.last_look.randomised
        assert sum(row.analysed for row in flow(PROTOCOL, result.data)) == result.primary.patients
        response = result.secondary[0]
        assert response.patients == result.last_look.due


def test_baseline_and_adverse_events_by_arm():
    result = run(PROTOCOL, seed=1)
    rows = {row.label: row.values for row in baseline(PROTOCOL, result.data)}
    for at in (0, 1):
        members = result.data.arm == at
        score, age = result.data.baseline[members], result.data.covariates["age"][members]
        assert rows["CAPS-5 at baseline, mean (SD)"][at] == f"{score.mean():.1f} ({score.std(ddof=1):.1f})"
        assert rows["Age (years), mean (SD)"][at] == f"{age.mean():.1f} ({age.std(ddof=1):.1f})"
    for row in adverse_events(result.followed):
        events = result.followed.events
        for at in (0, 1):
            patients = {who for who in events.patient[events.term == row.term] if result.followed.arm[who] == at}
            assert row.patients[at] == len(patients)


def test_three_arms_are_all_compared_with_control():
    protocol = three_arms()
    result = run(protocol, seed=2)
    assert [comparison.arm for comparison in result.primary.comparisons] == ["ketamine", "low dose"]
    assert len(result.primary.by_visit) == 6
    assert result.conclusion.observed == result.primary.comparisons[0].estimate
    assert len(result.secondary[0].arms) == 3


def three_arms():
    arms = [
        {"name": "midazolam", "role": "control"},
        {"name": "low dose", "role": "experimental"},
        {"name": "ketamine", "role": "experimental"},
    ]
    scenario = plain_table()["scenarios"]["as-published"]
    scenario["arms"]["low dose"] = scenario["arms"]["midazolam"]
    return edited(
        arms=arms,
        allocation={"ratio": {"midazolam": 1, "ketamine": 1, "low dose": 1}, "block_sizes": [3]},
        analysis__experimental="ketamine",
        scenarios={"as-published": scenario},
        sample_size={"patients": 60, "scenario": "as-published"},
        stopping__patients=[45, 60],
    )


def test_result_is_plain_json_with_its_provenance():
    result = run(PROTOCOL, seed=1)
    content = json.loads(result.to_json())
    assert content["provenance"]["protocol_hash"] == PROTOCOL.hash
    assert content["provenance"]["seed"] == 1
    assert content["looks"][0]["effect"] == result.looks[0].estimate.effect
    assert content["conclusion"]["decision"] == result.conclusion.decision.value
