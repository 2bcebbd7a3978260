"""Scratch memory: kept from call to call, bounded, and never handed out."""

import numpy as np
from raster_scenes import blobs

from layervec import raster
from layervec.raster import arena as arenas


def test_drawing_again_takes_no_more_scratch():
    drawn, target = blobs(1, 30, 90, 75), np.zeros((3, 75, 90), np.float32)
    raster.fit_pass(drawn, target, threads=1)
    kept = arenas.kept_bytes()
    raster.fit_pass(drawn, target, threads=1)
    assert 0 < arenas.kept_bytes() == kept


def test_more_scratch_than_is_kept_is_let_go_of(monkeypatch):
    monkeypatch.setattr(arenas, "MOST_KEPT", 0)
    drawn = blobs(2, 30, 90, 75)
    raster.render(drawn, 90, 75, threads=1)
    assert arenas.arena().size() == 0


def test_answers_stay_as_they_are_when_something_else_is_drawn():
    target = np.zeros((3, 75, 90), np.float32)
    found = raster.fit_pass(blobs(3, 30, 90, 75), target, threads=1)
    copies = [found.image.copy(), found.points.copy(), found.paints.copy()]
    raster.fit_pass(blobs(4, 30, 90, 75), target, threads=1)
    raster.solve_paints(blobs(5, 30, 90, 75), target, threads=1)
    for values, copy in zip((found.image, found.points, found.paints), copies, strict=True):
        assert (values == copy).all()


def test_arguments_may_be_read_only():
    drawn, target = blobs(6, 30, 90, 75), np.zeros((3, 75, 90), np.float32)
    for values in (drawn.points, drawn.paints, target):
        values.setflags(write=False)
    assert raster.fit_pass(drawn, target, threads=1).loss > 0
    assert raster.solve_paints(drawn, target, threads=1).paints.shape == (30, 3)
