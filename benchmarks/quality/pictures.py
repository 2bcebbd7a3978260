"""The fixed set of pictures of the quality benchmark.

Our own examples and the photos that scikit-image ships are always there. Others are read from a folder that holds
img/*.png and emoji/*.svg; they are measured, but never shown in the documentation. Knows no measure and no peer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from layervec.image import Source, open_picture
from layervec.score import compared, render_svg
from layervec.types import Float32, UInt8

EXAMPLES = Path(__file__).parents[2] / "examples"
BUDGETS = (16, 64, 128, 256)  # most shapes
# In the wheel of scikit-image, so that nothing is downloaded: photos, a logo with transparency, printed text, hues.
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "camera", "logo", "page", "colorwheel")
SHOWN_PHOTOS = PHOTOS[:5]  # those that scikit-image says are in the public domain (CC0, or NASA's)
MEASURED_EMOJI = ("noto-owl", "fluent-parrot", "noto-house-with-garden")  # at all budgets, not at their own alone
QUICK = ("fox", "chelsea", "noto-owl")
EMOJI_SIDE = 512  # px
SHAPES_PER_ORIGINAL = 2  # budget of the layer measure, in shapes of the original


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture. `own`: ours to show in the documentation. `original`: the layered SVG that it was rendered from."""

    name: str
    source: Source
    budgets: tuple[int, ...]
    own: bool = True
    original: str | None = None
    layer_budget: int | None = None

    @cached_property
    def target(self) -> Float32:
        """The picture as `score` sees it, on white: float32 [h, w, 3]."""
        return compared(open_picture(self.source).raster)

    @property
    def bytes(self) -> UInt8:
        """`target` in 8 bits: what the peers are given."""
        return np.rint(self.target * 255).astype(np.uint8)


def pictures(data: Path | None, budgets: tuple[int, ...], only: Collection[str]) -> Iterator[Picture]:
    """Yield the pictures whose names are in `only`, or all where it is empty; `data` may be missing."""
    for picture in (*_examples(budgets), *_given(data, budgets), *_photos(budgets, only), *_emoji(data, budgets)):
        if not only or picture.name in only:
            yield picture


def _examples(budgets: tuple[int, ...]) -> Iterator[Picture]:
    for path in sorted(EXAMPLES.glob("*.png")):
        yield Picture(path.stem, path, budgets)


def _given(data: Path | None, budgets: tuple[int, ...]) -> Iterator[Picture]:
    for path in sorted((data / "img").glob("*.png")) if data else ():
        yield Picture(path.stem, path, budgets, own=False)


def _photos(budgets: tuple[int, ...], only: Collection[str]) -> Iterator[Picture]:
    wanted = [name for name in PHOTOS if not only or name in only]
    if wanted:
        from skimage import data

        for name in wanted:
            yield Picture(name, getattr(data, name)(), budgets, own=name in SHOWN_PHOTOS)


def _emoji(data: Path | None, budgets: tuple[int, ...]) -> Iterator[Picture]:
    from quality.layers import drawn_shapes

    for path in sorted((data / "emoji").glob("*.svg")) if data else ():
        text = path.read_text(encoding="utf-8")
        shown = np.rint(render_svg(text, EMOJI_SIDE, EMOJI_SIDE) * 255).astype(np.uint8)
        layer_budget = SHAPES_PER_ORIGINAL * drawn_shapes(text)
        own = budgets if path.stem in MEASURED_EMOJI else ()
        yield Picture(path.stem, shown, own, own=False, original=text, layer_budget=layer_budget)
