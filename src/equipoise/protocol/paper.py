"""A trial known only from its paper: the rule that could stop it, the effect that did, and the effects beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..estimate import Scale
from .checks import stopping_findings
from .parts import Name, Number, Part, Positive, Stopping, Text, Trial, Whole
from .raw import Finding, Raw, is_number, text

__all__ = ["NotCorrected", "Paper", "PaperTrial", "PublishedEffect", "PublishedSecondary", "StoppedBy"]

Correlation = Annotated[Number, Field(ge=-1, le=1)]
Count = Annotated[Whole, Field(ge=0, le=10_000_000)]


def _range(value: Any) -> Any:
    return (value, value) if is_number(value) else value


class PaperTrial(Trial):
    """What the trial is called, where it is described, and what had to be assumed to read it."""

    experimental: Annotated[Text, Field(description="What the experimental arm is given, as in a sentence.")] = (
        "the experimental treatment"
    )
    control: Annotated[Text, Field(description="What control is given.")] = "the control"
    assumed: Annotated[tuple[Text, ...], Field(description="What the paper does not say and was assumed.")] = ()


class StoppedBy(Stopping):
    """The stopping rule as in a protocol, and the look at which the trial stopped."""

    stopped_at: Annotated[Whole, Field(ge=1, le=50, description="The look at which the trial stopped, from 1.")]


class PublishedEffect(Part):
    """An effect as published, experimental minus control."""

    name: Name
    label: Annotated[str, Field(description="What was measured, for people.")] = ""
    effect: Annotated[Number | None, Field(description="On `scale`; ratios as natural logarithms.")] = None
    standard_error: Annotated[Positive | None, Field(description="Of the effect, on the same scale.")] = None
    degrees_of_freedom: Annotated[Positive | None, Field(description="Normal when absent.")] = None
    scale: Annotated[
        Scale | None,
        Field(description="A mean difference when absent; of counts always that of risks."),
    ] = None
    unit: Annotated[str, Field(description="Of the effect; that of the scale when empty.")] = ""
    better: Annotated[
        Literal["higher", "lower"] | None,
        Field(description="Which direction favours the experimental arm; the observed one when absent."),
    ] = None

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name


class PublishedSecondary(PublishedEffect):
    """An effect beside the one that stopped the trial: with its standard error, or as counts of a proportion."""

    experimental: Annotated[
        tuple[Count, Count] | None, Field(description="Patients with the event, and all, of the experimental arm.")
    ] = None
    control: Annotated[tuple[Count, Count] | None, Field(description="The same of control.")] = None
    correlation: Annotated[
        tuple[Correlation, Correlation],
        BeforeValidator(_range),
        Field(
            description="Of the estimate with the primary's, each counted as it favours the experimental arm: above 0"
            " where both gain together. A number, or the lowest and highest it may be."
        ),
    ]

    @property
    def is_counted(self) -> bool:
        """Whether it is given as counts."""
        return self.experimental is not None


class NotCorrected(Part):
    """A result that no correction can be made of."""

    name: Name
    label: str = ""
    reported: Annotated[Text, Field(description="The result, as the paper has it.")]
    reason: Annotated[Text, Field(description="Why it cannot be corrected.")]

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name


class Paper(Part):
    """A trial that could stop early, as far as its paper tells it; `eq.conclude` says what may be claimed.

    Build one with `eq.paper(name)`, `Paper.load(path)` or `Paper.model_validate(table)`.
    """

    trial: PaperTrial
    stopping: StoppedBy
    primary: PublishedEffect
    secondaries: tuple[PublishedSecondary, ...] = ()
    not_corrected: tuple[NotCorrected, ...] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _check_everything(cls, value: Any, handler: Any) -> Any:
        return cls._with_findings(value, handler, _findings(value))

    @staticmethod
    def load(path: Any) -> Paper:
        """Read a paper from a TOML file; raises `ProtocolError` that lists every fault with its line."""
        from .load import load_as

        return load_as(Paper, path)

    @property
    def fractions(self) -> tuple[float, ...]:
        """Information fractions of the looks."""
        counts = self.stopping.patients or self.stopping.events
        return tuple(count / counts[-1] for count in counts) if counts else self.stopping.fractions


def _findings(table: Any) -> Iterator[Finding]:
    if not isinstance(table, dict):
        return
    raw = Raw(table)
    yield from stopping_findings(raw)
    section = raw.section("stopping")
    looks = next((found for key in ("fractions", "patients", "events") if (found := section.get(key))), None)
    stopped = section.get("stopped_at")
    if isinstance(looks, (list, tuple)) and is_number(stopped) and stopped > len(looks):
        yield Finding(("stopping", "stopped_at"), stopped, f"expected a look from 1 to {len(looks)}")
    primary = raw.section("primary")
    for key in ("effect", "standard_error"):
        if primary and primary.get(key) is None:
            yield Finding(("primary", key), None, "is missing")
    seen = {text(primary.get("name"))}
    for group in ("secondaries", "not_corrected"):
        for at, entry in raw.entries(group):
            if entry["name"] in seen:
                yield Finding((group, at, "name"), entry["name"], "stands twice; expected each name once")
            seen.add(entry["name"])
    for at, entry in raw.entries("secondaries"):
        yield from _secondary(("secondaries", at), entry)


def _secondary(place: tuple[str | int, ...], entry: dict[str, Any]) -> Iterator[Finding]:
    counts = [key for key in ("experimental", "control") if entry.get(key) is not None]
    others = [key for key in ("effect", "standard_error") if entry.get(key) is not None]
    if not (len(counts) == 2 and not others) and not (len(others) == 2 and not counts):
        right = "expected 'effect' and 'standard_error', or counts in 'experimental' and 'control'"
        yield Finding(place, None, right)
    if counts:
        for key in ("scale", "degrees_of_freedom"):
            if entry.get(key) not in (None, Scale.RISK_DIFFERENCE):
                yield Finding((*place, key), entry[key], "does not go with counts, which make a risk difference")
    for key in counts:
        found = entry[key]
        if isinstance(found, (list, tuple)) and len(found) == 2 and all(map(is_number, found)):
            events, patients = found
            if patients < 1 or not 0 <= events <= patients:
                yield Finding((*place, key), found, "expected the patients with the event, then all patients")
    correlation = entry.get("correlation")
    if (
        isinstance(correlation, (list, tuple))
        and len(correlation) == 2
        and all(map(is_number, correlation))
        and correlation[0] > correlation[1]
    ):
        yield Finding((*place, "correlation"), correlation, "expected the lowest first")
