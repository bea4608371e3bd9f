"""What a result of another tool is in our words: push or pull, host or device, how many bytes a request; or why it is nothing of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from perf.outside.result import OutsideResult
    from perf.record import Point

_MEMORY = {"": "host", "host": "host", "dram": "host", "vram": "cuda", "cuda": "cuda"}
# nixlbench by its name of the op, ucx_perftest by the name of the test or by the words in its box
_OPS: dict[str, Literal["push", "pull"]] = {"write": "push", "read": "pull"}
_PULLS, _PUSHES = ("get",), ("put", "tag", "am", "active", "stream")


@dataclass(frozen=True)
class Asked:
    """One request of another tool."""

    op: Literal["push", "pull"]
    source: str  # kind of memory: "host", "cuda"
    destination: str
    block_bytes: int
    batch: int

    @property
    def nbytes(self) -> int:
        """Of a request."""
        return self.block_bytes * self.batch


def asked(result: OutsideResult) -> Asked | str:
    """Return what a result is about, or in words why it cannot stand beside a throughput of ours."""
    op = _op(result.op)
    memory = [_MEMORY.get(told.lower()) for told in (result.source_memory, result.destination_memory)]
    if not result.block_bytes or result.batch is None:
        return "its size is not told"
    if op is None:
        return "whether it pushes or pulls is not told" if not result.op else f"{result.op} is no push and no pull"
    if _latency(result.op):
        return "a latency test: one message at a time, there and back"
    if None in memory:
        return f"memory that is not known: {result.source_memory}, {result.destination_memory}"
    initiator, target = (kind or "" for kind in memory)
    source, destination = (initiator, target) if op == "push" else (target, initiator)
    return Asked(op, source, destination, result.block_bytes, result.batch)


def related(point: Point, result: OutsideResult) -> bool:
    """Tell whether a point of ours went through the engine of a result: UCX by itself, or under NIXL."""
    return point.transport == result.transport or (result.transport == "ucx" and point.transport == "nixl:UCX")


def _op(name: str) -> Literal["push", "pull"] | None:
    words = name.lower().replace("_", " ").split()
    if name in _OPS:
        return _OPS[name]
    if any(word in words for word in _PULLS):
        return "pull"
    return "push" if any(word in words for word in _PUSHES) else None


def _latency(name: str) -> bool:
    return name.lower().endswith(("_lat", "latency")) and "get" not in name.lower()
