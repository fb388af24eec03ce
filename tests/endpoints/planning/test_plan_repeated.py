import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise.endpoints.planning.plan_means import Means
from equipoise.endpoints.planning.plan_repeated import RepeatedMeasures
from equipoise.endpoints.planning.repeated_information import slopes_by_visit
from equipoise.patients import Truth
from published_values import LU_LUO_CHEN_CORRELATIONS, LU_LUO_CHEN_TABLE_1, LU_LUO_CHEN_TABLE_2

FIXED = eq.GroupSequential((1.0,), 0.025, 1, beta=0.1)
TWO_SIDED = eq.GroupSequential((1.0,), 0.05, 2, beta=0.1)
THREE = eq.GroupSequential((0.3, 0.65, 1.0), 0.025, 1, futility=eq.HwangShihDeCaniSpending(-2), beta=0.1)
COVARIANCE = np.array(
    [[64.0, 40.0, 33.0, 28.0], [40.0, 81.0, 56.0, 45.0], [33.0, 56.0, 100.0, 72.0], [28, 45, 72, 121]]
)
RETENTION = (0.97, 0.9, 0.82, 0.7)


def autoregressive(visits, correlation):
    return correlation ** np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))


@pytest.mark.parametrize(("visits", "lost"), list(LU_LUO_CHEN_TABLE_2))
def test_variance_inflation_of_lu_luo_and_chen_table_2(visits, lost):
    for correlation, phi in zip(LU_LUO_CHEN_CORRELATIONS, LU_LUO_CHEN_TABLE_2[visits, lost], strict=True):
        matrix = autoregressive(visits, correlation ** (1 / (visits - 1)))
        plan = RepeatedMeasures(1.0, matrix, np.linspace(1, 1 - lost, visits))
        assert plan.variance_inflation == pytest.approx((phi, phi), abs=6e-12)


@pytest.mark.parametrize(("phi", "allocation", "patients"), LU_LUO_CHEN_TABLE_1)
def test_sizes_of_lu_luo_and_chen_table_1(phi, allocation, patients):
    """One visit at which 1 / phi of the patients are seen; their allocation is of the first arm to the second."""
    retention = [[1 / value] for value in phi]
    plan = RepeatedMeasures(0.5, [[1.0]], retention, allocation=allocation)
    assert plan.variance_inflation == pytest.approx(phi)
    assert plan.sample_size(TWO_SIDED).patients == pytest.approx(patients, rel=1e-12)


def test_complete_data_are_the_comparison_of_means():
    plan = RepeatedMeasures(4.0, COVARIANCE, allocation=1.5, better="lower", margin=6.0)
    means = Means(4.0, 11.0, 1.5, better="lower", margin=6.0, test="normal")
    for found, wanted in ((plan.sample_size(THREE), means.sample_size(THREE)), (plan.power(THREE, 90),) * 2):
        np.testing.assert_allclose(found.per_arm, wanted.per_arm, rtol=1e-12)
        np.testing.assert_allclose(found.efficacy_effects, wanted.efficacy_effects, rtol=1e-12)
        np.testing.assert_allclose(found.expected_patients, wanted.expected_patients, rtol=1e-12)
    np.testing.assert_allclose(plan.power(THREE, 90).drift, means.power(THREE, 90).drift, rtol=1e-12)


def test_complete_data_with_baseline_are_the_analysis_of_covariance():
    correlation = 28 / math.sqrt(64 * 121)
    plan = RepeatedMeasures(4.0, COVARIANCE, baseline="by visit")
    ancova = Means(4.0, 11 * math.sqrt(1 - correlation**2), test="normal")
    assert plan.sample_size(FIXED).patients == pytest.approx(ancova.sample_size(FIXED).patients, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(lost=st.floats(0.01, 0.6), correlation=st.floats(0.0, 0.95), visits=st.integers(2, 6))
def test_dropout_costs_less_than_the_patients_and_less_with_correlation(lost, correlation, visits):
    retention = np.linspace(1, 1 - lost, visits)
    equal = (1 - correlation) * np.eye(visits) + correlation
    phi = RepeatedMeasures(1.0, equal, retention).variance_inflation[0]
    assert 1 <= phi <= 1 / (1 - lost) + 1e-12
    more = (1 - correlation - 0.04) * np.eye(visits) + correlation + 0.04
    assert RepeatedMeasures(1.0, more, retention).variance_inflation[0] <= phi + 1e-12
    fewer = RepeatedMeasures(1.0, equal, 0.9 * retention).variance_inflation[0]
    assert fewer == pytest.approx(phi / 0.9)


def test_arms_may_be_swapped():
    other = COVARIANCE * 1.7
    one = RepeatedMeasures(4.0, [COVARIANCE, other], [RETENTION, (1, 1, 0.9, 0.9)], allocation=2.0)
    two = RepeatedMeasures(-4.0, [other, COVARIANCE], [(1, 1, 0.9, 0.9), RETENTION], allocation=0.5, better="lower")
    first, second = one.sample_size(THREE), two.sample_size(THREE)
    assert first.per_arm == pytest.approx(second.per_arm[::-1], rel=1e-12)
    np.testing.assert_allclose(first.efficacy_effects, -second.efficacy_effects)
    assert one.power(THREE, first.patients).power == pytest.approx(0.9, abs=1e-9)


def simulated(sizes, seed):
    """Scores of an experimental and a control arm, monotone dropout by `RETENTION`, and the saturated design."""
    draws = np.random.default_rng(seed)
    patients, visits = sum(sizes), len(COVARIANCE)
    arm = np.repeat([1.0, 0.0], sizes)
    scores = draws.multivariate_normal(np.zeros(visits), COVARIANCE, patients)
    last = draws.random(patients)
    scores[last[:, None] > np.array(RETENTION)] = np.nan
    eye = np.broadcast_to(np.eye(visits), (patients, visits, visits))
    return scores, np.concatenate([eye, arm[:, None, None] * eye], axis=2), arm


def test_fitted_model_has_the_planned_information():
    """Exactly so with the covariance it found and the retention that came; but for sampling, with those planned."""
    sizes = (3000, 2000)
    scores, design, arm = simulated(sizes, 5)
    fit = eq.fit_mmrm(scores, design, degrees_of_freedom="normal")
    contrast = np.eye(8)[7]
    error = fit.estimate(contrast).standard_error
    seen = [(~np.isnan(scores[arm == which])).mean(axis=0) for which in (1, 0)]
    found = RepeatedMeasures(1.0, np.asarray(fit.covariance), seen, allocation=1.5)
    assert error**-2 == pytest.approx(found.information(sizes), rel=1e-9)
    planned = RepeatedMeasures(1.0, COVARIANCE, RETENTION, allocation=1.5)
    assert error**-2 == pytest.approx(planned.information(sizes), rel=0.05)


def test_fitted_model_with_baseline_has_the_planned_information():
    """A slope on baseline at each visit, and one common slope; the baseline's own variation costs O(1 / n)."""
    sizes = (3000, 3000)
    draws = np.random.default_rng(11)
    scores = draws.multivariate_normal(np.zeros(4), COVARIANCE, 6000)
    baseline, later = scores[:, 0] - scores[:, 0].mean(), scores[:, 1:]
    seen = np.array([0.95, 0.85, 0.7])
    later[draws.random(6000)[:, None] > seen] = np.nan
    arm = np.repeat([1.0, 0.0], sizes)
    eye = np.broadcast_to(np.eye(3), (6000, 3, 3))
    for kind, columns in (
        ("by visit", baseline[:, None, None] * eye),
        ("common", np.broadcast_to(baseline[:, None, None], (6000, 3, 1))),
    ):
        design = np.concatenate([eye, arm[:, None, None] * eye, columns], axis=2)
        fit = eq.fit_mmrm(later, design, degrees_of_freedom="normal")
        error = fit.estimate(np.eye(design.shape[2])[5]).standard_error
        planned = RepeatedMeasures(1.0, COVARIANCE, seen, baseline=kind)
        assert error**-2 == pytest.approx(planned.information(sizes), rel=0.05)


def test_plans_the_trial_of_a_protocol():
    """The same mathematics as `plan`, given the scenario's numbers by hand."""
    protocol = eq.gallery("ptsd-ketamine")
    planned = eq.plan(protocol)
    control, experimental = Truth.of(protocol, protocol.sample_size.scenario).arms[:2]
    plan = RepeatedMeasures(
        planned.effect,
        [experimental.covariance, control.covariance],
        [experimental.staying[1:], control.staying[1:]],
        baseline="by visit",
        better="lower",
    )
    assert plan.information((20, 20)) ** -0.5 == pytest.approx(planned.standard_error, rel=1e-12)
    found = plan.power(planned.design, 40)
    assert found.drift == pytest.approx(planned.drift, rel=1e-12)
    assert found.power == pytest.approx(planned.under_effect.power, rel=1e-12)


def test_earlier_visit_prints_and_compares():
    plan = RepeatedMeasures(4.0, COVARIANCE, RETENTION, visit=2)
    assert plan == RepeatedMeasures(4.0, COVARIANCE.tolist(), list(RETENTION), visit=-2)
    assert hash(plan) == hash(RepeatedMeasures(4.0, COVARIANCE, RETENTION, visit=2))
    assert plan.variances[0] < RepeatedMeasures(4.0, COVARIANCE, RETENTION).variances[0]
    text = str(plan.sample_size(THREE))
    assert "at visit 3 of 4, standard deviation 10, seen 0.82, allocation 1:1; MMRM" in text
    json.dumps(plan.sample_size(THREE).to_dict())


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "covariance"),
        ({"covariance": [[1.0, 0.2], [0.3, 1.0]]}, "covariance"),
        ({"covariance": [1.0, 2.0]}, "covariance"),
        ({"covariance": "identity"}, "covariance"),
        ({"covariance": [[1.0]], "retention": None, "baseline": "common"}, "covariance"),
        ({"retention": (0.9, 1.0)}, "retention"),
        ({"retention": (1.0, 0.0)}, "retention"),
        ({"retention": (1.0, 0.9, 0.8)}, "retention"),
        ({"visit": 2}, "visit"),
        ({"baseline": "change"}, "baseline"),
        ({"margin": math.inf}, "margin"),
    ],
)
def test_faults_are_named(arguments, field):
    with pytest.raises(eq.InputError) as caught:
        RepeatedMeasures(**({"effect": 1.0, "covariance": np.eye(2), "retention": (1.0, 0.8)} | arguments))
    assert caught.value.field == field


def test_no_size_for_an_effect_that_favours_control():
    with pytest.raises(eq.InputError, match="effect is -1"):
        RepeatedMeasures(-1.0, np.eye(2)).sample_size(FIXED)


WRONG_NUMBERS = ["a", [[[[1.0]]]], np.array([0.5]), int, True, object(), 10**400, math.nan]


@pytest.mark.parametrize("value", WRONG_NUMBERS, ids=lambda value: str(type(value).__name__))
@pytest.mark.parametrize(
    "name", ["effect", "covariance", "retention", "visit", "baseline", "allocation", "margin", "better"]
)
def test_wrong_repeated_measures_are_named(name, value):
    with pytest.raises(eq.InputError) as error:
        RepeatedMeasures(**{"effect": -6.0, "covariance": [[4.0, 2.0], [2.0, 4.0]]} | {name: value})  # pyright: ignore[reportArgumentType]
    assert error.value.field == name


def test_a_visit_is_a_whole_number():
    covariance = [[4.0, 2.0], [2.0, 4.0]]
    assert RepeatedMeasures(-6, covariance, visit=1.0) == RepeatedMeasures(-6, covariance)  # pyright: ignore[reportArgumentType]
    with pytest.raises(eq.InputError, match="visit"):
        RepeatedMeasures(-6, covariance, visit=1.5)  # pyright: ignore[reportArgumentType]


def test_slopes_by_visit_are_those_of_regressions_one_after_the_other():
    """Three arms of other covariances and dropout: the likelihood of the mixed model as factors, by least squares."""
    generator, patients = np.random.default_rng(3), 400_000
    arm = np.repeat([0, 1, 2], [patients // 2, patients // 4, patients // 4])
    roots = [
        np.array(root)
        for root in (
            [[2.0, 0, 0], [1, 2, 0], [0.5, 1, 2]],
            [[1.0, 0, 0], [-1, 1, 0], [0, 2, 1]],
            [[3.0, 0, 0], [3, 1, 0], [1, -1, 1]],
        )
    ]
    staying = np.array([[0.9, 0.8], [0.6, 0.3], [1.0, 0.7]])
    scores = np.concatenate([generator.normal(size=((arm == at).sum(), 3)) @ root.T for at, root in enumerate(roots)])
    means = np.array([[0.0, 0, 0], [1, 2, 3], [2, 0, 1]])
    scores += means[arm]
    last = generator.random(patients)
    dummies = np.eye(3)[arm]
    slopes: list[float] = []
    for visit in (1, 2):
        here = last < staying[arm, visit - 1]
        found = np.linalg.lstsq(np.hstack([dummies, scores[:, :visit]])[here], scores[here, visit])[0][3:]
        slopes.append(found[0] + sum(found[1:] * slopes))
    joints = [root @ root.T for root in roots]
    weights = [share * seen for share, seen in zip((0.5, 0.25, 0.25), staying, strict=True)]
    np.testing.assert_allclose(slopes_by_visit(joints, weights), slopes, atol=0.01)


def test_slopes_of_arms_alike_are_those_of_baseline():
    joint = np.array([[4.0, 2.0, 1.0], [2.0, 5.0, 3.0], [1.0, 3.0, 6.0]])
    found = slopes_by_visit([joint, joint], [np.array([0.5, 0.2]), np.array([0.4, 0.1])])
    np.testing.assert_allclose(found, [0.5, 0.25], rtol=1e-13)
