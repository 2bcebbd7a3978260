"""The rasteriser for PyTorch: `render` draws tensors and carries gradients back to them.

An adapter over the door of this package, which it takes values through and nothing else; it refuses to know how
drawing works. Kernels compute in float32 on the CPU, whatever the tensors are. Needs PyTorch, which the extra
`layervec[models]` brings; nothing else of the package imports this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layervec import raster
from layervec.types import Bool, Float32, Int64, Scene

try:
    import torch
    from torch.autograd.function import once_differentiable
except ModuleNotFoundError as error:
    raise ImportError("layervec.raster.torch needs PyTorch: pip install layervec[models]") from error

__all__ = ["render"]


def render(
    points: torch.Tensor,  # [n, 2]
    paints: torch.Tensor,  # [p, 4]
    *,
    contours: torch.Tensor | ArrayLike,  # int [c + 1]
    paths: torch.Tensor | ArrayLike | None = None,  # int [p + 1]
    even_odd: torch.Tensor | ArrayLike = False,  # bool [p] or one for all
    width: int,
    height: int,
    background: torch.Tensor | ArrayLike | None = None,  # [3 or 4] or [height, width, 3 or 4]
    threads: int | None = None,
    tolerance: float = raster.FLATNESS,
) -> torch.Tensor:
    """Draw filled paths, back to front: [height, width, 4], premultiplied RGBA, sRGB-encoded, 0..1.

    Differentiable once by points, paints and background. Points and paints are float32 or float64 and share type
    and device; the picture has both. Kernels run on the CPU in float32: other tensors are copied there and back.

    points: px, x to the right, y down; pixel (row i, column j) covers [j, j+1] x [i, i+1]. A closed contour of k
    cubic segments is 3k points: node, handle, handle, node, ...; its last segment ends at its first node.
    paints: straight RGBA, sRGB-encoded, 0..1; values outside are drawn as they are.
    contours: contour c owns points[contours[c]:contours[c + 1]].
    paths: path i owns contours paths[i] .. paths[i + 1] - 1; None for one contour a path.
    even_odd: fill rule, True even-odd, False nonzero.
    background: RGB, or straight RGBA, to draw over: one colour or a picture; None for nothing.
    threads: at most so many at once, None for one a core. tolerance: px, how far a chord may leave its curve.

    Raises TypeError for what is no tensor or of another type, ValueError for shapes that do not fit together.
    """
    _check(points, "points", 2)
    _check(paints, "paints", 4)
    if points.dtype != paints.dtype:
        raise TypeError(f"points and paints must have one type, not {points.dtype} and {paints.dtype}.")
    if points.device != paints.device:
        raise ValueError(f"points and paints must be on one device, not {points.device} and {paints.device}.")
    starts = _integers(contours, "contours")
    owners = np.arange(len(starts)) if paths is None else _integers(paths, "paths")
    rule = np.asarray(_array(even_odd), dtype=np.bool_)
    structure = (starts, owners, np.full(len(paints), rule) if rule.ndim == 0 else rule)
    ground = None if background is None else _ground(background, points, width, height)
    options = {"threads": threads, "tolerance": tolerance}
    image: torch.Tensor = _Render.apply(points, paints, ground, structure, width, height, options)
    return image


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
        structure: tuple[Int64, Int64, Bool],  # contours, paths, even_odd
        width: int,
        height: int,
        options: dict[str, Any],
    ) -> torch.Tensor:
        """Return the picture, [height, width, 4], with the type and device of `points`."""
        contours, paths, even_odd = structure
        scene = Scene(_copy(points), contours, paths, _copy(paints), even_odd)
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
        """Return d(loss)/d(points, paints, ground), with the type and device of `d_image`."""
        d_drawn, d_ground = d_image, None
        if ctx.saved_tensors:
            ground, clear = ctx.saved_tensors
            d_drawn = d_image.clone()
            d_drawn[..., 3] -= d_image @ ground if ground.ndim == 1 else (d_image * ground).sum(dim=2)
            if ctx.needs_input_grad[2]:
                d_ground = (d_image * clear).sum_to_size(ground.shape)
        found = ctx.pull_back(_array(d_drawn))
        points, paints = torch.from_numpy(found.points), torch.from_numpy(found.paints)
        return points.to(d_image), paints.to(d_image), d_ground, None, None, None, None


def _ground(background: torch.Tensor | ArrayLike, points: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """Return a background as premultiplied RGBA with the type and device of `points`; raises ValueError."""
    ground = torch.as_tensor(background, dtype=points.dtype, device=points.device)
    if ground.shape[-1:] not in ((3,), (4,)) or ground.shape[:-1] not in ((), (height, width)):
        raise ValueError(
            f"background must have shape [3 or 4] or [{height}, {width}, 3 or 4], not {list(ground.shape)}."
        )
    alpha = ground[..., 3:] if ground.shape[-1] == 4 else torch.ones_like(ground[..., :1])
    return torch.cat([ground[..., :3] * alpha, alpha], dim=-1)


def _check(values: Any, name: str, columns: int) -> None:
    """Refuse what is no tensor of float32 or float64, [any, columns]."""
    if not isinstance(values, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, not {type(values).__name__}.")
    if values.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be float32 or float64, not {values.dtype}.")
    if values.ndim != 2 or values.shape[1] != columns:
        raise ValueError(f"{name} must have shape [any, {columns}], not {list(values.shape)}.")


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


def _copy(values: torch.Tensor) -> Float32:
    """Return a tensor as an array of its own: an optimiser may write into the tensor before going back."""
    return np.array(_array(values), dtype=np.float32)
