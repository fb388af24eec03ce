from dataclasses import replace

import pytest
from report_trials import KINDS, trial

from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.report import (
    all_tables,
    comparisons_table,
    design_table,
    durability_table,
    estimates_table,
    looks_table,
    means_table,
    response_table,
)
from equipoise.report.endpoint_tables import _curve_cells
from equipoise.report.phrases import EffectPhrases
from equipoise.trial import NotAnalysed


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_has_as_many_cells_as_the_header(kind):
    tables = all_tables(trial(kind))
    assert len({table.title for table in tables}) == len(tables)
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.header)}
        assert all(isinstance(cell, str) for row in table.rows for cell in row)
        assert not any("nan" in cell for row in table.rows for cell in row)


def test_absent_endpoints_have_no_table():
    assert response_table(trial("no response")) is None
    assert durability_table(trial("no response")) is None
    assert estimates_table(trial("failed")) is None
    assert comparisons_table(trial("no response")) is None


def test_estimates_are_those_of_the_conclusion():
    result = trial("efficacy at the end")
    conclusion = result.conclusion
    rows = {row[0]: row[1:] for row in estimates_table(result).rows}
    assert rows["As observed"][0] == f"−{-conclusion.observed.effect:.1f}"
    assert rows["Median-unbiased, stage-wise"] == (
        f"−{-conclusion.median_unbiased:.1f}",
        f"−{-conclusion.interval.lower:.1f} to −{-conclusion.interval.upper:.1f}",
        f"{conclusion.p_value:.3f}",
    )
    assert rows["Bias-adjusted (Whitehead)"] == (f"−{-conclusion.bias_adjusted:.1f}", "–", "–")


def test_a_one_sided_design_has_one_sided_p_values_throughout():
    result = trial("futility")
    table = estimates_table(result)
    assert "one-sided" in table.note
    assert table.rows[0][3] == table.rows[1][3]


def test_looks_show_futility_and_failures():
    assert "Futility bound" in looks_table(trial("futility")).header
    failed = looks_table(trial("failed"))
    assert failed.rows[0][-1] == "not analysed, continue"
    assert "somebody has been seen" in failed.note
    assert "Date" not in looks_table(trial("undated")).header


def test_design_spends_all_its_alpha():
    table = design_table(trial("futility").plan)
    spent = [row[table.header.index("Alpha spent")] for row in table.rows]
    assert spent[-1] == "0.0250"
    assert [row[1] for row in table.rows] == ["30", "45", "60"]


def test_numbers_needed_to_treat_run_through_infinity():
    rows = {row[0]: row for row in response_table(trial("not rejected")).rows}
    assert rows["Number needed to treat"][-2:] == ("NNTB 20.0", "NNTB 3.7 to ∞ to NNTH 5.8")


def test_durability_stops_where_follow_up_does():
    rows = {row[0]: row for row in durability_table(trial("not rejected")).rows}
    assert rows["Ketamine, responders"][-1] == "0%"
    assert durability_table(trial("failed")).rows[0][1:] == ("0", "–", "–", "–", "–", "–")


def test_the_observed_interval_of_a_response_is_the_one_of_the_response_table():
    result = trial("response")
    estimates, response = estimates_table(result), response_table(result)
    assert estimates.rows[0][0] == "As observed, Newcombe"
    shown = next(row for row in response.rows if row[0].startswith("Difference"))
    assert estimates.rows[0][1:3] == shown[-2:]
    assert estimates.rows[1][2] != estimates.rows[0][2]
    for said in ("by a method of its own (Newcombe)", "standard error that the looks test with"):
        assert said in estimates.note
    assert "those that the looks test with" in looks_table(result).note
    assert "Newcombe (Response: CAPS-5 down by at least 30% at week 2; " in comparisons_table(result).note
    assert estimates_table(trial("efficacy")).rows[0][0] == "As observed"
    assert "Newcombe" not in estimates_table(trial("efficacy")).note


def test_where_the_whole_analysis_failed_the_observed_interval_is_of_the_score_test():
    result = trial("response")
    failed = replace(result, primary=NotAnalysed("response", "Response", "It failed."))
    row = estimates_table(failed).rows[0]
    assert row[0] == "As observed, score test"
    phrases = EffectPhrases.of(result, result.conclusion.observed)
    assert row[2] == phrases.limits(result.conclusion.observed_interval)
    assert "Newcombe" not in estimates_table(failed).note
    assert "It failed.." not in comparisons_table(failed).note


def test_tables_say_which_patients_are_counted():
    assert "Counted at the deciding look." in response_table(trial("efficacy")).note
    assert "all randomised by the deciding look, followed to the end" in durability_table(trial("efficacy")).note


def test_a_median_that_is_not_known_is_not_given_limits():
    rows = {row[0]: row for row in durability_table(trial("no follow-up")).rows}
    assert rows["Ketamine, responders"][2:4] == ("0", "no follow-up")
    assert rows["Ketamine, all randomised"][3] == "no follow-up"
    for kind in KINDS:
        table = durability_table(trial(kind))
        assert table is None or "not reached (not reached" not in str(table)
    curve = kaplan_meier([5.0, 9.0, 12.0], [False, False, False])
    assert _curve_cells(curve, ())[2] == "not reached"


def test_three_arms_each_have_their_rows():
    result = trial("three arms")
    assert len(means_table(result).rows) == 9
    names = [row[0] for row in comparisons_table(result).rows]
    assert sum("Ketamine 0.2 mg/kg" in name for name in names) == 4


def test_tables_print_as_text():
    text = str(design_table(trial("efficacy").plan))
    assert text.splitlines()[0] == "Planned looks"
    assert "2.340" in text
