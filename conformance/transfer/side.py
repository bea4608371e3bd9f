"""One side of a case: memory, endpoints and transfers of one process, and all that it can be asked.

An answer is plain JSON. What has to wait is a generator that yields while it
does, so that a worker can give up at a deadline, and so that several sides can
live in one process, driven by turns.
"""

from __future__ import annotations

import base64
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.transfer.case import SOURCE
from conformance.transfer.place import Place, content, span
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

_KEPT = ("host", "cuda")  # memory that is used again for the next case


class Side:
    """What a worker holds. `load` returns the transport under test."""

    def __init__(self, load: Callable[[], Transport], folder: Path) -> None:
        self._load, self._folder = load, folder
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

    def paint(self, place: str, seed: int) -> None:
        """Write the bytes of `seed` all over a place."""
        self._places[place].paint(seed)

    def stage(self, place: str, seed: int, rows: Rows, source: Mapping[str, int]) -> None:
        """Paint a place, and expect rows of another, which is `start`, `used` and `seed`, to arrive in it."""
        table = np.asarray(rows, np.int64).reshape(-1, 3).copy()
        table[:, SOURCE] += source["start"]
        self._places[place].stage(table, content(source["seed"], source["used"]), seed)

    def damage(self, place: str) -> dict[str, Any] | None:
        """Return what is not as expected in a place."""
        return self._places[place].damage()

    def mark(self, place: str) -> None:
        """Remember what a place holds."""
        self._places[place].mark()

    def changed(self, place: str) -> int:
        """Return how many bytes have changed since then."""
        return self._places[place].changed()

    def truncate(self, place: str, nbytes: int) -> None:
        """Cut the file of a place."""
        base: Any = self._places[place].base
        os.truncate(base.path, nbytes)

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

    def notify(self, peer: str, tag: str, at: str = "") -> None:
        """Send a notification that belongs to no transfer."""
        self._endpoints[at].notify(peer, base64.b64decode(tag))

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

    def prepare(self, name: str, op: str, rows: tuple[Rows, Rows], peer: str | None, tag: str, at: str = "") -> int:
        """Prepare rows of (address, length, device) of source and destination; return how many descriptors are posted."""
        source, destination = (np.ascontiguousarray(side, np.uint64).reshape(-1, 3) for side in rows)
        total = int(source[:, 1].sum())
        plan = Plan(source, destination, total, total, total)
        self._transfers[name] = self._timed(self._endpoints[at].prepare, Op(op), plan, peer, base64.b64decode(tag))
        return self._transfers[name].posted_descriptors

    def post(self, names: Sequence[str]) -> list[str]:
        """Post transfers one after the other; return their states."""
        return [self._timed(self._transfers[name].post).name for name in names]

    def poll(self, name: str) -> str:
        """Ask once."""
        return self._timed(self._transfers[name].poll).name

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
        at: str = "",
    ) -> Waiting:
        """Drive on until the transfers are done and `count` notifications are there, then for `rest` turns more.

        With `look` that place is compared at once when they are. With `post` the transfers
        are posted first.
        """
        if post:
            self.post(names)
        pending = list(names)
        told: dict[str, Any] = {"done": [], "arrived": [], "late": False}
        try:
            while pending or len(told["arrived"]) < count:
                self._turn(pending, told, at)
                if pending or len(told["arrived"]) < count:
                    yield False
            if look:
                told["damage"] = self._places[look].damage()
            for _ in range(rest):
                yield True
                self._turn([], told, at)
        except Late:
            told["late"] = True
        return told

    def repeat(self, times: int, name: str, names: int, at: str = "", *, count: int = 0, fresh: Mapping[str, Any]) -> Waiting:
        """Prepare, post, finish and release one transfer after the other; or receive `count` notifications of them."""
        arrived = 0
        for number in range(times):
            if names:
                self.prepare(name, at=at, **fresh)
                transfer = self._transfers.pop(name)
                state = transfer.post()
                while state is not State.DONE:
                    arrived += len(self._endpoints[at].progress())
                    yield False
                    state = transfer.poll()
                transfer.finish()
                transfer.release()
            while not names and arrived <= number and count:
                arrived += len(self._endpoints[at].progress())
                yield False
            if number % 16 == 0:
                yield False
        return {"arrived": arrived}

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

    def _turn(self, pending: list[str], told: dict[str, Any], at: str) -> None:
        for name in list(pending):
            if self._timed(self._transfers[name].poll) is State.DONE:
                self._transfers[name].finish()
                pending.remove(name)
                told["done"].append(name)
        if at in self._endpoints:  # what is closed is asked nothing
            told["arrived"] += [[peer, base64.b64encode(tag).decode()] for peer, tag in self._endpoints[at].progress()]

    def _timed(self, call: Callable[..., Any], *arguments: Any) -> Any:
        start = time.monotonic()
        try:
            return call(*arguments)
        finally:
            self._slowest_s = max(self._slowest_s, time.monotonic() - start)

    def _base(self, place: str, kind: str, nbytes: int, *, path: str = "", device: int = 0, create: bool = True) -> Region:
        if kind not in _KEPT:
            from suite.memory.file import FileRegion

            file = FileRegion(self._folder / path, nbytes, direct=False, create=create)
            self._files.append(file)
            return file
        kept = self._kept.get((place, kind))
        if kept is None or kept.nbytes < nbytes:
            size = 1 << max(16, (nbytes - 1).bit_length())
            self._kept[place, kind] = kept = HostRegion(size, "4k") if kind == "host" else _cuda(size, device)
        return kept


def _cuda(nbytes: int, device: int) -> Region:
    from suite.memory.cuda import CudaRegion

    return CudaRegion(nbytes, device)
