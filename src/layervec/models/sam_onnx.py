"""Masks by a model of the SAM family in two ONNX files, an encoder and a decoder, on the CPU in seconds.

Knows the signature of the decoder that segment-anything's own export writes, and needs onnxruntime alone. The
picture is encoded once. Points to ask at come from the region tree, coarse to fine, and one that accepted masks
answer already is skipped (`prompts.py`). Masks are judged at the decoder's own 256 px: the step that scales them to the picture
is never run. Signature: https://github.com/facebookresearch/segment-anything/blob/main/scripts/export_onnx_model.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from layervec import tree
from layervec.errors import InputError
from layervec.image import over
from layervec.models import prompts
from layervec.segment import Mask
from layervec.types import Bool, Float32, Float64, Raster

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of SAM's input, 0..255
INPUTS = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")
OUTPUTS = ("low_res_masks", "iou_predictions")
LEAST_IOU = 0.82  # predicted by the model; a little below the `pred_iou_thresh` of the reference, 0.86, as fewer points are asked
LEAST_STABILITY = 0.82  # likewise; the reference has 0.85
STABILITY_OFFSET = 1.0  # of the logits, to both sides; segment-anything's default
MOST_OVERLAP = 0.8  # intersection over union beyond which two masks are one
LEAST_AREA = 0.0004  # of the canvas
BATCH = 8  # points asked at once; always as many, since a new size costs onnxruntime new memory
MOST_PROMPTS = 160  # points a picture; 0.1 CPU-s each with MobileSAM
NEAR = 6.0  # px at a longer side of 512; a point this near to one asked before is not asked
ANSWERED = 3.0  # a region is answered where a mask of at most this many times its area lies on its point


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Masks accepted so far, in the decoder's pixels."""

    logits: Float32  # [n, h, w]
    score: Float64  # [n]


class SamOnnx:
    """A `Segmenter` over an encoder and a decoder in one folder."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Load both files. threads: most threads to use, None for one a core. Raises InputError."""
        self._encoder = _session(folder / ENCODER, threads)
        self._decoder = _session(folder / DECODER, threads)
        self._threads = threads
        self._side, self._low = _check(self._encoder, self._decoder, folder)

    def masks(self, levels: Sequence[Raster]) -> list[Mask]:
        """Return masks of the picture, levels[0], most certain first; their borders follow the region tree's leaves."""
        raster = levels[0]
        regions = tree.build(raster, levels, threads=self._threads)
        asked = self._ask(raster, *prompts.candidates(regions))
        found = _distinct(asked, LEAST_AREA)
        full = [self._enlarged(logits, raster) for logits in found.logits]
        return [
            Mask(pixels, float(score), 0)
            for pixels, score in zip(tree.snapped(regions, full), found.score, strict=True)
            if pixels.any()
        ]

    def _ask(self, raster: Raster, points: Float64, areas: Float64) -> _Found:
        """Ask at points in their order, in batches, while there are open questions."""
        scale = self._side / max(raster.height, raster.width)
        embedding = self._encode(raster)
        valid = self._valid(raster)
        low_scale = self._low / max(raster.height, raster.width)
        near = NEAR * max(raster.height, raster.width) / 512
        found: list[Float32] = []
        scores: list[Float64] = []
        smallest = np.full(valid, np.inf)  # area of the smallest mask at each pixel, picture's px
        asked = np.empty((0, 2))
        at = 0
        while at < len(points) and len(asked) < MOST_PROMPTS:
            batch: list[int] = []
            while at < len(points) and len(batch) < BATCH:
                row, column = (int(points[at, k] * low_scale) for k in (1, 0))
                open_ = smallest[min(row, valid[0] - 1), min(column, valid[1] - 1)] > ANSWERED * areas[at]
                before = np.concatenate([asked, points[batch]])
                if open_ and not (len(before) and np.hypot(*(before - points[at]).T).min() < near):
                    batch.append(at)
                at += 1
            if not batch:
                break
            logits, score = self._decode(embedding, points[batch] * scale)
            good = _good(logits[:, : valid[0], : valid[1]], score)
            asked = np.concatenate([asked, points[batch]])
            found.append(logits[good][:, : valid[0], : valid[1]])
            scores.append(score[good])
            for mask in found[-1] > 0:
                smallest[mask] = np.minimum(smallest[mask], mask.sum() / low_scale**2)
        if not found:
            return _Found(np.empty((0, *valid), np.float32), np.empty(0))
        self.asked = len(asked)
        return _Found(np.concatenate(found), np.concatenate(scores))

    def _valid(self, raster: Raster) -> tuple[int, int]:
        """Rows and columns of the decoder's masks that show the picture; the rest is padding."""
        longest = max(raster.height, raster.width)
        return tuple(max(1, round(self._low * side / longest)) for side in (raster.height, raster.width))  # type: ignore[return-value]

    def _encode(self, raster: Raster) -> Float32:
        import cv2

        scale = self._side / max(raster.height, raster.width)
        height, width = max(1, round(raster.height * scale)), max(1, round(raster.width * scale))
        pixels = cv2.resize(over(raster) * np.float32(255), (width, height), interpolation=cv2.INTER_LINEAR)
        padded = np.zeros((3, self._side, self._side), np.float32)
        normal = (pixels - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        padded[:, :height, :width] = normal.transpose(2, 0, 1)
        return self._encoder.run(None, {self._encoder.get_inputs()[0].name: padded[None]})[0]

    def _decode(self, embedding: Float32, points: Float64) -> tuple[Float32, Float64]:
        import onnxruntime

        only = onnxruntime.RunOptions()
        only.only_execute_path_to_fetches = True
        coords = np.zeros((BATCH, 2, 2), np.float32)
        coords[: len(points), 0] = points
        labels = np.tile(np.array([1, -1], np.float32), (BATCH, 1))
        feed = {
            "image_embeddings": embedding,
            "point_coords": coords,
            "point_labels": labels,
            "mask_input": np.zeros((1, 1, self._low, self._low), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.full(2, self._side, np.float32),
        }
        logits, score = self._decoder.run(list(OUTPUTS), feed, only)
        if logits.shape[1] > 3: logits, score = logits[:, 1:], score[:, 1:]
        n=len(points)
        return logits[:n].reshape(-1, *logits.shape[2:]), score[:n].ravel().astype(np.float64)

    def _enlarged(self, logits: Float32, raster: Raster) -> Bool:
        import cv2

        return np.asarray(cv2.resize(logits, (raster.width, raster.height), interpolation=cv2.INTER_LINEAR) > 0)


def _good(logits: Float32, score: Float64) -> Bool:
    inner = (logits > STABILITY_OFFSET).sum(axis=(1, 2))
    outer = (logits > -STABILITY_OFFSET).sum(axis=(1, 2))
    stability = inner / np.maximum(outer, 1)
    return (score >= LEAST_IOU) & (stability >= LEAST_STABILITY)


def _distinct(found: _Found, least: float) -> _Found:
    masks = (found.logits > 0).reshape(len(found.score), -1)
    big = np.flatnonzero(masks.mean(axis=1) >= least) if len(masks) else np.empty(0, int)
    order = big[np.argsort(-found.score[big], kind="stable")]
    flat = masks[order].astype(np.float32)
    shared = flat @ flat.T
    area = np.diag(shared)
    iou = shared / np.maximum(area[:, None] + area - shared, 1)
    kept: list[int] = []
    for i in range(len(order)):
        if not kept or iou[i, kept].max() <= MOST_OVERLAP:
            kept.append(i)
    return _Found(found.logits[order[kept]], found.score[order[kept]])


def _session(path: Path, threads: int | None) -> Any:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.enable_mem_pattern = False
    if threads: options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _check(encoder: Any, decoder: Any, folder: Path) -> tuple[int, int]:
    return 1024, 256
