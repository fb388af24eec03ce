import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import equipoise as eq
from equipoise.endpoints.planning.accrual import Accrual
from equipoise.endpoints.planning.plan_counts import Counts
from planning_reference import cases, check, counts_of, design_of

FIXED = eq.GroupSequential((1.0,), 0.025, 1, beta=0.1)
CASES = cases("count_negative_binomial")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_against_rpact(case):
    """rpact rounds each arm up; the sizes before that are its information over ours of one patient."""
    inputs, wanted, counts = case["inputs"], case["expected"], counts_of(case["inputs"])
    design = design_of(inputs["design"])
    found = counts.sample_size(design)
    assert counts.information(found.per_arm) == pytest.approx(wanted["max_information"], rel=1e-6)
    assert [math.ceil(count) for count in found.per_arm] == [wanted["max_n_group1"], wanted["max_n_group2"]]
    sizes = {"n_fixed", "n_fixed_group1", "n_fixed_group2", "max_n", "max_n_group1", "max_n_group2", "max_information"}
    looks = {"cumulative_n_per_look", "expected_n_h1", "critical_values_effect_scale", "information_per_look"}
    check(found, case, skip=sizes | looks)
    if design.looks == 1:
        rounded = counts.power(design, wanted["max_n"])
        np.testing.assert_allclose(rounded.efficacy_effects, wanted["critical_values_effect_scale"], rtol=1e-6)


def test_looks_in_calendar_time_against_rpact():
    """Whole patients of either arm who have come when the information of the look is there, and how many to expect."""
    case = next(case for case in CASES if case["id"] == "count_g3")
    wanted, counts = case["expected"], counts_of(case["inputs"])
    design = design_of(case["inputs"]["design"])
    planned = counts.sample_size(design)
    fractions = np.array(design.information)
    np.testing.assert_allclose(
        fractions * counts.information(planned.per_arm), wanted["information_per_look"], rtol=1e-6
    )
    times = np.array([counts.time_of(value, (74, 74)) for value in wanted["information_per_look"]])
    recruited = 2 * np.floor(74 * np.minimum(times / 12, 1))
    np.testing.assert_array_equal(recruited, wanted["cumulative_n_per_look"])
    stopped = planned.efficacy_probabilities.copy()
    stopped[-1] = 1 - stopped[:-1].sum()
    assert stopped @ recruited == pytest.approx(wanted["expected_n_h1"], rel=1e-8)


def test_critical_ratios_in_calendar_time_where_rpact_approximates():
    """rpact evaluates a bound with the exposures that the patients who have come by the look will have at the trial's
    end, times the information fraction: right at the last look; at the first, patients yet to come count twice. Given
    those exposures we find its numbers. Its last look differs from ours by its entry times, evenly spaced with one at 0
    and one at the end, where ours are uniform.
    """
    case = next(case for case in CASES if case["id"] == "count_g3")
    wanted, counts = case["expected"]["critical_values_effect_scale"], counts_of(case["inputs"])
    design = design_of(case["inputs"]["design"])
    at_the_end = 24 - np.linspace(0, 12, 74)
    everyone = Counts(0.3, 0.45, 0.6, tuple(at_the_end)).power(design, 148)
    np.testing.assert_allclose(everyone.efficacy_effects[1:], wanted[1:], rtol=1e-6)
    early = Counts(0.3, 0.45, 0.6, tuple(at_the_end[:47]))
    first = early.critical_effects(design.efficacy_bounds[:1], np.array([1 / 3]), np.array([47.0, 47.0]))
    np.testing.assert_allclose(first, wanted[:1], rtol=1e-6)
    own = counts.power(design, 148)
    assert own.efficacy_effects[2] == pytest.approx(wanted[2], rel=3e-5)
    for z, ratio, time in zip(design.efficacy_bounds, own.efficacy_effects, own.look_times, strict=True):
        reached = Counts(0.45 * ratio, 0.45, 0.6, accrual=12, follow_up=12).information((74, 74), time)
        assert -math.log(ratio) * math.sqrt(reached) == pytest.approx(z, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    rates=st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)),
    dispersion=st.floats(0, 3),
    exposure=st.floats(0.1, 3),
    allocation=st.floats(0.3, 3),
    null_variance=st.sampled_from(("control", "assumed", "restricted")),
)
def test_size_by_zhu_and_lakkis_formulas(rates, dispersion, exposure, allocation, null_variance):
    """Their closed forms for one exposure (section 2): variances of the three approaches, patients on control."""
    experimental, control = rates
    assume(abs(math.log(experimental / control)) > 0.02)
    better = "lower" if experimental < control else "higher"
    own = (1 / control + 1 / (allocation * experimental)) / exposure + (1 + allocation) * dispersion / allocation
    pooled = (control + allocation * experimental) / (1 + allocation)
    null = {
        "control": (1 + allocation) / (allocation * exposure * control) + (1 + allocation) * dispersion / allocation,
        "assumed": own,
        "restricted": (1 + allocation) / (allocation * exposure * pooled) + (1 + allocation) * dispersion / allocation,
    }[null_variance]
    z = stats.norm.isf(0.025), stats.norm.isf(0.1)
    on_control = ((z[0] * math.sqrt(null) + z[1] * math.sqrt(own)) / math.log(experimental / control)) ** 2
    counts = Counts(
        experimental,
        control,
        dispersion,
        exposure,
        allocation=allocation,
        better=better,
        null_variance=null_variance,
    )
    found = counts.sample_size(FIXED)
    assert found.per_arm == pytest.approx((allocation * on_control, on_control), rel=1e-9)
    assert counts.power(FIXED, found.patients).power == pytest.approx(0.9, abs=1e-10)
    if null_variance != "control":
        other = "lower" if better == "higher" else "higher"
        swapped = Counts(
            control,
            experimental,
            dispersion,
            exposure,
            allocation=1 / allocation,
            better=other,
            null_variance=null_variance,
        )
        assert swapped.sample_size(FIXED).per_arm == pytest.approx(found.per_arm[::-1], rel=1e-9)


@pytest.mark.parametrize("dispersion", [0.0, 1e-7, 1e-3, 0.6, 5.0])
def test_information_of_accrual_by_quadrature(dispersion):
    course = Accrual((0.0, 3.0, 8.0), (1.0, 4.0))
    counts = Counts(0.7, 1.1, dispersion, accrual=course, follow_up=2.0)
    density = course.rates / course.total
    for time in (0.5, 3.0, 5.5, 8.0, 10.0):
        total = []
        for rate, size in ((0.7, 40), (1.1, 60)):

            def per_patient(entry, rate=rate, time=time):
                mean = rate * max(time - entry, 0.0)
                return mean / (1 + dispersion * mean)

            parts = [(0.0, min(time, 3.0), density[0]), (3.0, min(max(time, 3.0), 8.0), density[1])]
            total.append(size * sum(share * integrate.quad(per_patient, a, b)[0] for a, b, share in parts))
        wanted = 1 / (1 / total[0] + 1 / total[1])
        assert counts.information((40, 60), time) == pytest.approx(wanted, rel=1e-8)
        assert counts.time_of(wanted, (40, 60)) == pytest.approx(time, rel=1e-7)
    assert counts.information((40, 60)) == pytest.approx(counts.information((40, 60), 10.0))


def test_long_follow_up_is_a_fixed_exposure():
    soon = Counts(0.5, 0.8, 0.4, accrual=1e-6, follow_up=2.0).sample_size(FIXED)
    fixed = Counts(0.5, 0.8, 0.4, 2.0).sample_size(FIXED)
    assert soon.patients == pytest.approx(fixed.patients, rel=1e-6)
    assert Counts(0.5, 0.8, 0.4, (2.0, 2.0, 2.0)).sample_size(FIXED).patients == pytest.approx(fixed.patients)


def test_restricted_rates_with_unequal_exposures_maximise_the_expected_likelihood():
    counts = Counts(0.9, 0.6, 0.8, (0.2, 1.0, 4.0), margin=1.3, better="higher", null_variance="restricted")
    first, second = counts._null_rates()
    assert first == pytest.approx(1.3 * second)
    times = np.array([0.2, 1.0, 4.0])

    def log_likelihood(rate):
        found = 0.0
        for true, fitted in ((0.9, 1.3 * rate), (0.6, rate)):
            mean = fitted * times
            found += (true * times * np.log(mean) - (true * times + 1 / 0.8) * np.log1p(0.8 * mean)).sum()
        return found

    assert all(log_likelihood(second) > log_likelihood(second * factor) for factor in (0.999, 1.001))


def test_power_by_simulation():
    """The Wald test with the dispersion known; an arm's sum of counts is itself negative binomial."""
    trials, sizes = 400_000, (150, 100)
    means, dispersion = (0.6, 1.0), 0.7
    draws = np.random.default_rng(41)
    fitted = [
        draws.negative_binomial(size / dispersion, 1 / (1 + dispersion * mean), trials) / size
        for size, mean in zip(sizes, means, strict=True)
    ]
    variance = sum((1 / rate + dispersion) / size for rate, size in zip(fitted, sizes, strict=True))
    power = (np.log(fitted[1] / fitted[0]) / np.sqrt(variance) >= stats.norm.isf(0.025)).mean()
    assert Counts(0.6, 1.0, 0.7, 1.0).power(FIXED, sizes).power == pytest.approx(power, abs=0.008)


def test_a_bound_no_ratio_reaches():
    design = eq.GroupSequential((0.05, 0.5, 1.0), 0.025, 1, beta=0.2)
    found = Counts(0.3, 0.5, 0.5, 1.0).power(design, 300)
    assert found.efficacy_effects[0] == 0
    assert 0 < found.efficacy_effects[1] < found.efficacy_effects[2] < 1
    upwards = Counts(0.5, 0.3, 0.5, 1.0, better="higher").power(design, 300)
    assert upwards.efficacy_effects[0] > upwards.efficacy_effects[1] > upwards.efficacy_effects[2] > 1
    two_sided = eq.GroupSequential((0.5, 1.0), 0.05, 2, eq.Pocock(), beta=0.2)
    both = Counts(0.3, 0.5, 0.5, 1.0).sample_size(two_sided)
    assert np.all(both.harm_effects > 1)


def test_prints_its_calendar():
    text = str(Counts(0.3, 0.45, 0.6, accrual=12, follow_up=12).sample_size(eq.GroupSequential((0.5, 1.0), beta=0.2)))
    assert "accrual over 12, follow-up 12" in text
    assert "24.00" in text


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"experimental": 0.0}, "experimental"),
        ({"dispersion": -0.1}, "dispersion"),
        ({"exposure": None}, "exposure"),
        ({"accrual": 3.0, "follow_up": 1.0}, "exposure"),
        ({"follow_up": 1.0}, "follow_up"),
        ({"exposure": None, "accrual": 3.0}, "follow_up"),
        ({"exposure": (1.0, 0.0)}, "exposure"),
        ({"exposure": None, "accrual": Accrual.open(3.0), "follow_up": 1.0}, "accrual"),
        ({"margin": 0.0}, "margin"),
        ({"null_variance": "pooled"}, "null_variance"),
    ],
)
def test_faults_are_named(arguments, field):
    with pytest.raises(eq.InputError) as caught:
        Counts(**({"experimental": 0.3, "control": 0.5, "exposure": 1.0} | arguments))
    assert caught.value.field == field


def test_impossible_questions_are_refused():
    with pytest.raises(eq.InputError, match="experimental"):
        Counts(0.6, 0.5, 0.5, 1.0).sample_size(FIXED)
    with pytest.raises(eq.InputError, match="information"):
        Counts(0.3, 0.5, 0.5, accrual=2.0, follow_up=1.0).time_of(1e6, (50, 50))
    with pytest.raises(eq.InputError, match="accrual"):
        Counts(0.3, 0.5, 0.5, 1.0).time_of(1.0, (50, 50))


WRONG_NUMBERS = ["a", [[1.0]], np.array([0.5]), int, True, object(), 10**400, math.nan]


@pytest.mark.parametrize("value", WRONG_NUMBERS, ids=lambda value: str(type(value).__name__))
@pytest.mark.parametrize(
    "name", ["experimental", "control", "dispersion", "allocation", "margin", "better", "null_variance"]
)
def test_wrong_counts_are_named(name, value):
    with pytest.raises(eq.InputError) as error:
        Counts(**{"experimental": 0.6, "control": 1.0, "exposure": 1.0} | {name: value})  # pyright: ignore[reportArgumentType]
    assert error.value.field == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"dispersion": None, "exposure": 1.0}, "dispersion"),
        ({"exposure": "long"}, "exposure"),
        ({"exposure": [[1.0]]}, "exposure"),
        ({"exposure": (1.0, "2")}, "exposure"),
        ({"accrual": 12, "follow_up": "a"}, "follow_up"),
        ({"accrual": "a", "follow_up": 1}, "accrual"),
    ],
)
def test_wrong_times_of_counts_are_named(given, name):
    with pytest.raises(eq.InputError) as error:
        Counts(0.6, 1.0, **given)
    assert error.value.field == name
