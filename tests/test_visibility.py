"""What is missing in a drawing: content, not edges that are off by a fraction of a pixel."""

import numpy as np
import pytest
from pictures import BLUE, RED, WHITE, disc, painted, scenery

from layervec import visibility


def sheet(value=1.0, size=40):
    return np.full((size, size, 3), value, np.float32)


def dotted(side, contrast):
    picture = sheet()
    picture[20 : 20 + side, 20 : 20 + side] -= contrast
    return picture


def test_a_picture_lacks_nothing_of_itself() -> None:
    picture = np.asarray(scenery(), np.float32)
    assert visibility.missing(picture, picture) == []
    assert visibility.explained(picture, picture) == 1.0


@pytest.mark.parametrize("shift", [0.25, 0.5, 0.9])
def test_an_edge_off_by_less_than_a_pixel_is_not_missed(shift) -> None:
    here, there = (np.asarray(painted(WHITE, (disc(60, 60, 30 + by, 30, 20), RED)), np.float32) for by in (0.0, shift))
    assert visibility.missing(here, there) == []
    assert visibility.missing(there, here) == []
    assert visibility.explained(here, there) < 1.0


@pytest.mark.parametrize(("side", "contrast"), [(2, 1.0), (1, 1.0), (4, 0.2), (20, 0.06)])
def test_what_is_left_out_is_missed(side, contrast) -> None:
    (found,) = visibility.missing(dotted(side, contrast), sheet())
    assert (found.x, found.y, found.width, found.height) == (20, 20, side, side)
    assert found.area == side * side


@pytest.mark.parametrize(("side", "contrast"), [(1, 0.2), (20, 0.01), (2, 0.08)])
def test_what_is_too_small_or_too_faint_is_not_missed(side, contrast) -> None:
    assert visibility.missing(dotted(side, contrast), sheet()) == []


@pytest.mark.parametrize("ink", [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.7, 0.0, 0.1)])
def test_the_dot_of_a_small_i_is_missed_also_beside_its_stem(ink) -> None:
    """Both dots of a colon have a pixel and a part of the next one, as in text of 8 px."""
    ground = 1.0 - np.round(np.mean(ink))
    picture = np.full((20, 20, 3), ground, np.float32)
    picture[10:16, 9] = ink
    drawing = picture.copy()
    for x, share in ((9, 0.42), (10, 0.12)):
        picture[8, x] += share * (np.array(ink) - ground)
    (found,) = visibility.missing(picture, drawing)
    assert (found.x, found.y) == (9, 8)


def test_a_line_that_is_somewhat_too_thin_is_not_missed_but_a_faint_one_is() -> None:
    lines = []
    for share in (1.0, 0.75, 0.5):
        lines.append(sheet())
        lines[-1][10, 10:14] -= share
    assert visibility.missing(lines[0], lines[1]) == []
    assert len(visibility.missing(lines[0], lines[2])) == 1


def test_the_stronger_the_contrast_the_sooner_a_region_is_missed() -> None:
    counts = [len(visibility.missing(dotted(2, contrast), sheet())) for contrast in np.linspace(0.0, 1.0, 21)]
    assert counts == sorted(counts)
    assert {*counts} == {0, 1}
    lacks = [visibility.lacking(dotted(2, contrast), sheet()).sum() for contrast in np.linspace(0.0, 1.0, 21)]
    assert lacks == sorted(lacks)


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, lambda a: a.swapaxes(0, 1)])
def test_flips_and_turns_change_nothing(turn) -> None:
    picture = np.asarray(scenery(), np.float32)
    drawing = np.roll(picture, (2, 1), (0, 1))
    expected = turn(visibility.lacking(picture, drawing))
    turned = visibility.lacking(np.ascontiguousarray(turn(picture)), np.ascontiguousarray(turn(drawing)))
    np.testing.assert_array_equal(turned, expected)
    assert (turned > 0).any()


def test_what_a_drawing_adds_is_missing_the_other_way_round() -> None:
    assert visibility.missing(sheet(), dotted(3, 0.8)) != []
    assert visibility.missing(dotted(3, 0.8), sheet()) != []


def test_the_most_visible_region_comes_first_and_flips_change_nothing() -> None:
    picture = dotted(3, 0.5)
    picture[5:7, 30:32] = BLUE
    found = visibility.missing(picture, sheet())
    weights = [one.area * (one.contrast - visibility.FAINT) for one in found]
    assert len(found) == 2
    assert weights == sorted(weights, reverse=True)
    flipped = visibility.missing(np.ascontiguousarray(picture[:, ::-1]), sheet())
    assert [(one.area, one.contrast) for one in flipped] == [(one.area, one.contrast) for one in found]


def test_a_share_of_contrast_is_explained() -> None:
    both = dotted(3, 0.8)
    both[5:8, 5:8] = 0.2
    assert 0.4 < visibility.explained(both, dotted(3, 0.8)) < 0.6
    assert visibility.explained(sheet(), sheet()) == 1.0
