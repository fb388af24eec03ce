"""What a trial says, in sentences: whether it stopped and why, the effect as observed, the effect as corrected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..endpoints import describe
from ..errors import InputError
from ..estimate import Scale
from ..sequential import Decision
from ..trial import NotAnalysed
from ..wording import (
    arm_label,
    arm_text,
    clean,
    counted,
    day_text,
    decimal,
    level_text,
    p_text,
    percent,
    reason,
    sentence,
    visit_text,
)
from .caveats import uncertain
from .figures.response import response_results
from .honest import honest_sentences
from .observed_interval import observed_interval
from .phrases import EffectPhrases

if TYPE_CHECKING:
    from ..trial import TrialResult

_SPENT = "which took all that was left of alpha"

__all__ = ["Summary", "corrected", "decision_of", "headline", "observed", "origin", "stopped", "summary"]


@dataclass(frozen=True)
class Summary:
    """A trial's first page: one sentence for each item of a tuple.

    Attributes
    ----------
    headline
        The verdict in one sentence.
    origin
        Where the data come from; says so where the patients are virtual.
    stopped, observed, corrected, uncertain
        Whether, when and why the trial stopped; the effect as it stands; what may be claimed; what is not known.
    """

    headline: str
    origin: str
    stopped: tuple[str, ...]
    observed: tuple[str, ...]
    corrected: tuple[str, ...]
    uncertain: tuple[str, ...]

    def __str__(self) -> str:
        parts = (
            ("Did the trial stop?", self.stopped),
            ("What was observed", self.observed),
            ("Corrected for stopping", self.corrected),
            ("What remains uncertain", self.uncertain),
        )
        lines = [self.headline, self.origin]
        for title, sentences in parts:
            lines += ["", title, *(f"- {sentence}" for sentence in sentences)]
        return "\n".join(lines)


def summary(result: TrialResult) -> Summary:
    """The first page of a trial's report."""
    return Summary(
        headline(result), origin(result), stopped(result), observed(result), corrected(result), uncertain(result)
    )


def decision_of(result: TrialResult) -> Decision:
    """The decision of the inference, or of the look where nothing could be inferred."""
    return result.last_look.decision if result.conclusion is None else result.conclusion.decision


def headline(result: TrialResult) -> str:
    """The verdict in one sentence."""
    protocol, look = result.protocol, result.last_look
    experimental, control = arm_text(protocol, protocol.experimental.name), arm_text(protocol, protocol.control.name)
    decision, looks = decision_of(result), result.plan.design.looks
    described = describe(protocol.primary, protocol)
    if result.conclusion is None:
        return f"Look {look.number} of {looks} could not be analysed, so no effect can be claimed."
    if not look.last:
        ended, joint, without = f"The trial stopped early, at look {look.number} of {looks}", ": ", ", without"
    elif look.number < looks:
        ended, joint, without = f"The trial ended at look {look.number} of {looks}, {_SPENT}", ": ", ", without"
    else:
        ended, joint, without = "The trial ran to its planned end", " and ", " without"
    if decision is Decision.EFFICACY:
        return f"{ended}{joint}{experimental} {described.wins} {control}."
    if decision is Decision.HARM:
        return f"{ended}{joint}{experimental} {described.loses} {control}."
    if decision is Decision.FUTILITY:
        return f"{ended}: it was unlikely to show that {experimental} is better than {control}."
    if decision is Decision.CONTINUE:
        return f"The trial goes on: look {look.number} of {looks} crossed no bound, and nothing is decided yet."
    return (
        f"{ended}{without} showing that {experimental} and {control} differ."
        if result.plan.design.sided == 2
        else f"{ended}{without} showing that {experimental} is better than {control}."
    )


def origin(result: TrialResult) -> str:
    """Where the data come from."""
    source = result.provenance
    if source.is_virtual:
        drawn = f", drawn from the scenario “{clean(source.scenario)}”" if source.scenario else ""
        return f"All patients are virtual{drawn}: no evidence about the treatments."
    where = "" if source.data in ("", "given") else f" Source: {reason(source.data)}."
    return f"These are the data of {counted(len(result.data), 'patient')}, as given.{where}"


def stopped(result: TrialResult) -> tuple[str, ...]:
    """Whether the trial stopped, when, and why."""
    look, plan, protocol = result.last_look, result.plan, result.protocol
    design, decision = plan.design, decision_of(result)
    visit = visit_text(protocol, protocol.primary_visit)
    when = "" if look.date is None else f" on {day_text(look.date)}"
    happened = f"had reached {visit}" if look.unit == "patients" else "had happened"
    reached = f"{look.due} of {plan.total_units} planned {look.unit} {happened}"
    if look.due > plan.total_units:
        reached = f"{look.due} {look.unit} {happened}, {plan.total_units} having been planned"
    final = look.number == design.looks
    spent = f", {_SPENT}" if look.last and not final else ""
    sentences = []
    if design.looks == 1:
        sentences.append(
            f"The plan has no interim look; the one analysis was made{when}{', ' if when else ' '}when {reached}."
        )
    elif look.day is None:
        which = "the last planned look" if final else f"look {look.number} of {design.looks}"
        asked = (
            f"All data were taken as {which}, as asked"
            if result.data.has_dates
            else f"The data have no dates and were taken as {which}"
        )
        seen = (
            f"{look.observed} of the {look.due} due seen at {visit}"
            if look.unit == "patients"
            else f"{look.due} {look.unit} in {look.observed} patients"
        )
        passed = "; earlier looks count as passed without stopping" if look.number > 1 else ""
        sentences.append(f"{asked}{spent}, with {seen}{passed}.")
    elif decision is Decision.CONTINUE:
        sentences.append(f"No. The latest look was look {look.number} of {design.looks}{when}, when {reached}.")
    elif final:
        sentences.append(f"No, it ran to the last of its {design.looks} looks{when}, when {reached}.")
    elif look.last:
        sentences.append(f"No, it ended at look {look.number} of {design.looks}{when}{spent}, when {reached}.")
    else:
        sentences.append(f"Yes, at look {look.number} of {design.looks}{when}, when {reached}.")
    failed = [f"look {found.number}" for found in result.looks if found.z is None and found is not look]
    if failed:
        sentences.append(f"No result could be had at {' and '.join(failed)}, so that the trial went on from there.")
    if result.conclusion is None:
        return (*sentences, f"The primary endpoint could not be analysed: {reason(look.failure)}.")
    sentences.append(_why(result, decision))
    if decision is Decision.EFFICACY and not look.last:
        exits = design.exit_probabilities(0.0)
        chance = float(exits.upper[look.number - 1]) + (
            0.0 if exits.lower is None else float(exits.lower[look.number - 1])
        )
        either = ", for either arm" if design.sided == 2 else " for efficacy"
        sentences.append(f"Without any effect, {percent(chance, 1)} of such trials would stop at this look{either}.")
    if decision is Decision.FUTILITY and not design.binding:
        sentences.append("The futility bound is non-binding: the error rate holds whether or not it is obeyed.")
    return tuple(sentences)


def _why(result: TrialResult, decision: Decision) -> str:
    conclusion = result.conclusion
    assert conclusion is not None
    z, bound = decimal(conclusion.z, 3), decimal(conclusion.efficacy_bound, 3)
    two_sided = conclusion.design.sided == 2
    if decision is Decision.EFFICACY:
        return f"The test statistic in favour of the experimental arm, z = {z}, reached the efficacy bound of {bound}."
    if decision is Decision.HARM:
        return (
            f"The test statistic, z = {z}, lay at or below the bound for harm of"
            f" {decimal(-conclusion.efficacy_bound, 3)}."
        )
    if decision is Decision.FUTILITY:
        return (
            f"The test statistic, z = {z}, lay at or below the futility bound of"
            f" {decimal(conclusion.futility_bound, 3)}."
        )
    if math.isinf(conclusion.efficacy_bound):
        return f"The test statistic is z = {z}; the rule allows no stop for efficacy at this look."
    if two_sided:
        return (
            f"The test statistic, z = {z}, lies between the bounds of {decimal(-conclusion.efficacy_bound, 3)} and"
            f" {bound}."
        )
    if (
        decision is Decision.CONTINUE
        and conclusion.futility_bound is not None
        and math.isfinite(conclusion.futility_bound)
    ):
        return (
            f"The test statistic, z = {z}, lies between the futility bound of {decimal(conclusion.futility_bound, 3)}"
            f" and the efficacy bound of {bound}."
        )
    return f"The test statistic, z = {z}, did not reach the efficacy bound of {bound}."


def observed(result: TrialResult) -> tuple[str, ...]:
    """The effect as it stands at the deciding look, and the numbers it rests on."""
    protocol, conclusion = result.protocol, result.conclusion
    if conclusion is None:
        why = result.primary.reason if isinstance(result.primary, NotAnalysed) else result.last_look.failure
        return (f"There is no estimate of the effect: {reason(why)}.",)
    estimate, (interval, name) = conclusion.observed, observed_interval(result, conclusion)
    phrases = EffectPhrases.of(result, estimate)
    visit = visit_text(protocol, protocol.primary_visit)
    first, named = phrases.compared(estimate.effect), f" ({name})" if name else ""
    kind = clean(describe(protocol.primary, protocol).kind)
    at_visit = result.plan.unit == "patients" and getattr(protocol.primary, "summary", "visit") == "visit"
    place = f"At {visit}: " if at_visit else ""
    good = f"; {estimate.better} is better" if estimate.scale is Scale.MEAN_DIFFERENCE else ""
    sentences = [
        sentence(f"{place}{first}, {level_text(interval.level)} CI {phrases.between(interval)}{named}, {kind}{good}"),
    ]
    if isinstance(result.primary, NotAnalysed):
        sentences.append(f"The full analysis of the primary endpoint failed: {reason(result.primary.reason)}.")
    else:
        means = {
            mean.arm: mean for mean in getattr(result.primary, "means", ()) if mean.visit == protocol.primary_visit
        }
        names = (protocol.experimental.name, protocol.control.name)
        if all(name in means for name in names):
            what = "Mean change from baseline" if protocol.analysis.outcome == "change" else "Mean score"
            shown = ", ".join(f"{decimal(means[name].adjusted_mean)} with {arm_text(protocol, name)}" for name in names)
            sentences.append(f"{what}: {shown} ({result.primary.patients} patients analysed).")
    sentences.append(_response(result))
    return tuple(sentence for sentence in sentences if sentence)


def _response(result: TrialResult) -> str:
    found = next(iter(response_results(result)), None)
    if found is None:
        return ""
    protocol = result.protocol
    arms = {arm.arm: arm for arm in found.arms}
    shown = " and ".join(
        f"{arms[name].responders} of {arms[name].patients} ({percent(arms[name].risk, 1)}) with"
        f" {arm_text(protocol, name)}"
        for name in (protocol.experimental.name, protocol.control.name)
    )
    number = f"; {found.number_needed_to_treat}" if found.number_needed_to_treat is not None else ""
    who = describe(protocol.endpoint(found.name), protocol).measured
    return sentence(f"{clean(who)} at the deciding look: {shown}{number}")


def corrected(result: TrialResult) -> tuple[str, ...]:
    """What may be claimed once the looks are accounted for, and by how much trials like this one exaggerate."""
    conclusion = result.conclusion
    if conclusion is None:
        return ("Nothing can be corrected where nothing could be estimated.",)
    phrases = EffectPhrases.of(result, conclusion.observed)
    level = level_text(conclusion.repeated_interval.level)
    repeated = (
        "Repeated interval, valid at every look whether or not the rule is followed:"
        f" {phrases.between(conclusion.repeated_interval)} ({level})."
    )
    median, interval = conclusion.median_unbiased, conclusion.interval
    if median is None or interval is None:
        return (
            "The trial has not ended, so there is no estimate corrected for its stopping.",
            repeated,
            f"The repeated p-value is {p_text(conclusion.repeated_p_value).removeprefix('p = ')}.",
        )
    if conclusion.design.looks == 1:
        name = describe(result.protocol.primary, result.protocol).test
        test = f", {name}" if name else ""
        return (
            (
                "With one planned look there is no early stopping to correct for: the interval and p-value stand as"
                f" they are ({p_text(conclusion.p_value)}, {_sides(result)}{test})."
            ),
        )
    sentences = [
        f"Median-unbiased estimate: {phrases.compared(median)}, {level} CI {phrases.between(interval)} "
        f"({p_text(conclusion.p_value)}, {_sides(result)}, stage-wise ordering)."
    ]
    if conclusion.bias_adjusted is not None:
        sentences.append(f"Bias-adjusted (Whitehead): {phrases.said(conclusion.bias_adjusted)}.")
    if conclusion.look == 1 and len(conclusion.information) == 1:
        more = "" if result.last_look.last else "; that is not the whole correction"
        sentences.append(
            f"At a first look the median-unbiased estimate is the observed one, for no earlier look was passed{more}."
        )
    sentences.extend(honest_sentences(result))
    sentences.extend(_exaggeration(result, phrases))
    sentences.append(repeated)
    return tuple(sentences)


def _sides(result: TrialResult) -> str:
    return "one-sided" if result.plan.design.sided == 1 else "two-sided"


def _exaggeration(result: TrialResult, phrases: EffectPhrases) -> list[str]:
    """How large the effect looks, on average, in trials that stop where this one did, under two truths."""
    conclusion = result.conclusion
    assert conclusion is not None
    decision = conclusion.decision
    if not decision.rejects or result.last_look.last:
        return []
    null = conclusion.observed.null_value
    harm = decision is Decision.HARM

    def mean_at_stop(truth: float) -> float:
        # The bounds are symmetric: stopping for harm under a truth mirrors stopping for efficacy under its reflection.
        return (
            2 * null - conclusion.expected_observed_given_stop(2 * null - truth)
            if harm
            else conclusion.expected_observed_given_stop(truth)
        )

    half = null + (conclusion.observed.effect - null) / 2
    truths = [(half, "half of what was observed")]
    if not harm and phrases.favours(result.plan.effect) == phrases.experimental:
        truths.insert(0, (result.plan.effect, "as the plan assumed"))
    parts = []
    for truth, name in truths:
        try:
            mean = mean_at_stop(truth)
        except (InputError, ArithmeticError):
            continue
        if conclusion.observed.scale is Scale.RISK_DIFFERENCE and abs(mean) > 1:
            # Normal theory has left what a difference of proportions can be.
            continue
        parts.append(
            f"{phrases.said(mean)}, were the truth {phrases.said(truth)} ({name}), so that they"
            f" {_against_truth(phrases, mean, truth)}"
        )
    kind = "harm" if harm else "efficacy"
    lead = f"Among trials that stop for {kind} at this look the observed effect would on average be"
    return [f"{lead} {'; and '.join(parts)}."] if parts else []


def _against_truth(phrases: EffectPhrases, mean: float, truth: float) -> str:
    """Whether an average effect overstates the truth, both as they are printed; they lie on the same side of none."""
    if phrases.said(mean) == phrases.said(truth):
        return "show about the truth"
    larger = abs(mean - phrases.null_value) > abs(truth - phrases.null_value)
    return "overstate the truth" if larger else "understate the truth"


def arms_line(result: TrialResult) -> str:
    """The arms with their numbers randomised: "Ketamine (15) against midazolam (15)"."""
    rows = {row.arm: row.randomised for row in result.flow}
    first, *others = (
        result.protocol.experimental.name,
        result.protocol.control.name,
        *(name for name in result.protocol.arm_names[2:]),
    )
    shown = [f"{arm_label(result.protocol, name)} ({rows[name]})" for name in (first, *others)]
    return f"{shown[0]} against {shown[1]}" + (f"; also {', '.join(shown[2:])}" if shown[2:] else "")
