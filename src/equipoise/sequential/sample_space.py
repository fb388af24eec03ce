"""Every outcome a trial under a stopping rule may have: the look at which it stops, and the score there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..checks import instance, number, numbers, whole
from ..errors import InputError
from .integration import DEFAULT_GRID, SubDensity
from .region import Region

__all__ = ["Block", "Exit", "SampleSpace", "Stop", "log_mass", "sample_space"]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]
Block = tuple[int, int]

# Drifts as far apart as this, in standard errors of the last look, share one recursion.
_BLOCK = 8.0
# How steeply the logarithm of an integrand may run over one panel before panels are halved, and how often at most.
_STEEPEST = 40.0
_HALVINGS = 6


class Exit(StrEnum):
    """Where a trial leaves the continuation region."""

    ABOVE = "above"
    BELOW = "below"
    INSIDE = "inside"
    LAST = "last look"


@dataclass(frozen=True)
class Stop:
    """A set of outcomes: stopping at one look with a score in one interval.

    Attributes
    ----------
    look
        From 1.
    exit
        Where the trial leaves; at the last look every score stops.
    low, high
        Ends of the interval on the score scale, perhaps infinite.
    """

    look: int
    exit: Exit
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class SampleSpace:
    """The outcomes (look, score) of a trial that follows a region to its end; at the last look it stops anywhere.

    Scores are S = z sqrt(information), drifts are per unit of information. Sub-densities are kept from one question to
    the next, for blocks of drifts.

    Attributes
    ----------
    region
        Continuation region, all looks; bounds at the last look are of no account here. A look where it is empty is the
        last.

    Raises
    ------
    InputError
        When the region is none.
    """

    region: Region
    _held: dict[Block, list[SubDensity]] = field(default_factory=dict, init=False, repr=False)
    first_look: dict[Block, list[Array]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        region = instance("region", self.region, Region, "a Region such as design.region()")
        for look in range(region.looks - 1):
            lower, upper, inner = region.edges(look)
            if lower >= upper or (inner is not None and inner[0] <= lower and inner[1] >= upper):
                object.__setattr__(self, "region", region.first(look + 1))
                return

    @property
    def looks(self) -> int:
        """Number of looks."""
        return self.region.looks

    @property
    def information(self) -> Array:
        """Information at each look, shape (looks,)."""
        return self.region.information

    def checked_look(self, look: int) -> int:
        """A look from 1 to `looks`.

        Raises
        ------
        InputError
            When it is none.
        """
        right = f"a look from 1 to {self.looks}" if self.looks > 1 else "1, the only look"
        if not 1 <= whole("look", look, right) <= self.looks:
            raise InputError("look", look, right)
        return int(look)

    def at(self, look: int, z: Array) -> tuple[int, Array]:
        """A look from 1 to `looks`, and finite z-values there, shape (z,); a number counts as one.

        Raises
        ------
        InputError
            When they are none.
        """
        return self.checked_look(look), numbers("z", z, "finite numbers")

    @cached_property
    def mirrored(self) -> SampleSpace:
        """The same outcomes with the sign of the score changed."""
        return SampleSpace(self.region.mirrored)

    def ending(self, look: int, z: float) -> SampleSpace:
        """The space of a trial that ended at `look` with `z`: this one, unless the region says to go on there.

        Then it is that of a trial planned to end at that look, see `sample_space`.
        """
        region = self.region
        if look < region.looks:
            lower, upper, inner = float(region.lower[look - 1]), float(region.upper[look - 1]), None
            if region.inner is not None and region.inner[0][look - 1] < region.inner[1][look - 1]:
                inner = float(region.inner[0][look - 1]), float(region.inner[1][look - 1])
            if lower < z < upper and (inner is None or not inner[0] <= z <= inner[1]):
                return SampleSpace(region.first(look))
        return self

    def edges(self, look: int) -> tuple[float, float, tuple[float, float] | None]:
        """Score at or below which, at or above which, and between which a trial stops at `look` (from 1)."""
        lower, upper, inner = self.region.edges(look - 1)
        return lower, max(upper, lower), inner

    def stops(self, look: int) -> Iterator[Stop]:
        """The ways out at `look`."""
        look = self.checked_look(look)
        if look == self.looks:
            yield Stop(look, Exit.LAST, -math.inf, math.inf)
            return
        lower, upper, inner = self.edges(look)
        if upper < math.inf:
            yield Stop(look, Exit.ABOVE, upper, math.inf)
        if lower > -math.inf:
            yield Stop(look, Exit.BELOW, -math.inf, lower)
        if inner is not None:
            yield Stop(look, Exit.INSIDE, max(lower, inner[0]), min(upper, inner[1]))

    def drift_of(self, block: Block) -> float:
        """Drift at which the sub-densities of a block are held."""
        return block[0] * _BLOCK / math.sqrt(self.information[-1])

    def states(self, block: Block) -> list[SubDensity]:
        """Sub-densities of the trials still running before each look, held at the middle of a block of drifts.

        They reach as far as the neighbouring blocks, and as far as trials on their way to any finite boundary. The
        second number of the block says how often panels are halved.
        """
        if block not in self._held:
            region, width = self.region, _BLOCK / math.sqrt(self.information[-1])
            outer = np.concatenate((region.lower[:-1], region.upper[:-1]))
            roots = np.sqrt(np.concatenate((region.information[:-1], region.information[:-1])))
            finite = np.isfinite(outer)
            slopes = (outer / roots)[finite]
            centre = self.drift_of(block)
            span = min((centre - width, *slopes)), max((centre + width, *slopes))
            grid = replace(DEFAULT_GRID, width=DEFAULT_GRID.width / 2 ** block[1])
            self._held[block] = region.states(centre, span, grid=grid)
        return self._held[block]

    def block_of(self, drift: float) -> Block:
        """The block that a drift lies in."""
        return round(drift * math.sqrt(self.information[-1]) / _BLOCK), 0

    def blocks(
        self, drifts: Array, look: int | None = None, scores: Array | None = None
    ) -> Iterator[tuple[Block, Chosen]]:
        """The blocks that drifts (drifts,) lie in, and which lie in each.

        Given scores (drifts,) at a look, blocks are fine enough for ways that end there: beyond the bounds of the look
        before they crowd against the bound, so steeply that ordinary panels would be too wide.
        """
        places = np.round(drifts * math.sqrt(self.information[-1]) / _BLOCK)
        halvings = np.zeros(drifts.shape)
        if look is not None and look > 1 and scores is not None:
            times = (0.0, *self.information)
            before, after = times[look - 1] - times[look - 2], times[look] - times[look - 1]
            lower, upper, _ = self.edges(look - 1)
            slope = np.maximum(np.maximum(scores - upper, lower - scores), 0.0) / after
            over_panel = slope * DEFAULT_GRID.width * math.sqrt(before * after / (before + after))
            halvings = np.ceil(np.log2(np.clip(over_panel / _STEEPEST, 1.0, 2.0**_HALVINGS)))
        if np.all(places == places[:1]) and np.all(halvings == halvings[:1]):
            if places.size:
                yield (int(places[0]), int(halvings[0])), np.arange(places.size)
            return
        for place, halving in np.unique(np.stack((places, halvings), axis=1), axis=0):
            yield (int(place), int(halving)), np.flatnonzero((places == place) & (halvings == halving))

    def towards(self, look: int, drifts: Array) -> Array:
        """Drifts (drifts,) no steeper than the way to the bounds of the look before `look`, where trials ran until."""
        if look == 1:
            return drifts
        before = float(self.information[look - 2])
        lower, upper, _ = self.edges(look - 1)
        return np.clip(drifts, lower / before, upper / before)

    def upper_set(self, thresholds: Array, drifts: Array) -> Array:
        """Probability, under each drift, of stopping at some look with a score at or above that look's threshold.

        Parameters
        ----------
        thresholds
            Score scale, shape (drifts, looks); with fewer columns than looks, every trial stops at the last of them.
        drifts
            Shape (drifts,).
        """
        total = np.zeros(drifts.shape)
        for block, chosen in self.blocks(drifts):
            states = self.states(block)
            for look in range(thresholds.shape[1]):
                last = look + 1 == thresholds.shape[1]
                total[chosen] += self._stopped_above(states[look], look, last, thresholds[chosen, look], drifts[chosen])
        return total

    def _stopped_above(self, state: SubDensity, look: int, last: bool, threshold: Array, drifts: Array) -> Array:
        from scipy.special import ndtr

        lower, upper, inner = self.edges(look + 1)
        scale = math.sqrt(self.information[look] - state.information)
        mass = state.tilted(drifts)
        ahead = state.score / scale + (drifts * scale)[:, None]
        total = np.zeros(drifts.shape)

        def add(bound: Array | float, sign: float) -> None:
            exits = ndtr(ahead - np.asarray(bound).reshape(-1, 1) / scale)
            np.add(total, sign * np.einsum("ij,ij->i", mass, exits), out=total)

        if last:
            add(threshold, 1.0)
            return total
        if upper < math.inf:
            add(np.maximum(threshold, upper), 1.0)
        for low, high in (() if inner is None else (inner,)) + ((-math.inf, lower),):
            if np.any(threshold < high):
                add(np.clip(threshold, low, high), 1.0)
                add(high, -1.0)
        return total

    def log_density(self, look: int, scores: Array, block: Block) -> Array:
        """Logarithm of the sub-density of stopping at `look` with each of `scores` (scores,), under a block's drift.

        Wherever the trial would not stop it is the density of those still running.
        """
        state = self.states(block)[look - 1]
        exponent = self.log_kernel(look, scores, block)
        highest = exponent.max(axis=1)
        gained = self.information[look - 1] - state.information
        return highest + np.log(np.exp(exponent - highest[:, None]).sum(axis=1)) - 0.5 * math.log(2 * math.pi * gained)

    def log_kernel(self, look: int, scores: Array, block: Block) -> Array:
        """Log weight of the way from each node of the look before to each of `scores`, shape (scores, nodes)."""
        state = self.states(block)[look - 1]
        gained = self.information[look - 1] - state.information
        exponent = np.subtract.outer(scores - state.drift * gained, state.score)
        np.multiply(exponent, exponent, out=exponent)
        exponent *= -0.5 / gained
        exponent += log_mass(state)
        return exponent


def log_mass(state: SubDensity) -> Array:
    """Logarithm of the mass at the nodes; what has underflowed is as good as nothing."""
    return np.log(np.maximum(state.mass, 1e-320))


def sample_space(region: Region | SampleSpace, look: int, z: float) -> SampleSpace:
    """The sample space that an outcome belongs to.

    A trial that ended at `look` though its z lies where the region says to go on (stopped at a futility bound that
    inference leaves out, or by decision of its sponsor) belongs to a trial planned to end at that look.

    Raises
    ------
    InputError
        When the region or look is none, or z not finite.
    """
    if not isinstance(region, SampleSpace):
        region = SampleSpace(instance("region", region, Region, "a Region such as design.region()"))
    right = f"a look from 1 to {region.looks}" if region.looks > 1 else "1, the only look"
    if not 1 <= whole("look", look, right) <= region.looks:
        raise InputError("look", look, right)
    return region.ending(look, number("z", z))
