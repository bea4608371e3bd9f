"""One side of a case: memory, endpoints and transfers of one process, and all that it can be asked.

An answer is plain JSON. What has to wait is a generator that yields while it
does, so that a worker can give up at a deadline, and so that several sides can
live in one process, driven by turns.
"""

from __future__ import annotations

import base64
import os
import resource
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.transfer.case import SOURCE
from conformance.transfer.place import Place, content, span
from conformance.transfer.threads import Threads
from conformance.transfer.turns import Late
from conformance.transfer.usage import usage
from suite.kv.plan import Plan
from suite.memory.host import HostRegion
from suite.transports.base import Op, State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from suite.memory.region import Region
    from suite.transports.base import Endpoint, Role, Transfer, Transport

    Rows = Sequence[Sequence[int]]
    Waiting = Generator[bool, None, dict[str, Any]]  # yields whether it may rest

_POLLS = 64  # before others have a turn
_KEPT = ("host", "cuda")  # memory that is used again for the next case


class Side:
    """What a worker holds. `load` returns the transport under test."""

    def __init__(self, load: Callable[[], Transport], folder: Path, disk: Path | None = None) -> None:
        self._load, self._folder = load, folder
        self._disk = disk or folder  # for files with O_DIRECT
        self._kept: dict[tuple[str, str], Region] = {}
        self._files: list[Any] = []
        self._places: dict[str, Place] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._transfers: dict[str, Transfer] = {}
        self._slowest_s = 0.0

    # --- memory ---

    def lay(self, place: str, kind: str, nbytes: int, start: int = 0, **file: Any) -> int:
        """Make a place; return the address of its first byte, in a file the offset."""
        self._places[place] = Place(self._base(place, kind, span(nbytes, start), **file), nbytes, start)
        return self._places[place].address

    def zeros(self, place: str, rows: Rows) -> None:
        """Expect zeros in rows of (offset, length)."""
        table = np.asarray(rows, np.int64).reshape(-1, 2)
        self._places[place].zeros(table[:, 0], table[:, 1])

    def paint(self, place: str, seed: int) -> None:
        """Write the bytes of `seed` all over a place."""
        self._places[place].paint(seed)

    def stage(self, place: str, seed: int, rows: Rows, source: Mapping[str, int]) -> None:
        """Paint a place, and expect rows of another, which is `start`, `used` and `seed`, to arrive in it."""
        table = np.asarray(rows, np.int64).reshape(-1, 3).copy()
        table[:, SOURCE] += source["start"]
        self._places[place].stage(table, content(source["seed"], source["used"]), seed)

    def wipe(self, place: str, rows: Rows) -> None:
        """Invert rows of (offset, length), and expect that they become again what was painted."""
        table = np.asarray(rows, np.int64).reshape(-1, 2)
        self._places[place].wipe(table[:, 0], table[:, 1])

    def damage(self, place: str) -> dict[str, Any] | None:
        """Return what is not as expected in a place."""
        return self._places[place].damage()

    def read(self, place: str) -> str:
        """Return all bytes of a place, guards included, in base64: for who keeps its own model of them."""
        return base64.b64encode(self._places[place].read().tobytes()).decode()

    def mark(self, place: str) -> None:
        """Remember what a place holds."""
        self._places[place].mark()

    def changed(self, place: str) -> int:
        """Return how many bytes have changed since then."""
        return self._places[place].changed()

    def truncate(self, place: str, nbytes: int, *, hole: bool = False) -> None:
        """Cut the file of a place; with `hole` it gets its size back."""
        base: Any = self._places[place].base
        os.truncate(base.path, nbytes)
        if hole:
            os.truncate(base.path, base.nbytes)

    def limit_files(self, nbytes: int = -1) -> None:
        """Have the kernel write no byte of a file beyond `nbytes`, as if its disk were full; -1: up to the hard limit."""
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard if nbytes < 0 else nbytes, hard))

    def masquerade(self, place: str, kind: str) -> None:
        """Call the memory of a place another kind than it is: it can be refused, and must not be touched."""
        region: Any = self._places[place].region
        region.kind = kind

    # --- endpoints ---

    def open(self, agent: str, role: Role, settings: Mapping[str, str], at: str = "") -> None:
        """Open an endpoint; `at` tells several of one process apart."""
        self._endpoints[at] = self._load().open(agent, settings, role)

    def register(self, place: str, at: str = "") -> None:
        """Register a place."""
        self._endpoints[at].register(self._places[place].region)

    def deregister(self, place: str, at: str = "") -> None:
        """Deregister it, where the transport can."""
        endpoint: Any = self._endpoints[at]
        endpoint.deregister(self._places[place].region)

    def metadata(self, at: str = "") -> str:
        """Return the metadata, in base64."""
        return base64.b64encode(self._endpoints[at].metadata()).decode()

    def connect(self, peer: str, metadata: str, at: str = "") -> None:
        """Learn a peer's metadata."""
        self._endpoints[at].connect(peer, base64.b64decode(metadata))

    def notify(self, peer: str, tag: str, tells: str = "", at: str = "") -> None:
        """Send a notification that belongs to no transfer; then make `tells` known."""
        try:
            self._endpoints[at].notify(peer, base64.b64decode(tag))
        finally:
            self._tell(tells)

    def close(self, at: str | None = None) -> None:
        """Close one endpoint, or all with everything of them; what was closed before is left alone."""
        names = [*self._endpoints] if at is None else [at]
        for name in names:
            self._endpoints.pop(name).close()
        if at is None:
            self._transfers.clear()
            self._places.clear()
            for file in self._files:
                file.close(delete=True)
            self._files = []

    # --- transfers ---

    def prepare(self, name: str, *, op: str, rows: tuple[Rows, Rows], peer: str | None, tag: str, at: str = "") -> int:
        """Prepare rows of (address, length, device) of source and destination; return how many descriptors are posted."""
        self._transfers[name] = self._prepared(self._endpoints[at], op=op, rows=rows, peer=peer, tag=tag)
        return self._transfers[name].posted_descriptors

    def post(self, names: Sequence[str]) -> list[str]:
        """Post transfers one after the other; return their states."""
        return [self._timed(self._transfers[name].post).name for name in names]

    def poll(self, name: str) -> str:
        """Ask once."""
        state: State = self._timed(self._transfers[name].poll)
        return state.name

    def post_twice(self, name: str) -> bool:
        """Post, and post again if one look says that it is under way; return whether it was. Nothing comes in between."""
        transfer = self._transfers[name]
        if transfer.post() is State.DONE or transfer.poll() is State.DONE:
            return False
        transfer.post()
        return True

    def cancel(self, name: str) -> str:
        """Cancel."""
        return self._transfers[name].cancel().name

    def release(self, name: str) -> None:
        """Release; the transfer stays known, so that it can be released again."""
        self._transfers[name].release()

    def slowest_ms(self) -> int:
        """Return how long the longest call of `prepare`, `post` and `poll` took, and forget it."""
        taken, self._slowest_s = self._slowest_s, 0.0
        return int(taken * 1000)

    def drive(
        self,
        names: Sequence[str] = (),
        *,
        count: int = 0,
        look: str = "",
        rest: int = 0,
        post: bool = False,
        tells: str = "",
        until: Sequence[str] = (),
        at: str = "",
    ) -> Waiting:
        """Drive on until the transfers are done and `count` notifications are there, with `post` posting them first.

        With `look` that place is compared at once when they are. Then `tells` is made known to
        the other sides, which may still need this one, and it goes on until all of `until` is
        known, and for `rest` turns more.
        """
        told: dict[str, Any] = {"arrived": [], "late": False}
        try:
            yield from self._finish(list(names), told, count, post=post, at=at)
            if look:
                told["damage"] = self._places[look].damage()
        except Late:
            told["late"] = True
            return told
        finally:
            self._tell(tells)
        yield from self._linger(told, at, rest, until)
        return told

    def repeat(self, times: int, fresh: Mapping[str, Any], tells: str = "", at: str = "") -> Waiting:
        """Prepare, post, finish and release one transfer after the other; return what was notified meanwhile."""
        told: dict[str, Any] = {"arrived": []}
        polls = 0
        try:
            for _ in range(times):
                self.prepare("", at=at, **fresh)
                transfer = self._transfers.pop("")
                state = transfer.post()
                while state is not State.DONE:
                    state, polls = transfer.poll(), polls + 1
                    self._progress(told, at)
                    if polls % _POLLS == 0:
                        yield False
                transfer.finish()
                transfer.release()
                self._progress(told, at)
                yield False
        finally:
            self._tell(tells)
        return {"arrived": len(told["arrived"])}

    def in_threads(self, jobs: Sequence[Mapping[str, Any]], tells: str = "") -> Waiting:
        """Make each job's transfers in a thread of its own; each round is posted by all before any asks.

        A job is {"at": ..., "rounds": [what `prepare` is given, ...]}. The first error of any is raised.
        """
        threads = Threads(len(jobs))
        try:
            for job in jobs:
                endpoint = self._endpoints[job["at"]]
                threads.start([partial(self._prepared, endpoint, **told) for told in job["rounds"]])
            while threads.busy():
                yield True
            threads.end()
            for job in jobs:
                self._progress({"arrived": []}, job["at"])
        finally:
            threads.give_up()
            self._tell(tells)
        return {}

    def reopen(self, times: int, agent: str, place: str, settings: Mapping[str, str]) -> None:
        """Open and close endpoints, each with a region registered."""
        for number in range(times):
            endpoint = self._load().open(f"{agent}-{number}", settings, "initiator")
            endpoint.register(self._places[place].region)
            endpoint.metadata()
            endpoint.close()

    def usage(self) -> dict[str, int]:
        """Return what this process holds of the machine."""
        return usage()

    # --- inside ---

    def _prepared(
        self, endpoint: Endpoint, *, op: str, rows: tuple[Rows, Rows], peer: str | None, tag: str
    ) -> Transfer:
        source, destination = (np.ascontiguousarray(side, np.uint64).reshape(-1, 3) for side in rows)
        total = int(source[:, 1].sum())
        plan = Plan(source, destination, total, total, total)
        transfer: Transfer = self._timed(endpoint.prepare, Op(op), plan, peer, base64.b64decode(tag))
        return transfer

    def _finish(
        self, pending: list[str], told: dict[str, Any], count: int, *, post: bool, at: str
    ) -> Generator[bool, None, None]:
        if post:
            self.post(pending)
        while True:
            for name in list(pending):
                if self._timed(self._transfers[name].poll) is State.DONE:
                    self._transfers[name].finish()
                    pending.remove(name)
            if not pending and len(told["arrived"]) >= count:
                return  # before anything else is called: a byte that is late must be seen to be
            self._progress(told, at)
            if not pending and len(told["arrived"]) >= count:
                return
            yield False

    def _linger(self, told: dict[str, Any], at: str, rest: int, until: Sequence[str]) -> Generator[bool, None, None]:
        try:
            while not all((self._folder / name).exists() for name in until):
                self._progress(told, at)
                yield False
            for _ in range(rest):
                yield True
                self._progress(told, at)
        except Late:
            return  # it was done itself: whom it waited for is late

    def _tell(self, name: str) -> None:
        if name:
            (self._folder / name).touch()

    def _progress(self, told: dict[str, Any], at: str) -> None:
        if at in self._endpoints:  # what is closed is asked nothing
            told["arrived"] += [[peer, base64.b64encode(tag).decode()] for peer, tag in self._endpoints[at].progress()]

    def _timed(self, call: Callable[..., Any], *arguments: Any) -> Any:
        start = time.monotonic()
        try:
            return call(*arguments)
        finally:
            self._slowest_s = max(self._slowest_s, time.monotonic() - start)

    def _base(self, place: str, kind: str, nbytes: int, *, device: int = 0, **file: Any) -> Region:
        if kind not in _KEPT:
            return self._file(nbytes, **file)
        kept = self._kept.get((place, kind))
        if kept is None or kept.nbytes < nbytes:
            size = 1 << max(16, (nbytes - 1).bit_length())
            self._kept[place, kind] = kept = HostRegion(size, "4k") if kind == "host" else _cuda(size, device)
        return kept

    def _file(
        self,
        nbytes: int,
        *,
        path: str,
        create: bool = True,
        read_only: bool = False,
        direct: bool = False,
        files: int = 1,
    ) -> Region:
        from suite.memory.files import file_region

        folder = self._disk if direct else self._folder
        file: Any = file_region(folder / path, nbytes, files=files, direct=direct, create=create)
        self._files.append(file)
        if read_only:  # content is still painted through the other descriptor
            os.close(file.device)
            file.device = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        region: Region = file
        return region


def _cuda(nbytes: int, device: int) -> Region:
    from suite.memory.cuda import CudaRegion

    return CudaRegion(nbytes, device)
