"""Early stops by one product of p-values, the last look by another: Fisher's test seen under an effect.

The p-values of a trial under an effect, u_j, are uniform; those of the test of no effect, on which it stops early, have
normal scores that lie higher by the mean of the stage. So both weighted products have to be carried from look to look.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..checks import number, numbers
from ..errors import InputError
from .weighted_product import power

__all__ = ["shifted_tail"]

Array = npt.NDArray[np.float64]
_REACH = 8.5
_PANELS = 12
_POINTS = 12


def shifted_tail(exponents: Array, thresholds: Array, floors: Array, means: Array, evidence: float) -> float:
    """Probability of an earlier rejection or of at least this evidence against the effect at the last look.

    Parameters
    ----------
    exponents
        Shape (looks,).
    thresholds, floors
        Of the evidence against no effect, which stop a trial before the last look; shape (looks - 1,).
    means
        Mean of the normal score of each stage's p-value against no effect; shape (looks,).
    evidence
        -log of the weighted product of the u_j.

    Raises
    ------
    InputError
        When they are not numbers of that shape.

    Notes
    -----
    The last two stages are integrated in closed form, those before by nested Gauss-Legendre quadrature, cut where
    the last stages cease to matter. One quadrature for three looks, two for four.
    """
    from scipy.special import log_ndtr, ndtr, ndtri_exp

    exponents = numbers("exponents", exponents, "positive numbers, one a look")
    if not exponents.size or not np.all(exponents > 0):
        raise InputError("exponents", exponents, "positive numbers, one a look")
    looks = exponents.size
    thresholds = _sized("thresholds", thresholds, looks - 1, infinite=True)
    floors, means = _sized("floors", floors, looks - 1), _sized("means", means, looks)
    evidence = number("evidence", evidence, "a number", infinite=True)
    if looks == 1:
        return math.exp(-max(evidence, 0.0) / float(exponents[0]))
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    nodes = (nodes + 1) / 2

    def critical(look: int, against_none: Array) -> Array:
        """Normal score of u at or above which the trial rejects at this look."""
        left = np.maximum(thresholds[look] - against_none, 0.0)
        return -ndtri_exp(-left / exponents[look]) - means[look]

    def floor(look: int) -> float:
        """Normal score of u at or below which it stops for futility."""
        return (
            -float(ndtri_exp(-floors[look] / exponents[look])) - float(means[look]) if floors[look] > 0 else -math.inf
        )

    def closed(against_none: Array, against_effect: Array) -> Array:
        """Probability of going on at the last but one look and having the evidence at the last."""
        least = ndtr(-critical(looks - 2, against_none))
        gap = np.maximum(evidence - against_effect, 0.0)
        certain = np.exp(-gap / exponents[-2])
        start = np.clip(np.maximum(least, certain), 1e-320, most)
        slope = 1 - float(exponents[-2] / exponents[-1])
        width = log_most - np.log(start)
        # integral of u^(slope - 1) from start to most, steady as slope goes to 0
        grown = width if slope == 0 else np.expm1(width * slope) / slope
        later = np.exp(-gap / exponents[-1] + slope * np.log(start)) * grown
        return np.maximum(np.minimum(certain, most) - least, 0.0) + np.where(least < most, later, 0.0)

    def bend(against_none: Array, against_effect: Array) -> Array:
        least = -critical(looks - 2, against_none)
        return log_ndtr(least) + np.maximum(evidence - against_effect, 0.0) / exponents[-2]

    def moved(look: int, z: Array, against_none: Array, against_effect: Array) -> tuple[Array, Array]:
        exponent = exponents[look]
        return against_none - exponent * log_ndtr(-z - means[look]), against_effect - exponent * log_ndtr(-z)

    def ahead(look: int, against_none: Array, against_effect: Array) -> Array:
        if look == looks - 2:
            return closed(against_none, against_effect)
        first = min(max(floor(look), -_REACH), _REACH)
        last = np.clip(critical(look, against_none), first, _REACH)
        edges = first + np.multiply.outer(last - first, np.arange(_PANELS + 1) / _PANELS)
        cuts = [-ndtri_exp(-np.maximum(enough - against_effect, 0.0) / exponents[look]) for enough in sufficient]
        for stop in thresholds[look + 1 :] - floors[look + 1 :]:
            cuts.append(-ndtri_exp(-np.maximum(stop - against_none, 0.0) / exponents[look]) - means[look])
        inside = np.clip(np.stack(cuts, axis=1), first, last[:, None])
        edges = np.sort(np.concatenate((edges, inside), axis=1), axis=1)
        if look == looks - 3:
            edges = _cut(edges, lambda z: bend(*moved(look, z, against_none[:, None], against_effect[:, None])))
        left, width = edges[:, :-1, None], np.diff(edges, axis=1)[:, :, None]
        z = left + width * nodes
        state = moved(look, z, against_none[:, None, None], against_effect[:, None, None])
        later = ahead(look + 1, state[0].ravel(), state[1].ravel()).reshape(z.shape)
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        return np.einsum("ijk,ijk,k,ijl->i", density, later, weights / 2, width)

    before = looks - 1
    early = power(exponents[:before], thresholds[:before], floors[:before], means[:before])
    log_most = float(log_ndtr(-floor(looks - 2)))
    most = math.exp(log_most)
    if most == 0:
        return early
    # evidence from which the last stage, or the last two given that the trial goes on, no longer matter
    sufficient = (evidence, evidence + float(exponents[-2]) * log_most)
    return min(early + float(ahead(0, np.zeros(1), np.zeros(1))[0]), 1.0)


def _sized(field: str, given: Array, size: int, infinite: bool = False) -> Array:
    right = f"{size} numbers"
    found = numbers(field, given, right, infinite=infinite)
    if found.size != size:
        raise InputError(field, given, right)
    return found


def _cut(edges: Array, function: Callable[[Array], Array]) -> Array:
    """Panel edges (rows, edges) with one more a row: where a function first changes its sign, else a doubled last."""
    values = function(edges)
    changes = np.sign(values[:, :-1]) * np.sign(values[:, 1:]) < 0
    panel = np.argmax(changes, axis=1)
    rows = np.arange(edges.shape[0])
    left, right = edges[rows, panel].copy(), edges[rows, panel + 1].copy()
    sign = np.sign(values[rows, panel])
    for _ in range(60):
        middle = 0.5 * (left + right)
        same = np.sign(function(middle[:, None])[:, 0]) == sign
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    found = np.where(changes.any(axis=1), 0.5 * (left + right), edges[:, -1])
    return np.sort(np.concatenate((edges, found[:, None]), axis=1), axis=1)
