"""The endpoint at one visit: analysis of covariance, t tests, rank sum; of the scale or a measure."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from endpoint_trials import assert_batch_is_each, assert_plan_is_what_trials_show, cut, drawn_trials
from equipoise import InputError, Scale, endpoints
from equipoise.data import Measured
from equipoise.endpoints.ranks.hodges_lehmann import hodges_lehmann
from equipoise.endpoints.regression.ancova import ancova
from equipoise.patients import Truth
from equipoise.trial_batch import TrialBatch
from protocols import edited

METHODS = ["ancova", "t", "welch", "wilcoxon"]
PRESSURE = {
    "name": "pressure", "kind": "continuous", "label": "Systolic pressure", "visit": "week2", "better": "lower",
    "unit": "mmHg",
}  # fmt: skip


def protocol_of(method="ancova", measure=False, sample_size=None, **changes):
    endpoint = {"name": "outcome", "type": "mean", "role": "primary", "method": method}
    endpoint |= {"measure": "pressure"} if measure else {"visit": "week2"}
    if measure:
        changes["measures"] = [PRESSURE]
        for arm, mean, sd in (("midazolam", 130.0, 12.0), ("ketamine", 124.0, 16.0)):
            changes[f"scenarios__later-trials__arms__{arm}__measures"] = {"pressure": {"mean": mean, "sd": sd}}
    if sample_size:
        changes |= {"sample_size": sample_size, "stopping": {"alpha": 0.05, "sided": 2, "fractions": [0.5, 1.0]}}
    return edited(endpoints=[endpoint], **changes)


def outcome_of(protocol, data):
    if protocol.primary.measure:
        return data.measure("pressure").value
    return data.at("week2") - data.baseline


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("method", ["t", "welch"])
def test_t_tests_are_scipys(method, measure):
    from scipy.stats import ttest_ind

    protocol = protocol_of(method, measure)
    data = drawn_trials(protocol, 1, 40)[0]
    values = outcome_of(protocol, data)
    theirs = ttest_ind(values[data.arm == 1], values[data.arm == 0], equal_var=method == "t", nan_policy="omit")
    ours, notes = endpoints.primary(protocol.primary, protocol, data)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.degrees_of_freedom == pytest.approx(theirs.df, rel=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-11)
    assert (ours.better, notes) == ("lower", ())
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.estimate == ours
    assert result.patients == endpoints.analysed(protocol.primary, protocol, data).sum() == (~np.isnan(values)).sum()
    assert "patients left out: not" in result.notes[0]


@pytest.mark.parametrize("measure", [False, True])
def test_the_rank_sum_is_scipys_and_the_shift_is_hodges_and_lehmanns(measure):
    from scipy.stats import mannwhitneyu

    protocol = protocol_of("wilcoxon", measure)
    data = drawn_trials(protocol, 1, 40)[0]
    values = outcome_of(protocol, data)
    first, second = (values[(data.arm == arm) & ~np.isnan(values)] for arm in (1, 0))
    theirs = mannwhitneyu(first, second, use_continuity=False, method="asymptotic")
    ours, _ = endpoints.primary(protocol.primary, protocol, data)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-11)
    assert ours.effect == pytest.approx(1 - theirs.statistic / (len(first) * len(second)), rel=1e-12)
    assert (ours.scale, ours.better, ours.null_value) == (Scale.WIN_PROBABILITY, "higher", 0.5)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.estimate == ours
    assert result.interval_name == "logit"
    assert ours.effect in result.comparisons[0].interval
    medians, shifts = result.tables
    assert [row[3] for row in medians.rows] == [np.median(second), np.median(first)]
    arm = np.where(np.isnan(values), -1, data.arm)
    found = hodges_lehmann(values, arm, level=protocol.confidence_level)
    assert shifts.rows[0][1:3] == (found.shift, found.interval)
    if not measure:
        exact = mannwhitneyu(first, second, use_continuity=True, method="asymptotic")
        assert shifts.rows[0][3] == pytest.approx(exact.pvalue, rel=1e-11)


def test_a_measure_is_adjusted_for_covariates_but_not_for_the_scales_baseline():
    protocol = protocol_of("ancova", True, analysis__covariates=["baseline", "age"], analysis__by_visit=[])
    data = drawn_trials(protocol, 1, 40)[0]
    theirs = ancova(data.measure("pressure").value, data.arm, data.covariates["age"])
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.estimate.effect == pytest.approx(theirs.estimate.effect, rel=1e-12)
    assert result.estimate.standard_error == pytest.approx(theirs.estimate.standard_error, rel=1e-12)
    (table,) = result.tables
    assert [row[4] for row in table.rows] == pytest.approx(theirs.adjusted_means.tolist())
    described = endpoints.describe(protocol.primary, protocol)
    assert "covariates age." in described.method
    assert (described.unit, described.measured) == ("mmHg", "systolic pressure")
    assert table.note == "In mmHg."


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_many_trials_equal_each_and_fail_for_the_same_reasons(method, measure):
    protocol = protocol_of(method, measure, analysis__covariates=["baseline", "age", "sex"])
    assert not assert_batch_is_each(protocol, drawn_trials(protocol, 40, 40)).failures
    whole = drawn_trials(protocol, 60, 12)
    trials = cut(whole, 3, 5)

    def known(data, values):
        if measure:
            return replace(data, measures={"pressure": Measured(values)})
        scores = data.scores.copy()
        scores[:, 3] = values
        return replace(data, scores=scores)

    trials[0] = known(trials[0], np.full(len(trials[0]), np.nan))
    trials[1] = known(trials[1], np.where(trials[1].arm == 1, np.nan, np.arange(len(trials[1]))))
    same = trials[2].baseline if not measure else np.full(len(trials[2]), 3.3)
    trials[2] = known(trials[2], same)
    trials[3] = known(trials[3], (0.0 if measure else trials[3].baseline) + 7.0 * trials[3].arm)
    trials[4] = trials[4].only(trials[4].arm == 0)
    trials[5] = whole[5]
    sex = np.where(np.arange(len(trials[5])) == 2, "unknown", trials[5].covariates["sex"])
    trials[5] = replace(trials[5], covariates=trials[5].covariates | {"sex": sex})
    many = assert_batch_is_each(protocol, trials)
    assert {0, 1, 2, 4} <= set(many.failures)
    assert (5 in many.failures) == (method == "ancova")
    assert (3 in many.failures) == (method != "wilcoxon")


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_plan_is_what_many_trials_show(method, measure):
    protocol = protocol_of(method, measure)
    planned = assert_plan_is_what_trials_show(protocol, bias=0.01 if method == "wilcoxon" else 0.1)
    assert planned.null_value == (0.5 if method == "wilcoxon" else 0.0)
    assert planned.better == ("higher" if method == "wilcoxon" else "lower")
    assert planned.favourable > 0


@pytest.mark.parametrize("method", METHODS)
def test_power_of_the_plan_is_what_simulation_shows(method):
    """A measure of equal spread, so that nothing but the method matters; 1,000 trials at one look."""
    arms = {"midazolam": 130.0, "ketamine": 124.0}
    laws = {
        f"scenarios__later-trials__arms__{arm}__measures": {"pressure": {"mean": mean, "sd": 14.0}}
        for arm, mean in arms.items()
    }
    protocol = edited(
        **laws | {f"scenarios__later-trials__arms__{arm}__dropout": 0.0 for arm in arms},
        measures=[PRESSURE],
        endpoints=[{"name": "outcome", "type": "mean", "role": "primary", "method": method, "measure": "pressure"}],
        analysis__covariates=[],
        analysis__by_visit=[],
        sample_size={"scenario": "later-trials", "power": 0.8},
        stopping={"alpha": 0.05, "sided": 2, "fractions": [1.0]},
    )
    planned = eq.plan(protocol)
    trials = drawn_trials(protocol, 1000, planned.patients)
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    null = planned.null_value
    power = (np.abs(found.effect - null) > 1.96 * found.standard_error).mean()
    assert power == pytest.approx(0.8, abs=0.045)


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_as_primary_it_is_planned_run_and_told(method, measure):
    protocol = protocol_of(method, measure, sample_size={"scenario": "later-trials", "patients": 80})
    result = eq.run(protocol, "later-trials", seed=3)
    assert result.conclusion is not None
    assert result.conclusion.observed == result.primary.estimate
    described = endpoints.describe(protocol.primary, protocol)
    assert described.method.endswith(".")
    words = {"ancova": "Analysis of covariance", "t": "variances pooled", "welch": "Welch", "wilcoxon": "Mann-Whitney"}
    assert words[method] in described.method
    for table in result.primary.tables:
        for row in table.rows:
            assert len(row) == len(table.columns)


def test_several_arms_are_compared_each_by_its_own_pair():
    protocol = edited(
        arms=[
            {"name": "midazolam", "role": "control"},
            {"name": "ketamine", "role": "experimental"},
            {"name": "esketamine", "role": "experimental"},
        ],
        allocation={"method": "simple", "ratio": {"midazolam": 1, "ketamine": 1, "esketamine": 1}},
        endpoints=[{"name": "outcome", "type": "mean", "role": "primary", "visit": "week2", "method": "welch"}],
        analysis__experimental="ketamine",
        scenarios={
            "later-trials": {
                "arms": {
                    name: {"mean": [40.0, 36.0, 35.0, mean], "sd": [7.0, 9.0, 10.0, 10.0], "dropout": 0.1}
                    for name, mean in (("midazolam", 35.0), ("ketamine", 33.0), ("esketamine", 30.0))
                }
            }
        },
        sample_size={"scenario": "later-trials", "patients": 90},
        stopping={"alpha": 0.05, "sided": 2, "fractions": [1.0]},
    )
    data = drawn_trials(protocol, 1, 90)[0]
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert [item.arm for item in result.comparisons] == ["ketamine", "esketamine"]
    from scipy.stats import ttest_ind

    change = data.at("week2") - data.baseline
    theirs = ttest_ind(change[data.arm == 2], change[data.arm == 0], equal_var=False, nan_policy="omit")
    assert result.comparisons[1].estimate.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert len(result.means) == 3
    assert_batch_is_each(protocol, drawn_trials(protocol, 10, 60))


def test_one_patient_in_an_arm_has_no_interval_of_her_mean():
    protocol = protocol_of("t")
    data = drawn_trials(protocol, 1, 40)[0]
    keep = (data.arm == 0) & ~np.isnan(data.at("week2"))
    keep[np.flatnonzero((data.arm == 1) & ~np.isnan(data.at("week2")))[0]] = True
    result = endpoints.estimate(protocol.primary, protocol, data.only(keep))
    lone = result.means[1]
    assert lone.patients == 1
    assert np.isnan(lone.standard_error)
    assert (lone.interval.lower, lone.interval.upper) == (-np.inf, np.inf)


@pytest.mark.parametrize("method", METHODS)
def test_data_without_the_measure_or_scenarios_without_its_law_are_refused(method):
    protocol = protocol_of(method, True)
    data = replace(drawn_trials(protocol, 1, 20)[0], measures={})
    with pytest.raises(InputError, match="a measure in the data; they have none"):
        endpoints.estimate(protocol.primary, protocol, data)
    with pytest.raises(InputError, match="'mean' and 'sd' in each arm"):
        endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "as-published"))


def without_third(protocol, number, patients=60):
    """Trials with a third arm whose patients were not seen at week 2, or has none."""
    found = []
    for at, data in enumerate(drawn_trials(protocol, number, patients)):
        arm = np.where(np.arange(len(data)) % 4 == 3, 2, data.arm)
        scores = np.where((arm == 2)[:, None] & (np.arange(data.scores.shape[1]) == 3), np.nan, data.scores)
        data = replace(data, arm_names=(*data.arm_names, "third"), arm=arm, scores=scores)
        found.append(data if at % 2 else data.only(arm < 2))
    return found


@pytest.mark.parametrize("method", METHODS)
def test_a_third_arm_without_patients_is_left_out(method):
    protocol = protocol_of(method)
    trials = without_third(protocol, 6)
    for data in trials:
        result = endpoints.estimate(protocol.primary, protocol, data)
        found, _ = endpoints.primary(protocol.primary, protocol, data)
        assert [item.arm for item in result.comparisons] == ["ketamine"]
        assert result.estimate == found
        pair = data.only(data.arm < 2)
        alone, _ = endpoints.primary(protocol.primary, protocol, replace(pair, arm_names=pair.arm_names[:2]))
        assert (found.effect, found.standard_error) == pytest.approx((alone.effect, alone.standard_error), rel=1e-12)
        (note,) = (note for note in result.notes if note.startswith("third: not compared; "))
        assert "patient" in note
        if method == "wilcoxon":
            assert result.tables[0].rows[2][1:] == (0, None, None, None)
            assert result.tables[1].rows[1][1:] == (None, None, None)
        else:
            assert result.means[2].patients == 0
            assert np.isnan(result.means[2].adjusted_mean)
        str(result)
    assert not assert_batch_is_each(protocol, [*trials, *drawn_trials(protocol, 3, 40)][:6]).failures
    none = trials[1].only(trials[1].arm != 1)
    with pytest.raises(InputError):
        endpoints.estimate(protocol.primary, protocol, none)


@pytest.mark.parametrize("method", METHODS)
def test_a_third_arm_without_the_measure_has_no_mean(method):
    protocol = protocol_of(method, True)
    data = drawn_trials(protocol, 1, 60)[0]
    arm = np.where(np.arange(60) % 4 == 3, 2, data.arm)
    measured = Measured(np.where(arm == 2, np.nan, data.measure("pressure").value))
    data = replace(data, arm_names=(*data.arm_names, "third"), arm=arm, measures={"pressure": measured})
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert len(result.comparisons) == 1
    row = result.tables[0].rows[2]
    assert row[1] == 0
    assert set(row[2:]) == {None}
    str(result)
