"""What a stopping rule says at a look."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

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
    """
    if z >= efficacy:
        return Decision.EFFICACY
    if design.sided == 2 and z <= -efficacy:
        return Decision.HARM
    if last:
        return Decision.NOT_REJECTED
    if futility is not None and (z if design.sided == 1 else abs(z)) <= futility:
        return Decision.FUTILITY
    return Decision.CONTINUE
