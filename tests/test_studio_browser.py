"""The studio in a real browser, from the drop of a picture to the saved file.

Needs the dependency group `browser`, Debian's chromium and the extra `studio`; skipped without them.
LAYERVEC_SCREENSHOTS names a folder that keeps a screenshot of every page at the end of its test.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from browsers import SCREENSHOTS, chromium, contrast, differs, inside, marks, nameless, pixels, slide, sync_api

pytest.importorskip("fastapi", reason="needs the extra `studio`")

from studios import EXAMPLE, kill, squares, studio

from layervec import svg
from layervec.image import png_bytes
from layervec.score import score

pytestmark = marks
expect = sync_api.expect
HOSTILE = "<img src=x onerror=\"document.title='hurt'\">"
ROW = "[role=treeitem]"
DONE = '.sheet[data-draft="false"]'
WATCH = """() => {
    [window.bars, window.drawings] = [[], []];
    const bar = document.querySelector("progress");
    const sheet = document.querySelector(".sheet");
    const noteBar = () => bar.hasAttribute("value") && window.bars.push(bar.value);
    const noteDrawing = () => window.drawings.push(sheet.dataset.draft);
    new MutationObserver(noteBar).observe(bar, { attributeFilter: ["value"] });
    new MutationObserver(noteDrawing).observe(sheet, { attributeFilter: ["data-draft"] });
}"""  # notes where the bar has been, and each drawing on the sheet
PATIENCE = 60_000  # ms; machines that test are slow


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("works")) as running:
        yield running


@pytest.fixture
def opened(browser, run, request):
    """Return what opens the studio; at the end nothing may have complained, and no other host been asked."""
    complaints, asked, pages = [], [], []

    def open_at(work="", width=1280, height=800, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(run.url + (f"#{work}" if work else ""))
        page.wait_for_selector("[data-ready]")
        if work:
            page.wait_for_selector(DONE)
        pages.append(page)
        return page

    yield open_at
    for number, page in enumerate(pages):
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"{request.node.name}-{number}.png", full_page=True)
        page.context.close()
    allowed = getattr(request.node, "allowed_complaints", 0)
    assert len(complaints) <= allowed, complaints
    assert all(url.startswith((run.url, "data:")) for url in asked)


@pytest.fixture(scope="module")
def lighthouse(run):
    """A drawn work that tests look at; those that change it go back."""
    work = run.upload(EXAMPLE.read_bytes(), name="lighthouse.png")
    run.draw(work, paths=64)
    run.finished(work)
    return work


def work_of(page):
    return page.evaluate("location.hash").removeprefix("#")


def drop(page, data, name, kind="image/png"):
    """Drop a file onto the page as a hand would."""
    page.evaluate(
        """([text, name, kind]) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const held = new DataTransfer();
            held.items.add(new File([bytes], name, { type: kind }));
            for (const what of ["dragenter", "dragover", "drop"]) {
                const event = new DragEvent(what, { bubbles: true, cancelable: true, dataTransfer: held });
                document.querySelector(".drop").dispatchEvent(event);
            }
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )


def revised(page, act):
    """Do something and wait until the drawing that it makes is there."""
    before = page.locator(DONE).get_attribute("data-revision")
    act()
    page.wait_for_selector(f"{DONE}:not([data-revision='{before}'])")
    page.wait_for_selector('.studio[data-running=""]')


def select(page, id):
    """Select a layer as a click on its row does, or a shape as two clicks on it do."""
    page.locator(f".sheet #{id}").evaluate(
        "part => part.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))"
    )


def saved(page, kind, folder):
    with page.expect_download() as found:
        page.get_by_role("link", name=kind.upper(), exact=True).click()
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def paths_of(text):
    return {match[1]: match[0] for match in re.finditer(r'<path id="([^"]+)"[^>]*/>', text)}


def test_from_a_drop_to_a_saved_file(opened, run, tmp_path):
    page = opened()
    page.evaluate(WATCH)
    page.locator('input[name="paths"]').fill("64")
    drop(page, EXAMPLE.read_bytes(), "lighthouse.png")

    # Progress moves, and the drawing gets sharper in place.
    page.wait_for_selector(DONE)
    bars, drawings = page.evaluate("[window.bars, window.drawings]")
    assert bars == sorted(bars)
    assert len(set(bars)) > 5
    assert bars[-1] > 0.5
    assert drawings[:2] == ["true", "true"]
    assert drawings[-1] == "false"
    expect(page.get_by_role("progressbar")).to_be_hidden()
    assert page.locator(".levels img").count() == 5
    assert page.locator(".cuts img").count() == 3
    work = work_of(page)
    text = run.svg(work)

    # Its layers are listed.
    drawing = svg.read(text)
    names = page.locator(f"{ROW}[aria-level='1'] > .row .name").all_inner_texts()
    assert names == [layer.name for layer in reversed(drawing.root.children)]

    # One hidden changes pixels where it is, and there alone.
    layer = min(drawing.root.children[1:], key=lambda each: len(list(each.shapes())))
    row = page.locator(f"{ROW}[aria-level='1']").nth(len(names) - 1 - drawing.root.children.index(layer))
    before = pixels(page)
    row.locator(".eye").first.click()
    where = inside(page, f".sheet #{layer.id}", before)
    changed = np.abs(before - pixels(page)).max(axis=2) > 8
    assert changed[where].any()
    assert not changed[~where].any()
    row.locator(".eye").first.click()
    assert differs(before, pixels(page)) == 0

    # The detail slides.
    slide(page, ".detail input", 3)
    assert page.locator("path[data-rank]:not(.unseen)").count() == 3
    assert differs(before, pixels(page)) > 0.1
    slide(page, ".detail input", 64)

    # A shape gets another colour.
    shape = max(drawing.shapes(), key=lambda each: each.rank)
    select(page, shape.id)
    select(page, shape.id)
    expect(page.locator(".inspector h2")).to_contain_text("Shape of")
    revised(page, lambda: page.get_by_label("Colour", exact=True).fill("#00ff7f"))
    assert page.locator(f".sheet #{shape.id}").get_attribute("fill") == "#00ff7f"
    recoloured = run.svg(work)
    others = paths_of(text)
    del others[shape.id]
    assert others.items() <= paths_of(recoloured).items()

    # One layer is fitted anew with more shapes; all others stay byte for byte.
    big = max(svg.read(recoloured).root.children, key=lambda each: len(list(each.shapes())))
    page.locator(f"{ROW}[aria-level='1']").nth(
        len(names) - 1 - [c.id for c in drawing.root.children].index(big.id)
    ).locator(".name").first.click()
    ids = {each.id for each in big.shapes()}
    page.locator(".budget input").fill(str(len(ids) + 8))
    revised(page, lambda: page.get_by_role("button", name="Refit").click())
    refitted = run.svg(work)
    assert {key: line for key, line in paths_of(recoloured).items() if key not in ids}.items() <= paths_of(
        refitted
    ).items()
    assert len(svg.read(refitted).shapes()) > len(drawing.shapes())
    assert page.locator(".sheet > svg:not(.overlay) path").count() == len(svg.read(refitted).shapes())

    # Undo goes back, redo forward.
    revised(page, lambda: page.get_by_role("button", name="Undo: refit").click())
    assert run.svg(work) == recoloured
    revised(page, lambda: page.keyboard.press("Control+Shift+z"))
    assert run.svg(work) == refitted

    # What is saved is what is shown, and scores the same.
    path = saved(page, "svg", tmp_path)
    assert path.name == "lighthouse.svg"
    assert path.read_text() == refitted
    assert score(path, EXAMPLE).as_dict() == score(refitted, EXAMPLE).as_dict()
    assert saved(page, "png", tmp_path).read_bytes().startswith(b"\x89PNG")
    assert saved(page, "pdf", tmp_path).read_bytes().startswith(b"%PDF")


def test_a_saved_file_is_opened_again_and_goes_on(opened, run, lighthouse, tmp_path):
    page = opened(lighthouse)
    path = saved(page, "svg", tmp_path)
    page.locator(".home").click()
    page.locator(".drop input").set_input_files(path)
    page.wait_for_selector(DONE)
    page.wait_for_selector(".studio.has-picture")  # found by its hash
    assert work_of(page) != lighthouse
    name = page.locator(f"{ROW} .name").first.inner_text()
    page.locator(f"{ROW}").first.focus()
    page.keyboard.press("F2")
    page.keyboard.type("renamed")
    revised(page, lambda: page.keyboard.press("Enter"))
    assert page.locator(f"{ROW} .name").first.inner_text() == "renamed"
    assert svg.read(run.svg(work_of(page))).root.children[-1].name == "renamed"
    assert name != "renamed"


def test_selecting_goes_both_ways(opened, run, lighthouse):
    page = opened(lighthouse)
    box = page.locator(".sheet").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.6)
    assert page.locator(".overlay:not(.chosen) path").count() == 2
    lit = page.locator("li.lit").evaluate("item => item.layer.id")
    assert page.evaluate("document.querySelector('.sheet path:hover').closest('g').id") is not None
    page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.6)
    chosen = page.locator("li.chosen")
    assert chosen.count() == 1
    id = chosen.evaluate("item => item.layer.id")
    assert page.locator(f".sheet #{lit} #{id}, .sheet #{id}").count() >= 1
    assert page.locator(".overlay.chosen path").count() == 2
    assert page.get_by_label("Name", exact=True).input_value() == chosen.evaluate("item => item.layer.dataset.name")
    assert chosen.evaluate("item => document.activeElement === item")
    page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.6)  # deeper: the shape
    expect(page.locator(".inspector h2")).to_contain_text("Shape of")
    page.keyboard.press("Escape")
    expect(page.locator(".inspector h2")).to_have_text("Nothing selected")


def test_layers_are_merged_moved_split_and_deleted_by_keys(opened, run):
    work = run.drawn()
    page = opened(work)
    ids = [child.id for child in svg.read(run.svg(work)).root.children]
    rows = page.locator(f"{ROW}[aria-level='1']")
    rows.first.focus()
    page.keyboard.press("Alt+ArrowDown")
    page.wait_for_selector(f'{DONE}[data-revision="2"]')
    assert [child.id for child in svg.read(run.svg(work)).root.children] == [*ids[:-2], ids[-1], ids[-2]]
    expect(page.locator("li.chosen")).to_have_count(1)
    rows.nth(0).focus()
    page.keyboard.press("Home")
    for _ in range(20):
        if page.locator("li.chosen[aria-level='1']").count() > 1:
            break
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Control+g")
    page.wait_for_selector(f'{DONE}[data-revision="3"]')
    assert len(svg.read(run.svg(work)).root.children) == len(ids) - 1
    rows.first.focus()
    page.keyboard.press("Delete")
    page.wait_for_selector(f'{DONE}[data-revision="4"]')
    assert len(svg.read(run.svg(work)).root.children) == len(ids) - 2
    for revision in (3, 2, 1):
        page.keyboard.press("Control+z")
        page.wait_for_selector(f'{DONE}[data-revision="{revision}"]')
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_layers_are_dragged(opened, run):
    work = run.drawn()
    page = opened(work)
    ids = [child.id for child in svg.read(run.svg(work)).root.children]
    rows = page.locator(f"{ROW}[aria-level='1'] > .row")
    height = rows.last.bounding_box()["height"]
    revised(page, lambda: rows.first.drag_to(rows.last, target_position={"x": 60, "y": height - 3}))
    assert [child.id for child in svg.read(run.svg(work)).root.children] == [ids[-1], *ids[:-1]]
    revised(page, lambda: rows.first.drag_to(rows.last, target_position={"x": 60, "y": height / 2}))
    children = svg.read(run.svg(work)).root.children
    assert [child.id for child in children] == [ids[-1], *ids[:-2]]
    assert children[0].children[-1].id == ids[-2]


def test_a_work_that_is_not_there_is_told_of(opened, request):
    request.node.allowed_complaints = 1  # the browser itself notes the answer that says no
    page = opened()
    page.evaluate("location.hash = '0123456789abcdef'")
    expect(page.get_by_role("alert")).to_contain_text("no such work")
    assert page.get_by_text("Drop a picture here").is_visible()


def test_a_picture_named_at_the_start_is_drawn(browser, tmp_path):
    (tmp_path / "squares.png").write_bytes(squares())
    with studio(tmp_path / "works", str(tmp_path / "squares.png")) as running:
        page = browser.new_page()
        page.goto(running.address)
        page.wait_for_selector(DONE)
        page.close()


def test_a_restart_is_told_of(browser, tmp_path):
    with studio(tmp_path) as running:
        page = browser.new_page()
        page.goto(f"{running.url}#{running.drawn()}")
        page.wait_for_selector(DONE)
        running.close()
        page.locator(".inspector").wait_for()
        page.locator(f"{ROW}").first.focus()
        page.keyboard.press("Delete")
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        page.close()


def test_detail_is_painted(opened, run, lighthouse):
    page = opened(lighthouse)
    before = run.svg(lighthouse)
    page.keyboard.press("b")
    canvas = page.locator("canvas.mask").bounding_box()
    page.mouse.move(canvas["x"] + canvas["width"] * 0.4, canvas["y"] + canvas["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(canvas["x"] + canvas["width"] * 0.6, canvas["y"] + canvas["height"] * 0.4, steps=4)
    page.mouse.up()
    revised(page, lambda: page.get_by_role("button", name="Add there").click())
    after = run.svg(lighthouse)
    assert paths_of(before).items() <= paths_of(after).items()
    assert len(paths_of(after)) > len(paths_of(before))
    expect(page.get_by_role("button", name="Add there")).to_be_hidden()
    revised(page, lambda: page.keyboard.press("Control+z"))
    assert run.svg(lighthouse) == before


def test_compare_and_zoom(opened, lighthouse):
    page = opened(lighthouse)
    plain = pixels(page)
    page.get_by_role("radio", name="Compare").check()
    page.locator(".before img").evaluate("image => image.decode()")
    slide(page, ".wipe", 100)
    assert differs(plain, pixels(page)) > 0.02
    page.get_by_role("radio", name="Drawing").check()
    width = page.locator(".sheet").bounding_box()["width"]
    page.get_by_role("button", name="Larger").click()
    assert page.locator(".sheet").bounding_box()["width"] == pytest.approx(1.5 * width, rel=0.01)
    page.get_by_role("button", name="150 %, fit into the window").click()
    assert page.locator(".sheet").bounding_box()["width"] == pytest.approx(width, rel=0.01)


def test_cancel_and_draw_again(opened, run):
    page = opened()
    page.get_by_role("radio", name="Best").check()
    drop(page, EXAMPLE.read_bytes(), "lighthouse.png")
    page.wait_for_selector('.sheet[data-draft="true"]')
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector('.studio[data-running=""]')
    assert run.state(work_of(page))["revision"] == 0
    page.get_by_role("radio", name="Draft").check()
    page.get_by_role("button", name="Draw", exact=True).click()
    page.wait_for_selector(DONE)


def test_a_page_that_comes_back_sees_the_run_go_on(opened, run):
    page = opened()
    drop(page, EXAMPLE.read_bytes(), "lighthouse.png")
    page.wait_for_selector('.sheet[data-draft="true"]')
    work = work_of(page)
    page.reload()
    page.wait_for_selector(DONE)
    assert run.state(work)["revision"] == 1


def test_a_killed_process_is_told_of(opened, run):
    if not run.workers():
        pytest.skip("needs /proc")
    page = opened()
    page.get_by_role("radio", name="Best").check()
    drop(page, EXAMPLE.read_bytes(), "lighthouse.png")
    page.wait_for_selector('.sheet[data-draft="true"]')
    for pid in run.workers():
        kill(pid)
    expect(page.get_by_role("alert")).to_contain_text("ended unexpectedly")
    page.get_by_role("radio", name="Draft").check()
    page.get_by_role("button", name="Draw", exact=True).click()
    page.wait_for_selector(DONE)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_hostile_names_never_run(opened, run):
    work = run.upload(squares(), name=f"{HOSTILE}.png")
    run.draw(work)
    run.finished(work)
    layer = svg.read(run.svg(work)).root.children[-1]
    run.edit(work, do="rename", id=layer.id, name=HOSTILE)
    page = opened(work)
    assert page.locator(f"{ROW} .name").first.inner_text() == HOSTILE
    page.locator(f"{ROW} .name").first.click()
    assert page.get_by_label("Name", exact=True).input_value() == HOSTILE
    title = page.locator("h1").inner_text()
    assert "<img src=x onerror=" in title or "hurt" in title  # shown, as text
    page.locator(".home").click()
    page.wait_for_selector(".works li")
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "layervec studio"


def test_what_cannot_be_opened_is_told_of(opened, request):
    request.node.allowed_complaints = 3  # the browser itself notes each answer that says no
    page = opened()
    alert = page.get_by_role("alert")
    drop(page, b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "evil.svg", "image/svg+xml")
    expect(alert).to_contain_text("evil is not a layervec SVG")
    drop(page, b"no picture", f"{HOSTILE}.png")
    expect(alert).to_contain_text("is not an intact PNG")
    drop(page, b"%PDF", "paper.pdf", "application/pdf")
    expect(alert).to_contain_text("neither a picture of a known kind")
    assert page.locator("img[src=x]").count() == 0
    page.evaluate(
        """() => {
            const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(65 * 2 ** 20)], "big.png", { type: "image/png" }));
            const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: held });
            document.querySelector(".drop").dispatchEvent(event);
        }"""
    )
    expect(alert).to_contain_text("larger than 64 MiB")


def test_pasting_draws(opened):
    page = opened()
    page.locator('input[name="paths"]').fill("16")
    page.evaluate(
        """(text) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const held = new DataTransfer();
            held.items.add(new File([bytes], "image.png", { type: "image/png" }));
            const how = { clipboardData: held, bubbles: true, cancelable: true };
            document.dispatchEvent(new ClipboardEvent("paste", how));
        }""",
        base64.b64encode(squares()).decode(),
    )
    page.wait_for_selector(DONE)


def test_transparent_pictures_are_drawn(opened):
    pixels_ = np.zeros((48, 48, 4))
    pixels_[8:40, 8:40] = (0.8, 0.2, 0.1, 1)
    page = opened()
    drop(page, png_bytes(pixels_), "square.png")
    page.wait_for_selector(DONE)
    assert page.locator(".sheet path[data-rank]").count() >= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 3840])
def test_nothing_sticks_out_and_text_is_readable(opened, lighthouse, width, scheme):
    for work in (lighthouse, ""):
        page = opened(work, width, 900, scheme)
        page.wait_for_selector(".works li" if not work else DONE)
        if work:
            page.locator(f"{ROW} .name").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        outside = page.evaluate(
            """(width) => [...document.querySelectorAll("button, input:not(.spoken), a, label")].filter((each) => {
                const box = each.getBoundingClientRect();
                return box.width && (box.left < -1 || box.right > width + 1);
            }).map((each) => each.outerHTML.slice(0, 200))""",
            width,
        )
        assert outside == []
        ground, text = page.evaluate(
            "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert contrast(ground, text) > 7  # WCAG 2.2, 1.4.6
        assert nameless(page) == []
        main = page.locator("button.main, label.main").locator("visible=true").first
        colours = main.evaluate("part => [getComputedStyle(part).backgroundColor, getComputedStyle(part).color]")
        assert contrast(*colours) > 4.5  # WCAG 2.2, 1.4.3


def test_works_are_listed_and_deleted(opened, run):
    work = run.drawn()
    page = opened()
    link = page.locator(f'.works a[href="#{work}"]')
    expect(link).to_be_visible()
    remove = page.locator(f'.works li:has(a[href="#{work}"]) .remove')
    remove.click()
    expect(link).to_be_visible()  # asked once more
    remove.click()
    expect(link).to_have_count(0)
    assert not (run.folder / work).exists()
