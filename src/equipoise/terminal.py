"""What the command line prints: tables, lines for looks, verdicts, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Task

    from .protocol import Protocol
    from .sequential import Conclusion, GroupSequential
    from .trial import Expectation, Plan

__all__ = ["conclusion_text", "plan_tables", "print_table", "progress", "protocol_tables"]

TableRows = tuple[str, list[str], list[list[str]]]


def print_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print one table, as wide as the terminal allows; numbers to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_header=any(header),
    )
    for at, name in enumerate(header):
        numeric = all(_numeric(row[at]) for row in rows) and bool(rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _numeric(cell: str) -> bool:
    return cell in ("", "–") or cell.lstrip("-+±<").replace(",", "").replace(".", "").replace("%", "").isdigit()


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _told(value: object) -> str:
    return _listed(value) if isinstance(value, tuple) else f"{value:g}"


def _scale(protocol: Protocol) -> str:
    if protocol.outcome is None:
        return "–"
    scale = protocol.scale
    return f"{scale.name}, {scale.minimum:g}-{scale.maximum:g}, {scale.better} is better"


def protocol_tables(protocol: Protocol) -> list[TableRows]:
    """A protocol as tables: trial, arms, visits, endpoints, rule, scenarios."""
    from .protocol.scenario_words import settings_of

    trial, stopping, analysis = protocol.trial, protocol.stopping, protocol.analysis
    allocation = protocol.allocation
    ratio = " : ".join(f"{value:g}" for value in allocation.ratio.values())
    blocks = f", blocks of {_listed(allocation.block_sizes)}" if allocation.block_sizes else ""
    strata = f", strata {', '.join(allocation.strata)}" if allocation.strata else ""
    looks = f"information {_listed(stopping.fractions)}"
    for unit in ("patients", "events"):
        if given := getattr(stopping, unit):
            looks = f"{_listed(given)} {unit}"
    size = protocol.sample_size
    model = (
        f"{analysis.covariance_described}, {analysis.method.upper()}, {analysis.degrees_of_freedom} degrees of freedom"
    )
    what = f"{analysis.outcome} in {protocol.scale_name}" if protocol.outcome else "of each endpoint"
    sides = "two" if stopping.sided == 2 else "one"
    about = [
        ["title", trial.title],
        ["registry", trial.registry or "–"],
        ["protocol hash", protocol.hash],
        ["scale", _scale(protocol)],
        ["allocation", f"{allocation.method}, {' : '.join(allocation.ratio)} = {ratio}{blocks}{strata}"],
        ["sample size", f"{size.patients} patients" if size.patients else f"for a power of {size.power:g}"],
        ["planned under", size.scenario],
        ["accrual", f"{protocol.accrual.patients_per_month:g} patients a month from {protocol.accrual.start}"],
        [
            "analysis",
            f"{what}; covariates {', '.join(analysis.covariates) or 'none'}",
        ],
        *([["", model]] if any(item.type == "longitudinal" for item in protocol.endpoints) else []),
        ["looks at", looks],
        [
            "efficacy",
            f"{stopping.efficacy.described}, alpha {stopping.alpha:g}, {sides}-sided",
        ],
    ]
    if protocol.testing:
        tests = f"{protocol.testing.procedure}: {', '.join(protocol.testing.hypotheses)}"
        about.append(["tested together", tests])
    if stopping.futility:
        binding = "binding" if stopping.futility.binding else "non-binding"
        beta = "" if stopping.beta is None else f", beta {stopping.beta:g}"
        about.append(["futility", f"{stopping.futility.described}{beta}, {binding}"])
    arms = [
        [arm.name, arm.role, arm.drug or "–", arm.dose or "–", _listed(arm.schedule) or "–"] for arm in protocol.arms
    ]
    visits = [
        [visit.name, f"{visit.day:g}", f"-{visit.window[0]:g} to +{visit.window[1]:g}"] for visit in protocol.visits
    ]
    measures = [[item.name, item.kind, item.visit, item.better, item.label] for item in protocol.measures]
    truths = []
    for name, scenario in protocol.scenarios.items():
        for arm in protocol.arm_names:
            for measure, law in scenario.arms[arm].measures.items():
                told = law.model_dump(exclude_defaults=True)
                truth = ", ".join(f"{key.replace('_', ' ')} {_told(value)}" for key, value in told.items())
                truths.append([name, arm, measure, truth])
    settings = [
        [name, setting.title, setting.values] for name in protocol.scenarios for setting in settings_of(protocol, name)
    ]
    endpoints = [[item.name, item.role, item.type, item.label] for item in protocol.endpoints]
    scenarios = []
    for name, scenario in protocol.scenarios.items():
        for arm in protocol.arm_names:
            truth = scenario.arms[arm]
            loss = truth.median_days_to_loss_of_response
            scenarios.append(
                [
                    name,
                    arm,
                    _listed(truth.mean),
                    _listed(truth.sd),
                    f"{100 * truth.dropout:g}%",
                    f"{loss:g}" if loss else "–",
                ]
            )
    return [
        (trial.name, ["", ""], about),
        ("Arms", ["arm", "role", "drug", "dose", "given on days"], arms),
        ("Visits", ["visit", "day", "window"], visits),
        *([("Measures", ["measure", "kind", "visit", "better", "label"], measures)] if measures else []),
        ("Endpoints", ["endpoint", "role", "type", "label"], endpoints),
        ("Scenarios", ["scenario", "arm", "mean at each visit", "SD", "dropout", "median days to loss"], scenarios),
        *([("Settings of the scenarios", ["scenario", "setting", "values"], settings)] if settings else []),
        *([("Measures in the scenarios", ["scenario", "arm", "measure", "truth"], truths)] if truths else []),
    ]


def plan_tables(plan: Plan) -> list[TableRows]:
    """A design as tables: the rule look by look, and what to expect."""
    from .sequential.effects import effect_text

    design = plan.design
    futility = design.futility_bounds
    header = ["look", plan.unit, "information", "efficacy z", "nominal p", "alpha spent"]
    header += ["futility z"] if futility is not None else []
    header += ["ends here, no effect", "ends here, assumed effect"]
    rows = []
    for at in range(design.looks):
        row = [
            str(at + 1),
            str(plan.units_per_look[at]),
            f"{design.information[at]:.4g}",
            f"{'±' if design.sided == 2 else ''}{design.efficacy_bounds[at]:.4f}",
            f"{design.nominal_p_values[at]:.5f}",
            f"{design.alpha_spent[at]:.5f}",
        ]
        row += [f"{futility[at]:.4f}"] if futility is not None else []
        rows.append([*row, f"{plan.under_no_effect.stopping[at]:.4f}", f"{plan.under_effect.stopping[at]:.4f}"])

    def expected(name: str, found: Expectation) -> list[str]:
        ratio = [effect_text(plan.scale, found.effect)] if plan.scale.is_logarithmic else []
        return [name, f"{found.effect:.4g}", *ratio, f"{found.power:.4f}", f"{found.units:.1f}"]

    expectations = [
        expected("no effect", plan.under_no_effect),
        expected(f"assumed ({plan.scenario})", plan.under_effect),
    ]
    effect = [plan.scale.value, plan.scale.natural_name] if plan.scale.is_logarithmic else ["effect"]
    sides = f"{'two' if design.sided == 2 else 'one'}-sided alpha {design.alpha:g}"
    looks = f"{design.looks} look{'s' * (design.looks > 1)}"
    title = f"{plan.protocol.trial.name}: {plan.patients} patients, {looks}, {sides}, {design.efficacy.name}"
    under = "Expected (normal approximation; power counts rejection in favour of the experimental arm)"
    return [(title, header, rows), (under, ["truth", *effect, "power", plan.unit], expectations)]


def conclusion_text(design: GroupSequential, conclusion: Conclusion) -> str:
    """What may be claimed of one published effect, with how much such a stop overstates."""
    from .sequential import Decision

    lines = [str(design), "", str(conclusion)]
    if conclusion.decision is Decision.EFFICACY:
        effect = conclusion.observed.effect
        lines += ["", "Among trials that stop for efficacy at this look, the observed effect would on average be"]
        for share in (0.25, 0.5, 0.75, 1.0):
            mean = conclusion.expected_observed_given_stop(share * effect)
            lines.append(f"  {mean:9.4g} if the true effect is {share * effect:.4g}")
        if conclusion.look == 1 and design.looks > 1:
            lines += [
                "The stage-wise ordering takes a stop at the first look as the most extreme result there is, so that",
                "the median-unbiased estimate equals the observed one; the bias-adjusted estimate and this list show",
                "the price.",
            ]
    if not conclusion.decision.stops:
        lines += ["", "With this z the rule would not have stopped the trial at this look."]
    return "\n".join(lines)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error with the time left and the trials a second; nothing where that is no terminal.

    What it gives is called with the number done and, where it changes, the title.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        """Trials a second."""

        def render(self, task: Task) -> Text:
            """As whole numbers."""
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} a second")

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done, words=title: bar.update(task, completed=done, description=words)
