"""Meta's original checkpoints of Segment Anything (`sam_vit_*.pth`), as models of transformers.

Meta's file is a table of tensors and nothing else: which of the three sizes it is, and how large the windows of its
attention are, is read from their shapes. Knows nothing of pictures.
Source of names: the public repository facebookresearch/segment-anything, package `segment_anything.modeling`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from layervec.errors import InputError

DECODER_HEADS = 8  # of attention in the mask decoder, in all of Meta's sizes; no tensor's shape tells
# Meta's names, in order of application, and what they become; all other names are the same in both.
NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
        (r"^image_encoder\.", "vision_encoder."),
        (r"^vision_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
        (r"^(vision_encoder\.layers\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
        (r"^vision_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
        (r"^vision_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
        (r"^vision_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
        (r"^vision_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
        (
            r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
            "prompt_encoder.shared_embedding.positional_embedding",
        ),
        (r"^prompt_encoder\.point_embeddings\.", "prompt_encoder.point_embed."),
        (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
        (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
        (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
        (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
        (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
        (r"^(mask_decoder\.transformer\.layers\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
        (r"^mask_decoder\.transformer\.norm_final_attn\.", "mask_decoder.transformer.layer_norm_final_attn."),
        (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
        (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
        (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    )
)
# The small networks at the decoder's end number their layers; transformers calls the first and last by name.
HEAD = re.compile(r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.layers\.(\d+)\.(\w+)$")

Tensors = dict[str, torch.Tensor]


def load(path: str) -> Any:
    """Return a `transformers.SamModel` with the weights of a checkpoint. Raises InputError for any other file."""
    tensors = _tensors(path)
    try:
        config = configuration(tensors)
        weights = converted(tensors)
    except (KeyError, IndexError, ValueError):
        raise InputError(f"{path}: is not a checkpoint of Meta's Segment Anything with a ViT encoder.") from None
    from transformers import SamModel

    with torch.device("meta"):  # no need to make up weights that are replaced
        model = SamModel(config)
    missing = sorted(set(model.state_dict()) - set(weights))
    unknown = sorted(set(weights) - set(model.state_dict()))
    if missing or unknown:
        told = f"lacks {missing[0]}" if missing else f"holds {unknown[0]}, which Meta's models do not have"
        raise InputError(f"{path}: is not a whole checkpoint of Meta's Segment Anything: it {told}.")
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError:
        raise InputError(f"{path}: the sizes of its tensors do not fit together.") from None
    return model.eval()


def _tensors(path: str) -> Tensors:
    try:
        tensors = torch.load(Path(path).expanduser(), map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # PyTorch fails in many ways over files that are none of its own
        raise InputError(f"{path}: cannot be read as a checkpoint of PyTorch.") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise InputError(f"{path}: is not a table of tensors, as Meta's checkpoints are.")
    return tensors


def converted(tensors: Tensors) -> Tensors:
    """Return Meta's tensors by the names that transformers knows them by."""
    last = max(int(found[2]) for name in tensors if (found := HEAD.match(name)))
    weights = {_renamed(name, last): tensor for name, tensor in tensors.items()}
    positions = weights["prompt_encoder.shared_embedding.positional_embedding"]
    return weights | {"shared_image_embedding.positional_embedding": positions}


def _renamed(name: str, last: int) -> str:
    if found := HEAD.match(name):
        number = int(found[2])
        layer = {0: "proj_in", last: "proj_out"}.get(number, f"layers.{number - 1}")
        return f"{found[1]}.{layer}.{found[3]}"
    for pattern, new in NAMES:
        name = pattern.sub(new, name)
    return name


def configuration(tensors: Tensors) -> Any:
    """Return the `transformers.SamConfig` of a checkpoint, read from the shapes of its tensors.

    Raises KeyError, IndexError or ValueError where tensors are missing or not of the kind.
    """
    from transformers import SamConfig

    _, side, _, hidden = tensors["image_encoder.pos_embed"].shape
    patch = tensors["image_encoder.patch_embed.proj.weight"].shape[-1]
    channels, _, _, _ = tensors["image_encoder.neck.2.weight"].shape
    reach = [len(tensors[f"image_encoder.blocks.{i}.attn.rel_pos_h"]) for i in range(_count(tensors))]
    global_blocks = [i for i, length in enumerate(reach) if length == 2 * side - 1]
    windows = {(length + 1) // 2 for length in reach if length != 2 * side - 1}
    (window,) = windows or {side}
    vision = {
        "hidden_size": hidden,
        "output_channels": channels,
        "num_hidden_layers": len(reach),
        "num_attention_heads": hidden // tensors["image_encoder.blocks.0.attn.rel_pos_h"].shape[1],
        "image_size": side * patch,
        "patch_size": patch,
        "window_size": window,
        "global_attn_indexes": global_blocks,
        "num_pos_feats": tensors["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"].shape[1],
        "mlp_dim": len(tensors["image_encoder.blocks.0.mlp.lin1.weight"]),
    }
    prompt = {
        "hidden_size": channels,
        "image_size": side * patch,
        "patch_size": patch,
        "mask_input_channels": len(tensors["prompt_encoder.mask_downscaling.3.weight"]),
    }
    attention = "mask_decoder.transformer.layers.0.cross_attn_token_to_image.q_proj.weight"
    decoder = {
        "hidden_size": channels,
        "mlp_dim": len(tensors["mask_decoder.transformer.layers.0.mlp.lin1.weight"]),
        "num_attention_heads": DECODER_HEADS,
        "attention_downsample_rate": channels // len(tensors[attention]),
        "num_multimask_outputs": len(tensors["mask_decoder.mask_tokens.weight"]) - 1,
        "iou_head_hidden_dim": len(tensors["mask_decoder.iou_prediction_head.layers.0.weight"]),
    }
    return SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)


def _count(tensors: Tensors) -> int:
    """Return the number of blocks of the image encoder."""
    numbers = [int(name.split(".")[2]) for name in tensors if name.startswith("image_encoder.blocks.")]
    return max(numbers) + 1
