"""One row of a comparison in words, alike for runs apart and for A against B, and the table, Markdown and JUnit made of such rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from rich import box
from rich.table import Table
from rich.text import Text

from perf.comparing.reasons import reason, short
from perf.markdown_text import table, text
from suite.text import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from perf.comparing.reasons import Row

_WIDEST = 160  # characters of a cell; longer foreign names are cut
_ROWS = 200  # of a table in a comment; the rest is counted
_MESSAGE = 500
_OPEN = frozenset({"inconclusive", "not compared"})
_STYLES = {"faster": "green", "slower": "bold red", "same": "", "within noise": "dim", "inconclusive": "yellow"}


@dataclass(frozen=True)
class Heads:
    """What the columns are called: the carrier, both rates, and their ratio."""

    by: str
    first: str
    second: str
    ratio: str


@dataclass(frozen=True)
class Line:
    """A point, both rates in GB/s without the unit, their ratio with its interval, the verdict and why."""

    what: str
    by: str
    rates: tuple[str, str]
    ratio: str
    verdict: str
    remarks: tuple[str, ...]
    short: str
    reason: str

    @property
    def name(self) -> str:
        """The point and what carried it."""
        return f"{self.what}, {self.by}"


def line(row: Row, what: str, by: str, rates: tuple[str, str], ratio: str) -> Line:
    """Return a row in words; why it has its verdict is read from the row itself."""
    return Line(what, by, rates, ratio, row.verdict, tuple(row.remarks), short(row), reason(row))


def terminal_text(words: str, style: str = "", limit: int = _WIDEST) -> Text:
    """Return foreign text without rich's markup and without a control character."""
    return Text(plain(words, limit).replace("\n", " "), style=style)


def terminal_table(heads: Heads, lines: Sequence[Line]) -> Table:
    """Return all rows as a table; the verdict is a word, its colour only repeats it."""
    found = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    found.add_column("what", overflow="fold", min_width=14)
    found.add_column(heads.by, overflow="fold", min_width=8)
    found.add_column(heads.first, justify="right", no_wrap=True)
    found.add_column(f"{heads.second} GB/s", justify="right", no_wrap=True)
    found.add_column(heads.ratio, justify="right", no_wrap=True)
    found.add_column("verdict", overflow="fold", min_width=12)
    for one in lines:
        verdict = terminal_text(one.verdict, _STYLES.get(one.verdict, "dim"))
        if one.remarks:
            verdict.append("\n").append(terminal_text("; ".join(one.remarks), "dim"))
        found.add_row(*map(terminal_text, (one.what, one.by, *one.rates, one.ratio)), verdict)
    return found


def markdown_table(heads: Heads, lines: Sequence[Line], failing: Collection[int]) -> list[str]:
    """Return the first rows as lines of Markdown; `failing` are numbers of rows that the gate names."""
    columns = ("what", heads.by, "verdict", f"{heads.first} GB/s", f"{heads.second} GB/s", heads.ratio)
    cells = [_cells(one, fails=number in failing) for number, one in enumerate(lines[:_ROWS])]
    left = len(lines) - _ROWS
    return [*table(columns, cells, 3), *([f"\nand {left} more points, in `--json`"] if left > 0 else [])]


def _cells(one: Line, *, fails: bool) -> list[str]:
    verdict = f"**{one.verdict}** (fails)" if fails else one.verdict
    return [text(one.what), text(one.by), f"{verdict}: {text(one.reason)}", *map(text, (*one.rates, one.ratio))]


def junit(name: str, heads: Heads, lines: Sequence[Line], failing: Collection[int]) -> str:
    """Return JUnit XML: a point that the gate names fails, one that decides nothing is skipped."""
    skipped = {number for number, one in enumerate(lines) if one.verdict in _OPEN}.difference(failing)
    counts = {"tests": len(lines), "failures": len(failing), "errors": 0, "skipped": len(skipped)}
    numbers = {key: str(value) for key, value in counts.items()}
    root = ET.Element("testsuites", {key: numbers[key] for key in ("tests", "failures", "errors")})
    suite = ET.SubElement(root, "testsuite", {"name": name, **numbers})
    for number, one in enumerate(lines):
        case = ET.SubElement(suite, "testcase", {"classname": plain(one.by), "name": plain(one.what)})
        told = {"message": plain(f"{one.verdict}: {one.reason}", _MESSAGE)}
        if number in failing:
            ET.SubElement(case, "failure", {"type": one.verdict, **told})
        elif number in skipped:
            ET.SubElement(case, "skipped", told)
        ET.SubElement(case, "system-out").text = plain(f"{heads.ratio} {one.ratio}: {one.reason}")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
