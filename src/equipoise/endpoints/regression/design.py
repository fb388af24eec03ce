"""Design matrices of many trials on orthogonal columns, so that units and offsets of covariates do no harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .trials import Trials

__all__ = ["Design", "design_of", "gradient_of", "information_of", "linear_predictor"]

_CONSTANT = 1e-12
_DEPENDENT = 1e-7
_INVOLVED = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Intercept, arms but control, and covariates of many trials.

    Attributes
    ----------
    names
        Of the coefficients: intercept, arms, covariates.
    arms
        Number of arms, control included.
    arm
        As given, but -1 for patients who are not analysed, shape (trials, patients).
    basis
        Orthogonal columns that span the design: first the intercept, then each column less what the columns before it
        tell, of mean square 1 over the patients analysed and 0 elsewhere; shape (trials, coefficients, patients).
    back
        Turns coefficients of the basis into those of the design, shape (trials, coefficients, coefficients).
    centre
        Means of the columns of the design over the patients analysed, shape (trials, coefficients).
    scale
        Their standard deviations (divisor n), 1 for the intercept, shape (trials, coefficients).
    aliased
        Columns that those before them determine; their basis is 0; shape (trials, coefficients).
    patients, dropped
        Patients analysed, and those left out for missing values, shape (trials,).
    failures
        Why a trial has no design.
    """

    names: tuple[str, ...]
    arms: int
    arm: NDArray[np.intp]
    basis: NDArray[np.float64]
    back: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    aliased: NDArray[np.bool_]
    patients: NDArray[np.intp]
    dropped: NDArray[np.intp]
    failures: dict[int, InputError]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Who is analysed, shape (trials, patients)."""
        return self.arm >= 0

    def sizes(self) -> NDArray[np.intp]:
        """Patients analysed by arm, shape (trials, arms)."""
        return self.by_arm(np.ones(self.arm.shape)).astype(np.intp)

    def by_arm(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the patients of each arm, shape (trials, arms)."""
        return np.stack([(values * (self.arm == at)).sum(axis=1) for at in range(self.arms)], axis=1)

    def running_away(self, row: int, step: NDArray[np.float64]) -> str:
        """Names of the columns along which a likelihood without a maximum runs, given the step it would take next."""
        turned = np.abs(self.back[row] @ step * self.scale[row])[1:]
        involved = turned >= _INVOLVED * turned.max(initial=0.0)
        return ", ".join(name for name, named in zip(self.names[1:], involved, strict=True) if named)


def linear_predictor(basis: NDArray[np.float64], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (trials, patients), of a basis (trials, q, patients) and coefficients (trials, q)."""
    return np.matmul(coefficients[:, None], basis)[:, 0]


def gradient_of(basis: NDArray[np.float64], residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of residuals (trials, patients) times each column, shape (trials, q)."""
    return np.matmul(basis, residuals[:, :, None])[:, :, 0]


def information_of(
    basis: NDArray[np.float64], weights: NDArray[np.float64], aliased: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Weighted cross-products (trials, q, q), weights (trials, patients); 1 on the diagonal of an aliased column."""
    found = np.matmul(basis * weights[:, None], basis.swapaxes(1, 2))
    if aliased.any():
        trial, column = np.nonzero(aliased)
        found[trial, column, column] = 1.0
    return found


def _columns(trials: Trials) -> NDArray[np.float64]:
    """Arms but control and covariates, shape (trials, columns, patients)."""
    indicators = [trials.arm == at for at in range(1, trials.arms)]
    return np.concatenate((np.stack(indicators, axis=1), np.moveaxis(trials.covariates, 2, 1)), axis=1)


def _orthogonal(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Gram and Schmidt's columns of length 1, the triangle R, and which columns are combinations of those before.

    Each column is cleared of the earlier ones twice, which leaves them orthogonal to rounding (Giraud et al. 2005).
    """
    trials, count, _ = columns.shape
    basis = np.zeros_like(columns)
    triangle = np.zeros((trials, count, count))
    aliased = np.zeros((trials, count), dtype=bool)
    for at in range(count):
        rest = columns[:, at]
        for _ in range(2 if at else 0):
            along = np.matmul(basis[:, :at], rest[:, :, None])
            triangle[:, :at, at] += along[:, :, 0]
            rest = rest - np.matmul(along.swapaxes(1, 2), basis[:, :at])[:, 0]
        length = np.sqrt((rest * rest).sum(axis=1))
        aliased[:, at] = length < _DEPENDENT
        triangle[:, at, at] = np.where(aliased[:, at], 1.0, length)
        triangle[:, :at, at][aliased[:, at]] = 0.0
        basis[:, at] = np.where(aliased[:, at], 0.0, 1.0 / triangle[:, at, at])[:, None] * rest
    return basis, triangle, aliased


def design_of(trials: Trials, usable: NDArray[np.bool_] | None = None, *, drop_absent: bool = False) -> Design:
    """The design of many trials, over patients with complete data.

    Parameters
    ----------
    trials
        Outcome, arm and covariates.
    usable
        Patients who may be analysed, shape (trials, patients); all when absent.
    drop_absent
        Whether covariates that are 0 for all patients analysed of a trial, as the indicator of a level that none of
        them has, are left out of its model; otherwise that trial fails.
    """
    kept = trials.complete if usable is None else trials.complete & usable
    arm = np.where(kept, trials.arm, -1)
    patients = kept.sum(axis=1)
    names = ("arm",) if trials.arms == 2 else tuple(f"arm {at}" for at in range(1, trials.arms))
    names = ("intercept", *names, *trials.names)
    sizes = np.stack([(arm == at).sum(axis=1) for at in range(trials.arms)], axis=1)
    failures = {
        int(at): InputError(
            "arm", sizes[at].tolist(), "at least one patient with complete data in every arm (control first)"
        )
        for at in np.flatnonzero(sizes.min(axis=1) == 0)
    }

    columns = np.where(kept[:, None], _columns(trials), 0.0)
    share = 1.0 / np.maximum(patients, 1)[:, None]
    centre = columns.sum(axis=2) * share
    size = np.sqrt((columns * columns).sum(axis=2) * share)
    columns -= centre[:, :, None]
    columns *= kept[:, None]
    scale = np.sqrt((columns * columns).sum(axis=2) * share)
    constant = scale <= _CONSTANT * size
    scale = np.where(constant, 1.0, scale)
    columns *= (np.where(constant, 0.0, 1.0) / scale)[:, :, None] * np.sqrt(share)[:, :, None]
    orthogonal, triangle, aliased = _orthogonal(columns)

    count = len(names)
    basis = np.empty((len(trials), count, arm.shape[1]))
    basis[:, 0] = kept
    np.multiply(orthogonal, np.sqrt(patients)[:, None, None], out=basis[:, 1:])
    slopes = np.linalg.solve(triangle, np.broadcast_to(np.eye(count - 1), triangle.shape)) / scale[:, :, None]
    back = np.zeros((len(trials), count, count))
    back[:, 0, 0] = 1.0
    back[:, 0, 1:] = -np.matmul(centre[:, None], slopes)[:, 0]
    back[:, 1:, 1:] = slopes
    for at, column in zip(*np.nonzero(aliased), strict=True):
        if int(at) in failures or (drop_absent and size[at, column] == 0):
            continue
        if constant[at, column]:
            reason = "a covariate that varies between patients"
        else:
            reason = "a covariate that the arms and the covariates before it do not determine"
        failures[int(at)] = InputError("covariates", names[column + 1], reason)
    leading = np.ones((len(trials), 1))
    return Design(
        names=names,
        arms=trials.arms,
        arm=arm,
        basis=basis,
        back=back,
        centre=np.concatenate((leading, centre), axis=1),
        scale=np.concatenate((leading, scale), axis=1),
        aliased=np.concatenate((np.zeros((len(trials), 1), dtype=bool), aliased), axis=1),
        patients=patients,
        dropped=(trials.arm >= 0).sum(axis=1) - patients,
        failures=failures,
    )
