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
from .load import Fault, ProtocolError, load, parse
from .measures import Measure, MeasureTruth
from .protocol import Protocol
from .scales import RatingScale, scales
from .shelf import find_protocol, gallery, gallery_names, gallery_text

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
    "OrdinalEndpoint",
    "Protocol",
    "ProtocolError",
    "RatingScale",
    "ResponseEndpoint",
    "TimeToEventEndpoint",
    "find_protocol",
    "gallery",
    "gallery_names",
    "gallery_text",
    "load",
    "parse",
    "scales",
]
