"""How long response lasts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from ...endpoints.results import DurabilityResult
from ...errors import InputError
from ...figure_style import figure_function
from ...wording import days
from .curves import ArmCurve, curves_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...endpoints.survival.kaplan_meier import KaplanMeier
    from ...trial import TrialResult

__all__ = ["durability_figure", "durability_result", "median_text", "without_follow_up"]


def durability_result(result: TrialResult) -> DurabilityResult | None:
    """The first loss-of-response endpoint that could be analysed."""
    return next((item for item in (result.primary, *result.secondary) if isinstance(item, DurabilityResult)), None)


def without_follow_up(curve: KaplanMeier) -> bool:
    """Whether nobody was followed beyond the response visit, so that nothing can be said of a median."""
    return math.isinf(curve.median) and curve.last_time <= 0


def median_text(curve: KaplanMeier) -> str:
    """The median in days, "not reached", or "no follow-up" where nobody was followed beyond the response visit."""
    if without_follow_up(curve):
        return "no follow-up"
    return "not reached" if math.isinf(curve.median) else days(curve.median)


@figure_function
def durability_figure(result: TrialResult, among: Literal["responders", "all randomised"] = "responders") -> Figure:
    """Kaplan-Meier curves of staying in response by arm, with censoring ticks and numbers at risk.

    Parameters
    ----------
    among
        The responders of each arm; or all randomised, those without response counting as lost on day 0.

    Raises
    ------
    InputError
        When the trial has no loss-of-response endpoint that was analysed.
    """
    found = durability_result(result)
    if found is None:
        raise InputError("loss of response", "none", "a loss-of-response endpoint that was analysed")
    arms = []
    for arm in found.arms:
        curve = arm.responders if among == "responders" else arm.all_randomised
        if curve is None:
            said = "no responders" if among == "responders" else "nobody"
        elif without_follow_up(curve):
            said = "no follow-up"
        else:
            said = f"median {median_text(curve)}" + ("" if math.isinf(curve.median) else " days")
        arms.append(ArmCurve(arm.arm, curve, said))
    horizons = [day for arm in found.arms for day in arm.horizons]
    return curves_figure(
        result.protocol,
        arms,
        f"Still in response, among {among}",
        "Still in response",
        "Days since the response visit",
        horizons,
    )
