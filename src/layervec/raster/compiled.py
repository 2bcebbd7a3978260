"""How every kernel of this package is compiled, and the bit tricks that Numba has no name for.

Refuses to know what the kernels compute. Importing this file imports Numba, so only kernels import it.

Kernels release the GIL and are run by `pool.py`; `parallel=True` is never used, because its default thread
layer kills the process when two Python threads call it. Fast-math lets sums be reordered when the code is
compiled, never from run to run, so results stay bit-identical. Kernels never allocate: without Numba's
reference counts they compile in less than half the time, and so the arrays that they work in come from NumPy.

Numba notices a change of a kernel's own file, not of the files of its inner functions: after editing
`cells.py`, `sweep.py` or `removal.py`, delete the *.nbi files in __pycache__.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

WORD = 64  # pixels in one word of a bitmap
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
ONE = np.uint64(1)
NONE = np.uint64(0)

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "fastmath": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "_nrt": False,
}
_OUTER: dict[str, Any] = {"cache": True}
_INNER: dict[str, Any] = {"no_cpython_wrapper": True, "forceinline": True}


def kernel(function: F) -> F:
    """Compile `function` on its first call, and keep the machine code on disk for the next process."""
    return cast(F, njit(**_OPTIONS, **_OUTER)(function))


def inner(function: F) -> F:
    """Compile `function` into the kernels that call it; it cannot be called from Python."""
    return cast(F, njit(**_OPTIONS, **_INNER)(function))


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


@inner
def span_mask(word: int, begin: int, end: int) -> Any:
    """Return the bits of word number `word` that lie in the pixels begin .. end - 1, of which it has some."""
    low = max(begin - word * WORD, 0)
    high = min(end - word * WORD, WORD)
    return (ALL << np.uint64(low)) & (ALL >> np.uint64(WORD - high))
