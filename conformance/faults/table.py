"""The matrix of faults: one line for each fault, at whom and when, and what a transport made of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from conformance.faults.cells import FAULTS, INITIATOR, PHASES, TARGET
from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.faults.outcome import Outcome

HEADS = ("fault", "at", "when", "way", "noticed", "after", "named", "wrong bytes as good", "serves the next")
_WORDS, _SENTENCE = 60, 300


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
    """Print a table for each implementation to stdout, readable from 80 columns on; nothing where no fault was tried."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    by_name = groupby(sorted(outcomes, key=_order), key=lambda one: one.implementation)
    for name, group in by_name:
        told = list(group)
        console.print(Text(f"\nfaults, {name}:"), soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in ("fault", "at, when", "what the survivor saw", "bytes", "next"):
            table.add_column(head, overflow="fold")
        for one in told:
            if not one.skipped:
                table.add_row(*map(Text, _short(one)), style="yellow" if _line(one).bad else "")
        if table.row_count:
            console.print(table)
        for sentence in _sentences(told):
            console.print(Text(f"  {plain(sentence, _SENTENCE)}"))


def _short(one: Outcome) -> tuple[str, ...]:
    """Return a row of the terminal's table: bytes reported as good are, the next peer is served."""
    when = f" after {one.after_ms} ms" if one.after_ms >= 0 and one.ended in {"done", "error"} else ""
    saw = {"error": f"{one.code or 'error'}{when}", "done": f"done{when}", "no end": "no end while watched"}
    return (
        one.fault,
        _where(one),
        saw.get(one.ended, noticed(one)),
        "WRONG" if one.wrong else "ok",
        "FAILED" if one.serves else "ok",
    )


def _where(one: Outcome) -> str:
    return f"{one.role}, {one.phase}{', READ' if one.way == 'in' else ''}"


def _sentences(told: Sequence[Outcome]) -> list[str]:
    """Return what went wrong, in words, and once for each reason what was not tried."""
    found = [f"{one.fault}, {_where(one)}: {one.wrong}" for one in told if one.wrong]
    found += [f"{one.fault}, {_where(one)}: the next transfer failed: {one.serves}" for one in told if one.serves]
    skipped: dict[str, list[str]] = {}
    for one in told:
        if one.skipped:
            skipped.setdefault(one.skipped, []).append(one.fault)
    return [*found, *(f"not tried: {', '.join(dict.fromkeys(names))}: {why}" for why, names in skipped.items())]


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
