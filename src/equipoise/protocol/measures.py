"""What is recorded of a patient besides the scores of the rating scale, and what is assumed of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .parts import Name, Number, Part, Positive, Probability

__all__ = ["ALLOWED", "NEEDED", "Measure", "MeasureColumns", "MeasureTruth", "untold"]

NEEDED = {
    "binary": ("probability",),
    "ordinal": ("shares",),
    "continuous": ("mean", "sd"),
    "count": ("rate",),
    "time": ("median_days",),
    "guess": ("guesses_experimental",),
}
"""What must be known of a measure of each kind before its values can be drawn or planned by."""
ALLOWED = {"count": ("dispersion",), "time": ("shape",), "guess": ("does_not_know",)}
"""What may be said besides; it has a default."""


class Measure(Part):
    """One thing recorded of each patient: yes or no, a level, a count, a number, a time to an event, a guess."""

    name: Name
    kind: Literal["binary", "ordinal", "count", "continuous", "time", "guess"]
    label: str = ""
    visit: Annotated[
        Name, Field(description="When it is known; counts and times to an event are followed up to this visit.")
    ]
    better: Annotated[
        Literal["higher", "lower"],
        Field(description="Whether more of it (the event, the higher level, the longer time) is good."),
    ] = "higher"
    levels: Annotated[
        tuple[Name, ...], Field(description="Of an ordinal measure, from the lowest to the highest.")
    ] = ()
    unit: Annotated[str, Field(description="Of a continuous measure, for people.")] = ""
    by: Annotated[Literal["patient", "rater"], Field(description="Who guesses the arm.")] = "patient"


class MeasureTruth(Part):
    """What is true of one measure in one arm, independent of everything else about the patient."""

    probability: Annotated[Number | None, Field(ge=0, le=1, description="Of a binary measure.")] = None
    shares: Annotated[
        tuple[Annotated[Number, Field(ge=0)], ...], Field(description="Of the levels of an ordinal measure; sum to 1.")
    ] = ()
    mean: Annotated[Number | None, Field(description="Of a continuous measure.")] = None
    sd: Annotated[Positive | None, Field(description="Of a continuous measure.")] = None
    rate: Annotated[Number | None, Field(ge=0, description="Of a count: events in a patient-year.")] = None
    dispersion: Annotated[
        Number, Field(ge=0, description="Of a count: its variance is m + dispersion m^2 at mean m; 0 for Poisson.")
    ] = 0.0
    median_days: Annotated[Positive | None, Field(description="Median time to the event.")] = None
    shape: Annotated[Positive, Field(description="Weibull shape of the time to the event; 1 for exponential.")] = 1.0
    guesses_experimental: Annotated[
        Probability | None, Field(description="Of a guess: probability of naming the experimental arm.")
    ] = None
    does_not_know: Annotated[Probability, Field(description="Of a guess: probability of naming none.")] = 0.0


def untold(kind: str, truth: MeasureTruth | None) -> str:
    """The first thing that must be known of a measure of that kind and is not; empty where all is."""
    for key in NEEDED[kind]:
        if truth is None or getattr(truth, key) in (None, ()):
            return key
    return ""


class MeasureColumns(Part):
    """Where a real data set keeps one measure."""

    value: Annotated[str, Field(description="Column of the value, or of the time in days.")]
    event: Annotated[str, Field(description="Of a time: column that says whether the event happened.")] = ""
    happened: Annotated[str, Field(description="Code in that column for an event that happened.")] = "1"
    exposure: Annotated[str, Field(description="Of a count: column of the days under observation.")] = ""
    codes: Annotated[
        dict[str, str],
        Field(description="Codes in the data: of 'yes' and 'no', of the levels, of the arms and 'unknown'."),
    ] = {}
