"""The studio and the machine that it runs on: other users, other studios, full disks, large files, crashes, signals."""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra `studio`")
pytest.importorskip("uvicorn", reason="needs the extra `studio`")
pytest.importorskip("httpx", reason="needs httpx")

import httpx
from studios import QUICK, command, squares, studio

from layervec import svg
from layervec.cli import main
from layervec.errors import InputError
from layervec.settings import Settings

posix = pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
PNG, SVG = {"Content-Type": "image/png"}, {"Content-Type": "image/svg+xml", "X-Name": "drawing.svg"}


def dense(shapes):
    """An SVG that takes long to read: some 2.4 KB a shape."""
    path = '<path id="p{0}" data-rank="{0}" fill="#ff0000" d="M0 0' + "L5 5L7 1L2 9" * 200 + 'Z"/>'
    return drawing("64", *(path.format(rank) for rank in range(1, shapes + 1)))


def drawing(side, *paths):
    start = f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" viewBox="0 0 {side} {side}">'
    return start + "".join(paths) + "</svg>"


def under_way(folder):
    """Everything but works: what is under way, and files in works that no work has."""
    found = [path.name for path in (folder / ".studio").rglob("*") if path.name != "lock"]
    return found + [path.name for path in folder.rglob("*") if path.name.startswith(("upload", "copy", ".layervec"))]


# Other users of the machine


@pytest.fixture
def recorder(tmp_path):
    """A browser that notes its command line, and the file that it notes it in."""
    (tmp_path / "browser").write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/noting\nmv {tmp_path}/noting {tmp_path}/noted\n'
    )
    (tmp_path / "browser").chmod(0o755)
    return tmp_path / "browser", tmp_path / "noted"


def appears(path):
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.02)
    return path


def asked(port, path):
    """Return status and Location of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location")
    finally:
        connection.close()


@posix
def test_the_browsers_command_line_opens_the_studio_to_its_user_alone(tmp_path, recorder):
    browser, noted = recorder
    (tmp_path / "squares.png").write_bytes(squares())
    with studio(tmp_path / "works", str(tmp_path / "squares.png"), browser=browser) as running:
        words = appears(noted).read_text()
        token = running.url.rstrip("/").rpartition("/")[2]
        assert token not in words
        assert words.strip().startswith("file://")
        page = Path(words.strip().removeprefix("file://"))
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
        assert token not in page.read_text()
        code = re.search(rf'url={running.origin}/([^"/]+)"', page.read_text())[1]
        assert len(code) >= 32
        assert asked(running.port, f"/{code[:-1]}")[0] == 403
        assert asked(running.port, f"/{code}") == (303, running.address)
        assert "#" in running.address
        assert not page.exists()
        for path in (f"/{code}", f"/{code}/", f"/{code}/works"):
            assert asked(running.port, path)[0] == 403
        assert running.client.get("works").status_code == 200


@posix
@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_output_that_others_can_read_holds_no_token(tmp_path, mode):
    log = tmp_path / "log"
    log.touch()
    log.chmod(mode)
    with open(log, "w") as out:
        process = subprocess.Popen(
            command("--no-browser", "--folder", str(tmp_path / "works")), stdout=out, stderr=subprocess.PIPE, text=True
        )
        while not log.read_text().endswith("\n"):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=30)[1]
    printed = log.read_text().strip()
    if mode == 0o600:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", printed)
    else:
        assert printed == (tmp_path / "works" / ".studio" / "open.html").as_uri()
        assert "others can read this output" in told


@posix
def test_without_permissions_on_the_disk_no_browser_is_opened(tmp_path, monkeypatch, capsys):
    from layervec.studio import command as studios_command
    from layervec.studio import door

    opened = []
    monkeypatch.setattr(door, "OTHERS", 0o777)  # as a disk has it that gives all files the same permissions
    monkeypatch.setattr(studios_command.webbrowser, "open", opened.append)
    studios_command._Entrance(tmp_path, "http://127.0.0.1:1", "token", opens=True).tell("")
    out, told = capsys.readouterr()
    assert out == "http://127.0.0.1:1/token/\n"
    assert "no browser is opened" in told
    assert not opened
    assert not list(tmp_path.iterdir())


# Other studios


def test_a_folder_is_one_studios(run, work, capsys):
    before = sorted(run.folder.rglob("*"))
    assert main(["studio", "--no-browser", "--folder", str(run.folder)]) == 2
    told = capsys.readouterr().err
    assert f"{run.folder}: another studio is at work there (process {run.process.pid})" in told
    assert sorted(run.folder.rglob("*")) == before
    assert run.client.get("works").status_code == 200


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "fork"), reason="the usual folder is another one there")
def test_the_usual_folder_is_one_studios_too_and_is_free_after_a_crash(tmp_path, monkeypatch, capsys):
    from layervec.studio.command import default_folder

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with studio(default_folder()) as running:
        assert main(["studio", "--no-browser"]) == 2
        assert f"process {running.process.pid}" in capsys.readouterr().err
        running.close(signal.SIGKILL)
    with studio(default_folder()) as second:
        assert second.client.get("works").json() == []


def test_without_a_home_it_says_so(monkeypatch, capsys):
    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert main(["studio", "--no-browser"]) == 2
    assert "there is no home folder; name a folder with --folder" in capsys.readouterr().err


# Uploads that break off


@pytest.mark.parametrize("route", ["works", "works/{}/picture", "works/{}/detail?base=1&paths=4"])
def test_an_upload_that_breaks_off_leaves_nothing(run, work, route):
    path = "/" + run.url.split("/", 3)[3] + route.format(work)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\nOrigin: {run.origin}\r\n"
    works = sorted(path.name for path in run.folder.iterdir())
    with socket.create_connection(("127.0.0.1", run.port)) as connection:
        connection.sendall(f"{head}Content-Type: image/png\r\nContent-Length: 1000000\r\n\r\n".encode())
        connection.sendall(bytes(300_000))
        waits_for(lambda: under_way(run.folder))
        assert run.client.get("works").status_code == 200
    waits_for(lambda: not under_way(run.folder))
    assert sorted(path.name for path in run.folder.iterdir()) == works


def waits_for(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


# Disks


def full(*words):
    """What writes to a disk that is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_of_and_loses_nothing(tmp_path, monkeypatch):
    """In this process, where a disk can be full for the studio alone; errands are done by processes as always."""
    from layervec import files
    from layervec.studio import uploads
    from layervec.studio.desks import Studio
    from layervec.studio.home import held
    from layervec.studio.server import application
    from layervec.studio.works import Store

    text = drawing("64", '<path id="a" data-rank="1" fill="#ff0000" d="M0 0L9 0L9 9Z"/>')
    recolour = {"do": "recolour", "id": "a", "colour": "#00ff00", "base": 1}

    def kept():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    async def all_of_it(hidden):
        house = Studio(Store(tmp_path, hidden), Settings(), frozenset())
        app = application(house, "token", ["studio:1"], lambda code: None)
        own = {"Host": "studio:1", "Origin": "http://studio:1"}
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(
                transport=transport, base_url="http://studio:1/token/", headers=own, timeout=60
            ) as client,
            house.errands,
        ):
            work = (await client.post("works", content=text, headers=SVG)).json()["id"]
            assert (await client.post(f"works/{work}/picture", content=squares(), headers=PNG)).status_code == 204
            before = kept()
            with monkeypatch.context() as broken:
                broken.setattr(files, "_replace", full)
                answers = [
                    await client.post("works", content=squares(), headers=PNG),
                    await client.post("works", content=text, headers=SVG),
                    await client.post(f"works/{work}/edit", json=recolour),
                    await client.post(f"works/{work}/draw", json=QUICK),
                    await client.get(f"works/{work}/picture"),
                ]
                broken.setattr(uploads, "open", full, raising=False)
                answers.append(await client.post("works", content=squares(), headers=PNG))
                answers.append(await client.post(f"works/{work}/picture", content=squares(), headers=PNG))
            assert kept() == before
            assert (await client.post(f"works/{work}/edit", json=recolour)).status_code == 204
        return answers

    with held(tmp_path) as hidden:
        answers = asyncio.run(all_of_it(hidden))
    for answer in answers:
        assert answer.status_code == 507
        assert answer.json()["message"].startswith("The disk is full where the studio keeps its works")


def test_works_that_vanish_under_the_studio_are_told_of(tmp_path):
    with studio(tmp_path / "works") as running:
        text = drawing("64", '<path id="a" data-rank="1" fill="#ff0000" d="M0 0L9 0L9 9Z"/>')
        work = running.upload(text, "drawing.svg", SVG["Content-Type"])
        assert running.client.post(f"works/{work}/picture", content=squares(), headers=PNG).status_code == 204
        (tmp_path / "works").rename(tmp_path / "away")
        answers = [
            running.post_file(squares()),
            *(running.client.get(f"works/{work}/{file}") for file in ("drawing.svg", "thumbnail", "picture")),
            running.client.post(f"works/{work}/draw", json=QUICK),
            running.client.post(f"works/{work}/undo"),
        ]
        for answer in answers:
            assert answer.status_code in (422, 507), answer.text
            assert answer.json()["message"].endswith(".")
            assert str(tmp_path) not in answer.text
        (tmp_path / "away").rename(tmp_path / "works")
        assert running.svg(work)


# Files of others


@pytest.mark.parametrize("side", ["0.4", "0.02"])
def test_a_drawing_of_less_than_half_a_pixel_is_a_picture_of_one(run, side):
    text = drawing(side, f'<path id="a" data-rank="1" fill="#ff0000" d="M0 0L{side} 0L{side} {side}L0 {side}Z"/>')
    work = run.upload(text, "tiny.svg", SVG["Content-Type"])
    for file in ("thumbnail", "drawing.png", "drawing.pdf", "drawing.svg"):
        answer = run.client.get(f"works/{work}/{file}")
        assert answer.status_code == 200, (file, answer.text)
    assert run.client.get(f"works/{work}/drawing.png").content[16:24] == bytes([0, 0, 0, 1] * 2)
    assert run.client.post(f"works/{work}/picture", content=squares(), headers=PNG).status_code == 204


def test_drawings_larger_than_any_of_ours_are_refused(run):
    for data in (b"<" * (8 << 20) + b" ", iter([b"<" * (1 << 20)] * 9)):
        answer = run.client.post("works", content=data, headers=SVG)
        assert answer.status_code == 413
        assert "8 MiB" in answer.json()["message"]
    assert not under_way(run.folder)


def test_a_drawing_that_takes_long_to_read_keeps_nobody_waiting(run, work):
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(run.client.post, "works", content=dense(250).encode(), headers=SVG)
        waits_for(lambda: under_way(run.folder))
        other = run.upload(run.svg(work), "other.svg", SVG["Content-Type"])
        layer = svg.read(run.svg(other)).root.children[-1]
        assert run.edit(other, do="rename", id=layer.id, name="meanwhile").status_code == 204
        assert run.client.get(f"works/{work}/thumbnail").status_code == 200
        assert not opening.done()
        large = opening.result().json()["id"]
    shown = next(value for kind, value in run.events(large) if kind == "drawing")
    assert (shown["revision"], shown["draft"]) == (1, False)


def test_an_errand_that_takes_too_long_is_ended_and_the_next_is_done():
    from layervec.studio.jobs import Jobs

    async def both():
        async with Jobs("errands", processes=1) as errands:
            with pytest.raises(InputError, match=r"takes longer than 1 s"):
                await errands.do({"do": "look", "svg": dense(1500)}, limit=1.0)
            return await errands.do({"do": "look", "svg": dense(1)})

    assert "<path" in asyncio.run(both())["shown"]


def test_the_server_reads_no_file_of_others(run, work):
    """Neither Pillow nor OpenCV nor resvg is even loaded: what they stumble over ends a process that is replaced."""
    maps = Path(f"/proc/{run.process.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    text = run.svg(work).replace('sha256":"', 'sha256":"0')
    again = run.upload(text, "again.svg", SVG["Content-Type"])
    assert run.client.post(f"works/{again}/picture", content=squares(), headers=PNG).status_code == 204
    for file in ("picture", "thumbnail", "drawing.png", "drawing.pdf"):
        assert run.client.get(f"works/{again}/{file}").status_code == 200
    answer = run.client.post(f"works/{again}/detail?base=1&paths=4", content=squares(), headers=PNG)
    assert answer.status_code == 202
    run.finished(again)
    loaded = maps.read_text()
    assert not [name for name in ("_imaging", "cv2", "resvg", "llvmlite") if name in loaded]


def test_a_drawing_that_cannot_be_read_is_told_of_and_can_be_deleted(tmp_path):
    with studio(tmp_path) as first:
        work = first.upload(drawing("9"), "plain.svg", SVG["Content-Type"])
    (tmp_path / work / "1.svg").write_text("no drawing")
    with studio(tmp_path) as second:
        state = second.until(work, lambda state: state["message"])
        assert state["message"].startswith("The drawing ")
        assert second.client.delete(f"works/{work}").status_code == 204
    assert not (tmp_path / work).exists()


# Ends


def test_what_a_crash_has_left_is_swept_at_the_start(tmp_path):
    with studio(tmp_path) as first:
        text = drawing("64", '<path id="a" data-rank="1" fill="#ff0000" d="M0 0L9 0L9 9Z"/>')
        work = first.upload(text, "drawing.svg", SVG["Content-Type"])
        for colour in ("#00ff00", "#0000ff"):
            assert first.edit(work, do="recolour", id="a", colour=colour).status_code == 204
        first.client.post(f"works/{work}/undo")
        first.close(signal.SIGKILL)
    kept = sorted(path.name for path in (tmp_path / work).iterdir())
    record = json.loads((tmp_path / work / "work.json").read_text())
    (tmp_path / work / "work.json").write_text(json.dumps(record | {"made": 5}))
    for name in ("upload-0123abcd", "copy", ".layervec-0123456789abcdef.tmp", "4.svg"):
        (tmp_path / work / name).write_bytes(b"left")
    (tmp_path / ".studio" / "upload-0123456789abcdef").write_bytes(b"left")
    for number, files in enumerate(({}, {"upload-0123abcd": ""}, {"work.json": '{"name": "x", "created": 1.0}'})):
        half = tmp_path / f"{number:016x}"
        half.mkdir()
        for name, text in files.items():
            (half / name).write_text(text)
    (tmp_path / "notes.txt").write_text("not ours")
    with studio(tmp_path) as second:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".studio", work, "notes.txt"])
        assert sorted(path.name for path in (tmp_path / work).iterdir()) == kept
        assert not under_way(tmp_path)
        assert second.client.post(f"works/{work}/redo").status_code == 204
        assert "#0000ff" in second.svg(work)


@posix
@pytest.mark.parametrize(
    ("gap", "second"), [(0.0, signal.SIGINT), (0.05, signal.SIGTERM), (0.15, signal.SIGINT), (0.2, signal.SIGINT)]
)
def test_two_interrupts_end_it_as_one_does(tmp_path, gap, second):
    with studio(tmp_path) as running:
        running.process.send_signal(signal.SIGINT)
        time.sleep(gap)
        with suppress(ProcessLookupError):
            running.process.send_signal(second)
        told = running.process.communicate(timeout=30)[1]
        assert (running.process.returncode, told) == (130, "layervec: interrupted.\n")
    assert not under_way(tmp_path)
