"""A small finished run with hostile names in it, for the tests of the report's text and of its behaviour."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from layervec.pipeline import vectorize
from layervec.score import score
from layervec.settings import Settings
from layervec.workdir import WorkDir

SETTINGS = Settings(paths=16, quality="draft", levels_count=3)
HOSTILE = (
    "</script><img src=x onerror=\"document.title='hurt'\"><!--&amp;'"  # no file can be called this: it has a slash
)
STEM = "\"><img src=x onerror=document.title='hurt'>"
COLOURS = np.random.default_rng(3).integers(0, 200, (9, 3)).astype(np.uint8)


def squares():
    """Nine squares on a ground, two with smaller ones in them, one of these with another: uint8 [97, 121, 3]."""
    pixels = np.full((97, 121, 3), 235, np.uint8)
    for i, colour in enumerate(COLOURS):
        y, x = 6 + 31 * (i // 3), 7 + 39 * (i % 3)
        pixels[y : y + 23, x : x + 27] = colour
        if i < 2:
            pixels[y + 5 : y + 18, x + 5 : x + 22] = 255 - colour
        if i == 0:
            pixels[y + 8 : y + 15, x + 9 : x + 18] = 250
    return pixels


def make_run(folder):
    """Run into folder / "run" a picture with a hostile name, and give a layer one, too; return the work folder."""
    source = folder / f"{STEM}.png"
    Image.fromarray(squares()).save(source)
    work = WorkDir(folder / "run", SETTINGS, source=source)
    result = vectorize(source, SETTINGS, on_event=work.on_event)
    work.finish(result, score(result.svg, source))
    return work.folder


def rename_a_layer(run, name):
    """Give the layer in front another name and title the drawing so as well, as an editor would."""
    from dataclasses import replace

    from layervec import svg

    path = run / "result.svg"
    drawing = svg.read(path.read_bytes())
    *others, front = drawing.root.children
    root = replace(drawing.root, children=(*others, replace(front, name=name)))
    path.write_text(svg.write(replace(drawing, root=root, title=name)))
    assert re.search("&lt;/script&gt;", path.read_text())
