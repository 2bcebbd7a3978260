"""From a `Scene` to what the kernels take: checked, with one data type each, cut into chords and bands.

Refuses to know what is done with it. Everything that a caller can get wrong about a scene is refused here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layervec.raster import flatten
from layervec.types import Float32, Float64, Scene

MAX_SIDE = 32768  # px; pixel indices of a band must fit 32 bits and a span mask its row


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A scene on a canvas, ready to draw.

    geometry: (chords, run_path, runs, entries), style: (paints, even_odd, sign, shown), bands: runs of each
    band; see `flatten.bin_chords` and `sweep.composite`. first: first chord of each segment.
    """

    geometry: tuple[Any, Any, Any, Any]
    style: tuple[Any, Any, Any, Any]
    bands: NDArray[np.int64]
    first: NDArray[np.int64]
    contours: NDArray[np.int64]
    width: int
    height: int

    @property
    def paths(self) -> int:
        """Number of paths."""
        return len(self.style[0])

    def points_gradient(self, moments: Float64) -> Float64:
        """Carry the moments of every entry back to the points: float64 [n, 2]."""
        chords, _, _, entries = self.geometry
        gradient, sums = np.zeros((3 * (len(self.first) - 1), 2)), np.zeros((len(chords), 2))
        flatten.pull_to_points(moments, entries, self.first, chords, self.contours, sums, gradient)
        return gradient


def _offsets(values: Any, name: str, count: int, step: int) -> NDArray[np.int64]:
    """Return `values` as offsets that rise from 0 to `count` in multiples of `step`."""
    found = np.ascontiguousarray(values, dtype=np.int64)
    if found.ndim != 1 or not len(found) or found[0] != 0 or found[-1] != count:
        raise ValueError(f"scene.{name} must run from 0 to {count}.")
    if (np.diff(found) < 0).any() or (found % step).any():
        raise ValueError(f"scene.{name} must not fall, and must be divisible by {step}.")
    return found


def prepare(scene: Scene, width: int, height: int, tolerance: float) -> Prepared:
    """Check a scene and cut it up for a canvas of width x height px; raises ValueError."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"The canvas must be 1 to {MAX_SIDE} px a side, not {width} x {height}.")
    if not tolerance > 0:
        raise ValueError(f"The tolerance must be above 0 px, not {tolerance}.")
    points = np.ascontiguousarray(scene.points, dtype=np.float32)
    paints = np.ascontiguousarray(scene.paints, dtype=np.float32)
    even_odd = np.ascontiguousarray(scene.even_odd, dtype=np.bool_)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) % 3:
        raise ValueError(f"scene.points must have shape [n, 2] with n divisible by 3, not {points.shape}.")
    if not np.isfinite(points).all() or not np.isfinite(paints).all():
        raise ValueError("Every point and paint of a scene must be finite.")
    contours = _offsets(scene.contours, "contours", len(points), 3)
    paths = _offsets(scene.paths, "paths", len(contours) - 1, 1)
    if paints.shape != (len(paths) - 1, 4) or even_odd.shape != (len(paths) - 1,):
        raise ValueError(f"scene.paints and scene.even_odd must have one row for each of the {len(paths) - 1} paths.")
    first, chords, owner, sign = flatten.flatten(points, contours, paths, width, height, tolerance)
    bands, run_path, runs, entries = flatten.bin_chords(chords, owner, height)
    shown = np.ones(len(paths) - 1, np.bool_)
    style = (paints, even_odd, sign, shown)
    return Prepared((chords, run_path, runs, entries), style, bands, first, contours, width, height)


def planes(values: Any, name: str, channels: tuple[int, ...], height: int, width: int) -> Float32:
    """Return `values` as contiguous float32 [c, height, width], c one of `channels`; raises ValueError."""
    found = np.ascontiguousarray(values, dtype=np.float32)
    if found.ndim != 3 or found.shape[0] not in channels or found.shape[1:] != (height, width):
        wanted = " or ".join(str(count) for count in channels)
        raise ValueError(f"{name} must have shape [{wanted}, {height}, {width}], not {list(found.shape)}.")
    return found


def pixel_weights(weights: Any, height: int, width: int) -> Float32 | None:
    """Return `weights` as contiguous float32 [height, width], or None for None; raises ValueError."""
    if weights is None:
        return None
    found = np.ascontiguousarray(weights, dtype=np.float32)
    if found.shape != (height, width):
        raise ValueError(f"weights must have shape [{height}, {width}], not {list(found.shape)}.")
    return found
