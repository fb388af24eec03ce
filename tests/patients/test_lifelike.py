"""The features together: off by default, each alone on its own random numbers, added up."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from lifelike_trials import alternating, lifelike_with, scores_of

from equipoise.patients.draws import Draws
from equipoise.protocol import gallery_text, parse

BELIEF = {"experimental": 0.8, "does_not_know": 0.1}
ALL = {
    "sites": {"number": 5, "mean_sd": 2.0, "effect_sd": 3.0},
    "responders": {"fraction": 0.5},
    "expectancy": {"points": -3.0, "sign": "dissociation", "felt": BELIEF, "not_felt": {"experimental": 0.3}},
    "rater_drift": {"points_per_year": -1.0, "raters": 2, "rater_sd": 1.0},
    "missed_visits": {"probability": 0.2, "odds_ratio_per_point": 1.02},
    "dropout_odds_ratio_per_unseen_point": 1.05,
}
PAGE = Path(__file__).parents[2] / "docs" / "virtual-patients.md"


def everything(lifelike, trials, patients):
    """All that is drawn, by name."""
    draws = Draws.of(7, "everything", trials)
    arm = alternating(len(draws), patients)
    site, law = lifelike.site(draws, patients), lifelike.law(draws, arm)
    felt = draws.uniform("felt", patients) < 0.4
    belief = lifelike.belief(draws, arm, {"dissociation": felt})
    day = np.floor(1000 * draws.uniform("day", patients, 4))
    shifts = lifelike.shifts(draws, arm, site, belief, day)
    scores = scores_of(lifelike, draws, law)
    missed = lifelike.missed(draws, arm, scores)
    return {"site": site, "law": law, "belief": belief, "shifts": shifts, "missed": missed}


def test_a_plain_scenario_adds_nothing():
    lifelike = lifelike_with()
    arm = alternating(1, 6)
    draws = Draws.of(1, "plain", [0])
    assert lifelike.law(draws, arm) is arm
    assert lifelike.leaving is None
    assert lifelike.guesses == ()
    found = everything(lifelike, [0], 6)
    assert [name for name, value in found.items() if value is not None] == ["law"]


def test_numbers_depend_on_the_trial_and_the_patient_alone():
    lifelike = lifelike_with(**ALL)
    whole = everything(lifelike, range(6), 50)
    alone = everything(lifelike, [4], 20)
    for name, value in whole.items():
        np.testing.assert_array_equal(value[4, :20], alone[name][0])
        assert not np.array_equal(value[4], value[5])


@pytest.mark.parametrize("name", list(ALL))
def test_one_feature_does_not_move_the_random_numbers_of_another(name):
    full = everything(lifelike_with(**ALL), range(3), 40)
    without = everything(lifelike_with(**{key: value for key, value in ALL.items() if key != name}), range(3), 40)
    moved = {
        "sites": {"site", "shifts"},
        "responders": {"law", "missed"},
        "expectancy": {"belief", "shifts"},
        "rater_drift": {"shifts"},
        "missed_visits": {"missed"},
        "dropout_odds_ratio_per_unseen_point": set(),
    }[name]
    for key in full.keys() - moved:
        np.testing.assert_array_equal(full[key], without[key])


def test_shifts_add_up():
    told = {key: ALL[key] for key in ("sites", "expectancy", "rater_drift")}
    together = lifelike_with(**told)
    draws, arm = Draws.of(7, "sum", range(3)), alternating(3, 40)
    site = together.site(draws, 40)
    belief = together.belief(draws, arm, {"dissociation": draws.uniform("felt", 40) < 0.5})
    day = np.floor(1000 * draws.uniform("day", 40, 4))
    exposure = draws.normal("exposure", 40, 4)
    parts = [
        together.sites.shifts(draws, site, arm, 2),
        together.beliefs.shifts(belief),
        together.raters.shifts(draws, site, day),
    ]
    np.testing.assert_allclose(
        together.shifts(draws, arm, site, belief, day, exposure), exposure + sum(parts), atol=1e-12
    )
    off = lifelike_with()
    assert off.shifts(draws, arm, None, None, day, exposure) is exposure


def blocks():
    return re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_shows_every_setting_as_the_protocol_takes_it():
    shown = set()
    for block in blocks():
        head = "[scenarios.as-published]\n"
        assert block.startswith(head)
        lines = block.removeprefix(head)
        shown |= set(tomllib.loads(lines))
        protocol = parse(gallery_text("ptsd-ketamine").replace(head, head + lines, 1).encode())
        for key in tomllib.loads(lines):
            assert getattr(protocol.scenario("as-published"), key) not in (None, 1.0)
    assert set(ALL) <= shown
