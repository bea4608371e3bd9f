"""What must hold of the world after every step, and when all is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.transfer.requests.request import UNDER_WAY, Side, State
from tests.suite.transfer.requests.parts import OTHER, Violation

if TYPE_CHECKING:
    from suite.transfer.requests.actions import TellUser
    from suite.transfer.requests.blocks import Blocks
    from suite.transfer.requests.request import Life
    from tests.suite.transfer.requests.parts import Server
    from tests.suite.transfer.requests.world import World


def check(world: World) -> None:
    """Raise `Violation` for whatever must never be."""
    for server in world.servers.values():
        _check_pool(server)
        for name, life in server.ledger.lives.items():
            _check_life(server, name, life)
    for name in world.posts:
        _check_writers(world, name)


def _check_pool(server: Server) -> None:
    pool = server.ledger.pool
    held = [block for blocks in (*pool.owned.values(), *pool.quarantined.values()) for block in blocks]
    if sorted([*pool.free, *held]) != list(range(pool.size)):
        raise Violation(f"{server.side}: a block is in two places or in none: {pool}")
    if pool.waiting and pool.waiting[0].need[0] <= len(pool.free):
        raise Violation(f"{server.side}: {pool.waiting[0]} waits, but fits")


def _check_writers(world: World, name: str) -> None:
    for share in world.shares:
        if share.name == name and (share.running or world.posts_on(share)):
            for side, blocks in share.blocks.items():
                _check_held(world, side, name, blocks, str(share.pair))
    initiator, target = world.servers[world.posts[name]], world.servers[OTHER[world.posts[name]]]
    life = initiator.ledger.lives.get(name)
    if life is not None and any(world.may_write(name, pair) for pair in life.request.agreed):
        _check_held(world, target.side, name, target.shown.get(name, ()), "whom it was announced to")


def _check_held(world: World, side: Side, name: str, blocks: Blocks, who: str) -> None:
    pool = world.servers[side].ledger.pool
    if not set(blocks) <= {*pool.owned.get(name, ()), *pool.quarantined.get(name, ())}:
        raise Violation(f"{side}: blocks of {name} may still be written or read by {who}, but are not held")


def check_told(world: World, server: Server, name: str, action: TellUser) -> None:
    """Raise `Violation` for a user who hears twice how it ended, or of a success while a byte is missing."""
    if name in server.told:
        raise Violation(f"{server.side}: the user of {name} is told twice: {server.told[name]}, {action}")
    server.told[name] = action
    request = server.ledger.lives[name].request
    if action.outcome is not State.COMPLETE:
        return
    landed = {share.pair: len(share.landed) for share in world.shares if share.name == name}
    for pair, pieces in request.agreed.items():
        if landed.get(pair) != len(pieces):
            raise Violation(f"{server.side}: {name} is complete, but {pair} has {landed.get(pair)} pieces")
        if request.needs_notice and not request.posts and (name, pair) not in world.noticed:
            raise Violation(f"{server.side}: {name} is complete, but {pair} was not noticed")


def check_queue(server: Server) -> None:
    """Raise `Violation` for one who has blocks and came after one that still waits."""
    waiting = [name for name in server.queue if server.ledger.lives[name].state is State.WAITING]
    if waiting:
        for name in server.queue[server.queue.index(waiting[0]) :]:
            if State.ALLOCATED in server.ledger.lives[name].since:
                raise Violation(f"{server.side}: {name} overtook {waiting[0]}")
    server.queue = waiting


def _check_life(server: Server, name: str, life: Life) -> None:
    owned, doubted = server.ledger.pool.owned.get(name), server.ledger.pool.quarantined.get(name, ())
    if life.state in {State.FAILED, State.CANCELLED} and (owned or doubted):
        raise Violation(f"{server.side}: {name} is {life.state} and still has blocks")
    if life.state is State.IN_DOUBT and (not life.tally.writing or set(doubted) != set(life.blocks)):
        raise Violation(f"{server.side}: {name} is in doubt without a reason")
    if life.state not in UNDER_WAY and name not in server.told:
        raise Violation(f"{server.side}: the user of {name} was not told")


def check_end(server: Server) -> None:
    """Raise `Violation` for what has not ended when all is over, or has not come back."""
    for name, life in server.ledger.lives.items():
        if life.state is not life.outcome or life.blocks:
            raise Violation(f"{server.side}: {name} has not ended: {life.state}, {life.tally.writing}")
    if len(server.ledger.pool.free) != server.ledger.pool.size:
        raise Violation(f"{server.side}: somebody still has blocks: {server.ledger.pool}")
