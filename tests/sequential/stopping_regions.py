"""Regions of every kind that estimators after stopping are tested on."""

from __future__ import annotations

import math

import numpy as np

from equipoise.sequential.region import Region

TWO_SIDED = np.array([4.562, 3.226, 2.634, 2.281, 2.040])


def _region(information, lower, upper, inner=None) -> Region:
    arrays = [np.asarray(values, dtype=np.float64) for values in (information, lower, upper)]
    wedge = None if inner is None else (np.asarray(inner[0], dtype=float), np.asarray(inner[1], dtype=float))
    return Region(*arrays, wedge)


ONE_LOOK = _region([1.0], [-math.inf], [1.96])
TWO_LOOKS = _region([0.5, 1.0], [-math.inf] * 2, [2.797, 1.977])
REGIONS = {
    "two looks, efficacy": TWO_LOOKS,
    "two looks, futility": _region([0.35, 1.0], [0.1, 1.9], [2.3, 1.9]),
    "five looks, two-sided": _region([0.2, 0.4, 0.6, 0.8, 1.0], -TWO_SIDED, TWO_SIDED),
    "unequal, both bounds": _region([0.15, 0.55, 0.7, 1.0], [-0.9, 0.2, 0.9, 1.98], [3.4, 2.6, 2.3, 1.98]),
    "nothing spent first": _region([0.2, 0.6, 1.0], [-math.inf] * 3, [math.inf, 2.4, 2.0]),
    "wedge": _region(
        [0.3, 0.6, 0.8, 1.0],
        [-3.2, -2.6, -2.3, -2.0],
        [3.2, 2.6, 2.3, 2.0],
        ([0.1, -0.5, -1.1, -2.0], [-0.1, 0.5, 1.1, 2.0]),
    ),
    "far from unit information": _region([10.0, 30.0, 50.0], [-0.5, 0.5, 2.0], [3.0, 2.5, 2.0]),
}


def unit(region: Region) -> float:
    """Standard error of the last look."""
    return 1.0 / math.sqrt(region.information[-1])


def simulated(region: Region, drift: float, trials: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Looks (from 1) at which trials stop, and their z there."""
    generator = np.random.default_rng(seed)
    gained = np.diff(region.information, prepend=0.0)
    score = np.cumsum(drift * gained + np.sqrt(gained) * generator.standard_normal((trials, region.looks)), axis=1)
    z = score / np.sqrt(region.information)
    stops = (z >= region.upper) | (z <= region.lower)
    if region.inner is not None:
        stops |= (z >= region.inner[0]) & (z <= region.inner[1])
    stops[:, -1] = True
    look = stops.argmax(axis=1)
    return look + 1, z[np.arange(trials), look]
