"""What regressions take: outcome, arm and covariates of one trial or of many, checked and given the shape of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape
from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Trials", "chunks", "many_trials", "one_trial", "patient_values"]

_CACHED = 250_000


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Outcome, arm and covariates of many trials.

    Attributes
    ----------
    outcome
        NaN where missing, shape (trials, patients).
    arm
        0 for control, 1, 2, ... for the experimental arms, -1 where there is no patient, shape (trials, patients).
    covariates
        NaN where missing, shape (trials, patients, covariates).
    names
        Of the covariates.
    arms
        Number of arms, control included.
    """

    outcome: NDArray[np.float64]
    arm: NDArray[np.intp]
    covariates: NDArray[np.float64]
    names: tuple[str, ...]
    arms: int

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Patients with an outcome and all covariates, shape (trials, patients)."""
        return (self.arm >= 0) & ~np.isnan(self.outcome) & ~np.isnan(self.covariates).any(axis=2)

    def only(self, rows: slice) -> Trials:
        """Some of the trials."""
        return Trials(self.outcome[rows], self.arm[rows], self.covariates[rows], self.names, self.arms)


def patient_values(field: str, values: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """One number a patient, NaN where missing; ones where not given.

    Raises
    ------
    InputError
        When they are not numbers, infinite, or not one a patient.
    """
    if values is None:
        return np.ones(shape)
    given = np.asarray(values)
    if given.dtype.kind == "b":
        given = given.astype(float)
    found = any_shape(field, given, "finite numbers, or NaN where missing", missing=True)
    if found.shape != shape:
        raise InputError(field, found.shape, f"one value a patient, shape {shape}")
    return found


def _trials(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None,
    names: Sequence[str] | None,
    arms: int | None,
    first: int,
) -> Trials:
    response = patient_values("outcome", outcome, np.shape(outcome))
    coded = patient_values("arm", arm, response.shape)
    if np.isnan(coded).any() or np.any(coded % 1 != 0) or np.any(coded < first) or (arms and np.any(coded >= arms)):
        last = "..." if arms is None else f"{arms - 1}"
        absent = " (-1 where there is no patient)" if first else ""
        raise InputError("arm", arm, f"0 for control and 1 to {last} for the other arms{absent}")
    codes = coded.astype(np.intp)
    if covariates is None:
        columns = np.empty((*response.shape, 0))
    else:
        given = np.asarray(covariates)
        columns = given[..., None] if given.ndim == response.ndim else given
        columns = patient_values("covariates", columns, (*response.shape, columns.shape[-1] if columns.ndim else 0))
    count = columns.shape[-1]
    if names is None:
        names = tuple(f"covariate {index + 1}" for index in range(count))
    elif isinstance(names, str) or len(names) != count:
        raise InputError("names", names, f"one name for each of {count} covariates")
    most = int(codes.max(initial=0)) + 1 if arms is None else arms
    if most < 2:
        raise InputError("arm", most, "patients in at least two arms, control and one other")
    return Trials(response, codes, columns, tuple(names), most)


def many_trials(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    arms: int | None = None,
) -> Trials:
    """Trials from arrays (trials, patients) and (trials, patients, covariates).

    Raises
    ------
    InputError
        When the arrays do not fit each other, or hold what they should not.
    """
    if np.ndim(outcome) != 2:
        raise InputError("outcome", np.shape(outcome), "one row a trial and one column a patient")
    return _trials(outcome, arm, covariates, names, arms, -1)


def one_trial(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    arms: int | None = None,
) -> Trials:
    """A single trial from arrays (patients,) and (patients, covariates), as many trials of which there is one.

    Raises
    ------
    InputError
        When the arrays do not fit each other, or hold what they should not.
    """
    if np.ndim(outcome) != 1:
        raise InputError("outcome", np.shape(outcome), "one value for each patient")
    one = _trials(outcome, arm, covariates, names, arms, 0)
    return Trials(one.outcome[None], one.arm[None], one.covariates[None], one.names, one.arms)


def chunks(trials: int, values: int) -> Iterator[slice]:
    """Trials in runs short enough for the memory near the processor, at `values` numbers a trial."""
    length = max(1, _CACHED // max(values, 1))
    for start in range(0, trials, length):
        yield slice(start, min(start + length, trials))
