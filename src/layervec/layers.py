"""Turn a plan into a drawing: nested, named layers that a person can find their way in.

A region that others are painted on, or that is an object, becomes a layer with those inside it; the background
stands alone at the bottom, so that hiding it hides nothing else; what is small and has no parts is gathered as
details. Knows plans and names; moves no point and changes no colour.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from layervec import ramps
from layervec.arrange import Plan, nest, stack
from layervec.names import colour_name, place_name
from layervec.types import Drawing, Float64, Int64, Layer, Paint, RegionTree, Shape

UNKNOWN = "object"  # what an object is called that has no label
RIM_LEFT = 0.85  # share of a shape that an object covers, from which on the rest of the shape is the object's rim
LAYER_SHARE = 0.003  # of the canvas; a region without parts that shows less is a detail, not a layer of its own


def drawing(tree: RegionTree, plan: Plan) -> Drawing:
    """Return the drawing of a plan, in fitting pixels."""
    h, w = tree.labels.shape
    root = Layer("root", "root", _Builder(tree, plan).top())
    return Drawing(w, h, root)


class _Builder:
    def __init__(self, tree: RegionTree, plan: Plan) -> None:
        self.plan = plan
        self.size = tree.labels.size
        self.things = {node: name or UNKNOWN for node, name in zip(tree.objects.tolist(), tree.names, strict=True)}
        self.areas, self.centres = _areas_and_centres(tree, plan)
        parents = nest(tree, plan.nodes)
        self._widen_things(parents)
        self.children: dict[int, list[int]] = {}
        for i in stack(tree, plan.nodes):
            self.children.setdefault(int(parents[i]), []).append(int(i))
        self.background = (
            bool(len(plan)) and len(self.children[-1]) == 1 and self._is_canvas(self.children[-1][0], w=tree)
        )

    def _widen_things(self, parents: Int64) -> None:
        """Let the shape right behind an object that is hardly more than its rim stand for it, with all that it has."""
        nodes = self.plan.nodes.tolist()
        for i in np.argsort(-self.areas, kind="stable").tolist():  # the outer objects first
            behind = int(parents[i])
            while (
                nodes[i] in self.things
                and behind >= 0
                and nodes[behind] != 0
                and nodes[behind] not in self.things
                and self.areas[i] >= RIM_LEFT * self.areas[behind]
            ):
                self.things[nodes[behind]] = self.things.pop(nodes[i])
                i, behind = behind, int(parents[behind])

    def _is_canvas(self, i: int, w: RegionTree) -> bool:
        return int(self.plan.nodes[i]) == 0 and self.plan.paints[i, 3] >= 1.0

    def top(self) -> tuple[Layer | Shape, ...]:
        """Layers of the top level: the background alone, then what stands on it."""
        outermost = self.children.get(-1, [])
        if not self.background:
            return tuple(self._group(outermost, "details"))
        base = outermost[0]
        name = f"background, {colour_name(self._paint(base))}"
        return (
            Layer("background", name, (self._shape(base),)),
            *self._group(self.children.get(base, []), "details"),
        )

    def _group(self, members: list[int], details_id: str) -> Iterator[Layer | Shape]:
        """Every member as a layer, but the small ones without parts together in one layer on top, where they may be."""
        small = self._small(members)
        large = [i for i in members if i not in small]
        for i, name in zip(large, _unique([self._name(i) for i in large]), strict=True):
            yield self._layer(i, name)
        if small:
            yield Layer(details_id, "details", tuple(self._shape(i) for i in small))

    def _small(self, members: list[int]) -> list[int]:
        """Those that are small, have no parts, and hide nothing of the others when they are drawn after them.

        A thin ring is small but lies below what shows through it, as its hole may be filled.
        """
        small: list[int] = []
        after: list[Float64] = []  # boxes of those that are not, and drawn later
        for i in reversed(members):
            box = self._box(i)
            if (
                self._has_layer(i)
                or self.areas[i] >= LAYER_SHARE * self.size
                or any((box[0] < other[1]).all() and (other[0] < box[1]).all() for other in after)
            ):
                after.append(box)
            else:
                small.insert(0, i)
        return small

    def _box(self, i: int) -> Float64:
        """Least and greatest x and y of a shape: [2, 2]."""
        points = self.plan.outlines[i].points
        return np.stack([points.min(axis=0), points.max(axis=0)])

    def _layer(self, i: int, name: str) -> Layer:
        inner: list[Layer | Shape] = [self._shape(i)]
        members = self.children.get(i, [])
        parts = [j for j in members if self._has_layer(j)]
        names = dict(zip(parts, _unique([self._name(j) for j in parts]), strict=True))
        inner += [self._layer(j, names[j]) if j in names else self._shape(j) for j in members]
        return Layer(f"l{i + 1}", name, tuple(inner), self.things.get(int(self.plan.nodes[i]), ""))

    def _has_layer(self, i: int) -> bool:
        """Tell whether a shape has a layer wherever it lies: objects, and what others are painted on."""
        return i in self.children or int(self.plan.nodes[i]) in self.things

    def _shape(self, i: int) -> Shape:
        outline = self.plan.outlines[i]
        return Shape(f"s{i + 1}", outline, self._paint(i), i + 1, even_odd=outline.contours > 1)

    def _paint(self, i: int) -> Paint:
        return ramps.paint(self.plan.paints, self.plan.ramps, i)

    def _name(self, i: int) -> str:
        thing = self.things.get(int(self.plan.nodes[i]), UNKNOWN)
        if thing != UNKNOWN:
            return thing
        return f"{colour_name(self._paint(i))}, {place_name(*self.centres[i])}"


def _areas_and_centres(tree: RegionTree, plan: Plan) -> tuple[Float64, Float64]:
    """Whole area in px and centre as shares of the canvas of each picked region: [k], [k, 2]."""
    h, w = tree.labels.shape
    ys, xs = np.mgrid[0:h, 0:w]
    m = len(tree)
    flat = tree.labels.ravel()
    leaf = np.stack(
        [np.bincount(flat, values, m) for values in (np.ones(h * w), xs.ravel() + 0.5, ys.ravel() + 0.5)],
        axis=1,
    )
    running = np.concatenate([np.zeros((1, 3)), np.cumsum(leaf, axis=0)])
    sums = running[tree.last[plan.nodes]] - running[plan.nodes]
    return sums[:, 0], sums[:, 1:] / np.maximum(sums[:, :1], 1.0) / np.array([w, h])


def _unique(names: list[str]) -> list[str]:
    """Number names that occur more than once: `blue, left`, `blue, left 2`, ..."""
    counts: dict[str, int] = {}
    out = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        out.append(name if counts[name] == 1 else f"{name} {counts[name]}")
    return out
