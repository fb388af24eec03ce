"""Virtual trials as cohorts of patients, drawn from a scenario many at once; one of them as trial data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cohort import Cohort
from ..data import VIRTUAL, Origin, TrialData
from ..errors import InputError
from ..patients import (
    Draws,
    draw_covariates,
    draw_entry,
    draw_events,
    draw_left,
    draw_measure,
    draw_scores,
    draw_subscales,
    exposure_shift,
    hide_unseen,
    mean_exposure_shift,
    side_effects,
    somebody_leaves,
    visit_days,
)
from ..randomise import permuted_blocks, simple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..patients import Truth
    from ..protocol import Protocol

__all__ = ["draw_cohort", "virtual_trial"]


def virtual_trial(
    protocol: Protocol, truth: Truth, draws: Draws, patients: int, origin: Origin | None = None
) -> TrialData:
    """All patients that the first trial of `draws` would see if it never stopped early, to the end of their follow-up.

    Parameters
    ----------
    truth
        Law of the patients in each arm.
    patients
        How many to enter.
    origin
        Carried to the data, so that they say where they come from.
    """
    return draw_cohort(protocol, truth, draws, patients).trial(0, origin or Origin(VIRTUAL))


def draw_cohort(
    protocol: Protocol, truth: Truth, draws: Draws, patients: int, endpoints: Sequence[Any] | None = None
) -> Cohort:
    """The patients of all trials of `draws`.

    Parameters
    ----------
    patients
        How many enter each trial.
    endpoints
        Draw only what these need; everything that the protocol records when absent. What is drawn is the same.

    Raises
    ------
    InputError
        Where the protocol or the scenario does not say how something that is needed is distributed.
    """
    needed = _Needed(protocol, protocol.endpoints if endpoints is None else endpoints, everything=endpoints is None)
    lifelike, scenario = truth.lifelike, truth.scenario
    randomised = draw_entry(draws, patients, protocol.accrual.patients_per_month)
    site = lifelike.site(draws, patients)
    given = [item for item in protocol.covariates if needed.everything or item.name in needed.covariates]
    covariates = draw_covariates(draws, patients, given)
    for item in given:
        if site is not None and item.name == "site":
            covariates["site"] = np.array(item.levels)[site]
    _check_covariates(covariates, needed.covariates)
    arm = _allocate(protocol, draws, patients, covariates)
    assessed = visit_days(draws, patients, protocol.visits, randomised)
    belief = lifelike.belief(draws, arm, _affected(draws, truth, arm) if lifelike.beliefs else {})
    if protocol.outcome is None:
        # only who leaves or misses visits without a score is ever asked for one
        asked = lifelike.misses is not None or somebody_leaves(truth.leaving)
        scores = np.full(assessed.shape, np.nan) if asked else np.broadcast_to(np.nan, assessed.shape)
    else:
        exposure = None
        if scenario.exposure is not None:
            exposure = exposure_shift(draws, protocol, scenario, arm) - mean_exposure_shift(protocol, scenario)[arm]
        shift = lifelike.shifts(draws, arm, site, belief, assessed, exposure)
        scores = draw_scores(draws, lifelike.law(draws, arm), truth.laws, shift)
    follow_up = protocol.follow_up.days if protocol.follow_up else 0.0
    # days of leaving take all visits as planned, seen or not
    left = draw_left(draws, arm, scores, assessed, truth.leaving, follow_up)
    missed = lifelike.missed(draws, arm, scores)
    measured = [measure for measure in protocol.measures if measure.name in needed.measures]
    until = {}
    for measure in measured:
        if measure.kind in ("time", "count"):
            day = assessed[:, :, protocol.visit_names.index(measure.visit)]
            until[measure.name] = day.copy() if left.last is None else np.fmin(day, left.withdrawn)
    hide_unseen(left.last, missed, assessed, scores)
    measures = {}
    for measure in measured:
        seen = np.ascontiguousarray(assessed[:, :, protocol.visit_names.index(measure.visit)])
        guess = belief.astype(float) if belief is not None and measure.name in lifelike.guesses else None
        measures[measure.name] = draw_measure(
            draws, measure, truth, arm, randomised, seen, until.get(measure.name, seen), value=guess
        )
    event_days = {}
    if needed.events:
        here = ~np.isnan(assessed)
        event_days = draw_events(draws, protocol, truth, arm, randomised, scores, assessed, here, left.last_contact)
    return Cohort(
        arm_names=protocol.arm_names,
        visit_names=protocol.visit_names,
        scale=protocol.scale_name,
        arm=arm,
        randomised=randomised,
        scores=np.empty((len(draws), patients, 0)) if protocol.outcome is None else scores,
        assessed=assessed,
        closes=np.array([visit.closes for visit in protocol.visits]),
        complete=left.last is None and missed is None,
        tells_visits=needed.visits,
        withdrawn=left.withdrawn,
        last_contact=left.last_contact,
        covariates=covariates,
        measures=measures,
        subscales=draw_subscales(draws, protocol, truth, arm, scores) if needed.subscales else {},
        event_days=event_days,
        start=protocol.accrual.start,
    )


class _Needed:
    """What some endpoints of a protocol read, by what they name."""

    def __init__(self, protocol: Protocol, endpoints: Sequence[Any], everything: bool) -> None:
        told = [word for item in endpoints for word in _words(item.model_dump())]
        kinds = {item.type for item in endpoints}
        self.everything = everything
        self.measures = {item.name for item in protocol.measures if everything or item.name in told}
        self.covariates = protocol.used_covariates & {*protocol.analysis.covariates, *protocol.allocation.strata, *told}
        self.events = bool(kinds & {"loss-of-response", "adverse-events", "hierarchical"}) or everything
        self.subscales = "clusters" in kinds
        self.visits = everything or any(_reads_visits(item) for item in endpoints)


def _reads_visits(endpoint: Any) -> bool:
    """Whether an endpoint may read scores, their days, or which visits were due."""
    of_measure = endpoint.type in ("mean", "time-to-event", "count") and endpoint.measure
    return not of_measure or "baseline" in (endpoint.covariates or ())


def _words(value: Any) -> list[str]:
    """All texts in nested values."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [word for part in parts for word in _words(part)]


def _affected(draws: Draws, truth: Truth, arm: NDArray[np.intp]) -> dict[str, NDArray[np.bool_]]:
    """Who has each adverse event of the scenario, shape (trials, patients)."""
    terms = sorted({term for law in truth.arms for term in law.adverse_events})
    risks = np.array([[law.adverse_events.get(term, 0.0) for term in terms] for law in truth.arms])
    return side_effects(draws, terms, risks, arm)


def _check_covariates(drawn: dict[str, Any], needed: frozenset[str]) -> None:
    for name in sorted(needed - {"baseline"}):
        if name not in drawn:
            raise InputError(
                f"covariates.{name}", None, "a distribution for virtual patients: 'shares', or 'mean' and 'sd'"
            )


def _allocate(protocol: Protocol, draws: Draws, patients: int, covariates: dict[str, NDArray[Any]]) -> NDArray[np.intp]:
    shares, allocation = protocol.shares(), protocol.allocation
    if allocation.method == "simple":
        return simple(draws.uniform("allocation", patients), shares)
    strata = None
    for covariate in protocol.covariates:
        if covariate.name in allocation.strata:
            values = covariates[covariate.name]
            level = np.zeros(values.shape, dtype=np.intp)
            for at, name in enumerate(covariate.levels):
                level[values == name] = at
            strata = level if strata is None else strata * len(covariate.levels) + level
    return permuted_blocks(draws.uniform("allocation", patients, 2), shares, allocation.block_sizes, strata)
