"""Truths to simulate under."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .measures import MeasureTruth
from .parts import Matrix, Number, Part, Positive, Probability

__all__ = ["Scenario", "ScenarioArm"]


class ScenarioArm(Part):
    """A truth about one arm."""

    mean: Annotated[tuple[Number, ...], Field(description="At each visit, baseline first, in points.")] = ()
    sd: Annotated[tuple[Positive, ...], Field(description="At each visit, baseline first, in points.")] = ()
    dropout: Annotated[Probability, Field(description="Probability of having dropped out by the last visit.")] = 0.0
    median_days_to_loss_of_response: Positive | None = None
    adverse_events: Annotated[dict[str, Probability], Field(description="Probability per patient, by term.")] = {}
    measures: Annotated[dict[str, MeasureTruth], Field(description="Per measure of the protocol.")] = {}


class Scenario(Part):
    """A truth to simulate under."""

    description: str = ""
    arms: dict[str, ScenarioArm]
    correlation: Annotated[Matrix | None, Field(description="Instead of the population's.")] = None
