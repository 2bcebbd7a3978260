"""Threads: as many as are asked for, within reason."""

from __future__ import annotations

import pytest
from PIL import Image

from layervec import arguments, cli, pool


def test_more_parts_than_any_machine_has_cores_for_are_not_made():
    started = []
    pool.run(lambda start, step: started.append((start, step)), 1_000_000)
    assert sorted(started) == [(start, pool.MOST) for start in range(pool.MOST)]
    assert pool.parts(10**9, 1, 1_000_000) == pool.MOST
    assert pool.parts(10**9, 1, 3) == 3


@pytest.mark.parametrize("number", [100_000, 10**30])
def test_more_threads_than_cores_are_told_of(number, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    Image.new("RGB", (16, 16), "red").save(tmp_path / "a.png")
    words = ["vectorize", str(tmp_path / "a.png"), "--quality", "draft", "--threads"]
    assert cli.main([*words, str(number)]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"layervec: --threads {number} is more than this machine has use for; it is taken for 2."
    few = (tmp_path / "a.svg").read_bytes()
    assert cli.main([*words, "2"]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (tmp_path / "a.svg").read_bytes() == few


def test_a_batch_has_no_more_workers_than_the_machine_can_feed(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    asked = arguments.batch(["in", "-o", "out", "--workers", "100000", "--threads", "100000"])
    assert (asked.options.workers, asked.options.threads) == (8, 2)
    assert [note.split()[0] for note in asked.notes] == ["--threads", "--workers"]
    there = arguments.batch(["in", "-o", "out", "--engine", "ray", "--address", "far", "--workers", "100000"])
    assert (there.options.workers, there.notes) == (100_000, ())
