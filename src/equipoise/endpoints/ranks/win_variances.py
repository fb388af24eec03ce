"""Variances of the shares of pairs won and lost, from what each patient won and lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .win_components import WinData

__all__ = ["log_slope", "win_variances"]


def log_slope(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """(log(1 + share) - log(1 - share)) / share, 2 where the share is 0 and infinite where it is 1 or -1.

    A standard error of the share times this is the test-based one of the logarithm of (1 + share) / (1 - share): z is
    that of the share (Miettinen 1976, Am J Epidemiol 103:226).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share == 0, 2.0, (np.log1p(share) - np.log1p(-share)) / share)


def win_variances(
    data: WinData, of_patient: NDArray[np.float64], sizes: NDArray[np.intp], share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Three variances of sums over strata of share x pairs won and lost.

    Parameters
    ----------
    of_patient
        Pairs with the other arm won and lost by each patient, and her wins less losses against all of her stratum,
        shape (trials, patients, 3).
    sizes
        Patients of each arm and stratum, shape (2, trials, strata).
    share
        Weight of each stratum, shape (trials, strata).

    Returns
    -------
    null
        Of won - lost by permutation within strata: n0 n1 / (n (n - 1)) times the sum of squared scores of all patients
        (Finkelstein & Schoenfeld 1999, Stat Med 18:1341), shape (trials,).
    pooled
        Of won - lost as a U-statistic with expectation 0: for each arm the sum over its patients of the products of all
        two of her pairs, times m / (m - 1), m the size of the other arm (Dong, Li, Ballerstedt & Vandemeulebroecke
        2016, Pharm Stat 15:430), shape (trials,).
    covariance
        Of won and lost: sample covariances of the patients' shares in each arm over its size (Bebu & Lachin 2016,
        Biostatistics 17:178; of one component DeLong's), as variance, variance, covariance, shape (trials, 3); NaN
        where a stratum with both arms has a single patient in one.
    """
    trials, strata = sizes.shape[1:]
    places = trials * strata
    place = np.arange(trials)[:, None] * strata + data.stratum
    control, experimental = sizes.astype(float)
    patients = control + experimental
    both = (control > 0) & (experimental > 0)

    def summed(values: NDArray[np.float64], keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(place[keep], values[keep], minlength=places).astype(float).reshape(trials, strata)

    counts = data.arm >= 0
    squares = summed(of_patient[:, :, 2] ** 2, counts)
    permuted = control * experimental / np.maximum(patients * (patients - 1), 1) * squares
    null = np.sum(share**2 * permuted, axis=1)

    pooled = np.zeros(trials)
    covariance = np.zeros((trials, 3))
    for at in (0, 1):
        size, others = (control, experimental) if at == 0 else (experimental, control)
        mine = data.arm == at
        won, lost = of_patient[:, :, 0], of_patient[:, :, 1]
        # what a patient of control wins is lost by the experimental arm
        won, lost = (lost, won) if at == 0 else (won, lost)
        products = summed((won - lost) ** 2 - (won + lost), mine)
        with np.errstate(divide="ignore", invalid="ignore"):
            pooled += np.sum(np.where(both, share**2 * others / (others - 1) * products, 0.0), axis=1)
            sums = (summed(won, mine), summed(lost, mine))
            for entry, (one, other) in enumerate(((0, 0), (1, 1), (0, 1))):
                values = (won, lost)
                about = summed(values[one] * values[other], mine) - sums[one] * sums[other] / size
                # a sum of squares of whole numbers: what is left of rounding is no variance
                about = np.where(np.abs(about) < 1e-12 * summed(values[one] * values[other], mine), 0.0, about)
                covariance[:, entry] += np.sum(np.where(both, share**2 * size / (size - 1) * about, 0.0), axis=1)
    return null, pooled, covariance
