"""What may be claimed of every endpoint, as a table and in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..estimate import Scale
from ..table import Table
from ..wording import clean, decimal, level_text, listed, reason, sentence
from .phrases import EffectPhrases

if TYPE_CHECKING:
    from ..trial import TrialResult
    from ..trial.honest import HonestRow

__all__ = ["honest_claims_table", "honest_label", "honest_row_label", "honest_sentences"]

_ADJUSTED, _GIVEN = "bias-adjusted", "given the stop"
_PERCENT = (Scale.RISK_DIFFERENCE, Scale.WIN_PROBABILITY, Scale.NET_BENEFIT)


def honest_label(result: TrialResult, row: HonestRow) -> str:
    """The endpoint's label, with the cluster where the row is of one."""
    label = clean(result.protocol.endpoint(row.endpoint).title)
    if row.name == row.endpoint:
        return label
    return f"{label}: {_cluster(result, row)}"


def honest_row_label(result: TrialResult, row: HonestRow) -> str:
    """The label below those of the rows before: clusters by their names alone."""
    return honest_label(result, row) if row.name == row.endpoint else f"– {_cluster(result, row)}"


def _cluster(result: TrialResult, row: HonestRow) -> str:
    cluster = row.name.removeprefix(f"{row.endpoint}: ")
    return clean(result.protocol.scale.subscales[cluster].title)


def honest_claims_table(result: TrialResult) -> Table | None:
    """Every endpoint as observed and as corrected for the stop; None where there is nothing to correct."""
    honest = result.honest
    if honest is None:
        return None
    readings = _readings(result)
    rows: list[tuple[str, ...]] = []
    for row in honest.rows:
        phrases = EffectPhrases.of(result, row.observed, endpoint=row.endpoint)
        unit = phrases.unit or phrases.kind
        interval = row.interval("as observed") or row.observed.interval(_level(result))
        cells = [
            f"{honest_row_label(result, row)}, {unit}",
            f"{phrases.value(row.observed.effect)} ({phrases.limits(interval)})",
        ]
        if row.estimates is None:
            rows.append((*cells, *("–" for _ in readings), "–", "–"))
            continue
        for which, _ in readings:
            around = row.interval("median-unbiased" if which == _ADJUSTED else which)
            cells.append(f"{_value(phrases, row.value(which))} ({phrases.limits(around)})")
        rows.append((*cells, _inflation(row, phrases), "1" if row is honest.primary else decimal(row.correlation, 2)))
        if (found := row.number_needed_to_treat("as observed")) is not None:
            others = [row.number_needed_to_treat(which) for which, _ in readings]
            numbers = [str(found), *("–" if other is None else str(other) for other in others)]
            rows.append(("– number needed to treat", *numbers, "", ""))
    level = level_text(_level(result))
    titles = ("As observed", *(title for _, title in readings))
    header = ("Endpoint", *(f"{title} ({level} CI)" for title in titles), "Inflated by", "r")
    return Table("Every endpoint, as observed and as corrected for the stop", header, tuple(rows), _note(result))


def _readings(result: TrialResult) -> tuple[tuple[str, str], ...]:
    """How the corrected effects are read, and what that is called: given the stop only where there was one."""
    found = ((_ADJUSTED, "Corrected"), (_GIVEN, "Given this stop"))
    return found if result.stopped_early else found[:1]


def honest_sentences(result: TrialResult) -> tuple[str, ...]:
    """What the correction means for the primary endpoint and for response, in plain words."""
    honest = result.honest
    if honest is None or honest.primary.estimates is None or not result.stopped_early:
        return ()
    primary, look = honest.primary, result.last_look
    phrases = EffectPhrases.of(result, primary.observed)
    level, value, interval = level_text(_level(result)), primary.value(_GIVEN), primary.interval(_GIVEN)
    if interval is None:
        return ()
    which = f"the trials that stop as this one did, at look {look.number}"
    told = phrases.said(value) if math.isfinite(value) else "without a finite estimate"
    sentences = [
        sentence(f"Read as one of {which}, the effect is {told}, {level} CI {phrases.between(interval)}"),
    ]
    for row in honest.rows[1:]:
        found, given = (row.number_needed_to_treat(which) for which in ("as observed", _GIVEN))
        if found is None or given is None:
            continue
        label = honest_label(result, row)
        sentences.append(
            sentence(f"{label}: the number needed to treat was {found}; read in the same way it is {given}")
        )
    return tuple(sentences)


def _level(result: TrialResult) -> float:
    return result.protocol.confidence_level


def _value(phrases: EffectPhrases, effect: float) -> str:
    if math.isinf(effect):
        return "∞" if effect > 0 else "−∞"
    return phrases.value(effect)


def _inflation(row: HonestRow, phrases: EffectPhrases) -> str:
    """In the units of the effect, as a factor for ratios, and as a share of what was observed."""
    size = row.inflation
    distance = abs(row.observed.effect - row.observed.null_value)
    part = size / distance if distance > 0 else math.nan
    share = "" if math.isnan(part) else f" ({decimal(100 * part, 0)}%)"
    if row.observed.scale.is_logarithmic:
        return f"×{decimal(math.exp(size), 2)}"
    natural = 100 * size if row.observed.scale in _PERCENT else size
    return f"{decimal(natural, max(phrases.digits, 1))}{share}"


def _note(result: TrialResult) -> str:
    honest, look = result.honest, result.last_look
    assert honest is not None
    sentences = [
        "Corrected: the bias-adjusted estimate, right on average over all trials run by this rule (Whitehead 1986), in"
        " an interval that covers as often as it says over all of them."
        + (
            f" Given this stop: as one of the trials alone that end at look {look.number}."
            if result.stopped_early
            else ""
        )
        + " Inflated by: observed less corrected. An endpoint is corrected as far as its estimate goes with the"
        " primary's: r is their correlation, from leaving out one patient after the other.",
        "Intervals rest on standard errors, those of responders on Newcombe's limits. Nothing here is corrected for the"
        " number of endpoints.",
    ]
    left = [f"{honest_label(result, row)}: not corrected, {reason(row.reason)}." for row in honest.rows if row.reason]
    doubled = [clean(name) for name in honest.correlations.doubled]
    if doubled:
        left.append(f"Influence of some patients on {listed(doubled)} by entering them twice.")
    return " ".join([*sentences, *left])
