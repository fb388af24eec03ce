"""Truths to simulate under."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .exposure import Exposure
from .items import Items
from .lifelike import Expectancy, MissedVisits, RaterDrift, Responders, Sites
from .measures import MeasureTruth
from .parts import Matrix, Number, Part, Positive, Probability

__all__ = ["Scenario", "ScenarioArm"]


class ScenarioArm(Part):
    """A truth about one arm."""

    mean: Annotated[tuple[Number, ...], Field(description="At each visit, baseline first, in points.")] = ()
    sd: Annotated[tuple[Positive, ...], Field(description="At each visit, baseline first, in points.")] = ()
    dropout: Annotated[Probability, Field(description="Probability of having dropped out by the last visit.")] = 0.0
    median_days_to_loss_of_response: Positive | None = None
    shape_of_loss_of_response: Annotated[
        Positive, Field(description="Weibull shape of the time from response to its loss; 1 for exponential.")
    ] = 1.0
    adverse_events: Annotated[dict[str, Probability], Field(description="Probability per patient, by term.")] = {}
    measures: Annotated[dict[str, MeasureTruth], Field(description="Per measure of the protocol.")] = {}


class Scenario(Part):
    """A truth to simulate under."""

    description: str = ""
    arms: dict[str, ScenarioArm]
    correlation: Annotated[Matrix | None, Field(description="Instead of the population's.")] = None
    dropout_odds_ratio_per_unseen_point: Annotated[
        Positive,
        Field(description="Odds ratio of dropping out before the next visit, per point of the score it would show."),
    ] = 1.0
    missed_visits: MissedVisits | None = None
    responders: Responders | None = None
    sites: Sites | None = None
    expectancy: Expectancy | None = None
    rater_drift: RaterDrift | None = None
    exposure: Exposure | None = None
    items: Items | None = None
