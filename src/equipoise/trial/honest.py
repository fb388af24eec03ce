"""What may be claimed of every endpoint of a trial that could stop early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..endpoints.binary.number_needed_to_treat import NumberNeededToTreat, number_needed_to_treat
from ..endpoints.binary.proportions import RiskDifference
from ..endpoints.influence import EndpointCorrelations, endpoint_correlations
from ..endpoints.results import ResponseResult
from ..estimate import Interval, Scale
from ..sequential.secondary import EstimateWithLimits, SecondaryEstimates, secondary_estimates
from ..text_table import text_table
from .analyse import NotAnalysed
from .secondary_counts import secondary_of_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..estimate import Estimate
    from .analyse import TrialResult

__all__ = ["HonestRow", "HonestTable", "honest_table"]

_SEEN = ("as observed", "bias-adjusted", "median-unbiased", "given the stop")


@dataclass(frozen=True, eq=False)
class HonestRow:
    """One endpoint as observed and as corrected for the stop.

    Attributes
    ----------
    name
        Of the endpoint, or "endpoint: cluster".
    endpoint
        The endpoint it belongs to.
    is_response
        Whether it is a difference in the proportion of responders, of which a number needed to treat is made.
    observed
        Its estimate at the deciding look, of the whole follow-up where the endpoint takes that.
    correlation, correlation_standard_error
        Of this estimate with that of the primary endpoint, each on its own scale, from the patients' influence on both;
        1 for the primary itself, NaN where it cannot be had.
    estimates
        Corrected, None where there is no correlation; of responders by Newcombe's interval (`secondary_of_counts`).
    reason
        Why it is not corrected; else empty.
    """

    name: str
    endpoint: str
    is_response: bool
    observed: Estimate
    correlation: float
    correlation_standard_error: float
    estimates: SecondaryEstimates | None
    reason: str = ""

    @property
    def inflation(self) -> float:
        """How far the stop inflates the observed effect on average, observed less bias-adjusted, positive where it
        flatters the experimental arm; NaN where it is not corrected.
        """
        if self.estimates is None:
            return float("nan")
        gap = self.observed.effect - float(self.estimates.bias_adjusted)
        return gap if self.observed.better == "higher" else -gap

    def interval(self, which: str) -> Interval | None:
        """Confidence interval "as observed", "median-unbiased" (valid over all such trials) or "given the stop" (among
        those that end at the same look).
        """
        if self.estimates is None:
            return None
        found = _limits(self.estimates, which)
        return None if found is None else Interval(float(found.lower), float(found.upper), self.estimates.level)

    def value(self, which: str) -> float:
        """The effect "as observed", "bias-adjusted", "median-unbiased" or "given the stop"; NaN where not corrected."""
        if which == "as observed":
            return self.observed.effect
        if self.estimates is None:
            return float("nan")
        if which == "bias-adjusted":
            return float(self.estimates.bias_adjusted)
        found = _limits(self.estimates, which)
        return float("nan") if found is None else float(found.estimate)

    def number_needed_to_treat(self, which: str) -> NumberNeededToTreat | None:
        """From the difference in response, the set of numbers from its interval; None for effects of other kinds.

        With the bias-adjusted difference stands the interval that is valid over all such trials.
        """
        if not self.is_response or self.estimates is None:
            return None
        effect, interval = self.value(which), self.interval("median-unbiased" if which == "bias-adjusted" else which)
        if interval is None or effect not in interval or not np.isfinite([interval.lower, interval.upper]).all():
            return None
        return number_needed_to_treat(effect, interval, self.observed.better)

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file; None where there is no number."""
        entry: dict[str, Any] = {
            "name": self.name,
            "scale": self.observed.scale.value,
            "better": self.observed.better,
            "effect": self.observed.effect,
            "standard_error": self.observed.standard_error,
            "correlation_with_primary": self.correlation,
            "correlation_standard_error": self.correlation_standard_error,
            "reason_not_corrected": self.reason,
            "inflation": self.inflation,
        }
        for which in _SEEN:
            key, interval = which.replace(" ", "_").replace("-", "_"), self.interval(which)
            entry[key] = {"effect": self.value(which)}
            if interval is not None:
                entry[key] |= {"lower": interval.lower, "upper": interval.upper, "level": interval.level}
            if found := self.number_needed_to_treat(which):
                entry[key]["number_needed_to_treat"] = found.to_dict()
        return entry


@dataclass(frozen=True, eq=False, repr=False)
class HonestTable:
    """Every endpoint of a stopped trial, the primary first, with what may be claimed of it.

    Attributes
    ----------
    correlations
        Of the endpoints' estimates, whence the corrections of the secondary ones.
    """

    rows: tuple[HonestRow, ...]
    correlations: EndpointCorrelations

    def __str__(self) -> str:
        lines: list[list[str]] = []
        for row in self.rows:
            natural = row.observed.scale.natural
            cells = [row.name]
            for which in _SEEN:
                interval, value = row.interval(which), row.value(which)
                text = "–" if np.isnan(value) else f"{natural(value):.4g}"
                if interval is not None:
                    text += f" ({natural(interval.lower):.4g} to {natural(interval.upper):.4g})"
                cells.append(text)
            lines.append([*cells, "–" if np.isnan(row.correlation) else f"{row.correlation:.2f}"])
        return text_table(["", *_SEEN, "correlation"], lines)

    __repr__ = __str__

    @property
    def primary(self) -> HonestRow:
        """The row of the primary endpoint."""
        return self.rows[0]

    def row(self, name: str) -> HonestRow | None:
        """The row of a name; None where there is none."""
        return next((row for row in self.rows if row.name == name), None)

    def to_dict(self) -> list[dict[str, Any]]:
        """For a JSON file, a row an endpoint."""
        return [row.to_dict() for row in self.rows]


def honest_table(result: TrialResult) -> HonestTable | None:
    """Correct every endpoint of a trial for the rule that stopped it.

    The primary's estimates are those of its `Conclusion`; every other endpoint is corrected as far as its estimate goes
    with the primary's: Whitehead's (1986) bias adjustment, and the estimates and intervals of `secondary_estimates`.
    The correlations come from leaving out one patient after the other (`endpoint_correlations`).

    Returns
    -------
    None where there is nothing to correct: a single planned look, a trial that goes on, a last look that failed.
    """
    conclusion = result.conclusion
    if conclusion is None or not conclusion.decision.stops or conclusion.design.looks == 1:
        return None
    if isinstance(result.primary, NotAnalysed) or result.primary.name not in result.primary.hypotheses:
        return None
    found: dict[str, tuple[str, Estimate]] = {}
    for item in (result.primary, *result.secondary):
        if not isinstance(item, NotAnalysed):
            found |= {name: (item.name, estimate) for name, estimate in item.hypotheses.items()}
    primary = result.primary.name
    found[primary] = (primary, conclusion.observed)
    correlations = endpoint_correlations(result.protocol, result.data, result.followed, tuple(found))
    rows = []
    for name, (endpoint, estimate) in found.items():
        is_response = result.protocol.endpoint(endpoint).type == "response" and estimate.scale is Scale.RISK_DIFFERENCE
        correlation, error, reason = 1.0, 0.0, ""
        if name != primary:
            correlation, error = correlations.of(primary, name), correlations.standard_error_of(primary, name)
            reason = _why(correlations.failures, primary, name) if np.isnan(correlation) else ""
        counts = None if name == primary else _counts_of(result, endpoint)
        corrected = None
        if not reason and counts is None:
            corrected = secondary_estimates(conclusion, estimate, correlation)
        elif not reason and counts is not None:
            corrected = secondary_of_counts(conclusion, counts, estimate, np.asarray(correlation))
        rows.append(HonestRow(name, endpoint, is_response, estimate, correlation, error, corrected, reason))
    return HonestTable(tuple(rows), correlations)


def _counts_of(result: TrialResult, name: str) -> RiskDifference | None:
    """Responders behind a difference in response, where its interval is of these counts alone."""
    item = next(one for one in (result.primary, *result.secondary) if one.name == name)
    if not isinstance(item, ResponseResult) or not item.interval_name.startswith("Newcombe"):
        return None
    arms = {arm.arm: arm for arm in item.arms}
    one, two = (arms[arm.name] for arm in (result.protocol.experimental, result.protocol.control))
    found = RiskDifference(one.responders, one.patients, two.responders, two.patients)
    same = item.estimate is not None and abs(item.estimate.effect - found.effect) < 1e-12
    return found if same else None


def _why(failures: Mapping[str, str], primary: str, name: str) -> str:
    return failures.get(name) or failures.get(primary) or "its correlation with the primary endpoint cannot be had"


def _limits(estimates: SecondaryEstimates, which: str) -> EstimateWithLimits | None:
    return {
        "as observed": estimates.naive,
        "median-unbiased": estimates.median_unbiased,
        "given the stop": estimates.given_look,
    }.get(which)
