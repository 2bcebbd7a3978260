"""Masks and levels from folders, through to the drawing; and one sentence for each folder that will not do."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from layervec import InputError, Settings, cli, folders, svg, vectorize
from layervec.image import save_png
from layervec.types import Raster

SIZE = (48, 64)
DRAFT = {"quality": "draft", "paths": 12}


def box(top, left, bottom, right, size=SIZE):
    pixels = np.zeros(size, dtype=np.float32)
    pixels[top:bottom, left:right] = 1.0
    return pixels


@pytest.fixture
def scene(tmp_path):
    """A picture of a house with a door, whose colours say little of which is which, and masks of both."""
    picture = np.full((*SIZE, 3), 0.9, np.float32)
    picture[8:40, 10:40] = 0.5
    picture[8:24, 10:40] = 0.75
    picture[24:40, 20:30] = 0.2
    save_png(tmp_path / "picture.png", picture)
    (tmp_path / "masks").mkdir()
    save_png(tmp_path / "masks" / "1.png", box(8, 10, 40, 40))
    save_png(tmp_path / "masks" / "2.png", box(24, 20, 40, 30))
    (tmp_path / "masks" / "labels.json").write_text(json.dumps({"1.png": "house", "2.png": "door"}))
    return tmp_path


def test_objects_become_layers_that_keep_their_parts(scene):
    result = vectorize(scene / "picture.png", Settings(**DRAFT, masks=str(scene / "masks")))
    things = {layer.thing: layer for layer in result.drawing.root.layers() if layer.thing}
    assert set(things) == {"house", "door"}
    assert things["house"].name == "house"
    assert things["door"] in list(things["house"].layers())
    assert 'data-object="door"' in result.svg
    assert svg.write(svg.read(result.svg)) == result.svg


def test_hiding_an_object_shows_what_lies_behind(scene):
    from layervec.score import only, render_svg

    result = vectorize(scene / "picture.png", Settings(**DRAFT, masks=str(scene / "masks")))
    house = next(layer for layer in result.drawing.root.layers() if layer.thing == "house")
    hidden = {shape.id for shape in house.shapes()}
    left = render_svg(only(result.svg, lambda shape: shape.get("id") not in hidden), SIZE[1], SIZE[0], None)
    behind = left[10:38, 12:38]
    np.testing.assert_allclose(behind, np.broadcast_to([0.9, 0.9, 0.9, 1.0], behind.shape), atol=0.03)


def test_only_names_of_folders_are_kept_in_the_file(scene):
    result = vectorize(scene / "picture.png", Settings(**DRAFT, masks=str(scene / "masks")))
    assert str(scene) not in result.svg
    assert result.drawing.metadata["settings"]["masks"] == "masks"
    plain = vectorize(scene / "picture.png", Settings(**DRAFT))
    assert not {"masks", "levels", "segmenter", "segmenter_model"} & set(plain.drawing.metadata["settings"])


def test_masks_of_another_size_are_scaled(scene):
    large = box(8, 10, 40, 40).repeat(3, axis=0).repeat(3, axis=1)
    save_png(scene / "masks" / "1.png", large)
    found = folders.masks(scene / "masks", SIZE[1], SIZE[0])
    np.testing.assert_array_equal(found[0].pixels, box(8, 10, 40, 40) > 0)


def test_transparent_masks_count_by_what_is_there(tmp_path):
    pixels = np.ones((*SIZE, 4), np.float32)
    pixels[..., 3] = box(8, 10, 40, 40)
    save_png(tmp_path / "1.png", pixels)
    np.testing.assert_array_equal(folders.masks(tmp_path, SIZE[1], SIZE[0])[0].pixels, box(8, 10, 40, 40) > 0)


def test_levels_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 1):
        save_png(tmp_path / f"{number}.png", np.full((*SIZE, 3), number / 10, np.float32))
    picture = Raster(np.ones((*SIZE, 4), np.float32))
    found = folders.levels(tmp_path, picture)
    assert found[0] is picture
    assert [round(float(level.pixels[0, 0, 0]), 1) for level in found[1:]] == [0.1, 0.2, 1.0]


def test_levels_take_the_place_of_our_own(scene):
    (scene / "levels").mkdir()
    level = np.full((*SIZE, 3), 0.9, np.float32)
    level[8:40, 10:40] = 0.1
    for number in range(3):
        save_png(scene / "levels" / f"{number}.png", level)
    words = ["vectorize", str(scene / "picture.png"), "-o", str(scene / "out.svg"), "--levels", str(scene / "levels")]
    assert cli.main([*words, "--paths", "4", "--quality", "draft", "--quiet", "--workdir", str(scene / "work")]) == 0
    assert len(list((scene / "work" / "levels").iterdir())) == 4
    metadata = svg.read((scene / "out.svg").read_text()).metadata
    assert metadata["settings"]["levels"] == "levels"


def test_work_folder_keeps_the_masks(scene):
    words = ["vectorize", str(scene / "picture.png"), "-o", str(scene / "out.svg"), "--masks", str(scene / "masks")]
    assert cli.main([*words, "--paths", "4", "--quality", "draft", "--quiet", "--workdir", str(scene / "work")]) == 0
    assert [path.name for path in sorted((scene / "work" / "objects").iterdir())] == ["0-001.png", "0-002.png"]


def test_large_masks_and_levels_need_little_memory(tmp_path):
    pytest.importorskip("resource")
    large = np.zeros((6000, 6000), np.uint8)
    large[1000:3000, 2000:4000] = 255
    Image.fromarray(large).save(tmp_path / "1.png", compress_level=1)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "import cv2, numpy as np, PIL.ImageCms\n"
        "from layervec import folders\n"
        "from layervec.types import Raster\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "mask, = folders.masks(Path(sys.argv[1]), 60, 60, (6000, 6000))\n"
        "assert mask.pixels.sum() == 400 and mask.pixels[10:30, 20:40].all()\n"
        "folders.levels(Path(sys.argv[1]), Raster(np.ones((60, 60, 4), np.float32)), (6000, 6000))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    mebibytes = int(run.stdout) * (1 if sys.platform == "darwin" else 1024) / 2**20
    assert mebibytes < 250, f"{mebibytes:.0f} MiB"  # 549 would be floats


@pytest.mark.parametrize("read", ["masks", "levels"])
def test_more_than_fits_into_memory_is_refused_unread(read, tmp_path, monkeypatch):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"not looked at")
    monkeypatch.setattr(folders, "MOST_BYTES", 2 * SIZE[0] * SIZE[1])
    asked = (SIZE[1], SIZE[0]) if read == "masks" else (Raster(np.ones((*SIZE, 4), np.float32)),)
    with pytest.raises(InputError, match=r"has 3 PNG files, more than fit .* a smaller --size"):
        getattr(folders, read)(tmp_path, *asked)


def wrong_size(folder):
    save_png(folder / "3.png", np.ones((30, 30), np.float32))
    return "3.png: the mask has 30 x 30 pixels, which does not fit a picture of 64 x 48"


def no_masks(folder):
    for path in folder.iterdir():
        path.unlink()
    return "has no PNG files"


def no_folder(folder):
    no_masks(folder)
    folder.rmdir()
    return "cannot be read: no such file or directory"


def broken(folder):
    (folder / "1.png").write_bytes(b"no picture")
    return "1.png"


def bad_json(folder):
    (folder / "labels.json").write_text("{")
    return "labels.json is not JSON"


def deep_json(folder):
    (folder / "labels.json").write_text("[" * 200_000 + "]" * 200_000)
    return "labels.json is nested too deeply"


def endless_json(folder):
    (folder / "labels.json").write_text(json.dumps({"1.png": "a" * folders.MOST_LABELS}))
    return "labels.json has more than 4 MiB"


def bomb(folder):
    data = (folder / "1.png").read_bytes()
    header = data[12:16] + struct.pack(">II", 60_000, 60_000) + data[24:29]
    (folder / "1.png").write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    return "1.png is too large"


def bad_labels(folder):
    (folder / "labels.json").write_text('{"1.png": 3}')
    return "labels.json should hold one object of file names and labels"


def unknown_label(folder):
    (folder / "labels.json").write_text('{"7.png": "tree"}')
    return "there is no mask called '7.png'"


@pytest.mark.parametrize(
    "spoil",
    [wrong_size, no_masks, no_folder, broken, bad_json, deep_json, endless_json, bomb, bad_labels, unknown_label],
    ids=lambda f: f.__name__,
)
def test_folders_that_will_not_do_get_one_sentence(scene, spoil, capsys):
    sentence = spoil(scene / "masks")
    with pytest.raises(InputError, match="masks") as error:
        folders.masks(scene / "masks", SIZE[1], SIZE[0])
    assert sentence in str(error.value)
    words = ["vectorize", str(scene / "picture.png"), "-o", str(scene / "out.svg"), "--masks", str(scene / "masks")]
    assert cli.main(words) == cli.BAD_INPUT
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (scene / "out.svg").exists()
