"""What many virtual trials say of a design."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..checks import number
from ..errors import InputError
from ..plain import plain
from ..sequential import Decision
from .context import Aim, Context
from .effect_sums import EffectSummary
from .histograms import PERCENTS, Distribution
from .rates import Mean, Rate
from .tally import ESTIMATORS, Z_BINS, Tally, effect_bins

if TYPE_CHECKING:
    import polars
    from numpy.typing import NDArray

    from .rows import ChunkRows

__all__ = ["STOPS", "OperatingCharacteristics", "SecondaryCharacteristics"]

STOPS: dict[str, tuple[Decision, ...]] = {
    "efficacy": (Decision.EFFICACY,),
    "harm": (Decision.HARM,),
    "futility": (Decision.FUTILITY,),
    "not rejected": (Decision.NOT_REJECTED, Decision.CONTINUE),
}
"""Why trials end."""


@dataclass(frozen=True)
class SecondaryCharacteristics:
    """A secondary endpoint over the virtual trials, each tested alone at the protocol's level (nominally).

    Attributes
    ----------
    aim
        What it estimates.
    overall, given_early_efficacy
        How its estimates did over all trials, and over those that stopped for efficacy before the last look.
    correlation
        Of its estimates with those of the primary endpoint.
    reasons
        Why trials have no estimate of it, and how many, the most frequent first.
    """

    aim: Aim
    overall: EffectSummary
    given_early_efficacy: EffectSummary
    correlation: Mean
    reasons: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""

        def of(found: EffectSummary) -> dict[str, Any]:
            rates = {"rejects_in_favour": found.in_favour, "rejects_either_direction": found.excluded}
            return found.to_dict() | {name: rate.to_dict() for name, rate in rates.items() if rate.trials}

        return {
            "label": self.aim.label,
            "scale": self.aim.scale.value,
            "true_effect": self.aim.truth,
            "null_value": self.aim.null_value,
            "all_trials": of(self.overall),
            "given_efficacy_before_last_look": of(self.given_early_efficacy),
            "correlation_with_primary": self.correlation.to_dict(),
            "reasons_not_estimated": dict(self.reasons),
        }


FEWEST = 1000
"""Trials before which no power counts as precise."""


@dataclass(frozen=True, repr=False)
class OperatingCharacteristics:
    """What many virtual trials of one scenario show; every share and mean has its Monte-Carlo standard error.

    Effects are on the scale of their endpoint, ratios as natural logarithms.

    Attributes
    ----------
    context
        Plan, scenario, truths, null values and scales.
    tally
        The trials, counted and summed.
    seed, stream
        What the random numbers are found from.
    planned_trials
        How many were asked for; fewer were done where the run was interrupted, or precise enough.
    precision
        The standard error of the power that was precise enough, where one was asked for.
    version
        Of Equipoise.
    rows
        The trials themselves, where they were kept.
    folder
        Where they were written.
    """

    context: Context
    tally: Tally = field(repr=False)
    seed: int
    stream: str
    planned_trials: int
    version: str = __version__
    rows: ChunkRows | None = field(default=None, repr=False, compare=False)
    folder: Path | None = field(default=None, compare=False)
    precision: float | None = None

    @property
    def protocol(self) -> str:
        """The trial's short name."""
        return self.context.plan.protocol.trial.name

    @property
    def protocol_hash(self) -> str:
        """Of the protocol."""
        return self.context.plan.protocol.hash

    @property
    def scenario(self) -> str:
        """The scenario the patients are drawn from."""
        return self.context.scenario

    @property
    def looks(self) -> int:
        """Planned number of looks."""
        return self.context.looks

    @property
    def true_effect(self) -> float:
        """What the primary endpoint aims at under the scenario."""
        return self.context.primary.truth

    @property
    def trials(self) -> int:
        """Virtual trials done."""
        return self.tally.trials

    @property
    def complete(self) -> bool:
        """Whether all that was asked for was done: as many trials, or as few as are precise enough."""
        return self.trials >= self.planned_trials or self.precise

    @property
    def precise(self) -> bool:
        """Whether the power is as precise as was asked for; False where nothing was."""
        if self.precision is None or self.trials < FEWEST:
            return False
        return self.power.careful_standard_error <= self.precision

    def share(self, decisions: Sequence[Decision], look: int | None = None) -> Rate:
        """Share of all trials that end with one of the decisions, at a look or at any."""
        return Rate(self.tally.count(look, decisions), self.trials)

    @cached_property
    def power(self) -> Rate:
        """Share that rejects in favour of the experimental arm."""
        return self.share((Decision.EFFICACY,))

    @cached_property
    def rejection(self) -> Rate:
        """Share that rejects in either direction: the type I error where the scenario has no effect."""
        return self.share((Decision.EFFICACY, Decision.HARM))

    @property
    def type_one_error(self) -> Rate | None:
        """Share that rejects, where the scenario has no effect; None where it has one."""
        return self.rejection if self.context.no_effect else None

    @cached_property
    def stopping(self) -> tuple[Rate, ...]:
        """Share that ends at each look, for whatever reason."""
        return tuple(self.share(tuple(Decision), look) for look in range(1, self.looks + 1))

    @cached_property
    def stopping_by_reason(self) -> dict[str, tuple[Rate, ...]]:
        """Share that ends at each look for efficacy, for harm, for futility, and without a rejection at the end."""
        looks = range(1, self.looks + 1)
        return {reason: tuple(self.share(why, look) for look in looks) for reason, why in STOPS.items()}

    def patients(self, what: str = "randomised", look: int | None = None) -> Distribution:
        """Patients when trials end: "randomised", "due" (events, where the looks count these) or "observed" with the
        primary outcome; of those that end at a look, or of all.
        """
        if what not in ("randomised", "due", "observed"):
            raise InputError("what", what, "'randomised', 'due' or 'observed'")
        return self.tally.distribution(what, look)

    def duration(self, look: int | None = None) -> Distribution:
        """Days from the trial's first day to its end, of the trials that end at a look, or of all."""
        return self.tally.distribution("day", look)

    def look_day(self, look: int) -> Distribution:
        """The day on which a look is taken, of all trials that take it."""
        return self.tally.distribution("look_day", look)

    @property
    def expected_patients(self) -> float:
        """Mean number randomised when the trial ends."""
        return self.patients().mean.value

    @cached_property
    def missing(self) -> Mean:
        """Mean share of the patients due who were not seen at the primary visit; NaN where looks count events."""
        if self.context.unit != "patients":
            return Mean(math.nan, math.nan, 0)
        total = self.tally.total
        return Mean.of_sums(int(total("due")), total("missing"), total("missing_squared"))

    @property
    def failures(self) -> int:
        """Looks that could not be analysed, over all trials."""
        return int(self.tally.total("failures"))

    @property
    def failure_reasons(self) -> dict[str, int]:
        """Why, the most frequent first."""
        return self.tally.reasons_of()

    def estimates(
        self,
        estimator: str = "observed",
        look: int | None = None,
        decisions: Sequence[Decision] = tuple(Decision),
    ) -> EffectSummary:
        """How an estimator of the primary effect did over the trials that ended at a look, or any, with one of the
        decisions.

        Parameters
        ----------
        estimator
            "observed", "median_unbiased" or "bias_adjusted"; the last has no interval.
        """
        if estimator not in ESTIMATORS:
            raise InputError("estimator", estimator, "one of " + ", ".join(map(repr, ESTIMATORS)))
        return self.tally.summary(estimator, look, decisions)

    @property
    def corrected(self) -> bool:
        """Whether estimates were corrected for stopping."""
        return self.estimates("median_unbiased").estimated > 0

    @property
    def given_efficacy(self) -> EffectSummary:
        """The observed effect of the trials that reject in favour of the experimental arm."""
        return self.estimates(decisions=(Decision.EFFICACY,))

    @property
    def mean_effect(self) -> float:
        """Mean observed effect at the end, over the trials that could be analysed; NaN where none could."""
        return self.estimates().mean.value

    def mean_effect_at(self, look: int) -> float:
        """Mean observed effect of the trials that reject in favour of the experimental arm at a look; NaN where
        none does.
        """
        return self.estimates(look=look, decisions=(Decision.EFFICACY,)).mean.value

    @cached_property
    def secondary(self) -> dict[str, SecondaryCharacteristics]:
        """The secondary endpoints, by name."""
        found = {}
        for aim in self.context.secondaries:
            overall = self.tally.summary("observed", endpoint=aim.name)
            early = self.tally.summary("observed", None, (Decision.EFFICACY,), early=True, endpoint=aim.name)
            correlation, reasons = self.tally.correlation(aim.name), self.tally.reasons_of(aim.name)
            found[aim.name] = SecondaryCharacteristics(aim, overall, early, correlation, reasons)
        return found

    def probability_nnt_at_most(self, value: float, endpoint: str | None = None, look: int | None = None) -> Rate:
        """Share of the trials stopped for efficacy whose number needed to treat, 1 / difference in risk, is at most a
        value; those whose difference does not favour the experimental arm have none.

        Parameters
        ----------
        value
            Patients, at most 1,000; taken down to the tenth.
        endpoint
            A response endpoint with a difference in risk; the first there is when absent.
        look
            Of the trials stopped there alone.

        Raises
        ------
        InputError
            When there is no such endpoint, or the value is not between 1 and 1,000.
        """
        value = number("value", value, "a number needed to treat between 1 and 1,000")
        if not 1 <= value <= 1000:
            raise InputError("value", value, "a number needed to treat between 1 and 1,000")
        able = [aim for aim in self.context.aims if aim.has_number_needed_to_treat]
        aim = self.context.aim(endpoint) if endpoint is not None else able[0] if able else None
        if aim not in able or aim is None:
            names = ", ".join(aim.name for aim in able) or "none in these trials"
            raise InputError("endpoint", endpoint, f"a response endpoint with a difference in risk: {names}")
        counts = self.tally.number_needed_to_treat(aim, look)
        return Rate(int(counts[: math.floor(10 * value + 1e-9) + 1].sum()), int(counts.sum()))

    def z_quantiles(self, percents: Sequence[float] = PERCENTS) -> NDArray[np.float64]:
        """Quantiles of z at each look over the trials that take it, to 0.02; stopped trials leave; shape (looks,
        percents).
        """
        return np.stack([Z_BINS.quantiles(counts, percents) for counts in self.tally.histograms["z"]])

    def effect_histogram(
        self, estimator: str = "observed", look: int | None = None, decisions: Sequence[Decision] = tuple(Decision)
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Edges and counts of the estimates, shapes (bins + 1,) and (bins,); what lies beyond ten planned standard
        errors from the truth is left out.
        """
        self.estimates(estimator, look)
        table = self.tally.histograms[f"{estimator}.estimate"]
        table = table.sum(axis=0) if look is None else table[look - 1]
        chosen = [place for place, decision in enumerate(Decision) if decision in decisions]
        return effect_bins(self.context).edges + self.context.primary.centre, table[chosen].sum(axis=0)[1:-1]

    def to_frame(self) -> polars.DataFrame:
        """One row a trial.

        Raises
        ------
        InputError
            When the trials were neither kept nor written to a folder.
        """
        if self.rows is not None:
            return self.rows.trials_frame(self.context.start)
        if self.folder is None:
            raise InputError("folder", None, "a folder to simulate into, as so many trials are not kept otherwise")
        from .store import ResultsFolder

        return ResultsFolder.scan(self.folder, "trials", self.trials).collect()

    def to_dict(self) -> dict[str, Any]:
        """The summary for a JSON file."""
        from .characteristics_dict import as_dict

        return plain(as_dict(self))

    def __str__(self) -> str:
        from .characteristics_text import as_text

        return as_text(self)

    __repr__ = __str__
