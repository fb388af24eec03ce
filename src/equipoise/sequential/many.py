"""What `conclude` says after stopping, for many trials of one design at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, choice, instance
from ..errors import InputError
from ..estimate import Better, Scale
from ..estimate_arrays import effect_at_mean_of
from ..some_rows import distinct_rows
from .concluding import MOST, stopped_trial
from .design import GroupSequential
from .stopped_table import StoppedTable, series_at

__all__ = ["Conclusions", "ManyConclusions", "conclude_many"]

Array = npt.NDArray[np.float64]
Path = tuple[tuple[float, ...], bool]
_MOST_PATHS = 4096


@dataclass(frozen=True, eq=False)
class ManyConclusions:
    """What many stopped trials show, see `Conclusion`; NaN for a trial that goes on or has nothing to conclude from.

    Attributes
    ----------
    p_value
        Stage-wise ordering; one-sided in favour of the experimental arm, or two-sided, as the design, shape (trials,).
    median_unbiased, lower, upper
        Stage-wise ordering, on the scale and with the sign of the effects (ratios as natural logarithms), limits of
        level 1 - alpha when two-sided, 1 - 2 alpha when one-sided, cut where the scale ends; shape (trials,).
    bias_adjusted
        Whitehead's (1986) estimate, shape (trials,).
    """

    p_value: Array
    median_unbiased: Array
    lower: Array
    upper: Array
    bias_adjusted: Array


class Conclusions:
    """Concludes many trials of a design; what trials with the same looks share is found once and kept.

    What a trial is told does not depend on the trials it comes with, nor on those that came before. It may be used by
    several threads, and be pickled, which forgets what was kept.

    Parameters
    ----------
    design
        The design as planned.
    """

    def __init__(self, design: GroupSequential) -> None:
        self.design = instance("design", design, GroupSequential, "a GroupSequential design")
        self._tables: dict[Path, StoppedTable | None] = {}
        self._making = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return Conclusions, (self.design,)

    def of(
        self,
        information: npt.ArrayLike,
        look: npt.ArrayLike,
        z: npt.ArrayLike,
        final: npt.ArrayLike,
        effect: npt.ArrayLike,
        standard_error: npt.ArrayLike,
        degrees_of_freedom: npt.ArrayLike,
        better: Better,
        scale: Scale,
    ) -> ManyConclusions:
        """What `conclude` gives of each trial alone, within 1e-8 standard errors.

        Parameters
        ----------
        information
            Fractions of the planned maximum at each look that gave an estimate, NaN at others, shape (trials, looks).
            Those after a trial's own look are left out, and earlier ones that had seen no less.
        look
            Column, from 1, of the look at which each trial stopped, shape (trials,).
        z
            Favourable z there, shape (trials,).
        final
            Whether the look ends the trial, so that everything left is spent; True or False, or one for each trial.
        effect, standard_error, degrees_of_freedom
            The estimates there, shape (trials,); z is theirs.
        better, scale
            Of all estimates.

        Returns
        -------
        NaN where an argument is, where the rule says to go on, where the fractions are none that the design could have
        (`GroupSequential.bounds_at`), and where z is beyond 100, which `conclude` refuses.

        Raises
        ------
        InputError
            When shapes do not fit, or an argument is of another kind.
        """
        z = any_shape("z", z, "an array of shape (trials,)", infinite=True, missing=True)
        if z.ndim != 1:
            raise InputError("z", z.shape, "an array of shape (trials,)")
        fractions = any_shape("information", information, "an array of shape (trials, looks)", missing=True)
        if fractions.ndim != 2 or fractions.shape[0] != z.size or not fractions.shape[1]:
            raise InputError("information", fractions.shape, f"an array of shape ({z.size}, looks)")
        columns = any_shape("look", look, f"looks from 1 to {fractions.shape[1]}")
        if not np.all((columns >= 1) & (columns <= fractions.shape[1]) & (columns == np.floor(columns))):
            raise InputError("look", look, f"looks from 1 to {fractions.shape[1]}")
        ends = np.asarray(final)
        if ends.dtype != np.bool_:
            raise InputError("final", final, "True or False, for each trial")
        given = {"effect": effect, "standard_error": standard_error, "degrees_of_freedom": degrees_of_freedom}
        arrays = [
            columns,
            ends,
            *(any_shape(name, array, infinite=True, missing=True) for name, array in given.items()),
        ]
        for name, array in zip(("look", "final", *given), arrays, strict=True):
            if array.shape not in ((), z.shape):
                raise InputError(name, array.shape, f"an array of shape ({z.size},)")
        columns, ends, effects, errors, freedoms = (np.broadcast_to(array, z.shape) for array in arrays)
        choice("better", better, ("higher", "lower"))
        scale = Scale(choice("scale", scale, tuple(Scale)))

        at = columns.astype(np.intp) - 1
        present = np.abs(z) <= MOST
        present &= np.isfinite(effects) & np.isfinite(errors) & (errors > 0) & (freedoms > 0)
        present &= np.isfinite(fractions[np.arange(z.size), at])
        chosen = np.flatnonzero(present)
        found = np.full((5, z.size), np.nan)
        means, p_values = self._means(fractions[chosen], at[chosen], z[chosen], ends[chosen])
        stopped = ~np.isnan(p_values)
        chosen, means = chosen[stopped], means[:, stopped]
        mapped = effect_at_mean_of(means, z[chosen], effects[chosen], errors[chosen], freedoms[chosen], better, scale)
        limits = mapped[1:3]
        found[:, chosen] = p_values[stopped], mapped[0], limits.min(axis=0), limits.max(axis=0), mapped[3]
        return ManyConclusions(*found)

    def _means(
        self, fractions: Array, at: npt.NDArray[np.intp], z: Array, final: npt.NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        """Means of z of the median-unbiased estimate, both limits and the bias-adjusted one, (4, trials); p-values."""
        if not z.size:
            return np.empty((4, 0)), np.empty(0)
        last = fractions[np.arange(z.size), at]
        held = np.where(fractions < last[:, None], fractions, np.nan)
        held[np.arange(fractions.shape[1]) > at[:, None]] = np.nan
        paths, path = distinct_rows(np.column_stack((final, held, last)))
        tables = [self._table((tuple(row[1:][~np.isnan(row[1:])].tolist()), bool(row[0]))) for row in paths]

        # where in its table each trial is
        sided = self.design.sided
        size = z if sided == 1 else np.abs(z)
        rules = np.array([(math.inf, -math.inf) if table is None else table.bounds for table in tables])[path]
        edges = np.array([(-math.inf, math.inf) if table is None else table.edges for table in tables])[path]
        layouts = np.array([np.ones((3, 4)) if table is None else table.layout for table in tables])
        stretch = np.where(size <= edges[:, 0], 0, np.where(size >= edges[:, 1], 2, 1))
        origin, width, first, end = layouts[path, stretch].T
        steps = (size - origin) / width
        number = np.clip(np.floor(steps), first, end)
        known = np.array([table is not None for table in tables])[path]
        known &= final | (size >= rules[:, 0]) | (size <= rules[:, 1])
        panels, panel = distinct_rows(np.column_stack((path, stretch, number))[known])
        means, p_values = np.full((4, z.size), np.nan), np.full(z.size, np.nan)
        if not len(panels):
            return means, p_values

        built = [tables[int(row[0])].panel(int(row[1]), int(row[2])) for row in panels]  # pyright: ignore[reportOptionalMemberAccess]
        size, sign = size[known], 1.0 if sided == 1 else np.where(z[known] < 0, -1.0, 1.0)
        *short, held_p = series_at(
            np.array([one.series for one in built]), panel, 2.0 * (steps[known] - number[known]) - 1.0
        )
        means[:, known] = sign * (size - np.array(short))
        p_values[known] = _p_values(size, held_p, np.array([one.scored for one in built])[panel], sided)
        return means, p_values

    def _table(self, path: Path) -> StoppedTable | None:
        """What is known of trials with these fractions so far, None where the design could not have them."""
        with self._making:
            if path not in self._tables:
                while len(self._tables) >= _MOST_PATHS:
                    self._tables.pop(next(iter(self._tables)))
                self._tables[path] = self._made(*path)
            return self._tables[path]

    def _made(self, fractions: tuple[float, ...], final: bool) -> StoppedTable | None:
        try:
            boundaries = self.design.bounds_at(fractions, final)
        except InputError:
            return None
        futility = -math.inf if boundaries.futility is None else float(boundaries.futility[-1])
        bounds = float(boundaries.efficacy[-1]), futility
        return StoppedTable(stopped_trial(self.design, boundaries), self.design.sided, self.design.level, bounds)


def conclude_many(
    design: GroupSequential,
    information: npt.ArrayLike,
    look: npt.ArrayLike,
    z: npt.ArrayLike,
    final: npt.ArrayLike,
    effect: npt.ArrayLike,
    standard_error: npt.ArrayLike,
    degrees_of_freedom: npt.ArrayLike,
    better: Better,
    scale: Scale,
) -> ManyConclusions:
    """What `conclude` gives of each of many trials of a design; see `Conclusions.of`, for chunk after chunk."""
    return Conclusions(design).of(
        information, look, z, final, effect, standard_error, degrees_of_freedom, better, scale
    )


def _p_values(size: Array, held: Array, scored: npt.NDArray[np.bool_], sided: int) -> Array:
    from scipy.special import ndtr

    tails = np.where(scored, ndtr(-(size + held)), np.clip(held, 0.0, 1.0))
    return np.minimum(1.0, sided * tails)
