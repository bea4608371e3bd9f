r"""Foreign text in Markdown: it can only be read. GitHub's dialect, which GitLab and CommonMark share where it matters.

Entities and backslashes keep a character from being markup, but not from being a
mention or a link: those are looked for in the finished page. A zero-width space
within `@name`, `#1`, `http://` and their like breaks them. No foreign text has one itself: `plain` shows it as `\u200b`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 300  # characters of one foreign string: a comment is read in passing
_BREAK = "\N{ZERO WIDTH SPACE}"
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"})  # $: a formula
_MARKUP = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word is none
_LINKS = re.compile(r"[@#]|[!%~&$](?=\w)|:(?=//)|www(?=\.)|GH-(?=\d)", re.IGNORECASE)
_NUMBERED = re.compile(r"\A\d{1,9}(?=[.)](?:\s|\Z))")
_TICKS = re.compile(r"`+")


def text(value: object, limit: int = LIMIT) -> str:
    """Return foreign text as one line of prose, also for a cell of a table."""
    line = _LINKS.sub(rf"\g<0>{_BREAK}", " ".join(plain(value, limit).split()))
    line = _MARKUP.sub(r"\\\g<0>", line).translate(_ENTITIES)
    if line.startswith(("-", "+", "=")):
        return f"\\{line}"
    return _NUMBERED.sub(rf"\g<0>{_BREAK}", line)


def strong(value: object, limit: int = LIMIT) -> str:
    """Return foreign text as bold prose; nothing stays nothing, since four stars alone would be a rule."""
    line = text(value, limit)
    return f"**{line}**" if line else ""


def code(value: object, limit: int = LIMIT) -> str:
    """Return foreign text as code within a line, between more backticks than any that it holds."""
    line = " ".join(plain(value, limit).split())
    ticks = "`" * (1 + max(map(len, _TICKS.findall(line)), default=0))
    return f"{ticks} {line} {ticks}" if line.strip("`") != line or not line else f"{ticks}{line}{ticks}"


def block(value: object, limit: int = 2_000) -> str:
    """Return foreign text as a block of code, between fences longer than any that it holds."""
    lines = plain(value, limit)
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(lines)), default=0))
    return f"{fence}text\n{lines}\n{fence}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: int) -> list[str]:
    """Return the lines of a table of cells that are Markdown already; the last `numbers` columns are aligned right."""
    marks = ["---"] * (len(heads) - numbers) + ["---:"] * numbers
    return [_row(heads), _row(marks), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
