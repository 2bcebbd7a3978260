"""Fit 64 random shapes to a photo by gradient descent, with NumPy alone.

Points walk by Adam, colours are solved for by least squares. scikit-image gives the photo.

Run: python examples/fit_photo_numpy.py [STEPS]
"""

from __future__ import annotations

import sys

import numpy as np
from skimage import data

from layervec import raster
from layervec.types import Scene

SHAPES, NODES = 64, 5


def main(steps: int = 200) -> tuple[float, float]:
    """Fit, print and return the PSNR of the first drawing and of the last."""
    target = np.ascontiguousarray(data.chelsea().transpose(2, 0, 1) / np.float32(255))  # [3, h, w]
    _, height, width = target.shape
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 3 * NODES, endpoint=False)  # a node and two handles a segment
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = rng.random((SHAPES, 1, 2)) * (width, height) + rng.uniform(20, 80, (SHAPES, 1, 1)) * circle
    points = points.reshape(-1, 2)
    paints = np.concatenate([rng.random((SHAPES, 3)), np.ones((SHAPES, 1))], axis=1).astype(np.float32)
    contours, paths = np.arange(SHAPES + 1) * len(circle), np.arange(SHAPES + 1)
    first, second, errors = np.zeros_like(points), np.zeros_like(points), []
    for step in range(1, steps + 1):
        scene = Scene(points.astype(np.float32), contours, paths, paints, np.zeros(SHAPES, bool))
        found = raster.fit_pass(scene, target)  # loss, picture and gradients for one drawing
        errors.append(found.loss / target.size)
        first += 0.1 * (found.points - first)
        second += 0.01 * (found.points**2 - second)
        points -= first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)  # about 1 px a step
        if step % 10 == 0:
            paints[:, :3] = raster.solve_paints(scene, target, ridge=1.0).paints
    before, after = (float(-10 * np.log10(error)) for error in (errors[0], errors[-1]))
    print(f"PSNR {before:.2f} dB before, {after:.2f} dB after {steps} steps")
    return before, after


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
