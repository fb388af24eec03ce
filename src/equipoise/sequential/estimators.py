"""Estimators of the drift after a sequential trial, all behind one face.

A new estimator is a small class with `estimate`, and a place in `ESTIMATORS`. Which to report is discussed by Robertson
et al. 2023 (Stat Med 42:122 and 42:2496): the maximum likelihood estimate is biased, the others trade bias against
variance, the conditional ones answer for the look at which the trial stopped.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..checks import confidence_level, instance
from ..errors import InputError
from .conditional import (
    Given,
    conditional_estimate_and_interval,
    conditional_likelihood_estimate,
    conditional_quantile,
    stops_given,
)
from .orderings import LikelihoodRatio, Ordering, SampleMean, StageWise
from .region import Region
from .root_arrays import rising_roots
from .sample_space import Exit, SampleSpace, Stop, sample_space
from .unbiased import unbiased_estimate

__all__ = [
    "ESTIMATORS",
    "BiasAdjusted",
    "ConditionalLikelihood",
    "ConditionalMedian",
    "DriftEstimate",
    "Estimator",
    "MaximumLikelihood",
    "MedianUnbiased",
    "Unbiased",
    "estimates",
    "mean_of_likelihood_estimate",
]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]


class Estimator(ABC):
    """An estimate of the drift from the look at which a trial stopped and its z there."""

    name: str

    @abstractmethod
    def estimate(self, space: SampleSpace, look: int, z: Array) -> Array:
        """Estimates for each z (z,) at `look` (from 1); they rise with z within one way of stopping."""

    def interval(self, space: SampleSpace, look: int, z: Array, level: float) -> tuple[Array, Array] | None:
        """Equal-tailed confidence limits for each z (z,), or None where the estimator brings none."""
        return None

    def with_interval(
        self, space: SampleSpace, look: int, z: Array, level: float
    ) -> tuple[Array, Array | None, Array | None]:
        """Estimates and confidence limits for each z (z,), where they are cheaper to find together."""
        estimate, limits = self.estimate(space, look, z), self.interval(space, look, z, level)
        return (estimate, None, None) if limits is None else (estimate, *limits)

    def divergence(self, space: SampleSpace, stop: Stop) -> float | None:
        """None when the estimate has mean and variance among the trials of a stop; if not, what its mean is.

        Minus infinity, infinity, or nan where it diverges both ways.
        """
        return None


@dataclass(frozen=True)
class MaximumLikelihood(Estimator):
    """z / sqrt(t), as if there had been no interim look; so is its interval."""

    name: str = "maximum likelihood"

    def estimate(self, space: SampleSpace, look: int, z: Array) -> Array:
        """z / sqrt(t) for each z (z,)."""
        look, z = _outcomes(space, look, z)
        return z / math.sqrt(space.information[look - 1])

    def interval(self, space: SampleSpace, look: int, z: Array, level: float) -> tuple[Array, Array]:
        """Limits of the fixed-sample interval for each z (z,)."""
        from scipy.special import ndtri

        look, z = _outcomes(space, look, z)
        level = confidence_level(level)
        root, half = math.sqrt(space.information[look - 1]), float(ndtri(0.5 + 0.5 * level))
        return (z - half) / root, (z + half) / root


@dataclass(frozen=True)
class MedianUnbiased(Estimator):
    """The drift under which higher and lower outcomes are as likely, in an ordering of outcomes.

    Attributes
    ----------
    ordering
        `StageWise()`, `SampleMean()`, `LikelihoodRatio()` or `ScoreTest()`.
    """

    ordering: Ordering

    def __post_init__(self) -> None:
        instance("ordering", self.ordering, Ordering, "an ordering such as StageWise()")

    @property
    def name(self) -> str:
        """With the name of the ordering."""
        return f"median-unbiased, {self.ordering.name}"

    def estimate(self, space: SampleSpace, look: int, z: Array) -> Array:
        """Drift under which an outcome at least as high has probability 1/2, for each z (z,)."""
        look, z = _outcomes(space, look, z)
        return self.ordering.drift_at(space, look, z, np.full(z.shape, 0.5))

    def interval(self, space: SampleSpace, look: int, z: Array, level: float) -> tuple[Array, Array]:
        """Limits by the ordering for each z (z,)."""
        return self.ordering.interval(space, look, z, level)

    def with_interval(self, space: SampleSpace, look: int, z: Array, level: float) -> tuple[Array, Array, Array]:
        """Estimates and limits, found together, for each z (z,)."""
        return self.ordering.estimate_and_interval(space, look, z, level)


@dataclass(frozen=True)
class BiasAdjusted(Estimator):
    """The drift under which the maximum likelihood estimate would average the one observed.

    Whitehead 1986, Biometrika 73:573. It takes away most of the bias, not exactly all.
    """

    name: str = "bias-adjusted"

    def estimate(self, space: SampleSpace, look: int, z: Array) -> Array:
        """Whitehead's estimate for each z (z,)."""
        look, z = _outcomes(space, look, z)
        observed = z / math.sqrt(space.information[look - 1])

        def excess(drifts: Array, chosen: Chosen) -> Array:
            return mean_of_likelihood_estimate(space, drifts) - observed[chosen]

        return rising_roots(excess, observed, 1.0, 1.0 / math.sqrt(space.information[-1]))


@dataclass(frozen=True)
class Unbiased(Estimator):
    """Mean of the first look's estimate given the outcome (uniform minimum variance unbiased), see `unbiased`."""

    name: str = "unbiased"

    def estimate(self, space: SampleSpace, look: int, z: Array) -> Array:
        """Unbiased estimate for each z (z,)."""
        look, z = _outcomes(space, look, z)
        return unbiased_estimate(space, look, z)


@dataclass(frozen=True)
class _GivenStop(Estimator):
    """An estimator that takes the stop as given, see `conditional`.

    Attributes
    ----------
    given
        The look alone, or the way out there as well.
    """

    given: Given = Given.LOOK

    def __post_init__(self) -> None:
        object.__setattr__(self, "given", _given(self.given))

    def divergence(self, space: SampleSpace, stop: Stop) -> float | None:
        """What the mean of the estimate is among the trials of a stop, where it has none; see `Estimator`."""
        return _divergence(space, stop, self.given)


@dataclass(frozen=True)
class ConditionalLikelihood(_GivenStop):
    """Maximum likelihood given the stop, see `conditional`; `given` the look alone, or the way out there as well."""

    @property
    def name(self) -> str:
        """With what is given."""
        return f"conditional maximum likelihood, given {self.given}"

    def estimate(self, space: SampleSpace, look: int, z: Array) -> Array:
        """Conditional maximum likelihood estimate for each z (z,)."""
        look, z = _outcomes(space, look, z)
        return conditional_likelihood_estimate(space, look, z, self.given)


@dataclass(frozen=True)
class ConditionalMedian(_GivenStop):
    """Median-unbiased, and an interval of exact coverage, given the stop; `given` as for `ConditionalLikelihood`."""

    @property
    def name(self) -> str:
        """With what is given."""
        return f"conditional median-unbiased, given {self.given}"

    def estimate(self, space: SampleSpace, look: int, z: Array) -> Array:
        """Conditional median-unbiased estimate for each z (z,)."""
        look, z = _outcomes(space, look, z)
        return conditional_quantile(space, look, z, 0.5, self.given)

    def interval(self, space: SampleSpace, look: int, z: Array, level: float) -> tuple[Array, Array]:
        """Conditional limits for each z (z,)."""
        return self.with_interval(space, look, z, level)[1:]

    def with_interval(self, space: SampleSpace, look: int, z: Array, level: float) -> tuple[Array, Array, Array]:
        """Estimates and limits, found together, for each z (z,)."""
        look, z = _outcomes(space, look, z)
        level = confidence_level(level)
        return conditional_estimate_and_interval(space, look, z, level, self.given)


def _outcomes(space: SampleSpace, look: int, z: Array) -> tuple[int, Array]:
    return instance("space", space, SampleSpace, "a SampleSpace").at(look, z)


def _given(given: Given) -> Given:
    try:
        return Given(given)
    except ValueError:
        raise InputError("given", given, "Given.LOOK or Given.EXIT") from None


def _divergence(space: SampleSpace, stop: Stop, given: Given) -> float | None:
    """Conditional estimates diverge where a score nears a finite end of all that would have stopped."""
    stops = stops_given(space, stop, given)
    down = stop == stops[0] and math.isfinite(stop.low)
    up = stop == stops[-1] and math.isfinite(stop.high)
    if down or up:
        return math.nan if down and up else (-math.inf if down else math.inf)
    return None


ESTIMATORS: tuple[Estimator, ...] = (
    MaximumLikelihood(),
    MedianUnbiased(StageWise()),
    MedianUnbiased(SampleMean()),
    MedianUnbiased(LikelihoodRatio()),
    BiasAdjusted(),
    Unbiased(),
    ConditionalLikelihood(),
    ConditionalMedian(),
)


@dataclass(frozen=True)
class DriftEstimate:
    """What one estimator makes of one outcome, in drift per unit of information.

    Attributes
    ----------
    estimator
        Its name.
    estimate
        Infinite for a conditional estimate exactly at the bound.
    lower, upper
        Confidence limits; None where the estimator brings none.
    """

    estimator: str
    estimate: float
    lower: float | None
    upper: float | None


def estimates(
    region: Region | SampleSpace,
    look: int,
    z: float,
    level: float = 0.95,
    estimators: Estimator | Sequence[Estimator] = ESTIMATORS,
) -> tuple[DriftEstimate, ...]:
    """Every estimate of the drift after a trial that followed `region` stopped at `look` with `z`.

    Parameters
    ----------
    region
        Continuation region that inference respects, with the looks that were still planned; or its sample space, where
        other questions have been asked of it.
    look
        Look at which the trial stopped, from 1. Where z lies inside the region, the trial counts as planned to
        end there.
    z
        The test statistic there.
    level
        Of the confidence intervals.
    estimators
        Which; a single one counts as one of them.

    Raises
    ------
    InputError
        When an argument is of another kind, the look is none of the region, z is not finite, or the level not between 0
        and 1.
    """
    space, at = sample_space(region, look, z), np.array([z])
    level, right = confidence_level(level), "estimators such as MaximumLikelihood()"
    if isinstance(estimators, Estimator):
        estimators = (estimators,)
    if isinstance(estimators, str | type) or not isinstance(estimators, Iterable):
        raise InputError("estimators", estimators, right)
    rows = []
    for estimator in estimators:
        instance("estimators", estimator, Estimator, right)
        estimate, *limits = estimator.with_interval(space, look, at, level)
        lower, upper = (None if limit is None else float(limit[0]) for limit in limits)
        rows.append(DriftEstimate(estimator.name, float(estimate[0]), lower, upper))
    return tuple(rows)


def mean_of_likelihood_estimate(space: SampleSpace, drifts: Array) -> Array:
    """Mean of the maximum likelihood estimate S_T / t_T over all outcomes, under each of `drifts` (drifts,)."""
    means = np.zeros(drifts.shape)
    for block, chosen in space.blocks(drifts):
        part = drifts[chosen]
        for look, state in enumerate(space.states(block), start=1):
            time = float(space.information[look - 1])
            for stop in space.stops(look):
                moment = (
                    state.lower_moment(time, stop.high, part)
                    if stop.exit is Exit.BELOW
                    else state.upper_moment(time, stop.low, part)
                )
                if stop.exit is Exit.INSIDE:
                    moment = moment - state.upper_moment(time, stop.high, part)
                means[chosen] += moment / time
    return means
