"""From cubic segments to straight chords, chords to bands of rows, and gradients of chords back to points.

Refuses to know about colours, coverage and pixels: it deals in geometry only.

A cubic is cut at equal steps of its parameter. With n steps no chord leaves the curve by more than
max|B''| / (8 n^2), and |B''| <= 6 max(|P0 - 2 P1 + P2|, |P1 - 2 P2 + P3|), which gives n for a tolerance.
See https://raphlinus.github.io/graphics/curves/2019/12/23/flatten-quadbez.html for finer bounds; this one
is loose by little and has a derivative that is simple: chord ends are Bernstein sums of the points.

A chord is listed once for each band that it touches, in a slot of its own, so that bands never write to the same
place. What a path does in a band is a run: a linked list of slots. Each band has a linked list of its runs, the
front one first. Lists need neither counting nor sorting: one pass over the segments makes everything.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from layervec.compiled import fast_inner, fast_kernel
from layervec.raster.arena import arena
from layervec.types import Float32, Int32, Int64

BAND_ROWS = 16  # rows of a band: its planes at 512 px fit a level-2 cache; never depends on the thread count
MAX_CHORDS = 1024  # chords of one segment: bounds time and memory when coordinates are huge
SLOTS_A_SEGMENT, RUNS_A_PATH = 8, 4  # room to begin with; doubled until it does
NOTHING = np.int32(-1)  # ends a list


@fast_inner
def _chord_count(xs: Any, ys: Any, width: int, height: int, tolerance: float) -> int:
    """Return how many chords the segment with these four points needs; 0 if it cannot matter."""
    x0, x1, x2, x3 = xs
    y0, y1, y2, y3 = ys
    if max(max(y0, y1), max(y2, y3)) <= 0.0 or min(min(y0, y1), min(y2, y3)) >= height:
        return 0
    if max(max(x0, x1), max(x2, x3)) < 0.0 or min(min(x0, x1), min(x2, x3)) >= width:
        return 1  # beside the canvas only the height that it spans counts
    ax, ay, bx, by = x0 - 2 * x1 + x2, y0 - 2 * y1 + y2, x1 - 2 * x2 + x3, y1 - 2 * y2 + y3
    bend = max(ax * ax + ay * ay, bx * bx + by * by)
    return int(np.ceil(max(min(np.sqrt(0.75 * np.sqrt(bend) / tolerance), np.float64(MAX_CHORDS)), 1.0)))


@fast_inner
def _swept_area(xs: Any, ys: Any) -> Any:
    """Return 20 times the area that a segment sweeps about the origin; only the sign of the sum is used."""
    x0, x1, x2, x3 = xs
    y0, y1, y2, y3 = ys
    near = x0 * (6 * y1 + 3 * y2 + y3) - y0 * (6 * x1 + 3 * x2 + x3)
    return near + 3 * (x1 * (y2 + y3) - y1 * (x2 + x3)) + 6 * (x2 * y3 - x3 * y2)


@fast_inner
def _chord_bands(low: Any, high: Any, height: int) -> Any:
    """Return the first band that a chord from y = low to high touches, and one past the last; equal if none."""
    if low >= height or high < 0:
        return np.int64(0), np.int64(0)
    first = int(max(low, 0.0))
    last = int(np.ceil(min(high, np.float64(height))))
    if low == high and last == first:
        last = first + 1  # a level chord on the border of two rows belongs to the lower one
    if last <= first:
        return np.int64(0), np.int64(0)
    return first // BAND_ROWS, (last - 1) // BAND_ROWS + 1


@fast_kernel
def _cut_up(
    points: Any,
    contours: Any,
    paths: Any,
    width: int,
    height: int,
    tolerance: float,
    counts: Any,  # int32 [segments]
    first: Any,  # int32 [segments + 1]
    sign: Any,
    geometry: Any,
    steps: Any,  # int32 [slots]
    load: Any,  # int32 [bands, 2]
    latest: Any,  # int32 [bands], scratch
) -> Any:
    """Fill all of `Cut`; returns how many slots and runs there are, or (-1, -1) if they need more room."""
    ends, link, run_path, run_head, run_link, band_head = geometry
    band_head[:] = NOTHING
    latest[:] = NOTHING
    load[:] = 0
    slot = run = np.int64(0)
    first[0] = 0
    for path in range(len(paths) - 1):
        swept = 0.0
        for contour in range(paths[path], paths[path + 1]):
            start, end = contours[contour], contours[contour + 1]
            for a in range(start, end, 3):
                d = a + 3 if a + 3 < end else start
                x0, y0 = np.float64(points[a, 0]), np.float64(points[a, 1])
                x1, y1 = np.float64(points[a + 1, 0]), np.float64(points[a + 1, 1])
                x2, y2 = np.float64(points[a + 2, 0]), np.float64(points[a + 2, 1])
                x3, y3 = np.float64(points[d, 0]), np.float64(points[d, 1])
                xs, ys = (x0, x1, x2, x3), (y0, y1, y2, y3)
                swept += _swept_area(xs, ys)
                count = _chord_count(xs, ys, width, height, tolerance)
                counts[a // 3] = count
                step = 1.0 / max(count, 1)
                # The polynomial's coefficients; chord ends that two chords share get the same bits, so paths close.
                cx, bx, ax = 3 * (x1 - x0), 3 * (x2 - 2 * x1 + x0), x3 - x0 - 3 * (x2 - x1)
                cy, by, ay = 3 * (y1 - y0), 3 * (y2 - 2 * y1 + y0), y3 - y0 - 3 * (y2 - y1)
                x, y = x0, y0
                for k in range(count):
                    t = (k + 1) * step
                    x_end, y_end = x0 + t * (cx + t * (bx + t * ax)), y0 + t * (cy + t * (by + t * ay))
                    if k == count - 1:
                        x_end, y_end = x3, y3
                    band, last = _chord_bands(min(y, y_end), max(y, y_end), height)
                    if slot + last - band > len(link) or run + last - band > len(run_path):
                        return np.int64(-1), np.int64(-1)
                    while band < last:
                        if latest[band] != path:
                            latest[band] = path
                            run_path[run], run_head[run], run_link[run] = path, NOTHING, band_head[band]
                            band_head[band] = run
                            load[band, 1] += 1
                            run += 1
                        ends[slot, 0], ends[slot, 1], ends[slot, 2], ends[slot, 3] = x, y, x_end, y_end
                        steps[slot] = k
                        link[slot] = run_head[band_head[band]]
                        run_head[band_head[band]] = slot
                        load[band, 0] += 1
                        slot += 1
                        band += 1
                    x, y = x_end, y_end
                first[a // 3 + 1] = slot
        sign[path] = -1.0 if swept < 0 else 1.0
    return slot, run


class Cut(NamedTuple):
    """A scene cut into chords for one canvas, in the arena of the thread that cut it.

    geometry: what drawing needs: (ends float64 [s, 4], x0 y0 x1 y1 of the chord of each slot; link int32 [s], the
    next slot of its run; run_path, run_head, run_link int32 [r], path, first slot, and next run of the band, further
    back; band_head int32 [bands], the front run). counts: int32 [segments], chords of each segment. first: int32
    [segments + 1], its first slot. steps: int32 [s], the number of a slot's chord in its segment. sign: float32 [p],
    +1 or -1, the sense in which a path runs. load: int32 [bands, 2], how many slots and runs a band has.
    """

    geometry: tuple[Any, Any, Any, Any, Any, Any]
    counts: Int32
    first: Int32
    steps: Int32
    sign: Float32
    load: Int32


def cut_up(
    points: Float32,  # [n, 2]
    contours: Int64,  # [c + 1]
    paths: Int64,  # [p + 1]
    width: int,
    height: int,
    tolerance: float,  # px
) -> Cut:
    """Cut every segment that can matter on a canvas of width x height px into chords, and list them by bands."""
    take, segments, count = arena().take, len(points) // 3, len(paths) - 1
    bands = (height + BAND_ROWS - 1) // BAND_ROWS
    counts, first = take("counts", (segments,), np.int32), take("first", (segments + 1,), np.int32)
    sign, latest = np.empty(count, np.float32), take("latest", (bands,), np.int32)
    band_head, load = take("band_head", (bands,), np.int32), take("load", (bands, 2), np.int32)
    room, runs_room = arena().room("slots", SLOTS_A_SEGMENT * segments), arena().room("runs", RUNS_A_PATH * count)
    while True:
        ends, link, steps = (
            take("ends", (room, 4), np.float64),
            take("link", (room,), np.int32),
            take("steps", (room,), np.int32),
        )
        run_path, run_head, run_link = (take(f"run_{i}", (runs_room,), np.int32) for i in range(3))
        geometry = (ends, link, run_path, run_head, run_link, band_head)
        slots, runs = _cut_up(
            points, contours, paths, width, height, tolerance, counts, first, sign, geometry, steps, load, latest
        )
        if slots >= 0:
            geometry = (ends[:slots], link[:slots], run_path[:runs], run_head[:runs], run_link[:runs], band_head)
            return Cut(geometry, counts, first, steps[:slots], sign, load)
        room, runs_room = arena().room("slots", 2 * room), arena().room("runs", 2 * runs_room)


@fast_kernel
def pull_to_points(
    number: int,  # the part to work on, of `parts` with about as many segments each
    parts: int,
    moments: Any,  # float64 [s, 2]
    ends: Any,  # float64 [s, 4]
    counts: Any,  # with `first` and `steps` as in `Cut`
    first: Any,
    steps: Any,
    contours: Any,  # int64 [c + 1]
    gradient: Any,  # float64 [n, 2], zeros; receives the answer
) -> None:
    """Carry what every band says of its chords back to the points.

    A moment pair holds the integrals of dL/da (1 - t) and dL/da t over a chord; moving its first end by v
    changes the signed area by cross(chord, v) times the first, and likewise for its second end.
    """
    for contour in range(len(contours) - 1):
        start, end = contours[contour], contours[contour + 1]
        if start * parts // len(gradient) != number:
            continue
        for a in range(start, end, 3):
            d = a + 3 if a + 3 < end else start
            count = counts[a // 3]
            step = 1.0 / max(count, 1)
            for slot in range(first[a // 3], first[a // 3 + 1]):
                nx, ny = ends[slot, 3] - ends[slot, 1], ends[slot, 0] - ends[slot, 2]
                t, near, far = steps[slot] * step, moments[slot, 0], moments[slot, 1]
                if near != 0.0 or far != 0.0:
                    s, u = 1.0 - t, t + step
                    v = 1.0 - u
                    p, q = near * s * s * s + far * v * v * v, 3.0 * (near * s * s * t + far * v * v * u)
                    r, w = 3.0 * (near * s * t * t + far * v * u * u), near * t * t * t + far * u * u * u
                    gradient[a, 0] += nx * p
                    gradient[a, 1] += ny * p
                    gradient[a + 1, 0] += nx * q
                    gradient[a + 1, 1] += ny * q
                    gradient[a + 2, 0] += nx * r
                    gradient[a + 2, 1] += ny * r
                    gradient[d, 0] += nx * w
                    gradient[d, 1] += ny * w
