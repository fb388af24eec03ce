"""What can be asked of a fitted mixed model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..estimate import Better, Estimate
from .f_test import FTest
from .fitted_model import FittedModel

if TYPE_CHECKING:
    import polars
    from matplotlib.figure import Figure

    from .comparison import FitComparison
    from .contrasts import Comparisons
    from .means import LeastSquaresMeans
    from .multiplicity import Adjustment
    from .prediction import IntervalKind, Predictions
    from .reference_grid import CellWeights
    from .residuals import ResidualKind
    from .term_tests import TermTests

__all__ = ["MixedFit"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class MixedFit(FittedModel):
    """A fitted mixed model for repeated measures, with everything that can be asked of it."""

    def ls_means(
        self,
        factors: str | Sequence[str],
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        level: float = 0.95,
    ) -> LeastSquaresMeans:
        """Least squares means of the cells of some factors, as R's emmeans.

        A cell that the data cannot tell, such as an arm never seen at a visit, is listed as not estimable.

        Parameters
        ----------
        factors, by
            One factor of the formula or several, those of `by` changing slowest. What is named in neither is averaged.
        at
            Levels to use instead of all of a factor's, one or a list, e.g. {"visit": ["week4", "week8"]}, and values of
            covariates instead of their mean over the rows used, e.g. {"baseline": 40}.
        weights
            How other factors are averaged: "equal" over their levels, or "proportional" to how often the combinations
            of their levels occur in the rows used (at the levels of `at`), the same in every cell. Searle, Speed &
            Milliken (1980), American Statistician 34, 216-221.
        level
            Of the confidence intervals.
        """
        from .means import least_squares_means

        return least_squares_means(self, factors, by, at, weights, level)

    def contrast(
        self,
        levels: Mapping[str, tuple[object, object]],
        *,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        better: Better = "higher",
        label: str | None = None,
    ) -> Estimate:
        """Difference of two least squares means, first level minus second.

        Parameters
        ----------
        levels
            One factor with two of its levels, e.g. {"arm": ("ketamine", "midazolam")}.
        at
            Levels of other factors, one or a list over which is averaged, and values of covariates, e.g.
            {"visit": "week2"} or {"visit": ["week4", "week8"]}; what is not named is averaged.
        weights
            How other factors are averaged, as for `ls_means`.
        better
            Whether a higher or a lower value favours the first level.
        label
            For people; by default the levels compared.
        """
        from .contrasts import difference

        return difference(self, levels, at, weights, better, label)

    def pairwise(
        self,
        factor: str,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        adjust: Adjustment | None = None,
        direction: Literal["later - earlier", "earlier - later"] = "later - earlier",
        level: float = 0.95,
        better: Better = "higher",
    ) -> Comparisons:
        """All differences between the least squares means of a factor's levels.

        Parameters
        ----------
        factor, by
            The factor, compared within each combination of the levels of other factors.
        at, weights
            As for `ls_means`.
        adjust
            P-values and intervals that hold for all comparisons at the same levels of `by` together: "bonferroni",
            "holm" (with Bonferroni's intervals) or "tukey"; None for none. The estimates stay as they are.
        direction
            By default a later level of the factor minus an earlier one, experimental minus reference (emmeans'
            "revpairwise"); "earlier - later" is emmeans' "pairwise".
        level
            Of the confidence intervals.
        better
            Whether a higher or a lower difference is good.
        """
        from .contrasts import all_pairs

        return all_pairs(self, factor, by, at, weights, adjust, direction, level, better)

    def versus_control(
        self,
        factor: str,
        *,
        control: object | None = None,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        adjust: Literal["bonferroni", "holm"] | None = None,
        level: float = 0.95,
        better: Better = "higher",
    ) -> Comparisons:
        """Every other level of a factor minus the control (its first level unless named); else as `pairwise`."""
        from .contrasts import versus_control

        return versus_control(self, factor, control, by, at, weights, adjust, level, better)

    def slope(
        self,
        covariate: str,
        *,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        better: Better = "higher",
        label: str | None = None,
    ) -> Estimate:
        """Change of the mean when a covariate is higher by 1.

        Parameters
        ----------
        covariate
            Variable of the formula. Where the formula transforms it, the change is that from its mean over the rows
            used, or from its value in `at`, to 1 more.
        at
            Levels of factors, one or a list, and values of covariates, e.g. {"visit": "week8"}; other factors are
            averaged.
        weights, better, label
            As for `contrast`.
        """
        from .contrasts import slope

        return slope(self, covariate, at, weights, better, label)

    def anova(self, type: Literal[2, 3] = 3) -> TermTests:
        """F test of each term of the formula.

        Parameters
        ----------
        type
            3: the effects of a factor, or an interaction, of means averaged with equal weights over the factors it
            interacts with, whatever the contrasts and the reference level. 2: what a term adds to all terms that do not
            contain it, by the cross-products of the design, its factors thus averaged about as often as they occur.
            As SAS and R's mmrm a term counts as containing another only where both have the same covariates: with
            baseline * arm the test of arm is of the arms at baseline 0, so centre a covariate before, where that is
            not meant.

        Of terms that the data can tell only in part (empty cells) that part is tested. Goodnight (1980), Tests of
        hypotheses in fixed effects linear models, Communications in Statistics A9, 167-180. A constant counts as
        contained in every factor even where the formula has no intercept.
        """
        from .term_tests import each_term

        return each_term(self, type)

    def test_terms(self, *terms: str) -> FTest:
        """Joint test of one or several terms of the formula, e.g. "arm:visit", or "arm" and "arm:visit" (no effect at
        any visit), with the hypotheses of type III."""
        from .term_tests import terms_together

        return terms_together(self, terms)

    def plot(
        self,
        factor: str | None = None,
        *,
        by: str | None = None,
        kind: Literal["means", "difference"] = "means",
        control: object | None = None,
        times: Mapping[Any, float] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        level: float = 0.95,
        outcome: str | None = None,
        time: str | None = None,
        title: str | None = None,
    ) -> Figure:
        """Least squares means by arm and visit with their intervals, or differences from the control.

        Parameters
        ----------
        factor, by
            The factor drawn as lines and the one along the axis; by default the visit, and the factor that interacts
            with it.
        kind
            "means", or "difference" of every other level from the control with a line at zero.
        control
            The level compared with; by default the first.
        times
            Time of each visit, so that the axis is in proportion, e.g. {"week1": 7, "week2": 14}; numbers as labels of
            all visits are taken as times.
        at, weights, level
            As for `ls_means`.
        outcome, time, title
            Labels; by default the formula's outcome, the name of `by`, and what is shown.
        """
        from .plot_means import means_figure

        return means_figure(
            self,
            factor,
            by=by,
            kind=kind,
            control=control,
            times=times,
            at=at,
            weights=weights,
            level=level,
            outcome=outcome,
            time=time,
            title=title,
        )

    def residuals(self, kind: ResidualKind = "raw") -> Array:
        """(patients, visits) residuals, NaN where not observed.

        "raw" (outcome less fitted mean), "scaled" (over the model's standard deviation at the visit, R's "pearson") or
        "normalised" (decorrelated by the Cholesky factor of the patient's covariance).
        """
        from .residuals import residuals

        return residuals(self, kind)

    def residual_frame(self) -> polars.DataFrame:
        """Outcome, fitted mean and residuals of every observation, one row each, in long form."""
        from .residuals import residual_frame

        return residual_frame(self)

    def predict(
        self,
        data: Any = None,
        *,
        conditional: bool = False,
        interval: IntervalKind | None = "confidence",
        level: float = 0.95,
    ) -> Predictions:
        """Means at the rows of a data frame, or at every visit of every patient of the fit.

        Parameters
        ----------
        data
            Any data frame with the columns of the formula; by default the data of the fit.
        conditional
            Whether to take account of the patient's own observed outcomes.
        interval
            For the mean ("confidence") or for a new observation ("prediction").
        level
            Of the intervals.
        """
        from .prediction import predict

        return predict(self, data, conditional=conditional, interval=interval, level=level)

    def simulate(
        self,
        n: int,
        seed: int,
        *,
        coefficients: Literal["estimated", "drawn"] = "estimated",
        visits: Literal["observed", "all"] = "observed",
    ) -> Array:
        """(n, patients, visits) outcomes drawn from the fitted model, the same for the same seed.

        With the coefficients as estimated or drawn from their sampling distribution; at the visits observed, NaN
        elsewhere, or at all.
        """
        from .resample import simulate

        return simulate(self, n, seed, coefficients=coefficients, visits=visits)

    def compare(self, *others: MixedFit, names: Sequence[str] | None = None) -> FitComparison:
        """Information criteria of this fit and others of the same data, and likelihood-ratio tests of nested ones."""
        from .comparison import compare_fits

        return compare_fits(self, *others, names=names)

    def to_frame(self) -> polars.DataFrame:
        """The coefficients as a polars data frame, one row each."""
        import polars

        return polars.DataFrame(
            {
                "coefficient": list(self.names),
                "estimate": self.coefficients,
                "standard_error": self.standard_errors,
                "degrees_of_freedom": self.degrees_of_freedom,
                "t": self.t_values,
                "p_value": self.p_values,
            }
        )

    def __str__(self) -> str:
        from .summary import summarise

        return summarise(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .summary import summarise_html

        return summarise_html(self)
