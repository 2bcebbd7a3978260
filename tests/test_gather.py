"""Pictures of few colours and many pieces are drawn art of few shapes, whatever the number of pieces."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import resvg_py
from PIL import Image, ImageDraw, ImageFont

from layervec import Settings, gather, vectorize, visibility
from layervec.curves import signed_area, untangle
from layervec.curves.edit import all_controls, area, controls
from layervec.types import Float64, Int32, Outline, UInt8

INK, PAPER = (30, 60, 140), (250, 240, 220)
PITCH = 12  # px from dot to dot


def dots(side: int) -> UInt8:
    """Return side x side antialiased dots on paper: uint8 [h, w, 3]."""
    across = (np.arange(side * PITCH * 4) + 0.5) / 4 % PITCH - PITCH / 2
    inside = np.hypot(across[:, None], across[None]) <= 0.35 * PITCH
    share = inside.reshape(side * PITCH, 4, side * PITCH, 4).mean(axis=(1, 3))[..., None]
    return np.asarray((share * INK + (1 - share) * np.array(PAPER)).round(), np.uint8)


def text_page() -> UInt8:
    image = Image.new("RGB", (480, 400), PAPER)
    pen = ImageDraw.Draw(image)
    for line in range(16):
        pen.text((16, 12 + 24 * line), "many small letters are ink on paper", INK, ImageFont.load_default(18))
    return np.asarray(image)


def shown(svg: str) -> UInt8:
    return np.asarray(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGB"))


def fills(svg: str) -> set[str]:
    return {part.split('"')[0] for part in svg.split(' fill="')[1:]}


@pytest.mark.parametrize(("picture", "most"), [(dots(30), 2), (text_page(), 12)], ids=["dots", "text"])
def test_many_pieces_of_one_ink_are_few_shapes_in_their_exact_colours(picture: UInt8, most: int) -> None:
    svg = vectorize(Image.fromarray(picture), Settings(quality="draft")).svg
    assert svg.count("<path") <= most
    assert fills(svg) == {"#{:02x}{:02x}{:02x}".format(*colour) for colour in (INK, PAPER)}
    drawn = shown(svg)
    assert drawn.mean() == pytest.approx(picture.mean(), rel=0.03)
    as_shares = [pixels.astype(np.float32) / 255 for pixels in (picture, drawn)]
    assert visibility.missing(as_shares[0], as_shares[1]) == []


def rows_of_marks(marks: dict[tuple[int, int], int], grounds: list[int]) -> tuple[Int32, Int32]:
    """Return labels of single marks, each beside the ground of its row of cells, and what touches what."""
    labels = np.repeat(np.repeat(np.array(grounds, np.int32)[:, None], 90, 1), 3, 0)
    pairs = [(a, b) for a, b in itertools.pairwise(grounds)]
    for (row, column), mark in marks.items():
        labels[3 * row + 1, column] = mark
        pairs.append((grounds[row], mark))
    return labels, np.array(pairs, np.int32)


def test_pieces_are_gathered_by_colour_and_by_what_they_touch() -> None:
    marks = {(row, column): 2 + 4 * row + i for row in range(2) for i, column in enumerate((1, 3, 5, 7))}
    labels, contacts = rows_of_marks(marks, [0, 1])
    colours = np.array([[1.0], [0.8], *[[0.0], [0.0], [0.0], [0.5]] * 2])
    one = gather.alike(labels, contacts, colours, np.ones(10, bool), 0.01)
    assert one.tolist() == [0, 1, 2, 2, 2, 5, 6, 6, 6, 9]
    assert gather.alike(labels, contacts, colours, np.zeros(10, bool), 0.01).tolist() == list(range(10))


def every_pair(start: Float64, end: Float64) -> list[tuple[int, int]]:
    def side(a: Float64, b: Float64, c: Float64) -> float:
        return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    return [
        (i, j)
        for i in range(len(start))
        for j in range(i + 1, len(start))
        if side(start[i], end[i], start[j]) * side(start[i], end[i], end[j]) < 0
        and side(start[j], end[j], start[i]) * side(start[j], end[j], end[i]) < 0
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_crossing_pairs_are_those_of_trying_every_pair(count: int) -> None:
    random = np.random.default_rng(count)
    start = random.uniform(0, 60, (count, 2))
    end = start + random.normal(0, 20, (count, 2))
    pairs, where = untangle._pairs(start, end)
    assert [tuple(pair) for pair in pairs.tolist()] == every_pair(start, end)
    for (i, j), (s, t) in zip(pairs, where, strict=True):
        assert start[i] + s * (end[i] - start[i]) == pytest.approx(start[j] + t * (end[j] - start[j]))


def test_controls_and_area_of_many_contours_are_those_of_each() -> None:
    random = np.random.default_rng(1)
    starts = np.cumsum([0, *3 * random.integers(1, 6, 20)])
    outline = Outline(random.uniform(0, 90, (starts[-1], 2)), starts, np.zeros(starts[-1] // 3, bool))
    each = [controls(outline.points[a:b]) for a, b in itertools.pairwise(starts)]
    np.testing.assert_array_equal(all_controls(outline), np.concatenate(each))
    assert signed_area(outline) == sum(map(area, each))
