"""Scales of futility bounds: reference values, inversion, order, and bounds of designs given on them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from after_stopping_reference import CASES
from equipoise.errors import InputError
from equipoise.sequential import FixedBounds, GroupSequential, OBrienFlemingSpending
from equipoise.sequential.conditional_power import reverse_conditional_power
from equipoise.sequential.futility_scales import SCALES, on_scale, z_bound

CONVERSIONS = [case for case in CASES if case["inputs"]["endpoint"] == "futility_scale_conversion"]
TIMES = np.array([0.2, 0.45, 0.7, 1.0])
UPPER = np.array([np.inf, 2.9, 2.4, 2.02])
DRIFT = 3.3
POWERS = ("conditional power", "conditional power at trend", "predictive power")


@pytest.mark.parametrize("case", CONVERSIONS, ids=[case["id"] for case in CONVERSIONS])
def test_conversions_against_rpact(case):
    design, expected = case["inputs"]["design"], case["expected"]
    times, upper, z = design["information_rates"], design["critical_values"], case["inputs"]["z_bounds"][0]
    names = ("p_value", "predictive_power", "conditional_power_at_observed")
    for scale, name in zip(("p-value", "predictive power", "conditional power at trend"), names, strict=True):
        value = expected[name][0]
        assert on_scale(z, scale, 1, times, upper, None) == pytest.approx(value, rel=1e-12)
        assert z_bound(value, scale, 1, times, upper, None) == pytest.approx(z, abs=1e-12)
    reverse = reverse_conditional_power(z, times[0], upper[-1])
    assert reverse == pytest.approx(expected["reverse_conditional_power"][0], rel=1e-12)


def test_conditional_power_in_closed_form_before_the_last_look():
    z, left = 0.9, 1 - TIMES[2]
    value = ndtr((z * math.sqrt(TIMES[2]) + DRIFT * left - UPPER[3]) / math.sqrt(left))
    assert on_scale(z, "conditional power", 3, TIMES, UPPER, DRIFT) == pytest.approx(value, rel=1e-13)
    assert z_bound(value, "conditional power", 3, TIMES, UPPER, DRIFT) == pytest.approx(z, abs=1e-13)


@settings(max_examples=60)
@given(
    z=st.floats(-4, 3.5),
    step=st.floats(0.01, 3),
    scale=st.sampled_from(tuple(SCALES)),
    look=st.integers(1, 3),
    sided=st.sampled_from([1, 2]),
)
def test_bound_and_value_are_inverse_and_ordered(z, step, scale, look, sided):
    value = on_scale(z, scale, look, TIMES, UPPER, DRIFT, sided)
    further = on_scale(z + step, scale, look, TIMES, UPPER, DRIFT, sided)
    assert further <= value if scale == "p-value" else further >= value
    if scale not in POWERS or 1e-12 < value < 1 - 1e-4:
        assert z_bound(value, scale, look, TIMES, UPPER, DRIFT, sided) == pytest.approx(z, abs=1e-9)


@pytest.mark.parametrize("scale", POWERS)
@pytest.mark.parametrize("value", [1e-200, 1e-12, 0.05, 0.5, 0.95])
@pytest.mark.parametrize("look", [1, 2, 3])
def test_value_of_the_bound_is_the_value_given(scale, value, look):
    z = z_bound(value, scale, look, TIMES, UPPER, DRIFT)
    assert on_scale(z, scale, look, TIMES, UPPER, DRIFT) == pytest.approx(value, rel=1e-9)


def test_observed_planned_effect_is_one_and_the_two_conditional_powers_meet_there():
    for look in (1, 2, 3):
        z = DRIFT * math.sqrt(TIMES[look - 1])
        assert on_scale(z, "effect", look, TIMES, UPPER, DRIFT) == pytest.approx(1, abs=1e-15)
        planned, observed = (on_scale(z, scale, look, TIMES, UPPER, DRIFT) for scale in POWERS[:2])
        assert planned == pytest.approx(observed, rel=1e-14)


def test_predictive_power_equals_reverse_conditional_power_where_only_the_last_look_can_stop():
    upper = np.array([np.inf, np.inf, np.inf, 1.96])
    for look, z in ((1, 0.3), (2, -1.0), (3, 1.5)):
        reverse = reverse_conditional_power(z, TIMES[look - 1], 1.96)
        assert on_scale(z, "predictive power", look, TIMES, upper, None) == pytest.approx(reverse, rel=1e-13)
        assert z_bound(reverse, "predictive power", look, TIMES, upper, None) == pytest.approx(z, abs=1e-13)


def test_ends_of_the_ranges_are_infinite():
    for scale in POWERS:
        assert z_bound(0, scale, 1, TIMES, UPPER, DRIFT) == -math.inf
        assert z_bound(1, scale, 1, TIMES, UPPER, DRIFT) == math.inf
        assert on_scale(-math.inf, scale, 1, TIMES, UPPER, DRIFT) == 0
        assert on_scale(math.inf, scale, 1, TIMES, UPPER, DRIFT) == 1
    assert z_bound(1, "p-value", 1, TIMES, UPPER, None) == -math.inf
    assert on_scale(math.inf, "p-value", 4, TIMES, UPPER, None) == 0
    assert on_scale(-math.inf, "effect", 4, TIMES, UPPER, DRIFT) == -math.inf


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("binding", [False, True])
def test_design_with_bounds_on_a_scale(scale, binding):
    value = {"z": 0.3, "p-value": 0.35, "effect": 0.3}.get(scale, 0.2)
    design = GroupSequential(
        (0.3, 0.6, 1.0), 0.025, 1, OBrienFlemingSpending(), FixedBounds((value,), scale), 0.1, binding
    )
    assert design.power(design.drift) == pytest.approx(0.9, abs=1e-11)
    for look in (1, 2):
        z = float(design.futility_bounds[look - 1])
        shown = on_scale(z, scale, look, design.information, design.efficacy_bounds, design.drift)
        assert shown == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize(
    ("value", "scale", "look", "drift", "message"),
    [
        (1.1, "p-value", 1, DRIFT, "bound on the scale 'p-value' is 1.1; expected a probability"),
        (-0.1, "predictive power", 1, DRIFT, "bound on the scale 'predictive power' is -0.1"),
        (math.nan, "z", 1, DRIFT, "bound on the scale 'z' is nan"),
        (0.5, "odds", 1, DRIFT, "scale is 'odds'; expected one of z, p-value"),
        (0.5, "conditional power", 1, None, "drift is None; expected the planned drift"),
        (0.5, "effect", 1, -1.0, "drift is -1.0; expected the planned drift"),
        (0.5, "conditional power", 4, DRIFT, "look is 4; expected a look before a finite efficacy bound"),
        (0.5, "z", 5, DRIFT, "look is 5; expected a look from 1 to 4"),
    ],
)
def test_refusals(value, scale, look, drift, message):
    with pytest.raises(InputError, match=message):
        z_bound(value, scale, look, TIMES, UPPER, drift)


def test_refusals_of_bad_arrays():
    with pytest.raises(InputError, match="efficacy"):
        on_scale(0.0, "z", 1, TIMES, UPPER[:2], None)
    with pytest.raises(InputError, match="information"):
        on_scale(0.0, "z", 1, TIMES[::-1], UPPER, None)
    with pytest.raises(InputError, match="sided"):
        on_scale(0.0, "z", 1, TIMES, UPPER, None, 3)
    with pytest.raises(InputError, match="z is nan"):
        on_scale(math.nan, "p-value", 1, TIMES, UPPER, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0", "z", 1, TIMES, UPPER, None), "z is '0'"),
        ((None, "z", 1, TIMES, UPPER, None), "z is None"),
        ((0.0, ["z"], 1, TIMES, UPPER, None), "scale is"),
        ((0.0, "z", True, TIMES, UPPER, None), "look is True"),
        ((0.0, "z", "1", TIMES, UPPER, None), "look is '1'"),
        ((0.0, "z", 1, None, UPPER, None), "information is None"),
        ((0.0, "z", 1, [TIMES], UPPER, None), "information is"),
        ((0.0, "z", 1, TIMES, "2", None), "efficacy is '2'"),
        ((0.0, "effect", 1, TIMES, UPPER, "3"), "drift is '3'"),
        ((0.0, "conditional power", 1, TIMES, UPPER, np.array([3.0])), "drift is"),
        ((0.0, "z", 1, TIMES, UPPER, None, "1"), "sided is '1'"),
    ],
)
def test_wrong_types_are_refused_by_name(arguments, message):
    with pytest.raises(InputError, match=message):
        on_scale(*arguments)


@pytest.mark.parametrize("value", ["0.5", None, True, math.nan, np.array([0.5])])
def test_values_on_a_scale_are_numbers(value):
    with pytest.raises(InputError, match="bound on the scale 'p-value' is"):
        z_bound(value, "p-value", 1, TIMES, UPPER, None)
