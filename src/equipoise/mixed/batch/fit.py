"""The mixed model for repeated measures fitted to many trials of one design at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...checks import any_shape, choice, numbers, whole
from ...errors import InputError
from ...threads import available_threads
from ..errors import FitError

__all__ = ["BatchFit", "fit_batch"]

Array = NDArray[np.float64]

_KINDS = {"normal": 0, "satterthwaite": 1, "kenward-roger": 2}
_CHUNK = 128
_LARGEST_MEMORY = 2**28
_FEW_PATIENTS, _LONG_WAY = 20, 12


@dataclass(frozen=True, eq=False, repr=False)
class BatchFit:
    """One contrast of the mixed model in each of many trials.

    Attributes
    ----------
    effect, standard_error, degrees_of_freedom
        (trials,) of the contrast, in units of the outcome; NaN in trials that could not be fitted.
    information
        (trials,) 1 / standard_error^2.
    converged
        (trials,) boolean: fitted.
    iterations
        (trials,) steps of the optimiser.
    covariance
        (trials, visits, visits) estimated covariance between a patient's visits.
    coefficients
        (trials, columns): visit means, differences of the further arms at each visit, slopes of the covariates.
    failure
        (trials,) why a trial could not be fitted, "" where it was.
    """

    effect: Array
    standard_error: Array
    degrees_of_freedom: Array
    information: Array
    converged: NDArray[np.bool_]
    iterations: NDArray[np.int64]
    covariance: Array
    coefficients: Array
    failure: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.effect)

    def __str__(self) -> str:
        fitted = int(self.converged.sum())
        lines = [f"Mixed model in {len(self)} trials, {fitted} fitted"]
        if fitted:
            chosen = self.converged
            for name, values in (
                ("effect", self.effect),
                ("standard error", self.standard_error),
                ("degrees of freedom", self.degrees_of_freedom),
                ("iterations", self.iterations),
            ):
                low, middle, high = np.quantile(values[chosen], (0.0, 0.5, 1.0), method="nearest")
                lines.append(f"  {name:<20}median {middle:.4g}, from {low:.4g} to {high:.4g}")
        reasons: dict[str, int] = {}
        for reason in filter(None, self.failure):
            reasons[reason] = reasons.get(reason, 0) + 1
        lines += [f"  {count} not fitted: {reason}" for reason, count in list(reasons.items())[:5]]
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True)
class _Problem:
    """Checked arrays, arm (1 or trials, patients) and covariates (1 or trials, patients, k)."""

    outcome: Array
    arm: NDArray[np.int64]
    covariates: Array
    by_visit: NDArray[np.bool_]
    n_arms: int

    @property
    def n_visits(self) -> int:
        return self.outcome.shape[2]

    @property
    def n_slopes(self) -> int:
        """Columns with a slope of their own at every visit, the arms among them."""
        return self.n_arms + int(self.by_visit.sum())

    @property
    def n_columns(self) -> int:
        return self.n_slopes * self.n_visits + int((~self.by_visit).sum())

    def order(self) -> NDArray[np.int64]:
        """Position of the kernel's columns, covariates by visit first, among the user's."""
        position = self.n_arms * self.n_visits
        own, common = list(range(position)), []
        for each in self.by_visit:
            if each:
                own += range(position, position + self.n_visits)
            else:
                common.append(position)
            position += self.n_visits if each else 1
        return np.array(own + common, dtype=np.int64)

    def places(self) -> NDArray[np.int64]:
        """Position of the covariates among those by visit, then the others."""
        places = np.empty(self.by_visit.size, dtype=np.int64)
        places[np.argsort(~self.by_visit, kind="stable")] = np.arange(self.by_visit.size)
        return places

    def one(self, trial: int) -> tuple[Array, Array]:
        """Outcome (patients, visits) and design (patients, visits, columns) of one trial."""

        def own(array: Any) -> Any:
            return array[trial if len(array) > 1 else 0]

        arm, covariates = own(self.arm), own(self.covariates)
        usable = ~np.isnan(covariates).any(axis=1)
        outcome = np.where(usable[:, None], self.outcome[trial], np.nan)
        covariates = np.where(usable[:, None], covariates, 0.0)
        n_patients = len(outcome)
        eye = np.eye(self.n_visits)
        blocks = [np.broadcast_to(eye, (n_patients, self.n_visits, self.n_visits))]
        blocks += [(arm == at)[:, None, None] * eye for at in range(1, self.n_arms)]
        for column, each in enumerate(self.by_visit):
            values = covariates[:, column, None, None]
            blocks.append(values * eye if each else np.broadcast_to(values, (n_patients, self.n_visits, 1)))
        return outcome, np.concatenate(blocks, axis=2)


def fit_batch(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    by_visit: bool | Sequence[bool] = False,
    visit: int = -1,
    arms: tuple[int, int] = (1, 0),
    contrast: ArrayLike | None = None,
    method: Literal["reml", "ml"] = "reml",
    degrees_of_freedom: Literal["satterthwaite", "kenward-roger", "normal"] = "satterthwaite",
    start: BatchFit | ArrayLike | None = None,
    threads: int | None = None,
) -> BatchFit:
    """Fit the mixed model with an unstructured covariance to many trials, and test one contrast in each.

    The model and its numbers are those of `fit_mmrm`: a mean for each visit, for every arm after the first its
    difference at each visit, and the covariates. Eight trials are fitted side by side by Newton's method on sufficient
    statistics of the patterns of missing visits, in which the expensive part of the information, of relative size
    columns / patients, is only computed at the maximum (Lindstrom & Bates 1988, J Am Stat Assoc 83:1014; Johnson &
    Thompson 1995, J Dairy Sci 78:449). A trial not brought to its maximum in this way goes to `fit_mmrm` by itself. A
    trial's numbers depend neither on the trials beside it nor on the number of threads. The first call compiles for
    some seconds; the compiled code is kept on disk.

    Parameters
    ----------
    outcome
        (trials, patients, visits), NaN where not observed; patients without any visit observed do not enter.
    arm
        (patients,) or (trials, patients) integers from 0; there are as many arms as the largest of all trials says.
    covariates
        (patients, k) or (trials, patients, k) or None; a patient with a NaN does not enter.
    by_visit
        Which covariates have a slope of their own at every visit, all or each; the others have one common slope.
    visit, arms
        The contrast is the difference of the two arms, first minus second, at this visit.
    contrast
        (columns,) a linear combination of the coefficients instead: visit means, differences of arm 1, 2, ... at each
        visit, then for each covariate one slope, or one a visit.
    method
        "reml" or "ml".
    degrees_of_freedom
        "satterthwaite", "kenward-roger" (with the adjusted standard error; the parameters are the covariance entries,
        "Kenward-Roger-Linear" of R's mmrm) or "normal" (infinite).
    start
        An earlier fit of the same trials, or covariances (trials, visits, visits), to begin from; it only saves time.
    threads
        How many to use; those available (`equipoise.threads`) if None.

    Raises
    ------
    InputError
        Arrays of the wrong shape, infinite values, an unknown option.
    """
    kind = choice("degrees_of_freedom", degrees_of_freedom, tuple(_KINDS))
    choice("method", method, ("reml", "ml"))
    if kind == "kenward-roger" and method != "reml":
        raise InputError("method", method, "'reml' with Kenward-Roger degrees of freedom")
    problem = _checked(outcome, arm, covariates, by_visit, arms if contrast is None else (0, 0))
    weights = _contrast(problem, visit, arms, contrast)
    begin = _start(problem, start)
    workers = whole("threads", threads, "a whole number of at least 1") if threads is not None else available_threads()
    if workers < 1:
        raise InputError("threads", threads, "a whole number of at least 1")

    n_trials, _, n_visits = problem.outcome.shape
    pairs = n_visits * (n_visits + 1) // 2
    effect, variance, degrees = (np.full(n_trials, np.nan) for _ in range(3))
    coefficients = np.full((n_trials, problem.n_columns), np.nan)
    covariance = np.full((n_trials, n_visits, n_visits), np.nan)
    fitted = np.zeros(n_trials, dtype=np.bool_)
    iterations = np.zeros(n_trials, dtype=np.int64)

    if pairs * (pairs + problem.n_columns**2 // 2) * 64 <= _LARGEST_MEMORY:
        from .kernels import fit_trials

        order = problem.order()
        halves, gathered = _products_of_pairs(n_visits)
        given = (problem.outcome, problem.arm, problem.covariates, problem.places(), order)
        model = (problem.n_arms, problem.n_slopes, weights[order], begin, _KINDS[kind], method == "reml")
        results = (effect, variance, degrees, coefficients, covariance, fitted, iterations)

        def run(first: int) -> None:
            fit_trials(*given, *model, halves, gathered, first, min(first + _CHUNK, n_trials), *results)

        chunks = range(0, n_trials, _CHUNK)
        run(0)
        if workers == 1:
            for first in chunks[1:]:
                run(first)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(run, chunks[1:]))

    if problem.outcome.shape[1] < _FEW_PATIENTS:
        # So few data can have several maxima; a long way may have led to another one than `fit_mmrm` finds.
        fitted &= iterations <= _LONG_WAY
    standard_error = np.sqrt(variance)
    failure = [""] * n_trials
    for trial in np.flatnonzero(~fitted):
        reason = _fit_alone(problem, int(trial), weights, method, kind)
        if isinstance(reason, str):
            failure[trial] = reason
            continue
        estimate, fit = reason
        effect[trial], standard_error[trial] = estimate.effect, estimate.standard_error
        degrees[trial] = estimate.degrees_of_freedom
        coefficients[trial], covariance[trial] = fit.coefficients, fit.covariance
        iterations[trial], fitted[trial] = fit.iterations, True
    return BatchFit(
        effect=effect,
        standard_error=standard_error,
        degrees_of_freedom=degrees,
        information=1.0 / standard_error**2,
        converged=fitted,
        iterations=iterations,
        covariance=covariance,
        coefficients=coefficients,
        failure=tuple(failure),
    )


def _fit_alone(problem: _Problem, trial: int, contrast: Array, method: Any, kind: Any) -> Any:
    """The contrast's estimate and the fit of one trial by `fit_mmrm`, or the reason why there is none."""
    from ..fit import fit_mmrm

    outcome, design = problem.one(trial)
    if np.isinf(outcome).any():
        raise InputError("outcome", np.inf, "finite values, or NaN where not observed")
    if np.isinf(design).any():
        raise InputError("covariates", np.inf, "finite values, or NaN where missing")
    try:
        fit = fit_mmrm(outcome, design, method=method, degrees_of_freedom=kind)
        return fit.estimate(contrast), fit
    except (FitError, InputError) as refusal:
        return str(refusal)


def _checked(outcome: Any, arm: Any, covariates: Any, by_visit: Any, arms: Any) -> _Problem:
    y = np.ascontiguousarray(any_shape("outcome", outcome, "numbers, or NaN", infinite=True, missing=True))
    if y.ndim != 3 or y.size == 0:
        raise InputError("outcome", y.shape, "an array of shape (trials, patients, visits)")
    n_trials, n_patients, n_visits = y.shape
    if n_visits > 40:
        raise InputError("outcome", y.shape, "at most 40 visits")
    given = np.asarray(arm)
    if given.shape not in ((n_patients,), (n_trials, n_patients)):
        raise InputError("arm", given.shape, f"shape {(n_patients,)} or {(n_trials, n_patients)}")
    if given.dtype.kind not in "iu" or given.min() < 0:
        raise InputError("arm", given.dtype if given.dtype.kind not in "iu" else int(given.min()), "integers from 0")
    found = np.ascontiguousarray(given.reshape(-1, n_patients), dtype=np.int64)
    pair = numbers("arms", arms, "two arms")
    if pair.shape != (2,) or (pair != np.round(pair)).any() or pair.min() < 0:
        raise InputError("arms", arms, "two arms, counted from 0")
    n_arms = int(max(found.max(), pair.max())) + 1

    values = np.zeros((1, n_patients, 0))
    if covariates is not None:
        values = any_shape("covariates", covariates, "numbers, or NaN where missing", infinite=True, missing=True)
        if values.ndim not in (2, 3) or values.shape[:-1] not in ((n_patients,), (n_trials, n_patients)):
            shapes = f"shape {(n_patients, 'k')} or {(n_trials, n_patients, 'k')}"
            raise InputError("covariates", values.shape, shapes)
        values = np.ascontiguousarray(values.reshape(-1, n_patients, values.shape[-1]))
    flags = np.asarray(by_visit)
    flags = flags.astype(np.bool_) if flags.size == 0 else flags
    if flags.dtype != np.bool_ or flags.shape not in ((), (values.shape[2],)):
        raise InputError("by_visit", by_visit, f"True or False, or {values.shape[2]} of them, one a covariate")
    flags = np.ascontiguousarray(np.broadcast_to(flags, values.shape[2]))
    return _Problem(y, found, values, flags, n_arms)


def _contrast(problem: _Problem, visit: Any, arms: Any, contrast: Any) -> Array:
    if contrast is not None:
        given = numbers("contrast", contrast)
        if given.shape != (problem.n_columns,):
            raise InputError("contrast", given.shape, f"{problem.n_columns} numbers, one a column")
        if not given.any():
            raise InputError("contrast", "only zeros", "at least one number that is not zero")
        return given
    n_visits = problem.n_visits
    at = whole("visit", visit)
    if not -n_visits <= at < n_visits:
        raise InputError("visit", visit, f"a visit from 0 to {n_visits - 1}, or from the end")
    first, second = (int(one) for one in arms)
    if first == second:
        raise InputError("arms", arms, "two different arms")
    weights = np.zeros(problem.n_columns)
    for one, sign in ((first, 1.0), (second, -1.0)):
        if one > 0:
            weights[one * n_visits + at % n_visits] = sign
    return weights


def _start(problem: _Problem, start: Any) -> Array:
    n_trials, _, n_visits = problem.outcome.shape
    if start is None:
        return np.zeros((0, n_visits, n_visits))
    given = start.covariance if isinstance(start, BatchFit) else start
    found = any_shape("start", given, "covariances", infinite=True, missing=True)
    if found.shape != (n_trials, n_visits, n_visits):
        raise InputError("start", found.shape, f"covariances of shape {(n_trials, n_visits, n_visits)}")
    return np.ascontiguousarray(found)


@lru_cache(maxsize=8)
def _products_of_pairs(n_visits: int) -> tuple[Array, NDArray[np.int64]]:
    """Of entries a = (j, k) and b = (l, n) of a covariance, in the order (0, 0), (1, 0), (1, 1), ...: a half for a
    variance and one for a covariance (pairs,), and where in a lower triangle of pairs by pairs the products of entries
    (k, l) with (n, j), (j, l) with (n, k), (k, n) with (l, j) and (j, n) with (l, k) stand (pairs, pairs, 4).
    """
    j, k = np.tril_indices(n_visits)

    def position(row: Any, column: Any) -> Any:
        first, second = np.maximum(row, column), np.minimum(row, column)
        return first * (first + 1) // 2 + second

    size = j.size
    j, k, l, n = j[:, None], k[:, None], j[None, :], k[None, :]  # noqa: E741
    places = []
    for one, other in (((k, l), (n, j)), ((j, l), (n, k)), ((k, n), (l, j)), ((j, n), (l, k))):
        x, y = position(*one), position(*other)
        places.append(np.maximum(x, y) * size + np.minimum(x, y))
    halves = np.where(j[:, 0] == k[:, 0], 0.5, 1.0)
    return halves, np.ascontiguousarray(np.stack(places, axis=2), dtype=np.int64)
