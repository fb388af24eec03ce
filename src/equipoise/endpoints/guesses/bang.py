"""Bang's blinding index: of each arm, how far correct guesses outweigh wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import any_shape, confidence_level, normal_quantile, whole
from ...errors import InputError, NotEstimable
from ...estimate import Interval
from ...plain import plain
from .counts import checked_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["BangIndex", "bang_index", "bang_indices", "wald_interval"]

SCORES = (1.0, -1.0, 0.0)


@dataclass(frozen=True)
class BangIndex:
    """Bang's index of one arm (Bang, Ni & Davis 2004, Control Clin Trials 25:143).

    Attributes
    ----------
    correct, wrong, dont_know
        Answers in the arm.
    index
        (correct - wrong) / answers, from -1 to 1: 1 where all guess their arm, 0 as by tossing a coin, -1 where all
        guess another arm.
    standard_error
        Of a linear score of multinomial answers.
    interval
        Wald's, cut to -1 and 1.
    chance
        What the index would be if all named an arm at random: 2 / arms - 1, which is 0 for two.
    """

    correct: int
    wrong: int
    dont_know: int
    index: float
    standard_error: float
    interval: Interval
    chance: float = 0.0

    @property
    def reading(self) -> str:
        """What the interval says against guessing at random."""
        if self.interval.lower > self.chance:
            return "more correct guesses than by chance"
        if self.interval.upper < self.chance:
            return "more wrong guesses than by chance"
        return "no more correct or wrong guesses than by chance"

    def one_sided_limit(self, level: float = 0.95) -> float:
        """Lower limit that the index exceeds with this confidence; above `chance` the arm is read as unblinded."""
        from scipy.special import ndtri

        return max(-1.0, self.index - float(ndtri(confidence_level(level))) * self.standard_error)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return plain(
            {
                "correct": self.correct,
                "wrong": self.wrong,
                "dont_know": self.dont_know,
                "index": self.index,
                "standard_error": self.standard_error,
                "lower": self.interval.lower,
                "upper": self.interval.upper,
                "level": self.interval.level,
                "chance": self.chance,
            }
        )

    def __str__(self) -> str:
        return (
            f"Bang's index {self.index:.3f} (SE {self.standard_error:.3f}, {100 * self.interval.level:g}% interval "
            f"{self.interval}): {self.correct} correct, {self.wrong} wrong, {self.dont_know} don't know; {self.reading}"
        )


def bang_indices(answers: ArrayLike, scores: Sequence[float] = SCORES) -> tuple[Array, Array]:
    """Bang's index and its standard error, array by array.

    Parameters
    ----------
    answers
        Counts of correct, wrong and "don't know" in each arm, shape (..., 3); or of as many answers as there are
        scores, such as strongly and somewhat certain ones.
    scores
        What each answer counts, from -1 (certainly another arm) to 1 (certainly her own). With five answers the weights
        are the user's to choose.

    Returns
    -------
    index, standard_error
        sum s p and sqrt((sum s^2 p - index^2) / n) with the shares p of the n answers, shape (...); NaN where nobody
        was asked.

    Raises
    ------
    InputError
        For counts that are none, or scores outside -1 to 1.
    """
    right = "a number from -1 to 1 for each answer"
    values = any_shape("scores", scores, right)
    if values.ndim != 1 or np.any(np.abs(values) > 1):
        raise InputError("scores", scores, right)
    counts = checked_counts("answers", answers, f"whole numbers from 0, {values.size} of them an arm", values.size)
    total = counts.sum(axis=-1)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, total[..., None], out=shares, where=total[..., None] > 0)
    index = shares @ values
    return index, np.sqrt(np.maximum(shares @ values**2 - index**2, 0.0) / np.maximum(total, 1.0))


def bang_index(correct: int, wrong: int, dont_know: int = 0, level: float = 0.95, arms: int = 2) -> BangIndex:
    """Bang's index of one arm.

    Parameters
    ----------
    correct, wrong, dont_know
        How many in the arm guess it, guess another, or do not know.
    level
        Of the two-sided interval.
    arms
        How many arms could be guessed; with more than two a wrong guess is any but the own arm.

    Raises
    ------
    InputError
        For counts that are none.
    NotEstimable
        Where nobody was asked.
    """
    counts = checked_counts("answers", [correct, wrong, dont_know], "whole numbers from 0", 3)
    if not counts.sum():
        raise NotEstimable("no guesses in this arm: Bang's index has nothing to count")
    index, error = bang_indices(counts)
    interval = wald_interval(float(index), float(error), level, -1.0)
    return BangIndex(
        int(correct), int(wrong), int(dont_know), float(index), float(error), interval, 2 / _arms(arms) - 1
    )


def _arms(arms: Any) -> int:
    if whole("arms", arms, "at least 2 arms") < 2:
        raise InputError("arms", arms, "at least 2 arms")
    return int(arms)


def wald_interval(value: float, error: float, level: float, lowest: float) -> Interval:
    """value +- z SE, cut to its range, whose upper end is 1."""
    half = normal_quantile(level) * error
    return Interval(max(lowest, value - half), min(1.0, value + half), level)
