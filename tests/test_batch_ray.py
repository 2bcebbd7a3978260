"""Batches on Ray, by URLs, and in Parquet: the same bytes and the same keys as on one machine's processes."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from batches import DRAFT, HIDDEN, batch, break_some, descendants, draw, drawings, litter, rows, spawn, times
from PIL import Image

from layervec import cli
from layervec.batch import on_ray
from layervec.batch.on_ray import _room

pytest.importorskip("ray", reason="the extra `batch` is missing")
parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `batch` is missing")
pytestmark = pytest.mark.batch

FIGURES = ("status", "reason", "psnr", "ssim", "shapes", "nodes", "layers", "size", "key")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray") / "in"
    for seed in range(6):
        draw(folder / ("deep/er" if seed % 2 else ".") / f"p{seed}.png", seed)
    break_some(folder)
    return folder


@pytest.fixture(scope="module")
def by_processes(pictures):
    out = pictures.parent / "by_processes"
    assert batch(pictures, "-o", out, "--workers", "1", *DRAFT) == cli.IN_PART
    return out


def on_ray_spawned(*words, code=cli.IN_PART):
    process = spawn(*words, "--engine", "ray")
    _, told = process.communicate(timeout=300)
    assert process.returncode == code, told
    return told


def figures(out):
    return {output: [row[name] for name in FIGURES] for output, row in rows(out).items()}


def test_both_engines_give_the_same_bytes_and_keys_and_go_on_from_each_other(pictures, by_processes, tmp_path):
    out = tmp_path / "out"
    told = on_ray_spawned(pictures, "-o", out, "--workers", "2", "--threads", "1", *DRAFT)
    assert told.splitlines()[-1].startswith(f"{out}: 6 drawn, 5 failed")
    assert drawings(out) == drawings(by_processes)
    assert figures(out) == figures(by_processes)
    assert litter(out) == []
    before = times(out)
    assert batch(pictures, "-o", out, *DRAFT) == cli.IN_PART
    assert times(out) == before


def test_limits_and_dead_workers_cost_one_picture_here_too(tmp_path):
    for seed in range(3):
        draw(tmp_path / f"in/p{seed}.png", seed)
    noise = np.random.default_rng(0).integers(0, 255, (1600, 1600, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "in/a.png", compress_level=0)  # takes minutes
    out = tmp_path / "out"
    on_ray_spawned(tmp_path / "in", "-o", out, "--workers", "1", "--time-limit", "9")
    assert [row["status"] for row in rows(out).values()] == ["failed", "done", "done", "done"]
    assert "more than 9 s" in rows(out)["a"]["reason"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ended_at_any_moment_it_goes_on(pictures, by_processes, tmp_path, number):
    out = tmp_path / "out"
    process = spawn(pictures, "-o", out, "--workers", "1", "--engine", "ray", *DRAFT)
    while not drawings(out):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == (cli.INTERRUPTED if number == signal.SIGTERM else -number), told
    before = times(out)
    assert batch(pictures, "-o", out, *DRAFT) == cli.IN_PART
    assert drawings(out) == drawings(by_processes)
    assert {name: at for name, at in times(out).items() if name in before} == before
    assert litter(out) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to find Ray's workers in")
def test_a_row_whose_actor_is_lost_is_given_to_another(pictures, by_processes, tmp_path):
    out = tmp_path / "out"
    process = spawn(pictures, "-o", out, "--workers", "1", "--engine", "ray", *DRAFT)
    while not drawings(out):
        assert process.poll() is None
        time.sleep(0.02)
    actors = [number for number, words in descendants(process.pid) if b"ray::MapWorker" in words]
    for number in actors:
        os.kill(number, signal.SIGKILL)
    _, told = process.communicate(timeout=120)
    assert actors
    assert process.returncode == cli.IN_PART, told
    assert drawings(out) == drawings(by_processes)
    assert figures(out) == figures(by_processes)


def test_output_that_cannot_be_written_ends_the_run_in_a_sentence(tmp_path):
    draw(tmp_path / "in/a.png")
    (tmp_path / "out/.layervec/staging").parent.mkdir(parents=True)
    (tmp_path / "out/.layervec/staging").write_text("")
    told = on_ray_spawned(tmp_path / "in", "-o", tmp_path / "out", code=cli.BAD_INPUT)
    assert told.count("\n") == 1
    assert "staging is no file, which no batch has made" in told


def test_a_cluster_that_is_not_there_is_told(tmp_path):
    draw(tmp_path / "in/a.png")
    told = on_ray_spawned(tmp_path / "in", "-o", tmp_path / "out", "--address", "127.0.0.1:1", code=cli.BAD_INPUT)
    assert told.startswith("layervec: The Ray cluster at 127.0.0.1:1 cannot be joined")
    assert told.count("\n") == 1


def test_urls_are_read_and_written(pictures, by_processes, tmp_path):
    out = tmp_path / "out"
    words = (pictures.as_uri(), "-o", out.as_uri(), "--workers", "1", *DRAFT)
    assert batch(*words) == cli.IN_PART
    assert drawings(out) == drawings(by_processes)
    parts = sorted((out / HIDDEN / "journal").iterdir())
    before = times(out)
    assert batch(*words) == cli.IN_PART
    assert times(out) == before
    assert sorted((out / HIDDEN / "journal").iterdir()) != parts
    assert len(list((out / HIDDEN / "journal").iterdir())) <= 2, "the journal does not grow by being read"
    assert not (out / HIDDEN / "staging").exists()


def test_url_patterns_are_mirrored(pictures, tmp_path):
    assert batch(f"{pictures.as_uri()}/**/p*.png", "-o", tmp_path / "out", *DRAFT) == cli.DONE
    assert sorted(rows(tmp_path / "out")) == ["deep/er/p1", "deep/er/p3", "deep/er/p5", "p0", "p2", "p4"]


def test_parquet_lists_and_manifests(tmp_path):
    import pyarrow

    draw(tmp_path / "a.png")
    table = pyarrow.table({"image": ["a.png", "a.png"], "paths": [2, None], "output": ["few", "some"]})
    parquet.write_table(table, tmp_path / "list.parquet")
    words = (tmp_path / "list.parquet", "-o", tmp_path / "out", "--manifest", "parquet", *DRAFT)
    assert batch(*words) == cli.DONE
    found = parquet.read_table(io.BytesIO((tmp_path / "out/manifest.parquet").read_bytes())).to_pylist()
    assert [(row["output"], row["status"], row["width"]) for row in found] == [
        ("few", "done", 64),
        ("some", "done", 64),
    ]
    assert found[0]["shapes"] == 2 < found[1]["shapes"]
    assert isinstance(found[0]["psnr"], float)


def test_a_cluster_has_room_by_its_scarcest(monkeypatch):
    assert _room({"CPU": 64.0}, 2, 0.0) == 32
    assert _room({"CPU": 64.0, "GPU": 2.0}, 1, 0.25) == 8
    assert _room({"CPU": 4.0, "GPU": 2.0}, 1, 0.25) == 4
    assert _room({}, 8, 0.0) == 1


def test_missing_extra_is_told(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    draw(tmp_path / "in/a.png")
    assert batch(tmp_path / "in", "-o", tmp_path / "out", "--engine", "ray") == cli.BAD_INPUT
    assert capfd.readouterr().err.endswith('which the extra `batch` brings: pip install ".[batch]"\n')
