"""Adjusted p-values: against R and SciPy, against the definitions of the procedures, and what they refuse."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from equipoise.errors import InputError
from equipoise.multiplicity import METHODS, PValueAdjustment, SimesGraph, adjust_p_values, holm_graph
from equipoise.multiplicity.closure import weighted_simes_p_values
from reference_values import reference_cases

CASES = [case for case in reference_cases("adaptive") if case["inputs"]["problem"] == "p_value_adjustment"]
FAMILIES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from((0.0, 0.01, 0.02, 0.5, 1.0))), min_size=1, max_size=7)
RANDOM = np.random.default_rng(5).uniform(size=(300, 6)) ** 2


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_against_r(case):
    for method, theirs in case["expected"].items():
        ours = adjust_p_values(case["inputs"]["p_values"], method.replace("_", "-"))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-15)


def test_false_discovery_rates_against_scipy():
    np.testing.assert_allclose(
        adjust_p_values(RANDOM, "benjamini-hochberg"), false_discovery_control(RANDOM, axis=1), atol=1e-15
    )
    theirs = false_discovery_control(RANDOM, axis=1, method="by")
    np.testing.assert_allclose(adjust_p_values(RANDOM, "benjamini-yekutieli"), theirs, atol=1e-15)


@given(FAMILIES)
def test_holm_and_hochberg_by_their_steps(family):
    """Down from the smallest, or up from the largest, until a p-value is above (is at most) its share of alpha."""
    size, rising = len(family), sorted(family)
    for alpha in (0.01, 0.025, 0.05, 0.2, 0.7):
        down = next((k for k, p in enumerate(rising) if p * (size - k) > alpha * (1 + 1e-12)), size)
        up = next((k for k in range(size, 0, -1) if rising[k - 1] * (size - k + 1) <= alpha * (1 + 1e-12)), 0)
        assert PValueAdjustment("holm").rejects(family, alpha).sum() == down
        assert PValueAdjustment("hochberg").rejects(family, alpha).sum() == up


@given(FAMILIES)
def test_hommel_is_the_closed_test_of_simes_tests(family):
    """By definition (Hommel 1988): of all subsets that hold a hypothesis the largest Simes p-value."""
    size, p_values = len(family), np.array(family)
    members = (np.arange(1, 1 << size)[:, None] >> np.arange(size)) % 2 == 1
    tests = weighted_simes_p_values(p_values, members / members.sum(axis=1, keepdims=True))
    closed = [tests[members[:, number]].max() for number in range(size)]
    np.testing.assert_allclose(adjust_p_values(family, "hommel"), closed, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(SimesGraph(holm_graph(size)).adjusted(family), closed, rtol=1e-12, atol=1e-15)


@given(FAMILIES)
def test_order_of_strictness(family):
    found = {method: adjust_p_values(family, method) for method in METHODS}
    chain = ("bonferroni", "holm", "hochberg", "hommel")
    for stricter, milder in pairwise(chain):
        assert np.all(found[milder] <= found[stricter] * (1 + 1e-12))
    assert np.all(found["benjamini-hochberg"] <= found["hommel"] * (1 + 1e-12))
    assert np.all(found["benjamini-hochberg"] <= found["benjamini-yekutieli"])
    for adjusted in found.values():
        assert np.all((adjusted >= np.array(family) * (1 - 1e-12)) & (adjusted <= 1))


@pytest.mark.parametrize("method", METHODS)
def test_families_side_by_side_and_in_any_order(method):
    whole = adjust_p_values(RANDOM.reshape(3, 100, 6), method)
    assert whole.shape == (3, 100, 6)
    np.testing.assert_array_equal(whole.reshape(300, 6)[17], adjust_p_values(RANDOM[17], method))
    if method != "fixed-sequence":
        shuffled = np.array([3, 0, 5, 1, 2, 4])
        np.testing.assert_allclose(
            adjust_p_values(RANDOM[:, shuffled], method), whole.reshape(300, 6)[:, shuffled], rtol=1e-14
        )
    assert adjust_p_values([0.3], method).tolist() == [0.3]


def test_fixed_sequence_stops_at_the_first_that_fails():
    decisions = PValueAdjustment("fixed-sequence").decide([0.01, 0.03, 0.02], 0.025, ["first", "second", "third"])
    assert decisions.adjusted_p_values == (0.01, 0.03, 0.03)
    assert decisions.rejected == (True, False, False)
    assert decisions.names == ("first", "second", "third")


@pytest.mark.parametrize("method", ["bonferroni", "holm", "hochberg", "hommel"])
def test_error_rates_under_a_common_factor(method):
    """All hypotheses true, their z equally correlated at 0 and 0.6."""
    from scipy.special import ndtr

    rng = np.random.default_rng(11)
    for share in (0.0, 0.6):
        common = rng.standard_normal((40_000, 1)) * np.sqrt(share)
        z = common + rng.standard_normal((40_000, 5)) * np.sqrt(1 - share)
        rate = PValueAdjustment(method).rejects(ndtr(-z), 0.05).any(axis=1).mean()
        assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40_000)
        if not share:
            assert rate >= 0.04


def test_what_is_shown():
    decisions = PValueAdjustment("benjamini-hochberg").decide([0.01, 0.04], 0.05)
    assert PValueAdjustment("benjamini-hochberg").controls == "false discovery rate"
    assert PValueAdjustment("hommel").controls == "familywise error rate"
    assert str(decisions).splitlines() == [
        "Benjamini-Hochberg, alpha 0.05",
        "hypothesis        p  adjusted p  rejected",
        "        H1  0.01000     0.02000       yes",
        "        H2  0.04000     0.04000       yes",
    ]
    assert decisions.to_dict()["hypotheses"][0] == {
        "hypothesis": "H1",
        "p_value": 0.01,
        "adjusted_p_value": 0.02,
        "rejected": True,
    }
    assert decisions.to_frame()["adjusted_p_value"].to_list() == [0.02, 0.04]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: adjust_p_values([0.1, 1.2], "holm"), "p_values"),
        (lambda: adjust_p_values([0.1, float("nan")], "holm"), "p_values"),
        (lambda: adjust_p_values([], "holm"), "p_values"),
        (lambda: adjust_p_values(0.1, "holm"), "p_values"),
        (lambda: adjust_p_values(["a"], "holm"), "p_values"),
        (lambda: adjust_p_values([0.1], "tukey"), "method"),
        (lambda: PValueAdjustment("none"), "method"),
        (lambda: PValueAdjustment("holm").decide([0.1], 0.0), "alpha"),
        (lambda: PValueAdjustment("holm").decide([0.1], True), "alpha"),
        (lambda: PValueAdjustment("holm").decide([[0.1]], 0.05), "p_values"),
        (lambda: PValueAdjustment("holm").decide([0.1, 0.2], 0.05, ["a"]), "names"),
        (lambda: PValueAdjustment("holm").decide([0.1, 0.2], 0.05, ["a", "a"]), "names"),
        (lambda: PValueAdjustment("holm").decide([0.1, 0.2], 0.05, "ab"), "names"),
    ],
)
def test_refusals(call, field):
    with pytest.raises(InputError, match=rf"^{field} is .*; expected "):
        call()
