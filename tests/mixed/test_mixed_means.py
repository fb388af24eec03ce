"""Least squares means against averages made by hand, and what must not matter to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equipoise import InputError
from equipoise.mixed import MixedFit, mmrm

DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
SITES = ["east", "north", "south"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"], "site": SITES}
FORMULA = "change ~ baseline + site * sex + arm * visit"


def fitted(data: Any = DATA, formula: str = FORMULA, **options: Any) -> MixedFit:
    return mmrm(formula, data, **{"subject": "patient", "visit": "visit", "levels": LEVELS, **options})


FIT = fitted()


def same(one: Any, other: Any, tolerance: float = 1e-9) -> None:
    assert one.effect == pytest.approx(other.effect, rel=tolerance, abs=tolerance)
    assert one.standard_error == pytest.approx(other.standard_error, rel=tolerance)
    assert one.degrees_of_freedom == pytest.approx(other.degrees_of_freedom, rel=1e3 * tolerance)


class TestAverages:
    def test_frequencies_of_the_cells(self) -> None:
        grid = FIT._reference_grid()
        used = DATA.drop_nulls([*grid.factors, *grid.means, "change"])
        counts = {tuple(row[:-1]): row[-1] for row in used.group_by(*grid.factors).len().rows()}
        for index in np.ndindex(grid.frequencies.shape):
            cell = tuple(levels[at] for at, levels in zip(index, grid.factors.values(), strict=True))
            assert grid.frequencies[index] == counts.get(cell, 0)

    def test_equal_weights_are_the_plain_average_of_cells(self) -> None:
        every = FIT.ls_means(["arm", "visit", "site", "sex"])
        assert len(every) == 2 * 5 * 3 * 2
        for arm in LEVELS["arm"]:
            cells = [row.estimate.effect for row in every if row.estimate and row.cell["arm"] == arm]
            assert FIT.ls_means("arm")[arm].effect == pytest.approx(np.mean(cells), rel=1e-12)

    def test_a_mean_by_hand(self) -> None:
        place = {name: at for at, name in enumerate(FIT.names)}
        vector = np.zeros(len(FIT.names))
        vector[0] = 1
        vector[place["baseline"]] = DATA.drop_nulls("change")["baseline"].to_numpy().mean()
        vector[place["sitenorth"]] = vector[place["sitesouth"]] = 1 / 3
        vector[place["sexmale"]] = 1 / 2
        vector[place["sitenorth:sexmale"]] = vector[place["sitesouth:sexmale"]] = 1 / 6
        vector[place["armketamine"]] = vector[place["visitweek4"]] = vector[place["armketamine:visitweek4"]] = 1
        same(FIT.ls_means("arm", by="visit")["ketamine", "week4"], FIT.estimate(vector))

    def test_proportional_weights_are_those_of_the_combinations_averaged(self) -> None:
        """As emmeans: joint frequencies of the factors averaged over, the same in every cell."""
        used = DATA.drop_nulls("change")
        every = FIT.ls_means(["arm", "visit", "site", "sex"])
        counts = {(row["site"], row["sex"]): row["len"] for row in used.group_by("site", "sex").len().to_dicts()}
        total = sum(counts.values())
        means = FIT.ls_means("arm", by="visit", weights="proportional")
        for arm, visit in (("ketamine", "week2"), ("midazolam", "week8")):
            wanted = sum(every[arm, visit, site, sex].effect * n for (site, sex), n in counts.items()) / total
            assert means[arm, visit].effect == pytest.approx(wanted, rel=1e-12)
        visits = {row["visit"]: row["len"] for row in used.group_by("visit").len().to_dicts()}
        by_visit = FIT.ls_means("arm", by="visit", at={"site": "east", "sex": "male"})
        whole = FIT.ls_means("arm", at={"site": "east", "sex": "male"}, weights="proportional")
        here = used.filter((pl.col("site") == "east") & (pl.col("sex") == "male"))
        visits = {row["visit"]: row["len"] for row in here.group_by("visit").len().to_dicts()}
        wanted = sum(by_visit["ketamine", visit].effect * n for visit, n in visits.items()) / sum(visits.values())
        assert whole["ketamine"].effect == pytest.approx(wanted, rel=1e-12)

    def test_proportional_equals_equal_where_levels_are_equally_frequent(self) -> None:
        grid = FIT._reference_grid()
        flat = replace(FIT, _grid=replace(grid, frequencies=np.full_like(grid.frequencies, 7.0)))
        same(flat.ls_means("arm", weights="proportional")["ketamine"], FIT.ls_means("arm")["ketamine"])

    def test_levels_at_which_is_averaged(self) -> None:
        by_visit = FIT.ls_means("arm", by="visit")
        late = FIT.ls_means("arm", at={"visit": ["week4", "week8"]})
        for arm in LEVELS["arm"]:
            same(late[arm], by_visit.contrast({(arm, "week4"): 0.5, (arm, "week8"): 0.5}))
        some = FIT.ls_means("arm", by="visit", at={"visit": ["week8", "week4"]})
        assert [tuple(row.cell.values()) for row in some] == [
            ("midazolam", "week8"),
            ("ketamine", "week8"),
            ("midazolam", "week4"),
            ("ketamine", "week4"),
        ]

    def test_covariates_at_a_value(self) -> None:
        slope = FIT.coefficients[FIT.names.index("baseline")]
        low, high = (FIT.ls_means("arm", at={"baseline": value})["ketamine"].effect for value in (30, 40))
        assert high - low == pytest.approx(10 * slope)

    def test_order_of_factors(self) -> None:
        assert (
            FIT.ls_means(["visit", "arm"])["week4", "ketamine"]
            == FIT.ls_means("visit", by="arm", at={"arm": ["ketamine"]})["week4", "ketamine"]
        )
        rows = FIT.ls_means("arm", by=["site", "visit"]).rows
        assert [row.cell for row in rows[:3]] == [
            {"arm": "midazolam", "site": "east", "visit": "day1"},
            {"arm": "ketamine", "site": "east", "visit": "day1"},
            {"arm": "midazolam", "site": "north", "visit": "day1"},
        ]


class TestInvariance:
    @pytest.mark.parametrize("weights", ["equal", "proportional"])
    def test_reference_level_and_order_of_rows(self, weights: Any) -> None:
        turned = fitted(
            DATA.sample(fraction=1.0, shuffle=True, seed=5),
            levels={"visit": VISITS, "arm": ["ketamine", "midazolam"], "site": ["south", "east", "north"]},
        )
        for arm in LEVELS["arm"]:
            same(turned.ls_means("arm", weights=weights)[arm], FIT.ls_means("arm", weights=weights)[arm], 1e-8)
            same(
                turned.ls_means("arm", by="visit", weights=weights)[arm, "week8"],
                FIT.ls_means("arm", by="visit", weights=weights)[arm, "week8"],
                1e-8,
            )


class TestContrastsOfMeans:
    def test_difference_is_the_contrast(self) -> None:
        means = FIT.ls_means("arm", by="visit")
        pair = FIT.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week4"})
        same(means.contrast({("ketamine", "week4"): 1, ("midazolam", "week4"): -1}), pair, 1e-12)
        weights = [0.0] * 6 + [-1.0, 1.0] + [0.0] * 2
        same(means.contrast(weights), pair, 1e-12)

    def test_one_cell_is_its_mean(self) -> None:
        means = FIT.ls_means("arm", by="visit")
        same(means.contrast({("ketamine", "week8"): 1.0}), means["ketamine", "week8"], 1e-12)

    def test_area_under_the_curve(self) -> None:
        """A contrast over all visits has the standard error of its vector, not of independent means."""
        means = FIT.ls_means("arm", by="visit")
        trapezia = np.array([3.0, 6.5, 10.5, 21.0, 14.0]) / 55
        estimate = means.contrast(np.repeat(trapezia, 2) * np.tile([-1.0, 1.0], 5), better="lower", label="AUC")
        vector = trapezia @ [
            means.rows[2 * at + 1].weights[: len(FIT.names)] - means.rows[2 * at].weights[: len(FIT.names)]
            for at in range(5)
        ]
        same(estimate, FIT.estimate(vector), 1e-12)
        assert (estimate.better, estimate.label) == ("lower", "AUC")

    def test_joint_test_of_all_visits(self) -> None:
        means = FIT.ls_means("arm", by="visit")
        rows = [{("ketamine", visit): 1.0, ("midazolam", visit): -1.0} for visit in VISITS]
        joint, terms = means.f_test(rows), FIT.test_terms("arm", "arm:visit")
        assert joint.statistic == pytest.approx(terms.statistic, rel=1e-9)
        assert joint.numerator_degrees_of_freedom == terms.numerator_degrees_of_freedom == 5

    @pytest.mark.parametrize("weights", [[1.0], np.zeros(10), {("ketamine", "week3"): 1}, np.full(10, np.nan), {}])
    def test_refusals(self, weights: Any) -> None:
        with pytest.raises(InputError):
            FIT.ls_means("arm", by="visit").contrast(weights)


class TestEmptyCells:
    ABSENT = DATA.filter((pl.col("visit") != "week8") | (pl.col("arm") == "midazolam"))

    def test_a_visit_that_an_arm_never_had(self) -> None:
        fit = fitted(self.ABSENT, "change ~ baseline + arm * visit")
        assert "armketamine:visitweek8" in " ".join(fit.notes)
        means = fit.ls_means("arm", by="visit")
        assert means.rows[-1].estimate is None
        assert means.rows[-1].interval is None
        assert "not estimable" in str(means)
        assert "not estimable" in means._repr_html_()
        assert means.to_frame()["mean"].null_count() == 1
        with pytest.raises(InputError, match="the data can estimate"):
            means["ketamine", "week8"]
        assert means["midazolam", "week8"].standard_error > 0
        assert [row.estimate is None for row in fit.ls_means("arm")] == [False, True]
        early = fit.ls_means("arm", at={"visit": VISITS[:4]})
        assert early["ketamine"].standard_error > 0

    def test_means_equal_those_of_the_model_without_the_empty_cell(self) -> None:
        """The arm's other visits do not depend on which column of the empty cell was left out."""
        fit = fitted(self.ABSENT, "change ~ baseline + arm * visit")
        turned = fitted(
            self.ABSENT, "change ~ baseline + arm * visit", levels={**LEVELS, "arm": ["ketamine", "midazolam"]}
        )
        for visit in VISITS[:4]:
            same(
                fit.ls_means("arm", by="visit")["ketamine", visit],
                turned.ls_means("arm", by="visit")["ketamine", visit],
                1e-8,
            )

    def test_cells_that_cancel(self) -> None:
        """What cannot be told of men and women with ketamine at week 8 is the same, so their difference can."""
        fit = fitted(self.ABSENT, "change ~ baseline + sex + arm * visit")
        means = fit.ls_means(["sex", "arm"], at={"visit": "week8"})
        assert [row.estimate is None for row in means] == [False, False, True, True]
        difference = means.contrast({("male", "ketamine"): 1.0, ("female", "ketamine"): -1.0})
        assert difference.effect == pytest.approx(fit.coefficients[fit.names.index("sexmale")])
        with pytest.raises(InputError, match="the data can estimate"):
            means.contrast({("male", "ketamine"): 1.0, ("female", "midazolam"): -1.0})


class TestTables:
    def test_text_frame_and_html(self) -> None:
        means = FIT.ls_means("arm", by="visit", level=0.9)
        assert "90 % interval" in str(means)
        assert means.to_frame().shape == (10, 7)
        lines = str(means).splitlines()
        points = {line.index(".") for line in lines[2:]}
        assert len(points) == 1
        odd = fitted(
            DATA.with_columns(pl.col("arm").replace("ketamine", "<b>&")),
            "change ~ baseline + arm * visit",
            levels={"visit": VISITS},
        )
        html = odd.ls_means("arm")._repr_html_()
        assert "&lt;b&gt;&amp;" in html
        assert "<b>" not in html
        assert html.count("<tr>") == 3

    def test_says_what_it_is_at(self) -> None:
        mean = f"{FIT._reference_grid().means['baseline']:.4g}"
        title = str(FIT.ls_means("arm", by="visit")).splitlines()[0]
        where = f"at baseline {mean} (mean); averaged over sex, site with equal weights"
        assert title == f"Least squares means of arm by visit; {where}"
        at = {"visit": "week8", "baseline": 40, "site": ["east", "north"]}
        means = FIT.ls_means("arm", at=at, weights="proportional")
        assert (
            means.where == "at visit week8, baseline 40; averaged over sex, site (east, north) as often as they occur"
        )
        assert means.where in str(means)
        assert means.where in means._repr_html_()
        assert FIT.ls_means(["arm", "visit", "site", "sex"]).where == f"at baseline {mean} (mean)"
        pairs = FIT.pairwise("arm", by="visit")
        assert str(pairs).startswith(f"Pairwise differences of arm by visit; at baseline {mean} (mean); averaged over")
        assert str(FIT.versus_control("site", control="north")).startswith("Differences of site from north; at ")
        assert max(len(line) for line in str(FIT.ls_means("arm", at=at)).splitlines()) <= 120

    def test_rows_print_short(self) -> None:
        row = FIT.ls_means("arm", by="visit").rows[0]
        assert str(row) == repr(row)
        assert str(row).startswith("midazolam, day1: mean ")
        assert "95 % interval" in str(row)
        one = FIT.pairwise("arm", by="visit").rows[0]
        assert str(one).startswith("ketamine - midazolam, day1: ")
        assert "adjusted" not in str(one)
        both = repr(FIT.pairwise("site", adjust="tukey").rows[0])
        assert "adjusted p" in both
        assert "simultaneous interval" in both

    @pytest.mark.parametrize(
        "call",
        [
            lambda: FIT.ls_means([]),
            lambda: FIT.ls_means(["arm", "arm"]),
            lambda: FIT.ls_means("arm", by="arm"),
            lambda: FIT.ls_means("arm", weights="cells"),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm", level=95),
            lambda: FIT.ls_means("arm", at={"visit": []}),
            lambda: FIT.ls_means("arm", at={"visit": ["week4", "week4"]}),
            lambda: FIT.ls_means("arm", at={"baseline": [30, 40]}),
            lambda: FIT.ls_means("arm", at={"baseline": True}),
            lambda: FIT.ls_means("arm")["ketamine", "week4"],
            lambda: FIT.ls_means("arm", level="a"),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm", at=3),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm", at=["week4"]),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm", at={"visit": {"week4", "week8"}}),
            lambda: FIT.ls_means("arm", at={"visit": {"week4": 1}}),
            lambda: FIT.ls_means("arm", at={"baseline": "a"}),
            lambda: FIT.ls_means(3),  # type: ignore[arg-type]
            lambda: FIT.ls_means({"arm", "visit"}),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm", by=3),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm").contrast("a"),
            lambda: FIT.ls_means("arm").contrast({"ketamine": "x"}),  # type: ignore[dict-item]
            lambda: FIT.ls_means("arm").contrast({"ketamine", "midazolam"}),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm").f_test(3),  # type: ignore[arg-type]
            lambda: FIT.ls_means("arm").f_test("a"),
            lambda: FIT.ls_means("arm").f_test({"ketamine": 1}),  # type: ignore[arg-type]
        ],
    )
    def test_refusals(self, call: Any) -> None:
        with pytest.raises(InputError) as raised:
            call()
        assert "; expected " in str(raised.value)

    def test_messages_name_what_is_there(self) -> None:
        with pytest.raises(InputError, match=r"^at is 'vist'; expected one of the factors .* or the covariates \['bas"):
            FIT.ls_means("arm", at={"vist": "week4"})
        with pytest.raises(InputError, match=r"^at\['visit'\] is 'week3'; expected one of \['day1'"):
            FIT.ls_means("arm", at={"visit": "week3"})
