"""Tables of a single result, shares without a standard error, and the power that theory has beside the simulated."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from equipoise import gallery, simulate
from equipoise.endpoints.binary.proportions import wilson_interval
from equipoise.narrow_table import narrow_text, wrapped
from equipoise.simulation import grid
from equipoise.simulation.characteristics_tables import estimates_table, looks_table, rejection_rows, secondaries_table
from equipoise.simulation.design_tables import design_table
from equipoise.simulation.effect_text import arms_compared, kind_text
from equipoise.simulation.point_names import value_text
from equipoise.simulation.rates import Rate
from equipoise.simulation.theory import power_by_theory
from equipoise.table import Table
from equipoise.trial import plan

PROTOCOL = gallery("ptsd-ketamine")


@pytest.fixture(scope="module")
def found():
    return simulate(PROTOCOL, "half-effect", 200)


@pytest.mark.parametrize("trials", [1, 9, 71, 400, 10_000, 1_000_000])
def test_none_and_all_have_wilsons_bound(trials):
    high = 100 * wilson_interval(0, trials).upper
    shown = float(Rate(0, trials).text("").split("<")[1].rstrip(")"))
    assert high <= shown < high + 0.01
    low = float(Rate(trials, trials).text("").split(">")[1].rstrip(")"))
    assert low == pytest.approx(100 - shown)
    assert Rate(0, 0).text() == "–"
    assert str(Rate(1, 4)) == "25.00% (21.65)"


@pytest.mark.parametrize("scenario", ["half-effect", "no-effect", "as-published"])
def test_power_under_another_scenario_is_that_of_a_plan_for_it(scenario):
    planned = plan(PROTOCOL)
    size = PROTOCOL.sample_size.model_copy(update={"scenario": scenario, "patients": planned.patients, "power": None})
    own = plan(PROTOCOL.model_copy(update={"sample_size": size}))
    expected = planned.under(scenario)
    assert expected.power == pytest.approx(own.under_effect.power, abs=1e-12)
    assert expected.stopping == pytest.approx(own.under_effect.stopping, abs=1e-12)
    # two looks by the bivariate normal law
    bounds, drift = own.design.efficacy_bounds, own.drift
    root = math.sqrt(own.design.information[0])
    law = multivariate_normal([drift * root, drift], [[1, root], [root, 1]])
    second = np.diff(norm.cdf(np.array([-bounds[0], bounds[0]]), drift * root)).item() - law.cdf(
        bounds, lower_limit=[-bounds[0], -np.inf]
    )
    assert expected.power == pytest.approx(norm.sf(bounds[0], drift * root) + second, abs=1e-6)


def test_theory_stands_beside_simulation(found):
    theory = power_by_theory(found)
    assert theory == plan(PROTOCOL).under("half-effect").power
    shown = dict(rejection_rows(found))
    assert shown["the same by normal theory, of known errors"] == f"{100 * theory:.2f}%"
    assert f"of {int(found.power.hits)} trials" in shown["wrong sign, given rejection"]


def test_rows_of_some_trials_say_how_many(found):
    rows = estimates_table(found).rows
    groups = {}
    for row in rows:
        if not row[1]:
            groups[row[0]] = []
        else:
            groups[list(groups)[-1]].append(row[1])
    counts = {
        "all trials": found.trials,
        "efficacy": found.power.hits,
        "efficacy at look 1": found.stopping_by_reason["efficacy"][0].hits,
        "efficacy at look 2": found.stopping_by_reason["efficacy"][1].hits,
    }
    assert groups == {name: [str(count)] * 3 for name, count in counts.items()}
    assert [row[1] for row in looks_table(found).rows] == [str(rate.hits) for rate in found.stopping]
    table = secondaries_table(found)
    at = table.header.index("trials")
    assert {row[at] for row in table.rows if row[0].startswith("  ")} == {str(found.stopping[0].hits)}


def test_effects_have_units_and_means_of_unknown_truth_an_error(found):
    kinds = {aim.name: kind_text(aim, PROTOCOL) for aim in found.context.aims}
    assert kinds == {
        "caps5-week2": "mean difference, points",
        "response": "risk difference, %",
        "loss-of-response": "difference in mean time, days",
        "clusters": "mean difference, points",
        "adverse-events": "risk difference, %",
        "blinding": "risk difference, %",
    }
    table = secondaries_table(found)
    row = next(row for row in table.rows if row[0] == "loss-of-response")
    assert row[table.header.index("truth")] == "–"
    assert row[table.header.index("mean")] == found.secondary["loss-of-response"].overall.mean.text(2)


def test_the_design_says_what_its_bounds_are_worth(found):
    planned = found.context.plan
    table = design_table(found)
    effects = [float(row[-1].replace("\N{MINUS SIGN}", "-")) for row in table.rows]
    errors = planned.standard_error / np.sqrt(planned.design.information)
    assert effects == pytest.approx(-planned.design.efficacy_bounds * errors, abs=0.005)
    nominal = 2 * norm.sf(planned.design.efficacy_bounds)
    assert [row[4] for row in table.rows] == [f"{one:.3f}" for one in nominal]
    assert "midazolam 20, ketamine 20" in table.note
    futility = grid(PROTOCOL, designs=["f: fractions=0.5,1; futility=obrien-fleming; beta=0.2; sided=1; alpha=0.025"])
    one = simulate(futility[0].protocol, trials=5, secondary=False, corrected=False)
    assert "futility z" in design_table(one).header


def test_arms_that_are_not_compared_are_named():
    assert arms_compared(PROTOCOL) == ""
    said = arms_compared(gallery("xanomeline-alzheimer"))
    assert said.startswith("Of 3 arms, xanomeline high dose is compared with placebo; patients of xanomeline low dose")


def test_printed_results_fit_a_terminal(found):
    names = ("relapse-after-treatment", "xanomeline-alzheimer", "indomethacin-pancreatitis")
    texts = [str(found), *(str(simulate(gallery(name), trials=20)) for name in names)]
    for text in texts:
        assert max(map(len, text.splitlines())) <= 100
    assert str(replace(found, planned_trials=400)).startswith(
        "ptsd-ketamine, scenario half-effect: 200 of 400 virtual trials, seed 1\n"
    )


def test_wide_tables_are_broken_into_blocks():
    table = Table("", ("name", "key", "one", "two words here", "three"), (("a", "b", "1" * 20, "2" * 20, "3" * 20),))
    text = narrow_text(table, keys=2, width=55)
    first, second = text.split("\n\n")
    assert first.splitlines()[-1] == f"a       b  {'1' * 20}  {'2' * 20}"
    assert second.splitlines()[-1] == f"a       b  {'3' * 20}"
    assert max(map(len, text.splitlines())) <= 55
    assert narrow_text(table, keys=1, width=10).count("\n\n") == 3
    assert wrapped("") == []
    assert wrapped("half-effect " * 20, 30)[0] == "half-effect half-effect"


def test_values_have_true_minus_signs():
    assert [value_text(value) for value in (-0.5, 1, "a-b", "-x", True)] == ["−0.5", "1", "a-b", "-x", "true"]
