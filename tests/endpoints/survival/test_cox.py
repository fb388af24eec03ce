import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from equipoise.endpoints.survival.cox import cox_regression
from equipoise.endpoints.survival.log_rank import log_rank
from equipoise.errors import InputError, NotEstimable
from equipoise.estimate import Scale
from survival_reference import cases, columns, cox_columns

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
TIES = ["efron", "breslow", "exact"]


@pytest.mark.parametrize(("inputs", "expected"), cases("cox"))
def test_agrees_with_coxph(inputs, expected):
    data = columns(inputs["data"])
    arm, covariates, names, terms = cox_columns(inputs)
    clusters = inputs.get("cluster_robust_by")
    fit = cox_regression(
        data["time"],
        data["event"],
        arm,
        covariates,
        strata=data[inputs["strata"]] if "strata" in inputs else None,
        ties=inputs["ties"],
        clusters=None if clusters is None else data[clusters],
        names=names or None,
    )
    found = {
        "coefficients": fit.coefficients,
        "standard_errors": fit.standard_errors,
        "hazard_ratios": fit.hazard_ratios,
        "covariance": fit.covariance,
        "z": fit.coefficients / fit.standard_errors,
        "log_likelihood_null": fit.null_log_likelihood,
        "log_likelihood": fit.log_likelihood,
        "likelihood_ratio_chi_square": fit.likelihood_ratio_chi_square,
        "score_chi_square": fit.score_chi_square,
        "concordance": fit.concordance,
    }
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], **CLOSE, err_msg=name)
    assert fit.wald_chi_square == pytest.approx(expected["wald_chi_square"], abs=0.0050001), "R rounds it"
    if expected["naive_standard_errors"] is not None:
        naive = np.sqrt(np.diag(fit.naive_covariance))
        np.testing.assert_allclose(naive, expected["naive_standard_errors"], **CLOSE)
    estimate, interval = fit.estimate, fit.estimate.interval()
    limits = np.exp([interval.lower, interval.upper])
    np.testing.assert_allclose(limits, [expected["ci_lower"][0], expected["ci_upper"][0]], **CLOSE)
    assert estimate.p_value == pytest.approx(expected["p_values"][0], rel=1e-9)
    assert estimate.scale == Scale.LOG_HAZARD_RATIO

    rename = dict(zip(expected["coefficient_names"], fit.names, strict=True))
    test = fit.proportional_hazards({term: [rename[name] for name in own] for term, own in terms.items()})
    reference = expected["proportional_hazards_test"]
    assert test.terms == (*terms, "all")
    assert list(test.degrees_of_freedom) == reference["df"]
    np.testing.assert_allclose(test.chi_squares, reference["chi_square"], **CLOSE)
    np.testing.assert_allclose(test.p_values, reference["p_value"], **CLOSE)


def veteran(**options):
    data = columns("data/veteran.csv")
    arm = (data["trt"] == "test").astype(int)
    return cox_regression(
        data["time"], data["event"], arm, data["karno"], strata=data["celltype"], names=["karno"], **options
    )


def test_strata_with_robust_variance_and_exact_ties_agree_with_coxph():
    """R 4.2.2, survival 3.5-3: coxph(Surv(time, status) ~ factor(trt) + karno + strata(celltype), veteran)."""
    robust = veteran(clusters=np.arange(137))
    np.testing.assert_allclose(robust.coefficients, [0.23283467688949594, -0.035801123000163082], rtol=1e-10)
    covariance = [[0.031377869864191422, 0.00010472589364855333], [0.00010472589364855333, 2.5338853083295476e-05]]
    np.testing.assert_allclose(robust.covariance, covariance, rtol=1e-9)
    naive = [[0.04044070519853999, -3.9093167506263268e-05], [-3.9093167506263268e-05, 3.0583011730363021e-05]]
    np.testing.assert_allclose(robust.naive_covariance, naive, rtol=1e-9)
    test = robust.proportional_hazards()
    np.testing.assert_allclose(
        test.chi_squares, [0.050769519075458396, 6.706788489547099, 7.095052212424545], rtol=1e-9
    )
    assert test.p_value == pytest.approx(0.0287957893339228291, rel=1e-9)

    breslow = veteran(ties="breslow")
    np.testing.assert_allclose(breslow.coefficients, [0.22752103823568456, -0.035563144727360052], rtol=1e-10)
    np.testing.assert_allclose(breslow.covariance[0], [0.04032266936658499, -3.7896702672329669e-05], rtol=1e-9)

    exact = veteran(ties="exact")
    np.testing.assert_allclose(exact.coefficients, [0.23070571154001526, -0.035955039519121962], rtol=1e-10)
    covariance = [[0.040767170272686871, -4.1653967605934866e-05], [-4.1653967605934866e-05, 3.097705056404263e-05]]
    np.testing.assert_allclose(exact.covariance, covariance, rtol=1e-9)
    logs = [exact.null_log_likelihood, exact.log_likelihood, exact.score_chi_square, exact.concordance]
    reference = [-331.11158824002462, -309.99081821546753, 45.587812858769276, 0.69952027911033576]
    np.testing.assert_allclose(logs, reference, rtol=1e-11)
    chi_squares = [0.04521036789291244, 6.31523060028044725, 6.67341212177021781]
    np.testing.assert_allclose(exact.proportional_hazards().chi_squares, chi_squares, rtol=1e-9)


def test_several_arms_agree_with_coxph():
    """R 4.2.2, survival 3.5-3: coxph(Surv(time, status) ~ celltype, veteran)."""
    data = columns("data/veteran.csv")
    levels = ["squamous", "smallcell", "adeno", "large"]
    arm = np.array([levels.index(name) for name in data["celltype"]])
    fit = cox_regression(data["time"], data["event"], arm)
    np.testing.assert_allclose(
        fit.coefficients, [1.0012531827862339, 1.1477130366174952, 0.23014551673309885], rtol=1e-10
    )
    np.testing.assert_allclose(
        fit.standard_errors, [0.25350743562165479, 0.29288051003926102, 0.27729303698419344], rtol=1e-10
    )
    found = [fit.null_log_likelihood, fit.log_likelihood, fit.score_chi_square, fit.concordance]
    reference = [-505.44905491805798, -493.02473224117131, 25.509734538967958, 0.60807587460245349]
    np.testing.assert_allclose(found, reference, rtol=1e-12)
    between = fit.compare(2, 1)
    assert between.effect == pytest.approx(fit.coefficients[1] - fit.coefficients[0], rel=1e-12)
    contrast = np.array([-1, 1, 0])
    assert between.standard_error == pytest.approx(math.sqrt(contrast @ fit.covariance @ contrast), rel=1e-12)
    with pytest.raises(InputError, match="other than the reference"):
        fit.compare(1, 1)


def random_trial(seed, patients=90, ties=True):
    rng = np.random.default_rng(seed)
    arm, strata = rng.integers(0, 2, patients), rng.integers(0, 3, patients)
    covariates = rng.standard_normal((patients, 2)) * [3, 50] + [10, -200]
    draw = rng.exponential(10 * np.exp(-0.5 * arm + 0.2 * covariates[:, 0] - 2 + 0.3 * strata))
    censoring = rng.exponential(15, patients)
    time = np.minimum(draw, censoring)
    return np.ceil(time) if ties else time, draw <= censoring, arm, covariates, strata


@pytest.mark.parametrize("seed", range(3))
def test_lifelines_has_the_same_fit(seed):
    lifelines = pytest.importorskip("lifelines")
    pandas = pytest.importorskip("pandas")
    time, event, arm, covariates, strata = random_trial(seed)
    frame = pandas.DataFrame(
        {"time": time, "event": event, "arm": arm, "x": covariates[:, 0], "y": covariates[:, 1], "stratum": strata}
    )
    theirs = lifelines.CoxPHFitter().fit(frame, "time", "event", strata=["stratum"], fit_options={"precision": 1e-12})
    ours = cox_regression(time, event, arm, covariates, strata=strata)
    np.testing.assert_allclose(ours.coefficients, theirs.params_, rtol=1e-7)
    np.testing.assert_allclose(ours.standard_errors, theirs.standard_errors_, rtol=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood_, rel=1e-10)
    statistics = pytest.importorskip("lifelines.utils")
    plain = cox_regression(time, event, arm, covariates)
    index = statistics.concordance_index(
        time, -covariates @ plain.coefficients[1:] - plain.coefficients[0] * arm, event
    )
    assert plain.concordance == pytest.approx(index, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_without_ties_all_ways_of_taking_them_are_one(seed):
    time, event, arm, covariates, strata = random_trial(seed, ties=False)
    fits = [cox_regression(time, event, arm, covariates, strata=strata, ties=ties) for ties in TIES]
    for other in fits[1:]:
        np.testing.assert_allclose(other.coefficients, fits[0].coefficients, rtol=1e-9)
        np.testing.assert_allclose(other.covariance, fits[0].covariance, rtol=1e-8)
        assert other.log_likelihood == pytest.approx(fits[0].log_likelihood, rel=1e-12)
        assert other.score_chi_square == pytest.approx(fits[0].score_chi_square, rel=1e-10)


@pytest.mark.parametrize("ties", TIES)
def test_one_stratum_is_none_and_time_may_be_stretched_and_patients_reordered(ties):
    time, event, arm, covariates, _ = random_trial(5, patients=60)
    first = cox_regression(time, event, arm, covariates, ties=ties)
    order = np.random.default_rng(0).permutation(time.size)
    others = [
        cox_regression(time, event, arm, covariates, strata=np.full(time.size, "one"), ties=ties),
        cox_regression(time**3 + 1e6, event, arm, covariates, ties=ties),
        cox_regression(time[order], event[order], arm[order], covariates[order], ties=ties),
    ]
    for other in others:
        np.testing.assert_allclose(other.coefficients, first.coefficients, rtol=1e-9)
        np.testing.assert_allclose(other.covariance, first.covariance, rtol=1e-8)
        assert other.concordance == pytest.approx(first.concordance, rel=1e-12)
    assert others[1].proportional_hazards().p_value == pytest.approx(first.proportional_hazards().p_value, rel=1e-8)
    swapped = cox_regression(time, event, 1 - arm, covariates, ties=ties)
    assert swapped.estimate.effect == pytest.approx(-first.estimate.effect, rel=1e-9)
    assert swapped.estimate.standard_error == pytest.approx(first.estimate.standard_error, rel=1e-9)
    scaled = cox_regression(time, event, arm, covariates * [1e-3, 1e4] + 1e3, ties=ties)
    np.testing.assert_allclose(scaled.coefficients * [1, 1e-3, 1e4], first.coefficients, rtol=1e-7)


def brute_force(time, event, column, beta):
    """Log conditional likelihood of one column: every choice of as many events among those at risk, one by one."""
    total = 0.0
    for moment in np.unique(time[event]):
        at_risk = np.flatnonzero(time >= moment)
        dead = np.flatnonzero((time == moment) & event)
        choices = itertools.combinations(at_risk, dead.size)
        total += beta * column[dead].sum() - math.log(sum(math.exp(beta * column[list(one)].sum()) for one in choices))
    return total


@given(
    st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans(), st.integers(-2, 2)), min_size=4, max_size=11)
)
def test_exact_ties_are_all_choices(data):
    time, event, arm, covariate = (np.array(values, dtype=float) for values in zip(*data, strict=True))
    event = event == 1
    try:
        fit = cox_regression(time, event, arm.astype(int), covariate, ties="exact")
    except InputError:
        assume(False)
        raise
    column = arm * fit.coefficients[0] + covariate * fit.coefficients[1]
    assert fit.log_likelihood == pytest.approx(brute_force(time, event, column, 1.0), abs=1e-9)
    assert fit.null_log_likelihood == pytest.approx(brute_force(time, event, column, 0.0), abs=1e-9)
    for step in (0.99, 1.01):
        assert brute_force(time, event, column, step) <= fit.log_likelihood + 1e-9


@pytest.mark.parametrize("stratified", [False, True])
def test_score_test_with_exact_ties_is_the_log_rank_test(stratified):
    time, event, arm, _, strata = random_trial(6)
    strata = strata if stratified else None
    fit = cox_regression(time, event, arm, ties="exact", strata=strata)
    assert fit.score_chi_square == pytest.approx(log_rank(time, event, arm, strata).chi_square, rel=1e-10)
    assert fit.p_value("score") == pytest.approx(log_rank(time, event, arm, strata).p_value, rel=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_patients_residuals_sum_to_the_score(ties):
    time, event, arm, covariates, strata = random_trial(7)
    model = cox_regression(time, event, arm, covariates, strata=strata, ties=ties).model.likelihood
    rng = np.random.default_rng(1)
    for _ in range(3):
        coefficients = rng.standard_normal((1, 3)) / 3
        sums = model.risk_sums(coefficients)
        residuals = model.score_residuals(sums)
        np.testing.assert_allclose(residuals.sum(axis=(0, 2)), model.score(sums)[0], atol=1e-10)
        step = 1e-6 * np.eye(3)
        slope = [(model.at(coefficients + one)[0] - model.at(coefficients - one)[0])[0] / 2e-6 for one in step]
        np.testing.assert_allclose(slope, model.score(sums)[0], rtol=1e-6, atol=1e-6)
        bend = [(model.at(coefficients - one)[1] - model.at(coefficients + one)[1])[0] / 2e-6 for one in step]
        np.testing.assert_allclose(bend, model.information(sums)[0], rtol=1e-5, atol=1e-6)


def test_robust_variance_is_as_the_models_own_where_that_holds():
    time, event, arm, covariates, _ = random_trial(8, patients=3000, ties=False)
    fit = cox_regression(time, event, arm, covariates, clusters=np.arange(3000))
    np.testing.assert_allclose(fit.standard_errors, np.sqrt(np.diag(fit.naive_covariance)), rtol=0.06)
    twice = [np.repeat(values, 2, axis=0) for values in (time, event, arm, covariates)]
    doubled = cox_regression(*twice[:3], twice[3], ties="breslow", clusters=np.repeat(np.arange(3000), 2))
    once = cox_regression(time, event, arm, covariates, ties="breslow", clusters=np.arange(3000))
    np.testing.assert_allclose(doubled.covariance, once.covariance, rtol=1e-8)


def test_proportional_hazards_are_rejected_where_they_are_not_proportional_and_seldom_elsewhere():
    """200 trials of 200 patients: level 0.05, and hazards that cross."""
    rng = np.random.default_rng(9)
    null, power = [], []
    for _ in range(200):
        arm = np.arange(200) % 2
        draw = rng.exponential(1, 200) * np.where(arm == 1, 0.6, 1)
        crossing = np.where(arm == 1, rng.weibull(2.2, 200), rng.weibull(0.8, 200))
        event = rng.random(200) < 0.8
        null.append(cox_regression(draw, event, arm).proportional_hazards().p_value)
        power.append(cox_regression(crossing, event, arm).proportional_hazards().p_value)
    assert np.mean(np.array(null) < 0.05) == pytest.approx(0.05, abs=0.047)
    assert np.mean(np.array(power) < 0.05) > 0.95


def test_missing_covariates_leave_patients_out():
    time, event, arm, covariates, strata = random_trial(10)
    holes = covariates.copy()
    holes[::9, 1] = math.nan
    kept = ~np.isnan(holes[:, 1])
    fit = cox_regression(time, event, arm, holes, strata=strata, clusters=np.arange(90))
    reference = cox_regression(
        time[kept], event[kept], arm[kept], covariates[kept], strata=strata[kept], clusters=np.arange(kept.sum())
    )
    np.testing.assert_allclose(fit.coefficients, reference.coefficients, rtol=1e-10)
    np.testing.assert_allclose(fit.covariance, reference.covariance, rtol=1e-9)
    assert (fit.patients, fit.dropped, fit.events) == (80, 10, int(event[kept].sum()))
    assert fit.concordance == pytest.approx(reference.concordance, rel=1e-12)


def test_data_without_an_estimate():
    time, event, arm = [1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 1, 1], [0, 1, 0, 1, 1, 0]
    for changes, match in (
        ({"arm": [0] * 6}, "at least two arms"),
        ({"arm": [0, 2, 0, 2, 2, 0]}, "at least one patient with complete data in every arm"),
        ({"event": [0] * 6}, "all times are censored"),
        ({"event": [1, 0, 1, 0, 0, 1]}, r"\[3, 0\]; expected events in both arms \(control first\)"),
        ({"arm": [0, 0, 0, 1, 1, 1]}, "while patients of the other are at risk"),
        ({"covariates": [1, 1, 1, 1, 1, 1]}, "a covariate that varies between patients"),
        ({"covariates": [0, 2, 0, 2, 2, 0]}, "do not determine"),
        ({"covariates": [7, 6, 5, 4, 3, 2]}, "run away to infinity"),
        ({"covariates": [0, 0, 0, 1, 1, 1], "strata": [0, 0, 0, 1, 1, 1]}, "at risk together"),
        ({"strata": [0, 1, 2, 3, 4, 5]}, "runs away"),
        ({"arm": [0, 1, 2, 1, 1, 2], "event": [0, 1, 1, 0, 1, 1]}, "events in every arm"),
        ({"time": [1, 2, 3, 4, 5, -6]}, "not below 0"),
        ({"ties": "all"}, "'exact'"),
        ({"better": "more"}, "'lower'"),
        ({"clusters": [1, 2]}, "one label for each of 6"),
        ({"clusters": [1, 2, 3, 4, 5, 6], "ties": "exact"}, "with clusters"),
        ({"strata": [1, 2]}, "one label for each of 6"),
        ({"names": ["a"]}, "one name for each of 0"),
        ({"covariates": [1, 2, 3]}, "one value a patient"),
    ):
        given = {"time": time, "event": event, "arm": arm} | changes
        with pytest.raises(InputError, match=match):
            cox_regression(**given)
    fit = cox_regression(time, event, arm, label="relapse")
    assert str(fit) == "relapse: 6 patients, 5 events\n  arm     -0.1008  SE 1.004  hazard ratio 0.9041"
    with pytest.raises(InputError, match="one of arm"):
        fit.proportional_hazards({"age": ["age"]})
    assert str(fit.proportional_hazards()).startswith("proportional hazards:\n  arm  chi-square ")
    with pytest.raises(InputError, match="'likelihood-ratio'"):
        fit.p_value("rank")  # pyright: ignore[reportArgumentType]


def test_many_tied_events_exactly():
    """300 events at one time among 500 patients: 500 choose 300 has 145 digits."""
    rng = np.random.default_rng(2)
    arm = rng.integers(0, 2, 500)
    time, event = np.full(500, 2.0), np.zeros(500)
    event[rng.permutation(500)[:300]] = 1
    fit = cox_regression(time, event, arm, ties="exact")
    assert fit.score_chi_square == pytest.approx(log_rank(time, event, arm).chi_square, rel=1e-8)
    assert fit.null_log_likelihood == pytest.approx(-math.log(math.comb(500, 300)), rel=1e-10)


def test_a_change_of_the_hazard_ratio_that_nobody_tells():
    fit = cox_regression([2.0, 16.0, 2.0, 0.5, 20.0], [1, 0, 1, 0, 0], [1, 0, 0, 1, 1])
    with pytest.raises(NotEstimable, match="too few, or too alike in time"):
        fit.proportional_hazards()
