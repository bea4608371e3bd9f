"""Ceilings: how fast this machine does the plain thing under each wire, measured in the same run as the points.

A transfer's rate means something beside the rate of what it is made of: a copy
of memory, a TCP connection without any protocol on it, plain reads and writes
of the volume. Workers are started and pinned as those of the points are. None
of them is a physical limit: caches, merging or a deeper queue can beat one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import product, starmap
from statistics import median
from typing import TYPE_CHECKING, Any

from perf.asides import CeilingRecord
from perf.ceiling_servers import BLOCK
from perf.placement import cores_of_roles
from suite.run import machine
from suite.run.manifest import now
from suite.units import format_bytes, gb_per_s
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

MEMORY_COPY = "memory copy"
TCP_1, TCP_4 = "tcp loopback, 1 connection", "tcp loopback, 4 connections"
READ_1, READ_4 = "direct read of the volume, 1 at a time", "direct read of the volume, 4 at a time"
WRITE_1, WRITE_4 = "direct write of the volume, 1 at a time", "direct write of the volume, 4 at a time"

REPEATS = 5
PAGES = ("huge", "4k")
_CONNECTIONS = {TCP_1: 1, TCP_4: 4}
_VOLUME = {WRITE_1: ("write", 1), WRITE_4: ("write", 4), READ_1: ("read", 1), READ_4: ("read", 4)}
_VOLUME_BYTES = 512 << 20  # of the file at most
_FILL_S = 1.0  # a slow volume gets a smaller file; each of the four passes over it then takes about as long
_LEAST_BYTES, _MOST_SIZES = 1 << 20, 6
_FEWEST, _MOVED_BYTES = 2, 512 << 20
_LOOPBACK = "two processes on a core each, send and recv_into of whole regions, acknowledged"
_DEADLINE_S = 60.0  # for one question; it takes seconds
_COPIES = frozenset({"cma", "sysv", "posix", "xpmem", "knem", "self"})  # UCX's transports between host memory
_SERVERS = "perf.ceiling_servers"


@dataclass(frozen=True)
class Ceiling:
    """One ceiling: `gb_per_s` is the median of `repeats_gb_per_s`, `nbytes` what each repeat moved at most."""

    name: str
    gb_per_s: float
    nbytes: int
    pages: str  # "huge", "4k"; "direct" for the volume
    working_set_bytes: int  # touched at each side
    detail: str
    repeats_gb_per_s: tuple[float, ...]

    def record(self, launch: int) -> CeilingRecord:
        """Return it as a line of `samples.jsonl`."""
        return CeilingRecord(
            launch=launch,
            name=self.name,
            gb_per_s=list(self.repeats_gb_per_s),
            nbytes=self.nbytes,
            pages=self.pages,
            working_set_bytes=self.working_set_bytes,
            detail=self.detail,
            load_average=machine.load_average(),
            started_at=now(),
        )


def sizes_beside(working_sets: Iterable[int]) -> list[int]:
    """Return the working sets to measure ceilings with, for points that touch `working_sets` bytes: the largest few."""
    return sorted({size_class(nbytes) for nbytes in working_sets})[-_MOST_SIZES:]


def size_class(working_set_bytes: int) -> int:
    """Return the working set that stands for this one: the next power of two, not below 1 MiB.

    Caches make working sets differ: a ceiling stands only beside points of its own class.
    """
    return max(_LEAST_BYTES, 1 << max(0, working_set_bytes - 1).bit_length())


def measure(
    environment: Mapping[str, str],
    logs: Path,
    scratch: Path | None,
    *,
    sizes: Sequence[int],
    notes: list[str] | None = None,
) -> list[Ceiling]:
    """Measure all ceilings of this machine; takes seconds.

    `sizes` are those of each region, in bytes, one set of ceilings for each.
    The volume is that of the folder `scratch`; without one, or where it has no
    room or no O_DIRECT, its ceilings are left out, the latter with a note.
    Raises `WorkerFailed`.
    """
    start = _Starter(environment, logs)
    found = [*_memory(start, sizes), *_loopback(start, sizes)]
    if scratch is not None:
        try:
            found += _volume(start, scratch / "ceiling")
        except WorkerFailed as failed:
            if not failed.reason.startswith("error: no-"):  # no-direct-io, no-space, no-file
                raise
            if notes is not None:
                notes.append(f"no ceiling of the volume: {failed.detail}")
    return found


def applies(wire: str, op: str = "") -> tuple[str, ...]:
    """Return the names of the ceilings that stand beside what `wire`, of a point's evidence, carried by `op`.

    Host memory on one host (`cma`, `sysv`, `posix`, ...) is copied at least once:
    a copy of memory. `tcp`: TCP loopback, if the point stayed on this host.
    Storage without the page cache: the volume, read by a fetch and written by a
    store; a handoff does both. Through the page cache it is a copy of memory.
    Devices and networks between hosts have none here, but `perf.links` has their limits.
    """
    if wire.startswith("posix ") or wire == "gds compat":
        if wire.endswith("buffered"):
            return (MEMORY_COPY,)
        reads, writes = (READ_1, READ_4), (WRITE_1, WRITE_4)
        return {"store": writes, "fetch": reads}.get(op.lower(), (*writes, *reads))
    wires = set(wire.split(" + "))
    if "tcp" in wires and wires <= _COPIES | {"tcp"}:
        return TCP_1, TCP_4
    return (MEMORY_COPY,) if wires <= _COPIES else ()


@dataclass(frozen=True)
class _Starter:
    environment: Mapping[str, str]
    logs: Path

    def group(self, **servers: str) -> Group:
        """Start a worker for each role, pinned as the roles of a point are."""
        cores = list(cores_of_roles().values())
        return Group(
            [
                WorkerSpec(
                    role, f"{_SERVERS}:{server}", self.environment, cores[index], self.logs / f"ceiling-{role}.log"
                )
                for index, (role, server) in enumerate(servers.items())
            ]
        )


def _memory(start: _Starter, sizes: Sequence[int]) -> Iterator[Ceiling]:
    with start.group(copier="MemoryCopy") as group:
        for nbytes, pages in product(sizes, PAGES):
            told = _ask(group, "copier", "copy", nbytes=nbytes, pages=pages, repeats=_repeats(nbytes))
            if told["pages"] == pages:  # asked for huge ones, the kernel may give none
                yield _ceiling(MEMORY_COPY, told["repeats"], pages, nbytes, "one process, one core, numpy.copyto")


def _loopback(start: _Starter, sizes: Sequence[int]) -> Iterator[Ceiling]:
    with start.group(sender="Sender", receiver="Receiver") as group:
        for nbytes, (name, connections) in product(sizes, _CONNECTIONS.items()):
            told: dict[str, Any] = {"connections": connections, "token": secrets.token_hex(16)}
            port = _ask(group, "receiver", "listen", nbytes=nbytes, pages=PAGES[0])
            dial = {"nbytes": nbytes, "pages": PAGES[0], "port": port, **told}
            pages = group.ask("connect", {"receiver": ("accept", told), "sender": ("connect", dial)}, _DEADLINE_S)
            again = {"repeats": _repeats(nbytes)}
            questions = {"receiver": ("receive", again), "sender": ("send", again)}
            repeats = group.ask("send", questions, _DEADLINE_S)["sender"]
            yield _ceiling(name, repeats, pages["receiver"], nbytes, _LOOPBACK)


def _repeats(nbytes: int) -> int:
    """Return how often a region is moved: launches are the unit of repetition, and a large one takes its time."""
    return max(_FEWEST, min(REPEATS, _MOVED_BYTES // nbytes))


def _volume(start: _Starter, path: Path) -> Iterator[Ceiling]:
    with start.group(volume="Volume") as group:
        there = _ask(group, "volume", "begin", path=str(path), nbytes=_VOLUME_BYTES, seconds=_FILL_S)
        for name, (op, threads) in _VOLUME.items():
            repeats = _ask(group, "volume", "move", op=op, threads=threads, repeats=REPEATS)
            detail = f"O_DIRECT on {there['filesystem']}, {format_bytes(BLOCK)} each in order, no flush at the end"
            yield _ceiling(name, repeats, "direct", there["bytes"], detail)
        _ask(group, "volume", "end")


def _ask(group: Group, role: str, verb: str, **arguments: Any) -> Any:
    return group.ask(verb, {role: (verb, arguments)}, _DEADLINE_S)[role]


def _ceiling(name: str, repeats: Sequence[Sequence[int]], pages: str, working_set: int, detail: str) -> Ceiling:
    rates = tuple(starmap(gb_per_s, repeats))
    return Ceiling(name, median(rates), max(nbytes for nbytes, _ in repeats), pages, working_set, detail, rates)
