"""What `layervec studio` does: hold a folder, bind a socket, print an address with a token, open a browser, serve.

The address goes to the user's own terminal, and never to a command line, which everybody can read: see door.py.
Knows the machine: folders, sockets, signals, models that are there. Nothing of requests.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import stat
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from layervec import signals, streams
from layervec.arguments import Studio as Asked
from layervec.errors import InputError
from layervec.files import reason
from layervec.models import machine, sam_onnx
from layervec.progress import say
from layervec.settings import Settings
from layervec.studio.door import Door, why_not
from layervec.studio.home import held

if TYPE_CHECKING:
    from uvicorn import Config

    from layervec.studio.desks import Studio
    from layervec.studio.uploads import Upload

HOST = "127.0.0.1"
TOKEN_BYTES = 24
TICK = 0.1  # s between looks at whether the studio was interrupted while it starts
SOON = 1  # s that open streams have when the server stops
READ_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
NEEDED = ("fastapi", "uvicorn", "reportlab")


def run(asked: Asked) -> None:
    """Serve until interrupted. Raises InputError where the extra, the port, the folder or the file is not to be had."""
    missing = [name for name in NEEDED if not machine.installed(name)]
    if missing:
        raise InputError(f'the studio needs {", ".join(missing)}: pip install ".[studio]".')
    folder = asked.folder or default_folder()
    with signals.ended_even_if_ignored(), bound(asked.port) as listening, held(folder) as hidden:
        serve(listening, asked, folder, hidden)


def serve(listening: socket.socket, asked: Asked, folder: Path, hidden: Path) -> None:
    """Serve on this socket until interrupted, and tell of the address as soon as it answers. Raises InputError."""
    import uvicorn

    from layervec.studio import uploads
    from layervec.studio.desks import Studio
    from layervec.studio.server import application
    from layervec.studio.works import Store

    first = uploads.copied(asked.file, hidden) if asked.file else None
    studio = Studio(Store(folder, hidden), asked.drawing, offered(asked.drawing))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    port = listening.getsockname()[1]
    entrance = _Entrance(hidden, f"http://{HOST}:{port}", token, opens=not asked.no_browser)
    config = uvicorn.Config(
        application(studio, token, [f"{HOST}:{port}", f"localhost:{port}"], entrance.opened),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=SOON,
    )
    _serve(config, listening, studio, first, entrance)


def _serve(config: Config, listening: socket.socket, studio: Studio, first: Upload | None, entrance: _Entrance) -> None:
    """Serve until interrupted. first: a file to begin with. InputError where that is not to be had."""
    import uvicorn

    from layervec.studio import uploads

    class Server(uvicorn.Server):
        refusal: InputError | None = None

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            making = asyncio.create_task(uploads.make(studio, first)) if first else None
            while making and not making.done() and not self.should_exit:
                await asyncio.wait({making}, timeout=TICK)
            try:
                entrance.tell(making.result().id if making and making.done() else "")
            except InputError as error:  # the server must come down in order first
                self.refusal, self.should_exit = error, True

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            studio.close()
            await super().shutdown(sockets)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.should_exit:  # a second would leave processes and tasks behind
                super().handle_exit(sig, frame)

    server = Server(config)
    with signals.hangup_as_termination():
        server.run([listening])
    if server.refusal is not None:
        raise server.refusal


class _Entrance:
    """What a user is told to get in, and the door for the browser. opens: whether to open one."""

    def __init__(self, hidden: Path, origin: str, token: str, *, opens: bool) -> None:
        self._hidden, self._origin, self._token, self._opens = hidden, origin, token, opens
        self._door: Door | None = None

    def opened(self, code: str) -> str | None:
        """Return the address for a code that opens the door."""
        return self._door.opened(code) if self._door is not None else None

    def tell(self, work: str) -> None:
        """Print the address, with a work's id in it, and open a browser; print nothing that others could read."""
        address = f"{self._origin}/{self._token}/" + (f"#{work}" if work else "")
        secret = not _others_read(sys.stdout)
        if self._opens or not secret:
            try:
                self._door = Door(self._hidden, self._origin, address)
            except OSError as error:
                say(f"layervec: {why_not(error)}")
        if secret or self._door is None:
            self._print(address)
        else:
            self._print(self._door.page.as_uri())
            say("layervec: others can read this output, so it names a page that only you can read; it opens once.")
        if self._opens and self._door is not None:  # beside the server, as some browsers are started slowly
            threading.Thread(target=webbrowser.open, args=(self._door.page.as_uri(),), daemon=True).start()

    def _print(self, address: str) -> None:
        with suppress(OSError), streams.output() as stdout:  # a reader that has gone may have it from elsewhere
            stdout.write(address + "\n")


def _others_read(stream: object) -> bool:
    """Tell whether output goes into a file that others can read. A terminal is its user's, a pipe its reader's."""
    try:
        mode = os.fstat(stream.fileno()).st_mode  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and bool(mode & READ_BY_OTHERS) and os.name != "nt"


def bound(port: int) -> socket.socket:
    """Return a socket that listens on this machine alone; port 0 is any free one. Raises InputError."""
    listening = socket.socket()
    try:
        if os.name != "nt":  # there it would let others take the port as well
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise InputError(f"port {port} cannot be used: {reason(error)}; choose another with --port.") from error
    return listening


def default_folder() -> Path:
    """Return where works are kept unless somebody says otherwise. InputError where there is no home folder."""
    try:
        return _data_home() / "layervec" / "studio"
    except RuntimeError:
        raise InputError(
            "the studio has nowhere to keep works, as there is no home folder; name a folder with --folder."
        ) from None


def _data_home() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Application Support").expanduser()
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()


def offered(settings: Settings) -> frozenset[str]:
    """Return which models are there to be chosen: "sam", "sds". A folder or file only, as nothing is fetched here."""
    found = set()
    segmenter, simplifier = Path(settings.segmenter_model), Path(settings.simplifier_model)
    torch = machine.installed("torch") and machine.installed("transformers")
    if sam_onnx.is_pair(segmenter) or (segmenter.exists() and torch):
        found.add("sam")
    if simplifier.is_dir() and torch and machine.installed("diffusers"):
        found.add("sds")
    return frozenset(found)
