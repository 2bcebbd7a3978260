"""What can be asked for on the command line: flags, their help, and one sentence for each misuse.

The adapter to argparse; does none of what is asked. The drawing options are the fields of `Settings`, which also
checks them, so that the command line, YAML and Python know the same names and refuse the same values.
"""

from __future__ import annotations

import argparse
import difflib
import os
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from layervec import streams
from layervec.errors import InputError, quoted
from layervec.settings import Settings, explain, from_yaml, section_of

if TYPE_CHECKING:
    from layervec.batch.run import Options

NUMBERS: dict[type[float], str] = {float: "a number", int: "a whole number"}  # the first that a setting allows is read
WORKERS_A_CORE = 4  # at most: each takes memory, and they wait for disks or networks now and then, not more
VECTORIZE_HELP = """\
Turn a picture into a layered SVG, the big shapes first and details on top.

Examples:
  layervec vectorize photo.jpg                     writes photo.svg beside it
  layervec vectorize photo.jpg --paths 64          fewer, bolder shapes
  layervec vectorize photo.jpg --quality best      closer, and slower
  layervec vectorize logo.png -o art/logo.svg --png
"""
BATCH_HELP = """\
Draw many pictures. IN is a folder, a pattern in quotes, or a list in CSV or Parquet with a column `image`, perhaps one
`output`, and settings by their names. The same command again goes on where the last one ended, however it ended.

Examples:
  layervec batch photos -o drawings                a folder, with all folders in it
  layervec batch "photos/**/*.jpg" -o drawings --paths 64
  layervec batch list.csv -o drawings --retry-failed
  layervec batch s3://bucket/photos -o s3://bucket/drawings --engine ray
"""
SCORE_HELP = """\
Measure how close an SVG comes to a picture and how easy it is to edit. Any SVG will do, ours or not.

Examples:
  layervec score photo.svg photo.jpg               a table
  layervec score photo.svg photo.jpg --json        the same for programs
  layervec score photo.svg photo.jpg --masks photo-masks
"""
REPORT_HELP = """\
Make one HTML page of a run that `layervec vectorize --workdir FOLDER` has kept: the drawing with its layers and
its detail, beside the picture, and how it came about. It works from disk, without network or server.

Examples:
  layervec report run                              writes run/report.html
  layervec report run -o photo.html
"""
STUDIO_HELP = """\
Open a page in the browser: drop a picture, watch it being drawn, edit its layers, save SVG, PNG or PDF.
This machine serves it to itself alone, at an address that is printed and new at every start.

Examples:
  layervec studio
  layervec studio photo.jpg
  layervec studio drawing.svg --no-browser         an SVG that layervec made, to go on with
"""
MODELS_HELP = """\
List what is there for the options that need a model, and how to get the rest. Fetches nothing.

Examples:
  layervec models
  layervec models --segmenter-model sam_vit_h_4b8939.pth
"""
MODEL_SETTINGS = ("simplifier_model", "segmenter_model", "device", "offline")


@dataclass(frozen=True)
class Output:
    """Where the drawing goes; `svg` None: beside the picture."""

    svg: Path | None
    png: bool
    workdir: Path | None
    report: bool


@dataclass(frozen=True)
class Run:
    """How the program behaves; `threads` None: one for each core. notes: sentences that the user should read."""

    config: Path | None
    threads: int | None
    quiet: bool
    verbose: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vectorize:
    """What `layervec vectorize` was asked for."""

    image: Path
    drawing: Settings
    output: Output
    run: Run


@dataclass(frozen=True)
class Batch:
    """What `layervec batch` was asked for. notes: sentences that the user should read."""

    source: str
    out: str
    drawing: Settings
    options: Options
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Models:
    """What `layervec models` was asked for: the models that these settings name."""

    drawing: Settings


@dataclass(frozen=True)
class Studio:
    """What `layervec studio` was asked for. folder: where works are kept, None: the usual place. port 0: any free."""

    file: Path | None
    port: int
    no_browser: bool
    folder: Path | None
    drawing: Settings


@dataclass(frozen=True)
class Report:
    """What `layervec report` was asked for; `html` None: in the folder."""

    folder: Path
    html: Path | None


@dataclass(frozen=True)
class Score:
    """What `layervec score` was asked for. masks: a folder of masks of objects."""

    svg: Path
    image: Path
    json: bool
    masks: Path | None = None


def vectorize(words: Sequence[str]) -> Vectorize:
    """Return what `layervec vectorize` was asked for. Raises InputError; SystemExit(0) after showing help."""
    parser = _vectorize_parser()
    found = parser.read(words)
    if found.threads is not None and found.threads < 1:
        raise InputError(f"--threads should be at least 1, not {found.threads}.")
    if found.quiet and found.verbose:
        raise InputError("--quiet and --verbose exclude each other.")
    notes: list[str] = []
    found.threads = _useful("--threads", found.threads, os.cpu_count() or 1, notes)
    return Vectorize(
        image=found.image,
        drawing=_settings(parser, found, notes),
        output=Output(svg=found.output, png=found.png, workdir=found.workdir, report=found.report),
        run=Run(found.config, found.threads, found.quiet, found.verbose, tuple(notes)),
    )


def batch(words: Sequence[str]) -> Batch:
    """Return what `layervec batch` was asked for. Raises InputError; SystemExit(0) after showing help."""
    from layervec.batch.run import Options
    from layervec.batch.seat import Limits

    parser = _batch_parser()
    found = parser.read(words)
    if found.output is None:
        parser.error("-o OUT is missing")
    for name in ("workers", "threads", "memory_limit"):
        if getattr(found, name) is not None and getattr(found, name) < 1:
            parser.error(f"{_flag(name)} should be at least 1, not {getattr(found, name)}")
    if found.time_limit is not None and not found.time_limit > 0:
        parser.error(f"--time-limit should be above 0, not {found.time_limit:g}")
    if not found.gpus >= 0:
        parser.error(f"--gpus should be at least 0, not {found.gpus:g}")
    if found.engine != "ray" and (found.address or found.gpus):
        parser.error(f"{'--address' if found.address else '--gpus'} needs --engine ray")
    if found.quiet and found.verbose:
        parser.error("--quiet and --verbose exclude each other")
    notes: list[str] = []
    if not found.address:  # another machine may have more
        cores = os.cpu_count() or 1
        found.threads = _useful("--threads", found.threads, cores, notes)
        found.workers = _useful("--workers", found.workers, cores * WORKERS_A_CORE, notes)
    same = ("png", "report", "retry_failed", "engine", "workers", "threads", "address", "gpus", "quiet", "verbose")
    options = Options(
        form=found.manifest,
        limits=Limits(found.time_limit, found.memory_limit),
        **{name: getattr(found, name) for name in same},
    )
    return Batch(found.source, found.output, _settings(parser, found, notes), options, tuple(notes))


def score(words: Sequence[str]) -> Score:
    """Return what `layervec score` was asked for. Raises InputError; SystemExit(0) after showing help."""
    found = _score_parser().read(words)
    return Score(svg=found.svg, image=found.image, json=found.json, masks=found.masks)


def report(words: Sequence[str]) -> Report:
    """Return what `layervec report` was asked for. Raises InputError; SystemExit(0) after showing help."""
    found = _report_parser().read(words)
    return Report(folder=found.folder, html=found.output)


def studio(words: Sequence[str]) -> Studio:
    """Return what `layervec studio` was asked for. Raises InputError; SystemExit(0) after showing help."""
    parser = _studio_parser()
    found = parser.read(words)
    if not 0 <= found.port <= 65535:
        raise InputError(f"--port should be 0 to 65535, not {found.port}.")
    return Studio(found.file, found.port, found.no_browser, found.folder, _settings(parser, found, []))


def models(words: Sequence[str]) -> Models:
    """Return what `layervec models` was asked for. Raises InputError; SystemExit(0) after showing help."""
    parser = _models_parser()
    found = parser.read(words)
    return Models(_settings(parser, found, []))


def _useful(flag: str, number: int | None, most: int, notes: list[str]) -> int | None:
    """Return a number of threads or workers, no more than are of use here; a note tells of less than was asked for."""
    if number is None or number <= most:
        return number
    notes.append(f"{flag} {quoted(number)} is more than this machine has use for; it is taken for {most}.")
    return most


def _settings(parser: _Parser, found: argparse.Namespace, notes: list[str]) -> Settings:
    """Return the drawing options: defaults give way to the YAML file, and that to flags. Appends to notes."""
    values = {} if found.config is None else from_yaml(found.config, notes.append).model_dump(exclude_unset=True)
    for dest, value in vars(found).items():
        section, _, name = dest.rpartition(".")
        if section:
            values.setdefault(section, {})[name] = value
        elif name in Settings.model_fields:
            values[name] = value
    try:
        return Settings(**values)
    except ValidationError as error:
        parser.error(explain(error, _flag))


# The options


def _vectorize_parser() -> _Parser:
    parser = _Parser("layervec vectorize", "IMAGE [OPTIONS]", VECTORIZE_HELP)
    parser.add_name("image", "IMAGE", "The picture: PNG, JPEG, WebP, BMP, TIFF, GIF or AVIF.")

    _add_settings(parser)

    output = parser.add_argument_group("output options", "Where the drawing goes.")
    output.add_argument(
        *("-o", "--output"),
        metavar="OUT.svg",
        type=Path,
        help="The SVG to write; an existing one is replaced. Without this, it is named after the picture, beside it. "
        "An SVG of that name is replaced only if layervec made it.",
    )
    output.add_argument(
        "--png",
        action="store_true",
        help="Also write a PNG preview beside the SVG, of the picture's size but at most 2048 pixels wide or high. "
        "It is called OUT.png, or OUT.preview.png where OUT.png is the picture itself.",
    )
    output.add_argument(
        "--report",
        action="store_true",
        help="Also write OUT.html beside the SVG: one page to look at the drawing, its layers and how it came about, "
        "which works from disk without network or server.",
    )
    output.add_argument(
        "--workdir",
        metavar="FOLDER",
        type=Path,
        help="Also keep in this folder what was made on the way: simplified pictures, masks of the first 64 regions, "
        "the drawing after each step, and run.json with settings, times and figures.",
    )

    run = parser.add_argument_group("run options", "How the program behaves.")
    _add_config(run)
    run.add_argument(
        "--threads",
        metavar="NUMBER",
        type=_reader(int),
        help="Most processor threads to use. The drawing is the same for any number, except where a model rounds "
        "differently. (default: one for each core)",
    )
    run.add_argument("-q", "--quiet", action="store_true", help="Print nothing but errors.")
    run.add_argument(
        *("-v", "--verbose"),
        action="store_true",
        help="Print a line for each finished stage, and all details if something goes wrong.",
    )
    parser.add_help_to(run)
    return parser


def _models_parser() -> _Parser:
    parser = _Parser("layervec models", "[OPTIONS]", MODELS_HELP)
    options = parser.add_argument_group("options")
    for name in MODEL_SETTINGS:
        _add_setting(options, name, Settings.model_fields[name])
    _add_config(options)
    parser.add_help_to(options)
    return parser


def _batch_parser() -> _Parser:
    parser = _Parser("layervec batch", "IN -o OUT [OPTIONS]", BATCH_HELP)
    parser.add_name("source", "IN", "A folder, a pattern, a list (.csv, .parquet) or a picture; paths or URLs.", str)

    output = parser.add_argument_group("output options", "Where the drawings go.")
    output.add_argument(
        *("-o", "--output"),
        metavar="OUT",
        help="The folder or URL for the drawings, which mirror the names of the pictures, and for the manifest.",
    )
    output.add_argument("--png", action="store_true", help="Also write a PNG preview of each drawing.")
    output.add_argument("--report", action="store_true", help="Also write a page about each drawing.")
    output.add_argument(
        "--manifest",
        type=_reader(None, ("csv", "parquet")),
        metavar="csv|parquet",
        default="csv",
        help="The form of the list of all pictures and how they ended. (default: csv)",
    )

    run = parser.add_argument_group("run options", "How the program behaves.")
    _add_config(run)
    run.add_argument(
        "--engine",
        type=_reader(None, ("local", "ray")),
        metavar="local|ray",
        default="local",
        help="What runs the workers: local is this machine's processes, ray is Ray, here or on a cluster. "
        "(default: local)",
    )
    run.add_argument(
        "--workers", metavar="NUMBER", type=_reader(int), help="Pictures drawn at once. (default: one for each core)"
    )
    run.add_argument(
        "--threads",
        metavar="NUMBER",
        type=_reader(int),
        help="Most processor threads of each worker. (default: the cores divided by the workers)",
    )
    run.add_argument(
        "--time-limit", metavar="SECONDS", type=_reader(float), help="Most time for one picture; it fails then."
    )
    run.add_argument(
        "--memory-limit",
        metavar="MIB",
        type=_reader(int),
        help="Most memory of a worker, in MiB; the picture that takes it beyond fails.",
    )
    run.add_argument("--retry-failed", action="store_true", help="Try again what failed in an earlier run.")
    run.add_argument("--address", metavar="ADDRESS", help="The Ray cluster to join. (default: this machine alone)")
    run.add_argument(
        "--gpus",
        metavar="NUMBER",
        type=_reader(float),
        default=0.0,
        help="GPUs of each Ray worker, also a part of one, such as 0.25. (default: 0)",
    )
    run.add_argument("-q", "--quiet", action="store_true", help="Print nothing but errors.")
    run.add_argument(
        *("-v", "--verbose"),
        action="store_true",
        help="Print a line for each picture, and all details if something goes wrong.",
    )
    parser.add_help_to(run)
    _add_settings(parser)
    return parser


def _add_settings(parser: _Parser) -> None:
    """Add the flags of all settings."""
    drawing = parser.add_argument_group("drawing options", "How simple or close the drawing is.")
    for name, field in Settings.model_fields.items():
        inside = section_of(name)
        if inside is None:
            _add_setting(drawing, name, field)
            continue
        section = parser.add_argument_group(f"options of {name}", field.description)
        for part, its in inside.items():
            _add_setting(section, f"{name}.{part}", its)


def _studio_parser() -> _Parser:
    parser = _Parser("layervec studio", "[FILE] [OPTIONS]", STUDIO_HELP)
    parser.add_name("file", "FILE", "A picture to draw, or a drawing to go on with.", needed=False)
    options = parser.add_argument_group("options")
    options.add_argument(
        *("--port",), metavar="NUMBER", type=_reader(int), default=0, help="The port to serve at. (default: any free)"
    )
    options.add_argument("--no-browser", action="store_true", help="Only print the address; open no browser.")
    options.add_argument(
        *("--folder",),
        metavar="FOLDER",
        type=Path,
        help="Where pictures and drawings are kept. (default: layervec/studio in the user's folder for data)",
    )
    for name in MODEL_SETTINGS:
        _add_setting(options, name, Settings.model_fields[name])
    _add_config(options)
    parser.add_help_to(options)
    return parser


def _add_config(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--config",
        metavar="FILE.yaml",
        type=Path,
        help="Read the drawing options from this file, one `name: value` a line, such as `paths: 64`. "
        "Options on the command line win over it. The reference's own configuration file will do as well.",
    )


def _score_parser() -> _Parser:
    parser = _Parser("layervec score", "OUT.svg IMAGE [OPTIONS]", SCORE_HELP)
    parser.add_name("svg", "OUT.svg", "The drawing to measure.")
    parser.add_name("image", "IMAGE", "The picture that it should look like.")
    options = parser.add_argument_group("options")
    options.add_argument(
        "--masks",
        metavar="FOLDER",
        type=Path,
        help="Also measure how well shapes and layers agree with the masks of objects in this folder: recall, the mean "
        "best overlap of a mask with a shape or layer, and VeC, the share of shapes touching a mask that lie in it.",
    )
    options.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
    parser.add_help_to(options)
    return parser


def _report_parser() -> _Parser:
    parser = _Parser("layervec report", "FOLDER [OPTIONS]", REPORT_HELP)
    parser.add_name("folder", "FOLDER", "The work folder of a finished run.")
    options = parser.add_argument_group("options")
    options.add_argument(
        *("-o", "--output"),
        metavar="OUT.html",
        type=Path,
        help="The page to write; an existing one is replaced. (default: report.html in the folder)",
    )
    parser.add_help_to(options)
    return parser


def _add_setting(group: argparse._ArgumentGroup, name: str, field: FieldInfo) -> None:
    """Add the flag of one setting. One that is not given leaves no trace, so that a YAML file's value stands."""
    kinds = _kinds(field.annotation)
    default = field.default
    how: dict[str, Any] = {}
    if bool in kinds:
        how["action"] = argparse.BooleanOptionalAction
        default = "yes" if default else "no"
    elif any(get_origin(kind) is tuple for kind in kinds):
        how["type"], how["metavar"] = _whole_numbers, "NUMBER,..."
        default = ",".join(map(str, default))
    elif str in kinds:
        how["metavar"] = "TEXT"
        default = default or None
    else:
        number = next((kind for kind in NUMBERS if kind in kinds), None)
        choices = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
        how["type"] = _reader(number, choices)
        how["metavar"] = "|".join([*choices, *(["NUMBER"] if number else [])])
    text = (field.description or "") + ("" if default is None else f" (default: {default})")
    group.add_argument(_flag(name), dest=name, default=argparse.SUPPRESS, help=text.replace("%", "%%"), **how)


def _kinds(annotation: Any) -> list[Any]:
    """Return the types that an annotation allows, without None."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    return [] if annotation is NoneType else [annotation]


def _reader(number: type[float] | None, choices: Sequence[str] = ()) -> Callable[[str], str | float]:
    """Return what turns a word into one of the choices or else a number."""
    expected = [NUMBERS[number]] if number else []
    if choices:
        expected.append(("one of " if len(choices) > 1 else "") + ", ".join(map(repr, choices)))

    def read(word: str) -> str | float:
        if word in choices:
            return word
        if number:
            with suppress(ValueError):
                return number(word)
        raise argparse.ArgumentTypeError(f"should be {' or '.join(expected)}, not {word!r}")

    return read


def _whole_numbers(word: str) -> list[int]:
    """Return the numbers of a list such as 20,40,60."""
    with suppress(ValueError):
        return [int(part) for part in word.split(",")]
    raise argparse.ArgumentTypeError(f"should be whole numbers with commas between them, not {word!r}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-").replace(".", "-")


# Reading


class _Parser(argparse.ArgumentParser):
    """Reads words in argparse's way, but complains in ours: with InputError, and of one thing at a time."""

    def __init__(self, program: str, usage: str, text: str) -> None:
        super().__init__(
            prog=program,
            usage=f"%(prog)s {usage}",
            description=text,
            formatter_class=_Help,
            allow_abbrev=False,
            exit_on_error=False,
            add_help=False,
        )
        self._group_of_names = self.add_argument_group("arguments")
        self._names: list[argparse.Action] = []

    def add_name(
        self, name: str, shown: str, text: str, kind: Callable[[str], object] = Path, *, needed: bool = True
    ) -> None:
        """Add a path, by its place."""
        nargs = None if needed else "?"
        action = self._group_of_names.add_argument(name, metavar=shown, type=kind, help=text, nargs=nargs)
        if needed:
            action.required = False  # checked by `read`, which looks for unknown options first
            self._names.append(action)

    def add_help_to(self, group: argparse._ArgumentGroup) -> None:
        """Let a group end with the option that shows the help."""
        group.add_argument("-h", "--help", action="help", help="Show this help.")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say."""
        for word in words:
            if "\0" in word:  # no shell hands one over
                self.error(f"{word!r} has a null byte, which no file's name can have")
        self._check_dashes(words)
        try:
            found, left = self.parse_known_args(words)
        except argparse.ArgumentError as error:
            self.error(f"{error.argument_name} {_plainly(error.message)}")
        left = [word for word in left if word != "--"]
        for word in left:
            if word.startswith("-"):
                self._complain_of_unknown(word)
        if left:
            self.error(f"{left[0]!r} is one name too many")
        for action in self._names:
            if getattr(found, action.dest) is None:
                self.error(f"{action.metavar} is missing")
        return found

    def print_help(self, file: Any = None) -> None:
        """Show the help; argparse would not notice a disk that is full."""
        with streams.output() as stdout:
            stdout.write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Complain in a sentence that says where to learn more."""
        raise InputError(f"{message}; see `{self.prog} --help`.")

    def _check_dashes(self, words: Sequence[str]) -> None:
        """Refuse -output, which would be -o with the value 'utput'."""
        for word in takewhile(lambda word: word != "--", words):
            if word[:1] == "-" and "-" + word.partition("=")[0] in self._option_string_actions:
                self._complain_of_unknown(word)

    def _complain_of_unknown(self, word: str) -> NoReturn:
        word = word.partition("=")[0]
        close = difflib.get_close_matches(word, [flag for flag in self._option_string_actions if flag[:2] == "--"], 1)
        self.error(f"there is no option {word}" + (f", perhaps {close[0]} was meant" if close else ""))


class _Help(argparse.HelpFormatter):
    """Wraps text as argparse does, but leaves indented lines, which are examples, and words with hyphens whole."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(line if line[:1] == " " else fill(line, width, indent) for line in text.splitlines())

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)  # names of models have hyphens


def _plainly(complaint: str) -> str:
    """Return argparse's own complaints, which are two, in our words, and those of `_reader` as they are."""
    if complaint.startswith("expected "):
        return "needs a value"
    return "takes no value" if complaint.startswith("ignored ") else complaint
