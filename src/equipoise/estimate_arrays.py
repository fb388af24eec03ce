"""Between effects and the scale of z, for arrays of estimates; `Estimate` asks here for its own.

A t statistic enters by its tail probability, z = Phi^-1(F_t(t)), so that z is standard normal under the hypothesis
whatever the degrees of freedom (Jennison & Turnbull 2000, section 4.4). All arrays broadcast together; where an effect,
a standard error or its degrees of freedom are missing (NaN), so is what comes of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .checks import confidence_level

if TYPE_CHECKING:
    from .estimate import Better, Scale

__all__ = ["effect_at_mean_of", "favourable_z_of", "interval_of", "possible_of", "quantile_of", "score_of", "z_of"]

Array = npt.NDArray[np.float64]
Numbers = Array | float
_LARGEST_T = 1e150  # its square is still a number
_SMALLEST_TAIL = 1e-290  # below, tail probabilities lose digits and logarithms of them take their place


def score_of(statistic: npt.ArrayLike, degrees_of_freedom: npt.ArrayLike) -> Array:
    """Standard normal z with the tail probability of each t `statistic`, any shape."""
    from scipy.special import ndtri, ndtri_exp, stdtr

    return _bent(
        statistic,
        degrees_of_freedom,
        lambda size, freedom: stdtr(freedom, -size),
        lambda tail, _: -ndtri(tail),
        lambda size, freedom: -float(ndtri_exp(_log_t_tail(size, freedom))),
    )


def quantile_of(z: npt.ArrayLike, degrees_of_freedom: npt.ArrayLike) -> Array:
    """Multiple of the standard error that matches each standard normal `z` by tail probability, any shape."""
    from scipy.special import ndtr, stdtrit

    return _bent(
        z,
        degrees_of_freedom,
        lambda size, _: ndtr(-size),
        lambda tail, freedom: -stdtrit(freedom, tail),
        _far_t_quantile,
    )


def z_of(effect: Numbers, standard_error: Numbers, degrees_of_freedom: Numbers, value: Numbers) -> Array:
    """z of the test that each true effect equals `value`, positive where the data lie above it.

    Parameters
    ----------
    effect, standard_error, degrees_of_freedom
        Of each estimate, on its own scale (ratios as natural logarithms), any shape; a standard error that is not
        above 0 leaves z missing.
    value
        On that scale.
    """
    error = np.asarray(standard_error, dtype=np.float64)
    distance = np.asarray(effect, dtype=np.float64) - value
    return score_of(distance / np.where(error > 0, error, np.nan), degrees_of_freedom)


def favourable_z_of(
    effect: Numbers,
    standard_error: Numbers,
    degrees_of_freedom: Numbers,
    null_value: Numbers,
    better: Better,
) -> Array:
    """z of the test of no effect of each estimate, positive where it favours the experimental arm; see `z_of`."""
    z = z_of(effect, standard_error, degrees_of_freedom, null_value)
    return z if better == "higher" else -z


def effect_at_mean_of(
    mean: Numbers,
    favourable_z: Numbers,
    effect: Numbers,
    standard_error: Numbers,
    degrees_of_freedom: Numbers,
    better: Better,
    scale: Scale | None,
) -> Array:
    """The effect under which z has each `mean`, see `Estimate.effect_at_mean`.

    Parameters
    ----------
    mean
        Of the favourable z of the estimate; may be infinite.
    favourable_z
        As observed, `favourable_z_of` the same estimates.
    effect, standard_error, degrees_of_freedom, better
        The estimates.
    scale
        Where it ends, effects are cut; None leaves them as they come.
    """
    fallen = np.asarray(favourable_z, dtype=np.float64) - np.asarray(mean, dtype=np.float64)
    lost = quantile_of(fallen, degrees_of_freedom) * standard_error
    found = effect - lost if better == "higher" else effect + lost
    return found if scale is None else possible_of(found, scale)


def interval_of(
    effect: Numbers,
    standard_error: Numbers,
    degrees_of_freedom: Numbers,
    level: float,
    scale: Scale,
) -> tuple[Array, Array]:
    """Lower and upper limits of each fixed-sample confidence interval, cut where the scale ends.

    Parameters
    ----------
    effect, standard_error, degrees_of_freedom
        The estimates, any shape.
    level
        Confidence level as a fraction, e.g. 0.95.
    scale
        Of the effects.

    Raises
    ------
    InputError
        When the level is not between 0 and 1.
    """
    from scipy.special import ndtri

    half = -quantile_of(float(ndtri((1 - confidence_level(level)) / 2)), degrees_of_freedom) * standard_error
    return possible_of(effect - half, scale), possible_of(effect + half, scale)


def possible_of(effect: Numbers, scale: Scale) -> Array:
    """The nearest effects that the scale allows, any shape."""
    found = np.asarray(effect, dtype=np.float64)
    low, high = scale.limits
    return found if math.isinf(low) and math.isinf(high) else np.clip(found, low, high)


def _bent(
    values: npt.ArrayLike,
    degrees_of_freedom: npt.ArrayLike,
    tail_of: Callable[[Array, Array], Array],
    value_of: Callable[[Array, Array], Array],
    far_value_of: Callable[[float, float], float],
) -> Array:
    """Values of one law as those of the other that have the same tail; far out one by one, by logarithms."""
    given, freedom = np.broadcast_arrays(
        np.asarray(values, dtype=np.float64), np.asarray(degrees_of_freedom, dtype=np.float64)
    )
    found = np.where(np.isnan(freedom), np.nan, given)
    bent = np.isfinite(freedom) & np.isfinite(given) & (given != 0)
    if not bent.any():
        return found
    size, of = np.abs(given[bent]), freedom[bent]
    tails = tail_of(size, of)
    sizes = np.empty(size.shape)
    far = tails < _SMALLEST_TAIL
    sizes[~far] = value_of(tails[~far], of[~far])
    for at in np.flatnonzero(far):
        sizes[at] = far_value_of(float(size[at]), float(of[at]))
    found[bent] = np.copysign(sizes, given[bent])
    return found


def _log_t_tail(statistic: float, freedom: float) -> float:
    """Logarithm of the upper tail of the t distribution, far out, where the tail itself underflows.

    It is the density times the integral of the density's ratio to it beyond, in units of its own decay.
    """
    from scipy.integrate import quad
    from scipy.special import betaln

    spread = freedom + statistic**2
    unit = spread / ((freedom + 1) * statistic)

    def ratio(steps: float) -> float:
        beyond = unit * steps
        return math.exp(-(freedom + 1) / 2 * math.log1p((2 * statistic + beyond) * beyond / spread))

    integral = float(quad(ratio, 0.0, math.inf, epsabs=0.0, epsrel=1e-11)[0])
    density = -0.5 * math.log(freedom) - float(betaln(0.5, freedom / 2))
    return density - (freedom + 1) / 2 * math.log1p(statistic**2 / freedom) + math.log(unit * integral)


def _far_t_quantile(z: float, freedom: float) -> float:
    """t with the upper tail of a standard normal z > 0 whose tail underflows; infinite beyond 1e150."""
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    target, high = float(log_ndtr(-z)), 2.0 * z
    while _log_t_tail(high, freedom) > target:
        high *= 2.0
        if high > _LARGEST_T:
            return math.inf
    return float(brentq(lambda t: _log_t_tail(t, freedom) - target, z, high, xtol=1e-12, rtol=1e-14))  # pyright: ignore[reportArgumentType]
