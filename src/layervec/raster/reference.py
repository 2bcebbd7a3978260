"""The rasteriser once more in plain NumPy, one full picture a path: what the kernels must agree with.

Short and obvious before fast; tests use it, the pipeline never does. It refuses to know about bands, threads and
kernels: it shares no code with them, only the mathematics. All pictures are float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from layervec.raster import FLATNESS
from layervec.types import STOPS, Bool, Float64, Scene

KINK = 1e-5  # signed area this close to a kink of the fill rule takes the slope of the side below
MAX_CHORDS = 1024  # of one segment
EVEN = 1e-6  # stops closer than this are a jump, this much before them so that rounding does not decide about it


@dataclass(frozen=True, slots=True, eq=False)
class Chord:
    """A straight piece of a segment: `blend` turns the four points of the segment into its two ends."""

    ends: Float64  # [2, 2]
    blend: Float64  # [2, 4]
    nodes: tuple[int, int, int, int]  # indices of the segment's points


def flatten(scene: Scene, path: int, tolerance: float) -> list[Chord]:
    """Cut the segments of one path into chords that stay within `tolerance` px of them."""
    chords = []
    for contour in range(scene.paths[path], scene.paths[path + 1]):
        start, end = int(scene.contours[contour]), int(scene.contours[contour + 1])
        for a in range(start, end, 3):
            nodes = (a, a + 1, a + 2, a + 3 if a + 3 < end else start)
            p = scene.points[list(nodes)].astype(np.float64)
            bend = max(np.hypot(*(p[0] - 2 * p[1] + p[2])), np.hypot(*(p[1] - 2 * p[2] + p[3])))
            need = 6 * bend / tolerance
            count = max(1, math.ceil(min(math.sqrt(need / 8), 0.5 + math.sqrt(0.25 + need / 12), MAX_CHORDS)))
            t = np.linspace(0, 1, count + 1)
            blend = np.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], axis=1)
            turn = 6 * np.stack([1 - t, 3 * t - 2, 1 - 3 * t, t], axis=1)  # second derivative
            if count > 1:  # ends between two chords go to the outer side, so that the area is right
                blend[1:count] -= turn[1:count] * min(1 / (12 * count * (count - 1)), 1 / (8 * count**2))
            chords += [Chord(blend[i : i + 2] @ p, blend[i : i + 2], nodes) for i in range(count)]
    return chords


def pieces(chord: Chord, width: int, height: int) -> list[tuple[int, int, float, float]]:
    """Cut a chord at every grid line: (row, column, t0, t1); the column is -1 left of the canvas.

    What lies above, below or right of the canvas is left out.
    """
    (x0, y0), (x1, y1) = chord.ends
    cuts = {0.0, 1.0}
    for a, b, last in ((x0, x1, width), (y0, y1, height)):
        if a != b:
            lines = np.arange(max(0, math.floor(min(a, b))), min(last, math.ceil(max(a, b))) + 1)
            cuts |= {t for t in (lines - a) / (b - a) if 0 < t < 1}
    found = []
    t = sorted(cuts)
    for t0, t1 in pairwise(t):
        middle = (t0 + t1) / 2
        column, row = math.floor(x0 + middle * (x1 - x0)), math.floor(y0 + middle * (y1 - y0))
        if 0 <= row < height and column < width:
            found.append((row, max(column, -1), t0, t1))
    return found


def signed_area(chords: list[Chord], width: int, height: int) -> Float64:
    """Return the winding number averaged over each pixel: [height, width]."""
    cells = np.zeros((height, width + 1))
    for chord in chords:
        (x0, y0), (x1, y1) = chord.ends
        for row, column, t0, t1 in pieces(chord, width, height):
            rise = (y0 - y1) * (t1 - t0)
            right = (
                0.0 if column < 0 else x0 + (t0 + t1) / 2 * (x1 - x0) - column
            )  # share of the cell left of the chord
            cells[row, max(column, 0)] += rise * (1 - right)
            cells[row, max(column, 0) + 1] += rise * right
    return np.cumsum(cells, axis=1)[:, :width]


def sense(scene: Scene, path: int) -> float:
    """Return +1 for a path that runs clockwise on screen, -1 otherwise, by its exact area."""
    total = 0.0
    nodes = {chord.nodes for chord in flatten(scene, path, np.inf)}
    for points in (scene.points[list(n)].astype(np.float64) for n in nodes):
        for i, j, weight in ((0, 1, 6), (0, 2, 3), (0, 3, 1), (1, 2, 3), (1, 3, 3), (2, 3, 6)):
            total += weight * (points[i, 0] * points[j, 1] - points[j, 0] * points[i, 1])
    return -1.0 if total < 0 else 1.0


def coverage(area: Float64, even_odd: bool, sign: float) -> tuple[Float64, Float64]:
    """Return coverage and its derivative by signed area, for each pixel."""
    size = np.abs(area)
    slope = np.where(size < KINK, sign, np.sign(area))
    if even_odd:
        turn = size % 2
        rising = (turn <= 1 + KINK) & ((turn >= KINK) | (size < 1))
        return np.where(turn <= 1 + KINK, np.minimum(turn, 1), 2 - turn), np.where(rising, slope, -slope)
    return np.minimum(size, 1), np.where(size <= 1 + KINK, slope, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Every path's share in a picture, back to front."""

    chords: list[list[Chord]]
    shares: Float64  # [p, h, w], coverage
    slopes: Float64  # [p, h, w], derivative of coverage by signed area
    below: Float64  # [p + 1, h, w, 4], premultiplied composite of the paths before; the last is the picture
    above: Float64  # [p, h, w], transmittance of the paths after


def layers(scene: Scene, width: int, height: int, tolerance: float, shown: Bool | None = None) -> Layers:
    """Composite a scene path by path; paths that are not `shown` cover nothing."""
    count = len(scene)
    chords = [flatten(scene, path, tolerance) for path in range(count)]
    shares, slopes, above = (np.zeros((count, height, width)) for _ in range(3))
    below = np.zeros((count + 1, height, width, 4))
    for path in range(count):
        if shown is None or shown[path]:
            area = signed_area(chords[path], width, height)
            shares[path], slopes[path] = coverage(area, bool(scene.even_odd[path]), sense(scene, path))
        opacity = (scene.paints[path, 3] * shares[path])[..., None]
        below[path + 1] = below[path] * (1 - opacity) + opacity * colour(scene, path, width, height)
    through = np.ones((height, width))
    for path in range(count - 1, -1, -1):
        above[path] = through
        through = through * (1 - scene.paints[path, 3] * shares[path])
    return Layers(chords, shares, slopes, below, above)


def colour(scene: Scene, path: int, width: int, height: int) -> Float64:
    """Return red, green, blue and 1: what a path puts where it is alone and opaque, [height, width, 4]."""
    found = np.ones((height, width, 4))
    if scene.ramps is None or scene.ramps.kind[path] == 0:
        found[..., :3] = scene.paints[path, :3]
    else:
        found[..., :3] = hats(scene, path, width, height)[0] @ scene.ramps.colours[path].astype(np.float64)
    return found


def place(scene: Scene, path: int, width: int, height: int) -> tuple[Float64, Float64]:
    """Return where each pixel's centre lies on the axis of a gradient, 0 to 1, and the derivative of that by the axis.

    [height, width] and [height, width, 4]. With an axis of no length everything lies beyond its end.
    """
    assert scene.ramps is not None
    x0, y0, x1, y1 = (float(value) for value in scene.ramps.axis[path])
    y, x = np.mgrid[0.5:height, 0.5:width]
    x, y = x - x0, y - y0
    zero = np.zeros_like(x)
    if scene.ramps.kind[path] == 2:
        distance = np.hypot(x, y)
        if x1 == 0:
            return zero + np.inf, np.zeros((height, width, 4))
        apart = np.maximum(distance, 1e-12) * x1
        return distance / x1, np.stack([-x / apart, -y / apart, -distance / x1**2, zero], axis=2)
    dx, dy = x1 - x0, y1 - y0
    square = dx**2 + dy**2
    if square == 0:
        return zero + np.inf, np.zeros((height, width, 4))
    t = (x * dx + y * dy) / square
    right, down = (x - 2 * t * dx) / square, (y - 2 * t * dy) / square
    return t, np.stack([-right - dx / square, -down - dy / square, right, down], axis=2)


def hats(scene: Scene, path: int, width: int, height: int) -> tuple[Float64, Float64, Float64]:
    """Return the share of each stop in each pixel, its derivative by the place, and by each offset.

    [height, width, STOPS], the same, and [height, width, STOPS, STOPS] with the offset last.
    """
    assert scene.ramps is not None
    t = place(scene, path, width, height)[0]
    offsets = scene.ramps.offsets[path].astype(np.float64)
    last = int(np.argmax(offsets == offsets[-1]))  # later stops are not used
    shares, by_place = np.zeros((*t.shape, STOPS)), np.zeros((*t.shape, STOPS))
    by_offset = np.zeros((*t.shape, STOPS, STOPS))
    shares[..., 0] = 1
    for k in range(last):
        gap = offsets[k + 1] - offsets[k]
        if gap < EVEN:
            blend, slope = (t > offsets[k] - EVEN).astype(np.float64), np.zeros_like(t)
        else:
            blend = np.clip((t - offsets[k]) / gap, 0, 1)
            slope = np.where((blend > 0) & (blend < 1), 1 / gap, 0)
        for stop, sign in ((k, -1), (k + 1, 1)):
            shares[..., stop] += sign * blend
            by_place[..., stop] += sign * slope
            by_offset[..., stop, k] += sign * slope * (blend - 1)
            by_offset[..., stop, k + 1] -= sign * slope * blend
    return shares, by_place, by_offset


def render(scene: Scene, width: int, height: int, *, tolerance: float = FLATNESS) -> Float64:
    """Draw a scene: [height, width, 4], premultiplied RGBA."""
    picture: Float64 = layers(scene, width, height, tolerance).below[-1]
    return picture


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """The picture, and derivatives of a loss by everything in its scene; those by ramps are 0 where there are none."""

    points: Float64  # [n, 2]
    paints: Float64  # [p, 4]
    axis: Float64  # [p, 4]
    offsets: Float64  # [p, STOPS]
    colours: Float64  # [p, STOPS, 3]
    image: Float64  # [h, w, 4], as `render` returns it


def gradients(scene: Scene, width: int, height: int, d_image: Float64, *, tolerance: float = FLATNESS) -> Slopes:
    """Return the derivatives of a loss, given d(loss)/d(image) [h, w, 4]."""
    found = layers(scene, width, height, tolerance)
    points, paints = np.zeros(scene.points.shape), np.zeros(scene.paints.shape)
    axis, offsets, colours = (np.zeros((len(scene), *size)) for size in ((4,), (STOPS,), (STOPS, 3)))
    for path in range(len(scene)):
        alpha = float(scene.paints[path, 3])
        gain = found.above[path] * (d_image * (colour(scene, path, width, height) - found.below[path])).sum(axis=2)
        weight = found.above[path] * alpha * found.shares[path]
        by_colour = weight[..., None] * d_image[..., :3]
        if scene.ramps is None or scene.ramps.kind[path] == 0:
            paints[path, :3] = by_colour.sum(axis=(0, 1))
        else:
            shares, by_place, by_offset = hats(scene, path, width, height)
            by_share = by_colour @ scene.ramps.colours[path].T.astype(np.float64)
            colours[path] = np.einsum("yxk,yxc->kc", shares, by_colour)
            offsets[path] = np.einsum("yxk,yxko->o", by_share, by_offset)
            axis[path] = np.einsum("yxk,yxk,yxa->a", by_share, by_place, place(scene, path, width, height)[1])
        paints[path, 3] = (found.shares[path] * gain).sum()
        by_area = alpha * gain * found.slopes[path]
        for chord in found.chords[path]:
            np.add.at(points, list(chord.nodes), chord_gradient(chord, by_area))  # a loop's one node is there twice
    return Slopes(points, paints, axis, offsets, colours, found.below[-1])


def chord_gradient(chord: Chord, by_area: Float64) -> Float64:
    """Return the gradient by the four points of a chord's segment, [4, 2], given that by each cell's area.

    An end that moves by v sweeps cross(v, chord), shared along the chord by 1 - t or t.
    """
    height, width = by_area.shape
    moments = np.zeros(2)
    for row, column, t0, t1 in pieces(chord, width, height):
        if column >= 0:
            far = (t1**2 - t0**2) / 2
            moments += by_area[row, column] * np.array([t1 - t0 - far, far])
    dx, dy = chord.ends[1] - chord.ends[0]
    return np.outer(chord.blend.T @ moments, [dy, -dx])
