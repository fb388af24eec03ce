"""One virtual trial from first patient to verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..checks import whole
from ..data import VIRTUAL, Origin
from ..patients import Draws, Truth
from ..protocol import loaded
from ..trial import analyse, plan
from .virtual import virtual_trial

if TYPE_CHECKING:
    from ..protocol import Protocol
    from ..trial import Look, TrialResult

__all__ = ["run"]


def run(
    protocol: Protocol,
    scenario: str | None = None,
    seed: int = 1,
    trial: int = 0,
    on_look: Callable[[Look], None] | None = None,
) -> TrialResult:
    """Draw one virtual trial from a scenario and take it through its looks to the conclusion.

    Parameters
    ----------
    scenario
        The truth to draw from; by default the one the sample size assumes.
    seed, trial
        Together with the scenario's name they fix every draw; trial k of `simulate` is `run(..., trial=k)`.
    on_look
        Called after each look.

    Raises
    ------
    InputError
        For an unknown scenario, or a seed or trial that is no whole number from 0.
    """
    scenario = scenario or loaded(protocol).sample_size.scenario
    truth = Truth.of(protocol, scenario)
    origin = Origin(VIRTUAL, scenario, seed, trial)
    seed, trial = whole("seed", seed), whole("trial", trial)
    patients = plan(protocol).patients
    data = virtual_trial(protocol, truth, Draws.of(seed, scenario, [trial]), patients, origin)
    return analyse(protocol, data, on_look=on_look)
