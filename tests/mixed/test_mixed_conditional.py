"""Conditional predictions: SAS's numbers, dense algebra, closed forms, coverage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equipoise.mixed import fit_mmrm, mmrm
from prediction_trials import DATA, VISITS, array_trial, formula_fit

FEV = Path(os.environ.get("EQUIPOISE_SHARED", "")) / "reference/data/fev.csv"


@pytest.mark.parametrize("variance", ["model", "CR0"])
def test_dense_algebra_with_missing_values_as_parameters(variance: Any) -> None:
    """Missing outcomes set to zero, each with an indicator column of its own: generalised least squares then
    gives minus the predictions as their coefficients, with the variance of the prediction error (Bartlett 1937).
    """
    y, x = array_trial(1, 30)
    weights = np.random.default_rng(1).uniform(0.5, 2, y.shape)
    group = np.arange(30) // 15
    fit = fit_mmrm(y, x, covariance="ar1-heterogeneous", weights=weights, group=group, variance=variance)
    kept = ~np.isnan(y).all(axis=1)
    y, x, weights, group = y[kept], x[kept], weights[kept], group[kept]
    missing = np.argwhere(np.isnan(y))
    columns = x.shape[2]
    size = columns + len(missing)
    normal, right = np.zeros((size, size)), np.zeros(size)
    known_normal = np.zeros((columns, columns))
    for i, row in enumerate(y):
        root = np.sqrt(weights[i])
        v = fit.covariance[group[i]] / np.outer(root, root)
        dummies = np.zeros((3, len(missing)))
        for m, (patient, visit) in enumerate(missing):
            dummies[visit, m] = patient == i
        full = np.hstack([x[i], dummies])
        normal += full.T @ np.linalg.solve(v, full)
        right += full.T @ np.linalg.solve(v, np.nan_to_num(row))
        seen = ~np.isnan(row)
        known_normal += x[i, seen].T @ np.linalg.solve(v[np.ix_(seen, seen)], x[i, seen])
    solution, spread = np.linalg.solve(normal, right), np.linalg.inv(normal)
    found = fit.predict(conditional=True, interval="prediction")
    assert found.prediction_error is not None
    where = tuple(missing.T)
    np.testing.assert_allclose(solution[:columns], fit.coefficients, rtol=1e-9)
    np.testing.assert_allclose(found.mean[where], -solution[columns:], rtol=1e-9)
    if variance == "model":
        np.testing.assert_allclose(found.prediction_error[where], np.sqrt(np.diagonal(spread)[columns:]), rtol=1e-9)
    else:
        # Only the variance of the coefficients differs: put the model's in its place.
        inflation = found.prediction_error[where] ** 2 - found.standard_error[where] ** 2
        model = fit_mmrm(y, x, covariance="ar1-heterogeneous", weights=weights, group=group)
        theirs = model.predict(conditional=True, interval="prediction")
        assert theirs.prediction_error is not None
        np.testing.assert_allclose(
            inflation, theirs.prediction_error[where] ** 2 - theirs.standard_error[where] ** 2, rtol=1e-7
        )


def test_regression_on_the_earlier_visit() -> None:
    """Two visits, some lacking the second, by maximum likelihood: the completers' regression (Anderson 1957)."""
    y, _ = array_trial(2, 40, 2, missing=0.0)
    y[25:, 1] = np.nan
    fit = fit_mmrm(y, np.tile(np.eye(2), (40, 1, 1)), method="ml")
    slope, intercept = np.polyfit(y[:25, 0], y[:25, 1], 1)
    found = fit.predict(conditional=True, interval="prediction")
    np.testing.assert_allclose(found.mean[25:, 1], intercept + slope * y[25:, 0], rtol=1e-8)
    rest = y[:25, 1] - intercept - slope * y[:25, 0]
    assert found.prediction_error is not None
    spread = found.prediction_error[25:, 1] ** 2 - found.standard_error[25:, 1] ** 2
    np.testing.assert_allclose(spread, rest.var(), rtol=1e-7)


def test_observed_values_predict_themselves() -> None:
    y, x = array_trial(3)
    y = y[~np.isnan(y).all(axis=1)]
    x = x[: len(y)]
    found = fit_mmrm(y, x).predict(conditional=True, interval="prediction")
    seen = ~np.isnan(y)
    assert found.prediction_error is not None
    assert (found.mean[seen] == y[seen]).all()
    assert (found.prediction_error[seen] == 0).all()
    assert (found.prediction_error[~seen] > found.standard_error[~seen]).all()


def test_markov_structure_looks_at_neighbours_alone() -> None:
    y, x = array_trial(4, 60, 4, missing=0.0)
    y[0, 3] = np.nan
    fit = fit_mmrm(y, x, covariance="ante-dependence-heterogeneous")
    mean = x[0] @ fit.coefficients
    slope = fit.covariance[2, 3] / fit.covariance[2, 2]
    expected = mean[3] + slope * (y[0, 2] - mean[2])
    assert fit.predict(conditional=True).mean[0, 3] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("covariance", ["unstructured", "toeplitz", "spatial-exponential"])
def test_units_of_the_outcome(covariance: Any) -> None:
    y, x = array_trial(5)
    options: dict[str, Any] = {"covariance": covariance, "times": [1, 2, 4]}
    first = fit_mmrm(y, x, **options).predict(conditional=True)
    second = fit_mmrm(50 * y - 3, x, **options).predict(conditional=True)
    np.testing.assert_allclose(second.mean, 50 * first.mean - 3, rtol=1e-7)
    np.testing.assert_allclose(second.standard_error, 50 * first.standard_error, rtol=1e-6)
    np.testing.assert_allclose(second.degrees_of_freedom, first.degrees_of_freedom, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"group": "arm"},
        {"weights": "weight"},
        {"covariance": "spatial-exponential", "time": "day"},
        {"covariance": "spatial-exponential", "time": "own_day"},
    ],
)
def test_new_data_that_are_the_old(options: dict[str, Any]) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, DATA.height)
    data = DATA.with_columns((pl.col("day") + pl.Series(noise)).alias("own_day"))
    blank = pl.when(pl.col("visit") == "week4").then(None).otherwise(pl.col("change")).alias("change")
    some = pl.col("patient").is_in(["P002", "P005", "P011"])
    data = data.with_columns(pl.when(some).then(blank).otherwise(pl.col("change")).alias("change"))
    fit = formula_fit(data=data, **options)
    old = fit.predict(conditional=True, interval="prediction")
    ordered = data.sample(fraction=1.0, shuffle=True, seed=1)
    new = fit.predict(ordered, conditional=True, interval="prediction")
    assert ordered["change"].null_count() == 3
    assert old.prediction_error is not None
    assert new.prediction_error is not None
    for row, (patient, visit, change) in enumerate(ordered.select("patient", "visit", "change").rows()):
        i, j = fit.patients.index(patient), VISITS.index(visit)
        if change is not None:
            assert new.mean[row] == change
        else:
            assert new.mean[row] == pytest.approx(old.mean[i, j], rel=1e-9)
            assert new.prediction_error[row] == pytest.approx(old.prediction_error[i, j], rel=1e-9)
            assert new.degrees_of_freedom[row] == pytest.approx(old.degrees_of_freedom[i, j], rel=1e-9)


def test_own_times_by_plain_algebra() -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, DATA.height)
    data = DATA.with_columns((pl.col("day") + pl.Series(noise)).alias("own_day"))
    fit = formula_fit(data=data, covariance="spatial-exponential", time="own_day")
    rows = data.filter(pl.col("patient") == "P005")
    hidden = rows.with_columns(
        pl.when(pl.col("visit") == "week2").then(None).otherwise(pl.col("change")).alias("change")
    )
    found = fit.predict(hidden, conditional=True, interval="prediction")
    v = fit.covariance_at(rows["own_day"].to_numpy())
    mean = fit.predict(rows).mean
    at = rows["visit"].to_list().index("week2")
    seen = np.arange(rows.height) != at
    regression = np.linalg.solve(v[np.ix_(seen, seen)], v[seen, at])
    expected = mean[at] + regression @ (rows["change"].to_numpy() - mean)[seen]
    assert found.mean[at] == pytest.approx(expected, rel=1e-10)


@pytest.mark.skipif(not FEV.exists(), reason="the data of R's mmrm are not part of this package")
@pytest.mark.parametrize(
    ("covariance", "means", "errors"),
    [
        ("unstructured", (44.9753553724207, 41.4074753229983), (7.07537882030293, 4.72199122235202)),
        ("toeplitz", (49.2972533971016, 32.5585487765097), (7.89495102841021, 7.32982693449642)),
        ("ar1", (42.7404650408987, 34.8347780646782), (8.469966361884, 7.88346546930503)),
        ("compound-symmetry", (44.0595030539703, 44.0595030539703), (9.10525401644359, 9.10525401644359)),
    ],
)
def test_sas(covariance: Any, means: tuple[float, ...], errors: tuple[float, ...]) -> None:
    """SAS PROC MIXED's predictions of patient 1 of fev_data, from the tests of R's mmrm.

    SAS stops where the Hessian-scaled gradient is 1e-8 of the deviance of 3,700, that is up to 0.006 standard
    errors of the covariance parameters short of the maximum; hence a tolerance of 5e-4 of the prediction's error.
    """
    fit = mmrm(
        "FEV1 ~ ARMCD",
        pl.read_csv(FEV),
        subject="USUBJID",
        visit="AVISIT",
        covariance=covariance,
        levels={"AVISIT": ["VIS1", "VIS2", "VIS3", "VIS4"], "ARMCD": ["PBO", "TRT"]},
    )
    found = fit.predict(conditional=True, interval="prediction")
    assert found.prediction_error is not None
    i = fit.patients.index("PT1")
    np.testing.assert_allclose(found.mean[i, [0, 2]], means, atol=5e-4 * max(errors))
    np.testing.assert_allclose(found.prediction_error[i, [0, 2]], errors, rtol=5e-4)


def test_prediction_intervals_cover() -> None:
    """24 patients, four without the last of three visits: their last outcomes, and those of four new patients.

    600 trials; an interval that took the covariance as known would cover 0.92 of the missing outcomes.
    """
    rng = np.random.default_rng(11)
    factor = np.linalg.cholesky(0.7 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3))))
    x = array_trial(0, 24)[1]
    inside: dict[str, list[float]] = {"conditional": [], "marginal": []}
    for _ in range(600):
        y = rng.normal(size=(24, 3)) @ factor.T
        truth = {"conditional": y[:4, 2].copy(), "marginal": rng.normal(size=4)}
        y[:4, 2] = np.nan
        fit = fit_mmrm(y, x)
        for kind, shares in inside.items():
            found = fit.predict(conditional=kind == "conditional", interval="prediction")
            assert found.lower is not None
            assert found.upper is not None
            low, high = found.lower[:4, 2], found.upper[:4, 2]
            shares.append(float(((low < truth[kind]) & (truth[kind] < high)).mean()))
    for shares in inside.values():
        assert abs(np.mean(shares) - 0.95) < 3 * np.std(shares) / np.sqrt(600)


def test_slope_uncertainty_is_that_of_the_regression() -> None:
    """Two visits, monotone: the prediction error is that of the completers' regression, but for 1 / n terms.

    A regression of n completers has variance s^2 (1 + 1/n + (x - mean)^2 / Sxx) and n - 2 degrees of freedom.
    """
    from scipy.stats import t

    rng = np.random.default_rng(7)
    y = rng.normal(size=(400, 2)) @ np.array([[2.0, 1.5], [0.0, 1.0]])
    y[200:, 1] = np.nan
    fit = fit_mmrm(y, np.tile(np.eye(2), (400, 1, 1)))
    found = fit.predict(conditional=True, interval="prediction")
    assert found.covariance_error is not None
    assert found.upper is not None
    first, second = y[:200].T
    slope, intercept = np.polyfit(first, second, 1)
    rest = second - intercept - slope * first
    s2, sxx = rest @ rest / 198, ((first - first.mean()) ** 2).sum()
    far = y[200:, 0]
    np.testing.assert_allclose(found.mean[200:, 1], intercept + slope * far, rtol=1e-7, atol=1e-8)
    half = t.ppf(0.975, 198) * np.sqrt(s2 * (1 + 1 / 200 + (far - first.mean()) ** 2 / sxx))
    np.testing.assert_allclose((found.upper - found.mean)[200:, 1], half, rtol=0.02)
    # The slope's own variance: s^2 (x - m)^2 / Sxx, counted twice for the bias of the plug-in variance.
    expected = 2 * s2 * (far - fit.coefficients[0]) ** 2 / sxx
    np.testing.assert_allclose(found.covariance_error[200:, 1] ** 2, expected, rtol=0.02)
    np.testing.assert_allclose(found.degrees_of_freedom[200:, 1], 198, rtol=0.02)
