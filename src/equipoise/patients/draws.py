"""Random numbers of many trials, each found from what it is for and nothing else."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Draws"]


@dataclass(frozen=True, eq=False)
class Draws:
    """Random numbers of some trials of a run.

    A number depends on the seed, the stream, the trial, the purpose and its place in the shape asked for, not on which
    trials are drawn together, what else is drawn, or how far the first axis goes: patient 7 of trial 12 has the same
    numbers alone, among a million trials, and in a trial of another size. Trials of other scenarios or designs drawn
    from one stream are on common random numbers.

    Numbers are those of NumPy's Philox generator: with the key BLAKE2b(seed, stream) and the counter (block, 0,
    BLAKE2b(purpose), trial), four to a block. Normal and exponential ones are quantiles of the uniform ones.

    Attributes
    ----------
    trials
        Numbers of the trials, shape (trials,).
    key
        Two 64-bit words.
    """

    trials: NDArray[np.int64]
    key: tuple[np.uint64, np.uint64]

    @classmethod
    def of(cls, seed: int, stream: str, trials: ArrayLike) -> Draws:
        """Numbers of trials under a seed and a stream, which is the scenario's name unless it is to be shared.

        Raises
        ------
        InputError
            For a negative seed or trial.
        """
        numbers = np.atleast_1d(np.asarray(trials, dtype=np.int64))
        if seed < 0:
            raise InputError("seed", seed, "a whole number from 0 on")
        if numbers.min(initial=0) < 0:
            raise InputError("trial", int(numbers.min()), "a whole number from 0 on")
        first, second = _words(f"{seed}\x1f{stream}", 2)
        return cls(numbers, (first, second))

    def __len__(self) -> int:
        return len(self.trials)

    def uniform(self, purpose: str, *shape: int) -> NDArray[np.float64]:
        """Uniform numbers of the open unit interval, shape (trials, *shape)."""
        from .philox import fill_uniform

        return self._filled(fill_uniform, purpose, shape)

    def normal(self, purpose: str, *shape: int) -> NDArray[np.float64]:
        """Standard normal numbers, shape (trials, *shape)."""
        from .philox import fill_normal

        return self._filled(fill_normal, purpose, shape)

    def exponential(self, purpose: str, *shape: int) -> NDArray[np.float64]:
        """Exponential numbers of mean 1, shape (trials, *shape)."""
        from .philox import fill_exponential

        return self._filled(fill_exponential, purpose, shape)

    def _filled(self, fill: Any, purpose: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        out = np.empty((len(self.trials), math.prod(shape)))
        fill(out, self.key[0], self.key[1], _words(purpose, 1)[0], self.trials)
        return out.reshape(len(self.trials), *shape)


def _words(text: str, count: int) -> list[np.uint64]:
    digest = hashlib.blake2b(text.encode(), digest_size=8 * count).digest()
    return [np.uint64(int.from_bytes(digest[8 * at : 8 * at + 8], "little")) for at in range(count)]
