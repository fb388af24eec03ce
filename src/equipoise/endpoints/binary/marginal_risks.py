"""Standardised risks of arms and their contrasts, of one trial and of many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Estimate, Scale
from ..batch import BatchEstimates
from ..regression.fitted import two_arms

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Contrast", "Family", "MarginalBatch", "MarginalRisks"]

Contrast = Literal["risk-difference", "risk-ratio", "odds-ratio"]
Family = Literal["logistic", "linear"]

_SCALES = {
    "risk-difference": Scale.RISK_DIFFERENCE,
    "risk-ratio": Scale.LOG_RISK_RATIO,
    "odds-ratio": Scale.LOG_ODDS_RATIO,
}


def _contrast(
    risk: NDArray[np.float64], reference: NDArray[np.float64], contrast: Contrast
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A contrast of risks, ratios as logarithms, and its derivatives by either risk."""
    if contrast == "risk-difference":
        return risk - reference, np.ones_like(risk), -np.ones_like(reference)
    if contrast == "risk-ratio":
        return np.log(risk / reference), 1 / risk, -1 / reference
    odds, reference_odds = risk / (1 - risk), reference / (1 - reference)
    return np.log(odds / reference_odds), 1 / (risk * (1 - risk)), -1 / (reference * (1 - reference))


def _checked(arms: int, arm: int, reference: int, contrast: str, family: str) -> None:
    choice("contrast", contrast, tuple(_SCALES))
    if family != "logistic" and contrast != "risk-difference":
        raise InputError("contrast", contrast, "'risk-difference': a linear model's means need not be positive")
    two_arms(arms, arm, reference)


@dataclass(frozen=True, slots=True, eq=False)
class MarginalBatch:
    """Standardised risks of many trials.

    Attributes
    ----------
    risks, covariance
        Risk of each arm (mean of a linear model), control first, shapes (trials, arms) and (trials, arms, arms); NaN
        where a trial could not be analysed.
    patients, dropped
        Patients analysed, and those left out because something was missing, shape (trials,).
    failures
        Why a trial could not be analysed, by its number from 0.
    family
        Of the model the risks come from.
    """

    risks: NDArray[np.float64]
    covariance: NDArray[np.float64]
    patients: NDArray[np.intp]
    dropped: NDArray[np.intp]
    failures: dict[int, InputError]
    family: Family = "logistic"

    def __len__(self) -> int:
        return len(self.risks)

    def estimates(self, contrast: Contrast = "risk-difference", arm: int = 1, reference: int = 0) -> BatchEstimates:
        """An arm against another (0 = control), ratios as logarithms; standard errors by the delta method."""
        _checked(self.risks.shape[1], arm, reference, contrast, self.family)
        effect, by_arm, by_reference = _contrast(self.risks[:, arm], self.risks[:, reference], contrast)
        slopes = np.stack([by_arm, by_reference], axis=1)
        pair = self.covariance[:, [[arm], [reference]], [arm, reference]]
        return BatchEstimates.of(
            effect,
            np.sqrt(np.einsum("ti,tij,tj->t", slopes, pair, slopes)),
            failures={at: str(reason) for at, reason in self.failures.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class MarginalRisks:
    """Standardised risks of one trial.

    Attributes
    ----------
    risks, covariance
        Risk that all patients analysed would have in each arm (mean, of a linear model), control first, and its
        covariance; shapes (arms,) and (arms, arms).
    patients, dropped
        Patients analysed, and those left out because something was missing.
    better
        Whether a higher or a lower risk is good.
    label
        What was analysed, for people.
    family
        Of the model the risks come from.
    """

    risks: NDArray[np.float64]
    covariance: NDArray[np.float64]
    patients: int
    dropped: int
    better: Better
    label: str
    family: Family = "logistic"

    def __post_init__(self) -> None:
        self.risks.flags.writeable = False
        self.covariance.flags.writeable = False

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Of the risks, shape (arms,)."""
        return np.sqrt(np.diag(self.covariance))

    def compare(self, arm: int = 1, reference: int = 0, contrast: Contrast = "risk-difference") -> Estimate:
        """An arm against another (0 = control), ratios as logarithms; the standard error by the delta method.

        Raises
        ------
        InputError
            For arms that do not exist or are the same, an unknown contrast, or a ratio of a linear model's means.
        """
        _checked(self.risks.size, arm, reference, contrast, self.family)
        effect, by_arm, by_reference = _contrast(self.risks[[arm]], self.risks[[reference]], contrast)
        slopes = np.array([by_arm[0], by_reference[0]])
        variance = float(slopes @ self.covariance[np.ix_([arm, reference], [arm, reference])] @ slopes)
        return Estimate(
            float(effect[0]),
            math.sqrt(variance),
            scale=_SCALES[contrast] if self.family == "logistic" else Scale.MEAN_DIFFERENCE,
            better=self.better,
            label=self.label,
        )

    def natural(self, arm: int = 1, reference: int = 0, contrast: Contrast = "risk-difference") -> tuple[float, float]:
        """A contrast on its natural scale, and its standard error there by the delta method.

        Intervals of ratios are better taken from `compare`, on the logarithmic scale.
        """
        found = self.compare(arm, reference, contrast)
        effect = found.scale.natural(found.effect)
        return effect, found.standard_error * (effect if found.scale.is_logarithmic else 1.0)

    def __str__(self) -> str:
        left_out = f", {self.dropped} left out for missing values" if self.dropped else ""
        lines = [f"{self.label or 'standardised risks'}: {self.patients} patients{left_out}"]
        for at, (risk, error) in enumerate(zip(self.risks, self.standard_errors, strict=True)):
            lines.append(f"  {'control' if at == 0 else f'arm {at}':<8}  {risk:.4g}  SE {error:.4g}")
        return "\n".join(lines)

    __repr__ = __str__
