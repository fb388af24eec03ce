"""The design filled in directly against formulaic's, and what is left to formulaic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula

from equipoise.errors import InputError
from equipoise.mixed.design_matrix import design_matrix, outcome_of, parse
from equipoise.mixed.frame import Factor

N = 40
RNG = np.random.default_rng(1)
LEVELS = {"arm": ("placebo", "low", "high"), "visit": ("w1", "w2"), "site": ("a", "b:c", "d e")}
VALUES = {
    **{name: Factor(name, own, RNG.integers(0, len(own), N).astype(np.intp), True) for name, own in LEVELS.items()},
    "baseline": RNG.normal(50, 10, N),
    "age": RNG.normal(40, 5, N),
    "y": RNG.normal(size=N),
}
TABLE = pd.DataFrame(
    {
        name: pd.Categorical.from_codes(column.codes, categories=list(column.levels))  # type: ignore[arg-type]
        if isinstance(column, Factor)
        else column
        for name, column in VALUES.items()
    }
)
DIRECT = [
    "y ~ 1",
    "y ~ baseline + arm * visit",
    "y ~ 0 + visit + visit:arm",
    "y ~ site:arm + baseline:visit",
    "y ~ baseline * age * visit + arm:visit:site",
    "y ~ baseline*visit + arm*visit - 1",
    "y ~ (arm + site + age)**2",
]
BY_FORMULAIC = [
    "y ~ np.log(baseline) * arm",
    "y ~ center(baseline) + arm",
    "y ~ C(arm, contr.sum) * visit",
    "y ~ age ** 2",
]


def by_formulaic(formula: str) -> np.ndarray:
    return np.asarray(Formula(formula).rhs.get_model_matrix(TABLE), dtype=np.float64)  # type: ignore[attr-defined]


@pytest.mark.parametrize("formula", DIRECT)
def test_filled_in_directly(formula: str) -> None:
    found = design_matrix(formula, VALUES, N)
    assert found.direct
    np.testing.assert_array_equal(found.rows(VALUES, N), by_formulaic(formula)[:, found.order])
    assert design_matrix(formula, VALUES, N) is found


@pytest.mark.parametrize("formula", BY_FORMULAIC)
def test_left_to_formulaic(formula: str) -> None:
    found = design_matrix(formula, VALUES, N)
    np.testing.assert_allclose(found.rows(VALUES, N), by_formulaic(formula)[:, found.order], rtol=1e-14)
    assert len(found.names) == found.order.size


def test_functions_keep_what_they_learnt_from_the_data() -> None:
    found = design_matrix("y ~ center(baseline)", VALUES, N)
    moved = found.rows({**VALUES, "baseline": np.array([60.0])}, 1)
    assert moved[0, 1] == pytest.approx(60 - VALUES["baseline"].mean())  # type: ignore[union-attr]


def test_other_levels_are_another_design() -> None:
    first = design_matrix("y ~ arm", VALUES, N)
    fewer = {**VALUES, "arm": Factor("arm", ("placebo", "low"), np.zeros(N, dtype=np.intp), True)}
    assert len(design_matrix("y ~ arm", fewer, N).names) == 2
    assert len(first.names) == 3


def test_outcome() -> None:
    assert outcome_of("y ~ arm", VALUES, N) is VALUES["y"]
    np.testing.assert_allclose(outcome_of("np.exp(y) ~ arm", VALUES, N), np.exp(VALUES["y"]))  # type: ignore[arg-type]


@pytest.mark.parametrize("formula", ["baseline + arm", "y ~ (arm", "y + age ~ arm", "y ~ us(visit | patient)"])
def test_refused(formula: str) -> None:
    with pytest.raises(InputError, match="formula"):
        parse(formula)
