"""A rule at other levels than its own, and the smallest at which it rejects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..checks import instance, number
from ..errors import InputError
from .design import GroupSequential
from .roots import rising_root
from .spending import SpendingFunction

__all__ = ["at_level", "nested", "smallest_level", "without_futility"]

_SMALLEST_LEVEL = 1e-300


def nested(design: GroupSequential) -> GroupSequential:
    """The design without futility, in a form whose bounds all rise as alpha falls.

    A rule that does not follow alpha by itself, such as fixed bounds, is held as the shares of alpha that it spends;
    the bounds at its own alpha are the same, unless they rely on a futility bound that is binding.
    """
    instance("design", design, GroupSequential, "a GroupSequential design")
    plain = without_futility(design)
    if isinstance(plain.efficacy, SpendingFunction) or plain.efficacy.is_nested:
        return plain
    return replace(plain, efficacy=design.alpha_spending, alpha=design.attained_level * design.sided)


def without_futility(design: GroupSequential) -> GroupSequential:
    """The same design with its efficacy rule alone."""
    return replace(design, futility=None, beta=None, binding=False)


def at_level(rule: GroupSequential, level: float) -> GroupSequential:
    """A nested `rule` at another one-sided level.

    Raises
    ------
    InputError
        When the level is not between 0 and 1.
    """
    instance("rule", rule, GroupSequential, "a GroupSequential design")
    if not 0 < number("level", level, "a one-sided level between 0 and 1") < 1:
        raise InputError("level", level, "a one-sided level between 0 and 1")
    return rule if level == rule.level else replace(rule, alpha=level * rule.sided)


def smallest_level(excess: Callable[[float], float], guess: float) -> float:
    """Smallest one-sided level at which a nested rule rejects, between 1e-300 and 1/2.

    Parameters
    ----------
    excess
        What the evidence has over the bound of a level, rising in the level.
    guess
        A level near it.
    """
    from scipy.special import ndtr, ndtri

    def at(normal_level: float) -> float:
        return excess(max(float(ndtr(normal_level)), _SMALLEST_LEVEL))

    # near 1/2 the bounds of classical families run out of digits
    highest, lowest = float(ndtri(0.5 - 1e-6)), float(ndtri(_SMALLEST_LEVEL))
    if at(highest) <= 0:
        return 0.5
    if at(lowest) >= 0:
        return _SMALLEST_LEVEL
    first = min(max(float(ndtri(guess)), lowest), highest)
    return float(ndtr(rising_root(lambda x: at(min(max(x, lowest), highest)), first, tolerance=1e-12)))
