"""The matrix of faults: one line for each fault, at whom and when, and what a transport made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.faults.cells import FAULTS, INITIATOR, PHASES, TARGET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.faults.outcome import Outcome

HEADS = ("fault", "at", "when", "way", "noticed", "after", "named", "wrong bytes as good", "serves the next")
_WORDS = 60


@dataclass(frozen=True)
class Line:
    """One fault in words, as `HEADS` has them; `bad` marks those that a serving stack must know of."""

    cells: tuple[str, ...]
    bad: bool


def lines(outcomes: Sequence[Outcome]) -> dict[str, list[Line]]:
    """Return implementation -> its lines, in the order of faults, roles and phases."""
    found: dict[str, list[Line]] = {}
    for one in sorted(outcomes, key=_order):
        found.setdefault(one.implementation, []).append(_line(one))
    return found


def show(outcomes: Sequence[Outcome]) -> None:
    """Print a table for each implementation to stdout; nothing where no fault was tried."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for name, told in lines(outcomes).items():
        console.print(Text(f"\nfaults, {name}:"), soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in HEADS:
            table.add_column(head, overflow="fold")
        for line in told:
            table.add_row(*map(Text, line.cells), style="yellow" if line.bad else "")
        console.print(table)


def _order(one: Outcome) -> tuple[str, int, int, int, str]:
    known = [*FAULTS]
    return (
        one.implementation,
        known.index(one.fault) if one.fault in known else len(known),
        (INITIATOR, TARGET).index(one.role) if one.role in {INITIATOR, TARGET} else 2,
        PHASES.index(one.phase) if one.phase in PHASES else len(PHASES),
        one.way,
    )


def _line(one: Outcome) -> Line:
    start = (one.fault, one.role, one.phase, {"out": "out", "in": "in"}.get(one.way, one.way))
    if one.skipped:
        return Line((*start, f"not tried: {one.skipped[:_WORDS]}", "", "", "", ""), bad=False)
    gone = one.ended in {"died", "hung"}
    after = f"{one.after_ms} ms" if one.after_ms >= 0 and one.ended in {"done", "error"} else ""
    told = (
        noticed(one),
        after,
        one.code,
        one.wrong[:_WORDS] or "no",
        "no: " + one.serves[:_WORDS] if one.serves else "yes",
    )
    return Line((*start, *told), bad=bool(gone or one.wrong or one.serves))


def noticed(one: Outcome) -> str:
    """Return whether the survivor noticed, in words."""
    return {
        "error": "yes",
        "done": "no need: done",
        "no end": "no",
        "died": "the survivor died",
        "hung": "a call hangs",
    }.get(one.ended, one.ended)
