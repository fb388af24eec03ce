"""What the looks of some virtual trials gave, as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..sequential import Decision

if TYPE_CHECKING:
    import datetime

    import polars
    from numpy.typing import NDArray

__all__ = [
    "DECISIONS",
    "END_COLUMNS",
    "LOOK_COLUMNS",
    "MOST_KEPT",
    "SECONDARY_COLUMNS",
    "ChunkRows",
    "secondary_reason",
]

MOST_KEPT = 100_000
"""Trials whose rows are kept in memory where no folder takes them."""

DECISIONS = tuple(Decision)
"""What `decision` counts through."""
_EPOCH = 719163  # ordinal of 1 January 1970

LOOK_COLUMNS: dict[str, str] = {
    "trial": "i8",
    "look": "i2",
    "decision": "i1",
    "effect": "f8",
    "standard_error": "f8",
    "degrees_of_freedom": "f8",
    "information": "f8",
    "z": "f8",
    "fraction": "f8",
    "efficacy_bound": "f8",
    "futility_bound": "f8",
    "day": "i4",
    "randomised": "i4",
    "due": "i4",
    "observed": "i4",
}
"""Columns of a look and their NumPy types, in the order of the files."""

END_COLUMNS: dict[str, str] = {
    "trial": "i8",
    "look": "i2",
    "decision": "i1",
    "effect": "f8",
    "standard_error": "f8",
    "degrees_of_freedom": "f8",
    "z": "f8",
    "day": "i4",
    "randomised": "i4",
    "due": "i4",
    "observed": "i4",
    "failures": "i2",
    "lower": "f8",
    "upper": "f8",
    "median_unbiased": "f8",
    "median_unbiased_lower": "f8",
    "median_unbiased_upper": "f8",
    "bias_adjusted": "f8",
}
"""Columns of a trial that every protocol has; those of its secondary endpoints come after them."""

SECONDARY_COLUMNS = ("effect", "standard_error", "degrees_of_freedom", "lower", "upper")
"""Columns of each secondary endpoint, named "NAME.effect" and so on."""


def secondary_reason(name: str, reason: str = "") -> str:
    """Why a secondary endpoint could not be estimated, as `ChunkRows.failures` has it beside the primary's reasons."""
    return f"{name}: {reason}"


@dataclass(frozen=True, eq=False)
class ChunkRows:
    """The looks of some virtual trials and how each trial ended.

    Attributes
    ----------
    looks
        One entry a trial a look taken, ordered by trial, then look; `LOOK_COLUMNS`. Effects are on the primary
        endpoint's scale (ratios as natural logarithms), NaN where the look could not be analysed; z is positive in
        favour of the experimental arm; the bounds are on z, NaN where there is none; `decision` is a place in
        `DECISIONS`; `day` is the trial's, from 0.
    ends
        One entry a trial, ordered by trial; `END_COLUMNS`, then `SECONDARY_COLUMNS` of each secondary endpoint. `look`
        is the deciding one; `failures` counts the trial's looks that could not be analysed; the limits are at the
        protocol's confidence level.
    failures
        How many looks could not be analysed, by reason, and how many trials have no estimate of a secondary endpoint,
        by `secondary_reason`.
    """

    looks: dict[str, NDArray]
    ends: dict[str, NDArray]
    failures: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ends["trial"])

    def __str__(self) -> str:
        return f"{len(self):,} trials, {len(self.looks['trial']):,} looks"

    @property
    def secondaries(self) -> tuple[str, ...]:
        """Names of the secondary endpoints there are columns of."""
        return tuple(name.removesuffix(".effect") for name in self.ends if name.endswith(".effect"))

    @classmethod
    def of(
        cls, looks: Mapping[str, NDArray], ends: Mapping[str, NDArray], failures: Mapping[str, int] | None = None
    ) -> ChunkRows:
        """Columns in their order and types.

        Raises
        ------
        InputError
            When a column lacks, is of another length than the others, or the trials are out of order.
        """
        extra = {name: "f8" for name in ends if name not in END_COLUMNS}
        rows = cls(
            _columns("looks", looks, LOOK_COLUMNS),
            _columns("trials", ends, END_COLUMNS | extra),
            dict(failures or {}),
        )
        for name in rows.secondaries:
            for part in SECONDARY_COLUMNS:
                if f"{name}.{part}" not in rows.ends:
                    raise InputError("trials", list(ends), f"a column '{name}.{part}'")
        trials, looked = rows.ends["trial"], rows.looks["trial"]
        if (np.diff(trials) <= 0).any() or (np.diff(looked) < 0).any():
            raise InputError("trials", trials, "trials and their looks in ascending order")
        return rows

    @classmethod
    def concatenated(cls, parts: Iterable[ChunkRows]) -> ChunkRows:
        """Several, one after the other, as one; raises `InputError` for none at all."""
        parts = list(parts)
        if not parts:
            raise InputError("parts", parts, "rows of one chunk at least")
        failures: Counter[str] = Counter()
        for part in parts:
            failures.update(part.failures)
        return cls(
            {name: np.concatenate([part.looks[name] for part in parts]) for name in parts[0].looks},
            {name: np.concatenate([part.ends[name] for part in parts]) for name in parts[0].ends},
            dict(failures),
        )

    def between(self, first: int, stop: int, failures: Mapping[str, int] | None = None) -> ChunkRows:
        """The trials numbered from `first` to before `stop`.

        Parameters
        ----------
        failures
            Of these trials, which cannot be told from those of all.
        """
        ends = slice(*np.searchsorted(self.ends["trial"], [first, stop]))
        looks = slice(*np.searchsorted(self.looks["trial"], [first, stop]))
        return ChunkRows(
            {name: values[looks] for name, values in self.looks.items()},
            {name: values[ends] for name, values in self.ends.items()},
            dict(failures or {}),
        )

    def looks_frame(self, start: datetime.date | None = None) -> polars.DataFrame:
        """One row a trial a look; decisions as words, and the date where the trial's first day has one."""
        return _frame(self.looks, start)

    def trials_frame(self, start: datetime.date | None = None) -> polars.DataFrame:
        """One row a trial, as `looks_frame`."""
        return _frame(self.ends, start)

    @classmethod
    def from_frames(
        cls, looks: polars.DataFrame, trials: polars.DataFrame, failures: Mapping[str, int] | None = None
    ) -> ChunkRows:
        """What `looks_frame` and `trials_frame` gave, as columns again; raises `InputError` where it cannot be that."""
        return cls.of(_arrays("looks", looks), _arrays("trials", trials), failures)


def _columns(what: str, given: Mapping[str, NDArray], wanted: Mapping[str, str]) -> dict[str, NDArray]:
    lacking = [name for name in wanted if name not in given]
    if lacking:
        raise InputError(what, list(given), f"a column '{lacking[0]}'")
    unknown = [name for name in given if name not in wanted]
    if unknown:
        raise InputError(what, unknown[0], f"one of the columns {', '.join(wanted)}")
    columns = {name: np.ascontiguousarray(given[name], dtype=kind) for name, kind in wanted.items()}
    shape = columns["trial"].shape
    for name, values in columns.items():
        if values.ndim != 1 or values.shape != shape:
            raise InputError(f"{what}.{name}", values.shape, f"one value for each of {shape[0]} rows")
    return columns


def _frame(columns: Mapping[str, NDArray], start: datetime.date | None) -> polars.DataFrame:
    import polars as pl

    words = np.array([decision.value for decision in DECISIONS])
    series = []
    for name, values in columns.items():
        if name == "decision":
            series.append(pl.Series(name, words[values], dtype=pl.Enum(words.tolist())))
            continue
        series.append(pl.Series(name, values))
        if name == "day" and start is not None:
            series.append((pl.Series("date", values).cast(pl.Int32) + (start.toordinal() - _EPOCH)).cast(pl.Date))
    return pl.DataFrame(series)


def _arrays(what: str, frame: polars.DataFrame) -> dict[str, NDArray]:
    import polars as pl

    places = {decision.value: place for place, decision in enumerate(DECISIONS)}
    columns: dict[str, NDArray] = {}
    for name in frame.columns:
        if name == "date":
            continue
        values = frame[name]
        if values.null_count():
            raise InputError(f"{what}.{name}", None, "a value in every row")
        if name == "decision":
            words = values.cast(pl.String).to_list()
            unknown = next((word for word in words if word not in places), None)
            if unknown is not None:
                raise InputError(f"{what}.decision", unknown, "one of " + ", ".join(places))
            columns[name] = np.array([places[word] for word in words], dtype="i1")
        elif not values.dtype.is_numeric():
            raise InputError(f"{what}.{name}", str(values.dtype), "a column of numbers")
        else:
            columns[name] = values.to_numpy()
    return columns
