"""From a `Scene` to what the kernels take: checked, with one data type each, cut into chords and bands.

Refuses to know what is done with it. Everything that a caller can get wrong about a scene is refused here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from layervec import pool
from layervec.raster import flatten, shades
from layervec.types import LINEAR, RADIAL, SOLID, STOPS, Float32, Float64, Ramps, Scene

SEGMENTS_A_PULL = 4096  # to carry back in a thread; with fewer it takes longer to ask a second one for help
MAX_SIDE = 32768  # px; pixel indices of a band must fit 32 bits and a span mask its row


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A scene on a canvas, ready to draw; in the arena of the thread that prepared it, until its next scene.

    style: (paints float32 [p, 4], even_odd bool [p], sign float32 [p], shown bool [p], table float64 [p, COLUMNS]
    of `shades`, slots int64 [p]): a path's colour is number slots[path] of all colours, and so its first stop, with the
    others right after. Where no path has a gradient, ramps is None and the table empty.
    """

    cut: flatten.Cut
    style: tuple[Any, Any, Any, Any, Any, Any]
    ramps: Ramps | None
    contours: NDArray[np.int64]
    width: int
    height: int

    @property
    def paths(self) -> int:
        """Number of paths."""
        return len(self.style[0])

    @property
    def colours(self) -> int:
        """Number of colours: one a path, or `STOPS` where it has a gradient."""
        return self.paths + (STOPS - 1) * (0 if self.ramps is None else int(np.count_nonzero(self.ramps.kind)))

    def by_cost(self) -> NDArray[np.int64]:
        """Return all bands, the dearest first, so that threads which take one after another end at the same time."""
        return np.argsort(-self.cut.load[:, 0], kind="stable")

    def points_gradient(self, moments: Float64, threads: int | None) -> Float64:
        """Carry the moments of every slot back to the points: float64 [n, 2]."""
        cut = self.cut
        gradient = np.zeros((3 * len(cut.counts), 2))

        def job(number: int, step: int) -> None:
            flatten.pull_to_points(
                number, step, moments, cut.geometry[0], cut.counts, cut.first, cut.steps, self.contours, gradient
            )

        pool.run(job, pool.parts(len(cut.counts), SEGMENTS_A_PULL, threads))
        return gradient


def _plain(values: Any, dtype: DTypeLike) -> NDArray[Any]:
    """Return `values` contiguous and writable: for any other layout all kernels would be compiled once more."""
    return np.require(values, dtype, ["C", "W"])


def _offsets(values: Any, name: str, count: int, step: int) -> NDArray[np.int64]:
    """Return `values` as offsets that rise from 0 to `count` in multiples of `step`."""
    found = _plain(values, np.int64)
    if found.ndim != 1 or not len(found) or found[0] != 0 or found[-1] != count:
        raise ValueError(f"scene.{name} must run from 0 to {count}.")
    if (np.diff(found) < 0).any() or (found % step).any():
        raise ValueError(f"scene.{name} must not fall, and must be divisible by {step}.")
    return found


def prepare(scene: Scene, width: int, height: int, tolerance: float, threads: int | None = 1) -> Prepared:
    """Check a scene and cut it up for a canvas of width x height px; raises ValueError."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"The canvas must be 1 to {MAX_SIDE} px a side, not {width} x {height}.")
    if not tolerance > 0:
        raise ValueError(f"The tolerance must be above 0 px, not {tolerance}.")
    points = _plain(scene.points, np.float32)
    paints = _plain(scene.paints, np.float32)
    even_odd = _plain(scene.even_odd, np.bool_)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) % 3:
        raise ValueError(f"scene.points must have shape [n, 2] with n divisible by 3, not {points.shape}.")
    if not np.isfinite(points).all() or not np.isfinite(paints).all():
        raise ValueError("Every point and paint of a scene must be finite.")
    contours = _offsets(scene.contours, "contours", len(points), 3)
    paths = _offsets(scene.paths, "paths", len(contours) - 1, 1)
    if paints.shape != (len(paths) - 1, 4) or even_odd.shape != (len(paths) - 1,):
        raise ValueError(f"scene.paints and scene.even_odd must have one row for each of the {len(paths) - 1} paths.")
    ramps = _ramps(scene, len(paints))
    cut = flatten.cut_up(points, contours, paths, width, height, tolerance, threads)
    if ramps is None:
        table, slots = np.empty((0, shades.COLUMNS), np.float32), np.arange(len(paints))
    else:
        sizes = np.where(ramps.kind == SOLID, 1, STOPS)
        table, slots = shades.table(ramps), np.cumsum(sizes) - sizes
    style = (paints, even_odd, cut.sign, np.ones(len(paints), np.bool_), table, slots)
    return Prepared(cut, style, ramps, contours, width, height)


def _ramps(scene: Scene, count: int) -> Ramps | None:
    """Return the gradients of `count` paths with one data type each; raises ValueError."""
    if scene.ramps is None:
        return None
    given = scene.ramps
    kind = np.asarray(given.kind)
    if kind.shape != (count,) or not np.isin(kind, (SOLID, LINEAR, RADIAL)).all():
        raise ValueError(f"scene.ramps.kind must be 0, 1 or 2 for each of the {count} paths.")
    found = []
    for name, shape in (("axis", (4,)), ("offsets", (STOPS,)), ("colours", (STOPS, 3))):
        values = _plain(getattr(given, name), np.float32)
        if values.shape != (count, *shape) or not np.isfinite(values).all():
            raise ValueError(f"scene.ramps.{name} must be finite, with shape {[count, *shape]}, not {values.shape}.")
        found.append(values)
    axis, offsets, colours = found
    shaded = offsets[kind != SOLID]
    if ((shaded < 0) | (shaded > 1)).any() or (np.diff(shaded, axis=1) < 0).any():
        raise ValueError("scene.ramps.offsets must lie in 0..1 and not fall.")
    if (axis[kind == RADIAL, 2] < 0).any():
        raise ValueError("The radius of a gradient must not be negative.")
    return Ramps(_plain(kind, np.int8), axis, offsets, colours)


def planes(values: Any, name: str, channels: tuple[int, ...], height: int, width: int) -> Float32:
    """Return `values` as contiguous float32 [c, height, width], c one of `channels`; raises ValueError."""
    found = _plain(values, np.float32)
    if found.ndim != 3 or found.shape[0] not in channels or found.shape[1:] != (height, width):
        wanted = " or ".join(str(count) for count in channels)
        raise ValueError(f"{name} must have shape [{wanted}, {height}, {width}], not {list(found.shape)}.")
    return found


def pixel_weights(weights: Any, height: int, width: int) -> Float32 | None:
    """Return `weights` as contiguous float32 [height, width], or None for None; raises ValueError."""
    if weights is None:
        return None
    found = _plain(weights, np.float32)
    if found.shape != (height, width):
        raise ValueError(f"weights must have shape [{height}, {width}], not {list(found.shape)}.")
    return found
