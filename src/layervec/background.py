"""Leave the plain background of a picture out, before anything is drawn: where it was, the picture is transparent.

The background is what has nearly the colour that most of the picture's rim has, and hangs together with the rim. What a
thing encloses is not background, even in the same colour: the white of an eye stays. Pixels on the edge of things
are taken apart into the thing's colour and how much of the pixel it covers. Knows pixels only; no shapes.
"""

from __future__ import annotations

import numpy as np

from layervec.masks import holes
from layervec.types import Bool, Float32, Raster

TOLERANCE = 0.1  # distance of sRGB-encoded colours, of the 1.73 between black and white; JPEG noise stays below
RIM_SHARE = 0.6  # of the picture's rim that has to be of one colour; a figure may stand on one side of it
RIM_SAMPLES = 1000  # pixels of the rim that are compared with each other, at most
REACH = 2  # px around the background in which pixels may be mixed with it


def dropped(raster: Raster, *, soft: bool = True) -> Raster:
    """Return the picture with its background transparent; the same one where it has none, or is transparent already.

    soft: pixels beside it may be mixed with it.
    """
    if not raster.opaque:
        return raster
    pixels = raster.pixels[..., :3]
    ground = _ground(pixels)
    if ground is None:
        return raster
    plain = ((pixels - ground) ** 2).sum(axis=2) <= TOLERANCE**2
    outside = plain & ~holes(~plain)
    if outside.all() or not outside.any():
        return raster
    colours, alpha = _unmixed(pixels, ground, outside) if soft else (pixels, (~outside).astype(np.float32))
    return Raster(np.concatenate([colours, alpha[..., None]], axis=2))


def _ground(pixels: Float32) -> Float32 | None:
    """Return the colour that most of the rim has, float32 [3], None where there is none."""
    rim = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    rim = rim[:: -(-len(rim) // RIM_SAMPLES)]
    near = ((rim[:, None] - rim) ** 2).sum(axis=2) <= TOLERANCE**2
    most = near[int(np.argmax(near.sum(axis=1)))]
    return np.asarray(rim[most].mean(axis=0)) if most.mean() >= RIM_SHARE else None


def _unmixed(pixels: Float32, ground: Float32, outside: Bool) -> tuple[Float32, Float32]:
    """Return colours of things, float32 [h, w, 3], and their coverage, [h, w].

    A pixel near the background that lies on the line between its colour and the one near by which differs most from it
    is a mixture of both.
    """
    import cv2

    square = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    rim = (cv2.dilate(outside.astype(np.uint8), square) > 0) & ~outside
    thing = _farthest(pixels, ground)
    span, offset = thing - ground, pixels - ground
    coverage = (offset * span).sum(axis=2) / np.maximum((span**2).sum(axis=2), TOLERANCE**2)
    mixed = rim & (((offset - coverage[..., None] * span) ** 2).sum(axis=2) <= TOLERANCE**2)
    alpha = np.where(outside, 0.0, np.where(mixed, np.clip(coverage, 0.0, 1.0), 1.0)).astype(np.float32)
    colours = np.where(mixed[..., None], thing, pixels) * ~outside[..., None]
    return colours.astype(np.float32), alpha


def _farthest(pixels: Float32, ground: Float32) -> Float32:
    """Return for each pixel the colour within REACH that differs most from the ground: float32 [h, w, 3]."""
    h, w = pixels.shape[:2]
    padded = np.pad(pixels, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="edge")
    best, most = pixels.copy(), ((pixels - ground) ** 2).sum(axis=2)
    for y in range(2 * REACH + 1):
        for x in range(2 * REACH + 1):
            other = padded[y : y + h, x : x + w]
            gap = ((other - ground) ** 2).sum(axis=2)
            farther = gap > most
            best[farther], most[farther] = other[farther], gap[farther]
    return best
