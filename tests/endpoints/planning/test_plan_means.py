import dataclasses
import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import equipoise as eq
from equipoise.endpoints.planning.plan_means import Means
from planning_reference import T_TESTS, cases, check, means_of, planned

FIXED = eq.GroupSequential((1.0,), 0.025, 1, beta=0.1)
THREE = eq.GroupSequential((0.3, 0.65, 1.0), 0.025, 1, futility=eq.HwangShihDeCaniSpending(-2), beta=0.1)


@pytest.mark.parametrize("case", cases("mean"), ids=lambda case: case["id"])
def test_against_rpact(case):
    check(planned(means_of(case["inputs"]), case), case)


@pytest.mark.parametrize("case", T_TESTS, ids=lambda case: case["id"])
def test_against_power_t_test_of_r(case):
    """R's own root finding leaves 3e-7 of the size; its `strict` adds the wrong direction."""
    inputs, wanted = case["inputs"], case["expected"]
    means = Means(inputs["delta"], inputs["sd"], groups=inputs["groups"])
    sided = 2 if inputs["alternative"] == "two.sided" else 1
    design = eq.GroupSequential((1.0,), inputs["alpha"], sided, beta=0.5)
    found = means.power(design, inputs["groups"] * wanted["n_per_group"])
    power = found.power_either_direction if inputs["strict_both_tails"] else found.power
    assert power == pytest.approx(wanted["power"], rel=1e-6)
    if inputs["problem"] == "sample_size":
        size = means.sample_size(design, wanted["power"])
        assert size.fixed_patients == pytest.approx(inputs["groups"] * wanted["n_per_group"], rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    effect=st.floats(0.05, 4),
    allocation=st.floats(0.2, 5),
    power=st.floats(0.3, 0.999),
    groups=st.sampled_from((1, 2)),
    test=st.sampled_from(("t", "normal")),
)
def test_fixed_size_has_the_power_and_the_arms_may_be_swapped(effect, allocation, power, groups, test):
    means = Means(effect, 1.3, allocation, groups=groups, test=test)
    found = means.sample_size(FIXED, power)
    if found.patients > groups + 0.01:
        assert means.power(FIXED, found.patients).power == pytest.approx(power, abs=1e-9)
    swapped = Means(-effect, 1.3, 1 / allocation, better="lower", groups=groups, test=test).sample_size(FIXED, power)
    assert swapped.per_arm == pytest.approx(found.per_arm[::-1], rel=1e-9)
    np.testing.assert_allclose(swapped.efficacy_effects, -found.efficacy_effects, rtol=1e-8)


def test_normal_group_sequential_size_has_the_power_exactly():
    means = Means(2.0, 5.0, 2.0, margin=-0.5, test="normal")
    found = means.sample_size(THREE)
    back = means.power(THREE, found.patients)
    assert back.power == pytest.approx(0.9, abs=1e-9)
    assert back.expected_patients == pytest.approx(found.expected_patients, rel=1e-9)
    other = means.sample_size(THREE, 0.75)
    assert means.power(THREE, other.patients).power == pytest.approx(0.75, abs=1e-9)


@pytest.mark.parametrize("effect", [0.25, 0.5, 1.0])
def test_t_group_sequential_size_is_a_little_more_than_its_power_takes(effect):
    """By how much, Guenther (1981, Am Stat 35:243) says to the first order in 1 / n: the t test costs z^2 / 2 patients,
    which inflation multiplies though they are the same in any design.
    """
    means = Means(effect, 1.2)
    found = means.sample_size(THREE)
    gap = means.power(THREE, found.patients).drift - found.drift
    surplus = (stats.norm.isf(0.025) ** 2 / 2) * (found.patients / found.fixed_patients - 1)
    known = Means(effect, 1.2, test="normal").sample_size(THREE)
    assert gap == pytest.approx(known.drift * surplus / known.patients / 2, rel=5 / known.patients)


def test_t_power_by_simulation():
    trials, sizes, effect = 400_000, (9, 6), 1.4
    draws = np.random.default_rng(20261123)
    mean = draws.normal(effect, 1 / 3, trials) - draws.normal(0, 1 / math.sqrt(6), trials)
    variance = draws.chisquare(13, trials) / 13
    t = mean / np.sqrt(variance * (1 / 9 + 1 / 6))
    power = (t >= stats.t.ppf(0.975, 13)).mean()
    assert Means(effect, 1.0).power(FIXED, sizes).power == pytest.approx(power, abs=4 * math.sqrt(0.25 / trials))


def test_group_sequential_t_power_by_simulation():
    """p-values of the t test against the bounds' tail probabilities; 60 patients, two looks."""
    trials, effect = 100_000, 0.75
    design = eq.GroupSequential((0.5, 1.0), 0.025, 1, beta=0.2)
    draws = np.random.default_rng(7)
    stopped = np.zeros(trials, dtype=bool)
    stages = [[draws.normal(shift, 1, (trials, 15)) for shift in (effect, 0.0)] for _ in range(2)]
    for look in range(2):
        arms = [np.concatenate([stage[arm] for stage in stages[: look + 1]], axis=1) for arm in (0, 1)]
        pooled = (arms[0].var(axis=1, ddof=1) + arms[1].var(axis=1, ddof=1)) / 2
        size = arms[0].shape[1]
        t = (arms[0].mean(axis=1) - arms[1].mean(axis=1)) / np.sqrt(2 * pooled / size)
        stopped |= stats.t.sf(t, 2 * size - 2) <= stats.norm.sf(design.efficacy_bounds[look])
    assert Means(effect, 1.0).power(design, 60).power == pytest.approx(stopped.mean(), abs=0.004)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 2 / 3, 1.37])
def test_whole_patients_keep_the_allocation_and_the_power(ratio):
    means = Means(1.0, 2.0, ratio)
    found = means.sample_size(FIXED)
    whole = found.rounded_per_arm
    assert all(count >= exact for count, exact in zip(whole, found.per_arm, strict=True))
    assert means.power(FIXED, whole).power >= 0.9
    if ratio != 1.37:
        assert whole[0] == pytest.approx(ratio * whole[1])
    smaller = means.power(FIXED, tuple(count - 2 for count in whole) if ratio == 1 else (whole[0] - 3, whole[1] - 2))
    assert smaller.power < 0.9


def test_critical_effects_are_estimates_that_reach_the_bound():
    found = Means(3.0, 5.0, 2.0, margin=-1.0, better="higher").sample_size(THREE)
    for z, effect, arms in zip(found.efficacy_bounds, found.efficacy_effects, found.cumulative_per_arm, strict=True):
        error = 5.0 * math.sqrt((1 / arms).sum())
        estimate = eq.Estimate(effect, error, float(arms.sum()) - 2, null_value=-1.0)
        assert estimate.favourable_z == pytest.approx(z, rel=1e-9)
    np.testing.assert_allclose(found.futility_effects[-1], found.efficacy_effects[-1])
    none = Means(3.0, 5.0, groups=1).power(eq.GroupSequential((0.01, 1.0), 0.025, 1), 50)
    assert math.isinf(none.efficacy_effects[0])


def test_power_does_not_break_far_out():
    powers = [Means(effect, 1.0).power(FIXED, 40).power for effect in np.linspace(-6, 12, 60)]
    assert all(0 <= power <= 1 for power in powers)
    assert all(later >= earlier - 1e-12 for earlier, later in itertools.pairwise(powers))
    drifts = [Means(effect, 1.0).power(FIXED, 40).drift for effect in np.linspace(2.2, 3.2, 50)]
    assert all(later > earlier for earlier, later in itertools.pairwise(drifts))


@dataclasses.dataclass
class OneLook:
    """A rule that is not ours: the least that planning asks for."""

    level: float = 0.05
    sided: int = 1
    beta: float | None = None
    information: tuple[float, ...] = (1.0,)
    futility_bounds: None = None

    @property
    def efficacy_bounds(self):
        return np.array([stats.norm.isf(self.level)])

    def power(self, drift):
        return stats.norm.cdf(drift - self.efficacy_bounds[0])

    def exit_probabilities(self, drift):
        return dataclasses.make_dataclass("Exits", ("upper", "lower", "futility"))(
            np.array([self.power(drift)]), None, None
        )


def test_any_rule_will_do():
    found = Means(0.5, 1.0, test="normal").sample_size(OneLook(), 0.8)
    assert found.patients == pytest.approx(16 * (stats.norm.isf(0.05) + stats.norm.ppf(0.8)) ** 2, rel=1e-10)
    with pytest.raises(eq.InputError, match="power is None"):
        Means(0.5, 1.0).sample_size(OneLook())


def test_prints_and_becomes_json():
    found = Means(0.5, 1.2).sample_size(THREE)
    text = str(found)
    assert "260 patients (130 experimental, 130 control)" in text
    assert "Expected patients 153.3 under no effect" in text
    table = json.loads(json.dumps(found.to_dict()))
    assert table["patients"] == pytest.approx(259.5598071736108, rel=1e-6)
    assert table["expected_patients"]["assumed"] == found.expected_patients[2]
    assert found.to_frame().height == 3
    assert "one group" in str(Means(0.5, 1.2, groups=1).sample_size(FIXED))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"standard_deviation": 0.0}, "standard_deviation"),
        ({"effect": math.nan}, "effect"),
        ({"allocation": -1.0}, "allocation"),
        ({"groups": 3}, "groups"),
        ({"better": "more"}, "better"),
        ({"test": "z"}, "test"),
        ({"measure": "ratio", "groups": 1}, "measure"),
        ({"measure": "ratio", "margin": -0.2}, "margin"),
    ],
)
def test_faults_are_named(arguments, field):
    with pytest.raises(eq.InputError) as caught:
        Means(**({"effect": 1.0, "standard_deviation": 1.0} | arguments))
    assert caught.value.field == field


def test_impossible_questions_are_refused():
    with pytest.raises(eq.InputError, match=r"effect is 0\.5"):
        Means(0.5, 1.0, better="lower").sample_size(FIXED)
    with pytest.raises(eq.InputError, match=r"power is 0\.01"):
        Means(0.5, 1.0).sample_size(FIXED, 0.01)
    with pytest.raises(eq.InputError, match="patients"):
        Means(0.5, 1.0).power(FIXED, (10, 20, 30))
    with pytest.raises(eq.InputError, match="patients"):
        Means(0.5, 1.0).power(FIXED, 2)


WRONG_NUMBERS = ["a", [[1.0]], np.array([0.5]), int, True, object(), 10**400, math.nan]


@pytest.mark.parametrize("value", WRONG_NUMBERS, ids=lambda value: str(type(value).__name__))
@pytest.mark.parametrize(
    "name", ["effect", "standard_deviation", "allocation", "margin", "better", "groups", "measure", "test"]
)
def test_wrong_means_are_named(name, value):
    with pytest.raises(eq.InputError) as error:
        Means(**{"effect": 5.0, "standard_deviation": 12.0} | {name: value})  # pyright: ignore[reportArgumentType]
    assert error.value.field == name


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda rule: Means(5, 12).power(rule, "a"), "patients"),
        (lambda rule: Means(5, 12).power(rule, (1, 2, 3)), "patients"),
        (lambda rule: Means(5, 12).power(rule, None), "patients"),
        (lambda rule: Means(5, 12).power(type(rule), 100), "design"),
        (lambda rule: Means(5, 12).sample_size(None), "design"),
        (lambda rule: Means(5, 12).sample_size(rule, "a"), "power"),
        (lambda rule: Means(5, 12).sample_size(rule, True), "power"),
        (lambda rule: Means(1e-9, 12).sample_size(rule), "effect"),
        (lambda rule: Means(1e30, 1e-30).sample_size(rule), "effect"),
    ],
)
def test_what_planning_cannot_use_is_named(call, name):
    with pytest.raises(eq.InputError) as error:
        call(eq.GroupSequential((1.0,), 0.025, 1, beta=0.2))
    assert error.value.field == name


def test_any_real_number_will_do_and_is_kept_as_a_float():
    means = Means(np.int64(5), Fraction(12), groups=2.0)  # pyright: ignore[reportArgumentType]
    assert means == Means(5.0, 12.0)
    assert [type(part) for part in (means.effect, means.standard_deviation, means.groups)] == [float, float, int]


def test_huge_and_tiny_effects():
    """A few patients suffice for any huge effect, fewer the larger; a tiny one takes as many as the normal test."""
    rule = eq.GroupSequential((1.0,), 0.025, 1, beta=0.2)
    sizes = [Means(effect, 1).sample_size(rule).patients for effect in (30.0, 69.0, 72.0, 1e3, 1e6, 1e10, 1e30)]
    assert all(2 < later < former for former, later in itertools.pairwise(sizes))
    for effect in (1e-3, 1e-6):
        normal = Means(effect, 1, test="normal").sample_size(rule).patients
        assert Means(effect, 1).sample_size(rule).patients == pytest.approx(normal, rel=2e-7)
