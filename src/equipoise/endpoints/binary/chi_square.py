"""Pearson's chi-square test of a two by two table."""

from __future__ import annotations

from dataclasses import dataclass

from .counts import one_table
from .score import score_z

__all__ = ["ChiSquare", "chi_square_test"]


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """Chi-square on 1 degree of freedom.

    Attributes
    ----------
    statistic, p_value
        Without correction; the square of the z test with the pooled proportion.
    corrected_statistic, corrected_p_value
        With Yates's correction for continuity.
    """

    statistic: float
    p_value: float
    corrected_statistic: float
    corrected_p_value: float


def chi_square_test(events1: int, total1: int, events2: int, total2: int) -> ChiSquare:
    """Pearson's chi-square test of equal risks, and Yates's (1934, Suppl JRSS 1:217), whose correction is never more
    than the distance itself.

    A table in which nobody, or everybody, had the event gives 0 and p-values of 1.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    from scipy.special import chdtrc

    events1, total1, events2, total2 = one_table(events1, total1, events2, total2)
    statistic = float(score_z(events1, total1, events2, total2, corrected=False)) ** 2
    patients, cross = total1 + total2, abs(events1 * total2 - events2 * total1)
    kept = max(cross - patients / 2, 0.0) / cross if cross else 0.0
    corrected = statistic * kept**2
    return ChiSquare(statistic, float(chdtrc(1, statistic)), corrected, float(chdtrc(1, corrected)))
