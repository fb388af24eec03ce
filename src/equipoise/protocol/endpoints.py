"""What a protocol may name as an endpoint; how each is computed lives elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Strict

from .parts import Name, Number, Part, Positive, Whole

if TYPE_CHECKING:
    from .protocol import Protocol

__all__ = [
    "ENDPOINT_TYPES",
    "AdverseEventsEndpoint",
    "BlindingEndpoint",
    "ClustersEndpoint",
    "Component",
    "CountEndpoint",
    "Endpoint",
    "HierarchicalEndpoint",
    "LongitudinalEndpoint",
    "LossOfResponseEndpoint",
    "MeanEndpoint",
    "OrdinalEndpoint",
    "ResponseEndpoint",
    "TimeToEventEndpoint",
]

ENDPOINT_TYPES = (
    "longitudinal",
    "mean",
    "response",
    "ordinal",
    "time-to-event",
    "count",
    "hierarchical",
    "clusters",
    "loss-of-response",
    "adverse-events",
    "blinding",
)

Visit = Annotated[Name, Field(description="The visit at which arms are compared.")]
Covariates = Annotated[tuple[Name, ...], Field(description="'baseline' and names of covariates.")]
Strata = Annotated[tuple[Name, ...], Field(description="Categorical covariates whose levels make strata.")]


class _Endpoint(Part):
    name: Name
    label: str = ""
    role: Literal["primary", "secondary"] = "secondary"

    @property
    def title(self) -> str:
        """What it is called for people: its label, or else its name."""
        return self.label or self.name

    def known_at(self, protocol: Protocol) -> tuple[str, ...]:
        """Visits at which what is compared becomes known: its own, or else its measure's, or else the last one."""
        own, measure = getattr(self, "visit", ""), getattr(self, "measure", "")
        if own:
            return (own,)
        return (protocol.measure(measure).visit if measure else protocol.visit_names[-1],)

    @property
    def reads_scale(self) -> bool:
        """Whether it is of scores of the rating scale, and not of a measure or of events."""
        return not getattr(self, "measure", "")

    def clusters_of(self, protocol: Protocol) -> tuple[str, ...]:
        """Names of the scale's clusters that it compares arms in one by one; none but of a clusters endpoint."""
        return ()


class LongitudinalEndpoint(_Endpoint):
    """Difference between arms from the mixed model for repeated measures: at a visit, averaged, slope or area."""

    type: Literal["longitudinal"]
    visit: Annotated[Name, Field(description="The visit of the comparison, or the last of a summary over visits.")]
    summary: Annotated[
        Literal["visit", "average", "slope", "area"],
        Field(
            description="Difference at the visit; its average over visits; its least-squares slope over the visits' "
            "days; the area under it from baseline by the trapezium rule."
        ),
    ] = "visit"
    over: Annotated[
        tuple[Name, ...],
        Field(description="Visits a summary is over; all modelled visits up to 'visit' when empty."),
    ] = ()
    per_days: Annotated[Positive, Field(description="Unit of time of a slope, in days.")] = 7.0
    divided: Annotated[
        bool,
        Strict(),
        Field(description="Whether an area is divided by the days it spans: a time-averaged difference."),
    ] = True


class MeanEndpoint(_Endpoint):
    """Difference between arms at one visit among patients observed there."""

    type: Literal["mean"]
    visit: Annotated[str, Field(description="The visit at which arms are compared; a measure's own when empty.")] = ""
    measure: Annotated[str, Field(description="A continuous measure; the rating scale when empty.")] = ""
    method: Annotated[
        Literal["ancova", "t", "welch", "wilcoxon"],
        Field(description="Analysis of covariance; two-sample t test, pooled or Welch's; rank sum (Wilcoxon)."),
    ] = "ancova"
    covariates: Annotated[
        tuple[Name, ...] | None,
        Field(description="Of ANCOVA; when absent those of [analysis], without baseline where it is of a measure."),
    ] = None


class ResponseEndpoint(_Endpoint):
    """A yes or no: improvement from baseline of at least a given size at one visit, or a binary measure."""

    type: Literal["response"]
    visit: Annotated[str, Field(description="The visit of the response; a measure's own when empty.")] = ""
    improvement: (
        Annotated[Positive, Field(lt=1, description="Least improvement, as a fraction of the baseline score.")] | None
    ) = None
    points: Annotated[Positive, Field(description="Instead: least improvement in points.")] | None = None
    measure: Annotated[str, Field(description="Instead: a binary measure.")] = ""
    missing: Annotated[
        Literal["non-response", "observed-only", "multiple-imputation"],
        Field(
            description="How a patient without the visit counts once it was due; of a measure that is good when it is "
            "lower (an event to be avoided), 'non-response' counts as the event."
        ),
    ] = "non-response"
    imputations: Annotated[Whole, Field(ge=2, le=10_000, description="Of multiple imputation.")] = 100
    effect: Annotated[
        Literal["risk-difference", "risk-ratio", "odds-ratio"], Field(description="How the arms are compared.")
    ] = "risk-difference"
    strata: Strata = ()
    covariates: Annotated[
        tuple[Name, ...], Field(description="Adjusted for by g-computation from a logistic model, where given.")
    ] = ()
    variance: Annotated[
        Literal["ye", "ge"],
        Field(description="Of g-computation: unconditional (Ye 2023), or given the covariates (Ge 2011)."),
    ] = "ye"
    interval: Annotated[
        Literal["newcombe", "miettinen-nurminen"],
        Field(
            description="Of a risk difference without covariates or imputation (over strata Sato's in place of "
            "Newcombe's), and of an unadjusted ratio, where 'newcombe' leaves the interval of its logarithm."
        ),
    ] = "newcombe"
    exact: Annotated[
        Literal["none", "fisher", "barnard"], Field(description="Exact p-value reported beside the estimate.")
    ] = "none"


class OrdinalEndpoint(_Endpoint):
    """An ordered outcome at one visit: an ordinal measure, or the scale's score taken as ordered."""

    type: Literal["ordinal"]
    visit: Annotated[str, Field(description="The visit of the comparison; a measure's own when empty.")] = ""
    measure: Annotated[str, Field(description="An ordinal measure; the rating scale when empty.")] = ""
    method: Literal["proportional-odds", "win-probability"] = "proportional-odds"
    covariates: Covariates = ()


class TimeToEventEndpoint(_Endpoint):
    """Time from randomisation to an event."""

    type: Literal["time-to-event"]
    measure: Annotated[Name, Field(description="A measure of kind 'time'.")]
    test: Annotated[
        Literal["cox", "log-rank", "restricted-mean"],
        Field(description="What the looks test: Cox's hazard ratio, the log-rank statistic, the restricted mean."),
    ] = "cox"
    strata: Strata = ()
    covariates: Covariates = ()
    horizon: Annotated[Positive | None, Field(description="Days to which the mean is restricted.")] = None
    show: Annotated[tuple[Positive, ...], Field(description="Days at which the probabilities are given.")] = ()


class CountEndpoint(_Endpoint):
    """Number of events under observation."""

    type: Literal["count"]
    measure: Annotated[Name, Field(description="A measure of kind 'count'.")]
    model: Literal["negative-binomial", "poisson"] = "negative-binomial"
    variance: Annotated[
        Literal["model", "robust"],
        Field(description="Of Poisson regression: a count's variance is its mean, or the sandwich, whatever it is."),
    ] = "model"
    covariates: Covariates = ()


class Component(Part):
    """One component of a hierarchical composite: a measure, or the scale's score at a visit."""

    measure: Annotated[str, Field(description="A measure; the rating scale when empty.")] = ""
    visit: Annotated[str, Field(description="Of the rating scale.")] = ""
    margin: Annotated[Number, Field(ge=0, description="Least difference that is a win.")] = 0.0


class HierarchicalEndpoint(_Endpoint):
    """Composite outcome compared pair by pair, the most important component first."""

    type: Literal["hierarchical"]
    components: Annotated[tuple[Component, ...], Field(min_length=1, max_length=20)]
    statistic: Literal["win-odds", "win-ratio", "net-benefit"] = "win-odds"
    strata: Strata = ()

    @property
    def reads_scale(self) -> bool:
        """Whether a component is of scores of the rating scale."""
        return any(not item.measure for item in self.components)

    def known_at(self, protocol: Protocol) -> tuple[str, ...]:
        """Visits of its components."""
        return tuple(item.visit or protocol.measure(item.measure).visit for item in self.components)


class ClustersEndpoint(_Endpoint):
    """The scale's clusters of symptoms at one visit, from one model."""

    type: Literal["clusters"]
    visit: Visit
    clusters: Annotated[
        tuple[Name, ...], Field(description="Names of the scale's subscales; all of them when empty.")
    ] = ()

    def clusters_of(self, protocol: Protocol) -> tuple[str, ...]:
        """Names of the clusters analysed."""
        return self.clusters or tuple(protocol.scale.subscales)


class LossOfResponseEndpoint(_Endpoint):
    """How long response lasts: among responders, among all randomised, and in those who would respond."""

    type: Literal["loss-of-response"]
    response: Annotated[Name, Field(description="The response endpoint it follows.")]
    horizons: Annotated[
        tuple[Positive, ...],
        Field(description="Days after the response visit at which the probability of being in response is given."),
    ] = ()
    within: Annotated[
        Positive | None,
        Field(
            description="Days after the response visit within which the mean time in response is taken; the follow-up "
            "when absent."
        ),
    ] = None
    level: Annotated[float, Strict(), Field(gt=0, lt=1, description="Confidence level.")] = 0.95
    covariates: Annotated[
        tuple[Name, ...],
        Field(
            description="Given which time in response under control has nothing to do with whether a patient would "
            "respond to the experimental arm; a further estimate assumes it, where they are given."
        ),
    ] = ()

    def known_at(self, protocol: Protocol) -> tuple[str, ...]:
        """Visits of the response it follows."""
        return protocol.response_rule(self.response).known_at(protocol)


class AdverseEventsEndpoint(_Endpoint):
    """Adverse events by term and arm."""

    type: Literal["adverse-events"]
    term: Annotated[str, Field(description="The term whose risk the arms are compared by; any event when empty.")] = ""
    visit: Annotated[str, Field(description="When a patient has been observed; the last visit when empty.")] = ""
    at_least: Annotated[
        Number, Field(ge=0, lt=1, description="Terms are listed that this share of some arm has had.")
    ] = 0.0

    @property
    def reads_scale(self) -> bool:
        """It does not."""
        return False


class BlindingEndpoint(_Endpoint):
    """Guesses of the arm by patients and raters."""

    type: Literal["blinding"]
    guesses: Annotated[tuple[Name, ...], Field(min_length=1, description="Measures of kind 'guess'.")]
    visit: Annotated[
        str, Field(description="Visit whose score the correct-guess-rate curve is of; none when empty.")
    ] = ""

    @property
    def reads_scale(self) -> bool:
        """It does not."""
        return False

    def known_at(self, protocol: Protocol) -> tuple[str, ...]:
        """Visits of the guesses, whatever visit the curve is of."""
        return tuple(protocol.measure(name).visit for name in self.guesses)


Endpoint = Annotated[
    LongitudinalEndpoint
    | MeanEndpoint
    | ResponseEndpoint
    | OrdinalEndpoint
    | TimeToEventEndpoint
    | CountEndpoint
    | HierarchicalEndpoint
    | ClustersEndpoint
    | LossOfResponseEndpoint
    | AdverseEventsEndpoint
    | BlindingEndpoint,
    Field(discriminator="type"),
]
