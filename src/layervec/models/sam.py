"""Find objects by models of the Segment Anything family, as transformers has them or as Meta published the first.

Prepares pictures and points as each model wants them; which points, and which masks are kept, is decided in
automatic.py. Knows neither files of masks nor what becomes of them. Needs no torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from layervec.errors import InputError
from layervec.image import over
from layervec.models import OnProgress, automatic, kept, machine, source
from layervec.models.ground import contrasting
from layervec.segment import Mask
from layervec.settings import MaskGrid
from layervec.types import Float32, Raster

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of sRGB-encoded 0..1
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True)
class Manner:
    """How a kind of model wants its pictures: how colours are normalised; square by padding or by stretching."""

    normal: tuple[tuple[float, float, float], tuple[float, float, float]]
    padded: bool


# By transformers' name of the kind of model; sources are its image processors.
MANNERS = {
    "sam": Manner(IMAGENET, padded=True),
    "sam_hq": Manner(IMAGENET, padded=True),
    "sam2": Manner(IMAGENET, padded=False),
    "sam2_video": Manner(IMAGENET, padded=False),
    "edgetam": Manner(IMAGENET, padded=False),
    "edgetam_video": Manner(IMAGENET, padded=False),
    "sam3_tracker": Manner(HALVES, padded=False),
    "sam3_video": Manner(HALVES, padded=False),
}


@dataclass(frozen=True, slots=True)
class Sam:
    """A `Segmenter` that asks one model about every level.

    model: a folder or hub id of a model that transformers knows for mask generation, or Meta's checkpoint.
    grid: what is asked and kept. device: where to compute, in single precision. offline: never ask the hub.
    threads: most CPU threads, None for PyTorch's own choice. on_progress: told the share of the work that is done.
    """

    model: str
    grid: MaskGrid
    device: torch.device
    offline: bool
    threads: int | None
    on_progress: OnProgress

    def masks(self, levels: Sequence[Raster]) -> list[Mask]:
        """Return masks of all levels; what is fully transparent in a level belongs to none of its masks.

        Raises InputError where the model cannot be loaded or run.
        """
        source.check(self.model)
        found: list[Mask] = []
        with machine.working(self.device, self.threads, self.model):
            eye = kept.loaded(
                (Eye, self.model, self.device), lambda: Eye.load(self.model, self.device, offline=self.offline)
            )
            total = sum(len(automatic.parts(level.width, level.height, self.grid.crop_n_layers)) for level in levels)
            done = 0

            def on_part() -> None:
                nonlocal done
                done += 1
                self.on_progress(done / total)

            for k, level in enumerate(levels):
                seen = level.pixels[..., 3] > 0.0
                for inside, quality in automatic.masks(over(level, contrasting(level)), eye, self.grid, on_part):
                    if (inside & seen).any():
                        found.append(Mask(inside & seen, min(max(quality, 0.0), 1.0), k))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """A loaded model, as `automatic.Model`."""

    network: Any
    manner: Manner
    device: torch.device

    @classmethod
    def load(cls, model: str, device: torch.device, *, offline: bool) -> Eye:
        """Load from a folder, the hub, or a file of Meta's. Raises InputError."""
        with source.quiet():
            from transformers import AutoConfig, AutoModelForMaskGeneration

        if Path(model).expanduser().is_file():
            from layervec.models import meta

            return cls(meta.load(model).to(device), MANNERS["sam"], device)
        kind = source.load(AutoConfig, model, offline=offline).model_type
        if kind not in MANNERS:
            raise InputError(f"{model}: is a model of the kind {kind}; known here are {', '.join(MANNERS)}.")
        network = source.load(AutoModelForMaskGeneration, model, offline=offline, dtype=torch.float32)
        return cls(network.to(device).eval(), MANNERS[kind], device)

    def look(self, pixels: Float32) -> Look:
        """Look at a picture [h, w, 3], sRGB-encoded, 0..1."""
        side = int(np.max(self.network.config.prompt_encoder_config.image_size))  # some give it twice
        h, w = pixels.shape[:2]
        size = (side, side)
        if self.manner.padded:
            size = (max(1, int(h * side / max(h, w) + 0.5)), max(1, int(w * side / max(h, w) + 0.5)))
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(self.device)
        image = functional.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
        mean, deviation = (torch.tensor(value, device=self.device).reshape(3, 1, 1) for value in self.manner.normal)
        image = (image - mean) / deviation
        image = functional.pad(image, (0, side - size[1], 0, side - size[0]))
        return Look(self, self._embedded(image), (h, w), size, side)

    def _embedded(self, image: torch.Tensor) -> dict[str, Any]:
        """Return what the network is handed again with each question."""
        seen = self.network.get_image_embeddings(image)
        if self.network.config.model_type == "sam_hq":
            return {"image_embeddings": seen[0], "intermediate_embeddings": seen[1]}
        return {"image_embeddings": seen}


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture as the model sees it, as `automatic.Answers`.

    picture: its height and width. size: those of its copy in the model's square, in the upper left. side: the square's.
    """

    eye: Eye
    embedded: dict[str, Any]
    picture: tuple[int, int]
    size: tuple[int, int]
    side: int

    def ask(self, points: Float32) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits [m, a, a] and predicted quality [m] for points [n, 2], three a point."""
        scale = np.array([self.size[1] / self.picture[1], self.size[0] / self.picture[0]], np.float32)
        where = torch.from_numpy(points * scale)[None, :, None].to(self.eye.device)  # [1, n, 1, 2]
        labels = torch.ones(where.shape[:3], dtype=torch.int64, device=self.eye.device)  # inside, not outside
        said = self.eye.network(**self.embedded, input_points=where, input_labels=labels, multimask_output=True)
        return said.pred_masks[0].flatten(0, 1).float(), said.iou_scores[0].flatten().float()

    def enlarge(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits [m, a, a] at the picture's size, by way of the model's square, as the original does it."""
        square = functional.interpolate(logits[None], (self.side, self.side), mode="bilinear", align_corners=False)
        inside = square[..., : self.size[0], : self.size[1]]
        return functional.interpolate(inside, self.picture, mode="bilinear", align_corners=False)[0]
