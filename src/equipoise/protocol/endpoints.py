"""What a protocol may name as an endpoint; how each is computed lives elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from .parts import Name, Part, Positive

__all__ = ["Endpoint", "LongitudinalEndpoint", "LossOfResponseEndpoint", "MeanEndpoint", "ResponseEndpoint"]


class _Endpoint(Part):
    name: Name
    label: str = ""
    role: Literal["primary", "secondary"] = "secondary"


class LongitudinalEndpoint(_Endpoint):
    """Difference between arms at one visit from the mixed model for repeated measures."""

    type: Literal["longitudinal"]
    visit: Name


class MeanEndpoint(_Endpoint):
    """Difference between arms at one visit among patients observed there, adjusted for covariates."""

    type: Literal["mean"]
    visit: Name


class ResponseEndpoint(_Endpoint):
    """Improvement from baseline of at least a given size at one visit."""

    type: Literal["response"]
    visit: Name
    improvement: (
        Annotated[Positive, Field(lt=1, description="Least improvement, as a fraction of the baseline score.")] | None
    ) = None
    points: Annotated[Positive, Field(description="Instead: least improvement in points.")] | None = None
    missing: Annotated[
        Literal["non-response", "observed-only"],
        Field(description="How a patient without the visit counts once it was due."),
    ] = "non-response"


class LossOfResponseEndpoint(_Endpoint):
    """Time from response to its loss, described among responders and among all randomised."""

    type: Literal["loss-of-response"]
    response: Annotated[Name, Field(description="The response endpoint it follows.")]
    horizons: Annotated[
        tuple[Positive, ...],
        Field(description="Days after the response visit at which the probability of being in response is given."),
    ] = ()
    level: Annotated[float, Strict(), Field(gt=0, lt=1, description="Confidence level.")] = 0.95


Endpoint = Annotated[
    LongitudinalEndpoint | MeanEndpoint | ResponseEndpoint | LossOfResponseEndpoint, Field(discriminator="type")
]
