"""Exposure-response: what a dose arm's patients gain from the concentrations of drug that they reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from ..drug_data import drug_data
from .parts import Name, Number, Part, Positive, Strict
from .raw import Finding, Place, Raw, is_number, numbers, text, unknown

__all__ = ["Exposure", "check_exposure"]

Dose = Annotated[Positive, Field(ge=1e-6, le=1_000)]
Share = Annotated[Number, Field(ge=0, le=1)]


class Exposure(Part):
    """A link between each patient's exposure to the drug and her scores.

    Each patient of a dosed arm has a weight and kinetics of her own (`equipoise.patients.drugs`), and so an exposure E:
    the peak concentration, or the area under it, of one infusion with no drug left from before. Her score at a visit is
    better by

        maximum_points * E / (ec50 + E) * onset             model "emax"
        maximum_points * E / E(reference_dose) * onset      model "linear", E(reference_dose) of a typical person

    points, in the scale's favourable direction. Onset is the share of the arm's scheduled infusions that are given
    before the visit's day, unless it is said; infusions that a patient misses by leaving the trial count as given,
    which matters to nobody as she is not seen again. The means of the scenario's arms are what the arms would have
    without this link (for dose arms, say, those of the control arm), unless `in_means` is set.

    No EC50 and no maximum effect of ketamine on PTSD or depression have been published as a function of concentration:
    `ec50`, `maximum_points`, `reference_dose` and `onset` are the user's assumptions. So are the weights: 80 kg with an
    SD of 17 unless they are said, log-normal.
    """

    drug: Annotated[Name, Field(description="Published kinetics: s-ketamine-venous, s-ketamine-arterial, midazolam.")]
    dose_mg_per_kg: Annotated[
        dict[str, Dose],
        Field(min_length=1, description="Per arm and infusion, of the racemate for ketamine; arms left out have none."),
    ]
    maximum_points: Annotated[
        Positive,
        Field(description="Gained at full effect (emax) or at the reference dose (linear), in points. Assumed."),
    ]
    model: Literal["emax", "linear"] = "emax"
    measure: Annotated[
        Literal["cmax", "auc"], Field(description="Of an infusion: its peak in ng/mL, or its area in ng h/mL.")
    ] = "cmax"
    ec50: Annotated[
        Positive | None, Field(description="Of emax: exposure at half of the effect, ng/mL or ng h/mL. Assumed.")
    ] = None
    reference_dose: Annotated[
        Dose | None, Field(description="Of linear: mg/kg at which a typical person gains maximum_points. Assumed.")
    ] = None
    infusion_minutes: Annotated[Positive, Field(le=1_440)] = 40.0
    weight_mean: Annotated[Positive, Field(ge=1, le=500, description="In kg; assumed.")] = 80.0
    weight_sd: Annotated[Positive, Field(le=200, description="In kg; assumed.")] = 17.0
    onset: Annotated[
        tuple[Share, ...],
        Field(description="Share of the effect at each visit, baseline (0) first; by infusions given when empty."),
    ] = ()
    in_means: Annotated[
        bool,
        Strict(),
        Field(description="Whether the arms' means hold the mean gain, so that only departures from it are added."),
    ] = False


def check_exposure(place: Place, section: Any, raw: Raw) -> Iterator[Finding]:
    """Faults of a scenario's exposure that only the whole protocol shows.

    Parameters
    ----------
    place
        Keys that lead to the exposure.
    section
        Its raw table; nothing is found in what is no table.
    """
    if not isinstance(section, dict):
        return
    if not raw.has_scale:
        yield Finding(place, section.get("drug"), "has no meaning without [outcome], a rating scale")
    yield from _drug(place, section)
    doses, onset = section.get("dose_mg_per_kg"), numbers(section.get("onset"))
    schedules = {entry["name"]: entry.get("schedule") for _, entry in raw.entries("arms")}
    for arm in doses if isinstance(doses, dict) else ():
        if arm not in raw.arms:
            yield Finding((*place, "dose_mg_per_kg", arm), arm, unknown("arm", raw.arms, arm))
        elif not onset and not schedules[arm]:
            right = "'schedule', the days of its infusions, or 'onset' here"
            yield Finding((*place, "dose_mg_per_kg", arm), arm, f"has no days of administration; expected {right}")
    if onset and raw.visits and len(onset) != len(raw.visits):
        right = f"{len(raw.visits)}, one per visit ({', '.join(raw.visits)})"
        yield Finding((*place, "onset"), onset, f"has {len(onset)} values; expected {right}")
    elif onset and onset[0] != 0:
        yield Finding((*place, "onset", 0), onset[0], "expected 0 at the first visit, before any infusion")
    points = section.get("maximum_points")
    if raw.scale is not None and is_number(points) and points > raw.scale.maximum - raw.scale.minimum:
        width = raw.scale.maximum - raw.scale.minimum
        yield Finding((*place, "maximum_points"), points, f"expected {width:g} at most, the width of the scale")


def _drug(place: Place, section: dict[str, Any]) -> Iterator[Finding]:
    name = section.get("drug")
    if text(name) and name not in drug_data():
        yield Finding((*place, "drug"), name, unknown("drug", list(drug_data()), name))
    model = section.get("model", "emax")
    for own, key in (("emax", "ec50"), ("linear", "reference_dose")):
        if model == own and section.get(key) is None:
            yield Finding((*place, key), None, f"is missing; expected with model '{own}'")
        elif model in ("emax", "linear") and model != own and section.get(key) is not None:
            yield Finding((*place, key), section[key], f"has no meaning with model '{model}'; it belongs to '{own}'")
