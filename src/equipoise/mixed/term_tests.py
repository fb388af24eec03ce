"""F tests of the terms of a formula."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import instance
from ..errors import InputError
from .column_names import DesignColumn
from .means import NOT_ESTIMABLE
from .tables import format_degrees, format_p, html_table, table

if TYPE_CHECKING:
    import polars

    from .f_test import FTest
    from .result import MixedFit

__all__ = ["TermTest", "TermTests", "each_term", "terms_together"]

Array = NDArray[np.floating[Any]]

_TOLERANCE = 1e-8
_SPREAD = 1e3


@dataclass(frozen=True, repr=False)
class TermTest:
    """The test of one term: all its effects are zero.

    Attributes
    ----------
    term
        Its variables, joined by colons, in the order in which the formula has them.
    test
        None where the data can tell nothing of the term.
    """

    term: str
    test: FTest | None

    def __str__(self) -> str:
        return f"{self.term}: {NOT_ESTIMABLE if self.test is None else self.test}"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class TermTests:
    """F tests of the terms of a formula; `tests["arm:visit"]` is one of them."""

    rows: tuple[TermTest, ...]
    type: Literal[2, 3]
    _title: str = field(default="", compare=False)

    def __iter__(self) -> Iterator[TermTest]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, term: str) -> FTest:
        wanted = sorted(_variables(term))
        for row in self.rows:
            if sorted(_variables(row.term)) == wanted:
                if row.test is None:
                    raise InputError("term", term, "a term of which the data can tell something")
                return row.test
        raise InputError("term", term, f"one of the terms of the formula, {[row.term for row in self.rows]}")

    def to_frame(self) -> polars.DataFrame:
        """A polars data frame, one row a term; null where nothing of it can be estimated."""
        import polars

        names = ("numerator_degrees_of_freedom", "denominator_degrees_of_freedom", "f", "p_value")
        rows = []
        for row in self.rows:
            test = row.test
            values = (
                (None,) * 4
                if test is None
                else (
                    test.numerator_degrees_of_freedom,
                    test.denominator_degrees_of_freedom,
                    test.statistic,
                    test.p_value,
                )
            )
            rows.append({"term": row.term, **dict(zip(names, values, strict=True))})
        types = (polars.Int64, polars.Float64, polars.Float64, polars.Float64)
        return polars.DataFrame(rows, schema_overrides=dict(zip(names, types, strict=True)))

    def _table(self) -> tuple[list[str], list[list[str]]]:
        body = []
        for row in self.rows:
            test = row.test
            body.append(
                [row.term, "", "", NOT_ESTIMABLE, ""]
                if test is None
                else [
                    row.term,
                    str(test.numerator_degrees_of_freedom),
                    format_degrees(test.denominator_degrees_of_freedom),
                    f"{test.statistic:.4g}" if test.statistic >= 1e5 else f"{test.statistic:.3f}",
                    format_p(test.p_value),
                ]
            )
        return ["term", "numerator df", "denominator df", "F", "p"], body

    def __str__(self) -> str:
        heads, body = self._table()
        return f"{self._title}\n{table(heads, body)}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads, body = self._table()
        return html_table(heads, body, caption=self._title)


def each_term(fit: MixedFit, kind: Literal[2, 3]) -> TermTests:
    """F tests of every term; see `MixedFit.anova`."""
    if kind not in (2, 3):
        raise InputError("type", kind, "2 or 3")
    design = _Design(fit)
    build = design.type_three if kind == 3 else design.type_two
    rows = tuple(TermTest(":".join(term), _tested(fit, build(term))) for term in design.terms)
    return TermTests(rows, kind, f"F tests of the terms, type {'III' if kind == 3 else 'II'}")


def terms_together(fit: MixedFit, terms: Sequence[str]) -> FTest:
    """Joint type III test of several terms; see `MixedFit.test_terms`."""
    if not terms:
        raise InputError("terms", terms, "at least one term of the formula")
    design = _Design(fit)
    test = _tested(fit, design.together([design.find(term) for term in terms]))
    if test is None:
        raise InputError("terms", terms, "terms of which the data can tell something")
    return test


def _tested(fit: MixedFit, matrix: Array) -> FTest | None:
    """The F test of some rows, brought to one scale first where their units would hide some from the test."""
    if len(matrix) == 0:
        return None
    errors = np.sqrt(np.einsum("ij,jk,ik->i", matrix, fit.covariance_of_coefficients, matrix))
    return fit.f_test(matrix / errors[:, None] if errors.max() > _SPREAD * errors.min() else matrix)


def _variables(term: str) -> list[str]:
    """The variables of a term without their spaces, split at colons outside brackets."""
    instance("term", term, str, "the name of a term of the formula")
    parts, depth = [""], 0
    for letter in term:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == ":" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return ["".join(part.split()) for part in parts]


def _complement(basis: Array) -> Array:
    """An orthonormal basis, in columns, of what is orthogonal to all columns of a matrix."""
    if basis.shape[1] == 0:
        return np.eye(len(basis))
    left, values, _ = np.linalg.svd(basis, full_matrices=True)
    return left[:, int((values > _TOLERANCE * values[0]).sum()) :]


class _Design:
    """The columns of a fit's design by term."""

    def __init__(self, fit: MixedFit) -> None:
        self.grid = fit._reference_grid()
        self.fit = fit
        self.columns = self.grid.design.columns
        for column in self.columns:
            if column.levels is None:
                raise InputError("formula", fit.formula, "factors with treatment contrasts, for tests of terms")
        self.terms = tuple(dict.fromkeys(column.term for column in self.columns if column.term))

    def find(self, term: str) -> tuple[str, ...]:
        wanted = sorted(_variables(term))
        for own in self.terms:
            if sorted(_variables(":".join(own))) == wanted:
                return own
        raise InputError("term", term, f"one of the terms of the formula, {[':'.join(own) for own in self.terms]}")

    def _factors(self, term: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in term if name in self.grid.factors)

    def type_three(self, term: tuple[str, ...]) -> Array:
        """Rows over the estimated coefficients that the hypothesis of a term sets to zero."""
        return self._by_coefficient(self._estimable(self._hypothesis(term)), term)

    def together(self, terms: Sequence[tuple[str, ...]]) -> Array:
        """Rows that the hypotheses of several terms set to zero.

        With columns left out the data can tell more of all the hypotheses together than of each.
        """
        if self.grid.kept.all():
            return np.vstack([self.type_three(term) for term in terms])
        return self._estimable(np.vstack([self._hypothesis(term) for term in terms]))

    def _hypothesis(self, term: tuple[str, ...]) -> Array:
        """Rows over all columns of the type III hypothesis of a term.

        The coefficient of the term's covariates (of 1 where it has none), as a function of the factors, is averaged
        with equal weights over the factors outside the term. The hypothesis is that what the term adds to this function
        beyond those terms of the same covariates whose factors it contains is zero.
        """
        own = self._factors(term)
        counts = [len(self.grid.factors[name]) for name in own]
        cells = list(itertools.product(*(range(count) for count in counts)))
        found = []
        for covariates in dict.fromkeys(column.covariates for column in self.columns if column.term == term):
            same = [(place, c) for place, c in enumerate(self.columns) if c.covariates == covariates]
            margin = np.zeros((len(cells), len(self.columns)))
            for place, column in same:
                margin[:, place] = self._margin(column, own, cells)
            contained: set[tuple[str, ...]] = set() if covariates else {()}
            for _, column in same:
                others = self._factors(column.term)
                if not set(own) <= set(others):
                    contained.add(tuple(name for name in own if name in others))
            span = [np.zeros((len(cells), 0))]
            for names in contained:
                key = [tuple(cell[own.index(name)] for name in names) for cell in cells]
                span.append(np.array([[one == other for other in dict.fromkeys(key)] for one in key], dtype=float))
            found.append(_complement(np.hstack(span)).T @ margin)
        return np.vstack(found)

    def _margin(self, column: DesignColumn, own: tuple[str, ...], cells: list[tuple[int, ...]]) -> Array:
        """Average of a column's indicator over the factors outside `own`, in each cell of `own`."""
        assert column.levels is not None
        outside = [1.0 / len(self.grid.factors[name]) for name in column.levels if name not in own]
        inside = {own.index(name): code for name, code in column.levels.items() if name in own}
        share = float(np.prod(outside))
        return np.array([share * all(cell[at] == code for at, code in inside.items()) for cell in cells])

    def _estimable(self, rows: Array) -> Array:
        """Independent rows over the estimated columns that span what the data can tell of some rows over all."""
        kept, alias = self.grid.kept, self.grid.alias
        missing = rows[:, ~kept] - rows[:, kept] @ alias
        if missing.size and np.abs(missing).max() > _TOLERANCE * max(1.0, float(np.abs(rows).max())):
            rows = _complement(missing).T @ rows
        rows = rows[:, kept]
        lengths = np.abs(rows).max(axis=1, initial=0.0)
        return rows[lengths > _TOLERANCE]

    def type_two(self, term: tuple[str, ...]) -> Array:
        """Rows of the hypothesis that a term adds nothing to all terms that do not contain it."""
        grid = self.grid
        back = np.zeros((int(grid.kept.sum()), len(self.columns)))
        back[:, grid.kept] = np.eye(len(back))
        back[:, ~grid.kept] = grid.alias
        root = self._triangle @ back
        lengths = np.linalg.norm(root, axis=0)
        root = root / np.where(lengths > 0, lengths, 1.0)
        own = np.array([column.term == term for column in self.columns])
        above = np.array([self._contains(column.term, term) for column in self.columns])
        base = root[:, ~own & ~above]
        outside = _complement(base)
        new, values, _ = np.linalg.svd(outside.T @ root[:, own], full_matrices=False)
        rows = (outside @ new[:, values > _TOLERANCE]).T @ root
        return self._by_coefficient((rows * lengths)[:, grid.kept], term)

    @cached_property
    def _triangle(self) -> Array:
        """R of X = Q R for the rows of the design as they stand, whatever their weights."""
        return np.asarray(np.linalg.qr(self.fit.design[self.fit.observed], mode="r"))

    def _by_coefficient(self, rows: Array, term: tuple[str, ...]) -> Array:
        """The same hypothesis with one row for each of as many of the term's coefficients, 1 there and 0 at the others.

        The F statistic does not depend on the rows that stand for a hypothesis, but the Satterthwaite denominator of
        several does: these are those of SAS.
        """
        kept = [column for column, keep in zip(self.columns, self.grid.kept, strict=True) if keep]
        chosen: list[int] = []
        basis = np.zeros((len(rows), 0))
        for place in reversed([place for place, column in enumerate(kept) if column.term == term]):
            rest = rows[:, place] - basis @ (basis.T @ rows[:, place])
            length = float(np.linalg.norm(rest))
            if length > 1e-6 * float(np.linalg.norm(rows[:, place])) and len(chosen) < len(rows):
                chosen.insert(0, place)
                basis = np.column_stack([basis, rest / length])
        return np.linalg.solve(rows[:, chosen], rows) if len(chosen) == len(rows) else rows

    def _contains(self, larger: tuple[str, ...], smaller: tuple[str, ...]) -> bool:
        """Whether a term has the same covariates as another and all its factors and more (Goodnight 1980)."""
        factors, others = set(self._factors(smaller)), set(self._factors(larger))
        return factors < others and set(smaller) - factors == set(larger) - others
