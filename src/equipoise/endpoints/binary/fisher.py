"""Fisher's exact test, conditional on both margins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice, confidence_level, flag
from ...estimate import Interval
from .conditional import ConditionalLaw, tail_p_values, two_sided_p_values
from .counts import one_table, tables_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Alternative", "FisherExact", "fisher_exact", "fisher_p_values"]

Alternative = Literal["two-sided", "greater", "less"]
ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "greater", "less")


def fisher_p_values(
    events1: ArrayLike,
    total1: ArrayLike,
    events2: ArrayLike,
    total2: ArrayLike,
    alternative: Alternative = "two-sided",
    mid: bool = False,
) -> NDArray[np.float64]:
    """p-values of Fisher's exact test, table by table.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of any shapes that broadcast.
    alternative
        "two-sided": the probability, given the margins, of the tables no more likely than the observed one, those
        within 1e-7 of its probability among them (as R's `fisher.test`); "greater": of more events in group 1, as many
        included; "less": of fewer.
    mid
        Whether tables as extreme as the observed one count half (Lancaster 1961, JASA 56:223); the level is then held
        nearly, not strictly.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, or an unknown alternative.
    """
    choice("alternative", alternative, ALTERNATIVES)
    flag("mid", mid)
    tables = tables_of(events1, total1, events2, total2)
    shape = tables[0].shape
    count1, size1, count2, size2 = (part.astype(np.int64).ravel() for part in tables)
    margins, place = np.unique(np.stack([size1, size2, count1 + count2]), axis=1, return_inverse=True)
    place = place.ravel()
    found = np.empty(place.size)
    order = np.argsort(place, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(place[order])) + 1) if order.size else ():
        first, second, events = (int(value) for value in margins[:, place[rows[0]]])
        held = min(first, events)
        law = ConditionalLaw(((held, first, events - held, second),))
        density = law.density()
        if alternative == "two-sided":
            values = two_sided_p_values(density, mid)
        else:
            values = tail_p_values(density, alternative == "greater", mid)
        found[rows] = values[count1[rows] - law.low]
    return found.reshape(shape)


@dataclass(frozen=True, slots=True)
class FisherExact:
    """Fisher's exact test of one table.

    Attributes
    ----------
    p_value, p_greater, p_less
        Two-sided, of more events in group 1, and of fewer; see `fisher_p_values`.
    mid_p_value
        Two-sided, tables as likely as the observed one counting half.
    odds_ratio
        Conditional maximum likelihood estimate; 0 or infinite where the count is the least or greatest possible, NaN
        where nobody, or everybody, had the event.
    interval
        Its exact interval (Cornfield 1956).
    """

    p_value: float
    p_greater: float
    p_less: float
    mid_p_value: float
    odds_ratio: float
    interval: Interval


def fisher_exact(events1: int, total1: int, events2: int, total2: int, level: float = 0.95) -> FisherExact:
    """Fisher's exact test, the conditional odds ratio and its exact interval.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of the two groups.
    level
        Confidence level of the interval.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    confidence_level(level)
    table = one_table(events1, total1, events2, total2)
    two_sided, greater, less = (float(fisher_p_values(*table, alternative)) for alternative in ALTERNATIVES)
    law = ConditionalLaw((table,))
    return FisherExact(
        two_sided,
        greater,
        less,
        float(fisher_p_values(*table, mid=True)),
        math.exp(law.log_odds_ratio),
        law.interval(level),
    )
