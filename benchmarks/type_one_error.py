"""How often trials without an effect reject, by degrees of freedom of the mixed model, and where it comes from.

    nice -n 19 python benchmarks/type_one_error.py [--trials 1000000] [--only "ketamine;phase-three"] [--out FILE.jsonl]

Every trial is taken to its last look without stopping and analysed by all methods at every look, on the same patients;
the stopping rule is then applied, at the bounds of the fractions that the looks fell at, to each method's z. That the
engine, which stops, decides alike is checked on each protocol's first trials. Rejections count in either direction.
Beside each share stand its Monte-Carlo standard error and what the rule may spend there; "one look" is the last look
taken alone at the level of the whole trial.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import equipoise as eq
from equipoise import endpoints
from equipoise.estimate_arrays import favourable_z_of
from equipoise.patients import Draws, Truth
from equipoise.protocol import Protocol, load
from equipoise.sequential import Decision
from equipoise.simulation import virtual
from equipoise.simulation.engines import engine_named
from equipoise.trial import Bounds, Plan, plan, walk_many

METHODS = ("satterthwaite", "kenward-roger", "residual", "normal")
PHASE_THREE = Path(__file__).parent / "protocols" / "phase-three.toml"
_SCENARIO, _SEED, _VALUES = "no-effect", 1, 2**17


@dataclass(frozen=True, eq=False)
class Task:
    """Trials to be taken through all looks.

    Attributes
    ----------
    designed, unstopped
        As the protocol plans, and with the same looks without stopping.
    """

    designed: Plan
    unstopped: Plan
    truth: Truth

    @classmethod
    def of(cls, protocol: Protocol) -> Task:
        designed = plan(changed(protocol, analysis={"degrees_of_freedom": "satterthwaite"}))
        looks = {"patients": designed.units_per_look, "efficacy": {"family": "none"}}
        rule = {"alpha": protocol.stopping.alpha, "sided": protocol.stopping.sided} | looks
        size = {"patients": designed.patients, "scenario": protocol.sample_size.scenario}
        unstopped = plan(changed(designed.protocol, stopping=lambda _: rule, sample_size=lambda _: size))
        return cls(designed, unstopped, Truth.of(protocol, _SCENARIO))

    @property
    def chunk(self) -> int:
        return int(np.clip(_VALUES // (self.designed.patients * len(self.designed.protocol.visits)), 16, 4096))


def all_looks(task: Task, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """What the looks counted, shape (trials, looks), and z by method, shape (methods, trials, looks)."""
    planned = task.unstopped
    protocol = planned.protocol
    primary = protocol.primary
    draws = Draws.of(_SEED, _SCENARIO, np.arange(first, stop))
    cohort = virtual.draw_cohort(protocol, task.truth, draws, planned.patients, [primary])
    kenward_roger = changed(protocol, analysis={"degrees_of_freedom": "kenward-roger"})
    due = np.zeros((stop - first, planned.design.looks), dtype=np.intp)
    z = np.full((len(METHODS), *due.shape), np.nan)
    visits = [protocol.visit_names.index(name) for name in protocol.modelled_visits]
    columns = len(visits) * (len(protocol.arms) + 1)  # arm and slope of baseline at each visit
    for look in walk_many(planned, cohort, Bounds(planned)):
        at = look.number - 1
        due[look.rows, at] = look.due
        values = np.count_nonzero(~np.isnan(look.batch.scores[:, :, visits]), axis=(1, 2))
        other = endpoints.batch(primary, kenward_roger, look.batch)
        found = {
            "satterthwaite": (look.effect, look.standard_error, look.degrees_of_freedom),
            "kenward-roger": (other.effect, other.standard_error, other.degrees_of_freedom),
            "residual": (look.effect, look.standard_error, values - columns),
            "normal": (look.effect, look.standard_error, np.inf),
        }
        for method, figures in found.items():
            z[METHODS.index(method), look.rows, at] = favourable_z_of(*figures, planned.null_value, planned.better)
    return due, z


@dataclass
class Found:
    """Rejections of many trials without effect, by method.

    Attributes
    ----------
    first
        Trials that first reject at each look, shape (methods, looks).
    upward
        Those in favour of the experimental arm at any, shape (methods,).
    alone
        Trials that the last look would reject if it were the only one, shape (methods,).
    nominal
        Sums of what the rule spends at each look, shape (looks,).
    moments
        Sums of products of the z at the looks, shape (methods, looks, looks).
    """

    task: Task
    trials: int = 0
    failures: int = 0
    first: Any = 0
    upward: Any = 0
    alone: Any = 0
    nominal: Any = 0
    moments: Any = 0
    bounds: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def add(self, due: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Take in some trials; gives the look at which each first rejects by each method, 0 for never."""
        paths, path = np.unique(due, axis=0, return_inverse=True)
        rules = [self._rule(tuple(counts)) for counts in paths.tolist()]
        bound = np.array([upper for upper, _ in rules])[path.reshape(-1)]
        spent = np.array([increments for _, increments in rules])[path.reshape(-1)]
        crossed = np.abs(z) >= bound
        look = np.where(crossed.any(axis=2), crossed.argmax(axis=2) + 1, 0)
        at = np.take_along_axis(z, np.maximum(look - 1, 0)[:, :, None], axis=2)[:, :, 0]
        self.trials += len(due)
        self.failures += int(np.isnan(z[0]).sum())
        self.first = self.first + np.stack([(look == k + 1).sum(axis=1) for k in range(due.shape[1])], axis=1)
        self.upward = self.upward + ((look > 0) & (at > 0)).sum(axis=1)
        self.alone = self.alone + (np.abs(z[:, :, -1]) >= self._fixed_bound).sum(axis=1)
        self.nominal = self.nominal + spent.sum(axis=0)
        self.moments = self.moments + np.einsum("mtk,mtl->mkl", z, z)
        return look

    def _rule(self, counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Bounds, and what each look may spend in both directions."""
        if counts not in self.bounds:
            planned = self.task.designed
            found = planned.design.bounds_at([count / planned.total_units for count in counts], True)
            self.bounds[counts] = found.efficacy, np.diff(found.alpha_spent, prepend=0.0)
        return self.bounds[counts]

    @property
    def _fixed_bound(self) -> float:
        from scipy.special import ndtri

        return -float(ndtri(self.task.designed.design.level))

    def report(self, name: str, method: str) -> dict[str, Any]:
        """A row of the table."""
        at, trials = METHODS.index(method), self.trials
        shares = np.append(self.first[at], [self.first[at].sum(), self.alone[at]]) / trials
        nominal = np.append(self.nominal / trials, [self.nominal.sum() / trials, self.task.designed.design.alpha])
        squares = self.moments[at].diagonal()
        return {
            "trials of": name,
            "degrees of freedom": method,
            "trials": trials,
            "shares": shares.tolist(),
            "standard_errors": np.sqrt(shares * (1 - shares) / trials).tolist(),
            "nominal": nominal.tolist(),
            "upward": float(self.upward[at] / trials),
            "variance_of_z": (squares / trials).tolist(),
            "correlation_with_last_look": (self.moments[at][:-1, -1] / np.sqrt(squares[:-1] * squares[-1])).tolist(),
            "failures": self.failures,
        }


def line(row: dict[str, Any]) -> str:
    """A row as Markdown."""
    parts = [
        f"{100 * share:.3f} ({100 * error:.3f}) v {100 * nominal:.3f}"
        for share, error, nominal in zip(row["shares"], row["standard_errors"], row["nominal"], strict=True)
    ]
    looks, total, alone = " / ".join(parts[:-2]), parts[-2], parts[-1]
    correlation = ", ".join(f"{value:.4f}" for value in row["correlation_with_last_look"]) or "–"
    cells = [row["trials of"], row["degrees of freedom"], f"{row['trials']:,}", looks, total, alone]
    return "| " + " | ".join([*cells, f"{100 * row['upward']:.3f}", correlation, str(row["failures"])]) + " |"


def changed(protocol: Protocol, **parts: Any) -> Protocol:
    """The protocol with keys of its tables replaced: `analysis={"degrees_of_freedom": "normal"}`."""
    table = protocol.model_dump(exclude_unset=True)
    for name, values in parts.items():
        table[name] = values(table[name]) if callable(values) else {**table[name], **values}
    return Protocol.model_validate(table)


def with_dropout(protocol: Protocol, share: float) -> Protocol:
    """That share of both arms leaves."""

    def leave(scenarios: dict[str, Any]) -> dict[str, Any]:
        for arm in scenarios[_SCENARIO]["arms"].values():
            arm["dropout"] = share
        return scenarios

    return changed(protocol, scenarios=leave)


@contextmanager
def normal_scores():
    """Scores drawn from the multivariate normal law itself: no ends of a scale, no rounding to points."""
    usual = virtual.draw_scores

    def draw(draws: Any, law: Any, laws: Any, shift: Any = None) -> Any:
        visits = laws.thresholds.shape[1]
        latent = draws.normal("scores", law.shape[1], visits)
        return np.ascontiguousarray(40.0 + 10.0 * latent @ laws.cholesky.T)

    virtual.draw_scores = draw
    try:
        yield
    finally:
        virtual.draw_scores = usual


def check(task: Task, methods: list[str], trials: int) -> None:
    """That the engine decides as the rule applied afterwards does, on the first trials."""
    looks = Found(task).add(*all_looks(task, 0, trials))
    rejects = np.array([decision in (Decision.EFFICACY, Decision.HARM) for decision in Decision])
    for method in methods:
        protocol = changed(task.designed.protocol, analysis={"degrees_of_freedom": method})
        found = eq.simulate(protocol, _SCENARIO, trials, _SEED, secondary=False, corrected=False)
        assert found.rows is not None
        ends = found.rows.ends
        expected = np.where(rejects[ends["decision"]], ends["look"], 0)
        if not np.array_equal(looks[METHODS.index(method)], expected):
            raise SystemExit(f"{protocol.trial.name}, {method}: the engine decides otherwise")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--only", default="", help="names of protocols, with semicolons between; all by default")
    parser.add_argument("--checked", type=int, default=2000, help="trials compared with the engine's decisions")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between rows of what is done so far")
    parser.add_argument("--out", type=Path, help="file to write the latest rows to, as JSON lines")
    given = parser.parse_args()

    ketamine = eq.gallery("ptsd-ketamine")
    larger = changed(
        ketamine, sample_size={"patients": 160, "scenario": "as-published"}, stopping={"patients": (120, 160)}
    )
    usual: Callable[[], AbstractContextManager[None]] = nullcontext
    cases = {
        "ketamine": (ketamine, usual),
        "ketamine, no dropout": (with_dropout(ketamine, 0.0), usual),
        "ketamine, no dropout, normal scores": (with_dropout(ketamine, 0.0), normal_scores),
        "ketamine, 20% dropout": (with_dropout(ketamine, 0.2), usual),
        "ketamine of 160 patients": (larger, usual),
        "phase-three": (load(PHASE_THREE), usual),
    }
    names = [name.strip() for name in given.only.split(";")] if given.only else list(cases)
    print("Rejection in per cent (Monte-Carlo standard error) v nominal")
    print("| trials of | degrees of freedom | trials | looks | in all | one look | upward | correlation | failures |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    done: list[dict[str, Any]] = []
    for name in names:
        protocol, drawing = cases[name]
        task, last = Task.of(protocol), time.perf_counter()
        found = Found(task)
        chunks = [(first, min(first + task.chunk, given.trials)) for first in range(0, given.trials, task.chunk)]

        def show(found: Found = found, name: str = name) -> None:
            rows = [found.report(name, method) for method in METHODS]
            print("\n".join(map(line, rows)), flush=True)
            if given.out:
                text = "".join(json.dumps(row) + "\n" for row in [*done, *rows])
                given.out.write_text(text, encoding="utf-8")
            if found.trials == given.trials:
                done.extend(rows)

        with drawing():
            check(task, list(METHODS), given.checked)
            with engine_named("cores", given.workers) as engine:
                for looks in engine.map(all_looks, task, chunks):
                    found.add(*looks)
                    if time.perf_counter() - last > given.every and found.trials < given.trials:
                        last = time.perf_counter()
                        show()
        show()


if __name__ == "__main__":
    main()
