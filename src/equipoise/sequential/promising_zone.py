"""Sample size raised only where an interim result is promising."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, flag, instance, number
from ..errors import InputError
from .design import GroupSequential
from .roots import rising_root

__all__ = ["PromisingZone", "Zone", "adjusted_final_bound"]

Array = npt.NDArray[np.float64]


def adjusted_final_bound(design: GroupSequential, z: npt.ArrayLike, information: npt.ArrayLike) -> Any:
    """Bound b(z, n*) for the pooled z of the last look that keeps the level after information was changed.

    With z at the last but one look, held at fraction t, and c the planned final bound, the conventional statistic at
    final information n* (as a multiple of the planned) is held against

        b(z, n*) = [ sqrt((n* - t) / (1 - t)) (c - z sqrt(t)) + z sqrt(t) ] / sqrt(n*)

    (Gao, Ware & Mehta 2008, J Biopharm Stat 18:1184; Mehta & Pocock 2011, Stat Med 30:3267). It is the same test as
    the inverse normal combination with planned weights (Cui, Hung & Wang 1999).

    Parameters
    ----------
    design
        One-sided, with at least two looks.
    z
        At the last but one look, positive in favour of the experimental arm, any shape.
    information
        Final information as a multiple of the planned maximum, above t; of a shape that fits `z`.

    Raises
    ------
    InputError
        When z or information is not finite, or information is not above t.
    """
    time, bound = _penultimate(design)
    score = any_shape("z", z) * math.sqrt(time)
    final = any_shape("information", information, f"finite numbers, more than the {time:g} of the last but one look")
    if not np.all(final > time):
        raise InputError("information", information, f"more than the {time:g} of the last but one look")
    try:
        np.broadcast_shapes(score.shape, final.shape)
    except ValueError:
        raise InputError("information", information, f"a shape that fits that of z, {score.shape}") from None
    result = (np.sqrt((final - time) / (1 - time)) * (bound - score) + score) / np.sqrt(final)
    return float(result) if result.ndim == 0 else result


def _penultimate(design: GroupSequential) -> tuple[float, float]:
    instance("design", design, GroupSequential, "a one-sided GroupSequential design of at least two looks")
    if design.sided != 1:
        raise InputError("design.sided", design.sided, "1, for sample size is raised in one-sided designs")
    if design.looks < 2:
        raise InputError("design.looks", design.looks, "at least 2")
    return float(design.information[-2]), float(design.efficacy_bounds[-1])


class Zone(StrEnum):
    """What an interim result says of the sample size."""

    UNFAVOURABLE = "unfavourable"
    PROMISING = "promising"
    FAVOURABLE = "favourable"


@dataclass(frozen=True)
class PromisingZone:
    """Information raised only where interim results are promising (Mehta & Pocock 2011, Stat Med 30:3267).

    At the last but one look the conditional power under the observed trend is computed. Between `smallest` and `target`
    the final information is raised to what gives `target`, at most `maximum`. Elsewhere it stays as planned. From
    the smallest conditional power CP_min upwards the conventional final test, with the planned bound and no weights,
    keeps its level (Chen, DeMets & Lan 2004, Stat Med 23:1023; Gao, Ware & Mehta 2008, J Biopharm Stat 18:1184).

    Parameters
    ----------
    design
        One-sided, with at least two looks.
    maximum
        Largest final information as a multiple of the planned maximum; may be infinite.
    target
        Conditional power aimed at.
    smallest
        Lower edge of the zone as conditional power; by default CP_min. Below CP_min the final test must use
        `final_bound`.

    Raises
    ------
    InputError
        When a parameter is out of range.
    """

    design: GroupSequential
    maximum: float = 2.0
    target: float = 0.9
    smallest: float | None = None

    def __post_init__(self) -> None:
        _penultimate(self.design)
        right = "a multiple of the planned information above 1"
        if not number("maximum", self.maximum, right, infinite=True) > 1:
            raise InputError("maximum", self.maximum, right)
        right = "a conditional power between 0.5 and 1"
        if not 0.5 < number("target", self.target, right) < 1:
            raise InputError("target", self.target, right)
        right = "a conditional power between 0 and the target"
        if self.smallest is not None and not 0 < number("smallest", self.smallest, right) < self.target:
            raise InputError("smallest", self.smallest, right)

    @property
    def time(self) -> float:
        """Information fraction of the last but one look."""
        return float(self.design.information[-2])

    @property
    def bound(self) -> float:
        """Planned final bound on z."""
        return float(self.design.efficacy_bounds[-1])

    def conditional_power(self, z: npt.ArrayLike) -> Any:
        """Of rejecting at the last look as planned, if the trend observed at the last but one goes on; shape of z."""
        from scipy.special import ndtr

        given = any_shape("z", z)
        result = ndtr(-self._critical(given) + given * math.sqrt((1 - self.time) / self.time))
        return float(result) if np.ndim(result) == 0 else result

    def _critical(self, z: Any) -> Any:
        """z that the data still to come must reach, by themselves, as planned."""
        return (self.bound - z * math.sqrt(self.time)) / math.sqrt(1 - self.time)

    def _z_of(self, conditional_power: float) -> float:
        from scipy.special import ndtri

        root, rest = math.sqrt(self.time), math.sqrt(1 - self.time)
        return (self.bound / rest + float(ndtri(conditional_power))) / (root / rest + rest / root)

    def _needed(self, z: Any) -> Any:
        """Final information for conditional power `target` under the trend z > 0, the level kept."""
        from scipy.special import ndtri

        return (self.time / z**2) * (self._critical(z) + float(ndtri(self.target))) ** 2 + self.time

    @cached_property
    def smallest_conditional_power(self) -> float:
        """CP_min: from here to the target the adjusted bound b(z, n*(z)) is not above the planned one."""
        return self.conditional_power(self._smallest_z)

    @cached_property
    def _smallest_z(self) -> float:
        time, bound, highest = self.time, self.bound, self._z_of(self.target)
        if math.isfinite(self.maximum):
            stretch = math.sqrt((self.maximum - time) / (1 - time))
            at_maximum = bound * (stretch - math.sqrt(self.maximum)) / (math.sqrt(time) * (stretch - 1))
            if self._needed(at_maximum) >= self.maximum:
                return at_maximum

        def excess(z: float) -> float:
            gained = float(self._needed(z)) - time
            score = z * math.sqrt(time)
            return bound * math.sqrt(gained + time) - math.sqrt(gained) * float(self._critical(z)) - score

        # at conditional power 1/2 any increase lowers the bound; as z falls to 0 the information needed has no limit
        low, high = 0.0, min(self._z_of(0.5), highest)
        for _ in range(200):
            middle = 0.5 * (low + high)
            if middle in (low, high):
                break
            low, high = (low, middle) if excess(middle) > 0 else (middle, high)
        return high

    @cached_property
    def z_limits(self) -> tuple[float, float]:
        """z between which the zone is promising."""
        low = self._smallest_z if self.smallest is None else self._z_of(self.smallest)
        return low, self._z_of(self.target)

    def zone(self, z: float) -> Zone:
        """Where z of the last but one look lies.

        Raises
        ------
        InputError
            When z is not a finite number.
        """
        z, (low, high) = number("z", z), self.z_limits
        if z < low:
            return Zone.UNFAVOURABLE
        return Zone.PROMISING if z < high else Zone.FAVOURABLE

    def information(self, z: npt.ArrayLike) -> Any:
        """Final information as a multiple of the planned maximum, given z of the last but one look; shape of z."""
        given = any_shape("z", z)
        low, high = self.z_limits
        promising = (given >= low) & (given < high) & (given > 0)
        needed = np.clip(self._needed(np.where(promising, given, high)), 1.0, self.maximum)
        result = np.where(promising, needed, 1.0)
        return float(result) if result.ndim == 0 else result

    def final_bound(self, z: npt.ArrayLike) -> Any:
        """b(z, n*(z)), the bound that spends the level exactly; shape of z. See `adjusted_final_bound`."""
        return adjusted_final_bound(self.design, z, self.information(z))

    def power(self, drift: float, adjusted: bool = False) -> float:
        """Probability of rejecting, `drift` = theta * sqrt(planned I_max); at drift 0 the type I error.

        Stops for futility count, binding or not.

        Parameters
        ----------
        drift
            Mean of z at the planned maximum of information.
        adjusted
            Whether the final test uses `final_bound` rather than the planned bound.
        """
        from scipy.special import ndtr

        adjusted = flag("adjusted", adjusted)
        early, z, mass = self._interim(drift)
        final = np.asarray(self.information(z))
        bound = self.final_bound(z) if adjusted else self.bound
        gained = final - self.time
        to_go = (np.asarray(bound) * np.sqrt(final) - z * math.sqrt(self.time)) / np.sqrt(gained)
        return early + float(mass @ ndtr(drift * np.sqrt(gained) - to_go))

    def expected_information(self, drift: float) -> float:
        """Mean information at the end of the trial, as a multiple of the planned maximum; `drift` as for `power`."""
        _, z, mass = self._interim(drift)
        exits = self.design.region().first(self.design.looks - 1).exit_probabilities(np.array([drift]))
        stopped = (exits.upper + exits.lower)[0]
        return float(stopped @ np.array(self.design.information[:-1]) + mass @ np.asarray(self.information(z)))

    def _interim(self, drift: float) -> tuple[float, Array, Array]:
        """Probability of an earlier rejection; z and quadrature mass of trials going on at the last but one look."""
        drift = number("drift", drift)
        region = self.design.region()
        looks = region.looks - 1
        at = np.array([drift])
        early = float(region.first(looks).exit_probabilities(at).upper.sum())
        state = region.states(drift, (min(drift, 0.0), max(drift, 0.0)), looks)[-1]
        root, scale = math.sqrt(self.time), math.sqrt(self.time - state.information)
        low, high = self.z_limits
        breaks = {low, high}
        if math.isfinite(self.maximum) and self._needed(low) > self.maximum:
            breaks.add(
                rising_root(lambda z: -math.log(float(self._needed(min(max(z, low), high))) / self.maximum), low)
            )
        window = drift * root - 9.0, drift * root + 9.0
        ends = [max(float(region.lower[looks - 1]), window[0]), min(float(region.upper[looks - 1]), window[1])]
        edges = sorted({*ends, *(edge for edge in breaks if ends[0] < edge < ends[1])})
        points, weights = np.polynomial.legendre.leggauss(24)
        z_parts, mass_parts = [], []
        for left, right in pairwise(edges):
            pieces = max(1, math.ceil((right - left) / (2.0 * scale / root)))
            half = (right - left) / (2 * pieces)
            middles = left + half * (2 * np.arange(pieces) + 1)
            z_parts.append((middles[:, None] + half * points).ravel())
            mass_parts.append(np.tile(weights * half, pieces))
        if not z_parts:
            return early, np.empty(0), np.empty(0)
        z, step = np.concatenate(z_parts), np.concatenate(mass_parts)
        distance = np.subtract.outer(z * root, state.score) / scale - drift * scale
        density = np.exp(-0.5 * distance**2) @ state.mass / (scale * math.sqrt(2 * math.pi))
        return early, z, density * step * root

    def __str__(self) -> str:
        low, high = self.z_limits
        return (
            f"Promising zone at information {self.time:g}: conditional power {self.conditional_power(low):.4f} to "
            f"{self.target:g} (z {low:.4f} to {high:.4f}); final information up to {self.maximum:g} times the "
            f"planned; the planned final bound {self.bound:.4f} holds from conditional power "
            f"{self.smallest_conditional_power:.4f}"
        )

    __repr__ = __str__
