"""Restricted and full log-likelihood of the mixed model with its first and second derivatives.

With W the inverse of the covariance V of all observations, C = (X'WX)^-1, P = W - WXCX'W, r = y - Xb and V_a, V_ab the
derivatives of V with respect to covariance parameters, the restricted log-likelihood l has

    dl/da     = -1/2 tr(P V_a) + 1/2 r'W V_a W r
    d2l/da db =  1/2 tr(P V_a P V_b) - y'P V_a P V_b P y - 1/2 tr(P V_ab) + 1/2 y'P V_ab P y
    E -d2l    =  1/2 tr(P V_a P V_b)

(Lindstrom & Bates 1988, section 3; Gilmour, Thompson & Cullis 1995). The full likelihood, profiled over b, has W in
place of P wherever P stands in a trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .covariance.correlation import SpatialCorrelation

__all__ = ["Derivatives", "Likelihood", "Point"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Point:
    """The likelihood at one set of parameters, in standardised units.

    Attributes
    ----------
    parameters
        (groups, q) of the covariance structure.
    value
        Log-likelihood without the constants of the units.
    covariance
        (groups, T, T) between visits; of a spatial structure with patients' own times, at the visits' mean times.
    weight
        (patterns, T, T) inverse covariance of the observed visits, zero elsewhere.
    inner
        C = (Q'WQ)^-1.
    coefficients
        Generalised least squares coefficients.
    """

    parameters: Array
    value: float
    covariance: Array
    weight: Array
    inner: Array
    coefficients: Array


@dataclass(frozen=True)
class Derivatives:
    """First and second derivatives over the covariance parameters, group after group.

    Attributes
    ----------
    gradient
        (parameters,).
    observed_information, expected_information
        (parameters, parameters): minus the Hessian, and its expectation.
    design_derivatives
        (parameters, p, p): F_a = Q'W V_a W Q.
    """

    gradient: Array
    observed_information: Array
    expected_information: Array
    design_derivatives: Array


class Likelihood(Protocol):
    """The log-likelihood of one data set as a function of the covariance parameters."""

    def starts(self) -> list[Array]:
        """Parameters (groups, q) to start from, the likeliest first."""
        ...

    def last_resort(self) -> Iterator[Array]:
        """Starts that take longer to find, for when none of the others leads to a maximum."""
        ...

    @property
    def tries_every_start(self) -> bool:
        """Whether so few data may have several maxima that every start is to be climbed from."""
        ...

    def at(self, parameters: Array) -> Point | None:
        """The likelihood; None where a covariance is not positive definite."""
        ...

    def derivatives(self, point: Point) -> Derivatives:
        """Derivatives over the parameters."""
        ...

    def stays_inside(self, candidate: Point, current: Point) -> bool:
        """Whether a step does not leap towards the boundary of the parameters."""
        ...

    def fault(self, point: Point, information: Array | None) -> str:
        """Why a point, or a maximum with its observed information, is no proper one; or ""."""
        ...

    def describe(self, point: Point, visits: tuple[str, ...], scale: float) -> list[dict[str, float]]:
        """The parameters of each group as people know them, standard deviations multiplied by `scale`."""
        ...

    def correlation_over(self, distance: Array) -> SpatialCorrelation:
        """The spatial family fitted, over other distances; raises `TypeError` for other structures."""
        ...

    def adjustment(self, point: Point, variance: Array, curvature: bool) -> Array:
        """(p, p): sum_ab w_ab (Q'W V_a W V_b W Q - R_ab / 4) with w = `variance`, R_ab = Q'W V_ab W Q.

        The term R, with second derivatives over the parameters of R's mmrm, only where `curvature` is true
        (Kenward & Roger 1997).
        """
        ...

    def patient_covariances(self, point: Point) -> Array:
        """(patients kept, T, T): the covariance of all visits of each patient."""
        ...
