"""What makes virtual patients more lifelike: settings of a scenario, each off unless it is named."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .parts import Name, Number, Part, Positive, Probability, Whole

__all__ = ["Belief", "Expectancy", "MissedVisits", "RaterDrift", "Responders", "Sites"]

NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]


class Sites(Part):
    """Sites that differ in how ill their patients are and in how much they gain.

    SDs in points are at most the width of the scale, here and below; so are points added and points in a year.
    """

    number: Annotated[Whole, Field(ge=2, le=10_000)]
    shares: Annotated[
        tuple[Positive, ...],
        Field(description="Of the patients, by site; sum to 1. Those of the covariate 'site', or equal, when empty."),
    ] = ()
    mean_sd: Annotated[NotNegative, Field(description="SD between sites of the mean score, in points.")] = 0.0
    effect_sd: Annotated[
        NotNegative,
        Field(description="SD between sites of the difference between two arms at the last visit, in points."),
    ] = 0.0


class Responders(Part):
    """A fraction of an arm that gains all of its difference from control; the rest fare like control."""

    fraction: Annotated[Number, Field(gt=0, le=1)]
    arms: Annotated[
        tuple[Name, ...], Field(description="Which arms are mixed; every experimental one when empty.")
    ] = ()


class Belief(Part):
    """Which arm a patient believes she is on."""

    experimental: Annotated[Share, Field(description="Probability of believing in the experimental arm.")]
    does_not_know: Annotated[Share, Field(description="Probability of believing in none.")] = 0.0


class Expectancy(Part):
    """Scores that follow what the patient believes she is given, and side effects that tell her."""

    points: Annotated[Number, Field(description="Added to the score of who believes in the experimental arm.")] = 0.0
    points_if_control: Annotated[Number, Field(description="Added to the score of who believes in control.")] = 0.0
    from_visit: Annotated[str, Field(description="First visit that shifts; the one after baseline when empty.")] = ""
    sign: Annotated[
        str, Field(description="Adverse event of the arms by which patients tell, such as dissociation.")
    ] = ""
    felt: Annotated[Belief | None, Field(description="What those believe who had the sign.")] = None
    not_felt: Annotated[Belief | None, Field(description="What those believe who had not.")] = None
    guesses: Annotated[
        tuple[Name, ...],
        Field(description="Guess measures that record the belief; without a sign the first one's law is the belief's."),
    ] = ()


class RaterDrift(Part):
    """Raters who change with calendar time, alike in all arms, and raters who differ."""

    points_per_year: Annotated[Number, Field(description="From the first patient's entry on.")] = 0.0
    raters: Annotated[Whole, Field(ge=0, le=1_000, description="At each site; in the trial where there are none.")] = 0
    rater_sd: Annotated[NotNegative, Field(description="SD between raters of what they add, in points.")] = 0.0


class MissedVisits(Part):
    """Visits that a patient misses without leaving the trial; the first one never."""

    probability: Annotated[Probability, Field(description="Of missing each visit after baseline.")] = 0.0
    arms: Annotated[dict[str, Probability], Field(description="Instead, for the arms named.")] = {}
    visits: Annotated[dict[str, Probability], Field(description="Instead, for the visits named.")] = {}
    odds_ratio_per_point: Annotated[
        Positive, Field(description="Odds ratio of missing a visit per point of the last seen score.")
    ] = 1.0
