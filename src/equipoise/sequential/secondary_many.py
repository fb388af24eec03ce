"""What a second endpoint is worth after the stop, for many trials of one design at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, choice
from ..errors import InputError
from ..estimate import Better, Scale
from ..estimate_arrays import effect_at_mean_of, favourable_z_of
from ..some_rows import distinct_rows
from .concluding import stopped_trial
from .conditional import Given
from .design import GroupSequential
from .many import Conclusions
from .secondary import favourable_correlation
from .secondary_conditional import conditional_shifts
from .secondary_table import SecondaryTable

__all__ = ["ManySecondaryEstimates", "SecondaryConclusions"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Path = tuple[tuple[float, ...], bool]
_MOST_PATHS = 4096
_FEW = 64  # trials on a panel that are sooner done one by one than by a table


@dataclass(frozen=True, eq=False)
class ManySecondaryEstimates:
    """Second estimates of many stopped trials, see `SecondaryEstimates`; NaN where there is nothing to say.

    Effects are on the scale and with the sign of the second estimates (ratios as natural logarithms), limits cut where
    the scale ends, of level 1 - alpha when the design is two-sided, 1 - 2 alpha when one-sided; all of shape (trials,).

    Attributes
    ----------
    naive_lower, naive_upper
        As if there had been no interim look.
    bias_adjusted, unbiased
        Whitehead's (1986), and by the unbiased estimate of the first effect.
    median_unbiased, lower, upper
        By the confidence distribution of the first effect.
    conditional, conditional_lower, conditional_upper
        Median-unbiased, with exact limits, given the stop.
    """

    naive_lower: Array
    naive_upper: Array
    bias_adjusted: Array
    unbiased: Array
    median_unbiased: Array
    lower: Array
    upper: Array
    conditional: Array
    conditional_lower: Array
    conditional_upper: Array


class SecondaryConclusions:
    """Second estimates after many trials of a design; what trials with the same looks share is found once and kept.

    What a trial is told does not depend, beyond 1e-9 standard errors, on the trials it comes with. It may be used by
    several threads, and be pickled, which forgets what was kept.

    Parameters
    ----------
    design
        The design as planned.
    given
        What the conditional estimates take as given: the look alone, or the way out there as well.
    always_tables
        Whether to make a table of whatever is asked for, however few trials ask, so that what a trial is told is the
        same to the last bit whatever came before; else within 1e-9 standard errors.
    """

    def __init__(self, design: GroupSequential, given: Given = Given.LOOK, always_tables: bool = False) -> None:
        self._first = Conclusions(design)
        self.design = design
        self.given = Given(choice("given", given, tuple(Given)))
        self._few = 0 if always_tables else _FEW
        self._tables: dict[Path, SecondaryTable] = {}
        self._making = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return SecondaryConclusions, (self.design, self.given, self._few == 0)

    def of(
        self,
        information: npt.ArrayLike,
        look: npt.ArrayLike,
        z: npt.ArrayLike,
        final: npt.ArrayLike,
        effect: npt.ArrayLike,
        standard_error: npt.ArrayLike,
        degrees_of_freedom: npt.ArrayLike,
        correlation: npt.ArrayLike,
        better: Better,
        scale: Scale,
        null_value: float = 0.0,
        better_first: Better | None = None,
    ) -> ManySecondaryEstimates:
        """What `secondary_estimates` gives of each trial alone, within 1e-8 standard errors.

        Parameters
        ----------
        information, look, z, final
            Of the estimate that stopped each trial, see `Conclusions.of`; z positive in favour of the experimental arm.
        effect, standard_error, degrees_of_freedom
            The second estimates at the look of the stop, shape (trials,) or one for all.
        correlation
            Of the two estimates of each trial on their own scales, from -1 to 1, shape (trials,) or one for all.
        better, scale, null_value
            Of all second estimates.
        better_first
            Direction of the first ones, by which the sign of the correlation is read; by default that of the second.

        Returns
        -------
        NaN where an argument is, and where `Conclusions.of` has nothing to conclude.

        Raises
        ------
        InputError
            When shapes do not fit, or an argument is of another kind.
        """
        choice("better", better, ("higher", "lower"))
        scale = Scale(choice("scale", scale, tuple(Scale)))
        first = choice("better_first", better if better_first is None else better_first, ("higher", "lower"))
        rho = favourable_correlation(correlation, first, better)
        # the first estimate on the scale of its z, where only its bias is asked for
        told = self._first.of(information, look, z, final, z, 1.0, math.inf, "higher", Scale.MEAN_DIFFERENCE)
        z = any_shape("z", z, infinite=True, missing=True)
        given = {"effect": effect, "standard_error": standard_error, "degrees_of_freedom": degrees_of_freedom}
        arrays = [any_shape(name, array, infinite=True, missing=True) for name, array in given.items()] + [rho]
        for name, array in zip((*given, "correlation"), arrays, strict=True):
            if array.shape not in ((), z.shape):
                raise InputError(name, array.shape, f"an array of shape ({z.size},)")
        effects, errors, freedoms, rho = (np.broadcast_to(array, z.shape) for array in arrays)
        present = ~np.isnan(told.p_value) & np.isfinite(effects) & np.isfinite(errors) & (errors > 0) & (freedoms > 0)
        chosen = np.flatnonzero(present & ~np.isnan(rho))
        found = np.full((10, z.size), np.nan)
        if chosen.size:
            fractions = any_shape("information", information, missing=True)[chosen]
            at = np.broadcast_to(np.asarray(look), z.shape)[chosen].astype(np.intp) - 1
            ends = np.broadcast_to(np.asarray(final), z.shape)[chosen]
            shifts = np.empty((10, chosen.size))
            shifts[2] = rho[chosen] * (told.bias_adjusted[chosen] - z[chosen])
            shifts[3:] = self._shifts(fractions, at, z[chosen], ends, rho[chosen])
            shifts[:2] = _normal_limits(self.design.level)[:, None]
            part = effects[chosen], errors[chosen], freedoms[chosen]
            y = favourable_z_of(*part, null_value, better)
            mapped = effect_at_mean_of(y + shifts, y, *part, better, scale)
            if better == "lower":
                mapped = mapped[[1, 0, 2, 3, 4, 6, 5, 7, 9, 8]]
            found[:, chosen] = mapped
        return ManySecondaryEstimates(*found)

    def _shifts(self, fractions: Array, at: Indices, z: Array, final: npt.NDArray[np.bool_], rho: Array) -> Array:
        """What to add to y: unbiased; by the confidence distribution; given the stop. Shape (7, trials)."""
        last = fractions[np.arange(z.size), at]
        held = np.where(fractions < last[:, None], fractions, np.nan)
        held[np.arange(fractions.shape[1]) > at[:, None]] = np.nan
        paths, path = distinct_rows(np.nan_to_num(np.column_stack((final, held, last)), nan=-1.0))
        tables = [self._table((tuple(row[1:][row[1:] >= 0].tolist()), bool(row[0]))) for row in paths]

        # of symmetric bounds one half is held: with the sign of z that of the correlation changes
        sign = np.where(z < 0, -1.0, 1.0) if self.design.sided == 2 else np.ones(z.size)
        size, rho = sign * z, sign * rho
        edges = np.array([table.place.edges for table in tables])[path]
        stretch = np.where(size <= edges[:, 0], 0, np.where(size >= edges[:, 1], 2, 1))
        origin, width, begin, end = np.array([table.place.layout for table in tables])[path, stretch].T
        steps = (size - origin) / width
        number = np.clip(np.floor(steps), begin, end)
        place = 2.0 * (steps - number) - 1.0

        shifts = np.empty((7, z.size))
        solved = np.ones(z.size, dtype=bool)
        panels, panel = distinct_rows(np.column_stack((path, stretch, number)))
        for row, members in zip(panels, _members(panel, len(panels)), strict=True):
            table, given = tables[int(row[0])], None
            if members.size < self._few and not table.holds(int(row[1]), int(row[2])):
                law, unbiased = table.singly(size[members], rho[members])
            else:
                law, unbiased, given = table.shifts(int(row[1]), int(row[2]), place[members], rho[members])
            shifts[0, members] = -rho[members] * unbiased
            shifts[1:4, members] = law
            if given is not None:
                shifts[4:, members], solved[members] = given, False
        # sides are kept apart: of one path they may lie in different spaces, though solved in one way
        groups, group = distinct_rows(np.column_stack((path, stretch))[solved])
        rest = np.flatnonzero(solved)
        for row, members in zip(groups, _members(group, len(groups)), strict=True):
            table, chosen = tables[int(row[0])], rest[members]
            probability = np.repeat(table.probabilities, chosen.size)
            space = table.space(float(size[chosen[0]]))
            values = np.tile(size[chosen], 3), np.tile(rho[chosen], 3), probability
            shifts[4:, chosen] = conditional_shifts(space, table.trial.look, *values, self.given).reshape(3, -1)
        return shifts

    def _table(self, path: Path) -> SecondaryTable:
        with self._making:
            if path not in self._tables:
                while len(self._tables) >= _MOST_PATHS:
                    self._tables.pop(next(iter(self._tables)))
                boundaries = self.design.bounds_at(*path)
                futility = -math.inf if boundaries.futility is None else float(boundaries.futility[-1])
                bounds = float(boundaries.efficacy[-1]), futility
                trial = stopped_trial(self.design, boundaries)
                self._tables[path] = SecondaryTable(trial, self.design.sided, self.design.level, bounds)
            return self._tables[path]


def _normal_limits(level: float) -> Array:
    from scipy.special import ndtri

    return ndtri(np.array((level, 1.0 - level)))


def _members(group: Indices, groups: int) -> list[Indices]:
    """Which belong to each group."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group, minlength=groups))[:-1]) if groups else []
