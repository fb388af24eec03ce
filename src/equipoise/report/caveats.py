"""What remains uncertain after a trial."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..endpoints import describe
from ..endpoints.guesses.result import BlindingResult
from ..sequential import Decision
from ..trial import NotAnalysed
from ..wording import arm_text, clean, counted, days, decimal, level_text, listed, measure_text, visit_text
from .figures.durability import durability_result, without_follow_up
from .observed_interval import observed_interval
from .phrases import FOLLOWED, EffectPhrases

if TYPE_CHECKING:
    from ..estimate import Interval
    from ..trial import TrialResult

__all__ = ["uncertain"]


def uncertain(result: TrialResult) -> tuple[str, ...]:
    """What the trial leaves open, the weightiest first; each a sentence or two."""
    return tuple(
        sentence
        for part in (_size, _missing, _blinding, _follow_up, _others, _single)
        for sentence in part(result)
        if sentence
    )


def _size(result: TrialResult) -> list[str]:
    conclusion = result.conclusion
    analysed = sum(row.analysed for row in result.flow if row.arm in result.protocol.arm_names[:2])
    if conclusion is None:
        return []
    interval = conclusion.interval or conclusion.repeated_interval
    if conclusion.design.looks == 1:
        interval, _ = observed_interval(result, conclusion)
    phrases = EffectPhrases.of(result, conclusion.observed)
    few = "Only " if analysed < 100 else ""
    text = f"{few}{counted(analysed, 'patient')} {'was' if analysed == 1 else 'were'} analysed in the two arms compared"
    sentences = [f"{text}: {_span(phrases, interval)} are compatible with the data at {level_text(interval.level)}."]
    decision = conclusion.decision
    if decision in (Decision.NOT_REJECTED, Decision.FUTILITY):
        sentences.append("Not having shown a difference is not having shown that there is none.")
    if decision is Decision.CONTINUE:
        sentences.append(
            "Interim results change; acting on them before a bound is crossed would undo the error control."
        )
    return sentences


def _span(phrases: EffectPhrases, interval: Interval) -> str:
    said = phrases.between(interval)
    if not phrases.is_directed:
        name = phrases.scale.natural_name
        many = f"{name[:-1]}ies" if name.endswith("y") else f"{name.removesuffix('s')}s"
        return f"{many} of {said}"
    return f"effects {said}" if said.startswith("from ") else f"effects of {said}"


def _missing(result: TrialResult) -> list[str]:
    protocol = result.protocol
    primary = protocol.primary
    if result.plan.unit == "events":
        return _censored(result)
    rows = result.flow
    due = sum(row.randomised - row.not_yet_due for row in rows)
    unseen, waiting = sum(row.withdrew_before_primary for row in rows), sum(row.not_yet_due for row in rows)
    visit = visit_text(protocol, protocol.visit_of(primary))
    how = clean(describe(primary, protocol).unseen)
    sentences = []
    if unseen:
        left = "1 was" if unseen == 1 else f"{unseen} were"
        by_arm = listed([f"{row.withdrew_before_primary} with {arm_text(protocol, row.arm)}" for row in rows])
        sentences.append(
            f"{due - unseen} of the {due} due seen at {visit}; {left} not ({by_arm}): {how}, which cannot be checked."
        )
    elif due:
        sentences.append(f"All {due} patients due at {visit} were seen there.")
    if waiting:
        sentences.append(
            f"{counted(waiting, 'randomised patient')} had not yet reached {visit} when the decision was made."
        )
    return sentences


def _censored(result: TrialResult) -> list[str]:
    look = result.last_look
    others = look.observed - look.due
    if not look.due:
        return []
    if not others:
        return [f"All {counted(look.observed, 'patient')} had the event."]
    without = "the other one was" if others == 1 else f"the other {others} were"
    return [
        f"{counted(look.due, 'patient')} of {look.observed} had the event; {without} followed for some time without it;"
        " that the end of their follow-up tells nothing of when it would have come cannot be checked."
    ]


def _blinding(result: TrialResult) -> list[str]:
    found = next((item for item in (result.primary, *result.secondary) if isinstance(item, BlindingResult)), None)
    if found is not None:
        told = []
        for guess in found.guesses:
            known = [arm for arm in guess.arms if arm.bang is not None]
            indices = [
                f"{decimal(arm.bang.index, 2)} with {arm_text(result.protocol, arm.arm)}" for arm in known if arm.bang
            ]
            if indices:
                told.append(f"{measure_text(result.protocol, guess.measure)} {listed(indices)}")
        if told:
            return [
                f"Blinding by Bang's index, 0 where guesses are by chance and 1 where all are right: {'; '.join(told)}."
            ]
    return [
        "The data say nothing of blinding: whether patients or raters knew or guessed the treatment cannot be told from"
        " them."
    ]


def _follow_up(result: TrialResult) -> list[str]:
    protocol = result.protocol
    primary_day = protocol.visit(protocol.primary_visit).day - protocol.visits[0].day
    what = f"is {days(primary_day)} days after baseline"
    if result.plan.unit == "events":
        longest = float(np.nanmax(result.data.measure(protocol.primary.measure).value))
        what = f"follows patients for up to {days(longest)} days"
    sentences = [f"The primary comparison {what} and says nothing of later days."]
    found = durability_result(result)
    if found is None:
        return sentences
    medians, unknown = [], []
    for arm in found.arms:
        if arm.responders is None:
            continue
        who = f"{counted(arm.response_count, 'responder')} with {arm_text(protocol, arm.arm)}"
        if without_follow_up(arm.responders):
            unknown.append(who)
            continue
        median = arm.responders.median
        medians.append(f"{'not reached' if math.isinf(median) else f'{days(median)} days'} among {who}")
    if medians:
        sentences.append(
            f"Median time to loss of response, in {FOLLOWED}: {listed(medians)}. Responders are no randomised groups:"
            " this does not compare the treatments."
        )
    if unknown:
        sentences.append(
            f"How long response lasts is not known of {listed(unknown)}: there is no follow-up beyond the response"
            " visit."
        )
    return sentences


def _others(result: TrialResult) -> list[str]:
    protocol = result.protocol
    sentences = []
    if result.testing is not None:
        sentences.append(
            f"Of the hypotheses tested together ({result.testing.procedure}) only those that the table of tests rejects"
            " may be claimed; no other comparison is corrected for their number."
        )
    elif result.secondary:
        sentences.append(
            "Secondary endpoints are not corrected for their number"
            + (", nor for the looks." if result.plan.design.looks > 1 else ".")
        )
    if len(protocol.arm_names) > 2:
        pair = f"{arm_text(protocol, protocol.experimental.name)} against {arm_text(protocol, protocol.control.name)}"
        sentences.append(f"The stopping rule speaks of {pair} alone; other arms are reported without correction.")
    failed = [clean(item.label) for item in result.secondary if isinstance(item, NotAnalysed)]
    if failed:
        sentences.append(f"Could not be analysed: {listed(failed)}; the tables say why.")
    return sentences


def _single(result: TrialResult) -> list[str]:
    if result.provenance.is_virtual:
        return ["This is one draw: another seed gives another trial."]
    return [
        (
            "It is a single trial; the next may differ, and one that stopped early is likelier than most to have been"
            " lucky."
            if result.stopped_early and result.conclusion is not None and result.conclusion.decision.rejects
            else "It is a single trial; the next may differ."
        )
    ]
