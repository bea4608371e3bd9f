"""Mooncake over TCP: a batch that overflows a peer's queues (facts H30 to H32), by its own calls alone.

The queues hold 1024 transfers and 1024 more that wait (MC_TCP_MAX_QUEUED_TRANSFERS_PER_PEER,
MC_TCP_MAX_PENDING_ADMISSIONS_PER_PEER).
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.hazards.attempt import Seen
from conformance.hazards.peer import peer
from suite.errors import Missing

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

_ROWS, _ROW, _SMALL = 4096, 16 << 10, 4096
_NBYTES = _ROWS * _ROW + _SMALL
_FIRST, _LATER = 1, 2  # what the source holds: before the call, and after it
_WATCHED_S = 1.5


def refused() -> Seen:
    """Tell whether a batch of 4096 is refused."""
    batch, _, _ = _tried()
    return Seen(batch != 0, f"batch_transfer_sync_write of {_ROWS} descriptors returned {batch}")


def collateral() -> Seen:
    """Tell whether the next small write is refused, too."""
    batch, small, _ = _tried()
    return Seen(batch != 0 != small, f"after {batch}, transfer_sync_write of {_SMALL} bytes returned {small}")


def late() -> Seen:
    """Tell whether bytes arrive that the source was given after the call had returned its error."""
    batch, _, late = _tried()
    return Seen(batch != 0 and late > 0, f"after {batch}, {late} bytes arrived that the source was given later")


def _tried() -> tuple[int, int, int]:
    """Return what the batch and the small write returned, and how many later bytes are at the target."""
    if find_spec("mooncake") is None:
        raise Missing("no-mooncake", "Mooncake is not installed", "pip install mooncake-transfer-engine-non-cuda")
    with peer(_target) as target:
        port, there = target.told()
        engine, memory = _engine()
        memory[:] = _FIRST
        here, name = memory.ctypes.data, f"127.0.0.1:{port}"
        offsets = np.arange(_ROWS) * _ROW
        rows = (here + offsets).tolist(), (there + offsets).tolist(), [_ROW] * _ROWS
        batch = engine.batch_transfer_sync_write(name, *rows)
        small = engine.transfer_sync_write(name, here + _ROWS * _ROW, there + _ROWS * _ROW, _SMALL)
        memory[:] = _LATER
        time.sleep(_WATCHED_S)
        return batch, small, target.ask(_LATER)


def _target(pipe: Connection) -> None:
    engine, memory = _engine()
    pipe.send((engine.get_rpc_port(), memory.ctypes.data))
    while True:
        wanted = pipe.recv()
        pipe.send(int(np.count_nonzero(memory[:-_SMALL] == wanted)))


def _engine() -> tuple[Any, NDArray[np.uint8]]:
    from mooncake.engine import TransferEngine

    engine, memory = TransferEngine(), np.zeros(_NBYTES, np.uint8)
    if engine.initialize("127.0.0.1:0", "P2PHANDSHAKE", "tcp", "") != 0:
        raise Missing("no-mooncake", "Mooncake's engine did not start")
    engine.register_memory(memory.ctypes.data, _NBYTES)
    return engine, memory
