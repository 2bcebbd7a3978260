#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inkscape extension: replace each selected picture by the layers that the `layervec` command makes of it.

Knows Inkscape's documents and the command's flags; nothing of how a drawing is made. Runs in Inkscape's own Python
(3.8 or newer, inkex 1.0 or newer), which need not have layervec: the command is another process.
A picture that cannot be drawn stops everything, with the document as it was.
"""

from __future__ import annotations

import binascii
import os
import re
import shlex
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, unquote_to_bytes, urlparse
from urllib.request import url2pathname

import inkex
from inkex.units import convert_unit

# Where installers put commands that a program started from a menu does not have on its path.
PLACES = ("~/.local/bin", "/opt/homebrew/bin", "/usr/local/bin")
MISSING = """The command layervec was not found.

Install it with `uv tool install layervec` or `pipx install layervec`, or name it in full under Program, Command."""
# Of Inkscape's own Python, or of the bundle that it came in: the command has another Python.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH")
# What an image may have that holds for the shapes in its stead; a stroke, for one, it may have but not show.
KEPT = ("opacity", "display", "visibility", "mix-blend-mode", "clip-path", "mask", "filter")
PLACED = ("clip-path", "mask", "filter")  # of these, what is measured in the image's own units
PLAIN = {"stroke": "none", "fill-opacity": "1", "fill-rule": "nonzero"}  # whatever the layer is in
ALIGNED = {"Min": 0.0, "Mid": 0.5, "Max": 1.0}
REFERENCE = re.compile(r"url\(#([^)]+)\)")


class Vectorize(inkex.EffectExtension):
    """The extension. Options are those of the .inx file."""

    def add_arguments(self, pars):
        """Declare what the dialogue hands over."""
        pars.add_argument("--tab")
        pars.add_argument("--paths", type=int, default=256)
        pars.add_argument("--auto_paths", type=inkex.Boolean, default=False)
        pars.add_argument("--quality", default="standard")
        pars.add_argument("--gradients", default="off")
        pars.add_argument("--colors", type=int, default=0)
        pars.add_argument("--drop_background", type=inkex.Boolean, default=False)
        pars.add_argument("--more", default="")
        pars.add_argument("--command", default="")

    def effect(self):
        """Draw all selected pictures first, then replace them, so that a failure leaves everything as it was."""
        images = list(self.svg.selection.get(inkex.Image).values())
        if not images:
            raise inkex.AbortExtension("Select a picture first. To select one in a group, hold Ctrl and click it.")
        command = self.command()
        drawings = [self.drawing(command, image) for image in images]
        for image, drawing in zip(images, drawings):  # noqa: B905  strict needs Python 3.10
            self.replace(image, drawing)

    def command(self):
        """Return where the command is."""
        given = os.path.expanduser(self.options.command.strip())
        searched = os.pathsep.join([os.environ.get("PATH", ""), *map(os.path.expanduser, PLACES)])
        found = shutil.which(given or "layervec", path=searched)
        if not found:
            raise inkex.AbortExtension(f"There is no program {given}." if given else MISSING)
        return found

    def flags(self):
        """Return the options as the command wants them."""
        chosen = self.options
        flags = ["--paths", "auto" if chosen.auto_paths else str(chosen.paths)]
        flags += ["--quality", chosen.quality, "--gradients", chosen.gradients]
        flags += ["--colors", str(chosen.colors)] if chosen.colors else []
        flags += ["--drop-background"] if chosen.drop_background else []
        try:
            return flags + shlex.split(chosen.more)
        except ValueError as error:
            raise inkex.AbortExtension(f"More options cannot be read: {error}.") from None

    def drawing(self, command, image):
        """Return the root of the SVG that the command makes of an image."""
        with TemporaryDirectory(prefix="layervec-") as folder:
            target = Path(folder) / "drawing.svg"
            words = [command, "vectorize", str(self.picture(image, Path(folder))), "-o", str(target), "--quiet"]
            surroundings = {name: value for name, value in os.environ.items() if name not in FOREIGN}
            hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
            try:
                done = subprocess.run(
                    words + self.flags(), env=surroundings, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE, **hidden,
                )  # fmt: skip
            except OSError as error:
                raise inkex.AbortExtension(f"{command} cannot be run: {error.strerror or error}.") from None
            if done.returncode or not target.is_file():
                told = done.stderr.decode("utf-8", "replace").strip()
                raise inkex.AbortExtension(told or f"{command} ended with code {done.returncode} and wrote nothing.")
            return inkex.load_svg(str(target)).getroot()

    def picture(self, image, folder):
        """Return the file of an image; what is embedded is written into the folder."""
        link = (image.get("xlink:href") or image.get("href") or "").strip()
        if not link.startswith("data:"):
            return self.linked(image, link)
        kind, _, content = link[len("data:") :].partition(",")
        try:
            data = b64decode(unquote(content)) if kind.endswith(";base64") else unquote_to_bytes(content)
        except binascii.Error:
            told = f"The picture {image.get_id()} is embedded in a way that cannot be read."
            raise inkex.AbortExtension(told) from None
        path = folder / "picture"
        path.write_bytes(data)
        return path

    def linked(self, image, link):
        """Return the file that an image links to."""
        parts = urlparse(link)
        if parts.scheme in ("http", "https", "ftp"):
            raise inkex.AbortExtension(f"{link} is not on this computer. Embed it first: Extensions, Images.")
        named = url2pathname(parts.path) if parts.scheme in ("", "file") else link  # C:\... has a scheme, too
        folders = (self.svg_path(), os.path.dirname(self.options.input_file or ""))
        names = [os.path.join(folder, named) for folder in folders if folder] + [image.get("sodipodi:absref")]
        for name in names:
            if name and os.path.isfile(name):
                return Path(name)
        raise inkex.AbortExtension(f"The linked picture {named or image.get_id()} was not found.")

    def replace(self, image, drawing):
        """Put the layers of a drawing where an image is, with its place, size, transform, name and id."""
        label = image.get("inkscape:label") or image.get_id()
        width, height = (float(drawing.get(side)) for side in ("width", "height"))
        frame, placing, crops = self.placed(image, width, height)
        layer = inkex.Layer.new(label)
        layer.style = inkex.Style({**PLAIN, **kept(image)})
        layer.transform = image.transform
        inner = layer
        if crops or any(name in layer.style for name in PLACED):
            inner = layer.add(inkex.Group())
        if crops:
            inner.set("clip-path", f"url(#{self.clip(frame)})")
            inner = inner.add(inkex.Group())
        inner.transform = inner.transform @ placing
        self.adopt(drawing, image.get_id(), inner)
        parent = image.getparent()
        parent.insert(parent.index(image), layer)
        parent.remove(image)
        layer.set("id", image.get_id())  # whatever refers to the image, such as a clone, finds the layer

    def placed(self, image, width, height):
        """Return the frame of an image (x, y, width, height), what brings its pixels there, and if it crops them."""
        viewport = self.svg.get_viewbox()
        whole = {"x": viewport[2], "y": viewport[3], "width": viewport[2], "height": viewport[3]}
        x, y = (length(image.get(name), whole[name]) or 0.0 for name in ("x", "y"))
        wide, high = (length(image.get(name), whole[name]) for name in ("width", "height"))
        if wide is None:
            wide = width if high is None else high * width / height
        if high is None:
            high = wide * height / width
        rule = image.get("preserveAspectRatio") or "xMidYMid"
        across, down = wide / width, high / height
        crops = "slice" in rule and "none" not in rule
        if "none" not in rule:
            across = down = max(across, down) if crops else min(across, down)
        along = [ALIGNED.get(match, 0.5) for match in re.findall("Min|Mid|Max", rule)] or [0.5, 0.5]
        left, top = x + along[0] * (wide - width * across), y + along[-1] * (high - height * down)
        placing = inkex.Transform(translate=(left, top)) @ inkex.Transform(scale=(across, down))
        return (x, y, wide, high), placing, crops

    def clip(self, frame):
        """Return the id of a new clip path that shows a frame alone."""
        path = self.svg.defs.add(inkex.ClipPath())
        path.add(inkex.Rectangle.new(*frame))
        path.set("id", self.svg.get_unique_id("layervec-frame"))
        return path.get("id")

    def adopt(self, drawing, name, group):
        """Move the layers of a drawing into a group and its gradients to the others, under ids that are new here."""
        taken = self.svg.get_ids()
        new = {}
        for element in drawing.xpath("//*[@id]"):
            wanted = f"{name}-{element.get('id')}"
            while wanted in taken:
                wanted += "-"
            new[element.get("id")] = wanted
            taken.add(wanted)
            element.set("id", wanted)
        for element in drawing.xpath("//*[starts-with(@fill, 'url(')]"):
            element.set("fill", REFERENCE.sub(lambda link: f"url(#{new[link[1]]})", element.get("fill")))
        for part in list(drawing):
            if isinstance(part, inkex.Defs):
                self.svg.defs.extend(list(part))
            elif isinstance(part, inkex.ShapeElement):
                group.append(part)


def kept(image):
    """Return the properties of an image that its layer keeps, however they are written."""
    written = {name: image.get(name) for name in KEPT if image.get(name)}
    return {**written, **{name: value for name, value in image.style.items() if name in KEPT}}


def length(text, whole):
    """Return a length in the user's units, None where there is none."""
    if not text or text == "auto":
        return None
    if text.endswith("%"):
        return float(text[:-1]) / 100 * whole
    return float(convert_unit(text, "px"))


if __name__ == "__main__":
    Vectorize().run()
