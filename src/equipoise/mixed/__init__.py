"""The mixed model for repeated measures."""

from .errors import FitError
from .fit import fit_mmrm
from .formula import mmrm
from .means import LeastSquaresMean, LeastSquaresMeans
from .result import FTest, MixedFit

__all__ = ["FTest", "FitError", "LeastSquaresMean", "LeastSquaresMeans", "MixedFit", "fit_mmrm", "mmrm"]
