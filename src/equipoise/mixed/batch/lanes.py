"""Arithmetic on eight trials at once: a number type for numba that is a vector of eight doubles, one a trial.

Arrays of such numbers are plain float64 arrays whose last axis is the lane. `load` and `store` address them by the
position of the vector; they also take a `pointer` into an array, which costs less to hand on (whoever made the array
keeps it alive). Every operation acts on each lane alone, so a trial's result cannot depend on its neighbours.
Vectors are written into the code as such: no loop has to be vectorised, and no check for overlapping arrays is made.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import models, register_model

__all__ = [
    "LANES",
    "choose",
    "compiled",
    "every",
    "fill",
    "fma",
    "greater",
    "load",
    "pointer",
    "put",
    "root",
    "store",
]

# Numba's decorators are not typed in a way that fits their use.
_njit: Any = numba.njit
_intrinsic: Any = extending.intrinsic
_lower_builtin: Any = extending.lower_builtin
_infer_global: Any = infer_global

LANES = 8
compiled: Any = _njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compiles a function that only other compiled functions call."""
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INDEX = ir.IntType(32)


class LanesType(types.Type):
    """Eight doubles."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes({LANES})")


_LANES = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


class PointerType(types.Type):
    """Where in memory some vectors begin."""

    def __init__(self) -> None:
        super().__init__(name=f"LanesPointer({LANES})")


_POINTER = PointerType()


@register_model(PointerType)
class _PointerModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.DoubleType().as_pointer())


def _register(function: Any, instruction: str) -> None:
    class Template(ConcreteTemplate):
        cases = [signature(_LANES, _LANES, _LANES)]  # noqa: RUF012

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)

    _infer_global(function)(Template)
    _lower_builtin(function, _LANES, _LANES)(lower)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _register(_function, _instruction)


def _address(context: Any, builder: Any, kind: Any, array: Any, position: Any, width: int) -> Any:
    data = array if isinstance(kind, PointerType) else context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [builder.mul(position, ir.Constant(position.type, width))])


def _function_of(builder: Any, name: str, arguments: int) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * arguments)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")


@_intrinsic
def pointer(typing_context, array, position):
    """Pointer to a position of a contiguous float64 array, counted in vectors."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _address(context, builder, sig.args[0], args[0], args[1], LANES)

    return _POINTER(array, types.intp), generate


@_intrinsic
def put(typing_context, array, position, value):
    """Write a single number at a position of an array, counted in numbers."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, sig.args[0], args[0], args[1], 1))
        return context.get_dummy_value()

    return types.void(array, types.intp, types.float64), generate


@_intrinsic
def load(typing_context, array, position):
    """The vector at a position of an array, counted in vectors."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = _address(context, builder, sig.args[0], args[0], args[1], LANES)
        return builder.load(builder.bitcast(address, _VECTOR.as_pointer()), align=8)

    return _LANES(array, types.intp), generate


@_intrinsic
def store(typing_context, array, position, value):
    """Write a vector at a position of an array, counted in vectors."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = _address(context, builder, sig.args[0], args[0], args[1], LANES)
        builder.store(args[2], builder.bitcast(address, _VECTOR.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES), generate


@_intrinsic
def fma(typing_context, first, second, third):
    """first * second + third, in one rounding where the processor can."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.call(_function_of(builder, "fmuladd", 3), args)

    return _LANES(_LANES, _LANES, _LANES), generate


@_intrinsic
def root(typing_context, value):
    """Square root; NaN of what is negative."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.call(_function_of(builder, "sqrt", 1), args)

    return _LANES(_LANES), generate


@_intrinsic
def fill(typing_context, value):
    """A number in every lane."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        empty = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(empty, args[0], ir.Constant(_INDEX, 0))
        return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES))

    return _LANES(types.float64), generate


@_intrinsic
def greater(typing_context, first, second):
    """1 where first > second, 0 elsewhere and where one of them is NaN."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.uitofp(builder.fcmp_ordered(">", args[0], args[1]), _VECTOR)

    return _LANES(_LANES, _LANES), generate


@_intrinsic
def choose(typing_context, mask, first, second):
    """First where the mask is above 0, second elsewhere."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[1], args[2])

    return _LANES(_LANES, _LANES, _LANES), generate


@_intrinsic
def every(typing_context, mask):
    """Whether the mask is above 0 in all lanes."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        above = builder.fcmp_ordered(">", args[0], ir.Constant(_VECTOR, [0.0] * LANES))
        bits = builder.bitcast(above, ir.IntType(LANES))
        return builder.icmp_unsigned("==", bits, ir.Constant(ir.IntType(LANES), 2**LANES - 1))

    return types.boolean(_LANES), generate
