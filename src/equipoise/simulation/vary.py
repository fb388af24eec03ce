"""A grid of truths and trials around a protocol: several values of one thing or another, crossed."""

from __future__ import annotations

import copy
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..files import json_text
from ..protocol import loaded
from ..protocol.load import ProtocolError, checked
from ..trial import plan
from .designs import Design, designs_of
from .dials import DIALS, Table
from .key_path import path_of, set_key

if TYPE_CHECKING:
    from ..protocol import Protocol

__all__ = ["MOST_POINTS", "Axis", "GridPoint", "axes_of", "grid", "shown"]

MOST_POINTS = 1000
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER}):({_NUMBER})")


@dataclass(frozen=True)
class Axis:
    """One thing that varies.

    Attributes
    ----------
    name
        A short name (`DIALS`), or the path of a key.
    values
        What it takes, each once.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers, so that they can be drawn along a line."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)


@dataclass(frozen=True)
class GridPoint:
    """One protocol and truth of a grid.

    Attributes
    ----------
    values
        What each axis is here, by name.
    protocol
        With these values.
    scenario
        The name its patients are drawn under, the same all over the grid, so that all points share their random
        numbers.
    label
        Design and values in words; the scenario's name where nothing varies.
    design
        Label of the stopping rule, empty where only the protocol's own is used.
    """

    values: Mapping[str, Any]
    protocol: Protocol = field(repr=False)
    scenario: str
    label: str = ""
    design: str = ""

    def __str__(self) -> str:
        return self.label or self.scenario


def shown(value: Any) -> str:
    """A value of an axis as a table shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def axes_of(vary: Mapping[str, Iterable[Any]] | Sequence[str]) -> tuple[Axis, ...]:
    """Axes from "NAME=START:STOP:STEP" (both ends included), "NAME=VALUE,VALUE,..." or from a mapping.

    Values of a list are written as in a protocol file; words may go without quotes.

    Raises
    ------
    InputError
        When one cannot be read, is empty or says a value twice, or a name stands twice.
    """
    if isinstance(vary, str):
        vary = [vary]
    if isinstance(vary, Mapping):
        axes = []
        for name, values in vary.items():
            if isinstance(values, str) or not isinstance(values, Iterable):
                raise InputError("vary", values, f"a list of values of {name}")
            axes.append(_axis(str(name), [_as_python(value) for value in values], str(name)))
    else:
        axes = [_read(text) for text in vary]
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise InputError("vary", name, "each name once")
    return tuple(axes)


def _as_python(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _axis(name: str, values: Sequence[Any], text: str) -> Axis:
    if not values:
        raise InputError("vary", text, "at least one value")
    for at, value in enumerate(values):
        if value in values[:at]:
            raise InputError("vary", text, f"each value once, not {shown(value)} again")
    return Axis(name, tuple(values))


def _read(text: str) -> Axis:
    name, equals, rest = (part.strip() for part in _cut(text))
    if not equals or not name or not rest:
        raise InputError("vary", text, "NAME=START:STOP:STEP or NAME=VALUE,VALUE,..., as effect=0:1:0.1")
    if re.fullmatch(f"(?:{_NUMBER}):(?:{_NUMBER})?", rest.replace(" ", "")):
        raise InputError("vary", text, "START:STOP:STEP, as effect=0:1:0.1; the step is not there")
    found = _RANGE.fullmatch(rest.replace(" ", ""))
    if found:
        return _axis(name, _steps(text, *found.groups()), text)
    return _axis(name, [_value(text, part) for part in _parts(rest)], text)


def _cut(text: str) -> tuple[str, str, str]:
    """The name, the first equals sign outside quotes, and the rest."""
    found = re.match(r"""((?:[^"'=]|"[^"]*"|'[^']*')*)(=)""", text)
    return (found[1], "=", text[found.end() :]) if found else (text, "", "")


def _steps(text: str, start: str, stop: str, step: str) -> list[int | float]:
    """Decimals from start to stop, both included, without rounding on the way."""
    try:
        first, last, by = Decimal(start), Decimal(stop), Decimal(step)
        count = (last - first) / by if by else Decimal(-1)
        whole = count == count.to_integral_value()
    except InvalidOperation:
        raise InputError("vary", text, "numbers of a moderate size") from None
    if not by or count < 0:
        raise InputError("vary", text, "a step other than 0 that leads from start to stop")
    if count >= MOST_POINTS:
        raise InputError("vary", text, f"at most {MOST_POINTS:,} values")
    if not whole:
        reached = first + by * int(count)
        raise InputError("vary", text, f"whole steps from start to stop; these end at {reached} and {reached + by}")
    only_whole = all(re.fullmatch(r"[-+]?\d+", part) for part in (start, stop, step))
    values = [first + by * at for at in range(int(count) + 1)]
    return [int(value) if only_whole else float(value) for value in values]


def _parts(text: str) -> list[str]:
    """What commas outside brackets and quotes separate."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
        if char == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def _value(text: str, part: str) -> Any:
    """One value as TOML has it, or a word."""
    if not part:
        raise InputError("vary", text, "a value between every two commas")
    if re.fullmatch(_NUMBER, part):
        return float(part) if re.search(r"[.eE]", part) else int(part)
    try:
        return tomllib.loads(f"value = {part}")["value"]
    except tomllib.TOMLDecodeError:
        if re.search(r"""[\[\]{}"'\n=]""", part):
            raise InputError("vary", text, f"a value that a protocol file can hold; {part!r} is none") from None
        return part


def grid(
    protocol: Protocol,
    scenario: str | None = None,
    vary: Mapping[str, Iterable[Any]] | Sequence[str] = (),
    designs: Sequence[str | Design] = (),
) -> tuple[GridPoint, ...]:
    """Every combination of designs and values, around one scenario of a protocol; the last name varies fastest.

    The plan stays as it is where the truth varies: where its own scenario is varied, it goes on assuming it as it was.

    Parameters
    ----------
    scenario
        The truth to vary; by default the one the sample size assumes.
    vary
        As for `axes_of`. Names are effect, dropout, sd, patients, patients-per-month and correlation (see
        `equipoise.simulation.dials`), or the path of a key of the protocol file, as "stopping.alpha"; of keys of the
        scenario "scenarios.NAME" may be left out, as "arms.ketamine.dropout".
    designs
        As for `design_of`.

    Raises
    ------
    InputError
        When a name, value or design cannot be; it names "vary" or "designs".
    """
    scenario = scenario or loaded(protocol).sample_size.scenario
    protocol.scenario(scenario)
    axes, rules = axes_of(vary), designs_of(designs)
    count = len(rules) or 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_POINTS:
        raise InputError("vary", f"{count:,} combinations", f"at most {MOST_POINTS:,}")
    base = _plain(protocol.model_dump(exclude_unset=True))
    points: list[GridPoint] = []
    for rule in rules or (None,):
        changed = base
        if rule is not None:
            changed = copy.deepcopy(base)
            rule.change(changed)
            _protocol(changed, "designs", rule.text)
        for values in itertools.product(*(axis.values for axis in axes)):
            chosen = dict(zip((axis.name for axis in axes), values, strict=True))
            if chosen:
                made = _point(changed, scenario, chosen)
            else:
                made = protocol if rule is None else _protocol(changed, "designs", rule.text)
            words = [rule.label] if rule else []
            words += [f"{name} {shown(value)}" for name, value in chosen.items()]
            label = ", ".join(words) or scenario
            points.append(GridPoint(chosen, made, scenario, label, rule.label if rule else ""))
    for axis in axes:
        _check_it_matters(axis, [point for point in points if point.design == points[0].design])
    return tuple(points)


def _check_it_matters(axis: Axis, points: Sequence[GridPoint]) -> None:
    """Raise `InputError` where trials are the same whatever an axis says, all else the same."""
    if len(axis.values) < 2:
        return
    alike: dict[str, list[str]] = {}
    for point in points:
        others = json_text({name: value for name, value in point.values.items() if name != axis.name})
        alike.setdefault(others, []).append(_simulated(point.protocol, point.scenario))
    if all(len(set(found)) == 1 for found in alike.values()):
        values = ", ".join(map(shown, axis.values[:3])) + (", ..." if len(axis.values) > 3 else "")
        right = (
            f"something that trials of the scenario {points[0].scenario} hang on; they are the same with all of these"
        )
        raise InputError("vary", f"{axis.name}={values}", right)


def _simulated(protocol: Protocol, scenario: str) -> str:
    """All of a protocol that a simulation reads, as text."""
    table = protocol.model_dump(mode="json")
    table["scenarios"] = [table["scenarios"][name] for name in (scenario, protocol.sample_size.scenario)]
    for part in (table, table["trial"], *table["scenarios"], *table["arms"], *table["endpoints"], *table["visits"]):
        for name in ("description", "title", "label", "registry", "source"):
            part.pop(name, None)
    return json_text(table | {"trial": None})


def _point(base: Table, scenario: str, chosen: dict[str, Any]) -> Protocol:
    """The protocol with values put in, one after the other."""
    table = copy.deepcopy(base)
    said = ", ".join(f"{name}={shown(value)}" for name, value in chosen.items())
    try:
        _turn(table, base, scenario, chosen)
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        # a value put in by its path left no table that a dial could turn; what is wrong with it is told better by it
        _protocol(table, "vary", said)
        raise InputError("vary", said, "values that leave each other a protocol to change") from None
    return _protocol(table, "vary", said)


def _turn(table: Table, base: Table, scenario: str, chosen: dict[str, Any]) -> None:
    """Put values in a table, in place."""
    for name, value in chosen.items():
        given = f"{name}={shown(value)}"
        if name in DIALS:
            try:
                DIALS[name](table, scenario, value)
            except InputError as error:
                raise InputError("vary", given, error.expected) from None
        else:
            set_key(table, path_of(name, scenario, tuple(DIALS)), value, given)
    size, truths = table["sample_size"], table["scenarios"]
    if size["scenario"] == scenario and truths[scenario] != base["scenarios"][scenario]:
        planned = next(
            name
            for name in itertools.chain([f"{scenario} as planned"[:100]], map(str, itertools.count(1)))
            if name not in truths
        )
        truths[planned], size["scenario"] = base["scenarios"][scenario], planned


def _protocol(table: Table, field_name: str, text: Any) -> Protocol:
    """The protocol of a table, if it can be planned; faults in one sentence that names the argument."""
    try:
        made = checked(table)
        plan(made)
        return made
    except ProtocolError as error:
        fault = error.faults[0]
        more = f" (and {len(error.faults) - 1} more)" if len(error.faults) > 1 else ""
        raise InputError(field_name, text, f"what a protocol can have; {fault}{more}") from None
    except InputError as error:
        if not text:
            raise
        raise InputError(field_name, text, f"what a protocol can have; {error}") from None


def _plain(value: Any) -> Any:
    """Tables and lists that can be changed."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
