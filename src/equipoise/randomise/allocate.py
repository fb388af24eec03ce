"""Permuted blocks within strata, and simple randomisation, of many trials at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["permuted_blocks", "simple"]


def simple(uniform: NDArray[np.float64], shares: Sequence[float]) -> NDArray[np.intp]:
    """Independent allocation of each patient with the given probabilities, by a uniform number for each; indices into
    `shares`, of the shape of `uniform`.
    """
    return np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right")


def permuted_blocks(
    uniform: NDArray[np.float64],
    shares: Sequence[float],
    block_sizes: Sequence[int],
    strata: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """Permuted blocks of randomly chosen sizes, within strata (Zelen 1974; Matts & Lachin 1988).

    A block is filled as its patients come: each gets one of the allocations left in it with equal probability, which
    makes every order of the block's allocations equally likely.

    Parameters
    ----------
    uniform
        Two numbers for each patient in order of entry, for the size of a block that begins with her and for her place
        in it, shape (trials, patients, 2).
    shares
        Fractions of the arms that sum to 1; each block holds them exactly.
    block_sizes
        Sizes that are drawn with equal probability for each block.
    strata
        Index from 0 of each patient's stratum, shape (trials, patients); one stratum when absent.

    Returns
    -------
    Indices into `shares`, in order of entry, shape (trials, patients).

    Raises
    ------
    InputError
        For a block size that does not hold the shares in whole patients.
    """
    from .block_kernel import fill_blocks

    contents = np.empty((len(block_sizes), len(shares)), dtype=np.int64)
    for row, size in zip(contents, block_sizes, strict=True):
        counts = np.asarray(shares) * size
        if size < 1 or np.abs(counts - counts.round()).max() > 1e-9:
            raise InputError("block size", size, "a size that holds the allocation ratio in whole patients")
        row[:] = counts.round()
    arms = np.empty(uniform.shape[:2], dtype=np.intp)
    if strata is None:
        strata = np.zeros((1, uniform.shape[1]), dtype=np.intp)
    fill_blocks(uniform, contents, np.ascontiguousarray(strata), int(strata.max(initial=0)) + 1, arms)
    return arms
