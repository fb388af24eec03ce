"""Regressions for one outcome a patient."""
