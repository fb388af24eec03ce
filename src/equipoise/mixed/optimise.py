"""Maximisation of the likelihood over the covariance parameters by Newton's method with step halving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FitError
from .likelihood import Likelihood, Point

__all__ = ["Maximum", "maximise"]

Array = NDArray[np.floating[Any]]

# Distances to the maximum in standard errors of the parameters: where to stop, and where rounding may stop us.
_TOLERANCE = 1e-9
_ROUNDING = 1e-7
_MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is largest.

    Attributes
    ----------
    gradient
        (parameters,) over the covariance parameters in standardised units.
    gradient_norm
        sqrt(g'H^-1 g) with the gradient g and the observed information H: the distance to the maximum in standard
        errors, which does not depend on units or parameters.
    information
        Observed information over all parameters, positive definite.
    design_derivatives
        (parameters, p, p): F_a = Q'W V_a W Q over the parameters of the structure.
    """

    likelihood: Likelihood
    point: Point
    gradient: Array
    gradient_norm: float
    information: Array
    design_derivatives: Array
    iterations: int


def maximise(likelihood: Likelihood) -> Maximum:
    """Maximise the (restricted) likelihood; raises `FitError` where there is no proper maximum.

    Newton steps with the observed information, Fisher steps with the expected information where the former is not
    positive definite and at the start (Jennrich & Schluchter 1986); steps are halved until every covariance matrix
    is positive definite and the likelihood does not fall. The likelihood of scarce data can rise to the boundary
    beside a proper maximum in the interior, or have several, so other starts are tried before the first refusal is
    raised, and the highest maximum is taken where there are few data.
    """
    refusal: FitError | None = None
    best: Maximum | None = None
    # Far from the maximum numbers may overflow; what is not finite is then no step.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in likelihood.starts():
            try:
                found = _climb(likelihood, start)
            except FitError as error:
                refusal = refusal or error
                continue
            if best is None or found.point.value > best.point.value:
                best = found
            if not likelihood.tries_every_start:
                break
        if best is not None:
            return best
        for start in likelihood.last_resort():
            try:
                return _climb(likelihood, start)
            except FitError as error:
                refusal = refusal or error
    raise refusal or FitError("No positive definite covariance could be found to start from.")


def _climb(likelihood: Likelihood, start: Array) -> Maximum:
    """Newton's method from given parameters (groups, q)."""
    point = likelihood.at(start)
    if point is None:
        raise FitError("No positive definite covariance could be found to start from.")
    norm = np.inf
    for iteration in range(_MAX_ITERATIONS + 1):
        found = likelihood.derivatives(point)
        newton = _solve(found.observed_information, found.gradient)
        if newton is not None:
            previous, norm = norm, float(np.sqrt(max(found.gradient @ newton, 0.0)))
            if norm < _TOLERANCE or (norm < _ROUNDING and norm > 0.5 * previous):
                break
        if iteration == _MAX_ITERATIONS:
            raise FitError(f"The likelihood had not converged after {_MAX_ITERATIONS} iterations.")
        moved = None
        for use_newton in (False, True) if iteration == 0 else (True, False):
            step = newton if use_newton else _solve(found.expected_information, found.gradient)
            if step is not None:
                moved = _search(likelihood, point, step.reshape(point.parameters.shape), found.gradient)
            if moved is not None:
                break
        if moved is None:
            _refuse(likelihood, point)
            raise FitError(
                "The likelihood could not be increased further before it had converged; the data are too few for the "
                "model."
            )
        point = moved
        if iteration % 5 == 4:
            _refuse(likelihood, point)
    _refuse(likelihood, point, found.observed_information)
    return Maximum(
        likelihood, point, found.gradient, norm, found.observed_information, found.design_derivatives, iteration
    )


def _solve(matrix: Array, gradient: Array) -> Array | None:
    """matrix^-1 gradient, or None where the matrix is not clearly positive definite."""
    scale = np.diagonal(matrix)
    if not (scale > 0).all() or not np.isfinite(matrix).all():
        return None
    scale = 1.0 / np.sqrt(scale)
    scaled = matrix * (scale[:, None] * scale)
    if not np.isfinite(scaled).all():
        return None
    try:
        root = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return None
    if np.diagonal(root).min() < 1e-7:
        return None
    return scale * np.linalg.solve(scaled, scale * gradient)


def _search(likelihood: Likelihood, point: Point, step: Array, gradient: Array) -> Point | None:
    """Where the longest of the halved steps that increases the likelihood leads; None where none does."""
    slope = float(gradient @ step.reshape(-1))
    if not slope > 0:
        return None
    slack = 1e-12 * max(1.0, abs(point.value))
    length = 1.0
    for _ in range(40):
        reached = likelihood.at(point.parameters + length * step)
        if (
            reached is not None
            and reached.value >= point.value + 1e-4 * length * slope - slack
            and likelihood.stays_inside(reached, point)
        ):
            return reached
        length *= 0.5
    return None


def _refuse(likelihood: Likelihood, point: Point, information: Array | None = None) -> None:
    """Raise where the point lies on the boundary of the parameters."""
    fault = likelihood.fault(point, information)
    if fault:
        raise FitError(fault)
