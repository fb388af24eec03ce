"""The promise: a trial's protocol as typed, validated, immutable data."""

from __future__ import annotations

from .endpoints import (
    AdverseEventsEndpoint,
    BlindingEndpoint,
    ClustersEndpoint,
    Component,
    CountEndpoint,
    Endpoint,
    HierarchicalEndpoint,
    LongitudinalEndpoint,
    LossOfResponseEndpoint,
    MeanEndpoint,
    OrdinalEndpoint,
    ResponseEndpoint,
    TimeToEventEndpoint,
)
from .load import Fault, ProtocolError, load, loaded, parse
from .measures import Measure, MeasureTruth
from .paper import NotCorrected, Paper, PublishedEffect, PublishedSecondary
from .protocol import Protocol
from .scales import RatingScale, scales
from .shelf import (
    find_paper,
    find_protocol,
    gallery,
    gallery_names,
    gallery_text,
    paper,
    paper_names,
    paper_text,
)

__all__ = [
    "AdverseEventsEndpoint",
    "BlindingEndpoint",
    "ClustersEndpoint",
    "Component",
    "CountEndpoint",
    "Endpoint",
    "Fault",
    "HierarchicalEndpoint",
    "LongitudinalEndpoint",
    "LossOfResponseEndpoint",
    "MeanEndpoint",
    "Measure",
    "MeasureTruth",
    "NotCorrected",
    "OrdinalEndpoint",
    "Paper",
    "Protocol",
    "ProtocolError",
    "PublishedEffect",
    "PublishedSecondary",
    "RatingScale",
    "ResponseEndpoint",
    "TimeToEventEndpoint",
    "find_paper",
    "find_protocol",
    "gallery",
    "gallery_names",
    "gallery_text",
    "load",
    "loaded",
    "paper",
    "paper_names",
    "paper_text",
    "parse",
    "scales",
]
