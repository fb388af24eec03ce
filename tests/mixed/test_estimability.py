"""Which combinations the data can tell, against the rank of the design."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.mixed.estimability import estimable
from equipoise.mixed.rank import aliases


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_against_the_rank_of_the_design(scale: float) -> None:
    """A combination is estimable if and only if it adds nothing to the rank of the rows of the design."""
    rng = np.random.default_rng(2)
    base = rng.integers(-2, 3, size=(30, 4)).astype(float)
    design = np.column_stack([base, base[:, 0] + base[:, 1], base[:, 2] * scale, base[:, 3]])
    kept, alias = aliases(design)
    inside = rng.normal(size=(20, 30)) @ design
    outside = rng.normal(size=(20, design.shape[1])) * np.abs(design).max(axis=0)
    rank = np.linalg.matrix_rank(design / np.abs(design).max(axis=0))
    for rows in (inside, outside):
        grown = [
            np.linalg.matrix_rank(np.vstack([design, row]) / np.abs(design).max(axis=0), tol=1e-8) > rank
            for row in rows
        ]
        assert (estimable(rows, kept, alias) == ~np.array(grown)).all()
    assert estimable(inside[0], kept, alias).shape == ()
    assert estimable(inside.reshape(4, 5, -1), kept, alias).all()


def test_nothing_left_out() -> None:
    assert estimable(np.ones((3, 2)), np.array([True, True]), np.empty((2, 0))).all()
