"""The figures of one drawing, ours or a peer's, against a picture.

All of a drawing is judged as resvg renders it at the size that `layervec.score` compares at, on white.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from layervec import metrics, simplify, tree
from layervec.image import open_picture, over
from layervec.score import LONGEST, only, render_svg, score
from layervec.types import Float32
from quality import seams
from quality.layers import match
from quality.pictures import Picture

RANKS = (8, 16, 32, 64)
CUT_FLOOR = 1e-4  # added to the error of a cut, which is next to nothing where flat art has few regions
GMS_CONSTANT = 170 / 255**2  # Xue et al., for gradients of values in 0..1
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
PREWITT = np.array([[1, 0, -1]] * 3, np.float32) / 3

Row = dict[str, Any]


def measure(text: str, picture: Picture) -> Row:
    """Return the figures that any SVG has."""
    found = score(text, picture.source)
    height, width = picture.target.shape[:2]
    row = {
        "psnr": found.psnr,
        "ssim": found.ssim,
        "gmsd": gmsd(render_svg(text, width, height), picture.target),
        "shapes": found.shapes,
        "nodes": found.nodes,
        "numbers": found.numbers,
        "kib": found.bytes / 1024,
        "layers": found.layers,
        "crossed": found.crossing,
        "opens_worst": found.opens_worst,
    }
    if picture.original is not None:
        row["seen"], row["whole"] = match(picture.original, text)
    return row


def measure_ours(text: str, picture: Picture) -> Row:
    """Return the figures that a drawing of ours has beyond those of `measure`."""
    return {"seams": seams.share(text, picture.target), "ranks": rank_ratios(text, picture)}


def rank_ratios(text: str, picture: Picture) -> dict[str, float]:
    """Return the errors of the first shapes, in errors of as many regions of the tree in their mean colours."""
    pixels, cuts = _cut_errors(picture)
    height, width = pixels.shape[:2]
    errors = {count: metrics.mse(render_svg(only(text, count), width, height), pixels) for count in RANKS}
    return {str(count): error / (cuts[count] + CUT_FLOOR) for count, error in errors.items()}


@cache
def _cut_errors(picture: Picture) -> tuple[Float32, dict[int, float]]:
    """Return the picture as it is fitted, on white, and the error of its region tree cut into 8, 16, ... regions."""
    raster = open_picture(picture.source, LONGEST).raster
    pixels = over(raster)
    regions = tree.build(raster, simplify.classic(raster))
    flat = {count: tree.paint_cut(regions, tree.cut(regions, count), pixels) for count in RANKS}
    return pixels, {count: metrics.mse(shown, pixels) for count, shown in flat.items()}


def gmsd(a: Float32, b: Float32) -> float:
    """Return the gradient magnitude similarity deviation: 0 for equal pictures, about 0.35 for unlike ones.

    Xue, Zhang, Mou and Bovik, "Gradient Magnitude Similarity Deviation" (IEEE TIP 2014), with their constants; borders
    are mirrored instead of zero. It sees edges that are missing, moved or made up (banding), and no colour.
    """
    first, second = _slopes(a), _slopes(b)
    similarity = (2 * first * second + GMS_CONSTANT) / (first**2 + second**2 + GMS_CONSTANT)
    return float(similarity.std())


def _slopes(pixels: Float32) -> Float32:
    """Return the gradient magnitude of a picture's luma at half its size."""
    luma = cv2.blur(pixels @ LUMA, (2, 2))[::2, ::2]
    x, y = (cv2.filter2D(luma, -1, kernel, borderType=cv2.BORDER_REFLECT) for kernel in (PREWITT, PREWITT.T))
    return np.hypot(x, y)
