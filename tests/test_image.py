"""Pictures in and out: every format and mode, every way to be broken, resizing, writing."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from layervec import decode, files
from layervec.errors import InputError
from layervec.files import write_atomic
from layervec.image import (
    fit_size,
    load,
    open_picture,
    over,
    png_bytes,
    premultiplied,
    resize,
    save_png,
    source_hash,
    straight,
)
from layervec.types import Raster

RNG = np.random.default_rng(7)
FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"]
LOSSLESS = ["PNG", "BMP", "TIFF"]


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def gradient(width: int = 24, height: int = 16) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), 128 + 0 * x], axis=2)
    return Image.fromarray(rgb.astype(np.uint8))


SMALL = {form: encoded(gradient(), form) for form in FORMATS}


def rgba(source: Any) -> np.ndarray:
    """The loaded pixels as whole 8-bit numbers."""
    raster = load(source)
    assert raster.pixels.dtype == np.float32
    assert raster.pixels.flags.c_contiguous
    assert raster.pixels.min() >= 0.0
    assert raster.pixels.max() <= 1.0
    return np.rint(raster.pixels * 255).astype(int)


# Formats and modes


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_from_path_bytes_and_pillow(form: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"  # no suffix: the content counts
    path.write_bytes(SMALL[form])
    expected = np.asarray(gradient()).astype(int)
    with Image.open(path) as opened:
        loaded = [rgba(source) for source in (path, str(path), SMALL[form], opened)]
    for pixels in loaded:
        assert pixels.shape == (16, 24, 4)
        assert (pixels[..., 3] == 255).all()
        error = np.abs(pixels[..., :3] - expected)
        assert error.max() == 0 if form in LOSSLESS else error.mean() < 20  # GIF dithers


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "GIF", "AVIF"])
def test_alpha_is_kept(form: str) -> None:
    image = gradient().convert("RGBA")
    image.putalpha(Image.fromarray(np.where(np.arange(24) < 12, 0, 255).astype(np.uint8)[None].repeat(16, 0)))
    options = {"WEBP": {"lossless": True}}.get(form, {})
    alpha = rgba(encoded(image, form, **options))[..., 3]
    assert np.abs(alpha[:, :12]).max() <= 3
    assert np.abs(alpha[:, 12:] - 255).max() <= 3


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "La", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_every_mode(mode: str) -> None:
    colour = gradient().resize((8, 8))
    if mode == "La":
        image = colour.convert("LA").convert("La")
    elif mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(colour, srgb, lab, outputMode="LAB")
    elif mode == "RGBa":
        image = colour.convert("RGBA").convert("RGBa")
    elif mode == "PA":
        image = colour.convert("P").convert("PA")
    else:
        image = colour.convert(mode)
    assert image.mode == mode
    pixels = rgba(image)
    assert pixels.shape == (8, 8, 4)
    assert (pixels[..., 3] == 255).all()
    grey = mode in ("1", "L", "LA", "La")
    expected = np.asarray(colour.convert("L").convert("RGB") if grey else colour).astype(int)
    if mode != "1":
        assert np.abs(pixels[..., :3] - expected).mean() < (20 if mode[0] == "P" else 6)  # palettes dither


@pytest.mark.parametrize("kind", ["index", "bytes"])
def test_palette_transparency(kind: str) -> None:
    image = Image.new("P", (4, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2, 1])
    data = encoded(image, "PNG", transparency=1 if kind == "index" else bytes([255, 128, 0]))
    expected = [255, 0, 255, 0] if kind == "index" else [255, 128, 0, 128]
    pixels = rgba(data)
    assert pixels[0, :, 3].tolist() == expected
    assert pixels[0, 0].tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 8, 9))])
def test_one_see_through_colour(mode: str, key: Any) -> None:
    image = Image.new(mode, (3, 1), 200 if mode == "L" else (200, 200, 200))
    image.putpixel((1, 0), key)
    assert rgba(encoded(image, "PNG", transparency=key))[0, :, 3].tolist() == [255, 0, 255]


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    trns = chunk(b"tRNS", extra) if extra else b""
    body = chunk(b"IHDR", head) + trns + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def test_grey_of_16_bits_keeps_its_precision() -> None:
    values = np.array([[0, 1, 257, 30000, 65535]], np.uint16)
    expected = values / 65535.0
    big = values.astype(">u2").tobytes()
    sources = [
        raw_png(5, 1, 16, 0, b"\0" + big),
        encoded(Image.fromarray(values), "TIFF"),
        Image.fromarray(values),
        Image.fromarray(values.astype(np.int32)),
        values,
    ]
    for source in sources:
        np.testing.assert_allclose(load(source).pixels[..., 0], expected, atol=1e-7)
    keyed = load(raw_png(5, 1, 16, 0, b"\0" + big, extra=struct.pack(">H", 30000)))
    assert keyed.pixels[0, :, 3].tolist() == [1.0, 1.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_one_see_through_grey_of_few_bits(depth: int) -> None:
    values = np.arange(min(2**depth, 16), dtype=np.uint8)
    row = np.packbits(np.unpackbits(values[:, None], axis=1)[:, -depth:].ravel()).tobytes()
    for key in values.tolist():
        pixels = load(raw_png(len(values), 1, depth, 0, b"\0" + row, extra=struct.pack(">H", key))).pixels
        np.testing.assert_array_equal(pixels[0, :, 3], values != key)
        np.testing.assert_allclose(pixels[0, :, 0], values / (2**depth - 1), atol=1e-6)


def test_one_see_through_colour_of_16_bits() -> None:
    values = np.array([[256, 512, 768], [9, 9, 9], [256, 512, 1024]])
    data = raw_png(3, 1, 16, 2, b"\0" + values.astype(">u2").tobytes(), extra=struct.pack(">3H", *values[0]))
    assert load(data).pixels[0, :, 3].tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_colour_of_16_bits_is_scaled(colour: int, channels: int) -> None:
    values = RNG.integers(0, 65536, (1, 6, channels))
    pixels = load(raw_png(6, 1, 16, colour, b"\0" + values.astype(">u2").tobytes())).pixels
    picked = pixels[..., [0, 3]] if channels == 2 else pixels[..., :channels]
    assert np.abs(picked - values / 65535.0).max() < 1 / 255


@pytest.mark.parametrize(
    ("values", "white"),
    [([0.0, 0.25, 1.0], 1.0), ([0.0, 51.0, 255.0], 255.0), ([0.0, 1e4, 65535.0], 65535.0)],
)
def test_float_tiffs(values: list[float], white: float) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    np.testing.assert_allclose(load(encoded(image, "TIFF")).pixels[0, :, 0], np.array(values) / white, atol=1e-6)


def test_float_tiff_with_nan_is_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        load(encoded(Image.fromarray(np.array([[0.0, np.nan, 1.0]], np.float32)), "TIFF"))


def test_first_frame_of_a_film() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (rgba(data)[..., :3] == (255, 0, 0)).all()


# Alpha after scaling


@pytest.mark.parametrize("source", [(800, 600), (777, 513), (513, 1), (1, 700), (2000, 37)])
@pytest.mark.parametrize("alpha", [0, 255])
def test_what_is_opaque_or_clear_stays_so_exactly_in_every_size(source: tuple[int, int], alpha: int) -> None:
    image = gradient(*source) if min(source) > 1 else Image.new("RGB", source, "teal")
    image.putalpha(alpha)
    raster = load(image)
    found = [open_picture(image, longest=longest).raster for longest in (512, 300, 97, 1)]
    found += [resize(raster, *size) for size in ((333, 222), (source[0] + 7, 5), (3, source[1] + 9), (1000, 900))]
    for scaled in found:
        assert (scaled.pixels[..., 3] == alpha / 255).all()
        assert scaled.opaque == (alpha == 255)


def test_half_clear_pictures_keep_both_halves_exactly() -> None:
    pixels = np.full((600, 800, 4), 255, np.uint8)
    pixels[:, :400, 3] = 0
    alpha = open_picture(pixels, longest=512).raster.pixels[..., 3]
    assert (alpha[:, :255] == 0).all()
    assert (alpha[:, 257:] == 1).all()


def test_hardly_visible_alpha_is_not_lost() -> None:
    pixels = np.full((1024, 1024, 2), 65535, np.uint16)
    pixels[..., 1] = 2
    assert open_picture(pixels, longest=512).raster.pixels[..., 3].min() > 0


# Orientation and colour profiles


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation(turn: int, form: str) -> None:
    exif = Image.Exif()
    exif[decode.ORIENTATION] = turn
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:4, :8] = 255  # the corner at the top left shows which way it was turned
    data = encoded(Image.fromarray(pixels), form, exif=exif)
    picture = open_picture(data, longest=4)
    sideways = turn >= 5
    assert (picture.width, picture.height) == ((8, 16) if sideways else (16, 8))
    small = picture.raster.pixels[..., 0]
    assert small.shape == ((4, 2) if sideways else (2, 4))
    corner = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[turn]
    assert small[0 if corner[0] == "t" else -1, 0 if corner[1] == "l" else -1] > 0.9
    assert small.mean() == pytest.approx(0.25, abs=0.02)


def swapped_profile() -> bytes:
    """An RGB profile made of sRGB's, whose red and blue primaries have changed places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = data.index(b"rXYZ", 128), data.index(b"bXYZ", 128)
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data)


def test_profiles_are_applied_and_alpha_kept() -> None:
    image = Image.new("RGBA", (2, 2), (255, 0, 0, 100))
    pixels = rgba(encoded(image, "PNG", icc_profile=swapped_profile()))
    assert np.abs(pixels[0, 0] - (0, 0, 255, 100)).max() <= 2


def test_an_srgb_profile_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(rgba(encoded(gradient(), "PNG", icc_profile=srgb)), rgba(gradient()))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("icc", [b"rubbish", swapped_profile()[:200], bytes(3000)])
def test_broken_or_unfitting_profiles_are_ignored(mode: str, icc: bytes) -> None:
    plain = gradient().convert(mode)
    data = encoded(plain, "TIFF", icc_profile=icc)
    np.testing.assert_array_equal(rgba(data), rgba(encoded(plain, "TIFF")))


def test_a_profile_of_another_space_is_ignored() -> None:
    grey = gradient().convert("L")
    np.testing.assert_array_equal(rgba(encoded(grey, "PNG", icc_profile=swapped_profile())), rgba(grey))


def test_cmyk() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for form in ("JPEG", "TIFF"):
        assert np.abs(rgba(encoded(image, form))[0, 0] - (255, 0, 0, 255)).max() <= 4


# What is refused


def refusal(source: Any, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        load(source)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    for part in parts:
        assert part in message, message


def test_bad_paths(tmp_path: Path) -> None:
    refusal(tmp_path / "none.png", "none.png", "no such file")
    refusal(tmp_path, str(tmp_path), "directory")
    empty = tmp_path / "empty.png"
    empty.touch()
    refusal(empty, "empty.png", "it is empty")
    text = tmp_path / "text.png"
    text.write_text("I am no picture.\n" * 9)
    refusal(text, "text.png", "not an intact PNG")
    refusal("a\0b.png", "null")
    refusal(3, "int")
    refusal([1, 2], "list")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(SMALL["PNG"])
    path.chmod(0)
    refusal(path, "secret.png", "permission denied")


def test_no_permission_as_told_by_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    refusal("secret.png", "secret.png", "permission denied")


@pytest.mark.parametrize("form", FORMATS)
def test_half_pictures_are_refused(form: str, tmp_path: Path) -> None:
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8))
    data = encoded(noise, form)
    path = tmp_path / "half.picture"
    for share in (0.1, 0.5, 0.9, 0.97):
        path.write_bytes(data[: int(len(data) * share)])
        refusal(path, "half.picture")


def test_bombs_are_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(raw_png(60000, 60000, 8, 2, b""))
    refusal(path, "bomb.png", "too large")
    path.write_bytes(raw_png(13000, 13000, 1, 0, b""))  # Pillow warns about this size; here it is only cut off
    refusal(path, "bomb.png")


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layervec.image.MAX_BYTES", 10)
    refusal(SMALL["PNG"], "more than 10 bytes")


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0, 3), (4,), (), (2, 2, 5), (2, 2, 0), (1, 2, 2, 3)])
def test_arrays_of_wrong_shape(shape: tuple[int, ...]) -> None:
    refusal(np.zeros(shape, np.uint8), "array")


@pytest.mark.parametrize("kind", ["int64", "int8", "uint32", "complex64", "object", "<U3", "datetime64[s]"])
def test_arrays_of_wrong_type(kind: str) -> None:
    refusal(np.zeros((2, 2), kind), "type")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_arrays_that_are_not_finite(value: float, kind: type) -> None:
    array = np.full((3, 3), 0.5, kind)
    array[1, 1] = value
    refusal(array, "not finite")


@pytest.mark.parametrize("value", [-0.1, 1.2, 255.0])
def test_arrays_out_of_range(value: float) -> None:
    refusal(np.full((2, 2), value), "0..1")


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0, 1),
    st.booleans(),
)
def test_damaged_files_load_or_are_refused(form: str, flips: list[tuple[float, int]], cut: float, cuts: bool) -> None:
    data = bytearray(SMALL[form])
    for place, value in flips:
        data[int(place * len(data))] = value
    try:
        raster = open_picture(bytes(data[: int(cut * len(data))] if cuts else data), longest=64).raster
    except InputError:
        return
    assert np.isfinite(raster.pixels).all()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        load(data)


# Arrays


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.bool_, np.dtype(">u2")]),
        st.one_of(
            st.tuples(st.integers(1, 5), st.integers(1, 5)),
            st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
        ),
    )
)
def test_arrays(array: np.ndarray) -> None:
    white = {"b": 1, "u": 255 if array.itemsize == 1 else 65535}[array.dtype.kind]
    values = np.atleast_3d(array).astype(np.float64) / white
    pixels = load(array).pixels
    channels = values.shape[2]
    colour = values[..., :3] if channels >= 3 else values[..., :1]
    np.testing.assert_allclose(pixels[..., :3], np.broadcast_to(colour, (*values.shape[:2], 3)), atol=1e-7)
    np.testing.assert_allclose(pixels[..., 3], values[..., -1] if channels in (2, 4) else 1.0, atol=1e-7)


def test_arrays_are_copied_and_may_be_views() -> None:
    array = RNG.random((6, 8, 4)).astype(np.float32)
    pixels = load(array).pixels
    assert not np.shares_memory(pixels, array)
    np.testing.assert_array_equal(load(array[::-2, ::-1]).pixels, pixels[::-2, ::-1])


# Sizes


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 5000))
def test_fit_size(width: int, height: int, longest: int) -> None:
    w, h = fit_size(width, height, longest)
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert max(w, h) == min(longest, max(width, height))
    scale = max(w, h) / max(width, height)
    assert abs(w - width * scale) < 1
    assert abs(h - height * scale) < 1


def test_fit_size_needs_a_pixel() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fit_size(3, 3, 0)


@settings(max_examples=50, deadline=None)
@given(*[st.integers(1, 40)] * 4, st.integers(0, 2**32 - 1))
def test_resize_stays_in_range(h: int, w: int, height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((h, w, 4), np.float32).round(1)
    out = resize(Raster(pixels), width, height).pixels
    assert out.shape == (height, width, 4)
    assert out.dtype == np.float32
    assert out.min() >= 0.0
    assert out.max() <= 1.0
    if height <= h and width <= w:  # area means keep the mean
        mean = premultiplied(Raster(pixels)).mean(axis=(0, 1))
        np.testing.assert_allclose(premultiplied(Raster(out)).mean(axis=(0, 1)), mean, atol=1e-4)


@pytest.mark.parametrize("size", [(5, 5), (64, 64), (5, 64)])
def test_no_fringes_from_transparent_pixels(size: tuple[int, int]) -> None:
    pixels = np.zeros((16, 16, 4), np.float32)
    pixels[..., :3] = (0.0, 1.0, 0.0)  # garish, but behind full transparency
    pixels[4:12, 4:12] = (0.8, 0.2, 0.1, 1.0)
    out = resize(Raster(pixels), *size).pixels
    seen = out[..., 3] > 0.01
    np.testing.assert_allclose(out[seen][:, :3], np.broadcast_to((0.8, 0.2, 0.1), (seen.sum(), 3)), atol=1e-3)


def test_resize_to_the_same_or_no_size() -> None:
    raster = load(gradient())
    assert resize(raster, 24, 16) is raster
    with pytest.raises(ValueError, match="0 x 4"):
        resize(raster, 0, 4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_shrinking_while_reading_equals_shrinking_afterwards(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "BAND_PIXELS", 500)  # many bands
    if mode == "I;16":
        image = Image.fromarray(RNG.integers(0, 65536, (83, 131), np.uint16))
    else:
        image = Image.fromarray(RNG.integers(0, 256, (83, 131, len(mode)), np.uint8))
    for source in (image, np.asarray(image)):
        picture = open_picture(source, longest=40)
        assert (picture.width, picture.height) == (131, 83)
        expected = resize(load(source), *fit_size(131, 83, 40))
        np.testing.assert_allclose(picture.raster.pixels, expected.pixels, atol=1e-5)


def test_a_big_photo_needs_little_memory(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "big.jpg"
    gradient(60, 40).resize((6000, 4000)).save(path, quality=80)
    code = (
        "import resource, sys\n"
        "from layervec.image import open_picture\n"
        "import cv2, PIL.ImageCms\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "picture = open_picture(sys.argv[1], longest=512)\n"
        "assert picture.raster.pixels.shape == (341, 512, 4)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    mebibytes = int(run.stdout) * unit / 2**20
    assert resource
    assert mebibytes < 260, f"{mebibytes:.0f} MiB"  # 92 of them are Pillow's own pixels, 384 would be floats


def test_import_is_light() -> None:
    code = (
        "import sys, layervec.image, layervec.simplify\n"
        "print([module for module in ('cv2', 'numba', 'PIL') if module in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Small functions


def test_over_and_premultiplied() -> None:
    raster = Raster(np.array([[[1.0, 0.5, 0.0, 0.5], [0.3, 0.3, 0.3, 0.0]]], np.float32))
    np.testing.assert_allclose(over(raster), [[[1.0, 0.75, 0.5], [1.0, 1.0, 1.0]]])
    np.testing.assert_allclose(over(raster, (0.0, 0.0, 1.0))[0, 0], [0.5, 0.25, 0.5])
    product = premultiplied(raster)
    np.testing.assert_allclose(product, [[[0.5, 0.25, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0]]])
    np.testing.assert_allclose(straight(product), [[[1.0, 0.5, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0]]])


def test_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(SMALL["PNG"])
    assert source_hash(path) == source_hash(SMALL["PNG"]) == open_picture(path, 8).sha256
    array = np.zeros((2, 6), np.uint8)
    assert source_hash(array) == open_picture(array).sha256
    different = [
        array,
        array.reshape(3, 4),
        array.astype(bool),
        array + 1,
        gradient(),
        gradient().convert("L"),
    ]
    assert len({source_hash(source) for source in different}) == len(different)


# Writing


def test_png_round_trip(tmp_path: Path) -> None:
    levels = RNG.integers(0, 256, (5, 7, 4), np.uint8)
    path = tmp_path / "out.png"
    save_png(path, levels / np.float32(255))
    np.testing.assert_array_equal(rgba(path), levels)
    save_png(path, np.array([[0.5 / 255 + 1e-4, 0.998, -1.0, 2.0]], np.float32))
    assert np.asarray(Image.open(path)).tolist() == [[1, 254, 0, 255]]
    assert os.listdir(tmp_path) == ["out.png"]
    assert png_bytes(np.zeros((1, 1, 3))).startswith(b"\x89PNG")


def test_failed_writes_leave_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.bin"
    write_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", fail)
        with pytest.raises(InputError, match=r"kept\.bin cannot be written: no space left"):
            write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["kept.bin"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for place in (tmp_path, tmp_path / "none" / "a.png", file / "a.png", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="cannot be written"):
            write_atomic(place, b"data")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="links and permissions as on POSIX")
def test_links_and_permissions_survive(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    write_atomic("/dev/null", b"gone")
    assert not Path("/dev/null").is_file()
