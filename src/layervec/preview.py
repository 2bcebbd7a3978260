"""A finished drawing as a PNG, to look at. Knows no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layervec.image import fit_size, png_bytes
from layervec.score import render_svg

if TYPE_CHECKING:
    from layervec.pipeline import Result

PREVIEW_LONGEST = 2048  # px; enough to judge a drawing on any screen, and quick to render


def preview(result: Result) -> bytes:
    """Return a PNG of a drawing at the picture's size, but at most PREVIEW_LONGEST wide or high."""
    size = fit_size(round(result.drawing.width), round(result.drawing.height), PREVIEW_LONGEST)
    return png_bytes(render_svg(result.svg, *size, background=None))
