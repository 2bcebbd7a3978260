"""The list of all rows and how they ended, as CSV or Parquet. Knows records, writes no file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Literal

from layervec.batch.address import EXTRA
from layervec.batch.record import COLUMNS, Record, plain
from layervec.errors import InputError

Form = Literal["csv", "parquet"]
WHOLE = ("width", "height", "shapes", "nodes", "layers", "size")
REAL = ("seconds", "psnr", "ssim")


def check(form: Form) -> None:
    """Raise InputError if a manifest of this form cannot be made here."""
    if form == "parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise InputError(f"A manifest in Parquet needs pyarrow, which the extra `batch` brings: {EXTRA}") from None


def manifest(records: Sequence[Record], form: Form) -> bytes:
    """Return the manifest of records, a row each, in their order. What is not known is empty."""
    return _csv(records) if form == "csv" else _parquet(records)


def _csv(records: Sequence[Record]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(plain(record) for record in records)
    return text.getvalue().encode("utf-8", "backslashreplace")  # names of files may hold anything


def _parquet(records: Sequence[Record]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    kinds = {**dict.fromkeys(WHOLE, pyarrow.int64()), **dict.fromkeys(REAL, pyarrow.float64())}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])
    rows = [
        {name: _text(value) if isinstance(value, str) else value for name, value in plain(record).items()}
        for record in records
    ]
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), sink)
    return bytes(sink.getvalue())


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
