"""The scales on which a bound on z may be given or read: p-value, conditional and predictive power, effect.

Every one is a rising function of z but the p-value, which falls, so that each bound on z has one value on each scale.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import number, numbers, whole
from ..errors import InputError
from .conditional_power import conditional_power, predictive_power, trend
from .region import Region
from .roots import rising_root

__all__ = ["SCALES", "on_scale", "z_bound"]

Array = npt.NDArray[np.float64]
SCALES: dict[str, tuple[float, float]] = {
    "z": (-math.inf, math.inf),
    "p-value": (0.0, 1.0),
    "conditional power": (0.0, 1.0),
    "conditional power at trend": (0.0, 1.0),
    "predictive power": (0.0, 1.0),
    "effect": (-math.inf, math.inf),
}
"""Scale -> lowest and highest value on it."""
_POWERS = tuple(scale for scale in SCALES if "power" in scale)


def z_bound(
    value: float,
    scale: str,
    look: int,
    information: npt.ArrayLike,
    efficacy: npt.ArrayLike,
    drift: float | None,
    sided: int = 1,
) -> float:
    """The bound on z that is `value` on a scale; the inverse of `on_scale`, whose parameters it shares.

    Parameters
    ----------
    value
        On the scale: probabilities from 0 to 1, an effect or a z any number. At an end of its range, or infinite, it
        gives an infinite z.

    Raises
    ------
    InputError
        When the scale is unknown, the value out of its range, or a drift or later look that it needs is missing.
    """
    from scipy.special import ndtri

    times, bounds = _checked(scale, look, information, efficacy, drift, sided)
    low, high = SCALES[scale]
    field, right = f"bound on the scale '{scale}'", "a number" if math.isinf(high) else "a probability"
    if not low <= number(field, value, right, infinite=True) <= high:
        raise InputError(field, value, right)
    if scale == "z":
        return float(value)
    time = float(times[look - 1])
    if scale == "effect":
        return value * _per_effect(drift, time)
    if scale == "p-value":
        return -float(ndtri(value))
    if value in (0, 1):
        return math.inf if value == 1 else -math.inf
    target = float(ndtri(value))
    last = int(np.flatnonzero(np.isfinite(bounds))[-1])
    end = float(times[last])
    b, left = float(bounds[last]) * math.sqrt(end), end - time
    # by the last look alone the probit of the power is a straight line in z
    if scale == "conditional power":
        slope, guess = math.sqrt(time / left), (b + target * math.sqrt(left) - _given(drift) * left) / math.sqrt(time)
    elif scale == "predictive power":
        slope = math.sqrt(end / left)
        guess = b * math.sqrt(time) / end + target / slope
    else:
        slope = end / math.sqrt(time * left)
        guess = b * math.sqrt(time) / end + target / slope
    if np.isfinite(bounds[look:]).sum() == 1:
        return guess
    region = _region(times, bounds, sided)
    return rising_root(lambda z: float(ndtri(_power(region, scale, z, time, drift))) - target, guess, slope)


def on_scale(
    z: float,
    scale: str,
    look: int,
    information: npt.ArrayLike,
    efficacy: npt.ArrayLike,
    drift: float | None,
    sided: int = 1,
) -> float:
    """What z at a look is on another scale.

    Parameters
    ----------
    z
        The value; may be infinite.
    scale
        One of `SCALES`. "p-value": one-sided, nominal. "conditional power": probability of crossing any later efficacy
        bound under the planned drift (Lan, Simon & Halperin 1982, Sequential Analysis 1:207); "... at trend": under the
        drift z / sqrt(t). "predictive power": averaged over the posterior from a flat prior (Spiegelhalter, Freedman &
        Blackburn 1986, Controlled Clinical Trials 7:8). "effect": estimate as a multiple of the planned effect,
        z / (drift sqrt(t)).
    look
        From 1; the powers need a later look with a finite efficacy bound.
    information
        Information fractions of all looks, rising, shape (looks,).
    efficacy
        Upper bounds on z at all looks, infinite where there is none, shape (looks,). Futility bounds are left out.
    drift
        The planned one, theta sqrt(I_max), above 0; needed for "conditional power" and "effect", otherwise it may be
        None.
    sided
        2 where a trial stops, not to cross any more, below minus the efficacy bound as well.

    Raises
    ------
    InputError
        When the scale is unknown, z is NaN, or a drift or later look that the scale needs is missing.
    """
    from scipy.special import ndtr

    times, bounds = _checked(scale, look, information, efficacy, drift, sided)
    z = number("z", z, "a number", infinite=True)
    time = float(times[look - 1])
    if scale == "z":
        return float(z)
    if scale == "p-value":
        return float(ndtr(-z))
    if scale == "effect":
        return z / _per_effect(drift, time)
    if math.isinf(z):
        return 1.0 if z > 0 else 0.0
    return _power(_region(times, bounds, sided), scale, z, time, drift)


def _power(region: Region, scale: str, z: float, time: float, drift: float | None) -> float:
    if scale == "predictive power":
        return predictive_power(region, z, time)
    under = trend(z, time) if scale == "conditional power at trend" else _given(drift)
    return float(conditional_power(region, z, time, np.array([under]))[0])


def _region(times: Array, bounds: Array, sided: int) -> Region:
    return Region(times, -bounds if sided == 2 else np.full(bounds.shape, -math.inf), bounds)


def _given(drift: float | None) -> float:
    return number("drift", drift, "the planned drift, a finite number, for the conditional power")


def _per_effect(drift: float | None, time: float) -> float:
    right = "the planned drift, a number above 0, for a multiple of the planned effect"
    planned = number("drift", drift, right)
    if planned <= 0:
        raise InputError("drift", drift, right)
    return planned * math.sqrt(time)


def _checked(
    scale: str, look: int, information: npt.ArrayLike, efficacy: npt.ArrayLike, drift: Any, sided: int
) -> tuple[Array, Array]:
    if not isinstance(scale, str) or scale not in SCALES:
        raise InputError("scale", scale, "one of " + ", ".join(SCALES))
    right = "information fractions above 0, rising from look to look"
    times = numbers("information", information, right)
    if not times.size or not np.all(np.diff(times, prepend=0.0) > 0):
        raise InputError("information", information, right)
    right = f"{times.size} bounds on z, one a look" if times.size > 1 else "one bound on z"
    bounds = numbers("efficacy", efficacy, right, infinite=True)
    if bounds.shape != times.shape:
        raise InputError("efficacy", efficacy, right)
    if not 1 <= whole("look", look, f"a look from 1 to {times.size}") <= times.size:
        raise InputError("look", look, f"a look from 1 to {times.size}")
    if scale in _POWERS and not np.any(np.isfinite(bounds[look:])):
        raise InputError("look", look, f"a look before a finite efficacy bound, for the {scale}")
    if whole("sided", sided, "1 or 2") not in (1, 2):
        raise InputError("sided", sided, "1 or 2")
    if scale == "conditional power":
        _given(drift)
    return times, bounds
