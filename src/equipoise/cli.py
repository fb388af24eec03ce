"""The command line: each command calls one public function and shows its result."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import __version__
from . import cli_stopping as stopping
from .cli_conclude import conclude
from .cli_options import DataArgument, KnownAtOption, echo_table, read_trial
from .cli_simulate import simulate
from .errors import InputError, NotEstimable

if TYPE_CHECKING:
    from .protocol import Protocol
    from .trial import Look, TrialResult

__all__ = ["app", "main"]

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
    from .protocol import gallery_names, gallery_text, paper, paper_names, paper_text

    if copy:
        from .conduct import write_text

        text = paper_text(copy) if copy in paper_names() else gallery_text(copy)
        target = destination / f"{copy}.toml" if destination.is_dir() or not destination.suffix else destination
        if target.exists():
            raise InputError("destination", str(target), "a place where no file is yet")
        write_text(target, text)
        typer.echo(f"wrote {target}")
        return
    rows = [[name, (found := ship(name)).trial.title, ", ".join(found.scenarios)] for name in gallery_names()]
    echo_table("Trials that ship", ["name", "title", "scenarios"], rows)
    papers = [[name, paper(name).trial.title] for name in paper_names()]
    echo_table("Trials known from their papers, for `equipoise conclude`", ["name", "title"], papers)


@app.command()
def show(protocol: ProtocolArgument) -> None:
    """Print a protocol as readable tables."""
    from .protocol import find_protocol
    from .terminal import protocol_tables

    for title, header, rows in protocol_tables(find_protocol(protocol)):
        echo_table(title, header, rows)


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


app.command()(stopping.design)


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
    data: DataArgument = "",
    look: Annotated[int | None, typer.Option("--look", help="Take all data as this look, from 1.")] = None,
    known_at: KnownAtOption = "",
    out: OutOption = None,
) -> None:
    """Analyse real data by their protocol and report them."""
    from .protocol import find_protocol
    from .trial import analyse as analyse_trial
    from .trial import waiting

    found = find_protocol(protocol)
    trial_data = read_trial(found, data, known_at)
    _opening(found, f"data of {len(trial_data)} patients, {trial_data.origin.source}")
    folder = _made(out or Path(f"equipoise-{found.trial.name}-analysis"))
    result = analyse_trial(found, trial_data, look=look, on_look=_look_line)
    if not result.last_look.decision.stops and result.last_look.day is not None:
        typer.echo(waiting(result.plan, trial_data, result.last_look.number + 1))
    _closing(result, folder, with_data=False)


app.command()(stopping.monitor)


app.command()(simulate)


app.command()(conclude)


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
    from .report import comparisons_table, family_table, honest_claims_table, summary, write_report
    from .terminal import print_table

    typer.echo(f"\n{summary(result)}\n")
    for table in (honest_claims_table(result), comparisons_table(result), family_table(result)):
        if table is not None:
            print_table(table.title, list(table.header), [list(row) for row in table.rows])
    write_text(folder / "result.json", result.to_json())
    if with_data:
        write_data(result.followed, folder / "data")
    write_report(result, folder / "report.html")
    typer.echo(f"wrote {folder / 'report.html'}, result.json" + (" and the patients in data/" if with_data else ""))
