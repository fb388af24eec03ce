"""The items of a rating scale, drawn given its total so that they add up to it, for many trials at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..protocol.items import faults_of_items
from .cluster_tilt import tilted_traits
from .graded import TRAITS, WEIGHTS, category_probabilities, sums_from, trait_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..protocol.items import Items
    from ..protocol.scales import RatingScale
    from .draws import Draws
    from .truth import Truth

__all__ = ["ItemLaw", "draw_item_sums", "draw_items"]

Row = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ItemLaw:
    """Laws of the items given the total: that of everybody first, then those of arms that act on clusters unevenly.

    Given a total, the trait is drawn from its law given the total, and the items from theirs given trait and total, so
    that they follow the graded response model with a standard normal trait, given their sum.

    Attributes
    ----------
    minimum, lowest
        Least total and least score of an item.
    clusters
        Names of the clusters; none where they do not hold each item once.
    cluster
        Of each item, shape (items,).
    which
        Law by arm and visit, shape (arms, visits).
    trait_below
        Distribution function of the trait given the total, shape (laws, totals, traits).
    categories
        Probability of each score of an item given the trait, shape (laws, traits, items, points + 1).
    sums
        Law of the sum of an item and those after it given the trait, shape (laws, traits, items + 1, totals).
    persistence
        Correlation between visits of the normal numbers behind the items.
    """

    minimum: float
    lowest: float
    clusters: tuple[str, ...]
    cluster: NDArray[np.intp]
    which: NDArray[np.intp]
    trait_below: NDArray[np.float64]
    categories: NDArray[np.float64]
    sums: NDArray[np.float64]
    persistence: float

    @classmethod
    def of(cls, scale: RatingScale, truth: Truth, arm_names: Sequence[str]) -> ItemLaw:
        """The laws of a truth whose scenario tells of items; kept for the next time.

        Raises
        ------
        InputError
            For a scale whose items have not all the same whole points, and settings that do not fit the scale, its
            clusters or the arms.
        """
        settings = truth.scenario.items
        if settings is None:
            raise InputError("items", None, "what the scenario assumes of the scale's items")
        for place, value, expected in faults_of_items(settings, scale, arm_names):
            raise InputError(".".join(["items", *map(str, place)]), value, expected)
        points = round((scale.maximum - scale.minimum) / scale.items)
        clusters = tuple((name, part.items) for name, part in scale.subscales.items())
        if sorted(item for _, items in clusters for item in items) != list(range(1, scale.items + 1)):
            clusters = ()
        discrimination, difficulties = _parameters(settings, scale.items, points)
        effects = _effects(settings, [name for name, _ in clusters], arm_names)
        visits = max(len(law.scores) for law in truth.arms)
        shares = tuple(
            tuple(tuple(part.probabilities.tolist()) for part in truth.arms[arm].scores) for arm, _ in effects
        )
        return _law(
            _Given(
                scale.minimum,
                scale.items,
                points,
                clusters,
                discrimination,
                difficulties,
                settings.persistence,
                (len(truth.arms), visits),
                effects,
                shares,
            )
        )


def draw_items(draws: Draws, law: ItemLaw, arm: NDArray[np.intp], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Items that add up to the totals exactly, shape (trials, patients, visits, items); NaN where not seen.

    Parameters
    ----------
    arm
        Shape (trials, patients).
    scores
        Totals, NaN where not seen, shape (trials, patients, visits).
    """
    from .item_kernels import fill_items

    out = np.empty((*scores.shape, len(law.cluster)))
    fill_items(*_given(draws, law, arm, scores), out)
    return out


def draw_item_sums(
    draws: Draws, law: ItemLaw, arm: NDArray[np.intp], scores: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Sums of the items that `draw_items` draws, by cluster, shape (trials, patients, visits).

    Raises
    ------
    InputError
        For a scale whose clusters do not hold each item once.
    """
    from .item_kernels import fill_item_sums

    if not law.clusters:
        raise InputError("outcome.scale", None, "a scale whose clusters hold each item once, to draw clusters")
    out = np.empty((len(law.clusters), *scores.shape))
    fill_item_sums(*_given(draws, law, arm, scores), law.cluster, out)
    return {name: out[at] for at, name in enumerate(law.clusters)}


def _given(draws: Draws, law: ItemLaw, arm: NDArray[np.intp], scores: NDArray[np.float64]) -> tuple[object, ...]:
    """What both kernels take but for the place to fill."""
    from .item_kernels import persistent_uniform

    patients, visits = scores.shape[1:]
    free = len(law.cluster) - 1
    if law.persistence > 0:
        uniform = draws.normal("items", patients, visits, free)
        persistent_uniform(uniform, draws.normal("items of all visits", patients, free), law.persistence)
    else:
        uniform = draws.uniform("items", patients, visits, free)
    at_trait = draws.uniform("trait behind the items", patients, visits)
    return (
        scores, law.minimum, law.lowest, law.which, arm, at_trait, uniform, law.trait_below, law.categories, law.sums,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Given:
    """What the laws follow from, as a key to keep them under."""

    minimum: float
    items: int
    points: int
    clusters: tuple[tuple[str, tuple[int, ...]], ...]
    discrimination: Row
    difficulties: tuple[Row, ...]
    persistence: float
    shape: tuple[int, int]
    effects: tuple[tuple[int, Row], ...]
    shares: tuple[tuple[Row, ...], ...]


@lru_cache(maxsize=16)
def _law(given: _Given) -> ItemLaw:
    discrimination, difficulties = np.array(given.discrimination), np.array(given.difficulties)
    cluster = np.zeros(given.items, dtype=np.intp)
    for at, (_, items) in enumerate(given.clusters):
        cluster[np.array(items) - 1] = at
    traits = TRAITS[:, None]
    _check(sums_from(category_probabilities(traits, discrimination, difficulties)), given)
    which, shifts = np.zeros(given.shape, dtype=np.intp), [np.zeros(int(cluster.max()) + 1)]
    for (arm, factors), shares in zip(given.effects, given.shares, strict=True):
        laws = np.array(shares)
        for visit in range(1, len(laws)):
            which[arm, visit] = len(shifts)
            shifts.append(tilted_traits(discrimination, difficulties, cluster, np.array(factors), laws[0], laws[visit]))
    categories = np.array(
        [category_probabilities(traits + shift[cluster], discrimination, difficulties) for shift in shifts]
    )
    sums = np.array([sums_from(part) for part in categories])
    weights = np.array([trait_weights(part) for part in sums])
    return ItemLaw(
        given.minimum,
        given.minimum / given.items,
        tuple(name for name, _ in given.clusters),
        cluster,
        which,
        np.cumsum(weights, axis=2),
        categories,
        sums,
        given.persistence,
    )


def _check(sums: NDArray[np.float64], given: _Given) -> None:
    """Refuse items for which some total is too unlikely to be put into figures."""
    if (WEIGHTS @ sums[:, 0]).min() < 1e-200:
        raise InputError("items.difficulties", given.difficulties[0], "items that can add up to every total")


def _parameters(settings: Items, items: int, points: int) -> tuple[Row, tuple[Row, ...]]:
    """Discrimination and difficulties of each item."""
    slopes = settings.discrimination
    rows = settings.difficulties or (tuple(np.linspace(-1.5, 1.5, points).tolist()),)
    return slopes * items if len(slopes) == 1 else slopes, rows * items if len(rows) == 1 else rows


def _effects(settings: Items, clusters: Sequence[str], arm_names: Sequence[str]) -> tuple[tuple[int, Row], ...]:
    """Factors by cluster of the arms that have different ones."""
    rows = {
        list(arm_names).index(name): tuple(factors.get(cluster, 1.0) for cluster in clusters)
        for name, factors in settings.cluster_effects.items()
    }
    return tuple((arm, row) for arm, row in rows.items() if len(set(row)) > 1)
