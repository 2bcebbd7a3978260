"""Between which colours the gradients of shapes may run: those that the picture has where a shape shows.

What a gradient does beyond that is seen by nobody until shapes above it are hidden, and solving for its stops alone
would let it run to any colour there. Knows regions and pixels; nothing of stops or axes.
"""

from __future__ import annotations

import numpy as np

from layervec.arrange import seen
from layervec.types import Float32, Int64, RegionTree

SAMPLE = 2  # px between the pixels that are looked at
FEWEST = 8  # of these; a shape that shows fewer is taken with all that lies on it
OUTLIERS = 0.01  # of the pixels at each end of a channel that do not count
MARGIN = 0.02  # that stops may lie beyond what is left, as their colours are seen in passing only


def of_shapes(tree: RegionTree, nodes: Int64, pixels: Float32) -> Float32:
    """Return the least and the largest values of the colours of shapes that paint these nodes: float32 [k, 2, 3].

    pixels: [h, w, 3 or more].
    """
    owner = seen(tree, nodes)[::SAMPLE, ::SAMPLE].ravel()
    rgb = pixels[::SAMPLE, ::SAMPLE, :3].reshape(-1, 3)
    labels = tree.labels[::SAMPLE, ::SAMPLE].ravel()
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(len(nodes) + 1))
    found = np.empty((len(nodes), 2, 3), dtype=np.float32)
    for i, node in enumerate(nodes.tolist()):
        chosen = order[ends[i] : ends[i + 1]]
        if len(chosen) < FEWEST:
            chosen = np.flatnonzero((labels >= node) & (labels < tree.last[node]))
        found[i] = _range(rgb[chosen])
    return found


def _range(colours: Float32) -> Float32:
    """Least and largest values of colours [n, 3] without outliers: [2, 3]; all there are if they are very few."""
    if len(colours) < FEWEST:
        return np.array([[0.0] * 3, [1.0] * 3], dtype=np.float32)
    ranked = np.sort(colours, axis=0)
    cut = int(OUTLIERS * len(ranked))
    ends = np.stack([ranked[cut] - MARGIN, ranked[-1 - cut] + MARGIN])
    return np.asarray(np.clip(ends, 0.0, 1.0), dtype=np.float32)
