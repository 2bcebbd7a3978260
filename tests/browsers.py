"""Debian's chromium by playwright, and what tests of pages ask of it."""

from __future__ import annotations

import io
import os
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, from the dependency group `browser`")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = os.environ.get("LAYERVEC_SCREENSHOTS")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--force-color-profile=srgb"),
]
marks = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, as `apt-get install chromium` brings it"),
]


@contextmanager
def chromium():
    """Run the browser."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


def pixels(page):
    """Return the sheet as it is seen, less a border: int [h, w, 3], 0..255."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement?.blur()")  # a focused row lights its layer
    with Image.open(io.BytesIO(page.locator(".sheet").screenshot())) as image:
        # Without the border, which may lie between two pixels of the screen.
        return np.asarray(image.convert("RGB")).astype(int)[2:-2, 2:-2]


def differs(a, b):
    """Return the share of pixels that differ visibly."""
    return float((np.abs(a - b).max(axis=2) > 8).mean())


def inside(page, selector, seen):
    """Return which of these pixels lie in the box of an element: bool [h, w]."""
    sheet, box = (page.locator(name).bounding_box() for name in (".sheet", selector))
    shown = np.zeros(seen.shape[:2], bool)
    left, top = box["x"] - sheet["x"] - 2, box["y"] - sheet["y"] - 2
    # a pixel wider: antialiasing
    shown[
        max(0, int(top) - 1) : int(top + box["height"]) + 2,
        max(0, int(left) - 1) : int(left + box["width"]) + 2,
    ] = True
    return shown


def slide(page, selector, value):
    page.locator(selector).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })) }", value
    )


def contrast(a, b):
    """Return the contrast of two colours such as "rgb(1, 2, 3)" after WCAG."""
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    values = np.array([int(part) for part in colour[4:-1].split(",")]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def nameless(page):
    """Return the controls of a page that no screen reader could name."""
    return page.evaluate(
        """() => [...document.querySelectorAll("button, input, [role=treeitem], [role=tree], img")]
            .filter(each => !each.closest("dialog") && !each.getAttribute("aria-label") && !each.alt)
            .filter(each => !each.labels?.length && !each.textContent.trim())
            .filter(each => !each.matches("a img[alt='']")) // beside the link's own text
            .map(each => each.outerHTML)"""
    )
