"""NIXL between two agents, over UCX: one region on each side, host or device memory."""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import TransferFailed, Unsupported
from suite.transports import evidence
from suite.transports.base import Op
from suite.transports.mailbox import read_metadata
from suite.transports.nixl_agent import NixlAgent, Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.nixl_transfer import NixlTransfer

_KINDS = ("host", "cuda")
_MAX_DEVICE = 1024  # CUDA devices of one machine
_OPERATIONS: dict[Op, evidence.Operation] = {Op.WRITE: "put", Op.READ: "get"}


class NixlEndpoint:
    """A NIXL agent with one back end and one registered region.

    NIXL's own metadata does not tell a peer whether the region is host or
    device memory, and every descriptor needs that, so ours says it too.
    """

    def __init__(self, agent: str, backend: str, settings: Mapping[str, str]) -> None:
        self._log, self._log_start = _ucx_log()
        self._nixl = NixlAgent(agent, backend, settings)
        self._region: Region | None = None
        self._peers: dict[str, tuple[str, int]] = {}  # kind and device of their regions

    @property
    def _agent(self) -> Any:
        """NIXL's own agent, for those who time or ask it directly (perf/bench, tests)."""
        return self._nixl.nixl

    def register(self, region: Region) -> None:
        """Register `region`, the only one of this endpoint."""
        if region.kind not in _KINDS:
            raise Unsupported("unsupported", f"nixl:{self._nixl.backend} moves host and cuda memory, not {region.kind}")
        if self._region is not None:
            raise Unsupported(
                "one-region", f"nixl:{self._nixl.backend}: an endpoint has one region, and this one has it"
            )
        self._nixl.register(region)
        self._region = region

    def deregister(self, region: Region) -> None:
        """Deregister `region`; NIXL tells no peer, which is told nothing here either."""
        if region is not self._region:
            raise Unsupported("no-region", f"nixl:{self._nixl.backend}: this region is not registered here")
        self._nixl.deregister()
        self._region = None

    def metadata(self) -> bytes:
        """Return the region's kind and device and NIXL's own metadata, as JSON; register first."""
        region = self._registered()
        with self._nixl.explained("read its metadata"):
            nixl = base64.b64encode(self._nixl.nixl.get_agent_metadata()).decode()
        told = {"agent": self._nixl.name, "kind": region.kind, "device": region.device, "nixl": nixl}
        return json.dumps(told).encode()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Add the peer and start the connection."""
        told = read_metadata(metadata, peer)
        kind, device = told.get("kind"), told.get("device")
        if kind not in _KINDS or type(device) is not int or not 0 <= device < _MAX_DEVICE:
            raise TransferFailed("bad-metadata", f"metadata of {peer!r} names no region of host or cuda memory")
        try:
            nixl = base64.b64decode(told.get("nixl", ""), validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise TransferFailed("bad-metadata", f"metadata of {peer!r} has nothing of NIXL's in it") from error
        self._nixl.connect(peer, nixl)
        self._peers[peer] = kind, device

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> NixlTransfer:
        """Return a prepared transfer between this region and the peer's; the plan's devices are not looked at."""
        if op not in _OPERATIONS or peer is None:
            raise Unsupported("unsupported", f"nixl:{self._nixl.backend} cannot {op} without a peer")
        if peer not in self._peers:
            raise TransferFailed("not-connected", f"not connected to {peer!r}")
        region = self._registered()
        ours, theirs = (plan.source, plan.destination) if op is Op.WRITE else (plan.destination, plan.source)
        local, remote = Side(ours, region.kind, region.device), Side(theirs, *self._peers[peer])
        return self._nixl.prepare("WRITE" if op is Op.WRITE else "READ", local, remote, peer, tag=tag)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return and consume new notifications."""
        arrived = self._nixl.nixl.get_new_notifs(backends=[self._nixl.backend])
        return [
            (peer if isinstance(peer, str) else peer.decode(), tag) for peer, tags in arrived.items() for tag in tags
        ]

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to `peer`."""
        with self._nixl.explained(f"notify {peer}"):
            self._nixl.nixl.send_notif(peer, tag)  # 1.5.1 passes a named back end on as a number, which it then refuses

    def close(self) -> None:
        """Release everything; the agent's tables are in UCX's log after that."""
        self._nixl.close()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> evidence.WireEvidence:
        """Return what UCX's tables of this agent say about `op`."""
        tables = evidence.parse_tables(self._logged())
        return evidence.wire_used(tables, context=self._nixl.name, operation=_OPERATIONS[op], sizes=sizes)

    def _registered(self) -> Region:
        if self._region is None:
            raise Unsupported("no-region", f"nixl:{self._nixl.backend}: register a region first")
        return self._region

    def _logged(self) -> str:
        if self._log is None or not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(evidence.MAX_TEXT).decode("utf-8", errors="replace")


def _ucx_log() -> tuple[Path | None, int]:
    """Return UCX's log file of this process and its present size: what comes later is about later agents."""
    name = os.environ.get("UCX_LOG_FILE")
    if not name:
        return None, 0
    path = Path(name)
    return path, path.stat().st_size if path.exists() else 0
