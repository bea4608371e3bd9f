"""NIXL, one back end at a time, through its own Python API.

Every trap named below was met with the wheel nixl-cu12 1.5.1:
names go in as str and come back as bytes; a back end named in the agent's
configuration whose plug-in is missing is skipped with a log line, so it is
created by an explicit call; a target must progress, so both sides call into
NIXL for as long as a transfer runs and neither has a progress thread; nothing
times out, so the supervisor keeps the deadline; UCX's tables reach the log file only when the
agent is gone and C's stdio buffers are flushed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import KvgaugeError, Missing, PeerLost, TransferFailed, Unsupported
from suite.transports import evidence
from suite.transports.base import Op, State, Traits
from suite.transports.libraries import absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role

PACKAGES = ("nixl_cu13", "nixl_cu12")  # not `nixl`: without CUDA it imports torch to choose between these two
_MEMORY = {"host": "DRAM", "cuda": "VRAM", "file": "FILE"}
_OPERATIONS: dict[Op, evidence.Operation] = {Op.WRITE: "put", Op.READ: "get"}
_LIBRARIES = dict.fromkeys(("GDS", "GDS_MT"), ("libcuda.so.1", "libcudart.so.12", "libcufile.so.0"))
_DONE, _PENDING = State.DONE, State.PENDING


class NixlTransport:
    """`nixl:UCX`: NIXL with the back end after the colon."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._backend = name.partition(":")[2]
        self.traits = Traits(
            ops=frozenset({Op.WRITE, Op.READ}),
            memory=frozenset({("host", "host")}),
            environment=MappingProxyType({"UCX_PROTO_INFO": "used"}),
            progress=MappingProxyType({"initiator": "caller", "target": "caller"}),
        )

    def missing(self) -> str | None:
        """Return what is missing, looking for files only: NIXL is loaded in workers, never here."""
        return missing_for(self._backend)

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> NixlEndpoint:
        """Return an agent with its back end created; `settings` are the back end's parameters."""
        del role  # both sides are driven by their callers
        return NixlEndpoint(agent, self._backend, settings)


def missing_for(backend: str) -> str | None:
    """Return why NIXL with `backend` cannot run here, or None; judged by installed files."""
    package = next((name for name in PACKAGES if find_spec(name)), None)
    if package is None:
        return "NIXL is not installed (pip install --no-deps nixl-cu12)"
    if not any(_plugin_files(package, backend)):
        return f"{package} has no plug-in for {backend}"
    if lacking := absent(_LIBRARIES.get(backend, ())):
        return f"{', '.join(lacking)} not found (NVIDIA driver, CUDA runtime, cuFile)"
    return None


def _plugin_files(package: str, backend: str) -> Iterator[Path]:
    """Yield the files NIXL would load for `backend`: in `NIXL_PLUGIN_DIR`, or in the wheel."""
    spec = find_spec(package)
    folders = [Path(spec.origin).parent.parent / f"{package}.libs" / "nixl"] if spec and spec.origin else []
    if custom := os.environ.get("NIXL_PLUGIN_DIR"):
        folders.insert(0, Path(custom))
    for folder in folders:
        yield from folder.glob(f"libplugin_{backend}.so")


class NixlEndpoint:
    """A NIXL agent with one back end."""

    def __init__(self, agent: str, backend: str, settings: Mapping[str, str]) -> None:
        api, self._bindings = _load()
        self._name = agent
        self._backend = backend
        self._log, self._log_start = _ucx_log()
        config = api.nixl_agent_config(enable_prog_thread=False, backends=[])
        self._agent = api.nixl_agent(agent, config)
        with self._explained(f"create back end {backend}"):
            self._agent.create_backend(backend, dict(settings))
        self._registered: list[Any] = []
        self._peers: list[str] = []
        self._transfers: list[NixlTransfer] = []

    def register(self, region: Region) -> None:
        """Register `region` with the back end."""
        table = np.array([[region.address, region.nbytes, region.device]], np.uint64)
        with self._explained("register memory"):
            self._registered.append(self._agent.register_memory(table, _MEMORY[region.kind], backends=[self._backend]))

    def metadata(self) -> bytes:
        """Return the agent's metadata; register first."""
        metadata: bytes = self._agent.get_agent_metadata()
        return metadata

    def connect(self, peer: str, metadata: bytes) -> None:
        """Add the peer and start the connection."""
        with self._explained(f"connect to {peer}"):
            name = _text(self._agent.add_remote_agent(metadata))
            if name != peer:
                raise TransferFailed("wrong-peer", f"metadata of {name!r} came where {peer!r} was expected")
            self._peers.append(peer)
            self._agent.make_connection(peer)

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> NixlTransfer:
        """Return a prepared transfer; NIXL merges neighbouring descriptors itself."""
        if op not in _OPERATIONS or peer is None:
            raise Unsupported("unsupported", f"nixl:{self._backend} cannot {op} without a peer")
        local, remote = (plan.source, plan.destination) if op is Op.WRITE else (plan.destination, plan.source)
        memory = _MEMORY["host"]
        indices = np.arange(len(plan), dtype=np.int64)
        with self._explained("prepare a transfer"):
            mine = self._agent.prep_xfer_dlist("NIXL_INIT_AGENT", local, memory, backends=[self._backend])
            theirs = self._agent.prep_xfer_dlist(peer, remote, memory, backends=[self._backend])
            handle = self._agent.make_prepped_xfer(op.value, mine, indices, theirs, indices, tag, [self._backend])
        transfer = NixlTransfer(self, handle, (mine, theirs), tag, len(plan.merged()))
        self._transfers.append(transfer)
        return transfer

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return and consume new notifications."""
        arrived = self._agent.get_new_notifs(backends=[self._backend])
        return [(_text(peer), tag) for peer, tags in arrived.items() for tag in tags]

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to `peer`."""
        with self._explained(f"notify {peer}"):
            self._agent.send_notif(peer, tag)  # 1.5.1 passes a named back end on as a number, which it then refuses

    def close(self) -> None:
        """Release everything in NIXL's order, destroy the agent, flush what UCX wrote about it."""
        for transfer in self._transfers:
            transfer.release()
        for peer in self._peers:
            self._agent.remove_remote_agent(peer)
        for registered in self._registered:
            self._agent.deregister_memory(registered, backends=[self._backend])
        self._transfers, self._registered = [], []
        del self._agent
        gc.collect()  # the agent dies with the last handle that refers to it
        ctypes.CDLL(None).fflush(None)

    def evidence(self, op: Op, sizes: tuple[int, int]) -> evidence.WireEvidence:
        """Return what UCX's tables of this agent say about `op`."""
        tables = evidence.parse_tables(self._logged())
        return evidence.wire_used(tables, context=self._name, operation=_OPERATIONS[op], sizes=sizes)

    def _logged(self) -> str:
        if self._log is None or not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(evidence.MAX_TEXT).decode("utf-8", errors="replace")

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn NIXL's exceptions, which have no common base, into ours."""
        try:
            yield
        except Exception as error:
            if (ours := _ours(self._bindings, error, doing)) is None:
                raise
            raise ours from error


class NixlTransfer:
    """A prepared NIXL request. `post` and `poll` are all that a window calls.

    Both make the call that `nixl_agent.transfer` and `check_xfer_state` make,
    without the frame around it: with that frame a 4 KiB sample took 5 % longer
    than in a bare loop, without it 1 % (perf/bench).
    """

    __slots__ = ("_bindings", "_check", "_handles", "_post", "_request", "_success", "_tag", "posted_descriptors")

    def __init__(
        self, endpoint: NixlEndpoint, handle: Any, lists: tuple[Any, Any], tag: bytes, descriptors: int
    ) -> None:
        agent = endpoint._agent.agent  # noqa: SLF001  both halves of one adapter
        self._post, self._check = agent.postXferReq, agent.getXferStatus
        self._bindings = endpoint._bindings  # noqa: SLF001  as above
        self._success = self._bindings.NIXL_SUCCESS
        self._request = handle._handle  # noqa: SLF001  as above, of NIXL's Python half
        self._handles: tuple[Any, ...] = (handle, *lists)
        self._tag = tag
        self.posted_descriptors = descriptors

    def post(self) -> State:
        """Post; on one host the copy often runs inside this call."""
        try:
            return _DONE if self._post(self._request, self._tag) == self._success else _PENDING
        except Exception as error:
            if (ours := _ours(self._bindings, error, "post a transfer")) is None:
                raise
            raise ours from error

    def poll(self) -> State:
        """Ask for the state, which drives UCX on; NIXL raises for a failure."""
        try:
            return _DONE if self._check(self._request) == self._success else _PENDING
        except Exception as error:
            if (ours := _ours(self._bindings, error, "finish a transfer")) is None:
                raise
            raise ours from error

    def finish(self) -> None:
        """Nothing to scatter: the bytes went to their places."""

    def cancel(self) -> State:
        """Refuse: NIXL releases an active request but does not promise that it stops writing."""
        raise Unsupported("cannot-cancel", "NIXL has no cancel that proves the writes have stopped")

    def release(self) -> None:
        """Release the request and both descriptor lists; the agent cannot die before they are gone."""
        for handle in self._handles:
            handle.release()
        self._handles = ()
        self._post = self._check = None


def _ours(bindings: Any, error: Exception, doing: str) -> KvgaugeError | None:
    """Return what NIXL's `error` is among ours; None if it is not NIXL's."""
    if isinstance(error, bindings.nixlRemoteDisconnectError):
        return PeerLost("peer-lost", f"NIXL could not {doing}: the peer is gone ({error})")
    if isinstance(error, bindings.nixlNotFoundError):
        return Missing("not-found", f"NIXL could not {doing}: {error}")
    if type(error).__module__.partition(".")[0] in PACKAGES:
        return TransferFailed("nixl", f"NIXL could not {doing}: {type(error).__name__}: {error}")
    return None


def _load() -> tuple[Any, Any]:
    """Return NIXL's API and its bindings, where the exceptions live."""
    for package in PACKAGES:
        if find_spec(package):
            return import_module(f"{package}._api"), import_module(f"{package}._bindings")
    raise Missing("no-nixl", "NIXL is not installed", "pip install --no-deps nixl-cu12")


def _ucx_log() -> tuple[Path | None, int]:
    """Return UCX's log file of this process and its present size: what comes later is about later agents."""
    name = os.environ.get("UCX_LOG_FILE")
    if not name:
        return None, 0
    path = Path(name)
    return path, path.stat().st_size if path.exists() else 0


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
