"""Faults in what makes patients more lifelike are named with their line, their keys and what would be right."""

import copy
from typing import Any

import pytest
from protocol_edits import KETAMINE, edited, line_of, only_fault
from pydantic import ValidationError

from equipoise.protocol import Protocol, parse
from protocols import plain_table

HEAD = "[scenarios.as-published]\n"
FELT = "felt = { experimental = 0.8 }, not_felt = { experimental = 0.3 }"
SITE = '[[covariates]]\nname = "site"\nkind = "categorical"\nlevels = ["a", "b", "c"]\n\n[[measures]]'
OTHER_SITES = ("sites = { number = 10, mean_sd = 2.0, effect_sd = 3.0 }\n", "")


def with_line(line: str, *changes: tuple[str, str]) -> str:
    return edited((HEAD, f"{HEAD}{line}\n"), *changes)


CASES = {
    "sites = { number = 1 }": ("sites.number", "greater than or equal to 2"),
    "sites = { number = 3.5 }": ("sites.number", "a valid integer"),
    "sites = { number = 3, shares = [0.5, 0.5] }": ("sites.shares", "has 2 shares; expected 3, one per site"),
    "sites = { number = 2, shares = [0.5, 0.6] }": ("sites.shares", "sums to 1.1; expected shares that sum to 1"),
    "sites = { number = 2, mean_sd = -1 }": ("sites.mean_sd", "greater than or equal to 0"),
    "sites = { number = 2, effects_sd = 1 }": ("sites.effects_sd", "unknown key; did you mean 'effect_sd'?"),
    "sites = { number = 2, mean_sd = 80.5 }": ("sites.mean_sd", "expected 80 at most, the width of the scale"),
    "sites = { number = 2, effect_sd = 1e6 }": ("sites.effect_sd", "expected 80 at most, the width of the scale"),
    f'expectancy = {{ points = -81, sign = "dissociation", {FELT} }}': (
        "expectancy.points",
        "expected -80 to 80, the width of the scale",
    ),
    f'expectancy = {{ points_if_control = 81, sign = "dissociation", {FELT} }}': (
        "expectancy.points_if_control",
        "expected 80 at most, the width of the scale",
    ),
    "rater_drift = { points_per_year = 1e6 }": (
        "rater_drift.points_per_year",
        "expected 80 at most, the width of the scale",
    ),
    "rater_drift = { raters = 2, rater_sd = 1e9 }": (
        "rater_drift.rater_sd",
        "expected 80 at most, the width of the scale",
    ),
    "responders = { fraction = 0 }": ("responders.fraction", "greater than 0"),
    "responders = { fraction = 0.3 }": (
        "responders.fraction",
        "needs responders of 'ketamine' with a mean of -4 at 'week2', which a scale from 0 to 80 cannot hold; expected "
        "at least 0.338",
    ),
    'responders = { fraction = 0.5, arms = ["midazolam"] }': (
        "responders.arms[1]",
        "unknown experimental arm; known are ketamine",
    ),
    'responders = { fraction = 0.5, arms = ["ketamine", "ketamine"] }': ("responders.arms[2]", "stands twice"),
    "expectancy = { points = -2 }": ("expectancy", "expected 'sign' with 'felt' and 'not_felt', or 'guesses'"),
    'expectancy = { sign = "dissociation", felt = { experimental = 0.8 } }': (
        "expectancy.not_felt",
        "is missing; expected what patients believe who had 'dissociation', or not",
    ),
    f'expectancy = {{ sign = "disociation", {FELT} }}': (
        "expectancy.sign",
        "unknown adverse event of the scenario; did you mean 'dissociation'?",
    ),
    'expectancy = { guesses = ["guess-patient"], felt = { experimental = 0.8 } }': (
        "expectancy.felt",
        "has no meaning without 'sign'",
    ),
    'expectancy = { guesses = ["guess-patent"] }': (
        "expectancy.guesses[1]",
        "unknown guess measure; did you mean 'guess-patient'?",
    ),
    'expectancy = { sign = "nausea", not_felt = {experimental = 0}, felt = {experimental = 1, does_not_know = 0.3} }': (
        "expectancy.felt.does_not_know",
        "expected at most 0, what is left",
    ),
    'expectancy = { guesses = ["guess-patient"], from_visit = "baseline" }': (
        "expectancy.from_visit",
        "unknown visit after baseline",
    ),
    "rater_drift = { raters = 3 }": ("rater_drift", "'rater_sd' is missing; expected both raters and rater_sd"),
    "rater_drift = { rater_sd = 1.0 }": ("rater_drift", "'raters' is missing"),
    "missed_visits = { probability = 1.0 }": ("missed_visits.probability", "less than 1"),
    "missed_visits = { arms = { placebo = 0.1 } }": ("missed_visits.arms.placebo", "unknown arm; known are midazolam"),
    "missed_visits = { visits = { baseline = 0.1 } }": (
        "missed_visits.visits.baseline",
        "unknown visit after baseline; known are day1, week1, week2",
    ),
    "missed_visits = { arms = { ketamine = 0.1 }, visits = { day1 = 0.1 } }": (
        "missed_visits",
        "expected 'arms' or 'visits' beside the probability, not both",
    ),
    "dropout_odds_ratio_per_unseen_point = 0": ("dropout_odds_ratio_per_unseen_point", "greater than 0"),
}


@pytest.mark.parametrize("line", list(CASES))
def test_each_fault_is_named(line):
    place, message = CASES[line]
    text = with_line(line)
    found = only_fault(text)
    assert found.place == f"scenarios.as-published.{place}"
    assert message in found.message
    assert found.line == line_of(text, line)


def test_a_site_covariate_has_as_many_levels_as_there_are_sites():
    found = only_fault(with_line("sites = { number = 2 }", ("[[measures]]", SITE), OTHER_SITES))
    assert found.place == "scenarios.as-published.sites.number"
    assert "expected 3, the levels of the covariate 'site'" in found.message
    assert parse(with_line("sites = { number = 3 }", ("[[measures]]", SITE), OTHER_SITES).encode())
    numeric = '[[covariates]]\nname = "site"\nkind = "continuous"\n\n[[measures]]'
    found = only_fault(with_line("sites = { number = 2 }", ("[[measures]]", numeric), OTHER_SITES))
    assert "the covariate 'site' is continuous; expected a categorical one" in found.message


def test_a_guess_that_is_the_belief_needs_its_law_in_each_arm():
    table = copy.deepcopy(plain_table())
    table["measures"] = [{"name": "guess", "kind": "guess", "visit": "week2"}]
    table["scenarios"]["as-published"]["expectancy"] = {"guesses": ["guess"]}
    with pytest.raises(ValidationError, match="expected its law in each arm's 'measures', or a 'sign'"):
        Protocol.model_validate(table)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("responders", {"fraction": 0.5}),
        ("rater_drift", {"points_per_year": 1.0}),
        ("missed_visits", {"probability": 0.1}),
        ("sites", {"number": 2, "mean_sd": 1.0}),
        ("dropout_odds_ratio_per_unseen_point", 1.1),
    ],
)
def test_what_moves_scores_needs_a_scale(key: str, value: Any):
    table = plain_table("indomethacin-pancreatitis")
    name = next(iter(table["scenarios"]))
    table["scenarios"][name][key] = value
    with pytest.raises(ValidationError, match="has no meaning without"):
        Protocol.model_validate(table)


def test_sites_without_spread_need_no_scale():
    table = plain_table("indomethacin-pancreatitis")
    name = next(iter(table["scenarios"]))
    sites = [item for item in table.get("covariates", []) if item["name"] == "site"]
    table["scenarios"][name]["sites"] = {"number": len(sites[0]["levels"]) if sites else 2}
    assert Protocol.model_validate(table)


def test_settings_of_the_wrong_shape_are_faults_and_no_traceback():
    for line in (
        "sites = 3",
        "responders = []",
        'expectancy = "yes"',
        "missed_visits = { arms = 3 }",
        "rater_drift = 1",
    ):
        assert only_fault(with_line(line)).place.startswith("scenarios.as-published.")


def test_the_gallery_is_as_it_was():
    scenario = parse(KETAMINE.encode()).scenario("as-published")
    assert scenario.sites is scenario.responders is scenario.expectancy is scenario.missed_visits is None
