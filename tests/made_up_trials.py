"""Made-up rows of simulated trials, with ties, failures and all decisions."""

import numpy as np

from equipoise import gallery, plan
from equipoise.patients import Truth
from equipoise.sequential import Decision
from equipoise.simulation.context import Context
from equipoise.simulation.rows import SECONDARY_COLUMNS, ChunkRows

PLAN = plan(gallery("ptsd-ketamine"))
SECONDARIES = ("response", "loss-of-response", "adverse-events")
DECISIONS = list(Decision)


def context(scenario="as-published", secondaries=SECONDARIES):
    return Context.of(PLAN, Truth.of(PLAN.protocol, scenario), scenario, secondaries)


def chunk(first, trials, of=None, seed=7):
    """Trials that depend on their chunk alone."""
    of = of or context()
    generator = np.random.default_rng([seed, first])
    looks, ends, failures = [], [], {}
    for trial in range(first, first + trials):
        day = 0
        failed = 0
        for look in range(1, of.looks + 1):
            day += int(generator.integers(10, 500))
            error = float(generator.uniform(2, 4))
            effect = of.primary.truth + error * float(generator.normal())
            if generator.random() < 0.05:
                effect = error = np.nan
                failed += 1
                reason = f"reason {generator.integers(3)}"
                failures[reason] = failures.get(reason, 0) + 1
            if generator.random() < 0.02:
                effect = of.primary.truth
            z = of.primary.sign * (effect - of.primary.null_value) / error
            last = look == of.looks
            place = int(generator.integers(0, 3)) if last or generator.random() < 0.4 else 3
            decision = Decision.NOT_REJECTED if np.isnan(z) and last else DECISIONS[place]
            if last and decision is Decision.FUTILITY:
                decision = Decision.NOT_REJECTED
            if np.isnan(z) and not last:
                decision = Decision.CONTINUE
            due = 30 if look == 1 else 40
            row = {
                "trial": trial,
                "look": look,
                "decision": DECISIONS.index(decision),
                "effect": effect,
                "standard_error": error,
                "degrees_of_freedom": float(generator.uniform(20, 40)),
                "information": error**-2,
                "z": z,
                "fraction": due / 40,
                "efficacy_bound": 2.0,
                "futility_bound": np.nan,
                "day": day,
                "randomised": int(generator.integers(due, 41)),
                "due": due,
                "observed": int(generator.integers(due - 8, due + 1)),
            }
            looks.append(row)
            if decision.stops:
                break
        ends.append(_end(row, failed, of, generator))
    return ChunkRows.of(
        {name: np.array([row[name] for row in looks]) for name in looks[0]},
        {name: np.array([row[name] for row in ends]) for name in ends[0]},
        failures,
    )


def _end(row, failed, of, generator):
    names = ["trial", "look", "decision", "effect", "standard_error", "degrees_of_freedom", "z"]
    names += ["day", "randomised", "due", "observed"]
    end = {name: row[name] for name in names}
    effect, error = row["effect"], row["standard_error"]
    end |= {"failures": failed, "lower": effect - 2 * error, "upper": effect + 2 * error}
    shift = float(generator.uniform(0, 1))
    end |= {
        "median_unbiased": effect + shift,
        "median_unbiased_lower": effect + shift - 2.2 * error,
        "median_unbiased_upper": effect + shift + 1.9 * error,
        "bias_adjusted": effect + 2 * shift if generator.random() < 0.9 else np.nan,
    }
    for aim in of.secondaries:
        error = float(generator.uniform(0.1, 0.2))
        own = aim.centre + error * float(generator.normal()) - 0.01 * (0 if np.isnan(effect) else effect)
        found = (own, error, 30.0, own - 2 * error, own + 2 * error)
        if generator.random() < 0.1:
            found = (np.nan,) * len(found)
        end |= {f"{aim.name}.{part}": value for part, value in zip(SECONDARY_COLUMNS, found, strict=True)}
    return end
