"""Bitmaps, and what else on single words Numba has no name for.

Refuses to know what the bits mean. Bit 0 of a word is the leftmost one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from layervec.compiled import fast_inner, instruction

WORD = 64  # bits in one word of a bitmap
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
ONE = np.uint64(1)
NONE = np.uint64(0)


@instruction
def lowest_bit(_typing: Any, word: Any) -> Any:
    """Return the index of the lowest set bit of a non-zero uint64."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@instruction
def choose(_typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Return `yes` or `no`, of the same kind, without a branch: for conditions that nobody can foresee."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return yes(types.boolean, yes, yes), generate


@instruction
def set_bytes(_typing: Any, array: Any, index: Any) -> Any:
    """Return a word with a bit for each byte of array[index : index + WORD], uint8, that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        kind = ir.VectorType(ir.IntType(8), WORD)
        found = builder.load(builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer()), align=1)
        some = builder.icmp_unsigned("!=", found, ir.Constant(kind, [ir.IntType(8)(0)] * WORD))
        return builder.bitcast(some, ir.IntType(WORD))

    return types.uint64(array, types.uint64), generate


@instruction
def claim(_typing: Any, counter: Any) -> Any:
    """Return counter[0] of an int64 array and add 1 to it; no two threads get the same."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", data, ir.IntType(64)(1), "monotonic")

    return types.int64(counter), generate


@fast_inner
def span_mask(word: int, begin: int, end: int) -> Any:
    """Return the bits of word number `word` that lie in begin .. end - 1, of which it has some."""
    low = max(begin - word * WORD, 0)
    high = min(end - word * WORD, WORD)
    return (ALL << np.uint64(low)) & (ALL >> np.uint64(WORD - high))
