"""Paths with a gradient: kernels against the oracle, the oracle against differences, colours against least squares."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_scenes import (
    blobs,
    drawn_by_resvg,
    moved,
    only,
    over_white,
    polygon,
    random_scene,
    rectangle,
    rounded,
    scene,
    shaded,
    svg,
)

from layervec import raster
from layervec.raster import reference
from layervec.types import STOPS, Ramps

NAMES = ("points", "paints", "axis", "offsets", "colours")
WIDTH, HEIGHT = 60, 44


def error(found, wanted):
    """Return the largest error, relative to the largest value."""
    return np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-9)


def one_ramp(shape, kind, axis, offsets, colours, alpha=1.0):
    """Return a scene of one path with a gradient."""
    values = (np.array(part, np.float32)[None] for part in (axis, offsets, colours))
    return replace(scene([[shape]], [(0, 0, 0, alpha)]), ramps=Ramps(np.array([kind], np.int8), *values))


def grey(*values):
    return np.repeat(np.array(values, np.float32)[:, None], 3, axis=1)


def compare(found, wanted, limit):
    """Check all of `Gradients` or a `FitPass` against the oracle's."""
    parts = (found.points, found.paints, found.ramps.axis, found.ramps.offsets, found.ramps.colours)
    for name, part in zip(NAMES, parts, strict=True):
        assert error(part, getattr(wanted, name)) <= limit, name


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("make", [random_scene, lambda *some: moved(blobs(*some), 0.3, 0.3)])
def test_value_and_gradient_match_the_oracle(seed, make):
    width, height = 50 + 9 * seed, 25 + 7 * seed
    drawn = shaded(make(seed, 9, width, height), seed, width, height)
    upstream = np.random.default_rng(seed).normal(size=(height, width, 4))
    image, pull_back = raster.render_with_grad(drawn, width, height)
    assert np.abs(image - reference.render(drawn, width, height)).max() <= 2e-5
    compare(pull_back(upstream), reference.gradients(drawn, width, height, upstream), 1e-4)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_fit_pass_is_the_gradient_of_its_loss(channels, with_alpha):
    drawn = shaded(random_scene(11, 8, WIDTH, HEIGHT), 11, WIDTH, HEIGHT)
    target = np.random.default_rng(5).random((channels, HEIGHT, WIDTH), dtype=np.float32)
    found = raster.fit_pass(drawn, target, with_alpha=with_alpha)
    image = reference.render(drawn, WIDTH, HEIGHT)
    planar = over_white(image) if channels == 3 else image.transpose(2, 0, 1)
    upstream = np.zeros((HEIGHT, WIDTH, 4))
    upstream[..., :channels] = 2 * (planar - target).transpose(1, 2, 0)
    if channels == 3:
        upstream[..., 3] = -upstream[..., :3].sum(axis=2)
    wanted = reference.gradients(drawn, WIDTH, HEIGHT, upstream)
    if not with_alpha:
        wanted.paints[drawn.paints[:, 3] == 1, 3] = 0
    assert found.loss == pytest.approx(((planar - target) ** 2).sum(), rel=1e-5)
    assert np.abs(found.image - planar).max() <= 2e-5
    compare(found, wanted, 1e-4)


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_oracle_gradient_matches_central_differences(seed):
    width, height, step = 16, 12, 1e-5
    drawn = shaded(random_scene(seed, 3, width, height), seed, width, height)
    precise = (values.astype(np.float64) for values in (drawn.ramps.axis, drawn.ramps.offsets, drawn.ramps.colours))
    drawn = replace(
        drawn,
        points=drawn.points.astype(np.float64),
        paints=drawn.paints.astype(np.float64),
        ramps=Ramps(drawn.ramps.kind, *precise),
    )
    upstream = np.random.default_rng(seed).normal(size=(height, width, 4))
    analytic = reference.gradients(drawn, width, height, upstream)
    ramps = drawn.ramps
    distinct = np.ones((len(drawn), STOPS), bool)  # a step from or to an equal offset has no derivative
    distinct[:, 1:] &= ramps.offsets[:, 1:] > ramps.offsets[:, :-1]
    distinct[:, :-1] &= ramps.offsets[:, :-1] < ramps.offsets[:, 1:]
    for name in NAMES:
        holder = drawn if name in ("points", "paints") else ramps
        numeric = np.zeros_like(getattr(analytic, name))
        for index in np.ndindex(*numeric.shape):
            ends = []
            for sign in (1, -1):
                values = getattr(holder, name).copy()
                values[index] += sign * step
                changed = replace(holder, **{name: values})
                image = reference.render(changed if holder is drawn else replace(drawn, ramps=changed), width, height)
                ends.append((upstream * image).sum())
            numeric[index] = (ends[0] - ends[1]) / (2 * step)
        gradient = getattr(analytic, name)
        where = distinct if name == "offsets" else np.ones(gradient.shape, bool)
        assert error(gradient[where], numeric[where]) <= 1e-4, name


def test_beyond_its_ends_a_gradient_goes_on_and_unused_stops_do_not_show():
    stops = [(0, 0.25, 0.75, 0.75), grey(0.2, 0.2, 0.8, 0.0)]
    drawn = raster.render(one_ramp(rectangle(0, 0, 40, 8), 1, (10, 0, 30, 0), *stops), 40, 8)
    assert drawn[0, :15, 0] == pytest.approx(0.2)
    assert drawn[0, 25:, 0] == pytest.approx(0.8)
    assert drawn[0, 20, 0] == pytest.approx(0.2 + 0.6 * (20.5 - 15) / 10)


def test_equal_offsets_are_a_jump_and_an_axis_without_length_is_the_last_colour():
    jump = raster.render(one_ramp(rectangle(0, 0, 40, 8), 1, (0, 0, 40, 0), (0, 0.5, 0.5, 1), grey(0, 0, 1, 1)), 40, 8)
    assert (jump[..., :20, 0] == 0).all()
    assert jump[..., 20:, 0] == pytest.approx(1)
    for kind, axis in ((1, (5, 5, 5, 5)), (2, (5, 5, 0, 0))):
        flat = one_ramp(rectangle(0, 0, 40, 8), kind, axis, (0, 0.3, 0.6, 0.6), grey(0.1, 0.2, 0.3, 0.9))
        assert raster.render(flat, 40, 8)[..., :3] == pytest.approx(0.3)
        found = raster.solve_paints(flat, np.full((3, 8, 40), 0.6, np.float32))
        assert found.stops[0, :, 0] == pytest.approx([0.1, 0.2, 0.6, 0.6])


PLACE = st.one_of(
    st.sampled_from([0.0, 5.5, 16.0, 20.0, 32.0, -40.0, 1e-30, 1e6, -1e6, 3e18, -3e30]), st.floats(-60, 90, width=32)
)
OFFSET = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1, width=32))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kinds=st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=4),
    axes=st.lists(st.tuples(PLACE, PLACE, PLACE, PLACE), min_size=4, max_size=4),
    offsets=st.lists(st.tuples(OFFSET, OFFSET, OFFSET, OFFSET).map(sorted), min_size=4, max_size=4),
    alphas=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4),
    seed=st.integers(0, 100),
)
def test_any_gradient_gives_finite_answers(kinds, axes, offsets, alphas, seed):
    count, width, height = len(kinds), 32, 20
    rng = np.random.default_rng(seed)
    kind, axis = np.array(kinds, np.int8), np.array(axes[:count], np.float32)
    axis[kind == 2, 2] = np.abs(axis[kind == 2, 2])
    ramps = Ramps(kind, axis, np.array(offsets[:count], np.float32), rng.random((count, STOPS, 3), dtype=np.float32))
    drawn = random_scene(seed, count, width, height)
    paints = drawn.paints.copy()
    paints[:, 3] = alphas[:count]
    drawn = replace(drawn, paints=paints, ramps=ramps)
    target = np.full((3, height, width), 0.3, np.float32)
    image, pull_back = raster.render_with_grad(drawn, width, height, threads=1)
    upstream = rng.normal(size=(height, width, 4))
    gradients = pull_back(upstream)
    survey = raster.survey(drawn, target, threads=1)
    colours = raster.solve_paints(drawn, target, threads=1)
    by_ramps = (gradients.ramps.axis, gradients.ramps.offsets, gradients.ramps.colours)
    answers = (gradients.points, gradients.paints, *by_ramps, survey.area, survey.removal, colours.paints)
    for values in (image, *answers, colours.stops):
        assert np.isfinite(values).all()
    gaps = np.diff(ramps.offsets, axis=1)
    if np.abs(axis).max() < 1e3 and ((gaps == 0) | (gaps > 1e-2)).all() and _long(ramps):
        assert np.abs(image - reference.render(drawn, width, height)).max() <= 1e-4
        compare(gradients, reference.gradients(drawn, width, height, upstream), 1e-3)


def _long(ramps):
    """Tell whether no axis has a length close to nothing: rounding decides then where in a pixel its ends lie."""
    reach = np.where(ramps.kind == 2, ramps.axis[:, 2], np.hypot(*(ramps.axis[:, 2:] - ramps.axis[:, :2]).T))
    return ((reach == 0) | (reach > 0.1)).all()


@pytest.mark.parametrize("channels", [3, 4])
def test_removal_is_the_change_of_loss_without_the_path(channels):
    drawn = shaded(random_scene(8, 9, WIDTH, HEIGHT), 8, WIDTH, HEIGHT)
    rng = np.random.default_rng(8)
    target = rng.random((channels, HEIGHT, WIDTH), dtype=np.float32)
    weights = rng.random((HEIGHT, WIDTH), dtype=np.float32)
    found = raster.survey(drawn, target, weights=weights)
    before = raster.fit_pass(drawn, target, weights=weights).loss
    for path in range(len(drawn)):
        rest = only(drawn, [other for other in range(len(drawn)) if other != path])
        after = raster.fit_pass(rest, target, weights=weights).loss
        assert found.removal[path] == pytest.approx(after - before, abs=1e-5 * before)


def weight_matrix(drawn, shown):
    """Return the weight of each colour in each pixel, [pixels, p + p * STOPS], by the oracle."""
    found = reference.layers(drawn, WIDTH, HEIGHT, raster.FLATNESS, shown)
    columns = np.zeros((HEIGHT, WIDTH, len(drawn), 1 + STOPS))
    for path in range(len(drawn)):
        through = np.ones((HEIGHT, WIDTH))
        for other in range(path + 1, len(drawn)):
            through = through * (1 - drawn.paints[other, 3] * found.shares[other])
        weight = through * drawn.paints[path, 3] * found.shares[path]
        if drawn.ramps.kind[path]:
            columns[:, :, path, 1:] = weight[..., None] * reference.hats(drawn, path, WIDTH, HEIGHT)[0]
        else:
            columns[:, :, path, 0] = weight
    return columns.reshape(HEIGHT * WIDTH, -1)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("make", [blobs, random_scene])
def test_the_optimum_is_reached(channels, make):
    drawn = shaded(make(5, 9, WIDTH, HEIGHT), 5, WIDTH, HEIGHT)
    target = np.random.default_rng(1).normal(0.5, 0.02, (channels, HEIGHT, WIDTH)).astype(np.float32)
    if channels == 4:  # within reach of colours in 0..1
        target *= raster.render(drawn, WIDTH, HEIGHT)[..., 3]
    prior = np.full((9, 3), 0.5, np.float32)
    ramps = replace(drawn.ramps, colours=np.full((9, STOPS, 3), 0.5, np.float32))
    drawn, ridge = replace(drawn, ramps=ramps), 0.5
    subsets = [(np.arange(9) < 5, 0.25), (np.ones(9, bool), 1.0)]
    found = raster.solve_paints(drawn, target, ridge=ridge, prior=prior, subsets=subsets)
    unknowns = 9 * (1 + STOPS)
    rows, wanted = [np.sqrt(ridge) * np.eye(unknowns)], [np.sqrt(ridge) * np.full((unknowns, 3), 0.5)]
    for shown, weight in subsets:
        matrix = weight_matrix(drawn, shown)
        ground = 1 - matrix.sum(axis=1) if channels == 3 else np.zeros(len(matrix))
        rows.append(np.sqrt(weight) * matrix)
        wanted.append(np.sqrt(weight) * (target[:3].reshape(3, -1).T - ground[:, None]))
    best = np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=None)[0].reshape(9, 1 + STOPS, 3)
    solid = drawn.ramps.kind == 0
    assert found.paints.shape == (9, channels)
    assert np.abs(found.paints[solid, :3] - np.clip(best[solid, 0], 0, 1)).max() <= 1e-4
    for path in np.flatnonzero(~solid):
        last = int(np.argmax(ramps.offsets[path] == ramps.offsets[path, -1]))
        wanted = np.clip(best[path, 1:], 0, 1)[np.minimum(np.arange(STOPS), last)]
        assert np.abs(found.stops[path] - wanted).max() <= 1e-4


def test_the_stops_of_a_drawing_are_found_again():
    drawn = shaded(blobs(3, 5, WIDTH, HEIGHT), 3, WIDTH, HEIGHT)
    target = over_white(raster.render(drawn, WIDTH, HEIGHT))
    ramps = replace(drawn.ramps, colours=np.full((5, STOPS, 3), 0.5, np.float32))
    found = raster.solve_paints(replace(drawn, ramps=ramps), target, ridge=1e-6)
    again = replace(drawn, paints=np.concatenate([found.paints, drawn.paints[:, 3:]], axis=1))
    again = replace(again, ramps=replace(ramps, colours=found.stops))
    assert np.abs(over_white(raster.render(again, WIDTH, HEIGHT)) - target).max() <= 1e-4
    whole = one_ramp(rectangle(0, 0, 60, 44), 1, (0, 0, 60, 0), (0, 0.3, 0.6, 1), grey(0.1, 0.9, 0.4, 0.7))
    target = over_white(raster.render(whole, WIDTH, HEIGHT))
    unknown = replace(whole, ramps=replace(whole.ramps, colours=np.zeros((1, STOPS, 3), np.float32)))
    assert raster.solve_paints(unknown, target).stops[0, :, 0] == pytest.approx([0.1, 0.9, 0.4, 0.7], abs=1e-5)
    assert (raster.solve_paints(unknown, target, fixed=[True]).stops == 0).all()
    assert (raster.solve_paints(unknown, target, visible=[False]).stops == 0).all()


@pytest.mark.parametrize("threads", [2, 3])
def test_bytes_do_not_depend_on_threads_and_first_room(threads, monkeypatch):
    from layervec.raster import passes
    from layervec.raster.arena import arena

    drawn = shaded(blobs(3, 20, 90, 75), 3, 90, 75)
    target = np.random.default_rng(0).random((3, 75, 90), dtype=np.float32)

    def answers(count):
        fit = raster.fit_pass(drawn, target, threads=count, with_alpha=True)
        solved = raster.solve_paints(drawn, target, threads=count)
        survey = raster.survey(drawn, target, threads=count)
        by_ramps = (fit.ramps.axis, fit.ramps.offsets, fit.ramps.colours)
        parts = (fit.image, fit.points, fit.paints, *by_ramps, solved.paints, solved.stops, survey.removal)
        return b"".join(part.tobytes() for part in parts)

    alone = answers(1)
    monkeypatch.setattr(passes, "FIRST_LOG", 1)
    arena().clear()
    assert answers(threads) == alone


def test_ramps_of_no_path_change_nothing():
    drawn = blobs(3, 20, 90, 75)
    solid = replace(shaded(drawn, 3, 90, 75).ramps, kind=np.zeros(20, np.int8))
    target = np.random.default_rng(0).random((3, 75, 90), dtype=np.float32)
    plain, other = (raster.fit_pass(some, target) for some in (drawn, replace(drawn, ramps=solid)))
    assert (plain.points == other.points).all()
    assert (plain.image == other.image).all()
    assert (other.ramps.colours == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": np.array([3], np.int8)}, "kind"),
        ({"kind": np.zeros(2, np.int8)}, "kind"),
        ({"axis": np.zeros((1, 3), np.float32)}, "axis"),
        ({"axis": np.full((1, 4), np.nan, np.float32)}, "axis"),
        ({"offsets": np.array([[0, 0.5, 0.4, 1]], np.float32)}, "not fall"),
        ({"offsets": np.array([[0, 0.5, 0.6, 1.1]], np.float32)}, "0..1"),
        ({"colours": np.zeros((1, 4, 4), np.float32)}, "colours"),
        ({"kind": np.array([2], np.int8), "axis": np.array([[4, 4, -1, 0]], np.float32)}, "radius"),
    ],
)
def test_malformed_ramps_are_refused(change, message):
    drawn = one_ramp(rectangle(1, 1, 5, 5), 1, (0, 0, 8, 0), (0, 1, 1, 1), grey(0, 1, 1, 1))
    with pytest.raises(ValueError, match=message):
        raster.render(replace(drawn, ramps=replace(drawn.ramps, **change)), 8, 8)


@pytest.mark.parametrize("seed", range(4))
def test_resvg_draws_the_same(seed):
    size, mean, far, far_share = 128, 0.4 / 255, 16 / 255, 0.003
    rng = np.random.default_rng(seed)
    tame = blobs(seed, 8, size, size)
    tame.paints[:, 3] = 1  # resvg keeps 8 bits, and loses half a step with each layer that is translucent
    ring = [rectangle(20, 20, 100, 90), polygon([(40, 35), (85, 45), (60, 80)])]
    shapes = [[tame.points[a:b]] for a, b in zip(tame.contours[:-1], tame.contours[1:], strict=True)]
    drawn = scene([*shapes, ring], np.concatenate([tame.paints, [(0, 0, 0, 0.6)]]), even_odd=True)
    drawn = shaded(drawn, seed, size, size)
    kind = np.where(drawn.ramps.kind == 0, 1, drawn.ramps.kind).astype(np.int8)
    axis = drawn.ramps.axis.copy()
    axis[kind != drawn.ramps.kind] = rng.random(4) * size
    drawn = rounded(replace(drawn, ramps=Ramps(kind, axis, drawn.ramps.offsets, drawn.ramps.colours)))
    difference = np.abs(over_white(raster.render(drawn, size, size)) - drawn_by_resvg(svg(drawn, size)))
    assert difference.mean() <= mean
    assert (difference > far).mean() <= far_share
