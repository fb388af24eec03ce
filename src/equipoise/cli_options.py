"""What commands share: their options, rules and endpoints written as NAME:PARAMETERS, reading and printing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
    "numbers",
    "read_trial",
    "rule_of",
    "rule_options_given",
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
        help="Error spending: obrien-fleming, pocock, power:3, hwang-shih-decani:-4, user:0.2/0.6/1, none. Classical:"
        " classical-obrien-fleming, classical-pocock, wang-tsiatis:0.25, haybittle-peto:3. Bounds: fixed:3/2.5, or"
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
}
_LISTS = ("cumulative", "values")


def numbers(option: str, text: str, separator: str = ",") -> tuple[float, ...]:
    """Numbers in one argument."""
    try:
        return tuple(float(part) for part in text.split(separator))
    except ValueError:
        raise InputError(option, text, f"numbers separated by '{separator}', as 0.75{separator}1") from None


def rule_of(option: str, text: str) -> Any:
    """A rule from its name, parameter and scale, as power:3 or fixed:0.1@conditional-power.

    Raises
    ------
    InputError
        When the name is unknown or the parameter missing or not a number; it names the option.
    """
    from .sequential import RULES, parameters_of, stopping_rule

    rule, _, scale = text.partition("@")
    name, _, values = rule.partition(":")
    if name not in RULES:
        raise InputError(option, text, "one of " + ", ".join(RULES))
    known = tuple(key for key in parameters_of(name) if key not in ("information", "scale"))
    given: dict[str, Any] = {}
    if values and not known:
        raise InputError(option, text, f"{name} without a parameter")
    if values:
        parsed = numbers(option, values, "/")
        if known[0] in _LISTS:
            given[known[0]] = parsed
        elif len(parsed) == 1:
            given[known[0]] = parsed[0]
        else:
            raise InputError(option, text, f"one number, {known[0]}, after '{name}:'")
    elif known and (name == "power" or parameters_of(name)[known[0]] or name == "hwang-shih-decani"):
        raise InputError(option, text, f"{name}:{known[0].upper()}, with its parameter")
    if scale:
        if "scale" not in parameters_of(name):
            raise InputError(option, text, f"{name} without a scale")
        given["scale"] = "p-value" if scale == "p-value" else scale.replace("-", " ")
    try:
        return stopping_rule(name, **given)
    except InputError as error:
        raise InputError(option, text, f"{error.field} to be {error.expected}") from None


def group_sequential(
    fractions: str, alpha: float, sided: int, efficacy: str, futility: str, beta: float | None, binding: bool
) -> GroupSequential:
    """The design that the options describe; errors name the option."""
    from .sequential import GroupSequential

    try:
        return GroupSequential(
            information=numbers("--fractions", fractions),
            alpha=alpha,
            sided=sided,
            efficacy=rule_of("--efficacy", efficacy),
            futility=rule_of("--futility", futility) if futility else None,
            beta=beta,
            binding=binding,
        )
    except InputError as error:
        raise InputError(OPTION_OF.get(error.field, error.field), error.value, error.expected) from None


def rule_options_given(*options: str | float | None) -> bool:
    """Whether any option that describes a rule without a protocol was given."""
    return any(option not in ("", None) for option in options)


def sized(text: str, rule: GroupSequential) -> Any:
    """Sample size of an endpoint written as means:effect=0.5,standard_deviation=1.

    Raises
    ------
    InputError
        When the endpoint, an assumption or its value is not as it should be; it names the option.
    """
    from dataclasses import MISSING, fields

    from .endpoints import Counts, Means, Rates

    kinds: dict[str, Any] = {"means": Means, "rates": Rates, "counts": Counts}
    name, _, rest = text.partition(":")
    if name not in kinds:
        raise InputError("--size", text, f"one of {', '.join(kinds)}, then a colon and its assumptions")
    known = {field.name: field for field in fields(kinds[name]) if field.init}
    given: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if key not in known:
            raise InputError("--size", part, f"one of {', '.join(known)}")
        try:
            given[key] = float(value)
        except ValueError:
            given[key] = value.replace("-", " ")
    missing = [key for key, field in known.items() if key not in given and field.default is MISSING]
    if missing:
        raise InputError("--size", text, f"{', '.join(missing)} as well")
    try:
        return kinds[name](**given).sample_size(rule)
    except InputError as error:
        raise InputError("--size", text, f"{error.field} to be {error.expected}") from None
    except TypeError:
        raise InputError("--size", text, "a number where one is needed") from None


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
