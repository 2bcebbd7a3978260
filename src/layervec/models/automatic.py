"""Automatic masks: ask a promptable model about a grid of points, in the picture and in parts of it; keep the best.

Knows no model: whoever answers for points will do. Knows no file.

Method: the automatic mask generator of Kirillov et al., "Segment Anything", arXiv 2304.02643, appendix B: filtered by
the quality that the model predicts, by stability under other thresholds and by overlap of boxes, whole before parts
of it only where those add something. Written anew, because transformers' own needs torchvision, and on packed
bits, so that hundreds of masks of large pictures fit. Its limit: time grows with the number of points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from layervec.settings import MaskGrid
from layervec.types import Bool, Float32, Float64, Int64, UInt8

if TYPE_CHECKING:
    import torch

# All from the paper's published generator: its defaults where the reference leaves them alone.
POINTS_AT_ONCE = 64  # asked about in one go
STABILITY_OFFSET = 1.0  # of the threshold, up and down, in the model's own units (logits)
CROP_OVERLAP = 512 / 1500  # by how much parts overlap, in shorter sides of the picture, for two parts a side
CROP_NMS = 0.7  # most IoU of boxes of masks from different parts
EDGE_SLACK = 20  # px; a mask whose box comes so near to the edge of its part is probably cut off
ENLARGED_AT_ONCE = 16  # masks enlarged in one go: 16 of 1024 x 1024 floats are 64 MiB

Box: TypeAlias = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, the last two not inside


class Answers(Protocol):
    """What a model has made of one picture."""

    def ask(self, points: Float32) -> tuple[torch.Tensor, torch.Tensor]:
        """Return for points [n, 2] (x, y in pixels) logits [m, a, a] and predicted quality [m], several a point."""
        ...

    def enlarge(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits [m, a, a] at the picture's size: [m, h, w]."""
        ...


class Model(Protocol):
    """Something that looks at a picture once and can then be asked about points of it."""

    def look(self, pixels: Float32) -> Answers:
        """Look at a picture [h, w, 3], sRGB-encoded, 0..1."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Masks of one picture: bits packed along rows, boxes, predicted quality, and the area of the part they were in."""

    bits: UInt8  # [n, h, ceil(w / 8)]
    boxes: Int64  # [n, 4]
    quality: Float64  # [n]
    part: Int64  # [n]

    def __len__(self) -> int:
        return len(self.quality)

    def __getitem__(self, rows: Any) -> Found:
        return Found(self.bits[rows], self.boxes[rows], self.quality[rows], self.part[rows])


def masks(
    pixels: Float32, model: Model, grid: MaskGrid, on_part: Callable[[], None] = lambda: None
) -> list[tuple[Bool, float]]:
    """Return masks (bool [h, w]) of a picture [h, w, 3] and their predicted quality, best first.

    on_part: called when the picture or a part of it has been dealt with; see `parts` for how many there are.
    """
    h, w = pixels.shape[:2]
    found = []
    for box, layer in parts(w, h, grid.crop_n_layers):
        a_side = max(1, int(grid.points_per_side / grid.crop_n_points_downscale_factor**layer))
        found.append(_in_part(pixels, box, model, a_side, grid))
        on_part()
    whole = _joined(found)
    if len(found) > 1:  # smaller parts see more
        whole = whole[suppress(whole.boxes, 1.0 / whole.part, CROP_NMS)]
    whole = _without_specks(whole, w, grid.min_mask_region_area, max(grid.box_nms_thresh, CROP_NMS))
    order = np.argsort(-whole.quality, kind="stable")
    return [(_unpacked(whole.bits[i], w), float(whole.quality[i])) for i in order]


def parts(width: int, height: int, layers: int) -> list[tuple[Box, int]]:
    """Return the picture and its overlapping parts, each with its layer: layer k has 2**k parts a side."""
    boxes: list[tuple[Box, int]] = [((0, 0, width, height), 0)]
    for layer in range(1, layers + 1):
        a_side = 2**layer
        overlap = int(CROP_OVERLAP * min(width, height) * 2 / a_side)
        columns, rows = (_spans(length, a_side, overlap) for length in (width, height))
        boxes += [((x0, y0, x1, y1), layer) for x0, x1 in columns for y0, y1 in rows]
    return boxes


def _spans(length: int, count: int, overlap: int) -> list[tuple[int, int]]:
    size = math.ceil((overlap * (count - 1) + length) / count)
    starts = [(size - overlap) * i for i in range(count)]
    return [(start, min(start + size, length)) for start in starts if start < length]


def _in_part(pixels: Float32, box: Box, model: Model, a_side: int, grid: MaskGrid) -> Found:
    """Return the masks of a part of a picture, in the picture's place."""
    h, w = pixels.shape[:2]
    x0, y0, x1, y1 = box
    answers = model.look(np.ascontiguousarray(pixels[y0:y1, x0:x1]))
    centres = (np.arange(a_side) + 0.5) / a_side
    x, y = np.meshgrid(centres * (x1 - x0), centres * (y1 - y0))
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    found = []
    for start in range(0, len(points), POINTS_AT_ONCE):
        for inside, quality in _good(answers, points[start : start + POINTS_AT_ONCE], grid):
            found.append(_placed(inside, quality, box, w, h))
    joined = _joined(found, h, w)
    return joined[suppress(joined.boxes, joined.quality, grid.box_nms_thresh)]


def _good(answers: Answers, points: Float32, grid: MaskGrid) -> Iterator[tuple[Bool, Float64]]:
    """Yield masks [m, h, w] and their quality [m] for points: only those sure and stable enough."""
    logits, quality = answers.ask(points)
    sure = quality > grid.pred_iou_thresh
    logits, quality = logits[sure], quality[sure]
    for start in range(0, len(logits), ENLARGED_AT_ONCE):
        some = slice(start, start + ENLARGED_AT_ONCE)
        large = answers.enlarge(logits[some])
        stable = stability(large) >= grid.stability_score_thresh
        yield (large[stable] > 0.0).cpu().numpy(), quality[some][stable].double().cpu().numpy()


def stability(logits: torch.Tensor) -> torch.Tensor:
    """Return the IoU of masks [m, h, w] cut at a higher and at a lower threshold: [m]; 0 where both are empty."""
    higher = (logits > STABILITY_OFFSET).sum(dim=(1, 2)).float()
    lower = (logits > -STABILITY_OFFSET).sum(dim=(1, 2)).float()
    return higher / lower.clamp(min=1.0)


def _placed(inside: Bool, quality: Float64, box: Box, w: int, h: int) -> Found:
    """Return masks [m, h, w] of a part in the picture's place, without empty ones and those cut off by its edge."""
    kept = inside.any(axis=(1, 2))
    inside, quality = inside[kept], quality[kept]
    x0, y0, x1, y1 = box
    boxes = np.array([_box(mask) for mask in inside], np.int64).reshape(-1, 4) + np.array((x0, y0, x0, y0))
    at_edge = abs(boxes - np.array(box)) <= EDGE_SLACK
    at_canvas = abs(boxes - np.array((0, 0, w, h))) <= EDGE_SLACK
    kept = ~(at_edge & ~at_canvas).any(axis=1)
    full = np.zeros((int(kept.sum()), h, w), np.bool_)
    full[:, y0:y1, x0:x1] = inside[kept]
    area = np.full(len(full), (x1 - x0) * (y1 - y0), np.int64)
    return Found(np.packbits(full, axis=2), boxes[kept], quality[kept], area)


def _box(mask: Bool) -> Box:
    """Return the box around a mask that is not empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def suppress(boxes: Int64, scores: Float64, most: float) -> Int64:
    """Return which boxes [n, 4] to keep, best first: none overlaps a better one by an IoU above `most`."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.maximum(high - low, 0).prod(axis=1)
        left = left[shared <= most * (area[best] + area[left] - shared)]
    return np.array(kept, np.int64)


def _without_specks(found: Found, w: int, least: int, most: float) -> Found:
    """Return masks with small holes filled and small islands gone; where two become alike, the untouched one stays."""
    if least == 0 or len(found) == 0:
        return found
    bits, boxes, untouched = found.bits.copy(), found.boxes.copy(), np.ones(len(found))
    for i in range(len(found)):
        mask = _unpacked(found.bits[i], w)
        clean = without_small(~without_small(~mask, least, keep_largest=False), least, keep_largest=True)
        if (clean != mask).any():
            bits[i], boxes[i], untouched[i] = np.packbits(clean, axis=1), _box(clean), 0.0
    return replace(found, bits=bits, boxes=boxes)[suppress(boxes, untouched, most)]


def without_small(mask: Bool, least: int, *, keep_largest: bool) -> Bool:
    """Return a mask without connected pieces of fewer than `least` pixels; the largest may be spared from that."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    big = stats[:, cv2.CC_STAT_AREA] >= least
    big[0] = False  # what is outside of the mask
    if keep_largest and count > 1 and not big.any():
        big[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())] = True
    return np.asarray(big[labels])


def _joined(found: list[Found], h: int = 0, w: int = 0) -> Found:
    if not found:
        none = np.zeros(0, np.int64)
        return Found(np.zeros((0, h, -(-w // 8)), np.uint8), none.reshape(0, 4), none.astype(np.float64), none)
    return Found(
        np.concatenate([one.bits for one in found]),
        np.concatenate([one.boxes for one in found]),
        np.concatenate([one.quality for one in found]),
        np.concatenate([one.part for one in found]),
    )


def _unpacked(bits: UInt8, w: int) -> Bool:
    return np.unpackbits(bits, axis=1, count=w).astype(np.bool_)
