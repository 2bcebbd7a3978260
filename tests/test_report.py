"""The report as text: one file that loads nothing and runs nothing but its own script, whatever names it shows."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from PIL import Image
from reports import HOSTILE, STEM, make_run, rename_a_layer, squares

from layervec import cli, svg, viewer
from layervec.errors import InputError
from layervec.report import MASK_LONGEST, STEP_LONGEST, read_run, write_report

NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.inkscape.org/namespaces/inkscape")
LOADING = {"src", "href", "xlink:href", "action", "formaction", "data", "poster", "srcset", "background", "ping"}
SCRIPTS = [file.name for file in files(viewer).iterdir() if file.name.endswith(".js")]
MOST_BYTES = 400_000  # of the page of a picture of 121 x 97 px: mostly script, styles and small PNGs


class Page(HTMLParser):
    """What a browser would find: elements with attributes, and the text of each script and style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.titles = [], [], []
        self._open = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        inside = self._open[-1] if self._open else ""
        if inside in ("script", "style"):
            self.texts.append((inside, self.elements[-1][1], data))
        elif inside in ("title", "h1"):
            self.titles.append(data)

    def facts(self):
        return next(json.loads(text) for _, attributes, text in self.texts if attributes.get("class") == "facts")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("report"))
    rename_a_layer(folder, HOSTILE)
    return folder


@pytest.fixture(scope="module")
def text(run):
    write_report(run, run / "report.html")
    return (run / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def test_it_refers_to_nothing_outside(text, page):
    assert set(re.findall(r"\w+://[^\"'\s]*", text)) <= set(NAMESPACES)
    assert not re.search(r"@import|\burl\((?!#)", text)
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "foreignobject"}
        for name in LOADING & set(attributes):
            assert attributes[name].startswith("data:image/"), (tag, name)


def test_no_handler_and_no_style_is_inline(page):
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag


def test_hostile_names_are_text(page, text):
    assert page.titles == [f"{HOSTILE} · layervec", HOSTILE]
    assert [a["data-name"] for _, a in page.elements if a.get("data-name", "").startswith("<")] == [HOSTILE]
    assert page.facts()["title"] == HOSTILE
    assert "<img src=x" not in text
    assert text.count("</script") == 2


def test_policy_allows_exactly_what_is_there(page):
    policies = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    rules = dict(rule.strip().partition(" ")[::2] for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind, rule in (("script", "script-src"), ("style", "style-src")):
        code = [text for tag, attributes, text in page.texts if tag == kind and "class" not in attributes]
        assert len(code) == 1
        digest = base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_the_drawing_is_whole(run, page):
    drawing = svg.read((run / "result.svg").read_bytes())
    paths = [attributes for tag, attributes in page.elements if tag == "path" and "data-rank" in attributes]
    assert [path["id"] for path in paths] == [shape.id for shape in drawing.shapes()]
    assert sorted(int(path["data-rank"]) for path in paths) == sorted(shape.rank for shape in drawing.shapes())
    layers = [attributes["data-name"] for tag, attributes in page.elements if tag == "g"]
    assert layers == [layer.name for layer in drawing.root.layers()][1:]
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert ids <= {shape.id for shape in drawing.shapes()} | {layer.id for layer in drawing.root.layers()}


def test_curves_are_those_of_the_score(run, page):
    record = json.loads((run / "run.json").read_text())["score"]
    finished, fitted = (series["points"] for series in page.facts()["series"])
    counts = [point["paths"] for point in finished]
    assert counts[:4] == [1, 2, 3, 4]
    assert counts[-1] == record["shapes"]
    assert counts == sorted(set(counts))
    psnr = {point["paths"]: point["psnr"] for point in finished}
    assert psnr[record["shapes"]] == pytest.approx(record["psnr"], abs=0.01)
    assert len(fitted) == len(list((run / "stages").iterdir()))
    assert fitted[-1]["paths"] == record["shapes"]


def test_pictures_on_the_way_are_there_and_small(run, page):
    images = [attributes for tag, attributes in page.elements if tag == "img" and "src" in attributes]
    counts = {kind: len(list((run / kind).iterdir())) for kind in ("levels", "cuts", "masks", "stages")}
    assert len(images) == 1 + sum(counts.values())  # and the source
    for attributes in images:
        assert attributes["alt"]
        kind, _, data = attributes["src"].partition(";base64,")
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
            image.load()
            assert kind == f"data:image/{image.format.lower()}"
            assert max(image.size) <= STEP_LONGEST


def test_page_is_small(run):
    assert (run / "report.html").stat().st_size < MOST_BYTES


def test_masks_of_a_large_picture_are_brought_down(copy):
    Image.new("L", (2000, 1000), 255).save(copy / "masks" / "001.png")
    assert read_run(copy).masks[0].raster.width == MASK_LONGEST


def test_the_same_run_gives_the_same_page(run, text, tmp_path):
    write_report(run, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_figures_times_and_settings_are_told(text):
    for told in ("<dt>PSNR</dt>", "<dt>layers</dt>", ">refine</th>", ">levels_count</th><td>3</td>"):
        assert told in text


def test_older_runs_have_no_source(copy, text):
    (copy / "source.png").unlink()
    assert read_run(copy).source.width == 121
    shutil.rmtree(copy / "objects")
    write_report(copy, copy / "report.html")


# The viewer's sources


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_module_makes_markup_or_code_of_text(name):
    code = viewer.source(name)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|\bFunction\(|\bfetch\b|import\(", code
    )
    assert "</script" not in code
    assert not re.search(r"getElementById|querySelector(All)?\(\s*[\"'`]#", code)  # ids are the drawing's


def test_modules_are_joined_once_each_and_share_no_name():
    joined = viewer.script("report.js")
    assert not re.search(r"^\s*(import|export)\b", joined, re.MULTILINE)
    for name in SCRIPTS:
        opening = viewer.source(name).splitlines()[0]
        assert joined.count(opening) == 1, name
    names = re.findall(r"^(?:class|function|const|let) (\w+)", joined, re.MULTILINE)
    assert len(names) == len(set(names))


# Misuse


def fails(capsys, *words):
    """Run the command, which must refuse in one sentence, and return that."""
    capsys.readouterr()
    assert cli.main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("layervec: ")
    assert said.count("\n") == 1
    return said


def test_folders_without_a_finished_run_are_refused(copy, tmp_path, capsys):
    assert "is no work folder" in fails(capsys, "report", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "run.json cannot be read" in fails(capsys, "report", tmp_path / "empty")
    (copy / "run.json").write_text('{"version": "1", "settings": {}, "finished": false}')
    assert "did not finish" in fails(capsys, "report", copy)
    for text in ("", "[]", '{"finished": true}', "[" * 100_000, '{"finished": NaN}'):
        (copy / "run.json").write_text(text)
        assert "is not the record of a run" in fails(capsys, "report", copy)
    assert not (tmp_path / "empty" / "report.html").exists()


@pytest.mark.parametrize(
    "element",
    ["<script>alert(1)</script>", "<foreignObject/>", '<g onclick="alert(1)"/>', '<image href="x.png"/>', "<path/>"],
)
def test_drawings_of_others_are_refused(copy, element, capsys):
    path = copy / "result.svg"
    path.write_text(path.read_text().replace("</svg>", f"{element}</svg>"))
    (copy / "report.html").write_text("before")
    assert "result.svg is not a layervec SVG" in fails(capsys, "report", copy, "-o", copy / "report.html")
    assert (copy / "report.html").read_text() == "before"


def test_missing_and_broken_pictures_are_told(copy, capsys):
    (copy / "masks" / "001.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert "001.png" in fails(capsys, "report", copy)
    (copy / "result.svg").unlink()
    assert "result.svg cannot be read" in fails(capsys, "report", copy)


def test_places_that_cannot_be_written_are_told(copy, tmp_path, capsys):
    assert "does not exist" in fails(capsys, "report", copy, "-o", tmp_path / "no" / "page.html")
    assert "end it in .html" in fails(capsys, "report", copy, "-o", tmp_path / "page.svg")


def test_names_in_the_record_are_text(copy):
    record = json.loads((copy / "run.json").read_text())
    record["version"] = record["settings"]["prompt"] = HOSTILE
    record["seconds"][HOSTILE] = 1.0
    (copy / "run.json").write_text(json.dumps(record))
    write_report(copy, copy / "report.html")
    assert "<img src=x" not in (copy / "report.html").read_text(encoding="utf-8")


# With a run


def test_vectorize_writes_a_page_beside_the_drawing(tmp_path, capsys):
    picture = tmp_path / f"{STEM}.png"
    Image.fromarray(squares()).save(picture)
    words = ["vectorize", str(picture), "--report", "--quality", "draft", "--paths", "8"]
    assert cli.main(words) == 0
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".html", ".png", ".svg"]
    assert Page((tmp_path / f"{STEM}.html").read_text(encoding="utf-8")).titles[1] == STEM
    assert cli.main(words) == 0  # a page of ours may go
    (tmp_path / f"{STEM}.html").write_text("<p>mine</p>")
    assert "was not made by layervec" in fails(capsys, *words)
    assert (tmp_path / f"{STEM}.html").read_text() == "<p>mine</p>"


def test_an_exact_drawing_has_a_page(tmp_path):
    picture = tmp_path / "plain.png"
    Image.new("RGB", (8, 8), (255, 0, 0)).save(picture)
    assert cli.main(["vectorize", str(picture), "--report", "--workdir", str(tmp_path / "run"), "--quiet"]) == 0
    text = (tmp_path / "plain.html").read_text(encoding="utf-8")
    assert "<dt>PSNR</dt><dd>exact</dd>" in text
    assert "NaN" not in json.dumps(Page(text).facts())


def test_transparent_pictures_stay_transparent(tmp_path):
    picture = tmp_path / "disc.png"
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((200, 30, 30, 255), (8, 8, 32, 32))
    image.save(picture)
    run = tmp_path / "run"
    assert cli.main(["vectorize", str(picture), "--workdir", str(run), "--quality", "draft", "--quiet"]) == 0
    assert not read_run(run).source.opaque
    write_report(run, run / "report.html")
    page = Page((run / "report.html").read_text(encoding="utf-8"))
    assert any(a.get("src", "").startswith("data:image/png") for _, a in page.elements)


def test_no_report_without_a_folder_to_read():
    with pytest.raises(InputError, match="is no work folder"):
        read_run(files(viewer))
