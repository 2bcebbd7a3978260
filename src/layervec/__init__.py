"""layervec: turn a picture into a layered, editable SVG.

    from layervec import Settings, vectorize

    vectorize("photo.jpg", Settings(paths=128)).save("photo.svg")

Importing this is light; a stage's libraries load when it first runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layervec.errors import InputError

if TYPE_CHECKING:
    from layervec.pipeline import Result, vectorize
    from layervec.settings import Settings

__all__ = ["InputError", "Result", "Settings", "vectorize"]

_HOMES = {"Result": "pipeline", "vectorize": "pipeline", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'layervec' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"layervec.{_HOMES[name]}"), name)
