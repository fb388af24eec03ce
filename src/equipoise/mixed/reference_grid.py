"""The reference grid: how a cell of the factors becomes a row of the design."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .design_matrix import DesignMatrix
from .frame import Factor, label_of

__all__ = ["CellWeights", "Margins", "ReferenceGrid", "cell_frequencies"]

Array = NDArray[np.floating[Any]]
CellWeights = Literal["equal", "proportional"]

_ESTIMABLE = 1e-8


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
    """

    levels: dict[str, tuple[str, ...]]
    rows: Array

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
        Rows used in each combination of levels, one axis a factor in the order of `factors`; None if not counted.
    """

    design: DesignMatrix
    factors: dict[str, tuple[str, ...]]
    means: dict[str, float]
    kept: NDArray[np.bool_]
    alias: Array
    frequencies: Array | None = None

    def factor(self, name: object, field: str = "factor") -> str:
        """The name of a factor, checked."""
        if not isinstance(name, str) or name not in self.factors:
            raise InputError(field, name, f"one of the factors of the formula, {list(self.factors)}")
        return name

    def level(self, factor: str, value: object, field: str) -> str:
        """A level of a factor, checked."""
        self.factor(factor, field)
        label = label_of(value)
        if label not in self.factors[factor]:
            raise InputError(f"{field} {factor!r}", value, f"one of {list(self.factors[factor])}")
        return label

    def names(self, given: str | Sequence[str] | None, field: str) -> tuple[str, ...]:
        """One or several factors, checked."""
        if given is None:
            return ()
        listed = (given,) if isinstance(given, str) else tuple(given)
        for at, name in enumerate(listed):
            self.factor(name, field)
            if name in listed[:at]:
                raise InputError(field, name, "each factor once")
        return listed

    def split(
        self, at: Mapping[str, object] | None, field: str = "at"
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, float]]:
        """Levels of factors and values of covariates asked for, checked; a level may stand alone or in a sequence."""
        levels: dict[str, tuple[str, ...]] = {}
        values: dict[str, float] = {}
        for name, value in (at or {}).items():
            if name in self.means:
                is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
                if not is_number or not np.isfinite(value):  # type: ignore[call-overload]
                    raise InputError(f"{field} {name!r}", value, "a finite number")
                values[name] = float(value)  # type: ignore[arg-type]
                continue
            several = isinstance(value, Iterable) and not isinstance(value, str)
            listed = [self.level(name, one, field) for one in (value if several else [value])]  # type: ignore[union-attr]
            if not listed or len(set(listed)) < len(listed):
                raise InputError(f"{field} {name!r}", value, f"a level or different levels of {name!r}")
            levels[name] = tuple(listed)
        return levels, values

    def margins(
        self,
        factors: Sequence[str],
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        field: str = "at",
    ) -> Margins:
        """Rows of the design for every cell of some factors, averaged over the others.

        Parameters
        ----------
        factors
            Cells of these, in all their levels or those named in `at`.
        at
            Factors to a level or several of them, over which alone is averaged; covariates to a number, otherwise
            their mean over the rows used.
        weights
            "equal": all combinations of the other factors' levels count the same. "proportional": as often as they
            occur in the rows used at the levels of `at`, the same in every cell (as emmeans).
        """
        levels, values = self.split(at, field)
        if weights not in ("equal", "proportional"):
            raise InputError("weights", weights, "'equal' or 'proportional'")
        chosen = {name: levels.get(name, own) for name, own in self.factors.items()}
        index = np.ix_(*([self.factors[name].index(one) for one in own] for name, own in chosen.items()))
        grid = (self._rows({**self.means, **values}) if values else self._at_means)[index]
        kept = [list(self.factors).index(name) for name in factors]
        others = [axis for axis in range(len(self.factors)) if axis not in kept]
        if weights == "equal":
            share = np.full([grid.shape[axis] for axis in others], 1.0)
        else:
            if self.frequencies is None:
                raise InputError("weights", weights, "'equal' where the frequencies of the cells are not known")
            share = np.asarray(self.frequencies[index].sum(axis=tuple(kept)) if kept else self.frequencies[index])
            if not share.sum() > 0:
                raise InputError(field, dict(at or {}), "levels that occur together in the data")
        share = share / share.sum()
        moved = np.transpose(grid, [*others, *kept, grid.ndim - 1])
        rows = np.tensordot(share, moved, axes=share.ndim)
        return Margins({name: chosen[name] for name in factors}, rows)

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

    def is_estimable(self, weights: Array) -> bool:
        """Whether a combination of all columns does not depend on what the data cannot tell."""
        implied = weights[self.kept] @ self.alias
        size = max(1.0, float(np.abs(weights).max()))
        return np.allclose(implied, weights[~self.kept], rtol=_ESTIMABLE, atol=_ESTIMABLE * size)

    def estimable(self, weights: Array, cell: object) -> Array:
        """Weights over the estimated columns; refused where the value depends on what the data cannot tell."""
        if not self.is_estimable(weights):
            raise InputError("cell", cell, "a combination of levels that the data can estimate")
        return weights[self.kept]
