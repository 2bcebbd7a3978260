"""How long one drawing, and one drawing with all its gradients, takes; and how that compares with DiffVG.

Reads scenes (.npz: points [n, 2], num_segments [p], point_offset [p + 1], colors [p, 4], width, height;
closed paths of cubic segments, back to front) or makes its own. DiffVG draws the same scenes in the same run where
`pydiffvg` can be imported; otherwise its recorded figures are taken, scaled by how fast this machine runs a loop now.

    python benchmarks/bench_raster.py [--scenes DIR] [--make DIR] [--threads N] [--repeats N] [--json FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from layervec import raster
from layervec.raster.chords import ranks
from layervec.raster.prepare import prepare
from layervec.types import Scene

DIFFVG_SAMPLES = 2  # a side of a pixel
CALIBRATION_ROUNDS = 20_000
CALIBRATION_SECONDS = 0.00175  # CPU-seconds of `calibrate` on the machine that the next figures come from
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


def calibrate() -> float:
    """Return the CPU-seconds of a fixed loop of plain Python: how fast this machine is at this moment."""
    times = []
    for _ in range(100):
        start = time.process_time()
        total = 0.0
        for i in range(CALIBRATION_ROUNDS):
            total += math.sin(i) * 0.5
        times.append(time.process_time() - start)
    return min(times)


def diffvg_job(scene: Scene, width: int, height: int) -> Callable[[], object] | None:
    """Return a job that draws a scene with DiffVG and goes back to its points and colours; None without DiffVG."""
    if importlib.util.find_spec("pydiffvg") is None:
        return None
    import pydiffvg
    import torch

    pydiffvg.set_use_gpu(False)
    shapes, groups = [], []
    for path in range(len(scene)):
        points = torch.tensor(scene.points[scene.contours[path] : scene.contours[path + 1]], requires_grad=True)
        handles = torch.full((len(points) // 3,), 2, dtype=torch.int32)
        shapes.append(pydiffvg.Path(num_control_points=handles, points=points, is_closed=True))
        colour = torch.tensor(scene.paints[path], requires_grad=True)
        groups.append(pydiffvg.ShapeGroup(shape_ids=torch.tensor([path]), fill_color=colour))

    def job() -> None:
        given = pydiffvg.RenderFunction.serialize_scene(width, height, shapes, groups)
        image = pydiffvg.RenderFunction.apply(width, height, DIFFVG_SAMPLES, DIFFVG_SAMPLES, 0, None, *given)
        image.pow(2).sum().backward()

    return job


def diffvg_seconds(name: str, scene: Scene, width: int, height: int, speed: float) -> float | None:
    """Return the CPU-seconds that DiffVG takes for one iteration: measured, or recorded and scaled, or None."""
    job = diffvg_job(scene, width, height)
    if job is not None:
        return measure(job, 3)[1] / 1e3
    recorded = DIFFVG_SECONDS.get(name)
    return None if recorded is None else recorded * speed


def cells_visited(scene: Scene, width: int, height: int) -> int:
    """Return how many cells the chords of a scene run through, on the canvas or beside it."""
    cut = prepare(scene, width, height, raster.FLATNESS).cut
    chords = np.repeat(cut.first[:, 0], cut.counts) + ranks(cut.counts)  # each is listed once more for further bands
    ends = cut.geometry[0][:, chords]
    return int((np.abs(np.floor(ends[2:]) - np.floor(ends[:2])).sum(axis=0) + 1).sum())


def bench(name: str, scene: Scene, width: int, height: int, threads: int, repeats: int, speed: float) -> dict[str, Any]:
    """Measure one scene against a random target; wall_ms and cpu_s are those of drawing with all gradients."""
    target = np.random.default_rng(0).random((3, height, width), dtype=np.float32)
    draw_wall, draw_cpu = measure(lambda: raster.render(scene, width, height, threads=threads), repeats)
    fit_wall, fit_cpu = measure(lambda: raster.fit_pass(scene, target, threads=threads), repeats)
    seconds = diffvg_seconds(name, scene, width, height, speed)
    return {
        "scene": name,
        "threads": threads,
        "wall_ms": fit_wall,
        "cpu_s": fit_cpu / 1e3,
        "draw_wall_ms": draw_wall,
        "draw_cpu_ms": draw_cpu,
        "fit_wall_ms": fit_wall,
        "fit_cpu_ms": fit_cpu,
        "cells": cells_visited(scene, width, height),
        "diffvg_cpu_s": seconds,
        "times_less_than_diffvg": None if seconds is None else 1e3 * seconds / fit_cpu,
    }


def save(file: Path, scene: Scene, width: int, height: int) -> None:
    """Write one scene as `load` reads it."""
    np.savez_compressed(
        file,
        width=width,
        height=height,
        points=scene.points,
        num_segments=np.diff(scene.contours) // 3,
        point_offset=scene.contours,
        colors=scene.paints,
    )


def made_scenes() -> dict[str, tuple[Scene, int, int]]:
    """Return the scenes that this script makes, by name."""
    sizes = [(n, 512) for n in (16, 64, 256, 1024)] + [(256, 1024)]
    return {f"made_{kind}_{side}_n{n}": make(kind, n, side) for kind in REACH for n, side in sizes}


def main() -> None:
    """Measure, print a table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description="Time the rasteriser, forward and with gradients.")
    parser.add_argument("--scenes", type=Path, help="folder of .npz scenes; without it, scenes are made")
    parser.add_argument(
        "--make", type=Path, metavar="DIR", help="write the made scenes to this folder, and measure them"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file to write the figures to, a list with one row a scene")
    options = parser.parse_args()
    if options.make is not None:
        options.make.mkdir(parents=True, exist_ok=True)
        for name, made in made_scenes().items():
            save(options.make / f"{name}.npz", *made)
    if options.scenes is not None:
        scenes = {file.stem: load(file) for file in sorted(options.scenes.glob("*.npz"))}
    else:
        scenes = made_scenes()
    speed = calibrate() / CALIBRATION_SECONDS
    print(f"this machine takes {speed:.2f} times as long as the one that DiffVG was measured on")
    heads = ("draw wall", "draw CPU", "fit wall", "fit CPU")
    print(f"{'scene (ms)':24}" + "".join(f"{head:>11}" for head in heads) + f"{'cells':>11}{'DiffVG /':>11}")
    rows = []
    for name, (scene, width, height) in scenes.items():
        row = bench(name, scene, width, height, options.threads, options.repeats, speed)
        rows.append(row)
        ratio = row["times_less_than_diffvg"]
        figures = [row[f"{what}_{clock}_ms"] for what in ("draw", "fit") for clock in ("wall", "cpu")]
        text = "".join(f"{value:11.2f}" for value in figures) + f"{row['cells']:11}"
        print(f"{name:24}" + text + (f"{ratio:10.0f}x" if ratio else ""))
    ratios = [row["times_less_than_diffvg"] for row in rows if row["times_less_than_diffvg"]]
    if ratios:
        mean = statistics.geometric_mean(ratios)
        print(
            f"DiffVG takes {mean:.0f} times the CPU time (geometric mean of {len(ratios)} scenes; "
            f"{mean / speed:.0f} times without correction for this machine)"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
