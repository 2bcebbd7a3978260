"""How good the drawings are, on a fixed set of pictures, beside those of fast tracers with as many shapes.

Every drawing and its figures are kept in a folder, so that an interrupted run goes on and peers need not run twice.
Needs the dependency groups `dev` (photos of scikit-image) and, for peers, `bench` and Debian's potrace; what is
missing is left out with a note.

    python benchmarks/bench_quality.py [--data DIR] [--out DIR] [--docs docs] [--sheet FILE] [--quick]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from quality import peers, report
from quality.measures import Row, measure, measure_ours
from quality.pictures import BUDGETS, QUICK, Picture, pictures

from layervec import Settings, vectorize
from layervec.files import write_atomic

QUICK_BUDGETS = (64, 256)


class Cache:
    """Rows and drawings in a folder, one a column, and in it two files for each picture and budget."""

    def __init__(self, folder: Path, fresh: Iterable[str]) -> None:
        self.folder = folder
        self.fresh = set(fresh)  # columns that are measured again

    def row(self, picture: Picture, budget: int, column: str) -> Row | None:
        """Return the row that is kept, if any counts."""
        path = self._path(picture, budget, column, "json")
        return json.loads(path.read_text()) if path.exists() and column not in self.fresh else None

    def svg(self, picture: Picture, budget: int, column: str) -> str:
        """Return the drawing of a row."""
        return self._path(picture, budget, column, "svg").read_text(encoding="utf-8")

    def keep(self, picture: Picture, budget: int, column: str, row: Row, svg: str) -> Row:
        """Write a row, last, so that one that is there is whole, and its drawing; return the row."""
        self._path(picture, budget, column, "json").parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path(picture, budget, column, "svg"), svg.encode())
        write_atomic(self._path(picture, budget, column, "json"), json.dumps(row, indent=1).encode())
        print(f"{picture.name:24} {budget:4} {column:10}", _told(row), flush=True)
        return row

    def _path(self, picture: Picture, budget: int, column: str, kind: str) -> Path:
        return self.folder / column / f"{picture.name}-{budget}.{kind}"


def variants() -> dict[str, dict[str, str]]:
    """Return the columns of ours and the settings of each."""
    return {"flat": {"gradients": "off"}, "gradients": {"gradients": "auto"}}


def run_ours(picture: Picture, budget: int, column: str, cache: Cache) -> Row:
    """Return the row of a drawing of ours, made unless it is kept."""
    kept = cache.row(picture, budget, column)
    if kept is not None:
        return kept
    settings = Settings(paths=budget, **variants()[column])
    start = time.perf_counter()
    svg = vectorize(picture.source, settings).svg
    seconds = time.perf_counter() - start
    row = {"seconds": seconds, **measure(svg, picture), **measure_ours(svg, picture)}
    return cache.keep(picture, budget, column, row, svg)


def run_peer(picture: Picture, budgets: Sequence[int], peer: str, cache: Cache) -> dict[int, Row]:
    """Return a peer's rows; one sweep of its settings serves all budgets that are not kept, if it is installed."""
    rows = {budget: cache.row(picture, budget, peer) for budget in budgets}
    absent = [budget for budget, row in rows.items() if row is None and not peers.missing(peer)]
    found = peers.best(peer, picture.bytes, picture.target, absent) if absent else {}
    for budget in absent:
        trial = found.get(budget)
        row = {"note": f"no setting gives at most {budget} shapes"}
        if trial is not None:
            row = {"settings": trial.settings, "seconds": trial.seconds, **measure(trial.svg, picture)}
        rows[budget] = cache.keep(picture, budget, peer, row, trial.svg if trial else "")
    return {budget: row for budget, row in rows.items() if row is not None}


def run(picture: Picture, cache: Cache) -> report.Rows:
    """Return all rows of a picture."""
    budgets = sorted({*picture.budgets, *([picture.layer_budget] if picture.layer_budget else [])})
    rows: report.Rows = {}
    for column in variants():
        for budget in budgets:
            rows[picture.name, budget, column] = run_ours(picture, budget, column, cache)
    for peer in peers.PEERS:
        found = run_peer(picture, budgets, peer, cache)
        rows |= {(picture.name, budget, peer): row for budget, row in found.items()}
    return rows


def write_sheets(options: argparse.Namespace, chosen: Sequence[Picture], cache: Cache) -> None:
    """Write the contact sheets that were asked for; that of the documentation holds what is ours to show."""
    column = list(variants())[-1]
    cache.fresh.clear()
    drawn = [(picture, cache.svg(picture, max(picture.budgets), column)) for picture in chosen if picture.budgets]
    if options.sheet is not None and drawn:
        report.write_sheet(options.sheet, drawn)
    own = [(picture, svg) for picture, svg in drawn if picture.own]
    if options.docs is not None and own:
        report.write_sheet(options.docs / "quality.png", own)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure the quality of drawings, ours and those of fast tracers.")
    parser.add_argument("--data", type=Path, help="folder with more pictures: img/*.png and emoji/*.svg")
    parser.add_argument("--out", type=Path, default=Path("out/quality"), help="where drawings and figures are kept")
    parser.add_argument("--docs", type=Path, help="folder to write quality.md and quality.png to")
    parser.add_argument("--sheet", type=Path, help="PNG to write a contact sheet of all pictures to")
    parser.add_argument("--budgets", help=f"most shapes, as in 64,256 (default: {BUDGETS})")
    parser.add_argument("--only", default="", help="names of pictures, separated by commas")
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK} with {QUICK_BUDGETS} shapes")
    parser.add_argument("--fresh", action="store_true", help="measure ours again")
    parser.add_argument("--fresh-peers", action="store_true", help="measure the peers again")
    return parser.parse_args()


def main() -> None:
    """Measure what is not kept; print the report or write it."""
    options = parse()
    notes = [note for note in map(peers.missing, peers.PEERS) if note]
    if options.data is None:
        notes.append("The robot and the emoji are left out: no folder was given (--data).")
    budgets = tuple(int(word) for word in options.budgets.split(",")) if options.budgets else BUDGETS
    only = [name for name in options.only.split(",") if name]
    if options.quick:
        budgets, only = QUICK_BUDGETS, only or list(QUICK)
    chosen = list(pictures(options.data, budgets, only))
    fresh = [*(variants() if options.fresh else ()), *(peers.PEERS if options.fresh_peers else ())]
    cache = Cache(options.out, fresh)
    vectorize(np.zeros((64, 64, 3), np.uint8), Settings(paths=4))  # what is loaded or compiled once is not timed
    rows: report.Rows = {}
    for picture in chosen:
        rows |= run(picture, cache)
    text = report.markdown(rows, chosen, list(variants()), notes)
    if options.docs is None:
        print(text)
    else:
        write_atomic(options.docs / "quality.md", text.encode())
    write_sheets(options, chosen, cache)


def _told(row: Row) -> str:
    if "note" in row:
        return row["note"]
    return f"{row['psnr']:6.2f} dB  {row['ssim']:.3f}  {row['shapes']:4} shapes  {row['seconds']:6.2f} s"


if __name__ == "__main__":
    main()
