"""Who was seen where an endpoint is known, and the visit a look waits for."""

import numpy as np

from equipoise import endpoints, run
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from protocols import MEASURES, TRUTHS, plain_table, with_measures

EARLY = {"name": "early-guess", "kind": "guess", "visit": "week1"}
BLINDING = {"name": "guesses", "type": "blinding", "guesses": ["early-guess"], "visit": "week2"}


def protocol_of(*endpoint):
    scenarios = plain_table()["scenarios"]
    for scenario in scenarios.values():
        for arm, truth in TRUTHS.items():
            scenario["arms"][arm]["measures"] = truth | {"early-guess": truth["own-guess"]}
    return with_measures(list(endpoint), measures=[*MEASURES, EARLY], scenarios=scenarios)


def test_looks_at_guesses_fall_where_the_guesses_are_known():
    protocol = protocol_of(BLINDING | {"role": "primary"})
    assert protocol.primary_visit == "week1"
    result = run(protocol, "later-trials", seed=3)
    look = result.looks[0]
    day = np.sort(result.data.reached[:, protocol.visit_names.index("week1")])[look.due - 1]
    assert look.day == day


def test_who_was_seen_is_who_answered_was_compared_or_was_due():
    protocol = protocol_of(
        BLINDING,
        {"name": "wins", "type": "hierarchical", "components": [{"measure": "relapse"}, {"measure": "cgi"}]},
        {"name": "harms", "type": "adverse-events"},
    )
    law = Truth.of(protocol, "later-trials")
    whole = virtual_trial(protocol, law, Draws.of(3, "later-trials", [0]), 80)
    data = whole.known_at(float(whole.randomised[50] + 8))
    guesses, wins, harms = (protocol.endpoint(name) for name in ("guesses", "wins", "harms"))
    answered = ~np.isnan(data.measure("early-guess").value)
    scored = ~np.isnan(data.at("week2"))
    np.testing.assert_array_equal(endpoints.seen(guesses, protocol, data), answered)
    assert (answered != scored).any()
    np.testing.assert_array_equal(endpoints.seen(wins, protocol, data), endpoints.analysed(wins, protocol, data))
    np.testing.assert_array_equal(endpoints.seen(harms, protocol, data), data.is_due("week2"))
    assert (data.is_due("week2") != scored).any()
