"""Shapes find back to where they were drawn, within the constraints of their joins."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import canvas, circle, polygon, star_nodes

from layervec import raster
from layervec.curves import flatten
from layervec.economy import drop_nodes
from layervec.optimize import Fit, optimize, pack, solve_colours
from layervec.types import Outline

WIDTH, HEIGHT = 72, 60
PAINTS = np.array([(0.95, 0.95, 0.9, 1.0), (0.8, 0.2, 0.1, 1.0), (0.1, 0.3, 0.7, 1.0), (0.2, 0.6, 0.3, 1.0)])


def target_of(fit, channels=3):
    """Return what a fit shows, planar: over white, or premultiplied RGBA."""
    image = raster.render(fit.scene(), WIDTH, HEIGHT)
    pixels = image if channels == 4 else image[..., :3] + (1 - image[..., 3:])
    return np.ascontiguousarray(np.moveaxis(pixels, 2, 0), dtype=np.float32)


def on_ground(*outlines):
    return Fit((canvas(WIDTH, HEIGHT), *outlines), PAINTS[: 1 + len(outlines)].copy())


def moved(outline, by, seed=0):
    """Return an outline with every node, and its handles with it, moved by up to `by` px; lines stay."""
    random = np.random.default_rng(seed)
    shift = random.uniform(-by, by, (outline.segments, 2))
    nodes = outline.points[0::3] + shift
    following = np.roll(np.arange(outline.segments), -1)
    points = np.empty_like(outline.points)
    points[0::3] = nodes
    points[1::3] = outline.points[1::3] + shift
    points[2::3] = outline.points[2::3] + shift[following]
    chord = nodes[following] - nodes
    lines = outline.straight
    points[1::3][lines], points[2::3][lines] = (nodes + chord / 3)[lines], (nodes + 2 * chord / 3)[lines]
    return Outline(points, outline.starts, outline.straight)


def distance(a, b):
    """Mean distance of the points of one outline from the other's, both ways, px."""
    first, second = (np.concatenate(flatten(_dense(outline), 0.01)) for outline in (a, b))
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    return float((apart.min(axis=1).mean() + apart.min(axis=0).mean()) / 2)


def _dense(outline):
    """The same contour with lines cut up, so that flattened points lie everywhere on it."""
    pieces = []
    ends = np.roll(outline.points[0::3], -1, axis=0)
    for i in range(outline.segments):
        p, q, r = outline.points[3 * i : 3 * i + 3]
        u = np.linspace(0, 1, 40, endpoint=False)[:, None]
        w = 1 - u
        pieces.append(w**3 * p + 3 * u * w**2 * q + 3 * u**2 * w * r + u**3 * ends[i])
    return polygon(np.concatenate(pieces))


SHAPES = {
    "disc": circle(35, 30, 16),
    "rectangle": polygon([(18, 14), (55, 14), (55, 45), (18, 45)]),
    "star": polygon(star_nodes(36, 31, 24)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_known_shape_is_found_back(name) -> None:
    truth = SHAPES[name]
    target = target_of(on_ground(truth))
    start = moved(truth, 1.6, seed=3)
    found = optimize(on_ground(start), target, 80).outlines[1]
    before, after = distance(start, truth), distance(found, truth)
    assert before > 0.4
    assert after < before / 4, f"{before:.2f} px before, {after:.2f} px after"


def test_losses_fall_and_every_step_is_told() -> None:
    truth = on_ground(SHAPES["star"], SHAPES["disc"])
    heard = []
    start = on_ground(moved(SHAPES["star"], 1.5), moved(SHAPES["disc"], 1.5))
    optimize(start, target_of(truth), 40, on_step=lambda step, loss: heard.append((step, loss)))
    steps, losses = zip(*heard, strict=True)
    assert steps == tuple(range(1, 41))
    assert losses[-1] < 0.2 * losses[0]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])


def test_a_short_fit_does_not_spoil_a_good_one() -> None:
    truth = on_ground(SHAPES["disc"], SHAPES["star"])
    target = target_of(truth)
    good = optimize(on_ground(moved(SHAPES["disc"], 1.5), moved(SHAPES["star"], 1.5)), target, 80)
    again = optimize(good, target, 8)
    assert squared_error(again, target) <= 1.5 * squared_error(good, target) + 0.05


def squared_error(fit, target):
    return float(((target_of(fit) - target) ** 2).sum())


def test_what_is_right_stays() -> None:
    truth = on_ground(SHAPES["disc"], SHAPES["star"])
    found = optimize(truth, target_of(truth), 30)
    for before, after in zip(truth.outlines, found.outlines, strict=True):
        assert distance(before, after) < 0.02
    np.testing.assert_allclose(found.paints, truth.paints, atol=2 / 255)


def test_without_steps_only_colours_change() -> None:
    truth = on_ground(SHAPES["disc"])
    start = Fit(truth.outlines, np.array([(0.5, 0.5, 0.5, 1.0), (0.5, 0.5, 0.5, 1.0)]))
    found = optimize(start, target_of(truth), 0)
    np.testing.assert_array_equal(found.outlines[1].points, truth.outlines[1].points)
    np.testing.assert_allclose(found.paints, truth.paints, atol=2 / 255)


def test_values_given_are_not_written_into() -> None:
    start = on_ground(moved(SHAPES["disc"], 1.5))
    points, paints = start.outlines[1].points.copy(), start.paints.copy()
    optimize(start, target_of(on_ground(SHAPES["star"])), 5)
    np.testing.assert_array_equal(start.outlines[1].points, points)
    np.testing.assert_array_equal(start.paints, paints)


# Constraints


def mixed_outline():
    """Two lines with a corner between them, going over smoothly into a curve at both far ends."""
    nodes = np.array([(20.0, 14.0), (50.0, 14.0), (50.0, 44.0)])
    handles = np.array([(30, 14), (40, 14), (50, 24), (50, 34), (50, 60), (4, 14)]).reshape(3, 2, 2)
    points = np.concatenate([nodes[:, None], handles], axis=1).reshape(-1, 2)
    return Outline(points, np.array([0, 9]), np.array([True, True, False]))


def fitted_mixed():
    start = mixed_outline()
    found = optimize(on_ground(start), target_of(on_ground(polygon(star_nodes(38, 30, 24)))), 40).outlines[1]
    assert distance(start, found) > 0.5  # it has moved
    return start, found


def test_straight_segments_stay_straight() -> None:
    start, found = fitted_mixed()
    np.testing.assert_array_equal(found.straight, start.straight)
    ends = np.roll(found.points[0::3], -1, axis=0)
    for i in np.flatnonzero(found.straight):
        node, first, second = found.points[3 * i : 3 * i + 3]
        np.testing.assert_allclose(first, node + (ends[i] - node) / 3, atol=1e-9)
        np.testing.assert_allclose(second, node + (ends[i] - node) * 2 / 3, atol=1e-9)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_smooth_joins_stay_smooth() -> None:
    _, found = fitted_mixed()
    p = found.points
    assert cosine(p[6] - p[5], p[7] - p[6]) > 0.9999  # line into curve
    assert cosine(p[0] - p[8], p[1] - p[0]) > 0.9999  # curve into line
    assert abs(cosine(p[3] - p[2], p[4] - p[3])) < 0.7  # the corner may do as it likes, but it began as one
    target = target_of(on_ground(SHAPES["rectangle"]))
    disc = optimize(on_ground(SHAPES["disc"]), target, 40).outlines[1].points
    for i in range(4):
        assert cosine(disc[3 * i] - disc[3 * i - 1], disc[3 * i + 1] - disc[3 * i]) > 0.9999


def test_handles_stay_shorter_than_their_segment() -> None:
    star = on_ground(polygon(star_nodes(38, 30, 24)))
    for start in (circle(36, 30, 18, 6), circle(36, 30, 8, 3)):
        points = optimize(on_ground(start), target_of(star), 60).outlines[1].points
        nodes, ends = points[0::3], np.roll(points[0::3], -1, axis=0)
        chord = np.linalg.norm(ends - nodes, axis=1)
        assert (np.linalg.norm(points[1::3] - nodes, axis=1) <= chord).all()
        assert (np.linalg.norm(points[2::3] - ends, axis=1) <= chord).all()


def test_what_lies_on_the_border_stays_on_it() -> None:
    truth = polygon([(0, 20), (40, 24), (40, 50), (30, 60), (0, 60)])
    start = polygon([(0, 17), (37, 26), (43, 48), (33, 60), (0, 60)])
    found = optimize(on_ground(start), target_of(on_ground(truth)), 80)
    np.testing.assert_array_equal(found.outlines[0].points, canvas(WIDTH, HEIGHT).points)
    nodes = found.outlines[1].points[0::3]
    assert (nodes[[0, 4], 0] == 0).all()
    assert (nodes[[3, 4], 1] == 60).all()
    assert abs(nodes[0, 1] - 20) < 0.6  # along the border they move
    assert abs(nodes[3, 0] - 30) < 0.9


def test_shapes_that_may_not_move_do_not() -> None:
    truth = on_ground(SHAPES["disc"], SHAPES["star"])
    start = on_ground(moved(SHAPES["disc"], 1.5), moved(SHAPES["star"], 1.5))
    found = optimize(start, target_of(truth), 20, moving=np.array([True, False, True]))
    np.testing.assert_array_equal(found.outlines[1].points, start.outlines[1].points)
    assert distance(found.outlines[2], start.outlines[2]) > 0.1


def test_shapes_that_may_not_lose_nodes_do_not() -> None:
    start = on_ground(circle(30, 30, 14, segments=24), circle(60, 40, 12, segments=24))
    found = drop_nodes(start, 96, 72, 0.65, moving=np.array([False, False, True]))
    assert found.outlines[1] is start.outlines[1]
    assert found.outlines[2].segments < 12
    assert drop_nodes(start, 96, 72, 0.65, moving=np.zeros(3, dtype=bool)) is start


@pytest.mark.parametrize("ink", [0.0, 0.5, 1.0])
def test_ink_on_clear_ground_keeps_its_corners_whatever_its_colour(ink: float) -> None:
    """Premultiplied black is zero in each colour and seen by its alpha alone."""
    star = star_nodes(36, 30, 24)
    start = Fit((polygon(star),), np.array([[ink, ink, ink, 1.0]]))
    assert drop_nodes(start, WIDTH, HEIGHT, 0.65, clear=True).outlines[0].segments == len(star)


def test_hidden_shapes_do_not_move_far() -> None:
    """A disc under a larger rectangle feels nothing, while the rectangle finds its place."""
    hidden = circle(36, 30, 8)
    truth = on_ground(hidden, SHAPES["rectangle"])
    start = on_ground(hidden, moved(SHAPES["rectangle"], 1.5))
    found = optimize(start, target_of(truth), 60)
    assert distance(found.outlines[1], hidden) < 0.1
    assert np.abs(found.outlines[1].points - hidden.points).max() < 0.5
    np.testing.assert_allclose(found.paints[1], PAINTS[1], atol=1e-6)  # nothing speaks for another colour


def test_holes_are_fitted_too() -> None:
    def ring(outer, inner):
        reverse = inner.points[[0, *range(len(inner.points) - 1, 0, -1)]]  # the other way round
        points = np.concatenate([outer.points, reverse])
        starts = np.array([0, len(outer.points), len(points)])
        return Outline(points, starts, np.concatenate([outer.straight, inner.straight]))

    truth = ring(circle(36, 30, 22), circle(36, 30, 10))
    start = ring(circle(36.8, 30, 21), circle(35, 30.7, 11))
    found = optimize(on_ground(start), target_of(on_ground(truth)), 80).outlines[1]
    for cut in (slice(0, 12), slice(12, 24)):
        part = Outline(found.points[cut], np.array([0, 12]), np.zeros(4, bool))
        known = Outline(truth.points[cut], np.array([0, 12]), np.zeros(4, bool))
        assert distance(part, known) < 0.2


# Colours, and the same for everyone


def scene_of_known_colours():
    return on_ground(circle(24, 26, 16), circle(44, 36, 18), polygon(star_nodes(52, 20, 14)))


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_are_solved_exactly(channels) -> None:
    truth = scene_of_known_colours()
    start = Fit(truth.outlines, np.concatenate([np.full((4, 3), 0.5), np.ones((4, 1))], axis=1))
    paints = solve_colours(start, target_of(truth, channels)).paints
    np.testing.assert_allclose(paints, truth.paints, atol=1 / 255)
    assert (start.paints[:, :3] == 0.5).all()


def test_colours_under_glass_are_solved_exactly_and_alphas_stay() -> None:
    truth = scene_of_known_colours()
    truth.paints[1:3, 3] = 0.6, 0.4
    start = Fit(truth.outlines, np.concatenate([np.full((4, 3), 0.5), truth.paints[:, 3:]], axis=1))
    for channels in (3, 4):
        paints = solve_colours(start, target_of(truth, channels)).paints
        np.testing.assert_allclose(paints, truth.paints, atol=2 / 255)


def test_subsets_weigh_in_on_colours() -> None:
    """A base that a later shape nearly hides: by itself it should look like the whole picture."""
    base, top = (polygon([(10, 10), (60, 10), (60, low), (10, low)]) for low in (50, 48))
    truth = on_ground(base, top)
    target = target_of(truth)
    alone = solve_colours(truth, target).paints
    np.testing.assert_allclose(alone[1], PAINTS[1], atol=2 / 255)
    subsets = [(np.ones(3, bool), 1.0), (np.array([True, True, False]), 1.0)]
    shared = solve_colours(truth, target, subsets).paints
    toward = np.linalg.norm(shared[1] - PAINTS[2])
    assert toward < 0.3 * np.linalg.norm(alone[1] - PAINTS[2])
    np.testing.assert_allclose(shared[2], PAINTS[2], atol=2 / 255)


def test_what_only_a_simpler_drawing_shows_is_fitted_there() -> None:
    """A notch below another shape of nearly the same colour: without that, it should be filled."""
    notched = polygon([(18, 14), (55, 14), (55, 24), (44, 30), (55, 36), (55, 45), (18, 45)])
    above = polygon([(40, 20), (58, 20), (58, 40), (40, 40)])
    given = on_ground(notched, above)
    given.paints[2, :3] = 0.75, 0.25, 0.15
    whole, parts = target_of(given), np.array([True, True, False])
    fitted, without = (optimize(given, whole, 40, simpler=drawings) for drawings in ([(parts, 0.01)], []))
    tip = 9  # of the points
    assert abs(without.outlines[1].points[tip, 0] - 44) < 0.5
    assert fitted.outlines[1].points[tip, 0] > 47
    assert squared_error(fitted, whole) < 2.0


def test_the_number_of_threads_does_not_matter() -> None:
    start = on_ground(moved(SHAPES["star"], 1.5), moved(SHAPES["disc"], 1.5, seed=1))
    target = target_of(on_ground(SHAPES["star"], SHAPES["disc"]))
    one, two, again = (optimize(start, target, 15, threads=threads) for threads in (1, 2, 2))
    for other in (two, again):
        assert one.paints.tobytes() == other.paints.tobytes()
        for a, b in zip(one.outlines, other.outlines, strict=True):
            assert a.points.tobytes() == b.points.tobytes()


def test_a_packed_scene_holds_every_contour() -> None:
    points = np.concatenate([circle(20, 20, 9).points, circle(50, 20, 9).points])
    both = Outline(points, np.array([0, 12, 24]), np.zeros(8, bool))
    scene = pack((canvas(WIDTH, HEIGHT), both), PAINTS[:2])
    assert len(scene) == 2
    assert scene.contours.tolist() == [0, 12, 24, 36]
    assert scene.paths.tolist() == [0, 1, 3]
    assert scene.even_odd.tolist() == [False, True]
    assert len(pack((), np.zeros((0, 4)))) == 0
