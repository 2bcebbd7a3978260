"""Score distillation with a tiny model: the formula, what is asked of each network, pictures of all kinds, refusals."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from tiny_models import picture, raster, stable_diffusion

from layervec.errors import InputError
from layervec.settings import Distillation, Settings

pytestmark = pytest.mark.models
STEPS = Distillation(steps=(0, 2, 5))


@pytest.fixture(scope="module")
def model(torch, tmp_path_factory):
    return stable_diffusion(tmp_path_factory.mktemp("epsilon"))


@pytest.fixture(scope="module")
def velocity_model(torch, tmp_path_factory):
    return stable_diffusion(tmp_path_factory.mktemp("velocity"), "v_prediction")


def simplifier(model, **options):
    from layervec import models

    told = []
    chosen = {"simplifier": "sds", "simplifier_model": str(model), "device": "cpu", "sds": STEPS} | options
    return models.simplifier(Settings(**chosen), None, told.append), told


def levels(model, source, **options):
    return simplifier(model, **options)[0].levels(source)


@pytest.fixture
def counted(torch, monkeypatch):
    """Rows of every call of the UNet, and calls of the VAE's two halves."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    calls = {"rows": [], "encoded": 0, "decoded": 0}
    ask, encode, decode = UNet2DConditionModel.forward, AutoencoderKL.encode, AutoencoderKL.decode

    def asked(self, sample, *arguments, **options):
        calls["rows"].append(len(sample))
        return ask(self, sample, *arguments, **options)

    def encoded(self, *arguments, **options):
        calls["encoded"] += 1
        return encode(self, *arguments, **options)

    def decoded(self, *arguments, **options):
        calls["decoded"] += 1
        return decode(self, *arguments, **options)

    monkeypatch.setattr(UNet2DConditionModel, "forward", asked)
    monkeypatch.setattr(AutoencoderKL, "encode", encoded)
    monkeypatch.setattr(AutoencoderKL, "decode", decoded)
    return calls


def spelt_out(torch, folder, pixels, prompts, guidance, steps, seed, velocity):
    """The paper's recipe word for word, with automatic gradients and PyTorch's own SGD: pictures after each step."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from layervec.models import source

    with source.quiet():
        vae = AutoencoderKL.from_pretrained(folder / "vae")
        unet = UNet2DConditionModel.from_pretrained(folder / "unet")
        text = CLIPTextModel.from_pretrained(folder / "text_encoder")
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        alphas_bar = DDIMScheduler.from_pretrained(folder / "scheduler").alphas_cumprod
    words = tokenizer(prompts, padding="max_length", max_length=8, truncation=True, return_tensors="pt").input_ids
    random = torch.Generator().manual_seed(seed)
    found = []
    with torch.no_grad():
        meaning = text(words).last_hidden_state
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None] * 2 - 1
        z = vae.encode(x).latent_dist.mean * 0.18215
    z.requires_grad_(True)
    sgd = torch.optim.SGD([z], lr=0.1)
    for step in range(1, max(steps) + 1):
        t = torch.randint(50, 950, (), generator=random)
        noise = torch.randn(z.shape, generator=random)
        alpha, sigma = alphas_bar[t] ** 0.5, (1 - alphas_bar[t]) ** 0.5
        with torch.no_grad():
            noisy = alpha * z + sigma * noise
            said = [unet(noisy, t, encoder_hidden_states=row[None]).sample for row in meaning]
            if velocity:
                said = [alpha * v + sigma * noisy for v in said]
            guess = said[0] if len(said) == 1 else said[0] + guidance * (said[1] - said[0])
        # The reference's pictures are 512 px a side, their latents 64.
        loss = ((guess - noise) * z).sum() / (64 * 64)
        sgd.zero_grad()
        (2000 * loss).backward()
        sgd.step()
        if step in steps:
            with torch.no_grad():
                decoded = vae.decode(z / 0.18215).sample / 2 + 0.5
            found.append(decoded.clamp(0, 1)[0].permute(1, 2, 0).numpy())
    return found


@pytest.mark.parametrize(
    ("which", "prompt", "guidance"),
    [("model", "", 1.0), ("velocity_model", "", 1.0), ("model", "a fox", 1.0), ("velocity_model", "a fox", 7.5)],
)
def test_the_trajectory_is_the_papers_formula(which, prompt, guidance, torch, request):
    folder, pixels = request.getfixturevalue(which), picture()
    found = levels(folder, raster(pixels), prompt=prompt, guidance=guidance, seed=4)
    prompts = ["", prompt] if guidance > 1 else [prompt]
    expected = spelt_out(torch, folder, pixels, prompts, guidance, (2, 5), 4, which == "velocity_model")
    assert len(found) == 3
    for level, wanted in zip(found[1:], expected, strict=True):
        assert np.abs(level.pixels[..., :3] - wanted).max() < 1e-5
    assert np.abs(expected[1] - expected[0]).max() > 0.02, "the steps should change something"


def test_networks_are_asked_no_more_than_needed(model, counted):
    simplify, told = simplifier(model)
    simplify.levels(raster(picture()))
    assert counted == {"rows": [1] * 5, "encoded": 1, "decoded": 2}
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) == 6


def test_guidance_takes_two_rows_and_only_with_a_prompt(model, counted):
    levels(model, raster(picture()), guidance=3.0)
    assert counted["rows"] == [1] * 5
    levels(model, raster(picture()), guidance=3.0, prompt="fox")
    assert counted["rows"] == [1] * 5 + [2] * 5


def test_prompt_guidance_and_seed_matter_and_the_same_twice_is_the_same(model):
    source = raster(picture())

    def last(**options):
        return levels(model, source, **options)[-1].pixels

    plain = last()
    assert np.array_equal(plain, last())
    for other in ({"seed": 1}, {"prompt": "fox"}, {"sds": Distillation(steps=(0, 2, 5), learning_rate=0.2)}):
        assert np.abs(plain - last(**other)).max() > 1e-4, other
    assert np.abs(last(prompt="fox") - last(prompt="fox", guidance=9.0)).max() > 1e-4


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (33, 20), (1, 1), (1, 37), (2, 90)])
def test_any_size_is_kept(model, size, counted):
    source = raster(picture(*size))
    found = levels(model, source)
    assert found[0] is source
    for level in found:
        assert level.pixels.shape == (*size, 4)
        assert level.pixels.dtype == np.float32
        assert level.pixels.flags.c_contiguous
        assert np.isfinite(level.pixels).all()
        assert level.pixels.min() >= 0.0
        assert level.pixels.max() <= 1.0


def test_what_is_added_beyond_the_edges_is_the_mirrored_picture(model, torch, monkeypatch):
    from diffusers import AutoencoderKL

    seen, encode = [], AutoencoderKL.encode
    monkeypatch.setattr(
        AutoencoderKL, "encode", lambda self, x, *rest: seen.append(x.numpy()) or encode(self, x, *rest)
    )
    pixels = picture(15, 21)
    levels(model, raster(pixels))
    wanted = np.pad(pixels, ((0, 1), (0, 1), (0, 0)), "reflect").transpose(2, 0, 1)[None] * 2 - 1
    assert np.allclose(seen[0], wanted, atol=1e-6)


def test_alpha_is_carried_on_and_hidden_colours_do_not_count(model):
    alpha = np.zeros((48, 64), np.float32)
    alpha[8:40, 10:50], alpha[8:40, 50:54] = 1.0, 0.5
    source = raster(picture(), alpha)
    odd = source.pixels.copy()
    odd[alpha == 0.0, :3] = (1.0, 0.0, 1.0)
    found, other = levels(model, source), levels(model, type(source)(odd))
    for level, same in zip(found[1:], other[1:], strict=True):
        assert np.array_equal(level.pixels[..., 3], alpha)
        assert not level.pixels[alpha == 0.0, :3].any()
        assert np.array_equal(level.pixels, same.pixels)


def test_models_see_light_cut_outs_on_black_and_dark_ones_on_white():
    from layervec.models.ground import BLACK, WHITE, contrasting

    disc = np.zeros((20, 20), np.float32)
    disc[5:15, 5:15] = 1.0
    light, dark = np.full((20, 20, 3), 0.9, np.float32), np.full((20, 20, 3), 0.1, np.float32)
    assert contrasting(raster(light, disc)) == BLACK
    assert contrasting(raster(dark, disc)) == WHITE
    assert contrasting(raster(light)) == WHITE
    assert contrasting(raster(light, 0.0)) == WHITE


def test_saving_memory_changes_nothing_but_time(model, torch, monkeypatch):
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from layervec.models import machine

    plain = levels(model, raster(picture()))
    saved = []
    slices, tiles = UNet2DConditionModel.set_attention_slice, AutoencoderKL.enable_tiling
    monkeypatch.setattr(machine, "is_small", lambda device, need: True)
    monkeypatch.setattr(
        UNet2DConditionModel, "set_attention_slice", lambda self, size: saved.append(size) or slices(self, size)
    )
    monkeypatch.setattr(AutoencoderKL, "enable_tiling", lambda self: saved.append("tiles") or tiles(self))
    small = levels(model, raster(picture()))
    assert saved == ["auto", "tiles"]
    for level, same in zip(plain, small, strict=True):
        assert np.abs(level.pixels - same.pixels).max() < 1e-5


def test_only_the_picture_when_no_step_is_kept(model, counted):
    source = raster(picture())
    assert levels(model, source, sds=Distillation(steps=(0,))) == [source]
    assert counted["rows"] == []
    assert counted["decoded"] == 0


def test_threads_are_given_back(model, torch):
    from layervec import models

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        settings = Settings(simplifier="sds", simplifier_model=str(model), device="cpu", sds=STEPS)
        during = []
        models.simplifier(settings, 1, lambda _: during.append(torch.get_num_threads())).levels(raster(picture()))
        assert set(during) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# What is refused, in one sentence


def refusal(model, **options):
    with pytest.raises(InputError) as caught:
        levels(model, raster(picture(16, 16)), **options)
    told = str(caught.value)
    assert told.endswith(".")
    assert "\n" not in told
    return told


def damaged(model, folder, change):
    shutil.copytree(model, folder)
    change(folder)
    return folder


def test_what_is_not_there_is_named(model, tmp_path):
    assert refusal(tmp_path / "nowhere") == (
        f"{tmp_path}/nowhere: there is no such folder or file, and a hub id reads owner/name."
    )
    assert "--offline" in refusal("nobody-at-all/no-such-model", offline=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no folder scheduler" in refusal(empty)


def test_damaged_models_are_named(model, tmp_path):
    def cut(folder):
        file = folder / "unet" / "diffusion_pytorch_model.safetensors"
        file.write_bytes(file.read_bytes()[:1000])

    told = refusal(damaged(model, tmp_path / "cut", cut))
    assert "its part unet cannot be loaded" in told
    assert str(tmp_path / "cut") in told

    def garble(folder):
        (folder / "vae" / "config.json").write_text("{")

    assert "its part vae cannot be loaded" in refusal(damaged(model, tmp_path / "garbled", garble))


def test_infinite_answers_are_told(model, torch, tmp_path):
    def poison(folder):
        from safetensors.torch import load_file, save_file

        file = folder / "unet" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        tensors["conv_out.bias"][:] = float("nan")
        save_file(tensors, file, {"format": "pt"})

    assert "not finite" in refusal(damaged(model, tmp_path / "nan", poison))


def test_other_kinds_of_diffusion_models_are_refused(model, torch, tmp_path):
    inpainting = stable_diffusion(tmp_path / "inpainting", in_channels=9)
    assert refusal(inpainting) == f"{inpainting}: is not a text-to-image model of Stable Diffusion 1.x or 2.x."

    def sample(folder):
        file = folder / "scheduler" / "scheduler_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"prediction_type": "sample"}))

    assert "is not a text-to-image model" in refusal(damaged(model, tmp_path / "sample", sample))


def test_a_device_that_is_not_there_is_refused(model, torch):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert "cuda cannot be used here: PyTorch finds only" in refusal(model, device="cuda")
