import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from equipoise import Estimate, GroupSequential, InputError, Scale
from equipoise.estimate_arrays import quantile_of
from equipoise.sequential import FixedBounds, OBrienFleming, OBrienFlemingSpending, Pocock, PocockSpending
from equipoise.sequential.many import Conclusions, conclude_many

NAMES = ("p_value", "median_unbiased", "lower", "upper", "bias_adjusted")
DESIGNS = {
    "fixed": GroupSequential(information=(1.0,)),
    "O'Brien-Fleming spending": GroupSequential(information=(0.75, 1.0)),
    "O'Brien-Fleming": GroupSequential(information=(0.5, 1.0), efficacy=OBrienFleming()),
    "Pocock": GroupSequential(information=(0.5, 1.0), efficacy=Pocock()),
    "five looks": GroupSequential(information=(0.2, 0.4, 0.6, 0.8, 1.0), efficacy=Pocock()),
    "one-sided, futility advised": GroupSequential(
        information=(0.3, 0.6, 1.0), sided=1, alpha=0.025, futility=FixedBounds((0.0, 0.3))
    ),
    "one-sided, futility binding": GroupSequential(
        information=(0.3, 0.6, 1.0), sided=1, alpha=0.025, futility=FixedBounds((0.0, 0.3)), binding=True
    ),
    "one-sided, beta spent": GroupSequential(
        information=(0.4, 1.0), sided=1, alpha=0.025, beta=0.1, futility=OBrienFlemingSpending(), binding=True
    ),
    "two-sided, futility advised": GroupSequential(information=(0.4, 0.7, 1.0), beta=0.1, futility=PocockSpending()),
    "two-sided, futility binding": GroupSequential(
        information=(0.4, 0.7, 1.0), beta=0.1, futility=PocockSpending(), binding=True
    ),
    "tiny alpha": GroupSequential(information=(0.5, 1.0), sided=1, alpha=1e-7, efficacy=Pocock()),
}


def trials_of(design, count, seed=1, shift=8):
    """Trials of a design that stopped where its rule says, at looks a patient or so from plan; arguments of `of`."""
    generator = np.random.default_rng(seed)
    late = np.zeros((count, design.looks))
    late[:, :-1] = generator.integers(-shift, shift + 1, (count, design.looks - 1)) / 400
    fractions = np.array(design.information) + late
    # a look that was not analysed, but never the last
    lost = generator.random(fractions.shape) < 0.1
    lost[:, -1] = False
    gained = np.sqrt(np.diff(fractions, axis=1, prepend=0.0))
    drift = generator.choice([-3.0, 0.0, 2.0, 6.0], (count, 1))
    score = np.cumsum(gained * generator.normal(size=fractions.shape) + drift * gained**2, axis=1)
    every = score / np.sqrt(fractions)
    look = np.full(count, design.looks)
    for trial in range(count):
        for at in range(design.looks - 1):
            held = fractions[trial, : at + 1][~lost[trial, : at + 1]]
            if lost[trial, at]:
                continue
            bounds = design.bounds_at(held, False)
            size = abs(every[trial, at]) if design.sided == 2 else every[trial, at]
            if size >= bounds.efficacy[-1] or (bounds.futility is not None and size <= bounds.futility[-1]):
                look[trial] = at + 1
                break
    z = every[np.arange(count), look - 1]
    error = generator.uniform(0.5, 2.0, count)
    freedom = generator.choice([25.0, 80.5, np.inf], count)
    fractions[lost] = np.nan
    effect = quantile_of(z, freedom) * error
    return [fractions, look, z, look == design.looks, effect, error, freedom, "higher", Scale.MEAN_DIFFERENCE]


def singly(design, given, trial):
    fractions, look, _, final, effect, error, freedom, better, scale = given
    seen = fractions[trial, : look[trial]]
    held = [float(value) for value in seen[~np.isnan(seen)] if value < seen[-1]] + [float(seen[-1])]
    one = Estimate(effect[trial], error[trial], freedom[trial], scale, better)
    return design.conclude(one, look=len(held), information=held, final=bool(final[trial]))


def assert_as_singly(design, given):
    found = conclude_many(design, *given)
    for trial, error in enumerate(given[5]):
        one = singly(design, given, trial)
        assert one.decision.stops
        assert found.p_value[trial] == pytest.approx(one.p_value, rel=1e-7, abs=1e-13)
        pairs = zip(
            (one.median_unbiased, one.interval.lower, one.interval.upper, one.bias_adjusted), NAMES[1:], strict=True
        )
        for wanted, name in pairs:
            assert getattr(found, name)[trial] == pytest.approx(wanted, rel=1e-14, abs=1e-8 * error), (trial, name)


@pytest.mark.parametrize("name", DESIGNS)
def test_many_trials_as_each_alone(name):
    assert_as_singly(DESIGNS[name], trials_of(DESIGNS[name], 60))


def test_a_lower_effect_may_be_better_and_limits_end_where_the_scale_does():
    design = DESIGNS["one-sided, futility advised"]
    given = trials_of(design, 60, seed=2)
    given[4], given[7], given[8] = -0.4 * given[4], "lower", Scale.RISK_DIFFERENCE
    given[5] = 0.4 * given[5]
    assert_as_singly(design, given)
    assert np.any(conclude_many(design, *given).lower == -1.0)


def test_looks_hard_upon_each_other():
    design = DESIGNS["Pocock"]
    generator = np.random.default_rng(5)
    count = 60
    fractions = np.column_stack((np.full(count, 0.75), generator.choice([0.7502, 0.752, 0.76, 0.8], count)))
    z = generator.uniform(-4, 4, count)
    ones = np.ones(count)
    given = [fractions, np.full(count, 2), z, ones > 0, z, ones, np.inf * ones, "higher", Scale.MEAN_DIFFERENCE]
    assert_as_singly(design, given)


@pytest.mark.parametrize("name", ["Pocock", "one-sided, futility binding", "two-sided, futility binding"])
def test_far_out(name):
    design = DESIGNS[name]
    z = np.array([-99.0, -60.0, -38.0, -20.0, -11.0, 11.0, 20.0, 38.0, 60.0, 99.0])
    ones = np.ones(z.size)
    for look in range(1, design.looks + 1):
        fractions = np.tile(design.information, (z.size, 1))
        last = np.full(z.size, look == design.looks)
        freedom = np.inf * ones
        given = [fractions, np.full(z.size, look), z, last, z, ones, freedom, "higher", Scale.MEAN_DIFFERENCE]
        assert_as_singly(design, given)


def test_exactly_on_a_bound_and_at_zero():
    for name in ("one-sided, futility advised", "one-sided, futility binding", "two-sided, futility binding"):
        design = DESIGNS[name]
        z = np.array([0.0, design.efficacy_bounds[0], design.futility_bounds[0]])
        z = z[(z >= design.efficacy_bounds[0]) | (z <= design.futility_bounds[0])]
        ones = np.ones(z.size)
        fractions = np.tile(design.information, (z.size, 1))
        given = [fractions, ones.astype(int), z, ones < 0, z, ones, np.inf * ones, "higher", Scale.MEAN_DIFFERENCE]
        assert_as_singly(design, given)


def test_a_trial_is_told_the_same_whoever_comes_with_it():
    design = DESIGNS["two-sided, futility binding"]
    given = trials_of(design, 200)
    whole = conclude_many(design, *given)
    kept = Conclusions(design)

    def some(chosen, conclusions):
        return conclusions.of(*(part[chosen] if isinstance(part, np.ndarray) else part for part in given))

    order = np.random.default_rng(1).permutation(200)
    for chosen in (order[:7], order[150:], np.array([3]), order):
        for conclusions in (kept, pickle.loads(pickle.dumps(kept))) if chosen.size < 60 else (kept,):
            found = some(chosen, conclusions)
            for name in NAMES:
                np.testing.assert_array_equal(getattr(found, name), getattr(whole, name)[chosen])


def test_several_threads_find_the_same():
    design = DESIGNS["one-sided, futility advised"]
    given = trials_of(design, 240)
    whole = conclude_many(design, *given)
    shared = Conclusions(design)

    def part(first):
        chosen = slice(first, first + 20)
        return shared.of(*(value[chosen] if isinstance(value, np.ndarray) else value for value in given))

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(part, range(0, 240, 20)))
    for name in NAMES:
        together = np.concatenate([getattr(found, name) for found in parts])
        np.testing.assert_array_equal(together, getattr(whole, name))


def test_other_looks_than_those_before_the_stop_are_of_no_account():
    design = DESIGNS["five looks"]
    given = trials_of(design, 50)
    whole = conclude_many(design, *given)
    fractions, look = given[0].copy(), given[1]
    fractions[np.arange(5) >= look[:, None]] = np.nan
    # a last look that has seen nothing new takes the place of the one before it
    column = np.arange(5) == look[:, None] - 2
    again = np.where(column & np.isnan(fractions), fractions[np.arange(50), look - 1][:, None], fractions)
    for changed in (fractions, again):
        found = conclude_many(design, changed, *given[1:])
        for name in NAMES:
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def test_a_first_look_is_the_fixed_sample():
    from scipy import stats

    design = DESIGNS["O'Brien-Fleming spending"]
    effect, error, freedom = np.array([9.0, -8.0]), np.array([2.0, 1.5]), np.array([30.0, 45.0])
    z = np.sign(effect) * stats.norm.isf(stats.t.sf(np.abs(effect) / error, freedom))
    found = conclude_many(
        design, [[0.75, np.nan]] * 2, [1, 1], z, False, effect, error, freedom, "higher", Scale.MEAN_DIFFERENCE
    )
    half = stats.t.ppf(0.975, freedom) * error
    np.testing.assert_allclose(found.lower, effect - half, rtol=1e-12)
    np.testing.assert_allclose(found.upper, effect + half, rtol=1e-12)
    np.testing.assert_allclose(found.median_unbiased, effect, rtol=1e-12)
    np.testing.assert_allclose(found.p_value, 2 * stats.t.sf(np.abs(effect) / error, freedom), rtol=1e-11)


@pytest.mark.parametrize("name", ["Pocock", "one-sided, futility binding", "two-sided, futility binding"])
def test_medians_and_limits_keep_their_promise(name):
    design, true, count = DESIGNS[name], 2.0, 40_000
    generator = np.random.default_rng(11)
    times = np.array(design.information)
    gained = np.diff(times, prepend=0.0)
    score = np.cumsum(np.sqrt(gained) * generator.normal(size=(count, times.size)) + true * gained, axis=1)
    z = score / np.sqrt(times)
    size = np.abs(z) if design.sided == 2 else z
    stops = size >= design.efficacy_bounds
    if design.futility_bounds is not None:
        stops |= size <= design.futility_bounds
    stops[:, -1] = True
    look = stops.argmax(axis=1) + 1
    stopped, error = z[np.arange(count), look - 1], 1 / np.sqrt(times[look - 1])
    found = conclude_many(
        design,
        np.tile(times, (count, 1)),
        look,
        stopped,
        look == times.size,
        stopped * error,
        error,
        np.full(count, np.inf),
        "higher",
        Scale.MEAN_DIFFERENCE,
    )
    noise = 4 * np.sqrt(0.25 / count)
    assert np.mean(found.median_unbiased < true) == pytest.approx(0.5, abs=noise)
    assert np.mean(found.lower > true) == pytest.approx(design.level, abs=noise / 3)
    assert np.mean(found.upper < true) == pytest.approx(design.level, abs=noise / 3)
    assert abs(found.bias_adjusted.mean() - true) < abs(np.mean(stopped * error) - true)


def test_nothing_is_concluded_from_nothing():
    design = DESIGNS["O'Brien-Fleming spending"]
    rows = [
        ([0.75, 1.0], 2, 1.0, True, 1.0, 1.0, 30.0),
        ([0.75, 1.0], 1, 1.0, False, 1.0, 1.0, 30.0),  # goes on
        ([0.75, 1.0], 2, np.nan, True, np.nan, 1.0, 30.0),
        ([0.75, 1.0], 2, 1.0, True, np.nan, 1.0, 30.0),
        ([0.75, 1.0], 2, 1.0, True, 1.0, np.nan, 30.0),
        ([0.75, 1.0], 2, 1.0, True, 1.0, 1.0, np.nan),
        ([0.75, np.nan], 2, 1.0, True, 1.0, 1.0, 30.0),
        ([0.75, 1.0], 2, 101.0, True, 101.0, 1.0, np.inf),
        ([1.0, 1.1], 2, 1.0, True, 1.0, 1.0, 30.0),  # the maximum was reached before
        ([-0.5, 1.0], 2, 1.0, True, 1.0, 1.0, 30.0),
        ([np.nan, 1.0], 2, 1.0, True, 1.0, 1.0, 30.0),
    ]
    found = conclude_many(design, *map(np.array, zip(*rows, strict=True)), "higher", Scale.MEAN_DIFFERENCE)
    for name in NAMES:
        np.testing.assert_array_equal(np.isfinite(getattr(found, name)), [True, *[False] * 9, True])
    assert conclude_many(
        design, np.empty((0, 2)), [], [], np.zeros(0, bool), [], [], [], "higher", Scale.MEAN_DIFFERENCE
    ).lower.shape == (0,)


@pytest.mark.parametrize(
    ("at", "value", "match"),
    [
        (0, np.ones(3), "information"),
        (0, np.ones((2, 2)), "information"),
        (1, [0, 1, 2], "look"),
        (1, [1.5, 1, 2], "look"),
        (1, [1, 2], "look"),
        (2, np.ones((3, 1)), "z"),
        (3, [1, 0, 1], "final"),
        (4, [1.0, 2.0], "effect"),
        (5, "x", "standard_error"),
        (7, "more", "better"),
        (8, "metres", "scale"),
    ],
)
def test_arguments_that_do_not_fit(at, value, match):
    given = [np.tile([0.75, 1.0], (3, 1)), [2, 2, 2], np.ones(3), True, np.ones(3), np.ones(3), np.ones(3) * 9]
    given += ["higher", "mean difference"]
    given[at] = value
    with pytest.raises(InputError, match=match):
        conclude_many(DESIGNS["Pocock"], *given)


def test_a_design_is_needed():
    with pytest.raises(InputError, match="design"):
        Conclusions("Pocock")
