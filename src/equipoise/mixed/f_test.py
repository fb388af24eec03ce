"""A test that several linear combinations of the coefficients are all zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FTest"]


@dataclass(frozen=True, repr=False)
class FTest:
    """A test that several linear combinations of the coefficients are all zero.

    Attributes
    ----------
    statistic
        F.
    numerator_degrees_of_freedom, denominator_degrees_of_freedom
        Of the F distribution it is referred to; an infinite denominator means chi-square over the numerator.
    """

    statistic: float
    numerator_degrees_of_freedom: int
    denominator_degrees_of_freedom: float

    @property
    def p_value(self) -> float:
        """Probability of a larger F under the hypothesis."""
        from scipy.special import chdtrc, fdtrc

        q = self.numerator_degrees_of_freedom
        if math.isinf(self.denominator_degrees_of_freedom):
            return float(chdtrc(q, q * self.statistic))
        return float(fdtrc(q, self.denominator_degrees_of_freedom, self.statistic))

    def __str__(self) -> str:
        return (
            f"F({self.numerator_degrees_of_freedom}, {self.denominator_degrees_of_freedom:.4g}) = "
            f"{self.statistic:.4g}, p = {self.p_value:.3g}"
        )

    __repr__ = __str__
