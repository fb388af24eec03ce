"""Drawing the clusters that make up the total of a rating scale, for many trials at once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol, RatingScale
    from .draws import Draws
    from .truth import Truth

__all__ = ["draw_clusters", "draw_subscales"]


def draw_subscales(
    draws: Draws, protocol: Protocol, truth: Truth, arm: NDArray[np.intp], scores: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Sums of the scale's clusters: those of drawn items where the scenario tells of items, else points that fall on
    the clusters at random.

    Parameters
    ----------
    arm
        Shape (trials, patients).
    scores
        Totals, NaN where not seen, shape (trials, patients, visits).

    Raises
    ------
    InputError
        For a scale whose clusters do not hold each item once; for items that do not fit the scale.
    """
    if truth.scenario.items is None:
        return draw_clusters(draws, protocol.scale, scores)
    from .items import ItemLaw, draw_item_sums

    return draw_item_sums(draws, ItemLaw.of(protocol.scale, truth, protocol.arm_names), arm, scores)


def draw_clusters(draws: Draws, scale: RatingScale, scores: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Sums of the scale's clusters that add up to given totals, as if points fell on the items at random.

    Each point of the total falls on one of the points that the items can have, all alike (hypergeometric), so that the
    clusters share the total in proportion to their size and every arm acts on all of them alike.

    Parameters
    ----------
    scores
        Totals, NaN where not seen, shape (trials, patients, visits).

    Raises
    ------
    InputError
        For a scale whose clusters do not hold each item once.
    """
    from .split_kernel import split_totals

    items = [item for part in scale.subscales.values() for item in part.items]
    if sorted(items) != list(range(1, scale.items + 1)):
        raise InputError("outcome.scale", scale.name, "a scale whose clusters hold each item once, to draw clusters")
    per_item = (scale.maximum - scale.minimum) / scale.items
    sizes = np.array([len(part.items) for part in scale.subscales.values()])
    widths = np.rint(per_item * sizes).astype(np.int64)
    uniform = draws.uniform("clusters", *scores.shape[1:], len(sizes) - 1).reshape(scores.size, -1)
    out = np.empty((len(sizes), *scores.shape))
    split_totals(
        np.ascontiguousarray(scores).reshape(-1),
        scale.minimum,
        uniform,
        _probabilities_below(tuple(widths.tolist())),
        widths,
        scale.minimum * sizes / scale.items,
        out.reshape(len(sizes), -1),
    )
    return {name: out[at] for at, name in enumerate(scale.subscales)}


@cache
def _probabilities_below(widths: tuple[int, ...]) -> NDArray[np.float64]:
    """Distribution functions of the points of each cluster but the last, by the points that are left for it and for
    those after it, shape (clusters - 1, points + 1, widest + 1).
    """
    from scipy.stats import hypergeom

    total = sum(widths)
    left, points = np.arange(total + 1)[:, None], np.arange(max(widths) + 1)
    tables = np.ones((len(widths) - 1, total + 1, len(points)))
    room = total
    for table, width in zip(tables, widths, strict=False):
        table[: room + 1] = hypergeom.cdf(points, room, width, left[: room + 1])
        room -= width
    tables.flags.writeable = False
    return tables
