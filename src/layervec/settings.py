"""What a user can choose. One frozen tree; the command line, YAML files and Python all build the same one.

`quality` is the one dial for effort: everything that trades time for fidelity is derived from it in `Effort`.
Knows no stage and does no work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from layervec.errors import InputError

Quality = Literal["draft", "standard", "best"]
Gradients = Literal["auto", "on", "off"]
Segmenter = Literal["none", "sam"]

# Squared error over all channels, px, that a gradient must save against one colour. Written out it is as long as
# four to six nodes, each of which must save 0.65 (`refine.NODE_PRICE`).
GRADIENT_PRICES: dict[Gradients, float] = {"auto": 4.0, "on": 0.5, "off": math.inf}


class Settings(BaseModel):
    """Choices for one picture; every field has a default that suits most pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    paths: int = Field(
        default=256,
        ge=1,
        le=4096,
        description="Most shapes the drawing may have. Fewer give a simpler picture, more a closer one.",
    )
    quality: Quality = Field(
        default="standard",
        description="How much work to spend: draft is a quick preview, best takes several times longer than standard.",
    )
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
    gradients: Gradients = Field(
        default="off",
        description="Fill shapes with gradients: auto where that saves shapes, on wherever it helps, off never.",
    )
    segmenter: Segmenter = Field(
        default="none",
        description="What finds objects: none, or sam for a model of the Segment Anything family.",
    )
    segmenter_model: str = Field(
        default="",
        description="The model for sam: a folder with encoder.onnx and decoder.onnx.",
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

    def recorded(self) -> dict[str, object]:
        """Return what made a drawing, as plain JSON data: what needs files only where it was used, by its last name."""
        values = self.model_dump(mode="json")
        if self.segmenter == "none":
            del values["segmenter"], values["segmenter_model"]
        for name in ("segmenter_model", "levels", "masks"):
            if not values.get(name):
                values.pop(name, None)
            elif Path(values[name]).exists():
                values[name] = Path(values[name]).resolve().name
        return values


@dataclass(frozen=True, slots=True)
class Effort:
    """What a quality setting means.

    rounds: how many times shapes are added, pruned and fitted again after the first fit.
    steps: optimizer steps of the first fit.
    round_steps: optimizer steps of every later round.
    final_steps: optimizer steps after the last round.
    """

    rounds: int
    steps: int
    round_steps: int
    final_steps: int


EFFORTS: dict[Quality, Effort] = {
    "draft": Effort(rounds=1, steps=25, round_steps=10, final_steps=8),
    "standard": Effort(rounds=6, steps=60, round_steps=20, final_steps=100),
    "best": Effort(rounds=8, steps=140, round_steps=60, final_steps=150),
}


def from_yaml(path: Path) -> Settings:
    """Read settings from a YAML mapping; keys are those of `Settings`. Raises InputError."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" at line {place.line + 1}" if place else ""
        raise InputError(f"{path}: is not valid YAML{where}.") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: should hold settings as `name: value` lines, not a {type(values).__name__}.")
    return checked(values, str(path))


def checked(values: dict[Any, Any], origin: str) -> Settings:
    """Build settings, or raise InputError with one sentence that names where they came from and what is wrong."""
    try:
        return Settings(**{str(key): value for key, value in values.items()})
    except ValidationError as error:
        raise InputError(f"{origin}: {explain(error)}.") from None


def explain(error: ValidationError, called: Callable[[str], str] = repr) -> str:
    """Return the first complaint of a validation error as half a sentence; `called` spells a setting's name."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])  # a union adds which of its types complains
    if first["type"] == "extra_forbidden":
        return f"there is no setting called '{name}' (known: {', '.join(Settings.model_fields)})"
    message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{called(name)} {message.replace('input should', 'should', 1)}, not {first['input']!r}"
