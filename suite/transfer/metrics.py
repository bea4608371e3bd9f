"""`ranks.jsonl`: one line for each request and rank, with the phases that TensorRT-LLM measures.

Its Python runtime times preparation, queue and transfer of a task, its C++ runtime
also what comes before and after a transmission (`perf_logger.py` and
`dataTransceiver.cpp`; `trtllm_csv` reads both). Ours are in ns, one after the other:

- preparation: plans are made and transfers prepared;
- queue: prepared, not posted yet;
- transmission: from the first post to the last completion, as this rank sees them;
- post-processing: what is left to do then: scattering, announcing, releasing.

No two clocks are compared: each rank times itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from suite.run.complaint import checked
from suite.run.lines import read_lines
from suite.units import gb_per_s

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
_Count = Annotated[int, Field(ge=0, le=1 << 62)]
_Role = Annotated[str, StringConstraints(pattern=r"^(prefill|decode)-[0-9]{1,6}$")]


class RankRecord(BaseModel):
    """One rank's part of one request. Times are ns, sizes bytes; a time that was never taken is 0.

    Both ends of a pair have the bytes and descriptors of its plan, so a request's are
    the sum over one side. Only the side that posts has `posted_descriptors`.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    schema_: Literal[1] = Field(1, alias="schema")
    op: Literal["push", "pull", "handoff"]
    request: _Count
    role: _Role  # decode-3
    peers: _Count  # ranks of the other side that it exchanges bytes with
    transport: Annotated[str, Field(max_length=100)]
    emulated: bool
    preparation_ns: _Count = 0
    queue_ns: _Count = 0
    transmission_ns: _Count = 0
    postprocessing_ns: _Count = 0
    wire_bytes: _Count = 0
    descriptors: _Count = 0
    posted_descriptors: _Count = 0

    @property
    def gb_per_s(self) -> float | None:
        """Return wire bytes by transmission time; None on emulated GPUs, and where there was no transmission."""
        if self.emulated or not self.transmission_ns:
            return None
        return gb_per_s(self.wire_bytes, self.transmission_ns)

    def as_json(self) -> dict[str, object]:
        """Return the line."""
        return self.model_dump(mode="json", by_alias=True)


def read_ranks(path: Path) -> tuple[list[RankRecord], list[str]]:
    """Return the records of a `ranks.jsonl`, and notes for the reader, e.g. that a torn last line was dropped.

    A broken line, or one of a newer schema, is a `BadInput` that names the file, the
    line and the key: the rest of a request must not look like all of it.
    """
    notes: list[str] = []
    return [checked(line, source, RankRecord, schema=SCHEMA) for source, line in read_lines(path, notes)], notes
