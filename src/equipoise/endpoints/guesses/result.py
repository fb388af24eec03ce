"""The result of a blinding endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..results import EndpointResult
from .bang import BangIndex
from .curve import GuessRateCurve
from .james import JamesIndex

__all__ = ["ArmGuesses", "BlindingResult", "GuessResult"]


@dataclass(frozen=True)
class ArmGuesses:
    """Guesses in one arm.

    Attributes
    ----------
    arm
        Its name.
    guessed
        How many guess each arm, in the protocol's order, shape (arms,).
    bang
        Bang's index; None where nobody answered.
    missing
        Patients without an answer.
    bang_with_missing
        The index had all of them said that they do not know; None where the arm has no patients.
    """

    arm: str
    guessed: tuple[int, ...]
    dont_know: int
    missing: int
    bang: BangIndex | None
    bang_with_missing: BangIndex | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "arm": self.arm,
            "guessed": list(self.guessed),
            "dont_know": self.dont_know,
            "missing": self.missing,
            "bang": None if self.bang is None else self.bang.to_dict(),
            "bang_with_missing": None if self.bang_with_missing is None else self.bang_with_missing.to_dict(),
        }


@dataclass(frozen=True)
class GuessResult:
    """Guesses of one kind: of patients, or of raters.

    Attributes
    ----------
    measure, by
        The protocol's name of the measure, and who guesses.
    arms
        Control first.
    james, james_with_missing
        James's index, and with missing answers as "don't know"; None where it is not defined.
    curves
        Correct-guess-rate curve of each experimental arm against control that has one, by its name.
    """

    measure: str
    by: str
    arms: tuple[ArmGuesses, ...]
    james: JamesIndex | None
    james_with_missing: JamesIndex | None
    curves: dict[str, GuessRateCurve]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "measure": self.measure,
            "by": self.by,
            "arms": [arm.to_dict() for arm in self.arms],
            "james": None if self.james is None else self.james.to_dict(),
            "james_with_missing": None if self.james_with_missing is None else self.james_with_missing.to_dict(),
            "curves": {arm: curve.to_dict() for arm, curve in self.curves.items()},
        }


@dataclass(frozen=True, repr=False)
class BlindingResult(EndpointResult):
    """Guesses of the arm by patients and raters; comparisons are of the first of them."""

    guesses: tuple[GuessResult, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file."""
        return super().to_dict() | {"guesses": [guess.to_dict() for guess in self.guesses]}
