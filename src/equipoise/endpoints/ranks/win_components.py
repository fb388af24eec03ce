"""What a hierarchical composite is made of, and its patients as arrays, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape, choice, flag, instance, number
from ...errors import InputError
from ...estimate import Better
from .two_arms import arm_codes, stratum_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["WinComponent", "WinData", "win_data"]

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class WinComponent:
    """One component of a hierarchical composite: how two patients are compared by it.

    Attributes
    ----------
    time
        Whether it is a time to an event that may be censored: a pair is then compared over its common follow-up only
        (Pocock et al. 2012), won by the patient known to be free of the event at the other's; an event at the end of
        the other's follow-up counts. Otherwise a score, a level or yes or no.
    margin
        Least difference that is a win, in units of the component; any difference when 0.
    better
        Whether the higher value, or the later event, wins.
    """

    time: bool = False
    margin: float = 0.0
    better: Better = "higher"

    def __post_init__(self) -> None:
        flag("time", self.time)
        if number("margin", self.margin, "a number not below 0") < 0:
            raise InputError("margin", self.margin, "a number not below 0")
        choice("better", self.better, ("higher", "lower"))


@dataclass(frozen=True, slots=True, eq=False)
class WinData:
    """Patients of many trials; arm and stratum have shape (trials, patients), values also an axis of components."""

    values: NDArray[np.float64]
    observed: NDArray[np.bool_]
    followed: NDArray[np.float64]
    arm: NDArray[np.int8]
    stratum: NDArray[np.intp]
    strata: int
    components: tuple[WinComponent, ...]

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Patients of each arm, control first, in each stratum, shape (2, trials, strata)."""
        trials = len(self)
        place = np.arange(trials)[:, None] * self.strata + self.stratum
        return np.stack(
            [
                np.bincount(place[self.arm == at], minlength=trials * self.strata).reshape(trials, self.strata)
                for at in (0, 1)
            ]
        )

    def compared(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pairs won and lost, by level and by patient; see `win_kernels.compare_pairs`."""
        from .win_kernels import compare_pairs

        margins = np.array([item.margin * (1 - ROUNDING) for item in self.components])
        lower = np.array([item.better == "lower" for item in self.components])
        times = np.array([item.time for item in self.components])
        return compare_pairs(
            self.values, self.observed, self.followed, self.arm, self.stratum, self.strata, margins, lower, times
        )


def win_data(
    values: ArrayLike,
    arm: ArrayLike,
    components: Sequence[WinComponent],
    observed: ArrayLike | None,
    followed: ArrayLike | None,
    strata: ArrayLike | None,
    dimensions: int,
) -> WinData:
    """Patients of one trial (`dimensions` 1) or of many (2), checked; one trial is many of which there is one.

    Raises
    ------
    InputError
        When the arrays are not numbers, or do not fit each other or the components.
    """
    if isinstance(components, WinComponent) or not isinstance(components, Sequence) or not components:
        raise InputError("components", components, "a list of at least one WinComponent")
    items = tuple(instance("components", item, WinComponent, "WinComponents") for item in components)
    found = any_shape("values", values, "numbers, NaN where missing", infinite=True, missing=True)
    if found.ndim != dimensions + 1 or found.shape[-1] != len(items):
        layout = "(patients, components)" if dimensions == 1 else "(trials, patients, components)"
        raise InputError("values", found.shape, f"shape {layout} with {len(items)} components")
    times = np.array([item.time for item in items])
    if observed is None:
        happened = np.ones(found.shape, dtype=bool)
    else:
        flags = np.asarray(observed)
        if flags.shape != found.shape or not np.isin(flags, (0, 1)).all():
            raise InputError("observed", flags.shape, f"true or false for each value, shape {found.shape}")
        happened = flags.astype(bool)
    if followed is None:
        span = np.full(found.shape, np.inf)
    else:
        span = any_shape("followed", followed, "durations, infinite where complete", infinite=True, missing=True)
        if span.shape != found.shape or np.isnan(span[~np.isnan(found)]).any():
            raise InputError("followed", span.shape, f"a duration for each value, shape {found.shape}")
    if np.any(found[..., times] < 0):
        raise InputError("values", float(np.nanmin(found[..., times])), "times not below 0")
    shape = found.shape[:-1]
    codes = stratum_codes(strata, shape)
    one = dimensions == 1
    return WinData(
        np.ascontiguousarray(found[None] if one else found),
        np.ascontiguousarray(happened[None] if one else happened),
        np.ascontiguousarray(span[None] if one else span),
        np.atleast_2d(arm_codes(arm, shape)),
        np.zeros(np.atleast_2d(np.empty(shape)).shape, dtype=np.intp) if codes is None else codes,
        1 if codes is None or not codes.size else int(codes.max()) + 1,
        items,
    )
