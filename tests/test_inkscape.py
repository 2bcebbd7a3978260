"""The Inkscape extension: what it puts in the place of pictures looks as they did, wherever and however they stood.

Run as Inkscape runs it, in the Python and with the inkex that belong to Inkscape. A stand-in for the command draws four
quarters exactly, so that places can be compared to the pixel; the last tests take the real one, in Inkscape itself.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from pictures import two_discs

from layervec import image
from layervec.score import render_svg

EXTRAS = Path(__file__).parents[1] / "extras" / "inkscape"
SCRIPT = EXTRAS / "layervec_vectorize.py"
INKSCAPE = shutil.which("inkscape")
XVFB = shutil.which("xvfb-run")
PYTHON = "/usr/bin/python3"  # whose modules Debian's Inkscape uses
REAL = Path(sys.executable).with_name("layervec")
SVG, INK = "{http://www.w3.org/2000/svg}", "{http://www.inkscape.org/namespaces/inkscape}"
WIDE, HIGH = 8, 6  # px of the picture of four quarters
COLOURS = np.array([[[1.0, 0, 0], [0, 1.0, 0]], [[0, 0, 1.0], [1.0, 1.0, 0]]])
PNG = image.png_bytes(COLOURS.repeat(HIGH // 2, 0).repeat(WIDE // 2, 1))
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()
STAND_IN = f"""#!{sys.executable}
import pathlib, sys
words = sys.argv[1:]
pathlib.Path(__file__).with_name("words").write_text("\\n".join(words))
picture = pathlib.Path(words[1]).read_bytes()
if picture[:4] != b"\\x89PNG":
    sys.exit("layervec: the picture is broken.")
pathlib.Path(words[words.index("-o") + 1]).write_text('''<svg xmlns="http://www.w3.org/2000/svg"
 xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" width="8" height="6" viewBox="0 0 8 6"><title>t</title>
<metadata>{{}}</metadata><defs><linearGradient id="p4" gradientUnits="userSpaceOnUse" x1="4" y1="3" x2="8" y2="3">
<stop offset="0" stop-color="#ffff00"/><stop offset="1" stop-color="#ffff00"/></linearGradient></defs>
<g id="l1" inkscape:groupmode="layer" inkscape:label="left"><path id="s1" fill="#ff0000" d="M0 0L4 0L4 3L0 3Z"/>
<g id="l2" inkscape:groupmode="layer" inkscape:label="low"><path id="s2" fill="#0000ff" d="M0 3L4 3L4 6L0 6Z"/></g></g>
<path id="s3" fill="#00ff00" d="M4 0L8 0L8 3L4 3Z"/><path id="s4" fill="url(#p4)" d="M4 3L8 3L8 6L4 6Z"/></svg>''')
"""

pytestmark = [
    pytest.mark.inkscape,
    pytest.mark.skipif(INKSCAPE is None or not Path(PYTHON).exists(), reason="Debian's Inkscape is not installed"),
]


@pytest.fixture(scope="session")
def library() -> str:
    """Return the folder of Inkscape's own extensions, with inkex."""
    found = subprocess.run([INKSCAPE, "--system-data-directory"], capture_output=True, text=True, check=True)
    return str(Path(found.stdout.strip()) / "extensions")


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    path = tmp_path / "stand-in"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return path


def document(inside: str, attributes: str = 'width="32" height="24" viewBox="0 0 32 24"') -> str:
    spaces = (
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        'xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"'
    )
    return f"<svg {spaces} {attributes}>{inside}</svg>"


def picture(attributes: str = 'width="32" height="24"', link: str = DATA) -> str:
    return f'<image id="pic" {attributes} style="image-rendering:pixelated" xlink:href="{link}"/>'


def run(library: str, folder: Path, text: str, *flags: str, select: str = "pic") -> tuple[str, str]:
    """Return the document that the extension leaves, "" if none, and what it says."""
    path = folder / "document.svg"
    path.write_text(text)
    surroundings = {**os.environ, "PYTHONPATH": library, "DOCUMENT_PATH": str(path)}
    chosen = [f"--id={name}" for name in select.split()]
    found = subprocess.run(
        [PYTHON, str(SCRIPT), *chosen, *flags, str(path)], capture_output=True, text=True, env=surroundings, check=False
    )
    return found.stdout, found.stderr


SCENES = {
    "as it is": document(picture("")),
    "only a width": document(picture('x="2" y="1" width="16"')),
    "only a height": document(picture('height="12"')),
    "stretched": document(picture('x="4" y="2" width="24" height="20" preserveAspectRatio="none"')),
    "in the middle": document(picture('x="2" y="0" width="30" height="12"')),
    "at the end": document(picture('x="2" y="0" width="30" height="12" preserveAspectRatio="xMaxYMin"')),
    "low": document(picture('width="8" height="24" preserveAspectRatio="xMinYMax meet"')),
    "cropped": document(picture('x="8" y="4" width="8" height="16" preserveAspectRatio="xMinYMid slice"')),
    "turned": document(f'<g transform="rotate(20 16 12) scale(.8)">{picture()}</g>'),
    "turned itself": document(picture('width="16" height="12" transform="matrix(0 1 -1 0 24 2)"')),
    "in millimetres": document(
        picture('x="1mm" width="4mm" height="3mm"'), 'width="32mm" viewBox="0 0 32 24" height="24mm"'
    ),
    "in shares": document(picture('x="25%" width="50%" height="50%"')),
    "clipped": document(
        '<defs><clipPath id="c"><circle cx="12" cy="12" r="8"/></clipPath></defs>'
        + picture('x="4" width="24" height="24" transform="translate(3 0)" clip-path="url(#c)"')
    ),
    "faint": document(picture('width="32" height="24" opacity="0.4"')),
    "in a stroked group": document(
        f'<g stroke="#000" stroke-width="3" fill-opacity=".2" fill-rule="evenodd">{picture()}</g>'
    ),
    "cloned": document(picture('width="16" height="12"') + '<use xlink:href="#pic" x="16" y="12"/>'),
    "between others": document(
        '<rect width="9" height="9" x="3"/>'
        + picture('x="6" y="6" width="16" height="12"')
        + '<rect id="l1" x="9" y="9" width="9" height="9" fill="#888"/>'
    ),
}  # fmt: skip

# resvg does not draw images of sizes in millimetres.
DRAWN_AS = {"in millimetres": document(picture('x="3.7795" width="15.1181" height="11.3386"'))}


@pytest.mark.parametrize("name", SCENES)
def test_looks_as_before(name: str, library: str, stand_in: Path, tmp_path: Path) -> None:
    before = SCENES[name]
    after, told = run(library, tmp_path, before, f"--command={stand_in}")
    assert told == ""
    assert "<image" not in after
    shown, wanted = (render_svg(text.encode(), 256, 192) for text in (after, DRAWN_AS.get(name, before)))
    assert wanted.std() > 0.1
    # Borders of pixels and of shapes differ by antialiasing.
    off = np.abs(shown - wanted).max(axis=2) > 0.1
    assert off.mean() < 0.025, f"{100 * off.mean():.1f} % of the pixels differ"


def test_layers_are_nested_with_names_of_their_own(library: str, stand_in: Path, tmp_path: Path) -> None:
    text = document(
        '<g id="pic-l1"/>' + picture() + picture('width="4" x="9" inkscape:label="Dog &amp; cat"').replace("pic", "dog")
    )
    after, _ = run(library, tmp_path, text, f"--command={stand_in}", select="pic dog")
    root = ET.fromstring(after)
    layers = {g.get("id"): g for g in root.iter(f"{SVG}g") if g.get(f"{INK}groupmode") == "layer"}
    assert layers["dog"].get(f"{INK}label") == "Dog & cat"
    assert [g.get(f"{INK}label") for g in layers["pic"].iter(f"{SVG}g")] == ["pic", "left", "low"]
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names))
    assert set(re.findall(r"url\(#(.*?)\)", after)) <= set(names)


def test_linked_pictures_are_found_beside_the_document_or_where_they_were(
    library: str, stand_in: Path, tmp_path: Path
) -> None:
    (tmp_path / "a folder").mkdir()
    file = tmp_path / "a folder" / "b ü.png"
    file.write_bytes(PNG)
    gone = picture('sodipodi:absref="' + str(file) + '"', "gone.png")
    for link in (picture(link="a%20folder/b%20%C3%BC.png"), picture(link=file.as_uri()), picture(link=str(file)), gone):
        after, told = run(library, tmp_path, document(link), f"--command={stand_in}")
        assert told == ""
        assert after.count("<path") >= 4


def test_options_reach_the_command(library: str, stand_in: Path, tmp_path: Path) -> None:
    flags = ("--auto_paths=true", "--quality=best", "--colors=8", "--drop_background=true", "--more=--prompt 'a b'")
    run(library, tmp_path, document(picture()), f"--command={stand_in}", *flags)
    words = stand_in.with_name("words").read_text().split("\n")
    assert words[0] == "vectorize"
    assert " ".join(words[5:9]) == "--paths auto --quality best"
    assert words[9:] == ["--gradients", "off", "--colors", "8", "--drop-background", "--prompt", "a b"]


@pytest.mark.parametrize(
    ("text", "flags", "told"),
    [
        (document(picture()), ["--command=/no/such/layervec"], "There is no program /no/such/layervec."),
        (document('<rect id="pic"/>'), [], "Select a picture first"),
        (document(picture(link="gone.png")), [], "The linked picture gone.png was not found."),
        (document(picture(link="https://example.org/a.png")), [], "is not on this computer"),
        (document(picture(link="data:image/png;base64,AAA")), [], "embedded in a way that cannot be read"),
        (document(picture(link="data:image/png,broken")), [], "layervec: the picture is broken."),
        (document(picture()), ["--more='"], "More options cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_changes(
    text: str, flags: list[str], told: str, library: str, stand_in: Path, tmp_path: Path
) -> None:
    after, said = run(library, tmp_path, text, f"--command={stand_in}", *flags)
    assert told in said
    assert "Traceback" not in said
    assert "<path" not in after


def test_a_missing_command_is_told_how_to_get(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    after, said = run(library, tmp_path, document(picture()))
    assert "uv tool install layervec" in said
    assert "<path" not in after


def test_the_real_command_takes_what_the_dialogue_offers(library: str, tmp_path: Path) -> None:
    offered = ET.parse(EXTRAS / "layervec_vectorize.inx").getroot()
    space = "{http://www.inkscape.org/namespace/inkscape/extension}"
    flags = [f"--{param.get('name')}={param.text or ''}" for param in offered.iter(f"{space}param") if not len(param)]
    choices = {param.get("name"): [option.get("value") for option in param] for param in offered.iter(f"{space}param")}
    assert choices["quality"] == ["draft", "standard", "best"]
    assert choices["gradients"] == ["off", "auto", "on"]
    flags += ["--quality=draft", f"--command={REAL}"]
    discs = base64.b64encode(image.png_bytes(two_discs()[0])).decode()
    after, told = run(library, tmp_path, document(picture(link=f"data:image/png;base64,{discs}")), *flags)
    assert told == ""
    assert after.count("data-rank") == 3


@pytest.mark.skipif(XVFB is None, reason="xvfb is not installed")
def test_inkscape_itself_vectorizes_a_selected_picture_in_place(tmp_path: Path) -> None:
    discs = base64.b64encode(image.png_bytes(two_discs()[0])).decode()
    frame = 'x="10" y="8" width="96" height="72" transform="rotate(15 58 44)"'
    before = document(picture(frame, f"data:image/png;base64,{discs}"), 'width="120" height="90" viewBox="0 0 120 90"')
    (tmp_path / "before.svg").write_text(before)
    extensions = tmp_path / "profile" / "extensions"
    extensions.mkdir(parents=True)
    for name in ("layervec_vectorize.inx", "layervec_vectorize.py"):
        shutil.copy(EXTRAS / name, extensions)
    steps = "select-by-id:pic;org.layervec.vectorize.noprefs;export-filename:after.svg;export-do;quit-immediate"
    surroundings = {
        **os.environ,
        "INKSCAPE_PROFILE_DIR": str(tmp_path / "profile"),
        "HOME": str(tmp_path),
        "PATH": f"{REAL.parent}:/usr/bin:/bin",
    }
    subprocess.run(
        [XVFB, "-a", INKSCAPE, "--with-gui", "--batch-process", f"--actions={steps}", "before.svg"],
        cwd=tmp_path, env=surroundings, check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    after = (tmp_path / "after.svg").read_text()
    assert "<image" not in after
    assert after.count('groupmode="layer"') >= 3
    shown, wanted = (render_svg(text.encode(), 240, 180) for text in (after, before))
    assert ((shown - wanted) ** 2).mean() < 10 ** (-25 / 10)
    if folder := os.environ.get("LAYERVEC_SCREENSHOTS"):
        both = np.concatenate([wanted, shown], axis=1)
        image.save_png(Path(folder) / "inkscape.png", both)
