"""How every kernel of this package is compiled.

Refuses to know what kernels compute. Importing this file imports Numba, so only files of kernels import it.

Kernels release the GIL; `parallel=True` is never used, because its default thread layer kills the process
when two Python threads call it. Fast-math, where a kernel asks for it, lets sums be reordered when the code is
compiled, never from run to run, so results stay bit-identical. Nothing here allocates: without Numba's
reference counts kernels compile in less than half the time, so the arrays that they work in come from NumPy.
Without Python's error model a division needs no check for zero.

Machine code is kept on disk. Numba notices a change of a kernel's own file, not of the files of the inner
functions that it calls: after editing one of those, delete the *.nbi files in __pycache__.
https://numba.readthedocs.io/en/stable/developer/caching.html
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from numba import njit

# Before the first kernel loads, or every index in a kernel is looked up among strings, lists and dicts first,
# which takes a fifth of the time that kernels compile in.
with suppress(ImportError):
    from numba.core.typing import arraydecl  # noqa: F401

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "_nrt": False,
}


def kernel(function: F) -> F:
    """Compile `function` on its first call, and keep the machine code on disk for the next process."""
    return cast(F, njit(**_OPTIONS, cache=True)(function))


def inner(function: F) -> F:
    """Compile `function` into the kernels that call it; it cannot be called from Python."""
    return cast(F, njit(**_OPTIONS, no_cpython_wrapper=True, forceinline=True)(function))
