"""The figures as Markdown, and the drawings as one contact sheet. Knows rows and SVG text; runs nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from layervec.score import only, render_svg
from layervec.types import Float32
from quality.measures import RANKS, Row
from quality.peers import PEERS
from quality.pictures import SHAPES_PER_ORIGINAL, Picture

Key = tuple[str, int, str]  # picture, budget, column
Rows = dict[Key, Row]

SHEET_RANKS = (4, 16, 64)
PANEL = 200  # px; longer side of a panel of the contact sheet
GAP = 6  # px
HEADING = 16  # px
PEER_NAMES = {"vtracer": "VTracer", "potrace": "k-means + potrace"}
FIDELITY = ("psnr", "ssim", "gmsd")
LAYERING = ("seen", "whole")
HIGHER_IS_BETTER = {"psnr": True, "ssim": True, "gmsd": False, "numbers": False, "seen": True, "whole": True}
SHOWN = {"psnr": ".2f", "ssim": ".3f", "gmsd": ".3f", "numbers": ".0f", "seen": ".2f", "whole": ".2f"}

INTRO = """# How good the drawings are

Written by `benchmarks/bench_quality.py`; do not edit. The figures of one run:

    uv run --group dev --group bench python benchmarks/bench_quality.py --data DIR --docs docs

Each picture is drawn with at most N shapes at default settings. The drawing is rendered by resvg, 512 px on the longer
side, on white, and compared with the picture at that size: PSNR over RGB, SSIM as in scikit-image, and GMSD (gradient
magnitude similarity deviation, Xue et al. 2014: 0 is equal; it sees edges that are missing, moved or made up).

Peers are given the same picture in 8 bits, at that size, on white, and no more shapes: VTracer, and potrace on colours
found by k-means, each colour traced together with all later ones, stacked. Each is run with dozens of settings, and the
best PSNR is taken, which flatters them. Their seconds are those of the one best run. Ours include everything from
the pixels to the text, on two cores that others were using too. Pictures are our own examples, photos and others that
scikit-image ships and, where they could be had, a rendered robot and emoji, which are not ours to show.

![Sources and their drawings at 256 shapes: the first 4, 16 and 64, and all](quality.png)
"""

Cell = str | float | int | None


def markdown(rows: Rows, pictures: Sequence[Picture], ours: Sequence[str], notes: Sequence[str]) -> str:
    """Return the whole report."""
    parts = [INTRO, *(f"*{note}*" for note in notes)]
    parts += ["## On average", _summary(rows, pictures, ours)]
    parts += ["## Fidelity", "PSNR (dB) / SSIM / GMSD.", _fidelity(rows, pictures, ours)]
    parts += ["## What it costs", "Shapes / nodes / numbers in path data / KiB / seconds.", _cost(rows, pictures, ours)]
    parts += ["## Simpler versions, soundness", _EXPLAIN_ORDER, _order(rows, pictures, ours)]
    if any(picture.layer_budget for picture in pictures):
        parts += ["## Layers", _EXPLAIN_LAYERS, _layers(rows, pictures, ours)]
    parts += ["## Where a peer is better", _losses(rows, pictures, ours)]
    return "\n\n".join(parts) + "\n"


_EXPLAIN_ORDER = """Error of the first 8, 16, 32, 64 shapes by rank, in errors of as many regions of the region tree,
each in its mean colour: 1 is as good as those. Then how many outlines cross themselves, how many layers there are,
the largest part of the canvas, in %, that opens when one layer other than the background is hidden, and how many of the
pixels within one of a border, in %, are seams at four times the size: like neither of the shapes there nor the picture,
by 64 of 255."""
_EXPLAIN_LAYERS = f"""Against the layered originals of the emoji, with {SHAPES_PER_ORIGINAL} times their shapes: for
each shape of the original the best intersection over union with one of the drawing, on average; of what is seen of
them / of whole outlines, hidden parts included."""


def _summary(rows: Rows, pictures: Sequence[Picture], ours: Sequence[str]) -> str:
    """Means for each budget over the pictures that all columns have, and the advantage over the better peer."""
    peers = [peer for peer in PEERS if any(key[2] == peer for key in rows)]
    columns = [*ours, *peers]
    heads = ["shapes", "pictures", *(f"{_name(column)}: dB / SSIM / GMSD" for column in columns)]
    heads += [f"{column} over the better peer: dB / SSIM / GMSD / numbers" for column in ours if peers]
    lines = []
    for budget in sorted({budget for picture in pictures for budget in picture.budgets}):
        groups = [{c: rows.get((p.name, budget, c)) for c in columns} for p in pictures if budget in p.budgets]
        groups = [group for group in groups if all(_has(row) for row in group.values())]
        if not groups:
            continue
        line: list[Cell] = [budget, len(groups)]
        line += [_three({m: _mean(g[c][m] for g in groups) for m in FIDELITY}) for c in columns]
        line += [_advantage(groups, column, peers) for column in ours if peers]
        lines.append(line)
    return _table(heads, lines)


def _advantage(groups: Sequence[dict[str, Row]], column: str, peers: Sequence[str]) -> str:
    """How far a column is ahead of the better peer, measure by measure; numbers as a ratio to the peer of most dB."""
    gains = [_mean(g[column][m] - _best(g, peers, m)[m] for g in groups) for m in FIDELITY]
    ratios = [g[column]["numbers"] / _best(g, peers, "psnr")["numbers"] for g in groups]
    return f"{gains[0]:+.2f} / {gains[1]:+.3f} / {gains[2]:+.3f} / x {statistics.geometric_mean(ratios):.2f}"


def _best(group: dict[str, Row], peers: Sequence[str], measure: str) -> Row:
    pick = max if HIGHER_IS_BETTER[measure] else min
    return pick((group[peer] for peer in peers if _has(group[peer])), key=lambda row: row[measure])


def _fidelity(rows: Rows, pictures: Sequence[Picture], ours: Sequence[str]) -> str:
    return _by_column(rows, pictures, [*ours, *PEERS], _three)


def _cost(rows: Rows, pictures: Sequence[Picture], ours: Sequence[str]) -> str:
    def show(row: Row) -> str:
        counts = f"{row['shapes']} / {row['nodes']} / {row['numbers']}"
        return f"{counts} / {row['kib']:.0f} / {row['seconds']:.1f}"

    return _by_column(rows, pictures, [*ours, *PEERS], show)


def _by_column(rows: Rows, pictures: Sequence[Picture], columns: Sequence[str], show: Callable[[Row], str]) -> str:
    columns = [column for column in columns if any(key[2] == column for key in rows)]
    lines: list[list[Cell]] = []
    for picture in pictures:
        for budget in picture.budgets:
            found = [rows.get((picture.name, budget, column)) for column in columns]
            lines.append([picture.name, budget, *(show(row) if _has(row) else "-" for row in found)])
    return _table(["picture", "shapes", *map(_name, columns)], lines)


def _order(rows: Rows, pictures: Sequence[Picture], ours: Sequence[str]) -> str:
    lines: list[list[Cell]] = []
    for picture in pictures:
        for budget in picture.budgets:
            for column in ours:
                row = rows.get((picture.name, budget, column))
                if _has(row):
                    ratios = [f"{row['ranks'][str(rank)]:.2f}" if rank <= budget else "" for rank in RANKS]
                    worst, seams = (f"{100 * row[share]:.2f}" for share in ("opens_worst", "seams"))
                    lines.append([picture.name, budget, column, *ratios, row["crossed"], row["layers"], worst, seams])
    heads = ["picture", "shapes", "column", *(f"first {rank}" for rank in RANKS), "crossed", "layers", "opens", "seams"]
    return _table(heads, lines)


def _layers(rows: Rows, pictures: Sequence[Picture], ours: Sequence[str]) -> str:
    columns = [column for column in (*ours, *PEERS) if any(key[2] == column for key in rows)]
    lines: list[list[Cell]] = []
    means: dict[str, list[Row]] = {column: [] for column in columns}
    for picture in pictures:
        if picture.layer_budget is None:
            continue
        line: list[Cell] = [picture.name, picture.layer_budget]
        for column in columns:
            row = rows.get((picture.name, picture.layer_budget, column))
            line.append(f"{row['seen']:.2f} / {row['whole']:.2f} ({row['psnr']:.1f} dB)" if _has(row) else "-")
            means[column] += [row] if _has(row) else []
        lines.append(line)
    total = [
        " / ".join(f"{_mean(row[m] for row in found):.3f}" for m in LAYERING) if found else "-"
        for found in means.values()
    ]
    return _table(["picture", "shapes", *map(_name, columns)], [*lines, ["mean", "", *total]])


def _losses(rows: Rows, pictures: Sequence[Picture], ours: Sequence[str]) -> str:
    """Every measure of a picture and a budget in which a peer is ahead of our last column."""
    lines: list[list[Cell]] = []
    for picture in pictures:
        asked = [(budget, (*FIDELITY, "numbers")) for budget in picture.budgets]
        if picture.layer_budget is not None:
            asked.append((picture.layer_budget, LAYERING))
        for budget, measures in asked:
            mine = rows.get((picture.name, budget, ours[-1]))
            for peer in PEERS:
                theirs = rows.get((picture.name, budget, peer))
                for measure in measures if _has(mine) and _has(theirs) else ():
                    if _ahead(theirs, mine, measure):
                        figures = [format(row[measure], SHOWN[measure]) for row in (mine, theirs)]
                        lines.append([picture.name, budget, _name(peer), measure, *figures])
    return _table(["picture", "shapes", "peer", "in", "ours", "theirs"], lines) if lines else "Nowhere."


def _ahead(row: Row, other: Row, measure: str) -> bool:
    high, low = (row, other) if HIGHER_IS_BETTER[measure] else (other, row)
    return high[measure] > low[measure]


def _has(row: Row | None) -> bool:
    return row is not None and "psnr" in row


def _three(row: Row) -> str:
    return " / ".join(format(row[measure], SHOWN[measure]) for measure in FIDELITY)


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _name(column: str) -> str:
    return PEER_NAMES.get(column, f"layervec, {column}")


def _table(heads: Sequence[str], lines: Sequence[Sequence[Cell]]) -> str:
    rule = ["---"] * len(heads)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (heads, rule, *lines))


def write_sheet(path: Path, drawings: Sequence[tuple[Picture, str]]) -> None:
    """Write a PNG: a row a picture, with the source and the first 4, 16, 64 and all shapes of its drawing."""
    heads = ["source", *(f"{rank} shapes" for rank in SHEET_RANKS), "all shapes"]
    bands = [_row(picture, svg) for picture, svg in drawings]
    sheet = Image.fromarray(np.rint(np.concatenate(bands) * 255).astype(np.uint8))
    titled = Image.new("RGB", (sheet.width, sheet.height + HEADING), "white")
    titled.paste(sheet, (0, HEADING))
    for column, head in enumerate(heads):
        ImageDraw.Draw(titled).text((column * (PANEL + GAP) + 2, 2), head, fill="black")
    titled.save(path, optimize=True)


def _row(picture: Picture, svg: str) -> Float32:
    height, width = picture.target.shape[:2]
    width, height = (round(side * PANEL / max(width, height)) for side in (width, height))
    panels = [cv2.resize(picture.target, (width, height), interpolation=cv2.INTER_AREA)]
    panels += [render_svg(only(svg, rank), width, height) for rank in SHEET_RANKS]
    panels.append(render_svg(svg, width, height))
    row = np.ones((height + GAP, len(panels) * (PANEL + GAP), 3), np.float32)
    for column, panel in enumerate(panels):
        left = column * (PANEL + GAP)
        row[:height, left : left + width] = panel
    return row
