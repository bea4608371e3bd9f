"""All requests of one server and the pool whose blocks they want, kept in step.

A driver gives it what happens and does what it says. What the pool has to do
is done here, at once: a block that one request gives back is granted to the
next in the same turn, so there is no moment at which the two could disagree.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from suite.errors import BadInput
from suite.transfer.requests import blocks as pools
from suite.transfer.requests import life as lives
from suite.transfer.requests.actions import Allocate, GiveBack, Quarantine, Release, Withdraw
from suite.transfer.requests.events import Clock, Granted, Submitted
from suite.transfer.requests.request import new_life

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from suite.transfer.requests.actions import ForDriver, ForPool
    from suite.transfer.requests.blocks import BlockPool, Grant
    from suite.transfer.requests.events import Event
    from suite.transfer.requests.request import Life, Request


@dataclass(frozen=True)
class Ledger:
    """The lives of one server's requests, by name, and its pool."""

    pool: BlockPool
    lives: Mapping[str, Life] = field(default_factory=dict)


class Order(NamedTuple):
    """What the driver has to do for a request."""

    request: str
    action: ForDriver


class Turn(NamedTuple):
    """What came of an event: the next ledger, orders in the order in which they are to be done, refusals to log."""

    ledger: Ledger
    orders: tuple[Order, ...] = ()
    refused: tuple[str, ...] = ()


def submit(ledger: Ledger, request: Request, at_ns: int) -> Turn:
    """Begin a request. Raises `BadInput` for a name that is known, and for more blocks than the pool has."""
    if request.name in ledger.lives:
        raise BadInput("known-request", f"there is a request {request.name!r} already", "give each request a new name")
    begun = replace(ledger, lives={**ledger.lives, request.name: new_life(request)})
    return handle(begun, request.name, Submitted(), at_ns)


def handle(ledger: Ledger, name: str, event: Event, at_ns: int) -> Turn:
    """Give one event to the request `name`; its peers may name one that is not known, which is refused."""
    return _run(ledger, deque([(name, event)]), at_ns)


def handle_all(ledger: Ledger, event: Event, at_ns: int) -> Turn:
    """Give one event to every request, in the order of submission: a lost rank, a restarted peer."""
    orders: list[Order] = []
    for name in tuple(ledger.lives):
        ledger, more, _ = handle(ledger, name, event, at_ns)  # whom it does not concern refuses it; that is no news
        orders += more
    return Turn(ledger, tuple(orders))


def tick(ledger: Ledger, at_ns: int) -> Turn:
    """Let time pass for every request."""
    return handle_all(ledger, Clock(), at_ns)


def next_deadline_ns(ledger: Ledger) -> int | None:
    """Return the clock value at which `tick` will end a request, or None."""
    deadlines = [lives.deadline_ns(life) for life in ledger.lives.values()]
    return min((deadline for deadline in deadlines if deadline is not None), default=None)


def forget(ledger: Ledger, name: str) -> Ledger:
    """Drop a request that has ended and holds no block. Raises `PoolMisused` for any other."""
    life = ledger.lives[name]
    if life.outcome is not life.state or life.blocks:
        raise pools.PoolMisused(f"request {name!r} is forgotten while it is {life.state} with blocks {life.blocks}")
    return replace(ledger, lives={other: kept for other, kept in ledger.lives.items() if other != name})


def _run(ledger: Ledger, events: deque[tuple[str, Event]], at_ns: int) -> Turn:
    """Work off an event and all grants that follow from it."""
    orders: list[Order] = []
    refused: list[str] = []
    while events:
        name, event = events.popleft()
        if name not in ledger.lives:
            refused.append(f"{type(event).__name__} for a request {name!r} that is not known")
            continue
        life, actions, why = lives.step(ledger.lives[name], event, at_ns)
        refused += [why] if why else []
        ledger = replace(ledger, lives={**ledger.lives, name: life})
        for action in actions:
            if isinstance(action, _POOL_ACTIONS):
                pool, grants = _apply(ledger.pool, name, action)
                ledger = replace(ledger, pool=pool)
                events.extend(_granted(grants))
            else:
                orders.append(Order(name, action))
    return Turn(ledger, tuple(orders), tuple(refused))


def _apply(pool: BlockPool, owner: str, action: ForPool) -> pools.Granted:
    match action:
        case Allocate(need):
            return pools.allocate(pool, owner, need)
        case Withdraw():
            return pools.withdraw(pool, owner)
        case GiveBack(blocks):
            return pools.give_back(pool, owner, blocks)
        case Release(blocks):
            return pools.release(pool, owner, blocks)
        case Quarantine(blocks):
            return pools.quarantine(pool, owner, blocks), ()


def _granted(grants: Iterable[Grant]) -> list[tuple[str, Event]]:
    return [(grant.owner, Granted(grant.blocks)) for grant in grants]


_POOL_ACTIONS = (Allocate, Withdraw, GiveBack, Quarantine, Release)
