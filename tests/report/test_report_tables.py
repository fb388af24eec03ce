import pytest
from report_trials import KINDS, trial

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


def test_three_arms_each_have_their_rows():
    result = trial("three arms")
    assert len(means_table(result).rows) == 9
    names = [row[0] for row in comparisons_table(result).rows]
    assert sum("Ketamine 0.2 mg/kg" in name for name in names) == 2


def test_tables_print_as_text():
    text = str(design_table(trial("efficacy").plan))
    assert text.splitlines()[0] == "Planned looks"
    assert "2.340" in text
