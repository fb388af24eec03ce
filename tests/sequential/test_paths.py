"""The rule on many trials at once agrees with the rule on one."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from equipoise.sequential import decide
from equipoise.sequential.paths import decide_paths

DESIGNS = [
    eq.GroupSequential((0.3, 0.6, 1.0), 0.025, 1, futility=eq.PowerSpending(2), beta=0.1),
    eq.GroupSequential((0.3, 0.6, 1.0), 0.05, 2, eq.Pocock()),
    eq.GroupSequential((0.3, 0.6, 1.0), 0.05, 2, eq.PocockSpending(), eq.PocockSpending(), 0.2),
    eq.GroupSequential((0.3, 0.6, 1.0), 0.05, 1, eq.NoEarlyStopping()),
]


def one_by_one(design, path):
    for look, z in enumerate(path, 1):
        if np.isnan(z):
            continue
        decision = design.decide(z, look)
        if decision.stops:
            return look, decision
    return len(path), eq.Decision.NOT_REJECTED


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: f"{design.sided} {design.efficacy.name}")
def test_as_one_by_one(design):
    rng = np.random.default_rng(3)
    paths = rng.normal(0.8, 1.5, (400, 3))
    paths[rng.random(paths.shape) < 0.1] = np.nan
    paths[0, 0] = design.efficacy_bounds[0]
    found = design.decisions(paths)
    for path, look, code in zip(paths, found.look, found.code, strict=True):
        assert (look, found.decisions[code]) == one_by_one(design, path)
    rejected = [one_by_one(design, path)[1].rejects for path in paths]
    np.testing.assert_array_equal(found.rejects, rejected)


def test_rejections_of_many_paths_are_alpha_and_power():
    design, size = DESIGNS[0], 400_000
    steps = np.random.default_rng(8).normal(size=(size, 3)) * np.sqrt(np.diff((0, 0.3, 0.6, 1.0)))
    for drift in (0.0, design.drift):
        z = (np.cumsum(steps, axis=1) + drift * np.array(design.information)) / np.sqrt(design.information)
        found = design.decisions(z)
        exits = design.exit_probabilities(drift)
        for look in (1, 2, 3):
            share = np.mean(found.rejects & (found.look == look))
            assert share == pytest.approx(exits.upper[look - 1], abs=4 * np.sqrt(0.25 / size))
        assert np.mean(found.of(eq.Decision.FUTILITY)) == pytest.approx(exits.futility[:2].sum(), abs=4e-3)


def test_refusal():
    with pytest.raises(eq.InputError, match="column for each look"):
        DESIGNS[0].decisions(np.zeros((5, 2)))


def test_following_a_trial():
    """Repeated intervals and p-values at every look; a non-binding bound may be overruled."""
    design = DESIGNS[0]
    looks = [eq.Estimate(value, error) for value, error in ((-2.0, 1.0), (1.6, 0.75), (1.9, 0.6))]
    followed = design.follow(looks)
    assert [str(found.decision) for found in followed] == ["stop for futility", "continue", "stop for efficacy"]
    assert followed[-1].path == tuple(estimate.z for estimate in looks)
    for found in followed:
        assert found.repeated_interval.lower <= found.observed.effect <= found.repeated_interval.upper
    assert followed[2].repeated_p_value < followed[1].repeated_p_value
    strict = eq.GroupSequential((0.3, 0.6, 1.0), 0.025, 1, futility=eq.PowerSpending(2), beta=0.1, binding=True)
    assert len(strict.follow(looks)) == 1
    assert decide(design, 9.0, 2.0, None, False) is eq.Decision.EFFICACY


RULE = eq.GroupSequential((0.5, 1.0), 0.025, 1)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: RULE.decisions([[1, 2], [3]]), "z is"),
        (lambda: RULE.decisions("12"), "z is '12'"),
        (lambda: RULE.decisions([["1", "2"]]), "z is"),
        (lambda: RULE.decisions([[True, False]]), "z is"),
        (lambda: RULE.decisions(None), "z is"),
        (lambda: decide_paths(None, 1, [[1.0, 2.0]]), "bounds is None"),
        (lambda: decide_paths(RULE.planned, 3, [[1.0, 2.0]]), "sided is 3"),
        (lambda: RULE.decisions([[1.0, 2.0]]).of("stop"), "decision is 'stop'"),
        (lambda: RULE.decisions([[1.0, 2.0]]).of([]), "decision is"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(eq.InputError, match=message):
        action()


def test_none_stands_for_a_look_not_taken():
    assert RULE.decisions([[None, 2.5]]).look.tolist() == RULE.decisions([[np.nan, 2.5]]).look.tolist() == [2]
