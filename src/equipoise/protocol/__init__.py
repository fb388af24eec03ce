"""The promise: a trial's protocol as typed, validated, immutable data."""

from __future__ import annotations

from .endpoints import Endpoint, LongitudinalEndpoint, LossOfResponseEndpoint, MeanEndpoint, ResponseEndpoint
from .load import Fault, ProtocolError, load, parse
from .protocol import Protocol
from .scales import RatingScale, scales
from .shelf import find_protocol, gallery, gallery_names, gallery_text

__all__ = [
    "Endpoint",
    "Fault",
    "LongitudinalEndpoint",
    "LossOfResponseEndpoint",
    "MeanEndpoint",
    "Protocol",
    "ProtocolError",
    "RatingScale",
    "ResponseEndpoint",
    "find_protocol",
    "gallery",
    "gallery_names",
    "gallery_text",
    "load",
    "parse",
    "scales",
]
