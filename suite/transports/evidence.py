"""Which wire really carried the bytes, read from UCX's own protocol tables.

UCX prints them with `UCX_PROTO_INFO=used` (to `UCX_LOG_FILE`) when a context is
destroyed: for each operation, which protocol and lanes served which sizes, and
how often. Everything else UCX can be asked names candidates, not use. Counts
are descriptors or fragments, never bytes.

Two layouts, both observed. Until 1.21 context and operation share a line, and
count and range share a cell; from 1.22 each line is one thing and a header
names the columns. Source: openucx/ucx `src/ucp/proto/proto_debug.c`.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar

from suite.errors import KvgaugeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_T = TypeVar("_T")
Operation = Literal["put", "get", "tag_send", "am_send", "stream_send", "rendezvous_send", "rendezvous_fetch"]
OPERATIONS: Mapping[Operation, str] = MappingProxyType(
    {
        "put": "ucp_put*",  # NIXL WRITE
        "get": "ucp_get*",  # NIXL READ
        "tag_send": "ucp_tag_send*",
        "am_send": "ucp_am_send*",  # NIXL notifications: never the data
        "stream_send": "ucp_stream_send*",
        "rendezvous_send": "rendezvous data send",
        "rendezvous_fetch": "rendezvous data fetch",
    }
)
UNKNOWN = "unknown"
SOURCE = "UCX protocol tables"
CONTEXT_BYTES = 31  # UCX keeps that much of an agent's name (UCP_ENTITY_NAME_MAX less the final NUL)
MAX_TEXT = 64 << 20  # characters of a log that are read at all

_MAX_LINE = 1024
_MAX_CONFIG = 127  # UCP_PROTO_CONFIG_STR_MAX less the final NUL; UCX cuts a longer list of lanes without a sign

_LINE = re.compile(r"\[\d+\.\d+\] \[(?P<thread>[^\]]{1,300})\]\s*(?P<body>.*)", re.ASCII)
_OPENING = re.compile(
    r"\|(?:(?P<context>.*) )? ?(?P<reach>self|intra-node|inter-node) (?P<config>cfg#\d{1,9}) *\|(?P<operation>.*\|)?",
    re.ASCII,
)
_FOREIGN = ("Available Transports and Devices", "Endpoint Config #")  # UCX_PRINT_TRANSPORT_TABLES
_HEADERS = (
    ["Count", "Range", "Description", "Config"],
    ["Range", "Description", "Config"],
)  # without Count: candidates
_LEGACY_COLUMNS = 3
_COUNT_RANGE = re.compile(r"(?:(?P<count>\d{1,20})\s+)?(?P<range>\S+)", re.ASCII)
_RANGE = re.compile(r"(\d{1,20}[KMGTPE]?)(?:\.\.(inf|\d{1,20}[KMGTPE]?))?", re.ASCII)
_PRINTABLE = re.compile(r"[ -~]+")
_SHARED = re.compile(r"([\w-]+/[!-~]+) (?=\d{1,3}% on)", re.ASCII)
_LANE = re.compile(r"(?:(?P<percent>\d{1,3})% on ?)?(?P<place>[!-~]*)", re.ASCII)
_PLACE = re.compile(r"(?P<transport>[\w-]+)/(?P<device>[!-~]+)", re.ASCII)


class EvidenceError(KvgaugeError):
    """A protocol table that this parser does not understand; guessing would name a wrong wire."""


@dataclass(frozen=True)
class Lane:
    """One lane of a row: `percent` is the share that UCX plans; a small message takes one lane only."""

    transport: str
    device: str  # with its path where a port has several: mlx5_0:1/path0
    percent: float

    def __str__(self) -> str:
        share = "" if self.percent == 100 else f" {self.percent:g}%"  # noqa: PLR2004  all of it
        return f"{self.transport}/{self.device}{share}"


@dataclass(frozen=True)
class Row:
    """One protocol: message sizes `low`..`high` bytes, both included; `high` None is no limit."""

    count: int | None  # None: UCX does not count here (a fast path, or a table of candidates)
    low: int
    high: int | None
    description: str
    lanes: tuple[Lane, ...]
    estimated: bool  # "(?)": UCX has no performance model of it

    def covers(self, sizes: tuple[int, int] | None) -> bool:
        """Return whether any size in `sizes` (smallest, largest) falls into this row."""
        return sizes is None or (self.low <= sizes[1] and (self.high is None or sizes[0] <= self.high))


@dataclass(frozen=True)
class Table:
    """One operation over one kind of endpoint of a context."""

    context: str  # NIXL: the agent's name, cut to CONTEXT_BYTES
    reach: str  # self, intra-node, inter-node
    config: str
    operation: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class WireEvidence:
    """What carried one context's operation; `wire` is "unknown" with a `reason` where nothing proves it."""

    wire: str  # "cma", "tcp", "sysv + cma"
    source: str = ""  # who says so
    operation: str = ""  # in the words of the source
    detail: str = ""  # "zero-copy over tcp/lo 52% + tcp/eth0 48%"
    reach: str = ""
    count: int = 0  # descriptors or fragments, by protocol; over several rails one per rail; never bytes
    emulated: bool = False  # UCX's "software emulation": messages and the target's CPU instead of one-sided access
    lanes: tuple[Lane, ...] = ()
    reason: str = ""


def unknown(reason: str) -> WireEvidence:
    """Return the evidence that there is none."""
    return WireEvidence(UNKNOWN, reason=reason)


def parse_tables(text: str) -> list[Table]:
    """Return the protocol tables in `text`, in the order they end; log lines of other kinds are skipped.

    Raises `EvidenceError` for a table of unknown shape and for one that is cut off.
    """
    if len(text) > MAX_TEXT:
        raise EvidenceError(
            "evidence-too-long", f"more than {MAX_TEXT >> 20} MiB of UCX log", "lower UCX_LOG_LEVEL to warn"
        )
    readers: dict[str, _Reader] = {}  # per host, process and thread: several may write into one stream
    tables: list[Table] = []
    for line in io.StringIO(text):
        match = _LINE.match(line)
        if match is not None:
            tables += readers.setdefault(match["thread"], _Reader()).feed(match["body"].rstrip())
    for reader in readers.values():
        reader.finish()
    return tables


def wire_used(
    tables: Iterable[Table], *, context: str, operation: Operation, sizes: tuple[int, int] | None = None
) -> WireEvidence:
    """Return what carried `operation` for the agent (or UCX context) `context`.

    `sizes` are the smallest and the largest bytes of one descriptor; without
    them every counted row is evidence. One-sided operations are printed by the
    initiator only.
    """
    name, what = context_name(context), OPERATIONS[operation]
    own = [table for table in tables if table.context == name]
    matching = [table for table in own if what in table.operation]
    counted = [(table, row) for table in matching for row in table.rows if row.count and row.lanes]
    used = [(table, row) for table, row in counted if row.covers(sizes)]
    if not used:
        return unknown(_why_unknown(name, what, own, matching, counted=bool(counted)))
    lanes = _unique(lane for _, row in used for lane in row.lanes)
    return WireEvidence(
        wire=" + ".join(_unique(lane.transport for lane in lanes)),
        source=SOURCE,
        operation="; ".join(_unique(table.operation for table, _ in used)),
        detail="; ".join(_unique(_describe(row) for _, row in used)),
        reach=" + ".join(_unique(table.reach for table, _ in used)),
        count=sum(row.count or 0 for _, row in used),
        emulated=any("software emulation" in row.description for _, row in used),
        lanes=lanes,
    )


def context_name(agent: str) -> str:
    """Return the name that UCX prints for a NIXL agent: its first 31 bytes. Keep names shorter and on one line."""
    return agent.encode("utf-8", "replace")[:CONTEXT_BYTES].decode("utf-8", "replace").strip()


@dataclass
class _Draft:
    """A table whose closing border has not come yet."""

    context: str
    reach: str
    config: str
    operation: str | None  # None until its line comes
    columns: int | None  # cells of a row; None until the header comes
    rows: list[Row] = field(default_factory=list)

    def table(self) -> Table:
        return Table(self.context, self.reach, self.config, self.operation or "", tuple(self.rows))


class _Reader:
    """The lines of one thread: at most one table is open at a time."""

    def __init__(self) -> None:
        self.draft: _Draft | None = None
        self.foreign = False  # inside a table of another kind that UCX is known to print

    def feed(self, body: str) -> tuple[Table, ...]:
        """Take the next line; return the table that it closes, if any."""
        if not body.startswith(("|", "+")):
            self.foreign = False
            return ()
        if len(body) > _MAX_LINE or not body.endswith(("|", "+")):
            _refuse(body, "cut off or too long")
        if body.startswith("|"):
            self._cells([cell.strip() for cell in body[1:-1].split(" | ")], body)
        elif self.draft is not None and self.draft.rows:
            closed, self.draft = self.draft, None
            return (closed.table(),)
        return ()

    def finish(self) -> None:
        """Refuse a table that the end of the text cuts off: its missing rows could name another wire."""
        if self.draft is not None:
            _refuse(f"{self.draft.context} {self.draft.reach} {self.draft.config}", "the table has no end")

    def _cells(self, cells: list[str], body: str) -> None:
        if opened := _open(body):
            if self.draft is not None:
                _refuse(body, "the table before it has no end")
            self.draft, self.foreign = opened, False
        elif self.draft is None:
            self.foreign = self.foreign or cells[0].startswith(_FOREIGN)
            if not self.foreign:
                _refuse(body, "no protocol table is open")
        elif self.draft.operation is None and len(cells) == 1:
            self.draft.operation = _text(cells[0], body)
        elif self.draft.columns is None and cells in _HEADERS:
            self.draft.columns = len(cells)
        elif self.draft.columns == len(cells):
            self.draft.rows.append(_row(cells, body))
        else:
            _refuse(body, f"a row of {len(cells)} cells is not expected here")


def _open(body: str) -> _Draft | None:
    """Return the table that this line opens; the name is free text and may itself hold a bar."""
    match = _OPENING.fullmatch(body)
    if match is None:
        return None
    operation = match["operation"]
    name = (match["context"] or "").strip()
    if operation is None:
        return _Draft(name, match["reach"], match["config"], None, None)
    return _Draft(name, match["reach"], match["config"], _text(operation[:-1].strip(), body), _LEGACY_COLUMNS)


def _row(cells: list[str], body: str) -> Row:
    """Read `[count,] range, description, lanes`; until 1.21 count and range share the first cell."""
    first = _COUNT_RANGE.fullmatch(" ".join(cells[:-2]))
    span = _RANGE.fullmatch(first["range"]) if first else None
    if first is None or span is None:
        _refuse(body, "no count and range")
    low = _size(span[1])
    high = low if span[2] is None else None if span[2] == "inf" else _size(span[2])
    if high is not None and high < low:
        _refuse(body, "the range is upside down")
    description = _text(cells[-2], body)
    return Row(
        count=None if first["count"] is None else int(first["count"]),
        low=low,
        high=high,
        description=description.removeprefix("(?) "),
        lanes=_lanes(cells[-1], body),
        estimated=description.startswith("(?) "),
    )


def _lanes(config: str, body: str) -> tuple[Lane, ...]:
    """Read `tcp/lo`, `52% on tcp/lo and 48% on tcp/eth0`, or `rc/mlx5_0:1 50% on path0 and 50% on path1`."""
    if not config:
        return ()
    shared = _SHARED.match(config)
    parts = re.split(r", and | and |, ", config[shared.end() :] if shared else config)
    if len(config) >= _MAX_CONFIG and len(parts) > 1:
        parts.pop()  # the last lane may be cut
    return tuple(_lane(part, shared[1] if shared else "", body) for part in parts)


def _lane(part: str, resource: str, body: str) -> Lane:
    share = _LANE.fullmatch(part)
    place = _PLACE.fullmatch("/".join(filter(None, (resource, share["place"])))) if share else None
    if share is None or place is None:
        _refuse(body, "unknown lanes")
    return Lane(place["transport"], place["device"], int(share["percent"] or 100))


def _size(text: str) -> int:
    """Return the bytes of UCX's `8K`: powers of 1024, printed only where exact."""
    digits = text.rstrip("KMGTPE")
    return int(digits) << 10 * (" KMGTPE".index(text[len(digits) :] or " "))


def _text(cell: str, body: str) -> str:
    if not _PRINTABLE.fullmatch(cell):
        _refuse(body, "empty or not printable")
    return cell


def _refuse(body: str, why: str) -> NoReturn:
    raise EvidenceError(
        "evidence-shape",
        f"UCX protocol table not understood, {why}: {body[:200]!a}",  # !a: a log must not steer a terminal
        "the wire cannot be named from this log; please report the line and the UCX version",
    )


def _describe(row: Row) -> str:
    return f"{row.description} over {' + '.join(map(str, row.lanes))}"


def _why_unknown(name: str, what: str, own: Sequence[Table], matching: Sequence[Table], *, counted: bool) -> str:
    """Return the first link of the chain that is missing."""
    if not own:
        return f"UCX printed no table for {name!a}"
    if not matching:
        return f"UCX printed no table of {what} for {name!a}"
    if not counted:
        return f"UCX counted no {what}: fast paths are not counted, candidates never"
    return f"UCX counted {what} only at sizes that were not moved"


def _unique(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))
