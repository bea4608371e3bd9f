"""How a request ends: complete, or early, and then at once or in doubt.

The user never waits for a writer: a request that ends early is over at once.
Its blocks come back only when nobody can write to them any more; until then
they are in quarantine and the request is in doubt. TensorRT-LLM's issues
12313, 12889 and 15737 (a side that hangs) and vLLM's 52234 (a block that is
freed while it is written) are what happens otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from suite.transfer.requests.actions import (
    CancelRanks,
    GiveBack,
    Quarantine,
    Release,
    Report,
    TellPeer,
    TellUser,
    Withdraw,
)
from suite.transfer.requests.events import Stopped
from suite.transfer.requests.request import State, Step

if TYPE_CHECKING:
    from suite.transfer.requests.actions import Action
    from suite.transfer.requests.request import Life


def complete(life: Life, at_ns: int) -> Step:
    """Every share has arrived; the blocks stay with the user until it is `Finished`."""
    life = replace(life.enter(State.COMPLETE, at_ns), outcome=State.COMPLETE)
    return Step(life, (TellUser(State.COMPLETE, "", in_doubt=False),))


def end(life: Life, outcome: State, reason: str, at_ns: int, *, tell_peer: bool = True) -> Step:
    """End a request early for its user, as `outcome` (FAILED or CANCELLED)."""
    writing = life.tally.writing
    actions: list[Action] = []
    if life.state is State.WAITING:
        actions.append(Withdraw())
    if life.blocks:
        actions.append(Quarantine(life.blocks) if writing else GiveBack(life.blocks))
    if writing and life.request.posts:
        actions.append(CancelRanks(writing))
    if tell_peer:
        actions.append(TellPeer(outcome, reason, writing, life.peer))
    actions.append(TellUser(outcome, reason, in_doubt=bool(writing)))
    ended = replace(life.enter(State.IN_DOUBT if writing else outcome, at_ns), outcome=outcome, reason=reason)
    if writing:
        return Step(ended, tuple(actions))
    return Step(replace(ended, blocks=()), (*actions, *all_stopped(ended)))


def settle(life: Life, at_ns: int) -> Step:
    """Leave doubt if the last writer has stopped."""
    if life.tally.writing or life.outcome is None:
        return Step(life)
    settled = replace(life.enter(life.outcome, at_ns), blocks=())
    return Step(settled, (Release(life.blocks), *all_stopped(settled)))


def all_stopped(life: Life) -> tuple[Action, ...]:
    """Return what proves to a peer that its blocks are safe from our ranks, if they are."""
    if not life.request.posts or life.tally.writing or not life.request.agreed:
        return ()
    return (Report(Stopped(frozenset(life.request.agreed), life.request.incarnation), life.peer),)
