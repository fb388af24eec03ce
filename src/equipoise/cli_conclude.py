"""The command `conclude`: what a trial known only from its paper may claim."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import __version__
from .cli_options import (
    AlphaOption,
    BetaOption,
    BindingOption,
    EfficacyOption,
    FractionsOption,
    FutilityOption,
    JsonOption,
    SidedOption,
    echo_json,
    group_sequential,
    listed,
    numbers,
    options_given,
    options_named,
)
from .cli_stopping import BetterOption, DfOption, ObservedOption, concluded, estimate_of, look_of
from .errors import InputError
from .keyed_text import keyed

__all__ = ["conclude"]

_KEYS = ("effect", "se", "df", "counts", "correlation", "better", "scale", "unit")
_EXAMPLE = (
    "LABEL: KEY=VALUE; KEY=VALUE, as 'response: counts=10/15,3/15; correlation=0.6:0.85' or"
    " 'madrs: effect=-5; se=2; correlation=0.5'"
)


@options_named(look="--stopped-at", name="--secondary")
def conclude(
    ctx: typer.Context,
    paper: Annotated[
        str,
        typer.Argument(metavar="[PAPER]", help="A paper of the gallery or its file; or give --effect and --se."),
    ] = "",
    effect: Annotated[
        float | None, typer.Option("--effect", help="Observed effect, experimental minus control.")
    ] = None,
    se: Annotated[float | None, typer.Option("--se", help="Its standard error.")] = None,
    fractions: FractionsOption = "1",
    stopped_at: Annotated[int | None, typer.Option("--stopped-at", help="The look it was taken at, from 1.")] = None,
    observed: ObservedOption = "",
    alpha: AlphaOption = 0.05,
    sided: SidedOption = 2,
    efficacy: EfficacyOption = "obrien-fleming",
    futility: FutilityOption = "",
    beta: BetaOption = None,
    binding: BindingOption = False,
    df: DfOption = float("inf"),
    better: BetterOption = None,
    secondary: Annotated[
        list[str] | None,
        typer.Option(
            "--secondary",
            metavar="EFFECT",
            help="An effect beside it, to be corrected as far as it goes with it; may be repeated. 'response:"
            " counts=10/15,3/15; correlation=0.6:0.85' (experimental, control) or 'madrs: effect=-5; se=2;"
            " correlation=0.5', with df, better, scale and unit if need be. The correlation is that of the two"
            " estimates, each counted as it favours the experimental arm, or a range of it.",
        ),
    ] = None,
    estimates: Annotated[
        bool, typer.Option("--estimates", help="Every estimator: other orderings, unbiased, conditional on the stop.")
    ] = False,
    overrun: Annotated[
        str,
        typer.Option("--overrun", metavar="EFFECT,SE", help="The same with outcomes that arrived after the stop."),
    ] = "",
    json: JsonOption = False,
) -> None:
    """What a trial known only from its paper may honestly claim, given that it could stop early."""
    if paper:
        _of_paper(ctx, paper, json)
        return
    if effect is None or se is None:
        ctx.fail("Missing a paper, or --effect with --se.")
    rule = group_sequential(fractions, alpha, sided, efficacy, futility, beta, binding)
    number, information = look_of(rule, "--stopped-at", stopped_at, observed)
    estimate = estimate_of(None, effect, se, df, better)
    conclusion = concluded(rule, estimate, number, information)
    found: dict[str, Any] = {"version": __version__, "design": rule.to_dict(), "conclusion": conclusion.to_dict()}
    from .terminal import conclusion_text

    shown = [conclusion_text(rule, conclusion)]
    if estimates:
        table = conclusion.estimates() if conclusion.decision.stops else None
        found["estimates"] = None if table is None else table.to_dict()
        shown += ["", "No estimators to list: they need a trial that has stopped." if table is None else str(table)]
    if secondary:
        from .trial import conclude_effects

        everything = conclude_effects(conclusion, [_secondary(text, conclusion) for text in secondary])
        found["effects"] = [row.to_dict() for row in everything.rows]
        shown += ["", str(everything)]
    if overrun:
        found["overrun"], text = _overrun(rule, estimate, number, information, overrun, df)
        shown += ["", text]
    if json:
        echo_json(found)
    else:
        typer.echo("\n".join(shown))


def _of_paper(ctx: typer.Context, name: str, json: bool) -> None:
    others = {parameter.name or "" for parameter in ctx.command.params} - {"paper", "json"}
    if given := options_given(ctx, *others):
        kind = "an option" if len(given) == 1 else "options"
        raise InputError("PAPER", name, f"a paper without {listed(given)}, {kind} of an effect alone")
    from .protocol import find_paper
    from .trial import conclude as conclude_paper

    found = conclude_paper(find_paper(name))
    if json:
        echo_json({"version": __version__, **found.to_dict()})
    else:
        typer.echo(str(found))


def _secondary(text: str, conclusion: Any) -> Any:
    """An effect from LABEL: KEY=VALUE; KEY=VALUE; raises `InputError` that names the key."""
    from .endpoints.binary.proportions import risk_difference
    from .estimate import Estimate, Scale
    from .trial import Secondary

    label, _, given = keyed("--secondary", text, _KEYS, _EXAMPLE)
    if not label:
        raise InputError("--secondary", text, _EXAMPLE)
    if "correlation" not in given:
        raise InputError("--secondary", text, "its correlation with the primary as well, as correlation=0.5 or 0.3:0.7")
    counted = "counts" in given
    if counted and (beside := [key for key in ("effect", "se", "df", "scale") if key in given]):
        raise InputError("--secondary", text, f"counts without {listed(beside)}, or effect and se without counts")
    if not counted and (missing := [key for key in ("effect", "se") if key not in given]):
        raise InputError("--secondary", text, f"{listed(missing)} as well, or counts")
    correlation = _parsed(text, "correlation", given["correlation"], ":", (1, 2), "a number or a range, as 0.6:0.85")
    try:
        better = given.get("better", "higher")
        if counted:
            counts = [
                _parsed(text, "counts", part, "/", (2,), "patients with the event and all, as 10/15,3/15")
                for part in given["counts"].split(",")
            ]
            if len(counts) != 2:
                raise InputError("counts", given["counts"], "those of both arms, as 10/15,3/15")
            level = conclusion.observed_interval.level
            measured: Any = risk_difference(*counts[0], *counts[1], level=level)  # type: ignore[arg-type]
        else:
            numbers_of = {
                key: _parsed(text, key, given[key], "/", (1,), "a number")[0]
                for key in ("effect", "se", "df")
                if key in given
            }
            scale = Scale(given["scale"].replace("-", " ")) if "scale" in given else Scale.MEAN_DIFFERENCE
            value, null = numbers_of["effect"], scale.null_value
            better = given.get("better", "higher" if value > null else "lower")
            freedom = numbers_of.get("df", float("inf"))
            measured = Estimate(value, numbers_of["se"], freedom, scale, better, null, label)  # type: ignore[arg-type]
        if better not in ("higher", "lower"):
            raise InputError("better", better, "'higher' or 'lower'")
        ends = correlation if len(correlation) == 2 else correlation * 2
        found = Secondary(label, measured, (ends[0], ends[1]), better, unit=given.get("unit", ""))  # type: ignore[arg-type]
        _ = found.estimate
    except InputError as error:
        if error.field == "--secondary":
            raise
        name = {"standard_error": "se", "degrees_of_freedom": "df"}.get(error.field, error.field)
        raise InputError("--secondary", text, f"{name} to be {error.expected}") from None
    except ValueError:
        raise InputError("--secondary", text, "scale to be one of " + ", ".join(Scale)) from None
    return found


def _parsed(text: str, key: str, value: str, mark: str, counts: tuple[int, ...], right: str) -> tuple[float, ...]:
    """Numbers of a value, apart by a mark."""
    try:
        found = tuple(float(part) for part in value.split(mark))
    except ValueError:
        found = ()
    if len(found) not in counts:
        raise InputError("--secondary", text, f"{key} to be {right}")
    return found


def _overrun(
    rule: Any, stopped: Any, look: int, information: tuple[float, ...] | None, text: str, df: float
) -> tuple[dict[str, Any], str]:
    from .estimate import Estimate
    from .sequential import overrunning

    figures = numbers("--overrun", text, "-9.9,3.2")
    if len(figures) != 2:
        raise InputError("--overrun", text, "the effect with all data and its standard error, as -9.9,3.2")
    try:
        whole = Estimate(*figures, df, better=stopped.better)
        if information is not None:
            gained = whole.information / stopped.information
            # rounding of two equal standard errors is no loss of information
            information = (*information, information[-1] * (1.0 if abs(gained - 1.0) < 1e-12 else gained))
        result = overrunning(rule, stopped, whole, look=look, information=information)
    except InputError as error:
        raise InputError("--overrun", text, f"{error.field} to be {error.expected}") from None
    return result.to_dict(), str(result)
