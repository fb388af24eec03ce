"""Stopping rules on the command line, without a protocol and with one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import equipoise as eq
from cli_process import CommandLine
from equipoise.sequential import PromisingZone

RULE = ("--fractions", "0.5,0.75,1", "--alpha", "0.025", "--sided", "1", "--beta", "0.1")


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
    for scale in ("z", "p-value"):
        target = tmp_path / f"{scale}.png"
        assert command("design", *RULE, "--plot", target, "--scale", scale).code == 0
        assert target.stat().st_size > 5000


def test_monitor_without_data(command):
    design = eq.GroupSequential((0.5, 0.75, 1.0), 0.025, 1, beta=0.1)
    found = json.loads(command("monitor", *RULE, "--z", "1.4", "--json").out)
    assert found["monitoring"] == design.monitor(1.4, look=1).to_dict()
    text = command("monitor", *RULE, "--effect", "-5", "--se", "3", "--observed", "0.45", "--promising", "2").out
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
    stopped = eq.Estimate(-11.88, 3.96, better="lower", label="effect")
    assert content["estimates"] == rule.conclude(stopped, look=1).estimates().to_dict()
    whole = eq.Estimate(-10.0, 3.5, better="lower", label="effect")
    assert content["overrun"] == eq.overrunning(rule, stopped, whole, look=1).to_dict()
    assert "conditional median-unbiased" in command(*arguments).out
    other = json.loads(command(*arguments[:-1], "--observed", "0.6", "--json").out)
    assert other["conclusion"]["information"] == [0.6]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("design",), "--fractions is ''; expected information fractions"),
        (("design", "ptsd-ketamine", "--fractions", "1"), "a protocol, or the options of a rule alone"),
        (
            ("design", *RULE, "--size", "bells:effect=1"),
            "--size is 'bells:effect=1'; expected one of means, rates, counts",
        ),
        (("design", *RULE, "--size", "means:effect=1"), "expected standard_deviation as well"),
        (("design", *RULE, "--size", "means:effects=1"), "expected one of effect, standard_deviation"),
        (("design", *RULE, "--size", "means:effect=x,standard_deviation=1"), "expected"),
        (("design", *RULE, "--size", "means:effect=1,standard_deviation=-1"), "expected standard_deviation to be"),
        (("design", *RULE, "--pipeline", "0.6,0.85"), "expected futility bounds, for a decision may be reversed"),
        (("design", *RULE, "--futility", "pocock", "--pipeline", "0.6"), "--pipeline is"),
        (("design", *RULE, "--plot", "x.bmp"), "a file name that ends in .png"),
        (("design", *RULE, "--plot", "x.png", "--scale", "inches"), "scale is 'inches'"),
        (("monitor", *RULE), "--effect is None; expected an effect with --se, or --z"),
        (("monitor", *RULE, "--z", "1", "--se", "2"), "expected a z-value, or --effect and --se, not both"),
        (("monitor", *RULE, "--z", "nan"), "effect is nan"),
        (("monitor", *RULE, "--z", "1", "--look", "5"), "--look is 5; expected a look from 1 to 3"),
        (("monitor", *RULE, "--z", "1", "--promising", "0.5"), "--promising is '0.5'; expected maximum to be"),
        (("monitor", "ptsd-ketamine", "--z", "1"), "a protocol and data, or the options of a rule alone"),
        (("monitor", *RULE, "--z", "2", "--look", "3", "--plot", "x.png"), "a look with another ahead of it"),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, tuple) else "",
)
def test_refusals_name_the_option(command, arguments, message):
    said = command.refused(*arguments)
    assert message in said
    assert "\n" not in said
