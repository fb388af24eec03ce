"""Bang's and James's blinding indices: published tables, limits, coverage, counting, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.endpoints.guesses.bang import bang_index, bang_indices
from equipoise.endpoints.guesses.counts import answers_of, guess_table, with_missing
from equipoise.endpoints.guesses.james import james_index, james_indices
from equipoise.errors import InputError, NotEstimable
from published_guesses import TABLES


@pytest.mark.parametrize("case", TABLES, ids=[case["id"] for case in TABLES])
def test_published_tables(case):
    half = 0.5 * 10.0 ** -case["digits"] + 1e-12
    for answers, (index, error) in zip(answers_of(case["table"]), case["bang"], strict=True):
        found = bang_index(*answers)
        assert found.index == pytest.approx(index, abs=half)
        assert found.standard_error == pytest.approx(error, abs=half)
    found = james_index(case["table"])
    assert (found.index, found.standard_error) == pytest.approx(case["james"], abs=half)


def test_intervals_of_package_bi():
    """BlindingIndex.jl, README: 0.875 to 0.918; 0.08 to 0.15; -0.016 to 0.06."""
    table = TABLES[3]["table"]
    james = james_index(table).interval
    control, experimental = (bang_index(*answers).interval for answers in answers_of(table))
    assert (james.lower, james.upper) == pytest.approx((0.875, 0.918), abs=6e-4)
    assert (experimental.lower, experimental.upper) == pytest.approx((0.08, 0.15), abs=6e-4)
    assert (control.lower, control.upper) == pytest.approx((-0.016, 0.06), abs=6e-4)


def test_bang_s_variance_as_published():
    """[p_c (1 - p_c) + p_w (1 - p_w) + 2 p_c p_w] / n."""
    counts = np.random.default_rng(1).integers(0, 30, (200, 3)) + 1
    index, error = bang_indices(counts)
    total = counts.sum(axis=1)
    right, wrong = counts[:, 0] / total, counts[:, 1] / total
    np.testing.assert_allclose(index, right - wrong, atol=1e-15)
    theirs = (right * (1 - right) + wrong * (1 - wrong) + 2 * right * wrong) / total
    np.testing.assert_allclose(error**2, theirs, rtol=1e-12)


def _james(shares):
    """As defined in the paper: (1 + d + (1 - d) K) / 2."""
    arms = shares.shape[0]
    weights = 0.5 * (1 - np.eye(arms))
    unknown, named = shares[:, arms].sum(), shares[:, :arms]
    known = 1 - unknown
    observed = (weights * named).sum() / known
    expected = (weights * np.outer(named.sum(axis=1), named.sum(axis=0))).sum() / known**2
    return (1 + unknown + known * (observed - expected) / expected) / 2


@pytest.mark.parametrize("arms", [2, 3])
def test_james_by_its_definition_and_a_numerical_delta_method(arms):
    rng = np.random.default_rng(2)
    for _ in range(20):
        table = rng.integers(1, 40, (arms, arms + 1))
        total, shares = table.sum(), table / table.sum()
        found = james_index(table)
        assert found.index == pytest.approx(_james(shares), abs=1e-13)
        step, slopes = 1e-6, np.empty(shares.shape)
        for place in np.ndindex(*shares.shape):
            # along the simplex: all shares shrink as one grows
            one = np.zeros(shares.shape)
            one[place] = 1.0
            up, down = (shares + sign * step * (one - shares) for sign in (1, -1))
            slopes[place] = (_james(up) - _james(down)) / (2 * step)
        variance = ((shares * slopes**2).sum() - (shares * slopes).sum() ** 2) / total
        assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-7)


def test_symmetry_and_limits():
    table = np.array([[20, 12, 8], [9, 25, 6]])
    swapped = table[::-1][:, [1, 0, 2]]
    assert james_index(table).index == pytest.approx(james_index(swapped).index, abs=1e-15)
    assert bang_index(20, 12, 8).index == -bang_index(12, 20, 8).index
    assert james_index([[30, 0, 0], [0, 30, 0]]).index == 0.0
    assert james_index([[0, 30, 0], [30, 0, 0]]).index == 1.0
    assert james_index([[15, 15, 0], [15, 15, 0]]).index == 0.5
    nobody_knows = james_index([[0, 0, 30], [0, 0, 25]])
    assert (nobody_knows.index, nobody_knows.standard_error) == (1.0, 0.0)
    assert [bang_index(*counts).index for counts in ((10, 0, 0), (0, 10, 0), (5, 5, 0), (0, 0, 10))] == [1, -1, 0, 0]
    assert bang_index(10, 0).interval.upper == 1.0
    assert bang_index(9, 0, 1).interval.upper == 1.0
    assert bang_index(0, 9, 1).interval.lower == -1.0


def test_readings():
    assert bang_index(80, 20).reading == "more correct guesses than by chance"
    assert bang_index(20, 80).reading == "more wrong guesses than by chance"
    assert bang_index(50, 45, 5).reading == "no more correct or wrong guesses than by chance"
    assert bang_index(40, 40, arms=3).chance == pytest.approx(-1 / 3)
    assert bang_index(60, 60, arms=3).reading == "more correct guesses than by chance"
    assert 0 < bang_index(80, 20).one_sided_limit() < bang_index(80, 20).index
    assert bang_index(80, 20).one_sided_limit() > bang_index(80, 20).interval.lower
    assert james_index([[40, 5, 5], [5, 40, 5]]).reading == "blinding lost"
    assert james_index([[5, 5, 40], [5, 5, 40]]).reading == "blinding kept"
    assert james_index([[10, 10, 0], [10, 10, 0]]).reading == "blinding neither shown to be kept nor lost"
    assert "80 correct, 20 wrong, 0 don't know" in str(bang_index(80, 20))
    assert "blinding lost" in str(james_index([[40, 5, 5], [5, 40, 5]]))
    assert bang_index(80, 20).to_dict()["index"] == pytest.approx(0.6)
    assert james_index([[40, 5, 5], [5, 40, 5]]).to_dict()["dont_know"] == 10


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.3, 0.3, 0.4), (0.2, 0.6, 0.2)])
def test_coverage_of_bang(shares):
    counts = np.random.default_rng(3).multinomial(80, shares, 20_000)
    index, error = bang_indices(counts)
    truth = shares[0] - shares[1]
    covered = (np.abs(index - truth) <= 1.959963984540054 * error).mean()
    assert abs(covered - 0.95) < 0.012
    assert error.mean() == pytest.approx(index.std(), rel=0.03)


@pytest.mark.parametrize("shares", [((0.2, 0.1, 0.2), (0.15, 0.25, 0.1)), ((0.12, 0.13, 0.25), (0.13, 0.12, 0.25))])
def test_coverage_of_james(shares):
    """The paper's sampling: arms and answers together multinomial."""
    shares = np.array(shares)
    tables = np.random.default_rng(4).multinomial(160, shares.ravel(), 20_000).reshape(-1, 2, 3)
    index, error, failures = james_indices(tables)
    assert not failures
    covered = (np.abs(index - _james(shares)) <= 1.959963984540054 * error).mean()
    assert abs(covered - 0.95) < 0.012
    assert error.mean() == pytest.approx(index.std(), rel=0.03)


def test_many_trials_at_once():
    rng = np.random.default_rng(5)
    tables = rng.integers(0, 6, (100, 2, 3))
    tables[3, 1], tables[4], tables[5] = 0, [[4, 0, 1], [0, 0, 3]], [[0, 0, 2], [0, 0, 3]]
    index, error, failures = james_indices(tables)
    bang, bang_error = bang_indices(answers_of(tables))
    assert bang.shape == (100, 2)
    for trial, table in enumerate(tables):
        if (trial,) in failures:
            assert np.isnan(index[trial])
            assert np.isnan(error[trial])
            with pytest.raises(NotEstimable) as raised:
                james_index(table)
            assert str(raised.value) == failures[trial,]
        else:
            one = james_index(table)
            assert (one.index, one.standard_error) == pytest.approx((index[trial], error[trial]), abs=1e-14)
        for arm, answers in enumerate(answers_of(table)):
            if not answers.sum():
                assert np.isnan(bang[trial, arm])
            else:
                one = bang_index(*answers)
                assert (one.index, one.standard_error) == (bang[trial, arm], bang_error[trial, arm])
    assert {(3,), (4,)} <= failures.keys()
    assert index[5] == 1.0


def test_counting():
    arm = np.array([[0, 0, 0, 1, 1, 1, -1], [2, 1, 0, 0, 2, 2, 1]])
    guess = np.array([[0, 1, np.nan, 1, -1, np.nan, 1], [2, 0, 0, -1, 1, np.nan, 1.0]])
    table, missing = guess_table(arm[0], guess[0], 2)
    assert table.tolist() == [[1, 1, 0], [0, 1, 1]]
    assert missing.tolist() == [1, 1]
    assert with_missing(table, missing).tolist() == [[1, 1, 1], [0, 1, 2]]
    assert answers_of(table).tolist() == [[1, 1, 0], [1, 0, 1]]
    both, _ = guess_table(arm, guess, 3)
    np.testing.assert_array_equal(both[1], guess_table(arm[1], guess[1], 3)[0])
    assert answers_of(both[1]).tolist() == [[1, 0, 1], [1, 1, 0], [1, 1, 0]]


def test_answers_of_five_kinds_with_weights_of_one_s_own():
    """Two grades of certainty with the same weight are one answer."""
    two, one = bang_indices([[10, 20, 5, 5, 8]], (1, 1, -1, -1, 0)), bang_indices([[30, 10, 8]])
    np.testing.assert_allclose(two, one, rtol=1e-14)
    index, _ = bang_indices([10, 20, 5, 5, 8], (1, 0.5, -0.5, -1, 0))
    assert index == pytest.approx((10 + 10 - 2.5 - 5) / 48)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: bang_index(-1, 2), "answers"),
        (lambda: bang_index(1.5, 2), "answers"),
        (lambda: bang_index(1, 2, level=1.0), "level"),
        (lambda: bang_index(1, 2, arms=1), "arms"),
        (lambda: bang_index(1, 2).one_sided_limit(0), "level"),
        (lambda: bang_indices([[1, 2]]), "answers"),
        (lambda: bang_indices([[1, 2, 3]], (2, 0, 0)), "scores"),
        (lambda: james_index([[1, 2, 3]]), "table"),
        (lambda: james_index([[1, 2], [3, 4]]), "table"),
        (lambda: james_index([[1, 2, -3], [1, 2, 3]]), "table"),
        (lambda: guess_table([0, 1], [0], 2), "guess"),
        (lambda: guess_table([0, 1], [0, 2], 2), "guess"),
        (lambda: guess_table([0, 3], [0, 1], 2), "arm"),
        (lambda: guess_table([0, 1], [0, 0.5], 2), "guess"),
        (lambda: guess_table([0, 0], [0, 0], 1), "arms"),
    ],
)
def test_refusals(call, field):
    with pytest.raises(InputError, match=rf"^{field} is .*; expected "):
        call()


def test_nothing_to_count():
    with pytest.raises(NotEstimable, match="no guesses in this arm"):
        bang_index(0, 0, 0)
    with pytest.raises(NotEstimable, match="nobody was asked"):
        james_index([[1, 2, 3], [0, 0, 0]])
    with pytest.raises(NotEstimable, match="correct ones of one arm"):
        james_index([[5, 0, 0], [0, 0, 3]])
