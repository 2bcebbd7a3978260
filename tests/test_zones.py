"""Plain zones of drawn art, what they make up, and the gradients that explain them."""

import cv2
import numpy as np
from pictures import BLUE, RED, WHITE, disc, grid, jpeg, noisy, painted, raster, scenery

from layervec import gradients, plain, ramps, tree, zones
from layervec.types import LINEAR, RADIAL


def zones_of(picture, known=()):
    picture = np.ascontiguousarray(picture, np.float32)
    known = np.array(known, np.float32).reshape(-1, picture.shape[2])
    return zones.find(tree.without_fringes(picture), picture, known)


def built(picture):
    source = raster(picture)
    return tree.build(source, [source])


def shown(found, node):
    return (found.labels >= node) & (found.labels < found.last[node])


def nodes_around(found, y, x):
    node = int(found.labels[y, x])
    while node >= 0:
        yield node
        node = int(found.parent[node])


def face(height=96, width=96):
    """Two equal eyes with pupils on a disc."""
    eyes = [disc(height, width, x, 42, 10) for x in (34, 62)]
    pupils = [disc(height, width, x, 42, 5) for x in (34, 62)]
    return painted(
        WHITE,
        (disc(height, width, 48, 48, 36), RED),
        *[(eye, (0.9, 0.9, 0.5)) for eye in eyes],
        *[(pupil, BLUE) for pupil in pupils],
    )


def test_flat_fills_are_one_zone_each() -> None:
    found = zones_of(scenery())
    assert len(found) == 8
    assert found.solid.all()
    assert (found.labels >= 0).mean() > 0.99


def test_a_soft_ramp_is_one_zone_and_an_edge_ends_it() -> None:
    _, x = grid(80, 120, 1)
    soft = np.stack([0.2 + 0.6 * x / 120, 0.3 + 0 * x, 0.8 - 0.5 * x / 120], axis=2).astype(np.float32)
    soft[20:60, 30:60] = (1.0, 1.0, 0.2)
    found = zones_of(soft)
    assert len(found) == 2
    assert sorted(found.solid) == [False, True]


def test_noise_and_compression_are_no_drawn_art() -> None:
    for spoilt in (noisy(scenery(), 0.04), jpeg(scenery(), 80)):
        assert not len(built(spoilt).stands)
    assert len(built(scenery()).stands)


def test_a_zone_stands_for_all_that_it_encloses() -> None:
    found = built(face())
    whole = disc(96, 96, 48, 48, 36)
    around = [node for node in nodes_around(found, 75, 48) if found.stands[node] >= 0 and node]
    assert len(around) == 1
    np.testing.assert_array_equal(shown(found, around[0])[whole > 0.9], True)
    np.testing.assert_array_equal(shown(found, around[0])[whole < 0.1], False)
    inner = next(node for node in nodes_around(found, 75, 48) if found.stands[node] != tree.ANY)
    assert found.stands[inner] == tree.NO_SHAPE  # the disc without its eyes is none


def test_equal_pieces_on_one_ground_are_one_shape_and_so_is_what_lies_on_them() -> None:
    found = built(face())
    for y, x in ((42, 34), (42, 27)):  # a pupil, an eye
        shape = next(node for node in nodes_around(found, y, x) if found.stands[node] >= 0)
        assert shown(found, shape)[y, 96 - x]
        assert not shown(found, shape)[75, 48]


def test_unequal_pieces_stay_apart() -> None:
    small, large = disc(96, 96, 26, 48, 9), disc(96, 96, 66, 48, 24)
    found = built(painted(WHITE, (small, RED), (large, RED)))
    shape = next(node for node in nodes_around(found, 48, 26) if found.stands[node] >= 0)
    assert not shown(found, shape)[48, 66]


def test_sets_lie_apart_or_one_in_the_other() -> None:
    found = zones_of(face())
    order = plain.structure(found, found.labels)
    assert order is not None
    leaves = order.nested.leaves
    for i, around in enumerate(order.nested.parent):
        for j in range(len(leaves)):
            common = (leaves[i] & leaves[j]).sum()
            assert common in (0, leaves[i].sum(), leaves[j].sum())
        assert around == -1 or (around > i and not (leaves[i] & ~leaves[around]).any())


def test_a_linear_gradient_is_found_again() -> None:
    y, x = np.mgrid[0.5:60, 0.5:90]
    t = np.clip((x + y) / 150, 0, 1)
    colours = np.stack([t, 1 - t, np.full_like(t, 0.5)], axis=2).reshape(-1, 3)
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    found = gradients.fit(places, colours, np.ones(len(places)))
    assert found.kind[0] == LINEAR
    assert np.abs(ramps.colours_at(found, 0, places) - colours).max() < 0.02


def test_a_radial_gradient_with_a_bend_is_found_again() -> None:
    y, x = np.mgrid[0.5:80, 0.5:80]
    t = np.hypot(x - 30, y - 36) / 60
    colours = np.stack(
        [np.interp(t, [0, 0.4, 1], stops) for stops in ([1, 0.9, 0.1], [1, 0.5, 0], [0.2, 0, 0])], axis=2
    )
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    found = gradients.fit(places, colours.reshape(-1, 3), np.ones(len(places)))
    assert found.kind[0] == RADIAL
    np.testing.assert_allclose(found.axis[0, :2], (30, 36), atol=1)
    assert np.abs(ramps.colours_at(found, 0, places) - colours.reshape(-1, 3)).mean() < 0.01


def test_a_thin_line_is_a_detail_in_its_colour_and_stays_whole():
    picture = np.array(painted(WHITE, (disc(256, 256, 128, 128, 80), RED)))
    picture[20:236, 127:129] = (0.1, 0.1, 0.2)
    found = zones_of(picture)
    line = int(found.labels[100, 127])
    assert found.details[line]
    np.testing.assert_allclose(found.colours[line], (0.1, 0.1, 0.2), atol=1e-6)
    np.testing.assert_array_equal(found.labels[30:226, 127:129], line)
    assert not found.details[found.labels[30:226, [126, 129]]].any()


def test_what_shows_the_canvas_through_a_thing_stays_clear() -> None:
    """A body on two legs, of other colours, encloses a piece of the clear ground with its shadow."""
    picture = np.zeros((96, 96, 4), np.float32)
    for rows, columns, colour in (
        (slice(10, 50), slice(10, 86), RED),
        (slice(50, 70), slice(20, 30), BLUE),
        (slice(50, 70), slice(66, 76), BLUE),
        (slice(70, 80), slice(20, 76), (0.9, 0.7, 0.1)),
    ):
        picture[rows, columns] = (*colour, 1.0)
    found = built(picture)
    gap = found.labels[60, 48]
    for node in nodes_around(found, 30, 30):
        if (node and found.stands[node] >= 0) or found.stands[node] == tree.THING:
            assert not shown(found, node)[60, 48]
    assert gap != found.labels[30, 30]


def test_level_and_round_parts_of_one_blurred_line_are_one_zone():
    """Where a line is level its pixels have just one tone; where it bends they have many, all near it."""
    drawn = np.zeros((1280, 1280), np.uint8)
    cv2.circle(drawn, (640, 640), 440, 255, 60)
    cv2.line(drawn, (640, 200), (640, 1080), 255, 60)
    alpha = cv2.GaussianBlur(cv2.resize(drawn, (160, 160), interpolation=cv2.INTER_AREA), (0, 0), 1.5) / 255
    ink = np.concatenate([np.zeros((160, 160, 3)), alpha[..., None]], axis=2).astype(np.float32)
    assert len(np.unique(zones_of(ink).labels[alpha > 0.9])) == 1


def test_a_dark_rim_around_a_light_thing_on_clear_ground_is_kept():
    """On black the rim's colour lies between the thing's and none at all, on white it does not."""
    y, x = grid(480, 480, 1)
    away = np.hypot(x - 240, y - 240)
    dark, light = (0.55, 0.33, 0.18, 1.0), (0.88, 0.73, 0.58, 1.0)
    big = np.where((away < 200)[..., None], np.where((away < 190)[..., None], light, dark), 0.0).astype(np.float32)
    found = zones_of(cv2.resize(big, (60, 60), interpolation=cv2.INTER_AREA), [dark])
    rim = np.abs(found.colours - dark).max(axis=1) < 0.05
    assert np.bincount(found.labels.ravel() + 1)[1:][rim].sum() > 2 * np.pi * 25 * 0.9


def test_what_holds_clear_canvas_is_never_a_shape():
    """Beside a letter, clear ground that a second letter encloses would be merged and painted with both."""
    picture = np.zeros((64, 96, 4), np.float32)
    picture[10:50, 8:16] = picture[10:50, 22:46] = picture[10:50, 60:90] = (0.0, 0.0, 0.0, 1.0)
    picture[18:28, 30:38] = picture[34:44, 30:38] = picture[20:40, 68:82] = 0.0
    found = built(picture)
    opaque = tree.node_sums(found, picture[..., 3:])[1:, 0]
    clear = tree.node_sums(found, 1.0 - picture[..., 3:])[1:, 0]
    assert (found.stands[1:][(opaque > 0) & (clear > 0)] == tree.NO_SHAPE).all()
