"""The report as Markdown, for a comment on a pull request: what decides, and where the rest is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf.identity import CEILING
from perf.markdown_text import block, code, strong, table, text
from perf.rows import row
from perf.words import NONE, PLAIN_MESSAGES, workload
from reports.sections.advice import advice_of
from reports.sections.beside import besides
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.summary import PointSummary
    from reports.data import Problem, ReportData
    from reports.sections.advice import Advice
    from reports.sections.transfer import Transfer

LONGEST = 60_000  # characters; GitHub takes a comment of 65,536
_ROWS, _SENTENCES, _PROBLEMS, _NAMED = 100, 12, 20, 3
_FIGURE = re.compile(r"\d+(?:\.\d+)?")
_HEADING = 2  # lines of a table before its rows
_TIMED = ("GB/s [95 % interval]", "Latency", "Of copy")
_BROKEN = {"fail": "breaks a MUST", "warn": "breaks a SHOULD", "error": "could not be tested"}


def render(data: ReportData) -> str:
    """Return the report as Markdown: the verdict, the KV caches that were moved, problems, settings, how to reproduce."""
    head = list(_head(data))
    tail = [
        *_transfer(data.transfer),
        *_beside(data),
        *_problems(data.problems),
        *_broken(data),
        *_settings(data),
        *_what_to_set(advice_of(data)),
        *_reproduce(data),
    ]
    points = _points(_shown(data.summaries), data, LONGEST - _length([*head, *tail]))
    return "\n\n".join(_fitting([*head, *points, *tail])) + "\n"


def _shown(summaries: Sequence[PointSummary]) -> list[PointSummary]:
    """Return the KV caches, without `copy`, of which the others tell their share; else whatever there is."""
    caches = [one for one in summaries if one.point.workload != PLAIN_MESSAGES] or list(summaries)
    return [one for one in caches if one.point.transport != CEILING] or caches


def _length(parts: Iterable[str]) -> int:
    return sum(len(part) + 2 for part in parts)


def _fitting(parts: Sequence[str]) -> Iterable[str]:
    """Leave out paragraphs where there is no room: a comment that is too long is refused as a whole."""
    room = LONGEST
    for part in parts:
        room -= len(part) + 2
        if room >= 0:
            yield part
        else:
            room += len(part) + 2
    if _length(parts) > LONGEST:
        yield "There was no room for all of it: the rest is in the report."


def _head(data: ReportData) -> Iterable[str]:
    yield f"### {text(data.title)}"
    if not data.complete:
        yield f"**This run is not complete.** {data.stopped}"
    if data.emulation:
        yield text(data.emulation, 1_000)
    first, *others = data.sentences or ("No verdict: no point was measured.",)
    yield strong(first)
    if others:
        yield _list([text(one) for one in others], _SENTENCES, "more sentences are in the report")
    if data.swept:
        yield _totals(data)
    yield from (text(note) for note in (*data.notes[:_SENTENCES], data.locality) if note)


def _totals(data: ReportData) -> str:
    totals = data.totals
    counted = (
        f"{totals.points} points", f"{totals.failed} with failures", f"{totals.launches} launches",
        f"{format_bytes(totals.verified_bytes)} checked", f"wires: {text('; '.join(totals.wires) or 'none')}",
    )  # fmt: skip
    return " · ".join(counted)


def _points(shown: Sequence[PointSummary], data: ReportData, room: int) -> Iterable[str]:
    """Return the table of points, as many rows as there is room for."""
    if not shown:
        return
    timed = not all(one.emulated for one in shown)
    heads = ["Transfer", "Transport", "Wire", *(_TIMED if timed else ()), "Checked"]
    lines = table(heads, [_cells(one, timed=timed) for one in shown[:_ROWS]], len(heads) - 3)
    while len(lines) > _HEADING and _length(lines) > room:
        lines.pop()
    yield "\n".join(lines)
    if left := len(data.summaries) - (len(lines) - _HEADING):
        yield f"{left} more {'point is' if left == 1 else 'points are'} in the report: `kvgauge report`."


def _cells(one: PointSummary, *, timed: bool) -> list[str]:
    told = row(one)
    what = text(f"{told.op} {workload(one.point.workload)}, {told.what}")
    name = text(f"ceiling: {told.transport}" if one.point.transport == CEILING and timed else told.transport)
    remark = f" **{told.remark}**" if told.remark else ""
    numbers = [str(told.throughput), str(told.latency), told.share] if timed else []
    checked = f"{told.checked} ✓" if told.verified else told.checked if told.checked == NONE else f"**{told.checked}**"
    return [what, name + remark, text(told.wire), *numbers, checked]


def _transfer(found: Transfer | None) -> Iterable[str]:
    """Return what each op came to, its phases, and what went wrong."""
    if not found:
        return
    if found.rows:
        yield "#### Requests, phases, bytes on the wire"
        phases = [
            [f"{name}, {found.scope(name)}", *(found.phase(op, name) for op in found.ops)] for name in found.phases
        ]
        rows = [*([row.name, *row.cells] for row in found.rows), *phases]
        heads = ["", *(text(op.name) for op in found.ops)]
        yield "\n".join(table(heads, [[text(cell) for cell in row] for row in rows], len(found.ops)))
    if found.troubles:
        yield "#### What went wrong"
        told = [f"**{one.level}** {text('; '.join([one.sentence, *one.requests]))}" for one in found.troubles]
        yield _list(told, _PROBLEMS, "more are in the report")


def _beside(data: ReportData) -> Iterable[str]:
    """Return what other tools measured; what is not alike in ours stands in the page."""
    found = besides(data.summaries, data.outside).rows[:_PROBLEMS]
    if not found:
        return
    yield "#### Beside other tools"
    rows = [
        [row.tool, row.request, row.rate, "; ".join(f"{one.transport} {one.rate}" for one in row.ours) or NONE]
        for row in found
    ]
    heads = ["One figure of", "A request", "its GB/s", "ours of as many bytes, GB/s"]
    yield "\n".join(table(heads, [[text(cell) for cell in row] for row in rows], 2))
    yield "Theirs are single means without spread, of unverified bytes: no ratio is given."


def _problems(problems: Sequence[Problem]) -> Iterable[str]:
    """Tell each kind of problem once: sentences that differ in their figures only are folded."""
    alike: dict[tuple[str, str], list[Problem]] = {}
    for one in problems:
        alike.setdefault((one.level, _FIGURE.sub("0", one.sentence)), []).append(one)
    if alike:
        yield "#### Problems and doubts"
        yield _list([_problem(group) for group in alike.values()], _PROBLEMS, "more are in the report")


def _problem(alike: Sequence[Problem]) -> str:
    first, *others = alike
    more = f" ({len(others)} more like it)" if others else ""
    points = [point for one in alike for point in one.points]
    left = len(points) - _NAMED
    names = "; ".join([*map(text, points[:_NAMED]), *([f"and {left} more"] if left > 0 else [])])
    return f"**{first.level}** {text(first.sentence.removesuffix('.'))}{more}: {names}"


def _broken(data: ReportData) -> Iterable[str]:
    """Tell which requirements were broken, and by which input; those that were expected are only counted."""
    if data.conformance is None:
        return
    found = [
        (name, line.id, cell)
        for line in data.conformance.rows
        for name, cell in zip(data.conformance.implementations, line.cells, strict=True)
        if cell is not None and cell.verdict in _BROKEN
    ]
    told = [
        f"{text(name)} {_BROKEN[cell.verdict]}: {strong(identity)} {text(cell.what)}"
        + (f"; smallest input: {code(cell.example)}" if cell.example else "")
        for name, identity, cell in found
        if not cell.expected
    ]
    expected = len(found) - len(told)
    if found:
        yield "#### Broken requirements"
    if told:
        yield _list(told, _PROBLEMS, "more are in the report")
    if expected:
        yield f"{expected} were expected."


def _settings(data: ReportData) -> Iterable[str]:
    if data.transports:
        yield "#### Settings"
        yield f"Measured: {', '.join(text(name) for name in data.transports[:_SENTENCES])}, which the settings select."
        yield _list([text(one) for one in data.why], _SENTENCES, "more are in the report")


def _what_to_set(advised: Advice | None) -> Iterable[str]:
    if advised:
        yield "#### What to set"
        yield text(advised.sentence, 1_000)
        yield from (block(lines) for lines in (advised.exports, advised.engine) if lines)


def _reproduce(data: ReportData) -> Iterable[str]:
    yield "#### How to reproduce"
    seed = f", seed {text(data.seed)}" if data.seed else ""
    when = f", measured {text(data.created)}" if data.created else ""
    yield block(data.command) if data.command else "The run does not record its command line."
    yield f"kvgauge {text(data.version) or 'of an unknown version'}{seed}{when}."


def _list(lines: Sequence[str], most: int, more: str) -> str:
    left = len(lines) - most
    return "\n".join(f"- {line}" for line in (*lines[:most], *([f"{left} {more}"] if left > 0 else [])))
