"""The preset `paper` with both its models, tiny ones, through the command line."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image
from tiny_models import picture, sam2, stable_diffusion

from layervec import cli

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory):
    pytest.importorskip("diffusers", reason="diffusers is not installed: pip install '.[models]'")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[models]'")
    torch.set_num_threads(1)  # tiny networks are slower on several
    return stable_diffusion(tmp_path_factory.mktemp("diffusion"))


def run(folder, name, diffusion, *words):
    source = folder / "scene.png"
    if not source.exists():
        Image.fromarray(np.rint(picture() * 255).astype(np.uint8)).save(source)
    base = ["vectorize", source, "-o", folder / f"{name}.svg", "--preset", "paper", "--quality", "draft"]
    base += ["--paths", "12", "--simplifier-model", diffusion, "--sds-steps", "1,2", "--device", "cpu"]
    assert cli.main([str(word) for word in [*base, *words, "--quiet"]]) == 0
    text = (folder / f"{name}.svg").read_text()
    return text, json.loads(re.search(r"<metadata>(.*)</metadata>", text)[1])["settings"]


def test_levels_by_sds_masks_by_sam_and_the_recipe(diffusion, tmp_path):
    sam2(tmp_path / "sam")
    loose = ["--sam-points-per-side", "4", "--sam-pred-iou-thresh", "0", "--sam-stability-score-thresh", "0"]
    words = ["--segmenter-model", tmp_path / "sam", *loose, "--sam-min-mask-region-area", "0"]
    text, settings = run(tmp_path, "out", diffusion, *words, "--workdir", tmp_path / "work")
    assert (settings["preset"], settings["simplifier"], settings["segmenter"]) == ("paper", "sds", "sam")
    assert settings["sds"]["steps"] == [0, 1, 2]
    assert len(list((tmp_path / "work" / "levels").iterdir())) == 3
    assert {file.name[0] for file in (tmp_path / "work" / "objects").iterdir()} == {"0", "1", "2"}
    assert 1 <= text.count("data-object=") <= 0.4 * 12 - 1
    assert 1 <= text.count("<path") <= 12
    assert run(tmp_path, "again", diffusion, *words)[0] == text


def test_without_a_segmenter_no_levels_are_made(diffusion, tmp_path):
    _, settings = run(tmp_path, "out", diffusion, "--segmenter", "none")
    assert "simplifier" not in settings
