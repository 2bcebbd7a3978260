"""Twelve kinds of small pictures that drawings got wrong are drawn right, and their judge tells right from wrong."""

import re

import numpy as np
import pytest
import small_cases
from small_cases import BLACK, FAULTS, WHITE, Case

from layervec import Settings, vectorize

OPEN = {  # what is not drawn right yet, and why
    "1bit-outline": "a stretch of 11 px of a line of one pixel is lost when crossings are mended",
    "icon32": "what rings beside the letter and the dot gets shapes of its own",
    "map-lines": "where the line lies half on two columns of pixels it gets a colour of its own",
}


def known(name: str) -> object:
    mark = pytest.mark.xfail(reason=OPEN.get(name, ""), strict=True)
    return pytest.param(name, marks=[mark] if name in OPEN else [])


@pytest.mark.parametrize("name", [known(name) for name in FAULTS])
def test_what_drawings_got_wrong_is_drawn_right(name) -> None:
    case = FAULTS[name]()
    svg = vectorize(case.png(), Settings(drop_background=case.drop_background)).svg
    assert small_cases.judged(case, svg) == []


def bar(**facts: object) -> Case:
    """Return a black bar and a dot of 2 px on white."""
    return small_cases.case("bar", "test", small_cases.drawn(BAR + DOT, 40, 30), f"{BLACK} {WHITE}", 3, **facts)


def svg_of(body: str, ground: str = WHITE) -> str:
    back = f'<rect width="40" height="30" fill="{ground}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" viewBox="0 0 40 30">{back}{body}</svg>'


BAR, DOT = '<path d="M5.5 6H30V12H5.5Z" fill="#000000"/>', '<path d="M20 20h2v2h-2z" fill="#000000"/>'


def test_the_judge_finds_nothing_wrong_in_what_a_case_was_drawn_from() -> None:
    assert small_cases.judged(bar(), svg_of(BAR + DOT)) == []


@pytest.mark.parametrize(
    ("body", "ground", "words"),
    [
        (BAR, WHITE, "lacks 1 region"),
        (BAR + DOT + DOT.replace("M20", "M8"), WHITE, "adds 1 region"),
        (BAR + DOT + DOT.replace("20 20", "6 8"), WHITE, "4 shapes, more than 3"),
        ((BAR + DOT).replace("#000000", "#090909"), WHITE, "has no #000000"),
        ((BAR + DOT).replace("#000000", "#090909"), WHITE, "other colours: #090909"),
        (BAR + DOT, "#fcfcfc", "is off in 1 plain place"),
        (BAR.replace("/>", ' fill-opacity="0.9"/>') + DOT, WHITE, "translucent"),
        (BAR.replace("M5.5", "M9.5").replace("H5.5", "H9.5") + DOT, WHITE, "of the contrast"),
    ],
)
def test_the_judge_says_what_is_wrong(body, ground, words) -> None:
    assert re.search(words, "; ".join(small_cases.judged(bar(), svg_of(body, ground))))


def test_the_judge_sees_seams_and_what_is_lost_on_dark_ground_alone() -> None:
    seam = svg_of(BAR + DOT).replace('width="40" height="30" fill', 'width="39.5" height="30" fill')
    assert "lets the ground through in 30 px" in "; ".join(small_cases.judged(bar(), seam))
    clear = small_cases.case("pen", "test", small_cases.drawn(DOT.replace("000000", "ffffff"), 40, 30, None), WHITE, 1)
    assert any(
        "lacks" in one for one in small_cases.judged(clear, svg_of("").replace(f'fill="{WHITE}"', 'fill="none"'))
    )


def test_cases_are_drawn_the_same_each_time_have_their_own_names_and_are_small() -> None:
    cases = small_cases.all_cases()
    assert len({case.name for case in cases}) == len(cases) > 42
    assert {*FAULTS} < {case.name for case in cases}
    small_cases.all_cases.cache_clear()
    assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(cases, small_cases.all_cases(), strict=True))
    assert max(max(case.pixels.shape) for case in cases) <= 360
