"""A NIXL agent with one back end, through NIXL's own Python API.

Every trap named below was met with the wheel nixl-cu12 1.5.1:
names go in as str and come back as bytes; a back end named in the agent's
configuration whose plug-in is missing is skipped with a log line, so it is
created by an explicit call; a parameter that the back end does not know is
ignored without a word, so names are checked first; nothing times out, so the
supervisor keeps the deadline; the agent dies, and UCX's tables reach the log
file, only when the last handle is gone and C's stdio buffers are flushed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from suite.errors import BadInput, Missing, TransferFailed, Unsupported
from suite.kv.plan import DEVICE
from suite.transports.nixl_merging import merged_lengths
from suite.transports.nixl_transfer import NixlTransfer, explanation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from suite.memory.region import Region

PACKAGES = ("nixl_cu13", "nixl_cu12")  # not `nixl`: without CUDA it imports torch to choose between these two
_MEMORY = MappingProxyType({"host": "DRAM", "cuda": "VRAM", "file": "FILE"})
_UNLISTED = MappingProxyType(
    {  # read in NIXL's sources, but not in what the plug-in lists as its parameters
        "UCX": ("num_threads", "split_batch_size", "device_list", "engine_config", "ucx_ep_close_force"),
        "GDS": ("batch_pool_size", "batch_limit", "max_request_size"),
        "GDS_MT": ("thread_count",),
    }
)


class Side(NamedTuple):
    """One side of a transfer: rows of shape (N, 3), and the kind and device of the one region that all of them are in."""

    rows: NDArray[np.uint64]
    kind: str
    device: int | NDArray[np.uint64]  # CUDA ordinal, file descriptor (of each row, if there are several), 0 for host

    def table(self) -> NDArray[np.uint64]:
        """Return the rows with the region's device: a plan of another process knows no descriptor of ours."""
        table = np.ascontiguousarray(self.rows).copy()
        table[:, DEVICE] = self.device
        return table


class NixlAgent:
    """An agent without a progress thread: its caller drives it."""

    def __init__(self, name: str, backend: str, settings: Mapping[str, str]) -> None:
        api, self.bindings = _load()
        self.name = name
        self.backend = backend
        self.nixl = api.nixl_agent(name, api.nixl_agent_config(enable_prog_thread=False, backends=[]))
        if settings:
            self._check(settings)
        given = ", ".join(f"{key} = {value}" for key, value in settings.items())
        with self.explained(f"create back end {backend}", given and f"its settings were {given}"[:500]):
            self.nixl.create_backend(backend, dict(settings))
        self._registered: list[Any] = []
        self._peers: list[str] = []
        self._transfers: list[NixlTransfer] = []

    def register(self, region: Region) -> None:
        """Register `region` with the back end."""
        table = np.array([[region.address, region.nbytes, region.device]], np.uint64)
        with self.explained(f"register {region.kind} memory"):
            self._registered.append(self.nixl.register_memory(table, _MEMORY[region.kind], backends=[self.backend]))

    def deregister(self) -> None:
        """Deregister everything that is registered."""
        with self.explained("deregister memory"):
            while self._registered:
                self.nixl.deregister_memory(self._registered[-1], backends=[self.backend])
                self._registered.pop()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Add the peer by NIXL's own metadata and start the connection."""
        with self.explained(f"connect to {peer}"):
            name = _text(self.nixl.add_remote_agent(metadata))
            if name != peer:
                raise TransferFailed("wrong-peer", f"metadata of {name!r} came where {peer!r} was expected")
            self._peers.append(peer)
            self.nixl.make_connection(peer)

    def prepare(
        self, op: Literal["WRITE", "READ"], local: Side, remote: Side, peer: str, *, tag: bytes = b"", hint: str = ""
    ) -> NixlTransfer:
        """Return a prepared transfer; NIXL merges neighbouring descriptors itself.

        WRITE is from local to remote, READ back; storage is a remote side whose
        `peer` is the agent itself. `hint` goes with an error that says nothing but that it failed.
        """
        here, there = local.table(), remote.table()
        indices = np.arange(len(here), dtype=np.int64)
        ours = [self.backend]
        with self.explained("prepare a transfer"):
            mine = self.nixl.prep_xfer_dlist("NIXL_INIT_AGENT", here, _MEMORY[local.kind], backends=ours)
            theirs = self.nixl.prep_xfer_dlist(peer, there, _MEMORY[remote.kind], backends=ours)
            handle = self.nixl.make_prepped_xfer(op, mine, indices, theirs, indices, tag, ours)
        posted = len(merged_lengths(here, there))
        transfer = NixlTransfer(
            (self.nixl.agent, self.bindings), handle, (mine, theirs), tag=tag, descriptors=posted, hint=hint
        )
        self._transfers.append(transfer)
        return transfer

    def close(self) -> None:
        """Release everything in NIXL's order, destroy the agent, flush what its libraries wrote about it."""
        for transfer in self._transfers:
            transfer.release()
        for peer in self._peers:
            self.nixl.remove_remote_agent(peer)
        for registered in self._registered:
            self.nixl.deregister_memory(registered, backends=[self.backend])
        self._transfers, self._registered = [], []
        del self.nixl
        gc.collect()  # the agent dies with the last handle that refers to it
        ctypes.CDLL(None).fflush(None)

    @contextlib.contextmanager
    def explained(self, doing: str, hint: str = "") -> Iterator[None]:
        """Turn NIXL's exceptions, which have no common base, into ours."""
        try:
            yield
        except Exception as error:
            if (ours := explanation(self.bindings, error, doing, hint)) is None:
                raise
            raise ours from error

    def _check(self, settings: Mapping[str, str]) -> None:
        with self.explained(f"load back end {self.backend}"):
            listed, _ = self.nixl.agent.getPluginParams(self.backend)
        accepted = sorted({*listed, *_UNLISTED.get(self.backend, ())})
        for name in settings:
            if name not in accepted:
                raise BadInput(
                    "bad-setting",
                    f"nixl:{self.backend} has no setting {name!r}",
                    f"accepted: {', '.join(accepted) or 'none'}",
                )


def _load() -> tuple[Any, Any]:
    """Return NIXL's API and its bindings, where the exceptions live."""
    if "ucxx" in sys.modules:
        raise Unsupported(
            "not-alone",
            "NIXL cannot be used in a process with ucx: both load a UCX",
            "measure them in different worker processes",
        )
    for package in PACKAGES:
        if find_spec(package):
            return import_module(f"{package}._api"), import_module(f"{package}._bindings")
    raise Missing("no-nixl", "NIXL is not installed", "pip install --no-deps nixl-cu12")


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
