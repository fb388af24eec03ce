import numpy as np
import pytest
from lifelike_trials import alternating, lifelike_with

from equipoise.patients import Truth
from equipoise.patients.draws import Draws
from equipoise.patients.lifelike import Lifelike
from equipoise.patients.side_effects import side_effects
from equipoise.protocol import Protocol
from protocols import TRUTHS, with_measures

FELT = {"experimental": 0.9, "does_not_know": 0.05}
NOT_FELT = {"experimental": 0.3, "does_not_know": 0.25}
TOLD = {"points": -4.0, "sign": "dissociation", "felt": FELT, "not_felt": NOT_FELT}
DAYS = np.zeros((1, 1, 4))


def drawn(told, patients=100_000, **settings):
    lifelike = lifelike_with(expectancy=told, **settings)
    draws = Draws.of(6, "belief", range(2))
    arm = alternating(2, patients)
    probability = np.array([[law.adverse_events["dissociation"]] for law in lifelike.arms])
    events = side_effects(draws, ["dissociation"], probability, arm)
    belief = lifelike.belief(draws, arm, events)
    assert belief is not None
    return arm, events["dissociation"], belief, lifelike.shifts(draws, arm, None, belief, DAYS)


def near(found, expected, count):
    return abs(found - expected) < 4 * 0.5 / np.sqrt(count)


def test_belief_follows_what_is_felt_and_nothing_else_of_the_arm():
    arm, felt, belief, _ = drawn(TOLD)
    for at, dissociation in enumerate((0.10, 0.60)):
        assert near(felt[arm == at].mean(), dissociation, 100_000)
        for has, law in ((True, FELT), (False, NOT_FELT)):
            own = belief[(arm == at) & (felt == has)]
            assert near((own == 1).mean(), law["experimental"], len(own))
            assert near((own == -1).mean(), law["does_not_know"], len(own))
            assert set(np.unique(own)) == {-1, 0, 1}


def test_dissociation_unblinds_the_arm_that_has_it():
    right = []
    for dissociation in (0.1, 0.4, 0.8):
        arm, _, belief, _ = drawn(TOLD, ketamine__adverse_events={"dissociation": dissociation})
        right.append((belief[arm == 1] == 1).mean())
        assert near(right[-1], dissociation * 0.9 + (1 - dissociation) * 0.3, 100_000)
    assert right == sorted(right)


def test_scores_shift_after_baseline_with_the_belief():
    arm, _, belief, shifts = drawn(TOLD | {"points_if_control": 1.5})
    assert shifts is not None
    assert (shifts[:, :, 0] == 0).all()
    for value, points in ((1, -4.0), (0, 1.5), (-1, 0.0)):
        assert (shifts[belief == value][:, 1:] == points).all()
    bias = shifts[arm == 1][:, 3].mean() - shifts[arm == 0][:, 3].mean()
    believes = [0.1 * 0.9 + 0.9 * 0.3, 0.6 * 0.9 + 0.4 * 0.3]
    other = [0.1 * 0.05 + 0.9 * 0.45, 0.6 * 0.05 + 0.4 * 0.45]
    expected = -4 * (believes[1] - believes[0]) + 1.5 * (other[1] - other[0])
    assert bias == pytest.approx(expected, abs=0.05)


def test_the_first_visit_that_shifts_may_be_a_later_one():
    _, _, belief, shifts = drawn(TOLD | {"from_visit": "week1"}, patients=100)
    assert shifts is not None
    assert (shifts[:, :, :2] == 0).all()
    assert (shifts[belief == 1][:, 2:] == -4).all()


def test_without_points_there_is_belief_and_no_shift():
    *_, shifts = drawn({"sign": "dissociation", "felt": FELT, "not_felt": NOT_FELT}, patients=20)
    assert shifts is None


def test_without_a_sign_belief_has_the_law_of_the_guess():
    table = with_measures().model_dump(mode="json")
    table["scenarios"]["as-published"]["expectancy"] = {"points": -3.0, "guesses": ["own-guess"]}
    protocol = Protocol.model_validate(table)
    truth = Truth.of(protocol, "as-published")
    lifelike = Lifelike.of(protocol, protocol.scenario("as-published"), truth.arms)
    assert lifelike.guesses == ("own-guess",)
    arm = alternating(1, 100_000)
    belief = lifelike.belief(Draws.of(1, "guess", [0]), arm, {})
    assert belief is not None
    for at, name in enumerate(("midazolam", "ketamine")):
        law = TRUTHS[name]["own-guess"]
        assert near((belief[arm == at] == 1).mean(), law["guesses_experimental"], 50_000)
        assert near((belief[arm == at] == -1).mean(), law["does_not_know"], 50_000)


def test_side_effects_are_independent_of_each_other():
    draws, arm = Draws.of(2, "events", [0]), np.zeros((1, 100_000), dtype=np.intp)
    found = side_effects(draws, ["nausea", "headache"], np.array([[0.2, 0.5]]), arm)
    assert near((found["nausea"] & found["headache"]).mean(), 0.1, 100_000)
