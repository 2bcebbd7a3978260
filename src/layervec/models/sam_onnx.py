"""Masks by a model of the SAM family in two ONNX files, an encoder and a decoder, on the CPU in seconds.

Knows the signature of the decoder that segment-anything's own export writes, and needs onnxruntime alone, loaded on
use. The picture is encoded once; points to ask at come from the region tree (`prompts.py`). Masks are judged at the
decoder's own 256 px, and the step that would scale them to the picture is cut off (`onnx_file.py`), a fifth of the
work; then their borders are moved to those of the tree's leaves. Signature:
https://github.com/facebookresearch/segment-anything/blob/main/scripts/export_onnx_model.py
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from layervec import tree
from layervec.errors import InputError
from layervec.image import over
from layervec.models import OnProgress, kept
from layervec.models.onnx_file import with_outputs
from layervec.models.prompts import Questions, candidates
from layervec.segment import Mask
from layervec.types import Bool, Float32, Float64, Int64, Raster

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of the encoder's input, red, green, blue, 0..255
INPUTS = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")
LOGITS, QUALITY = "low_res_masks", "iou_predictions"  # of the decoder's outputs those that are asked for
POINT, PADDING = (
    1.0,
    -1.0,
)  # point labels: the object is here; no point at all, which stands for a box that is not given
WHOLE_MASKS = 3  # a decoder with one mask more has it first, for prompts of several points
LEAST_QUALITY = 0.82  # IoU as the model predicts it; the reference has 0.86, but asks six times as many points
LEAST_STABILITY = 0.82  # likewise; the reference has 0.85
STABILITY_OFFSET = 1.0  # of the logits, up and down; the default of segment-anything
MOST_OVERLAP = 0.8  # IoU beyond which two masks are one
LEAST_SHARE = 0.0004  # of the canvas that a mask covers
BATCH = 8  # points asked at once, always as many: onnxruntime fetches memory anew for each size
MOST_POINTS = 160  # asked in one picture; with MobileSAM 0.12 CPU-s each


def is_pair(folder: Path) -> bool:
    """Tell whether a folder holds a model for `SamOnnx`, or a part of one."""
    return any((folder / name).is_file() for name in (ENCODER, DECODER))


class SamOnnx:
    """A `Segmenter` that runs an encoder and a decoder."""

    def __init__(
        self,
        folder: Path,
        *,
        every_level: bool = False,
        threads: int | None = None,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        """Load encoder.onnx and decoder.onnx of a folder; threads: most to use, None for one a core.

        every_level: look at each level, as the paper does, and not at the picture alone; takes as many times as long.
        on_progress: told the share of the work that is done.

        Raises InputError where onnxruntime or a file is missing, or a file is not what it should be.
        """
        self._threads, self._on_progress = threads, on_progress
        self._every_level, self._look, self._looks = every_level, 0, 1
        self._encoder = _kept_session(folder / ENCODER, None, threads)
        self._decoder = _kept_session(folder / DECODER, frozenset({LOGITS, QUALITY}), threads)
        self._side = _encoder_side(self._encoder, folder / ENCODER)
        self._low, self._batch = _decoder_sizes(self._decoder, folder / DECODER)

    def masks(self, levels: Sequence[Raster]) -> list[Mask]:
        """Return masks of the picture, levels[0], or of each level, those of one that the model thinks best first."""
        self._looks = len(levels) if self._every_level else 1
        return [mask for self._look in range(self._looks) for mask in self._masks(levels, self._look)]

    def _masks(self, levels: Sequence[Raster], number: int) -> list[Mask]:
        level = levels[number]
        regions = tree.build(level, levels[number:], threads=self._threads)
        logits, quality = self._found(level, Questions(*candidates(regions), level))
        kept = _distinct(logits > 0.0, quality)
        wide = [_enlarged(logits[i], level) for i in kept]
        solid = zip(tree.snapped(regions, wide), quality[kept].tolist(), strict=True)
        return [Mask(pixels, min(score, 1.0), number) for pixels, score in solid if pixels.any()]

    def _found(self, raster: Raster, questions: Questions) -> tuple[Float32, Float64]:
        """Ask while there are questions; return the logits [n, h, w] and quality [n] of masks that are good enough."""
        scale = self._side / max(raster.height, raster.width)
        rows, columns = (max(1, round(side * scale * self._low / self._side)) for side in (raster.height, raster.width))
        embedding = self._encoded(raster)
        logits, quality = [np.empty((0, rows, columns), np.float32)], [np.empty(0)]
        while questions.asked < MOST_POINTS:
            points = questions.next(self._batch)
            if not len(points):
                break
            self._on_progress((self._look + questions.asked / (MOST_POINTS + BATCH)) / self._looks)
            masks, score = self._decoded(embedding, points * scale)
            masks = masks[:, :rows, :columns]
            good = _good(masks, score)
            questions.answer(masks[good] > 0.0)
            logits.append(masks[good])
            quality.append(score[good])
        return np.concatenate(logits), np.concatenate(quality)

    def _encoded(self, raster: Raster) -> Float32:
        """Return what the encoder makes of a picture on white, scaled to its input and padded at right and bottom."""
        import cv2

        scale = self._side / max(raster.height, raster.width)
        height, width = (max(1, round(side * scale)) for side in (raster.height, raster.width))
        pixels = cv2.resize(over(raster) * np.float32(255), (width, height), interpolation=cv2.INTER_LINEAR)
        normal = (pixels - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        padded = np.zeros((1, 3, self._side, self._side), np.float32)
        padded[0, :, :height, :width] = normal.transpose(2, 0, 1)
        found: Float32 = self._encoder.run(None, {self._encoder.get_inputs()[0].name: padded})[0]
        return found

    def _decoded(self, embedding: Float32, points: Float64) -> tuple[Float32, Float64]:
        """Ask at points [n, 2], in the encoder's pixels; return logits [m, low, low] and quality [m] of all answers."""
        coords = np.zeros((self._batch, 2, 2), np.float32)
        coords[: len(points), 0] = points
        feed = {
            "image_embeddings": embedding,
            "point_coords": coords,
            "point_labels": np.tile(np.array([POINT, PADDING], np.float32), (self._batch, 1)),
            "mask_input": np.zeros((1, 1, self._low, self._low), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.full(2, self._side, np.float32),
        }
        logits, quality = self._decoder.run([LOGITS, QUALITY], feed)
        first = 1 if logits.shape[1] > WHOLE_MASKS else 0
        logits, quality = logits[: len(points), first:], quality[: len(points), first:]
        return logits.reshape(-1, *logits.shape[2:]), quality.ravel().astype(np.float64)


def _good(logits: Float32, quality: Float64) -> Bool:
    """Tell which masks the model is sure of, and would be with other thresholds as well: bool [n]."""
    inner = np.count_nonzero(logits > STABILITY_OFFSET, axis=(1, 2))
    outer = np.count_nonzero(logits > -STABILITY_OFFSET, axis=(1, 2))
    return np.asarray((quality >= LEAST_QUALITY) & (inner >= LEAST_STABILITY * np.maximum(outer, 1)))


def _distinct(masks: Bool, quality: Float64) -> Int64:
    """Return the indices of masks [n, h, w] that are large enough and no repetition of a better one, best first."""
    flat = masks.reshape(len(masks), int(np.prod(masks.shape[1:])))
    order = np.argsort(-quality, kind="stable")
    order = order[np.count_nonzero(flat[order], axis=1) >= LEAST_SHARE * flat.shape[1]]
    weights = flat[order].astype(np.float32)
    shared = weights @ weights.T
    area = np.diag(shared)
    repeats = shared > MOST_OVERLAP * (area[:, None] + area - shared)
    kept: list[int] = []
    for i in range(len(order)):
        if not repeats[i, kept].any():
            kept.append(i)
    return np.asarray(order[kept])


def _enlarged(logits: Float32, raster: Raster) -> Bool:
    import cv2

    return np.asarray(cv2.resize(logits, (raster.width, raster.height), interpolation=cv2.INTER_LINEAR) > 0.0)


def _kept_session(path: Path, outputs: Set[str] | None, threads: int | None) -> Any:
    return kept.loaded((path, outputs, threads), lambda: _session(path, outputs, threads))


def _session(path: Path, outputs: Set[str] | None, threads: int | None) -> Any:
    """Return a model ready to run, with these outputs alone, or all. Raises InputError."""
    try:
        from onnxruntime import InferenceSession, SessionOptions
    except ImportError:
        raise InputError("Masks by ONNX files need onnxruntime: pip install '.[onnx]'.") from None
    if not path.is_file():
        raise InputError(f"{path} is missing: the segmenter's folder should hold {ENCODER} and {DECODER}.")
    options = SessionOptions()
    options.enable_mem_pattern = False  # a tenth faster here
    options.log_severity_level = 3  # errors alone
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        model = str(path) if outputs is None else with_outputs(path.read_bytes(), outputs)
        return InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime's own classes, one for each status
        cause = " ".join(str(error).split())
        raise InputError(f"{path} cannot be used as an ONNX model: {cause}.") from error


def _encoder_side(encoder: Any, path: Path) -> int:
    """Return the side in px of the square that an encoder takes. Raises InputError."""
    inputs = encoder.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 4 or shape[1] != 3 or not isinstance(shape[2], int) or shape[2] != shape[3]:
        raise InputError(
            f"{path} is no encoder that is known here: its input should be [1, 3, side, side], not {shape}."
        )
    return int(shape[2])


def _decoder_sizes(decoder: Any, path: Path) -> tuple[int, int]:
    """Return the side in px of a decoder's masks and how many points it is asked at once. Raises InputError."""
    shapes = {entry.name: entry.shape for entry in decoder.get_inputs()}
    missing = [name for name in INPUTS if name not in shapes]
    missing += [name for name in (LOGITS, QUALITY) if name not in {entry.name for entry in decoder.get_outputs()}]
    if missing:
        raise InputError(f"{path} is no decoder that is known here: it has no {missing[0]}.")
    batch = shapes["point_coords"][0]
    return int(shapes["mask_input"][-1]), batch if isinstance(batch, int) else BATCH
