"""How long people wait in the studio: from the drop of a picture to what they see, and for edits, in a real browser.

    uv run --group dev --group browser --extra studio python benchmarks/bench_studio.py [PICTURE] [RUNS]

Wall times, so quote them from a machine that does nothing else; of several runs the best and the median. Needs
Debian's chromium.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

EXAMPLE = Path(__file__).parents[1] / "examples" / "lighthouse.png"
ENTRY = "import sys; from layervec.cli import main; sys.exit(main())"
DONE = '.sheet[data-draft="false"]'
WARM_UP = 10  # s from the start of the studio until its processes wait for work
PATIENCE = 120_000  # ms


def measure(page: Page, address: str, picture: Path) -> dict[str, float]:
    """Return seconds from the drop, or from a press, to each thing that is seen."""
    seconds = {}
    page.goto(address)
    page.wait_for_selector("[data-ready]")
    start = time.perf_counter()
    page.set_input_files(".drop input", picture)
    page.wait_for_selector('.sheet[data-draft="true"] path')
    seconds["first drawing"] = time.perf_counter() - start
    page.wait_for_selector(".progress .facts:has-text('round')")
    seconds["fitted once"] = time.perf_counter() - start
    page.wait_for_selector(DONE)
    seconds["finished, standard"] = time.perf_counter() - start

    def edit(name: str, press: str) -> None:
        before = page.locator(DONE).get_attribute("data-revision")
        start = time.perf_counter()
        page.locator(press).click()
        page.wait_for_selector(f"{DONE}:not([data-revision='{before}'])")
        seconds[name] = time.perf_counter() - start

    rows = page.locator("[role=treeitem][aria-level='1'] > .row .count")
    counts = [int(text) for text in rows.all_inner_texts()]
    small = min(range(len(counts)), key=lambda row: abs(counts[row] - 12))
    rows.nth(small).click()
    edit("move a layer", ".backward")
    edit("undo", ".undo")
    page.locator(".budget input").fill(str(counts[small] + 8))
    edit(f"refit a layer of {counts[small]} shapes", ".refit")
    page.keyboard.press("b")
    box = page.locator("canvas.mask").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.35)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.35, steps=3)
    page.mouse.up()
    edit("add detail, 16 shapes", ".brush .add")
    return seconds


def main(words: list[str]) -> None:
    """Print a table."""
    picture = Path(words[0]) if words else EXAMPLE
    runs = int(words[1]) if len(words) > 1 else 3
    found = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", ENTRY, "studio", "--no-browser", "--folder", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, sync_playwright() as playwright:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            time.sleep(WARM_UP)
            for _ in range(runs):
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(PATIENCE)
                for name, value in measure(page, address, picture).items():
                    found[name].append(value)
                page.close()
            browser.close()
            process.terminate()
    print(f"{picture.name}, {runs} runs: best, median, s")
    for name, values in found.items():
        print(f"  {name:<32}{min(values):6.2f}{statistics.median(values):8.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
