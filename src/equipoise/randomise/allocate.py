"""Permuted blocks within strata, and simple randomisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["permuted_blocks", "simple"]


def simple(generator: np.random.Generator, patients: int, shares: Sequence[float]) -> NDArray[np.intp]:
    """Independent allocation of each patient with the given probabilities; indices into `shares`, shape (patients,)."""
    return np.searchsorted(np.cumsum(shares)[:-1], generator.random(patients), side="right")


def permuted_blocks(
    generator: np.random.Generator,
    patients: int,
    shares: Sequence[float],
    block_sizes: Sequence[int],
    strata: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """Permuted blocks of randomly chosen sizes, within strata (Zelen 1974; Matts & Lachin 1988).

    Parameters
    ----------
    shares
        Fractions of the arms that sum to 1; each block holds them exactly.
    block_sizes
        Sizes that are drawn with equal probability for each block.
    strata
        Index of each patient's stratum, in order of entry, shape (patients,); one stratum when absent.

    Returns
    -------
    Indices into `shares`, in order of entry, shape (patients,).

    Raises
    ------
    InputError
        For a block size that does not hold the shares in whole patients.
    """
    contents = []
    for size in block_sizes:
        counts = np.asarray(shares) * size
        if size < 1 or np.abs(counts - counts.round()).max() > 1e-9:
            raise InputError("block size", size, "a size that holds the allocation ratio in whole patients")
        contents.append(np.repeat(np.arange(len(shares)), counts.round().astype(int)))
    if strata is None:
        strata = np.zeros(patients, dtype=np.intp)
    arms = np.empty(patients, dtype=np.intp)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        drawn: list[NDArray[np.intp]] = []
        total = 0
        while total < len(members):
            block = generator.permutation(contents[generator.integers(len(contents))])
            drawn.append(block)
            total += len(block)
        arms[members] = np.concatenate(drawn)[: len(members)]
    return arms
