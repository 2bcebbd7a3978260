"""What a page may ask for, checked: settings of a drawing, edits, budgets.

A browser names colours, numbers and ids; never a file, a folder or a model: those are the business of whoever started
the studio. Does no work.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from layervec import palette
from layervec.errors import InputError
from layervec.settings import Gradients, Preset, Quality, Settings, explain

MOST_IDS = 4096  # as many shapes as a drawing may have
Id = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Colour = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
Paths = Annotated[int, Field(ge=1, le=4096)]
Revision = Annotated[int, Field(ge=0)]


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Draw(_Wish):
    """How a picture is to be drawn. objects: look for things with the model that the studio was started with."""

    quality: Quality = "standard"
    paths: Paths | Literal["auto"] = 256
    gradients: Gradients = "off"
    colors: Annotated[int, Field(ge=2, le=256)] | Literal["any"] = "any"
    palette: Annotated[str, Field(max_length=8192)] = ""
    preset: Preset = "auto"
    drop_background: bool = False
    objects: bool = False

    def settings(self, base: Settings, offered: Collection[str]) -> Settings:
        """Return whole settings. base: models and device. offered: "sam" and "sds" where there are such models.

        Raises InputError for what does not go together or is not there.
        """
        if self.palette and palette.listed(self.palette) is None:
            raise InputError("The palette should be colours with commas between them, such as #e63946, #fff, navy.")
        if (self.objects or self.preset == "paper") and "sam" not in offered:
            raise InputError("There is no model that finds objects; start the studio with --segmenter-model.")
        values: dict[str, Any] = base.model_dump(include={"segmenter_model", "simplifier_model", "device", "offline"})
        values |= self.model_dump(exclude={"objects"})
        values["segmenter"] = "sam" if self.objects or self.preset == "paper" else "none"
        values["simplifier"] = "sds" if self.preset == "paper" and "sds" in offered else "classic"
        try:
            return Settings(**values)
        except ValidationError as error:
            raise InputError(f"These settings do not go together: {explain(error)}.") from None


class _Edit(_Wish):
    base: Revision  # the revision that the page shows: two pages must not overwrite each other


class Rename(_Edit):
    """Give a layer another name."""

    do: Literal["rename"]
    id: Id
    name: Name


class Recolour(_Edit):
    """Give a layer or a shape another colour."""

    do: Literal["recolour"]
    id: Id
    colour: Colour


class Move(_Edit):
    """Put an item into a parent, "" for the drawing itself, at a place that counts from the back."""

    do: Literal["move"]
    id: Id
    parent: Id | Literal[""]
    index: Annotated[int, Field(ge=0, le=MOST_IDS)]


class Delete(_Edit):
    """Remove items."""

    do: Literal["delete"]
    ids: Ids


class Merge(_Edit):
    """Make one layer of several items."""

    do: Literal["merge"]
    ids: Ids
    name: Name


class Split(_Edit):
    """Take a layer or a shape apart."""

    do: Literal["split"]
    id: Id


Edit = Annotated[Rename | Recolour | Move | Delete | Merge | Split, Field(discriminator="do")]


class Refit(_Edit):
    """Fit some items anew, with so many shapes."""

    ids: Ids
    paths: Paths
