"""Scenes for the tests of the rasteriser: random ones, simple ones, and small edits of scenes."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import resvg_py
from PIL import Image

from layervec import ramps
from layervec.raster import Strokes
from layervec.types import STOPS, Ramps, Scene

THIRDS = np.array([0.0, 1 / 3, 2 / 3])[:, None]


def polygon(nodes):
    """Return the contour [3 k, 2] of straight segments through k nodes."""
    nodes = np.asarray(nodes, dtype=np.float64)
    steps = np.roll(nodes, -1, axis=0) - nodes
    return (nodes[:, None] + THIRDS * steps[:, None]).reshape(-1, 2)


def rectangle(x0, y0, x1, y1):
    return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def scene(paths, paints, even_odd=False):
    """Return the scene of `paths`, a list of lists of contours, back to front."""
    contours = [contour for path in paths for contour in path]
    points = np.concatenate([np.zeros((0, 2)), *contours])
    return Scene(
        points.astype(np.float32),
        np.cumsum([0] + [len(contour) for contour in contours]),
        np.cumsum([0] + [len(path) for path in paths]),
        np.array(paints, dtype=np.float32).reshape(-1, 4),
        np.broadcast_to(even_odd, len(paths)).copy(),
    )


def random_scene(seed, count, width, height):
    """Return wild overlapping paths: one or two contours each, off the canvas too, half of them opaque."""
    rng = np.random.default_rng(seed)
    paths = []
    for _ in range(count):
        path = []
        for _ in range(rng.integers(1, 3)):
            centre = (rng.random(2) * 1.4 - 0.2) * [width, height]
            path.append(centre + rng.normal(size=(3 * rng.integers(2, 6), 2)) * rng.uniform(2, width / 3))
        paths.append(path)
    paints = rng.random((count, 4))
    paints[:, 3] = np.where(rng.random(count) < 0.5, 1.0, paints[:, 3])
    return scene(paths, paints, rng.random(count) < 0.5)


def blob(rng, centre, radius, nodes=6):
    """Return a smooth contour round a centre that does not cross itself."""
    angles = np.arange(3 * nodes) * (2 * np.pi / (3 * nodes))
    radii = np.repeat(radius * rng.uniform(0.7, 1.3, nodes), 3)
    return np.asarray(centre) + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def blobs(seed, count, width, height):
    """Return tame overlapping paths, the first a rectangle over the whole canvas."""
    rng = np.random.default_rng(seed)
    paths = [[rectangle(0, 0, width, height)]]
    sizes = rng.uniform(0.05, 0.3, count - 1) * width
    paths += [[blob(rng, rng.random(2) * [width, height], size)] for size in sizes]
    paints = np.ones((count, 4))
    paints[:, :3] = rng.random((count, 3))
    paints[1:, 3] = np.where(rng.random(count - 1) < 0.7, 1.0, rng.uniform(0.2, 1.0, count - 1))
    return scene(paths, paints)


def only(given, keep):
    """Return the scene of the paths whose numbers are in `keep`, in that order."""
    contours = [[given.contours[c : c + 2] for c in range(given.paths[i], given.paths[i + 1])] for i in keep]
    paths = [[given.points[a:b] for a, b in path] for path in contours]
    chosen = scene(paths, given.paints[list(keep)], given.even_odd[list(keep)])
    return replace(chosen, ramps=ramps.only(given.ramps, np.array(keep, dtype=np.int64)))


def moved(given, dx, dy):
    return replace(given, points=given.points + np.array([dx, dy], dtype=np.float32))


def shaded(given, seed, width, height):
    """Return the scene with a gradient on most paths: both kinds, 1 to 4 stops, some jumps, axes off the canvas."""
    rng = np.random.default_rng(seed)
    count = len(given)
    kind = rng.choice([0, 1, 1, 2, 2], count).astype(np.int8)
    kind[:2] = 1, 2
    axis = ((rng.random((count, 4)) * 1.6 - 0.3) * [width, height, width, height]).astype(np.float32)
    axis[kind == 2, 2:] = 0
    axis[kind == 2, 2] = rng.uniform(0.2, 0.9, (kind == 2).sum()) * width
    offsets = np.sort(rng.uniform(0.05, 0.95, (count, STOPS)), axis=1).astype(np.float32)
    colours = rng.random((count, STOPS, 3), dtype=np.float32)
    for path in range(count):
        last = rng.integers(1, STOPS)
        offsets[path, last:], colours[path, last:] = offsets[path, last], colours[path, last]
        if last == 3 and rng.random() < 0.5:
            offsets[path, 2] = offsets[path, 1]
    return replace(given, ramps=Ramps(kind, axis, offsets, colours))


def line_data(points, closed=True):
    """Return a contour or a centre line as SVG path data."""
    p = np.concatenate([points, points[:1]]) if closed else points
    curves = ["C" + " ".join(f"{v:.5f}" for v in p[i : i + 3].ravel()) for i in range(1, len(p), 3)]
    return f"M{p[0, 0]:.5f} {p[0, 1]:.5f}" + "".join(curves) + ("Z" if closed else "")


def path_data(scene, path):
    """Return one path of a scene as SVG path data."""
    contours = [scene.contours[c : c + 2] for c in range(scene.paths[path], scene.paths[path + 1])]
    return "".join(line_data(scene.points[start:end]) for start, end in contours)


def rounded(given):
    """Return a scene or strokes with colours as SVG has them, of 8 bits."""
    paints = given.paints.copy()
    paints[:, :3] = np.round(paints[:, :3] * 255) / 255
    if given.ramps is None:
        return replace(given, paints=paints)
    colours = (np.round(given.ramps.colours * 255) / 255).astype(np.float32)
    return replace(given, paints=paints, ramps=replace(given.ramps, colours=colours))


def rgb(colour):
    return "rgb({},{},{})".format(*np.round(np.asarray(colour) * 255).astype(int))


def paint(given, path, name, id):
    """Return the attributes that fill or stroke one path, and the definition of its gradient."""
    opacity = f'{name}-opacity="{given.paints[path, 3]:.5f}"'
    ramps = given.ramps
    if ramps is None or ramps.kind[path] == 0:
        return f'{name}="{rgb(given.paints[path, :3])}" {opacity}', ""
    linear = ramps.kind[path] == 1
    names = ("x1", "y1", "x2", "y2") if linear else ("cx", "cy", "r")
    where = " ".join(f'{part}="{value:.5f}"' for part, value in zip(names, ramps.axis[path], strict=False))
    pairs = zip(ramps.offsets[path], ramps.colours[path], strict=True)
    stops = "".join(f'<stop offset="{offset:.6f}" stop-color="{rgb(colour)}"/>' for offset, colour in pairs)
    kind = "linearGradient" if linear else "radialGradient"
    ramp = f'<{kind} id="{id}" gradientUnits="userSpaceOnUse" {where}>{stops}</{kind}>'
    return f'{name}="url(#{id})" {opacity}', f"<defs>{ramp}</defs>"


def svg(fills, size, lines=None):
    """Return a scene as SVG text, with strokes on top of it."""
    parts = []
    for path in range(len(fills)):
        fill, ramp = paint(fills, path, "fill", f"fill{path}")
        rule = ' fill-rule="evenodd"' if fills.even_odd[path] else ""
        parts.append(f'{ramp}<path {fill}{rule} d="{path_data(fills, path)}"/>')
    for path in range(0 if lines is None else len(lines)):
        stroke, ramp = paint(lines, path, "stroke", f"stroke{path}")
        style = f'stroke-width="{lines.widths[path]:.5f}" stroke-linejoin="{_of(lines.join, path)}"'
        style += f' stroke-linecap="{_of(lines.cap, path)}" fill="none"'
        owned = range(lines.paths[path], lines.paths[path + 1])
        data = [line_data(lines.points[lines.lines[c] : lines.lines[c + 1]], lines.closed[c]) for c in owned]
        parts.append(f'{ramp}<path {stroke} {style} d="{"".join(data)}"/>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}">'
    return "".join([head, *parts, "</svg>"])


def _of(style, path):
    return style if isinstance(style, str) else style[path]


def drawn_by_resvg(text):
    """Return what resvg makes of SVG text, over white: float64 [3, h, w]."""
    data = bytes(resvg_py.svg_to_bytes(svg_string=text))
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), dtype=np.float64) / 255
    return (pixels[..., :3] * pixels[..., 3:] + 1 - pixels[..., 3:]).transpose(2, 0, 1)


def over_white(image):
    return (image[..., :3] + 1 - image[..., 3:]).transpose(2, 0, 1)


def open_line(nodes):
    """Return the centre line [3 k + 1, 2] of straight segments through k + 1 nodes."""
    nodes = np.asarray(nodes, dtype=np.float64)
    return np.concatenate([(nodes[:-1, None] + THIRDS * np.diff(nodes, axis=0)[:, None]).reshape(-1, 2), nodes[-1:]])


def circle(centre, radius):
    """Return a circle of four cubics, right to 0.03 %."""
    kappa = 0.5522847498
    quarter = np.array([(1, 0), (1, kappa), (kappa, 1), (0, 1), (-kappa, 1), (-1, kappa)])
    return np.asarray(centre) + radius * np.concatenate([quarter, -quarter])


def strokes(paths, widths, closed=None, alpha=1.0, **options):
    """Return black strokes: `paths` is a list of lists of centre lines; by default those of 3 k points are closed."""
    lines = [np.asarray(line, dtype=np.float64) for path in paths for line in path]
    shut = [len(line) % 3 == 0 for line in lines] if closed is None else closed
    return Strokes(
        np.concatenate(lines),
        np.cumsum([0] + [len(line) for line in lines]),
        np.broadcast_to(np.array(shut, np.bool_), len(lines)).copy(),
        np.cumsum([0] + [len(path) for path in paths]),
        np.array(widths, dtype=np.float64),
        np.tile(np.array([0, 0, 0, alpha], np.float32), (len(paths), 1)),
        **options,
    )
