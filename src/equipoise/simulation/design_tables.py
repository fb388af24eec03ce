"""Designs as tables: what is looked at when, against which bounds, and what these are worth as effects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..table import Table
from ..wording import capital, clean, decimal, p_cell, percent
from .effect_text import effect_text, kind_text
from .theory import power_by_theory

if TYPE_CHECKING:
    from ..trial import Plan
    from .characteristics import OperatingCharacteristics
    from .comparison import Comparison

__all__ = ["design_table", "design_tables"]

_MOST = 8


def design_tables(found: Comparison) -> tuple[Table, ...]:
    """One table a design that was simulated, eight at most; where other values change its looks, bounds or standard
    error, of its first point.
    """
    tables = []
    pairs = list(zip(found.points, found.results, strict=False))
    for design in found.designs[:_MOST]:
        own = [pair for pair in pairs if pair[0].design == design]
        if own:
            point, result = own[0]
            of = "" if all(_same(result, other) for _, other in own) else f", here at {clean(str(point))}"
            title = f"Design {clean(design)}{of}" if design else f"Planned looks{of}"
            tables.append(design_table(result, title, powers=len(own) == 1))
    return tuple(tables)


def design_table(found: OperatingCharacteristics, title: str = "Planned looks", *, powers: bool = True) -> Table:
    """A design look by look: information, patients or events, bounds on z and their nominal p, alpha spent, and the
    effect that an estimate at the efficacy bound has, with the standard error as planned.

    Parameters
    ----------
    powers
        Whether the note has the power by theory and beside it the simulated one.
    """
    plan, aim = found.context.plan, found.context.primary
    design = plan.design
    futility = design.futility_bounds
    bounds, nominal, spent = design.efficacy_bounds, design.nominal_p_values, design.alpha_spent
    header = ["Look", "information", plan.unit, "efficacy z", "nominal p", "alpha spent"]
    header += ["futility z" if design.sided == 1 else "futility |z|"] if futility is not None else []
    header += ["effect at the efficacy bound"]
    rows = []
    for at, fraction in enumerate(design.information):
        row = [str(at + 1), decimal(fraction, 3), f"{plan.units_per_look[at]:,}", decimal(float(bounds[at]), 3)]
        row += [p_cell(float(nominal[at])), decimal(float(spent[at]), 5)]
        row += [decimal(float(futility[at]), 3)] if futility is not None else []
        row.append(effect_text(aim, _effect_at(plan, float(bounds[at]), fraction)))
        rows.append(tuple(row))
    return Table(title, tuple(header), tuple(rows), _note(found, kind_text(aim, plan.protocol), powers))


def _effect_at(plan: Plan, bound: float, fraction: float) -> float:
    """Effect that lies at a bound on z; NaN where nothing can be rejected."""
    if not math.isfinite(bound):
        return math.nan
    sign = 1 if plan.better == "higher" else -1
    return plan.null_value + sign * bound * plan.standard_error / math.sqrt(fraction)


def _note(found: OperatingCharacteristics, kind: str, powers: bool) -> str:
    plan = found.context.plan
    design, protocol = plan.design, plan.protocol
    force = "binding" if design.binding else "non-binding"
    sides = "one-sided" if design.sided == 1 else "two-sided"
    rules = f"{capital(sides)} alpha {design.alpha:g}; efficacy {design.efficacy.name}"
    rules += f"; futility {design.futility.name}, {force}" if design.futility is not None else ""
    note = f"{rules}. Effects: {kind}, with the standard error of scenario {clean(plan.scenario)}."
    theory = power_by_theory(found) if powers else math.nan
    if not math.isnan(theory):
        note += (
            f" Power {percent(theory, 2)} by normal theory, {found.power} simulated, scenario {clean(found.scenario)}."
        )
    shares = protocol.shares()
    arms = ", ".join(
        f"{clean(name)} {decimal(plan.patients * share, 0 if float(plan.patients * share).is_integer() else 1)}"
        for name, share in zip(protocol.arm_names, shares, strict=True)
    )
    return f"{note} Planned patients: {plan.patients:,} ({arms})."


def _same(one: OperatingCharacteristics, other: OperatingCharacteristics) -> bool:
    first, second = one.context.plan, other.context.plan
    close = math.isclose(first.standard_error, second.standard_error, rel_tol=1e-9)
    return close and first.units_per_look == second.units_per_look and first.design == second.design
