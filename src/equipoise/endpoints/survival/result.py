"""What a time-to-event endpoint gives back: comparisons, and the curve of each arm for tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...plain import plain
from ..results import EndpointResult

if TYPE_CHECKING:
    from .kaplan_meier import KaplanMeier

__all__ = ["ArmSurvival", "TimeToEventResult"]


@dataclass(frozen=True, slots=True)
class ArmSurvival:
    """One arm's times to the event.

    Attributes
    ----------
    arm
        The protocol's name of it.
    patients, events
        Who is analysed, and how many were seen to have the event.
    curve
        Of being free of the event, with log-log limits; None without patients.
    """

    arm: str
    patients: int
    events: int
    curve: KaplanMeier | None


@dataclass(frozen=True, repr=False)
class TimeToEventResult(EndpointResult):
    """Result of a time-to-event endpoint.

    Attributes
    ----------
    arms
        Control first.
    show
        Days at which the probabilities are given.
    horizon
        Days to which means are restricted, or None.
    """

    arms: tuple[ArmSurvival, ...] = ()
    show: tuple[float, ...] = ()
    horizon: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file; the curves as medians and probabilities on the days to show."""

        def told(arm: ArmSurvival) -> dict[str, Any]:
            entry: dict[str, Any] = {"arm": arm.arm, "patients": arm.patients, "events": arm.events}
            if arm.curve is None:
                return entry
            interval = arm.curve.median_interval
            known = [day for day in self.show if day <= arm.curve.last_time or arm.curve.survival[-1] == 0]
            return entry | {
                "median_days": arm.curve.median,
                "lower": interval.lower,
                "upper": interval.upper,
                "level": interval.level,
                "free_of_event": {f"{day:g}": float(arm.curve.survival_at(day)) for day in known},
            }

        return super().to_dict() | {"arms": plain([told(arm) for arm in self.arms])}
