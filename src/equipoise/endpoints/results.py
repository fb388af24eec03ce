"""What an endpoint gives back: the estimate where all meet, and the rows a report shows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

from ..estimate import Estimate, Interval
from ..plain import plain
from .result_table import Cell, Column, ResultTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .binary.number_needed_to_treat import NumberNeededToTreat
    from .survival.kaplan_meier import KaplanMeier

__all__ = [
    "ArmMean",
    "ArmResponse",
    "Cell",
    "Column",
    "Comparison",
    "Description",
    "DifferenceInRisk",
    "Durability",
    "DurabilityResult",
    "EndpointResult",
    "MeanResult",
    "ResponseResult",
    "ResultTable",
]


class Row:
    """A frozen row; its fields go to JSON as they are, an `Interval` as limits, an `Estimate` as its numbers."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The numbers for a JSON file."""
        entry: dict[str, Any] = {}
        for item in fields(cast(Any, self)):
            value = getattr(self, item.name)
            if isinstance(value, Interval):
                entry |= {"lower": value.lower, "upper": value.upper, "level": value.level}
            elif isinstance(value, Estimate):
                entry |= {
                    "effect": value.effect,
                    "standard_error": value.standard_error,
                    "degrees_of_freedom": value.degrees_of_freedom,
                    "scale": value.scale.value,
                    "p_value": value.p_value,
                }
            else:
                entry[item.name] = value
        return plain(entry)


@dataclass(frozen=True, slots=True)
class Comparison(Row):
    """One arm against control, at one visit or altogether.

    Attributes
    ----------
    arm
        The experimental arm; control is always the protocol's.
    visit
        Where it was compared.
    estimate
        Experimental minus control, on the endpoint's scale.
    interval
        Fixed-sample confidence interval.
    """

    arm: str
    visit: str
    estimate: Estimate
    interval: Interval


@dataclass(frozen=True, slots=True)
class ArmMean(Row):
    """A mean of one arm at one visit: observed, and adjusted by the model (LS mean), in points of the outcome."""

    arm: str
    visit: str
    patients: int
    observed_mean: float
    observed_sd: float
    adjusted_mean: float
    standard_error: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class ArmResponse(Row):
    """Responders of one arm; `observed` of the `patients` were seen at the visit."""

    arm: str
    responders: int
    patients: int
    observed: int
    risk: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Durability:
    """How long response lasts in one arm.

    Attributes
    ----------
    responders
        Curve of staying in response among this arm's responders, from the response visit; None without responders.
    all_randomised
        Curve among all whose response visit was due, those without response counted as lost on day 0.
    """

    arm: str
    patients: int
    response_count: int
    responders: KaplanMeier | None
    all_randomised: KaplanMeier | None
    horizons: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Medians, their intervals and the probabilities at the horizons for a JSON file."""
        entry: dict[str, Any] = {"arm": self.arm, "patients": self.patients, "responders": self.response_count}
        for name, curve in (("among_responders", self.responders), ("among_all_randomised", self.all_randomised)):
            if curve is None:
                entry[name] = None
                continue
            entry[name] = {
                "median_days": curve.median,
                "lower": curve.median_interval.lower,
                "upper": curve.median_interval.upper,
                "losses": int(curve.events.sum()),
                "in_response": {
                    f"{day:g}": curve.survival_at([day])[0] for day in self.horizons if day <= curve.last_time
                },
            }
        return plain(entry)


@dataclass(frozen=True, slots=True)
class Description:
    """An endpoint's analysis in words, for the report; plain sentences, nothing of a trial's results.

    Attributes
    ----------
    method
        How the data are analysed and what the effect is, in sentences.
    kind
        The same in a phrase that ends a sentence: "from the mixed model for repeated measures".
    measured
        What the effect is of, for "11.9 points lower on {measured}" or "hazard ratio 0.7 for {measured}".
    assumptions
        What is taken for granted, one sentence each.
    references
        Sources of the methods.
    unit
        Of the effect, where it is not the usual one of its scale: "points a week", "mmHg".
    flow
        Who is analysed besides those seen at the visit, as a sentence.
    wins, loses
        What is said of the experimental arm against control where the effect is in its favour, and where it is not.
    test
        The test's name where it takes another standard error than the interval: "score test".
    unseen
        What the analysis makes of patients not seen, as a clause.
    """

    method: str
    kind: str
    measured: str
    assumptions: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    unit: str = ""
    test: str = ""
    flow: str = ""
    wins: str = "did better than"
    loses: str = "did worse than"
    unseen: str = "they are left out, as if they did not differ from those seen"


@dataclass(frozen=True, repr=False)
class EndpointResult:
    """Common to every endpoint's result.

    Attributes
    ----------
    name, label, kind
        The protocol's name of the endpoint, its label for people, its type.
    comparisons
        Experimental arms against control; the primary comparison first. Empty for descriptive endpoints.
    patients
        How many entered the analysis.
    notes
        What had to be said of the analysis: patients left out, visits without data.
    tables
        What else was found, ready to be shown.
    interval_name
        Whose method the intervals of the comparisons are, where they do not rest on the estimate's standard error.
    """

    name: str
    label: str
    kind: str
    comparisons: tuple[Comparison, ...]
    patients: int
    notes: tuple[str, ...] = ()
    tables: tuple[ResultTable, ...] = ()
    interval_name: str = ""

    def __str__(self) -> str:
        lines = [f"{self.label} ({self.kind}, {self.patients} patients)"]
        for found in self.comparisons:
            estimate, interval = found.estimate, found.interval
            natural = estimate.scale.natural
            limits = Interval(natural(interval.lower), natural(interval.upper), interval.level)
            error = "" if estimate.scale.is_logarithmic else f" (SE {estimate.standard_error:.4g})"
            lines.append(
                f"  {found.arm} at {found.visit}: {estimate.scale.natural_name} {natural(estimate.effect):.4g}{error}, "
                f"{100 * interval.level:g}% interval {limits}, p {estimate.p_value:.3g}"
            )
        lines += [f"  {note}" for note in self.notes]
        return "\n\n".join(["\n".join(lines), *map(str, self.tables)])

    __repr__ = __str__

    @property
    def estimate(self) -> Estimate | None:
        """The primary comparison's estimate, or None for a descriptive endpoint or where it is not defined."""
        return self.comparisons[0].estimate if self.comparisons else None

    @property
    def hypotheses(self) -> dict[str, Estimate]:
        """What a testing procedure may name: the endpoint itself, where it has an estimate."""
        return {} if self.estimate is None else {self.name: self.estimate}

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.kind,
            "patients": self.patients,
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "notes": list(self.notes),
            "tables": [table.to_dict() for table in self.tables],
        }


@dataclass(frozen=True, repr=False)
class MeanResult(EndpointResult):
    """Result of a longitudinal or one-visit analysis of the scale.

    Attributes
    ----------
    means
        By arm and visit, visits in order.
    by_visit
        Every arm against control at every modelled visit.
    model
        The fitted model as text, for the appendix of a report.
    covariance
        Of the residuals between the modelled visits, in points squared; None for one visit.
    """

    means: tuple[ArmMean, ...] = ()
    by_visit: tuple[Comparison, ...] = ()
    model: str = ""
    covariance: NDArray | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file."""
        return super().to_dict() | {
            "means": [mean.to_dict() for mean in self.means],
            "by_visit": [comparison.to_dict() for comparison in self.by_visit],
            "residual_covariance": plain(self.covariance),
        }


@dataclass(frozen=True, slots=True)
class DifferenceInRisk:
    """Risk of the experimental arm minus that of control, its interval, and whose method that is."""

    effect: float
    interval: Interval
    method: str

    @property
    def level(self) -> float:
        """Confidence level of the interval."""
        return self.interval.level


@dataclass(frozen=True, repr=False)
class ResponseResult(EndpointResult):
    """Result of a response endpoint; risk difference and number needed to treat are of the primary comparison."""

    arms: tuple[ArmResponse, ...] = ()
    difference: DifferenceInRisk | None = None
    number_needed_to_treat: NumberNeededToTreat | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file."""
        entry = super().to_dict() | {"arms": [arm.to_dict() for arm in self.arms]}
        if self.difference is not None and self.number_needed_to_treat is not None:
            entry["risk_difference"] = plain(
                {
                    "effect": self.difference.effect,
                    "lower": self.difference.interval.lower,
                    "upper": self.difference.interval.upper,
                    "level": self.difference.level,
                    "method": self.difference.method,
                }
            )
            entry["number_needed_to_treat"] = self.number_needed_to_treat.to_dict()
        return entry


@dataclass(frozen=True, repr=False)
class DurabilityResult(EndpointResult):
    """Result of a loss-of-response endpoint: descriptive curves by arm."""

    arms: tuple[Durability, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file."""
        return super().to_dict() | {"arms": [arm.to_dict() for arm in self.arms]}
