"""Cases of tests/reference/ranks.json and random trials, for the tests of rank methods."""

from __future__ import annotations

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
