"""Masks stacked by containment, as the paper does it, and the region tree that they make.

Masks of coarse levels come first, and on a level the larger ones: one that is nearly a known mask is dropped, one that
lies mostly inside a known mask goes on top of it. No pixels are filled in and none cut off, so holes stay, and
neighbours may overlap. Knows masks and nothing of colours, outlines or levels beyond their order.

Rules and thresholds: "Layered Image Vectorization via Semantic Simplification", arXiv 2406.05404, section 3.2, and its
published code. One thing differs: there a mask around a known one is dropped, as layers only grow upwards; here it
goes in between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec import arrange
from layervec.objects import LEAST_AREA, mended
from layervec.segment import Mask
from layervec.types import Bool, Int32, Int64, RegionTree, UInt8

KNOWN = 0.70  # intersection over union with a known mask above which a mask is dropped
INSIDE = 0.5  # of a mask's area; with as much inside a larger one it lies on top of it
ORDER_ROUNDS = 4  # tries to find an order of neighbours that agrees with what is then seen of them


class Stacked(ABC):
    """Areas of a picture, each after the one that it lies on; the first is all that the picture covers.

    parents: int64 [k], -1 for the first. labels: what each shows, None for what is no object.
    """

    __slots__ = ()
    parents: Int64
    labels: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.parents)

    @abstractmethod
    def areas(self) -> Int64:
        """Return the areas in px, with what lies on each: int64 [k]."""

    @abstractmethod
    def seen(self, order: Int64) -> Int64:
        """Return which shows at each pixel, laid back to front in this order: int64 [h, w], -1 where none does."""

    def order(self) -> Int64:
        """Return the indices back to front: each before those on it, of neighbours the larger first."""
        children: dict[int, list[int]] = {}
        for i in np.argsort(-self.areas(), kind="stable").tolist():
            children.setdefault(int(self.parents[i]), []).append(i)
        order: list[int] = []
        waiting = children.get(-1, [])[::-1]
        while waiting:
            order.append(i := waiting.pop())
            waiting.extend(reversed(children.get(i, [])))
        return np.array(order, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Pile(Stacked):
    """Masks, bool [h, w] each."""

    masks: tuple[Bool, ...]
    parents: Int64
    labels: tuple[str | None, ...]

    def depths(self) -> Int64:
        """Return how many masks lie below each: int64 [k]."""
        depths = np.zeros(len(self), dtype=np.int64)
        for i in range(len(self)):
            below = int(self.parents[i])
            while below >= 0:
                depths[i] += 1
                below = int(self.parents[below])
        return depths

    def areas(self) -> Int64:
        """Return the masks' areas, px: int64 [k]."""
        return np.array([np.count_nonzero(mask) for mask in self.masks], dtype=np.int64)

    def seen(self, order: Int64) -> Int64:
        """Return which mask shows at each pixel; where neighbours overlap, the later one."""
        owner = np.full(self.masks[0].shape, -1, dtype=np.int64)
        for i in order:
            owner[self.masks[i]] = i
        return owner


@dataclass(frozen=True, slots=True, eq=False)
class Partition(Stacked):
    """Areas that overlap only what they lie on, so one number a pixel tells them all.

    shown: int64 [h, w], which shows at each pixel, in any order; -1 where none does.
    """

    shown: Int64
    parents: Int64
    labels: tuple[str | None, ...]

    def areas(self) -> Int64:
        """Return the areas with what lies on each, px: int64 [k]."""
        found = np.bincount(self.shown.ravel() + 1, minlength=len(self) + 1)[1:]
        for i in range(len(self) - 1, 0, -1):
            found[self.parents[i]] += found[i]
        return found.astype(np.int64)

    def seen(self, order: Int64) -> Int64:
        """Return which shows at each pixel, the same in any order."""
        return self.shown


def stack(masks: Sequence[Mask], covered: Bool, most: int) -> Pile:
    """Return up to `most` masks, the largest of those that stay, on top of what the picture covers: bool [h, w].

    `most` counts that as well. Masks are cut to what is covered; specks and pinholes are mended.
    """
    order = sorted(range(len(masks)), key=lambda i: (-masks[i].level, -np.count_nonzero(masks[i].pixels)))
    family = _Family(covered)
    for i in order:
        family.add(mended(masks[i].pixels) & covered, masks[i].label)
    return family.largest(most)


class _Family:
    """Masks that are being stacked. A mask is larger than those on it, so the largest few are a pile of their own."""

    def __init__(self, ground: Bool) -> None:
        self._masks: list[Bool] = []
        self._bits: list[UInt8] = []
        self._areas: list[int] = []
        self._labels: list[str | None] = []
        self._parents: list[int] = []
        self._keep(ground, -1, None)

    def _keep(self, mask: Bool, parent: int, label: str | None) -> None:
        self._masks.append(mask)
        self._bits.append(np.packbits(mask))
        self._areas.append(int(np.count_nonzero(mask)))
        self._labels.append(label)
        self._parents.append(parent)

    def add(self, mask: Bool, label: str) -> None:
        """Put a mask where it belongs, unless it is nothing or known."""
        area, bits = int(np.count_nonzero(mask)), np.packbits(mask)
        if area < LEAST_AREA:
            return
        shared = [int(np.bitwise_count(bits & other).sum()) for other in self._bits]
        if any(both > KNOWN * (area + other - both) for both, other in zip(shared, self._areas, strict=True)):
            return
        home = 0
        while (inner := self._inner(home, shared, area)) is not None:
            home = inner
        new = len(self._masks)
        for i, parent in enumerate(self._parents):
            if parent == home and self._areas[i] < area and shared[i] >= INSIDE * self._areas[i]:
                self._parents[i] = new
        self._keep(mask, home, label)

    def _inner(self, home: int, shared: Sequence[int], area: int) -> int | None:
        """The mask on `home` that holds most of the new one; None where none holds enough."""
        fit = [i for i, parent in enumerate(self._parents) if parent == home and self._areas[i] > area]
        best = max(fit, key=lambda i: shared[i], default=None)
        return best if best is not None and shared[best] >= INSIDE * area else None

    def largest(self, most: int) -> Pile:
        """Return the ground and the largest masks, lower ones first and then larger ones."""
        everything = Pile(tuple(self._masks), np.array(self._parents, dtype=np.int64), tuple(self._labels))
        depths = everything.depths()
        rest = np.argsort(-np.array(self._areas[1:], dtype=np.int64), kind="stable")[: max(0, most - 1)] + 1
        chosen = sorted([0, *rest.tolist()], key=lambda i: (depths[i], -self._areas[i]))
        return picked(everything, np.array(chosen, dtype=np.int64))


def picked(pile: Pile, kept: Int64) -> Pile:
    """Return these masks in this order; what lay on one that is gone lies on what that lay on.

    kept: indices, the ground first, each after the one it then lies on.
    """
    place = {int(old): new for new, old in enumerate(kept)}
    parents = []
    for old in kept:
        parent = int(pile.parents[old])
        while parent >= 0 and parent not in place:
            parent = int(pile.parents[parent])
        parents.append(place.get(parent, -1))
    return Pile(
        tuple(pile.masks[i] for i in kept),
        np.array(parents, dtype=np.int64),
        tuple(pile.labels[i] for i in kept),
    )


def tree(pile: Stacked) -> tuple[RegionTree, Int64]:
    """Return the region tree of what is seen of areas and of all on them, and the node of each: int64 [k].

    The cost of a node is its area in px, so that cuts show the largest first. Where neighbours overlap, the one
    on top is the one that `arrange.stack` draws later, which looks at what is seen; hence a few rounds.
    """
    order = pile.order()
    for _ in range(ORDER_ROUNDS):
        found, nodes = _tree(pile, order)
        drawn = arrange.stack(found, nodes)
        if np.array_equal(drawn, order):
            break
        order = drawn
    return found, nodes


def _tree(pile: Stacked, order: Int64) -> tuple[RegionTree, Int64]:
    seen = pile.seen(order)
    children: dict[int, list[int]] = {}
    for i in order:
        children.setdefault(int(pile.parents[i]), []).append(int(i))
    grow = _Nodes(children)
    if (seen < 0).any():
        grow.add_outside()
    else:
        grow.add(0, -1)
    labels = grow.leaves[seen].astype(np.int32)
    parent, last = np.array(grow.parent, dtype=np.int32), np.array(grow.last, dtype=np.int32)
    running = np.concatenate([[0], np.cumsum(np.bincount(labels.ravel(), minlength=len(parent)))])
    area = (running[last] - running[:-1]).astype(np.float64)
    area[last == np.arange(len(parent)) + 1] = 0.0
    nodes = np.array([grow.tops[i] for i in range(len(pile))], dtype=np.int64)
    things = [i for i, label in enumerate(pile.labels) if label is not None]
    return RegionTree(labels, parent, last, area, nodes[things], tuple(pile.labels[i] or "" for i in things)), nodes


class _Nodes:
    """Nodes of a tree in depth-first order, each with two parts: below the masks on it, its own leaf."""

    def __init__(self, children: dict[int, list[int]]) -> None:
        self._children = children
        self.parent: list[int] = []
        self.last: list[int] = []
        self.tops: dict[int, int] = {}
        self._leaf: dict[int, int] = {}

    @property
    def leaves(self) -> Int32:
        """The leaf of each mask, and at the end that of what no mask covers."""
        count = max(self._leaf) + 1
        return np.array([self._leaf[i] for i in [*range(count), -1 if -1 in self._leaf else 0]], dtype=np.int32)

    def add_outside(self) -> None:
        """Add the canvas, the ground on it and what is outside."""
        self._add(-1, [0], -1)

    def add(self, i: int, parent: int) -> None:
        """Add a mask with all on it."""
        self._add(i, self._children.get(i, []), parent)

    def _add(self, i: int, above: Sequence[int], parent: int) -> None:
        self.tops[i] = len(self.parent)
        chain = [self._new(parent if k == 0 else len(self.parent) - 1) for k in range(len(above))]
        self._leaf[i] = self._new(chain[-1] if chain else parent)
        for node, child in zip(reversed(chain), above, strict=True):
            self.add(child, node)
            self.last[node] = len(self.parent)

    def _new(self, parent: int) -> int:
        self.parent.append(parent)
        self.last.append(len(self.parent))
        return len(self.parent) - 1
