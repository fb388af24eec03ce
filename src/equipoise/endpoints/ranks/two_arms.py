"""Outcomes of two arms as comparisons by ranks take them: one trial or many, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape
from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["TwoArms", "arm_codes", "no_patients", "stratum_codes", "two_arms"]


@dataclass(frozen=True, slots=True, eq=False)
class TwoArms:
    """Outcomes of the patients of two arms in many trials.

    Attributes
    ----------
    values
        NaN where a patient does not count, shape (trials, patients).
    arm
        1 for experimental, 0 for control, -1 for a patient who does not count, shape (trials, patients).
    """

    values: NDArray[np.float64]
    arm: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Patients who count in control and in the experimental arm, shape (2, trials)."""
        return np.stack([np.count_nonzero(self.arm == at, axis=1) for at in (0, 1)])

    def only(self, rows: slice | NDArray) -> TwoArms:
        """Some of the trials."""
        return TwoArms(self.values[rows], self.arm[rows])


def arm_codes(arm: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Codes of the arms, one a patient; raises `InputError` for others than 1, 0 and -1."""
    codes = any_shape("arm", arm, "1 (experimental), 0 (control) or -1 (left out)")
    if codes.shape != shape:
        raise InputError("arm", codes.shape, f"one arm a patient, shape {shape}")
    if not np.isin(codes, (-1, 0, 1)).all():
        raise InputError("arm", np.unique(codes).tolist(), "1 (experimental), 0 (control) or -1 (left out)")
    return codes.astype(np.int8)


def two_arms(values: ArrayLike, arm: ArrayLike, dimensions: int, *, infinite: bool = True) -> TwoArms:
    """Outcomes and arms of one trial (`dimensions` 1) or of many (2); one trial is many of which there is one.

    Parameters
    ----------
    values
        Numbers, yes or no, NaN where missing, shape (patients,) or (trials, patients).
    arm
        1 (experimental), 0 (control) or -1 (left out), of the same shape.
    infinite
        Whether an outcome may be infinite: worse, or better, than any other.

    Raises
    ------
    InputError
        When they are not numbers or do not fit each other.
    """
    given = np.asarray(values)
    expected = "numbers, NaN where missing" if infinite else "finite numbers, NaN where missing"
    found = any_shape(
        "values", given.astype(float) if given.dtype.kind == "b" else values, expected, infinite=infinite, missing=True
    )
    if found.ndim != dimensions:
        layout = "one value a patient" if dimensions == 1 else "one row a trial and one column a patient"
        raise InputError("values", found.shape, layout)
    codes = np.where(np.isnan(found), np.int8(-1), arm_codes(arm, found.shape))
    found = np.where(codes < 0, np.nan, found)
    return TwoArms(np.atleast_2d(found), np.atleast_2d(codes))


def stratum_codes(strata: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.intp] | None:
    """Labels of strata as codes from 0, shape (trials, patients), None for none; raises `InputError` for bad shapes."""
    if strata is None:
        return None
    labels = np.asarray(strata)
    if labels.shape != shape:
        raise InputError("strata", labels.shape, f"one label a patient, shape {shape}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise InputError("strata", strata, "labels, none of them missing")
    return np.atleast_2d(np.unique(labels, return_inverse=True)[1].reshape(shape))


def no_patients(control: int, experimental: int) -> InputError:
    """The refusal of a trial in which one of the arms has no patient who counts."""
    return InputError("patients with a value", (int(control), int(experimental)), "at least one in each arm")
