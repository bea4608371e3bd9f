"""A calibration on a terminal: what is known beside what was measured, costs, sentences, what could not be run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from perf.calibration import words
from perf.words import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from perf.calibration.parts import Skipped
    from suite.run.calibration import Part, PartName

_STYLES = {"good": "green", "beyond": "bold red", "its protocol": "dim"}


def show(found: Mapping[PartName, Part], skipped: Sequence[Skipped], console: Console) -> None:
    """Print what was calibrated now; a verdict is a word, its colour only repeats it."""
    parts = [found[name] for name in words.in_order(found)]
    if any(part.known for part in parts):
        console.print(_known(parts))
    if any(part.costs for part in parts):
        console.print(_costs(parts))
    for name in words.in_order(found):
        for sentence in words.of_part(name, found[name]):
            console.print(_text(sentence))
    for one in [one for part in parts for one in part.known if not one.good]:
        tolerated = 100 * (one.tolerated or 0)
        loads = {part.load_average for part in parts if one in part.known}
        console.print(
            _text(
                f"beyond what is tolerated: {one.what} is measured {words.percent(one.error)} off, {tolerated:g} % are;"
                f" the load was {max(loads):.1f}: try it again when nothing else runs",
                "red",
            )
        )
    for part in skipped:
        console.print(_text(f"not calibrated: {words.TITLES[part.part]}: {part.why}", "yellow"))
        console.print(_text(f"  {part.remedy}", "dim"))


def _known(parts: Sequence[Part]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("known thing", overflow="fold", min_width=16)
    table.add_column("known", justify="right", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("off by", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for one in [one for part in parts for one in part.known]:
        told = words.verdict(one)
        cells = (
            one.what,
            words.size(one.known, one.unit, words.DIGITS),
            words.size(one.measured, one.unit, words.DIGITS),
            words.percent(one.error),
        )
        table.add_row(*map(_text, cells), _text(told, _STYLES[told]))
    return table


def _costs(parts: Sequence[Part]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("of the tool itself", overflow="fold", min_width=16)
    table.add_column("size", overflow="fold")
    table.add_column("what it is", overflow="fold")
    for one in [one for part in parts for one in part.costs]:
        table.add_row(_text(one.what), _text(words.cost(one)), _text(one.detail, "dim"))
    return table


def _text(text: str, style: str = "") -> Text:
    return Text(plain(text).replace("\n", " "), style=style)
