"""A request on one side, what it is and how far it is.

The states are those of TensorRT-LLM's Python runtime
(`tensorrt_llm/_torch/disaggregation`: INIT, READY, TRANSFERRING, ..., ERROR,
CANCELLED, and IN_DOUBT for a writer that may still write).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from suite.transfer.requests.consensus import new_tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.transfer.requests.actions import Action
    from suite.transfer.requests.blocks import Blocks, Need
    from suite.transfer.requests.consensus import Agreed, Tally


class Side(StrEnum):
    """Prefill has the KV cache, decode needs it."""

    PREFILL = "prefill"
    DECODE = "decode"


class State(StrEnum):
    """Where a request stands on one side."""

    QUEUED = "queued"
    WAITING = "waiting for blocks"
    ALLOCATED = "allocated"  # the metadata is being exchanged; nobody can write yet
    TRANSFERRING = "transferring"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    IN_DOUBT = "in doubt"  # over for its user, but somebody may still write


UNDER_WAY = frozenset({State.QUEUED, State.WAITING, State.ALLOCATED, State.TRANSFERRING})
EXPOSED = frozenset({State.TRANSFERRING, State.IN_DOUBT})


@dataclass(frozen=True)
class Patience:
    """How long a request may stay in each state, ns, counted from its entry.

    Apart, because time in a queue is no time of a transfer: one limit for all
    is why 60 s were too short for long prompts (TensorRT-LLM's issue 13868).
    """

    waiting_ns: int
    allocated_ns: int
    transferring_ns: int

    def of(self, state: State) -> int | None:
        """Return the limit of `state`, or None if it has none."""
        limits = {
            State.WAITING: self.waiting_ns,
            State.ALLOCATED: self.allocated_ns,
            State.TRANSFERRING: self.transferring_ns,
        }
        return limits.get(state)


@dataclass(frozen=True)
class Request:
    """What one side knows of a request when it is submitted.

    `name` is the same on both sides and is never used again, also not after a
    restart: a late message must not find another request under its name.
    """

    name: str
    side: Side
    posts: bool  # this side's ranks post: prefill in a push, decode in a pull
    incarnation: str  # of this server
    blocks: Need  # that this side needs, of each kind
    peer_blocks: int  # that the other side needs, of all kinds; block sizes may differ
    agreed: Agreed  # from the plans per pair of ranks; without any, nothing is missing at decode
    patience: Patience
    needs_notice: bool = False  # see `consensus.new_tally`; means nothing to the side that posts

    @property
    def other(self) -> Side:
        """The peer's side."""
        return Side.DECODE if self.side is Side.PREFILL else Side.PREFILL


@dataclass(frozen=True)
class Life:
    """A request and how far it is; `new_life` and `life.step` make them."""

    request: Request
    tally: Tally
    state: State = State.QUEUED
    blocks: Blocks = ()
    peer: str | None = None  # the incarnation with which it is, or was, exchanged
    peer_gone: bool = False  # the peer has restarted; what the old incarnation says is too late
    outcome: State | None = None  # how it ended for its user
    reason: str = ""
    since: Mapping[State, int] = field(default_factory=dict)  # clock at the entry of each state, ns

    @property
    def initiator(self) -> str | None:
        """The incarnation of the server whose ranks post."""
        return self.request.incarnation if self.request.posts else self.peer

    def enter(self, state: State, at_ns: int) -> Life:
        """Return this life in `state` from `at_ns` on."""
        return replace(self, state=state, since={**self.since, state: at_ns})


class Step(NamedTuple):
    """What came of an event: the next life, what is to be done, and why the event was not accepted (or nothing)."""

    life: Life
    actions: tuple[Action, ...] = ()
    refused: str = ""


def new_life(request: Request) -> Life:
    """Return the life of a request that has yet to be submitted."""
    return Life(request, new_tally(request.agreed, needs_notice=request.needs_notice and not request.posts))


def refuse(life: Life, what: str) -> Step:
    """Return that nothing came of an event, and say why."""
    return Step(life, (), f"request {life.request.name!r} ({life.state}): {what}")
