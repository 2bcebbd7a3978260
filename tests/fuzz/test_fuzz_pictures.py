"""Pictures that are damaged in any way: each is read whole or refused."""

from __future__ import annotations

import io
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mangle import FEW, chunks, damaged, damages, refused
from PIL import Image, ImageCms

from layervec.errors import InputError
from layervec.image import Source, open_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def seeds() -> dict[str, bytes]:
    """Return small files of every format and mode that Pillow writes, by a name."""
    rng = np.random.default_rng(3)
    colours = Image.fromarray(rng.integers(0, 256, (9, 11, 4), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    asked: list[tuple[str, str, dict]] = [
        *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        ("PNG", "RGB", {"icc_profile": SRGB}), ("PNG", "RGB", {"icc_profile": LAB}), ("PNG", "P", {"transparency": 3}),
        *(("JPEG", mode, {}) for mode in ("L", "RGB", "CMYK")),
        ("JPEG", "RGB", {"progressive": True, "exif": turned, "icc_profile": SRGB}),
        ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True, "exif": turned}),
        ("WEBP", "RGBA", {"save_all": True, "append_images": [colours.rotate(90)]}),
        *(("BMP", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *(("TIFF", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr", "I;16", "F", "I")),
        *(("TIFF", "RGB", {"compression": how}) for how in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
        ("GIF", "P", {}), ("GIF", "RGBA", {"save_all": True, "append_images": [colours.rotate(90)]}),
        ("AVIF", "RGB", {}), ("AVIF", "RGBA", {"exif": turned}),
    ]  # fmt: skip
    found = {}
    for form, mode, options in asked:
        if mode in ("I;16", "I", "F"):
            picture = Image.fromarray(
                rng.integers(0, 60000, (9, 11)).astype({"I;16": "u2", "I": "i4", "F": "f4"}[mode])
            )
        elif mode == "LAB":
            picture = Image.frombytes("LAB", (11, 9), rng.bytes(297))
        else:
            picture = colours.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr") else colours.convert(mode)
        file = io.BytesIO()
        picture.save(file, form, **options)
        found[f"{form} {mode} {','.join(options)}"] = file.getvalue()
    return found


SEEDS = seeds()


def summed_anew(data: bytes) -> bytes:
    """Return a PNG with the right checksums, so that damage gets past them."""
    parts = [data[:8]]
    for kind, content in chunks(data):
        parts += [len(content).to_bytes(4), kind, content, zlib.crc32(kind + content).to_bytes(4)]
    return b"".join(parts)


def check(source: Source, longest: int | None) -> None:
    try:
        found = open_picture(source, longest)
    except InputError as error:
        refused(error)
        return
    pixels = found.raster.pixels
    assert pixels.dtype == np.float32
    assert pixels.ndim == 3
    assert pixels.shape[2] == 4
    assert 0.0 <= pixels.min() <= pixels.max() <= 1.0  # false for what is not a number, too
    assert longest is None or max(pixels.shape[:2]) <= longest
    assert found.width * found.height >= pixels.shape[0] * pixels.shape[1]


@FEW
@given(st.sampled_from(sorted(SEEDS)), damages, st.booleans(), st.sampled_from([1, 5, 64]))
def test_damaged_files_are_read_or_refused(seed: str, how: list, sums: bool, longest: int) -> None:
    data = damaged(SEEDS[seed], how)
    check(summed_anew(data) if sums and seed.startswith("PNG") else data, longest)


@FEW
@given(st.sampled_from([data[:12] for data in SEEDS.values()]), st.binary(max_size=200))
def test_rubbish_behind_a_good_start_is_read_or_refused(start: bytes, rest: bytes) -> None:
    check(start + rest, 64)


@FEW
@given(
    hnp.arrays(
        st.one_of(hnp.scalar_dtypes(), hnp.array_dtypes(max_size=2), st.just(np.dtype(object))),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        fill=st.nothing(),
    ),
    st.sampled_from([None, 1, 3]),
)
def test_any_array_is_read_or_refused(array: np.ndarray, longest: int | None) -> None:
    check(array, longest)
