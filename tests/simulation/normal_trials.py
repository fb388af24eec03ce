"""Trials of one normal outcome: no scale whose ends could bend it, everybody seen on the same day after entry."""

from __future__ import annotations

import datetime
from typing import Any

from equipoise.protocol import Protocol


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
