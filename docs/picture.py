"""Draw the README's picture: the lighthouse, and its drawing with 8, 32 and all shapes, side by side.

Run as `uv run python docs/picture.py` after a change that shows.
"""

from pathlib import Path

import numpy as np

from layervec import image, vectorize
from layervec.score import only, render_svg

HERE = Path(__file__).parent
SOURCE = HERE.parent / "examples" / "lighthouse.png"
HEIGHT = 420  # px of each panel
GAP = 8  # px between panels


def main() -> None:
    """Write docs/lighthouse.png."""
    picture = image.load(SOURCE)
    width = round(picture.width * HEIGHT / picture.height)
    svg = vectorize(SOURCE).svg
    panels = [image.over(image.resize(picture, width, HEIGHT))]
    panels += [render_svg(text, width, HEIGHT, "#ffffff") for text in (only(svg, 8), only(svg, 32), svg)]
    gap = np.ones((HEIGHT, GAP, 3), np.float32)
    row = [part for panel in panels for part in (panel, gap)][:-1]
    image.save_png(HERE / "lighthouse.png", np.concatenate(row, axis=1))


if __name__ == "__main__":
    main()
