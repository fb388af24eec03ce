import math

import numpy as np
import pytest

from equipoise import InputError, endpoints, gallery, plan
from equipoise.errors import NotEstimable
from equipoise.estimate import Scale
from equipoise.patients import Draws, Truth
from equipoise.simulation.context import Context
from equipoise.simulation.virtual import virtual_trial
from made_up_trials import PLAN, context

GALLERY = (
    "ptsd-ketamine",
    "beat-the-blues",
    "indomethacin-pancreatitis",
    "relapse-after-treatment",
    "xanomeline-alzheimer",
)


def test_of_a_protocol():
    found = context(secondaries=("response", "blinding"))
    assert found.primary.truth == pytest.approx(-11.88, abs=1e-6)
    assert (found.primary.scale, found.primary.better, found.primary.sign) == (Scale.MEAN_DIFFERENCE, "lower", -1)
    assert not found.primary.has_number_needed_to_treat
    assert found.aim("response").has_number_needed_to_treat
    assert found.aim("response").truth == pytest.approx(0.45, abs=0.05)
    assert found.level == pytest.approx(0.95)
    assert found.looks == 2
    assert found.standard_error == PLAN.standard_error
    with pytest.raises(InputError, match="caps5-week2, response, blinding"):
        found.aim("sleep")
    with pytest.raises(InputError, match="one of"):
        context(secondaries=("sleep",))


def test_an_endpoint_the_scenario_does_not_tell_of_has_no_truth():
    """The mean time in response cannot be planned without the days it is taken within."""
    aim = context(secondaries=("loss-of-response",)).aim("loss-of-response")
    assert math.isnan(aim.truth)
    assert (aim.null_value, aim.better, aim.scale) == (0.0, "higher", Scale.TIME_DIFFERENCE)
    assert aim.centre == 0
    assert not aim.is_null()


@pytest.mark.parametrize("name", GALLERY)
def test_scales_and_sides_are_those_of_the_estimates(name):
    protocol = gallery(name)
    planned = plan(protocol)
    scenario = protocol.sample_size.scenario
    truth = Truth.of(protocol, scenario)
    data = virtual_trial(protocol, truth, Draws.of(1, scenario, np.array([0])), planned.patients)
    told = 0
    for endpoint in protocol.endpoints:
        try:
            estimate = endpoints.primary_estimate(endpoint, protocol, data)
        except (InputError, NotEstimable):
            continue
        told += 1
        assert endpoints.measured_on(endpoint, protocol) == (estimate.scale, estimate.better)
        aim = Context.of(planned, truth, scenario, (endpoint.name,)).secondaries[0]
        assert (aim.scale, aim.better, aim.null_value) == (estimate.scale, estimate.better, estimate.null_value)
    assert told
