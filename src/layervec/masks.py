"""Where masks and labelled regions lie: what they enclose, and the box around each.

Knows pixels that are in or out; nothing of colours, trees or shapes.
"""

from __future__ import annotations

import numpy as np

from layervec.types import Bool, Float32, Int32, Int64


def holes(mask: Bool) -> Bool:
    """Return what a mask encloses: bool [h, w], what is not in it and does not reach the border of the array."""
    import cv2

    # One pixel more all round, so that all parts of the border are one.
    outside = np.pad((~mask).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(outside, None, (0, 0), 2)
    return np.asarray(outside[1:-1, 1:-1] == 1)


def grown(mask: Bool, by: int) -> Bool:
    """Return a mask that reaches so many pixels further, corners as far as sides: bool [h, w]."""
    import cv2

    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0)


def nearest(known: Bool) -> tuple[Int64, Float32]:
    """Return for each pixel the place of the nearest known one, int64 [h, w], and how far it is, px."""
    import cv2

    if not known.any():
        return np.zeros(known.shape, np.int64), np.full(known.shape, np.inf, np.float32)
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    places = np.zeros(int(labels.max()) + 1, np.int64)
    places[labels[known]] = np.flatnonzero(known)
    return places[labels], np.asarray(distance, np.float32)


def boxes(labels: Int32, count: int) -> Int64:
    """Return the bounding box of each label: int64 [count, 4], top, left, bottom, right, the last two past the end.

    labels: int32 [h, w], 0 .. count - 1. Of a label without pixels the box ends before it starts.
    """
    h, w = labels.shape
    found = np.zeros((count, 4), dtype=np.int64)
    found[:, :2] = max(h, w)
    for k, values in enumerate(np.mgrid[0:h, 0:w]):
        np.minimum.at(found[:, k], labels.ravel(), values.ravel())
        np.maximum.at(found[:, k + 2], labels.ravel(), values.ravel() + 1)
    return found
