"""What a running pipeline tells the outside: one callback, one kind of value.

The progress bar, the work folder and anything else that watches a run listen here; stages print nothing and
write no files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["photo", "art", "pixel"]
Stage = Literal["load", "simplify", "segment", "tree", "arrange", "refine", "write"]


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of news.

    stage: the stage it comes from.
    done: share of that stage that is done, 0..1; at 1 `value` is the stage's result.
    psnr: fidelity of the drawing so far at fitting size, dB.
    paths: shapes in the drawing so far.
    round: refinement round, from 1.
    value: what the stage has made so far: at the end `Picture` (load), list of `Raster` (simplify), list of `Mask`
        (segment, a stage only where a segmenter is asked for), `RegionTree` (tree), `Arranged` (arrange),
        `Drawing` in fitting pixels (refine, and there also after each round), the SVG text (write).
    kind: what the picture was taken for, at the end of `load` for pixel art and at that of `tree` for all else; None
        for the preset `paper`, which takes it for nothing.
    """

    stage: Stage
    done: float
    psnr: float | None = None
    paths: int | None = None
    round: int | None = None
    value: object = None
    kind: Kind | None = None


OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
