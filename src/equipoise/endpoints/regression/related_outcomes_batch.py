"""Seemingly unrelated regressions of many trials at once, where patients have all outcomes or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from .cross_products import triangle_of
from .trials import chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["combined_batch"]

Kind = Literal["satterthwaite", "kenward-roger", "residual", "normal"]

_MOST_STEPS = 40
_CLOSE = 1e-11
_NEAR = 1e-13
_THERE = 1e-20
_FEWEST = 16
_SINGULAR = 1e-8
_CLEARLY_SPREAD = 1e-4


def combined_batch(
    outcomes: NDArray[np.float64],
    arm: NDArray[np.intp],
    own: NDArray[np.float64],
    covariates: NDArray[np.float64],
    arms: int,
    kind: Kind,
    before: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Sum over the outcomes of the differences of arms 1 and 0, as `fit_related_outcomes` gives it by REML.

    What all regressions have in common (arms, covariates) is taken out of outcomes and own covariates first, which
    leaves the restricted likelihood as it is; of each trial there then remain three small matrices of cross-products
    and one slope an outcome. The covariance is found by steps that take the slopes for missing, or where these are slow
    by Newton's method on its entries; from the observed information there Satterthwaite's degrees of freedom and
    Kenward and Roger's variance follow as in `fit_mmrm`.

    Parameters
    ----------
    outcomes, own
        NaN where missing, shape (trials, patients, outcomes); `own` with no columns where outcomes have no covariate of
        their own.
    arm
        -1 where there is no patient, shape (trials, patients).
    covariates
        In common, NaN where missing, shape (trials, patients, covariates).
    kind
        Of degrees of freedom.
    before
        To be taken from the outcomes, in their shape.

    Returns
    -------
    Effect, standard error and degrees of freedom, shape (3, trials); NaN of trials that must go by themselves: some
    patient has some outcomes only, there are few patients, columns nearly depend on each other, no convergence.
    """
    found = np.full((3, len(arm)), np.nan)
    width = arm.shape[1] * (2 * outcomes.shape[2] + covariates.shape[2] + arms) + 400
    for rows in chunks(len(arm), width):
        earlier = None if before is None else before[rows]
        found[:, rows] = _some(outcomes[rows], arm[rows], own[rows], covariates[rows], arms, kind, earlier)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Products:
    """Cross-products of own covariates and outcomes less what is in common, shape (trials, outcomes, outcomes) each,
    and the patients less the columns in common, (trials,).
    """

    before: NDArray[np.float64]
    between: NDArray[np.float64]
    after: NDArray[np.float64]
    free: NDArray[np.float64]

    def only(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> _Products:
        """Of some of the trials."""
        return _Products(self.before[rows], self.between[rows], self.after[rows], self.free[rows])

    def residual(self, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cross-products of the residuals of given slopes (trials, outcomes)."""
        crossed = slopes[:, :, None] * self.between
        return self.after - crossed - crossed.swapaxes(1, 2) + slopes[:, :, None] * slopes[:, None, :] * self.before


def _some(
    outcomes: NDArray[np.float64],
    arm: NDArray[np.intp],
    own: NDArray[np.float64],
    covariates: NDArray[np.float64],
    arms: int,
    kind: Kind,
    earlier: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    trials, _, count = outcomes.shape
    slopes, first = own.shape[2], covariates.shape[2] + arms - 1
    triangle = triangle_of(covariates, arm, outcomes, arms, own=own, before=earlier)
    sizes = triangle.sizes.sum(axis=1)
    fine = triangle.fine & (triangle.share > _CLEARLY_SPREAD).all(axis=1) & ~triangle.partly
    fine &= (triangle.sizes > 0).all(axis=1) & (sizes >= max(_FEWEST, 2 * (first + 1 + count)))
    found = np.full((3, trials), np.nan)
    rows, rest = np.flatnonzero(fine), triangle.rest[fine]
    products = _Products(
        rest[:, :slopes, :slopes], rest[:, :slopes, slopes:], rest[:, slopes:, slopes:], sizes[fine] - first - 1.0
    )
    # The difference of the arms in a column is its entry in the triangle's column of the arm, the last.
    length = triangle.triangle[rows, first - 1, first - 1]
    shifts = triangle.triangle[rows, first:, first - 1] / length[:, None]
    before, after = shifts[:, :slopes], shifts[:, slopes:]
    if slopes and len(rows):
        point, converged = _maximise(products)
        rows, length, before, after = rows[converged], length[converged], before[converged], after[converged]
        products = products.only(converged)
        effect = (after - point.slopes * before).sum(axis=1)
        variance, freedom = point.inference(products, 1 / length**2, before, kind)
    else:
        effect, freedom = after.sum(axis=1), products.free
        variance = products.after.sum(axis=(1, 2)) / products.free / length**2
    if kind == "residual":
        freedom = (sizes[rows] - first - 1.0) * count - slopes
    elif kind == "normal":
        freedom = np.full(len(rows), np.inf)
    found[:, rows] = effect, np.sqrt(variance), freedom
    return found


def _basis(count: int) -> NDArray[np.float64]:
    """Derivatives of a covariance over its entries (0, 0), (1, 0), (1, 1), ..., shape (pairs, count, count)."""
    j, k = np.tril_indices(count)
    basis = np.zeros((len(j), count, count))
    basis[np.arange(len(j)), j, k] = basis[np.arange(len(j)), k, j] = 1.0
    return basis


def _products_of(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Traces of the products of each matrix of `one` with each of `other`, (trials, pairs, count, count) both."""
    shape = (*one.shape[:2], one.shape[2] * one.shape[3])
    return np.matmul(one.reshape(shape), other.swapaxes(2, 3).reshape(shape).swapaxes(1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """Slopes, gradient and observed information of the restricted likelihood at covariances of many trials."""

    covariance: NDArray[np.float64]
    slopes: NDArray[np.float64]
    inner: NDArray[np.float64]
    gradient: NDArray[np.float64]
    information: NDArray[np.float64]
    carried: NDArray[np.float64]
    turned: NDArray[np.float64]

    @classmethod
    def at(cls, products: _Products, covariance: NDArray[np.float64]) -> _Point:
        """The likelihood at given covariances, shape (trials, outcomes, outcomes)."""
        basis = _basis(covariance.shape[1])
        weights = np.linalg.inv(covariance)
        hessian = weights * products.before
        inner = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
        slopes = np.einsum("tcd,td->tc", inner, (weights * products.between).sum(axis=2))
        residual = products.residual(slopes)
        free = products.free
        # W E_a, and W E_a W, which is minus the derivative of W.
        half = np.matmul(weights[:, None], basis)
        carried = np.matmul(half, weights[:, None])
        turned = carried * products.before[:, None]
        spread = np.matmul(turned, inner[:, None])
        gradient = -0.5 * (
            free[:, None] * np.trace(half, axis1=2, axis2=3)
            - np.trace(spread, axis1=2, axis2=3)
            - (carried * residual[:, None]).sum(axis=(2, 3))
        )
        fitted = (carried * (slopes[:, None, :] * products.before - products.between)[:, None]).sum(axis=3)
        both = _products_of(half, np.matmul(carried, (inner * products.before + residual)[:, None]))
        information = 0.5 * (
            both
            + both.swapaxes(1, 2)
            - free[:, None, None] * _products_of(half, half)
            - _products_of(spread, spread)
            - 2 * np.matmul(np.matmul(fitted, inner), fitted.swapaxes(1, 2))
        )
        return cls(covariance, slopes, inner, gradient, information, carried, turned)

    def step(self, good: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Newton's step in the entries of the covariance, shape (trials, pairs); where not `good` the gradient."""
        information = np.where(good[:, None, None], self.information, np.eye(self.information.shape[1]))
        return np.asarray(np.linalg.solve(information, self.gradient[:, :, None])[:, :, 0], dtype=np.float64)

    def gain(self, good: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Squared distance to the maximum in standard errors, shape (trials,)."""
        return (self.step(good) * self.gradient).sum(axis=1)

    def inference(
        self, products: _Products, own: NDArray[np.float64], before: NDArray[np.float64], kind: Kind
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Variance and degrees of freedom of the sum of the differences; `own` is the variance of each for a residual
        variance of 1, and `before` (trials, outcomes) the differences in the own covariates.
        """
        basis = _basis(self.covariance.shape[1])
        along = np.einsum("tcd,td->tc", self.inner, before)
        variance = own * self.covariance.sum(axis=(1, 2)) + (before * along).sum(axis=1)
        gradient = own[:, None] * basis.sum(axis=(1, 2)) + np.einsum("tacd,tc,td->ta", self.turned, along, along)
        inverse = np.linalg.inv(self.information)
        freedom = 2 * variance**2 / np.einsum("ta,tab,tb->t", gradient, inverse, gradient)
        if kind == "kenward-roger":
            spread = along[:, :, None] * along[:, None, :] * products.before
            weights = np.linalg.inv(self.covariance)
            half = np.matmul(weights[:, None], basis)
            first = _products_of(half, np.matmul(self.carried, spread[:, None]))
            reach = np.einsum("tacd,td->tac", self.turned, along)
            second = np.einsum("tac,tcd,tbd->tab", reach, self.inner, reach)
            variance = variance + 2 * np.einsum("tab,tab->t", inverse, first - second)
        return variance, freedom


def _maximise(products: _Products) -> tuple[_Point, NDArray[np.bool_]]:
    """Where the restricted likelihood is largest in the trials in which that was found, and which these are."""
    from .related_kernels import covariances

    covariance = np.empty(products.before.shape)
    given = (np.ascontiguousarray(part) for part in (products.before, products.between, products.after))
    covariances(*given, products.free, 2 * _MOST_STEPS, _NEAR, covariance)
    converged = np.asarray(~np.isnan(covariance[:, 0, 0]))
    while True:
        point = _Point.at(products.only(converged), covariance[converged])
        good = _positive(point.information)
        away = good & ~(point.gain(good) < _THERE)
        if good.all() and not away.any():
            return point, converged
        rows = np.flatnonzero(converged)
        converged[rows[~good]] = False
        moved, sound = _climb(products.only(rows[away]), covariance[rows[away]])
        covariance[rows[away]], converged[rows[away]] = moved, sound


def _climb(products: _Products, covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Covariances at the maximum of the restricted likelihood by Newton's method, and in which trials it was found."""
    count = products.before.shape[1]
    j, k = np.tril_indices(count)
    active = _positive(covariance)
    done = np.zeros(len(covariance), dtype=bool)
    for _ in range(_MOST_STEPS):
        rows = np.flatnonzero(active)
        if not len(rows):
            break
        point = _Point.at(products.only(active), covariance[rows])
        good = _positive(point.information)
        step = point.step(good)
        change = np.zeros((len(rows), count, count))
        change[:, j, k] = change[:, k, j] = step
        proposed = covariance[rows] + change
        good &= _positive(proposed)
        covariance[rows[good]] = proposed[good]
        finished = good & ((step * point.gradient).sum(axis=1) < _CLOSE)
        done[rows[finished]] = True
        active[rows[finished | ~good]] = False
    return covariance, done


def _positive(matrices: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether symmetric matrices are clearly positive definite, in units of their diagonals."""
    diagonal = np.diagonal(matrices, axis1=1, axis2=2)
    sound = np.asarray(np.isfinite(matrices).all(axis=(1, 2)) & (diagonal > 0).all(axis=1))
    scale = np.sqrt(np.where(sound[:, None], diagonal, 1.0))
    scaled = np.where(sound[:, None, None], matrices / (scale[:, :, None] * scale[:, None, :]), 0.0)
    return np.asarray(np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR)
