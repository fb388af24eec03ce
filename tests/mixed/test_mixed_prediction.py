"""Fitted means and conditional predictions: SAS's and R's numbers, dense algebra, closed forms, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from equipoise import InputError
from equipoise.mixed import MixedFit, fit_mmrm, mmrm
from equipoise.mixed.individuals import design_at_every_visit
from equipoise.mixed.prediction import predict
from mmrm_reference import CASES, fitted

Array = NDArray[np.float64]
DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
FEV = Path(__file__).parents[3] / "shared/reference/data/fev.csv"
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"]}


def formula_fit(formula: str = "change ~ baseline + arm * visit", data: Any = DATA, **options: Any) -> MixedFit:
    return mmrm(formula, data, subject="patient", visit="visit", levels=LEVELS, **options)


def trial(seed: int, n_patients: int = 40, n_visits: int = 3, missing: float = 0.2) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    arm = np.arange(n_patients) % 2
    eye = np.tile(np.eye(n_visits), (n_patients, 1, 1))
    x = np.concatenate([eye, arm[:, None, None] * eye], axis=2)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    y = 20 + rng.normal(size=(n_patients, n_visits)) @ np.linalg.cholesky(4 * 0.7**lag).T
    y[rng.random(y.shape) < missing] = np.nan
    return y, x


class TestConditional:
    @pytest.mark.parametrize("variance", ["model", "CR0"])
    def test_dense_algebra_with_missing_values_as_parameters(self, variance: Any) -> None:
        """Missing outcomes set to zero, each with an indicator column of its own: generalised least squares then
        gives minus the predictions as their coefficients, with the variance of the prediction error (Bartlett 1937).
        """
        y, x = trial(1, 30)
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
            root = np.sqrt(np.where(np.isnan(row), 1.0, weights[i]))
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
        found = predict(fit, conditional=True, interval="prediction")
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
            theirs = predict(model, conditional=True, interval="prediction")
            assert theirs.prediction_error is not None
            np.testing.assert_allclose(
                inflation, theirs.prediction_error[where] ** 2 - theirs.standard_error[where] ** 2, rtol=1e-7
            )

    def test_regression_on_the_earlier_visit(self) -> None:
        """Two visits, some lacking the second, by maximum likelihood: the completers' regression (Anderson 1957)."""
        y, _ = trial(2, 40, 2, missing=0.0)
        y[25:, 1] = np.nan
        fit = fit_mmrm(y, np.tile(np.eye(2), (40, 1, 1)), method="ml")
        slope, intercept = np.polyfit(y[:25, 0], y[:25, 1], 1)
        found = predict(fit, conditional=True, interval="prediction")
        np.testing.assert_allclose(found.mean[25:, 1], intercept + slope * y[25:, 0], rtol=1e-8)
        rest = y[:25, 1] - intercept - slope * y[:25, 0]
        assert found.prediction_error is not None
        spread = found.prediction_error[25:, 1] ** 2 - found.standard_error[25:, 1] ** 2
        np.testing.assert_allclose(spread, rest.var(), rtol=1e-7)

    def test_observed_values_predict_themselves(self) -> None:
        y, x = trial(3)
        y = y[~np.isnan(y).all(axis=1)]
        x = x[: len(y)]
        found = predict(fit_mmrm(y, x), conditional=True, interval="prediction")
        seen = ~np.isnan(y)
        assert found.prediction_error is not None
        assert (found.mean[seen] == y[seen]).all()
        assert (found.prediction_error[seen] == 0).all()
        assert (found.prediction_error[~seen] > found.standard_error[~seen]).all()

    def test_markov_structure_looks_at_neighbours_alone(self) -> None:
        y, x = trial(4, 60, 4, missing=0.0)
        y[0, 3] = np.nan
        fit = fit_mmrm(y, x, covariance="ante-dependence-heterogeneous")
        mean = x[0] @ fit.coefficients
        slope = fit.covariance[2, 3] / fit.covariance[2, 2]
        expected = mean[3] + slope * (y[0, 2] - mean[2])
        assert predict(fit, conditional=True).mean[0, 3] == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize("covariance", ["unstructured", "toeplitz", "spatial-exponential"])
    def test_units_of_the_outcome(self, covariance: Any) -> None:
        y, x = trial(5)
        options: dict[str, Any] = {"covariance": covariance, "times": [1, 2, 4]}
        first = predict(fit_mmrm(y, x, **options), conditional=True)
        second = predict(fit_mmrm(50 * y - 3, x, **options), conditional=True)
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
    def test_new_data_that_are_the_old(self, options: dict[str, Any]) -> None:
        noise = np.random.default_rng(0).uniform(-0.3, 0.3, DATA.height)
        data = DATA.with_columns((pl.col("day") + pl.Series(noise)).alias("own_day"))
        blank = pl.when(pl.col("visit") == "week4").then(None).otherwise(pl.col("change")).alias("change")
        some = pl.col("patient").is_in(["P002", "P005", "P011"])
        data = data.with_columns(pl.when(some).then(blank).otherwise(pl.col("change")).alias("change"))
        # What the fit cannot know of a row without outcome: its weight counts as one, its time as the visit's mean.
        data = data.with_columns(
            pl.when(pl.col("change").is_null()).then(1.0).otherwise(pl.col("weight")).alias("weight"),
            pl.when(pl.col("change").is_null())
            .then(pl.col("own_day").filter(pl.col("change").is_not_null()).mean().over("visit"))
            .otherwise(pl.col("own_day"))
            .alias("own_day"),
        )
        fit = formula_fit(data=data, **options)
        old = predict(fit, conditional=True, interval="prediction")
        ordered = data.sample(fraction=1.0, shuffle=True, seed=1)
        new = predict(fit, ordered, conditional=True, interval="prediction")
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

    def test_own_times_by_plain_algebra(self) -> None:
        noise = np.random.default_rng(0).uniform(-0.3, 0.3, DATA.height)
        data = DATA.with_columns((pl.col("day") + pl.Series(noise)).alias("own_day"))
        fit = formula_fit(data=data, covariance="spatial-exponential", time="own_day")
        rows = data.filter(pl.col("patient") == "P005")
        hidden = rows.with_columns(
            pl.when(pl.col("visit") == "week2").then(None).otherwise(pl.col("change")).alias("change")
        )
        found = predict(fit, hidden, conditional=True, interval="prediction")
        v = fit.covariance_at(rows["own_day"].to_numpy())
        mean = predict(fit, rows).mean
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
    def test_sas(self, covariance: Any, means: tuple[float, ...], errors: tuple[float, ...]) -> None:
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
        found = predict(fit, conditional=True, interval="prediction")
        assert found.prediction_error is not None
        i = fit.patients.index("PT1")
        np.testing.assert_allclose(found.mean[i, [0, 2]], means, atol=5e-4 * max(errors))
        np.testing.assert_allclose(found.prediction_error[i, [0, 2]], errors, rtol=5e-4)


class TestMeans:
    @pytest.mark.parametrize("identity", ["ours_byvisit_us_satterthwaite", "ours_byvisit_us_kenwardroger"])
    def test_least_squares_means_of_r(self, identity: str) -> None:
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
        found = predict(fit, new)
        assert found.lower is not None
        assert found.upper is not None
        expected = {
            key: np.array([row[key] for row in rows]) for key in ("estimate", "se", "df", "ci_lower", "ci_upper")
        }
        scale = expected["se"]
        assert (np.abs(found.mean - expected["estimate"]) < 1e-7 * scale).all()
        np.testing.assert_allclose(found.standard_error, scale, rtol=1e-7)
        np.testing.assert_allclose(found.degrees_of_freedom, expected["df"], rtol=1e-7)
        assert (np.abs(found.lower - expected["ci_lower"]) < 3e-7 * scale).all()
        assert (np.abs(found.upper - expected["ci_upper"]) < 3e-7 * scale).all()

    def test_average_over_sites_is_the_least_squares_mean_of_r(self) -> None:
        identity = "ours_us_reml_satterthwaite"
        fit, rows = fitted(identity), CASES[identity]["expected"]["ls_means"]
        assert fit._grid is not None
        sites = fit._grid.factors["site"]
        for row in rows:
            new = pl.DataFrame({"site": sites, "arm": [row["arm"]] * 3, "visit": [row["visit"]] * 3}).with_columns(
                pl.lit(fit._grid.means["baseline"]).alias("baseline")
            )
            assert predict(fit, new).mean.mean() == pytest.approx(row["estimate"], rel=1e-8)

    def test_one_visit_is_the_regression_of_the_textbook(self) -> None:
        from scipy.stats import t

        rng = np.random.default_rng(8)
        x = np.stack([np.ones(20), rng.normal(size=20)], axis=1)
        y = x @ [1.0, 2.0] + rng.normal(size=20)
        fit = fit_mmrm(y[:, None], x[:, None, :])
        found = {kind: predict(fit, interval=kind, level=0.9) for kind in ("confidence", "prediction")}
        beta, rest, *_ = np.linalg.lstsq(x, y, rcond=None)
        leverage = np.einsum("ip,pq,iq->i", x, np.linalg.inv(x.T @ x), x)
        for kind, added in (("confidence", 0.0), ("prediction", 1.0)):
            half = t.ppf(0.95, 18) * np.sqrt(rest[0] / 18 * (leverage + added))
            np.testing.assert_allclose(found[kind].mean[:, 0], x @ beta, rtol=1e-10)
            np.testing.assert_allclose(found[kind].lower[:, 0], x @ beta - half, rtol=1e-7)
            np.testing.assert_allclose(found[kind].upper[:, 0], x @ beta + half, rtol=1e-7)

    @pytest.mark.parametrize("kind", ["satterthwaite", "kenward-roger", "between-within", "residual", "normal"])
    def test_every_row_is_an_estimate(self, kind: Any) -> None:
        fit = formula_fit("change ~ baseline * visit + arm * visit + site", degrees_of_freedom=kind)
        found, design = predict(fit), design_at_every_visit(fit)
        for i, j in ((0, 0), (3, 4), (77, 2), (149, 1)):
            estimate = fit.estimate(design[i, j])
            interval = estimate.interval()
            assert found.lower is not None
            assert found.mean[i, j] == pytest.approx(estimate.effect, rel=1e-12)
            assert found.standard_error[i, j] == pytest.approx(estimate.standard_error, rel=1e-10)
            assert found.degrees_of_freedom[i, j] == pytest.approx(estimate.degrees_of_freedom, rel=1e-10)
            assert found.lower[i, j] == pytest.approx(interval.lower, rel=1e-10)

    def test_rows_of_the_fit_as_new_data(self) -> None:
        fit = formula_fit("change ~ baseline * visit + arm * visit + site", weights="weight", group="arm")
        old, new = predict(fit, interval="prediction"), predict(fit, DATA.to_pandas(), interval="prediction")
        assert old.lower is not None
        assert new.lower is not None
        place = (
            [fit.patients.index(p) for p in DATA["patient"]],
            [VISITS.index(v) for v in DATA["visit"]],
        )
        for name in ("mean", "standard_error", "degrees_of_freedom", "lower", "upper"):
            np.testing.assert_allclose(getattr(new, name), getattr(old, name)[place], rtol=1e-9)

    def test_no_interval_and_frames(self) -> None:
        fit = formula_fit()
        found = predict(fit, interval=None)
        assert found.lower is None
        frame = found.to_frame()
        assert frame.columns == ["patient", "visit", "mean", "standard_error", "degrees_of_freedom"]
        assert frame.height == 150 * 5
        assert "Fitted means" in str(found)
        assert "and 730 more" in str(found)
        conditional = predict(fit, DATA.head(7), conditional=True)
        assert conditional.to_frame().columns[-2:] == ["lower", "upper"]
        assert "Conditional predictions" in str(conditional)
        assert "95 % confidence interval" in conditional._repr_html_()

    def test_prediction_intervals_cover(self) -> None:
        """24 patients, four without the last of three visits: their last outcomes, and those of four new patients.

        600 trials; an interval that took the covariance as known would cover 0.92 of the missing outcomes.
        """
        rng = np.random.default_rng(11)
        factor = np.linalg.cholesky(0.7 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3))))
        x = trial(0, 24)[1]
        inside: dict[str, list[float]] = {"conditional": [], "marginal": []}
        for _ in range(600):
            y = rng.normal(size=(24, 3)) @ factor.T
            truth = {"conditional": y[:4, 2].copy(), "marginal": rng.normal(size=4)}
            y[:4, 2] = np.nan
            fit = fit_mmrm(y, x)
            for kind, shares in inside.items():
                found = predict(fit, conditional=kind == "conditional", interval="prediction")
                assert found.lower is not None
                assert found.upper is not None
                low, high = found.lower[:4, 2], found.upper[:4, 2]
                shares.append(float(((low < truth[kind]) & (truth[kind] < high)).mean()))
        for shares in inside.values():
            assert abs(np.mean(shares) - 0.95) < 3 * np.std(shares) / np.sqrt(600)

    def test_slope_uncertainty_is_that_of_the_regression(self) -> None:
        """Two visits, monotone: the prediction error is that of the completers' regression, but for 1 / n terms.

        A regression of n completers has variance s^2 (1 + 1/n + (x - mean)^2 / Sxx) and n - 2 degrees of freedom.
        """
        from scipy.stats import t

        rng = np.random.default_rng(7)
        y = rng.normal(size=(400, 2)) @ np.array([[2.0, 1.5], [0.0, 1.0]])
        y[200:, 1] = np.nan
        fit = fit_mmrm(y, np.tile(np.eye(2), (400, 1, 1)))
        found = predict(fit, conditional=True, interval="prediction")
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


class TestDesignEverywhere:
    def test_covariates_of_the_patient_fill_visits_without_a_row(self) -> None:
        fit = formula_fit("change ~ baseline * visit + arm * visit + site")
        seen = ~np.isnan(fit._data.outcome)
        assert not seen.all()
        design = design_at_every_visit(fit)
        assert np.isfinite(design).all()
        np.testing.assert_array_equal(design[seen], fit._data.design[seen])
        i, j = np.argwhere(~seen)[0]
        own = DATA.filter(pl.col("patient") == fit.patients[i]).row(0, named=True)
        new = pl.DataFrame([{**own, "visit": VISITS[j]}])
        assert predict(fit, new).mean[0] == pytest.approx(predict(fit).mean[i, j], rel=1e-12)

    def test_covariates_that_change_are_known_only_from_their_row(self) -> None:
        rng = np.random.default_rng(3)
        data = DATA.with_columns(pl.Series("dose", rng.normal(size=DATA.height)))
        gone = (pl.col("patient") == "P002") & (pl.col("visit") == "week1")
        fit = formula_fit("change ~ arm * visit + dose", data.filter(~gone))
        i = fit.patients.index("P002")
        found = predict(fit)
        assert np.isnan(found.mean[i, 1])
        assert np.isnan(found.degrees_of_freedom[i, 1])
        assert (np.isnan(found.mean) == np.isnan(fit._data.outcome)).all()
        assert found.to_frame().height == int((~np.isnan(found.mean)).sum())
        blank = data.with_columns(pl.when(gone).then(None).otherwise(pl.col("change")).alias("change"))
        known = predict(formula_fit("change ~ arm * visit + dose", blank))
        assert known.mean[i, 1] == pytest.approx(predict(fit, data.filter(gone)).mean[0], rel=1e-9)

    def test_covariates_of_the_visit_fill_visits_without_a_row(self) -> None:
        fit = formula_fit("change ~ baseline + arm * day")
        i = fit.patients.index("P001")
        assert np.isnan(fit._data.outcome[i, 2])
        own = DATA.filter(pl.col("patient") == "P001").row(0, named=True)
        new = pl.DataFrame([{**own, "visit": "week2", "day": 14}])
        assert predict(fit).mean[i, 2] == pytest.approx(predict(fit, new).mean[0], rel=1e-12)

    def test_arrays_keep_what_they_were_given(self) -> None:
        y, x = trial(9)
        holed = x.copy()
        holed[np.isnan(y)] = np.nan
        kept = ~np.isnan(y).all(axis=1)
        assert np.isfinite(predict(fit_mmrm(y, x)).mean).all()
        found = predict(fit_mmrm(y, holed), conditional=True)
        assert (np.isnan(found.mean) == np.isnan(y[kept])).all()


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (pl.lit("placebo").alias("arm"), "arm is 'placebo'; expected one of the levels"),
            (pl.lit("week9").alias("visit"), "visit is 'week9'; expected one of the levels"),
            (pl.lit(None, dtype=pl.Float64).alias("baseline"), "missing in row 1"),
            (pl.lit("high").alias("baseline"), "numbers, as in the data of the fit"),
        ],
    )
    def test_rows_that_cannot_be(self, change: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            predict(formula_fit(), DATA.head(3).with_columns(change))

    def test_missing_column(self) -> None:
        with pytest.raises(InputError, match="'baseline'"):
            predict(formula_fit(), DATA.head(3).drop("baseline"))

    def test_a_cell_without_data_is_not_estimable(self) -> None:
        data = DATA.filter(~((pl.col("arm") == "ketamine") & (pl.col("site") == "east")))
        fit = formula_fit("change ~ arm * site + visit", data)
        new = data.head(2).with_columns(
            pl.Series("arm", ["midazolam", "ketamine"]), pl.Series("site", ["east", "east"])
        )
        with pytest.raises(InputError, match=r"row 2 .*that the data of the fit can estimate"):
            predict(fit, new)
        assert np.isfinite(predict(fit, new.head(1)).mean).all()

    def test_twice_at_one_visit(self) -> None:
        with pytest.raises(InputError, match="the patient of row 1 twice at visit"):
            predict(formula_fit(), pl.concat([DATA.head(2), DATA.head(1)]), conditional=True)

    def test_undefined_transformation(self) -> None:
        fit = formula_fit("change ~ np.log(baseline) + arm * visit")
        with pytest.raises(InputError, match=r"row 1.*finite values"):
            predict(fit, DATA.head(2).with_columns(pl.lit(-1.0).alias("baseline")))

    def test_arrays_and_options(self) -> None:
        y, x = trial(10)
        fit = fit_mmrm(y, x)
        with pytest.raises(InputError, match="made from arrays"):
            predict(fit, DATA)
        with pytest.raises(InputError, match="'confidence', 'prediction' or None"):
            predict(fit, interval="tolerance")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="between 0 and 1"):
            predict(fit, level=95)


def test_functions_in_the_formula() -> None:
    """Logarithms of the outcome and of a covariate, and a spline that remembers where its knots lie."""
    data = DATA.with_columns((pl.col("caps5") + 1).alias("score"))
    fit = formula_fit("np.log(score) ~ np.log(baseline) + bs(day, df=3) + arm * visit", data)
    old = predict(fit, conditional=True, interval="prediction")
    new = predict(fit, data, conditional=True, interval="prediction")
    np.testing.assert_allclose(new.mean, np.log(data["score"].to_numpy()), rtol=1e-14)
    week2 = data.filter(pl.col("visit") == "week2").with_columns(pl.lit(None, dtype=pl.Float64).alias("score"))
    found = predict(fit, pl.concat([data.filter(pl.col("visit") != "week2"), week2], how="diagonal_relaxed"),
                    conditional=True)  # fmt: skip
    assert np.isfinite(found.mean).all()
    assert np.isfinite(old.mean).all()
    i = fit.patients.index("P001")
    mean = predict(fit)
    only = pl.DataFrame([{**data.row(0, named=True), "visit": "week2", "day": 14}])
    assert mean.mean[i, 2] == pytest.approx(predict(fit, only).mean[0], rel=1e-10)
