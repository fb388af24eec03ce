"""Operating characteristics as tables, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..report.table import Table
from ..sequential import Decision
from ..wording import decimal, level_text, percent
from .effect_text import bias_heading, effect_text, error_text, rmse_heading, unit_text
from .histograms import PERCENTS, Distribution
from .rates import Mean
from .tally import ESTIMATORS

if TYPE_CHECKING:
    from .characteristics import OperatingCharacteristics, SecondaryCharacteristics
    from .effect_sums import EffectSummary

__all__ = ["estimates_table", "exaggerations", "looks_table", "rejection_rows", "secondaries_table", "sizes_table"]

_EFFICACY = (Decision.EFFICACY,)


def rejection_rows(found: OperatingCharacteristics) -> list[tuple[str, str]]:
    """The first things to know, by name."""
    lines = [
        ("rejects in favour of the experimental arm", str(found.power)),
        ("rejects in either direction", str(found.rejection)),
    ]
    if found.type_one_error is not None:
        lines[1] = ("rejects in either direction (type I error)", str(found.rejection))
    lines.append(("patients randomised at the end, mean", found.patients().mean.text(1)))
    lines.append(("days to the end, mean", found.duration().mean.text(1)))
    if found.missing.trials:
        lines.append(("primary outcome not seen when due, mean", _percent(found.missing)))
    given = found.given_efficacy
    if given.exaggeration.trials:
        lines.append(("observed effect over truth, given efficacy", f"{given.exaggeration.text(2)} times"))
    if found.estimates().wrong_sign.trials:
        lines.append(("wrong sign, given rejection", str(found.estimates().wrong_sign)))
    for aim in found.context.aims:
        if aim.has_number_needed_to_treat and found.power.hits:
            shown = [f"at most {value}: {found.probability_nnt_at_most(value, aim.name)}" for value in (3, 5, 10)]
            lines.append((f"NNT of {aim.name}, given efficacy", ", ".join(shown)))
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
        ending = found.patients(look=look)
        rows.append(
            [
                f"look {look}",
                str(found.stopping[look - 1]),
                *(str(rates[look - 1]) for rates in shown.values()),
                ending.mean.text(1),
                found.look_day(look).mean.text(1),
            ]
        )
    words = {"efficacy": "for efficacy", "harm": "for harm", "futility": "for futility"}
    headings = ["Stops", "of all trials", *(words.get(reason, reason) for reason in shown)]
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
    groups = [("", None, tuple(Decision))]
    if found.looks > 1:
        groups.append((", efficacy", None, _EFFICACY))
        groups += [(f", efficacy at look {look}", look, _EFFICACY) for look in range(1, found.looks + 1)]
    rows = []
    for words, look, decisions in groups:
        for name in names:
            one = found.estimates(name, look, decisions)
            if one.estimated or not words:
                rows.append([name.replace("_", "-") + words, *_summary(one)])
    title = f"{aim.label} ({aim.scale.natural_name}{unit_text(aim)}; truth {effect_text(aim, aim.truth)})"
    headings = [
        "Estimate",
        "mean",
        bias_heading(aim),
        rmse_heading(aim),
        f"{level_text(level)} interval covers",
        "above truth",
    ]
    return _table(title, headings, rows)


def _summary(one: EffectSummary) -> list[str]:
    return [
        effect_text(one.aim, one.mean.value),
        error_text(one.aim, one.bias),
        error_text(one.aim, one.root_mean_squared_error, ratio=False),
        str(one.coverage),
        str(one.share_above_truth),
    ]


def secondaries_table(found: OperatingCharacteristics) -> Table:
    """How the estimates of the secondary endpoints do."""
    headings = ["Secondary endpoint", "truth", "mean", "bias", "RMSE", "covers", "in favour", "either", "correlation"]
    rows = []
    for one in found.secondary.values():
        rows.append(_secondary(f"{one.aim.name} ({one.aim.scale.natural_name}{unit_text(one.aim)})", one, one.overall))
        rows[-1][-1] = one.correlation.text(2)
        if found.looks > 1 and one.given_early_efficacy.trials:
            rows.append(_secondary("  given early efficacy", one, one.given_early_efficacy))
    note = "Secondary tests are each at the protocol's level, as if alone; correlation is with the primary estimate."
    return _table("Secondary endpoints", headings, rows, note)


def _secondary(name: str, one: SecondaryCharacteristics, some: EffectSummary) -> list[str]:
    mean, bias, error, covers, _ = _summary(some)
    return [
        name,
        effect_text(one.aim, one.aim.truth),
        mean,
        bias,
        error,
        covers,
        str(some.in_favour),
        str(some.excluded),
        "",
    ]


def exaggerations(found: OperatingCharacteristics) -> list[str]:
    """By how much secondary estimates overstate where their own test rejects, a sentence each."""
    lines = []
    for name, one in found.secondary.items():
        size, wrong = one.overall.exaggeration_given_significance, one.overall.wrong_sign
        if size.trials and wrong.trials:
            lines.append(f"{name}, given its own test rejects: {size.text(2)} times the truth, wrong sign {wrong}")
    return lines


def _percent(found: Mean) -> str:
    return f"{percent(found.value, 2)} ({decimal(100 * found.standard_error, 2)})"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Table:
    return Table(title, tuple(header), tuple(tuple(row) for row in rows), note)
