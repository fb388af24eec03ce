"""The two-group log-rank test, stratified if asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...estimate import Better, Estimate, Scale
from .censored_times import checked_censored_times

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LogRank", "log_rank"]


@dataclass(frozen=True, slots=True)
class LogRank:
    """A log-rank test; unpacks as `z, p_value`.

    Attributes
    ----------
    observed, expected
        Events of group 1, and those expected had the hazards been equal.
    variance
        Of observed - expected, hypergeometric (Mantel 1966).
    """

    observed: int
    expected: float
    variance: float

    @property
    def z(self) -> float:
        """(observed - expected) / sqrt(variance): positive where group 1 has its events sooner."""
        return (self.observed - self.expected) / math.sqrt(self.variance)

    @property
    def chi_square(self) -> float:
        """z squared, on one degree of freedom."""
        return self.z**2

    @property
    def p_value(self) -> float:
        """Two-sided p-value."""
        from scipy.special import ndtr

        return 2 * float(ndtr(-abs(self.z)))

    def __iter__(self) -> Iterator[float]:
        return iter((self.z, self.p_value))

    def estimate(self, better: Better = "lower", label: str = "hazard ratio (one step)") -> Estimate:
        """One-step estimate of the log hazard ratio, group 1 against group 0: (O - E) / V with variance 1 / V.

        Peto's estimate (Yusuf et al. 1985, Prog Cardiovasc Dis 27:335, appendix): its z-value is exactly the
        log-rank z and its information exactly V. It leans towards 1 for large effects or unequal groups.
        """
        return Estimate(
            (self.observed - self.expected) / self.variance,
            1 / math.sqrt(self.variance),
            scale=Scale.LOG_HAZARD_RATIO,
            better=better,
            label=label,
        )

    def __str__(self) -> str:
        return (
            f"log-rank z {self.z:.4g}, p {self.p_value:.4g}: {self.observed} events in group 1, {self.expected:.4g} "
            f"expected (variance {self.variance:.4g})"
        )


def _moments(
    times: NDArray[np.float64], had_event: NDArray[np.bool_], second: NDArray[np.bool_]
) -> tuple[float, float]:
    """Expected events of the group marked by `second` and their variance, summed over event times (Mantel 1966)."""
    at, events = np.unique(times[had_event], return_counts=True)
    at_risk = times.size - np.searchsorted(np.sort(times), at, side="left")
    at_risk_second = np.count_nonzero(second) - np.searchsorted(np.sort(times[second]), at, side="left")
    share = at_risk_second / at_risk
    spread = np.where(at_risk > 1, events * share * (1 - share) * (at_risk - events) / np.maximum(at_risk - 1, 1), 0.0)
    return float(np.sum(events * share)), float(np.sum(spread))


def log_rank(time: ArrayLike, event: ArrayLike, group: ArrayLike, strata: ArrayLike | None = None) -> LogRank:
    """Log-rank test of equal hazards in two groups (Mantel 1966, Cancer Chemother Rep 50:163; Peto & Peto 1972).

    Parameters
    ----------
    time, event
        Follow-up times and event flags (1 event, 0 censored), shape (patients,).
    group
        1 (experimental) or 0 (control) for each patient.
    strata
        Labels, one a patient: observed, expected and variance are summed over strata.

    Returns
    -------
    LogRank
        `z` is positive where group 1 has its events sooner, as the log hazard ratio is; swapping the groups changes
        its sign only.

    Raises
    ------
    InputError
        For times or flags out of range, a group without patients, or where no event happened while both groups
        were at risk, so that the test does not exist.
    """
    times, had_event = checked_censored_times(time, event)
    labels = np.asarray(group)
    if labels.shape != times.shape:
        raise InputError("group", labels.shape, f"one group for each of {times.size} patients")
    if not np.all((labels == 0) | (labels == 1)):
        raise InputError("group", np.unique(labels).tolist(), "1 (experimental) or 0 (control)")
    second = labels == 1
    if second.all() or not second.any():
        raise InputError("group", np.unique(labels).tolist(), "patients in both groups")
    stratum = np.zeros(times.size) if strata is None else np.asarray(strata)
    if stratum.shape != times.shape:
        raise InputError("strata", stratum.shape, f"one label for each of {times.size} patients")

    expected = variance = 0.0
    for label in np.unique(stratum):
        here = stratum == label
        more_expected, more_variance = _moments(times[here], had_event[here], second[here])
        expected, variance = expected + more_expected, variance + more_variance
    if variance <= 0:
        raise InputError("event", int(had_event.sum()), "an event while both groups are at risk")
    return LogRank(int(np.count_nonzero(had_event & second)), expected, variance)
