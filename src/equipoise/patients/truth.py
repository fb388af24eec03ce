"""A scenario as a law of virtual patients: score distributions, correlation, dropout, and what follows from them
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .draw import Laws
from .exposure import mean_exposure_shift
from .lifelike import Lifelike
from .scores import ScoreDistribution

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..protocol import MeasureTruth, Protocol
    from ..protocol.scenarios import Scenario
    from .expectancy import BeliefLaw

__all__ = ["ArmTruth", "Truth"]

# Standard normal mass beyond this is below 2e-17.
_FAR = 8.5


@dataclass(frozen=True)
class ArmTruth:
    """One arm under a scenario.

    Attributes
    ----------
    scores
        Law of the score at each visit, baseline first; none in a trial without a rating scale. What the arm's patients
        gain on average from their exposure to the drug, where the scenario says so, is in it.
    measures
        What the scenario says of each measure; of guesses that record what patients believe, what follows from that.
    correlation
        Of the latent standard normal values behind the scores, shape (visits, visits).
    leaving
        Probability of dropping out between each visit and the next, at the arm's average, shape (visits - 1,).
    dropout_log_odds_per_point
        Change of the log odds of dropping out per point of the last seen score.
    kinds
        Of an arm whose patients are of several kinds: the share of each and its law; their mean is that of `scores`.
    missed
        Probability that a patient who has not left misses each visit, shape (visits,); empty where nobody does.
    """

    scores: tuple[ScoreDistribution, ...]
    correlation: NDArray[np.float64]
    leaving: NDArray[np.float64]
    dropout_log_odds_per_point: float
    median_days_to_loss_of_response: float | None
    adverse_events: dict[str, float]
    measures: dict[str, MeasureTruth] = field(default_factory=dict)
    shape_of_loss_of_response: float = 1.0
    kinds: tuple[tuple[float, ArmTruth], ...] = ()
    missed: tuple[float, ...] = ()

    @cached_property
    def cholesky(self) -> NDArray[np.float64]:
        """Lower Cholesky factor of the latent correlation."""
        return np.asarray(np.linalg.cholesky(self.correlation), dtype=np.float64)

    @cached_property
    def dropout_intercepts(self) -> NDArray[np.float64]:
        """Log odds of dropping out at a score of 0, so that the average over the score's law is `leaving`, shape
        (visits - 1,).
        """
        intercepts = np.full(len(self.leaving), -np.inf)
        for at, probability in enumerate(self.leaving):
            if probability == 0:
                continue
            if not self.scores:
                intercepts[at] = np.log(probability / (1 - probability))
                continue
            slope = self.dropout_log_odds_per_point * self.scores[at].scores
            weights = self.scores[at].probabilities
            low, high = -60.0 - np.abs(slope).max(), 60.0 + np.abs(slope).max()
            for _ in range(80):
                middle = (low + high) / 2
                if weights @ (1 / (1 + np.exp(-np.clip(middle + slope, -500, 500)))) < probability:
                    low = middle
                else:
                    high = middle
            intercepts[at] = (low + high) / 2
        return intercepts

    @property
    def staying(self) -> NDArray[np.float64]:
        """Probability of still being in the trial at each visit, shape (visits,)."""
        return np.concatenate([[1.0], np.cumprod(1 - self.leaving)])

    @property
    def seen(self) -> NDArray[np.float64]:
        """Probability of being seen at each visit: of having neither left nor missed it, shape (visits,)."""
        return self.staying * (1 - np.array(self.missed)) if self.missed else self.staying

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean score at each visit, in points, shape (visits,)."""
        return np.array([law.mean for law in self.scores])

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the scores taken from the latent correlation, in points squared, shape (visits, visits)."""
        if self.kinds:
            apart = [kind.means - self.means for _, kind in self.kinds]
            parts = zip(self.kinds, apart, strict=True)
            return np.sum([share * (kind.covariance + np.outer(gap, gap)) for (share, kind), gap in parts], axis=0)
        sds = np.array([law.sd for law in self.scores])
        return self.correlation * np.outer(sds, sds)

    def response_probability(self, visit: int, improvement: float | None, points: float | None, better: str) -> float:
        """Probability that a patient seen at the visit has improved enough since baseline.

        A sum over the baseline scores of bivariate normal rectangles, each by Gauss-Legendre quadrature between the
        thresholds of its score. Dropout is taken as independent of the response.

        Parameters
        ----------
        visit
            Column of the visit, from 1.
        improvement, points
            Least improvement as a fraction of the baseline score, or in points.
        """
        from scipy.special import ndtr

        if self.kinds:
            rates = [kind.response_probability(visit, improvement, points, better) for _, kind in self.kinds]
            return float(np.dot([share for share, _ in self.kinds], rates))
        law, start = self.scores[visit], self.scores[0]
        edges = np.concatenate([[-_FAR], np.clip(start.thresholds, -_FAR, _FAR), [_FAR]])
        nodes, weights = np.polynomial.legendre.leggauss(20)
        half = np.diff(edges)[:, None] / 2
        latent = (edges[:-1, None] + edges[1:, None]) / 2 + half * nodes
        weights = half * weights * np.exp(-0.5 * latent**2) / np.sqrt(2 * np.pi)
        baseline = start.scores
        needed = baseline * improvement if improvement is not None else np.full_like(baseline, points or 0.0)
        steps = np.concatenate([[-np.inf], law.thresholds, [np.inf]])
        if better == "lower":
            limit = np.floor(baseline - needed + 1e-9) - law.minimum + 1
        else:
            limit = np.ceil(baseline + needed - 1e-9) - law.minimum
        edge = steps[np.clip(limit, 0, len(steps) - 1).astype(int)]
        correlation = self.correlation[0, visit]
        below = ndtr((edge[:, None] - correlation * latent) / np.sqrt(1 - correlation**2))
        return float((weights * (below if better == "lower" else 1 - below)).sum())


@dataclass(frozen=True)
class Truth:
    """A scenario of a protocol as laws to draw from and to plan by; arms in the order of `Protocol.arm_names`.

    Attributes
    ----------
    scenario
        As the protocol has it.
    lifelike
        What makes patients more lifelike than their arms' laws.
    """

    arms: tuple[ArmTruth, ...]
    scenario: Scenario
    lifelike: Lifelike

    @cached_property
    def laws(self) -> Laws:
        """Laws of the scores as kernels read them: of the arms, then of the parts of mixtures."""
        scores = [arm.scores for arm in self.arms]
        return Laws.of([*scores, *self.lifelike.further], self.arms[0].cholesky)

    @cached_property
    def leaving(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Log odds of leaving after each visit at scores of 0, shape (arms, visits - 1), and their change per point of
        the last score and of the next, shape (arms,).
        """
        law = self.lifelike.leaving
        if law is not None:
            return law.intercepts, law.slopes, law.unseen_slopes
        intercepts = np.array([arm.dropout_intercepts for arm in self.arms])
        slopes = np.array([arm.dropout_log_odds_per_point for arm in self.arms])
        return intercepts, slopes, np.zeros(len(slopes))

    @classmethod
    def of(cls, protocol: Protocol, scenario: str) -> Truth:
        """The truth of a scenario; raises `InputError` for a scenario the protocol does not have."""
        chosen = protocol.scenario(scenario)
        population = protocol.population
        shared = np.eye(len(protocol.visits)) if population is None else population.correlation
        correlation = np.array(chosen.correlation or shared)
        odds_ratio = 1.0 if population is None else population.dropout_odds_ratio_per_point
        intervals = len(protocol.visits) - 1
        gained = mean_exposure_shift(protocol, chosen)
        arms = []
        for at, name in enumerate(protocol.arm_names):
            truth = chosen.arms[name]
            laws = tuple(
                ScoreDistribution.with_moments(mean, sd, protocol.scale.minimum, protocol.scale.maximum)
                for mean, sd in zip(np.array(truth.mean) + gained[at, : len(truth.mean)], truth.sd, strict=True)
            )
            leaving = np.full(intervals, 1 - (1 - truth.dropout) ** (1 / intervals))
            slope = float(np.log(odds_ratio))
            arms.append(
                ArmTruth(
                    laws,
                    correlation,
                    leaving,
                    slope,
                    truth.median_days_to_loss_of_response,
                    truth.adverse_events,
                    truth.measures,
                    truth.shape_of_loss_of_response,
                )
            )
        lifelike = Lifelike.of(protocol, chosen, arms)
        if lifelike.mixture is not None:
            arms = [
                replace(arm, kinds=kinds) if len(kinds) > 1 else arm
                for arm, kinds in zip(arms, lifelike.mixture.arms, strict=True)
            ]
        if lifelike.misses is not None:
            rows = lifelike.misses.probability.tolist()
            arms = [replace(arm, missed=tuple(row)) for arm, row in zip(arms, rows, strict=True)]
        if lifelike.beliefs is not None:
            arms = [
                replace(arm, measures=arm.measures | dict.fromkeys(lifelike.guesses, guess))
                for arm, guess in zip(arms, _guesses(lifelike.beliefs, arms), strict=True)
            ]
        return cls(tuple(arms), chosen, lifelike)


def _guesses(law: BeliefLaw, arms: Sequence[ArmTruth]) -> Iterator[MeasureTruth]:
    """Of each arm the law of guesses that record what patients believe."""
    from ..protocol import MeasureTruth

    experimental, unknown = law.shares([arm.adverse_events.get(law.sign, 0.0) for arm in arms])
    for first, none in zip(experimental.tolist(), unknown.tolist(), strict=True):
        yield MeasureTruth.model_construct(guesses_experimental=first, does_not_know=none)
