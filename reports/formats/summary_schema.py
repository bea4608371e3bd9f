"""The schema of a report's JSON, checked against its real output and published as `docs/summary.schema.json`.

Times are ns, sizes bytes, rates GB/s (1e9 bytes per second) of the KV cache's own
bytes. A number that does not exist, or would not be true, is null: emulated points
have no times and no rates.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from perf.ab.schema import Against
from perf.record import Evidence, Issue, Point, Storage
from reports.formats.json_report import SCHEMA

PAGE = "docs/summary.schema.json"
Fraction = Annotated[float, Field(ge=0, description="1 is all of it")]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Interval(_Closed):
    """A median over launches and, where there are enough of them, a distribution-free confidence interval."""

    median: float | None
    low: float | None
    high: float | None
    confidence: float | None = Field(description="what the interval really has: 0.969 for six launches")
    launches: int


class Share(_Closed):
    """How much of a ceiling a point reached."""

    name: str
    gb_per_s: float | None
    fraction: Fraction | None


class Cpu(_Closed):
    """Processor time of one side, over launches: user and system, all threads."""

    seconds_per_gb: Interval = Field(description="for 1e9 bytes of the KV cache; polling costs whatever is moved")
    share: Interval = Field(description="of one processor, in the timed windows; 1 is all of it")


class LeftOut(_Closed):
    """A launch that is in no number."""

    launch: int
    code: str
    why: str


class PointSummary(_Closed):
    """One point over its launches."""

    point: Point
    throughput: Interval | None = Field(description="GB/s until delivered")
    latency_ns: Interval | None = Field(description="of the launches' medians, from post to completion")
    percentiles_ns: dict[str, float] = Field(description="p50, p90, p99, p99.9, as far as there are samples enough")
    max_ns: int | None
    samples: int
    launches: int = Field(description="measured and counted")
    failed: int = Field(description="launches that do not count")
    wires: list[str]
    verified: bool = Field(description="every byte was right in every launch that counts")
    verified_bytes: int
    logical_bytes: int = Field(description="of one sample: the KV cache's own size")
    wire_bytes: int = Field(description="of one sample: what was moved")
    posted_descriptors: int
    working_set_bytes: int
    allocation: str
    emulated: bool
    ceiling_share: Fraction | None = Field(description="of copy, with the same bytes in the same pieces")
    issues: list[Issue]
    storage: Storage | None
    limit: Share | None = Field(description="of the ceiling of its wire, working set and pages")
    evidence: list[Evidence]
    tails_ns: dict[str, Interval] = Field(
        description="p90, p99, p99.9 of a launch, over the launches with samples enough"
    )
    cpu: dict[str, Cpu] = Field(description="of initiator and target; empty on the emulator and in older runs")
    left_out: list[LeftOut]


class Ceiling(_Closed):
    """What the machine does without any protocol, in GB/s."""

    name: str
    pages: str
    working_set_bytes: int
    rate: Interval
    detail: str


class Witness(_Closed):
    """A hot point beside `ucx_perftest`, in GB/s; `ratio` is ours by theirs, paired by launch."""

    point: Point
    ours: Interval
    ours_wires: list[str]
    test: str
    theirs: Interval
    their_wires: list[str]
    same_wire: bool
    ratio: Interval
    version: str
    command: str
    reasons: list[str]


class Cell(_Closed):
    """One requirement on one implementation."""

    verdict: Literal["pass", "fail", "warn", "info", "skip", "error"]
    glyph: str
    expected: bool
    what: str
    example: str = Field(description="the smallest input that shows it, as JSON; empty if nothing is broken")
    reproduce: str = Field(description="a shell line; empty as well")


class Row(_Closed):
    """One requirement; a cell is null where it does not concern the implementation of its column."""

    id: str
    level: str
    sentence: str
    source: str
    cells: list[Cell | None]


class FaultLine(_Closed):
    """One fault in words, a cell for each head; `bad`: a byte was wrong, or the survivor is of no use any more."""

    cells: list[str]
    bad: bool


class Faults(_Closed):
    """What one transport made of faults."""

    implementation: str
    heads: list[str]
    lines: list[FaultLine]


class Conformance(_Closed):
    """The matrix: requirements down, implementations across."""

    implementations: list[str]
    rows: list[Row]
    sentences: list[str]
    faults: list[Faults] = Field(default_factory=list, description="of transports; empty where none were tried")


class Ends(_Closed):
    """The least and the most of the requests that were moved."""

    least: int
    most: int


class Phase(_Closed):
    """How long a phase took, in ns: of each rank once, of each request, or of each batch of them."""

    scope: str
    median: float
    least: float
    most: float
    samples: int = Field(description="1 where only a median is known")


class TransferWire(_Closed):
    """What carried the bytes of an op, who says so or why nobody does, and on how many ranks."""

    wire: str
    source: str
    reason: str
    ranks: int


class TransferOp(_Closed):
    """One op of `kvgauge transfer`; on emulated GPUs without times."""

    op: str
    asked: int | None
    requests: dict[str, int] = Field(description="status -> how many: good, wrong, failed, ...")
    good: bool = Field(description="all that was asked for was moved, and every byte is right")
    moved: int
    of_one_request: dict[str, Ends] = Field(description="pairs, descriptors, logical_bytes, wire_bytes, ...")
    checked_bytes: int
    emulated: bool
    phases_ns: dict[str, Phase]
    first_transfer_ns: int | None
    wires: list[TransferWire]


class Trouble(_Closed):
    """What went wrong, and which requests it touches."""

    level: Literal["FAILED", "INVALID", "OPEN"]
    sentence: str
    requests: list[str]


class Transfer(_Closed):
    """A run of `kvgauge transfer`."""

    verdict: list[str]
    ops: list[TransferOp]
    troubles: list[Trouble]
    more_troubles: int


class Time(_Closed):
    """Where the wall time of a sweep went, over all its sessions."""

    wall_ns: int
    inside_ns: int = Field(description="inside windows and their checks: fill, transfer and check")
    share_inside: Fraction
    windows: int
    parts_ns: dict[str, int] = Field(description="fill, transfer, check, ...; warm_up is of these three, again")


class Timing(_Closed):
    """A time that another tool told, and which statistic of what it is."""

    ns: float
    statistic: str


class Outside(_Closed):
    """One figure of another tool: one mean without spread."""

    tool: str
    source: str = Field(description="file and line")
    gb_per_s: float
    unit_as_printed: str
    version: str
    op: str
    pattern: str
    transport: str
    source_memory: str
    destination_memory: str
    block_bytes: int | None
    batch: int | None
    initiators: int | None
    count: int | None
    timings: list[Timing]
    notes: list[str]
    emulated: bool


class Summary(_Closed):
    """What `kvgauge report --format json` prints, and what a report holds in its element `#summary`."""

    schema_version: Literal[1] = Field(default=SCHEMA, alias="schema")
    kvgauge: str
    run: str
    started_at: str
    complete: bool
    verdict: list[str]
    answers: dict[str, str] = Field(description="answer-faster, answer-real, ...: as far as the data answers them")
    points: list[PointSummary]
    ceilings: list[Ceiling]
    witness: list[Witness]
    conformance: Conformance | None
    transfer: Transfer | None = None
    time: Time | None = None
    beside: list[Outside] = Field(default_factory=list, description="what other tools measured; never compared here")
    ab: Against | None = None


def schema_text() -> str:
    """Return `docs/summary.schema.json`."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Summary.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(schema_text())
