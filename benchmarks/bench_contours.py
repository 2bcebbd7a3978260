"""How CPU time grows with the number of contours: even patterns of dots, squares and rings, drawn at the defaults.

Each pattern has so many marks on a square canvas, MARK px apart, so that pictures of more marks are larger; they are
fitted at their own size. Prints CPU-seconds by stage, and with which power of the number of marks they grow.
The first drawing, which loads the kernels, is not counted.

    python benchmarks/bench_contours.py [--counts N ...] [--quality draft|standard|best] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np

from layervec import Settings, vectorize
from layervec.events import Event
from layervec.types import Float64, UInt8

COUNTS = (50, 200, 800, 3200)
PATTERNS = ("dots", "squares", "rings")
MARK = 10  # px from mark to mark
SAMPLES = 4  # a side of a pixel, for soft edges
REACH = 0.33  # of MARK, from the middle of a mark to its border
BORE = 0.15  # of MARK, radius of the hole of a ring
INK, GROUND = 30, 235  # grey levels


def pattern(kind: str, count: int) -> UInt8:
    """Return a picture of at least `count` marks in as many rows as columns: uint8 [h, w, 3]."""
    side = math.ceil(math.sqrt(count))
    across = (np.arange(side * MARK * SAMPLES) + 0.5) / (MARK * SAMPLES) % 1.0 - 0.5
    x, y = across[None, :], across[:, None]
    distance = np.maximum(abs(x), abs(y)) if kind == "squares" else np.hypot(x, y)
    inked = (distance <= REACH) & ((distance >= BORE) | (kind != "rings"))
    share = inked.reshape(side * MARK, SAMPLES, side * MARK, SAMPLES).mean(axis=(1, 3))
    grey = np.round(GROUND + (INK - GROUND) * share).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def seconds(picture: UInt8, quality: str) -> dict[str, float]:
    """Return CPU-seconds of each stage of drawing a picture, and of `all`."""
    began: dict[str, float] = {}
    spent: dict[str, float] = {}

    def on_event(event: Event) -> None:
        if event.done == 0.0:
            began[event.stage] = time.process_time()
        elif event.done == 1.0:
            spent[event.stage] = time.process_time() - began[event.stage]

    settings = Settings(quality=quality, size=max(picture.shape), preset="auto")  # type: ignore[arg-type]
    start = time.process_time()
    vectorize(picture, settings, on_event=on_event)
    return {**spent, "all": time.process_time() - start}


def exponent(counts: list[int], times: list[float]) -> float:
    """Return p of the closest t = a n^p."""
    logs: Float64 = np.log(np.maximum(times, 1e-3))
    return float(np.polyfit(np.log(counts), logs, 1)[0])


def row(name: str, values: dict[str, float]) -> str:
    """Return one line of the table."""
    return f"{name:16}" + "".join(f"{value:10.2f}" for value in values.values())


def main() -> None:
    """Draw all patterns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--quality", choices=("draft", "standard", "best"), default="standard")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    vectorize(pattern("dots", min(asked.counts)), Settings(quality="draft"))
    found: dict[str, list[dict[str, float]]] = {}
    for kind in PATTERNS:
        found[kind] = []
        for count in asked.counts:
            times = seconds(pattern(kind, count), asked.quality)
            if not any(found.values()):
                print(" " * 16 + "".join(f"{stage:>10}" for stage in times))
            found[kind].append(times)
            print(row(f"{kind} {count}", times), flush=True)
        powers = {stage: exponent(asked.counts, [t[stage] for t in found[kind]]) for stage in found[kind][0]}
        print(row(f"{kind}: n^p, p =", powers), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"counts": asked.counts, "seconds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
