"""Tiny models with random weights, saved as the real ones are: the same classes, a few thousand parameters.

Random networks of the default initialisation hardly react to their input, so weights are made larger where a test
would otherwise see nothing.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from layervec.types import Raster

HIDDEN = 16  # of the text encoder


def picture(height=48, width=64, seed=1):
    """A soft ramp with a dark disc and a light square: float32 [h, w, 3]."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x / width, y / height, 0.5 + 0 * x], axis=2)
    pixels[np.hypot(x - width * 0.3, y - height * 0.4) < height * 0.25] = (0.2, 0.05, 0.1)
    pixels[int(height * 0.5) : int(height * 0.9), int(width * 0.6) : int(width * 0.9)] = (0.9, 0.8, 0.3)
    return pixels.astype(np.float32)


def raster(pixels, alpha=1.0):
    full = np.empty((*pixels.shape[:2], 4), np.float32)
    full[..., :3], full[..., 3] = pixels, alpha
    return Raster(full)


def silent(make, *arguments, **options):
    """Call something of transformers or diffusers without its notes and bars."""
    from layervec.models import source

    with source.quiet():
        return make(*arguments, **options)


def stable_diffusion(folder: Path, prediction="epsilon", **unet_options):
    """Save a text-to-image model of two blocks whose latent has half the picture's size."""
    import torch

    from layervec.models import source

    torch.manual_seed(7)
    with source.quiet():
        from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        vae = AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            norm_num_groups=4,
            sample_size=512,  # as in the real ones: larger pictures may be decoded in tiles
        )
        unet = UNet2DConditionModel(
            **{
                "block_out_channels": (8, 16),
                "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
                "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
                "layers_per_block": 1,
                "norm_num_groups": 4,
                "attention_head_dim": 2,
                "cross_attention_dim": HIDDEN,
            }
            | unet_options
        )
        tokenizer = _tokenizer(folder)
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=HIDDEN,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=tokenizer.model_max_length,
                bos_token_id=0,
                eos_token_id=1,
                initializer_factor=20.0,  # else prompts hardly matter
            )
        )
        scheduler = PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
            prediction_type=prediction,
        )
        for part, name in ((vae, "vae"), (unet, "unet"), (text, "text_encoder"), (scheduler, "scheduler")):
            part.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / "tokenizer")
    return folder


def _tokenizer(folder: Path):
    from transformers import CLIPTokenizer

    words = ["<|startoftext|>", "<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz"]
    words += [letter + "</w>" for letter in words[2:]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=8)


def sam_config(kind="SamConfig"):
    import transformers

    vision = {
        "hidden_size": 16,
        "output_channels": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 8,
        "window_size": 3,
        "global_attn_indexes": [1],
        "num_pos_feats": 16,
        "mlp_dim": 32,
        "initializer_range": 0.02,
    }
    prompt = {"hidden_size": 32, "image_size": 64, "patch_size": 8, "mask_input_channels": 16}
    decoder = {"hidden_size": 32, "mlp_dim": 48, "num_attention_heads": 8, "iou_head_hidden_dim": 24}
    if kind == "SamHQConfig":
        decoder["vit_dim"] = 16
    return getattr(transformers, kind)(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)


def lively(model, scale=8.0, seed=3):
    """Give every weight of a model noise, more where the default has none: else all points get one answer."""
    import torch

    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * scale * torch.randn(parameter.shape, generator=random)
    return model.eval()


def sam(folder: Path, kind="Sam"):
    """Save a model of the first Segment Anything, or of SAM-HQ, for pictures of 64 px."""
    import torch
    import transformers

    torch.manual_seed(11)
    model = lively(silent(getattr(transformers, f"{kind}Model"), sam_config(f"{kind}Config")))
    silent(model.save_pretrained, folder)
    return model


def sam2_config():
    from transformers import Sam2Config

    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "num_attention_heads": 1,
        "image_size": [64, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [4, 2, 2, 2],
        "window_positional_embedding_background_size": [2, 2],
        "global_attention_blocks": [3],
    }
    vision = {
        "backbone_config": hiera,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 32,
    }
    prompt = {"hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 16}
    decoder = {"hidden_size": 32, "mlp_dim": 48, "num_attention_heads": 2, "iou_head_hidden_dim": 24}
    return Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)


def sam2(folder: Path):
    """Save a model of Segment Anything 2 for pictures of 64 px."""
    import torch
    from transformers import Sam2Model

    torch.manual_seed(11)
    model = lively(silent(Sam2Model, sam2_config()), scale=4.0)
    silent(model.save_pretrained, folder)
    return model


def sam3(folder: Path):
    """Save the part of Segment Anything 3 that answers for points, for pictures of 56 px."""
    import torch
    from transformers import Sam3TrackerConfig, Sam3TrackerModel

    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }
    vision = {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }
    prompt = {"hidden_size": 32, "image_size": 56, "patch_size": 14, "mask_input_channels": 16}
    decoder = {"hidden_size": 32, "mlp_dim": 48, "num_attention_heads": 2, "iou_head_hidden_dim": 24}
    config = Sam3TrackerConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    torch.manual_seed(11)
    model = lively(silent(Sam3TrackerModel, config), scale=4.0)
    silent(model.save_pretrained, folder)
    return model


# From transformers' names to Meta's, written from Meta's side: an own list, so that a slip in the other one shows.
META_NAMES = (
    (r"^vision_encoder\.", "image_encoder."),
    (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
    (r"^image_encoder\.layers\.(\d+)\.layer_norm", r"image_encoder.blocks.\1.norm"),
    (r"^image_encoder\.layers\.", "image_encoder.blocks."),
    (r"\.neck\.conv1\.", ".neck.0."),
    (r"\.neck\.layer_norm1\.", ".neck.1."),
    (r"\.neck\.conv2\.", ".neck.2."),
    (r"\.neck\.layer_norm2\.", ".neck.3."),
    (r"\.shared_embedding\.positional_embedding", ".pe_layer.positional_encoding_gaussian_matrix"),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.layer_norm_final_attn\.", ".norm_final_attn."),
    (r"^(mask_decoder\.transformer\.layers\.\d+)\.layer_norm", r"\1.norm"),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (r"\.layers\.0\.(weight|bias)$", r".layers.1.\1"),
    (r"\.proj_in\.", ".layers.0."),
    (r"\.proj_out\.", ".layers.2."),
)


def meta_tensors(model):
    """Return the weights of a `SamModel` as a table by Meta's names."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name.startswith("shared_image_embedding."):
            continue
        for pattern, new in META_NAMES:
            name = re.sub(pattern, new, name)
        tensors[name] = tensor.clone()
    return tensors
