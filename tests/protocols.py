"""Protocols for tests, made by editing the gallery's tables."""

import copy
import datetime
import tomllib
from typing import Any

from equipoise.protocol import Protocol, gallery_text


def edited(name: str = "ptsd-ketamine", **changes: Any) -> Protocol:
    """A gallery protocol with values replaced: `stopping__alpha` is alpha in [stopping], None removes a key."""
    table = copy.deepcopy(tomllib.loads(gallery_text(name)))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = table
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return Protocol.model_validate(table)


def one_visit(effect: float, sd: float, **changes: Any) -> Protocol:
    """Two arms, one visit after baseline, no dropout, ANCOVA without covariates: the two-sample comparison of means."""
    arm = {"mean": [40.0, 40.0], "sd": [sd, sd]}
    scenarios = {"assumed": {"arms": {"midazolam": arm, "ketamine": {"mean": [40.0, 40.0 - effect], "sd": [sd, sd]}}}}
    return edited(
        **{
            "visits": [{"name": "baseline", "day": 0}, {"name": "end", "day": 14}],
            "endpoints": [{"name": "score", "type": "mean", "role": "primary", "visit": "end"}],
            "analysis": {"outcome": "score", "covariates": []},
            "population": {"correlation": [[1.0, 0.5], [0.5, 1.0]]},
            "scenarios": scenarios,
            "sample_size": {"scenario": "assumed", "power": 0.8},
            "stopping": {"alpha": 0.05, "sided": 2, "fractions": [1.0]},
            "accrual": {"start": datetime.date(2020, 1, 1), "patients_per_month": 20.0},
        }
        | changes
    )
