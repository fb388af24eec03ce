"""The folder that a simulation leaves: trials of each point, operating characteristics, and what they are of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from ..files import json_text, write_text
from .comparison import Comparison, point_folders
from .store import ResultsFolder

if TYPE_CHECKING:
    from ..protocol import Protocol
    from .vary import GridPoint

__all__ = ["GridFolder"]

_FORMAT = 2
_MANIFEST, _RESULTS = "simulation.json", "comparison.json"


@dataclass(frozen=True)
class GridFolder:
    """Where a simulation is written: `simulation.json` says what it is of and whether it is whole, `comparison.json`
    and `comparison.csv` hold the results; each point has a folder of its own, a single point is in the folder itself.

    Attributes
    ----------
    settings
        What the trials hang on besides the points: trials, seed, secondary, precision.
    held
        What `simulation.json` says of an earlier simulation; None where there was none.
    """

    path: Path
    protocol: Protocol
    points: tuple[GridPoint, ...]
    settings: Mapping[str, Any]
    resume: bool
    held: Mapping[str, Any] | None

    @classmethod
    def opened(
        cls,
        path: str | Path,
        protocol: Protocol,
        points: Sequence[GridPoint],
        settings: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> GridFolder:
        """Looked at before any work is done; nothing is written or removed before `begin`.

        Without `resume` an earlier simulation gives way where nothing of it is lost, to the same one with as many
        trials or more, and any other to `overwrite`.

        Raises
        ------
        InputError
            When the folder cannot be read, holds another simulation, or one that is not whole, or, with `resume`, one
            that is not of the same points, seed and endpoints.
        """
        place = Path(path)
        if not str(path).strip():
            raise InputError("folder", str(path), "the name of a folder")
        try:
            if place.exists() and not place.is_dir():
                raise InputError("folder", str(path), "a folder that can be written (it is a file)")
            folder = cls(place, protocol, tuple(points), dict(settings), resume, _held(place))
            if folder.held is not None and not overwrite:
                folder._check(folder.held)
            elif folder.held is None and not resume and ResultsFolder.holds_trials(place):
                raise InputError("folder", str(path), "an empty or a new folder, or --resume to go on with its run")
        except OSError as error:
            raise _cannot_be_written(path, error) from None
        return folder

    def begin(self) -> None:
        """Make room and say what comes; a simulation that is resumed keeps what is there."""
        if self.resume and (self.held is not None or ResultsFolder.holds_trials(self.path)):
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if self.held is not None:
                self._clear(self.held)
        except OSError as error:
            raise _cannot_be_written(self.path, error) from None
        self._write(complete=False)

    def finish(self, found: Comparison) -> None:
        """Write the results, whole or not."""
        write_text(self.path / _RESULTS, json_text(found.to_dict()))
        write_text(self.path / "comparison.csv", found.to_frame().write_csv())
        self._write(complete=found.complete)

    def _check(self, held: Mapping[str, Any]) -> None:
        """Raise `InputError` unless the simulation that is held may go on, or lose nothing by giving way."""
        if held.get("protocol_hash") != self.protocol.hash:
            of = f"{held.get('protocol')}, protocol {str(held.get('protocol_hash'))[:12]}"
            mine = f"{self.protocol.trial.name}, protocol {self.protocol.hash[:12]}"
            raise InputError("folder", str(self.path), f"a folder for {mine}; it holds a simulation of {of}")
        was = held.get("settings")
        was = was if isinstance(was, dict) else {}
        points = json.loads(json_text(self._points()))
        if self.resume:
            if held["points"] != points:
                right = "a folder with a simulation of these scenarios, designs and values, which alone can go on"
                raise InputError("folder", str(self.path), f"{right}; it holds {_told(held)}")
            for name in ("seed", "secondary"):
                if was.get(name) != self.settings.get(name):
                    right = f"{_shown(was.get(name))}, as in the simulation in {self.path} that is to go on"
                    raise InputError(name, _shown(self.settings.get(name)), right)
            return
        begun = any(ResultsFolder.holds_trials(self.path / str(point.get("folder", ""))) for point in held["points"])
        if not begun:
            return
        if not held.get("complete"):
            right = "another folder, --resume or --overwrite, as the simulation in it is not whole yet"
            raise InputError("folder", str(self.path), right)
        mine = self.settings
        same = held["points"] == points and all(was.get(name) == mine.get(name) for name in ("seed", "precision"))
        more = mine.get("trials", 0) >= was.get("trials", 0) and (mine.get("secondary") or not was.get("secondary"))
        if not (same and more):
            right = f"another folder, or --overwrite, as it holds {_told(held)}"
            raise InputError("folder", str(self.path), right)

    def _clear(self, held: Mapping[str, Any]) -> None:
        """Remove what the simulation that was here wrote, and nothing else."""
        for name in dict.fromkeys(str(point.get("folder", "")) for point in held["points"]):
            place = self.path / name
            if not place.resolve().is_relative_to(self.path.resolve()):
                continue
            ResultsFolder.remove(place)
            if name and place.is_dir() and not any(place.iterdir()):
                place.rmdir()
        for name in (_RESULTS, "comparison.csv", "oc-report.html"):
            (self.path / name).unlink(missing_ok=True)

    def _points(self) -> list[dict[str, Any]]:
        folders = point_folders(self.points, self.path)
        return [
            {
                "label": str(point),
                "scenario": point.scenario,
                "design": point.design,
                "values": dict(point.values),
                "protocol_hash": point.protocol.hash,
                "folder": "" if place is None or place == self.path else place.name,
            }
            for point, place in zip(self.points, folders, strict=True)
        ]

    def _write(self, *, complete: bool) -> None:
        content = {
            "format": _FORMAT,
            "protocol": self.protocol.trial.name,
            "protocol_hash": self.protocol.hash,
            "version": __version__,
            "complete": complete,
            "settings": dict(self.settings),
            "points": self._points(),
        }
        write_text(self.path / _MANIFEST, json_text(content))


def _held(path: Path) -> dict[str, Any] | None:
    manifest = path / _MANIFEST
    if not manifest.exists():
        return None
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    points = found.get("points") if isinstance(found, dict) and found.get("format") == _FORMAT else None
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise InputError("folder", str(path), f"a folder whose {_MANIFEST} is as a simulation wrote it")
    return found


def _cannot_be_written(path: str | Path, error: OSError) -> InputError:
    return InputError("folder", str(path), f"a folder that can be written ({error.strerror or error})")


def _told(held: Mapping[str, Any]) -> str:
    """What a folder holds, in a few words."""
    points = [str(point.get("label")) for point in held["points"]]
    was = held.get("settings")
    was = was if isinstance(was, dict) else {}
    trials = was.get("trials")
    many = f"{trials:,} trials" if isinstance(trials, int) else "trials"
    named = points[0] if len(points) == 1 else f"each of {len(points)} points from {points[0]} to {points[-1]}"
    return f"{many} of {named} (seed {was.get('seed')})"


def _shown(value: Any) -> Any:
    """A setting as it is written on the command line."""
    return {True: "all endpoints", False: "the primary alone"}.get(value, value) if isinstance(value, bool) else value
