"""Dunnett's comparisons against published tables, R's mvtnorm and emmeans, and a simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from scipy.linalg import toeplitz
from scipy.special import ndtr, stdtr

from equipoise.mixed import MixedFit, mmrm
from equipoise.mixed.dunnett import LargestT

DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"], "site": ["east", "north", "south"]}
FORMULA = "change ~ baseline + site + arm * visit"

# Two-sided points, correlations 1/2, of 1 to 9 comparisons: Dunnett (1964), Biometrics 20, 482-491.
TABLE = {
    (0.05, 5): (2.57, 3.03, 3.29, 3.48, 3.62, 3.73, 3.82, 3.90, 3.97),
    (0.05, 10): (2.23, 2.57, 2.76, 2.89, 2.99, 3.07, 3.14, 3.19, 3.24),
    (0.05, 20): (2.09, 2.38, 2.54, 2.65, 2.73, 2.80, 2.86, 2.90, 2.95),
    (0.05, np.inf): (1.96, 2.21, 2.35, 2.44, 2.51, 2.57, 2.61, 2.65, 2.69),
    (0.01, 20): (2.85, 3.13, 3.29, 3.40, 3.48, 3.55, 3.60, 3.65, 3.69),
    (0.01, np.inf): (2.58, 2.79, 2.92, 3.00, 3.06, 3.11, 3.15, 3.19, 3.22),
}
NEGATIVE = np.array([[1, 0.5, 0.3], [0.5, 1, -0.2], [0.3, -0.2, 1]])
CLOSE = np.array([[1, 0.9, 0.8], [0.9, 1, 0.95], [0.8, 0.95, 1]])
FOUR = np.array([[1, 0.55, 0.4, 0.45], [0.55, 1, 0.5, 0.62], [0.4, 0.5, 1, 0.35], [0.45, 0.62, 0.35, 1]])
FALLING = toeplitz([1, 0.7, 0.5, 0.35, 0.2])


def equal(k: int, correlation: float = 0.5) -> np.ndarray:
    return np.full((k, k), correlation) + (1 - correlation) * np.eye(k)


def products(loadings: list[float]) -> np.ndarray:
    found = np.outer(loadings, loadings)
    np.fill_diagonal(found, 1)
    return found


def fit_of(degrees_of_freedom: Literal["residual", "satterthwaite"] = "residual") -> MixedFit:
    options: Any = {"subject": "patient", "visit": "visit", "levels": LEVELS}
    return mmrm(FORMULA, DATA, degrees_of_freedom=degrees_of_freedom, **options)


class TestLargest:
    @pytest.mark.parametrize(("tail", "freedom"), TABLE)
    def test_published_points(self, tail: float, freedom: float) -> None:
        for k, point in enumerate(TABLE[tail, freedom], 1):
            assert LargestT.of(equal(k)).point(tail, freedom) == pytest.approx(point, abs=0.00501)

    def test_equal_correlations_against_mvtnorm(self) -> None:
        """mvtnorm 1.1-3: pmvnorm with Miwa(4096), whose grid leaves 2e-11; pmvt of two, exact."""
        from scipy.integrate import quad

        for k, tail in ((2, 0.0400450083437), (3, 0.0566086556427), (5, 0.0853957645475)):

            def outside(u: float, k: int = k) -> float:
                inside = ndtr(2.3 * np.sqrt(2) - u) - ndtr(-2.3 * np.sqrt(2) - u)
                return (1 - inside**k) * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)

            found = LargestT.of(equal(k)).tail(2.3, np.inf)
            assert found == pytest.approx(tail, abs=2e-11)
            assert found == pytest.approx(quad(outside, -12, 12, epsabs=1e-14, epsrel=1e-13)[0], rel=1e-12)
        assert LargestT.of(equal(2)).tail(2.2, 13) == pytest.approx(0.0825707790131, abs=1e-12)

    def test_products_against_mvtnorm(self) -> None:
        largest = LargestT.of(products([0.9, 0.7, 0.5]))
        assert np.abs(largest.loadings) == pytest.approx([0.9, 0.7, 0.5], abs=1e-12)
        assert largest.tail(2.0, np.inf) == pytest.approx(0.1149491197, abs=2e-10)
        assert largest.tail(2.0, 7) == pytest.approx(0.1918325037, abs=7e-8)

    @pytest.mark.parametrize(
        ("correlation", "normal", "student"),
        [
            (NEGATIVE, 0.0762361445, 0.1183825888),
            (CLOSE, 0.0483210042, 0.0760371679),
            (FOUR, 0.0915653332, 0.1386971364),
            (FALLING, 0.1013026363, 0.1504811261),
        ],
    )
    def test_other_correlations_against_mvtnorm(self, correlation: np.ndarray, normal: float, student: float) -> None:
        """pmvnorm and pmvt (13 degrees of freedom) beyond 2.2 with GenzBretz, whose errors are up to 1e-7."""
        largest = LargestT.of(correlation)
        assert largest.tail(2.2, np.inf) == pytest.approx(normal, abs=4e-6)
        assert largest.tail(2.2, 13) == pytest.approx(student, abs=4e-6)

    def test_simulation(self) -> None:
        random = np.random.default_rng(11)
        n, freedom = 400_000, 9
        normal = random.normal(size=(n, 4)) @ np.linalg.cholesky(FOUR).T
        t = normal / np.sqrt(random.chisquare(freedom, n) / freedom)[:, None]
        for point in (1.0, 2.5, 4.0):
            share = float((np.abs(t).max(axis=1) > point).mean())
            tail = LargestT.of(FOUR).tail(point, freedom)
            assert abs(share - tail) < 4 * np.sqrt(tail * (1 - tail) / n)

    @pytest.mark.parametrize("freedom", [3.7, 40.0, np.inf])
    def test_independent(self, freedom: float) -> None:
        """Without correlation and with known variance the probabilities multiply; else they exceed the product."""
        largest = LargestT.of(np.eye(4))
        alone = 2 * (ndtr(-2.0) if np.isinf(freedom) else stdtr(freedom, -2.0))
        product = 1 - (1 - alone) ** 4
        if np.isinf(freedom):
            assert largest.tail(2.0, freedom) == pytest.approx(product, rel=1e-12)
        else:
            assert alone < largest.tail(2.0, freedom) < product

    @pytest.mark.parametrize("correlation", [0.2, -0.7, 0.998, 0.99999])
    def test_two(self, correlation: float) -> None:
        from scipy.stats import multivariate_normal

        matrix: Any = equal(2, correlation)

        def below(a: float, b: float) -> float:
            return float(multivariate_normal.cdf([a, b], cov=matrix))

        inside = below(2.1, 2.1) - below(-2.1, 2.1) - below(2.1, -2.1) + below(-2.1, -2.1)
        assert LargestT.of(matrix).tail(2.1, np.inf) == pytest.approx(1 - inside, abs=1e-6)

    def test_limits(self) -> None:
        """One comparison is the t test; nearly the same one several times, too; far out it is Bonferroni's."""
        assert LargestT.of(np.eye(1)).tail(2.0, 5.0) == pytest.approx(2 * stdtr(5.0, -2.0), rel=1e-14)
        assert LargestT.of(np.eye(1)).point(0.05, 20.0) == pytest.approx(2.0859634, abs=1e-7)
        assert LargestT.of(equal(3, 0.99999)).tail(2.0, 12.0) == pytest.approx(2 * stdtr(12.0, -2.0), rel=0.01)
        far = LargestT.of(FOUR).tail(9.0, np.inf)
        assert far == pytest.approx(4 * 2 * ndtr(-9.0), rel=1e-3)
        assert LargestT.of(FOUR).tail(0.0, 5.0) == 1.0

    @pytest.mark.parametrize("correlation", [equal(3), FOUR, FALLING, CLOSE, NEGATIVE])
    @pytest.mark.parametrize("freedom", [2.5, 30.0, np.inf])
    def test_point_and_tail_are_inverse(self, correlation: np.ndarray, freedom: float) -> None:
        largest = LargestT.of(correlation)
        for tail in (0.2, 0.01):
            assert largest.tail(largest.point(tail, freedom), freedom) == pytest.approx(tail, rel=1e-6)

    def test_order_and_sign_hardly_matter(self) -> None:
        """Exactly they do not; the order in which the lattice takes the comparisons shows in the sixth digit."""
        order = [2, 0, 3, 1]
        sign = np.array([1, -1, -1, 1])
        turned = FOUR[np.ix_(order, order)] * np.outer(sign, sign)
        assert LargestT.of(turned).tail(2.3, 15) == pytest.approx(LargestT.of(FOUR).tail(2.3, 15), rel=1e-5)

    def test_same_every_time(self) -> None:
        assert LargestT.of(FALLING).tail(2.0, 30) == LargestT.of(FALLING).tail(2.0, 30)


class TestVersusControl:
    """emmeans 1.8.4, trt.vs.ctrl with adjust = "mvt" on the means and covariance of this fit."""

    def test_two_comparisons(self) -> None:
        rows = fit_of().versus_control("site", control="north", adjust="dunnett").rows
        expected = ((0.5406100375, -1.733032730, 4.299746125), (0.9700727675, -2.920054015, 3.511762814))
        for row, (p, lower, upper) in zip(rows, expected, strict=True):
            assert row.adjusted_p_value == pytest.approx(p, abs=1e-8)
            assert row.interval is not None
            assert (row.interval.lower, row.interval.upper) == pytest.approx((lower, upper), abs=2e-4)

    def test_correlations_of_a_repeated_outcome(self) -> None:
        """Its qmvt stops at 1e-3 of the quantile, so the point is from pmvt: 2.3896263 within 1e-6."""
        rows = fit_of().versus_control("visit", by="arm", at={"arm": ["ketamine"]}, adjust="dunnett").rows
        p_values = [row.adjusted_p_value for row in rows]
        assert p_values[0] == pytest.approx(0.000357227, abs=3e-7)
        assert p_values[2:] == pytest.approx([0.426589208, 0.27541052], abs=4e-6)
        for row in rows:
            assert row.interval is not None
            assert row.estimate is not None
            half = (row.interval.upper - row.interval.lower) / 2
            assert half / row.estimate.standard_error == pytest.approx(2.38962628, abs=1e-5)

    def test_lies_between_no_adjustment_and_bonferroni(self) -> None:
        fit = fit_of("satterthwaite")
        found = {
            adjust: fit.versus_control("visit", by="arm", adjust=adjust)  # type: ignore[arg-type]
            for adjust in (None, "dunnett", "bonferroni")
        }
        for plain, own, wide in zip(*found.values(), strict=True):
            assert plain.estimate is not None
            assert own.adjusted_p_value is not None
            assert wide.adjusted_p_value is not None
            assert own.estimate == plain.estimate
            assert plain.estimate.p_value < own.adjusted_p_value <= wide.adjusted_p_value
            assert plain.interval is not None
            assert own.interval is not None
            assert wide.interval is not None
            assert wide.interval.lower < own.interval.lower < plain.interval.lower

    def test_one_comparison_is_not_adjusted(self) -> None:
        (row,) = fit_of().versus_control("arm", at={"visit": "week8"}, adjust="dunnett")
        assert row.estimate is not None
        assert row.adjusted_p_value == pytest.approx(row.estimate.p_value, rel=1e-12)
        assert row.interval is not None
        assert row.interval.lower == pytest.approx(row.estimate.interval().lower, rel=1e-10)

    def test_interval_excludes_0_where_p_is_small(self) -> None:
        table = fit_of("satterthwaite").versus_control("visit", by="arm", adjust="dunnett")
        for row in table:
            assert row.interval is not None
            assert row.adjusted_p_value is not None
            assert (0 not in row.interval) == (row.adjusted_p_value < 0.05)
        assert "p, Dunnett" in str(table)

    def test_what_cannot_be_told_is_no_comparison(self) -> None:
        absent = DATA.filter((pl.col("visit") != "week8") | (pl.col("arm") == "midazolam"))
        options: Any = {"subject": "patient", "visit": "visit", "levels": LEVELS}
        fit = mmrm("change ~ baseline + arm * visit", absent, **options)
        rows = fit.versus_control("visit", by="arm", at={"arm": ["ketamine"]}, adjust="dunnett").rows
        assert [row.adjusted_p_value is None for row in rows] == [False, False, False, True]
        alone = fit.versus_control("arm", by="visit", adjust="dunnett").rows
        assert alone[-1].estimate is None
