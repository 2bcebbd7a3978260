"""The quality benchmark's own measures and report, on drawings whose figures are known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("the benchmarks are not in this copy", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

from quality import layers, measures, peers, report, seams  # noqa: E402
from quality.pictures import Picture  # noqa: E402


def drawing(*shapes: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{"".join(shapes)}</svg>'


GROUND = '<path fill="#eee" d="M0 0H32V32H0Z"/>'
DISC = '<g fill="#06c"><circle cx="16" cy="16" r="12"/></g>'
COVER = '<path fill="#c30" opacity=".5" d="M16 0H32V32H16Z"/>'


def test_a_drawing_matches_itself() -> None:
    assert layers.match(drawing(GROUND, DISC, COVER), drawing(GROUND, DISC, COVER)) == (1.0, 1.0)


def test_a_cut_disc_matches_what_is_seen_but_not_the_whole() -> None:
    cut = drawing(GROUND, '<path fill="#06c" d="M16 4A12 12 0 0 0 16 28Z"/>', COVER)
    seen, whole = layers.match(drawing(GROUND, DISC, COVER), cut)
    assert seen == pytest.approx(1.0, abs=0.01)
    assert whole == pytest.approx((1 + 0.5 + 1) / 3, abs=0.01)


def test_shapes_that_are_only_defined_are_not_counted() -> None:
    assert layers.drawn_shapes(drawing(f"<defs>{GROUND}</defs>", DISC, COVER)) == 2


def test_gmsd_sees_edges_and_no_offsets() -> None:
    picture = np.full((64, 64, 3), 0.4, np.float32)
    picture[16:48, 16:48] = 0.8
    assert measures.gmsd(picture, picture) == 0
    assert measures.gmsd(picture, picture + np.float32(0.1)) < 1e-3
    assert measures.gmsd(picture, np.full_like(picture, 0.5)) > 0.1


def halves(gap: float) -> str:
    """Return a drawing of two dark halves on white, with a gap between them."""
    parts = [
        f'<path id="s{n}" data-rank="{n}" fill="{c}" d="{d}"/>'
        for n, c, d in (
            (1, "#ffffff", "M0 0L32 0L32 32L0 32Z"),
            (2, "#003366", "M0 0L16 0L16 32L0 32Z"),
            (3, "#330000", f"M{16 + gap} 0L32 0L32 32L{16 + gap} 32Z"),
        )
    ]
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32" viewBox="0 0 32 32">{"".join(parts)}</svg>'


def test_seams_are_what_shines_through_between_shapes() -> None:
    picture = np.zeros((32, 32, 3), np.float32)
    picture[:, :16], picture[:, 16:] = (0, 0.2, 0.4), (0.2, 0, 0)
    assert seams.share(halves(0.0), picture) == 0
    assert seams.share(halves(-1.0), picture) == 0
    assert seams.share(halves(0.15), picture) > 0.05
    picture[:, 15:17] = 1.0
    assert seams.share(halves(0.15), picture) == 0  # the picture has it, too


@pytest.mark.parametrize("peer", peers.PEERS)
def test_peers_keep_within_the_budget(peer: str) -> None:
    if peers.missing(peer):
        pytest.skip(peers.missing(peer))
    pixels = np.full((40, 60, 3), 230, np.uint8)
    pixels[8:32, 10:30], pixels[8:32, 35:55] = (200, 40, 30), (30, 60, 200)
    target = (pixels / 255).astype(np.float32)
    found = peers.best(peer, pixels, target, [3, 8])
    assert all(trial.shapes <= budget for budget, trial in found.items())
    assert 8 in found


def test_the_report_tells_where_a_peer_is_ahead() -> None:
    ours = {"psnr": 30.0, "ssim": 0.9, "gmsd": 0.05, "numbers": 100, "shapes": 16, "nodes": 20, "kib": 2.0}
    ours |= {"seconds": 5.0, "ranks": {str(rank): 1.0 for rank in measures.RANKS}, "crossed": 0, "layers": 3}
    ours |= {"opens_worst": 0.0, "seams": 0.0}
    picture = Picture("dot", np.zeros((4, 4, 3), np.uint8), (16,))
    rows = {("dot", 16, "flat"): ours, ("dot", 16, "potrace"): ours | {"psnr": 29.0, "ssim": 0.95, "numbers": 200}}
    text = report.markdown(rows, [picture], ["flat"], ["A note."])
    assert "*A note.*" in text
    assert "+1.00 / -0.050 / +0.000 / x 0.50" in text
    assert "| dot | 16 | k-means + potrace | ssim | 0.900 | 0.950 |" in text
    assert "| dot | 16 | k-means + potrace | psnr" not in text
