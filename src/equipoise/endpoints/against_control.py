"""Every experimental arm against control, the primary pair first or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, NotEstimable
from ..wording import arm_label, reason
from .results import Comparison

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..estimate import Estimate, Interval
    from ..protocol import Protocol

__all__ = ["against_control", "compared_arms"]


def against_control(arm: NDArray[np.intp], at: int = 1, kept: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
    """1 for the experimental arm of that index, 0 for control, -1 for others and for who is not kept; any shape."""
    codes = np.where(arm == at, 1, np.where(arm == 0, 0, -1))
    return codes if kept is None else np.where(kept, codes, -1)


def compared_arms(
    protocol: Protocol, data: TrialData, visit: str, one: Callable[[int], tuple[Estimate, Interval]]
) -> tuple[tuple[Comparison, ...], list[str]]:
    """Comparisons of all experimental arms with control, and why arms have none.

    A result's first comparison is its estimate: where the primary pair has none there are no others either, for they
    would be read as it.

    Parameters
    ----------
    visit
        At which the arms are compared.
    one
        Estimate of the arm of that index against control, and its interval; raises `InputError` or `NotEstimable`
        where there is none.
    """
    comparisons, notes = [], []
    for at, name in enumerate(data.arm_names[1:], start=1):
        try:
            estimate, interval = one(at)
        except (InputError, NotEstimable) as error:
            notes.append(f"{arm_label(protocol, name)}: not compared; {reason(str(error))}")
        else:
            comparisons.append(Comparison(name, visit, estimate, interval))
    first = data.arm_names[1]
    if comparisons and comparisons[0].arm != first:
        withheld = f"there is no comparison of {arm_label(protocol, first)}, the primary one"
        notes += [f"{arm_label(protocol, item.arm)}: not compared; {withheld}" for item in comparisons]
        comparisons = []
    return tuple(comparisons), notes
