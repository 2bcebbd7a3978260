"""How every kernel of this package is compiled.

Refuses to know what kernels compute. Importing this file imports Numba, so only files of kernels import it.

Kernels never allocate: without Numba's reference counts they compile in less than half the time, so the arrays
that they fill and work in come from NumPy. They have no error model of Python's, whose checks for a zero divisor
only make code. They release the GIL; `parallel=True` is never used, because its default thread layer kills the
process when two Python threads call it. Those with fast-math must meet no infinity that matters and no NaN; sums
are then reordered when the code is compiled, never from run to run, so results stay the same bits.

Machine code is kept on disk (kernel_cache.py says where), for each kernel with all that it calls. Another version of
the package is noticed, and a change of a kernel's own file, not one of the files of the functions that it calls: after
editing one of those, delete the *.nbi files in __pycache__. What is damaged is compiled again.
https://numba.readthedocs.io/en/stable/developer/caching.html
"""

from __future__ import annotations

import gc
import os
import pickle
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from numba import extending, njit
from numba.core import caching, event
from numba.core.dispatcher import Dispatcher

from layervec import kernel_cache
from layervec.files import reason

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


DIGEST = 32  # bytes of a SHA-256


@cache
def _stamp(source: str) -> str:
    """Return what kernels of a source are known by: another version may bring other functions that they call."""
    return sha256(version("layervec").encode() + Path(source).read_bytes()).hexdigest()


class _Locator(caching._CacheLocator):
    """Tells Numba where the machine code of a kernel is kept."""

    def __init__(self, function: Callable[..., Any], source: str) -> None:
        self._source, self._line = source, function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator | None:
        return cls(py_func, py_file) if os.path.isfile(py_file) else None

    def get_cache_path(self) -> str:
        return str(kernel_cache.place().of(Path(self._source)))

    def get_source_stamp(self) -> str:
        return _stamp(self._source)

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Home(caching.CompileResultCacheImpl):
    _locator_classes = [_Locator, *caching.CompileResultCacheImpl._locator_classes]  # noqa: RUF012  as Numba has it


class _Files(caching.IndexDataCacheFile):
    """The files of a kernel: an index of signatures, and one of machine code for each.

    Numba would fail for ever at a damaged one, and run what two processes wrote over each other. Here all that is not
    what was asked for counts as missing.
    """

    def load(self, key: Any) -> Any:
        found = super().load(key)
        return found[1] if found is not None and found[0] == repr(key) else None

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (repr(key), data))

    def _load_index(self) -> Any:
        try:
            stamp, overloads = self._read(self._index_path)
        except OSError:
            return {}
        return overloads if stamp == self._stamp() else {}

    def _save_index(self, overloads: Any) -> None:
        self._write(self._index_path, (self._stamp(), overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _stamp(self) -> tuple[str, str]:
        return self._version, self._source_stamp

    def _read(self, path: str) -> Any:
        """Return what was written. Raises OSError, which Numba takes for a file that is not there, if it is damaged."""
        content = Path(path).read_bytes()
        if sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            raise OSError(f"{path} is damaged")
        return pickle.loads(content[DIGEST:])

    def _write(self, path: str, value: Any) -> None:
        content = self._dump(value)
        with self._open_for_write(path) as file:
            file.write(sha256(content).digest() + content)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[IO[bytes]]:
        temporary = f"{filepath}.tmp.{secrets.token_hex(8)}"
        with kernel_cache.writing:
            try:
                with open(temporary, "wb") as file:
                    yield file
                os.replace(temporary, filepath)
            except BaseException:  # also when interrupted: no litter
                with suppress(OSError):
                    os.unlink(temporary)
                raise


class _Cache(caching.FunctionCache):
    """Machine code on disk, as by Numba's `cache=True`, but loading it does not load all that compiling needs.

    That takes 0.25 s, of the one second in which a run has its first kernels.
    """

    _impl_class = _Home

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return self._load_overload(sig, target_context)
        except OSError:  # it cannot be read: compiled anew
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            self._save_overload(sig, data)
        except OSError as error:  # the disk is full: compiled again in the next process
            kept = kernel_cache.place()
            kept.trouble = kept.trouble or f"{self._cache_path} cannot be written ({reason(error)})"


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
