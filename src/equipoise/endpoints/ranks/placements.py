"""Where each patient stands among those of the other arm, from one sort of each trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .two_arms import TwoArms

__all__ = ["Placements", "placements"]


@dataclass(frozen=True, slots=True, eq=False)
class Placements:
    """Patients of each trial in order of their stratum and outcome; all arrays have shape (trials, patients).

    Attributes
    ----------
    arm
        1 for experimental, 0 for control, -1 for patients who do not count, the last.
    others_below
        Patients of the other arm with a lower outcome, and half of those with the same, within the stratum.
    ties
        Patients with the same outcome, of both arms, within the stratum.
    controls, experimentals
        Patients of each arm in the stratum.
    """

    arm: NDArray[np.int8]
    others_below: NDArray[np.float64]
    ties: NDArray[np.intp]
    controls: NDArray[np.intp]
    experimentals: NDArray[np.intp]


def _edges(begins: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First place of the run that each place is in, and the place after its last, where runs begin as marked."""
    places = begins.shape[-1]
    at = np.arange(places)
    first = np.maximum.accumulate(np.where(begins, at, 0), axis=-1)
    after = np.full(begins.shape, places)
    following = np.where(begins[..., 1:], at[1:], places)
    after[..., :-1] = np.minimum.accumulate(following[..., ::-1], axis=-1)[..., ::-1]
    return first, after


def placements(arms: TwoArms, stratum: NDArray[np.intp] | None = None) -> Placements:
    """Placements of all patients among the other arm's (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837).

    Parameters
    ----------
    stratum
        Codes of the strata that patients are compared within, shape (trials, patients); one stratum when None.
    """
    trials, patients = arms.values.shape
    if patients == 0:
        none = np.zeros((trials, 0), dtype=np.intp)
        return Placements(none.astype(np.int8), none.astype(float), none, none, none)
    begins = np.ones((trials, patients), dtype=bool)
    if stratum is None:
        order = np.argsort(arms.values, axis=1)
        starts = np.zeros((trials, patients), dtype=bool)
        starts[:, 0] = True
    else:
        within = np.where(arms.arm < 0, np.iinfo(np.intp).max, stratum)
        order = np.lexsort((arms.values, within), axis=1)
        sorted_stratum = np.take_along_axis(within, order, axis=1)
        starts = begins.copy()
        starts[:, 1:] = sorted_stratum[:, 1:] != sorted_stratum[:, :-1]
    values, arm = np.take_along_axis(arms.values, order, axis=1), np.take_along_axis(arms.arm, order, axis=1)
    begins[:, 1:] = (values[:, 1:] != values[:, :-1]) | starts[:, 1:]
    first, after = _edges(begins)
    stratum_first, stratum_after = _edges(starts)

    counts = np.zeros((2, trials, patients + 1), dtype=np.intp)
    for at in (0, 1):
        np.cumsum(arm == at, axis=1, out=counts[at, :, 1:])
    until_first, until_after, until_start, until_end = (
        np.take_along_axis(counts, np.broadcast_to(place, counts[:, :, 1:].shape), axis=2)
        for place in (first, after, stratum_first, stratum_after)
    )
    below = (until_first + until_after) / 2 - until_start
    sizes = until_end - until_start
    return Placements(arm, np.where(arm == 1, below[0], below[1]), after - first, sizes[0], sizes[1])
