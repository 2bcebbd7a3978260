"""The command line from outside: odd pictures, one sentence for every misuse, exit codes, interrupts."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydantic import Field

from layervec import arguments, cli
from layervec.errors import InputError, printable
from layervec.score import render_svg, score
from layervec.settings import Settings, section_of

EXAMPLES = Path(__file__).parent.parent / "examples"
DRAFT = ["--quality", "draft", "--paths", "12"]


def run(*words):
    return cli.main([str(word) for word in words])


def spawn(*words, **options):
    command = [sys.executable, "-c", "import sys; from layervec.cli import main; sys.exit(main())"]
    return subprocess.Popen([*command, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def scene(size=(64, 48), mode="RGB"):
    """A few plain shapes on a ground; transparent ground where the mode has alpha."""
    image = Image.new("RGBA", size, (0, 0, 0, 0) if "A" in mode else (240, 230, 200, 255))
    draw = ImageDraw.Draw(image)
    w, h = size
    draw.ellipse((w * 0.1, h * 0.1, w * 0.6, h * 0.7), fill=(200, 40, 40, 255))
    draw.rectangle((w * 0.5, h * 0.5, w * 0.9, h * 0.9), fill=(40, 60, 180, 255))
    return image.convert(mode)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "scene.png"
    scene().save(path)
    return path


def listing(folder):
    return sorted(path.name for path in folder.rglob("*"))


# Pictures that must work


def one_pixel(path):
    Image.new("RGB", (1, 1), (10, 200, 30)).save(path)


def thin(path):
    Image.fromarray(np.linspace(0, 255, 2000).astype(np.uint8)[:, None].repeat(3, 1)[:, None, :]).save(path)


def odd_size(path):
    scene((37, 91)).save(path)


def one_colour(path):
    Image.new("RGB", (40, 30), (120, 30, 200)).save(path)


def clear(path):
    Image.new("RGBA", (40, 30), (120, 30, 200, 0)).save(path)


def half_clear(path):
    image = scene(mode="RGBA")
    image.putalpha(image.getchannel("A").point(lambda alpha: alpha // 2))
    image.save(path)


def glass(path):
    """One opacity all over: shapes inside others must not add up to something darker."""
    image = scene()
    image.putalpha(128)
    image.save(path)


def grey_alpha(path):
    scene(mode="LA").save(path)


def palette(path):
    image = scene().quantize(8)
    image.save(path, transparency=image.getpixel((0, 0)))


def deep_grey(path):
    Image.fromarray((np.add.outer(np.arange(48), np.arange(64)) * 590).astype(np.uint16)).save(path)


def cmyk(path):
    scene(mode="CMYK").save(path, "JPEG")


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    scene((64, 48)).save(path, "JPEG", exif=exif)


def animated(path):
    scene().save(path, "GIF", save_all=True, append_images=[Image.new("RGB", (64, 48), "black")])


def noise(path):
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)


ODD = {
    one_pixel: (1, 1),
    thin: (1, 2000),
    odd_size: (37, 91),
    one_colour: (40, 30),
    clear: (40, 30),
    half_clear: (64, 48),
    glass: (64, 48),
    grey_alpha: (64, 48),
    palette: (64, 48),
    deep_grey: (64, 48),
    cmyk: (64, 48),
    turned: (48, 64),
    animated: (64, 48),
    noise: (64, 48),
}


@pytest.mark.parametrize(("make", "size"), ODD.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_odd_pictures_become_drawings(make, size, tmp_path, capsys):
    source, target = tmp_path / "picture", tmp_path / "out.svg"
    make(source if make in (cmyk, turned, animated) else source.with_suffix(".png"))
    source = source if source.exists() else source.with_suffix(".png")
    assert run("vectorize", source, "-o", target, *DRAFT) == 0, capsys.readouterr().err
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r".*out\.svg: \d+ shapes? in \d+ layers?, (\d+\.\d dB|exact), [\d.]+ KiB, [\d.]+ s\n", said.err)
    text = target.read_text()
    assert f'width="{size[0]}" height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}"' in text
    shown = render_svg(text, *size, background=None)
    assert np.isfinite(shown).all()
    figures = score(target, source)
    if make is clear:
        assert figures.shapes == 0
        assert shown[..., 3].max() == 0
    elif make is not noise:
        assert figures.psnr > 20
    assert run("score", target, source, "--json") == 0
    assert json.loads(capsys.readouterr().out)["shapes"] == figures.shapes
    assert listing(tmp_path) == sorted([source.name, "out.svg"])


def test_orientation_is_applied(tmp_path):
    turned(tmp_path / "turned.jpg")
    assert run("vectorize", tmp_path / "turned.jpg", *DRAFT) == 0
    shown = render_svg((tmp_path / "turned.svg").read_text(), 48, 64)
    red = np.argwhere((shown[..., 0] > 0.6) & (shown[..., 1] < 0.4))
    assert red.mean(axis=0)[1] > 24  # the red disc, upper left in the file, is upper right once turned


def test_large_picture(tmp_path):
    source = tmp_path / "large.png"
    image = Image.new("P", (6000, 4000), 0)
    image.putpalette([250, 250, 250, 200, 30, 30, 30, 30, 200])
    ImageDraw.Draw(image).ellipse((500, 500, 3500, 3500), fill=1)
    ImageDraw.Draw(image).rectangle((3800, 1000, 5500, 3000), fill=2)
    image.save(source, compress_level=1)
    assert run("vectorize", source, "--png", *DRAFT) == 0
    assert 'viewBox="0 0 6000 4000"' in (tmp_path / "large.svg").read_text()
    with Image.open(tmp_path / "large.preview.png") as preview:
        assert preview.size == (2048, 1365)
    assert score(tmp_path / "large.svg", source).psnr > 30


# Input that must be refused


def missing(folder):
    return [folder / "absent.png"]


def folder_given(folder):
    (folder / "pictures").mkdir()
    return [folder / "pictures"]


def empty(folder):
    (folder / "empty.png").touch()
    return [folder / "empty.png"]


def text(folder):
    (folder / "text.png").write_text("not a picture\n")
    return [folder / "text.png"]


def truncated(folder):
    file = io.BytesIO()
    noise_image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (60, 60, 3), dtype=np.uint8))
    noise_image.save(file, "PNG")
    (folder / "cut.png").write_bytes(file.getvalue()[:4000])
    return [folder / "cut.png"]


def bomb(folder):
    """A PNG of 60000 x 60000 pixels in a few bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    (folder / "bomb.png").write_bytes(data)
    return [folder / "bomb.png"]


def given(*words, config=None):
    """Words after a good picture; FOLDER is the test's folder, `config` is what FOLDER/c.yaml says."""

    def make(folder):
        scene().save(folder / "scene.png")
        if config is not None:
            (folder / "c.yaml").write_text(config)
        return [folder / "scene.png", *(word.replace("FOLDER", str(folder)) for word in words)]

    return make


BAD = {
    "missing": (missing, "absent.png cannot be read: no such file"),
    "folder": (folder_given, "pictures cannot be read: is a directory"),
    "empty": (empty, "empty.png cannot be read: it is empty"),
    "text": (text, "text.png is not an intact PNG"),
    "truncated": (truncated, "cut.png cannot be decoded"),
    "bomb": (bomb, "bomb.png is too large"),
    "output below a file": (
        given("-o", "FOLDER/scene.png/out.svg"),
        "out.svg cannot be written: not a directory",
    ),
    "output folder missing": (given("-o", "FOLDER/no/out.svg"), "no does not exist"),
    "output is a folder": (given("-o", "FOLDER"), "cannot be written: it is a folder"),
    "output is the picture": (given("-o", "FOLDER/scene"), None),
    "output is a picture's name": (given("-o", "FOLDER/out.png"), "end it in .svg"),
    "workdir below a file": (
        given("--workdir", "FOLDER/scene.png/work"),
        "cannot be the work folder: not a directory",
    ),
    "no paths": (given("--paths", "0"), "--paths should be greater than or equal to 1, not 0"),
    "paths not a number": (given("--paths", "many"), "--paths should be a whole number or 'auto', not 'many'"),
    "too few colours": (given("--colors", "1"), "--colors should be greater than or equal to 2, not 1"),
    "too many colours": (given("--colors", "257"), "--colors should be less than or equal to 256, not 257"),
    "colours not a number": (given("--colors", "few"), "--colors should be a whole number or 'any', not 'few'"),
    "colours with gradients": (
        given("--colors", "8", "--gradients", "auto"),
        "--gradients should be 'off' with colors or palette, which mean plain fills, not 'auto'",
    ),
    "palette with gradients": (
        given("--config", "FOLDER/c.yaml", config="palette: white\ngradients: 'on'"),
        "c.yaml: 'gradients' should be 'off' with colors or palette, which mean plain fills, not 'on'",
    ),
    "colours and a palette": (
        given("--colors", "8", "--palette", "white,black"),
        "--palette should be left out where colors says how many to choose, not 'white,black'",
    ),
    "palette with a bad colour": (given("--palette", "white,#12"), "The palette has '#12', which is no colour"),
    "palette without colours": (given("--palette", "FOLDER/c.yaml", config="# none\n"), "c.yaml has no colours."),
    "palette missing": (given("--palette", "FOLDER/brand.gpl"), "brand.gpl is neither a colour nor a palette's file"),
    "quality misspelt": (
        given("--quality", "drft"),
        "--quality should be one of 'draft', 'standard', 'best', not 'drft'",
    ),
    "no threads": (given("--threads", "0"), "--threads should be at least 1, not 0"),
    "threads not a number": (given("--threads", "two"), "--threads should be a whole number, not 'two'"),
    "unknown flag": (given("--qualty", "draft"), "there is no option --qualty, perhaps --quality was meant"),
    "two pictures": (given("other.png"), "'other.png' is one name too many"),
    "unknown flag with a value": (given("--pahts=3"), "there is no option --pahts, perhaps --paths was meant"),
    "unknown flag like no other": (given("--zzz"), "there is no option --zzz; see"),
    "unknown flag and no picture": (lambda folder: ["--colours=3"], "there is no option --colours"),
    "flag cut short": (given("--qual", "draft"), "there is no option --qual, perhaps --quality was meant"),
    "flag with one dash": (given("-output", "FOLDER/o.svg"), "there is no option -output, perhaps --output was meant"),
    "name after a double dash": (given("--", "other.png"), "'other.png' is one name too many"),
    "value missing": (given("-o"), "-o/--output needs a value"),
    "value missing before a flag": (given("--paths", "--png"), "--paths needs a value"),
    "value empty": (given("--paths="), "--paths should be a whole number or 'auto', not ''"),
    "value for a switch": (given("--png=yes"), "--png takes no value"),
    "negative paths": (given("--paths", "-5"), "--paths should be greater than or equal to 1, not -5"),
    "tolerance not a number": (given("--tolerance", "wide"), "--tolerance should be a number, not 'wide'"),
    "tolerance endless": (given("--tolerance=inf"), "--tolerance should be a finite number, not inf"),
    "quiet and verbose": (given("-q", "-v"), "exclude each other"),
    "yaml missing": (given("--config", "FOLDER/absent.yaml"), "absent.yaml: cannot be read"),
    "yaml key": (
        given("--config", "FOLDER/c.yaml", config="pathes: 3"),
        "c.yaml: there is no setting called 'pathes'",
    ),
    "yaml list": (given("--config", "FOLDER/c.yaml", config="- paths"), "c.yaml: should hold settings"),
    "yaml type": (
        given("--config", "FOLDER/c.yaml", config="paths: many"),
        "c.yaml: 'paths' should be a valid integer",
    ),
    "yaml broken": (given("--config", "FOLDER/c.yaml", config="paths: ["), "c.yaml: is not valid YAML"),
    "no picture": (lambda folder: ["--paths", "3"], "IMAGE is missing; see `layervec vectorize --help`"),
    "empty name": (lambda folder: [""], "cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_sentence(case, tmp_path, capsys):
    make, told = BAD[case]
    words = make(tmp_path)
    if case == "output is the picture":
        (tmp_path / "scene.png").rename(tmp_path / "scene")
        words[0], told = tmp_path / "scene", "is the picture itself"
    before = listing(tmp_path)
    assert run("vectorize", *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"layervec: [^\n]+\.\n", said.err)
    assert told in said.err
    assert "Traceback" not in said.err
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "a command is missing; see `layervec --help`"),
        (["vectorise"], "there is no command 'vectorise'"),
        (["photo.jpg"], "perhaps `layervec vectorize photo.jpg` was meant"),
        (["score"], "OUT.svg is missing; see `layervec score --help`"),
        (["score", "a.svg"], "IMAGE is missing"),
        (["score", "absent.svg", "absent.png"], "absent.svg"),
        (["score", "a.svg", "a.png", "b.png"], "'b.png' is one name too many"),
        (["score", "a.svg", "a.png", "--jsn"], "there is no option --jsn, perhaps --json was meant"),
    ],
)
def test_misused_commands(words, told, capsys):
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"layervec: [^\n]+\.\n", said)
    assert told in said


# Names and places


@pytest.mark.parametrize("name", ["with space.png", "größe ☂.png", "dot.ted.png", "bell\x07\nline.png", "noending"])
def test_names(name, tmp_path, capsys):
    scene().save(tmp_path / name, "PNG")
    assert run("vectorize", tmp_path / name, *DRAFT) == 0
    assert (tmp_path / name).with_suffix(".svg").is_file()


STEERING = "e\x1b[31mv\nil\x9b\u202e\u2066"


@pytest.mark.parametrize(
    "words",
    [
        ["vectorize", f"{STEERING}.png", "--verbose", *DRAFT],
        ["vectorize", f"no{STEERING}.png"],
        ["vectorize", f"{STEERING}.png", "-o", f"{STEERING}/out.svg"],
        ["vectorize", "scene.png", f"--{STEERING}"],
        ["vectorize", "scene.png", "--palette", STEERING],
        ["vectorize", "scene.png", "--config", f"{STEERING}.yaml"],
        [STEERING],
        ["score", f"{STEERING}.svg", "scene.png"],
        ["report", STEERING],
        ["models", "--segmenter-model", STEERING],
        ["batch", STEERING, "-o", "out"],
    ],
)
def test_names_never_steer_the_terminal(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in (f"{STEERING}.png", "scene.png"):
        scene().save(name)
    run(*words)
    said = "".join(capsys.readouterr())
    assert "\\x1b[31mv" in said
    assert not re.search("[^\n -~]", said)


def test_names_of_all_languages_are_shown_as_they_are():
    for name in ("größe ☂.png", "写真\u3000一.png", "می\u200cخواهم.png", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}.png"):
        assert printable(name) == name


def test_name_that_is_no_text(tmp_path, capsys):
    name = os.fsdecode(b"caf\xe9.png")
    try:
        scene().save(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert run("vectorize", tmp_path / name, *DRAFT) == 0
    assert "caf\\udce9.svg: " in capsys.readouterr().err


def test_leading_dash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scene().save("--paths.png")
    assert run("vectorize", *DRAFT, "--output=-o.svg", "--", "--paths.png") == 0
    assert listing(tmp_path) == ["--paths.png", "-o.svg"]


def test_a_drawing_of_someone_else_is_not_replaced_by_default(picture, tmp_path, capsys):
    own = tmp_path / "scene.svg"
    own.write_text("<svg/>")
    assert run("vectorize", picture, *DRAFT) == 2
    assert "was not made by layervec" in capsys.readouterr().err
    assert own.read_text() == "<svg/>"
    assert run("vectorize", picture, "-o", own, *DRAFT) == 0  # asked for by name
    first = own.read_bytes()
    assert run("vectorize", picture, *DRAFT) == 0  # now it is ours
    assert own.read_bytes() == first


def test_png_never_replaces_the_picture(picture, tmp_path):
    before = picture.read_bytes()
    assert run("vectorize", picture, "--png", *DRAFT) == 0
    assert picture.read_bytes() == before
    with Image.open(tmp_path / "scene.preview.png") as preview:
        assert (preview.mode, preview.size) == ("RGBA", (64, 48))
    assert run("vectorize", picture, "--png", "-o", tmp_path / "other.svg", *DRAFT) == 0
    assert (tmp_path / "other.png").is_file()


def test_failed_run_keeps_the_old_drawing(tmp_path):
    (tmp_path / "text.png").write_text("nothing")
    (tmp_path / "out.svg").write_text("old")
    assert run("vectorize", tmp_path / "text.png", "-o", tmp_path / "out.svg") == 2
    assert (tmp_path / "out.svg").read_text() == "old"


# Same input, same drawing; settings


def test_deterministic_whatever_the_threads(tmp_path):
    source = EXAMPLES / "fox.png"
    texts = set()
    for threads in (1, 2, 1):
        assert run("vectorize", source, "-o", tmp_path / "out.svg", *DRAFT, "--size", 96, "--threads", threads) == 0
        texts.add((tmp_path / "out.svg").read_bytes())
    assert len(texts) == 1


def test_flags_win_over_yaml_and_yaml_over_defaults(picture, tmp_path):
    (tmp_path / "c.yaml").write_text("paths: 5\nquality: draft\ntolerance: 2\n")
    assert run("vectorize", picture, "--config", tmp_path / "c.yaml", "--paths", "3") == 0
    metadata = re.search(r"<metadata>(.*)</metadata>", (tmp_path / "scene.svg").read_text())
    settings = json.loads(metadata[1])["settings"]
    others = {"size": 512, "levels_count": 5, "gradients": "off"}
    assert settings == {"paths": 3, "quality": "draft", "tolerance": 2.0} | others


@pytest.mark.parametrize("ground", [(240, 240, 240), None])
def test_a_dropped_background_is_seen_in_every_file(ground, tmp_path, capsys):
    image = Image.effect_noise((64, 48), 120).convert("RGB") if ground is None else Image.new("RGB", (64, 48), ground)
    image.paste((200, 30, 30), (20, 15, 44, 33))
    image.save(tmp_path / "scene.png")
    words = ("--drop-background", "--png", "-o", tmp_path / "o.svg", "--workdir", tmp_path / "work")
    assert run("vectorize", tmp_path / "scene.png", *DRAFT, *words) == 0
    said = capsys.readouterr().err.splitlines()
    alpha = np.asarray(Image.open(tmp_path / "o.png").convert("RGBA"))[..., 3]
    record = json.loads((tmp_path / "work" / "run.json").read_text())
    assert record["settings"]["drop_background"] is True
    assert alpha[24, 32] == 255
    if ground is None:
        assert said[1].endswith("scene.png has no plain background all round, so nothing was dropped.")
        assert (alpha == 255).all()
    else:
        assert len(said) == 1
        assert alpha[2, 2] == 0
        assert record["score"]["psnr"] is None or record["score"]["psnr"] > 40  # against what was to be drawn


def flags():
    """Every setting, also inside sections: its name, its field and its default as it is written."""
    for name, field in Settings.model_fields.items():
        for part, its in (section_of(name) or {}).items():
            yield f"{name}.{part}", its
        if section_of(name) is None:
            yield name, field


def written(default):
    if isinstance(default, bool):
        return "yes" if default else "no"
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def test_squares_that_could_not_be_kept_are_told(tmp_path, capsys):
    """A photo has a colour for each pixel, so its pixels cannot all be squares."""
    rng = np.random.default_rng(0)
    options = ["--preset", "pixel", "--size", "32"]
    for height, squares in ((70, 23), (96, 32)):  # the second shrinks to a whole part of its size
        Image.fromarray(rng.integers(0, 255, (height, 96, 3)).astype(np.uint8)).save(tmp_path / "grain.png")
        assert run("vectorize", tmp_path / "grain.png", "-o", tmp_path / "a.svg", "--quiet", *options) == 0
        told = "grain.png has too many pixels and colours to draw each pixel as a square; it was shrunk to 32 x "
        assert f"{told}{squares} squares." in capsys.readouterr().err
    scene().quantize(8).save(tmp_path / "few.png")
    assert run("vectorize", tmp_path / "few.png", "-o", tmp_path / "b.svg", *options) == 0
    assert "too many" not in capsys.readouterr().err


@pytest.mark.parametrize(("name", "field"), list(flags()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_setting_has_a_flag_and_help(name, field, capsys):
    flag, default = "--" + name.replace("_", "-").replace(".", "-"), written(field.default)
    words = {"no": ["--no-" + flag[2:]], "yes": [flag]}.get(default, [flag, default])
    asked = arguments.vectorize(["a.png", *words])
    assert asked.drawing == Settings()
    section, _, part = name.rpartition(".")
    assert asked.drawing.model_fields_set == {section or name}
    if section:
        assert getattr(asked.drawing, section).model_fields_set == {part}
    with pytest.raises(SystemExit):
        arguments.vectorize(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert field.description + (f" (default: {default})" if default else "") in shown


def test_settings_of_every_kind_become_flags(tmp_path, monkeypatch, capsys):
    class Kinds(Settings):
        shapes: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
        scale: float | None = None
        style: Literal["flat", "soft"] | None = None
        smooth: bool = True

    monkeypatch.setattr(arguments, "Settings", Kinds)

    def chosen(*words):
        return arguments.vectorize(["a.png", *words]).drawing.model_dump(exclude=set(Settings.model_fields))

    assert chosen() == {"shapes": "auto", "scale": None, "style": None, "smooth": True}
    words = ("--shapes", "7", "--scale=.5", "--style", "soft", "--no-smooth")
    assert chosen(*words) == {"shapes": 7, "scale": 0.5, "style": "soft", "smooth": False}
    assert chosen(*words, "--shapes=auto", "--smooth") == {
        "shapes": "auto",
        "scale": 0.5,
        "style": "soft",
        "smooth": True,
    }
    for word, told in (("few", "--shapes should be a whole number or 'auto', not 'few'"), ("0", "--shapes should be ")):
        with pytest.raises(InputError, match=told):
            chosen("--shapes", word)
    with pytest.raises(SystemExit):
        chosen("--help")
    shown = capsys.readouterr().out
    assert "--shapes auto|NUMBER" in shown
    assert "--smooth, --no-smooth" in shown
    assert "(default: yes)" in shown
    assert "None" not in shown


def test_options_and_names_in_any_order():
    asked = arguments.vectorize(["-q", "--paths=3", "a.png", "-o", "b.svg", "--paths", "4", "--png", "--threads=1"])
    assert (asked.image, asked.drawing) == (Path("a.png"), Settings(paths=4))
    assert asked.output == arguments.Output(svg=Path("b.svg"), png=True, workdir=None, report=False)
    assert asked.run == arguments.Run(config=None, threads=1, quiet=True, verbose=False)
    assert arguments.score(["a.svg", "--json", "a.png"]) == arguments.Score(Path("a.svg"), Path("a.png"), json=True)


# What is said


def test_quiet_says_nothing(picture, capsys):
    assert run("vectorize", picture, *DRAFT, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_verbose_says_a_line_for_each_stage(picture, capsys):
    assert run("vectorize", picture, *DRAFT, "--verbose") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("compiling")]
    assert len(lines) == 7
    assert all(re.search(r": \d+\.\d\d s", line) for line in lines[:6])


def test_score_prints_a_table_or_json(picture, tmp_path, capsys):
    run("vectorize", picture, *DRAFT)
    capsys.readouterr()
    assert run("score", tmp_path / "scene.svg", picture) == 0
    assert re.search(r"PSNR\s+\d+\.\d+ dB", capsys.readouterr().out)
    assert run("score", tmp_path / "scene.svg", picture, "--json") == 0
    figures = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert figures["psnr"] > 20


def test_score_of_an_identical_picture_is_valid_json(tmp_path, capsys):
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "red.png")
    (tmp_path / "red.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#f00" d="M0 0H8V8H0Z"/></svg>'
    )
    assert run("score", tmp_path / "red.svg", tmp_path / "red.png", "--json") == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["psnr"] is None


def test_help_and_version(capsys):
    assert run("--version") == 0
    assert re.fullmatch(r"layervec \d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert run("-h") == 0
    assert "layervec vectorize photo.jpg" in capsys.readouterr().out
    for command in ("vectorize", "report", "score"):
        assert run(command, "-h") == 0
        shown = capsys.readouterr()
        assert "Examples:" in shown.out
        assert "pydantic" not in shown.out.lower()
        assert "None" not in shown.out
        assert shown.err == ""


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_help_fits_the_terminal(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in ("vectorize", "report", "score"):
        assert run(command, "--help") == 0
        shown = capsys.readouterr().out
        assert shown.isascii()
        # Examples are for copying; one name is not ours, the other one and its opposite share a line.
        whole = ("layervec", "--sam-crop-n-points-downscale-factor", "--no-drop-background")
        wrapped = [line for line in shown.splitlines() if not any(word in line for word in whole)]
        assert max(map(len, wrapped)) < columns


def test_our_fault_is_exit_1(picture, monkeypatch, capsys):
    monkeypatch.setattr("layervec.tree.build", lambda *_, **__: 1 / 0)
    assert run("vectorize", picture, *DRAFT) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"layervec: [^\n]*ZeroDivisionError: division by zero[^\n]*report[^\n]*\n", said)
    assert run("vectorize", picture, *DRAFT, "--verbose") == 1
    assert "Traceback" in capsys.readouterr().err


# Separate processes


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from layervec.cli import main; main(['vectorize', '--help']);"
        "sys.exit(', '.join({'numpy', 'numba', 'cv2', 'PIL', 'yaml', 'rich', 'asyncio'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_terminal_without_utf8(picture):
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    process = spawn("score", "--help", env=environment)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, b"")
    assert out.isascii()
    svg = picture.with_name("größe.svg")
    svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"/>')
    process = spawn("score", svg, picture, env=environment)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, b"")
    assert out.isascii()


def test_reader_that_has_gone(picture):
    process = spawn("--help")
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_interrupt_leaves_no_half_file(number, tmp_path):
    target = tmp_path / "out.svg"
    target.write_text("old")
    work = tmp_path / "work"
    # Tests in the background may ignore signals, and children would inherit that.
    process = spawn(
        *(
            "vectorize",
            EXAMPLES / "stilllife.png",
            "-o",
            target,
            "--quality",
            "best",
            "--size",
            256,
            "--workdir",
            work,
        ),
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    start = time.monotonic()
    while not (work / "stages" / "00-arrange.svg").exists() and time.monotonic() < start + 60:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error) == (130, b"", b"layervec: interrupted.\n")
    assert target.read_text() == "old"
    assert not list(tmp_path.rglob("*.tmp"))
