"""`--fail-on slower:5%`: what makes a comparison fail. Nothing else does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable


_SLOWER = re.compile(r"slower(?::(?P<percent>\d{1,2}(?:\.\d{1,3})?)\s?%)?", re.ASCII)


class Judged(Protocol):
    """What was found of a point: NEW by BASE, or B by A."""

    @property
    def ratio(self) -> float:
        """The middle of the ratios."""


class Row(Protocol):
    """A point of a comparison, whichever it is."""

    @property
    def verdict(self) -> str:
        """`faster`, `slower`, ..., `not compared`."""

    @property
    def judgement(self) -> Judged | None:
        """None for a point that was not compared."""


@dataclass(frozen=True)
class Condition:
    """A point fails if it is `slower` by at least `share` of BASE's rate, or if nothing was decided."""

    kind: Literal["slower", "inconclusive"]
    share: float = 0.0

    def fails(self, row: Row) -> bool:
        """Return whether a row is what this condition names; a point that was not compared is as open as an inconclusive one."""
        if self.kind == "inconclusive":
            return row.verdict in {"inconclusive", "not compared"}
        return row.judgement is not None and row.verdict == "slower" and 1 - row.judgement.ratio >= self.share


def condition(text: str) -> Condition:
    """Return the condition in `slower`, `slower:5%` or `inconclusive`."""
    if text == "inconclusive":
        return Condition("inconclusive")
    found = _SLOWER.fullmatch(text)
    if found is None:
        raise BadInput(
            "bad-condition", f"--fail-on {text[:60]!r} is no condition", "accepted: slower, slower:5%, inconclusive"
        )
    return Condition("slower", float(found["percent"] or 0) / 100)


def failing(rows: Iterable[Row], conditions: Iterable[Condition]) -> frozenset[int]:
    """Return the numbers of the rows that any condition names."""
    asked = list(conditions)
    return frozenset(number for number, row in enumerate(rows) if any(one.fails(row) for one in asked))
