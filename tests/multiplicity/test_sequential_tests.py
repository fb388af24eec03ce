"""Several hypotheses at several looks: published examples, the closed test behind them, error rates, refusals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from equipoise.errors import InputError
from equipoise.multiplicity import (
    Graph,
    PValueAdjustment,
    SimesGraph,
    fallback_graph,
    fixed_sequence_graph,
    holm_graph,
)
from equipoise.multiplicity.level_bounds import LevelBounds, spending_of
from equipoise.sequential import (
    FixedBounds,
    GroupSequential,
    HaybittlePeto,
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFlemingSpending,
    Pocock,
    PocockSpending,
    PowerSpending,
    UserSpending,
)
from monitoring_reference import GSDESIGN, SPENDING
from published_graphs import CASES

NONE = math.nan
TIMES = (0.4, 0.7, 1.0)
OWN = np.array([[0.4, 0.5, NONE, 1.0], [0.7, 1.0, 0.5, NONE], [1.0, NONE, 1.0, NONE]])
SUCCESSIVE = Graph((0.5, 0.5, 0, 0), ((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1, 0, 0), (1, 0, 0, 0)))
MIXED = [OBrienFlemingSpending(), PocockSpending(), HwangShihDeCaniSpending(-4), PowerSpending(2)]


def named(procedure):
    """Its name, for the list of tests."""
    return procedure.name


def spending_of_case(case, size):
    pocock = case.get("pocock", ())
    return [PocockSpending() if number in pocock else OBrienFlemingSpending() for number in range(size)]


def paths(trials, drifts, correlation, information=TIMES, seed=1):
    """z of endpoints that share a factor, (trials, looks, hypotheses), NaN where a hypothesis has no look.

    Each is a Brownian motion with drift at its own information, (looks, hypotheses) or (looks,), over its root.
    """
    rng, size = np.random.default_rng(seed), len(drifts)
    own = np.array(information, dtype=float)
    own = np.repeat(own[:, None], size, axis=1) if own.ndim == 1 else own
    times = np.unique(own[~np.isnan(own)])
    steps = np.sqrt(np.diff(times, prepend=0.0))
    motions = np.cumsum(rng.standard_normal((trials, size + 1, times.size)) * steps, axis=2)
    scores = math.sqrt(correlation) * motions[:, :1] + math.sqrt(1 - correlation) * motions[:, 1:]
    at = np.searchsorted(times, np.where(np.isnan(own), times[0], own))
    z = scores[:, np.arange(size), at] / np.sqrt(own) + np.array(drifts) * np.sqrt(own)
    assert z.shape == (trials, *own.shape)
    return z


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_published_examples(case):
    graph = Graph(*case["graph"])
    z = -ndtri(np.array(case["p"]))
    tests = graph.sequential(
        z,
        case["information"],
        0.025,
        spending_of_case(case, graph.hypotheses),
        statistics=case["statistics"],
    )
    # as theirs, those of a rejected hypothesis at the look that rejects it
    decided = np.where(tests.rejected, tests.rejected_at, tests.looks) - 1
    adjusted = tests.adjusted_p_values[decided, np.arange(graph.hypotheses)]
    np.testing.assert_allclose(adjusted, case["adjusted"], rtol=0, atol=1e-5)
    assert tests.rejected_at.tolist() == case["rejected_at"]
    assert [step.hypothesis for step in tests.steps] == case["turn"]
    for name, digits in (("repeated", 5.1e-5), ("sequential", 1e-5)):
        if name in case:
            ours = getattr(tests, f"{name}_p_values")
            np.testing.assert_allclose(ours, case[name], rtol=0, atol=digits)
    for (look, number), theirs in case.get("p_at_bound", {}).items():
        assert ndtr(-tests.bounds[look - 1, number - 1]) == pytest.approx(theirs, abs=1e-6)


def test_shares_of_maurer_and_bretz():
    case = CASES[0]
    tests = Graph(*case["graph"]).sequential(
        -ndtri(np.array(case["p"])), case["information"], 0.025, OBrienFlemingSpending()
    )
    np.testing.assert_allclose(tests.weights, [[0.5, 0.5, 0, 0], [0.5, 0.75, 0.5, 1]], atol=1e-12)
    np.testing.assert_allclose(ndtr(-tests.bounds[1]), [0.002214902, 0.003976335, 0.002214902, 0.0060121995], atol=1e-7)
    np.testing.assert_allclose(ndtr(-tests.bounds[0]), [1.517362e-05, 1.517362e-05, 0, 0], atol=1e-10)


@pytest.mark.parametrize("case", GSDESIGN, ids=[case["id"] for case in GSDESIGN])
def test_sequential_p_values_of_gsdesign(case):
    given, design = case["inputs"], case["inputs"]["design"]
    times = design["information_rates"][: len(given["z_path"])]
    spending = SPENDING[design["efficacy"]["type"]](design["efficacy"])
    z = np.array(given["z_path"])[:, None]
    tests = Graph((1,), ((0,),)).sequential(z, times, 0.025, spending)
    assert tests.sequential_p_values[-1, 0] == pytest.approx(case["expected"]["sequential_p_value"], abs=1e-5)
    np.testing.assert_array_equal(tests.adjusted_p_values, tests.sequential_p_values)


@pytest.mark.parametrize(
    "design",
    [
        GroupSequential(TIMES, 0.025, 1, OBrienFlemingSpending()),
        GroupSequential(TIMES, 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1),
        GroupSequential(TIMES, 0.05, 2, PocockSpending()),
        GroupSequential(TIMES, 0.025, 1, Pocock()),
        GroupSequential(TIMES, 0.025, 1, HaybittlePeto(3.0)),
        GroupSequential(TIMES, 0.025, 1, FixedBounds((3.0, 2.8, 2.2))),
        GroupSequential(TIMES, 0.025, 1, UserSpending((0.1, 0.4, 1.0))),
        GroupSequential(TIMES, 0.025, 1, NoEarlyStopping()),
    ],
    ids=lambda design: design.efficacy.name,
)
def test_bounds_of_a_hypothesis_with_all_of_alpha_are_its_design_s(design):
    bounds = LevelBounds(spending_of(design), TIMES, True)
    # a two-sided design leaves out those below its lower bound, too few to move the upper one
    digits = 1e-9 if design.sided == 1 else 1e-5
    np.testing.assert_allclose(bounds.at(design.level), design.efficacy_bounds, atol=digits)
    if isinstance(design.efficacy, OBrienFlemingSpending | PocockSpending | UserSpending) and design.sided == 1:
        seen, whole = (
            LevelBounds(spending_of(design), (0.3, 0.75), False),
            LevelBounds(spending_of(design), (0.3, 0.75), True),
        )
        np.testing.assert_allclose(seen.at(0.025), design.bounds_at((0.3, 0.75), False).efficacy, atol=1e-12)
        np.testing.assert_allclose(whole.at(0.025), design.bounds_at((0.3, 0.75), True).efficacy, atol=1e-12)
        half = GroupSequential(TIMES, 0.01, 1, design.efficacy)
        np.testing.assert_allclose(bounds.at(0.01), half.efficacy_bounds, atol=1e-12)


def test_repeated_p_values_are_those_of_a_design_s_conclusion():
    from equipoise import Estimate

    design = GroupSequential(TIMES, 0.025, 1, OBrienFlemingSpending())
    z = (0.9, 2.0, 2.4)
    tests = holm_graph(1).sequential(np.array(z)[:, None], TIMES, 0.025, design)
    for look in range(1, 4):
        theirs = design.conclude(Estimate(z[look - 1], 1.0), look=look).repeated_p_value
        assert tests.repeated_p_values[look - 1, 0] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("statistics", ["current", "latest", "all"])
@pytest.mark.parametrize("graph", [SUCCESSIVE, holm_graph(4), fallback_graph(4), fixed_sequence_graph(4)], ids=named)
def test_one_look_is_the_graph_itself(graph, statistics):
    rng = np.random.default_rng(2)
    for _ in range(20):
        z = rng.normal(2.0, 1.0, 4)
        tests = graph.sequential(z[None], (1.0,), 0.025, MIXED, statistics=statistics)
        plain = graph.decide(ndtr(-z), 0.025)
        np.testing.assert_allclose(tests.adjusted_p_values[0], plain.adjusted_p_values, rtol=1e-11)
        assert tests.rejected.tolist() == list(plain.rejected)
        assert [step.hypothesis for step in tests.steps] == [step.hypothesis for step in plain.steps]


def test_all_statistics_are_the_procedure_applied_to_sequential_p_values():
    """Liu & Anderson 2008: decisions by bounds at growing levels, and by one p-value a hypothesis, look by look."""
    for drifts, seed in (((0.0, 2.0, 2.5, 1.0), 3), ((3.0, 2.0, 3.0, 2.5), 4)):
        z = paths(25, drifts, 0.5, seed=seed)
        for procedure in (SUCCESSIVE, holm_graph(4, (0.4, 0.3, 0.2, 0.1)), PValueAdjustment("hochberg")):
            for trial in z:
                tests = procedure.sequential(trial, TIMES, 0.025, MIXED, statistics="all")
                for look in range(3):
                    plain = procedure.adjusted(tests.sequential_p_values[look])
                    np.testing.assert_allclose(tests.adjusted_p_values[look], plain, rtol=1e-10)
                    np.testing.assert_array_equal(tests.rejected_by(look + 1), plain <= 0.025)


@pytest.mark.parametrize("procedure", [SUCCESSIVE, PValueAdjustment("holm"), PValueAdjustment("hommel")], ids=named)
@pytest.mark.parametrize("statistics", ["current", "latest", "all"])
def test_adjusted_p_values_are_the_smallest_level_of_rejection(procedure, statistics):
    for z in paths(6, (2.0, 2.5, 2.5, 2.0), 0.5, OWN, seed=8):
        adjusted = procedure.sequential(z, OWN, 0.025, MIXED, statistics=statistics).adjusted_p_values
        assert np.all(np.diff(adjusted, axis=0) <= 0)
        for value in np.unique(adjusted[adjusted < 0.4]):
            above, below = (
                procedure.sequential(z, OWN, value * factor, MIXED, statistics=statistics)
                for factor in (1 + 1e-9, 1 - 1e-9)
            )
            for look in range(3):
                np.testing.assert_array_equal(above.rejected_by(look + 1), adjusted[look] <= value)
                np.testing.assert_array_equal(below.rejected_by(look + 1), adjusted[look] < value)


def test_holm_and_the_fixed_sequence_as_graphs_and_by_their_p_values():
    z = paths(300, (2.0, 3.0, 2.5, 0.0), 0.4, seed=6)
    for graph, method in ((holm_graph(4), "holm"), (fixed_sequence_graph(4), "fixed-sequence")):
        for statistics in ("current", "latest", "all"):
            np.testing.assert_array_equal(
                graph.rejection_looks(z, TIMES, 0.025, MIXED, statistics=statistics),
                PValueAdjustment(method).rejection_looks(z, TIMES, 0.025, MIXED, statistics=statistics),
            )


@pytest.mark.parametrize("procedure", [SUCCESSIVE, PValueAdjustment("hochberg"), holm_graph(4)], ids=named)
def test_many_trials_as_one_by_one(procedure):
    rng = np.random.default_rng(9)
    z = paths(60, (2.5, 2.5, 2.0, 3.0), 0.5, OWN, seed=5)
    z[rng.uniform(size=z.shape) < 0.1] = np.nan
    several = np.stack([OWN * factor for factor in rng.choice([1.0, 0.9, 0.8], 60)])
    for statistics in ("current", "latest", "all"):
        for information in (OWN, several):
            found = procedure.rejection_looks(z, information, 0.025, MIXED, final=True, statistics=statistics)
            for trial in range(60):
                fractions = information if information.ndim == 2 else information[trial]
                one = procedure.sequential(z[trial], fractions, 0.025, MIXED, final=True, statistics=statistics)
                np.testing.assert_array_equal(found[trial], one.rejected_at)


def test_each_choice_of_statistics_rejects_what_the_stricter_one_does():
    z = paths(4000, (2.0, 2.5, 2.0, 3.0), 0.3, OWN, seed=12)
    for procedure in (SUCCESSIVE, PValueAdjustment("hommel")):
        current, latest, everything = (
            procedure.rejection_looks(z, OWN, 0.025, MIXED, statistics=statistics)
            for statistics in ("current", "latest", "all")
        )
        for stricter, milder in ((current, latest), (latest, everything)):
            assert np.all((milder > 0) | (stricter == 0))
            assert np.all(milder[stricter > 0] <= stricter[stricter > 0])
        assert (everything > 0).sum() > (latest > 0).sum() > (current > 0).sum()


@pytest.mark.parametrize("statistics", ["current", "latest", "all"])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("drifts", [(0, 0, 0, 0), (3.5, 0, 0, 0), (3.5, 3, 0, 0), (0, 4, 4, 0)], ids=str)
def test_familywise_error(statistics, correlation, drifts):
    """Rejections of true hypotheses among correlated endpoints that end at different looks, some with an effect."""
    trials, alpha = 40_000, 0.05
    z = paths(trials, drifts, correlation, OWN, seed=21)
    null = np.array(drifts) == 0
    for procedure in (SUCCESSIVE, holm_graph(4), PValueAdjustment("hochberg")):
        looks = procedure.rejection_looks(z, OWN, alpha, MIXED, statistics=statistics)
        rate = (looks[:, null] > 0).any(axis=1).mean()
        assert rate <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / trials)
        if correlation == 0 and not any(drifts):
            assert rate >= 0.9 * alpha


def test_two_sided_trials_claim_each_side_at_half_the_level():
    z = paths(50, (2.0, 2.5, -3.0, 3.0), 0.3, seed=14)
    one = SUCCESSIVE.rejection_looks(z, TIMES, 0.025, MIXED)
    np.testing.assert_array_equal(SUCCESSIVE.rejection_looks(z, TIMES, 0.05, MIXED, sided=2), one)
    tests, half = (
        SUCCESSIVE.sequential(z[0], TIMES, 0.05, MIXED, sided=2),
        SUCCESSIVE.sequential(z[0], TIMES, 0.025, MIXED),
    )
    np.testing.assert_array_equal(tests.bounds, half.bounds)
    np.testing.assert_allclose(tests.repeated_p_values, np.minimum(1.0, 2 * half.repeated_p_values))
    assert not one[:, 2].any()


def test_what_is_left_is_spent_at_the_last_look():
    """A trial that ends before its planned information; at the same z nothing else changes."""
    z = np.array([[1.0, 1.0], [2.1, 2.05]])
    ends, goes_on = (
        holm_graph(2).sequential(z, (0.4, 0.8), 0.05, OBrienFlemingSpending(), final=end) for end in (True, None)
    )
    assert np.all(ends.bounds[1] < goes_on.bounds[1])
    assert ends.bounds[0, 0] == goes_on.bounds[0, 0]
    assert np.all(ends.repeated_p_values[1] < goes_on.repeated_p_values[1])
    one = holm_graph(2).sequential(z, (0.4, 0.8), 0.05, OBrienFlemingSpending(), final=[True, False])
    assert one.repeated_p_values[1].tolist() == [ends.repeated_p_values[1, 0], goes_on.repeated_p_values[1, 1]]


def test_a_look_that_could_not_be_analysed_has_been_spent_for():
    z = np.array([[NONE], [2.2], [2.3]])
    tests = holm_graph(1).sequential(z, TIMES, 0.025, PocockSpending())
    np.testing.assert_array_equal(tests.bounds[:, 0], LevelBounds(PocockSpending(), TIMES, True).at(0.025))
    assert np.isnan(tests.repeated_p_values[0, 0])
    fewer = holm_graph(1).sequential(z[1:], TIMES[1:], 0.025, PocockSpending())
    assert fewer.bounds[-1, 0] < tests.bounds[-1, 0]


@dataclass(frozen=True)
class Wandering:
    """Early at small levels, late at large ones: its first bound rises with the level."""

    name: str = "wandering"

    def spent(self, fraction, level):
        """More than level^2 only at small levels."""
        early = min(level, 1e-3) * (1.0 if level <= 1e-3 else 1e-3)
        return np.where(np.asarray(fraction) >= 1, level, early)

    def planned_at(self, information):
        """Itself."""
        return self


class Changing(PowerSpending):
    """A spending function that somebody may change on the way."""

    __hash__ = None  # type: ignore[assignment]


def test_extremes():
    tests = holm_graph(2).sequential(
        np.array([[60.0, -60.0], [-60.0, 60.0]]), (0.5, 1.0), 0.025, OBrienFlemingSpending()
    )
    assert tests.rejected_at.tolist() == [1, 2]
    assert 0 < tests.repeated_p_values[0, 0] < 1e-100
    assert tests.repeated_p_values[0, 1] == 1.0
    assert tests.sequential_p_values[1, 0] == tests.repeated_p_values[0, 0]
    assert tests.repeated_p_values[1, 1] == 1e-300
    never = holm_graph(2).sequential(np.full((2, 2), NONE), (0.5, 1.0), 0.025, OBrienFlemingSpending())
    assert not never.rejected.any()
    assert np.all(never.adjusted_p_values == 1)
    absent = np.array([[0.5, NONE], [1.0, NONE]])
    part = holm_graph(2).sequential(np.where(np.isnan(absent), NONE, 3.0), absent, 0.025, OBrienFlemingSpending())
    assert part.rejected_at.tolist() == [2, 0]


def test_what_is_shown():
    case = CASES[0]
    tests = Graph(*case["graph"], names=("low", "high", "low 2", "high 2")).sequential(
        -ndtri(np.array(case["p"])), case["information"], 0.025, OBrienFlemingSpending()
    )
    lines = str(tests).splitlines()
    assert lines[0] == "graphical procedure at 2 looks, one-sided alpha 0.025"
    assert " ".join(lines[1].split()) == (
        "look hypothesis information z weight bound repeated p sequential p adjusted p rejected"
    )
    assert " ".join(lines[6].split()) == "2 low 0.667 3.540 0.5 2.846 0.00239 0.00239 0.00479 yes"
    assert lines[-1] == "Rejected in turn: low (look 2), high (look 2), low 2 (look 2)"
    plain = tests.to_dict()
    assert plain["hypotheses"][3] == {"hypothesis": "high 2", "rejected_at_look": None}
    assert plain["looks"][2]["bound"] is None
    assert plain["steps"][0]["look"] == 2
    assert tests.to_frame().shape == (8, 10)
    assert tests.rejected_by(1).sum() == 0
    hochberg = PValueAdjustment("hochberg").sequential(tests.z, tests.information, 0.05, PocockSpending(), sided=2)
    assert "weight" not in hochberg.to_dict()
    assert hochberg.to_dict()["looks"][0]["weight"] is None
    assert str(hochberg).splitlines()[0] == "Hochberg at 2 looks, two-sided alpha 0.05"
    renamed = holm_graph(2).sequential(np.array([[3.0, 3.0]]), (1.0,), 0.025, NoEarlyStopping(), names=("a", "b"))
    assert [step.hypothesis for step in renamed.steps] == ["a", "b"]


Z = np.array([[1.0, 1.0], [2.0, 2.0]])
HOLM, OBF = holm_graph(2), OBrienFlemingSpending()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: HOLM.sequential(Z[0], (0.5, 1), 0.025, OBF), "z"),
        (lambda: HOLM.sequential(Z, (0.5, 1, 1), 0.025, OBF), "information"),
        (lambda: HOLM.sequential(Z, (0.5, 0.4), 0.025, OBF), "information of hypothesis 1"),
        (lambda: HOLM.sequential(Z, (0.0, 0.4), 0.025, OBF), "information of hypothesis 1"),
        (lambda: HOLM.sequential(Z, [[0.5, 1], [1, 1.2]], 0.025, OBF), "information of hypothesis 2"),
        (lambda: HOLM.sequential(Z, (0.5, 75), 0.025, OBF), "information of hypothesis 1"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, Changing()), "spending"),
        (lambda: HOLM.sequential(Z, [[0.5, NONE], [1, 1]], 0.025, OBF), "z"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.0, OBF), "alpha"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, "obrien-fleming"), "spending"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, OBrienFlemingSpending), "spending"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, [OBF]), "spending"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, Pocock()), "spending"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, UserSpending((0.5, 1.0))), "spending"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, Wandering()), "spending"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, OBF, sided=3), "sided"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, OBF, final="yes"), "final"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, OBF, final=[True]), "final"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, OBF, final=1), "final"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, OBF, statistics="any"), "statistics"),
        (lambda: HOLM.sequential(Z, (0.5, 1), 0.025, OBF, names=("a",)), "names"),
        (lambda: holm_graph(3).rejection_looks(Z[None], (0.5, 1), 0.025, OBF), "hypotheses"),
        (lambda: SimesGraph(HOLM).sequential(Z, (0.5, 1), 0.025, OBF), "procedure"),
        (lambda: PValueAdjustment("benjamini-hochberg").sequential(Z, (0.5, 1), 0.025, OBF), "procedure"),
    ],
)
def test_refusals(call, field):
    with pytest.raises(InputError, match=rf"^{field} is .*; expected "):
        call()
