"""Masks of thin shapes, finer than the picture's pixels.

A letter of ten pixels is mostly antialiased border: a mask of whole pixels has lost its form, but how much of its ink
each pixel has is known (linear unmixing, as in details.py). Interpolated between pixels and cut half way between the
least and the largest share nearby, that gives the form back, with lines thinner than a pixel and counters that never
reach the ground's colour. Knows masks and colours; nothing of trees or curves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layervec.masks import grown
from layervec.types import Bool, Float32

FACTOR = 4  # pixels of a finer mask a pixel, along each side
THICK = 6.0  # px; masks that are thicker keep their form in whole pixels
MIXED = 0.25  # of squared contrast; what is farther off the straight way from ground to ink mixes other colours
STEEP = 0.15  # of full ink, between the least and the largest share nearby; flatter places are as in whole pixels
CUT = 0.4  # of the way from the least to the largest share nearby; rather too wide, as a line once broken stays so
BORDER = 2  # px; what lies deeper inside of what shows is no border, whatever its colour: other shapes may come there
LEAST_AREA = 3.0  # of its pixels; smaller contours are left out
SMALL = 1 << 20  # pixels of finer masks that are cheap whatever their form
MOST_PIXELS = 1 << 26  # of a finer mask


def pays(mask: Bool) -> bool:
    """Tell whether a mask is thin enough for whole pixels to say little of its form."""
    if mask.size * FACTOR**2 > MOST_PIXELS:
        return False
    if mask.size * FACTOR**2 <= SMALL:
        return True
    length = sum(int((np.diff(mask, axis=axis) != 0).sum()) for axis in (0, 1))
    return 2.0 * int(mask.sum()) < THICK * length


def finer(mask: Bool, shown: Bool, around: Float32, pixels: Float32, ink: Float32) -> Bool:
    """Return a mask as it is between pixels: bool [h * FACTOR, w * FACTOR].

    mask: bool [h, w]. shown: where it shows; the rest lies under other shapes. around: premultiplied [h, w, c], the
    colour of the nearest shape beside it. pixels: [h, w, c], the picture. ink: [c], the mask's colour.
    """
    import cv2

    h, w = mask.shape
    share = _shares(mask, shown, around, pixels, ink)
    near = np.ones((3, 3), np.uint8)

    def between(values: NDArray[Any]) -> Float32:
        return np.asarray(cv2.resize(values, (w * FACTOR, h * FACTOR), interpolation=cv2.INTER_LINEAR))

    # What is beside two shapes goes by the fainter one, or a dot beside a letter would drown.
    own = cv2.dilate(np.where(mask, share, np.float32(0.0)), near)
    beside = cv2.erode(np.where(mask, own, np.float32(1.0)), near)
    fine, least, most = between(share), between(cv2.erode(share, near)), between(np.where(mask, own, beside))
    steep = most - least >= STEEP
    rough = between(mask.astype(np.float32)) >= 0.5
    return np.asarray(np.where(steep, fine >= least + CUT * (most - least), rough))


def _shares(mask: Bool, shown: Bool, around: Float32, pixels: Float32, ink: Float32) -> Float32:
    """Return how much of its ink each pixel has, 0..1: float32 [h, w]."""
    way = ink - around
    length = np.maximum((way**2).sum(axis=2), 1e-9)
    off = pixels - around
    share = np.clip((off * way).sum(axis=2) / length, 0.0, 1.0)
    left = ((off - share[..., None] * way) ** 2).sum(axis=2)
    share = np.where(left <= MIXED * length, share, shown)
    border = grown(shown, 1) & grown(~shown, BORDER)
    covered = grown(mask & ~shown, 1)
    return np.where(border & ~(mask & covered), share, mask).astype(np.float32)
