"""From cubic segments to straight chords, chords to bands of rows, and gradients of chords back to points.

Refuses to know about colours, coverage and pixels: it deals in geometry only.

A cubic is cut at equal steps of its parameter. With n steps no chord leaves the curve by more than
max|B''| / (8 n^2), and |B''| <= 6 max(|P0 - 2 P1 + P2|, |P1 - 2 P2 + P3|), which gives n for a tolerance.
See https://raphlinus.github.io/graphics/curves/2019/12/23/flatten-quadbez.html for finer bounds; this one
is loose by little and has a derivative that is simple: chord ends are Bernstein sums of the points.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner, fast_kernel
from layervec.types import Float32, Float64, Int64

BAND_ROWS = 16  # rows of a band: its planes at 512 px fit a level-2 cache; never depends on the thread count
MAX_CHORDS = 1024  # chords of one segment: bounds time and memory when coordinates are huge


@fast_inner
def _chord_count(points: Any, nodes: Any, width: int, height: int, tolerance: float) -> int:
    """Return how many chords the segment of the points at `nodes` needs; 0 if it cannot matter."""
    a, b, c, d = nodes
    x0, x1, x2, x3 = np.float64(points[a, 0]), points[b, 0], points[c, 0], points[d, 0]
    y0, y1, y2, y3 = np.float64(points[a, 1]), points[b, 1], points[c, 1], points[d, 1]
    if max(y0, y1, y2, y3) <= 0 or min(y0, y1, y2, y3) >= height:
        return 0
    if max(x0, x1, x2, x3) < 0 or min(x0, x1, x2, x3) >= width:
        return 1  # beside the canvas only the height that it spans counts
    bend = max((x0 - 2 * x1 + x2) ** 2 + (y0 - 2 * y1 + y2) ** 2, (x1 - 2 * x2 + x3) ** 2 + (y1 - 2 * y2 + y3) ** 2)
    steps = np.sqrt(0.75 * np.sqrt(bend) / tolerance)
    return max(1, int(np.ceil(min(steps, MAX_CHORDS))))


@fast_inner
def _nodes(segment: int, end: int, start: int) -> Any:
    """Return the indices of the four points of a segment of the contour that owns points start .. end - 1."""
    a = 3 * segment
    return a, a + 1, a + 2, (a + 3 if a + 3 < end else start)


@fast_inner
def _bernstein(t: float) -> Any:
    """Return the four cubic Bernstein weights at t."""
    s = 1.0 - t
    return s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t


@fast_inner
def _swept_area(points: Any, nodes: Any) -> float:
    """Return 20 times the area that a segment sweeps about the origin; only the sign of the sum is used."""
    a, b, c, d = nodes
    total = 0.0
    for i, j, weight in ((a, b, 6.0), (a, c, 3.0), (a, d, 1.0), (b, c, 3.0), (b, d, 3.0), (c, d, 6.0)):
        cross = np.float64(points[i, 0]) * points[j, 1] - np.float64(points[j, 0]) * points[i, 1]
        total += weight * cross
    return total


@fast_kernel
def _count_chords(
    points: Any, contours: Any, paths: Any, width: int, height: int, tolerance: float, first: Any, sign: Any
) -> None:
    """Write the first chord of each segment to `first`, int64 [segments + 1], and the sense of each path."""
    for path in range(len(paths) - 1):
        swept = 0.0
        for contour in range(paths[path], paths[path + 1]):
            start, end = contours[contour], contours[contour + 1]
            for segment in range(start // 3, end // 3):
                nodes = _nodes(segment, end, start)
                first[segment + 1] = first[segment] + _chord_count(points, nodes, width, height, tolerance)
                swept += _swept_area(points, nodes)
        sign[path] = -1.0 if swept < 0 else 1.0


@fast_inner
def _cut(points: Any, nodes: Any, begin: int, end: int, ends: Any) -> None:
    """Write the chords begin .. end - 1 of a segment; shared ends get the same bits, so that paths close."""
    a, b, c, d = nodes
    x, y = np.float64(points[a, 0]), np.float64(points[a, 1])
    for chord in range(begin, end):
        ends[chord, 0], ends[chord, 1] = x, y
        if chord == end - 1:
            x, y = np.float64(points[d, 0]), np.float64(points[d, 1])
        else:
            p, q, r, s = _bernstein((chord + 1 - begin) / (end - begin))
            x = p * points[a, 0] + q * points[b, 0] + r * points[c, 0] + s * points[d, 0]
            y = p * points[a, 1] + q * points[b, 1] + r * points[c, 1] + s * points[d, 1]
        ends[chord, 2], ends[chord, 3] = x, y


@fast_kernel
def _cut_paths(points: Any, contours: Any, paths: Any, first: Any, ends: Any, owner: Any) -> None:
    """Write the chords of every segment to `ends` and their paths to `owner`; see `flatten`."""
    for path in range(len(paths) - 1):
        for contour in range(paths[path], paths[path + 1]):
            start, end = contours[contour], contours[contour + 1]
            for segment in range(start // 3, end // 3):
                _cut(points, _nodes(segment, end, start), first[segment], first[segment + 1], ends)
                for chord in range(first[segment], first[segment + 1]):
                    owner[chord] = path


def flatten(
    points: Float32,  # [n, 2]
    contours: Int64,  # [c + 1]
    paths: Int64,  # [p + 1]
    width: int,
    height: int,
    tolerance: float,  # px
) -> tuple[Int64, Float64, Int64, Float32]:
    """Cut every segment that can matter on a canvas of width x height px into chords.

    Returns (first, ends, owner, sign): int64 [segments + 1], the first chord of each segment; float64 [m, 4],
    x0 y0 x1 y1 of each chord; int64 [m], its path; float32 [p], +1 or -1, the sense in which a path runs.
    """
    first, sign = np.zeros(len(points) // 3 + 1, np.int64), np.empty(len(paths) - 1, np.float32)
    _count_chords(points, contours, paths, width, height, tolerance, first, sign)
    ends, owner = np.empty((first[-1], 4)), np.empty(first[-1], np.int64)
    _cut_paths(points, contours, paths, first, ends, owner)
    return first, ends, owner, sign


@fast_inner
def _chord_rows(ends: Any, chord: int, height: int) -> Any:
    """Return the first row that a chord touches and one past the last, inside the canvas; equal if none."""
    low, high = min(ends[chord, 1], ends[chord, 3]), max(ends[chord, 1], ends[chord, 3])
    if low >= height or high < 0:
        return 0, 0
    first = int(max(low, 0.0))
    last = int(np.ceil(min(high, np.float64(height))))
    if low == high and last == first:
        last = first + 1  # a level chord on the border of two rows belongs to the lower one
    return first, max(last, first)


@fast_kernel
def _count_entries(ends: Any, owner: Any, height: int, start: Any, bands: Any, latest: Any) -> None:
    """Write where the entries, and the runs, of each band start: int64 [bands + 1] both, zeros at first.

    latest: int64 [bands], all -1; scratch.
    """
    for chord in range(len(ends)):
        low, high = _chord_rows(ends, chord, height)
        if low < high:
            for band in range(low // BAND_ROWS, (high - 1) // BAND_ROWS + 1):
                start[band + 1] += 1
                bands[band + 1] += latest[band] != owner[chord]
                latest[band] = owner[chord]
    for band in range(len(latest)):
        start[band + 1] += start[band]
        bands[band + 1] += bands[band]


@fast_kernel
def _fill_entries(
    ends: Any, owner: Any, height: int, next_entry: Any, next_run: Any, run_path: Any, runs: Any, entries: Any
) -> None:
    """Write the entries and runs of every band; see `bin_chords`. Moves `next_entry` and `next_run` on."""
    for chord in range(len(ends)):
        low, high = _chord_rows(ends, chord, height)
        if low < high:
            for band in range(low // BAND_ROWS, (high - 1) // BAND_ROWS + 1):
                entry, run = next_entry[band], next_run[band]
                # Runs begin at -1, so that the first entry of a band finds no run of its own path before it.
                if runs[run] < 0 or run_path[run] != owner[chord]:
                    run += runs[run] >= 0
                    run_path[run], runs[run], next_run[band] = owner[chord], entry, run
                entries[entry] = chord
                next_entry[band] = entry + 1


def bin_chords(ends: Float64, owner: Int64, height: int) -> tuple[Int64, Int64, Int64, Int64]:
    """List the chords of each band of rows, path after path.

    Returns (bands, run_path, runs, entries): int64 [bands + 1], the first run of each band; int64 [r], the
    path of each run; int64 [r + 1], the first entry of each run; int64 [e], the chord of each entry.
    """
    count = (height + BAND_ROWS - 1) // BAND_ROWS
    start, bands = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    _count_entries(ends, owner, height, start, bands, np.full(count, -1, np.int64))
    run_path, runs = np.empty(bands[-1], np.int64), np.full(bands[-1] + 1, -1, np.int64)
    entries = np.empty(start[-1], np.int64)
    _fill_entries(ends, owner, height, start[:-1].copy(), bands[:-1].copy(), run_path, runs, entries)
    runs[-1] = len(entries)
    return bands, run_path, runs, entries


@fast_kernel
def pull_to_points(
    moments: Any,  # float64 [e, 2]
    entries: Any,  # int64 [e]
    first: Any,  # int64 [segments + 1]
    ends: Any,  # float64 [m, 4]
    contours: Any,  # int64 [c + 1]
    sums: Any,  # float64 [m, 2], zeros; scratch
    gradient: Any,  # float64 [n, 2], zeros; receives the answer
) -> None:
    """Add up what every band says of its chords, in a fixed order, and carry it back to the points.

    A moment pair holds the integrals of dL/da (1 - t) and dL/da t over a chord; moving its first end by v
    changes the signed area by cross(chord, v) times the first, and likewise for its second end.
    """
    for entry in range(len(entries)):
        sums[entries[entry], 0] += moments[entry, 0]
        sums[entries[entry], 1] += moments[entry, 1]
    for contour in range(len(contours) - 1):
        start, end = contours[contour], contours[contour + 1]
        for segment in range(start // 3, end // 3):
            begin, count = first[segment], first[segment + 1] - first[segment]
            nodes = _nodes(segment, end, start)
            for chord in range(begin, begin + count):
                nx, ny = ends[chord, 3] - ends[chord, 1], ends[chord, 0] - ends[chord, 2]
                near = _bernstein((chord - begin) / count)
                far = _bernstein((chord - begin + 1) / count)
                for k in range(4):
                    share = near[k] * sums[chord, 0] + far[k] * sums[chord, 1]
                    gradient[nodes[k], 0] += nx * share
                    gradient[nodes[k], 1] += ny * share
