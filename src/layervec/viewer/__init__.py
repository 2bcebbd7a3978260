"""The viewer that pages share: plain ES modules and CSS beside this file, and what puts them into one page.

A page that opens from a disk may load nothing, not even a module beside it, so the modules are joined to one
script: each after those that it imports, without its imports and exports. That asks of them imports of the form
`import { a, b } from "./file.js";`, exports before declarations, and names that no two modules share.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from string import Template

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=class |function |const )", re.MULTILINE)


def source(name: str) -> str:
    """Return the text of a file of the viewer."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def script(main: str) -> str:
    """Return a module and all that it imports, directly or not, as one script without imports."""
    joined: dict[str, str] = {}

    def add(name: str) -> None:
        if name in joined:
            return
        text = source(name)
        for imported in _IMPORT.findall(text):
            add(imported)
        joined[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(main)
    return "\n".join(joined.values())


def page(name: str, *, main: str, styles: tuple[str, ...], **values: str) -> str:
    """Return a page: the template `name` with script, styles, policy and these values, which must be HTML already.

    The policy lets exactly this script and these styles run, pictures come from the page alone, and nothing else.
    """
    code, looks = script(main), "\n".join(source(style) for style in styles)
    policy = (
        f"default-src 'none'; script-src '{_digest(code)}'; style-src '{_digest(looks)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(source(name)).substitute(values, script=code, styles=looks, policy=policy)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
