"""What the fuzz tests share: how to damage bytes and words, and what a refusal must look like.

Each test states a law for any input: it works and the result is sound, or `InputError` says why not in one sentence.
The suite runs a few examples of each, always the same ones; `drive.py` runs them for as long as one likes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from layervec.errors import InputError

LONGEST_REFUSAL = 600  # characters beside those of the input; all settings are named in about 500
FEW = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
EXTREMES = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00",
            b"\x00\x00\x40\x00", b"\x00\x40\x00\x00", b"\x80\x00\x00\x00")  # fmt: skip

Damage = Callable[[bytes, int, int, int], bytes]
DAMAGES: dict[str, Damage] = {
    "set": lambda data, at, size, value: data[:at] + bytes([value]) + data[at + 1 :],
    "flip": lambda data, at, size, value: data[:at] + bytes([data[at] ^ (1 << value % 8)]) + data[at + 1 :],
    "cut": lambda data, at, size, value: data[:at],
    "drop": lambda data, at, size, value: data[:at] + data[at + size :],
    "repeat": lambda data, at, size, value: data[: at + size] + data[at:],
    "fill": lambda data, at, size, value: data[:at] + bytes([value]) * size + data[at + size :],
    "extreme": lambda data, at, size, value: data[:at] + EXTREMES[value % len(EXTREMES)] + data[at + 4 :],
}
damages = st.lists(
    st.tuples(
        st.sampled_from(sorted(DAMAGES)), st.floats(0, 1, exclude_max=True), st.integers(1, 64), st.integers(0, 255)
    ),
    min_size=1,
    max_size=6,
)


def damaged(data: bytes, how: list[tuple[str, float, int, int]]) -> bytes:
    """Return data after each damage in turn; places are shares of the length."""
    for kind, place, size, value in how:
        if data:
            data = DAMAGES[kind](data, int(place * len(data)), size, value)
    return data


def replaced(text: str, pattern: str, how: list[tuple[float, str]]) -> str:
    """Return text in which some matches of a pattern gave way to other words; places are shares of all matches."""
    for place, word in how:
        found = list(re.finditer(pattern, text))
        if found:
            match = found[int(place * len(found))]
            text = text[: match.start()] + word + text[match.end() :]
    return text


def refused(error: InputError, given: int = 0) -> None:
    """Check that a refusal is one sentence that a person can read; it may repeat the `given` characters of input."""
    sentence = str(error)
    assert sentence.strip(), "an empty refusal"
    assert sentence.endswith("."), sentence
    assert len(sentence) <= LONGEST_REFUSAL + given, f"{len(sentence)} characters: {sentence[:200]}"


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of a PNG's chunks as far as they can be made out."""
    at = 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + min(size, len(data))]
        at += 12 + size
