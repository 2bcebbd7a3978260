"""TIFFs of every kind: each comes out as it was meant, or is refused in a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from layervec import cli, decode, tiff
from layervec.errors import InputError
from layervec.image import load, open_picture

SIZE = HEIGHT, WIDTH = 20, 27  # no whole number of strips or tiles
STRIP, TILE = {"rowsperstrip": 7}, {"tile": (16, 16)}
WHITE = {"u1": 255, "u2": 65535, "u4": 2**32 - 1, "i2": 32767, "f2": 1, "f4": 1, "f8": 1}
BASE = {"rgb": 3, "separated": 4}
DEEP = ["u2", "u4", "f2", "f4", "f8"]
LZW, PACKBITS, DEFLATE = 5, 32773, 8


def ramps(count: int) -> np.ndarray:
    """Return slopes in several directions, 0..1: [h, w, count], the fourth above 0."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / np.array([HEIGHT - 1, WIDTH - 1])[:, None, None]
    return np.stack([x, y, (x + y) / 2, 0.25 + x / 2, 1 - y][:count], axis=2)


def stored(values: np.ndarray, dtype: str) -> np.ndarray:
    values = values * WHITE[dtype]
    return (values if dtype[0] == "f" else np.rint(values)).astype(dtype)


def written(samples: np.ndarray, photometric: str, *, planes: bool = False, **options: Any) -> bytes:
    """Return a TIFF of samples [h, w, n], by tifffile."""
    if samples.shape[2] == 1:
        samples = samples[..., 0]
    else:
        options["planarconfig"] = "separate" if planes else "contig"
        samples = np.ascontiguousarray(samples.transpose(2, 0, 1)) if planes else samples
    file = io.BytesIO()
    byteorder = options.pop("byteorder", "<")
    with tifffile.TiffWriter(file, byteorder=byteorder, bigtiff=options.pop("bigtiff", False)) as writer:
        writer.write(samples, photometric=photometric, metadata=None, **options)
    return file.getvalue()


def packed(data: bytes, kind: int) -> bytes:
    if kind == DEFLATE:
        return zlib.compress(data)
    if kind == PACKBITS:  # runs of literal bytes alone
        parts = [data[i : i + 128] for i in range(0, len(data), 128)]
        return b"".join(bytes([len(part) - 1]) + part for part in parts)
    codes = [code for byte in data for code in (256, byte)] + [257]  # LZW that learns nothing: every code has 9 bits
    bits = "".join(f"{code:09b}" for code in codes)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def recompressed(data: bytes, kind: int, before: Callable[[bytes], bytes] = bytes) -> bytes:
    """Return a plain TIFF with its strips or tiles packed anew: tifffile needs another library for some kinds."""
    file = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        page = opened.pages[0]
        tags = page.tags
        first = next(tags[name] for name in ("TileOffsets", "StripOffsets") if name in tags)
        counts = next(tags[name] for name in ("TileByteCounts", "StripByteCounts") if name in tags)
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        file[tags["Compression"].valueoffset : tags["Compression"].valueoffset + 2] = struct.pack("<H", kind)
        form = {3: "H", 4: "I"}
        for number, (at, length) in enumerate(places):
            part = packed(before(data[at : at + length]), kind)
            for tag, value in ((first, len(file)), (counts, len(part))):
                code = form[int(tag.dtype)]
                struct.pack_into(f"<{code}", file, tag.valueoffset + number * struct.calcsize(code), value)
            file += part
    return bytes(file)


def changed(data: bytes, tag: str, value: int) -> bytes:
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        found = opened.pages[0].tags[tag]
    file = bytearray(data)
    form = {3: "<H", 4: "<I"}[int(found.dtype)]
    struct.pack_into(form, file, found.valueoffset, value)
    return bytes(file)


def expected(values: np.ndarray, photometric: str, alpha: np.ndarray | None = None) -> np.ndarray:
    """Return straight RGBA of colours as they are meant."""
    if photometric == "separated":
        values = (1 - values[..., :3]) * (1 - values[..., 3:])
    colours = np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values
    return np.concatenate([colours, np.ones((*SIZE, 1)) if alpha is None else alpha], axis=2)


def close(data: bytes, right: np.ndarray, within: float = 0.006) -> None:
    assert np.abs(load(data).pixels - right).max() <= within


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb", "separated"])
@pytest.mark.parametrize("dtype", ["u1", *DEEP])
def test_every_depth_comes_out_as_it_was_meant(dtype: str, photometric: str) -> None:
    if photometric == "separated" and dtype not in ("u1", "u2"):
        pytest.skip("ink is not stored so")
    values = ramps(BASE.get(photometric, 1))
    samples = stored(1 - values if photometric == "miniswhite" else values, dtype)
    for planes, layout, byteorder in product([False, True], [STRIP, TILE], "<>"):
        data = written(samples, photometric, planes=planes, byteorder=byteorder, **layout)
        close(data, expected(values, photometric), 1e-3 if photometric != "separated" and dtype != "u1" else 0.006)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_few_bits(bits: int, photometric: str) -> None:
    levels = np.rint(ramps(1) * (2**bits - 1)).astype(np.uint8)
    right = expected(levels / (2**bits - 1), photometric)
    levels = levels if photometric == "minisblack" else 2**bits - 1 - levels
    lines = np.unpackbits(levels, axis=2)[..., -bits:].reshape(HEIGHT, -1)
    data = written(np.packbits(lines, axis=1)[..., None], photometric)
    for kind in (None, DEFLATE, LZW, PACKBITS):
        file = data if kind is None else recompressed(data, kind)
        close(changed(changed(file, "ImageWidth", WIDTH), "BitsPerSample", bits), right)


@pytest.mark.parametrize("kind", [DEFLATE, LZW, PACKBITS])
@pytest.mark.parametrize("layout", [STRIP, TILE])
@pytest.mark.parametrize("planes", [False, True])
def test_every_compression(kind: int, layout: dict[str, Any], planes: bool) -> None:
    values = ramps(3)
    for dtype in ("u1", "u2", "f4"):
        plain = written(stored(values, dtype), "rgb", planes=planes, **layout)
        close(recompressed(plain, kind), expected(values, "rgb"))


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("planes", [False, True])
def test_stored_differences_are_summed_up(dtype: str, planes: bool) -> None:
    for layout, byteorder in product([STRIP, TILE], "<>"):
        options = {"compression": "deflate", "predictor": 2, "byteorder": byteorder, **layout}
        close(written(stored(ramps(3), dtype), "rgb", planes=planes, **options), expected(ramps(3), "rgb"))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize(("planes", "layout"), [(False, STRIP), (False, TILE), (True, STRIP)])
def test_stored_differences_of_floats_are_summed_up(dtype: str, planes: bool, layout: dict[str, Any]) -> None:
    depth, wide = 1 if planes else 3, layout.get("tile", SIZE)[1]

    def differences(data: bytes) -> bytes:
        samples = np.frombuffer(data, dtype).reshape(-1, wide * depth)
        parts = samples.astype(f">{dtype}").view(np.uint8).reshape(len(samples), -1, samples.itemsize)
        line = np.ascontiguousarray(parts.swapaxes(1, 2)).reshape(len(samples), -1, depth)
        return np.diff(line, axis=1, prepend=np.zeros_like(line[:, :1])).tobytes()

    # tifffile writes this tag only where it can make the differences, for which it needs another library.
    tags = [(65000, 3, 1, tiff.FLOAT_DIFFERENCES, True)]
    plain = written(stored(ramps(3), dtype), "rgb", planes=planes, extratags=tags, **layout)
    with tifffile.TiffFile(io.BytesIO(plain)) as opened:
        at = opened.pages[0].tags[65000].offset
    plain = plain[:at] + struct.pack("<H", tiff.PREDICTOR) + plain[at + 2 :]
    close(recompressed(plain, DEFLATE, differences), expected(ramps(3), "rgb"))


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_every_kind_of_alpha(dtype: str, kind: str, photometric: str) -> None:
    values, alpha = ramps(BASE.get(photometric, 1)), ramps(4)[..., 3:]
    colours = values * alpha if kind == "assocalpha" else values
    samples = stored(np.concatenate([colours, alpha], axis=2), dtype)
    right = expected(values, photometric, None if kind == "unspecified" else alpha)
    for planes, layout in product([False, True], [STRIP, TILE]):
        data = written(samples, photometric, planes=planes, extrasamples=[kind], **layout)
        close(data, right, 0.016 if dtype == "u1" else 0.006)  # premultiplied bytes are coarse


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_orientation_turns_pixels_and_sizes(turn: int, dtype: str, tmp_path: Path) -> None:
    from layervec.studio.errands import look_at_picture

    values = ramps(3)
    data = written(stored(values, dtype), "rgb", extratags=[(tiff.ORIENTATION, 3, 1, turn, True)])
    right = decode.upright(expected(values, "rgb").astype(np.float32), turn)
    picture = open_picture(data)
    np.testing.assert_allclose(picture.raster.pixels, right, atol=0.006)
    assert (picture.height, picture.width) == right.shape[:2]
    (tmp_path / "turned.tif").write_bytes(data)
    facts = look_at_picture({"file": str(tmp_path / "turned.tif"), "name": "turned"})
    assert (facts["height"], facts["width"]) == right.shape[:2]


def test_large_files_of_64_bit_offsets() -> None:
    close(written(stored(ramps(3), "f4"), "rgb", bigtiff=True, **STRIP), expected(ramps(3), "rgb"))


def test_one_strip_is_read_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "BAND_BYTES", 4 * WIDTH * 12)
    for planes in (False, True):
        data = written(stored(ramps(3), "f4"), "rgb", planes=planes)
        described = tiff.described(data, "picture.tif")
        assert described is not None
        assert max(len(band) for band in described.bands(1.0)) <= 4
        close(data, expected(ramps(3), "rgb"))


def test_profiles_are_applied_to_deep_samples() -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ", 128), profile.index(b"bXYZ", 128)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    values = np.zeros((*SIZE, 3))
    values[..., 0] = 1.0
    for dtype in ("u2", "f4"):
        data = written(stored(values, dtype), "rgb", iccprofile=bytes(profile))
        close(data, expected(values[..., ::-1], "rgb"), 0.01)


@pytest.mark.parametrize(("dtype", "most"), [("u4", 255), ("u4", 65535), ("i4", 255), ("f4", 255), ("f4", 254.5)])
def test_white_of_wide_samples_is_found_by_the_brightest(dtype: str, most: float) -> None:
    samples = (ramps(3) * most).astype(dtype)
    white = 255 if most <= 255 else 65535
    close(written(samples, "rgb"), expected(samples / white, "rgb"))


def test_highlights_above_white_are_white() -> None:
    close(written((ramps(3) * 1.5).astype("f4"), "rgb"), expected(np.minimum(ramps(3) * 1.5, 1), "rgb"))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_wide_modes_of_pillow_hold_what_was_converted(mode: str) -> None:
    grey = Image.fromarray(np.rint(ramps(1)[..., 0] * 255).astype(np.uint8)).convert(mode)
    for image, right in ((grey, ramps(1)), (grey.resize((WIDTH, HEIGHT), Image.Resampling.BOX), ramps(1))):
        assert np.abs(load(image).pixels[..., :1] - right).max() < 0.006
    if mode == "F":  # a resampled picture is not of whole numbers
        half = grey.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.BILINEAR)
        assert np.abs(load(half).pixels[..., 0] * 255 - np.asarray(half)).max() < 0.01


def refusal(data: bytes, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        load(data)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    for part in parts:
        assert part in message, message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_what_is_no_number_is_refused(dtype: str, bad: float) -> None:
    samples = ramps(3).astype(dtype)
    samples[3, 5, 1] = bad
    refusal(written(samples, "rgb"), "not finite")


@pytest.mark.parametrize("samples", [ramps(1) * 1e6, ramps(1) * 3000 - 1000, -ramps(1)])
def test_measurements_are_refused(samples: np.ndarray) -> None:
    refusal(written(samples.astype("f4"), "minisblack"), "no brightness")
    refusal(written((samples - 1000).astype("i4"), "minisblack"), "no brightness")


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("ImageWidth", 0),
        ("ImageWidth", 60_000),
        ("ImageLength", 65_000),
        ("RowsPerStrip", 0),
        ("StripOffsets", 1 << 30),
        ("StripByteCounts", 5),
        ("SamplesPerPixel", 1),
        ("SamplesPerPixel", 60_000),
        ("Predictor", 9),
    ],
)
@pytest.mark.parametrize("kind", [None, "deflate"])
def test_headers_that_lie_are_refused(tag: str, value: int, kind: str | None, tmp_path: Path, capsys: Any) -> None:
    data = written(
        stored(ramps(3), "f4"), "rgb", compression="deflate" if tag == "Predictor" else kind, rowsperstrip=20
    )
    if tag == "Predictor":
        data = written(stored(ramps(3), "u2"), "rgb", compression="deflate", predictor=2)
    bad = changed(data, tag, value)
    refusal(bad)
    (tmp_path / "bad.tif").write_bytes(bad)
    assert cli.main(["vectorize", str(tmp_path / "bad.tif")]) == cli.BAD_INPUT
    assert "bad.tif" in capsys.readouterr().err
    assert not (tmp_path / "bad.svg").exists()


def test_samples_of_12_bits_are_refused() -> None:
    refusal(changed(written(stored(ramps(1), "u2"), "minisblack"), "BitsPerSample", 12), "12 bits")


def test_what_can_only_be_unpacked_at_once_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "MOST_TOGETHER", WIDTH * HEIGHT)
    refusal(written(stored(ramps(3), "f4"), "rgb", compression="deflate", rowsperstrip=20), "too large", "together")


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_pictures_of_a_pixel_or_a_line(size: tuple[int, int], dtype: str) -> None:
    samples = np.full((*size, 3), WHITE[dtype], dtype)
    assert (load(written(samples, "rgb")).pixels == 1).all()


@pytest.mark.parametrize(
    "data", [b"II*\0", b"II*\0\xff\xff\xff\xff" + bytes(40), b"MM\0*" + bytes(60), b"MM\0+" + bytes(60)]
)
def test_what_only_begins_like_a_tiff_is_refused(data: bytes) -> None:
    refusal(data, "not an intact")
    with pytest.raises(InputError):
        decode.upright_size(data, "bad.tif")
