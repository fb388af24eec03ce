"""Virtual trials counted and summed, so that a million of them take no more room than a thousand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..sequential import Decision
from .context import Context
from .effect_sums import EFFECT_SUMS, EffectSummary, effect_sums, sums_by_cell
from .histograms import Bins, Distribution, added, counted_by_group
from .rates import Mean
from .rows import DECISIONS, secondary_reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .context import Aim
    from .rows import ChunkRows

__all__ = ["ESTIMATORS", "TRIAL_SUMS", "Z_BINS", "Tally", "effect_bins"]

ESTIMATORS: dict[str, tuple[str, str | None, str | None]] = {
    "observed": ("effect", "lower", "upper"),
    "median_unbiased": ("median_unbiased", "median_unbiased_lower", "median_unbiased_upper"),
    "bias_adjusted": ("bias_adjusted", None, None),
}
"""Estimators of the primary effect: the columns of the estimate and of its limits."""

TRIAL_SUMS = ("trials", "failures", "due", "missing", "missing_squared")
"""What is summed of all trials: how many, looks not analysed, trials with patients due, and their share not seen."""

_PAIR_SUMS = ("paired", "one", "one_squared", "two", "two_squared", "product")

Z_BINS = Bins(-12.0, 0.02, 1200)
_PER_STANDARD_ERROR, _STANDARD_ERRORS = 25, 10
_PER_PATIENT, _MOST_PATIENTS = 10, 1000
_REASONS = 100
_OTHER = "other reasons"


def effect_bins(context: Context) -> Bins:
    """Bins of the estimate less the truth: 25 to a planned standard error, ten standard errors to either side."""
    width = context.standard_error / _PER_STANDARD_ERROR
    return Bins(-_STANDARD_ERRORS * context.standard_error, width, 2 * _STANDARD_ERRORS * _PER_STANDARD_ERROR)


@dataclass(eq=False)
class Tally:
    """Counts, sums and histograms over virtual trials.

    Everything in it adds up. Counts and histograms are the same however trials are grouped; sums are the same to the
    last bit where the same chunks are added in the same order.

    Attributes
    ----------
    cells
        Counts and sums by how trials ended, each of shape (sums, looks, decisions): `TRIAL_SUMS` as "trials",
        `EFFECT_SUMS` by name of the estimator or "endpoint NAME", and sums of the products of a secondary endpoint's
        estimates and the primary ones as "endpoint NAME.pairs".
    histograms
        By the look that trials ended at, shape (looks, ..., values): "day", "randomised", "due", "observed" of the end,
        "look_day" and "z" of all who took the look, "NAME.estimate" by decision, "NAME.number_needed_to_treat" of
        trials stopped for efficacy.
    reasons
        Why looks could not be analysed, and as "NAME: why" secondary endpoints not estimated; how many of each.
    """

    context: Context = field(repr=False)
    cells: dict[str, NDArray] = field(default_factory=dict, repr=False)
    histograms: dict[str, NDArray] = field(default_factory=dict, repr=False)
    reasons: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: ChunkRows, context: Context) -> Tally:
        """Of some trials.

        Raises
        ------
        InputError
            When the rows are not of the context's looks and secondary endpoints.
        """
        looks, names = context.looks, tuple(aim.name for aim in context.secondaries)
        for part in (rows.looks, rows.ends):
            if len(part["look"]) and (part["look"].min() < 1 or part["look"].max() > looks):
                raise InputError("rows", part["look"], f"looks numbered from 1 to {looks}")
        lacking = set(names) - set(rows.secondaries)
        if lacking:
            raise InputError("rows", rows.secondaries, f"columns of the secondary endpoint '{min(lacking)}'")
        tally = cls(context, reasons=_few(rows.failures, names))
        tally._take_ends(rows.ends)
        tally._take_looks(rows.looks)
        return tally

    def add(self, rows: ChunkRows) -> Tally:
        """Take in some more trials, all or none; gives itself back."""
        return self.merge(Tally.of(rows, self.context))

    def merge(self, other: Tally) -> Tally:
        """Take in the trials of another tally, all or none; gives itself back."""
        whole = self.with_(other)
        self.cells, self.histograms, self.reasons = whole.cells, whole.histograms, whole.reasons
        return self

    def with_(self, other: Tally) -> Tally:
        """These trials and those of another tally; neither of the two changes."""
        names = [aim.name for aim in self.context.secondaries]
        reasons = Counter(self.reasons)
        reasons.update(other.reasons)
        return Tally(
            self.context,
            _together(self.cells, other.cells),
            _together(self.histograms, other.histograms),
            _few(reasons, names),
        )

    def __eq__(self, other: object) -> bool:
        """Whether all is equal to the last bit."""
        if not isinstance(other, Tally):
            return NotImplemented
        pairs = ((self.cells, other.cells), (self.histograms, other.histograms))
        return self.reasons == other.reasons and all(
            mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)
            for mine, theirs in pairs
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def trials(self) -> int:
        """How many have been taken in."""
        return self.count()

    def _shape(self) -> tuple[int, int]:
        return self.context.looks, len(DECISIONS)

    def _take_ends(self, ends: dict[str, NDArray]) -> None:
        context, (looks, decisions) = self.context, self._shape()
        look = ends["look"].astype(np.intp) - 1
        cell, number = look * decisions + ends["decision"], looks * decisions
        due = ends["due"] > 0
        missing = np.where(due, 1 - ends["observed"] / np.maximum(ends["due"], 1), 0.0)
        trials = (np.ones(len(cell)), ends["failures"], due, missing, missing**2)
        sums = {"trials": sums_by_cell(cell, number, trials)}
        bins = effect_bins(context)
        for name, columns in ESTIMATORS.items():
            found, lower, upper = (None if column is None else ends[column] for column in columns)
            assert found is not None
            sums[name] = effect_sums(cell, number, context.primary, found, lower, upper)
            known = np.flatnonzero(~np.isnan(found))
            places = cell[known] * (bins.count + 2) + bins.places(found[known] - context.primary.centre)
            counted = np.bincount(places, minlength=number * (bins.count + 2))
            self.histograms[f"{name}.estimate"] = counted.reshape(looks, decisions, -1)
        for aim in context.secondaries:
            found, lower, upper = (ends[f"{aim.name}.{part}"] for part in ("effect", "lower", "upper"))
            sums[_of(aim)] = effect_sums(cell, number, aim, found, lower, upper)
            primary = ends["effect"] - context.primary.centre
            sums[f"{_of(aim)}.pairs"] = _products(cell, number, primary, found - aim.centre)
        self.cells = {name: values.reshape(-1, looks, decisions) for name, values in sums.items()}
        efficacy = ends["decision"] == DECISIONS.index(Decision.EFFICACY)
        for aim in context.aims:
            if aim.has_number_needed_to_treat:
                found = ends["effect" if aim is context.primary else f"{aim.name}.effect"]
                chosen = efficacy & ~np.isnan(found)
                places = look[chosen] * (_NNT_LENGTH) + _tenths_of_patients(aim.sign * found[chosen])
                counted = np.bincount(places, minlength=looks * _NNT_LENGTH)
                self.histograms[f"{_of(aim)}.number_needed_to_treat"] = counted.reshape(looks, _NNT_LENGTH)
        for name in ("day", "randomised", "due", "observed"):
            self.histograms[name] = counted_by_group(look, looks, ends[name])

    def _take_looks(self, rows: dict[str, NDArray]) -> None:
        looks, look = self.context.looks, rows["look"].astype(np.intp) - 1
        self.histograms["look_day"] = counted_by_group(look, looks, rows["day"])
        known = np.flatnonzero(~np.isnan(rows["z"]))
        places = look[known] * (Z_BINS.count + 2) + Z_BINS.places(rows["z"][known])
        self.histograms["z"] = np.bincount(places, minlength=looks * (Z_BINS.count + 2)).reshape(looks, -1)

    def count(self, look: int | None = None, decisions: Sequence[Decision] = DECISIONS) -> int:
        """Trials that ended at a look, or at any, with one of the decisions."""
        return int(self._chosen("trials", self._at(look), decisions)[0])

    def total(self, name: str) -> float:
        """One of `TRIAL_SUMS` over all trials."""
        return float(self._chosen("trials", self._at(None), DECISIONS)[TRIAL_SUMS.index(name)])

    def distribution(self, name: str, look: int | None = None) -> Distribution:
        """A histogram of whole numbers at a look, or at all looks together."""
        table = self.histograms[name]
        return Distribution(table.sum(axis=0) if look is None else table[look - 1])

    def summary(
        self,
        estimator: str,
        look: int | None = None,
        decisions: Sequence[Decision] = DECISIONS,
        *,
        early: bool = False,
        endpoint: str | None = None,
    ) -> EffectSummary:
        """How an estimator did over the trials that ended so.

        Parameters
        ----------
        estimator
            One of `ESTIMATORS`; of a secondary endpoint there is only what was observed.
        look, decisions
            Which trials; all by default.
        early
            Leave out those that ended at the last look.
        endpoint
            Name of a secondary endpoint; the primary one when absent.
        """
        at = self._at(look)[: -1 if early else None]
        aim = self.context.primary if endpoint is None else self.context.aim(endpoint)
        name = estimator if endpoint is None else _of(aim)

        def sums(some: Sequence[Decision]) -> dict[str, float]:
            return dict(zip(EFFECT_SUMS, self._chosen(name, at, some).tolist(), strict=True))

        trials = int(self._chosen("trials", at, decisions)[0])
        rejecting = [decision for decision in decisions if decision.rejects]
        return EffectSummary(aim, sums(decisions), trials, sums(rejecting) if endpoint is None else None)

    def number_needed_to_treat(self, aim: Aim, look: int | None = None) -> NDArray[np.int64]:
        """How many of the trials stopped for efficacy had a number needed to treat of so many tenths of a patient;
        the last two are above 1,000, and no benefit.
        """
        table = self.histograms[f"{_of(aim)}.number_needed_to_treat"]
        return table.sum(axis=0) if look is None else table[look - 1]

    def correlation(self, endpoint: str) -> Mean:
        """Correlation over trials of a secondary endpoint's estimates with the primary ones; its standard error is that
        of normal estimates, (1 - r^2) / sqrt(n - 1).
        """
        chosen = self._chosen(f"{_of(self.context.aim(endpoint))}.pairs", self._at(None), DECISIONS)
        count, one, one_squared, two, two_squared, product = chosen.tolist()
        pairs = int(count)
        if pairs < 2:
            return Mean(math.nan, math.nan, pairs)
        spread = (one_squared - one**2 / pairs) * (two_squared - two**2 / pairs)
        if spread <= 0:
            return Mean(math.nan, math.nan, pairs)
        found = min(max((product - one * two / pairs) / math.sqrt(spread), -1.0), 1.0)
        return Mean(found, (1 - found**2) / math.sqrt(pairs - 1), pairs)

    def reasons_of(self, endpoint: str | None = None) -> dict[str, int]:
        """Why looks could not be analysed, or a secondary endpoint not be estimated, and how many, the most frequent
        first.
        """
        names = [aim.name for aim in self.context.secondaries]
        found: dict[str, int] = {}
        for reason, count in self.reasons.items():
            of = _endpoint_of(reason, names)
            if of == endpoint:
                found[reason if of is None else reason.removeprefix(secondary_reason(of))] = count
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _at(self, look: int | None) -> list[int]:
        if look is None:
            return list(range(self.context.looks))
        if not 1 <= look <= self.context.looks:
            raise InputError("look", look, f"a look from 1 to {self.context.looks}")
        return [look - 1]

    def _chosen(self, name: str, at: list[int], decisions: Sequence[Decision]) -> NDArray[np.float64]:
        """Sums over the cells chosen, shape (sums,)."""
        if name not in self.cells:
            sums = {"trials": TRIAL_SUMS, "pairs": _PAIR_SUMS}.get(name.rpartition(".")[2], EFFECT_SUMS)
            return np.zeros(len(sums))
        table = self.cells[name][:, at][:, :, [DECISIONS.index(decision) for decision in decisions]]
        return table.reshape(len(table), -1).sum(axis=1)


_NNT_LENGTH = _MOST_PATIENTS * _PER_PATIENT + 3


def _tenths_of_patients(benefit: NDArray[np.float64]) -> NDArray[np.intp]:
    """1/benefit in tenths of a patient, rounded up."""
    with np.errstate(divide="ignore"):
        tenths = np.ceil(_PER_PATIENT / np.maximum(benefit, 0.0) * (1 - 1e-9))
    found = np.minimum(tenths, _NNT_LENGTH - 2).astype(np.intp)
    return np.where(benefit > 0, found, _NNT_LENGTH - 1)


def _products(
    cell: NDArray[np.intp], number: int, one: NDArray[np.float64], two: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`_PAIR_SUMS` of the trials that have both."""
    both = np.flatnonzero(~(np.isnan(one) | np.isnan(two)))
    one, two = one[both], two[both]
    return sums_by_cell(cell[both], number, (np.ones(len(both)), one, one**2, two, two**2, one * two))


def _of(aim: Aim) -> str:
    return f"endpoint {aim.name}"


def _together(one: Mapping[str, NDArray], other: Mapping[str, NDArray]) -> dict[str, NDArray]:
    both = dict(one)
    for name, values in other.items():
        both[name] = added(both[name], values) if name in both else values
    return both


def _endpoint_of(reason: str, secondaries: Sequence[str]) -> str | None:
    """The secondary endpoint that a reason is of; None for the primary one."""
    return next((name for name in secondaries if reason.startswith(secondary_reason(name))), None)


def _few(reasons: Mapping[str, int], secondaries: Sequence[str]) -> dict[str, int]:
    """Reasons in the order met, all beyond the first hundred of an endpoint under one name."""
    kept: dict[str, int] = {}
    met: Counter[str | None] = Counter()
    for reason, count in reasons.items():
        of = _endpoint_of(reason, secondaries)
        met[of] += 1
        name = reason
        if met[of] > _REASONS:
            name = _OTHER if of is None else secondary_reason(of, _OTHER)
        kept[name] = kept.get(name, 0) + count
    return kept
