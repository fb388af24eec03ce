"""When patients reach a visit, and how many have; of one trial or of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..trial_batch import TrialBatch

__all__ = ["counted_of", "patients_due", "visit_reached"]


def visit_reached(data: Any, visit: str) -> NDArray[np.float64]:
    """Days of the trial on which a visit was reached, seen or not; infinite without a patient, (..., patients)."""
    found = data.reached[..., data.visit_names.index(visit)]
    return np.asarray(np.where(data.arm >= 0, found, np.inf), dtype=np.float64)


def counted_of(which: NDArray[np.bool_]) -> int | NDArray[np.intp]:
    """How many hold: of one trial (patients,) a number, of many (trials, patients) an array (trials,)."""
    found = np.count_nonzero(which, axis=-1)
    return int(found) if which.ndim == 1 else np.asarray(found, dtype=np.intp)


def patients_due(data: TrialData | TrialBatch, visit: str) -> int | NDArray[np.intp]:
    """Patients who have reached a visit, seen or not."""
    return counted_of(data.is_due(visit) & (data.arm >= 0))
