"""Strokes as outlines: derivatives against central differences, areas that are known, degenerate lines, fits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_scenes import circle, open_line, rectangle, scene, strokes

from layervec import raster
from layervec.raster import reference
from layervec.raster.strokes import outline

SIZE = 64
STYLES = [(join, cap) for join in ("miter", "round", "bevel") for cap in ("butt", "round", "square")]
CURVE = np.array([(10, 40), (14, 12), (30, 8), (36, 30), (40, 46), (50, 50), (55, 31)], np.float64)


def covered(lines, width, **options):
    """Return the area of one path of strokes in px, drawn by the rasteriser."""
    drawn, _ = raster.outline_strokes(strokes([lines], [width], **options))
    return float(raster.render(drawn, SIZE, SIZE, tolerance=0.01)[..., 3].sum())


def wild(rng, count):
    """Return a path with an open and a closed line of `count` random segments each."""
    return [rng.random((3 * count + 1, 2)) * SIZE, rng.random((3 * count, 2)) * SIZE]


@pytest.mark.parametrize(("join", "cap"), STYLES)
@pytest.mark.parametrize("width", [0.5, 6.0, 30.0])
def test_pull_back_matches_central_differences(join, cap, width):
    rng = np.random.default_rng(round(10 * width))
    given = strokes([wild(rng, 2), [open_line(rng.random((4, 2)) * SIZE)]], [width, width / 2], join=join, cap=cap)
    points, _, _, pull_back = outline(given, 0.025)
    upstream = rng.normal(size=points.shape)
    found = pull_back(upstream)
    step = 1e-7
    for name, gradient in (("points", found.points), ("widths", found.widths)):
        numeric = np.zeros_like(gradient)
        for index in np.ndindex(*gradient.shape):
            ends = []
            for sign in (1, -1):
                values = getattr(given, name).copy()
                values[index] += sign * step
                moved = outline(replace(given, **{name: values}), 0.025)[0]
                assert moved.shape == points.shape  # no chord or turn comes or goes within such a step
                ends.append((upstream * moved).sum())
            numeric[index] = (ends[0] - ends[1]) / (2 * step)
        assert np.abs(gradient - numeric).max() <= 1e-5 * np.abs(numeric).max(), name


def test_the_picture_follows_width_and_points():
    # From end to end: oracle's gradient by the outline, then back; smooth sums, as single pixels have kinks.
    given = strokes([[CURVE]], [7.3], join="round", cap="round")
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    waves = np.stack([np.sin(3 * x + k * y) for k in range(4)], axis=2)

    def loss(some):
        return float((waves * raster.render(raster.outline_strokes(some)[0], SIZE, SIZE, tolerance=1e-3)).sum())

    drawn, pull_back = raster.outline_strokes(given)
    found = pull_back(reference.gradients(drawn, SIZE, SIZE, waves, tolerance=1e-3).points)
    step = 0.02
    ends = [loss(replace(given, widths=given.widths + sign * step)) for sign in (1, -1)]
    assert found.widths[0] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.01)
    direction = np.random.default_rng(0).normal(size=CURVE.shape)
    ends = [loss(replace(given, points=given.points + sign * step * direction)) for sign in (1, -1)]
    assert (found.points * direction).sum() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.02)


def test_known_areas():
    line = open_line([(10.3, 20.2), (50.3, 20.2)])
    assert covered([line], 6) == pytest.approx(240, rel=1e-5)
    assert covered([line], 6, cap="square") == pytest.approx(276, rel=1e-5)
    assert covered([line], 6, cap="round") == pytest.approx(240 + 9 * np.pi, rel=1e-3)
    corner = open_line([(10.3, 10.2), (50.3, 10.2), (50.3, 50.2)])
    assert covered([corner], 6, join="bevel") == pytest.approx(480 - 9 + 4.5, rel=1e-4)
    assert covered([corner], 6, join="miter") == pytest.approx(480, rel=1e-4)
    assert covered([corner], 6, join="miter", miter_limit=1.4) == pytest.approx(480 - 9 + 4.5, rel=1e-4)
    assert covered([corner], 6, join="round") == pytest.approx(480 - 9 + 9 * np.pi / 4, rel=1e-3)


@pytest.mark.parametrize("width", [0.5, 5.0, 23.9, 30.0])
def test_a_closed_circle_is_a_ring_or_a_disc(width):
    outer, inner = 12 + width / 2, max(12 - width / 2, 0)
    wanted = np.pi * (outer**2 - inner**2)
    assert covered([circle((32.1, 31.9), 12)], width, closed=True) == pytest.approx(wanted, rel=2e-3)


def test_a_stroke_covers_whatever_is_near_its_line():
    rng = np.random.default_rng(5)
    for _ in range(6):
        path = wild(rng, 2)
        width = rng.uniform(1, 20)
        drawn, _ = raster.outline_strokes(strokes([path], [width], join="round", cap="round"))
        alpha = raster.render(drawn, SIZE, SIZE)[..., 3]
        t = np.linspace(0, 1, 200)[:, None]
        spots = []
        for line, closed in zip(path, (False, True), strict=True):
            p = np.concatenate([line, line[:1]]) if closed else line
            for a, b, c, d in (p[i : i + 4] for i in range(0, len(p) - 1, 3)):
                spots.append((1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t * t * (1 - t) * c + t**3 * d)
        y, x = np.mgrid[0.5:SIZE, 0.5:SIZE]
        centres = np.stack([x, y], axis=2).reshape(-1, 1, 2)
        distance = np.sqrt(((centres - np.concatenate(spots)) ** 2).sum(axis=2).min(axis=1)).reshape(SIZE, SIZE)
        assert (alpha[distance < width / 2 - 0.8] == 1).all()
        assert (alpha[distance > width / 2 + 0.8] == 0).all()


def test_strokes_of_one_path_do_not_show_where_they_overlap():
    cross = [open_line([(10, 10), (50, 50)]), open_line([(50, 10), (10, 50)])]
    drawn, _ = raster.outline_strokes(strokes([cross], [9], alpha=0.5))
    assert raster.render(drawn, SIZE, SIZE)[..., 3].max() == 0.5


@pytest.mark.parametrize(("cap", "area"), [("butt", 0), ("round", 16 * np.pi), ("square", 64)])
@pytest.mark.parametrize("closed", [False, True])
def test_a_line_without_length_is_a_dot(cap, area, closed):
    dot = np.full((3 if closed else 4, 2), 30.3)
    assert covered([dot], 8, closed=closed, cap=cap) == pytest.approx(area, rel=4e-3, abs=0.01)


def test_coincident_points_change_nothing():
    plain = open_line([(10, 10), (40, 14), (22, 50)])
    doubled = open_line([(10, 10), (40, 14), (40, 14), (22, 50), (22, 50)])
    for join, cap in STYLES:
        assert covered([doubled], 8, join=join, cap=cap) == pytest.approx(covered([plain], 8, join=join, cap=cap))


def test_a_line_that_comes_back_on_itself_is_one_stroke():
    there = covered([open_line([(10, 20), (50, 20)])], 8)
    assert covered([open_line([(10, 20), (50, 20), (10, 20)])], 8, join="bevel") == pytest.approx(there)
    assert covered([open_line([(10, 20), (50, 20), (10, 20)])], 8, join="round") == pytest.approx(
        there + 8 * np.pi, rel=1e-3
    )


def test_a_cusp_is_turned_round():
    cusp = np.array([(16, 50), (52, 10), (12, 10), (48, 50)], np.float64)
    apex = covered([cusp], 8, join="miter", cap="round")
    assert apex == pytest.approx(covered([cusp], 8, join="round", cap="round"))


def test_without_width_nothing_shows_but_more_width_would():
    given = strokes([[CURVE]], [0])
    drawn, pull_back = raster.outline_strokes(given)
    assert raster.render(drawn, SIZE, SIZE).max() < 0.5 / 255
    by_width = pull_back(raster.render_with_grad(drawn, SIZE, SIZE)[1](np.ones((SIZE, SIZE, 4))).points).widths[0]
    step = 1e-2
    wider = raster.render(raster.outline_strokes(replace(given, widths=np.array([step])))[0], SIZE, SIZE)
    assert by_width == pytest.approx(wider.sum() / step, rel=0.05)


def test_a_huge_width_covers_everything():
    assert covered([CURVE], 1e6, join="round", cap="round") == SIZE * SIZE


PLACE = st.one_of(
    st.sampled_from([0.0, 5.0, 16.0, 31.0, -7.0, 1e-30, 1e-6, 15.999999, 1e6, -3e7]), st.floats(-60, 90, width=32)
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    lines=st.lists(
        st.tuples(st.booleans(), st.lists(st.tuples(PLACE, PLACE), min_size=4, max_size=10)), min_size=1, max_size=3
    ),
    width=st.sampled_from([0.0, 1e-6, 0.3, 5.0, 80.0, 1e6]),
    style=st.sampled_from(STYLES),
    alpha=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_any_stroke_gives_finite_answers(lines, width, style, alpha):
    path = [
        np.array(points[: 3 * (len(points) // 3) if closed else (len(points) - 1) // 3 * 3 + 1])
        for closed, points in lines
    ]
    given = strokes([path], [width], closed=[closed for closed, _ in lines], join=style[0], cap=style[1], alpha=alpha)
    drawn, pull_back = raster.outline_strokes(given)
    found = raster.fit_pass(drawn, np.full((3, 20, 32), 0.3, np.float32), threads=1, with_alpha=True)
    back = pull_back(found.points)
    for values in (found.image, found.points, found.paints, back.points, back.widths):
        assert np.isfinite(values).all()


def test_strokes_stack_on_fills():
    fill = scene([[rectangle(4, 4, 60, 60)]], [(1, 0, 0, 1)])
    line, _ = raster.outline_strokes(strokes([[CURVE]], [5]))
    both = raster.stack(fill, line)
    under, over = raster.render(fill, SIZE, SIZE), raster.render(line, SIZE, SIZE)
    assert np.abs(raster.render(both, SIZE, SIZE) - (under * (1 - over[..., 3:]) + over)).max() <= 1e-6
    assert len(raster.stack()) == 0
    same = raster.stack(raster.stack(), fill, scene([], []), line)
    assert (same.contours == both.contours).all()
    assert (same.paths == both.paths).all()


def test_ramps_stay_with_their_paths_when_scenes_are_stacked():
    from raster_scenes import blobs, shaded

    plain, ramped = blobs(1, 4, SIZE, SIZE), shaded(blobs(2, 5, SIZE, SIZE), 2, SIZE, SIZE)
    both = raster.stack(plain, ramped)
    under, over = raster.render(plain, SIZE, SIZE), raster.render(ramped, SIZE, SIZE)
    assert np.abs(raster.render(both, SIZE, SIZE) - (under * (1 - over[..., 3:]) + over)).max() <= 1e-5


def test_a_stroke_finds_its_width_and_place():
    wanted = strokes([[CURVE]], [8.0], join="round", cap="round")
    drawn = raster.render(raster.outline_strokes(wanted)[0], SIZE, SIZE)
    target = np.ascontiguousarray((1 - drawn[..., 3:]).repeat(3, axis=2).transpose(2, 0, 1))
    start = replace(wanted, points=wanted.points + np.array([3.0, -2.5]), widths=np.array([4.0]))
    first, given = None, start
    moments = np.zeros((CURVE.size + 1, 2))
    for step in range(1, 121):
        scene_now, pull_back = raster.outline_strokes(given)
        found = raster.fit_pass(scene_now, target, threads=1)
        first = found.loss if first is None else first
        slopes = pull_back(found.points)
        slope = np.append(slopes.points.ravel(), slopes.widths)
        moments[:, 0] += 0.2 * (slope - moments[:, 0])
        moments[:, 1] += 0.05 * (slope**2 - moments[:, 1])
        change = moments[:, 0] / (1 - 0.8**step) / np.sqrt(moments[:, 1] / (1 - 0.95**step) + 1e-12)
        change *= 0.4 * (1 - step / 121)
        given = replace(
            given, points=given.points - change[:-1].reshape(-1, 2), widths=np.maximum(given.widths - change[-1:], 0.1)
        )
    assert found.loss < 0.01 * first
    assert given.widths[0] == pytest.approx(8, abs=0.15)


def test_no_strokes_and_no_lines_are_no_points():
    nothing = np.zeros((0, 2))
    for paths in ([0], [0, 0]):
        count = len(paths) - 1
        given = raster.Strokes(
            nothing,
            np.zeros(1, int),
            np.zeros(0, bool),
            np.array(paths),
            np.ones(count),
            np.ones((count, 4), np.float32),
        )
        drawn, pull_back = raster.outline_strokes(given)
        assert (raster.render(drawn, 5, 5) == 0).all()
        assert pull_back(nothing).points.shape == (0, 2)
        assert (pull_back(nothing).widths == np.zeros(count)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros((7, 3))}, "shape"),
        ({"points": np.full((7, 2), np.nan)}, "within"),
        ({"lines": np.array([0, 6])}, "lines"),
        ({"paths": np.array([0, 2])}, "paths"),
        ({"closed": np.array([True])}, "3 k"),
        ({"closed": np.array([True, False])}, "bool for each"),
        ({"widths": np.array([-1.0])}, "at least 0"),
        ({"widths": np.array([1.0, 2.0])}, "one for each"),
        ({"join": "sharp"}, "miter, round, bevel"),
        ({"cap": ["butt", "butt"]}, "butt, round, square"),
        ({"miter_limit": 0.5}, "miter limit"),
    ],
)
def test_malformed_strokes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        raster.outline_strokes(replace(strokes([[CURVE]], [5]), **change))


def test_what_does_not_fit_the_outline_is_refused():
    _, pull_back = raster.outline_strokes(strokes([[CURVE]], [5]))
    with pytest.raises(ValueError, match="d_points"):
        pull_back(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="tolerance"):
        raster.outline_strokes(strokes([[CURVE]], [5]), tolerance=0)
