"""How long one drawing, and one drawing with all its gradients, takes; and how that compares with DiffVG.

Reads scenes (.npz: points [n, 2], num_segments [p], point_offset [p + 1], colors [p, 4], width, height;
closed paths of cubic segments, back to front) or makes its own. The DiffVG figures are recorded, not
measured here.

    python benchmarks/bench_raster.py [--scenes DIR] [--threads N] [--repeats N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from layervec import raster
from layervec.types import Scene

# CPU-seconds of one DiffVG iteration, forward and backward: CPU build, 2 x 2 samples, two shared cores.
DIFFVG_SECONDS = {
    "light_512_n16": 1.7,
    "light_512_n64": 2.3,
    "light_512_n256": 4.4,
    "light_512_n1024": 6.3,
    "heavy_512_n16": 2.5,
    "heavy_512_n64": 3.5,
    "heavy_512_n256": 10.7,
    "heavy_512_n1024": 32.7,
    "light_1024_n256": 18.1,
    "heavy_1024_n256": 37.5,
}
NODES = 8  # segments of a path that this script makes
OPAQUE_SHARE = 0.85  # of its paths
REACH = {"light": 0.7, "heavy": 2.0}  # size of its paths, times the side / sqrt(paths)


def load(file: Path) -> tuple[Scene, int, int]:
    """Read one scene, its width and its height."""
    data = np.load(file)
    starts = data["point_offset"].astype(np.int64)
    count = len(starts) - 1
    scene = Scene(
        data["points"].astype(np.float32),
        starts,
        np.arange(count + 1),
        data["colors"].astype(np.float32),
        np.zeros(count, np.bool_),
    )
    return scene, int(data["width"]), int(data["height"])


def make(kind: str, count: int, side: int) -> tuple[Scene, int, int]:
    """Return a scene of `count` smooth blobs, the same on every call."""
    rng = np.random.default_rng(count)
    angles = np.arange(3 * NODES) * (2 * np.pi / (3 * NODES))
    radii = REACH[kind] * side / np.sqrt(count) * rng.uniform(0.5, 1.5, (count, 3 * NODES))
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = rng.random((count, 1, 2)) * side + radii[..., None] * ring
    paints = rng.random((count, 4))
    paints[:, 3] = np.where(rng.random(count) < OPAQUE_SHARE, 1.0, rng.uniform(0.5, 1.0, count))
    scene = Scene(
        points.reshape(-1, 2).astype(np.float32),
        np.arange(count + 1) * 3 * NODES,
        np.arange(count + 1),
        paints.astype(np.float32),
        np.zeros(count, np.bool_),
    )
    return scene, side, side


def measure(job: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the medians of wall time and CPU time of a job, in ms, after one call that is not counted."""
    job()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        job()
        walls.append(1e3 * (time.perf_counter() - wall))
        cpus.append(1e3 * (time.process_time() - cpu))
    return statistics.median(walls), statistics.median(cpus)


def bench(name: str, scene: Scene, width: int, height: int, threads: int, repeats: int) -> dict[str, Any]:
    """Measure one scene against a random target."""
    target = np.random.default_rng(0).random((3, height, width), dtype=np.float32)
    draw_wall, draw_cpu = measure(lambda: raster.render(scene, width, height, threads=threads), repeats)
    fit_wall, fit_cpu = measure(lambda: raster.fit_pass(scene, target, threads=threads), repeats)
    seconds = DIFFVG_SECONDS.get(name)
    return {
        "scene": name,
        "draw_wall_ms": draw_wall,
        "draw_cpu_ms": draw_cpu,
        "fit_wall_ms": fit_wall,
        "fit_cpu_ms": fit_cpu,
        "times_less_than_diffvg": None if seconds is None else 1e3 * seconds / fit_cpu,
    }


def main() -> None:
    """Measure, print a table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description="Time the rasteriser, forward and with gradients.")
    parser.add_argument("--scenes", type=Path, help="folder of .npz scenes; without it, scenes are made")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    if options.scenes is not None:
        scenes = {file.stem: load(file) for file in sorted(options.scenes.glob("*.npz"))}
    else:
        scenes = {f"made_{kind}_512_n{n}": make(kind, n, 512) for kind in REACH for n in (16, 64, 256, 1024)}
    heads = ("draw wall", "draw CPU", "fit wall", "fit CPU")
    print(f"{'scene (ms)':24}" + "".join(f"{head:>11}" for head in heads) + f"{'DiffVG /':>11}")
    rows = []
    for name, (scene, width, height) in scenes.items():
        row = bench(name, scene, width, height, options.threads, options.repeats)
        rows.append(row)
        ratio = row["times_less_than_diffvg"]
        figures = [row[f"{what}_{clock}_ms"] for what in ("draw", "fit") for clock in ("wall", "cpu")]
        print(f"{name:24}" + "".join(f"{v:11.2f}" for v in figures) + (f"{ratio:10.0f}x" if ratio else ""))
    ratios = [row["times_less_than_diffvg"] for row in rows if row["times_less_than_diffvg"]]
    mean = statistics.geometric_mean(ratios) if ratios else None
    if mean:
        print(f"DiffVG takes {mean:.0f} times the CPU time (geometric mean of {len(ratios)} scenes)")
    if options.json is not None:
        options.json.write_text(json.dumps({"threads": options.threads, "mean_ratio": mean, "scenes": rows}, indent=1))


if __name__ == "__main__":
    main()
