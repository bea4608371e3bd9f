"""Two servers, their ranks and the wire in one process: a driver of ledgers that knows what really happens.

It looks at every block after every step. A block to which somebody may still
write, now or when a message under way arrives, must be held for the request
that it belongs to.
"""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Any

from suite.errors import BadInput, TransferFailed
from suite.transfer.requests import ledger as books
from suite.transfer.requests.actions import Announce, CancelRanks, Post, Report, TellPeer, TellUser
from suite.transfer.requests.blocks import new_pool
from suite.transfer.requests.events import (
    Cancelled,
    Done,
    Finished,
    Noticed,
    PeerLost,
    PeerReady,
    PeerRestarted,
    Posted,
    RankFailed,
    Stopped,
)
from suite.transfer.requests.inbox import Inbox, Outbox
from suite.transfer.requests.ledger import Ledger
from suite.transfer.requests.messages import Announcement, Hello
from suite.transfer.requests.request import UNDER_WAY, Request, Side, State
from suite.transfer.requests.translate import answers_for_unknown, body_of, event_of
from tests.suite.transfer.requests import checks
from tests.suite.transfer.requests.parts import OTHER, PATIENCE, RANKS, TOKEN, Server, Share, Violation, Wanted

if TYPE_CHECKING:
    from suite.transfer.requests.consensus import Pair
    from suite.transfer.requests.events import Event


class World:
    def __init__(self, blocks: int) -> None:
        self.starts = 0
        self.now_ns = 0
        self.servers = {side: self._started(side, Ledger(new_pool(blocks))) for side in Side}
        self.pipes: list[tuple[Side, deque[bytes]]] = []  # to whom, what; those of old sessions may still deliver
        self.history: list[tuple[Side, bytes]] = []
        self.shares: list[Share] = []
        self.notices: list[tuple[str, Pair, str]] = []
        self.noticed: set[tuple[str, Pair]] = set()
        self.posts: dict[str, Side] = {}  # by request: whose ranks post
        self.script: list[tuple[Any, ...]] = []  # what came from outside: real workers can be put through the same
        self.dial()

    # ---------------------------------------------------------- what may happen

    def work(self, number: int) -> None:
        """Let the ordinary go on: a small number stands for little, and each for its own choices."""
        chance = random.Random(number)  # noqa: S311  choices that can be repeated, not secrets
        for _ in range(number // 100):
            pick = chance.randrange(60)
            can = [
                (self.deliver, any(pipe for _, pipe in self.pipes)),
                (self.post, self._can_post()),
                (self.deliver, any(pipe for _, pipe in self.pipes)),
                (self.land, any(share.running for share in self.shares)),
                (self.notice, bool(self.notices)),
                (self.confirm_stop, any(share.owes_word() for share in self.shares)),
            ]
            able = [act for act, possible in can if possible]
            if able:
                able[pick % len(able)](pick // len(able))

    def submit(self, wanted: Wanted) -> None:
        name = f"r{len(self.posts)}"
        self.posts[name] = Side.PREFILL if wanted.push else Side.DECODE
        self.script.append(("submit", name, wanted))
        sides = ((Side.PREFILL, wanted.prefill, wanted.decode), (Side.DECODE, wanted.decode, wanted.prefill))
        for side, mine, theirs in sides:
            server, posts = self.servers[side], self.posts[name] is side
            request = Request(
                name, side, posts, server.incarnation, (mine,), theirs, wanted.agreed, PATIENCE, wanted.notice
            )
            server.queue.append(name)
            try:
                self._follow(server, books.submit(server.ledger, request, self.now_ns))
            except BadInput:
                server.queue.remove(name)
                continue
            if server.inbox.heard and server.speaks and not posts:
                self.give(side, name, PeerReady(server.inbox.heard))

    def wire_is_used(self) -> bool:
        """Tell whether bytes are on the wire, after a post if there can be one."""
        if self._can_post():
            self.post(0)
        return any(share.running for share in self.shares)

    def deliver(self, pick: int) -> None:
        full = [(side, pipe) for side, pipe in self.pipes if pipe]
        side, pipe = full[pick % len(full)]
        self._receive(self.servers[side], pipe.popleft())

    def replay(self, pick: int) -> None:
        side, data = self.history[pick % len(self.history)]
        server = self.servers[side]
        if data in server.opened:
            self._receive(server, data)

    def post(self, pick: int) -> None:
        shares = [share for share in self.shares if self.posts_on(share)]
        share = shares[pick % len(shares)]
        share.running.append(share.posted)
        share.posted += 1
        if share.posted == 1:
            self.says(share, Posted(share.pair, share.incarnation))

    def land(self, pick: int, *, short: bool = False) -> None:
        """Let a piece arrive; `short`: only a part of it, and its rank says how much that was."""
        shares = [share for share in self.shares if share.running]
        share = shares[pick % len(shares)]
        index = share.running.pop(pick % len(share.running))
        piece = share.pieces[index]
        if short:
            piece = piece._replace(nbytes=piece.nbytes - 1)
        else:
            share.landed.add(index)
        if len(share.landed) == len(share.pieces):
            self.notices.append((share.name, share.pair, share.incarnation))
        self.says(share, Done(share.pair, index, piece, share.incarnation))

    def break_share(self, pick: int, *, honest: bool) -> None:
        """Let a rank fail; an honest one has stopped, the other one cannot tell (and writes on)."""
        shares = [share for share in self.shares if share.running]
        share = shares[pick % len(shares)]
        share.stop = True
        self.script.append(("break", share.name, share.pair, honest))
        if honest:
            share.running.clear()
        self.says(share, RankFailed(share.pair, "broken", honest, share.incarnation))

    def confirm_stop(self, pick: int) -> None:
        """Let a rank that was told to stop say that it has."""
        shares = [share for share in self.shares if share.owes_word()]
        share = shares[pick % len(shares)]
        share.confirmed = True
        self.says(share, Stopped(frozenset({share.pair}), share.incarnation))

    def notice(self, pick: int) -> None:
        name, pair, incarnation = self.notices.pop(pick % len(self.notices))
        self.noticed.add((name, pair))
        self.give(OTHER[self.posts[name]], name, Noticed(pair, incarnation))

    def cancel(self, pick: int) -> None:
        known = self.known()
        side, name = known[pick % len(known)]
        self.script.append(("cancel", side, name))
        self.give(side, name, Cancelled())

    def finish(self, pick: int) -> None:
        known = self.known()
        side, name = known[pick % len(known)]
        self.script.append(("finish", side, name))
        self.give(side, name, Finished())

    def tick(self, ns: int) -> None:
        self.script.append(("tick", ns))
        self.now_ns += ns
        for server in self.servers.values():
            self._follow(server, books.tick(server.ledger, self.now_ns))

    def crash(self, side: Side, rank: int, *, peer_hears: bool) -> None:
        self.script.append(("crash", side, rank))
        self.servers[side].alive.discard(rank)
        for server in self.servers.values():
            if server.side is side or peer_hears:
                self._follow(server, books.handle_all(server.ledger, PeerLost(side, rank), self.now_ns))

    def restart(self, side: Side) -> None:
        self.script.append(("restart", side))
        old = self.servers[side]
        for rank in range(RANKS):
            self._follow(old, books.handle_all(old.ledger, PeerLost(side, rank), self.now_ns))
        new = self._started(side, old.ledger)
        new.queue, new.told, new.shown = old.queue, old.told, old.shown
        self.servers[side] = new
        self.dial()

    def dial(self) -> None:
        """Decode greets; prefill will answer."""
        decode = self.servers[Side.DECODE]
        decode.speaks = False
        self._greet(decode, None)

    def prove(self) -> None:
        """Tell of writers that have stopped where nobody else can any more, as who reaped them and saw the wire dry."""
        for side, server in self.servers.items():
            for name, life in list(server.ledger.lives.items()):
                mute = [pair for pair in life.tally.writing if self._cut_off(name, pair)]
                stopped = frozenset(pair for pair in mute if not self.may_write(name, pair))
                if life.state is State.IN_DOUBT and stopped and life.initiator is not None:
                    self.give(side, name, Stopped(stopped, life.initiator))

    def _cut_off(self, name: str, pair: Pair) -> bool:
        """Tell whether a rank that posts is dead, or one of the two servers not the one it was."""
        initiator = self.servers[self.posts[name]]
        rank = pair.prefill if initiator.side is Side.PREFILL else pair.decode
        lives = [server.ledger.lives[name] for server in self.servers.values() if name in server.ledger.lives]
        then = {life.request.incarnation for life in lives} | {life.peer for life in lives if life.peer is not None}
        return rank not in initiator.alive or not then <= {server.incarnation for server in self.servers.values()}

    # -------------------------------------------------------------- what is true

    def may_write(self, name: str, pair: Pair) -> bool:
        """Tell whether bytes of `pair` are on the wire, or could be posted yet."""
        mine = [share for share in self.shares if share.name == name and share.pair == pair]
        if any(share.running or self.posts_on(share) for share in mine):
            return True
        server = self.servers[self.posts[name]]
        life = server.ledger.lives.get(name)
        begins = life is not None and life.request.incarnation == server.incarnation and life.state in UNDER_WAY
        return begins and not mine and (name in server.announced or self._announcement_comes(server, name))

    def settle(self) -> None:
        """Let everything happen that must, and nothing else."""
        for _ in range(4):
            while any(pipe for _, pipe in self.pipes):
                self.deliver(0)
            while any(share.running for share in self.shares):
                self.land(0)
            while any(share.owes_word() for share in self.shares):
                self.confirm_stop(0)
            while self.notices:
                self.notice(0)
            checks.check(self)
            self.tick(1000)
            self.prove()
            checks.check(self)
        for side, server in self.servers.items():
            for name in tuple(server.ledger.lives):
                self.give(side, name, Finished())
        checks.check(self)
        for server in self.servers.values():
            checks.check_end(server)

    # ---------------------------------------------------------------- the driver

    def give(self, side: Side, name: str, event: Event) -> None:
        server = self.servers[side]
        self._follow(server, books.handle(server.ledger, name, event, self.now_ns))

    def says(self, share: Share, event: Event) -> None:
        """Let the initiator's rank speak to its own server, if both still live."""
        server = self.servers[self.posts[share.name]]
        rank = share.pair.prefill if server.side is Side.PREFILL else share.pair.decode
        if server.incarnation != share.incarnation or rank not in server.alive:
            return
        before = server.ledger.lives[share.name].state
        self.give(server.side, share.name, event)
        if isinstance(event, RankFailed) and before is State.TRANSFERRING:
            after = server.ledger.lives[share.name].state
            if after in UNDER_WAY:
                raise Violation(f"{server.side}: {share.name} goes on after a rank failed")

    def _follow(self, server: Server, turn: books.Turn) -> None:
        server.ledger = turn.ledger
        checks.check_queue(server)
        for name, action in turn.orders:
            self._do(server, name, action)

    def _do(self, server: Server, name: str, action: Any) -> None:
        request = server.ledger.lives[name].request
        match action:
            case Announce() | Report() | TellPeer():
                if isinstance(action, Announce):
                    server.shown[name] = action.blocks
                if server.speaks and action.to in {None, server.inbox.heard}:
                    self._send(server, body_of(request, action), server.inbox.heard)
            case Post(blocks):
                used = {server.side: blocks, OTHER[server.side]: server.announced[name]}
                for pair, pieces in request.agreed.items():
                    self.shares.append(Share(name, pair, request.incarnation, pieces, used))
            case CancelRanks(pairs):
                for share in self.shares:
                    share.stop |= share.name == name and share.pair in pairs
            case TellUser():
                checks.check_told(self, server, name, action)

    def _send(self, server: Server, body: Any, to: str | None) -> None:
        server.outbox, data = server.outbox.seal(body, to)
        pipe = next(pipe for side, pipe in reversed(self.pipes) if side is not server.side)
        pipe.append(data)

    def _greet(self, server: Server, to: str | None) -> None:
        server.outbox = Outbox(server.side, server.incarnation, TOKEN)
        self.pipes = [(side, pipe) for side, pipe in self.pipes if pipe or side is server.side]
        self.pipes.append((OTHER[server.side], deque()))
        self._send(server, Hello(ranks=RANKS, pool_blocks=server.ledger.pool.size), to)

    def _receive(self, server: Server, data: bytes) -> None:
        before = server.inbox
        try:
            server.inbox, message = before.open(data)
        except TransferFailed:
            return
        late = before.heard is not None and message.incarnation < before.heard
        if late or message.to not in {None, server.incarnation}:
            raise Violation(f"{server.side} hears the past: {message}")
        if data in server.opened:
            raise Violation(f"{server.side} hears twice: {message}")
        server.opened.add(data)
        self.history.append((server.side, data))
        body, heard = message.body, message.incarnation
        if isinstance(body, Hello):
            self._greeted(server, body, before.heard, heard)
        elif (life := server.ledger.lives.get(body.request)) is None:
            for answer in answers_for_unknown(body):
                self._send(server, answer, server.inbox.heard)
        else:
            event = event_of(body, heard, life.request, server.peer_pool)
            if isinstance(body, Announcement) and isinstance(event, PeerReady):
                server.announced[body.request] = tuple(body.blocks)
            self.give(server.side, body.request, event)

    def _greeted(self, server: Server, body: Hello, before: str | None, heard: str) -> None:
        server.speaks, server.peer_pool = True, body.pool_blocks
        if server.side is Side.PREFILL:
            self._greet(server, heard)
        if before is not None:
            self._follow(server, books.handle_all(server.ledger, PeerRestarted(heard), self.now_ns))
        for name, life in list(server.ledger.lives.items()):
            if not life.request.posts:
                self.give(server.side, name, PeerReady(heard))

    def _started(self, side: Side, ledger: Ledger) -> Server:
        self.starts += 1
        incarnation = f"{self.starts:032x}"
        outbox, inbox = Outbox(side, incarnation, TOKEN), Inbox(OTHER[side], incarnation, TOKEN)
        return Server(side, incarnation, ledger, outbox, inbox)

    def _can_post(self) -> bool:
        return any(self.posts_on(share) for share in self.shares)

    def posts_on(self, share: Share) -> bool:
        side = self.posts[share.name]
        server = self.servers[side]
        rank = share.pair.prefill if side is Side.PREFILL else share.pair.decode
        lives = server.incarnation == share.incarnation and rank in server.alive
        return lives and not share.stop and share.posted < len(share.pieces)

    def _announcement_comes(self, server: Server, name: str) -> bool:
        mark = f'"kind":"announcement","request":"{name}"'.encode()
        to = f'"to":"{server.incarnation}"'.encode()
        return any(mark in data and to in data for side, pipe in self.pipes if side is server.side for data in pipe)

    def known(self) -> list[tuple[Side, str]]:
        return [(side, name) for side, server in self.servers.items() for name in server.ledger.lives]
