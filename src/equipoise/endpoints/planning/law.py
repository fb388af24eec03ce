"""What planning an endpoint needs to know of a scenario, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...estimate import Better

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...protocol import MeasureTruth

__all__ = ["ArmLaw", "EndpointPlan", "Law"]


class ArmLaw(Protocol):
    """One arm under a scenario, as far as planning goes; arrays over visits, baseline first."""

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean score at each visit, in points, shape (visits,)."""
        ...

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the scores, shape (visits, visits)."""
        ...

    @property
    def staying(self) -> NDArray[np.float64]:
        """Probability of still being in the trial at each visit, shape (visits,)."""
        ...

    @property
    def median_days_to_loss_of_response(self) -> float | None:
        """Median time from response to its loss; None where response lasts."""
        ...

    @property
    def adverse_events(self) -> Mapping[str, float]:
        """Probability of each term in a patient."""
        ...

    @property
    def measures(self) -> Mapping[str, MeasureTruth]:
        """What the scenario says of each measure."""
        ...

    def response_probability(self, visit: int, improvement: float | None, points: float | None, better: str) -> float:
        """Probability of response at a visit, for a patient seen there."""
        ...


class Law(Protocol):
    """A scenario: one law an arm, in the order of the protocol's `arm_names`."""

    @property
    def arms(self) -> Sequence[ArmLaw]:
        """Control first, the compared experimental arm second."""
        ...


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """What an endpoint promises under a scenario.

    Attributes
    ----------
    effect
        Experimental minus control.
    variances
        Variance of one patient's contribution to her arm's mean, control and experimental; the estimated effect has
        variance variances[0] / n_control + variances[1] / n_experimental.
    better
        Whether a higher or a lower effect favours the experimental arm.
    null_value
        The effect where there is none.
    units_per_patient, unit
        What looks count, and how much of it a randomised patient brings: patients who have reached the visit, or
        events.
    """

    effect: float
    variances: tuple[float, float]
    better: Better
    null_value: float = 0.0
    units_per_patient: float = 1.0
    unit: str = "patients"

    @property
    def favourable(self) -> float:
        """The effect less its value under no effect, positive in favour of the experimental arm."""
        distance = self.effect - self.null_value
        return distance if self.better == "higher" else -distance

    def information(self, patients: float, shares: Sequence[float]) -> float:
        """Information about the effect from that many randomised patients, the first two shares being control's and
        experimental's.
        """
        return patients / sum(variance / share for variance, share in zip(self.variances, shares, strict=False))
