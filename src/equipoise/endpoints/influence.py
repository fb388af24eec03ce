"""How the estimates of two endpoints of one trial are correlated, from the patients' influence on each.

A patient's influence on an estimate is (n - 1) times what it loses when she is left out, n being the patients of her
arm (the jackknife, an empirical influence function). Over the patients, centred within arms, squares and products of
influences sum to variances and covariances of the estimates: of two differences of means this is exactly Welch's
variance and its counterpart for two outcomes; of any others it is right as trials grow. It is on the scale of the
estimates, experimental minus control, ratios as logarithms, whichever side is better.

A patient without whom there is no estimate (the only event of an arm) is entered twice instead, and her influence is
(n + 1) times what the estimate gains, the same for large n and for means at any n. Where that has to be done for more
than a tenth of the patients, or cannot be done either, there is no correlation and the reason is told.

A multiple imputation is drawn anew without each patient, which adds noise to the influences, the more the fewer
imputations. Where an estimate is no smooth function of the patients (a visit that leaves the model, a horizon that is
the longest follow-up), a jump is an influence like any other.

Efron B, Stein C. The jackknife estimate of variance. Ann Stat 1981;9:586-596. Efron B. Jackknife-after-bootstrap
standard errors and influence functions. J R Stat Soc B 1992;54:83-127.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..text_table import text_table
from .named_correlations import NamedCorrelations, correlation_of, figure_text, place_of
from .refits import batches_of, estimates_of, names_of, refits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol
    from ..trial_batch import TrialBatch
    from .batch import BatchEstimates

__all__ = [
    "CorrelationsOfMany",
    "EndpointCorrelations",
    "correlations_of_many",
    "endpoint_correlations",
]

# Share of the patients of a trial; with more the estimate is no smooth function of them.
_MOST_DOUBLED = 0.1
# Of the model's standard error: below it a jackknife standard error is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class EndpointCorrelations(NamedCorrelations):
    """Correlations between the estimates of a trial's endpoints.

    Attributes
    ----------
    names
        Of the endpoints, or of clusters as "endpoint: cluster".
    matrix
        Correlations, shape (endpoints, endpoints); NaN where an endpoint has none.
    matrix_standard_errors
        Of the correlations, from the patients' influences (delta method, no law assumed), the same shape; with 40
        patients a tenth too small, of correlations near 1 up to two fifths.
    standard_errors
        Of the effects by the jackknife, on the endpoints' scales, shape (endpoints,).
    effects, model_standard_errors
        As the endpoints give them, shape (endpoints,).
    influence
        Of each patient on each effect, not centred, shape (patients, endpoints).
    patients
        Randomised by the look; all of them count, those without an outcome with no influence.
    doubled
        By name, how many patients were entered twice because without them there is no estimate.
    failures
        By name, why an endpoint has no correlations.
    """

    effects: NDArray[np.float64]
    model_standard_errors: NDArray[np.float64]
    influence: NDArray[np.float64] = field(repr=False)
    patients: int
    doubled: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        headings = ["Endpoint", "SE", "jackknife SE", *(str(number) for number in range(1, len(self.names) + 1))]
        rows = [
            [f"{number} {name}", figure_text(own, 4), figure_text(found, 4), *(figure_text(value, 2) for value in row)]
            for number, (name, own, found, row) in enumerate(
                zip(self.names, self.model_standard_errors, self.standard_errors, self.matrix, strict=True), start=1
            )
        ]
        lines = [f"Correlations of estimates, from {self.patients} patients", text_table(headings, rows)]
        lines += [f"{name}: {count} entered twice, not left out" for name, count in self.doubled.items()]
        return "\n".join([*lines, *(f"{name}: {reason}" for name, reason in self.failures.items())])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file; None where there is no number."""
        return {
            "names": list(self.names),
            "correlations": [[_or_none(value) for value in row] for row in self.matrix],
            "correlation_standard_errors": [[_or_none(value) for value in row] for row in self.matrix_standard_errors],
            "jackknife_standard_errors": [_or_none(value) for value in self.standard_errors],
            "standard_errors": [_or_none(value) for value in self.model_standard_errors],
            "patients": self.patients,
            "doubled": dict(self.doubled),
            "failures": dict(self.failures),
        }


@dataclass(frozen=True, eq=False)
class CorrelationsOfMany:
    """Correlations between the estimates of endpoints, from the data of each of many trials.

    Attributes
    ----------
    names
        Of the endpoints, or of clusters as "endpoint: cluster".
    matrix, matrix_standard_errors
        Shape (trials, endpoints, endpoints), NaN where a trial has none.
    standard_errors, effects, model_standard_errors
        Shape (trials, endpoints).
    influence
        Shape (trials, patients, endpoints), 0 where there is no patient.
    patients
        Shape (trials,).
    doubled
        Shape (trials, endpoints).
    failures
        By name, why a trial has none, by its number from 0.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    matrix_standard_errors: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    effects: NDArray[np.float64]
    model_standard_errors: NDArray[np.float64]
    influence: NDArray[np.float64] = field(repr=False)
    patients: NDArray[np.intp]
    doubled: NDArray[np.intp]
    failures: Mapping[str, Mapping[int, str]]

    def of(self, first: str, second: str) -> NDArray[np.float64]:
        """The correlation of two estimates, NaN where a trial has none, shape (trials,)."""
        return self.matrix[:, place_of(self.names, first), place_of(self.names, second)]


def endpoint_correlations(
    protocol: Protocol, data: TrialData, followed: TrialData | None = None, names: Sequence[str] | None = None
) -> EndpointCorrelations:
    """Correlations between the estimates of a trial's endpoints, by leaving out one patient after the other.

    Parameters
    ----------
    data
        What was known at the look, as `TrialResult.data`.
    followed
        The same patients to the end of their follow-up, as `TrialResult.followed`, for endpoints that are of these;
        `data` when absent.
    names
        Of endpoints, or clusters as "endpoint: cluster"; all endpoints when absent.

    Raises
    ------
    InputError
        For a name that is no endpoint's, or `followed` of other patients.
    """
    trials, later = batches_of(data, followed)
    found = correlations_of_many(protocol, trials, later, names)
    return EndpointCorrelations(
        names=found.names,
        matrix=found.matrix[0],
        matrix_standard_errors=found.matrix_standard_errors[0],
        standard_errors=found.standard_errors[0],
        effects=found.effects[0],
        model_standard_errors=found.model_standard_errors[0],
        influence=found.influence[0],
        patients=len(data),
        doubled={name: int(count) for name, count in zip(found.names, found.doubled[0], strict=True) if count},
        failures={name: reasons[0] for name, reasons in found.failures.items() if reasons},
    )


def correlations_of_many(
    protocol: Protocol, trials: TrialBatch, followed: TrialBatch | None = None, names: Sequence[str] | None = None
) -> CorrelationsOfMany:
    """`endpoint_correlations` of each of many trials; a trial of n patients is n fits, some hundreds of them together.

    Parameters
    ----------
    trials, followed, names
        As for `endpoint_correlations`, of many trials; patients in the same places of both.

    Raises
    ------
    InputError
        For a name that is no endpoint's, or `followed` of other patients.
    """
    later = trials if followed is None else followed
    if not np.array_equal(later.arm, trials.arm):
        raise InputError("followed", later.arm.shape, "the patients of the trials in the same places")
    chosen = names_of(protocol, names)
    found = _influences(protocol, chosen, trials, later)
    scaled = [part.scaled(trials.arm) for part in found]
    matrix, errors = np.empty((2, len(trials), len(chosen), len(chosen)))
    for one, two in np.ndindex(len(chosen), len(chosen)):
        matrix[:, one, two], errors[:, one, two] = correlation_of(scaled[one], scaled[two])
    return CorrelationsOfMany(
        names=chosen,
        matrix=matrix,
        matrix_standard_errors=errors,
        standard_errors=np.stack([np.sqrt((part**2).sum(axis=1)) for part in scaled], axis=1),
        effects=np.stack([part.whole.effect for part in found], axis=1),
        model_standard_errors=np.stack([part.whole.standard_error for part in found], axis=1),
        influence=np.stack([part.values for part in found], axis=2),
        patients=(trials.arm >= 0).sum(axis=1),
        doubled=np.stack([part.doubled for part in found], axis=1),
        failures={name: part.failures for name, part in zip(chosen, found, strict=True)},
    )


@dataclass(frozen=True, eq=False)
class _Influence:
    """On one endpoint's effects: of each patient, shape (trials, patients), 0 without a patient; and how it was had."""

    whole: BatchEstimates
    values: NDArray[np.float64]
    doubled: NDArray[np.intp]
    failures: dict[int, str]

    def scaled(self, arm: NDArray[np.intp]) -> NDArray[np.float64]:
        """Centred within arms and scaled so that squares sum to the effect's variance, (trials, patients)."""
        found = np.zeros(arm.shape)
        for at in range(int(arm.max(initial=0)) + 1):
            here = arm == at
            count = here.sum(axis=1, keepdims=True)
            mean = np.where(here, self.values, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
            weight = np.where(count > 1, 1.0 / np.sqrt(np.maximum(count * (count - 1.0), 1.0)), 0.0)
            found = np.where(here, (self.values - mean) * weight, found)
        found[list(self.failures)] = np.nan
        return found


def _influences(protocol: Protocol, names: tuple[str, ...], trials: TrialBatch, later: TrialBatch) -> list[_Influence]:
    every, places = np.arange(len(trials)), np.arange(trials.arm.shape[1])
    complete = estimates_of(protocol, names, trials, later)
    row, patient = np.nonzero(trials.arm >= 0)

    def without(some: NDArray[np.intp]) -> NDArray[np.intp]:
        return places[:-1] + (places[:-1] >= some[:, None])

    def twice(some: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.concatenate([np.broadcast_to(places, (len(some), len(places))), some[:, None]], axis=1)

    left = refits(protocol, names, trials, later, row, patient, without)
    arms = np.stack([(trials.arm == at).sum(axis=1) for at in range(len(trials.arm_names))], axis=1)
    number, present = arms[row, trials.arm[row, patient]], arms.sum(axis=1)
    result = []
    for name, known, gone in zip(names, complete, left, strict=True):
        failures = dict(known.failures)
        for at in every[np.isnan(known.effect) | (arms[:, :2] < 2).any(axis=1)]:
            failures.setdefault(int(at), "an arm has fewer than two patients")
        lost = np.isnan(gone.effect) & ~np.isnan(known.effect)[row]
        doubled = np.bincount(row[lost], minlength=len(trials))
        for at in every[doubled > _MOST_DOUBLED * present]:
            failures.setdefault(int(at), _refusal("left out", gone, row, lost, at, int(present[at])))
        found = (number - 1) * (known.effect[row] - gone.effect)
        again = np.flatnonzero(lost & ~np.isin(row, list(failures)))
        if len(again):
            added = refits(protocol, (name,), trials, later, row[again], patient[again], twice)[0]
            found[again] = (number[again] + 1) * (added.effect - known.effect[row[again]])
            missed = np.isnan(added.effect)
            for at in np.unique(row[again][missed]):
                reason = _refusal("entered twice", added, row[again], missed, at, int(present[at]))
                failures.setdefault(int(at), reason)
        values = np.zeros(trials.arm.shape)
        values[row, patient] = found
        part = _Influence(known, values, doubled, failures)
        size = np.sqrt((part.scaled(trials.arm) ** 2).sum(axis=1))
        for at in every[size <= _ROUNDING * known.standard_error]:
            failures[int(at)] = "no patient moves the estimate"
        values[list(failures)] = np.nan
        doubled[list(failures)] = 0
        result.append(replace(part, failures=dict(sorted(failures.items()))))
    return result


def _refusal(
    done: str, found: BatchEstimates, row: NDArray[np.intp], lost: NDArray[np.bool_], at: int, present: int
) -> str:
    here = np.flatnonzero(lost & (row == at))
    reason = found.failures.get(int(here[0]), "it could not be estimated")
    return f"no estimate with any of {len(here)} of {present} patients {done}: {reason}"


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
