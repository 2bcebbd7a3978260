"""The preset `paper` from settings to the SVG: its structure, which stays, its details, and who wins over whom."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pictures import averaged, disc

from layervec import InputError, Settings, cli, paper, stacking, svg, vectorize
from layervec.image import open_picture, premultiplied, save_png
from layervec.score import only, render_svg, score
from layervec.segment import Mask
from layervec.settings import from_yaml

SIZE = (72, 96)
PATHS = 20
CHOICES = {"preset": "paper", "paths": PATHS}


def scene():
    """Return a picture of a face with eyes on a wall with a light band, and masks of face, eyes and a hidden rest."""
    face, left, right = disc(*SIZE, 48, 38, 26), disc(*SIZE, 38, 32, 6), disc(*SIZE, 58, 32, 6)
    picture = np.full((*SIZE, 3), (0.2, 0.4, 0.5), np.float32)
    picture[8:16] = (0.5, 0.7, 0.8)
    for cover, colour in ((face, (0.9, 0.7, 0.5)), (left, (1, 1, 1)), (right, (1, 1, 1))):
        picture = picture * (1 - cover[..., None]) + cover[..., None] * np.array(colour, np.float32)
    picture[48:54, 36:60] = (0.6, 0.1, 0.1)  # a mouth, of which no mask tells
    picture[30:34, 36:40] = picture[30:34, 56:60] = 0.0
    return picture.astype(np.float32), [face > 0.5, left > 0.5, right > 0.5]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    picture, masks = scene()
    save_png(folder / "picture.png", picture)
    (folder / "masks").mkdir()
    (folder / "levels").mkdir()
    for number, mask in enumerate(masks):
        save_png(folder / "masks" / f"{number}.png", mask.astype(np.float32))
    (folder / "masks" / "labels.json").write_text(json.dumps({"0.png": "face", "1.png": "left eye"}))
    save_png(folder / "levels" / "1.png", averaged(picture.repeat(2, axis=0).repeat(2, axis=1), 2))
    return folder


@pytest.fixture(scope="module")
def made(files):
    """Return the drawing, and the structure as it was before details came."""
    found = []

    def on_event(event):
        if event.value is not None and event.stage in ("arrange", "refine"):
            found.append(event.value)

    result = vectorize(files / "picture.png", Settings(**CHOICES, masks=str(files / "masks")), on_event=on_event)
    return result, found[0].drawing


def things(drawing):
    return {layer.thing: layer for layer in drawing.root.layers() if layer.thing}


def test_masks_become_nested_objects_and_the_picture_is_met(made, files):
    result, _ = made
    found = things(result.drawing)
    assert set(found) == {"face", "left eye", "object"}
    assert found["left eye"] in list(found["face"].layers())
    shapes = result.drawing.shapes()
    assert 5 <= len(shapes) <= PATHS
    assert sorted(shape.rank for shape in shapes) == list(range(1, len(shapes) + 1))
    figures = score(result.svg, files / "picture.png", masks=files / "masks")
    assert figures.psnr > 28
    assert figures.objects.recall > 0.95


def test_the_structure_comes_first_and_stays(made):
    result, structure = made
    first = {shape.id: shape for shape in structure.shapes()}
    assert len(first) == 4
    last = {shape.id: shape for shape in result.drawing.shapes()}
    for name, shape in first.items():
        assert last[name].rank == shape.rank <= 4
        assert last[name].paint == shape.paint
        np.testing.assert_allclose(last[name].outline.points, shape.outline.points, atol=0.01)


def test_colours_of_the_structure_are_dominant_not_mean(made):
    _, structure = made
    (face,) = (shape for shape in structure.shapes() if shape.rank == 2)
    np.testing.assert_allclose([face.paint.red, face.paint.green, face.paint.blue], (0.9, 0.7, 0.5), atol=0.02)


def test_details_lie_in_the_layer_of_what_they_lie_on(made):
    result, structure = made
    known = {shape.id for shape in structure.shapes()}
    mouths = [
        shape
        for shape in things(result.drawing)["face"].shapes()
        if shape.id not in known and abs(shape.paint.red - 0.6) + shape.paint.green < 0.25
    ]
    assert len(mouths) == 1
    assert np.ptp(mouths[0].outline.points[:, 0]) == pytest.approx(24, abs=2)


def test_hiding_the_face_shows_the_wall(made):
    result, _ = made
    hidden = {shape.id for shape in things(result.drawing)["face"].shapes()}
    left = render_svg(only(result.svg, lambda shape: shape.get("id") not in hidden), SIZE[1], SIZE[0], None)
    np.testing.assert_allclose(left[38, 48], (0.2, 0.4, 0.5, 1.0), atol=0.03)


def test_same_seed_same_bytes_on_any_number_of_threads(made, files):
    settings = Settings(**CHOICES, masks=str(files / "masks"))
    assert vectorize(files / "picture.png", settings, threads=1).svg == made[0].svg


def test_the_structure_has_its_share_of_the_budget():
    picture, masks = scene()
    raster = open_picture(picture).raster
    found = [Mask(mask, 1.0, 0) for mask in masks]
    for paths, share, most in ((1, 0.4, 1), (6, 0.4, 2), (8, 0.4, 3), (6, 1.0, 4)):
        settings = Settings(preset="paper", paths=paths, paper={"structure_share": share})
        assert len(paper.pile(found, raster, settings)) == most


def test_details_make_it_closer_and_never_exceed_the_budget():
    picture, masks = scene()
    raster = open_picture(picture).raster
    settings = Settings(preset="paper", paths=9)
    told = []
    painter = paper.Painter(premultiplied(raster)[..., :3].copy(), settings, on_progress=told.append)
    sheet = painter.structure(paper.pile([Mask(mask, 1.0, 0) for mask in masks], raster, settings))
    done = painter.detailed(sheet)
    assert len(done) <= 9
    wrong = [((painter._image(*each.plan()) - painter.pixels) ** 2).mean() for each in (sheet, done)]
    assert wrong[1] < 0.5 * wrong[0]
    assert [step.round for step in told] == sorted(step.round for step in told)
    assert all(0 <= step.done <= 1 for step in told)
    assert max(step.paths for step in told) <= 9


def test_mse_colours_are_those_of_the_least_error():
    picture, masks = scene()
    raster = open_picture(picture).raster
    wrong = {}
    for colours in ("dominant", "mse"):
        settings = Settings(preset="paper", paper={"colours": colours, "cluster": False})
        painter = paper.Painter(premultiplied(raster)[..., :3].copy(), settings)
        sheet = painter.structure(paper.pile([Mask(mask, 1.0, 0) for mask in masks], raster, settings))
        wrong[colours] = ((painter._image(*sheet.plan()) - painter.pixels) ** 2).mean()
    assert wrong["mse"] < 0.9 * wrong["dominant"]


def test_joined_shapes_keep_what_lies_on_them():
    parts = [np.zeros(SIZE, bool) for _ in range(5)]
    parts[0][:] = True
    for k, (top, left, bottom, right) in enumerate(
        [(5, 5, 60, 50), (10, 10, 20, 20), (10, 20, 20, 40), (12, 22, 16, 30)], start=1
    ):
        parts[k][top:bottom, left:right] = True
    found = stacking.Pile(tuple(parts), np.array([-1, 0, 1, 1, 3]), (None, "", None, None, None))
    paints = np.array([[1, 1, 1, 1], [0, 0, 0, 1], [0.2, 0.2, 0.2, 1], [0.5, 0.5, 0.5, 1], [1, 0, 0, 1]])
    sheet = paper._joined(paper.Sheet(found, (None,) * 5, paints, 2), [[2, 3]])
    assert sheet.pile.parents.tolist() == [-1, 0, 1, 2]
    np.testing.assert_array_equal(sheet.pile.masks[2], parts[2] | parts[3])
    np.testing.assert_allclose(sheet.paints[2, 0], (100 * 0.2 + 200 * 0.5) / 300)


def test_cut_outs_have_no_background_and_keep_their_form(files):
    picture, masks = scene()
    cut = np.concatenate([picture, masks[0][..., None].astype(np.float32)], axis=2)
    result = vectorize((cut * 255).astype(np.uint8), Settings(**CHOICES, masks=str(files / "masks")))
    image = render_svg(result.svg, SIZE[1], SIZE[0], None)
    assert np.abs(image[..., 3] - masks[0]).mean() < 0.01
    assert np.abs(image[..., :3] - picture)[disc(*SIZE, 48, 38, 23) > 0.9].mean() < 0.02
    assert {"left eye", "object"} <= set(things(result.drawing))


def test_an_empty_picture_makes_an_empty_drawing():
    empty = np.zeros((*SIZE, 4), np.uint8)
    assert vectorize(empty, Settings(**CHOICES, segmenter="none")).drawing.shapes() == []


def test_without_masks_errors_are_drawn_on_the_canvas(files):
    result = vectorize(files / "picture.png", Settings(**CHOICES, segmenter="none", quality="draft"))
    assert score(result.svg, files / "picture.png").psnr > 22
    assert not things(result.drawing)


# Settings


def test_the_preset_gives_way_to_everything_else(tmp_path):
    assert (Settings().simplifier, Settings().segmenter) == ("classic", "none")
    plain = Settings(preset="paper")
    assert (plain.simplifier, plain.segmenter) == ("sds", "sam")
    assert Settings(preset="paper", simplifier="classic").simplifier == "classic"
    assert Settings(preset="paper", levels="somewhere").simplifier == "classic"
    assert Settings(preset="paper", segmenter="none").simplifier == "classic"  # nobody looks at levels
    given = Settings(preset="paper", masks="somewhere")
    assert (given.simplifier, given.segmenter) == ("classic", "none")
    both = Settings(preset="paper", masks="somewhere", segmenter="sam")
    assert (both.simplifier, both.segmenter) == ("sds", "sam")
    (tmp_path / "c.yaml").write_text("preset: paper\nsegmenter: none\n")
    assert from_yaml(tmp_path / "c.yaml").segmenter == "none"


def test_flags_win_over_yaml_and_that_over_the_preset(tmp_path):
    from layervec.arguments import vectorize as read

    (tmp_path / "c.yaml").write_text("preset: paper\nsimplifier: classic\npaper: {rounds: 3}\n")
    config = ["a.png", "--config", str(tmp_path / "c.yaml")]
    asked = read(config).drawing
    assert (asked.simplifier, asked.segmenter, asked.paper.rounds) == ("classic", "sam", 3)
    asked = read([*config, "--simplifier", "sds", "--segmenter", "none", "--paper-rounds", "2"]).drawing
    assert (asked.simplifier, asked.segmenter, asked.paper.rounds) == ("sds", "none", 2)
    asked = read([*config, "--preset", "auto"]).drawing
    assert (asked.simplifier, asked.segmenter) == ("classic", "none")


def test_gradients_and_the_recipe_exclude_each_other():
    with pytest.raises(InputError, match=r"--gradients should be 'off' with the preset paper, not 'on'"):
        cli._run(["vectorize", "a.png", "--preset", "paper", "--gradients", "on"])


def test_the_recipe_is_recorded_where_it_was_followed(made):
    recorded = svg.read(made[0].svg).metadata["settings"]
    assert recorded["preset"] == "paper"
    assert recorded["paper"]["rounds"] == 5
    assert recorded["seed"] == 0  # colours are drawn, whatever simplifies
    assert "seed" not in Settings().recorded()
    assert not {"preset", "paper"} & set(Settings().recorded())


def test_from_the_command_line_with_levels_and_masks(files, tmp_path, capsys):
    work = tmp_path / "work"
    words = ["vectorize", files / "picture.png", "-o", tmp_path / "o.svg", "--preset", "paper", "--paths", 12]
    words += ["--levels", files / "levels", "--masks", files / "masks", "--workdir", work, "--quality", "draft"]
    assert cli.main([str(word) for word in [*words, "--verbose"]]) == 0
    assert "fitting shapes: " in capsys.readouterr().err
    assert 'data-object="face"' in (tmp_path / "o.svg").read_text()
    assert len(list((work / "levels").iterdir())) == 2
    assert len(list((work / "objects").iterdir())) == 3
    assert (work / "cuts" / "4.png").exists()
    assert (work / "stages" / "01-round-1.svg").exists()
