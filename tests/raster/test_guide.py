"""What the guide to the rasteriser says of memory holds. Its code is run by tests/test_pages.py."""

import subprocess
import sys

import pytest

MOST = 2 * 2**30  # bytes, for 4096 paths on 4096 x 4096 px

LARGE = """
import resource
import numpy as np
from layervec import raster
from layervec.types import Scene
side, count, nodes = 4096, 4096, 8
rng = np.random.default_rng(0)
angles = np.arange(3 * nodes) * (2 * np.pi / (3 * nodes))
radii = 2 * side / np.sqrt(count) * rng.uniform(0.5, 1.5, (count, 3 * nodes))
points = rng.random((count, 1, 2)) * side + radii[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
starts = np.arange(count + 1)
paints = rng.random((count, 4), dtype=np.float32)
scene = Scene(points.reshape(-1, 2).astype(np.float32), starts * 3 * nodes, starts, paints, np.zeros(count, bool))
assert raster.render(scene, side, side)[..., 3].mean() > 0.5
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_large_canvas_with_many_paths_stays_within_two_gibibytes():
    pytest.importorskip("resource", reason="this system does not say how much memory a process took")
    found = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    assert int(found.stdout) * unit < MOST
