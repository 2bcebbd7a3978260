"""Find details of drawn art: thin lines, dots and small letters, which have no plain inside to be known by.

A pixel of a thin line mixes the ink with the ground beside it, so its own colour says little; but all pixels of the
line lie on straight ways from their ground to one ink. So inks are looked for that explain many pixels as mixtures
with the ground next to them, and each pixel becomes part of the detail or of its ground by its share of ink, against
the largest share nearby: a line one pixel wide that falls between two rows of pixels stays whole.

This is linear unmixing with the ground known (https://en.wikipedia.org/wiki/Alpha_compositing). Knows pixels and plain
zones; nothing of trees, shapes or budgets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layervec import visibility
from layervec.masks import grown as grow
from layervec.masks import nearest
from layervec.types import Bool, Float32, Float64, Int32, Int64

REACH = 6.0  # px; ground farther away than this says nothing about a pixel
RIM = 2  # px around details that antialiasing may have mixed with their ground
LEAST_CONTRAST = 0.04  # Euclidean, channels 0..1, between ground and ink
NEAR, SLOPE = 0.02, 0.06  # how far off the straight way a mixture may be, and by how much more with its contrast
NEARLY = 2.0  # times as far off a pixel may be once its ink is known; it may mix three colours
EXACT = 1.25 / 255  # of a channel, within which a pixel has a colour
LEAST_SHARE = 0.1  # of ink; a pixel with less is ground
NEARLY_FULL = 0.8  # of a more frequent ink, that the ink of a thin line has to be taken for it
FULL_SHARE = 0.45  # of ink that some pixel of a detail has, else the ink is another one
LOCAL_SHARE = 0.5  # of the largest share of ink nearby, from which on a pixel is part of the detail
FALL = 0.25  # of the share of ink, within 2 px on both sides of the middle of a line
BRIDGE_SHARE = 0.4  # of the largest share nearby, where a pixel joins two parts of a line
SAME_INK = 0.06  # Euclidean; colours of details that are as near are one
FOR_EXACT = 0.05  # share of a detail's contrast by which an ink that it has somewhere in full is preferred
STRONG = 0.8  # share of ink of pixels along the middle of a detail
EXACT_PART = 0.3  # of these pixels, that have an ink in full where it is the detail's own
FOR_STRONGER = 0.01  # likewise one that stands out most, which explains the tones of weaker ones as well
MOST_SPECK = 4  # px of a part that, if no ink explains it, mixes the colours around it
MOST_INKS = 64  # tried for every detail
INKS_A_DETAIL = 4  # most inks of what hangs together
LEAST_EXPLAINED = 0.03  # of a detail's contrast that each further ink explains
BESIDE = 0.15  # more of a stronger ink that the pixels around such a line may have
RUN = 4  # px of 5 x 5 that have just this colour where a line has it, not only an edge's mixture


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    """labels: int32 [h, w], which ink each pixel has, -1 for none. home: int32 [h, w], -1 where a pixel is ink, or not
    explained; elsewhere the zone that it belongs to. inks: [k, c], premultiplied.
    """

    labels: Int32
    home: Int32
    inks: Float64


def find(pixels: Float32, zones: Int32, sharp: Float32, grown: Int32, known: Float32) -> Details:
    """Return the details among pixels that no plain zone has.

    pixels: premultiplied [h, w, c], as they are; sharp: the same without antialiasing. zones: int32 [h, w], the plain
    zone of each pixel, -1 for none; grown: the same with antialiased rims. known: [n, c], colours that are likely inks.
    """
    rest = _with_rims(grown < 0, pixels, sharp)
    labels, home = np.full(zones.shape, -1, np.int32), np.full(zones.shape, -1, np.int32)
    near, distance = nearest((zones >= 0) & ~rest)
    spots = np.flatnonzero(rest & (distance <= REACH))
    if not len(spots):
        return Details(labels, home, np.empty((0, pixels.shape[2])))
    mixes = _Mixes(pixels, sharp, rest, near, spots)
    inks, which, share = mixes.explained(known)
    held = _held(which, share, spots, inks, np.where(rest[..., None], np.nan, sharp))
    held &= _seen(held, which, share * mixes.contrast(inks, which), spots, zones.shape)
    labels.flat[spots] = np.where(held, which, -1)
    home.flat[spots] = np.where(~held & (which >= 0), zones.flat[near.flat[spots]], -1)
    faint = mixes.faint | (~held & mixes.specks())
    home.flat[spots[faint]] = zones.flat[near.flat[spots[faint]]]
    return Details(labels, home, inks)


def _with_rims(rest: Bool, pixels: Float32, sharp: Float32) -> Bool:
    """Return pixels of no zone and those around them that are antialiased: bool [h, w].

    Where a line of one pixel runs from one row to the next, its pixels look like those of an edge.
    """
    mixed = np.abs(pixels - sharp).max(axis=2) > LEAST_CONTRAST
    for _ in range(RIM):
        rest = rest | (mixed & grow(rest, 1))
    return rest


class _Mixes:
    """Pixels that may mix an ink with the ground next to them. faint: bool [n], those that look like their ground."""

    def __init__(self, pixels: Float32, sharp: Float32, rest: Bool, near: Int64, spots: Int64) -> None:
        import cv2

        channels = pixels.shape[2]
        self._shape = rest.shape
        self._spots = spots
        self._own = pixels.reshape(-1, channels)[spots].astype(np.float64)
        self._ground = sharp.reshape(-1, channels)[near.flat[spots]].astype(np.float64)
        self._off = self._own - self._ground
        self._mixed = np.abs(self._own - sharp.reshape(-1, channels)[spots]).max(axis=1) > LEAST_CONTRAST
        self._energy = (self._off**2).sum(axis=1)
        self.faint = self._energy < LEAST_CONTRAST**2
        _, parts = cv2.connectedComponents(rest.astype(np.uint8), connectivity=8)
        self._part = np.unique(parts.flat[spots], return_inverse=True)[1].astype(np.int64)
        self._parts = int(self._part.max()) + 1

    def explained(self, known: Float32) -> tuple[Float64, Int32, Float64]:
        """Return the inks, [k, c], and for each pixel which one it has, -1 for none, and how much of it, 0..1."""
        inks = self._candidates(known)
        shares, fits, near = self._tried(inks)
        sure = min(len(known), MOST_INKS)
        chosen = self._in_stronger(self._chosen(inks, shares, fits, sure), inks[:sure])
        which = np.full(len(self._own), -1, np.int32)
        contrast = np.full(len(self._own), -1.0)
        for k, ink in enumerate(inks):
            stands_out = ((ink - self._ground) ** 2).sum(axis=1)
            better = chosen[self._part, k] & near[k] & (stands_out > contrast)
            which[better], contrast[better] = k, stands_out[better]
        share = np.where(which >= 0, shares[which, np.arange(len(which))], 0.0)
        for k in range(sure):
            lines = chosen[self._part, k] & self._lines(inks[k], which, share)
            which[lines], share[lines] = k, 1.0
        return inks, which, share

    def specks(self) -> Bool:
        """Tell which pixels are in parts so small that they are corners where edges meet: bool [n]."""
        return np.asarray(np.bincount(self._part)[self._part] <= MOST_SPECK)

    def contrast(self, inks: Float64, which: Int32) -> Float64:
        """Return how far each pixel's ink is from its ground beyond what is faint, CIE76, on white or black: [n]."""
        own = np.append(inks, np.zeros((1, inks.shape[1])), axis=0)[which]
        off = np.zeros(len(which))
        for back in (0.0, 1.0):
            one, other = (visibility.lab(_over(colours, back)[None])[0] for colours in (own, self._ground))
            off = np.maximum(off, np.sqrt(((one - other) ** 2).sum(axis=1)))
        return np.maximum(off - visibility.FAINT, 0.0)

    def _candidates(self, known: Float32) -> Float64:
        """Colours that may be inks, those of whole pictures and the most extreme ones of each part: [k, c]."""
        extremes: list[Float64] = []
        weight: list[float] = []
        order = np.lexsort((self._energy, self._part))
        last = np.flatnonzero(np.append(np.diff(self._part[order]), 1))
        total = np.bincount(self._part, self._energy)
        for end in last[np.argsort(-total, kind="stable")]:
            i = order[end]
            if self._energy[i] < LEAST_CONTRAST**2:
                continue
            colour = self._own[i]
            alike = [k for k, other in enumerate(extremes) if np.abs(other - colour).max() < SAME_INK / 2]
            if alike:
                weight[alike[0]] += total[self._part[i]]
            elif len(extremes) < 4 * MOST_INKS:
                extremes.append(colour)
                weight.append(total[self._part[i]])
        strongest = [extremes[k] for k in np.argsort(-np.array(weight), kind="stable")[:MOST_INKS]]
        kept = list(known[:MOST_INKS].astype(np.float64))
        for colour in strongest:
            if all(np.abs(other - colour).max() > EXACT for other in kept):
                kept.append(colour)
        return np.array(kept).reshape(-1, self._own.shape[1])

    def _tried(self, inks: Float64) -> tuple[Float32, Bool, Bool]:
        """Return the share of each ink in each pixel, 0..1, whether it explains it, and whether nearly: [k, n] each."""
        shares = np.zeros((len(inks), len(self._own)), np.float32)
        fits, near = np.zeros(shares.shape, bool), np.zeros(shares.shape, bool)
        for k, ink in enumerate(inks):
            way = ink - self._ground
            length = (way**2).sum(axis=1)
            share = (self._off * way).sum(axis=1) / np.maximum(length, 1e-9)
            left = ((self._off - np.clip(share, 0.0, 1.0)[:, None] * way) ** 2).sum(axis=1)
            most = NEAR + SLOPE * np.sqrt(length)
            along = (length > LEAST_CONTRAST**2) & (share > 0.0)
            fits[k], near[k] = along & (left <= most**2), along & (left <= (NEARLY * most) ** 2)
            shares[k] = np.clip(share, 0.0, 1.0)
        return shares, fits, near

    def _chosen(self, inks: Float64, shares: Float32, fits: Bool, sure: int) -> Bool:
        """Choose the inks of each part, those that explain most of its contrast first: bool [parts, k].

        sure: how many of the inks, the first ones, are colours of the picture.
        """
        chosen = np.zeros((self._parts, len(inks)), bool)
        total = np.bincount(self._part, self._energy)
        allowed = np.zeros(chosen.shape, bool)
        factor = np.ones(chosen.shape)
        for k, ink in enumerate(inks):
            full = np.zeros(self._parts)
            np.maximum.at(full, self._part[fits[k]], shares[k][fits[k]])
            exact = np.abs(self._own - ink).max(axis=1) <= EXACT
            count = np.bincount(self._part[exact], minlength=self._parts) if k < sure else np.zeros(self._parts)
            allowed[:, k] = full >= FULL_SHARE
            contrast = np.bincount(self._part, np.sqrt(((ink - self._ground) ** 2).sum(axis=1)))
            stands_out = contrast / np.bincount(self._part)
            strong = np.bincount(self._part[fits[k] & (shares[k] >= STRONG)], minlength=self._parts)
            factor[:, k] += FOR_EXACT * (count >= np.maximum(2, EXACT_PART * strong)) + FOR_STRONGER * stands_out
        open_ = np.ones(len(self._own), bool)
        for _ in range(INKS_A_DETAIL):
            gain = np.zeros(chosen.shape)
            for k in range(len(inks)):
                use = open_ & fits[k]
                gain[:, k] = np.bincount(self._part[use], self._energy[use], self._parts)
            gain[~allowed | chosen] = 0.0
            best = (gain * factor).argmax(axis=1)
            most = gain[np.arange(self._parts), best]
            take = most > np.maximum(LEAST_EXPLAINED * total, LEAST_CONTRAST**2)
            if not take.any():
                break
            chosen[np.flatnonzero(take), best[take]] = True
            for k in np.unique(best[take]):
                open_ &= ~(fits[k] & take[self._part] & (best[self._part] == k))
        return chosen

    def _in_stronger(self, chosen: Bool, known: Float64) -> Bool:
        """Return inks of parts, bool [parts, k], those nowhere two pixels wide in a more frequent, stronger one.

        A line of one pixel rarely has its ink in full, and looks the same a little thinner and stronger. known: [n, c],
        the first inks, colours of the picture, the most frequent first.
        """
        import cv2

        found = chosen.copy()
        size = np.maximum(np.bincount(self._part, minlength=self._parts), 1)
        ground = np.stack([np.bincount(self._part, column, self._parts) / size for column in self._ground.T], axis=1)
        for k in np.flatnonzero(chosen[:, : len(known)].any(axis=0)):
            sheet = np.zeros(self._shape, np.uint8)
            sheet.flat[self._spots] = np.abs(self._own - known[k]).max(axis=1) <= EXACT
            wide = np.zeros(self._parts)
            for block in ((2, 3), (3, 2)):  # a dot of two pixels by two has none that nothing else mixes with
                core = cv2.erode(sheet, np.ones(block, np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
                wide += np.bincount(self._part, core.flat[self._spots], self._parts)
            thin = chosen[:, k] & (wide == 0)
            for stronger in range(k):
                way = known[stronger] - ground
                length = np.maximum((way**2).sum(axis=1), 1e-9)
                share = ((known[k] - ground) * way).sum(axis=1) / length
                off = np.sqrt(((known[k] - ground - share[:, None] * way) ** 2).sum(axis=1))
                near = thin & (share >= NEARLY_FULL) & (share < 1.0) & (off <= NEAR + SLOPE * np.sqrt(length))
                found[near, k], found[near, stronger] = False, True
                thin &= ~near
        return found

    def _lines(self, ink: Float64, which: Int32, share: Float64) -> Bool:
        """Tell which pixels have just this colour along a line of it, no edge's nor beside a stronger ink: bool [n]."""
        import cv2

        exact: Bool = (np.abs(self._own - ink).max(axis=1) <= EXACT) & (which >= 0) & ~self._mixed
        if not exact.any():
            return np.zeros(len(which), bool)
        sheet = np.zeros(self._shape, np.float32)
        sheet.flat[self._spots] = exact
        run = cv2.boxFilter(sheet, -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
        sheet.flat[self._spots] = np.where(exact, 0.0, share)
        beside = cv2.dilate(sheet, np.ones((3, 3), np.uint8))
        own = np.where(exact, share, 0.0)
        return np.asarray(exact & (run.flat[self._spots] >= RUN) & (beside.flat[self._spots] <= own + BESIDE))


def _over(colours: Float64, back: float) -> Float32:
    """Return premultiplied colours [n, c] over a grey ground: float32 [n, 3]."""
    alpha = colours[:, 3:] if colours.shape[1] == 4 else np.ones((len(colours), 1))
    return (colours[:, :3] + back * (1.0 - alpha)).astype(np.float32)


def _seen(held: Bool, which: Int32, weight: Float64, spots: Int64, shape: tuple[int, ...]) -> Bool:
    """Tell which pixels are in parts of one ink that are above the threshold of sight: bool [n]."""
    import cv2

    found = np.zeros(len(which), bool)
    for k in np.unique(which[held]):
        mine = held & (which == k)
        sheet = np.zeros(shape, np.uint8)
        sheet.flat[spots[mine]] = 1
        part = cv2.connectedComponents(sheet, connectivity=8)[1].flat[spots[mine]]
        found[mine] = (np.bincount(part, weight[mine]) >= visibility.LEAST_SEEN)[part]
    return found


def _held(which: Int32, share: Float64, spots: Int64, inks: Float64, plain: Float32) -> Bool:
    """Tell which pixels are part of a detail, not of its ground: bool [n]. plain: [h, w, c], zones alone, else NaN."""
    import cv2

    held = np.zeros(len(which), bool)
    for k in np.unique(which[which >= 0]):
        mine = which == k
        full = np.all([np.abs(plain[..., c] - inks[k, c]) <= EXACT for c in range(plain.shape[2])], axis=0)
        sheet = full.astype(np.float32)
        sheet.flat[spots[mine]] = share[mine]
        largest = cv2.dilate(sheet, np.ones((3, 3), np.uint8)).flat[spots]
        inked = mine & (share >= LEAST_SHARE) & ((share >= LOCAL_SHARE * largest) | _ridge(sheet).flat[spots])
        inside = full.copy()
        inside.flat[spots[inked]] = True
        held = held | inked | (mine & (share >= BRIDGE_SHARE * largest) & _between_parts(inside).flat[spots])
    return held


def _between_parts(inside: Bool) -> Bool:
    """Tell which pixels have parts around them that only they would join: bool [h, w]."""
    h, w = inside.shape
    wide = np.pad(inside, 1)
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    around = np.stack([wide[dy : dy + h, dx : dx + w] for dy, dx in ring])
    return np.asarray(((around & ~np.roll(around, 1, axis=0)).sum(axis=0) > 1) & ~inside)


def _ridge(share: Float32) -> Bool:
    """Tell where the share of an ink falls off to both sides: bool [h, w]. Keeps lines whole between rows of pixels."""
    h, w = share.shape
    wide = np.pad(share, 2)
    found = np.zeros((h, w), bool)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one, two, back, back_two = (
            wide[2 + k * dy : 2 + k * dy + h, 2 + k * dx : 2 + k * dx + w] for k in (1, 2, -1, -2)
        )
        peak = share >= np.maximum(one, back)
        found |= peak & (share - np.minimum(one, two) > FALL) & (share - np.minimum(back, back_two) > FALL)
    return found
