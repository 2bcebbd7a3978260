"""Input that once broke something, kept as it was found or in words; one test for each bug."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mangle import refused

from layervec import Settings, cli, svg, vectorize
from layervec.errors import InputError, quoted
from layervec.files import check_writable, write_atomic
from layervec.settings import from_yaml

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("paths: " + "[" * 5000, "is nested too deeply."),
        ("paths: " + "9" * 5000, "holds a date or number that cannot be read"),
        ("prompt: 2001-99-99", "holds a date or number that cannot be read"),
        ("size: 0b_", "holds a date or number that cannot be read"),
        ("paths: [0x" + "f" * 5000 + "]", "not [a number of more than 40 digits]."),
        ("quality: " + "x" * 5000, "should be 'draft', 'standard' or 'best'"),
        (LAUGHS + "paths: *a11", "'paths' should be a valid integer"),
        ("train: " + "[" * 40 + "]" * 40, "'train' should be a section"),
        ("#" * (1 << 20) + "#", "has more than 1048576 bytes"),
    ],
    ids=["nested", "number", "date", "binary", "number in a list", "word", "laughs", "section", "large"],
)
def test_yaml_that_is_no_settings_is_refused_in_one_short_sentence(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        from_yaml(path)
    refused(caught.value)
    assert told in str(caught.value)


def test_an_endless_file_is_no_settings() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("this system has no endless file")
    with pytest.raises(InputError):
        from_yaml(Path("/dev/zero"))


def test_a_path_with_a_null_byte_is_no_settings() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        from_yaml(Path("a\0b"))


@pytest.mark.parametrize("setting", ["masks", "levels", "palette"])
def test_a_path_with_a_null_byte_leads_nowhere(setting: str) -> None:
    with pytest.raises(InputError):
        vectorize(np.ones((4, 4)), Settings(**{setting: "a\0b"}))
    for use in (check_writable, lambda path: write_atomic(path, b"")):
        with pytest.raises(InputError, match="null"):
            use("a\0b")


@pytest.mark.parametrize("words", [["vectorize", "a\0b"], ["report", "a\0b"], ["vectorize", "a.png", "--workdir=\0"]])
def test_words_with_a_null_byte_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == cli.BAD_INPUT
    assert "null byte" in capsys.readouterr().err


def test_short_values_are_quoted_as_python_writes_them() -> None:
    assert [quoted(value) for value in ("a'b", -7, True, None, 0.5, [1, "x"])] == [
        '"a\'b"', "-7", "True", "None", "0.5", "[1, 'x']"
    ]  # fmt: skip


def test_a_region_that_is_clear_for_the_most_part_is_no_shape() -> None:
    """Its mean alpha made it worth painting, its main colour had none: nan for a colour, then for a tolerance."""
    rng = np.random.default_rng(0)
    for number in range(41):
        height, width = rng.integers(24, 64, 2)
        y, x = np.mgrid[:height, :width]
        pixels = np.ones((height, width, 4), np.float32)
        for _ in range(6):
            colour = rng.random(3)
            disc = np.hypot(x - rng.random() * width, y - rng.random() * height) < 12 * rng.random()
            pixels[disc, :3] = colour
        pixels[:6, :6, 3] = number % 2
    svg.read(vectorize(pixels, Settings(quality="draft", paths=12, size=48), threads=1).svg)
