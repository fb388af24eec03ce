"""Whether the effect that a plan takes from the arms' laws is that of virtual patients, and when a null is a null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..estimate import Scale

if TYPE_CHECKING:
    from ..patients import Truth
    from ..patients.truth import ArmTruth
    from ..protocol import Protocol

__all__ = ["arms_are_alike", "is_of_the_patients"]


def is_of_the_patients(endpoint: Any, protocol: Protocol, truth: Truth, scale: Scale) -> bool:
    """Whether an endpoint's planned effect, of patients who follow their arms' laws, is that of patients as drawn.

    Differences of means stay what they are, whatever makes patients more lifelike: what moves them besides is no effect
    of the drug. Other effects hang on the whole law of the scores and on who is seen, which plans take from the arms:
    they are of the patients where nothing but chance spreads scores further, and visits are seen with the
    probabilities that plans reckon with. The population's odds ratio of dropping out by the last seen score is passed
    over, as plans do.
    """
    if scale is Scale.MEAN_DIFFERENCE:
        return endpoint.type != "clusters" or _clusters_are_told(endpoint, protocol, truth)
    if endpoint.type == "adverse-events" or (endpoint.type == "time-to-event" and endpoint.test != "log-rank"):
        return True
    if endpoint.type == "count":
        return True
    if endpoint.type == "blinding":
        moved = truth.lifelike.guesses and _beliefs_move_scores(truth) and _seen_by_scores(truth)
        return not moved
    lifelike = truth.lifelike
    leaving_told = truth.scenario.dropout_odds_ratio_per_unseen_point == 1 and not (
        _spreads_scores(truth) and _leave_by_scores(truth)
    )
    if endpoint.type == "time-to-event":
        return leaving_told
    misses_told = lifelike.misses is None or not lifelike.misses.slope
    if endpoint.type == "hierarchical":
        own = [item for item in endpoint.components if _is_of_a_visit(item, protocol)]
        misses_told = lifelike.misses is None or not own
    elif endpoint.type == "response" and endpoint.measure and not _counts_missing(endpoint):
        return True
    if not (leaving_told and misses_told):
        return False
    if not endpoint.reads_scale:
        return True
    if _spreads_scores(truth) or (endpoint.type == "ordinal" and "baseline" in endpoint.covariates):
        return False
    return lifelike.mixture is None or endpoint.type in ("response", "loss-of-response")


def arms_are_alike(endpoint: Any, protocol: Protocol, truth: Truth, scale: Scale) -> bool:
    """Whether the experimental arm and control do the same in all that an endpoint reads and that is not its effect, so
    that where there is no effect every rejection is a type I error.

    Of a difference of means: patients believe alike where beliefs move scores, and leave alike where they leave for
    what is not seen. Of anything else: its planned effect is that of the patients, who leave by chance where that
    matters to it; or scores and measures that it reads have one law, and patients leave and miss visits alike.
    """
    believed = not (_reads_scores(endpoint, truth) and _beliefs_move_scores(truth)) or _believe_alike(truth)
    same_scores = _scores_are_alike(protocol, truth)
    leave_alike = same_scores and _same([arm.leaving for arm in truth.arms[:2]])
    if scale is Scale.MEAN_DIFFERENCE:
        at_random = truth.scenario.dropout_odds_ratio_per_unseen_point == 1
        same_clusters = endpoint.type != "clusters" or _clusters_are_alike(protocol, truth)
        return believed and same_clusters and (at_random or not endpoint.reads_scale or leave_alike)
    of_the_seen = endpoint.reads_scale or endpoint.type == "hierarchical" or _counts_missing(endpoint)
    if is_of_the_patients(endpoint, protocol, truth, scale) and not (of_the_seen and _leave_by_scores(truth)):
        return True
    control, experimental = truth.arms[:2]
    names = {name for name in _words(endpoint) if name in control.measures or name in experimental.measures}
    durations = endpoint.type != "loss-of-response" or (
        control.median_days_to_loss_of_response == experimental.median_days_to_loss_of_response
        and control.shape_of_loss_of_response == experimental.shape_of_loss_of_response
    )
    return (
        believed
        and durations
        and (same_scores or not _reads_scores(endpoint, truth))
        and all(control.measures.get(name) == experimental.measures.get(name) for name in names)
        and (endpoint.type != "adverse-events" or control.adverse_events == experimental.adverse_events)
        and _same([arm.leaving for arm in truth.arms[:2]])
        and control.missed == experimental.missed
    )


def _words(endpoint: Any) -> set[str]:
    """Names of measures that an endpoint may read."""
    components = [item.measure for item in getattr(endpoint, "components", ())]
    return {getattr(endpoint, "measure", ""), *getattr(endpoint, "guesses", ()), *components}


def _counts_missing(endpoint: Any) -> bool:
    return getattr(endpoint, "missing", "") == "non-response"


def _is_of_a_visit(component: Any, protocol: Protocol) -> bool:
    """Whether a component is lost with its visit, unlike times and counts, which are followed up to it."""
    return not component.measure or protocol.measure(component.measure).kind not in ("time", "count")


def _reads_scores(endpoint: Any, truth: Truth) -> bool:
    """Whether what an endpoint reads hangs on scores: it reads them, or who is seen depends on them."""
    return endpoint.reads_scale or _seen_by_scores(truth)


def _leave_by_scores(truth: Truth) -> bool:
    intercepts, slopes, unseen = truth.leaving
    return not np.isneginf(intercepts).all() and bool(np.any(slopes) or np.any(unseen))


def _seen_by_scores(truth: Truth) -> bool:
    misses = truth.lifelike.misses
    return _leave_by_scores(truth) or (misses is not None and misses.slope != 0)


def _beliefs_move_scores(truth: Truth) -> bool:
    law = truth.lifelike.beliefs
    return law is not None and bool(law.points or law.points_if_control)


def _spreads_scores(truth: Truth) -> bool:
    """Whether scores have another law than that of their arm, its mean apart."""
    scenario = truth.scenario
    sites, raters = scenario.sites, scenario.rater_drift
    return (
        scenario.exposure is not None
        or (sites is not None and bool(sites.mean_sd or sites.effect_sd))
        or (raters is not None and bool(raters.points_per_year or raters.rater_sd))
        or _beliefs_move_scores(truth)
    )


def _believe_alike(truth: Truth) -> bool:
    law = truth.lifelike.beliefs
    if law is None:
        return True
    shares = law.shares([arm.adverse_events.get(law.sign, 0.0) for arm in truth.arms])
    return all(_same(share[:2]) for share in shares)


def _scores_are_alike(protocol: Protocol, truth: Truth) -> bool:
    exposure = truth.scenario.exposure
    if exposure is not None:
        given = [exposure.dose_mg_per_kg.get(name) for name in protocol.arm_names[:2]]
        schedules = [arm.schedule for arm in protocol.arms if arm.name in protocol.arm_names[:2]]
        if given[0] != given[1] or (given[0] is not None and not exposure.onset and schedules[0] != schedules[1]):
            return False
    kinds = [kind for at in (0, 1) for _, kind in truth.lifelike.components(at)]
    return _same([_law(kind) for kind in kinds])


def _law(arm: ArmTruth) -> list[float]:
    return [chance for law in arm.scores for chance in law.probabilities.tolist()]


def _clusters_are_told(endpoint: Any, protocol: Protocol, truth: Truth) -> bool:
    """Whether clusters share the total as plans have it: each point falls on any of the items alike."""
    if truth.scenario.items is None:
        return True
    whole = set(endpoint.clusters_of(protocol)) == set(protocol.scale.subscales)
    return whole and _same([arm.means[:1] for arm in truth.arms[:2]])


def _clusters_are_alike(protocol: Protocol, truth: Truth) -> bool:
    items = truth.scenario.items
    factors = {} if items is None else items.cluster_effects
    return factors.get(protocol.arm_names[0], {}) == factors.get(protocol.arm_names[1], {})


def _same(values: Any) -> bool:
    """Whether all are the same, rounding apart."""
    return all(np.allclose(value, values[0], rtol=0, atol=1e-9) for value in values)
