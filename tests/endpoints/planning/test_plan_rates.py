import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

import equipoise as eq
from equipoise.endpoints.binary.restricted_rates import contrast, contrast_variance, restricted_rates
from equipoise.endpoints.planning.plan_rates import Rates
from planning_reference import GSDESIGN_RATES, cases, check, gsdesign_rates_of, planned, rates_of

FIXED = eq.GroupSequential((1.0,), 0.025, 1, beta=0.1)
EXACT = [case for case in cases("rate") if case["inputs"].get("normal_approximation") is False]


@pytest.mark.parametrize("case", cases("rate"), ids=lambda case: case["id"])
def test_against_rpact(case):
    rates = rates_of(case["inputs"])
    check(planned(rates, case), case, skip=["critical_values_effect_scale"] if rates.test == "exact" else [])


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case["id"])
def test_exact_rejection_region_where_rpact_prints_the_normal_one(case):
    """rpact gives the normal test's critical value for the exact test; the binomial tail says what rejects."""
    size, wanted = case["expected"]["n_fixed"], case["expected"]["critical_values_effect_scale"]
    normal = Rates(0.35, margin=0.2).power(FIXED, size)
    np.testing.assert_allclose(normal.efficacy_effects, wanted, rtol=1e-6)
    events = round(float(rates_of(case["inputs"]).power(FIXED, size).efficacy_effects[0]) * size)
    assert stats.binom.sf(events - 1, size, 0.2) <= 0.025 < stats.binom.sf(events - 2, size, 0.2)


@pytest.mark.parametrize("case", GSDESIGN_RATES, ids=lambda case: case["id"])
def test_against_gsdesign(case):
    inputs, rates = case["inputs"], gsdesign_rates_of(case["inputs"])
    found = rates.sample_size(eq.GroupSequential((1.0,), inputs["alpha"], inputs["sided"], beta=inputs["beta"]))
    assert found.fixed_patients == pytest.approx(case["expected"]["n_total"], rel=1e-12)
    wanted = (case["expected"]["n_group1"], case["expected"]["n_group2"])
    assert found.per_arm == pytest.approx(wanted, rel=1e-12)


proportions = st.floats(0.02, 0.98)


@settings(max_examples=60, deadline=None)
@given(
    rate1=proportions,
    rate2=proportions,
    size2=st.floats(0.2, 5),
    null=st.floats(0.3, 3),
    measure=st.sampled_from(("difference", "ratio", "odds ratio")),
)
def test_restricted_rates_maximise_the_likelihood(rate1, rate2, size2, null, measure):
    null = 0.6 * math.log(null) if measure == "difference" else null
    first, second = restricted_rates(rate1, rate2, 1.0, size2, null, measure)
    assert 0 <= first <= 1
    assert 0 <= second <= 1
    if 0 < first < 1 and 0 < second < 1:
        assert contrast(first, second, null, measure) == pytest.approx(0, abs=1e-9)

    def partner(value):
        if measure == "difference":
            return value + null
        odds = null * value / (1 - value)
        return null * value if measure == "ratio" else odds / (1 + odds)

    def loss(value):
        other = partner(value)
        if not (0 < other < 1 and 0 < value < 1):
            return math.inf
        own = size2 * (rate2 * math.log(value) + (1 - rate2) * math.log1p(-value))
        return -own - rate1 * math.log(other) - (1 - rate1) * math.log1p(-other)

    low = max(0.0, -null) if measure == "difference" else 0.0
    high = min(1.0, 1 - null) if measure == "difference" else 1.0
    high = min(high, 1 / null) if measure == "ratio" else high
    best = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    assert loss(second) <= best.fun + 1e-12 * (1 + abs(best.fun))


@settings(max_examples=40, deadline=None)
@given(
    rate1=proportions,
    rate2=proportions,
    allocation=st.floats(0.2, 5),
    measure=st.sampled_from(("difference", "odds ratio")),
    power=st.floats(0.5, 0.99),
)
def test_power_at_the_size_and_counting_the_other_outcome(rate1, rate2, allocation, measure, power):
    """Responders or non-responders, one arm first or the other: the same trial."""
    assume(rate1 - rate2 > 0.02)
    rates = Rates(rate1, rate2, measure, allocation)
    found = rates.sample_size(FIXED, power)
    assert rates.power(FIXED, found.patients).power == pytest.approx(power, abs=1e-10)
    mirrored = Rates(1 - rate1, 1 - rate2, measure, allocation, better="lower").sample_size(FIXED, power)
    assert mirrored.per_arm == pytest.approx(found.per_arm, rel=1e-9)
    swapped = Rates(rate2, rate1, measure, 1 / allocation, better="lower").sample_size(FIXED, power)
    assert swapped.per_arm == pytest.approx(found.per_arm[::-1], rel=1e-9)
    if measure == "difference":
        np.testing.assert_allclose(mirrored.efficacy_effects, -found.efficacy_effects, rtol=1e-7)


@pytest.mark.parametrize("rates", [Rates(0.45, 0.3), Rates(0.5, 0.1), Rates(0.5, 0.35, "ratio", 0.25, 0.9)])
def test_group_sequential_size_misses_its_power_by_what_the_two_standard_errors_differ(rates):
    """Size multiplies both standard errors' parts by the inflation, power only that of the alternative: the drifts
    differ by z (sqrt(inflation) - 1) (s0 / s1 - 1). Both as rpact has them.
    """
    design = eq.GroupSequential((0.5, 1.0), 0.025, 1, eq.Pocock(), beta=0.1)
    found = rates.sample_size(design)
    _, null_error, error = rates._test(np.array(found.per_arm))
    inflation = found.patients / found.fixed_patients
    gap = stats.norm.isf(0.025) * (math.sqrt(inflation) - 1) * (null_error / error - 1)
    assert rates.power(design, found.patients).drift - found.drift == pytest.approx(gap, rel=1e-7)


@pytest.mark.parametrize(
    "rates",
    [
        Rates(0.45, 0.3),
        Rates(0.45, 0.3, "ratio", 2.0),
        Rates(0.2, 0.3, "odds ratio", better="lower"),
        Rates(0.8, 0.8, margin=-0.1),
    ],
    ids=lambda rates: rates.measure,
)
def test_power_by_enumeration_of_every_table(rates):
    """The exact power of the score test is near the formula, of which it is the limit."""
    size1, size2 = 240, round(240 / rates.allocation)
    sign = 1 if rates.better == "higher" else -1
    rejected = 0.0
    chance = [stats.binom.pmf(np.arange(n + 1), n, p) for n, p in ((size1, rates.experimental), (size2, rates.control))]
    likely = [np.flatnonzero(part > 1e-7) for part in chance]
    for first, second in itertools.product(*likely):
        observed = (first / size1, second / size2)
        fitted = restricted_rates(*observed, size1, size2, rates.null_value, rates.measure)
        error = math.sqrt(contrast_variance(*fitted, size1, size2, rates.null_value, rates.measure))
        z = sign * contrast(*observed, rates.null_value, rates.measure) / error
        rejected += chance[0][first] * chance[1][second] * (z >= stats.norm.isf(0.025))
    assert rates.power(FIXED, (size1, size2)).power == pytest.approx(rejected, abs=0.012)


@pytest.mark.parametrize("measure", ["difference", "ratio", "odds ratio"])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_critical_effects_are_rates_that_reach_the_bound(measure, better):
    design = eq.GroupSequential((0.4, 1.0), 0.05, 2, eq.Pocock(), beta=0.2)
    pair = (0.5, 0.3) if better == "higher" else (0.3, 0.5)
    rates = Rates(*pair, measure, better=better)
    found = rates.sample_size(design)
    for effects, sign in ((found.efficacy_effects, 1), (found.harm_effects, -1)):
        for z, effect, sizes in zip(found.efficacy_bounds, effects, found.cumulative_per_arm, strict=True):
            odds = effect * pair[1] / (1 - pair[1])
            rate = {"difference": pair[1] + effect, "ratio": pair[1] * effect, "odds ratio": odds / (1 + odds)}[measure]
            distance, null_error, _ = rates._test(sizes, rate)
            assert distance / null_error == pytest.approx(sign * z, rel=1e-9)


def test_a_bound_no_rate_reaches_is_the_limit_of_the_scale():
    design = eq.GroupSequential((0.05, 1.0), 0.025, 1, beta=0.1)
    for measure, limit in (("difference", 0.1), ("ratio", 1 / 0.9)):
        found = Rates(0.98, 0.9, measure).power(design, 200)
        assert found.efficacy_effects[0] == pytest.approx(limit)
    assert Rates(0.98, 0.9, "odds ratio").power(design, 200).efficacy_effects[0] > 1e10
    assert Rates(0.9, 0.98, "ratio", better="lower").power(design, 20).efficacy_effects[0] == 0


@pytest.mark.parametrize(("rate", "null", "better"), [(0.35, 0.2, "higher"), (0.65, 0.8, "lower")])
def test_exact_test_of_one_group_by_the_binomial_distribution(rate, null, better):
    rates = Rates(rate, margin=null, better=better, test="exact")
    sign = 1 if better == "higher" else -1
    powers = []
    for size in range(1, 130):
        events = np.arange(size + 1)
        tail = stats.binom.sf(events - 1, size, null) if sign > 0 else stats.binom.cdf(events, size, null)
        power = stats.binom.pmf(events, size, rate)[tail <= 0.025].sum()
        powers.append(power)
        if size % 16 == 0:
            assert rates.power(FIXED, size).power == pytest.approx(power, abs=1e-12)
    enough = np.array(powers) >= 0.8
    assert rates.sample_size(FIXED, 0.8).patients == np.flatnonzero(~enough)[-1] + 2 == 78
    first = Rates(rate, margin=null, better=better, test="exact", conservative=False).sample_size(FIXED, 0.8)
    assert first.patients == np.argmax(enough) + 1 == 72
    two_sided = rates.power(eq.GroupSequential((1.0,), 0.05, 2, beta=0.2), 78)
    assert two_sided.power == pytest.approx(powers[77], abs=1e-12)
    assert two_sided.power_either_direction - two_sided.power < 1e-3
    np.testing.assert_allclose(two_sided.efficacy_effects, 24 / 78 if sign > 0 else 54 / 78)
    lower = round(float(two_sided.harm_effects[0]) * 78)
    tails = (stats.binom.cdf, stats.binom.sf) if sign > 0 else (lambda k, n, p: stats.binom.sf(k - 1, n, p),) * 2
    assert tails[0](lower, 78, null) <= 0.025


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"experimental": 1.0}, "experimental"),
        ({"control": 0.0}, "control"),
        ({"control": None}, "margin"),
        ({"control": None, "margin": 0.2, "measure": "ratio"}, "measure"),
        ({"margin": 1.0}, "margin"),
        ({"margin": -1.0, "measure": "ratio"}, "margin"),
        ({"test": "exact"}, "test"),
        ({"measure": "log"}, "measure"),
    ],
)
def test_faults_are_named(arguments, field):
    with pytest.raises(eq.InputError) as caught:
        Rates(**({"experimental": 0.5, "control": 0.3} | arguments))
    assert caught.value.field == field


def test_impossible_questions_are_refused():
    with pytest.raises(eq.InputError, match="experimental"):
        Rates(0.3, 0.5).sample_size(FIXED)
    with pytest.raises(eq.InputError, match="one look"):
        Rates(0.35, margin=0.2, test="exact").sample_size(eq.GroupSequential((0.5, 1.0), 0.025, 1, beta=0.2))
    with pytest.raises(eq.InputError, match="whole patients"):
        Rates(0.35, margin=0.2, test="exact").power(FIXED, 33.5)


WRONG_NUMBERS = ["a", [[1.0]], np.array([0.5]), int, True, object(), 10**400, math.nan]


@pytest.mark.parametrize("value", WRONG_NUMBERS, ids=lambda value: str(type(value).__name__))
@pytest.mark.parametrize("name", ["experimental", "control", "measure", "allocation", "margin", "better", "test"])
def test_wrong_rates_are_named(name, value):
    with pytest.raises(eq.InputError) as error:
        Rates(**{"experimental": 0.6, "control": 0.4} | {name: value})  # pyright: ignore[reportArgumentType]
    assert error.value.field == name


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: Rates(None, 0.4), "experimental"),  # pyright: ignore[reportArgumentType]
        (lambda: Rates(0.6, 0.4, conservative="false"), "conservative"),  # pyright: ignore[reportArgumentType]
        (lambda: Rates(0.6, 0.4).power(FIXED, "a"), "patients"),  # pyright: ignore[reportArgumentType]
        (lambda: Rates(0.6, margin=0.4, test="exact").power(FIXED, "a"), "patients"),  # pyright: ignore[reportArgumentType]
        (lambda: Rates(0.6, margin=0.4, test="exact").sample_size(None), "design"),  # pyright: ignore[reportArgumentType]
        (lambda: Rates(0.500001, margin=0.5, test="exact").sample_size(FIXED), "experimental"),
    ],
)
def test_what_planning_rates_cannot_use_is_named(call, name):
    with pytest.raises(eq.InputError) as error:
        call()
    assert error.value.field == name


@pytest.mark.parametrize("conservative", [True, False])
@pytest.mark.parametrize(("rate", "null", "better"), [(0.52, 0.5, "higher"), (0.03, 0.035, "lower")])
def test_exact_size_is_that_of_a_scan_of_all_sizes(rate, null, better, conservative):
    rates = Rates(rate, margin=null, better=better, test="exact", conservative=conservative)
    size = int(rates.sample_size(FIXED).patients)
    sizes = np.arange(1, 2 * size)
    one, other = (null, rate) if better == "higher" else (1 - null, 1 - rate)
    first = stats.binom.isf(0.025, sizes, one) + 1
    enough = stats.binom.sf(first - 1, sizes, other) >= 0.9
    assert size == (np.flatnonzero(~enough)[-1] + 2 if conservative else np.argmax(enough) + 1)


def test_exact_size_of_a_million_patients():
    size = Rates(0.501, margin=0.5, test="exact").sample_size(FIXED, 0.8).patients
    assert size == pytest.approx(Rates(0.501, margin=0.5).sample_size(FIXED, 0.8).patients, rel=2e-3)
