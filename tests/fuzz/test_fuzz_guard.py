"""SVGs that mean harm: what the guard lets through refers to nothing outside. `drive_guard.py` also renders it."""

from __future__ import annotations

import re

import pytest
from hostile import hostile
from mangle import refused

from layervec.document import Document, text_of
from layervec.errors import InputError

FOLDER = "/somewhere"
# The only ways for a text to name a place: links and functions, as the guard spells them.
LINK = re.compile(r"""(?i)[\s:](?:href|src|base)\s*=\s*"(?!#|data:image/(?:png|jpe?g|gif|webp)[;,])""")
FUNCTION = re.compile(r"(?i)(?:url|src|image|image-set|attr|var)\s*\((?!#)|\\|@import|@font-face|<!|<\?")
STRAIGHT = re.compile(r'\s(?:id|class|d|data-[\w-]+|result|in)="[^"]*"|>[^<]*<(?=/?(?:title|desc|metadata|text|g|svg))')


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_nothing_that_passes_refers_to_anything_outside(first: int) -> None:
    passed = 0
    for seed in range(first, first + 50):
        try:
            with Document(hostile(seed, FOLDER), "The SVG") as document:
                text = text_of(document.root, frozenset())
        except InputError as error:
            refused(error)
            continue
        passed += 1
        text = STRAIGHT.sub(" ", text)
        assert not LINK.search(text), seed
        assert not FUNCTION.search(text), seed
    assert passed > 5
