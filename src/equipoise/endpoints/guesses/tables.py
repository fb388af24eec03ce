"""Guesses, indices and curves as tables that a report shows."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Cell, Column, ResultTable
from .bang import BangIndex
from .curve import CAUTION, GuessRateCurve
from .james import JamesIndex
from .result import GuessResult

__all__ = ["curve_table", "guesses_table", "indices_table"]

_READING = (
    "Bang's index: 1 where all guess their own arm, {chance} as by chance, -1 where all guess another. James's index:"
    " 0 where all guess their own arm, 0.5 as by chance, 1 where nobody knows or all guess wrong; an upper limit below"
    " 0.5 is read as blinding lost"
)
_RATES = (0.0, 0.25, 0.5, 0.75, 1.0)


def guesses_table(guesses: Sequence[GuessResult], labels: Sequence[str], titles: Sequence[str]) -> ResultTable:
    """How many in each arm guess each arm; `labels` of the arms, `titles` of the guesses."""
    rows: list[tuple[Cell, ...]] = []
    for guess, title in zip(guesses, titles, strict=True):
        for arm, label in zip(guess.arms, labels, strict=True):
            rows.append((title, label, *arm.guessed, arm.dont_know, arm.missing))
    named = [Column(f"Guess {label}", "count") for label in labels]
    columns = (Column("Guess"), Column("Arm"), *named, Column("Do not know", "count"), Column("No answer", "count"))
    return ResultTable("Guesses of the arm", columns, tuple(rows))


def indices_table(guesses: Sequence[GuessResult], labels: Sequence[str], titles: Sequence[str]) -> ResultTable:
    """Bang's index of each arm and James's of the trial, with what missing answers might change."""
    rows: list[tuple[Cell, ...]] = []
    filled = any(arm.missing for guess in guesses for arm in guess.arms)
    for guess, title in zip(guesses, titles, strict=True):
        for arm, label in zip(guess.arms, labels, strict=True):
            rows.append((title, f"Bang, {label}", *_cells(arm.bang), *_filled(arm.bang_with_missing, filled)))
        rows.append((title, "James", *_cells(guess.james), *_filled(guess.james_with_missing, filled)))
    columns = [Column("Guess"), Column("Index"), Column("Value", "number", 2), Column("Interval", "number", 2)]
    columns += [Column("Value, no answer as do not know", "number", 2)] if filled else []
    chance = f"{2 / len(labels) - 1:.2g}"
    return ResultTable("Blinding indices", tuple(columns), tuple(rows), _READING.format(chance=chance))


def _cells(index: BangIndex | JamesIndex | None) -> tuple[Cell, Cell]:
    return (None, None) if index is None else (index.index, index.interval)


def _filled(index: BangIndex | JamesIndex | None, wanted: bool) -> tuple[Cell, ...]:
    return (_cells(index)[0],) if wanted else ()


def curve_table(curves: dict[str, GuessRateCurve], title: str, digits: int = 2) -> ResultTable:
    """The effect at some rates of correct guesses, the observed one among them; `curves` by the arm's label."""
    rows: list[tuple[Cell, ...]] = []
    for label, curve in curves.items():
        for rate in sorted({*_RATES, curve.observed_rate}):
            one = curve.at(rate)
            shown = f"{100 * rate:.0f}%" + (" (observed)" if rate == curve.observed_rate else "")
            rows.append((label, shown, one.effect, one.interval(curve.level), one.p_value))
    columns = (
        Column("Arm"),
        Column("Correct guesses"),
        Column("Effect", "number", digits),
        Column("Interval", "number", digits),
        Column("p", "p"),
    )
    return ResultTable(title, columns, tuple(rows), CAUTION)
