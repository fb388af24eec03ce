"""The errors a user of Equipoise is meant to see."""

from __future__ import annotations

__all__ = ["InputError", "NotEstimable"]


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one clear sentence.

    Parameters
    ----------
    field
        Where the fault lies: an argument, a key of the protocol, a column of a file.
    value
        What was given, shown shortened.
    expected
        What would have been right, as a phrase that completes "expected ...".
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        try:
            shown = repr(value)
        except ValueError:
            shown = f"a {type(value).__name__} too long to print"
        if len(shown) > 80:
            shown = shown[:77] + "..."
        self.field, self.value, self.expected = field, value, expected
        super().__init__(f"{field} is {shown}; expected {expected}")


class NotEstimable(RuntimeError):
    """Sound input that does not bear the analysis asked of it: too few patients, no convergence; one clear sentence."""
