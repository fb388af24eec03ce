"""Tables of the trial as a whole: its plan, its looks, its patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..endpoints import describe
from ..endpoints.safety.result import AdverseEventsResult
from ..table import Table
from ..trial import adverse_events, baseline
from ..wording import arm_label, clean, day_text, decimal, percent, reason, visit_text
from .phrases import EffectPhrases

if TYPE_CHECKING:
    from ..trial import Plan, TrialResult

__all__ = ["baseline_table", "design_table", "flow_table", "looks_table", "safety_table"]


def looks_table(result: TrialResult) -> Table:
    """The looks taken: when, on how many patients, the effect, z, bounds, decision."""
    futility = result.plan.design.futility_bounds is not None
    dated = any(look.date is not None for look in result.looks)
    header = [
        "Look",
        *(["Date"] if dated else []),
        "Randomised",
        "Due" if result.plan.unit == "patients" else result.plan.unit.capitalize(),
        "Seen" if result.plan.unit == "patients" else "Patients",
        "Information",
        "Effect (SE)",
        "z",
        "Efficacy bound",
    ]
    rows = []
    for look in result.looks:
        effect = "–"
        if look.estimate is not None:
            phrases = EffectPhrases.of(result, look.estimate)
            effect = f"{phrases.value(look.estimate.effect)} ({phrases.error(look.estimate.standard_error)})"
        cells = [str(look.number)]
        if dated:
            cells.append("–" if look.date is None else day_text(look.date))
        cells += [str(look.randomised), str(look.due), str(look.observed), f"{look.fraction:.3g}", effect]
        cells += [decimal(look.z, 3), decimal(look.efficacy_bound, 3)]
        if futility:
            cells.append(decimal(look.futility_bound, 3))
        rows.append((*cells, str(look.decision) if not look.failure else f"not analysed, {look.decision}"))
    note = "z is positive in favour of the experimental arm."
    if result.plan.unit == "patients":
        note += " Due and seen are at the primary visit."
    if getattr(result.primary, "interval_name", ""):
        note += " Standard errors (SE) are those that the looks test with."
    failures = [f"Look {look.number}: {reason(look.failure)}." for look in result.looks if look.failure]
    failures += [f"Look {look.number}: {reason(note)}." for look in result.looks for note in look.notes]
    return Table(
        "Looks taken",
        (*header, *(["Futility bound"] if futility else []), "Decision"),
        tuple(rows),
        " ".join([note, *failures]),
    )


def flow_table(result: TrialResult) -> Table:
    """Patients randomised, lost, waiting, seen and analysed, by arm."""
    rows = result.flow
    visit = visit_text(result.protocol, result.protocol.primary_visit)
    lines: tuple[tuple[str, str], ...] = (
        ("Randomised", "randomised"),
        (f"Withdrew before or missed {visit}", "withdrew_before_primary"),
        (f"Not yet due at {visit}", "not_yet_due"),
        (f"Seen at {visit}", "seen_at_primary"),
        ("In the primary analysis", "analysed"),
    )
    if result.plan.unit == "events":
        lines = (lines[0], lines[-1])
    return Table(
        "Participant flow",
        ("", *(arm_label(result.protocol, row.arm) for row in rows)),
        tuple((name, *(str(getattr(row, field)) for row in rows)) for name, field in lines),
        describe(result.protocol.primary, result.protocol).flow,
    )


def baseline_table(result: TrialResult) -> Table:
    """Baseline characteristics by arm."""
    names = tuple(arm_label(result.protocol, name) for name in result.data.arm_names)
    rows = tuple((clean(row.label), *row.values) for row in baseline(result.protocol, result.data))
    return Table("Baseline", ("", *names), rows, "No tests: randomisation made the arms.")


def safety_table(result: TrialResult) -> Table | None:
    """Patients with at least one adverse event of each term, by arm; None where the data have no adverse events, or an
    endpoint tells of them.
    """
    found = adverse_events(result.followed)
    if not found or any(isinstance(item, AdverseEventsResult) for item in (result.primary, *result.secondary)):
        return None
    names = tuple(arm_label(result.protocol, name) for name in result.followed.arm_names)
    rows = tuple(
        (
            clean(row.term),
            *(
                f"{count}/{total} ({percent(count / total)})" if total else "–"
                for count, total in zip(row.patients, row.total, strict=True)
            ),
        )
        for row in found
    )
    return Table(
        "Adverse events", ("Patients with at least one", *names), rows, "To the end of each patient's follow-up."
    )


def _nominal(p_value: float) -> str:
    return "0" if p_value == 0 else "<0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def design_table(plan: Plan) -> Table:
    """The planned looks: patients, information, bounds, error spent, and the probability of ending there."""
    design = plan.design
    header = ["Look", plan.unit.capitalize(), "Information", "Efficacy bound", "Nominal p", "Alpha spent"]
    futility = design.futility_bounds
    header += ["Futility bound"] if futility is not None else []
    header += ["Ends here, assumed effect", "Ends here, no effect"]
    rows = []
    for at in range(design.looks):
        cells = [
            str(at + 1),
            str(plan.units_per_look[at]),
            f"{design.information[at]:.3g}",
            decimal(float(design.efficacy_bounds[at]), 3),
        ]
        cells += [_nominal(float(design.nominal_p_values[at])), f"{design.alpha_spent[at]:.4f}"]
        cells += [decimal(float(futility[at]), 3)] if futility is not None else []
        cells += [percent(plan.under_effect.stopping[at], 1), percent(plan.under_no_effect.stopping[at], 1)]
        rows.append(tuple(cells))
    sides = "one-sided" if design.sided == 1 else "two-sided"
    note = (
        f"{sides[0].upper()}{sides[1:]} alpha {design.alpha:g}; {design.efficacy.name}. Power"
        f" {percent(plan.under_effect.power, 1)} at the assumed effect; expected {plan.unit}"
        f" {decimal(plan.under_effect.units)} there and {decimal(plan.under_no_effect.units)} without effect."
    )
    return Table("Planned looks", tuple(header), tuple(rows), note)
