"""Tables of the endpoints: the effect and its corrections, means, response and how long it lasts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..endpoints import describe
from ..endpoints.results import Comparison, DurabilityResult, EndpointResult, ResponseResult
from ..table import Table
from ..trial import NotAnalysed
from ..wording import (
    arm_label,
    arm_text,
    capital,
    clean,
    days,
    decimal,
    level_text,
    listed,
    p_cell,
    percent,
    reason,
    sentence,
    visit_label,
    visit_text,
)
from .figures.durability import durability_result, median_text, without_follow_up
from .figures.means import mean_result
from .figures.response import response_results
from .observed_interval import observed_interval
from .phrases import FOLLOWED, EffectPhrases

if TYPE_CHECKING:
    from ..endpoints.survival.kaplan_meier import KaplanMeier
    from ..sequential import Conclusion
    from ..trial import TrialResult

__all__ = [
    "comparisons_table",
    "differences_table",
    "durability_table",
    "estimates_table",
    "means_table",
    "response_table",
]


def estimates_table(result: TrialResult) -> Table | None:
    """The effect as observed and as corrected; None where the last look could not be analysed."""
    conclusion = result.conclusion
    if conclusion is None:
        return None
    phrases = EffectPhrases.of(result, conclusion.observed)
    level = level_text(conclusion.repeated_interval.level)
    sides = "one-sided" if conclusion.design.sided == 1 else "two-sided"
    interval, kind = observed_interval(result, conclusion)
    rows = [
        (
            f"As observed, {kind}" if kind else "As observed",
            phrases.value(conclusion.observed.effect),
            phrases.limits(interval),
            p_cell(_observed_p(conclusion)),
        ),
        (
            "Median-unbiased, stage-wise",
            phrases.value(conclusion.median_unbiased),
            phrases.limits(conclusion.interval),
            "–" if conclusion.p_value is None else p_cell(conclusion.p_value),
        ),
        ("Bias-adjusted (Whitehead)", phrases.value(conclusion.bias_adjusted), "–", "–"),
        ("Repeated interval", "–", phrases.limits(conclusion.repeated_interval), p_cell(conclusion.repeated_p_value)),
    ]
    unit = f", {phrases.unit}" if phrases.unit else ""
    against = "against" if phrases.scale.is_logarithmic else "minus"
    note = (
        f"{sentence(phrases.experimental)[:-1]} {against} {phrases.control}{unit}; {conclusion.observed.better} favours"
        f" {phrases.experimental}. p-values are {sides}; the one as observed ignores the looks."
    )
    if kind:
        note += (
            f" The interval as observed is by a method of its own ({kind}); p-values and the other intervals rest on"
            " the standard error that the looks test with."
        )
    return Table(
        f"Effect{_where(result)}, as observed and as corrected",
        ("", "Estimate", f"{level} interval", "p"),
        tuple(rows),
        note,
    )


def _where(result: TrialResult) -> str:
    """At which visit, where the looks count patients there."""
    return f" at {visit_text(result.protocol, result.protocol.primary_visit)}" if result.plan.unit == "patients" else ""


def _observed_p(conclusion: Conclusion) -> float:
    """p-value of the estimate as if there had been no look, with as many sides as the design."""
    two_sided = conclusion.observed.p_value
    if conclusion.design.sided == 2:
        return two_sided
    return two_sided / 2 if conclusion.z > 0 else 1 - two_sided / 2


def means_table(result: TrialResult) -> Table | None:
    """Observed and adjusted means by arm and visit; None without an endpoint that has them."""
    found = mean_result(result)
    if found is None:
        return None
    protocol = result.protocol
    level = level_text(found.means[0].interval.level)
    rows = tuple(
        (
            f"{visit_label(protocol, mean.visit)}, {arm_label(protocol, mean.arm)}",
            str(mean.patients),
            decimal(mean.observed_mean) + ("" if math.isnan(mean.observed_sd) else f" ({decimal(mean.observed_sd)})"),
            decimal(mean.adjusted_mean),
            f"{decimal(mean.interval.lower)} to {decimal(mean.interval.upper)}",
        )
        for visit in dict.fromkeys(mean.visit for mean in found.means)
        for mean in found.means
        if mean.visit == visit
    )
    what = "change from baseline in " if protocol.analysis.outcome == "change" else ""
    notes = [f"Points on {clean(protocol.scale_name)}.", *_sentences(found.notes)]
    return Table(
        f"Mean {what}{clean(protocol.scale_name)} by visit and arm",
        ("Visit and arm", "Seen", "Observed mean (SD)", "Adjusted mean", f"{level} CI"),
        rows,
        " ".join(notes),
    )


def _sentences(notes: Iterable[str]) -> list[str]:
    return [sentence(text) for text in map(clean, notes) if text]


def _comparison_row(result: TrialResult, name: str, comparison: Comparison, endpoint: str) -> tuple[str, ...]:
    phrases = EffectPhrases.of(result, comparison.estimate, comparison.arm, endpoint)
    return (
        name,
        f"{phrases.value(comparison.estimate.effect)} ({phrases.error(comparison.estimate.standard_error)})",
        phrases.limits(comparison.interval),
        decimal(comparison.estimate.degrees_of_freedom),
        p_cell(comparison.estimate.p_value),
    )


def differences_table(result: TrialResult) -> Table | None:
    """Adjusted differences from control by visit; None without an endpoint that has them."""
    found = mean_result(result)
    if found is None or not found.by_visit:
        return None
    protocol = result.protocol
    several = len(protocol.arm_names) > 2
    rows = tuple(
        _comparison_row(
            result,
            visit_label(protocol, item.visit) + (f", {arm_label(protocol, item.arm)}" if several else ""),
            item,
            found.name,
        )
        for item in found.by_visit
    )
    level = level_text(found.by_visit[0].interval.level)
    control = arm_text(protocol, protocol.control.name)
    subject = "Arms" if several else arm_label(protocol, protocol.experimental.name)
    note = (
        f"Points on {clean(protocol.scale_name)}, adjusted; intervals and p-values (two-sided) as if there had been"
        " no interim look."
    )
    return Table(
        f"{subject} minus {control} by visit", ("Visit", "Difference (SE)", f"{level} CI", "df", "p"), rows, note
    )


def response_table(result: TrialResult, endpoint: str = "") -> Table | None:
    """Responders by arm, risk difference and number needed to treat; None without the endpoint."""
    found = next((item for item in response_results(result) if endpoint in ("", item.name)), None)
    if found is None:
        return None
    protocol = result.protocol
    level = level_text(found.arms[0].interval.level)
    rows = [
        (
            arm_label(protocol, arm.arm),
            f"{arm.responders}/{arm.patients}",
            str(arm.observed),
            percent(arm.risk, 1) if arm.patients else "–",
            f"{decimal(100 * arm.interval.lower)} to {decimal(100 * arm.interval.upper)}%" if arm.patients else "–",
        )
        for arm in found.arms
    ]
    who = clean(describe(protocol.endpoint(found.name), protocol).measured)
    difference, number = found.difference, found.number_needed_to_treat
    if difference is not None:
        limits = f"{decimal(100 * difference.interval.lower)} to {decimal(100 * difference.interval.upper)}"
        rows.append(("Difference, percentage points", "", "", decimal(100 * difference.effect), limits))
    if number is not None:
        rows.append(("Number needed to treat", "", "", str(number).split(" (")[0], number.interval_text))
    return Table(
        clean(found.label),
        (
            "Arm",
            capital(who),
            "Seen",
            "Risk",
            f"{level} interval",
        ),
        tuple(rows),
        " ".join(["Counted at the deciding look.", *_sentences(found.notes)]),
    )


def durability_table(result: TrialResult) -> Table | None:
    """Losses, median days to loss and probabilities of still being in response, by arm; None without the endpoint."""
    found = durability_result(result)
    if found is None:
        return None
    horizons = found.arms[0].horizons if found.arms else ()
    rows = []
    for among in ("responders", "all randomised"):
        for arm in found.arms:
            curve = arm.responders if among == "responders" else arm.all_randomised
            name = f"{arm_label(result.protocol, arm.arm)}, {among}"
            rows.append((name, *_curve_cells(curve, horizons)))
    level = level_text(_durability_level(found))
    note = (
        f"Of {FOLLOWED}; the table of responders is of the deciding look and may count fewer. In response after so many"
        " days since the response visit. Among all randomised, those without response count as lost on day 0. "
        + " ".join(_sentences(found.notes))
    ).strip()
    header = (
        "Arm, among",
        "Patients",
        "Losses",
        f"Median days ({level})",
        *(f"In response, day {days(day)}" for day in horizons),
    )
    return Table(clean(found.label), header, tuple(rows), note)


def _durability_level(found: DurabilityResult) -> float:
    curves = [curve for arm in found.arms for curve in (arm.responders, arm.all_randomised) if curve is not None]
    return curves[0].level if curves else 0.95


def _curve_cells(curve: KaplanMeier | None, horizons: tuple[float, ...]) -> tuple[str, ...]:
    if curve is None:
        return ("0", "–", "–", *("–" for _ in horizons))
    interval = curve.median_interval
    median = median_text(curve)
    lower, upper = ("not reached" if math.isinf(limit) else days(limit) for limit in (interval.lower, interval.upper))
    if not without_follow_up(curve) and not (math.isinf(curve.median) and lower == upper):
        median = f"{median} ({lower} to {upper})"
    known = curve.survival[-1] == 0
    shown = [
        percent(float(curve.survival_at([day])[0])) if known or day <= curve.last_time else "–" for day in horizons
    ]
    return (str(curve.patients), str(int(curve.events.sum())), median, *shown)


def comparisons_table(result: TrialResult) -> Table | None:
    """One row an endpoint and experimental arm, or why there is no result; None without secondary endpoints."""
    rows: list[tuple[str, ...]] = []
    notes = [
        "Intervals and p-values (two-sided) as if there had been no interim look, and not corrected for their number"
        + (": the table of tests is." if result.testing is not None else ".")
    ]
    several = len(result.protocol.arm_names) > 2
    level = 0.0
    analysed = [item for item in (result.primary, *result.secondary) if not isinstance(item, NotAnalysed)]
    for item in (result.primary, *result.secondary):
        if isinstance(item, NotAnalysed):
            rows.append((clean(item.label), "not analysed", "–", "–", "–", "–"))
            notes.append(f"{clean(item.label)}: {reason(item.reason)}.")
            continue
        for comparison in item.comparisons:
            name = clean(item.label) + (f", {arm_label(result.protocol, comparison.arm)}" if several else "")
            first, *others = _comparison_row(result, name, comparison, item.name)
            rows.append((first, EffectPhrases.of(result, comparison.estimate, endpoint=item.name).kind, *others))
            level = comparison.interval.level
        notes += _endpoint_notes(item)
    named: dict[str, list[str]] = {}
    for item in analysed:
        if item.interval_name:
            named.setdefault(item.interval_name, []).append(clean(item.label))
    if named:
        whose = listed([f"{name} ({'; '.join(labels)})" for name, labels in named.items()])
        notes.append(f"Some intervals are by methods of their own: {whose}; SE and p are those that a look tests with.")
    if not result.secondary or not rows:
        return None
    header = ("Endpoint", "Effect is", "Effect (SE)", f"{level_text(level)} CI" if level else "CI", "df", "p")
    return Table("All comparisons with control", header, tuple(rows), " ".join(notes))


def _endpoint_notes(item: EndpointResult) -> list[str]:
    return (
        []
        if isinstance(item, (ResponseResult, DurabilityResult))
        else [f"{clean(item.label)}: {reason(note)}." for note in item.notes]
    )
