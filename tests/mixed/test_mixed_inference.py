"""F tests of Kenward & Roger against Hotelling's exact test, and inference that does not exist."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.mixed import FitError, fit_mmrm
from equipoise.mixed.inference import scale_and_denominator

Array = NDArray[np.float64]


def two_arms(n: int, visits: int, seed: int) -> tuple[Array, Array, Array]:
    """Complete outcomes without effects, a mean for each arm at each visit, and the arm."""
    rng = np.random.default_rng(seed)
    root = np.tril(rng.normal(size=(visits, visits))) + 2 * np.eye(visits)
    arm = np.arange(n) % 2
    eye = np.tile(np.eye(visits), (n, 1, 1))
    return rng.normal(size=(n, visits)) @ root.T, np.concatenate([eye, arm[:, None, None] * eye], axis=2), arm


@pytest.mark.parametrize("visits", [2, 3, 4])
@pytest.mark.parametrize("spare", range(8))
def test_complete_data_give_hotelling(visits: int, spare: int) -> None:
    """All visits at once, from as few patients as there can be: T^2 (m - q + 1) / (m q) is F(q, m - q + 1)."""
    free = visits + spare
    y, x, arm = two_arms(free + 2, visits, 10 * visits + spare)
    means = np.stack([y[arm == a].mean(axis=0) for a in (0, 1)])
    rest = y - means[arm]
    sizes = np.bincount(arm)
    pooled = rest.T @ rest / free
    gap = means[1] - means[0]
    squared = gap @ np.linalg.solve(pooled, gap) / (1 / sizes).sum()
    fit = fit_mmrm(y, x, degrees_of_freedom="kenward-roger")
    test = fit.f_test(np.eye(2 * visits)[visits:])
    assert test.numerator_degrees_of_freedom == visits
    assert test.denominator_degrees_of_freedom == pytest.approx(free - visits + 1, rel=1e-6)
    assert test.statistic == pytest.approx(squared * (free - visits + 1) / (free * visits), rel=1e-6)
    assert 0 < test.p_value < 1


def test_scale_and_denominator_are_continuous_where_moments_are_infinite() -> None:
    """With a Wishart covariance of v degrees of freedom A_1 = 2 q / v, A_2 = q (q + 1) / v, and F is Hotelling's."""
    for q in (2, 3, 5):
        for free in (q, q + 1, q + 1.001, q + 1 + 1e-6, q + 2.999, q + 3, q + 3.001, 50):
            scale, denominator = scale_and_denominator(2 * q / free, q * (q + 1) / free, q)
            assert denominator == pytest.approx(free - q + 1, rel=1e-7)
            assert scale == pytest.approx((free - q + 1) / free, rel=1e-7)


def test_too_few_patients_for_the_variance_with_second_derivatives() -> None:
    found = []
    for seed in range(60):
        y, x, _ = two_arms(6, 3, seed)
        y[np.random.default_rng(seed).random(y.shape) < 0.12] = np.nan
        try:
            fit = fit_mmrm(y, x, degrees_of_freedom="kenward-roger-mmrm")
        except FitError as refusal:
            found.append(str(refusal))
            continue
        assert np.isfinite(fit.standard_errors).all()
    assert any("Kenward-Roger variance" in message for message in found)
