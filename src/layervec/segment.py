"""Masks of objects: what a segmenter finds, and how one is had.

Knows neither files of masks nor what becomes of them; models load when one is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from layervec.errors import InputError
from layervec.types import Bool, Raster

if TYPE_CHECKING:
    from layervec.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Pixels that belong together.

    pixels: bool [h, w]. score: 0..1, how sure its maker is. level: index of the level it was found on, 0 for the
    picture itself. label: what it shows, "" where nobody knows.
    """

    pixels: Bool  # [h, w]
    score: float
    level: int
    label: str = ""


class Segmenter(Protocol):
    """Anything that finds objects in a picture and its simplified versions."""

    def masks(self, levels: Sequence[Raster]) -> list[Mask]:
        """Return masks of the levels' size, in any order; they may overlap. The picture comes first, coarser follow."""
        ...


def load(settings: Settings, *, threads: int | None = None) -> Segmenter:
    """Return the segmenter that the settings ask for. Raises InputError where it cannot be had."""
    from layervec.models import sam_onnx

    if not settings.segmenter_model:
        raise InputError("The segmenter sam needs a model: name its folder as the setting segmenter_model.")
    return sam_onnx.SamOnnx(Path(settings.segmenter_model), threads=threads)
