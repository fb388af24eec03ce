"""Allocation of patients to arms."""

from __future__ import annotations

from .allocate import permuted_blocks, simple

__all__ = ["permuted_blocks", "simple"]
