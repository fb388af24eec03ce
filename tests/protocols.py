"""Protocols for tests, made by editing the gallery's tables."""

import copy
import datetime
import tomllib
from typing import Any

from equipoise.protocol import Protocol, gallery_text


def plain_table(name: str = "ptsd-ketamine") -> dict[str, Any]:
    """A gallery trial's table; of the ketamine trial the scale, the response and its loss only, no family of tests, and
    patients alike but for chance.
    """
    table = tomllib.loads(gallery_text(name))
    if name == "ptsd-ketamine":
        del table["measures"], table["testing"], table["scenarios"]["less-uniform"]
        table["endpoints"] = table["endpoints"][:3]
        for scenario in table["scenarios"].values():
            for arm in scenario["arms"].values():
                del arm["measures"]
    return table


def edited(name: str = "ptsd-ketamine", **changes: Any) -> Protocol:
    """A gallery protocol with values replaced: `stopping__alpha` is alpha in [stopping], None removes a key."""
    table = copy.deepcopy(plain_table(name))
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


MEASURES: list[dict[str, Any]] = [
    {"name": "remission", "kind": "binary", "visit": "week2"},
    {"name": "cgi", "kind": "ordinal", "visit": "week2", "levels": ["worse", "same", "better", "well"]},
    {"name": "panic", "kind": "count", "visit": "week2", "better": "lower"},
    {"name": "pressure", "kind": "continuous", "visit": "week1", "better": "lower", "unit": "mmHg"},
    {"name": "relapse", "kind": "time", "visit": "week2"},
    {"name": "own-guess", "kind": "guess", "visit": "week2"},
    {"name": "rater-guess", "kind": "guess", "visit": "week2", "by": "rater"},
]
TRUTHS: dict[str, dict[str, Any]] = {
    "midazolam": {
        "remission": {"probability": 0.2},
        "cgi": {"shares": [0.3, 0.4, 0.2, 0.1]},
        "panic": {"rate": 60.0, "dispersion": 0.5},
        "pressure": {"mean": 130.0, "sd": 12.0},
        "relapse": {"median_days": 10.0},
        "own-guess": {"guesses_experimental": 0.3, "does_not_know": 0.2},
        "rater-guess": {"guesses_experimental": 0.4, "does_not_know": 0.2},
    },
    "ketamine": {
        "remission": {"probability": 0.5},
        "cgi": {"shares": [0.1, 0.2, 0.4, 0.3]},
        "panic": {"rate": 30.0, "dispersion": 0.5},
        "pressure": {"mean": 124.0, "sd": 12.0},
        "relapse": {"median_days": 20.0, "shape": 1.2},
        "own-guess": {"guesses_experimental": 0.6, "does_not_know": 0.2},
        "rater-guess": {"guesses_experimental": 0.5, "does_not_know": 0.2},
    },
}


def with_measures(endpoints: list[dict[str, Any]] | None = None, **changes: Any) -> Protocol:
    """The ketamine trial with a measure of every kind, true in all scenarios; `endpoints` come after its own three, or
    in their place when one of them is primary.
    """
    table = plain_table()
    for scenario in table["scenarios"].values():
        for arm, truth in TRUTHS.items():
            scenario["arms"][arm]["measures"] = truth
    given = endpoints or []
    replaced = any(item.get("role") == "primary" for item in given)
    own = [item for item in table["endpoints"] if not (replaced and item.get("role") == "primary")]
    changed = {"measures": MEASURES, "scenarios": table["scenarios"], "endpoints": [*own, *given]}
    return edited(**changed | changes)


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
