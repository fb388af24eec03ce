"""Confidence intervals of an effect of which data tell the bounds only."""

from __future__ import annotations

from ...checks import confidence_level

__all__ = ["imbens_manski"]


def imbens_manski(width: float, standard_error: float, level: float) -> float:
    """How many standard errors to go beyond estimated bounds to cover the effect between them.

    The c with Phi(c + width / standard_error) - Phi(-c) = level (Imbens & Manski 2004, Econometrica 72:1845): the
    two-sided quantile where the bounds coincide, the one-sided where they are far apart, for the effect cannot then be
    near both.

    Parameters
    ----------
    width
        Distance of the estimated bounds, at least 0.
    standard_error
        The larger one of the bounds; 0 where neither varies.
    level
        Confidence level.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    level = confidence_level(level)
    one_sided, two_sided = float(ndtri(level)), float(ndtri((1 + level) / 2))
    if standard_error == 0:
        return two_sided
    apart = max(width, 0.0) / standard_error

    def excess(reach: float) -> float:
        return float(ndtr(reach + apart) - ndtr(-reach)) - level

    if excess(two_sided) <= 0:
        return two_sided
    if excess(one_sided) >= 0:
        return one_sided
    return float(brentq(excess, one_sided, two_sided, xtol=1e-13, rtol=1e-13))  # pyright: ignore[reportArgumentType]
