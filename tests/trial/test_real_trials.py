"""Trials of real patients that need only a package: what was published of them comes out of `analyse`."""

import pytest

from equipoise.report import all_tables, render
from real_trials import (
    DERMATOLOGIC,
    INDOMETHACIN,
    RELAPSE_COX,
    RELAPSE_MEDIANS,
    XANOMELINE_DIFFERENCES,
    XANOMELINE_MEANS,
    analysed,
    of,
)

REAL = ("indomethacin-pancreatitis", "relapse-after-treatment", "xanomeline-alzheimer")


def test_indomethacin():
    found = of("indomethacin-pancreatitis", "pancreatitis")
    control, experimental = found.arms
    assert (experimental.patients, control.patients) == INDOMETHACIN["patients"]
    assert (experimental.responders, control.responders) == (27, 52)
    assert (round(100 * experimental.risk, 1), round(100 * control.risk, 1)) == INDOMETHACIN["percent"]
    assert round(found.estimate.p_value, 3) == INDOMETHACIN["p_value"]
    assert found.estimate.better == "lower"
    for other in ("pancreatitis-by-site", "pancreatitis-adjusted", "pancreatitis-odds"):
        assert of("indomethacin-pancreatitis", other).estimate.p_value < 0.01


def test_xanomeline():
    found = of("xanomeline-alzheimer", "adas-week24-locf")
    labels = {"placebo": "Placebo", "high": "Xanomeline high dose", "low": "Xanomeline low dose"}
    cells = {row[0]: row for table in found.tables for row in table.rows}
    for arm, (patients, mean, sd) in XANOMELINE_MEANS.items():
        row = cells[labels[arm]]
        assert (row[1], round(row[2], 1), round(row[3], 2)) == (patients, mean, sd)
    for arm, (effect, error, p_value) in XANOMELINE_DIFFERENCES.items():
        estimate = next(item.estimate for item in found.comparisons if item.arm == arm)
        assert round(estimate.effect, 1) == effect
        assert round(estimate.standard_error, 2) == error
        assert round(estimate.p_value, 3) == p_value


def test_dermatologic_events():
    for arm in of("xanomeline-alzheimer", "dermatologic").arms:
        patients, events, median = DERMATOLOGIC[arm.arm]
        assert (arm.patients, arm.events) == (patients, events)
        assert arm.curve.median == (float("inf") if median is None else median)


def test_relapse():
    found = of("relapse-after-treatment", "relapse")
    assert found.arms[0].curve.median == RELAPSE_MEDIANS[0]
    curve = found.arms[1].curve
    # The curve is exactly one half from day 200 to the next event: R and we take the middle, lifelines the beginning.
    assert float(curve.survival_at(RELAPSE_MEDIANS[1])) == pytest.approx(0.5, abs=1e-12)
    assert curve.median == 201.5
    effect, error, p_value = RELAPSE_COX
    assert round(found.estimate.effect, 3) == effect
    assert round(found.estimate.standard_error, 3) == error
    assert round(found.estimate.p_value, 3) == p_value


@pytest.mark.parametrize("name", REAL)
def test_every_endpoint_is_analysed_and_reported(name):
    result = analysed(name)
    assert all(not hasattr(item, "reason") for item in (result.primary, *result.secondary))
    page = render(result)
    for table in all_tables(result):
        assert table.rows
    assert "Traceback" not in page
    assert ">nan<" not in page.lower()
    assert result.to_json()
