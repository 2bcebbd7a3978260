"""Order the plain zones of drawn art: what lies in what, what belongs together, what stands on the ground.

Three rules make sets of zones, any two of which lie apart or one in the other, so that each can be a node of the region
tree: a zone runs on under all that it encloses; what hangs together on a ground is a thing; and pieces of one colour
and one form, side by side on the same ground, are one shape (eyes, wheels, window panes). Knows labels and colours;
nothing of merging, gains or curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec.masks import boxes, holes
from layervec.objects import Nested
from layervec.types import Bool, Int32, Int64
from layervec.zones import ALIKE, MOST_ZONES, Zones

LEAST_SHARE = 0.9  # of the canvas that zones cover, below which a picture is not drawn art
GROUND_SHARE = 0.3  # of the canvas border; the zone that takes most of it is the ground if it takes as much
CLEAR = 0.04  # alpha of a zone that is no paint at all
SAME_SIDES = 1.6  # most ratio of the sides of their bounding boxes
SMALL = 0.0015  # of the canvas; pieces as small are alike whatever their form
FIRST_ROOM = 64  # sets; twice as much when it is full
GROUND_CONTACT = 0.25  # share of a piece's outer border that it has with what it may lie on


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """Sets of leaves, and which of them stand for a zone.

    zones: k tuples, for each set the sets of the zones whose paint it takes: itself for a zone alone, a zone for one
    with what it encloses, all pieces for one of several; empty where nothing is known. shapes: bool [k], False for what
    lies on a zone, all of it, which is no shape. ground: the set of the zone that everything lies on, -1 for none.
    alone: int64 [zones], the set of each zone alone. clear: bool [zones], the canvas seen through; no part of a shape.
    """

    nested: Nested
    zones: tuple[tuple[int, ...], ...]
    shapes: Bool
    ground: int
    alone: Int64
    clear: Bool


def made_of(zones: Zones) -> bool:
    """Tell whether zones are what a picture consists of, as drawn art does."""
    return 0 < len(zones) < MOST_ZONES and bool((zones.labels >= 0).mean() >= LEAST_SHARE)


def structure(zones: Zones, labels: Int32) -> Structure:
    """Return the sets of leaves for zones, of which there is one at least.

    labels: int32 [h, w], leaves, each of one zone or of none.
    """
    sets = _Sets(zones)  # what crosses a set that came before it is left out
    sets.add_zones()
    sets.add_groups()
    sets.add_hulls()
    sets.add_things()
    return sets.of_leaves(labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Set:
    """atoms: bool [count]. zones: whose paint it takes, by number. shape: False for what is none, as in `Structure`."""

    atoms: Bool
    zones: tuple[int, ...]
    shape: bool


class _Sets:
    """Sets of atoms: the zones, and the pieces of what is of none."""

    def __init__(self, zones: Zones) -> None:
        from layervec import tree_kernels as kernels

        self._zones = zones
        pieces = kernels.pieces(zones.labels)
        rest = zones.labels < 0
        found, places = np.unique(pieces[rest], return_inverse=True)
        self.atoms = zones.labels.copy()
        self.atoms[rest] = len(zones) + places
        self.count = len(zones) + len(found)
        self._area = np.bincount(self.atoms.ravel(), minlength=self.count)
        self.sets: list[_Set] = []
        self._known = np.zeros((FIRST_ROOM, self.count), dtype=bool)  # the atoms of each, and room
        self._boxes = boxes(self.atoms, self.count)
        self.ground = self._find_ground()
        self._clear = zones.colours[:, -1] < CLEAR if zones.colours.shape[1] == 4 else np.zeros(len(zones), dtype=bool)
        self._hulls = [self._hull(i) for i in range(len(zones))]
        self._home = self._homes()

    def _find_ground(self) -> int:
        """The zone along most of the canvas border, if it takes enough of it, else -1."""
        at = self._zones.labels
        rim = np.concatenate([at[0], at[-1], at[1:-1, 0], at[1:-1, -1]])
        share = np.bincount(rim[rim >= 0], minlength=1)
        return int(share.argmax()) if share.max() >= GROUND_SHARE * len(rim) else -1

    def _window(self, i: int) -> tuple[slice, slice]:
        top, left, bottom, right = self._boxes[i]
        return slice(top, bottom), slice(left, right)

    def _hull(self, i: int) -> Bool:
        """The atoms of a zone and of all that it encloses: bool [count]; the ground is below everything."""
        if i == self.ground:
            return np.ones(self.count, dtype=bool)
        atoms = self._alone(i)
        part = self.atoms[self._window(i)]
        inside = np.bincount(part[holes(part == i)], minlength=self.count)
        atoms |= (inside > 0) & (inside == self._area)  # what reaches out by a corner is not enclosed
        # A zone may not run on under what shows nothing but the canvas.
        return self._alone(i) if self._clear[atoms[: len(self._zones)]].any() else atoms

    def _alone(self, i: int) -> Bool:
        atoms = np.zeros(self.count, dtype=bool)
        atoms[i] = True
        return atoms

    def _homes(self) -> Int64:
        """The innermost zone that encloses each atom: int64 [count], -1 for none."""
        home = np.full(self.count, -1, dtype=np.int64)
        areas = [int(self._area[hull].sum()) for hull in self._hulls]
        for i in sorted(range(len(areas)), key=lambda i: -areas[i]):
            below = self._hulls[i].copy()
            below[i] = False
            home[below] = i
        return home

    def add_zones(self) -> None:
        """Add every zone alone."""
        for i in range(len(self._zones)):
            self._add(self._alone(i), [i], shape=not self._clear[i])

    def _add(self, atoms: Bool, zones: Sequence[int] = (), shape: bool = True) -> None:
        """Add a set unless it crosses or repeats another one."""
        known = self._known[: len(self.sets)]
        common = (known & atoms).sum(axis=1)
        sizes, size = known.sum(axis=1), atoms.sum()
        crossed = (common > 0) & (common != sizes) & (common != size)
        repeated = (common == sizes) & (common == size)
        if (crossed | repeated).any():
            return
        if len(self.sets) == len(self._known):
            self._known = np.concatenate([self._known, np.zeros_like(self._known)])
        self._known[len(self.sets)] = atoms
        self.sets.append(_Set(atoms, tuple(zones), shape))

    def add_hulls(self) -> None:
        """Add every zone with what it encloses."""
        for i, hull in enumerate(self._hulls):
            if hull.sum() > 1 and i != self.ground:
                self._add(hull, [i])

    def add_groups(self) -> None:
        """Add pieces of one shape, outer ones first: what lies on pieces of one shape may be one shape as well."""
        solid = np.flatnonzero(self._zones.solid & ~self._clear)
        under = {int(i): self._under(int(i)) for i in solid if i != self.ground}
        one = np.arange(self.count + 1)  # the first piece of the shape that each atom is part of; the last is none
        for depth in range(max(map(self._depth, under), default=-1) + 1):
            by_place: dict[int, list[int]] = {}
            for i in under:
                if self._depth(i) == depth:
                    by_place.setdefault(int(one[self._home[i]]), []).append(i)
            below = {i: frozenset(one[list(atoms)].tolist()) for i, atoms in under.items()}
            for members in by_place.values():
                while members:
                    group, members = self._drawn_together(members, below)
                    if len(group) > 1:
                        self._add(np.any([self._hulls[i] for i in group], axis=0), group)
                        one[group] = group[0]

    def _depth(self, i: int) -> int:
        """How many zones enclose this one, each in the next."""
        depth = 0
        while self._home[i] >= 0:
            i, depth = int(self._home[i]), depth + 1
        return depth

    def _drawn_together(self, members: list[int], below: dict[int, frozenset[int]]) -> tuple[list[int], list[int]]:
        """Split off the first member with all that are alike, or alike to one of those."""
        group, rest = [members[0]], members[1:]
        for one in group:
            near = [i for i in rest if below[one] & below[i] and self._alike(one, i)]
            group += near
            rest = [i for i in rest if i not in near]
        return group, rest

    def _alike(self, i: int, j: int) -> bool:
        """Tell whether two zones may be pieces of one shape, by colour and form."""
        if np.abs(self._zones.colours[i] - self._zones.colours[j]).max() > ALIKE:
            return False
        if max(self._area[self._hulls[k]].sum() for k in (i, j)) < SMALL * self.atoms.size:
            return True
        a, b = (self._boxes[k, 2:] - self._boxes[k, :2] for k in (i, j))
        return bool((np.maximum(a, b) <= SAME_SIDES * np.minimum(a, b)).all())

    def _under(self, i: int) -> Int64:
        """The atoms that a zone may lie on: those that it touches well around its hull."""
        rows, columns = self._window(i)
        h, w = self.atoms.shape
        window = np.s_[
            max(0, rows.start - 1) : min(h, rows.stop + 1), max(0, columns.start - 1) : min(w, columns.stop + 1)
        ]
        part = self.atoms[window]
        mask = self._hulls[i][part]
        near = np.zeros_like(mask)
        near[1:] |= mask[:-1]
        near[:-1] |= mask[1:]
        near[:, 1:] |= mask[:, :-1]
        near[:, :-1] |= mask[:, 1:]
        touched = np.bincount(part[near & ~mask], minlength=1)
        return np.flatnonzero(touched > GROUND_CONTACT * touched.sum())

    def add_things(self) -> None:
        """Add what lies on each zone, all of it and whatever hangs together."""
        from layervec import tree_kernels as kernels

        for i in range(len(self._zones)):
            on = self._hulls[i].copy()
            on[i] = False
            on[: len(self._zones)] &= ~self._clear  # the canvas seen through a thing is no part of it
            if not on.any():
                continue
            window = self._window(i) if i != self.ground else np.s_[:, :]
            part = self.atoms[window]
            pieces = kernels.pieces(np.where(on[part], 1, 0).astype(np.int32))
            for piece in np.unique(pieces[on[part]]):
                atoms = np.zeros(self.count, dtype=bool)
                atoms[np.unique(part[pieces == piece])] = True
                self._add(atoms)
            self._add(on, shape=False)

    def of_leaves(self, labels: Int32) -> Structure:
        """Return the sets as leaves, inner ones first."""
        atom = np.zeros(int(labels.max()) + 1, dtype=np.int64)
        atom[labels.ravel()] = self.atoms.ravel()
        area = [self._area[one.atoms].sum() for one in self.sets]
        order = np.argsort(area, kind="stable")
        atoms = np.array([self.sets[i].atoms for i in order])
        place = np.empty(len(self._zones), dtype=np.int64)
        for k, i in enumerate(order):
            if self.sets[i].atoms.sum() == 1 and self.sets[i].atoms[: len(self._zones)].any():
                place[self.sets[i].atoms.argmax()] = k
        taken = tuple(tuple(int(place[zone]) for zone in self.sets[i].zones) for i in order)
        shapes = np.array([self.sets[i].shape for i in order])
        nested = Nested(atoms[:, atom], _parents(atoms), order)
        return Structure(nested, taken, shapes, int(place[self.ground]) if self.ground >= 0 else -1, place, self._clear)


def _parents(sets: Bool) -> Int64:
    """The first set after each that holds all of it: int64 [k], -1 for none. sets: bool [k, n], inner ones first."""
    parent = np.full(len(sets), -1, dtype=np.int64)
    for k in range(len(sets)):
        around = np.flatnonzero(~(sets[k] & ~sets[k + 1 :]).any(axis=1))
        parent[k] = k + 1 + around[0] if len(around) else -1
    return parent
