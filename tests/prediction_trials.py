"""Trials and fits for the tests of predictions, residuals and draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from equipoise.mixed import MixedFit, mmrm

Array = NDArray[np.float64]
DATA = pl.read_csv(Path(__file__).parent / "data/ours_trial_long.csv")
VISITS = ["day1", "week1", "week2", "week4", "week8"]
LEVELS = {"visit": VISITS, "arm": ["midazolam", "ketamine"]}


def formula_fit(formula: str = "change ~ baseline + arm * visit", data: Any = DATA, **options: Any) -> MixedFit:
    """A fit to the project's own trial, or to a change of its data."""
    return mmrm(formula, data, subject="patient", visit="visit", levels=LEVELS, **options)


def array_trial(seed: int, n_patients: int = 40, n_visits: int = 3, missing: float = 0.2) -> tuple[Array, Array]:
    """Outcome with intermittent missingness, correlation 0.7^lag, and a saturated arm x visit design."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n_patients) % 2
    eye = np.tile(np.eye(n_visits), (n_patients, 1, 1))
    x = np.concatenate([eye, arm[:, None, None] * eye], axis=2)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    y = 20 + rng.normal(size=(n_patients, n_visits)) @ np.linalg.cholesky(4 * 0.7**lag).T
    y[rng.random(y.shape) < missing] = np.nan
    return y, x
