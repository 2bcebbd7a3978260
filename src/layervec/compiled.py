"""How every kernel of this package is compiled.

Refuses to know what kernels compute. Importing this file imports Numba, so only files of kernels import it.

Kernels never allocate: without Numba's reference counts they compile in less than half the time, so the arrays
that they fill and work in come from NumPy. They have no error model of Python's, whose checks for a zero divisor
only make code. They release the GIL; `parallel=True` is never used, because its default thread layer kills the
process when two Python threads call it. Those with fast-math must meet no infinity that matters and no NaN; sums
are then reordered when the code is compiled, never from run to run, so results stay the same bits.

Machine code is kept on disk, for each kernel with all that it calls. Numba notices a change of a kernel's own file,
not of the files of the functions that it calls: after editing one of those, delete the *.nbi files in __pycache__.
https://numba.readthedocs.io/en/stable/developer/caching.html
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from numba import extending, njit
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

# Before the first kernel loads, or every index in a kernel is looked up among strings, lists and dicts first, which
# takes a fifth of the time that kernels compile in.
with suppress(ImportError):
    from numba.core.typing import arraydecl  # noqa: F401

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}
_CALLED: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True}


class _Hurry(event.Listener):
    """Keeps the garbage collector away while kernels are compiled: it took a seventh of the time."""

    def __init__(self) -> None:
        self._depth = 0
        self._enabled = False

    def on_start(self, event: event.Event) -> None:
        if self._depth == 0:
            self._enabled = gc.isenabled()
            gc.disable()
        self._depth += 1

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1
        if self._depth == 0 and self._enabled:
            gc.enable()


event.register("numba:compile", _Hurry())


class _Cache(FunctionCache):
    """Machine code on disk, as by Numba's `cache=True`, but loading it does not load all that compiling needs.

    That takes 0.25 s, of the one second in which a run has its first kernels.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):  # the disk is full: compiled again in the next process
            super().save_overload(sig, data)


def _kept(function: F, **options: Any) -> F:
    compiled: Any = njit(**_OPTIONS, **options)(function)
    if isinstance(compiled, Dispatcher):  # not so under NUMBA_DISABLE_JIT
        with suppress(RuntimeError):  # no folder that it may write to: compiled in each process then
            cast(Any, compiled)._cache = _Cache(function)
    return cast(F, compiled)


def kernel(function: F) -> F:
    """Compile `function` on its first call, and keep the machine code on disk for the next process."""
    return _kept(function)


def fast_kernel(function: F) -> F:
    """Compile `function` as `kernel` does, with fast-math."""
    return _kept(function, fastmath=True)


def inner(function: F) -> F:
    """Compile `function` into each place in a kernel where it is called; it cannot be called from Python."""
    return cast(F, njit(**_CALLED, forceinline=True)(function))


def fast_inner(function: F) -> F:
    """Compile `function` as `inner` does, with fast-math."""
    return cast(F, njit(**_CALLED, forceinline=True, fastmath=True)(function))


def shared(function: F) -> F:
    """Compile `function` as `inner` does, but leave it to LLVM whether to copy it: less code to compile twice."""
    return cast(F, njit(**_CALLED)(function))


def fast_shared(function: F) -> F:
    """Compile `function` as `shared` does, with fast-math."""
    return cast(F, njit(**_CALLED, fastmath=True)(function))


def instruction(typed: Callable[..., Any]) -> Any:
    """Let kernels call what LLVM code stands for: `typed` returns its types, and the function that writes the code.

    https://numba.readthedocs.io/en/stable/extending/low-level.html
    """
    return extending.intrinsic(typed)
