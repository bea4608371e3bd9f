"""Results of other tools as a table for a terminal, and below it what their figures are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from perf.words import NONE
from suite.text import plain
from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.outside.result import OutsideResult

_WIDEST = 200  # characters of a foreign word


def table(results: Sequence[OutsideResult]) -> Group:
    """Return a row for each result, and every note once with the numbers of the rows that it is about."""
    shown = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    shown.add_column("", justify="right")
    shown.add_column("tool and op", overflow="fold", min_width=12)
    shown.add_column("bytes", justify="right")
    shown.add_column("batch", justify="right")
    shown.add_column("GB/s", justify="right", no_wrap=True)
    shown.add_column("times", overflow="fold", min_width=12)
    shown.add_column("from", overflow="fold", min_width=8)
    notes: dict[str, list[int]] = {}
    for row, result in enumerate(results, 1):
        shown.add_row(*(Text(plain(cell, _WIDEST)) for cell in (str(row), *_cells(result))))
        for note in result.notes:
            notes.setdefault(note, []).append(row)
    return Group(shown, *(Text(f"[{_rows(rows, len(results))}] {plain(note)}") for note, rows in notes.items()))


def _cells(result: OutsideResult) -> tuple[str, ...]:
    memory = f"{result.source_memory}, {result.destination_memory}" if result.source_memory else ""
    size = NONE if result.block_bytes is None else format_bytes(result.block_bytes)
    return (
        " ".join(filter(None, [result.tool, result.version, result.transport, result.op, memory])),
        size,
        NONE if result.batch is None else str(result.batch),
        NONE if result.emulated else format_rate(result.gb_per_s).removesuffix(" GB/s"),
        "; ".join(f"{format_ns(timing.ns)} {timing.statistic}" for timing in result.timings),
        result.source.rpartition("/")[2],
    )


def _rows(rows: Sequence[int], every: int) -> str:
    return "all" if len(rows) == every else ", ".join(map(str, rows))
