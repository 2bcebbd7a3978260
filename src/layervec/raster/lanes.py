"""Eight numbers at a time, as one value: neighbours of an array, loaded, computed with and stored together.

Refuses to know what they mean. LLVM turns loops into such code only when it can tell that no array overlaps
another, which it cannot here; with values of their own kind there is nothing to find out. There are lanes of float32
(pixels of a row) and of float64 (chords); `+ - * /` and the functions below work lane by lane. Sums may be reordered by
the compiler, never from run to run.
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
_FAST = ("fast",)


class _Lanes(types.Type):
    """Numba's name for `LANES` numbers of one type."""

    def __init__(self, scalar: Any) -> None:
        self.scalar = scalar
        self.bits = scalar.bitwidth
        self.vector = ir.VectorType(_FLOAT if self.bits == 32 else ir.DoubleType(), LANES)
        super().__init__(name=f"lanes_{scalar}")


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    """Says that a value is one LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.vector)


_KINDS = {scalar: _Lanes(scalar) for scalar in (types.float32, types.float64)}
NARROW, WIDE = _KINDS[types.float32], _KINDS[types.float64]


def _operator(symbol: Callable[[Any, Any], Any], name: str) -> None:
    """Let the operator `symbol` take two values, lane by lane, by the LLVM builder call `name`."""

    class Template(ConcreteTemplate):
        cases = [signature(kind, kind, kind) for kind in _KINDS.values()]  # noqa: RUF012

    infer_global(symbol)(Template)

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return getattr(builder, name)(*arguments, flags=_FAST)

    for kind in _KINDS.values():
        lower_builtin(symbol, kind, kind)(lower)


_operator(operator.add, "fadd")
_operator(operator.iadd, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.isub, "fsub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")


def _mask(places: Sequence[int]) -> Any:
    """Return the constant that tells a shuffle which lane to take for each of its lanes."""
    return ir.Constant(ir.VectorType(_INDEX, len(places)), [_INDEX(place) for place in places])


def _address(context: Any, builder: Any, kind: Any, vector: Any, array: Any, index: Any) -> Any:
    """Return the place of element `index` of a one-dimensional array, as that of a vector."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


@instruction
def load(_typing: Any, array: Any, index: Any) -> Any:
    """Return array[index : index + LANES] of an array of floats that is contiguous. Nothing checks the bounds."""
    lanes = _KINDS[array.dtype]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, signature.args[0], lanes.vector, *arguments)
        return builder.load(place, align=lanes.bits // 8)

    return lanes(array, types.uint64), generate


@instruction
def store(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Set array[index : index + LANES] of an array of floats that is contiguous. Nothing checks the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, signature.args[0], value.vector, *arguments[:2])
        builder.store(arguments[2], place, align=value.bits // 8)
        return context.get_dummy_value()

    return types.none(array, types.uint64, value), generate


@instruction
def store_whole(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Set array[index : index + LANES] of an int32 array that is contiguous to `value`, without its fractions."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.VectorType(_INDEX, LANES)
        place = _address(context, builder, signature.args[0], whole, *arguments[:2])
        builder.store(builder.fptosi(arguments[2], whole), place, align=4)
        return context.get_dummy_value()

    return types.none(array, types.uint64, value), generate


@instruction
def gather(_typing: Any, array: Any, places: Any, index: Any) -> Any:
    """Return the elements of a float32 array at places[index : index + LANES], int32. Nothing checks the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, numbers = (context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 1))
        first, found = builder.gep(numbers, [arguments[2]]), ir.Constant(NARROW.vector, ir.Undefined)
        for lane in range(LANES):
            at = builder.zext(builder.load(builder.gep(first, [_INDEX(lane)])), ir.IntType(64))
            found = builder.insert_element(found, builder.load(builder.gep(values, [at])), _INDEX(lane))
        return found

    return NARROW(array, places, types.uint64), generate


@instruction
def splat(_typing: Any, value: Any) -> Any:
    """Return a float in every lane."""
    lanes = _KINDS[value]

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        unknown = ir.Constant(lanes.vector, ir.Undefined)
        single = builder.insert_element(unknown, arguments[0], _INDEX(0))
        return builder.shuffle_vector(single, unknown, _mask([0] * LANES))

    return lanes(value), generate


@instruction
def narrowed(_typing: Any, value: Any) -> Any:
    """Return lanes of float64 as lanes of float32."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fptrunc(arguments[0], NARROW.vector)

    return NARROW(WIDE), generate


@instruction
def if_less(_typing: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
    """Return `yes` where a < b and `no` elsewhere, lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        less = builder.fcmp_ordered("<", arguments[0], arguments[1], flags=_FAST)
        return builder.select(less, arguments[2], arguments[3])

    return yes(a, b, yes, no), generate


def _either(lesser: bool) -> Any:
    """Return the function of two lanes that gives the lesser, or the greater, lane by lane."""

    def typed(_typing: Any, a: Any, b: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            less = builder.fcmp_ordered("<", *arguments, flags=_FAST)
            return builder.select(less, *(arguments if lesser else arguments[::-1]))

        return a(a, b), generate

    return instruction(typed)


lesser, greater = _either(True), _either(False)


def _called(name: str) -> Any:
    """Return the LLVM intrinsic `name` of one argument as a function of lanes."""

    def typed(_typing: Any, value: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(value.vector, [value.vector])
            full = f"llvm.{name}.v{LANES}f{value.bits}"
            return builder.call(get_or_insert_function(builder.module, kind, full), arguments)

        return value(value), generate

    return instruction(typed)


absolute = _called("fabs")
round_down = _called("floor")
square_root = _called("sqrt")


def _folded(name: str, combine: Callable[[Any, Any, Any], Any]) -> Any:
    """Return a function of lanes that combines all of them into one number."""

    def typed(_typing: Any, value: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            found, width = arguments[0], LANES
            while width > 1:
                width //= 2
                low = builder.shuffle_vector(found, found, _mask(range(width)))
                high = builder.shuffle_vector(found, found, _mask(range(width, 2 * width)))
                found = combine(builder, low, high)
            return builder.extract_element(found, _INDEX(0))

        return value.scalar(value), generate

    typed.__name__ = name
    return instruction(typed)


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b, flags=_FAST), b, a)


total = _folded("total", lambda builder, a, b: builder.fadd(a, b))
largest = _folded("largest", _larger)


@instruction
def running_sums(_typing: Any, value: Any) -> Any:
    """Return in each lane the sum of all lanes up to it, of float32."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        found, zeros = arguments[0], ir.Constant(NARROW.vector, [_FLOAT(0.0)] * LANES)
        step = 1
        while step < LANES:
            places = [LANES + i if i < step else i - step for i in range(LANES)]  # lanes of `zeros` count on
            found = builder.fadd(found, builder.shuffle_vector(found, zeros, _mask(places)))
            step *= 2
        return found

    return NARROW(NARROW), generate


@instruction
def last(_typing: Any, value: Any) -> Any:
    """Return the last lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], _INDEX(LANES - 1))

    return value.scalar(value), generate


@instruction
def all_zero(_typing: Any, value: Any) -> Any:
    """Tell whether every lane, of float32, is 0."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        zeros = ir.Constant(NARROW.vector, [_FLOAT(0.0)] * LANES)
        same = builder.fcmp_ordered("==", arguments[0], zeros)
        return builder.icmp_unsigned("==", builder.bitcast(same, ir.IntType(LANES)), ir.IntType(LANES)(2**LANES - 1))

    return types.boolean(NARROW), generate
