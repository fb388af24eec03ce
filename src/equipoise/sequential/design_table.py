"""A design as plain values, as a data frame and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..plain import plain
from ..text_table import text_table

if TYPE_CHECKING:
    import polars

    from .planned_design import PlannedDesign

__all__ = ["design_dict", "design_frame", "design_text"]


def design_dict(design: PlannedDesign) -> dict[str, Any]:
    """Everything about the design in plain values for JSON; an infinite bound is None."""
    futility, beta_spent = design.futility_bounds, design.beta_spent
    at_drift = design.exit_probabilities(design.drift) if design.beta is not None else None
    return {
        "information": list(design.information),
        "alpha": design.alpha,
        "sided": design.sided,
        "efficacy": design.efficacy.name,
        "futility": None if design.futility is None else design.futility.name,
        "beta": design.beta,
        "binding": design.binding,
        "efficacy_bounds": [plain(bound) for bound in design.efficacy_bounds],
        "futility_bounds": None if futility is None else [plain(bound) for bound in futility],
        "nominal_p_values": design.nominal_p_values.tolist(),
        "alpha_spent": design.alpha_spent.tolist(),
        "beta_spent": None if beta_spent is None else beta_spent.tolist(),
        "drift": None if design.beta is None else design.drift,
        "inflation_factor": None if design.beta is None else design.inflation_factor,
        "power_per_look": None if at_drift is None else at_drift.upper.tolist(),
    }


def _columns(design: PlannedDesign) -> dict[str, Any]:
    """One value a look in each column."""
    columns: dict[str, Any] = {
        "look": np.arange(1, design.looks + 1),
        "information_fraction": np.array(design.information),
        "efficacy_bound": design.efficacy_bounds,
        "nominal_p_value": design.nominal_p_values,
        "alpha_spent": design.alpha_spent,
    }
    if design.futility_bounds is not None:
        columns["futility_bound"] = design.futility_bounds
    if design.beta_spent is not None:
        columns["beta_spent"] = design.beta_spent
    if design.beta is not None:
        columns["power"] = np.cumsum(design.exit_probabilities(design.drift).upper)
    return columns


def design_frame(design: PlannedDesign) -> polars.DataFrame:
    """One row a look, as a polars data frame; infinite bounds stay infinite."""
    import polars

    return polars.DataFrame(_columns(design))


def design_text(design: PlannedDesign) -> str:
    sides = "one-sided" if design.sided == 1 else "two-sided"
    lines = [f"Group-sequential design, {design.looks} look{'s' * (design.looks > 1)}, {sides} alpha {design.alpha:g}"]
    lines.append(f"Efficacy: {design.efficacy.name}")
    if design.futility is not None:
        force = "binding" if design.binding else "non-binding"
        lines.append(f"Futility: {design.futility.name}, {force}")
    if design.beta is not None:
        lines.append(
            f"Power {1 - design.beta:g} at drift {design.drift:.4f}; inflation factor {design.inflation_factor:.4f}"
        )
        if design.looks > 1:
            nothing, half, planned = design.expected_information(np.array([0.0, 0.5, 1.0]) * design.drift)
            lines.append(
                f"Expected information {nothing:.4f} of the maximum under no effect, {half:.4f} at half, {planned:.4f} "
                "under the planned"
            )
    headings = {
        "look": ("look", "d"),
        "information_fraction": ("information", ".3f"),
        "efficacy_bound": ("efficacy z", ".3f"),
        "nominal_p_value": ("nominal p", ".5f"),
        "alpha_spent": ("alpha spent", ".5f"),
        "futility_bound": ("futility z" if design.sided == 1 else "futility |z|", ".3f"),
        "beta_spent": ("beta spent", ".5f"),
        "power": ("power", ".4f"),
    }
    columns = _columns(design)
    rows = [[format(columns[name][at], headings[name][1]) for name in columns] for at in range(design.looks)]
    return "\n".join([*lines, text_table([headings[name][0] for name in columns], rows)])
