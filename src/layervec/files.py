"""Write files whole or not at all.

Knows nothing of what is written; whoever has bytes for a path comes here.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from layervec.errors import InputError


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write data to path in one step: readers see the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder, which then takes the name. A link is followed, and an
    existing file keeps its permissions. Not synced to the disk: this guards against errors, not power cuts.
    Raises InputError, with the old file untouched and no temporary file left, where path cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _mode(target)
        if mode is None or stat.S_ISREG(mode):
            _replace(target, data, mode)
        else:  # a device or a pipe such as /dev/stdout must be written to, never replaced
            target.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {reason(error)}.") from error


def reason(error: OSError) -> str:
    """Return why the system refused, in lower case and without path or number."""
    text = error.strerror or str(error) or "unknown reason"
    return text[:1].lower() + text[1:]


def _mode(target: Path) -> int | None:
    """Return type and permission bits of a file, None if there is none."""
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    """Write data beside target, give it the permissions in mode (if any) and let it take target's place."""
    # A name of its own length: target's name may already be as long as names may be.
    temporary = target.with_name(f".layervec-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:  # also when interrupted: no litter
        temporary.unlink(missing_ok=True)
        raise
