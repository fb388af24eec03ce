"""The design matrix of a formula.

Formulaic decides which columns there are and what each is a product of. Where these are indicators of levels and
covariates as they stand, as nearly always, the matrix is filled in directly; what formulaic decided is then the same
for all data with the same levels, and remembered.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .column_names import DesignColumn, design_columns
from .frame import Factor

__all__ = ["DesignMatrix", "categorical", "design_matrix", "named", "outcome_of", "parse"]

Array = NDArray[np.floating[Any]]
Columns = Mapping[str, Factor | Array]


@dataclass(frozen=True)
class DesignMatrix:
    """How rows of factors and covariates become rows of the design.

    Attributes
    ----------
    columns
        In R's order.
    spec
        Formulaic's model specification.
    variables
        Names of the factors and covariates needed.
    direct
        Whether every column is a product of indicators and covariates as they stand.
    """

    formula: str
    columns: tuple[DesignColumn, ...]
    spec: Any
    variables: tuple[str, ...]
    direct: bool

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the columns, as R prints them."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Columns of formulaic's matrix in R's order."""
        return np.array([column.position for column in self.columns], dtype=np.intp)

    def rows(self, values: Columns, n_rows: int) -> Array:
        """(rows, columns): factors by the codes of their levels, covariates as numbers."""
        if not self.direct:
            needed = {name: values[name] for name in self.variables}
            return _evaluated(self.spec, needed, n_rows, self.formula)[:, self.order]
        matrix = np.ones((n_rows, len(self.columns)))
        indicators = {
            name: column.codes[:, None] == np.arange(len(column.levels))
            for name, column in values.items()
            if isinstance(column, Factor)
        }
        for index, column in enumerate(self.columns):
            for name, level in (column.levels or {}).items():
                matrix[:, index] *= indicators[name][:, level]
            for name in column.covariates:
                matrix[:, index] *= np.asarray(values[name])
        return matrix


def named(side: Any) -> frozenset[str]:
    """Columns that one side of a formula needs, and whatever else its functions name, columns or not."""
    found = {str(variable) for variable in side.required_variables}
    for term in side:
        for factor in term.factors:
            if factor.eval_method.value == "lookup":
                found.add(str(factor))
            if factor.eval_method.value == "python":
                nodes = ast.walk(ast.parse(str(factor), mode="eval"))
                found |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return frozenset(found)


def categorical(side: Any) -> frozenset[str]:
    """Columns that one side of a formula makes categorical, as in C(dose)."""
    found = set()
    for term in side:
        for factor in term.factors:
            if factor.eval_method.value == "python":
                for node in ast.walk(ast.parse(str(factor), mode="eval")):
                    match node:
                        case ast.Call(func=ast.Name(id="C"), args=[ast.Name(id=name), *_]):
                            found.add(name)
    return frozenset(found)


def parse(formula: str) -> tuple[Any, Any]:
    """Left and right side of a formula as formulaic reads them; raises `InputError`."""
    if not isinstance(formula, str) or "~" not in formula:
        raise InputError("formula", formula, "a formula such as 'change ~ baseline + arm * visit'")
    return _parsed(formula)


@lru_cache(maxsize=256)
def _parsed(formula: str) -> tuple[Any, Any]:
    """Left and right side of a formula as formulaic reads them; raises `InputError`."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    if "|" in formula:
        raise InputError("formula", formula, "fixed effects only, the covariance being named by arguments")
    try:
        parsed = Formula(formula)  # pyright: ignore[reportAbstractUsage]
        left, right = parsed.lhs, parsed.rhs  # type: ignore[attr-defined]
        incomplete = not formula.split("~", 1)[1].strip() or not (named(left) | named(right))
    except (FormulaicError, AttributeError, SyntaxError):
        incomplete, left, right = True, (), ()
    if incomplete:
        raise InputError("formula", formula, "a formula such as 'change ~ baseline + arm * visit'")
    if len(left) != 1:
        raise InputError("formula", formula, "exactly one outcome before the '~'")
    return left, right


def design_matrix(formula: str, values: Columns, n_rows: int) -> DesignMatrix:
    """The design of a formula for data with these columns; raises `InputError` where it cannot be evaluated."""
    _, right = parse(formula)
    variables = tuple(sorted(named(right) & set(values)))
    kinds = tuple((name, column.levels if isinstance(column := values[name], Factor) else None) for name in variables)
    found = _remembered(formula, kinds) if _looks_up(right) else None
    if found is not None and found.direct:
        return found
    return _built(formula, right, {name: values[name] for name in variables}, n_rows)


def _looks_up(right: Any) -> bool:
    """Whether the formula names columns only, without functions of them."""
    return all(factor.eval_method.value in ("lookup", "literal") for term in right for factor in term.factors)


@lru_cache(maxsize=256)
def _remembered(formula: str, kinds: tuple[tuple[str, tuple[str, ...] | None], ...]) -> DesignMatrix:
    """Decided on a few made-up rows, as only the levels matter."""
    n_rows = max([2, *(len(levels) for _, levels in kinds if levels is not None)])
    values: dict[str, Factor | Array] = {
        name: np.linspace(0.5, 1.5, n_rows)
        if levels is None
        else Factor(name, levels, np.arange(n_rows, dtype=np.intp) % len(levels), True)
        for name, levels in kinds
    }
    _, right = parse(formula)
    found = _built(formula, right, values, n_rows)
    if not found.direct:
        return found
    expected = _evaluated(found.spec, values, n_rows, formula)[:, found.order]
    same = expected.shape == (n_rows, len(found.columns)) and bool(np.allclose(found.rows(values, n_rows), expected))
    return found if same else DesignMatrix(formula, found.columns, found.spec, found.variables, False)


def _built(formula: str, right: Any, values: Columns, n_rows: int) -> DesignMatrix:
    spec = _materialised(right, values, n_rows, formula).model_spec
    factors = {name: column.levels for name, column in values.items() if isinstance(column, Factor)}
    columns = design_columns(spec, factors, formula)
    direct = _looks_up(right) and all(
        column.levels is not None and set(column.covariates) <= set(values) for column in columns
    )
    return DesignMatrix(formula, columns, spec, tuple(values), direct)


def _materialised(source: Any, values: Columns, n_rows: int, formula: str) -> Any:
    """Formulaic's model matrix."""
    import pandas
    from formulaic.errors import DataMismatchWarning, FormulaicError

    table = pandas.DataFrame({name: _as_pandas(column) for name, column in values.items()}, index=range(n_rows))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)
            return source.get_model_matrix(table, na_action="ignore")
    except (FormulaicError, DataMismatchWarning, ValueError) as error:
        raise InputError("formula", formula, f"a formula that can be evaluated ({error})") from None


def _evaluated(source: Any, values: Columns, n_rows: int, formula: str) -> Array:
    return np.asarray(_materialised(source, values, n_rows, formula), dtype=np.float64)


def outcome_of(formula: str, values: Columns, n_rows: int) -> Array:
    """(rows,) the outcome: a column, or a function of columns."""
    left, _ = parse(formula)
    names = sorted(named(left) & set(values))
    if len(names) == 1 and _looks_up(left):
        column = values[names[0]]
        assert not isinstance(column, Factor)
        return column
    return _evaluated(left, {name: values[name] for name in names}, n_rows, formula)[:, -1]


def _as_pandas(column: Factor | Array) -> Any:
    """A column as formulaic wants it."""
    import pandas

    if isinstance(column, Factor):
        return pandas.Categorical.from_codes(column.codes, categories=list(column.levels))  # type: ignore[arg-type]
    return column
