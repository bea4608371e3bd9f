"""The points as a table on a terminal, readable from 80 columns on; rich drops the colours where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from perf.identity import reading_order
from perf.rows import Row, grouped
from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.summary import PointSummary

_WIDEST = 120  # characters of a cell; longer foreign names are cut


def points(summaries: Sequence[PointSummary]) -> Group:
    """Return one table for each op and workload."""
    ordered = sorted(summaries, key=lambda summary: reading_order(summary.point))
    if not ordered:
        return Group(Text("No point was measured."))
    return Group(*(_table(heading, rows) for heading, rows in grouped(ordered)))


def _table(heading: str, rows: Sequence[Row]) -> Table:
    table = Table(title=_text(heading, "bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("what", overflow="fold", min_width=12)
    table.add_column("transport", overflow="fold", min_width=8)
    table.add_column("GB/s", justify="right", no_wrap=True)
    table.add_column("latency", justify="right", no_wrap=True)
    table.add_column("of copy", justify="right", no_wrap=True)
    table.add_column("wire", overflow="fold", min_width=4)
    table.add_column("checked", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row), style="dim" if row.ceiling else "")
    return table


def _cells(row: Row) -> list[Text]:
    return [
        _text(row.what),
        _text(row.transport),
        _throughput(row),
        _text(row.latency.value),
        _text(row.share),
        _text(row.wire),
        _text(row.checked, "green" if row.verified else "red"),
    ]


def _throughput(row: Row) -> Text:
    cell = _text(row.throughput.value, "bold")
    if row.throughput.span:
        cell.append(f" {row.throughput.span}", style="dim")
    if row.remark:
        cell.append(f"\n{row.remark}", style="red")
    return cell


def _text(text: str, style: str = "") -> Text:
    """Return foreign text without rich's markup and without a control character."""
    return Text(plain(text, _WIDEST).replace("\n", " "), style=style)
