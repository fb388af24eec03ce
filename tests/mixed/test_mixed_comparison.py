"""Comparison of fits: R's criteria, the lattice of structures, the chi-square limit, refusals."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from equipoise import InputError
from equipoise.mixed import FitError, MixedFit, fit_mmrm, mmrm
from equipoise.mixed.comparison import compare_fits
from equipoise.mixed.covariance.named import STRUCTURES, is_spatial, structure
from equipoise.mixed.covariance.structures import filled
from equipoise.mixed.nesting import covariance_nested, structure_nested

Array = NDArray[np.float64]
DATA = pl.read_csv(Path(__file__).parent.parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"]}
OVER_VISITS = [name for name in STRUCTURES if not is_spatial(name)]

# R mmrm 0.3.18 on the project's own trial, change ~ baseline + site + arm * visit, restricted maximum likelihood:
# log-likelihood, parameters, AIC, AICc, BIC.
OF_R = {
    "unstructured": (-2159.5906409557883, 15, 4349.181281911577, 4349.959239772193, 4394.340811323021),
    "toeplitz-heterogeneous": (-2177.5593464810486, 9, 4373.118692962097, 4373.407617520685, 4400.214410608964),
    "ante-dependence-heterogeneous": (-2165.5718127877813, 9, 4349.1436255755625, 4349.43255013415, 4376.239343222429),
    "ar1-heterogeneous": (-2181.5614595203697, 6, 4375.122919040739, 4375.257104344254, 4393.186730805317),
    "compound-symmetry-heterogeneous": (
        -2208.388746410974,
        6,
        4428.777492821948,
        4428.9116781254625,
        4446.841304586525,
    ),
    "toeplitz": (-2190.5603278492376, 5, 4391.120655698475, 4391.21634947838, 4406.173832168956),
    "ante-dependence": (-2190.1823200946114, 5, 4390.364640189223, 4390.4603339691275, 4405.417816659704),
    "ar1": (-2194.5381999626293, 2, 4393.076399925259, 4393.095447544306, 4399.097670513451),
    "compound-symmetry": (-2236.569005872693, 2, 4477.138011745386, 4477.157059364434, 4483.159282333579),
}


def fitted(covariance: Any, **options: Any) -> MixedFit:
    return mmrm(
        options.pop("formula", "change ~ baseline + site + arm * visit"),
        options.pop("data", DATA),
        subject="patient",
        visit="visit",
        levels=LEVELS,
        covariance=covariance,
        **options,
    )


FITS = {name: fitted(name) for name in OF_R}
COMPARED = compare_fits(*FITS.values())


class TestAgainstR:
    def test_criteria(self) -> None:
        for line in COMPARED.fits:
            likelihood, parameters, aic, aicc, bic = OF_R[line.structure]
            assert line.n_covariance_parameters == parameters
            np.testing.assert_allclose(
                (line.log_likelihood, line.aic, line.aicc, line.bic), (likelihood, aic, aicc, bic), rtol=1e-11
            )
        for criterion, column in (("aic", 2), ("aicc", 3), ("bic", 4)):
            assert COMPARED.best(criterion) == min(OF_R, key=lambda name: OF_R[name][column])  # type: ignore[arg-type]

    def test_likelihood_ratios(self) -> None:
        from scipy.stats import chi2

        for test in COMPARED.tests:
            small, large = OF_R[test.smaller], OF_R[test.larger]
            assert test.statistic == pytest.approx(2 * (large[0] - small[0]), rel=1e-7)
            assert test.degrees_of_freedom == large[1] - small[1]
            assert test.p_value == pytest.approx(chi2.sf(test.statistic, test.degrees_of_freedom), rel=1e-10)

    def test_only_neighbours_are_listed_but_every_nested_pair_can_be_had(self) -> None:
        listed = {(test.smaller, test.larger) for test in COMPARED.tests}
        assert ("ar1", "unstructured") not in listed
        assert len(listed) == 12
        whole = COMPARED.test("ar1", "unstructured")
        assert whole.statistic == pytest.approx(2 * (OF_R["unstructured"][0] - OF_R["ar1"][0]), rel=1e-7)
        path = ["ar1", "ar1-heterogeneous", "ante-dependence-heterogeneous", "unstructured"]
        steps = [COMPARED.test(a, b) for a, b in itertools.pairwise(path)]
        assert sum(step.statistic for step in steps) == pytest.approx(whole.statistic, rel=1e-9)
        assert sum(step.degrees_of_freedom for step in steps) == whole.degrees_of_freedom
        with pytest.raises(InputError, match="nested fits"):
            COMPARED.test("toeplitz", "ante-dependence")

    def test_prints(self) -> None:
        text = str(COMPARED)
        for part in ("restricted maximum likelihood", "AICc", "4349.18", "Likelihood-ratio tests", "chi-square"):
            assert part in text
        assert COMPARED.to_frame().height == len(OF_R)
        assert "<table>" in COMPARED._repr_html_()
        assert "11.962" in text
        assert str(COMPARED.fits[0]) == repr(COMPARED.fits[0])
        assert "15 covariance parameters, AIC 4349.18" in str(COMPARED.fits[0])
        assert "6 degrees of freedom" in repr(COMPARED.test("ante-dependence-heterogeneous", "unstructured"))


class TestLattice:
    @pytest.mark.parametrize(("smaller", "larger"), list(itertools.product(OVER_VISITS, OVER_VISITS)))
    def test_against_the_definitions_of_the_structures(self, smaller: str, larger: str) -> None:
        """Random members of one structure meet the definition of the other if and only if they are nested."""
        rng = np.random.default_rng(5)
        own = structure(smaller, 5)
        members = 0
        for _ in range(200):
            matrix = filled(own.entries(rng.normal(0, 0.4, own.n_parameters)), 5)
            if smaller == "unstructured":
                matrix = _wishart(rng)
            if np.linalg.eigvalsh(matrix)[0] > 0.01:
                assert _belongs(matrix, larger) == structure_nested(smaller, larger)
                members += 1
        assert members > 10

    @pytest.mark.parametrize(
        ("days", "smaller", "larger", "nested"),
        [
            ((1, 7, 14, 28), "spatial-exponential", "ante-dependence", True),
            ((1, 7, 14, 28), "spatial-power", "ante-dependence-heterogeneous", True),
            ((1, 7, 14, 28), "spatial-exponential", "toeplitz", False),
            ((1, 7, 14, 28), "spatial-exponential", "ar1", False),
            ((1, 7, 14, 28), "spatial-gaussian", "unstructured", True),
            ((1, 7, 14, 28), "spatial-gaussian", "ante-dependence", False),
            ((7, 14, 21, 28), "spatial-exponential", "ar1", True),
            ((7, 14, 21, 28), "spatial-power", "toeplitz", True),
            ((7, 14, 21, 28), "spatial-gaussian", "toeplitz", True),
            ((7, 14, 21, 28), "spatial-gaussian", "ar1", False),
            ((7, 14, 21, 28), "spatial-power", "spatial-exponential", True),
            (None, "spatial-exponential", "unstructured", False),
            (None, "spatial-gaussian", "unstructured", False),
        ],
    )
    def test_spatial(self, days: Any, smaller: Any, larger: Any, nested: bool) -> None:
        y, x = trial(1, 60, 4)
        times = np.arange(4) + np.random.default_rng(0).uniform(-0.3, 0.3, y.shape) if days is None else np.array(days)
        first, second = (fit_mmrm(y, x, covariance=name, times=times) for name in (smaller, larger))
        assert covariance_nested(first, second) == nested

    def test_spatial_structures_over_other_times(self) -> None:
        """Another unit of time, or origin, makes no other model; other times do."""
        y, x = trial(1, 60, 4)
        own = np.arange(4) + np.random.default_rng(0).uniform(-0.3, 0.3, y.shape)
        arm = np.arange(60) // 30
        small = fit_mmrm(y, x, covariance="spatial-exponential", times=own)
        for times, covariance, nested in (
            (own, "spatial-exponential", True),
            (7 * own + 3, "spatial-power", True),
            (own, "spatial-gaussian", False),
            (np.arange(4), "spatial-exponential", False),
        ):
            large = fit_mmrm(y, x, covariance=covariance, times=times, group=arm)  # type: ignore[arg-type]
            assert covariance_nested(small, large) == nested
            assert len(compare_fits(small, large, names=["small", "large"]).tests) == nested

    def test_groups(self) -> None:
        y, x = trial(2, 60)
        arm, quarter = np.arange(60) // 30, np.arange(60) // 15
        fits = [fit_mmrm(y, x, covariance="ar1", group=group) for group in (None, arm, quarter, np.arange(60) % 2)]
        found = compare_fits(*fits, names=["one", "halves", "quarters", "crossed"])
        assert [(t.smaller, t.larger, t.degrees_of_freedom) for t in found.tests] == [
            ("one", "halves", 2),
            ("one", "crossed", 2),
            ("halves", "quarters", 4),
        ]
        whole = fit_mmrm(y, x)
        assert not covariance_nested(fits[1], whole)
        assert covariance_nested(fits[0], fit_mmrm(y, x, group=arm))

    def test_arm_names_the_groups(self) -> None:
        found = compare_fits(FITS["unstructured"], fitted("unstructured", group="arm"))
        assert found.fits[1].name == "unstructured, one per arm"
        # R mmrm 0.3.18: -2147.7470... with a covariance in each arm, 15 parameters more.
        assert found.tests[0].degrees_of_freedom == 15
        assert found.tests[0].statistic == pytest.approx(23.68754623642326, rel=1e-7)


class TestFixedEffects:
    def test_regression_of_the_textbook(self) -> None:
        """One visit by maximum likelihood: n log of the ratio of residual sums of squares."""
        rng = np.random.default_rng(3)
        x = rng.normal(size=(40, 1, 3))
        x[:, :, 0] = 1
        y = rng.normal(size=(40, 1)) + x[:, :, 1]
        large, small = (fit_mmrm(y, x[:, :, :p], method="ml") for p in (3, 2))
        rest = [np.linalg.lstsq(x[:, 0, :p], y[:, 0], rcond=None)[1][0] for p in (3, 2)]
        found = compare_fits(small, large, names=["small", "large"])
        assert found.tests[0].statistic == pytest.approx(40 * np.log(rest[1] / rest[0]), rel=1e-9)
        assert found.tests[0].degrees_of_freedom == 1
        assert found.fits[1].aic == pytest.approx(-2 * large.log_likelihood + 2 * 4, rel=1e-12)
        assert found.fits[1].bic == pytest.approx(-2 * large.log_likelihood + np.log(40) * 4, rel=1e-12)
        assert found.fits[1].aicc == pytest.approx(-2 * large.log_likelihood + 2 * 4 * 40 / 35, rel=1e-12)
        assert "count the coefficients" in str(found)

    def test_both_parts_at_once_and_neither(self) -> None:
        formulas = ("change ~ arm * visit", "change ~ baseline + arm * visit", "change ~ site + arm * visit")
        fits = [fitted("ar1", formula=formula, method="ml") for formula in formulas]
        fits.append(fitted("toeplitz", formula=formulas[1], method="ml"))
        found = compare_fits(*fits)
        assert found.fits[1].name == f"ar1: {formulas[1]}"
        pairs = {(t.smaller.split(": ")[-1], t.larger.split(": ")[-1]): t.degrees_of_freedom for t in found.tests}
        assert pairs == {
            (formulas[0], formulas[1]): 1,
            (formulas[0], formulas[2]): 2,
            (formulas[1], "toeplitz"): 3,
        }
        assert found.test(f"ar1: {formulas[0]}", "toeplitz").degrees_of_freedom == 4

    def test_another_basis_is_the_same_model(self) -> None:
        y, x = trial(4)
        basis = np.random.default_rng(0).normal(size=(6, 6))
        found = compare_fits(
            fit_mmrm(y, x, method="ml", covariance="ar1"), fit_mmrm(y, x @ basis, method="ml"), names=["a", "b"]
        )
        assert found.tests[0].degrees_of_freedom == 4

    def test_order_of_the_terms_does_not_matter(self) -> None:
        turned = fitted("ar1", formula="change ~ site + arm * visit + baseline")
        assert compare_fits(turned, FITS["unstructured"]).tests[0].degrees_of_freedom == 13


def test_chi_square_under_the_smaller_model() -> None:
    """p-values of AR(1) in heterogeneous AR(1), 300 trials of 100 patients: mean 1/2 and 5 % below 0.05."""
    rng = np.random.default_rng(6)
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    factor = np.linalg.cholesky(0.6**lag)
    x = np.tile(np.eye(4), (100, 1, 1))
    p = []
    for _ in range(300):
        y = rng.normal(size=(100, 4)) @ factor.T
        y[rng.random(y.shape) < 0.1] = np.nan
        fits = (fit_mmrm(y, x, covariance=name) for name in ("ar1", "ar1-heterogeneous"))
        p.append(compare_fits(*fits).tests[0].p_value)
    # Four standard errors: 0.067 of the mean, 0.05 of the share.
    assert abs(np.mean(p) - 0.5) < 0.067
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 0.05


class TestRefusals:
    def test_one_fit(self) -> None:
        with pytest.raises(InputError, match="at least two fits"):
            compare_fits(FITS["ar1"])

    def test_what_is_no_fit(self) -> None:
        for other in (3, None, MixedFit, [FITS["toeplitz"]]):
            with pytest.raises(InputError, match="fitted mixed models one after another"):
                FITS["ar1"].compare(other)  # type: ignore[arg-type]
        for names in (3, "ab", ["a"], {"a", "b"}, [1, 2]):
            with pytest.raises(InputError, match="a list of 2 different names"):
                FITS["ar1"].compare(FITS["toeplitz"], names=names)  # type: ignore[arg-type]

    def test_the_method_puts_its_fit_first(self) -> None:
        found = FITS["ar1"].compare(FITS["toeplitz"], names=("a", "b"))
        assert [one.name for one in found.fits] == ["a", "b"]
        assert found.tests[0].p_value == COMPARED.test("ar1", "toeplitz").p_value

    def test_different_methods(self) -> None:
        with pytest.raises(InputError, match=r"reml and ml.*same method"):
            compare_fits(FITS["ar1"], fitted("ar1", method="ml"))

    def test_different_fixed_effects_by_reml(self) -> None:
        with pytest.raises(InputError, match="method='ml'"):
            compare_fits(FITS["ar1"], fitted("ar1", formula="change ~ baseline + arm * visit"))

    def test_different_data_or_weights(self) -> None:
        with pytest.raises(InputError, match="same outcomes"):
            compare_fits(FITS["ar1"], fitted("ar1", data=DATA.filter(pl.col("patient") != "P001")))
        with pytest.raises(InputError, match="same outcomes"):
            compare_fits(FITS["ar1"], fitted("ar1", data=DATA.with_columns(pl.col("change") * 1.001)))
        with pytest.raises(InputError, match="same weights"):
            compare_fits(FITS["ar1"], fitted("unstructured", weights="weight"))

    def test_rows_in_another_order_are_the_same_data(self) -> None:
        shuffled = fitted("toeplitz", data=DATA.sample(fraction=1.0, shuffle=True, seed=1))
        assert compare_fits(FITS["ar1"], shuffled).tests[0].statistic == pytest.approx(
            COMPARED.test("ar1", "toeplitz").statistic, rel=1e-7
        )

    def test_a_larger_model_that_fits_worse(self) -> None:
        from dataclasses import replace

        stuck = replace(FITS["unstructured"], log_likelihood=FITS["ar1"].log_likelihood - 1)
        with pytest.raises(FitError, match="unstructured fits worse than ar1"):
            compare_fits(FITS["ar1"], stuck)

    def test_names_and_criteria(self) -> None:
        with pytest.raises(InputError, match="2 different names"):
            compare_fits(FITS["ar1"], FITS["toeplitz"], names=["a", "a"])
        with pytest.raises(InputError, match="'aic', 'aicc' or 'bic'"):
            COMPARED.best("dic")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="nested fits"):
            COMPARED.test(["ar1"], "unstructured")  # type: ignore[arg-type]
        assert compare_fits(FITS["ar1"], fitted("ar1")).fits[1].name.endswith(": 2")


def trial(seed: int, n_patients: int = 40, n_visits: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    eye = np.tile(np.eye(n_visits), (n_patients, 1, 1))
    x = np.concatenate([eye, (np.arange(n_patients) % 2)[:, None, None] * eye], axis=2)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    y = rng.normal(size=(n_patients, n_visits)) @ np.linalg.cholesky(0.6**lag).T
    y[rng.random(y.shape) < 0.15] = np.nan
    return y, x


def _wishart(rng: np.random.Generator) -> Array:
    root = rng.normal(size=(5, 9))
    return root @ root.T


def _belongs(matrix: Array, name: str) -> bool:
    """Whether a covariance matrix meets the definition of a structure."""
    spread = np.sqrt(np.diagonal(matrix))
    correlation = matrix / np.outer(spread, spread)
    if name != "unstructured" and not name.endswith("-heterogeneous") and np.ptp(spread) > 1e-9:
        return False
    near = np.diagonal(correlation, 1)
    lag = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    family = name.removesuffix("-heterogeneous")
    if family == "compound-symmetry":
        expected = np.where(lag == 0, 1.0, near[0])
    elif family == "ar1":
        expected = near[0] ** lag
    elif family == "toeplitz":
        expected = correlation[0][lag]
    elif family == "ante-dependence":
        between = [[near[min(j, k) : max(j, k)].prod() for k in range(5)] for j in range(5)]
        expected = np.array(between)
    else:
        return True
    return bool(np.abs(correlation - expected).max() < 1e-9)
