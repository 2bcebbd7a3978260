"""Render the example drawings again: every SVG beside this file becomes a PNG of the same name.

Knows nothing of layervec: resvg draws, so that the examples do not depend on what they are meant to try.

Run: python examples/render.py
"""

from __future__ import annotations

from pathlib import Path

import resvg_py

HERE = Path(__file__).parent


def render(drawing: Path) -> bytes:
    """Return the PNG file of an SVG drawing at its own size, one pixel a user unit."""
    return bytes(resvg_py.svg_to_bytes(svg_string=drawing.read_text(encoding="utf-8"), skip_system_fonts=True))


def main() -> None:
    """Write NAME.png for every NAME.svg here and print its size."""
    for drawing in sorted(HERE.glob("*.svg")):
        data = render(drawing)
        drawing.with_suffix(".png").write_bytes(data)
        print(f"{drawing.stem}.png: {len(data) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
