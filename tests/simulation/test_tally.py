import math

import numpy as np
import pytest

from equipoise import InputError
from equipoise.sequential import Decision
from equipoise.simulation.histograms import Bins, Distribution, added
from equipoise.simulation.rates import Mean, Rate
from equipoise.simulation.rows import ChunkRows
from equipoise.simulation.tally import Z_BINS, Tally, effect_bins
from made_up_trials import PLAN, chunk, context

CONTEXT = context()
PARTS = [chunk(first, 60, CONTEXT) for first in range(0, 600, 60)]
ROWS = ChunkRows.concatenated(PARTS)
ENDS = ROWS.ends
EFFICACY = (Decision.EFFICACY,)


def _tally(parts, of=CONTEXT):
    tally = Tally(of)
    for part in parts:
        tally.add(part)
    return tally


TALLY = _tally(PARTS)


def _decided(*decisions):
    return np.isin(ENDS["decision"], [list(Decision).index(item) for item in decisions])


def test_merged_is_whole():
    one, two = _tally(PARTS[:4]), _tally(PARTS[4:])
    merged = one.merge(two)
    assert merged.trials == TALLY.trials == 600
    whole = Tally.of(ROWS, CONTEXT)
    for name, values in TALLY.histograms.items():
        np.testing.assert_array_equal(values, whole.histograms[name])
        np.testing.assert_array_equal(values, merged.histograms[name])
    for name, values in TALLY.cells.items():
        for other in (merged, whole):
            np.testing.assert_allclose(values, other.cells[name], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(TALLY.cells["trials"][:3], whole.cells["trials"][:3])
    assert TALLY.reasons == whole.reasons == ROWS.failures
    assert _tally(PARTS) == TALLY
    assert _tally(PARTS[:-1]) != TALLY


def test_a_merger_broken_off_changes_nothing(monkeypatch):
    one, two = _tally(PARTS[:4]), _tally(PARTS[4:])
    calls = iter(range(1000))

    def breaking(*arrays):
        if next(calls) == 7:
            raise KeyboardInterrupt
        return added(*arrays)

    monkeypatch.setattr("equipoise.simulation.tally.added", breaking)
    with pytest.raises(KeyboardInterrupt):
        one.merge(two)
    assert next(calls) == 8
    assert one == _tally(PARTS[:4])


def test_adding_does_not_change_what_was_added():
    one, two = Tally.of(PARTS[0], CONTEXT), Tally.of(PARTS[1], CONTEXT)
    Tally(CONTEXT).merge(one).merge(two)
    assert one == Tally.of(PARTS[0], CONTEXT)
    assert two == Tally.of(PARTS[1], CONTEXT)


def test_room_does_not_grow_with_the_trials():
    def room(tally):
        return sum(values.nbytes for table in (tally.cells, tally.histograms) for values in table.values())

    many = _tally(PARTS * 5)
    assert many.trials == 3000
    assert room(many) == room(TALLY) < 1_000_000


@pytest.mark.parametrize(("estimator", "limits"), [
    ("observed", ("lower", "upper")),
    ("median_unbiased", ("median_unbiased_lower", "median_unbiased_upper")),
    ("bias_adjusted", None),
])  # fmt: skip
@pytest.mark.parametrize("look", [None, 1, 2])
@pytest.mark.parametrize("decisions", [tuple(Decision), EFFICACY])
def test_estimates_are_those_of_the_rows(estimator, limits, look, decisions):
    column = "effect" if estimator == "observed" else estimator
    chosen = _decided(*decisions) & ((ENDS["look"] == look) if look else True)
    found = TALLY.summary(estimator, look, decisions)
    known = chosen & ~np.isnan(ENDS[column])
    values, truth = ENDS[column][known], CONTEXT.primary.truth
    errors = values - truth
    n = len(values)
    assert (found.trials, found.estimated) == (chosen.sum(), n)
    assert found.mean.value == pytest.approx(values.mean(), rel=1e-12)
    assert found.bias.value == pytest.approx(errors.mean(), rel=1e-11)
    assert found.bias.standard_error == pytest.approx(errors.std(ddof=1) / math.sqrt(n), rel=1e-11)
    assert found.standard_deviation == pytest.approx(errors.std(ddof=1), rel=1e-11)
    root = math.sqrt((errors**2).mean())
    assert found.root_mean_squared_error.value == pytest.approx(root, rel=1e-12)
    spread = (errors**2).std(ddof=1) / math.sqrt(n) / 2 / root
    assert found.root_mean_squared_error.standard_error == pytest.approx(spread, rel=1e-10)
    above = (errors > 0).mean() + (errors == 0).mean() / 2
    assert found.share_above_truth.value == pytest.approx(above, rel=1e-14)
    assert found.exaggeration.value == pytest.approx(np.abs(values).mean() / abs(truth), rel=1e-12)
    assert found.exaggeration.standard_error == pytest.approx(
        np.abs(values).std(ddof=1) / math.sqrt(n) / abs(truth), rel=1e-9
    )
    rejecting = known & _decided(Decision.EFFICACY, Decision.HARM)
    assert found.wrong_sign == Rate(int((ENDS[column][rejecting] * truth < 0).sum()), int(rejecting.sum()))
    if limits is None:
        assert found.coverage.trials == 0
    else:
        lower, upper = ENDS[limits[0]][known], ENDS[limits[1]][known]
        assert found.coverage == Rate(int(((lower <= truth) & (truth <= upper)).sum()), n)


@pytest.mark.parametrize("name", ["response", "loss-of-response", "adverse-events"])
@pytest.mark.parametrize("early", [False, True])
def test_secondary_endpoints_are_those_of_the_rows(name, early):
    aim = CONTEXT.aim(name)
    decisions = EFFICACY if early else tuple(Decision)
    found = TALLY.summary("observed", None, decisions, early=early, endpoint=name)
    chosen = _decided(*decisions) & (ENDS["look"] < CONTEXT.looks if early else True)
    known = chosen & ~np.isnan(ENDS[f"{name}.effect"])
    values, lower, upper = (ENDS[f"{name}.{part}"][known] for part in ("effect", "lower", "upper"))
    assert (found.trials, found.estimated) == (chosen.sum(), known.sum())
    assert found.mean.value == pytest.approx(values.mean(), rel=1e-12)
    above, below = lower > aim.null_value, upper < aim.null_value
    won = above if aim.better == "higher" else below
    assert found.in_favour == Rate(int(won.sum()), len(values))
    assert found.excluded == Rate(int((above | below).sum()), len(values))
    if np.isnan(aim.truth):
        assert found.coverage.trials == found.share_above_truth.trials == 0
        assert np.isnan([found.bias.value, found.root_mean_squared_error.value]).all()
    else:
        assert found.coverage == Rate(int(((lower <= aim.truth) & (aim.truth <= upper)).sum()), len(values))
    if np.isnan(aim.truth):
        assert math.isnan(found.exaggeration_given_significance.value)
        assert found.wrong_sign.trials == 0
    else:
        size = np.abs(values[won] - aim.null_value) / abs(aim.distance)
        if won.any():
            assert found.exaggeration_given_significance.value == pytest.approx(size.mean(), rel=1e-12)
        wrong = ((values - aim.null_value) * aim.distance < 0) & (above | below)
        assert found.wrong_sign == Rate(int(wrong.sum()), int((above | below).sum()))


def test_correlation_is_that_of_the_rows():
    for aim in CONTEXT.secondaries:
        one, two = ENDS["effect"], ENDS[f"{aim.name}.effect"]
        both = ~(np.isnan(one) | np.isnan(two))
        found = TALLY.correlation(aim.name)
        wanted = np.corrcoef(one[both], two[both])[0, 1]
        assert found.value == pytest.approx(wanted, rel=1e-10)
        assert found.standard_error == pytest.approx((1 - wanted**2) / math.sqrt(both.sum() - 1), rel=1e-10)


@pytest.mark.parametrize("name", ["day", "randomised", "due", "observed"])
@pytest.mark.parametrize("look", [None, 1, 2])
def test_whole_numbers_are_counted_exactly(name, look):
    values = ENDS[name][ENDS["look"] == look] if look else ENDS[name]
    found = TALLY.distribution(name, look)
    assert found.trials == len(values)
    assert found.mean.value == pytest.approx(values.mean(), rel=1e-14)
    assert found.mean.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(len(values)), rel=1e-12)
    ordered = np.sort(values)
    for percent, value in found.quantiles().items():
        assert value == ordered[math.ceil(percent * len(values) / 100) - 1]


def test_z_by_look_within_a_bin():
    for look in (1, 2):
        z = ROWS.looks["z"][ROWS.looks["look"] == look]
        z = z[~np.isnan(z)]
        counts = TALLY.histograms["z"][look - 1]
        assert counts.sum() == len(z)
        wanted = np.quantile(z, [0.05, 0.5, 0.95], method="inverted_cdf")
        np.testing.assert_allclose(Z_BINS.quantiles(counts, [5, 50, 95]), wanted, atol=Z_BINS.width)


def test_estimates_are_binned_around_the_truth():
    bins = effect_bins(CONTEXT)
    assert bins.width == pytest.approx(PLAN.standard_error / 25)
    values = ENDS["effect"][~np.isnan(ENDS["effect"])] - CONTEXT.primary.truth
    wanted = np.histogram(values, [-np.inf, *bins.edges, np.inf])[0]
    np.testing.assert_array_equal(TALLY.histograms["observed.estimate"].sum(axis=(0, 1)), wanted)


def test_missing_share_and_failures():
    share = 1 - ENDS["observed"] / ENDS["due"]
    assert TALLY.total("missing") == pytest.approx(share.sum(), rel=1e-12)
    assert TALLY.total("failures") == ENDS["failures"].sum() == sum(ROWS.failures.values())


def test_bins_count_what_lies_on_edges_and_beyond():
    bins = Bins(0.0, 1.0, 3)
    np.testing.assert_array_equal(
        bins.places(np.array([-np.inf, -0.1, 0, 0.99, 1, 2.99, 3, np.inf])), [0, 0, 1, 1, 2, 3, 4, 4]
    )
    np.testing.assert_allclose(bins.quantiles(np.array([0, 4, 0, 4, 0]), [25, 50, 75]), [0.5, 1.0, 2.5])
    np.testing.assert_array_equal(bins.quantiles(np.array([1, 0, 0, 0, 1]), [25, 75]), [-np.inf, np.inf])
    assert np.isnan(bins.quantiles(np.zeros(5, dtype=int), [50])).all()


def test_rates_and_means_of_few_trials():
    assert Rate(3, 10).standard_error == pytest.approx(math.sqrt(0.3 * 0.7 / 10))
    assert Rate(0, 10).standard_error == 0
    assert Rate(0, 10).careful_standard_error == pytest.approx(math.sqrt((2 / 14) * (12 / 14) / 14))
    assert math.isnan(Rate(0, 0).value)
    assert str(Rate(0, 0)) == "–"
    assert Rate.of(np.array([True, False])) == Rate(1, 2)
    assert math.isnan(Mean.of_sums(0, 0.0, 0.0).value)
    one = Mean.of_sums(1, 2.0, 4.0)
    assert one.value == 2
    assert math.isnan(one.standard_error)
    nothing = Distribution(np.zeros(0, dtype=np.int64))
    assert math.isnan(nothing.mean.value)
    assert math.isnan(nothing.quantiles()[50])


def test_rows_of_another_trial_are_refused():
    with pytest.raises(InputError, match="from 1 to 2"):
        Tally.of(ChunkRows(ROWS.looks, ENDS | {"look": ENDS["look"] + 1}), CONTEXT)
    with pytest.raises(InputError, match="'clusters'"):
        Tally.of(ROWS, context(secondaries=("response", "clusters")))
    with pytest.raises(InputError, match="from 0 on"):
        Tally.of(ChunkRows(ROWS.looks, ENDS | {"day": ENDS["day"] - 10_000}), CONTEXT)


def test_many_reasons_are_put_together():
    tally = Tally(CONTEXT)
    for at in range(300):
        tally.add(ChunkRows(PARTS[0].looks, PARTS[0].ends, {f"reason {at}": 2}))
    assert len(tally.reasons) == 101
    assert sum(tally.reasons.values()) == 600
    assert tally.reasons["other reasons"] == 400


def test_reasons_are_told_by_endpoint_and_crowd_none_else_out():
    tally = Tally(CONTEXT)
    for at in range(150):
        tally.add(ChunkRows(PARTS[0].looks, PARTS[0].ends, {f"response: reason {at}": 2, f"why {at % 3}": 1 + at % 3}))
    assert tally.reasons_of() == {"why 2": 150, "why 1": 100, "why 0": 50}
    assert len(tally.reasons_of("response")) == 101
    assert next(iter(tally.reasons_of("response").items())) == ("other reasons", 100)
    assert tally.reasons_of("loss-of-response") == {}
    assert _tally([ChunkRows(PARTS[0].looks, PARTS[0].ends, tally.reasons)]).reasons == tally.reasons
