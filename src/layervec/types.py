"""The nouns of layervec: what flows from stage to stage.

Imports nothing of the project and does no work beyond checks and views. Everything here is immutable by
convention: a stage returns new values and never writes into those that it was given.

Conventions: x to the right, y down; pixel (row i, column j) covers [j, j+1] x [i, i+1]; colours are
sRGB-encoded in 0..1; alpha is straight unless a name says `premultiplied`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
UInt16 = NDArray[np.uint16]
UInt32 = NDArray[np.uint32]
Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A picture: float32 [h, w, 4], sRGB-encoded red, green, blue and straight alpha, all in 0..1."""

    pixels: Float32  # [h, w, 4]

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def opaque(self) -> bool:
        """True where no pixel lets anything through."""
        return bool((self.pixels[..., 3] >= 1.0).all())


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Closed contours of cubic segments.

    A contour of k segments is 3k points: node, handle, handle, node, handle, handle, ...; its last segment
    ends at its first node, which is not repeated. Outer contours run clockwise on screen (positive area
    with y down), holes the other way round.

    points: float64 [n, 2], pixels, n divisible by 3.
    starts: int64 [c + 1], index of each contour's first point, then n.
    straight: bool [n / 3], True where segment i is a line; its handles then lie at its thirds.
    """

    points: Float64  # [n, 2]
    starts: Int64  # [c + 1]
    straight: Bool  # [n / 3]

    @property
    def contours(self) -> int:
        """Number of closed contours."""
        return len(self.starts) - 1

    @property
    def segments(self) -> int:
        """Number of segments, which is also the number of nodes."""
        return len(self.points) // 3

    def scaled(self, sx: float, sy: float) -> Outline:
        """Return the same outline with x multiplied by sx and y by sy."""
        return replace(self, points=self.points * np.array([sx, sy]))


@dataclass(frozen=True, slots=True)
class Solid:
    """One colour: sRGB-encoded red, green, blue and straight alpha in 0..1."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    def scaled(self, sx: float, sy: float) -> Solid:
        """Return the same colour: it has no place."""
        return self


@dataclass(frozen=True, slots=True)
class Stop:
    """A colour of a gradient; offset 0 at its start (or centre), 1 at its end (or rim). Stops have no alpha."""

    offset: float
    red: float
    green: float
    blue: float


@dataclass(frozen=True, slots=True)
class LinearGradient:
    """Colours that change along the line from start to end and go on as they are beyond it.

    start, end: x, y in user units. stops: 2 to 4, offsets not falling; colours blend linearly, sRGB-encoded.
    alpha: of the whole fill, 0..1.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    stops: tuple[Stop, ...]
    alpha: float = 1.0

    def scaled(self, sx: float, sy: float) -> LinearGradient:
        """Return the gradient of a drawing stretched by sx and sy.

        Lines of one colour stay square to the axis, so for sx != sy this is an approximation.
        """
        (x0, y0), (x1, y1) = self.start, self.end
        return replace(self, start=(x0 * sx, y0 * sy), end=(x1 * sx, y1 * sy))


@dataclass(frozen=True, slots=True)
class RadialGradient:
    """Colours that change from a centre to a circle around it and go on as they are beyond it.

    centre: x, y, and radius, above 0, in user units. stops, alpha: as in `LinearGradient`.
    """

    centre: tuple[float, float]
    radius: float
    stops: tuple[Stop, ...]
    alpha: float = 1.0

    def scaled(self, sx: float, sy: float) -> RadialGradient:
        """Return the gradient of a drawing stretched by sx and sy; for sx != sy an approximation."""
        x, y = self.centre
        return replace(self, centre=(x * sx, y * sy), radius=self.radius * (sx * sy) ** 0.5)


Paint: TypeAlias = Solid | LinearGradient | RadialGradient


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One filled path. `rank` counts from 1, the most important shape of the drawing."""

    id: str
    outline: Outline
    paint: Paint
    rank: int
    even_odd: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A named group; children back to front. Ids are unique in a drawing and ASCII.

    thing: what object the layer is, "" for one that is none; an object of which nobody knows is an "object".
    """

    id: str
    name: str
    children: tuple[Layer | Shape, ...] = ()
    thing: str = ""

    def shapes(self) -> Iterator[Shape]:
        """Yield every shape below this layer, back to front."""
        for child in self.children:
            if isinstance(child, Layer):
                yield from child.shapes()
            else:
                yield child

    def layers(self) -> Iterator[Layer]:
        """Yield this layer and every layer below it, parents first."""
        yield self
        for child in self.children:
            if isinstance(child, Layer):
                yield from child.layers()


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A layered vector picture, `width` x `height` user units; `metadata` is plain JSON data."""

    width: float
    height: float
    root: Layer
    title: str = ""
    metadata: dict[str, object] = field(default_factory=dict)

    def shapes(self) -> list[Shape]:
        """Return every shape, back to front."""
        return list(self.root.shapes())


STOPS = 4  # most stops of a gradient
SOLID, LINEAR, RADIAL = range(3)  # kinds of a row of `Ramps`


@dataclass(frozen=True, slots=True, eq=False)
class Ramps:
    """The gradients of a scene's paths as flat arrays, one row a path.

    kind: int8 [p], 0 where the path has one colour (the rest of its row then means nothing), 1 linear, 2 radial.
    axis: float32 [p, 4], x and y of start and end in pixels, or of the centre, then the radius and 0.
    offsets: float32 [p, 4], not falling; unused stops repeat the last one.
    colours: float32 [p, 4, 3], sRGB-encoded red, green, blue of each stop.
    """

    kind: Int8  # [p]
    axis: Float32  # [p, 4]
    offsets: Float32  # [p, STOPS]
    colours: Float32  # [p, STOPS, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The shapes of a drawing as flat arrays for the rasteriser, back to front, without names.

    points: float32 [n, 2], pixels; contour c owns points[contours[c]:contours[c + 1]], 3 a segment as in `Outline`.
    contours: int64 [c + 1].
    paths: int64 [p + 1]; path i owns contours paths[i] .. paths[i + 1] - 1.
    paints: float32 [p, 4], straight RGBA, sRGB-encoded, 0..1; of a path with a gradient only the alpha counts.
    even_odd: bool [p], fill rule: True even-odd, False nonzero.
    ramps: gradients of some paths, None where all have one colour.
    """

    points: Float32  # [n, 2]
    contours: Int64  # [c + 1]
    paths: Int64  # [p + 1]
    paints: Float32  # [p, 4]
    even_odd: Bool  # [p]
    ramps: Ramps | None = None

    def __len__(self) -> int:
        return len(self.paths) - 1


@dataclass(frozen=True, slots=True, eq=False)
class RegionTree:
    """Nested regions of a picture, from single leaves to the whole canvas.

    Nodes are numbered in depth-first order, a parent before its children, so that the descendants of node i
    (itself included) are i .. last[i] - 1 and the root is 0. Every array but `labels` has one row a node.

    labels: int32 [h, w], the node (a leaf) of each pixel.
    parent: int32 [m], -1 for the root.
    last: int32 [m], one past the last descendant.
    cost: float64 [m], cost of the merge that made the node; 0 for leaves. Cutting at a cost gives a partition.
    objects: int64 [o], nodes that are masks of objects. names: what each of them shows, "" where nobody knows.
    stands: int64 [m], the plain zone whose paint a node takes, itself for a zone; -1 for any paint, -2 where a node is
    no shape, -3 where it is all that hangs together on a zone. Empty where nothing is known, as for photos.
    inks: float64 [m, c], the one exact colour of a plain zone, premultiplied, NaN for all other nodes; empty like
    `stands`.
    flat: float32 [h, w, c], the picture with details in their inks and sharp borders, None where nothing is known.
    """

    labels: Int32  # [h, w]
    parent: Int32  # [m]
    last: Int32  # [m]
    cost: Float64  # [m]
    objects: Int64 = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    names: tuple[str, ...] = ()
    stands: Int64 = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    inks: Float64 = field(default_factory=lambda: np.empty((0, 0)))
    flat: Float32 | None = None

    def __len__(self) -> int:
        return len(self.parent)
