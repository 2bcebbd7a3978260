"""The two ways in which this package compiles its kernels.

Refuses to know what they compute. Python may call a `kernel`; a `helper` only serves kernels and gets no
Python entry, which saves compile time. Both are cached on disk and let go of the GIL.
Limit: the cache of a kernel does not notice that a helper in another file has changed; delete it after
such edits. https://numba.readthedocs.io/en/stable/developer/caching.html
"""

from __future__ import annotations

from typing import Any

from numba import njit

# Without Python's error model a division needs no check for zero, which keeps the compiled code small.
COMMON: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
INTERNAL: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel = njit(**COMMON)
helper = njit(**COMMON, **INTERNAL)
