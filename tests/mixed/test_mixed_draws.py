"""Outcomes drawn from a fit: the same bits, the moments of the model, and parameters recovered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from equipoise import InputError
from equipoise.mixed import fit_mmrm, mmrm

Array = NDArray[np.float64]
DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
LEVELS = {"visit": ["day1", "week1", "week2", "week4", "week8"], "arm": ["midazolam", "ketamine"]}


def trial(seed: int, n_patients: int = 50, n_visits: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    eye = np.tile(np.eye(n_visits), (n_patients, 1, 1))
    x = np.concatenate([eye, (np.arange(n_patients) % 2)[:, None, None] * eye], axis=2)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    y = 10 + rng.normal(size=(n_patients, n_visits)) @ np.linalg.cholesky(4 * 0.6**lag).T
    y[rng.random(y.shape) < 0.2] = np.nan
    return y[:n_patients], x


def test_same_seed_same_bits() -> None:
    y, x = trial(1)
    fit = fit_mmrm(y, x)
    for coefficients in ("estimated", "drawn"):
        first = fit.simulate(5, 7, coefficients=coefficients)  # type: ignore[arg-type]
        again = fit_mmrm(y, x).simulate(5, 7, coefficients=coefficients)  # type: ignore[arg-type]
        assert first.tobytes() == again.tobytes()
        longer = fit.simulate(8, 7, coefficients=coefficients)  # type: ignore[arg-type]
        np.testing.assert_allclose(longer[:5], first, rtol=1e-13)
        assert not np.array_equal(first, fit.simulate(5, 8, coefficients=coefficients), equal_nan=True)  # type: ignore[arg-type]


def test_observed_visits_are_part_of_all_visits() -> None:
    y, x = trial(2)
    y[4] = np.nan
    kept = ~np.isnan(y).all(axis=1)
    fit = fit_mmrm(y, x)
    observed, everywhere = fit.simulate(3, 1), fit.simulate(3, 1, visits="all")
    seen = ~np.isnan(y[kept])
    assert observed.shape == (3, int(kept.sum()), 3)
    assert (np.isnan(observed) == ~seen).all()
    assert np.isfinite(everywhere).all()
    np.testing.assert_allclose(observed[:, seen], everywhere[:, seen], rtol=1e-14)


@pytest.mark.parametrize("coefficients", ["estimated", "drawn"])
def test_moments(coefficients: Any) -> None:
    """Mean X b and covariance V_i, with X var(b) X' besides where coefficients are drawn, of every patient."""
    y, x = trial(3, 30)
    weights = np.random.default_rng(3).uniform(0.5, 2, y.shape)
    fit = fit_mmrm(y, x, group=np.arange(30) // 15, weights=weights, covariance="toeplitz")
    n = 20_000
    drawn = fit.simulate(n, 11, coefficients=coefficients, visits="all")
    expected = fit.patient_covariances
    if coefficients == "drawn":
        expected = expected + x @ fit.covariance_of_coefficients @ x.swapaxes(1, 2)
    mean, spread = x @ fit.coefficients, np.sqrt(np.diagonal(expected, axis1=1, axis2=2))
    # 90 means and 180 covariances: five standard errors.
    assert (np.abs(drawn.mean(axis=0) - mean) < 5 * spread / np.sqrt(n)).all()
    centred = drawn - drawn.mean(axis=0)
    found = np.einsum("nij,nik->ijk", centred, centred) / (n - 1)
    product = spread[:, :, None] * spread[:, None, :]
    allowed = 5 * np.sqrt((product**2 + expected**2) / n)
    assert (np.abs(found - expected) < allowed).all()
    # Different patients are independent given the coefficients.
    between = (centred[:, 0, 0] * centred[:, 1, 0]).mean()
    shared = x[0, 0] @ fit.covariance_of_coefficients @ x[1, 0] if coefficients == "drawn" else 0.0
    assert abs(between - shared) < 5 * spread[0, 0] * spread[1, 0] / np.sqrt(n)


def test_the_prediction_error_is_the_spread_of_drawn_outcomes() -> None:
    fit = mmrm("change ~ baseline + arm * visit", DATA, subject="patient", visit="visit", levels=LEVELS)
    spread = fit.simulate(4_000, 5, coefficients="drawn", visits="all").std(axis=0)
    expected = fit.predict(interval="prediction").prediction_error
    assert expected is not None
    # 750 standard deviations, each with a relative standard error of 1 / sqrt(8,000).
    assert np.abs(spread / expected - 1).max() < 5 / np.sqrt(8_000)


@pytest.mark.parametrize("covariance", ["unstructured", "ar1-heterogeneous"])
def test_parameters_are_recovered_on_refits(covariance: Any) -> None:
    """Over 300 refits the coefficients are unbiased with their standard errors, and the covariance nearly so."""
    y, x = trial(4, 60)
    fit = fit_mmrm(y, x, covariance=covariance)
    kept = ~np.isnan(y).all(axis=1)
    refits = [fit_mmrm(outcome, x[kept], covariance=covariance) for outcome in fit.simulate(300, 9)]
    coefficients = np.array([one.coefficients for one in refits])
    errors = fit.standard_errors
    assert (np.abs(coefficients.mean(axis=0) - fit.coefficients) < 4 * errors / np.sqrt(300)).all()
    # A standard deviation of 300 has a relative standard error of 0.041.
    assert np.abs(coefficients.std(axis=0, ddof=1) / errors - 1).max() < 0.165
    covariances = np.array([one.covariance for one in refits])
    allowed = 4 * covariances.std(axis=0) / np.sqrt(300) + 0.02 * np.abs(fit.covariance)
    assert (np.abs(covariances.mean(axis=0) - fit.covariance) < allowed).all()


def test_a_visit_not_observed_at_the_mean_time_of_another() -> None:
    """The covariance of all visits is then singular; the draws at the visits observed stay those of the model."""
    y, x = trial(6, 40)
    times = np.tile([0.0, 1.0, 2.0], (40, 1))
    y[:2] = [[10.0, 11.0, 12.0], [9.0, 10.0, np.nan]]
    times[0] = [0.0, 1.5, 2.5]
    times[np.isnan(y)] = np.nan
    times[1, 1] = np.nanmean(np.where(np.arange(40)[:, None] == 1, np.nan, times)[:, 2])
    fit = fit_mmrm(y, x, covariance="spatial-exponential", times=times)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(fit.patient_covariances)
    n = 20_000
    drawn = fit.simulate(n, 3, visits="all")
    np.testing.assert_array_equal(fit.simulate(4, 3)[:, 1, :2], drawn[:4, 1, :2])
    assert np.abs(drawn[:, 1, 1] - drawn[:, 1, 2] - (x[1, 1] - x[1, 2]) @ fit.coefficients).max() < 1e-6
    expected = fit.patient_covariances[1]
    spread = np.sqrt(np.diagonal(expected))
    found = np.cov(drawn[:, 1].T)
    assert (np.abs(found - expected) < 5 * np.sqrt((np.outer(spread, spread) ** 2 + expected**2) / n)).all()


def test_refusals() -> None:
    rng = np.random.default_rng(0)
    data = DATA.with_columns(pl.Series("dose", rng.normal(size=DATA.height)))
    fit = mmrm("change ~ arm * visit + dose", data, subject="patient", visit="visit", levels=LEVELS)
    assert fit.simulate(1, 1).shape == (1, 150, 5)
    with pytest.raises(InputError, match=r"covariates of 104 visits .* patient P001 at week2"):
        fit.simulate(1, 1, visits="all")
    for options, message in (
        ({"n": 0}, "above 0"),
        ({"seed": -1}, "from 0 to"),
        ({"coefficients": "true"}, "'estimated' or 'drawn'"),
        ({"visits": "some"}, "'observed' or 'all'"),
        ({"visits": np.array(["all", "all"])}, "'observed' or 'all'"),
        ({"n": 10**30}, "for the memory there is"),
    ):
        with pytest.raises(InputError, match=message):
            fit.simulate(**{"n": 1, "seed": 1, **options})  # type: ignore[arg-type]
