"""The rasteriser against resvg, an independent SVG renderer."""

import io

import numpy as np
import pytest
import resvg_py
from PIL import Image
from raster_scenes import blobs, path_data

from layervec import raster

SIZE = 128
MEAN = 0.4 / 255  # allowed mean difference
FAR, FAR_SHARE = 16 / 255, 0.003  # and share of values that differ by more than FAR


def svg(drawn):
    """Return the scene as SVG text."""
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}">']
    for path in range(len(drawn)):
        red, green, blue = np.round(drawn.paints[path, :3] * 255).astype(int)
        fill = f'fill="rgb({red},{green},{blue})" fill-opacity="{drawn.paints[path, 3]:.5f}"'
        parts.append(f'<path {fill} d="{path_data(drawn, path)}"/>')
    return "".join([*parts, "</svg>"])


@pytest.mark.parametrize("seed", range(4))
def test_resvg_draws_the_same(seed):
    drawn = blobs(seed, 12, SIZE, SIZE)
    drawn.paints[:, :3] = np.round(drawn.paints[:, :3] * 255) / 255  # SVG colours have 8 bits
    data = bytes(resvg_py.svg_to_bytes(svg_string=svg(drawn)))
    other = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), dtype=np.float64) / 255
    ours = raster.render(drawn, SIZE, SIZE)
    theirs = other[..., :3] * other[..., 3:] + 1 - other[..., 3:]
    difference = np.abs(ours[..., :3] + 1 - ours[..., 3:] - theirs)
    assert difference.mean() <= MEAN
    assert (difference > FAR).mean() <= FAR_SHARE
