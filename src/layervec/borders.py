"""Smooth the ragged borders of a partition where the picture does not insist on them.

A Potts model on the pixel grid, settled by iterated conditional modes (Besag 1986,
https://doi.org/10.1111/j.2517-6161.1986.tb01412.x): every border pixel takes the neighbouring region that it
suits best, its colour weighed against the company that it keeps. Sharp edges and thin lines stay, as their colour
speaks louder; noise, JPEG mosquitoes and staircases go. Knows pixels and region numbers only.
"""

from __future__ import annotations

import numpy as np

from layervec.compiled import kernel
from layervec.types import Float32, Int32


def settle(owner: Int32, pixels: Float32, colours: Float32, stiffness: float, rounds: int) -> Int32:
    """Return the partition with smoothed borders: int32 [h, w].

    owner: int32 [h, w], region of each pixel. pixels: [h, w, c]. colours: [k, 3, c], what each region is painted with:
    colour at the origin, its change for each px to the right and for each px down.
    stiffness: squared colour difference that one straight neighbour on the other side is worth; diagonal ones
    count for less by the square root of two.
    """
    owner = owner.copy()
    around = np.empty(8, np.int32)
    for _ in range(rounds):
        if _sweep(owner, pixels, colours, stiffness, around) == 0:
            break
    return owner


@kernel
def _sweep(owner: Int32, pixels: Float32, colours: Float32, stiffness: float, around: Int32) -> int:
    """Settle every border pixel once, in place; return how many changed."""
    h, w, channels = pixels.shape
    changed = 0
    for y in range(h):
        for x in range(w):
            here = owner[y, x]
            n = 0
            differ = False
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    if dy == 0 and dx == 0:
                        continue
                    # Beyond the canvas the nearest pixel goes on, so that borders meet the canvas squarely.
                    other = owner[min(max(y + dy, 0), h - 1), min(max(x + dx, 0), w - 1)]
                    around[n] = other
                    n += 1
                    differ |= other != here
            if not differ:
                continue
            best = np.float32(np.inf)
            choice = here
            for i in range(9):
                candidate = here if i == 8 else around[i]
                known = False
                for j in range(min(i, 8)):
                    known |= around[j] == candidate
                if known:
                    continue
                energy = np.float32(0)
                for c in range(channels):
                    there = x * colours[candidate, 1, c] + y * colours[candidate, 2, c]
                    d = pixels[y, x, c] - colours[candidate, 0, c] - np.float32(there)
                    energy += d * d
                for j in range(8):
                    if around[j] != candidate:
                        straight = j == 1 or j == 3 or j == 4 or j == 6
                        energy += np.float32(stiffness if straight else stiffness * 0.7071)
                if energy < best or (energy == best and candidate == here):
                    best = energy
                    choice = candidate
            if choice != here:
                owner[y, x] = choice
                changed += 1
    return changed
