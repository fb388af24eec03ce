"""How two sets of virtual trials on the same random numbers differ, trial by trial."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..sequential import Decision
from .rates import Mean
from .rows import DECISIONS
from .store import ResultsFolder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .characteristics import OperatingCharacteristics

__all__ = ["TrialEnds", "difference_in_patients", "difference_in_power"]


@dataclass(frozen=True, eq=False)
class TrialEnds:
    """How each trial ended, in three bytes a trial where they have fewer than 65,536 patients.

    Attributes
    ----------
    trials
        How many, numbered from 0.
    rejects
        Whether each rejects in favour of the experimental arm, eight trials to a byte.
    patients
        Randomised at the end, shape (trials,).
    """

    trials: int
    rejects: NDArray[np.uint8] = field(repr=False)
    patients: NDArray[np.unsignedinteger] = field(repr=False)

    @classmethod
    def of(cls, rejects: NDArray[np.bool_], patients: NDArray[np.integer]) -> TrialEnds:
        """Packed."""
        kind = np.min_scalar_type(int(patients.max(initial=0)))
        return cls(len(rejects), np.packbits(rejects), patients.astype(kind))

    @classmethod
    def found(cls, result: OperatingCharacteristics) -> TrialEnds | None:
        """From the trials that were kept or written to a folder; None where neither was done."""
        if result.rows is not None:
            ends = result.rows.ends
            return cls.of(ends["decision"] == DECISIONS.index(Decision.EFFICACY), ends["randomised"])
        if result.folder is None:
            return None
        import polars as pl

        rows = ResultsFolder.scan(result.folder, "trials", result.trials)
        frame = rows.select(pl.col("decision") == Decision.EFFICACY.value, "randomised").collect()
        return cls.of(frame["decision"].to_numpy(), frame["randomised"].to_numpy())


def difference_in_power(one: TrialEnds, other: TrialEnds) -> Mean:
    """Share of `one` that rejects less that of `other`, over the trials that both have; the standard error is of the
    paired difference, from the trials in which the two do not agree.
    """
    trials = min(one.trials, other.trials)
    if not trials:
        return Mean(math.nan, math.nan, 0)
    size = -(-trials // 8)
    mine, theirs = one.rejects[:size].copy(), other.rejects[:size].copy()
    if trials % 8:
        # the last byte may hold trials that only one of the two has
        mask = np.uint8(0xFF << (8 - trials % 8) & 0xFF)
        mine[-1] &= mask
        theirs[-1] &= mask
    gained = int(np.unpackbits(mine & ~theirs).sum())
    lost = int(np.unpackbits(theirs & ~mine).sum())
    return Mean.of_sums(trials, gained - lost, gained + lost)


def difference_in_patients(one: TrialEnds, other: TrialEnds) -> Mean:
    """Mean patients of `one` less those of `other`, over the trials that both have, with its paired standard error."""
    trials = min(one.trials, other.trials)
    difference = one.patients[:trials].astype(np.int64) - other.patients[:trials].astype(np.int64)
    return Mean.of_sums(trials, int(difference.sum()), int(difference @ difference))
