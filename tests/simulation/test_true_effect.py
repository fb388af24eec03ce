"""What estimates are held against is what the patients drawn have, and a null is called one where arms are alike."""

import math
import re

import numpy as np
import pytest

import equipoise as eq
from equipoise import endpoints
from equipoise.patients import Draws, Truth
from equipoise.protocol import Protocol
from equipoise.report import render_oc
from equipoise.simulation import grid, simulate_grid
from equipoise.simulation.context import Context
from equipoise.simulation.virtual import virtual_trial
from protocols import plain_table

GUESS = {"name": "guess", "kind": "guess", "visit": "week2"}
BLINDING = {"name": "blinding", "type": "blinding", "guesses": ["guess"]}
BELIEF = {
    "points": -3.0,
    "sign": "dissociation",
    "felt": {"experimental": 0.85, "does_not_know": 0.05},
    "not_felt": {"experimental": 0.35, "does_not_know": 0.25},
}
RANKS = {"name": "ranks", "type": "mean", "visit": "week2", "method": "wilcoxon"}
LEVELS = {"name": "levels", "type": "ordinal", "visit": "week2"}
SPREAD = {
    "sites": {"sites": {"number": 5, "mean_sd": 2.0}},
    "raters": {"rater_drift": {"raters": 2, "rater_sd": 2.0}},
    "beliefs": {"expectancy": BELIEF},
}


def protocol_of(*extra, scenario="as-published", primary=None, odds_ratio=1.0, arms=None, measures=(), **settings):
    """The ketamine trial with further endpoints and settings of a scenario; dropping out at random unless said."""
    table = plain_table()
    table["population"]["dropout_odds_ratio_per_point"] = odds_ratio
    table["endpoints"] += extra
    if measures:
        table["measures"] = [dict(item) for item in measures]
    for item in table["endpoints"]:
        if primary:
            item["role"] = "primary" if item["name"] == primary else "secondary"
    table["scenarios"][scenario] |= settings
    for name, values in (arms or {}).items():
        table["scenarios"][scenario]["arms"][name] |= values
    return Protocol.model_validate(table)


def held_against(protocol, scenario="as-published"):
    others = [item.name for item in protocol.endpoints if item.role != "primary"]
    return Context.of(eq.plan(protocol), Truth.of(protocol, scenario), scenario, others)


def large(protocol, name, scenario="as-published", patients=60_000):
    """Estimate from one trial of very many patients."""
    truth = Truth.of(protocol, scenario)
    data = virtual_trial(protocol, truth, Draws.of(5, scenario, np.array([0])), patients)
    return endpoints.primary_estimate(protocol.endpoint(name), protocol, data)


def test_a_response_that_counts_the_missing_is_that_of_patients_who_miss_visits():
    missed = {"probability": 0.05, "arms": {"ketamine": 0.3}}
    protocol = protocol_of(missed_visits=missed)
    truth = Truth.of(protocol, "as-published")
    control, experimental = truth.arms
    np.testing.assert_allclose(control.seen, control.staying * [1, 0.95, 0.95, 0.95])
    np.testing.assert_allclose(experimental.seen, experimental.staying * [1, 0.7, 0.7, 0.7])
    aim = held_against(protocol).aim("response")
    found = large(protocol, "response")
    assert aim.truth == pytest.approx(found.effect, abs=4 * found.standard_error)
    assert aim.truth < held_against(protocol_of()).aim("response").truth - 0.1
    by_score = protocol_of(missed_visits=missed | {"odds_ratio_per_point": 1.02})
    assert math.isnan(held_against(by_score).aim("response").truth)


def test_no_effect_with_arms_missed_differently_is_no_type_1_error_of_a_response():
    missed = {"probability": 0.05, "arms": {"ketamine": 0.3}}
    protocol = protocol_of(scenario="no-effect", primary="response", missed_visits=missed)
    context = held_against(protocol, "no-effect")
    assert context.primary.truth < -0.02
    assert not context.no_effect
    assert context.aim("caps5-week2").truth == 0
    for same in ({"missed_visits": {"probability": 0.2}}, {"missed_visits": {"visits": {"week2": 0.3}}}, {}):
        assert held_against(protocol_of(scenario="no-effect", primary="response", **same), "no-effect").no_effect


@pytest.mark.parametrize("odds_ratio", [1.0, 1.05])
def test_leaving_for_what_is_not_seen_is_alike_or_the_null_is_none(odds_ratio):
    settings = {"scenario": "no-effect", "dropout_odds_ratio_per_unseen_point": odds_ratio}
    assert held_against(protocol_of(**settings), "no-effect").no_effect
    uneven = protocol_of(**settings, arms={"ketamine": {"dropout": 0.3}})
    context = held_against(uneven, "no-effect")
    assert context.primary.truth == 0
    assert context.no_effect == (odds_ratio == 1.0)


@pytest.mark.parametrize("points", [0.0, -3.0])
def test_belief_that_moves_scores_of_one_arm_more_is_an_effect_of_no_drug(points):
    belief = BELIEF | {"points": points}
    context = held_against(protocol_of(scenario="no-effect", expectancy=belief), "no-effect")
    assert context.primary.truth == 0
    assert context.no_effect == (points == 0)
    same = {
        "midazolam": {"adverse_events": {"dissociation": 0.6}},
        "ketamine": {"adverse_events": {"dissociation": 0.6}},
    }
    assert held_against(protocol_of(scenario="no-effect", expectancy=belief, arms=same), "no-effect").no_effect


def test_responses_seen_by_score_in_one_arm_more_are_no_null():
    observed = {"name": "seen", "type": "response", "visit": "week2", "points": 10.0, "missing": "observed-only"}
    for odds_ratio, dropout, null in ((1.0, 0.4, True), (1.05, 0.02, True), (1.05, 0.4, False)):
        protocol = protocol_of(
            observed, scenario="no-effect", odds_ratio=odds_ratio, arms={"ketamine": {"dropout": dropout}}
        )
        aim = held_against(protocol, "no-effect").aim("seen")
        assert aim.is_null()
        assert aim.arms_alike == null


def test_guesses_that_record_the_belief_have_its_law():
    belief = BELIEF | {"guesses": ["guess"]}
    protocol = protocol_of(BLINDING, measures=[GUESS], expectancy=belief)
    aim = held_against(protocol).aim("blinding")
    assert aim.truth == pytest.approx((0.6 - 0.1) * (0.85 - 0.35), rel=1e-12)
    midazolam, ketamine = (arm.measures["guess"] for arm in Truth.of(protocol, "as-published").arms)
    assert midazolam.guesses_experimental == pytest.approx(0.1 * 0.85 + 0.9 * 0.35)
    assert ketamine.does_not_know == pytest.approx(0.6 * 0.05 + 0.4 * 0.25)
    found = large(protocol, "blinding")
    assert aim.truth == pytest.approx(found.effect, abs=4 * found.standard_error)
    by_score = protocol_of(BLINDING, measures=[GUESS], expectancy=belief, odds_ratio=1.03)
    assert math.isnan(held_against(by_score).aim("blinding").truth)
    unmoved = protocol_of(BLINDING, measures=[GUESS], expectancy=belief | {"points": 0.0}, odds_ratio=1.03)
    assert held_against(unmoved).aim("blinding").truth == pytest.approx(0.25, rel=1e-12)


def test_odds_ratios_given_baseline_are_not_those_of_the_arms():
    """Odds ratios do not collapse: given baseline they lie further from 1 (Gail et al. 1984, Biometrika 71:431)."""
    adjusted = LEVELS | {"name": "given-baseline", "covariates": ["baseline"]}
    protocol = protocol_of(LEVELS, adjusted, RANKS)
    context = held_against(protocol)
    assert math.isnan(context.aim("given-baseline").truth)
    assert abs(large(protocol, "given-baseline", patients=4_000).effect) > abs(context.aim("levels").truth) + 0.1
    assert not math.isnan(context.aim("ranks").truth)
    null = held_against(protocol, "no-effect")
    assert null.aim("given-baseline").truth == pytest.approx(0, abs=1e-12)


def test_ranks_of_mixed_arms_have_no_truth():
    context = held_against(protocol_of(LEVELS, RANKS, responders={"fraction": 0.6}))
    assert math.isnan(context.aim("levels").truth)
    assert math.isnan(context.aim("ranks").truth)
    assert context.aim("response").truth > 0
    assert context.primary.truth == pytest.approx(-11.88, abs=1e-6)


@pytest.mark.parametrize("kind", sorted(SPREAD))
def test_what_spreads_scores_leaves_means_alone_and_other_effects_untold(kind):
    context = held_against(protocol_of(LEVELS, RANKS, **SPREAD[kind]))
    assert context.primary.truth == pytest.approx(-11.88, abs=1e-6)
    for name in ("response", "levels", "ranks"):
        assert math.isnan(context.aim(name).truth)
    null = held_against(protocol_of(LEVELS, RANKS, scenario="no-effect", **SPREAD[kind]), "no-effect")
    for name in ("response", "levels"):
        assert math.isnan(null.aim(name).truth) == (kind == "beliefs")
    assert null.no_effect == (kind != "beliefs")


def test_a_primary_effect_without_truth_is_simulated_and_shown():
    protocol = protocol_of(primary="response", **SPREAD["sites"])
    found = simulate_grid(grid(protocol, "as-published", vary=["dropout=0,0.2"]), 40, 2)
    for shown in found.results:
        assert math.isnan(shown.context.primary.truth)
        assert not shown.context.no_effect
        assert shown.to_dict()["true_effect"] is None
        assert not re.search(r"\bnan\b", str(shown).lower())
    assert "; truth –)" in str(found.results[0])
    assert not re.search(r"\bnan\b", render_oc(found).lower())
