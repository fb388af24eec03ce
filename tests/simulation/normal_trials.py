"""Trials of one normal outcome: no scale whose ends could bend it, everybody seen on the same day after entry."""

from __future__ import annotations

import datetime
from typing import Any

from equipoise.protocol import Protocol

__all__ = ["CASES", "entering", "normal_trial", "rule"]


def normal_trial(patients: int, effect: float = 0.0, *, dropout: float = 0.0, **changes: Any) -> Protocol:
    """Two arms in blocks of two, outcomes N(0, 1) and N(effect, 1) 14 days after entry, compared by a t test.

    Parameters
    ----------
    patients
        Of both arms together.
    effect
        In standard deviations.
    dropout
        Share of both arms that is not seen.
    changes
        Tables of the protocol to replace.
    """

    def arm(mean: float) -> dict[str, Any]:
        return {"dropout": dropout, "measures": {"value": {"mean": mean, "sd": 1.0}}}

    def scenario(gain: float) -> dict[str, Any]:
        return {"arms": {"control": arm(0.0), "new": arm(gain)}}

    table = {
        "trial": {"name": "normal", "title": "A normal outcome"},
        "arms": [{"name": "control", "role": "control"}, {"name": "new", "role": "experimental"}],
        "allocation": {"method": "permuted-blocks", "ratio": {"control": 1, "new": 1}, "block_sizes": [2]},
        "visits": [{"name": "entry", "day": 0}, {"name": "end", "day": 14}],
        "measures": [{"name": "value", "kind": "continuous", "visit": "end", "better": "higher"}],
        "endpoints": [{"name": "value", "type": "mean", "role": "primary", "measure": "value", "method": "t"}],
        "analysis": {"covariates": []},
        "stopping": {"alpha": 0.05, "sided": 2, "fractions": [1.0]},
        "sample_size": {"patients": patients, "scenario": "effect" if effect else "assumed"},
        "accrual": {"start": datetime.date(2020, 1, 1), "patients_per_month": 10.0},
        "scenarios": {"no-effect": scenario(0.0), "effect": scenario(effect), "assumed": scenario(0.3)},
    }
    return Protocol.model_validate(table | changes)


def entering(patients_per_month: float) -> dict[str, Any]:
    """[accrual]"""
    return {"start": datetime.date(2020, 1, 1), "patients_per_month": patients_per_month}


def rule(*fractions: float, efficacy: str = "obrien-fleming", **more: Any) -> dict[str, Any]:
    """[stopping]"""
    return {"alpha": 0.05, "sided": 2, "fractions": fractions, "efficacy": {"family": efficacy}} | more


_FUTILITY = {"alpha": 0.025, "sided": 1, "futility": {"family": "power", "rho": 2.0}, "beta": 0.3}
_TWO = normal_trial(40, 0.9, stopping=rule(0.5, 1.0), accrual=entering(10.0))
_POCOCK = normal_trial(30, 0.6, stopping=rule(0.6, 1.0, efficacy="pocock"), accrual=entering(2.0))
_FUTILE = normal_trial(40, 0.5, stopping=rule(0.5, 1.0, efficacy="pocock", **_FUTILITY), accrual=entering(20.0))
_THREE = normal_trial(200, 0.3, stopping=rule(0.4, 0.7, 1.0), accrual=entering(30.0))
_THREE_FUTILE = normal_trial(200, 0.3, stopping=rule(0.4, 0.7, 1.0, **_FUTILITY), accrual=entering(30.0))

CASES: dict[str, tuple[Protocol, str, str]] = {
    "40 patients, O'Brien-Fleming, no effect": (_TWO, "no-effect", "t"),
    "40 patients, O'Brien-Fleming, 0.9 SD": (_TWO, "effect", "t"),
    "30 patients, Pocock, no effect": (_POCOCK, "no-effect", "t"),
    "30 patients, Pocock, 0.6 SD": (_POCOCK, "effect", "t"),
    "40 patients, Pocock and futility, no effect": (_FUTILE, "no-effect", "t"),
    "40 patients, Pocock and futility, 0.5 SD": (_FUTILE, "effect", "t"),
    "200 patients, three looks, no effect": (_THREE, "no-effect", "normal"),
    "200 patients, three looks and futility, no effect": (_THREE_FUTILE, "no-effect", "normal"),
}
"""Protocol, scenario, and the theory that its looks are held against (see `stopping_theory.stops`)."""
