"""Simplify: from a picture to ever softer abstractions of it, without a model.

Knows neither files nor shapes, and does not decide what a level is used for.

Method: rolling guidance. A plain smoothing wipes out whatever is smaller than the scale; the picture is then
smoothed again and again, each time guided by the result before, so that the edges of what survived come back
in place while small things stay away. Each level starts from the one before at twice the scale: what is gone
stays gone. Its limit: faint outlines of big objects soften at coarse levels, and corners lose a little.
Source: Zhang, Shen, Xu and Jia, "Rolling Guidance Filter", ECCV 2014; the joint filter is in smoothing.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from layervec.image import premultiplied, straight
from layervec.types import Float32, Raster

LEVELS = 5  # as many as the reference keeps of its own simplification (arXiv 2406.05404)
FINEST_SCALE = 1 / 256  # scale of level 1 in longest sides of the picture: 2 px at 512
CONTRAST = 0.22  # change summed over red, green and blue that counts as an edge; chosen by eye, four photos
PASSES = 4  # smoothings a level, the first without guide; with 3, silhouettes come back softer
ROUNDS = 2  # rounds over rows and columns a smoothing
ALPHA_WEIGHT = 3.0  # makes the rim of a cut-out as strong an edge as black on white is over three channels


class Simplifier(Protocol):
    """Anything that turns a picture into levels of simplification."""

    def levels(self, raster: Raster) -> list[Raster]:
        """Return levels, fine to coarse, all of the picture's size; the first is the picture itself."""
        ...


@dataclass(frozen=True, slots=True)
class Classic:
    """The default `Simplifier`: `count` levels of edge-aware scale space, no model needed."""

    count: int = LEVELS
    threads: int | None = None

    def levels(self, raster: Raster) -> list[Raster]:
        """Return `count` levels, see `classic`."""
        return classic(raster, self.count, threads=self.threads)


def classic(raster: Raster, count: int = LEVELS, *, threads: int | None = None) -> list[Raster]:
    """Return `count` (at least 1) levels from fine to coarse; the first is `raster` itself.

    The scale of level k is 2**(k - 1) / 256 of the longest side: texture and faint details below it are gone,
    and so are strong details narrower than half of it. Colours stay within the
    range of the picture's, and the mean of the premultiplied picture stays what it was. Where alpha is 0,
    colours are 0. Same raster, same levels. Raises ValueError if count is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    # Alpha is carried enlarged: filtering is linear, and so the guide needs no weighted copy.
    weights = np.array([1.0, 1.0, 1.0, ALPHA_WEIGHT], np.float32)
    levels = [raster]
    pixels = premultiplied(raster) * weights
    for k in range(1, count):
        scale = FINEST_SCALE * max(raster.width, raster.height) * 2 ** (k - 1)
        pixels = _keep_mean(_roll(pixels, scale, threads), pixels)
        levels.append(Raster(straight(pixels / weights)))
    return levels


def _roll(pixels: Float32, scale: float, threads: int | None) -> Float32:
    """Remove from pixels [h, w, 4] what is smaller than scale (pixels) and keep the edges of the rest."""
    from layervec.smoothing import joint_smooth  # loads numba

    guide = None
    for _ in range(PASSES):
        guide = joint_smooth(pixels, guide, scale, CONTRAST, ROUNDS, threads=threads)
    assert guide is not None
    return guide


def _keep_mean(smooth: Float32, pixels: Float32) -> Float32:
    """Return smooth [h, w, 4] with the channel means of pixels [h, w, 4].

    Normalised filters drift a little. A constant shift could leave the range of the picture, so the means are
    mended by going a small part of the way back to `pixels` wherever that leads in the right direction.
    """
    missing = pixels - smooth
    drift = missing.mean(axis=(0, 1), dtype=np.float64)
    helpful = np.where(drift > 0.0, np.maximum(missing, 0.0), np.minimum(missing, 0.0))
    total = helpful.mean(axis=(0, 1), dtype=np.float64)
    share = np.divide(drift, total, out=np.zeros(4), where=total != 0.0)
    mended: Float32 = smooth + helpful * share.astype(np.float32)
    return mended
