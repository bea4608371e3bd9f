"""What two commands printed, launch by launch -> rows that can stand against one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.ab.measured import Measured
from perf.outside.result import NO_SPREAD
from perf.words import PLAIN_MESSAGES
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from perf.asides import CommandRecord, Printed

    Key = tuple[object, ...]

_MOST_NOTES = 20


def printed_rows(records: Iterable[CommandRecord]) -> Iterator[Measured]:
    """Yield each row of the commands' tables with its rate in every launch of either side.

    Rows are the same if they say so: tool, op, memories, bytes and batch; equal ones are told apart by
    their order. The transport is not part of it: it may be what differs.
    """
    rates: dict[Key, tuple[dict[int, float], dict[int, float]]] = {}
    rows: dict[Key, Printed] = {}
    for record in records:
        seen: dict[Key, int] = {}
        for row in record.rows:
            key = _key(row)
            seen[key] = seen.get(key, 0) + 1
            key = (*key, seen[key])
            rows.setdefault(key, row)
            if row.gb_per_s > 0:
                rates.setdefault(key, ({}, {}))["AB".index(record.variant)][record.launch] = row.gb_per_s
    for key, row in rows.items():
        a, b = rates.get(key, ({}, {}))
        refused = "" if a and b else "no rate" if not a and not b else f"only in {'A' if a else 'B'}"
        yield Measured(_what(row), row.transport or row.tool, a, b, refused)


def caveats(records: Sequence[CommandRecord]) -> list[str]:
    """Return what the tools' figures are not, each once, and why a run of a command has none."""
    notes = dict.fromkeys(note for record in records for row in record.rows for note in row.notes)
    notes.pop(NO_SPREAD, None)  # here it was repeated
    failed = dict.fromkeys(f"{record.variant} failed: {record.problem}" for record in records if record.problem)
    return [*notes, *failed][:_MOST_NOTES]


def _key(row: Printed) -> Key:
    return row.tool, row.op, row.pattern, row.source_memory, row.destination_memory, row.block_bytes, row.batch


def _what(row: Printed) -> str:
    size = format_bytes(row.block_bytes) if row.block_bytes else "messages of a size that is not told"
    times = f" \N{MULTIPLICATION SIGN} {row.batch}" if row.batch and row.batch > 1 else ""
    memories = f", {row.source_memory} \N{RIGHTWARDS ARROW} {row.destination_memory}" if row.source_memory else ""
    return f"{row.tool} {row.op or PLAIN_MESSAGES}, {size}{times}{memories}"
