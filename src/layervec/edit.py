"""Edits of a finished drawing: pure functions from a drawing to the drawing that a person wants instead.

Items, layers and shapes, go by their ids, the drawing as a whole by that of its root layer. What an edit is not about
stays the same value, so its part of the SVG stays the same bytes; only where shapes go for good, the ranks of others
close up, which keeps them 1 .. N. Knows layers, shapes and colours; nothing of pictures, fits, files or undoing, for
which the drawing before the edit is all that is needed.

Every function raises InputError, one sentence, for ids that the drawing does not have and for what cannot be done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TypeAlias

from layervec import recolour as colours
from layervec import svg
from layervec.errors import InputError
from layervec.types import Drawing, Layer, Shape

Item: TypeAlias = Layer | Shape

LONGEST_NAME = 200  # characters; no list of layers has room for more
MOST_DIGITS = 9  # of an id that new ones follow on; longer ones are no numbers of ours
LEAST_WEIGHT = 1e-6  # px^2, of a shape without area when colours are averaged


def find(drawing: Drawing, id: str) -> Item:
    """Return the layer or shape with this id."""
    return _place(drawing, id)[0]


def find_layer(drawing: Drawing, id: str) -> Layer:
    """Return the layer with this id."""
    item = find(drawing, id)
    if isinstance(item, Shape):
        raise InputError(f"{id} is a shape, not a layer.")
    return item


def place(drawing: Drawing, id: str) -> tuple[str, int]:
    """Return where an item is: the id of the layer around it and its index there, so that `move` can put it back."""
    item, parent = _inner(drawing, id)
    return parent.id, parent.children.index(item)


def rename(drawing: Drawing, id: str, name: str) -> Drawing:
    """Give a layer another name; characters that a file cannot hold are left out."""
    layer = find_layer(drawing, id)
    _inner(drawing, id)
    return replaced(drawing, {id: (replace(layer, name=_name(name)),)})


def recolour(drawing: Drawing, id: str, colour: str) -> Drawing:
    """Shift a layer with all in it, or a shape, towards a colour, "#rrggbb".

    A plain shape gets the colour itself; its opacity stays. Several shapes, and the stops of a gradient, get its hue
    and become as light as it on average, while their differences in lightness stay.
    """
    item = find(drawing, id)
    shapes = list(item.shapes()) if isinstance(item, Layer) else [item]
    wanted = colours.parsed(colour)
    if not shapes:
        return drawing
    paints = colours.shifted([shape.paint for shape in shapes], [_area(shape) for shape in shapes], wanted)
    changed = {shape.id: (replace(shape, paint=paint),) for shape, paint in zip(shapes, paints, strict=True)}
    return replaced(drawing, changed)


def move(drawing: Drawing, id: str, parent: str, index: int) -> Drawing:
    """Put an item into a layer, at this place among its other children: 0 is the back."""
    item, _ = _inner(drawing, id)
    if find_layer(drawing, parent) in _layers(item):
        raise InputError(f"Layer {id} cannot be moved into itself.")
    without = replaced(drawing, {id: ()})
    home = find_layer(without, parent)
    rest = home.children
    if not 0 <= index <= len(rest):
        raise InputError(f"Layer {parent} has no place {index} for {id}, only 0 to {len(rest)}.")
    moved = replaced(without, {parent: (replace(home, children=(*rest[:index], item, *rest[index:])),)})
    return _checked(moved)


def delete(drawing: Drawing, ids: Sequence[str]) -> Drawing:
    """Remove items with all in them; the ranks of the shapes that are left close up."""
    for id in ids:
        _inner(drawing, id)
    return closed(replaced(drawing, dict.fromkeys(ids, ())))


def merge(drawing: Drawing, ids: Sequence[str], name: str) -> Drawing:
    """Make one layer of several layers and shapes; it holds what they held, in their order from back to front.

    It lies where the front one of them was. Items inside others of them come along with those.
    """
    items = _outermost(drawing, ids)
    if len(items) < 2:
        raise InputError("It takes two layers or shapes, neither in the other, to merge.")
    things = {item.thing if isinstance(item, Layer) else "" for item in items}
    children = tuple(child for item in items for child in (item.children if isinstance(item, Layer) else (item,)))
    merged = Layer(next(fresh_ids(drawing, "l")), _name(name), children, things.pop() if len(things) == 1 else "")
    return _checked(replaced(drawing, {item.id: () for item in items[:-1]} | {items[-1].id: (merged,)}))


def split(drawing: Drawing, id: str) -> Drawing:
    """Put the children of a layer in its place, or make a shape of each island of a shape.

    An island is an outer contour with its holes. The largest one keeps the shape's id and rank, the others get the
    last ranks.
    """
    item, _ = _inner(drawing, id)
    if isinstance(item, Shape):
        return closed(replaced(drawing, {id: _islands(drawing, item)}))
    if len(item.children) < 2:
        raise InputError(f"Layer {id} holds nothing that could be split.")
    return replaced(drawing, {id: item.children})


def closed(drawing: Drawing) -> Drawing:
    """Return the drawing with the ranks of its shapes 1 .. N, in their order."""
    shapes = sorted(drawing.shapes(), key=lambda shape: shape.rank)
    ranked = enumerate(shapes, 1)
    return replaced(drawing, {shape.id: (replace(shape, rank=rank),) for rank, shape in ranked if shape.rank != rank})


def fresh_ids(drawing: Drawing, letter: str) -> Iterator[str]:
    """Yield ids that the drawing does not have: a letter, "s" for shapes or "l" for layers, and rising numbers."""
    taken = set(_ids(drawing))
    numbers = (re.fullmatch(f"{letter}([0-9]{{1,{MOST_DIGITS}}})", id) for id in taken)
    first = max((int(number[1]) for number in numbers if number), default=0) + 1
    return (id for number in count(first) if (id := f"{letter}{number}") not in taken)


def replaced(drawing: Drawing, changed: Mapping[str, Iterable[Item]]) -> Drawing:
    """Return the drawing with other items in the place of those with these ids; what has none of them stays itself."""

    def rebuilt(layer: Layer) -> Layer:
        children: list[Item] = []
        for child in layer.children:
            if child.id in changed:
                children += changed[child.id]
            else:
                children.append(rebuilt(child) if isinstance(child, Layer) else child)
        same = len(children) == len(layer.children) and all(map(_same, children, layer.children))
        return layer if same else replace(layer, children=tuple(children))

    (root,) = changed.get(drawing.root.id) or (rebuilt(drawing.root),)
    assert isinstance(root, Layer)
    return drawing if root is drawing.root else replace(drawing, root=root)


def _islands(drawing: Drawing, shape: Shape) -> tuple[Shape, ...]:
    from layervec.curves import signed_area
    from layervec.curves.islands import islands

    found = islands(shape.outline, shape.even_odd)
    if len(found) < 2:
        raise InputError(f"Shape {shape.id} is in one piece.")
    found.sort(key=lambda outline: -abs(signed_area(outline)))
    ranks = count(max(other.rank for other in drawing.shapes()) + 1)
    names = fresh_ids(drawing, "s")
    first, *rest = (replace(shape, outline=outline, even_odd=outline.contours > 1) for outline in found)
    return (first, *(replace(part, id=name, rank=rank) for part, name, rank in zip(rest, names, ranks, strict=False)))


def _same(a: Item, b: Item) -> bool:
    return a is b


def _place(drawing: Drawing, id: str) -> tuple[Item, Layer | None]:
    """An item and the layer around it, None for the root."""
    if id == drawing.root.id:
        return drawing.root, None
    for layer in drawing.root.layers():
        for child in layer.children:
            if child.id == id:
                return child, layer
    raise InputError(f"The drawing has no layer or shape {id[:40]!r}.")


def _inner(drawing: Drawing, id: str) -> tuple[Item, Layer]:
    """An item below the root and the layer around it."""
    item, parent = _place(drawing, id)
    if parent is None:
        raise InputError("The drawing as a whole is no layer that could be changed.")
    return item, parent


def _layers(item: Item) -> list[Layer]:
    return list(item.layers()) if isinstance(item, Layer) else []


def _outermost(drawing: Drawing, ids: Sequence[str]) -> list[Item]:
    """The items with these ids that lie in no other of them, back to front."""
    for id in ids:
        _inner(drawing, id)
    wanted = set(ids)

    def walk(layer: Layer) -> Iterator[Item]:
        for child in layer.children:
            if child.id in wanted:
                yield child
            elif isinstance(child, Layer):
                yield from walk(child)

    return list(walk(drawing.root))


def _ids(drawing: Drawing) -> Iterator[str]:
    for layer in drawing.root.layers():
        yield layer.id
        yield from (child.id for child in layer.children if isinstance(child, Shape))


def _name(name: str) -> str:
    name = " ".join(svg.writable(name).split())
    if not name:
        raise InputError("A layer's name needs at least one character.")
    if len(name) > LONGEST_NAME:
        raise InputError(f"A layer's name has at most {LONGEST_NAME} characters, not {len(name)}.")
    return name


def _checked(drawing: Drawing) -> Drawing:
    """Return the drawing if its layers are not nested deeper than a file may have them."""

    def depth(layer: Layer) -> int:
        return 1 + max((depth(child) if isinstance(child, Layer) else 1 for child in layer.children), default=0)

    if depth(drawing.root) > svg.MAX_DEPTH:
        raise InputError(f"Layers cannot be nested deeper than {svg.MAX_DEPTH}.")
    return drawing


def _area(shape: Shape) -> float:
    from layervec.curves import signed_area

    return max(abs(signed_area(shape.outline)), LEAST_WEIGHT)
