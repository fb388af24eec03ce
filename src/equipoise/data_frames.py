"""A trial's tables as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import datetime

    import polars
    from numpy.typing import NDArray

    from .data import TrialData

__all__ = [
    "assessments_frame",
    "cluster_name",
    "cluster_of",
    "events_frame",
    "measures_frame",
    "patients_frame",
    "wide_frame",
]


def cluster_name(scale: str, cluster: str) -> str:
    """What the assessments table calls a cluster of a scale."""
    return f"{scale}: {cluster}"


def cluster_of(scale: str, name: str) -> str:
    """The cluster that a name of the assessments table is of; empty for the scale itself."""
    return name.removeprefix(f"{scale}: ") if name.startswith(f"{scale}: ") else ""


def patients_frame(data: TrialData) -> polars.DataFrame:
    """One row a patient."""
    import polars as pl

    columns: dict[str, Any] = {"patient": data.patient.astype(str), "arm": [data.arm_names[at] for at in data.arm]}
    columns |= {name: _absent(values) for name, values in data.covariates.items()}
    frame = pl.DataFrame(columns)
    if data.has_dates:
        days = {"randomised": data.randomised, "withdrawn": data.withdrawn, "last_contact": data.last_contact}
        frame = frame.with_columns(pl.Series(name, _dates(data, values)) for name, values in days.items())
    return frame


def assessments_frame(data: TrialData) -> polars.DataFrame:
    """One row an observed score, of the scale or of a cluster."""
    import polars as pl

    tables = {data.scale: data.scores}
    tables |= {cluster_name(data.scale, cluster): values for cluster, values in data.subscales.items()}
    parts = []
    for scale, scores in tables.items():
        row, visit = np.nonzero(~np.isnan(scores))
        frame = pl.DataFrame(
            {
                "patient": data.patient[row].astype(str),
                "visit": np.array(data.visit_names)[visit],
                "scale": np.full(len(row), scale),
                "score": scores[row, visit],
            }
        )
        if data.has_dates:
            days = _dates(data, data.assessed[row, visit])
            frame = frame.with_columns(pl.Series("assessed", days, dtype=pl.Date))
        parts.append(frame)
    return pl.concat(parts)


def events_frame(data: TrialData) -> polars.DataFrame:
    """One row an event."""
    import polars as pl

    order = np.lexsort((data.events.day, data.events.patient))
    events = data.events.select(order)  # type: ignore[arg-type]
    columns: dict[str, Any] = {
        "patient": data.patient[events.patient].astype(str),
        "kind": events.kind.astype(str),
        "term": events.term.astype(str),
        "date": pl.Series("date", _dates(data, events.day), dtype=pl.Date),
    }
    if events.serious.any():
        columns["serious"] = events.serious
    return pl.DataFrame(columns)


def measures_frame(data: TrialData) -> polars.DataFrame:
    """One row a recorded value; columns that a measure has no use for are empty."""
    import polars as pl

    schema = {
        "patient": pl.String,
        "measure": pl.String,
        "value": pl.Float64,
        "observed": pl.Boolean,
        "exposure": pl.Float64,
        "known": pl.Date,
    }
    parts = []
    for name, found in data.measures.items():
        row = np.flatnonzero(~np.isnan(found.value))
        columns: dict[str, Any] = {
            "patient": data.patient[row].astype(str),
            "measure": np.full(len(row), name),
            "value": found.value[row],
            "observed": None if found.observed is None else found.observed[row],
            "exposure": None if found.exposure is None else _absent(found.exposure[row]),
            "known": None if found.known is None or data.start is None else _dates(data, found.known[row]),
        }
        parts.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def wide_frame(data: TrialData) -> polars.DataFrame:
    """One row a patient with a column for each visit's score."""
    import polars as pl

    scores = pl.DataFrame(
        {name: _absent(data.scores[:, at]) for at, name in enumerate(data.visit_names)},
        schema=dict.fromkeys(data.visit_names, pl.Float64),
    )
    return patients_frame(data).hstack(scores)


def _dates(data: TrialData, days: NDArray[np.float64]) -> list[datetime.date | None]:
    return [None if not np.isfinite(day) else data.date(float(day)) for day in days]


def _absent(values: NDArray[Any]) -> list[Any]:
    """Values with NaN and "" as None, so that a file leaves the cell empty."""
    if values.dtype.kind == "f":
        return [None if np.isnan(value) else float(value) for value in values]
    return [str(value) or None for value in values]
