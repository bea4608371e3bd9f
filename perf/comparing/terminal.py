"""A comparison on a terminal: sentences, what differs, one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from perf.comparing import wording
from perf.comparing.reasons import short
from perf.words import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console

    from perf.comparing.comparison import Comparison, Row

_WIDEST = 160  # characters of a cell; longer foreign names are cut
_STYLES = {"faster": "green", "slower": "bold red", "same": "", "within noise": "dim", "inconclusive": "yellow"}


def show(found: Comparison, failing: Collection[int], console: Console) -> None:
    """Print a comparison; the verdict is a word, its colour only repeats it."""
    console.print(_text(f"BASE {found.base}, NEW {found.new}", "bold"))
    for line in wording.changed(found):
        console.print(_text(f"  {line}", limit=300))
    console.print(_table(found.rows))
    for reason in dict.fromkeys(f"{row.verdict}: {short(row)}" for row in found.rows):
        console.print(_text(reason, limit=500))
    for sentence in (*found.notes, *found.sentences):
        console.print(_text(sentence, limit=500))
    for number in sorted(failing):
        row = found.rows[number]
        console.print(_text(f"fails: {wording.name(row.point)}, {wording.by(row)}: {row.verdict}", "red", limit=500))


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("what", overflow="fold", min_width=14)
    table.add_column("transport", overflow="fold", min_width=8)
    table.add_column("BASE", justify="right", no_wrap=True)
    table.add_column("NEW GB/s", justify="right", no_wrap=True)
    table.add_column("NEW / BASE", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=12)
    for row in rows:
        verdict = _text(row.verdict, _STYLES.get(row.verdict, "dim"))
        if row.remarks:
            verdict.append("\n").append(_text("; ".join(row.remarks), "dim"))
        cells = (wording.name(row.point), wording.by(row), *wording.rates(row), wording.ratio(row))
        table.add_row(*map(_text, cells), verdict)
    return table


def _text(text: str, style: str = "", limit: int = _WIDEST) -> Text:
    """Return foreign text without rich's markup and without a control character."""
    return Text(plain(text, limit).replace("\n", " "), style=style)
