"""Foreign text -> numbered lines and bounded numbers; whatever is wrong is a `BadInput` that names file and line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,9})?", re.ASCII)
_INTEGER = re.compile(r"\d{1,18}", re.ASCII)
LONGEST = 2_000  # characters of a line that are looked at; the tools print 200
_SHOWN = 120
_ROW = 4  # numbers; the narrowest row of a tool has as many


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield every line that is not blank with its number from 1, without the blanks around it."""
    for at, line in enumerate(text.split("\n"), 1):
        if shown := line[:LONGEST].strip():
            yield at, shown


def number(cell: str) -> float | None:
    """Return a plain decimal number, with or without thousands separators; None for anything else, NaN among it."""
    if _GROUPED.fullmatch(cell):
        cell = cell.replace(",", "")
    return float(cell) if _NUMBER.fullmatch(cell) else None


def integer(cell: str) -> int | None:
    """Return a whole number of at most 18 digits, else None."""
    return int(cell) if _INTEGER.fullmatch(cell) else None


def row_like(line: str) -> bool:
    """Tell whether a line should be a row: it begins with a digit, or several of its words are numbers."""
    return line[:1].isdigit() or sum(number(word) is not None for word in line.split()) >= _ROW


def damaged(source: str, line: int, text: str, why: str) -> BadInput:
    """Return the error of a line that should be a row and is none."""
    return BadInput(
        "damaged-output",
        f"{source}:{line}: {why}: {text[:_SHOWN]!a}",  # !a: it must not steer a terminal
        "take the tool's output again; a part of a table must not look like the whole",
    )
