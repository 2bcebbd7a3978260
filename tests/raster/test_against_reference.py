"""The kernels against the NumPy oracle, in value and gradient; the oracle against its own differences."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_scenes import blobs, random_scene, rectangle, scene, shaded

from layervec import raster
from layervec.raster import reference

SCENES = [(seed, 7, 50 + 9 * seed, 25 + 7 * seed) for seed in range(6)]


def error(found, wanted):
    """Return the largest error, relative to the largest value."""
    return np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-9)


@pytest.mark.parametrize(("seed", "count", "width", "height"), SCENES)
def test_value_and_gradient_match_the_oracle(seed, count, width, height):
    drawn = random_scene(seed, count, width, height)
    upstream = np.random.default_rng(seed).normal(size=(height, width, 4))
    image, pull_back = raster.render_with_grad(drawn, width, height)
    gradients = pull_back(upstream)
    wanted = reference.gradients(drawn, width, height, upstream)
    assert gradients.ramps is None
    assert np.abs(image - reference.render(drawn, width, height)).max() <= 2e-6
    assert error(gradients.points, wanted.points) <= 1e-5
    assert error(gradients.paints, wanted.paints) <= 1e-5


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_pass_is_the_gradient_of_its_loss(channels, with_alpha, weighted):
    width, height = 70, 40
    drawn = random_scene(11, 8, width, height)
    rng = np.random.default_rng(5)
    target = rng.random((channels, height, width), dtype=np.float32)
    weights = rng.random((height, width), dtype=np.float32) if weighted else None
    found = raster.fit_pass(drawn, target, weights=weights, with_alpha=with_alpha)

    image = reference.render(drawn, width, height)
    if channels == 3:
        image[..., :3] += 1 - image[..., 3:]
    difference = image[..., :channels].transpose(2, 0, 1) - target
    weight = np.ones((height, width)) if weights is None else weights
    upstream = np.zeros((height, width, 4))
    upstream[..., :channels] = (2 * weight * difference).transpose(1, 2, 0)
    if channels == 3:
        upstream[..., 3] = -upstream[..., :3].sum(axis=2)
    wanted = reference.gradients(drawn, width, height, upstream)
    if not with_alpha:
        wanted.paints[drawn.paints[:, 3] == 1, 3] = 0
    assert found.loss == pytest.approx((weight * difference**2).sum(), rel=1e-5)
    assert np.abs(found.image - image[..., :channels].transpose(2, 0, 1)).max() <= 2e-6
    assert error(found.points, wanted.points) <= 1e-5
    assert error(found.paints, wanted.paints) <= 1e-5


@pytest.mark.parametrize("seed", [21, 22])
def test_oracle_gradient_matches_central_differences(seed):
    width, height, step = 16, 12, 1e-5
    drawn = random_scene(seed, 3, width, height)
    drawn = replace(drawn, points=drawn.points.astype(np.float64), paints=drawn.paints.astype(np.float64))
    upstream = np.random.default_rng(seed).normal(size=(height, width, 4))
    analytic = reference.gradients(drawn, width, height, upstream)
    for name, gradient in (("points", analytic.points), ("paints", analytic.paints)):
        numeric = np.zeros_like(gradient)
        for index in np.ndindex(*gradient.shape):
            ends = []
            for sign in (1, -1):
                values = getattr(drawn, name).copy()
                values[index] += sign * step
                image = reference.render(replace(drawn, **{name: values}), width, height)
                ends.append((upstream * image).sum())
            numeric[index] = (ends[0] - ends[1]) / (2 * step)
        assert error(gradient, numeric) <= 1e-4, name


def test_an_opaque_shape_that_runs_off_the_right_hides_only_what_it_covers():
    top = scene([[rectangle(40, -5, 300, 90)]], [(1, 0, 0, 1)])
    both = scene([[rectangle(50, 10, 62, 60)], [rectangle(40, -5, 300, 90)]], [(0, 1, 0, 1), (1, 0, 0, 1)])
    assert (raster.render(both, 64, 48) == raster.render(top, 64, 48)).all()
    under = scene([[rectangle(10, 10, 300, 40)], [rectangle(30, 0, 36, 48)]], [(0, 1, 0, 1)] * 2)
    assert np.abs(raster.render(under, 64, 48) - reference.render(under, 64, 48)).max() <= 1e-6


COORDINATE = st.one_of(
    st.sampled_from([0.0, 5.0, 16.0, 31.0, 32.0, -7.0, 1e-30, 15.999999, 1e6, -1e6, 3e18, -3e30]),
    st.floats(-60, 90, width=32),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    paths=st.lists(
        st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=4).map(lambda some: some * 3),
        min_size=1,
        max_size=4,
    ),
    alphas=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4),
    even_odd=st.booleans(),
)
def test_degenerate_shapes_give_finite_answers(paths, alphas, even_odd):
    paints = [(0.2, 0.5, 0.9, alpha) for alpha in alphas[: len(paths)]]
    drawn = scene([[np.array(path)] for path in paths], paints, even_odd)
    target = np.full((3, 20, 32), 0.3, np.float32)
    image, pull_back = raster.render_with_grad(drawn, 32, 20, threads=1)
    gradients = pull_back(np.ones((20, 32, 4)))
    survey = raster.survey(drawn, target, threads=1)
    colours = raster.solve_paints(drawn, target, threads=1).paints
    for values in (image, gradients.points, gradients.paints, survey.area, survey.removal, colours):
        assert np.isfinite(values).all()
    assert image.min() >= -1e-6
    assert image.max() <= 1 + 1e-6
    near = np.abs(drawn.points).max() < 1e3
    if near:
        assert np.abs(image - reference.render(drawn, 32, 20)).max() <= 1e-4


def test_an_aligned_rectangle_can_move_every_side():
    drawn = scene([[rectangle(4, 4, 12, 12)]], [(0, 0, 0, 1)])
    target = raster.render(scene([[rectangle(3, 3, 13, 13)]], [(0, 0, 0, 1)]), 16, 16)[..., 3]
    smaller = raster.fit_pass(drawn, np.stack([1 - target] * 3))
    right, bottom = drawn.points[:, 0] == 12, drawn.points[:, 1] == 12
    assert smaller.points[right, 0].sum() < 0  # further right is better: the target is larger on that side
    assert smaller.points[bottom, 1].sum() < 0


@pytest.mark.parametrize("threads", [2, 3])
def test_bytes_do_not_depend_on_the_thread_count(threads):
    drawn = blobs(3, 20, 90, 75)
    target = np.random.default_rng(0).random((3, 75, 90), dtype=np.float32)
    assert answers(drawn, target, threads) == answers(drawn, target, 1)


def test_answers_do_not_depend_on_the_room_that_scratch_begins_with(monkeypatch):
    from layervec.raster import flatten, passes
    from layervec.raster.arena import arena

    drawn = random_scene(12, 12, 90, 75)
    target = np.random.default_rng(0).random((3, 75, 90), dtype=np.float32)
    roomy = answers(drawn, target, 1)
    monkeypatch.setattr(passes, "FIRST_LOG", 1)
    monkeypatch.setattr(flatten, "SLOTS_A_SEGMENT", 1)
    monkeypatch.setattr(flatten, "RUNS_A_PATH", 1)
    arena().clear()
    assert answers(drawn, target, 1) == roomy


@pytest.mark.parametrize("ramped", [False, True])
def test_ten_threads_may_call_at_once(ramped):
    from concurrent.futures import ThreadPoolExecutor

    drawn = shaded(blobs(4, 20, 90, 75), 4, 90, 75) if ramped else blobs(4, 20, 90, 75)
    target = np.random.default_rng(0).random((3, 75, 90), dtype=np.float32)
    alone = answers(drawn, target, 1)
    with ThreadPoolExecutor(10) as pool:
        assert all(found == alone for found in pool.map(lambda _: answers(drawn, target, 2), range(20)))


def answers(drawn, target, threads):
    """Return every result of the door as bytes."""
    _, height, width = target.shape
    fit = raster.fit_pass(drawn, target, threads=threads, with_alpha=True)
    survey = raster.survey(drawn, target, threads=threads)
    found = [
        raster.render(drawn, width, height, threads=threads),
        np.array(fit.loss),
        fit.image,
        fit.points,
        fit.paints,
        survey.area,
        survey.removal,
        raster.solve_paints(drawn, target, threads=threads).paints,
    ]
    return b"".join(values.tobytes() for values in found)
