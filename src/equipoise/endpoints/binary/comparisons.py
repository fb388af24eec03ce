"""Risk difference, risk ratio and odds ratio of many two by two tables at once, each with a standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Scale
from ..batch import BatchEstimates
from .counts import tables_of, tables_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["SCALES", "Comparison", "compare_tables", "compared"]

Comparison = Literal["score", "wald", "risk-ratio", "odds-ratio"]
COMPARISONS: tuple[Comparison, ...] = ("score", "wald", "risk-ratio", "odds-ratio")
SCALES = {
    "score": Scale.RISK_DIFFERENCE,
    "wald": Scale.RISK_DIFFERENCE,
    "risk-ratio": Scale.LOG_RISK_RATIO,
    "odds-ratio": Scale.LOG_ODDS_RATIO,
}
_SOME = "some but not all patients with the event"
_ONE_GROUP = "at least one group in which some but not all patients had the event"
_CELLS = "patients with and without the event in each group, for an odds ratio"


def compared(
    tables: tuple[NDArray[np.float64], ...], comparison: Comparison
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[int, InputError]]:
    """Effect, standard error, and what is wrong with the tables that have none; checked counts of shape (tables,)."""
    events1, total1, events2, total2 = tables
    risk1, risk2 = np.ones(total1.shape), np.ones(total2.shape)
    np.divide(events1, total1, out=risk1, where=total1 > 0)
    np.divide(events2, total2, out=risk2, where=total2 > 0)
    rest1, rest2 = total1 - events1, total2 - events2
    with np.errstate(divide="ignore", invalid="ignore"):
        if comparison in ("score", "wald"):
            effect = risk1 - risk2
            pooled = (events1 + events2) / (total1 + total2)
            if comparison == "score":
                variance = pooled * (1 - pooled) * (1 / total1 + 1 / total2)
            else:
                variance = risk1 * (1 - risk1) / total1 + risk2 * (1 - risk2) / total2
        elif comparison == "risk-ratio":
            effect = np.log(events1 * total2 / (total1 * events2))
            variance = rest1 / (events1 * total1) + rest2 / (events2 * total2)
        else:
            effect = np.log(events1 * rest2 / (rest1 * events2))
            variance = 1 / events1 + 1 / rest1 + 1 / events2 + 1 / rest2
    sound = (total1 > 0) & (total2 > 0) & np.isfinite(effect) & np.isfinite(variance) & (variance > 0)
    failures = dict(_failures(tables, np.flatnonzero(~sound).tolist(), comparison))
    return np.where(sound, effect, np.nan), np.sqrt(np.where(sound, variance, np.nan)), failures


def _failures(
    tables: tuple[NDArray[np.float64], ...], rows: list[int], comparison: Comparison
) -> Iterator[tuple[int, InputError]]:
    for row in rows:
        events1, total1, events2, total2 = (float(part[row]) for part in tables)
        counts = tables_text(events1, total1, events2, total2)
        if not (total1 and total2):
            yield row, InputError("counts", counts, "at least one patient in each group")
        elif comparison in ("score", "wald"):
            yield row, InputError("counts", counts, _SOME if comparison == "score" else _ONE_GROUP)
        elif comparison == "odds-ratio":
            yield row, InputError("counts", counts, _CELLS)
        elif events1 == 0 or events2 == 0:
            yield row, InputError("counts", counts, "at least one event in each group, for a risk ratio")
        else:
            yield row, InputError("counts", counts, "a patient without the event, for a risk ratio")


def compare_tables(
    events1: ArrayLike,
    total1: ArrayLike,
    events2: ArrayLike,
    total2: ArrayLike,
    comparison: Comparison = "score",
) -> BatchEstimates:
    """Estimates of group 1 against group 2, table by table; no constant is added to empty cells.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of shape (tables,), or numbers; a group may be without patients.
    comparison
        "score": risk difference with the standard error that holds if the risks are equal,
        sqrt(p (1 - p) (1 / n1 + 1 / n2)), whose z is that of the score test; "wald": risk difference with the standard
        error not pooled; "risk-ratio": log risk ratio (Katz et al. 1978, Biometrics 34:469); "odds-ratio": log odds
        ratio (Woolf 1955, Ann Hum Genet 19:251).

    Returns
    -------
    BatchEstimates
        NaN and a reason where a table bears no estimate: a group without patients; nobody or everybody with the event
        ("score"); in each group nobody or everybody ("wald"); a group without events, or nobody without one
        ("risk-ratio"); an empty cell ("odds-ratio").

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    choice("comparison", comparison, COMPARISONS)
    tables = tuple(np.atleast_1d(part) for part in tables_of(events1, total1, events2, total2, least=0))
    if tables[0].ndim != 1:
        raise InputError("events1", tables[0].shape, "counts of one dimension, one a table")
    effect, error, failures = compared(tables, comparison)
    return BatchEstimates.of(effect, error, failures={row: str(reason) for row, reason in failures.items()})
