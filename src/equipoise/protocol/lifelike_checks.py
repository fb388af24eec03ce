"""Faults in what makes virtual patients more lifelike: names that must agree, sums, settings without meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .raw import Finding, Place, Raw, is_number, numbers, repeated, text, unknown

__all__ = ["LIFELIKE_CHECKS"]

_TOLERANCE = 1e-9
_POINTS = {
    "sites": ("mean_sd", "effect_sd"),
    "expectancy": ("points", "points_if_control"),
    "rater_drift": ("points_per_year", "rater_sd"),
}
_SCORES = ("responders", "rater_drift", "missed_visits")


def _features(raw: Raw) -> Iterator[Finding]:
    for name in raw.section("scenarios"):
        place = ("scenarios", name)
        section = raw.section("scenarios", name)
        if not raw.has_scale:
            yield from _without_scale(place, section)
        for key, check in _CHECKS.items():
            if isinstance(section.get(key), dict):
                yield from check((*place, key), section[key], raw, section)
        if raw.scale is not None:
            yield from _beyond_scale(place, section, raw.scale.maximum - raw.scale.minimum)


def _beyond_scale(place: Place, section: dict[str, Any], width: float) -> Iterator[Finding]:
    """Points, and SDs of points, that no two scores are apart."""
    for name, keys in _POINTS.items():
        table = section.get(name)
        if not isinstance(table, dict):
            continue
        for key in keys:
            value = table.get(key)
            if is_number(value) and abs(value) > width:
                least = f"{-width:g} to {width:g}" if value < 0 else f"{width:g} at most"
                yield Finding((*place, name, key), value, f"expected {least}, the width of the scale")


def _without_scale(place: Place, section: dict[str, Any]) -> Iterator[Finding]:
    said: list[tuple[Place, Any]] = [((key,), section[key]) for key in _SCORES if isinstance(section.get(key), dict)]
    for path in (
        ("sites", "mean_sd"),
        ("sites", "effect_sd"),
        ("expectancy", "points"),
        ("expectancy", "points_if_control"),
    ):
        table = section.get(path[0])
        if isinstance(table, dict) and is_number(table.get(path[1])) and table[path[1]] != 0:
            said.append((path, table[path[1]]))
    ratio = section.get("dropout_odds_ratio_per_unseen_point", 1.0)
    if ratio != 1:
        said.append((("dropout_odds_ratio_per_unseen_point",), ratio))
    for path, value in said:
        yield Finding((*place, *path), value, "has no meaning without [outcome], a rating scale")


def _sites(place: Place, sites: dict[str, Any], raw: Raw, _: dict[str, Any]) -> Iterator[Finding]:
    number, shares = sites.get("number"), numbers(sites.get("shares"))
    if not is_number(number):
        return
    if shares and len(shares) != number:
        yield Finding((*place, "shares"), shares, f"has {len(shares)} shares; expected {number:g}, one per site")
    elif shares and abs(sum(shares) - 1) > _TOLERANCE:
        yield Finding((*place, "shares"), shares, f"sums to {sum(shares):g}; expected shares that sum to 1")
    covariate = raw.covariates.get("site")
    if covariate is None:
        return
    levels = covariate.get("levels")
    if covariate.get("kind") == "continuous":
        yield Finding((*place, "number"), number, "the covariate 'site' is continuous; expected a categorical one")
    elif isinstance(levels, (list, tuple)) and len(levels) != number:
        yield Finding((*place, "number"), number, f"expected {len(levels)}, the levels of the covariate 'site'")


def _responders(place: Place, told: dict[str, Any], raw: Raw, section: dict[str, Any]) -> Iterator[Finding]:
    roles = {entry["name"]: entry.get("role") for _, entry in raw.entries("arms")}
    experimental = [name for name, role in roles.items() if role == "experimental"]
    listed = told.get("arms")
    listed = [name for name in listed if isinstance(name, str)] if isinstance(listed, (list, tuple)) else []
    yield from repeated((*place, "arms"), listed)
    for at, name in enumerate(listed):
        if name not in experimental:
            yield Finding((*place, "arms", at), name, unknown("experimental arm", experimental, name))
    fraction, arms = told.get("fraction"), section.get("arms")
    control = next((name for name, role in roles.items() if role == "control"), "")
    if not is_number(fraction) or not 0 < fraction <= 1 or raw.scale is None or not isinstance(arms, dict):
        return
    low, high = raw.scale.minimum + 0.5, raw.scale.maximum - 0.5
    rest = _means(arms.get(control))
    for name in listed or experimental:
        for visit, start, mean in zip(raw.visits, rest, _means(arms.get(name)), strict=False):
            strong = start + (mean - start) / fraction
            if not low <= strong <= high and raw.scale.minimum < start < raw.scale.maximum:
                least = (mean - start) / ((low if strong < low else high) - start)
                right = (
                    f"expected at least {least:.3g}" if 0 < least <= 1 else "expected means further inside the scale"
                )
                yield Finding(
                    (*place, "fraction"), fraction,
                    f"needs responders of '{name}' with a mean of {strong:.4g} at '{visit}', which a scale from "
                    f"{raw.scale.minimum:g} to {raw.scale.maximum:g} cannot hold; {right}",
                )  # fmt: skip
                break


def _means(truth: Any) -> list[float]:
    return (numbers(truth.get("mean")) or []) if isinstance(truth, dict) else []


def _expectancy(place: Place, told: dict[str, Any], raw: Raw, section: dict[str, Any]) -> Iterator[Finding]:
    sign, guesses = text(told.get("sign")), told.get("guesses")
    guesses = [name for name in guesses if isinstance(name, str)] if isinstance(guesses, (list, tuple)) else []
    arms = section.get("arms")
    truths = [truth for truth in (arms if isinstance(arms, dict) else {}).values() if isinstance(truth, dict)]
    for key in ("felt", "not_felt"):
        if sign and told.get(key) is None:
            yield Finding((*place, key), None, f"is missing; expected what patients believe who had '{sign}', or not")
        elif not sign and told.get(key) is not None:
            yield Finding((*place, key), told[key], "has no meaning without 'sign', the adverse event felt")
        belief = told.get(key)
        parts = [belief.get("experimental"), belief.get("does_not_know", 0.0)] if isinstance(belief, dict) else []
        if parts and all(map(is_number, parts)) and sum(parts) > 1 + _TOLERANCE:
            yield Finding((*place, key, "does_not_know"), parts[1], f"expected at most {1 - parts[0]:g}, what is left")
    if sign:
        terms = sorted({term for truth in truths if isinstance(truth.get("adverse_events"), dict)
                        for term in truth["adverse_events"]})  # fmt: skip
        if sign not in terms:
            yield Finding((*place, "sign"), sign, unknown("adverse event of the scenario", terms, sign))
    elif not guesses:
        yield Finding(
            place, list(told), "expected 'sign' with 'felt' and 'not_felt', or 'guesses', to say who believes what"
        )
    yield from repeated((*place, "guesses"), guesses)
    known = [name for name, entry in raw.measures.items() if entry.get("kind") == "guess"]
    for at, name in enumerate(guesses):
        if name not in known:
            yield Finding((*place, "guesses", at), name, unknown("guess measure", known, name))
        elif at == 0 and not sign and any(_lacks(truth, name) for truth in truths):
            yield Finding((*place, "guesses", at), name, "expected its law in each arm's 'measures', or a 'sign'")
    visit = text(told.get("from_visit"))
    if visit and visit not in raw.visits[1:]:
        yield Finding((*place, "from_visit"), visit, unknown("visit after baseline", raw.visits[1:], visit))


def _lacks(truth: dict[str, Any], measure: str) -> bool:
    measures = truth.get("measures")
    law = measures.get(measure) if isinstance(measures, dict) else None
    return not isinstance(law, dict) or law.get("guesses_experimental") is None


def _rater_drift(place: Place, told: dict[str, Any], raw: Raw, _: dict[str, Any]) -> Iterator[Finding]:
    raters, spread = told.get("raters", 0), told.get("rater_sd", 0.0)
    if is_number(raters) and is_number(spread) and (raters > 0) != (spread > 0):
        lacking = "rater_sd" if raters > 0 else "raters"
        yield Finding(place, list(told), f"'{lacking}' is missing; expected both raters and rater_sd, or neither")


def _missed_visits(place: Place, told: dict[str, Any], raw: Raw, _: dict[str, Any]) -> Iterator[Finding]:
    arms, visits = told.get("arms") or {}, told.get("visits") or {}
    if not isinstance(arms, dict) or not isinstance(visits, dict):
        return
    if arms and visits:
        yield Finding(place, list(told), "expected 'arms' or 'visits' beside the probability, not both")
    for key, table, kind, known in (
        ("arms", arms, "arm", raw.arms),
        ("visits", visits, "visit after baseline", raw.visits[1:]),
    ):
        for name in table:
            if name not in known:
                yield Finding((*place, key, name), name, unknown(kind, known, name))


_CHECKS = {
    "sites": _sites,
    "responders": _responders,
    "expectancy": _expectancy,
    "rater_drift": _rater_drift,
    "missed_visits": _missed_visits,
}
LIFELIKE_CHECKS = (_features,)
