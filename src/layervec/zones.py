"""Find plain zones: parts of a picture that one colour, or one soft ramp of colours, can stand for.

Drawn art is made of them: fills, and gradients from edge to edge. A zone is a quasi-flat zone (Soille 2008,
https://doi.org/10.1109/TPAMI.2007.70817), pixels that hang together by small steps, if a smooth surface explains its
colours; where it does not, smaller steps are tried. Knows pixels; nothing of trees, shapes or budgets.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from layervec import details, gather
from layervec.grain import grain
from layervec.masks import boxes
from layervec.masks import grown as grow
from layervec.types import Bool, Float32, Float64, Int32, Int64

STEPS = (12 / 255, 5 / 255, 2.5 / 255, 1.2 / 255)  # most change of a channel from pixel to pixel, tried in this order
EXACT_SHARE = 0.5  # of a zone's pixels that have just one colour, from which on it is the zone's
NEAR_SHARE = 0.2  # likewise of one that is ALIKE to the mean
NEAR = 16 / 255  # of a channel, between a thin zone's mean colour and the exact one that it has
EQUAL = 0.1 / 255  # most change of a channel from pixel to pixel in just one colour; rounding makes less
UNLIKE = 3.5 / 255  # most difference of a channel between neighbouring tones of a ramp
ALIKE = 2 / 255  # most difference of a channel between parts of one colour
GAP = 2  # px at most between parts of one detail, where resizing has thinned a line out
LEAST_ZONE = 16  # px; less is a detail, not a zone
LEAST_CORE = 0.2  # of a zone, away from its border; what has less is a line, whose tone changes along it
MOST_ZONES = 300  # only the largest are returned; a picture with as many is no drawn art
EVEN = 1.5 / 255  # standard deviation of a zone that is one colour, root of the mean over channels
SMOOTH = 2.5 / 255  # the same of what a smooth surface leaves
UNEXPLAINED = 0.1  # or the share of a zone's variance that it leaves
CALM_SHARE = 0.93  # of the steps from pixel to pixel that are no edges; so many are smaller than one that shows
ICON = 40  # px, longer side; in so small a picture most pixels lie beside an edge, which resizing may have made ring
CALM_SHARE_ICON = 0.5  # likewise there
RIDGE = 1e-6  # of a piece's area, added to the sums that a surface is fitted to; keeps those of thin pieces solvable
RIM = 2  # px around zones, antialiased or blurred, that go to the zone that they look like
EXPLAINED = 0.8  # of the pixels of a thin zone, that details have or give to a zone, else it stays a zone
ALONG = 0.8  # of the pixels of a detail, that touch both colours that it mixes; specks need not
SEAM = 0.2  # of a channel; how far off the mixtures of both sides a thin zone may be that is only their border
MOST_OFF = 0.8  # of the squared contrast nearby; a pixel that is farther off its neighbour is not of the same zone
MIXED = 0.05  # of a channel; what is by more darker or lighter than all zones around is no mixture of them but a line


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """labels: int32 [h, w], which zone each pixel is of, -1 for none.

    colours: [k, c], exact where most pixels have just one, else means, without the rims that zones have grown. solid:
    bool [k], those of one colour. details: bool [k], thin lines, dots and letters (details.py).
    """

    labels: Int32
    colours: Float64
    solid: Bool
    details: Bool

    def __len__(self) -> int:
        return len(self.solid)


def find(sharp: Float32, pixels: Float32, known: Float32) -> Zones:
    """Return the plain zones of a picture, the largest first.

    pixels: premultiplied [h, w, c]; sharp: the same without fringes. known: [n, c], its most frequent exact colours.
    """
    h, w, channels = sharp.shape
    flat = np.ascontiguousarray(sharp.reshape(h * w, channels))
    inside, solid = _by_steps(flat, w)
    inside = inside.reshape(h, w)
    colours = _colours(inside.ravel(), flat, len(solid))
    thin = _thin(inside, len(solid))
    narrow = thin & ~_wide(inside, len(solid))
    letters = _on_one_ground(inside, colours, thin) | narrow
    inside = _without_seams(inside, colours, letters, narrow)
    colours, solid = _in_known(colours, known, thin), solid | thin

    def without(left: Bool) -> tuple[Zones, details.Details]:
        names = np.append(np.where(left, -1, np.cumsum(~left) - 1), -1).astype(np.int32)
        kept = names[inside]
        grown = _grown(kept, sharp, pixels)
        likely = _likely(known, colours[~left], solid[~left])
        zones = Zones(grown, colours[~left], solid[~left], np.zeros(int((~left).sum()), bool))
        return zones, details.find(pixels, kept, sharp, grown, likely)

    zones, found = without(letters)
    lost = _lost(found, inside, letters)
    return _joined(*(without(letters & ~lost) if lost.any() else (zones, found)))


def _lost(found: details.Details, labels: Int32, letters: Bool) -> Bool:
    """Tell which of the thin zones that were left to details these do not explain: bool [k]."""
    known = (found.labels >= 0) | (found.home >= 0)
    inside, count = labels.ravel() + 1, len(letters) + 1
    area = np.bincount(inside, minlength=count)[1:]
    share = np.bincount(inside, known.ravel(), count)[1:] / np.maximum(area, 1)
    return letters & (share < EXPLAINED)


def _thin(labels: Int32, count: int) -> Bool:
    """Tell which zones have hardly a pixel off their border, as the strokes of small letters: bool [count]."""
    core = np.bincount(_cores(labels).ravel() + 1, minlength=count + 1)[1:]
    return np.asarray(core < LEAST_CORE * np.bincount(labels.ravel() + 1, minlength=count + 1)[1:])


def _on_one_ground(labels: Int32, colours: Float64, thin: Bool) -> Bool:
    """Tell which thin zones lie on one colour, as letters do: bool [k]. Details know them better."""
    import cv2

    near = np.ones((2 * RIM + 3, 2 * RIM + 3), np.uint8)
    thick = np.append(~thin, False)[labels][..., None]
    sheet = np.append(colours, np.zeros((1, colours.shape[1])), axis=0)[labels].astype(np.float32)
    low = cv2.erode(np.where(thick, sheet, np.float32(2.0)), near)  # channels are 0 to 1
    high = cv2.dilate(np.where(thick, sheet, np.float32(-1.0)), near)
    found = thin.copy()
    for i in np.flatnonzero(thin):
        mine = labels == i
        most, least = high[mine].max(axis=0), low[mine].min(axis=0)
        found[i] = bool(((most >= 0.0) & (most - least <= ALIKE)).all())
    return found


def _wide(labels: Int32, count: int) -> Bool:
    """Tell which zones are two pixels wide somewhere: bool [count]."""
    square = labels[:-1, :-1]
    whole = (square == labels[1:, :-1]) & (square == labels[:-1, 1:]) & (square == labels[1:, 1:]) & (square >= 0)
    return np.asarray(np.bincount(square[whole], minlength=count) > 0)


def _without_seams(labels: Int32, colours: Float64, thin: Bool, narrow: Bool) -> Int32:
    """Give narrow zones that only mix what lies on their two sides, as antialiased borders do, to the likelier side.

    thin, narrow: bool [k]; thin ones are no side.
    """
    found = labels.copy()
    if len(thin) < 2:
        return found
    for i in np.flatnonzero(narrow):
        mine = labels == i
        beside = labels[grow(mine, 1)]
        count = np.bincount(beside[beside >= 0], minlength=len(thin))
        count[thin] = 0
        one, other = np.argsort(-count, kind="stable")[:2]
        share, off = _mixture(colours[i], colours[one], colours[other])
        if count[other] > 0 and MIXED < share < 1.0 - MIXED and off <= SEAM:
            found[mine] = one if share < 0.5 else other
    return found


def _in_known(colours: Float64, known: Float32, thin: Bool) -> Float64:
    """Return the colours, those of thin zones, which antialiasing lightens, in the picture's own where one is near."""
    if not len(known) or not thin.any():
        return colours
    off = np.abs(colours[thin, None] - known[None]).max(axis=2)
    near = off.argmin(axis=1)
    found = colours.copy()
    found[thin] = np.where(off.min(axis=1, keepdims=True) <= NEAR, known[near], colours[thin])
    return found


def _likely(known: Float32, colours: Float64, solid: Bool) -> Float32:
    """Colours that details probably have: the picture's most frequent ones, then those of zones: [n, c]."""
    likely = list(known)
    for colour in colours[solid][: details.MOST_INKS]:
        if all(np.abs(other - colour).max() > details.EXACT for other in likely):
            likely.append(colour.astype(np.float32))
    return np.array(likely, np.float32).reshape(-1, colours.shape[1])


def _joined(zones: Zones, found: details.Details) -> Zones:
    """Return zones with details among them; what touches a detail in its colour is one with it."""
    import cv2

    labels = np.where(zones.labels >= 0, zones.labels, found.home).astype(np.int32)
    count, colours = len(zones), [zones.colours]
    for k, ink in enumerate(found.inks):
        inside = found.labels == k
        ends, parts = cv2.connectedComponents(grow(inside, GAP // 2).astype(np.uint8), connectivity=8)
        labels[inside] = count + parts[inside] - 1  # part 0 is what is around
        count += ends - 1
        colours.append(np.tile(ink, (ends - 1, 1)))
    every = np.concatenate(colours)
    solid = np.concatenate([zones.solid, np.ones(len(every) - len(zones), bool)])
    fine = np.arange(len(every)) >= len(zones)
    labels = _without_specks(labels, every, solid, fine)
    one = _touching(labels, every, solid, fine)
    if len(np.unique(one)) >= MOST_ZONES:
        labels = np.append(one, -1)[labels].astype(np.int32)
        one = gather.alike(labels, _contacts(labels), every, solid, ALIKE)[one]
    return _largest(Zones(labels, every, solid, fine), one)


def _without_specks(labels: Int32, colours: Float64, solid: Bool, fine: Bool) -> Int32:
    """Give details that only mix two colours that they touch, as where edges meet, to the likelier one.

    Small ones, and thin ones that have both colours beside them all along.
    """
    found = labels.copy()
    area = np.bincount(labels.ravel() + 1, minlength=len(colours) + 1)[1:]
    small = area <= details.MOST_SPECK
    box = boxes(labels + 1, len(colours) + 1)[1:]
    end = np.ones(labels.shape, bool)
    end[1:-1, 1:-1] = False
    for i in np.flatnonzero(fine & (area > 0) & (small | ~_wide(labels, len(colours)))):
        top, left, bottom, right = box[i]
        window = np.s_[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1]
        near = labels[window]
        mine = near == i
        beside = np.unique(near[grow(mine, 1) & ~mine])
        beside = beside[beside >= 0]
        for one, other in itertools.combinations(beside[solid[beside]], 2):
            share, off = _mixture(colours[i], colours[one], colours[other])
            if off <= ALIKE and 0.0 < share < 1.0 and (small[i] or _along(mine, near, one, other, end[window])):
                found[window][mine] = one if share < 0.5 else other
                break
    return found


def _mixture(colour: Float64, one: Float64, other: Float64) -> tuple[float, float]:
    """Return how much a colour has of the other one of two, and how far it is off their mixtures, in a channel."""
    way, off = other - one, colour - one
    share = float(off @ way) / max(float(way @ way), 1e-9)
    return share, float(np.abs(off - share * way).max())


def _along(mine: Bool, labels: Int32, one: int, other: int, end: Bool) -> bool:
    """Tell whether most pixels have both zones beside them, or one and the end of the canvas."""
    a, b = grow(labels == one, 1), grow(labels == other, 1)
    return bool(((a & b) | (end & (a | b)))[mine].mean() >= ALONG)


def _touching(labels: Int32, colours: Float64, solid: Bool, fine: Bool) -> Int64:
    """Return for each zone the first one of its colour that it hangs together with, by sides or corners: int64 [k]."""
    ends = _contacts(labels)
    alike = (np.abs(colours[ends[:, 0]] - colours[ends[:, 1]]).max(axis=1) <= ALIKE) & solid[ends].all(axis=1)
    return _first_of(ends[alike & fine[ends].any(axis=1)], len(colours))


def _contacts(labels: Int32) -> Int32:
    """Return the pairs of zones that touch by sides or corners: int32 [e, 2]."""
    pairs = []
    for here, there in _neighbours(*labels.shape):
        one, other = labels[here], labels[there]
        meet = (one != other) & (one >= 0) & (other >= 0)
        pairs.append(np.stack([one[meet], other[meet]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _first_of(pairs: Int32, count: int) -> Int64:
    """Return for each of `count` zones the first one that pairs, [e, 2], tie it to: int64 [count]."""
    from layervec import tree_kernels as kernels

    part = kernels.components(np.ascontiguousarray(pairs, np.int32), count)
    _, first, of = np.unique(part, return_index=True, return_inverse=True)
    return np.asarray(first[of], np.int64)


def _by_steps(flat: Float32, w: int) -> tuple[Int32, Bool]:
    """Return the zone of each pixel, int32 [h * w], -1 for none, and which zones are solid; coarse steps come first."""
    from layervec import tree_kernels as kernels

    labels, solid = _exact(flat, w)
    exact = len(solid)
    for step in STEPS:
        pieces = kernels.smooth_pieces(flat, labels >= 0, w, step)
        pieces[labels >= 0] = -1
        number = _numbered(pieces, w)
        plain, even = _explained(number, flat, w)
        names = np.append(np.where(plain, np.cumsum(plain) - 1 + len(solid), -1), -1)  # the last is that of no piece
        labels = np.where(labels >= 0, labels, names[number]).astype(np.int32)
        solid = np.concatenate([solid, even[plain]])
    return _rejoined(labels, solid, exact, flat, w)


def _rejoined(labels: Int32, solid: Bool, exact: int, flat: Float32, w: int) -> tuple[Int32, Bool]:
    """Join the first zones, `exact` many, to what they touch of nearly one colour that is not just one.

    A straight piece of a blurred line has just one colour, the curved rest has many, all near it.
    """
    count = len(solid)
    sheet = labels.reshape(-1, w)
    ends = _contacts(sheet)
    colours = _means(labels, flat, count)
    near = np.abs(colours[ends[:, 0]] - colours[ends[:, 1]]).max(axis=1) <= STEPS[1]
    if max(sheet.shape) > ICON:  # in smaller pictures what rings is as wide as what it rings around
        near &= solid[ends].all(axis=1) & ((ends < exact).sum(axis=1) == 1)
    one = _first_of(ends[near], count)
    kept = np.flatnonzero(one == np.arange(count))
    names = np.full(count + 1, -1, np.int32)  # the last is that of no zone
    names[kept] = np.arange(len(kept))
    return names[np.append(one, count)][labels], solid[kept]


def _exact(flat: Float32, w: int) -> tuple[Int32, Bool]:
    """Return the zones of just one colour that is unlike all others, as `_by_steps` does.

    A card that is nearly white on white is one of two zones; the many like tones of a ramp are left to be one.
    """
    from layervec import tree_kernels as kernels

    number = _numbered(kernels.smooth_pieces(flat, np.zeros(len(flat), bool), w, EQUAL), w)
    count = int(number.max(initial=-1)) + 1
    _, even = _explained(number, flat, w)
    colours = _means(number, flat, count)
    steady = np.flatnonzero(even)
    single = even.copy()
    for i in steady:
        off = np.abs(colours[steady] - colours[i]).max(axis=1)
        single[i] = not ((off > EQUAL) & (off < UNLIKE)).any()
    names = np.append(np.where(single, np.cumsum(single) - 1, -1), -1)
    labels = names[number].astype(np.int32).reshape(-1, w)
    grown = _spread(labels, flat.reshape(len(labels), w, -1), colours[single])
    return grown.ravel(), np.ones(int(single.sum()), dtype=bool)


def _spread(labels: Int32, pixels: Float32, colours: Float64) -> Int32:
    """Give pixels within RIM + 1 px of zones that nearly have their colour to them, as blurred borders do: [h, w]."""
    h, w = labels.shape
    known = np.append(colours, np.full((1, pixels.shape[2]), np.inf), axis=0)  # the last is that of no zone
    for _ in range(RIM + 1):
        grown, best = labels.copy(), np.full((h, w), STEPS[0])
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            here = np.s_[max(0, dy) : h + min(0, dy), max(0, dx) : w + min(0, dx)]
            there = np.s_[max(0, -dy) : h - max(0, dy), max(0, -dx) : w - max(0, dx)]
            off = np.abs(pixels[here] - known[labels[there]]).max(axis=2)
            better = (labels[here] < 0) & (off <= best[here])
            grown[here][better] = labels[there][better]
            best[here][better] = off[better]
        labels = grown
    return labels


def _largest(zones: Zones, one: Int64) -> Zones:
    """Return the zones with those joined that `one` names alike, the largest MOST_ZONES alone, in order of size."""
    count = len(zones)
    one = np.append(one, count)  # the last is that of no zone
    area = np.bincount(one[zones.labels].ravel(), minlength=count + 1)[:count]
    order = np.argsort(-area, kind="stable")
    order = order[area[order] > 0][:MOST_ZONES]
    names = np.full(count + 1, -1, np.int32)
    names[order] = np.arange(len(order))
    return Zones(names[one][zones.labels], zones.colours[order], zones.solid[order], zones.details[order])


def calm(pixels: Float32) -> bool:
    """Tell whether a picture is free of noise and of what compression leaves: hardly anything is nearly plain.

    pixels: [h, w, c].
    """
    steps = np.abs(np.diff(pixels, axis=1)).max(axis=2)
    least = CALM_SHARE if max(pixels.shape[:2]) > ICON else CALM_SHARE_ICON
    return bool((steps <= STEPS[-1]).sum() >= least * (steps <= STEPS[0]).sum())


def _numbered(pieces: Int32, w: int) -> Int64:
    """Number anew the pieces that may be zones, -1 for all others: int64 [n] from [n], -1 for none."""
    size = np.bincount(pieces + 1)
    core = np.bincount(_cores(pieces.reshape(-1, w)).ravel() + 1, minlength=len(size))
    least_core = LEAST_CORE if grain(len(pieces) // w, w) == 1 else 0.0  # all is thin in a small picture
    large = (size >= LEAST_ZONE) & (core >= least_core * size)
    large[0] = False
    return np.asarray(np.where(large, np.cumsum(large) - 1, -1)[pieces + 1])


def _neighbours(h: int, w: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield where pixels and their neighbours by sides and corners are, each pair once."""
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        yield np.s_[: h - dy, max(0, -dx) : w - max(0, dx)], np.s_[dy:, max(0, dx) : w - max(0, -dx)]


def _cores(pieces: Int32) -> Int32:
    """The pieces without their rims: int32 [h, w], -1 where one of the 8 neighbours is of another piece."""
    found = pieces.copy()
    for here, there in _neighbours(*pieces.shape):
        rim = pieces[here] != pieces[there]
        found[here][rim] = -1
        found[there][rim] = -1
    return found


def _colours(labels: Int32, flat: Float32, count: int) -> Float64:
    """Return the colour of each label: float64 [count, c].

    The one of half of its pixels or more, or of many that is as good as their mean, else the mean.
    """
    found = _means(labels, flat, count)
    inside = np.flatnonzero(labels >= 0)
    levels = np.rint(flat[inside] * 255).astype(np.int64)
    code = labels[inside].astype(np.int64)
    for column in levels.T:
        code = code * 256 + column
    _, first, of, number = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    owner = labels[inside[first]]
    share = number / np.bincount(labels[inside], minlength=count)[owner]
    frequent = np.flatnonzero(share >= NEAR_SHARE)
    frequent = frequent[np.argsort(number[frequent], kind="stable")]  # the most frequent one of a label is written last
    place = np.full(len(number), -1)
    place[frequent] = np.arange(len(frequent))
    exact, owner = _means(place[of], flat[inside], len(frequent)), owner[frequent]
    own = (share[frequent] >= EXACT_SHARE) | (np.abs(exact - found[owner]).max(axis=1) <= ALIKE)
    found[owner[own]] = exact[own]
    return found


def _means(labels: Int32 | Int64, flat: Float32, count: int) -> Float64:
    """Mean colour of each label, float64 [count, c], from labels [n], -1 for none, and colours [n, c]."""
    inside = labels >= 0
    area = np.maximum(np.bincount(labels[inside], minlength=count), 1)
    return np.stack([np.bincount(labels[inside], column[inside], count) / area for column in flat.T], axis=1)


def _explained(number: Int64, flat: Float32, w: int) -> tuple[Bool, Bool]:
    """Tell which pieces a smooth surface explains, and which of them a single colour does: bool [k] each.

    number: [n], the piece of each pixel, -1 for none. flat: [n, c]. w: px, columns.
    """
    count = int(number.max(initial=-1)) + 1
    inside = np.flatnonzero(number >= 0)
    number, pixels = number[inside], flat[inside].astype(np.float64)
    pixels = pixels - _means(number, flat[inside], count)[number]
    area = np.bincount(number, minlength=count)
    variance = np.bincount(number, (pixels**2).sum(axis=1), count) / area
    channels = flat.shape[1]
    even = variance <= channels * EVEN**2
    plain = even.copy()
    rough = np.flatnonzero(~even[number])
    if len(rough):
        left = _surface_error(number[rough], pixels[rough], inside[rough], w, count) / area
        plain |= left <= np.maximum(channels * SMOOTH**2, UNEXPLAINED * variance)
    return plain, even


def _surface_error(number: Int64, pixels: Float64, places: Int64, w: int, count: int) -> Float64:
    """Squared error that the best quadratic surface leaves of each piece: [k], 0 for those without pixels here.

    pixels: [n, c], less the means of their pieces. places: [n], row * w + column.
    """
    y, x = (_centred(values, number, count) for values in np.divmod(places, w))
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    size = basis.shape[1]
    gram = np.empty((count, size, size))
    for i in range(size):
        for j in range(i, size):
            gram[:, i, j] = gram[:, j, i] = np.bincount(number, basis[:, i] * basis[:, j], count)
    sums = [[np.bincount(number, b * c, count) for c in pixels.T] for b in basis.T]
    right = np.array(sums).transpose(2, 0, 1)
    found = np.linalg.solve(gram + RIDGE * (1 + gram[:, :1, :1]) * np.eye(size), right)
    return np.asarray(np.bincount(number, (pixels**2).sum(axis=1), count) - (found * right).sum(axis=(1, 2)))


def _centred(values: Int64, number: Int64, count: int) -> Float64:
    """Values less their piece's mean, in its standard deviations, so that large and small pieces solve alike: [n]."""
    area = np.maximum(np.bincount(number, minlength=count), 1)
    off = values - (np.bincount(number, values, count) / area)[number]
    return np.asarray(off / np.sqrt(np.bincount(number, off**2, count) / area + 1.0)[number])


def _grown(labels: Int32, sharp: Float32, pixels: Float32) -> Int32:
    """Give pixels within RIM px of zones to the one of their neighbours' that looks most like them.

    Not those of thin lines, which no zones there make by mixing: else a line would be split between its two sides.
    sharp: [h, w, c], `pixels` without fringes.
    """
    h, w = labels.shape
    most = _most_off(labels >= 0, sharp)
    for _ in range(RIM):
        grown, best = labels.copy(), np.full((h, w), np.inf, dtype=np.float32)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            here = np.s_[max(0, dy) : h + min(0, dy), max(0, dx) : w + min(0, dx)]
            there = np.s_[max(0, -dy) : h - max(0, dy), max(0, -dx) : w - max(0, dx)]
            off = ((sharp[here] - sharp[there]) ** 2).sum(axis=2)
            like = ((pixels[here] - sharp[there]) ** 2).sum(axis=2) <= most[here]
            better = like & (labels[here] < 0) & (labels[there] >= 0) & (off < best[here])
            grown[here][better] = labels[there][better]
            best[here][better] = off[better]
        labels = grown
    return labels


def _most_off(known: Bool, pixels: Float32) -> Float32:
    """Return how far a pixel may be from one beside it to be of its zone, squared: [h, w], -1 where it is of none.

    Its channels lie between those of known pixels within RIM px, on black and on white: on black alone a dark line
    around a light thing on clear ground would lie between both. And it is not all of the way off, as a dot is that has
    the colour of a line nearby.
    """
    import cv2

    channels = pixels.shape[2]
    if channels == 4:
        pixels = np.concatenate([pixels, pixels[..., :3] - pixels[..., 3:]], axis=2)  # less one, the same for all
    near = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    sheets = np.moveaxis(pixels, 2, 0)  # filters take four channels at most
    low = np.stack([cv2.erode(np.where(known, sheet, np.float32(np.inf)), near) for sheet in sheets], axis=2)
    high = np.stack([cv2.dilate(np.where(known, sheet, np.float32(-np.inf)), near) for sheet in sheets], axis=2)
    mixed = ((pixels >= low - MIXED) & (pixels <= high + MIXED)).all(axis=2)
    most = np.full(mixed.shape, -1.0, np.float32)
    most[mixed] = MOST_OFF * ((high[mixed] - low[mixed])[:, :channels] ** 2).sum(axis=1) + MIXED**2
    return most
