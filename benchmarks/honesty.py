"""How honest the honest table is: corrected estimates of whole virtual trials under three plans and five truths.

Run: python benchmarks/honesty.py [--trials N] [--engine NAME] [--write]

Trials of the ketamine protocol, patient by patient, every endpoint corrected as `equipoise analyse` does it: by the
stopping rule, and by the correlation with the primary endpoint found from each trial's own patients. `--write` puts the
tables into docs/honest-estimates.md and its figures beside it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import equipoise as eq
from equipoise.figure_style import arm_style, figure_function, new_figure
from equipoise.simulation.honesty import ESTIMATES, HonestyStudy, honesty_study

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "honest-estimates.md"
SECONDARY = ("response", "loss-of-response", "clusters")
NAMES = {
    "caps5-week2": "CAPS-5 (primary)",
    "response": "response, and its NNT",
    "loss-of-response": "time in response",
    "clusters": "sum of clusters",
}
PLANS = {
    "ketamine trial: 30 of 40, O'Brien-Fleming type": "own:",
    "no interim look, 30 patients": "fixed: fractions=1",
    "three looks: 14, 27 and 40, Pocock type": "pocock: efficacy=pocock; patients=14,27,40",
    "looks at 20, 30 and 40, binding futility": (
        "futility: patients=20,30,40; sided=1; alpha=0.025; efficacy=obrien-fleming; futility=obrien-fleming; beta=0.2;"
        " binding=true"
    ),
}
MULTIPLES = (0.0, 0.5, 1.0, 1.5, 2.0)
LEAST = 500  # trials of a line worth telling
MOST_FIXED = 20_000  # trials of the plan without a look, which is there to compare with


def studies(trials: int, engine: str) -> Iterator[tuple[str, float, HonestyStudy]]:
    """One study a plan and truth; every plan on the same virtual patients."""
    protocol = eq.gallery("ptsd-ketamine")
    for name, design in PLANS.items():
        looks = [design]
        vary = {"effect": list(MULTIPLES), "endpoints.loss-of-response.within": [56]}
        patients = {"patients": [30]} if "no interim" in name else {}
        for point in eq.grid(protocol, "as-published", vary=vary | patients, designs=looks):
            begun = perf_counter()
            count = min(trials, MOST_FIXED) if "no interim" in name else trials
            found = honesty_study(point.protocol, point.scenario, count, secondary=SECONDARY, engine=engine)
            print(f"{name}, {point.values['effect']:g}: {perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
            yield name, point.values["effect"], found


def rows_of(plan: str, multiple: float, study: HonestyStudy) -> Iterator[dict[str, object]]:
    """Plain rows, one an endpoint, estimate and look."""
    for line in study.lines:
        yield {
            "plan": plan,
            "multiple": multiple,
            "truth": study.truths[line.endpoint],
            "endpoint": line.endpoint,
            "estimate": line.estimate,
            "look": line.look,
            "trials": line.trials,
            "above": line.above.value,
            "above_error": line.above.standard_error,
            "bias": line.bias.value,
            "bias_error": line.bias.standard_error,
            "coverage": None if line.coverage is None else line.coverage.value,
            "coverage_error": None if line.coverage is None else line.coverage.standard_error,
            "correlation": study.correlations[line.endpoint].value if line.endpoint in study.correlations else 1.0,
        }


def table(rows: list[dict], plan: str, look: int) -> str:
    """Median bias, mean bias and coverage of every estimate, a line an endpoint and truth."""
    header = ["Endpoint", "Truth, times published", "r", *ESTIMATES]
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    for endpoint, label in NAMES.items():
        for multiple in MULTIPLES:
            some = [
                row
                for row in rows
                if (row["plan"], row["look"], row["endpoint"], row["multiple"]) == (plan, look, endpoint, multiple)
            ]
            if not some or some[0]["trials"] < LEAST:
                continue
            cells = [cell(next(row for row in some if row["estimate"] == name)) for name in ESTIMATES]
            lines.append(f"| {label} | {multiple:g} | {some[0]['correlation']:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(row: dict) -> str:
    covered = "" if row["coverage"] is None else f", {100 * row['coverage']:.1f}"
    return f"{100 * row['above']:.1f}, {row['bias']:+.2f}{covered}"


@figure_function
def figure(rows: list[dict], plan: str, look: int):
    """Median bias and coverage of the estimates against the truth, a panel an endpoint."""
    drawn, panels = new_figure(9.6, rows=4)
    for axes, (endpoint, label) in zip(panels, NAMES.items(), strict=True):
        for at, name in enumerate(("observed", "bias-adjusted", "median-unbiased", "conditional")):
            some = [
                row
                for row in rows
                if (row["plan"], row["look"], row["endpoint"], row["estimate"]) == (plan, look, endpoint, name)
                and row["trials"] >= LEAST
            ]
            style = arm_style(at)
            axes.plot(
                [row["multiple"] for row in some],
                [100 * row["above"] for row in some],
                marker=style.marker,
                linestyle=style.line,
                color=style.colour,
                label=name,
                markerfacecolor="white",
            )
        axes.axhline(50, color="#5b6473", linewidth=1, linestyle=(0, (4, 3)))
        axes.set_ylim(0, 100)
        axes.set_title(label, fontsize=10.5)
        axes.set_ylabel("% above truth")
    panels[0].legend(fontsize=8.5, ncols=2, frameon=False)
    panels[-1].set_xlabel("true effect, times the published one")
    return drawn


def main() -> None:
    """Simulate, print, and on request write the page."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=100_000)
    options.add_argument("--engine", default="processes")
    options.add_argument("--write", action="store_true")
    options.add_argument("--rows", type=Path, help="JSON of rows: read where it is there, else written")
    given = options.parse_args()
    if given.rows and given.rows.exists():
        rows = json.loads(given.rows.read_text())
    else:
        rows = []
        for plan, multiple, study in studies(given.trials, given.engine):
            rows += rows_of(plan, multiple, study)
            if given.rows:
                given.rows.with_suffix(".part").write_text(json.dumps(rows))
        if given.rows:
            given.rows.write_text(json.dumps(rows))
    page = PAGE.read_text(encoding="utf-8") if given.write else ""
    for number, plan in enumerate(PLANS, start=1):
        looks = sorted({row["look"] for row in rows if row["plan"] == plan})
        for look in looks:
            text = table(rows, plan, look)
            title = f"{plan}, {'all trials' if look == 0 else f'trials that end at look {look}'}"
            print(f"\n{title}\n{text}")
            block = f"<!-- {number}.{look} -->"
            page = re.sub(rf"{block}\n.*?\n<!-- end -->", lambda _, b=block, t=text: f"{b}\n{t}\n<!-- end -->", page,
                          flags=re.DOTALL)  # fmt: skip
            if given.write and number == 1 and look < 2:
                target = DOCS / "figures" / f"honesty-look-{look}.svg"
                target.parent.mkdir(exist_ok=True)
                figure(rows, plan, look).savefig(target, format="svg", metadata={"Date": None})
    if given.write:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
