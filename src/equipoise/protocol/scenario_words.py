"""What a scenario sets besides its arms' laws, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .parts import Part

if TYPE_CHECKING:
    from .protocol import Protocol

__all__ = ["SETTING_TITLES", "Setting", "settings_of"]

SETTING_TITLES = {
    "correlation": "correlations between visits of its own",
    "dropout_odds_ratio_per_unseen_point": "dropout by the score that is not seen (missing not at random)",
    "missed_visits": "missed visits",
    "responders": "a mixture of responders and others",
    "sites": "differences between sites",
    "expectancy": "expectancy",
    "rater_drift": "drift of raters",
    "exposure": "exposure-response",
    "items": "items of the scale",
}
"""By field of `Scenario`, all but its description and its arms."""


@dataclass(frozen=True)
class Setting:
    """One setting that is on.

    Attributes
    ----------
    title
        What it is.
    given
        What the protocol says of it, without what is at its default; may be empty.
    values
        All that it is, defaults included.
    """

    title: str
    given: str
    values: str


def settings_of(protocol: Protocol, scenario: str) -> tuple[Setting, ...]:
    """The settings of a scenario, and of the population, that are not off; raises `InputError` for an unknown one."""
    chosen = protocol.scenario(scenario)
    found = []
    population = protocol.population
    if population is not None and population.dropout_odds_ratio_per_point != 1:
        told = f"odds ratio {population.dropout_odds_ratio_per_point:g} per point"
        found.append(Setting("dropout by the last seen score", told, told))
    for name, title in SETTING_TITLES.items():
        value = getattr(chosen, name)
        if value == type(chosen).model_fields[name].default:
            continue
        if isinstance(value, Part):
            given, whole = value.model_dump(exclude_defaults=True), value.model_dump()
            found.append(Setting(title, _words(given), _words(whole)))
        elif name == "correlation":
            found.append(Setting(title, "", _words(value)))
        else:
            told = f"odds ratio {value:g} per point"
            found.append(Setting(title, told, told))
    shapes = {arm: law.shape_of_loss_of_response for arm, law in chosen.arms.items()}
    if any(shape != 1 for shape in shapes.values()):
        told = _words(shapes)
        found.append(Setting("Weibull shape of the time to loss of response", told, told))
    return tuple(found)


def _words(value: Any) -> str:
    """Keys and values in one line; what is empty is left out."""
    if isinstance(value, Mapping):
        parts = []
        for key, item in value.items():
            words = _words(item)
            if words:
                nested = isinstance(item, Mapping)
                parts.append(f"{key.replace('_', ' ')} ({words})" if nested else f"{key.replace('_', ' ')} {words}")
        return ", ".join(parts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ("; " if any(isinstance(item, list | tuple) for item in value) else " ").join(map(_words, value))
    return "" if value is None else str(value)
