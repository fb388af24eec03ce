"""Every setting of a scenario is told where the protocol is shown."""

from __future__ import annotations

from typing import Any

import pytest

from equipoise import InputError
from equipoise.protocol import Protocol
from equipoise.protocol.scenario_words import SETTING_TITLES, settings_of
from equipoise.protocol.scenarios import Scenario
from equipoise.report.oc_words import assumed
from equipoise.simulation import Comparison, grid
from equipoise.terminal import protocol_tables
from protocols import plain_table

ON: dict[str, Any] = {
    "correlation": [[1, 0.5, 0.5, 0.5], [0.5, 1, 0.5, 0.5], [0.5, 0.5, 1, 0.5], [0.5, 0.5, 0.5, 1]],
    "dropout_odds_ratio_per_unseen_point": 1.08,
    "missed_visits": {"probability": 0.05, "visits": {"week2": 0.2}},
    "responders": {"fraction": 0.6},
    "sites": {"number": 8, "mean_sd": 2.5},
    "expectancy": {
        "points": -2,
        "sign": "dissociation",
        "felt": {"experimental": 0.9},
        "not_felt": {"experimental": 0.2, "does_not_know": 0.3},
    },
    "rater_drift": {"points_per_year": -0.7},
    "exposure": {
        "drug": "s-ketamine-venous",
        "dose_mg_per_kg": {"ketamine": 0.5},
        "maximum_points": 4,
        "ec50": 90,
    },
    "items": {},
}


def _with(settings: dict[str, Any]) -> Protocol:
    table = plain_table()
    table["population"].pop("dropout_odds_ratio_per_point", None)
    scenario = table["scenarios"]["as-published"]
    for arm in scenario["arms"].values():
        arm.setdefault("adverse_events", {})["dissociation"] = 0.3
    scenario |= settings
    return Protocol.model_validate(table)


def test_every_setting_has_a_title():
    assert SETTING_TITLES.keys() == ON.keys() == Scenario.model_fields.keys() - {"description", "arms"}


def test_what_is_off_is_not_told():
    assert settings_of(_with({}), "as-published") == ()
    with pytest.raises(InputError, match="scenario"):
        settings_of(_with({}), "nothing")


@pytest.mark.parametrize("name", list(ON))
def test_each_setting_is_told_by_the_page_and_by_show(name):
    protocol = _with({name: ON[name]})
    (found,) = settings_of(protocol, "as-published")
    assert found.title == SETTING_TITLES[name]
    page = " ".join(assumed(Comparison(grid(protocol, "as-published"), ())))
    assert found.title in page
    assert found.given in page
    shown = next(rows for title, _, rows in protocol_tables(protocol) if title == "Settings of the scenarios")
    assert shown == [["as-published", found.title, found.values]]


def test_what_is_told_of_them():
    protocol = _with({**ON, "sites": {"number": 8, "mean_sd": 2.5}})
    told = {setting.title: setting for setting in settings_of(protocol, "as-published")}
    assert told["differences between sites"].given == "number 8, mean sd 2.5"
    assert told["differences between sites"].values == "number 8, mean sd 2.5, effect sd 0"
    assert told["items of the scale"].given == ""
    assert told["items of the scale"].values == "discrimination 1.12, persistence 0.5"
    unseen = told["dropout by the score that is not seen (missing not at random)"]
    assert unseen.given == "odds ratio 1.08 per point"
    assert told["expectancy"].given.startswith("points -2, sign dissociation, felt (experimental 0.9)")
    assert told["exposure-response"].values.endswith("in means no")


def test_dropout_by_the_last_score_and_shapes_of_loss():
    table = plain_table()
    table["population"]["dropout_odds_ratio_per_point"] = 1.05
    table["scenarios"]["as-published"]["arms"]["ketamine"]["shape_of_loss_of_response"] = 1.5
    found = settings_of(Protocol.model_validate(table), "as-published")
    assert [setting.title for setting in found] == [
        "dropout by the last seen score",
        "Weibull shape of the time to loss of response",
    ]
    assert found[0].given == "odds ratio 1.05 per point"
    assert "ketamine 1.5" in found[1].given


def test_points_that_differ_share_a_title_without_values():
    points = grid(_with({"sites": {"number": 8}}), "as-published", {"sites.mean_sd": [1.0, 2.0]})
    page = assumed(Comparison(points, ()))[-1]
    assert page == "Settings of the scenario that are on: differences between sites."
