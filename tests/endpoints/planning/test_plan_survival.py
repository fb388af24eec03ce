import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.endpoints.planning.accrual import Accrual, expected_events
from equipoise.endpoints.planning.event_formulas import FORMULAS
from equipoise.endpoints.planning.event_times import PiecewiseExponential, Weibull
from equipoise.endpoints.planning.plan_survival import Survival
from equipoise.errors import InputError
from equipoise.sequential import GroupSequential, HwangShihDeCaniSpending, OBrienFlemingSpending, Pocock
from reference_values import reference_cases

# under no effect Bernstein & Lagakos keep control's hazard, so that it matters which arm is control
SYMMETRIC = [formula for formula in FORMULAS if formula != "bernstein-lagakos"]
MONTHLY = math.log(2) / 12
FIXED = GroupSequential((1.0,), 0.025, 1, beta=0.2)
THREE = GroupSequential((0.3, 0.65, 1.0), 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1)
TWO_SIDED = GroupSequential((0.5, 1.0), 0.05, 2, Pocock(), beta=0.2)
DESIGNS = [FIXED, THREE, TWO_SIDED]
UNIFORM = Survival(MONTHLY, Accrual.uniform(12), 0.7, follow_up=6, dropout=(0.005, 0.01))


def test_weibull_hazard_ratio_is_not_the_ratio_of_the_rates():
    case = next(case for case in reference_cases("sample_size") if case["id"] == "surv_f1_weibull")
    given, expected = case["inputs"], case["expected"]
    control, ratio = Weibull(given["control_hazard"], given["weibull_shape"]), given["hazard_ratio"]
    theirs = Weibull(expected["lambda1"][0], given["weibull_shape"])
    times = np.array([5.0, 18.0])
    hazard_ratio = np.log1p(-theirs.probability(times)) / np.log1p(-control.probability(times))
    np.testing.assert_allclose(hazard_ratio, ratio**1.5, rtol=1e-12)
    assumed = Survival(control, Accrual.uniform(12), experimental=theirs, follow_up=6)
    assert assumed.effect == pytest.approx(ratio**1.5, rel=1e-14)
    found = Survival(control, Accrual.uniform(12), ratio, follow_up=6).sample_size(FIXED)
    assert found.maximum_events == pytest.approx(expected["events_fixed"], rel=1e-12)
    assert found.patients == pytest.approx(1456.455429997287, rel=1e-9)
    assert found.patients < 0.94 * expected["n_fixed"]


def test_a_fixed_plan_is_the_textbook_formula():
    # Schoenfeld 1981: 4 (1.959964 + 0.841621)^2 / log(0.7)^2
    assert UNIFORM.sample_size(FIXED).maximum_events == pytest.approx(246.7871045473584, rel=1e-12)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("design", DESIGNS, ids=["fixed", "three", "two-sided"])
@pytest.mark.parametrize("power", [None, 0.6, 0.97])
def test_power_at_the_size_found_is_the_power_asked(formula, design, power):
    assumed = replace(UNIFORM, formula=formula, allocation=1.5)
    asked = 1 - design.beta if power is None else power
    found = assumed.sample_size(design, power)
    assert found.power == pytest.approx(asked, abs=1e-10)
    assert assumed.power(design, patients=found.patients).power == pytest.approx(asked, abs=1e-10)
    assert assumed.power(design, events=found.maximum_events).power == pytest.approx(asked, abs=1e-10)
    assert assumed.power(design, events=found.maximum_events).patients == pytest.approx(found.patients, rel=1e-10)


@pytest.mark.parametrize("formula", ["schoenfeld", "lachin-foulkes"])
def test_however_accrual_is_told_the_trial_is_the_same(formula):
    assumed = replace(UNIFORM, formula=formula)
    scaled = assumed.sample_size(THREE)
    rate = float(scaled.accrual.rates[0])
    longer = replace(assumed, accrual=Accrual.open(rate)).sample_size(THREE)
    followed = replace(assumed, accrual=scaled.accrual, follow_up=None).sample_size(THREE)
    counted = replace(assumed, follow_up=None).sample_size(THREE, patients=scaled.patients)
    ended = replace(assumed, accrual=Accrual.open(rate), follow_up=None).sample_size(THREE, patients=scaled.patients)
    for other in (longer, followed, counted, ended):
        assert other.accrual.end == pytest.approx(12, rel=1e-9)
        assert other.follow_up == pytest.approx(6, rel=1e-9)
        for name in ("events", "cumulative_patients", "analysis_times", "events_per_arm"):
            np.testing.assert_allclose(getattr(other, name), getattr(scaled, name), rtol=1e-9, err_msg=name)


def test_the_look_comes_when_its_events_are_expected():
    found = UNIFORM.sample_size(THREE)
    np.testing.assert_allclose(found.events_per_arm.sum(axis=1), found.events, rtol=1e-12)
    for arm, (law, rate) in enumerate(zip(UNIFORM.laws, UNIFORM.dropout, strict=True)):
        one_arm = found.accrual.scaled(UNIFORM.shares[arm])
        expected = expected_events(found.analysis_times, one_arm, law, rate)
        np.testing.assert_allclose(found.events_per_arm[:, arm], expected, rtol=1e-12)
    assert np.all(np.diff(found.analysis_times) > 0)
    # without effect more of the experimental arm have events, so the same number comes sooner
    assert np.all(found.no_effect.analysis_times < found.half_effect.analysis_times)
    assert np.all(found.half_effect.analysis_times < found.analysis_times)


@pytest.mark.parametrize("design", DESIGNS, ids=["fixed", "three", "two-sided"])
def test_expected_events_are_the_designs_expected_information(design):
    found = UNIFORM.sample_size(design)
    for truth, drift in (
        (found.no_effect, 0),
        (found.half_effect, design.drift / 2),
        (found.full_effect, design.drift),
    ):
        assert truth.events == pytest.approx(design.expected_information(drift) * found.maximum_events, rel=1e-12)
        assert truth.power == pytest.approx(design.power(drift), abs=1e-14)
        assert truth.stopping.sum() == pytest.approx(1, abs=1e-14)
        assert truth.patients <= found.patients * (1 + 1e-12)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.4, 0.9), st.floats(0.3, 3.0), st.floats(1.0, 1.5), st.sampled_from(SYMMETRIC))
def test_the_trial_turned_round_needs_as_many(ratio, allocation, margin, formula):
    margin = 1.0 if "freedman" in formula else margin
    accrual = Accrual.uniform(12)
    one = Survival(0.05, accrual, ratio, follow_up=6, margin=margin, allocation=allocation, formula=formula)
    other = Survival(
        0.05 * ratio, accrual, 1 / ratio, follow_up=6, margin=1 / margin, better="higher", allocation=1 / allocation
    )
    other = replace(other, formula=formula)
    first, second = one.sample_size(THREE), other.sample_size(THREE)
    assert second.maximum_events == pytest.approx(first.maximum_events, rel=1e-9)
    assert second.patients == pytest.approx(first.patients, rel=1e-9)
    np.testing.assert_allclose(second.efficacy_hazard_ratios, 1 / first.efficacy_hazard_ratios, rtol=1e-9)


def test_more_of_anything_good_needs_fewer():
    sizes = [replace(UNIFORM, follow_up=after).sample_size(THREE).patients for after in (0, 3, 6, 24, 120)]
    assert np.all(np.diff(sizes) < 0)
    sizes = [replace(UNIFORM, dropout=loss).sample_size(THREE).patients for loss in (0.0, 0.01, 0.1)]
    assert np.all(np.diff(sizes) > 0)
    sizes = [replace(UNIFORM, hazard_ratio=ratio).sample_size(THREE).patients for ratio in (0.5, 0.7, 0.9)]
    assert np.all(np.diff(sizes) > 0)
    powers = [UNIFORM.power(THREE, patients=n).power for n in (50, 200, 600, 2000)]
    assert np.all(np.diff(powers) > 0)
    everyone = replace(UNIFORM, dropout=0.0, follow_up=5000.0).sample_size(THREE)
    assert everyone.patients == pytest.approx(everyone.maximum_events, rel=1e-12)


def test_hazards_of_both_arms_tell_the_ratio():
    pieces = PiecewiseExponential((0.03, 0.05, 0.0), (6, 14))
    both = Survival(pieces, Accrual.uniform(12), experimental=pieces.scaled(0.7), follow_up=6)
    assert both.effect == pytest.approx(0.7, rel=1e-14)
    assert both.sample_size(THREE).patients == pytest.approx(
        Survival(pieces, Accrual.uniform(12), 0.7, follow_up=6).sample_size(THREE).patients, rel=1e-12
    )
    assert Survival(0.05, Accrual.uniform(12), experimental=0.03, follow_up=6).effect == pytest.approx(0.6)
    delayed = PiecewiseExponential((0.05, 0.03), (4,))
    told = Survival(0.05, Accrual.uniform(12), 0.7, delayed, follow_up=6).sample_size(THREE)
    assert told.maximum_events == pytest.approx(UNIFORM.sample_size(THREE).maximum_events, rel=1e-12)
    with pytest.raises(InputError, match="proportion"):
        Survival(0.05, Accrual.uniform(12), experimental=delayed)


def test_a_last_look_may_come_before_accrual_ends():
    found = Survival(0.3, Accrual.uniform(24), 0.5).sample_size(FIXED, patients=400)
    assert found.duration < 24
    assert found.follow_up == 0
    assert found.patients == pytest.approx(400 * found.duration / 24)


def test_power_of_the_wrong_direction():
    harmful = replace(UNIFORM, hazard_ratio=1.3)
    assert harmful.power(THREE, patients=600).power < 1e-3
    with pytest.raises(InputError, match="below the margin"):
        harmful.sample_size(THREE)
    assert replace(harmful, formula="lachin-foulkes").power(FIXED, patients=600).power < 1e-3
    with pytest.raises(InputError, match="more events"):
        replace(harmful, formula="lachin-foulkes").power(THREE, patients=600)


def test_events_that_never_come_are_said_so():
    assumed = Survival(0.02, Accrual.uniform(12), 1.4, better="higher", dropout=0.02)
    found = assumed.power(THREE, patients=300, events=160)
    assert math.isinf(found.no_effect.analysis_times[-1])
    assert math.isinf(found.no_effect.duration)
    assert found.to_dict()["no_effect"]["duration"] is None
    assert found.no_effect.patients <= 300
    assert "inf" in str(found)


def test_tables():
    found = UNIFORM.sample_size(THREE)
    assert json.loads(json.dumps(found.to_dict()))["patients"] == found.patients
    assert found.rounded_events == math.ceil(found.maximum_events)
    assert sum(found.rounded_per_arm) >= found.patients
    assert found.to_frame().height == 3
    text = str(found)
    assert text.startswith("Hazard ratio 0.7, lower is better; 1 : 1; formula of Schoenfeld")
    assert "Power 0.9000" in text
    assert "futility HR" in text
    assert len(str(UNIFORM.sample_size(FIXED)).splitlines()) == len(text.splitlines()) - 2
    assert "harm HR" in repr(UNIFORM.sample_size(TWO_SIDED))
    assert UNIFORM.sample_size(TWO_SIDED).harm_hazard_ratios[0] > 1


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: replace(UNIFORM, hazard_ratio=0.0), "hazard_ratio"),
        (lambda: replace(UNIFORM, hazard_ratio=None), "hazard_ratio"),
        (lambda: replace(UNIFORM, margin=math.nan), "margin"),
        (lambda: replace(UNIFORM, allocation=-1), "allocation"),
        (lambda: replace(UNIFORM, follow_up=-1), "follow_up"),
        (lambda: replace(UNIFORM, dropout=-0.1), "dropout"),
        (lambda: replace(UNIFORM, dropout=(0.1, 0.1, 0.1)), "dropout"),
        (lambda: replace(UNIFORM, better="less"), "better"),
        (lambda: replace(UNIFORM, formula="cox"), "formula"),
        (lambda: replace(UNIFORM, accrual=12), "accrual"),
        (lambda: replace(UNIFORM, control=0.0), "control"),
        (lambda: replace(UNIFORM, control="fast"), "control"),
        (lambda: replace(UNIFORM, formula="freedman", margin=1.2), "margin"),
        (lambda: replace(UNIFORM, follow_up=None).sample_size(THREE), "follow_up"),
        (lambda: replace(UNIFORM, accrual=Accrual.uniform(12, 500)).sample_size(THREE), "follow_up"),
        (lambda: replace(UNIFORM, follow_up=None).sample_size(THREE, patients=200), "patients"),
        (lambda: UNIFORM.sample_size(GroupSequential((1.0,), 0.025, 1)), "power"),
        (lambda: UNIFORM.power(THREE), "patients"),
        (lambda: UNIFORM.power(THREE, events=0), "events"),
        (lambda: UNIFORM.power(THREE, patients=200, events=300), "patients"),
    ],
)
def test_what_cannot_be_used_is_named(build, field):
    with pytest.raises(InputError) as error:
        build()
    assert error.value.field == field


WRONG_NUMBERS = ["a", [[1.0]], np.array([0.5]), int, True, object(), 10**400, math.nan]


@pytest.mark.parametrize("value", WRONG_NUMBERS, ids=lambda value: str(type(value).__name__))
@pytest.mark.parametrize(
    "name",
    [
        "control",
        "accrual",
        "hazard_ratio",
        "experimental",
        "follow_up",
        "dropout",
        "margin",
        "better",
        "allocation",
        "formula",
    ],
)
def test_wrong_survival_are_named(name, value):
    with pytest.raises(InputError) as error:
        Survival(
            **{"control": 0.1, "accrual": Accrual.uniform(12), "hazard_ratio": 0.7, "follow_up": 6} | {name: value}
        )
    assert error.value.field == name


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: UNIFORM.sample_size(None), "design"),  # pyright: ignore[reportArgumentType]
        (lambda: UNIFORM.power(THREE, patients="a"), "patients"),  # pyright: ignore[reportArgumentType]
        (lambda: UNIFORM.power(THREE, events="a"), "events"),  # pyright: ignore[reportArgumentType]
        (lambda: UNIFORM.expected_events("a"), "time"),
        (lambda: Accrual.uniform("a"), "duration"),  # pyright: ignore[reportArgumentType]
        (lambda: Accrual.uniform(12, "a"), "patients"),  # pyright: ignore[reportArgumentType]
        (lambda: Accrual.open(None), "intensity"),  # pyright: ignore[reportArgumentType]
        (lambda: Accrual("a"), "breaks"),  # pyright: ignore[reportArgumentType]
        (lambda: Accrual((0, 12), ("a",)), "intensities"),  # pyright: ignore[reportArgumentType]
        (lambda: Accrual((0, 12), (1,), "false"), "relative"),  # pyright: ignore[reportArgumentType]
        (lambda: Weibull("a", 1), "rate"),  # pyright: ignore[reportArgumentType]
        (lambda: Weibull(1, None), "shape"),  # pyright: ignore[reportArgumentType]
        (lambda: PiecewiseExponential("a"), "hazards"),  # pyright: ignore[reportArgumentType]
        (lambda: PiecewiseExponential((1, 2), "a"), "breaks"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_wrong_courses_of_survival_are_named(call, name):
    with pytest.raises(InputError) as error:
        call()
    assert error.value.field == name
