"""Scenes beside scenes: several on top of one another, and what differs between two.

Refuses to know what is drawn, and how.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from layervec.types import STOPS, Float32, Float64, Int64, Ramps, Scene


def stack(*scenes: Scene) -> Scene:
    """Return one scene with the paths of all that are given, the first at the back.

    Points, paths and ramps stay in order, so that derivatives by the second scene's points are what follows the first
    scene's, and so on.
    """
    points = np.concatenate([np.zeros((0, 2), np.float32), *(scene.points for scene in scenes)])
    paints = np.concatenate([np.zeros((0, 4), np.float32), *(scene.paints for scene in scenes)])
    even_odd = np.concatenate([np.zeros(0, np.bool_), *(scene.even_odd for scene in scenes)])
    contours = _offsets([np.asarray(scene.contours) for scene in scenes])
    paths = _offsets([np.asarray(scene.paths) for scene in scenes])
    shaded = any(scene.ramps is not None for scene in scenes)
    ramps = _ramps([_own(scene) for scene in scenes]) if shaded else None
    return Scene(points, contours, paths, paints, even_odd, ramps)


def _offsets(parts: list[Int64]) -> Int64:
    """Return offsets that each begin with 0 one after the other, as one that does."""
    found = [0]
    for offsets in parts:
        found += (found[-1] + offsets[1:]).tolist()
    return np.array(found, dtype=np.int64)


def _own(scene: Scene) -> Ramps:
    """Return the gradients of a scene, of one colour each if it has none."""
    if scene.ramps is not None:
        return scene.ramps
    count = len(scene)
    axis, offsets = np.zeros((count, 4), np.float32), np.zeros((count, STOPS), np.float32)
    return Ramps(np.zeros(count, np.int8), axis, offsets, np.zeros((count, STOPS, 3), np.float32))


def _ramps(rows: list[Ramps]) -> Ramps:
    """Return the rows of all, one after the other."""
    parts = [(ramps.kind, ramps.axis, ramps.offsets, ramps.colours) for ramps in rows]
    return Ramps(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def differing(before: Scene, after: Scene) -> Float64:
    """Return the least and the largest y, px, of the control points of all paths that are not the same in both.

    Paths are matched one by one where both scenes have the same points a contour, else from the back and from the
    front. float64 [k, 2].
    """
    old, new = _Rows.of(before), _Rows.of(after)
    if np.array_equal(old.contours, new.contours) and np.array_equal(old.points, new.points):
        moved = (old.places != new.places).any(axis=1)
        differs = np.logical_or.reduceat(np.append(moved, False), old.starts()) | (old.looks != new.looks).any(axis=1)
        return np.concatenate([old.heights()[differs], new.heights()[differs]])
    back = old.alike(new)
    front = min(old.reversed().alike(new.reversed()), len(old.points) - back, len(new.points) - back)
    return np.concatenate([rows.heights()[back : len(rows.points) - front] for rows in (old, new)])


class _Rows(NamedTuple):
    """What a scene consists of, in the order of its paths; all of them have points."""

    contours: Int64  # [p], how many each path has
    points: Int64  # [p], likewise
    bounds: Int64  # [c], how many points each contour has
    places: Float32  # [n, 2]
    looks: Float32  # [p, .], paints, fill rules and gradients

    @classmethod
    def of(cls, scene: Scene) -> _Rows:
        contours, ramps, paths = np.asarray(scene.contours), _own(scene), len(scene)
        columns = (scene.paints, scene.even_odd, ramps.kind, ramps.axis, ramps.offsets, ramps.colours)
        looks = np.concatenate([np.asarray(column, np.float32).reshape(paths, -1) for column in columns], axis=1)
        sizes, counts = np.diff(contours[scene.paths]), np.diff(scene.paths)
        some = sizes > 0
        return cls(counts[some], sizes[some], np.diff(contours), np.asarray(scene.points, np.float32), looks[some])

    def reversed(self) -> _Rows:
        return _Rows(self.contours[::-1], self.points[::-1], self.bounds[::-1], self.places[::-1], self.looks[::-1])

    def starts(self) -> Int64:
        return np.asarray(np.cumsum(self.points) - self.points)

    def heights(self) -> Float64:
        """Return the least and the largest y of each path."""
        y = self.places[:, 1].astype(np.float64)
        if not len(self.points):
            return np.empty((0, 2))
        starts = self.starts()
        return np.stack([np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)], axis=1)

    def alike(self, other: _Rows) -> int:
        """Return how many paths at the beginning are the same."""
        by_points = int(np.searchsorted(np.cumsum(self.points), _agreeing(self.places, other.places), "right"))
        by_contours = int(np.searchsorted(np.cumsum(self.contours), _agreeing(self.bounds, other.bounds), "right"))
        by_counts, by_sizes = _agreeing(self.contours, other.contours), _agreeing(self.points, other.points)
        return min(by_points, by_contours, by_counts, by_sizes, _agreeing(self.looks, other.looks))


def _agreeing(a: NDArray[Any], b: NDArray[Any]) -> int:
    """Return how many leading rows are the same."""
    count = min(len(a), len(b))
    differs = np.append((a[:count] != b[:count]).reshape(count, -1).any(axis=1), True)
    return int(np.argmax(differs))
