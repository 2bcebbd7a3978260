"""What opens in a drawing when one of its layers alone is hidden, and which groups of an SVG are its layers.

Knows documents and their alpha, no picture to compare with.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from layervec.document import Document
from layervec.image import fit_size
from layervec.svg import INKSCAPE, SVG
from layervec.types import Float32, Float64, Int64

OPEN_LONGEST = 256  # px; openings are shares of the canvas, so a quarter of the pixels tells them well enough
# Drop of alpha at which a pixel counts as open. Where two shapes share an edge without overlap, antialiasing
# alone lets 1/4 through in the worst case (two halves of coverage: 1 - 1/2 - 1/4), which is no hole.
OPEN_DROP = 0.5
# Parts into which a set of layers that opens something is split. Where all of n open, halving would take 2 n
# renders and eighths 8/7 n; where one of 100 does, 15 against 18.
OPEN_SPLIT = 8
# Renders of the whole document; beyond them, time would grow with the square of the number of layers. Enough for
# fifty layers that all open something, which drawings with a ground do not have.
MOST_WHOLE = 64


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens when one layer alone is hidden: `share` is the part of the canvas, 0..1.

    `background` is True for the lowest top-level layer, which is expected to open something.
    """

    id: str
    label: str
    share: float
    background: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A layer and the layers in it."""

    element: ET.Element
    children: tuple[Group, ...] = ()

    def walk(self) -> Iterator[Group]:
        """Yield this layer and those inside it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def depth(self) -> int:
        """Return how deep layers are nested, this one counted."""
        return 1 + max((child.depth() for child in self.children), default=0)


def layer_tree(element: ET.Element) -> list[Group]:
    """Return the Inkscape layers below an element, back to front; groups in between are looked through."""
    groups = []
    for child in element:
        if child.tag != f"{{{SVG}}}g":
            continue
        inner = layer_tree(child)
        if child.get(f"{{{INKSCAPE}}}groupmode") == "layer":
            groups.append(Group(child, tuple(inner)))
        else:
            groups.extend(inner)
    return groups


def top_groups(root: ET.Element) -> list[Group]:
    """Return the groups at the top of an SVG that has no layers."""
    return [Group(child) for child in root if child.tag == f"{{{SVG}}}g"]


def openings(document: Document, layers: list[Group], width: int, height: int) -> tuple[Opening, ...]:
    """Return what opens when each layer alone is hidden, parents first."""
    size = fit_size(width, height, OPEN_LONGEST)
    shares = _by_sets(document, layers, size)
    if shares is None:
        shares = _Alone(document, size).shares(layers)
    found = [group.element for layer in layers for group in layer.walk()]
    return tuple(
        Opening(
            id=element.get("id", ""),
            label=element.get(f"{{{INKSCAPE}}}label") or element.get("id") or f"group {number}",
            share=shares.get(element, 0.0),
            background=element is layers[0].element,
        )
        for number, element in enumerate(found, 1)
    )


def _by_sets(document: Document, layers: list[Group], size: tuple[int, int]) -> dict[ET.Element, float] | None:
    """Return the shares of layers that open something, None where that takes more than MOST_WHOLE renders.

    Hiding more never makes a pixel more opaque, so where a set of layers hidden together opens nothing, none
    of them does, nor does any layer inside them. That is the usual case, so sets are tried first and split
    only where something opens.
    """
    whole = document.render(*size, None)[..., 3]
    shares: dict[ET.Element, float] = {}
    waiting = [layers[1:], layers[:1]]
    renders = 0
    while waiting:
        groups = waiting.pop()
        if not groups:
            continue
        renders += 1
        if renders > MOST_WHOLE:
            return None
        alpha = document.render(*size, None, frozenset(group.element for group in groups))[..., 3]
        share = float(np.mean(whole - alpha > OPEN_DROP))
        if share == 0.0:
            continue
        if len(groups) == 1:
            shares[groups[0].element] = share
            waiting.append(list(groups[0].children))
            continue
        step = math.ceil(len(groups) / OPEN_SPLIT)
        waiting += [groups[start : start + step] for start in range(0, len(groups), step)]
    return shares


class _Alone:
    """Shares from renders of each layer by itself, whose transparencies multiply: work in proportion to the document.

    A pixel may be taken otherwise than by renders of the whole where its alpha drops by OPEN_DROP to within a few
    steps of 1/255, and where a layer lies in a group with an opacity, clip or mask, which are applied to it alone.
    """

    def __init__(self, document: Document, size: tuple[int, int]) -> None:
        self._document, self._size = document, size
        self._excerpts = document.excerpts()

    def shares(self, layers: list[Group]) -> dict[ET.Element, float]:
        found: dict[ET.Element, float] = {}
        rest = self._document.render(*self._size, None, frozenset(layer.element for layer in layers))[..., 3]
        waiting = [(layers, 1.0 - rest.astype(np.float64))]
        while waiting:
            groups, beside = waiting.pop()
            stack = _Stack(beside)
            parts = [stack.add(self._alpha(group.element)) for group in groups]
            for group, part in zip(groups, parts, strict=True):
                opens = np.count_nonzero(stack.where_drawn(part) * part.alpha() > OPEN_DROP)
                if opens:
                    found[group.element] = opens / beside.size
                    if group.children:
                        waiting.append((list(group.children), stack.everywhere(part) * (1.0 - self._own(group))))
        return found

    def _alpha(self, element: ET.Element, hidden: frozenset[ET.Element] = frozenset()) -> Float32:
        excerpt = self._excerpts.of(element)
        return self._document.render_part(excerpt, *self._size, hidden)[..., 3]

    def _own(self, group: Group) -> Float32:
        """Return the alpha of what is in a layer but in none of the layers inside it."""
        return self._alpha(group.element, frozenset(child.element for child in group.children))


@dataclass(frozen=True, slots=True)
class _Part:
    """The alpha of a layer, packed, as there may be very many: box is where it draws, data what."""

    box: tuple[slice, slice]
    data: bytes

    def alpha(self) -> Float64:
        rows, columns = self.box
        shape = rows.stop - rows.start, columns.stop - columns.start
        return np.frombuffer(zlib.decompress(self.data), np.uint8).reshape(shape) / 255


class _Stack:
    """How transparent layers on top of each other are, all but one of them. beside: the transparency of all else."""

    def __init__(self, beside: Float64) -> None:
        self._beside = beside
        self._opaque = np.zeros(beside.shape, np.int64)  # layers that let nothing through: no logarithm says that
        self._logarithms = np.zeros(beside.shape)

    def add(self, alpha: Float32) -> _Part:
        box = _box(alpha)
        part = _Part(box, zlib.compress((alpha[box] * 255).round().astype(np.uint8).tobytes(), 1))
        shown = part.alpha()
        self._opaque[box] += shown == 1.0
        self._logarithms[box] += _clear(shown)
        return part

    def where_drawn(self, part: _Part) -> Float64:
        """Return the transparency of all but one layer, in its box."""
        shown = part.alpha()
        clear = self._beside[part.box] * np.exp(self._logarithms[part.box] - _clear(shown))
        return np.where(self._opaque[part.box] == (shown == 1.0), clear, 0.0)

    def everywhere(self, part: _Part) -> Float64:
        """Return the transparency of all but one layer, of the whole canvas."""
        clear = np.where(self._opaque == 0, self._beside * np.exp(self._logarithms), 0.0)
        clear[part.box] = self.where_drawn(part)
        return clear


def _box(alpha: Float32) -> tuple[slice, slice]:
    """Return the smallest rows and columns outside which there is no alpha."""
    sides = [np.flatnonzero(alpha.any(axis=axis)) for axis in (1, 0)]
    return (_reach(sides[0]), _reach(sides[1]))


def _reach(places: Int64) -> slice:
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def _clear(alpha: Float64) -> Float64:
    """Return the logarithm of transparency, 0 where there is none."""
    return np.log(np.where(alpha == 1.0, 1.0, 1.0 - alpha))
