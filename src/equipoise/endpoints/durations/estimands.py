"""What each way of speaking of durable response estimates, in words (ICH E9(R1), 2019)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Estimand", "durability_estimands"]


@dataclass(frozen=True, slots=True)
class Estimand:
    """An estimand's attributes; treatment is the same throughout, the experimental arm against control.

    Attributes
    ----------
    name
        Short, for the rows of a table.
    population, variable, intercurrent_events, summary
        As in ICH E9(R1).
    assumptions
        What it takes beyond randomisation to estimate it.
    is_effect
        Whether it is a treatment effect.
    """

    name: str
    population: str
    variable: str
    intercurrent_events: str
    summary: str
    assumptions: str
    is_effect: bool = True

    @property
    def words(self) -> str:
        """All of it in one paragraph."""
        return (
            f"{self.name}. Population: {self.population}. Variable: {self.variable}. Intercurrent events: "
            f"{self.intercurrent_events}. Summary: {self.summary}. Assumed: {self.assumptions}."
        )


def durability_estimands(experimental: str, control: str, visit: str, within: str, missed: str) -> tuple[Estimand, ...]:
    """The estimands that stand side by side.

    Parameters
    ----------
    experimental, control, visit
        Names, as they read inside a sentence.
    within
        The horizon in words: "90 days".
    missed
        How a patient not seen at the visit counts, in words.
    """
    time = f"days in response within {within} of {visit}, none without response"
    censoring = f"in each arm, leaving after {visit} tells nothing of when response would be lost"
    either = f"response at {visit} defines the population; {missed}"
    return (
        Estimand(
            "Among responders",
            f"the responders of each arm at {visit}, who are different patients in either arm",
            f"days from {visit} to the loss of response",
            f"response at {visit} defines the population; {missed}; leaving ends observation",
            "median by arm; it describes the arms and is no effect of treatment",
            censoring,
            is_effect=False,
        ),
        Estimand(
            "All randomised",
            f"all who were randomised and whose {visit} was due",
            time,
            f"no response is part of the variable, as no days in response; {missed}; leaving after {visit} ends"
            " observation",
            "difference and ratio of the means; difference in the probability of being in response at a day",
            censoring,
        ),
        Estimand(
            f"Would respond to {experimental}, nobody to {control} only",
            f"those who would respond to {experimental} at {visit}, whichever arm they are in (principal stratum)",
            time,
            either,
            "difference of the means",
            f"nobody would respond to {control} who would not respond to {experimental}; {censoring}",
        ),
        Estimand(
            f"Would respond to {experimental}, whoever responds to {control}",
            f"those who would respond to {experimental} at {visit}, whichever arm they are in (principal stratum)",
            time,
            either,
            "smallest and largest difference of the means that the data allow",
            f"nothing of who would respond to both; {censoring}",
        ),
        Estimand(
            f"Would respond to {experimental}, alike given the covariates",
            f"those who would respond to {experimental} at {visit}, whichever arm they are in (principal stratum)",
            time,
            either,
            "difference of the means",
            f"among patients alike in the covariates, time in response under {control} has nothing to do with whether"
            f" they would respond to {experimental}; {censoring}",
        ),
    )
