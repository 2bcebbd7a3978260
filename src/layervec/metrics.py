"""How alike two pictures are: mean squared error, PSNR and SSIM.

Knows arrays only: no files, no SVG, no colour management. Callers bring both pictures to the same size and
lay transparent ones over the same background first.

SSIM follows Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004),
in the variant that scikit-image defaults to: a uniform 7 x 7 window and sample covariance.
"""

from __future__ import annotations

import math

import numpy as np

from layervec.types import Float32, Float64

SSIM_WINDOW = 7  # px; side of the uniform window, scikit-image's default
SSIM_K1 = 0.01  # keeps the luminance term stable in the dark; Wang et al. 2004
SSIM_K2 = 0.03  # keeps the contrast term stable in flat areas; Wang et al. 2004


def mse(a: Float32, b: Float32) -> float:
    """Return the mean squared difference over all pixels and channels.

    a, b: float32 [h, w, 3], 0..1. ValueError where the shapes differ or there is no pixel.
    """
    _require_same_shape(a, b)
    difference = a.astype(np.float64) - b.astype(np.float64)
    return float(np.mean(difference * difference))


def psnr(a: Float32, b: Float32) -> float:
    """Return the peak signal-to-noise ratio in dB for a peak of 1; infinity for identical pictures.

    a, b: float32 [h, w, 3], 0..1. ValueError where the shapes differ or there is no pixel.
    """
    return psnr_of_mse(mse(a, b))


def psnr_of_mse(error: float) -> float:
    """Return the PSNR in dB that belongs to a mean squared error, for a peak of 1."""
    return math.inf if error <= 0.0 else -10.0 * math.log10(error)


def ssim(a: Float32, b: Float32) -> float:
    """Return the mean structural similarity: the mean over pixels and channels, 1 for identical pictures.

    a, b: float32 [h, w, 3], 0..1. Windows that stick out of the picture are left out. In a picture narrower
    or lower than the window, the window shrinks to the largest odd side that fits; at a side of 1 there is
    no variance left and SSIM compares luminance alone. ValueError where the shapes differ or are empty.
    """
    _require_same_shape(a, b)
    side = min(SSIM_WINDOW, *(length if length % 2 else length - 1 for length in a.shape[:2]))
    x, y = a.astype(np.float64), b.astype(np.float64)
    samples = side * side
    # Sample (n - 1) covariance as in scikit-image; one sample has none, so its zero may stay.
    unbiased = samples / (samples - 1) if samples > 1 else 1.0
    mean_x, mean_y = _window_mean(x, side), _window_mean(y, side)
    var_x = unbiased * (_window_mean(x * x, side) - mean_x * mean_x)
    var_y = unbiased * (_window_mean(y * y, side) - mean_y * mean_y)
    covariance = unbiased * (_window_mean(x * y, side) - mean_x * mean_y)
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return float(np.mean(luminance * structure))


def _window_mean(values: Float64, side: int) -> Float64:
    """Return the means of all side x side windows that lie inside the picture: [h-side+1, w-side+1, c]."""
    import cv2  # on use, so that importing layervec stays light

    margin = side // 2
    height, width = values.shape[:2]
    means = np.empty_like(values)
    for channel in range(values.shape[2]):
        means[..., channel] = cv2.blur(np.ascontiguousarray(values[..., channel]), (side, side))
    return means[margin : height - margin, margin : width - margin]


def _require_same_shape(a: Float32, b: Float32) -> None:
    if a.shape != b.shape or a.ndim != 3 or not a.size:
        raise ValueError(f"pictures to compare must be [h, w, c] of one size, not {a.shape} and {b.shape}")
