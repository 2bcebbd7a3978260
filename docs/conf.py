"""How Sphinx builds these pages: `sphinx-build -W docs out/site`. Nothing is fetched, neither here nor by the pages."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import settings_page  # noqa: E402

project = "layervec"
copyright = "the authors of layervec, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
root_doc = "index"
html_theme = "furo"
html_title = "layervec"
html_show_sphinx = False
html_copy_source = False
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_display_short_literal_types = True
maximum_signature_line_length = 100


def as_lines(app, what, name, obj, options, lines):
    """Give each name that a docstring explains a line of its own, and take all else as plain text."""
    rows = []
    for line in lines:
        starts = re.match(r"(- |[\w, ]+: )", line) or not rows or not rows[-1] or not line.strip()
        text = line.strip().replace("|", "\\|").replace("*", "\\*")
        if starts:
            rows.append(text)
        else:
            rows[-1] += f" {text}"
    lines[:] = [f"| {row}" if row else "" for row in rows]


def from_here(app, docname, parent, content):
    """Let pages that are included from outside lead to pages here; they are read where they are as well."""
    content[0] = re.sub(r"\]\((?:\.\./)*docs/", "](", content[0])


def setup(app):
    """Write the page of settings from the code, and let docstrings be plain text."""
    (HERE / "settings.md").write_text(settings_page.page(), encoding="utf-8")
    app.connect("include-read", from_here)
    app.connect("autodoc-process-docstring", as_lines)
