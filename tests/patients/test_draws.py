import numpy as np
import pytest
from scipy.special import ndtri

from equipoise import InputError
from equipoise.patients import Draws
from equipoise.patients.draws import _words


def philox_numbers(draws, purpose, trial, count):
    """The same numbers by NumPy's own generator, whose counter is raised by one before its first block."""
    key = int(draws.key[0]) | int(draws.key[1]) << 64
    counter = ((trial << 64 | int(_words(purpose, 1)[0])) << 128) - 1
    words = [counter >> 64 * at & 2**64 - 1 for at in range(4)]
    raw = np.random.Philox(key=key, counter=np.array(words, dtype=np.uint64)).random_raw(count)
    return ((raw >> np.uint64(11)) + 0.5) * 2.0**-53


def test_numbers_are_those_of_numpys_philox():
    draws = Draws.of(2026, "as-published", [0, 3, 10**9])
    found = draws.uniform("scores", 7, 3).reshape(3, -1)
    for row, trial in zip(found, (0, 3, 10**9), strict=True):
        np.testing.assert_array_equal(row, philox_numbers(draws, "scores", trial, 21))


def test_normal_and_exponential_numbers_are_quantiles_of_the_uniform_ones():
    draws = Draws.of(1, "x", np.arange(50))
    uniform = draws.uniform("p", 1000)
    np.testing.assert_allclose(draws.normal("p", 1000), ndtri(uniform), rtol=4e-15, atol=4e-16)
    np.testing.assert_allclose(draws.exponential("p", 1000), -np.log1p(-uniform), rtol=1e-15)


def test_far_tails_of_the_normal_quantile():
    from equipoise.patients.philox import _normal_quantile

    for tail in (1e-300, 1e-100, 1e-20, 1e-12, 2.0**-54, 0.07499999, 0.075, 0.5):
        assert _normal_quantile(tail) == pytest.approx(ndtri(tail), rel=2e-15, abs=1e-16)


def test_a_number_hangs_on_its_place_alone():
    many = Draws.of(5, "s", np.arange(20))
    one = Draws.of(5, "s", [13])
    np.testing.assert_array_equal(many.normal("a", 30, 4)[13], one.normal("a", 30, 4)[0])
    np.testing.assert_array_equal(many.normal("a", 30, 4)[:, :11], many.normal("a", 11, 4))


def test_seeds_streams_trials_and_purposes_have_numbers_of_their_own():
    base = Draws.of(1, "s", [0]).uniform("a", 4000)[0]
    others = [
        Draws.of(2, "s", [0]).uniform("a", 4000)[0],
        Draws.of(1, "t", [0]).uniform("a", 4000)[0],
        Draws.of(1, "s", [1]).uniform("a", 4000)[0],
        Draws.of(1, "s", [0]).uniform("b", 4000)[0],
    ]
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 4 / np.sqrt(4000)


def test_uniform_numbers_are_even_and_never_0_or_1():
    numbers = Draws.of(7, "s", np.arange(1000)).uniform("a", 1000)
    counts = np.bincount((numbers * 64).astype(int).ravel(), minlength=64)
    expected = numbers.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * np.sqrt(2 * 63)
    assert numbers.min() > 0
    assert numbers.max() < 1


@pytest.mark.parametrize(("seed", "trials", "field"), [(-1, [0], "seed"), (1, [-2], "trial")])
def test_negative_seeds_and_trials_are_refused(seed, trials, field):
    with pytest.raises(InputError, match=field):
        Draws.of(seed, "s", trials)
