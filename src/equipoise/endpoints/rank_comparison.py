"""Arms compared by ranks at one visit: the win probability with Wilcoxon's test, and the shift between the arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Better, Estimate
from ..wording import arm_label, measure_text, reason
from .against_control import against_control
from .ranks.win_probability import win_probability
from .results import Cell, Column, Comparison, Description, EndpointResult, ResultTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import MeanEndpoint, Protocol

__all__ = ["rank_description", "rank_estimate", "rank_result"]


def rank_estimate(
    outcome: NDArray[np.float64], arm: NDArray[np.intp], which: int, better: Better, label: str
) -> Estimate:
    """The win probability of an arm against control, with the standard error of the rank sum under no difference."""
    return win_probability(outcome, against_control(arm, which), better=better).estimate(label=label)


def rank_result(
    endpoint: MeanEndpoint,
    protocol: Protocol,
    data: TrialData,
    outcome: NDArray[np.float64],
    better: Better,
    notes: tuple[str, ...],
) -> EndpointResult:
    """The whole result by ranks: win probabilities, medians by arm, exact or approximate p-values and shifts.

    Raises `InputError` where the experimental arm cannot be compared with control; other arms are left out with a note.
    """
    level, visit = protocol.confidence_level, protocol.visit_of(endpoint)
    label = endpoint.title
    comparisons, refused = [], []
    for at, name in enumerate(data.arm_names[1:], start=1):
        try:
            found = win_probability(outcome, against_control(data.arm, at), better=better)
            estimate = found.estimate(label=label)
        except InputError as error:
            if at == 1:
                raise
            refused.append(f"{arm_label(protocol, name)}: not compared; {reason(str(error))}")
            continue
        comparisons.append(Comparison(name, visit, estimate, found.defined_interval(level)))
    title = f"{measure_text(protocol, endpoint.measure)} by arm"
    return EndpointResult(
        name=endpoint.name,
        label=label,
        kind=endpoint.type,
        comparisons=tuple(comparisons),
        patients=int((~np.isnan(outcome)).sum()),
        notes=(*notes, *refused),
        tables=(
            _medians(protocol, data, outcome, title),
            _shifts(protocol, data, outcome, level),
        ),
        interval_name="logit",
    )


def _medians(protocol: Protocol, data: TrialData, outcome: NDArray[np.float64], title: str) -> ResultTable:
    rows = []
    for at, name in enumerate(data.arm_names):
        values = outcome[(data.arm == at) & ~np.isnan(outcome)]
        quartiles = np.quantile(values, (0.25, 0.5, 0.75)) if len(values) else (None, None, None)
        rows.append((arm_label(protocol, name), len(values), *(q if q is None else float(q) for q in quartiles)))
    columns = (
        Column("Arm"),
        Column("Patients", "count"),
        Column("Lower quartile", "number"),
        Column("Median", "number"),
        Column("Upper quartile", "number"),
    )
    return ResultTable(title, columns, tuple(rows))


def _shifts(protocol: Protocol, data: TrialData, outcome: NDArray[np.float64], level: float) -> ResultTable:
    from .ranks.hodges_lehmann import hodges_lehmann
    from .ranks.rank_sum import rank_sum

    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(data.arm_names[1:], start=1):
        arm = against_control(data.arm, at)
        if at > 1 and not (arm[~np.isnan(outcome)] == 1).any():
            rows.append((arm_label(protocol, name), None, None, None))
            continue
        test, moved = rank_sum(outcome, arm), hodges_lehmann(outcome, arm, level=level)
        rows.append((arm_label(protocol, name), moved.shift, moved.interval, test.p_value))
    columns = (Column("Arm"), Column("Shift", "number", 2), Column("Interval", "number", 2), Column("p", "p"))
    return ResultTable(
        "Shift from control",
        columns,
        tuple(rows),
        "Hodges and Lehmann's median of all differences between a patient of the arm and one of control. p of the rank"
        " sum, two-sided; p and limits are exact below 50 patients in each arm without ties.",
    )


def rank_description(what: str, measured: str, seen: str) -> Description:
    """The comparison in words; `what` is analysed, `seen` is assumed of the patients who were not."""
    return Description(
        method=(
            f"Rank-sum test (Wilcoxon, Mann-Whitney) of the {what}. The effect is the win probability, that of a"
            " patient of the experimental arm doing better than one of control, ties counting half; a look tests it"
            " with the standard error that holds where the arms do not differ, ties counted. Its interval is symmetric"
            " on the logit scale, by the standard error that holds whatever the arms' laws, and may disagree with the"
            " test at the margin."
        ),
        kind="from a rank-sum test of those seen there",
        measured=measured,
        assumptions=(seen, "The test supposes that without a difference the arms have the same distribution."),
        references=(
            "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bull 1945;1:80-83.",
            "Mann HB, Whitney DR. On a test of whether one of two random variables is stochastically larger than the"
            " other. Ann Math Stat 1947;18:50-60.",
            "Hodges JL, Lehmann EL. Estimates of location based on rank tests. Ann Math Stat 1963;34:598-611.",
        ),
    )
