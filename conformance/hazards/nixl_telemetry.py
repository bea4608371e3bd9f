"""NIXL: the telemetry of a transfer that is under way (facts H33)."""

from __future__ import annotations

import time

from conformance.hazards.attempt import Seen
from conformance.hazards.nixl_pair import Agent

_NBYTES = 8 << 20
_PATIENCE_S = 10.0


def garbage() -> Seen:
    """Ask while the target has done nothing yet, and again when all is done."""
    initiator, target = Agent("initiator", _NBYTES, 1), Agent("target", _NBYTES)
    initiator.nixl.add_remote_agent(target.nixl.get_agent_metadata())
    handle = initiator.write("target", target.rows())
    try:
        told = _told(initiator, handle)
    except Exception as error:  # noqa: BLE001  NIXL's exceptions have no common base, and any is what should come
        return Seen(seen=False, evidence=f"raised {type(error).__name__}")
    until = time.monotonic() + _PATIENCE_S
    while initiator.nixl.check_xfer_state(handle) != "DONE":
        target.nixl.get_new_notifs()
        if time.monotonic() > until:
            raise TimeoutError("the transfer did not end")
    right = _told(initiator, handle)
    return Seen(told["totalBytes"] != _NBYTES or told["descCount"] != 1, f"under way: {told}; done: {right}")


def _told(agent: Agent, handle: object) -> dict[str, int]:
    told = agent.nixl.get_xfer_telemetry(handle)
    return {name: int(getattr(told, name)) for name in ("totalBytes", "descCount", "xferDuration")}
