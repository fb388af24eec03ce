"""What may be claimed of a trial known only from its paper, as a table and in words."""

from __future__ import annotations

import math
import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..endpoints.binary.number_needed_to_treat import NumberNeededToTreat
from ..narrow_table import narrow_text, wrapped
from ..sequential.decision import Decision
from ..table import Table
from ..wording import capital, clean, decimal, level_text, percent, reason, sentence
from .phrases import EffectPhrases

if TYPE_CHECKING:
    from ..trial.published import PublishedConclusion, PublishedRow

__all__ = ["published_sentences", "published_table", "published_text"]

_LABEL, _CELL = 26, 15
_GIVEN, _ADJUSTED = "given the stop", "bias-adjusted"
_CHANCE = {
    Decision.EFFICACY: "Chance in its favour helps a trial over the bound, and stays in what it reports.",
    Decision.HARM: "Chance against it helps a trial over the bound, and stays in what it reports.",
    Decision.FUTILITY: "Chance against it helps a trial below the bound, and stays in what it reports.",
}
_LOST = {True: "who would have done well under control", False: "with the bad outcome"}


def published_table(found: PublishedConclusion) -> Table:
    """Every effect as observed and as corrected, intervals below estimates; ranges where the correlation is one."""
    level = level_text(found.primary.estimates.level)
    header = (
        "Endpoint",
        f"As observed ({level} CI)",
        f"Corrected ({level} CI)",
        f"Given this stop ({level} CI)",
        "Inflated on average",
        "Inflated given this stop",
    )
    rows: list[tuple[str, ...]] = []
    for row in found.rows:
        phrases = _phrases(found, row)
        unit = phrases.unit or phrases.kind
        about = [f"{clean(row.label)}, {unit}"]
        if row is not found.primary:
            about.append(f"r = {_range(row.correlation, 2)}")
        cells = [about]
        for reading in ("as observed", _ADJUSTED, _GIVEN):
            low, high = row.value(reading)
            estimate = phrases.value(low)
            if phrases.value(high) != estimate:
                estimate += f" to {phrases.value(high)}"
            cells.append([estimate, phrases.limits(row.interval(reading))])
        cells += [[_inflation(row, phrases, reading)] for reading in (_ADJUSTED, _GIVEN)]
        rows += _lines(cells)
        needed = [row.number_needed_to_treat(reading) for reading in ("as observed", _ADJUSTED, _GIVEN)]
        if needed[0] is not None:
            numbers = [["–"] if one is None else [_needed(one), one[0].interval_text] for one in needed]
            rows += _lines([["– number needed to treat"], *numbers, [""], [""]])
    return Table(
        "Every effect of the paper, as observed and as corrected for the stop", header, tuple(rows), _note(found)
    )


def published_sentences(found: PublishedConclusion) -> tuple[str, ...]:
    """What the correction means, in plain words: paragraphs on the primary effect, and on each other one."""
    return (_of_primary(found), *(_of_counts(found, row) for row in found.rows if row.counts is not None))


def published_text(found: PublishedConclusion) -> str:
    """Table, words, what cannot be corrected, assumptions and sources, in the width of a terminal."""
    table = published_table(found)
    blocks = [[*wrapped(table.title), "", narrow_text(table), "", *wrapped(table.note)]]
    if found.trial is not None:
        head = [found.trial.title, found.trial.summary]
        blocks.insert(0, [line for part in head for line in wrapped(clean(part))])
    blocks += [wrapped(paragraph) for paragraph in published_sentences(found)]
    for item in found.not_corrected:
        told = f"{clean(item.title)}: {reason(item.reported)}. Nothing can be corrected: {reason(item.reason)}."
        blocks.append(wrapped(told))
    if found.trial is not None:
        for name, entries in (("Assumed:", found.trial.assumed), ("Sources:", found.trial.sources)):
            if entries:
                blocks.append([name, *(line for entry in entries for line in _item(entry))])
    return "\n\n".join("\n".join(block) for block in blocks)


def _phrases(found: PublishedConclusion, row: PublishedRow) -> EffectPhrases:
    observed, (experimental, control) = row.observed, _arms(found)
    return EffectPhrases(
        observed.scale,
        observed.better,
        observed.null_value,
        clean(row.label),
        experimental,
        control,
        clean(row.unit),
    )


def _arms(found: PublishedConclusion) -> tuple[str, str]:
    if found.trial is None:
        return "the experimental treatment", "the control"
    return clean(found.trial.experimental), clean(found.trial.control)


def _range(ends: tuple[float, float], digits: int) -> str:
    low, high = (decimal(end, digits) for end in ends)
    return low if low == high else f"{low} to {high}"


def _inflation(row: PublishedRow, phrases: EffectPhrases, reading: str) -> str:
    """In the units of the effect, as a factor for ratios."""
    low, high = row.inflation(reading)
    if math.isnan(low):
        return "–"
    if row.observed.scale.is_logarithmic:
        return f"×{_range((math.exp(min(low, 700.0)), math.exp(min(high, 700.0))), 2)}"
    return _range((phrases.natural(low), phrases.natural(high)), phrases.digits)


def _needed(ends: tuple[NumberNeededToTreat, NumberNeededToTreat]) -> str:
    few, many = ends
    shown = [decimal(one.nnt, 1) for one in ends]
    if few.name == many.name:
        return f"{few.name} {shown[0]}" if shown[0] == shown[1] else f"{few.name} {shown[0]} to {shown[1]}"
    return f"{few.name} {shown[0]} to ∞ to {many.name} {shown[1]}"


def _lines(cells: list[list[str]]) -> list[tuple[str, ...]]:
    """One row of a table as several, each cell broken where it is too long."""
    broken = [
        [line for text in cell for line in (textwrap.wrap(text, _LABEL if at == 0 else _CELL) or [""])]
        for at, cell in enumerate(cells)
    ]
    return [tuple(line) for line in zip_longest(*broken, fillvalue="")]


def _item(text: str) -> list[str]:
    return textwrap.wrap(
        clean(text),
        100,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _which(found: PublishedConclusion) -> str:
    """The trials that a reading given the stop is about."""
    conclusion = found.conclusion
    if conclusion.design.looks == 1:
        return ""
    if conclusion.final:
        return f"the trials that go on to look {conclusion.look}"
    return f"the trials that end at look {conclusion.look}"


def _note(found: PublishedConclusion) -> str:
    which = _which(found)
    if not which:
        return "The trial had one look: there is nothing to correct."
    told = [
        "Corrected: the bias-adjusted estimate, right on average over all trials run by this rule (Whitehead 1986), in"
        " an interval that covers as often as it says over all of them.",
        f"Given this stop: as one of {which} alone. Inflated: observed less corrected.",
    ]
    if len(found.rows) > 1:
        told.append(
            "r: correlation of the estimate with that of the primary, each counted as it favours"
            f" {_arms(found)[0]}; an effect is corrected as far as it goes with the primary."
        )
    if any(row.is_range for row in found.rows):
        told.append("Where r is a range, estimates are given over it, with the widest of their intervals.")
    told.append(
        "Who takes the likelihood for all that the data say needs no correction (Milanzi et al. 2014): the first column"
        " is theirs. Nothing here is corrected for the number of endpoints."
    )
    return " ".join(told)


def _of_primary(found: PublishedConclusion) -> str:
    row, conclusion = found.primary, found.conclusion
    phrases, level, which = _phrases(found, row), level_text(row.estimates.level), _which(found)
    seen, adjusted, given = (row.value(reading)[0] for reading in ("as observed", _ADJUSTED, _GIVEN))
    seen_in, given_in = row.interval("as observed"), row.interval(_GIVEN)
    assert seen_in is not None
    between = phrases.between(seen_in)
    start = f"{capital(clean(row.label))}: as observed {phrases.said(seen)}, {level} CI {between}."
    if not which:
        return start
    at, share = f"look {conclusion.look} of {conclusion.design.looks}", percent(conclusion.information[-1])
    opening = (
        f"The trial went on to its last look, {at}."
        if conclusion.final
        else f"The trial ended at {at}, with {share} of the information planned. {_CHANCE[conclusion.decision]}"
    )
    told = [opening, start, f"Corrected over all trials run by this rule: {phrases.said(adjusted)}."]
    if given_in is None:
        told.append(f"Among {which} alone there is no finite estimate, for z lies on the bound itself.")
        return " ".join(told)
    told.append(f"Among {which} alone: {phrases.said(given)}, {level} CI {phrases.between(given_in)}.")
    if row.observed.null_value in given_in and row.observed.null_value not in seen_in:
        told.append("Beyond the fact that the trial stopped, the data do not exclude that there is no effect.")
    return " ".join(told)


def _of_counts(found: PublishedConclusion, row: PublishedRow) -> str:
    """What remains of a number needed to treat."""
    counts = row.counts
    assert counts is not None
    (experimental, control), level, which = _arms(found), level_text(row.estimates.level), _which(found)
    good = row.observed.better == "higher"
    shown = (
        f"{capital(clean(row.label))}: {counts.events1} of {counts.total1} with {experimental}, {counts.events2} of"
        f" {counts.total2} with {control}."
    )
    readings = [row.number_needed_to_treat(reading) for reading in ("as observed", _ADJUSTED, _GIVEN)]
    observed, adjusted, given = readings
    if observed is None or adjusted is None:
        return f"{shown} No number needed to treat can be made of it."
    number = observed[0]
    if math.isinf(number.nnt):
        return f"{shown} The proportions are equal: there is no number needed to treat to correct."
    told = [f"What remains of “{_short(number)}”.", shown]
    one = "one more" if good == (number.direction == "benefit") else "one fewer"
    told.append(
        f"That is {one} for every {decimal(number.nnt, 1)} patients treated, {level} CI {number.interval_text}: so much"
        f" is uncertain with {counts.total1 + counts.total2} patients before anyone thinks of the stop."
    )
    if not which:
        return " ".join(told)
    r = _range(row.correlation, 2)
    told.append(
        f"This effect rises and falls with the primary one (r = {r}): the chance that helped the one helped the other."
        if row.correlation[0] > 0
        else f"It is corrected as far as it goes with the primary effect (r = {r})."
    )
    told.append(f"Corrected over all trials run by this rule: {_needed(adjusted)}.")
    if given is None:
        told.append(f"Among {which} alone there is none to give.")
    else:
        told.append(f"Among {which} alone: {_needed(given)}, {level} CI {given[0].interval_text}.")
        told.append(_verdict(number, given, experimental, good))
    return " ".join(filter(None, told))


def _short(number: NumberNeededToTreat) -> str:
    return f"{'NNT' if number.direction == 'benefit' else number.name} {decimal(number.nnt, 0)}"


def _verdict(
    observed: NumberNeededToTreat,
    given: tuple[NumberNeededToTreat, NumberNeededToTreat],
    experimental: str,
    good: bool,
) -> str:
    if observed.direction != "benefit":
        return ""
    few, many = given
    if many.direction != "benefit":
        return sentence(f"read so, the data do not even point to a benefit of {experimental}")
    guess = "The best guess stays near it" if many.nnt < 1.5 * observed.nnt else "The best guess is weaker"
    if not few.contains_infinity:
        return f"{guess}, and a benefit of {experimental} is still what the data show."
    if observed.contains_infinity:
        return f"{guess}; that {experimental} does nothing could not be excluded before, and cannot now."
    worst = "" if math.isinf(few.upper) else f", or one more {_LOST[good]} for every {decimal(few.upper, 1)} treated"
    return (
        f"{guess}; what is gone is the certainty. Beyond the fact that the trial stopped, the data fit anything from"
        f" one more patient helped for every {decimal(few.lower, 1)} treated, to {experimental} helping nobody{worst}:"
        " no upper limit to the number needed to treat can be claimed."
    )
