"""The picture of a mixed model draws the numbers of its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equipoise import InputError
from equipoise.mixed import mmrm
from mmrm_reference import fitted

DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"]}
TIMES = {"day1": 1, "week1": 7, "week2": 14, "week4": 28, "week8": 56}
FIT = fitted("ours_us_reml_satterthwaite")


def lines_of(figure: Any) -> list[Any]:
    (axes,) = figure.axes
    return [line for line in axes.lines if line.get_marker() not in ("None", "|", "_") and len(line.get_xdata()) == 5]


def texts_of(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


class TestMeans:
    def test_draws_the_means_and_intervals(self) -> None:
        figure = FIT.plot()
        means = FIT.ls_means("arm", by="visit")
        lines = lines_of(figure)
        for arm, line in zip(LEVELS["arm"], lines, strict=True):
            np.testing.assert_allclose(line.get_ydata(), [means[arm, visit].effect for visit in VISITS])
        bars: list[Any] = list(figure.axes[0].collections)
        segments = np.concatenate([one.get_segments() for one in bars])
        limits = sorted((segment[0, 1], segment[1, 1]) for segment in segments)
        wanted = sorted((row.interval.lower, row.interval.upper) for row in means if row.interval)
        np.testing.assert_allclose(limits, wanted)
        assert texts_of(figure) == LEVELS["arm"]
        assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == VISITS[::-1]

    def test_real_time(self) -> None:
        line = lines_of(FIT.plot(times=TIMES, time="Days", outcome="Change in score", title="Means"))[0]
        shift = np.asarray(line.get_xdata()) - list(TIMES.values())
        assert np.abs(shift).max() < 0.025 * 55
        assert np.abs(shift[0]) < np.abs(shift[-1]) + 1e-9

    def test_numeric_visits_are_times(self) -> None:
        numbered = DATA.with_columns(pl.col("day").alias("visit"))
        fit = mmrm("change ~ arm * visit", numbered, subject="patient", visit="visit", levels={"arm": LEVELS["arm"]})
        x = np.mean([line.get_xdata() for line in lines_of(fit.plot())], axis=0)
        np.testing.assert_allclose(x, list(TIMES.values()))

    def test_intervals_of_one_visit_stand_beside_each_other(self) -> None:
        one, other = (np.asarray(line.get_xdata(), dtype=float) for line in lines_of(FIT.plot(times=TIMES)))
        gaps = np.diff(list(TIMES.values()))
        assert (other > one).all()
        assert (other - one < 0.6 * np.minimum(np.r_[np.inf, gaps], np.r_[gaps, np.inf])).all()

    def test_at_and_level(self) -> None:
        figure: Any = FIT.plot("site", at={"visit": VISITS[1:], "baseline": 30}, level=0.8)
        assert "80% CI" in figure.axes[0].get_title(loc="left")
        means = FIT.ls_means("site", by="visit", at={"baseline": 30})
        drawn = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 4 and line.get_linestyle() != "None"]
        np.testing.assert_allclose(drawn[0].get_ydata(), [means["east", visit].effect for visit in VISITS[1:]])

    def test_a_cell_that_cannot_be_told_is_a_gap(self) -> None:
        absent = DATA.filter((pl.col("visit") != "week8") | (pl.col("arm") == "midazolam"))
        fit = mmrm("change ~ arm * visit", absent, subject="patient", visit="visit", levels=LEVELS)
        assert np.isnan(lines_of(fit.plot())[1].get_ydata()[-1])


class TestDifference:
    def test_draws_the_differences_and_a_zero_line(self) -> None:
        figure = FIT.plot(kind="difference")
        table = FIT.versus_control("arm", by="visit")
        (line,) = lines_of(figure)
        np.testing.assert_allclose(line.get_ydata(), [estimate.effect for estimate in table.estimates])
        low, high = figure.axes[0].get_ylim()
        assert low < 0 < high
        assert any(np.array_equal(line.get_ydata(), [0.0, 0.0]) for line in figure.axes[0].lines)
        assert figure.axes[0].get_title(loc="left") == "ketamine − midazolam, 95% CI"
        assert texts_of(figure) == []

    def test_control(self) -> None:
        figure = FIT.plot("site", kind="difference", control="north")
        assert "Difference from north" in figure.axes[0].get_title(loc="left")
        assert texts_of(figure) == ["east", "south"]

    def test_an_arm_looks_the_same_in_both(self) -> None:
        means, difference = lines_of(FIT.plot())[1], lines_of(FIT.plot(kind="difference"))[0]
        assert means.get_color() == difference.get_color()
        assert means.get_marker() == difference.get_marker()


class TestRefusals:
    @pytest.mark.parametrize(
        "call",
        [
            lambda: FIT.plot(kind="ratio"),  # type: ignore[arg-type]
            lambda: FIT.plot("visit"),
            lambda: FIT.plot("drug"),
            lambda: FIT.plot(by="baseline"),
            lambda: FIT.plot(times={"day1": 1}),
            lambda: FIT.plot(times=[1, 7, 14, 28, 56]),  # type: ignore[arg-type]
            lambda: FIT.plot(times={**TIMES, "week8": "late"}),  # type: ignore[dict-item]
            lambda: FIT.plot(level="a"),  # type: ignore[arg-type]
            lambda: FIT.plot(at=3),  # type: ignore[arg-type]
            lambda: FIT.plot(times=dict.fromkeys(VISITS, 1)),
            lambda: FIT.plot(times={**TIMES, "week8": float("nan")}),
            lambda: FIT.plot(kind="difference", control="placebo"),
        ],
    )
    def test_input(self, call: Any) -> None:
        with pytest.raises(InputError):
            call()

    def test_which_factor_must_be_plain(self) -> None:
        options: Any = {"subject": "patient", "visit": "visit", "levels": LEVELS}
        with pytest.raises(InputError, match="the name of the arm"):
            mmrm("change ~ arm + site + visit", DATA, **options).plot()
        assert len(mmrm("change ~ arm + visit", DATA, **options).plot().axes) == 1
        with pytest.raises(InputError, match="not one of them"):
            mmrm("change ~ arm + baseline", DATA, **options).plot()

    @pytest.mark.parametrize("names", [("a", "b", "c"), ("PBO", "5 mg", "10 mg"), ("a long name of an arm", "b", "c")])
    def test_names_stand_clear_of_the_edge(self, names: tuple[str, ...]) -> None:
        random = np.random.default_rng(3)
        rows = [
            {"id": f"{arm}-{at}", "arm": arm, "visit": visit, "y": random.normal()}
            for arm in names
            for at in range(12)
            for visit in (1, 2)
        ]
        figure = mmrm("y ~ arm * visit", pl.DataFrame(rows), subject="id", visit="visit", levels={"arm": names}).plot()
        canvas: Any = figure.canvas
        canvas.draw()
        ends = [text.get_window_extent(canvas.get_renderer()).x1 for text in figure.axes[0].texts]
        assert (figure.bbox.x1 - max(ends)) / figure.dpi > 0.1

    @pytest.mark.parametrize("n_arms", [1, 9])
    def test_any_number_of_arms(self, n_arms: int) -> None:
        random = np.random.default_rng(3)
        rows = [
            {"id": f"{arm}-{at}", "arm": f"arm {arm}", "visit": visit, "y": random.normal()}
            for arm in range(n_arms)
            for at in range(12)
            for visit in (1, 2)
        ]
        fit = mmrm("y ~ arm * visit" if n_arms > 1 else "y ~ visit", pl.DataFrame(rows), subject="id", visit="visit")
        if n_arms > 1:
            assert len(texts_of(fit.plot())) == 9
        else:
            with pytest.raises(InputError):
                fit.plot()
