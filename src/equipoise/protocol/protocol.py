"""The protocol: one frozen object made of one file."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from ..errors import InputError
from .checks import findings
from .data_columns import DataColumns
from .endpoints import Endpoint, ResponseEndpoint
from .measures import Measure
from .parts import (
    Accrual,
    Allocation,
    Analysis,
    Arm,
    Covariate,
    FollowUp,
    Outcome,
    Part,
    Population,
    SampleSize,
    Stopping,
    Trial,
    Visit,
)
from .scales import RatingScale, scales
from .scenarios import Scenario
from .testing import Testing, hypothesis_name

if TYPE_CHECKING:
    from ..estimate import Better

__all__ = ["Protocol"]


class Protocol(Part):
    """A randomised parallel-group trial as promised before it starts.

    Build one with `Protocol.load(path)`, `gallery(name)` or `Protocol.model_validate(table)`.
    """

    trial: Trial
    arms: tuple[Arm, ...]
    allocation: Allocation
    visits: tuple[Visit, ...]
    outcome: Annotated[Outcome | None, Field(description="The rating scale; absent where the trial has none.")] = None
    measures: Annotated[tuple[Measure, ...], Field(description="What is recorded besides the scale.")] = ()
    covariates: tuple[Covariate, ...] = ()
    endpoints: tuple[Endpoint, ...]
    analysis: Analysis = Analysis()
    testing: Annotated[Testing | None, Field(description="How several hypotheses are tested.")] = None
    stopping: Stopping
    sample_size: SampleSize
    accrual: Accrual
    follow_up: FollowUp | None = None
    population: Annotated[Population | None, Field(description="Needed with a rating scale.")] = None
    scenarios: dict[str, Scenario] = Field(min_length=1)
    data: DataColumns | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _check_everything(cls, value: Any, handler: Any) -> Any:
        return cls._with_findings(value, handler, findings(value))

    def __str__(self) -> str:
        looks = self.stopping.patients or self.stopping.events or self.stopping.fractions
        return "\n".join(
            [
                f"{self.trial.name}: {self.trial.title} (protocol {self.hash[:12]})",
                f"  arms       {', '.join(self.arm_names)}; {self.allocation.method}",
                f"  visits     {', '.join(self.visit_names)}" + (f"; {self.outcome.scale}" if self.outcome else ""),
                f"  endpoints  {', '.join(f'{item.name} ({item.role})' for item in self.endpoints)}",
                f"  looks      {', '.join(f'{look:g}' for look in looks)}; alpha {self.stopping.alpha:g}, "
                f"{'two' if self.stopping.sided == 2 else 'one'}-sided",
                f"  scenarios  {', '.join(self.scenarios)}",
            ]
        )

    __repr__ = __str__  # type: ignore[assignment]

    @staticmethod
    def load(path: Any) -> Protocol:
        """Read a protocol from a TOML file; raises `ProtocolError` that lists every fault with its line."""
        from .load import load

        return load(path)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the protocol's content, independent of comments and layout of the file."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def scale(self) -> RatingScale:
        """The rating scale of the outcome; raises `InputError` where the protocol has none."""
        if self.outcome is None:
            raise InputError("outcome", None, "a rating scale, which this protocol does not name")
        return scales()[self.outcome.scale]

    @property
    def scale_name(self) -> str:
        """Name of the rating scale, empty where there is none."""
        return "" if self.outcome is None else self.outcome.scale

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Names of the arms, the control first, the compared experimental arm second."""
        first = [self.control.name, self.experimental.name]
        return (*first, *(arm.name for arm in self.arms if arm.name not in first))

    @property
    def control(self) -> Arm:
        """The control arm."""
        return next(arm for arm in self.arms if arm.role == "control")

    @property
    def experimental(self) -> Arm:
        """The experimental arm that the primary comparison sets against the control."""
        chosen = self.analysis.experimental
        return next(arm for arm in self.arms if arm.role == "experimental" and chosen in ("", arm.name))

    @property
    def visit_names(self) -> tuple[str, ...]:
        """Names of the visits in order, baseline first."""
        return tuple(visit.name for visit in self.visits)

    @property
    def modelled_visits(self) -> tuple[str, ...]:
        """Visits after baseline that enter the longitudinal model."""
        return self.analysis.visits or self.visit_names[1:]

    @property
    def primary(self) -> Any:
        """The primary endpoint."""
        return next(endpoint for endpoint in self.endpoints if endpoint.role == "primary")

    def endpoint(self, name: str) -> Any:
        """The endpoint of that name; raises `InputError` naming those there are."""
        for found in self.endpoints:
            if found.name == name:
                return found
        raise InputError("endpoint", name, f"one of {', '.join(item.name for item in self.endpoints)}")

    def hypothesis(self, name: str) -> tuple[Any, str]:
        """The endpoint that a hypothesis is about, and the cluster, empty where it is about the endpoint itself; raises
        `InputError` for a name that is neither's.
        """
        for endpoint in self.endpoints:
            for cluster in ("", *endpoint.clusters_of(self)):
                if name == hypothesis_name(endpoint.name, cluster):
                    return endpoint, cluster
        raise InputError("hypothesis", name, "the name of an endpoint, or 'endpoint: cluster'")

    @property
    def used_covariates(self) -> frozenset[str]:
        """Covariates that an analysis or the allocation needs, 'baseline' among them where it does."""
        named = [*self.analysis.covariates, *self.allocation.strata]
        named += [
            name for item in self.endpoints for key in ("covariates", "strata") for name in getattr(item, key, ()) or ()
        ]
        return frozenset(named)

    @property
    def primary_visit(self) -> str:
        """The visit at which the primary endpoint is known of a patient."""
        return self.visit_of(self.primary)

    def measure(self, name: str) -> Measure:
        """The measure of that name; raises `InputError` naming those there are."""
        for found in self.measures:
            if found.name == name:
                return found
        known = ", ".join(item.name for item in self.measures) or "none"
        raise InputError("measure", name, f"a measure of the protocol; it has {known}")

    def better_of(self, measure: str = "") -> Better:
        """Whether a higher or a lower value of a measure is good, or of the rating scale where none is named."""
        return self.measure(measure).better if measure else self.scale.better

    def visit_of(self, endpoint: Any) -> str:
        """The visit at which an endpoint is known of a patient: the latest that it needs."""
        return max(endpoint.known_at(self), key=self.visit_names.index)

    def visit(self, name: str) -> Visit:
        """The visit of that name."""
        return self.visits[self.visit_names.index(name)]

    def scenario(self, name: str) -> Scenario:
        """The scenario of that name; raises `InputError` naming those there are."""
        if name not in self.scenarios:
            raise InputError("scenario", name, f"one of {', '.join(self.scenarios)}")
        return self.scenarios[name]

    @property
    def confidence_level(self) -> float:
        """Level of two-sided intervals that matches the stopping rule's alpha: 1 - alpha, or 1 - 2 alpha when
        one-sided.
        """
        return 1 - self.stopping.alpha * (2 if self.stopping.sided == 1 else 1)

    def response_rule(self, name: str) -> ResponseEndpoint:
        """The response endpoint of that name."""
        found = self.endpoint(name)
        assert isinstance(found, ResponseEndpoint)
        return found

    def responded(self, rule: ResponseEndpoint, baseline: Any, score: Any) -> Any:
        """Whether scores have improved on the baseline as much as the rule asks; False where either is NaN.

        Parameters
        ----------
        baseline, score
            Arrays of the same shape, in points.
        """
        gain = baseline - score if self.scale.better == "lower" else score - baseline
        needed = rule.improvement * baseline if rule.improvement is not None else (rule.points or 0.0)
        return gain >= needed - 1e-9

    def shares(self) -> tuple[float, ...]:
        """Allocation as fractions that sum to 1, in the order of `arm_names`."""
        total = sum(self.allocation.ratio.values())
        return tuple(self.allocation.ratio[name] / total for name in self.arm_names)
