"""Clean drawn art of what it was not drawn with: noise of a scan, what compression leaves, dithering.

Plain areas become plain again and edges stay where they are, lines of a pixel as well: each pixel is averaged with its
neighbours, but not across what the picture itself has as an edge (smoothing.py), which must stand out the more the
noisier the picture is. Knows pixels only; no regions, no shapes.
"""

from __future__ import annotations

import numpy as np

from layervec.image import premultiplied, straight
from layervec.types import Float32, Raster

SCALE = 4.0  # px, standard deviation of the smoothing where nothing is an edge: half a block of JPEG
PASSES = 3  # smoothings, each along the edges that the one before has left
ROUNDS = 2  # over rows and columns a smoothing
CONTRAST = 40.0  # noise, summed over red, green and blue; a change by as much counts like walking SCALE px
MOST_CONTRAST = 0.3  # of it, however noisy the picture is, as dithering is
LEAST_NOISE = 0.05 / 255  # less is none at all
DITHERED = 6 / 255  # noise, likewise; scans and what compression leaves have less
NOISY_SHARE = 75.0  # per cent of the picture that have no more than its noise; the rest may be edges and fine lines
SECOND_DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6  # Immerkaer, as below


def cleaned(raster: Raster, *, threads: int | None = None) -> Raster:
    """Return the picture free of noise; the same one where it has none."""
    pixels = premultiplied(raster)
    found = noise(pixels)
    if found < LEAST_NOISE:
        return raster
    return Raster(straight(_smoothed(pixels, min(CONTRAST * found, MOST_CONTRAST), threads)))


def dithered(raster: Raster) -> bool:
    """Tell whether tones are mixed of dots: then edges are ragged as well, and the clean picture is the one to fit."""
    return noise(premultiplied(raster)) >= DITHERED


def noise(pixels: Float32) -> float:
    """Return about how strong the noise of premultiplied pixels [h, w, c] is: its standard deviation, 0..1.

    By second differences, which soft ramps have none of (Immerkaer, "Fast Noise Variance Estimation", 1996), as most
    of the picture has them: drawn art is plain there.
    """
    import cv2

    found = np.abs(cv2.filter2D(pixels, -1, SECOND_DIFFERENCE)).max(axis=2)
    return float(np.percentile(found, NOISY_SHARE))


def _smoothed(pixels: Float32, contrast: float, threads: int | None) -> Float32:
    """Smooth premultiplied pixels [h, w, 4] along their own edges."""
    from layervec.smoothing import joint_smooth

    for _ in range(PASSES):
        pixels = joint_smooth(pixels, pixels, SCALE, contrast, ROUNDS, threads=threads)
    return pixels
