import itertools
import math

import numpy as np
import pytest

from equipoise import InputError, gallery, plan
from equipoise.patients import Truth
from equipoise.simulation import axes_of, grid
from equipoise.simulation.vary import MOST_POINTS, GridPoint
from protocols import TRUTHS, edited, with_measures

PROTOCOL = gallery("ptsd-ketamine")


def only(vary, protocol=PROTOCOL, scenario=None) -> GridPoint:
    (point,) = grid(protocol, scenario, [vary])
    return point


def arm_of(point: GridPoint, name: str = "ketamine"):
    return point.protocol.scenario(point.scenario).arms[name]


def test_ranges_are_exact_decimals_and_hold_both_ends():
    (axis,) = axes_of(["effect=0:1:0.1"])
    assert axis.values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert axes_of("patients=40:80:20")[0].values == (40, 60, 80)
    assert all(isinstance(value, int) for value in axes_of("patients=40:80:20")[0].values)
    assert axes_of("effect=1:-0.5:-0.75")[0].values == (1.0, 0.25, -0.5)
    assert axes_of(" dropout = 0, 0.1 ,2e-1")[0].values == (0, 0.1, 0.2)
    assert axes_of("analysis.covariates=[],['baseline']")[0].values == ([], ["baseline"])
    assert axes_of("analysis.covariance_by_arm=true,false")[0].values == (True, False)
    assert not axes_of("analysis.variance=model,CR2")[0].is_numeric


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("effect", r"vary is 'effect'; expected NAME=START"),
        ("=1", "expected NAME="),
        ("effect=", "expected NAME="),
        ("effect=0:1:0", "a step other than 0"),
        ("effect=0:1:-0.1", "a step other than 0"),
        ("effect=0:1:0.3", "these end at 0.9 and 1.2"),
        ("effect=0:1:1e-9", "at most 1,000 values"),
        ("effect=1,2,1", "each value once, not 1 again"),
        ("effect=1,,2", "between every two commas"),
        ("effect=a", "a finite number"),
        ("effect=nan", "a finite number"),
        ("efect=1", "did you mean 'effect'"),
        ("a..b=1", "keys of the protocol file"),
        ("trial.=1", "keys of the protocol file"),
        ("effect=10", r"ketamine.mean\[2\]: -16.2: outside the scale"),
        ("dropout=1", "expected less than 1"),
        ("sd=0", "expected greater than 0"),
        ("sd=9", "too wide"),
        ("correlation=3", "not positive definite"),
        ("patients=1", "greater than 1"),
        ("patients=2.5", "integer"),
        ("patients-per-month=0", "greater than 0"),
        ("arms.ketamin.dropout=0.1", "did you mean 'ketamine'"),
        ("arms.ketamine.mean[9]=3", r"a place from \[1\] to \[4\]"),
        ("arms.ketamine.dropuot=0.1", "did you mean 'dropout'"),
        ("endpoints.nothing.visit=week1", "one of caps5-week2, response"),
        ("stopping.alpha.x=1", "'alpha' holds one and no 'x'"),
        ("stopping.alfa=0.1", "did you mean 'alpha'"),
        ("analysis.degrees_of_freedom=none", "expected 'satterthwaite'"),
    ],
)
def test_what_cannot_be_varied_so_is_refused_in_one_sentence(text, message):
    with pytest.raises(InputError, match=message) as caught:
        grid(PROTOCOL, vary=[text])
    assert caught.value.field == "vary"
    assert "\n" not in str(caught.value)


def test_too_many_points_and_names_that_stand_twice_are_refused():
    with pytest.raises(InputError, match="at most 1,000"):
        grid(PROTOCOL, vary=["effect=0:1:0.01", "dropout=0:0.5:0.01"])
    assert MOST_POINTS == 1000
    with pytest.raises(InputError, match="each name once"):
        grid(PROTOCOL, vary=["effect=0,1", "effect=2"])
    with pytest.raises(InputError, match="a list of values of effect"):
        grid(PROTOCOL, vary={"effect": "0,1"})
    with pytest.raises(InputError, match="scenario"):
        grid(PROTOCOL, "nothing", ["effect=1"])


def test_several_are_crossed_and_all_draw_under_one_name():
    points = grid(PROTOCOL, vary=["effect=0:1:0.5", "dropout=0,0.2"])
    assert [dict(point.values) for point in points] == [
        {"effect": effect, "dropout": dropout} for effect, dropout in itertools.product((0, 0.5, 1), (0, 0.2))
    ]
    assert {point.scenario for point in points} == {"as-published"}
    assert str(points[3]) == "effect 0.5, dropout 0.2"
    assert [point.protocol.hash for point in points] == [
        point.protocol.hash for point in grid(PROTOCOL, vary={"effect": np.arange(3) / 2, "dropout": [0, 0.2]})
    ]


def test_nothing_varied_is_the_protocol_itself():
    (point,) = grid(PROTOCOL)
    assert point.protocol is PROTOCOL
    assert str(point) == "as-published"
    for same in ("effect=1", "sd=1", "correlation=1", "patients=40", "stopping.alpha=0.05"):
        assert only(same).protocol.hash == PROTOCOL.hash or same == "correlation=1", same


def test_effect_runs_between_control_and_the_scenario():
    control, full = (PROTOCOL.scenario("as-published").arms[name].mean for name in ("midazolam", "ketamine"))
    for multiple in (0, 0.3, 1, 1.1):
        expected = np.array(control) + multiple * (np.array(full) - np.array(control))
        np.testing.assert_allclose(arm_of(only(f"effect={multiple}")).mean, expected, rtol=1e-11)
    assert arm_of(only("effect=0.5")).mean == PROTOCOL.scenario("half-effect").arms["ketamine"].mean
    nothing = arm_of(only("effect=0"))
    assert nothing.mean == control
    assert nothing.adverse_events == PROTOCOL.scenario("as-published").arms["ketamine"].adverse_events
    assert arm_of(only("effect=0"), "midazolam") == PROTOCOL.scenario("as-published").arms["midazolam"]


def test_effect_is_exactly_a_multiple_where_the_baselines_differ():
    from equipoise import endpoints

    protocol = gallery("beat-the-blues")
    truths = [endpoints.plan(protocol.primary, point.protocol, Truth.of(point.protocol, "as-observed")).effect
              for point in grid(protocol, vary=["effect=0,0.5,1"])]  # fmt: skip
    assert truths[0] == pytest.approx(0, abs=1e-3)
    assert truths[1] == pytest.approx(truths[2] / 2, abs=2e-3)


def test_measures_move_on_the_scales_where_effects_add_up():
    protocol = with_measures()
    control, full = TRUTHS["midazolam"], TRUTHS["ketamine"]
    found = arm_of(only("effect=0.5", protocol)).measures
    logit = lambda p: math.log(p / (1 - p))  # noqa: E731
    middle = (logit(control["remission"]["probability"]) + logit(full["remission"]["probability"])) / 2
    assert logit(found["remission"].probability) == pytest.approx(middle, abs=1e-10)
    assert found["panic"].rate == pytest.approx(math.sqrt(60 * 30))
    assert found["pressure"].mean == pytest.approx(127)
    assert found["relapse"].median_days == pytest.approx(math.sqrt(10 * 20))
    assert found["relapse"].shape == pytest.approx(math.sqrt(1.2))
    assert found["own-guess"].guesses_experimental == 0.6
    sums = [np.cumsum(one["cgi"]["shares"])[:-1] for one in (control, full)]
    middle = (np.log(sums[0] / (1 - sums[0])) + np.log(sums[1] / (1 - sums[1]))) / 2
    reached = np.cumsum(found["cgi"].shares)[:-1]
    np.testing.assert_allclose(np.log(reached / (1 - reached)), middle, atol=1e-9)
    ends = arm_of(only("effect=0", protocol)).measures, arm_of(only("effect=1", protocol)).measures
    for name in ("remission", "cgi", "panic", "pressure", "relapse"):
        same = protocol.scenario("as-published").arms["midazolam"].measures[name]
        assert ends[0][name].model_dump() == same.model_dump()
        assert ends[1][name] == protocol.scenario("as-published").arms["ketamine"].measures[name]


def test_effect_of_what_has_no_logit_or_logarithm_is_refused():
    protocol = with_measures(scenarios=_with_truth("remission", {"probability": 0.0}))
    assert arm_of(only("effect=0", protocol)).measures["remission"].probability == 0.0
    with pytest.raises(InputError, match="no logarithm or logit"):
        only("effect=0.5", protocol)
    with pytest.raises(InputError, match="leaves all shares"):
        only("effect=2", with_measures(scenarios=_with_truth("cgi", {"shares": [0.5, 0.01, 0.01, 0.48]}, "ketamine")))


def _with_truth(name, truth, changed="midazolam"):
    from protocols import plain_table

    table = plain_table()["scenarios"]
    for scenario in table.values():
        for arm, truths in TRUTHS.items():
            scenario["arms"][arm]["measures"] = dict(truths)
        scenario["arms"][changed]["measures"][name] = truth
    return table


def test_effect_of_a_primary_endpoint_that_it_does_not_touch_is_refused():
    table = PROTOCOL.model_dump(exclude_unset=True)
    for endpoint in table["endpoints"]:
        endpoint["role"] = "primary" if endpoint["type"] == "adverse-events" else "secondary"
    table.pop("testing")
    protocol = type(PROTOCOL).model_validate(table)
    with pytest.raises(InputError, match="another primary endpoint"):
        only("effect=0", protocol)


def test_median_days_of_loss_move_by_their_logarithm():
    found = [
        arm_of(only(f"effect={at}", scenario="later-trials")).median_days_to_loss_of_response for at in (0, 0.5, 1)
    ]
    assert found == pytest.approx([11.76, math.sqrt(11.76 * 27.5), 27.5])


def test_other_names_do_what_they_say():
    both = only("dropout=0.3")
    assert {arm_of(both, name).dropout for name in ("ketamine", "midazolam")} == {0.3}
    assert arm_of(only("sd=1.1")).sd == pytest.approx([7.7, 9.9, 11.0, 11.22])
    matrix = np.array(only("correlation=0.5").protocol.scenario("as-published").correlation)
    np.testing.assert_allclose(matrix - np.eye(4), 0.5 * (np.array(PROTOCOL.population.correlation) - np.eye(4)))
    faster = only("patients-per-month=2").protocol
    assert faster.accrual.patients_per_month == 2
    larger = only("patients=80").protocol
    assert (plan(larger).patients, plan(larger).units_per_look) == (80, (60, 80))
    with_power = edited(sample_size={"power": 0.9, "scenario": "as-published"}, stopping={"fractions": [0.5, 1.0]})
    assert plan(only("patients=60", with_power).protocol).units_per_look == (30, 60)


def test_any_key_by_its_path():
    assert arm_of(only("arms.ketamine.dropout=0.4")).dropout == 0.4
    assert arm_of(only("scenarios.as-published.arms.ketamine.dropout=0.4")).dropout == 0.4
    assert arm_of(only("arms.ketamine.mean[4]=25.5")).mean == (40.0, 31.5, 26.5, 25.5)
    assert arm_of(only("arms.ketamine.adverse_events.'dry mouth'=0.3")).adverse_events["dry mouth"] == 0.3
    assert only("analysis.degrees_of_freedom=kenward-roger").protocol.analysis.degrees_of_freedom == "kenward-roger"
    assert only("endpoints.response.improvement=0.5").protocol.endpoint("response").improvement == 0.5
    assert only("endpoints[2].improvement=0.5").protocol.endpoint("response").improvement == 0.5
    assert only("follow_up.days=60").protocol.follow_up.days == 60
    assert only("sites.number=5").protocol.scenario("as-published").sites.number == 5


def test_the_plan_goes_on_assuming_the_truth_as_it_was():
    table = edited(sample_size={"power": 0.9, "scenario": "as-published"}, stopping={"fractions": [0.5, 1.0]})
    before = plan(table)
    for vary in ("effect=0", "sd=1.2", "dropout=0.4", "correlation=0.5"):
        after = plan(only(vary, table).protocol)
        assert (after.patients, after.effect, after.drift) == (before.patients, before.effect, before.drift)
    assert only("effect=0", table).protocol.sample_size.scenario == "as-published as planned"
    kept = only("effect=0", scenario="half-effect").protocol
    assert kept.sample_size.scenario == "as-published"
    assert set(kept.scenarios) == set(PROTOCOL.scenarios)


def test_the_protocol_is_left_as_it_was():
    before = PROTOCOL.model_dump_json()
    grid(
        PROTOCOL,
        vary=["effect=0,2", "patients=20:40:10", "stopping.alpha=0.01,0.1"],
        designs=["pocock: efficacy=pocock"],
    )
    assert PROTOCOL.model_dump_json() == before


def test_effect_multiplies_what_is_gained_by_exposure():
    exposure = {"drug": "s-ketamine-venous", "dose_mg_per_kg": {"ketamine": 0.5}, "maximum_points": 8.0, "ec50": 60.0}
    table = PROTOCOL.model_dump(exclude_unset=True)
    table["scenarios"]["no-effect"]["exposure"] = exposure
    protocol = type(PROTOCOL).model_validate(table)
    found = [point.protocol.scenario("no-effect").exposure for point in grid(protocol, "no-effect", ["effect=0,0.5,1"])]
    assert found[0] is None
    assert [one.maximum_points for one in found[1:]] == [4.0, 8.0]
