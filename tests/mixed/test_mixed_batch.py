"""Many trials fitted at once are what each would be by itself."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise import InputError
from equipoise.mixed import FitError, fit_mmrm
from equipoise.mixed.batch import BatchFit, fit_batch
from equipoise.mixed.batch import fit as batch_module

Array = NDArray[np.float64]

# Patients, visits, arms, which covariates are by visit, dropout and intermittent missingness a visit.
DESIGNS = {
    "small": (40, 3, 2, (), 0.05, 0.05),
    "covariates of both kinds": (40, 3, 2, (True, False), 0.05, 0.03),
    "three arms": (66, 4, 3, (False, True), 0.05, 0.03),
    "usual": (200, 5, 2, (False, False), 0.04, 0.0),
    "many patterns": (120, 6, 2, (True, True, False), 0.05, 0.06),
    "eight visits": (90, 8, 3, (True,), 0.02, 0.1),
    "one visit": (30, 1, 2, (False,), 0.05, 0.0),
    "complete": (36, 4, 2, (False,), 0.0, 0.0),
}


def trials(
    seed: int,
    n_trials: int,
    n_patients: int,
    n_visits: int,
    n_arms: int = 2,
    by_visit: tuple[bool, ...] = (),
    dropout: float = 0.0,
    intermittent: float = 0.0,
) -> tuple[Array, NDArray[np.int64], Array | None]:
    """Outcomes far from zero, arms and covariates of each trial; now and then a covariate is missing."""
    rng = np.random.default_rng(seed)
    visit = np.arange(n_visits)
    covariance = 0.6 ** np.abs(visit[:, None] - visit) * np.outer(1 + 0.3 * visit, 1 + 0.3 * visit)
    outcome = 50 + rng.normal(size=(n_trials, n_patients, n_visits)) @ np.linalg.cholesky(covariance).T
    arm = rng.permuted(np.tile(np.arange(n_patients) % n_arms, (n_trials, 1)), axis=1)
    covariates = None
    if by_visit:
        covariates = rng.normal(100, 3, (n_trials, n_patients, len(by_visit)))
        outcome += 0.2 * covariates.sum(axis=2)[:, :, None]
        covariates[rng.random(covariates.shape) < 0.01] = np.nan
    outcome[np.cumsum(rng.random(outcome.shape) < dropout, axis=2) > 0] = np.nan
    outcome[rng.random(outcome.shape) < intermittent] = np.nan
    return outcome, arm, covariates


def alone(
    outcome: Array, arm: NDArray[np.int64], covariates: Array | None, by_visit: tuple[bool, ...], n_arms: int
) -> tuple[Array, Array]:
    """Outcome and design of one trial for `fit_mmrm`, written down once more."""
    covariates = np.zeros((len(arm), 0)) if covariates is None else covariates
    usable = ~np.isnan(covariates).any(axis=1)
    outcome, arm, covariates = outcome[usable], arm[usable], covariates[usable]
    n_visits = outcome.shape[1]
    design = []
    for i in range(len(arm)):
        rows = [np.eye(n_visits)] + [np.eye(n_visits) * (arm[i] == at) for at in range(1, n_arms)]
        for value, own in zip(covariates[i], by_visit, strict=True):
            rows.append(value * np.eye(n_visits) if own else np.full((n_visits, 1), value))
        design.append(np.concatenate(rows, axis=1))
    return outcome, np.stack(design)


def same_bits(first: BatchFit, second: BatchFit) -> None:
    for name in (
        "effect",
        "standard_error",
        "degrees_of_freedom",
        "information",
        "converged",
        "iterations",
        "covariance",
        "coefficients",
    ):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert first.failure == second.failure


def close(first: BatchFit, second: BatchFit, tolerance: float) -> None:
    assert first.converged.all()
    assert second.converged.all()
    np.testing.assert_allclose((first.effect - second.effect) / second.standard_error, 0, atol=tolerance)
    np.testing.assert_allclose(first.standard_error, second.standard_error, rtol=tolerance)
    np.testing.assert_allclose(first.degrees_of_freedom, second.degrees_of_freedom, rtol=tolerance)


def chosen(fit: BatchFit, rows: Any) -> BatchFit:
    """The same fit of some of the trials."""
    names = ("effect", "standard_error", "degrees_of_freedom", "information", "converged", "iterations")
    arrays = {name: getattr(fit, name)[rows] for name in (*names, "covariance", "coefficients")}
    return BatchFit(**arrays, failure=tuple(np.array(fit.failure, dtype=object)[rows]))


class TestEqualsTheSingleFit:
    @pytest.mark.parametrize(
        ("method", "kind"),
        [("reml", "satterthwaite"), ("reml", "kenward-roger"), ("reml", "normal"), ("ml", "satterthwaite")],
    )
    @pytest.mark.parametrize("design", DESIGNS)
    def test_effect_error_and_degrees(self, design: str, method: Any, kind: Any) -> None:
        n_patients, n_visits, n_arms, by_visit, dropout, intermittent = DESIGNS[design]
        seed = list(DESIGNS).index(design)
        outcome, arm, covariates = trials(
            seed, 11, n_patients, n_visits, n_arms, by_visit, dropout=dropout, intermittent=intermittent
        )
        arms = (n_arms - 1, n_arms - 2)
        batch = fit_batch(
            outcome, arm, covariates, by_visit=by_visit, arms=arms, method=method, degrees_of_freedom=kind, threads=1
        )
        assert batch.converged.all()
        contrast = np.zeros(batch.coefficients.shape[1])
        contrast[(n_arms - 1) * n_visits + n_visits - 1] = 1
        if n_arms > 2:
            contrast[(n_arms - 2) * n_visits + n_visits - 1] = -1
        for t in range(len(outcome)):
            own = None if covariates is None else covariates[t]
            fit = fit_mmrm(*alone(outcome[t], arm[t], own, by_visit, n_arms), method=method, degrees_of_freedom=kind)
            estimate = fit.estimate(contrast)
            assert batch.effect[t] == pytest.approx(estimate.effect, abs=1e-8 * estimate.standard_error)
            assert batch.standard_error[t] == pytest.approx(estimate.standard_error, rel=1e-8)
            assert batch.degrees_of_freedom[t] == pytest.approx(estimate.degrees_of_freedom, rel=1e-8)
            assert batch.information[t] == pytest.approx(estimate.standard_error**-2, rel=1e-8)
            np.testing.assert_allclose(
                batch.coefficients[t] / fit.standard_errors, fit.coefficients / fit.standard_errors, atol=1e-7
            )
            np.testing.assert_allclose(batch.covariance[t], fit.covariance, rtol=1e-7)

    def test_scarce_data_fail_alike_and_for_the_same_reason(self) -> None:
        outcome, arm, covariates = trials(3, 80, 13, 3, 2, (False,), dropout=0.2, intermittent=0.1)
        outcome[0] = np.nan
        outcome[1, :, 2] = np.nan
        outcome[2] = 7.0
        arm[3] = 0
        covariates = np.asarray(covariates)
        covariates[4] = 5.0
        covariates[5] = np.nan
        batch = fit_batch(outcome, arm, covariates)
        fitted = 0
        for t in range(len(outcome)):
            if batch.converged[t]:
                fitted += 1
                y, x = alone(outcome[t], arm[t], covariates[t], (False,), 2)
                estimate = fit_mmrm(y, x).estimate(np.eye(7)[5])
                assert batch.failure[t] == ""
                assert batch.effect[t] == pytest.approx(estimate.effect, abs=1e-7 * estimate.standard_error)
                assert batch.standard_error[t] == pytest.approx(estimate.standard_error, rel=1e-7)
                continue
            for values in (batch.effect, batch.standard_error, batch.degrees_of_freedom, batch.information):
                assert np.isnan(values[t])
            assert np.isnan(batch.coefficients[t]).all()
            assert np.isnan(batch.covariance[t]).all()
            if t not in (0, 5):
                with pytest.raises(FitError) as refusal:
                    fit_mmrm(*alone(outcome[t], arm[t], covariates[t], (False,), 2))
                assert batch.failure[t] == str(refusal.value)
        assert "some observed values" in batch.failure[0]
        assert batch.failure[0] == batch.failure[5]
        assert not batch.converged[:6].any()
        assert 20 < fitted < 75

    @pytest.mark.parametrize("seed", [11, 12])
    def test_very_scarce_rounded_data(self, seed: int) -> None:
        """7 to 15 patients: a covariance that nobody tells (seed 11), two maxima (seed 12)."""
        rng = np.random.default_rng(seed)
        n, visits = int(rng.integers(7, 16)), int(rng.integers(2, 5))
        covariate = rng.normal(40, 8, size=(60, n, 1))
        outcome = rng.normal(size=(60, n, 1)) * 2 + rng.normal(size=(60, n, visits))
        outcome = np.round(outcome * (1 if seed % 2 else 3))
        outcome[np.cumsum(rng.random(outcome.shape) < 0.2, axis=2) > 0] = np.nan
        arm = np.arange(n) % 2
        by_visit = seed % 3 > 0
        batch = fit_batch(outcome, arm, covariate, by_visit=by_visit)
        for trial in range(60):
            y, x = alone(outcome[trial], arm, covariate[trial], (by_visit,), 2)
            reason = ""
            try:
                found = fit_mmrm(y, x).estimate(np.eye(x.shape[2])[2 * visits - 1])
            except (FitError, InputError) as refusal:
                reason = str(refusal)
            assert batch.failure[trial] == reason
            if reason:
                continue
            assert abs(batch.effect[trial] - found.effect) < 1e-7 * found.standard_error
            assert batch.standard_error[trial] == pytest.approx(found.standard_error, rel=1e-7)
            assert batch.degrees_of_freedom[trial] == pytest.approx(found.degrees_of_freedom, rel=1e-6)

    def test_designs_too_wide_for_the_kernel_go_one_by_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        outcome, arm, covariates = trials(8, 6, 60, 3, 3, (True, False), dropout=0.05)
        kernel = fit_batch(outcome, arm, covariates, by_visit=(True, False), degrees_of_freedom="kenward-roger")
        monkeypatch.setattr(batch_module, "_LARGEST_MEMORY", 0)
        single = fit_batch(outcome, arm, covariates, by_visit=(True, False), degrees_of_freedom="kenward-roger")
        close(kernel, single, 1e-8)

    def test_any_contrast(self) -> None:
        outcome, arm, covariates = trials(9, 5, 60, 3, 3, (True, False), dropout=0.05)
        weights = np.random.default_rng(1).normal(size=13)
        batch = fit_batch(outcome, arm, covariates, by_visit=(True, False), contrast=weights)
        for t in range(5):
            own = np.asarray(covariates)[t]
            estimate = fit_mmrm(*alone(outcome[t], arm[t], own, (True, False), 3)).estimate(weights)
            assert batch.effect[t] == pytest.approx(estimate.effect, abs=1e-8 * estimate.standard_error)
            assert batch.standard_error[t] == pytest.approx(estimate.standard_error, rel=1e-8)
            assert batch.degrees_of_freedom[t] == pytest.approx(estimate.degrees_of_freedom, rel=1e-8)


class TestATrialIsAloneInItsBatch:
    @pytest.fixture(scope="class")
    @staticmethod
    def data() -> tuple[Array, NDArray[np.int64], Array]:
        """Complete trials, dropout, intermittent missingness and hopeless trials, mixed."""
        outcome, arm, covariates = trials(21, 150, 44, 4, 2, (False, True), dropout=0.05)
        rng = np.random.default_rng(22)
        holes = rng.random(outcome.shape) < 0.1
        holes[::2] = False
        outcome[holes] = np.nan
        outcome[5, 3:] = np.nan
        outcome[77, :, 2] = np.nan
        outcome[100] = np.nan
        return outcome, arm, np.asarray(covariates)

    @pytest.mark.parametrize("kind", ["satterthwaite", "kenward-roger", "normal"])
    def test_same_bits_however_split(self, data: tuple[Array, NDArray[np.int64], Array], kind: Any) -> None:
        outcome, arm, covariates = data
        options: dict[str, Any] = {"by_visit": (False, True), "degrees_of_freedom": kind}
        whole = fit_batch(*data, **options, threads=1)
        assert whole.converged.sum() == 147
        same_bits(whole, fit_batch(*data, **options, threads=2))
        order = np.random.default_rng(23).permutation(len(outcome))
        mixed = fit_batch(outcome[order], arm[order], covariates[order], **options, threads=2)
        same_bits(mixed, chosen(whole, order))
        for rows in (slice(0, 1), slice(3, 10), slice(60, 83), [99, 100, 101, 4], slice(147, 150)):
            same_bits(fit_batch(outcome[rows], arm[rows], covariates[rows], **options), chosen(whole, rows))

    def test_shared_arms_and_covariates(self, data: tuple[Array, NDArray[np.int64], Array]) -> None:
        outcome, arm, covariates = data[0][:20], data[1][0], data[2][0]
        every = fit_batch(outcome, np.tile(arm, (20, 1)), np.tile(covariates, (20, 1, 1)))
        same_bits(fit_batch(outcome, arm, covariates), every)

    def test_slow_neighbours(self) -> None:
        """Trials of few patients need exact steps; those beside them must not notice."""
        slow, arm, _ = trials(31, 40, 12, 4, 2, dropout=0.1, intermittent=0.1)
        quick, _, _ = trials(32, 40, 12, 4, 2)
        outcome = np.concatenate([slow, quick])
        arm = np.concatenate([arm, arm])
        order = np.random.default_rng(33).permutation(80)
        for kind in ("satterthwaite", "normal"):
            whole = fit_batch(outcome, arm, degrees_of_freedom=kind)  # type: ignore[arg-type]
            mixed = fit_batch(outcome[order], arm[order], degrees_of_freedom=kind)  # type: ignore[arg-type]
            same_bits(mixed, chosen(whole, order))

    @pytest.mark.parametrize("kind", ["satterthwaite", "kenward-roger", "normal"])
    def test_start_only_saves_time(self, data: tuple[Array, NDArray[np.int64], Array], kind: Any) -> None:
        outcome, arm, covariates = (array[20:76] for array in data)
        cold = fit_batch(outcome, arm, covariates, degrees_of_freedom=kind)
        again = fit_batch(outcome, arm, covariates, degrees_of_freedom=kind, start=cold)
        close(again, cold, 1e-9)
        assert again.iterations.max() <= 1
        assert again.iterations.mean() < cold.iterations.mean() - 3
        far = np.broadcast_to(np.diag([0.5, 9.0, 1.0, 4.0]), (56, 4, 4)).copy()
        far[3] = np.nan
        far[4] = -1.0
        close(fit_batch(outcome, arm, covariates, degrees_of_freedom=kind, start=far), cold, 1e-9)

    def test_from_look_to_look(self, data: tuple[Array, NDArray[np.int64], Array]) -> None:
        outcome, arm, covariates = (array[20:76] for array in data)
        early = fit_batch(outcome[:, :34], arm[:, :34], covariates[:, :34])
        warm = fit_batch(outcome, arm, covariates, start=early)
        close(warm, fit_batch(outcome, arm, covariates), 1e-9)


class TestProperties:
    @pytest.fixture(scope="class")
    @staticmethod
    def data() -> tuple[Array, NDArray[np.int64], Array]:
        outcome, arm, covariates = trials(41, 24, 60, 4, 3, (False, True), dropout=0.05, intermittent=0.03)
        return outcome, arm, np.asarray(covariates)

    def test_units_of_outcome_and_covariates(self, data: tuple[Array, NDArray[np.int64], Array]) -> None:
        outcome, arm, covariates = data
        first = fit_batch(*data, by_visit=(False, True))
        scaled = fit_batch(-1e4 * outcome + 3e6, arm, covariates * [1e-3, 50] + [20.0, -1e4], by_visit=(False, True))
        np.testing.assert_allclose(scaled.effect, -1e4 * first.effect, rtol=1e-8)
        np.testing.assert_allclose(scaled.standard_error, 1e4 * first.standard_error, rtol=1e-8)
        np.testing.assert_allclose(scaled.degrees_of_freedom, first.degrees_of_freedom, rtol=1e-7)
        np.testing.assert_allclose(scaled.covariance, 1e8 * first.covariance, rtol=1e-7)
        slope = first.coefficients[:, 12]
        np.testing.assert_allclose(scaled.coefficients[:, 12], -1e7 * slope, atol=1e-7 * np.abs(1e7 * slope).max())

    def test_order_of_patients(self, data: tuple[Array, NDArray[np.int64], Array]) -> None:
        order = np.random.default_rng(42).permutation(60)
        shuffled = fit_batch(*(array[:, order] for array in data), degrees_of_freedom="kenward-roger")
        close(shuffled, fit_batch(*data, degrees_of_freedom="kenward-roger"), 1e-9)

    def test_labels_of_arms(self, data: tuple[Array, NDArray[np.int64], Array]) -> None:
        outcome, arm, covariates = data
        label = np.array([2, 0, 1])
        for arms in ((1, 0), (2, 1), (0, 2)):
            first = fit_batch(*data, arms=arms)
            other = fit_batch(outcome, label[arm], covariates, arms=(int(label[arms[0]]), int(label[arms[1]])))
            close(other, first, 1e-9)
            back = fit_batch(*data, arms=arms[::-1])
            np.testing.assert_allclose(back.effect, -first.effect, rtol=1e-9)

    def test_order_of_visits(self, data: tuple[Array, NDArray[np.int64], Array]) -> None:
        outcome, arm, covariates = data
        order = [2, 3, 0, 1]
        close(fit_batch(outcome[:, :, order], arm, covariates, visit=2), fit_batch(*data, visit=0), 1e-9)

    def test_patients_without_data_or_covariate_do_not_enter(
        self, data: tuple[Array, NDArray[np.int64], Array]
    ) -> None:
        outcome, arm, covariates = (array.copy() for array in data)
        extra = np.random.default_rng(43).normal(size=(24, 6, 4))
        extra[:, :3] = np.nan
        more = np.zeros((24, 6, 2))
        more[:, 3:, 1] = np.nan
        longer = fit_batch(
            np.concatenate([outcome, extra], axis=1),
            np.concatenate([arm, arm[:, :6]], axis=1),
            np.concatenate([covariates, more], axis=1),
        )
        close(longer, fit_batch(*data), 1e-9)

    @pytest.mark.parametrize("kind", ["satterthwaite", "kenward-roger"])
    def test_complete_data_give_the_t_test(self, kind: Any) -> None:
        outcome, _, _ = trials(44, 40, 30, 4)
        arm = np.arange(30) % 3
        batch = fit_batch(outcome, arm, arms=(2, 1), visit=1, degrees_of_freedom=kind)
        groups = [outcome[:, arm == at, 1] for at in range(3)]
        pooled = sum(group.var(axis=1, ddof=1) for group in groups) / 3
        effect = groups[2].mean(axis=1) - groups[1].mean(axis=1)
        np.testing.assert_allclose(batch.effect, effect, atol=1e-11)
        np.testing.assert_allclose(batch.standard_error, np.sqrt(pooled * 2 / 10), rtol=1e-10)
        np.testing.assert_allclose(batch.degrees_of_freedom, 27, rtol=1e-9)

    @pytest.mark.parametrize("kind", ["satterthwaite", "kenward-roger"])
    def test_level_and_coverage_in_small_trials(self, kind: Any) -> None:
        """20,000 trials of 20 patients an arm under the null: four standard errors of the simulation."""
        from scipy.special import stdtr, stdtrit

        n_trials, effect = 20_000, 0.7
        outcome, _, _ = trials(45, n_trials, 40, 3, dropout=0.05, intermittent=0.02)
        arm = np.arange(40) % 2
        batch = fit_batch(outcome, arm, degrees_of_freedom=kind)
        assert batch.converged.mean() > 0.999
        good = batch.converged
        z, free = (batch.effect / batch.standard_error)[good], batch.degrees_of_freedom[good]
        p = stdtr(free, z)
        # Satterthwaite keeps the standard error, which is a little too small in trials as small as these.
        slack = 0.0 if kind == "kenward-roger" else 0.003
        for level in (0.025, 0.05, 0.5, 0.95, 0.975):
            margin = 4 * np.sqrt(level * (1 - level) / n_trials) + slack
            assert abs((p < level).mean() - level) < margin
        shifted = outcome[:4000].copy()
        shifted[:, arm == 1, -1] += effect
        batch = fit_batch(shifted, arm, degrees_of_freedom=kind)
        half = stdtrit(batch.degrees_of_freedom, 0.975) * batch.standard_error
        covered = np.abs(batch.effect - effect) <= half
        assert abs(covered[batch.converged].mean() - 0.95) < 4 * np.sqrt(0.05 * 0.95 / 4000) + slack


class TestInput:
    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("outcome", {"outcome": np.zeros((10, 3))}),
            ("outcome", {"outcome": np.full((2, 10, 3), np.inf)}),
            ("outcome", {"outcome": np.zeros((2, 10, 41))}),
            ("arm", {"arm": np.zeros(9, dtype=int)}),
            ("arm", {"arm": np.zeros(10)}),
            ("arm", {"arm": np.arange(10) - 1}),
            ("arms", {"arms": (0, 0)}),
            ("arms", {"arms": (1, -1)}),
            ("covariates", {"covariates": np.zeros((9, 1))}),
            ("covariates", {"covariates": np.full((10, 1), np.inf)}),
            ("by_visit", {"covariates": np.zeros((10, 1)), "by_visit": (True, False)}),
            ("visit", {"visit": 3}),
            ("contrast", {"contrast": np.ones(5)}),
            ("contrast", {"contrast": np.zeros(6)}),
            ("method", {"method": "mle"}),
            ("method", {"method": "ml", "degrees_of_freedom": "kenward-roger"}),
            ("degrees_of_freedom", {"degrees_of_freedom": "residual"}),
            ("start", {"start": np.zeros((3, 3))}),
            ("threads", {"threads": 0}),
        ],
    )
    def test_refused(self, field: str, given: dict[str, Any]) -> None:
        fine: dict[str, Any] = {
            "outcome": np.random.default_rng(1).normal(size=(2, 10, 3)),
            "arm": np.arange(10) % 2,
        }
        with pytest.raises(InputError) as refusal:
            fit_batch(**{**fine, **given})
        assert refusal.value.field == field

    def test_prints_what_came_of_it(self) -> None:
        outcome, arm, _ = trials(51, 9, 30, 3)
        outcome[2, :, 1] = np.nan
        text = str(fit_batch(outcome, arm))
        assert "9 trials, 8 fitted" in text
        assert "1 not fitted: " in text
        assert "degrees of freedom" in text

    def test_numba_waits_until_it_is_needed(self) -> None:
        program = "import sys, equipoise.mixed.batch; sys.exit('numba' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
