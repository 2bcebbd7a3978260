"""Draw the pictures of docs/how.md: what each stage makes of the lighthouse.

Run as `uv run python docs/stages.py` after a change that shows.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from layervec import Settings, image, svg, vectorize
from layervec.raster import outline_strokes, render
from layervec.raster.strokes import Strokes
from layervec.score import only, render_svg
from layervec.types import Float32
from layervec.workdir import WorkDir

HERE = Path(__file__).parent
SOURCE = HERE.parent / "examples" / "lighthouse.png"
HEIGHT = 300  # px of each panel
GAP = 6  # px between panels
COLOURS = 128  # of a committed PNG, which keeps it small
LINE = 1.0  # px, width of outlines and nodes


def row(panels: list[Float32]) -> Float32:
    """Return panels [h, w, 3] side by side, brought to one height."""
    gap = np.ones((HEIGHT, GAP, 3), np.float32)
    scaled = [image.over(image.resize(image.load(panel), _width(panel), HEIGHT)) for panel in panels]
    return np.concatenate([part for panel in scaled for part in (panel, gap)][:-1], axis=1)


def _width(panel: Float32) -> int:
    return round(panel.shape[1] * HEIGHT / panel.shape[0])


def outlines(text: str, most: int = 9999) -> Float32:
    """Return the outlines of a drawing's first shapes as dark lines on white."""
    drawing = svg.read(text)
    scale = HEIGHT / drawing.height
    rings = [
        np.concatenate([shape.outline.points[a:b], shape.outline.points[a : a + 1]]) * scale
        for shape in drawing.shapes()
        if shape.rank <= most
        for a, b in zip(shape.outline.starts[:-1], shape.outline.starts[1:], strict=True)
    ]
    lines = np.cumsum([0, *map(len, rings)])
    count = len(rings)
    paints = np.tile(np.array([0.1, 0.15, 0.3, 1.0], np.float32), (count, 1))
    strokes = Strokes(
        np.concatenate(rings), lines, np.zeros(count, bool), np.arange(count + 1), np.full(count, LINE), paints
    )
    drawn = render(outline_strokes(strokes)[0], round(drawing.width * scale), HEIGHT)
    return drawn[..., :3] + 1 - drawn[..., 3:]


def alone(text: str, layer: int) -> Float32:
    """Return one of the top layers of a drawing by itself, the others as a shadow."""
    groups = list(svg.read(text).root.children)
    kept = {shape.id for shape in getattr(groups[layer], "shapes", lambda: [groups[layer]])()}
    full = render_svg(text, *_size(text), "#ffffff")
    lone = render_svg(only(text, lambda element: element.get("id") in kept), *_size(text), None)
    grey = np.repeat(full.mean(axis=2, keepdims=True), 3, axis=2) * 0.15 + 0.85
    return lone[..., :3] * lone[..., 3:] + grey * (1 - lone[..., 3:])


def _size(text: str) -> tuple[int, int]:
    drawing = svg.read(text)
    return round(drawing.width * HEIGHT / drawing.height), HEIGHT


def keep(name: str, panels: list[Float32]) -> None:
    """Write one row of panels to docs/stages."""
    pixels = np.rint(row(panels) * 255).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).quantize(COLOURS, dither=Image.Dither.NONE).save(
        HERE / "stages" / f"{name}.png", optimize=True
    )


def main() -> None:
    """Write docs/stages/*.png."""
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        kept = WorkDir(place, settings, source=SOURCE)
        text = vectorize(SOURCE, settings, on_event=kept.on_event).svg
        read = [image.over(image.load(path)) for path in (place / f"levels/{level}.png" for level in (0, 2, 4))]
        keep("simplify", read)
        keep("tree", [image.over(image.load(place / f"cuts/{regions}.png")) for regions in (4, 16, 64, 256)])
        steps = sorted((place / "stages").glob("*.svg"))
        first = steps[0].read_text()
        keep("arrange", [render_svg(only(first, shapes), *_size(first), "#ffffff") for shapes in (4, 16, 64)])
        keep("curves", [outlines(first, 16), outlines(first, 64), outlines(text)])
        keep(
            "refine",
            [render_svg(path.read_text(), *_size(first), "#ffffff") for path in (steps[0], steps[3], steps[-1])],
        )
        tops = list(svg.read(text).root.children)
        largest = sorted(range(len(tops)), key=lambda i: -len(list(getattr(tops[i], "shapes", lambda: [0])())))[:3]
        keep("layers", [alone(text, layer) for layer in sorted(largest)])


if __name__ == "__main__":
    main()
