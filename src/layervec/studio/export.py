"""Drawings as files: PNG by resvg, PDF by ReportLab, both from the drawing itself, so that a PDF keeps its curves.

Knows drawings and bytes. SVG needs no export: a work's own text is saved as it is.
"""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from layervec.image import fit_size, png_bytes
from layervec.score import render_svg
from layervec.types import Drawing, LinearGradient, Outline, RadialGradient, Shape, Solid

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

MOST_SIDE = 4096  # px of a PNG; a quarter of a GiB while it is made
PDF_SIDE = 14400  # points; the longest side of a page that Acrobat shows
EVEN_ODD, NONZERO = 0, 1  # ReportLab's names for fill rules are numbers


def png(text: str, width: float, height: float, longest: int = MOST_SIDE) -> bytes:
    """Return SVG text as a PNG file with transparency, of its own size but no side longer than `longest` px.

    A side of less than half a pixel gets one.
    """
    size = fit_size(max(1, round(width)), max(1, round(height)), longest)
    return png_bytes(render_svg(text, *size, background=None))


def pdf(drawing: Drawing) -> bytes:
    """Return a drawing as a PDF file of one page, a point for a pixel unless that page would be too large.

    The same drawing gives the same bytes. Layers are not kept: the page has shapes alone.
    """
    from reportlab.pdfgen.canvas import Canvas

    scale = min(1.0, PDF_SIDE / max(drawing.width, drawing.height))
    file = io.BytesIO()
    canvas = Canvas(file, (drawing.width * scale, drawing.height * scale), invariant=1, pageCompression=1)
    canvas.setTitle(drawing.title or "drawing")
    canvas.setCreator("layervec")
    canvas.transform(scale, 0, 0, -scale, 0, drawing.height * scale)  # y runs down in a drawing, up on a page
    page = canvas.beginPath()
    page.rect(0, 0, drawing.width, drawing.height)
    canvas.clipPath(page, stroke=0, fill=0)
    for shape in drawing.shapes():
        _paint(canvas, shape)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


def _paint(canvas: Canvas, shape: Shape) -> None:
    path = canvas.beginPath()
    _trace(path, shape.outline)
    rule = EVEN_ODD if shape.even_odd else NONZERO
    paint = shape.paint
    canvas.setFillAlpha(paint.alpha)
    if isinstance(paint, Solid):
        canvas.setFillColorRGB(paint.red, paint.green, paint.blue)
        canvas.drawPath(path, stroke=0, fill=1, fillMode=rule)
        return
    canvas.saveState()
    canvas.clipPath(path, stroke=0, fill=0, fillMode=rule)
    _shade(canvas, paint)
    canvas.restoreState()


def _trace(path: Any, outline: Outline) -> None:
    """Put an outline's contours into a path of ReportLab."""
    for first, last in pairwise(outline.starts.tolist()):
        ring = outline.points[first:last].tolist()
        ring.append(ring[0])
        path.moveTo(*ring[0])
        for at in range(0, last - first, 3):
            if outline.straight[(first + at) // 3]:
                path.lineTo(*ring[at + 3])
            else:
                path.curveTo(*ring[at + 1], *ring[at + 2], *ring[at + 3])
        path.close()


def _shade(canvas: Canvas, paint: LinearGradient | RadialGradient) -> None:
    """Fill what is clipped to with a gradient."""
    from reportlab.lib.colors import Color

    colours = [Color(stop.red, stop.green, stop.blue) for stop in paint.stops]
    offsets = [stop.offset for stop in paint.stops]
    if isinstance(paint, LinearGradient):
        canvas.linearGradient(*paint.start, *paint.end, colours, offsets, extend=True)
    else:
        canvas.radialGradient(*paint.centre, paint.radius, colours, offsets, extend=True)
