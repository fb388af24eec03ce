"""A design's efficacy rule at other levels than its own."""

from __future__ import annotations

from dataclasses import replace

from ..checks import instance, number
from ..errors import InputError
from .design import GroupSequential
from .spending import SpendingFunction

__all__ = ["at_level", "nested"]


def nested(design: GroupSequential) -> GroupSequential:
    """The design without futility, in a form whose bounds all rise as alpha falls.

    A rule that does not follow alpha by itself, such as fixed bounds, is held as the shares of alpha that it spends;
    the bounds at its own alpha are the same, unless they rely on a futility bound that is binding.
    """
    instance("design", design, GroupSequential, "a GroupSequential design")
    plain = replace(design, futility=None, beta=None, binding=False)
    if isinstance(plain.efficacy, SpendingFunction) or plain.efficacy.is_nested:
        return plain
    return replace(plain, efficacy=design.alpha_spending, alpha=design.attained_level * design.sided)


def at_level(rule: GroupSequential, level: float) -> GroupSequential:
    """A nested `rule` at another one-sided level.

    Raises
    ------
    InputError
        When the level is not between 0 and 0.5.
    """
    instance("rule", rule, GroupSequential, "a GroupSequential design")
    if not 0 < number("level", level, "a one-sided level between 0 and 0.5") < 0.5:
        raise InputError("level", level, "a one-sided level between 0 and 0.5")
    return rule if level == rule.level else replace(rule, alpha=level * rule.sided)
