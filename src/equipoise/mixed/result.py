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
            covariates instead of their mean over the rows used, e.g. {"baseline": 40}. (emmeans takes a number that has
            two values only for a factor; name it in `levels` of `mmrm` for that.)
        weights
            How other factors are averaged: "equal" over their levels, or "proportional" to how often the combinations
            of their levels occur in the rows used (at the levels of `at`), the same in every cell. Searle, Speed &
            Milliken (1980), American Statistician 34, 216-221.
        level
            Of the confidence intervals.
        """
        from .means import least_squares_means
        from .reference_grid import GridRequest

        return least_squares_means(self, factors, by, GridRequest(at, weights, level))

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
        from .reference_grid import GridRequest

        return difference(self, levels, GridRequest(at, weights, better=better), label)

    def pairwise(
        self,
        factor: str,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        adjust: Literal["bonferroni", "holm", "tukey"] | None = None,
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
        from .reference_grid import GridRequest

        return all_pairs(self, factor, by, GridRequest(at, weights, level, better), adjust, direction)

    def versus_control(
        self,
        factor: str,
        *,
        control: object | None = None,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        adjust: Literal["bonferroni", "holm", "dunnett"] | None = None,
        level: float = 0.95,
        better: Better = "higher",
    ) -> Comparisons:
        """Every other level of a factor minus the control.

        Parameters
        ----------
        control
            A level of the factor; by default its first.
        adjust
            "bonferroni", "holm" (with Bonferroni's intervals), or "dunnett": the largest of the t statistics with
            their estimated correlations, each difference by its own degrees of freedom, as R's emmeans with "mvt".
            Dunnett (1955), JASA 50, 1096-1121.
        factor, by, at, weights, level, better
            As for `pairwise`.
        """
        from .contrasts import versus_control
        from .reference_grid import GridRequest

        return versus_control(self, factor, control, by, GridRequest(at, weights, level, better), adjust)

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
        from .reference_grid import GridRequest

        return slope(self, covariate, GridRequest(at, weights, better=better), label)

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
        from .reference_grid import GridRequest

        return means_figure(
            self,
            factor,
            by=by,
            kind=kind,
            control=control,
            times=times,
            request=GridRequest(at, weights, level),
            outcome=outcome,
            time=time,
            title=title,
        )

    def residuals(self, kind: ResidualKind = "raw") -> Array:
        """(patients kept, visits) residuals, NaN where not observed.

        With V_i = G_i^-1/2 Sigma G_i^-1/2 the covariance of patient i at the visits observed, G_i = diag(weights), and
        L_i its lower Cholesky factor in the order of the visits.

        Parameters
        ----------
        kind
            "raw": y - X b, in units of the outcome. "scaled": raw over the standard deviation of that visit, the roots
            of the diagonal of V_i (R's "pearson"). "normalised": L_i^-1 (y_i - X_i b), uncorrelated with variance one
            under the model but for the estimation of b (R's "normalized"); each tells what was unexpected at a visit
            given the patient's earlier ones (Galecki & Burzykowski 2013, Linear Mixed-Effects Models Using R, section
            10.6).

        Raises
        ------
        InputError
            Another kind.
        """
        from .residuals import residuals

        return residuals(self, kind)

    def residual_frame(self) -> polars.DataFrame:
        """A polars data frame, one row an observation: patient, visit, outcome, fitted mean and the three residuals."""
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
        """Means of the model with their standard errors, degrees of freedom and intervals.

        Parameters
        ----------
        data
            Any data frame with the columns of the formula; None for every patient and visit of the fit. A prediction
            interval needs the column of the visits too, and that of the covariance groups; conditional predictions
            need the patients and the outcome besides, which may be missing, and the times of a spatial covariance.
            Rows count with a weight of one where theirs is missing or there is no column of weights.
        conditional
            Whether to give the mean of each missing outcome conditional on the patient's observed ones, and an
            observed outcome as itself, as R's mmrm does; else the mean of the model, X b.
        interval
            "confidence" for the mean at the estimated covariance, "prediction" for an outcome, or None. Without
            `conditional` the outcome is that of a new patient, and the t quantile has the degrees of freedom of the
            mean's contrast of the coefficients, exact for one visit. With it the outcome is the one missing, and the
            interval counts that the covariance is estimated (Harville & Jeske 1992, J Am Stat Assoc 87:724); else it
            would be too short in small trials.
        level
            Of the intervals.

        Raises
        ------
        InputError
            New data for a fit to arrays, a column or level not known, a covariate missing, a mean the data cannot
            tell, two rows of a patient at one visit.
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
        """Outcomes of the patients of the fit, drawn anew from the fitted model.

        The same seed gives the same numbers; the first k of n data sets are those of n = k, and those at the visits
        observed do not depend on `visits`.

        Parameters
        ----------
        n
            Data sets to draw.
        seed
            A whole number from 0 to 2^128 - 1, key of a Philox generator (Salmon et al. 2011, Proc SC11, article 16).
        coefficients
            "estimated": every data set has the fitted coefficients (a parametric bootstrap). "drawn": each has its
            own, normal around the estimates with `covariance_of_coefficients`, which makes the outcomes predictions
            of new data.
        visits
            "observed": the visits observed, NaN elsewhere. "all": every visit of every patient, as if nobody had
            missed one.

        Returns
        -------
        (n, patients kept, visits), in units of the outcome

        Raises
        ------
        InputError
            An unknown option; all visits, where the covariates of one not observed are not known.
        """
        from .draws import simulate

        return simulate(self, n, seed, coefficients=coefficients, visits=visits)

    def compare(self, *others: MixedFit, names: Sequence[str] | None = None) -> FitComparison:
        """Information criteria of this fit and others of the same data, and likelihood-ratio tests of nested ones.

        The same as `compare_fits` with this fit first, which says what can be compared.

        Parameters
        ----------
        others
            Fits to the same outcomes by the same method; by REML with the same fixed effects.
        names
            Of all the fits, this one's first; by default their covariance structures, with the formula where that does
            not tell them apart.
        """
        from .comparison import compare_fits

        return compare_fits(self, *others, names=names)

    def to_frame(self, level: float = 0.95) -> polars.DataFrame:
        """The coefficients as a polars data frame, one row each, with confidence intervals at a level."""
        import polars

        from .summary import coefficient_intervals

        lower, upper = coefficient_intervals(self, level)
        return polars.DataFrame(
            {
                "coefficient": list(self.names),
                "estimate": self.coefficients,
                "standard_error": self.standard_errors,
                "degrees_of_freedom": self.degrees_of_freedom,
                "t": self.t_values,
                "p_value": self.p_values,
                "lower": lower,
                "upper": upper,
            }
        )

    def __str__(self) -> str:
        from .summary import summarise

        return summarise(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .summary import summarise_html

        return summarise_html(self)
