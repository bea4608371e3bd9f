"""Lines of `samples.jsonl` that are no point: what a ceiling reached in one launch, what a witness said, what a command printed.

Strict and closed like `perf.record`: a record file may come from anywhere.
Sizes in bytes, times in microseconds, rates in GB/s (1e9 bytes per second).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from perf.record import Count, Name

Rate = Annotated[float, Field(gt=0)]


class _Aside(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    record_schema: Literal[1] = Field(default=1, alias="schema")
    launch: int = Count
    load_average: float = Field(ge=0)
    started_at: str = Name  # ISO 8601, UTC; when it was over


class CeilingRecord(_Aside):
    """The plain thing under a wire: a memory copy, a TCP connection, a read or write of the volume."""

    kind: Literal["ceiling"] = "ceiling"
    name: str = Name
    gb_per_s: list[Rate] = Field(min_length=1, max_length=1_000)  # one for each repeat
    nbytes: int = Field(gt=0, lt=1 << 63)  # of a repeat, at most
    pages: str = Name  # "huge", "4k"; "direct" for the volume
    working_set_bytes: int = Field(gt=0, lt=1 << 63)  # touched at each side
    detail: str = Field(max_length=2_000)


class WitnessRecord(_Aside):
    """One run of `ucx_perftest` beside a point that moves one hot buffer; without figures it says why in `problem`."""

    kind: Literal["witness"] = "witness"
    test: str = Name  # "ucp_put_bw"
    nbytes: int = Field(gt=0, lt=1 << 63)
    error_handling: bool
    settings: dict[str, str] = Field(default_factory=dict, max_length=64)  # a settings axis: {"UCX_TLS": "tcp"}
    gb_per_s: Rate | None = None
    latency_us: Rate | None = None
    version: str = Field(default="", max_length=200)
    command: str = Field(default="", max_length=20_000)
    detail: str = Field(default="", max_length=2_000)
    wire: str = Field(default="unknown", max_length=200)
    problem: str = Field(default="", max_length=2_000)


class Printed(BaseModel):
    """One row that another tool printed; fields as in `perf.outside.result`, rates in our units."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    tool: str = Name
    op: str = Field(default="", max_length=200)
    pattern: str = Field(default="", max_length=200)
    transport: str = Field(default="", max_length=200)
    source_memory: str = Field(default="", max_length=200)
    destination_memory: str = Field(default="", max_length=200)
    block_bytes: int | None = Field(default=None, ge=0, lt=1 << 63)
    batch: int | None = Field(default=None, ge=0, lt=1 << 63)
    gb_per_s: float = Field(ge=0)
    notes: list[Annotated[str, Field(max_length=2_000)]] = Field(default_factory=list, max_length=100)


class CommandRecord(_Aside):
    """One run of a command of `sweep --ab`; without rows it says why in `problem`."""

    kind: Literal["command"] = "command"
    variant: Literal["A", "B"]
    rows: list[Printed] = Field(default_factory=list, max_length=10_000)  # in the order in which they were printed
    problem: str = Field(default="", max_length=2_000)
