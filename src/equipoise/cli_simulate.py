"""The command `simulate`: many virtual trials of scenarios, designs and values, side by side."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_options import JsonOption, echo_json, found_protocol, options_named
from .errors import InputError
from .wording import counted

if TYPE_CHECKING:
    from .simulation import Comparison
    from .simulation.vary import GridPoint

__all__ = ["simulate"]

INTERRUPTED = 130


@options_named(
    vary="--vary",
    designs="--design",
    trials="--trials",
    seed="--seed",
    engine="--engine",
    workers="--workers",
    precision="--precision",
    folder="--out",
    secondary="--primary-only",
)
def simulate(
    protocol: Annotated[
        str, typer.Argument(metavar="PROTOCOL", help="A protocol file, or the name of a trial in the gallery.")
    ],
    scenario: Annotated[
        str,
        typer.Option("--scenario", help="One or more, separated by commas; by default the one the plan assumes."),
    ] = "",
    trials: Annotated[
        int, typer.Option("--trials", min=1, max=100_000_000, help="Virtual trials of each point.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same trials.")] = 1,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            help="serial, cores (threads), processes, or a Dask scheduler as dask://HOST:PORT; the result is the same.",
        ),
    ] = "cores",
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Threads or processes of this machine; 0 for one a core.")
    ] = 0,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="NAME=VALUES",
            help="START:STOP:STEP, both included, or a list: effect=0:1:0.1 (multiples of the scenario's),"
            " dropout=0,0.2, sd=0.8,1,1.2, patients, patients-per-month, correlation, or any key of the file, as"
            " arms.ketamine.dropout=0,0.2 or analysis.degrees_of_freedom=satterthwaite,kenward-roger. Several are"
            " crossed.",
        ),
    ] = None,
    design: Annotated[
        list[str] | None,
        typer.Option(
            "--design",
            metavar="LABEL: KEY=VALUE; ...",
            help="A stopping rule to compare, as 'pocock: efficacy=pocock; fractions=0.5,1': efficacy and futility (as"
            " of the command design), fractions, patients or events, alpha, sided, beta, binding. A label alone is the"
            " protocol's own. Several are held side by side on the same virtual patients.",
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            min=1e-6,
            max=0.49,
            help="Stop when the power's Monte-Carlo standard error is at most this, as 0.002.",
        ),
    ] = None,
    primary_only: Annotated[bool, typer.Option("--primary-only", help="Leave the secondary endpoints out.")] = False,
    out: Annotated[
        str | None,
        typer.Option("--out", help="Folder for the results; by default named after the trial and what is simulated."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what the folder holds, to the same final answer.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the simulation that the folder holds, whatever it is of.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run many virtual trials: power, type I error, when they stop, how much the estimate overstates."""
    from .report import write_oc_report
    from .simulation import simulate_grid
    from .simulation.engines import engine_named
    from .simulation.grid_folder import GridFolder
    from .terminal import progress

    found = found_protocol(protocol)
    points = _points(found, scenario, vary or [], design or [])
    running = engine_named(engine, workers or None)
    settings = {"trials": trials, "seed": seed, "secondary": not primary_only, "precision": precision}
    place = _named(found.trial.name, points) if out is None else out
    folder = GridFolder.opened(place, found, points, settings, resume=resume, overwrite=overwrite)
    title = found.trial.name
    try:
        with running, progress(title, trials * len(points)) as advance:
            running.begin()
            folder.begin()

            def on_progress(at: int, done: int) -> None:
                words = f"{title}, {points[at]}" + (f" ({at + 1} of {len(points)})" if len(points) > 1 else "")
                advance(at * trials + done, words)

            results = simulate_grid(
                points,
                trials,
                seed,
                running,
                secondary=not primary_only,
                precision=precision,
                folder=folder.path,
                resume=resume,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        typer.echo("equipoise: interrupted before the first trials were done", err=True)
        raise SystemExit(INTERRUPTED) from None
    folder.finish(results)
    write_oc_report(results, folder.path / "oc-report.html")
    if json:
        echo_json(results.to_dict())
    else:
        _show(results)
    typer.echo(f"wrote {folder.path / 'oc-report.html'}, comparison.json and the trials", err=json)
    if not results.complete:
        typer.echo(f"equipoise: interrupted: {_how_far(results, trials)}; go on with --resume", err=True)
        raise SystemExit(INTERRUPTED)


def _named(trial: str, points: Sequence[GridPoint]) -> str:
    """A folder by what is simulated, so that another simulation goes to another one."""
    scenarios = dict.fromkeys(point.scenario for point in points)
    words = ["equipoise", trial, *(scenarios if len(scenarios) < 4 else [f"{len(scenarios)} scenarios"])]
    if len(points) > len(scenarios) or points[0].design or points[0].values:
        labels = "\n".join(f"{point} {point.protocol.hash}" for point in points)
        words += ["grid", hashlib.sha256(labels.encode()).hexdigest()[:6]]
    return re.sub(r"[^\w.-]+", "-", "-".join(words))[:120]


def _points(protocol: Any, scenario: str, vary: list[str], designs: list[str]) -> list[GridPoint]:
    """All points, scenario by scenario."""
    from .simulation import grid

    names = [part.strip() for part in scenario.split(",")] if scenario.strip() else [protocol.sample_size.scenario]
    if not all(names):
        raise InputError("--scenario", scenario, "names separated by single commas")
    for name in names:
        protocol.scenario(name)
        if names.count(name) > 1:
            raise InputError("--scenario", scenario, f"each scenario once, not {name} again")
    return [point for name in names for point in grid(protocol, name, vary, designs)]


def _show(results: Comparison) -> None:
    """A single point, or scenarios of one design, in full; several points also as a table with a row a point."""
    if len(results.points) == 1 or (not results.axes and len(results.designs) == 1):
        for result in results.results:
            typer.echo(f"{result}\n")
    if len(results.points) > 1:
        typer.echo(f"{results}\n")


def _how_far(results: Comparison, trials: int) -> str:
    done = results.results[-1].trials
    words = f"{done:,} of {counted(trials, 'trial')} done"
    if len(results.points) > 1:
        words += f" of point {len(results)} of {len(results.points)}, {results.points[len(results) - 1]}"
    return words
