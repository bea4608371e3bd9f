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


class Conformance(_Closed):
    """The matrix: requirements down, implementations across."""

    implementations: list[str]
    rows: list[Row]
    sentences: list[str]


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
    ab: Against | None = None


def schema_text() -> str:
    """Return `docs/summary.schema.json`."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Summary.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(schema_text())
