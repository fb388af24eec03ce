"""Win ratio, win odds and net benefit of a hierarchical composite, of one trial or many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Estimate, Scale
from ..batch import BatchEstimates
from .two_arms import no_patients
from .win_components import WinComponent, WinData, win_data
from .win_variances import log_slope, win_variances

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["WinError", "WinStatistics", "WinStatisticsBatch", "win_statistics", "win_statistics_batch"]

WinError = Literal["null", "pooled", "unconstrained"]
ERRORS = ("null", "pooled", "unconstrained")
SCALES = (Scale.LOG_WIN_RATIO, Scale.LOG_WIN_ODDS, Scale.NET_BENEFIT, Scale.WIN_PROBABILITY)


@dataclass(frozen=True, slots=True, eq=False)
class WinStatisticsBatch:
    """Win statistics of many trials; arrays of shape (trials,) unless told, NaN where there are no pairs.

    Attributes
    ----------
    won, lost
        Shares of all pairs that the experimental patient won and lost; of several strata weighted by 1 / n.
    won_at, lost_at
        The same by the component that decided, shape (trials, components).
    null_variance
        Of won - lost over all ways to divide the patients of each stratum into the arms (Finkelstein & Schoenfeld
        1999).
    pooled_variance
        The same as a U-statistic of two arms between which there is no difference (Dong et al. 2016, 2018).
    covariance
        Of won and lost as U-statistics whatever the difference (Bebu & Lachin 2016): variance of won, variance of lost,
        covariance, shape (trials, 3); NaN where a stratum has an arm with a single patient.
    pairs
        Number of pairs within strata.
    refusals
        Why a trial has no win statistics, by its number from 0.
    """

    won: NDArray[np.float64]
    lost: NDArray[np.float64]
    won_at: NDArray[np.float64]
    lost_at: NDArray[np.float64]
    null_variance: NDArray[np.float64]
    pooled_variance: NDArray[np.float64]
    covariance: NDArray[np.float64]
    pairs: NDArray[np.intp]
    refusals: dict[int, InputError] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.won)

    def estimates(self, scale: Scale, error: WinError = "null") -> BatchEstimates:
        """Estimates as `WinStatistics.estimate` gives them; a trial it refuses is NaN, with the reason."""
        effect, spread, refusals = self._on_scale(scale, error)
        failures = {at: str(refusal) for at, refusal in refusals.items()}
        return BatchEstimates.of(effect, spread, failures=failures)

    def _on_scale(
        self, scale: Scale, error: WinError
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[int, InputError]]:
        """Effect and standard error on a scale, and the refusals; see `WinStatistics.estimate`."""
        if scale not in SCALES:
            raise InputError(
                "scale", scale, "the log win ratio, the log win odds, the net benefit or the win probability"
            )
        kind = choice("error", error, ERRORS)
        won, lost = self.won, self.lost
        benefit = won - lost
        of_won, of_lost, of_both = self.covariance.T
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind == "unconstrained":
                variance = of_won - 2 * of_both + of_lost
            else:
                variance = self.null_variance if kind == "null" else self.pooled_variance
            if scale is Scale.LOG_WIN_RATIO:
                effect = np.log(won / lost)
                if kind == "unconstrained":
                    variance = of_won / won**2 - 2 * of_both / (won * lost) + of_lost / lost**2
                else:
                    slope = log_slope(benefit / (won + lost)) if kind == "null" else 2.0
                    variance = variance * (slope / (won + lost)) ** 2
            elif scale is Scale.LOG_WIN_ODDS:
                effect = np.log1p(benefit) - np.log1p(-benefit)
                slope = {"null": log_slope(benefit), "pooled": 2.0, "unconstrained": 2 / (1 - benefit**2)}[kind]
                variance = variance * slope**2
            elif scale is Scale.NET_BENEFIT:
                effect = benefit
            else:
                effect, variance = (1 + benefit) / 2, variance / 4
            spread = np.sqrt(np.where(variance > 0, variance, np.nan))
        refusals = dict(self.refusals)
        for at in np.flatnonzero(~(np.isfinite(effect) & np.isfinite(spread))).tolist():
            refusals.setdefault(at, self._reason(at, scale, kind))
        return effect, spread, refusals

    def _reason(self, at: int, scale: Scale, error: WinError) -> InputError:
        """Why a trial with pairs gives no estimate."""
        won, lost = float(self.won[at]), float(self.lost[at])
        if won + lost == 0:
            return InputError("pairs", "all tied", "pairs of patients of whom one does better")
        if scale is Scale.LOG_WIN_RATIO and min(won, lost) == 0:
            return InputError("pairs", "all won" if lost == 0 else "all lost", "pairs won and lost, for a win ratio")
        unknown = {"null": False, "pooled": not np.isfinite(self.pooled_variance[at])}
        if unknown.get(error, np.isnan(self.covariance[at]).any()):
            return InputError("strata", "an arm of one patient", "two patients of each arm in each stratum")
        return InputError("win statistics", (won, lost), "arms whose outcomes overlap, for a standard error")


@dataclass(frozen=True, slots=True)
class WinStatistics:
    """Win statistics of one trial.

    Attributes
    ----------
    won, lost
        Shares of all pairs that the experimental patient won and lost; of several strata weighted by 1 / n.
    won_at, lost_at
        The same by the component that decided, the first component first.
    pairs
        Number of pairs within strata.
    """

    won: float
    lost: float
    won_at: tuple[float, ...]
    lost_at: tuple[float, ...]
    pairs: int
    _batch: WinStatisticsBatch = field(repr=False, compare=False)

    @property
    def tied(self) -> float:
        """Share of all pairs that no component decided."""
        return max(0.0, 1 - self.won - self.lost)

    @property
    def ratio(self) -> float:
        """Win ratio, won / lost; infinite where no pair was lost, NaN where none was decided."""
        if self.lost == 0:
            return math.inf if self.won else math.nan
        return self.won / self.lost

    @property
    def odds(self) -> float:
        """Win odds, ties shared: (won + tied / 2) / (lost + tied / 2)."""
        below = self.lost + self.tied / 2
        return math.inf if below == 0 else (self.won + self.tied / 2) / below

    @property
    def net_benefit(self) -> float:
        """Won less lost, from -1 to 1."""
        return self.won - self.lost

    def estimate(self, scale: Scale, error: WinError = "null", label: str = "") -> Estimate:
        """As an `Estimate` with a normal reference, higher being better.

        Parameters
        ----------
        scale
            Log win ratio, log win odds, net benefit or win probability (null value 1/2).
        error
            "null": by permutation, if the arms do not differ; what a test or a stopping rule wants. Of a logarithm it
            is test-based, the effect over the z of the net benefit (Miettinen 1976, Am J Epidemiol 103:226), so that z
            is the permutation test's on every scale; where as many pairs are won as lost, its limit there, which is
            the delta method's. "pooled": the U-statistic's if they do not differ, which R's WINS gives.
            "unconstrained": whatever the difference; what an interval wants. Both by the delta method.

        Raises
        ------
        InputError
            Where no pair was decided, none won or none lost (win ratio), or the standard error is not defined.
        """
        effect, spread, refusals = self._batch._on_scale(scale, error)
        if refusals:
            raise refusals[0]
        return Estimate(
            float(effect[0]),
            float(spread[0]),
            scale=scale,
            better="higher",
            null_value=Scale(scale).null_value,
            label=label or Scale(scale).natural_name,
        )

    def __str__(self) -> str:
        return (
            f"win ratio {self.ratio:.4g}, win odds {self.odds:.4g}, net benefit {self.net_benefit:.4g}: of {self.pairs}"
            f" pairs {100 * self.won:.1f}% won, {100 * self.lost:.1f}% lost, {100 * self.tied:.1f}% tied"
        )


def _statistics(data: WinData) -> WinStatisticsBatch:
    by_level, of_patient = data.compared()
    sizes = data.sizes
    pairs = (sizes[0] * sizes[1]).astype(float)
    patients = sizes.sum(axis=0).astype(float)
    weight = np.where(pairs > 0, 1 / np.maximum(patients, 1), 0.0)
    total = np.sum(weight * pairs, axis=1)
    none = total == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        share = weight / total[:, None]
    shares_at = np.einsum("ts,tscw->tcw", share, by_level)
    won, lost = shares_at.sum(axis=1).T
    null, pooled, covariance = win_variances(data, of_patient, sizes, share)
    for values in (null, pooled, covariance):
        values[none] = np.nan
    refusals = {}
    for at in np.flatnonzero(none).tolist():
        arms = sizes[:, at].sum(axis=1)
        refusals[at] = (
            no_patients(*arms)
            if arms.min() == 0
            else InputError("strata", "none with both arms", "a stratum with patients of both arms")
        )
    return WinStatisticsBatch(
        won,
        lost,
        shares_at[:, :, 0],
        shares_at[:, :, 1],
        null,
        pooled,
        covariance,
        pairs.sum(axis=1).astype(np.intp),
        refusals,
    )


def win_statistics_batch(
    values: ArrayLike,
    arm: ArrayLike,
    components: Sequence[WinComponent],
    *,
    observed: ArrayLike | None = None,
    followed: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> WinStatisticsBatch:
    """Win statistics of many trials at once; see `win_statistics`.

    Parameters
    ----------
    values, observed, followed
        Shape (trials, patients, components).
    arm, strata
        Shape (trials, patients).
    """
    return _statistics(win_data(values, arm, components, observed, followed, strata, 2))


def win_statistics(
    values: ArrayLike,
    arm: ArrayLike,
    components: Sequence[WinComponent],
    *,
    observed: ArrayLike | None = None,
    followed: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> WinStatistics:
    """Compare each experimental patient with each of control, the most important component first.

    A pair goes to the first component that decides it. The shares of pairs won and lost give the win ratio (Pocock,
    Ariti, Collier & Wang 2012, Eur Heart J 33:176), the win odds (Dong et al. 2020; Brunner, Vandemeulebroecke & Muetze
    2021, Stat Med 40:3367) and the net benefit (Buyse 2010, Stat Med 29:3245); strata are combined with weights 1 / n
    (Dong et al. 2018, J Biopharm Stat 28:778).

    Parameters
    ----------
    values
        One column a component, in order of priority, shape (patients, components); times in any unit, scores, 1 and 0
        for yes and no; NaN where missing, so that the component decides nothing.
    arm
        1 (experimental), 0 (control) or -1 (left out), shape (patients,).
    components
        How each column is compared.
    observed
        Of times: whether the event happened (true) or follow-up ended (false), shape (patients, components); other
        components do not use it. All happened when None.
    followed
        Of counts: how long they were counted, infinite for the whole of the time, shape (patients, components). Of two
        patients counted for different times the one with more is known to have more over their common follow-up only
        where she is the one followed for less; otherwise the component decides nothing. The whole time when None.
    strata
        Labels, shape (patients,): patients are compared within strata only.

    Raises
    ------
    InputError
        For bad input, an arm without patients, or no stratum with patients of both.
    """
    found = _statistics(win_data(values, arm, components, observed, followed, strata, 1))
    if found.refusals:
        raise found.refusals[0]
    return WinStatistics(
        float(found.won[0]),
        float(found.lost[0]),
        tuple(found.won_at[0].tolist()),
        tuple(found.lost_at[0].tolist()),
        int(found.pairs[0]),
        found,
    )
