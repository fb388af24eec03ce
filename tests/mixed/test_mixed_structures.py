"""Covariance structures: closed forms, equalities between structures, invariance, fall-backs, refusals."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtr

from equipoise.errors import InputError
from equipoise.mixed import FitError, fit_mmrm
from equipoise.mixed.covariance.named import STRUCTURES, is_spatial
from equipoise.protocol.parts import Covariance

Array = NDArray[Any]

TIMES = np.array([0.0, 7.0, 14.0, 28.0])
HOMOGENEOUS = [name for name in STRUCTURES if name != "unstructured" and "heterogeneous" not in name]
HETEROGENEOUS = ["unstructured", *(name for name in STRUCTURES if "heterogeneous" in name)]


def drawn(
    n: int = 80, visits: int = 4, *, seed: int = 1, missing: float = 0.15, rho: float = 0.7
) -> tuple[Array, Array, Array]:
    """Outcome with correlation rho^lag, a design of visits, arm by visit and a covariate, and the arm."""
    rng = np.random.default_rng(seed)
    lag = np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))
    spread = 1 + 0.2 * np.arange(visits)
    y = spread * (rng.normal(size=(n, visits)) @ np.linalg.cholesky(rho**lag).T)
    y[rng.random(y.shape) < missing] = np.nan
    y[np.isnan(y).all(axis=1), 0] = 0.0
    arm, eye = np.arange(n) % 2, np.tile(np.eye(visits), (n, 1, 1))
    covariate = np.broadcast_to(rng.normal(size=(n, 1, 1)), (n, visits, 1))
    return y, np.concatenate([eye, arm[:, None, None] * eye, covariate], axis=2), arm


def fitted(name: str, y: Array, x: Array, **options: Any):
    return fit_mmrm(y, x, covariance=name, times=TIMES[: y.shape[1]] if is_spatial(name) else None, **options)  # type: ignore[arg-type]


def test_the_protocol_knows_the_same_structures() -> None:
    assert get_args(Covariance) == STRUCTURES


class TestClosedForms:
    @pytest.mark.parametrize("degrees", ["satterthwaite", "kenward-roger"])
    def test_compound_symmetry_of_complete_data_is_the_split_plot(self, degrees: Any) -> None:
        """Arm, averaged over visits: two-sample t test of the patients' means. Arm by visit: the residual error."""
        y, x, arm = drawn(missing=0.0)
        x = x[:, :, :-1]
        n, visits = y.shape
        fit = fit_mmrm(y, x, covariance="compound-symmetry", degrees_of_freedom=degrees)
        means = y.mean(axis=1)
        pooled = sum(((means[arm == a] - means[arm == a].mean()) ** 2).sum() for a in (0, 1)) / (n - 2)
        average = fit.estimate(np.r_[np.zeros(visits), np.full(visits, 1 / visits)])
        assert average.effect == pytest.approx(means[arm == 1].mean() - means[arm == 0].mean(), rel=1e-12)
        assert average.standard_error == pytest.approx(np.sqrt(pooled * 4 / n), rel=1e-9)
        assert average.degrees_of_freedom == pytest.approx(n - 2, rel=1e-9)
        t = average.effect / np.sqrt(pooled * 4 / n)
        assert average.p_value == pytest.approx(2 * stdtr(n - 2, -abs(t)), rel=1e-8)
        within = y - means[:, None]
        within -= np.stack([within[arm == a].mean(axis=0) for a in (0, 1)])[arm]
        error = (within**2).sum() / ((n - 2) * (visits - 1))
        change = fit.estimate(np.r_[np.zeros(visits), -1, np.zeros(visits - 2), 1])
        assert change.standard_error == pytest.approx(np.sqrt(error * 2 * 4 / n), rel=1e-9)
        assert change.degrees_of_freedom == pytest.approx((n - 2) * (visits - 1), rel=1e-9)
        variance = fit.covariance[0, 0] - fit.covariance[0, 1]
        assert variance == pytest.approx(error, rel=1e-9)

    @pytest.mark.parametrize("name", HETEROGENEOUS)
    def test_two_visits_heterogeneous(self, name: str) -> None:
        y, x, _ = drawn(visits=2)
        assert fitted(name, y, x).log_likelihood == pytest.approx(
            fitted("unstructured", y, x).log_likelihood, rel=1e-12
        )

    @pytest.mark.parametrize("name", HOMOGENEOUS)
    def test_two_visits_homogeneous(self, name: str) -> None:
        y, x, _ = drawn(visits=2)
        first, other = fitted(name, y, x), fitted("compound-symmetry", y, x)
        assert first.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
        np.testing.assert_allclose(first.covariance, other.covariance, rtol=1e-7)
        np.testing.assert_allclose(first.degrees_of_freedom, other.degrees_of_freedom, rtol=1e-7)

    @pytest.mark.parametrize("name", STRUCTURES)
    def test_a_single_visit_is_least_squares(self, name: Any) -> None:
        y, x, _ = drawn(visits=1, missing=0.0)
        fit = fit_mmrm(y, x, covariance=name, times=[0.0])
        assert fit.notes == (
            () if name == "unstructured" else ("with one visit every covariance structure is one variance",)
        )
        b, rest, *_ = np.linalg.lstsq(x[:, 0], y[:, 0], rcond=None)
        np.testing.assert_allclose(fit.coefficients, b, rtol=1e-10, atol=1e-12)
        free = len(y) - x.shape[2]
        assert fit.covariance[0, 0] == pytest.approx(float(rest[0]) / free, rel=1e-10)
        np.testing.assert_allclose(fit.degrees_of_freedom, free, rtol=1e-9)

    def test_residual_and_between_within(self) -> None:
        y, x, _ = drawn()
        n, observations = len(y), int((~np.isnan(y)).sum())
        x = np.concatenate([np.ones((*y.shape, 1)), x[:, :, 1:4], x[:, :, -1:]], axis=2)
        residual = fit_mmrm(y, x, covariance="ar1", degrees_of_freedom="residual")
        assert (residual.degrees_of_freedom == observations - 5).all()
        assert residual.f_test(np.eye(5)[1:4]).denominator_degrees_of_freedom == observations - 5
        split = fit_mmrm(y, x, covariance="ar1", degrees_of_freedom="between-within", weights=np.full(y.shape, 2.0))
        few, many = n - 2, observations - n - 3
        np.testing.assert_array_equal(split.degrees_of_freedom, [many, many, many, many, few])
        assert split.estimate([0, 1, 0, 0, 1]).degrees_of_freedom == few
        assert split.f_test(np.eye(5)[1:]).denominator_degrees_of_freedom == few
        between = fit_mmrm(y, x[:, :, [0, 4]], covariance="ar1", degrees_of_freedom="between-within")
        np.testing.assert_array_equal(between.degrees_of_freedom, [few, few])


class TestSpatial:
    def test_equal_gaps_are_autoregressive(self) -> None:
        y, x, _ = drawn()
        first = fit_mmrm(y, x, covariance="ar1", degrees_of_freedom="kenward-roger")
        for name in ("spatial-exponential", "spatial-power"):
            other = fit_mmrm(
                y,
                x,
                covariance=name,  # type: ignore[arg-type]
                times=np.arange(4.0) * 7,
                degrees_of_freedom="kenward-roger",
            )
            assert other.log_likelihood == pytest.approx(first.log_likelihood, rel=1e-12)
            np.testing.assert_allclose(other.covariance, first.covariance, rtol=1e-7)
            np.testing.assert_allclose(other.standard_errors, first.standard_errors, rtol=1e-7)
            np.testing.assert_allclose(other.degrees_of_freedom, first.degrees_of_freedom, rtol=1e-6)

    @pytest.mark.parametrize("name", ["spatial-exponential", "spatial-gaussian"])
    @pytest.mark.parametrize("own", [False, True])
    def test_unit_of_time(self, name: Any, own: bool) -> None:
        y, x, _ = drawn()
        jitter = np.random.default_rng(2).uniform(-2, 2, y.shape) if own else np.zeros(y.shape)
        days = TIMES + jitter
        first = fit_mmrm(y, x, covariance=name, times=days)
        other = fit_mmrm(y, x, covariance=name, times=days / 7)
        assert other.log_likelihood == pytest.approx(first.log_likelihood, rel=1e-12)
        np.testing.assert_allclose(other.covariance, first.covariance, rtol=1e-7)
        assert other.covariance_parameters["range"] * 7 == pytest.approx(first.covariance_parameters["range"], rel=1e-7)
        np.testing.assert_allclose(first.covariance_at([0, 7]), other.covariance_at([0, 1]), rtol=1e-7)

    @pytest.mark.parametrize("name", ["spatial-exponential", "spatial-power", "spatial-gaussian"])
    def test_own_times_close_to_shared_ones(self, name: Any) -> None:
        y, x, arm = drawn()
        options: dict[str, Any] = {"covariance": name, "group": arm, "degrees_of_freedom": "kenward-roger-mmrm"}
        shared = fit_mmrm(y, x, times=TIMES, **options)
        nearly = fit_mmrm(y, x, times=TIMES + np.arange(len(y))[:, None] * [0, 1e-9, 0, 0], **options)
        assert len(nearly._data.products) == 0
        np.testing.assert_allclose(nearly.coefficients, shared.coefficients, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(nearly.standard_errors, shared.standard_errors, rtol=1e-6)
        np.testing.assert_allclose(nearly.degrees_of_freedom, shared.degrees_of_freedom, rtol=1e-6)
        np.testing.assert_allclose(nearly.covariance, shared.covariance, rtol=1e-6)
        np.testing.assert_allclose(nearly.patient_covariances, shared.patient_covariances, rtol=1e-6)
        same = fit_mmrm(y, x, times=np.tile(TIMES, (len(y), 1)), **options)
        np.testing.assert_array_equal(same.standard_errors, shared.standard_errors)
        sandwich = {**options, "degrees_of_freedom": "satterthwaite", "variance": "CR2"}
        one = fit_mmrm(y, x, times=TIMES, **sandwich)
        other = fit_mmrm(y, x, times=TIMES + np.arange(len(y))[:, None] * [0, 1e-9, 0, 0], **sandwich)
        np.testing.assert_allclose(one.standard_errors, other.standard_errors, rtol=1e-6)
        np.testing.assert_allclose(one.degrees_of_freedom, other.degrees_of_freedom, rtol=1e-5)

    def test_range_is_recovered(self) -> None:
        """exp(-d / 20), variance 4, 400 patients at times of their own."""
        rng = np.random.default_rng(3)
        times = np.sort(rng.uniform(0, 60, size=(400, 5)), axis=1)
        distance = np.abs(times[:, :, None] - times[:, None, :])
        root = np.linalg.cholesky(4 * np.exp(-distance / 20))
        y = (root @ rng.normal(size=(400, 5, 1)))[:, :, 0]
        fit = fit_mmrm(y, np.ones((400, 5, 1)), covariance="spatial-exponential", times=times)
        assert fit.covariance_parameters["range"] == pytest.approx(20, rel=0.15)
        assert fit.covariance_parameters["standard deviation"] == pytest.approx(2, rel=0.06)
        assert np.abs(fit.gradient).max() < 1e-6

    def test_covariance_at_is_for_spatial_structures(self) -> None:
        y, x, _ = drawn()
        with pytest.raises(InputError, match="spatial"):
            fit_mmrm(y, x).covariance_at([0, 1])
        with pytest.raises(InputError, match="finite"):
            fitted("spatial-power", y, x).covariance_at([0, np.nan])

    def test_refusals(self) -> None:
        y, x, _ = drawn(20, missing=0.0)
        times = np.tile(TIMES, (20, 1))
        times[3, 1] = 0.0
        with pytest.raises(InputError, match="patient 4, two visits at one time"):
            fit_mmrm(y, x, covariance="spatial-power", times=times)
        times[3, 1] = np.nan
        with pytest.raises(InputError, match="finite time wherever"):
            fit_mmrm(y, x, covariance="spatial-power", times=times)
        alone = np.where(np.arange(4) == (np.arange(20) % 4)[:, None], y, np.nan)
        times[3, 1] = 1.0
        with pytest.raises(FitError, match="two visits"):
            fit_mmrm(alone, x[:, :, :1], covariance="spatial-power", times=times)


class TestEverywhere:
    @pytest.mark.parametrize("name", STRUCTURES)
    def test_invariance(self, name: str) -> None:
        """Order of patients, units of the outcome, another basis of the fixed effects."""
        y, x, arm = drawn()
        contrast = np.zeros(9)
        contrast[7] = 1.0
        options: dict[str, Any] = {"degrees_of_freedom": "kenward-roger", "group": arm}
        first = fitted(name, y, x, **options)
        estimate = first.estimate(contrast)
        order = np.random.default_rng(5).permutation(len(y))
        shuffled = fitted(name, y[order], x[order], degrees_of_freedom="kenward-roger", group=arm[order])
        scaled = fitted(name, 100 + 10 * y, x, **options)
        rng = np.random.default_rng(6)
        basis = rng.normal(size=(9, 9)) + 3 * np.eye(9)
        turned = fitted(name, y, x @ basis, **options)
        others = (
            shuffled.estimate(contrast),
            scaled.estimate(contrast / 10),
            turned.estimate(basis.T @ contrast),
        )
        for other in others:
            assert other.effect == pytest.approx(estimate.effect, rel=1e-7, abs=1e-9)
            assert other.standard_error == pytest.approx(estimate.standard_error, rel=1e-7)
            assert other.degrees_of_freedom == pytest.approx(estimate.degrees_of_freedom, rel=1e-6)
        free = int((~np.isnan(y)).sum()) - 9
        assert scaled.log_likelihood == pytest.approx(first.log_likelihood - free * np.log(10), rel=1e-10)
        assert turned.log_likelihood == pytest.approx(first.log_likelihood - np.linalg.slogdet(basis)[1], rel=1e-10)
        assert np.abs(first.gradient).max() < 1e-6

    def test_richer_structures_are_at_least_as_likely(self) -> None:
        y, x, _ = drawn()
        value = {name: fitted(name, y, x).log_likelihood for name in STRUCTURES if not is_spatial(name)}
        for name in HOMOGENEOUS:
            if not is_spatial(name):
                assert value[f"{name}-heterogeneous"] > value[name]
        for name in ("toeplitz", "ante-dependence"):
            for poorer in ("ar1",) if name == "ante-dependence" else ("ar1", "compound-symmetry"):
                assert value[name] >= value[poorer] - 1e-9
                assert value[f"{name}-heterogeneous"] >= value[f"{poorer}-heterogeneous"] - 1e-9
        assert value["unstructured"] == max(value.values())

    @pytest.mark.parametrize("name", [name for name in STRUCTURES if name != "unstructured"])
    def test_parameters_rebuild_the_matrix(self, name: str) -> None:
        y, x, _ = drawn()
        fit = fitted(name, y, x)
        spread = np.sqrt(np.diagonal(fit.covariance))
        correlation = fit.covariance / np.outer(spread, spread)
        named = fit.covariance_parameters
        assert len(named) == fit.n_covariance_parameters
        deviations = [value for key, value in named.items() if key.startswith("standard")]
        np.testing.assert_allclose(np.broadcast_to(deviations, 4), spread, rtol=1e-12)
        rest = [value for key, value in named.items() if not key.startswith("standard")]
        gap = np.abs(np.subtract.outer(TIMES, TIMES))
        lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
        family = name.removesuffix("-heterogeneous")
        rebuilt = {
            "compound-symmetry": lambda: np.where(lag > 0, rest[0], 1.0),
            "ar1": lambda: rest[0] ** lag,
            "toeplitz": lambda: np.append(1.0, rest)[lag],
            "ante-dependence": lambda: np.array(
                [[np.prod(rest[min(j, k) : max(j, k)]) for k in range(4)] for j in range(4)]
            ),
            "spatial-exponential": lambda: np.exp(-gap / rest[0]),
            "spatial-power": lambda: rest[0] ** gap,
            "spatial-gaussian": lambda: np.exp(-((gap / rest[0]) ** 2)),
        }[family]()
        np.testing.assert_allclose(correlation, rebuilt, rtol=1e-10, atol=1e-12)

    def test_patient_covariances_and_weights(self) -> None:
        y, x, arm = drawn(missing=0.0)
        weights = np.random.default_rng(3).uniform(0.5, 2, y.shape)
        fit = fit_mmrm(y, x, covariance="toeplitz-heterogeneous", group=arm, weights=weights)
        for i in (0, 1, 17):
            wanted = fit.covariance[arm[i]] / np.sqrt(np.outer(weights[i], weights[i]))
            np.testing.assert_allclose(fit.patient_covariances[i], wanted, rtol=1e-12)


class TestScarceData:
    """Local maxima, boundaries and strange units, found by a search over small random trials."""

    @pytest.mark.parametrize("unit", [1e-9, 1e-3, 86_400.0, 1e9])
    @pytest.mark.parametrize("name", ["spatial-exponential", "spatial-gaussian"])
    @pytest.mark.parametrize("own", [False, True])
    def test_any_unit_of_time(self, name: Any, unit: float, own: bool) -> None:
        y, x, _ = drawn(30, seed=4)
        times = TIMES + (np.random.default_rng(2).uniform(-2, 2, y.shape) if own else 0.0)
        first = fit_mmrm(y, x, covariance=name, times=times)
        other = fit_mmrm(y, x, covariance=name, times=times * unit)
        assert other.log_likelihood == pytest.approx(first.log_likelihood, rel=1e-11)
        np.testing.assert_allclose(other.degrees_of_freedom, first.degrees_of_freedom, rtol=1e-6)
        assert other.covariance_parameters["range"] == pytest.approx(
            first.covariance_parameters["range"] * unit, rel=1e-6
        )

    def test_uncorrelated_visits_have_no_range(self) -> None:
        told = 0
        for seed in range(20):
            y, x, _ = drawn(30, seed=seed, rho=0.0)
            try:
                fit = fit_mmrm(y, x, covariance="spatial-exponential", times=TIMES)
            except FitError as refusal:
                told += "goes to nought" in str(refusal)
            else:
                assert fit.covariance[0, 1] > 0
        assert 3 < told < 18

    def test_times_swapped_in_half_of_the_patients(self) -> None:
        """Equal mean times at two visits are no fault of the patients' own times."""
        y, x, _ = drawn(40, visits=2, seed=3, missing=0.0)
        times = np.where((np.arange(40) % 2 == 0)[:, None], [0.0, 7.0], [7.0, 0.0])
        swapped = fit_mmrm(y, x, covariance="spatial-exponential", times=times)
        common = fit_mmrm(y, x, covariance="spatial-exponential", times=[0.0, 7.0])
        assert swapped.log_likelihood == pytest.approx(common.log_likelihood, rel=1e-12)

    @pytest.mark.parametrize("name", ["ar1-heterogeneous", "ante-dependence", "toeplitz", "compound-symmetry"])
    def test_no_higher_maximum_from_other_starts(self, name: Any) -> None:
        """Of 40 trials of 8 patients a group: none of 8 random starts leads higher."""
        from equipoise.mixed.optimise import _climb

        better = 0
        rng = np.random.default_rng(1)
        for seed in range(40):
            y, x, arm = drawn(16, seed=seed, missing=0.2)
            try:
                fit = fit_mmrm(y, x[:, :, :4], covariance=name, group=arm)
            except FitError:
                continue
            likelihood = fit._maximum.likelihood
            for _ in range(8):
                start = fit._maximum.point.parameters + rng.normal(size=fit._maximum.point.parameters.shape)
                try:
                    with np.errstate(all="ignore"):
                        found = _climb(likelihood, start)
                except FitError:
                    continue
                better += found.point.value > fit._maximum.point.value + 1e-6
        assert better <= 3

    def test_a_visit_that_the_design_fits_exactly(self) -> None:
        """Three patients with three columns a visit leave nothing to tell a variance by."""
        y = np.array([[-4.0, -5.0, -18.0], [-3.0, -9.0, -10.0], [-9.0, np.nan, np.nan], [0.0, 3.0, 3.0]])
        eye = np.tile(np.eye(3), (4, 1, 1))
        columns = [np.ones(4), np.array([1.0, 0, 1, 0]), np.array([43.0, 39, 54, 30])]
        x = np.concatenate([column[:, None, None] * eye for column in columns], axis=2)
        with pytest.raises(FitError):
            fit_mmrm(y, x)


class TestFallBack:
    def test_order_is_followed_and_told(self) -> None:
        y, x, _ = drawn(12, 4, missing=0.0)
        y[:6, 3] = np.nan
        y[6:, 0] = np.nan
        x = x[:, :, :4]
        with pytest.raises(FitError, match="visit 1 and visit 4"):
            fit_mmrm(y, x)
        fit = fit_mmrm(y, x, covariance=("unstructured", "toeplitz", "compound-symmetry"))
        assert fit.structure == "compound-symmetry"
        assert len(fit.notes) == 2
        assert "unstructured covariance not fitted: No patient was observed at both" in fit.notes[0]
        assert "toeplitz covariance not fitted" in fit.notes[1]
        assert "lag 3" in fit.notes[1]
        assert "compound-symmetry" in str(fit)
        alone = fit_mmrm(y, x, covariance="compound-symmetry")
        assert alone.log_likelihood == fit.log_likelihood
        assert alone.notes == ()

    def test_none_can_be_fitted(self) -> None:
        y, x, _ = drawn(12, 4, missing=0.0)
        y[:, 0] = np.where(np.arange(12) == 0, 1.0, np.nan)
        with pytest.raises(FitError, match=r"None of the covariance structures.*unstructured.*ar1-heterogeneous"):
            fit_mmrm(y, x[:, :, :4], covariance=("unstructured", "ar1-heterogeneous"))

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("toeplitz", "correlation at lag 3"),
            ("ante-dependence", "two visits that tell the correlation 1, 2"),
            ("ar1", "correlation of neighbouring"),
            ("unstructured", "visit 1 and visit"),
        ],
    )
    def test_what_nobody_tells(self, name: Any, message: str) -> None:
        y, x, _ = drawn(30, 4, missing=0.0)
        if name == "toeplitz":
            y[::2, 0] = np.nan
            y[1::2, 3] = np.nan
        elif name == "ar1":
            y[np.arange(4) != (np.arange(30) % 4)[:, None]] = np.nan
        else:
            y[::2, 0] = np.nan
            y[1::2, 1:] = np.nan
        with pytest.raises(FitError, match=message):
            fit_mmrm(y, x[:, :, :4], covariance=name)

    def test_boundary_is_refused(self) -> None:
        """The same score at every visit but for the arm's means: the correlation goes to one."""
        rng = np.random.default_rng(1)
        y = rng.normal(size=(30, 1)) + np.zeros((30, 3))
        x = np.tile(np.eye(3), (30, 1, 1))
        for name in ("compound-symmetry", "ar1", "toeplitz", "ante-dependence-heterogeneous", "unstructured"):
            with pytest.raises(FitError):
                fit_mmrm(y, x, covariance=name)  # type: ignore[arg-type]
