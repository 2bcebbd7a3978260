"""The report in a real browser, opened from disk with the network off: what its controls do to the pixels.

Needs the dependency group `browser` and Debian's chromium; skipped without them. LAYERVEC_SCREENSHOTS names a
folder that keeps a screenshot of every page at the end of its test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browsers import SCREENSHOTS, chromium, contrast, differs, inside, marks, nameless, pixels, slide
from PIL import Image
from reports import HOSTILE, make_run, rename_a_layer

from layervec import svg
from layervec.report import read_run, write_report

ROW = "[role=treeitem]"
FRONT = f"{ROW} >> nth=0"  # the layer in front, which has the hostile name

pytestmark = marks


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("report"))
    rename_a_layer(folder, HOSTILE)
    # A picture that no shape looks like, so that the wipe is seen.
    Image.new("RGB", (121, 97), (0, 255, 0)).save(folder / "source.png")
    write_report(folder, folder / "report.html")
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, run, request):
    """Return what opens the report at a size; at the end, nothing may have complained or asked for anything."""
    complaints, asked, pages = [], [], []

    def open_at(width=1200, height=900, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((run / "report.html").as_uri())
        page.wait_for_selector("[data-ready]")
        pages.append(page)
        return page

    yield open_at
    for number, page in enumerate(pages):
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"{request.node.name}-{number}.png", full_page=True)
        page.context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:image/")] == [(run / "report.html").as_uri()] * len(pages)


def is_green(seen):
    """Return which pixels are those of the green picture, a JPEG in the page."""
    return (np.abs(seen - [0, 255, 0]) <= 3).all(axis=2)


def front_layer(run):
    return read_run(run).drawing.root.children[-1]


def test_detail_changes_pixels_and_tells_how_many(opened, run):
    page = opened()
    shapes = len(svg.read((run / "result.svg").read_bytes()).shapes())
    whole = pixels(page)
    slider = page.get_by_role("slider", name="Detail")
    assert slider.get_attribute("max") == str(shapes)
    slide(page, ".detail input", 1)
    first = pixels(page)
    assert differs(whole, first) > 0.2
    assert len(np.unique(first.reshape(-1, 3), axis=0)) <= 2  # the ground alone
    assert page.locator("output").inner_text().startswith(f"1 of {shapes} shapes, ")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("path[data-rank]:not(.unseen)").count() == 2
    page.keyboard.press("End")
    assert differs(whole, pixels(page)) == 0


def test_hide_changes_pixels_where_the_layer_is(opened, run):
    page = opened()
    layer = front_layer(run)
    before = pixels(page)
    page.locator(f"{FRONT} >> .eye >> nth=0").click()
    after = pixels(page)
    where = inside(page, f".sheet #{layer.id}", before)
    changed = np.abs(before - after).max(axis=2) > 8
    assert changed[where].any()
    assert not changed[~where].any()
    assert page.locator(FRONT).get_attribute("aria-label").endswith(", hidden")
    page.get_by_role("button", name="Show all", exact=True).click()
    assert differs(before, pixels(page)) == 0


def test_solo_shows_one_layer_alone(opened, run):
    page = opened()
    before = pixels(page)
    page.locator(f"{FRONT} >> .solo >> nth=0").click()
    ids = page.locator("path[data-rank]:not(.unseen)").evaluate_all("paths => paths.map(path => path.id)")
    assert ids == [shape.id for shape in front_layer(run).shapes()]
    assert differs(before, pixels(page)) > 0.5
    page.locator(f"{FRONT} >> .solo >> nth=0").click()
    assert differs(before, pixels(page)) == 0


def test_tree_by_keyboard(opened):
    page = opened()
    page.locator(FRONT).focus()
    shown = page.locator(f"{ROW}:visible").count()
    page.keyboard.press("End")
    last = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.layer.dataset.name") == HOSTILE
    for _ in range(shown - 1):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == last
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    assert page.locator(f"{FRONT} >> .eye >> nth=0").get_attribute("aria-pressed") == "true"
    page.keyboard.press("s")
    assert page.locator(f"{FRONT} >> .solo >> nth=0").get_attribute("aria-pressed") == "true"
    assert page.locator(f"{ROW}[tabindex='0']").count() == 1


def test_rows_open_and_close(opened):
    page = opened()
    row = page.locator(f"{ROW}[aria-expanded]").first
    if row.get_attribute("aria-expanded") == "false":
        row.focus()
        page.keyboard.press("ArrowRight")
    before = page.locator(f"{ROW}:visible").count()
    row.focus()
    page.keyboard.press("ArrowLeft")
    assert row.get_attribute("aria-expanded") == "false"
    assert page.locator(f"{ROW}:visible").count() < before
    page.keyboard.press("ArrowRight")
    assert page.locator(f"{ROW}:visible").count() == before


def test_hovering_lights_both_ways(opened, run):
    page = opened()
    layer = front_layer(run)
    dark = page.locator(".overlay path").count()
    page.locator(f"{FRONT} >> .name >> nth=0").hover()
    assert (dark, page.locator(".overlay path").count()) == (0, 2)
    page.mouse.move(0, 0)
    assert page.locator(".overlay path").count() == 0
    shape = page.locator(f".sheet #{list(layer.shapes())[-1].id}")
    shape.hover()
    assert page.locator("li.lit").evaluate("item => item.layer.contains(document.querySelector('.sheet path:hover'))")
    shape.click()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "treeitem"


def test_wipe_shows_the_picture_on_the_left(opened):
    page = opened()
    drawing = pixels(page)
    page.get_by_role("radio", name="Compare").check()
    slider = page.get_by_role("slider", name="How much of the picture")
    slider.focus()
    page.keyboard.press("End")
    assert is_green(pixels(page)[100:, :-20]).mean() > 0.95  # the handle is on the border
    slide(page, ".wipe", 25)
    seen = pixels(page)
    green = is_green(seen)
    quarter = round(seen.shape[1] / 4)
    assert green[100:, : quarter - 30].all()
    assert not green[:, quarter + 30 :].any()
    assert differs(seen[100:, quarter + 30 :], drawing[100:, quarter + 30 :]) == 0
    box = page.locator(".sheet").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert float(slider.input_value()) == pytest.approx(75, abs=3)


def test_outlines_have_no_fill(opened):
    page = opened()
    filled = pixels(page)
    page.get_by_role("radio", name="Outlines").check()
    lines = pixels(page)
    white = (lines == 255).all(axis=2).mean()
    assert 0.5 < white < 0.99
    assert differs(filled, lines) > 0.5


def test_play_goes_through_all_ranks(opened):
    page = opened()
    page.get_by_role("button", name="Play").click()
    page.locator("path.unseen").nth(5).wait_for(state="attached")
    page.wait_for_selector(".play[aria-pressed=false]")
    assert page.locator("path.unseen").count() == 0


def test_plot_sets_the_detail(opened):
    page = opened()
    plot = page.locator(".plot")
    assert plot.locator("circle").count() > 8
    box = plot.bounding_box()
    plot.click(position={"x": 50, "y": box["height"] / 2})
    assert page.locator("output").inner_text().startswith("1 of ")


def test_pictures_open_large_and_close(opened):
    page = opened()
    page.locator("button.enlarge").first.click()
    dialog = page.get_by_role("dialog")
    assert dialog.locator("img").evaluate("image => image.naturalWidth") == 121
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.locator("button.enlarge").last.click()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_names_never_run(opened):
    page = opened()
    assert page.title() == f"{HOSTILE} · layervec"
    assert page.locator(f"{FRONT} >> .name >> nth=0").inner_text() == HOSTILE
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200, 3840])
def test_nothing_sticks_out_and_text_is_readable(opened, width, scheme):
    page = opened(width, 1000, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground, text = page.evaluate(
        "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert contrast(ground, text) > 7  # WCAG 2.2, 1.4.6
    quiet = page.locator(".quiet").first.evaluate("element => getComputedStyle(element).color")
    assert contrast(ground, quiet) > 4.5  # WCAG 2.2, 1.4.3
    page.get_by_role("button", name="Light / dark").click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != ground


def test_every_control_has_a_name(opened):
    page = opened()
    assert nameless(page) == []
