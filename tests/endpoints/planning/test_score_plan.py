"""Risk differences that looks test with the pooled risk are planned so, whatever the allocation."""

import numpy as np
import pytest
from scipy.special import ndtr

from equipoise.endpoints import EndpointPlan
from equipoise.protocol import Protocol
from equipoise.trial import plan
from protocols import edited

SCORES = {"mean": [40.0, 36.0, 34.0, 32.0], "sd": [7.0, 9.0, 10.0, 10.0]}
BAD = {"name": "bad", "kind": "binary", "visit": "week2", "better": "lower"}


def protocol_with(control, experimental, ratio, **sample_size) -> Protocol:
    scenario = {
        "arms": {
            arm: {
                "mean": [40.0, 36.0, 34.0, 32.0],
                "sd": [7.0, 9.0, 10.0, 10.0],
                "measures": {"bad": {"probability": p}},
            }
            for arm, p in (("midazolam", control), ("ketamine", experimental))
        }
    }
    return edited(
        measures=[BAD],
        endpoints=[{"name": "bad", "type": "response", "role": "primary", "measure": "bad"}],
        allocation={"method": "simple", "ratio": dict(zip(("midazolam", "ketamine"), ratio, strict=True))},
        scenarios={"assumed": scenario},
        stopping={"alpha": 0.05, "fractions": [1.0]},
        sample_size={"scenario": "assumed"} | sample_size,
    )


@pytest.mark.parametrize(
    ("control", "experimental", "ratio"),
    [(0.4, 0.2, (1, 3)), (0.4, 0.2, (3, 1)), (0.3, 0.1, (1, 4)), (0.3, 0.1, (4, 1)), (0.2, 0.05, (2, 1))],
)
def test_planned_power_is_the_score_tests(control, experimental, ratio):
    planned = plan(protocol_with(control, experimental, ratio, power=0.9))
    first, second = (round(planned.patients * part / sum(ratio)) for part in ratio)
    generator = np.random.default_rng(1)
    events0, events1 = generator.binomial(first, control, 100_000), generator.binomial(second, experimental, 100_000)
    pooled = (events0 + events1) / (first + second)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / first + 1 / second))
    power = ((events0 / first - events1 / second) / error > 1.959964).mean()
    assert planned.under_effect.power == pytest.approx(0.9, abs=0.01)
    assert power == pytest.approx(planned.under_effect.power, abs=0.025)


def test_the_power_of_given_patients_is_the_formula_of_two_proportions():
    planned = plan(protocol_with(0.3, 0.1, (1, 4), patients=200))
    shares, risks, n = (0.2, 0.8), (0.3, 0.1), 200
    pooled = sum(share * risk for share, risk in zip(shares, risks, strict=True))
    null = np.sqrt(pooled * (1 - pooled) * (1 / (n * shares[0]) + 1 / (n * shares[1])))
    other = np.sqrt(sum(risk * (1 - risk) / (n * share) for share, risk in zip(shares, risks, strict=True)))
    assert planned.under_effect.power == pytest.approx(ndtr((0.2 - 1.9599639845 * null) / other), abs=1e-8)
    assert planned.standard_error == pytest.approx(other, rel=1e-12)


def test_even_arms_need_no_other_spread_where_risks_mirror():
    promised = EndpointPlan.of_risks((0.4, 0.6), (1.0, 1.0), (0.5, 0.5), "higher")
    assert promised.tested == (0.25, 0.25)
    assert promised.spread_of_z((0.5, 0.5)) == pytest.approx(np.sqrt(0.24 / 0.25))
    assert EndpointPlan(1.0, (1.0, 2.0), "higher").spread_of_z((0.5, 0.5)) == 1.0
