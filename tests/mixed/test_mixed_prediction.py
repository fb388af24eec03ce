"""Fitted means and their intervals: R's numbers, the textbook, tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import t

from equipoise.mixed import fit_mmrm
from equipoise.mixed.individuals import design_at_every_visit
from mmrm_reference import CASES, fitted
from prediction_trials import DATA, VISITS, formula_fit


@pytest.mark.parametrize("identity", ["ours_byvisit_us_satterthwaite", "ours_byvisit_us_kenwardroger"])
def test_least_squares_means_of_r(identity: str) -> None:
    """emmeans 1.8.4.1: without other factors a mean at the mean baseline is the fitted value there."""
    fit, rows = fitted(identity), CASES[identity]["expected"]["ls_means"]
    assert fit._grid is not None
    new = pl.DataFrame(
        {
            "baseline": [fit._grid.means["baseline"]] * len(rows),
            "arm": [row["arm"] for row in rows],
            "visit": [row["visit"] for row in rows],
        }
    )
    found = fit.predict(new)
    assert found.lower is not None
    assert found.upper is not None
    expected = {key: np.array([row[key] for row in rows]) for key in ("estimate", "se", "df", "ci_lower", "ci_upper")}
    scale = expected["se"]
    assert (np.abs(found.mean - expected["estimate"]) < 1e-7 * scale).all()
    np.testing.assert_allclose(found.standard_error, scale, rtol=1e-7)
    np.testing.assert_allclose(found.degrees_of_freedom, expected["df"], rtol=1e-7)
    assert (np.abs(found.lower - expected["ci_lower"]) < 3e-7 * scale).all()
    assert (np.abs(found.upper - expected["ci_upper"]) < 3e-7 * scale).all()


def test_average_over_sites_is_the_least_squares_mean_of_r() -> None:
    identity = "ours_us_reml_satterthwaite"
    fit, rows = fitted(identity), CASES[identity]["expected"]["ls_means"]
    assert fit._grid is not None
    sites = fit._grid.factors["site"]
    for row in rows:
        new = pl.DataFrame({"site": sites, "arm": [row["arm"]] * 3, "visit": [row["visit"]] * 3}).with_columns(
            pl.lit(fit._grid.means["baseline"]).alias("baseline")
        )
        assert fit.predict(new).mean.mean() == pytest.approx(row["estimate"], rel=1e-8)


def test_one_visit_is_the_regression_of_the_textbook() -> None:
    rng = np.random.default_rng(8)
    x = np.stack([np.ones(20), rng.normal(size=20)], axis=1)
    y = x @ [1.0, 2.0] + rng.normal(size=20)
    fit = fit_mmrm(y[:, None], x[:, None, :])
    found = {kind: fit.predict(interval=kind, level=0.9) for kind in ("confidence", "prediction")}
    beta, rest, *_ = np.linalg.lstsq(x, y, rcond=None)
    leverage = np.einsum("ip,pq,iq->i", x, np.linalg.inv(x.T @ x), x)
    for kind, added in (("confidence", 0.0), ("prediction", 1.0)):
        half = t.ppf(0.95, 18) * np.sqrt(rest[0] / 18 * (leverage + added))
        np.testing.assert_allclose(found[kind].mean[:, 0], x @ beta, rtol=1e-10)
        np.testing.assert_allclose(found[kind].lower[:, 0], x @ beta - half, rtol=1e-7)
        np.testing.assert_allclose(found[kind].upper[:, 0], x @ beta + half, rtol=1e-7)


@pytest.mark.parametrize("kind", ["satterthwaite", "kenward-roger", "between-within", "residual", "normal"])
def test_every_row_is_an_estimate(kind: Any) -> None:
    fit = formula_fit("change ~ baseline * visit + arm * visit + site", degrees_of_freedom=kind)
    found, design = fit.predict(), design_at_every_visit(fit)
    for i, j in ((0, 0), (3, 4), (77, 2), (149, 1)):
        estimate = fit.estimate(design[i, j])
        interval = estimate.interval()
        assert found.lower is not None
        assert found.mean[i, j] == pytest.approx(estimate.effect, rel=1e-12)
        assert found.standard_error[i, j] == pytest.approx(estimate.standard_error, rel=1e-10)
        assert found.degrees_of_freedom[i, j] == pytest.approx(estimate.degrees_of_freedom, rel=1e-10)
        assert found.lower[i, j] == pytest.approx(interval.lower, rel=1e-10)


def test_rows_of_the_fit_as_new_data() -> None:
    fit = formula_fit("change ~ baseline * visit + arm * visit + site", weights="weight", group="arm")
    old, new = fit.predict(interval="prediction"), fit.predict(DATA.to_pandas(), interval="prediction")
    assert old.lower is not None
    assert new.lower is not None
    place = (
        [fit.patients.index(p) for p in DATA["patient"]],
        [VISITS.index(v) for v in DATA["visit"]],
    )
    for name in ("mean", "standard_error", "degrees_of_freedom", "lower", "upper"):
        np.testing.assert_allclose(getattr(new, name), getattr(old, name)[place], rtol=1e-9)


def test_no_interval_and_frames() -> None:
    fit = formula_fit()
    found = fit.predict(interval=None)
    assert found.lower is None
    frame = found.to_frame()
    assert frame.columns == ["patient", "visit", "mean", "standard_error", "degrees_of_freedom"]
    assert frame.height == 150 * 5
    assert "Fitted means" in str(found)
    assert "and 730 more" in str(found)
    conditional = fit.predict(DATA.head(7), conditional=True)
    assert conditional.to_frame().columns[-2:] == ["lower", "upper"]
    assert "Conditional predictions" in str(conditional)
    assert "95 % confidence interval" in conditional._repr_html_()


def test_the_error_printed_is_that_of_the_interval() -> None:
    fit = formula_fit()
    for options, head in (
        ({"interval": "confidence"}, "standard error"),
        ({"interval": "prediction"}, "prediction error"),
        ({"interval": "prediction", "conditional": True}, "prediction error"),
    ):
        found = fit.predict(level=0.9, **options)  # type: ignore[arg-type]
        assert found.lower is not None
        assert found.upper is not None
        heads, body, _ = found._table()
        assert heads[-3:] == [head, "df", f"90 % {options['interval']} interval"]
        row = next(row for row in body if row[-3] != "observed")
        place = [fit.patients.index(row[0])], [VISITS.index(row[1])]
        error, low, high = found.interval_error[place][0], found.lower[place][0], found.upper[place][0]
        assert float(row[-3]) == pytest.approx(error, rel=5e-3)
        quantile = t.ppf(0.95, found.degrees_of_freedom[place][0])
        assert high - low == pytest.approx(2 * quantile * error, rel=1e-9)


def test_observed_outcomes_are_printed_as_such() -> None:
    fit = formula_fit()
    found = fit.predict(conditional=True, interval="prediction")
    assert found.observed is not None
    assert (found.observed == fit.observed).all()
    heads, body, _ = found._table()
    assert [row[heads.index("prediction error")] == "observed" for row in body] == fit.observed.reshape(-1)[
        :20
    ].tolist()
    own = body[0]
    assert own[heads.index("df") :] == ["", ""]
    assert float(own[heads.index("mean")]) == DATA["change"][0]
    frame = found.to_frame()
    assert frame.columns[:4] == ["patient", "visit", "observed", "mean"]
    assert frame["observed"].sum() == fit.n_observations
    assert "observed" in str(fit.predict(DATA.head(2), conditional=True, interval=None))
    assert "observed" not in str(fit.predict())


def test_many_contrasts_in_blocks() -> None:
    """More different rows than a block holds, each as if it had been asked for alone."""
    rng = np.random.default_rng(1)
    data = DATA.with_columns(pl.Series("dose", rng.normal(size=DATA.height)))
    fit = formula_fit("change ~ dose + arm * visit", data)
    new = pl.concat([data.with_columns(pl.Series("dose", rng.normal(size=DATA.height))) for _ in range(2)])
    assert new.height > 1024
    found = fit.predict(new)
    for row in (0, 700, 1100, new.height - 1):
        alone = fit.predict(new[row])
        assert found.standard_error[row] == pytest.approx(alone.standard_error[0], rel=1e-10)
        assert found.degrees_of_freedom[row] == pytest.approx(alone.degrees_of_freedom[0], rel=1e-10)
