"""NIXL: what an initiator learns of a peer that is dead or stopped (facts H35, H36)."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from conformance.hazards.attempt import Seen
from conformance.hazards.nixl_pair import Agent
from conformance.hazards.peer import Peer, peer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_NBYTES = 1 << 20
_PATIENCE_S, _WATCHED_S = 10.0, 5.0


def dead() -> Seen:
    """Move once, kill the peer, wait, ask."""
    with peer(_target) as target:
        initiator, _ = _connected(target)
        target.process.kill()
        target.process.join()
        time.sleep(1)
        known = initiator.nixl.check_remote_metadata("target")
        return Seen(bool(known), f"check_remote_metadata a second after the peer was killed: {known}")


def stopped() -> Seen:
    """Move once, stop the peer, post, and poll for five seconds."""
    with peer(_target) as target:
        initiator, rows = _connected(target)
        os.kill(target.process.pid or 0, signal.SIGSTOP)
        state = _driven(initiator, rows, _WATCHED_S)
        return Seen(state == "PROC", f"{state} after {_WATCHED_S:.0f} s")


def _connected(target: Peer) -> tuple[Agent, list[tuple[int, int, int]]]:
    metadata, rows = target.told()
    initiator = Agent("initiator", _NBYTES, 1)
    initiator.nixl.add_remote_agent(metadata)
    if (state := _driven(initiator, rows, _PATIENCE_S)) != "DONE":
        raise TimeoutError(f"the first transfer is {state}")
    return initiator, rows


def _driven(initiator: Agent, rows: list[tuple[int, int, int]], patience_s: float) -> str:
    until = time.monotonic() + patience_s
    try:
        handle = initiator.write("target", rows)
        while (state := initiator.nixl.check_xfer_state(handle)) != "DONE" and time.monotonic() < until:
            time.sleep(0.001)
    except Exception as error:  # noqa: BLE001  NIXL's exceptions have no common base
        return type(error).__name__
    return str(state)


def _target(pipe: Connection) -> None:
    target = Agent("target", _NBYTES)
    pipe.send((target.nixl.get_agent_metadata(), target.rows()))
    while True:
        target.nixl.get_new_notifs()
        time.sleep(0.001)
