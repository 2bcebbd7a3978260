"""Outlines that cross themselves come out simple and look as before; pieces that are worth nothing go."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import circle
from pictures import polygon as straight

from layervec.contours import outline as contours_of
from layervec.curves import self_crossings
from layervec.curves.untangle import TOLERANCE, oriented, outline_of, positive, rings, rounded, untangled
from layervec.mend import mended, without_pieces
from layervec.optimize import Fit
from layervec.raster import render
from layervec.types import Float64, Outline

SIZE = 64


def closed(*polygons: list[tuple[float, float]], bend: float = 0.0) -> Outline:
    """Polygons as an outline; handles stand off their chord by `bend` of its length."""
    points, starts = [], [0]
    for polygon in polygons:
        nodes = np.array(polygon, dtype=float)
        step = np.roll(nodes, -1, 0) - nodes
        off = bend * step[:, ::-1] * [1, -1]
        points.append(np.stack([nodes, nodes + step / 3 + off, nodes + step / 1.5 + off], 1).reshape(-1, 2))
        starts.append(starts[-1] + 3 * len(nodes))
    return Outline(np.concatenate(points), np.array(starts), np.full(starts[-1] // 3, bend == 0.0))


def drawn(outline: Outline) -> Float64:
    """Coverage of an outline, as the optimizer packs it: [h, w]."""
    return render(Fit((outline,), np.ones((1, 4))).scene(), SIZE, SIZE)[..., 3].astype(np.float64)


def crossings(outline: Outline) -> int:
    return int(self_crossings([outline], TOLERANCE)[0])


BOW = [(8.0, 8.0), (56.0, 50.0), (56.0, 8.0), (8.0, 50.0)]
RING = [(8.0, 8.0), (56.0, 8.0), (56.0, 56.0), (8.0, 56.0)]
LOOP = [(10.0, 10.0), (50.0, 10.0), (50.0, 50.0), (40.0, 30.0), (55.0, 30.0), (30.0, 55.0), (10.0, 50.0)]


@pytest.mark.parametrize("bend", [0.0, 0.1])
@pytest.mark.parametrize(
    "polygons",
    [[BOW], [LOOP], [RING, [(20.0, 20.0), (20.0, 40.0), (62.0, 40.0), (62.0, 20.0)]]],
    ids=["bow", "loop", "hole across the border"],
)
def test_a_crossing_is_cut_and_the_picture_stays(polygons: list[list[tuple[float, float]]], bend: float) -> None:
    tangled = closed(*polygons, bend=bend)
    assert crossings(tangled) > 0
    simple = untangled(tangled, even_odd=tangled.contours > 1)
    assert crossings(simple) == 0
    assert np.abs(drawn(simple) - drawn(tangled)).sum() < 10  # px, of more than 800: corners step back by 0.12


def test_the_halves_of_a_bow_are_two_contours_that_run_clockwise() -> None:
    from layervec.curves.untangle import rings

    halves = untangled(closed(BOW), even_odd=False)
    assert halves.contours == 2
    assert all(ring.area > 0 for ring in rings(halves))


def test_a_simple_outline_stays_the_same_object() -> None:
    simple = closed(RING, bend=0.1)
    assert untangled(simple, even_odd=False) is simple


def test_a_loop_too_small_to_see_leaves_no_contour() -> None:
    curl = [(8.0, 8.0), (56.0, 8.0), (56.0, 30.2), (55.6, 30.0), (56.2, 29.8), (56.0, 56.0), (8.0, 56.0)]
    assert crossings(closed(curl)) > 0
    assert untangled(closed(curl), even_odd=False).contours == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=3, max_size=9), st.sampled_from([0.0, 0.2]))
def test_whatever_is_rounded_is_closed_finite_and_on_its_grid(polygon: list[tuple[float, float]], bend: float) -> None:
    result = rounded(closed(polygon, bend=bend), 1, even_odd=False)
    assert np.isfinite(result.points).all()
    assert np.allclose(result.points * 100, np.rint(result.points * 100), atol=1e-6)
    assert all((b - a) % 3 == 0 and b > a for a, b in pairwise(result.starts))
    assert len(result.straight) == result.segments


def test_pieces_worth_nothing_go_and_those_that_show_stay() -> None:
    target = np.ones((3, SIZE, SIZE), dtype=np.float32)
    target[:, 8:40, 8:40] = 0.0
    square = [(8.0, 8.0), (40.0, 8.0), (40.0, 40.0), (8.0, 40.0)]
    speck = [(50.0, 50.0), (52.0, 50.0), (52.0, 52.0), (50.0, 52.0)]  # harm: the picture is white there
    ground = closed([(0.0, 0.0), (64.0, 0.0), (64.0, 64.0), (0.0, 64.0)])
    paints = np.array([[1.0, 1, 1, 1], [0, 0, 0, 1]])
    all_of_it = [(np.ones(2, dtype=bool), 1.0)]
    both = Fit((ground, closed(square, speck)), paints)
    assert without_pieces(both, target, 0.1, all_of_it, 1).outlines[1].contours == 1
    target[:, 50:52, 50:52] = 0.0
    assert without_pieces(both, target, 0.1, all_of_it, 1).outlines[1].contours == 2


def test_a_hole_goes_with_its_piece_and_never_alone() -> None:
    target = np.ones((3, SIZE, SIZE), dtype=np.float32)
    target[:, 8:56, 8:56] = 0.0  # the hole is wrong, but no piece
    ring = closed(RING, [(20.0, 20.0), (20.0, 30.0), (30.0, 30.0), (30.0, 20.0)])
    fit = Fit((ring,), np.array([[0.0, 0, 0, 1]]))
    assert mended(fit, target, 0.1, subsets=[(np.ones(1, dtype=bool), 1.0)], threads=1).outlines[0].contours == 2


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        ([("M", [0, 0]), ("L", [9, 9]), ("L", [9, 0]), ("L", [0, 9]), ("Z", [])], 1),
        ([("m", [0, 0]), ("l", [9, 9]), ("v", [-9]), ("l", [-9, 9])], 1),  # closed for filling without a Z
        ([("M", [0, 0]), ("H", [9]), ("V", [9]), ("H", [0]), ("Z", [])], 0),
        ([("M", [0, 0]), ("Q", [5, 20, 10, 1]), ("T", [20, 0]), ("Z", [])], 1),  # a wave over its chord
        ([("M", [0, 0]), ("C", [0, 9, 9, 9, 9, 1]), ("S", [18, -9, 18, 0]), ("Z", [])], 1),
    ],
)
def test_path_commands_are_read_as_viewers_do(steps: list[tuple[str, list[float]]], count: int) -> None:
    outline = contours_of(steps)
    assert outline is not None
    assert crossings(outline) == count


def test_paths_with_arcs_are_not_looked_at() -> None:
    assert contours_of([("M", [0, 0]), ("A", [5, 5, 0, 0, 1, 9, 9]), ("Z", [])]) is None


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_joined_adds_its_area_and_what_is_cut_out_takes_it_away(turned):
    """Contours of the square with a hole may run either way at first."""
    framed = closed(RING, [(20.0, 20.0), (30.0, 20.0), (30.0, 30.0), (20.0, 30.0)][:: -1 if turned else 1])
    square, bar = oriented(framed), oriented(closed([(50.0, 26.0), (60.0, 26.0), (60.0, 36.0), (50.0, 36.0)]))
    joined = positive(outline_of([*square, *bar]))
    cut = positive(outline_of([*square, *(ring.reversed() for ring in bar)]))
    assert drawn(joined).sum() == pytest.approx(48**2 - 10**2 + 40, abs=5)
    assert drawn(cut).sum() == pytest.approx(48**2 - 10**2 - 60, abs=5)
    assert crossings(joined) == crossings(cut) == 0


def test_small_contours_that_cross_nothing_stay_beside_a_crossing() -> None:
    """The dot of an i is no scrap because another letter of its shape crosses itself."""
    bow = straight([(10, 10), (40, 30), (40, 10), (10, 30)])
    dot = circle(50, 20, 0.45)
    both = Outline(
        np.concatenate([bow.points, dot.points]),
        np.array([0, len(bow.points), len(bow.points) + len(dot.points)], np.int64),
        np.concatenate([bow.straight, dot.straight]),
    )
    found = untangled(both, even_odd=True)
    assert not self_crossings([found]).any()
    assert any(abs(ring.area - np.pi * 0.45**2) < 0.01 for ring in rings(found))
