"""The machine that models run on: what is installed, which device, how much memory; and its failures in one sentence.

Knows no model. Imports PyTorch only inside functions.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from layervec.errors import InputError

if TYPE_CHECKING:
    import torch

EXTRA = 'pip install ".[models]"'


def installed(module: str) -> bool:
    """Tell whether a top-level module could be imported, without importing it."""
    return find_spec(module) is not None


def require(what: str, *modules: str) -> None:
    """Raise InputError if one of the modules that `what` needs is not installed."""
    missing = [module for module in modules if not installed(module)]
    if missing:
        raise InputError(f"{what} needs {' and '.join(missing)}, which the extra `models` brings: {EXTRA}")


def device(wanted: str) -> torch.device:
    """Return the device of this name; `auto` is the first of cuda, mps and cpu that is there. Raises InputError."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if not there[wanted]:
        found = " and ".join(name for name, has in there.items() if has)
        raise InputError(f"the device {wanted} cannot be used here: PyTorch finds only {found}.")
    return torch.device(wanted)


def is_small(device: torch.device, need: float) -> bool:
    """Tell whether memory should be saved on a device: a GPU with fewer bytes free than are needed."""
    import torch

    return device.type == "cuda" and int(torch.cuda.mem_get_info(device)[0]) < need


@contextmanager
def working(device: torch.device, threads: int | None, model: str) -> Iterator[None]:
    """Run a model inside: without gradients, on at most so many threads; frees the device's memory at the end.

    Raises InputError where the memory does not do.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(threads, before) if threads else before)
    try:
        with torch.inference_mode():
            yield
    except (torch.OutOfMemoryError, MemoryError):
        raise InputError(
            f"{model}: the memory of {device} is too small; try a smaller model, a smaller --size, or --device cpu."
        ) from None
    finally:
        torch.set_num_threads(before)
        if device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
