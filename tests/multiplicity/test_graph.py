"""Graphs of tests: reference values, the closed test behind them, and the procedures that are graphs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.multiplicity import (
    Graph,
    PValueAdjustment,
    SimesGraph,
    bonferroni_graph,
    fixed_sequence_graph,
    holm_graph,
    parallel_gatekeeping_graph,
    procedure_named,
)
from equipoise.multiplicity.closure import closure_weights, weighted_bonferroni_p_values
from reference_values import reference_cases

CASES = [case for case in reference_cases("adaptive") if case["inputs"]["problem"] == "graphical_multiple_test"]
SUCCESSIVE = Graph((0.5, 0.5, 0, 0), ((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1, 0, 0), (1, 0, 0, 0)))


@st.composite
def graphs(draw, most=5):
    size = draw(st.integers(1, most))
    entry = st.one_of(st.just(0.0), st.floats(0.01, 1))
    weights = np.array(draw(st.lists(entry, min_size=size, max_size=size)))
    edges = np.array(draw(st.lists(st.lists(entry, min_size=size, max_size=size), min_size=size, max_size=size)))
    edges[np.diag_indices(size)] = 0.0
    full, rows = draw(st.booleans()), edges.sum(axis=1, keepdims=True)
    weights = weights / max(weights.sum(), 1e-9 if full else 1.0) if weights.any() else weights
    edges = np.divide(edges, rows if full else np.maximum(rows, 1.0), out=np.zeros_like(edges), where=rows > 0)
    return Graph(tuple(weights), tuple(map(tuple, edges)))


@st.composite
def graphs_and_p_values(draw):
    graph = draw(graphs())
    value = st.one_of(st.floats(0, 1), st.sampled_from((0.0, 0.001, 0.01, 0.02, 1.0)))
    return graph, draw(st.lists(value, min_size=graph.hypotheses, max_size=graph.hypotheses))


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_against_graphicalmcp(case):
    given_, expected = case["inputs"], case["expected"]
    graph = Graph(given_["hypotheses_weights"], given_["transitions"])
    decisions = graph.decide(given_["p_values"], given_["alpha"])
    np.testing.assert_allclose(decisions.adjusted_p_values, expected["adjusted_p_values"], rtol=0, atol=1e-15)
    assert list(decisions.rejected) == expected["rejected"]
    simes = SimesGraph(graph).decide(given_["p_values"], given_["alpha"])
    np.testing.assert_allclose(simes.adjusted_p_values, expected["adjusted_p_values_simes_closure"], rtol=0, atol=1e-15)
    assert list(simes.rejected) == expected["rejected_simes_closure"]


def test_graphs_after_each_rejection():
    """graphicalMCP 0.3.0, article "shortcut-testing": order, weights when tested and graphs that are left."""
    first, second, third = SUCCESSIVE.decide([0.018, 0.01, 0.105, 0.006], 0.025).steps
    assert [first.hypothesis, second.hypothesis, third.hypothesis] == ["H2", "H1", "H4"]
    assert [first.weight, second.weight, third.weight] == [0.5, 0.75, 0.5]
    assert (second.names, second.weights) == (("H3", "H4"), (0.5, 0.5))
    np.testing.assert_allclose(second.transitions, ((0, 1), (1, 0)), rtol=0, atol=1e-15)
    assert (third.names, third.weights, third.transitions) == (("H3",), (1.0,), ((0.0,),))
    weights, edges = SUCCESSIVE.left([1, 3])
    assert weights.tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(edges[[0, 2]], [[0, 0, 1, 0], [1, 0, 0, 0]], rtol=0, atol=1e-15)


@given(graphs_and_p_values())
def test_the_shortcut_is_the_closed_test_of_weighted_bonferroni_tests(drawn):
    graph, p_values = drawn
    members, weights = closure_weights(graph)
    tests = weighted_bonferroni_p_values(np.array(p_values), weights)
    closed = [tests[members[:, number]].max() for number in range(graph.hypotheses)]
    np.testing.assert_allclose(graph.adjusted(p_values), closed, rtol=1e-10, atol=1e-15)
    for alpha in (0.01, 0.025, 0.2):
        decisions = graph.decide(p_values, alpha)
        assert {step.hypothesis for step in decisions.steps} == {
            name for name, rejected in zip(decisions.names, decisions.rejected, strict=True) if rejected
        }


@given(graphs(most=4))
def test_the_order_of_rejections_does_not_matter(graph):
    """Of removals one by one, and so of the graph; transitions where a share can still go."""
    from equipoise.multiplicity.graph import without

    for gone in range(1, graph.hypotheses + 1):
        ends = []
        for order in permutations(range(graph.hypotheses), gone):
            if set(order) != set(range(gone)):
                continue
            weights, edges = np.array([graph.weights]), np.array([graph.transitions])
            for chosen in order:
                weights, edges = without(weights, edges, np.array([chosen]))
            ends.append((weights[0], edges[0]))
        for weights, edges in ends[1:]:
            np.testing.assert_allclose(weights, ends[0][0], atol=1e-9)
            np.testing.assert_allclose(edges, ends[0][1], atol=1e-7)
        np.testing.assert_allclose(graph.left(range(gone))[0], ends[0][0], atol=1e-9)


@given(graphs())
def test_shares_grow_with_every_rejection_and_never_exceed_alpha(graph):
    members, weights = closure_weights(graph)
    assert np.all(weights.sum(axis=1) <= 1 + 1e-9)
    sets = {tuple(row): weight for row, weight in zip(members, weights, strict=True)}
    for row, weight in sets.items():
        for number in np.flatnonzero(row):
            fewer = tuple(bool(one) and at != number for at, one in enumerate(row))
            if any(fewer):
                kept = np.array(fewer)
                assert np.all(sets[fewer][kept] >= weight[kept] - 1e-9)


def test_all_of_alpha_is_used_when_every_share_goes_somewhere():
    for graph in (SUCCESSIVE, holm_graph(4), holm_graph(3, (0.5, 0.3, 0.2))):
        _, weights = closure_weights(graph)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)


@given(graphs())
def test_weights_of_intersections_are_those_left_by_the_others(graph):
    members, weights = closure_weights(graph)
    assert len({tuple(row) for row in members}) == 2**graph.hypotheses - 1
    for row, weight in zip(members, weights, strict=True):
        np.testing.assert_allclose(graph.left(~row)[0], weight, atol=1e-12)


@given(graphs_and_p_values())
def test_simes_rejects_what_the_graph_rejects(drawn):
    graph, p_values = drawn
    assert np.all(SimesGraph(graph).adjusted(p_values) <= graph.adjusted(p_values) + 1e-12)


def test_many_trials_at_once():
    p_values = np.random.default_rng(3).uniform(size=(500, 4)) ** 3
    for procedure in (SUCCESSIVE, SimesGraph(SUCCESSIVE)):
        adjusted = procedure.adjusted(p_values.reshape(5, 100, 4)).reshape(500, 4)
        assert procedure.rejects(p_values, 0.025).shape == (500, 4)
        for row in (0, 17, 499):
            np.testing.assert_array_equal(adjusted[row], procedure.adjusted(p_values[row]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_procedures_that_are_graphs(p_values):
    size = len(p_values)
    for graph, method in (
        (bonferroni_graph(size), "bonferroni"),
        (holm_graph(size), "holm"),
        (fixed_sequence_graph(size), "fixed-sequence"),
    ):
        theirs = PValueAdjustment(method).adjusted(p_values)
        np.testing.assert_allclose(graph.adjusted(p_values), theirs, rtol=1e-12)


def test_weighted_holm_by_hand():
    """Smallest p / w first, then weights in proportion (Holm 1979): 0.02 / 0.5; 0.012 / (0.2 / 0.5); 0.045 / 1."""
    adjusted = holm_graph(3, (0.5, 0.3, 0.2)).adjusted([0.02, 0.045, 0.012])
    np.testing.assert_allclose(adjusted, [0.04, 0.045, 0.04], rtol=1e-12)


def test_parallel_gatekeeping_opens_with_the_first_primary_rejection():
    graph = parallel_gatekeeping_graph(["a", "b"], ["c", "d"])
    assert graph.weights == (0.5, 0.5, 0, 0)
    weights, _ = graph.left([0])
    assert weights.tolist() == [0, 0.5, 0.25, 0.25]
    assert graph.left([0, 2])[0].tolist() == [0, 0.5, 0, 0.5]
    assert not any(graph.decide([0.02, 0.03, 1e-9, 1e-9], 0.025).rejected)
    assert graph.decide([0.01, 0.03, 0.006, 0.012], 0.025).rejected == (True, False, True, True)
    one = parallel_gatekeeping_graph(1, 1)
    assert one.left([0])[0].tolist() == [0, 1]


def test_names_from_a_protocol():
    names = ("caps", "madrs")
    for name in ("fixed-sequence", "bonferroni", "holm", "fallback"):
        procedure = procedure_named(name, names)
        assert isinstance(procedure, Graph)
        assert procedure.names == names
    assert procedure_named("holm", 2, (0.8, 0.2)) == holm_graph(2, (0.8, 0.2))
    assert procedure_named("hochberg", 3) == PValueAdjustment("hochberg")
    assert procedure_named("hommel", names) == PValueAdjustment("hommel")
    graph = procedure_named("graphical", names, (1, 0), ((0, 1), (0, 0)))
    np.testing.assert_array_equal(graph.adjusted([0.01, 0.02]), fixed_sequence_graph(2).adjusted([0.01, 0.02]))


def test_what_is_shown():
    assert str(holm_graph(["a", "b"])).splitlines() == [
        "Holm",
        "hypothesis  weight  to a  to b",
        "         a     0.5     -     1",
        "         b     0.5     1     -",
    ]
    decisions = holm_graph(["a", "b"]).decide([0.01, 0.02], 0.025)
    assert str(decisions).splitlines()[-1] == "Rejected in turn: a, b"
    assert str(decisions.steps[0]).splitlines()[0] == "a rejected with 0.5 of alpha; left:"
    assert str(decisions.steps[1]).splitlines()[-1] == "nothing"
    assert decisions.to_dict()["steps"][0] == {
        "rejected": "a",
        "weight": 0.5,
        "left": {"hypotheses": ["b"], "weights": [1.0], "transitions": [[0.0]]},
    }
    renamed = holm_graph(2).decide([0.01, 0.02], 0.025, ["x", "y"])
    assert [step.hypothesis for step in renamed.steps] == ["x", "y"]
    assert holm_graph(2).to_dict()["transitions"] == [[0.0, 1.0], [1.0, 0.0]]
    assert "Simes" in str(SimesGraph(holm_graph(2)))


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: Graph((0.6, 0.6), ((0, 1), (1, 0))), "weights"),
        (lambda: Graph((-0.1, 0.6), ((0, 1), (1, 0))), "weights"),
        (lambda: Graph((), ()), "weights"),
        (lambda: Graph((0.5, float("nan")), ((0, 1), (1, 0))), "weights"),
        (lambda: Graph((0.5, 0.5), ((0.1, 0.9), (1, 0))), "transitions"),
        (lambda: Graph((0.5, 0.5), ((0, 1.2), (1, 0))), "transitions"),
        (lambda: Graph((0.5, 0.5), ((0, -0.1), (1, 0))), "transitions"),
        (lambda: Graph((0.5, 0.5), ((0, 1),)), "transitions"),
        (lambda: Graph((0.5, 0.5), ((0, 1), (1, 0)), ("a", "a")), "names"),
        (lambda: holm_graph(2).decide([0.1, 0.2, 0.3], 0.05), "p_values"),
        (lambda: SimesGraph(holm_graph(13)), "graph"),
        (lambda: SimesGraph("holm"), "graph"),
        (lambda: holm_graph(0), "hypotheses"),
        (lambda: holm_graph(2, (0.5, 0.4, 0.1)), "weights"),
        (lambda: parallel_gatekeeping_graph(["a"], 2), "secondary"),
        (lambda: procedure_named("tukey", 2), "procedure"),
        (lambda: procedure_named("graphical", 2, (0.5, 0.5)), "weights"),
        (lambda: procedure_named("holm", 2, (0.5,)), "weights"),
        (lambda: procedure_named("hochberg", 2, (0.5, 0.5)), "weights"),
        (lambda: procedure_named("holm", 2, (), ((0, 1), (1, 0))), "transitions"),
    ],
)
def test_refusals(call, field):
    with pytest.raises(InputError, match=rf"^{field} is .*; expected "):
        call()
