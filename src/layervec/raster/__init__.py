"""The rasteriser: draws scenes with exact-area coverage, and says how points and paints change the picture.

The door of this package; it refuses to know about drawings, layers and files. Importing it is light: Numba
loads, and kernels compile (once, then kept on disk), on the first call. Compositing happens in sRGB-encoded
values, as SVG viewers do. Results are the same bytes for every thread count. `reference.py` is the same in
plain NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from layervec.raster.scenes import differing, stack
from layervec.raster.strokes import STROKE_FLATNESS, StrokeGradients, Strokes, outline_strokes
from layervec.types import Bool, Float32, Float64, Int64, Scene

if TYPE_CHECKING:
    from layervec.raster.prepare import Prepared

__all__ = [
    "FLATNESS",
    "STROKE_FLATNESS",
    "Colours",
    "FitPass",
    "Gradients",
    "Overlaps",
    "RampGradients",
    "StrokeGradients",
    "Strokes",
    "Survey",
    "fit_pass",
    "outline_strokes",
    "overlaps",
    "redraw",
    "render",
    "render_with_grad",
    "solve_paints",
    "stack",
    "survey",
]

FLATNESS = 0.12  # px, how far a chord may leave its curve, to either side: border pixels change by a few 1/255


@dataclass(frozen=True, slots=True, eq=False)
class RampGradients:
    """Derivatives of a number by `scene.ramps`; 0 for paths without a gradient, unused stops and jumps.

    axis: float64 [p, 4], per pixel. offsets: float64 [p, STOPS]. colours: float64 [p, STOPS, 3].
    """

    axis: Float64  # [p, 4]
    offsets: Float64  # [p, STOPS]
    colours: Float64  # [p, STOPS, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """Derivatives of a number by everything that moves in a scene.

    points: float64 [n, 2], by scene.points, per pixel.
    paints: float64 [p, 4], by scene.paints (straight RGBA); 0 for red, green, blue of a path with a gradient.
    ramps: by scene.ramps, None if the scene has none.
    """

    points: Float64  # [n, 2]
    paints: Float64  # [p, 4]
    ramps: RampGradients | None


@dataclass(frozen=True, slots=True, eq=False)
class FitPass:
    """One comparison of a scene with a target.

    loss: sum over pixels and channels of weight * (image - target)^2.
    image: float32 [c, h, w], the drawing, laid out as the target.
    points, paints, ramps: the derivatives of the loss, as in `Gradients`.
    """

    loss: float
    image: Float32  # [c, h, w]
    points: Float64  # [n, 2]
    paints: Float64  # [p, 4]
    ramps: RampGradients | None


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """Colours of a scene, sRGB-encoded, 0..1.

    paints: float32 [p, 3 or 4], red, green, blue (and alpha); those of a path with a gradient mean nothing.
    stops: float32 [p, STOPS, 3], those of paths without a gradient as in the scene; None if it has no ramps.
    """

    paints: Float32  # [p, 3 or 4]
    stops: Float32 | None  # [p, STOPS, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What each path is worth.

    area: float64 [p], px, the sum of its compositing weight over the picture.
    removal: float64 [p], how the loss of `fit_pass` would change if this path alone went; below 0 if it does
    harm.
    """

    area: Float64  # [p]
    removal: Float64  # [p]


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Which paths meet in a pixel, and how much.

    pairs: int64 [k, 2], the lower path first; each pair once, in order.
    weight: float64 [k], px, the sum over pixels of the product of both compositing weights.
    """

    pairs: Int64  # [k, 2]
    weight: Float64  # [k]


def render(
    scene: Scene, width: int, height: int, *, threads: int | None = None, tolerance: float = FLATNESS
) -> Float32:
    """Draw a scene: float32 [height, width, 4], premultiplied RGBA, sRGB-encoded, 0..1.

    threads: at most so many at once, None for one a core. tolerance: px, see `FLATNESS`. Raises ValueError
    for a scene that is malformed or not finite.
    """
    from layervec.raster.passes import DRAWING, run
    from layervec.raster.prepare import prepare

    prepared = prepare(scene, width, height, tolerance, threads)
    image = np.empty((height, width, 4), np.float32)
    run(DRAWING, prepared, np.empty((0, 0, 0), np.float32), None, False, image, threads)
    return image


def redraw(
    image: Float32,  # [height, width, 4]
    before: Scene,
    after: Scene,
    *,
    threads: int | None = None,
    tolerance: float = FLATNESS,
) -> Float32:
    """Return what `render` gives for `after`, to the byte, from the `image` that it gave for `before`.

    Only the bands of 32 rows in which some path has changed, come or gone are drawn; `image` stays as it is. Other
    arguments and errors as in `render`.
    """
    from layervec.raster.flatten import BAND_ROWS
    from layervec.raster.passes import DRAWING, run
    from layervec.raster.prepare import prepare

    found = np.array(image, dtype=np.float32)
    if found.ndim != 3 or found.shape[2] != 4:
        raise ValueError(f"image must have shape [height, width, 4], not {list(found.shape)}.")
    height, width, _ = found.shape
    prepared = prepare(after, width, height, tolerance, threads)
    dirty = np.zeros(len(prepared.cut.load), np.bool_)
    for low, high in differing(before, after):
        if high >= 0 and low < height:
            dirty[int(max(low - tolerance, 0)) // BAND_ROWS : int(min(high + tolerance, height)) // BAND_ROWS + 1] = (
                True
            )
    chosen = prepared.by_cost()
    run(DRAWING, prepared, np.empty((0, 0, 0), np.float32), None, False, found, threads, chosen[dirty[chosen]])
    return found


def render_with_grad(
    scene: Scene, width: int, height: int, *, threads: int | None = None, tolerance: float = FLATNESS
) -> tuple[Float32, Callable[[ArrayLike], Gradients]]:
    """Draw a scene as `render` does, and return with it the function that carries derivatives back.

    That function takes d(loss)/d(image), [height, width, 4], and returns the loss's `Gradients`, exact for
    every alpha including 1. It draws once more; `fit_pass` does not.
    """
    from layervec.raster.passes import PULLING, run
    from layervec.raster.prepare import prepare

    def pull_back(d_image: ArrayLike) -> Gradients:
        upstream = np.asarray(d_image, dtype=np.float32)
        if upstream.shape != (height, width, 4):
            raise ValueError(f"d_image must have shape [{height}, {width}, 4], not {list(upstream.shape)}.")
        planar = np.ascontiguousarray(upstream.transpose(2, 0, 1))
        prepared = prepare(scene, width, height, tolerance, threads)
        _, moments, paints, sums = run(PULLING, prepared, planar, None, True, np.empty_like(planar), threads)
        return Gradients(prepared.points_gradient(moments, threads), paints, _ramp_gradients(prepared, sums))

    return render(scene, width, height, threads=threads, tolerance=tolerance), pull_back


def fit_pass(
    scene: Scene,
    target: Float32,  # [3 or 4, h, w]
    *,
    weights: Float32 | None = None,  # [h, w]
    threads: int | None = None,
    with_alpha: bool = False,
    tolerance: float = FLATNESS,
) -> FitPass:
    """Compare a scene with a target: loss, picture and gradients, for one drawing and one way back.

    target: float32; 3 channels are a picture, met by the drawing over white; 4 are premultiplied RGBA.
    with_alpha: also find the gradient by the alpha of opaque paths, which costs more; without it that is 0.
    Paths with an alpha below 1 always get theirs. Raises ValueError for shapes that do not fit together.
    """
    from layervec.raster.passes import FITTING, run
    from layervec.raster.prepare import pixel_weights, planes, prepare

    height, width = _size(target)
    wanted, weight = planes(target, "target", (3, 4), height, width), pixel_weights(weights, height, width)
    prepared = prepare(scene, width, height, tolerance, threads)
    image = np.empty_like(wanted)
    loss, moments, paints, sums = run(FITTING, prepared, wanted, weight, with_alpha, image, threads)
    return FitPass(loss, image, prepared.points_gradient(moments, threads), paints, _ramp_gradients(prepared, sums))


def survey(
    scene: Scene,
    target: Float32,  # [3 or 4, h, w]
    *,
    weights: Float32 | None = None,  # [h, w]
    threads: int | None = None,
    tolerance: float = FLATNESS,
) -> Survey:
    """Measure what each path is worth for a target, in one pass. Arguments and errors as in `fit_pass`."""
    from layervec.raster.passes import MEASURING, run
    from layervec.raster.prepare import pixel_weights, planes, prepare

    height, width = _size(target)
    wanted, weight = planes(target, "target", (3, 4), height, width), pixel_weights(weights, height, width)
    prepared = prepare(scene, width, height, tolerance, threads)
    _, _, found, _ = run(MEASURING, prepared, wanted, weight, True, np.empty_like(wanted), threads)
    return Survey(found[:, 0].copy(), found[:, 1].copy())


def overlaps(
    scene: Scene, width: int, height: int, *, threads: int | None = None, tolerance: float = FLATNESS
) -> Overlaps:
    """Find all pairs of paths that show in the same pixel: neighbours along their border, and what shines through.

    A path that is hidden wherever the other one is makes no pair with it. Arguments and errors as in `render`.
    """
    from layervec.raster import colours
    from layervec.raster.prepare import prepare

    return Overlaps(*colours.overlaps(prepare(scene, width, height, tolerance, threads), threads))


def solve_paints(
    scene: Scene,
    target: Float32,  # [3 or 4, h, w]
    *,
    ridge: float = 0.0,
    prior: ArrayLike | None = None,  # [p, 3 or more]
    fixed: ArrayLike | None = None,  # bool [p]
    visible: ArrayLike | None = None,  # bool [p]
    subsets: Sequence[tuple[ArrayLike, float]] | None = None,  # (bool [p], weight)
    groups: ArrayLike | None = None,  # int [p]
    threads: int | None = None,
    tolerance: float = FLATNESS,
) -> Colours:
    """Return the colours that bring a scene closest to a target at fixed shapes and axes.

    They minimise the sum of squared differences plus ridge * |colour - prior|^2 for each path, or each stop of a
    path with a gradient, and are clipped at the end. For a target of 3 channels they are red, green, blue; for 4
    (premultiplied) straight RGBA with the alpha kept.

    ridge: px, at least 0. prior: colours to stay near and to start from, by default the scene's, as they always
    are for stops; a path that does not show keeps it. fixed: True where a path keeps its prior. visible: the paths
    that are drawn at all, by default every one. subsets: several such choices and a weight for the error of each, to
    be solved together. groups: paths of one number share one colour, with one ridge and the mean of their priors;
    no path may be fixed then or have a gradient.
    """
    from layervec.raster import colours
    from layervec.raster.prepare import planes, prepare

    height, width = _size(target)
    wanted = planes(target, "target", (3, 4), height, width)
    prepared = prepare(scene, width, height, tolerance, threads)
    if not ridge >= 0:
        raise ValueError(f"ridge must be at least 0, not {ridge}.")
    if visible is not None and subsets is not None:
        raise ValueError("Give either visible or subsets, not both.")
    chosen = subsets if subsets is not None else [(np.ones(len(scene), np.bool_) if visible is None else visible, 1.0)]
    shown = [(_flags(mask, "A subset", len(scene)), float(weight)) for mask, weight in chosen]
    if not all(weight >= 0 for _, weight in shown):
        raise ValueError("The weights of subsets must be at least 0.")
    start = np.array(scene.paints if prior is None else prior, dtype=np.float64)
    if start.ndim != 2 or len(start) != len(scene) or start.shape[1] < 3 or not np.isfinite(start).all():
        raise ValueError(f"prior must be finite, with shape [{len(scene)}, 3 or more], not {list(start.shape)}.")
    free = np.ones(len(scene), np.bool_) if fixed is None else ~_flags(fixed, "fixed", len(scene))
    together = None if groups is None else _groups(groups, scene, free)
    solved = colours.solve(
        prepared, wanted, shown, float(ridge), np.ascontiguousarray(start[:, :3]), free, threads, together
    )
    paints, stops = _held(solved[0]), None if solved[1] is None else _held(solved[1])
    if len(wanted) == 4:
        paints = np.concatenate([paints, prepared.style[0][:, 3:]], axis=1)
    return Colours(paints, stops)


def _groups(groups: ArrayLike, scene: Scene, free: Bool) -> Int64:
    """Return the groups of paths numbered from 0 without gaps: int64 [p]; raises ValueError."""
    given = np.asarray(groups)
    if given.shape != (len(scene),) or given.dtype.kind not in "iu":
        raise ValueError(f"groups must be whole numbers with shape [{len(scene)}].")
    if scene.ramps is not None or not free.all():
        raise ValueError("Groups need a scene without gradients, and no path that is fixed.")
    return np.unique(given, return_inverse=True)[1].astype(np.int64)


def _held(colours: Float64) -> Float32:
    """Return colours as float32, held in 0..1."""
    return np.clip(colours, 0.0, 1.0).astype(np.float32)


def _ramp_gradients(prepared: Prepared, sums: Float64) -> RampGradients | None:
    """Return the derivatives by the gradients of a scene, from what was summed up of each path."""
    from layervec.raster.shades import derivatives

    return None if prepared.ramps is None else RampGradients(*derivatives(prepared.ramps, sums))


def _size(target: ArrayLike) -> tuple[int, int]:
    """Return height and width of a planar picture; raises ValueError if it is none."""
    shape = np.shape(target)
    if len(shape) != 3:
        raise ValueError(f"target must have shape [channels, height, width], not {list(shape)}.")
    return shape[1], shape[2]


def _flags(values: ArrayLike, name: str, count: int) -> Bool:
    """Return `values` as bool [count]; raises ValueError."""
    found = np.ascontiguousarray(values, dtype=np.bool_)
    if found.shape != (count,):
        raise ValueError(f"{name} must have shape [{count}], not {list(found.shape)}.")
    return found
