"""The error of a mixed model that cannot be fitted."""

from __future__ import annotations

from ..errors import NotEstimable

__all__ = ["FitError"]


class FitError(NotEstimable):
    """The model could not be fitted to these data; the message is one clear sentence.

    It is not an `InputError`: the arguments were well formed, the data do not bear the model. A simulation may
    catch it and count the trial as not analysable.
    """
