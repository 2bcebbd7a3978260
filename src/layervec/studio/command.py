"""What `layervec studio` does: bind a socket of this machine, print an address with a token, open a browser, serve.

Knows the machine: folders, sockets, models that are there. Nothing of requests.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from layervec import signals, streams
from layervec.arguments import Studio as Asked
from layervec.errors import InputError
from layervec.files import reason
from layervec.models import machine, sam_onnx
from layervec.settings import Settings

HOST = "127.0.0.1"
TOKEN_BYTES = 24
SOON = 1  # s that open streams have when the server stops
NEEDED = ("fastapi", "uvicorn", "reportlab")


def run(asked: Asked) -> None:
    """Serve until interrupted. Raises InputError where the extra, the port, the folder or the file is not to be had."""
    missing = [name for name in NEEDED if not machine.installed(name)]
    if missing:
        raise InputError(f'the studio needs {", ".join(missing)}: pip install ".[studio]".')
    with bound(asked.port) as listening:
        serve(listening, asked, tell=_printer(not asked.no_browser))


def serve(listening: socket.socket, asked: Asked, *, tell: Callable[[str], None], token: str | None = None) -> None:
    """Serve on this socket until interrupted; `tell` gets the address as soon as it answers."""
    import uvicorn

    from layervec.studio.desks import Studio
    from layervec.studio.server import application

    studio = Studio(asked.folder or default_folder(), asked.drawing, offered(asked.drawing))
    token = token or secrets.token_urlsafe(TOKEN_BYTES)
    port = listening.getsockname()[1]
    hosts = [f"{HOST}:{port}", f"localhost:{port}"]
    address = f"http://{HOST}:{port}/{token}/" + (f"#{studio.take(asked.file)}" if asked.file else "")
    config = uvicorn.Config(
        application(studio, token, hosts),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=SOON,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            tell(address)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            studio.close()
            await super().shutdown(sockets)

    with signals.hangup_as_termination():
        Server(config).run([listening])


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
    """Return where works are kept unless somebody says otherwise."""
    if sys.platform == "darwin":
        home = Path("~/Library/Application Support").expanduser()
    elif os.name == "nt":
        home = Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    else:
        home = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    return home / "layervec" / "studio"


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


def _printer(opens: bool) -> Callable[[str], None]:
    def tell(address: str) -> None:
        with suppress(OSError), streams.output() as stdout:  # a reader that has gone may have it from elsewhere
            stdout.write(address + "\n")
        if opens:  # beside the server, as some browsers are started slowly
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    return tell
