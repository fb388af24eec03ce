"""Exact test and odds ratio over strata, conditional on the margins of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...checks import confidence_level
from ...errors import InputError
from .conditional import ConditionalLaw, tail_p_values, two_sided_p_values
from .fisher import FisherExact
from .strata import one_trial_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["stratified_exact"]


def stratified_exact(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, level: float = 0.95
) -> FisherExact:
    """Fisher's exact test over strata (Gart 1970, Biometrika 57:471): the sum of group 1's events given all margins.

    With one stratum it is `fisher_exact`; R has it as `mantelhaen.test(exact = TRUE)`.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of shape (strata,); strata with one group only drop out.
    level
        Confidence level of the interval of the odds ratio.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, and where no stratum has both groups.
    """
    confidence_level(level)
    strata = one_trial_of(events1, total1, events2, total2)
    held = strata.patients > 0
    if not held.any():
        raise InputError("strata", "of one group each", "a stratum with patients of both groups")
    rows = zip(*(part[held].astype(int).tolist() for part in strata.tables), strict=True)
    law = ConditionalLaw(tuple((one, first, two, second) for one, first, two, second in rows))
    density, at = law.density(), law.observed
    return FisherExact(
        float(two_sided_p_values(density)[at]),
        float(tail_p_values(density, True)[at]),
        float(tail_p_values(density, False)[at]),
        float(two_sided_p_values(density, mid=True)[at]),
        math.exp(law.log_odds_ratio),
        law.interval(level),
    )
