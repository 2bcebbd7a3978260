"""Read the TIFFs that Pillow reads wrong or not at all: planes, deep and wide samples, floats, most kinds of alpha.

Pillow knows TIFFs by a table of modes and has none for these. What it does know, through libtiff, is every compression:
here it only unpacks bytes, as a grey picture of 8 bits whose rows are the bytes of a row, and samples are made of them.
Works on a few strips or rows of tiles at a time, so that the memory it takes has a bound. Knows what the file says of
profile and orientation, but applies neither; other errors than InputError are for decode.py to catch.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layervec.errors import InputError
from layervec.types import Float32, Int64

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

MAGICS = (b"II*\0", b"MM\0*", b"II+\0")  # the last: BigTIFF, which Pillow knows in this order of bytes only
LEAST_BYTES = 16  # the header of a BigTIFF, which no smaller TIFF of pixels comes close to
BIG = b"II+\0"
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266  # tags
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_ROWS, STRIP_COUNTS, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, EXTRA, FORMAT = 317, 322, 323, 324, 325, 338, 339
PROFILE = 34675
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5  # photometric interpretations that are read here
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4}  # samples of a pixel without alpha
RAW = 1
BYTEWISE = frozenset({RAW, 5, 8, 32773, 32946, 34925, 50000})  # also LZW, deflate (twice), packbits, LZMA, Zstandard
SEPARATE = 2  # planar configuration: each sample of all pixels for itself
ASSOCIATED, STRAIGHT = 1, 2  # kinds of extra samples that are alpha
KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}  # sample formats, as NumPy calls them; 4: undefined
DEPTHS = {"u": (8, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}  # bits that are read here
FEW_BITS = (1, 2, 4)  # a sample, which Pillow reads
DIFFERENCES, FLOAT_DIFFERENCES = 2, 3  # predictors
HEADER_BYTES, LONG = 8, 4  # of a TIFF, before its directory; type of 32-bit numbers in it
BAND_BYTES = 16 << 20  # unpacked samples at a time, unless one strip or row of tiles has more
MOST_TOGETHER = 178_956_970  # bytes of one strip or row of tiles, which are unpacked at once: as Pillow's own bound
MOST_SAMPLES = 64  # of a pixel; pictures have 5, measurements of spectra any number


@dataclass(frozen=True, slots=True, eq=False)
class Tiff:
    """A TIFF's first picture, described but not unpacked.

    width, height: as stored. orientation: 1..8, by which those pixels are to be turned. profile: ICC, b"" for none.
    samples: of a pixel. planes: 1, or one for each sample. dtype: of samples as stored. segment: height and width of
    a strip or tile, px. across: tiles in a row, 1 for strips. offsets, counts: where segments lie, and their bytes.
    alpha: index of the sample, -1 for none. associated: colours are multiplied with it.
    """

    data: bytes
    name: str
    width: int
    height: int
    orientation: int
    profile: bytes
    photometric: int
    samples: int
    planes: int
    dtype: np.dtype[Any]
    compression: int
    predictor: int
    tiled: bool
    segment: tuple[int, int]
    across: int
    offsets: Int64
    counts: Int64
    alpha: int
    associated: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored."""
        return self.width, self.height

    @property
    def most(self) -> float | None:
        """The largest sample there can be, None for floats."""
        return None if self.dtype.kind == "f" else float(np.iinfo(self.dtype).max)

    def extrema(self) -> tuple[float, float]:
        """Return the least and the largest sample there are. Raises InputError if one is no finite number."""
        low, high = np.inf, -np.inf
        for samples in self._bands():
            least, largest = float(samples.min()), float(samples.max())
            if not np.isfinite([least, largest]).all():
                raise InputError(f"{self.name} has pixels that are not finite numbers.")
            low, high = min(low, least), max(high, largest)
        return low, high

    def bands(self, white: float) -> Iterator[Float32]:
        """Yield pixels from top to bottom: float32 [rows, w, channels] in 0..1, colours and alpha where there is one.

        white: the sample that becomes 1. Colours are grey (black is 0), RGB or CMYK; alpha is straight.
        """
        kept = list(range(COLOURS[self.photometric])) + ([self.alpha] if self.alpha >= 0 else [])
        for samples in self._bands():
            pixels = np.clip(samples[..., kept] / np.float64(white), 0.0, 1.0)
            if self.associated:
                colours, alpha = pixels[..., :-1], pixels[..., -1:]
                pixels[..., :-1] = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
            if self.photometric == WHITE_IS_ZERO:
                pixels[..., 0] = 1.0 - pixels[..., 0]
            yield np.clip(pixels, 0.0, 1.0, dtype=np.float32)

    def _bands(self) -> Iterator[NDArray[Any]]:
        """Yield samples as stored from top to bottom, [rows, w, samples]."""
        high = self.segment[0]
        together = max(1, BAND_BYTES // self.line_bytes)
        for first in range(0, -(-self.height // high), together):
            rows = min(self.height - first * high, together * high)
            yield np.concatenate([self._plane(plane, first, rows) for plane in range(self.planes)], axis=2)

    @property
    def line_bytes(self) -> int:
        """Unpacked bytes of a row of segments, of all planes."""
        return self.segment[0] * self.segment[1] * self.across * self.samples * self.dtype.itemsize

    def _plane(self, plane: int, first: int, rows: int) -> NDArray[Any]:
        """Return rows of a plane, from the row of segments that is number `first`: [rows, w, samples in it]."""
        high, wide = self.segment
        down, depth = -(-rows // high), self.samples // self.planes
        start = plane * (len(self.offsets) // self.planes) + first * self.across
        # The last strip ends with the picture, tiles do not.
        packed = self._unpacked(start, down * self.across, down * self.across * high if self.tiled else rows)
        values = self._unpredicted(packed, depth)
        if self.tiled:
            values = values.reshape(down, self.across, high, wide, depth).swapaxes(1, 2)
            values = values.reshape(down * high, self.across * wide, depth)
        return values[:rows, : self.width]

    def _unpacked(self, start: int, number: int, rows: int) -> NDArray[np.uint8]:
        """Return the bytes of segments, one below the other: uint8 [rows, bytes of a row]."""
        wide = self.segment[1] * (self.samples // self.planes) * self.dtype.itemsize
        ends = (self.offsets + self.counts)[start : start + number]
        if len(ends) < number or ends.max() > len(self.data):
            raise InputError(f"{self.name} cannot be decoded: its pixel data is cut off.")
        parts = [self.data[end - n : end] for end, n in zip(ends, self.counts[start : start + number], strict=True)]
        if self.compression == RAW:
            least = wide * self.segment[0]
            packed = b"".join(part[:least] for part in parts)
            if len(packed) < rows * wide:
                raise InputError(f"{self.name} cannot be decoded: its pixel data is cut off.")
            return np.frombuffer(packed, np.uint8, rows * wide).reshape(rows, wide)
        from PIL import Image

        with Image.open(io.BytesIO(_grey(parts, wide, rows, self.segment[0], self.compression))) as image:
            return np.asarray(image)

    def _unpredicted(self, packed: NDArray[np.uint8], depth: int) -> NDArray[Any]:
        """Return samples [rows, w of a segment, depth] of their bytes; stored differences are summed up."""
        rows, size = len(packed), self.dtype.itemsize
        if self.predictor == FLOAT_DIFFERENCES:  # of bytes; the first bytes of all samples come first
            parts = np.cumsum(packed.reshape(rows, -1, depth), axis=1, dtype=np.uint8).reshape(rows, size, -1)
            whole = np.ascontiguousarray(parts.swapaxes(1, 2))
            return whole.view(self.dtype.newbyteorder(">")).reshape(rows, -1, depth)
        if self.predictor == DIFFERENCES:
            steps = packed.view(np.dtype(f"u{size}").newbyteorder(self.dtype.byteorder)).reshape(rows, -1, depth)
            return np.cumsum(steps, axis=1, dtype=f"u{size}").view(self.dtype.newbyteorder("="))
        return packed.view(self.dtype).reshape(rows, -1, depth)


def described(data: bytes, name: str) -> Tiff | None:
    """Return a TIFF that is to be read here, None for other files and those that Pillow reads right.

    Raises InputError where its samples are of a kind that cannot be read right at all. Its size is not checked.
    """
    if not is_tiff(data):
        return None
    tags = directory(data)
    bits, kind = _depth(tags, name)
    photometric, planes = _number(tags, PHOTOMETRIC, -1), _number(tags, PLANAR, 1)
    compression = _number(tags, COMPRESSION, RAW)
    if bits in FEW_BITS or photometric not in COLOURS or compression not in BYTEWISE:
        if kind != "u" or bits > 8:
            raise InputError(f"{name} cannot be decoded: TIFFs of its kind are read with at most 8 bits a sample.")
        return None
    plain = _number(tags, SAMPLES, 1) == COLOURS[photometric]  # of the rest, versions of Pillow know different kinds
    if bits == 8 and kind == "u" and planes != SEPARATE and plain:
        return None
    if bits not in DEPTHS[kind] or _number(tags, FILL_ORDER, 1) != 1:
        raise InputError(f"{name} cannot be decoded: its samples of {bits} bits are stored in a way that is not known.")
    return _tiff(data, name, tags, np.dtype(f"{'<' if data[:1] == b'I' else '>'}{kind}{bits // 8}"))


def is_tiff(data: bytes) -> bool:
    """Tell whether data starts as a TIFF does of which the directory can be looked for."""
    return data.startswith(MAGICS) and len(data) >= LEAST_BYTES


def directory(data: bytes) -> ImageFileDirectory_v2:
    """Return the tags of a TIFF's first picture."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    header = data[: 16 if data.startswith(BIG) else 8]
    tags = ImageFileDirectory_v2(header)
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    return tags


def upright_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a TIFF's first picture, turned as its orientation asks."""
    tags = directory(data)
    size = _number(tags, WIDTH, 0), _number(tags, HEIGHT, 0)
    return size[::-1] if 5 <= _number(tags, ORIENTATION, 1) <= 8 else size


def _tiff(data: bytes, name: str, tags: ImageFileDirectory_v2, dtype: np.dtype[Any]) -> Tiff:
    """Describe a picture whose samples have this type."""
    width, height = _number(tags, WIDTH, 0), _number(tags, HEIGHT, 0)
    tiled = TILE_OFFSETS in tags
    if tiled:
        segment = _number(tags, TILE_HEIGHT, 0), _number(tags, TILE_WIDTH, 0)
    else:
        segment = min(_number(tags, STRIP_ROWS, height), height), width
    samples, turn = _number(tags, SAMPLES, 1), _number(tags, ORIENTATION, 1)
    alpha, associated = _alpha(tags)
    tiff = Tiff(
        data=data,
        name=name,
        width=width,
        height=height,
        orientation=turn if 1 <= turn <= 8 else 1,
        profile=bytes(tags.get(PROFILE, b"")),
        photometric=_number(tags, PHOTOMETRIC, 0),
        samples=samples,
        planes=samples if _number(tags, PLANAR, 1) == SEPARATE else 1,
        dtype=dtype,
        compression=_number(tags, COMPRESSION, RAW),
        predictor=_number(tags, PREDICTOR, 1),
        tiled=tiled,
        segment=segment,
        across=-(-width // max(1, segment[1])) if tiled else 1,
        offsets=_numbers(tags, TILE_OFFSETS if tiled else STRIP_OFFSETS),
        counts=_numbers(tags, TILE_COUNTS if tiled else STRIP_COUNTS),
        alpha=alpha,
        associated=associated,
    )
    _check(tiff)
    tiff = _in_rows(tiff)
    if tiff.line_bytes > MOST_TOGETHER:
        raise InputError(
            f"{name} is too large: {tiff.line_bytes} bytes of samples can only be unpacked together, "
            f"at most {MOST_TOGETHER} are."
        )
    return tiff


def _check(tiff: Tiff) -> None:
    """Raise InputError where a description cannot be true, or needs too much memory."""
    fits = COLOURS[tiff.photometric] <= tiff.samples <= MOST_SAMPLES and tiff.alpha < tiff.samples
    if not fits or tiff.predictor not in (1, DIFFERENCES, FLOAT_DIFFERENCES):
        raise InputError(f"{tiff.name} cannot be decoded: it has {tiff.samples} samples a pixel of no known meaning.")
    if tiff.predictor == FLOAT_DIFFERENCES and tiff.dtype.kind != "f":
        raise InputError(f"{tiff.name} cannot be decoded: its numbers are stored as floats are.")
    if min(tiff.size) >= 1 and (min(tiff.segment) < 1 or len(tiff.offsets) != len(tiff.counts)):
        raise InputError(f"{tiff.name} cannot be decoded: it does not say where its pixels are.")


def _in_rows(tiff: Tiff) -> Tiff:
    """Return the same picture with strips of a row each where they are long and not compressed: any can be cut."""
    rows, row = tiff.segment[0], tiff.width * (tiff.samples // tiff.planes) * tiff.dtype.itemsize
    if tiff.compression != RAW or tiff.tiled or rows * row <= BAND_BYTES:
        return tiff
    y = np.arange(tiff.height, dtype=np.int64)
    strips = len(tiff.offsets) // tiff.planes
    if strips * rows < tiff.height:
        raise InputError(f"{tiff.name} cannot be decoded: its pixel data is cut off.")
    at = np.arange(tiff.planes)[:, None] * strips + y // rows
    left = np.maximum(tiff.counts[at] - y % rows * row, 0)
    offsets, counts = (tiff.offsets[at] + y % rows * row).ravel(), np.minimum(left, row).ravel()
    return replace(tiff, segment=(1, tiff.width), offsets=offsets, counts=counts)


def _depth(tags: ImageFileDirectory_v2, name: str) -> tuple[int, str]:
    """Return how many bits a sample has, and its kind as NumPy calls it: u, i or f. Raises InputError for mixtures."""
    bits, forms = set(_numbers(tags, BITS, 1).tolist()), set(_numbers(tags, FORMAT, 1).tolist())
    if len(bits) != 1 or len(forms) != 1 or not forms <= KINDS.keys():
        raise InputError(f"{name} cannot be decoded: its samples are numbers of several kinds, or of no known kind.")
    return bits.pop(), KINDS[forms.pop()]


def _alpha(tags: ImageFileDirectory_v2) -> tuple[int, bool]:
    """Return which sample is alpha, -1 for none, and whether colours are multiplied with it."""
    first = COLOURS[_number(tags, PHOTOMETRIC, 0)]
    for number, kind in enumerate(_numbers(tags, EXTRA, 0).tolist()):
        if kind in (ASSOCIATED, STRAIGHT):
            return first + number, kind == ASSOCIATED
    return -1, False


def _numbers(tags: ImageFileDirectory_v2, tag: int, default: int | None = None) -> Int64:
    """Return the whole numbers of a tag, none or the default where it is missing or holds no such numbers."""
    value = tags.get(tag, () if default is None else default)
    values = value if isinstance(value, tuple) else (value,)
    fit = all(isinstance(v, int) and 0 <= v < 1 << 62 for v in values)
    return np.array(values if fit else (), np.int64)


def _number(tags: ImageFileDirectory_v2, tag: int, default: int) -> int:
    """Return the first number of a tag, the default where there is none."""
    values = _numbers(tags, tag, default)
    return int(values[0]) if len(values) else default


def _grey(parts: Sequence[bytes], width: int, height: int, rows: int, compression: int) -> bytes:
    """Return a TIFF of 8-bit grey in strips that are packed already. rows: of each strip but the last."""
    starts = np.cumsum([0, *map(len, parts)])
    many = len(parts)
    fields = [(WIDTH, [width]), (HEIGHT, [height]), (BITS, [8]), (COMPRESSION, [compression])]
    fields += [(PHOTOMETRIC, [BLACK_IS_ZERO]), (STRIP_OFFSETS, []), (SAMPLES, [1]), (STRIP_ROWS, [rows])]
    fields += [(STRIP_COUNTS, [len(part) for part in parts])]
    listed = HEADER_BYTES + 2 + 12 * len(fields) + 4  # where lists of many numbers begin: after the directory
    pixels = listed + (8 * many if many > 1 else 0)
    fields[5] = (STRIP_OFFSETS, (starts[:-1] + pixels).tolist())
    entries, lists = b"", b""
    for tag, values in fields:
        packed = struct.pack(f"<{len(values)}I", *values)
        entries += struct.pack("<HHI", tag, LONG, len(values))
        entries += packed if len(values) == 1 else struct.pack("<I", listed + len(lists))
        lists += packed if len(values) > 1 else b""
    head = struct.pack("<4sIH", MAGICS[0], HEADER_BYTES, len(fields))
    return b"".join([head, entries, bytes(4), lists, *parts])
