"""ucx_perftest's tables and CSV -> results. Its "MB/s" are MiB/s.

By its source (openucx/ucx, src/tools/perf/perftest_run.c, print_progress): rates are
divided by 1024 * 1024, times are us. "overall" is over the whole run, "average" over
the last interval. With several threads the last line has the overall columns only.
The client prints no test and no size: they come from the box of the server or of a
loopback run, or from a line with the command, and are believed if the rates agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perf.outside.lines import damaged, integer, number, numbered, row_like
from perf.outside.result import NO_LINE_END, NO_SPREAD, OutsideResult, Timing
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOL = "ucx_perftest"
_MIB = 1 << 20
_CSV = re.compile(
    r"(?P<files>(?:[^,]{1,255},){0,8})iterations,(?P<rank>\d{1,3}\.\d)_percentile_lat,"
    r"avg_lat,overall_lat,avg_bw,overall_bw,avg_mr,overall_mr",
    re.ASCII,
)
_UNITS = re.compile(
    r"\|\s+\|\s+\|\s+(?P<kind>latency|overhead) \(usec\)\s+\|\s+bandwidth \((?P<unit>[^)]{1,20})\)\s+\|.*"
)
_TITLES = re.compile(r"\|\s+(?:Stage|Test)\s+\| # iterations \| *(?P<rank>\d{1,3}\.\d)%ile \| average \| overall \|.*")
_BOX = re.compile(r"\| (?P<key>Test|Message size|Send memory|Recv memory):\s+(?P<value>[^|]{1,80}?)\s*\|")
_NAMED = re.compile(r"\+(?P<name>[^-+|\s][^+|\s]{0,100}?)-*(?:\+-+){3,}\+")
_ROW = re.compile(
    r"(?:(?P<progress>\[thread \d{1,6}\])|Final:|(?P<name>[^\s\d]\S{0,200}(?=\s)))?\s*(?P<cells>[\d.,]+(?:\s+[\d.,]+)*)"
    r"(?:\s+[A-Za-z(].{0,200})?",
    re.ASCII,
)
_PROGRESS = re.compile(r"\[thread \d{1,6}\]", re.ASCII)
_COMMAND = re.compile(r"(?:^|[\s/])ucx_perftest\s")
_TEST = re.compile(r"(?:^|\s)-t\s*(?P<test>[a-z]{2,5}_?[a-z_]{0,30})(?=\s|$)", re.ASCII)
_SIZE = re.compile(r"(?:^|\s)-s\s*(?P<size>\d{1,18})(?=\s|$)", re.ASCII)
_ALL, _OVERALL = 8, 4  # columns of a row; of the last one with several threads

_HOT = "It moves one buffer of UCX's own in every iteration, so from caches, and not paged."
_UNCHECKED = "Its bytes were not verified."
_BATCH_FILE = "Of a batch file, which is not in the output: test, size and how many tests there are are not told."
_SILENT = "Not known to be whole: there are tests, boxes or commands in the file that no figures follow."
_KINDS = {
    "latency": "Half a round trip, or all of a get, by its own definition.",
    "overhead": "A bandwidth test: its time is the mean time between messages, no latency.",
    "": "The output does not tell whether its time is a latency or the time between messages.",
}
_NO_FINAL = "Cut short: the final line is missing, these are the figures of the last interval that was printed."
_THREADS = "Of several threads together; its time is of one of them."
_UNMARKED = "Whether the last line is the final one cannot be told: this build does not mark the lines before it."


@dataclass(frozen=True)
class _Told:
    """What stood before a table: in the box, or in a command line."""

    test: str = ""
    size: int | None = None
    source_memory: str = ""
    destination_memory: str = ""


@dataclass(frozen=True)
class _Row:
    line: int
    name: str
    final: bool
    count: int
    percentile_us: float | None
    overall_us: float
    overall_mib: float
    overall_messages: float


@dataclass
class _Table:
    """One table: its heading and rows. `kind` is the tool's word for what its times are."""

    told: _Told
    csv: bool = False
    files: int = 0  # names before the figures of a CSV row, one for each batch file
    kind: str = ""
    unit: str = "MB/s"
    rank: float | None = None
    name: str = ""
    rows: list[_Row] = field(default_factory=list)
    awaited: bool = True  # a heading or a name of a test came, and no row yet
    silent: bool = False  # that was so when the next one came


def matches(text: str) -> bool:
    """Tell whether there is a heading of ucx_perftest, or the box of its server."""
    return any(_CSV.fullmatch(line) or _UNITS.fullmatch(line) or _BOX.fullmatch(line) for _, line in numbered(text))


def read(text: str, source: str) -> list[OutsideResult]:
    """Return a result for each test that came to an end, or was cut short. Raises `BadInput`."""
    tables, ending = _tables(text, source)
    found = [
        _result(table, row, source, whole)
        for table in tables
        for row, whole in _last_of_each(table.rows, mark=len(table.rows) > 1)
    ]
    if not found:
        hint = "the server prints no figures, the client does; or it failed"
        raise BadInput("no-results", f"{source}: {TOOL} printed no figures", hint)
    whole = not ending and not any(table.silent or table.awaited for table in tables)
    doubts = (*(() if whole else (_SILENT,)), *(() if text.endswith("\n") else (NO_LINE_END,)))
    return [replace(one, notes=(*one.notes, *doubts)) for one in found]


def _tables(text: str, source: str) -> tuple[list[_Table], bool]:
    """Return the tables, and whether a test was told after the last one."""
    tables: list[_Table] = []
    told, table = _Told(), None
    for at, line in numbered(text):
        if heading := _CSV.fullmatch(line):
            files = heading["files"].count(",")
            table = _Table(told, csv=True, files=files, rank=float(heading["rank"]))
        elif heading := _UNITS.fullmatch(line):
            if heading["unit"] != "MB/s":
                raise damaged(source, at, line, f"a unit of {TOOL} that is not known")
            table = _Table(told, kind=heading["kind"])
        elif heading := _TITLES.fullmatch(line):
            if table is None or table.csv:
                raise damaged(source, at, line, "a heading without its units")
            table.rank = float(heading["rank"])
            tables.append(table)
            told = _Told()
            continue
        elif table is None or not _take(table, line, source, at):
            told = _before(told, line)
            continue
        if table.csv and not table.rows and heading:
            tables.append(table)
            told = _Told()
    return tables, told != _Told()


def _take(table: _Table, line: str, source: str, at: int) -> bool:
    """Take a line into the table if it is of it; tell whether it was."""
    if table.rank is None:
        return False
    if named := _NAMED.fullmatch(line):
        table.silent = table.silent or (table.awaited and bool(table.name))
        table.name, table.awaited = named["name"], True
        return True
    words = line.replace(",", " ") if table.csv else line
    if not (line.startswith("Final:") or _PROGRESS.match(line) or row_like(words)):
        return False
    table.awaited = False
    table.rows.append(_csv_row(table, line, source, at) if table.csv else _row(table, line, source, at))
    return True


def _before(told: _Told, line: str) -> _Told:
    """Return what is known after a line that is not of a table."""
    if box := _BOX.fullmatch(line):
        match box["key"]:
            case "Test":
                return _Told(test=box["value"])  # the first of a box: what stood before is of another run
            case "Message size":
                return replace(told, size=integer(box["value"]))
            case "Send memory":
                return replace(told, source_memory=box["value"])
            case _:
                return replace(told, destination_memory=box["value"])
    if _COMMAND.search(line):
        test, size = _TEST.search(line), _SIZE.search(line)
        return _Told(test=test["test"] if test else "", size=int(size["size"]) if size else None)
    return told


def _csv_row(table: _Table, line: str, source: str, at: int) -> _Row:
    cells = line.split(",")
    names, cells = cells[: table.files], cells[table.files :]
    progress = bool(cells) and _PROGRESS.match(cells[0].strip()) is not None
    cells[:1] = [_PROGRESS.sub("", cell.strip()) for cell in cells[:1]]
    return _checked(cells, "/".join(names), source, at, line, progress=progress)


def _row(table: _Table, line: str, source: str, at: int) -> _Row:
    row = _ROW.fullmatch(line)
    if row is None:
        raise damaged(source, at, line, f"not a row of {TOOL}")
    return _checked(
        row["cells"].split(), row["name"] or table.name, source, at, line, progress=row["progress"] is not None
    )


def _checked(cells: list[str], name: str, source: str, at: int, line: str, *, progress: bool) -> _Row:
    values = [found for cell in cells if (found := number(cell.strip())) is not None]
    if len(values) != len(cells) or len(values) not in ({_ALL} if progress else {_ALL, _OVERALL}):
        raise damaged(source, at, line, f"not a row of {_ALL} numbers of {TOOL}, or of {_OVERALL} with threads")
    if not values[0].is_integer() or not values[0]:
        raise damaged(source, at, line, "iterations are a whole number, and one at least")
    every = len(values) == _ALL
    return _Row(
        line=at,
        name=name,
        final=not progress,
        count=int(values[0]),
        percentile_us=values[1] if every else None,
        overall_us=values[3] if every else values[1],
        overall_mib=values[5] if every else values[2],
        overall_messages=values[-1],
    )


def _last_of_each(rows: list[_Row], *, mark: bool) -> Iterator[tuple[_Row, str]]:
    """Yield the last row of each test, and a note where it may not be the final one; rows of one name are one test."""
    marked = any(not row.final for row in rows)
    for index, row in enumerate(rows):
        following = rows[index + 1] if index + 1 < len(rows) else None
        goes_on = following is not None and following.name == row.name
        if row.final and (marked or not goes_on):
            unmarked = mark and not marked and index > 0 and rows[index - 1].name == row.name
            yield row, _UNMARKED if unmarked else ""
        elif not row.final and not goes_on:
            yield row, _NO_FINAL


def _result(table: _Table, row: _Row, source: str, whole: str) -> OutsideResult:
    told = table.told if not row.name else replace(table.told, test=row.name, size=None)
    agrees = told.size is None or _agrees(row, told.size)
    kind = table.kind or _kind(told.test)
    notes = [NO_SPREAD, _KINDS["" if row.name else kind], _HOT, _UNCHECKED, _BATCH_FILE if row.name else "", whole]
    if row.percentile_us is None:
        notes.append(_THREADS)
    if not agrees:
        notes.append(
            f"Its two rates do not fit messages of {told.size} bytes, which is what was said before the table."
        )
    overall = {"latency": "mean", "overhead": "mean time between messages"}.get("" if row.name else kind, "mean")
    timings = [Timing(row.overall_us * 1e3, overall)]
    if row.percentile_us is not None and table.rank is not None:
        timings.append(Timing(row.percentile_us * 1e3, f"p{table.rank:g}"))
    return OutsideResult(
        tool=TOOL,
        source=f"{source}:{row.line}",
        gb_per_s=row.overall_mib * _MIB / 1e9,
        unit_as_printed=f"{table.unit}, which are MiB/s",
        op=told.test,
        pattern="hot",
        transport="ucx",
        source_memory=told.source_memory,
        destination_memory=told.destination_memory,
        block_bytes=told.size if agrees else None,
        batch=1,
        initiators=None if row.percentile_us is None else 1,
        count=row.count,
        timings=tuple(timings),
        notes=tuple(note for note in notes if note),
    )


def _kind(test: str) -> str:
    """Return what the times of a test are, by the test's name on the command line."""
    return "latency" if test.endswith("_lat") or test == "ucp_get" else "overhead" if test.endswith("_bw") else ""


def _agrees(row: _Row, size: int) -> bool:
    """Tell whether messages of `size` explain both rates, as far as their printed digits go."""
    least = (row.overall_messages - 1) * size
    most = (row.overall_messages + 1) * size
    return least <= (row.overall_mib + 0.01) * _MIB and most >= (row.overall_mib - 0.01) * _MIB
