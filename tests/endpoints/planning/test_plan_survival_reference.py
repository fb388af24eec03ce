import numpy as np
import pytest

from survival_planning_reference import CASES, GSSURV, NSURV, RPACT, gssurv_numbers, nsurv_numbers, rpact_numbers

CLOSE = {"rtol": 1e-6, "atol": 0}


@pytest.mark.parametrize("name", RPACT)
def test_every_number_agrees_with_rpact(name):
    expected, ours = CASES[name]["expected"], rpact_numbers(name)
    for key, value in expected.items():
        if key == "futility_bounds_effect_scale":
            np.testing.assert_allclose(ours[key], value, rtol=0, atol=1e-7, err_msg=key)
        elif key == "futility_probability_per_look" and not np.any(ours[key]):
            np.testing.assert_allclose(value, 0.0, atol=1e-8)
        elif key == "early_stop_probability" and value == 0:
            assert ours[key] == 0
        else:
            np.testing.assert_allclose(ours[key], value, **CLOSE, err_msg=key)
    assert len(expected) >= 14


@pytest.mark.parametrize("name", NSURV)
def test_every_number_agrees_with_nsurv(name):
    expected, ours = CASES[name]["expected"], nsurv_numbers(name)
    assert ours.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-10, atol=0, err_msg=key)


@pytest.mark.parametrize("name", GSSURV)
def test_every_number_agrees_with_gssurv(name):
    expected, ours = CASES[name]["expected"], gssurv_numbers(name)
    assert ours.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(ours[key], value, **CLOSE, err_msg=key)
