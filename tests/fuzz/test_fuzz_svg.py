"""SVG from anywhere: our reader takes or refuses it, and what measures any SVG draws or refuses it."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mangle import FEW, damaged, damages, refused, replaced

from layervec import path_data, svg
from layervec.errors import InputError
from layervec.score import count_path, only, render_svg, score
from layervec.types import Drawing, Layer, LinearGradient, Outline, RadialGradient, Shape, Solid, Stop

SQUARE = np.array(
    [[1, 1], [3, 1], [5, 1], [7, 1], [7, 3], [7, 5], [7, 7], [5, 7], [3, 7], [1, 7], [1, 5], [1, 3]], float
)
STOPS = (Stop(0.0, 1.0, 0.0, 0.0), Stop(0.5, 0.0, 1.0, 0.0), Stop(1.0, 0.0, 0.0, 1.0))


def shape(name: str, paint: Solid | LinearGradient | RadialGradient, rank: int) -> Shape:
    outline = Outline(SQUARE + rank, np.array([0, 12]), np.array([rank % 2 == 0] * 4))
    return Shape(name, outline, paint, rank, rank > 2)


OURS = svg.write(
    Drawing(
        16.0, 12.0,
        Layer("root", "", (
            shape("ground", Solid(0.2, 0.4, 0.6), 1),
            Layer("things", "Things", (
                shape("a", LinearGradient((1.0, 1.0), (9.0, 9.0), STOPS), 2),
                Layer("inner", "Ünner & <more>", (shape("b", RadialGradient((5.0, 5.0), 4.0, STOPS, 0.5), 3),), "cup"),
            )),
        )),
        "A title", {"generator": "layervec 0", "settings": {"paths": 3}},
    )
)  # fmt: skip
ZOO = """<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 20 16" width="10mm"
 height="8mm" preserveAspectRatio="xMinYMax slice"><style>.a{fill:red;opacity:.5} #b{stroke:blue}</style><defs>
<linearGradient id="g" x1="0" x2="100%"><stop offset="0" stop-color="#f00"/><stop offset="1" stop-color="tan"/>
</linearGradient><radialGradient id="h" xlink:href="#g" r="30%" fx=".1" gradientTransform="rotate(9 2 1)"/>
<clipPath id="c"><circle cx="9" cy="8" r="7"/></clipPath><mask id="m"><rect width="20" height="9" fill="#fff"/></mask>
<pattern id="p" width="3" height="3" patternUnits="userSpaceOnUse"><path d="M0 0h2v2z"/></pattern>
<filter id="f"><feGaussianBlur stdDeviation="1"/></filter><symbol id="s" viewBox="0 0 4 4"><rect width="3" height="3"/>
</symbol><marker id="k" markerWidth="3" markerHeight="3"><path d="M0 0L3 1"/></marker></defs>
<g id="b" class="a" data-rank="2" clip-path="url(#c)"><path d="M1 1 C3,4 5-6 7.5.5 S9 9 10 1 q1 1 2 2 t3 1
 a4 3 30 1 0 2 2 z" fill="url(#g)" data-rank="1" stroke-width="1e0" stroke-dasharray="1 2" marker-end="url(#k)"/></g>
<g mask="url(#m)" transform="translate(1 2) scale(.9) skewX(3)"><ellipse cx="8" cy="6" rx="5" ry="3" fill="url(#h)"/>
<polygon points="1,2 3,4 5,1" filter="url(#f)" style="display:inline"/></g><use xlink:href="#s" x="4" width="6"/>
<line x1="1" x2="9" y1="2" y2="3" stroke="#123"/><polyline points="0 0 3 3 9 1"/><rect rx="2" width="9" height="4"
 fill="url(#p)"/><image width="4" height="4" href="data:image/png;base64,iVBORw0KGgo="/><text x="2" y="9">A</text>
</svg>"""
WORDS = [
    f'"{word}"'
    for word in (
        *(
            "",
            "0",
            "-1",
            "1e9",
            "1e308",
            "-1e-308",
            "nan",
            "inf",
            "999999999",
            "1e5",
            "1e-9",
            "100%",
            "1 2 3 4",
            "0 0 0 0",
        ),
        *("url(#g)", "url(#b)", "url(#c)", "none", "a", "#b", "#abc", "\u00e9", "userSpaceOnUse", "&lt;&#10;"),
        *("M0 0", "M0 0C1 1 1 1 1 1Z", "M1e7 0L1 1Z", "scale(1e6)", "translate(1e9)", "rotate(1e30)"),
        "matrix(0 0 0 0 0 0)",
    )
]
NAMES = [
    "g",
    "path",
    "rect",
    "svg",
    "use",
    "defs",
    "mask",
    "pattern",
    "symbol",
    "filter",
    "image",
    "switch",
    "a",
    "x:y",
]
places = st.floats(0, 1, exclude_max=True)
values = st.lists(
    st.tuples(places, st.one_of(st.sampled_from(WORDS), st.from_regex(r'"[^"<&]{0,9}"', fullmatch=True))), max_size=5
)
names = st.lists(st.tuples(places, st.sampled_from(NAMES)), max_size=2)


def changed(text: str, values: list, names: list) -> str:
    """Return text with other attribute values and other element names, opening and closing ones as they come."""
    return replaced(replaced(text, r'"[^"]*"', values), r"(?<=<)[A-Za-z]+", names)


@FEW
@given(values, names, st.one_of(st.just([]), damages))
def test_our_reader_takes_or_refuses_and_takes_what_it_writes(values: list, names: list, how: list) -> None:
    text = damaged(changed(OURS, values, names).encode(), how)
    try:
        drawing = svg.read(text)
    except InputError as error:
        refused(error)
        return
    written = svg.write(drawing)
    assert svg.write(svg.read(written)) == written


@FEW
@given(st.sampled_from([OURS, ZOO]), values, names, st.one_of(st.just([]), damages), st.integers(1, 40))
def test_any_svg_is_drawn_or_refused(seed: str, values: list, names: list, how: list, width: int) -> None:
    text = damaged(changed(seed, values, names).encode(), how)
    try:
        pixels = render_svg(text, width, 24, None)
    except InputError as error:
        refused(error)
        return
    assert pixels.shape == (24, width, 4)
    assert 0.0 <= pixels.min() <= pixels.max() <= 1.0
    render_svg(only(text, 1), width, 24)


@FEW
@given(st.sampled_from([OURS, ZOO]), values, names)
def test_any_svg_is_measured_or_refused(seed: str, values: list, names: list) -> None:
    try:
        found = score(changed(seed, values, names), np.full((6, 8, 3), 0.5), longest=16)
    except InputError as error:
        refused(error)
        return
    assert math.isfinite(found.mse)
    assert 0 <= found.opens_worst <= 1
    assert found.shapes >= 0 <= found.nodes


@FEW
@given(st.one_of(st.text("MmLlCcZzAaQqTtSsHhVv0123456789.,-+eE ", max_size=60), st.text(max_size=20)))
def test_any_path_data_is_counted_and_read_or_refused(data: str) -> None:
    nodes, numbers = count_path(data)
    assert nodes >= 0 <= numbers
    try:
        outline = path_data.read(data)
    except ValueError:
        return
    assert len(outline.points) == 3 * outline.segments == outline.starts[-1]
