"""Automatic masks: what is kept of a model's answers, models of several kinds, Meta's checkpoints, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import meta_tensors, picture, raster, sam, sam2, sam3, silent

from layervec.errors import InputError
from layervec.segment import Mask
from layervec.settings import MaskGrid, Settings

pytestmark = pytest.mark.models
ANY = MaskGrid(  # what keeps most of what a random network says
    points_per_side=4, pred_iou_thresh=0.0, stability_score_thresh=0.0, crop_n_layers=0, min_mask_region_area=0
)


@pytest.fixture(scope="module")
def torch():
    pytest.importorskip("transformers", reason="transformers is not installed: pip install '.[models]'")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[models]'")
    torch.set_num_threads(1)  # tiny networks are slower on several
    return torch


def segmenter(model, **options):
    from layervec import models

    told = []
    chosen = {"segmenter": "sam", "segmenter_model": str(model), "device": "cpu", "sam": ANY} | options
    return models.segmenter(Settings(**chosen), None, told.append), told


# What is kept, with a model that sees discs


class Discs:
    """Answers with the smallest disc around a point, the one around that, and noise; counts what it is asked."""

    def __init__(self, torch, discs, quality=0.95, softness=0.1):
        self.torch, self.discs, self.quality, self.softness = torch, discs, quality, softness
        self.looks, self.points = [], 0

    def look(self, pixels):
        self.looks.append(pixels.shape[:2])
        return DiscsSeen(self, pixels)


class DiscsSeen:
    """Knows where it is by the picture's colours, which are x and y in pixels over 1000."""

    def __init__(self, model, pixels):
        self.model, self.pixels = model, pixels

    def ask(self, points):
        assert len(points) <= 64
        self.model.points += len(points)
        x0, y0 = self.pixels[0, 0, :2] * 1000
        answers, quality = [], []
        for x, y in points:
            around = [d for d in self.model.discs if np.hypot(x + x0 - d[0], y + y0 - d[1]) < d[2]]
            for disc in sorted(around, key=lambda d: d[2])[:2]:
                answers.append(disc)
                quality.append(self.model.quality)
            answers.append((x + x0, y + y0, 3.0))
            quality.append(0.3)
        return self.model.torch.tensor(answers), self.model.torch.tensor(quality)

    def enlarge(self, logits):
        x, y = self.pixels[..., 0] * 1000, self.pixels[..., 1] * 1000
        large = [(r - np.hypot(x + 0.5 - cx, y + 0.5 - cy)) / self.model.softness for cx, cy, r in logits.tolist()]
        return self.model.torch.tensor(np.array(large).reshape(-1, *x.shape))


def map_of(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], axis=2).astype(np.float32) / 1000


def disc(height, width, cx, cy, r):
    y, x = np.mgrid[:height, :width] + 0.5
    return np.hypot(x - cx, y - cy) < r


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def found(model, height, width, **options):
    from layervec.models import automatic

    grid = MaskGrid(**{"points_per_side": 16, "crop_n_layers": 0} | options)
    return automatic.masks(map_of(height, width), model, grid)


def test_every_disc_is_found_once(torch):
    discs = [(60.0, 70.0, 40.0), (60.0, 70.0, 20.0), (150.0, 60.0, 30.0), (120.0, 150.0, 25.0)]
    model = Discs(torch, discs)
    masks = found(model, 190, 200)
    assert len(masks) == 4
    assert model.points == 16 * 16
    for x, y, r in discs:
        assert max(iou(mask, disc(190, 200, x, y, r)) for mask, _ in masks) > 0.99
    assert all(quality == pytest.approx(0.95) for _, quality in masks)


def test_unsure_and_unstable_masks_are_dropped(torch):
    discs = [(60.0, 70.0, 40.0)]
    assert len(found(Discs(torch, discs), 150, 150)) == 1
    assert found(Discs(torch, discs, quality=0.8), 150, 150) == []
    assert len(found(Discs(torch, discs, quality=0.8), 150, 150, pred_iou_thresh=0.7)) == 1
    # Cut at +-1, a disc of 40 px with this slope has radii of 36 and 44: an IoU of 0.67.
    assert found(Discs(torch, discs, softness=4.0), 150, 150) == []
    assert len(found(Discs(torch, discs, softness=4.0), 150, 150, stability_score_thresh=0.6)) == 1


def test_stability_is_the_iou_of_two_cuts(torch):
    from layervec.models.automatic import stability

    logits = torch.zeros(2, 10, 10) - 5.0
    logits[0, :4], logits[0, 4:5] = 3.0, 0.5
    assert stability(logits).tolist() == [pytest.approx(40 / 50), 0.0]


def test_parts_of_the_picture_add_what_is_whole_in_them(torch):
    small = [(40.0 + 33 * i, 45.0, 7.0) for i in range(10)]  # between the points of a coarse grid
    model = Discs(torch, small)
    before = len(found(model, 300, 400, points_per_side=8))
    model = Discs(torch, small)
    after = found(model, 300, 400, points_per_side=8, crop_n_layers=2, crop_n_points_downscale_factor=1)
    assert len(model.looks) == 1 + 4 + 16
    assert before == 0
    assert 4 <= len(after) <= len(small)
    for mask, _ in after:
        assert max(iou(mask, disc(300, 400, *wanted)) for wanted in small) > 0.99


def test_masks_cut_off_by_a_part_are_dropped(torch):
    model = Discs(torch, [(200.0, 150.0, 120.0)], quality=0.95)
    masks = found(model, 300, 400, crop_n_layers=1)
    assert len(model.looks) == 5
    assert len(masks) == 1
    assert iou(masks[0][0], disc(300, 400, 200, 150, 120)) > 0.99


def test_parts_are_those_of_the_original_generator():
    from layervec.models.automatic import parts

    assert parts(512, 512, 0) == [((0, 0, 512, 512), 0)]
    # Overlap int(512 / 1500 * 512) = 174, part ceil((174 + 512) / 2) = 343, second start 343 - 174 = 169.
    assert parts(512, 512, 1)[1:] == [
        ((0, 0, 343, 343), 1), ((0, 169, 343, 512), 1), ((169, 0, 512, 343), 1), ((169, 169, 512, 512), 1),
    ]  # fmt: skip
    for width, height, layers in ((700, 300, 2), (33, 90, 3), (1, 1, 2), (1, 50, 1)):
        covered = np.zeros((height, width), int)
        for (x0, y0, x1, y1), layer in parts(width, height, layers):
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            covered[y0:y1, x0:x1] += 10**layer
        assert (covered >= 10**layers).any()
        assert (covered % 10 == 1).all()


def test_overlapping_boxes_lose_against_better_ones():
    from layervec.models.automatic import suppress

    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 5], [20, 0, 30, 10], [5, 0, 5, 0]])
    scores = np.array([0.5, 0.9, 0.4, 0.1, 0.2])
    assert suppress(boxes, scores, 0.7).tolist() == [1, 2, 4, 3]
    assert suppress(boxes, scores, 0.95).tolist() == [1, 0, 2, 4, 3]
    assert suppress(boxes[:0], scores[:0], 0.7).tolist() == []


def test_specks_go_and_holes_close():
    from layervec.models.automatic import without_small

    mask = np.zeros((40, 40), bool)
    mask[5:30, 5:30] = True
    mask[35:38, 35:38] = True  # 9 pixels
    mask[10:13, 10:13] = False
    clean = without_small(~without_small(~mask, 10, keep_largest=False), 10, keep_largest=True)
    wanted = np.zeros((40, 40), bool)
    wanted[5:30, 5:30] = True
    assert np.array_equal(clean, wanted)
    speck = np.zeros((40, 40), bool)
    speck[3, 3:6] = speck[9, 9] = True
    assert without_small(speck, 10, keep_largest=True).sum() == 3
    assert not without_small(speck, 10, keep_largest=False).any()


def test_specks_are_dropped_from_masks(torch):
    class WithSpecks(DiscsSeen):
        def enlarge(self, logits):
            large = super().enlarge(logits)
            large[:, 60:62, 60:62] = -9.0
            large[:, 3:6, 140:143] = 9.0
            return large

    model = Discs(torch, [(60.0, 60.0, 30.0)])
    model.look = lambda pixels: WithSpecks(model, pixels)
    ((mask, _),) = found(model, 150, 150)
    assert np.array_equal(mask, disc(150, 150, 60, 60, 30))
    ((mask, _),) = found(model, 150, 150, min_mask_region_area=3)
    assert mask.sum() == disc(150, 150, 60, 60, 30).sum() - 4 + 9


# Tiny models of the real classes


@pytest.fixture(scope="module")
def folder(torch, tmp_path_factory):
    place = tmp_path_factory.mktemp("sam")
    sam(place)
    return place


@pytest.fixture(scope="module")
def checkpoint(torch, tmp_path_factory):
    """The same weights as in `folder`, as Meta would keep them."""
    path = tmp_path_factory.mktemp("meta") / "sam_vit_t_123456.pth"
    torch.save(meta_tensors(sam(path.parent / "transformers")), path)
    return path


def test_a_loaded_model_answers_as_itself(folder, torch):
    """Points of a picture twice as wide as high, against the model asked by hand."""
    from layervec.models.sam import IMAGENET, Eye

    pixels = picture(32, 64)
    eye = Eye.load(str(folder), torch.device("cpu"), offline=True)
    with torch.inference_mode():
        logits, quality = eye.look(pixels).ask(np.array([[10.0, 20.0], [50.0, 5.0]], np.float32))
        mean, deviation = np.array(IMAGENET, np.float32)
        square = np.zeros((64, 64, 3), np.float32)
        square[:32] = (pixels - mean) / deviation
        said = eye.network(
            pixel_values=torch.from_numpy(square).permute(2, 0, 1)[None],
            input_points=torch.tensor([[[[10.0, 20.0]], [[50.0, 5.0]]]]),
        )
    assert logits.shape == (6, 32, 32)
    assert torch.allclose(logits, said.pred_masks[0].flatten(0, 1), atol=1e-4)
    assert torch.allclose(quality, said.iou_scores[0].flatten(), atol=1e-5)
    assert (logits[:3] - logits[3:]).abs().max() > 1e-3, "the place of a point should matter"


def test_small_pictures_are_enlarged_for_the_model_and_masks_shrunk_back(folder, torch):
    from layervec.models.sam import Eye

    eye = Eye.load(str(folder), torch.device("cpu"), offline=True)
    look = eye.look(picture(15, 10))
    assert look.size == (64, 43)
    logits = torch.zeros(1, 32, 32)
    logits[:, :16] = 1.0  # the upper half of the square
    large = look.enlarge(logits)
    assert large.shape == (1, 15, 10)
    assert (large[0, :7] > 0.9).all()
    assert (large[0, 9:] < 0.1).all()
    assert eye.look(picture(1, 300)).size == (1, 64)


def test_masks_of_all_levels_from_one_load(folder, torch, monkeypatch):
    from transformers import SamModel

    loads, load = [], SamModel.from_pretrained.__func__
    monkeypatch.setattr(
        SamModel, "from_pretrained", classmethod(lambda cls, *a, **o: loads.append(cls) or load(cls, *a, **o))
    )
    levels = [raster(picture(40, 60)), raster(picture(40, 60) ** 2)]
    finder, told = segmenter(folder, sam=ANY.model_copy(update={"crop_n_layers": 1}))
    masks = finder.masks(levels)
    assert len(loads) == 1
    assert {mask.level for mask in masks} == {0, 1}
    for mask in masks:
        assert isinstance(mask, Mask)
        assert mask.pixels.shape == (40, 60)
        assert mask.pixels.dtype == np.bool_
        assert mask.pixels.any()
        assert 0.0 <= mask.score <= 1.0
    assert told == pytest.approx([(i + 1) / 10 for i in range(10)])
    again = segmenter(folder, sam=ANY.model_copy(update={"crop_n_layers": 1}))[0].masks(levels)
    assert [(mask.score, mask.level) for mask in again] == [(mask.score, mask.level) for mask in masks]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(masks, again, strict=True))


def test_transparent_pixels_belong_to_no_mask(folder):
    alpha = np.zeros((40, 60), np.float32)
    alpha[10:30, 20:50] = 1.0
    masks = segmenter(folder)[0].masks([raster(picture(40, 60), alpha)])
    assert masks
    assert all(mask.pixels.any() and not mask.pixels[alpha == 0.0].any() for mask in masks)
    assert segmenter(folder)[0].masks([raster(picture(40, 60), 0.0)]) == []


@pytest.mark.parametrize(
    ("make", "side"),
    [(lambda folder: sam(folder, "SamHQ"), 64), (sam2, 64), (sam3, 56)],
    ids=["SAM-HQ", "SAM 2", "SAM 3"],
)
def test_other_kinds_of_the_family_work(make, side, torch, tmp_path):
    network = make(tmp_path)
    masks = segmenter(tmp_path)[0].masks([raster(picture(40, 60))])
    assert masks
    assert all(mask.pixels.shape == (40, 60) for mask in masks)

    from layervec.models.sam import Eye

    points = np.array([[10.0, 20.0], [50.0, 5.0]], np.float32)
    pixels = picture(side, side)
    eye = Eye.load(str(tmp_path), torch.device("cpu"), offline=True)
    mean, deviation = np.array(eye.manner.normal, np.float32)
    with torch.inference_mode():
        logits, quality = eye.look(pixels).ask(points)
        said = network(
            pixel_values=torch.from_numpy((pixels - mean) / deviation).permute(2, 0, 1)[None],
            input_points=torch.from_numpy(points)[None, :, None],
        )
    assert torch.allclose(logits, said.pred_masks[0].flatten(0, 1), atol=1e-4)
    assert torch.allclose(quality, said.iou_scores[0].flatten(), atol=1e-5)


def test_every_kind_that_transformers_generates_masks_with_is_known(torch):
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASK_GENERATION_MAPPING_NAMES

    from layervec.models.sam import MANNERS

    assert set(MODEL_FOR_MASK_GENERATION_MAPPING_NAMES) == set(MANNERS)


# Meta's checkpoints


def test_metas_checkpoint_gives_the_same_model(folder, checkpoint, torch):
    from transformers import AutoModelForMaskGeneration

    from layervec.models import meta

    ours = meta.load(str(checkpoint))
    theirs = silent(AutoModelForMaskGeneration.from_pretrained, folder)
    free = ("initializer_range", "dtype")
    a, b = (
        {k: v for k, v in model.config.vision_config.to_dict().items() if k not in free} for model in (ours, theirs)
    )
    assert a == b
    weights = theirs.state_dict()
    assert set(ours.state_dict()) == set(weights)
    assert all(torch.equal(value, weights[name]) for name, value in ours.state_dict().items())
    with torch.inference_mode():
        image, points = torch.rand(1, 3, 64, 64), torch.rand(1, 5, 1, 2) * 64
        a, b = (model(pixel_values=image, input_points=points) for model in (ours, theirs))
    assert torch.equal(a.pred_masks, b.pred_masks)
    assert torch.equal(a.iou_scores, b.iou_scores)


def test_metas_checkpoint_finds_the_same_masks(folder, checkpoint):
    level = raster(picture(40, 60))
    a, b = (segmenter(model)[0].masks([level]) for model in (folder, checkpoint))
    assert len(a) == len(b) > 0
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("hidden", "layers", "heads", "globals_"),
    [(768, 12, 12, [2, 5, 8, 11]), (1024, 24, 16, [5, 11, 17, 23]), (1280, 32, 16, [7, 15, 23, 31])],
    ids=["ViT-B", "ViT-L", "ViT-H"],
)
def test_the_real_sizes_are_read_from_shapes(hidden, layers, heads, globals_, torch):
    """Sizes as Meta publishes them, on tensors without memory."""
    from transformers import SamConfig, SamModel

    from layervec.models import meta

    vision = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "global_attn_indexes": globals_,
    }
    wanted = SamConfig(vision_config=vision)
    with torch.device("meta"):
        tensors = meta_tensors(SamModel(wanted))
    config = meta.configuration(tensors)
    for part in ("vision_config", "prompt_encoder_config", "mask_decoder_config"):
        assert getattr(config, part).to_dict() == getattr(wanted, part).to_dict(), part
    assert set(meta.converted(tensors)) == set(SamModel(wanted).state_dict()) if hidden == 768 else True


# What is refused, in one sentence


def refusal(model, **options):
    with pytest.raises(InputError) as caught:
        segmenter(model, **options)[0].masks([raster(picture(16, 16))])
    told = str(caught.value)
    assert told.endswith(".")
    assert "\n" not in told
    return told


def test_what_is_not_there_is_named(torch, tmp_path):
    assert "there is no such folder or file" in refusal(tmp_path / "sam_vit_h_4b8939.pth")
    assert "--offline" in refusal("nobody-at-all/no-such-model", offline=True)
    assert f"{tmp_path}: the model cannot be loaded" in refusal(tmp_path)


def test_other_files_are_no_checkpoints(torch, checkpoint, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"not a checkpoint")
    assert refusal(path) == f"{path}: cannot be read as a checkpoint of PyTorch."
    torch.save([1, 2], path)
    assert refusal(path) == f"{path}: is not a table of tensors, as Meta's checkpoints are."
    torch.save({"some.weight": torch.zeros(3)}, path)
    assert refusal(path) == f"{path}: is not a checkpoint of Meta's Segment Anything with a ViT encoder."

    def changed(change):
        tensors = torch.load(checkpoint)
        change(tensors)
        torch.save(tensors, path)
        return refusal(path)

    assert "it lacks mask_decoder.iou_token.weight" in changed(lambda t: t.pop("mask_decoder.iou_token.weight"))
    assert "it holds mask_decoder.hf_token.weight" in changed(
        lambda t: t.update({"mask_decoder.hf_token.weight": t["mask_decoder.iou_token.weight"]})
    )
    assert "do not fit together" in changed(
        lambda t: t.update({"image_encoder.blocks.0.mlp.lin2.bias": torch.zeros(3)})
    )


def test_code_in_a_checkpoint_is_not_run(torch, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"a": Bomb()}, tmp_path / "bomb.pth")
    assert "cannot be read as a checkpoint" in refusal(tmp_path / "bomb.pth")
    assert not (tmp_path / "ran").exists()


def test_other_kinds_of_models_are_refused(torch, tmp_path):
    from transformers import CLIPTextConfig

    CLIPTextConfig().save_pretrained(tmp_path)
    assert refusal(tmp_path).startswith(f"{tmp_path}: is a model of the kind clip_text_model; known here are sam, ")
