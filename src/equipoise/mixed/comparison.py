"""Fits compared: information criteria, and likelihood-ratio tests between nested models."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import instance
from ..errors import InputError
from .errors import FitError
from .fitted_model import FittedModel
from .nesting import covariance_nested
from .rank import orthonormalised
from .tables import format_p, html_table, table

if TYPE_CHECKING:
    import polars

    from .result import MixedFit

__all__ = ["ComparedFit", "FitComparison", "LikelihoodRatioTest", "compare_fits"]

Array = NDArray[np.floating[Any]]
Criterion = Literal["aic", "aicc", "bic"]

_CRITERIA = ("aic", "aicc", "bic")
_SAME = 1e-8


@dataclass(frozen=True, repr=False)
class ComparedFit:
    """One line of a comparison.

    Attributes
    ----------
    name
        Of the fit in this comparison.
    structure, groups
        Of the covariance; the groups with a covariance of their own.
    n_covariance_parameters, n_coefficients
        Estimated.
    log_likelihood
        Restricted or full.
    aic, aicc, bic
        Smaller is better; penalties count the covariance parameters, and the coefficients too where fits differ in
        their fixed effects.
    """

    name: str
    structure: str
    groups: tuple[str, ...]
    n_covariance_parameters: int
    n_coefficients: int
    log_likelihood: float
    aic: float
    aicc: float
    bic: float

    def __str__(self) -> str:
        return (
            f"{self.name}: log-likelihood {self.log_likelihood:.3f}, {self.n_covariance_parameters} covariance "
            f"parameters, AIC {self.aic:.2f}, AICc {self.aicc:.2f}, BIC {self.bic:.2f}"
        )

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class LikelihoodRatioTest:
    """The test that a model may be replaced by a special case of it.

    Attributes
    ----------
    smaller, larger
        Names of the fits.
    statistic
        Twice the difference of their log-likelihoods.
    degrees_of_freedom
        Difference in the number of parameters.
    p_value
        Upper tail of chi-square.
    """

    smaller: str
    larger: str
    statistic: float
    degrees_of_freedom: int
    p_value: float

    def __str__(self) -> str:
        return (
            f"{self.smaller} in {self.larger}: chi-square {self.statistic:.4g} on {self.degrees_of_freedom} degrees of "
            f"freedom, p = {self.p_value:.3g}"
        )

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class FitComparison:
    """Fits to the same data side by side.

    Attributes
    ----------
    fits
        In the order given.
    tests
        Between each fit and the next larger ones among those compared; `test` gives any other nested pair.
    method
        "reml" or "ml".
    notes
        What to bear in mind of the criteria.
    """

    fits: tuple[ComparedFit, ...]
    tests: tuple[LikelihoodRatioTest, ...]
    method: str
    notes: tuple[str, ...] = ()
    _pairs: dict[tuple[str, str], LikelihoodRatioTest] = field(default_factory=dict, compare=False)

    def best(self, criterion: Criterion = "aic") -> str:
        """Name of the fit with the smallest AIC, AICc or BIC."""
        if not isinstance(criterion, str) or criterion not in _CRITERIA:
            raise InputError("criterion", criterion, "'aic', 'aicc' or 'bic'")
        return min(self.fits, key=lambda one: getattr(one, criterion)).name

    def test(self, smaller: str, larger: str) -> LikelihoodRatioTest:
        """The likelihood-ratio test of one fit within another, by their names."""
        known = isinstance(smaller, str) and isinstance(larger, str)
        found = self._pairs.get((smaller, larger)) if known else None
        if found is None:
            listed = ", ".join(f"{a!r} in {b!r}" for a, b in self._pairs) or "none of these fits lies in another"
            raise InputError("smaller, larger", (smaller, larger), f"nested fits: {listed}")
        return found

    def to_frame(self) -> polars.DataFrame:
        """A polars data frame, one row a fit."""
        import polars

        names = ("name", "structure", "n_covariance_parameters", "n_coefficients", "log_likelihood")
        columns = {name: [getattr(one, name) for one in self.fits] for name in (*names, *_CRITERIA)}
        return polars.DataFrame(columns)

    def _table(self) -> tuple[list[str], list[list[str]]]:
        differ = len({one.n_coefficients for one in self.fits}) > 1
        heads = ["fit", "covariance parameters", *(["coefficients"] if differ else []), "log-likelihood"]
        best = {criterion: self.best(criterion) for criterion in _CRITERIA}
        body = [
            [
                one.name,
                str(one.n_covariance_parameters),
                *([str(one.n_coefficients)] if differ else []),
                f"{one.log_likelihood:.3f}",
                *(f"{getattr(one, c):.2f}{'*' if best[c] == one.name else ' '}" for c in _CRITERIA),
            ]
            for one in self.fits
        ]
        return [*heads, "AIC ", "AICc ", "BIC "], body

    def _test_table(self) -> tuple[list[str], list[list[str]]]:
        heads = ["smaller", "in larger", "chi-square", "df", "p"]
        return heads, [
            [t.smaller, t.larger, f"{t.statistic:.3f}", str(t.degrees_of_freedom), format_p(t.p_value)]
            for t in self.tests
        ]

    def _remarks(self) -> list[str]:
        return [f"Note: {note}" for note in self.notes]

    def _title(self) -> str:
        kind = {"reml": "restricted maximum likelihood", "ml": "maximum likelihood"}[self.method]
        return f"Fits compared by {kind} (* smallest)"

    def __str__(self) -> str:
        lines = [self._title(), table(*self._table())]
        if self.tests:
            lines += ["", "Likelihood-ratio tests", table(*self._test_table(), left=2)]
        return "\n".join([*lines, *self._remarks()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [html_table(*self._table(), caption=self._title())]
        if self.tests:
            parts.append(html_table(*self._test_table(), left=2, caption="Likelihood-ratio tests"))
        return "\n".join([*parts, *(f"<p>{html.escape(remark)}</p>" for remark in self._remarks())])


def compare_fits(*fits: MixedFit, names: Sequence[str] | None = None) -> FitComparison:
    """Compare fits to the same data by information criteria, and nested ones by likelihood-ratio tests.

    Restricted likelihoods are comparable only with the same fixed effects, the same columns of the design; full ones
    always, and then nested fixed effects are tested too. AIC and BIC as R's mmrm, AICc with the number of
    observations less that of coefficients (Hurvich & Tsai 1989, Biometrika 76:297). Where full-likelihood fits differ
    in their fixed effects the penalties count the coefficients as well, and AICc has all observations. None of the
    restrictions tested lies on the boundary of the larger model, so chi-square is the limit; a fit on the boundary of
    its own parameters is refused when it is made.

    Parameters
    ----------
    fits
        Two or more.
    names
        Of the fits; by default their covariance structures, with the formula where that does not tell them apart.

    Raises
    ------
    InputError
        Fewer than two fits; fits to different data or by different methods; restricted likelihoods with different
        fixed effects.
    FitError
        A fit has a lower likelihood than one nested in it, so it is not at its maximum.
    """
    for fit in fits:
        instance("fits", fit, FittedModel, "fitted mixed models one after another, as `mmrm` returns them")
    _refuse_incomparable(fits)
    labels = _names(fits, names)
    coefficients_differ = any(not _same_columns(fits[0], fit) for fit in fits[1:])
    notes: list[str] = []
    if coefficients_differ:
        notes.append("the fits differ in their fixed effects; AIC, AICc and BIC count the coefficients as parameters.")
    lines = tuple(_line(fit, name, coefficients_differ) for fit, name in zip(fits, labels, strict=True))
    below = np.zeros((len(fits), len(fits)), dtype=bool)
    for i, smaller in enumerate(fits):
        for j, larger in enumerate(fits):
            if _parameters(larger) > _parameters(smaller):
                spans = not coefficients_differ or _spans(larger, smaller)
                below[i, j] = spans and covariance_nested(smaller, larger)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(below)]
    tests = {(i, j): _test(fits[i], fits[j], labels[i], labels[j]) for i, j in pairs}
    between = (below.astype(int) @ below.astype(int)) > 0
    return FitComparison(
        fits=lines,
        tests=tuple(test for (i, j), test in tests.items() if not between[i, j]),
        method=fits[0].method,
        notes=tuple(notes),
        _pairs={(labels[i], labels[j]): test for (i, j), test in tests.items()},
    )


def _refuse_incomparable(fits: Sequence[MixedFit]) -> None:
    if len(fits) < 2:
        raise InputError("fits", f"{len(fits)} given", "at least two fits")
    first = fits[0]
    for fit in fits[1:]:
        if fit.method != first.method:
            raise InputError("fits", f"{first.method} and {fit.method}", "fits by the same method")
        if not _same_data(first, fit):
            raise InputError("fits", "fits to different data", "fits to the same outcomes, with the same weights")
        if fit.method == "reml" and not _same_columns(first, fit):
            raise InputError(
                "fits",
                "restricted likelihoods with different fixed effects",
                "the same fixed effects, or fits by method='ml'",
            )


def _same_data(one: MixedFit, other: MixedFit) -> bool:
    if one.outcome.shape != other.outcome.shape or one.visits != other.visits or one.patients != other.patients:
        return False
    if not np.array_equal(one.outcome, other.outcome, equal_nan=True):
        return False
    return np.array_equal(_root_weights(one), _root_weights(other))


def _root_weights(fit: MixedFit) -> Array:
    """(observations,)."""
    root = fit._data.root_weights
    return np.ones(fit.n_observations) if root is None else root[fit.observed]


def _same_columns(one: MixedFit, other: MixedFit) -> bool:
    """Whether the designs are the same but for rounding and the order of their columns."""
    a, b = (fit.design[fit.observed] for fit in (one, other))
    if a.shape != b.shape:
        return False
    if set(one.names) == set(other.names) and len(set(one.names)) == len(one.names):
        b = b[:, [other.names.index(name) for name in one.names]]
    return bool((np.abs(a - b) <= _SAME * np.abs(a).max(axis=0)).all())


def _spans(larger: MixedFit, smaller: MixedFit) -> bool:
    """Whether the columns of one design are combinations of those of another."""
    basis, columns = (orthonormalised(fit.design[fit.observed], fit.names)[0] for fit in (larger, smaller))
    return bool(np.linalg.norm(columns - basis @ (basis.T @ columns), axis=0).max() < _SAME)


def _parameters(fit: MixedFit) -> int:
    return fit.n_covariance_parameters + len(fit.names)


def _line(fit: MixedFit, name: str, count_coefficients: bool) -> ComparedFit:
    k, p = fit.n_covariance_parameters, len(fit.names)
    aic, aicc, bic = fit.aic, fit.aicc, fit.bic
    if count_coefficients:
        deviance, k = -2 * fit.log_likelihood, k + p
        m = max(fit.n_observations, k + 2)
        aic, aicc, bic = deviance + 2 * k, deviance + 2 * k * m / (m - k - 1), deviance + math.log(fit.n_patients) * k
    return ComparedFit(
        name, fit.structure, fit.groups, fit.n_covariance_parameters, p, fit.log_likelihood, aic, aicc, bic
    )


def _test(smaller: MixedFit, larger: MixedFit, name: str, larger_name: str) -> LikelihoodRatioTest:
    from scipy.special import chdtrc

    statistic = 2 * (larger.log_likelihood - smaller.log_likelihood)
    if statistic < -1e-6:
        raise FitError(
            f"{larger_name} fits worse than {name}, which is a special case of it, so it is not at its maximum."
        )
    statistic = max(statistic, 0.0)
    degrees = _parameters(larger) - _parameters(smaller)
    return LikelihoodRatioTest(name, larger_name, statistic, degrees, float(chdtrc(degrees, statistic)))


def _names(fits: Sequence[MixedFit], names: Sequence[str] | None) -> list[str]:
    if names is not None:
        texts = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
        if not texts or len(names) != len(fits) or len(set(names)) != len(names):
            raise InputError("names", names, f"a list of {len(fits)} different names, one a fit")
        return list(names)
    found = [fit.structure + (f", one per {_group_name(fit)}" if fit.groups else "") for fit in fits]
    for tell in (lambda index: fits[index].formula, lambda index: str(index + 1)):
        twice = {name for name in found if found.count(name) > 1}
        found = [f"{name}: {tell(i)}" if name in twice and tell(i) else name for i, name in enumerate(found)]
    return found


def _group_name(fit: MixedFit) -> str:
    return (None if fit._cells is None else fit._cells.group_name) or "group"
