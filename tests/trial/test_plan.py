import math

import pytest
from scipy.stats import norm

from equipoise import InputError, gallery, plan
from protocols import edited, one_visit
from sample_size_reference import CASES, protocol_of


def test_ketamine_plan_has_the_published_bounds():
    planned = plan(gallery("ptsd-ketamine"))
    assert planned.units_per_look == (30, 40)
    assert planned.design.information == (0.75, 1.0)
    assert [round(bound, 3) for bound in planned.design.efficacy_bounds] == [2.340, 2.012]
    assert planned.under_no_effect.stopping[0] == pytest.approx(planned.design.alpha_spent[0], abs=1e-12)
    assert planned.under_no_effect.power == pytest.approx(0.025, abs=1e-12)
    assert sum(planned.under_effect.stopping) == pytest.approx(1)
    assert planned.under_effect.units < planned.under_no_effect.units < 40


@pytest.mark.parametrize(("effect", "sd", "power"), [(4.25, 10.2, 0.8), (2.45, 10.2, 0.9), (8.0, 9.0, 0.8)])
def test_sample_size_of_the_fixed_two_sample_comparison_is_the_textbook_one(effect, sd, power):
    protocol = one_visit(effect, sd, sample_size={"scenario": "assumed", "power": power})
    planned = plan(protocol)
    exact = 4 * (norm.ppf(0.975) + norm.ppf(power)) ** 2 * sd**2 / effect**2
    assert planned.patients == 2 * math.ceil(exact / 2)
    assert planned.under_effect.power >= power
    fewer = plan(edited_size(protocol, planned.patients - 2))
    assert fewer.under_effect.power < power


def edited_size(protocol, patients):
    table = protocol.model_dump(mode="json", exclude_none=True)
    table["sample_size"] = {"scenario": "assumed", "patients": patients}
    table["accrual"]["start"] = protocol.accrual.start
    return type(protocol).model_validate(table)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_sample_size_against_rpact(case):
    planned = plan(protocol_of(case))
    assert planned.unrounded_patients == pytest.approx(case["expected"]["max_n"], rel=1e-6)
    assert planned.patients == 2 * math.ceil(case["expected"]["max_n"] / 2)


def with_dropout(share):
    return edited(**{f"scenarios__as-published__arms__{arm}__dropout": share for arm in ("ketamine", "midazolam")})


def test_information_with_dropout_lies_between_completers_only_and_everyone():
    full = {
        "scenarios__as-published__arms__ketamine__dropout": 0.0,
        "scenarios__as-published__arms__midazolam__dropout": 0.0,
    }
    some = {
        "scenarios__as-published__arms__ketamine__dropout": 0.3,
        "scenarios__as-published__arms__midazolam__dropout": 0.3,
    }
    everyone, partly = plan(edited(**full)), plan(edited(**some))
    completers = everyone.standard_error / math.sqrt(0.7)
    assert everyone.standard_error < partly.standard_error < completers


def test_standard_error_without_dropout_is_the_conditional_variance_given_baseline():
    full = {
        "scenarios__as-published__arms__ketamine__dropout": 0.0,
        "scenarios__as-published__arms__midazolam__dropout": 0.0,
    }
    planned = plan(edited(**full))
    assert planned.standard_error == pytest.approx(10.2 * math.sqrt((1 - 0.5**2) * 4 / 40), rel=1e-6)


def test_one_sided_design_with_futility():
    protocol = edited(
        stopping={
            "alpha": 0.025,
            "sided": 1,
            "fractions": [0.5, 0.75, 1.0],
            "beta": 0.1,
            "futility": {"family": "hwang-shih-decani", "gamma": -2.0},
        },
        sample_size={"scenario": "half-effect", "power": 0.9},
    )
    planned = plan(protocol)
    assert planned.under_effect.power >= 0.9
    assert planned.design.futility_bounds[-1] == pytest.approx(planned.design.efficacy_bounds[-1])
    assert planned.under_no_effect.units < 0.75 * planned.patients


def test_response_as_primary_is_planned_by_its_exact_risks():
    endpoints = [{"name": "response", "type": "response", "role": "primary", "visit": "week2", "improvement": 0.3}]
    planned = plan(edited(endpoints=endpoints))
    assert planned.effect == pytest.approx(0.467, abs=0.002)
    risks = 0.2002, 0.6669
    assert planned.standard_error == pytest.approx(math.sqrt(sum(p * (1 - p) for p in risks) / 20), rel=1e-3)
    assert planned.drift > 0


def test_power_that_no_size_can_give_is_refused():
    with pytest.raises(InputError, match="favours ketamine"):
        plan(edited(sample_size={"scenario": "no-effect", "power": 0.8}, stopping={"fractions": [0.75, 1.0]}))
    with pytest.raises(InputError, match="one-sided alpha"):
        plan(one_visit(4, 10, sample_size={"scenario": "assumed", "power": 0.02}))
