"""The exact law of Mann-Whitney's U over all ways to divide patients into two arms, ties included."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LARGEST", "exact_law", "exact_law_without_ties"]

LARGEST = 10_000


def _checked(control: int, experimental: int) -> None:
    if control * experimental > LARGEST:
        raise InputError(
            "patients", (control, experimental), f"at most {LARGEST} pairs of patients, for the exact law of a rank sum"
        )


def exact_law(values: NDArray[np.float64], experimental: int) -> NDArray[np.float64]:
    """Probabilities of 2 U = 0, 1, ..., 2 n0 n1 given the outcomes, by dynamic programming over their groups of ties.

    The patients are divided group by group, from the lowest outcome: of t equal ones k go to the experimental arm in
    C(t, k) ways and each wins over the controls before, half over those of its group (after Streitberg & Roehmel 1986,
    Stat Software Newsletter 12:10, on midranks).

    Parameters
    ----------
    values
        Outcomes of both arms, shape (patients,).
    experimental
        Patients in the experimental arm.

    Raises
    ------
    InputError
        For more than 10,000 pairs.
    """
    from scipy.special import comb

    total = len(values)
    control = total - experimental
    _checked(control, experimental)
    length = 2 * control * experimental + 1
    ways = np.zeros((experimental + 1, length))
    ways[0, 0] = 1.0
    before = 0
    for size in np.unique(values, return_counts=True)[1].tolist():
        following = np.zeros_like(ways)
        for chosen in range(min(size, experimental) + 1):
            many = float(comb(size, chosen, exact=True))
            left = size - chosen
            for already in range(min(before, experimental - chosen) + 1):
                earlier = before - already
                if earlier + left > control:
                    continue
                won = chosen * (2 * earlier + left)
                following[already + chosen, won:] += many * ways[already, : length - won]
        ways, before = following, before + size
    return ways[experimental] / float(comb(total, experimental, exact=True))


@lru_cache(maxsize=256)
def exact_law_without_ties(control: int, experimental: int) -> NDArray[np.float64]:
    """Probabilities of U = 0, 1, ..., n0 n1 where no two outcomes are equal, by Mann & Whitney's recursion (1947).

    Raises
    ------
    InputError
        For more than 10,000 pairs.
    """
    _checked(control, experimental)
    few, many = sorted((control, experimental))
    length = few * many + 1
    # law[a]: of a patients of the smaller arm among b of the other; the highest is hers with probability a / (a + b)
    law = np.zeros((few + 1, length))
    law[:, 0] = 1.0
    for b in range(1, many + 1):
        for a in range(1, few + 1):
            share = a / (a + b)
            law[a] *= 1 - share
            law[a, b:] += share * law[a - 1, : length - b]
    found = law[few]
    found.setflags(write=False)
    return found
