"""What needs a trained model: score distillation (sds.py) and masks of the Segment Anything family (sam.py,
sam_onnx.py).

The door: from settings to a simplifier or a segmenter. Nothing here loads PyTorch before it is asked to work, and
the default settings never come here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from layervec.segment import Segmenter
from layervec.settings import Settings
from layervec.simplify import Simplifier

OnProgress = Callable[[float], None]  # told the share of the work that is done, 0..1


def simplifier(settings: Settings, threads: int | None, on_progress: OnProgress) -> Simplifier:
    """Return the simplifier `sds`. Raises InputError where the extra or the device is missing."""
    from layervec.models import machine

    machine.require("--simplifier sds", "torch", "diffusers", "transformers")
    from layervec.models.sds import Sds

    return Sds(
        settings.simplifier_model,
        schedule=settings.sds,
        prompt=settings.prompt,
        guidance=settings.guidance,
        seed=settings.seed,
        device=machine.device(settings.device),
        offline=settings.offline,
        threads=threads,
        on_progress=on_progress,
    )


def segmenter(settings: Settings, threads: int | None, on_progress: OnProgress) -> Segmenter:
    """Return the segmenter `sam`: by ONNX where the model is a folder with such files, by PyTorch otherwise.

    Raises InputError where the extra, the device or a file is missing.
    """
    from layervec.models import machine, sam_onnx

    folder = Path(settings.segmenter_model)
    if sam_onnx.is_pair(folder):
        every_level = settings.preset == "paper"
        return sam_onnx.SamOnnx(folder, every_level=every_level, threads=threads, on_progress=on_progress)

    machine.require("--segmenter sam", "torch", "transformers")
    from layervec.models.sam import Sam

    return Sam(
        settings.segmenter_model,
        grid=settings.sam,
        device=machine.device(settings.device),
        offline=settings.offline,
        threads=threads,
        on_progress=on_progress,
    )
