"""A part of a drawing laid over the same part of its picture, flat, as a fit needs it.

Takes coordinates there and back, and says which shape is seen at each pixel. Knows outlines, paints and pixels;
nothing of why the part is looked at, nor of layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from layervec import image, ramps
from layervec.errors import InputError
from layervec.optimize import Fit, pack
from layervec.types import RADIAL, Bool, Drawing, Float32, Float64, Int32, Outline, Paint, Raster, Shape

LONGEST = 512  # px; a larger part is fitted at this size, as whole pictures are by default
MARGIN = 8  # px of the picture around what is changed, so that nothing which moves meets the edge of the part
LIKENESS = 0.02  # most difference between the proportions of a drawing and its picture
SMALL_HOLE = 0.3  # of the area around it; what shows through a smaller hole belongs to the thing that has it
SURE = 0.75  # share of a pixel from which on a shape is certain to be seen there


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """The part.

    shapes: those that reach into it, back to front. pixels: float32 [h, w, 3 or 4], the picture there as `refine` has
    it. A place in user units times `scale`, plus `shift`, is one in pixels of the part.
    """

    shapes: tuple[Shape, ...]
    pixels: Float32  # [h, w, c]
    scale: Float64  # [2]
    shift: Float64  # [2]

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    def fit(self) -> Fit:
        """Return the shapes in pixels of the part."""
        paints, gradients = ramps.rows([shape.paint for shape in self.shapes])
        flat = Fit(tuple(shape.outline for shape in self.shapes), paints, gradients)
        return _mapped(flat, self.scale, self.shift)

    def back(self, fit: Fit, decimals: int) -> Fit:
        """Return shapes in user units, their points rounded to so many decimals."""
        found = _mapped(fit, 1.0 / self.scale, -self.shift / self.scale)
        outlines = tuple(replace(outline, points=outline.points.round(decimals)) for outline in found.outlines)
        return replace(found, outlines=outlines)

    def mask(self, region: Bool) -> Bool:
        """Return a mask of the drawing's own pixels [height, width] as one of the part's: bool [h, w]."""
        import cv2

        # Pixels are areas: their centres lie half a pixel in.
        to_drawing = np.diag(1 / self.scale) @ np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
        to_drawing[:, 2] -= self.shift / self.scale + 0.5
        size, flags = (self.width, self.height), cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(region.astype(np.uint8), to_drawing, size, flags=flags) > 0)


def cut(drawing: Drawing, picture: Raster, box: Sequence[float]) -> Crop:
    """Return the part of a drawing around a box: left, top, right, bottom in user units.

    picture: all of what the drawing shows, at any size. Raises InputError where it has other proportions.
    """
    size, pixels = np.array([drawing.width, drawing.height]), np.array([picture.width, picture.height])
    if abs(size[0] * pixels[1] / (size[1] * pixels[0]) - 1.0) > LIKENESS + 1.0 / pixels.min():
        raise InputError(
            f"The picture is {pixels[0]} x {pixels[1]} px, which is not the shape of a drawing of"
            f" {drawing.width:g} x {drawing.height:g}."
        )
    scale = pixels / size
    corners = np.array(box, dtype=np.float64).reshape(2, 2) * scale
    margin = MARGIN * np.maximum(1.0, scale)
    first = np.clip(np.floor(corners[0] - margin), 0, pixels - 1).astype(int)
    last = np.clip(np.ceil(corners[1] + margin), first + 1, pixels).astype(int)
    part = Raster(np.ascontiguousarray(picture.pixels[first[1] : last[1], first[0] : last[0]]))
    part = image.resize(part, *image.fit_size(part.width, part.height, LONGEST))
    shrink = np.array([part.width, part.height]) / (last - first)
    shapes = tuple(shape for shape in drawing.shapes() if _meets(shape, first / scale, last / scale))
    found = image.premultiplied(part)
    return Crop(
        shapes,
        np.ascontiguousarray(found[..., :3] if picture.opaque else found),
        scale * shrink,
        -first * shrink.astype(np.float64),
    )


def bounds(shapes: Sequence[Shape]) -> Float64 | None:
    """Return left, top, right, bottom of the points of shapes; None where there are none."""
    points = [shape.outline.points for shape in shapes if len(shape.outline.points)]
    if not points:
        return None
    flat = np.concatenate(points)
    return np.concatenate([flat.min(axis=0), flat.max(axis=0)])


def drawn(fit: Fit, like: Float32, threads: int | None = None) -> Float32:
    """Draw shapes in the size and channels of `like` [h, w, 3 or 4]; with three on white."""
    from layervec import raster

    height, width, channels = like.shape
    found = raster.render(fit.scene(), width, height, threads=threads)
    return found if channels == 4 else found[..., :3] + (1.0 - found[..., 3:])


def seen(fit: Fit, width: int, height: int, threads: int | None = None) -> Int32:
    """Return which shape is seen at each pixel, as if none let light through: indices int32 [h, w], -1 for none.

    Each shape is drawn in the digits of its number, three at a time as red, green and blue. Where two mix, the nearest
    pixel that is certain decides.
    """
    import cv2

    from layervec import raster

    count = len(fit.outlines)
    numbers = np.arange(1, count + 1)
    code = np.zeros((height, width), dtype=np.int32)
    sure = np.ones((height, width), dtype=bool)
    for digit in range(0, count.bit_length(), 3):
        paints = np.ones((count, 4))
        paints[:, :3] = (numbers[:, None] >> np.arange(digit, digit + 3)) & 1
        shown = raster.render(pack(fit.outlines, paints), width, height, threads=threads)[..., :3]
        for place in range(3):
            share = shown[..., place]
            code |= (share > 0.5).astype(np.int32) << (digit + place)
            sure &= np.abs(share - 0.5) > SURE - 0.5
    sure &= code <= count
    if not sure.any():
        return np.minimum(code, count) - 1
    _, labels = cv2.distanceTransformWithLabels(
        (~sure).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, dtype=np.int32)
    nearest[labels[sure]] = code[sure]
    return np.asarray(nearest[labels] - 1)


def without_holes(fit: Fit) -> Fit:
    """Return shapes with their small holes closed, the same value if there are none."""
    from layervec.curves.edit import area, controls

    def closed(outline: Outline) -> Outline:
        spans = [slice(a, b) for a, b in pairwise(outline.starts.tolist())]
        areas = [area(controls(outline.points[span])) for span in spans]
        kept = [span for span, size in zip(spans, areas, strict=True) if size > 0 or -size > SMALL_HOLE * max(areas)]
        if len(kept) == len(spans):
            return outline
        starts = np.cumsum([0] + [span.stop - span.start for span in kept])
        straight = [outline.straight[span.start // 3 : span.stop // 3] for span in kept]
        return Outline(np.concatenate([outline.points[span] for span in kept]), starts, np.concatenate(straight))

    outlines = tuple(closed(outline) if outline.contours > 1 else outline for outline in fit.outlines)
    same = all(a is b for a, b in zip(outlines, fit.outlines, strict=True))
    return fit if same else replace(fit, outlines=outlines)


def painted(fit: Fit, i: int) -> Paint:
    """Return what shape i is filled with."""
    return ramps.paint(fit.paints, fit.ramps, i)


def _meets(shape: Shape, first: Float64, last: Float64) -> bool:
    box = bounds([shape])
    return box is not None and bool((box[:2] < last).all() and (box[2:] > first).all())


def _mapped(fit: Fit, scale: Float64, shift: Float64) -> Fit:
    """Return shapes with all places multiplied by `scale` [2] and moved by `shift` [2]."""
    outlines = tuple(replace(outline, points=outline.points * scale + shift) for outline in fit.outlines)
    if fit.ramps is None:
        return replace(fit, outlines=outlines)
    axis = fit.ramps.axis * np.tile(scale, 2) + np.tile(shift, 2)
    round_ones = fit.ramps.kind == RADIAL
    axis[round_ones, 2:] = fit.ramps.axis[round_ones, 2:] * np.sqrt(scale.prod())
    return replace(fit, outlines=outlines, ramps=replace(fit.ramps, axis=axis.astype(np.float32)))
