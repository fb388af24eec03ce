"""Contrasts, pairwise comparisons and slopes of a mixed model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import equipoise as eq
from equipoise import Estimate, InputError
from equipoise.mixed import MixedFit, mmrm
from equipoise.mixed.multiplicity import adjusted_intervals, adjusted_p_values
from equipoise.mixed.studentised_range import studentised_range_point, studentised_range_tail
from mmrm_reference import CASES, fitted

DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"], "site": ["east", "north", "south"]}
IDENTITY = "ours_us_reml_satterthwaite"
FIT = fitted(IDENTITY)
PAIR = {"arm": ("ketamine", "midazolam")}


def fit_of(formula: str, data: Any = DATA, **options: Any) -> MixedFit:
    return mmrm(formula, data, **{"subject": "patient", "visit": "visit", "levels": LEVELS, **options})


def same(one: Estimate, other: Estimate, tolerance: float = 1e-9) -> None:
    assert one.effect == pytest.approx(other.effect, rel=tolerance, abs=tolerance)
    assert one.standard_error == pytest.approx(other.standard_error, rel=tolerance)
    assert one.degrees_of_freedom == pytest.approx(other.degrees_of_freedom, rel=1e3 * tolerance)


class TestAgainstReference:
    @pytest.mark.parametrize("identity", CASES)
    def test_by_visit(self, identity: str) -> None:
        table = fitted(identity).pairwise("arm", by="visit")
        control = fitted(identity).versus_control("arm", control="midazolam", by="visit")
        expected = CASES[identity]["expected"].get("contrasts_by_visit", [])
        for row in expected:
            first, second = row["contrast"].split(" - ")
            estimate = table[first, second, row["visit"]]
            assert control[first, second, row["visit"]] == estimate
            assert abs(estimate.effect - row["estimate"]) < 1e-6 * row["se"]
            assert estimate.standard_error == pytest.approx(row["se"], rel=1e-6)
            assert estimate.degrees_of_freedom == pytest.approx(row["df"], rel=1e-5)
            assert estimate.p_value == pytest.approx(row["p"], rel=1e-5)
        if expected:
            assert len(table) == len(expected)


class TestContrast:
    def test_average_of_visits(self) -> None:
        late = FIT.contrast(PAIR, at={"visit": ["week4", "week8"]})
        vector = np.zeros(len(FIT.names))
        place = {name: at for at, name in enumerate(FIT.names)}
        vector[place["armketamine"]] = 1
        vector[place["armketamine:visitweek4"]] = vector[place["armketamine:visitweek8"]] = 0.5
        same(late, FIT.estimate(vector), 1e-12)
        assert late.label == "ketamine - midazolam, visit week4 and week8"

    def test_all_visits(self) -> None:
        whole = FIT.contrast(PAIR)
        same(whole, FIT.contrast(PAIR, at={"visit": VISITS}), 1e-12)
        same(whole, FIT.ls_means("arm").contrast([-1, 1]), 1e-12)

    def test_covariates_that_do_not_interact_do_not_matter(self) -> None:
        same(
            FIT.contrast(PAIR, at={"visit": "week2", "baseline": 20}), FIT.contrast(PAIR, at={"visit": "week2"}), 1e-12
        )

    def test_proportional_weights_are_used(self) -> None:
        fit = fit_of("change ~ baseline + arm * visit + arm * site")
        at = {"visit": "week8"}
        by_site = [fit.contrast(PAIR, at={**at, "site": site}) for site in LEVELS["site"]]
        assert fit.contrast(PAIR, at=at).effect == pytest.approx(np.mean([one.effect for one in by_site]))
        used = DATA.drop_nulls("change").filter(pl.col("visit") == "week8")
        counts = [len(used.filter(pl.col("site") == site)) for site in LEVELS["site"]]
        wanted = np.average([one.effect for one in by_site], weights=counts)
        assert fit.contrast(PAIR, at=at, weights="proportional").effect == pytest.approx(wanted)

    def test_the_same_level_twice_is_refused(self) -> None:
        with pytest.raises(InputError, match="two different levels"):
            FIT.contrast({"arm": ("ketamine", "ketamine")})

    @pytest.mark.parametrize(
        "levels",
        [
            {"arm": {"ketamine", "midazolam"}},
            {"arm": {"ketamine": 1, "midazolam": -1}},
            {"arm": 3},
            {"arm": "ketamine"},
            {"arm": ("ketamine", "placebo")},
            {"drug": ("a", "b")},
            {"arm": ("ketamine", "midazolam"), "site": ("east", "north")},
            {},
            None,
            "arm",
            ("ketamine", "midazolam"),
        ],
    )
    def test_refusals(self, levels: Any) -> None:
        """A set has no first level."""
        with pytest.raises(InputError, match=r"^levels"):
            FIT.contrast(levels)

    def test_a_list_will_do(self) -> None:
        same(FIT.contrast({"arm": ["ketamine", "midazolam"]}), FIT.contrast(PAIR))  # type: ignore[dict-item]


class TestPairwise:
    def test_direction(self) -> None:
        later = FIT.pairwise("site", by="arm")
        earlier = FIT.pairwise("site", by="arm", direction="earlier - later")
        assert [row.contrast for row in later][:3] == ["north - east", "south - east", "south - north"]
        assert [row.contrast for row in earlier][:3] == ["east - north", "east - south", "north - south"]
        for one, other in zip(later, earlier, strict=True):
            assert one.estimate is not None
            assert other.estimate is not None
            assert one.estimate.effect == pytest.approx(-other.estimate.effect)
            assert one.estimate.p_value == pytest.approx(other.estimate.p_value)

    def test_differences_add_up(self) -> None:
        table = FIT.pairwise("site")
        around = table["north", "east"].effect + table["south", "north"].effect
        assert table["south", "east"].effect == pytest.approx(around)

    def test_rows_are_single_contrasts(self) -> None:
        table = FIT.pairwise("visit", by="arm", at={"visit": ["week2", "week8"]}, better="lower")
        assert len(table) == 2
        single = FIT.contrast({"visit": ("week8", "week2")}, at={"arm": "ketamine"}, better="lower")
        same(table["week8", "week2", "ketamine"], single, 1e-12)
        assert table["week8", "week2", "ketamine"].better == "lower"

    @pytest.mark.parametrize("weights", ["equal"])
    def test_reference_level_and_order_of_rows_do_not_matter(self, weights: Any) -> None:
        formula = "change ~ baseline + site + arm * visit"
        turned = fit_of(
            formula,
            DATA.sample(fraction=1.0, shuffle=True, seed=2),
            levels={"visit": VISITS, "arm": ["ketamine", "midazolam"], "site": ["south", "east", "north"]},
        )
        same(turned.pairwise("site", weights=weights)["north", "east"], FIT.pairwise("site")["north", "east"], 1e-8)
        same(
            turned.versus_control("arm", control="midazolam", by="visit")["ketamine", "midazolam", "week8"],
            FIT.pairwise("arm", by="visit")["ketamine", "midazolam", "week8"],
            1e-8,
        )

    def test_versus_control(self) -> None:
        table = FIT.versus_control("site", control="north", adjust="holm")
        assert [row.contrast for row in table] == ["east - north", "south - north"]
        same(table["south", "north"], FIT.pairwise("site")["south", "north"], 1e-12)
        assert [row.second for row in FIT.versus_control("site")] == ["east", "east"]

    def test_not_estimable(self) -> None:
        absent = DATA.filter((pl.col("visit") != "week8") | (pl.col("arm") == "midazolam"))
        fit = fit_of("change ~ baseline + arm * visit", absent)
        table = fit.pairwise("arm", by="visit", adjust="bonferroni")
        assert [row.estimate is None for row in table] == [False, False, False, False, True]
        assert len(table.estimates) == 4
        assert "not estimable" in str(table)
        assert table.to_frame()["estimate"].null_count() == 1
        with pytest.raises(InputError, match="the data can estimate"):
            table["ketamine", "midazolam", "week8"]

    def test_tables(self) -> None:
        table = FIT.pairwise("site", by="arm", adjust="tukey", level=0.9)
        assert "p, Tukey" in str(table)
        assert "90 % simultaneous interval" in str(table)
        frame = table.to_frame()
        assert frame.shape == (6, 10)
        assert frame["contrast"][0] == "north - east"
        assert table._repr_html_().count("<tr>") == 7
        assert "adjusted_p_value" not in FIT.pairwise("arm").to_frame().columns

    @pytest.mark.parametrize(
        "call",
        [
            lambda: FIT.pairwise("drug"),
            lambda: FIT.pairwise("arm", by="arm"),
            lambda: FIT.pairwise("arm", adjust="sidak"),  # type: ignore[arg-type]
            lambda: FIT.pairwise("arm", direction="up"),  # type: ignore[arg-type]
            lambda: FIT.pairwise("arm", level=0),
            lambda: FIT.pairwise("arm", at={"arm": "ketamine"}),
            lambda: FIT.versus_control("arm", control="placebo"),
            lambda: FIT.versus_control("arm", adjust="tukey"),  # type: ignore[arg-type]
            lambda: FIT.versus_control("site", at={"site": ["north", "south"]}),
            lambda: FIT.pairwise("arm")["midazolam", "ketamine"],
            lambda: FIT.pairwise("site", adjust="dunnett"),  # type: ignore[arg-type]
            lambda: FIT.pairwise("arm", level="a"),  # type: ignore[arg-type]
            lambda: FIT.pairwise("arm", at="week4"),  # type: ignore[arg-type]
            lambda: FIT.pairwise(["arm"]),  # type: ignore[arg-type]
            lambda: FIT.pairwise("arm", better="up"),  # type: ignore[arg-type]
        ],
    )
    def test_refusals(self, call: Any) -> None:
        with pytest.raises(InputError) as raised:
            call()
        assert "; expected " in str(raised.value)

    def test_what_is_recommended_is_accepted(self) -> None:
        with pytest.raises(InputError, match="None, 'bonferroni', 'holm' or 'dunnett'"):
            FIT.versus_control("site", adjust="tukey")  # type: ignore[arg-type]
        for adjust in (None, "bonferroni", "holm", "dunnett"):
            assert len(FIT.versus_control("site", adjust=adjust)) == 2  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"^control is 'west'"):
            FIT.versus_control("site", control="west")

    def test_normal_statistics_are_z(self) -> None:
        normal = fit_of("change ~ arm * visit", degrees_of_freedom="normal").pairwise("arm", by="visit")
        assert "  z  " in str(normal).splitlines()[1] + "  "
        assert "  t  " in str(FIT.pairwise("arm")).splitlines()[1] + "  "


class TestAdjustments:
    FAMILY = tuple(Estimate(effect, 1.0, 20.0) for effect in (2.5, 0.4, -2.2, 1.9))

    def test_bonferroni_and_holm_by_hand(self) -> None:
        raw = [one.p_value for one in self.FAMILY]
        assert adjusted_p_values(self.FAMILY, "bonferroni", 4) == pytest.approx([min(1, 4 * p) for p in raw])
        holm = adjusted_p_values(self.FAMILY, "holm", 4)
        assert holm == pytest.approx([4 * raw[0], raw[1], 3 * raw[2], 2 * raw[3]])
        falling = [Estimate(effect, 1.0, 20.0) for effect in (2.0, 2.01)]
        steps = adjusted_p_values(falling, "holm", 3)
        assert steps[0] == steps[1] == pytest.approx(2 * falling[1].p_value)

    def test_tukey_against_tables_of_the_studentised_range(self) -> None:
        """Upper 5 % points of the studentised range: Harter (1960), also in Pearson & Hartley, table 29."""
        for means, freedom, point in ((3, 10, 3.877), (4, 20, 3.958), (5, 60, 3.977), (3, np.inf, 3.314)):
            one = Estimate(point / np.sqrt(2), 1.0, freedom)
            (p,) = adjusted_p_values([one], "tukey", means)
            (interval,) = adjusted_intervals([one], "tukey", means, 0.95)
            assert abs(interval.lower) * np.sqrt(2) < 0.0005
            assert p == pytest.approx(0.05, abs=5e-5)

    def test_tukey_against_scipy(self) -> None:
        from scipy.stats import studentized_range

        for means, freedom, point in ((3, 5.0, 1.0), (4, 2.0, 8.0), (6, 33.3, 3.5), (10, 1.0, 20.0), (3, 150.0, 6.0)):
            theirs = float(studentized_range.sf(point, means, freedom))
            assert studentised_range_tail(point, means, freedom) == pytest.approx(theirs, abs=1e-9)
        assert studentised_range_point(0.05, 4, 20.0) == pytest.approx(studentized_range.ppf(0.95, 4, 20), rel=1e-7)

    def test_range_of_two_is_student(self) -> None:
        from scipy.special import stdtr

        for freedom in (1.0, 1.7, 3.0, 30.0, 3000.0):
            for t in (0.1, 1.0, 4.0):
                tail = studentised_range_tail(np.sqrt(2) * t, 2, freedom)
                assert tail == pytest.approx(2 * stdtr(freedom, -t), rel=1e-9)

    def test_far_out(self) -> None:
        """Small adjusted p-values approach Bonferroni's over all pairs and never fall below the plain ones."""
        (p,) = adjusted_p_values([Estimate(12.0, 1.0, 500.0)], "tukey", 5)
        alone = Estimate(12.0, 1.0, 500.0).p_value
        assert p is not None
        assert alone < p <= 10 * alone * (1 + 1e-12)

    def test_tukey_of_two_means_is_the_t_test(self) -> None:
        one = self.FAMILY[0]
        (p,) = adjusted_p_values([one], "tukey", 2)
        assert p == pytest.approx(one.p_value, rel=1e-12)
        (interval,) = adjusted_intervals([one], "tukey", 2, 0.95)
        assert interval.lower == pytest.approx(one.interval(0.95).lower, rel=1e-10)

    @pytest.mark.parametrize("adjust", ["bonferroni", "tukey"])
    def test_intervals_agree_with_p_values(self, adjust: Any) -> None:
        p_values = adjusted_p_values(self.FAMILY, adjust, 4)
        for one, p in zip(self.FAMILY, p_values, strict=True):
            assert p is not None
            if p < 1:
                (interval, *_) = adjusted_intervals([one] * 4, adjust, 4, 1 - p)
                assert min(abs(interval.lower), abs(interval.upper)) < 1e-6

    def test_each_level_of_by_is_a_family(self) -> None:
        table = FIT.pairwise("site", by="arm", adjust="bonferroni")
        for row in table:
            assert row.estimate is not None
            assert row.adjusted_p_value == pytest.approx(min(1.0, 3 * row.estimate.p_value))


class TestSlope:
    def test_is_the_coefficient_where_there_is_one(self) -> None:
        vector = np.array(FIT.names) == "baseline"
        same(FIT.slope("baseline"), FIT.estimate(vector.astype(float)), 1e-9)

    def test_by_visit_and_averaged(self) -> None:
        fit = fitted("ours_byvisit_us_satterthwaite")
        slopes = {visit: fit.slope("baseline", at={"visit": visit}) for visit in VISITS}
        vector = np.isin(fit.names, ["baseline", "baseline:visitweek4"]).astype(float)
        same(slopes["week4"], fit.estimate(vector), 1e-9)
        mean = np.mean([one.effect for one in slopes.values()])
        assert fit.slope("baseline").effect == pytest.approx(mean)
        assert slopes["week4"].label == "baseline + 1, visit week4"

    def test_transformed(self) -> None:
        fit = fit_of("change ~ np.log(baseline) + arm * visit")
        coefficient = fit.coefficients[fit.names.index("np.log(baseline)")]
        assert fit.slope("baseline", at={"baseline": 30}).effect == pytest.approx(coefficient * np.log(31 / 30))

    def test_refusals(self) -> None:
        for name in ("arm", "age", ["baseline"], 3):
            with pytest.raises(InputError, match="covariates of the formula"):
                FIT.slope(name)  # type: ignore[arg-type]


class TestStopping:
    def test_every_contrast_goes_into_a_stopping_rule(self) -> None:
        design = eq.GroupSequential(information=(0.5, 1.0), alpha=0.025, sided=1, efficacy=eq.OBrienFlemingSpending())
        early = fit_of("change ~ baseline + arm * visit", DATA.filter(pl.col("patient") <= "P080"))
        means = FIT.ls_means("arm", by="visit")
        pairs = [
            (early.contrast(PAIR, better="lower"), FIT.contrast(PAIR, better="lower")),
            (
                early.versus_control("arm", by="visit", better="lower")["ketamine", "midazolam", "week8"],
                FIT.pairwise("arm", by="visit", better="lower")["ketamine", "midazolam", "week8"],
            ),
            (
                early.contrast(PAIR, at={"visit": "week8"}, better="lower"),
                means.contrast({("ketamine", "week8"): 1, ("midazolam", "week8"): -1}, better="lower"),
            ),
        ]
        for first, last in pairs:
            conclusion = design.conclude([last])
            assert conclusion.observed == last
            assert conclusion.z == pytest.approx(last.favourable_z)
            full = eq.GroupSequential(
                information=(first.information / last.information, 1.0),
                alpha=0.025,
                sided=1,
                efficacy=eq.OBrienFlemingSpending(),
            ).conclude([first])
            assert full.look == 1
            assert full.z == pytest.approx(first.favourable_z)
