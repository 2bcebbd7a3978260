"""What is on this machine for the options that need a model, and how to get the rest: lines for a person to read.

Fetches nothing and loads no model; reads files only to compare their checksums with those that their names carry.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from layervec.errors import InputError
from layervec.models import machine, source
from layervec.settings import Settings

PACKAGES = {
    "torch": machine.EXTRA,
    "diffusers": machine.EXTRA,
    "transformers": machine.EXTRA,
    "onnxruntime": 'pip install ".[onnx]"',
}
# Meta's checkpoints end in the first digits of their SHA-256, as files do that `torch.hub` is to fetch and check.
META = re.compile(r"sam_vit_[bhl]_([0-9a-f]{6})\.pth")
SHA256 = re.compile(r"[0-9a-f]{64}")  # what the hub's cache calls large files
PARTS = {  # what a folder must hold to be a model of a kind
    "simplifier": ("unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer", "scheduler"),
    "segmenter": ("config.json",),
}
COLUMN = 14  # characters
CHUNK = 1 << 22  # bytes


def inventory(settings: Settings) -> Iterator[str]:
    """Yield lines about packages, the device, and the models that settings name."""
    for package, remedy in PACKAGES.items():
        yield _line(package, _version(package) or f"not installed: {remedy}")
    yield _line("device", _device(settings.device))
    yield _line("hub cache", f"{_cache()}, {_held()}")
    for route, model in (("simplifier", settings.simplifier_model), ("segmenter", settings.segmenter_model)):
        yield _line(route, _model(route, model, settings.offline))


def _line(name: str, told: str) -> str:
    return f"{name:<{COLUMN}}{told}"


def _version(package: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def _device(wanted: str) -> str:
    if not machine.installed("torch"):
        return "unknown without torch"
    try:
        return str(machine.device(wanted))
    except InputError as error:
        return str(error)


def _cache() -> Path:
    """Return the folder in which the hub's client keeps models, by its own rules, which need no package."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def _held() -> str:
    """Return which models the hub's cache holds."""
    names = [folder.name.split("--")[1:] for folder in sorted(_cache().glob("models--*--*"))]
    return "holds " + ", ".join("/".join(name) for name in names) if names else "empty"


def _model(route: str, model: str, offline: bool) -> str:
    """Return what is known of a model in half a line."""
    if not source.is_hub_id(model):
        path = Path(model).expanduser()
        if not path.exists():
            return f"{model}: not there; give a folder, a file or a hub id by --{route}-model"
        return f"{model}: " + _state(route, path)
    snapshot = _snapshot(model)
    if snapshot is not None:
        return f"{model}: in the hub cache, " + _state(route, snapshot)
    if offline:
        return f"{model}: not in the hub cache; without --offline its first use fetches it"
    return f"{model}: not here yet; its first use fetches it, or give a folder by --{route}-model"


def _snapshot(model: str) -> Path | None:
    """Return the folder of the version of a model that the hub's cache calls main, if it has one."""
    place = _cache() / ("models--" + model.replace("/", "--"))
    with suppress(OSError):
        folder = place / "snapshots" / (place / "refs" / "main").read_text(encoding="ascii").strip()
        return folder if folder.is_dir() else None
    return None


def _state(route: str, path: Path) -> str:
    """Return whether a folder or file is whole, as far as that can be told without loading it."""
    if path.is_file():
        return _checked([path])
    missing = [part for part in PARTS[route] if not (path / part).exists()]
    if missing:
        return f"not whole: it lacks {missing[0]}"
    return _checked(sorted(file for file in path.rglob("*") if file.is_file()))


def _checked(files: list[Path]) -> str:
    """Return what the checksums of those files say whose names carry one."""
    known = [(file, start) for file in files if (start := _expected(file))]
    wrong = [file for file, start in known if not _sha256(file).startswith(start)]
    if wrong:
        return f"damaged: {wrong[0].name} does not have the checksum in its name; fetch it again"
    return f"found, {len(known)} checksums right" if known else "found"


def _expected(file: Path) -> str | None:
    """Return the start of the SHA-256 that a file's name tells."""
    if found := META.fullmatch(file.name):
        return found[1]
    return blob if SHA256.fullmatch(blob := file.resolve().name) else None


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
