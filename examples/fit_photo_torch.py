"""Fit 64 random shapes to a photo by gradient descent, with PyTorch.

Points and paints are parameters like any others. scikit-image gives the photo.

Run: python examples/fit_photo_torch.py [STEPS]
"""

from __future__ import annotations

import sys

import torch
from skimage import data

from layervec.raster.torch import render

SHAPES, NODES = 64, 5


def main(steps: int = 150) -> tuple[float, float]:
    """Fit, print and return the PSNR of the first drawing and of the last."""
    torch.set_num_threads(1)  # drawing has threads of its own, which those of so small tensors would get in the way of
    target = torch.tensor(data.chelsea()) / 255  # [h, w, 3]
    height, width, _ = target.shape
    torch.manual_seed(0)
    angles = torch.arange(3 * NODES) * (2 * torch.pi / (3 * NODES))  # a node and two handles a segment
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    centres = torch.rand(SHAPES, 1, 2) * torch.tensor([width, height])
    points = (centres + (20 + 60 * torch.rand(SHAPES, 1, 1)) * circle).requires_grad_()
    logits = torch.randn(SHAPES, 4).requires_grad_()  # the sigmoid keeps colours and alphas in 0..1
    contours = torch.arange(SHAPES + 1) * len(circle)
    optimiser = torch.optim.Adam([{"params": [points], "lr": 1.0}, {"params": [logits], "lr": 0.05}])
    errors = []
    for _ in range(steps):
        paints = logits.sigmoid()
        image = render(
            points.reshape(-1, 2), paints, contours=contours, width=width, height=height, background=(1, 1, 1)
        )
        loss = torch.nn.functional.mse_loss(image[..., :3], target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(loss.detach())
    before, after = (float(-10 * error.log10()) for error in (errors[0], errors[-1]))
    print(f"PSNR {before:.2f} dB before, {after:.2f} dB after {steps} steps")
    return before, after


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
