import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.g_computation import g_computation, g_computation_batch
from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.regression.logistic import logistic_regression
from equipoise.errors import InputError
from equipoise.estimate import Scale
from reference_values import reference_cases

CASES = [case for case in reference_cases("binary") if case["inputs"].get("method", "").endswith("g_computation")]
CONTRASTS = {
    "diff": "risk-difference",
    "difference": "risk-difference",
    "rr": "risk-ratio",
    "risk_ratio": "risk-ratio",
    "or": "odds-ratio",
    "odds_ratio": "odds-ratio",
}
# R's glm stops at a relative change of the deviance of 1e-8, and takes the weights of the step before.
ITERATED = {"rel": 1e-7, "abs": 1e-12}


def columns_of(frame, inputs):
    """Covariates of a case's formula as columns, factors as indicators; and which of them interact with the arm."""
    formula = inputs.get("formula") or " + ".join([inputs["treatment"], *inputs["covariates"]])
    columns, interactions = [], []
    for term in formula.split(" + "):
        names = [name for name in term.split(" * ") if name != inputs["treatment"]]
        for name in names:
            values = frame[name]
            levels = sorted(values.unique())[1:] if values.dtype.kind not in "fi" else None
            found = [values.to_numpy()] if levels is None else [values == level for level in levels]
            if " * " in term:
                interactions += range(len(columns), len(columns) + len(found))
            columns += found
    return np.column_stack(columns).astype(float), interactions


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_reference_cases_agree_with_r(case):
    """beeca 0.2.0 and RobinCar2 0.2.3.9000 on their own data, which may be read but not shipped."""
    pandas = pytest.importorskip("pandas")
    inputs, expected = case["inputs"], case["expected"]
    folder = os.environ.get("EQUIPOISE_SHARED")
    if not folder or not (path := Path(folder) / "reference" / inputs["data"]).exists():
        pytest.skip("EQUIPOISE_SHARED does not name a folder with this data set")
    frame = pandas.read_csv(path, dtype={inputs["treatment"]: str})
    columns, interactions = columns_of(frame, inputs)
    arm = frame[inputs["treatment"]].map(inputs["treatment_levels"].index)
    conditional = inputs["variance"] in ("ge_conditional_delta_method", "vcovHC")
    blocks = inputs.get("randomization", "").partition("pb(")[2].rstrip(")") or inputs.get("strata")
    found = g_computation(
        frame[inputs["outcome"]],
        arm,
        columns,
        family="linear" if inputs["method"].startswith("linear") else "logistic",
        variance="ge" if conditional else "ye",
        sandwich={"model-based": "model", None: "HC3"}.get(inputs.get("sandwich_type"), inputs.get("sandwich_type")),
        interactions=interactions,
        strata=frame[blocks] if blocks else None,
    )
    exact = {"rel": 1e-9, "abs": 1e-14} if not conditional or inputs["method"].startswith("linear") else ITERATED
    risks = expected.get("marginal_risks") or expected["marginal_means"]
    covariance = np.array(expected.get("marginal_risk_covariance") or expected["marginal_mean_covariance"])
    np.testing.assert_allclose(found.risks, risks, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, rtol=exact["rel"], atol=exact["rel"] * covariance.max())
    contrast = CONTRASTS[inputs["contrast"].removeprefix("log_").removeprefix("log")]
    pairs = [(1, 0)] if len(risks) == 2 else [(1, 0), (2, 0), (2, 1)]
    for (arm, reference), effect, error in zip(
        pairs, expected["contrast_estimates"], expected["contrast_standard_errors"], strict=True
    ):
        compared = found.compare(arm, reference, contrast)
        ours = (compared.effect, compared.standard_error)
        if not inputs["contrast"].startswith("log"):
            ours = found.natural(arm, reference, contrast)
        assert ours == (pytest.approx(effect, rel=1e-9), pytest.approx(error, **exact))
    if "contrast_covariance" in expected and len(risks) == 3:
        weights = np.array([[-1, 1, 0], [-1, 0, 1], [0, -1, 1]])
        np.testing.assert_allclose(
            weights @ found.covariance @ weights.T, expected["contrast_covariance"], rtol=1e-9, atol=1e-13
        )


def test_all_reference_cases_are_here():
    assert len(CASES) == 43


def simulated(patients=120, seed=0, arms=2):
    rng = np.random.default_rng(seed)
    baseline = np.column_stack([rng.normal(40, 10, patients), rng.integers(0, 2, patients)])
    arm = rng.permutation(np.arange(patients) % arms)
    risk = 1 / (1 + np.exp(-(0.07 * (baseline[:, 0] - 40) + 0.7 * arm + 0.5 * baseline[:, 1] - 0.6)))
    return (rng.random(patients) < risk).astype(float), arm, baseline


def design(arm, baseline, arms, interactions=()):
    indicators = np.column_stack([arm == at for at in range(1, arms)])
    products = [indicators * baseline[:, [at]] for at in interactions]
    return np.column_stack([np.ones(len(baseline)), indicators, baseline, *products])


def logit_fit(x, outcome):
    """Newton's method, one matrix at a time."""
    slopes = np.zeros(x.shape[1])
    for _ in range(30):
        risk = 1 / (1 + np.exp(-x @ slopes))
        slopes = slopes + np.linalg.solve((x.T * (risk * (1 - risk))) @ x, x.T @ (outcome - risk))
    return slopes


def expit(value):
    return 1 / (1 + np.exp(-value))


@pytest.mark.parametrize("arms", [2, 3])
@pytest.mark.parametrize("interactions", [(), (0,), (0, 1)])
def test_ge_is_the_delta_method_by_numerical_derivatives(arms, interactions):
    outcome, arm, baseline = simulated(seed=1, arms=arms)
    x = design(arm, baseline, arms, interactions)
    slopes = logit_fit(x, outcome)
    counterfactual = [design(np.full(len(arm), at), baseline, arms, interactions) for at in range(arms)]

    def risks(at):
        return np.array([expit(given @ at).mean() for given in counterfactual])

    steps = 1e-6 * np.diag(1 / np.abs(x).max(axis=0))
    jacobian = np.stack([(risks(slopes + s) - risks(slopes - s)) / (2 * s.sum()) for s in steps], axis=1)
    own = expit(x @ slopes)
    inverse = np.linalg.inv((x.T * (own * (1 - own))) @ x)
    leverage = own * (1 - own) * np.einsum("ij,jk,ik->i", x, inverse, x)
    residual = outcome - own
    n, p = x.shape
    middles = {
        "HC0": residual**2,
        "HC1": residual**2 * n / (n - p),
        "HC2": residual**2 / (1 - leverage),
        "HC3": residual**2 / (1 - leverage) ** 2,
    }
    for kind in ("model", *middles):
        found = g_computation(outcome, arm, baseline, variance="ge", sandwich=kind, interactions=interactions)
        inner = inverse if kind == "model" else inverse @ (x.T * middles[kind]) @ x @ inverse
        np.testing.assert_allclose(found.risks, risks(slopes), rtol=1e-10)
        np.testing.assert_allclose(found.covariance, jacobian @ inner @ jacobian.T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("arms", [2, 3])
@pytest.mark.parametrize("stratified", [False, True])
def test_ye_patient_by_patient(arms, stratified):
    """The formulas of Ye et al. (2023) and Bannick et al. (2025) written out over lists of patients."""
    outcome, arm, baseline = simulated(seed=2, arms=arms)
    strata = np.array(["young", "old"])[baseline[:, 1].astype(int)] if stratified else None
    slopes = logit_fit(design(arm, baseline, arms), outcome)
    expected = [expit(design(np.full(len(arm), at), baseline, arms) @ slopes) for at in range(arms)]
    n, share = len(arm), [np.mean(arm == at) for at in range(arms)]
    covariance = np.empty((arms, arms))
    for a in range(arms):
        in_a = arm == a
        for b in range(arms):
            in_b = arm == b
            covariance[a, b] = (
                np.cov(outcome[in_a], expected[b][in_a])[0, 1]
                + np.cov(outcome[in_b], expected[a][in_b])[0, 1]
                - np.cov(expected[a], expected[b])[0, 1]
            )
        covariance[a, a] += (
            np.var(outcome[in_a], ddof=1)
            + np.var(expected[a], ddof=1)
            - 2 * np.cov(outcome[in_a], expected[a][in_a])[0, 1]
        ) / share[a]
    if stratified:
        omega = np.diag(share) - np.outer(share, share)
        for stratum in ("young", "old"):
            here = strata == stratum
            mean = [(outcome - expected[a])[here & (arm == a)].mean() / share[a] for a in range(arms)]
            covariance -= here.mean() * np.diag(mean) @ omega @ np.diag(mean)
    found = g_computation(outcome, arm, baseline, strata=strata)
    np.testing.assert_allclose(found.risks, [one.mean() for one in expected], rtol=1e-11)
    np.testing.assert_allclose(found.covariance, covariance / n, rtol=1e-9)


def test_ye_comes_to_the_stacked_estimating_equations():
    """In a large trial, the model wrong, it is the variance of the influence function mu_a - risk_a + D_a A^-1 s."""
    rng = np.random.default_rng(4)
    baseline, arm = rng.normal(size=200_000), rng.integers(0, 2, 200_000)
    outcome = (rng.random(200_000) < np.where(arm == 1, 0.3 + 0.4 * (baseline**2 > 1), expit(2 * baseline))).astype(
        float
    )
    x = design(arm, baseline[:, None], 2)
    slopes = logit_fit(x, outcome)
    own = expit(x @ slopes)
    inverse = np.linalg.inv((x.T * (own * (1 - own))) @ x)
    influence = []
    for at in (0, 1):
        given = design(np.full(len(arm), at), baseline[:, None], 2)
        risk = expit(given @ slopes)
        steep = (given * (risk * (1 - risk))[:, None]).mean(axis=0)
        influence.append(risk - risk.mean() + (x * (outcome - own)[:, None]) @ inverse @ steep * len(arm))
    stacked = np.cov(influence) / len(arm)
    found = g_computation(outcome, arm, baseline)
    np.testing.assert_allclose(found.covariance, stacked, rtol=0.01, atol=0.01 * stacked.max())


def test_without_covariates_it_is_the_table():
    arm = np.repeat([1, 0], [20, 25])
    outcome = np.concatenate(([1] * 14 + [0] * 6, [1] * 9 + [0] * 16))
    p, q = 14 / 20, 9 / 25
    ye, ge = g_computation(outcome, arm), g_computation(outcome, arm, variance="ge", sandwich="model")
    for found in (ye, ge):
        assert found.compare().effect == pytest.approx(p - q, rel=1e-13)
        assert found.compare(contrast="risk-ratio").effect == pytest.approx(math.log(p / q), rel=1e-12)
        assert found.natural(contrast="odds-ratio")[0] == pytest.approx(p * (1 - q) / q / (1 - p), rel=1e-12)
    np.testing.assert_allclose(ge.covariance, np.diag([q * (1 - q) / 25, p * (1 - p) / 20]), rtol=1e-12, atol=1e-17)
    np.testing.assert_allclose(ye.covariance, np.diag([q * (1 - q) / 24, p * (1 - p) / 19]), rtol=1e-12, atol=1e-17)
    logistic = logistic_regression(outcome, arm).estimate
    assert ge.compare(contrast="odds-ratio").standard_error == pytest.approx(logistic.standard_error, rel=1e-12)


def test_a_linear_model_gives_the_adjusted_means_of_ancova():
    outcome, arm, baseline = simulated(seed=3, arms=3)
    outcome = outcome + baseline[:, 0]
    found = g_computation(outcome, arm, baseline, family="linear", variance="ge", sandwich="model")
    fit = ancova(outcome, np.column_stack([arm == 1, arm == 2]), baseline)
    np.testing.assert_allclose(found.risks, fit.adjusted_means, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, fit.adjusted_mean_covariance, rtol=1e-9, atol=1e-12)
    assert found.compare(2, 1).scale == Scale.MEAN_DIFFERENCE
    with pytest.raises(InputError, match="need not be positive"):
        found.compare(contrast="risk-ratio")


@given(
    st.integers(0, 30), st.sampled_from(["ye", "ge"]), st.sampled_from(["risk-difference", "risk-ratio", "odds-ratio"])
)
def test_symmetries(seed, variance, contrast):
    outcome, arm, baseline = simulated(80, seed)
    found = g_computation(outcome, arm, baseline, variance=variance).compare(contrast=contrast)
    swapped = g_computation(outcome, 1 - arm, 5 - 3 * baseline, variance=variance, interactions=False)
    assert swapped.compare(contrast=contrast).effect == pytest.approx(-found.effect, rel=1e-9, abs=1e-10)
    assert swapped.compare(contrast=contrast).standard_error == pytest.approx(found.standard_error, rel=1e-9)
    if contrast != "risk-ratio":
        failures = g_computation(1 - outcome, arm, baseline, variance=variance).compare(contrast=contrast)
        assert failures.effect == pytest.approx(-found.effect, rel=1e-9, abs=1e-10)
        assert failures.standard_error == pytest.approx(found.standard_error, rel=1e-9)


def many(trials=120, patients=26, seed=1):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, (trials, patients))
    arm[np.arange(patients) >= rng.integers(4, patients + 1, trials)[:, None]] = -1
    covariates = np.stack([rng.normal(50, 10, arm.shape), rng.random(arm.shape) < 0.3], axis=2)
    outcome = (rng.random(arm.shape) < 0.3 + 0.2 * np.maximum(arm, 0)).astype(float)
    outcome[rng.random(arm.shape) < 0.05] = np.nan
    return outcome, arm, covariates


@pytest.mark.parametrize("variance", ["ye", "ge"])
@pytest.mark.parametrize("interactions", [False, (0,)])
def test_many_trials_are_what_each_is_alone(variance, interactions):
    outcome, arm, covariates = many()
    strata = covariates[:, :, 1]
    options = {"variance": variance, "interactions": interactions}
    batch = g_computation_batch(outcome, arm, covariates, strata=strata, **options)
    estimates = batch.estimates("odds-ratio")
    for at in range(120):
        there, reason = arm[at] >= 0, None
        try:
            alone = g_computation(
                outcome[at, there], arm[at, there], covariates[at, there], strata=strata[at, there], **options
            )
        except InputError as error:
            reason = str(error)
        if reason and "two arms" in reason:
            assert at in estimates.failures
            continue
        assert estimates.failures.get(at) == reason
        assert np.isnan(estimates.effect[at]) == (reason is not None)
        if reason is None:
            np.testing.assert_allclose(batch.risks[at], alone.risks, rtol=1e-10)
            np.testing.assert_allclose(batch.covariance[at], alone.covariance, rtol=1e-9, atol=1e-14)
            compared = alone.compare(contrast="odds-ratio")
            assert estimates.effect[at] == pytest.approx(compared.effect, rel=1e-10, abs=1e-10)
            assert estimates.standard_error[at] == pytest.approx(compared.standard_error, rel=1e-9)
            assert (batch.patients[at], batch.dropped[at]) == (alone.patients, alone.dropped)
    assert 20 < len(estimates.failures) < 110


def test_coverage_in_simulation():
    """2,000 trials of 200 patients drawn anew: Ye's interval holds the marginal difference, adjusting shortens it."""
    rng = np.random.default_rng(6)
    arm, baseline = np.tile(np.arange(200) % 2, (2000, 1)), rng.normal(size=(2000, 200))
    outcome = (rng.random(arm.shape) < expit(0.8 * arm + 1.5 * baseline - 0.4)).astype(float)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    truth = float(((expit(0.4 + 1.5 * nodes) - expit(-0.4 + 1.5 * nodes)) * weights).sum() / weights.sum())
    found = g_computation_batch(outcome, arm, baseline).estimates()
    covered = np.abs(found.effect - truth) < 1.959963985 * found.standard_error
    assert covered.mean() == pytest.approx(0.95, abs=0.015)
    assert found.effect.mean() == pytest.approx(truth, abs=0.005)
    assert found.effect.std() == pytest.approx(found.standard_error.mean(), rel=0.04)
    plain = g_computation_batch(outcome, arm).estimates()
    assert found.standard_error.mean() < 0.9 * plain.standard_error.mean()


def test_blocks_within_strata_save_variance_that_the_model_leaves():
    """1,000 trials stratified by a strong factor that the model does not have: simple randomisation's variance is too
    large, that of the blocks is right.
    """
    rng = np.random.default_rng(7)
    stratum = np.tile(np.repeat([0, 1], 100), (1000, 1))
    arm = np.tile(np.arange(200) % 2, (1000, 1))
    outcome = (rng.random(arm.shape) < 0.15 + 0.6 * stratum + 0.1 * arm).astype(float)
    simple, blocked = (g_computation_batch(outcome, arm, strata=given).estimates() for given in (None, stratum))
    assert blocked.effect.std() == pytest.approx(blocked.standard_error.mean(), rel=0.06)
    assert simple.standard_error.mean() > 1.15 * simple.effect.std()


def rejected(field, *arguments, **options):
    with pytest.raises(InputError) as caught:
        g_computation(*arguments, **options)
    assert caught.value.field == field
    return str(caught.value)


def test_what_cannot_be_analysed_is_named():
    outcome, arm, baseline = simulated(40)
    rejected("outcome", outcome + 1, arm)
    rejected("outcome", np.where(arm == 1, 1, outcome), arm)
    rejected("covariates", outcome, arm, outcome + 2)
    rejected("covariates", outcome, arm, np.full(40, 2.0))
    rejected("arm", [1, 0, 1], [0, 0, 1])
    rejected("strata", outcome, arm, strata=np.ones(39))
    rejected("interactions", outcome, arm, baseline, interactions=[2])
    rejected("interactions", outcome, arm, baseline, interactions=[0, 0])
    rejected("family", outcome, arm, family="probit")
    rejected("variance", outcome, arm, variance="none")
    rejected("sandwich", outcome, arm, sandwich="HC9")
    rejected("better", outcome, arm, better="up")
    found = g_computation(outcome, arm, baseline)
    for options in ({"arm": 2}, {"reference": -1}, {"arm": 0}, {"contrast": "hazard-ratio"}):
        with pytest.raises(InputError):
            found.compare(**options)


def test_an_outcome_the_model_explains_too_well_has_no_variance():
    arm = np.array([0, 1, 0, 1, 0, 1])
    assert "positive variance" in rejected(
        "patients", np.arange(6.0), arm, np.arange(6.0), family="linear", variance="ge"
    )


def test_it_is_immutable_and_prints_as_a_table():
    outcome, arm, baseline = simulated(40)
    baseline[3, 0] = math.nan
    found = g_computation(outcome, arm, baseline, label="response", better="lower")
    with pytest.raises(ValueError, match="read-only"):
        found.risks[0] = 0
    lines = str(found).splitlines()
    assert lines[0] == "response: 39 patients, 1 left out for missing values"
    assert lines[1].startswith("  control   ")
    assert found.compare().better == "lower"


@pytest.mark.parametrize(
    "strata",
    [
        [1.0, 1.0, 2.0, np.nan] * 10,
        np.array([1.0, 1.0, 2.0, np.nan] * 10),
        ["a", "a", "b", None] * 10,
        ["a", "a", "b", np.nan] * 10,
        np.array(["a", "a", "b", ""] * 10),
        ["a", "a", "b", 1] * 10,
    ],
)
def test_every_patient_has_a_stratum(strata):
    arm, outcome = np.repeat([0, 1], 20), np.tile([0, 1, 1, 0, 0], 8)
    with pytest.raises(InputError, match=r"strata is [\s\S]*for every patient"):
        g_computation(outcome, arm, strata=strata)
    with pytest.raises(InputError, match=r"strata is [\s\S]*for every patient"):
        g_computation_batch(outcome[None], arm[None], strata=np.asarray(strata, dtype=object)[None])


def test_nobody_needs_no_stratum():
    arm, outcome = np.repeat([0, 1, -1], [20, 20, 2]), np.append(np.tile([0, 1, 1, 0, 0], 8), [0, 0])
    strata = np.append(np.tile([1.0, 2.0], 20), [np.nan, np.nan])
    batch = g_computation_batch(outcome[None], arm[None], strata=strata[None])
    one = g_computation(outcome[:40], arm[:40], strata=strata[:40])
    np.testing.assert_allclose(batch.covariance[0], one.covariance, rtol=1e-12)
