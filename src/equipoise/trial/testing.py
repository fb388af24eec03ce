"""Several hypotheses of one trial, tested at its looks by the procedure that the protocol names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import endpoints
from ..errors import InputError, NotEstimable
from ..multiplicity import procedure_named
from ..sequential import GroupSequential, stopping_rule

if TYPE_CHECKING:
    from ..multiplicity import SequentialTests
    from .looks import Look
    from .plan import Plan

__all__ = ["tested"]


def tested(
    plan: Plan, looks: Sequence[Look], passed: Sequence[float]
) -> tuple[SequentialTests | None, tuple[str, ...]]:
    """Decisions on the protocol's family of hypotheses, and why some could not be tested at some look.

    Every hypothesis is tested at every look taken, on what was known then, at the information fraction of the look
    (Maurer & Bretz 2013, Stat Biopharm Res 5:311). One that cannot be estimated at a look has spent there all the same.

    Parameters
    ----------
    looks
        As taken, in order.
    passed
        Information fractions of looks before these, of which no data are at hand.
    """
    protocol = plan.protocol
    testing = protocol.testing
    if testing is None:
        return None, ()
    names = testing.hypotheses
    procedure = procedure_named(testing.procedure, names, testing.weights, testing.transitions)
    z = np.full((len(passed) + len(looks), len(names)), np.nan)
    notes = []
    for row, look in zip(z[len(passed) :], looks, strict=True):
        row[:], failed = _statistics(plan, look)
        notes += [f"look {look.number}, {name}: {reason}" for name, reason in failed.items()]
    spending = plan.design
    if testing.spending is not None:
        spending = GroupSequential(
            information=spending.information,
            alpha=spending.alpha,
            sided=spending.sided,
            efficacy=stopping_rule(testing.spending.family, **testing.spending.parameters),
        )
    fractions = [*passed, *(look.fraction for look in looks)]
    if len(fractions) > 1 and looks[-1].last and fractions[-1] == fractions[-2]:
        del fractions[-2]
        z = np.delete(z, -2, axis=0)
    if any(after <= before for before, after in itertools.pairwise([0.0, *fractions])):
        return None, (*notes, "a look has no more information than the one before it")
    found = procedure.sequential(
        z,
        np.array(fractions),
        protocol.stopping.alpha,
        spending,
        names=names,
        sided=protocol.stopping.sided,
        final=looks[-1].last,
    )
    return found, tuple(notes)


def _statistics(plan: Plan, look: Look) -> tuple[np.ndarray, dict[str, str]]:
    """z of each hypothesis, NaN where it could not be had, and why; that of the primary endpoint is the look's own."""
    protocol = plan.protocol
    assert protocol.testing is not None
    hypotheses = protocol.testing.hypotheses
    found: dict[str, float] = {}
    failed: dict[str, str] = {}
    for endpoint in protocol.endpoints:
        wanted = [name for name in hypotheses if protocol.hypothesis(name)[0].name == endpoint.name]
        if not wanted:
            continue
        if wanted == [protocol.primary.name]:
            if look.z is None:
                failed[endpoint.name] = look.failure
            else:
                found[endpoint.name] = look.z
            continue
        try:
            estimates = endpoints.estimate(endpoint, protocol, look.data).hypotheses
        except (InputError, NotEstimable) as error:
            failed |= dict.fromkeys(wanted, str(error))
            continue
        for name in wanted:
            if name in estimates:
                found[name] = estimates[name].favourable_z
            else:
                failed[name] = "gives no estimate"
    return np.array([found.get(name, math.nan) for name in hypotheses]), failed
