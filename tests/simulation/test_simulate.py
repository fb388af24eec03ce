import numpy as np
import pytest

from equipoise import InputError, gallery, run, simulate
from equipoise.simulation.simulate import COLUMNS

PROTOCOL = gallery("ptsd-ketamine")


def test_same_seed_gives_the_same_bytes():
    assert run(PROTOCOL, seed=11).to_json() == run(PROTOCOL, seed=11).to_json()
    assert run(PROTOCOL, seed=11).to_json() != run(PROTOCOL, seed=12).to_json()


@pytest.mark.parametrize("scenario", ["as-published", "later-trials"])
def test_trial_k_of_many_is_the_trial_run_alone(scenario):
    many = simulate(PROTOCOL, scenario, trials=30, seed=5)
    for trial in (0, 7, 29):
        alone = run(PROTOCOL, scenario, seed=5, trial=trial)
        row = dict(zip(COLUMNS, many.rows[trial], strict=True))
        assert row["effect"] == alone.last_look.estimate.effect
        assert row["standard_error"] == alone.last_look.estimate.standard_error
        assert row["z"] == alone.last_look.z
        assert row["look"] == alone.last_look.number
        assert many.to_frame()["decision"][trial] == alone.last_look.decision.value


def test_workers_do_not_change_the_result():
    one = simulate(PROTOCOL, "no-effect", trials=150, seed=3)
    two = simulate(PROTOCOL, "no-effect", trials=150, seed=3, workers=2)
    np.testing.assert_array_equal(one.rows, two.rows)


def test_more_trials_begin_with_the_same_ones():
    few, more = simulate(PROTOCOL, trials=20, seed=2), simulate(PROTOCOL, trials=130, seed=2)
    np.testing.assert_array_equal(more.rows[:20], few.rows)


def test_type_one_error_of_the_protocols_own_analysis():
    found = simulate(PROTOCOL, "no-effect", trials=3000, seed=1)
    assert found.failures == 0
    assert abs(found.rejection.value - 0.05) < 3.5 * found.rejection.standard_error
    assert abs(found.stopping[0].value - 0.0193) < 3.5 * found.stopping[0].standard_error
    assert abs(found.mean_effect) < 3.5 * 2.83 / np.sqrt(3000)


def test_trials_that_stop_early_overstate_the_effect():
    found = simulate(PROTOCOL, "half-effect", trials=1500, seed=1)
    assert found.true_effect == pytest.approx(-5.94, abs=1e-6)
    assert found.mean_effect_at(1) < -9
    assert found.stopping[0].value + found.stopping[1].value == pytest.approx(1)
    progress = []
    simulate(PROTOCOL, trials=250, on_progress=progress.append)
    assert progress == [100, 200, 250]


def test_bad_numbers_and_scenarios_are_refused():
    for arguments in ({"trials": 0}, {"workers": 0}, {"scenario": "nothing"}, {"seed": -1}):
        with pytest.raises(InputError):
            simulate(PROTOCOL, **{"trials": 1} | arguments)


def test_trials_that_cannot_be_analysed_are_counted_and_printed():
    import json

    from protocols import edited

    protocol = edited(stopping__patients=[2, 4], sample_size={"patients": 4, "scenario": "as-published"})
    found = simulate(protocol, trials=20)
    assert found.failures == 40
    assert np.isnan(found.mean_effect)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["mean_observed_effect"] is None
    assert "observed effect, mean (truth)              – (-11.880)" in str(found)
