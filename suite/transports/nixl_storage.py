"""NIXL between memory and a file: the back ends POSIX, GDS and GDS_MT.

To NIXL storage is a loopback: the agent is its own peer and the file is the
remote side. STORE is its WRITE, FETCH its READ. A STORE through the page cache
is done when the bytes are there; nothing here flushes them to the device.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from suite.errors import Unsupported
from suite.memory.files import FileSpan
from suite.transports.base import Op
from suite.transports.mailbox import Mailbox
from suite.transports.nixl_agent import NixlAgent, Side
from suite.transports.nixl_cufile import compat_certain
from suite.transports.nixl_limits import refuse_too_many
from suite.transports.storage_evidence import CuFileWatch, asked_for_posixaio, io_queues, posix_wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.evidence import WireEvidence
    from suite.transports.nixl_transfer import NixlTransfer

_MEMORY = {"POSIX": ("host",), "GDS": ("host", "cuda"), "GDS_MT": ("host", "cuda")}


class NixlStorageEndpoint:
    """A NIXL agent with one storage back end, one region of memory and one of a file, or of several."""

    def __init__(self, agent: str, backend: str, settings: Mapping[str, str]) -> None:
        self._backend = backend
        self._settings = dict(settings)
        self._cufile = CuFileWatch.begin(os.environ)
        before = io_queues()
        self._nixl = NixlAgent(agent, backend, settings)
        self._queues = io_queues() - before
        self._compat = backend != "POSIX" and (self._cufile.compat() or compat_certain(os.environ))
        self._mailbox = Mailbox(agent)
        self._regions: dict[str, Region] = {}  # "memory", "file"
        self._direct: bool | None = None

    def register(self, region: Region) -> None:
        """Register one region of memory and one file, in any order."""
        side = "file" if region.kind == "file" else "memory"
        if side == "memory" and region.kind not in _MEMORY[self._backend]:
            accepted = " and ".join(_MEMORY[self._backend])
            raise Unsupported("unsupported", f"nixl:{self._backend} moves {accepted} memory, not {region.kind}")
        if side in self._regions:
            raise Unsupported(
                "one-region", f"nixl:{self._backend}: an endpoint has one {side} region, and has it already"
            )
        for part in region.parts if isinstance(region, FileSpan) else [region]:
            self._nixl.register(part)
        self._regions[side] = region
        if side == "file":
            self._direct = _opened_direct(region.device)

    def metadata(self) -> bytes:
        """Return where this agent's mailbox is: storage needs nothing else of a peer."""
        return self._mailbox.metadata()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Learn where the other side of a handoff listens."""
        self._mailbox.connect(peer, metadata)

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> NixlTransfer:
        """Return a prepared transfer between the two regions; the plan's devices are not looked at.

        Nobody is told when it is done: `peer` is None and `tag` empty, and a
        handoff calls `notify` itself.
        """
        if op not in (Op.STORE, Op.FETCH) or peer is not None or tag:
            raise Unsupported("unsupported", f"nixl:{self._backend} stores and fetches, without a peer or a tag")
        if len(self._regions) != 2:  # noqa: PLR2004  memory and file
            raise Unsupported("no-region", f"nixl:{self._backend}: register one memory and one file region first")
        memory, file = self._regions["memory"], self._regions["file"]
        addresses, offsets = (plan.source, plan.destination) if op is Op.STORE else (plan.destination, plan.source)
        descriptors: int | NDArray[np.uint64] = file.device
        if isinstance(file, FileSpan):
            addresses, offsets, descriptors = file.locate(addresses, offsets)
        local, remote = Side(addresses, memory.kind, memory.device), Side(offsets, file.kind, descriptors)
        refuse_too_many(self._backend, self._settings, (local, remote), compat=self._compat)
        return self._nixl.prepare(
            "WRITE" if op is Op.STORE else "READ", local, remote, self._nixl.name, hint=self._hint()
        )

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications of a handoff."""
        return self._mailbox.progress()

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to the other side of a handoff."""
        self._mailbox.notify(peer, tag)

    def close(self) -> None:
        """Release everything and close the mailbox."""
        self._nixl.close()
        self._mailbox.close()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return what carried `op`, as this process and cuFile's log tell it."""
        del sizes
        if self._backend == "POSIX":
            return posix_wire(op, self._queues, self._settings, direct=self._direct)
        return self._cufile.wire(op)

    def _hint(self) -> str:
        """Return what NIXL does not say when a transfer fails."""
        hints = ["the file may be shorter than the region, or closed"]
        if self._direct and self._backend == "POSIX":
            hints.append("with direct I/O address, offset and length are multiples of 4096 bytes (a few disks: 512)")
        if self._backend == "GDS":
            hints.append(
                "cuFile's log may say why (a request larger than max_direct_io_size_kb: lower max_request_size)"
            )
        if asked_for_posixaio(self._settings):
            hints.append("after one failure this form of I/O fails for ever: open a new endpoint")
        return "; ".join(hints)


def _opened_direct(descriptor: int) -> bool:
    """Ask the kernel how the file is open, not who opened it."""
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT)
