"""P-values and intervals of several comparisons adjusted for their number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..estimate import Estimate, Interval
from ..multiplicity import adjust_p_values
from .dunnett import LargestT
from .studentised_range import studentised_range_point, studentised_range_tail

__all__ = ["Adjustment", "adjusted_intervals", "adjusted_p_values"]

Array = NDArray[np.floating[Any]]
Adjustment = Literal["bonferroni", "holm", "tukey", "dunnett"]


def adjusted_p_values(
    family: Sequence[Estimate], adjust: Adjustment | None, n_means: int, correlation: Array | None = None
) -> list[float] | list[None]:
    """P-values of a family of comparisons that hold for all of them together.

    Parameters
    ----------
    family
        The differences, at most one a pair of means.
    adjust
        "bonferroni"; "holm" (Holm 1979, Scand. J. Statist. 6, 65-70); "tukey" (studentised range of `n_means` means at
        each difference's own degrees of freedom: Tukey 1953; Kramer 1956, Biometrics 12, 307-310, for unequal standard
        errors, as R's emmeans); "dunnett" (multivariate t at each difference's own degrees of freedom, as "mvt" of
        R's emmeans: Dunnett 1955, JASA 50, 1096-1121); None for none.
    n_means
        How many means are compared.
    correlation
        (differences, differences) of the differences' estimates, for "dunnett".
    """
    if adjust is None or not family:
        return [None] * len(family)
    if adjust == "dunnett":
        assert correlation is not None
        largest = LargestT.of(correlation)
        return [largest.tail(abs(one.statistic), one.degrees_of_freedom) for one in family]
    if adjust == "tukey":
        return [_tukey_p(one, n_means) for one in family]
    return adjust_p_values([one.p_value for one in family], adjust).tolist()


def adjusted_intervals(
    family: Sequence[Estimate],
    adjust: Adjustment | None,
    n_means: int,
    level: float,
    correlation: Array | None = None,
) -> list[Interval]:
    """Confidence intervals that hold for all comparisons of a family together.

    Holm's procedure has no intervals of its own in both directions; as emmeans, Bonferroni's are given.
    """
    if adjust is None or not family:
        return [one.interval(level) for one in family]
    if adjust in ("bonferroni", "holm"):
        wide = [one.interval(1 - (1 - level) / len(family)) for one in family]
        return [Interval(one.lower, one.upper, level) for one in wide]
    degrees = [one.degrees_of_freedom for one in family]
    if adjust == "tukey":
        points = {df: studentised_range_point(1 - level, n_means, df) / math.sqrt(2) for df in set(degrees)}
    else:
        assert correlation is not None
        largest = LargestT.of(correlation)
        points = {df: largest.point(1 - level, df) for df in set(degrees)}
    found = []
    for one in family:
        half = points[one.degrees_of_freedom] * one.standard_error
        found.append(Interval(one.possible(one.effect - half), one.possible(one.effect + half), level))
    return found


def _tukey_p(one: Estimate, n_means: int) -> float:
    """Probability of as large a difference between the farthest apart of all means.

    It lies between the p-value of the difference alone and Bonferroni's over all pairs, to which it is held where both
    are too small for the integral's digits.
    """
    tail = studentised_range_tail(math.sqrt(2) * abs(one.statistic), n_means, one.degrees_of_freedom)
    alone = one.p_value
    return min(max(tail, alone), 1.0, alone * n_means * (n_means - 1) / 2)
