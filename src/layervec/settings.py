"""What a user can choose. One frozen tree; the command line, YAML files and Python all build the same one.

`quality` is the one dial for effort: everything that trades time for fidelity is derived from it in `Effort`.
Knows no stage and does no work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from layervec.errors import InputError, quoted
from layervec.reference_config import translated

Preset = Literal["auto", "photo", "art", "pixel", "paper"]
Quality = Literal["draft", "standard", "best"]
Gradients = Literal["auto", "on", "off"]
Simplifier = Literal["classic", "sds"]
Segmenter = Literal["none", "sam"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Step = Annotated[int, Field(ge=0, le=10_000)]
MOST_BYTES = 1 << 20  # of a file of settings

# Squared error over all channels, px, that a gradient must save against one colour. Written out it is as long as six
# nodes or more (`refine.NODE_PRICE`); but it spares paths, and those are what is counted.
GRADIENT_PRICES: dict[Gradients, float] = {"auto": 0.5, "on": 0.1, "off": math.inf}
GRADIENT_PRICES_DRAWN: dict[Gradients, float] = {"auto": 2.0, "on": 0.5, "off": math.inf}  # likewise in drawn art

# The choice of what does a stage's work: the one that needs no model, and the settings that mean nothing to it.
ROUTES = {
    "simplifier": ("classic", "simplifier_model", "prompt", "guidance", "sds", "seed"),
    "segmenter": ("none", "segmenter_model", "sam"),
}


class Distillation(BaseModel):
    """Score distillation, simplifier `sds`. Defaults are the paper's (arXiv 2406.05404) and its published code's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: tuple[Step, ...] = Field(
        default=(0, 20, 40, 60, 80),
        description="Steps of optimisation after which the picture is kept, as in 20,40,60,80; 0 is the picture "
        "itself and always kept.",
    )
    learning_rate: float = Field(default=0.1, gt=0.0, le=100.0, description="Step length of gradient descent.")
    loss_scale: float = Field(default=2000.0, gt=0.0, le=1e6, description="Factor of the loss.")
    noise_from: int = Field(default=50, ge=0, le=999, description="Least of the noise levels drawn, of 1000.")
    noise_until: int = Field(default=950, ge=1, le=1000, description="First noise level above those drawn, of 1000.")

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted({0, *steps}))

    @field_validator("noise_until")
    @classmethod
    def _above(cls, until: int, info: ValidationInfo) -> int:
        if until <= info.data.get("noise_from", 0):
            raise PydanticCustomError("order", "input should be above noise_from")
        return until


class MaskGrid(BaseModel):
    """Automatic masks, segmenter `sam`: names and defaults are those of the reference's `sam` section."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    points_per_side: int = Field(default=32, ge=1, le=256, description="Points asked about, along each side.")
    pred_iou_thresh: float = Field(
        default=0.86, ge=0.0, le=1.0, description="Least quality, as the model itself predicts it, that a mask needs."
    )
    stability_score_thresh: float = Field(
        default=0.85, ge=0.0, le=1.0, description="How little a mask must change with its threshold: 1 is not at all."
    )
    crop_n_layers: int = Field(
        default=1, ge=0, le=4, description="Looks at parts of the picture as well: 1 at four parts, 2 at 16 more."
    )
    crop_n_points_downscale_factor: int = Field(
        default=2, ge=1, le=16, description="By how much points along a side get fewer with each layer of parts."
    )
    min_mask_region_area: int = Field(
        default=100, ge=0, description="Smaller holes are filled and smaller islands dropped, in pixels."
    )
    box_nms_thresh: float = Field(
        default=0.7, ge=0.0, le=1.0, description="Of masks whose boxes overlap more (IoU), the best one is kept."
    )


# What `paths: auto` stands for. A shape then has to remove an error that a person can see: as much as a
# thirty-thousandth of the canvas (9 px of 512 x 512) that is off by a third of the way from black to white.
VISIBLE_ERROR = 1e-5  # squared error over all channels, as a share of the fitted pixels
AUTO_PATHS = 512  # most shapes; beyond, a drawing takes long to fit and nobody edits it by hand


class Recipe(BaseModel):
    """Preset `paper`: how it goes about its work.

    Defaults are those of the published code of arXiv 2406.05404, with its configuration file's key beside them where
    there is one. Only `structure_tolerance` is ours: there polygons of 5 px are bent (docs/log.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    structure_share: float = Field(
        default=0.4, gt=0.0, le=1.0, description="Share of all shapes that masks may become, largest first."
    )
    structure_tolerance: float = Field(
        default=3.0, ge=0.1, le=50.0, description="How far, in fitting pixels, first outlines of masks may stray."
    )
    structure_steps: int = Field(  # struct_opt_num_iters
        default=50, ge=0, le=10_000, description="Steps in which the outlines of masks are fitted."
    )
    colours: Literal["dominant", "mse"] = Field(  # color_fitting_type
        default="dominant",
        description="Colours of masks: the one that most of their pixels have, or that of the least error.",
    )
    cluster: bool = Field(  # is_cluster_target_img
        default=True, description="Reduce the picture's colours before they are counted and errors looked for."
    )
    cluster_colours: int = Field(  # kmeas_k
        default=80, ge=1, le=1024, description="How many colours are then left."
    )
    rounds: int = Field(  # add_visual_path_num_iters
        default=5, ge=0, le=100, description="Rounds in which shapes are added where the error is."
    )
    round_steps: int = Field(  # visual_opt_num_iters
        default=100, ge=0, le=10_000, description="Steps in which added shapes are fitted in each round."
    )
    remove_below: float = Field(  # paths_remove_visual_threshold
        default=7.0,
        ge=0.0,
        description="An added shape goes if without it the picture changes by no more than this, in differences of 0 "
        "to 1 summed over pixels and channels.",
    )
    merge_colour: float = Field(  # paths_merge_color_threshold
        default=0.1,
        ge=0.0,
        le=3.0,
        description="Neighbouring added shapes become one up to this difference of colours, summed over channels.",
    )
    merge_border: int = Field(  # paths_merge_distance_threshold
        default=3, ge=1, description="Neighbours are those that meet along at least so many pixels."
    )


class Settings(BaseModel):
    """Choices for one picture; every field has a default that suits most pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    paths: Annotated[int, Field(ge=1, le=4096)] | Literal["auto"] = Field(
        default=256,
        description="Most shapes the drawing may have. Fewer give a simpler picture, more a closer one; "
        f"auto adds shapes, {AUTO_PATHS} at most, as long as the next one would change what a person sees.",
    )
    quality: Quality = Field(
        default="standard",
        description="How much work to spend: draft is a quick preview, best takes about twice as long as standard.",
    )
    preset: Preset = Field(
        default="auto",
        description="auto looks at the picture, and takes it for a photo when in doubt; photo never takes it for "
        "anything else; art is for drawn pictures, also noisy, compressed, dithered or softly shaded ones: noise goes, "
        "plain areas and soft ramps stay whole, and gradients are auto unless other options say so; pixel is for pixel "
        "art, whose squares are kept as they are; paper follows the recipe of the paper on objects, simplified by sds "
        "and found by sam unless other options say so: masks become shapes, then errors do.",
    )
    paper: Recipe = Field(default=Recipe(), description="How the preset paper goes about it.")
    size: int = Field(
        default=512,
        ge=16,
        le=2048,
        description="Longer side, in pixels, that the picture is fitted at. "
        "The drawing always comes out at the picture's own size.",
    )
    levels_count: int = Field(
        default=5,
        ge=1,
        le=10,
        description="Number of simplified versions of the picture that decide what belongs together.",
    )
    colors: Annotated[int, Field(ge=2, le=256)] | Literal["any"] = Field(
        default="any",
        description="Most colours of all fills together, chosen to suit the picture; any sets no limit.",
    )
    palette: str = Field(
        default="",
        description='The only colours of fills, as in "#112233,#fff,navy", or a file with one a line, also one of '
        "GIMP's (.gpl).",
    )
    drop_background: bool = Field(
        default=False,
        description="Leave out a plain background, so that the drawing is transparent there.",
    )
    gradients: Gradients = Field(
        default="off",
        description="Fill shapes with gradients: auto where that saves shapes, on wherever it helps, off never.",
    )
    levels: str = Field(
        default="",
        description="A folder of simplified versions of the picture, PNGs in the order of their names, fine to coarse, "
        "to be used instead of our own.",
    )
    masks: str = Field(
        default="",
        description="A folder of masks of objects, PNGs with an object white on black in each, of any size in the "
        "picture's proportions. labels.json in it may say what they show, as file name: label.",
    )
    tolerance: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        description="How far, in fitting pixels, a curve may run beside the border it follows. More gives fewer nodes.",
    )
    simplifier: Simplifier = Field(
        default="classic",
        description="What simplifies the picture: classic needs no model, sds is the paper's score distillation.",
    )
    simplifier_model: str = Field(
        default="stable-diffusion-v1-5/stable-diffusion-v1-5",
        min_length=1,
        description="Stable Diffusion 1.x or 2.x for sds: a folder, or a hub id, fetched at its first use.",
    )
    prompt: str = Field(default="", description="What the picture shows, for sds. The paper says nothing here.")
    guidance: float = Field(
        default=1.0,
        ge=1.0,
        le=200.0,
        description="How much the prompt counts, for sds; 1 is no guidance, more takes twice the time.",
    )
    sds: Distillation = Field(default=Distillation(), description="How sds goes about it.")
    segmenter: Segmenter = Field(
        default="none",
        description="What finds objects: none, or sam for a model of the Segment Anything family.",
    )
    segmenter_model: str = Field(
        default="facebook/sam-vit-huge",
        min_length=1,
        description="The model for sam: a folder, also one with encoder.onnx and decoder.onnx, a checkpoint of Meta's "
        "(sam_vit_*.pth), or a hub id, fetched at its first use.",
    )
    sam: MaskGrid = Field(default=MaskGrid(), description="How sam asks its model.")
    device: Device = Field(default="auto", description="Where models run; auto takes a GPU if there is one.")
    offline: bool = Field(default=False, description="Never fetch a model; use what is on this machine.")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Seed of the noise of sds and of the preset paper.")

    @model_validator(mode="after")
    def _by_preset(self) -> Self:
        """Fill in what the preset means where nobody chose. It does not count as set, so later choices still win.

        Without anybody to look at them, simplified versions need no model.
        """
        fills = "gradients" in self.model_fields_set or self.colors != "any" or self.palette
        if self.preset == "art" and not fills:
            self.__dict__["gradients"] = "auto"
        if self.preset == "paper":
            if "segmenter" not in self.model_fields_set and not self.masks:
                self.__dict__["segmenter"] = "sam"
            if "simplifier" not in self.model_fields_set and not self.levels and self.segmenter != "none":
                self.__dict__["simplifier"] = "sds"
        return self

    @field_validator("colors")
    @classmethod
    def _any_in_the_paper(cls, colors: int | str, info: ValidationInfo) -> int | str:
        if colors != "any" and info.data.get("preset") == "paper":
            raise PydanticCustomError("preset", "input should be 'any' with the preset paper")
        return colors

    @field_validator("palette")
    @classmethod
    def _alone(cls, palette: str, info: ValidationInfo) -> str:
        if palette and info.data.get("colors") != "any":
            raise PydanticCustomError("palette", "input should be left out where colors says how many to choose")
        if palette and info.data.get("preset") == "paper":
            raise PydanticCustomError("preset", "input should be left out with the preset paper")
        return palette

    @field_validator("gradients")
    @classmethod
    def _plain(cls, gradients: Gradients, info: ValidationInfo) -> Gradients:
        if gradients != "off" and (info.data.get("colors") != "any" or info.data.get("palette")):
            raise PydanticCustomError("palette", "input should be 'off' with colors or palette, which mean plain fills")
        if gradients != "off" and info.data.get("preset") == "paper":
            raise PydanticCustomError("preset", "input should be 'off' with the preset paper")
        return gradients

    @property
    def most_paths(self) -> int:
        """Most shapes of the drawing."""
        return AUTO_PATHS if self.paths == "auto" else self.paths

    def recorded(self) -> dict[str, object]:
        """Return what made a drawing, as plain JSON data: without routes not taken, and folders by their last name."""
        values = self.model_dump(mode="json", exclude={"device", "offline"})
        for route, (without, *its) in ROUTES.items():
            model = Path(values[f"{route}_model"])
            if values[route] == without:
                for name in (route, *its):
                    if name != "seed" or self.preset != "paper":
                        del values[name]
            elif model.exists():
                values[f"{route}_model"] = model.resolve().name
        if self.preset != "paper":
            del values["paper"]
        if self.preset == "auto":
            del values["preset"]
        for folder in ("levels", "masks"):
            given = values.pop(folder)
            if given:
                values[folder] = Path(given).resolve().name
        for choice in ("colors", "palette", "drop_background"):
            if values[choice] == Settings.model_fields[choice].default:
                del values[choice]
        if self.palette:
            values["palette"] = Path(self.palette).name  # colours have no folders
        return values


@dataclass(frozen=True, slots=True)
class Effort:
    """What a quality setting means.

    rounds: how many times shapes are added, pruned and fitted again after the first fit.
    steps: optimizer steps of the first fit.
    round_steps: optimizer steps of every later round.
    final_fits: fits after the last round, each after dropping nodes: a second one finds some that the first freed.
    final_steps: optimizer steps of each of these.
    shortenings: passes in which coordinates are written shorter, with a fit after each.
    """

    rounds: int
    steps: int
    round_steps: int
    final_fits: int
    final_steps: int
    shortenings: int


EFFORTS: dict[Quality, Effort] = {
    "draft": Effort(rounds=1, steps=25, round_steps=10, final_fits=1, final_steps=12, shortenings=1),
    "standard": Effort(rounds=10, steps=60, round_steps=60, final_fits=2, final_steps=180, shortenings=3),
    "best": Effort(rounds=14, steps=140, round_steps=120, final_fits=2, final_steps=500, shortenings=4),
}


def from_yaml(path: Path, tell: Callable[[str], None] | None = None) -> Settings:
    """Read settings from a YAML mapping; keys are those of `Settings` or of the reference's own file.

    tell: called with a sentence about keys of the reference that have no effect here. Raises InputError.
    """
    import yaml

    try:
        values = yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" at line {place.line + 1}" if place else ""
        raise InputError(f"{path}: is not valid YAML{where}.") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply.") from None
    except ValueError as error:  # of dates and numbers that look like such but are none
        raise InputError(f"{path}: holds a date or number that cannot be read ({error}).") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: should hold settings as `name: value` lines, not a {type(values).__name__}.")
    try:
        ours, idle, paper = translated({str(key): value for key, value in values.items()})
    except InputError as error:
        raise InputError(f"{path}: {error}.") from None
    settings = checked(ours, str(path))
    if idle and tell is not None:
        tell(f"{path}: known from the reference, but without effect here: {', '.join(idle)}.")
    if paper and tell is not None and settings.preset != "paper":
        tell(f"{path}: these count with the preset paper alone: {', '.join(paper)}.")
    return settings


def _text(path: Path) -> str:
    """Return what a file of settings holds; raises InputError."""
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text.") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: has more than {MOST_BYTES} bytes, which no settings need.")
    return text


def checked(values: dict[str, Any], origin: str) -> Settings:
    """Build settings, or raise InputError with one sentence that names where they came from and what is wrong."""
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InputError(f"{origin}: {explain(error)}.") from None


def explain(error: ValidationError, called: Callable[[str], str] = repr) -> str:
    """Return the first complaint of a validation error as half a sentence; `called` spells a setting's name."""
    first = error.errors(include_url=False)[0]
    section, field = "", str(first["loc"][0])
    fields = Settings.model_fields
    inside = section_of(field)
    if inside is not None and len(first["loc"]) > 1:
        section, field, fields = f"{field}.", str(first["loc"][1]), inside
    name = section + field  # a union adds which of its types complains, a list which of its items
    if first["type"] == "extra_forbidden":
        return f"there is no setting called '{name}' (known: {', '.join(section + known for known in fields)})"
    message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{called(name)} {message.replace('input should', 'should', 1)}, not {quoted(first['input'])}"


def section_of(name: str) -> dict[str, FieldInfo] | None:
    """Return the settings of a section such as `sds`, or None if the setting of this name is a single one."""
    kind = Settings.model_fields[name].annotation if name in Settings.model_fields else None
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else None
