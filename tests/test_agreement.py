"""Agreement of drawings with masks, on drawings whose figures are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from layervec import cli
from layervec.agreement import agreement
from layervec.image import save_png
from layervec.score import score

SIZE = 40


def box(top, left, bottom, right):
    pixels = np.zeros((SIZE, SIZE), dtype=bool)
    pixels[top:bottom, left:right] = True
    return pixels


CANVAS = box(0, 0, SIZE, SIZE)


def test_a_shape_that_is_the_mask_is_found():
    figures = agreement(box(10, 10, 30, 30)[None], [CANVAS, box(10, 10, 30, 30)], [])
    assert (figures.masks, figures.recall, figures.found) == (1, 1.0, 1.0)
    # The canvas is seen outside alone and does not touch the mask.
    assert figures.vec == 1.0


def test_what_is_seen_of_a_shape_counts_too():
    # The upper half of the lower shape is hidden; what is left of it is the mask.
    figures = agreement(box(20, 10, 30, 30)[None], [box(10, 10, 30, 30), box(10, 10, 20, 30)], [])
    assert figures.recall == 1.0


def test_layers_count_as_a_whole():
    halves = [box(10, 10, 20, 30), box(20, 10, 30, 30)]
    apart = agreement(box(10, 10, 30, 30)[None], halves, [])
    together = agreement(box(10, 10, 30, 30)[None], halves, [[0, 1]])
    assert (apart.recall, together.recall) == (0.5, 1.0)
    assert (apart.found, together.found) == (0.0, 1.0)


def test_vec_is_the_share_of_touching_shapes_that_lie_inside():
    mask = box(0, 0, 40, 20)
    inside, across, outside = box(2, 2, 8, 18), box(10, 10, 20, 30), box(30, 25, 38, 38)
    figures = agreement(mask[None], [inside, across, outside], [])
    assert figures.vec == 0.5


def test_small_masks_are_not_asked_for():
    figures = agreement(box(0, 0, 2, 2)[None], [CANVAS], [])
    assert (figures.masks, figures.recall, figures.found, figures.vec) == (0, 0.0, 0.0, 0.0)


def test_a_drawing_without_shapes_agrees_with_nothing():
    figures = agreement(box(10, 10, 30, 30)[None], [], [])
    assert (figures.masks, figures.recall, figures.vec) == (1, 0.0, 0.0)


SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><path d="M0 0H40V40H0Z" fill="#fff"/>
<g id="house"><path d="M10 10H30V20H10Z" fill="#f00"/><path d="M10 20H30V30H10Z" fill="#00f" opacity="0.4"/></g>
</svg>"""


@pytest.fixture
def drawn(tmp_path):
    picture = np.ones((SIZE, SIZE, 3), np.float32)
    picture[10:30, 10:30] = 0.2
    save_png(tmp_path / "picture.png", picture)
    (tmp_path / "masks").mkdir()
    save_png(tmp_path / "masks" / "house.png", box(10, 10, 30, 30).astype(np.float32))
    (tmp_path / "drawing.svg").write_text(SVG)
    return tmp_path


def test_score_measures_any_svg_with_translucent_shapes_and_plain_groups(drawn):
    figures = score(drawn / "drawing.svg", drawn / "picture.png", masks=drawn / "masks").objects
    assert figures is not None
    assert (figures.masks, figures.found, figures.vec) == (1, 1.0, 1.0)
    assert figures.recall == pytest.approx(1.0)


def test_score_prints_it_as_table_and_json(drawn, capsys):
    words = ["score", str(drawn / "drawing.svg"), str(drawn / "picture.png"), "--masks", str(drawn / "masks")]
    assert cli.main(words) == cli.DONE
    shown = capsys.readouterr().out
    assert "mask recall" in shown
    assert "VeC" in shown
    assert cli.main([*words, "--json"]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["objects"]["masks"] == 1
    assert cli.main(words[:3]) == cli.DONE
    assert "VeC" not in capsys.readouterr().out
