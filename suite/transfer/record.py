"""`requests.jsonl`: one line for each request and op; strict, because a run may come from anywhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int, Field(ge=0, le=1 << 62)]
_Text = Annotated[str, Field(max_length=4000)]

Op = Literal["push", "pull", "handoff"]
# good: moved, and every byte of both sides is right. unchecked: moved, but a worker was lost before anybody looked.
# wrong: moved to the wrong place. failed: in flight when it ended, or timed out. cancelled: by its user.
# not-run: its turn never came.
Status = Literal["good", "wrong", "unchecked", "failed", "cancelled", "not-run"]


SERVING = "serving"  # a failure's phase where a server says why it gave a request up; its role is then the server's


class Failure(BaseModel):
    """Who ended a request, in which phase, and why."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    role: _Text
    phase: _Text
    reason: _Text
    detail: _Text = ""


class RequestRecord(BaseModel):
    """One request of one op. Times are ns, sizes bytes; a time that was never taken is 0."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    schema_: Literal[1] = Field(1, alias="schema")
    op: Op
    request: _Count
    batch: _Count
    status: Status
    transport: Annotated[str, Field(max_length=100)]
    emulated: bool
    prefill_ranks: _Count = 0  # that send
    decode_ranks: _Count = 0  # that receive
    pairs: _Count = 0
    descriptors: _Count = 0
    posted_descriptors: _Count = 0
    logical_bytes: _Count = 0
    padded_bytes: _Count = 0
    wire_bytes: _Count = 0
    preparation_ns: _Count = 0  # of the slowest rank: plans and prepared transfers
    queue_ns: _Count = 0  # that it waited for blocks, on the side where it waited longest
    pieces: _Count = 0  # posts of all ranks: one for each pair of ranks, or for each and stretch of layers; 0: not told
    transmission_ns: _Count = 0  # from the start to the last rank's completion; of a handoff storing and fetching
    store_ns: _Count = 0  # of a handoff's transmission: what prefill's slowest rank took to store
    findings: list[_Text] = []
    failure: Failure | None = None
    wire: Annotated[str, Field(max_length=200)] = ""  # "cma"; empty until the op has ended

    def as_json(self) -> dict[str, object]:
        """Return the line."""
        return self.model_dump(mode="json", by_alias=True)
