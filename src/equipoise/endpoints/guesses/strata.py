"""Outcomes by arm and guess: sizes, means and variances of the strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape
from ...errors import InputError
from .counts import own_guess

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["KINDS", "Strata", "strata_of"]

KINDS = ("correct", "wrong", "don't know")


@dataclass(frozen=True, eq=False)
class Strata:
    """Moments of the outcome, arrays (..., 2, 3): control and experimental arm by `KINDS` of guess.

    Attributes
    ----------
    size
        Patients with an outcome and an answer.
    mean, variance
        NaN for no patient; the variance (divisor size - 1) NaN for fewer than two.
    """

    size: Array
    mean: Array
    variance: Array


def strata_of(outcome: ArrayLike, arm: ArrayLike, guess: ArrayLike, control: int = 0, experimental: int = 1) -> Strata:
    """Strata of two arms.

    Parameters
    ----------
    outcome
        NaN where not observed, shape (..., patients).
    arm
        Arm of each patient, from 0; -1 where there is no patient, same shape.
    guess
        The arm guessed, -1 for "don't know", NaN where there is no answer, same shape. In a trial with more arms a
        guess is wrong if it is any but the patient's own.
    control, experimental
        The arms to compare.

    Raises
    ------
    InputError
        When the shapes differ.
    """
    values = any_shape("outcome", outcome, "numbers, NaN where not observed", missing=True)
    members = any_shape("arm", arm, "numbers of arms, one a patient")
    answers = any_shape("guess", guess, "numbers of arms, NaN for none, one a patient", missing=True)
    if not values.shape == members.shape == answers.shape or not values.ndim:
        shapes = (values.shape, members.shape, answers.shape)
        raise InputError("outcome, arm, guess", shapes, "arrays of the same shape, one place a patient")
    size, mean, variance = (np.full((*values.shape[:-1], 2, len(KINDS)), np.nan) for _ in range(3))
    kinds = own_guess(members, answers)
    for row, chosen in enumerate((control, experimental)):
        for column, kind in enumerate(kinds):
            inside = (members == chosen) & kind & ~np.isnan(values)
            count = inside.sum(axis=-1).astype(float)
            part = np.where(inside, values, 0.0)
            middle = np.divide(part.sum(axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0)
            squares = np.where(inside, part - np.where(count > 0, middle, 0.0)[..., None], 0.0) ** 2
            size[..., row, column], mean[..., row, column] = count, middle
            variance[..., row, column] = np.divide(
                squares.sum(axis=-1), count - 1, out=np.full(count.shape, np.nan), where=count > 1
            )
    return Strata(size, mean, variance)
