"""The batch's own page: what failed and why, and every drawing beside its figures, in one file that needs no network.

It shows the drawings that lie beside it. Knows records, writes no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from urllib.parse import quote

from layervec.batch.record import DRAWING, PAGE, Record
from layervec.ours import UNSEALED

NAME = "index.html"
MOST_SHOWN = 2000  # drawings; a browser takes some seconds for so many, and the manifest has them all

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
ul.drawings { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); list-style: none;
  padding: 0; }
li figure { margin: 0; }
li img { aspect-ratio: 1; background: #fff; border: 1px solid #8886; height: auto; object-fit: contain; width: 100%; }
figcaption { font-size: 0.8rem; overflow-wrap: anywhere; }
figcaption span { opacity: 0.75; }
"""


def page(records: Sequence[Record], rows: int) -> str:
    """Return the page of records, of a batch of so many rows, as HTML text."""
    done = [record for record in records if record.status == "done"]
    failed = [record for record in records if record.status == "failed"]
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<meta name="generator" content="layervec {escape(version("layervec"))}">\n'
        f'<meta name="seal" content="{UNSEALED}">\n'
        f"<title>layervec batch</title>\n<style>{STYLE}</style>\n"
        f"<h1>{_counts(len(done), len(failed), rows)}</h1>\n{_failures(failed)}{_drawings(done)}</html>\n"
    )


def _counts(done: int, failed: int, rows: int) -> str:
    left = rows - done - failed
    return f"{done} drawn, {failed} failed" + (f", {left} to do" if left else "")


def _failures(failed: Sequence[Record]) -> str:
    if not failed:
        return ""
    items = "".join(f"<li>{_text(record.reason)}</li>\n" for record in failed[:MOST_SHOWN])
    return f"<h2>Failed</h2>\n<ul>\n{items}</ul>\n{_more(len(failed))}"


def _drawings(done: Sequence[Record]) -> str:
    items = "".join(map(_drawing, done[:MOST_SHOWN]))
    return f'<h2>Drawn</h2>\n<ul class="drawings">\n{items}</ul>\n{_more(len(done))}'


def _drawing(record: Record) -> str:
    name, figures = _text(record.output), f"{record.shapes} shapes, {record.psnr:.1f} dB"
    report = f' <a href="{_link(record.output + PAGE)}">report</a>' if PAGE in record.kinds else ""
    link = _link(record.output + DRAWING)
    return (
        f'<li><figure><a href="{link}"><img loading="lazy" src="{link}" alt="{name}"></a>'
        f"<figcaption>{name}<br><span>{figures}</span>{report}</figcaption></figure></li>\n"
    )


def _more(count: int) -> str:
    return f"<p>and {count - MOST_SHOWN} more, in the manifest.</p>\n" if count > MOST_SHOWN else ""


def _link(name: str) -> str:
    return escape(quote(name.encode("utf-8", "surrogateescape")))


def _text(text: str) -> str:
    return escape(text.encode("utf-8", "backslashreplace").decode())
