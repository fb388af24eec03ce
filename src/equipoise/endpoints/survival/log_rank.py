"""The log-rank test of two arms and its weighted relatives, stratified if asked; of one trial and of many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import number
from ...errors import InputError
from ...estimate import Better, Estimate, Scale
from ..batch import BatchEstimates
from ..regression.trials import chunks
from .censored_times import SurvivalTrials, checked_censored_times, checked_trials
from .risk_rows import EventTimes, RiskRows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LogRank",
    "LogRanks",
    "checked_strata",
    "event_weights",
    "log_rank",
    "log_rank_of",
    "log_rank_trials",
    "no_test",
]

_TOGETHER = "an event while both groups are at risk"


@dataclass(frozen=True, slots=True)
class LogRank:
    """A log-rank test; unpacks as `z, p_value`.

    Attributes
    ----------
    observed, expected
        Events of group 1, and those expected had the hazards been equal; weighted where the test is.
    variance
        Of observed - expected, hypergeometric (Mantel 1966).
    rho
        Exponent of the weights; 0 for the log-rank test itself.
    """

    observed: float
    expected: float
    variance: float
    rho: float = 0.0

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

        Raises
        ------
        InputError
            Of a weighted test, which estimates no hazard ratio.
        """
        if self.rho:
            raise InputError("rho", self.rho, "0, for the one-step hazard ratio is of the log-rank test itself")
        return Estimate(
            (self.observed - self.expected) / self.variance,
            1 / math.sqrt(self.variance),
            scale=Scale.LOG_HAZARD_RATIO,
            better=better,
            label=label,
        )

    def __str__(self) -> str:
        name = f"Fleming-Harrington (rho {self.rho:g})" if self.rho else "log-rank"
        return (
            f"{name} z {self.z:.4g}, p {self.p_value:.4g}: {self.observed:.4g} events in group 1, {self.expected:.4g} "
            f"expected (variance {self.variance:.4g})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class LogRanks:
    """Log-rank tests of many trials, experimental arm against control; arrays of shape (trials,).

    Attributes
    ----------
    observed, expected
        Events of the experimental arm and those expected had the hazards been equal; weighted where the test is.
    variance
        Of observed - expected; 0 where no event happened while both arms were at risk.
    events
        Of both arms together.
    failures
        Why a trial has no test, by its number from 0; `z` is NaN there.
    rho
        Exponent of the weights.
    """

    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    events: NDArray[np.intp]
    failures: dict[int, InputError]
    rho: float = 0.0

    def __len__(self) -> int:
        return len(self.observed)

    @property
    def z(self) -> NDArray[np.float64]:
        """(observed - expected) / sqrt(variance): positive where the experimental arm has its events sooner."""
        return (self.observed - self.expected) * self._error

    @property
    def _error(self) -> NDArray[np.float64]:
        """1 / sqrt(variance), NaN where there is no test."""
        known = np.ones(len(self), dtype=bool)
        known[list(self.failures)] = False
        return 1 / np.sqrt(np.where(known, self.variance, np.nan))

    def estimates(self) -> BatchEstimates:
        """One-step log hazard ratios, as `LogRank.estimate` gives them; raises `InputError` of weighted tests."""
        if self.rho:
            raise InputError("rho", self.rho, "0, for the one-step hazard ratio is of the log-rank test itself")
        error = self._error
        reasons = {at: str(reason) for at, reason in self.failures.items()}
        return BatchEstimates.of(self.z * error, error, failures=reasons)


def event_weights(rows: RiskRows, rho: float) -> NDArray[np.float64] | None:
    """Weights S(t-)^rho of the times of events, S the survival of all patients of the row; None for ones.

    Harrington & Fleming 1982, Biometrika 69:553.
    """
    return rows.at.survival_before(rows) ** rho if rho else None


def _moments(
    at: EventTimes, experimental: NDArray[np.bool_], weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], ...]:
    """Observed and expected events of the experimental arm and the variance of their difference, shape (trials,) each.

    Sums of Mantel's tables (1966, Cancer Chemother Rep 50:163), one for each time; `experimental` is by place.
    """
    share = at.members_at_risk(experimental) / at.at_risk
    observed, expected = at.members_with_events(experimental), at.events * share
    spread = expected * (1 - share)
    if at.tied:
        spread = spread * ((at.at_risk - at.events) / np.maximum(at.at_risk - 1, 1))
    if weights is not None:
        observed, expected, spread = weights * observed, weights * expected, weights**2 * spread
    return at.by_trial(observed), at.by_trial(expected), at.by_trial(spread)


def log_rank_of(given: SurvivalTrials, rho: float = 0.0, rows: RiskRows | None = None) -> LogRanks:
    """Log-rank tests of trials that are checked already, and sorted if `rows` are given."""
    rows = RiskRows.of(given) if rows is None else rows
    experimental = rows.sorted(given.experimental) & rows.present
    observed, expected, variance = _moments(rows.at, experimental, event_weights(rows, rho))
    events = np.count_nonzero(given.event, axis=1)
    failures = {}
    for trial in np.flatnonzero(variance <= 0).tolist():
        sizes = [int(np.count_nonzero(given.present[trial] & (given.experimental[trial] == arm))) for arm in (0, 1)]
        failures[trial] = no_test(sizes, int(events[trial]))
    return LogRanks(observed, expected, variance, events, failures, rho)


def no_test(sizes: list[int], events: int) -> InputError:
    """Why a trial with so many patients (control first) and events has no test."""
    if min(sizes) == 0:
        return InputError("arm", sizes, "patients in both groups (control first)")
    return InputError("event", events, _TOGETHER)


def log_rank_trials(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, strata: ArrayLike | None = None, *, rho: float = 0.0
) -> LogRanks:
    """`log_rank` of many trials.

    Parameters
    ----------
    time, event, arm
        Shape (trials, patients): follow-up (NaN where not known), event flags, and 0 (control), 1 (experimental) or -1
        (no patient, or one of another arm).
    strata
        Codes 0, 1, ... in that shape, -1 where not known.
    rho
        Exponent of the weights.

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold what they should not. A trial without a test does not raise: its
        reason is among the `failures`.
    """
    given = checked_trials(time, event, arm, strata)
    rho = number("rho", rho)
    width = given.time.shape[1] * (4 if given.strata is None else 8)
    parts = [log_rank_of(given.only(part), rho) for part in chunks(max(len(given), 1), width)]
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    failures = {
        start + at: why for start, part in zip(starts, parts, strict=False) for at, why in part.failures.items()
    }
    return LogRanks(
        np.concatenate([part.observed for part in parts]),
        np.concatenate([part.expected for part in parts]),
        np.concatenate([part.variance for part in parts]),
        np.concatenate([part.events for part in parts]),
        failures,
        rho,
    )


def checked_strata(strata: ArrayLike | None, patients: int) -> NDArray[np.intp]:
    """Labels of strata as codes 0, 1, ..., shape (patients,); all 0 without strata.

    Raises
    ------
    InputError
        Unless there is one a patient.
    """
    if strata is None:
        return np.zeros(patients, dtype=np.intp)
    labels = np.asarray(strata)
    if labels.shape != (patients,):
        raise InputError("strata", labels.shape, f"one label for each of {patients} patients")
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def log_rank(
    time: ArrayLike, event: ArrayLike, group: ArrayLike, strata: ArrayLike | None = None, rho: float = 0.0
) -> LogRank:
    """Log-rank test of equal hazards in two groups (Mantel 1966, Cancer Chemother Rep 50:163; Peto & Peto 1972).

    Parameters
    ----------
    time, event
        Follow-up times and event flags (1 event, 0 censored), shape (patients,).
    group
        1 (experimental) or 0 (control) for each patient.
    strata
        Labels, one a patient: observed, expected and variance are summed over strata.
    rho
        Events are weighted by S(t-)^rho, S the product-limit survival of both groups together, within the stratum
        (Harrington & Fleming 1982, Biometrika 69:553): 0 is the log-rank test, 1 the Peto-Peto form of Wilcoxon's,
        which weighs early events more.

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
    codes = None if strata is None else checked_strata(strata, times.size)[None]
    given = SurvivalTrials(times[None], had_event[None], second[None], np.ones((1, times.size), dtype=bool), codes)
    found = log_rank_of(given, number("rho", rho))
    if found.failures:
        raise found.failures[0]
    observed = float(found.observed[0])
    return LogRank(observed if rho else int(observed), float(found.expected[0]), float(found.variance[0]), float(rho))
