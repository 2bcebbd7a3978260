"""The paper's structure losses: what pulls the outlines of masks to them, layer by layer.

A layer is all masks of one depth. Drawn in random colours alone, it should look like its masks in these colours; drawn
faintly, it should nowhere be darker than one shape makes it. Source: "Layered Image Vectorization via Semantic
Simplification", arXiv 2406.05404, section 3.2, and its published code, whose losses are means over three channels of
512 x 512 pixels; here they are sums, so that their proportions hold at any size. Knows masks and outlines alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from layervec.optimize import pack
from layervec.stacking import Pile
from layervec.types import Bool, Float32, Float64, Int64, Outline, Scene

CONTRAST = 0.2  # least difference of any channel between a random colour and the ground (published code)
FAINT = 0.3  # alpha of the black shapes that overlap is seen by (published code)
SINGLE = 1.0 - 178 / 255  # alpha that one such shape may reach, just above FAINT (published code)
OVERLAP_WEIGHT = 2e-7 * 3 * 512 * 512  # of the darkness beyond that, 2e-7 beside the published code's means
CHANNELS = 3  # in which that darkness counts


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Masks of one depth. chosen: which points of the whole are theirs. target: float32 [3, h, w]."""

    scene: Scene
    faint: Scene | None  # where there is more than one shape
    chosen: Bool
    target: Float32


class LayerLoss:
    """The loss of outlines laid out in an order, and its derivatives by their points."""

    def __init__(self, pile: Pile, order: Int64, outlines: Sequence[Outline], seed: int, threads: int | None) -> None:
        """order: shapes back to front. outlines: of each mask of the pile."""
        self._threads = threads
        colours = np.random.default_rng(seed).uniform(0.0, 1.0 - CONTRAST, (len(pile), 3))
        depths = pile.depths()[order]
        owners = np.repeat(np.arange(len(order)), [len(outlines[i].points) for i in order])
        self._layers = []
        for depth in range(int(depths.max()) + 1):
            members = order[depths == depth]
            chosen = np.asarray((depths == depth)[owners])
            self._layers.append(_layer(pile, members, [outlines[i] for i in members], colours, chosen))

    def __call__(self, points: Float32) -> tuple[float, Float32]:
        """Return the loss for points [n, 2] and its derivatives by them."""
        total, pull = 0.0, np.zeros_like(points)
        for layer in self._layers:
            its = np.ascontiguousarray(points[layer.chosen])
            loss, by_points = self._mask_error(layer, its)
            if layer.faint is not None:
                more, also = self._overlap(layer.faint, its, layer.target.shape[2], layer.target.shape[1])
                loss, by_points = loss + more, by_points + also
            total += loss
            pull[layer.chosen] = by_points
        return total, pull

    def _mask_error(self, layer: _Layer, points: Float32) -> tuple[float, Float64]:
        from layervec import raster

        passed = raster.fit_pass(replace(layer.scene, points=points), layer.target, threads=self._threads)
        return float(passed.loss), passed.points

    def _overlap(self, faint: Scene, points: Float32, width: int, height: int) -> tuple[float, Float64]:
        from layervec import raster

        scene = replace(faint, points=points)
        image, pull_back = raster.render_with_grad(scene, width, height, threads=self._threads)
        beyond = image[..., 3] - SINGLE
        weight = OVERLAP_WEIGHT * CHANNELS
        upstream = np.zeros_like(image)
        upstream[..., 3] = weight * (beyond > 0)
        return weight * float(np.maximum(beyond, 0.0).sum(dtype=np.float64)), pull_back(upstream).points


def _layer(pile: Pile, members: Int64, outlines: Sequence[Outline], colours: Float64, chosen: Bool) -> _Layer:
    """members: masks back to front, with their outlines. colours: of all masks, [k, 3]."""
    target = np.ones((*pile.masks[0].shape, 3), dtype=np.float32)
    for i in members:
        target[pile.masks[i]] = colours[i]
    paints = np.concatenate([colours[members], np.ones((len(members), 1))], axis=1)
    faint = np.tile([0.0, 0.0, 0.0, FAINT], (len(members), 1))
    return _Layer(
        pack(outlines, paints),
        pack(outlines, faint) if len(members) > 1 else None,
        chosen,
        np.ascontiguousarray(np.moveaxis(target, 2, 0)),
    )
