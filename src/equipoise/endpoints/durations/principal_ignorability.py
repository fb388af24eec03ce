"""The effect in those who would respond to the experimental arm, if covariates tell all that links them to control.

Principal ignorability: among patients alike in the covariates X, how long they would be in response under control has
nothing to do with whether they would respond to the experimental arm, Y(0) independent of S(1) given X (notation of
`principal_stratum`; Jo & Stuart 2009, Stat Med 28:2857; Ding & Lu 2017, JRSS B 79:757; Bornkamp et al. 2021, Pharm Stat
20:737). Then, with e(X) = P(S(1) = 1 | X),

    E[Y(0) | S(1) = 1] = E[e(X) Y(0)] / E[e(X)],

which the control arm gives with its patients weighed by e(X), a logistic regression of response in the experimental
arm. The effect is the mean duration of the experimental arm's responders less the area under the weighted curve of
being in response under control, which may be censored.

Each patient's part in it: of control, that in the weighted curve; of the experimental arm, that in her responders'
mean, less what she adds through the regression. With D the derivative of the weighted area by the coefficients, the sum
over control of part (1 - e) X, and J the information, the latter is D' J^-1 X (S - e). The variance is the sum of the
squared parts. Censoring must not depend on X or, given X, on the time of loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape
from ...errors import InputError, NotEstimable
from ...estimate import Estimate, Scale
from ..regression.logistic import LogisticLikelihood
from ..regression.newton import climb
from .response_curve import ResponseCurve
from .responses import checked_horizon, checked_responses
from .time_in_response import mean_times, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["principal_ignorability"]


def _orthogonal(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthogonal columns that span the intercept and the covariates, those that add nothing left out."""
    spread = columns.std(axis=0)
    varies = spread > 1e-12 * np.abs(columns).max(axis=0, initial=0.0)
    scaled = (columns[:, varies] - columns[:, varies].mean(axis=0)) / spread[varies]
    left, size, _ = np.linalg.svd(np.column_stack([np.ones(len(columns)), scaled]), full_matrices=False)
    return left[:, size > 1e-9 * size[0]] * np.sqrt(len(columns))


def principal_ignorability(
    arm: ArrayLike,
    responded: ArrayLike,
    time: ArrayLike,
    observed: ArrayLike,
    covariates: ArrayLike,
    horizon: float | None = None,
) -> Estimate:
    """Effect on time in response in those who would respond to the experimental arm, under principal ignorability.

    Parameters
    ----------
    arm, responded, time, observed, horizon
        As for `time_in_response`, of shape (patients,).
    covariates
        Known at randomisation, numeric, shape (patients,) or (patients, covariates); patients without one of them (NaN)
        are left out.

    Returns
    -------
    Estimate
        In units of time, with a normal reference.

    Raises
    ------
    InputError
        For arrays or a horizon that are not as described.
    NotEstimable
        As `principal_stratum`, and where the covariates separate those who responded from those who did not.
    """
    arms = any_shape("arm", arm)
    given = any_shape("covariates", covariates, "numbers, or NaN where missing", missing=True)
    columns = given[:, None] if given.ndim == 1 else given
    if columns.ndim != 2 or len(columns) != len(arms):
        raise InputError("covariates", given.shape, f"one row for each of {len(arms)} patients")
    complete = ~np.isnan(columns).any(axis=1)
    times = mean_times(
        checked_responses(np.where(complete, arms, -1), responded, time, observed), checked_horizon(horizon)
    )
    refuse(times.failures(), 1.0)
    responses, until = times.responses, times.horizon
    control, experimental = responses.member
    responder = experimental & responses.responded
    if not responder.any():
        raise NotEstimable("nobody of the experimental arm responded, so that there is no stratum of them")
    known = control | experimental
    basis = np.zeros((len(arms), 0))
    expected = np.ones(len(arms))
    if responder.sum() < experimental.sum():
        found = _orthogonal(columns[known])
        basis = np.zeros((len(arms), found.shape[1]))
        basis[known] = found
        expected = _expected(basis, experimental, responder)
    among = ResponseCurve.of(responder, responses.time, responses.lost)
    lasted, own = among.mean_time(until)
    weighted = ResponseCurve.of(control, responses.time, responses.lost, expected)
    without, parts = weighted.mean_time(until)
    slope = (parts * (1 - expected)) @ basis
    spread = expected * (1 - expected) * experimental
    information = (basis * spread[:, None]).T @ basis
    scores = basis * ((responder - expected) * experimental)[:, None]
    through = scores @ np.linalg.solve(information, slope)
    error = float(np.sqrt(np.sum((own - through - parts) ** 2)))
    refuse({}, error)
    return Estimate(
        float(lasted - without),
        error,
        scale=Scale.TIME_DIFFERENCE,
        label="difference in mean time in response in those who would respond to the experimental arm",
    )


def _expected(
    basis: NDArray[np.float64], experimental: NDArray[np.bool_], responder: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Probability of response to the experimental arm, for patients of either, by logistic regression."""
    likelihood = LogisticLikelihood(
        basis.T[None] * experimental,
        responder[None].astype(float),
        experimental[None].astype(float),
        np.zeros((1, basis.shape[1]), dtype=bool),
    )
    found = climb(likelihood, np.zeros((1, basis.shape[1])))
    if not found.converged[0]:
        raise NotEstimable("the covariates separate those of the experimental arm who responded from those who did not")
    return 1 / (1 + np.exp(-basis @ found.parameters[0]))
