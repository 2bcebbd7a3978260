"""Any small picture with any settings that need no model: a drawing that keeps its promises."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mangle import FEW

from layervec import Settings, svg, vectorize
from layervec.score import render_svg

sides = st.integers(1, 40)


@st.composite
def pictures(draw: st.DrawFn) -> np.ndarray:
    """Draw discs and bars over each other, opaque, clear or in between, or plain noise."""
    height, width = draw(sides), draw(sides)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.integers(0, 9)) == 0:
        return draw(
            hnp.arrays(np.uint8, (height, width, draw(st.integers(1, 4))), elements=st.sampled_from([0, 9, 128, 255]))
        )
    y, x = np.mgrid[:height, :width] + 0.5
    picture = np.empty((height, width, 4))
    picture[:] = (*rng.random(3), draw(st.sampled_from([0.0, 0.3, 1.0])))
    for _ in range(draw(st.integers(0, 6))):
        centre, radius = rng.random(2) * [width, height], rng.random() * 20 + 0.5
        disc = np.clip(radius - np.hypot(x - centre[0], y - centre[1]), 0, 1)
        cover = (disc if rng.random() < 0.7 else np.clip(np.abs(x - centre[0]) < radius / 4, 0, 1))[..., None]
        picture += cover * (np.array([*rng.random(3), draw(st.sampled_from([0.0, 0.04, 0.2, 0.6, 1.0]))]) - picture)
    return picture.round(draw(st.sampled_from([1, 6])))


choices = st.fixed_dictionaries(
    {"paths": st.one_of(st.integers(1, 40), st.just("auto")), "size": st.integers(16, 48)},
    optional={
        "gradients": st.sampled_from(["auto", "on"]), "drop_background": st.booleans(),
        "tolerance": st.sampled_from([0.1, 3.0, 10.0]), "levels_count": st.integers(1, 3),
        "quality": st.sampled_from(["standard"]),
    },
)  # fmt: skip
colours = st.one_of(
    st.just({}),
    st.just({}),
    st.builds(dict, colors=st.integers(2, 9)),
    st.builds(dict, palette=st.sampled_from(["#fff", "#000,red,#00f"])),
)


@settings(FEW, max_examples=15)
@given(pictures(), choices, colours)
def test_any_picture_becomes_a_drawing(picture: np.ndarray, chosen: dict[str, Any], colours: dict[str, Any]) -> None:
    chosen = {key: value for key, value in chosen.items() if key != "gradients" or not colours}
    asked = Settings(**{"quality": "draft", **chosen, **colours})
    result = vectorize(picture, asked, threads=1)
    drawing = svg.read(result.svg)
    height, width = picture.shape[:2]
    assert (drawing.width, drawing.height) == (width, height)
    shapes = drawing.shapes()
    assert len(shapes) <= asked.most_paths
    assert sorted(shape.rank for shape in shapes) == list(range(1, len(shapes) + 1))
    assert svg.write(drawing) == result.svg
    assert np.isfinite(render_svg(result.svg, width, height)).all()
