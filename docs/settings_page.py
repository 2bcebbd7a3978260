"""The page of all settings, made from `layervec.settings`: what each is called, may be and does is said there alone."""

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from layervec.settings import EFFORTS, Settings, section_of

BOUNDS = (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below"))
HEAD = """# Settings

One tree of choices, whoever makes them: `layervec vectorize` by flags, a YAML file by `--config`, Python by `Settings`.
Defaults give way to a preset, that to the file, and that to flags. A name that does not exist is refused.

```yaml
paths: 64
quality: best
sds:
  steps: [0, 20, 40]
```

The same as flags: `--paths 64 --quality best --sds-steps 0,20,40`. Below are the flags; in a file and in Python `-` is
`_`, and what belongs to a section stands in it. In Python:

```python
from layervec import Settings
from layervec.settings import Distillation

Settings(paths=64, quality="best", sds=Distillation(steps=(0, 20, 40)))
```
"""
TAIL = """
## What quality stands for

| quality | rounds | steps of the first fit | of each round | at the end |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    single = {name: field for name, field in Settings.model_fields.items() if section_of(name) is None}
    parts = [HEAD, "\n## Of a drawing\n\n", *table("", single)]
    for name in Settings.model_fields:
        inside = section_of(name)
        if inside is not None:
            parts += [f"\n## `{name}`\n\n{Settings.model_fields[name].description}\n\n", *table(name, inside)]
    parts.append(TAIL)
    parts += [
        f"| `{quality}` | {effort.rounds} | {effort.steps} | {effort.round_steps} | {effort.final_steps} |\n"
        for quality, effort in EFFORTS.items()
    ]
    return "".join(parts)


def table(section: str, fields: dict[str, FieldInfo]) -> list[str]:
    """Return the lines of a table of settings, with flags that go with them."""
    lines = ["| flag | default | |\n|---|---|---|\n"]
    for name, field in fields.items():
        flag = "--" + "-".join(part for part in (section, name) if part).replace("_", "-")
        values = " or ".join(allowed(field.annotation, field.metadata))
        text = f"{escaped(field.description)} *{values[:1].upper() + values[1:]}.*"
        lines.append(f"| `{flag}` | {written(field.default)} | {text} |\n")
    return lines


def allowed(annotation: Any, metadata: list[Any]) -> list[str]:
    """Return what a setting may be, in words."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return allowed(inner, [*metadata, *(bound for part in more for bound in getattr(part, "metadata", [part]))])
    if get_origin(annotation) is Literal:
        return [", ".join(f"`{choice}`" for choice in get_args(annotation))]
    if get_origin(annotation) is tuple:
        return ["list, each a " + allowed(get_args(annotation)[0], [])[0]]
    if get_args(annotation):
        return [words for part in get_args(annotation) for words in allowed(part, metadata)]
    kind = {int: "whole number", float: "number", str: "text", bool: "yes or no"}[annotation]
    bounds = [f"{word} {getattr(part, key):,}" for key, word in BOUNDS for part in metadata if hasattr(part, key)]
    return [" ".join([kind, *bounds])]


def written(default: Any) -> str:
    """Return a default as a YAML file has it."""
    if default == "":
        return ""
    if isinstance(default, tuple):
        return f"`{list(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def escaped(text: str | None) -> str:
    """Return a description that stays in its cell."""
    return (text or "").replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
