"""One virtual trial as trial data, drawn from a scenario."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from ..data import ADVERSE_EVENT, LOSS_OF_RESPONSE, VIRTUAL, Events, Origin, TrialData
from ..errors import InputError
from ..patients import (
    Truth,
    draw_clusters,
    draw_covariates,
    draw_entry,
    draw_measure,
    draw_trajectories,
    visit_days,
)
from ..protocol import ClustersEndpoint, LossOfResponseEndpoint
from ..randomise import permuted_blocks, simple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..patients import Trajectories
    from ..protocol import Protocol

__all__ = ["generator_for", "virtual_trial"]


def generator_for(seed: int, scenario: str, trial: int) -> np.random.Generator:
    """The random generator of one trial: Philox keyed by (seed, scenario, trial), so that any trial can be drawn
    again alone.
    """
    if seed < 0 or trial < 0:
        raise InputError("seed" if seed < 0 else "trial", min(seed, trial), "a whole number from 0 on")
    digest = hashlib.blake2b(f"{seed}\x1f{scenario}\x1f{trial}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def virtual_trial(
    protocol: Protocol,
    truth: Truth,
    generator: np.random.Generator,
    patients: int,
    origin: Origin | None = None,
) -> TrialData:
    """All patients a trial would see if it never stopped early, to the end of their follow-up.

    Parameters
    ----------
    truth
        Law of the patients in each arm.
    patients
        How many to enter.
    origin
        Carried to the data, so that they say where they come from.
    """
    drawn = {item.name for item in protocol.covariates if item.shares or item.mean is not None} | {"baseline"}
    for name in sorted(protocol.used_covariates):
        if name not in drawn:
            raise InputError(
                f"covariates.{name}", None, "a distribution for virtual patients: 'shares', or 'mean' and 'sd'"
            )
    days = draw_entry(generator, patients, protocol.accrual.patients_per_month)
    covariates = draw_covariates(generator, patients, protocol.covariates)
    arm = _allocate(protocol, generator, patients, covariates)
    path = draw_trajectories(generator, arm, truth)
    columns = np.arange(len(protocol.visits))
    attended = columns <= path.left_after[:, None]
    assessed = days[:, None] + visit_days(generator, patients, protocol.visits)
    due = days[:, None] + np.array([visit.closes for visit in protocol.visits])
    follow_up = protocol.follow_up.days if protocol.follow_up else 0.0
    completed = path.left_after == len(columns) - 1
    last_seen = assessed[np.arange(patients), path.left_after]
    next_visit = assessed[np.arange(patients), np.minimum(path.left_after + 1, len(columns) - 1)]
    left_on = np.floor(last_seen + generator.random(patients) * (next_visit - last_seen))
    last_contact = np.where(completed, last_seen + follow_up, left_on)
    events = [
        _losses(protocol, truth, generator, arm, path, assessed, attended, last_contact),
        _adverse_events(truth, generator, arm, days, last_contact),
    ]
    measures = {}
    for measure in protocol.measures:
        at = protocol.visit_names.index(measure.visit)
        seen = np.where(attended[:, at], assessed[:, at], np.nan)
        until = np.where(attended[:, at], assessed[:, at], left_on)
        measures[measure.name] = draw_measure(generator, measure, truth, arm, days, seen, until)
    scores = np.where(attended, path.scores, np.nan)
    has_clusters = any(isinstance(item, ClustersEndpoint) for item in protocol.endpoints)
    return TrialData(
        arm_names=protocol.arm_names,
        visit_names=protocol.visit_names,
        scale=protocol.scale_name,
        patient=np.array([f"P{number:0{max(3, len(str(patients)))}d}" for number in range(1, patients + 1)]),
        arm=arm,
        scores=scores,
        covariates=covariates,
        randomised=days,
        assessed=np.where(attended, assessed, np.nan),
        due=due,
        withdrawn=np.where(completed, np.nan, left_on),
        last_contact=last_contact,
        events=Events(
            np.concatenate([found.patient for found in events]),
            np.concatenate([found.kind for found in events]),
            np.concatenate([found.term for found in events]),
            np.concatenate([found.day for found in events]),
        ),
        measures=measures,
        subscales=draw_clusters(generator, protocol.scale, scores) if has_clusters else {},
        start=protocol.accrual.start,
        origin=origin or Origin(VIRTUAL),
    )


def _allocate(
    protocol: Protocol, generator: np.random.Generator, patients: int, covariates: dict[str, NDArray]
) -> NDArray[np.intp]:
    shares = protocol.shares()
    if protocol.allocation.method == "simple":
        return simple(generator, patients, shares)
    strata = None
    named = [covariates[name] for name in protocol.allocation.strata if name in covariates]
    if named:
        strata = np.unique(np.stack(named, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    return permuted_blocks(generator, patients, shares, protocol.allocation.block_sizes, strata)


def _losses(
    protocol: Protocol,
    truth: Truth,
    generator: np.random.Generator,
    arm: NDArray[np.intp],
    path: Trajectories,
    assessed: NDArray[np.float64],
    attended: NDArray[np.bool_],
    last_contact: NDArray[np.float64],
) -> Events:
    """Exponential times from response to its loss, for those who respond; only losses that happen under follow-up
    are seen.
    """
    exponential = generator.exponential(1.0, len(arm))
    followed = next((item for item in protocol.endpoints if isinstance(item, LossOfResponseEndpoint)), None)
    if followed is None:
        return Events()
    rule = protocol.response_rule(followed.response)
    visit = protocol.visit_names.index(rule.visit)
    medians = np.array([law.median_days_to_loss_of_response or math.inf for law in truth.arms])
    day = np.ceil(assessed[:, visit] + exponential * medians[arm] / math.log(2))
    responded = attended[:, visit] & protocol.responded(rule, path.scores[:, 0], path.scores[:, visit])
    patient = np.flatnonzero(responded & (day <= last_contact))
    return Events(patient, np.full(len(patient), LOSS_OF_RESPONSE), np.full(len(patient), "", dtype=str), day[patient])


def _adverse_events(
    truth: Truth,
    generator: np.random.Generator,
    arm: NDArray[np.intp],
    days: NDArray[np.float64],
    last_contact: NDArray[np.float64],
) -> Events:
    """At most one event of each term a patient, on a day spread evenly over the first two weeks or until she left."""
    terms = sorted({term for law in truth.arms for term in law.adverse_events})
    uniform = generator.random((len(arm), len(terms), 2))
    probability = np.array([[law.adverse_events.get(term, 0.0) for term in terms] for law in truth.arms])
    patient, term = np.nonzero(uniform[:, :, 0] < probability[arm])
    span = np.minimum(last_contact - days, 14.0)[patient]
    day = np.floor(days[patient] + uniform[patient, term, 1] * span)
    return Events(patient, np.full(len(patient), ADVERSE_EVENT), np.array(terms or [""], dtype=str)[term], day)
