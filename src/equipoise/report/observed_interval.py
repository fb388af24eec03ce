"""Which interval stands beside the effect as observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..endpoints import describe
from ..trial import NotAnalysed

if TYPE_CHECKING:
    from ..estimate import Interval
    from ..sequential import Conclusion
    from ..trial import TrialResult

__all__ = ["observed_interval"]


def observed_interval(result: TrialResult, conclusion: Conclusion) -> tuple[Interval, str]:
    """The interval to stand beside the effect as observed, and its name where there is another to confuse it with.

    An endpoint's own interval, as in its tables, may be of another method than the standard error that the looks and
    the corrected intervals use; that one stays where the whole analysis failed.
    """
    primary = result.primary
    if not isinstance(primary, NotAnalysed) and primary.comparisons and primary.interval_name:
        return primary.comparisons[0].interval, primary.interval_name
    return conclusion.observed_interval, describe(result.protocol.primary, result.protocol).test
