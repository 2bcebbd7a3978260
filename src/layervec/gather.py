"""Gather small pieces of one colour in the same surroundings: the dots of a halftone, tiles, letters of a page.

A picture of few colours may have thousands of plain pieces. One by one they would be more shapes than a person can find
their way in, and the order of so many costs more than they show. Pieces are told apart by their colour and by what they
touch, and this by what it touches in turn, as in colour refinement of graphs (Weisfeiler and Leman 1968). Knows labels
and colours; nothing of pixels' values, trees or curves.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from layervec.types import Bool, Float64, Int32, Int64

LARGE = 0.01  # of the canvas; a piece as large is a thing of its own
ROUNDS = 2  # of refinement: what lies on a thing is told from what lies on a like thing on another ground
RARE = 0.1  # of the pieces of a colour; smaller groups go to the largest one, as where dots run into each other


def alike(labels: Int32, contacts: Int32, colours: Float64, solid: Bool, near: float) -> Int64:
    """Return for each piece the first one that it is one shape with, itself where there is none before: int64 [k].

    labels: int32 [h, w], which piece each pixel is of, -1 for none. contacts: int32 [e, 2], pieces that touch.
    near: most difference of a channel between pieces of one colour. Only solid pieces are gathered.
    """
    count = len(solid)
    area = np.bincount(labels.ravel() + 1, minlength=count + 1)[1:]
    own = np.arange(count)
    free = solid & (area < LARGE * labels.size)
    kind = np.where(free, count + _colour_classes(colours, area, near), own)
    touching = np.concatenate([contacts, contacts[:, ::-1]]).astype(np.int64)
    name = kind
    for _ in range(ROUNDS):
        name = np.where(free, count + _refined(kind, touching, name), own)
    return _first_alike(np.where(free, _without_rare(kind, name), own))


def _colour_classes(colours: Float64, area: Int64, near: float) -> Int64:
    """Number the colours so that each class lies within `near` of that of its largest piece: int64 [k]."""
    found = np.full(len(colours), -1, np.int64)
    for i in np.argsort(-area, kind="stable"):
        if found[i] < 0:
            alike = (found < 0) & (np.abs(colours - colours[i]).max(axis=1) <= near)
            found[alike] = i
    return found


def _refined(kind: Int64, touching: Int64, name: Int64) -> Int64:
    """Number pieces by their kind and the set of names of what they touch: int64 [k]."""
    rows = np.unique(np.stack([touching[:, 0], name[touching[:, 1]]], axis=1), axis=0)
    ends = np.searchsorted(rows[:, 0], np.arange(len(kind) + 1))
    around = [rows[start:end, 1].tobytes() for start, end in pairwise(ends)]
    seen: dict[tuple[int, bytes], int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in zip(kind.tolist(), around, strict=True)], np.int64)


def _without_rare(kind: Int64, name: Int64) -> Int64:
    """Name pieces of groups that have few of their kind as the largest group of that kind: int64 [k]."""
    _, group, members = np.unique(name, return_inverse=True, return_counts=True)
    found = name.copy()
    for one in np.unique(kind):
        mine = np.flatnonzero(kind == one)
        size = members[group.ravel()[mine]]
        found[mine[size < RARE * len(mine)]] = name[mine[size.argmax()]]
    return found


def _first_alike(name: Int64) -> Int64:
    """Return the first place that each name stands at: int64 [k]."""
    _, first, of = np.unique(name, return_index=True, return_inverse=True)
    return np.asarray(first[of.ravel()], np.int64)
