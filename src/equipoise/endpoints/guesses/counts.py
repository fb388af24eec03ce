"""Guesses counted: arms by answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import any_shape, whole
from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["DONT_KNOW", "answers_of", "checked_counts", "guess_table", "own_guess", "with_missing"]

DONT_KNOW = -1
"""What a guess is of somebody who names no arm."""


def checked_counts(field: str, counts: Any, right: str, last: int | None = None) -> Array:
    """Whole numbers from 0, the last axis of length `last` where it is told.

    Raises
    ------
    InputError
        When they are none, or of another shape.
    """
    found = any_shape(field, counts, right)
    if np.any(found < 0) or np.any(found % 1 != 0) or found.ndim < 1 or last not in (None, found.shape[-1]):
        raise InputError(field, counts, right)
    return found


def guess_table(arm: ArrayLike, guess: ArrayLike, arms: int) -> tuple[Array, Array]:
    """Count guesses.

    Parameters
    ----------
    arm
        Arm of each patient, from 0; -1 where there is no patient, shape (..., patients).
    guess
        The arm guessed, -1 for "don't know", NaN where nobody asked or no answer was recorded; same shape.
    arms
        How many arms there are, at least 2.

    Returns
    -------
    table
        Guesses by arm (rows) and answer (columns: arm 0, arm 1, ..., don't know), shape (..., arms, arms + 1).
    missing
        Patients of each arm without an answer, shape (..., arms).

    Raises
    ------
    InputError
        For arms and guesses of different shapes, or that are none.
    """
    if whole("arms", arms, "at least 2 arms") < 2:
        raise InputError("arms", arms, "at least 2 arms")
    right = f"numbers of arms from 0 to {arms - 1}, or -1 for no patient"
    members = any_shape("arm", arm, right)
    if np.any(members % 1 != 0) or np.any((members < -1) | (members >= arms)):
        raise InputError("arm", arm, right)
    right = f"numbers of arms from 0 to {arms - 1}, -1 for 'don't know', NaN for none, one a patient"
    answers = any_shape("guess", guess, right, missing=True)
    given = answers[~np.isnan(answers)]
    if answers.shape != members.shape or np.any(given % 1 != 0) or np.any((given < DONT_KNOW) | (given >= arms)):
        raise InputError("guess", guess, right)
    table = np.empty((*members.shape[:-1], arms, arms + 1))
    missing = np.empty((*members.shape[:-1], arms))
    for row in range(arms):
        of_arm = members == row
        for column, value in enumerate((*range(arms), DONT_KNOW)):
            table[..., row, column] = (of_arm & (answers == value)).sum(axis=-1)
        missing[..., row] = (of_arm & np.isnan(answers)).sum(axis=-1)
    return table, missing


def with_missing(table: Array, missing: Array) -> Array:
    """The table had all patients without an answer said that they do not know."""
    filled = table.copy()
    filled[..., -1] += missing
    return filled


def own_guess(arm: NDArray[Any], guess: NDArray[Any]) -> tuple[NDArray[np.bool_], ...]:
    """Whether each guess is of the patient's own arm, of another, or none: three arrays of the shape of both."""
    known = guess >= 0
    return known & (guess == arm), known & (guess != arm), guess == DONT_KNOW


def answers_of(table: ArrayLike) -> Array:
    """Correct, wrong and "don't know" of each arm, shape (..., arms, 3), from a table (..., arms, arms + 1).

    Wrong is any arm but the patient's own.

    Raises
    ------
    InputError
        When the table is none.
    """
    counts = checked_table(table)
    arms = counts.shape[-2]
    correct = counts[..., np.arange(arms), np.arange(arms)]
    wrong = counts[..., :arms].sum(axis=-1) - correct
    return np.stack([correct, wrong, counts[..., arms]], axis=-1)


def checked_table(table: Any) -> Array:
    """A table of guesses, shape (..., arms, arms + 1).

    Raises
    ------
    InputError
        When it is none.
    """
    right = "counts of guesses, a row an arm, a column an arm guessed and one for 'don't know'"
    counts = checked_counts("table", table, right)
    if counts.ndim < 2 or counts.shape[-2] < 2 or counts.shape[-1] != counts.shape[-2] + 1:
        raise InputError("table", counts.shape, right)
    return counts
