"""The bit tricks on bitmaps of pixels that Numba has no name for.

Refuses to know what the bits mean. 64 pixels are one word; bit 0 is the leftmost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from layervec.compiled import fast_inner

WORD = 64  # pixels in one word of a bitmap
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
ONE = np.uint64(1)
NONE = np.uint64(0)


def _count(name: str) -> Any:
    """Return the LLVM builder call `name` (cttz or ctlz) as a function of a non-zero word."""

    def typed(_typing: Any, word: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            zero_is_undefined = ir.Constant(ir.IntType(1), 1)
            return getattr(builder, name)(arguments[0], zero_is_undefined)

        return types.int64(types.uint64), generate

    return intrinsic(typed)


lowest_bit = _count("cttz")  # index of the lowest set bit of a non-zero uint64
leading_zeros = _count("ctlz")  # zeros above the highest set bit of a non-zero uint64


@fast_inner
def span_mask(word: int, begin: int, end: int) -> Any:
    """Return the bits of word number `word` that lie in the pixels begin .. end - 1, of which it has some."""
    low = max(begin - word * WORD, 0)
    high = min(end - word * WORD, WORD)
    return (ALL << np.uint64(low)) & (ALL >> np.uint64(WORD - high))
