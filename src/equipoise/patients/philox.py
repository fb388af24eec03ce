"""Kernels that fill arrays with counter-based random numbers: those of NumPy's Philox, found anywhere in any order."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

__all__ = ["fill_exponential", "fill_normal", "fill_uniform"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
_intrinsic: Any = intrinsic

# Philox4x64-10 (Salmon, Moraes, Dror & Shaw 2011, SC'11, doi:10.1145/2063384.2063405).
_FIRST, _SECOND = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_FIRST_STEP, _SECOND_STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10
_SHIFT, _UNIT = np.uint64(11), 2.0**-53

# Normal quantile: algorithm AS 241, PPND16 (Wichura 1988, Appl Stat 37:477), accurate to about 1 part in 1e16.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip

# Logarithm: as in fdlibm's e_log.c and s_log1p.c (Sun Microsystems 1993), within an ulp.
_LOG = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_MANTISSA, _BIAS, _LOW = np.int64(52), np.int64(1023), np.int64(0xFFFFFFFFFFFFF)
_HALF_BITS = np.int64(0x3FE6A09E00000000)  # about the root of 1/2
_ROOT_BITS = np.int64(0x3FF0000000000000) - _HALF_BITS


@_intrinsic
def _product(_typing: Any, first: Any, second: Any) -> Any:
    """High and low halves of the 128-bit product of two 64-bit numbers."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        whole = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        high = builder.trunc(builder.lshr(whole, ir.Constant(wide, 64)), ir.IntType(64))
        low = builder.trunc(whole, ir.IntType(64))
        return context.make_tuple(builder, signature.return_type, (high, low))

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), build


@_compiled
def _block(key0, key1, counter0, counter1, counter2, counter3):
    """Four 64-bit numbers."""
    for _ in range(_ROUNDS):
        high0, low0 = _product(_FIRST, counter0)
        high1, low1 = _product(_SECOND, counter2)
        counter0, counter1, counter2, counter3 = high1 ^ counter1 ^ key0, low1, high0 ^ counter3 ^ key1, low0
        key0 += _FIRST_STEP
        key1 += _SECOND_STEP
    return counter0, counter1, counter2, counter3


@_compiled
def _open_unit(word):
    """A number in the open interval (0, 1): the middle of one of 2^53 equal parts, the last but for rounding."""
    return min(((word >> _SHIFT) + 0.5) * _UNIT, 1.0 - _UNIT)


@_compiled
def fill_uniform(out, key0, key1, purpose, trials):
    """Fill `out` (trials, count) with uniform numbers of the open unit interval.

    The number at (t, n) is from word n % 4 of the block with counter (n // 4, 0, purpose, trials[t]).
    """
    zero = np.uint64(0)
    for row in range(trials.size):
        trial = np.uint64(trials[row])
        at, count, block = 0, out.shape[1], np.uint64(0)
        while at < count:
            first, second, third, fourth = _block(key0, key1, block, zero, purpose, trial)
            out[row, at] = _open_unit(first)
            if at + 3 < count:
                out[row, at + 1] = _open_unit(second)
                out[row, at + 2] = _open_unit(third)
                out[row, at + 3] = _open_unit(fourth)
            else:
                if at + 1 < count:
                    out[row, at + 1] = _open_unit(second)
                if at + 2 < count:
                    out[row, at + 2] = _open_unit(third)
            at += 4
            block += np.uint64(1)


@_compiled
def _ratio(upper, lower, at):
    """Ratio of two polynomials of degree 7, coefficients from the constant up."""
    top = upper[7]
    bottom = lower[7]
    for power in range(6, -1, -1):
        top = top * at + upper[power]
        bottom = bottom * at + lower[power]
    return top / bottom


@_compiled
def _normal_quantile(probability):
    """Standard normal quantile of a probability in (0, 1)."""
    centred = probability - 0.5
    if abs(centred) <= 0.425:
        return centred * _ratio(_CENTRE[0], _CENTRE[1], 0.180625 - centred * centred)
    tail = probability if centred < 0 else 1.0 - probability
    distance = np.sqrt(-np.log(tail))
    near = distance <= 5.0
    found = _ratio(_TAIL[0], _TAIL[1], distance - 1.6) if near else _ratio(_FAR[0], _FAR[1], distance - 5.0)
    return -found if centred < 0 else found


@_compiled
def fill_normal(out, key0, key1, purpose, trials):
    """Fill `out` (trials, count) with standard normal numbers, quantiles of the uniform ones.

    All are first taken for the middle's, without a branch, so that several are found at a time; then those in the tails
    are found again.
    """
    fill_uniform(out, key0, key1, purpose, trials)
    uniform = np.empty(out.shape[1])
    for row in range(out.shape[0]):
        uniform[:] = out[row]
        for at in range(uniform.size):
            centred = uniform[at] - 0.5
            out[row, at] = centred * _ratio(_CENTRE[0], _CENTRE[1], 0.180625 - centred * centred)
        for at in range(uniform.size):
            if abs(uniform[at] - 0.5) > 0.425:
                out[row, at] = _normal_quantile(uniform[at])


@_compiled
def fill_exponential(out, key0, key1, purpose, trials):
    """Fill `out` (trials, count) with exponential numbers of mean 1, quantiles -log(1 - u) of the uniform ones.

    The logarithm is computed here, without a branch, so that several are found at a time.
    """
    fill_uniform(out, key0, key1, purpose, trials)
    numbers = out.reshape(out.size)
    bits = numbers.view(np.int64)
    for at in range(numbers.size):
        uniform = numbers[at]
        kept = 1.0 - uniform
        lost = ((1.0 - kept) - uniform) / kept
        # kept = mantissa 2^power with the mantissa between the roots of 1/2 and 2
        numbers[at] = kept
        raised = bits[at] + _ROOT_BITS
        power = np.float64((raised >> _MANTISSA) - _BIAS)
        bits[at] = (raised & _LOW) + _HALF_BITS
        excess = numbers[at] - 1.0
        ratio = excess / (2.0 + excess)
        square = ratio * ratio
        series = _LOG[6]
        for term in range(5, -1, -1):
            series = series * square + _LOG[term]
        half = 0.5 * excess * excess
        rest = ratio * (half + square * series) + (power * _LOG2_LOW + lost)
        numbers[at] = ((half - rest) - excess) - power * _LOG2_HIGH
