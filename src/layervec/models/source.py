"""Where a model comes from: a folder, a file, or the hub; and loading it without noise and with one-sentence failures.

Knows names and places, not what the models do.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from layervec.errors import InputError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # owner/name, as the hub allows it
LONGEST_CAUSE = 200  # characters of a library's complaint that are passed on


def is_hub_id(model: str) -> bool:
    """Tell whether a name is a model on the hub rather than a path: owner/name, and no such folder here."""
    return HUB_ID.fullmatch(model) is not None and not Path(model).exists()


def check(model: str) -> None:
    """Raise InputError if a model's name is neither a path that exists nor a hub id."""
    if not Path(model).expanduser().exists() and not is_hub_id(model):
        raise InputError(f"{model}: there is no such folder or file, and a hub id reads owner/name.")


def load(kind: Any, model: str, part: str = "", *, offline: bool, **options: Any) -> Any:
    """Return `kind.from_pretrained` of a folder or hub id, or of a subfolder `part` of it, silently.

    What the hub's cache holds is taken as it is; the hub is asked for the rest. offline: never ask the hub.
    Raises InputError where that fails, for whatever cause.
    """
    place = model if is_hub_id(model) else os.fspath(Path(model).expanduser())
    if part:
        if Path(place).is_dir() and not Path(place, part).is_dir():
            raise InputError(f"{model}: has no folder {part}, so it is not a Stable Diffusion model for diffusers.")
        options["subfolder"] = part
    try:
        with quiet():
            try:
                return kind.from_pretrained(place, local_files_only=True, **options)
            except OSError:
                if offline or not is_hub_id(model):
                    raise
            return kind.from_pretrained(place, **options)
    except Exception as error:  # whatever lies in those files, libraries fail over it in many ways
        raise InputError(f"{model}: {_what(part)} cannot be loaded{_why(model, error, offline)}.") from error


def _what(part: str) -> str:
    return f"its part {part}" if part else "the model"


def _why(model: str, error: Exception, offline: bool) -> str:
    """Return the cause of a failed load, as the end of a sentence."""
    if is_hub_id(model) and isinstance(error, OSError):
        if offline:
            return " from what the hub's cache holds; without --offline it would be fetched"
        return " from the hub or its cache; check the name and the network, or give a folder"
    cause = " ".join(str(error).split()) or type(error).__name__
    cause = cause if len(cause) <= LONGEST_CAUSE else cause[: LONGEST_CAUSE - 3].rstrip() + "..."
    return f" ({cause.rstrip('.')})"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries from talking: notes about backends that are not needed, about retries, bars of their own.

    The hub's own bars stay: fetching gigabytes should be seen.
    """
    from huggingface_hub import utils as hub
    from huggingface_hub.utils import logging as hub_log
    from transformers.utils import logging as transformers_log

    logs: list[Any] = [transformers_log]
    if "diffusers" in sys.modules:
        from diffusers.utils import logging as diffusers_log

        logs.append(diffusers_log)
    hub_spoke, hub_has_bars = hub_log.get_verbosity(), not hub.are_progress_bars_disabled()
    before = [(log, log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    if hub_has_bars:  # transformers has switched them off with its own
        hub.enable_progress_bars()
    hub_log.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hub_log.set_verbosity(hub_spoke)
        for log, verbosity, bars in before:
            log.set_verbosity(verbosity)
            if bars:
                log.enable_progress_bar()
