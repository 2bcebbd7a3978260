"""What a person would miss in a drawing: content of the picture that the drawing shows nowhere near.

A plain difference also counts edges that are off by a fraction of a pixel, which nobody sees. So a pixel is compared
with the range of colours that the drawing has within a pixel of it: an antialiased edge lies within that range, a dot
that was left out does not, nor does a line that is drawn much too pale. How much is seen follows Ricco's and Piper's
laws, roughly: small spots need more contrast (https://en.wikipedia.org/wiki/Ricco%27s_law), and so does what is beside
more contrast (https://en.wikipedia.org/wiki/Visual_masking). Knows two pictures; nothing of shapes, files or budgets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layervec.types import Float32, Int32

REACH = 1  # px around each pixel where the drawing may have what the picture has here
FAINT = 3.0  # CIE76 colour difference; a large area that differs by less looks the same
# Colour difference above FAINT, summed over a region's pixels, from which on it is seen. By eye, side by side: the dot
# of an i in text of 8 to 13 px has 23 to 56, that of a colon 59; what has less than 20 is steps of edges.
LEAST_SEEN = 20.0
MASKED = 0.3  # of the contrast that the drawing has within REACH; that much is not seen beside it
LOCAL = 8.0  # px, standard deviation of the blur that takes away what is no local contrast


@dataclass(frozen=True, slots=True)
class Missing:
    """A region that the drawing lacks.

    x, y, width, height: px, the box around it. area: px. contrast: mean CIE76 colour difference to what the drawing
    has nearby; 100 is black against white.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    contrast: float


def lacking(picture: Float32, drawing: Float32) -> Float32:
    """Return how far each pixel's colour is from all that the drawing has within REACH: float32 [h, w], CIE76.

    Less what the drawing's own contrast there hides. picture, drawing: float32 [h, w, 3], sRGB in 0..1.
    """
    import cv2

    ours, theirs = lab(drawing), lab(picture)
    near = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    low, high = cv2.erode(ours, near), cv2.dilate(ours, near)
    beyond = np.maximum(theirs - high, 0.0) + np.maximum(low - theirs, 0.0)
    off, contrast = (np.sqrt((way**2).sum(axis=2)) for way in (beyond, high - low))
    return np.asarray(np.maximum(off - MASKED * contrast, 0.0), np.float32)


def seen(lack: Float32) -> Int32:
    """Number the regions of `lacking` that are seen, the most visible first: int32 [h, w], 0 for what is not."""
    import cv2

    count, labels = cv2.connectedComponents((lack > FAINT).astype(np.uint8), connectivity=8)
    weight = np.bincount(labels.ravel(), np.maximum(lack - FAINT, 0.0).ravel(), count)
    weight[0] = 0.0
    order = np.argsort(-weight, kind="stable")
    names = np.zeros(count, np.int32)
    names[order] = np.where(weight[order] >= LEAST_SEEN, np.arange(1, count + 1), 0)
    return np.asarray(names[labels], np.int32)


def missing(picture: Float32, drawing: Float32) -> list[Missing]:
    """Return the regions that the drawing lacks, the most visible first. Arguments as in `lacking`.

    >>> import numpy as np
    >>> white = np.ones((9, 9, 3), np.float32)
    >>> dot = white.copy()
    >>> dot[4:6, 4:6] = 0.0
    >>> missing(dot, white)
    [Missing(x=4, y=4, width=2, height=2, area=4, contrast=100.0)]
    >>> missing(dot, dot)
    []
    """
    lack = lacking(picture, drawing)
    labels = seen(lack)
    found = []
    for i in range(1, int(labels.max()) + 1):
        y, x = np.nonzero(labels == i)
        contrast = round(float(lack[y, x].mean()), 1)
        found.append(Missing(int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1, len(x), contrast))
    return found


def explained(picture: Float32, drawing: Float32) -> float:
    """Return the share of the picture's local contrast that the drawing has, 1 for all of it; below 0 if it adds more.

    Of squared differences to the blurred picture; a picture without contrast is all explained.
    """
    import cv2

    contrast = float(((picture - cv2.GaussianBlur(picture, (0, 0), LOCAL)) ** 2).sum())
    return 1.0 - float(((picture - drawing) ** 2).sum()) / contrast if contrast > 0.0 else 1.0


def lab(pixels: Float32) -> Float32:
    """Return CIE L, a and b of sRGB pixels in 0..1: float32 [h, w, 3], L in 0..100."""
    import cv2

    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels, np.float32), cv2.COLOR_RGB2Lab), np.float32)
