"""Rounds of refinement: budgets kept, better pictures, few shapes where few are enough."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from pictures import confetti, cut_out, disc, nested_discs, noisy, premultiplied, raster, scenery, three_discs

from layervec import arrange, choose, optimize, ranks, refine, simplify, tree
from layervec import raster as rasteriser
from layervec.settings import EFFORTS


def refined(picture, budget, quality="draft", threads=None, on_progress=None):
    """Return tree, pixels, first plan and refined plan."""
    source = raster(picture)
    found, pixels = tree.build(source, simplify.classic(source)), premultiplied(picture)
    first = arrange.arrange(found, pixels, refine.first_budget(budget), 1.0)
    more = {} if on_progress is None else {"on_progress": on_progress}
    plan = refine.refine(
        found, first, pixels, budget=budget, tolerance=1.0, effort=EFFORTS[quality], threads=threads, **more
    )
    return found, pixels, first, plan


@pytest.mark.parametrize("name", ["three", "scenery", "noisy"])
def test_no_shape_is_kept_that_removes_less_than_the_least_gain(name) -> None:
    source = raster(PICTURES[name]())
    found, pixels = tree.build(source, simplify.classic(source)), premultiplied(PICTURES[name]())
    counts = []
    for least in (0.25, 4.0, 400.0, 1e9):
        first = arrange.arrange(found, pixels, 60, 1.0, least_gain=least)
        plan = refine.refine(found, first, pixels, budget=80, tolerance=1.0, effort=EFFORTS["draft"], least_gain=least)
        whole = squared_error(found, pixels, plan)
        for i in np.flatnonzero(plan.nodes != 0):
            without = plan.only(np.delete(np.arange(len(plan)), i))  # what lay on it may come to lie below others
            share = choose.SEEN_SHARE if choose.content(found)[plan.nodes[i]] else 1.0
            # Smaller versions count as well.
            assert squared_error(found, pixels, without) - whole >= 0.4 * refine.WORTH * share * least
        counts.append(len(plan))
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1


def squared_error(found, pixels, plan, shown=None):
    """Return the summed squared error of a plan, or of its shapes of rank below `shown`."""
    order = arrange.stack(found, plan.nodes)
    order = order if shown is None else order[order < shown]
    scene = optimize.pack([plan.outlines[i] for i in order], plan.paints[order])
    h, w, channels = pixels.shape
    image = rasteriser.render(scene, w, h)
    drawn = image if channels == 4 else image[..., :3] + 1 - image[..., 3:]
    return float(((drawn - pixels) ** 2).sum())


def psnr(found, pixels, plan, shown=None):
    """Return the PSNR of the same, dB."""
    return -10 * math.log10(squared_error(found, pixels, plan, shown) / pixels.size)


PICTURES = {
    "three": three_discs,
    "nested": nested_discs,
    "scenery": scenery,
    "noisy": lambda: noisy(scenery(), 0.05),
    "sticker": lambda: cut_out(disc(64, 80, 40, 32, 24), (0.9, 0.5, 0.1)),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("budget", [1, 3, 8, 21])
def test_the_budget_is_never_exceeded(name, budget) -> None:
    found, _, _, plan = refined(PICTURES[name](), budget)
    assert 1 <= len(plan) <= budget
    assert len(plan.outlines) == len(plan.paints) == len(plan)
    assert len(np.unique(plan.nodes)) == len(plan)
    assert ((plan.nodes >= 0) & (plan.nodes < len(found))).all()
    assert ((plan.paints >= 0) & (plan.paints <= 1)).all()
    for outline in plan.outlines:
        assert np.isfinite(outline.points).all()


@pytest.mark.parametrize("name", PICTURES)
def test_refinement_betters_the_first_plan_or_saves_nodes_for_it(name) -> None:
    """Flat shapes are nearly right at once; then nodes may go for an error of their price."""
    found, pixels, first, plan = refined(PICTURES[name](), 16)
    nodes_before, nodes_after = (sum(outline.segments for outline in p.outlines) for p in (first, plan))
    allowance = refine.NODE_PRICE * max(0, nodes_before - nodes_after)
    assert squared_error(found, pixels, plan) < squared_error(found, pixels, first) + allowance


def test_refinement_betters_a_busy_picture_clearly() -> None:
    found, pixels, first, plan = refined(confetti(), 40)
    assert psnr(found, pixels, plan) > psnr(found, pixels, first) + 1


def test_more_shapes_show_more() -> None:
    runs = [refined(confetti(), budget) for budget in (4, 16, 64)]
    results = [psnr(found, pixels, plan) for found, pixels, _, plan in runs]
    assert results[0] + 1.5 < results[1] < results[2] - 1.5, results


def test_more_effort_shows_more() -> None:
    draft, standard = (
        psnr(found, pixels, plan)
        for found, pixels, _, plan in (refined(confetti(), 24, quality) for quality in ("draft", "standard"))
    )
    assert standard > draft


def test_flat_shapes_need_few_paths() -> None:
    found, pixels, _, plan = refined(three_discs(), 64)
    assert len(plan) <= 8
    assert psnr(found, pixels, plan) > 38


def test_the_background_stays_and_ranks_first() -> None:
    for picture in (three_discs(), scenery()):
        _, _, _, plan = refined(picture, 12)
        assert plan.nodes[0] == 0
        assert (plan.nodes[1:] > 0).all()
        h, w = picture.shape[:2]
        assert sorted(map(tuple, plan.outlines[0].points[0::3])) == [(0, 0), (0, h), (w, 0), (w, h)]


def test_no_shape_of_a_plan_does_harm() -> None:
    """Leaving any one shape out never makes the picture better."""
    found, pixels, _, plan = refined(scenery(), 12)
    order = arrange.stack(found, plan.nodes)
    scene = optimize.pack([plan.outlines[i] for i in order], plan.paints[order])
    target = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    removal = rasteriser.survey(scene, target).removal
    assert removal.min() > -0.05
    assert (removal > choose.LEAST_GAIN).mean() > 0.7


@pytest.mark.parametrize("name", ["scenery", "noisy"])
def test_the_first_ranks_are_pictures_already(name) -> None:
    found, pixels, _, plan = refined(PICTURES[name](), 32, "standard")
    shown = [psnr(found, pixels, plan, count) for count in (1, 2, 4, 8, 16)]
    assert all(after > before - 0.01 for before, after in pairwise(shown)), shown
    assert shown[3] > shown[0] + 6


def test_borders_that_only_the_first_shapes_show_are_fitted_there(monkeypatch) -> None:
    """Hues that run into each other, so that most of an early shape lies below later ones in the end."""
    y, x = np.mgrid[:96, :96] / 95
    hues = np.stack([x, y, 2 * np.hypot(x - 0.5, y - 0.5) ** 2, np.ones_like(x)], axis=2).astype(np.float32)
    fitted = refined(hues, 40, "standard")
    monkeypatch.setattr(refine, "FIT_PREFIXES", ())
    without = refined(hues, 40, "standard")
    gained = [psnr(*fitted[:2], fitted[3], most) - psnr(*without[:2], without[3], most) for most in (8, 16, 32, 40)]
    assert min(gained[:3]) > 0.4, gained
    assert gained[3] > -0.15


def test_progress_runs_from_start_to_end() -> None:
    heard = []
    found, pixels, _, plan = refined(scenery(), 12, on_progress=heard.append)
    done = [progress.done for progress in heard]
    assert done == sorted(done)
    assert 0 < done[0] < 0.1
    assert done[-1] == pytest.approx(1.0)
    plans = [progress.plan for progress in heard if progress.plan is not None]
    assert len(plans) >= 2
    assert {progress.round for progress in heard} <= {0, 1}
    assert all(progress.paths <= 12 for progress in heard)
    assert heard[-1].paths == len(plan)
    # The figure is that before the last step, so it may be a little behind.
    assert psnr(found, pixels, plan) - 2 < heard[-1].psnr < psnr(found, pixels, plan) + 0.2


def test_an_empty_plan_stays_empty() -> None:
    picture = np.zeros((20, 30, 4), np.float32)
    source = raster(picture)
    found = tree.build(source, [source])
    plan = arrange.arrange(found, picture, 5, 1.0)
    result = refine.refine(found, plan, picture, budget=5, tolerance=1.0, effort=EFFORTS["draft"])
    assert len(result) == 0


def test_the_number_of_threads_does_not_matter() -> None:
    plans = [refined(noisy(scenery(), 0.03), 16, threads=threads)[3] for threads in (1, 2)]
    assert plans[0].nodes.tobytes() == plans[1].nodes.tobytes()
    assert plans[0].paints.tobytes() == plans[1].paints.tobytes()
    for a, b in zip(plans[0].outlines, plans[1].outlines, strict=True):
        assert a.points.tobytes() == b.points.tobytes()


def test_worthless_shapes_make_room() -> None:
    """Two copies of one region in the first plan: one of them shows nothing, and goes."""
    picture = three_discs()
    source = raster(picture)
    found, pixels = tree.build(source, simplify.classic(source)), premultiplied(picture)
    plan = arrange.arrange(found, pixels, 4, 1.0)
    # a flat part of the ground as one more shape of the ground's colour
    inside = np.zeros(len(found), bool)
    for node in plan.nodes[1:]:
        inside[int(node) : int(found.last[node])] = True
    areas = tree.node_sums(found, np.ones((*found.labels.shape, 1)))[:, 0]
    free = [i for i in range(1, len(found)) if not inside[i : int(found.last[i])].any() and areas[i] > 60]
    paints = np.concatenate([plan.paints, plan.paints[:1]])
    more = arrange.Plan(np.append(plan.nodes, free[-1]), plan.outlines, paints)
    more = arrange.add_outlines(more, found, pixels, 1.0)
    assert len(more) == 5
    result = refine.refine(found, more, pixels, budget=64, tolerance=1.0, effort=EFFORTS["draft"])
    assert free[-1] not in result.nodes
    assert set(plan.nodes) <= set(result.nodes)


def test_first_budgets_leave_room_but_are_never_nothing() -> None:
    for budget in (1, 2, 3, 10, 256):
        assert 1 <= refine.first_budget(budget) <= budget
    assert refine.first_budget(256) < 256


def test_shapes_are_in_order_of_rank() -> None:
    found, pixels, _, plan = refined(scenery(), 12)
    order = ranks.rank(found, pixels, plan)
    assert order.tolist() == list(range(len(plan)))
