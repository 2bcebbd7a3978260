"""A wish to edit, granted: from one drawing to the next."""

from __future__ import annotations

from layervec import edit
from layervec.studio import wishes
from layervec.types import Drawing


def edited(drawing: Drawing, wish: wishes.Edit) -> Drawing:
    """Return a drawing with an edit made. Raises InputError."""
    match wish:
        case wishes.Rename():
            return edit.rename(drawing, wish.id, wish.name)
        case wishes.Recolour():
            return edit.recolour(drawing, wish.id, wish.colour)
        case wishes.Move():
            return edit.move(drawing, wish.id, wish.parent or drawing.root.id, wish.index)
        case wishes.Delete():
            return edit.delete(drawing, wish.ids)
        case wishes.Merge():
            return edit.merge(drawing, wish.ids, wish.name)
        case wishes.Split():
            return edit.split(drawing, wish.id)
