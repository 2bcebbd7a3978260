"""Streams: pictures from pipes, drawings to pipes, streams that are closed or full."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from seals import resealed

from layervec import cli, streams

DRAFT = ["--quality", "draft", "--paths", "4", "--size", "32"]
COMMAND = f"'{sys.executable}' -c 'import sys; from layervec.cli import main; sys.exit(main())'"
POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@pytest.fixture
def picture(tmp_path, monkeypatch):
    """The bytes of a picture, which also lies in the working folder as scene.png, drawn as scene.svg."""
    monkeypatch.chdir(tmp_path)
    image = Image.new("RGB", (48, 32), (240, 230, 200))
    ImageDraw.Draw(image).ellipse((8, 4, 30, 28), fill=(200, 40, 40))
    image.save("scene.png")
    assert run("scene.png") == 0
    return Path("scene.png").read_bytes()


def run(*words):
    return cli.main(["vectorize", *map(str, words), *DRAFT])


def drawn(title="scene"):
    return resealed(Path("scene.svg").read_text().replace("<title>scene<", f"<title>{title}<"))


def feed(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def pipe_of(data):
    """Return the number of a pipe's end where these bytes can be read."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def in_background(function, *given):
    thread = threading.Thread(target=function, args=given, daemon=True)
    thread.start()
    return thread


# Pictures from pipes


def test_standard_input_to_standard_output(picture, monkeypatch, capsys):
    feed(monkeypatch, picture)
    assert run("-") == 0
    said = capsys.readouterr()
    assert said.out == drawn("picture")
    assert said.err.splitlines()[-1].startswith("standard output: 2 shapes in ")
    assert sorted(os.listdir()) == ["scene.png", "scene.svg"]


def test_standard_input_to_a_file(picture, monkeypatch):
    feed(monkeypatch, picture)
    assert run("-", "-o", "out.svg") == 0
    assert Path("out.svg").read_text() == drawn("picture")


@POSIX
@pytest.mark.parametrize("words", [["-o", "out.svg", "--report", "--png"], ["-o", "out.svg", "--workdir", "work"]])
def test_a_named_pipe_is_read_once(words, picture):
    os.mkfifo("pipe.png")
    writer = in_background(Path("pipe.png").write_bytes, picture)
    assert run("pipe.png", *words) == 0
    writer.join(10)
    assert Path("out.svg").read_text() == drawn("pipe")


@POSIX
def test_a_pipe_of_the_shell_has_nothing_beside_it(picture, capsys):
    reading = pipe_of(picture)
    assert run(f"/dev/fd/{reading}") == 0
    os.close(reading)
    assert capsys.readouterr().out == drawn("picture")


def test_a_terminal_is_not_filled_with_a_drawing_unasked(picture, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert run("-") == 2
    assert "- has no place beside it for a drawing; name one by -o" in capsys.readouterr().err
    feed(monkeypatch, picture)
    assert run("-", "-o", "-") == 0
    assert capsys.readouterr().out == drawn("picture")


@pytest.mark.parametrize(("data", "told"), [(b"", "it is empty"), (b"text", "is not an intact PNG")])
def test_what_is_no_picture_is_told(data, told, monkeypatch, capsys):
    feed(monkeypatch, data)
    assert run("-") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(rf"layervec: standard input [^\n]*{told}[^\n]*\.\n", said.err)


def test_score_reads_a_pipe(picture, monkeypatch, capsys):
    feed(monkeypatch, picture)
    assert cli.main(["score", "scene.svg", "-", "--json"]) == 0
    assert '"psnr"' in capsys.readouterr().out


# Drawings to pipes


@pytest.mark.parametrize("name", sorted(streams.OUTPUTS))
def test_nothing_but_the_drawing_comes_on_standard_output(name, picture, capsys):
    capsys.readouterr()
    assert run("scene.png", "-o", name, "--verbose") == 0
    assert capsys.readouterr().out == drawn()


@POSIX
def test_a_named_pipe_gets_the_drawing_and_stays(picture):
    os.mkfifo("pipe.svg")
    got = []
    reader = in_background(lambda: got.append(Path("pipe.svg").read_text()))
    assert run("scene.png", "-o", "pipe.svg") == 0
    reader.join(10)
    assert got == [drawn()]
    assert Path("pipe.svg").is_fifo()


@POSIX
def test_a_pipe_of_the_shell_gets_the_drawing(picture):
    reading, writing = os.pipe()
    assert run("scene.png", "-o", f"/dev/fd/{writing}") == 0
    os.close(writing)
    with open(reading) as file:
        assert file.read() == drawn()


@pytest.mark.parametrize("flag", ["--png", "--report"])
def test_what_lies_beside_a_drawing_needs_a_file(flag, picture, capsys):
    assert run("scene.png", "-o", "-", flag) == 2
    assert (
        f"{flag} lies beside the drawing, which goes to standard output; name a file by -o." in capsys.readouterr().err
    )


# Closed and full streams, as the shell hands them over


def shell(words, **options):
    return subprocess.run(["sh", "-c", f"{COMMAND} {words}"], capture_output=True, text=True, timeout=60, **options)


@POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_costs_no_drawing(closed, picture):
    Path("scene.svg").rename("other.svg")
    done = shell(f"vectorize scene.png {' '.join(DRAFT)} {closed}")
    assert done.returncode == 0, done.stderr
    assert drawn() == Path("other.svg").read_text()
    assert "wrong" not in done.stderr


@POSIX
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("vectorize scene.png -o - >&-", "standard output cannot be written: it is closed."),
        ("vectorize - -o out.svg <&-", "standard input cannot be read: it is closed."),
        ("--help > /dev/full", "standard output cannot be written: no space left on device."),
        ("vectorize --help > /dev/full", "standard output cannot be written: no space left on device."),
    ],
)
def test_a_stream_that_is_needed_is_told_of(words, told, picture):
    if "full" in words and not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    done = shell(words)
    assert (done.returncode, done.stderr) == (2, f"layervec: {told}\n")


@POSIX
def test_a_drawing_is_added_where_the_shell_adds(picture):
    Path("all.svg").write_text("before\n")
    done = shell(f"vectorize - -o /dev/stdout {' '.join(DRAFT)} < scene.png >> all.svg")
    assert done.returncode == 0, done.stderr
    assert Path("all.svg").read_text() == "before\n" + drawn("picture")


@POSIX
def test_readers_that_have_gone_are_no_fault(picture):
    done = shell(f"vectorize scene.png -o - {' '.join(DRAFT)} | head -c 0; true 2>&1")
    assert (done.returncode, done.stdout) == (0, "")
    assert "wrong" not in done.stderr
