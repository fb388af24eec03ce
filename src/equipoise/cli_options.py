"""What commands share: their options, rules and endpoints written as NAME:PARAMETERS, reading and printing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import typer

from .errors import InputError

if TYPE_CHECKING:
    from .data import TrialData
    from .protocol import Protocol
    from .sequential import GroupSequential

__all__ = [
    "AlphaOption",
    "BetaOption",
    "BindingOption",
    "DataArgument",
    "EfficacyOption",
    "FractionsOption",
    "FutilityOption",
    "JsonOption",
    "KnownAtOption",
    "SidedOption",
    "echo_json",
    "echo_table",
    "found_protocol",
    "group_sequential",
    "listed",
    "numbers",
    "options_given",
    "options_named",
    "read_trial",
    "refuse_beside_protocol",
    "rule_of",
    "scale_of",
    "sized",
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="[DATA]", help="A CSV or Parquet file, or a folder of tables; by default the protocol's own source."
    ),
]
KnownAtOption = Annotated[
    str, typer.Option("--known-at", metavar="DATE", help="Date to which the data are known, year-month-day.")
]
FractionsOption = Annotated[
    str, typer.Option("--fractions", help="Planned information fractions of the looks, as 0.75,1.")
]
AlphaOption = Annotated[float, typer.Option("--alpha", help="Type I error, over both sides when two-sided.")]
SidedOption = Annotated[int, typer.Option("--sided", help="1 or 2.")]
EfficacyOption = Annotated[
    str,
    typer.Option(
        "--efficacy",
        metavar="RULE",
        help="Error spending: obrien-fleming and pocock (also obrien-fleming-spending, pocock-spending), power:3,"
        " hwang-shih-decani:-4, user:0.2/0.6/1, none. Classical: classical-obrien-fleming, classical-pocock,"
        " wang-tsiatis:0.25, haybittle-peto:3. Bounds: fixed:3/2.5, fixed:none/2 for a look without bound, or"
        " fixed:0.001/0.01@p-value.",
    ),
]
FutilityOption = Annotated[
    str,
    typer.Option(
        "--futility",
        metavar="RULE",
        help="A spending rule for beta, or fixed bounds as fixed:0/0.5, fixed:0.1@conditional-power,"
        " fixed:0.1@conditional-power-at-trend, fixed:0.1@predictive-power, fixed:0.2@effect.",
    ),
]
BetaOption = Annotated[float | None, typer.Option("--beta", help="Type II error.")]
BindingOption = Annotated[bool, typer.Option("--binding", help="Stopping for futility is obligatory.")]

OPTION_OF = {
    "information": "--fractions",
    "sided": "--sided",
    "alpha": "--alpha",
    "beta": "--beta",
    "efficacy": "--efficacy",
    "futility": "--futility",
    "binding": "--binding",
    "design.sided": "--sided",
    "design.futility": "--futility",
    "design.beta": "--beta",
    "effect": "--effect",
    "standard_error": "--se",
    "degrees_of_freedom": "--df",
    "better": "--better",
    "look": "--look",
    "pipeline": "--pipeline",
    "power": "--beta",
    "scale": "--scale",
    "path": "--plot",
}
_OF_THE_RULE = ("power", "beta", "information", "efficacy", "futility")


@contextmanager
def options_named(**others: str) -> Iterator[None]:
    """Let errors name the option at fault: that of `OPTION_OF`, or of `others`, by the field."""
    try:
        yield
    except InputError as error:
        # a protocol or data with several faults names none of them
        name = {**OPTION_OF, **others}.get(getattr(error, "field", ""))
        if name is None:
            raise
        raise InputError(name, error.value, error.expected) from None


def options_given(ctx: typer.Context, *names: str) -> list[str]:
    """Options of these parameters that stand on the command line, whatever their value."""
    found = []
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        if name in names and source is not None and not source.name.startswith("DEFAULT"):
            found.append(parameter.opts[0])
    return found


def refuse_beside_protocol(ctx: typer.Context, protocol: str, *allowed: str) -> None:
    """Refuse every option that a protocol settles itself.

    Raises
    ------
    InputError
        Naming the options given that are not of the parameters `allowed`.
    """
    others = {parameter.name or "" for parameter in ctx.command.params} - {"protocol", *allowed}
    if given := options_given(ctx, *others):
        kind = "an option" if len(given) == 1 else "options"
        raise InputError("PROTOCOL", protocol, f"a protocol without {listed(given)}, {kind} of a rule alone")


def listed(names: list[str]) -> str:
    """Names in a row, with 'and' before the last."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def numbers(option: str, text: str, example: str = "0.75,1") -> tuple[float, ...]:
    """Numbers in one argument, separated by commas."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(option, text, f"numbers separated by ',', as {example}") from None


def scale_of(option: str, text: str, scale: str) -> str:
    """A scale by its name, with spaces or hyphens; `text` is the whole argument, for the message."""
    from .sequential.rule_text import scale_named

    return scale_named(option, text, scale)


def rule_of(option: str, text: str) -> Any:
    """A rule from its name, parameter and scale, as power:3 or fixed:0.1@conditional-power.

    Raises
    ------
    InputError
        When the name is unknown or the parameter missing or not a number; it names the option.
    """
    from .sequential import stopping_rule
    from .sequential.rule_text import rule_parts

    name, given = rule_parts(option, text)
    try:
        return stopping_rule(name, **given)
    except InputError as error:
        raise InputError(option, text, f"{error.field} to be {error.expected}") from None


def group_sequential(
    fractions: str, alpha: float, sided: int, efficacy: str, futility: str, beta: float | None, binding: bool
) -> GroupSequential:
    """The design that the options describe; errors name the option."""
    from .sequential import GroupSequential

    with options_named():
        return GroupSequential(
            information=numbers("--fractions", fractions),
            alpha=alpha,
            sided=sided,
            efficacy=rule_of("--efficacy", efficacy),
            futility=rule_of("--futility", futility) if futility else None,
            beta=beta,
            binding=binding,
        )


def sized(text: str, rule: GroupSequential) -> Any:
    """Sample size of an endpoint written as means:effect=0.5,standard_deviation=1.

    Raises
    ------
    InputError
        When the endpoint, an assumption or its value is not as it should be; it names the option and the key.
    """
    from dataclasses import MISSING, fields
    from typing import get_type_hints

    from .endpoints import Counts, Means, Rates, Survival

    kinds: dict[str, Any] = {"means": Means, "rates": Rates, "counts": Counts, "survival": Survival}
    name, _, rest = text.partition(":")
    if name not in kinds:
        right = f"one of {', '.join(kinds)}, then a colon and its assumptions; repeated measures are planned in Python"
        raise InputError("--size", text, right)
    known = {field.name: field for field in fields(kinds[name]) if field.init}
    hints = get_type_hints(kinds[name].__init__)
    given: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in known:
            raise InputError("--size", part, f"one of {', '.join(known)}")
        if key in given:
            raise InputError("--size", part, f"{key} once")
        given[key] = _assumption(key, value, hints[key])
    missing = [key for key, field in known.items() if key not in given and field.default is MISSING]
    if missing:
        raise InputError("--size", text, f"{listed(missing)} as well; {name} knows {', '.join(known)}")
    try:
        return kinds[name](**given).sample_size(rule)
    except InputError as error:
        if error.field in _OF_THE_RULE:
            raise
        raise InputError("--size", text, f"{error.field} to be {error.expected}") from None
    except ArithmeticError:
        raise InputError("--size", text, "assumptions that a trial can have") from None


def _assumption(key: str, text: str, hint: Any) -> Any:
    """The value of an assumption, by the type that its endpoint gives it."""
    from .endpoints import Accrual

    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    several = any(get_origin(kind) is tuple for kind in kinds)
    choices: dict[str, Any] = {}
    if get_origin(hint) is Literal:
        choices = {word.replace(" ", "-"): word for word in get_args(hint)}
        text = text.replace(" ", "-")
    elif bool in kinds:
        choices = {"true": True, "false": False}
    try:
        if choices:
            return choices[text]
        if int in kinds:
            return int(text)
        if several and "/" in text:
            return tuple(float(part) for part in text.split("/"))
        value = float(text)
        if float in kinds:
            return value
        if not 0 < value < float("inf"):
            raise ValueError
        return Accrual.uniform(value)
    except (KeyError, ValueError):
        if choices:
            right = f"one of {', '.join(choices)}"
        elif int in kinds:
            right = "a whole number"
        elif float in kinds:
            right = "a number, or several as 0.5/1/2" if several else "a number"
        else:
            right = "a time above 0"
        raise InputError("--size", f"{key}={text}", f"{key} to be {right}") from None


def found_protocol(name: str) -> Protocol:
    """The protocol of a file or of the gallery."""
    from .protocol import find_protocol

    return find_protocol(name)


def read_trial(protocol: Protocol, data: str, known_at: str) -> TrialData:
    """Trial data from a file or folder, or the protocol's own source, as known on a date."""
    import datetime

    from .conduct import read_data

    try:
        date = datetime.date.fromisoformat(known_at) if known_at else None
    except ValueError:
        raise InputError("--known-at", known_at, "a date as 2015-05-18") from None
    return read_data(protocol, data or None, date)


def echo_json(content: Any) -> None:
    """Print plain values as JSON."""
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def echo_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table with its title."""
    from .terminal import print_table

    print_table(title, header, rows)
