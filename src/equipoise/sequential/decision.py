"""What a stopping rule says at a look."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from ..checks import flag, instance, number

if TYPE_CHECKING:
    from .design import GroupSequential

__all__ = ["Decision", "decide"]


class Decision(StrEnum):
    """What the stopping rule says at a look."""

    EFFICACY = "stop for efficacy"
    HARM = "stop for harm"
    FUTILITY = "stop for futility"
    CONTINUE = "continue"
    NOT_REJECTED = "not rejected"

    @property
    def stops(self) -> bool:
        """Whether the trial is over."""
        return self is not Decision.CONTINUE

    @property
    def rejects(self) -> bool:
        """Whether the null hypothesis is rejected, in either direction."""
        return self in (Decision.EFFICACY, Decision.HARM)


def decide(design: GroupSequential, z: float, efficacy: float, futility: float | None, last: bool) -> Decision:
    """What the rule says of a z-value against the bounds of its look.

    Harm only when two-sided; futility only before the last look.

    Parameters
    ----------
    design
        Whose rule it is; here it says only how many sides.
    z
        Positive in favour of the experimental arm; may be infinite.
    efficacy, futility
        Bounds on z at this look, perhaps infinite; futility None for none.
    last
        Whether the look ends the trial.

    Raises
    ------
    InputError
        When z or a bound is not a number.
    """
    from .planned_design import PlannedDesign

    instance("design", design, PlannedDesign, "a GroupSequential design")
    z = number("z", z, "a number", infinite=True)
    efficacy = number("efficacy", efficacy, "a bound on z, a number", infinite=True)
    if futility is not None:
        futility = number("futility", futility, "a bound on z, a number, or None for none", infinite=True)
    if z >= efficacy:
        return Decision.EFFICACY
    if design.sided == 2 and z <= -efficacy:
        return Decision.HARM
    if flag("last", last):
        return Decision.NOT_REJECTED
    if futility is not None and (z if design.sided == 1 else abs(z)) <= futility:
        return Decision.FUTILITY
    return Decision.CONTINUE
