"""Compiled loops of the region tree: fringe absorption, leaves, greedy merging.

Called by `tree.py` only. Knows flat arrays, not pictures: features are float32 [n, f], one row a pixel,
regions are integers. Deterministic, single-threaded, releases the GIL.

Why these methods: leaves by Boruvka rounds on the pixel grid never straddle a crack between two colours, even
beside lines one pixel wide, where a watershed of the gradient does; the greedy merge re-evaluates stale heap
entries when they surface, and looks at all edges of a region again only when it has grown, because a region
with thousands of neighbours would otherwise be scanned thousands of times.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from layervec.types import Float32, Float64, Int32, Int64

GROWTH_BEFORE_RESCAN = 1.1  # a region's edges are priced anew when its area has grown by this factor
BORDER_EXPONENT = -0.25  # merge cost falls with the length of the shared border to this power (DESIGN, region tree)


@njit(cache=True, nogil=True)
def absorb_fringes(pixels: Float32, least_contrast: float, purity: float, slope: float) -> Float32:
    """Snap antialiased transition pixels to the nearer of the two colours that they mix.

    pixels: [h, w, c]. A pixel is a transition where two opposite neighbours differ by more than
    `least_contrast` (Euclidean, 0..1 a channel) and it lies on the straight way between their colours, off it
    by at most `purity` of that contrast, and where the colours change by at most `slope` of the contrast one pixel
    further out. Lines and dots are extremes, not mixtures, and stay.
    """
    h, w, channels = pixels.shape
    out = pixels.copy()
    for y in range(h):
        for x in range(w):
            best = least_contrast * least_contrast
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
    return out


@njit(cache=True, nogil=True)
def _find(parent: Int32, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def _distance(a: Float32, b: Float32, f: int) -> float:
    total = np.float32(0)
    for k in range(f):
        d = a[k] - b[k]
        total += d * d
    return total


@njit(cache=True, nogil=True)
def leaves(features: Float32, h: int, w: int, most: int) -> Int32:
    """Group pixels to at most `most` small regions, each pixel with those that it differs least from.

    features: [h * w, f]. Every round, each region joins the 4-neighbour with the least Ward cost.
    Returns int32 [h * w], labels 0 .. n - 1 in order of first appearance.
    """
    n = h * w
    f = features.shape[1]
    parent = np.arange(n).astype(np.int32)
    mean = features.copy()
    area = np.ones(n, np.float32)
    best_cost = np.empty(n, np.float32)
    best = np.empty(n, np.int32)
    count = n
    while count > most:
        best_cost[:] = np.inf
        for p in range(n):
            x = p % w
            a = _find(parent, p)
            for step in range(2):
                if step == 0:
                    if x + 1 >= w:
                        continue
                    q = p + 1
                else:
                    if p + w >= n:
                        continue
                    q = p + w
                b = _find(parent, q)
                if a == b:
                    continue
                cost = _distance(mean[a], mean[b], f) * (area[a] * area[b] / (area[a] + area[b]))
                if cost < best_cost[a]:
                    best_cost[a] = cost
                    best[a] = b
                if cost < best_cost[b]:
                    best_cost[b] = cost
                    best[b] = a
        for i in range(n):
            if parent[i] != i or best_cost[i] == np.inf:
                continue
            best_cost[i] = np.inf  # spent, so that a region that i joined is not joined through i again
            a, b = i, _find(parent, best[i])
            if a == b:
                continue
            total = area[a] + area[b]
            for k in range(f):
                mean[b, k] = (mean[a, k] * area[a] + mean[b, k] * area[b]) / total
            area[b] = total
            parent[a] = b
            count -= 1
    labels = np.full(n, -1, np.int32)
    names = np.full(n, -1, np.int32)
    known = 0
    for p in range(n):
        root = _find(parent, p)
        if names[root] < 0:
            names[root] = known
            known += 1
        labels[p] = names[root]
    return labels


@njit(cache=True, nogil=True)
def _push(keys: Float64, items: Int64, size: int, key: float, item: int) -> None:
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


@njit(cache=True, nogil=True)
def _pop(keys: Float64, items: Int64, size: int) -> None:
    """Remove the top of a heap of `size` entries; the caller counts."""
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


@njit(cache=True, nogil=True)
def _made_at(cost: Float64, node: int, n: int) -> float:
    return cost[node - n] if node >= n else 0.0


@njit(cache=True, nogil=True)
def merge(mean: Float32, area: Float64, ends: Int32, length: Float32) -> tuple[Int32, Float64]:
    """Merge regions pairwise, cheapest first, until one is left (Ward's cost, shorter borders dearer).

    mean: [n, f] feature means, area: [n] pixels, ends: [e, 2] touching regions, each pair once,
    length: [e] shared border, pixels. All regions must hang together.
    Returns (children int32 [n - 1, 2], cost float64 [n - 1]): merge i makes node n + i, whose cost is at least
    that of the merges below it.
    """
    n, f = mean.shape
    edges = len(ends)
    mean = mean.copy()
    area = area.copy()
    # Edge lists: edge e has two half-edges 2e and 2e + 1, chained by region. An edge keeps its ends up to date.
    a_end = ends[:, 0].copy()
    b_end = ends[:, 1].copy()
    length = length.copy()
    alive = np.ones(edges, np.bool_)
    chained = np.full(2 * edges, -1, np.int32)
    head = np.full(n, -1, np.int32)
    degree = np.zeros(n, np.int32)
    for e in range(edges):
        for side in range(2):
            r = a_end[e] if side == 0 else b_end[e]
            chained[2 * e + side] = head[r]
            head[r] = 2 * e + side
            degree[r] += 1
    node = np.arange(n).astype(np.int32)  # tree node that a region slot stands for now
    priced_area = area.copy()
    seen = np.full(n, -1, np.int32)  # seen[r] = edge that joins the region in hand with r
    children = np.empty((max(n - 1, 0), 2), np.int32)
    cost = np.empty(max(n - 1, 0))

    keys = np.empty(4 * edges + 16)
    items = np.empty(4 * edges + 16, np.int64)
    size = 0
    for e in range(edges):
        a, b = a_end[e], b_end[e]
        key = _distance(mean[a], mean[b], f) * area[a] * area[b] / (area[a] + area[b])
        _push(keys, items, size, key * length[e] ** BORDER_EXPONENT, e)
        size += 1

    done = 0
    while size > 0 and done < n - 1:
        e = items[0]
        key = keys[0]
        _pop(keys, items, size)
        size -= 1
        if not alive[e]:
            continue
        a, b = a_end[e], b_end[e]
        now = _distance(mean[a], mean[b], f) * area[a] * area[b] / (area[a] + area[b])
        now *= length[e] ** BORDER_EXPONENT
        if now > key * (1 + 1e-9) and size > 0 and now > keys[0]:
            _push(keys, items, size, now, e)
            size += 1
            continue
        if degree[a] < degree[b]:
            a, b = b, a
        # b joins a, which keeps the longer list
        children[done, 0] = node[a]
        children[done, 1] = node[b]
        cost[done] = max(now, _made_at(cost, node[a], n), _made_at(cost, node[b], n))
        total = area[a] + area[b]
        for k in range(f):
            mean[a, k] = (mean[a, k] * area[a] + mean[b, k] * area[b]) / total
        area[a] = total
        node[a] = n + done
        done += 1
        alive[e] = False
        # find out which regions a touches already, dropping dead half-edges on the way
        previous = -1
        half = head[a]
        while half >= 0:
            after = chained[half]
            o = half >> 1
            if alive[o]:
                other = b_end[o] if a_end[o] == a else a_end[o]
                seen[other] = o
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
            o = half >> 1
            if alive[o]:
                other = b_end[o] if a_end[o] == b else a_end[o]
                twin = seen[other]
                if twin >= 0:
                    length[twin] += length[o]
                    alive[o] = False
                    moved = twin
                else:
                    if a_end[o] == b:
                        a_end[o] = a
                    else:
                        b_end[o] = a
                    chained[half] = head[a]
                    head[a] = half
                    degree[a] += 1
                    seen[other] = o
                    moved = o
                if size < len(keys):
                    key = _distance(mean[a], mean[other], f) * area[a] * area[other] / (area[a] + area[other])
                    _push(keys, items, size, key * length[moved] ** BORDER_EXPONENT, moved)
                    size += 1
            half = after
        rescan = area[a] > GROWTH_BEFORE_RESCAN * priced_area[a]
        if rescan:
            priced_area[a] = area[a]
        half = head[a]
        while half >= 0:
            o = half >> 1
            other = b_end[o] if a_end[o] == a else a_end[o]
            seen[other] = -1
            if rescan:
                if size >= len(keys):
                    grown = np.empty(2 * len(keys))
                    grown[:size] = keys[:size]
                    keys = grown
                    more = np.empty(2 * len(items), np.int64)
                    more[:size] = items[:size]
                    items = more
                key = _distance(mean[a], mean[other], f) * area[a] * area[other] / (area[a] + area[other])
                _push(keys, items, size, key * length[o] ** BORDER_EXPONENT, o)
                size += 1
            half = chained[half]
    return children[:done], cost[:done]


@njit(cache=True, nogil=True)
def depth_first(children: Int32, n: int) -> tuple[Int32, Int32, Int32]:
    """Number the nodes of a binary merge list depth first, a parent before its children.

    children: [n - 1, 2] as `merge` returns it for n leaves.
    Returns (number int32 [2n - 1] of each old node, parent int32, last int32), the latter two by new number.
    """
    total = n + len(children)
    number = np.empty(total, np.int32)
    parent = np.full(total, -1, np.int32)
    last = np.empty(total, np.int32)
    size = np.ones(total, np.int32)
    for i in range(len(children)):
        size[n + i] = 1 + size[children[i, 0]] + size[children[i, 1]]
    number[total - 1] = 0
    last[0] = total
    for i in range(len(children) - 1, -1, -1):
        here = number[n + i]
        first, second = children[i, 0], children[i, 1]
        number[first] = here + 1
        last[here + 1] = here + 1 + size[first]
        parent[here + 1] = here
        start = last[here + 1]
        number[second] = start
        last[start] = start + size[second]
        parent[start] = here
    return number, parent, last
