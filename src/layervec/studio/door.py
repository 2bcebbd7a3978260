"""The way in for the browser that the studio opens: a page on disk that its user alone can read, good for one visit.

What stands on a browser's command line, everybody on the machine can read (`ps`). So that is the page's file, not the
address: the page leads to the server with a code of its own, the server answers with the address, and both code and
page are gone. Knows no requests.
"""

from __future__ import annotations

import os
import secrets
from html import escape
from pathlib import Path

from layervec.files import reason

NAME = "open.html"
CODE_BYTES = 24
OTHERS = 0o077  # bits of a file's permissions that are not its owner's
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={way}">
<title>layervec studio</title>
<p><a href="{way}">Open the studio</a></p>
</html>
"""


class Door:
    """A page that opens the studio once. hidden: the folder that gets it. address: what it leads to.

    Raises OSError where the page cannot be written, or not so that others cannot read it.
    """

    def __init__(self, hidden: Path, origin: str, address: str) -> None:
        self._code = secrets.token_urlsafe(CODE_BYTES)
        self._address = address
        self.page = hidden / NAME
        _write_secret(self.page, PAGE.format(way=escape(f"{origin}/{self._code}")))

    def opened(self, code: str) -> str | None:
        """Return the address for the right code, the first time; None otherwise."""
        if not self._code or not secrets.compare_digest(code.encode("utf-8", "replace"), self._code.encode()):
            return None
        self._code = ""
        self.page.unlink(missing_ok=True)
        return self._address


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            if os.name != "nt" and os.fstat(descriptor).st_mode & OTHERS:  # there, a user's folders are their own
                raise PermissionError("its disk knows no permissions, so others could read it")
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def why_not(error: OSError) -> str:
    """Return why there is no door, as a sentence for the terminal."""
    return f"no browser is opened, as the page for it cannot be kept from others: {reason(error)}; open the address."
