"""Right-censored times to an event, checked once for everything that is estimated from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["checked_censored_times"]


def checked_censored_times(time: ArrayLike, event: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Follow-up times and event flags as arrays of shape (patients,).

    Parameters
    ----------
    time
        Follow-up of each patient, finite and not negative; 0 is allowed (an event at once, or no follow-up).
    event
        1 or True where the event was seen at `time`, 0 or False where follow-up was censored then.

    Raises
    ------
    InputError
        For no patients, unequal lengths, missing, infinite or negative times, or flags other than 0 and 1.
    """
    try:
        times, flags = np.array(time, dtype=float), np.array(event, dtype=float)
    except (TypeError, ValueError):
        raise InputError("time, event", (time, event), "numbers") from None
    if times.ndim != 1 or times.size == 0:
        raise InputError("time", times.shape, "one follow-up time for each of at least one patient")
    if flags.shape != times.shape:
        raise InputError("event", flags.shape, f"one flag for each of {times.size} patients")
    bad = times[~(np.isfinite(times) & (times >= 0))]
    if bad.size:
        raise InputError("time", float(bad[0]), "a finite follow-up time, not below 0")
    bad = flags[(flags != 0) & (flags != 1)]
    if bad.size:
        raise InputError("event", float(bad[0]), "1 (event) or 0 (censored)")
    return times, flags == 1
