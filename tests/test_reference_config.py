"""The reference's own configuration file: what of it counts here, what is told, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layervec import cli
from layervec.errors import InputError
from layervec.settings import Settings, from_yaml

REFERENCE = Path(os.environ.get("LAYERVEC_SHARED", Path(__file__).parents[2] / "shared"), "data/reference_config.yaml")


def read(tmp_path, text):
    path, told = tmp_path / "c.yaml", []
    path.write_text(text)
    return from_yaml(path, told.append), told


def test_its_keys_become_ours(tmp_path):
    settings, told = read(
        tmp_path,
        "max_path_num_limit: 64\n"
        "simp_img_seq_indexs: [60, 30, 0]\n"
        "sam: {sam_checkpoint: a/sam_vit_b_01ec64.pth, points_per_side: 16, box_nms_thresh: 0.5}\n",
    )
    assert settings.paths == 64
    assert settings.sds.steps == (0, 30, 60)
    assert settings.segmenter_model == "a/sam_vit_b_01ec64.pth"
    assert settings.sam.points_per_side == 16
    assert settings.sam.box_nms_thresh == 0.5
    assert (settings.simplifier, settings.segmenter) == ("classic", "none")
    assert told == []


def test_both_spellings_may_stand_side_by_side(tmp_path):
    settings, _ = read(tmp_path, "quality: draft\nsds: {loss_scale: 10}\nsimp_img_seq_indexs: [5]\nseed: 3\n")
    assert settings.sds.model_dump() == Settings().sds.model_dump() | {"loss_scale": 10.0, "steps": (0, 5)}
    assert (settings.quality, settings.seed) == ("draft", 3)


def test_known_keys_without_effect_are_told_once(tmp_path):
    _, told = read(tmp_path, "multiple: 1\ntrain: {is_train_stroke: false}\nsam: {model_type: vit_h}\n")
    assert told == [
        f"{tmp_path}/c.yaml: known from the reference, but without effect here: "
        "multiple, train.is_train_stroke, sam.model_type."
    ]


RECIPE = """\
color_fitting_type: "dominan"
add_visual_path_num_iters: 3
paths_merge_color_threshold: 0.2
paths_merge_distance_threshold: 4
paths_remove_visual_threshold: 8.0
is_cluster_target_img: false
kmeas_k: 60
train: {struct_opt_num_iters: 40, visual_opt_num_iters: 90}
"""


def test_keys_of_the_recipe_count_with_the_preset_paper(tmp_path):
    settings, told = read(tmp_path, "preset: paper\n" + RECIPE)
    assert told == []
    assert settings.paper.model_dump(exclude={"structure_share", "structure_tolerance"}) == {
        "colours": "dominant", "rounds": 3, "merge_colour": 0.2, "merge_border": 4, "remove_below": 8.0,
        "cluster": False, "cluster_colours": 60, "structure_steps": 40, "round_steps": 90,
    }  # fmt: skip
    same, told = read(tmp_path, RECIPE)
    assert same.paper == settings.paper
    assert told == [
        f"{tmp_path}/c.yaml: these count with the preset paper alone: color_fitting_type, add_visual_path_num_iters, "
        "paths_merge_color_threshold, paths_merge_distance_threshold, paths_remove_visual_threshold, "
        "is_cluster_target_img, kmeas_k, train.struct_opt_num_iters, train.visual_opt_num_iters."
    ]
    assert read(tmp_path, "color_fitting_type: mse")[0].paper.colours == "mse"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kmeans_k: 80", "there is no setting called 'kmeans_k' (known: paths, "),
        ("train: {epochs: 3}", "there is no setting called 'train.epochs'."),
        ("sam: {points: 3}", "there is no setting called 'sam.points' (known: sam.points_per_side, "),
        ("sds: {points: 3}", "there is no setting called 'sds.points' (known: sds.steps, "),
        ("sam: 3", "'sam' should be a section of `name: value` lines, not 3"),
        ("color_fitting_type: median", "'paper.colours' should be 'dominant' or 'mse', not 'median'."),
        ("paths: 3\nmax_path_num_limit: 4", "'paths' and 'max_path_num_limit' set the same thing."),
        ("max_path_num_limit: 4\npaths: 3", "'max_path_num_limit' and 'paths' set the same thing."),
        ("max_path_num_limit: many", "'paths' should be a valid integer, unable to parse string as an integer"),
        ("simp_img_seq_indexs: 80", "'sds.steps' should be a valid tuple, not 80"),
        ("sds: {steps: [1]}\nsimp_img_seq_indexs: [80]", "'sds.steps' and 'simp_img_seq_indexs' set the same thing."),
        ("sds: 5\nsimp_img_seq_indexs: [80]", "'sds' should be a section of `name: value` lines, not 5."),
    ],
)
def test_what_is_wrong_is_named(text, told, tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/c.yaml: {told}")


def test_the_note_is_printed_once_and_the_run_goes_on(tmp_path, capsys):
    picture = Path(__file__).parents[1] / "examples" / "fox.png"
    (tmp_path / "c.yaml").write_text("multiple: 1\nmax_path_num_limit: 9\n")
    words = ["vectorize", picture, "-o", tmp_path / "o.svg", "--config", tmp_path / "c.yaml", "--quality", "draft"]
    assert cli.main([str(word) for word in [*words, "--size", 64]]) == 0
    said = capsys.readouterr().err
    assert said.count("without effect here: multiple.") == 1
    assert (tmp_path / "o.svg").read_text().count("<path") <= 9


def test_the_references_file_as_it_is():
    if not REFERENCE.is_file():
        pytest.skip(f"the reference's configuration file is not at {REFERENCE}")
    told = []
    settings = from_yaml(REFERENCE, told.append)
    assert settings.paths == 256
    assert settings.sds == Settings().sds
    assert settings.sam == Settings().sam
    assert settings.segmenter_model == "sam_vit_h_4b8939.pth"
    assert settings.paper == Settings().paper
    assert len(told) == 2
    for key in ("multiple", "approxpolydp_epsilon", "train.is_train_stroke", "base_lr.point", "sam.model_type"):
        assert key in told[0]
    for key in ("color_fitting_type", "kmeas_k", "train.struct_opt_num_iters"):
        assert key in told[1]
