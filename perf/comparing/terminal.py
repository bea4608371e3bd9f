"""A comparison on a terminal: sentences, what differs, one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.comparing import wording
from perf.comparing.line import terminal_table, terminal_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import Console

    from perf.comparing.comparison import Comparison


def show(found: Comparison, failing: Collection[int], console: Console) -> None:
    """Print a comparison; the verdict is a word, its colour only repeats it."""
    lines = [wording.in_words(row) for row in found.rows]
    console.print(terminal_text(f"BASE {found.base}, NEW {found.new}", "bold"))
    for changed in wording.changed(found):
        console.print(terminal_text(f"  {changed}", limit=300))
    console.print(terminal_table(wording.HEADS, lines))
    for reason in dict.fromkeys(f"{one.verdict}: {one.short}" for one in lines):
        console.print(terminal_text(reason, limit=500))
    for sentence in (*found.notes, *found.sentences):
        console.print(terminal_text(sentence, limit=500))
    for number in sorted(failing):
        console.print(terminal_text(f"fails: {lines[number].name}: {lines[number].verdict}", "red", limit=500))
