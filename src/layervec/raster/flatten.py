"""From cubic segments to straight chords, chords to bands of rows, and gradients of chords back to points.

Refuses to know about colours, coverage and pixels: it deals in geometry only.

A cubic is cut at equal steps of its parameter. With n steps no chord between points of the curve leaves it by more
than max|B''| / (8 n^2), and |B''| <= 6 max(|P0 - 2 P1 + P2|, |P1 - 2 P2 + P3|), which gives n for a tolerance.
See https://raphlinus.github.io/graphics/curves/2019/12/23/flatten-quadbez.html for finer bounds; this one
is loose by little and has a derivative that is simple.

Such chords all lie on the inner side of the curve. Here the ends between two chords of a segment are moved to the
outer side, by B'' / (12 n^2) n / (n - 1), so that a segment sweeps the area that it should: the mean error is gone, and
from four chords on the largest is less as well. Nodes stay where they are, as corners need. Moved ends
remain linear in the points: the polynomial of the segment only gets other coefficients.

A chord is listed once for each band that it touches, in a slot of its own, so that bands never write to the same
place: all chords of a segment, cut eight at once, in their first bands, then what goes on into further ones. What a
path does in a band is a run: a linked list of slots. Each band has a linked list of its runs, the front one first.
Lists need neither counting nor sorting: one pass over the segments makes everything.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from layervec import pool
from layervec.compiled import fast_inner, fast_kernel
from layervec.raster.arena import arena
from layervec.raster.lanes import LANES, greater, if_less, lesser, load, round_down, splat, store, store_whole
from layervec.types import Float32, Int32, Int64

BAND_ROWS = 32  # rows of a band: its planes at 512 px fit a level-2 cache; never depends on the thread count
MAX_CHORDS = 1024  # chords of one segment: bounds time and memory when coordinates are huge
SLOTS_A_SEGMENT, RUNS_A_PATH = 8, 4  # room to begin with; doubled until it does
NOTHING = np.int32(-1)  # ends a list
NUMBERS = np.arange(MAX_CHORDS + LANES + 1, dtype=np.float64)
SEGMENTS_A_THREAD = 512  # with fewer, asking a second thread to help takes longer than doing all alone


@fast_inner
def _chord_count(xs: Any, ys: Any, width: int, height: int, tolerance: float) -> int:
    """Return how many chords the segment with these four points needs; 0 if it cannot matter."""
    x0, x1, x2, x3 = xs
    y0, y1, y2, y3 = ys
    if max(max(y0, y1), max(y2, y3)) < 0.0 or min(min(y0, y1), min(y2, y3)) >= height:
        return 0
    if max(max(x0, x1), max(x2, x3)) < 0.0 or min(min(x0, x1), min(x2, x3)) >= width:
        return 1  # beside the canvas only the height that it spans counts
    ax, ay, bx, by = x0 - 2 * x1 + x2, y0 - 2 * y1 + y2, x1 - 2 * x2 + x3, y1 - 2 * y2 + y3
    bend = 6.0 * np.sqrt(max(ax * ax + ay * ay, bx * bx + by * by)) / tolerance
    count = min(np.sqrt(bend / 8.0), 0.5 + np.sqrt(0.25 + bend / 12.0))
    return int(np.ceil(max(min(count, np.float64(MAX_CHORDS)), 1.0)))


@fast_inner
def _shift(count: Any) -> Any:
    """Return by how much of B'' the ends between `count` chords of a segment are moved against it."""
    if count < 2:
        return 0.0
    return min(1.0 / (12.0 * count * (count - 1.0)), 1.0 / (8.0 * count * count))


@fast_inner
def _swept_area(xs: Any, ys: Any) -> Any:
    """Return 20 times the area that a segment sweeps about the origin; only the sign of the sum is used."""
    x0, x1, x2, x3 = xs
    y0, y1, y2, y3 = ys
    near = x0 * (6 * y1 + 3 * y2 + y3) - y0 * (6 * x1 + 3 * x2 + x3)
    return near + 3 * (x1 * (y2 + y3) - y1 * (x2 + x3)) + 6 * (x2 * y3 - x3 * y2)


@fast_inner
def _bands(y0: Any, y1: Any, height: Any) -> Any:
    """Return the first band that chords from y0 to y1 touch, and one past the last; not more than the first if none."""
    zero, one, rows = splat(0.0), splat(1.0), splat(1.0 / BAND_ROWS)
    low, high = lesser(y0, y1), greater(y0, y1)
    first, last = round_down(greater(low, zero)), zero - round_down(zero - lesser(high, height))
    # A level chord on the border of two rows belongs to the lower one.
    last = if_less(low, high, last, greater(last, first + one))
    last = if_less(low, height, if_less(high, zero, first, last), first)
    band = round_down(first * rows)
    return band, if_less(first, last, round_down((last - one) * rows) + one, band)


@fast_inner
def _add_ends(xs: Any, ys: Any, count: Any, height: Any, slot: Any, ends: Any, steps: Any, bands: Any) -> None:
    """Cut a segment into `count` chords: fills `ends` and `steps` from `slot` on, and `bands` from 0.

    Eight at once, so up to seven more than it has are written.
    """
    x0, x1, x2, x3 = xs
    y0, y1, y2, y3 = ys
    shift, step, tall = _shift(count), splat(1.0 / count), splat(np.float64(height))
    # The polynomial's coefficients; ends between chords are moved, which changes the lower ones.
    bx, ax, by, ay = 3 * (x2 - 2 * x1 + x0), x3 - x0 - 3 * (x2 - x1), 3 * (y2 - 2 * y1 + y0), y3 - y0 - 3 * (y2 - y1)
    cx, cy = splat(3 * (x1 - x0) - 6 * shift * ax), splat(3 * (y1 - y0) - 6 * shift * ay)
    dx, dy = splat(x0 - 2 * shift * bx), splat(y0 - 2 * shift * by)
    bx, ax, by, ay = splat(bx), splat(ax), splat(by), splat(ay)
    for k in range(0, count, LANES):
        at, number = np.uint64(slot + k), np.uint64(k)
        for end in range(2):
            t = load(NUMBERS, number + np.uint64(end)) * step
            store(ends[2 * end], at, dx + t * (cx + t * (bx + t * ax)))
            store(ends[2 * end + 1], at, dy + t * (cy + t * (by + t * ay)))
        store_whole(steps, at, load(NUMBERS, number))
    last = slot + count - 1
    ends[0, slot], ends[1, slot], ends[2, last], ends[3, last] = x0, y0, x3, y3
    for k in range(0, count, LANES):
        at = np.uint64(slot + k)
        band, band_end = _bands(load(ends[1], at), load(ends[3], at), tall)
        store_whole(bands[0], np.uint64(k), band)
        store_whole(bands[1], np.uint64(k), band_end)


@fast_inner
def _four(points: Any, a: Any, d: Any, axis: int) -> Any:
    """Return one coordinate of the points of the segment from point a to point d."""
    x0, x1, x2, x3 = points[a, axis], points[a + 1, axis], points[a + 2, axis], points[d, axis]
    return np.float64(x0), np.float64(x1), np.float64(x2), np.float64(x3)


@fast_inner
def _open(path: Any, band: Any, run: Any, latest: Any, tails: Any, tally: Any, geometry: Any) -> Any:
    """Begin the run of a path in a band unless there is one. Returns the number of the next run."""
    _, _, run_path, run_head, run_link, band_head = geometry
    if latest[band] == path:
        return run
    if latest[band] == NOTHING:
        tails[band] = run
    latest[band] = path
    run_path[run], run_head[run], run_link[run] = path, NOTHING, band_head[band]
    band_head[band] = run
    tally[band, 1] += 1
    return run + 1


@fast_inner
def _close(here: Any, head: Any, added: Any, tally: Any, geometry: Any) -> None:
    """Put away the list at hand."""
    if here >= 0:
        geometry[3][geometry[5][here]] = head
        tally[here, 0] += added


@fast_kernel
def _cut_up(
    begin: int,  # paths begin .. end - 1 are cut
    end: int,
    slot: int,  # first one to fill, and one past the last
    slot_end: int,
    run: int,
    run_end: int,
    points: Any,
    contours: Any,
    paths: Any,
    width: int,
    height: int,
    tolerance: float,
    counts: Any,  # int32 [segments]
    first: Any,  # int32 [segments, 2]
    sign: Any,
    geometry: Any,
    steps: Any,  # int32 [slots]
    tally: Any,  # int32 [bands, 2], the `load` of `Cut`
    tails: Any,  # int32 [bands], receives the hindmost run of each band
    latest: Any,  # int32 [bands], scratch
    bands: Any,  # int32 [2, MAX_CHORDS + LANES], scratch
) -> Any:
    """Fill in of `Cut` what concerns some paths; returns the ends of slots and runs, or (-1, -1) for more room."""
    ends, link, _, run_head, _, band_head = geometry
    opens, closes = bands
    band_head[:] = NOTHING
    latest[:] = NOTHING
    tally[:] = 0
    for path in range(begin, end):
        swept = 0.0
        here, head, added = np.int64(-1), np.int64(-1), 0  # band whose list is at hand, its first slot, what came to it
        for contour in range(paths[path], paths[path + 1]):
            start, stop = contours[contour], contours[contour + 1]
            for a in range(start, stop, 3):
                d = a + 3 if a + 3 < stop else start
                xs, ys = _four(points, a, d, 0), _four(points, a, d, 1)
                swept += _swept_area(xs, ys)
                count = _chord_count(xs, ys, width, height, tolerance)
                if slot + count + LANES > slot_end:
                    return np.int64(-1), np.int64(-1)
                if count > 0:
                    _add_ends(xs, ys, count, height, slot, ends, steps, bands)
                more = slot + count
                for k in range(count):
                    if opens[k] == here and closes[k] == here + 1:  # as most do: on with the list at hand
                        link[slot + k] = head
                        head = np.int64(slot + k)
                        added += 1
                        continue
                    for band in range(opens[k], closes[k]):
                        place = slot + k
                        if band > opens[k]:
                            place, more = more, more + 1
                            if more > slot_end:
                                return np.int64(-1), np.int64(-1)
                            for i in range(4):
                                ends[i, place] = ends[i, slot + k]
                            steps[place] = k
                        if run >= run_end:
                            return np.int64(-1), np.int64(-1)
                        _close(here, head, added, tally, geometry)
                        here, added = np.int64(band), 1
                        run = _open(path, here, run, latest, tails, tally, geometry)
                        link[place] = run_head[band_head[here]]
                        head = np.int64(place)
                counts[a // 3], first[a // 3, 0], first[a // 3, 1] = count, slot, more
                slot = more
        _close(here, head, added, tally, geometry)
        sign[path] = -1.0 if swept < 0 else 1.0
    return slot, run


class Cut(NamedTuple):
    """A scene cut into chords for one canvas, in the arena of the thread that cut it.

    geometry: what drawing needs: (ends float64 [4, .], x0 y0 x1 y1 of the chord of each slot; link int32 [s], the
    next slot of its run; run_path, run_head, run_link int32 [r], path, first slot, and next run of the band, further
    back; band_head int32 [bands], the front run). Slots and runs that no list leads to mean nothing, but that
    they belong to some path. counts: int32 [segments], chords of each segment. first: int32 [segments, 2], its first
    slot and one past its last. steps: int32 [s], the number of a slot's chord in its segment. sign: float32 [p],
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
    threads: int | None,
) -> Cut:
    """Cut every segment that can matter on a canvas of width x height px into chords, and list them by bands."""
    take, segments = arena().take, len(points) // 3
    bands, parts = (height + BAND_ROWS - 1) // BAND_ROWS, pool.parts(segments, SEGMENTS_A_THREAD, threads)
    counts, first = take("counts", (segments,), np.int32), take("first", (segments, 2), np.int32)
    sign, scratch = np.empty(len(paths) - 1, np.float32), take("cut", (parts, 5, bands), np.int32)
    heads, tails, latest = scratch[:, 0], scratch[:, 1], scratch[:, 2]
    loads = scratch[:, 3:].reshape(parts, bands, 2)
    ends_of = contours[paths] // 3  # segments before each path
    limits = np.concatenate([np.searchsorted(ends_of, np.arange(parts) * segments // parts), [len(sign)]])
    room, runs_room = arena().room("slots", SLOTS_A_SEGMENT * segments), arena().room("runs", RUNS_A_PATH * len(sign))
    while True:
        lists = _room(room, runs_room)
        slots = ends_of[limits] * room // max(segments, 1)
        runs = limits * runs_room // max(len(sign), 1)
        found = np.zeros((parts, 2), np.int64)
        pool.run(
            partial(
                _cut_part,
                (limits, slots, runs),
                (points, contours, paths, width, height, tolerance, counts, first, sign),
                lists,
                (heads, tails, latest, loads),
                found,
            ),
            parts,
        )
        if (found >= 0).all():
            break
        room, runs_room = arena().room("slots", 2 * room), arena().room("runs", 2 * runs_room)
    ends, link, steps, run_path, run_head, run_link = lists
    for part in range(1, parts):  # the front part's lists go on with those of the parts behind it
        some = heads[part] != NOTHING
        run_link[tails[part][some]] = heads[part - 1][some]
        heads[part][~some] = heads[part - 1][~some]
        run_path[found[part - 1, 1] : runs[part]] = 0
    used, most = found[-1]
    geometry = (ends, link[:used], run_path[:most], run_head[:most], run_link[:most], heads[-1])
    return Cut(geometry, counts, first, steps[:used], sign, loads.sum(axis=0, dtype=np.int32))


def _room(slots: int, runs: int) -> tuple[Any, ...]:
    """Return room for `ends`, `link`, `steps`, `run_path`, `run_head` and `run_link` of a `Cut`."""
    take = arena().take
    of_runs = (take(f"run_{i}", (runs,), np.int32) for i in range(3))
    link, steps = take("link", (slots,), np.int32), take("steps", (slots,), np.int32)
    return take("ends", (4, slots), np.float64), link, steps, *of_runs


def _cut_part(
    limits: tuple[Int64, Int64, Int64],  # of paths, slots and runs of each part
    given: tuple[Any, ...],
    lists: tuple[Any, ...],  # of `_room`
    by_band: tuple[Any, Any, Any, Any],  # heads, tails, latest [parts, bands], loads [parts, bands, 2]
    found: Int64,  # [parts, 2], receives what `_cut_up` returns
    part: int,
    _: int,
) -> None:
    """Cut one part of the paths."""
    heads, tails, latest, loads = by_band
    ends, link, steps, *of_runs = lists
    points, contours, paths, width, height, tolerance, counts, first, sign = given
    bounds = [int(some) for limit in limits for some in limit[part : part + 2]]
    geometry = (ends, link, *of_runs, heads[part])
    cut: Any = _cut_up
    found[part] = cut(
        *bounds,
        points,
        contours,
        paths,
        width,
        height,
        tolerance,
        counts,
        first,
        sign,
        geometry,
        steps,
        loads[part],
        tails[part],
        latest[part],
        arena().take("chord_bands", (2, MAX_CHORDS + LANES), np.int32),
    )


@fast_kernel
def pull_to_points(
    number: int,  # the part to work on, of `parts` with about as many segments each
    parts: int,
    moments: Any,  # float64 [s, 2]
    ends: Any,  # float64 [4, .]
    counts: Any,  # with `first` and `steps` as in `Cut`
    first: Any,
    steps: Any,
    contours: Any,  # int64 [c + 1]
    gradient: Any,  # float64 [n, 2], zeros; receives the answer
) -> None:
    """Carry what every band says of its chords back to the points.

    A moment pair holds the integrals of dL/da (1 - t) and dL/da t over a chord; moving its first end by v
    changes the signed area by cross(chord, v) times the first, and likewise for its second end. The ends are
    polynomials of their place in the segment, so sums for the four coefficients come first.
    """
    for contour in range(len(contours) - 1):
        start, end = contours[contour], contours[contour + 1]
        if start * parts // len(gradient) != number:
            continue
        for a in range(start, end, 3):
            d = a + 3 if a + 3 < end else start
            count = counts[a // 3]
            step, shift = 1.0 / max(count, 1), _shift(count)
            x = y = cx = cy = bx = by = ax = ay = 0.0
            head_x = head_y = tail_x = tail_y = 0.0
            for slot in range(first[a // 3, 0], first[a // 3, 1]):
                nx, ny = ends[3, slot] - ends[1, slot], ends[0, slot] - ends[2, slot]
                t, near, far = steps[slot] * step, moments[slot, 0], moments[slot, 1]
                if steps[slot] == 0:
                    head_x += nx * near
                    head_y += ny * near
                if steps[slot] == count - 1:
                    tail_x += nx * far
                    tail_y += ny * far
                u, pull = t + step, near + far
                x += nx * pull
                y += ny * pull
                near *= t
                far *= u
                pull = near + far
                cx += nx * pull
                cy += ny * pull
                near *= t
                far *= u
                pull = near + far
                bx += nx * pull
                by += ny * pull
                pull = near * t + far * u
                ax += nx * pull
                ay += ny * pull
            # Only ends between two chords are moved.
            bx, by = bx - 2 * shift * (x - head_x - tail_x), by - 2 * shift * (y - head_y - tail_y)
            ax, ay = ax - 6 * shift * (cx - tail_x), ay - 6 * shift * (cy - tail_y)
            gradient[a, 0] += x - 3 * cx + 3 * bx - ax
            gradient[a, 1] += y - 3 * cy + 3 * by - ay
            gradient[a + 1, 0] += 3 * cx - 6 * bx + 3 * ax
            gradient[a + 1, 1] += 3 * cy - 6 * by + 3 * ay
            gradient[a + 2, 0] += 3 * bx - 3 * ax
            gradient[a + 2, 1] += 3 * by - 3 * ay
            gradient[d, 0] += ax
            gradient[d, 1] += ay
