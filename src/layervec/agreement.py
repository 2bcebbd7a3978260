"""How well the shapes of a drawing agree with masks of objects.

Two questions: does each object have a shape or a layer of its own (recall), and do shapes stay within objects (VeC, the
measure of the paper, arXiv 2406.05404, table 1)? Knows coverage alone: which pixels each shape covers, back to front.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layervec.types import Bool, Float64, Int64

FOUND = 0.8  # intersection over union from which an object counts as found
LEAST_SHARE = 0.005  # of the canvas; smaller masks are not asked for
TOUCHES = 0.05  # of what is seen of a shape; with more than this inside a mask it touches it
INSIDE = 0.85  # likewise; with more than this it lies inside


@dataclass(frozen=True, slots=True)
class Agreement:
    """Figures over the masks of at least LEAST_SHARE of the canvas.

    masks: how many there are. recall: mean over them of the best intersection over union with any shape or layer, whole
    or what is seen of it, 0..1. found: share of them for which that is above FOUND. vec: of all shapes that touch a
    mask, summed over the masks, the share that lies inside it, 0..1.
    """

    masks: int
    recall: float
    found: float
    vec: float


def agreement(masks: Bool, wholes: Iterable[Bool], layers: Sequence[Sequence[int]]) -> Agreement:
    """Compare masks, bool [m, h, w], with shapes and with layers, which are lists of shapes' indices.

    wholes: what each shape covers, back to front, bool [h, w]; one that lies above hides all below.
    """
    masks = masks[masks.mean(axis=(1, 2)) >= LEAST_SHARE]
    if not len(masks):
        return Agreement(0, 0.0, 0.0, 0.0)
    flat = masks.reshape(len(masks), -1)
    weights = flat.astype(np.float32)
    area = flat.sum(axis=1).astype(np.float64)
    owner = np.full(flat.shape[1], -1, dtype=np.int64)
    packed, best = [], np.zeros(len(masks))
    for i, whole in enumerate(wholes):
        covered = whole.ravel()
        owner[covered] = i
        packed.append(np.packbits(covered))
        best = np.maximum(best, _likeness(weights @ covered, area, np.count_nonzero(covered)))
    seen_inside, seen = _seen(owner, flat, len(packed))
    best = np.maximum(best, _likeness(seen_inside, area[:, None], seen).max(axis=1, initial=0.0))
    for members in layers:
        if not members:
            continue
        union = np.unpackbits(np.bitwise_or.reduce([packed[i] for i in members]), count=len(owner))
        best = np.maximum(best, _likeness(weights @ union, area, np.count_nonzero(union)))
        shown = seen_inside[:, list(members)].sum(axis=1)
        best = np.maximum(best, _likeness(shown, area, seen[list(members)].sum()))
    return Agreement(len(masks), float(best.mean()), float((best > FOUND).mean()), _vec(seen_inside, seen))


def _likeness(shared: NDArray[Any], area: Float64, other: NDArray[Any] | Any) -> Float64:
    """Intersection over union from the areas of intersection, of masks and of the others."""
    return np.asarray(shared / np.maximum(area + other - shared, 1.0))


def _seen(owner: Int64, flat: Bool, count: int) -> tuple[Float64, Float64]:
    """What is seen of each shape inside each mask, [m, k], and at all, [k], in px."""
    inside = [np.bincount(owner[mask & (owner >= 0)], minlength=count) for mask in flat]
    seen = np.bincount(owner[owner >= 0], minlength=count)
    return np.array(inside, dtype=np.float64).reshape(len(flat), count), seen.astype(np.float64)


def _vec(seen_inside: Float64, seen: Float64) -> float:
    share = seen_inside / np.maximum(seen, 1.0)
    touching = np.count_nonzero(share > TOUCHES)
    return float(np.count_nonzero(share > INSIDE) / touching) if touching else 0.0
