"""Least squares means and contrasts over a reference grid of the factors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..estimate import Estimate, Interval
from .frame import label_of

if TYPE_CHECKING:
    import polars

__all__ = ["LeastSquaresMean", "LeastSquaresMeans", "ReferenceGrid", "r_order"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LeastSquaresMean:
    """The adjusted mean of one cell.

    Attributes
    ----------
    cell
        Level of each factor.
    estimate, interval
        The mean with standard error and degrees of freedom, and its confidence interval.
    """

    cell: dict[str, str]
    estimate: Estimate
    interval: Interval


@dataclass(frozen=True, repr=False)
class LeastSquaresMeans:
    """Adjusted means, one a cell of the factors asked for; other factors equally, covariates at their mean."""

    rows: tuple[LeastSquaresMean, ...]

    def __iter__(self) -> Iterator[LeastSquaresMean]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, cell: str | tuple[str, ...]) -> Estimate:
        """The mean of one cell, by its levels in the order of the factors asked for."""
        wanted = (cell,) if isinstance(cell, str) else tuple(cell)
        for row in self.rows:
            if tuple(row.cell.values()) == wanted:
                return row.estimate
        raise InputError("cell", wanted, f"one of {[tuple(row.cell.values()) for row in self.rows]}")

    def to_frame(self) -> polars.DataFrame:
        """A polars data frame, one row a cell."""
        import polars

        return polars.DataFrame(
            [
                {
                    **row.cell,
                    "mean": row.estimate.effect,
                    "standard_error": row.estimate.standard_error,
                    "degrees_of_freedom": row.estimate.degrees_of_freedom,
                    "lower": row.interval.lower,
                    "upper": row.interval.upper,
                }
                for row in self.rows
            ]
        )

    def __str__(self) -> str:
        from .summary import table

        level = f"{100 * self.rows[0].interval.level:g} % interval"
        heads = [*self.rows[0].cell, "mean", "standard error", "df", level]
        body = [
            [
                *row.cell.values(),
                f"{row.estimate.effect:.4g}",
                f"{row.estimate.standard_error:.4g}",
                f"{row.estimate.degrees_of_freedom:.1f}",
                str(row.interval),
            ]
            for row in self.rows
        ]
        return table(heads, body, left=len(self.rows[0].cell))

    __repr__ = __str__


@dataclass(frozen=True)
class ReferenceGrid:
    """How a combination of factor levels and covariate values becomes a row of the design.

    Attributes
    ----------
    spec
        Formulaic's model specification.
    order
        Columns of its model matrix in R's order.
    factors, means
        Levels of each factor of the formula, and the mean of each covariate over the rows used.
    kept, alias
        Columns estimated, and the other columns as combinations of them.
    """

    spec: Any
    order: NDArray[np.intp]
    factors: dict[str, tuple[str, ...]]
    means: dict[str, float]
    kept: NDArray[np.bool_]
    alias: Array

    def level(self, factor: str, value: object, field: str) -> str:
        """A level of a factor, checked."""
        if factor not in self.factors:
            raise InputError(field, factor, f"one of the factors of the formula, {list(self.factors)}")
        label = label_of(value)
        if label not in self.factors[factor]:
            raise InputError(f"{field} {factor!r}", value, f"one of {list(self.factors[factor])}")
        return label

    def contrast(self, cell: Mapping[str, object], field: str = "at") -> Array:
        """Coefficients' weights of the mean of one cell: other factors equally, other covariates at their mean.

        `cell` maps factors to a level and covariates to a number.
        """
        import pandas

        fixed: dict[str, str] = {}
        values = dict(self.means)
        for name, value in cell.items():
            if name in self.means:
                if not isinstance(value, (int, float, np.integer, np.floating)) or not np.isfinite(value):
                    raise InputError(f"{field} {name!r}", value, "a finite number")
                values[name] = float(value)
            else:
                fixed[name] = self.level(name, value, field)
        choices = [(fixed[name],) if name in fixed else levels for name, levels in self.factors.items()]
        combinations = list(itertools.product(*choices))
        grid = pandas.DataFrame(
            {
                **{
                    name: pandas.Categorical([row[index] for row in combinations], categories=list(levels))
                    for index, (name, levels) in enumerate(self.factors.items())
                },
                **{name: np.full(len(combinations), value) for name, value in values.items()},
            },
            index=range(len(combinations)),
        )
        rows = np.asarray(self.spec.get_model_matrix(grid), dtype=np.float64)
        return self.estimable(rows.mean(axis=0)[self.order], cell)

    def estimable(self, weights: Array, cell: object) -> Array:
        """Weights over the estimated columns; refused where the value depends on what the data cannot tell."""
        implied = weights[self.kept] @ self.alias
        if not np.allclose(implied, weights[~self.kept], atol=1e-8 * max(1.0, float(np.abs(weights).max()))):
            raise InputError("cell", cell, "a combination of levels that the data can estimate")
        return weights[self.kept]

    def cells(self, factors: tuple[str, ...]) -> list[dict[str, str]]:
        """All combinations of the levels of some factors, the first factor changing fastest, as emmeans lists them."""
        for name in factors:
            if name not in self.factors:
                raise InputError("factor", name, f"one of the factors of the formula, {list(self.factors)}")
        product = itertools.product(*(self.factors[name] for name in reversed(factors)))
        return [dict(zip(factors, reversed(row), strict=True)) for row in product]


def r_order(
    spec: Any, factors: Mapping[str, tuple[str, ...]], formula: str
) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Names of the columns of a model matrix as R prints them, and their order as R has it.

    R lists the variables of an interaction in the order in which they appear in the formula, and lets the first vary
    fastest.
    """
    right = formula.split("~", 1)[1]

    def place(factor: str) -> int:
        found = re.search(rf"(?<![\w.]){re.escape(factor)}(?![\w.])", right)
        return found.start() if found else len(right)

    names: list[str] = []
    order: list[int] = []
    position = 0
    for entry in spec.structure:
        term_factors = [str(factor) for factor in entry.term.factors]
        decorated = []
        for offset, column in enumerate(entry.columns):
            if column == "Intercept":
                decorated.append(((), "(Intercept)", position + offset))
                continue
            tokens = _tokens(column, term_factors, factors)
            tokens.sort(key=lambda token: place(token[0]))
            label = ":".join(text for _, text, _ in tokens)
            decorated.append((tuple(code for *_, code in reversed(tokens)), label, position + offset))
        position += len(entry.columns)
        decorated.sort(key=lambda item: item[0])
        names += [label for _, label, _ in decorated]
        order += [index for *_, index in decorated]
    return tuple(names), np.array(order, dtype=np.intp)


def _tokens(column: str, term_factors: list[str], factors: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str, int]]:
    """(factor, name as R prints it, code of the level) for each factor of one column of formulaic's model matrix."""
    tokens = []
    rest = column
    for index, factor in enumerate(term_factors):
        if index:
            rest = rest.removeprefix(":")
        if factor in factors:
            for code in sorted(range(len(factors[factor])), key=lambda c: -len(factors[factor][c])):
                level = factors[factor][code]
                head = next((h for h in (f"{factor}[T.{level}]", f"{factor}[{level}]") if rest.startswith(h)), None)
                if head is not None:
                    tokens.append((factor, f"{factor}{level}", code))
                    rest = rest[len(head) :]
                    break
            continue
        found = re.match(re.escape(factor) + r"(?:\[(?:T\.)?([^\]]*)\])?", rest)
        if found:
            tokens.append((factor, factor + (found.group(1) or ""), 0))
            rest = rest[found.end() :]
    return tokens if not rest and len(tokens) == len(term_factors) else [(column, column, 0)]
