"""What the covariance's estimation adds to conditional predictions, against differences of the predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equipoise.mixed import MixedFit, fit_mmrm
from equipoise.mixed.conditional import Patients, condition
from equipoise.mixed.covariance.named import STRUCTURES, is_spatial
from equipoise.mixed.individuals import patients_of
from prediction_trials import Array, array_trial


def at_parameters(fit: MixedFit, parameters: Array) -> tuple[Array, Array]:
    """Means at the coefficients estimated, and variances of the prediction errors, were these the parameters."""
    data, likelihood = fit._data, fit._maximum.likelihood
    point = likelihood.at(parameters)
    assert point is not None
    covariances = data.scale**2 * likelihood.patient_covariances(point)
    if data.root_weights is not None:
        covariances = covariances / (data.root_weights[:, :, None] * data.root_weights[:, None, :])
    own = patients_of(fit)
    found = condition(Patients(own.outcome, own.design, covariances, own.group), fit.coefficients)
    variance = data.unstandardised(point.inner) if fit.variance == "model" else fit.covariance_of_coefficients
    return found.mean, found.variance + np.einsum("ijp,pq,ijq->ij", found.contrast, variance, found.contrast)


def by_differences(fit: MixedFit) -> tuple[Array, Array]:
    """2 d'Ad and 2 v^2 / g'Ag, with d and g from central differences."""
    maximum = fit._maximum
    inverse, parameters = np.linalg.inv(maximum.information), maximum.point.parameters
    d, g = [], []
    for index, width in enumerate(1e-4 * np.sqrt(np.diagonal(inverse))):
        step = np.zeros(parameters.size)
        step[index] = width
        step = step.reshape(parameters.shape)
        up, down = (at_parameters(fit, parameters + sign * step) for sign in (1, -1))
        d.append((up[0] - down[0]) / (2 * width))
        g.append((up[1] - down[1]) / (2 * width))
    added = 2 * np.einsum("aij,ab,bij->ij", d, inverse, d)
    spread = np.einsum("aij,ab,bij->ij", g, inverse, g)
    return added, 2 * at_parameters(fit, parameters)[1] ** 2 / np.where(spread > 0, spread, np.nan)


@pytest.mark.parametrize(
    ("options", "by_arm", "own_times"),
    [
        ({}, True, False),
        ({"variance": "CR0"}, False, False),
        ({"method": "ml"}, False, True),
        ({"degrees_of_freedom": "kenward-roger"}, True, True),
    ],
)
@pytest.mark.parametrize("covariance", STRUCTURES)
def test_against_central_differences(covariance: Any, options: Any, by_arm: bool, own_times: bool) -> None:
    y, x = array_trial(3, 60, 4)
    rng = np.random.default_rng(0)
    times = np.array([0.0, 1.0, 2.5, 4.0]) + (rng.uniform(-0.3, 0.3, y.shape) if own_times else 0.0)
    fit = fit_mmrm(
        y,
        x,
        covariance=covariance,
        times=times if is_spatial(covariance) else None,
        weights=rng.uniform(0.5, 2, y.shape),
        group=np.arange(60) % 2 if by_arm else None,
        **options,
    )
    found = fit.predict(conditional=True, interval="prediction")
    missing = np.isnan(fit.outcome)
    added, degrees = by_differences(fit)
    assert found.covariance_error is not None
    largest = added[missing].max()
    np.testing.assert_allclose(found.covariance_error[missing] ** 2, added[missing], rtol=1e-6, atol=1e-7 * largest)
    assert (found.covariance_error[~missing] == 0).all()
    if fit.variance == "model":
        np.testing.assert_allclose(found.degrees_of_freedom[missing], degrees[missing], rtol=1e-6)
        assert np.isinf(found.degrees_of_freedom[~missing]).all()
