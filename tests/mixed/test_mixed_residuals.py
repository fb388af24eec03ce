"""Residuals against their definition, the identities of the likelihood, and numbers of R's mmrm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from equipoise import InputError
from equipoise.mixed import fit_mmrm
from equipoise.mixed.residuals import fitted_values
from mmrm_reference import CASES, fitted

Array = NDArray[np.float64]
DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
STRUCTURES = ("unstructured", "compound-symmetry-heterogeneous", "toeplitz", "ar1", "ante-dependence-heterogeneous")


def trial(seed: int, n_patients: int = 40, n_visits: int = 3, missing: float = 0.2) -> tuple[Array, Array]:
    """Outcome with intermittent missingness and a saturated arm x visit design with a baseline."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n_patients) % 2
    eye = np.tile(np.eye(n_visits), (n_patients, 1, 1))
    baseline = rng.normal(30, 5, n_patients)
    x = np.concatenate([eye, arm[:, None, None] * eye, np.repeat(baseline[:, None, None], n_visits, axis=1)], axis=2)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    y = rng.normal(size=(n_patients, n_visits)) @ np.linalg.cholesky(3 * 0.6**lag).T + 0.2 * baseline[:, None]
    y[rng.random(y.shape) < missing] = np.nan
    return y, x


@pytest.mark.parametrize("covariance", STRUCTURES)
def test_definition_patient_by_patient(covariance: Any) -> None:
    y, x = trial(1)
    y[4] = np.nan
    weights = np.random.default_rng(0).uniform(0.5, 2, y.shape)
    weights[np.isnan(y)] = np.nan
    group = np.arange(40) // 20
    fit = fit_mmrm(y, x, covariance=covariance, group=group, weights=weights)
    found = {kind: fit.residuals(kind) for kind in ("raw", "scaled", "normalised")}
    kept = np.delete(np.arange(40), 4)
    assert found["raw"].shape == (39, 3)
    for row, i in enumerate(kept):
        seen = ~np.isnan(y[i])
        raw = y[i, seen] - x[i, seen] @ fit.coefficients
        root = np.sqrt(weights[i, seen])
        v = fit.covariance[group[i]][np.ix_(seen, seen)] / np.outer(root, root)
        expected = {
            "raw": raw,
            "scaled": raw / np.sqrt(np.diagonal(v)),
            "normalised": np.linalg.inv(np.linalg.cholesky(v)) @ raw,
        }
        for kind, values in expected.items():
            np.testing.assert_allclose(found[kind][row, seen], values, rtol=1e-10, atol=1e-12)
            assert np.isnan(found[kind][row, ~seen]).all()


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("covariance", [*STRUCTURES, "spatial-exponential"])
def test_sum_of_squares_is_n_less_p_at_the_maximum(covariance: Any, method: Any) -> None:
    """The score along the scale of the covariance is zero: r'V^-1 r = n - p by REML, n by ML."""
    y, x = trial(2)
    weights = np.random.default_rng(2).uniform(0.5, 2, y.shape)
    fit = fit_mmrm(y, x, covariance=covariance, method=method, times=[1, 2, 4], weights=weights)
    total = float(np.nansum(fit.residuals("normalised") ** 2))
    freedom = fit.n_observations - (x.shape[2] if method == "reml" else 0)
    assert total == pytest.approx(freedom, rel=1e-7)


def test_estimating_equation() -> None:
    """X'V^-1 (y - X b) = 0: the normalised residuals are orthogonal to the normalised design."""
    y, x = trial(3)
    fit = fit_mmrm(y, x)
    normalised = fit.residuals("normalised")
    total = np.zeros(x.shape[2])
    for i, row in enumerate(y):
        seen = ~np.isnan(row)
        factor = np.linalg.cholesky(fit.covariance[np.ix_(seen, seen)])
        total += normalised[i, seen] @ np.linalg.solve(factor, x[i, seen])
    assert np.abs(total).max() < 1e-8


def test_units_of_the_outcome() -> None:
    y, x = trial(4)
    first, second = fit_mmrm(y, x), fit_mmrm(1e3 * y + 5, x)
    np.testing.assert_allclose(second.residuals(), 1e3 * first.residuals(), rtol=1e-7, atol=1e-6)
    for kind in ("scaled", "normalised"):
        np.testing.assert_allclose(second.residuals(kind), first.residuals(kind), rtol=1e-6, atol=1e-8)


def test_first_visit_observed_is_only_scaled() -> None:
    y, x = trial(5)
    fit = fit_mmrm(y, x)
    first = np.isnan(y).argmin(axis=1)
    rows = np.flatnonzero(~np.isnan(y).all(axis=1))
    scaled, normalised = fit.residuals("scaled"), fit.residuals("normalised")
    np.testing.assert_allclose(
        normalised[np.arange(len(rows)), first[rows]], scaled[np.arange(len(rows)), first[rows]], rtol=1e-12
    )


def test_independent_of_each_other_in_large_samples() -> None:
    """Normalised residuals have the identity as covariance (4.5 standard errors of 4,000 patients: 0.07)."""
    y, x = trial(6, 4_000, missing=0.0)
    normalised = fit_mmrm(y, x).residuals("normalised")
    assert np.abs(np.cov(normalised.T) - np.eye(3)).max() < 0.07


@pytest.mark.parametrize("identity", ["ours_us_reml_weighted_satterthwaite", "ours_us_reml_grouped_satterthwaite"])
def test_from_the_estimates_of_r(identity: str) -> None:
    """R mmrm 0.3.18: its coefficients and covariance put into the definition, and its likelihood's quadratic form."""
    fit, case = fitted(identity), CASES[identity]
    inputs, expected = case["inputs"], case["expected"]
    frame = fit.residual_frame()
    assert frame.columns == ["patient", "visit", "outcome", "fitted", "raw", "scaled", "normalised"]
    joined = frame.join(DATA.with_columns(pl.col("patient").cast(str)), on=["patient", "visit"], how="left")
    names = dict(zip(expected["coefficient_names"], expected["estimates"], strict=True))
    row = joined.row(17, named=True)
    mean = names["(Intercept)"] + names["baseline"] * row["baseline"]
    for part in (
        f"site{row['site']}",
        f"arm{row['arm']}",
        f"visit{row['visit']}",
        f"arm{row['arm']}:visit{row['visit']}",
    ):
        mean += names.get(part, 0.0)
    assert row["fitted"] == pytest.approx(mean, rel=1e-7)
    assert row["outcome"] == row["change"]
    assert row["raw"] == pytest.approx(row["change"] - mean, abs=1e-6)
    matrices = expected["covariance_estimate"]
    own = np.array(matrices[row["arm"] if inputs.get("covariance_group") else "all"])
    weight = row["weight"] if inputs.get("weights") else 1.0
    j = VISITS.index(row["visit"])
    assert row["scaled"] == pytest.approx(row["raw"] * np.sqrt(weight / own[j, j]), rel=1e-6)
    free = expected["n_observations"] - len(expected["estimates"])
    assert (frame["normalised"] ** 2).sum() == pytest.approx(free, rel=1e-8)


def test_fitted_values_and_kinds() -> None:
    y, x = trial(7)
    fit = fit_mmrm(y, x)
    np.testing.assert_allclose(fitted_values(fit) + fit.residuals(), y, rtol=1e-12)
    with pytest.raises(InputError, match="'raw', 'scaled', 'normalised'"):
        fit.residuals("pearson")  # type: ignore[arg-type]
