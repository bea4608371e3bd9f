"""The scripts of a fault at a peer: what the two sides are asked to do, phase by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.faults.cells import AFTER, BEFORE, CONNECTED, INITIATOR, TARGET, UNDER_WAY
from suite.transports.base import State

if TYPE_CHECKING:
    from conformance.faults.cells import Cell
    from conformance.transfer.scene import Scene

    Steps = list[tuple[str, dict[str, Any]]]

_WARM, _EARLY = 3, 0.3  # posts, and the share of the shortest that is well within it


def set_up(one: Scene, cell: Cell) -> None:
    """Lay out, open, and get as far as the phase wants before the fault."""
    one.lay()
    for role in (INITIATOR, TARGET):
        one.open(role)
    if cell.phase != BEFORE:
        one.connect(INITIATOR, TARGET)
        one.connect(TARGET, INITIATOR)
    one.stage_bytes()
    if cell.phase != BEFORE:
        one.prepare(tag=b"" if cell.phase == AFTER else None)


def inside_post_s(one: Scene, *, two_sided: bool) -> float:
    """Return after how long a post is in the middle of its work, 0 if it leaves the work to those who poll.

    The case is moved for that, more than once: the first transfer of a pair of endpoints is not like the others.
    """
    one.prepare("warm", tag=b"")
    one.move("warm", count=0)
    found = []
    for _ in range(0 if two_sided else _WARM):
        state, taken = one.ask(INITIATOR, "time_post", name="warm")
        found.append(taken * _EARLY if state == State.DONE.name else 0.0)
        one.drive({INITIATOR: {"names": ["warm"]}, TARGET: {}})
    one.stage_bytes()
    return min(found, default=0.0)


def initiators_part(one: Scene, cell: Cell, strike: dict[str, Any], after_s: float) -> Steps:
    """Return what the initiator does; it knows when the fault is due: `after_s` within a post, 0: when that returns."""
    suffer: Steps = [("suffer", {"strike": strike})]
    move: Steps = [("post", {}), ("wait", {})]
    looked: Steps = [("look", {"place": "main"})] if one.destination()[0] == INITIATOR else []
    if cell.phase == UNDER_WAY:
        return [("post", {"strike": strike, "after_s": after_s}), ("wait", {}), *looked]
    if cell.phase == CONNECTED:
        return [*suffer, *move, *looked]
    if cell.phase == AFTER:
        told: Steps = [("notify", {"peer": one.agent(TARGET), "tag": one.coded(one.case.tag)})] if one.notifies else []
        return [*move, *looked, *suffer, *told]
    return [*suffer, _connect(one, TARGET), ("prepare", {"name": "t", **one.arguments()}), *move, *looked]


def targets_part(one: Scene, cell: Cell, mark: str, over: str, *, two_sided: bool, quiet_s: float) -> Steps:
    """Return what the target does: take part, wait to be notified, look at the bytes at once, serve until it is over.

    `mark` and `over` are files: of the fault, and of the end.
    """
    steps: Steps = []
    if cell.phase == BEFORE:
        steps += [("linger", {"until": mark}), _connect(one, INITIATOR)]
    if two_sided:
        tag = b"" if cell.phase == AFTER else None
        told = {**one.arguments(tag=tag), "peer": one.agent(INITIATOR)}
        steps += [("prepare", {"name": "t", **told})] if cell.phase == BEFORE else []
        steps += [("post", {}), ("wait", {})]
    if one.notifies and one.case.tag:
        steps += [("listen", {"count": 1, "quiet_s": quiet_s, "over": over})]
        steps += [("look", {"place": "main"})] if one.destination()[0] == TARGET else []
    return [*steps, ("linger", {"until": over})]


def _connect(one: Scene, peer: str) -> tuple[str, dict[str, Any]]:
    return "connect", {"peer": one.agent(peer), "metadata": one.metadata[peer]}
