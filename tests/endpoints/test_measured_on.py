"""The scale of every endpoint's effect and the side that is good, before anything is estimated."""

import math

import pytest

from equipoise import endpoints, plan
from equipoise.estimate import Scale
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.terminal import plan_tables
from protocols import with_measures

WINS = {"type": "hierarchical", "components": [{"measure": "relapse"}, {"measure": "cgi"}]}
SCALES = {
    Scale.MEAN_DIFFERENCE: [
        {"type": "longitudinal", "visit": "week2"},
        {"type": "longitudinal", "visit": "week2", "summary": "slope"},
        {"type": "mean", "visit": "week2"},
        {"type": "mean", "visit": "week2", "method": "welch"},
        {"type": "clusters", "visit": "week2"},
    ],
    Scale.WIN_PROBABILITY: [
        {"type": "mean", "visit": "week2", "method": "wilcoxon"},
        {"type": "ordinal", "visit": "week2", "method": "win-probability"},
    ],
    Scale.LOG_ODDS_RATIO: [
        {"type": "ordinal", "measure": "cgi"},
        {"type": "response", "visit": "week2", "improvement": 0.3, "effect": "odds-ratio"},
    ],
    Scale.LOG_RISK_RATIO: [{"type": "response", "visit": "week2", "improvement": 0.3, "effect": "risk-ratio"}],
    Scale.RISK_DIFFERENCE: [
        {"type": "response", "visit": "week2", "improvement": 0.3},
        {"type": "response", "visit": "week2", "improvement": 0.3, "covariates": ["baseline"]},
        {"type": "adverse-events"},
        {"type": "blinding", "guesses": ["own-guess"]},
    ],
    Scale.LOG_HAZARD_RATIO: [
        {"type": "time-to-event", "measure": "relapse"},
        {"type": "time-to-event", "measure": "relapse", "test": "log-rank"},
    ],
    Scale.TIME_DIFFERENCE: [
        {"type": "time-to-event", "measure": "relapse", "test": "restricted-mean", "horizon": 10.0},
    ],
    Scale.LOG_RATE_RATIO: [
        {"type": "count", "measure": "panic"},
        {"type": "count", "measure": "panic", "model": "poisson", "variance": "robust"},
    ],
    Scale.LOG_WIN_ODDS: [WINS],
    Scale.LOG_WIN_RATIO: [WINS | {"statistic": "win-ratio"}],
    Scale.NET_BENEFIT: [WINS | {"statistic": "net-benefit"}],
}
CASES = [(options, scale) for scale, found in SCALES.items() for options in found]


def protocol_of(**options):
    looks = {"stopping__patients": None, "stopping__fractions": [0.75, 1.0]}
    return with_measures([{"name": "it", "role": "primary", **options}], **looks)


@pytest.mark.parametrize(("options", "scale"), CASES)
def test_estimates_and_plans_are_on_the_scale_that_is_told(options, scale):
    protocol = protocol_of(**options)
    law = Truth.of(protocol, "later-trials")
    data = virtual_trial(protocol, law, Draws.of(2, "later-trials", [0]), 80)
    found = endpoints.primary_estimate(protocol.primary, protocol, data)
    assert endpoints.measured_on(protocol.primary, protocol) == (found.scale, found.better)
    assert found.scale is scale
    assert found.null_value == scale.null_value
    planned = endpoints.plan(protocol.primary, protocol, law)
    assert (planned.better, planned.null_value) == (found.better, found.null_value)
    response = options["type"] == "response"
    assert endpoints.has_number_needed_to_treat(protocol.primary, protocol) == (response and scale == "risk difference")


def test_a_design_shows_ratios_beside_their_logarithms():
    planned = plan(protocol_of(type="time-to-event", measure="relapse"))
    ratio = f"{math.exp(planned.effect):.4g}"
    assert planned.scale is Scale.LOG_HAZARD_RATIO
    effect, error = f"{planned.effect:.4g}", f"{planned.standard_error:.4g}"
    assert f"(log hazard ratio {effect}, standard error {error}; hazard ratio {ratio})" in str(planned)
    _, (_, header, (nothing, assumed)) = plan_tables(planned)
    assert header[:3] == ["truth", "log hazard ratio", "hazard ratio"]
    assert nothing[1:3] == ["0", "1"]
    assert assumed[1:3] == [effect, ratio]


def test_a_design_shows_differences_as_they_are():
    planned = plan(protocol_of(type="mean", visit="week2"))
    assert f"(effect {planned.effect:.4g}, standard error" in str(planned)
    _, (_, header, _) = plan_tables(planned)
    assert header == ["truth", "effect", "power", "patients"]
