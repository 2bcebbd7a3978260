"""`layervec batch` from outside: what it leaves, what it tells, and that nothing ends it but its end."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from batches import DRAFT, HIDDEN, batch, break_some, descendants, draw, drawings, litter, rows, spawn, times
from PIL import Image

from layervec import cli

GOOD = 5


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch") / "in"
    for seed in range(GOOD):
        draw(folder / ("deep/er" if seed % 2 else ".") / f"p{seed}.png", seed)
    break_some(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(pictures):
    out = pictures.parent / "undisturbed"
    assert batch(pictures, "-o", out, "--png", "--workers", "2", *DRAFT) == cli.IN_PART
    return out


@pytest.fixture
def finished(undisturbed, tmp_path):
    """A batch that has ended, to be changed."""
    return shutil.copytree(undisturbed, tmp_path / "out", symlinks=True)


def again(pictures, out, *words):
    return batch(pictures, "-o", out, "--png", *DRAFT, *words)


# What it leaves


def test_rows_come_out_as_single_pictures_do(pictures, undisturbed, tmp_path):
    single = tmp_path / "single.svg"
    assert cli.main(["vectorize", str(pictures / "deep/er/p1.png"), "-o", str(single), "--png", *DRAFT]) == cli.DONE
    assert (undisturbed / "deep/er/p1.svg").read_bytes() == single.read_bytes()
    assert (undisturbed / "deep/er/p1.png").read_bytes() == single.with_suffix(".png").read_bytes()


def test_manifest_has_figures_or_a_reason_for_each_row(pictures, undisturbed):
    found = rows(undisturbed)
    good = [row for row in found.values() if row["status"] == "done"]
    bad = {output: row for output, row in found.items() if row["status"] == "failed"}
    assert len(good) == GOOD
    assert sorted(bad) == ["cut-off", "damaged", "empty", "nowhere", "text"]
    for row in good:
        assert (row["width"], row["height"], row["reason"]) == ("64", "48", "")
        assert 20 < float(row["psnr"]) < 100
        assert 0.5 < float(row["ssim"]) <= 1
        assert 0 < int(row["shapes"]) <= 8
        assert int(row["size"]) == (undisturbed / f"{row['output']}.svg").stat().st_size
        assert len(row["key"]) == len(row["input_sha256"]) == len(row["settings_sha256"]) == 64
    for row in bad.values():
        assert row["image"] in row["reason"]
        assert row["reason"].endswith(".")
        assert "Traceback" not in row["reason"]
    assert len({row["reason"].replace(row["image"], "") for row in bad.values()}) >= 4


def test_nothing_else_is_left(undisturbed):
    assert litter(undisturbed) == []
    done = [output for output, row in rows(undisturbed).items() if row["status"] == "done"]
    assert set(drawings(undisturbed)) == {f"{output}{kind}" for output in done for kind in (".svg", ".png")}


def test_page_links_drawings_and_tells_reasons(undisturbed):
    text = (undisturbed / "index.html").read_text()
    assert f"{GOOD} drawn, 5 failed" in text
    assert 'src="deep/er/p1.svg"' in text
    assert "empty.png cannot be read: it is empty." in text


def test_report_is_made_for_each_row(tmp_path):
    draw(tmp_path / "in/a.png")
    assert batch(tmp_path / "in", "-o", tmp_path / "out", "--report", *DRAFT) == cli.DONE
    assert "</html>" in (tmp_path / "out/a.html").read_text()
    assert 'href="a.html"' in (tmp_path / "out/index.html").read_text()


def test_rows_have_their_own_settings(tmp_path):
    draw(tmp_path / "a.png")
    (tmp_path / "list.csv").write_text("image,paths,output\na.png,2,few\na.png,8,many\n")
    assert batch(tmp_path / "list.csv", "-o", tmp_path / "out", "--quality", "draft") == cli.DONE
    found = rows(tmp_path / "out")
    assert int(found["few"]["shapes"]) == 2 < int(found["many"]["shapes"])


def test_progress_and_summary_are_told(pictures, tmp_path, capfd):
    again(pictures, tmp_path / "out", "--verbose")
    told = capfd.readouterr()
    assert told.out == ""
    assert f"{tmp_path / 'out'}: {GOOD} drawn, 5 failed" in told.err
    assert "deep/er/p1: " in told.err
    assert again(pictures, tmp_path / "out", "--quiet") == cli.IN_PART
    assert capfd.readouterr().err == ""


# Going on


def test_second_run_does_nothing_again(pictures, finished):
    before, journal = times(finished), (finished / HIDDEN / "journal.jsonl").read_bytes()
    manifest = (finished / "manifest.csv").read_bytes()
    assert again(pictures, finished) == cli.IN_PART
    assert times(finished) == before
    assert (finished / "manifest.csv").read_bytes() == manifest
    assert sorted((finished / HIDDEN / "journal.jsonl").read_bytes().splitlines()) == sorted(journal.splitlines())


def test_second_run_names_what_failed_before_and_how_to_try_it_again(pictures, finished, capfd):
    again(pictures, finished)
    told = capfd.readouterr().err
    assert f"failed before: {pictures / 'text.jpg'} is not an intact PNG" in told
    assert told.endswith("layervec: 4 of them failed before; --retry-failed tries them again.\n")  # nowhere.png was


def test_only_what_changed_is_done_again(pictures, finished, tmp_path):
    folder = shutil.copytree(pictures, tmp_path / "in", symlinks=True)
    before = times(finished)
    draw(folder / "p0.png", seed=77)
    (finished / "p2.svg").unlink()
    draw(folder / "new.png", seed=78)
    assert again(folder, finished) == cli.IN_PART
    changed = {name for name, time in times(finished).items() if before.get(name) != time}
    assert changed == {f"{stem}{kind}" for stem in ("p0", "p2", "new") for kind in (".svg", ".png")}


def test_other_settings_are_other_drawings(pictures, finished):
    before = times(finished)
    assert again(pictures, finished, "--paths", "3") == cli.IN_PART
    assert not set(times(finished).values()) & set(before.values())
    assert max(int(row["shapes"] or 0) for row in rows(finished).values()) == 3


def test_failed_rows_are_tried_again_when_asked_or_changed(pictures, finished, tmp_path):
    folder = shutil.copytree(pictures, tmp_path / "in", symlinks=True)
    draw(folder / "empty.png", seed=79)
    (folder / "nowhere.png").unlink()
    draw(folder / "nowhere.png", seed=80)
    before = (finished / HIDDEN / "journal.jsonl").read_bytes()
    assert again(folder, finished, "--retry-failed") == cli.IN_PART
    fresh = (finished / HIDDEN / "journal.jsonl").read_bytes()[len(before) :].splitlines()
    tried = [found["output"] for found in map(json.loads, fresh) if "output" in found]  # the other is the manifest's
    assert sorted(tried) == ["cut-off", "damaged", "empty", "nowhere", "text"]
    assert {name for name, row in rows(finished).items() if row["status"] == "failed"} == {"cut-off", "damaged", "text"}


def test_what_the_journal_knows_takes_its_name_without_being_drawn(pictures, finished):
    """A run was killed between writing down a row and renaming its files, and in the middle of the next line."""
    journal = finished / HIDDEN / "journal.jsonl"
    record = next(json.loads(line) for line in journal.read_bytes().splitlines() if b'"output": "p0"' in line)
    staged = finished / HIDDEN / "staging" / record["staged"]
    staged.parent.mkdir(parents=True)
    moved = {kind: (finished / f"p0{kind}").rename(f"{staged}{kind}").stat().st_ino for kind in (".svg", ".png")}
    staged.with_name("999.svg").write_text("<svg", encoding="utf-8")
    with open(journal, "ab") as file:
        file.write(b'{"image": "p2.png", "outp')
    assert again(pictures, finished) == cli.IN_PART
    assert {kind: (finished / f"p0{kind}").stat().st_ino for kind in moved} == moved
    assert litter(finished) == []


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_it_goes_on(pictures, undisturbed, tmp_path, seed):
    out = tmp_path / "out"
    process = spawn(pictures, "-o", out, "--png", "--workers", "2", *DRAFT, start_new_session=True)
    try:
        time.sleep(random.Random(seed).uniform(0.5, 4.0))
    finally:
        process.kill()  # the first process alone: the others must notice
        process.communicate()
    before = times(out) if out.exists() else {}
    whole = drawings(undisturbed)
    assert all(content == whole[name] for name, content in (drawings(out) if out.exists() else {}).items())
    assert again(pictures, out) == cli.IN_PART
    assert drawings(out) == whole
    assert {name: at for name, at in times(out).items() if name in before} == before
    assert litter(out) == []


def test_terminated_it_keeps_what_it_has(pictures, undisturbed, tmp_path):
    out = tmp_path / "out"
    process = spawn(pictures, "-o", out, "--png", "--workers", "1", *DRAFT)
    while not (out / "p0.svg").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == cli.INTERRUPTED
    kept = f"layervec: what is drawn is kept in {out}; the same command goes on from there.\n"
    assert told.endswith(f"{kept}layervec: interrupted.\n")
    assert litter(out) == []
    assert rows(out)["p0"]["status"] == "done"
    assert again(pictures, out) == cli.IN_PART
    assert drawings(out) == drawings(undisturbed)


# What goes wrong


@pytest.fixture
def stuck(tmp_path):
    """A list with a picture that takes minutes, first, among others."""
    noise = np.random.default_rng(0).integers(0, 255, (1600, 1600, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png", compress_level=0)
    for seed in range(4):
        draw(tmp_path / f"p{seed}.png", seed)
    names = [f"p{seed}.png,draft,8,64" for seed in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["image,quality,paths,size", "a.png,best,4096,1600", *names]) + "\n")
    return tmp_path / "list.csv"


def test_time_limit_ends_one_picture(stuck, tmp_path):
    out = tmp_path / "out"
    assert batch(stuck, "-o", out, "--workers", "1", "--time-limit", "9") == cli.IN_PART
    found = rows(out)
    assert found["a"]["reason"] == f"{tmp_path / 'a.png'}: it took more than 9 s."
    assert [found[f"p{seed}"]["status"] for seed in range(4)] == ["done"] * 4


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc to find workers in")
def test_a_worker_that_dies_costs_its_picture_alone(stuck, tmp_path):
    out = tmp_path / "out"
    process = spawn(stuck, "-o", out, "--workers", "2")
    while not all((out / f"p{seed}.svg").exists() for seed in range(4)):
        assert process.poll() is None
        time.sleep(0.05)
    for number, words in descendants(process.pid):
        if b"spawn_main" in words:
            os.kill(number, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == cli.IN_PART
    found = rows(out)
    assert "its worker ended (SIGKILL" in found["a"]["reason"]
    assert [found[f"p{seed}"]["status"] for seed in range(4)] == ["done"] * 4


def test_memory_limit_ends_one_picture(tmp_path):
    draw(tmp_path / "in/small.png")
    Image.new("RGB", (10_000, 10_000), (9, 9, 200)).save(tmp_path / "in/large.png")
    out = tmp_path / "out"
    assert batch(tmp_path / "in", "-o", out, "--workers", "1", "--memory-limit", "450", *DRAFT) == cli.IN_PART
    found = rows(out)
    assert found["large"]["reason"] == f"{tmp_path / 'in/large.png'}: it needed more than 450 MiB of memory."
    assert len(found["large"]["key"]) == 64, "what was known of it is kept"
    assert found["small"]["status"] == "done"


def test_full_disk_is_told_once_and_what_was_drawn_is_kept(tmp_path):
    draw(tmp_path / "in/a.png")
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    Image.fromarray(noise).resize((64, 64), Image.Resampling.NEAREST).save(tmp_path / "in/b.png")
    words = (tmp_path / "in", "-o", tmp_path / "out", "--workers", "1", "--quality", "draft", "--paths", "100")

    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    process = spawn(*words, preexec_fn=little_room)
    _, told = process.communicate(timeout=120)
    assert process.returncode == cli.BAD_INPUT
    assert told == (
        f"layervec: {tmp_path / 'out/b.svg'} cannot be written: file too large. What was drawn until then is kept.\n"
    )
    assert sorted(drawings(tmp_path / "out")) == ["a.svg"]
    assert litter(tmp_path / "out") == []
    before = times(tmp_path / "out")
    assert batch(*words) == cli.DONE
    assert times(tmp_path / "out")["a.svg"] == before["a.svg"]


def test_two_batches_do_not_share_an_output(stuck, tmp_path, capfd):
    out = tmp_path / "out"
    process = spawn(stuck, "-o", out)
    try:
        while not (out / "p0.svg").exists():
            assert process.poll() is None
            time.sleep(0.05)
        assert batch(stuck, "-o", out) == cli.BAD_INPUT
        assert capfd.readouterr().err == f"layervec: {out}: another batch is at work there.\n"
    finally:
        process.kill()
        process.communicate()


def test_drawings_of_others_are_not_replaced(tmp_path):
    for seed, name in enumerate("abc"):
        draw(tmp_path / f"in/{name}.png", seed)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.svg").write_text("<svg>mine</svg>")
    (out / "b.svg").mkdir()
    assert batch(tmp_path / "in", "-o", out, *DRAFT) == cli.IN_PART
    assert (out / "a.svg").read_text() == "<svg>mine</svg>"
    found = rows(out)
    assert found["a"]["reason"] == "a.svg exists in the output and was not made by layervec, so it is kept."
    assert "is a folder" in found["b"]["reason"]
    assert found["c"]["status"] == "done"


def test_lists_and_pages_of_others_are_not_replaced(tmp_path, capfd):
    draw(tmp_path / "in/a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.html").write_text("mine")
    assert batch(tmp_path / "in", "-o", out, *DRAFT) == cli.BAD_INPUT
    assert "index.html exists in the output" in capfd.readouterr().err
    assert (out / "index.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "IN is missing"),
        (["in"], "-o OUT is missing"),
        (["in", "-o", "out", "--workers", "0"], "--workers should be at least 1"),
        (["in", "-o", "out", "--time-limit", "0"], "--time-limit should be above 0"),
        (["in", "-o", "out", "--engine", "cloud"], "--engine should be one of 'local', 'ray', not 'cloud'"),
        (["in", "-o", "out", "--gpus", "1"], "--gpus needs --engine ray"),
        (["in", "-o", "out", "--paths", "0"], "--paths should be"),
        (["nowhere", "-o", "out"], "nowhere cannot be read"),
        (["in", "-o", "file/out"], "out cannot be written: "),
    ],
)
def test_misuse_is_told_in_a_sentence(tmp_path, monkeypatch, capfd, words, complaint):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "in/a.png")
    (tmp_path / "file").write_text("")
    assert batch(*words) == cli.BAD_INPUT
    told = capfd.readouterr().err
    assert complaint in told
    assert told.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "in"]


def test_help_shows(capfd):
    assert batch("--help") == cli.DONE
    assert "--retry-failed" in capfd.readouterr().out
