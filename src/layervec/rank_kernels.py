"""Compiled: the greedy order of shapes that lie over each other on a sample of a picture's pixels.

Called by `ranks.rank` only. Shapes count from the back. What a shape covers are its samples, `covered[starts[i] :
starts[i + 1]]`, numbers of pixels, and `error` is the squared error of each of them when it is painted by that shape.
"""

from __future__ import annotations

import numpy as np

from layervec.compiled import kernel
from layervec.types import Float32, Float64, Int32, Int64


@kernel
def lay_by_pixel(starts: Int64, covered: Int32, begins: Int64, by_pixel: Int32, owner: Int32) -> None:
    """Sort samples by their pixel, at each from back to front.

    begins: [pixels + 1], zeros; receives where the samples of each pixel begin, and where the last ones end.
    by_pixel, owner: [n], receive the sample, and the shape that it is of.
    """
    for sample in range(len(covered)):
        begins[covered[sample]] += 1
    for pixel in range(1, len(begins)):
        begins[pixel] += begins[pixel - 1]
    for i in range(len(starts) - 2, -1, -1):
        for sample in range(starts[i], starts[i + 1]):
            begins[covered[sample]] -= 1
            by_pixel[begins[covered[sample]]] = sample
            owner[begins[covered[sample]]] = i


@kernel
def order(
    starts: Int64,
    covered: Int32,
    error: Float32,
    begins: Int64,
    by_pixel: Int32,
    owner: Int32,
    left: Float64,
    first: int,
    gain: Float64,
    shown: Int32,
    found: Int64,
) -> None:
    """Write in `found` which shape saves most error over those before it, one after another: [k].

    begins, by_pixel, owner: as `lay_by_pixel` leaves them. left: [pixels], error of the bare canvas, and in the end
    that of the drawing. first: shape to begin with, -1 for any. gain: [k], and shown: [pixels], -1 everywhere, are
    worked in.
    """
    for i in range(len(gain)):
        gain[i] = 0.0
        for sample in range(starts[i], starts[i + 1]):
            gain[i] += left[covered[sample]] - error[sample]
    for step in range(len(found)):
        best = first
        if step > 0 or first < 0:
            best = int(np.argmax(gain))
        found[step] = best
        for sample in range(starts[best], starts[best + 1]):
            pixel = covered[sample]
            below = shown[pixel]
            if below > best:
                continue
            before, now = left[pixel], np.float64(error[sample])
            for at in range(begins[pixel + 1] - 1, begins[pixel] - 1, -1):
                i = owner[at]
                if i > best:
                    gain[i] += now - before
                elif i > below:
                    gain[i] -= before - error[by_pixel[at]]
                else:
                    break
            left[pixel], shown[pixel] = now, best
        gain[best] = -np.inf
