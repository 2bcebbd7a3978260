"""The page of a run: its values as HTML, for the template in viewer/.

Knows neither files nor measuring (report.py). Every text that comes from outside goes through `escape` or, as
data for the script, through `_json`; pictures become part of the page.
"""

from __future__ import annotations

import base64
import io
import json
import math
from html import escape

import numpy as np
from PIL import Image

from layervec import viewer
from layervec.image import fit_size, resize
from layervec.ours import UNSEALED
from layervec.report import MASK_LONGEST, STEP_LONGEST, Point, Run, Step, shown_drawing
from layervec.settings import Settings
from layervec.types import Raster

JPEG_QUALITY = 82  # 0..100; no visible blocks in soft gradients at the sizes shown here
STAGE_NAMES = {"load": "open", "write": "write the SVG"}  # stages whose own name says too little
EXACT_PSNR = 99.0  # dB; where a curve shows a drawing that equals its picture


def page(run: Run) -> str:
    """Return the page of a run as HTML text."""
    title = run.drawing.title or "picture"
    return viewer.page(
        "report.html",
        main="report.js",
        styles=("viewer.css", "report.css"),
        title=escape(title),
        generator=escape(f"layervec {run.record.version}"),
        seal=UNSEALED,
        subtitle=escape(_subtitle(run)),
        figures=_figures(run),
        drawing=shown_drawing(run.drawing),
        source=picture_address(run.source),
        curve=_table([(str(point.paths), _decibels(point.psnr)) for point in run.by_rank], "shapes", "PSNR"),
        galleries="\n".join(_galleries(run)),
        times=_times(run.record.seconds),
        settings=_table(_settings(run.record.settings)),
        facts=_json(_facts(run, title)),
    )


def _facts(run: Run, title: str) -> dict[str, object]:
    """Return what the script must know."""
    fitted = [step.point for step in run.stages if step.point is not None]
    return {
        "title": title,
        "width": run.drawing.width,
        "height": run.drawing.height,
        "series": [{"points": [_plotted(point) for point in points]} for points in (run.by_rank, fitted)],
    }


def _plotted(point: Point) -> dict[str, float]:
    return {"paths": point.paths, "psnr": EXACT_PSNR if point.psnr is None else round(point.psnr, 3)}


def _json(value: object) -> str:
    """Return JSON that can end no script element, whatever its texts hold."""
    text = json.dumps(value, allow_nan=False)  # ASCII: line separators are escaped too
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


# Figures and tables


def _subtitle(run: Run) -> str:
    size = run.record.source
    quality = run.record.settings.get("quality", "standard")
    return f"{size.width} × {size.height} px, {quality} quality, at most {run.record.settings.get('paths', '?')} shapes"


def _figures(run: Run) -> str:
    score = run.record.score
    values = [
        ("PSNR", _decibels(score.psnr)),
        ("SSIM", f"{score.ssim:.3f}"),
        ("shapes", str(score.shapes)),
        ("layers", f"{score.layers}"),
        ("nodes", str(score.nodes)),
        ("SVG", _kib(score.kib)),
        ("opens at worst", f"{100 * score.opens_worst:.2f} %"),
        ("time", _seconds(sum(run.record.seconds.values()))),
    ]
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in values)


def _decibels(psnr: float | None) -> str:
    return "exact" if psnr is None else f"{psnr:.1f} dB"


def _kib(size: float) -> str:
    return f"{size:.{0 if size >= 10 else 1}f} KiB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.{1 if seconds >= 1 else 2}f} s"


def _settings(values: dict[str, object]) -> list[tuple[str, str]]:
    """Return settings as rows: the usual dials always, all others where they are not the default."""
    default = Settings().model_dump(mode="json")
    usual = ("paths", "quality", "size", "levels_count", "gradients", "tolerance", "simplifier", "segmenter")
    kept = {key: value for key, value in values.items() if key in usual or value != default.get(key)}
    return [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in kept.items()]


def _table(rows: list[tuple[str, str]], *heads: str) -> str:
    head = "<thead><tr>" + "".join(f'<th scope="col">{escape(name)}</th>' for name in heads) + "</tr></thead>"
    body = "".join(f'<tr><th scope="row">{escape(a)}</th><td>{escape(b)}</td></tr>' for a, b in rows)
    return f"<table>{head if heads else ''}<tbody>{body}</tbody></table>"


def _times(seconds: dict[str, float]) -> str:
    """Return a table of stages with a bar for the share of each."""
    whole = sum(seconds.values()) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{escape(STAGE_NAMES.get(name, name))}</th>'
        f'<td class="share"><svg aria-hidden="true"><rect class="all" width="100%" height="100%" rx="4"/>'
        f'<rect class="part" width="{100 * value / whole:.2f}%" height="100%" rx="4"/></svg></td>'
        f'<td class="number">{_seconds(value)}</td></tr>'
        for name, value in seconds.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


# Pictures


def _galleries(run: Run) -> list[str]:
    """Return a section for each kind of picture that there is."""
    levels = [(step, "the picture" if i == 0 else f"simplified, {i}") for i, step in enumerate(run.levels)]
    cuts = [(step, f"{step.name} regions") for step in run.cuts]
    stages = [(step, _stage_caption(step)) for step in run.stages]
    masks = [(step, step.name.lstrip("0")) for step in run.masks]
    objects = [(step, "level " + step.name.replace("-", ", no. ")) for step in run.objects]
    more = f" The first {len(objects)} of {run.found}." if run.found > len(objects) else ""
    found = [
        _gallery("Simplified", "The picture and its simpler versions, which decide what belongs together.", levels),
        _gallery("Objects", f"Masks that were found or given.{more}", objects, small=True),
        _gallery("Regions", "The tree of regions, cut into so many of them, in mean colours.", cuts),
        _gallery("Masks", "The first regions picked, in order: each becomes a shape.", masks, small=True),
        _gallery("Stages", "The drawing as it was fitted.", stages),
    ]
    return [section for section in found if section]


def _stage_caption(step: Step) -> str:
    name = step.name.partition("-")[2].replace("-", " ") or step.name
    point = step.point
    return name if point is None else f"{name}: {point.paths} shapes, {_decibels(point.psnr)}"


def _gallery(title: str, note: str, steps: list[tuple[Step, str]], *, small: bool = False) -> str:
    if not steps:
        return ""
    figures = "".join(
        f'<figure><button type="button" class="enlarge" aria-label="Enlarge: {escape(caption)}">'
        f'<img src="{picture_address(step.raster, MASK_LONGEST if small else STEP_LONGEST, grey=small)}" '
        f'alt="{escape(caption)}" loading="lazy" decoding="async"></button>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for step, caption in steps
    )
    kind = "gallery small" if small else "gallery"
    return f'<section><h2>{title}</h2><p class="quiet">{note}</p><div class="{kind}">{figures}</div></section>'


def picture_address(raster: Raster, longest: int | None = None, *, grey: bool = False) -> str:
    """Return a picture as a data address: JPEG where it is opaque, else PNG, and two-coloured PNG for masks."""
    if longest is not None:
        raster = resize(raster, *fit_size(raster.width, raster.height, longest))
    levels = np.rint(np.clip(raster.pixels, 0.0, 1.0) * 255.0).astype(np.uint8)
    file = io.BytesIO()
    if grey:
        Image.fromarray(levels[..., 0]).point(_black_or_white, "1").save(file, "PNG", optimize=True)
    elif raster.opaque:
        Image.fromarray(levels[..., :3]).save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    else:
        Image.fromarray(levels).save(file, "PNG", optimize=True)
    kind = "jpeg" if raster.opaque and not grey else "png"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _black_or_white(level: int) -> int:
    return 255 * math.floor(level / 128)
