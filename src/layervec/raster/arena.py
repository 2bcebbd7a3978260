"""Scratch memory that is kept from call to call, so that drawing again and again allocates nothing but its answers.

Refuses to know what is kept. Fresh memory costs about 3 us a page of 4 KiB when it is first written, which was a
third of a pass over a scene of 1024 small paths. Every thread has an arena of its own, so nothing is shared.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

MOST_KEPT = 1 << 28  # bytes that one thread keeps after a call; what it needs besides goes back


class Arena:
    """The scratch of one thread: one buffer for each name, as large as it ever had to be."""

    def __init__(self) -> None:
        self._arrays: dict[str, tuple[Any, NDArray[Any]]] = {}
        self._buffers: dict[str, NDArray[np.uint8]] = {}
        self._rooms: dict[str, int] = {}

    def room(self, name: str, least: int) -> int:
        """Return the largest `least` that this thread asked for so far: what was too small once is not tried again."""
        found = self._rooms[name] = max(least, self._rooms.get(name, 0))
        return found

    def take(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array with anything in it (zeros at first), valid until this thread asks for `name` again."""
        key = (shape, dtype)
        kept = self._arrays.get(name)
        if kept is not None and kept[0] == key:
            return kept[1]
        size = math.prod(shape) * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers[name] = np.zeros(size, np.uint8)
        array = buffer[:size].view(dtype).reshape(shape)
        self._arrays[name] = (key, array)
        return array

    def trim(self) -> None:
        """Let go of everything if it is more than `MOST_KEPT`."""
        if self.size() > MOST_KEPT:
            self.clear()

    def clear(self) -> None:
        """Let go of everything; arrays that are in use stay valid."""
        self._arrays.clear()
        self._buffers.clear()
        self._rooms.clear()

    def size(self) -> int:
        """Return how many bytes are kept."""
        return sum(len(buffer) for buffer in list(self._buffers.values()))


_local = threading.local()
_arenas: weakref.WeakSet[Arena] = weakref.WeakSet()


def arena() -> Arena:
    """Return the arena of the thread that asks."""
    found: Arena | None = getattr(_local, "arena", None)
    if found is None:
        found = _local.arena = Arena()
        _arenas.add(found)
    return found


def kept_bytes() -> int:
    """Return how many bytes the arenas of all threads keep."""
    return sum(some.size() for some in list(_arenas))
