"""Faults in endpoints, in the measures they are of, and in how several hypotheses are tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .measures import ALLOWED, NEEDED
from .raw import Finding, Place, Raw, is_number, keys_are, numbers, references, text, unknown
from .testing import hypothesis_name
from .truth_checks import RESERVED

__all__ = ["ENDPOINT_CHECKS"]

_KINDS = {"mean": "continuous", "response": "binary", "ordinal": "ordinal", "time-to-event": "time", "count": "count"}
_NEED_SCALE = ("longitudinal", "clusters")
_NEED_VISIT_OR_MEASURE = ("mean", "ordinal")
_TOLERANCE = 1e-9


def _measures(raw: Raw) -> Iterator[Finding]:
    for at, entry in raw.entries("measures"):
        place = ("measures", at)
        if entry["name"] in RESERVED or entry["name"] in (*raw.visits, *raw.covariates):
            yield Finding((*place, "name"), entry["name"], "is taken by a column of the data; expected another name")
        yield from _visit((*place, "visit"), entry.get("visit"), raw)
        levels = entry.get("levels")
        levels = levels if isinstance(levels, (list, tuple)) else ()
        if entry.get("kind") == "ordinal" and len(levels) < 2:
            yield Finding((*place, "levels"), levels, "expected at least two levels of an ordinal measure")
        elif entry.get("kind") != "ordinal" and levels:
            yield Finding((*place, "levels"), levels, f"has no meaning for a measure of kind '{entry.get('kind')}'")
        elif len(set(map(str, levels))) < len(levels):
            yield Finding((*place, "levels"), levels, "a level stands twice; expected each once")


def _visit(place: Place, visit: Any, raw: Raw) -> Iterator[Finding]:
    if not isinstance(visit, str) or not visit:
        return
    if visit not in raw.visits:
        yield Finding(place, visit, unknown("visit", raw.visits, visit))
    elif visit == raw.visits[0]:
        yield Finding(place, visit, "is the baseline; expected a visit after it")


def _measure(place: Place, name: Any, kinds: tuple[str, ...], raw: Raw) -> Iterator[Finding]:
    if not isinstance(name, str) or not name:
        return
    if name not in raw.measures:
        fitting = [known for known, entry in raw.measures.items() if entry.get("kind") in kinds]
        yield Finding(place, name, unknown("measure", fitting, name))
    elif raw.measures[name].get("kind") not in kinds:
        found = raw.measures[name].get("kind")
        yield Finding(place, name, f"is a measure of kind '{found}'; expected one of kind {' or '.join(kinds)}")


def _endpoints(raw: Raw) -> Iterator[Finding]:
    primaries = [at for at, entry in raw.entries("endpoints") if entry.get("role") == "primary"]
    total = raw.table.get("endpoints")
    if isinstance(total, list) and len(raw.entries("endpoints")) == len(total) and len(primaries) != 1:
        yield Finding(("endpoints",), len(primaries), "expected exactly one endpoint with role 'primary'")
    for at, entry in raw.entries("endpoints"):
        place: Place = ("endpoints", at)
        kind = text(entry.get("type"))
        yield from _visit((*place, "visit"), entry.get("visit"), raw)
        if kind in _KINDS:
            yield from _measure((*place, "measure"), entry.get("measure"), (_KINDS[kind],), raw)
        yield from _of_what(place, kind, entry, raw)
        known = ["baseline", *raw.covariates] if raw.has_scale else list(raw.covariates)
        yield from references((*place, "covariates"), entry.get("covariates"), "covariate", known)
        categorical = [name for name, item in raw.covariates.items() if item.get("kind") == "categorical"]
        yield from references((*place, "strata"), entry.get("strata"), "categorical covariate", categorical)
        check = _OWN.get(kind)
        if check is not None:
            yield from check(place, entry, raw)


def _of_what(place: Place, kind: str, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    """Each endpoint is of the scale at a visit, or of a measure, and the scale must be there."""
    measure, visit = text(entry.get("measure")), text(entry.get("visit"))
    if kind in _NEED_VISIT_OR_MEASURE and bool(measure) == bool(visit):
        yield Finding(place, entry["name"], "expected either 'visit' or 'measure', and not both")
    of_scale = kind in _NEED_SCALE or (kind in (*_NEED_VISIT_OR_MEASURE, "response") and not measure)
    if of_scale and not raw.has_scale:
        yield Finding((*place, "type"), kind, "needs [outcome], a rating scale; expected one, or a measure")


def _longitudinal(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    modelled = raw.section("analysis").get("visits")
    modelled = modelled if isinstance(modelled, (list, tuple)) and modelled else raw.visits[1:]
    visit, over = entry.get("visit"), entry.get("over")
    if visit in raw.visits[1:] and visit not in modelled:
        yield Finding((*place, "visit"), visit, "is not among analysis.visits; expected one of them")
    yield from references(
        (*place, "over"), over, "modelled visit", [name for name in modelled if isinstance(name, str)]
    )
    if over and entry.get("summary", "visit") == "visit":
        yield Finding((*place, "over"), over, "has no meaning for the difference at one visit")
    if entry.get("summary") == "slope" and isinstance(over, (list, tuple)) and len(over) == 1:
        yield Finding((*place, "over"), over, "expected at least two visits, for a slope")
    for key in ("per_days", "divided"):
        of = "slope" if key == "per_days" else "area"
        if entry.get(key) not in (None, 7, True) and entry.get("summary") != of:
            yield Finding((*place, key), entry[key], f"has a meaning only with summary = '{of}'")
    last = raw.visits.index(visit) if visit in raw.visits else len(raw.visits)
    for name in over if isinstance(over, (list, tuple)) else ():
        if name in raw.visits and raw.visits.index(name) > last:
            yield Finding((*place, "over"), name, f"comes after '{visit}', the last visit of the summary")


def _mean(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    if entry.get("covariates") and entry.get("method", "ancova") != "ancova":
        yield Finding((*place, "covariates"), entry["covariates"], "expected method = 'ancova' with covariates")


def _response(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    rules = [entry.get("improvement") is not None, entry.get("points") is not None, bool(entry.get("measure"))]
    if sum(rules) != 1:
        yield Finding(place, entry["name"], "expected one of 'improvement', 'points' and 'measure', and no other")
    elif rules[2] and entry.get("visit"):
        yield Finding((*place, "visit"), entry["visit"], "has no meaning with a measure, which has its own")
    elif not rules[2] and not entry.get("visit"):
        yield Finding((*place, "visit"), None, "is missing")
    if is_number(entry.get("points")) and raw.scale and entry["points"] >= raw.scale.maximum - raw.scale.minimum:
        width = raw.scale.maximum - raw.scale.minimum
        yield Finding((*place, "points"), entry["points"], f"expected fewer points than the scale has, {width:g}")
    if entry.get("strata") and entry.get("covariates"):
        yield Finding((*place, "strata"), entry["strata"], "expected either 'strata' or 'covariates', and not both")
    yield from _exact(place, entry, raw)
    if entry.get("missing") == "multiple-imputation" and (entry.get("strata") or entry.get("covariates")):
        yield Finding((*place, "missing"), "multiple-imputation", "is of unadjusted risks; expected no adjustment")


def _exact(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    exact = entry.get("exact", "none")
    if exact != "none" and entry.get("missing") == "multiple-imputation":
        yield Finding((*place, "exact"), exact, "is of responses seen or counted; expected 'none' with imputation")
    if exact == "barnard" and entry.get("strata"):
        yield Finding((*place, "exact"), exact, "expected 'fisher' or 'none' with strata")


def _loss_of_response(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    responses = [
        item["name"]
        for _, item in raw.entries("endpoints")
        if item.get("type") == "response" and not item.get("measure")
    ]
    if isinstance(entry.get("response"), str) and entry["response"] not in responses:
        yield Finding(
            (*place, "response"), entry["response"], unknown("response endpoint", responses, entry["response"])
        )
    if not raw.section("follow_up"):
        yield Finding((*place, "type"), "loss-of-response", "needs [follow_up]; losses are seen only under follow-up")


def _time_to_event(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    if entry.get("test") == "restricted-mean" and entry.get("horizon") is None:
        yield Finding((*place, "horizon"), None, "is missing; expected the days to which the mean is restricted")
    if entry.get("covariates") and entry.get("test", "cox") != "cox":
        yield Finding((*place, "covariates"), entry["covariates"], "expected test = 'cox' with covariates")
    if entry.get("strata") and entry.get("test") == "restricted-mean":
        yield Finding((*place, "strata"), entry["strata"], "expected test = 'cox' or 'log-rank' with strata")


def _count(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    if entry.get("variance") == "robust" and entry.get("model") != "poisson":
        yield Finding((*place, "variance"), "robust", "is of Poisson regression; expected model = 'poisson' with it")


def _ordinal(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    if entry.get("method") == "win-probability" and entry.get("covariates"):
        yield Finding(
            (*place, "covariates"), entry["covariates"], "expected method = 'proportional-odds' with covariates"
        )


def _hierarchical(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    components = entry.get("components")
    for at, item in enumerate(components if isinstance(components, (list, tuple)) else ()):
        if not isinstance(item, dict):
            continue
        here = (*place, "components", at)
        kinds = ("time", "binary", "ordinal", "continuous", "count")
        yield from _measure((*here, "measure"), item.get("measure"), kinds, raw)
        yield from _visit((*here, "visit"), item.get("visit"), raw)
        if bool(item.get("measure")) == bool(item.get("visit")):
            yield Finding(here, item.get("measure", ""), "expected either 'measure' or 'visit', and not both")
        elif item.get("visit") and not raw.has_scale:
            yield Finding((*here, "visit"), item["visit"], "needs [outcome], a rating scale; expected a measure")


def _clusters(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    if raw.scale is None:
        return
    known = list(raw.scale.subscales)
    if not known:
        yield Finding((*place, "type"), "clusters", f"needs a scale with clusters; {raw.scale.name} has none")
    else:
        yield from references((*place, "clusters"), entry.get("clusters"), f"cluster of {raw.scale.name}", known)


def _blinding(place: Place, entry: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    guesses = entry.get("guesses")
    for at, name in enumerate(guesses if isinstance(guesses, (list, tuple)) else ()):
        yield from _measure((*place, "guesses", at), name, ("guess",), raw)
    if entry.get("visit") and not raw.has_scale:
        yield Finding((*place, "visit"), entry["visit"], "needs [outcome], a rating scale, for the curve")


_OWN = {
    "longitudinal": _longitudinal,
    "mean": _mean,
    "response": _response,
    "loss-of-response": _loss_of_response,
    "ordinal": _ordinal,
    "time-to-event": _time_to_event,
    "count": _count,
    "hierarchical": _hierarchical,
    "clusters": _clusters,
    "blinding": _blinding,
}


def _testing(raw: Raw) -> Iterator[Finding]:
    section = raw.section("testing")
    if not section:
        return
    known = []
    for _, entry in raw.entries("endpoints"):
        if entry.get("type") == "clusters" and raw.scale:
            chosen = entry.get("clusters") or list(raw.scale.subscales)
            known += [hypothesis_name(entry["name"], cluster) for cluster in chosen]
        if entry.get("type") != "blinding":
            known.append(entry["name"])
    names = section.get("hypotheses")
    yield from references(("testing", "hypotheses"), names, "hypothesis", known)
    names = [name for name in names if isinstance(name, str)] if isinstance(names, (list, tuple)) else []
    if len(set(names)) < len(names):
        yield Finding(("testing", "hypotheses"), names, "a hypothesis stands twice; expected each once")
    graphical = section.get("procedure") == "graphical"
    for key in ("weights", "transitions"):
        if graphical != bool(section.get(key)):
            right = f"a graph needs '{key}'" if graphical else "has a meaning only with procedure = 'graphical'"
            yield Finding(("testing", key), section.get(key), right)
    weights = numbers(section.get("weights"))
    if weights and (len(weights) != len(names) or sum(weights) > 1 + _TOLERANCE):
        yield Finding(
            ("testing", "weights"), weights, f"expected {len(names)} weights, one a hypothesis, that sum to at most 1"
        )
    rows = section.get("transitions")
    rows = rows if isinstance(rows, (list, tuple)) else ()
    for at, row in enumerate(rows):
        shares = numbers(row)
        if shares is None:
            continue
        if len(rows) != len(names) or len(shares) != len(names):
            yield Finding(("testing", "transitions"), rows, f"expected {len(names)} rows of {len(names)} shares")
            return
        if sum(shares) > 1 + _TOLERANCE or shares[at] != 0:
            yield Finding(
                ("testing", "transitions", at), shares, "expected shares that sum to at most 1, and 0 to itself"
            )


def _truths(raw: Raw) -> Iterator[Finding]:
    """What scenarios say of measures."""
    for name in raw.section("scenarios"):
        arms = raw.section("scenarios", name).get("arms")
        for arm, truth in (arms if isinstance(arms, dict) else {}).items():
            told = truth.get("measures") if isinstance(truth, dict) else None
            for measure, law in (told if isinstance(told, dict) else {}).items():
                place = ("scenarios", name, "arms", arm, "measures", measure)
                if measure not in raw.measures:
                    yield Finding(place, measure, unknown("measure", list(raw.measures), measure))
                elif isinstance(law, dict):
                    yield from _truth(place, law, raw.measures[measure])


def _truth(place: Place, law: dict[str, Any], measure: dict[str, Any]) -> Iterator[Finding]:
    kind = text(measure.get("kind"))
    needed, also = NEEDED.get(kind, ()), ALLOWED.get(kind, ())
    for key in needed:
        if law.get(key) in (None, (), []):
            yield Finding((*place, key), None, f"is missing; a measure of kind '{kind}' needs it")
    for key, value in law.items():
        said = value not in (None, (), []) and value != _UNSAID.get(key)
        if said and key in _ALL_TOLD and key not in (*needed, *also):
            yield Finding((*place, key), value, f"has no meaning for a measure of kind '{kind}'")
    shares, levels = numbers(law.get("shares")), measure.get("levels")
    if kind == "ordinal" and shares and isinstance(levels, (list, tuple)):
        if len(shares) != len(levels):
            yield Finding((*place, "shares"), shares, f"expected {len(levels)} shares, one a level")
        elif abs(sum(shares) - 1) > _TOLERANCE:
            yield Finding((*place, "shares"), shares, f"sums to {sum(shares):g}; expected shares that sum to 1")
    guesses = [law.get("guesses_experimental"), law.get("does_not_know", 0.0)]
    if kind == "guess" and all(map(is_number, guesses)) and sum(guesses) > 1 + _TOLERANCE:
        yield Finding((*place, "does_not_know"), guesses[1], f"expected at most {1 - guesses[0]:g}, what is left")


_UNSAID = {"dispersion": 0.0, "shape": 1.0, "does_not_know": 0.0}
_ALL_TOLD = frozenset(key for keys in (*NEEDED.values(), *ALLOWED.values()) for key in keys)


def _columns(raw: Raw) -> Iterator[Finding]:
    section = raw.section("data", "measures")
    if section:
        yield from (
            Finding(("data", "measures", name), name, unknown("measure", list(raw.measures), name))
            for name in section
            if name not in raw.measures
        )
    subscales = raw.section("data", "subscales")
    known = list(raw.scale.subscales) if raw.scale else []
    for name, visits in subscales.items():
        if name not in known:
            yield Finding(("data", "subscales", name), name, unknown("cluster", known, name))
        elif isinstance(visits, dict):
            yield from keys_are(("data", "subscales", name), visits, "visit", raw.visits)


ENDPOINT_CHECKS = (_measures, _endpoints, _testing, _truths, _columns)
