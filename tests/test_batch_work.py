"""One row in a worker: models that stay loaded, and failures that are ours."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from batches import DRAFT, draw
from PIL import Image

from layervec import pipeline
from layervec.batch import place
from layervec.batch.manifest import manifest
from layervec.batch.record import NUMBERS, Record
from layervec.batch.work import Task, work
from layervec.models import kept

STAGED = "01796104193507745732-75d44379/3"
SETTINGS = {"quality": DRAFT[1], "paths": 4}


@pytest.fixture
def ready(tmp_path):
    """An output and the name of a run."""
    spot = place.spot(str(tmp_path / "out"))
    output = spot.place()
    output.open()
    output.start([])
    yield output, spot.run
    output.close()


def task(path, **more):
    return Task(0, str(path), "a", SETTINGS, (".svg",), **more)


def test_models_are_loaded_once_where_they_are_kept(monkeypatch):
    monkeypatch.setattr(kept, "_models", None)
    loads = []

    def load():
        loads.append(1)
        return object()

    assert kept.loaded("a", load) is not kept.loaded("a", load)
    kept.keep()
    first = kept.loaded("a", load)
    assert kept.loaded("a", load) is first is not kept.loaded("b", load)
    kept.keep()
    assert kept.loaded("a", load) is first
    assert len(loads) == 4


def test_what_could_not_be_done_is_noted(tmp_path, ready):
    path = tmp_path / "grain.png"
    grain = np.random.default_rng(3).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    Image.fromarray(grain).save(path)
    asked = replace(task(path), settings={**SETTINGS, "drop_background": True})
    record = work(asked, *ready, 1, lambda known: None)
    assert (record.status, record.reason) == ("done", "")
    assert record.note == f"{path} has no plain background all round, so nothing was dropped."
    assert record.note in manifest([record], "csv").decode()


def test_what_is_our_fault_is_a_reason_too(tmp_path, ready, monkeypatch):
    def broken(*args, **more):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(pipeline, "vectorize", broken)
    path = draw(tmp_path / "a.png")
    record = work(task(path), *ready, 1, lambda known: None)
    assert record.status == "failed"
    assert record.reason == (
        f"{path}: something went wrong that is not your fault (ZeroDivisionError: by zero); please report it."
    )
    assert len(record.key) == 64


def test_a_known_row_is_left_alone_while_its_files_are_there(tmp_path, ready):
    path = draw(tmp_path / "a.png")
    output, run = ready
    record = work(task(path), output, run, 1, lambda known: None)
    output.commit(record.line(), [(record.staged + ".svg", "a.svg")])
    known = {"known": record.key, "kinds_known": record.kinds}
    assert work(task(path, **known), output, run, 1, lambda known: None) is None
    (tmp_path / "out/a.svg").unlink()
    assert work(task(path, **known), output, run, 1, lambda known: None).status == "done"


def test_records_and_tasks_survive_being_text():
    record = Record("i\udcff.png", "i", "failed", 'a "reason"', psnr=float("inf"), kinds=(".svg",), staged=STAGED)
    assert Record.of_line(record.line()) == record
    for torn in (
        b"",
        b"{}",
        b'{"image": "a"',
        b"[]",
        b"null",
        b'{"kinds": []}',
        b'{"kinds": [], "colour": 1}',
        b"[" * 200_000,
    ):
        assert Record.of_line(torn) is None
    known = Task(3, "a.png", "a", {"paths": 4}, (".svg", ".png"), "key", (".svg",))
    assert Task.of_plain(known.plain()) == known


@pytest.mark.parametrize(
    "strange",
    [
        *(
            {"output": name}
            for name in ("../a", "/a", "a/../../b", "a\0b", "", "a//b", "./a", ".layervec/lock", 3, None)
        ),
        *({"staged": name} for name in ("../x/1", "/etc/1", "x", f"{STAGED}/../../a", "")),
        {"kinds": [".sh"]},
        {"kinds": [["a"]]},
        {"psnr": "high"},
        {"psnr": None},
        {"reason": 3},
        {"status": "ready"},
    ],
)
def test_lines_of_a_journal_that_no_batch_writes_are_passed_over(strange):
    figures = dict.fromkeys(NUMBERS, 1)
    good = json.loads(Record("i.png", "i", "done", **figures, kinds=(".svg",), staged=STAGED).line())
    assert Record.of_line(json.dumps(good).encode()) is not None
    assert Record.of_line(json.dumps(good | strange).encode()) is None
