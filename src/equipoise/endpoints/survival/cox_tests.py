"""What a fitted Cox regression is asked afterwards: whether hazards are proportional, how well it orders events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError, NotEstimable
from .kaplan_meier import kaplan_meier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cox import CoxFit

__all__ = ["ProportionalHazardsTest", "concordance", "proportional_hazards"]

_PAIRS = 1_000_000
_SINGULAR = 1e-9  # of the information, below which a direction counts as told by nobody


@dataclass(frozen=True, slots=True)
class ProportionalHazardsTest:
    """Score tests that hazard ratios do not change with time.

    Attributes
    ----------
    terms
        Names of what is tested: each term, then "all".
    chi_squares, degrees_of_freedom
        Of each, in that order.
    """

    terms: tuple[str, ...]
    chi_squares: tuple[float, ...]
    degrees_of_freedom: tuple[int, ...]

    @property
    def p_values(self) -> tuple[float, ...]:
        """Of the chi-squares on their degrees of freedom."""
        from scipy.special import chdtrc

        return tuple(
            float(chdtrc(freedom, found))
            for found, freedom in zip(self.chi_squares, self.degrees_of_freedom, strict=True)
        )

    @property
    def p_value(self) -> float:
        """Of all terms together."""
        return self.p_values[-1]

    def __str__(self) -> str:
        width = max(len(term) for term in self.terms)
        rows = zip(self.terms, self.chi_squares, self.degrees_of_freedom, self.p_values, strict=True)
        return "\n".join(
            ["proportional hazards:"]
            + [
                f"  {term:<{width}}  chi-square {found:.4g} on {freedom} df, p {p:.4g}"
                for term, found, freedom, p in rows
            ]
        )


def proportional_hazards(fit: CoxFit, terms: Mapping[str, Sequence[str]] | None = None) -> ProportionalHazardsTest:
    """Score tests of coefficients that change with time as 1 - S(t-), S the survival of all patients together.

    Grambsch & Therneau 1994, Biometrika 81:515, with the information itself in place of their approximation, as R's
    survival does from version 3. Time is on the Kaplan-Meier scale, on which no late event weighs more than others.
    The tests leave clusters out of account, and take exact ties as Breslow's.

    Parameters
    ----------
    terms
        Names of coefficients that are tested together, by the name of the term; each on its own when absent.

    Raises
    ------
    InputError
        For names the fit does not have.
    NotEstimable
        Where the events tell nothing of a change with time.
    """
    model = fit.model
    likelihood, back = model.likelihood, model.back[0]
    rows = likelihood.rows
    groups = {name: (name,) for name in fit.names} if terms is None else dict(terms)
    for names in groups.values():
        for name in names:
            if name not in fit.names:
                raise InputError("terms", name, f"one of {', '.join(fit.names)}")
    present = model.given.present[0]
    time, event = model.given.time[0, present], model.given.event[0, present]
    curve = kaplan_meier(time, event)
    moments = rows.time.ravel()[rows.at.place]
    before = np.searchsorted(curve.times, moments, side="left")
    scale = 1 - np.concatenate(([1.0], curve.survival))[before]
    scale = scale - scale.mean()

    sums = likelihood.risk_sums(np.linalg.solve(back, fit.coefficients)[None])
    to_design = np.linalg.inv(back)
    score = (likelihood.score(sums, scale) @ to_design)[0]
    plain, once, twice = (
        to_design.T @ likelihood.information(sums, multiple)[0] @ to_design for multiple in (None, scale, scale**2)
    )
    matrix = twice - once @ np.linalg.solve(plain, once)
    found, freedom = [], []
    for chosen in (*groups.values(), fit.names):
        at = [fit.names.index(name) for name in chosen]
        block = matrix[np.ix_(at, at)]
        if np.linalg.matrix_rank(block, tol=_SINGULAR * float(np.abs(plain).max())) < len(at):
            raise NotEstimable("the events are too few, or too alike in time, to tell whether hazard ratios change")
        found.append(float(score[at] @ np.linalg.solve(block, score[at])))
        freedom.append(len(at))
    return ProportionalHazardsTest((*groups, "all"), tuple(found), tuple(freedom))


def concordance(fit: CoxFit) -> float:
    """Share of pairs whose order of events the linear predictor tells; equal predictors count one half.

    Harrell et al. 1982, JAMA 247:2543. A pair counts where it is known who had the event first: the other was followed
    longer, or was censored at the same time; strata are apart. NaN where there is no such pair.
    """
    given = fit.model.given
    present = given.present[0]
    time, event = given.time[0, present], given.event[0, present]
    columns = fit.model.design.basis[0, 1:, present]
    predictor = np.round(columns @ np.linalg.solve(fit.model.back[0], fit.coefficients), 12)
    stratum = np.zeros(time.size, dtype=np.intp) if given.strata is None else given.strata[0, present]
    agree = pairs = 0.0
    for code in np.unique(stratum):
        here = stratum == code
        counts = _pairs(time[here], event[here], predictor[here])
        agree, pairs = agree + counts[0], pairs + counts[1]
    return agree / pairs if pairs else float("nan")


def _pairs(time: NDArray[np.float64], event: NDArray[np.bool_], predictor: NDArray[np.float64]) -> tuple[float, float]:
    """Pairs in the right order, with halves, and all pairs whose order is known."""
    agree = pairs = 0.0
    had = np.flatnonzero(event)
    step = max(1, _PAIRS // time.size)
    for start in range(0, had.size, step):
        first = had[start : start + step, None]
        later = (time > time[first]) | ((time == time[first]) & ~event)
        gap = np.sign(predictor[first] - predictor)
        agree += float(((gap + 1) / 2)[later].sum())
        pairs += float(np.count_nonzero(later))
    return agree, pairs
