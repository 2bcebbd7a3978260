"""What must hold for any rasteriser: areas, moves, order, cuts; and what the door refuses."""

from dataclasses import replace

import numpy as np
import pytest
from raster_scenes import blob, blobs, moved, only, random_scene, rectangle, scene, shaded

from layervec import raster

BLACK = (0.0, 0.0, 0.0, 1.0)


def test_a_rectangle_covers_its_area():
    drawn = raster.render(scene([[rectangle(2.25, 3.5, 20.75, 17.125)]], [(1, 0.5, 0, 0.5)]), 32, 24)
    assert drawn[..., 3].sum() == pytest.approx(0.5 * 18.5 * 13.625, rel=1e-6)
    assert drawn[3, 2] == pytest.approx(0.75 * 0.5 * 0.5 * np.array([1, 0.5, 0, 1]))
    assert (drawn[5:16, 4:19, 3] == 0.5).all()
    assert (drawn[:3] == 0).all()


@pytest.mark.parametrize("even_odd", [False, True])
def test_a_hole_is_a_hole_by_its_direction_or_by_even_odd(even_odd):
    hole = rectangle(6, 6, 10, 10)
    contours = [rectangle(2, 2, 14, 14), hole if even_odd else hole[::-1]]
    drawn = raster.render(scene([contours], [BLACK], even_odd), 16, 16)
    assert drawn[..., 3].sum() == pytest.approx(144 - 16, rel=0.02 if not even_odd else 1e-6)


def test_moving_by_whole_pixels_moves_the_picture():
    drawn = random_scene(1, 6, 40, 30)
    drawn = replace(drawn, points=np.round(drawn.points * 64) / 64)  # so that the move is exact in float32
    near, far = raster.render(drawn, 120, 110), raster.render(moved(drawn, 40, 37), 120, 110)
    assert np.abs(far[37:, 40:] - near[:-37, :-40]).max() <= 1e-3


def test_the_order_of_disjoint_shapes_does_not_matter():
    rng = np.random.default_rng(2)
    centres = [(15, 15), (50, 15), (15, 50), (50, 50)]
    shapes = scene([[blob(rng, centre, 10)] for centre in centres], rng.random((4, 4)))
    assert (raster.render(shapes, 64, 64) == raster.render(only(shapes, [2, 0, 3, 1]), 64, 64)).all()


def test_a_canvas_may_be_drawn_in_parts():
    drawn = random_scene(3, 8, 60, 50)
    whole = raster.render(drawn, 60, 50)
    assert np.abs(raster.render(drawn, 60, 21) - whole[:21]).max() <= 1e-6
    assert np.abs(raster.render(drawn, 23, 50) - whole[:, :23]).max() <= 1e-6
    assert np.abs(raster.render(moved(drawn, -23, -21), 37, 29) - whole[21:, 23:]).max() <= 1e-4


@pytest.mark.parametrize("change", ["move", "recolour", "drop", "add", "reorder", "shade", "nothing", "all"])
def test_redrawing_what_changed_gives_the_same_bytes(change):
    before = blobs(8, 20, 70, 200)
    if change == "shade":
        before = shaded(before, 3, 70, 200)
    after = {
        "move": lambda: replace(
            before, points=before.points + np.where(before.points > 150, 0.5, 0).astype(np.float32)
        ),
        "recolour": lambda: replace(before, paints=np.where(np.arange(20)[:, None] == 7, 0.5, before.paints)),
        "drop": lambda: only(before, [i for i in range(20) if i not in (4, 11)]),
        "add": lambda: raster.stack(before, scene([[rectangle(5, -9, 9, 40)]], [BLACK])),
        "reorder": lambda: only(before, [0, 2, 1, *range(3, 20)]),
        "shade": lambda: replace(before, ramps=replace(before.ramps, axis=before.ramps.axis + 1)),
        "nothing": lambda: before,
        "all": lambda: random_scene(9, 5, 70, 200),
    }[change]()
    image = raster.render(before, 70, 200)
    kept = image.copy()
    assert raster.redraw(image, before, after, threads=2).tobytes() == raster.render(after, 70, 200).tobytes()
    assert (image == kept).all()


def test_redrawing_leaves_other_rows_alone():
    before = blobs(8, 20, 70, 200)
    after = raster.stack(before, scene([[rectangle(5, 20, 9, 30)]], [BLACK]))
    drawn = raster.redraw(np.zeros((200, 70, 4), np.float32), before, after)
    assert drawn[:32].any()
    assert not drawn[32:].any()


def test_hidden_shapes_change_nothing():
    drawn = random_scene(6, 6, 60, 50)
    cover = scene([[rectangle(-1, -1, 61, 51)]], [(0.3, 0.6, 0.9, 1)])
    contours = np.concatenate([drawn.contours, cover.contours[1:] + len(drawn.points)])
    both = replace(
        drawn,
        points=np.concatenate([drawn.points, cover.points]),
        contours=contours,
        paths=np.append(drawn.paths, len(contours) - 1),
        paints=np.concatenate([drawn.paints, cover.paints]),
        even_odd=np.append(drawn.even_odd, False),
    )
    target = np.zeros((3, 50, 60), np.float32)
    assert (raster.render(both, 60, 50) == raster.render(cover, 60, 50)).all()
    found = raster.survey(both, target)
    assert (found.area[:-1] == 0).all()
    assert found.area[-1] == 3000
    assert (raster.fit_pass(both, target).points[: len(drawn.points)] == 0).all()


def test_an_empty_scene_is_white_paper():
    empty = scene([], [])
    target = np.zeros((3, 5, 7), np.float32)
    found = raster.fit_pass(empty, target)
    assert found.loss == 105
    assert (found.image == 1).all()
    assert found.points.shape == (0, 2)
    assert found.paints.shape == (0, 4)
    assert raster.survey(empty, target).area.shape == (0,)
    assert raster.solve_paints(empty, target).paints.shape == (0, 3)
    assert (raster.render(empty, 7, 5) == 0).all()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_removal_is_the_change_of_loss_without_the_path(channels, weighted):
    width, height = 64, 50
    drawn = random_scene(8, 9, width, height)
    rng = np.random.default_rng(8)
    target = rng.random((channels, height, width), dtype=np.float32)
    weights = rng.random((height, width), dtype=np.float32) if weighted else None
    found = raster.survey(drawn, target, weights=weights)
    before = raster.fit_pass(drawn, target, weights=weights).loss
    for path in range(len(drawn)):
        rest = only(drawn, [other for other in range(len(drawn)) if other != path])
        after = raster.fit_pass(rest, target, weights=weights).loss
        assert found.removal[path] == pytest.approx(after - before, abs=1e-5 * before)


def test_visible_areas_add_up_to_the_alpha_of_the_picture():
    drawn = blobs(9, 12, 80, 60)
    target = np.zeros((3, 60, 80), np.float32)
    alpha = raster.render(drawn, 80, 60)[..., 3]
    assert raster.survey(drawn, target).area.sum() == pytest.approx(alpha.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros((4, 2), np.float32)}, "divisible by 3"),
        ({"points": np.full((12, 2), np.nan, np.float32)}, "finite"),
        ({"contours": np.array([0, 9])}, "contours"),
        ({"paths": np.array([0, 2])}, "paths"),
        ({"paints": np.zeros((2, 4), np.float32)}, "paints"),
        ({"even_odd": np.zeros(2, bool)}, "even_odd"),
    ],
)
def test_malformed_scenes_are_refused(change, message):
    drawn = replace(scene([[rectangle(1, 1, 5, 5)]], [BLACK]), **change)
    with pytest.raises(ValueError, match=message):
        raster.render(drawn, 8, 8)


def test_wrong_sizes_are_refused():
    drawn = scene([[rectangle(1, 1, 5, 5)]], [BLACK])
    with pytest.raises(ValueError, match="canvas"):
        raster.render(drawn, 0, 8)
    with pytest.raises(ValueError, match="tolerance"):
        raster.render(drawn, 8, 8, tolerance=0)
    with pytest.raises(ValueError, match="threads"):
        raster.render(drawn, 8, 8, threads=0)
    with pytest.raises(ValueError, match="target"):
        raster.fit_pass(drawn, np.zeros((8, 8), np.float32))
    with pytest.raises(ValueError, match="target"):
        raster.fit_pass(drawn, np.zeros((2, 8, 8), np.float32))
    with pytest.raises(ValueError, match="weights"):
        raster.survey(drawn, np.zeros((3, 8, 8), np.float32), weights=np.zeros((8, 7), np.float32))
    with pytest.raises(ValueError, match="d_image"):
        raster.render_with_grad(drawn, 8, 8)[1](np.zeros((8, 8, 3)))
    with pytest.raises(ValueError, match="prior"):
        raster.solve_paints(drawn, np.zeros((3, 8, 8), np.float32), prior=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="ridge"):
        raster.solve_paints(drawn, np.zeros((3, 8, 8), np.float32), ridge=-1)


def test_importing_the_door_does_not_load_numba():
    import subprocess
    import sys

    code = "import sys, layervec.raster; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
