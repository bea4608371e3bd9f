"""One side of a point over UCX: a context and a worker of its own, tag messages to and from its peers."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import BadInput, KvgaugeError, TransferFailed, Unsupported
from suite.kv.plan import LENGTH
from suite.transports import evidence, ucx_evidence
from suite.transports.base import Op
from suite.transports.mailbox import read_metadata
from suite.transports.ucx_core import Context, Ucxx
from suite.transports.ucx_packing import packing
from suite.transports.ucx_transfer import (
    ANNOUNCEMENT_BYTES,
    NOTIFICATION,
    Line,
    ReceiveTransfer,
    SendTransfer,
    announcement,
    tag_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from suite.kv.plan import Plan
    from suite.memory.region import Region
    from suite.transports.base import Role

_ACCEPTED = {"error_handling": ("on", "off")}
_KINDS = ("host", "cuda")
_MAX_ADDRESS = 1 << 16  # bytes; with 6 resources UCX's is of 217
_MAX_CONNECTION = (1 << 32) - 1
_MAX_NOTIFICATION = 4096


class UcxEndpoint:
    """Sends if it is the initiator, receives if it is the target; both can notify.

    UCX's endpoints have error handling, as TensorRT-LLM's have, unless
    `settings` say `error_handling` = "off". Then a lost peer is not noticed here.
    """

    def __init__(self, agent: str, settings: Mapping[str, str], role: Role) -> None:
        self._error_handling = _checked(settings).get("error_handling", "on")
        self._agent, self._role = agent, role
        self._ucxx = Ucxx()
        self._context = Context(self._ucxx)
        self._connection = secrets.randbelow(_MAX_CONNECTION) + 1
        self._region: Region | None = None
        self._peers: dict[str, _Peer] = {}
        self._transfers: list[SendTransfer | ReceiveTransfer] = []
        self._sizes: list[int] = []
        self._arrived: list[tuple[str, bytes]] = []
        self._log = ""

    def register(self, region: Region) -> None:
        """Take `region`, the only one of this endpoint; UCX registers buffers itself as it sends them."""
        if region.kind not in _KINDS:
            raise Unsupported("unsupported", f"ucx moves host and cuda memory, not {region.kind}")
        if self._region is not None:
            raise Unsupported("one-region", "ucx: an endpoint has one region, and this one has it")
        self._region = region

    def metadata(self) -> bytes:
        """Return the worker's address and the number of this side's messages, as JSON."""
        address = self._context.address()
        told = {
            "agent": self._agent,
            "address": base64.b64encode(address).decode(),
            "crc": zlib.crc32(address),
            "connection": self._connection,
            "error_handling": self._error_handling,
        }
        return json.dumps(told).encode()

    def connect(self, peer: str, metadata: bytes) -> None:
        """Make UCX's endpoint; both sides must agree on error handling.

        A damaged address is refused by its checksum: UCX ends the process over some. A forged one
        cannot be told from a good one, so metadata must come from a worker of the same launch.
        """
        told = read_metadata(metadata, peer)
        address, connection = _address(told, peer), told.get("connection")
        if type(connection) is not int or not 0 < connection <= _MAX_CONNECTION:
            raise TransferFailed("bad-metadata", f"metadata of {peer!r} names no connection: {connection!a:.100}")
        if any(known.incoming.connection == connection for known in self._peers.values()) or peer in self._peers:
            raise TransferFailed("bad-metadata", f"{peer!r}, or connection {connection}, is known already")
        if told.get("error_handling") != self._error_handling:
            raise TransferFailed(
                "error-handling",
                f"ucx: {peer!r} has error handling {told.get('error_handling')!a:.20}, this side {self._error_handling}",
                "set error_handling alike on both sides",
            )
        endpoint = self._context.connect(address, error_handling=self._error_handling == "on")
        lines = [Line(self._ucxx, self._context.worker, endpoint, number) for number in (connection, self._connection)]
        self._peers[peer] = _Peer(peer, *lines)

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> SendTransfer | ReceiveTransfer:
        """Return this side's half of a transfer; both sides prepare the same plans in the same order.

        With a `tag` the target's `progress` has it once the bytes are in their places.
        """
        if op is not Op.WRITE or peer is None:
            raise Unsupported("unsupported", f"ucx cannot {op}: it sends and receives, which serves WRITE")
        known, region = self._known(peer), self._region
        if region is None:
            raise Unsupported("no-region", "ucx: register a region first")
        merged, told = plan.merged(), announcement(plan)
        number = known.next_number()
        transfer: SendTransfer | ReceiveTransfer
        if self._role == "initiator":
            transfer = SendTransfer(known.outgoing, number, packing(plan.source, merged.source, region))
            known.send(tag_of(self._connection, number), told)
            self._sizes.append(int(plan.source[:, LENGTH].sum()))
        else:
            message = packing(plan.destination, merged.destination, region)
            arrived = partial(self._arrived.append, (peer, tag)) if tag else None
            transfer = ReceiveTransfer(known.incoming, number, message, told, arrived)
        self._transfers.append(transfer)
        return transfer

    def progress(self) -> Sequence[tuple[str, bytes]]:
        """Drive UCX on, and return new notifications. What a lost peer was still to get is not the others' concern."""
        self._context.worker.progress_once()
        arrived, self._arrived[:] = list(self._arrived), []
        for known in self._peers.values():
            known.forget_sent()
            arrived += ((known.name, tag) for tag in known.notifications())
        return arrived

    def notify(self, peer: str, tag: bytes) -> None:
        """Send `tag` (1 to 4096 bytes) to `peer`; returns when UCX has taken it, for the caller may not drive it on."""
        if not 0 < len(tag) <= _MAX_NOTIFICATION:
            raise BadInput("bad-tag", f"ucx: a notification of {len(tag)} bytes", f"1 to {_MAX_NOTIFICATION}")
        known = self._known(peer)
        known.send(tag_of(self._connection, NOTIFICATION), tag)
        known.flush()

    def close(self) -> None:
        """Destroy the context; its tables, and no other's, are what UCX's log gains by it."""
        for transfer in self._transfers:
            transfer.release()
        for known in self._peers.values():
            known.close()
        log = ucx_evidence.UcxLog()
        self._context.close()
        self._log = log.gained()

    def evidence(self, op: Op, sizes: tuple[int, int]) -> evidence.WireEvidence:
        """Return what carried the messages, each a whole transfer: `sizes` of descriptors are not looked at."""
        del op, sizes
        if self._role == "target":
            return ucx_evidence.received(self._log)
        if not self._sizes:
            return evidence.unknown("ucx: nothing was sent")
        sizes = min(self._sizes), max(self._sizes)
        return ucx_evidence.sent(self._log, sizes, small=len(self._sizes), small_bytes=ANNOUNCEMENT_BYTES)

    def _known(self, peer: str) -> _Peer:
        if peer not in self._peers:
            raise TransferFailed("not-connected", f"not connected to {peer!r}")
        known = self._peers[peer]
        known.check()
        return known


class _Peer:
    """A connected peer: lines both ways, and the small messages under way to it."""

    def __init__(self, name: str, incoming: Line, outgoing: Line) -> None:
        self.name, self.incoming, self.outgoing = name, incoming, outgoing
        self._transfers = 0
        self._under_way: list[tuple[Any, Any]] = []  # a request, and the buffer that it needs
        self._failed: KvgaugeError | None = None  # of a small message

    def next_number(self) -> int:
        """Return the number of the next transfer: the same on both sides, which prepare in the same order."""
        self._transfers += 1
        return self._transfers

    def send(self, tag: int, content: bytes) -> None:
        """Start to send a small message."""
        line = self.outgoing
        buffer = line.ucxx.buffer(np.frombuffer(bytearray(content), np.uint8))
        with line.ucxx.explained(f"send to {self.name}"):
            self._under_way.append((line.endpoint.tag_send(buffer, line.ucxx.tag(tag)), buffer))

    def flush(self) -> None:
        """Wait until UCX has taken all small messages."""
        line = self.outgoing
        while self._under_way:
            if not line.worker.progress_once():
                line.check_alive(f"send to {self.name}")
            self.forget_sent()
        self.check()

    def forget_sent(self) -> None:
        """Let go of what is sent; what failed is kept for `check`."""
        completed = [request for request, _ in self._under_way if request.completed]
        self._under_way = [one for one in self._under_way if not one[0].completed]
        for request in completed:
            try:
                with self.outgoing.ucxx.explained(f"send to {self.name}"):
                    request.check_error()
            except KvgaugeError as error:
                self._failed = self._failed or error

    def check(self) -> None:
        """Raise if a small message did not arrive: the peer does not know what comes next."""
        if self._failed is not None:
            raise self._failed

    def notifications(self) -> Iterator[bytes]:
        """Yield what is there; each is one small message, whose length a probe tells."""
        line = self.incoming
        tag = line.ucxx.tag(tag_of(line.connection, NOTIFICATION))
        while (found := line.worker.tag_probe(tag)).matched:
            if found.length > _MAX_NOTIFICATION:
                raise TransferFailed("bad-notification", f"ucx: {found.length} bytes of notification of {self.name!r}")
            content = np.empty(found.length, np.uint8)
            with line.ucxx.explained(f"receive from {self.name}"):
                request = line.worker.tag_recv(line.ucxx.buffer(content), tag)
                while not request.completed:
                    if not line.worker.progress_once():
                        line.check_alive(f"receive from {self.name}")
                request.check_error()
            yield content.tobytes()

    def close(self) -> None:
        """Let go of UCX."""
        self._under_way = []
        self.incoming.close()
        self.outgoing.close()


def _checked(settings: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in settings.items():
        if name not in _ACCEPTED:
            raise BadInput("bad-setting", f"ucx has no setting {name!r}", f"accepted: {', '.join(_ACCEPTED)}")
        if value not in _ACCEPTED[name]:
            raise BadInput("bad-setting", f"ucx: {name} = {value!r}", f"accepted: {', '.join(_ACCEPTED[name])}")
    return settings


def _address(told: Mapping[str, Any], peer: str) -> bytes:
    text = told.get("address")
    try:
        address = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (ValueError, binascii.Error):
        address = b""
    if not 0 < len(address) <= _MAX_ADDRESS or told.get("crc") != zlib.crc32(address):
        raise TransferFailed("bad-metadata", f"metadata of {peer!r} has no whole worker address of UCX's in it")
    return address
