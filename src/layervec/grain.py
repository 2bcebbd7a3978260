"""How much a pixel is worth: in a small picture it shows more of what is there, and is seen larger.

Limits that are counts of pixels or sums of squared errors over pixels hold for pictures of FULL px and more; in smaller
ones they fall. Knows sizes alone.
"""

from __future__ import annotations

FULL = 256  # px, longer side


def of_areas(height: int, width: int) -> float:
    """Return the factor on least areas, 0..1: like the side; in a small picture few pixels are deliberate, too."""
    return min(1.0, max(height, width) / FULL)


def of_errors(height: int, width: int) -> float:
    """Return the factor on prices in squared error, 0..1: like the area, as if the picture had been enlarged."""
    return of_areas(height, width) ** 2
