"""What `--vary` turns by a short name: the effect, dropout, spread, correlation, size and accrual of a raw table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from ..checks import number
from ..errors import InputError

__all__ = ["DIALS", "Table"]

Table = dict[str, Any]


def _effect(table: Table, scenario: str, value: Any) -> None:
    """The multiple of the difference between every experimental arm and control."""
    multiple = number("effect", value)
    primary = next(item for item in table["endpoints"] if item.get("role") == "primary")
    if primary["type"] in ("adverse-events", "blinding"):
        right = "another primary endpoint; vary the keys of its arms, as arms.ARM.adverse_events.TERM=0,0.1"
        raise InputError("effect", multiple, right)
    control_name = next(arm["name"] for arm in table["arms"] if arm["role"] == "control")
    kinds = {item["name"]: item["kind"] for item in table.get("measures", ())}
    arms = table["scenarios"][scenario]["arms"]
    control = arms[control_name]
    exposure = table["scenarios"][scenario].get("exposure")
    if exposure:
        exposure["maximum_points"] = _short(multiple * exposure["maximum_points"])
        if multiple == 0:
            del table["scenarios"][scenario]["exposure"]
    for name, arm in arms.items():
        if name == control_name:
            continue
        if arm.get("mean"):
            pairs = zip(control["mean"], arm["mean"], strict=True)
            arm["mean"] = [_between(low, high, multiple, "mean", _same, _same) for low, high in pairs]
        key = "median_days_to_loss_of_response"
        low, high = control.get(key), arm.get(key)
        if low is not None or high is not None:
            arm[key] = _between(_or_never(low), _or_never(high), multiple, key, math.log, math.exp)
            if math.isinf(arm[key]):
                arm[key] = None
        key = "shape_of_loss_of_response"
        if key in arm or key in control:
            arm[key] = _between(control.get(key, 1.0), arm.get(key, 1.0), multiple, key, math.log, math.exp)
        for measure, truth in arm.get("measures", {}).items():
            _measure(control.get("measures", {}).get(measure, {}), truth, kinds.get(measure, ""), multiple, measure)


def _measure(control: Table, truth: Table, kind: str, multiple: float, name: str) -> None:
    scales: dict[str, list[tuple[str, Callable[[float], float], Callable[[float], float]]]] = {
        "binary": [("probability", _logit, _expit)],
        "continuous": [("mean", _same, _same)],
        "count": [("rate", math.log, math.exp)],
        "time": [("median_days", math.log, math.exp), ("shape", math.log, math.exp)],
    }
    for key, to, back in scales.get(kind, ()):
        if key in truth or key in control:
            pair = (control.get(key, 1.0), truth.get(key, 1.0))
            truth[key] = _between(*pair, multiple, f"measures.{name}.{key}", to, back)
    if kind == "ordinal" and truth.get("shares"):
        truth["shares"] = _shares(control["shares"], truth["shares"], multiple, f"measures.{name}.shares")


def _shares(control: Any, experimental: Any, multiple: float, key: str) -> list[float]:
    """Shares of levels whose cumulative logits lie between, or beyond, those of two arms."""
    if multiple in (0.0, 1.0):
        return list(experimental if multiple else control)
    cuts = [
        _between(
            min(math.fsum(control[:at]), 1.0), min(math.fsum(experimental[:at]), 1.0), multiple, key, _logit, _expit
        )
        for at in range(1, len(control))
    ]
    edges = [0.0, *cuts, 1.0]
    shares = [after - before for before, after in itertools.pairwise(edges)]
    if min(shares) < 0:
        raise InputError("effect", multiple, f"a multiple that leaves all shares of {key} at 0 or above")
    return shares


def _between(
    control: float,
    experimental: float,
    multiple: float,
    key: str,
    to: Callable[[float], float],
    back: Callable[[float], float],
) -> float:
    """What lies at a multiple of the way from control to experimental, on the scale where effects add up."""
    if multiple == 0.0 or control == experimental:
        return control
    if multiple == 1.0:
        return experimental
    try:
        start, end = to(control), to(experimental)
        if math.isinf(start) or math.isinf(end):
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise InputError(
            "effect",
            multiple,
            f"0 or 1, for {key} ({control:g} v {experimental:g}) has no logarithm or logit to be between",
        ) from None
    try:
        return _short(back(start + multiple * (end - start)))
    except OverflowError:
        raise InputError("effect", multiple, f"a multiple that {key} bears") from None


def _short(value: float) -> float:
    """A number as it would be written, without the dust of its computation."""
    return float(f"{value:.12g}")


def _same(value: float) -> float:
    return value


def _logit(value: float) -> float:
    return math.log(value / (1.0 - value))


def _expit(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value > 0 else math.exp(value) / (1.0 + math.exp(value))


def _or_never(median: float | None) -> float:
    return math.inf if median is None else median


def _dropout(table: Table, scenario: str, value: Any) -> None:
    for arm in table["scenarios"][scenario]["arms"].values():
        arm["dropout"] = value


def _sd(table: Table, scenario: str, value: Any) -> None:
    multiple = number("sd", value)
    for arm in table["scenarios"][scenario]["arms"].values():
        if arm.get("sd"):
            arm["sd"] = [_short(multiple * sd) for sd in arm["sd"]]
        for truth in arm.get("measures", {}).values():
            if truth.get("sd") is not None:
                truth["sd"] = _short(multiple * truth["sd"])


def _correlation(table: Table, scenario: str, value: Any) -> None:
    multiple = number("correlation", value)
    chosen = table["scenarios"][scenario]
    shared = (table.get("population") or {}).get("correlation")
    rows = chosen.get("correlation") or shared
    if rows is None:
        raise InputError("correlation", multiple, "a protocol with a rating scale, whose visits correlate")
    chosen["correlation"] = [
        [one if at == column else _short(multiple * one) for column, one in enumerate(row)]
        for at, row in enumerate(rows)
    ]


def _patients(table: Table, scenario: str, value: Any) -> None:
    """The planned number; looks that are counted in patients keep their shares of it."""
    size, stopping = table["sample_size"], table["stopping"]
    looks = stopping.get("patients") or ()
    if looks and isinstance(value, int):
        stopping["patients"] = [math.ceil(look / looks[-1] * value - 1e-9) for look in looks]
    size.pop("power", None)
    size["patients"] = value


def _accrual(table: Table, scenario: str, value: Any) -> None:
    table["accrual"]["patients_per_month"] = value


DIALS: dict[str, Callable[[Table, str, Any], None]] = {
    "effect": _effect,
    "dropout": _dropout,
    "sd": _sd,
    "patients": _patients,
    "patients-per-month": _accrual,
    "correlation": _correlation,
}
"""By short name: what changes a protocol's raw table in place, for one of its scenarios.

effect
    Multiple of the scenario's difference between every experimental arm and control: 0 none, 1 as the scenario says.
    Means of the scale (at all visits) and of measures linearly; probabilities by their logits, shares of levels by the
    logits of their sums, rates, medians and Weibull shapes by their logarithms; points gained by exposure as they are.
    Spread, dropout, adverse events, guesses and expectancy are no part of it.
dropout
    Of all arms.
sd
    Multiple of all standard deviations.
patients
    The planned number; looks counted in patients keep their shares of it, those counted in events stay.
patients-per-month
    Randomised.
correlation
    Multiple of the correlations between visits.
"""
