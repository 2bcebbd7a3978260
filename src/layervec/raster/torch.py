"""The rasteriser for PyTorch: `render` draws tensors and carries gradients back to them; so do outlines of strokes.

An adapter over the door of this package, which it takes values through and nothing else; it refuses to know how
drawing works. Kernels compute in float32 on the CPU, whatever the tensors are. Needs PyTorch, which the extra
`layervec[models]` brings; nothing else of the package imports this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from layervec import raster, types
from layervec.raster.strokes import MITER_LIMIT, Strokes, outline
from layervec.types import STOPS, Bool, Int8, Int64, Scene

try:
    import torch
    from torch.autograd.function import once_differentiable
except ModuleNotFoundError as error:
    raise ImportError("layervec.raster.torch needs PyTorch: pip install '.[models]'") from error

__all__ = ["Outlines", "Ramps", "outline_strokes", "render"]


@dataclass(frozen=True, slots=True, eq=False)
class Ramps:
    """The gradients of p paths as tensors, one row a path, as `layervec.types.Ramps` has them.

    kind: int [p], 0 where the path has one colour (the rest of its row then means nothing), 1 linear, 2 radial.
    axis: [p, 4], px, x and y of start and end, or of the centre, then the radius and 0.
    offsets: [p, 4], 0..1, not falling; unused stops repeat the last one, and equal ones are a jump.
    colours: [p, 4, 3], sRGB-encoded red, green, blue of each stop.
    """

    kind: torch.Tensor | ArrayLike  # int [p]
    axis: torch.Tensor  # [p, 4]
    offsets: torch.Tensor  # [p, 4]
    colours: torch.Tensor  # [p, 4, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Filled paths that strokes look like, as `render` takes them; all nonzero.

    points: [m, 2], px, differentiable once. contours: int64 [c + 1]. paths: int64 [p + 1].
    """

    points: torch.Tensor  # [m, 2]
    contours: Int64  # [c + 1]
    paths: Int64  # [p + 1]


def render(
    points: torch.Tensor,  # [n, 2]
    paints: torch.Tensor,  # [p, 4]
    *,
    contours: torch.Tensor | ArrayLike,  # int [c + 1]
    paths: torch.Tensor | ArrayLike | None = None,  # int [p + 1]
    even_odd: torch.Tensor | ArrayLike = False,  # bool [p] or one for all
    ramps: Ramps | None = None,
    width: int,
    height: int,
    background: torch.Tensor | ArrayLike | None = None,  # [3 or 4] or [height, width, 3 or 4]
    threads: int | None = None,
    tolerance: float = raster.FLATNESS,
) -> torch.Tensor:
    """Draw filled paths, back to front: [height, width, 4], premultiplied RGBA, sRGB-encoded, 0..1.

    Differentiable once by points, paints, background and all of `ramps` but its kinds. Points, paints and ramps are
    float32 or float64 and share type and device; the picture has both. Kernels run on the CPU in float32: other
    tensors are copied there and back.

    points: px, x to the right, y down; pixel (row i, column j) covers [j, j+1] x [i, i+1]. A closed contour of k
    cubic segments is 3k points: node, handle, handle, node, ...; its last segment ends at its first node.
    paints: straight RGBA, sRGB-encoded, 0..1; values outside are drawn as they are. Of a path with a gradient only
    the alpha counts.
    contours: contour c owns points[contours[c]:contours[c + 1]].
    paths: path i owns contours paths[i] .. paths[i + 1] - 1; None for one contour a path.
    even_odd: fill rule, True even-odd, False nonzero.
    ramps: gradients of some paths, None where all have one colour.
    background: RGB, or straight RGBA, to draw over: one colour or a picture; None for nothing.
    threads: at most so many at once, None for one a core. tolerance: px, how far a chord may leave its curve.

    Raises TypeError for what is no tensor or of another type, ValueError for shapes that do not fit together.
    """
    _check(points, "points", 2)
    _check(paints, "paints", 4)
    _check_alike(points, "points", paints, "paints")
    starts = _integers(contours, "contours")
    owners = np.arange(len(starts)) if paths is None else _integers(paths, "paths")
    rule = np.asarray(_array(even_odd), dtype=np.bool_)
    kind, *shades = (None, None, None, None) if ramps is None else _ramps(ramps, points, len(paints))
    structure = (starts, owners, np.full(len(paints), rule) if rule.ndim == 0 else rule, kind)
    ground = None if background is None else _ground(background, points, width, height)
    options = {"threads": threads, "tolerance": tolerance}
    image: torch.Tensor = _Render.apply(points, paints, ground, *shades, structure, width, height, options)
    return image


def outline_strokes(
    points: torch.Tensor,  # [n, 2]
    widths: torch.Tensor,  # [p]
    *,
    lines: torch.Tensor | ArrayLike,  # int [c + 1]
    closed: torch.Tensor | ArrayLike = False,  # bool [c] or one for all
    paths: torch.Tensor | ArrayLike | None = None,  # int [p + 1]
    join: str | Sequence[str] = "miter",
    cap: str | Sequence[str] = "butt",
    miter_limit: float = MITER_LIMIT,
    tolerance: float = raster.STROKE_FLATNESS,
) -> Outlines:
    """Turn strokes into filled paths for `render`, differentiable once by points and widths.

    Arguments mean what the fields of `layervec.raster.Strokes` do; tensors are float32 or float64 and share type and
    device, and so does the outline. Computed in float64 on the CPU.

    paths: path i owns centre lines paths[i] .. paths[i + 1] - 1; None for one line a path. tolerance: px, how far the
    outline's chords may leave a centre line.

    Raises TypeError for what is no tensor or of another type, ValueError for malformed strokes.
    """
    _check(points, "points", 2)
    _check(widths, "widths")
    _check_alike(points, "points", widths, "widths")
    starts = _integers(lines, "lines")
    shut = np.asarray(_array(closed), dtype=np.bool_)
    shut = np.full(len(starts) - 1, shut) if shut.ndim == 0 else shut
    owners = np.arange(len(starts)) if paths is None else _integers(paths, "paths")
    options = {"join": join, "cap": cap, "miter_limit": miter_limit}
    found = _Outline.apply(points, widths, (starts, shut, owners), options, tolerance)
    return Outlines(*found)


class _Outline(torch.autograd.Function):
    """`raster.outline_strokes` as a node of PyTorch's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        points: torch.Tensor,
        widths: torch.Tensor,
        structure: tuple[Int64, Bool, Int64],  # lines, closed, paths
        options: dict[str, Any],
        tolerance: float,
    ) -> tuple[torch.Tensor, Int64, Int64]:
        """Return the fields of `Outlines`, points with the type and device of `points`."""
        copies = _copy(points, np.float64), _copy(widths, np.float64)
        lines, closed, owners = structure
        unpainted = np.zeros((len(widths), 4), np.float32)
        strokes = Strokes(copies[0], lines, closed, owners, copies[1], unpainted, **options)
        outlines, contours, paths, ctx.pull_back = outline(strokes, tolerance)
        return torch.from_numpy(outlines).to(points), contours, paths

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_points: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
        """Return d(loss)/d(points, widths), with the type and device of `d_points`."""
        found = ctx.pull_back(_array(d_points))
        points, widths = torch.from_numpy(found.points), torch.from_numpy(found.widths)
        return points.to(d_points), widths.to(d_points), None, None, None


class _Render(torch.autograd.Function):
    """`raster.render_with_grad` as a node of PyTorch's graph, with what lies below the drawing.

    PyTorch's own operations would composite as well, but going back through them takes longer than drawing.
    """

    @staticmethod
    def forward(
        ctx: Any,
        points: torch.Tensor,
        paints: torch.Tensor,
        ground: torch.Tensor | None,  # [4] or [height, width, 4], premultiplied
        axis: torch.Tensor | None,  # with the next two, as in `Ramps`
        offsets: torch.Tensor | None,
        colours: torch.Tensor | None,
        structure: tuple[Int64, Int64, Bool, Int8 | None],  # contours, paths, even_odd, kind of ramps
        width: int,
        height: int,
        options: dict[str, Any],
    ) -> torch.Tensor:
        """Return the picture, [height, width, 4], with the type and device of `points`."""
        contours, paths, even_odd, kind = structure
        ramps = None
        if kind is not None and axis is not None and offsets is not None and colours is not None:
            ramps = types.Ramps(kind, _copy(axis), _copy(offsets), _copy(colours))
        scene = Scene(_copy(points), contours, paths, _copy(paints), even_odd, ramps)
        drawn, ctx.pull_back = raster.render_with_grad(scene, width, height, **options)
        image = torch.from_numpy(drawn).to(points)
        if ground is None:
            return image
        clear = 1 - image[..., 3:]
        ctx.save_for_backward(ground, clear)
        return image.addcmul_(clear, ground)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_image: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return d(loss)/d(points, paints, ground, axis, offsets, colours), with the type and device of `d_image`."""
        d_drawn, d_ground = d_image, None
        if ctx.saved_tensors:
            ground, clear = ctx.saved_tensors
            d_drawn = d_image.clone()
            d_drawn[..., 3] -= d_image @ ground if ground.ndim == 1 else (d_image * ground).sum(dim=2)
            if ctx.needs_input_grad[2]:
                d_ground = (d_image * clear).sum_to_size(ground.shape)
        found = ctx.pull_back(_array(d_drawn))
        points, paints = (torch.from_numpy(values).to(d_image) for values in (found.points, found.paints))
        by_ramps: list[torch.Tensor | None] = [None, None, None]
        if found.ramps is not None:
            parts = (found.ramps.axis, found.ramps.offsets, found.ramps.colours)
            by_ramps = [torch.from_numpy(values).to(d_image) for values in parts]
        return points, paints, d_ground, *by_ramps, None, None, None, None


def _ground(background: torch.Tensor | ArrayLike, points: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """Return a background as premultiplied RGBA with the type and device of `points`; raises ValueError."""
    ground = torch.as_tensor(background, dtype=points.dtype, device=points.device)
    if ground.shape[-1:] not in ((3,), (4,)) or ground.shape[:-1] not in ((), (height, width)):
        raise ValueError(
            f"background must have shape [3 or 4] or [{height}, {width}, 3 or 4], not {list(ground.shape)}."
        )
    alpha = ground[..., 3:] if ground.shape[-1] == 4 else torch.ones_like(ground[..., :1])
    return torch.cat([ground[..., :3] * alpha, alpha], dim=-1)


def _ramps(ramps: Ramps, points: torch.Tensor, count: int) -> tuple[Int8, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the fields of the gradients of `count` paths; raises TypeError and ValueError."""
    kind = _integers(ramps.kind, "ramps.kind")
    if kind.shape != (count,) or ((kind < types.SOLID) | (kind > types.RADIAL)).any():
        raise ValueError(f"ramps.kind must be 0, 1 or 2 for each of the {count} paths.")
    parts = (("axis", ramps.axis, (4,)), ("offsets", ramps.offsets, (STOPS,)), ("colours", ramps.colours, (STOPS, 3)))
    for name, values, size in parts:
        _check(values, f"ramps.{name}", *size)
        _check_alike(points, "points", values, f"ramps.{name}")
    return kind.astype(np.int8), ramps.axis, ramps.offsets, ramps.colours


def _check(values: Any, name: str, *size: int) -> None:
    """Refuse what is no tensor of float32 or float64, [any, *size]."""
    if not isinstance(values, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, not {type(values).__name__}.")
    if values.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be float32 or float64, not {values.dtype}.")
    if values.ndim != 1 + len(size) or values.shape[1:] != size:
        wanted = ", ".join(["any", *map(str, size)])
        raise ValueError(f"{name} must have shape [{wanted}], not {list(values.shape)}.")


def _check_alike(first: torch.Tensor, first_name: str, second: torch.Tensor, second_name: str) -> None:
    """Refuse two tensors of different types, or on different devices."""
    if first.dtype != second.dtype:
        raise TypeError(f"{first_name} and {second_name} must have one type, not {first.dtype} and {second.dtype}.")
    if first.device != second.device:
        devices = f"{first.device} and {second.device}"
        raise ValueError(f"{first_name} and {second_name} must be on one device, not {devices}.")


def _integers(values: torch.Tensor | ArrayLike, name: str) -> Int64:
    """Return offsets as int64; raises TypeError where they are no integers."""
    found = np.asarray(_array(values))
    if found.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, not {found.dtype}.")
    return found.astype(np.int64)


def _array(values: torch.Tensor | ArrayLike) -> ArrayLike:
    """Return a tensor as an array, and anything else as it is."""
    if not isinstance(values, torch.Tensor):
        return values
    found: NDArray[Any] = values.detach().cpu().numpy()
    return found


def _copy(values: torch.Tensor, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return a tensor as an array of its own: an optimiser may write into the tensor before going back."""
    return np.array(_array(values), dtype=dtype)
