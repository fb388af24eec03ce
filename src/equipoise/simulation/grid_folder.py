"""The folder that a simulation leaves: trials of each point, operating characteristics, and what they are of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..conduct import write_text
from ..errors import InputError
from ..plain import plain
from .comparison import Comparison, point_folders

if TYPE_CHECKING:
    from ..protocol import Protocol
    from .vary import GridPoint

__all__ = ["GridFolder"]

_FORMAT = 1
_MANIFEST, _RESULTS = "simulation.json", "comparison.json"
_OF_A_POINT = ("run.json", "operating-characteristics.json")
_PARTS = {"looks": "*.parquet*", "trials": "*.parquet*", "parts": "*.json*"}


@dataclass(frozen=True)
class GridFolder:
    """Where a simulation is written: `simulation.json` says what it is of and whether it is whole, `comparison.json`
    and `comparison.csv` hold the results; each point has a folder of its own, a single point is in the folder itself.
    """

    path: Path
    protocol: Protocol
    points: tuple[GridPoint, ...]

    @classmethod
    def opened(cls, path: str | Path, protocol: Protocol, points: Sequence[GridPoint], *, resume: bool) -> GridFolder:
        """Made ready before any work is done.

        A whole simulation of the same protocol gives way to the new one, if it is not resumed.

        Raises
        ------
        InputError
            When the folder cannot be written to, or holds what another protocol gave, or, without `resume`, a
            simulation that is not whole.
        """
        folder = cls(Path(path), protocol, tuple(points))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            held = folder._held()
            if held is not None:
                folder._check(held, resume)
                if not resume:
                    folder._clear(held)
            elif not resume and any((folder.path / name).exists() for name in _OF_A_POINT):
                raise InputError("folder", str(path), "an empty or a new folder, or that its run be resumed")
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            reason = getattr(error, "strerror", None) or error
            raise InputError("folder", str(path), f"a folder that can be written ({reason})") from None
        folder._write(complete=False)
        return folder

    def finish(self, found: Comparison) -> None:
        """Write the results, whole or not."""
        write_text(
            self.path / _RESULTS, json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )
        write_text(self.path / "comparison.csv", found.to_frame().write_csv())
        self._write(complete=found.complete)

    def _held(self) -> dict[str, Any] | None:
        manifest = self.path / _MANIFEST
        if not manifest.exists():
            return None
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or found.get("format") != _FORMAT or not isinstance(found.get("points"), list):
            raise InputError("folder", str(self.path), f"a folder whose {_MANIFEST} is as a simulation wrote it")
        return found

    def _check(self, held: dict[str, Any], resume: bool) -> None:
        if held.get("protocol_hash") != self.protocol.hash:
            of = f"{held.get('protocol')}, protocol {str(held.get('protocol_hash'))[:12]}"
            mine = f"{self.protocol.trial.name}, protocol {self.protocol.hash[:12]}"
            right = f"a folder for {mine}; it holds a simulation of {of}"
            raise InputError("folder", str(self.path), right)
        places = [self.path / str(point.get("folder", "")) / "parts" for point in held["points"]]
        begun = any(file for place in places for file in place.glob("*.json"))
        if not resume and not held.get("complete") and begun:
            right = "another folder, or that the simulation in it, which is not whole yet, be resumed"
            raise InputError("folder", str(self.path), right)

    def _clear(self, held: dict[str, Any]) -> None:
        """Remove what the simulation that was here wrote, and nothing else."""
        for name in dict.fromkeys(str(point.get("folder", "")) for point in held["points"]):
            place = self.path / name
            if not place.resolve().is_relative_to(self.path.resolve()):
                continue
            for part, pattern in _PARTS.items():
                for file in (place / part).glob(f"part-{pattern}"):
                    file.unlink()
                _remove_empty(place / part)
            for name_of_file in _OF_A_POINT:
                (place / name_of_file).unlink(missing_ok=True)
            if name:
                _remove_empty(place)
        for name in (_RESULTS, "comparison.csv", "oc-report.html"):
            (self.path / name).unlink(missing_ok=True)

    def _write(self, *, complete: bool) -> None:
        folders = point_folders(self.points, self.path)
        content = {
            "format": _FORMAT,
            "protocol": self.protocol.trial.name,
            "protocol_hash": self.protocol.hash,
            "version": __version__,
            "complete": complete,
            "points": [
                {
                    "label": str(point),
                    "scenario": point.scenario,
                    "design": point.design,
                    "values": dict(point.values),
                    "protocol_hash": point.protocol.hash,
                    "folder": "" if place is None or place == self.path else place.name,
                }
                for point, place in zip(self.points, folders, strict=True)
            ],
        }
        write_text(self.path / _MANIFEST, json.dumps(plain(content), indent=2, ensure_ascii=False, default=str) + "\n")


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
