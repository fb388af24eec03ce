"""How a trial was analysed, what was assumed, and who found the methods, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..endpoints import describe
from ..sequential import BoundaryFamily, SpendingFunction
from ..wording import arm_text, clean, counted, decimal, level_text, listed, percent, reason
from .phrases import EffectPhrases
from .words import decision_of

if TYPE_CHECKING:
    from ..trial import Plan, TrialResult

__all__ = ["assumptions", "methods", "references", "reproduction"]


def methods(result: TrialResult) -> tuple[tuple[str, str], ...]:
    """Paragraphs with their headings: design, stopping rule, analysis, correction, other endpoints."""
    protocol, plan = result.protocol, result.plan
    design, stopping = plan.design, protocol.stopping
    arms = listed([arm_text(protocol, name) for name in protocol.arm_names])
    ratio = ":".join(f"{protocol.allocation.ratio[name]:g}" for name in protocol.arm_names)
    blocks = "permuted blocks" if protocol.allocation.method == "permuted-blocks" else "simple randomisation"
    strata = (
        f", stratified by {listed([clean(name) for name in protocol.allocation.strata])}"
        if protocol.allocation.strata
        else ""
    )
    paragraphs = [
        (
            "Design",
            (
                f"Randomised parallel groups: {arms}, {ratio}, by {blocks}{strata}; {counted(plan.patients, 'patient')}"
                f" planned. The primary endpoint is “{clean(protocol.primary.title)}”."
            ),
        ),
        ("Stopping rule", _rule(result)),
        ("Primary analysis", _analysis(result)),
    ]
    if design.looks > 1:
        paragraphs.append(
            (
                "Correction for stopping",
                (
                    "p-value, median-unbiased estimate and confidence interval follow the stage-wise ordering of the"
                    " sample space: outcomes that stop earlier in favour of an arm are the more extreme. The"
                    " bias-adjusted estimate is the effect under which the estimate at stopping would average the"
                    " observed one. The repeated confidence interval holds at all looks together, however the trial"
                    f" comes to end. Intervals are at {level_text(protocol.confidence_level)}, which matches"
                    f" {'two' if stopping.sided == 2 else 'one'}-sided alpha {stopping.alpha:g}. With few patients the"
                    " t statistic is turned into the z of the same tail probability before it meets a bound."
                ),
            )
        )
    return (*paragraphs, *_others(result))


def _boundary(rule: SpendingFunction | BoundaryFamily) -> str:
    if isinstance(rule, SpendingFunction):
        return f"Error spending of the family {rule.name}"
    return f"The boundary {rule.name}"


def _rule(result: TrialResult) -> str:
    design, plan = result.plan.design, result.plan
    sides = "one-sided" if design.sided == 1 else "two-sided"
    if design.looks == 1:
        return (
            f"One analysis at {sides} alpha {design.alpha:g}, after {plan.total_units:,} {plan.unit}; no interim look"
            " is planned."
        )
    when = listed([str(count) for count in plan.units_per_look])
    happened = "patients have reached the primary visit, seen or not" if plan.unit == "patients" else "events are known"
    text = (
        f"{design.looks} looks, when {when} {happened}."
        f" {_boundary(design.efficacy)} at {sides} alpha {design.alpha:g} gives efficacy bounds on z of"
        f" {listed([decimal(float(bound), 3) for bound in design.efficacy_bounds])}"
    )
    text += ", and their negatives for harm." if design.sided == 2 else "."
    if design.futility is not None:
        force = "binding" if design.binding else "non-binding"
        spends = isinstance(design.futility, SpendingFunction)
        what = f"{design.futility.name} spending of beta {design.beta:g}" if spends else design.futility.name
        where = ", in a wedge around no effect" if design.sided == 2 else ""
        text += f" Futility: {what}{where}, {force}."
    if (
        decision_of(result).stops
        and result.conclusion is not None
        and len(result.conclusion.information) < result.last_look.number
    ):
        text += (
            " A look that could not be analysed spent nothing; the bounds of the later ones were computed without it."
        )
    return text


def _analysis(result: TrialResult) -> str:
    text = clean(describe(result.protocol.primary, result.protocol).method)
    conclusion = result.conclusion
    if (
        result.plan.design.looks > 1
        and conclusion is not None
        and all(map(math.isfinite, conclusion.observed.scale.limits))
    ):
        text += (
            " Intervals corrected for stopping and repeated intervals rest on the standard error that the looks test"
            " with, and are cut at the ends of the scale."
        )
    return text


def _others(result: TrialResult) -> list[tuple[str, str]]:
    """The methods of the secondary endpoints under their labels, those of one method together."""
    protocol = result.protocol
    found: dict[str, list[str]] = {}
    for item in protocol.endpoints:
        if item.role != "primary":
            found.setdefault(clean(describe(item, protocol).method), []).append(clean(item.title))
    return [("; ".join(labels), method) for method, labels in found.items()]


def assumptions(result: TrialResult) -> tuple[str, ...]:
    """What the report takes for granted."""
    protocol, plan = result.protocol, result.plan
    primary = protocol.primary
    sentences = []
    name = result.provenance.scenario
    if result.provenance.is_virtual and name:
        description = reason(protocol.scenarios[name].description) if name in protocol.scenarios else ""
        sentences.append(
            f"The patients were drawn from the scenario “{clean(name)}”{': ' + description if description else ''}."
        )
    phrases = EffectPhrases.of(result, result.conclusion.observed) if result.conclusion is not None else None
    effect = phrases.compared(plan.effect) if phrases is not None else f"an effect of {decimal(plan.effect, 2)}"
    sentences.append(
        f"The plan assumes the scenario “{clean(plan.scenario)}”: {effect}. The power of"
        f" {percent(plan.under_effect.power, 1)} takes the standard error as known, which small trials do not quite"
        " reach."
    )
    sentences += [clean(item) for item in describe(primary, protocol).assumptions]
    if plan.design.looks > 1:
        sentences.append(
            f"The boundary is the one named in the protocol ({plan.design.efficacy.name}), and information at a"
            f" look is the fraction of planned {_counted_by_looks(plan)}."
        )
    return tuple(sentences)


def _counted_by_looks(plan: Plan) -> str:
    return "patients who have reached the primary visit" if plan.unit == "patients" else "events that have happened"


def references(result: TrialResult) -> tuple[str, ...]:
    """Sources of the methods used, and those the protocol and its scale name."""
    protocol = result.protocol
    found = list(protocol.trial.sources)
    if protocol.data is not None and protocol.data.citation and not result.provenance.is_virtual:
        found.append(protocol.data.citation)
    if protocol.outcome is not None:
        found.append(f"{protocol.scale.name}: {protocol.scale.source}")
    if result.plan.design.looks > 1:
        found += [
            "Lan KKG, DeMets DL. Discrete sequential boundaries for clinical trials. Biometrika 1983;70:659-663.",
            (
                "Jennison C, Turnbull BW. Group Sequential Methods with Applications to Clinical Trials. Chapman & Hall"
                " 2000."
            ),
            (
                "Jennison C, Turnbull BW. Interim analyses: the repeated confidence interval approach. J R Stat Soc B"
                " 1989;51:305-361."
            ),
            (
                "Whitehead J. On the bias of maximum likelihood estimation following a sequential test. Biometrika"
                " 1986;73:573-581."
            ),
        ]
        if result.stopped_early:
            found.append(
                "Gelman A, Carlin J. Beyond power calculations: assessing type S and type M errors. Perspect Psychol"
                " Sci 2014;9:641-651."
            )
    found += [source for item in protocol.endpoints for source in describe(item, protocol).references]
    return tuple(clean(item) for item in dict.fromkeys(found))


def reproduction(result: TrialResult) -> tuple[tuple[str, str], ...]:
    """What it takes to make the result again, as names and values."""
    source = result.provenance
    rows = [
        ("Protocol", source.protocol),
        ("Protocol hash (SHA-256)", source.protocol_hash),
        ("Equipoise version", source.version),
    ]
    rows.append(("Data", source.data))
    rows.append(("Hash of the data (SHA-256)", result.followed.fingerprint))
    if source.scenario is not None:
        rows.append(("Scenario", source.scenario))
    if source.seed is not None:
        rows.append(("Seed", str(source.seed)))
    if source.trial is not None:
        rows.append(("Trial of that seed", str(source.trial)))
    return tuple((name, clean(value)) for name, value in rows)
