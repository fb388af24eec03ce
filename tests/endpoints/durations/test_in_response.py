import json
import math

import numpy as np
import pytest

from equipoise.endpoints.binary.proportions import newcombe_limits, wilson_interval
from equipoise.endpoints.durations.in_response import in_response
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.errors import InputError, NotEstimable
from response_law import MONOTONE


def test_without_censoring_it_is_wilson_and_newcombe():
    arm, responded, time, observed = (part[0] for part in MONOTONE.draw(np.random.default_rng(1), 1, 70))
    found = in_response(arm, responded, time, observed, 8.0, level=0.9)
    still = responded & (time > 8)
    counts = [(int(still[arm == at].sum()), int((arm == at).sum())) for at in (1, 0)]
    own = (found.experimental_interval, found.control_interval)
    for (events, total), interval in zip(counts, own, strict=True):
        reference = wilson_interval(events, total, 0.9)
        assert (interval.lower, interval.upper) == pytest.approx((reference.lower, reference.upper), abs=1e-13)
    lower, upper = newcombe_limits(*counts[0], *counts[1], 0.9)
    assert (found.interval.lower, found.interval.upper) == pytest.approx((float(lower), float(upper)), abs=1e-13)
    variance = sum(events / total * (1 - events / total) / total for events, total in counts)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_with_censoring_it_is_the_curve_and_greenwoods_error():
    arm, responded, time, observed = (part[0] for part in MONOTONE.draw(np.random.default_rng(2), 1, 90, (2, 60)))
    found = in_response(arm, responded, time, observed, 8.0)
    curves = [
        kaplan_meier(np.where(responded, time, 0)[arm == at], np.where(responded, observed, True)[arm == at])
        for at in (0, 1)
    ]
    heights = [curve.survival_at([8.0])[0] for curve in curves]
    errors = [curve.standard_error_at([8.0])[0] for curve in curves]
    assert (found.control, found.experimental) == pytest.approx(tuple(heights), rel=1e-12)
    assert found.difference == pytest.approx(heights[1] - heights[0], rel=1e-12)
    assert found.standard_error == pytest.approx(math.hypot(*errors), rel=1e-12)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("time", [0.0, 10.0, 25.0])
def test_intervals_cover_under_censoring(time):
    count = 1500
    arm, responded, times, observed = MONOTONE.draw(np.random.default_rng(3), count, 120, (10, 300))
    control, experimental = MONOTONE.in_response(time)
    found = [in_response(arm[at], responded[at], times[at], observed[at], time) for at in range(count)]
    slack = 0.012 + 4 * math.sqrt(0.95 * 0.05 / count)
    assert np.mean([experimental - control in item.interval for item in found]) == pytest.approx(0.95, abs=slack)
    assert np.mean([control in item.control_interval for item in found]) == pytest.approx(0.95, abs=slack)
    assert np.mean([item.difference for item in found]) == pytest.approx(experimental - control, abs=0.012)


def test_nobody_and_everybody_in_response_leave_room_for_chance():
    arm = np.repeat([0, 1], 10)
    responded = arm == 1
    found = in_response(arm, responded, np.full(20, 30.0), np.zeros(20), 7.0)
    assert (found.control, found.experimental, found.standard_error) == (0, 1, 0)
    none, everyone = wilson_interval(0, 10), wilson_interval(10, 10)
    assert found.control_interval.upper == pytest.approx(none.upper)
    assert found.experimental_interval.lower == pytest.approx(everyone.lower)
    assert found.interval.upper == 1
    half = np.where(np.arange(20) % 2 == 0, 3.0, 30.0)
    fewer = in_response(arm, responded, half, np.zeros(20), 7.0)
    assert fewer.experimental_interval.lower == pytest.approx(wilson_interval(5, 5).lower)
    gone = in_response(arm, responded, half, half > 3, 40.0)
    assert gone.experimental == 0
    assert gone.experimental_interval.upper == pytest.approx(wilson_interval(0, 5).upper)


def test_beyond_the_follow_up_nothing_is_known():
    with pytest.raises(
        NotEstimable, match="responders of the experimental arm have been followed for 5 at most, not for 6"
    ):
        in_response([0, 1], [0, 1], [0, 5], [0, 0], 6.0)
    with pytest.raises(NotEstimable, match="no patient of the experimental arm"):
        in_response([0, 0], [0, 1], [0, 5], [0, 0], 4.0)


@pytest.mark.parametrize(("at", "level", "field"), [(-1.0, 0.95, "at"), ("day", 0.95, "at"), (1.0, 0.0, "level")])
def test_bad_input_is_refused(at, level, field):
    with pytest.raises(InputError, match=f"^{field}"):
        in_response([0, 1], [0, 1], [0, 5], [0, 0], at, level)
