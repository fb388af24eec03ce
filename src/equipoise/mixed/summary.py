"""The printed summary of a mixed model."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .tables import aligned, decimals_for, format_degrees, format_p, html_table, intervals, table

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = ["summarise", "summarise_html", "table"]

Array = NDArray[np.floating[Any]]

WIDTH = 120
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
    structure = getattr(fit, "structure", "unstructured")
    adjusted = ", Kenward-Roger adjusted" if fit.degrees_of_freedom_method.startswith("kenward") else ""
    degrees = _DEGREES.get(fit.degrees_of_freedom_method, fit.degrees_of_freedom_method)
    dropped = f"; {fit.n_patients_dropped} patients without any observation left out" if fit.n_patients_dropped else ""
    return [
        *([f"Formula: {fit.formula}"] if fit.formula else []),
        f"Method: {_METHODS[fit.method]}; covariance {structure}"
        + (f", one for each of {', '.join(fit.groups)}" if fit.groups else ""),
        f"Variance: {_VARIANCES[fit.variance]}{adjusted}; degrees of freedom {degrees}",
        f"{fit.n_patients} patients, {fit.n_observations} observations, {len(fit.visits)} visits{dropped}",
        *(f"Note: {note}" for note in fit.notes),
        f"Converged in {fit.iterations} iterations, within {max(fit.gradient_norm, 1e-9):.0e} standard errors of the maximum",
        f"Log-likelihood {fit.log_likelihood:.4f}, AIC {fit.aic:.2f}, BIC {fit.bic:.2f}",
    ]


def _coefficients(fit: MixedFit) -> tuple[list[str], list[list[str]]]:
    """Each coefficient to three digits of its standard error, decimal points below each other."""
    from scipy.special import ndtri, stdtrit

    degrees = np.asarray(fit.degrees_of_freedom, dtype=np.float64)
    finite = np.isfinite(degrees)
    tail = (1 + _LEVEL) / 2
    points = np.where(finite, stdtrit(np.where(finite, degrees, 1.0), tail), ndtri(tail))
    half = points * fit.standard_errors
    places = [decimals_for(float(error)) for error in fit.standard_errors]
    limits = list(zip((fit.coefficients - half).tolist(), (fit.coefficients + half).tolist(), strict=True))
    columns = [
        aligned(fit.coefficients.tolist(), places),
        aligned(fit.standard_errors.tolist(), places),
        [format_degrees(float(value)) for value in degrees],
        [f"{value:.3f}" for value in fit.t_values],
        [format_p(float(value)) for value in fit.p_values],
        intervals(limits, places),
    ]
    heads = ["coefficient", "estimate", "standard error", "df", "t", "p", f"{100 * _LEVEL:g} % interval"]
    return heads, [[name, *cells] for name, *cells in zip(fit.names, *columns, strict=True)]


def _covariance(visits: tuple[str, ...], covariance: Array) -> tuple[list[str], list[list[str]]]:
    """Covariances on and below the diagonal, correlations above it."""
    spread = np.sqrt(np.diagonal(covariance))
    correlation = covariance / np.outer(spread, spread)
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
    names = [f", {name}" for name in fit.groups] if fit.groups else [""]
    return [
        (title + name, *_covariance(fit.visits, np.asarray(covariance)))
        for name, covariance in zip(names, listed, strict=True)
    ]


def _parameters(fit: MixedFit) -> list[list[str]]:
    """Name and value of the parameters of a structured covariance, if the fit has any."""
    parameters = getattr(fit, "covariance_parameters", None) or {}
    return [[str(name), f"{float(value):.5g}"] for name, value in parameters.items()]


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


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def summarise(fit: MixedFit) -> str:
    """Model, fit, coefficients and covariance of a fitted mixed model."""
    lines = ["Mixed model for repeated measures", *(_wrapped(line) for line in _described(fit)), ""]
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
