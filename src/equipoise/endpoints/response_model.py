"""What a response endpoint makes of one trial: who counts, who responded, and how the arms compare."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import reason
from .adjusted import model_columns
from .binary.comparisons import SCALES, Comparison, compared
from .binary.counting import count_tables
from .binary.g_computation import MarginalRisks, g_computation
from .binary.imputed_response import impute_responses, pooled_comparison, pooled_risk
from .binary.imputed_scores import impute_scores
from .binary.mantel_haenszel import compared_strata
from .binary.proportions import newcombe_limits, wilson_interval
from .binary.score import Measure, score_interval
from .binary.strata import Strata, strata_of
from .binary.stratified_score import stratified_score_interval
from .present_arms import present_arms
from .results import ArmResponse, DifferenceInRisk
from .strata import stratum_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol, ResponseEndpoint
    from ..trial_batch import TrialBatch

    Counts = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

__all__ = [
    "EFFECTS",
    "ResponseModel",
    "analysed",
    "compare_counts",
    "in_denominator",
    "measured_on",
    "responded",
    "response_values",
]

EFFECTS: dict[str, tuple[Comparison, Measure]] = {
    "risk-difference": ("score", "difference"),
    "risk-ratio": ("risk-ratio", "ratio"),
    "odds-ratio": ("odds-ratio", "odds ratio"),
}


def responded(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Whether each patient was seen to respond, or to have the event of a measure; shape (..., patients)."""
    if endpoint.measure:
        return np.asarray(data.measure(endpoint.measure).value == 1)
    return np.asarray(protocol.responded(endpoint, data.baseline, data.at(endpoint.visit)))


def _seen(endpoint: ResponseEndpoint, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    if endpoint.measure:
        return ~np.isnan(data.measure(endpoint.measure).value)
    return ~np.isnan(data.at(endpoint.visit))


def in_denominator(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who counts: those whose visit was due and, if the protocol says so, only those seen there; (..., patients).

    A patient who has not reached the visit by the cut of the data is in no denominator; one without a baseline score
    can neither respond on the rating scale nor fail to, and is left out.
    """
    seen = _seen(endpoint, data)
    counts = seen if endpoint.missing == "observed-only" else seen | data.is_due(protocol.visit_of(endpoint))
    return counts & (data.arm >= 0) & (np.ones_like(seen) if endpoint.measure else ~np.isnan(data.baseline))


def analysed(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who enters the comparison: those who count and whose stratum and covariates are known; shape (..., patients)."""
    kept = in_denominator(endpoint, protocol, data)
    codes = stratum_codes(protocol, data, endpoint.strata)
    if codes is not None:
        kept &= codes >= 0
    if endpoint.covariates:
        _, columns = model_columns(protocol, data, endpoint.covariates, np.where(kept, 0.0, np.nan))
        kept &= ~np.isnan(columns).any(axis=-1)
    return kept


def measured_on(endpoint: ResponseEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """The difference in risk or the logarithm of a ratio, and whether more or fewer responses are good."""
    return SCALES[EFFECTS[endpoint.effect][0]], protocol.better_of(endpoint.measure) if endpoint.measure else "higher"


def response_values(
    endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData | TrialBatch
) -> NDArray[np.float64]:
    """1 with, 0 without the response; NaN for who does not count or is to be imputed; shape (..., patients)."""
    unseen = np.nan
    if endpoint.missing == "non-response":
        unseen = 0.0 if measured_on(endpoint, protocol)[1] == "higher" else 1.0
    values = np.where(_seen(endpoint, data), responded(endpoint, protocol, data), unseen)
    return np.where(in_denominator(endpoint, protocol, data), values, np.nan)


def compare_counts(
    endpoint: ResponseEndpoint,
    protocol: Protocol,
    tables: tuple[NDArray[np.float64], ...],
    arms: tuple[str, str],
    comparison: Comparison,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[int, InputError]]:
    """Effect, standard error, and what is wrong with the trials that have none.

    Parameters
    ----------
    tables
        Counts of shape (trials,), or (trials, strata) where the endpoint has strata.
    arms
        Names of the arms compared, for messages: experimental, control.
    """
    if endpoint.strata:
        effect, error, failures = compared_strata(strata_of(*tables), comparison)
    else:
        effect, error, failures = compared(tables, comparison)
    for total, name in ((tables[3], arms[1]), (tables[1], arms[0])):
        empty = (total.sum(axis=1) if endpoint.strata else total) == 0
        for row in np.flatnonzero(empty).tolist():
            failures[row] = nobody(endpoint, protocol, name)
    return effect, error, failures


def nobody(endpoint: ResponseEndpoint, protocol: Protocol, arm: str) -> InputError:
    """Why an arm without patients is not compared."""
    expected = f"at least one patient due at {protocol.visit_of(endpoint)}"
    return InputError(f"response in arm {arm}", 0, expected)


class ResponseModel:
    """One trial under a response endpoint.

    Attributes
    ----------
    counts
        Who is in the denominator, shape (patients,).
    kept
        Who of them enters the comparison: those whose stratum and covariates are known, shape (patients,).
    values
        Responses, NaN for who does not enter or is to be imputed, shape (patients,).
    codes
        Strata, -1 where not known, shape (patients,); None without strata.
    present
        Arms by number that a model of covariates has: control, the experimental arm, others that have patients.
    """

    def __init__(self, endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData) -> None:
        self.endpoint, self.protocol, self.data = endpoint, protocol, data
        self.counts, self.kept = in_denominator(endpoint, protocol, data), analysed(endpoint, protocol, data)
        self.codes = stratum_codes(protocol, data, endpoint.strata)
        values = response_values(endpoint, protocol, data)
        self.names, self.columns = model_columns(protocol, data, endpoint.covariates, values)
        self.values = np.where(self.kept, values, np.nan)
        self.present, self._arm = present_arms(data.arm, self.kept, len(data.arm_names))
        self.better: Better = measured_on(endpoint, protocol)[1]
        self.label = endpoint.title

    @cached_property
    def completed(self) -> NDArray[np.float64]:
        """Responses of those kept with the missing ones imputed, shape (imputations, kept).

        The draws follow from the data themselves: the same data give the same imputations.
        """
        endpoint, data, arm = self.endpoint, self.data, self.data.arm[self.kept]
        if endpoint.measure:
            given = self.values[self.kept]
            return impute_responses(given, arm, endpoint.imputations, _generator(arm, given))
        last = data.visit_names.index(endpoint.visit)
        scores, baseline = data.scores[self.kept, 1 : last + 1], data.baseline[self.kept]
        generator = _generator(arm, baseline, scores)
        drawn = impute_scores(scores, arm, baseline[:, None], endpoint.imputations, generator)
        return self.protocol.responded(endpoint, baseline, drawn).astype(float)

    @cached_property
    def _standardised(self) -> MarginalRisks | InputError:
        """Risks standardised over the covariates, or why the model cannot be fitted."""
        try:
            return g_computation(
                self.values,
                self._arm,
                self.columns,
                variance=self.endpoint.variance,
                names=self.names,
                arms=len(self.present),
                better=self.better,
                label=self.label,
            )
        except InputError as error:
            return error

    @property
    def risks(self) -> MarginalRisks | None:
        """Standardised over the covariates, of the arms present; None without covariates, or where their model cannot
        be fitted and the comparison is unadjusted.
        """
        if not self.endpoint.covariates or isinstance(self._standardised, InputError):
            return None
        return self._standardised

    @property
    def notes(self) -> tuple[str, ...]:
        """That and why the comparison is not adjusted though the endpoint has covariates."""
        if not self.endpoint.covariates or not isinstance(self._standardised, InputError):
            return ()
        return (
            f"not adjusted for covariates, whose model cannot be fitted: {reason(str(self._standardised))}; the"
            " comparison is unadjusted",
        )

    def tables(self, at: int) -> Counts:
        """Counts of an arm and control, shape () or (strata,)."""
        return count_tables(self.values, self.data.arm, (at, 0), self.codes)

    def strata(self, at: int) -> Strata:
        """Strata of an arm and control."""
        return strata_of(*self.tables(at))

    def compare(self, at: int = 1, effect: str = "") -> Estimate:
        """An arm against control by the endpoint's effect, or another; unadjusted where the covariates bear no model.

        Raises
        ------
        InputError, NotEstimable
            With the reason where there is none.
        """
        effect, risks = effect or self.endpoint.effect, self.risks
        names = self.data.arm_names
        if risks is not None:
            if at not in self.present:
                raise nobody(self.endpoint, self.protocol, names[at])
            return risks.compare(self.present.index(at), 0, effect)  # type: ignore[arg-type]
        comparison = EFFECTS[effect][0]
        if self.endpoint.missing == "multiple-imputation":
            for arm in (0, at):
                if not (self.kept & (self.data.arm == arm)).any():
                    raise nobody(self.endpoint, self.protocol, names[arm])
            comparison = "wald" if comparison == "score" else comparison
            arms = self.data.arm[self.kept]
            return pooled_comparison(self.completed, arms, comparison, self.better, self.label, (at, 0))
        tables = tuple(part[None] for part in self.tables(at))
        found, error, failures = compare_counts(self.endpoint, self.protocol, tables, (names[at], names[0]), comparison)
        if failures:
            raise failures[0]
        return Estimate(
            float(found[0]), float(error[0]), scale=SCALES[comparison], better=self.better, label=self.label
        )

    def interval(self, at: int, effect: str = "") -> tuple[Interval, str]:
        """Interval of an arm against control on the scale of its estimate, and whose method it is.

        Raises
        ------
        InputError, NotEstimable
            With the reason where there is none.
        """
        effect, level = effect or self.endpoint.effect, self.protocol.confidence_level
        endpoint = self.endpoint
        score = endpoint.interval == "miettinen-nurminen"
        if self.risks is not None or endpoint.missing == "multiple-imputation":
            return self.compare(at, effect).interval(level), "Wald"
        if endpoint.strata:
            if effect != "risk-difference":
                return self.compare(at, effect).interval(level), "Wald"
            sato = compared_strata(self.strata(at).alone, "wald")
            if score or sato[2]:
                return stratified_score_interval(*self.tables(at), level), "Miettinen-Nurminen, stratified"
            return Estimate(float(sato[0][0]), float(sato[1][0]), scale=SCALES["wald"]).interval(level), "Sato"
        events1, total1, events2, total2 = (int(part) for part in self.tables(at))
        if not total1:
            raise nobody(endpoint, self.protocol, self.data.arm_names[at])
        table = events1, total1, events2, total2
        if effect == "risk-difference" and not score:
            lower, upper = newcombe_limits(*table, level)
            return Interval(float(lower), float(upper), level), "Newcombe"
        if not score:
            return self.compare(at, effect).interval(level), "Wald"
        natural = score_interval(*table, level, EFFECTS[effect][1])
        if effect == "risk-difference":
            return natural, "Miettinen-Nurminen"
        with np.errstate(divide="ignore"):
            lower, upper = np.log([natural.lower, natural.upper])
        return Interval(float(lower), float(upper), level), "Miettinen-Nurminen"

    def difference(self, at: int = 1) -> DifferenceInRisk:
        """The difference in risk, whatever the endpoint's effect; raises as `compare` where there is none."""
        interval, method = self.interval(at, "risk-difference")
        if self.risks is not None or self.endpoint.missing == "multiple-imputation":
            effect = self.compare(at, "risk-difference").effect
        elif self.endpoint.strata:
            strata = self.strata(at)
            share = strata.weight / strata.weight.sum()
            held = strata.patients > 0
            one, first, two, second = (part[held] for part in strata.tables)
            effect = float(share[held] @ (one / first - two / second))
        else:
            events1, total1, events2, total2 = (float(part) for part in self.tables(at))
            effect = events1 / total1 - events2 / total2
        return DifferenceInRisk(effect, interval, _METHODS.get(method, method))

    @cached_property
    def arms(self) -> tuple[ArmResponse, ...]:
        """Responders and risk by arm, not adjusted; of imputed responses, averages over the completed data sets.

        Raises `InputError` where control or the experimental arm has no patients; another arm without any has no risk,
        NaN, which may be anything from 0 to 1.
        """
        seen, level = _seen(self.endpoint, self.data), self.protocol.confidence_level
        rows = []
        for at, name in enumerate(self.data.arm_names):
            members = self.kept & (self.data.arm == at)
            total = int(members.sum())
            if not total and at < 2:
                raise nobody(self.endpoint, self.protocol, name)
            if not total:
                rows.append(ArmResponse(name, 0, 0, 0, math.nan, Interval(0.0, 1.0, level)))
                continue
            observed = int((members & seen).sum())
            if self.endpoint.missing == "multiple-imputation":
                risk, interval = pooled_risk(self.completed, self.data.arm[self.kept], at, level)
                rows.append(ArmResponse(name, round(risk * total), total, observed, risk, interval))
            else:
                events = int(self.values[members].sum())
                interval = wilson_interval(events, total, level)
                rows.append(ArmResponse(name, events, total, observed, events / total, interval))
        return tuple(rows)

    @property
    def unseen(self) -> int:
        """How many count though they were not seen."""
        return int((self.kept & ~_seen(self.endpoint, self.data)).sum())


_METHODS = {"Newcombe": "Newcombe hybrid score"}


def _generator(arm: NDArray[np.intp], *values: NDArray[np.float64]) -> np.random.Generator:
    """The random generator that belongs to data: Philox keyed by their digest."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (arm.astype(np.int64), *values):
        digest.update(np.ascontiguousarray(part).tobytes())
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest(), "little")))
