"""The root finder."""

from __future__ import annotations

import math

import pytest

from equipoise.sequential.roots import rising_root


@pytest.mark.parametrize(
    ("function", "root"),
    [
        (lambda x: x**3 - 2, 2 ** (1 / 3)),
        (lambda x: math.atan(x - 40), 40.0),
        (lambda x: math.inf if x > 3 else (-math.inf if x < -1 else x - 0.25), 0.25),
        (lambda x: (x - 1) ** 5, 1.0),
        (lambda x: x, 0.0),
    ],
)
def test_known_roots(function, root):
    assert rising_root(function, 0.3) == pytest.approx(root, abs=3e-3 if root == 1.0 else 1e-12)


def test_no_root_is_an_error():
    with pytest.raises(ArithmeticError):
        rising_root(lambda x: 1.0, 0.0)


def test_nearly_straight_functions_need_few_evaluations():
    calls = []
    rising_root(lambda x: calls.append(x) or (x - 2 + 0.01 * math.sin(x)), 1.5)
    assert len(calls) <= 6
