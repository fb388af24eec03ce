"""What a trial under way may still become, from its z-value, its information and the looks ahead.

Everything is on the z scale, larger in favour of the experimental arm; drift is theta per unit of information, the mean
of z at information 1. Given S = z sqrt(t) at information t the later scores are a random walk that begins anew
(independent increments), so a conditional probability is an exit probability of the `Region` ahead.

Averaged over a normal prior it is one too. With prior N(m, v) the posterior mean (S_t + m / v) / (t + 1 / v) is a
Gaussian martingale: it has independent increments, of variance 1 / (t + 1 / v) - 1 / (t' + 1 / v) from t to t'. In that
time, without drift, the bounds on S become bounds on it, and predictive power costs one recursion, no quadrature over
the drift.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, instance, number, numbers, whole
from ..errors import InputError
from .region import Exits, Region

__all__ = [
    "By",
    "b_value",
    "conditional_error",
    "conditional_power",
    "conditional_stops",
    "expected_b_value",
    "posterior_weights",
    "predictive_power",
    "predictive_region",
    "reverse_conditional_power",
    "trend",
]

Array = npt.NDArray[np.float64]
By = Literal["any", "next", "last"]


def b_value(z: float, information: float) -> float:
    """B(t) = z sqrt(t), which under no drift is a Brownian motion (Lan & Wittes 1988, Biometrics 44:579)."""
    z, information = _seen(z, information)
    return z * math.sqrt(information)


def expected_b_value(z: float, information: float, drift: npt.ArrayLike, end: float = 1.0) -> Array:
    """E[B(end) | B(t)] = B(t) + drift (end - t), of the shape of `drift` (Proschan, Lan & Wittes 2006, chapter 3)."""
    now = b_value(z, information)
    if number("end", end) < information:
        raise InputError("end", end, f"at least the information now, {information:g}")
    return now + any_shape("drift", drift) * (end - information)


def trend(z: float, information: float) -> float:
    """The drift the data so far point to, B(t) / t = z / sqrt(t)."""
    z, information = _seen(z, information)
    return z / math.sqrt(information)


def conditional_stops(region: Region, z: float, information: float, drifts: Array) -> Exits:
    """Probabilities of leaving `region` at each look ahead, given z at `information`.

    Parameters
    ----------
    region
        Of the whole trial; its looks up to `information` are passed over.
    z, information
        Seen now.
    drifts
        Shape (drifts,).
    """
    given = numbers("drifts", drifts)
    return _ahead(region, information).after(information, b_value(z, information)).exit_probabilities(given)


def conditional_power(region: Region, z: float, information: float, drifts: Array, by: By = "any") -> Array:
    """Probability of crossing an upper bound ahead, given z at `information`, under each of `drifts` (drifts,).

    Lan, Simon & Halperin 1982, Sequential Analysis 1:207; Jennison & Turnbull 2000, chapter 10.

    Parameters
    ----------
    region
        Of the whole trial; its looks up to `information` are passed over. Whoever leaves it downwards or into the wedge
        does not cross later.
    z, information
        Seen now.
    drifts
        Shape (drifts,).
    by
        "any": at any look ahead; "next": at the next; "last": z above the last bound at the last look, whatever happens
        between.
    """
    given = numbers("drifts", drifts)
    return _upward(_ahead(region, information).after(information, b_value(z, information)), given, by)


def conditional_error(region: Region, z: float, information: float, sided: int = 1) -> float:
    """Probability under no effect of rejecting ahead, given z at `information`.

    The error that a changed rest of the trial may spend (Müller & Schäfer 2001, Biometrics 57:886). It counts the upper
    bounds, with `sided` 2 the lower ones too.
    """
    _checked_sides(sided)
    exits = conditional_stops(region, z, information, np.zeros(1))
    total = exits.upper.sum() + (exits.lower.sum() if sided == 2 else 0.0)
    return min(float(total), 1.0)


def predictive_region(
    region: Region, z: float, information: float, mean: float = 0.0, variance: float = math.inf
) -> Region:
    """The looks ahead as the posterior mean of the drift meets them, a process from 0 without drift.

    Parameters
    ----------
    region
        Of the whole trial; its looks up to `information` are passed over.
    z, information
        Seen now.
    mean, variance
        Of the normal prior of the drift; variance infinite for the flat prior, 0 for a drift that is known.
    """
    ahead, mean = _ahead(region, information), number("mean", mean)
    right = "a variance of 0 or more; infinite for a flat prior"
    if number("variance", variance, right, infinite=True) < 0:
        raise InputError("variance", variance, right)
    chosen = ahead.information > information
    times, score = ahead.information[chosen], b_value(z, information)
    gained, root = times - information, np.sqrt(times)
    # variance = flat / fixed: the flat prior is (0, 1), the known drift (1, 0)
    fixed, flat = (0.0, 1.0) if math.isinf(variance) else (1.0, variance)
    here, there = fixed + flat * information, fixed + flat * times
    scale = np.sqrt(gained * here * there)

    def shifted(bounds: Array) -> Array:
        given = bounds[chosen]
        finite = np.isfinite(given)
        edge = np.where(finite, given, 0.0) * root
        moved = (fixed * (edge - score - mean * gained) + flat * (edge * information - score * times)) / scale
        return np.where(finite, moved, given)

    inner = None if ahead.inner is None else (shifted(ahead.inner[0]), shifted(ahead.inner[1]))
    return Region(gained / there, shifted(ahead.lower), shifted(ahead.upper), inner)


def predictive_power(
    region: Region,
    z: float,
    information: float,
    mean: float = 0.0,
    variance: float = math.inf,
    by: By = "any",
) -> float:
    """Conditional power averaged over the posterior of the drift, given z at `information`.

    Spiegelhalter, Freedman & Blackburn 1986, Controlled Clinical Trials 7:8; Jennison & Turnbull 2000, section 10.3.

    Parameters
    ----------
    region
        Of the whole trial; its looks up to `information` are passed over.
    z, information
        Seen now.
    mean, variance
        Of the normal prior of the drift; variance infinite for the flat prior, 0 for a drift that is known.
    by
        As for `conditional_power`.
    """
    return float(_upward(predictive_region(region, z, information, mean, variance), np.zeros(1), by)[0])


def posterior_weights(drifts: Array, weights: Array, z: float, information: float) -> Array:
    """Posterior probabilities of the `drifts` of a discrete prior, given z at `information`; shape (drifts,)."""
    z, information = _seen(z, information)
    drifts, weights = numbers("drifts", drifts), numbers("weights", weights)
    if not drifts.size or weights.size != drifts.size or np.any(weights < 0) or not np.any(weights > 0):
        raise InputError("weights", weights, f"{drifts.size} weights, none below 0, not all 0")
    with np.errstate(divide="ignore"):
        exponent = np.log(weights) - 0.5 * (z - drifts * math.sqrt(information)) ** 2
    posterior = np.exp(exponent - exponent.max())
    return posterior / posterior.sum()


def reverse_conditional_power(z: float, information: float, bound: float, end: float = 1.0) -> float:
    """Probability of z at most this high now in a trial that will end, at information `end`, exactly on its `bound`.

    Phi((z - bound sqrt(r)) / sqrt(1 - r)), r = information / end, free of the drift (Tan, Xiong & Kutner 1998,
    Biometrics 54:682). It equals the predictive power under the flat prior by the last look alone.
    """
    from scipy.special import ndtr

    z, information = _seen(z, information)
    end = number("end", end)
    if not end > information:
        raise InputError("end", end, f"more than the information now, {information:g}")
    share, bound = information / end, number("bound", bound, "a bound on z, a number", infinite=True)
    return float(ndtr((z - bound * math.sqrt(share)) / math.sqrt(1.0 - share)))


def _seen(z: float, information: float) -> tuple[float, float]:
    z, information = number("z", z), number("information", information, "a finite number above 0")
    if information <= 0:
        raise InputError("information", information, "a finite number above 0")
    return z, information


def _checked_sides(sided: int) -> None:
    if whole("sided", sided, "1 or 2") not in (1, 2):
        raise InputError("sided", sided, "1 or 2")


def _ahead(region: Region, information: float) -> Region:
    instance("region", region, Region, "a Region such as design.region()")
    if number("information", information, "a finite number above 0") <= 0:
        raise InputError("information", information, "a finite number above 0")
    if not region.information[-1] > information:
        raise InputError("information", information, f"less than {region.information[-1]:g}, so that a look is ahead")
    return region


def _upward(ahead: Region, drifts: Array, by: By) -> Array:
    """Probability of leaving upwards a region that begins at score 0."""
    from scipy.special import ndtr

    if not isinstance(by, str) or by not in get_args(By):
        raise InputError("by", by, "'any', 'next' or 'last'")
    if by == "any" and ahead.looks > 1:
        return np.minimum(ahead.exit_probabilities(drifts).upper.sum(axis=1), 1.0)
    look = 0 if by == "next" else -1
    return ndtr(drifts * math.sqrt(ahead.information[look]) - ahead.upper[look])
