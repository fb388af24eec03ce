"""Cases of tests/reference/ranks.json and random trials, for the tests of rank methods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from reference_values import reference_cases


def cases(start: str) -> list[Any]:
    """Inputs and expected values of the cases whose name begins so, as parameters."""
    chosen = [case for case in reference_cases("ranks") if case["id"].startswith(start)]
    return [pytest.param(case["inputs"], case["expected"], id=case["id"]) for case in chosen]


def joined(inputs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of both samples, x being the experimental arm, and the arms."""
    return np.array(inputs["x"] + inputs["y"]), np.repeat([1, 0], [len(inputs["x"]), len(inputs["y"])])


def random_trials(seed: int, trials: int = 80, patients: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Trials with ties, missing values, absent patients, and some with an empty arm or equal outcomes."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=(trials, patients)) * 2, rng.integers(0, 2))
    values[:, ::2] = np.round(values[:, ::2])
    arm = rng.integers(-1, 2, size=values.shape)
    values[rng.random(values.shape) < 0.1] = np.nan
    arm[0] = 1
    arm[1] = np.where(arm[1] == 1, 0, arm[1])
    values[2] = 3.0
    arm[3, :4] = (0, 1, -1, -1)
    arm[3, 4:] = -1
    values[4] = np.where(arm[4] == 1, 10.0, 1.0)
    arm[5] = -1
    return values, arm


def verdict(one, other, components):
    """1, -1 or 0 and the level that decided: what is known of two patients in words turned into code."""
    for level, item in enumerate(components):
        (value, happened, span), (value_of_other, happened_of_other, span_of_other) = one[level], other[level]
        if math.isnan(value) or math.isnan(value_of_other):
            continue
        gap = value - value_of_other
        if not item.time:
            higher = bool(gap > 0 and gap >= item.margin and span <= span_of_other) - bool(
                gap < 0 and -gap >= item.margin and span_of_other <= span
            )
        else:
            # a patient whose follow-up ends at a time has her event after it
            longer = happened_of_other and gap >= item.margin and (gap > 0 or not happened)
            shorter = happened and -gap >= item.margin and (gap < 0 or not happened_of_other)
            higher = bool(longer) - bool(shorter)
        if higher:
            return (higher if item.better == "higher" else -higher), level
    return 0, -1
