"""A law of potential responses and durations whose every estimand is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ResponseLaw:
    """Patients of some types; within a type responses are drawn jointly and durations are exponential.

    Attributes
    ----------
    shares
        Of the types, shape (types,).
    both, control_only, experimental_only
        Probabilities of the types' joint responses, shape (types,).
    hazards
        Of loss of response under control and under the experimental arm, shape (2, types).
    same
        Whether a patient's durations are the same whichever arm she is in.
    """

    shares: tuple[float, ...]
    both: tuple[float, ...]
    control_only: tuple[float, ...]
    experimental_only: tuple[float, ...]
    hazards: tuple[tuple[float, ...], tuple[float, ...]]
    same: bool = False

    def means(self, horizon):
        """Mean duration within the horizon by arm and type."""
        rate = np.array(self.hazards)
        return (1 - np.exp(-rate * horizon)) / rate

    def responding(self):
        """Probability of response by arm and type."""
        both = np.array(self.both)
        return np.stack([both + self.control_only, both + self.experimental_only])

    def mean_times(self, horizon):
        """Mean time in response by arm, among all."""
        return (self.responding() * self.means(horizon)) @ np.array(self.shares)

    def difference(self, horizon):
        """Of the mean times in response."""
        control, experimental = self.mean_times(horizon)
        return experimental - control

    def in_response(self, time):
        """Probability of being in response at a time, by arm."""
        return (self.responding() * np.exp(-np.array(self.hazards) * time)) @ np.array(self.shares)

    def stratum_effect(self, horizon):
        """Mean effect in those who would respond to the experimental arm."""
        means, shares = self.means(horizon), np.array(self.shares)
        share = self.responding()[1] @ shares
        gained = self.responding()[1] * means[1] - np.array(self.both) * means[0]
        return gained @ shares / share

    def among_responders(self, horizon):
        """Difference of mean durations between the responders of the arms: no treatment effect."""
        shares = np.array(self.shares)
        return np.diff(self.mean_times(horizon) / (self.responding() @ shares))[0]

    def draw(self, generator, trials, patients, censoring=(np.inf, np.inf)):
        """Arms (alternating), responses, times and losses seen, shape (trials, patients)."""
        size = (trials, patients)
        kind = generator.choice(len(self.shares), size=size, p=self.shares)
        steps = np.cumsum([self.both, self.control_only, self.experimental_only], axis=0)[:, kind]
        uniform = generator.random(size)
        either = [uniform < steps[0], (uniform >= steps[0]) & (uniform < steps[1])]
        respond = np.stack([either[0] | either[1], either[0] | ((uniform >= steps[1]) & (uniform < steps[2]))])
        one = generator.exponential(1.0, size)
        other = one if self.same else generator.exponential(1.0, size)
        durations = np.stack([one, other]) / np.array(self.hazards)[:, kind]
        arm = np.broadcast_to(np.arange(patients) % 2, size)
        responded = np.where(arm == 1, respond[1], respond[0])
        lasted = np.where(arm == 1, durations[1], durations[0])
        end = generator.uniform(*censoring, size) if np.isfinite(censoring[0]) else np.inf
        return arm, responded, np.minimum(lasted, end), lasted <= end


MONOTONE = ResponseLaw(
    (0.3, 0.4, 0.3), (0.5, 0.3, 0.1), (0.0, 0.0, 0.0), (0.4, 0.4, 0.3), ((0.02, 0.04, 0.1), (0.01, 0.03, 0.06))
)
NOT_MONOTONE = ResponseLaw(
    (0.3, 0.4, 0.3), (0.5, 0.2, 0.1), (0.1, 0.1, 0.2), (0.3, 0.4, 0.3), ((0.02, 0.04, 0.1), (0.01, 0.03, 0.06))
)
ONLY_SELECTION = ResponseLaw(
    (0.3, 0.4, 0.3),
    (0.9, 0.3, 0.0),
    (0.0, 0.0, 0.0),
    (0.0, 0.4, 0.7),
    ((0.01, 0.05, 0.2), (0.01, 0.05, 0.2)),
    same=True,
)


def trials(seed, count, size, unknown=0.1, absent=0.1):
    """Small trials with ties, censoring, unknown responses, places without a patient, and arms that come out empty."""
    generator = np.random.default_rng(seed)
    shape = (count, size)
    arm = np.where(generator.random(shape) < absent, -1, generator.integers(0, 2, shape))
    responded = (generator.random(shape) < generator.uniform(0, 1, (count, 1))).astype(float)
    responded[generator.random(shape) < unknown] = np.nan
    time = np.ceil(generator.exponential(10, shape))
    end = np.where(generator.random((count, 1)) < 0.1, 0.0, np.ceil(generator.uniform(1, 40, shape)))
    observed = time <= end
    time = np.where(responded == 1, np.minimum(time, end), np.nan)
    return arm, responded, time, np.where(responded == 1, observed, np.nan)


def bounds_by_programme(arm, responded, time, horizon):
    """Sharp bounds without censoring, by choosing who of control is in the stratum (linear programme)."""
    from scipy.optimize import linprog

    inside = np.where(responded, np.minimum(time, horizon), 0.0)
    share, gained = responded[arm == 1].mean(), inside[arm == 1].mean()
    control = inside[arm == 0]
    weights = np.full(control.size, 1 / control.size)
    found = []
    for sign in (-1, 1):
        solution = linprog(sign * control, A_eq=[np.ones(control.size)], b_eq=[share], bounds=[(0, w) for w in weights])
        found.append((gained - solution.x @ control) / share)
    return found
