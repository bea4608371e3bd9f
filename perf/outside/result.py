"""One figure of another tool in our units, with what it is not. No statistic of ours is made of it."""

from __future__ import annotations

from dataclasses import dataclass

NO_SPREAD = "One mean of one run: no repetition, no interval."
NO_LINE_END = "The file does not end with a line end: its last line may be cut."


@dataclass(frozen=True)
class Timing:
    """A time in ns, and in words which statistic of what it is: "mean", "p50", "amortised over the batch"."""

    ns: float
    statistic: str


@dataclass(frozen=True)
class OutsideResult:
    """One row that a tool printed.

    `source` is the file and line, `gb_per_s` counts 1e9 bytes, `unit_as_printed` is the
    tool's own word for its rate. What the output does not tell is None, or "" for a word.
    """

    tool: str
    source: str
    gb_per_s: float
    unit_as_printed: str
    version: str = ""
    op: str = ""
    pattern: str = ""
    transport: str = ""
    source_memory: str = ""
    destination_memory: str = ""
    block_bytes: int | None = None
    batch: int | None = None  # blocks, so descriptors before any merging, of one request
    initiators: int | None = None  # threads that posted at the same time, of all processes
    count: int | None = None  # iterations behind the figures
    timings: tuple[Timing, ...] = ()
    notes: tuple[str, ...] = ()
    emulated: bool = False  # no tool says so of itself: whoever ran it on an emulator has to
