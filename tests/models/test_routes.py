"""Both routes from the command line to an SVG, what it keeps, and what it says where something is missing."""

from __future__ import annotations

import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_models import meta_tensors, picture, sam, stable_diffusion

from layervec import cli
from layervec.events import Event
from layervec.progress import Progress
from layervec.settings import Settings

models = pytest.mark.models
DRAFT = ["--quality", "draft", "--paths", "10"]
SHORT = ["--simplifier", "sds", "--sds-steps", "2,4", "--device", "cpu"]
GRID = ["--segmenter", "sam", "--sam-points-per-side", "4", "--sam-pred-iou-thresh", "0"]
GRID += ["--sam-stability-score-thresh", "0", "--sam-min-mask-region-area", "0", "--device", "cpu"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "scene.png"
    Image.fromarray(np.rint(picture() * 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def diffusion(torch, tmp_path_factory):
    return stable_diffusion(tmp_path_factory.mktemp("diffusion"))


@pytest.fixture(scope="module")
def checkpoint(torch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sam")
    torch.save(meta_tensors(sam(folder)), folder / "sam_vit_h_000000.pth")
    return folder / "sam_vit_h_000000.pth"


def run(*words):
    return cli.main([str(word) for word in words])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def settings_of(svg):
    return json.loads(re.search(r"<metadata>(.*)</metadata>", svg.read_text())[1])["settings"]


@models
def test_sds_from_the_command_line_to_an_svg(source, diffusion, tmp_path, capsys):
    svg, work = tmp_path / "out.svg", tmp_path / "work"
    words = ["vectorize", source, "-o", svg, *DRAFT, *SHORT, "--simplifier-model", diffusion, "--workdir", work]
    assert run(*words, "--verbose") == 0
    said = capsys.readouterr().err
    assert "simplifying: " in said
    assert "torchvision" not in said
    assert svg.read_text().count('inkscape:groupmode="layer"') >= 2
    assert names(work / "levels") == ["0.png", "1.png", "2.png"]
    levels = [np.asarray(Image.open(work / "levels" / f"{k}.png").convert("RGB"), np.float32) for k in range(3)]
    assert np.array_equal(levels[0], np.asarray(Image.open(source), np.float32))
    assert np.abs(levels[2] - levels[1]).mean() > 1.0
    recorded = settings_of(svg)
    assert recorded["simplifier"] == "sds"
    assert recorded["simplifier_model"] == diffusion.name  # not where it lies on somebody's disk
    assert recorded["sds"]["steps"] == [0, 2, 4]
    assert "segmenter_model" not in recorded

    assert run(*[word if word != svg else tmp_path / "again.svg" for word in words[:-2]], "--quiet") == 0
    assert (tmp_path / "again.svg").read_bytes() == svg.read_bytes()
    assert capsys.readouterr().err == ""


@models
def test_sam_from_the_command_line_to_an_svg(source, checkpoint, tmp_path, capsys):
    work = tmp_path / "work"
    for model, name in ((checkpoint, "pth"), (checkpoint.parent, "folder")):
        svg = tmp_path / f"{name}.svg"
        words = ["vectorize", source, "-o", svg, *DRAFT, *GRID, "--segmenter-model", model, "--workdir", work]
        assert run(*words, "--levels-count", "2", "--verbose") == 0
        assert "finding objects: " in capsys.readouterr().err
        kept = names(work / "objects")
        assert {name[0] for name in kept} == {"0", "1"}
        for file in kept:
            with Image.open(work / "objects" / file) as image:
                assert image.size == (64, 48)
                assert set(np.unique(np.asarray(image))) <= {0, 255}
        assert settings_of(svg)["sam"]["points_per_side"] == 4


@models
def test_both_at_once_and_their_events(source, diffusion, checkpoint):
    from layervec import vectorize

    events = []
    chosen = {
        "simplifier": "sds", "simplifier_model": str(diffusion), "sds": {"steps": [1, 2]},
        "segmenter": "sam", "segmenter_model": str(checkpoint),
        "sam": {"points_per_side": 4, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "crop_n_layers": 0},
        "quality": "draft", "paths": 10, "device": "cpu",
    }  # fmt: skip
    vectorize(source, Settings.model_validate(chosen), on_event=events.append)
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["load", "simplify", "segment", "tree", "arrange", "refine", "write"]
    for stage in ("simplify", "segment"):
        shares = [event.done for event in events if event.stage == stage]
        assert shares[0] == 0.0
        assert shares[-1] == 1.0
        assert len(shares) >= 4
        assert shares == sorted(shares)
    (masks,) = (event.value for event in events if event.stage == "segment" and event.done == 1.0)
    assert {mask.level for mask in masks} <= {0, 1, 2}


@models
def test_hub_ids_are_found_in_the_cache_without_network(source, diffusion, torch, tmp_path, monkeypatch, capsys):
    cache = tmp_path / "hub"
    place = cache / "models--some--model"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    (place / "snapshots").mkdir()
    (place / "snapshots" / ("0" * 40)).symlink_to(diffusion)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    words = ["vectorize", source, "-o", tmp_path / "out.svg", *DRAFT, *SHORT, "--offline", "--quiet"]
    assert run(*words, "--simplifier-model", "some/model") == 0
    assert settings_of(tmp_path / "out.svg")["simplifier_model"] == "some/model"
    assert run(*words, "--simplifier-model", "some/other") == 2
    assert "some/other: its part scheduler cannot be loaded" in capsys.readouterr().err

    assert run("models", "--simplifier-model", "some/model", "--offline") == 0
    told = capsys.readouterr().out
    assert "holds some/model" in told
    assert "some/model: in the hub cache, found" in told


@models
def test_the_hub_is_asked_only_for_what_its_cache_lacks(torch):
    from layervec.errors import InputError
    from layervec.models import source

    asked = []

    class Kind:
        held = False

        @classmethod
        def from_pretrained(cls, place, local_files_only=False):
            asked.append(local_files_only)
            if local_files_only and not cls.held:
                raise OSError("not in the cache")
            return place

    assert source.load(Kind, "some/model", offline=False) == "some/model"
    assert asked == [True, False]
    with pytest.raises(InputError, match="without --offline it would be fetched"):
        source.load(Kind, "some/model", offline=True)
    Kind.held = True
    source.load(Kind, "some/model", offline=False)
    assert asked == [True, False, True, True]


@models
def test_too_little_memory_is_told(source, diffusion, tmp_path, capsys, torch, monkeypatch):
    from diffusers import UNet2DConditionModel

    def full(self, *arguments, **options):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(UNet2DConditionModel, "forward", full)
    assert run("vectorize", source, "-o", tmp_path / "o.svg", *SHORT, "--simplifier-model", diffusion) == 2
    told = "the memory of cpu is too small; try a smaller model, a smaller --size, or --device cpu."
    assert capsys.readouterr().err == f"layervec: {diffusion}: {told}\n"


@models
def test_models_tell_what_is_installed(torch, diffusion, capsys):
    assert run("models", "--simplifier-model", diffusion, "--device", "cpu") == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if not line.startswith("hub"))
    assert lines["torch"] == torch.__version__
    assert lines["device"] == "cpu"
    assert lines["simplifier"] == f"{diffusion}: found"


# What needs no extra


@pytest.fixture
def without_extras(monkeypatch):
    """As if neither PyTorch nor what builds on it were installed."""
    from importlib.util import find_spec

    from layervec.models import inventory, machine

    missing = ("torch", "diffusers", "transformers", "onnxruntime")
    monkeypatch.setattr(machine, "find_spec", lambda name: None if name in missing else find_spec(name))
    version = inventory._version
    monkeypatch.setattr(inventory, "_version", lambda name: None if name in missing else version(name))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--simplifier", "sds"], "--simplifier sds needs torch and diffusers and transformers, which the extra"),
        (["--segmenter", "sam"], "--segmenter sam needs torch and transformers, which the extra"),
    ],
)
def test_without_the_extra_it_is_named_and_nothing_written(words, told, source, tmp_path, capsys, without_extras):
    assert run("vectorize", source, "-o", tmp_path / "out.svg", *DRAFT, *words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"layervec: {told}")
    assert 'pip install ".[models]"' in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_list_of_models_says_how_to_get_the_rest(tmp_path, monkeypatch, capsys, without_extras):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    assert run("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "torch", "diffusers", "transformers", "onnxruntime", "device", "hub", "simplifier", "segmenter",
    ]  # fmt: skip
    for line in lines[:3]:
        assert line.endswith('not installed: pip install ".[models]"')
    assert lines[3].endswith('not installed: pip install ".[onnx]"')
    assert lines[5].endswith("empty")
    assert "its first use fetches it" in lines[6]
    assert run("models", "--offline", "--segmenter-model", tmp_path / "nothing.pth") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "without --offline" in lines[6]
    assert "nothing.pth: not there" in lines[7]


def test_checksums_are_those_that_names_carry(tmp_path, capsys):
    import hashlib

    content = b"weights"
    digest = hashlib.sha256(content).hexdigest()
    right, wrong = tmp_path / f"sam_vit_b_{digest[:6]}.pth", tmp_path / "sam_vit_b_000000.pth"
    for path in (right, wrong):
        path.write_bytes(content)
        assert run("models", "--segmenter-model", path) == 0
    shown = capsys.readouterr().out
    assert f"{right}: found, 1 checksums right" in shown
    assert f"{wrong}: damaged: {wrong.name} does not have the checksum in its name" in shown
    folder = tmp_path / "folder"
    (tmp_path / "blobs").mkdir()
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (tmp_path / "blobs" / digest).write_bytes(content)
    (folder / "model.safetensors").symlink_to(tmp_path / "blobs" / digest)
    assert run("models", "--segmenter-model", folder) == 0
    assert f"{folder}: found, 1 checksums right" in capsys.readouterr().out
    (tmp_path / "blobs" / digest).write_bytes(b"other")
    assert run("models", "--segmenter-model", folder) == 0
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--simplifier", "sd"], "--simplifier should be one of 'classic', 'sds', not 'sd'"),
        (["--sds-steps", "20;40"], "--sds-steps should be whole numbers with commas between them, not '20;40'"),
        (["--sds-steps", "-1"], "--sds-steps should be greater than or equal to 0, not -1"),
        (["--sds-noise-until", "50"], "--sds-noise-until should be above noise_from, not 50"),
        (["--sam-points-per-side", "0"], "--sam-points-per-side should be greater than or equal to 1, not 0"),
        (["--guidance", "0.5"], "--guidance should be greater than or equal to 1, not 0.5"),
        (["--device", "tpu"], "--device should be one of"),
    ],
)
def test_misuse_is_told_by_the_names_of_options(words, told, source, capsys):
    assert run("vectorize", source, *words) == 2
    assert told in capsys.readouterr().err


def test_kept_steps_are_sorted_and_begin_with_the_picture():
    assert Settings.model_validate({"sds": {"steps": [80, 20, 20]}}).sds.steps == (0, 20, 80)


def test_time_left_is_told_while_a_model_works(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    progress = Progress(Settings(simplifier="sds"), bar=False)
    progress.on_event(Event("simplify", 0.0))
    clock[0] = 30.0
    assert progress._told(Event("simplify", 0.25)) == "about 90 s left"
    assert progress._told(Event("simplify", 0.05)) == ""
    clock[0] = 300.0
    assert progress._told(Event("simplify", 0.5)) == "about 5 min left"


def test_shares_of_the_bar_follow_what_is_asked():
    from layervec.progress import shares_of, whole

    plain, both = shares_of(Settings()), shares_of(Settings(simplifier="sds", segmenter="sam"))
    assert plain["segment"] == 0.0
    assert both["segment"] == both["simplify"] > 0.3
    for shares in (plain, both):
        assert sum(shares.values()) == pytest.approx(1.0)
        assert whole(Event("write", 1.0), shares) == pytest.approx(1.0)


def test_pytorch_and_its_kin_stay_unloaded(source, tmp_path):
    import subprocess

    code = (
        "import sys, layervec; from layervec.cli import main;"
        f"assert main(['vectorize', {str(source)!r}, '-o', {str(tmp_path / 'o.svg')!r}, *{DRAFT!r}]) == 0;"
        "print([m for m in ('torch', 'transformers', 'diffusers', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_picture_is_refused_before_a_model_is_loaded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert run("vectorize", tmp_path / "none.png", "--simplifier", "sds") == 2
    assert "none.png" in sys.stderr.getvalue()
