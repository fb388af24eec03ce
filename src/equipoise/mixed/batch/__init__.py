"""The mixed model fitted to many trials at once. Only calling it brings in numba."""

from .fit import BatchFit, fit_batch

__all__ = ["BatchFit", "fit_batch"]
