"""What is taken as a number, numbers, a whole number or an object of a kind."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from equipoise import InputError
from equipoise.checks import instance, number, numbers, whole


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2)])
def test_numbers_are_taken(value):
    assert number("x", value) == 2.0
    assert whole("x", value) == 2
    np.testing.assert_array_equal(numbers("x", value), [2.0])


def test_vectors_are_taken():
    for given in ((1, 2), [1, 2], np.array([1, 2]), range(1, 3), (i for i in (1, 2))):
        np.testing.assert_array_equal(numbers("x", given), [1.0, 2.0])
    assert number("x", math.inf, infinite=True) == math.inf
    assert numbers("x", [math.inf], infinite=True)[0] == math.inf
    assert instance("x", 1.5, float, "a float") == 1.5


@pytest.mark.parametrize("value", ["2", None, True, math.nan, math.inf, [2], np.array([2.0]), 1j, Decimal("nan")])
def test_no_number(value):
    with pytest.raises(InputError, match="x is "):
        number("x", value)
    with pytest.raises(InputError, match="x is "):
        whole("x", value)


def test_no_numbers():
    for value in ("12", [[1, 2]], [1, None], [1, "a"], [[1], [1, 2]], {1, 2}, [math.nan], [math.inf], None):
        with pytest.raises(InputError, match="x is "):
            numbers("x", value)
    with pytest.raises(InputError):
        whole("x", 1.5)
    for value in (float, "1"):
        with pytest.raises(InputError, match="a float"):
            instance("x", value, float, "a float")
