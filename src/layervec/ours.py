"""Which existing files are ours to replace: those that carry our mark. A name that nobody typed must not cost anybody
a drawing of their own.
"""

from __future__ import annotations

import os

HEAD_BYTES = 1 << 16  # of a file in which our mark is looked for; the metadata stands before all shapes
MARK = b'"generator":"layervec '  # as svg.write spells the metadata
PAGE_MARK = b'<meta name="generator" content="layervec '  # as the pages' templates have it


def marked(head: bytes, mark: bytes = MARK) -> bool:
    """Tell whether a file that begins so is ours. An empty one is nobody's loss."""
    return not head or mark in head


def is_ours(path: str | os.PathLike[str], mark: bytes = MARK) -> bool:
    """Tell whether layervec wrote this SVG or page."""
    try:
        with open(path, "rb") as file:
            return marked(file.read(HEAD_BYTES), mark)
    except OSError:
        return False
