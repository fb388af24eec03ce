"""What follows from z at one look of trials with the same looks before, held as Chebyshev series.

On either side of the bounds of a look everything `conclude` finds is an analytic function of z. Each stretch of z is
cut into panels, and on a panel the functions are interpolated at Chebyshev points (Trefethen 2013, Approximation Theory
and Approximation Practice, chapter 8): their distance to z, which is nearly straight. A panel is made when first asked
for and depends on nothing but the design, the looks and its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
import numpy.typing as npt

from .inference import StoppedTrial

__all__ = ["CHANNELS", "NODES", "StoppedTable", "series_at"]

Array = npt.NDArray[np.float64]
CHANNELS = 5
NODES = 24
_WIDEST, _NARROWEST = 2.0, 0.05  # of a panel
_INCREMENTS = 6.0  # as wide as so many standard deviations of z given the look before, at most
_FAR = 10**6
_TAILS = (1e-290, 1 - 1e-6)  # between, a tail probability has digits enough to be held as its normal score


@dataclass(frozen=True)
class Panel:
    """The functions on one panel.

    Attributes
    ----------
    series
        Chebyshev coefficients, shape (CHANNELS, NODES): z less its mean at the median-unbiased estimate, at the lower
        and upper limit, and at the bias-adjusted estimate; and the p-value.
    scored
        Whether the p-value is held as its normal score less z.
    """

    series: Array
    scored: bool


class StoppedTable:
    """Inference of `trial` as functions of z, of |z| when two-sided.

    Parameters
    ----------
    trial
        The trial at its look.
    sided
        Of the design: 2 holds z of at least 0 only, the rest following by symmetry.
    level
        Tail probability of either limit.
    bounds
        Of the decision there: efficacy, and futility, minus infinity for none; kept for whoever decides.
    """

    def __init__(self, trial: StoppedTrial, sided: int, level: float, bounds: tuple[float, float]) -> None:
        self.trial, self.sided, self.level, self.bounds = trial, sided, level, bounds
        self._panels: dict[tuple[int, int], Panel] = {}
        self._building = Lock()

    @cached_property
    def edges(self) -> tuple[float, float]:
        """z at or below which, and at or above which, a trial stops here; infinite where it does not."""
        region, at = self.trial.region, self.trial.look - 1
        if self.trial.look == self.trial.space.looks:
            return -math.inf, math.inf
        if self.sided == 1:
            return float(region.lower[at]), float(region.upper[at])
        wedge = -math.inf if region.inner is None else float(region.inner[1][at])
        return (wedge if wedge > 0 else -math.inf), float(region.upper[at])

    @cached_property
    def layout(self) -> Array:
        """Origin, width, first and last number of the panels below, between and above the edges, shape (3, 4)."""
        low, high = self.edges
        start = 0.0 if self.sided == 2 else -math.inf
        stretches = ((start, low), (max(start, low), high), (high, math.inf))
        # functions bend where trials crowd against the bounds of the look before, the more sharply the nearer it was
        since = np.diff(self.trial.information[: self.trial.look], prepend=0.0)[-1]
        spread = math.sqrt(since / self.trial.information[self.trial.look - 1])
        width = min(max(_INCREMENTS * spread, _NARROWEST), _WIDEST)
        return np.array([_panels(*stretch, width) for stretch in stretches])

    def panel(self, stretch: int, number: int) -> Panel:
        """A panel by its place in the layout."""
        found = self._panels.get((stretch, number))
        if found is None:
            with self._building:
                found = self._panels.get((stretch, number))
                if found is None:
                    found = self._panels[stretch, number] = self._built(stretch, number)
        return found

    def _built(self, stretch: int, number: int) -> Panel:
        from scipy.special import ndtri

        origin, width = self.layout[stretch, :2]
        z = origin + width * (number + 0.5 + 0.5 * _points())
        values = np.empty((CHANNELS, NODES))
        trial, probabilities = self.trial, (0.5, self.level, 1 - self.level)
        if trial.look == 1 and trial.region.edges(0)[2] is None:
            # nothing came before, and what would have come after is of no account
            values[:3] = -ndtri(probabilities)[:, None]
            values[4], scored = 0.0, True
        else:
            values[:3] = z - trial.means(z, probabilities).T
            tails = trial.tails(z)
            scored = bool(np.all((tails > _TAILS[0]) & (tails < _TAILS[1])))
            values[4] = -ndtri(tails) - z if scored else tails
        values[3] = z - trial.bias_adjusted_means(z)
        return Panel(values @ _transform(), scored)


def _panels(low: float, high: float, width: float) -> tuple[float, float, float, float]:
    if math.isfinite(low) and math.isfinite(high):
        count = max(1, math.ceil((high - low) / width))
        return low, (high - low) / count, 0, count - 1
    if math.isfinite(low):
        return low, width, 0, _FAR
    return (high, width, -_FAR, -1) if math.isfinite(high) else (0.0, width, -_FAR, _FAR)


def _points() -> Array:
    """Chebyshev points of the first kind, which leave out the ends, rising."""
    return -np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)


def _transform() -> Array:
    """From values at the points to coefficients, shape (points, coefficients)."""
    angles = np.pi * np.multiply.outer(NODES - 0.5 - np.arange(NODES), np.arange(NODES)) / NODES
    scale = np.full(NODES, 2.0 / NODES)
    scale[0] = 1.0 / NODES
    return np.cos(angles) * scale


def series_at(series: Array, which: npt.NDArray[np.intp], place: Array) -> Array:
    """Chebyshev series at places from -1 to 1 on their panels, by Clenshaw's recurrence.

    Parameters
    ----------
    series
        Coefficients, shape (panels, CHANNELS, NODES).
    which
        Panel of each place, shape (places,).
    place
        Shape (places,).

    Returns
    -------
    Shape (CHANNELS, places).
    """
    # one coefficient of every panel at a time
    ordered = np.ascontiguousarray(series.transpose(2, 1, 0))
    before, last = np.zeros((series.shape[1], place.size)), np.zeros((series.shape[1], place.size))
    for order in range(ordered.shape[0] - 1, 0, -1):
        before, last = last, ordered[order][:, which] + 2.0 * place * last - before
    return ordered[0][:, which] + place * last - before
