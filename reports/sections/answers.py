"""The six questions that a report is opened for, each answered in a sentence with a stable id: `answer-faster`, ...

Pure functions of what the page shows anyway. A question that the data cannot
answer has no entry; on the emulator that is every question about speed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.ab.wording import ratio
from perf.choice import Choice, choices, lead
from perf.identity import CEILING
from perf.memory import HOST
from perf.words import NONE, pieces, share
from reports.wording import faster, moved_at
from suite.text import plain
from suite.units import format_bytes, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from perf.ab.against import Against
    from perf.summary import PointSummary
    from reports.data import ReportData
    from reports.sections.advice import Advice
    from reports.sections.conformance import Cell, Matrix, Row
    from reports.sections.transfer import Transfer

MOST_MORE = 8  # further sentences of one answer; the section has all
_BROKEN = {"fail": "breaks a MUST", "warn": "breaks a SHOULD"}
_SHOWN_INPUT = 120


@dataclass(frozen=True)
class Answer:
    """One question and its answer; `section` is where the evidence stands."""

    id: str
    question: str
    sentence: str
    section: str
    more: tuple[str, ...] = ()
    code: tuple[str, ...] = ()  # blocks of lines that can be copied


def answers(data: ReportData, advised: Advice | None) -> tuple[Answer, ...]:
    """Return the answers that this run has, in the order of the questions."""
    decided = choices(data.summaries)
    found = (
        _compared(data.against) or _faster(decided),
        _real(data.summaries) or _handed_over(data.transfer),
        _limit(decided),
        _broken(data.conformance),
        _set(advised),
        _reproduce(data),
    )
    return tuple(answer for answer in found if answer)


def _compared(found: Against | None) -> Answer | None:
    """Return what became of B: of a run with A and B nothing else says which is faster."""
    if found is None or not found.rows:
        return None
    shown = [row for row in found.rows if row.verdict in {"faster", "slower"}]
    told = [f"{row.what}, {row.by}: B is {row.verdict}, {ratio(row)} times the rate of A." for row in shown]
    first, *more = told or ["No difference between A and B is shown."]
    return Answer("answer-faster", "Is B faster than A, and by how much?", first, "ab", _some(more))


def _faster(decided: Sequence[Choice]) -> Answer | None:
    told = [_who_leads(choice) for choice in decided]
    if not told:
        return None
    first, *more = told
    return Answer(
        "answer-faster", "Which transport is faster, and by how much?", first, "throughput", _some(more)
    )  # fmt: skip


def _who_leads(choice: Choice) -> str:
    best, *others = choice.contenders
    about = f"{choice.workload}'s KV cache ({choice.op}, {pieces(choice.point)})"
    if not others:
        return f"Only {moved_at(best)} moved {about}: there is no other to be faster than."
    second = others[0]
    found = lead(best, second)
    if found and found.shown:
        return f"{faster(best, second)}, for {about}."
    return f"No difference is shown between {moved_at(best)} and {moved_at(second)}, for {about}: their intervals overlap, or are missing."


def _real(summaries: Sequence[PointSummary]) -> Answer | None:
    moved = [one for one in summaries if one.launches or one.failed]
    if not moved:
        return None
    emulated = [one for one in moved if one.emulated]
    played = f" The GPUs are not, for {_of(emulated, moved)}: emulated, where times mean nothing." if emulated else ""
    sentence = f"{_bytes_are_right(moved)} {_wire(moved)}{played}"
    return Answer("answer-real", "Is it real: which wire, and were the bytes checked?", sentence, "points")


def _handed_over(found: Transfer | None) -> Answer | None:
    """Answer the same for requests that were handed over."""
    if found is None or not found.records:
        return None
    checked = format_bytes(sum(op.checked_bytes for op in found.ops))
    real = "The bytes are" if found.emulation else "Yes"
    right, asked = (
        sum(counts) for counts in zip(*((op.right, op.requests + op.missing) for op in found.ops), strict=True)
    )
    bytes_told = f"Not all of it: {right} of {asked} requests were moved and are right."
    if right == asked:
        bytes_told = "The requests are right, but the run did not end well."
    if all(op.good for op in found.ops):
        bytes_told = f"{real}: {checked} were compared and every byte was right."
    wires = [wire for wire in found.wires if wire != "unknown"]
    wire = f"The wire, by the recorded evidence: {'; '.join(wires)}." if wires else "No wire is proven."
    played = " The GPUs are emulated: times mean nothing." if found.emulation else ""
    question = "Is it real: which wire, and were the bytes checked?"
    return Answer("answer-real", question, f"{bytes_told} {wire}{played}", "transfer")


def _bytes_are_right(moved: Sequence[PointSummary]) -> str:
    wrong = [
        one for one in moved if (one.launches and not one.verified) or any(i.code == "wrong-bytes" for i in one.issues)
    ]
    checked = sum(one.verified_bytes for one in moved if one.launches)
    if wrong:
        return f"No: {_of(wrong, moved)} left wrong bytes."
    if not checked:
        return "No: no transfer was completed and checked."
    lost = [one for one in moved if one.failed]
    but = f"; {_of(lost, moved)} failed in at least one launch" if lost else ""
    real = "The bytes are" if any(one.emulated for one in moved) else "Yes"
    return f"{real}: after the transfers {format_bytes(checked)} were compared and every byte was right{but}."


def _wire(moved: Sequence[PointSummary]) -> str:
    carried = [one for one in moved if one.launches and one.point.transport != CEILING]
    known = sorted({wire for one in carried for wire in one.wires if wire != "unknown"})
    unknown = [one for one in carried if not one.wires or "unknown" in one.wires]
    if not known:
        return "No wire is proven."
    proof = f" For {_of(unknown, carried)} the wire is not proven." if unknown else ""
    return f"The wire, by the recorded evidence: {'; '.join(known)}.{proof}"


def _limit(decided: Sequence[Choice]) -> Answer | None:
    """Tell the ceiling that applies, and what `copy` makes of the same bytes: both were measured, neither is a law."""
    told = [sentence for choice in decided if (sentence := _near(choice))]
    if not told:
        return None
    first, *more = told
    section = "ceilings" if any(choice.contenders[0].slowest.limit for choice in decided) else "throughput"
    return Answer("answer-limit", "What is the limit?", f"{first[:1].upper()}{first[1:]}", section, _some(more))


def _near(choice: Choice) -> str:
    one, name = choice.contenders[0].slowest, choice.contenders[0].name
    parts = []
    if one.limit:
        parts.append(
            f"{one.limit.name} reaches {format_rate(one.limit.gb_per_s)}, of which {name} has {share(one.limit.fraction)}"
        )
    if one.ceiling_share and one.throughput and share(one.ceiling_share) != NONE:
        reached = format_rate(one.throughput.median / one.ceiling_share)
        parts.append(
            f"{_ceiling(one)} reaches {reached} with the same bytes in the same pieces, of which {name} has {share(one.ceiling_share)}"
        )
    return f"{choice.op}: {'; '.join(parts)}." if parts else ""


def _ceiling(one: PointSummary) -> str:
    hosts = {one.point.source, one.point.destination} == {HOST}
    return "a plain copy between the two processes" if hosts else "the driver's own copy"


def _broken(found: Matrix | None) -> Answer | None:
    if found is None:
        return None
    transports = any(row.id.startswith("XFER-") for row in found.rows)
    asked = (
        "promises are broken, and by which transfer"
        if transports
        else "documented settings are broken, and by which input"
    )
    question = f"Which {asked}?"
    told = list(_breaches(found))
    if not told:
        tested = f"{len(found.rows)} requirements, {len(found.implementations)} implementations"
        return Answer("answer-broken", question, f"None of those tested ({tested}).", "conformance")
    counted = "; ".join(
        f"{len(names)} of {len(found.implementations)} implementations {what}"
        for names, what in _who_breaks(told)
        if names
    )
    first, *more = [line for _, _, line in told]
    return Answer("answer-broken", question, f"{counted}. {first}", "conformance", _some(more))


def _who_breaks(told: Sequence[tuple[str, str, str]]) -> Iterator[tuple[set[str], str]]:
    musts = {name for verdict, name, _ in told if verdict == "fail"}
    yield musts, "break a MUST"
    yield {name for _, name, _ in told} - musts, "break a SHOULD and no MUST" if musts else "break a SHOULD"


def _breaches(found: Matrix) -> Iterator[tuple[str, str, str]]:
    """Yield (verdict, implementation, sentence); those that break a MUST come first, each implementation's first before any second."""
    columns = [
        [(row, cell) for row in found.rows if (cell := row.cells[column]) is not None and cell.verdict in _BROKEN]
        for column in range(len(found.implementations))
    ]
    entries = [
        (cell.verdict, place, name, row, cell)
        for name, cells in zip(found.implementations, columns, strict=True)
        for place, (row, cell) in enumerate(sorted(cells, key=lambda entry: list(_BROKEN).index(entry[1].verdict)))
    ]
    for verdict, _, name, row, cell in sorted(entries, key=lambda e: (list(_BROKEN).index(e[0]), e[1], e[2])):
        yield verdict, name, _breach(name, row, cell)


def _breach(name: str, row: Row, cell: Cell) -> str:
    foreseen = ", as expected" if cell.expected else ""
    return f"{name} {_BROKEN[cell.verdict]} in {row.id}{foreseen} with {_input(cell.example)}: {cell.what}."


def _input(example: str) -> str:
    """Return the smallest input in a shell's words: `DYN_KVBM_NIXL_BACKEND_UCX=y`, and the engine's configuration if it matters."""
    try:
        value = json.loads(example)
    except ValueError:
        return "an input that is not recorded"
    if not isinstance(value, dict):
        return _cut(example)
    if moved := _moved(value):
        return moved
    environment = value.get("environment")
    set_to = [f"{name}={given}" for name, given in environment.items()] if isinstance(environment, dict) else []
    config = value.get("config")
    parts = [*set_to, *([json.dumps(config)] if config else [])]
    return _cut(" ".join(parts)) if parts else "nothing set"


def _moved(value: Mapping[str, object]) -> str:
    """Return a case of a transport in words; empty for what is none."""
    steps, rows, fault = value.get("steps"), value.get("rows"), value.get("fault")
    if isinstance(steps, list):
        return f"a sequence of {len(steps)} calls"
    if not isinstance(rows, list):
        return ""
    size = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    way = "READ" if value.get("way") == "in" else "WRITE"
    where = f", and a fault: {_cut(' '.join(map(str, fault)))}" if isinstance(fault, list) else ""
    return f"a {way} of {size}{where}"


def _cut(text: str) -> str:
    shown = plain(text, _SHOWN_INPUT).replace("\n", "\\n")
    return shown if shown else "nothing set"


def _set(advised: Advice | None) -> Answer | None:
    if advised is None:
        return None
    code = tuple(part for part in (advised.exports, advised.engine) if part)
    return Answer("answer-set", "What to set?", advised.sentence, "set", code=code)


def _reproduce(data: ReportData) -> Answer | None:
    if not data.command:
        return None
    fixed = "the order and the bytes" if data.swept or not data.transfer else "which blocks each request has"
    seed = f"With seed {data.seed}, which fixes {fixed}:" if data.seed else "With the command of this run:"
    return Answer("answer-reproduce", "How do I reproduce this?", seed, "reproduce", code=(data.command,))


def embedded(found: Sequence[Answer]) -> Mapping[str, str]:
    """Return id -> answer, for the page's JSON."""
    return {one.id: "\n".join((one.sentence, *one.code)) for one in found}


def _some(lines: Sequence[str]) -> tuple[str, ...]:
    left = len(lines) - MOST_MORE
    return (*lines[:MOST_MORE], *([f"and {left} more"] if left > 0 else []))


def _of(some: Sequence[PointSummary], every: Sequence[PointSummary]) -> str:
    return f"{len(some)} point{'s' if len(some) > 1 else ''} of {len(every)}"
