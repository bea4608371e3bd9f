"""What each op of `kvgauge transfer` came to, in numbers: of its records, and of what the manifest alone knows.

The manifest is read as a stranger's: what has another type than it should is left
out. On emulated GPUs there are no times at all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.percentiles import Range, ranged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.transfer.record import RequestRecord

GOOD = "good"
ONCE, EACH, BATCH = "each rank, once", "each request", "each batch"
_SCOPES = {"register": ONCE, "metadata": ONCE, "check": BATCH}  # phases that only the manifest knows
_NAMES = {"preparation": "prepare", "transmission": "transfer"}
_ORDER = ("register", "metadata", "queue", "prepare", "transfer", "check")
_LARGEST_NS = 1e18  # thirty years
_MOST = 100  # entries of a list in a manifest


@dataclass(frozen=True)
class Phase:
    """One phase of an op, over what `scope` says; the manifest gives a median alone."""

    name: str
    scope: str
    took_ns: Range


@dataclass(frozen=True)
class Wire:
    """What carried an op's bytes, who says so, or why nobody does, and on how many ranks."""

    wire: str
    source: str
    reason: str
    ranks: int


@dataclass(frozen=True)
class Op:
    """One op: push, pull, ..."""

    name: str
    asked: int | None  # requests; None where the manifest does not say
    statuses: Mapping[str, int]  # the good ones first
    moved: int  # requests that were completed by all ranks
    amounts: Mapping[str, tuple[int, int]]  # least and most of one moved request; empty if none was
    totals: Mapping[str, int]  # over all of them
    phases: tuple[Phase, ...]  # empty on emulated GPUs
    first_ns: int | None  # the first transfer after connecting, where requests moved one at a time
    records: tuple[RequestRecord, ...]
    emulated: bool
    summary: Mapping[str, object]  # what the manifest says of it; empty where the run was stopped before
    checked_bytes: int
    wires: tuple[Wire, ...]

    @property
    def requests(self) -> int:
        """How many requests have a record."""
        return sum(self.statuses.values())

    @property
    def right(self) -> int:
        """How many requests were moved and are right."""
        return self.statuses.get(GOOD, 0)

    @property
    def good(self) -> bool:
        """Whether all that was asked for is recorded and right, unused memory as well."""
        return self.summary.get("good") is True and self.right == self.requests == (self.asked or self.requests)

    @property
    def missing(self) -> int:
        """How many requests were asked for and have no record."""
        return max(0, (self.asked or 0) - self.requests)


def ops_of(manifest: Mapping[str, object], records: Sequence[RequestRecord]) -> tuple[Op, ...]:
    """Return the ops that were asked for, in that order, then what else is recorded; those of each transport apart."""
    spec = mapping(manifest.get("spec"))
    asked = count(mapping(spec.get("transfer")).get("requests"))
    first = text(spec.get("transport")) or next((record.transport for record in records), "")
    wanted = _wanted(spec, first)
    told = {
        (text(one.get("op")), text(one.get("transport")) or first): one
        for one in map(mapping, entries(manifest.get("ops")))
        if text(one.get("op"))
    }
    found: dict[tuple[str, str], list[RequestRecord]] = {key: [] for key in (*wanted, *told)}
    for record in records:
        found.setdefault((record.op, record.transport), []).append(record)
    played, several = bool(count(spec.get("emulated_gpus"))), len({transport for _, transport in found}) > 1
    return tuple(
        _op(
            f"{key[0]} by {key[1]}" if several else key[0],
            asked if key in wanted else None,
            mine,
            told.get(key, {}),
            played=played,
        )
        for key, mine in found.items()
    )


def _wanted(spec: Mapping[str, object], first: str) -> list[tuple[str, str]]:
    """Return each op that was asked for with its transport: of the first method, and of those that follow it."""
    methods = [spec, *map(mapping, entries(spec.get("then")))]
    return [
        (op, text(one.get("transport")) or first) for one in methods for op in map(text, entries(one.get("ops"))) if op
    ]


def times_of(record: RequestRecord) -> dict[str, int]:
    """Return phase -> ns of one request, those that were taken: whatever fields of the record are times."""
    found = {
        _NAMES.get(stem := name.removesuffix("_ns"), stem.replace("_", " ")): value
        for name, value in record
        if name.endswith("_ns")
        and isinstance(value, int)
        and (0 < value < _LARGEST_NS or (name == "queue_ns" and served(record)))
    }
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


def served(record: RequestRecord) -> bool:
    """Return whether two servers moved the request, with others in flight: then not to wait is a time as well."""
    return record.pieces > 0


def mapping(value: object) -> Mapping[str, object]:
    """Return a table of a manifest, empty for what is none."""
    return {str(key): entry for key, entry in value.items()} if isinstance(value, dict) else {}


def entries(value: object) -> list[object]:
    """Return a list of a manifest, no longer than a reader can want it, empty for what is none."""
    return value[:_MOST] if isinstance(value, list) else []


def count(value: object) -> int | None:
    """Return a number of things, None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else None


def text(value: object) -> str:
    """Return a text of a manifest, empty for what is none."""
    return value if isinstance(value, str) else ""


def _op(
    name: str, asked: int | None, records: Sequence[RequestRecord], summary: Mapping[str, object], *, played: bool
) -> Op:
    moved = [record for record in records if record.transmission_ns]
    emulated = played or any(record.emulated for record in records)
    statuses = Counter(record.status for record in records)
    amounts = _amounts(moved)
    return Op(
        name=name,
        asked=asked,
        statuses=dict(sorted(statuses.items(), key=lambda item: (item[0] != GOOD, -item[1], item[0]))),
        moved=len(moved),
        amounts={field: (min(values), max(values)) for field, values in amounts.items() if values},
        totals={field: sum(values) for field, values in amounts.items()},
        phases=() if emulated else tuple(_phases(moved, mapping(summary.get("phases_ns")))),
        first_ns=moved[0].transmission_ns if moved and not emulated and not served(moved[0]) else None,
        records=tuple(records),
        emulated=emulated,
        summary=summary,
        checked_bytes=count(summary.get("checked_bytes")) or 0,
        wires=tuple(_wires(records, summary)),
    )


def _amounts(moved: Sequence[RequestRecord]) -> dict[str, list[int]]:
    return {
        "pairs": [record.pairs for record in moved],
        "descriptors": [record.descriptors for record in moved],
        "posted_descriptors": [record.posted_descriptors for record in moved],
        "logical_bytes": [record.logical_bytes for record in moved],
        "padded_bytes": [record.padded_bytes for record in moved],
        "wire_bytes": [record.wire_bytes for record in moved],
        "pieces": [record.pieces for record in moved],
    }


def _phases(moved: Sequence[RequestRecord], told: Mapping[str, object]) -> list[Phase]:
    """Return the phases in the order in which they happen: those of requests from their records."""
    taken: dict[str, list[float]] = {}
    for record in moved:
        for name, value in times_of(record).items():
            taken.setdefault(name, []).append(float(value))
    found = [Phase(name, EACH, times) for name, values in taken.items() if (times := ranged(values))]
    for name, scope in _SCOPES.items():
        took = told.get(name)
        if isinstance(took, int | float) and not isinstance(took, bool) and 0 < took < _LARGEST_NS:
            found.append(Phase(name, scope, Range(float(took), float(took), float(took), 1)))
    return sorted(found, key=lambda phase: _place(phase.name))


def _place(name: str) -> float:
    """Return when a phase comes: one that is not known yet comes after the transfer."""
    return _ORDER.index(name) if name in _ORDER else _ORDER.index("transfer") + 0.5


def _wires(records: Sequence[RequestRecord], summary: Mapping[str, object]) -> list[Wire]:
    told = [
        Wire(
            text(one.get("wire")) or "unknown",
            text(one.get("source")),
            text(one.get("reason")),
            count(one.get("ranks")) or 0,
        )
        for one in map(mapping, entries(summary.get("wires")))
    ]
    if told:
        return told
    named = sorted({record.wire for record in records if record.wire})
    return [Wire(wire, "", "the manifest does not say who says so", 0) for wire in named]
