"""What a mixed model prints, as text and as HTML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equipoise import InputError
from equipoise.mixed import MixedFit, fit_mmrm, mmrm
from equipoise.mixed.tables import aligned, common_decimals, decimals_for, html_table, intervals, table
from mmrm_reference import fitted

DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
LEVELS = {"visit": ["day1", "week1", "week2", "week4", "week8"], "arm": ["midazolam", "ketamine"]}
FIT = fitted("ours_us_reml_satterthwaite")


def many_visits(n_visits: int) -> MixedFit:
    random = np.random.default_rng(1)
    outcome = random.normal(size=(60, n_visits)) + random.normal(size=(60, 1))
    design = np.zeros((60, n_visits, 2))
    design[:, :, 0] = 1
    design[::2, :, 1] = 1
    return fit_mmrm(outcome, design, visits=[f"assessment {at + 1}" for at in range(n_visits)])


class TestSummary:
    def test_says_what_a_statistician_asks(self) -> None:
        text = str(FIT)
        for phrase in (
            "Formula: change ~ baseline + site + arm * visit",
            "restricted maximum likelihood; covariance unstructured",
            "degrees of freedom Satterthwaite",
            f"{FIT.n_patients} patients, {FIT.n_observations} observations, 5 visits",
            "Converged in",
            "95 % interval",
            "Covariance (on and below the diagonal) and correlation (above)",
        ):
            assert phrase in text

    def test_numbers(self) -> None:
        lines = {line.split("  ")[0]: line for line in str(FIT).splitlines()}
        interval = FIT.estimate((np.array(FIT.names) == "armketamine").astype(float)).interval()
        row = lines["armketamine"]
        numbers = [float(word) for word in re.findall(r"(?<![\w])-?\d+\.?\d*", row)]
        at = FIT.names.index("armketamine")
        assert numbers[0] == pytest.approx(FIT.coefficients[at], abs=0.01)
        assert numbers[1] == pytest.approx(FIT.standard_errors[at], abs=0.01)
        assert numbers[2] == pytest.approx(FIT.degrees_of_freedom[at], abs=0.05)
        assert numbers[-2:] == pytest.approx([interval.lower, interval.upper], abs=0.01)
        assert f"{FIT.covariance[0, 0]:.1f}" in lines["day1"]
        correlation = FIT.covariance[0, 4] / np.sqrt(FIT.covariance[0, 0] * FIT.covariance[4, 4])
        assert lines["day1"].endswith(f"{correlation:.3f}")

    def test_decimal_points_are_below_each_other(self) -> None:
        lines = str(FIT).splitlines()
        start = next(at for at, line in enumerate(lines) if line.startswith("coefficient"))
        rows = lines[start + 1 : start + 1 + len(FIT.names)]
        head = max(len(name) for name in FIT.names)
        assert len({line.index(".", head) for line in rows}) == 1

    def test_structured_covariance(self) -> None:
        fit = mmrm(
            "change ~ baseline + arm * visit",
            DATA,
            subject="patient",
            visit="visit",
            levels=LEVELS,
            covariance="ar1",
        )
        text = str(fit)
        assert "covariance ar1" in text
        assert "covariance parameter" in text
        for name, value in fit.covariance_parameters.items():
            assert name in text
            assert f"{value:.5g}" in text

    def test_groups_and_notes(self) -> None:
        text = str(fitted("ours_us_reml_grouped_satterthwaite"))
        assert "one for each of midazolam, ketamine" in text
        assert text.count("Covariance (on and below") == 2

    def test_infinite_degrees_of_freedom(self) -> None:
        options: Any = {"subject": "patient", "visit": "visit", "levels": LEVELS}
        text = str(mmrm("change ~ arm * visit", DATA, degrees_of_freedom="normal", **options))
        assert " inf " in text
        heads = next(line for line in text.splitlines() if line.startswith("coefficient "))
        assert heads.split()[-6:] == ["df", "z", "p", "95", "%", "interval"]
        assert "none (normal)" in text

    def test_patients_left_out(self) -> None:
        """Never seen, or without a covariate: neither gives the model a row."""
        first, second = DATA["patient"].unique(maintain_order=True)[:2]
        gone = pl.when(pl.col("patient") == first).then(None).otherwise(pl.col("change")).alias("change")
        bare = pl.when(pl.col("patient") == second).then(None).otherwise(pl.col("baseline")).alias("baseline")
        options: Any = {"subject": "patient", "visit": "visit", "levels": LEVELS}
        formula = "change ~ baseline + arm * visit"
        before = mmrm(formula, DATA, **options).n_patients_dropped
        one = mmrm(formula, DATA.with_columns(gone), **options)
        two = mmrm(formula, DATA.with_columns(gone, bare), **options)
        assert (one.n_patients_dropped, two.n_patients_dropped) == (before + 1, before + 2)
        assert f"{before + 2} patients without a complete row left out" in str(two)
        assert "1 patients" not in str(one)

    def test_times_of_their_own(self) -> None:
        random = np.random.default_rng(2)
        shifted = DATA.with_columns((pl.col("day") + pl.Series(random.uniform(0, 0.5, len(DATA)))).alias("own"))
        options: Any = {
            "subject": "patient",
            "visit": "visit",
            "levels": LEVELS,
            "covariance": "spatial-exponential",
        }
        own = mmrm("change ~ arm * visit", shifted, time="own", **options)
        assert "between visits, at the mean time of each visit" in str(own)
        assert "between visits, at the mean time of each visit" in own._repr_html_()
        assert "mean time" not in str(mmrm("change ~ arm * visit", DATA, time="day", **options))

    @pytest.mark.parametrize("n_visits", [3, 9, 14])
    def test_stays_within_the_width_of_a_page(self, n_visits: int) -> None:
        text = str(many_visits(n_visits))
        assert max(len(line) for line in text.splitlines()) <= 120
        for at in range(n_visits):
            assert text.count(f"assessment {at + 1}\n") + text.count(f"assessment {at + 1} ") >= 2

    def test_long_formula_and_notes_are_wrapped(self) -> None:
        names = [f"a_rather_long_name_of_a_covariate_{at}" for at in range(5)]
        random = np.random.default_rng(0)
        data = DATA.with_columns(*(pl.Series(name, random.normal(size=len(DATA))) for name in names))
        twice = data.with_columns(*(pl.col(name).alias(f"{name}_again") for name in names))
        every = " + ".join([*names, *(f"{name}_again" for name in names)])
        fit = mmrm(f"change ~ {every} + arm * visit", twice, subject="patient", visit="visit", levels=LEVELS)
        assert max(len(line) for line in str(fit).splitlines()) <= 120


class TestFrame:
    @pytest.mark.parametrize("level", [0.95, 0.8])
    @pytest.mark.parametrize("degrees", ["satterthwaite", "normal"])
    def test_intervals_are_those_of_the_estimates(self, level: float, degrees: Any) -> None:
        options: Any = {"subject": "patient", "visit": "visit", "levels": LEVELS}
        fit = mmrm("change ~ arm * visit", DATA, degrees_of_freedom=degrees, **options)
        frame = fit.to_frame(level)
        for at, row in enumerate(frame.rows(named=True)):
            interval = fit.estimate(np.eye(len(fit.names))[at]).interval(level)
            assert (row["lower"], row["upper"]) == pytest.approx((interval.lower, interval.upper), rel=1e-9, abs=1e-9)
        assert frame.equals(fit.to_frame()) == (level == 0.95)

    @pytest.mark.parametrize("level", ["a", 1, 0, 95, None, True])
    def test_refusals(self, level: Any) -> None:
        with pytest.raises(InputError, match="confidence level between 0 and 1"):
            FIT.to_frame(level)


class TestHtml:
    def test_same_tables(self) -> None:
        html = FIT._repr_html_()
        assert html.count("<table>") == html.count("</table>") == 2
        assert html.count("<tr>") == len(FIT.names) + 1 + 6
        assert "armketamine:visitweek8" in html

    def test_escapes(self) -> None:
        data = DATA.with_columns(pl.col("arm").replace("ketamine", "<script>"))
        levels = {"visit": LEVELS["visit"], "arm": ["midazolam", "<script>"]}
        fit = mmrm("change ~ arm * visit", data, subject="patient", visit="visit", levels=levels)
        assert "<script>" not in fit._repr_html_()
        assert "arm&lt;script&gt;" in fit._repr_html_()

    def test_is_well_formed(self) -> None:
        from xml.etree import ElementTree

        for made in (FIT._repr_html_(), FIT.ls_means("arm", by="visit")._repr_html_(), FIT.anova()._repr_html_()):
            ElementTree.fromstring(made.replace("<br>", "<br/>"))


class TestTables:
    def test_decimals(self) -> None:
        assert [decimals_for(error) for error in (123.0, 12.3, 1.23, 0.123, 1.23e-5, 1e-9, 1e12)] == [
            0,
            1,
            2,
            3,
            7,
            None,
            None,
        ]
        assert common_decimals([1.2, 0.4, None]) == [3, 3, 3]
        assert common_decimals([1e-12, 0.4]) == [None, None]
        assert common_decimals([None]) == [3]

    def test_alignment(self) -> None:
        values = [1234.5, 0.00123, None, -7.0, 3e-12, float("inf")]
        texts = table(["x"], [[text] for text in aligned(values, [1, 5, 2, 0, None, 2], "none")], left=0).splitlines()
        assert texts[1].index(".") == texts[2].index(".")
        assert texts[3].strip() == "none"
        assert texts[4].strip() == "-7"
        assert texts[5].strip() == "3.000e-12"
        assert texts[6].strip() == "inf"

    def test_intervals(self) -> None:
        texts = intervals([(-1.25, 3.5), None, (-10.0, 0.25)], [2, 2, 2], "gap")
        assert texts == [" -1.25 to 3.50", "gap", "-10.00 to 0.25"]

    def test_html(self) -> None:
        made = html_table(["a", "b"], [["<x>", " 1 "]], caption="T & U")
        assert "&lt;x&gt;" in made
        assert ">1</td>" in made
        assert "T &amp; U" in made
