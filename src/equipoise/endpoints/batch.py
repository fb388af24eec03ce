"""What an endpoint gives back of many trials at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BatchEstimates"]


@dataclass(frozen=True, eq=False)
class BatchEstimates:
    """The estimate that a look needs, of many trials; each as `primary` gives it of one.

    Attributes
    ----------
    effect, standard_error
        On the endpoint's scale, NaN where a trial could not be estimated, shape (trials,).
    degrees_of_freedom
        Infinite for a normal reference, shape (trials,).
    failures
        Why a trial could not be estimated, by its number from 0.
    """

    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    degrees_of_freedom: NDArray[np.float64]
    failures: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.effect)

    @classmethod
    def of(
        cls,
        effect: NDArray[np.float64],
        standard_error: NDArray[np.float64],
        degrees_of_freedom: NDArray[np.float64] | float = np.inf,
        failures: dict[int, str] | None = None,
    ) -> BatchEstimates:
        """Arrays as estimates; trials with a failure are NaN, whatever the arrays hold there."""
        effect, standard_error = np.array(effect, dtype=float), np.array(standard_error, dtype=float)
        freedom = np.array(np.broadcast_to(degrees_of_freedom, effect.shape), dtype=float)
        failures = failures or {}
        failed = np.fromiter(failures, dtype=np.intp, count=len(failures))
        for values in (effect, standard_error, freedom):
            values[failed] = np.nan
        return cls(effect, standard_error, freedom, failures)

    def with_others(self, rows: NDArray[np.intp], others: BatchEstimates) -> BatchEstimates:
        """These with others in the place of the trials of these numbers."""
        whole = np.stack([self.effect, self.standard_error, self.degrees_of_freedom])
        whole[:, rows] = others.effect, others.standard_error, others.degrees_of_freedom
        replaced = set(rows.tolist())
        failures = {at: why for at, why in self.failures.items() if at not in replaced}
        failures |= {int(rows[at]): why for at, why in others.failures.items()}
        return BatchEstimates.of(whole[0], whole[1], whole[2], dict(sorted(failures.items())))
