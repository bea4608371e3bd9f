"""A transfer in sentences: what became of the requests, what is wrong and why, what the bytes on the wire are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from reports.sections.transfer_ops import GOOD, entries, mapping, text
from suite.transfer.record import SERVING
from suite.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reports.sections.transfer_ops import Op
    from suite.transfer.record import Failure, RequestRecord

Level = Literal["FAILED", "INVALID", "OPEN"]
_LEVELS: tuple[Level, ...] = ("FAILED", "INVALID", "OPEN")
MEANINGS = {  # status -> what became of such requests, and what that means
    GOOD: ("moved and right", "Moved, and every byte of both sides is as it must be."),
    "wrong": ("moved, but wrong", "Moved, but a byte is not where or what it must be."),
    "unchecked": ("moved, but not compared", "Moved, but a worker was lost before the bytes were compared."),
    "failed": ("failed", "In flight when a rank failed: failed on one rank is failed for all."),
    "timed-out": ("timed out", "Not complete when its time was over."),
    "cancelled": ("cancelled", "Given up because somebody asked for it; its blocks came back."),
    "not-run": ("never begun", "Its turn never came."),
}
_REASONS = {"not-run": "the op had ended before"}  # where a record gives none
_LONGEST = 300  # characters of a reason within the verdict
_SPANS = 20  # of numbers of requests in one line
UNTOLD = "without a record"
_NEVER = "Nothing was moved: no request is recorded."


@dataclass(frozen=True)
class Trouble:
    """What went wrong, with every request that it touches; `detail` is what a lost worker had printed last."""

    level: Level
    sentence: str
    requests: tuple[str, ...]
    detail: str = ""


def meaning(status: str) -> tuple[str, str]:
    """Return what became of requests of a status, and what that means; a status that is not known yet says it itself."""
    return MEANINGS.get(status, (status, "This kvgauge has no explanation of it."))


def sentences(ops: Sequence[Op], found: Sequence[Trouble], *, complete: bool) -> tuple[str, ...]:
    """Return the verdict: what became of the requests first, then what their bytes and times were."""
    rest = [line for op in ops for line in (_bytes(op, ops), _times(op)) if line]
    return (_verdict(ops, found, complete=complete), *dict.fromkeys(rest))


def troubles(ops: Sequence[Op]) -> tuple[Trouble, ...]:
    """Return all that is wrong, the gravest first; the same words about many requests are one trouble."""
    touched: dict[tuple[Level, str, str], dict[str, list[int]]] = {}
    for op in ops:
        for record in op.records:
            for key in _of_record(record):
                touched.setdefault(key, {}).setdefault(op.name, []).append(record.request)
    for op in ops:
        known = {f"{record.op}, {finding}" for record in op.records for finding in record.findings}
        for key in _of_summary(op, known):
            touched.setdefault(key, {})
    told = [
        Trouble(*key[:2], tuple(f"{name}: {_numbers(numbers)}" for name, numbers in by_op.items()), key[2])
        for key, by_op in touched.items()
    ]
    return tuple(sorted(told, key=lambda one: _LEVELS.index(one.level)))


def extras(record: RequestRecord, known: Iterable[str]) -> dict[str, str]:
    """Return the fields of a record that nobody here knows and that say something: name -> value."""
    found = record.model_dump(mode="json", exclude=set(known), exclude_defaults=True)
    return {name.replace("_", " "): str(value) for name, value in found.items() if not name.endswith("_ns")}


def _of_record(record: RequestRecord) -> Iterator[tuple[Level, str, str]]:
    for finding in dict.fromkeys(record.findings):
        yield "INVALID", finding, ""
    if record.failure and record.status == "cancelled":
        yield "FAILED", f"Cancelled: {record.failure.reason}", record.failure.detail
    elif record.failure:
        yield "FAILED", _failed(record.failure), record.failure.detail
    elif record.status != GOOD and not record.findings:
        reason = extras(record, KNOWN).get("reason") or _REASONS.get(record.status, "no reason is recorded")
        yield "FAILED", f"{meaning(record.status)[0].capitalize()}: {reason}", ""


def _of_summary(op: Op, known: set[str]) -> Iterator[tuple[Level, str, str]]:
    failure = mapping(op.summary.get("failure"))
    if failure:
        role, phase, reason, detail = (text(failure.get(name)) for name in ("role", "phase", "reason", "detail"))
        yield "FAILED", _ended(role, phase, reason), detail
    for finding in entries(op.summary.get("findings")):
        if isinstance(finding, str) and finding not in known:
            yield "INVALID", finding, ""
    for rank in filter(None, map(text, entries(op.summary.get("lost")))):
        yield "OPEN", f"{op.name}: {rank}; its server was started again", ""
    counted = mapping(op.summary.get("requests"))
    if op.summary and dict(counted) != dict(op.statuses):
        listed = ", ".join(f"{number} {status}" for status, number in list(counted.items())[:_SPANS]) or "none"
        yield "OPEN", f"{op.name}: manifest.json counts {listed}; requests.jsonl has {_counted(op.statuses)}", ""


def _failed(failure: Failure) -> str:
    return _ended(failure.role, failure.phase, failure.reason)


def _ended(role: str, phase: str, reason: str) -> str:
    if phase == SERVING:  # a server says why it gave a request up; it has not failed itself
        return f"{role} gave up: {reason or 'no reason is recorded'}"
    return f"{role or 'a worker'} failed, in the phase {phase or 'that is not recorded'}: {reason or 'no reason is recorded'}"


def _verdict(ops: Sequence[Op], found: Sequence[Trouble], *, complete: bool) -> str:
    requests = sum(op.requests for op in ops)
    if not requests:
        return f"{_NEVER} {_first(found)}".rstrip()
    if all(op.good for op in ops) and complete:
        checked = format_bytes(sum(op.checked_bytes for op in ops))
        return f"{_all(ops)} {'was' if requests == 1 else 'were'} moved, and every byte was compared: {checked}, all right."
    expected = requests + sum(op.missing for op in ops)
    became = [(meaning(status)[0], count) for status, count in _statuses(ops).items()]
    missing = [(UNTOLD, lost)] if (lost := sum(op.missing for op in ops)) else []
    parts = ", ".join(f"{count} {what}" for what, count in (*became, *missing))
    names = _and([op.name for op in ops])
    cut = "" if complete or found else " The run was stopped before it ended."
    stray = (
        " Memory that belongs to no request holds wrong bytes."
        if any(one.level == "INVALID" and not one.requests for one in found)
        else ""
    )
    silent = "" if found or cut or missing else " The run is not good, and does not say why."
    return f"Of {expected} requests of {names}: {parts}.{stray}{cut}{silent} {_first(found)}".rstrip()


def _first(found: Sequence[Trouble]) -> str:
    return f"{found[0].sentence[:1].upper()}{found[0].sentence[1:_LONGEST].rstrip('.')}." if found else ""


def _all(ops: Sequence[Op]) -> str:
    counts = {op.requests for op in ops}
    if counts == {1} and len(ops) == 1:
        return f"The one request of {ops[0].name}"
    if len(counts) == 1:
        of = _and([f"of {op.name}" for op in ops])
        return f"All {counts.pop()} requests {of}"
    return f"All requests ({_and([f'{op.requests} of {op.name}' for op in ops])})"


def _statuses(ops: Sequence[Op]) -> dict[str, int]:
    found: dict[str, int] = {}
    for op in ops:
        for status, number in op.statuses.items():
            found[status] = found.get(status, 0) + number
    return dict(
        sorted(
            found.items(),
            key=lambda item: (item[0] != GOOD, list(MEANINGS).index(item[0]) if item[0] in MEANINGS else len(MEANINGS)),
        )
    )


def _counted(statuses: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {status}" for status, number in statuses.items()) or "none"


def _bytes(op: Op, ops: Sequence[Op]) -> str:
    """Tell once of all ops what the bytes on the wire are, where they are the same."""
    logical, padded, wire = (op.totals[f"{name}_bytes"] for name in ("logical", "padded", "wire"))
    if not logical:
        return ""
    same = len({tuple(sorted(one.amounts.items())) for one in ops if one.moved}) == 1
    who = "" if same else f"{op.name}: "
    factor = f"{wire / logical:.3g}"
    if factor == "1":
        return f"{who}{'o' if who else 'O'}n the wire is the KV cache itself, no byte more."
    why = [
        f"{format_bytes((padded - logical) / op.moved)} fill up blocks" if padded > logical else "",
        f"{format_bytes((wire - padded) / op.moved)} are further copies for other ranks" if wire > padded else "",
    ]
    start = "on" if who else "On"
    return f"{who}{start} the wire are {factor} bytes for each byte of the KV cache: of a request, {_and([part for part in why if part])}."


def _times(op: Op) -> str:
    """Compare the first transfer with the usual one; nothing on emulated GPUs."""
    usual = next((phase.took_ns for phase in op.phases if phase.name == "transfer"), None)
    if usual is None:
        return ""
    first = f"; the first after connecting took {format_ns(op.first_ns)}" if op.first_ns and op.moved > 1 else ""
    return f"{op.name.capitalize()}: a request was moved in {format_ns(usual.median)}{' (median)' if op.moved > 1 else ''}{first}."


def _numbers(numbers: Sequence[int]) -> str:
    """Return `request 3`, or `requests 1 to 4, 9`: numbers in a row as their ends."""
    ordered = sorted(numbers)
    rows = [[number for _, number in row] for _, row in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])]
    told = [f"{row[0]} to {row[-1]}" if len(row) > 1 else f"{row[0]}" for row in rows]
    left = f" and {len(told) - _SPANS} more places" if len(told) > _SPANS else ""
    return f"request{'s' if len(ordered) > 1 else ''} {', '.join(told[:_SPANS])}{left}"


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


KNOWN = frozenset(
    {"schema_", "op", "request", "batch", "status", "transport", "emulated", "prefill_ranks", "decode_ranks", "pairs",
     "descriptors", "posted_descriptors", "logical_bytes", "padded_bytes", "wire_bytes", "pieces", "findings", "failure", "wire"}
)  # fmt: skip
