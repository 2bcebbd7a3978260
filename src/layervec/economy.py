"""Drop nodes that the picture would not miss.

After a fit, each inner node of an outline is priced by what merging its two segments to one would cost: the
distance between both curves, weighted by how much the picture changes when the border moves there. Knows outlines
and the rasteriser's gradients; knows no trees, layers or files.

The weights are the diagonal of J'J (J: derivatives of all pixels by all points), estimated from a few random sign
pictures z as the mean of (J'z)^2 (Bekas, Kokiopoulou, Saad 2007, https://doi.org/10.1016/j.apnum.2007.01.003).
Merged cubics are least-squares fits with fixed end tangents (Schneider, Graphics Gems, 1990, pages 612-626).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from layervec.geometry import next_nodes
from layervec.optimize import Fit
from layervec.types import Bool, Float32, Float64, Int64, Outline

PROBES = 4  # sign pictures; more only steady the estimate
FEWER_PROBES = 2  # of drawings that count for less
SAMPLES = 8  # points a segment at which merged and original curve are compared
PARAMETER_ROUNDS = 3  # reparametrisations of a merged cubic
HANDLE_WEIGHT = 3 / 35  # integral of the squared Bernstein weight of a handle over its segment
CUBIC_END_WEIGHT, LINE_END_WEIGHT = 1 / 7, 1 / 3  # the same for an end
LONGEST_ARC = 0.6  # a handle is at most this share of the merged length
MOST_SHIFT = 4.0  # px that a border may move at all, however little it shows
LINE_SHARE = 0.6  # of a node's price that a line must cost less than to replace a cubic: of 42 bytes it saves 28
MOST_SAG = 0.8  # px that a cubic may stand off the line that replaces it
FEWEST_SEGMENTS = 2  # a contour keeps at least so many


def drop_nodes(
    fit: Fit,
    width: int,
    height: int,
    price: float | Float64,
    *,
    subsets: Sequence[tuple[Bool, float]] | None = None,
    moving: Bool | None = None,
    clear: bool = False,
    threads: int | None = None,
) -> Fit:
    """Return the fit with fewer nodes: without those whose loss is expected to cost less than `price` squared error.

    width, height: canvas, px. price: the same for all shapes or [k], one each. subsets: sets of shapes (bool [k]) and
    weights; the error counts in the drawing of each, so that borders which only a simpler version of the drawing shows
    keep their form as well. moving: bool [k], the shapes that may lose nodes (all by default). clear: whether
    the drawing has no ground, so that it counts as it is seen on black and on white. Nodes on the canvas border stay.
    """
    changed = range(len(fit.outlines)) if moving is None else np.flatnonzero(moving).tolist()
    if not changed:
        return fit
    sizes = [outline.segments for outline in fit.outlines]

    def measured(part: Fit, probes: int) -> Float64:
        return _stiffness(part, pulls(part, width, height, probes, clear, threads), probes)

    stiffness = over_subsets(fit, sizes, subsets, measured)
    own = np.concatenate([np.full(size, moving is None or moving[i]) for i, size in enumerate(sizes)])
    segments = _Segments.of([fit.outlines[i] for i in changed], stiffness[own])
    prices = np.broadcast_to(price, len(fit.outlines))
    of_contours = np.repeat(prices[changed], [fit.outlines[i].contours for i in changed])
    segments.thin(of_contours, width, height)
    segments.straighten(LINE_SHARE * of_contours)
    thinned = dict(zip(changed, segments.outlines(), strict=True))
    return replace(fit, outlines=tuple(thinned.get(i, outline) for i, outline in enumerate(fit.outlines)))


def over_subsets(
    fit: Fit,
    sizes: Sequence[int],
    subsets: Sequence[tuple[Bool, float]] | None,
    measured: Callable[[Fit, int], Float64],
) -> Float64:
    """Return the weighted sum of what is measured in the drawing of each subset: float64 [sum of sizes, ...].

    sizes: rows of each shape. subsets: as in `drop_nodes`. measured: from shapes and a number of sign pictures, of
    which drawings that count for less take fewer.
    """
    parts = []
    for shown, weight in subsets or [(np.ones(len(fit.outlines), dtype=bool), 1.0)]:
        rows = np.repeat(shown, sizes)
        found = measured(fit.only(shown), PROBES if weight >= 1.0 else FEWER_PROBES)
        part = np.zeros((len(rows), *found.shape[1:]))
        part[rows] = weight * found
        parts.append(part)
    return np.asarray(np.sum(parts, axis=0))


def _stiffness(fit: Fit, found: Iterator[Float64], probes: int) -> Float64:
    """Squared error per px of length and px^2 of shift, for each segment: float64 [segments of all outlines].

    found: so many `pulls`. Of a cubic, by its handles. A line is told by its ends, by what their other segments do not
    account for.
    """
    squares = np.zeros((len(fit.scene().points) // 3, 3))
    for pulled in found:
        squares += (pulled**2).sum(axis=1).reshape(-1, 3) / probes
    cubics = np.concatenate([_cubics(outline) for outline in fit.outlines])
    straight = np.concatenate([outline.straight for outline in fit.outlines])
    chords = _chords(cubics)
    lengths = np.maximum(np.linalg.norm(np.diff(cubics, axis=1), axis=2).sum(axis=1) * 0.5 + chords * 0.5, 1.0)
    curved = np.where(straight, 0.0, squares[:, 1:].mean(axis=1) / (HANDLE_WEIGHT * lengths))
    following = next_nodes(fit.outlines)
    known, of_lines = CUBIC_END_WEIGHT * lengths * curved, np.where(straight, LINE_END_WEIGHT * lengths, 0.0)
    rest = np.maximum(squares[:, 0] - _at_nodes(known, following), 0.0) / np.maximum(
        _at_nodes(of_lines, following), 1e-9
    )
    return np.where(straight, (rest + rest[following]) / 2, curved)


def _at_nodes(values: Float64, following: Int64) -> Float64:
    """Sum the values of the two segments at each node: [n]. following: the node after each."""
    total = values.copy()
    total[following] += values
    return total


def pulls(fit: Fit, width: int, height: int, count: int, clear: bool, threads: int | None) -> Iterator[Float64]:
    """Yield the pull of random sign pictures on all points, [n, 2] each; their mean square estimates J'J's diagonal.

    clear: the drawing has no ground; it is looked at on black and on white in turn.
    """
    from layervec import raster

    _, pull_back = raster.render_with_grad(fit.scene(), width, height, threads=threads)
    for number in range(count):
        yield pull_back(_signs(width, height, number, clear and number % 2 == 1)).points


@lru_cache(maxsize=2 * PROBES)  # 4 MiB each at 512 px
def _signs(width: int, height: int, number: int, on_white: bool) -> Float32:
    """A picture of random signs, always the same: float32 [h, w, 4].

    Premultiplied colours on black are as they are; on white alpha takes its share from each of them.
    """
    bits = np.unpackbits(np.frombuffer(np.random.default_rng(number).bytes(height * width // 2 + 1), dtype=np.uint8))
    signs = bits[: height * width * 4].reshape(height, width, 4).astype(np.float32) * 2 - 1
    signs[..., 3] = -signs[..., :3].sum(axis=2) if on_white else 0.0
    signs.setflags(write=False)
    return signs


def _chords(cubics: Float64) -> Float64:
    return np.asarray(np.linalg.norm(cubics[:, 3] - cubics[:, 0], axis=1))


def _cubics(outline: Outline) -> Float64:
    """All segments as four points each: float64 [k, 4, 2]."""
    segments = outline.points.reshape(-1, 3, 2)
    following = np.arange(1, len(segments) + 1)
    following[outline.starts[1:] // 3 - 1] = outline.starts[:-1] // 3
    return np.concatenate([segments, segments[following, :1]], axis=1)


@dataclass
class _Segments:
    """The segments of all outlines, contour after contour."""

    cubics: Float64  # [k, 4, 2]
    straight: Bool  # [k]
    stiffness: Float64  # [k]
    contour: Int64  # [k], number of the contour
    contours: Int64  # [outlines + 1], first contour of each outline

    @classmethod
    def of(cls, outlines: Sequence[Outline], stiffness: Float64) -> _Segments:
        sizes = np.concatenate([np.diff(outline.starts) // 3 for outline in outlines])
        return cls(
            np.concatenate([_cubics(outline) for outline in outlines]),
            np.concatenate([outline.straight for outline in outlines]),
            stiffness,
            np.repeat(np.arange(len(sizes)), sizes),
            np.cumsum([0] + [outline.contours for outline in outlines]),
        )

    def outlines(self) -> tuple[Outline, ...]:
        ends = np.concatenate([[0], np.cumsum(np.bincount(self.contour, minlength=int(self.contours[-1])))])
        found = []
        for first, last in zip(self.contours[:-1], self.contours[1:], strict=True):
            begin, end = ends[first], ends[last]
            points = self.cubics[begin:end, :3].reshape(-1, 2)
            found.append(Outline(points, 3 * (ends[first : last + 1] - begin), self.straight[begin:end]))
        return tuple(found)

    def thin(self, price: Float64, width: int, height: int) -> None:
        """Merge the cheapest pairs of neighbouring segments, no two that touch, until none is cheap enough.

        price: [contours].
        """
        merged, lines = np.empty_like(self.cubics), np.zeros(len(self.cubics), dtype=bool)
        cost = np.full(len(self.cubics), np.inf)
        stale = np.ones(len(self.cubics), dtype=bool)  # the node before a segment, when either of its segments is new
        while stale.any():
            before = self._before()
            nodes = self.cubics[:, 0]
            on_border = ((nodes <= 0) | (nodes >= np.array([width, height]))).any(axis=1)
            asked = np.flatnonzero(stale & ~on_border)
            cost[stale] = np.inf
            previous = before[asked]
            merged[asked], lines[asked], cost[asked] = _merge(
                self.cubics[previous],
                self.cubics[asked],
                self.straight[previous] & self.straight[asked],
                np.stack([self.stiffness[previous], self.stiffness[asked]], axis=1),
            )
            drop = self._cheapest(cost, before, price)
            lengths = _chords(self.cubics) + 1e-9
            new = before[drop]
            weight = lengths[new] + lengths[drop]
            mean = (self.stiffness[new] * lengths[new] + self.stiffness[drop] * lengths[drop]) / weight
            self.stiffness[new], self.cubics[new], self.straight[new] = mean, merged[drop], lines[drop]
            stale[:] = False
            stale[new] = True
            kept = np.ones(len(cost), dtype=bool)
            kept[drop] = False
            self.cubics, self.straight = self.cubics[kept], self.straight[kept]
            self.stiffness, self.contour = self.stiffness[kept], self.contour[kept]
            merged, lines, cost, stale = merged[kept], lines[kept], cost[kept], stale[kept]
            stale |= stale[self._before()]

    def _before(self) -> Int64:
        """The segment before each, around its contour."""
        before = np.arange(len(self.contour)) - 1
        first = np.flatnonzero(np.diff(self.contour, prepend=-1))
        before[first] = np.append(first[1:], len(self.contour)) - 1
        return before

    def _cheapest(self, cost: Float64, before: Int64, price: Float64) -> Int64:
        """Nodes to drop at one time, by the segments that they begin."""
        spare = np.bincount(self.contour) - FEWEST_SEGMENTS
        taken = np.zeros(len(cost), dtype=bool)  # segments that are part of a merge already
        drop = []
        cheap = np.flatnonzero(cost <= price[self.contour])
        for node in cheap[np.argsort(cost[cheap], kind="stable")]:
            contour = self.contour[node]
            if spare[contour] > 0 and not taken[node] and not taken[before[node]]:
                taken[node] = taken[before[node]] = True
                spare[contour] -= 1
                drop.append(node)
        return np.array(drop, dtype=np.int64)

    def straighten(self, price: Float64) -> None:
        """Make lines of cubics where that costs less than `price`, [contours]."""
        u = np.linspace(0, 1, SAMPLES + 1)[1:]
        start, chord = self.cubics[:, :1], self.cubics[:, 3:] - self.cubics[:, :1]
        points = np.einsum("sp,npc->nsc", _bernstein(u), self.cubics)
        steps = np.linalg.norm(np.diff(np.concatenate([start, points], axis=1), axis=1), axis=2)
        along = ((points - start) * chord).sum(axis=2) / np.maximum((chord**2).sum(axis=2), 1e-9)
        off = ((start + np.clip(along, 0, 1)[..., None] * chord - points) ** 2).sum(axis=2)
        cost = _cost(off, steps) * self.stiffness
        self.straight = self.straight | ((cost < price[self.contour]) & (off.max(axis=1) < MOST_SAG**2))
        lines = self.straight
        self.cubics[lines, 1] = (start + chord / 3)[lines, 0]
        self.cubics[lines, 2] = (start + chord * (2 / 3))[lines, 0]


def _merge(first: Float64, second: Float64, lines: Bool, weights: Float64) -> tuple[Float64, Bool, Float64]:
    """Fit one cubic (or line) to each pair of segments; return cubics [n, 4, 2], which are lines [n], costs [n]."""
    u = np.linspace(0, 1, SAMPLES + 1)[1:]
    basis = _bernstein(u)
    points = np.concatenate([np.einsum("sp,npc->nsc", basis, cubics) for cubics in (first, second)], axis=1)
    start, end = first[:, 0], second[:, 3]
    steps = np.linalg.norm(np.diff(np.concatenate([start[:, None], points], axis=1), axis=1), axis=2)
    arc = steps.sum(axis=1)
    parameter = np.cumsum(steps, axis=1) / np.maximum(arc, 1e-9)[:, None]
    out, into = (
        _direction(first[:, 1] - start, points[:, 0] - start),
        _direction(second[:, 2] - end, points[:, -2] - end),
    )
    cubic = np.empty_like(first)
    for _ in range(PARAMETER_ROUNDS):
        cubic = _fitted(start, end, out, into, points, parameter, arc)
        parameter = _reparametrised(cubic, points, parameter)
    chord = end - start
    cubic[lines, 1], cubic[lines, 2] = (start + chord / 3)[lines], (end - chord / 3)[lines]
    line_parameter = _dot(points - start[:, None], chord[:, None]) / np.maximum((chord**2).sum(axis=1), 1e-9)[:, None]
    parameter = np.where(lines[:, None], np.clip(line_parameter, 0, 1), parameter)
    off = np.einsum("nsp,npc->nsc", _bernstein(parameter), cubic) - points
    off = _dot(off, off)
    first_cost, second_cost = (
        _cost(off[:, :SAMPLES], steps[:, :SAMPLES]),
        _cost(off[:, SAMPLES:], steps[:, SAMPLES:]),
    )
    cost = weights[:, 0] * first_cost + weights[:, 1] * second_cost
    cost[off.max(axis=1) > MOST_SHIFT**2] = np.inf
    return cubic, lines, cost


def _cost(off: Float64, steps: Float64) -> Float64:
    """Price at stiffness 1 of moving a border by the root of `off` [n, s] along `steps` [n, s]: [n].

    A border off by d changes a pixel by d times its contrast, but no more than one whole pixel after another.
    """
    return np.asarray((np.minimum(off, np.sqrt(off)) * steps).sum(axis=1))


def _dot(first: Float64, second: Float64) -> Float64:
    """Scalar products of vectors in the plane, [..., 2] each: NumPy takes several times as long to sum pairs."""
    return np.asarray(first[..., 0] * second[..., 0] + first[..., 1] * second[..., 1])


def _bernstein(u: Float64) -> Float64:
    w = 1 - u
    return np.stack([w**3, 3 * u * w**2, 3 * u**2 * w, u**3], axis=-1)


def _direction(handle: Float64, instead: Float64) -> Float64:
    """Unit vectors of handles; of `instead` where a handle has no length."""
    vector = np.where((np.linalg.norm(handle, axis=1) > 1e-6)[:, None], handle, instead)
    return np.asarray(vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-9))


def _fitted(
    start: Float64,
    end: Float64,
    out: Float64,
    into: Float64,
    points: Float64,
    parameter: Float64,
    arc: Float64,
) -> Float64:
    """Cubics from start to end with the given end directions, closest to points at their parameters."""
    b = _bernstein(parameter)
    rest = (
        points - (b[..., 0] + b[..., 1])[..., None] * start[:, None] - (b[..., 2] + b[..., 3])[..., None] * end[:, None]
    )
    c00, c11 = (b[..., 1] ** 2).sum(axis=1), (b[..., 2] ** 2).sum(axis=1)
    c01 = (b[..., 1] * b[..., 2]).sum(axis=1) * (out * into).sum(axis=1)
    r0 = (b[..., 1] * _dot(rest, out[:, None])).sum(axis=1)
    r1 = (b[..., 2] * _dot(rest, into[:, None])).sum(axis=1)
    det = c00 * c11 - c01**2
    good = det > 1e-9 * c00 * c11
    det = np.where(good, det, 1.0)
    most = LONGEST_ARC * arc
    near = np.clip(np.where(good, (r0 * c11 - r1 * c01) / det, arc / 3), 0.01 * arc, most)
    far = np.clip(np.where(good, (r1 * c00 - r0 * c01) / det, arc / 3), 0.01 * arc, most)
    return np.stack([start, start + near[:, None] * out, end + far[:, None] * into, end], axis=1)


def _reparametrised(cubic: Float64, points: Float64, parameter: Float64) -> Float64:
    """One Gauss-Newton step of each parameter towards the foot of the perpendicular."""
    off = np.einsum("nsp,npc->nsc", _bernstein(parameter), cubic) - points
    u, w = parameter[..., None], 1 - parameter[..., None]
    hull = np.diff(cubic, axis=1)[:, :, None]
    speed = 3 * (w**2 * hull[:, 0] + 2 * u * w * hull[:, 1] + u**2 * hull[:, 2])
    step = _dot(off, speed) / np.maximum(_dot(speed, speed), 1e-9)
    return np.asarray(np.clip(parameter - step, 0.0, 1.0))
