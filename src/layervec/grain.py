"""How much a pixel is worth: in a small picture it shows more of what is there, and is seen larger.

Limits that are counts of pixels or sums of squared errors over pixels hold for pictures of FULL px and more; in smaller
ones they fall like the side. Knows sizes alone.
"""

from __future__ import annotations

FULL = 256  # px, longer side


def grain(height: int, width: int) -> float:
    """Return the factor on such limits, above 0, for a picture of so many px: 1 for all that are not small."""
    return min(1.0, max(height, width) / FULL)
