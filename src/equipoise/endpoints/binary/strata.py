"""Two by two tables in strata, of one trial or of many: what they are made of and which strata say something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from .counts import tables_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Strata", "one_trial_of", "strata_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Counts in strata, shape (..., strata); strata in which a group has no patients are emptied altogether.

    Attributes
    ----------
    events1, total1, events2, total2
        Group 1 (experimental) and group 2 (control).
    patients
        Of both groups, 0 where a group has none.
    one_sided
        Strata with patients of one group only, which compare nothing.
    uniform
        Strata with both groups in which nobody, or everybody, had the event: they hold a difference of 0 but say
        nothing of odds, and nothing against the null hypothesis.
    """

    events1: NDArray[np.float64]
    total1: NDArray[np.float64]
    events2: NDArray[np.float64]
    total2: NDArray[np.float64]
    patients: NDArray[np.float64]
    one_sided: NDArray[np.bool_]
    uniform: NDArray[np.bool_]

    @property
    def tables(self) -> tuple[NDArray[np.float64], ...]:
        """Events and patients of group 1, then of group 2."""
        return self.events1, self.total1, self.events2, self.total2

    @property
    def weight(self) -> NDArray[np.float64]:
        """Mantel and Haenszel's, n1 n2 / (n1 + n2); 0 of an empty stratum."""
        return self.total1 * self.total2 / np.maximum(self.patients, 1.0)

    def trial(self, row: int) -> Strata:
        """One of many trials."""
        return Strata(*(part[row] for part in self._parts))

    @property
    def alone(self) -> Strata:
        """One trial as many of which there is one."""
        return Strata(*(part[None] for part in self._parts))

    @property
    def _parts(self) -> tuple[NDArray, ...]:
        return (*self.tables, self.patients, self.one_sided, self.uniform)

    def share(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values over the patients of their stratum; 0 of an empty stratum."""
        return values / np.maximum(self.patients, 1.0)

    def notes(self) -> tuple[str, ...]:
        """What had to be left out of one trial's comparison, as clauses."""
        found = []
        for count, what, fate in (
            (int(self.one_sided.sum()), "with patients of one arm only", "left out of the comparison"),
            (int(self.uniform.sum()), "in which all or none had the event", "counted as no difference"),
        ):
            if count:
                found.append(f"{count} {'stratum' if count == 1 else 'strata'} {what}: {fate}")
        return tuple(found)


def strata_of(events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike) -> Strata:
    """Strata from counts of shape (..., strata); a group may be without patients in some.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, and for single numbers.
    """
    counts = tables_of(events1, total1, events2, total2, least=0)
    if counts[0].ndim == 0:
        raise InputError("events1, total1, events2, total2", events1, "a count for each stratum")
    both = (counts[1] > 0) & (counts[3] > 0)
    kept = [np.where(both, part, 0.0) for part in counts]
    events, patients = kept[0] + kept[2], kept[1] + kept[3]
    return Strata(
        kept[0],
        kept[1],
        kept[2],
        kept[3],
        patients,
        one_sided=~both & (counts[1] + counts[3] > 0),
        uniform=both & ((events == 0) | (events == patients)),
    )


def one_trial_of(events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike) -> Strata:
    """Strata of a single trial, counts of shape (strata,); errors as of `strata_of`."""
    strata = strata_of(events1, total1, events2, total2)
    if strata.patients.ndim != 1:
        raise InputError("events1", strata.patients.shape, "counts of one dimension, one a stratum")
    return strata
