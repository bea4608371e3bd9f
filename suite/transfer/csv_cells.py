"""Cells of another tool's CSV -> ns, bytes and GB/s, or a `BadInput` that names file, line and column."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from suite.errors import BadInput
from suite.run.complaint import shown

if TYPE_CHECKING:
    from collections.abc import Callable

_Value = TypeVar("_Value")
_WHOLE = re.compile(r"[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_MOST_MS = (1 << 62) / 1e6
_MOST_RATE = 1e9  # GB/s: nothing carries a millionth of that


class Cell(NamedTuple):
    """A cell and where it stands; a tuple, because a file has millions."""

    text: str
    place: str  # file:line
    name: str  # of the column
    column: int | None = None  # its number, where the name comes more than once

    def refused(self, accepted: str) -> BadInput:
        """Return the error to raise."""
        column = self.name if self.column is None else f"{self.name} in column {self.column}"
        message = f"{self.place}: {column} = {shown(self.text)} is not accepted"
        return BadInput("bad-value", message, f"accepted: {accepted}")


def whole(cell: Cell) -> int:
    """Return a count or an id of 64 bits."""
    if not _WHOLE.fullmatch(cell.text) or int(cell.text) >= 1 << 64:
        raise cell.refused("a whole number, less than 2^64")
    return int(cell.text)


def positive(cell: Cell, accepted: str = "a number, 0 or more") -> float:
    """Return a number that is not negative."""
    value = _number(cell, accepted)
    if value < 0:
        raise cell.refused(accepted)
    return value


def any_ns(cell: Cell) -> int:
    """Return a difference of times that is printed in ms."""
    accepted = "a number of milliseconds"
    return _limited(_number(cell, accepted), cell, accepted)


def ns(cell: Cell) -> int:
    """Return a time that is printed in ms."""
    accepted = "a number of milliseconds, 0 or more"
    return _limited(positive(cell, accepted), cell, accepted)


def taken_ns(cell: Cell) -> int | None:
    """Return a time that is printed in ms, or None where it is empty or 0: it was not taken."""
    return optional(cell, ns) or None


def rate_gb_per_s(cell: Cell, gb_per_s: float) -> float:
    """Return GB/s of a rate that is printed in a unit of `gb_per_s`."""
    accepted = "a rate, 0 or more"
    value = positive(cell, accepted) * gb_per_s
    if value > _MOST_RATE:
        raise cell.refused(accepted)
    return value


def optional(cell: Cell, read: Callable[[Cell], _Value]) -> _Value | None:
    """Return None for an empty cell."""
    return read(cell) if cell.text else None


def _number(cell: Cell, accepted: str) -> float:
    value = float(cell.text) if _NUMBER.fullmatch(cell.text) else math.inf
    if not math.isfinite(value):
        raise cell.refused(accepted)
    return value


def _limited(milliseconds: float, cell: Cell, accepted: str) -> int:
    if abs(milliseconds) > _MOST_MS:
        raise cell.refused(f"{accepted}, at most {_MOST_MS:.2g}")
    return round(milliseconds * 1e6)
