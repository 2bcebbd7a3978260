"""Fast tracers to compare with: VTracer, and stacked k-means with potrace.

Each is run with many settings, and for each budget the drawing of the best PSNR that has no more shapes than that is
kept: a choice that no user of theirs makes, so their figures are optimistic. Knows pixels and SVG text alone.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from layervec import metrics
from layervec.score import render_svg
from layervec.svg import SVG
from layervec.types import Bool, Float32, UInt8

# VTracer: bits a channel and difference (of 0..255) between gradient layers. 6 and 16 are its defaults; 8 and the
# larger difference did better in all trials.
VTRACER_COLOURS = ((8, 16), (8, 48), (6, 16))
SPECKLES = (128, 64, 40, 28, 20, 14, 10, 7, 4, 2)  # px; VTracer drops patches below this side
COLOURS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
TURDS = (2000, 500, 150, 50, 15, 4)  # px; potrace drops patches below this area
SAMPLE = 20_000  # pixels that k-means looks at
SEED = 1
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True)
class Trial:
    """One drawing of a peer, how it was made and how long that took."""

    svg: str
    settings: str
    seconds: float

    @property
    def shapes(self) -> int:
        """Paths; one has an outer contour and its holes."""
        return self.svg.count("<path")


Trials = Callable[[UInt8, int], Iterator[Trial]]


def vtracer_trials(pixels: UInt8, most: int) -> Iterator[Trial]:
    """Yield VTracer's drawings, of at most `most` shapes, of pixels uint8 [h, w, 3]."""
    import vtracer

    height, width = pixels.shape[:2]
    opaque = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
    rgba = [tuple(pixel) for pixel in opaque.reshape(-1, 4).tolist()]
    for bits, difference in VTRACER_COLOURS:
        for speckle in SPECKLES:
            start = time.perf_counter()
            svg = vtracer.convert_pixels_to_svg(
                rgba,
                (width, height),
                colormode="color",
                hierarchical="stacked",
                mode="spline",
                filter_speckle=speckle,
                color_precision=bits,
                layer_difference=difference,
                path_precision=2,
            )
            settings = f"speckle {speckle}, {bits} bits, layer difference {difference}"
            trial = Trial(svg, settings, time.perf_counter() - start)
            if trial.shapes > most:
                break  # smaller speckles give more
            yield trial


def potrace_trials(pixels: UInt8, most: int) -> Iterator[Trial]:
    """Yield stacked k-means + potrace drawings, of at most `most` shapes, of pixels uint8 [h, w, 3]."""
    for count in COLOURS:
        start = time.perf_counter()
        colours, labels = _k_means(pixels, count)
        spent = time.perf_counter() - start
        for name, order in _orders(colours, labels).items():
            for turd in TURDS:
                start = time.perf_counter()
                svg = _stacked(colours[order], np.argsort(order)[labels], turd)
                trial = Trial(svg, f"{count} colours, {name}, turdsize {turd}", spent + time.perf_counter() - start)
                if trial.shapes > most:
                    break
                yield trial


PEERS: dict[str, Trials] = {"vtracer": vtracer_trials, "potrace": potrace_trials}


def missing(peer: str) -> str:
    """Return why a peer cannot be run, or nothing where it can."""
    if peer == "vtracer" and importlib.util.find_spec("vtracer") is None:
        return "VTracer was not run: the package vtracer is not installed (uv run --group bench ...)."
    if peer == "potrace" and shutil.which("potrace") is None:
        return "potrace was not run: the program is not installed (Debian: apt-get install potrace)."
    return ""


def best(peer: str, pixels: UInt8, target: Float32, budgets: Sequence[int]) -> dict[int, Trial]:
    """Return the drawing of the best PSNR for each budget that any drawing keeps within."""
    height, width = target.shape[:2]
    found: dict[int, tuple[float, Trial]] = {}
    for trial in PEERS[peer](pixels, max(budgets)):
        psnr = metrics.psnr(render_svg(trial.svg, width, height), target)
        for budget in budgets:
            if trial.shapes <= budget and (budget not in found or psnr > found[budget][0]):
                found[budget] = psnr, trial
    return {budget: trial for budget, (_, trial) in found.items()}


def _k_means(pixels: UInt8, count: int) -> tuple[Float32, UInt8]:
    """Return at most `count` colours, float32 [k, 3] in 0..255, and the nearest one of each pixel [h, w]."""
    flat = pixels.reshape(-1, 3).astype(np.float32)
    sample = flat[np.random.default_rng(SEED).permutation(len(flat))[:SAMPLE]]
    count = min(count, len(np.unique(sample, axis=0)))
    cv2.setRNGSeed(SEED)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.2)
    _, _, colours = cv2.kmeans(sample, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    distances = (colours**2).sum(axis=1) - 2 * flat @ colours.T
    return colours, distances.argmin(axis=1).astype(np.uint8).reshape(pixels.shape[:2])


def _orders(colours: Float32, labels: UInt8) -> dict[str, np.ndarray]:
    """Return the orders, bottom first, in which the colours are stacked."""
    areas = np.bincount(labels.ravel(), minlength=len(colours))
    return {"dark first": np.argsort(colours @ LUMA), "large first": np.argsort(-areas)}


def _stacked(colours: Float32, labels: UInt8, turd: int) -> str:
    """Return an SVG that paints, for each colour from the first on, the union of its pixels and all later ones'."""
    height, width = labels.shape
    with ThreadPoolExecutor(2) as pool:
        groups = pool.map(lambda at: _trace(labels >= at, colours[at], turd), range(len(colours)))
        return f'<svg xmlns="{SVG}" viewBox="0 0 {width} {height}">{"".join(groups)}</svg>'


def _trace(mask: Bool, colour: Float32, turd: int) -> str:
    """Return what potrace makes of a mask: one group, a path for each patch with its holes."""
    height, width = mask.shape
    fill = "#" + "".join(f"{round(float(value)):02x}" for value in colour)
    command = ["potrace", "--svg", "--color", fill, "--turdsize", str(turd), "--output", "-", "-"]
    bitmap = f"P4\n{width} {height}\n".encode() + np.packbits(mask, axis=1).tobytes()
    made = subprocess.run(command, input=bitmap, capture_output=True, check=True).stdout.decode()
    return "".join(re.findall(r"<g\b.*?</g>", made, re.DOTALL))
