"""The studio by HTTP: what it lets in, what it does, and what it keeps, whatever happens to it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra `studio`")
pytest.importorskip("uvicorn", reason="needs the extra `studio`")
pytest.importorskip("httpx", reason="needs httpx")

from studios import EXAMPLE, QUICK, STAGES, kill, squares, studio

from layervec import ours, svg
from layervec.score import render_svg, score

HOSTILE = "<img src=x onerror=\"document.title='hurt'\">"
SLOW = {"quality": "best", "paths": 256}


def raw(run, path, method="GET", **headers):
    """Send a request with exactly this path and return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", run.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in {"Content-Length": "0", **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def files(run):
    return sorted(str(path) for path in run.folder.rglob("*"))


# The page


def test_page_and_its_modules_are_served(run):
    page = run.client.get("")
    assert page.headers["content-type"].startswith("text/html")
    found = re.findall(r'(?:src|href)="((?:page|viewer)/[^"]+)"', page.text)
    assert "page/studio.js" in found
    while found:
        path = found.pop()
        answer = run.client.get(path)
        assert answer.status_code == 200, path
        if path.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")
            found += [urljoin(path, name) for name in re.findall(r'from "([^"]+)"', answer.text)]


def test_answers_forbid_what_pages_could_do_to_them(run, work):
    for path in ("", "works", f"works/{work}/drawing.svg", "page/studio.js", "nowhere"):
        headers = run.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


# What is let in


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/works", "//", "/%00/", "/%c3%a9/"])
def test_wrong_token_opens_nothing(run, path):
    status, body = raw(run, path)
    assert status == 403
    assert b"Open the address" in body


def test_a_part_of_the_token_opens_nothing(run):
    token = run.url.rstrip("/").rpartition("/")[2]
    assert len(token) >= 32
    for wrong in (token[:-1], token + "x", token.swapcase()):
        assert raw(run, f"/{wrong}/works")[0] == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "0.0.0.0:{port}"]
)
def test_foreign_host_is_refused(run, host):
    path = "/" + run.url.split("/", 3)[3]
    assert raw(run, path, Host=f"127.0.0.1:{run.port}")[0] == 200
    assert raw(run, path, Host=host.format(port=run.port))[0] in (400, 403)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_origin_is_refused(run, origin, method):
    before = files(run)
    answer = run.client.request(method, "works", headers={"Origin": origin, "Content-Type": "image/png"})
    assert answer.status_code == 403
    assert files(run) == before


def test_a_change_without_an_origin_is_refused(run):
    path = "/" + run.url.split("/", 3)[3] + "works"
    assert raw(run, path, "POST", Content_Type="image/png")[0] == 403
    assert raw(run, path, "DELETE")[0] == 403


def test_requests_that_another_site_makes_are_refused(run):
    assert run.client.get("works", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert run.client.get("works", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert run.client.get("works", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert run.client.get("", headers=link).status_code == 200  # followed from anywhere, if it holds the token
    assert run.client.post("works", headers=link).status_code == 403
    assert run.client.get("", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403


def test_it_listens_on_this_machine_alone(run):
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("needs /proc")
    ports = [line.split()[1] for line in listening.read_text().splitlines()[1:]]
    assert [
        place for place in ports if int(place.split(":")[1], 16) == run.port and not place.startswith("0100007F")
    ] == []
    six = Path("/proc/net/tcp6")
    if six.exists():
        listens = [line.split() for line in six.read_text().splitlines()[1:]]
        assert all(int(words[1].split(":")[1], 16) != run.port or words[3] != "0A" for words in listens)


ROUTES = [
    *("page/{}", "viewer/{}", "works/{}/events", "works/{}/picture", "works/{}/thumbnail"),
    *("works/{}/drawing.svg", "works/{}/drawing.png", "works/{}/drawing.pdf"),
]
CHANGES = ["works/{}/draw", "works/{}/cancel", "works/{}/edit", "works/{}/refit", "works/{}/undo", "works/{}/picture"]


@pytest.mark.parametrize(
    "step", ["..", "../..", "..%2f..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..", "%00", "/etc/passwd"]
)
def test_no_path_leaves_the_folder(run, work, step):
    before = files(run)
    start = "/" + run.url.split("/", 3)[3]
    for route in ROUTES:
        status, body = raw(run, start + route.format(step))
        assert status in (400, 403, 404, 405), (route, status)
        assert b"root:" not in body
    for route in CHANGES:
        status, _ = raw(run, start + route.format(step), "POST", Origin=run.origin, Content_Type="image/png")
        assert status in (400, 403, 404, 405, 415, 422), (route, status)
    for route in ("works/{}", "works/{}/"):
        assert raw(run, start + route.format(step), "DELETE", Origin=run.origin)[0] in (400, 403, 404, 405)
    for tail in (f"works/{work}/drawing.{step}", f"works/{work}/{step}"):
        assert raw(run, start + tail)[0] in (400, 403, 404, 405, 422)
    assert files(run) == before


# Uploads


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *extra):
    """A PNG that says it has this size and holds a few rows of it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(4 * (1 + 3 * min(width, 1000))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def refused(run, data, status, *words, name="picture.png", kind="image/png"):
    before = files(run)
    answer = run.post_file(data, name, kind)
    assert answer.status_code == status, answer.text
    message = answer.json()["message"]
    assert message.endswith(".")
    for word in words:
        assert word in message
    assert str(run.folder) not in message
    assert files(run) == before
    return message


@pytest.mark.parametrize("told", [True, False], ids=["length told", "in chunks"])
def test_200_mb_are_refused_and_leave_nothing(run, told):
    data = bytes(200 << 20)
    refused(
        run, data if told else iter([data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)]), 413, "64 MiB"
    )
    assert run.client.get("works").status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/html", "application/pdf", "image/x-unknown", "", "multipart/form-data; boundary=x"]
)
def test_wrong_content_type_is_refused(run, kind):
    refused(run, squares(), 415, kind=kind)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<html><script>alert(1)</script>", squares()[:40], bytes(1000)])
def test_what_is_no_picture_is_refused(run, data):
    refused(run, data, 422, "is not an intact PNG")


def test_what_could_not_be_done_is_told_with_the_drawing(run):
    from layervec.image import png_bytes

    grain = np.random.default_rng(3).random((32, 48, 3), np.float32)
    work = run.upload(png_bytes(grain), name="grain.png")
    run.draw(work, drop_background=True)
    state = run.finished(work)
    assert state["revision"] == 1
    assert state["message"] == "grain has no plain background all round, so nothing was dropped."


def test_a_picture_cut_off_is_told_of_when_it_is_drawn(run):
    work = run.upload(squares()[:-60], name="half.png")
    run.draw(work)
    state = run.finished(work)
    assert state["message"].startswith("half cannot be decoded")
    assert state["revision"] == 0


def test_bombs_are_refused_before_they_are_decoded(run):
    start = time.monotonic()
    refused(run, png(60_000, 60_000), 422, "too large")
    refused(run, png(9000, 9000), 422, "too large", "9000 x 9000")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 << 20), 9))
    refused(run, png(8, 8, text), 422)
    assert time.monotonic() - start < 30


SCRIPTS = [
    '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)" width="1" height="1" viewBox="0 0 1 1"/>',
    '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>',
    "<html><script>alert(1)</script></html>",
    "not an svg",
    "",
]


@pytest.mark.parametrize("text", SCRIPTS)
def test_an_svg_with_a_script_is_refused(run, text):
    refused(run, text.encode(), 422, name="drawing.svg", kind="image/svg+xml")
    refused(run, text.encode(), 422, name="drawing.png", kind="image/png")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</svg>", "<script>alert(1)</script></svg>"),
        ("<path ", '<path onclick="alert(1)" '),
        ("<svg ", '<svg onload="alert(1)" '),
        ("</svg>", '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"/></foreignObject></svg>'),
        ("</svg>", '<a href="javascript:alert(1)"/></svg>'),
        ("</svg>", '<image href="http://evil.example/x.png"/></svg>'),
        ('fill="#', 'fill="url(http://evil.example/#'),
        ("</svg>", "<style>@import 'http://evil.example/x.css'</style></svg>"),
    ],
)
def test_a_drawing_of_ours_with_something_added_is_refused(run, work, old, new):
    text = run.svg(work)
    assert old in text
    refused(run, text.replace(old, new, 1).encode(), 422, name="drawing.svg", kind="image/svg+xml")


def test_hostile_names_stay_text(run):
    name = "../../" + HOSTILE + "\r\nX-Evil: 1.png"
    work = run.upload(squares(), name=name)
    listed = next(each for each in run.client.get("works").json() if each["id"] == work)
    assert "/" not in listed["name"].replace("</", "")
    assert "\r" not in listed["name"]
    run.draw(work)
    run.finished(work)
    layer = svg.read(run.svg(work)).root.children[-1]
    assert run.edit(work, do="rename", id=layer.id, name=HOSTILE).status_code == 204
    text = run.svg(work)
    assert "<img" not in text
    assert svg.read(text).root.children[-1].name == HOSTILE
    kept = run.client.get(f"works/{work}/drawing.svg").headers
    assert "X-Evil" not in kept
    assert kept["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert "<" not in kept["content-disposition"]
    again = run.upload(text, name="again.svg", kind="image/svg+xml")
    assert run.svg(again) == text


@pytest.mark.parametrize(
    "wish",
    [
        {"palette": "/etc/passwd"},
        {"palette": "pyproject.toml"},
        {"levels": "/etc"},
        {"masks": "/etc"},
        {"segmenter_model": "/etc"},
        {"objects": True},
        {"preset": "paper"},
        {"paths": 0},
        {"paths": 1e9},
        {"quality": "x"},
        {"colors": 8, "palette": "#fff, #000"},
        {"colors": 8, "gradients": "on"},
    ],
)
def test_settings_name_no_files_and_no_nonsense(run, wish):
    work = run.upload(squares())
    answer = run.client.post(f"works/{work}/draw", json=wish)
    assert answer.status_code == 422
    assert answer.json()["message"].endswith(".")
    assert "root:" not in answer.text
    assert run.state(work)["running"] is None


def test_bodies_that_are_no_uploads_are_small(run, work):
    answer = run.client.post(
        f"works/{work}/draw", content=b" " * (2 << 20), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    nested = b"[" * 100_000  # deeper than a parser may go
    answer = run.client.post(f"works/{work}/edit", content=nested, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["message"]


def test_models_are_those_that_the_studio_was_started_with():
    from layervec.settings import Settings
    from layervec.studio.wishes import Draw

    base = Settings(segmenter_model="here", simplifier_model="there", offline=True)
    plain = Draw().settings(base, ())
    assert (plain.segmenter, plain.simplifier) == ("none", "classic")
    found = Draw(objects=True, paths=32).settings(base, {"sam"})
    assert (found.segmenter, found.segmenter_model, found.simplifier, found.paths) == ("sam", "here", "classic", 32)
    paper = Draw(preset="paper").settings(base, {"sam"})
    assert (paper.segmenter, paper.simplifier) == ("sam", "classic")
    paper = Draw(preset="paper").settings(base, {"sam", "sds"})
    assert (paper.simplifier, paper.simplifier_model, paper.offline) == ("sds", "there", True)


@pytest.fixture
def model(tmp_path):
    """The folder of a tiny model that finds objects."""
    pytest.importorskip("onnx", reason="needs onnx, which makes a tiny model")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    from test_sam_onnx import save_decoder, save_encoder

    folder = tmp_path / "model"
    folder.mkdir()
    save_encoder(folder / "encoder.onnx")
    save_decoder(folder / "decoder.onnx")
    return folder


def test_objects_are_found_after_a_draft(tmp_path, model):
    with studio(tmp_path / "works", "--segmenter-model", str(model)) as running:
        assert running.client.get("about").json()["offered"] == ["sam"]
        work = running.upload(squares())
        running.draw(work, objects=True)
        doing = []
        for kind, value in running.events(work):
            if kind == "state":
                if value["running"] is None:
                    break
                doing.append(value["running"].get("doing"))
        assert value["message"] == ""
        assert "finding objects" in doing
        assert doing.index("simplifying") < doing.index("finding objects")
        assert "data-object" in running.svg(work)


# Jobs


def test_a_run_tells_of_stages_levels_cuts_and_drawings(run):
    work = run.upload(EXAMPLE.read_bytes(), name="lighthouse.png")
    run.draw(work, quality="standard", paths=64)
    seen, doing, done, psnr = {}, [], [], []
    for kind, value in run.events(work):
        seen.setdefault(kind, []).append(value)
        if kind == "state":
            if value["running"] is None:
                break
            if "doing" in value["running"]:
                doing.append(value["running"]["doing"])
                done.append(value["running"]["done"])
                psnr.append(value["running"].get("psnr"))
    assert {"simplifying", "finding regions", "drawing shapes", "fitting shapes"} <= set(doing)
    assert done == sorted(done)
    assert done[-1] > 0.9
    assert max(each for each in psnr if each) > 25
    assert len(seen["levels"][-1]["pictures"]) == 5
    assert len(seen["cuts"][-1]["pictures"]) == 3
    drafts = [value for value in seen["drawing"] if value["draft"]]
    assert len(drafts) >= 3
    assert all("<script" not in value["svg"] for value in drafts)
    assert seen["drawing"][-1]["draft"] is False
    figures = score(run.svg(work), EXAMPLE)
    assert figures.psnr > 25
    assert figures.shapes <= 64


def test_a_drawing_is_the_same_as_on_the_command_line(run, work, tmp_path):
    from layervec.cli import main

    (tmp_path / "squares.png").write_bytes(squares())
    assert main(["vectorize", str(tmp_path / "squares.png"), "--quality", "draft", "--paths", "16", "--quiet"]) == 0
    drawn = run.svg(work)
    assert (tmp_path / "squares.svg").read_text() == drawn
    assert ours.objection(drawn.encode()) == ""


@pytest.mark.parametrize("stage", ["waiting", *STAGES[:-1]])
def test_cancel_in_every_stage(run, stage):
    work = run.upload(EXAMPLE.read_bytes())
    others = []
    if stage == "waiting":
        others = [run.upload(EXAMPLE.read_bytes()) for _ in run.workers()]
        for other in others:
            run.draw(other, **SLOW)
    run.draw(work, **SLOW)
    if stage != "waiting":
        run.reached(work, stage)
    else:
        assert run.until(work, lambda state: "place" in (state["running"] or {}))["running"]["place"] >= 1
    start = time.monotonic()
    for each in [work, *others]:
        assert run.client.post(f"works/{each}/cancel").status_code == 202
    state = run.finished(work)
    assert time.monotonic() - start < 20
    assert state["revision"] == 0
    assert state["message"] == ""
    for other in others:
        run.finished(other)
    run.draw(work)
    assert run.finished(work)["revision"] == 1


@pytest.mark.parametrize("stage", ["segment", "write"])
def test_cancel_in_a_stage_that_is_soon_over(tmp_path, model, stage):
    """It may come too late; then the drawing is there. Nothing else may be."""
    with studio(tmp_path / "works", "--segmenter-model", str(model)) as running:
        work = running.upload(squares())
        running.draw(work, objects=True)
        running.until(work, lambda state: (state["running"] or {"stage": stage}).get("stage") == stage)
        assert running.client.post(f"works/{work}/cancel").status_code == 202
        state = running.finished(work)
        assert state["message"] == ""
        assert state["revision"] in (0, 1)
        running.draw(work)
        assert running.finished(work)["revision"] == state["revision"] + 1


def test_cancel_without_a_job_is_no_error(run, work):
    assert run.client.post(f"works/{work}/cancel").status_code == 202
    assert run.state(work)["revision"] == 1


def test_a_killed_process_gives_a_message_and_the_queue_goes_on(run):
    if not run.workers():
        pytest.skip("needs /proc")
    works = [run.upload(EXAMPLE.read_bytes()) for _ in range(4)]
    for work in works:
        run.draw(work, **SLOW)
    run.reached(works[0], "refine")
    for pid in run.workers():
        kill(pid)
    states = [run.finished(work) for work in works[:2]]
    assert any("ended unexpectedly (signal 9)" in state["message"] for state in states), states
    for work in works[2:]:
        run.until(work, lambda state: "doing" in (state["running"] or {}) or state["running"] is None)
        run.client.post(f"works/{work}/cancel")
        run.finished(work)
    run.draw(works[0])
    assert run.finished(works[0])["revision"] == 1


def test_a_browser_closed_in_mid_run_loses_nothing(run):
    work = run.upload(EXAMPLE.read_bytes())
    run.draw(work, quality="standard")
    run.reached(work, "tree")  # which then hangs up
    assert run.finished(work)["revision"] == 1


def test_fifty_requests_at_once(run):
    data = squares()

    def all_of_it(number):
        answer = run.post_file(data, f"{number}.png")
        if answer.status_code != 201:
            return answer
        return run.client.post(f"works/{answer.json()['id']}/draw", json=QUICK)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(all_of_it, range(50)))
    assert {answer.status_code for answer in answers} <= {202, 422}
    accepted = sum(answer.status_code == 202 for answer in answers)
    assert accepted >= 24
    assert all("waiting already" in answer.json()["message"] for answer in answers if answer.status_code == 422)
    works = [each["id"] for each in run.client.get("works").json()[:50]]
    drawn = sum(run.finished(work)["revision"] for work in works)
    assert drawn == accepted


def test_one_job_a_work(run):
    work = run.upload(EXAMPLE.read_bytes())
    run.draw(work, **SLOW)
    answer = run.client.post(f"works/{work}/draw", json=QUICK)
    assert answer.status_code == 409
    run.client.post(f"works/{work}/cancel")
    run.finished(work)


# Editing


def test_edits_undo_and_redo(run):
    work = run.drawn()
    first = run.svg(work)
    layer = svg.read(first).root.children[-1]
    shape = next(layer.shapes())
    assert run.edit(work, do="rename", id=layer.id, name="sail & mast").status_code == 204
    second = run.svg(work)
    assert svg.read(second).root.children[-1].name == "sail & mast"
    assert run.edit(work, do="recolour", id=shape.id, colour="#12ab34").status_code == 204
    third = run.svg(work)
    assert f'<path id="{shape.id}" data-rank="{shape.rank}" fill="#12ab34"' in third
    state = run.state(work)
    assert (state["undo"], state["redo"], state["revision"]) == ("recolour", None, 3)
    for expected in (second, first):
        assert run.client.post(f"works/{work}/undo").status_code == 204
        assert run.svg(work) == expected
    assert run.client.post(f"works/{work}/undo").status_code == 422
    for expected in (second, third):
        assert run.client.post(f"works/{work}/redo").status_code == 204
        assert run.svg(work) == expected
    run.client.post(f"works/{work}/undo")
    assert run.edit(work, do="delete", ids=[layer.id]).status_code == 204
    assert run.client.post(f"works/{work}/redo").status_code == 422
    assert layer.id not in [each.id for each in svg.read(run.svg(work)).root.layers()]


def test_order_merge_and_split(run):
    work = run.drawn()
    before = svg.read(run.svg(work))
    ids = [child.id for child in before.root.children]
    assert len(ids) >= 2
    assert run.edit(work, do="move", id=ids[-1], parent="", index=0).status_code == 204
    assert svg.read(run.svg(work)).root.children[0].id == ids[-1]
    assert run.edit(work, do="merge", ids=ids[:2], name="both").status_code == 204
    merged = next(child for child in svg.read(run.svg(work)).root.children if child.name == "both")
    assert run.edit(work, do="split", id=merged.id).status_code == 204
    assert merged.id not in [each.id for each in svg.read(run.svg(work)).root.layers()]


def test_an_edit_of_another_revision_is_refused(run):
    work = run.drawn()
    layer = svg.read(run.svg(work)).root.children[-1]
    assert run.edit(work, do="rename", id=layer.id, name="a").status_code == 204
    answer = run.edit(work, base=1, do="rename", id=layer.id, name="b")
    assert answer.status_code == 409
    assert "changed meanwhile" in answer.json()["message"]
    assert svg.read(run.svg(work)).root.children[-1].name == "a"


def lines_of(text, ids):
    """Return the lines of a text that are paths with other ids than these, which a refit must leave alone."""
    found = (re.match(r' *<path id="([^"]+)"', line) for line in text.splitlines())
    return {match[1]: match.string for match in found if match and match[1] not in ids}


@pytest.fixture(scope="module")
def lighthouse(run):
    """A work with a picture that has something to fit."""
    work = run.upload(EXAMPLE.read_bytes(), name="lighthouse.png")
    run.draw(work, paths=48)
    assert run.finished(work)["revision"] == 1
    return work


def test_refit_changes_one_layer_alone(run, lighthouse):
    before = run.svg(lighthouse)
    layer = max(svg.read(before).root.children, key=lambda child: len(list(child.shapes())))
    inside = {shape.id for shape in layer.shapes()}
    base = run.state(lighthouse)["revision"]
    wish = {"ids": [layer.id], "paths": len(inside) + 12, "base": base}
    assert run.client.post(f"works/{lighthouse}/refit", json=wish).status_code == 202
    state = run.finished(lighthouse)
    assert (state["message"], state["undo"]) == ("", "refit")
    after = run.svg(lighthouse)
    others = lines_of(before, inside)
    assert others.items() <= lines_of(after, set()).items()
    shapes = [shape for each in svg.read(after).root.layers() if each.id == layer.id for shape in each.shapes()]
    assert len(inside) < len(shapes) <= len(inside) + 12
    assert score(after, EXAMPLE).psnr > score(before, EXAMPLE).psnr
    run.client.post(f"works/{lighthouse}/undo")
    assert run.svg(lighthouse) == before


def test_detail_is_added_where_it_was_painted(run, lighthouse):
    before = run.svg(lighthouse)
    mask = np.zeros((320, 240, 4))
    mask[80:200, 60:150] = 1
    base = run.state(lighthouse)["revision"]
    where = f"works/{lighthouse}/detail?base={base}&paths=10"
    kind = {"Content-Type": "image/png"}
    from layervec.image import png_bytes

    assert run.client.post(where, content=png_bytes(mask), headers=kind).status_code == 202
    state = run.finished(lighthouse)
    assert (state["message"], state["undo"]) == ("", "detail")
    after = run.svg(lighthouse)
    assert 0 < len(svg.read(after).shapes()) - len(svg.read(before).shapes()) <= 10
    assert lines_of(before, set()).items() <= lines_of(after, set()).items()
    changed = np.abs(render_svg(before, 240, 320) - render_svg(after, 240, 320)).max(axis=2) > 0.02
    assert changed[80:200, 60:150].any()
    far = np.ones_like(changed)
    far[60:220, 40:170] = False
    assert not changed[far].any()
    assert not [path for path in (run.folder / lighthouse).iterdir() if path.name.startswith("upload")]
    run.client.post(f"works/{lighthouse}/undo")
    # What cannot be done is told of, and changes nothing.
    base = run.state(lighthouse)["revision"]
    answer = run.client.post(
        f"works/{lighthouse}/detail?base={base}&paths=4", content=png_bytes(mask * 0), headers=kind
    )
    assert answer.status_code == 202
    assert "empty" in run.finished(lighthouse)["message"]
    assert (
        run.client.post(f"works/{lighthouse}/detail?base={base}&paths=4", content=b"x", headers=kind).status_code == 422
    )
    assert run.svg(lighthouse) == before


def test_refit_is_cancelled_and_changes_nothing(run, lighthouse):
    before, base = run.svg(lighthouse), run.state(lighthouse)["revision"]
    ids = [child.id for child in svg.read(before).root.children]
    wish = {"ids": ids, "paths": 1000, "base": base}
    assert run.client.post(f"works/{lighthouse}/refit", json=wish).status_code == 202
    run.until(lighthouse, lambda state: "doing" in (state["running"] or {}))
    run.client.post(f"works/{lighthouse}/cancel")
    state = run.finished(lighthouse)
    assert (state["message"], state["revision"]) == ("", base)
    assert run.svg(lighthouse) == before


def test_refit_of_nobody_is_told_of(run, lighthouse):
    base = run.state(lighthouse)["revision"]
    wish = {"ids": ["nobody"], "paths": 4, "base": base}
    assert run.client.post(f"works/{lighthouse}/refit", json=wish).status_code == 202
    state = run.finished(lighthouse)
    assert "nobody" in state["message"]
    assert state["revision"] == base


@pytest.mark.parametrize(
    "wish",
    [
        {"do": "rename", "id": "nobody", "name": "x"},
        {"do": "rename", "id": "../x", "name": "x"},
        {"do": "rename", "id": "l1", "name": ""},
        {"do": "rename", "id": "l1", "name": "x" * 201},
        {"do": "recolour", "id": "l1", "colour": "red;x:url(//evil)"},
        {"do": "delete", "ids": []},
        {"do": "delete", "ids": ["nobody"]},
        {"do": "burn"},
        {},
    ],
)
def test_wishes_that_cannot_be_granted_change_nothing(run, work, wish):
    before = run.svg(work)
    answer = run.edit(work, **wish)
    assert answer.status_code == 422
    assert answer.json()["message"]
    assert run.svg(work) == before


# Files


def test_saved_files_show_the_drawing(run, work):
    pdfium = pytest.importorskip("pypdfium2", reason="needs pypdfium2")
    text = run.svg(work)
    shown = render_svg(text, 64, 64)
    answer = run.client.get(f"works/{work}/drawing.png")
    assert answer.headers["content-type"] == "image/png"
    from layervec.image import open_picture

    pixels = open_picture(answer.content).raster.pixels
    assert np.abs(pixels[..., :3] - shown).max() < 0.01
    answer = run.client.get(f"works/{work}/drawing.pdf")
    document = pdfium.PdfDocument(answer.content)
    try:
        assert document[0].get_size() == (64, 64)
        drawn = document[0].render(scale=1).to_numpy()[..., ::-1] / 255
    finally:
        document.close()
    assert np.abs(drawn - shown).mean() < 0.01
    assert run.client.get(f"works/{work}/drawing.exe").status_code in (404, 422)


def test_pdf_has_gradients_holes_and_opacity():
    pdfium = pytest.importorskip("pypdfium2", reason="needs pypdfium2")
    pytest.importorskip("reportlab", reason="needs the extra `studio`")
    from layervec.studio.export import pdf

    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" viewBox="0 0 60 40"><defs>'
        '<linearGradient id="g1" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="60" y2="10">'
        '<stop offset="0" stop-color="#ff0000"/><stop offset=".5" stop-color="#00ff00"/>'
        '<stop offset="1" stop-color="#0000ff"/></linearGradient>'
        '<radialGradient id="g2" gradientUnits="userSpaceOnUse" cx="40" cy="20" r="12">'
        '<stop offset="0" stop-color="#ffffff"/><stop offset="1" stop-color="#000000"/></radialGradient></defs>'
        '<path id="a" data-rank="1" fill="url(#g1)" d="M0 0L60 0L60 40L0 40Z"/>'
        '<path id="b" data-rank="2" fill="#ffee00" fill-rule="evenodd"'
        ' d="M4 4L24 4L24 36L4 36ZM10 10L18 10L18 30L10 30Z"/>'
        '<path id="c" data-rank="3" fill="url(#g2)"'
        ' d="M40 8C47 8 52 13 52 20C52 27 47 32 40 32C33 32 28 27 28 20C28 13 33 8 40 8Z"/>'
        '<path id="d" data-rank="4" fill="#000000" fill-opacity=".5" d="M0 34L60 34L60 40L0 40Z"/></svg>'
    )
    drawing = svg.read(text)
    data = pdf(drawing)
    assert data == pdf(drawing)
    document = pdfium.PdfDocument(data)
    try:
        drawn = document[0].render(scale=4).to_numpy()[..., ::-1] / 255
    finally:
        document.close()
    difference = np.abs(drawn - render_svg(text, 240, 160))
    assert difference.mean() < 0.02
    assert (difference.max(axis=2) > 0.1).mean() < 0.02  # edges


def test_the_picture_is_encoded_anew(run, work):
    answer = run.client.get(f"works/{work}/picture")
    assert answer.headers["content-type"] in ("image/jpeg", "image/png")
    assert answer.content != squares()
    assert run.client.get(f"works/{work}/thumbnail").headers["content-type"] == "image/png"


def test_a_reopened_drawing_goes_on_and_finds_its_picture(run, work):
    text = run.svg(work)
    again = run.upload(text, name="mine.svg", kind="image/svg+xml")
    state = run.state(again)
    assert (state["revision"], state["name"]) == (1, "mine")
    assert state["picture"] == {"width": 64, "height": 64}
    assert run.svg(again) == text


def test_a_picture_can_be_added_to_a_reopened_drawing(run, work):
    text = run.svg(work).replace('sha256":"', 'sha256":"0')
    again = run.upload(text, name="mine.svg", kind="image/svg+xml")
    assert run.state(again)["picture"] is None
    answer = run.client.post(f"works/{again}/draw", json=QUICK)
    assert "no picture" in answer.json()["message"]
    wide = png(100, 10)
    kind = {"Content-Type": "image/png"}
    assert "proportions" in run.client.post(f"works/{again}/picture", content=wide, headers=kind).json()["message"]
    assert run.client.post(f"works/{again}/picture", content=squares(), headers=kind).status_code == 204
    assert run.state(again)["picture"] == {"width": 64, "height": 64}
    assert not [path for path in (run.folder / again).iterdir() if path.name.startswith("upload")]


def test_a_deleted_work_is_gone(run):
    work = run.drawn()
    assert run.client.delete(f"works/{work}").status_code == 204
    assert run.client.get(f"works/{work}/drawing.svg").status_code == 404
    assert not (run.folder / work).exists()


# Its end, and what is left


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_loses_no_finished_result(tmp_path, how):
    with studio(tmp_path) as first:
        done = first.drawn()
        layer = svg.read(first.svg(done)).root.children[-1]
        first.edit(done, do="rename", id=layer.id, name="kept")
        text = first.svg(done)
        midway = first.upload(EXAMPLE.read_bytes())
        first.draw(midway, **SLOW)
        first.reached(midway, "tree")
        workers = first.workers()
        first.close(how)
    for _ in range(100):  # processes that draw end with the server, however it ended
        if not any(alive(pid) for pid in workers):
            break
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers)
    with studio(tmp_path) as second:
        assert second.url != first.url
        assert second.svg(done) == text
        second.client.post(f"works/{done}/undo")
        assert svg.read(second.svg(done)).root.children[-1].name == layer.name
        state = second.state(midway)
        assert (state["running"], state["revision"]) == (None, 0)
        second.draw(midway)
        assert second.finished(midway)["revision"] == 1


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_broken_record_hides_no_other_work(tmp_path):
    picture = {"width": 64, "height": 64, "sha256": "0"}
    whole = json.dumps({"name": "x", "created": 1.0, "picture": picture})
    for name, text in (("0" * 16, "{"), ("1" * 16, whole)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "work.json").write_text(text)
        (tmp_path / name / "picture").write_bytes(squares())
    with studio(tmp_path) as running:
        assert [each["id"] for each in running.client.get("works").json()] == ["1" * 16]
    assert (tmp_path / ("0" * 16) / "picture").exists()  # for whoever mends the record


def test_a_file_on_the_command_line_is_opened(tmp_path):
    (tmp_path / "squares.png").write_bytes(squares())
    with studio(tmp_path / "works", str(tmp_path / "squares.png")) as running:
        work = running.address.partition("#")[2]
        assert running.state(work)["name"] == "squares"
    assert (tmp_path / "squares.png").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.png"], "nowhere.png cannot be read"),
        (["--port", "70000"], "--port should be 0 to 65535"),
        (["--port", "x"], "--port"),
    ],
)
def test_wrong_words_are_told_of_in_a_sentence(tmp_path, words, told, capsys):
    from layervec.cli import main

    assert main(["studio", "--no-browser", "--folder", str(tmp_path), *words]) == 2
    assert told in capsys.readouterr().err


def test_without_the_extra_it_is_named(tmp_path, capsys, monkeypatch):
    from layervec.cli import main
    from layervec.models import machine

    monkeypatch.setattr(machine, "installed", lambda name: name != "uvicorn")
    assert main(["studio", "--no-browser", "--folder", str(tmp_path)]) == 2
    assert 'needs uvicorn: pip install ".[studio]"' in capsys.readouterr().err


def test_a_taken_port_is_told_of(run, tmp_path, capsys):
    from layervec.cli import main

    assert main(["studio", "--no-browser", "--folder", str(tmp_path), "--port", str(run.port)]) == 2
    assert f"port {run.port} cannot be used" in capsys.readouterr().err
