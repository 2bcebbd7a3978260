"""Eight float32 at a time, as one value: `LANES` neighbours of a row, loaded, computed with and stored together.

Refuses to know what they mean. LLVM turns loops into such code only when it can tell that no array overlaps
another, which it cannot here; with values of their own kind there is nothing to find out. `+ - *` work lane by lane;
sums may be reordered by the compiler, never from run to run.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from layervec.compiled import instruction

LANES = 8
_FLOAT, _INDEX = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FAST = ("fast",)


class _Lanes(types.Type):
    """Numba's name for the type."""

    def __init__(self) -> None:
        super().__init__(name="lanes")


LANES_TYPE = _Lanes()


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    """Says that a value is one LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _operator(symbol: Callable[[Any, Any], Any], name: str) -> None:
    """Let the operator `symbol` take two values, lane by lane, by the LLVM builder call `name`."""

    class Template(ConcreteTemplate):
        cases = [signature(LANES_TYPE, LANES_TYPE, LANES_TYPE)]  # noqa: RUF012

    infer_global(symbol)(Template)

    @lower_builtin(symbol, LANES_TYPE, LANES_TYPE)
    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return getattr(builder, name)(*arguments, flags=_FAST)


_operator(operator.add, "fadd")
_operator(operator.iadd, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.isub, "fsub")
_operator(operator.mul, "fmul")


def _splat(builder: Any, value: Any) -> Any:
    """Return the LLVM vector that holds a float in every lane."""
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, _INDEX(0))
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), _mask([0] * LANES))


def _mask(places: Sequence[int]) -> Any:
    """Return the constant that tells a shuffle which lane to take for each of its lanes."""
    return ir.Constant(ir.VectorType(_INDEX, len(places)), [_INDEX(place) for place in places])


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Return the place of element `index` of a one-dimensional array, as that of a vector."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@instruction
def load(_typing: Any, array: Any, index: Any) -> Any:
    """Return array[index : index + LANES] of a float32 array that is contiguous. Nothing checks the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *arguments), align=4)

    return LANES_TYPE(array, types.uint64), generate


@instruction
def store(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Set array[index : index + LANES] of a float32 array that is contiguous. Nothing checks the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.none(array, types.uint64, LANES_TYPE), generate


@instruction
def splat(_typing: Any, value: Any) -> Any:
    """Return a float32 in every lane."""
    return LANES_TYPE(types.float32), lambda _context, builder, _signature, arguments: _splat(builder, arguments[0])


@instruction
def if_less(_typing: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
    """Return `yes` where a < b and `no` elsewhere, lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        less = builder.fcmp_ordered("<", arguments[0], arguments[1], flags=_FAST)
        return builder.select(less, arguments[2], arguments[3])

    return LANES_TYPE(LANES_TYPE, LANES_TYPE, LANES_TYPE, LANES_TYPE), generate


def _called(name: str) -> Any:
    """Return the LLVM intrinsic `name` of one argument as a function of lanes."""

    def typed(_typing: Any, value: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(_VECTOR, [_VECTOR])
            return builder.call(get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32"), arguments)

        return LANES_TYPE(LANES_TYPE), generate

    return instruction(typed)


absolute = _called("fabs")
round_down = _called("floor")


@instruction
def running_sums(_typing: Any, value: Any) -> Any:
    """Return in each lane the sum of all lanes up to it."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        found, zeros = arguments[0], ir.Constant(_VECTOR, [_FLOAT(0.0)] * LANES)
        step = 1
        while step < LANES:
            places = [LANES + i if i < step else i - step for i in range(LANES)]  # lanes of `zeros` count on
            found = builder.fadd(found, builder.shuffle_vector(found, zeros, _mask(places)))
            step *= 2
        return found

    return LANES_TYPE(LANES_TYPE), generate


@instruction
def last(_typing: Any, value: Any) -> Any:
    """Return the last lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], _INDEX(LANES - 1))

    return types.float32(LANES_TYPE), generate


@instruction
def total(_typing: Any, value: Any) -> Any:
    """Return the sum of all lanes."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        found, width = arguments[0], LANES
        while width > 1:
            width //= 2
            low = builder.shuffle_vector(found, found, _mask(range(width)))
            high = builder.shuffle_vector(found, found, _mask(range(width, 2 * width)))
            found = builder.fadd(low, high)
        return builder.extract_element(found, _INDEX(0))

    return types.float32(LANES_TYPE), generate


@instruction
def all_zero(_typing: Any, value: Any) -> Any:
    """Tell whether every lane is 0."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        zeros = ir.Constant(_VECTOR, [_FLOAT(0.0)] * LANES)
        same = builder.fcmp_ordered("==", arguments[0], zeros)
        return builder.icmp_unsigned("==", builder.bitcast(same, ir.IntType(LANES)), ir.IntType(LANES)(2**LANES - 1))

    return types.boolean(LANES_TYPE), generate
