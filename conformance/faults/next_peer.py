"""Can the survivor serve the next peer? A third worker, that was not there before, moves a few bytes with it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from conformance.faults.cells import INITIATOR, TARGET
from conformance.transfer.crew import Died, Refusal
from conformance.transfer.scene import REST
from suite.transports.base import Op

if TYPE_CHECKING:
    from conformance.transfer.scene import Scene

_NEXT, _SEED, _ROWS = "other", 77, 4
_TAG = b"next"


def served(one: Scene, survivor: str, *, two_sided: bool) -> str:
    """Return why a transfer between the survivor and a new peer failed, in words; empty if it did not."""
    try:
        return _moved(one, survivor, two_sided=two_sided)
    except (Refusal, Died) as error:
        return str(error)


def _moved(one: Scene, survivor: str, *, two_sided: bool) -> str:
    mover, server = (INITIATOR, _NEXT) if survivor == INITIATOR else (_NEXT, TARGET)
    _forgotten(one, survivor)
    one.lay_one(_NEXT, "main", max(one.case.nbytes), max(one.case.starts))
    one.open(_NEXT, posts=mover == _NEXT)
    one.connect(_NEXT, survivor)
    one.connect(survivor, _NEXT)
    source, destination = (mover, server) if one.op is Op.WRITE else (server, mover)
    rows = one.case.rows[:_ROWS]
    one.ask(source, "paint", place="main", seed=_SEED)
    one.ask(destination, "stage", place="main", seed=_SEED + 1, rows=rows, source=one.painted(_SEED))
    told = {"op": one.op.value, "rows": one.between(source, destination, rows)}
    tag = base64.b64encode(_TAG if one.notifies else b"").decode()
    for role, peer in ((mover, server), (server, mover)) if two_sided else ((mover, server),):
        one.ask(role, "prepare", name="next", peer=one.agent(peer), tag=tag, **told)
    names = {"names": ["next"], "post": True, "rest": REST}
    answers = one.drive({mover: names, server: names if two_sided else {"rest": REST}})
    if late := [role for role, answer in answers.items() if answer["late"]]:
        return f"no end: the {' and the '.join(late)} still waits"
    if one.notifies and [one.agent(mover), tag] not in answers[server]["arrived"]:
        return "the next transfer is done, and was not notified"
    damage = one.ask(destination, "damage", place="main")
    return f"{damage['rows'] + damage['beside']} bytes of the next transfer are wrong" if damage else ""


def _forgotten(one: Scene, survivor: str) -> None:
    """Release the transfer of the fault, as one does; an error of that is none of the next peer's."""
    try:
        one.ask(survivor, "release", name="t")
    except Refusal:
        return
