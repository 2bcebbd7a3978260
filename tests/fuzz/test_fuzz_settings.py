"""Settings from anywhere: YAML, the reference's file, flags, palettes. Taken or refused in one sentence, never more."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mangle import FEW, damaged, damages, refused

from layervec import cli, palette
from layervec.errors import InputError
from layervec.reference_config import OURS, WITHOUT_EFFECT
from layervec.settings import Settings, from_yaml, section_of

REFERENCE = {name.partition(".")[0] for name in OURS} | {name.partition(".")[0] for name in WITHOUT_EFFECT}
PARTS = {part for name in Settings.model_fields for part in section_of(name) or {}} | {
    name.partition(".")[2] for name in set(OURS) | WITHOUT_EFFECT if "." in name
}
keys = st.one_of(st.sampled_from(sorted(REFERENCE | set(Settings.model_fields))), st.text(max_size=8), st.integers())
parts = st.one_of(st.sampled_from(sorted(PARTS)), st.text(max_size=8), st.none())
plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(0, 300), st.floats(), st.text(max_size=20), st.dates(),
    st.sampled_from(["auto", "on", "off", "any", "draft", "paper", "sam", "none", "dominan", "#fff,navy", 10**30]),
    st.binary(max_size=9),
)  # fmt: skip
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(parts, inner, max_size=4), max_leaves=6
)
YAML = b"""paths: &n 64
quality: draft  # a comment
palette: "#fff,navy"
sam: {points_per_side: 16, min_mask_region_area: *n}
sds:
  steps: [0, 20, 0x1F, 1e2, 1:30, 2001-12-14]
paper: !!map {rounds: 3, colours: dominant}
prompt: |
  two lines
  of text
base_lr: {point: .inf, color: .nan}
<<: {seed: 3}
"""

HEADS = ["", "paths: ", "sam: ", "prompt: 0x", "size: 0b_", "quality: 2001-", "sds: {steps: "]


def check_yaml(text: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s.yaml"
        path.write_bytes(text)
        try:
            settings = from_yaml(path, lambda sentence: None)
        except InputError as error:
            refused(error, len(text))
            return
        assert Settings(**settings.model_dump(exclude_unset=True)) == settings
        settings.recorded()


@FEW
@given(st.dictionaries(keys, values, max_size=5))
def test_any_yaml_mapping_is_taken_or_refused(mapping: dict) -> None:
    check_yaml(yaml.safe_dump(mapping, allow_unicode=True).encode())


@FEW
@given(damages)
def test_damaged_yaml_is_taken_or_refused(how: list) -> None:
    check_yaml(damaged(YAML, how))


@FEW
@given(st.text("abkx0123456789:-[]{}&*!|>'\"%@#,.? \n\t<~_", max_size=80), st.sampled_from(HEADS), st.integers(0, 3000))
def test_any_text_as_yaml_is_taken_or_refused(text: str, head: str, times: int) -> None:
    check_yaml((head + text).encode())
    check_yaml((head + text[:2] * times).encode())


FLAGS = [
    f"--{name}"
    for name in (
        *("paths", "quality", "preset", "size", "colors", "palette", "drop-background", "gradients", "masks", "levels"),
        *("tolerance", "simplifier", "segmenter", "config", "png", "report", "workdir", "threads", "quiet", "json"),
        *("sds-steps", "sam-pred-iou-thresh", "paper-rounds", "no-paper-cluster", "seed", "", "help", "verbose"),
    )
] + ["-o", "-v", "-h"]
words = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(
        [
            "0",
            "1",
            "-1",
            "1e400",
            "nan",
            "inf",
            "9" * 5000,
            "auto",
            "draft",
            "x.svg",
            "x.png",
            "1,2,,3",
            "",
            ".",
            "..",
            "=",
            "#fff",
        ]
    ),
    st.tuples(st.sampled_from(FLAGS), st.text(max_size=6)).map("=".join),
    st.text(max_size=8),
).filter(lambda word: "/" not in word)


@FEW
@given(st.sampled_from(["vectorize", "score", "report", "models"]), st.lists(words, max_size=6))
def test_any_words_are_helped_or_refused(command: str, given_words: list[str]) -> None:
    before, said = Path.cwd(), []
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "_fail", lambda sentence, code: said.append(sentence) or code)
        os.chdir(folder)
        try:
            with redirect_stdout(io.StringIO()):
                code = cli.main([command, *given_words])
        finally:
            os.chdir(before)
        assert code in (cli.DONE, cli.BAD_INPUT), said
        for sentence in said:
            refused(InputError(sentence), sum(map(len, given_words)))
        assert not list(Path(folder).rglob("*.svg")), "there was no picture to draw"


@FEW
@given(
    st.one_of(
        st.text(max_size=30),
        st.lists(st.sampled_from(["#fff", "navy", "#12345", "", "rgb(1,2,3)", "hsl(0,0%,9%)"])).map(",".join),
    )
)
def test_any_palette_is_taken_or_refused(text: str) -> None:
    try:
        found = palette.given(text)
    except InputError as error:
        refused(error, len(text))
        return
    assert ((found.colours >= 0) & (found.colours <= 1)).all()


@FEW
@given(damages)
def test_a_damaged_palette_file_is_taken_or_refused(how: list) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "p.gpl"
        path.write_bytes(damaged(b"GIMP Palette\nName: Two\nColumns: 2\n#\n255 0 0 red\n  0 128 255\tsky blue\n", how))
        try:
            palette.given(str(path))
        except InputError as error:
            refused(error)
