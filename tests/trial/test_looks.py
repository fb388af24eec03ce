from dataclasses import replace

import numpy as np
import pytest

from equipoise import Decision, InputError, analyse, gallery, plan
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial import look_day, walk
from protocols import edited

PROTOCOL = gallery("ptsd-ketamine")
PLAN = plan(PROTOCOL)
WEEK2 = 3


def trial(scenario="as-published", number=0, protocol=PROTOCOL, patients=40):
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(1, scenario, [number]), patients)


def fast(**changes):
    """Patients so quick to enter that many are between visits at the look."""
    return edited(accrual={"start": PROTOCOL.accrual.start, "patients_per_month": 60.0}, **changes)


@pytest.mark.parametrize("number", range(20))
def test_look_falls_on_the_day_the_thirtieth_patient_reached_week_2(number):
    data = trial(number=number, protocol=fast())
    day = look_day(PLAN, data, 1)
    reached = np.fmin(data.assessed[:, WEEK2], data.due[:, WEEK2])
    assert (reached <= day).sum() >= 30
    assert (reached < day).sum() < 30


@pytest.mark.parametrize("number", range(20))
def test_nothing_later_than_the_look_is_known_at_it(number):
    data = trial(number=number, protocol=fast())
    day = look_day(PLAN, data, 1)
    known = data.known_at(day)
    assert (known.randomised <= day).all()
    assert not (known.assessed > day).any()
    assert (np.isnan(known.scores) == np.isnan(known.assessed)).all()
    assert (known.last_contact <= day).all()
    assert not (known.withdrawn > day).any()
    assert (known.events.day <= day).all()
    waiting = ~known.is_due("week2")
    assert waiting.any()
    assert np.isnan(known.at("week2")[waiting]).all()


@pytest.mark.parametrize("number", range(10))
def test_the_decision_does_not_depend_on_the_future(number):
    data = trial(number=number, protocol=fast())
    day = look_day(PLAN, data, 1)
    changed = replace(data, scores=np.where(data.assessed > day, 80.0, data.scores))
    first, again = next(walk(PLAN, data)), next(walk(PLAN, changed))
    assert first.estimate == again.estimate
    assert first.decision is again.decision


def test_a_visit_made_late_does_not_move_the_look_by_having_been_made():
    data = trial()
    late = data.assessed.copy()
    late[20, WEEK2] = data.due[20, WEEK2] + 30
    never = data.assessed.copy()
    never[20, WEEK2] = np.nan
    assert look_day(PLAN, replace(data, assessed=late), 1) == look_day(PLAN, replace(data, assessed=never), 1)


def test_known_at_the_end_is_everything():
    data = trial()
    known = data.known_at(1e9)
    np.testing.assert_array_equal(known.scores, data.scores)
    np.testing.assert_array_equal(known.events.day, data.events.day)
    with pytest.raises(InputError, match="first patient entered"):
        data.known_at(-1)


def test_looking_twice_is_looking_once():
    data = trial(protocol=fast())
    day = look_day(PLAN, data, 1)
    once, twice = data.known_at(day + 5).known_at(day), data.known_at(day)
    np.testing.assert_array_equal(once.scores, twice.scores)
    np.testing.assert_array_equal(once.events.patient, twice.events.patient)
    np.testing.assert_array_equal(once.last_contact, twice.last_contact)


def test_events_keep_their_patients():
    data = trial()

    def told(part):
        rows = zip(part.patient[part.events.patient], part.events.kind, part.events.term, part.events.day, strict=True)
        return sorted((str(who), str(kind), str(term), float(day)) for who, kind, term, day in rows)

    day = float(np.median(data.randomised))
    entered = set(data.patient[data.randomised <= day])
    assert told(data.known_at(day)) == [row for row in told(data) if row[0] in entered and row[3] <= day]
    odd = data.only(np.arange(40) % 2 == 1)
    assert told(odd) == [row for row in told(data) if row[0] in set(data.patient[1::2])]


def test_decisions_follow_the_bounds():
    for number in range(30):
        looks = list(walk(PLAN, trial("half-effect", number)))
        for look in looks:
            if abs(look.z) >= look.efficacy_bound:
                assert look.decision is (Decision.EFFICACY if look.z > 0 else Decision.HARM)
            else:
                assert look.decision is (Decision.CONTINUE if look.number == 1 else Decision.NOT_REJECTED)
        assert not any(look.decision.stops for look in looks[:-1])
        assert looks[-1].decision.stops


def test_futility_stops_a_trial_without_effect():
    protocol = edited(
        stopping={
            "alpha": 0.025,
            "sided": 1,
            "patients": [20, 40],
            "beta": 0.2,
            "futility": {"family": "pocock", "binding": False},
        }
    )
    planned = plan(protocol)
    decisions = [list(walk(planned, trial("no-effect", number, protocol)))[-1].decision for number in range(40)]
    assert decisions.count(Decision.FUTILITY) > 15


def test_a_look_that_cannot_be_analysed_says_why_and_the_trial_goes_on():
    protocol = edited(stopping={"alpha": 0.05, "sided": 2, "patients": [4, 40]})
    result = analyse(protocol, trial(protocol=protocol))
    first, last = result.looks
    assert first.estimate is None
    assert first.failure
    assert first.decision is Decision.CONTINUE
    assert last.estimate is not None
    assert result.conclusion is not None
    assert result.conclusion.efficacy_bound == pytest.approx(1.96, abs=0.001)


def test_after_a_failed_look_the_decision_and_the_conclusion_use_the_same_bounds():
    protocol = edited(stopping={"alpha": 0.05, "sided": 2, "patients": [4, 26, 40], "efficacy": {"family": "pocock"}})
    planned = plan(protocol)
    for number in range(25):
        result = analyse(protocol, trial("half-effect", number, protocol))
        assert result.looks[0].estimate is None
        assert result.conclusion.decision is result.last_look.decision
        assert result.last_look.efficacy_bound == pytest.approx(result.conclusion.efficacy_bound, rel=1e-12)
        assert result.looks[1].efficacy_bound < planned.design.efficacy_bounds[1]


def test_data_that_end_before_the_last_look_leave_the_trial_going_on():
    data = trial("no-effect", 2)
    result = analyse(PROTOCOL, data.only(np.arange(40) < 34))
    assert [look.number for look in result.looks] == [1]
    assert result.last_look.decision is Decision.CONTINUE
    assert not result.stopped_early
    assert result.conclusion.p_value is None
    with pytest.raises(InputError, match="look 1 waits for 30 patients at week2, 12 have"):
        analyse(PROTOCOL, data.only(np.arange(40) < 12))
