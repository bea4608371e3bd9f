"""`copy`, the ceiling of one host: the kernel's copy between host memory, the CUDA driver's where a device is at either side."""

from __future__ import annotations

import json
import os
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import TransferFailed
from suite.transports import device_copy
from suite.transports.base import Op, Traits
from suite.transports.device_copy import DeviceCopyEndpoint
from suite.transports.host_copy import HostCopyEndpoint, refused
from suite.transports.mailbox import read_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role, Transfer
    from suite.transports.evidence import WireEvidence


class CopyTransport:
    """Copies between two processes of one user on one host."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.traits = Traits(
            ops=frozenset({Op.WRITE, Op.READ}),
            memory=frozenset({("host", "host")}) | device_copy.MEMORY,
            blocking_post=True,
            progress=MappingProxyType({"initiator": "caller", "target": "kernel"}),
        )

    def missing(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """Try a copy of the kernel's; what CUDA lacks is told when a device is asked for."""
        del environment
        return refused()

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> CopyEndpoint:
        """Return an endpoint; there is nothing to set and both roles are alike."""
        del settings, role
        return CopyEndpoint(agent)


class CopyEndpoint:
    """Both ways until the peer is known, then one. CUDA is loaded only where a device takes part."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._kernel = HostCopyEndpoint(agent)
        self._driver = DeviceCopyEndpoint(agent)
        self._chosen: HostCopyEndpoint | DeviceCopyEndpoint = self._kernel
        self._device = False

    def register(self, region: Region) -> None:
        """Take host or device memory."""
        self._driver.register(region)
        if region.kind == "host":
            self._kernel.register(region)
        else:
            self._device = True

    def metadata(self) -> bytes:
        """Return what either way needs."""
        ways = {"kernel": self._kernel.metadata().decode(), "driver": self._driver.metadata().decode()}
        return json.dumps({"agent": self._agent, "device": self._device, **ways}).encode()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Choose by what memory both sides have."""
        told = read_metadata(metadata, peer)
        by_driver = self._device or told.get("device") is True
        self._chosen = self._driver if by_driver else self._kernel
        inner = told.get("driver" if by_driver else "kernel")
        if not isinstance(inner, str):
            raise TransferFailed("bad-metadata", f"metadata of {peer!r} is not that of copy")
        self._chosen.connect(peer, inner.encode())

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> Transfer:
        """Return the calls that copy the merged plan."""
        return self._chosen.prepare(op, plan, peer, tag)

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Return new notifications."""
        return self._chosen.progress()

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` to `peer`."""
        self._chosen.notify(peer, tag)

    def close(self) -> None:
        """Close both ways."""
        self._kernel.close()
        self._driver.close()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> WireEvidence:
        """Return the calls of the way that was taken."""
        return self._chosen.evidence(op, sizes)
