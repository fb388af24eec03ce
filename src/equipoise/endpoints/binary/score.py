"""The score test of two proportions at any null value, and the limits that invert it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import any_shape, choice, flag, normal_quantile
from ...errors import InputError
from ...estimate import Interval
from ...sequential.root_arrays import rising_roots
from .counts import one_table, tables_of
from .restricted_rates import contrast, contrast_variance, restricted_rates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Measure", "score_interval", "score_limits", "score_z"]

Measure = Literal["difference", "ratio", "odds ratio"]
MEASURES: tuple[Measure, ...] = ("difference", "ratio", "odds ratio")


def _statistic(
    tables: tuple[NDArray[np.float64], ...], null: NDArray[np.float64], measure: Measure, corrected: bool
) -> NDArray[np.float64]:
    events1, total1, events2, total2 = tables
    rate1, rate2 = events1 / total1, events2 / total2
    fitted = restricted_rates(rate1, rate2, total1, total2, null, measure)
    variance = contrast_variance(*fitted, total1, total2, null, measure)
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "odds ratio":
            distance = total1 * (rate1 - fitted[0])
            variance = np.where(np.isinf(variance), 0.0, 1 / variance)
        else:
            distance = contrast(rate1, rate2, null, measure)
        if corrected:
            patients = total1 + total2
            variance = variance * (patients / (patients - 1))
        return np.where(np.abs(distance) < 1e-300, 0.0, distance / np.sqrt(variance))


def score_z(
    events1: ArrayLike,
    total1: ArrayLike,
    events2: ArrayLike,
    total2: ArrayLike,
    null: ArrayLike | None = None,
    measure: Measure = "difference",
    corrected: bool = True,
) -> NDArray[np.float64]:
    """Score z of a difference, ratio or odds ratio at a null value, table by table; positive where it lies above.

    The distance from the null value over its standard error at the proportions that are most likely under the null
    hypothesis: Miettinen & Nurminen (1985, Stat Med 4:213), with the factor N / (N - 1) on the variance; without it
    Mee's (1984, Biometrics 40:1175) and Farrington & Manning's (1990, Stat Med 9:1447), at a null value of no effect
    the z test with the pooled proportion.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of any shapes that broadcast; group 1 is compared with group 2.
    null
        Null value on its natural scale: a difference above -1 and below 1, a ratio above 0; no effect when absent.
    measure
        "difference", "ratio" or "odds ratio".
    corrected
        Whether the variance has the factor N / (N - 1).

    Returns
    -------
    z, 0 where the data lie at the null value with no variance (nobody, or everybody, had the event, at no effect).

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, and null values out of range.
    """
    choice("measure", measure, MEASURES)
    flag("corrected", corrected)
    tables = tables_of(events1, total1, events2, total2)
    if null is None:
        null = 0.0 if measure == "difference" else 1.0
    given = any_shape("null", null)
    if measure == "difference":
        if np.any(np.abs(given) >= 1):
            raise InputError("null", null, "a difference above -1 and below 1")
    elif np.any(given <= 0):
        raise InputError("null", null, "a ratio above 0")
    try:
        *tables, given = np.broadcast_arrays(*tables, given)
    except ValueError:
        raise InputError("null", given.shape, f"a shape that fits {tables[0].shape}") from None
    return _statistic(tuple(tables), given, measure, corrected)


def score_limits(
    events1: ArrayLike,
    total1: ArrayLike,
    events2: ArrayLike,
    total2: ArrayLike,
    level: float = 0.95,
    measure: Measure = "difference",
    corrected: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score limits of a difference, ratio or odds ratio, table by table: the null values that `score_z` just rejects.

    With the factor N / (N - 1) these are Miettinen & Nurminen's (1985, Stat Med 4:213), without it Mee's (1984) of a
    difference and Koopman's (1984, Biometrics 40:513) of a ratio.

    Parameters
    ----------
    events1, total1, events2, total2, measure, corrected
        As for `score_z`.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        On the natural scale, in [-1, 1] or [0, inf]. Of a ratio the lower limit is 0 where group 1 had no event, the
        upper one infinite where group 2 had none; of an odds ratio the same holds of groups where all had it, the other
        way round. All ratios are compatible with tables without events, and odds ratios with those without variation.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    choice("measure", measure, MEASURES)
    flag("corrected", corrected)
    z = normal_quantile(level)
    tables = tables_of(events1, total1, events2, total2)
    shape = tables[0].shape
    tables = tuple(np.ascontiguousarray(part).ravel() for part in tables)
    limits = _difference_limits if measure == "difference" else _ratio_limits
    lower, upper = limits(tables, z, measure, corrected)
    return lower.reshape(shape), upper.reshape(shape)


def score_interval(
    events1: int,
    total1: int,
    events2: int,
    total2: int,
    level: float = 0.95,
    measure: Measure = "difference",
    corrected: bool = True,
) -> Interval:
    """Score interval of one table; see `score_limits`."""
    lower, upper = score_limits(*one_table(events1, total1, events2, total2), level, measure, corrected)
    return Interval(float(lower), float(upper), level)


def _excess(
    tables: tuple[NDArray[np.float64], ...],
    chosen: NDArray[np.intp],
    z: float,
    measure: Measure,
    corrected: bool,
) -> Callable[[NDArray[np.float64], NDArray[np.intp]], NDArray[np.float64]]:
    """How far below z the statistic of some of the tables has come at a null value, which it does as that rises."""

    def excess(null: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        value = null if measure == "difference" else np.exp(null)
        return z - _statistic(tuple(part[chosen[rows]] for part in tables), value, measure, corrected)

    return excess


def _difference_limits(
    tables: tuple[NDArray[np.float64], ...], z: float, measure: Measure, corrected: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    events1, total1, events2, total2 = tables
    difference = events1 / total1 - events2 / total2
    spread = np.sqrt(0.5 / total1 + 0.5 / total2)
    found = []
    for end in (-1.0, 1.0):
        limit = np.full(difference.shape, end)
        chosen = np.flatnonzero(difference != end)
        centre = difference[chosen]
        ends = (np.full(centre.shape, end), centre)
        rising = rising_roots(
            _excess(tables, chosen, -end * z, measure, corrected),
            np.clip(centre + end * z * spread[chosen], 0.5 * (centre - 1), 0.5 * (centre + 1)),
            1 / spread[chosen],
            bracket=ends if end < 0 else (ends[1], ends[0]),
        )
        limit[chosen] = rising
        found.append(limit)
    return found[0], found[1]


def _ratio_limits(
    tables: tuple[NDArray[np.float64], ...], z: float, measure: Measure, corrected: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    events1, total1, events2, total2 = tables
    rest1, rest2 = total1 - events1, total2 - events2
    if measure == "ratio":
        without_lower, without_upper = events1 == 0, events2 == 0
    else:
        without_lower, without_upper = (events1 == 0) | (rest2 == 0), (events2 == 0) | (rest1 == 0)
    # a table without a finite estimate is searched from that with half an event more in every cell
    cells = [part + 0.5 for part in (events1, rest1, events2, rest2)]
    if measure == "ratio":
        centre = np.log(cells[0] / (total1 + 0.5)) - np.log(cells[2] / (total2 + 0.5))
        spread = np.sqrt(1 / cells[0] + 1 / cells[2])
    else:
        centre = np.log(cells[0] / cells[1]) - np.log(cells[2] / cells[3])
        spread = np.sqrt(sum(1 / cell for cell in cells))
    found = []
    for sign, without in ((-1.0, without_lower), (1.0, without_upper)):
        limit = np.full(centre.shape, 0.0 if sign < 0 else np.inf)
        chosen = np.flatnonzero(~without)
        if chosen.size:
            excess = _excess(tables, chosen, -sign * z, measure, corrected)
            guess = centre[chosen] + sign * z * spread[chosen]
            limit[chosen] = np.exp(rising_roots(excess, guess, 1 / spread[chosen]))
        found.append(limit)
    return found[0], found[1]
