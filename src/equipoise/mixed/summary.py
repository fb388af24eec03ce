"""The printed summary of a mixed model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = ["summarise", "table"]

_METHODS = {"reml": "restricted maximum likelihood", "ml": "maximum likelihood"}
_DEGREES = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "kenward-roger-log-cholesky": "Kenward-Roger (log-Cholesky parameters)",
    "normal": "none (normal)",
}
_VARIANCES = {
    "model": "model-based",
    "CR0": "sandwich (CR0)",
    "CR2": "sandwich, bias reduced (CR2)",
    "CR3": "sandwich, jackknife (CR3)",
}


def table(heads: list[str], body: list[list[str]], *, left: int = 1) -> str:
    """Aligned columns; the first `left` of them to the left, the others to the right."""
    widths = [max(len(row[index]) for row in [heads, *body]) for index in range(len(heads))]
    lines = []
    for row in [heads, *body]:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _p(value: float) -> str:
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"


def _degrees(value: float) -> str:
    return "inf" if math.isinf(value) else f"{value:.1f}"


def summarise(fit: MixedFit) -> str:
    """Model, fit, coefficients and covariance of a fitted mixed model."""
    adjusted = ", Kenward-Roger adjusted" if fit.degrees_of_freedom_method.startswith("kenward") else ""
    lines = ["Mixed model for repeated measures"]
    if fit.formula:
        lines.append(f"Formula: {fit.formula}")
    lines += [
        f"Method: {_METHODS[fit.method]}; covariance unstructured"
        + (f", one for each of {', '.join(fit.groups)}" if fit.groups else ""),
        f"Variance: {_VARIANCES[fit.variance]}{adjusted}; degrees of freedom {_DEGREES[fit.degrees_of_freedom_method]}",
        f"{fit.n_patients} patients, {fit.n_observations} observations, {len(fit.visits)} visits"
        + (f"; {fit.n_patients_dropped} patients without any observation left out" if fit.n_patients_dropped else ""),
        *(f"Note: {note}" for note in fit.notes),
        f"Converged in {fit.iterations} iterations; {fit.gradient_norm:.1e} standard errors from the maximum",
        f"Log-likelihood {fit.log_likelihood:.4f}, AIC {fit.aic:.2f}, BIC {fit.bic:.2f}",
        "",
    ]
    body = [
        [name, f"{b:.5g}", f"{se:.5g}", _degrees(df), f"{t:.3f}", _p(p)]
        for name, b, se, df, t, p in zip(
            fit.names,
            fit.coefficients,
            fit.standard_errors,
            fit.degrees_of_freedom,
            fit.t_values,
            fit.p_values,
            strict=True,
        )
    ]
    lines.append(table(["coefficient", "estimate", "standard error", "df", "t", "p"], body))
    for index, covariance in enumerate(fit.covariance if fit.groups else [fit.covariance]):
        title = "Covariance (on and below the diagonal) and correlation (above) between visits"
        lines += ["", title + (f", {fit.groups[index]}" if fit.groups else "")]
        spread = np.sqrt(np.diagonal(covariance))
        body = [
            [
                visit,
                *(
                    f"{covariance[j, k]:.4g}" if k <= j else f"{covariance[j, k] / (spread[j] * spread[k]):.3f}"
                    for k in range(len(fit.visits))
                ),
            ]
            for j, visit in enumerate(fit.visits)
        ]
        lines.append(table(["visit", *fit.visits], body))
    return "\n".join(lines)
