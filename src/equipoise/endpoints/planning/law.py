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
    def seen(self) -> NDArray[np.float64]:
        """Probability of being seen at each visit, neither left nor missed it, shape (visits,)."""
        ...

    @property
    def median_days_to_loss_of_response(self) -> float | None:
        """Median time from response to its loss; None where response lasts."""
        ...

    @property
    def shape_of_loss_of_response(self) -> float:
        """Weibull shape of that time; 1 for exponential."""
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
    tested
        Variances as `variances` that the test takes its standard error from, where these are others (those that hold
        under no difference); None where they are the same.
    """

    effect: float
    variances: tuple[float, float]
    better: Better
    null_value: float = 0.0
    units_per_patient: float = 1.0
    unit: str = "patients"
    tested: tuple[float, float] | None = None

    @classmethod
    def of_risks(
        cls, risks: Sequence[float], seen: Sequence[float], shares: Sequence[float], better: Better
    ) -> EndpointPlan:
        """A difference of risks that is tested with the risk of both arms pooled (score test).

        Parameters
        ----------
        risks, seen
            Of control and the experimental arm: the risk, and the share of the randomised of whom it is known.
        shares
            Allocation of the two arms.
        """
        counted = [share * known for share, known in zip(shares, seen, strict=False)]
        pooled = sum(size * risk for size, risk in zip(counted, risks, strict=True)) / sum(counted)
        spreads = [risk * (1 - risk) / known for risk, known in zip(risks, seen, strict=True)]
        tested = [pooled * (1 - pooled) / known for known in seen]
        return cls(risks[1] - risks[0], (spreads[0], spreads[1]), better, tested=(tested[0], tested[1]))

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

    def spread_of_z(self, shares: Sequence[float]) -> float:
        """Standard deviation of the test statistic if the effect is true: 1 unless the test takes another variance."""
        if self.tested is None:
            return 1.0
        tested = sum(variance / share for variance, share in zip(self.tested, shares, strict=False))
        return (1 / self.information(1.0, shares) / tested) ** 0.5
