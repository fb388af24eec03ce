"""The page of virtual trials: designs, arms, truths that are not known, and endpoints in nobody's favour."""

import re
from functools import cache

import pytest
from oc_results import results

from equipoise.report import render_oc
from equipoise.report.oc_figures import power_curve_figure
from equipoise.report.oc_report import oc_sections
from equipoise.report.oc_words import oc_summary
from equipoise.wording import decimal, percent


@cache
def sections(kind: str):
    return oc_sections(results(kind))


def test_designs_are_told_look_by_look():
    tables = {table.title: table for table in sections("designs")[0].tables}
    pocock = results("designs").results[1].context.plan
    table = tables["Design pocock"]
    assert [row[2] for row in table.rows] == [str(units) for units in pocock.units_per_look]
    assert [row[3] for row in table.rows] == [decimal(float(bound), 3) for bound in pocock.design.efficacy_bounds]
    assert "efficacy Pocock-type (Lan-DeMets)" in table.note
    theory = percent(pocock.under("half-effect").power, 2)
    assert f"Power {theory} by normal theory, {results('designs').results[1].power} simulated" in table.note
    assert list(tables)[-3:] == ["Design obf", "Design pocock", "Design one"]
    assert "Planned looks" in {table.title for table in sections("one")[0].tables}
    assert "Planned looks, here at effect 0, dropout 0.02" not in tables


def test_three_arms_are_told_of():
    text = render_oc(results("three arms"))
    assert "Placebo v Xanomeline high dose (beside Xanomeline low dose)" in text
    assert "Of 3 arms, xanomeline high dose is compared with placebo" in text
    assert "Of 2 arms" not in render_oc(results("one"))


def test_nothing_is_said_of_a_truth_that_is_not_known():
    told = oc_summary(results("no truth"))
    text = render_oc(results("no truth"))
    assert "The true effect is not told by the scenario's numbers" in " ".join(told.simulated)
    assert not re.search(r"\bnan\b", " ".join((*told.simulated, *told.rejects, *told.estimates)), re.IGNORECASE)
    assert "NaN" not in text
    assert [sentence.split(" averages ")[0] for sentence in told.estimates] == [
        "The estimate as observed",
        "Corrected for stopping, the median-unbiased estimate",
    ]


def test_what_is_in_nobodys_favour_is_not_said_to_flatter():
    from equipoise.report.oc_figures.bias_forest import _rows

    found = results("one").results[0]
    names = [row.name for row in _rows(found)]
    assert sum(name.endswith("(right: more often)") for name in names) == 2
    rows = {row[0]: row for table in sections("one")[0].tables if table.title == "Secondary endpoints"
            for row in table.rows}  # fmt: skip
    favour = next(table for table in sections("one")[0].tables if table.title == "Secondary endpoints").header.index(
        "in favour"
    )
    assert rows["blinding"][favour] == rows["adverse-events"][favour] == "–"
    assert rows["response"][favour] == str(found.secondary["response"].overall.in_favour)
    summary = found.secondary["blinding"].overall
    at = next(number for number, name in enumerate(names) if name.startswith("Guesses"))
    assert _rows(found)[at + 1].overall[0] == pytest.approx(summary.bias.value / summary.standard_deviation)


def test_five_curves_have_five_styles():
    found = results("five")
    above, _ = power_curve_figure(found).axes
    assert len({(line.get_color(), line.get_marker()) for line in above.lines}) == len(above.lines) == 5
