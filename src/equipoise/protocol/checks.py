"""Faults that no single key shows: names that must agree, orders, sums.

Every check reads the raw table of the file, taking only what has the right shape, so that these faults are reported
together with those of single keys and not only once the latter have been mended.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .endpoint_checks import ENDPOINT_CHECKS
from .items import ITEM_CHECKS
from .lifelike_checks import LIFELIKE_CHECKS
from .raw import Finding, Place, Raw, is_number, keys_are, numbers, references, repeated, unknown
from .scales import scales
from .truth_checks import TRUTH_CHECKS

__all__ = ["Finding", "Place", "findings", "stopping_findings"]

MOST_ENTRIES = 100


def findings(table: Any) -> list[Finding]:
    """All faults that lie between the keys of a protocol's raw table."""
    if not isinstance(table, dict):
        return []
    crowds = [
        Finding((key,), len(table[key]), f"has {len(table[key]):,} entries; expected {MOST_ENTRIES} at most")
        for key in ("arms", "visits", "measures", "covariates", "endpoints", "scenarios")
        if isinstance(table.get(key), (list, tuple, dict)) and len(table[key]) > MOST_ENTRIES
    ]
    if crowds:
        return crowds
    raw = Raw(table)
    return [found for check in _CHECKS for found in check(raw)]


def _twice(raw: Raw) -> Iterator[Finding]:
    for key in ("arms", "visits", "measures", "covariates", "endpoints"):
        seen: set[str] = set()
        for at, entry in raw.entries(key):
            if entry["name"] in seen:
                yield Finding((key, at, "name"), entry["name"], "stands twice; expected each name once")
            seen.add(entry["name"])
    for path in (("analysis", "covariates"), ("analysis", "by_visit"), ("allocation", "strata")):
        yield from repeated(path, raw.section(path[0]).get(path[1]))


def _arms(raw: Raw) -> Iterator[Finding]:
    roles = [entry.get("role") for _, entry in raw.entries("arms")]
    if isinstance(raw.table.get("arms"), list) and len(raw.arms) == len(raw.table["arms"]):
        if len(raw.arms) < 2:
            yield Finding(("arms",), raw.arms, "expected at least two arms")
        elif all(role in ("control", "experimental") for role in roles) and roles.count("control") != 1:
            yield Finding(("arms",), roles, "expected exactly one arm with role 'control'")
    chosen = raw.section("analysis").get("experimental")
    candidates = [entry["name"] for _, entry in raw.entries("arms") if entry.get("role") == "experimental"]
    if isinstance(chosen, str) and chosen:
        if chosen not in candidates:
            yield Finding(("analysis", "experimental"), chosen, unknown("experimental arm", candidates, chosen))
    elif len(candidates) > 1:
        yield Finding(
            ("analysis",),
            None,
            f"'experimental' is missing; with several arms, name the one of {', '.join(candidates)} to compare",
        )


def _allocation(raw: Raw) -> Iterator[Finding]:
    section = raw.section("allocation")
    ratio = section.get("ratio")
    if isinstance(ratio, dict):
        yield from keys_are(("allocation", "ratio"), ratio, "arm", raw.arms)
        values = list(ratio.values())
        if values and all(is_number(value) and value > 0 for value in values):
            total = sum(values)
            whole = all(float(value).is_integer() for value in values)
            if not whole and abs(total - 1) > 1e-9:
                yield Finding(
                    ("allocation", "ratio"),
                    values,
                    f"sums to {total:g}; expected whole numbers, or shares that sum to 1",
                )
            elif section.get("method", "permuted-blocks") == "permuted-blocks":
                yield from _blocks(section, values, whole)
    known = [name for name, entry in raw.covariates.items() if entry.get("kind") == "categorical"]
    yield from references(("allocation", "strata"), section.get("strata"), "categorical covariate", known)


def _blocks(section: dict[str, Any], ratio: list[float], whole: bool) -> Iterator[Finding]:
    sizes = section.get("block_sizes")
    if not isinstance(sizes, (list, tuple)) or not sizes:
        yield Finding(("allocation", "block_sizes"), sizes, "is missing; permuted blocks need at least one block size")
        return
    for at, size in enumerate(sizes):
        if isinstance(size, int) and is_number(size) and size > 0:
            shares = [value * size / sum(ratio) for value in ratio]
            if any(abs(share - round(share)) > 1e-9 or round(share) < 1 for share in shares):
                shown = ":".join(f"{value:g}" for value in ratio)
                right = f"a multiple of {sum(ratio):g}" if whole else "a size that the shares divide"
                yield Finding(
                    ("allocation", "block_sizes", at), size, f"does not hold the ratio {shown}; expected {right}"
                )


def _visits(raw: Raw) -> Iterator[Finding]:
    last = -math.inf
    previous = ""
    for at, entry in raw.entries("visits"):
        day = entry.get("day")
        if is_number(day):
            if day <= last:
                yield Finding(
                    ("visits", at, "day"),
                    day,
                    f"visits out of order; expected a day after {last:g}, the day of '{previous}'",
                )
            else:
                yield from _window(at, entry, last, previous, raw)
            last, previous = max(last, day), entry["name"]
    if isinstance(raw.table.get("visits"), list) and len(raw.table["visits"]) < 2:
        yield Finding(("visits",), raw.visits, "expected baseline and at least one visit after it")


def _window(at: int, entry: dict[str, Any], last: float, previous: str, raw: Raw) -> Iterator[Finding]:
    windows = {item["name"]: numbers(item.get("window", (0, 0))) for _, item in raw.entries("visits")}
    here, before = windows[entry["name"]], windows.get(previous)
    if here and before and len(here) == len(before) == 2 and min(*here, *before) >= 0:
        opens, closes = entry["day"] - here[0], last + before[1]
        if opens <= closes:
            yield Finding(
                ("visits", at, "window"),
                here,
                f"opens on day {opens:g}; expected after day {closes:g}, when the window of '{previous}' closes",
            )


def _outcome(raw: Raw) -> Iterator[Finding]:
    if not raw.has_scale:
        return
    if not raw.section("population"):
        yield Finding(("population",), None, "is missing; expected [population] with the correlation of the scores")
    name = raw.section("outcome").get("scale")
    if isinstance(name, str) and name not in scales():
        yield Finding(("outcome", "scale"), name, unknown("rating scale", list(scales()), name))


def _analysis(raw: Raw) -> Iterator[Finding]:
    section = raw.section("analysis")
    yield from references(("analysis", "visits"), section.get("visits"), "visit", raw.visits[1:])
    listed = section.get("visits")
    listed = listed if isinstance(listed, (list, tuple)) else ()
    order = [raw.visits.index(name) for name in listed if isinstance(name, str) and name in raw.visits]
    if order != sorted(set(order)):
        yield Finding(
            ("analysis", "visits"),
            section["visits"],
            "visits out of order; expected the order of the visits, each once",
        )
    if str(section.get("degrees_of_freedom")).startswith("kenward-roger"):
        for name, wanted in (("method", "reml"), ("variance", "model")):
            if section.get(name, wanted) != wanted:
                yield Finding(
                    ("analysis", name), section[name], f"expected '{wanted}' with Kenward-Roger degrees of freedom"
                )
    fallback = section.get("covariance_fallback")
    order = [section.get("covariance", "unstructured"), *(fallback if isinstance(fallback, (list, tuple)) else ())]
    for at, name in enumerate(order[1:]):
        if name in order[: at + 1]:
            yield Finding(
                ("analysis", "covariance_fallback", at), name, "expected a structure that was not tried before"
            )
    known = ["baseline", *raw.covariates] if raw.has_scale else list(raw.covariates)
    chosen = section.get("covariates", ["baseline"])
    yield from references(("analysis", "covariates"), chosen, "covariate", known)
    chosen = [name for name in chosen if isinstance(name, str)] if isinstance(chosen, (list, tuple)) else []
    yield from references(("analysis", "by_visit"), section.get("by_visit"), "covariate of the analysis", chosen)


def stopping_findings(raw: Raw) -> Iterator[Finding]:
    """Faults of [stopping]: when to look, boundaries and what they need."""
    section = raw.section("stopping")
    if not section:
        return
    fractions, patients = numbers(section.get("fractions")), numbers(section.get("patients"))
    events = numbers(section.get("events"))
    given = sum(map(bool, (fractions, patients, events)))
    if given != 1 and not (section.get("fractions") and fractions is None):
        yield Finding(
            ("stopping",),
            None,
            "expected one of 'fractions', 'patients' and 'events' to say when to look",
        )
    yield from _counted(section, raw)
    for name, looks in (("fractions", fractions), ("patients", patients), ("events", events)):
        for at, look in enumerate(looks or ()):
            if look <= ((looks or [])[at - 1] if at else 0):
                right = f"a number above {(looks or [])[at - 1]:g}, the look before" if at else "a number above 0"
                yield Finding(("stopping", name, at), look, f"looks not increasing; expected {right}")
    if fractions and fractions[-1] != 1:
        yield Finding(
            ("stopping", "fractions", len(fractions) - 1),
            fractions[-1],
            "expected the last information fraction to be 1",
        )
    total = raw.section("sample_size").get("patients")
    if (
        fractions
        and is_number(total)
        and not raw.counts_events
        and sorted(set(fractions)) == fractions
        and 0 < fractions[0] < fractions[-1] == 1
    ):
        counts = [0, *(math.ceil(fraction * total - 1e-9) for fraction in fractions)]
        for at in range(len(fractions)):
            if counts[at + 1] <= counts[at]:
                yield Finding(
                    ("stopping", "fractions", at),
                    fractions[at],
                    f"falls at {counts[at + 1]} of the {total:g} patients; expected more than at the look before",
                )
    if patients and is_number(total) and patients[-1] != total:
        yield Finding(
            ("stopping", "patients", len(patients) - 1),
            patients[-1],
            f"expected the last look at all {total:g} patients",
        )
    for name, looks in (("patients", patients), ("events", events)):
        if looks and total is None and raw.section("sample_size").get("power") is not None:
            yield Finding(
                ("stopping", name),
                looks,
                "needs sample_size.patients; expected 'fractions' when the power is given",
            )
    looks = fractions or patients or events
    for key in ("efficacy", "futility"):
        yield from _boundary(("stopping", key), raw.section("stopping", key), looks)
    futility = raw.section("stopping", "futility")
    if futility:
        scale = futility.get("scale", "z")
        if section.get("beta") is None and (futility.get("family") != "fixed" or scale in _OF_THE_PLANNED_EFFECT):
            what = f"the scale '{scale}'" if futility.get("family") == "fixed" else "spending for futility"
            yield Finding(("stopping",), None, f"'beta' is missing; {what} needs the type II error")
        yield from _errors(section, raw.section("sample_size").get("power"))


def _counted(section: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    """Looks are counted in what the primary endpoint gives: events where it is a time to one, else patients."""
    wrong, right = ("patients", "events") if raw.counts_events else ("events", "patients")
    if raw.primary and section.get(wrong):
        yield Finding(
            ("stopping", wrong), section[wrong], f"expected '{right}' or 'fractions' with this primary endpoint"
        )


def _errors(section: dict[str, Any], power: Any) -> Iterator[Finding]:
    alpha, beta, sided = section.get("alpha", 0.05), section.get("beta"), section.get("sided", 2)
    if section.get("futility") and is_number(beta) and is_number(power) and abs(1 - power - beta) > 1e-9:
        yield Finding(("stopping", "beta"), beta, f"expected {1 - power:g}, 1 - sample_size.power")
    if is_number(alpha) and is_number(beta) and sided in (1, 2) and 0 < alpha < 1 and 1 - alpha / sided <= beta < 1:
        yield Finding(("stopping", "beta"), beta, f"expected a type II error below {1 - alpha / sided:g}, 1 - alpha")


_OF_THE_PLANNED_EFFECT = ("conditional power", "effect")
_PARAMETERS = {
    "power": "rho",
    "hwang-shih-decani": "gamma",
    "user": "cumulative",
    "wang-tsiatis": "delta",
    "haybittle-peto": "bound",
    "fixed": "values",
}


def _boundary(place: Place, section: dict[str, Any], looks: list[float] | None) -> Iterator[Finding]:
    family = section.get("family", "obrien-fleming")
    for name, key in _PARAMETERS.items():
        if family == name and not section.get(key) and section.get(key) != 0:
            yield Finding(place, None, f"'{key}' is missing; the {name} family needs it")
        elif family != name and section.get(key):
            yield Finding(
                (*place, key), section[key], f"is not a parameter of the {family} family; it belongs to {name}"
            )
    if family != "fixed" and section.get("scale") is not None:
        yield Finding(
            (*place, "scale"), section["scale"], f"is not a parameter of the {family} family; it belongs to fixed"
        )
    values = numbers(section.get("values"))
    if family == "fixed" and values and looks:
        yield from _fixed(place, values, len(looks), place[-1] == "futility")
    cumulative = numbers(section.get("cumulative"))
    if family == "user" and cumulative:
        if looks and len(cumulative) != len(looks):
            yield Finding(
                (*place, "cumulative"), cumulative, f"has {len(cumulative)} values; expected {len(looks)}, one per look"
            )
        if cumulative != sorted(cumulative) or cumulative[0] < 0 or cumulative[-1] != 1:
            yield Finding(
                (*place, "cumulative"), cumulative, "expected fractions of the error that do not fall and end at 1"
            )


def _fixed(place: Place, values: list[float], looks: int, futility: bool) -> Iterator[Finding]:
    allowed = {1, looks - 1} if futility else {looks - 1, looks}
    if len(values) not in allowed or looks == 1:
        right = f"{looks - 1}, one per look but the last" if futility else f"{looks}, one per look, or {looks - 1}"
        right = right if looks > 1 else "more than one look"
        yield Finding((*place, "values"), values, f"has {len(values)} values; expected {right}")


def _sample_size(raw: Raw) -> Iterator[Finding]:
    section = raw.section("sample_size")
    if not section:
        return
    if (section.get("patients") is None) == (section.get("power") is None):
        yield Finding(("sample_size",), None, "expected either 'patients' or 'power', and not both")
    known, name = list(raw.section("scenarios")), section.get("scenario")
    if isinstance(name, str) and name not in known:
        yield Finding(("sample_size", "scenario"), name, unknown("scenario", known, name))


_CHECKS = (
    _twice,
    _arms,
    _allocation,
    _visits,
    _outcome,
    _analysis,
    stopping_findings,
    _sample_size,
    *ENDPOINT_CHECKS,
    *TRUTH_CHECKS,
    *LIFELIKE_CHECKS,
    *ITEM_CHECKS,
)
