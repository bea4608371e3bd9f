"""Where the wall time of a sweep went: inside windows and their checks, and what is around them. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.spent import INSIDE, OUTSIDE, WORDS
from suite.units import format_ns

if TYPE_CHECKING:
    from perf.spent import Spent


@dataclass(frozen=True)
class Row:
    """One part; `colour` is that of its piece of the bar."""

    what: str
    inside: bool
    colour: int
    ns: float
    took: str
    share: str


@dataclass(frozen=True)
class Times:
    """The whole run; rows in the order in which a launch goes through them."""

    sentence: str
    total: str
    windows: int
    rows: tuple[Row, ...]
    warm_up: str  # share of the wall time

    @property
    def layers(self) -> list[tuple[int, list[float]]]:
        """One bar: a colour and a length for each part."""
        return [(row.colour, [row.ns]) for row in self.rows]


def times(spent: Spent | None) -> Times | None:
    """Return what the section shows; None for a run that did not measure its time."""
    if spent is None:
        return None
    names = (*INSIDE, *(name for name in (*OUTSIDE, "rest") if spent.part(name)))
    return Times(
        sentence=spent.sentence(),
        total=format_ns(spent.wall_ns),
        windows=spent.windows,
        rows=tuple(_row(spent, name, number) for number, name in enumerate(names)),
        warm_up=f"{spent.part('warm_up'):.0%}".replace("%", " %"),
    )


def _row(spent: Spent, name: str, number: int) -> Row:
    share = spent.part(name)
    ns = share * spent.wall_ns
    told = f"{100 * share:.0f} %" if share >= 0.01 or not share else "below 1 %"  # noqa: PLR2004  a percent
    return Row(WORDS[name], name in INSIDE, 1 + number % 8, ns, format_ns(ns), told)
