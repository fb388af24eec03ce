"""Comparisons of levels of a factor: one contrast, all pairs, each against a control, and slopes of a covariate."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..estimate import Estimate, Interval
from .covariance.structures import correlation_of
from .frame import label_of
from .means import NOT_ESTIMABLE
from .multiplicity import Adjustment, adjusted_intervals, adjusted_p_values
from .reference_grid import GridRequest
from .tables import (
    aligned,
    common_decimals,
    format_degrees,
    format_p,
    html_table,
    intervals,
    level_text,
    statistic_head,
    table,
    titled,
    wrapped,
)

if TYPE_CHECKING:
    import polars

    from .result import MixedFit

__all__ = ["Comparison", "Comparisons", "all_pairs", "difference", "slope", "versus_control"]

Array = NDArray[np.floating[Any]]
Direction = Literal["later - earlier", "earlier - later"]

_ADJUSTED = {"bonferroni": "Bonferroni", "holm": "Holm", "tukey": "Tukey", "dunnett": "Dunnett"}


@dataclass(frozen=True, repr=False)
class Comparison:
    """The difference of two least squares means, first level minus second.

    Attributes
    ----------
    first, second
        The levels compared.
    cell
        Level of each factor within which they are compared.
    estimate
        The difference as an endpoint's estimate, unadjusted; None where the data cannot tell it.
    interval
        Its confidence interval, simultaneous where an adjustment was asked for.
    adjusted_p_value
        None without an adjustment.
    """

    first: str
    second: str
    cell: dict[str, str]
    estimate: Estimate | None
    interval: Interval | None
    adjusted_p_value: float | None = None

    @property
    def contrast(self) -> str:
        """What was compared, e.g. "ketamine - midazolam"."""
        return f"{self.first} - {self.second}"

    def __str__(self) -> str:
        name = ", ".join([self.contrast, *self.cell.values()])
        if self.estimate is None or self.interval is None:
            return f"{name}: {NOT_ESTIMABLE}"
        own = self.estimate
        adjusted = "" if self.adjusted_p_value is None else f", adjusted p {format_p(self.adjusted_p_value)}"
        kind = "interval" if self.adjusted_p_value is None else "simultaneous interval"
        return (
            f"{name}: {own.effect:.4g} (SE {own.standard_error:.4g}, {format_degrees(own.degrees_of_freedom)} df), "
            f"p {format_p(own.p_value)}{adjusted}, {level_text(self.interval.level)} {kind} {self.interval}"
        )

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Comparisons:
    """Differences of least squares means within each level of other factors.

    Attributes
    ----------
    rows
        The differences.
    factor, by
        The factor whose levels are compared, and those within whose levels they are.
    level
        Of the confidence intervals.
    adjust
        Over how the p-values and intervals of one family, the comparisons at the same levels of `by`, are adjusted.
    where
        At which levels and values of what the comparisons do not name, and averaged over what.
    """

    rows: tuple[Comparison, ...]
    factor: str
    by: tuple[str, ...]
    level: float
    adjust: Adjustment | None
    where: str
    _what: str = field(compare=False)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: tuple[object, ...]) -> Estimate:
        """One difference, by its first level, its second level and the level of each `by`."""
        listed = key if isinstance(key, tuple) else (key,)
        wanted = tuple(label_of(one) for one in listed)
        for row in self.rows:
            if (row.first, row.second, *row.cell.values()) == wanted:
                if row.estimate is None:
                    raise InputError("comparison", wanted, "levels whose difference the data can estimate")
                return row.estimate
        known = [(row.first, row.second, *row.cell.values()) for row in self.rows]
        raise InputError("comparison", key, f"one of {known}")

    @property
    def estimates(self) -> list[Estimate]:
        """The differences that the data can estimate, in order."""
        return [row.estimate for row in self.rows if row.estimate is not None]

    def to_frame(self) -> polars.DataFrame:
        """A polars data frame, one row a difference; null where one cannot be estimated."""
        import polars

        numbers = ["estimate", "standard_error", "degrees_of_freedom", "t", "p_value", "lower", "upper"]
        if self.adjust is not None:
            numbers.append("adjusted_p_value")
        rows = []
        for row in self.rows:
            own, interval = row.estimate, row.interval
            values: dict[str, float | None] = {}
            if own is not None and interval is not None:
                values = {
                    "estimate": own.effect,
                    "standard_error": own.standard_error,
                    "degrees_of_freedom": own.degrees_of_freedom,
                    "t": own.statistic,
                    "p_value": own.p_value,
                    "lower": interval.lower,
                    "upper": interval.upper,
                    "adjusted_p_value": row.adjusted_p_value,
                }
            rows.append({"contrast": row.contrast, **row.cell, **{name: values.get(name) for name in numbers}})
        return polars.DataFrame(rows, schema_overrides=dict.fromkeys(numbers, polars.Float64))

    def _table(self) -> tuple[list[str], list[list[str]]]:
        estimates = [row.estimate for row in self.rows]
        errors = [None if one is None else one.standard_error for one in estimates]
        places = common_decimals(errors)
        limits = [None if row.interval is None else (row.interval.lower, row.interval.upper) for row in self.rows]
        kind = "interval" if self.adjust is None else "simultaneous interval"
        statistic = statistic_head(one.degrees_of_freedom for one in self.estimates)
        heads = ["contrast", *self.by, "estimate", "standard error", "df", statistic, "p"]
        heads.append(f"{level_text(self.level)} {kind}")
        columns = [
            aligned([None if one is None else one.effect for one in estimates], places, NOT_ESTIMABLE),
            aligned(errors, places),
            [format_degrees(None if one is None else one.degrees_of_freedom) for one in estimates],
            ["" if one is None else f"{one.statistic:.3f}" for one in estimates],
            [format_p(None if one is None else one.p_value) for one in estimates],
            intervals(limits, places),
        ]
        if self.adjust is not None:
            heads.insert(-1, f"p, {_ADJUSTED[self.adjust]}")
            columns.insert(-1, [format_p(row.adjusted_p_value) for row in self.rows])
        body = [[row.contrast, *row.cell.values(), *cells] for row, *cells in zip(self.rows, *columns, strict=True)]
        return heads, body

    def _title(self) -> str:
        return titled(self._what, self.by, self.where)

    def __str__(self) -> str:
        heads, body = self._table()
        return f"{wrapped(self._title())}\n{table(heads, body, left=1 + len(self.by))}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads, body = self._table()
        return html_table(heads, body, left=1 + len(self.by), caption=self._title())


def difference(
    fit: MixedFit, levels: Mapping[str, tuple[object, object]], request: GridRequest, label: str | None
) -> Estimate:
    """Difference of two least squares means; see `MixedFit.contrast`."""
    grid = fit._reference_grid()
    if not isinstance(levels, Mapping) or len(levels) != 1:
        raise InputError("levels", levels, 'one factor with two of its levels, e.g. {"arm": ("high", "placebo")}')
    ((factor, pair),) = levels.items()
    grid.factor(factor, "levels")
    field_name = f"levels[{factor!r}]"
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise InputError(field_name, pair, "two levels, first minus second, as a list or tuple")
    first, second = (grid.level(factor, one, field_name) for one in pair)
    if first == second:
        raise InputError(field_name, pair, "two different levels")
    fixed = dict(request.at or {})
    if factor in fixed:
        raise InputError("at", fixed, f"factors other than {factor!r}")
    margins = grid.margins((factor,), request)
    combined = margins.row(first) - margins.row(second)
    if label is None:
        label = f"{first} - {second}" + _described(fixed)
    return fit.estimate(grid.estimable(combined, {factor: pair, **fixed}), better=request.better, label=label)


def slope(fit: MixedFit, covariate: str, request: GridRequest, label: str | None) -> Estimate:
    """Change of the mean per unit of a covariate; see `MixedFit.slope`."""
    grid = fit._reference_grid()
    if not isinstance(covariate, str) or covariate not in grid.means:
        raise InputError("covariate", covariate, f"one of the covariates of the formula, {list(grid.means)}")
    fixed = dict(request.at or {})
    start = grid.split(fixed)[1].get(covariate, grid.means[covariate])
    higher, lower = (
        grid.margins((), replace(request, at={**fixed, covariate: value})).rows for value in (start + 1.0, start)
    )
    combined = grid.estimable(higher - lower, {covariate: start, **fixed})
    if not np.abs(combined).max() > 0:
        raise InputError("covariate", covariate, "a covariate with a coefficient of its own")
    if label is None:
        label = f"{covariate} + 1{_described(fixed)}"
    return fit.estimate(combined, better=request.better, label=label)


def all_pairs(
    fit: MixedFit,
    factor: str,
    by: str | Sequence[str] | None,
    request: GridRequest,
    adjust: Adjustment | None,
    direction: Direction,
) -> Comparisons:
    """All differences between levels of a factor; see `MixedFit.pairwise`."""
    if direction not in ("later - earlier", "earlier - later"):
        raise InputError("direction", direction, "'later - earlier' or 'earlier - later'")
    if adjust not in (None, "bonferroni", "holm", "tukey"):
        raise InputError("adjust", adjust, "None, 'bonferroni', 'holm' or 'tukey', for all pairs of levels")
    grid = fit._reference_grid()
    levels = grid.levels_at(grid.factor(factor), request.at)
    pairs = list(itertools.combinations(sorted(levels, key=grid.factors[factor].index), 2))
    if direction == "later - earlier":
        pairs = [(second, first) for first, second in pairs]
    return _compare(fit, factor, pairs, by, request, adjust, f"Pairwise differences of {factor}")


def versus_control(
    fit: MixedFit,
    factor: str,
    control: object | None,
    by: str | Sequence[str] | None,
    request: GridRequest,
    adjust: Adjustment | None,
) -> Comparisons:
    """Every other level of a factor minus one of them; see `MixedFit.versus_control`."""
    if adjust not in (None, "bonferroni", "holm", "dunnett"):
        raise InputError("adjust", adjust, "None, 'bonferroni', 'holm' or 'dunnett', for comparisons with one control")
    grid = fit._reference_grid()
    levels = grid.levels_at(grid.factor(factor), request.at)
    reference = grid.factors[factor][0] if control is None else grid.level(factor, control, "control")
    if reference not in levels:
        raise InputError(f"at[{factor!r}]", levels, f"levels with {reference!r} among them")
    pairs = [(one, reference) for one in levels if one != reference]
    return _compare(fit, factor, pairs, by, request, adjust, f"Differences of {factor} from {reference}")


def _compare(
    fit: MixedFit,
    factor: str,
    pairs: list[tuple[str, str]],
    by: str | Sequence[str] | None,
    request: GridRequest,
    adjust: Adjustment | None,
    what: str,
) -> Comparisons:
    grid = fit._reference_grid()
    within = grid.names(by, "by")
    if factor in within:
        raise InputError("by", factor, "factors other than the one whose levels are compared")
    if not pairs:
        raise InputError("factor", factor, "a factor with at least two levels")
    margins = grid.margins((factor, *within), request)
    rows: list[Comparison] = []
    for levels in itertools.product(*(margins.levels[name] for name in reversed(within))):
        cell = dict(zip(within, reversed(levels), strict=True))
        family: dict[tuple[str, str], tuple[Estimate, Array]] = {}
        for first, second in pairs:
            combined = margins.row(first, *cell.values()) - margins.row(second, *cell.values())
            if grid.is_estimable(combined):
                vector = combined[grid.kept]
                label = f"{first} - {second}" + _described(cell)
                family[first, second] = fit.estimate(vector, better=request.better, label=label), vector
        estimates = [estimate for estimate, _ in family.values()]
        vectors = np.array([vector for _, vector in family.values()])
        correlation = correlation_of(vectors @ fit.covariance_of_coefficients @ vectors.T) if family else None
        n_means = len({name for pair in family for name in pair})
        p_values = adjusted_p_values(estimates, adjust, n_means, correlation)
        limits = adjusted_intervals(estimates, adjust, n_means, request.level, correlation)
        found = dict(zip(family, zip(estimates, limits, p_values, strict=True), strict=True))
        rows += [Comparison(*pair, cell, *found.get(pair, (None, None, None))) for pair in pairs]
    return Comparisons(tuple(rows), factor, within, request.level, adjust, margins.where, what)


def _described(fixed: Mapping[str, object]) -> str:
    """Where a contrast was taken, for its label."""
    parts = []
    for name, value in fixed.items():
        several = isinstance(value, Iterable) and not isinstance(value, str)
        parts.append(f", {name} " + (" and ".join(label_of(one) for one in value) if several else label_of(value)))  # type: ignore[union-attr]
    return "".join(parts)
