"""README and pages: every block of code in them runs or is at least what it claims to be, and links lead somewhere.

The Python blocks of a page are one program, run in a folder with small pictures. Of shell blocks, Bash reads all, and
`layervec` does what it is told there, as a draft. Blocks that need PyTorch wait for the marker `models`.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pictures import scenery, two_discs

from layervec import arguments, cli, image, svg
from layervec.settings import from_yaml

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "extras/inkscape/README.md")
] + sorted((ROOT / "docs").glob("*.md"))  # fmt: skip
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
RUN = frozenset({"vectorize", "score", "report", "models"})  # commands that end by themselves and ask for one picture
DRAFT = ("--quality", "draft", "--size", "32", "--quiet")
OTHERS = ("sds", "sam", "paper")  # words of commands that need a model
FOREIGN = "# DiffVG"  # first line of a block for another library, which is read but not run


@cache
def blocks(page: Path, *languages: str) -> list[str]:
    """Return the code in a page, in order."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE) for match in found if match[2] in languages]


def pages(*languages: str) -> pytest.MarkDecorator:
    """Run a test for each page that has code of a language."""
    found = [page for page in PAGES if blocks(page, *languages)]
    return pytest.mark.parametrize("page", found, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stay in a folder with the files that pages speak of, all small."""
    for name in ("photo.jpg", "photo.png", "logo.png", "examples/lighthouse.png", "photos/a.png", "photos/b.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image.png_bytes(scenery() if "logo" not in name else two_discs()[0]))
    (tmp_path / "photo-masks").mkdir()
    (tmp_path / "photo-masks" / "house.png").write_bytes(
        image.png_bytes(np.pad(np.ones((36, 34)), ((44, 16), (67, 27))))
    )
    (tmp_path / "choices.yaml").write_text("paths: 20\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pages("python")
def test_python_blocks_run_one_after_the_other(page: Path, place: Path) -> None:
    names: dict[str, object] = {}
    for code in blocks(page, "python"):
        ast.parse(code)
        if "torch" not in code and not code.startswith(FOREIGN):
            exec(compile(code, str(page), "exec"), names)


@pytest.mark.models
@pages("python")
def test_python_blocks_for_pytorch_run_too(page: Path, place: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[models]'")
    own = [code for code in blocks(page, "python") if not code.startswith(FOREIGN)]
    if not any("torch" in code for code in own):
        pytest.skip("this page has no PyTorch")
    # Coming from DiffVG one has these.
    names: dict[str, object] = {
        "torch": torch,
        "width": 32,
        "height": 24,
        "p": 3,
        "k": 4,
        "target": torch.zeros(24, 32, 3),
    }
    names |= {"points": torch.rand(9, 2, requires_grad=True), "colour": torch.ones(4), "paints": torch.rand(3, 4)}
    for code in own:
        if "lines=[0, 7]" in code and "outline_strokes" in code:
            names["points"] = torch.rand(7, 2)
        exec(compile(code, str(page), "exec"), names)


def commands(page: Path) -> list[list[str]]:
    """Return the words of each `layervec` command of a page, also those that follow `uv run` or `&&`."""
    text = "\n".join(blocks(page, "sh", "bash")).replace("\\\n", " ")
    parts = [part for line in text.splitlines() for part in re.split(r"&&|;", line)]
    words = [shlex.split(part, comments=True) for part in parts]
    words = [found[2:] if found[:2] == ["uv", "run"] else found for found in words]
    return [found[1:] for found in words if found[:1] == ["layervec"]]


@pages("sh", "bash")
def test_shell_blocks_are_shell(page: Path) -> None:
    for code in blocks(page, "sh", "bash"):
        subprocess.run(["bash", "-n"], input=code, text=True, check=True)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_commands_do_what_they_say_as_drafts(page: Path, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words in commands(page):
        command, rest = words[0], words[1:]
        if reader := getattr(arguments, command, None):
            reader(rest)
        else:
            assert cli.main([command, "--help"]) == cli.DONE, capfd.readouterr().err
        if command in RUN and not any(word in OTHERS for word in rest):
            draft = DRAFT if command == "vectorize" else ()
            assert cli.main([*words, *draft]) == cli.DONE, f"{shlex.join(words)}: {capfd.readouterr().err}"


@pages("yaml")
def test_yaml_blocks_are_settings(page: Path, tmp_path: Path) -> None:
    for code in blocks(page, "yaml"):
        (tmp_path / "s.yaml").write_text(code)
        from_yaml(tmp_path / "s.yaml")


@pages("xml", "svg")
def test_drawings_in_pages_are_of_our_profile_as_we_write_it(page: Path) -> None:
    for code in blocks(page, "xml", "svg"):
        assert svg.write(svg.read(code)) == code


@pages("json")
def test_json_blocks_are_json(page: Path) -> None:
    for code in blocks(page, "json"):
        json.loads(code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    made = ROOT / "docs" / "settings.md"  # when the pages are built
    for link in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        address, _, place = link.partition("#")
        if "://" in address:
            assert re.fullmatch(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[\w./~%+-]*)?", address), (
                f"{address} in {page.name}"
            )
            continue
        target = (page.parent / address).resolve() if address else page
        assert target.exists() or (target == made and page.parent == made.parent), f"{address} in {page.name}"
        if place and target.suffix == ".md" and target.exists():
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, link


def test_the_page_of_settings_names_every_flag() -> None:
    code = "import sys; sys.path.insert(0, 'docs'); import settings_page; sys.stdout.write(settings_page.page())"
    page = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = set(re.findall(r"^\| `(--[a-z-]+)` \|", page, flags=re.MULTILINE))
    groups = arguments._vectorize_parser()._action_groups
    drawing = [group for group in groups if group.title == "drawing options" or group.title.startswith("options of")]
    assert told == {action.option_strings[0] for group in drawing for action in group._group_actions}
