"""Right-censored times to an event, checked once for everything that is estimated from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SurvivalTrials", "checked_censored_times", "checked_trials"]


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
    return times, _checked(times, flags, np.ones(times.shape, dtype=bool))


def _checked(times: NDArray[np.float64], flags: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The flags as booleans, False where nobody is present; raises `InputError` for what cannot be."""
    bad = times[present & ~(np.isfinite(times) & (times >= 0))]
    if bad.size:
        raise InputError("time", float(bad[0]), "a finite follow-up time, not below 0")
    bad = flags[present & (flags != 0) & (flags != 1)]
    if bad.size:
        raise InputError("event", float(bad[0]), "1 (event) or 0 (censored)")
    return (flags == 1) & present


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalTrials:
    """Times to an event of two arms in many trials, checked; arrays of shape (trials, patients).

    Attributes
    ----------
    time
        0 where nobody is present.
    event
        False where nobody is present.
    experimental
        Whether the patient is of the experimental arm.
    present
        Whether there is a patient of either arm whose time is known.
    strata
        Codes 0, 1, ...; None without strata.
    """

    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    experimental: NDArray[np.bool_]
    present: NDArray[np.bool_]
    strata: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.time)

    def only(self, trials: slice) -> SurvivalTrials:
        """Some of the trials."""
        strata = None if self.strata is None else self.strata[trials]
        return SurvivalTrials(
            self.time[trials], self.event[trials], self.experimental[trials], self.present[trials], strata
        )


def checked_trials(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, strata: ArrayLike | None = None
) -> SurvivalTrials:
    """Times, event flags and arms of many trials.

    Parameters
    ----------
    time
        Follow-up, shape (trials, patients); NaN where not known, which leaves the patient out.
    event
        1 or 0 as for one trial, in that shape.
    arm
        0 (control), 1 (experimental) or -1 (no patient, or one of another arm), in that shape.
    strata
        Codes 0, 1, ... in that shape; negative where not known, which leaves the patient out.

    Raises
    ------
    InputError
        For shapes that differ, other codes, and times or flags of patients that `checked_censored_times` refuses.
    """
    try:
        times, flags, arms = (np.asarray(values, dtype=float) for values in (time, event, arm))
        codes = None if strata is None else np.asarray(strata, dtype=float)
    except (TypeError, ValueError):
        raise InputError("time, event, arm, strata", "texts", "numbers") from None
    if times.ndim != 2 or times.shape[1] == 0:
        raise InputError("time", times.shape, "one row a trial and one column a patient")
    for name, values in (("event", flags), ("arm", arms), ("strata", codes)):
        if values is not None and values.shape != times.shape:
            raise InputError(name, values.shape, f"one value a patient, shape {times.shape}")
    experimental = arms == 1
    wrong = arms[~(experimental | (arms == 0) | (arms == -1))]
    if wrong.size:
        raise InputError("arm", float(wrong[0]), "0 (control), 1 (experimental) or -1 (no patient)")
    present = (arms >= 0) & ~np.isnan(times)
    if codes is not None:
        wrong = codes[present & (codes != np.floor(codes))]
        if wrong.size:
            raise InputError("strata", float(wrong[0]), "codes 0, 1, ..., or -1 where not known")
        present &= codes >= 0
    happened = _checked(times, flags, present)
    return SurvivalTrials(
        np.where(present, times, 0.0),
        happened,
        experimental & present,
        present,
        None if codes is None else np.where(present, codes, 0).astype(np.intp),
    )
