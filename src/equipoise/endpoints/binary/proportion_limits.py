"""Other limits of one proportion than Wilson's, which `proportions` has: exact, simple and adjusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...checks import confidence_level, normal_quantile
from .counts import counts_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Limits = tuple[NDArray[np.float64], NDArray[np.float64]]

__all__ = ["agresti_coull_limits", "clopper_pearson_limits", "wald_limits"]


def clopper_pearson_limits(events: ArrayLike, total: ArrayLike, level: float = 0.95) -> Limits:
    """Exact limits of proportions, array by array (Clopper & Pearson 1934, Biometrika 26:404).

    Each limit is the proportion under which the binomial tail at the observed count has half of 1 - `level`, a quantile
    of a beta distribution. They cover the proportion with at least the level's probability, mostly with more.

    Parameters
    ----------
    events, total
        Counts of any shapes that broadcast; 0 <= events <= total, total >= 1.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        In [0, 1]; exactly 0 below no events, exactly 1 above events in everybody.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    from scipy.special import betaincinv

    confidence_level(level)
    count, size = np.broadcast_arrays(*counts_of(events, total))

    def lower(successes: NDArray[np.float64]) -> NDArray[np.float64]:
        some = successes > 0
        inside = np.where(some, successes, 1.0)
        return np.where(some, betaincinv(inside, size - inside + 1, (1 - level) / 2), 0.0)

    return lower(count), 1 - lower(size - count)


def wald_limits(events: ArrayLike, total: ArrayLike, level: float = 0.95) -> Limits:
    """Limits p -+ z sqrt(p (1 - p) / n), array by array, not cut at 0 and 1; too narrow near these, and of no width at
    them. Parameters and errors as for `clopper_pearson_limits`.
    """
    z = normal_quantile(level)
    count, size = counts_of(events, total)
    risk = count / size
    half = z * np.sqrt(risk * (1 - risk) / size)
    return risk - half, risk + half


def agresti_coull_limits(events: ArrayLike, total: ArrayLike, level: float = 0.95) -> Limits:
    """Wald limits once z^2 / 2 patients with and as many without the event are added, array by array, not cut at 0 and
    1 (Agresti & Coull 1998, Am Stat 52:119). Parameters and errors as for `clopper_pearson_limits`.
    """
    z = normal_quantile(level)
    count, size = counts_of(events, total)
    more = size + z**2
    risk = (count + z**2 / 2) / more
    half = z * np.sqrt(risk * (1 - risk) / more)
    return risk - half, risk + half
