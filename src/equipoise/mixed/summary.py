"""The printed summary of a mixed model."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .confidence import confidence_level, t_quantiles
from .covariance.structures import correlation_of
from .tables import (
    WIDTH,
    aligned,
    decimals_for,
    format_degrees,
    format_p,
    html_table,
    intervals,
    level_text,
    statistic_head,
    table,
    wrapped,
)

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = ["coefficient_intervals", "summarise", "summarise_html"]

Array = NDArray[np.floating[Any]]

_LEVEL = 0.95

_METHODS = {"reml": "restricted maximum likelihood", "ml": "maximum likelihood"}
_DEGREES = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "kenward-roger-mmrm": "Kenward-Roger (with the second derivatives of R's mmrm)",
    "between-within": "between-within",
    "residual": "residual",
    "normal": "none (normal)",
}
_VARIANCES = {
    "model": "model-based",
    "CR0": "sandwich (CR0)",
    "CR2": "sandwich, bias reduced (CR2)",
    "CR3": "sandwich, jackknife (CR3)",
}


def _described(fit: MixedFit) -> list[str]:
    """Model, method, data and convergence, one statement a line."""
    adjusted = ", Kenward-Roger adjusted" if fit.degrees_of_freedom_method.startswith("kenward") else ""
    left = fit.n_patients_dropped
    dropped = f"; {left} patient{'s' * (left != 1)} without a complete row left out" if left else ""
    return [
        *([f"Formula: {fit.formula}"] if fit.formula else []),
        f"Method: {_METHODS[fit.method]}; covariance {fit.structure}"
        + (f", one for each of {', '.join(fit.groups)}" if fit.groups else ""),
        f"Variance: {_VARIANCES[fit.variance]}{adjusted}; degrees of freedom {_DEGREES[fit.degrees_of_freedom_method]}",
        f"{fit.n_patients} patients, {fit.n_observations} observations, {len(fit.visits)} visits{dropped}",
        *(f"Note: {note}" for note in fit.notes),
        f"Converged in {fit.iterations} iterations, "
        f"within {max(fit.gradient_norm, 1e-9):.0e} standard errors of the maximum",
        f"Log-likelihood {fit.log_likelihood:.4f}, AIC {fit.aic:.2f}, BIC {fit.bic:.2f}",
    ]


def coefficient_intervals(fit: MixedFit, level: float) -> tuple[Array, Array]:
    """(columns,) lower and upper limits of the coefficients."""
    half = t_quantiles(fit.degrees_of_freedom, confidence_level(level)) * fit.standard_errors
    return fit.coefficients - half, fit.coefficients + half


def _coefficients(fit: MixedFit) -> tuple[list[str], list[list[str]]]:
    """Each coefficient to three digits of its standard error, decimal points below each other."""
    lower, upper = coefficient_intervals(fit, _LEVEL)
    degrees = fit.degrees_of_freedom.tolist()
    places = [decimals_for(float(error)) for error in fit.standard_errors]
    limits = list(zip(lower.tolist(), upper.tolist(), strict=True))
    columns = [
        aligned(fit.coefficients.tolist(), places),
        aligned(fit.standard_errors.tolist(), places),
        [format_degrees(value) for value in degrees],
        [f"{value:.3f}" for value in fit.t_values],
        [format_p(float(value)) for value in fit.p_values],
        intervals(limits, places),
    ]
    heads = ["coefficient", "estimate", "standard error", "df", statistic_head(degrees), "p"]
    heads.append(f"{level_text(_LEVEL)} interval")
    return heads, [[name, *cells] for name, *cells in zip(fit.names, *columns, strict=True)]


def _covariance(visits: tuple[str, ...], covariance: Array) -> tuple[list[str], list[list[str]]]:
    """Covariances on and below the diagonal, correlations above it."""
    correlation = correlation_of(covariance)
    places = decimals_for(float(np.diagonal(covariance).min()) / 10)
    body = [
        [
            visit,
            *(
                f"{correlation[j, k]:.3f}"
                if k > j
                else f"{covariance[j, k]:.3e}"
                if places is None
                else f"{covariance[j, k]:.{places}f}"
                for k in range(len(visits))
            ),
        ]
        for j, visit in enumerate(visits)
    ]
    return ["visit", *visits], body


def _covariances(fit: MixedFit) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and body of the covariance table of each group."""
    listed = fit.covariance if fit.groups else [fit.covariance]
    title = "Covariance (on and below the diagonal) and correlation (above) between visits"
    if fit.has_own_times:
        title += ", at the mean time of each visit"
    names = [f", {name}" for name in fit.groups] if fit.groups else [""]
    return [
        (title + name, *_covariance(fit.visits, np.asarray(covariance)))
        for name, covariance in zip(names, listed, strict=True)
    ]


def _parameters(fit: MixedFit) -> list[list[str]]:
    """Name and value of the parameters of a structured covariance, if the fit has any."""
    return [[name, f"{value:.5g}"] for name, value in fit.covariance_parameters.items()]


def _blocks(heads: list[str], body: list[list[str]]) -> list[str]:
    """A table in as many parts as its width needs, each with the column that names the rows."""
    widths = [max(len(row[index]) for row in [heads, *body]) + 2 for index in range(len(heads))]
    blocks: list[list[int]] = [[]]
    for index in range(1, len(heads)):
        if blocks[-1] and widths[0] + sum(widths[at] for at in blocks[-1]) + widths[index] - 2 > WIDTH:
            blocks.append([])
        blocks[-1].append(index)
    return [
        table([heads[at] for at in (0, *block)], [[row[at] for at in (0, *block)] for row in body]) for block in blocks
    ]


def summarise(fit: MixedFit) -> str:
    """Model, fit, coefficients and covariance of a fitted mixed model."""
    lines = ["Mixed model for repeated measures", *(wrapped(line) for line in _described(fit)), ""]
    lines.append(table(*_coefficients(fit)))
    parameters = _parameters(fit)
    if parameters:
        lines += ["", table(["covariance parameter", "value"], parameters)]
    for title, heads, body in _covariances(fit):
        lines += ["", title, "\n\n".join(_blocks(heads, body))]
    return "\n".join(lines)


def summarise_html(fit: MixedFit) -> str:
    """The same as `summarise` in HTML."""
    parts = ["<div>", "<p><strong>Mixed model for repeated measures</strong><br>"]
    parts += ["<br>\n".join(html.escape(line) for line in _described(fit)), "</p>"]
    heads, body = _coefficients(fit)
    parts.append(html_table(heads, body, caption="Coefficients"))
    parameters = _parameters(fit)
    if parameters:
        parts.append(html_table(["covariance parameter", "value"], parameters))
    parts += [html_table(heads, body, caption=title) for title, heads, body in _covariances(fit)]
    return "\n".join([*parts, "</div>"])
