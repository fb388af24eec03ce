"""Product-limit curves of the arms of many trials: survival at given times, restricted means and their difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import number, numbers
from ...errors import InputError
from ..batch import BatchEstimates
from ..regression.trials import chunks
from .censored_times import SurvivalTrials, checked_trials
from .restricted_means import NO_SPREAD, area_under
from .risk_rows import RiskRows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ArmCurves", "SurvivalAt", "no_difference", "restricted_mean_trials", "survival_trials"]


@dataclass(frozen=True, slots=True, eq=False)
class ArmCurves:
    """One arm's product-limit curve in each of many trials, by places of the sorted trial (trials, places).

    Events are taken one by one, those censored at the same time last: d events among n at risk then multiply the curve
    by (n - 1) / n ... (n - d) / (n - d + 1) = (n - d) / n, as they should, and add d / (n (n - d)) to Greenwood's sum.

    Attributes
    ----------
    time
        Of all patients of the trial, infinite behind the last.
    survival
        Just after the patient at each place.
    terms
        What the patient adds to Greenwood's sum, 0 unless she is of the arm and had the event.
    last_time
        Longest follow-up in the arm, -infinity without patients, shape (trials,).
    """

    time: NDArray[np.float64]
    survival: NDArray[np.float64]
    terms: NDArray[np.float64]
    last_time: NDArray[np.float64]

    @classmethod
    def of(cls, rows: RiskRows, member: NDArray[np.bool_]) -> ArmCurves:
        """The curve of the members, by place of rows without strata."""
        upto = np.cumsum(member, axis=1, dtype=np.int64)
        at_risk = (upto[:, -1:] - upto + member).astype(float)
        steps = rows.event & member
        left = np.where(steps, at_risk - 1, at_risk)
        stays = np.divide(left, at_risk, out=np.ones_like(left), where=steps)
        survival: NDArray[np.float64] = np.cumprod(stays, axis=1, dtype=np.float64)
        terms = np.divide(1.0, at_risk * left, out=np.zeros_like(left), where=steps & (left > 0))
        return cls(rows.time, survival, terms, np.max(rows.time, axis=1, initial=-np.inf, where=member))

    @property
    def known_until(self) -> NDArray[np.float64]:
        """Time up to which the curve is known: the longest follow-up, or infinity once it is 0, shape (trials,)."""
        return np.where(self.survival[:, -1] == 0, np.inf, self.last_time)

    def at(self, time: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Survival at a time and its standard error, NaN where it is beyond what is known, shape (trials,)."""
        reached = np.count_nonzero(self.time <= time, axis=1)[:, None] - 1
        seen = reached[:, 0] >= 0
        survival = np.where(seen, np.take_along_axis(self.survival, reached, axis=1)[:, 0], 1.0)
        summed = np.take_along_axis(np.cumsum(self.terms, axis=1), reached, axis=1)[:, 0]
        error = survival * np.sqrt(np.where(seen, summed, 0.0))
        known = time <= self.known_until
        return np.where(known, survival, np.nan), np.where(known, error, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalAt:
    """Survival of both arms at given times; arrays of shape (trials, 2, times), control first.

    Attributes
    ----------
    survival, standard_error
        Product-limit estimate and Greenwood's standard error; NaN beyond the arm's longest follow-up, unless everybody
        had had the event by then, and where the arm has no patients.
    """

    survival: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def _curves(given: SurvivalTrials) -> tuple[ArmCurves, ArmCurves]:
    rows = RiskRows.of(given)
    experimental = rows.sorted(given.experimental) & rows.present
    return ArmCurves.of(rows, rows.present & ~experimental), ArmCurves.of(rows, experimental)


def _in_parts(given: SurvivalTrials) -> Iterator[tuple[slice, SurvivalTrials]]:
    for part in chunks(len(given), given.time.shape[1] * 8):
        yield part, given.only(part)


def survival_trials(time: ArrayLike, event: ArrayLike, arm: ArrayLike, times: ArrayLike) -> SurvivalAt:
    """Product-limit survival of both arms of many trials at given times (Kaplan & Meier 1958, JASA 53:457).

    Parameters
    ----------
    time, event, arm
        Shape (trials, patients), as for `log_rank_trials`.
    times
        0 or later, shape (times,).

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold what they should not.
    """
    given, wanted = checked_trials(time, event, arm), numbers("times", times)
    if np.any(wanted < 0):
        raise InputError("times", times, "times of 0 or later")
    found = np.full((2, len(given), 2, wanted.size), np.nan)
    for part, trials in _in_parts(given):
        for arm_at, curve in enumerate(_curves(trials)):
            for at, moment in enumerate(wanted.tolist()):
                found[:, part, arm_at, at] = curve.at(moment)
    return SurvivalAt(found[0], found[1])


def _steps(curve: ArmCurves) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    return curve.time, curve.survival, curve.terms


def no_difference(known: list[float], horizon: float) -> InputError:
    """Why there is no difference, given until when control's and the experimental curve are known."""
    for arm, until in zip(("experimental", "control"), reversed(known), strict=True):
        if until == -np.inf:
            return InputError("arm", arm, "at least one patient in each arm")
        if until < horizon:
            return InputError("horizon", horizon, f"a time within follow-up, which ends at {until:g}")
    return InputError("horizon", horizon, NO_SPREAD)


def restricted_mean_trials(time: ArrayLike, event: ArrayLike, arm: ArrayLike, horizon: float) -> BatchEstimates:
    """Differences of restricted mean survival times, experimental minus control, in units of time, of many trials.

    As `restricted_mean_difference` of one trial: area between the product-limit curves, Greenwood's variance.

    Parameters
    ----------
    time, event, arm
        Shape (trials, patients), as for `log_rank_trials`.
    horizon
        Above 0.

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold what they should not. A trial whose follow-up ends before the
        horizon, or in which nobody had the event before it, does not raise: its reason is among the `failures`.
    """
    horizon = number("horizon", horizon, "a finite time above 0")
    if not horizon > 0:
        raise InputError("horizon", horizon, "a finite time above 0")
    given = checked_trials(time, event, arm)
    effect, error = np.full(len(given), np.nan), np.full(len(given), np.nan)
    failures: dict[int, str] = {}
    for part, trials in _in_parts(given):
        control, experimental = _curves(trials)
        means, variances = zip(*(area_under(*_steps(curve), horizon) for curve in (control, experimental)), strict=True)
        effect[part], error[part] = means[1] - means[0], np.sqrt(variances[0] + variances[1])
        known = np.stack((control.known_until, experimental.known_until), axis=1)
        for at in np.flatnonzero((known.min(axis=1) < horizon) | (error[part] == 0)).tolist():
            failures[part.start + at] = str(no_difference(known[at].tolist(), horizon))
    return BatchEstimates.of(effect, error, failures=failures)
