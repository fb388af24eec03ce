"""The reference grid: how a cell of the factors becomes a row of the design."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import number
from ..errors import InputError
from ..estimate import Better
from .confidence import confidence_level
from .design_matrix import DesignMatrix
from .estimability import estimable
from .frame import Factor, label_of

__all__ = ["CellWeights", "GridRequest", "Margins", "ReferenceGrid", "cell_frequencies"]

Array = NDArray[np.floating[Any]]
CellWeights = Literal["equal", "proportional"]


@dataclass(frozen=True)
class GridRequest:
    """What every question to the grid may say besides the factors it is about.

    Attributes
    ----------
    at
        Levels of factors, one or a list, and values of covariates.
    weights
        How factors named nowhere are averaged.
    level
        Of the confidence intervals.
    better
        Whether a higher or a lower difference is good.
    """

    at: Mapping[str, object] | None = None
    weights: CellWeights = "equal"
    level: float = 0.95
    better: Better = "higher"

    def __post_init__(self) -> None:
        if self.at is not None and not isinstance(self.at, Mapping):
            raise InputError("at", self.at, "a mapping from factors to levels and from covariates to values")
        if self.weights not in ("equal", "proportional"):
            raise InputError("weights", self.weights, "'equal' or 'proportional'")
        if self.better not in ("higher", "lower"):
            raise InputError("better", self.better, "'higher' or 'lower'")
        object.__setattr__(self, "level", confidence_level(self.level))


def cell_frequencies(factors: Iterable[Factor]) -> Array:
    """Rows of the data in each combination of the levels of some factors, an array with one axis a factor."""
    factors = list(factors)
    shape = tuple(len(factor.levels) for factor in factors)
    if not shape:
        return np.ones(())
    flat = np.ravel_multi_index([factor.codes for factor in factors], shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


@dataclass(frozen=True)
class Margins:
    """Weights of the coefficients in the mean of every cell of some factors.

    Attributes
    ----------
    levels
        Of each factor, those asked for.
    rows
        (levels of the first factor, ..., all columns of the design).
    where
        At what, and averaged over what, for people.
    """

    levels: dict[str, tuple[str, ...]]
    rows: Array
    where: str

    def cells(self) -> list[tuple[dict[str, str], Array]]:
        """Each cell with its row, the first factor changing fastest, as emmeans lists them."""
        names = list(self.levels)
        listed = []
        for index in itertools.product(*(range(len(self.levels[name])) for name in reversed(names))):
            place = index[::-1]
            cell = {name: self.levels[name][at] for name, at in zip(names, place, strict=True)}
            listed.append((cell, self.rows[place]))
        return listed

    def row(self, *levels: str) -> Array:
        """The row of one cell, its levels in the order of the factors."""
        return self.rows[tuple(own.index(one) for own, one in zip(self.levels.values(), levels, strict=True))]


@dataclass(frozen=True)
class ReferenceGrid:
    """How a combination of factor levels and covariate values becomes a row of the design.

    Attributes
    ----------
    design
        How rows of factors and covariates become rows of the design.
    factors, means
        Levels of each factor of the formula, and the mean of each covariate over the rows used.
    kept, alias
        Columns estimated, and the other columns as combinations of them.
    frequencies
        Rows used in each combination of levels, one axis a factor in the order of `factors`.
    """

    design: DesignMatrix
    factors: dict[str, tuple[str, ...]]
    means: dict[str, float]
    kept: NDArray[np.bool_]
    alias: Array
    frequencies: Array

    def factor(self, name: object, field: str = "factor") -> str:
        """The name of a factor, checked."""
        if not isinstance(name, str) or name not in self.factors:
            raise InputError(field, name, f"one of the factors of the formula, {list(self.factors)}")
        return name

    def level(self, factor: str, value: object, field: str) -> str:
        """A level of a factor, checked."""
        label = label_of(value)
        if label not in self.factors[factor]:
            raise InputError(field, value, f"one of {list(self.factors[factor])}")
        return label

    def names(self, given: str | Sequence[str] | None, field: str) -> tuple[str, ...]:
        """One or several factors, checked."""
        if given is None:
            return ()
        if isinstance(given, Mapping | Set) or not isinstance(given, Iterable):
            raise InputError(field, given, f"a factor of the formula or a list of them, of {list(self.factors)}")
        listed = (given,) if isinstance(given, str) else tuple(given)
        for at, name in enumerate(listed):
            self.factor(name, field)
            if name in listed[:at]:
                raise InputError(field, name, "each factor once")
        return listed

    def split(self, at: Mapping[str, object] | None) -> tuple[dict[str, tuple[str, ...]], dict[str, float]]:
        """Levels of factors and values of covariates asked for, checked; a level may stand alone or in a sequence."""
        levels: dict[str, tuple[str, ...]] = {}
        values: dict[str, float] = {}
        for name, value in (at or {}).items():
            if name in self.means:
                values[name] = number(f"at[{name!r}]", value)
                continue
            if name not in self.factors:
                known = f"one of the factors {list(self.factors)}"
                if self.means:
                    known += f" or the covariates {list(self.means)}"
                raise InputError("at", name, f"{known} of the formula")
            field = f"at[{name!r}]"
            expected = f"a level, or a list of different levels, of {name!r}"
            if isinstance(value, Mapping | Set):
                raise InputError(field, value, expected)
            several = isinstance(value, Iterable) and not isinstance(value, str)
            listed = [self.level(name, one, field) for one in (value if several else [value])]  # type: ignore[union-attr]
            if not listed or len(set(listed)) < len(listed):
                raise InputError(field, value, expected)
            levels[name] = tuple(listed)
        return levels, values

    def levels_at(self, factor: str, at: Mapping[str, object] | None) -> tuple[str, ...]:
        """The levels of a factor that are asked for."""
        return self.split(at)[0].get(factor, self.factors[factor])

    def margins(self, factors: Sequence[str], request: GridRequest) -> Margins:
        """Rows of the design for every cell of some factors, averaged over the others.

        Parameters
        ----------
        factors
            Cells of these, in all their levels or those named in `request.at`.
        request
            `at` names factors with a level or several of them, over which alone is averaged, and covariates with a
            number, otherwise their mean over the rows used. `weights` "equal": all combinations of the other factors'
            levels count the same. "proportional": as often as they occur in the rows used at the levels of `at`, the
            same in every cell (as emmeans).
        """
        levels, values = self.split(request.at)
        chosen = {name: levels.get(name, own) for name, own in self.factors.items()}
        index = np.ix_(*([self.factors[name].index(one) for one in own] for name, own in chosen.items()))
        grid = (self._rows({**self.means, **values}) if values else self._at_means)[index]
        kept = [list(self.factors).index(name) for name in factors]
        others = [axis for axis in range(len(self.factors)) if axis not in kept]
        if request.weights == "equal":
            share = np.full([grid.shape[axis] for axis in others], 1.0)
        else:
            share = np.asarray(self.frequencies[index].sum(axis=tuple(kept)) if kept else self.frequencies[index])
            if not share.sum() > 0:
                raise InputError("at", dict(request.at or {}), "levels that occur together in the data")
        share = share / share.sum()
        moved = np.transpose(grid, [*others, *kept, grid.ndim - 1])
        rows = np.tensordot(share, moved, axes=share.ndim)
        return Margins({name: chosen[name] for name in factors}, rows, self._where(factors, chosen, values, request))

    def _where(
        self,
        factors: Sequence[str],
        chosen: Mapping[str, tuple[str, ...]],
        values: Mapping[str, float],
        request: GridRequest,
    ) -> str:
        """At what, and averaged over what, the cells of some factors are."""
        others = {name: own for name, own in chosen.items() if name not in factors}
        fixed = [f"{name} {own[0]}" for name, own in others.items() if len(own) == 1]
        fixed += [
            f"{name} {values.get(name, mean):.4g}" + " (mean)" * (name not in values)
            for name, mean in self.means.items()
        ]
        averaged = [
            name if own == self.factors[name] else f"{name} ({', '.join(own)})"
            for name, own in others.items()
            if len(own) > 1
        ]
        parts = []
        if fixed:
            parts.append("at " + ", ".join(fixed))
        if averaged:
            how = "with equal weights" if request.weights == "equal" else "as often as they occur"
            parts.append(f"averaged over {', '.join(averaged)} {how}")
        return "; ".join(parts)

    @cached_property
    def _at_means(self) -> Array:
        return self._rows(self.means)

    def _rows(self, values: Mapping[str, float]) -> Array:
        """(levels of every factor, columns in R's order): the design in every combination of levels."""
        shape = tuple(len(levels) for levels in self.factors.values())
        size = int(np.prod(shape))
        codes = np.indices(shape).reshape(len(shape), size)
        columns: dict[str, Factor | Array] = {
            name: Factor(name, levels, codes[axis], True) for axis, (name, levels) in enumerate(self.factors.items())
        }
        rows = self.design.rows(columns | {name: np.full(size, value) for name, value in values.items()}, size)
        if not np.isfinite(rows).all():
            raise InputError("at", dict(values), "values at which the formula can be evaluated")
        return rows.reshape(*shape, -1)

    @cached_property
    def _sizes(self) -> Array:
        """(columns,) the largest weight of each column in any cell."""
        return np.abs(self._at_means).reshape(-1, self._at_means.shape[-1]).max(axis=0)

    def is_estimable(self, weights: Array) -> bool:
        """Whether a combination of all columns does not depend on what the data cannot tell."""
        return bool(estimable(weights, self.kept, self.alias, self._sizes))

    def estimable(self, weights: Array, cell: object) -> Array:
        """Weights over the estimated columns; refused where the value depends on what the data cannot tell."""
        if not self.is_estimable(weights):
            raise InputError("cell", cell, "a combination of levels that the data can estimate")
        return weights[self.kept]
