"""Scores of known drawings, counts of any path data, exact render sizes, and hostile SVGs."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from layervec import metrics
from layervec.errors import InputError
from layervec.score import count_path, only, render_svg
from layervec.score import score as score_at

NS = 'xmlns="http://www.w3.org/2000/svg"'
INK = 'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'


def score(svg, image, longest=100):
    """Score at the size of this file's pictures, where the figures are known exactly."""
    return score_at(svg, image, longest=longest)


def page(body, size='width="100" height="80" viewBox="0 0 100 80"'):
    return f"<svg {NS} {INK} {XLINK} {size}>{body}</svg>"


def layer(name, body):
    return f'<g id="{name}" inkscape:groupmode="layer" inkscape:label="{name}!">{body}</g>'


def square(rank, x, y, side, fill="#000"):
    data = f"M{x} {y}h{side}v{side}h-{side}z"
    return f'<path id="s{rank}" data-rank="{rank}" fill="{fill}" d="{data}"/>'


GROUND = '<path id="s1" data-rank="1" fill="#fff" d="M0 0H100V80H0Z"/>'
LAYERED = page(
    layer("ground", GROUND)
    + layer("a", square(2, 10, 10, 20, "#f00") + layer("b", square(3, 15, 15, 5, "#00f")))
    + layer("c", square(4, 50, 40, 30, "#0f0"))
)


def picture(text=LAYERED, size=(100, 80)):
    return render_svg(text, *size)


# Rendering


@pytest.mark.parametrize("size", [(100, 80), (50, 41), (33, 99), (1, 1)])
@pytest.mark.parametrize(
    "given",
    [
        'width="100" height="80" viewBox="0 0 100 80"',
        'viewBox="0 0 100 80"',
        'width="100" height="80"',
        'width="100%" height="100%" viewBox="0 0 100 80"',
        'width="10mm" height="8mm" viewBox="0, 0, 100, 80"',
    ],
)
def test_the_render_has_exactly_the_size_asked_for(size, given):
    text = page('<rect width="100" height="80" fill="#102030"/>', given)
    pixels = render_svg(text, *size)
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, np.broadcast_to([16 / 255, 32 / 255, 48 / 255], pixels.shape), atol=1e-6)


def test_without_background_alpha_is_straight():
    pixels = render_svg(page('<rect width="50" height="80" fill="#f00" opacity=".5"/>'), 10, 8, None)
    assert pixels.shape == (8, 10, 4)
    np.testing.assert_allclose(pixels[4, 2], [1, 0, 0, 128 / 255], atol=1e-6)
    assert pixels[4, 8, 3] == 0


@pytest.mark.parametrize(
    ("rule", "columns"),
    [
        ("", (5, 15)),
        ("xMinYMid", (0, 10)),
        ("xMaxYMin meet", (10, 20)),
        ("none", (0, 20)),
        ("xMidYMid slice", (0, 20)),
    ],
)
def test_preserve_aspect_ratio_is_honoured(rule, columns):
    size = f'width="20" height="10" viewBox="0 0 10 10" preserveAspectRatio="{rule}"'
    alpha = render_svg(page('<rect width="10" height="10"/>', size), 20, 10, None)[..., 3]
    expected = np.zeros((10, 20))
    expected[:, columns[0] : columns[1]] = 1
    np.testing.assert_array_equal(alpha, expected)


def test_links_to_files_are_not_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8), (255, 0, 0)).save("secret.png")
    (tmp_path / "secret.svg").write_text(page('<rect id="a" width="100" height="80" fill="red"/>'))
    links = ["secret.png", str(tmp_path / "secret.png"), (tmp_path / "secret.png").as_uri(), "secret.svg"]
    for link in links:
        for key in ("href", "xlink:href"):
            body = f'<image {key}="{link}" width="100" height="80"/><use {key}="{link}#a"/>'
            body += f'<filter id="f"><feImage {key}="{link}"/></filter>'
            body += '<rect width="90" height="70" filter="url(#f)"/>'
            assert render_svg(page(body), 10, 8, None)[..., 0].max() == 0.0


def test_pictures_inside_the_file_are_drawn():
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
    body = f'<image href="data:image/png;base64,{dot}" width="100" height="80"/>'
    assert render_svg(page(body), 10, 8, None)[4, 5].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_foreign_namespaces_prefixes_and_entities_in_text_survive():
    text = (
        '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://127.0.0.1:9/x.dtd">'
        '<s:svg xmlns:s="http://www.w3.org/2000/svg" xmlns:q="urn:q" q:x="&quot;&lt;" viewBox="0 0 10 10">'
        "<q:view/><s:style>.a &gt; rect { fill: #f00 }</s:style>"
        '<s:g class="a"><s:rect width="10" height="10"/></s:g></s:svg>'
    )
    assert render_svg(text, 4, 4)[2, 2].tolist() == [1.0, 0.0, 0.0]


# Versions


def test_only_keeps_the_first_ranks():
    for count in range(6):
        shown = set(re.findall(r'id="(s\d)"', only(LAYERED, count)))
        assert shown == {f"s{rank}" for rank in range(1, min(count, 4) + 1)}


def test_only_takes_a_choice():
    text = only(LAYERED, lambda shape: shape.get("fill") == "#0f0")
    assert re.findall(r'id="(s\d)"', text) == ["s4"]
    assert text.count("<g") == 4  # layers stay


def test_shapes_without_rank_come_last_in_document_order():
    body = '<rect id="x"/>' + square(2, 0, 0, 5) + '<path id="y" data-rank="two" d="M0 0h1v1z"/>' + square(1, 0, 0, 5)
    orders = [re.findall(r'id="(\w+)"', only(page(body), count)) for count in range(1, 5)]
    assert orders == [["s1"], ["s2", "s1"], ["x", "s2", "s1"], ["x", "s2", "y", "s1"]]


# Scores


def test_a_drawing_against_its_own_render():
    result = score(LAYERED, picture())
    assert (result.width, result.height) == (100, 80)
    assert result.mse == 0.0
    assert result.psnr == math.inf
    assert result.ssim == pytest.approx(1.0)
    assert (result.shapes, result.nodes, result.layers, result.depth) == (4, 16, 4, 2)
    assert result.numbers == 3 * 5 + 5
    assert result.bytes == len(LAYERED)


def test_against_the_metrics_themselves(tmp_path):
    pixels = np.random.default_rng(1).random((80, 100, 3)).astype(np.float32)
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png"), np.float32) / 255
    (tmp_path / "a.svg").write_text(LAYERED)
    result = score(tmp_path / "a.svg", tmp_path / "a.png")
    assert result.mse == pytest.approx(metrics.mse(picture(), pixels), rel=1e-5)
    assert result.psnr == pytest.approx(metrics.psnr(picture(), pixels), rel=1e-5)
    assert result.ssim == pytest.approx(metrics.ssim(picture(), pixels), rel=1e-4)
    assert result == score(str(tmp_path / "a.svg"), tmp_path / "a.png")


def test_transparency_is_laid_over_white_on_both_sides():
    clear = np.zeros((80, 100, 4), np.float32)
    assert score(page(""), clear).mse == 0.0


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [((1024, 512), 512, (512, 256)), ((300, 100), 512, (512, 171)), ((100, 400), 64, (16, 64))],
)
def test_the_longer_side_is_brought_to_longest(size, longest, expected):
    result = score(LAYERED, np.ones((size[1], size[0], 3), np.float32), longest=longest)
    assert (result.width, result.height) == expected


def test_by_rank_doubles_up_to_the_total():
    body = GROUND + "".join(square(rank, 4 * rank, 10, 3) for rank in range(2, 22))
    result = score(page(body), picture(page(body)))
    assert [count for count, _ in result.by_rank] == [4, 8, 16, 21]
    errors = [error for _, error in result.by_rank]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0.0
    assert errors[0] == pytest.approx(17 * 9 / 8000, rel=1e-3)


def test_what_is_not_drawn_is_not_counted():
    rect = '<rect width="5" height="5"/>'
    hidden = "".join(f"<{tag}>{rect}</{tag}>" for tag in ("defs", "clipPath", "mask", "pattern", "symbol", "marker"))
    hidden += f'<g display="none">{rect}</g><g style="fill:red; display: none">{rect}</g>'
    assert score(page(hidden), np.ones((8, 10, 3), np.float32)).shapes == 0
    assert score(page(hidden), np.ones((8, 10, 3), np.float32)).by_rank == ()


def test_nodes_of_every_kind_of_shape():
    body = (
        '<rect width="5" height="5"/><circle r="5"/><ellipse rx="5" ry="4"/><line x2="5"/>'
        '<polyline points="0,0 1,1 2-2"/><polygon points="0 0 10 0 10 10 0 10"/><path d="M0 0L1 0L1 1Z"/>'
    )
    result = score(page(body), np.ones((8, 10, 3), np.float32))
    assert result.shapes == 7
    assert result.nodes == 4 + 4 + 4 + 2 + 3 + 4 + 3
    assert result.numbers == 6


def test_openings():
    result = score(LAYERED, picture())
    opens = {opening.id: opening for opening in result.opens}
    assert [opening.label for opening in result.opens] == ["ground!", "a!", "b!", "c!"]
    assert [opening.background for opening in result.opens] == [True, False, False, False]
    assert opens["ground"].share == pytest.approx(1 - (400 + 900) / 8000)
    assert result.opens_worst == 0.0


def test_openings_of_layers_without_ground():
    text = page(layer("g", square(1, 0, 0, 40)) + layer("a", square(2, 50, 0, 20) + layer("b", square(3, 80, 0, 10))))
    opens = {opening.id: opening.share for opening in score(text, picture(text)).opens}
    assert opens == {"g": 1600 / 8000, "a": 500 / 8000, "b": 100 / 8000}
    assert score(text, picture(text)).opens_worst == 500 / 8000


def test_many_layers_are_told_apart():
    spots = [(x, y) for y in range(0, 80, 10) for x in range(0, 100, 10)]
    bare = {7, 30, 31, 64}  # these have nothing beneath
    ground = "".join(square(200 + i, x, y, 10) for i, (x, y) in enumerate(spots) if i not in bare)
    text = page(
        layer("ground", ground) + "".join(layer(f"l{i}", square(i, x, y, 10)) for i, (x, y) in enumerate(spots))
    )
    opens = score(text, picture(text)).opens
    assert {o.id: o.share for o in opens if o.share} == {f"l{i}": 100 / 8000 for i in bare}


# Gradients

SKY = '<linearGradient id="g1" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="0" y2="80">'
SKY += '<stop offset="0" stop-color="#fff"/><stop offset="1" stop-color="#00f"/></linearGradient>'
SUN = '<radialGradient id="g3" gradientUnits="userSpaceOnUse" cx="65" cy="55" r="15">'
SUN += '<stop offset=".2" stop-color="#ff0"/><stop offset="1" stop-color="#f00"/></radialGradient>'
GRADED = page(
    f"<defs>{SKY}{SUN}</defs>"
    + layer("ground", GROUND.replace("#fff", "url(#g1)"))
    + layer("a", square(2, 10, 10, 20) + layer("b", square(3, 50, 40, 30, "url(#g3)")))
    + layer("c", "".join(square(rank, 8 * rank, 70, 6, "#0f0") for rank in range(4, 10)))
)


def test_gradients_count_neither_as_shapes_nor_as_nodes_nor_as_layers():
    result = score(GRADED, picture(GRADED))
    assert (result.shapes, result.nodes, result.numbers, result.layers) == (9, 36, 5 + 8 * 5, 4)
    assert result.mse == 0.0


def test_versions_and_hidden_layers_keep_their_gradients():
    whole = picture(GRADED)
    assert np.ptp(whole[:, 0, 0]) > 0.9
    result = score(GRADED, whole)
    assert [count for count, _ in result.by_rank] == [4, 8, 9]
    # The error is that of the squares left out alone: green 0 where it was 1, and the sky behind.
    shown = picture(only(GRADED, 3))
    np.testing.assert_array_equal(shown[:70], whole[:70])
    assert len(np.unique(shown[40:70, 50:80].reshape(-1, 3), axis=0)) > 30
    assert result.by_rank[0][1] == pytest.approx(metrics.mse(picture(only(GRADED, 4)), whole), rel=1e-6)
    assert result.by_rank[0][1] < 36 * 5 / 8000
    alone = render_svg(only(GRADED, lambda shape: shape.get("id") == "s3"), 100, 80, None)
    np.testing.assert_array_equal(alone[40:70, 50:80, :3], whole[40:70, 50:80])
    opens = {opening.id: opening.share for opening in result.opens}
    assert opens == {"ground": 1 - (400 + 900 + 6 * 36) / 8000, "a": 0, "b": 0, "c": 0}


@pytest.mark.parametrize("wrap", ["{}", "<defs>{}</defs>", "<g><defs>{}</defs></g>"])
def test_what_a_hidden_group_defines_stays(wrap):
    """Other programs define gradients next to their first use."""
    text = page(f'<g id="x">{wrap.format(SKY)}{GROUND}</g><g id="y">{square(2, 10, 10, 60, "url(#g1)")}</g>')
    opens = {opening.id: opening.share for opening in score(text, picture(text)).opens}
    assert opens == {"x": 1 - 3600 / 8000, "y": 0}


def test_a_seam_is_no_opening():
    halves = square(1, 0, 0, 50.5) + '<path d="M50.5 0H100V80H50.5Z"/><path d="M0 50.5H50.5V80H0Z"/>'
    text = page(layer("ground", halves) + layer("over", '<rect x="40" width="30" height="70"/>'))
    assert score(text, picture(text)).opens_worst == 0.0


def test_foreign_files_have_their_top_groups_hidden():
    text = page(
        f'<g id="x">{GROUND}</g><g transform="translate(1)">{square(2, 5, 5, 9)}<g>{square(3, 0, 0, 1)}</g></g>'
    )
    result = score(text, picture(text))
    assert (result.layers, result.depth) == (0, 0)
    assert [(opening.id, opening.label) for opening in result.opens] == [("x", "x"), ("", "group 2")]


def test_a_file_without_groups_opens_nothing():
    result = score(page(GROUND), picture())
    assert (result.opens, result.opens_worst) == ((), 0.0)


def test_the_dictionary_is_valid_json_and_the_table_text():
    result = score(LAYERED, picture())
    data = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert data["psnr"] is None
    assert data["kib"] == len(LAYERED) / 1024
    assert data["opens"][0]["id"] == "ground"
    assert data["by_rank"] == [{"shapes": 4, "mse": 0.0}]
    rows = dict(result.table())
    assert rows["shapes"] == "4"
    assert rows["PSNR"] == "inf dB"


# Path data


@pytest.mark.parametrize(
    ("data", "nodes", "numbers"),
    [
        ("", 0, 0),
        ("M5 5", 0, 2),
        ("M5 5Z", 0, 2),
        ("M0 0L10 0L10 10Z", 3, 6),
        ("M0 0L10 0L10 10L0 0Z", 3, 8),
        ("M0 0 10 0 10 10Z", 3, 6),
        ("m0 0 10 0 0 10z", 3, 6),
        ("m5 5 .1 0 .1 0 .1 0 -.3 0z", 4, 10),
        ("M0 0H10V10H0Z", 4, 5),
        ("M0 0h10v10h-10v-10z", 4, 6),
        ("M0,0L10,0", 2, 4),
        ("M0 0C1-1 2-1 3 0Z", 2, 8),
        ("M0 0C1 1 2 2 3 3 4 4 5 5 0 0Z", 2, 14),
        ("M0 0S1 1 2 2 3 3 4 4", 3, 10),
        ("M0 0Q1 1 2 2T4 4t1 1 1 1", 5, 12),
        ("M0 0A5 5 0 0 1 10 0a5 5 0 01-10 0z", 2, 16),
        ("M0 0a1 1 0 0150 50", 2, 9),
        ("M0 0a1,1,0,1,1,5,5,1,1,0,0,0,5,5", 3, 16),
        ("M0 0L1e1-1E-1.5.5", 3, 6),
        ("M0 0L9 0L9 9ZM2 2L2 3L3 3Z", 6, 12),
        ("M0 0L9 0L9 9ZL5 5L3 9Z", 6, 10),
        ("M0 0L9 0 9 9m1 1 2 0 0 2z", 6, 12),
        ("M0 0L9 0L9", 2, 4),
        ("M0 0L9 0K5 5", 2, 4),
        ("L9 0", 0, 0),
        ("M0 0L1e308 1e308L-1e308 1e999Z", 3, 6),
    ],
)
def test_path_counts(data, nodes, numbers):
    assert count_path(data) == (nodes, numbers)


# Hostile and useless input

BOMB = "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{('&' + chr(97 + i) + ';') * 10}'>" for i in range(9)
)
RECT = '<rect width="5" height="5"/>'
HOSTILE = {
    "text": ("hello", "XML cannot be read"),
    "empty": ("", "XML cannot be read"),
    "cut off": (LAYERED[:-20], "XML cannot be read"),
    "html": ("<html/>", "its root is <html>"),
    "no namespace": ('<svg width="5" height="5"/>', "its root is <svg>"),
    "no size": (page(RECT, ""), "neither a viewBox nor a width and height"),
    "relative size": (page(RECT, 'width="100%" height="3em"'), "neither a viewBox"),
    "zero size": (page(RECT, 'width="0" height="5" viewBox="0 0 5 5"'), "size is zero"),
    "tiny size": (page(RECT, 'width="1e-300" height="5" viewBox="0 0 1e300 1"'), "size is zero or beyond"),
    "huge viewBox": (page(RECT, 'viewBox="0 0 1e300 1"'), "beyond bounds"),
    "zero viewBox": (page(RECT, 'viewBox="0 0 0 10"'), "is empty"),
    "negative viewBox": (page(RECT, 'viewBox="0 0 -5 10"'), "is empty"),
    "broken viewBox": (page(RECT, 'viewBox="a b c d"'), "not four numbers"),
    "endless viewBox": (page(RECT, 'viewBox="0 0 nan inf"'), "not four numbers"),
    "far path": (page('<path d="M0 0L1e11 5L3 99999999999Z"/>'), "coordinates beyond bounds"),
    "far transform": (page(f'<g transform="scale(1e20)">{RECT}</g>'), "coordinates beyond bounds"),
    "entities": (f"{BOMB}]>{page('<title>&j;</title>')}", "declares XML entities"),
    "file entity": (f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>{page("&x;")}', "XML entities"),
    "deep": (page("<g>" * 5000 + "</g>" * 5000), "nested deeper"),
    "use chain": (
        page("".join(f'<g id="a{i}"><use href="#a{i + 1}"/></g>' for i in range(2000))),
        "references are nested deeper",
    ),
    "use bomb": (
        page("".join(f'<g id="a{i}">' + f'<use xlink:href="#a{i + 1}"/>' * 10 + "</g>" for i in range(12))),
        "unfolds to more than",
    ),
    "use loop": (page('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'), "refers to itself"),
    "style chain": (
        page("<style>.a{mask:url(#m)}</style>" + f'<mask id="m">{RECT}</mask><g class="a">{RECT}</g>'),
        "refers to more than gradients",
    ),
    "escaped style": (page(f"<style>.a{{fill:\\75rl(#m)}}</style>{RECT}"), "refers to more than gradients"),
    "foreign style": (
        page(f"<style>.a{{fill:url(file:/etc/passwd)}}</style>{RECT}"),
        "refers to more than gradients",
    ),
    "mask loop": (page(f'<mask id="m" mask="url(#m)">{RECT}</mask>'), "refers to itself"),
}


@pytest.mark.parametrize(("text", "cause"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_and_useless_svgs_are_input_errors(text, cause, tmp_path):
    path = tmp_path / "bad.svg"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(cause)) as refusal:
        score(path, np.ones((8, 10, 3), np.float32))
    message = str(refusal.value)
    assert message.startswith(f"{path} ")
    assert message.endswith(".")


@pytest.mark.parametrize("prefix", ["", "xlink:", "s:", "t:"])
def test_no_reference_leads_out_of_the_file_whatever_its_namespace(prefix, tmp_path):
    """An `href` in SVG's own namespace read local files."""
    secret = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    names = 'xmlns:s="http://www.w3.org/2000/svg" xmlns:t="http://example.org/t"'
    text = page(f'<g {names}><image width="100" height="80" {prefix}href="{secret}"/></g>')
    assert render_svg(text, 10, 10).min() == 1.0


def test_style_sheets_may_use_gradients():
    style = "<style>.a{fill:url(#g)}</style>"
    gradient = '<linearGradient id="g"><stop stop-color="#f00"/></linearGradient>'
    drawn = render_svg(page(f'{style}{gradient}<rect class="a" width="10" height="10"/>'), 10, 10)
    np.testing.assert_allclose(drawn[0, 0], (1, 0, 0))


def test_what_a_drawing_lacks_is_told():
    image = picture()
    empty = page("")
    found = score(empty, image)
    assert found.missing
    assert found.explained < 0.5
    assert "at worst" in dict(found.table())["missing"]
    assert found.as_dict()["missing"][0]["area"] > 0


def test_what_is_seen_of_a_small_picture_is_judged_at_its_own_size():
    """Enlarged, its steps are blurred, and no drawing is."""
    ring = '<path d="M8 2a6 6 0 1 0 .01 0ZM8 5a3 3 0 1 1-.01 0Z" fill-rule="evenodd"/>'
    text = f'<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">{ring}</svg>'
    found = score(text, (render_svg(text, 16, 16) * 255).round().astype(np.uint8))
    assert found.width > 16  # all else is measured larger
    assert found.missing == ()
    assert found.explained > 0.99


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.svg cannot be read: no such file"):
        score(tmp_path / "nothing.svg", picture())
    with pytest.raises(InputError, match=r"cannot be read"):
        score(str(tmp_path), picture())
    with pytest.raises(InputError, match=r"cannot be read"):
        score("a\0b", picture())
    with pytest.raises(InputError, match=r"nothing\.png"):
        score(LAYERED, tmp_path / "nothing.png")


def test_the_deepest_file_that_is_taken_is_rendered(tmp_path):
    """In a process of its own: resvg would end it if its stack overflowed."""
    groups = 98  # with <svg> and <rect>, svg.MAX_DEPTH elements
    (tmp_path / "deep.svg").write_text(page('<g opacity=".99">' * groups + RECT + "</g>" * groups))
    code = "import sys; from layervec.score import render_svg; render_svg(open(sys.argv[1]).read(), 64, 64)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "deep.svg")], check=True, timeout=60)


def test_hyperlinks_may_go_round():
    assert score(page(f'<g id="a"><a href="#a">{RECT}</a></g>'), picture()).shapes == 1
