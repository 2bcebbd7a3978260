"""Compiled kernels on input of any shape: results are sound, or ValueError says what is wrong. Nothing reads beside
an array: `NUMBA_BOUNDSCHECK=1` with a `NUMBA_CACHE_DIR` of its own tells when one does.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mangle import FEW

from layervec import raster, tree
from layervec.curves import crossed_segments, fit, flatten, mean_deviation, self_crossings, simplify, straighten
from layervec.raster import Strokes
from layervec.types import STOPS, Outline, Ramps, Raster, Scene

TINY = st.sampled_from([0.0, 1e-30, 1e-7, -1e-7])
LARGE = st.sampled_from([-1e4, 1e4, 1e6, -1e9, 1e15, 3e38])
near = st.floats(-8, 40, width=32)
halves = st.integers(-4, 60).map(lambda n: n / 2)  # on borders and centres of pixels, where ties are
coordinates = st.one_of(near, halves, halves, TINY, LARGE).map(lambda value: float(np.float32(value)))
sides = st.integers(1, 33)
chances = st.floats(0, 1, width=32)


@st.composite
def offsets(draw: st.DrawFn, most: int, step: int) -> np.ndarray:
    """Draw offsets that rise from 0 in multiples of `step`; empty parts occur."""
    sizes = draw(st.lists(st.integers(0, 4), max_size=most))
    return np.cumsum([0, *sizes], dtype=np.int64) * step


@st.composite
def scenes(draw: st.DrawFn, coordinates: st.SearchStrategy[float] = coordinates) -> Scene:
    """Draw paths of any form, on the canvas, beside it and far off it, with all kinds of paint."""
    contours = draw(offsets(6, 3))
    count, size = len(contours) - 1, int(contours[-1])
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=4)))
    paths = np.array([0, *cuts, count], np.int64)
    shapes = len(paths) - 1
    points = draw(hnp.arrays(np.float32, (size, 2), elements=coordinates, fill=st.nothing()))
    paints = draw(hnp.arrays(np.float32, (shapes, 4), elements=st.sampled_from([0.0, 0.25, 1.0])))
    rules = draw(hnp.arrays(np.bool_, shapes))
    return Scene(points, contours, paths, paints, rules, draw(st.none() | ramps(shapes, coordinates)))


@st.composite
def ramps(draw: st.DrawFn, shapes: int, coordinates: st.SearchStrategy[float]) -> Ramps:
    kind = draw(hnp.arrays(np.int8, shapes, elements=st.integers(0, 2)))
    axis = draw(hnp.arrays(np.float32, (shapes, 4), elements=coordinates, fill=st.nothing()))
    axis[kind == 2, 2] = np.abs(axis[kind == 2, 2])
    stops = np.sort(draw(hnp.arrays(np.float32, (shapes, STOPS), elements=chances)), axis=1)
    return Ramps(kind, axis, stops, draw(hnp.arrays(np.float32, (shapes, STOPS, 3), elements=chances)))


@FEW
@given(scenes(), sides, sides, st.sampled_from([3, 4]), st.booleans(), st.integers(1, 2))
def test_any_scene_is_drawn_compared_and_measured(
    scene: Scene, width: int, height: int, channels: int, with_alpha: bool, threads: int
) -> None:
    image = raster.render(scene, width, height, threads=threads)
    assert -1e-5 <= image.min() <= image.max() <= 1 + 1e-5
    target = np.full((channels, height, width), 0.5, np.float32)
    found = raster.fit_pass(scene, target, threads=threads, with_alpha=with_alpha)
    np.testing.assert_allclose(found.loss, ((found.image.astype(float) - target) ** 2).sum(), rtol=1e-4)
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.paints).all()
    worth = raster.survey(scene, target, threads=threads)
    assert (worth.area >= 0).all()
    assert (worth.area <= width * height * 1.001).all()
    assert np.isfinite(worth.removal).all()
    pairs = raster.overlaps(scene, width, height, threads=threads)
    assert (pairs.pairs[:, 0] < pairs.pairs[:, 1]).all()
    assert np.isfinite(pairs.weight).all()


@FEW
@given(scenes(), sides, sides, st.sampled_from([3, 4]), st.sampled_from([0.0, 1e-3, 5.0]))
def test_paints_of_any_scene_are_solved_for(scene: Scene, width: int, height: int, channels: int, ridge: float) -> None:
    target = np.linspace(0, 1, channels * height * width, dtype=np.float32).reshape(channels, height, width)
    found = raster.solve_paints(scene, target, ridge=ridge)
    assert ((found.paints >= 0) & (found.paints <= 1)).all()
    assert found.stops is None or np.isfinite(found.stops).all()


@FEW
@given(scenes(near), sides, sides)
def test_a_pull_back_of_any_scene_is_finite(scene: Scene, width: int, height: int) -> None:
    image, pull_back = raster.render_with_grad(scene, width, height)
    found = pull_back(np.ones_like(image))
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.paints).all()


@st.composite
def strokes(draw: st.DrawFn) -> Strokes:
    pieces = draw(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=4))
    lines = np.cumsum([0, *(3 * count + (not closed) for count, closed in pieces)], dtype=np.int64)
    closed = np.array([closed for _, closed in pieces], np.bool_)
    paths = np.arange(len(pieces) + 1)
    points = draw(hnp.arrays(np.float64, (int(lines[-1]), 2), elements=coordinates, fill=st.nothing()))
    widths = draw(hnp.arrays(np.float64, len(pieces), elements=st.sampled_from([0.0, 1e-9, 0.5, 3.0, 1e5])))
    paints = np.ones((len(pieces), 4), np.float32)
    join, cap = draw(st.sampled_from(["miter", "round", "bevel"])), draw(st.sampled_from(["butt", "round", "square"]))
    return Strokes(points, lines, closed, paths, widths, paints, join=join, cap=cap)


@FEW
@given(strokes(), sides, sides)
def test_any_stroke_is_outlined_and_drawn_or_refused(given_strokes: Strokes, width: int, height: int) -> None:
    try:
        scene, pull_back = raster.outline_strokes(given_strokes)
        image = raster.render(scene, width, height)
    except ValueError:
        return
    assert 0 <= image.min() <= image.max() <= 1 + 1e-5
    found = pull_back(np.ones_like(scene.points))
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.widths).all()


@st.composite
def pictures(draw: st.DrawFn) -> Raster:
    height, width = draw(sides), draw(sides)
    levels = st.sampled_from([0.0, 1.0, 0.5, 0.50000006, 1e-20, 0.05]).map(lambda value: float(np.float32(value)))
    pixels = draw(hnp.arrays(np.float32, (height, width, 4), elements=levels))
    if draw(st.booleans()):
        pixels[..., 3] = 1.0
    return Raster(pixels)


@FEW
@given(pictures(), st.integers(0, 2), st.integers(1, 40))
def test_any_picture_has_a_sound_tree(picture: Raster, levels: int, regions: int) -> None:
    found = tree.build(picture, [picture, *[Raster(np.roll(picture.pixels, 1, axis=1))] * levels])
    numbers = np.arange(len(found))
    assert found.labels.shape == (picture.height, picture.width)
    assert found.parent[0] == -1
    assert found.last[0] == len(found)
    assert (found.parent[1:] < numbers[1:]).all()
    assert (found.last <= found.last[found.parent])[1:].all()
    leaves = np.unique(found.labels)
    np.testing.assert_array_equal(leaves, numbers[found.last == numbers + 1])
    assert np.isfinite(found.cost).all()
    nodes = tree.cut(found, regions)
    assert len(nodes) == min(regions, len(leaves))
    assert np.isfinite(tree.paint_cut(found, nodes, picture.pixels)).all()


@FEW
@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(0, 30), st.integers(0, 30))), st.sampled_from([1e-3, 0.3, 1.0, 5.0, 1e3])
)
def test_any_mask_has_finite_curves(mask: np.ndarray, tolerance: float) -> None:
    outline = fit(mask, tolerance)
    assert outline.contours > 0 or not mask.any()
    check_curves(outline, tolerance)
    assert mean_deviation(outline, mask) >= 0


@FEW
@given(offsets(4, 3), st.data(), st.sampled_from([1e-3, 1.0, 50.0]))
def test_any_outline_is_simplified(starts: np.ndarray, data: st.DataObject, tolerance: float) -> None:
    starts = starts[np.r_[True, np.diff(starts) > 0]]
    elements = st.one_of(near, halves, TINY, st.sampled_from([-1e4, 1e6]))
    points = data.draw(hnp.arrays(np.float64, (int(starts[-1]), 2), elements=elements, fill=st.nothing()))
    check_curves(Outline(points, starts, data.draw(hnp.arrays(np.bool_, int(starts[-1]) // 3))), tolerance)


def check_curves(outline: Outline, tolerance: float) -> None:
    assert np.isfinite(outline.points).all()
    assert outline.starts[-1] == len(outline.points) == 3 * outline.segments
    for less in (simplify(outline, tolerance), straighten(outline, tolerance)):
        assert np.isfinite(less.points).all()
        assert less.segments <= outline.segments
        assert less.contours == outline.contours
    assert len(flatten(outline, 0.1)) == outline.contours
    assert (self_crossings([outline]) >= 0).all()
    assert len(crossed_segments([outline])) == outline.segments
