"""Accrual in calendar time, and the events to expect of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...checks import instance
from ...errors import InputError
from .event_times import EventTimes, checked_law
from .planning_checks import LARGEST, on_or_off, positive, real_array, real_numbers, settle

__all__ = ["Accrual", "event_rate", "expected_events"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Accrual:
    """Patients enter at an intensity that is constant between breaks.

    Parameters
    ----------
    breaks
        Calendar times from 0, rising: where each intensity begins, and last the end of accrual. An infinite end leaves
        accrual open until enough patients have come.
    intensities
        Patients per unit of time in each interval, at least 0, not all 0; uniform when left out.
    relative
        Whether the intensities only give the shape and their scale is to be found, or set by a number of patients;
        always so when they are left out. Open accrual cannot be relative.

    Raises
    ------
    InputError
        When breaks or intensities are out of range or do not match.
    """

    breaks: tuple[float, ...]
    intensities: tuple[float, ...] | None = None
    relative: bool = False

    def __post_init__(self) -> None:
        rising = "times that begin at 0 and rise, the last the end of accrual"
        breaks = real_numbers("breaks", self.breaks, rising, infinite=True)
        if len(breaks) < 2 or breaks[0] != 0 or not all(one < other for one, other in pairwise(breaks)):
            raise InputError("breaks", self.breaks, rising)
        if math.isfinite(breaks[-1]):
            positive("breaks", breaks[-1])
        given = (1.0,) * (len(breaks) - 1) if self.intensities is None else self.intensities
        expected = "finite numbers of at least 0, not all of them 0"
        intensities = real_numbers("intensities", given, expected)
        if len(intensities) != len(breaks) - 1:
            raise InputError("intensities", self.intensities, f"{len(breaks) - 1}, one for each interval of accrual")
        if not all(0 <= value <= LARGEST for value in intensities) or not any(intensities):
            raise InputError("intensities", self.intensities, expected)
        relative = on_or_off("relative", self.relative) or self.intensities is None
        if math.isinf(breaks[-1]):
            if relative:
                raise InputError("breaks", self.breaks, "a finite end where only the shape of accrual is given")
            if intensities[-1] == 0:
                raise InputError("intensities", self.intensities, "a last intensity above 0 where accrual is open")
        settle(self, breaks=breaks, intensities=intensities, relative=relative)

    @classmethod
    def uniform(cls, duration: float, patients: float | None = None) -> Accrual:
        """Uniform accrual over `duration`; of that many patients, or with the intensity to be found."""
        end = positive("duration", duration)
        return cls((0.0, end)) if patients is None else cls((0.0, end), (positive("patients", patients) / end,))

    @classmethod
    def open(cls, intensity: float) -> Accrual:
        """Patients at a constant intensity, for as long as it takes."""
        return cls((0.0, math.inf), (positive("intensity", intensity),))

    @property
    def rates(self) -> Array:
        """The intensities, shape (intervals,)."""
        return np.asarray(self.intensities, dtype=np.float64)

    @property
    def end(self) -> float:
        """Calendar time at which accrual ends; infinite when open."""
        return self.breaks[-1]

    @property
    def is_open(self) -> bool:
        """Whether accrual goes on until enough patients have come."""
        return math.isinf(self.end)

    @property
    def total(self) -> float:
        """Patients when accrual has ended; a mere scale when `relative`, infinite when open."""
        return float(self.patients_by(self.end)) if not self.is_open else math.inf

    def patients_by(self, time: ArrayLike) -> Array:
        """Patients randomised by calendar time `time`, in its shape."""
        times = real_array("time", time, "finite calendar times")[..., None]
        if np.any(np.isnan(times)) or (self.is_open and np.any(np.isposinf(times))):
            raise InputError("time", time, "finite calendar times")
        starts, ends = np.array(self.breaks[:-1]), np.array(self.breaks[1:])
        return np.clip(np.minimum(times, ends) - starts, 0.0, None) @ self.rates

    def scaled(self, factor: float) -> Accrual:
        """The same course of accrual with every intensity multiplied, now in patients per unit of time."""
        return Accrual(self.breaks, tuple((positive("factor", factor) * self.rates).tolist()))

    def ending_at(self, time: float) -> Accrual:
        """Accrual cut off at a calendar time above 0, no later than its end."""
        expected = f"a finite time above 0, no later than the end of accrual, {self.end:g}"
        time = positive("time", time, expected)
        if time > self.end:
            raise InputError("time", time, expected)
        kept = sum(start < time for start in self.breaks[:-1])
        return Accrual((*self.breaks[:kept], time), tuple(self.rates[:kept].tolist()), self.relative)

    def with_patients(self, patients: float) -> Accrual:
        """Accrual of that many patients: scaled when `relative`, otherwise cut off when they have come.

        Raises
        ------
        InputError
            When `patients` is not above 0, or more than come before accrual ends.
        """
        patients = positive("patients", patients)
        if self.relative:
            return self.scaled(patients / self.total)
        if patients > self.total * (1 + 1e-12):
            raise InputError("patients", patients, f"at most {self.total:g}, all who come before accrual ends")
        if patients >= self.total:
            return self
        before = np.concatenate(([0.0], self.patients_by(np.array(self.breaks[1:-1]))))
        interval = int(np.searchsorted(before, patients, side="left")) - 1
        return self.ending_at(self.breaks[interval] + (patients - before[interval]) / self.rates[interval])

    def __str__(self) -> str:
        unit = "relative intensity" if self.relative else "patients per unit of time"
        parts = [
            f"{rate:.4g} from {start:g}" for rate, start in zip(self.rates.tolist(), self.breaks[:-1], strict=True)
        ]
        return f"accrual {', '.join(parts)} until {'enough have come' if self.is_open else f'{self.end:g}'} ({unit})"


def expected_events(time: ArrayLike, accrual: Accrual, event_times: EventTimes, dropout: float = 0.0) -> Array:
    """Expected number of events seen by calendar time `time` among the patients of one arm, in closed form.

    Sum over the intervals [a, b) of accrual, of intensity g, of g * (B(t - a) - B(t - b)), where B(u) is the integral
    over 0 to u of the probability of an event seen within a follow-up (Lachin & Foulkes 1986, Biometrics 42:507,
    section 3, for one piece; the sum carries it to piecewise accrual, hazards by pieces and a loss hazard).

    Parameters
    ----------
    time
        Calendar times since accrual began; infinity counts all who will ever have the event.
    accrual
        Of this arm: for one arm of a trial, the trial's accrual times the arm's share.
    event_times
        Law of the time from randomisation to the event.
    dropout
        Hazard of leaving the trial unseen, per unit of time.

    Returns
    -------
    Expected events, in the shape of `time`.

    Raises
    ------
    InputError
        When a time is not a number, or infinite while accrual is open.
    """
    instance("accrual", accrual, Accrual, "an Accrual, such as Accrual.uniform(12)")
    checked_law("event_times", event_times)
    times = real_array("time", time, "calendar times; infinity only where accrual ends")
    forever = np.isposinf(times)
    if np.any(np.isnan(times)) or (accrual.is_open and np.any(forever)):
        raise InputError("time", time, "calendar times; infinity only where accrual ends")
    finite = np.where(forever, 0.0, times)
    area = event_times.area(finite[..., None] - np.array(accrual.breaks), dropout)
    events = (area[..., :-1] - area[..., 1:]) @ accrual.rates
    if np.any(forever):
        events = np.where(forever, accrual.total * float(event_times.probability(math.inf, dropout)), events)
    return np.asarray(events)


def event_rate(time: ArrayLike, accrual: Accrual, event_times: EventTimes, dropout: float = 0.0) -> Array:
    """Events to expect per unit of calendar time: the derivative of `expected_events`, same arguments, finite times."""
    edges = real_array("time", time, "finite calendar times")[..., None] - np.array(accrual.breaks)
    probability = event_times.probability(edges, dropout)
    return np.asarray((probability[..., :-1] - probability[..., 1:]) @ accrual.rates)
