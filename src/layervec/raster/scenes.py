"""Scenes from scenes: several on top of one another.

Refuses to know what is drawn, and how.
"""

from __future__ import annotations

import numpy as np

from layervec.types import STOPS, Int64, Ramps, Scene


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
