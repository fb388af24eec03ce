"""Analytic derivatives of the likelihood against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.mixed.covariance.correlation import SpatialCorrelation
from equipoise.mixed.covariance.named import STRUCTURES, is_spatial, structure
from equipoise.mixed.covariance.scaled import Scaled
from equipoise.mixed.covariance.structures import filled
from equipoise.mixed.cross_products import CrossProducts, collect
from equipoise.mixed.likelihood import Derivatives, Likelihood, Point
from equipoise.mixed.patient_likelihood import PatientLikelihood
from equipoise.mixed.pattern_likelihood import PatternLikelihood

Array = NDArray[np.float64]
VISITS = 4
TIMES = np.array([0.0, 1.0, 2.5, 4.0])
OWN_TIMES = "spatial-exponential with own times", "spatial-gaussian with own times"


def cross_products(*, shared: bool = True) -> CrossProducts:
    rng = np.random.default_rng(3)
    n = 50
    x = np.concatenate([np.tile(np.eye(VISITS), (n, 1, 1)), rng.normal(size=(n, VISITS, 3))], axis=2)
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, VISITS))
    y[rng.random(y.shape) < 0.25] = np.nan
    weights = rng.uniform(0.5, 2, y.shape)
    return collect(y, x, tuple("abcdefg"), np.arange(n) % 2, weights, shared=shared)


def likelihood_of(name: str, restricted: bool) -> Likelihood:
    if name in OWN_TIMES:
        data = cross_products(shared=False)
        rng = np.random.default_rng(4)
        times = (TIMES + rng.uniform(-0.3, 0.3, size=(len(data.kept), VISITS)))[data.kept]
        return PatientLikelihood(data, times, name.split()[0], restricted)
    times = TIMES if is_spatial(name) else None
    return PatternLikelihood(cross_products(), structure(name, VISITS, times), restricted)


def parameters_of(likelihood: Likelihood) -> Array:
    """Away from the start, another vector for each group."""
    if isinstance(likelihood, PatternLikelihood):
        covariance = np.stack([np.eye(VISITS) + 0.4, 1.5 * np.eye(VISITS) + 0.2])
        covariance += np.diag(np.arange(VISITS) / 10)
        found = np.stack([likelihood.structure.starts(one)[0] for one in covariance])
        if not likelihood.structure.is_entries:
            found += 0.05 * np.arange(1, found.size + 1).reshape(found.shape) / found.size
        return found
    return np.array([[0.1, -0.5], [-0.1, 0.7]])


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("name", [*STRUCTURES, *OWN_TIMES])
def test_gradient_hessian_and_design_derivatives(name: str, restricted: bool) -> None:
    likelihood = likelihood_of(name, restricted)
    theta = parameters_of(likelihood)

    def at(flat: Array) -> tuple[Point, Derivatives]:
        point = likelihood.at(flat.reshape(theta.shape))
        assert point is not None
        return point, likelihood.derivatives(point)

    _, derivatives = at(theta)
    h = 1e-5
    for index in range(theta.size):
        step = np.zeros(theta.size)
        step[index] = h
        (up, after), (down, before) = at(theta.ravel() + step), at(theta.ravel() - step)
        assert derivatives.gradient[index] == pytest.approx((up.value - down.value) / (2 * h), rel=1e-6, abs=1e-7)
        np.testing.assert_allclose(
            -derivatives.observed_information[index], (after.gradient - before.gradient) / (2 * h), rtol=1e-5, atol=1e-6
        )
        # d(Q'WQ) = -F_a
        slope = (np.linalg.inv(up.inner) - np.linalg.inv(down.inner)) / (2 * h)
        np.testing.assert_allclose(-derivatives.design_derivatives[index], slope, rtol=1e-5, atol=1e-6)


def dense(likelihood: Likelihood, point: Point) -> tuple[Array, Array, Array, Array]:
    """Inverse covariance, its derivatives over the parameters (by differences), design and outcome of everybody."""
    data = likelihood.data  # type: ignore[attr-defined]
    n = len(data.rows) * VISITS
    seen = data.observed[data.pattern_of_patient]

    def covariance(parameters: Array) -> Array:
        moved = likelihood.at(parameters)
        assert moved is not None
        whole = np.zeros((n, n))
        for i, (own, mask) in enumerate(zip(likelihood.patient_covariances(moved), seen, strict=True)):
            at = slice(i * VISITS, (i + 1) * VISITS)
            whole[at, at] = np.where(np.outer(mask, mask), own, 0.0)
        return whole

    base = covariance(point.parameters)
    hidden = ~seen.ravel()
    w = np.linalg.inv(base + np.diag(hidden * 1.0))
    w[hidden] = 0
    w[:, hidden] = 0
    h = 1e-4
    slopes = []
    for index in range(point.parameters.size):
        step = np.zeros(point.parameters.size)
        step[index] = h
        step = step.reshape(point.parameters.shape)
        up, down = covariance(point.parameters + step), covariance(point.parameters - step)
        slopes.append((up - down) / (2 * h))
    q = data.rows[:, :, :-1].reshape(n, -1)
    return w, np.stack(slopes), q, data.rows[:, :, -1].reshape(n)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("name", [*STRUCTURES, *OWN_TIMES])
def test_everything_from_dense_matrices(name: str, restricted: bool) -> None:
    """The likelihood, the expected information tr(P V_a P V_b) / 2 and the sum of the Kenward-Roger variance."""
    likelihood = likelihood_of(name, restricted)
    point = likelihood.at(parameters_of(likelihood))
    assert point is not None
    w, v, q, y = dense(likelihood, point)
    normal = q.T @ w @ q
    inner = np.linalg.inv(normal)
    np.testing.assert_allclose(point.inner, inner, rtol=1e-9, atol=1e-12)
    residual = y - q @ (inner @ (q.T @ w @ y))
    used = w.any(axis=1)
    value = 0.5 * np.linalg.slogdet(w[np.ix_(used, used)])[1] - 0.5 * residual @ w @ residual
    if restricted:
        value -= 0.5 * np.linalg.slogdet(normal)[1]
    assert point.value == pytest.approx(value, rel=1e-11)
    p = w - w @ q @ inner @ q.T @ w if restricted else w
    products = p @ v
    expected = 0.5 * np.einsum("aij,bji->ab", products, products, optimize=True)
    np.testing.assert_allclose(likelihood.derivatives(point).expected_information, expected, rtol=2e-7, atol=2e-7)

    variance = np.linalg.inv(expected + np.eye(len(expected)))
    moved = v @ (w @ q)
    pairs = np.einsum("anp,nm,bmq->abpq", moved, w, moved, optimize=True)
    wanted = np.einsum("ab,abpq->pq", variance, pairs)
    found = likelihood.adjustment(point, variance, False)
    np.testing.assert_allclose(found, 0.5 * (wanted + wanted.T), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name != "unstructured"])
def test_mean_curvature_is_the_mean_of_second_derivatives(name: str) -> None:
    chosen = structure(name, VISITS, TIMES)
    theta = chosen.starts(np.eye(VISITS) + 0.4)[0] + 0.1
    rng = np.random.default_rng(1)
    root = rng.normal(size=(theta.size, theta.size))
    variance = root @ root.T / 100
    h = 1e-4
    second = np.empty((theta.size, theta.size, VISITS * (VISITS + 1) // 2))
    for a in range(theta.size):
        step = np.zeros(theta.size)
        step[a] = h
        second[a] = (chosen.jacobian(theta + step) - chosen.jacobian(theta - step)) / (2 * h)
    np.testing.assert_allclose(chosen.curvature(theta), second, rtol=1e-6, atol=1e-7)
    if not is_spatial(name):
        np.testing.assert_allclose(
            chosen.mean_curvature(theta, variance), np.einsum("st,ste->e", variance, second), rtol=1e-6, atol=1e-7
        )
        return
    assert isinstance(chosen, Scaled)
    family = chosen.correlation
    assert isinstance(family, SpatialCorrelation)

    def of_mmrm(decay: float) -> float:
        """The logit of the correlation at distance one from the logarithm of the decay at the typical distance."""
        return -np.log(np.expm1(np.exp(decay) / family.typical**family.power))

    def entries(scale: float, logit: float) -> Array:
        at_one = np.log1p(np.exp(-logit))
        return chosen.entries(np.array([scale, np.log(at_one * family.typical**family.power)]))

    slope = (of_mmrm(theta[1] + h) - of_mmrm(theta[1] - h)) / (2 * h)
    own = np.array([theta[0], of_mmrm(theta[1])])
    spread = variance * np.outer([1.0, slope], [1.0, slope])
    step = 1e-3
    mean = np.zeros(second.shape[2])
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        corners = [
            (i * j) * entries(*(own + step * (i * np.eye(2)[a] + j * np.eye(2)[b]) / 2))
            for i in (-1, 1)
            for j in (-1, 1)
        ]
        mean += spread[a, b] * np.sum(corners, axis=0) / step**2
    np.testing.assert_allclose(chosen.mean_curvature(theta, variance), mean, rtol=1e-4, atol=1e-6)


def test_own_times_that_are_shared_give_the_shared_likelihood() -> None:
    data = cross_products(shared=False)
    own = PatientLikelihood(data, np.tile(TIMES, (len(data.rows), 1)), "spatial-exponential", True)
    shared = likelihood_of("spatial-exponential", True)
    theta = np.array([[0.1, -0.5], [-0.1, 0.7]])
    # The parameter is the decay over the typical distance, which is another for visits than for patients.
    one = np.array([1.0])
    ratio = own.correlation_over(one).typical / shared.correlation_over(one).typical
    first, second = own.at(theta + np.array([0.0, np.log(ratio)])), shared.at(theta)
    assert first is not None
    assert second is not None
    assert first.value == pytest.approx(second.value, rel=1e-13)
    one, other = own.derivatives(first), shared.derivatives(second)
    np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(one.observed_information, other.observed_information, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(one.design_derivatives, other.design_derivatives, rtol=1e-10, atol=1e-10)
    weights = np.array([[2.0, 0.3], [0.3, 1.0]])
    variance = np.kron(np.eye(2), weights)
    for curvature in (False, True):
        np.testing.assert_allclose(
            own.adjustment(first, variance, curvature),
            shared.adjustment(second, variance, curvature),
            rtol=1e-10,
            atol=1e-12,
        )


def test_not_positive_definite_has_no_likelihood() -> None:
    likelihood = likelihood_of("unstructured", True)
    bad = np.stack([np.eye(VISITS), np.ones((VISITS, VISITS)) - 0.1 * np.eye(VISITS)])
    rows, columns = np.triu_indices(VISITS)
    assert (filled(bad[:, rows, columns], VISITS) == bad).all()
    assert likelihood.at(bad[:, rows, columns]) is None
