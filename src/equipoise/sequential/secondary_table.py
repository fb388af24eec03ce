"""What a second estimate loses by the stop, as functions of z and the correlation, held as Chebyshev series.

Panels of z are those of `stopped_table`. In the correlation rho the quantiles of rho (M - z) + sqrt(1 - rho^2) N have
one series from -1 to 1: with rho = cos(angle) they are even, periodic and analytic in the angle. So may the shifts be
held given that a look was reached, while nothing cuts z off; where a bound does they run off as z nears it, and are
solved trial by trial, as they are where the look before was so near that no series will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from threading import Lock

import numpy as np
import numpy.typing as npt

from .inference import StoppedTrial
from .sample_space import SampleSpace
from .secondary_conditional import conditional_shifts
from .secondary_law import ConfidenceLaw
from .stopped_table import NODES, StoppedTable
from .unbiased import unbiased_estimate

__all__ = ["SecondaryTable"]

Array = npt.NDArray[np.float64]
_FEWEST, _MOST = 24, 96  # coefficients in the correlation; in either variable
_ENOUGH = 1e-10  # of the last of them


class SecondaryTable:
    """Shifts of the second estimate after trials of one design with the same looks; see `StoppedTable`.

    Parameters
    ----------
    trial
        The trial at its look.
    sided
        Of the design: 2 holds z of at least 0 only, the rest following by symmetry.
    level
        Tail probability of either limit.
    bounds
        Of the decision there.
    """

    def __init__(self, trial: StoppedTrial, sided: int, level: float, bounds: tuple[float, float]) -> None:
        self.trial = trial
        self.probabilities = np.array((0.5, level, 1.0 - level))
        self.place = StoppedTable(trial, sided, level, bounds)
        self._panels: dict[tuple[int, int], tuple[Array, Array, Array | None]] = {}
        self._building = Lock()

    def space(self, z: float) -> SampleSpace:
        """The outcomes a trial might have had that ended with z here."""
        return self.trial.space.ending(self.trial.look, z)

    @cached_property
    def first(self) -> bool:
        """Whether nothing came before, so that the stage-wise ordering and the unbiased estimate change nothing."""
        return self.trial.look == 1 and self.trial.region.edges(0)[2] is None

    def shifts(self, stretch: int, number: int, place: Array, correlation: Array) -> tuple[Array, Array, Array | None]:
        """What to add to y, for trials on one panel.

        Parameters
        ----------
        stretch, number
            The panel, as in the layout of `StoppedTable`.
        place
            Of each z on it, from -1 to 1, shape (trials,).
        correlation
            Shape (trials,).

        Returns
        -------
        By the confidence distribution, at the median and either limit, (3, trials); z less the mean of the unbiased
        estimate, (trials,); and given the look, (3, trials), or None where it is not held.
        """
        with self._building:
            if (stretch, number) not in self._panels:
                self._panels[stretch, number] = self._built(stretch, number)
            law, unbiased, given = self._panels[stretch, number]
        zero = np.zeros(place.size)
        return (
            _series(law, place, correlation),
            _series(unbiased, place, zero)[0],
            None if given is None else _series(given, place, correlation),
        )

    def holds(self, stretch: int, number: int) -> bool:
        """Whether a panel has been made."""
        return (stretch, number) in self._panels

    def singly(self, z: Array, correlation: Array) -> tuple[Array, Array]:
        """The first two of `shifts` without series, for trials that end in one way with `z`, shape (trials,)."""
        look, root = self.trial.look, math.sqrt(self.trial.information[self.trial.look - 1])
        unbiased = z - unbiased_estimate(self.space(float(z[0])), look, z) * root
        if self.first:
            return self._untouched(z.size, 1)[:, :, 0], unbiased
        return ConfidenceLaw.of(self.trial, z).paired(correlation, self.probabilities), unbiased

    def _built(self, stretch: int, number: int) -> tuple[Array, Array, Array | None]:
        origin, width = self.place.layout[stretch, :2]
        trial, look = self.trial, self.trial.look
        space, root = self.space(origin + width * (number + 0.5)), math.sqrt(trial.information[look - 1])
        laws: dict[int, ConfidenceLaw] = {}

        def at(place: Array) -> Array:
            return origin + width * (number + 0.5 + 0.5 * place)

        def by_law(place: Array, correlation: Array) -> Array:
            if self.first:
                return self._untouched(place.size, correlation.size)
            if place.size not in laws:
                laws[place.size] = ConfidenceLaw.of(trial, at(place))
            return laws[place.size].quantiles(correlation, self.probabilities)

        def unbiased(place: Array, correlation: Array) -> Array:
            z = at(place)
            lost = z - unbiased_estimate(space, look, z) * root
            return np.broadcast_to(lost[:, None], (1, z.size, correlation.size))

        def by_look(place: Array, correlation: Array) -> Array:
            if look == 1:
                return self._untouched(place.size, correlation.size)
            shape = 3, place.size, correlation.size
            which, where, of = (index.ravel() for index in np.indices(shape))
            given = at(place)[where], correlation[of], self.probabilities[which]
            return conditional_shifts(space, look, *given, cut=False).reshape(shape)

        reached, held = _coefficients(by_look) if look == space.looks else (None, False)
        return _coefficients(by_law)[0], _coefficients(unbiased, fewest=2)[0], reached if held else None

    def _untouched(self, values: int, correlations: int) -> Array:
        from scipy.special import ndtri

        return np.broadcast_to(ndtri(self.probabilities)[:, None, None], (3, values, correlations))


def _coefficients(function: Callable[[Array, Array], Array], fewest: int = _FEWEST) -> tuple[Array, bool]:
    """Coefficients of functions of the place on a panel and the correlation, shape (functions, places, correlations).

    As many as it takes for the last ones to be negligible, and whether they are. As these fall geometrically their
    square is what to expect of twice as many; where that would not do either no more are tried.
    """
    counts = NODES, fewest
    while True:
        along, across = (_transform(count) for count in counts)
        found = along @ function(_points(counts[0]), _points(counts[1])) @ across.T
        size = np.abs(found).max(axis=0)
        last = float(size[-2:].max()), float(size[:, -2:].max()) if fewest > 2 else 0.0
        left = [_MOST / count for count in counts]
        if max(last) <= _ENOUGH:
            return found, True
        if any(size > _ENOUGH and size**more > _ENOUGH for size, more in zip(last, left, strict=True)):
            return found, False
        counts = tuple(2 * count if size > _ENOUGH else count for count, size in zip(counts, last, strict=True))


def _series(coefficients: Array, place: Array, correlation: Array) -> Array:
    """Series in both variables, shape (functions, trials)."""
    along = np.polynomial.chebyshev.chebvander(place, coefficients.shape[1] - 1)
    across = np.polynomial.chebyshev.chebvander(correlation, coefficients.shape[2] - 1)
    return np.array([np.einsum("ij,ij->i", along @ one, across) for one in coefficients])


def _points(count: int) -> Array:
    """Chebyshev points of the first kind, rising."""
    return -np.cos(np.pi * (np.arange(count) + 0.5) / count)


def _transform(count: int) -> Array:
    """From values at the points to coefficients, shape (coefficients, points)."""
    angles = np.pi * np.multiply.outer(np.arange(count), count - 0.5 - np.arange(count)) / count
    scale = np.full(count, 2.0 / count)
    scale[0] = 1.0 / count
    return np.cos(angles) * scale[:, None]
