"""What the tests promise, by simulation: the level under no effect, and coverage where the covariance is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.mixed import fit_mmrm

Array = NDArray[Any]

VISITS = 4
LAG = np.abs(np.subtract.outer(np.arange(VISITS), np.arange(VISITS)))


def design(n: int) -> Array:
    eye = np.tile(np.eye(VISITS), (n, 1, 1))
    return np.concatenate([eye, (np.arange(n) % 2)[:, None, None] * eye], axis=2)


def outcomes(trials: int, n: int, covariance: Array, seed: int, dropout: float) -> Array:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(trials, n, VISITS)) @ np.linalg.cholesky(covariance).T
    left = np.cumsum(rng.random(y.shape) < dropout, axis=2) > 0
    left[:, :, 0] = False
    y[left] = np.nan
    return y


def p_values(y: Array, x: Array, **options: Any) -> Array:
    """Two-sided p of the arms at the last visit in every trial."""
    contrast = np.r_[np.zeros(2 * VISITS - 1), 1.0]
    return np.array([fit_mmrm(one, x, **options).estimate(contrast).p_value for one in y])


@pytest.mark.parametrize(
    ("covariance", "truth"),
    [("ar1", 0.6**LAG), ("compound-symmetry", 0.5 + 0.5 * np.eye(VISITS)), ("toeplitz", 0.6**LAG)],
)
def test_level_of_small_trials(covariance: str, truth: Array) -> None:
    """8 patients an arm with dropout, the right structure: 5 % within 3 Monte-Carlo errors."""
    trials = 1500
    y = outcomes(trials, 16, truth, 1, 0.08)
    rejected = (p_values(y, design(16), covariance=covariance, degrees_of_freedom="kenward-roger") < 0.05).mean()
    assert abs(rejected - 0.05) < 3 * np.sqrt(0.05 * 0.95 / trials)


def test_f_test_of_several_at_once_keeps_its_level() -> None:
    """Arm by visit, three degrees of freedom, 10 patients an arm, unstructured: Kenward-Roger."""
    trials, n = 1200, 20
    x, y = design(n), outcomes(1200, n, 0.6**LAG, 2, 0.05)
    matrix = np.zeros((3, 8))
    matrix[:, 4] = -1.0
    matrix[[0, 1, 2], [5, 6, 7]] = 1.0
    p = np.array([fit_mmrm(one, x, degrees_of_freedom="kenward-roger").f_test(matrix).p_value for one in y])
    assert abs((p < 0.05).mean() - 0.05) < 3 * np.sqrt(0.05 * 0.95 / trials)


def test_sandwich_holds_where_the_covariance_is_wrong() -> None:
    """Variances that grow fourfold, fitted as equal: the model's own errors fail at the last visit, CR2 does not."""
    trials, n = 800, 40
    spread = np.linspace(1.0, 2.0, VISITS)
    y = outcomes(trials, n, np.outer(spread, spread) * 0.4**LAG, 3, 0.05)
    level = {
        kind: (p_values(y, design(n), covariance="compound-symmetry", variance=kind) < 0.05).mean()
        for kind in ("model", "CR0", "CR2", "CR3")
    }
    error = np.sqrt(0.05 * 0.95 / trials)
    assert level["model"] > 0.05 + 6 * error
    assert abs(level["CR2"] - 0.05) < 3 * error
    assert level["CR3"] <= level["CR2"] <= level["CR0"]
    assert level["CR3"] > 0.05 - 4 * error
