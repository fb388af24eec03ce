import json
import math
from dataclasses import replace

import numpy as np
import pytest

from equipoise import InputError, gallery, simulate
from equipoise.protocol import Protocol
from equipoise.protocol.scenarios import Scenario
from equipoise.sequential import Decision
from equipoise.simulation import Comparison, grid, simulate_grid
from equipoise.simulation import comparison as file
from equipoise.simulation.comparison import point_folders
from equipoise.simulation.comparison_table import comparison_tables
from equipoise.simulation.design_tables import design_tables
from equipoise.simulation.dials import DIALS
from equipoise.simulation.paired import TrialEnds, difference_in_patients, difference_in_power
from equipoise.simulation.rows import DECISIONS
from equipoise.wording import decimal

PROTOCOL = gallery("ptsd-ketamine")
DESIGNS = ["obf: efficacy=obrien-fleming", "pocock: efficacy=pocock", "fixed: fractions=1"]


@pytest.fixture(scope="module")
def designs() -> Comparison:
    points = grid(PROTOCOL, "half-effect", {"effect": [0, 1]}, DESIGNS)
    return simulate_grid(points, 300, seed=4, secondary=False, corrected=False)


def test_points_are_what_they_are_alone(designs):
    for point, result in zip(designs.points, designs.results, strict=True):
        alone = simulate(point.protocol, "half-effect", 300, 4, secondary=False, corrected=False)
        assert alone.to_dict() == result.to_dict()
    assert designs.complete
    assert designs.axes == {"effect": (0, 1)}
    assert designs.designs == ("obf", "pocock", "fixed")
    assert designs.result("pocock, effect 1") is designs.results[3]
    with pytest.raises(InputError, match="one of obf, effect 0"):
        designs.result("nothing")


def test_designs_share_their_patients(designs):
    """The last look of all designs is at the same patients: where none stops, the estimates are the same."""
    ends = [result.rows.ends for result in designs.results]
    together = (ends[0]["look"] == 2) & (ends[2]["look"] == 2)
    assert together.sum() > 200
    np.testing.assert_array_equal(ends[0]["effect"][together], ends[2]["effect"][together])
    np.testing.assert_array_equal(ends[0]["effect"][together], ends[4]["effect"][together])


def test_differences_are_those_of_the_trials_one_by_one(designs):
    for at, against in ((2, 0), (3, 1), (5, 1), (4, 0)):
        assert designs.reference(at) == against
        found = designs.differences[at]
        mine, theirs = (designs.results[number].rows.ends for number in (at, against))
        won = [ends["decision"] == DECISIONS.index(Decision.EFFICACY) for ends in (mine, theirs)]
        for difference, values in (
            (found.power, won[0].astype(float) - won[1]),
            (found.patients, mine["randomised"].astype(float) - theirs["randomised"]),
        ):
            assert difference.value == pytest.approx(values.mean(), abs=1e-12)
            assert difference.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(300), abs=1e-12)
        assert found.paired
        assert found.power.value == pytest.approx(
            designs.results[at].power.value - designs.results[against].power.value
        )
    assert designs.differences[0] is designs.differences[1] is None


def test_pairing_tells_differences_apart_that_unpaired_trials_do_not(designs):
    paired = designs.difference(3, 1).power
    one, other = designs.results[3].power, designs.results[1].power
    assert paired.standard_error < 0.7 * math.hypot(one.standard_error, other.standard_error)


def test_other_seeds_and_scenarios_are_not_paired():
    points = [*grid(PROTOCOL, "no-effect"), *grid(PROTOCOL, "half-effect")]
    found = simulate_grid(points, 100, secondary=False, corrected=False)
    assert found.scenarios == ("no-effect", "half-effect")
    assert found.differences == (None, None)
    difference = found.difference(1, 0)
    assert not difference.paired
    errors = [result.power.standard_error for result in found.results]
    assert difference.power.standard_error == pytest.approx(math.hypot(*errors))
    without = replace(found, ends=(None, None))
    assert not without.difference(1, 1).paired


def test_packed_ends_of_any_length_and_of_unlike_lengths():
    generator = np.random.default_rng(1)
    for first, second in ((1, 1), (7, 8), (8, 8), (9, 200), (64, 65), (1001, 77)):
        won = [generator.random(size) < 0.4 for size in (first, second)]
        patients = [generator.integers(0, 400, size) for size in (first, second)]
        one, other = (TrialEnds.of(*pair) for pair in zip(won, patients, strict=True))
        size = min(first, second)
        expected = won[0][:size].astype(float) - won[1][:size]
        found = difference_in_power(one, other)
        assert (found.value, found.trials) == (pytest.approx(expected.mean()), size)
        if size > 1:
            assert found.standard_error == pytest.approx(expected.std(ddof=1) / math.sqrt(size))
        assert difference_in_patients(one, other).value == pytest.approx(
            np.mean(patients[0][:size] - patients[1][:size])
        )
        assert one.rejects.nbytes == -(-first // 8)
        assert one.patients.dtype.itemsize <= 2
    empty = TrialEnds.of(np.zeros(0, dtype=bool), np.zeros(0, dtype=int))
    assert math.isnan(difference_in_power(empty, one).value)


def test_written_trials_give_the_same_ends(tmp_path):
    points = grid(PROTOCOL, vary=["effect=0.5,1"])
    options = {"trials": 120, "seed": 2, "secondary": False, "corrected": False}
    kept, written = simulate_grid(points, **options), simulate_grid(points, **options, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["effect-0.5", "effect-1"]
    assert kept.differences == written.differences
    assert kept.to_dict() == written.to_dict()
    assert Comparison.of(points, written.results).differences == kept.differences
    again = simulate_grid(points, **options | {"trials": 200}, folder=tmp_path, resume=True)
    whole = simulate_grid(points, **options | {"trials": 200})
    assert again.to_dict() == whole.to_dict()


def test_trials_too_many_to_keep_leave_no_trace(monkeypatch):
    monkeypatch.setattr(file, "MOST_KEPT", 50)
    points = grid(PROTOCOL, vary=["effect=0.5,1"])
    found = simulate_grid(points, 120, secondary=False, corrected=False)
    assert all(result.rows is None and result.folder is None for result in found.results)
    assert found.differences[1].paired
    assert found.differences == simulate_grid(points, 120, secondary=False, corrected=False).differences


def test_folders_are_named_by_what_is_in_them(tmp_path):
    points = grid(PROTOCOL, vary=["effect=0,1"], designs=["a/b: alpha=0.1", "a b: alpha=0.2"])
    names = [place.name for place in point_folders(points, tmp_path)]
    assert names == ["a-b-effect-0", "a-b-effect-1", "a-b-effect-0-2", "a-b-effect-1-2"]
    assert point_folders(points[:1], tmp_path) == [tmp_path]
    assert point_folders(points, None) == [None] * 4
    both = [*grid(PROTOCOL, "no-effect", ["sd=1,1.1"]), *grid(PROTOCOL, "half-effect", ["sd=1,1.1"])]
    assert [place.name for place in point_folders(both, tmp_path)][1::2] == ["no-effect-sd-1.1", "half-effect-sd-1.1"]


def test_frame_table_and_dict_hold_every_point(designs):
    frame = designs.to_frame()
    assert frame.height == 6
    assert frame["design"].to_list() == ["obf", "obf", "pocock", "pocock", "fixed", "fixed"]
    assert frame["power"].to_list() == [result.power.value for result in designs.results]
    assert frame["difference_in_power"][3] == designs.differences[3].power.value
    assert frame["differs_from"].to_list()[:3] == [None, None, "obf, effect 0"]
    content = json.loads(json.dumps(designs.to_dict(), allow_nan=False))
    assert [point["label"] for point in content["points"]] == [str(point) for point in designs.points]
    assert content["points"][3]["difference"]["power"]["value"] == designs.differences[3].power.value
    assert content["points"][0]["difference"] is None
    text = str(designs)
    assert max(map(len, text.splitlines())) <= 100
    assert "Differences are from obf with the same values, trial by trial" in " ".join(text.split())
    for title in ("Size and length at the end", "What the estimates are worth", "Design obf", "Design fixed"):
        assert text.count(f"\n{title}") == 1


def test_tables_hold_what_every_point_decides_and_is_worth(designs):
    decides, size, worth = comparison_tables(designs)
    for at, result in enumerate(designs.results):
        first = dict(zip(decides.header, decides.rows[at], strict=True))
        second = dict(zip(size.header, size.rows[at], strict=True))
        third = dict(zip(worth.header, worth.rows[at], strict=True))
        assert first["power, %"] == result.power.text("")
        assert first["rejects either way, %"] == result.rejection.text("")
        assert first["theory, %"] == decimal(100 * result.context.plan.under("half-effect").power, 2)
        assert second["patients"] == result.patients().mean.text(1)
        sizes = result.rows.ends["randomised"]
        assert second["SD of patients"] == decimal(sizes.std(ddof=1), 1)
        assert second["days"].startswith(f"{result.rows.ends['day'].mean():,.0f} (")
        assert third["true effect"] == decimal(result.true_effect, 2)
        assert third["bias, observed"] == result.estimates().bias.text(2)
        assert third["interval covers, %"] == result.estimates().coverage.text("")
    assert "events" not in size.header


def test_events_are_told_where_looks_count_them():
    found = simulate_grid(grid(gallery("relapse-after-treatment")), 10, secondary=False, corrected=False)
    size = comparison_tables(found)[1]
    assert size.rows[0][size.header.index("events")] == found.results[0].patients("due").mean.text(1)


def test_widths_and_words_of_grids_with_long_names():
    vary = ["scenarios.as-published.arms.ketamine.dropout=0,0.5", "effect=-0.5,1"]
    found = simulate_grid(grid(PROTOCOL, vary=vary, designs=DESIGNS[:2]), 20, secondary=False)
    text = str(found)
    assert max(map(len, text.splitlines())) <= 100
    assert "\N{MINUS SIGN}0.5" in text
    table = comparison_tables(found)[0]
    assert table.header[:3] == ("design", "dropout", "effect, multiple")
    alone = simulate_grid(grid(PROTOCOL, vary=["effect=-0.5,1"]), 5, secondary=False, corrected=False)
    assert "Differences are from effect \N{MINUS SIGN}0.5, trial by trial" in comparison_tables(alone)[0].note
    found = simulate_grid(grid(PROTOCOL, vary=["patients=40,60"]), 5, secondary=False, corrected=False)
    assert [table.title for table in design_tables(found)] == ["Planned looks, here at patients 40"]
    assert "simulated" not in design_tables(found)[0].note


def test_the_frame_holds_what_every_dial_was_turned_to():
    values = {
        "effect": (0.5, 1),
        "dropout": (0.05, 0.2),
        "sd": (0.9, 1.1),
        "patients": (40, 60),
        "patients-per-month": (3, 5),
        "correlation": (0.8, 1),
    }
    assert values.keys() == DIALS.keys()
    for name, pair in values.items():
        found = simulate_grid(grid(PROTOCOL, vary={name: pair}), 10, secondary=False, corrected=False)
        frame = found.to_frame()
        assert tuple(frame[name].to_list()) == pair
        assert frame["mean_patients"].to_list() == [result.patients().mean.value for result in found.results]
        assert frame["mean_days"].to_list() == [result.duration().mean.value for result in found.results]


def test_no_axis_has_the_name_of_a_result(designs):
    """Every axis is a dial or a path that begins with a key of a protocol or of a scenario."""
    beginnings = {*DIALS, *Protocol.model_fields, *Scenario.model_fields}
    results = set(designs.to_frame().columns) - set(designs.axes)
    assert not beginnings & results
    assert not any("." in name or "[" in name for name in results)


def test_references_where_several_things_vary():
    points = grid(PROTOCOL, vary=["effect=0,0.5,1", "dropout=0,0.2"])
    empty = Comparison(points, ())
    assert [empty.reference(at) for at in range(6)] == [None, 0, None, 2, None, 4]
    only = Comparison(grid(PROTOCOL, vary=["effect=0,0.5,1"]), ())
    assert [only.reference(at) for at in range(3)] == [None, 0, 0]
    assert not empty.complete
    assert "0 of 6 points" in str(empty)


def test_an_interruption_keeps_what_is_there(monkeypatch):
    points = grid(PROTOCOL, vary=["effect=0,0.5,1"])
    calls = []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return simulate(*arguments, **options)

    monkeypatch.setattr(file, "simulate", interrupted)
    found = simulate_grid(points, 20, secondary=False, corrected=False)
    assert (len(found), found.complete) == (1, False)
    assert found.results[0].trials == 20
    calls[:] = [()]
    with pytest.raises(KeyboardInterrupt):
        simulate_grid(points, 20)


def test_progress_precision_and_bad_input():
    points = grid(PROTOCOL, vary=["effect=0,1"])
    seen = []
    simulate_grid(points, 40, secondary=False, on_progress=lambda at, done: seen.append((at, done)))
    assert seen[-1] == (1, 40)
    assert {at for at, _ in seen} == {0, 1}
    found = simulate_grid(points, 20_000, secondary=False, corrected=False, precision=0.012)
    assert found.complete
    assert all(result.trials < 20_000 for result in found.results)
    assert all(result.power.careful_standard_error <= 0.012 for result in found.results)
    with pytest.raises(InputError, match="at least one point"):
        simulate_grid([])
    with pytest.raises(InputError, match="points"):
        Comparison((), ())
