"""The colour or slope that most of a region has, rather than the mean of it and its details.

Details are repainted by later shapes, so the colour of a thing should not give way to them. Found by mean shift
(https://en.wikipedia.org/wiki/Mean_shift) with a kernel that narrows from everything to the last of WIDTHS. Knows
weighted colours and sums; nothing of trees or of what is painted.
"""

from __future__ import annotations

import numpy as np

from layervec import slopes
from layervec.slopes import Slopes
from layervec.types import Float64

WIDTHS = (0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.25, 0.25)  # kernel of each mean shift step, colour distance
FARTHEST = 1e-12  # least pull of a colour, of 1 for one at the centre, so that some colour always counts


def squared_lengths(rows: Float64) -> Float64:
    """Return the sums of the squares of rows, float64 [n, c] with few columns: [n].

    Column by column, as NumPy takes five times as long to sum many short rows; in the same order, so the same numbers.
    """
    total = rows[:, 0] ** 2
    for column in range(1, rows.shape[1]):
        total += rows[:, column] ** 2
    return np.asarray(total)


def dominant_colour(colours: Float64, weights: Float64) -> Float64:
    """Return the main mode of weighted colours, float64 [c] from [n, c] and [n]."""
    centre = weights @ colours / weights.sum()
    columns = np.asfortranarray(colours)  # each channel in one piece, as it is read for every width
    for width in WIDTHS:
        pull = weights * np.exp(squared_lengths(columns - centre) / (-2 * width**2)) + FARTHEST * weights
        centre = pull @ colours / pull.sum()
    return np.asarray(centre)


def dominant_slope(colours: Float64, area: Float64, places: Float64) -> Slopes:
    """Return the main slope of leaves (k = 1), as `dominant_colour` does the main colour; sums as in `slopes.saved`."""
    means = colours / area[:, None]
    where = places[:, :2] / area[:, None]
    pull = np.ones(len(area))
    for width in WIDTHS:
        found = _pulled(pull, area, colours, places)
        offset = means - found.colour - (where - found.centre) @ found.slope[0]
        pull = np.exp(squared_lengths(offset) / (-2 * width**2)) + FARTHEST
    return _pulled(pull, area, colours, places)


def _pulled(pull: Float64, area: Float64, colours: Float64, places: Float64) -> Slopes:
    """Return the slope of all leaves together, each counted as much as it is pulled."""
    total_area, total_colours, total_places = (pull @ part for part in (area, colours, places))
    return slopes.fit(total_area[None], total_colours[None], total_places[None])
