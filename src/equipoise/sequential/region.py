"""Where a trial goes on: the continuation region of a stopping rule, and the probabilities of leaving it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .integration import DEFAULT_GRID, Grid, SubDensity, start

__all__ = ["Exits", "Region"]

Array = npt.NDArray[np.float64]
_BLOCK = 16.0  # drifts further apart than this get recursions of their own, so no likelihood ratio is extreme


@dataclass(frozen=True, eq=False)
class Exits:
    """Probabilities of first leaving a region at each look.

    Attributes
    ----------
    upper, lower
        Above and below, shape (drifts, looks).
    inner
        Into the wedge, shape (drifts, looks); zero without one.
    """

    upper: Array
    lower: Array
    inner: Array


@dataclass(frozen=True, eq=False)
class Region:
    """Trials go on strictly between `lower` and `upper`, and outside `inner`; z scale, arrays over looks.

    Attributes
    ----------
    information
        Information at each look, rising, shape (looks,).
    lower, upper
        Outer boundaries, shape (looks,); may be infinite.
    inner
        Lower and upper edge of a wedge where trials stop too (futility of a two-sided design), shape (looks,) each; no
        wedge at a look whose lower edge is not below the upper.
    """

    information: Array
    lower: Array
    upper: Array
    inner: tuple[Array, Array] | None = None

    @property
    def looks(self) -> int:
        """Number of looks."""
        return self.information.size

    @property
    def mirrored(self) -> Region:
        """The same region with the sign of z changed."""
        inner = None if self.inner is None else (-self.inner[1], -self.inner[0])
        return Region(self.information, -self.upper, -self.lower, inner)

    def first(self, looks: int) -> Region:
        """The region of the first looks alone."""
        inner = None if self.inner is None else (self.inner[0][:looks], self.inner[1][:looks])
        return Region(self.information[:looks], self.lower[:looks], self.upper[:looks], inner)

    def after(self, information: float, score: float) -> Region:
        """The looks still ahead of a trial that stands at `score`, S = z sqrt(t), with `information`.

        By independent increments the trial begins anew at score 0 and information 0, its boundaries shifted.
        """
        ahead = self.information > information
        times = self.information[ahead]
        left = times - information
        root, new_root = np.sqrt(times), np.sqrt(left)

        def shifted(bounds: Array) -> Array:
            return (bounds[ahead] * root - score) / new_root

        inner = None if self.inner is None else (shifted(self.inner[0]), shifted(self.inner[1]))
        return Region(left, shifted(self.lower), shifted(self.upper), inner)

    def edges(self, look: int) -> tuple[float, float, tuple[float, float] | None]:
        """Outer boundaries and wedge at a look (from 0) on the score scale."""
        root = math.sqrt(self.information[look])
        inner = None
        if self.inner is not None and self.inner[0][look] < self.inner[1][look]:
            inner = float(self.inner[0][look]) * root, float(self.inner[1][look]) * root
        return float(self.lower[look]) * root, float(self.upper[look]) * root, inner

    def states(
        self,
        drift: float,
        drifts: tuple[float, float] | None = None,
        looks: int | None = None,
        grid: Grid = DEFAULT_GRID,
    ) -> list[SubDensity]:
        """Sub-densities of the trials still running before each of looks 1..`looks` (by default all).

        Parameters
        ----------
        drift
            Drift per unit of information at which they are held.
        drifts
            Smallest and largest drift that will be asked for.
        looks
            How many.
        grid
            How finely to integrate.
        """
        states = [start(drift)]
        for look in range((self.looks if looks is None else looks) - 1):
            lower, upper, inner = self.edges(look)
            time, following = float(self.information[look]), float(self.information[look + 1])
            states.append(states[-1].advance(time, lower, upper, following, drifts, grid, inner))
        return states

    def exit_probabilities(self, drifts: Array, grid: Grid = DEFAULT_GRID) -> Exits:
        """Probabilities of first leaving above, below or into the wedge at each look, under `drifts` (drifts,)."""
        upper, lower, inner = (np.zeros((drifts.size, self.looks)) for _ in range(3))
        outer = np.concatenate((self.lower, self.upper))
        finite = np.isfinite(outer)
        # a trial that leaves through a far boundary has drifted towards it; beyond z of 40 none ever leaves
        within = np.abs(outer) < 40.0
        slopes = (outer / np.sqrt(np.concatenate((self.information, self.information))))[within]
        # beyond, every probability is 0 or 1 in double precision
        furthest = (max(np.abs(outer[finite]), default=0.0) + 40.0) / math.sqrt(self.information[0])
        drifts = np.clip(drifts, -furthest, furthest)
        blocks = np.floor(drifts / _BLOCK)
        for block in np.unique(blocks):
            chosen = np.flatnonzero(blocks == block)
            part = drifts[chosen]
            span = float(part.min()), float(part.max())
            drift = (span[0] + span[1]) / 2
            if block in (-1, 0):
                span = min(span[0], *slopes, 0.0), max(span[1], *slopes, 0.0)
            for look, state in enumerate(self.states(drift, span, grid=grid)):
                time = float(self.information[look])
                below, above, wedge = self.edges(look)
                upper[chosen, look] = state.upper_exit(time, above, part)
                lower[chosen, look] = state.lower_exit(time, below, part)
                if wedge is not None:
                    inner[chosen, look] = state.between(time, *wedge, part)
        return Exits(upper, lower, inner)
