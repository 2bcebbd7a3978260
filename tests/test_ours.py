"""Whose files a run may replace: what was typed, and what we wrote ourselves and nobody has changed; never an input."""

from __future__ import annotations

import io
import json
import os
import re
import shutil

import numpy as np
import pytest
from batches import DRAFT, batch, draw, drawings, rows
from PIL import Image

from layervec import cli, ours
from layervec.image import png_bytes

PNG = png_bytes(np.zeros((3, 4, 3)))
TEXT = f'<svg><metadata>{{"seal":"{ours.UNSEALED}"}}</metadata></svg>\n'.encode()


def run(*words):
    return cli.main([*map(str, words), *DRAFT])


def contents(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def picture(tmp_path):
    return draw(tmp_path / "a.jpg")


@pytest.fixture
def refused(tmp_path, capsys):
    """Run words that are refused in one sentence before anything is done; return the sentence."""

    def refused(*words):
        before = contents(tmp_path)
        capsys.readouterr()
        assert cli.main([*map(str, words)]) == cli.BAD_INPUT
        told = capsys.readouterr().err
        assert re.fullmatch(r"layervec: [^\n]+\.\n", told)
        assert contents(tmp_path) == before
        return told

    return refused


# The seal


@pytest.mark.parametrize("data", [PNG, TEXT])
def test_a_seal_tells_what_we_wrote_from_what_was_changed(data):
    whole = ours.sealed(data)
    assert ours.objection(whole) == ""
    for changed in (whole + b" ", whole[:20] + b"?" + whole[21:], whole.replace(b"seal-", b"seal-0", 1)[:-1]):
        assert ours.objection(changed) in ("was changed since layervec made it", "was not made by layervec")
        assert ours.objection(changed)
    assert ours.objection(data)
    assert ours.objection(b"") == ""


def test_a_sealed_png_shows_the_same_and_is_one_to_other_programs():
    with Image.open(io.BytesIO(ours.sealed(PNG))) as image:
        image.verify()
    with Image.open(io.BytesIO(ours.sealed(PNG))) as image:
        image.load()
        assert image.size == (4, 3)
        assert image.info["Comment"].startswith(ours.PREFIX)


# One picture


@pytest.mark.parametrize(("name", "flag"), [("a.png", "--png"), ("a.html", "--report"), ("a.svg", "--quiet")])
def test_files_of_others_at_names_that_nobody_typed_are_kept(picture, refused, name, flag):
    picture.with_name(name).write_bytes(b"precious")
    assert f"{name} exists and was not made by layervec" in refused("vectorize", picture, flag, *DRAFT)


def test_our_own_files_are_replaced_until_they_are_changed(picture, refused):
    for _ in range(2):
        assert run("vectorize", picture, "--png", "--report", "--paths", "4") == cli.DONE
    for name in ("a.png", "a.html", "a.svg"):
        path = picture.with_name(name)
        before = path.read_bytes()
        path.write_bytes(before[: len(before) // 2] + b"?" + before[len(before) // 2 + 1 :])
        told = refused("vectorize", picture, "--png", "--report", *DRAFT)
        assert f"{name} exists and was changed since layervec made it" in told
        path.write_bytes(before)


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("kind", ["palette", "config", "masks", "picture"])
def test_what_a_run_reads_is_no_output_of_it(picture, tmp_path, refused, link, kind):
    (tmp_path / "palette").write_text("#ff0000\nblue\n")
    (tmp_path / "config").write_text("paths: 3\n")
    draw(tmp_path / "masks/1.png")
    read = {"masks": tmp_path / "masks/1.png", "picture": picture}.get(kind, tmp_path / kind)
    link(read, tmp_path / "out.svg")
    flags = [] if kind == "picture" else [f"--{kind}", tmp_path / kind]
    told = refused("vectorize", picture, "-o", tmp_path / "out.svg", *flags)
    assert "is the picture itself" in told or f"is read by this run, as {read}" in told


def test_no_file_is_two_outputs(picture, tmp_path, refused):
    assert "is no name for a drawing" in refused("vectorize", picture, "-o", tmp_path / "x.html", "--report")
    (tmp_path / "x.svg").write_text("")
    (tmp_path / "x.html").symlink_to("x.svg")
    assert "would be written twice" in refused("vectorize", picture, "-o", tmp_path / "x.svg", "--report")
    words = ("-o", tmp_path / "w/result.svg", "--workdir", tmp_path / "w")
    (tmp_path / "w").mkdir()
    assert "would be written twice" in refused("vectorize", picture, *words)


# Work folders


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worked")
    assert run("vectorize", draw(folder / "a.jpg"), "-o", folder / "a.svg", "--workdir", folder / "work") == cli.DONE
    return folder / "work"


@pytest.fixture
def work(worked, tmp_path):
    return shutil.copytree(worked, tmp_path / "work")


def test_a_work_folder_is_used_again_and_again(picture, work, tmp_path):
    assert run("vectorize", picture, "-o", tmp_path / "o.svg", "--workdir", work) == cli.DONE
    for _ in range(2):
        assert cli.main(["report", str(work)]) == cli.DONE


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("run.json", "was not made by layervec"),
        ("levels/photo.png", "was not made by layervec"),
        ("report.html", "was not made by layervec"),
        ("result.svg", "was changed"),
        ("cuts/4.png", "was changed"),
    ],
)
def test_what_others_put_into_a_work_folder_or_changed_there_is_kept(picture, work, refused, name, why):
    if why == "was changed":
        (work / name).write_bytes((work / name).read_bytes() + b"\n")
    else:
        (work / name).write_bytes(b'{"mine": true}')
    told = refused("vectorize", picture, "-o", work / "../o.svg", "--workdir", work)
    assert f"{work / name} would be lost, which {why}" in told


@pytest.mark.parametrize("option", ["levels", "masks"])
def test_a_work_folder_does_not_lose_what_the_run_reads(picture, work, tmp_path, refused, option):
    words = ("-o", tmp_path / "o.svg", f"--{option}", work / option, "--workdir", work)
    assert "would be lost, which is read by this run" in refused("vectorize", picture, *words)


@pytest.mark.parametrize("name", ["levels", "result.svg", "run.json"])
def test_links_in_a_work_folder_lead_to_no_loss(picture, work, tmp_path, refused, name):
    (work / name).rename(tmp_path / "elsewhere")
    (work / name).symlink_to(tmp_path / "elsewhere")
    told = refused("vectorize", picture, "-o", tmp_path / "o.svg", "--workdir", work)
    assert f"{work / name}" in told
    assert "is a link" in told


def test_a_report_does_not_replace_what_it_is_made_from_nor_pages_of_others(work, tmp_path, refused):
    (work / "report.html").write_text("mine")
    assert "report.html exists and was not made by layervec" in refused("report", work)
    os.link(work / "result.svg", tmp_path / "page.html")
    assert "is read by this run" in refused("report", work, "-o", tmp_path / "page.html")


# Batches


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    for seed, name in enumerate("abc"):
        draw(folder / f"in/{name}.jpg", seed)
    assert batch(folder / "in", "-o", folder / "out", "--png", *DRAFT) == cli.DONE
    return folder


@pytest.fixture
def done(drawn, tmp_path):
    """A folder `in` with three pictures, and their batch in `out`."""
    return shutil.copytree(drawn, tmp_path / "done", symlinks=True)


def test_what_was_changed_by_hand_is_kept_where_it_would_be_drawn_again(done):
    out, before = done / "out", drawings(done / "out")
    (out / "a.svg").write_bytes(before["a.svg"].replace(b"</svg>", b"<!-- mine --></svg>"))
    Image.new("RGB", (9, 9)).save(out / "b.png")
    changed = drawings(out)
    assert batch(done / "in", "-o", out, "--png", *DRAFT[:2], "--paths", "3") == cli.IN_PART
    after, found = drawings(out), rows(out)
    assert {name for name in changed if after[name] == changed[name]} == {"a.svg", "a.png", "b.svg", "b.png"}
    assert found["a"]["reason"] == "a.svg exists in the output and was changed since layervec made it, so it is kept."
    assert found["b"]["reason"] == "b.png exists in the output and was not made by layervec, so it is kept."
    assert found["c"]["status"] == "done"


@pytest.mark.parametrize("name", ["manifest.csv", "index.html"])
def test_a_list_or_page_that_was_changed_by_hand_is_kept(done, refused, name):
    with open(done / "out" / name, "ab") as file:
        file.write(b"a note of mine\n")
    told = refused("batch", done / "in", "-o", done / "out", "--png", *DRAFT)
    assert f"{name} exists in the output" in told
    assert "move it away, or name another output with -o" in told


def test_previews_that_are_drawn_are_not_replaced_by_that(done):
    before = (done / "out/a.png").read_bytes()
    words = (done / "out/a*.png", "-o", done / "again", "--png", *DRAFT)
    assert batch(*words) == cli.DONE
    (done / "again/a.png").unlink()
    os.link(done / "out/a.png", done / "again/a.png")
    assert batch(*words, "--paths", "2") == cli.IN_PART
    assert "is read by this batch" in rows(done / "again")["a"]["reason"]
    assert (done / "again/a.png").read_bytes() == (done / "out/a.png").read_bytes() == before


def test_a_journal_from_elsewhere_moves_nothing_out_of_its_folder(done):
    journal = done / "out/.layervec/journal.jsonl"
    victim, edited = done / "victim.svg", done / "out/b.svg"
    victim.write_text("precious")
    edited.write_text("<svg>mine</svg>")
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    record = next(line for line in lines if line.get("output") == "a")
    staged = done / "out/.layervec/staging" / record["staged"]
    staged.parent.mkdir(parents=True)
    for number, more in enumerate([{"output": "../victim"}, {"output": str(victim)[:-4]}, {"output": "b"}]):
        content = (done / "out/a.svg").read_bytes() if number < 2 else b"<svg>worse</svg>"
        staged.with_name(f"{number}.svg").write_bytes(content)
        crafted = record | more | {"kinds": [".svg"], "staged": f"{staged.parent.name}/{number}"}
        with open(journal, "ab") as file:
            file.write(json.dumps(crafted).encode() + b"\n")
    batch(done / "in", "-o", done / "out", "--png", *DRAFT)
    assert victim.read_text() == "precious"
    assert edited.read_text() == "<svg>mine</svg>"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["journal.jsonl", "lock", "staging", ".", "../manifest.csv", "../index.html"])
@pytest.mark.parametrize("make", ["link", "pipe"])
def test_what_no_batch_makes_in_its_output_is_refused_and_waited_for_by_nobody(tmp_path, capfd, name, make):
    draw(tmp_path / "in/a.png")
    target = tmp_path / "elsewhere"
    (target / "staging").mkdir(parents=True)
    (target / "staging/precious").write_text("")
    path = (tmp_path / "out/.layervec" / name) if name != "." else tmp_path / "out/.layervec"
    path = tmp_path / "out" / name.removeprefix("../") if name.startswith("..") else path
    path.parent.mkdir(parents=True)
    path.symlink_to(target) if make == "link" else os.mkfifo(path)
    assert batch(tmp_path / "in", "-o", tmp_path / "out") == cli.BAD_INPUT
    told = capfd.readouterr().err
    assert f"{path} is {'a link' if make == 'link' else 'no file'}" in told
    assert told.count("\n") == 1
    assert (target / "staging/precious").exists()


def test_rows_that_cannot_be_had_cost_themselves_alone(tmp_path):
    for seed, name in enumerate(("a", "b", "c", "deep/d")):
        draw(tmp_path / f"in/{name}.png", seed)
    os.mkfifo(tmp_path / "in/pipe.png")
    out = tmp_path / "out"
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "deep").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "b.svg").write_text("mine")
    (out / "b.svg").symlink_to(tmp_path / "b.svg")
    os.mkfifo(out / "c.svg")
    for _ in range(2):
        assert batch(tmp_path / "in", "-o", out, *DRAFT) == cli.IN_PART
    found = rows(out)
    assert found["a"]["status"] == "done"
    assert found["pipe"]["reason"] == f"{tmp_path / 'in/pipe.png'} cannot be read: it is no file."
    assert found["b"]["reason"] == f"{out / 'b.svg'} is a link, so b.svg cannot be written."
    assert found["c"]["reason"] == f"{out / 'c.svg'} is no file, so c.svg cannot be written."
    assert "leads out of" in found["deep/d"]["reason"]
    assert list((tmp_path / "elsewhere").iterdir()) == []
