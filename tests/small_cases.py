"""Small pictures that drawings got wrong, drawn anew, each with facts that a right drawing fulfils, and their judge.

What is right is known, since the pictures are drawn here: which flat colours they have, how many shapes that takes,
what must be seen. Used by the tests and by benchmarks/bench_small.py; knows nothing of how layervec draws.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import resvg_py
from PIL import Image, ImageDraw, ImageFont

from layervec import score, visibility

BLACK, WHITE, NAVY, RED, BLUE = "#000000", "#ffffff", "#1d3557", "#c8102e", "#1da1f2"
SAMPLES = 8  # a side, hard samples averaged to one pixel


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A picture and what is true of every right drawing of it.

    pixels: uint8 [h, w, 3 or 4]. colours: all flat colours that it is made of; those that it shows must be fills, and
    no fill may be another one. most_shapes: drawn by hand, with some to spare. right: what the drawing must look like,
    if not as `pixels`. soft: px, how far its edges are blurred, which no drawing can be: the drawing is blurred as much
    before it is compared. hard: edges have no antialiasing, but drawings have. squares: pixels are meant to be seen.
    """

    name: str
    kind: str
    pixels: np.ndarray
    colours: tuple[str, ...]
    most_shapes: int
    least_explained: float = 0.95
    soft: float = 0.0
    hard: bool = False
    squares: bool = False
    drop_background: bool = False
    right: np.ndarray | None = None

    @property
    def expected(self) -> np.ndarray:
        """What the drawing must look like: uint8 [h, w, 3 or 4]."""
        return self.pixels if self.right is None else self.right

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        file = io.BytesIO()
        Image.fromarray(self.pixels).save(file, "PNG")
        return file.getvalue()


# The judge

GROUNDS = (WHITE, BLACK)  # on which what has clear parts is looked at
SAME = 2  # of 255, by which a fill may be off a colour, and a pixel off a plain one
LEAST_SHOWN = 4  # px of just one colour from which on the picture shows it
LEAST_BLOT = 6  # px hanging together, inside of plain colours, that are off; single ones lie at bent borders
LEAST_OPAQUE = 0.98  # alpha; a seam between two shapes that do not overlap has 0.75
SMOOTH = 1.2  # px, standard deviation of the blur that makes steps and antialiased edges alike
MIXED = 6.0  # of 255; how far off the straight way between two colours a mixture may be
_FILL = re.compile(r'(?:fill|stroke)="([^"]+)"')
_SHAPE = re.compile(r"<(?:path|rect|circle|ellipse|line|polyline|polygon)\b")
_TRANSLUCENT = re.compile(r'(?:fill-|stroke-)?opacity="(?!1")')


def judged(case: Case, svg: str) -> list[str]:
    """Return what is wrong in a drawing of a case, the worst first; empty where all is right."""
    wrong = []
    for ground in GROUNDS if _clear(case.expected) else GROUNDS[:1]:
        wrong += _unlike(case, svg, ground)
    return list(dict.fromkeys([*wrong, *_wrong_colours(case, svg), *_wrong_shapes(case, svg)]))


def shapes(svg: str) -> int:
    """Return how many shapes a drawing has."""
    return len(_SHAPE.findall(svg))


def fills(svg: str) -> set[str]:
    """Return the colours of a drawing."""
    return set(_FILL.findall(svg)) - {"none"}


def on(pixels: np.ndarray, ground: str) -> np.ndarray:
    """Lay a picture, uint8 [h, w, 3 or 4], on a ground: float32 [h, w, 3] in 0..1."""
    back = Image.new("RGBA", (pixels.shape[1], pixels.shape[0]), ground)
    back.alpha_composite(Image.fromarray(pixels).convert("RGBA"))
    return np.asarray(back.convert("RGB"), np.float32) / 255


def rendered(case: Case, svg: str, ground: str = WHITE) -> np.ndarray:
    """Return a drawing at the size of its case, by resvg: float32 [h, w, 3] in 0..1."""
    height, width = case.pixels.shape[:2]
    return score.render_svg(svg, width, height, ground)


def least_explained(case: Case, svg: str) -> float:
    """Return the share of contrast that a drawing has, on the ground where it has less."""
    grounds = GROUNDS if _clear(case.expected) else GROUNDS[:1]
    return min(visibility.explained(*_compared(case, svg, ground)) for ground in grounds)


def _compared(case: Case, svg: str, ground: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what a case and its drawing look like on a ground, as they are compared: float32 [h, w, 3] in 0..1."""
    picture, drawing = on(case.expected, ground), rendered(case, svg, ground)
    if case.hard:
        return _blurred(picture, SMOOTH), _blurred(drawing, SMOOTH)
    return picture, _blurred(drawing, case.soft) if case.soft else drawing


def _blurred(picture: np.ndarray, by: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), by, borderType=cv2.BORDER_REPLICATE)


def _clear(pixels: np.ndarray) -> bool:
    return pixels.shape[2] == 4 and bool((pixels[..., 3] < 255).any())


def _unlike(case: Case, svg: str, ground: str) -> list[str]:
    """Tell what is seen to differ on a ground."""
    picture, drawing = _compared(case, svg, ground)
    wrong = []
    for verb, found in (
        ("lacks", visibility.missing(picture, drawing)),
        ("adds", visibility.missing(drawing, picture)),
    ):
        if found:
            worst = found[0]
            place = f"{worst.area} px of contrast {worst.contrast:g} at {worst.x}, {worst.y}"
            wrong.append(f"{verb} {len(found)} regions, at worst {place}, on {ground}")
    share = visibility.explained(picture, drawing)
    if picture.std() > 0 and share < case.least_explained:
        wrong.append(f"shows only {100 * share:.1f} % of the contrast on {ground}")
    return wrong + _off_plain(case, picture, drawing)


def _off_plain(case: Case, picture: np.ndarray, drawing: np.ndarray) -> list[str]:
    """Tell of places inside of one plain colour that are drawn in another one, however little that shows."""
    if case.soft or case.hard:
        return []
    around = np.ones((1, 1) if case.squares else (3, 3), np.uint8)
    plain = (cv2.dilate(picture, around) == cv2.erode(picture, around)).all(axis=2)
    off = plain & (np.abs(picture - drawing).max(axis=2) > (SAME + 0.5) / 255)
    _, _, stats, _ = cv2.connectedComponentsWithStats(off.astype(np.uint8), connectivity=8)
    blots = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= (1 if case.squares else LEAST_BLOT)]
    if not len(blots):
        return []
    x, y, _, _, area = blots[blots[:, cv2.CC_STAT_AREA].argmax()].tolist()
    return [f"is off in {len(blots)} plain places, at worst {area} px at {x}, {y}"]


def _wrong_colours(case: Case, svg: str) -> list[str]:
    """Tell of colours that the picture shows and the drawing has not, or the other way round."""
    own = {colour: int(_is(case.expected, colour).sum()) for colour in case.colours}
    lost = [colour for colour, count in own.items() if count >= LEAST_SHOWN and colour not in fills(svg)]
    mixed = [colour for colour, count in own.items() if count < LEAST_SHOWN]
    strange = sorted(fill for fill in fills(svg) if not _allowed(fill, case, mixed))
    wrong = [f"has no {' '.join(lost)}"] if lost else []
    if strange:
        wrong.append(f"has {len(strange)} other colours: {' '.join(strange[:4])}")
    return wrong


def _is(pixels: np.ndarray, colour: str) -> np.ndarray:
    """Tell which pixels are of just this colour, opaque: bool [h, w]."""
    same = (pixels[..., :3] == np.array(_rgb(colour))).all(axis=2)
    return same & (pixels[..., 3] == 255) if pixels.shape[2] == 4 else same


def _allowed(fill: str, case: Case, mixed: list[str]) -> bool:
    """Tell whether a fill is one of the colours, or a mixture with one that the picture nowhere shows by itself."""
    if not re.fullmatch("#[0-9a-f]{6}", fill):
        return False
    colour = np.array(_rgb(fill), float)
    known = [np.array(_rgb(own), float) for own in case.colours]
    if any(np.abs(colour - own).max() <= SAME for own in known):
        return True
    return any(_off_way(colour, np.array(_rgb(ink), float), own) <= MIXED for ink in mixed for own in known)


def _off_way(colour: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """Return how far a colour is from the straight way between two others, of 255."""
    way = other - one
    along = float(np.clip((colour - one) @ way / max(float(way @ way), 1.0), 0.0, 1.0))
    return float(np.linalg.norm(colour - one - along * way))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _wrong_shapes(case: Case, svg: str) -> list[str]:
    """Tell of too many shapes, of translucent ones, and of seams that let the ground through."""
    wrong = []
    if shapes(svg) > case.most_shapes:
        wrong.append(f"has {shapes(svg)} shapes, more than {case.most_shapes}")
    if not case.soft and _TRANSLUCENT.search(svg):
        wrong.append("has translucent shapes")
    height, width = case.pixels.shape[:2]
    alpha = score.render_svg(svg, width, height, None)[..., 3]
    opaque = case.expected[..., 3] == 255 if case.expected.shape[2] == 4 else np.ones((height, width), bool)
    inside = cv2.erode(opaque.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)
    leaks = int((alpha[inside] < LEAST_OPAQUE).sum())
    return [*wrong, f"lets the ground through in {leaks} px"] if leaks else wrong


# Means of drawing


def drawn(body: str, width: int, height: int, ground: str | None = WHITE, box: str = "") -> np.ndarray:
    """Draw an SVG's elements on a ground: uint8 [h, w, 3], or [h, w, 4] where there is none. box: its viewBox."""
    back = f'<rect width="100%" height="100%" fill="{ground}"/>' if ground else ""
    size = f'width="{width}" height="{height}" viewBox="{box or f"0 0 {width} {height}"}"'
    text = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{back}{body}</svg>'
    picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=text))))
    return np.asarray(picture.convert("RGB" if ground else "RGBA"))


def inked(coverage: np.ndarray, ink: str, ground: str | None) -> np.ndarray:
    """Lay ink, coverage [h, w] in 0..1, on a ground: uint8 [h, w, 3], or [h, w, 4] where there is none."""
    if ground is None:
        flat = np.broadcast_to(np.array(_rgb(ink), np.uint8), (*coverage.shape, 3))
        return np.dstack([flat, np.rint(255 * coverage).astype(np.uint8)])
    one, other = np.array(_rgb(ink), float), np.array(_rgb(ground), float)
    return np.rint(other + coverage[..., None] * (one - other)).astype(np.uint8)


def averaged(fine: np.ndarray) -> np.ndarray:
    """Return the means of blocks of SAMPLES x SAMPLES samples, 0..1: float64 [h, w]."""
    h, w = fine.shape[0] // SAMPLES, fine.shape[1] // SAMPLES
    return fine.reshape(h, SAMPLES, w, SAMPLES).astype(float).mean(axis=(1, 3)) / fine.max()


def samples(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the centres of samples, px."""
    y, x = np.mgrid[: height * SAMPLES, : width * SAMPLES]
    return (x + 0.5) / SAMPLES, (y + 0.5) / SAMPLES


FACES = ("hinted", "bold", "condensed", "slanted", "serif")


def lettered(text: str, size: int, face: str, width: int, height: int) -> np.ndarray:
    """Return the coverage of a line of text, 0..1: float64 [h, w]. hinted: as Pillow draws it, others supersampled."""
    if face == "hinted":
        sheet = Image.new("L", (width, height))
        ImageDraw.Draw(sheet).text((4, 3), text, fill=255, font=ImageFont.load_default(size))
        return np.asarray(sheet, float) / 255
    if face == "serif":
        return _hershey(text, size, width, height)
    sheet = Image.new("L", (2 * width * SAMPLES, height * SAMPLES))
    pen = size * SAMPLES // 24 if face == "bold" else 0
    font = ImageFont.load_default(size * SAMPLES)
    ImageDraw.Draw(sheet).text((4 * SAMPLES, 3 * SAMPLES), text, fill=255, font=font, stroke_width=pen)
    squeeze, slant = {"bold": (1.0, 0.0), "condensed": (1.3, 0.0), "slanted": (1.0, 0.22)}[face]
    way = (squeeze, slant, -slant * size * SAMPLES, 0, 1, 0)
    turned = sheet.transform((width * SAMPLES, height * SAMPLES), Image.Transform.AFFINE, way)
    return averaged(np.where(np.asarray(turned) > 127, 255, 0))


def _hershey(text: str, size: int, width: int, height: int) -> np.ndarray:
    sheet = np.zeros((height * SAMPLES, width * SAMPLES), np.uint8)
    face, capital = cv2.FONT_HERSHEY_COMPLEX, 21  # units; height of its capitals
    start, scale = (4 * SAMPLES, (3 + size) * SAMPLES), 0.72 * size * SAMPLES / capital
    cv2.putText(sheet, text, start, face, scale, 255, max(1, round(size * SAMPLES / 10)))
    return averaged(np.where(sheet > 127, 255, 0)) if sheet.any() else np.zeros((height, width))


def case(name: str, kind: str, pixels: np.ndarray, colours: str, most_shapes: int, **facts: object) -> Case:
    return Case(name, kind, pixels, tuple(colours.split()), most_shapes, **facts)  # type: ignore[arg-type]


# The twelve faults


def one_bit_outline() -> Case:
    """A closed outline of one pixel, without antialiasing: it fell to pieces."""
    body = f'<path d="{LOOP}" fill="none" stroke="#000" stroke-width="2"/>'
    ink = drawn(body, 330, 160, None, box="-10 20 660 320")[..., 3] > 127
    return case("1bit-outline", "one bit", inked(ink.astype(float), BLACK, WHITE), f"{BLACK} {WHITE}", 4, hard=True)


LOOP = (
    "M150 40C260 40 330 110 450 150C560 190 630 110 630 200C630 300 480 310 330 270C180 230 20 280 20 170"
    "C20 90 80 40 150 40ZM150 90C240 90 300 150 420 190C500 220 570 180 570 210C570 250 460 260 350 230C2"
    "00 190 70 230 70 160C70 120 100 90 150 90Z"
)


def alpha_lineart() -> Case:
    """Black ink with soft edges on nothing: it smeared."""
    body = (
        '<g fill="none" stroke="#000" stroke-width="5"><path d="M50 36C105 12 170 60 214 170M25 235C130 200 210 20 256 '
        '62C280 160 90 290 20 235M130 60Q170 22 250 26"/><circle cx="62" cy="92" r="38"/>'
        '<path d="M24 92H100M62 54V130"/></g>'
    )
    alpha = cv2.GaussianBlur(drawn(body, 280, 280, None)[..., 3], (0, 0), 1.1)
    return case("alpha-lineart", "clear", inked(alpha / 255, BLACK, None), BLACK, 12, soft=1.1)


def dots() -> Case:
    """Dots of three pixels under two curves: they vanished."""
    curves = '<path d="M30 20Q180 90 340 60M150 130Q220 80 340 88" fill="none" stroke="#000" stroke-width="4"/>'
    spots = "".join(
        f'<circle cx="{20 + 21.3 * (i % 16):.2f}" cy="{130 + (i * 7 % 3) * 13.4:.2f}" r="1.6"/>' for i in range(16)
    )
    return case("dots", "dots", drawn(curves + spots, 360, 180), f"{BLACK} {WHITE}", 20)


def drop_background() -> Case:
    """A disc of one bit that leaves the picture at its lower edge, to be freed from its ground."""
    x, y = np.meshgrid(np.arange(200), np.arange(150))
    disc = (((x - 108) / 54) ** 2 + ((y - 87) / 58) ** 2 < 1).astype(float)
    disc[140:] = disc[139]
    pixels, right = inked(disc, RED, WHITE), inked(disc, RED, None)
    return case("drop-background", "one bit", pixels, RED, 2, hard=True, drop_background=True, right=right)


def halftone_case(name: str, side: int, pitch: float, turned: float = 0.7854) -> Case:
    """Return round dots, on a turned grid, that grow until they leave white ones."""
    x, y = samples(side, side)
    u, v = (x * np.cos(turned) + y * np.sin(turned)), (y * np.cos(turned) - x * np.sin(turned))
    wave = np.cos(2 * np.pi * u / pitch) + np.cos(2 * np.pi * v / pitch)
    ink = averaged(wave > 1.4 - 2.4 * x / side)
    return case(name, "halftone", inked(ink, BLACK, WHITE), f"{BLACK} {WHITE}", 64)


def halftone() -> Case:
    """Hundreds of dots that grow from left to right: they became grey."""
    return halftone_case("halftone", 64, 5.8)


def icon32() -> Case:
    """A letter and a badge on a rounded square, shrunk with a sharpening filter as icons are: it became slivers."""
    large = Image.fromarray(drawn(ICONS["letter"][0], 256, 256, None, ICON_BOX))
    small = np.asarray(large.resize((32, 32), Image.Resampling.LANCZOS))
    right = drawn(ICONS["letter"][0], 32, 32, None, ICON_BOX)
    return case("icon32", "icons", small, ICONS["letter"][1], 8, right=right)


def map_lines() -> Case:
    """Border lines of one pixel between two grounds: they were lost."""
    return map_case("map-lines", 160, "#867a6f", 1.0)


def map_case(name: str, side: int, ink: str, width: float) -> Case:
    """Return three countries, two of one colour, with lines between."""
    rng = np.random.default_rng(3)

    def wobbly(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
        t = np.linspace(0, 1, 14)
        off = np.append(0.0, np.append(rng.normal(0, side / 70, 12), 0.0))
        return [(x0 + (x1 - x0) * s + o, y0 + (y1 - y0) * s + o) for s, o in zip(t, off, strict=True)]

    def path(*ways: list[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{x:.2f} {y:.2f}" for way in ways for x, y in way)

    middle = (0.27 * side, 0.62 * side)
    up, right, left = (
        wobbly(0.3 * side, -2, *middle),
        wobbly(*middle, side + 2, 0.72 * side),
        wobbly(*middle, -2, 0.8 * side),
    )
    corner = f"L{side + 2} -2Z"
    body = f'<path d="{path(up, right)}{corner}" fill="#ffffd0"/>'
    body += f'<path d="{path(up)}{path(right)}{path(left)}" fill="none" stroke="{ink}" stroke-width="{width}"/>'
    return case(name, "maps", drawn(body, side, side, "#ffd9b3"), f"#ffd9b3 #ffffd0 {ink}", 10)


def near_white() -> Case:
    """Cards that are hardly darker than their ground: their corners went."""
    cards = (
        '<rect x="10" y="10" width="65" height="80" rx="8" fill="#fafafa"/>'
        '<rect x="85" y="10" width="65" height="80" rx="8" fill="#f4f4f4"/>'
    )
    return case("nearwhite", "faint", drawn(cards, 160, 100), f"#fafafa #f4f4f4 {WHITE}", 3)


def pixel_art() -> Case:
    """Pixel art of single pixels, which was not told as such."""
    rng = np.random.default_rng(7)
    sheet = np.zeros((96, 96), np.uint8)
    for _ in range(26):
        x, y, w = int(rng.integers(0, 84)), int(rng.integers(0, 34)), int(rng.integers(6, 16))
        sheet[y : y + 2, x : x + w] = 1 if y < 20 else 2
    sheet[40:] = 2
    for _ in range(60):
        x, y = int(rng.integers(0, 93)), int(rng.integers(62, 95))
        sheet[y, x : x + int(rng.integers(1, 4))] = rng.choice([0, 3])
    sheet[34:40, 34:56], sheet[40:58, 30:66], sheet[46:49, 56:84] = 4, 5, 6
    sheet[58:66, 28:70] = 7
    sheet[60:64, 32:68:12] = sheet[60:64, 33:69:12] = sheet[60:64, 34:70:12] = 6
    colours = "#2d9a7b #208b7a #55aa85 #83b98a #6b3018 #c05b25 #ffd080 #402436"
    table = np.array([_rgb(colour) for colour in colours.split()], np.uint8)
    return case("pixel-96", "pixel art", table[sheet], colours, 40, squares=True)


def plan() -> Case:
    """Walls of two pixels, of which one falls between rows, and dimensions: they became unequal and grey."""
    walls = '<rect x="10.5" y="20" width="180" height="11.5" fill="none" stroke="#000" stroke-width="2"/>'
    ways = '<path d="M10.5 50.5H190M10.5 45V56M100.5 45V56" stroke="#000"/>'
    pixels = drawn(walls + ways, 200, 90).copy()
    for text, x, y in (("2600", 40, 32), ("4680", 140, 32), ("14.2 m", 40, 62)):
        part = pixels[y : y + 20, x : x + 50]
        np.minimum(part, inked(lettered(text, 11, "hinted", 50, 20), BLACK, WHITE), out=part)
    return case("plan", "tables", pixels, f"{BLACK} {WHITE}", 30)


def punctuation() -> Case:
    """Small white text on navy: colons and dots vanished."""
    text = "Mon-Fri 9:00-18:00, i.j; 14.2"
    return case("punctuation", "text", inked(lettered(text, 13, "hinted", 220, 24), WHITE, NAVY), f"{WHITE} {NAVY}", 40)


def three_stripes() -> Case:
    """A flag whose borders fall inside of pixels, where some white shines through: borders became stripes."""
    return stripes("three-stripes", ("#000001", "#ffd90c", "#f31830"), 128, 96, across=False, apart=True)


def stripes(
    name: str, colours: tuple[str, str, str], width: int, height: int, *, across: bool, apart: bool = False
) -> Case:
    """Return a flag of three stripes. apart: they end where the next begins, else they run on under it."""
    long, start, side = (height, "y", "height") if across else (width, "x", "width")
    box = f'width="{width}"' if across else f'height="{height}"'
    lengths = [long / 3 if apart else long * (1 - i / 3) for i in range(3)]
    body = "".join(
        f'<rect {start}="{i * long / 3:.3f}" {box} {side}="{lengths[i]:.3f}" fill="{colour}"/>'
        for i, colour in enumerate(colours)
    )
    return case(name, "flags", drawn(body, width, height, WHITE), " ".join(colours), 3)


FAULTS: dict[str, Callable[[], Case]] = {
    "1bit-outline": one_bit_outline,
    "alpha-lineart": alpha_lineart,
    "dots": dots,
    "drop-background": drop_background,
    "halftone": halftone,
    "icon32": icon32,
    "map-lines": map_lines,
    "nearwhite": near_white,
    "pixel-96": pixel_art,
    "plan": plan,
    "punctuation": punctuation,
    "three-stripes": three_stripes,
}


# More of the same kinds

ICON_BOX = "0 0 32 32"
_TEETH = "".join(
    f'<rect x="13.5" y="2" width="5" height="6" fill="#455a64" transform="rotate({45 * i} 16 16)"/>' for i in range(8)
)
# What is drawn in a box of 32 x 32, its colours besides the ground's, and how many shapes it takes at most.
ICONS: dict[str, tuple[str, str, int]] = {
    "letter": (
        f'<rect x="1" y="1" width="30" height="30" rx="6" fill="{BLUE}"/><path fill="#ffffff" fill-rule="evenodd" '
        'd="M8 8H16C20 8 21.5 10.5 21.5 13.5C21.5 16.5 19.5 19 16 19H12V23H8ZM12 11.5V15.5H15.5C16.8 15.5 17.5 14.7 '
        '17.5 13.5C17.5 12.3 16.8 11.5 15.5 11.5Z"/>'
        '<circle cx="25" cy="24" r="4.6" fill="#e0245e"/>',
        f"{BLUE} #ffffff #e0245e",
        7,
    ),
    "gear": (
        _TEETH + '<path fill="#455a64" fill-rule="evenodd" d="M16 6A10 10 0 1 1 15.99 6ZM16 12A4 4 0 1 0 16.01 12Z"/>',
        "#455a64",
        4,
    ),
    "bell": (
        '<path fill="#f4b400" d="M16 3C10 3 8 8 8 13C8 19 6 21 4 23H28C26 21 24 19 24 13C24 8 22 3 16 3Z"/>'
        '<path fill="#5d4037" d="M12 25H20C20 31 12 31 12 25Z"/>',
        "#f4b400 #5d4037",
        4,
    ),
    "arrow": (
        '<circle cx="16" cy="16" r="14.5" fill="#2e7d32"/><path fill="#fff" d="M7 14H17V9L26 16L17 23V18H7Z"/>',
        "#2e7d32 #ffffff",
        4,
    ),
    "envelope": (
        '<rect x="2" y="6" width="28" height="20" rx="2" fill="#eceff1"/><path d="M2.5 8L16 18L29.5 8" fill="none" '
        'stroke="#546e7a" stroke-width="2"/>',
        "#eceff1 #546e7a",
        5,
    ),
    "heart": (
        '<path fill="#e53935" d="M16 28C6 20 2 15 2 10C2 6 5 3.5 9 3.5C12 3.5 14.5 5 16 8C17.5 5 20 3.5 23 '
        '3.5C27 3.5 30 6 30 10C30 15 26 20 16 28Z"/>',
        "#e53935",
        2,
    ),
    "bars": (
        '<rect x="4" y="16" width="6" height="12" fill="#1e88e5"/><rect x="13" y="9" width="6" height="19" '
        'fill="#43a047"/><rect x="22" y="4" width="6" height="24" fill="#fb8c00"/><rect x="2" y="28" width="28" '
        'height="2" fill="#37474f"/>',
        "#1e88e5 #43a047 #fb8c00 #37474f",
        7,
    ),
}
ICON_SIDES = (16, 24, 32, 48)  # px


def icons() -> Iterator[Case]:
    """Yield small icons, on a ground and on nothing in turn."""
    for i, (name, (body, colours, most)) in enumerate(ICONS.items()):
        for j, side in enumerate(ICON_SIDES):
            ground = None if (i + j) % 2 else WHITE
            pixels = drawn(body, side, side, ground, ICON_BOX)
            own = colours if ground is None or ground in colours else f"{colours} {ground}"
            yield case(f"{name}-{side}{'' if ground else '-clear'}", "icons", pixels, own, most)


TEXT_SIZES = (8, 9, 10, 11, 12, 14)  # px
INKS = ((BLACK, WHITE), (WHITE, NAVY), ("#b00020", "#fff8e1"))


def texts() -> Iterator[Case]:
    """Yield lines of small text."""
    for i, size in enumerate(TEXT_SIZES):
        for j, face in enumerate(FACES):
            ink, ground = INKS[(i + j) % len(INKS)]
            cover = lettered("Hi: 9:41, no. 7", size, face, 9 * size, size + 8)
            yield case(f"text-{size}-{face}", "text", inked(cover, ink, ground), f"{ink} {ground}", 22)


def lines() -> Iterator[Case]:
    """Yield thin, dotted and dashed lines at any place between pixels and at any slant."""
    for name, (ink, ground) in {"dark": (BLACK, WHITE), "light": (WHITE, NAVY), "red": ("#b00020", "#f4f4f4")}.items():
        pen = f'stroke="{ink}" fill="none"'
        rules = f'<path {pen} d="M8 10.5H92M8 22.250H92M8 34H92M8 46L92 49M8 60L92 78"/>'
        thick = f'<path {pen} stroke-width="1.5" d="M8 88H92M8 100.3H92M8 110L92 116"/>'
        yield case(f"rules-{name}", "lines", drawn(rules + thick, 100, 124, ground), f"{ink} {ground}", 18)
        ways = "M8 10.3H92M8 20.5H92M8 30L92 40M20 50V90M40.5 50V90M60 50L72 90"
        hairs = f'<path {pen} stroke-width="0.6" d="{ways}"/>'
        yield case(f"hairlines-{name}", "lines", drawn(hairs, 100, 98, ground), f"{ink} {ground}", 16)
        dashes = f'<path {pen} stroke-width="2" stroke-dasharray="6 4" d="M8 10H92M8 20.5L92 34"/>'
        dotted = (
            f'<path {pen} stroke-width="2" stroke-dasharray="2 3" d="M8 46H92M8 56.3L92 62M8 72C40 60 60 96 92 80"/>'
        )
        yield case(f"dashes-{name}", "lines", drawn(dashes + dotted, 100, 96, ground), f"{ink} {ground}", 24)


def tables() -> Iterator[Case]:
    """Yield tables of digits between rules."""
    for name, rule, at in (("black", BLACK, 0.5), ("grey", "#bdbdbd", 0.0)):
        rows, columns = range(4), range(4)
        ways = "".join(f"M4 {4 + 20 * i + at}H136" for i in rows) + "".join(
            f"M{4 + 44 * i + at} 4V64.5" for i in columns
        )
        pixels = drawn(f'<path d="{ways}" stroke="{rule}"/>', 140, 70).copy()
        for row, column in np.ndindex(3, 3):
            text = ("12.5", "3:08", "764", "0.91", "i.5", "88%", "1,4", "9/7", "6;2")[3 * row + column]
            part = pixels[6 + 20 * row : 22 + 20 * row, 8 + 44 * column : 46 + 44 * column]
            np.minimum(part, inked(lettered(text, 11, "hinted", 38, 16), BLACK, WHITE), out=part)
        own = f"{BLACK} {WHITE}" if rule == BLACK else f"{BLACK} {WHITE} {rule}"
        yield case(f"table-{name}", "tables", pixels, own, 50)


def codes() -> Iterator[Case]:
    """Yield QR codes of 25 x 25 modules, also with modules that are no whole number of pixels wide."""
    rng = np.random.default_rng(11)
    modules = np.zeros((29, 29))
    modules[2:27, 2:27] = rng.integers(0, 2, (25, 25))
    finder = np.zeros((9, 9))
    finder[1:8, 1:8], finder[2:7, 2:7], finder[3:6, 3:6] = 1, 0, 1
    for y, x in ((1, 1), (1, 19), (19, 1)):
        modules[y : y + 9, x : x + 9] = finder
    for size in (3.0, 3.7, 4.0):
        side = int(29 * size)
        x, y = samples(side, side)
        ink = averaged(modules[np.minimum(y / size, 28).astype(int), np.minimum(x / size, 28).astype(int)])
        yield case(f"code-{size:g}", "codes", inked(ink, BLACK, WHITE), f"{BLACK} {WHITE}", 120)


def halftones() -> Iterator[Case]:
    """Yield dots at three pitches."""
    yield halftone_case("halftone-4.5", 64, 4.5)
    yield halftone_case("halftone-8", 96, 8.0)
    yield halftone_case("halftone-6-straight", 72, 6.0, turned=0.0)


def clear_inks() -> Iterator[Case]:
    """Yield drawings by a pen on nothing."""
    for name, ink in (("black", BLACK), ("white", WHITE), ("red", "#c00020")):
        for width in (1.5, 4):
            body = (
                f'<path d="M10 60C40 0 80 120 110 30M20 20L100 100" fill="none" stroke="{ink}" stroke-width="{width}"/>'
                f'<circle cx="96" cy="62" r="2" fill="{ink}"/>'
            )
            yield case(f"pen-{name}-{width:g}", "clear", drawn(body, 120, 120, None), ink, 5)


def maps() -> Iterator[Case]:
    """Yield more borders."""
    yield map_case("map-black", 120, BLACK, 1.0)
    yield map_case("map-wide", 120, "#6d4c41", 1.6)


def marks() -> Iterator[Case]:
    """Yield sixty small marks on plain ground, as a list of changes has them."""
    for name, ground in (("light", "#fafbfc"), ("dark", "#22272e")):
        body = "".join(
            f'<path d="M{10 + 14 * (i % 10) - 2.5} {10 + 12 * (i // 10)}h5" stroke="#d1242f"/>'
            if i % 3 == 0
            else f'<path d="M{10 + 14 * (i % 10) - 2.5} {10.5 + 12 * (i // 10)}h5m-2.5 -2.5v5" stroke="#1a7f37"/>'
            for i in range(60)
        )
        yield case(f"marks-{name}", "marks", drawn(body, 148, 82, ground), f"#d1242f #1a7f37 {ground}", 24)


def flags() -> Iterator[Case]:
    """Yield flags of three stripes."""
    yield stripes("flag-across", ("#ae1c28", "#ffffff", "#21468b"), 100, 64, across=True)
    yield stripes("flag-small", ("#008c45", "#f4f5f0", "#cd212a"), 32, 20, across=False)
    yield stripes("flag-near", ("#000000", "#0a0a0a", "#1a1a1a"), 100, 64, across=False)


def one_bits() -> Iterator[Case]:
    """Yield line drawings without antialiasing."""
    house = (
        '<path d="M10 50L50 12L90 50M20.5 44V88.5H80.5V44M42.5 88V62.5H58.5V88" fill="none" stroke="#000" '
        'stroke-width="1.2"/>'
    )
    curls = (
        '<path d="M10 60C10 10 90 10 90 50C90 90 40 90 40 60C40 40 66 40 66 56" fill="none" stroke="#000" '
        'stroke-width="2"/>'
    )
    for name, body in (("house", house), ("curl", curls)):
        ink = (drawn(body, 100, 100)[..., 0] < 128).astype(float)
        yield case(f"1bit-{name}", "one bit", inked(ink, BLACK, WHITE), f"{BLACK} {WHITE}", 8, hard=True)


def stamps() -> Iterator[Case]:
    """Yield stamps: letters cut out of a rough blot."""
    rng = np.random.default_rng(5)
    for name, ink in (("red", "#b71c1c"), ("blue", "#1a237e")):
        x, y = samples(120, 60)
        noise = cv2.GaussianBlur(rng.normal(0, 1, (60, 120)), (0, 0), 2.0)
        rough = cv2.resize(noise / noise.std(), (x.shape[1], x.shape[0]), interpolation=cv2.INTER_CUBIC)
        blot = np.maximum(np.abs(x - 60) / 54, np.abs(y - 30) / 24) < 1 + 0.05 * rough
        cover = averaged(blot) * (1 - np.roll(lettered("PAID 24", 22, "bold", 120, 60), (13, 12), (0, 1)))
        yield case(f"stamp-{name}", "stamps", inked(cover, ink, "#fffdf5"), f"{ink} #fffdf5", 24)


def tiles() -> Iterator[Case]:
    """Yield patterns that repeat."""
    one = '<circle cx="8" cy="8" r="4.3" fill="#00695c"/><path d="M0 16L16 0" stroke="#ef6c00" stroke-width="1.5"/>'
    two = '<path d="M8 1L15 8L8 15L1 8Z" fill="#283593"/><circle cx="8" cy="8" r="2.5" fill="#ffca28"/>'
    for name, body, colours in (("discs", one, "#00695c #ef6c00"), ("diamonds", two, "#283593 #ffca28")):
        many = "".join(f'<g transform="translate({16 * (i % 6)} {16 * (i // 6)})">{body}</g>' for i in range(24))
        yield case(f"tiles-{name}", "tiles", drawn(many, 96, 64, "#f5f5f5"), f"{colours} #f5f5f5", 60)


MORE = (
    icons,
    texts,
    lines,
    tables,
    codes,
    halftones,
    clear_inks,
    maps,
    marks,
    flags,
    one_bits,
    stamps,
    tiles,
)


@cache
def all_cases() -> tuple[Case, ...]:
    """Return the twelve faults and all other cases."""
    return (*(draw() for draw in FAULTS.values()), *(one for some in MORE for one in some()))
