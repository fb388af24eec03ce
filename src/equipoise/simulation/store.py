"""A folder of simulated trials: parts of whole chunks, written one after the other, and read back to go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..checks import whole
from ..errors import InputError
from ..files import UNFINISHED, json_text, replace_file, write_text
from .rows import ChunkRows
from .tally import Tally

if TYPE_CHECKING:
    import polars

    from .characteristics import OperatingCharacteristics
    from .context import Context

__all__ = ["ResultsFolder", "about_run"]

_PART = 2**16
_FORMAT = 1
_TABLES = ("looks", "trials")
_RUN, _RESULTS = "run.json", "operating-characteristics.json"


def about_run(context: Context, seed: int, stream: str, **options: Any) -> dict[str, Any]:
    """What makes the trials of a run what they are, for `run.json`; a run that goes on must have the same."""
    protocol = context.plan.protocol
    return {
        "protocol": protocol.trial.name,
        "protocol_hash": protocol.hash,
        "scenario": context.scenario,
        "seed": seed,
        "stream": stream,
        "version": __version__,
        "options": options,
    }


@dataclass
class ResultsFolder:
    """Where the trials of one scenario are written as they come.

    Every part holds the same number of whole chunks, some 65,000 trials, the last one fewer:
    `looks/part-000000.parquet` a row a trial a look, `trials/part-000000.parquet` a row a trial, and
    `parts/part-000000.json`, written last, which says what chunks there are and how the two tables hash. A file is
    written under another name and then renamed, so that there is no half of one. Nothing else knows these names: other
    classes ask `holds_trials`, `scan` and `remove`.

    Attributes
    ----------
    path
        The folder.
    context
        What the trials are of.
    chunk
        Trials to a chunk.
    trials
        How many there will be.
    chunks_per_part
        How many chunks go to a part.
    """

    path: Path
    context: Context
    chunk: int
    trials: int
    chunks_per_part: int
    _part: int = 0
    _waiting: list[ChunkRows] = field(default_factory=list, repr=False)

    @classmethod
    def create(
        cls,
        path: str | Path,
        about: Mapping[str, Any],
        context: Context,
        chunk: int,
        trials: int,
        chunks_per_part: int | None = None,
    ) -> ResultsFolder:
        """A new folder, with `run.json`; one whose run was stopped before it wrote a trial counts as new.

        Parameters
        ----------
        about
            What makes the trials what they are, as JSON holds it; see `about_run`.

        Raises
        ------
        InputError
            When the folder holds simulated trials already, or cannot be written to.
        """
        folder = cls(Path(path), context, chunk, whole("trials", trials), chunks_per_part or max(_PART // chunk, 1))
        if cls.holds_trials(path) or any(folder._numbers(kind) for kind in _TABLES):
            raise InputError("folder", str(path), "a new or an empty folder, or that the run in it be resumed")
        folder._write_run(about)
        return folder

    @classmethod
    def resume(
        cls,
        path: str | Path,
        about: Mapping[str, Any],
        context: Context,
        chunk: int,
        trials: int,
        chunks_per_part: int | None = None,
    ) -> tuple[ResultsFolder, Tally]:
        """A folder that a run was stopped in, and the tally of its trials; both go on with trial number `done`.

        A folder with no run in it begins a new one. A last chunk cut short by the number of trials is drawn again
        where there are now to be more of them.

        Raises
        ------
        InputError
            When the folder is of another run, has more trials than asked for, or a file in it is damaged, lacks or is
            foreign.
        """
        if not (Path(path) / _RUN).exists():
            return cls.create(path, about, context, chunk, trials, chunks_per_part), Tally(context)
        folder = cls(Path(path), context, chunk, whole("trials", trials), chunks_per_part or max(_PART // chunk, 1))
        folder._check_run(about)
        tally, parts = Tally(context), folder._known_parts()
        for at in parts:
            for rows in folder._read_part(at):
                if len(rows) < min(chunk, folder.trials - folder.done):
                    if at != parts[-1]:
                        raise InputError(str(folder._file("parts", at)), len(rows), f"{chunk} trials a chunk")
                    break
                if folder.done + len(rows) > folder.trials:
                    raise InputError("trials", trials, "at least as many as the folder already holds")
                tally.add(rows)
                folder._waiting.append(rows)
            folder._next_part_if_full()
        folder._write_run(about)
        return folder, tally

    @property
    def done(self) -> int:
        """Trials written or waiting to be."""
        return self._part * self.chunks_per_part * self.chunk + sum(map(len, self._waiting))

    def add(self, rows: ChunkRows) -> None:
        """The next chunk; a part is written once it is full.

        Raises
        ------
        InputError
            When it is another chunk than the next, or cannot be written.
        """
        if len(rows) != min(self.chunk, self.trials - self.done) or rows.ends["trial"][0] != self.done:
            raise InputError("rows", str(rows), f"the chunk that begins with trial {self.done}")
        self._waiting.append(rows)
        if len(self._waiting) == self.chunks_per_part:
            try:
                self._write_part()
            except BaseException:
                self._waiting.pop()
                raise
            self._next_part_if_full()

    def flush(self) -> None:
        """Write what waits, as a part that is not full yet and is written again once more of it is there."""
        if self._waiting:
            self._write_part()

    def finish(self, found: OperatingCharacteristics) -> None:
        """Write what waits and the operating characteristics."""
        self.flush()
        with self._writing():
            write_text(self.path / _RESULTS, json_text(found.to_dict()))

    @staticmethod
    def holds_trials(path: str | Path) -> bool:
        """Whether a part was written to the end in a folder, or a run's results."""
        return (Path(path) / _RESULTS).exists() or any((Path(path) / "parts").glob("*.json"))

    @staticmethod
    def scan(path: str | Path, table: str, trials: int) -> polars.LazyFrame:
        """Rows of the first trials in a folder, in the order of the trials.

        Parameters
        ----------
        table
            "looks", a row a trial a look, or "trials", a row a trial.
        trials
            How many trials, from number 0.
        """
        import polars as pl

        # Parts are read in the order of their names, which is that of their trials.
        return pl.scan_parquet(Path(path) / table / "part-*.parquet").filter(pl.col("trial") < trials)

    @staticmethod
    def remove(path: str | Path) -> None:
        """Remove what a run wrote into a folder and nothing else; the folder stays."""
        folder = Path(path)
        for kind in (*_TABLES, "parts"):
            ending = "json" if kind == "parts" else "parquet"
            for pattern in (f"part-*.{ending}", f"*{UNFINISHED}"):
                for file in (folder / kind).glob(pattern):
                    file.unlink()
            if (folder / kind).is_dir() and not any((folder / kind).iterdir()):
                (folder / kind).rmdir()
        for name in (_RUN, _RESULTS):
            (folder / name).unlink(missing_ok=True)

    def _next_part_if_full(self) -> None:
        if len(self._waiting) == self.chunks_per_part:
            self._waiting = []
            self._part += 1

    def _file(self, kind: str, at: int) -> Path:
        return self.path / kind / f"part-{at:06d}.{'json' if kind == 'parts' else 'parquet'}"

    def _numbers(self, kind: str) -> list[int]:
        """Numbers of the parts there are files of, in order.

        Raises
        ------
        InputError
            For a file that is no part's.
        """
        found = []
        for path in sorted((self.path / kind).glob("*.json" if kind == "parts" else "*.parquet")):
            number = path.stem.removeprefix("part-")
            if not number.isdecimal() or path != self._file(kind, int(number)):
                raise InputError(str(path), "a foreign file", "parts that the run wrote and nothing else")
            found.append(int(number))
        return found

    def _known_parts(self) -> list[int]:
        """Parts that were written to the end; tables of one more that was not are written again."""
        for kind in (*_TABLES, "parts"):
            for left in (self.path / kind).glob(f"*{UNFINISHED}"):
                left.unlink()
        parts = self._numbers("parts")
        for at in range(len(parts)):
            if at not in parts:
                raise InputError(str(self._file("parts", at)), "not there", "every part up to the last")
        for kind in _TABLES:
            for at in self._numbers(kind):
                if at > len(parts):
                    raise InputError(str(self._file(kind, at)), "a foreign file", "parts that the run wrote")
                if at == len(parts):
                    self._file(kind, at).unlink()
        return parts

    def _fixed(self) -> dict[str, int]:
        return {"format": _FORMAT, "chunk": self.chunk, "chunks_per_part": self.chunks_per_part}

    def _write_run(self, about: Mapping[str, Any]) -> None:
        with self._writing():
            for kind in (*_TABLES, "parts"):
                (self.path / kind).mkdir(parents=True, exist_ok=True)
            write_text(self.path / _RUN, json_text(dict(about) | self._fixed() | {"trials": self.trials}))

    def _check_run(self, about: Mapping[str, Any]) -> None:
        path = self.path / _RUN
        held, wanted = _read_json(path), json.loads(json_text(dict(about) | self._fixed()))
        for name in dict.fromkeys([*wanted, *held]):
            if name != "trials" and held.get(name) != wanted.get(name):
                expected = f"{wanted.get(name)!r}, as in the run that is to go on from it"
                raise InputError(f"{name} in {path}", held.get(name), expected)

    def _write_part(self) -> None:
        rows, start = ChunkRows.concatenated(self._waiting), self.context.start
        about: dict[str, Any] = {
            "chunks": [
                {"first": int(one.ends["trial"][0]), "trials": len(one), "failures": one.failures}
                for one in self._waiting
            ]
        }
        with self._writing():
            self._file("parts", self._part).unlink(missing_ok=True)
            for kind, frame in zip(_TABLES, (rows.looks_frame(start), rows.trials_frame(start)), strict=True):
                path = self._file(kind, self._part)
                with replace_file(path, UNFINISHED) as unfinished:
                    frame.write_parquet(unfinished)
                    about[kind] = _hash(unfinished)
            write_text(self._file("parts", self._part), json_text(about))

    def _read_part(self, at: int) -> Iterator[ChunkRows]:
        """The chunks of a part that is what its own file says."""
        import polars as pl

        path, frames = self._file("parts", at), []
        about = _read_json(path)
        for kind in _TABLES:
            table = self._file(kind, at)
            if not table.exists() or _hash(table) != about.get(kind):
                what = "damaged or foreign" if table.exists() else "not there"
                raise InputError(str(table), what, "the table as the run wrote it")
            frames.append(pl.read_parquet(table))
        rows = ChunkRows.from_frames(*frames)
        for number, chunk in enumerate(about.get("chunks", ())):
            try:
                first, trials, failures = (chunk[key] for key in ("first", "trials", "failures"))
            except (KeyError, TypeError):
                raise InputError(str(path), "damaged or foreign", "the file as the run wrote it") from None
            found = rows.between(first, first + trials, failures)
            if first != (at * self.chunks_per_part + number) * self.chunk or len(found) != trials:
                raise InputError(str(path), first, "chunks that follow each other, with their trials")
            yield found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError("folder", str(self.path), f"a folder to write to ({error.strerror or error})") from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InputError(str(path), "damaged or foreign", "the file as the run wrote it")
    return found


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
