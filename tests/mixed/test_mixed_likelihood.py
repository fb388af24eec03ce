"""Analytic derivatives of the likelihood against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.mixed.cross_products import CrossProducts, collect
from equipoise.mixed.likelihood import Derivatives, Likelihood, Point
from equipoise.mixed.structures import Unstructured

Array = NDArray[np.float64]
VISITS = 3
STRUCTURE = Unstructured(VISITS)


def cross_products() -> CrossProducts:
    rng = np.random.default_rng(3)
    n = 50
    x = np.concatenate([np.tile(np.eye(VISITS), (n, 1, 1)), rng.normal(size=(n, VISITS, 3))], axis=2)
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, VISITS))
    y[rng.random(y.shape) < 0.25] = np.nan
    weights = rng.uniform(0.5, 2, y.shape)
    return collect(y, x, tuple("abcdef"), np.arange(n) % 2, weights)


@pytest.mark.parametrize("restricted", [True, False])
def test_gradient_hessian_and_design_derivatives(restricted: bool) -> None:
    likelihood = Likelihood(cross_products(), restricted)

    def at(theta: Array) -> tuple[Point, Derivatives]:
        point = likelihood.at(np.stack([STRUCTURE.matrix(part) for part in theta.reshape(2, -1)]))
        assert point is not None
        return point, likelihood.derivatives(point)

    theta = np.concatenate([STRUCTURE.start(np.eye(VISITS) + 0.4), STRUCTURE.start(1.5 * np.eye(VISITS) + 0.2)])
    _, derivatives = at(theta)
    h = 1e-5
    for index in range(theta.size):
        step = np.zeros(theta.size)
        step[index] = h
        (up, after), (down, before) = at(theta + step), at(theta - step)
        assert derivatives.gradient[index] == pytest.approx((up.value - down.value) / (2 * h), rel=1e-6, abs=1e-7)
        np.testing.assert_allclose(
            -derivatives.observed_information[index], (after.gradient - before.gradient) / (2 * h), rtol=1e-5, atol=1e-6
        )
        # d(Q'WQ) = -F_a
        slope = (np.linalg.inv(up.inner) - np.linalg.inv(down.inner)) / (2 * h)
        np.testing.assert_allclose(-derivatives.design_derivatives[index], slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("restricted", [True, False])
def test_expected_information_is_the_variance_of_the_score(restricted: bool) -> None:
    """tr(P V_a P V_b) / 2 from dense matrices (tr(W V_a W V_b) / 2 for the full likelihood)."""
    data = cross_products()
    likelihood = Likelihood(data, restricted)
    covariances = np.stack([np.eye(VISITS) + 0.4, 1.5 * np.eye(VISITS) + 0.2])
    point = likelihood.at(covariances)
    assert point is not None
    groups = np.empty(len(data.observed), dtype=int)
    for index, part in enumerate(data.group_slices):
        groups[part] = index
    seen = data.observed[data.pattern_of_patient]
    group = groups[data.pattern_of_patient]
    n = len(seen) * VISITS
    entries = [(g, j, k) for g in (0, 1) for j, k in zip(*np.triu_indices(VISITS), strict=True)]
    w = np.zeros((n, n))
    v = np.zeros((len(entries), n, n))
    for i, mask in enumerate(seen):
        own = slice(i * VISITS, (i + 1) * VISITS)
        inverse = np.zeros((VISITS, VISITS))
        inverse[np.ix_(mask, mask)] = np.linalg.inv(covariances[group[i]][np.ix_(mask, mask)])
        w[own, own] = inverse
        for a, (g, j, k) in enumerate(entries):
            if g == group[i]:
                v[a, i * VISITS + j, i * VISITS + k] = v[a, i * VISITS + k, i * VISITS + j] = 1
    q = data.rows[:, :, :-1].reshape(n, -1)
    p = w - w @ q @ np.linalg.inv(q.T @ w @ q) @ q.T @ w if restricted else w
    products = p @ v
    expected = 0.5 * np.einsum("aij,bji->ab", products, products, optimize=True)
    np.testing.assert_allclose(likelihood.derivatives(point).expected_information, expected, rtol=1e-9, atol=1e-9)


def test_not_positive_definite_has_no_likelihood() -> None:
    likelihood = Likelihood(cross_products(), True)
    assert likelihood.at(np.stack([np.eye(VISITS), np.ones((VISITS, VISITS)) - 0.1 * np.eye(VISITS)])) is None
