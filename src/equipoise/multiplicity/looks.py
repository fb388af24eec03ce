"""Several hypotheses at several looks, for one trial or many: which bounds are crossed, and what is rejected when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..checks import any_shape, choice, flag, whole
from ..errors import InputError
from ..sequential import GroupSequential, SpendingFunction
from .level_bounds import LevelBounds, spending_of
from .procedure import checked_alpha

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .procedure import Procedure

    Array = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Rows = NDArray[np.intp]

__all__ = ["Crossing", "Looks", "Spending", "Statistics", "arrays", "chosen_statistics", "rejection_looks", "walk"]

Statistics = Literal["current", "latest", "all"]
Spending = SpendingFunction | GroupSequential
Crossing = Callable[..., "NDArray[np.bool_]"]
"""(shares (hypotheses,), trials (chosen,), ever=False) -> (chosen, hypotheses): whose statistics cross the bounds of
these shares of alpha at the present look; `ever` for those of any look so far."""

_MOST_INFORMATION = 10.0
_STATISTICS: tuple[Statistics, ...] = ("current", "latest", "all")


@dataclass(frozen=True, eq=False)
class Looks:
    """The looks of a trial at its hypotheses.

    Attributes
    ----------
    information
        NaN at a look that is none for the hypothesis, shape (looks, hypotheses).
    level
        One-sided level of the family.
    bounds
        Of each hypothesis at its own looks.
    """

    information: Array
    level: float
    bounds: tuple[LevelBounds, ...]

    @classmethod
    def of(
        cls,
        information: Array,
        alpha: float,
        spending: Spending | Sequence[Spending],
        sided: int,
        final: bool | Sequence[bool] | None,
    ) -> Looks:
        """Checked, shape (looks, hypotheses)."""
        level = checked_alpha(alpha) / _sides(sided)
        count = information.shape[1]
        given = spending if isinstance(spending, Sequence) else [spending] * count
        if isinstance(spending, str) or len(given) != count:
            raise InputError("spending", spending, f"a spending function, or {count} of them, one a hypothesis")
        ends = final if isinstance(final, Sequence | np.ndarray) else [final] * count
        if isinstance(final, str) or len(ends) != count:
            raise InputError("final", final, f"True or False, or {count} of them, one a hypothesis")
        bounds = []
        for number, (function, end) in enumerate(zip(given, ends, strict=True)):
            own = information[:, number]
            own = own[~np.isnan(own)]
            if np.any(np.diff(own, prepend=0.0) <= 0):
                right = "fractions above 0, rising from look to look"
                raise InputError(f"information of hypothesis {number + 1}", own.tolist(), right)
            if own.max(initial=0.0) > _MOST_INFORMATION:
                right = f"fractions of the planned maximum, as 0.75 and not 75 (at most {_MOST_INFORMATION:g})"
                raise InputError(f"information of hypothesis {number + 1}", own.tolist(), right)
            if np.any(own[:-1] >= 1):
                right = "no further look once the planned maximum is reached (NaN at later ones)"
                raise InputError(f"information of hypothesis {number + 1}", own.tolist(), right)
            ended = bool(own.size and own[-1] >= 1) if end is None else flag("final", end)
            bounds.append(LevelBounds(spending_of(function), tuple(own.tolist()), ended))
        return cls(information, level, tuple(bounds))

    def at(self, shares: Array) -> Array:
        """Bounds on z at these shares of alpha, infinite where there is no look, shape (looks, hypotheses)."""
        found = np.full(self.information.shape, np.inf)
        for number, (share, own) in enumerate(zip(shares.tolist(), self.bounds, strict=True)):
            if share > 0 and own.information:
                found[~np.isnan(self.information[:, number]), number] = own.at(min(share, 1.0) * self.level)
        return found

    def repeated_p_values(self, z: Array) -> Array:
        """Smallest one-sided level at which each z (looks, hypotheses) is rejected at its look; NaN without one."""
        found = np.full(z.shape, np.nan)
        for number, own in enumerate(self.bounds):
            rows = np.flatnonzero(~np.isnan(self.information[:, number]))
            for look, row in enumerate(rows):
                found[row, number] = own.repeated_p_value(float(z[row, number]), look)
        return found


def _sides(sided: Any) -> int:
    if whole("sided", sided, "1 or 2") not in (1, 2):
        raise InputError("sided", sided, "1 or 2")
    return int(sided)


def chosen_statistics(given: Any) -> Statistics:
    """Which statistics may reject at a look.

    Raises
    ------
    InputError
        When it is none of the three.
    """
    return choice("statistics", given, _STATISTICS)


def arrays(z: Any, information: Any, dimensions: int) -> tuple[Array, Array]:
    """Statistics (..., looks, hypotheses), and information of their shape or of the last two axes of it.

    Raises
    ------
    InputError
        When they do not fit, or there is a statistic where there is no look.
    """
    shape = "(looks, hypotheses)" if dimensions == 2 else "(trials, looks, hypotheses)"
    right = f"statistics of shape {shape}, NaN where there is none"
    statistics = any_shape("z", z, right, infinite=True, missing=True)
    if statistics.ndim != dimensions or 0 in statistics.shape[-2:]:
        raise InputError("z", statistics.shape, right)
    looks, hypotheses = statistics.shape[-2:]
    right = f"fractions of the maximum, shape ({looks}, {hypotheses}) or ({looks},), NaN where there is no look"
    fractions = any_shape("information", information, right, missing=True)
    if fractions.ndim == 1:
        fractions = np.repeat(fractions[:, None], hypotheses, axis=1)
    if fractions.shape not in (statistics.shape, statistics.shape[-2:]):
        raise InputError("information", fractions.shape, right)
    if np.any(np.isnan(fractions) & ~np.isnan(statistics)):
        raise InputError("z", "a statistic at a look without information", "NaN there, or an information fraction")
    return statistics, fractions


def walk(procedure: Procedure, statistics: Statistics, z: Array, crossed: Callable[[Array, Rows], Flags]) -> Any:
    """Take trials through their looks.

    Parameters
    ----------
    procedure
        What tests the hypotheses.
    statistics
        Which may reject at a look.
    z
        NaN where there is none, shape (trials, looks, hypotheses).
    crossed
        (shares (hypotheses,), trials (chosen,)) -> (chosen, looks, hypotheses), whether each statistic crosses.

    Returns
    -------
    array
        Look, from 1, at which each hypothesis is rejected, 0 where it is not, shape (trials, hypotheses).
    """
    trials, looks, hypotheses = z.shape
    present = ~np.isnan(z)
    numbers = np.where(present, np.arange(looks)[:, None], -1)
    latest = np.maximum.accumulate(numbers, axis=1)
    rejected = np.zeros((trials, hypotheses), dtype=bool)
    found = np.zeros((trials, hypotheses), dtype=np.int64)
    for look in range(looks):

        def crossing(shares: Array, rows: Rows, ever: bool = False, look: int = look) -> Flags:
            each = crossed(shares, rows) & present[rows]
            if ever or statistics == "all":
                return np.any(each[:, : look + 1], axis=1)
            if statistics == "current":
                return each[:, look]
            last = latest[rows, look]
            taken = np.take_along_axis(each, np.maximum(last, 0)[:, None], axis=1)[:, 0]
            return taken & (last >= 0)

        after = procedure.further(rejected, crossing)
        found[after & ~rejected] = look + 1
        rejected = after
    return found


def rejection_looks(
    procedure: Procedure,
    z: Any,
    information: Any,
    alpha: float,
    spending: Spending | Sequence[Spending],
    sided: int,
    final: bool | Sequence[bool] | None,
    statistics: Statistics,
) -> NDArray[np.int64]:
    """See `Procedure.rejection_looks`; trials whose information is alike are taken together."""
    chosen_statistics(statistics)
    values, fractions = arrays(z, information, 3)
    procedure.check_size(values.shape[2])
    if fractions.ndim == 2:
        looks = Looks.of(fractions, alpha, spending, sided, final)
        return walk(procedure, statistics, values, _crossed(looks, values))
    found = np.zeros((len(values), values.shape[2]), dtype=np.int64)
    kinds, which = np.unique(fractions, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        rows = np.flatnonzero(which.ravel() == number)
        looks = Looks.of(kind, alpha, spending, sided, final)
        found[rows] = walk(procedure, statistics, values[rows], _crossed(looks, values[rows]))
    return found


def _crossed(looks: Looks, z: Array) -> Callable[[Array, Rows], Flags]:
    return lambda shares, rows: z[rows] >= looks.at(shares)
