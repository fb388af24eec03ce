"""Faults of a scenario's exposure are named with their place, what is wrong and what would be right."""

from __future__ import annotations

import pytest
from protocol_edits import edited, faults_of

from equipoise.protocol import parse

SCENARIO = 'description = "Ketamine does what midazolam does."\n'
SOUND = '{ drug = "s-ketamine-venous", dose_mg_per_kg = { ketamine = 0.5 }, ec50 = 60.0, maximum_points = 12.0 }'
PLACE = "scenarios.no-effect.exposure"


def with_exposure(line: str, *changes: tuple[str, str]) -> str:
    return edited((SCENARIO, f"{SCENARIO}exposure = {line}\n"), *changes)


def test_one_line_turns_it_on():
    protocol = parse(with_exposure(SOUND).encode())
    exposure = protocol.scenario("no-effect").exposure
    assert exposure is not None
    assert (exposure.model, exposure.measure, exposure.infusion_minutes) == ("emax", "cmax", 40.0)
    assert (exposure.weight_mean, exposure.weight_sd, exposure.in_means) == (80.0, 17.0, False)
    assert protocol.scenario("half-effect").exposure is None


CASES = {
    "unknown drug": ([("s-ketamine-venous", "s-ketamine-venos")], "drug", "unknown drug; did you mean"),
    "unknown arm": ([("ketamine = 0.5", "ketamin = 0.5")], "dose_mg_per_kg.ketamin", "unknown arm; did you mean"),
    "no arm": ([("{ ketamine = 0.5 }", "{ }")], "dose_mg_per_kg", "at least 1"),
    "no dose": ([("= 0.5", "= 0.0")], "dose_mg_per_kg.ketamine", "greater than"),
    "no ec50": ([("ec50 = 60.0, ", "")], "ec50", "is missing; expected with model 'emax'"),
    "ec50 of a line": (
        [("ec50 = 60.0", 'model = "linear", reference_dose = 0.5, ec50 = 60.0')],
        "ec50",
        "has no meaning with model 'linear'; it belongs to 'emax'",
    ),
    "a line without its dose": ([("ec50 = 60.0", 'model = "linear"')], "reference_dose", "is missing"),
    "unknown model": ([("ec50", 'model = "hill", ec50')], "model", "'emax' or 'linear'"),
    "more points than the scale": ([("= 12.0", "= 120.0")], "maximum_points", "expected 80 at most"),
    "onset of too few visits": (
        [("ec50", "onset = [0.0, 1.0], ec50")],
        "onset",
        "has 2 values; expected 4, one per visit (baseline, day1, week1, week2)",
    ),
    "effect at baseline": ([("ec50", "onset = [0.5, 1.0, 1.0, 1.0], ec50")], "onset[1]", "expected 0 at the first"),
    "too much onset": ([("ec50", "onset = [0.0, 1.0, 1.5, 1.0], ec50")], "onset[3]", "less than or equal to 1"),
    "unknown key": ([("ec50", "ed50 = 1.0, ec50")], "ed50", "did you mean 'ec50'?"),
    "endless infusion": ([("ec50", "infusion_minutes = 2000.0, ec50")], "infusion_minutes", "equal to 1440"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fault_is_named(case):
    changes, place, message = CASES[case]
    line = edited(*changes, text=SOUND)
    faults = faults_of(with_exposure(line))
    assert [fault.place for fault in faults] == [f"{PLACE}.{place}"]
    assert message in faults[0].message
    assert faults[0].line is not None


def test_an_arm_without_days_of_infusion():
    schedule = 'dose = "0.5 mg/kg"                      # [AJP] [registry]\nschedule = [0, 2, 4, 7, 9, 11]\n'
    without = (schedule, 'dose = "0.5 mg/kg"\n')
    (fault,) = faults_of(with_exposure(SOUND, without))
    assert fault.place == f"{PLACE}.dose_mg_per_kg.ketamine"
    assert "expected 'schedule', the days of its infusions, or 'onset' here" in fault.message
    said = SOUND.replace("ec50", "onset = [0.0, 0.5, 1.0, 1.0], ec50")
    assert parse(with_exposure(said, without).encode()).scenario("no-effect").exposure is not None


def test_no_table_at_all():
    (fault,) = faults_of(with_exposure("true"))
    assert fault.place == PLACE
