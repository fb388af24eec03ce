"""The hypotheses tested together, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..table import Table
from ..wording import clean, decimal, p_cell, sentence

if TYPE_CHECKING:
    from ..protocol import Protocol
    from ..trial import TrialResult

__all__ = ["family_table"]


def family_table(result: TrialResult) -> Table | None:
    """Each hypothesis of the protocol's family at the deciding look, and whether it is rejected; None without one."""
    found, protocol = result.testing, result.protocol
    if found is None:
        return None
    rows = []
    for at, name in enumerate(found.names):
        look = int(found.rejected_at[at])
        p_value = float(found.adjusted_p_values[-1, at])
        rows.append(
            (
                _label(protocol, name),
                decimal(float(found.z[-1, at]), 2),
                "–" if np.isnan(p_value) else p_cell(p_value),
                f"rejected at look {look}" if look else "not rejected",
            )
        )
    sides = "two-sided" if found.sided == 2 else "one-sided"
    note = (
        f"Procedure: {clean(found.procedure)}, familywise {sides} alpha {found.alpha:g}, looks counted. A hypothesis is"
        " that the experimental arm is no better than control; z is positive where it was better."
    )
    return Table(
        "Hypotheses tested together",
        ("Hypothesis", "z", "Adjusted p", "Decision"),
        tuple(rows),
        " ".join([note, *(sentence(clean(text)) for text in result.testing_notes)]),
    )


def _label(protocol: Protocol, name: str) -> str:
    """The endpoint's label, with the cluster where the hypothesis is of one."""
    endpoint, cluster = protocol.hypothesis(name)
    label = clean(endpoint.title)
    return f"{label}: {clean(protocol.scale.subscales[cluster].title)}" if cluster else label
