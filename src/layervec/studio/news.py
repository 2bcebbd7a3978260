"""What a page is told while it looks at a work: the latest of every kind of news, as server-sent events.

Whoever comes late or again gets all that still holds, and whoever is slow misses what has been overtaken, so
nothing piles up. Knows neither works nor jobs. All of it happens on one event loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

HEARTBEAT = 10.0  # s without news until a comment is sent, which tells the server of pages that have gone
ENOUGH_PAGES = 32  # that follow one work; more is no person looking


class Board:
    """The latest news of one work, one of each kind."""

    def __init__(self) -> None:
        self._news: dict[str, tuple[int, object]] = {}
        self._count = 0
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    @property
    def crowded(self) -> bool:
        """True where no more pages can follow."""
        return len(self._waiting) >= ENOUGH_PAGES

    def post(self, kind: str, value: object) -> None:
        """Put up news, JSON data, in place of older ones of their kind."""
        self._count += 1
        self._news[kind] = (self._count, value)
        self._wake()

    def drop(self, kind: str) -> None:
        """Take down news that no longer hold; pages that have them are not told."""
        self._news.pop(kind, None)

    def close(self) -> None:
        """End the streams of all who follow."""
        self._closed = True
        self._wake()

    async def follow(self) -> AsyncIterator[bytes]:
        """Yield events as text/event-stream has them: what holds now, then what is new, until the board is closed."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        seen = 0
        try:
            while not self._closed:
                changed.clear()
                fresh = sorted((number, kind, value) for kind, (number, value) in self._news.items() if number > seen)
                seen = self._count
                for _, kind, value in fresh:
                    yield _event(kind, value)
                try:
                    await asyncio.wait_for(changed.wait(), HEARTBEAT)
                except TimeoutError:
                    yield b":\n\n"
        finally:
            self._waiting.discard(changed)

    def _wake(self) -> None:
        for changed in self._waiting:
            changed.set()


def _event(kind: str, value: object) -> bytes:
    # One line: JSON escapes line feeds.
    return f"event: {kind}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()
