"""Compiled loops of the region tree: fringe absorption, leaves, greedy merging.

Called by `tree.py` only. Knows flat arrays, not pictures: features are float32 [n, f], one row a pixel,
regions are integers. Deterministic, single-threaded, releases the GIL.

Why these methods: leaves by Boruvka rounds on the pixel grid never straddle a crack between two colours, even
beside lines one pixel wide, where a watershed of the gradient does; the greedy merge re-evaluates stale heap
entries when they surface, and looks at all edges of a region again only when it has grown, because a region
with thousands of neighbours would otherwise be scanned thousands of times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import inner, kernel
from layervec.ramp_kernels import join, save_all, saved_in, saved_together
from layervec.types import Bool, Float32, Float64, Int32, Int64

GROWTH_BEFORE_RESCAN = 1.1  # a region's edges are priced anew when its area has grown by this factor
HEAP_ROOM = 12  # heap entries an edge; pictures tried need up to 5
BORDER_EXPONENT = -0.25  # merge cost falls with the length of the shared border to this power (DESIGN, region tree)


def absorb_fringes(pixels: Float32, least_contrast: float, purity: float, slope: float) -> Float32:
    """Snap antialiased transition pixels to the nearer of the two colours that they mix.

    pixels: [h, w, c]. A pixel is a transition where two opposite neighbours differ by more than
    `least_contrast` (Euclidean, 0..1 a channel) and it lies on the straight way between their colours, off it
    by at most `purity` of that contrast, and where the colours change by at most `slope` of the contrast one pixel
    further out. Lines and dots are extremes, not mixtures, and stay.
    """
    out = pixels.copy()
    _absorb(pixels, least_contrast, purity, slope, out)
    return out


@kernel
def _absorb(pixels: Float32, least_contrast: float, purity: float, slope: float, out: Float32) -> None:
    h, w, channels = pixels.shape
    for y in range(h):
        for x in range(w):
            best = np.float32(least_contrast * least_contrast)
            best_y, best_x = -1, -1
            for direction in range(4):
                dy = 0 if direction == 0 else 1
                dx = 1 if direction < 2 else (0 if direction == 2 else -1)
                ya, xa, yb, xb = y - dy, x - dx, y + dy, x + dx
                if ya < 0 or yb >= h or xa < 0 or xb < 0 or xa >= w or xb >= w:
                    continue
                span = np.float32(0)
                along = np.float32(0)
                own = np.float32(0)
                for c in range(channels):
                    d = pixels[yb, xb, c] - pixels[ya, xa, c]
                    e = pixels[y, x, c] - pixels[ya, xa, c]
                    span += d * d
                    along += d * e
                    own += e * e
                if span <= best:
                    continue
                t = along / span
                off = own - along * t
                if t <= 0.02 or t >= 0.98 or off > purity * purity * span:
                    continue
                flank = np.float32(0)
                yc, xc = min(max(ya - dy, 0), h - 1), min(max(xa - dx, 0), w - 1)
                yd, xd = min(max(yb + dy, 0), h - 1), min(max(xb + dx, 0), w - 1)
                for c in range(channels):
                    d = pixels[yc, xc, c] - pixels[ya, xa, c]
                    e = pixels[yd, xd, c] - pixels[yb, xb, c]
                    flank = max(flank, d * d, e * e)
                if flank > slope * slope * span:
                    continue
                best = span
                if t < 0.5:
                    best_y, best_x = ya, xa
                else:
                    best_y, best_x = yb, xb
            if best_y >= 0:
                for c in range(channels):
                    out[y, x, c] = pixels[best_y, best_x, c]


@inner
def _find(parent: Int32, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@inner
def _cost(mean: Float32, area: Float64, a: int, b: int) -> Any:
    """Ward's cost of merging regions a and b."""
    total = np.float32(0)
    for k in range(mean.shape[1]):
        d = mean[a, k] - mean[b, k]
        total += d * d
    return total * (area[a] * area[b] / (area[a] + area[b]))


def leaves(features: Float32, h: int, w: int, most: int) -> Int32:
    """Group pixels to at most `most` small regions, each pixel with those that it differs least from.

    features: [h * w, f]. Every round, each region joins the 4-neighbour with the least Ward cost.
    Returns int32 [h * w], labels 0 .. n - 1 in order of first appearance.
    """
    n = h * w
    parent = np.arange(n, dtype=np.int32)
    mean, area = features.copy(), np.ones(n)
    best_cost, best = np.empty(n), np.empty(n, np.int32)
    count = n
    while count > most:
        best_cost[:] = np.inf
        _find_best(w, parent, mean, area, best_cost, best)
        count -= _join_best(parent, mean, area, best_cost, best)
    labels, names = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    _label(parent, names, labels)
    return labels


@kernel
def _find_best(w: int, parent: Int32, mean: Float32, area: Float64, best_cost: Float64, best: Int32) -> None:
    """Find for every region (by its root) the neighbour that is cheapest to join."""
    n = len(parent)
    for p in range(n):
        a = _find(parent, p)
        for step in range(2):
            q = p + (1 if step == 0 else w)
            if q >= n or (step == 0 and q % w == 0):
                continue
            b = _find(parent, q)
            if a == b:
                continue
            cost = _cost(mean, area, a, b)
            if cost < best_cost[a]:
                best_cost[a] = cost
                best[a] = b
            if cost < best_cost[b]:
                best_cost[b] = cost
                best[b] = a


@kernel
def _join_best(parent: Int32, mean: Float32, area: Float64, best_cost: Float64, best: Int32) -> int:
    """Join every region to its cheapest neighbour; return by how many the regions are fewer."""
    joined = 0
    for i in range(len(parent)):
        if parent[i] != i or best_cost[i] == np.inf:
            continue
        b = _find(parent, best[i])
        if i == b:
            continue
        _absorb_region(mean, area, b, i)
        parent[i] = b
        joined += 1
    return joined


@inner
def _absorb_region(mean: Float32, area: Float64, into: int, other: int) -> None:
    """Add region `other` to the mean and area of region `into`."""
    total = area[into] + area[other]
    for k in range(mean.shape[1]):
        mean[into, k] = (mean[other, k] * area[other] + mean[into, k] * area[into]) / total
    area[into] = total


@kernel
def _label(parent: Int32, names: Int32, labels: Int32) -> None:
    known = 0
    for p in range(len(parent)):
        root = _find(parent, p)
        if names[root] < 0:
            names[root] = known
            known += 1
        labels[p] = names[root]


def pieces(labels: Int32) -> Int32:
    """Number the 4-connected pieces of equal labels: int32 [h, w] from [h, w], in order of first appearance."""
    h, w = labels.shape
    parent = np.arange(h * w, dtype=np.int32)
    _join_equal(labels.ravel(), w, parent)
    found, names = np.full(h * w, -1, np.int32), np.full(h * w, -1, np.int32)
    _label(parent, names, found)
    return found.reshape(h, w)


@kernel
def _join_equal(labels: Int32, w: int, parent: Int32) -> None:
    n = len(labels)
    for p in range(n):
        if p % w + 1 < w and labels[p] == labels[p + 1]:
            parent[_find(parent, p + 1)] = _find(parent, p)
        if p + w < n and labels[p] == labels[p + w]:
            parent[_find(parent, p + w)] = _find(parent, p)


def smooth_pieces(pixels: Float32, taken: Bool, w: int, step: float) -> Int32:
    """Number the 4-connected pieces of pixels between which no channel changes by more than `step`: int32 [n].

    pixels: [n, c] in rows of `w`. taken: bool [n]; such a pixel is joined to none.
    """
    n = len(pixels)
    parent = np.arange(n, dtype=np.int32)
    _join_smooth(pixels, taken, w, step, parent)
    found, names = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    _label(parent, names, found)
    return found


@kernel
def _join_smooth(pixels: Float32, taken: Bool, w: int, step: float, parent: Int32) -> None:
    n, channels = pixels.shape
    for p in range(n):
        for side in range(2):
            q = p + (1 if side == 0 else w)
            if q >= n or (side == 0 and q % w == 0) or taken[p] or taken[q]:
                continue
            most = np.float32(0)
            for c in range(channels):
                most = max(most, abs(pixels[p, c] - pixels[q, c]))
            if most <= step:
                parent[_find(parent, q)] = _find(parent, p)


def components(ends: Int32, n: int) -> Int32:
    """Number the connected parts of a graph of n points: int32 [n]. ends: [e, 2], joined pairs."""
    parent = np.arange(n, dtype=np.int32)
    _join_pairs(ends, parent)
    found, names = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    _label(parent, names, found)
    return found


@kernel
def _join_pairs(ends: Int32, parent: Int32) -> None:
    for e in range(len(ends)):
        parent[_find(parent, ends[e, 1])] = _find(parent, ends[e, 0])


@inner
def _push(keys: Float64, items: Int64, size: int, key: float, item: int) -> int:
    """Put an entry into a heap of `size` entries if there is room; return its new size."""
    if size >= len(keys):
        return size
    i = size
    while i > 0:
        up = (i - 1) >> 1
        if keys[up] <= key:
            break
        keys[i] = keys[up]
        items[i] = items[up]
        i = up
    keys[i] = key
    items[i] = item
    return size + 1


@inner
def _pop(keys: Float64, items: Int64, size: int) -> int:
    """Remove the top of a heap of `size` entries; return its new size."""
    key, item = keys[size - 1], items[size - 1]
    i = 0
    while True:
        down = 2 * i + 1
        if down >= size - 1:
            break
        if down + 1 < size - 1 and keys[down + 1] < keys[down]:
            down += 1
        if keys[down] >= key:
            break
        keys[i] = keys[down]
        items[i] = items[down]
        i = down
    keys[i] = key
    items[i] = item
    return size - 1


@inner
def _made_at(cost: Float64, node: int, n: int) -> float:
    return cost[node - n] if node >= n else 0.0


def merge(
    mean: Float32, area: Float64, ends: Int32, length: Float32, places: Float64 | None = None
) -> tuple[Int32, Float64]:
    """Merge regions pairwise, cheapest first, until one is left (Ward's cost, shorter borders dearer).

    mean: [n, f] feature means, area: [n] pixels, ends: [e, 2] touching regions, each pair once,
    length: [e] shared border, pixels. All regions must hang together. places: [n, 5 + 2 f], as in ramp_kernels.py;
    then the error that a merge adds is that of gradients, where they save any, instead of that of one colour each.
    Returns (children int32 [n - 1, 2], cost float64 [n - 1]): merge i makes node n + i, whose cost is at
    least that of the merges below it.
    """
    n, edges = len(mean), len(ends)
    # Each edge has two half-edges, 2e and 2e + 1, chained by region.
    halves = ends.ravel()
    chained, head = np.full(2 * edges, -1, np.int32), np.full(n, -1, np.int32)
    _chain(halves, chained, head)
    children, cost = np.empty((n - 1, 2), np.int32), np.empty(n - 1)
    room = HEAP_ROOM * edges + 64
    saved = np.zeros(n)
    if places is not None:
        save_all(area, places, saved)
    places = np.empty((n, 0)) if places is None else places.copy()
    _merge(
        mean.copy(), area.copy(), places, saved, ends.copy(), length.copy(), np.ones(edges, np.bool_), chained, head,
        np.bincount(halves, minlength=n).astype(np.int32), np.arange(n, dtype=np.int32), area.copy(),
        np.full(n, -1, np.int32), np.empty(room), np.empty(room, np.int64), children, cost,
    )  # fmt: skip
    return children, cost


@kernel
def _chain(halves: Int32, chained: Int32, head: Int32) -> None:
    for half in range(len(halves)):
        chained[half] = head[halves[half]]
        head[halves[half]] = half


@inner
def _price(
    mean: Float32, area: Float64, places: Float64, saved: Float64, ends: Int32, length: Float32, edge: int
) -> Any:
    a, b = ends[edge, 0], ends[edge, 1]
    if places.shape[1] == 0:
        return _cost(mean, area, a, b) * length[edge] ** BORDER_EXPONENT
    less = saved_together(mean, area, places, a, b) - saved[a] - saved[b]
    return max(_cost(mean, area, a, b) - less, 0.0) * length[edge] ** BORDER_EXPONENT


@inner
def _other_end(ends: Int32, edge: int, region: int) -> Any:
    return ends[edge, 0] + ends[edge, 1] - region


@kernel
def _merge(
    mean: Float32,
    area: Float64,
    places: Float64,  # [n, 5 + 2 f], or [n, 0] where gradients do not count
    saved: Float64,  # [n], what a gradient saves in each region
    ends: Int32,
    length: Float32,
    alive: Bool,  # [e], edges between two regions that are still apart
    chained: Int32,
    head: Int32,
    degree: Int32,  # [n], half-edges in each region's chain
    node: Int32,  # [n], tree node that a region stands for now
    priced_area: Float64,  # [n], area when all edges of a region were last priced
    seen: Int32,  # [n], edge that joins the region in hand with each other one, -1 for none
    keys: Float64,
    items: Int64,
    children: Int32,
    cost: Float64,
) -> None:
    """Do the merges of `merge`. A heap entry that finds no room is left out: every edge has an older one."""
    n = len(mean)
    size = 0
    for e in range(len(ends)):
        size = _push(keys, items, size, _price(mean, area, places, saved, ends, length, e), e)
    done = 0
    while size > 0 and done < n - 1:
        e = items[0]
        key = keys[0]
        size = _pop(keys, items, size)
        if not alive[e]:
            continue
        now = _price(mean, area, places, saved, ends, length, e)
        if now > key * (1 + 1e-9) and size > 0 and now > keys[0]:
            size = _push(keys, items, size, now, e)
            continue
        a, b = ends[e, 0], ends[e, 1]
        if degree[a] < degree[b]:
            a, b = b, a
        # b joins a, which keeps the longer chain
        children[done, 0] = node[a]
        children[done, 1] = node[b]
        cost[done] = max(now, _made_at(cost, node[a], n), _made_at(cost, node[b], n))
        if places.shape[1] > 0:
            join(mean, area, places, a, b)
        _absorb_region(mean, area, a, b)
        if places.shape[1] > 0:
            saved[a] = saved_in(area, places, a)
        node[a] = n + done
        done += 1
        alive[e] = False
        # find out which regions a touches already, dropping dead half-edges on the way
        previous = np.int32(-1)
        half = head[a]
        while half >= 0:
            after = chained[half]
            if alive[half >> 1]:
                seen[_other_end(ends, half >> 1, a)] = half >> 1
                previous = half
            else:
                degree[a] -= 1
                if previous < 0:
                    head[a] = after
                else:
                    chained[previous] = after
            half = after
        half = head[b]
        while half >= 0:
            after = chained[half]
            edge = half >> 1
            if alive[edge]:
                other = _other_end(ends, edge, b)
                twin = seen[other]
                if twin >= 0:
                    length[twin] += length[edge]
                    alive[edge] = False
                    edge = twin
                else:
                    ends[edge, 0] = a
                    ends[edge, 1] = other
                    chained[half] = head[a]
                    head[a] = half
                    degree[a] += 1
                    seen[other] = edge
                size = _push(keys, items, size, _price(mean, area, places, saved, ends, length, edge), edge)
            half = after
        rescan = area[a] > GROWTH_BEFORE_RESCAN * priced_area[a]
        if rescan:
            priced_area[a] = area[a]
        half = head[a]
        while half >= 0:
            edge = half >> 1
            seen[_other_end(ends, edge, a)] = -1
            if rescan:
                size = _push(keys, items, size, _price(mean, area, places, saved, ends, length, edge), edge)
            half = chained[half]


def depth_first(children: Int32, n: int) -> tuple[Int32, Int32, Int32]:
    """Number the nodes of a binary merge list depth first, a parent before its children.

    children: [n - 1, 2] as `merge` returns it for n leaves.
    Returns (number int32 [2n - 1] of each old node, parent int32, last int32), the latter two by new number.
    """
    total = n + len(children)
    number, last = np.zeros(total, np.int32), np.zeros(total, np.int32)
    parent, size = np.full(total, -1, np.int32), np.ones(total, np.int32)
    _number(children, n, size, number, parent, last)
    return number, parent, last


@kernel
def _number(children: Int32, n: int, size: Int32, number: Int32, parent: Int32, last: Int32) -> None:
    for i in range(len(children)):
        size[n + i] = 1 + size[children[i, 0]] + size[children[i, 1]]
    last[0] = n + len(children)
    for i in range(len(children) - 1, -1, -1):
        here = number[n + i]
        start = here + 1
        for side in range(2):
            child = children[i, side]
            number[child] = start
            last[start] = start + size[child]
            parent[start] = here
            start = last[start]
