"""Simplify by score distillation: a diffusion model pulls the picture towards what it finds likely, step by step.

Each step adds noise to the picture's latent, lets the model say what the noise was, and moves the latent against
what it says wrongly. With an empty prompt details go first and the big shapes last. Knows neither files nor shapes.

Method: Poole et al., "DreamFusion", arXiv 2209.14988, for one picture in the latent space of Stable Diffusion, with
the weights of arXiv 2304.07090 (w(t) = 1); schedule of "Layered Image Vectorization via Semantic Simplification",
arXiv 2406.05404. Its limits: steps are random, so levels need a seed; what is not likely to the model (logos, text)
fades before what is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from layervec.errors import InputError
from layervec.image import over
from layervec.models import OnProgress, kept, machine, source
from layervec.models.ground import contrasting
from layervec.settings import Distillation
from layervec.types import Float32, Raster

# The loss is a sum over the latent, divided by its positions in the paper, where every picture is 512 x 512 px. So
# defined, a step moves each position as far as there, whatever the picture's size.
POSITIONS = 64 * 64
# Memory in half precision, with room to spare (the arithmetic is in docs/models.md).
BYTES_OF_WEIGHTS = 2.5e9
BYTES_A_PIXEL = 4000.0  # while a picture is decoded
LEAST_ALPHA = 0.05  # below it colours cannot be had back from what lies over a ground


@dataclass(frozen=True, slots=True)
class Sds:
    """The `Simplifier` of the paper.

    model: a folder or hub id of Stable Diffusion 1.x or 2.x as diffusers keeps them. schedule: see `Distillation`.
    prompt: what the picture shows. guidance: weight of the prompt against none, 1 for the prompt alone.
    seed: of all noise. device: where to compute, in half precision on cuda. offline: never ask the hub.
    threads: most CPU threads, None for PyTorch's own choice. on_progress: told the share of the steps that are done.
    """

    model: str
    schedule: Distillation
    prompt: str
    guidance: float
    seed: int
    device: torch.device
    offline: bool
    threads: int | None
    on_progress: OnProgress

    def levels(self, raster: Raster) -> list[Raster]:
        """Return the picture and what is left of it after each kept step; alpha stays as it is.

        Same model, raster, settings and machine: same levels. Raises InputError where the model cannot be loaded or
        run.
        """
        source.check(self.model)
        with machine.working(self.device, self.threads, self.model):

            def load() -> Networks:
                small = machine.is_small(self.device, BYTES_OF_WEIGHTS + BYTES_A_PIXEL * raster.width * raster.height)
                return Networks.load(self.model, self.device, offline=self.offline, small=small)

            networks = kept.loaded((Networks, self.model, self.device), load)
            ground = contrasting(raster)
            latent = networks.encode(over(raster, ground))
            rows = networks.understand(["", self.prompt] if self._guided else [self.prompt])
            latents = self._distil(latent, rows, networks)
            pictures = [networks.decode(z)[: raster.height, : raster.width] for z in latents]
            self.on_progress(1.0)
        return [raster, *(_uncovered(picture, raster, ground) for picture in pictures)]

    @property
    def _guided(self) -> bool:
        return self.guidance != 1.0 and self.prompt != ""

    def _distil(self, latent: torch.Tensor, rows: torch.Tensor, networks: Networks) -> list[torch.Tensor]:
        """Return the latents after each kept step but 0: float32 [1, c, h, w]."""
        random = torch.Generator().manual_seed(self.seed)  # on the CPU: same noise for every device
        kept, last = [], self.schedule.steps[-1]
        with networks.predicting() as predict:
            for step in range(1, last + 1):
                t = int(torch.randint(self.schedule.noise_from, self.schedule.noise_until, (), generator=random))
                noise = torch.randn(latent.shape, generator=random).to(self.device)
                latent = latent - self._step_length * (self._guess(predict, latent, noise, t, rows, networks) - noise)
                if step in self.schedule.steps:
                    kept.append(latent)
                self.on_progress(step / (last + 1))
        if kept and not bool(torch.isfinite(latent).all()):
            raise InputError(f"{self.model}: its answers are not finite; the model may be damaged.")
        return kept

    @property
    def _step_length(self) -> float:
        return self.schedule.learning_rate * self.schedule.loss_scale / POSITIONS

    def _guess(
        self,
        predict: Predict,
        latent: torch.Tensor,
        noise: torch.Tensor,
        t: int,
        rows: torch.Tensor,
        networks: Networks,
    ) -> torch.Tensor:
        """Return the noise that the model sees in the latent with noise of level t: float32, of the latent's shape."""
        signal, sigma = networks.levels[t].sqrt(), (1.0 - networks.levels[t]).sqrt()
        noisy = signal * latent + sigma * noise
        answers = predict(noisy.expand(len(rows), -1, -1, -1), t, rows)
        if networks.predicts_velocity:  # v = signal * noise - sigma * latent (arXiv 2202.00512)
            answers = signal * answers + sigma * noisy
        if len(rows) == 1:
            return answers
        return answers[:1] + self.guidance * (answers[1:] - answers[:1])


Predict = Callable[[torch.Tensor, int, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """The parts of a Stable Diffusion model, and when they are on the device.

    Where the device is small, each part is there only while it works. levels: share of signal in the variance at
    each noise level, float32 [1000].
    """

    vae: Any
    unet: Any
    text_encoder: Any
    tokenizer: Any
    levels: torch.Tensor
    predicts_velocity: bool
    device: torch.device
    small: bool

    @classmethod
    def load(cls, model: str, device: torch.device, *, offline: bool, small: bool) -> Networks:
        """Load from a folder or the hub. Raises InputError for anything but Stable Diffusion 1.x or 2.x."""
        with source.quiet():
            from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
            from transformers import CLIPTextModel, CLIPTokenizer

        half = torch.float16 if device.type == "cuda" else torch.float32

        def part(kind: Any, name: str, **options: Any) -> Any:
            return source.load(kind, model, name, offline=offline, **options)

        scheduler = part(DDPMScheduler, "scheduler")
        networks = cls(
            vae=part(AutoencoderKL, "vae", torch_dtype=half).eval(),
            unet=part(UNet2DConditionModel, "unet", torch_dtype=half).eval(),
            text_encoder=part(CLIPTextModel, "text_encoder", dtype=half).eval(),
            tokenizer=part(CLIPTokenizer, "tokenizer"),
            levels=scheduler.alphas_cumprod.to(device, torch.float32),
            predicts_velocity=scheduler.config.prediction_type == "v_prediction",
            device=device,
            small=small,
        )
        networks._check(model, scheduler.config.prediction_type)
        if small:
            networks.unet.set_attention_slice("auto")
            networks.vae.enable_tiling()
        return networks

    def _check(self, model: str, prediction: str) -> None:
        unet, latents = self.unet.config, self.vae.config.latent_channels
        fits = (
            prediction in ("epsilon", "v_prediction")
            and unet.in_channels == unet.out_channels == latents
            and unet.addition_embed_type is None
            and unet.class_embed_type is None
            and unet.cross_attention_dim == self.text_encoder.config.hidden_size
            and len(self.levels) == 1000
        )
        if not fits:
            raise InputError(f"{model}: is not a text-to-image model of Stable Diffusion 1.x or 2.x.")

    @contextmanager
    def _present(self, network: Any) -> Iterator[Any]:
        network.to(self.device)
        try:
            yield network
        finally:
            if self.small:
                network.to("cpu")

    def understand(self, prompts: list[str]) -> torch.Tensor:
        """Return what the prompts mean to the model, one row each."""
        longest = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        words = self.tokenizer(
            prompts, padding="max_length", max_length=longest, truncation=True, return_tensors="pt"
        ).input_ids
        with self._present(self.text_encoder) as encoder:
            meaning: torch.Tensor = encoder(words.to(self.device))[0]
        self.text_encoder.to("cpu")  # not needed again
        return meaning

    def encode(self, pixels: Float32) -> torch.Tensor:
        """Return the latent of pixels [h, w, 3]: float32 [1, c, H, W], the mean of what the encoder allows.

        The picture is mirrored beyond its right and lower edges up to a multiple of the encoder's step (8 pixels).
        """
        step = 2 ** (len(self.vae.config.block_out_channels) - 1)
        h, w = pixels.shape[:2]
        padded = np.pad(pixels, ((0, -h % step), (0, -w % step), (0, 0)), "reflect")
        values = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None] * 2.0 - 1.0
        with self._present(self.vae) as vae:
            mean = vae.encode(values.to(self.device, vae.dtype)).latent_dist.mode()
        return mean.float() * float(self.vae.config.scaling_factor)

    def decode(self, latent: torch.Tensor) -> Float32:
        """Return the picture of a latent, still padded: float32 [h, w, 3], 0..1."""
        with self._present(self.vae) as vae:
            values = vae.decode((latent / float(vae.config.scaling_factor)).to(vae.dtype)).sample
        pixels: Float32 = (values[0].float() / 2.0 + 0.5).clamp(0.0, 1.0).permute(1, 2, 0).cpu().numpy()
        return pixels

    @contextmanager
    def predicting(self) -> Iterator[Predict]:
        """While entered, the network is on the device; the function handed out asks it once for all rows."""
        with self._present(self.unet) as unet:

            def predict(noisy: torch.Tensor, t: int, rows: torch.Tensor) -> torch.Tensor:
                answers: torch.Tensor = unet(noisy.to(unet.dtype), t, encoder_hidden_states=rows).sample
                return answers.float()

            yield predict


def _uncovered(pixels: Float32, raster: Raster, ground: tuple[float, float, float]) -> Raster:
    """Return pixels [h, w, 3] with the alpha of a raster, the ground taken out of what is translucent."""
    alpha = raster.pixels[..., 3:]
    without = (pixels - np.array(ground, np.float32) * (1.0 - alpha)) / np.maximum(alpha, LEAST_ALPHA)
    colours = np.where(alpha > 0.0, np.clip(without, 0.0, 1.0), 0.0)
    return Raster(np.concatenate([colours, alpha], axis=2, dtype=np.float32))
