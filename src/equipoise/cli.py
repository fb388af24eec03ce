"""The command line: each command calls one public function and shows its result."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import __version__
from .errors import InputError, NotEstimable

if TYPE_CHECKING:
    from .protocol import Protocol
    from .trial import Look, TrialResult

__all__ = ["app", "main"]

MOST_STANDARD_ERRORS = 1e8
OPTION_OF = {"standard_error": "--se", "sided": "--sided", "look": "--stopped-at"}

app = typer.Typer(
    name="equipoise",
    help="A randomised clinical trial from its protocol to a verdict that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

ProtocolArgument = Annotated[
    str, typer.Argument(metavar="PROTOCOL", help="A protocol file, or the name of a trial in the gallery.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Folder for the results; by default named after the trial.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]


def main() -> None:
    """Run the command line; what the user got wrong is one message and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except (InputError, NotEstimable) as error:
        _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _fail(message: str) -> None:
    typer.echo(f"equipoise: {message}", err=True)
    raise SystemExit(2)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"equipoise {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A randomised clinical trial from its protocol to a verdict that can be trusted."""


@app.command()
def gallery(
    copy: Annotated[str, typer.Option("--copy", metavar="NAME", help="Copy this trial's file out, to be edited.")] = "",
    destination: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where --copy writes it.")] = Path(),
) -> None:
    """List the trials that ship, or copy one out."""
    from .protocol import gallery as ship
    from .protocol import gallery_names, gallery_text

    if copy:
        from .conduct import write_text

        text = gallery_text(copy)
        target = destination / f"{copy}.toml" if destination.is_dir() or not destination.suffix else destination
        if target.exists():
            raise InputError("destination", str(target), "a place where no file is yet")
        write_text(target, text)
        typer.echo(f"wrote {target}")
        return
    rows = [[name, (found := ship(name)).trial.title, ", ".join(found.scenarios)] for name in gallery_names()]
    _table("Trials that ship", ["name", "title", "scenarios"], rows)


@app.command()
def show(protocol: ProtocolArgument) -> None:
    """Print a protocol as readable tables."""
    from .protocol import find_protocol
    from .terminal import protocol_tables

    for title, header, rows in protocol_tables(find_protocol(protocol)):
        _table(title, header, rows)


@app.command()
def check(protocol: ProtocolArgument) -> None:
    """Name every fault of a protocol; exit code 2 if there is one."""
    from .protocol import find_protocol
    from .trial import plan

    found = find_protocol(protocol)
    plan(found)
    typer.echo(f"{protocol}: no fault found (protocol {found.hash[:12]})")


@app.command()
def schema() -> None:
    """Print the JSON Schema of protocol files, for editors."""
    import json

    from .protocol import Protocol

    typer.echo(json.dumps(Protocol.model_json_schema(), indent=2))


@app.command()
def design(
    protocol: ProtocolArgument,
    json: JsonOption = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw the design (.png, .svg or .pdf).")
    ] = None,
) -> None:
    """Boundaries, alpha spent, power or sample size, what to expect."""
    from .protocol import find_protocol
    from .trial import plan

    planned = plan(find_protocol(protocol))
    if plot is not None:
        from .report import design_figure, save_figure

        save_figure(design_figure(planned), plot)
    if json:
        _json(planned.to_dict())
    else:
        from .terminal import plan_tables

        for title, header, rows in plan_tables(planned):
            _table(title, header, rows)
    if plot is not None:
        typer.echo(f"wrote {plot}", err=json)


@app.command()
def run(
    protocol: ProtocolArgument,
    scenario: Annotated[
        str, typer.Option("--scenario", help="The truth to draw from; by default the one the plan assumes.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same trial.")] = 1,
    out: OutOption = None,
) -> None:
    """Run one virtual trial from first patient to verdict and report it."""
    from .protocol import find_protocol
    from .simulation import run as run_trial

    found = find_protocol(protocol)
    name = scenario or found.sample_size.scenario
    found.scenario(name)
    _opening(found, f"virtual patients, scenario {name}, seed {seed}")
    folder = _made(out or Path(f"equipoise-{found.trial.name}-{name}-seed{seed}"))
    result = run_trial(found, name, seed, on_look=_look_line)
    _closing(result, folder, with_data=True)


@app.command()
def analyse(
    protocol: ProtocolArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="[DATA]", help="A CSV or Parquet file, or a folder of tables; by default the protocol's own source."
        ),
    ] = "",
    look: Annotated[int | None, typer.Option("--look", help="Take all data as this look, from 1.")] = None,
    known_at: Annotated[
        str, typer.Option("--known-at", metavar="DATE", help="Date to which the data are known, year-month-day.")
    ] = "",
    out: OutOption = None,
) -> None:
    """Analyse real data by their protocol and report them."""
    import datetime

    from .conduct import read_data
    from .protocol import find_protocol
    from .trial import analyse as analyse_trial
    from .trial import waiting

    found = find_protocol(protocol)
    try:
        date = datetime.date.fromisoformat(known_at) if known_at else None
    except ValueError:
        raise InputError("--known-at", known_at, "a date as 2015-05-18") from None
    trial_data = read_data(found, data or None, date)
    _opening(found, f"data of {len(trial_data)} patients, {trial_data.origin.source}")
    folder = _made(out or Path(f"equipoise-{found.trial.name}-analysis"))
    result = analyse_trial(found, trial_data, look=look, on_look=_look_line)
    if not result.last_look.decision.stops and result.last_look.day is not None:
        typer.echo(waiting(result.plan, trial_data, result.last_look.number + 1))
    _closing(result, folder, with_data=False)


@app.command()
def simulate(
    protocol: ProtocolArgument,
    scenario: Annotated[str, typer.Option("--scenario", help="One or more, separated by commas.")] = "",
    trials: Annotated[
        int, typer.Option("--trials", min=1, max=10_000_000, help="Virtual trials of each scenario.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 1,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 for one a core.")] = 0,
    json: JsonOption = False,
) -> None:
    """Run many virtual trials: power, type I error, when they stop, how much the estimate overstates."""
    from .protocol import find_protocol
    from .simulation import simulate as simulate_trials
    from .terminal import progress

    found = find_protocol(protocol)
    names = [part.strip() for part in scenario.split(",") if part.strip()] or [found.sample_size.scenario]
    for name in names:
        found.scenario(name)
    results = []
    for name in names:
        with progress(f"{found.trial.name}, {name}", trials) as advance:
            results.append(simulate_trials(found, name, trials, seed, workers or os.cpu_count() or 1, advance))
        if not json:
            typer.echo(str(results[-1]) + "\n")
    if json:
        _json([result.to_dict() for result in results])


@app.command()
def conclude(
    effect: Annotated[float, typer.Option("--effect", help="Observed effect, experimental minus control.")],
    se: Annotated[float, typer.Option("--se", help="Its standard error.")],
    fractions: Annotated[str, typer.Option("--fractions", help="Information fractions of the looks, as 0.75,1.")] = "1",
    stopped_at: Annotated[int, typer.Option("--stopped-at", help="The look it was taken at, from 1.")] = 1,
    alpha: Annotated[float, typer.Option("--alpha", help="Type I error, over both sides when two-sided.")] = 0.05,
    sided: Annotated[int, typer.Option("--sided", help="1 or 2.")] = 2,
    spending: Annotated[
        str, typer.Option("--spending", help="obrien-fleming, pocock, power (--rho) or hwang-shih-decani (--gamma).")
    ] = "obrien-fleming",
    rho: Annotated[float | None, typer.Option("--rho")] = None,
    gamma: Annotated[float | None, typer.Option("--gamma")] = None,
    df: Annotated[float, typer.Option("--df", help="Degrees of freedom; infinite (normal) by default.")] = float("inf"),
    better: Annotated[
        Literal["higher", "lower"] | None,
        typer.Option("--better", help="Which direction favours the experimental arm; by default the observed one."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """What a trial known only from its paper may honestly claim, given that it could stop early."""
    from .estimate import Estimate
    from .sequential import GroupSequential, stopping_rule

    needed = {"obrien-fleming": None, "pocock": None, "power": "rho", "hwang-shih-decani": "gamma"}
    if spending not in needed:
        raise InputError("--spending", spending, f"one of {', '.join(needed)}")
    given = {name: value for name, value in (("rho", rho), ("gamma", gamma)) if value is not None}
    if set(given) != {needed[spending]} - {None}:
        right = f"--{needed[spending]} and no other parameter" if needed[spending] else "no --rho or --gamma"
        raise InputError("--spending", spending, f"{right} with this family")
    information = _numbers("--fractions", fractions)
    direction = better or ("lower" if effect < 0 else "higher")
    try:
        function = stopping_rule(spending, **given)
        rule = GroupSequential(information=information, alpha=alpha, sided=sided, efficacy=function)
        estimate = Estimate(effect, se, df, better=direction, label="effect")
        if abs(effect) > MOST_STANDARD_ERRORS * se:
            raise ArithmeticError
        conclusion = rule.conclude(estimate, look=stopped_at)
    except InputError as error:
        raise InputError(OPTION_OF.get(error.field, error.field), error.value, error.expected) from None
    except ArithmeticError:
        figures = f"{effect:g} with standard error {se:g} and {df:g} degrees of freedom"
        raise InputError("effect", figures, "figures that a trial can have") from None
    if json:
        _json({"version": __version__, "design": rule.to_dict(), "conclusion": conclusion.to_dict()})
        return
    from .terminal import conclusion_text

    typer.echo(conclusion_text(rule, conclusion))


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(option, text, "numbers separated by commas, as 0.75,1") from None


def _json(content: Any) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def _table(title: str, header: list[str], rows: list[list[str]]) -> None:
    from .terminal import print_table

    print_table(title, header, rows)


def _opening(protocol: Protocol, source: str) -> None:
    typer.echo(f"{protocol.trial.title}\n{source}; protocol {protocol.hash[:12]}, equipoise {__version__}\n")


def _made(folder: Path) -> Path:
    """The folder for results, made before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError("--out", str(folder), f"a folder that can be written ({reason})") from None
    return folder


def _look_line(look: Look) -> None:
    typer.echo(str(look))


def _closing(result: TrialResult, folder: Path, *, with_data: bool) -> None:
    from .conduct import write_data, write_text
    from .report import summary, write_report

    typer.echo(f"\n{summary(result)}\n")
    write_text(folder / "result.json", result.to_json())
    if with_data:
        write_data(result.followed, folder / "data")
    write_report(result, folder / "report.html")
    typer.echo(f"wrote {folder / 'report.html'}, result.json" + (" and the patients in data/" if with_data else ""))
