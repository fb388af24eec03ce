"""The parts of a protocol: arms, allocation, visits, analysis, stopping rule, scenarios."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from .raw import Finding

__all__ = [
    "Accrual",
    "Allocation",
    "Analysis",
    "Arm",
    "Boundary",
    "Covariate",
    "FollowUp",
    "Futility",
    "Outcome",
    "Part",
    "Population",
    "SampleSize",
    "Stopping",
    "Trial",
    "Visit",
]


def _plain(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise PydanticCustomError("name", "expected printable text that neither begins nor ends with a blank")
    return value


def _whole_days(value: float) -> float:
    if not value.is_integer():
        raise PydanticCustomError("days", "expected a whole number of days")
    return value


Text = Annotated[str, Strict(), StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=200), AfterValidator(_plain)]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), AllowInfNan(False)]
Probability = Annotated[float, Strict(), AllowInfNan(False), Field(ge=0, lt=1)]
Positive = Annotated[float, Strict(), AllowInfNan(False), Field(gt=0)]
Days = Annotated[float, Strict(), AllowInfNan(False), AfterValidator(_whole_days), Field(ge=-36525, le=36525)]
Matrix = tuple[tuple[Number, ...], ...]


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("boolean", "expected 1 or 2")
    return value


class Part(BaseModel):
    """A frozen piece of a protocol that knows its own keys and names the nearest one when it meets another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _name_unknown_keys(cls, value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                cls.__name__, [cls._retold(line) for line in error.errors()]
            ) from None

    @classmethod
    def _with_findings(cls, value: Any, handler: Any, found: Iterable[Finding]) -> Any:
        """Validate, reporting the faults of single keys together with those found in the raw table."""
        lines: list[InitErrorDetails] = []
        made = None
        try:
            made = handler(value)
        except ValidationError as error:
            lines = [cls._retold(line) for line in error.errors()]
        for one in found:
            kind = PydanticCustomError("protocol", "{message}", {"message": one.message})
            lines.append(InitErrorDetails(type=kind, loc=one.place, input=one.value))
        if lines:
            raise ValidationError.from_exception_data(cls.__name__, lines)
        return made

    @classmethod
    def _retold(cls, line: Any) -> InitErrorDetails:
        kind: Any = line["type"]
        if kind == "extra_forbidden" and len(line["loc"]) == 1:
            near = difflib.get_close_matches(str(line["loc"][0]), cls.model_fields, n=1, cutoff=0.5)
            known = f"did you mean '{near[0]}'?" if near else f"known keys here are {', '.join(cls.model_fields)}"
            kind = PydanticCustomError("unknown_key", "unknown key; {known}", {"known": known})
        elif kind not in _KEPT or "ctx" not in line:
            kind = _retyped(line)
        return InitErrorDetails(type=kind, loc=line["loc"], input=line["input"], ctx=line.get("ctx", {}))


_KEPT = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


def _retyped(line: Any) -> PydanticCustomError:
    """An error of pydantic's carried on unchanged under its own message."""
    return PydanticCustomError(line["type"], "{message}", {"message": line["msg"]})


class Trial(Part):
    """What the trial is called and where it is described."""

    name: Annotated[
        Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Short name, used for file names.")
    ]
    title: Text
    summary: str = ""
    registry: str = ""
    sources: tuple[Text, ...] = ()


class Arm(Part):
    """One arm: what is given, how much, and on which days."""

    name: Name
    role: Literal["control", "experimental"]
    label: str = ""
    drug: str = ""
    dose: str = ""
    schedule: Annotated[tuple[Number, ...], Field(description="Days of administration, counted from baseline.")] = ()


class Allocation(Part):
    """How patients are allocated to the arms."""

    method: Literal["permuted-blocks", "simple"] = "permuted-blocks"
    ratio: Annotated[
        dict[str, Positive],
        Field(description="Per arm: whole numbers such as 1 and 1 or 2 and 1, or shares that sum to 1."),
    ]
    block_sizes: tuple[Annotated[Whole, Field(gt=0, le=10_000)], ...] = ()
    strata: Annotated[tuple[Name, ...], Field(description="Categorical covariates.")] = ()


class Visit(Part):
    """One planned visit."""

    name: Name
    day: Annotated[Days, Field(description="Planned day, counted from baseline.")]
    label: str = ""
    window: Annotated[
        tuple[Annotated[Days, Field(ge=0)], Annotated[Days, Field(ge=0)]],
        Field(description="Days before and after the planned day that still count."),
    ] = (0.0, 0.0)

    @property
    def closes(self) -> float:
        """Day on which the window closes, counted from baseline."""
        return self.day + self.window[1]


class Outcome(Part):
    """The rating scale that is measured at the visits."""

    scale: Name


class Covariate(Part):
    """A baseline covariate, with its distribution among virtual patients."""

    name: Name
    kind: Literal["continuous", "categorical"]
    label: str = ""
    levels: Annotated[
        tuple[Name, ...], Field(description="Of a categorical covariate; the first is the reference.")
    ] = ()
    shares: Annotated[tuple[Positive, ...], Field(description="Of the levels among virtual patients; sum to 1.")] = ()
    mean: Number | None = None
    sd: Positive | None = None
    minimum: Number | None = None
    maximum: Number | None = None


Covariance = Literal[
    "unstructured",
    "compound-symmetry",
    "compound-symmetry-heterogeneous",
    "ar1",
    "ar1-heterogeneous",
    "toeplitz",
    "toeplitz-heterogeneous",
    "ante-dependence",
    "ante-dependence-heterogeneous",
    "spatial-exponential",
    "spatial-power",
    "spatial-gaussian",
]


class Analysis(Part):
    """How the outcome is modelled."""

    outcome: Literal["change", "score"] = "change"
    visits: Annotated[tuple[Name, ...], Field(description="Visits in the model; all after baseline when empty.")] = ()
    covariates: Annotated[tuple[Name, ...], Field(description="'baseline' and names of covariates.")] = ("baseline",)
    by_visit: Annotated[tuple[Name, ...], Field(description="Covariates whose slope differs by visit.")] = ()
    covariance: Annotated[
        Covariance, Field(description="Of a patient's visits in the mixed model; a spatial one over the planned days.")
    ] = "unstructured"
    covariance_fallback: Annotated[
        tuple[Covariance, ...],
        Field(description="Structures to fit instead, in this order, where the data do not bear the one before."),
    ] = ()
    covariance_by_arm: Annotated[bool, Strict(), Field(description="Whether each arm has covariances of its own.")] = (
        False
    )
    method: Literal["reml", "ml"] = "reml"
    degrees_of_freedom: Literal["satterthwaite", "kenward-roger", "kenward-roger-mmrm", "residual", "normal"] = (
        "satterthwaite"
    )
    variance: Annotated[
        Literal["model", "CR0", "CR2", "CR3"],
        Field(description="Of the mixed model's coefficients: model-based, or a sandwich clustered by patient."),
    ] = "model"
    experimental: Annotated[
        str, Field(description="Arm compared with the control arm; needed with more than two arms.")
    ] = ""

    @property
    def covariance_described(self) -> str:
        """The covariance of the mixed model in words."""
        described = f"{self.covariance} covariance" + (" of each arm" if self.covariance_by_arm else "")
        if self.covariance_fallback:
            described += f" (where it cannot be fitted, {', then '.join(self.covariance_fallback)})"
        return described


class Boundary(Part):
    """A stopping boundary: an error-spending function, a classical boundary, or bounds as they stand."""

    family: Literal[
        "obrien-fleming",
        "pocock",
        "power",
        "hwang-shih-decani",
        "user",
        "none",
        "classical-obrien-fleming",
        "classical-pocock",
        "wang-tsiatis",
        "haybittle-peto",
        "fixed",
    ] = "obrien-fleming"
    rho: Annotated[Positive | None, Field(description="Of the power family.")] = None
    gamma: Annotated[Number | None, Field(description="Of the hwang-shih-decani family.", ge=-500, le=500)] = None
    delta: Annotated[Number | None, Field(description="Of the wang-tsiatis family.", ge=-2, le=1)] = None
    bound: Annotated[Positive | None, Field(description="Interim bound on z of the haybittle-peto family.")] = None
    cumulative: Annotated[
        tuple[Number, ...],
        Field(description="Of the user's own spending: cumulative fractions of the error, one per look."),
    ] = ()
    values: Annotated[
        tuple[Number, ...],
        Field(description="Fixed bounds, one per look; for efficacy the last may be left out and spends what is left."),
    ] = ()
    scale: Annotated[Literal["z", "p-value"] | None, Field(description="Of fixed efficacy bounds; z if absent.")] = None

    @property
    def parameters(self) -> dict[str, Any]:
        """What the family was given, by name."""
        given = {name: getattr(self, name) for name in ("rho", "gamma", "delta", "bound", "scale")}
        given |= {name: getattr(self, name) or None for name in ("cumulative", "values")}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def described(self) -> str:
        """The family and its parameters, for people."""
        spends = self.family in ("obrien-fleming", "pocock", "power", "hwang-shih-decani", "user")
        words = f"{self.family} spending" if spends else "no early stopping" if self.family == "none" else self.family
        given = "; ".join(
            f"{name} {', '.join(f'{part:g}' for part in value) if isinstance(value, tuple) else value}"
            for name, value in self.parameters.items()
        )
        return f"{words} ({given})" if given else words


class Futility(Boundary):
    """Stopping for futility: spending the type II error, or bounds as they stand."""

    family: Literal["obrien-fleming", "pocock", "power", "hwang-shih-decani", "user", "fixed"] = "obrien-fleming"
    scale: Annotated[
        Literal["z", "p-value", "conditional power", "conditional power at trend", "predictive power", "effect"] | None,
        Field(description="Of fixed futility bounds, z if absent; effect is a multiple of the planned one."),
    ] = None
    binding: Annotated[bool, Strict()] = False


class Stopping(Part):
    """The stopping rule: when to look, how much error to spend."""

    alpha: Annotated[Number, Field(ge=1e-6, lt=0.5)] = 0.05
    sided: Annotated[Literal[1, 2], BeforeValidator(_no_boolean)] = 2
    fractions: Annotated[
        tuple[Number, ...], Field(max_length=50, description="Information fractions of the looks, ending at 1.")
    ] = ()
    patients: Annotated[
        tuple[Annotated[Whole, Field(gt=0)], ...],
        Field(max_length=50, description="Instead of fractions: patients whose primary visit is due at each look."),
    ] = ()
    events: Annotated[
        tuple[Annotated[Whole, Field(gt=0)], ...],
        Field(max_length=50, description="Instead: events at each look, where the primary endpoint is a time to one."),
    ] = ()
    efficacy: Boundary = Boundary()
    futility: Futility | None = None
    beta: Annotated[Number, Field(gt=0, lt=1)] | None = None


class SampleSize(Part):
    """How many patients: given, or found from the power."""

    patients: Annotated[Whole, Field(gt=1, le=1_000_000)] | None = None
    power: Annotated[Number, Field(gt=0, lt=1)] | None = None
    scenario: Annotated[Name, Field(description="The scenario whose effect and spread the plan assumes.")]


class Accrual(Part):
    """How patients enter."""

    start: Annotated[datetime.date, Field(ge=datetime.date(1800, 1, 1), le=datetime.date(2999, 12, 31))]
    patients_per_month: Positive


class FollowUp(Part):
    """How long responders are followed for loss of response."""

    days: Annotated[Days, Field(gt=0, description="Days after the last visit.")]


class Population(Part):
    """What all scenarios share about virtual patients."""

    correlation: Annotated[Matrix, Field(description="Between visits, baseline first.")]
    dropout_odds_ratio_per_point: Annotated[
        Positive,
        Field(description="Odds ratio of dropping out before the next visit, per point of the last seen score."),
    ] = 1.0
