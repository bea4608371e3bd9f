"""A against B on a terminal: what both are, one table, sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.ab import wording
from perf.comparing.line import terminal_table, terminal_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console

    from perf.ab.against import Against
    from perf.comparing.line import Line

_LINE = 600
_REASONS = 12


def show(found: Against, failing: Collection[int], console: Console) -> None:
    """Print a comparison; the verdict is a word, its colour only repeats it."""
    lines = [wording.in_words(row) for row in found.rows]
    for one in (found.a, found.b):
        console.print(terminal_text(wording.side(one), "bold", _LINE))
    if lines:
        console.print(terminal_table(wording.HEADS, lines))
    for reason in _reasons(lines):
        console.print(terminal_text(reason, limit=_LINE))
    for sentence in (*found.notes, *found.sentences):
        console.print(terminal_text(sentence, limit=_LINE))
    for number in sorted(failing):
        console.print(terminal_text(f"fails: {lines[number].name}: {lines[number].verdict}", "red", _LINE))


def _reasons(lines: Sequence[Line]) -> list[str]:
    """Say once why points have a verdict, and to which it applies; what is the same needs no reason."""
    told: dict[str, list[str]] = {}
    for one in lines:
        if one.verdict != "same":
            told.setdefault(f"{one.verdict}: {one.short}", []).append(f"{one.by}, {one.what}")
    found = [f"{reason} ({names[0] if len(names) == 1 else f'{len(names)} points'})" for reason, names in told.items()]
    left = len(found) - _REASONS
    return [*found[:_REASONS], *([f"and {left} more reasons, in --json"] if left > 0 else [])]
