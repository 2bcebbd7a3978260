"""A wish to edit, granted: from the present drawing of a work to the text of the next one."""

from __future__ import annotations

from layervec.studio import wishes
from layervec.studio.works import Work


def edited(work: Work, wish: wishes.Edit) -> str:
    """Return the text of a work's present drawing with an edit made. Raises InputError."""
    from layervec import edit, svg

    drawing = work.drawing()
    match wish:
        case wishes.Rename():
            drawing = edit.rename(drawing, wish.id, wish.name)
        case wishes.Recolour():
            drawing = edit.recolour(drawing, wish.id, wish.colour)
        case wishes.Move():
            drawing = edit.move(drawing, wish.id, wish.parent or drawing.root.id, wish.index)
        case wishes.Delete():
            drawing = edit.delete(drawing, wish.ids)
        case wishes.Merge():
            drawing = edit.merge(drawing, wish.ids, wish.name)
        case wishes.Split():
            drawing = edit.split(drawing, wish.id)
    return svg.write(drawing)
