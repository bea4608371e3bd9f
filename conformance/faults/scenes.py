"""The scripts of a fault at a peer: what the two sides are asked to do, phase by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.faults.cells import AFTER, BEFORE, CONNECTED, INITIATOR, TARGET, UNDER_WAY

if TYPE_CHECKING:
    from conformance.faults.cells import Cell
    from conformance.transfer.scene import Scene

    Steps = list[tuple[str, dict[str, Any]]]

INSIDE_POST_S = 0.002  # where post does all of the work: after that it is in the middle of it
OVER = "over"  # the file that ends the target's part


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


def initiators_part(one: Scene, cell: Cell, strike: dict[str, Any]) -> Steps:
    """Return what the initiator does; it knows when the fault is due."""
    suffer: Steps = [("suffer", {"strike": strike})]
    move: Steps = [("post", {}), ("wait", {})]
    looked: Steps = [("look", {"place": "main"})] if one.destination()[0] == INITIATOR else []
    if cell.phase == UNDER_WAY:
        return [("post", {"strike": strike, "after_s": INSIDE_POST_S}), ("wait", {}), *looked]
    if cell.phase == CONNECTED:
        return [*suffer, *move, *looked]
    if cell.phase == AFTER:
        told: Steps = [("notify", {"peer": one.agent(TARGET), "tag": one.coded(one.case.tag)})] if one.notifies else []
        return [*move, *looked, *suffer, *told]
    return [*suffer, _connect(one, TARGET), ("prepare", {"name": "t", **one.arguments()}), *move, *looked]


def targets_part(one: Scene, cell: Cell, mark: str, *, two_sided: bool, quiet_s: float) -> Steps:
    """Return what the target does: take part, wait to be notified, look at the bytes at once, serve until it is over."""
    steps: Steps = []
    if cell.phase == BEFORE:
        steps += [("linger", {"until": mark}), _connect(one, INITIATOR)]
    if two_sided:
        tag = b"" if cell.phase == AFTER else None
        told = {**one.arguments(tag=tag), "peer": one.agent(INITIATOR)}
        steps += [("prepare", {"name": "t", **told})] if cell.phase == BEFORE else []
        steps += [("post", {}), ("wait", {})]
    if one.notifies and one.case.tag:
        steps += [("listen", {"count": 1, "quiet_s": quiet_s, "over": OVER})]
        steps += [("look", {"place": "main"})] if one.destination()[0] == TARGET else []
    return [*steps, ("linger", {"until": OVER})]


def _connect(one: Scene, peer: str) -> tuple[str, dict[str, Any]]:
    return "connect", {"peer": one.agent(peer), "metadata": one.metadata[peer]}
