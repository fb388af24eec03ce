import json

import numpy as np
import pytest

from equipoise import InputError, gallery, run, simulate
from equipoise.patients import Truth
from equipoise.sequential import Decision
from equipoise.simulation.chunk import Task
from protocols import edited

PROTOCOL = gallery("ptsd-ketamine")


def same(one, two):
    for mine, theirs in ((one.rows.looks, two.rows.looks), (one.rows.ends, two.rows.ends)):
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name])
    assert one.tally == two.tally
    assert one.to_dict() == two.to_dict()


def test_same_seed_gives_the_same_bytes():
    assert run(PROTOCOL, seed=11).to_json() == run(PROTOCOL, seed=11).to_json()
    assert run(PROTOCOL, seed=11).to_json() != run(PROTOCOL, seed=12).to_json()


def test_engines_and_workers_do_not_change_the_result():
    one = simulate(PROTOCOL, "no-effect", 2000, 3, "serial", secondary=False)
    same(one, simulate(PROTOCOL, "no-effect", 2000, 3, "cores", workers=3, secondary=False))
    same(one, simulate(PROTOCOL, "no-effect", 2000, 3, "processes", workers=2, secondary=False))


def test_more_trials_begin_with_the_same_ones():
    few = simulate(PROTOCOL, trials=20, seed=2).rows.ends
    more = simulate(PROTOCOL, trials=130, seed=2).rows.ends
    for name, values in few.items():
        np.testing.assert_array_equal(more[name][:20], values)


def test_trials_that_stop_early_overstate_the_effect():
    found = simulate(PROTOCOL, "half-effect", 20_000, secondary=False)
    assert found.context.primary.truth == pytest.approx(-5.94, abs=1e-6)
    early = found.rows.ends["effect"][(found.rows.ends["look"] == 1) & (found.rows.ends["decision"] == 0)]
    assert early.mean() < -9
    assert sum(rate.value for rate in found.stopping) == pytest.approx(1)


def test_a_folder_holds_the_rows_and_a_run_goes_on_where_it_was_stopped(tmp_path):
    whole = simulate(PROTOCOL, trials=3000, secondary=False)
    stopping = []

    def interrupt(done):
        stopping.append(done)
        if done > 1500:
            raise KeyboardInterrupt

    part = simulate(PROTOCOL, trials=3000, secondary=False, folder=tmp_path, on_progress=interrupt)
    assert part.trials == stopping[-1] < 3000
    assert not part.complete
    again = simulate(PROTOCOL, trials=3000, secondary=False, folder=tmp_path, resume=True)
    assert again.complete
    assert again.tally == whole.tally
    assert again.to_dict() == whole.to_dict()
    import polars as pl

    frame = pl.read_parquet(tmp_path / "trials" / "*.parquet").sort("trial")
    np.testing.assert_array_equal(frame["effect"].to_numpy(), whole.rows.ends["effect"])
    with pytest.raises(InputError, match="empty folder"):
        simulate(PROTOCOL, trials=10, folder=tmp_path)
    with pytest.raises(InputError, match="seed"):
        simulate(PROTOCOL, trials=3000, seed=2, secondary=False, folder=tmp_path, resume=True)


def test_precision_ends_a_run_early_and_honestly():
    found = simulate(PROTOCOL, trials=1_000_000, precision=0.01, secondary=False, corrected=False)
    assert 1000 <= found.trials < 20_000
    assert found.power.careful_standard_error <= 0.01
    assert found.trials < found.planned_trials
    before = simulate(PROTOCOL, trials=found.trials - chunk_of(found), secondary=False, corrected=False)
    assert before.trials < 1000 or before.power.careful_standard_error > 0.01
    assert simulate(PROTOCOL, trials=5000, precision=0.4, secondary=False).trials >= 1000


def chunk_of(found):
    return Task.of(found.context.plan, Truth.of(PROTOCOL, found.scenario), found.context, 1, "x", (), False).chunk


def test_common_random_numbers_pair_scenarios():
    one = simulate(PROTOCOL, "no-effect", 500, stream="shared", secondary=False).rows.ends
    two = simulate(PROTOCOL, "half-effect", 500, stream="shared", secondary=False).rows.ends
    both = (one["look"] == 2) & (two["look"] == 2)
    assert np.corrcoef(one["effect"][both], two["effect"][both])[0, 1] > 0.9


def test_bad_numbers_and_scenarios_are_refused():
    for arguments in (
        {"trials": 0},
        {"workers": 0},
        {"scenario": "nothing"},
        {"seed": -1},
        {"engine": "abacus"},
        {"precision": 0.0},
        {"secondary": ["nothing"]},
        {"resume": True},
    ):
        with pytest.raises(InputError):
            simulate(PROTOCOL, **{"trials": 1} | arguments)


def test_trials_that_cannot_be_analysed_are_counted_and_printed():
    protocol = edited(stopping__patients=[2, 4], sample_size={"patients": 4, "scenario": "as-published"})
    found = simulate(protocol, trials=20)
    assert found.failures == 40
    assert np.isnan(found.rows.ends["effect"]).all()
    assert (found.rows.ends["decision"] == list(Decision).index(Decision.NOT_REJECTED)).all()
    json.dumps(found.to_dict(), allow_nan=False)
    assert "could not be analysed" in str(found)
