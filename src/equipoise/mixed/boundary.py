"""When a covariance counts as lying on the boundary of its parameters, and what is said then."""

__all__ = [
    "FEW_PATIENTS",
    "SINGULAR",
    "SMALLEST_CORRELATION",
    "SMALLEST_EIGENVALUE",
    "SMALLEST_SMOOTH_EIGENVALUE",
    "UNCORRELATED",
]

# Of a correlation matrix; over close times a smooth spatial one has small eigenvalues by nature.
SMALLEST_EIGENVALUE = 1e-6
SMALLEST_SMOOTH_EIGENVALUE = 1e-11
# Of the closest visits under a spatial structure.
SMALLEST_CORRELATION = 1e-6
# Below which a structure with several starts is fitted from each of them.
FEW_PATIENTS = 200

SINGULAR = (
    "The estimated covariance is singular (on the boundary of its parameters), so the model cannot be fitted to these "
    "data."
)
UNCORRELATED = (
    "The correlation between visits goes to nought (the boundary of its parameters), so there is no range in time to "
    "estimate."
)
