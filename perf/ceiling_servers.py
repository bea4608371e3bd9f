"""What the workers that measure ceilings can be asked: copy memory, send over TCP loopback, read and write a volume.

Every question answers with the repeats of one measurement as [bytes, ns]; the
first repeat, which warms up, is not among them.
"""

from __future__ import annotations

import gc
import mmap
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from suite.errors import Missing, PeerLost
from suite.memory.file import FileRegion
from suite.memory.host import HostRegion

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BLOCK = 4 << 20  # bytes of one read or write of the volume
_ACKNOWLEDGED = b"!"
_CONNECT_S = 10.0
_TOKEN_BYTES = 32

Repeat = list[int]  # bytes, ns


class MemoryCopy:
    """One process that copies between two regions of its own."""

    def __init__(self, role: str) -> None:
        del role

    def copy(self, nbytes: int, pages: Literal["4k", "huge"], repeats: int) -> dict[str, object]:
        """Copy `nbytes` again and again; say on which pages."""
        source, destination = HostRegion(nbytes, pages), HostRegion(nbytes, pages)
        source.view()[:] = 7  # pages of their own, and no zeros that anything could skip
        there, here = destination.view().view(np.uint64), source.view().view(np.uint64)
        found = _repeated(lambda: np.copyto(there, here), nbytes, repeats)
        same = source.allocation == destination.allocation
        return {"repeats": found, "pages": source.allocation if same else "mixed"}


class Receiver:
    """The end of a TCP loopback that receives and acknowledges."""

    def __init__(self, role: str) -> None:
        del role
        self._connections: list[socket.socket] = []

    def listen(self, nbytes: int, pages: Literal["4k", "huge"]) -> int:
        """Make memory for `nbytes` and return the port; connections of an earlier measurement are closed."""
        _close(self._connections)
        self._region = HostRegion(nbytes, pages)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(_CONNECT_S)
        return int(self._server.getsockname()[1])

    def accept(self, connections: int, token: str) -> str:
        """Take that many connections, of nobody but who knows the token; return the kind of pages."""
        self._connections = []
        with self._server:
            while len(self._connections) < connections:
                one, _ = self._server.accept()
                one.settimeout(_CONNECT_S)
                if _received(one, _TOKEN_BYTES) == token.encode():
                    self._connections.append(one)
                else:
                    one.close()
        return self._region.allocation

    def receive(self, repeats: int) -> None:
        """Receive the memory's size as often as it will be sent, on all connections at once."""
        with ThreadPoolExecutor(len(self._connections)) as pool:
            pieces = _pieces(self._region.view(), len(self._connections))
            for _ in range(repeats + 1):
                list(pool.map(_receive, self._connections, pieces))


class Sender:
    """The end of a TCP loopback that sends, and has the clock."""

    def __init__(self, role: str) -> None:
        del role
        self._connections: list[socket.socket] = []

    def connect(self, nbytes: int, pages: Literal["4k", "huge"], *, port: int, connections: int, token: str) -> None:
        """Make memory of `nbytes` and connect."""
        _close(self._connections)
        self._region = HostRegion(nbytes, pages)
        self._region.view()[:] = 7
        self._connections = [_connected(port, token) for _ in range(connections)]

    def send(self, repeats: int) -> list[Repeat]:
        """Send the memory on all connections at once; a repeat ends when every connection has acknowledged."""
        with ThreadPoolExecutor(len(self._connections)) as pool:
            pieces = _pieces(self._region.view(), len(self._connections))
            return _repeated(lambda: list(pool.map(_send, self._connections, pieces)), self._region.nbytes, repeats)


class Volume:
    """One process that reads and writes a file with O_DIRECT, in blocks of `BLOCK` bytes, each once in a pass."""

    def __init__(self, role: str) -> None:
        del role

    def begin(self, path: str, nbytes: int, seconds: float) -> dict[str, object]:
        """Make the file, and write as much of it as can be written in `seconds`: only that is used.

        Space that was never written would be read without a look at the device.
        """
        self._file = FileRegion(Path(path), nbytes, direct=True)
        self._buffers = [mmap.mmap(-1, BLOCK) for _ in range(16)]
        for number, buffer in enumerate(self._buffers):  # random: a volume may compress
            buffer[:] = np.random.default_rng(number).bytes(BLOCK)
        deadline = time.monotonic() + seconds
        self._blocks = 0
        while self._blocks < nbytes // BLOCK and (time.monotonic() < deadline or not self._blocks):
            self._write(self._blocks, self._buffers[0])
            self._blocks += 1
        return {"bytes": self._blocks * BLOCK, "filesystem": self._file.filesystem}

    def move(self, op: Literal["read", "write"], threads: int, repeats: int) -> list[Repeat]:
        """Go once over the blocks that are there, a part in each repeat, `threads` blocks at a time."""
        one = self._read if op == "read" else self._write
        parts = np.array_split(np.arange(self._blocks), min(repeats, self._blocks))
        found = []
        with ThreadPoolExecutor(threads) as pool:
            for part in parts:
                lanes = [part[number::threads].tolist() for number in range(threads)]
                start = time.perf_counter_ns()
                list(pool.map(_each, [one] * threads, lanes, self._buffers))
                found.append([len(part) * BLOCK, time.perf_counter_ns() - start])
        return found

    def end(self) -> None:
        """Remove the file."""
        self._file.close(delete=True)

    def _read(self, block: int, buffer: mmap.mmap) -> None:
        _whole(os.preadv(self._file.device, [buffer], block * BLOCK))

    def _write(self, block: int, buffer: mmap.mmap) -> None:
        _whole(os.pwritev(self._file.device, [buffer], block * BLOCK))


def _each(move: Callable[[int, mmap.mmap], None], blocks: list[int], buffer: mmap.mmap) -> None:
    for block in blocks:
        move(block, buffer)


def _whole(moved: int) -> None:
    if moved != BLOCK:
        raise Missing("short-io", f"the volume moved {moved} of {BLOCK} bytes", "is it full, or the file cut?")


def _repeated(once: Callable[[], object], nbytes: int, repeats: int) -> list[Repeat]:
    """Do it once to warm up, then `repeats` times by the clock."""
    gc.collect()
    gc.disable()
    try:
        once()
        found = []
        for _ in range(repeats):
            start = time.perf_counter_ns()
            once()
            found.append([nbytes, time.perf_counter_ns() - start])
        return found
    finally:
        gc.enable()


def _pieces(whole: NDArray[np.uint8], count: int) -> list[memoryview]:
    return [piece.data for piece in np.array_split(whole, count)]


def _close(connections: list[socket.socket]) -> None:
    for one in connections:
        one.close()


def _connected(port: int, token: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), _CONNECT_S)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.sendall(token.encode())
    return one


def _send(connection: socket.socket, piece: memoryview) -> None:
    connection.sendall(piece)
    if connection.recv(1) != _ACKNOWLEDGED:
        raise PeerLost("peer-lost", "the receiving end of the TCP loopback is gone")


def _receive(connection: socket.socket, piece: memoryview) -> None:
    _fill(connection, piece)
    connection.sendall(_ACKNOWLEDGED)


def _received(connection: socket.socket, count: int) -> bytes:
    data = bytearray(count)
    _fill(connection, memoryview(data))
    return bytes(data)


def _fill(connection: socket.socket, piece: memoryview) -> None:
    while piece:
        got = connection.recv_into(piece)
        if not got:
            raise PeerLost("peer-lost", "the sending end of the TCP loopback is gone")
        piece = piece[got:]
