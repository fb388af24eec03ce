"""Where chunks of virtual trials are computed: this thread, this machine, a cluster."""

from __future__ import annotations

from .engine import Chunk, ChunkFunction, Engine
from .named import engine_named

__all__ = ["Chunk", "ChunkFunction", "Engine", "engine_named"]
