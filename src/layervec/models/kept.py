"""Models that stay loaded from picture to picture. A single run has no use for that, so it must be asked for.

Knows no model. A process that draws many pictures calls `keep` once; loaders go through `loaded`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

T = TypeVar("T")

_models: dict[Hashable, object] | None = None


def keep() -> None:
    """Keep what is loaded from now on, as long as this process lives."""
    global _models
    if _models is None:
        _models = {}


def loaded(key: Hashable, load: Callable[[], T]) -> T:
    """Return what `load` returns, or what it returned for the same key before where models are kept."""
    if _models is None:
        return load()
    if key not in _models:
        _models[key] = load()
    return cast(T, _models[key])
