"""The mixed model for repeated measures."""

from .batch import BatchFit, fit_batch
from .comparison import FitComparison, LikelihoodRatioTest, compare_fits
from .contrasts import Comparison, Comparisons
from .errors import FitError
from .f_test import FTest
from .fit import fit_mmrm
from .formula import mmrm
from .means import LeastSquaresMean, LeastSquaresMeans
from .prediction import Predictions
from .result import MixedFit
from .term_tests import TermTest, TermTests

__all__ = [
    "BatchFit",
    "Comparison",
    "Comparisons",
    "FTest",
    "FitComparison",
    "FitError",
    "LeastSquaresMean",
    "LeastSquaresMeans",
    "LikelihoodRatioTest",
    "MixedFit",
    "Predictions",
    "TermTest",
    "TermTests",
    "compare_fits",
    "fit_batch",
    "fit_mmrm",
    "mmrm",
]
