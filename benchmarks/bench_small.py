"""Which small pictures are drawn right: every case of tests/small_cases.py, by the defaults, judged by its facts.

Prints a line a case, what is wrong in it, and totals by kind. `--sheet` makes a picture of all, each case beside its
drawing, enlarged; `--keep` writes the drawings themselves.

    python benchmarks/bench_small.py [--only NAME ...] [--wrong] [--sheet OUT.png] [--keep DIR] [--seconds N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import small_cases
from small_cases import Case

LIMIT = 60.0  # s; most time that one case may take
ZOOM, LESS_ZOOM, LARGE = 4, 2, 160  # of the sheet; the second for cases with a side longer than the third, px
SHEET_WIDTH = 1800  # px
GAP = 8  # px, between pictures of the sheet
PAPER = (203, 203, 228)  # of the sheet, and below what is clear; no case has it
WRONG_RULE = (214, 40, 40)  # below cases that are drawn wrong


@dataclass(frozen=True)
class Drawn:
    """How one case was drawn. svg: empty where it took too long."""

    case: Case
    svg: str
    seconds: float
    wrong: list[str]

    def line(self) -> str:
        """Return what to print."""
        if not self.svg:
            return f"{self.case.name:22} wrong    -   -      -  {self.seconds:5.1f} s  {self.wrong[0]}"
        word = "wrong" if self.wrong else "right"
        share = 100 * small_cases.least_explained(self.case, self.svg)
        counts = f"{small_cases.shapes(self.svg):4} {len(small_cases.fills(self.svg)):3} {share:6.1f}"
        return f"{self.case.name:22} {word} {counts}  {self.seconds:5.1f} s  {'; '.join(self.wrong)}"


def draw(png: bytes, drop_background: bool) -> tuple[str, float]:
    """Return a drawing and the seconds that it took. Runs in a process of its own, which can be ended."""
    from layervec import Settings, vectorize

    start = time.perf_counter()
    svg = vectorize(png, Settings(drop_background=drop_background)).svg
    return svg, time.perf_counter() - start


def drawn_in(pool: Pool, case: Case, seconds: float) -> Drawn | None:
    """Draw and judge a case in a pool; None where that takes longer."""
    running = pool.apply_async(draw, (case.png(), case.drop_background))
    try:
        svg, took = running.get(seconds)
    except multiprocessing.TimeoutError:
        return None
    return Drawn(case, svg, took, small_cases.judged(case, svg))


def all_drawn(cases: list[Case], seconds: float) -> list[Drawn]:
    """Draw all cases, one after the other, and print a line for each."""
    start = multiprocessing.get_context("spawn").Pool
    print(f"{'case':22} drawn shapes fills contrast %  time  what is wrong")
    found: list[Drawn] = []
    pool = start(1)
    pool.apply(draw, (cases[0].png(), cases[0].drop_background))  # compiles what is not compiled yet
    for case in cases:
        one = drawn_in(pool, case, seconds)
        if one is None:
            pool.terminate()
            pool = start(1)
            one = Drawn(case, "", seconds, [f"takes longer than {seconds:g} s"])
        print(one.line(), flush=True)
        found.append(one)
    pool.terminate()
    return found


def print_totals(found: list[Drawn]) -> None:
    """Print how many cases of each kind are drawn right."""
    kinds: dict[str, list[Drawn]] = defaultdict(list)
    for one in found:
        kinds[one.case.kind].append(one)
    print()
    for kind, some in [*sorted(kinds.items()), ("all", found)]:
        right, seconds = sum(not one.wrong for one in some), sum(one.seconds for one in some)
        print(f"{kind:10} {right:3} of {len(some):3} right, {seconds:6.1f} s")


def panel(one: Drawn) -> Image.Image:
    """Return a case and its drawing side by side, enlarged, on PAPER; what is drawn wrong has a red rule below."""
    height, width = one.case.pixels.shape[:2]
    zoom = ZOOM if max(height, width) <= LARGE else LESS_ZOOM
    sides = (height * zoom, width * zoom)
    picture = Image.fromarray(one.case.pixels).convert("RGBA").resize(sides[::-1], Image.Resampling.NEAREST)
    sheet = Image.new("RGB", (2 * sides[1] + GAP // 2, sides[0] + GAP), PAPER)
    sheet.paste(picture, (0, 0), picture)
    if one.svg:
        from layervec import score

        pixels = score.render_svg(one.svg, sides[1], sides[0], f"#{bytes(PAPER).hex()}")
        sheet.paste(Image.fromarray(np.rint(255 * pixels).astype(np.uint8)), (sides[1] + GAP // 2, 0))
    if one.wrong:
        sheet.paste(WRONG_RULE, (0, sides[0] + 1, sheet.width, sides[0] + 4))
    return sheet


def sheet_of(found: list[Drawn]) -> Image.Image:
    """Return all panels in rows."""
    places: list[tuple[Image.Image, int, int]] = []
    x = y = row = 0
    for part in map(panel, found):
        if x and x + part.width > SHEET_WIDTH:
            x, y, row = 0, y + row + GAP, 0
        places.append((part, x, y))
        x, row = x + part.width + GAP, max(row, part.height)
    sheet = Image.new("RGB", (max(at + part.width for part, at, _ in places), y + row), PAPER)
    for part, at, down in places:
        sheet.paste(part, (at, down))
    return sheet


def main() -> None:
    """Draw, judge, print; see the module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="NAME", help="cases or kinds that contain one of these"
    )
    parser.add_argument("--wrong", action="store_true", help="only what is drawn wrong goes on the sheet")
    parser.add_argument("--sheet", type=Path, help="where to write the picture of all cases")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder for the cases and their drawings")
    parser.add_argument("--seconds", type=float, default=LIMIT, help="most time for a case")
    chosen = parser.parse_args()
    names = chosen.only
    cases = [case for case in small_cases.all_cases() if any(name in f"{case.name} {case.kind}" for name in names)]
    if not cases:
        parser.error(f"no case is called {' or '.join(names)}")
    found = all_drawn(cases, chosen.seconds)
    print_totals(found)
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        for one in found:
            (chosen.keep / f"{one.case.name}.png").write_bytes(one.case.png())
            (chosen.keep / f"{one.case.name}.svg").write_text(one.svg, encoding="utf-8")
    shown = [one for one in found if one.wrong or not chosen.wrong]
    if chosen.sheet and shown:
        sheet_of(shown).save(chosen.sheet)


if __name__ == "__main__":
    main()
