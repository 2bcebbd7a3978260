"""SVG of strangers: what is let through, what is left out and told, and what rendering it may cost at most."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from layervec import openings, render_process
from layervec import score as score_module
from layervec.document import Document, text_of
from layervec.errors import InputError
from layervec.render_process import RenderProcess
from layervec.score import count_path, only, render_svg, score

NAMES = 'xmlns="http://www.w3.org/2000/svg" xmlns:s="http://www.w3.org/2000/svg" xmlns:e="http://example.org/editor"'
RECT = '<rect width="100" height="80" fill="#f00"/>'
GROUND = np.ones((8, 10, 3), np.float32)
# Passes every bound of numbers, and takes a minute: each blur covers the whole canvas.
BLURS = '<feGaussianBlur stdDeviation="9"/>' * 16
SLOW = f'<filter id="f">{BLURS}</filter>' + f'<g filter="url(#f)">{RECT}</g>' * 2000


def page(body: str) -> str:
    return f'<svg {NAMES} viewBox="0 0 100 80">{body}</svg>'


def sanitized(body: str) -> tuple[str, tuple[str, ...]]:
    """Return what is rendered of a page with such a body, and what was left out."""
    with Document(page(body), "x.svg") as document:
        return text_of(document.root, frozenset()), document.left_out


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<image s:href="/etc/hosts"/>', "a link out of the file"),
        ('<image href=" file:///etc/hosts"/>', "a link out of the file"),
        ('<use href="other.svg#a"/>', "a link out of the file"),
        ("<image href=\"data:image/svg+xml,&lt;image href='/etc/hosts'/>\"/>", "a link out of the file"),
        ('<rect mask="url(/etc/hosts#m)"/>', "a value of mask"),
        ('<rect mask="URL(/etc/hosts#m)"/>', "a value of mask"),
        (r'<rect style="mask:\75rl(/etc/hosts#m)"/>', "a value of mask"),
        (r'<rect fill="u\72l(#/etc/hosts)"/>', "a value of fill"),
        ('<rect style="fill:image-set(/etc/hosts)"/>', "a value of fill"),
        ('<style>@import "/etc/hosts";</style>', "an @ rule of a style sheet"),
        ("<style>@font-face{src:local(/etc/hosts)}</style>", "an @ rule of a style sheet"),
        ("<script>/etc/hosts</script>", "<script>"),
        ('<foreignObject><e:i src="/etc/hosts"/></foreignObject>', "<foreignObject>"),
        ('<rect onclick="/etc/hosts"/>', "the attribute onclick"),
        ('<rect style="behavior:url(/etc/hosts)"/>', "the property behavior"),
    ],
)
def test_what_leads_out_of_the_file_is_left_out_and_told(body: str, told: str) -> None:
    text, left_out = sanitized(body + RECT)
    assert "/etc/hosts" not in text
    assert "other.svg" not in text
    assert left_out == (told,)
    found = score(page(body + RECT), GROUND)
    assert found.left_out == (told,)
    assert dict(found.table())["left out"] == told
    assert found.as_dict()["left_out"] == [told]


def test_what_editors_write_for_themselves_is_no_loss() -> None:
    body = f'<e:view zoom="2"/><g e:mark="1" data-a="1" style="-e-font:x;opacity:1">{RECT}</g>'
    text, left_out = sanitized(body)
    assert left_out == ()
    assert 'data-a="1"' in text
    assert render_svg(page(body), 10, 8)[4, 5].tolist() == [1.0, 0.0, 0.0]
    assert "left out" not in dict(score(page(body), GROUND).table())


def test_a_text_stays_whole_where_an_element_in_it_is_left_out() -> None:
    text, _ = sanitized("<text>a<script/>b<tspan>c</tspan><script/>d</text>")
    assert "<text>ab<tspan>c</tspan>d</text>" in text


def test_references_are_followed_however_they_are_spelt() -> None:
    gradient = '<linearGradient id="g"><stop stop-color="#f00"/></linearGradient>'
    for fill in ("fill=\"URL( '#g' )\"", 'style="FILL: uRL(#g)"', 'style="/**/fill:url(#g);"'):
        assert render_svg(page(f'{gradient}<rect width="99" height="80" {fill}/>'), 10, 8)[4, 5].tolist() == [1, 0, 0]


@pytest.mark.parametrize("key", ["mask", "clip-path", "fill", "filter", "marker-end", "href"])
@pytest.mark.parametrize("spelling", ['{key}="url(#{id})"', 'style="{key}:URL( #{id} )"'])
def test_long_chains_of_references_are_refused(key: str, spelling: str) -> None:
    kinds = {"mask": "mask", "clip-path": "clipPath", "fill": "pattern", "filter": "filter", "marker-end": "marker"}
    kind = kinds.get(key, "g")

    def user(number: int) -> str:
        if key == "href":
            return f'<use href="#a{number}"/>'
        return f'<path d="M0 0L9 9" {spelling.format(key=key, id=f"a{number}")}/>'

    chain = "".join(f'<{kind} id="a{n}" width="9" height="9">{user(n + 1)}</{kind}>' for n in range(300))
    if key == "filter":  # holds steps alone, so there is no chain
        assert "<path" not in sanitized(chain)[0]
        return
    with pytest.raises(InputError, match=r"^x\.svg is refused: its references are nested deeper than 100\.$"):
        sanitized(chain + user(0))


def test_a_marker_counts_once_for_each_node() -> None:
    marker = f'<marker id="m">{RECT * 100}</marker>'
    with pytest.raises(InputError, match="unfolds to more than"):
        sanitized(f'{marker}<path marker-mid="url(#m)" d="M0 0{"L1 1L2 0" * 2000}"/>')


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ('<pattern width="1700" height="9" patternUnits="userSpaceOnUse"/>', "tiles beyond bounds"),
        ('<pattern width="17" height="1"/>', "tiles beyond bounds"),
        ('<pattern width="1" height="1" viewBox="0 0 1e-4 1e-4"/>', "viewBox beyond bounds"),
        ('<pattern width="1" height="1" patternTransform="scale(1e9)"/>', "coordinates beyond bounds"),
        ('<g style="transform:scale(1e9)"/>', "coordinates beyond bounds"),
        ('<style>g{font-size:1e12px}</style><g class="a"/>', "coordinates beyond bounds"),
    ],
)
def test_what_would_fill_memory_is_refused(body: str, cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        sanitized(body)


@pytest.mark.parametrize("step", ["<feTurbulence numOctaves='99999999'/>", "<feGaussianBlur/>" * 17, "<feImage/>"])
@pytest.mark.parametrize("how", ['filter="url(#f)"', 'style="filter:url(#f)"', 'filter="blur(3px)"'])
def test_filters_without_bound_are_left_out_and_what_they_alter_is_drawn(step: str, how: str) -> None:
    body = f'<filter id="f">{step}</filter><g {how}>{RECT}</g>'
    _, left_out = sanitized(body)
    assert left_out in (("a filter",), ("a value of filter",))
    assert render_svg(page(body), 10, 8)[4, 5].tolist() == [1.0, 0.0, 0.0]


def test_small_filters_are_drawn() -> None:
    body = f'<filter id="f"><feFlood flood-color="#00f"/></filter><g filter="url(#f)">{RECT}</g>'
    assert sanitized(body)[1] == ()
    assert render_svg(page(body), 10, 8)[4, 5].tolist() == [0.0, 0.0, 1.0]


# The process


def test_what_takes_too_much_memory_is_told() -> None:
    tile = (
        f'<pattern id="p" width="1600" height="1600" patternUnits="userSpaceOnUse" patternTransform="scale(9)">{RECT}'
    )
    body = f'{tile}</pattern><g transform="scale(9)"><rect width="99" height="80" fill="url(#p)"/></g>'
    with pytest.raises(
        InputError, match=r"^b\.svg cannot be rendered: it takes too much memory, or ends the renderer\.$"
    ):
        render_svg(page(body), 100, 80, name="b.svg")


def test_what_takes_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_process, "MOST_SECONDS", 0.2)
    with pytest.raises(InputError, match=r"^b\.svg cannot be rendered: it takes too long\.$"):
        render_svg(page(SLOW), 512, 410, name="b.svg")


def test_a_signal_ends_a_rendering_at_once() -> None:
    code = (
        "import os, signal, sys, threading; from layervec.score import render_svg\n"
        "threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try: render_svg(sys.stdin.read(), 512, 410)\n"
        "except KeyboardInterrupt:\n"
        "    try: os.waitpid(-1, os.WNOHANG)\n"
        "    except ChildProcessError: print('ended, and no process is left')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input=page(SLOW), capture_output=True, text=True, check=True, timeout=25
    )
    assert ran.stdout == "ended, and no process is left\n"


def test_the_process_opens_no_file_whatever_it_is_given(tmp_path) -> None:
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "secret.png")
    text = page(f'<image width="100" height="80" href="{tmp_path / "secret.png"}"/>')
    process = RenderProcess("x.svg")
    shown = process.render(text, "#ffffff", fonts=False)
    process.close()
    assert shown == render_process.render(page(""), "#ffffff", fonts=False)
    assert shown != render_process.render(text, "#ffffff", fonts=False)  # which shows that it would be read


def test_plain_drawings_need_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_process, "COMMAND", ("/nowhere/layervec",))
    gradient = '<defs><linearGradient id="g" x2="9"><stop offset="0" stop-color="#f00"/></linearGradient></defs>'
    body = f'{gradient}<g id="a"><path d="M0 0h99v80h-99z" fill="url(#g)" fill-opacity=".5"/>{RECT}</g>'
    assert render_svg(page(body), 10, 8)[4, 5].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "body",
    [
        RECT.replace("/>", ' stroke="red"/>'),
        f'<svg viewBox="0 0 1 1">{RECT}</svg>',
        f'<g opacity=".5">{RECT}</g>',
        f'<path d="M0 0{"l9e6 9" * 3}z"/>',
    ],
)
def test_all_else_is_rendered_apart(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_process, "COMMAND", ("/nowhere/layervec",))
    with pytest.raises(InputError, match="no process to render it in can be started"):
        render_svg(page(body), 10, 8)


# Layers by themselves


def layered(count: int) -> str:
    """Return layers, some with others inside, most of which open something; without a ground."""
    dice = np.random.default_rng(3)
    label = 'xmlns:i="http://www.inkscape.org/namespaces/inkscape" i:groupmode="layer"'
    gradient = '<defs><linearGradient id="g"><stop stop-color="#f00" stop-opacity=".8"/></linearGradient></defs>'

    def square() -> str:
        x, y = dice.uniform(0, (90, 70))
        fill = "url(#g)" if dice.random() < 0.3 else "#123456"
        return f'<rect x="{x:.1f}" y="{y:.1f}" width="12.3" height="9.1" fill="{fill}"/>'

    groups = [f"<g {label}>{square()}<g {label}>{square()}</g><g>{square()}</g></g>" for _ in range(count)]
    return page(gradient + square() + "".join(groups))


def shares(text: str) -> list[float]:
    with Document(text, "x.svg") as document:
        return [found.share for found in openings.openings(document, openings.layer_tree(document.root), 100, 80)]


def test_many_layers_open_what_few_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "MOST_WHOLE", 1000)
    whole = shares(layered(20))
    monkeypatch.setattr(openings, "MOST_WHOLE", 0)
    alone = shares(layered(20))
    assert max(whole) > 0.003
    assert len(whole) == len(alone) == 40
    np.testing.assert_allclose(alone, whole, atol=2 / 8000)  # px at the very limit


def test_the_work_for_openings_grows_with_the_document_not_with_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "MOST_WHOLE", 4)
    given: list[int] = []
    render = render_process.render

    def counted(text: str, background: str | None, *, fonts: bool) -> bytes:
        given.append(len(text))
        return render(text, background, fonts=fonts)

    monkeypatch.setattr(render_process, "render", counted)
    costs = []
    for count in (40, 160):
        given.clear()
        assert max(shares(layered(count))) > 0
        costs.append(sum(given))
    assert costs[1] < 5 * costs[0]


def test_digits_that_are_no_arc_are_counted_at_once() -> None:
    """Every division of them among the numbers of an arc was tried: 50 digits took for ever."""
    assert count_path("M0 0A" + "2" * 5000) == (0, 2)
    assert count_path("M0 0a1 1 0 0150 50-5.5.5 0 0150-50") == (3, 16)


def test_versions_are_sanitized_too() -> None:
    assert "hosts" not in only(page(f'<image href="/etc/hosts"/>{RECT}'), 1)


def test_paths_of_very_many_pieces_are_not_looked_at_for_crossings(monkeypatch: pytest.MonkeyPatch) -> None:
    crossed, plain = '<path d="M0 0L9 9L9 0L0 9z"/>', '<path d="M0 0H9V9H0z"/>'
    assert score(page(crossed * 3 + plain), GROUND).crossing == 3
    monkeypatch.setattr(score_module, "MOST_PIECES", 4)  # one path at a time
    assert score(page(crossed * 3 + plain), GROUND).crossing == 3
    monkeypatch.setattr(score_module, "MOST_PIECES", 3)
    assert score(page(crossed * 3 + plain), GROUND).crossing is None
