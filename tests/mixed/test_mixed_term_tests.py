"""F tests of terms against R's mmrm and SAS, and what must not matter to them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equipoise import InputError
from equipoise.mixed import MixedFit, mmrm
from equipoise.mixed.term_tests import _Design
from mmrm_reference import CASES, fitted

TESTS = Path(__file__).parent.parent
DATA = pl.read_csv(TESTS / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"], "site": ["east", "north", "south"]}
TURNED = {"visit": VISITS[::-1], "arm": ["ketamine", "midazolam"], "site": ["south", "east", "north"]}
FEV = Path(os.environ.get("EQUIPOISE_SHARED", "")) / "reference/data/fev.csv"


def fit_of(formula: str, data: Any = DATA, **options: Any) -> MixedFit:
    return mmrm(formula, data, **{"subject": "patient", "visit": "visit", "levels": LEVELS, **options})


class TestAgainstReference:
    @pytest.mark.parametrize("identity", CASES)
    def test_interaction(self, identity: str) -> None:
        fit, expected = fitted(identity), CASES[identity]["expected"]["interaction_f_test"]
        terms = ["arm:visit"]
        if any(name.startswith("baseline:") for name in expected["coefficients_tested"]):
            terms.append("baseline:visit")
        test = fit.test_terms(*terms)
        assert test.numerator_degrees_of_freedom == expected["num_df"]
        assert test.statistic == pytest.approx(expected["f"], rel=1e-6)
        assert test.denominator_degrees_of_freedom == pytest.approx(expected["denom_df"], rel=1e-5)
        assert test.p_value == pytest.approx(expected["p"], rel=1e-5)
        if len(terms) == 1:
            assert fit.anova()["arm:visit"].statistic == pytest.approx(expected["f"], rel=1e-6)


@pytest.mark.skipif(not FEV.exists(), reason="the data of R's mmrm are not part of this project")
class TestAgainstOthers:
    """The tests of R's mmrm (tests/testthat/test-interop-car.R): SAS PROC MIXED, and car::Anova on its own example."""

    @staticmethod
    def fev(formula: str, covariance: Any) -> MixedFit:
        return mmrm(
            formula,
            pl.read_csv(FEV, null_values=["", "NA"]),
            subject="USUBJID",
            visit="AVISIT",
            covariance=covariance,
            levels={"AVISIT": ["VIS1", "VIS2", "VIS3", "VIS4"], "ARMCD": ["PBO", "TRT"], "SEX": ["Male", "Female"]},
        )

    @pytest.mark.parametrize(
        ("formula", "kind", "statistics", "degrees"),
        [
            (
                "FEV1 ~ ARMCD * FEV1_BL",
                2,
                (0.03099660681111, 11.5301174147263, 0.7644368094469),
                (199.582314485653, 196.41571750149, 198.163532037944),
            ),
            (
                "FEV1 ~ ARMCD * FEV1_BL",
                3,
                (0.03099660681111, 11.0435094615508, 0.7644368094469),
                (199.582314485653, 198.163532037936, 198.163532037944),
            ),
            (
                "FEV1 ~ ARMCD * SEX + ARMCD * FEV1_BL - FEV1_BL",
                2,
                (0.03093826913613, 0.10489707559679, 0.46643535342468, 6.11482167585228),
                (196.700026021882, 186.404412481085, 186.11901853766, 194.942672335072),
            ),
            (
                "FEV1 ~ ARMCD * SEX + ARMCD * FEV1_BL - FEV1_BL",
                3,
                (0.04875135180324, 0.09277653315012, 0.46643535342468, 6.11482167585228),
                (197.423866403271, 186.119018537661, 186.11901853766, 194.942672335072),
            ),
        ],
    )
    def test_sas(self, formula: str, kind: Any, statistics: Any, degrees: Any) -> None:
        """SAS stops its optimiser at about 1e-6 of the parameters."""
        tests = [row.test for row in self.fev(formula, "ar1").anova(kind)]
        assert [test.statistic for test in tests if test] == pytest.approx(statistics, rel=3e-6)
        assert [test.denominator_degrees_of_freedom for test in tests if test] == pytest.approx(degrees, rel=1e-6)

    @pytest.mark.parametrize(
        ("kind", "statistics"),
        [
            (3, (36.9114313439291, 0.375714493693753, 31.6630556880263, 142.112225163936, 0.258059683823142)),
            (2, (36.9114313439291, 0.375714493693753, 31.4209157299747, 142.822149813409, 0.258059683823141)),
        ],
    )
    def test_mmrm(self, kind: Any, statistics: Any) -> None:
        """mmrm's default optimiser stops early, at 2e-4 of the F statistics."""
        tests = self.fev("FEV1 ~ RACE + SEX + ARMCD * AVISIT", "unstructured").anova(kind)
        assert [row.term for row in tests] == ["RACE", "SEX", "ARMCD", "AVISIT", "ARMCD:AVISIT"]
        assert [row.test.statistic for row in tests if row.test] == pytest.approx(statistics, rel=2e-4)
        if kind == 2:
            degrees = [row.test.denominator_degrees_of_freedom for row in tests if row.test]
            theirs = [165.555271036152, 166.132390274796, 169.118081341052, 148.651576899468, 147.914553164601]
            assert degrees == pytest.approx(theirs, rel=1e-4)


class TestTypeThree:
    def test_main_effect_is_that_of_equally_weighted_means(self) -> None:
        fit = fitted("ours_us_reml_satterthwaite")
        tests = fit.anova()
        whole = fit.contrast({"arm": ("ketamine", "midazolam")})
        assert tests["arm"].statistic == pytest.approx(whole.statistic**2, rel=1e-9)
        assert tests["arm"].denominator_degrees_of_freedom == pytest.approx(whole.degrees_of_freedom, rel=1e-7)
        assert tests["arm"].p_value == pytest.approx(whole.p_value, rel=1e-7)
        means = fit.ls_means("visit")
        visits = means.f_test([{visit: 1, "day1": -1} for visit in VISITS[1:]])
        assert tests["visit"].statistic == pytest.approx(visits.statistic, rel=1e-9)
        raw = fit.estimate((np.array(fit.names) == "armketamine").astype(float))
        assert abs(raw.statistic**2 - tests["arm"].statistic) > 1

    def test_mean_slope(self) -> None:
        fit = fitted("ours_byvisit_us_satterthwaite")
        assert fit.anova()["baseline"].statistic == pytest.approx(fit.slope("baseline").statistic ** 2, rel=1e-9)

    @pytest.mark.parametrize("degrees", ["kenward-roger", "satterthwaite"])
    @pytest.mark.parametrize("kind", [2, 3])
    def test_reference_level_does_not_matter(self, degrees: Any, kind: Any) -> None:
        """Nor with Kenward-Roger the degrees of freedom; Satterthwaite's of several rows depend on the rows."""
        formula = "change ~ baseline + site + sex * arm + arm * visit"
        one = fit_of(formula, degrees_of_freedom=degrees).anova(kind)
        # The order of the visits is part of the covariance, so it is turned by relabelling them.
        names = {visit: f"{9 - at}{visit}" for at, visit in enumerate(VISITS)}
        relabelled = DATA.with_columns(pl.col("visit").replace(names).alias("moment"))
        other = fit_of(
            formula.replace("visit", "moment"),
            relabelled,
            degrees_of_freedom=degrees,
            levels={**TURNED, "visit": VISITS},
        ).anova(kind)
        for term in ("baseline", "site", "sex", "arm", "visit", "arm:visit", "sex:arm"):
            mine, theirs = one[term], other[term.replace("visit", "moment")]
            assert mine.numerator_degrees_of_freedom == theirs.numerator_degrees_of_freedom
            assert mine.statistic == pytest.approx(theirs.statistic, rel=1e-7)
            if degrees == "kenward-roger" or mine.numerator_degrees_of_freedom == 1:
                assert mine.denominator_degrees_of_freedom == pytest.approx(
                    theirs.denominator_degrees_of_freedom, rel=1e-6
                )
                assert mine.p_value == pytest.approx(theirs.p_value, rel=1e-6)

    def test_how_the_formula_is_written_does_not_matter(self) -> None:
        one = fit_of("change ~ baseline + arm * visit").anova()
        for formula in ("change ~ 0 + visit + arm + baseline + visit:arm", "change ~ arm * visit + baseline"):
            other = fit_of(formula).anova()
            for row in one:
                assert row.test is not None
                assert other[row.term].statistic == pytest.approx(row.test.statistic, rel=1e-7)
                assert other[row.term].numerator_degrees_of_freedom == row.test.numerator_degrees_of_freedom, formula

    def test_nested(self) -> None:
        """Without its own term the arm's effects at all visits are one term, as in R."""
        fit = fit_of("change ~ baseline + visit + visit:arm")
        tests = fit.anova()
        assert tests["visit:arm"].numerator_degrees_of_freedom == 5
        whole = fit_of("change ~ baseline + arm * visit").test_terms("arm", "visit:arm")
        assert tests["visit:arm"].statistic == pytest.approx(whole.statistic, rel=1e-7)

    def test_covariates_of_any_size(self) -> None:
        """Coefficients of powers differ by orders of magnitude, but no row may go missing for that."""
        data = DATA.with_columns((pl.col("baseline") * 1000).alias("big"))
        fit = fit_of("change ~ big + I(big**2) + arm * visit", data)
        joint = fit.test_terms("big", "I(big**2)")
        assert joint.numerator_degrees_of_freedom == 2
        small = fit_of("change ~ baseline + I(baseline**2) + arm * visit").test_terms("baseline", "I(baseline**2)")
        assert joint.statistic == pytest.approx(small.statistic, rel=1e-5)

    def test_empty_cells(self) -> None:
        absent = DATA.filter((pl.col("visit") != "week8") | (pl.col("arm") == "midazolam"))
        tests = fit_of("change ~ baseline + arm * visit", absent).anova()
        turned = fit_of("change ~ baseline + arm * visit", absent, levels={**LEVELS, "arm": TURNED["arm"]}).anova()
        assert tests["arm:visit"].numerator_degrees_of_freedom == 3
        assert tests["arm:visit"].statistic == pytest.approx(turned["arm:visit"].statistic, rel=1e-7)
        assert tests.rows[1].term == "arm"
        assert tests.rows[1].test is None
        assert "not estimable" in str(tests)
        with pytest.raises(InputError, match="can tell something"):
            tests["arm"]
        full = fit_of("change ~ baseline + arm * visit", absent).anova(2)
        assert full["arm"].numerator_degrees_of_freedom == 1


class TestTypeTwo:
    def test_equals_type_three_where_nothing_contains_a_term(self) -> None:
        fit = fitted("ours_us_reml_satterthwaite")
        two, three = fit.anova(2), fit.anova(3)
        for term in ("baseline", "site", "arm:visit"):
            assert two[term].statistic == pytest.approx(three[term].statistic, rel=1e-8)
            assert two[term].denominator_degrees_of_freedom == pytest.approx(three[term].denominator_degrees_of_freedom)

    def test_complete_data_have_one_answer(self) -> None:
        """With as many patients in each arm, all seen at all visits, the types agree."""
        complete = DATA.drop_nulls("change").filter(pl.len().over("patient") == 5)
        arms = complete.group_by("arm", maintain_order=True).agg(pl.col("patient").unique(maintain_order=True))
        least = min(len(patients) for patients in arms["patient"])
        chosen = [patient for patients in arms["patient"] for patient in list(patients)[:least]]
        fit = fit_of("change ~ arm * visit", complete.filter(pl.col("patient").is_in(chosen)))
        for row in fit.anova(2):
            assert row.test is not None
            assert row.test.statistic == pytest.approx(fit.anova(3)[row.term].statistic, rel=1e-8)

    def test_weights_of_observations_leave_the_hypotheses(self) -> None:
        """The cross-products are those of the design as it stands, so weights change the fit but not what is tested."""
        random = np.random.default_rng(4)
        data = DATA.with_columns(pl.Series("once", random.uniform(0.5, 2.0, len(DATA))), pl.lit(3.0).alias("constant"))
        formula = "change ~ baseline + site + sex * arm + arm * visit"
        plain = fit_of(formula, data)
        weighted = fit_of(formula, data, weights="once")
        terms = ("baseline", "site", "sex", "arm", "visit", "sex:arm", "arm:visit")
        ours, theirs = _Design(weighted), _Design(plain)
        for term in terms:
            one, other = ours.type_two(ours.find(term)), theirs.type_two(theirs.find(term))
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
        assert weighted.anova(2)["arm"].statistic == pytest.approx(
            weighted.f_test(theirs.type_two(("arm",))).statistic, rel=1e-9
        )
        assert weighted.anova(2)["arm"].statistic != pytest.approx(plain.anova(2)["arm"].statistic, rel=1e-3)
        constant = fit_of(formula, data, weights="constant").anova(2)
        for row in plain.anova(2):
            assert row.test is not None
            assert constant[row.term].statistic == pytest.approx(row.test.statistic, rel=1e-7)


class TestTable:
    def test_prints(self) -> None:
        tests = fitted("ours_us_reml_satterthwaite").anova()
        assert str(tests).startswith("F tests of the terms, type III")
        assert tests.to_frame().columns[0] == "term"
        assert tests._repr_html_().count("<tr>") == len(tests) + 1
        assert tests["visit:arm"] == tests["arm:visit"]
        (row,) = (row for row in tests if row.term == "arm:visit")
        assert row.test is not None
        assert str(row) == repr(row) == f"arm:visit: {row.test}"
        assert repr(row.test) == str(row.test)
        assert str(row.test).startswith("F(4, ")

    @pytest.mark.parametrize(
        "call",
        [
            lambda fit: fit.anova(1),
            lambda fit: fit.anova()["age"],
            lambda fit: fit.test_terms(),
            lambda fit: fit.test_terms("arm:site"),
            lambda fit: fit.test_terms(3),
            lambda fit: fit.test_terms(["arm"]),
            lambda fit: fit.anova()[3],
            lambda fit: fit.anova([3]),
        ],
    )
    def test_refusals(self, call: Any) -> None:
        with pytest.raises(InputError):
            call(fitted("ours_us_reml_satterthwaite"))

    def test_other_contrasts_are_refused(self) -> None:
        fit = fit_of("change ~ baseline + C(arm, contr.sum) * visit")
        with pytest.raises(InputError, match="treatment contrasts"):
            fit.anova()


def test_terms_together_where_a_cell_is_empty() -> None:
    """An arm never seen at a visit: all differences that the data can tell are tested, not only those of each term."""
    rng = np.random.default_rng(4)
    n, visits = 90, ("w1", "w2", "w3", "w4")
    arm = np.array(["p", "a", "b"])[np.arange(n) % 3]
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, 4)) + 5.0 * (arm == "b")[:, None]
    frame = pl.DataFrame(
        {
            "patient": np.repeat(np.arange(n), 4),
            "arm": np.repeat(arm, 4),
            "visit": np.tile(visits, n),
            "y": y.ravel(),
        }
    ).filter(~((pl.col("arm") == "b") & (pl.col("visit") == "w4")))
    fit = mmrm(
        "y ~ arm * visit", frame, subject="patient", visit="visit", levels={"visit": visits}, reference={"arm": "p"}
    )
    joint = fit.test_terms("arm", "arm:visit")
    assert joint.numerator_degrees_of_freedom == 7
    assert joint.p_value < 1e-20
    means = fit.ls_means("arm", by="visit")
    pairs = [(other, visit) for other in ("a", "b") for visit in visits if (other, visit) != ("b", "w4")]
    by_hand = means.f_test([{("p", visit): -1, (other, visit): 1} for other, visit in pairs])
    assert joint.statistic == pytest.approx(by_hand.statistic, rel=1e-9)
