"""A drawing on pixels a quarter as wide as those that it was fitted on: what a viewer sees who zooms in.

A fit compares whole pixels, so strips of dark and light do for what is grey there. Here they show: as parts thinner
than a pixel, of a colour that neither the picture nor the drawing has around them. Knows outlines, paints and the
picture; changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layervec import ramps
from layervec.optimize import Fit
from layervec.types import Bool, Float32, Float64, Int16, Int64, UInt8, UInt16

ZOOM = 4  # fine pixels a pixel
THIN = 5  # fine pixels, width from which on a part is not thin
BESIDE = 11  # fine pixels, window in which a border is near
FLATNESS = 0.1  # fine pixels, how far chords may leave their curves


@dataclass(frozen=True, slots=True, eq=False)
class Fine:
    """The drawing on fine pixels: which shape shows, which one it hides, -1 for none, and what it looks like."""

    fit: Fit
    picture: UInt8  # [h, w, 3]
    owner: Int16  # [ZOOM h, ZOOM w]
    below: Int16  # [ZOOM h, ZOOM w]
    shown: UInt8  # [ZOOM h, ZOOM w, 4], on white; the last channel means nothing

    @classmethod
    def of(cls, fit: Fit, target: Float32) -> Fine:
        """Draw shapes. target: the picture as in `optimize`."""
        picture = _on_white(target)
        owner, below = _owners(fit, ZOOM * picture.shape[0], ZOOM * picture.shape[1])
        colours = np.full((len(fit.outlines) + 1, 4), 255, np.uint8)  # the last is nothing's
        colours[:-1, :3] = np.rint(fit.paints[:, :3] * 255)
        shown = np.take(colours.view(np.uint32).ravel(), owner, mode="wrap").view(np.uint8).reshape(*owner.shape, 4)
        for i in np.flatnonzero(fit.ramps.kind) if fit.ramps is not None else ():
            y, x = places(owner == i)
            shown[y, x, :3] = np.rint(_colours(fit, int(i), y, x))
        return cls(fit, picture, owner, below, shown)

    def colours(self, shape: int, y: Int64, x: Int64) -> Float64:
        """Return the colours of a shape at fine pixels, 0..255: [n, 3]."""
        return _colours(self.fit, shape, y, x)

    def look(self) -> tuple[UInt8, int]:
        """Return how strange each pixel of thin parts is, 0 elsewhere, uint8 [h, w], and how many lie beside borders.

        That is how far it is from all colours of the picture, and of what is not thin, within a pixel of the picture.
        """
        import cv2

        from layervec.fine_kernels import strangeness

        numbers = self.owner.view(np.uint16)
        core = _uniform(numbers, THIN).view(np.uint8)
        ys, xs = places(cv2.dilate(core, np.ones((THIN, THIN), np.uint8)) == 0)
        around = np.ones((3, 3), np.uint8)
        found = np.zeros(self.owner.shape, np.uint8)
        low, high = (np.asarray(of(self.picture, around), np.uint8) for of in (cv2.erode, cv2.dilate))
        strangeness(ys, xs, self.shown, core, ZOOM, low, high, found)
        return found, int(np.count_nonzero(~_uniform(numbers, BESIDE)))

    def off(self) -> Float32:
        """Return how far the drawing is above the picture: float32 [h, w, 3], in 0..1."""
        import cv2

        drawn = cv2.resize(self.shown, self.picture.shape[1::-1], interpolation=cv2.INTER_AREA)[..., :3]
        return np.asarray((drawn.astype(np.float32) - self.picture) / 255)


def places(mask: Bool) -> tuple[Int64, Int64]:
    """Return row and column of each pixel of a mask: int64 [n] each."""
    flat = np.flatnonzero(mask)
    return flat // mask.shape[1], flat % mask.shape[1]


def _on_white(target: Float32) -> UInt8:
    """A planar premultiplied picture on white: uint8 [h, w, 3]."""
    shown = target[:3] if len(target) == 3 else target[:3] + (1.0 - target[3:])
    return np.asarray(np.rint(np.moveaxis(shown, 0, 2).clip(0.0, 1.0) * 255), dtype=np.uint8)


def _uniform(numbers: UInt16, width: int) -> Bool:
    """Tell which pixels have one number alone in a window around them: [h, w]."""
    import cv2

    window = np.ones((width, width), np.uint8)
    return np.asarray(cv2.erode(numbers, window) == cv2.dilate(numbers, window))


def _owners(fit: Fit, height: int, width: int) -> tuple[Int16, Int16]:
    """Return which shape shows at each fine pixel, and which one it hides, -1 for none: int16 [h, w]."""
    from layervec.curves import chords
    from layervec.fine_kernels import paint

    outlines = [outline.scaled(ZOOM, ZOOM) for outline in fit.outlines]
    start, end, segment = chords(outlines, FLATNESS)
    first = np.searchsorted(segment, np.cumsum([0, *(outline.segments for outline in outlines)]))
    crossed = np.concatenate([[0], np.cumsum(np.abs(end[:, 1] - start[:, 1]).astype(np.int64) + 2)])
    most = int(np.diff(crossed[first]).max())
    owner, below = np.full((height, width), -1, np.int16), np.full((height, width), -1, np.int16)
    paint(start, end, first, owner, below, np.zeros(height + 1, np.int64), np.zeros(most, np.float32))
    return owner, below


def _colours(fit: Fit, shape: int, y: Int64, x: Int64) -> Float64:
    """Colours of a shape at fine pixels, 0..255: [n, 3]."""
    if fit.ramps is None or not fit.ramps.kind[shape]:
        return np.broadcast_to(fit.paints[shape, :3] * 255, (len(y), 3))
    return 255 * ramps.colours_at(fit.ramps, shape, (np.stack([x, y], axis=1) + 0.5) / ZOOM)
