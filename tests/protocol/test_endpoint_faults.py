"""Faults in measures, endpoints, families of hypotheses and looks by events, each named with its place."""

import copy
import tomllib

import pytest
from pydantic import ValidationError

from equipoise.protocol import Protocol, gallery, gallery_text
from protocols import MEASURES, plain_table, with_measures

CLUSTERS = {"name": "clusters", "type": "clusters", "visit": "week2"}


def faults(endpoints=(), measures=MEASURES, **sections):
    table = copy.deepcopy(plain_table()) | sections
    table["measures"] = list(measures)
    table["endpoints"] = [*table["endpoints"], *endpoints]
    with pytest.raises(ValidationError) as caught:
        Protocol.model_validate(table)
    return {".".join(map(str, line["loc"])): line["msg"] for line in caught.value.errors()}


@pytest.mark.parametrize(
    ("endpoint", "place", "message"),
    [
        ({"type": "mean", "method": "t"}, "endpoints.3", "either 'visit' or 'measure'"),
        ({"type": "mean", "visit": "week2", "measure": "pressure"}, "endpoints.3", "either 'visit' or 'measure'"),
        ({"type": "mean", "measure": "presure"}, "endpoints.3.measure", "did you mean 'pressure'?"),
        ({"type": "mean", "measure": "cgi"}, "endpoints.3.measure", "is a measure of kind 'ordinal'; expected one of"),
        ({"type": "response"}, "endpoints.3", "expected one of 'improvement', 'points' and 'measure'"),
        ({"type": "response", "points": 5.0}, "endpoints.3.visit", "is missing"),
        ({"type": "response", "measure": "remission", "visit": "week2"}, "endpoints.3.visit", "has no meaning"),
        (
            {"type": "response", "measure": "remission", "strata": ["sex"], "covariates": ["age"]},
            "endpoints.3.strata",
            "either 'strata' or 'covariates'",
        ),
        ({"type": "time-to-event", "measure": "panic"}, "endpoints.3.measure", "expected one of kind time"),
        (
            {"type": "time-to-event", "measure": "relapse", "test": "restricted-mean"},
            "endpoints.3.horizon",
            "is missing",
        ),
        (
            {"type": "time-to-event", "measure": "relapse", "test": "log-rank", "covariates": ["baseline"]},
            "endpoints.3.covariates",
            "expected test = 'cox'",
        ),
        ({"type": "count", "measure": "relapse"}, "endpoints.3.measure", "expected one of kind count"),
        (
            {"type": "hierarchical", "components": [{"measure": "relapse", "visit": "week2"}]},
            "endpoints.3.components.0",
            "either 'measure' or 'visit'",
        ),
        (
            {"type": "hierarchical", "components": [{"measure": "own-guess"}]},
            "endpoints.3.components.0.measure",
            "is a measure of kind 'guess'",
        ),
        ({**CLUSTERS, "clusters": ["B", "F"]}, "endpoints.3.clusters.1", "unknown cluster of CAPS-5"),
        ({"type": "blinding", "guesses": ["remission"]}, "endpoints.3.guesses.0", "expected one of kind guess"),
        ({"type": "longitudinal", "visit": "week2", "over": ["week1"]}, "endpoints.3.over", "at one visit"),
        (
            {"type": "longitudinal", "visit": "week2", "summary": "slope", "over": ["week2"]},
            "endpoints.3.over",
            "at least two visits",
        ),
        (
            {"type": "longitudinal", "visit": "week2", "summary": "average", "over": ["baseline"]},
            "endpoints.3.over.0",
            "unknown modelled visit",
        ),
        ({"type": "ordinal", "measure": "cgi", "covariates": ["weight"]}, "endpoints.3.covariates.0", "unknown"),
        (
            {"type": "ordinal", "measure": "cgi", "method": "win-probability", "covariates": ["baseline"]},
            "endpoints.3.covariates",
            "expected method = 'proportional-odds'",
        ),
        (
            {"type": "count", "measure": "panic", "variance": "robust"},
            "endpoints.3.variance",
            "is of Poisson regression",
        ),
    ],
)
def test_faults_of_endpoints(endpoint, place, message):
    found = faults([{"name": "extra", **endpoint}])
    assert place in found, found
    assert message in found[place]


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"levels": ["a"]}, "measures.1.levels", "at least two levels"),
        ({"levels": ["a", "a"]}, "measures.1.levels", "stands twice"),
        ({"kind": "binary"}, "measures.1.levels", "has no meaning for a measure of kind 'binary'"),
        ({"visit": "week9"}, "measures.1.visit", "unknown visit"),
        ({"visit": "baseline"}, "measures.1.visit", "is the baseline"),
        ({"name": "week2"}, "measures.1.name", "is taken by a column"),
        ({"name": "remission"}, "measures.1.name", "stands twice"),
    ],
)
def test_faults_of_measures(change, place, message):
    measures = copy.deepcopy(MEASURES)
    measures[1] |= change
    found = faults(measures=measures)
    assert place in found, found
    assert message in found[place]


@pytest.mark.parametrize(
    ("measure", "law", "message"),
    [
        ("remission", {}, "is missing; a measure of kind 'binary' needs it"),
        ("remission", {"probability": 0.5, "rate": 1.0}, "has no meaning for a measure of kind 'binary'"),
        ("cgi", {"shares": [0.5, 0.5]}, "expected 4 shares"),
        ("cgi", {"shares": [0.5, 0.5, 0.5, 0.5]}, "sums to 2"),
        ("own-guess", {"guesses_experimental": 0.8, "does_not_know": 0.4}, "expected at most 0.2"),
        ("gcs", {"probability": 0.5}, "unknown measure"),
    ],
)
def test_faults_of_truths(measure, law, message):
    scenarios = plain_table()["scenarios"]
    scenarios["no-effect"]["arms"]["ketamine"]["measures"] = {measure: law}
    found = faults(scenarios=scenarios)
    assert any(message in text for text in found.values()), found


@pytest.mark.parametrize(
    ("testing", "place", "message"),
    [
        ({"procedure": "holm", "hypotheses": ["respons"]}, "testing.hypotheses.0", "did you mean 'response'?"),
        ({"procedure": "holm", "hypotheses": ["clusters: F"]}, "testing.hypotheses.0", "unknown hypothesis"),
        ({"procedure": "holm", "hypotheses": ["response", "response"]}, "testing.hypotheses", "stands twice"),
        ({"procedure": "graphical", "hypotheses": ["response"]}, "testing.weights", "a graph needs 'weights'"),
        (
            {"procedure": "holm", "hypotheses": ["response"], "weights": [1.0]},
            "testing.weights",
            "only with procedure = 'graphical'",
        ),
        (
            {
                "procedure": "graphical",
                "hypotheses": ["response", "clusters"],
                "weights": [0.7, 0.7],
                "transitions": [[0.0, 1.0], [1.0, 0.0]],
            },
            "testing.weights",
            "sum to at most 1",
        ),
        (
            {
                "procedure": "graphical",
                "hypotheses": ["response", "clusters"],
                "weights": [0.5, 0.5],
                "transitions": [[0.5, 0.5], [1.0, 0.0]],
            },
            "testing.transitions.0",
            "0 to itself",
        ),
    ],
)
def test_faults_of_families(testing, place, message):
    found = faults([CLUSTERS], testing=testing)
    assert place in found, found
    assert message in found[place]


def test_looks_are_counted_in_what_the_primary_gives():
    relapse = {"name": "relapse", "type": "time-to-event", "role": "primary", "measure": "relapse"}
    with pytest.raises(ValidationError, match="expected 'events' or 'fractions'"):
        with_measures([relapse])
    stopping = {"alpha": 0.05, "events": [10, 20]}
    assert with_measures([relapse], stopping=stopping).stopping.events == (10, 20)
    with pytest.raises(ValidationError, match="expected 'patients' or 'fractions'"):
        with_measures(stopping=stopping)


def test_a_protocol_without_a_scale():
    table = tomllib.loads(gallery_text("indomethacin-pancreatitis"))
    protocol = Protocol.model_validate(table)
    assert protocol.outcome is None
    assert protocol.scale_name == ""
    assert protocol.primary_visit == "day30"
    table["endpoints"].append({"name": "score", "type": "mean", "visit": "day30"})
    table["analysis"] = {}
    table["scenarios"]["no-effect"]["arms"]["placebo"]["mean"] = [1.0, 2.0]
    with pytest.raises(ValidationError) as caught:
        Protocol.model_validate(table)
    told = {".".join(map(str, line["loc"])): line["msg"] for line in caught.value.errors()}
    assert "needs [outcome], a rating scale" in told["endpoints.4.type"]
    assert "unknown covariate" in told["analysis.covariates.0"]
    assert "has no meaning without [outcome]" in told["scenarios.no-effect.arms.placebo.mean"]


def test_visits_of_endpoints():
    protocol = with_measures(
        [
            {"name": "bp", "type": "mean", "measure": "pressure"},
            {"name": "guesses", "type": "blinding", "guesses": ["own-guess"]},
            {"name": "curve", "type": "blinding", "guesses": ["own-guess"], "visit": "week1"},
            {"name": "early", "type": "blinding", "guesses": ["early-guess"], "visit": "week2"},
            {"name": "wins", "type": "hierarchical", "components": [{"visit": "week1"}, {"measure": "pressure"}]},
            {"name": "harms", "type": "adverse-events"},
        ],
        measures=[*MEASURES, {"name": "early-guess", "kind": "guess", "visit": "week1"}],
    )
    visits = {item.name: protocol.visit_of(item) for item in protocol.endpoints}
    assert visits["bp"] == visits["wins"] == visits["early"] == "week1"
    assert visits["guesses"] == visits["curve"] == visits["harms"] == visits["loss-of-response"] == "week2"
    assert gallery("xanomeline-alzheimer").visit_of(gallery("xanomeline-alzheimer").endpoints[1]) == "week24"
