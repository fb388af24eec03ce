"""James's blinding index: of the whole trial, how far guesses disagree with the arms, "don't know" counting most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import NotEstimable
from ...estimate import Interval
from ...plain import plain
from .bang import wald_interval
from .counts import checked_table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["JamesIndex", "james_index", "james_indices"]

WRONG = 0.5


@dataclass(frozen=True)
class JamesIndex:
    """James's index (James, Bloch, Lee, Kraemer & Fuller 1996, Stat Med 15:1421).

    Attributes
    ----------
    index
        From 0 (all guess their arm) over 1/2 (guesses as by chance) to 1 (nobody knows, or all guess wrong).
    standard_error
        By the delta method for multinomial answers, theirs.
    interval
        Wald's, cut to 0 and 1; an upper limit below 1/2 is read as unblinded.
    answers, dont_know
        How many answered, and how many of them that they do not know.
    """

    index: float
    standard_error: float
    interval: Interval
    answers: int
    dont_know: int

    @property
    def reading(self) -> str:
        """What the interval says."""
        if self.interval.upper < 0.5:
            return "blinding lost"
        return "blinding kept" if self.interval.lower > 0.5 else "blinding neither shown to be kept nor lost"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return plain(
            {
                "index": self.index,
                "standard_error": self.standard_error,
                "lower": self.interval.lower,
                "upper": self.interval.upper,
                "level": self.interval.level,
                "answers": self.answers,
                "dont_know": self.dont_know,
            }
        )

    def __str__(self) -> str:
        return (
            f"James's index {self.index:.3f} (SE {self.standard_error:.3f}, {100 * self.interval.level:g}% interval "
            f"{self.interval}); {self.reading}"
        )


def _failures(counts: Array) -> dict[tuple[int, ...], str]:
    """Why there is no index, by place in the array of tables."""
    arms = counts.shape[-2]
    asked, named = counts.sum(axis=-1), counts[..., :arms].sum(axis=-1)
    guessed = counts[..., :arms].sum(axis=-2)
    nobody = (asked == 0).any(axis=-1)
    alike = (named.sum(axis=-1) > 0) & ((named * guessed).sum(axis=-1) == named.sum(axis=-1) ** 2) & ~nobody
    asked_not = "an arm in which nobody was asked: James's index compares arms"
    same = "all guesses are correct ones of one arm: James's index cannot be told from chance"
    found = dict.fromkeys(map(tuple, np.argwhere(nobody).tolist()), asked_not)
    return found | dict.fromkeys(map(tuple, np.argwhere(alike).tolist()), same)


def james_indices(table: ArrayLike) -> tuple[Array, Array, dict[tuple[int, ...], str]]:
    """James's index of many tables.

    With the share d of "don't know", the shares p_ij of guesses i in arms j, weights w_ij of 0 for correct and 1/2 for
    wrong ones, A = sum w_ij p_ij and B = sum w_ij p_i. p_.j (sums of guesses), and q = 1 - d, the index
    (1 + d + q K) / 2 with K = (A / q) / (B / q^2) - 1 is d + A q^2 / (2 B); where nobody names an arm it is 1.

    Parameters
    ----------
    table
        Counts by arm (rows) and answer (arm 0, arm 1, ..., don't know), shape (..., arms, arms + 1).

    Returns
    -------
    index, standard_error
        Shape (...), NaN where there is none.
    failures
        Why, by place in these arrays.

    Raises
    ------
    InputError
        When the table is none.
    """
    counts = checked_table(table)
    arms = counts.shape[-2]
    failures = _failures(counts)
    total = np.maximum(counts.sum(axis=(-2, -1)), 1.0)
    shares = counts / total[..., None, None]
    named, unknown = shares[..., :arms], shares[..., arms].sum(axis=-1)
    weights = WRONG * (1 - np.eye(arms))
    of_arm, of_guess = named.sum(axis=-1), named.sum(axis=-2)
    known = of_arm.sum(axis=-1)
    observed = (weights * named).sum(axis=(-2, -1))
    expected = np.einsum("...i,ij,...j->...", of_arm, weights, of_guess)
    sound = expected > 0
    safe = np.where(sound, expected, 1.0)
    index = np.where(sound, unknown + observed * known**2 / (2 * safe), 1.0)
    # derivatives by the share of each cell; those of "don't know" are 1
    by_cell = (of_guess @ weights)[..., :, None] + (of_arm @ weights)[..., None, :]
    slope = np.ones(shares.shape)
    slope[..., :arms] = (
        weights * (known**2 / (2 * safe))[..., None, None]
        + (observed * known / safe)[..., None, None]
        - by_cell * (observed * known**2 / (2 * safe**2))[..., None, None]
    )
    mean = (shares * slope).sum(axis=(-2, -1))
    variance = (shares * (slope - mean[..., None, None]) ** 2).sum(axis=(-2, -1)) / total
    error = np.where(sound, np.sqrt(variance), 0.0)
    for place in failures:
        index[place] = error[place] = np.nan
    return index, error, failures


def james_index(table: ArrayLike, level: float = 0.95) -> JamesIndex:
    """James's index of one trial.

    Parameters
    ----------
    table
        Counts by arm (rows) and answer (arm 0, arm 1, ..., don't know), shape (arms, arms + 1).
    level
        Of the two-sided interval.

    Raises
    ------
    InputError
        When the table is none.
    NotEstimable
        Where nobody of an arm was asked, or all who name an arm are of one arm and name it.
    """
    counts = checked_table(table)
    index, error, failures = james_indices(counts[None])
    if failures:
        raise NotEstimable(next(iter(failures.values())))
    interval = wald_interval(float(index[0]), float(error[0]), level, 0.0)
    return JamesIndex(float(index[0]), float(error[0]), interval, int(counts.sum()), int(counts[:, -1].sum()))
