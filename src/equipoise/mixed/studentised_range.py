"""The studentised range: how far apart the largest and the smallest of several means may lie by chance."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["scale_nodes", "studentised_range_point", "studentised_range_tail"]

Array = npt.NDArray[np.float64]

_NODES = 96
_WIDEST_STEP = 0.16
_REACH = 8.5
_TINY = 1e-17


def studentised_range_tail(point: float, n_means: int, degrees_of_freedom: float) -> float:
    """Probability that the range of k standard normals over an independent s exceeds a point.

    s^2 is chi-square over its degrees of freedom. The range of k normals lies below w with probability
    k int phi(z) [Phi(z) - Phi(z - w)]^(k-1) dz (Pearson & Hartley 1942, Biometrika 32, 301-310). Both integrals are by
    the trapezoidal rule, that over s in log s, where the integrand vanishes doubly exponentially or as a power of s.
    Accurate to about 1e-13 absolute, with fewer than 2 degrees of freedom to 1e-10.
    """
    if point <= 0:
        return 1.0
    if math.isinf(degrees_of_freedom):
        spread, weight = np.ones(1), np.ones(1)
    else:
        spread, weight = scale_nodes(degrees_of_freedom)
    return float(min(max(weight @ _range_tail(point * spread, n_means), 0.0), 1.0))


def studentised_range_point(tail: float, n_means: int, degrees_of_freedom: float) -> float:
    """The point that the studentised range exceeds with probability `tail`."""
    from scipy.optimize import brentq
    from scipy.special import ndtri, stdtrit

    # Between the point for one pair of means and Bonferroni's for all of them.
    pairs = n_means * (n_means - 1) // 2
    freedom = degrees_of_freedom
    low, high = (
        -math.sqrt(2) * float(ndtri(share) if math.isinf(freedom) else stdtrit(freedom, share))
        for share in (tail / 2, tail / (2 * pairs))
    )
    if pairs == 1:
        return low
    return float(
        brentq(  # pyright: ignore[reportArgumentType]
            lambda point: studentised_range_tail(point, n_means, freedom) - tail, low * (1 - 1e-9), high * (1 + 1e-9)
        )
    )


def _range_tail(widths: Array, n_means: int) -> Array:
    """Probability that the range of k standard normals exceeds each width.

    1 - P = k int phi(z) {Phi(z)^(k-1) - [Phi(z) - Phi(z - w)]^(k-1)} dz, so that small probabilities keep their digits.
    """
    from scipy.special import ndtr

    z = np.linspace(-_REACH, _REACH, _NODES)
    step = z[1] - z[0]
    below, far = ndtr(z), ndtr(z - widths[:, None])
    with np.errstate(divide="ignore"):
        shorter = (n_means - 1) * np.log1p(-np.minimum(far / below, 1.0))
    lost = below ** (n_means - 1) * -np.expm1(shorter)
    density = np.exp(-0.5 * z**2) * (step * n_means / math.sqrt(2 * math.pi))
    return np.asarray(lost @ density)


@lru_cache(maxsize=64)
def scale_nodes(degrees_of_freedom: float) -> tuple[Array, Array]:
    """Nodes s and weights of the law of s."""
    from scipy.special import gammainccinv, gammaincinv, gammaln

    half = degrees_of_freedom / 2
    low, high = (0.5 * math.log(float(end) / half) for end in (gammaincinv(half, _TINY), gammainccinv(half, _TINY)))
    log_s = np.linspace(low, high, max(_NODES, math.ceil((high - low) / _WIDEST_STEP)))
    s = np.exp(log_s)
    log_density = math.log(2) + half * math.log(half) - float(gammaln(half)) + degrees_of_freedom * log_s - half * s**2
    weight = np.exp(log_density) * (log_s[1] - log_s[0])
    return s, weight / weight.sum()
