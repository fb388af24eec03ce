"""Covariates of an analysis as numeric columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol

__all__ = ["covariate_columns"]


def covariate_columns(
    protocol: Protocol, data: TrialData, name: str, rows: NDArray[np.bool_] | None = None
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64] | None]:
    """One covariate as columns: itself when continuous, indicators of the levels after the first when categorical.

    Parameters
    ----------
    rows
        Patients who enter the analysis, shape (patients,); all when absent.

    Returns
    -------
    Names of the columns; values with NaN where missing, shape (patients, columns); and the value each column takes
    when levels weigh equally, or None for a continuous covariate, whose mean is taken instead. A level that no patient
    of the analysis has gets no column.

    Raises
    ------
    InputError
        For a covariate the data lack, or a level the protocol does not know.
    """
    if name == "baseline":
        return ["baseline"], data.baseline[:, None], None
    spec = next(item for item in protocol.covariates if item.name == name)
    if name not in data.covariates:
        raise InputError(
            "covariate", name, f"a covariate in the data; they have {', '.join(data.covariates) or 'none'}"
        )
    values = data.covariates[name]
    if spec.kind == "continuous":
        return [name], values.astype(float)[:, None], None
    present = values if rows is None else values[rows]
    levels = [level for level in spec.levels if (present == level).any()]
    strange = sorted(set(values.tolist()) - set(spec.levels) - {""})
    if strange:
        raise InputError(f"covariate {name}", strange[0], f"one of {', '.join(spec.levels)}")
    columns = (
        np.stack([np.where(values == "", np.nan, values == level) for level in levels[1:]], axis=-1)
        if len(levels) > 1
        else np.empty((len(data), 0))
    )
    return [f"{name}{level}" for level in levels[1:]], columns, np.full(columns.shape[1], 1 / max(len(levels), 1))
