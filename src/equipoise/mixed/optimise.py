"""Maximisation of the likelihood over the covariance parameters by Newton's method with step halving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cross_products import CrossProducts
from .errors import FitError
from .likelihood import Derivatives, Likelihood, Point
from .structures import CovarianceStructure, upper_pairs

__all__ = ["Maximum", "maximise"]

Array = NDArray[np.floating[Any]]

# Distances to the maximum in standard errors of the parameters: where to stop, and where rounding may stop us.
_TOLERANCE = 1e-9
_ROUNDING = 1e-7
_MAX_ITERATIONS = 100
_START_EIGENVALUE = 0.05
_SMALLEST_EIGENVALUE = 1e-6


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is largest.

    Attributes
    ----------
    parameters
        (groups, parameters) in standardised units.
    gradient_norm
        sqrt(g'H^-1 g) with the gradient g and the observed information H: the distance to the maximum in standard
        errors, which does not depend on units or parameters.
    information
        Observed information over all parameters, positive definite.
    design_derivatives
        (parameters, p, p): F_a = Q'W V_a W Q over the parameters of the structure.
    """

    point: Point
    parameters: Array
    gradient_norm: float
    information: Array
    design_derivatives: Array
    iterations: int


def maximise(data: CrossProducts, structure: CovarianceStructure, restricted: bool) -> Maximum:
    """Maximise the (restricted) likelihood; raises `FitError` where there is no proper maximum.

    Newton steps with the observed information, Fisher steps with the expected information where the former is not
    positive definite and at the start (Jennrich & Schluchter 1986); steps are halved until every covariance matrix
    is positive definite and the likelihood does not fall.
    """
    likelihood = Likelihood(data, restricted)
    moments = _moments(data)
    try:
        return _climb(likelihood, structure, moments)
    except FitError as refusal:
        # The likelihood of scarce data can rise to the boundary beside a proper maximum in the interior.
        try:
            return _climb(likelihood, structure, _expectation_maximisation(likelihood, moments))
        except FitError:
            raise refusal from None


def _climb(likelihood: Likelihood, structure: CovarianceStructure, start: Array) -> Maximum:
    """Newton's method from given covariances (groups, T, T)."""
    parameters = np.stack([structure.start(covariance) for covariance in start])
    point = likelihood.at(np.stack([structure.matrix(theta) for theta in parameters]))
    if point is None:
        raise FitError("No positive definite covariance could be found to start from.")
    norm = np.inf
    for iteration in range(_MAX_ITERATIONS + 1):
        derivatives = likelihood.derivatives(point)
        gradient, observed, expected, design = _pull(structure, parameters, derivatives)
        newton = _solve(observed, gradient)
        if newton is not None:
            previous, norm = norm, float(np.sqrt(max(gradient @ newton, 0.0)))
            if norm < _TOLERANCE or (norm < _ROUNDING and norm > 0.5 * previous):
                break
        if iteration == _MAX_ITERATIONS:
            raise FitError(f"The likelihood had not converged after {_MAX_ITERATIONS} iterations.")
        moved = None
        for use_newton in (False, True) if iteration == 0 else (True, False):
            step = newton if use_newton else _solve(expected, gradient)
            if step is not None:
                moved = _search(likelihood, structure, parameters, point, step.reshape(parameters.shape), gradient)
            if moved is not None:
                break
        if moved is None:
            _refuse_boundary(point.covariance)
            raise FitError("The likelihood could not be increased further before it had converged.")
        parameters, point = moved
        if iteration % 5 == 4:
            _refuse_boundary(point.covariance)
    _refuse_boundary(point.covariance)
    return Maximum(point, parameters, norm, observed, design, iteration)


def _expectation_maximisation(likelihood: Likelihood, moments: Array, steps: int = 60) -> Array:
    """Covariances after some steps of the EM algorithm from uncorrelated visits.

    With G the gradient as a symmetric matrix and N the number of patients, a step is Sigma + (2 / N) Sigma G Sigma; it
    keeps Sigma positive definite and the likelihood from falling (Laird & Ware 1982).
    """
    covariance = previous = moments * np.eye(moments.shape[1])
    rows, columns = upper_pairs(moments.shape[1])
    n_patients = np.array([likelihood.data.n_patients[part].sum() for part in likelihood.data.group_slices])
    for _ in range(steps):
        point = likelihood.at(covariance)
        if point is None:
            return previous
        previous = covariance
        gradient = likelihood.derivatives(point).gradient.reshape(len(covariance), -1)
        symmetric = np.zeros_like(covariance)
        symmetric[:, rows, columns] += 0.5 * gradient
        symmetric[:, columns, rows] += 0.5 * gradient
        covariance = covariance + (2.0 / n_patients)[:, None, None] * (covariance @ symmetric @ covariance)
        covariance = 0.5 * (covariance + covariance.swapaxes(1, 2))
    return covariance


def _moments(data: CrossProducts) -> Array:
    """Mean products of least-squares residuals over the patients seen at both visits, made positive definite."""
    start = []
    for part in data.group_slices:
        seen = data.observed[part].astype(np.float64)
        counts = (seen.T * data.n_patients[part]) @ seen
        moments = data.visit_products[part].sum(axis=0) / counts
        variances = np.diagonal(moments)
        floor = 1e-4 * float(variances.max())
        scales = np.sqrt(np.maximum(variances, floor))
        correlation = moments / np.outer(scales, scales)
        np.fill_diagonal(correlation, 1.0)
        smallest = float(np.linalg.eigvalsh(correlation)[0])
        if smallest < _START_EIGENVALUE:
            shrink = (1.0 - _START_EIGENVALUE) / (1.0 - smallest)
            correlation *= shrink
            np.fill_diagonal(correlation, 1.0)
        start.append(correlation * np.outer(scales, scales))
    return np.stack(start)


def _pull(
    structure: CovarianceStructure, parameters: Array, derivatives: Derivatives
) -> tuple[Array, Array, Array, Array]:
    """Derivatives over the parameters of the structure, all groups together."""
    if len(parameters) == 1 and parameters.shape[1] == derivatives.gradient.size and structure.name == "unstructured":
        return (
            derivatives.gradient,
            derivatives.observed_information,
            derivatives.expected_information,
            derivatives.design_derivatives,
        )
    n_groups = len(parameters)
    entries = derivatives.gradient.size // n_groups

    def pulled(array: Array) -> Array:
        blocks = [
            structure.pull_cross(theta, array[index * entries : (index + 1) * entries])
            for index, theta in enumerate(parameters)
        ]
        return np.concatenate(blocks)

    gradient = pulled(derivatives.gradient)
    observed = pulled(pulled(derivatives.observed_information).T)
    expected = pulled(pulled(derivatives.expected_information).T)
    size = structure.n_parameters
    for index, theta in enumerate(parameters):
        own = slice(index * size, (index + 1) * size)
        observed[own, own] -= structure.pull_curvature(
            theta, derivatives.gradient[index * entries : (index + 1) * entries]
        )
    return gradient, observed, expected, pulled(derivatives.design_derivatives)


def _solve(matrix: Array, gradient: Array) -> Array | None:
    """matrix^-1 gradient, or None where the matrix is not clearly positive definite."""
    scale = np.diagonal(matrix)
    if not (scale > 0).all():
        return None
    scale = 1.0 / np.sqrt(scale)
    scaled = matrix * (scale[:, None] * scale)
    try:
        root = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return None
    if np.diagonal(root).min() < 1e-7:
        return None
    return scale * np.linalg.solve(scaled, scale * gradient)


def _search(
    likelihood: Likelihood,
    structure: CovarianceStructure,
    parameters: Array,
    point: Point,
    step: Array,
    gradient: Array,
) -> tuple[Array, Point] | None:
    """The longest of the halved steps that increases the likelihood; None where none does."""
    slope = float(gradient @ step.reshape(-1))
    if not slope > 0:
        return None
    slack = 1e-12 * max(1.0, abs(point.value))
    length = 1.0
    for _ in range(40):
        candidate = parameters + length * step
        covariance = np.stack([structure.matrix(theta) for theta in candidate])
        reached = likelihood.at(covariance) if _stays_inside(covariance, point.covariance) else None
        if reached is not None and reached.value >= point.value + 1e-4 * length * slope - slack:
            return candidate, reached
        length *= 0.5
    return None


def _stays_inside(candidate: Array, current: Array) -> bool:
    """Whether no variance of a combination of visits shrinks to less than a tenth in one step."""
    try:
        np.linalg.cholesky(candidate - 0.1 * current)
    except np.linalg.LinAlgError:
        return False
    return True


def _refuse_boundary(covariance: Array) -> None:
    """Raise where a covariance matrix is singular to working accuracy."""
    spread = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    correlation = covariance / (spread[:, :, None] * spread[:, None, :])
    if spread.min() < 1e-6 * spread.max() or np.linalg.eigvalsh(correlation)[:, 0].min() < _SMALLEST_EIGENVALUE:
        raise FitError(
            "The estimated covariance is singular (on the boundary of its parameters), "
            "so the model cannot be fitted to these data."
        )
