"""Operating characteristics as tables, for the terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..sequential import Decision
from ..table import Table
from ..wording import decimal, level_text, percent
from .effect_text import (
    bias_heading,
    effect_text,
    error_text,
    has_direction,
    kind_text,
    mean_text,
    rmse_heading,
)
from .histograms import PERCENTS, Distribution
from .rates import Mean, Rate
from .tally import ESTIMATORS
from .theory import power_by_theory

if TYPE_CHECKING:
    from .characteristics import OperatingCharacteristics, SecondaryCharacteristics
    from .effect_sums import EffectSummary

__all__ = [
    "ERRORS",
    "estimates_table",
    "exaggerations",
    "looks_table",
    "rejection_rows",
    "secondaries_table",
    "sizes_table",
]

ERRORS = "In brackets Monte-Carlo standard errors, or after < and > the 95% bound of a share of no trials or of all."
"""What stands in brackets."""
_EFFICACY = (Decision.EFFICACY,)


def rejection_rows(found: OperatingCharacteristics) -> list[tuple[str, str]]:
    """The first things to know, by name."""
    lines = [("rejects in favour of the experimental arm", str(found.power))]
    theory = power_by_theory(found)
    if not math.isnan(theory):
        lines.append(("the same by normal theory, of known errors", percent(theory, 2)))
    either = "rejects in either direction"
    lines.append((either if found.type_one_error is None else f"{either} (type I error)", str(found.rejection)))
    lost = found.trials - found.estimates().estimated
    if lost:
        lines.append(("not analysed at the end, counted as not rejecting", str(Rate(lost, found.trials))))
    lines.append(("patients randomised at the end, mean", found.patients().mean.text(1)))
    lines.append(("days to the end, mean", found.duration().mean.text(1)))
    if found.missing.trials:
        lines.append(("primary outcome not seen when due, mean", _percent(found.missing)))
    given = found.given_efficacy
    if given.exaggeration.trials:
        of = f" of {given.exaggeration.trials:,} trials"
        lines.append(("observed effect over truth, given efficacy", f"{given.exaggeration.text(2)} times,{of}"))
    wrong = found.estimates().wrong_sign
    if wrong.trials:
        lines.append(("wrong sign, given rejection", f"{wrong} of {wrong.trials:,} trials"))
    for aim in found.context.aims:
        if aim.has_number_needed_to_treat and found.power.hits:
            for value in (3, 5, 10):
                rate = found.probability_nnt_at_most(value, aim.name)
                lines.append(
                    (f"NNT of {aim.name} at most {value}, given efficacy", f"{rate} of {rate.trials:,} trials")
                )
    return lines


def looks_table(found: OperatingCharacteristics) -> Table:
    """Where trials end, and why."""
    shown = {
        reason: rates
        for reason, rates in found.stopping_by_reason.items()
        if reason == "efficacy" or any(rate.hits for rate in rates)
    }
    rows = []
    for look in range(1, found.looks + 1):
        ending, rate = found.patients(look=look), found.stopping[look - 1]
        rows.append(
            [
                f"look {look}",
                f"{rate.hits:,}",
                str(rate),
                *(str(rates[look - 1]) for rates in shown.values()),
                ending.mean.text(1),
                found.look_day(look).mean.text(1),
            ]
        )
    words = {"efficacy": "for efficacy", "harm": "for harm", "futility": "for futility"}
    headings = ["Stops", "trials", "of all", *(words.get(reason, reason) for reason in shown)]
    return _table("Where trials end", [*headings, "patients if it ends", "day of look"], rows)


def sizes_table(found: OperatingCharacteristics) -> Table:
    """How large and long trials are: means and percentiles."""
    patients = found.context.unit == "patients"
    named = {
        "patients randomised": found.patients(),
        "primary visit due" if patients else f"{found.context.unit} counted": found.patients("due"),
        "primary outcome observed" if patients else f"patients in the {found.context.unit} count": found.patients(
            "observed"
        ),
        "days": found.duration(),
    }
    if found.looks > 1:
        named |= {f"days, ended at look {look}": found.duration(look) for look in range(1, found.looks + 1)}
    rows = [[name, *_distribution(one)] for name, one in named.items() if one.trials]
    return _table("Size and length", ["At the end", "mean", *(f"{at}%" for at in PERCENTS)], rows)


def _distribution(found: Distribution) -> list[str]:
    return [found.mean.text(1), *(f"{value:,.0f}" for value in found.quantiles().values())]


def estimates_table(found: OperatingCharacteristics) -> Table:
    """How the estimators of the primary effect do, over all trials and by where they stop for efficacy."""
    aim, level = found.context.primary, found.context.level
    names = [name for name in ESTIMATORS if name == "observed" or found.estimates(name).estimated]
    groups = [("all trials", None, tuple(Decision))]
    if found.looks > 1:
        groups.append(("efficacy", None, _EFFICACY))
        groups += [(f"efficacy at look {look}", look, _EFFICACY) for look in range(1, found.looks + 1)]
    headings = [
        "Estimate",
        "trials",
        "mean",
        bias_heading(aim),
        rmse_heading(aim),
        f"{level_text(level)} interval covers",
        "above truth",
    ]
    rows = []
    for at, (words, look, decisions) in enumerate(groups):
        chosen = {name: found.estimates(name, look, decisions) for name in names}
        shown = {name: one for name, one in chosen.items() if one.estimated or not at}
        if shown and found.looks > 1:
            rows.append([words, *[""] * (len(headings) - 1)])
        indent = "  " if found.looks > 1 else ""
        rows += [[indent + name.replace("_", "-"), *_summary(one)] for name, one in shown.items()]
    kind = kind_text(aim, found.context.plan.protocol)
    title = f"{aim.label} ({kind}; truth {effect_text(aim, aim.truth)})"
    return _table(title, headings, rows)


def _summary(one: EffectSummary) -> list[str]:
    return [
        f"{one.estimated:,}",
        mean_text(one.aim, one.mean),
        error_text(one.aim, one.bias),
        error_text(one.aim, one.root_mean_squared_error, ratio=False),
        str(one.coverage),
        str(one.share_above_truth),
    ]


def secondaries_table(found: OperatingCharacteristics) -> Table:
    """How the estimates of the secondary endpoints do."""
    headings = ["Secondary endpoint", "effect", "trials", "truth", "mean", "bias", "RMSE"]
    headings += ["covers", "in favour", "either", "correlation"]
    rows = []
    for one in found.secondary.values():
        kind = kind_text(one.aim, found.context.plan.protocol)
        rows.append(_secondary(found, one.aim.name, kind, one, one.overall))
        rows[-1][-1] = one.correlation.text(2)
        if found.looks > 1 and one.given_early_efficacy.trials:
            rows.append(_secondary(found, "  given early efficacy", "", one, one.given_early_efficacy))
    note = (
        "In favour and either: tests, each at the protocol's level as if alone, that reject in favour of the"
        " experimental arm, or in either direction; side effects and guesses are in nobody's favour. Correlation is"
        " with the primary estimate."
    )
    return _table("Secondary endpoints", headings, rows, note)


def _secondary(
    found: OperatingCharacteristics, name: str, kind: str, one: SecondaryCharacteristics, some: EffectSummary
) -> list[str]:
    count, mean, bias, error, covers, _ = _summary(some)
    directed = has_direction(one.aim, found.context.plan.protocol)
    favour = str(some.in_favour) if directed else "–"
    truth = effect_text(one.aim, one.aim.truth)
    return [name, kind, count, truth, mean, bias, error, covers, favour, str(some.excluded), ""]


def exaggerations(found: OperatingCharacteristics) -> list[str]:
    """By how much secondary estimates overstate where their own test rejects, a sentence each."""
    lines = []
    for name, one in found.secondary.items():
        if not has_direction(one.aim, found.context.plan.protocol):
            continue
        size, wrong = one.overall.exaggeration_given_significance, one.overall.wrong_sign
        if size.trials and wrong.trials:
            of = f"in {size.trials:,} trials"
            lines.append(f"{name}, where its own test rejects: {size.text(2)} times the truth {of}, wrong sign {wrong}")
    return lines


def _percent(found: Mean) -> str:
    return f"{percent(found.value, 2)} ({decimal(100 * found.standard_error, 2)})"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Table:
    return Table(title, tuple(header), tuple(tuple(row) for row in rows), note)
