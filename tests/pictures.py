"""Small synthetic pictures, trees and outlines for the tests of the stages.

Pictures are float32 [h, w, 3 or 4], straight alpha, 0..1. Shapes are drawn antialiased, as any drawing
program does, by averaging SAMPLES x SAMPLES hard samples a pixel; what is true of them is known exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, wraps

import cv2
import numpy as np

from layervec.types import Outline, Raster, RegionTree

SAMPLES = 8  # a side, hard samples averaged to one pixel
WHITE, BLACK, RED, BLUE = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.85, 0.1, 0.1), (0.1, 0.2, 0.8)
GREEN, YELLOW, SKY, NAVY = (0.1, 0.6, 0.2), (0.95, 0.85, 0.2), (0.55, 0.8, 0.95), (0.05, 0.1, 0.3)


def drawn_once(draw):
    """Keep what a function of plain values draws, and hand out copies."""
    kept = cache(draw)

    @wraps(draw)
    def copied(*values, **named):
        return kept(*values, **named).copy()

    return copied


def grid(height, width, samples=SAMPLES):
    """Return y, x of the centres of samples, in pixels: [h * samples, w * samples] each."""
    y, x = np.mgrid[: height * samples, : width * samples]
    return (y + 0.5) / samples, (x + 0.5) / samples


def averaged(fine, samples=SAMPLES):
    """Return the means of blocks of samples: [h, w, ...]."""
    h, w = fine.shape[0] // samples, fine.shape[1] // samples
    return fine.reshape(h, samples, w, samples, *fine.shape[2:]).mean(axis=(1, 3))


@drawn_once
def disc(height, width, cx, cy, radius):
    """Return the coverage of a disc: float64 [h, w]."""
    y, x = grid(height, width)
    return averaged(np.hypot(x - cx, y - cy) < radius)


@drawn_once
def star(height, width, cx, cy, radius):
    """Return the coverage of the star that `star_outline` describes: float64 [h, w]."""
    nodes = star_nodes(cx, cy, radius) * SAMPLES
    fine = np.zeros((height * SAMPLES, width * SAMPLES), np.uint8)
    cv2.fillPoly(fine, [np.rint(nodes).astype(np.int32)], 1)
    return averaged(fine)


def painted(ground, *shapes):
    """Lay shapes (coverage [h, w], colour) over a ground colour: float32 [h, w, 3]."""
    picture = np.empty((*shapes[0][0].shape, 3))
    picture[:] = ground
    for coverage, colour in shapes:
        picture += coverage[..., None] * (np.array(colour) - picture)
    return picture.astype(np.float32)


def cut_out(coverage, colour, alpha=1.0):
    """Return one shape on nothing: float32 [h, w, 4], straight alpha."""
    picture = np.zeros((*coverage.shape, 4), np.float32)
    picture[..., :3] = np.where(coverage[..., None] > 0, colour, 0.0)
    picture[..., 3] = coverage * alpha
    return picture


def two_discs(ground=WHITE, colours=(RED, BLUE), height=72, width=96):
    """Return two discs on a ground and the coverage of each."""
    first, second = disc(height, width, 28, 30, 17), disc(height, width, 68, 44, 20)
    return painted(ground, (first, colours[0]), (second, colours[1])), (first, second)


@drawn_once
def three_discs(height=96, width=128):
    """Return three flat discs apart from each other on a light ground."""
    places = ((30, 32, 20, RED), (86, 36, 26, BLUE), (52, 74, 15, GREEN))
    discs = [(disc(height, width, x, y, r), colour) for x, y, r, colour in places]
    return painted((0.96, 0.94, 0.88), *discs)


@drawn_once
def nested_discs(size=96):
    """Return a disc on a disc on a disc on a ground, and a small disc by itself."""
    c = size / 2
    rings = ((0.36, NAVY), (0.26, (0.1, 0.35, 0.6)), (0.14, (0.25, 0.65, 0.8)))
    shapes = [(disc(size, size, c, c, share * size), colour) for share, colour in rings]
    return painted(WHITE, *shapes, (disc(size, size, size - 6, 6, 3), RED))


@drawn_once
def scenery(height=96, width=128):
    """Return a busier opaque picture: sky, sun, hills, a house with door, window and roof, no two alike."""
    y, x = grid(height, width)
    hill = averaged(y > 62 + 8 * np.sin(x / 17))
    near = averaged(y > 84 - 5 * np.cos(x / 23))
    house = averaged((abs(x - 84) < 17) & (y > 44) & (y < 80))
    roof = averaged((abs(x - 84) < 23 - (44 - y) * 23 / 16) & (y <= 44) & (y > 28))
    door = averaged((abs(x - 84) < 4.5) & (y > 62) & (y < 80))
    window = averaged((abs(x - 74) < 3.5) & (abs(y - 54) < 3.5))
    return painted(
        SKY, (disc(height, width, 24, 22, 12), YELLOW), (hill, (0.35, 0.65, 0.3)), (near, (0.15, 0.4, 0.2)),
        (house, (0.9, 0.8, 0.65)), (roof, (0.6, 0.2, 0.15)), (door, (0.35, 0.2, 0.1)),
        (window, (0.2, 0.3, 0.5)),
    )  # fmt: skip


@drawn_once
def confetti(height=64, width=80, count=45, seed=5):
    """Return many discs of all sizes and colours over each other; no few shapes can draw it."""
    random = np.random.default_rng(seed)
    discs = []
    for k in range(count):
        radius = 3 + 12 * (1 - k / count) ** 2
        coverage = disc(height, width, random.uniform(0, width), random.uniform(0, height), radius)
        discs.append((coverage, tuple(random.uniform(0, 1, 3))))
    return painted((0.9, 0.9, 0.85), *discs)


def noisy(picture, sigma, seed=0):
    """Add Gaussian noise."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, picture.shape)
    return np.clip(picture + noise, 0.0, 1.0).astype(np.float32)


def jpeg(picture, quality):
    """Return the picture as JPEG of this quality (0..100) would give it back."""
    _, data = cv2.imencode(".jpg", as_bytes(picture)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]).astype(np.float32) / 255


def as_bytes(picture):
    """Return the picture as uint8."""
    return np.rint(np.asarray(picture) * 255).astype(np.uint8)


def raster(picture):
    """Return a picture as a Raster."""
    picture = np.asarray(picture, dtype=np.float32)
    full = np.ones((*picture.shape[:2], 4), np.float32)
    full[..., : picture.shape[2]] = picture
    return Raster(full)


def premultiplied(picture):
    """Return what the stages are given: float32 [h, w, 3], or [h, w, 4] premultiplied."""
    picture = np.array(picture, dtype=np.float32)
    if picture.shape[2] == 4:
        picture[..., :3] *= picture[..., 3:]
    return picture


def tree_of(labels, nesting: Sequence[object]):
    """Return the region tree with the given nesting, and the node of each number in it.

    labels: [h, w], numbers. nesting: lists of lists and numbers, such as [0, [1, 2]]: every list is a node
    around its members, every number a leaf.
    """
    parent: list[int] = []
    last: list[int] = []
    cost: list[float] = []
    node_of: dict[int, int] = {}

    def visit(item, above, depth):
        here = len(parent)
        parent.append(above)
        last.append(0)
        cost.append(0.0 if isinstance(item, int) else 1.0 / depth)
        if isinstance(item, int):
            node_of[item] = here
        else:
            for member in item:
                visit(member, here, depth + 1)
        last[here] = len(parent)

    visit(nesting, -1, 1)
    own = np.vectorize(node_of.__getitem__, otypes=[np.int32])(labels)
    return RegionTree(own, np.array(parent, np.int32), np.array(last, np.int32), np.array(cost)), node_of


def polygon(nodes):
    """Return the outline of straight segments through nodes [k, 2]."""
    nodes = np.asarray(nodes, dtype=np.float64)
    steps = np.roll(nodes, -1, axis=0) - nodes
    points = (nodes[:, None] + np.array([0, 1 / 3, 2 / 3])[:, None] * steps[:, None]).reshape(-1, 2)
    return Outline(points, np.array([0, len(points)], np.int64), np.ones(len(nodes), bool))


def circle(cx, cy, radius, segments=4):
    """Return a circle as cubics."""
    angles = np.arange(segments) * 2 * np.pi / segments
    reach = 4 / 3 * np.tan(np.pi / 2 / segments) * radius
    out = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    along = np.stack([-out[:, 1], out[:, 0]], axis=1)
    nodes = np.array([cx, cy]) + radius * out
    ends = np.roll(nodes, -1, axis=0) - reach * np.roll(along, -1, axis=0)
    points = np.stack([nodes, nodes + reach * along, ends], axis=1).reshape(-1, 2)
    return Outline(points, np.array([0, len(points)], np.int64), np.zeros(segments, bool))


def canvas(width, height):
    """Return the outline of the whole canvas."""
    return polygon([(0, 0), (width, 0), (width, height), (0, height)])


def star_nodes(cx, cy, radius):
    """Return the ten nodes of a five-pointed star."""
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, radius, 0.45 * radius)
    return np.array([cx, cy]) + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
