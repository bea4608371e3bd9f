"""NIXL: how `check_remote_xfer_done` matches notifications (facts H34)."""

from __future__ import annotations

import time

from conformance.hazards.attempt import Seen
from conformance.hazards.nixl_pair import Agent

_PATIENCE_S = 10.0


def prefix() -> Seen:
    """Of two tags the longer one is sent alone."""
    target = _notified(b"abc-11")
    found = target.nixl.check_remote_xfer_done("initiator", b"abc-1")
    left = target.nixl.check_remote_xfer_done("initiator", b"abc-11")
    return Seen(found and not left, f"abc-11 was sent: abc-1 is there: {found}; then abc-11 is there: {left}")


def empty() -> Seen:
    """Look three times for a notification without content."""
    target = _notified(b"")
    found = [bool(target.nixl.check_remote_xfer_done("initiator", b"")) for _ in range(3)]
    return Seen(all(found), f"sent once, looked for three times: {found}")


def _notified(tag: bytes) -> Agent:
    """Return a target whose agent has taken one notification in."""
    initiator, target = Agent("initiator", 4096), Agent("target", 4096)
    for one, other in ((initiator, target), (target, initiator)):
        one.nixl.add_remote_agent(other.nixl.get_agent_metadata())
    initiator.nixl.send_notif("target", tag)
    until = time.monotonic() + _PATIENCE_S
    while not target.nixl.notifs.get("initiator"):
        initiator.nixl.get_new_notifs()  # drives its connection
        target.nixl.update_notifs()
        if time.monotonic() > until:
            raise TimeoutError("no notification has come")
    return target
