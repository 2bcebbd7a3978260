"""The work folder: what it keeps of a run, and whose files it never touches."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from layervec import svg
from layervec.errors import InputError
from layervec.pipeline import vectorize
from layervec.score import render_svg, score
from layervec.settings import Settings
from layervec.workdir import MOST_MASKS, WorkDir

SETTINGS = Settings(paths=16, quality="draft", levels_count=3)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Nine squares of different colours on a ground, 60 x 48 px."""
    pixels = np.full((48, 60, 3), 235, np.uint8)
    colours = np.random.default_rng(3).integers(0, 200, (9, 3))
    for i, colour in enumerate(colours):
        y, x = 3 + 15 * (i // 3), 4 + 19 * (i % 3)
        pixels[y : y + 11, x : x + 13] = colour
    path = tmp_path_factory.mktemp("source") / "squares.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def kept(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / "new" / "run"
    work = WorkDir(folder, SETTINGS, source=source)
    result = vectorize(source, SETTINGS, on_event=work.on_event)
    work.finish(result, score(result.svg, source))
    return folder, result


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_levels_are_the_picture_and_its_simplified_versions(kept, source):
    folder, _ = kept
    assert names(folder / "levels") == ["0.png", "1.png", "2.png"]
    assert np.array_equal(pixels(folder / "levels" / "0.png")[..., :3], pixels(source))


def test_cuts_have_as_many_colours_as_regions(kept):
    folder, _ = kept
    assert names(folder / "cuts") == ["16.png", "4.png", "8.png"]
    for regions in (4, 8):
        cut = pixels(folder / "cuts" / f"{regions}.png")
        assert len(np.unique(cut.reshape(-1, cut.shape[2]), axis=0)) == regions


def test_masks_are_black_and_white_by_rank(kept):
    folder, _ = kept
    masks = names(folder / "masks")
    assert masks == [f"{rank:03}.png" for rank in range(1, len(masks) + 1)]
    assert 1 < len(masks) <= MOST_MASKS
    assert (pixels(folder / "masks" / "001.png") == 255).all()  # the ground: everything else lies inside it
    for name in masks:
        mask = pixels(folder / "masks" / name)
        assert mask.shape == (48, 60)
        assert set(np.unique(mask)) <= {0, 255}


def test_stages_are_drawings(kept):
    folder, _ = kept
    stages = names(folder / "stages")
    assert stages[:2] == ["00-arrange.svg", "01-round-0.svg"]
    assert stages[-1].endswith("-refine.svg")
    assert [name[:2] for name in stages] == [f"{i:02}" for i in range(len(stages))]
    for name in stages:
        render_svg((folder / "stages" / name).read_text(), 60, 48)


def test_record(kept, source):
    folder, result = kept
    record = json.loads((folder / "run.json").read_text(), parse_constant=pytest.fail)
    assert record["finished"] is True
    assert record["settings"] == SETTINGS.model_dump(mode="json")
    assert record["source"]["width"] == 60
    assert len(record["source"]["sha256"]) == 64
    assert list(record["seconds"]) == ["load", "simplify", "tree", "arrange", "refine", "write"]
    assert record["score"]["shapes"] == len(result.drawing.shapes())
    assert {"psnr", "ssim", "nodes", "kib", "layers", "by_rank"} <= set(record["score"])
    assert (folder / "result.svg").read_text() == result.svg == svg.write(result.drawing)


def test_a_second_run_leaves_nothing_of_the_first(source, tmp_path):
    first = WorkDir(tmp_path, SETTINGS, source=source)
    vectorize(source, SETTINGS, on_event=first.on_event)
    few = Settings(paths=1, quality="draft", levels_count=1)
    second = WorkDir(tmp_path, few, source=source)
    assert json.loads((tmp_path / "run.json").read_text())["finished"] is False
    vectorize(source, few, on_event=second.on_event)
    assert names(tmp_path / "levels") == ["0.png"]
    assert names(tmp_path / "masks") == ["001.png"]
    assert names(tmp_path / "cuts") == []


def test_files_of_somebody_else_are_not_touched(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "mine.png").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"mine\.png would be lost"):
        WorkDir(tmp_path, SETTINGS)
    assert (tmp_path / "masks" / "mine.png").read_bytes() == b"precious"


def test_the_picture_itself_is_not_emptied(kept, source, tmp_path):
    work = WorkDir(tmp_path, SETTINGS, source=source)
    vectorize(source, SETTINGS, on_event=work.on_event)
    level = tmp_path / "levels" / "1.png"
    with pytest.raises(InputError, match=r"1\.png would be lost"):
        WorkDir(tmp_path, SETTINGS, source=level)
    assert level.is_file()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not a directory"):
        WorkDir(tmp_path / "file" / "run", SETTINGS)
    with pytest.raises(InputError, match="cannot be the work folder"):
        WorkDir(tmp_path / "file", SETTINGS)
