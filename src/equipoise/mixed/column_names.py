"""Columns of a model matrix as R names and orders them, and what each is a product of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["DesignColumn", "design_columns"]


@dataclass(frozen=True)
class DesignColumn:
    """One column of a model matrix.

    Attributes
    ----------
    name
        As R prints it, e.g. "armketamine:visitweek8".
    term
        Variables of its term in the order in which they appear in the formula; empty for the intercept.
    levels
        The column is the indicator of these levels (by their position) of factors, times its covariates. None where
        it cannot be read so, as with contrasts other than treatment contrasts.
    covariates
        Names of the numeric factors it is multiplied by.
    position
        Of the column in formulaic's matrix.
    """

    name: str
    term: tuple[str, ...]
    levels: dict[str, int] | None
    covariates: tuple[str, ...]
    position: int


@dataclass(frozen=True)
class _Token:
    """One variable's part in a column: how R prints it, and the level of a factor."""

    variable: str
    text: str
    code: int
    is_factor: bool


def design_columns(spec: Any, factors: Mapping[str, tuple[str, ...]], formula: str) -> tuple[DesignColumn, ...]:
    """The columns of formulaic's model matrix in R's order.

    R lists the variables of an interaction in the order in which they appear in the formula, and lets the first vary
    fastest.
    """
    right = formula.split("~", 1)[1]
    coded = {str(factor) for factor in getattr(spec, "factor_contrasts", {})} - set(factors)

    def place(variable: str) -> int:
        found = re.search(rf"(?<![\w.]){re.escape(variable)}(?![\w.])", right)
        return found.start() if found else len(right)

    columns: list[DesignColumn] = []
    position = 0
    for entry in spec.structure:
        variables = [str(factor) for factor in entry.term.factors]
        decorated = []
        for offset, column in enumerate(entry.columns):
            if column == "Intercept":
                decorated.append(((), DesignColumn("(Intercept)", (), {}, (), position + offset)))
                continue
            tokens = _tokens(column, variables, factors)
            read = tokens is not None and not coded.intersection(variables)
            tokens = tokens or [_Token(column, column, 0, False)]
            tokens.sort(key=lambda token: place(token.variable))
            decorated.append(
                (
                    tuple(token.code for token in reversed(tokens)),
                    DesignColumn(
                        ":".join(token.text for token in tokens),
                        tuple(sorted(variables, key=place)),
                        {token.variable: token.code for token in tokens if token.is_factor} if read else None,
                        tuple(sorted(token.text for token in tokens if not token.is_factor)),
                        position + offset,
                    ),
                )
            )
        position += len(entry.columns)
        decorated.sort(key=lambda item: item[0])
        columns += [column for _, column in decorated]
    return tuple(columns)


def _tokens(column: str, variables: list[str], factors: Mapping[str, tuple[str, ...]]) -> list[_Token] | None:
    """The parts of one column of formulaic's model matrix; None where they do not fit.

    One a variable of its term, or of some of them: a term that stands without the terms within it brings their columns.
    """
    tokens: list[_Token] = []
    rest = column
    for variable in variables:
        after = rest.removeprefix(":") if tokens else rest
        if variable in factors:
            for code in sorted(range(len(factors[variable])), key=lambda c: -len(factors[variable][c])):
                level = factors[variable][code]
                heads = (f"{variable}[T.{level}]", f"{variable}[{level}]")
                head = next((h for h in heads if after.startswith(h)), None)
                if head is not None:
                    tokens.append(_Token(variable, f"{variable}{level}", code, True))
                    rest = after[len(head) :]
                    break
            continue
        found = re.match(re.escape(variable) + r"(?:\[(?:T\.)?([^\]]*)\])?", after)
        if found:
            tokens.append(_Token(variable, variable + (found.group(1) or ""), 0, False))
            rest = after[found.end() :]
    return tokens if tokens and not rest else None
