"""The log-rank test of several groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import number
from ...errors import InputError
from .censored_times import SurvivalTrials, checked_censored_times
from .log_rank import checked_strata, event_weights
from .risk_rows import RiskRows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LogRankGroups", "log_rank_groups"]

_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class LogRankGroups:
    """A log-rank test of k groups; unpacks as `chi_square, p_value`.

    Attributes
    ----------
    groups
        Labels, sorted.
    patients
        In each group, shape (k,).
    observed, expected
        Events of each group, and those expected had the hazards been equal; weighted where the test is; shape (k,).
    variance
        Covariance of observed - expected, shape (k, k), of rank k - 1.
    chi_square, degrees_of_freedom
        Of the groups of which events were expected, one fewer than these.
    rho
        Exponent of the weights; 0 for the log-rank test itself.
    """

    groups: tuple[Any, ...]
    patients: NDArray[np.intp]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    chi_square: float
    degrees_of_freedom: int
    rho: float = 0.0

    @property
    def p_value(self) -> float:
        """Of the chi-square on its degrees of freedom."""
        from scipy.special import chdtrc

        return float(chdtrc(self.degrees_of_freedom, self.chi_square))

    def __iter__(self) -> Iterator[float]:
        return iter((self.chi_square, self.p_value))

    def __str__(self) -> str:
        name = f"Fleming-Harrington (rho {self.rho:g})" if self.rho else "log-rank"
        lines = [f"{name} chi-square {self.chi_square:.4g} on {self.degrees_of_freedom} df, p {self.p_value:.4g}"]
        for parts in zip(self.groups, self.patients, self.observed, self.expected, strict=True):
            lines.append("  {}: {} patients, {:.4g} events, {:.4g} expected".format(*parts))
        return "\n".join(lines)

    __repr__ = __str__


def log_rank_groups(
    time: ArrayLike, event: ArrayLike, group: ArrayLike, strata: ArrayLike | None = None, rho: float = 0.0
) -> LogRankGroups:
    """Log-rank test that the hazards of two or more groups are equal.

    Mantel 1966, Cancer Chemother Rep 50:163; Peto & Peto 1972, JRSS A 135:185. With two groups it is `log_rank`.

    Parameters
    ----------
    time, event
        Follow-up times and event flags (1 event, 0 censored), shape (patients,).
    group
        Labels, one a patient.
    strata, rho
        As for `log_rank`.

    Raises
    ------
    InputError
        For times or flags out of range, fewer than two groups, or groups that were not at risk together when events
        happened, so that the test does not exist.
    """
    times, had_event = checked_censored_times(time, event)
    labels = np.asarray(group)
    if labels.shape != times.shape:
        raise InputError("group", labels.shape, f"one group for each of {times.size} patients")
    names, code = np.unique(labels, return_inverse=True)
    if names.size < 2:
        raise InputError("group", names.tolist(), "patients in at least two groups")
    everyone = np.ones((1, times.size), dtype=bool)
    codes = None if strata is None else checked_strata(strata, times.size)[None]
    rows = RiskRows.of(SurvivalTrials(times[None], had_event[None], everyone, everyone, codes))
    at = rows.at
    weights = event_weights(rows, number("rho", rho))
    weights = np.ones(at.first.size) if weights is None else weights
    members = [rows.sorted((code == one)[None]) & rows.present for one in range(names.size)]
    share = np.stack([at.members_at_risk(member) for member in members]) / at.at_risk
    observed = np.stack([at.members_with_events(member) for member in members]) @ weights
    expected = (share * at.events) @ weights
    spread = weights**2 * at.events * (at.at_risk - at.events) / np.maximum(at.at_risk - 1, 1)
    variance = np.diag(share @ spread) - (share * spread) @ share.T

    tested = np.flatnonzero(expected > 0)[1:]
    gap, matrix = (observed - expected)[tested], variance[np.ix_(tested, tested)]
    if not tested.size or np.linalg.eigvalsh(matrix)[0] <= _SINGULAR * np.trace(matrix):
        raise InputError("event", int(had_event.sum()), "events while the groups are at risk together")
    return LogRankGroups(
        tuple(names.tolist()),
        np.bincount(code.reshape(-1)),
        observed,
        expected,
        variance,
        float(gap @ np.linalg.solve(matrix, gap)),
        int(tested.size),
        float(rho),
    )
