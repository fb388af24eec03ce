"""What is assumed of the items of a rating scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from .parts import Name, Number, Part, Positive
from .raw import Finding, Raw, is_number

if TYPE_CHECKING:
    from .scales import RatingScale

__all__ = ["ITEM_CHECKS", "Items", "faults_of_items"]

Slope = Annotated[Number, Field(gt=0, le=20)]
Places = tuple[Annotated[Number, Field(ge=-20, le=20)], ...]


def _as_list(value: Any) -> Any:
    return [value] if is_number(value) else value


def _as_rows(value: Any) -> Any:
    return [value] if isinstance(value, (list, tuple)) and value and all(map(is_number, value)) else value


class Items(Part):
    """Items of the rating scale, drawn so that they add up to the total and its clusters.

    Items follow the graded response model (Samejima 1969): an item scores k or more with the logistic probability of
    discrimination x (trait - difficulty k), the trait being standard normal. The defaults are assumed: all items alike,
    difficulties even around the trait's mean, and the discrimination at which twenty items of 0 to 4 have the internal
    consistency that Weathers et al. 2018 (Psychological Assessment 30:383) give for CAPS-5, alpha = 0.88.
    """

    discrimination: Annotated[
        tuple[Slope, ...],
        BeforeValidator(_as_list, json_schema_input_type=Slope | tuple[Slope, ...]),
        Field(description="Of all items, or of each; logistic."),
    ] = (1.12,)
    difficulties: Annotated[
        tuple[Places, ...],
        BeforeValidator(_as_rows, json_schema_input_type=Places | tuple[Places, ...]),
        Field(
            description="Where on the trait an item is as likely to score k or more as not, k = 1, 2, ..., rising: one"
            " row for all items, or a row for each. Even from -1.5 to 1.5 when empty."
        ),
    ] = ()
    persistence: Annotated[
        Number,
        Field(
            ge=0,
            le=1,
            description="Correlation between visits of the normal numbers by which items follow totals.",
        ),
    ] = 0.5
    cluster_effects: Annotated[
        dict[Name, dict[Name, Positive]],
        Field(
            description="Of an arm, by cluster: the factor on the share of the arm's mean change of the total since"
            " baseline that falls on the cluster; 1 for those not named. The total's change stays as it is."
        ),
    ] = {}


def faults_of_items(
    settings: Items, scale: RatingScale, arm_names: Sequence[str]
) -> Iterator[tuple[tuple[str | int, ...], object, str]]:
    """What does not fit the scale or the arms: the place in the settings, what stands there, what was expected."""
    points = (scale.maximum - scale.minimum) / scale.items
    if not points.is_integer():
        yield (), scale.name, "a scale whose items all have the same points"
        return
    slopes, rows = settings.discrimination, settings.difficulties
    if len(slopes) not in (1, scale.items):
        yield ("discrimination",), slopes, f"one number, or {scale.items}, one per item"
    if len(rows) not in (0, 1, scale.items):
        yield ("difficulties",), f"{len(rows)} rows", f"one row, or {scale.items}, one per item"
    for row in rows:
        if len(row) != points or any(after <= before for before, after in pairwise(row)):
            yield ("difficulties",), row, f"{points:g} rising numbers, one per point above an item's lowest"
    for arm, factors in settings.cluster_effects.items():
        if arm not in arm_names:
            yield ("cluster_effects", arm), arm, f"an arm: {', '.join(arm_names)}"
        elif sorted(item for part in scale.subscales.values() for item in part.items) != list(
            range(1, scale.items + 1)
        ):
            yield ("cluster_effects", arm), scale.name, "a scale whose clusters hold each item once"
        for cluster in factors:
            if scale.subscales and cluster not in scale.subscales:
                yield ("cluster_effects", arm, cluster), cluster, f"a cluster: {', '.join(scale.subscales)}"


def _items(raw: Raw) -> Iterator[Finding]:
    for name in raw.section("scenarios"):
        place, given = ("scenarios", name, "items"), raw.section("scenarios", name).get("items")
        if given is None:
            continue
        if not raw.has_scale:
            yield Finding(place, given, "has no meaning without [outcome], a rating scale")
        elif raw.scale is not None:
            try:
                settings = Items.model_validate(given)
            except ValidationError:
                continue
            for where, value, expected in faults_of_items(settings, raw.scale, raw.arms):
                yield Finding((*place, *where), value, f"expected {expected}")


ITEM_CHECKS = (_items,)
