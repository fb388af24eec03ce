"""Every boundary that a protocol may name, from the file to the verdict."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

import equipoise as eq
from equipoise.protocol.parts import Boundary, Futility
from equipoise.report import render
from equipoise.sequential import RULES, SCALES
from protocols import edited

EFFICACY = [
    {"family": "obrien-fleming"},
    {"family": "pocock"},
    {"family": "power", "rho": 2.0},
    {"family": "hwang-shih-decani", "gamma": -2.0},
    {"family": "user", "cumulative": [0.3, 1.0]},
    {"family": "none"},
    {"family": "classical-obrien-fleming"},
    {"family": "classical-pocock"},
    {"family": "wang-tsiatis", "delta": 0.25},
    {"family": "haybittle-peto", "bound": 3.0},
    {"family": "fixed", "values": [2.8]},
    {"family": "fixed", "values": [0.003], "scale": "p-value"},
]
FUTILITY = [
    {"family": "pocock"},
    {"family": "hwang-shih-decani", "gamma": -2.0, "binding": True},
    {"family": "fixed", "values": [0.3]},
    {"family": "fixed", "values": [0.1], "scale": "conditional power"},
    {"family": "fixed", "values": [0.1], "scale": "conditional power at trend"},
    {"family": "fixed", "values": [0.1], "scale": "predictive power", "binding": True},
    {"family": "fixed", "values": [0.2], "scale": "effect"},
    {"family": "fixed", "values": [0.4], "scale": "p-value"},
]


def test_the_protocol_names_the_rules_there_are():
    assert set(get_args(Boundary.model_fields["family"].annotation)) == set(RULES)
    scales = get_args(get_args(Futility.model_fields["scale"].annotation)[0])
    assert set(scales) == set(SCALES)


@pytest.mark.parametrize("efficacy", EFFICACY, ids=lambda rule: " ".join(map(str, rule.values())))
def test_efficacy(efficacy):
    protocol = edited(stopping__efficacy=efficacy)
    planned = eq.plan(protocol)
    assert planned.design.alpha_spent[-1] == pytest.approx(0.05, abs=1e-9)
    result = eq.run(protocol, seed=2)
    if result.conclusion.decision.stops:
        assert 0 < result.conclusion.p_value < 1
    page = render(result)
    assert planned.design.efficacy.name.split(",")[0].replace("'", "&#39;") in page


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("futility", FUTILITY, ids=lambda rule: " ".join(map(str, rule.values())))
def test_futility(futility, sided):
    protocol = edited(stopping__futility=futility, stopping__beta=0.1, stopping__sided=sided, stopping__alpha=0.05)
    planned = eq.plan(protocol)
    bounds = planned.design.futility_bounds
    assert np.isfinite(bounds[-1])
    found = eq.simulate(protocol, "no-effect", trials=8, workers=1)
    assert found.trials == 8
    assert "utility" in str(planned)
    result = eq.run(protocol, scenario="no-effect", seed=3)
    assert "utility" in render(result)
