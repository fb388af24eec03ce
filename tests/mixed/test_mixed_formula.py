"""The formula face of the mixed model: any frame, names and order as in R, and clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equipoise import InputError
from equipoise.mixed import FitError, MixedFit, mmrm

DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"]}
FORMULA = "change ~ baseline + arm * visit"


def fitted(data: Any = DATA, formula: str = FORMULA, **options: Any) -> MixedFit:
    return mmrm(formula, data, **{"subject": "patient", "visit": "visit", "levels": LEVELS, **options})


FIT = fitted()


def unchanged(fit: MixedFit) -> None:
    assert fit.names == FIT.names
    np.testing.assert_allclose(fit.coefficients, FIT.coefficients, rtol=1e-8)
    np.testing.assert_allclose(fit.degrees_of_freedom, FIT.degrees_of_freedom, rtol=1e-7)
    assert fit.log_likelihood == pytest.approx(FIT.log_likelihood, rel=1e-12)


class TestFrames:
    def test_pandas(self) -> None:
        import pandas

        frame = pandas.DataFrame(DATA.to_dict(as_series=False))
        unchanged(fitted(frame))
        frame["arm"] = pandas.Categorical(frame["arm"], LEVELS["arm"])
        frame["visit"] = pandas.Categorical(frame["visit"], VISITS)
        with pytest.raises(InputError, match="ordered pandas Categorical"):
            fitted(frame, levels=None)
        frame["visit"] = pandas.Categorical(frame["visit"], VISITS, ordered=True)
        unchanged(fitted(frame, levels=None))
        with pytest.raises(InputError, match="name of their own"):
            fitted(pandas.concat([frame, frame[["baseline"]]], axis=1))
        with pytest.raises(InputError, match="named by text"):
            fitted(frame.rename(columns={"site": 3}))

    def test_large_numbers_of_patients_stay_apart(self) -> None:
        numbers = {name: 2**53 + at for at, name in enumerate(DATA["patient"].unique(maintain_order=True))}
        unchanged(fitted(DATA.with_columns(pl.col("patient").replace_strict(numbers, return_dtype=pl.Int64))))

    def test_covariates_named_like_functions(self) -> None:
        for name in ("C", "log", "np", "center"):
            fit = fitted(DATA.rename({"baseline": name}), f"change ~ {name} + arm * visit")
            np.testing.assert_allclose(fit.coefficients[1], fitted().coefficients[1], rtol=1e-9)

    def test_arrow_and_lazy(self) -> None:
        unchanged(fitted(DATA.to_arrow()))
        unchanged(fitted(DATA.lazy()))

    def test_enum_keeps_its_order(self) -> None:
        frame = DATA.with_columns(pl.col("visit").cast(pl.Enum(VISITS)), pl.col("arm").cast(pl.Enum(LEVELS["arm"])))
        unchanged(fitted(frame, levels=None))

    def test_rows_in_any_order(self) -> None:
        unchanged(fitted(DATA.sample(fraction=1.0, shuffle=True, seed=3)))

    def test_number_of_the_visit_is_a_factor(self) -> None:
        numbered = DATA.with_columns(pl.col("day").alias("visit"))
        fit = fitted(numbered, levels={"arm": LEVELS["arm"]})
        assert fit.visits == ("1", "7", "14", "28", "56")
        assert fit.names[3:7] == ("visit7", "visit14", "visit28", "visit56")
        np.testing.assert_allclose(fit.coefficients, FIT.coefficients, rtol=1e-8)
        assert fit.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": 14}).effect == pytest.approx(
            FIT.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week2"}).effect
        )

    def test_categories_made_in_the_formula(self) -> None:
        dosed = DATA.with_columns(pl.col("patient").str.slice(1).cast(pl.Int64).mod(3).mul(10).alias("dose"))
        made = fitted(dosed, "change ~ C(dose) + arm * visit")
        named = fitted(dosed, "change ~ dose + arm * visit", levels={**LEVELS, "dose": [0, 10, 20]})
        np.testing.assert_allclose(made.coefficients, named.coefficients, rtol=1e-12)
        for cell in ("midazolam", "ketamine"):
            assert made.ls_means("arm")[cell].effect == pytest.approx(named.ls_means("arm")[cell].effect, rel=1e-12)
        with pytest.raises(InputError, match="evaluated"):
            fitted(dosed, "change ~ C(dose, Treatment('zz')) + arm * visit")

    def test_missing_values_of_pandas(self) -> None:
        import pandas

        frame = DATA.to_pandas()
        text = pandas.array([value if at % 40 else pandas.NA for at, value in enumerate(frame["site"])], dtype="string")
        fit = fitted(frame.assign(site=text), "change ~ site + arm * visit")
        assert any("site missing in" in note for note in fit.notes)

    def test_weights_and_times_of_rows_without_an_outcome(self) -> None:
        """A score not seen is expected from its own time and weight, whether asked of the fit or of the same data."""
        gone = DATA.with_columns(
            pl.when(pl.int_range(pl.len()) % 7 == 3).then(None).otherwise(pl.col("change")).alias("change"),
            (pl.col("day") + pl.int_range(pl.len()) % 5).alias("own"),
        )
        for options in ({"weights": "weight"}, {"covariance": "spatial-exponential", "time": "own"}):
            fit = fitted(gone, **options)
            alone = fit.predict(conditional=True, interval="prediction").to_frame()
            again = fit.predict(gone, conditional=True, interval="prediction").to_frame()
            pairs = alone.join(
                gone.select("patient", "visit").with_columns(again["mean", "prediction_error"]), on=["patient", "visit"]
            )
            assert len(pairs) > 0.95 * len(gone)
            np.testing.assert_allclose(pairs["mean"], pairs["mean_right"], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(pairs["prediction_error"], pairs["prediction_error_right"], rtol=1e-7, atol=1e-9)

    def test_large_covariates_hide_nothing(self) -> None:
        """An arm never seen at a visit is not estimable there, whatever the unit of a covariate."""
        absent = DATA.filter(~((pl.col("arm") == "ketamine") & (pl.col("visit") == "week8")))
        for factor in (1.0, 1e11):
            scaled = absent.with_columns(pl.col("baseline") * factor)
            fit = fitted(scaled, "change ~ baseline + arm * visit")
            cells = {tuple(row.cell.values()): row.estimate for row in fit.ls_means("arm", by="visit")}
            assert [cell for cell, estimate in cells.items() if estimate is None] == [("ketamine", "week8")]

    def test_reference_level_follows_levels(self) -> None:
        swapped = fitted(levels={**LEVELS, "arm": ["ketamine", "midazolam"]})
        assert "armmidazolam" in swapped.names
        assert swapped.coefficients[swapped.names.index("armmidazolam")] == pytest.approx(
            -FIT.coefficients[FIT.names.index("armketamine")]
        )
        pair = {"arm": ("ketamine", "midazolam")}
        assert swapped.contrast(pair).effect == pytest.approx(FIT.contrast(pair).effect)

    def test_missing_rows_are_dropped_and_counted(self) -> None:
        holes = DATA.with_columns(
            pl.when(pl.int_range(pl.len()) % 50 == 0).then(None).otherwise(pl.col("baseline")).alias("baseline"),
            pl.when(pl.int_range(pl.len()) % 70 == 1).then(None).otherwise(pl.col("change")).alias("change"),
        )
        fit = fitted(holes)
        complete = holes.drop_nulls(["baseline", "change"])
        assert fit.n_observations == len(complete)
        without = holes["change"].null_count()
        assert f"{without} rows without an outcome left out" in str(fit)
        others = len(DATA) - len(complete) - without
        assert f"{others} rows with an outcome left out: baseline missing in {others}" in str(fit)
        np.testing.assert_allclose(fit.coefficients, fitted(complete).coefficients, rtol=1e-10)

    def test_reference_level(self) -> None:
        asked = fitted(levels={"visit": LEVELS["visit"]}, reference={"arm": "midazolam"})
        np.testing.assert_array_equal(asked.coefficients, fitted().coefficients)
        assert asked.names == fitted().names
        site = fitted(DATA, "change ~ site + arm * visit", reference={"site": "south"})
        assert site.names[1:3] == ("siteeast", "sitenorth")
        with pytest.raises(InputError, match="one of"):
            fitted(reference={"arm": "placebo"})
        for name in ("visit", "baseline", "nothing"):
            with pytest.raises(InputError, match="other than the visit"):
                fitted(reference={name: "day1"})

    def test_levels_without_rows(self) -> None:
        """Found in the data they are dropped with a note, as R does; stated they are refused."""
        gone = DATA.with_columns(pl.when(pl.col("site") != "north").then(pl.col("change")).alias("change"))
        formula = "change ~ baseline + site + arm * visit"
        fit = fitted(gone, formula, levels=LEVELS)
        assert "no row used has site north; left out of its levels" in fit.notes
        alone = fitted(DATA.filter(pl.col("site") != "north"), formula, levels=LEVELS)
        np.testing.assert_allclose(fit.coefficients, alone.coefficients, rtol=1e-12)
        assert [row.cell["site"] for row in fit.ls_means("site")] == ["east", "south"]
        conditional = fit.predict(conditional=True)
        assert np.isfinite(conditional.mean).all()
        with pytest.raises(InputError, match="north"):
            fitted(gone, formula, levels={**LEVELS, "site": ["east", "north", "south"]})
        numbered = DATA.with_columns(pl.col("visit").replace_strict({v: i for i, v in enumerate(LEVELS["visit"])}))
        early = numbered.with_columns(pl.when(pl.col("visit") < 3).then(pl.col("change")).alias("change"))
        fit = fitted(early, "change ~ arm * visit", levels={"arm": LEVELS["arm"]})
        assert fit.visits == ("0", "1", "2")
        assert "no row used has visit 3, 4; left out of its levels" in fit.notes

    def test_patients_without_any_outcome_are_counted(self) -> None:
        silent = DATA.with_columns(
            pl.when(pl.col("patient") == "P001").then(None).otherwise(pl.col("change")).alias("change")
        )
        fit = fitted(silent)
        assert (fit.n_patients, fit.n_patients_dropped) == (149, 1)


class TestNames:
    def test_as_r_prints_them(self) -> None:
        assert FIT.names[:4] == ("(Intercept)", "baseline", "armketamine", "visitweek1")
        assert FIT.names[-1] == "armketamine:visitweek8"

    def test_interactions_follow_the_order_of_the_variables_in_the_formula(self) -> None:
        fit = fitted(formula="change ~ visit + site * arm:visit + site")
        assert "visitweek1:sitenorth" not in FIT.names
        assert any(name.startswith("visit") and ":" in name for name in fit.names)
        fit = fitted(formula="change ~ site * visit")
        interaction = [name for name in fit.names if ":" in name]
        assert interaction[:3] == ["sitenorth:visitweek1", "sitesouth:visitweek1", "sitenorth:visitweek2"]

    def test_transformed_covariates(self) -> None:
        fit = fitted(formula="change ~ np.log(baseline) + arm * visit")
        assert "np.log(baseline)" in fit.names
        means = fit.ls_means("arm", by="visit")
        baseline = DATA["baseline"].to_numpy().mean()
        at_mean = fit.ls_means("arm", by="visit", at={"baseline": baseline})
        assert means["ketamine", "week8"] == at_mean["ketamine", "week8"]

    def test_no_intercept(self) -> None:
        fit = fitted(formula="change ~ 0 + visit + arm:visit + baseline")
        assert fit.names[:2] == ("visitday1", "visitweek1")
        assert fit.log_likelihood == pytest.approx(FIT.log_likelihood, rel=1e-9)
        one = fit.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week4"})
        two = FIT.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week4"})
        assert one.standard_error == pytest.approx(two.standard_error, rel=1e-8)
        assert one.degrees_of_freedom == pytest.approx(two.degrees_of_freedom, rel=1e-7)


class TestMeansAndContrasts:
    def test_contrast_is_the_difference_of_means(self) -> None:
        means = FIT.ls_means("arm", by="visit")
        estimate = FIT.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week2"}, better="lower")
        assert estimate.effect == pytest.approx(means["ketamine", "week2"].effect - means["midazolam", "week2"].effect)
        assert estimate.better == "lower"
        assert estimate.label == "ketamine - midazolam, visit week2"
        reverse = FIT.contrast({"arm": ("midazolam", "ketamine")}, at={"visit": "week2"})
        assert reverse.effect == pytest.approx(-estimate.effect)

    def test_visits_not_named_are_averaged(self) -> None:
        pair = {"arm": ("ketamine", "midazolam")}
        every = [FIT.contrast(pair, at={"visit": visit}).effect for visit in VISITS]
        assert FIT.contrast(pair).effect == pytest.approx(np.mean(every))

    def test_table(self) -> None:
        means = FIT.ls_means("arm")
        assert [row.cell for row in means] == [{"arm": "midazolam"}, {"arm": "ketamine"}]
        assert "95 % interval" in str(means)
        frame = FIT.ls_means("arm", by="visit", level=0.9).to_frame()
        assert frame.columns == ["arm", "visit", "mean", "standard_error", "degrees_of_freedom", "lower", "upper"]
        assert frame.shape == (10, 7)

    @pytest.mark.parametrize(
        "call",
        [
            lambda: FIT.ls_means("drug"),
            lambda: FIT.ls_means("baseline"),
            lambda: FIT.ls_means("arm", by="site"),
            lambda: FIT.ls_means("arm")["placebo"],
            lambda: FIT.contrast({"arm": ("ketamine", "placebo")}),
            lambda: FIT.contrast({"arm": ("ketamine",)}),  # type: ignore[dict-item]
            lambda: FIT.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week3"}),
            lambda: FIT.contrast({"arm": ("ketamine", "midazolam")}, at={"baseline": "high"}),
            lambda: FIT.contrast({"arm": ("ketamine", "midazolam")}, at={"arm": "ketamine"}),
            lambda: FIT.contrast({}),
        ],
    )
    def test_refusals(self, call: Any) -> None:
        with pytest.raises(InputError):
            call()


class TestAliasing:
    def test_duplicate_column_is_left_out_with_a_note(self) -> None:
        doubled = DATA.with_columns((2 * pl.col("baseline") + 1).alias("again"))
        fit = fitted(doubled, "change ~ baseline + again + arm * visit")
        unchanged(fit)
        assert "again" in fit.notes[-1]
        assert fit.ls_means("arm", by="visit")["ketamine", "week8"].effect == pytest.approx(
            FIT.ls_means("arm", by="visit")["ketamine", "week8"].effect, rel=1e-8
        )

    def test_visit_missing_in_one_arm(self) -> None:
        absent = DATA.filter((pl.col("visit") != "week8") | (pl.col("arm") == "midazolam"))
        fit = fitted(absent)
        assert "armketamine:visitweek8" in fit.notes[-1]
        assert fit.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week4"}).standard_error > 0
        with pytest.raises(InputError, match="the data can estimate"):
            fit.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week8"})
        with pytest.raises(FitError, match="covariance group ketamine"):
            fitted(absent, group="arm")


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"formula": "change ~ basline + arm * visit"}, "nearest is 'baseline'"),
            ({"subject": "patent"}, "nearest is 'patient'"),
            ({"levels": {"arm": LEVELS["arm"]}}, "a stated order"),
            ({"levels": {**LEVELS, "arm": ["midazolam", "placebo"]}}, "one of the levels"),
            ({"levels": {**LEVELS, "arm": [*LEVELS["arm"], "placebo"]}}, "every level"),
            ({"levels": {**LEVELS, "arm": ["ketamine", "ketamine"]}}, "differ"),
            ({"levels": {**LEVELS, "drug": ["a"]}}, "levels"),
            ({"formula": "change ~ baseline + us(visit | patient)"}, "fixed effects only"),
            ({"formula": "baseline + arm"}, "formula"),
            ({"formula": "change ~ (baseline"}, "formula"),
            ({"formula": "site ~ arm * visit"}, "outcome of numbers"),
            ({"formula": "change ~ np.log(baseline - 40) + arm"}, "finite"),
            ({"weights": "site"}, "positive numbers"),
            ({"formula": None}, "a formula such as"),
            ({"formula": "change ~ 0"}, "at least one column"),
            ({"formula": "change ~"}, "a formula such as"),
            ({"subject": None}, "subject"),
            ({"visit": 3}, "visit"),
            ({"levels": ["a"]}, "a list of levels for each column"),
            ({"levels": {**LEVELS, "arm": {"midazolam", "ketamine"}}}, "in their order"),
            ({"reference": "midazolam"}, "a level for each factor"),
            ({"group": "visit"}, "one covariance group a patient"),
            ({"covariance": "banded"}, "unstructured"),
            ({"covariance": "spatial-power"}, "times of the visits"),
            ({"covariance": "spatial-power", "time": "site"}, "column of numbers"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:divide by zero:RuntimeWarning")
    def test_one_sentence(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            fitted(**options)

    def test_infinite_values(self) -> None:
        for name in ("baseline", "change"):
            endless = DATA.with_columns(
                pl.when(pl.int_range(pl.len()) == 4).then(float("inf")).otherwise(name).alias(name)
            )
            with pytest.raises(InputError, match=f"{name} is 'infinite in row 5'"):
                fitted(endless)
        for weight in (-1.0, 0.0):
            with pytest.raises(InputError, match="positive numbers"):
                fitted(DATA.with_columns(pl.lit(weight).alias("weight")), weights="weight")

    def test_two_rows_at_one_visit(self) -> None:
        with pytest.raises(InputError, match="P001 at visit day1"):
            fitted(pl.concat([DATA, DATA.head(1)]))

    def test_no_outcome(self) -> None:
        with pytest.raises(InputError, match="all missing"):
            fitted(DATA.with_columns(pl.lit(None, dtype=pl.Float64).alias("change")))

    def test_missing_subject_or_no_frame(self) -> None:
        gone = DATA.with_columns(pl.when(pl.col("patient") != "P001").then(pl.col("patient")).alias("patient"))
        with pytest.raises(InputError, match="without missing"):
            fitted(gone)
        for data in (None, [1, 2], DATA.clear()):
            with pytest.raises(InputError):
                fitted(data)
        with pytest.raises(InputError, match="numbers, labels"):
            fitted(DATA.with_columns(pl.date(2026, 1, 1).alias("baseline")))

    def test_sites_that_are_numbers_become_factors_when_named(self) -> None:
        coded = DATA.with_columns(pl.col("site").replace_strict({"east": 1, "north": 2, "south": 3}).alias("site"))
        fit = fitted(coded, "change ~ site + arm * visit", levels={**LEVELS, "site": [1, 2, 3]})
        assert "site3" in fit.names
        straight = fitted(coded, "change ~ site + arm * visit")
        assert "site" in straight.names


def test_summary_prints() -> None:
    text = str(fitted(degrees_of_freedom="kenward-roger"))
    for part in (FORMULA, "Kenward-Roger", "150 patients", "armketamine:visitweek8", "correlation"):
        assert part in text
