"""Points of many outlines as the optimizer moves them: nodes and handles, and what keeps their joins as they are.

Straight segments stay straight, smooth joins smooth, and what lies on the canvas border stays on it. Knows flat
outlines and slopes; nothing of pictures, colours or the rasteriser.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layervec.types import Bool, Float32, Float64, Int64, Outline

MOMENTUM = (0.75, 0.93)  # Adam's decay rates; shorter than usual, as a fit takes tens of steps, not thousands
QUIET = 0.002  # squared error per px: points whose gradient is well below this move less than others
SMOOTH_ANGLE = 0.97  # cosine of the angle between handles above which a join counts as smooth
LONGEST_HANDLE = 0.9  # in chords; longer handles make loops


class Geometry:
    """Points of many outlines as nodes and handle offsets, with the constraints of their joins."""

    def __init__(
        self,
        outlines: Sequence[Outline],
        width: int,
        height: int,
        moving: Bool | None = None,
        pinned: Bool | None = None,
        reach: Float64 | None = None,
    ) -> None:
        self._parts = outlines
        self.points = np.concatenate([outline.points for outline in outlines])
        self._straight = np.concatenate([outline.straight for outline in outlines])
        self._next = next_nodes(outlines)
        self._before = np.empty_like(self._next)
        self._before[self._next] = np.arange(len(self._next))
        nodes = self.points[0::3]
        size = np.array([width, height])
        self._pinned: Bool = np.zeros(self.points.shape, dtype=bool)
        if pinned is not None:
            self._pinned = pinned
        self._locked: Bool = (nodes <= 0.0) | (nodes >= size) | self._pinned[0::3]
        if moving is not None:
            still = np.repeat(~moving, [outline.segments for outline in outlines])
            self._locked |= still[:, None]
            self._still = still
        else:
            self._still = np.zeros(len(nodes), dtype=bool)
        self._out, self._in = self._offsets()
        self._smooth = self._find_smooth()
        self._average, self._square = np.zeros((3, len(nodes), 2)), np.zeros((3, len(nodes), 2))
        sizes = [outline.segments for outline in outlines]
        self._reach = np.ones(sum(sizes)) if reach is None else np.repeat(reach, sizes).astype(np.float64)
        self._steps = 0

    def _offsets(self) -> tuple[Float64, Float64]:
        """Handles after and before each node, relative to it."""
        nodes = self.points[0::3]
        return self.points[1::3] - nodes, (self.points[2::3] - nodes[self._next])[self._before]

    def _find_smooth(self) -> Bool:
        lengths = np.linalg.norm(self._out, axis=1) * np.linalg.norm(self._in, axis=1)
        cosine = -(self._out * self._in).sum(axis=1) / np.maximum(lengths, 1e-12)
        both_straight = self._straight & self._straight[self._before]
        pinned = np.asarray(self._pinned.any(axis=1))
        free = ~(pinned[0::3] | pinned[1::3] | pinned[2::3][self._before])  # else putting them in line moves much
        return np.asarray((cosine > SMOOTH_ANGLE) & ~both_straight & (lengths > 1e-9) & free)

    def move(self, gradient: Float32 | Float64, length: float) -> None:
        """Take an Adam step of about `length` px, times `reach`, against dL/dpoints; restore the constraints."""
        from layervec import geometry_kernels

        slopes = np.ascontiguousarray(gradient, dtype=np.float64)
        nodes, around = np.empty_like(self._out), (self._next, self._before)
        self._steps += 1
        geometry_kernels.step(
            self.points,
            slopes,
            self._before,
            self._straight,
            self._locked,
            self._still,
            self._average,
            self._square,
            MOMENTUM,
            self._steps,
            length * self._reach,
            QUIET,
            self._out,
            self._in,
            nodes,
        )
        geometry_kernels.restore(
            nodes, *around, self._straight, self._smooth, self._still, LONGEST_HANDLE, self._out, self._in
        )
        geometry_kernels.place(nodes, *around, self._pinned, self._out, self._in, self.points)

    def outlines(self) -> tuple[Outline, ...]:
        """Return the outlines as they are now."""
        cuts = np.cumsum([len(part.points) for part in self._parts])[:-1]
        pieces = np.split(self.points.copy(), cuts)
        return tuple(
            Outline(points, part.starts, part.straight) for points, part in zip(pieces, self._parts, strict=True)
        )


def next_nodes(outlines: Sequence[Outline]) -> Int64:
    """Index of the node after each node, around its contour."""
    starts = []
    base = 0
    for outline in outlines:
        starts.append(outline.starts[:-1] // 3 + base)
        base += outline.segments
    first = np.concatenate(starts)
    after = np.arange(base, dtype=np.int64) + 1
    last = np.concatenate([first[1:], [base]]) - 1
    after[last] = first
    return after
