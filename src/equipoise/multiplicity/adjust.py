"""P-values adjusted for the number of hypotheses they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..checks import any_shape, choice
from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["METHODS", "Method", "adjust_p_values", "checked_p_values"]

Method = Literal[
    "bonferroni", "holm", "hochberg", "hommel", "benjamini-hochberg", "benjamini-yekutieli", "fixed-sequence"
]


def checked_p_values(p_values: Any, hypotheses: int | None = None) -> Array:
    """P-values as an array (..., hypotheses).

    Raises
    ------
    InputError
        When one is no number from 0 to 1, or there are not as many as hypotheses.
    """
    right = "p-values from 0 to 1" + ("" if hypotheses is None else f", {hypotheses} of them, one a hypothesis")
    found = any_shape("p_values", p_values, right)
    if not found.ndim or not found.shape[-1] or not np.all((found >= 0) & (found <= 1)):
        raise InputError("p_values", p_values, right)
    if hypotheses is not None and found.shape[-1] != hypotheses:
        raise InputError("p_values", p_values, right)
    return found


def adjust_p_values(p_values: ArrayLike, method: Method) -> Array:
    """The smallest level at which a procedure rejects each hypothesis.

    Parameters
    ----------
    p_values
        From 0 to 1, shape (..., hypotheses); leading axes are families of their own.
    method
        "bonferroni"; "holm" (1979, Scand J Statist 6:65); "hochberg" (1988, Biometrika 75:800) and "hommel" (1988,
        Biometrika 75:383), both valid under Simes' inequality: independent or positively dependent tests;
        "benjamini-hochberg" (1995, JRSS B 57:289; the false discovery rate, same condition) and "benjamini-yekutieli"
        (2001, Ann Stat 29:1165; under any dependence); "fixed-sequence", each hypothesis only once all before it are
        rejected, in the order given.

    Returns
    -------
    array
        Of the same shape, at most 1.

    Raises
    ------
    InputError
        When a p-value lies outside 0 to 1, or the method is unknown.
    """
    choice("method", method, METHODS)
    given = checked_p_values(p_values)
    if method == "fixed-sequence":
        return np.maximum.accumulate(given, axis=-1)
    if method == "bonferroni":
        return np.minimum(1.0, given * given.shape[-1])
    order = np.argsort(given, axis=-1, kind="stable")
    adjusted = np.empty_like(given)
    found = np.minimum(1.0, _STEPS[method](np.take_along_axis(given, order, axis=-1)))
    np.put_along_axis(adjusted, order, found, axis=-1)
    return adjusted


def _ranks(rising: Array) -> Array:
    return np.arange(1.0, rising.shape[-1] + 1)


def _from_the_largest(values: Array) -> Array:
    """Running minimum from the last to the first."""
    return np.minimum.accumulate(values[..., ::-1], axis=-1)[..., ::-1]


def _holm(rising: Array) -> Array:
    return np.maximum.accumulate(rising * _ranks(rising)[::-1], axis=-1)


def _hochberg(rising: Array) -> Array:
    return _from_the_largest(rising * _ranks(rising)[::-1])


def _hommel(rising: Array) -> Array:
    """By Wright's algorithm (1992, Biometrics 48:1005): the largest Simes p-value of all subsets with a hypothesis.

    Of the subsets of one size that hold it, the one with the largest p-values besides.
    """
    size = rising.shape[-1]
    adjusted = np.broadcast_to((size * rising / _ranks(rising)).min(axis=-1, keepdims=True), rising.shape).copy()
    for subset in range(size - 1, 1, -1):
        split = size - subset + 1
        of_largest = (subset * rising[..., split:] / np.arange(2.0, subset + 1)).min(axis=-1, keepdims=True)
        first = np.minimum(subset * rising[..., :split], of_largest)
        adjusted[..., :split] = np.maximum(adjusted[..., :split], first)
        adjusted[..., split:] = np.maximum(adjusted[..., split:], first[..., -1:])
    return np.maximum(adjusted, rising)


def _benjamini_hochberg(rising: Array) -> Array:
    return _from_the_largest(rising.shape[-1] * rising / _ranks(rising))


def _benjamini_yekutieli(rising: Array) -> Array:
    return (1.0 / _ranks(rising)).sum() * _benjamini_hochberg(rising)


_STEPS: dict[str, Callable[[Array], Array]] = {
    "holm": _holm,
    "hochberg": _hochberg,
    "hommel": _hommel,
    "benjamini-hochberg": _benjamini_hochberg,
    "benjamini-yekutieli": _benjamini_yekutieli,
}
METHODS: tuple[Method, ...] = ("bonferroni", *_STEPS, "fixed-sequence")  # pyright: ignore[reportAssignmentType]
