"""Patients with an event, events and time under observation by arm, and arms compared: of many terms or trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape, whole
from ...errors import InputError
from ..binary.proportions import newcombe_limits, wilson_limits
from .poisson_rates import rate_difference_limits, rate_limits, rate_ratio_limits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Contrasts", "Tally", "tally"]


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """One arm against another, arrays of the shape of the tally without its axis of arms; NaN where not defined.

    Attributes
    ----------
    risk_difference, risk_difference_lower, risk_difference_upper
        Of having an event at all, with Newcombe's hybrid score limits (1998, Stat Med 17:873, method 10).
    rate_difference, rate_difference_lower, rate_difference_upper
        Of events per unit of time, with score limits; see `rate_difference_limits`.
    rate_ratio, rate_ratio_lower, rate_ratio_upper
        The same as a ratio, with exact limits; see `rate_ratio_limits`. Infinite where only the other arm has none.
    """

    risk_difference: NDArray[np.float64]
    risk_difference_lower: NDArray[np.float64]
    risk_difference_upper: NDArray[np.float64]
    rate_difference: NDArray[np.float64]
    rate_difference_lower: NDArray[np.float64]
    rate_difference_upper: NDArray[np.float64]
    rate_ratio: NDArray[np.float64]
    rate_ratio_lower: NDArray[np.float64]
    rate_ratio_upper: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts by arm, each of shape (..., arms).

    Attributes
    ----------
    patients, with_event
        Patients, and those of them with at least one event.
    events
        Events, all of each patient's.
    exposure
        Days under observation, summed over patients; NaN where not known.
    exposure_to_first
        Days until the first event or the end of observation, summed.
    """

    patients: NDArray[np.float64]
    with_event: NDArray[np.float64]
    events: NDArray[np.float64]
    exposure: NDArray[np.float64]
    exposure_to_first: NDArray[np.float64]

    @property
    def risk(self) -> NDArray[np.float64]:
        """Share of patients with an event; NaN without patients."""
        return _ratio(self.with_event, self.patients)

    def risk_limits(self, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Wilson's limits of the risk; 0 and 1 without patients."""
        some = self.patients > 0
        lower, upper = wilson_limits(np.where(some, self.with_event, 0), np.where(some, self.patients, 1), level)
        return np.where(some, lower, 0.0), np.where(some, upper, 1.0)

    @property
    def rate(self) -> NDArray[np.float64]:
        """Events per day under observation; NaN without any."""
        return _ratio(self.events, self.exposure)

    def rate_limits(self, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exact limits of the rate; 0 and infinity without observation."""
        return rate_limits(self.events, _known(self.exposure), level)

    @property
    def first_rate(self) -> NDArray[np.float64]:
        """First events per day until then; NaN where nobody was observed."""
        return _ratio(self.with_event, self.exposure_to_first)

    def first_rate_limits(self, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exact limits of the rate of first events; 0 and infinity without observation."""
        return rate_limits(self.with_event, _known(self.exposure_to_first), level)

    def compare(self, arm: int = 1, control: int = 0, level: float = 0.95) -> Contrasts:
        """One arm against another."""
        both = (self.patients[..., arm] > 0) & (self.patients[..., control] > 0)

        def counts(at: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            return np.where(both, self.with_event[..., at], 0), np.where(both, self.patients[..., at], 1)

        risk_lower, risk_upper = newcombe_limits(*counts(arm), *counts(control), level)
        exposure, rate = _known(self.exposure), self.rate
        pair = (self.events[..., arm], exposure[..., arm], self.events[..., control], exposure[..., control])
        one, other = rate[..., arm], rate[..., control]
        ratio = np.where((other == 0) & (one > 0), np.inf, _ratio(one, other))
        return Contrasts(
            self.risk[..., arm] - self.risk[..., control],
            np.where(both, risk_lower, -1.0),
            np.where(both, risk_upper, 1.0),
            one - other,
            *rate_difference_limits(*pair, level),
            ratio,
            *rate_ratio_limits(*pair, level),
        )


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom > 0)


def _known(exposure: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(exposure), 0.0, exposure)


def tally(
    arm: ArrayLike, arms: int, first: ArrayLike, followed: ArrayLike | None = None, events: ArrayLike | None = None
) -> Tally:
    """Count the events of arms.

    Parameters
    ----------
    arm
        Index of the arm, from 0, or -1 for no patient, shape (..., patients).
    arms
        Number of arms.
    first
        Days from randomisation to each patient's first event, infinite where there was none, NaN where the day is not
        known, shape (..., patients); leading axes of terms or of trials.
    followed
        Days from randomisation to the last contact; NaN where not known, as when absent, shape (..., patients). A first
        event after it counts, but adds no time.
    events
        Number of events of each patient; one for each who had any when absent.

    Raises
    ------
    InputError
        For arms that are not among those there are, negative days or counts, counts that contradict `first`, or shapes
        that do not fit.
    """
    size = whole("arms", arms, "a whole number of arms, at least 1")
    if size < 1:
        raise InputError("arms", arms, "a whole number of arms, at least 1")
    given = {
        "arm": any_shape("arm", arm),
        "first": any_shape("first", first, "days, or infinity", infinite=True, missing=True),
        "followed": any_shape("followed", np.nan if followed is None else followed, "days", missing=True),
    }
    if events is not None:
        given["events"] = any_shape("events", events, "whole numbers, 0 or more")
    try:
        members, days, observed, *counted = np.broadcast_arrays(*given.values())
    except ValueError:
        shapes = tuple(value.shape for value in given.values())
        raise InputError("arm, first, followed, events", shapes, "arrays of one shape") from None
    if members.ndim == 0 or members.shape[-1] == 0:
        raise InputError("arm", members.shape, "at least one patient")
    wrong = members[~np.isin(members, np.arange(-1, size))]
    if wrong.size:
        raise InputError("arm", float(wrong[0]), f"an arm from 0 to {size - 1}, or -1 for no patient")
    for name, values in (("first", days), ("followed", observed)):
        if np.any(values < 0):
            raise InputError(name, float(np.nanmin(values)), "days of 0 or more")
    had = ~np.isposinf(days)
    number = counted[0] if counted else had.astype(float)
    if np.any(number < 0) or np.any(number % 1 != 0):
        raise InputError("events", events, "whole numbers, 0 or more")
    if np.any((number > 0) != had):
        raise InputError("events", events, "at least one event for each patient with a first one, none for the others")
    until = np.minimum(observed, np.where(had, days, np.inf))
    of_arm = [members == at for at in range(size)]

    def sums(values: NDArray) -> NDArray[np.float64]:
        return np.stack([np.sum(np.where(chosen, values, 0.0), axis=-1) for chosen in of_arm], axis=-1)

    return Tally(sums(np.ones(members.shape)), sums(had), sums(number), sums(observed), sums(until))
