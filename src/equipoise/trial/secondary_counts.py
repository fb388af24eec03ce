"""A difference in a proportion after a trial that stopped for another effect, from its counts.

Estimates are found on the scale of z (`secondary_estimates`) and read as differences by Newcombe's interval: the one so
many standard errors off is the limit at that normal score. As observed it is Newcombe's interval itself, close by a
standard error is Wald's, and no limit leaves [-1, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..endpoints.binary.proportions import RiskDifference, newcombe_at
from ..estimate import Estimate
from ..sequential.secondary import EstimateWithLimits, SecondaryEstimates, secondary_estimates

if TYPE_CHECKING:
    from ..sequential import Conclusion

__all__ = ["secondary_of_counts"]

Array = npt.NDArray[np.float64]


def secondary_of_counts(
    conclusion: Conclusion, counts: RiskDifference, observed: Estimate, correlation: Array
) -> SecondaryEstimates:
    """Estimates of a difference in a proportion after a trial that stopped for another effect.

    Parameters
    ----------
    conclusion
        Of the effect that stopped it.
    counts
        Of the proportion.
    observed
        Its difference as an estimate.
    correlation
        Of the two estimates, each with its own sign, any shape.
    """
    shifts = secondary_estimates(conclusion, Estimate(0.0, 1.0, better=observed.better), correlation)

    def differences(shift: Any) -> Array:
        return newcombe_at(counts.events1, counts.total1, counts.events2, counts.total2, shift)

    def limits(found: EstimateWithLimits) -> EstimateWithLimits:
        return EstimateWithLimits(*map(differences, (found.estimate, found.lower, found.upper)))

    return SecondaryEstimates(
        observed=observed,
        correlation=shifts.correlation,
        level=shifts.level,
        naive=limits(shifts.naive),
        bias_adjusted=differences(shifts.bias_adjusted),
        unbiased=differences(shifts.unbiased),
        median_unbiased=limits(shifts.median_unbiased),
        given_look=limits(shifts.given_look),
        given_exit=limits(shifts.given_exit),
    )
