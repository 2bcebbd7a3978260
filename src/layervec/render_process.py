"""resvg in a process of its own, for SVG text of strangers: with bounds of memory and time, and no file to open.

Whatever the text does to its renderer, the answer is a PNG or an InputError in one sentence. What the text may hold is
for sanitize.py; this is the second line of defence, and the first against what is merely too large or too slow.
resvg holds Python's lock while it renders; only a process apart can be ended then, by a signal as by the clock.

Memory and files are bounded where the system can do so (not on Windows), time everywhere.
"""

from __future__ import annotations

import queue
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO

from layervec.errors import InputError
from layervec.files import reason

MOST_SECONDS = 30.0  # s, of one render; drawings of 250 000 shapes take about 2
MOST_TOTAL = 120.0  # s, of all renders of a document
MOST_MEMORY = 2 << 30  # bytes; a picture of 512 px has one MiB, and each level of groups and filters a few of them
START = 30.0  # s until a process must be ready, on a machine that is busy otherwise
LONGEST_CAUSE = 160  # characters of what the renderer says
FILES = 3  # standard input, output and error: with no more than these, nothing can be opened or connected to
# Not from the working folder (-P): who knows what modules lie there.
COMMAND = (sys.executable, "-P", "-m", "layervec.render_process")

_FRAME = struct.Struct("<cQ")  # kind, bytes that follow
_READY, _PNG, _FAULT, _SVG, _WITH_FONTS = b"R", b"P", b"F", b"S", b"T"


class RenderProcess:
    """A process that renders the versions of one document, begun with the first one. Close it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        self._left = MOST_TOTAL

    def render(self, text: str, background: str | None, *, fonts: bool) -> bytes:
        """Return SVG text as a PNG file. InputError where it takes too much or cannot be rendered."""
        try:
            return self._render(text, background, fonts=fonts)
        except BaseException:  # also when interrupted: what it renders must not go on
            self.close()
            raise

    def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what could not be sent
                    pipe.close()

    def _render(self, text: str, background: str | None, *, fonts: bool) -> bytes:
        process = self._process or self._start()
        begin = time.monotonic()
        body = f"{background or ''}\n{text}".encode()
        with suppress(OSError):  # it has ended; no answer will come
            _send(process.stdin, _WITH_FONTS if fonts else _SVG, body)
        answer = self._wait(min(MOST_SECONDS, self._left), "it takes too long")
        self._left -= time.monotonic() - begin
        if answer is None:
            raise self._refusal("it takes too much memory, or ends the renderer")
        if answer[0] == _FAULT:
            raise self._refusal(answer[1].decode(errors="replace")[:LONGEST_CAUSE].rstrip(". "))
        return answer[1]

    def _start(self) -> subprocess.Popen[bytes]:
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        try:
            process = subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=nowhere, creationflags=hidden)
        except OSError as error:
            raise self._refusal(f"no process to render it in can be started ({reason(error)})") from error
        self._process = process
        threading.Thread(target=_listen, args=(process.stdout, self._answers), daemon=True).start()
        if self._wait(START, "no process to render it in gets ready") is None:
            raise self._refusal("no process to render it in can be started")
        return process

    def _wait(self, seconds: float, otherwise: str) -> tuple[bytes, bytes] | None:
        """Return the next answer, None where the process has ended; a signal ends the waiting."""
        try:
            return self._answers.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            raise self._refusal(otherwise) from None

    def _refusal(self, cause: str) -> InputError:
        return InputError(f"{self._name} cannot be rendered: {cause}.")


def render(text: str, background: str | None, *, fonts: bool) -> bytes:
    """Return SVG text as a PNG file, in this process. ValueError where resvg cannot."""
    import resvg_py  # on use, so that importing layervec stays light

    try:
        return bytes(resvg_py.svg_to_bytes(svg_string=text, background=background, skip_system_fonts=not fonts))
    except BaseException as error:
        # A panic of the renderer is no Exception, yet it is the file's fault and must not end a server.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from error


def _send(pipe: IO[bytes] | None, kind: bytes, body: bytes) -> None:
    assert pipe is not None
    pipe.write(_FRAME.pack(kind, len(body)))
    pipe.write(body)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Return the kind and the body of the next message, None at the end."""
    head = pipe.read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    kind, size = _FRAME.unpack(head)
    body = pipe.read(size)
    return (kind, body) if len(body) == size else None


def _listen(pipe: IO[bytes], answers: queue.SimpleQueue[tuple[bytes, bytes] | None]) -> None:
    """Pass on what the process says. A thread does, since not every system can wait for a pipe by the clock."""
    message: tuple[bytes, bytes] | None = (b"", b"")
    while message is not None:
        try:
            message = _receive(pipe)
        except (OSError, ValueError):  # closed
            message = None
        answers.put(message)


# The other side


def _limit() -> None:
    with suppress(ImportError, OSError, ValueError):  # a system without, or one that sets lower limits
        import resource

        for what, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CPU, round(MOST_TOTAL) + 1),  # where the process that would end it has gone
            (resource.RLIMIT_AS, MOST_MEMORY),
        ):
            _, hard = resource.getrlimit(what)
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _allow_files(allowed: bool) -> None:
    """Let files be opened, or not. Text needs the system's fonts."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if allowed else FILES, hard))


def main() -> None:
    """Render what comes on standard input until that ends. Ctrl-C in a terminal is for the first process."""
    import signal

    import resvg_py  # noqa: F401  before no more files can be opened

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit()
    _send(sys.stdout.buffer, _READY, b"")
    while (message := _receive(sys.stdin.buffer)) is not None:
        background, _, text = message[1].decode().partition("\n")
        fonts = message[0] == _WITH_FONTS
        _allow_files(fonts)
        try:
            kind, answer = _PNG, render(text, background or None, fonts=fonts)
        except (ValueError, MemoryError) as error:
            kind, answer = _FAULT, str(error).encode()
        _send(sys.stdout.buffer, kind, answer)


if __name__ == "__main__":
    main()
