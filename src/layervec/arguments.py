"""What can be asked for on the command line: flags, their help, and one sentence for each misuse.

The adapter to tyro, which turns the dataclasses below and `Settings` into flags; does none of what they ask.
Numbers are checked by `Settings` itself, so that the command line, YAML and Python refuse the same things.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro
from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator
from tyro.conf import DisallowNone, FlagCreatePairsOff, OmitArgPrefixes, Positional, arg
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from layervec.errors import InputError
from layervec.settings import Settings, explain, from_yaml

T = TypeVar("T")

WITHOUT_DEFAULT = ""  # instead of "(default: None)", which says nothing to a person
A_CORE = "(default: one for each core)"
_RULE = re.compile(r"[^\w\s]{10,}")  # a line that tyro draws
NUMBERS: dict[type[int | float], str] = {int: "a whole number", float: "a number"}


Switch = FlagCreatePairsOff[Annotated[bool, arg(help_behavior_hint=WITHOUT_DEFAULT)]]


class Choices(Settings):
    """How simple or close the drawing is."""

    @model_validator(mode="wrap")
    @classmethod
    def _speak_of_flags(cls, values: Any, handler: ModelWrapValidatorHandler[Choices]) -> Choices:
        """Complain as InputError, which tyro lets pass, with names as they are typed."""
        try:
            return handler(values)
        except ValidationError as error:
            raise InputError(explain(error, _flag)) from None

    def plain(self) -> Settings:
        """Return the same choices without the ways of the command line."""
        return Settings(**self.model_dump())


@dataclass(frozen=True)
class Output:
    """Where the drawing goes."""

    svg: Annotated[
        Path | None,
        arg(name="output", aliases=["-o"], metavar="OUT.svg", help_behavior_hint=WITHOUT_DEFAULT),
    ] = None
    """The SVG to write; an existing one is replaced. Without this, it is named after the picture, beside it.
    An SVG of that name is replaced only if layervec made it."""
    png: Switch = False
    """Also write a PNG preview beside the SVG, of the picture's size but at most 2048 pixels wide or high.
    It is called OUT.png, or OUT.preview.png where OUT.png is the picture itself."""
    workdir: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint=WITHOUT_DEFAULT)] = None
    """Also keep in this folder what was made on the way: simplified pictures, masks of the first 64 regions,
    the drawing after each step, and run.json with settings, times and figures."""


@dataclass(frozen=True)
class Run:
    """How the program behaves."""

    config: Annotated[Path | None, arg(metavar="FILE.yaml", help_behavior_hint=WITHOUT_DEFAULT)] = None
    """Read the drawing options from this file, one `name: value` a line, such as `paths: 64`.
    Options on the command line win over it."""
    threads: Annotated[int | None, arg(metavar="NUMBER", help_behavior_hint=A_CORE)] = None
    """Most processor threads to use. The drawing is the same for any number."""
    quiet: Annotated[Switch, arg(aliases=["-q"])] = False
    """Print nothing but errors."""
    verbose: Annotated[Switch, arg(aliases=["-v"])] = False
    """Print a line for each finished stage, and all details if something goes wrong."""


@dataclass(frozen=True)
class Vectorize:
    """Turn a picture into a layered SVG, the big shapes first and details on top.

    Examples:
      layervec vectorize photo.jpg                     writes photo.svg beside it
      layervec vectorize photo.jpg --paths 64          fewer, bolder shapes
      layervec vectorize photo.jpg --quality best      closer, and slower
      layervec vectorize logo.png -o art/logo.svg --png
    """

    image: Positional[Annotated[Path, arg(metavar="IMAGE")]]
    """The picture: PNG, JPEG, WebP, BMP, TIFF, GIF or AVIF."""
    drawing: OmitArgPrefixes[Choices] = field(default_factory=Choices)
    output: OmitArgPrefixes[Output] = field(default_factory=Output)
    run: OmitArgPrefixes[Run] = field(default_factory=Run)


@dataclass(frozen=True)
class Score:
    """Measure how close an SVG comes to a picture and how easy it is to edit. Any SVG will do, ours or not.

    Examples:
      layervec score photo.svg photo.jpg               a table
      layervec score photo.svg photo.jpg --json        the same for programs
    """

    svg: Positional[Annotated[Path, arg(metavar="OUT.svg")]]
    """The drawing to measure."""
    image: Positional[Annotated[Path, arg(metavar="IMAGE")]]
    """The picture that it should look like."""
    json: Switch = False
    """Print JSON instead of a table."""


def vectorize(words: Sequence[str]) -> Vectorize:
    """Return what `layervec vectorize` was asked for. Raises InputError; SystemExit(0) after showing help.

    Defaults give way to the YAML file, and that to the flags: the file's settings are the defaults of a
    second look at the same words.
    """
    asked = _parse(Vectorize, words, "layervec vectorize")
    if asked.run.config is not None:
        chosen = Choices(**from_yaml(asked.run.config).model_dump())
        asked = _parse(Vectorize, words, "layervec vectorize", Vectorize(asked.image, chosen))
    if asked.run.threads is not None and asked.run.threads < 1:
        raise InputError(f"--threads should be at least 1, not {asked.run.threads}.")
    if asked.run.quiet and asked.run.verbose:
        raise InputError("--quiet and --verbose exclude each other.")
    return asked


def score(words: Sequence[str]) -> Score:
    """Return what `layervec score` was asked for. Raises InputError; SystemExit(0) after showing help."""
    return _parse(Score, words, "layervec score")


def _parse(kind: Callable[..., T], words: Sequence[str], program: str, default: T | None = None) -> T:
    """Let tyro read the words; turn the box that it draws around a complaint into one sentence."""
    hint = f"see `{program} --help`"
    box = io.StringIO()
    extra: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(box):
            asked: T = tyro.cli(
                kind,
                prog=program,
                description=inspect.cleandoc(kind.__doc__ or ""),
                args=list(words),
                config=(DisallowNone,),
                registry=_registry(),
                **extra,
            )
            return asked
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}; {hint}.") from None
    except SystemExit as end:
        if not end.code:
            raise
        raise InputError(f"{_complaint(box.getvalue())}; {hint}.") from None


def _registry() -> ConstructorRegistry:
    """Return rules by which numbers are read and complained about in plain words."""
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        kind = info.type
        if kind not in NUMBERS:
            return None

        def read(words: list[str]) -> int | float:
            try:
                return kind(words[0])
            except ValueError:
                raise ValueError(f"should be {NUMBERS[kind]}, not {words[0]!r}") from None

        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="NUMBER",
            instance_from_str=read,
            is_instance=lambda value: isinstance(value, kind),
            str_from_instance=lambda value: [str(value)],
        )

    return registry


def _complaint(box: str) -> str:
    """Return what tyro complains about as half a sentence."""
    lines = [text for line in box.splitlines() if (text := line.strip("│| "))][1:]  # without the title
    while lines and _RULE.fullmatch(lines[0]):
        del lines[0]
    rule = next((i for i, line in enumerate(lines) if _RULE.fullmatch(line)), len(lines))
    said = " ".join(lines[:rule]).strip().rstrip(".")
    if unknown := re.match(r"Unrecognized options: (\S+)", said):
        return _unknown(unknown[1].rstrip(","), " ".join(lines[rule:]))
    if missing := re.match(r"Missing value for argument '(-.+?)'", said):
        return f"{missing[1]} needs a value"
    if missing := re.match(r"Missing (?:value for argument '|from .*?: )([\w.]+)", said):
        return f"{missing[1] if '.' in missing[1] else missing[1].upper()} is missing"
    if choice := re.match(r"invalid choice '(.*)' for argument '(.*)'\. Expected one of \((.*)\)", said):
        return f"{choice[2]} should be one of {choice[3]}, not '{choice[1]}'"
    said = re.sub(r"^Error parsing (\S+):", r"\1", said)
    said = re.sub(r"no type matching .*<class '\w+'>: ", "", said)  # about a value that may be left out
    return said.replace(". ", "; ") or "the command line was not understood"


def _unknown(word: str, rest: str) -> str:
    """Return the complaint about a word that tyro did not know, with what it holds for meant, if anything."""
    if not word.startswith("-"):
        return f"'{word}' is one name too many"
    meant = re.search(r"Perhaps you meant:\s+(?:-\w, )?(--[\w-]+)", rest)
    return f"there is no option {word}" + (f", perhaps {meant[1]} was meant" if meant else "")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
