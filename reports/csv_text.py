"""Rows -> CSV that a spreadsheet and pandas read alike, and in which no foreign text becomes a formula.

UTF-8, comma, one header line, `true` and `false`, and nothing where there is no
number. RFC 4180 says how cells are quoted, OWASP ("CSV Injection") which first
characters make a spreadsheet compute a cell.
"""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_COLUMNS = 200  # each setting of a foreign run is one
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four: full width


def csv_lines(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield the header and then each row, with the columns that any row has, in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in rows for name in row))[:MOST_COLUMNS]
    yield _line(map(_text, columns))
    for row in rows:
        yield _line(_cell(row.get(name)) for name in columns)


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else _text(str(value))


def _text(value: str) -> str:
    """Return foreign text; an apostrophe before it keeps a spreadsheet from computing it."""
    return f"'{plain(value)}" if value.startswith(_FORMULA) else plain(value)
