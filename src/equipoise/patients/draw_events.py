"""Drawing what happens to virtual patients: loss of response and adverse events, for many trials at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..data import ADVERSE_EVENT, LOSS_OF_RESPONSE
from ..protocol import LossOfResponseEndpoint
from .side_effects import side_effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol
    from .draws import Draws
    from .truth import Truth

__all__ = ["draw_events"]

DAYS_OF_ADVERSE_EVENTS = 14.0


def draw_events(
    draws: Draws,
    protocol: Protocol,
    truth: Truth,
    arm: NDArray[np.intp],
    randomised: NDArray[np.float64],
    scores: NDArray[np.float64],
    assessed: NDArray[np.float64],
    here: NDArray[np.bool_],
    last_contact: NDArray[np.float64],
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Day of the trial of each patient's loss of response and of her event of each term, by (kind, term).

    Parameters
    ----------
    arm, randomised, last_contact
        Index and days of the trial, shape (trials, patients).
    scores, assessed, here
        Scores and days of the trial of all visits, and which of them took place, shape (trials, patients, visits).

    Returns
    -------
    Arrays of shape (trials, patients), infinite where there was no such event.
    """
    found = {}
    followed = next((item for item in protocol.endpoints if isinstance(item, LossOfResponseEndpoint)), None)
    if followed is not None:
        rule = protocol.response_rule(followed.response)
        visit = protocol.visit_names.index(rule.visit)
        responded = here[:, :, visit] & protocol.responded(rule, scores[:, :, 0], scores[:, :, visit])
        day = _loss_of_response(draws, truth, arm, assessed[:, :, visit])
        found[LOSS_OF_RESPONSE, ""] = np.where(responded & (day <= last_contact), day, np.inf)
    terms = sorted({term for law in truth.arms for term in law.adverse_events})
    probability = np.array([[law.adverse_events.get(term, 0.0) for term in terms] for law in truth.arms])
    span = np.minimum(last_contact - randomised, DAYS_OF_ADVERSE_EVENTS)
    for term, happened in side_effects(draws, terms, probability, arm).items():
        day = np.floor(randomised + draws.uniform(f"day of adverse event: {term}", arm.shape[1]) * span)
        found[ADVERSE_EVENT, term] = np.where(happened, day, np.inf)
    return found


def _loss_of_response(
    draws: Draws, truth: Truth, arm: NDArray[np.intp], since: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Day on which a response is lost if there is one: Weibull times by arm, exponential unless their shape is told."""
    medians = np.array([law.median_days_to_loss_of_response or math.inf for law in truth.arms])
    shapes = np.array([law.shape_of_loss_of_response for law in truth.arms])
    time = draws.exponential("loss of response", arm.shape[1]) / math.log(2)
    if (shapes != 1).any():
        time **= (1 / shapes)[arm]
    time *= medians[arm]
    time += since
    return np.ceil(time, out=time)
