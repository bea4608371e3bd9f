"""A against B on a terminal: what both are, one table, sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from perf.ab import wording
from perf.comparing.reasons import short
from perf.words import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console

    from perf.ab.against import Against, Row

_WIDEST = 160  # characters of a cell; longer foreign names are cut
_LINE = 600
_REASONS = 12
_STYLES = {"faster": "green", "slower": "bold red", "same": "", "within noise": "dim", "inconclusive": "yellow"}


def show(found: Against, failing: Collection[int], console: Console) -> None:
    """Print a comparison; the verdict is a word, its colour only repeats it."""
    for one in (found.a, found.b):
        console.print(_text(wording.side(one), "bold", _LINE))
    if found.rows:
        console.print(_table(found.rows))
    for reason in _reasons(found.rows):
        console.print(_text(reason, limit=_LINE))
    for sentence in (*found.notes, *found.sentences):
        console.print(_text(sentence, limit=_LINE))
    for number in sorted(failing):
        row = found.rows[number]
        console.print(_text(f"fails: {row.what}, {row.by}: {row.verdict}", "red", _LINE))


def _reasons(rows: Sequence[Row]) -> list[str]:
    """Say once why points have a verdict, and to which it applies; what is the same needs no reason."""
    told: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict != "same":
            told.setdefault(f"{row.verdict}: {short(row)}", []).append(f"{row.by}, {row.what}")
    found = [f"{reason} ({names[0] if len(names) == 1 else f'{len(names)} points'})" for reason, names in told.items()]
    left = len(found) - _REASONS
    return [*found[:_REASONS], *([f"and {left} more reasons, in --json"] if left > 0 else [])]


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("what", overflow="fold", min_width=14)
    table.add_column("by", overflow="fold", min_width=8)
    table.add_column("A", justify="right", no_wrap=True)
    table.add_column("B GB/s", justify="right", no_wrap=True)
    table.add_column("B / A", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=12)
    for row in rows:
        verdict = _text(row.verdict, _STYLES.get(row.verdict, "dim"))
        if row.remarks:
            verdict.append("\n").append(_text("; ".join(row.remarks), "dim"))
        rates = wording.rate(row.a_gb_per_s), wording.rate(row.b_gb_per_s)
        table.add_row(*map(_text, (row.what, row.by, *rates, wording.ratio(row))), verdict)
    return table


def _text(text: str, style: str = "", limit: int = _WIDEST) -> Text:
    """Return foreign text without rich's markup and without a control character."""
    return Text(plain(text, limit).replace("\n", " "), style=style)
