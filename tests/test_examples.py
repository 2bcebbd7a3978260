"""The example pictures: what is committed is what their drawings render to."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"
DRAWINGS = sorted(EXAMPLES.glob("*.svg"))
SIZES = {"fox": (512, 512), "lighthouse": (480, 640), "stilllife": (640, 480)}
LARGEST = 150 * 1024  # bytes; they live in the repository


def render(drawing: Path) -> Image.Image:
    spec = importlib.util.spec_from_file_location("render", EXAMPLES / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Image.open(io.BytesIO(module.render(drawing)))


def test_all_are_there() -> None:
    assert {drawing.stem for drawing in DRAWINGS} == set(SIZES)


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.stem)
def test_png_equals_its_drawing(drawing: Path) -> None:
    path = drawing.with_suffix(".png")
    with Image.open(path) as file:
        committed = np.asarray(file.convert("RGBA")).astype(int)
    fresh = np.asarray(render(drawing).convert("RGBA")).astype(int)
    assert committed.shape == fresh.shape
    assert committed.shape[1::-1] == SIZES[drawing.stem]
    # Renderers of another version or processor may round differently.
    assert np.abs(committed - fresh).mean() < 0.1, "run python examples/render.py"
    assert path.stat().st_size < LARGEST


def test_only_the_sticker_is_transparent() -> None:
    for drawing in DRAWINGS:
        with Image.open(drawing.with_suffix(".png")) as file:
            lowest = file.convert("RGBA").getchannel("A").getextrema()[0]
        assert (lowest == 0) == (drawing.stem == "fox")
