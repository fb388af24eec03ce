"""The design where nothing was observed and at rows of new data, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from equipoise import InputError
from equipoise.mixed import fit_mmrm, mmrm
from equipoise.mixed.individuals import design_at_every_visit
from prediction_trials import DATA, VISITS, array_trial, formula_fit


class TestDesignEverywhere:
    def test_covariates_of_the_patient_fill_visits_without_a_row(self) -> None:
        fit = formula_fit("change ~ baseline * visit + arm * visit + site")
        seen = ~np.isnan(fit.outcome)
        assert not seen.all()
        design = design_at_every_visit(fit)
        assert np.isfinite(design).all()
        np.testing.assert_array_equal(design[seen], fit.design[seen])
        i, j = np.argwhere(~seen)[0]
        own = DATA.filter(pl.col("patient") == fit.patients[i]).row(0, named=True)
        new = pl.DataFrame([{**own, "visit": VISITS[j]}])
        assert fit.predict(new).mean[0] == pytest.approx(fit.predict().mean[i, j], rel=1e-12)

    def test_covariates_that_change_are_known_only_from_their_row(self) -> None:
        rng = np.random.default_rng(3)
        data = DATA.with_columns(pl.Series("dose", rng.normal(size=DATA.height)))
        gone = (pl.col("patient") == "P002") & (pl.col("visit") == "week1")
        fit = formula_fit("change ~ arm * visit + dose", data.filter(~gone))
        i = fit.patients.index("P002")
        found = fit.predict()
        assert np.isnan(found.mean[i, 1])
        assert np.isnan(found.degrees_of_freedom[i, 1])
        assert (np.isnan(found.mean) == np.isnan(fit.outcome)).all()
        assert found.to_frame().height == int((~np.isnan(found.mean)).sum())
        blank = data.with_columns(pl.when(gone).then(None).otherwise(pl.col("change")).alias("change"))
        known = formula_fit("change ~ arm * visit + dose", blank).predict()
        assert known.mean[i, 1] == pytest.approx(fit.predict(data.filter(gone)).mean[0], rel=1e-9)

    def test_covariates_of_the_visit_fill_visits_without_a_row(self) -> None:
        fit = formula_fit("change ~ baseline + arm * day")
        i = fit.patients.index("P001")
        assert np.isnan(fit.outcome[i, 2])
        own = DATA.filter(pl.col("patient") == "P001").row(0, named=True)
        new = pl.DataFrame([{**own, "visit": "week2", "day": 14}])
        assert fit.predict().mean[i, 2] == pytest.approx(fit.predict(new).mean[0], rel=1e-12)

    def test_arrays_keep_what_they_were_given(self) -> None:
        y, x = array_trial(9)
        holed = x.copy()
        holed[np.isnan(y)] = np.nan
        kept = ~np.isnan(y).all(axis=1)
        assert np.isfinite(fit_mmrm(y, x).predict().mean).all()
        found = fit_mmrm(y, holed).predict(conditional=True)
        assert (np.isnan(found.mean) == np.isnan(y[kept])).all()


def test_without_any_outcome_the_conditional_mean_is_the_mean() -> None:
    fit = formula_fit()
    rows = DATA.filter(pl.col("patient") == "P002")
    expected = fit.predict(rows)
    for blank in (pl.lit(None), pl.lit(None, dtype=pl.Float64)):
        found = fit.predict(rows.with_columns(blank.alias("change")), conditional=True)
        assert not found.observed.any()  # type: ignore[union-attr]
        np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
        np.testing.assert_allclose(found.standard_error, expected.standard_error, rtol=1e-9)


def test_weights_missing_count_as_one() -> None:
    fit = formula_fit(weights="weight")
    rows = DATA.head(3)
    missing = rows.with_columns(pl.lit(None, dtype=pl.Float64).alias("weight"))
    with_one, with_none = rows.with_columns(pl.lit(1.0).alias("weight")), rows.drop("weight")
    first, *others = (fit.predict(one, interval="prediction") for one in (missing, with_one, with_none))
    for other in others:
        np.testing.assert_array_equal(first.prediction_error, other.prediction_error)


def test_a_visit_that_nobody_had_does_not_disturb_the_others() -> None:
    """A numeric visit without any outcome is dropped from the fit, and its rows from what is known of patients."""
    numbered = DATA.with_columns(pl.col("visit").replace_strict(VISITS, [1, 2, 3, 4, 5], return_dtype=pl.Int64))
    never = numbered.filter(pl.col("visit") == 1).with_columns(
        pl.lit(0, dtype=pl.Int64).alias("visit"), pl.lit(None, dtype=pl.Int64).alias("change"), (pl.col("baseline") + 5)
    )
    options: dict[str, Any] = {"subject": "patient", "visit": "visit"}
    expected = mmrm("change ~ baseline + arm * visit", numbered, **options).predict()
    found = mmrm("change ~ baseline + arm * visit", pl.concat([never, numbered]), **options).predict()
    known = np.isfinite(found.mean)
    np.testing.assert_allclose(found.mean[known], expected.mean[known], rtol=1e-9)
    assert np.isfinite(expected.mean).all()


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
            formula_fit().predict(DATA.head(3).with_columns(change))

    def test_missing_column(self) -> None:
        with pytest.raises(InputError, match="'baseline'"):
            formula_fit().predict(DATA.head(3).drop("baseline"))

    def test_a_cell_without_data_is_not_estimable(self) -> None:
        data = DATA.filter(~((pl.col("arm") == "ketamine") & (pl.col("site") == "east")))
        fit = formula_fit("change ~ arm * site + visit", data)
        new = data.head(2).with_columns(
            pl.Series("arm", ["midazolam", "ketamine"]), pl.Series("site", ["east", "east"])
        )
        with pytest.raises(InputError, match=r"row 2 .*that the data of the fit can estimate"):
            fit.predict(new)
        assert np.isfinite(fit.predict(new.head(1)).mean).all()

    def test_twice_at_one_visit(self) -> None:
        with pytest.raises(InputError, match="the patient of row 3 twice at visit"):
            formula_fit().predict(pl.concat([DATA.head(2), DATA.head(1)]), conditional=True)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (pl.lit(None, dtype=pl.String).alias("patient"), r"data\['patient'\] .*missing in row 1"),
            (pl.lit(None, dtype=pl.String).alias("visit"), r"data\['visit'\] .*missing in row 1"),
            (pl.lit(None, dtype=pl.String).alias("arm"), r"data\['arm'\] .*missing in row 1"),
            (pl.lit("heavy").alias("weight"), "'weight'; expected a column of positive numbers"),
            (pl.lit(0.0).alias("weight"), "not above 0 in row 1"),
            (pl.lit("better").alias("change"), "'change'; expected an outcome of numbers"),
            (pl.Series("arm", ["ketamine", "midazolam"]), "the patient of row 1 in two.*one arm a patient"),
        ],
    )
    def test_rows_that_cannot_be_conditioned_on(self, change: Any, message: str) -> None:
        fit = formula_fit("change ~ baseline * visit", weights="weight", group="arm")
        with pytest.raises(InputError, match=message):
            fit.predict(DATA.head(2).with_columns(change), conditional=True)

    def test_times(self) -> None:
        fit = formula_fit(covariance="spatial-exponential", time="day")
        rows = DATA.head(2)
        for change, message in (
            (pl.lit("late").alias("day"), "'day'; expected a column of times as numbers"),
            (pl.Series("day", [1, None]), r"data\['day'\] .*missing in row 2"),
            (pl.lit(1).alias("day"), "the patient of row 2 twice at day 1"),
        ):
            with pytest.raises(InputError, match=message):
                fit.predict(rows.with_columns(change), conditional=True)
        assert np.isfinite(fit.predict(rows.drop("day")).mean).all()

    def test_outcome_that_is_not_finite(self) -> None:
        data = DATA.with_columns((pl.col("caps5") + 1).alias("score"))
        fit = formula_fit("np.log(score) ~ arm * visit", data)
        with pytest.raises(InputError, match=r"row 1.*a finite outcome, or a missing one"):
            fit.predict(data.head(2).with_columns(pl.lit(-1).alias("score")), conditional=True)

    def test_undefined_transformation(self) -> None:
        fit = formula_fit("change ~ np.log(baseline) + arm * visit")
        with pytest.raises(InputError, match=r"row 1.*finite values"):
            fit.predict(DATA.head(2).with_columns(pl.lit(-1.0).alias("baseline")))

    def test_arrays_and_options(self) -> None:
        y, x = array_trial(10)
        fit = fit_mmrm(y, x)
        with pytest.raises(InputError, match="made from arrays"):
            fit.predict(DATA)
        with pytest.raises(InputError, match="'confidence', 'prediction' or None"):
            fit.predict(interval="tolerance")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="between 0 and 1"):
            fit.predict(level=95)


def test_functions_in_the_formula() -> None:
    """Logarithms of the outcome and of a covariate, and a spline that remembers where its knots lie."""
    data = DATA.with_columns((pl.col("caps5") + 1).alias("score"))
    fit = formula_fit("np.log(score) ~ np.log(baseline) + bs(day, df=3) + arm * visit", data)
    old = fit.predict(conditional=True, interval="prediction")
    new = fit.predict(data, conditional=True, interval="prediction")
    np.testing.assert_allclose(new.mean, np.log(data["score"].to_numpy()), rtol=1e-14)
    week2 = data.filter(pl.col("visit") == "week2").with_columns(pl.lit(None, dtype=pl.Float64).alias("score"))
    found = fit.predict(pl.concat([data.filter(pl.col("visit") != "week2"), week2], how="diagonal_relaxed"),
                    conditional=True)  # fmt: skip
    assert np.isfinite(found.mean).all()
    assert np.isfinite(old.mean).all()
    i = fit.patients.index("P001")
    mean = fit.predict()
    only = pl.DataFrame([{**data.row(0, named=True), "visit": "week2", "day": 14}])
    assert mean.mean[i, 2] == pytest.approx(fit.predict(only).mean[0], rel=1e-10)
