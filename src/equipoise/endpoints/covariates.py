"""Covariates of an analysis as numeric columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol
    from ..protocol.parts import Covariate
    from ..trial_batch import TrialBatch

__all__ = ["covariate_columns", "is_one_column", "of_same_levels", "plain_columns"]


def _covariate(protocol: Protocol, data: TrialData | TrialBatch, name: str) -> Covariate:
    if name not in data.covariates:
        raise InputError(
            "covariate", name, f"a covariate in the data; they have {', '.join(data.covariates) or 'none'}"
        )
    return next(item for item in protocol.covariates if item.name == name)


def covariate_columns(
    protocol: Protocol, data: TrialData | TrialBatch, name: str, rows: NDArray[np.bool_] | None = None
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64] | None]:
    """One covariate as columns: itself when continuous, indicators of the levels after the first when categorical.

    Parameters
    ----------
    data
        One trial, or many; of many the levels are those of all of them together, see `of_same_levels`.
    rows
        Patients who enter the analysis, shape (..., patients); all when absent.

    Returns
    -------
    Names of the columns; values with NaN where missing, shape (..., patients, columns); and the value each column takes
    when levels weigh equally, or None for a continuous covariate, whose mean is taken instead. A level that no patient
    of the analysis has gets no column.

    Raises
    ------
    InputError
        For a covariate the data lack, or a level the protocol does not know.
    """
    if name == "baseline":
        return ["baseline"], data.baseline[..., None], None
    spec = _covariate(protocol, data, name)
    values = data.covariates[name]
    if spec.kind == "continuous":
        return [name], values.astype(float)[..., None], None
    present = values if rows is None else values[rows]
    levels = [level for level in spec.levels if (present == level).any()]
    strange = _strange(spec, values)
    if strange.any():
        raise InputError(f"covariate {name}", sorted(set(values[strange]))[0], f"one of {', '.join(spec.levels)}")
    columns = (
        np.stack([np.where(values == "", np.nan, values == level) for level in levels[1:]], axis=-1)
        if len(levels) > 1
        else np.empty((*values.shape, 0))
    )
    return [f"{name}{level}" for level in levels[1:]], columns, np.full(columns.shape[-1], 1 / max(len(levels), 1))


def is_one_column(protocol: Protocol, name: str) -> bool:
    """Whether a covariate of the protocol is a column as it stands, whoever enters the analysis."""
    if name == "baseline":
        return True
    return next(item for item in protocol.covariates if item.name == name).kind == "continuous"


def plain_columns(
    protocol: Protocol, trials: TrialBatch, names: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Covariates that `is_one_column`, NaN where missing, shape (trials, patients, covariates); of baseline alone it is
    a view of the scores.

    Raises
    ------
    InputError
        For a covariate the trials lack.
    """
    columns = [covariate_columns(protocol, trials, name)[1] for name in names]
    if not columns:
        return [], np.empty((*trials.arm.shape, 0))
    return list(names), columns[0] if len(columns) == 1 else np.concatenate(columns, axis=2)


def _strange(spec: Covariate, values: NDArray[np.str_]) -> NDArray[np.bool_]:
    known = values == ""
    for level in spec.levels:
        known |= values == level
    return ~known


def of_same_levels(
    protocol: Protocol, trials: TrialBatch, names: Sequence[str], rows: NDArray[np.bool_]
) -> tuple[list[NDArray[np.intp]], NDArray[np.bool_]]:
    """Trials in groups whose patients have the same levels, so that their covariates make the same columns.

    Parameters
    ----------
    names
        Of the covariates.
    rows
        Patients who enter the analysis, shape (trials, patients).

    Returns
    -------
    Numbers of the trials of each group; and which trials hold a level that the protocol does not know and are in none,
    shape (trials,).

    Raises
    ------
    InputError
        For a covariate the trials lack.
    """
    found, odd = [np.zeros(len(trials), dtype=bool)], np.zeros(len(trials), dtype=bool)
    for name in names:
        if name == "baseline" or (spec := _covariate(protocol, trials, name)).kind == "continuous":
            continue
        values = trials.covariates[name]
        odd |= _strange(spec, values).any(axis=1)
        found += [((values == level) & rows).any(axis=1) for level in spec.levels]
    return same(np.stack(found, axis=1), ~odd), odd


def same(keys: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Numbers of the chosen rows of `keys`, those that are alike together."""
    numbers = np.flatnonzero(chosen)
    if not len(numbers):
        return []
    _, group = np.unique(keys[numbers], axis=0, return_inverse=True)
    group = group.reshape(-1)
    return [numbers[group == at] for at in range(group.max() + 1)]
