import numpy as np
import pytest

from equipoise import InputError
from equipoise.randomise import permuted_blocks, simple


@pytest.mark.parametrize(
    ("shares", "sizes"), [((0.5, 0.5), (4,)), ((1 / 3, 2 / 3), (3, 6)), ((0.25, 0.25, 0.5), (4, 8))]
)
def test_arms_never_drift_apart_by_more_than_a_block(shares, sizes):
    arms = permuted_blocks(np.random.default_rng(1), 999, shares, sizes)
    for at, share in enumerate(shares):
        excess = np.cumsum(arms == at) - share * np.arange(1, 1000)
        assert np.abs(excess).max() <= max(sizes) * share * (1 - share) * 2 + 1e-9
        if len(sizes) == 1:
            assert excess[sizes[0] - 1 :: sizes[0]] == pytest.approx(0)


def test_blocks_are_balanced_within_each_stratum():
    strata = np.random.default_rng(2).integers(0, 3, 600)
    arms = permuted_blocks(np.random.default_rng(3), 600, (0.5, 0.5), (4,), strata)
    for stratum in range(3):
        inside = arms[strata == stratum]
        whole = inside[: len(inside) // 4 * 4].reshape(-1, 4)
        assert (whole.sum(axis=1) == 2).all()


def test_every_order_of_a_block_is_equally_likely():
    arms = permuted_blocks(np.random.default_rng(4), 60_000, (0.5, 0.5), (4,)).reshape(-1, 4)
    counts = np.unique(arms @ [8, 4, 2, 1], return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 2500) ** 2 / 2500).sum() < 25


def test_simple_randomisation_has_its_shares():
    arms = simple(np.random.default_rng(5), 100_000, (0.2, 0.3, 0.5))
    np.testing.assert_allclose(np.bincount(arms) / 100_000, (0.2, 0.3, 0.5), atol=0.006)


def test_block_that_cannot_hold_the_ratio_is_refused():
    with pytest.raises(InputError, match="block size"):
        permuted_blocks(np.random.default_rng(6), 10, (1 / 3, 2 / 3), (4,))
