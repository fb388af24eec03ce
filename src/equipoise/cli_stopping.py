"""Commands about stopping rules: `design` and `monitor`, from a protocol or from figures alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from . import __version__
from .cli_options import (
    AlphaOption,
    BetaOption,
    BindingOption,
    DataArgument,
    EfficacyOption,
    FractionsOption,
    FutilityOption,
    JsonOption,
    KnownAtOption,
    SidedOption,
    echo_json,
    echo_table,
    found_protocol,
    group_sequential,
    listed,
    numbers,
    options_given,
    options_named,
    read_trial,
    refuse_beside_protocol,
    scale_of,
    sized,
)
from .errors import InputError

__all__ = [
    "BetterOption",
    "DfOption",
    "ObservedOption",
    "concluded",
    "design",
    "estimate_of",
    "look_of",
    "monitor",
]

MOST_STANDARD_ERRORS = 1e8

OptionalProtocol = Annotated[
    str, typer.Argument(metavar="[PROTOCOL]", help="A protocol file or a trial of the gallery; or give --fractions.")
]
PlotOption = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draw it (.png, .svg or .pdf).")]
ObservedOption = Annotated[
    str,
    typer.Option("--observed", help="Information at the looks so far, as fractions of the planned maximum, if other."),
]
BetterOption = Annotated[
    Literal["higher", "lower"] | None,
    typer.Option("--better", help="Which direction favours the experimental arm; by default the observed one."),
]
DfOption = Annotated[float, typer.Option("--df", help="Degrees of freedom; infinite (normal) by default.")]


@options_named()
def design(
    ctx: typer.Context,
    protocol: OptionalProtocol = "",
    fractions: FractionsOption = "",
    alpha: AlphaOption = 0.05,
    sided: SidedOption = 2,
    efficacy: EfficacyOption = "obrien-fleming",
    futility: FutilityOption = "",
    beta: BetaOption = None,
    binding: BindingOption = False,
    size: Annotated[
        str,
        typer.Option(
            "--size",
            metavar="ENDPOINT",
            help="Sample size for a power of 1 - beta, as means:effect=0.5,standard_deviation=1 or"
            " rates:experimental=0.6,control=0.4 or counts:experimental=0.7,control=1,dispersion=0.5,exposure=0.5/1 or"
            " survival:control=0.06,hazard_ratio=0.65,accrual=18,follow_up=12,dropout=0.005. Assumptions are named as"
            " in Python (Means, Rates, Counts, Survival with uniform accrual and constant hazards); an unknown one is"
            " answered by all there are. Repeated measures are planned from Python (RepeatedMeasures).",
        ),
    ] = "",
    pipeline: Annotated[
        str,
        typer.Option(
            "--pipeline", help="Outcomes are delayed: information fractions once those under way at each look are in."
        ),
    ] = "",
    plot: PlotOption = None,
    scale: Annotated[
        str,
        typer.Option(
            "--scale",
            help="Of the plot of a rule alone: z, p-value, effect, conditional-power, conditional-power-at-trend or"
            " predictive-power.",
        ),
    ] = "z",
    json: JsonOption = False,
) -> None:
    """Boundaries, error spent, power or sample size, what to expect: of a protocol, or of a rule alone."""
    if protocol:
        refuse_beside_protocol(ctx, protocol, "plot", "json")
        _design_of(protocol, plot, json)
        return
    if not fractions:
        raise InputError("--fractions", "", "information fractions of the looks, as 0.75,1, or a protocol")
    shown_on = scale_of("--scale", scale, scale)
    if plot is None and options_given(ctx, "scale"):
        raise InputError("--scale", scale, "a file to draw to as well, --plot FILE")
    rule = group_sequential(fractions, alpha, sided, efficacy, futility, beta, binding)
    found: dict[str, Any] = {"version": __version__, "design": rule.to_dict()}
    shown = [str(rule)]
    if size:
        planned = sized(size, rule)
        found["sample_size"] = planned.to_dict()
        shown.append(str(planned))
    if pipeline:
        from .sequential import DelayedResponse

        delayed = DelayedResponse(rule, numbers("--pipeline", pipeline, "0.85"))
        found["delayed"] = delayed.to_dict()
        shown.append(str(delayed))
    if plot is not None:
        from .report import save_figure

        with options_named(look="--scale", drift="--beta"):
            save_figure(rule.plot(scale=shown_on), plot)
    if json:
        echo_json(found)
    else:
        typer.echo("\n\n".join(shown))
    if plot is not None:
        typer.echo(f"wrote {plot}", err=json)


def _design_of(protocol: str, plot: Path | None, json: bool) -> None:
    from .trial import plan

    planned = plan(found_protocol(protocol))
    if plot is not None:
        from .report import design_figure, save_figure

        save_figure(design_figure(planned), plot)
    if json:
        echo_json(planned.to_dict())
    else:
        from .terminal import plan_tables

        for title, header, rows in plan_tables(planned):
            echo_table(title, header, rows)
    if plot is not None:
        typer.echo(f"wrote {plot}", err=json)


@options_named()
def monitor(
    ctx: typer.Context,
    protocol: OptionalProtocol = "",
    data: DataArgument = "",
    look: Annotated[
        int | None,
        typer.Option(
            "--look",
            help="With data: take all data as this look, from 1; by default the looks are found by their dates."
            " Without: the look of the figures; by default the first, or as --observed has it.",
        ),
    ] = None,
    known_at: KnownAtOption = "",
    z: Annotated[float | None, typer.Option("--z", help="Without data: z at the look, positive if favourable.")] = None,
    effect: Annotated[float | None, typer.Option("--effect", help="Or the observed effect.")] = None,
    se: Annotated[float | None, typer.Option("--se", help="And its standard error.")] = None,
    df: DfOption = float("inf"),
    better: BetterOption = None,
    observed: ObservedOption = "",
    fractions: FractionsOption = "",
    alpha: AlphaOption = 0.05,
    sided: SidedOption = 2,
    efficacy: EfficacyOption = "obrien-fleming",
    futility: FutilityOption = "",
    beta: BetaOption = None,
    binding: BindingOption = False,
    promising: Annotated[
        str,
        typer.Option(
            "--promising",
            metavar="MAX[,TARGET]",
            help="Mehta and Pocock's zone at the last but one look: largest information as a multiple of the planned,"
            " and the conditional power aimed at (0.9).",
        ),
    ] = "",
    plot: PlotOption = None,
    json: JsonOption = False,
) -> None:
    """An interim look for the committee: decision, repeated interval, conditional and predictive power."""
    if protocol:
        refuse_beside_protocol(ctx, protocol, "data", "look", "known_at", "plot", "json")
        _monitor_data(protocol, data, look, known_at, plot, json)
        return
    if not fractions:
        raise InputError("--fractions", "", "information fractions of the looks, as 0.5,0.75,1, or a protocol")
    if known_at:
        raise InputError("--known-at", known_at, "a protocol and its data as well")
    if z is not None and (beside := options_given(ctx, "effect", "se", "df", "better")):
        raise InputError("--z", z, f"a z-value alone, without {listed(beside)}, or --effect and --se, not both")
    rule = group_sequential(fractions, alpha, sided, efficacy, futility, beta, binding)
    number, information = look_of(rule, "--look", look, observed)
    zone = _promising(rule, number, information, promising) if promising else None
    estimate = estimate_of(z, effect, se, df, better)
    conclusion = concluded(rule, estimate, number, information)
    found: dict[str, Any] = {"version": __version__, "design": rule.to_dict(), "conclusion": conclusion.to_dict()}
    bounds = f"efficacy bound {conclusion.efficacy_bound:.4f}"
    if conclusion.futility_bound is not None:
        bounds += f", futility bound {conclusion.futility_bound:.4f}"
    shown = [
        f"Look {number} at information fraction {conclusion.information[-1]:.4g}: {conclusion.decision}",
        f"z = {conclusion.z:.4f}, {bounds}; repeated p = {conclusion.repeated_p_value:.4g}",
    ]
    if z is None:
        interval = conclusion.repeated_interval
        shown.append(f"effect {estimate.effect:.4g}, repeated {100 * interval.level:g} % interval {interval}")
    if number < rule.looks and conclusion.information[-1] < 1:
        monitoring = rule.monitor(conclusion.z, information=conclusion.information)
        found["monitoring"] = monitoring.to_dict()
        shown += ["", str(monitoring)]
        if plot is not None:
            from .report import save_figure

            save_figure(monitoring.plot(), plot)
    elif plot is not None:
        raise InputError(
            "--plot", str(plot), "a look with another ahead of it, for there is nothing to draw at the last"
        )
    if zone is not None:
        information_needed = float(zone.information(conclusion.z))
        found["promising_zone"] = {
            "zone": str(zone.zone(conclusion.z)),
            "conditional_power": float(zone.conditional_power(conclusion.z)),
            "smallest_conditional_power": zone.smallest_conditional_power,
            "final_information": information_needed,
        }
        shown += [
            "",
            str(zone),
            f"here: {zone.zone(conclusion.z)}, final information {information_needed:.4g} times the plan",
        ]
    if json:
        echo_json(found)
    else:
        typer.echo("\n".join(shown))
    if plot is not None:
        typer.echo(f"wrote {plot}", err=json)


def _promising(rule: Any, look: int, information: tuple[float, ...] | None, text: str) -> Any:
    """The promising zone, at the last but one look as planned."""
    from .sequential import PromisingZone

    planned = rule.information[:look]
    as_planned = information is None or all(map(math.isclose, information, planned))
    if rule.looks < 2:
        raise InputError("--promising", text, "a rule with a look before the last")
    if rule.sided != 1:
        raise InputError("--promising", text, "a one-sided rule, --sided 1")
    if look != rule.looks - 1 or not as_planned:
        where = f"look {rule.looks - 1} of {rule.looks}, at information fraction {rule.information[-2]:g}"
        raise InputError("--promising", text, f"the last but one look, held at the information planned: {where}")
    parts = numbers("--promising", text, "2,0.9")
    if len(parts) > 2:
        raise InputError("--promising", text, "one number or two, the largest information and the conditional power")
    try:
        zone = PromisingZone(rule, *parts)
        _ = zone.z_limits, zone.smallest_conditional_power
        return zone
    except InputError as error:
        raise InputError("--promising", text, f"{error.field} to be {error.expected}") from None


def _monitor_data(protocol: str, data: str, look: int | None, known_at: str, plot: Path | None, json: bool) -> None:
    from .trial import monitor as monitor_trial

    found = found_protocol(protocol)
    seen = monitor_trial(found, read_trial(found, data, known_at), look=look)
    if plot is not None:
        from .report import save_figure

        if seen.monitoring is None:
            raise InputError("--plot", str(plot), "a look with another ahead of it")
        save_figure(seen.monitoring.plot(), plot)
    if json:
        echo_json(seen.to_dict())
    else:
        typer.echo(str(seen))
    if plot is not None:
        typer.echo(f"wrote {plot}", err=json)


def estimate_of(
    z: float | None, effect: float | None, se: float | None, df: float, better: str | None, **others: Any
) -> Any:
    """An estimate from z, or from an effect with its standard error; raises `InputError` that names the option."""
    from .estimate import Estimate

    if z is not None:
        with options_named(effect="--z"):
            return Estimate(z, 1.0, label="z")
    if effect is None or se is None:
        raise InputError("--effect", effect, "an effect with --se, or --z")
    direction = better or ("lower" if effect < 0 else "higher")
    with options_named():
        return Estimate(effect, se, df, better=direction, **others)  # type: ignore[arg-type]


def look_of(rule: Any, option: str, look: int | None, observed: str) -> tuple[int, tuple[float, ...] | None]:
    """The look, and the information at the looks up to it where that is not as planned."""
    information = numbers("--observed", observed, "0.4,0.8") if observed else None
    if look is not None and look < 1:
        raise InputError(option, look, f"a look from 1 to {rule.looks}")
    if information is None:
        number = 1 if look is None else look
        if number > rule.looks:
            right = f"a look from 1 to {rule.looks}, or --observed with the information at every look"
            raise InputError(option, number, right)
        return number, None
    if look is not None and look != len(information):
        one = "one fraction" if look == 1 else f"{look} fractions, one a look"
        right = f"{one}, up to the look of {option} {look}; or leave {option} out"
        raise InputError("--observed", observed, right)
    return len(information), information


def concluded(rule: Any, estimate: Any, look: int, information: tuple[float, ...] | None) -> Any:
    """What the rule says at the look; raises `InputError` that names the option."""
    option = "--z" if estimate.label == "z" else "--effect"
    try:
        if abs(estimate.effect) > MOST_STANDARD_ERRORS * estimate.standard_error:
            raise ArithmeticError
        with options_named(information="--observed" if information else "--fractions", estimates=option):
            return rule.conclude(estimate, look=look, information=information)
    except ArithmeticError:
        freedom = estimate.degrees_of_freedom
        figures = (
            f"{estimate.effect:g} with standard error {estimate.standard_error:g} and {freedom:g} degrees of freedom"
        )
        raise InputError(option, figures, "figures that a trial can have") from None
