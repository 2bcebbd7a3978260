"""What every region of the tree would show: its pixels outside painted descendants.

Sums over these change as nodes are painted; what a node is as a whole does not. Knows regions, pixels and what is
painted; nothing of the colours to paint with or of what is worth painting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layervec import slopes
from layervec.tree import node_sums
from layervec.types import Float32, Float64, Int32, Int64, RegionTree


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Weighted sums over pixels, one row a node, as views of two arrays.

    table: [m, c + 3], the columns below. places: [m, slopes.PLACES], [m, 0] where no gradients are wanted.
    """

    table: Float64
    places: Float64

    def at(self, nodes: Int64) -> Sums:
        """Return a copy of these rows."""
        return Sums(self.table[nodes], self.places[nodes])

    def take(self, nodes: Int64, hidden: int) -> None:
        """Take what one node shows off others, which show it no more."""
        self.table[nodes] -= self.table[hidden]
        self.places[nodes] -= self.places[hidden]

    @property
    def colours(self) -> Float64:
        """Premultiplied colours: [m, c]."""
        return self.table[:, :-3]

    @property
    def rgb(self) -> Float64:
        """Colours without alpha: [m, 3]."""
        return self.table[:, :3]

    @property
    def square(self) -> Float64:
        """Squared colours, all channels together: [m]."""
        return self.table[:, -3]

    @property
    def area(self) -> Float64:
        """Pixels: [m]."""
        return self.table[:, -2]

    @property
    def error(self) -> Float64:
        """Squared error there now, all channels together: [m]."""
        return self.table[:, -1]


class Shown:
    """Sums over what every node would show, and what each is as a whole.

    sums: of what m nodes would show. painted: bool [m]. Of whole nodes: area, [m], px; colour, [m, c], mean; spread,
    [m], squared error in that colour; alpha_variance, [m].
    """

    def __init__(
        self, tree: RegionTree, pixels: Float32, weight: Float32, drawn: Float32 | None = None, *, places: bool
    ) -> None:
        """Start with nothing painted on a canvas that is clear, or looks like `drawn`.

        pixels, drawn: premultiplied [h, w, c], c = 3 or 4. weight: [h, w], of each pixel in all sums. places: keep the
        sums that slopes are fitted to.
        """
        weight = weight[..., None]
        channels = pixels.shape[2]
        total = node_sums(tree, np.concatenate([weight * pixels, weight * pixels**2, weight], axis=2))
        colours, squares, area = total[:, :channels], total[:, channels:-1], total[:, -1:]
        self._tree = tree
        self._is_leaf = tree.last == np.arange(len(tree)) + 1
        self.painted = np.zeros(len(tree), dtype=bool)
        self.area = area[:, 0]
        self.colour = colours / area
        self.spread = squares.sum(axis=1) - (colours**2 / area).sum(axis=1)
        self.alpha_variance = np.zeros(len(tree))
        if channels == 4:
            self.alpha_variance = squares[:, 3] / self.area - self.colour[:, 3] ** 2
        # Not the error of each pixel: what a fitted border leaves in a leaf, painting it flat would not mend.
        offset = self.colour if drawn is None else self.colour - node_sums(tree, weight * drawn) / area
        error = np.where(self._is_leaf, self.spread + self.area * (offset**2).sum(axis=1), 0.0)
        columns = [colours, squares.sum(axis=1, keepdims=True), area, _over_ranges(error, tree.last)[:, None]]
        self.sums = Sums(
            np.concatenate(columns, axis=1),
            node_sums(tree, weight * slopes.place_columns(pixels)) if places else np.empty((len(tree), 0)),
        )

    def leaves(self, nodes: Int64) -> Int64:
        """Return those of these nodes that are leaves."""
        return np.asarray(nodes[self._is_leaf[nodes]])

    def cover(self, node: int) -> Int64:
        """Mark a node painted; return its ancestors up to the nearest painted one, which it now hides a part of."""
        self.painted[node] = True
        above = int(self._tree.parent[node])
        chain = []
        while above >= 0:
            chain.append(above)
            if self.painted[above]:
                break
            above = int(self._tree.parent[above])
        hidden = np.array(chain, dtype=np.int64)
        self.sums.take(hidden, node)
        return hidden

    def set_error(self, node: int, free: Int64, leaves: Int64, error: Float64) -> None:
        """Set the error of what a node shows. free: as `free` gives them. error: [n], of the leaves among them, [n]."""
        last = int(self._tree.last[node])
        within = np.zeros(last - node)
        within[leaves - node] = error
        self.sums.error[free] = _over_ranges(within, self._tree.last[node:last] - node)[free - node]

    def free(self, node: int) -> Int64:
        """Return `node` and its descendants, in order, that lie outside painted descendants."""
        free = np.ones(int(self._tree.last[node]) - node, dtype=bool)
        for below in self._painted_below(node):
            free[below - node : int(self._tree.last[below]) - node] = False
        return np.flatnonzero(free) + node

    def _painted_below(self, node: int) -> list[int]:
        """Topmost painted nodes strictly below `node`."""
        found: list[int] = []
        at, stop = node + 1, int(self._tree.last[node])
        for i in np.flatnonzero(self.painted[at:stop]) + at:
            if i >= at:
                found.append(int(i))
                at = int(self._tree.last[i])
        return found


def _over_ranges(values: Float64, last: Int32) -> Float64:
    """Sum the values of leaves over each node: [m]. last: [m], one past the last descendant."""
    running = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(running[last] - running[:-1])
