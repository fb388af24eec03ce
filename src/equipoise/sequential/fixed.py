"""Bounds given by the user, on the z scale or on one that committees speak of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..checks import number
from ..errors import InputError
from .futility_scales import SCALES

__all__ = ["FixedBounds"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FixedBounds:
    """Bounds as they stand, look by look.

    As efficacy bounds: one z-value (or one-sided nominal p-value) a look. If the last look is left out its bound is
    solved so that alpha is spent exactly; if it is given, the bounds spend what they spend, which must not exceed
    alpha; if it is less, p-values between the two do not reject. As futility bounds: one value for each look but the
    last, whose futility bound is its efficacy bound. A futility bound above the efficacy bound is cut to it.

    Parameters
    ----------
    values
        One a look; None, or an infinite z, for no bound at that look. As futility bounds a single one serves every
        interim look.
    scale
        "z"; "p-value" (one-sided, nominal); and for futility "conditional power" (to cross a later efficacy bound
        under the planned drift), "conditional power at trend" (under the observed trend), "predictive power" (flat
        prior), "effect" (as a multiple of the planned effect, the one at which the power is 1 - beta).
    """

    values: tuple[float | None, ...]
    scale: str = "z"

    def __post_init__(self) -> None:
        if not isinstance(self.scale, str) or self.scale not in SCALES:
            raise InputError("scale", self.scale, "one of " + ", ".join(SCALES))
        given = self.values
        if isinstance(given, str | set | dict):
            raise InputError("values", given, "a bound for each look")
        given = tuple(given) if isinstance(given, Iterable) else (given,)
        low, high = SCALES[self.scale]
        right = "a number" if math.isinf(high) else f"a number from {low:g} to {high:g}"
        field, right = f"bounds on the scale '{self.scale}'", f"{right}, or None for no bound"
        values = tuple(None if value is None else number(field, value, right, infinite=True) for value in given)
        for value in values:
            if value is not None and not low <= value <= high:
                raise InputError(field, value, right)
        if not values:
            raise InputError("values", values, "a bound for each look")
        object.__setattr__(self, "values", values)

    @property
    def name(self) -> str:
        """The bounds and their scale."""
        shown = ", ".join("none" if value is None else f"{value:g}" for value in self.values)
        return f"fixed bounds, {self.scale} {shown}"

    @property
    def is_nested(self) -> bool:
        """The bounds are the same whatever alpha."""
        return False

    @property
    def looks_ahead(self) -> bool:
        """Whether the scale speaks of what later looks may bring."""
        return "power" in self.scale

    @property
    def needs_drift(self) -> bool:
        """Whether the scale speaks of the planned effect."""
        return self.scale in ("conditional power", "effect")

    def has_constant(self, looks: int) -> bool:
        """As efficacy bounds: whether the last is left to be solved.

        Raises
        ------
        InputError
            When their number or scale does not fit.
        """
        if self.scale not in ("z", "p-value"):
            raise InputError("efficacy", self.scale, "bounds on the scale z or p-value")
        if len(self.values) not in (looks - 1, looks):
            right = f"{looks} bounds, one a look, or {looks - 1}, the last to be solved" if looks > 1 else "1 bound"
            raise InputError("efficacy", list(self.values), right)
        if len(self.values) == looks and all(value is None or math.isinf(value) for value in self.values):
            raise InputError("efficacy", list(self.values), "a bound at one look at least")
        return len(self.values) == looks - 1

    def bounds(self, information: Array, constant: float) -> Array:
        """Efficacy bounds on z, shape (looks,)."""
        from scipy.special import ndtri

        given = np.array([math.inf if value is None else value for value in self.values])
        if self.scale == "p-value":
            missing = np.isinf(given)
            given = np.where(missing, math.inf, -ndtri(np.where(missing, 0.5, given)))
        return np.append(given, constant) if given.size < information.size else given

    def at(self, information: Array, planned: Sequence[float]) -> list[float | None]:
        """Futility bounds at looks with `information`: the planned ones, in between by linear interpolation."""
        interim = np.array(planned[:-1])
        values = self.values * interim.size if len(self.values) == 1 else self.values
        held: list[float | None] = []
        for time in information:
            right = min(int(np.searchsorted(interim, time - 1e-12)), interim.size - 1)
            left = right if abs(interim[right] - time) <= 1e-12 or time >= interim[right] else max(right - 1, 0)
            first, second = values[left], values[right]
            if first is None or second is None or left == right:
                held.append(second if left == right else None)
                continue
            weight = (time - interim[left]) / (interim[right] - interim[left])
            held.append(first + weight * (second - first))
        return held

    def futility(
        self, information: Array, planned: Sequence[float], efficacy: Array, drift: float, sided: int
    ) -> Array:
        """Futility bounds on z at every look but the last given, where it is left open (minus infinity)."""
        from .backward import conditional_power_bounds
        from .futility_scales import z_bound

        lower = np.full(information.size, -math.inf)
        held = self.at(information[:-1], planned)
        if self.scale == "conditional power":
            lower[:-1] = conditional_power_bounds(held, information, efficacy, drift, sided)
            return lower
        for look, value in enumerate(held):
            if value is not None:
                lower[look] = z_bound(value, self.scale, look + 1, information, efficacy, drift, sided)
        return lower
