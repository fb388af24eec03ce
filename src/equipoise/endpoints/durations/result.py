"""The result of a loss-of-response endpoint: three estimands of each experimental arm, and the curves by arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...plain import plain
from ..results import DurabilityResult

if TYPE_CHECKING:
    from ...estimate import Estimate
    from .estimands import Estimand
    from .in_response import InResponse
    from .principal_stratum import PrincipalStratum
    from .time_in_response import TimeInResponse

__all__ = ["DurationResult", "Durations"]


@dataclass(frozen=True, slots=True)
class Durations:
    """One experimental arm against control.

    Attributes
    ----------
    arm
        Its name.
    in_response
        At the protocol's horizons, as far as both arms have been followed.
    time
        Mean time in response among all randomised; None where it could not be estimated.
    stratum
        Of those who would respond to this arm; None where it could not be estimated.
    given_covariates
        The same under principal ignorability; None without covariates, or where it could not be estimated.
    reasons
        Why something else is missing; why the mean time is, the result's notes say.
    """

    arm: str
    in_response: tuple[InResponse, ...] = ()
    time: TimeInResponse | None = None
    stratum: PrincipalStratum | None = None
    given_covariates: Estimate | None = None
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The numbers for a JSON file."""
        given = self.given_covariates
        return plain(
            {
                "arm": self.arm,
                "in_response": [item.to_dict() for item in self.in_response],
                "mean_time_in_response": None if self.time is None else self.time.to_dict(),
                "principal_stratum": None if self.stratum is None else self.stratum.to_dict(),
                "principal_ignorability": None
                if given is None
                else {"effect": given.effect, "standard_error": given.standard_error, "p_value": given.p_value},
                "reasons": list(self.reasons),
            }
        )


@dataclass(frozen=True, repr=False)
class DurationResult(DurabilityResult):
    """Result of a loss-of-response endpoint; its comparisons are those of mean time in response among all randomised.

    Attributes
    ----------
    durations
        By experimental arm, the primary pair first.
    estimands
        What each of the numbers estimates, in words.
    """

    durations: tuple[Durations, ...] = ()
    estimands: tuple[Estimand, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file."""
        return super().to_dict() | {
            "durations": [item.to_dict() for item in self.durations],
            "estimands": [item.words for item in self.estimands],
        }
