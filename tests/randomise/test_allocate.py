import numpy as np
import pytest

from equipoise import InputError
from equipoise.randomise import permuted_blocks, simple


def uniform(seed, *shape):
    return np.random.default_rng(seed).random(shape)


@pytest.mark.parametrize(
    ("shares", "sizes"), [((0.5, 0.5), (4,)), ((1 / 3, 2 / 3), (3, 6)), ((0.25, 0.25, 0.5), (4, 8))]
)
def test_arms_never_drift_apart_by_more_than_a_block(shares, sizes):
    arms = permuted_blocks(uniform(1, 5, 999, 2), shares, sizes)
    for at, share in enumerate(shares):
        excess = np.cumsum(arms == at, axis=1) - share * np.arange(1, 1000)
        assert np.abs(excess).max() <= max(sizes) * share * (1 - share) * 2 + 1e-9
        if len(sizes) == 1:
            assert excess[:, sizes[0] - 1 :: sizes[0]] == pytest.approx(0)


def test_blocks_are_balanced_within_each_stratum():
    strata = np.random.default_rng(2).integers(0, 3, (4, 600))
    arms = permuted_blocks(uniform(3, 4, 600, 2), (0.5, 0.5), (4,), strata)
    for trial in range(4):
        for stratum in range(3):
            inside = arms[trial, strata[trial] == stratum]
            whole = inside[: len(inside) // 4 * 4].reshape(-1, 4)
            assert (whole.sum(axis=1) == 2).all()


def test_every_order_of_a_block_is_equally_likely():
    arms = permuted_blocks(uniform(4, 3, 20_000, 2), (0.5, 0.5), (4,)).reshape(-1, 4)
    counts = np.unique(arms @ [8, 4, 2, 1], return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 2500) ** 2 / 2500).sum() < 25


def test_block_sizes_are_equally_likely():
    arms = permuted_blocks(uniform(5, 20_000, 4, 2), (0.5, 0.5), (2, 4))
    pairs = arms[:, 0] + arms[:, 1]
    # Two alike at once come only from a block of four, of whose six orders two begin so.
    assert (pairs != 1).mean() == pytest.approx(1 / 6, abs=4 * np.sqrt(5 / 36 / 20_000))


def test_a_trial_has_its_allocation_alone_or_among_others():
    numbers, strata = uniform(6, 7, 50, 2), np.random.default_rng(7).integers(0, 3, (7, 50))
    together = permuted_blocks(numbers, (0.5, 0.5), (2, 4), strata)
    alone = permuted_blocks(numbers[3:4], (0.5, 0.5), (2, 4), strata[3:4])
    np.testing.assert_array_equal(together[3:4], alone)
    np.testing.assert_array_equal(
        permuted_blocks(numbers[:, :20], (0.5, 0.5), (2, 4), strata[:, :20]), together[:, :20]
    )


def test_simple_randomisation_has_its_shares():
    arms = simple(uniform(5, 10, 10_000), (0.2, 0.3, 0.5))
    np.testing.assert_allclose(np.bincount(arms.ravel()) / 100_000, (0.2, 0.3, 0.5), atol=0.006)


def test_block_that_cannot_hold_the_ratio_is_refused():
    with pytest.raises(InputError, match="block size"):
        permuted_blocks(uniform(6, 1, 10, 2), (1 / 3, 2 / 3), (4,))
