"""Least squares means: adjusted means of cells of the factors, and any contrast of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import any_shape, number
from ..errors import InputError
from ..estimate import Better, Estimate, Interval
from .frame import label_of
from .reference_grid import GridRequest
from .tables import (
    aligned,
    common_decimals,
    format_degrees,
    html_table,
    intervals,
    level_text,
    table,
    titled,
    wrapped,
)

if TYPE_CHECKING:
    import polars

    from .f_test import FTest
    from .result import MixedFit

__all__ = ["LeastSquaresMean", "LeastSquaresMeans", "least_squares_means"]

Array = NDArray[np.floating[Any]]

NOT_ESTIMABLE = "not estimable"


@dataclass(frozen=True, repr=False)
class LeastSquaresMean:
    """The adjusted mean of one cell.

    Attributes
    ----------
    cell
        Level of each factor.
    estimate, interval
        The mean with standard error and degrees of freedom, and its confidence interval; None where the data cannot
        tell it, as for an arm never seen at a visit.
    weights
        (all columns of the design,) weights of the coefficients in it.
    """

    cell: dict[str, str]
    estimate: Estimate | None
    interval: Interval | None
    weights: Array = field(compare=False)

    def __str__(self) -> str:
        name = ", ".join(self.cell.values())
        if self.estimate is None or self.interval is None:
            return f"{name}: {NOT_ESTIMABLE}"
        own = self.estimate
        return (
            f"{name}: mean {own.effect:.4g} (SE {own.standard_error:.4g}, "
            f"{format_degrees(own.degrees_of_freedom)} df), {level_text(self.interval.level)} interval {self.interval}"
        )

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class LeastSquaresMeans:
    """Adjusted means, one a cell of the factors asked for, the first factor changing fastest.

    Attributes
    ----------
    rows
        The means.
    factors, by
        Names of the factors that make the cells.
    level
        Of the confidence intervals.
    where
        At which levels and values of what the cells do not name, and averaged over what.
    """

    rows: tuple[LeastSquaresMean, ...]
    factors: tuple[str, ...]
    by: tuple[str, ...]
    level: float
    where: str
    _fit: MixedFit = field(compare=False)

    def __iter__(self) -> Iterator[LeastSquaresMean]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, cell: object) -> Estimate:
        """The mean of one cell, by its levels in the order of the factors asked for."""
        row = self.rows[self._position(cell)]
        if row.estimate is None:
            raise InputError("cell", tuple(row.cell.values()), "a combination of levels that the data can estimate")
        return row.estimate

    def _position(self, cell: object) -> int:
        listed = cell if isinstance(cell, (tuple, list)) else (cell,)
        wanted = tuple(label_of(one) for one in listed)
        for position, row in enumerate(self.rows):
            if tuple(row.cell.values()) == wanted:
                return position
        raise InputError("cell", cell, f"one of {[tuple(row.cell.values()) for row in self.rows]}")

    def _combined(self, weights: ArrayLike | Mapping[Any, float], name: str) -> Array:
        """Weights of the coefficients in a linear combination of the means."""
        if isinstance(weights, Mapping):
            each = np.zeros(len(self.rows))
            for cell, weight in weights.items():
                each[self._position(cell)] = number(f"{name}[{cell!r}]", weight)
        else:
            expected = f"{len(self.rows)} finite numbers, one a cell, or a mapping from cells to numbers"
            each = any_shape(name, weights, expected)
            if each.shape != (len(self.rows),):
                raise InputError(name, weights, expected)
        if not each.any():
            raise InputError(name, weights, "weights of which at least one is not 0")
        combined = each @ np.array([row.weights for row in self.rows])
        used = [tuple(row.cell.values()) for row, weight in zip(self.rows, each, strict=True) if weight]
        return self._fit._reference_grid().estimable(combined, used)

    def contrast(
        self, weights: ArrayLike | Mapping[Any, float], *, better: Better = "higher", label: str = ""
    ) -> Estimate:
        """A linear combination of the means, with the degrees of freedom of that combination.

        Parameters
        ----------
        weights
            (cells,) in the order of the rows, or a mapping from cells to their weights, the others having none, e.g.
            {("ketamine", "week4"): 1, ("midazolam", "week4"): -1}. They need not add to 0.
        better
            Whether a higher or a lower value favours the experimental arm.
        label
            What is estimated, for people.

        Raises
        ------
        InputError
            The combination depends on what the data cannot tell (cells that cannot be estimated may still cancel).
        """
        return self._fit.estimate(self._combined(weights, "weights"), better=better, label=label)

    def f_test(self, weights: Sequence[ArrayLike | Mapping[Any, float]]) -> FTest:
        """Joint test that several linear combinations of the means are all zero."""
        if not isinstance(weights, Sequence | np.ndarray) or isinstance(weights, str) or len(weights) == 0:
            raise InputError("weights", weights, "a list of contrasts")
        return self._fit.f_test(np.array([self._combined(one, "weights") for one in weights]))

    def to_frame(self) -> polars.DataFrame:
        """A polars data frame, one row a cell; null where a mean cannot be estimated."""
        import polars

        numbers = ("mean", "standard_error", "degrees_of_freedom", "lower", "upper")
        rows = []
        for row in self.rows:
            values: tuple[float | None, ...] = (None,) * len(numbers)
            if row.estimate is not None and row.interval is not None:
                own = row.estimate
                values = (
                    own.effect,
                    own.standard_error,
                    own.degrees_of_freedom,
                    row.interval.lower,
                    row.interval.upper,
                )
            rows.append({**row.cell, **dict(zip(numbers, values, strict=True))})
        return polars.DataFrame(rows, schema_overrides=dict.fromkeys(numbers, polars.Float64))

    def _table(self) -> tuple[list[str], list[list[str]]]:
        estimates = [row.estimate for row in self.rows]
        errors = [None if one is None else one.standard_error for one in estimates]
        places = common_decimals(errors)
        columns = [
            aligned([None if one is None else one.effect for one in estimates], places, NOT_ESTIMABLE),
            aligned(errors, places),
            [format_degrees(None if one is None else one.degrees_of_freedom) for one in estimates],
            intervals(
                [None if row.interval is None else (row.interval.lower, row.interval.upper) for row in self.rows],
                places,
            ),
        ]
        heads = [*self.factors, *self.by, "mean", "standard error", "df", f"{level_text(self.level)} interval"]
        body = [[*row.cell.values(), *cells] for row, *cells in zip(self.rows, *columns, strict=True)]
        return heads, body

    def _title(self) -> str:
        return titled("Least squares means of " + " and ".join(self.factors), self.by, self.where)

    def __str__(self) -> str:
        heads, body = self._table()
        return f"{wrapped(self._title())}\n{table(heads, body, left=len(self.factors) + len(self.by))}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads, body = self._table()
        return html_table(heads, body, left=len(self.factors) + len(self.by), caption=self._title())


def least_squares_means(
    fit: MixedFit, factors: str | Sequence[str], by: str | Sequence[str] | None, request: GridRequest
) -> LeastSquaresMeans:
    """Least squares means of a fit; see `MixedFit.ls_means`."""
    grid = fit._reference_grid()
    own, within = grid.names(factors, "factors"), grid.names(by, "by")
    if not own:
        raise InputError("factors", factors, "at least one factor of the formula")
    both = sorted(set(own) & set(within))
    if both:
        raise InputError("by", both[0], "factors other than those whose means are asked for")
    margins = grid.margins((*own, *within), request)
    rows = []
    for cell, row in margins.cells():
        estimate = fit.estimate(row[grid.kept], label=", ".join(cell.values())) if grid.is_estimable(row) else None
        interval = None if estimate is None else estimate.interval(request.level)
        rows.append(LeastSquaresMean(cell, estimate, interval, row))
    return LeastSquaresMeans(tuple(rows), own, within, request.level, margins.where, fit)
