"""What a scenario adds to virtual patients to make them more lifelike, put together for drawing them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .expectancy import BeliefLaw
from .intermittent import MissedVisitsLaw
from .mixture import ResponderMixture
from .rater_drift import RaterShifts
from .sites import SiteEffects
from .unseen_dropout import DropoutLaw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..protocol.protocol import Protocol
    from ..protocol.scenarios import Scenario
    from .draws import Draws
    from .scores import ScoreDistribution
    from .truth import ArmTruth

__all__ = ["Lifelike"]


@dataclass(frozen=True, eq=False)
class Lifelike:
    """The features that a scenario turns on; None for each that is off.

    Attributes
    ----------
    arms
        In the order of `Protocol.arm_names`.
    leaving
        Law of dropping out where it is not the arms' own: it depends on the unseen score, or arms are mixed.
    guesses
        Measures whose value is what the patient believes.
    """

    arms: tuple[ArmTruth, ...]
    sites: SiteEffects | None = None
    mixture: ResponderMixture | None = None
    beliefs: BeliefLaw | None = None
    raters: RaterShifts | None = None
    leaving: DropoutLaw | None = None
    misses: MissedVisitsLaw | None = None
    guesses: tuple[str, ...] = ()

    @classmethod
    def of(cls, protocol: Protocol, scenario: Scenario, arms: Sequence[ArmTruth]) -> Lifelike:
        """The features of a scenario of a protocol.

        Raises
        ------
        InputError
            Where responders would need a mean that the scale cannot hold.
        """
        arms = tuple(arms)
        mixture = _mixture(protocol, scenario, arms)
        kinds = mixture.arms if mixture else tuple(((1.0, arm),) for arm in arms)
        unseen = scenario.dropout_odds_ratio_per_unseen_point
        return cls(
            arms,
            sites=_sites(protocol, scenario),
            mixture=mixture,
            beliefs=_beliefs(protocol, scenario),
            raters=_raters(scenario),
            leaving=DropoutLaw.of(kinds, unseen) if mixture or unseen != 1 else None,
            misses=_misses(protocol, scenario, kinds),
            guesses=scenario.expectancy.guesses if scenario.expectancy else (),
        )

    @property
    def further(self) -> tuple[tuple[ScoreDistribution, ...], ...]:
        """Laws of the scores by visit beyond those of the arms."""
        return self.mixture.further if self.mixture else ()

    def components(self, at: int) -> tuple[tuple[float, ArmTruth], ...]:
        """Kinds of patients that an arm is mixed of, with their shares."""
        return self.mixture.arms[at] if self.mixture else ((1.0, self.arms[at]),)

    def site(self, draws: Draws, patients: int) -> NDArray[np.intp] | None:
        """Number of each patient's site from 0, shape (trials, patients)."""
        return self.sites.site(draws, patients) if self.sites else None

    def law(self, draws: Draws, arm: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which law each patient's scores follow: those of the arms, then `further`; shape (trials, patients)."""
        return self.mixture.law(draws, arm) if self.mixture else arm

    def belief(
        self, draws: Draws, arm: NDArray[np.intp], events: Mapping[str, NDArray[np.bool_]]
    ) -> NDArray[np.int8] | None:
        """What each patient believes: 1 the experimental arm, 0 control, -1 none; shape (trials, patients).

        Parameters
        ----------
        events
            By term, who has the adverse event, shape (trials, patients); all that the scenario names.
        """
        return self.beliefs.belief(draws, arm, events) if self.beliefs else None

    def shifts(
        self,
        draws: Draws,
        arm: NDArray[np.intp],
        site: NDArray[np.intp] | None,
        belief: NDArray[np.int8] | None,
        day: NDArray[np.float64],
        exposure: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64] | None:
        """Points to add to the scores at each visit, shape (trials, patients, visits); None where nothing is added.

        Parameters
        ----------
        arm, site, belief
            As drawn, shape (trials, patients).
        day
            Of the trial on which each visit takes place, shape (trials, patients, visits).
        exposure
            Points that the drug's concentration adds, of the same shape.
        """
        total = exposure
        for part in (
            self.sites.shifts(draws, site, arm, len(self.arms)) if self.sites and site is not None else None,
            self.beliefs.shifts(belief) if self.beliefs and belief is not None else None,
            self.raters.shifts(draws, site, day) if self.raters else None,
        ):
            if part is not None:
                total = part if total is None else total + part
        return total

    def missed(self, draws: Draws, arm: NDArray[np.intp], scores: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Visits missed by patients who have not left, shape (trials, patients, visits); `scores` all, seen or not."""
        return self.misses.missed(draws, arm, scores) if self.misses else None


def _sites(protocol: Protocol, scenario: Scenario) -> SiteEffects | None:
    told = scenario.sites
    if told is None:
        return None
    covariate = next((item for item in protocol.covariates if item.name == "site"), None)
    shares = told.shares or (covariate.shares if covariate else ()) or (1 / told.number,) * told.number
    return SiteEffects.of(shares, told.mean_sd, told.effect_sd, [visit.day for visit in protocol.visits])


def _mixture(protocol: Protocol, scenario: Scenario, arms: tuple[ArmTruth, ...]) -> ResponderMixture | None:
    told = scenario.responders
    if told is None or told.fraction == 1:
        return None
    chosen = told.arms or protocol.arm_names[1:]
    return ResponderMixture.of(
        arms, told.fraction, [name in chosen for name in protocol.arm_names], protocol.scale.maximum
    )


def _beliefs(protocol: Protocol, scenario: Scenario) -> BeliefLaw | None:
    told = scenario.expectancy
    if told is None:
        return None
    if told.felt and told.not_felt:
        laws = [(one.experimental, one.does_not_know) for one in (told.not_felt, told.felt)]
    else:
        measures = [scenario.arms[name].measures[told.guesses[0]] for name in protocol.arm_names]
        laws = [(law.guesses_experimental or 0.0, law.does_not_know) for law in measures]
    experimental, unknown = np.array(laws, dtype=np.float64).T
    first = protocol.visit_names.index(told.from_visit) if told.from_visit else 1
    return BeliefLaw(told.sign, experimental, unknown, told.points, told.points_if_control, first, len(protocol.visits))


def _raters(scenario: Scenario) -> RaterShifts | None:
    told = scenario.rater_drift
    if told is None:
        return None
    return RaterShifts(told.points_per_year, told.raters, told.rater_sd, scenario.sites.number if scenario.sites else 1)


def _misses(
    protocol: Protocol, scenario: Scenario, kinds: Sequence[Sequence[tuple[float, ArmTruth]]]
) -> MissedVisitsLaw | None:
    told = scenario.missed_visits
    if told is None:
        return None
    probability = np.array(
        [
            [told.visits.get(visit, told.arms.get(arm, told.probability)) for visit in protocol.visit_names]
            for arm in protocol.arm_names
        ]
    )
    probability[:, 0] = 0.0
    return MissedVisitsLaw.of(kinds, probability, told.odds_ratio_per_point) if probability.any() else None
