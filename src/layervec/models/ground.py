"""Transparent pictures for models that know opaque ones only: over which colour they are laid."""

from __future__ import annotations

import numpy as np

from layervec.types import Raster

WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


def contrasting(raster: Raster) -> tuple[float, float, float]:
    """Return white, or black if what is seen of a transparent picture is light on average."""
    if raster.opaque:
        return WHITE
    weights = raster.pixels[..., 3].astype(np.float64)
    light = (raster.pixels[..., :3].mean(axis=2) * weights).sum() / max(weights.sum(), 1e-9)
    return BLACK if light > 0.5 else WHITE
