"""Plain counts and summaries of a trial's patients by arm: participant flow, baseline, adverse events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import endpoints
from ..data import ADVERSE_EVENT
from ..errors import InputError

if TYPE_CHECKING:
    from ..data import TrialData
    from ..protocol import Protocol

__all__ = ["ArmFlow", "BaselineRow", "SafetyRow", "adverse_events", "baseline", "flow"]


@dataclass(frozen=True, slots=True)
class ArmFlow:
    """One arm's way through the trial, in patients."""

    arm: str
    randomised: int
    withdrew_before_primary: int
    not_yet_due: int
    seen_at_primary: int
    analysed: int


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """One characteristic (or one level of it) by arm, as text: mean (SD) or n (%)."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SafetyRow:
    """Patients with at least one event of a term, by arm."""

    term: str
    patients: tuple[int, ...]
    total: tuple[int, ...]


def flow(protocol: Protocol, data: TrialData) -> tuple[ArmFlow, ...]:
    """Participant flow by arm, in the order of `Protocol.arm_names`.

    Analysed are those who enter the primary endpoint's analysis; nobody where the data lack what it needs.
    """
    primary = protocol.primary
    due = data.is_due(protocol.visit_of(primary))
    try:
        seen = endpoints.seen(primary, protocol, data)
        analysed = endpoints.analysed(primary, protocol, data)
    except InputError:
        seen = analysed = np.zeros(len(data), dtype=bool)
    rows = []
    for at, name in enumerate(data.arm_names):
        members = data.arm == at
        rows.append(
            ArmFlow(
                name,
                int(members.sum()),
                int((members & due & ~seen).sum()),
                int((members & ~due).sum()),
                int((members & seen).sum()),
                int((members & analysed).sum()),
            )
        )
    return tuple(rows)


def baseline(protocol: Protocol, data: TrialData) -> tuple[BaselineRow, ...]:
    """Baseline score and covariates by arm; no tests, for randomisation made the arms (Senn 1994, Statistics in
    Medicine 13:1715).
    """
    members = [data.arm == at for at in range(len(data.arm_names))]

    def mean_sd(values: Any) -> tuple[str, ...]:
        shown = []
        for member in members:
            known = values[member][~np.isnan(values[member])]
            sd = f" ({known.std(ddof=1):.1f})" if len(known) > 1 else ""
            shown.append(f"{known.mean():.1f}{sd}" if len(known) else "–")
        return tuple(shown)

    rows = [BaselineRow("Patients", tuple(str(int(member.sum())) for member in members))]
    for covariate in protocol.covariates:
        if covariate.name not in data.covariates:
            continue
        values, label = data.covariates[covariate.name], covariate.label or covariate.name
        if covariate.kind == "continuous":
            rows.append(BaselineRow(f"{label}, mean (SD)", mean_sd(values)))
            continue
        for level in covariate.levels:
            shown = []
            for member in members:
                count, known = int((values[member] == level).sum()), int((values[member] != "").sum())
                shown.append(f"{count} ({100 * count / known:.0f}%)" if known else "–")
            rows.append(BaselineRow(f"{label}: {level}, n (%)", tuple(shown)))
    if protocol.outcome is not None:
        rows.append(BaselineRow(f"{data.scale} at baseline, mean (SD)", mean_sd(data.baseline)))
    return tuple(rows)


def adverse_events(data: TrialData) -> tuple[SafetyRow, ...]:
    """Patients with at least one event of each term by arm, the commonest term first."""
    kept = data.events.select(data.events.kind == ADVERSE_EVENT)
    totals = tuple(int((data.arm == at).sum()) for at in range(len(data.arm_names)))
    rows = []
    for term in np.unique(kept.term):
        patients = np.unique(kept.patient[kept.term == term])
        counts = tuple(int((data.arm[patients] == at).sum()) for at in range(len(data.arm_names)))
        rows.append(SafetyRow(str(term), counts, totals))
    return tuple(sorted(rows, key=lambda row: (-sum(row.patients), row.term)))
