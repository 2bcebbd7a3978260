"""What is let in: the right token, this very host, no foreign origin, bodies of a sane size; and what all answers say.

The token is the first part of every path, so that a page's own relative addresses carry it: no cookie, nothing that
another page could make a browser send along. Host is checked because a name of somebody else's may resolve to
127.0.0.1 (DNS rebinding), Origin because any page may send requests here. The browser that the studio opens comes with
a code in the token's place, once, and is shown on; see door.py. Plain ASGI: streams go through untouched.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_JSON = 1 << 20  # bytes of a body that is no upload
MOST_UPLOAD = 64 << 20  # bytes of a picture or drawing
MOST_DRAINED = 1 << 29  # bytes of too large a body that are still read, as many clients hear no answer before
READING = frozenset({"GET", "HEAD"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Stands before an app and answers itself what must not get there.

    token: the first part of every path. hosts: values that Host may have, each with its port. opened: returns the
    address for a code that opens it, see door.py, None for any other.
    """

    def __init__(
        self, app: ASGIApp, token: str, hosts: Iterable[str], opened: Callable[[str], str | None] = lambda code: None
    ) -> None:
        self._app = app
        self._opened = opened
        self._token = token.encode()
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets here

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_marked)
            return
        path = "/" + scope["path"][1:].partition("/")[2]
        inner = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        await self._app(inner, _limited(receive, Headers(scope=scope), path), send_marked)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return _refused("This address is not served here.")
        origins = headers.getlist("origin")
        if any(origin not in {f"http://{host}" for host in self._hosts} for origin in origins):
            return _refused("Requests of other pages are not answered.")
        if scope["method"] not in READING and not origins:
            return _refused("A request that changes something must say where it comes from.")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not _followed(scope, headers):
            return _refused("Requests of other pages are not answered.")
        token, slash, _ = scope["path"][1:].partition("/")
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self._token):
            if scope["method"] == "GET" and (address := self._opened(token)):
                return RedirectResponse(address, 303)
            return _refused("Open the address that `layervec studio` has printed; it changes at every start.")
        return None if slash else _refused("The address ends in a slash.", 404)


def _followed(scope: Scope, headers: Headers) -> bool:
    """Tell whether somebody has followed a link, as from a terminal in a page; the answer gets a tab of its own."""
    wanted = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return scope["method"] == "GET" and wanted == ("navigate", "document")


def _refused(sentence: str, status: int = 403) -> Response:
    return PlainTextResponse(sentence, status)


def _limited(receive: Receive, headers: Headers, path: str) -> Receive:
    """Return a `receive` that raises HTTPException 413 once a body is larger than its path may have."""
    most = MOST_UPLOAD if path == "/works" or path.endswith("/picture") else MOST_JSON
    told = headers.get("content-length", "")
    too_large = HTTPException(413, f"That is larger than {most >> 20} MiB, which is too large here.")
    expected = int(told) if told.isdecimal() else 0
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if max(got, expected) <= most:
            return message
        while message["type"] == "http.request" and message.get("more_body") and got < MOST_DRAINED:
            message = await receive()
            got += len(message.get("body", b""))
        raise too_large

    return limited
