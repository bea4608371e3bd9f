"""One line of `samples.jsonl`: a point, measured in one launch.

The models are the schema: strict, closed, checked whenever a record is read,
because a record file may come from anywhere. Times are ns, sizes bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from perf.memory import MEMORY

SCHEMA: Literal[1] = 1
WRONG_BYTES = "wrong bytes"  # the reason of a failure that a check found

Name = Field(max_length=200)
Text = Field(max_length=20_000)
Nanoseconds = Field(ge=0, lt=1 << 63)
Count = Field(ge=0, lt=1 << 63)


# push: prefill WRITEs; pull: decode READs; store, fetch: memory to file and back; handoff: prefill stores, decode fetches
Operation = Literal["push", "pull", "store", "fetch", "handoff"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Point(_Closed):
    """One cell of a sweep. Equal points of different launches are repetitions."""

    transport: str = Name  # "nixl:UCX", "copy"
    op: Operation
    source: str = Field(default="host", pattern=rf"^({MEMORY})$")  # what holds the bytes: "host", "cuda:0", "file"
    destination: str = Field(default="host", pattern=rf"^({MEMORY})$")  # what is to hold them
    workload: str = Name  # model preset, or "bytes" for plain messages
    # hot: every sample of a window moves the same bytes to the same place, as ucx_perftest does
    pattern: Literal["contiguous", "scattered", "hot"]
    unit: Literal["head", "page", "layer", "block", "bytes"]
    descriptor_bytes: int = Count
    descriptors: int = Count  # rows asked for in one sample, before any merging
    flows: int = Field(
        default=1, ge=1, le=10_000
    )  # pairs of memories that transferred at the same time, this one included
    settings: dict[str, str] = Field(default_factory=dict, max_length=64)  # settings axes, e.g. {"UCX_TLS": "tcp"}
    variant: Literal["", "A", "B"] = ""  # which side of `sweep --ab` it belongs to; "" in every other sweep

    @model_serializer(mode="wrap")
    def _without_no_variant(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave an empty `variant` out: a sweep without `--ab` is written as it always was."""
        written: dict[str, Any] = write(self)
        return written if self.variant else {name: value for name, value in written.items() if name != "variant"}


class Storage(_Closed):
    """The file that a store, fetch or handoff went through."""

    filesystem: str = Name  # "ext4"
    io: Literal["direct", "buffered"]  # whether the file was opened with O_DIRECT
    # bytes of the file that were in the page cache, before and after each timed window
    cached_before: list[Annotated[int, Count]] = Field(default_factory=list, max_length=100_000)
    cached_after: list[Annotated[int, Count]] = Field(default_factory=list, max_length=100_000)


class Failure(_Closed):
    """What cost a point: who, where, why."""

    role: Literal["prefill", "decode", "supervisor"]
    phase: str = Name  # "open", "connect", "prepare", "window", "check", ...
    reason: str = Name  # "killed by SIGKILL", "stopped", "no answer", "error", "wrong bytes"
    detail: str = Text


class Lane(_Closed):
    """A lane of the wire; `percent` is the share that UCX's model plans for large messages."""

    transport: str = Name  # "cma", "tcp", "cuda_ipc"
    device: str = Name  # "memory", "lo"
    percent: float = Field(ge=0, le=100)


class Evidence(_Closed):
    """Which wire carried the bytes, and who says so; the fields of `suite.transports.evidence.WireEvidence`."""

    wire: str = Name  # "cma", "tcp", "sysv + cma"; "unknown" without proof
    source: str = Name  # "UCX_PROTO_INFO", "process_vm_writev"
    operation: str = Field(default="", max_length=20_000)  # as UCX words it
    detail: str = Field(default="", max_length=20_000)  # "zero-copy over tcp/lo 52% + tcp/eth0 48%"
    reach: str = Field(default="", max_length=200)  # "self", "intra-node", "inter-node"
    count: int = Field(default=0, ge=0, lt=1 << 63)  # operations that UCX counted (descriptors or fragments, not bytes)
    emulated: bool = False  # UCX's "software emulation" of one-sided access
    lanes: list[Lane] = Field(default_factory=list, max_length=64)
    reason: str = Field(default="", max_length=20_000)  # why the wire is unknown


class Issue(_Closed):
    """A doubt about a number. INVALID numbers are shown but never counted."""

    level: Literal["INVALID", "OPEN", "NOTE"]
    code: str = Name
    message: str = Field(max_length=2_000)


class Usage(_Closed):
    """What one worker's process used in each timed window, by its own clocks; of the target, from when it began to serve."""

    wall_ns: list[Annotated[int, Nanoseconds]] = Field(max_length=100_000)
    cpu_ns: list[Annotated[int, Nanoseconds]] = Field(max_length=100_000)  # user and system, all threads
    system_ns: list[Annotated[int, Nanoseconds]] = Field(max_length=100_000)  # as far as the kernel tells it apart
    # ready to run, without a processor: the main thread; empty where the kernel does not count it
    waited_ns: list[Annotated[int, Nanoseconds]] = Field(default_factory=list, max_length=100_000)
    switches: list[Annotated[int, Count]] = Field(max_length=100_000)  # a processor was taken away from it


class Around(_Closed):
    """What the machine did around the timed windows, as the supervisor saw it."""

    cpus: int = Field(ge=1, le=1 << 20)  # that kvgauge may use
    window_ns: list[Annotated[int, Nanoseconds]] = Field(max_length=100_000)
    stolen_ns: list[Annotated[int, Nanoseconds]] = Field(max_length=100_000)  # by a hypervisor, of all processors


class WarmUp(_Closed):
    """The first window, which gives no number: where the time of a transfer goes, with one clock read more than the timed ones."""

    posted_ns: list[Annotated[int, Nanoseconds]] = Field(
        max_length=100
    )  # inside the call that posts, of the first samples
    durations_ns: list[Annotated[int, Nanoseconds]] = Field(max_length=100)  # of the same, until local completion
    notified_ns: int = Nanoseconds  # from the last completion of the window until the target has said that all is there


class PointRecord(_Closed):
    """One point of one launch, as appended to `samples.jsonl` when it ended."""

    kind: Literal["point"] = "point"
    record_schema: Literal[1] = Field(default=SCHEMA, alias="schema")
    launch: int = Count
    position: int = Count  # place in the launch's random order
    setup: str = Name
    point: Point
    status: Literal["measured", "failed"]
    failure: Failure | None = None
    durations_ns: list[Annotated[int, Nanoseconds]] = Field(
        default_factory=list, max_length=5_000_000
    )  # one per sample, windows one after the other
    delivered_ns: list[Annotated[int, Nanoseconds]] = Field(default_factory=list, max_length=100_000)  # one per window
    window_samples: int = Count  # samples in each window
    logical_bytes: int = Count  # of one sample: the KV cache's own size
    padded_bytes: int = Count  # with the padding of the last block
    wire_bytes: int = Count  # moved
    posted_descriptors: int = Count  # handed to the engine for one sample, after merging
    working_set_bytes: int = Count  # touched in one window, at each side
    allocation: str = Name  # "4k", "huge"
    verified: bool  # every byte of both pools and their guards was as it must be
    verified_bytes: int = Count
    emulated: bool = False  # measured on the emulated CUDA driver: its durations are nobody's
    content: dict[str, str] = Field(
        default_factory=dict, max_length=8
    )  # place -> "in place", "staged", "on the device"
    storage: Storage | None = None
    evidence: Evidence | None = None
    # what each timed window added to the bytes that the kernel counted as sent, by interface
    network_bytes: list[dict[str, Annotated[int, Count]]] = Field(default_factory=list, max_length=100_000)
    # and what it added to the bytes that the initiator's own TCP connections carried, both ways
    tcp_bytes: list[Annotated[int, Count]] = Field(default_factory=list, max_length=100_000)
    phases_ns: dict[str, Annotated[int, Nanoseconds]] = Field(
        default_factory=dict, max_length=64
    )  # open, register, connect, prepare, release, ...
    usage: dict[str, Usage] = Field(default_factory=dict, max_length=8)  # role -> its process in the timed windows
    around: Around | None = None
    warm_up: WarmUp | None = None
    progress: dict[str, str] = Field(default_factory=dict, max_length=8)  # role -> "thread" or "caller"
    cores: dict[str, list[int]] = Field(default_factory=dict, max_length=8)  # role -> CPUs it was pinned to
    issues: list[Issue] = Field(default_factory=list, max_length=1_000)
    load_average: float = Field(ge=0)
    started_at: str = Name  # ISO 8601, UTC
