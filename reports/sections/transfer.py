"""A run of `kvgauge transfer`: requests, phases, wire against logical bytes. Nothing is drawn here.

Whatever status or op a record has is shown; times are those fields of it that end in
`_ns`, and other fields that nobody here knows stand in the request's remark.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from perf.words import NONE
from reports.sections.transfer_ops import BATCH, EACH, ONCE, count, entries, mapping, ops_of, text, times_of
from reports.sections.transfer_words import KNOWN, UNTOLD, extras, meaning, sentences, troubles
from reports.wording import ranged
from suite.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reports.sections.transfer_ops import Op, Phase
    from reports.sections.transfer_words import Trouble
    from suite.transfer.record import RequestRecord

MOST_LINES = 200  # requests that are told one by one
MOST_TROUBLES = 50
MOST_OPS, MOST_PHASES = 8, 8  # as many as there are colours
EMULATED = (
    "Every request was moved on emulated GPUs: a CUDA driver played on host memory. Which bytes arrived, and by which"
    " wire, is true; times mean nothing there, so none is shown."
)
_REMARK = 300  # characters


@dataclass(frozen=True)
class Row:
    """One quantity of the table: a cell for each op."""

    name: str
    cells: tuple[str, ...]
    about: str = ""


@dataclass(frozen=True)
class Line:
    """One request of one op."""

    op: str
    request: int
    batch: int
    status: str
    ranks: str
    pairs: int
    descriptors: str
    wire_bytes: str
    times: tuple[str, ...]  # one for each of `Transfer.timed`
    wire: str
    remark: str


@dataclass(frozen=True)
class Weight:
    """What one request put on the wire, in bytes: the KV cache, what fills its blocks, and further copies."""

    label: str
    logical: float
    padding: float
    copies: float


@dataclass(frozen=True)
class Took:
    """One bar of the figure of phases: what is paid by a rank, a request or a batch of one op."""

    label: str
    phases: tuple[Phase, ...]

    @property
    def total_ns(self) -> float:
        """The length of the bar."""
        return sum(phase.took_ns.median for phase in self.phases)


@dataclass(frozen=True)
class Transfer:
    """All that is shown of a run of transfers."""

    sentences: tuple[str, ...]  # the verdict first
    about: tuple[tuple[str, str], ...]  # what was asked for: name, value
    ops: tuple[Op, ...]
    rows: tuple[Row, ...]
    statuses: tuple[tuple[str, str], ...]  # those that occur, and what they mean
    weights: tuple[Weight, ...]
    took: tuple[Took, ...]
    phases: tuple[str, ...]  # in the order in which they happen
    troubles: tuple[Trouble, ...]
    more_troubles: int
    timed: tuple[str, ...]  # phases of single requests
    lines: tuple[Line, ...]
    left_out: int
    emulation: str  # what that means; empty without
    records: tuple[RequestRecord, ...]

    @property
    def wires(self) -> tuple[str, ...]:
        """Every wire that carried bytes, once."""
        return tuple(sorted({wire.wire for op in self.ops for wire in op.wires}))

    def phase(self, op: Op, name: str) -> str:
        """Return how long a phase of an op took."""
        found = next((phase.took_ns for phase in op.phases if phase.name == name), None)
        return str(ranged(found)) if found else NONE

    def scope(self, name: str) -> str:
        """Return of what a phase is."""
        return next(phase.scope for op in self.ops for phase in op.phases if phase.name == name)


def transfer(manifest: Mapping[str, object], records: Sequence[RequestRecord]) -> Transfer:
    """Return what a report shows of a run's manifest and its `requests.jsonl`."""
    ops = ops_of(manifest, records)[:MOST_OPS]
    found = troubles(ops)
    timed = [] if any(op.emulated for op in ops) else list(dict.fromkeys(p.name for op in ops for p in op.phases))
    phases = tuple(timed[:MOST_PHASES])
    several = len({record.transport for record in records}) > 1
    single = tuple(name for name in phases if any(p.name == name and p.scope == EACH for op in ops for p in op.phases))
    return Transfer(
        sentences=sentences(ops, found, complete=manifest.get("complete") is True),
        about=tuple(_about(manifest)),
        ops=ops,
        rows=tuple(_rows(ops)),
        statuses=tuple(_meanings(ops)),
        weights=tuple(_weights(ops)),
        took=tuple(_took(ops)),
        phases=phases,
        troubles=found[:MOST_TROUBLES],
        more_troubles=max(0, len(found) - MOST_TROUBLES),
        timed=single,
        lines=tuple(_line(record, single, several=several) for record in islice(records, MOST_LINES)),
        left_out=max(0, len(records) - MOST_LINES),
        emulation=EMULATED if any(op.emulated for op in ops) else "",
        records=tuple(records),
    )


def _about(manifest: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    spec = mapping(manifest.get("spec"))
    task = mapping(spec.get("transfer"))
    model = mapping(task.get("model"))
    layers, tokens, cached = (
        count(of.get(name)) for of, name in ((model, "layers"), (task, "tokens"), (task, "cached"))
    )
    if text(model.get("name")):
        yield "Model", f"{text(model.get('name'))}{f', {layers} layers' if layers else ''}"
    if tokens:
        yield "Prompt", f"{tokens} tokens{f', {cached} of them cached at decode' if cached else ''}"
    for side in ("prefill", "decode"):
        if task.get(side):
            yield side.capitalize(), _side(mapping(task.get(side)))
    requests, batch = count(task.get("requests")), count(spec.get("batch"))
    if requests:
        yield (
            "Requests of each op",
            f"{requests}{f', {batch} in memory at a time' if batch and batch < requests else ''}",
        )
    yield from _serving(mapping(spec.get("serving")))
    methods = [spec, *map(mapping, entries(spec.get("then")))]
    if transports := [name for one in methods if (name := text(one.get("transport")))]:
        yield "Transport", ", then ".join(transports)
    if gpus := count(spec.get("emulated_gpus")):
        yield "Emulated GPUs", f"{gpus}"


def _serving(told: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Tell how two servers had requests in flight; nothing where they moved one at a time."""
    in_flight, layers, pace = (count(told.get(name)) for name in ("in_flight", "layers_each", "pace_ns"))
    if in_flight:
        yield "In flight", f"{in_flight} at a time, by two servers"
    if layers:
        yield "Layers posted together", f"{layers}"
    if pace:
        yield "Pace of the made-up prefill", format_ns(pace)


def _side(told: Mapping[str, object]) -> str:
    parallel = mapping(told.get("parallel"))
    counts = {name: count(parallel.get(name)) for name in ("tp", "pp", "dp", "cp")}
    ranks = ", ".join(f"{name}={value}" for name, value in counts.items() if value and (value > 1 or name == "tp"))
    block, order = count(told.get("tokens_per_block")), text(told.get("order"))
    return ", ".join(filter(None, [ranks, f"blocks of {block} tokens" if block else "", order]))


def _rows(ops: Sequence[Op]) -> Iterator[Row]:
    if not ops:
        return
    yield Row("Requests", tuple(_statuses(op) for op in ops))
    yield Row("Pairs of ranks", _cells(ops, "pairs", str), "that talk for one request")
    yield Row("Descriptors planned", _cells(ops, "descriptors", str), "of one request")
    yield Row(
        "Descriptors posted", _cells(ops, "posted_descriptors", str), "fewer where neighbours were merged or packed"
    )
    if any(op.totals["pieces"] for op in ops):
        yield Row(
            "Posts of all ranks",
            _cells(ops, "pieces", str),
            "for one request: a pair of ranks, or its stretch of layers",
        )
    yield Row("Logical bytes", _cells(ops, "logical_bytes", format_bytes), "the KV cache of one request")
    yield Row("Padded bytes", _cells(ops, "padded_bytes", format_bytes), "its whole blocks")
    yield Row("Wire bytes", _cells(ops, "wire_bytes", format_bytes), "all descriptors of one request")
    yield Row("Wire for each logical byte", tuple(_factor(op) for op in ops))
    yield Row(
        "Bytes compared",
        tuple(format_bytes(op.checked_bytes) if op.checked_bytes else NONE for op in ops),
        "of all ranks, unused memory too",
    )
    yield Row("Wire", tuple("; ".join(_of_ranks(wire.wire, wire.ranks) for wire in op.wires) or NONE for op in ops))
    yield Row(
        "Says who",
        tuple("; ".join(dict.fromkeys(w.source or w.reason or "nobody" for w in op.wires)) or NONE for op in ops),
    )


def _meanings(ops: Sequence[Op]) -> Iterator[tuple[str, str]]:
    for status in dict.fromkeys(status for op in ops for status in op.statuses):
        yield status, meaning(status)[1]
    if any(op.missing for op in ops):
        yield UNTOLD, "Asked for, but the run ended before a line was written of it."


def _statuses(op: Op) -> str:
    told = [f"{number} {status}" for status, number in op.statuses.items()]
    return ", ".join([*told, *([f"{op.missing} {UNTOLD}"] if op.missing else [])]) or NONE


def _cells(ops: Sequence[Op], field: str, show: Callable[[int], str]) -> tuple[str, ...]:
    return tuple(NONE if field not in op.amounts else _range(*op.amounts[field], show) for op in ops)


def _range(least: int, most: int, show: Callable[[int], str]) -> str:
    return show(least) if show(least) == show(most) else f"{show(least)} to {show(most)}"


def _factor(op: Op) -> str:
    logical, wire = op.totals["logical_bytes"], op.totals["wire_bytes"]
    return f"\N{MULTIPLICATION SIGN} {wire / logical:.3g}" if logical else NONE


def _of_ranks(wire: str, ranks: int) -> str:
    return f"{wire} on {ranks} rank{'s' if ranks > 1 else ''}" if ranks else wire


def _weights(ops: Sequence[Op]) -> Iterator[Weight]:
    """Return one bar for all ops that put the same on the wire; none where the sizes contradict each other."""
    labels: dict[tuple[float, float, float], list[str]] = {}
    for op in ops:
        logical, padded, wire = (op.totals[f"{name}_bytes"] for name in ("logical", "padded", "wire"))
        if op.moved and 0 < logical <= padded <= wire:
            key = logical / op.moved, (padded - logical) / op.moved, (wire - padded) / op.moved
            labels.setdefault(key, []).append(op.name)
    for sizes, names in labels.items():
        yield Weight(", ".join(names), *sizes)


def _took(ops: Sequence[Op]) -> Iterator[Took]:
    for scope in (ONCE, EACH, BATCH):
        for op in ops:
            if phases := tuple(phase for phase in op.phases if phase.scope == scope):
                yield Took(f"{op.name}, {scope}", phases)


def _line(record: RequestRecord, timed: Sequence[str], *, several: bool) -> Line:
    times = times_of(record)
    planned, posted = record.descriptors, record.posted_descriptors
    return Line(
        op=f"{record.op} by {record.transport}" if several else record.op,
        request=record.request,
        batch=record.batch,
        status=record.status,
        ranks=f"{record.prefill_ranks} → {record.decode_ranks}" if record.prefill_ranks else NONE,
        pairs=record.pairs,
        descriptors=f"{planned}" if planned == posted else f"{planned}, posted as {posted}",
        wire_bytes=format_bytes(record.wire_bytes) if record.wire_bytes else NONE,
        times=tuple(format_ns(times[name]) if name in times else NONE for name in timed),
        wire=record.wire or NONE,
        remark=_remark(record)[:_REMARK],
    )


def _remark(record: RequestRecord) -> str:
    failure = record.failure
    reason = [f"{failure.role}, {failure.phase}: {failure.reason}"] if failure else []
    more = [value if name == "reason" else f"{name}: {value}" for name, value in extras(record, KNOWN).items()]
    return "; ".join([*record.findings, *reason, *more])
