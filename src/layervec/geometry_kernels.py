"""Compiled: one step of the points of many outlines, and what keeps their joins and lines as they are.

Called by `geometry.Geometry` only. Arrays of nodes and segments are [n], a segment having the number of the node that
it starts from; points are [3n, 2], each node and the handles of the segment after it.
"""

from __future__ import annotations

import math

from layervec.compiled import kernel
from layervec.types import Bool, Float64, Int64


@kernel
def step(
    points: Float64,
    gradient: Float64,
    before: Int64,
    straight: Bool,
    locked: Bool,
    still: Bool,
    average: Float64,
    square: Float64,
    decay: tuple[float, float],
    count: int,
    length: Float64,
    quiet: float,
    out: Float64,
    into: Float64,
    nodes: Float64,
) -> None:
    """Take step `count`, from 1, of Adam (https://arxiv.org/abs/1412.6980), of about `length` [n] at most.

    gradient: by points. before: the node before each. straight: segments that are lines. locked: [n, 2], coordinates of
    nodes that stay; still: nodes that stay with both handles. average, square: [3, n, 2], of gradients by nodes,
    handles after and handles before. out, into: [n, 2], handles after and before, relative to their nodes;
    nodes: [n, 2], receive the nodes.
    """
    slow, slower = decay
    first, second = 1.0 - slow**count, 1.0 - slower**count
    for i in range(len(nodes)):
        b = before[i]
        for axis in range(2):
            leave, arrive = gradient[3 * i + 1, axis], gradient[3 * i + 2, axis]
            left, came = gradient[3 * b + 1, axis], gradient[3 * b + 2, axis]
            # A straight segment's handles lie at its thirds: their gradient belongs to its ends.
            to_start = (2.0 * leave + arrive) / 3.0 if straight[i] else leave
            to_end = (left + 2.0 * came) / 3.0 if straight[b] else came
            for part in range(3):
                slope = 0.0
                if part == 0 and not locked[i, axis]:
                    slope = gradient[3 * i, axis] + (to_start + to_end)
                elif part == 1 and not (straight[i] or still[i]):
                    slope = leave
                elif part == 2 and not (straight[b] or still[i]):
                    slope = came
                average[part, i, axis] = slow * average[part, i, axis] + (1.0 - slow) * slope
                square[part, i, axis] = slower * square[part, i, axis] + (1.0 - slower) * slope**2
                move = average[part, i, axis] / first / (math.sqrt(square[part, i, axis] / second) + quiet)
                if part == 0:
                    nodes[i, axis] = points[3 * i, axis] - length[i] * move
                elif part == 1:
                    out[i, axis] -= length[i] * move
                else:
                    into[i, axis] -= length[i] * move


@kernel
def restore(
    nodes: Float64,
    following: Int64,
    before: Int64,
    straight: Bool,
    smooth: Bool,
    still: Bool,
    longest: float,
    out: Float64,
    into: Float64,
) -> None:
    """Put handles of smooth joins in line, shorten long ones, lay those of straight segments at thirds.

    longest: of a handle, in chords. following: the node after each; smooth: [n]. Other arguments as of `step`.
    """
    for i in range(len(nodes)):
        if still[i]:
            continue
        ahead, back = following[i], before[i]
        chord_x, chord_y = nodes[ahead, 0] - nodes[i, 0], nodes[ahead, 1] - nodes[i, 1]
        last_x, last_y = nodes[i, 0] - nodes[back, 0], nodes[i, 1] - nodes[back, 1]
        out_x, out_y, in_x, in_y = out[i, 0], out[i, 1], into[i, 0], into[i, 1]
        if straight[i]:
            out_x, out_y = chord_x / 3.0, chord_y / 3.0
        if straight[back]:
            in_x, in_y = -last_x / 3.0, -last_y / 3.0
        out_length, in_length = math.hypot(out_x, out_y), math.hypot(in_x, in_y)
        if smooth[i]:
            # A straight side decides alone.
            if straight[i]:
                tangent_x, tangent_y = out_x, out_y
            elif straight[back]:
                tangent_x, tangent_y = -in_x, -in_y
            else:
                tangent_x, tangent_y = out_x - in_x, out_y - in_y
            size = max(math.hypot(tangent_x, tangent_y), 1e-12)
            if not straight[i]:
                out_x, out_y = tangent_x / size * out_length, tangent_y / size * out_length
            if not straight[back]:
                in_x, in_y = -tangent_x / size * in_length, -tangent_y / size * in_length
        room_out, room_in = longest * math.hypot(chord_x, chord_y), longest * math.hypot(last_x, last_y)
        keep_out = min(1.0, room_out / max(math.hypot(out_x, out_y), 1e-12))
        keep_in = min(1.0, room_in / max(math.hypot(in_x, in_y), 1e-12))
        out[i, 0], out[i, 1] = out_x * keep_out, out_y * keep_out
        into[i, 0], into[i, 1] = in_x * keep_in, in_y * keep_in


@kernel
def place(
    nodes: Float64, following: Int64, before: Int64, pinned: Bool, out: Float64, into: Float64, points: Float64
) -> None:
    """Write nodes and handles in `points`, but for the coordinates that are pinned, [3n, 2]; handles follow these."""
    for i in range(len(nodes)):
        for axis in range(2):
            ahead = following[i]
            if not pinned[3 * i, axis]:
                points[3 * i, axis] = nodes[i, axis]
            if not pinned[3 * i + 1, axis]:
                points[3 * i + 1, axis] = nodes[i, axis] + out[i, axis]
            if not pinned[3 * i + 2, axis]:
                points[3 * i + 2, axis] = nodes[ahead, axis] + into[ahead, axis]
    for i in range(len(nodes)):
        for axis in range(2):
            out[i, axis] = points[3 * i + 1, axis] - points[3 * i, axis]
            into[i, axis] = points[3 * before[i] + 2, axis] - points[3 * i, axis]
