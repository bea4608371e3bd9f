"""One server, prefill or decode: its ledger, its ranks, and its side of the talk with the other server.

A turn takes what the peer has said, lets time pass, has the ranks go on, and
follows what the ledger makes of all that. It has two halves, so that a server
whose ranks wait for those of the other does not keep it from its next turns. It
raises `WorkerFailed` when a rank is lost; what becomes of the server then is
decided in `service`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suite.errors import BadInput, TransferFailed
from suite.transfer.requests import ledger as books
from suite.transfer.requests.actions import Announce, CancelRanks, Post, Report, TellPeer, TellUser
from suite.transfer.requests.consensus import Pair, Piece
from suite.transfer.requests.events import (
    Disagreed,
    Done,
    Finished,
    Noticed,
    PeerReady,
    PeerRestarted,
    Posted,
    RankFailed,
    Stopped,
)
from suite.transfer.requests.inbox import Inbox, Outbox
from suite.transfer.requests.messages import Announcement, Hello, refused
from suite.transfer.requests.request import UNDER_WAY, Request, State
from suite.transfer.requests.request import Side as SideOf
from suite.transfer.requests.translate import answers_for_unknown, body_of, event_of
from suite.transfer.serving.rooms import Rooms
from suite.transfer.task import SIDES, role_of, seat_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from suite.transfer.requests.events import Event
    from suite.transfer.requests.ledger import Ledger, Turn
    from suite.transfer.requests.messages import Body
    from suite.transfer.requests.request import Life
    from suite.transfer.requests.translate import Said
    from suite.transfer.serving.link import Link
    from suite.transfer.serving.ranks import SideRanks
    from suite.transfer.task import SideName, Task

_MOST_REFUSALS = 100


@dataclass
class Note:
    """What a server knows of a request besides its life."""

    outcome: State | None = None
    reason: str = ""
    submitted_ns: int = 0
    ended_ns: int = 0
    checking: set[str] = field(default_factory=set)  # roles
    checked: bool = False
    lost: bool = False  # the ranks that held it are gone
    compared_bytes: int = 0
    check_ns: int = 0
    store_ns: int = 0  # of a handoff: the slowest rank's
    findings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # (role, finding)
    moved: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))  # role -> its "done"s


class Server:
    """See the module; `link` is replaced with every new session."""

    def __init__(self, task: Task, side: SideName, ledger: Ledger, token: str, incarnation: str) -> None:
        self.side = side
        self._task, self._token = task, token
        self._other: SideName = SIDES[1 - SIDES.index(side)]
        self._rooms = {name: Rooms(task, name) for name in SIDES}
        self.ledger = ledger
        self.past: dict[str, Life] = {}  # of requests that are over on both sides
        self.notes: dict[str, Note] = {}
        self.refusals: list[str] = []
        self._orders: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._held: set[str] = set()  # requests whose blocks our ranks know
        self.start(incarnation)

    def start(self, incarnation: str) -> None:
        """Begin as `incarnation`; what the ledger has of earlier ones stays there until it is proven harmless."""
        self.incarnation = incarnation
        self.outbox = Outbox(self.side, incarnation, self._token)
        self.inbox = Inbox(self._other, incarnation, self._token)
        self._speaks = False
        self._announced: dict[str, tuple[int, ...]] = {}  # the peer's blocks
        self._readying: dict[str, tuple[Announce, set[str]]] = {}  # what is announced when these roles have computed
        self._after: list[tuple[str, Announce]] = []  # what is announced when the ranks have made room
        self._room_made: list[tuple[str, Announce]] = []  # of it: what they make room for in this turn
        self._orders.clear()
        self._in_turn = False  # the ranks are asked, and have not all answered

    def attach(self, ranks: SideRanks, link: Link) -> None:
        """Use these ranks and this connection from now on; decode greets first."""
        self.ranks = ranks
        self.connect(link)

    def connect(self, link: Link) -> None:
        """Begin a session over a new connection."""
        self.link = link
        self._speaks = self._cut = False
        if self.side == "decode":
            self._greet(None)

    # ------------------------------------------------------------------ doing

    def submit(self, request: Request, at_ns: int) -> None:
        """Begin a request; `BadInput` if the pool can never hold it."""
        self.notes[request.name] = Note(submitted_ns=at_ns)
        self._follow(books.submit(self.ledger, request, at_ns), at_ns)
        if self._speaks and self.inbox.heard and not request.posts:
            self.give(request.name, PeerReady(self.inbox.heard), at_ns)

    def begin_turn(self, at_ns: int, slice_ns: int) -> None:
        """Take what the peer has said, let time pass, and have the ranks go on for a while, if they do not already."""
        if self._in_turn:
            return
        self._in_turn = True
        for data in self.link.take():
            self._receive(data, at_ns)
        if self.link.closed and not self._cut:
            self._cut = True
            # however many refusals there are already
            self.refusals.append(f"nothing more is heard of {self._other}: {self.link.closed}")
        self._follow(books.tick(self.ledger, at_ns), at_ns)
        orders, self._orders = self._orders, defaultdict(list)
        self._room_made, self._after = self._after, []
        self.ranks.send(
            "turn", {role: {"orders": orders.get(role, []), "slice_ns": slice_ns} for role in self.ranks.roles}
        )

    def end_turn(self, at_ns: int, wait_s: float) -> None:
        """Hear what the ranks have to tell, if all have within `wait_s`; raises `WorkerFailed` for one that is lost."""
        answers = self.ranks.collect("turn", wait_s) if self._in_turn else None
        if answers is None:
            return
        self._in_turn = False
        for name, action in self._room_made:
            self._announce(name, action)
        for role, reports in answers.items():
            for report in reports:
                self._reported(role, report, at_ns)

    def leave_turn(self) -> None:
        """Wait for no answer any more: the ranks are gone."""
        self._in_turn = False

    @property
    def idle(self) -> bool:
        """Whether the ranks have been given every order."""
        return not any(self._orders.values()) and not self._in_turn

    def give(self, name: str, event: Event, at_ns: int) -> None:
        """Give an event to a request."""
        self._follow(books.handle(self.ledger, name, event, at_ns), at_ns)

    def give_all(self, event: Event, at_ns: int) -> None:
        """Give an event to all requests."""
        self._follow(books.handle_all(self.ledger, event, at_ns), at_ns)

    def ranks_are_lost(self, at_ns: int) -> None:
        """Give up what only the ranks knew: room that was made, checks that were under way."""
        self._held.clear()
        for name, note in self.notes.items():
            if note.outcome is State.COMPLETE and not note.checked:
                note.checked, note.lost = True, True
                note.checking.clear()
                self.give(name, Finished(), at_ns)

    def over(self, name: str) -> bool:
        """Tell whether a request has ended, was checked, and holds no block."""
        if name in self.past:
            return True
        life, note = self.ledger.lives[name], self.notes[name]
        if life.state in UNDER_WAY or life.state is State.IN_DOUBT or life.blocks:
            return False
        return note.checked or note.outcome is not State.COMPLETE

    def forget(self, name: str) -> None:
        """Let a request go that is over on both sides: every event is given to all that the ledger has."""
        self.past[name] = self.ledger.lives[name]
        self.ledger = books.forget(self.ledger, name)

    def life(self, name: str) -> Life:
        """Return the life of a request, also of one that is long over."""
        return self.past.get(name) or self.ledger.lives[name]

    # -------------------------------------------------------------- following

    def _follow(self, turn: Turn, at_ns: int, said_by: str = "") -> None:
        self.ledger = turn.ledger
        self._log(f"{said_by}{why}" for why in turn.refused)
        for name in [name for name in self._held if not self.ledger.lives[name].blocks]:
            self._held.discard(name)
            self._order_all(name, {"do": "forget" if self.notes[name].outcome is State.COMPLETE else "wipe"})
        for name, action in turn.orders:
            self._do(name, action, at_ns)

    def _do(self, name: str, action: Any, at_ns: int) -> None:
        life = self.ledger.lives[name]
        match action:
            case Announce(blocks):
                self._hold(name, blocks)
                if self.side == "prefill":
                    self._order_all(name, {"do": "compute"})
                    self._readying[name] = action, set(self._roles(name))
                else:
                    self._after.append((name, action))
            case Post(blocks):
                self._hold(name, blocks)
                if self.side == "prefill":
                    self._order_all(name, {"do": "compute"})
                self._order_all(name, {"do": "post", "tables": self._tables(name, blocks)})
            case CancelRanks(pairs):
                for role in self._roles(name):
                    mine = [list(pair) for pair in sorted(pairs) if pair[SIDES.index(self.side)] == seat_of(role)[1]]
                    if mine:
                        self._orders[role].append({"do": "cancel", "request": _number(name), "pairs": mine})
            case Report() | TellPeer():
                if self._speaks and action.to in {None, self.inbox.heard}:
                    self._send(body_of(life.request, action))
            case TellUser(outcome, reason):
                note = self.notes[name]
                note.outcome, note.reason, note.ended_ns = outcome, reason, at_ns
                if outcome is State.COMPLETE:
                    note.checking = set(self._roles(name))
                    self._order_all(name, {"do": "check"})

    def _hold(self, name: str, blocks: tuple[int, ...]) -> None:
        self._held.add(name)
        self._order_all(name, {"do": "hold", "table": self._rooms[self.side].table(_number(name), blocks)})

    def _tables(self, name: str, blocks: tuple[int, ...]) -> dict[str, Any]:
        both = {self.side: blocks, self._other: self._announced[name]}
        return {side: self._rooms[side].table(_number(name), both[side]) for side in SIDES}

    def _roles(self, name: str) -> list[str]:
        return self._task.ranks_of(self.side, _number(name))

    def _order_all(self, name: str, order: Mapping[str, Any]) -> None:
        for role in self._roles(name):
            self._orders[role].append({**order, "request": _number(name)})

    # ------------------------------------------------------- what the ranks say

    def _reported(self, role: str, report: Mapping[str, Any], at_ns: int) -> None:
        name = f"r{report['request']}"
        life, note = self.life(name), self.notes[name]
        ours = life.request.incarnation
        match report["kind"]:
            case "posted":
                self.give(name, Posted(Pair(*report["pair"]), ours), at_ns)
            case "done":
                note.moved[role].append(dict(report))
                piece = Piece(*report["moved"])
                self.give(name, Done(Pair(*report["pair"]), report["index"], piece, ours), at_ns)
            case "failed":
                event = RankFailed(Pair(*report["pair"]), report["reason"], report["stopped"], ours)
                self.give(name, event, at_ns)
            case "stopped":
                self.give(name, Stopped(frozenset(Pair(*pair) for pair in report["pairs"]), ours), at_ns)
            case "noticed":
                self.give(name, Noticed(Pair(*report["pair"]), str(life.peer)), at_ns)
            case "computed":
                note.store_ns = max(note.store_ns, report.get("store_ns", 0))
                self._computed(name, role)
            case "checked":
                self._checked(name, role, report, at_ns)

    def _computed(self, name: str, role: str) -> None:
        if name not in self._readying:
            return
        action, waiting = self._readying[name]
        waiting.discard(role)
        if not waiting:
            del self._readying[name]
            self._announce(name, action)

    def _announce(self, name: str, action: Announce) -> None:
        life = self.life(name)  # it may be over, and forgotten, before its ranks have made room
        if life.state is State.TRANSFERRING and self._speaks and action.to == self.inbox.heard:
            self._send(body_of(life.request, action))

    def _checked(self, name: str, role: str, report: Mapping[str, Any], at_ns: int) -> None:
        note = self.notes[name]
        note.findings += [(role, finding) for finding in report["findings"]]
        note.compared_bytes += report["bytes"]
        note.check_ns = max(note.check_ns, report["took_ns"])
        note.checking.discard(role)
        if not note.checking and not note.checked:
            note.checked = True
            self.give(name, Finished(), at_ns)

    # -------------------------------------------------------- what the peer says

    def _receive(self, data: bytes, at_ns: int) -> None:
        try:
            inbox, message = self.inbox.open(data)
            if isinstance(message.body, Hello):
                self._agrees(message.body)
        except TransferFailed as refusal:
            self._log([refusal.message])
            return
        before, self.inbox = self.inbox.heard, inbox
        body, heard = message.body, message.incarnation
        if isinstance(body, Hello):
            self._greeted(body, before, heard, at_ns)
            return
        life = self.ledger.lives.get(body.request)
        if life is None:
            self._log(
                [f"message of {self._other!r}: {body.kind} for request {body.request!r}, which is not known here"]
            )
            for answer in answers_for_unknown(body):
                self._send(answer)
            return
        event = event_of(body, heard, life.request, self._peer_pool)
        if isinstance(body, Announcement) and isinstance(event, PeerReady):
            event = self._heard_blocks(body, event)
        turn = books.handle(self.ledger, body.request, event, at_ns)
        self._follow(turn, at_ns, said_by=f"message of {self._other!r}: ")

    def _agrees(self, body: Hello) -> None:
        """Raise `TransferFailed` for a peer that has other ranks or another pool than the task says."""
        ranks, blocks = self._task.side(self._other).parallel.size, sum(self._rooms[self._other].kinds)
        if (body.ranks, body.pool_blocks) != (ranks, blocks):
            told = f"{body.ranks} ranks and {body.pool_blocks} blocks; the task has {ranks} and {blocks}"
            raise refused(self._other, "hello", told)

    def _heard_blocks(self, body: Announcement, event: PeerReady) -> PeerReady | Disagreed:
        try:
            self._rooms[self._other].table(_number(body.request), body.blocks)
        except BadInput as error:
            return Disagreed(f"announcement of {self._other}: {error.message}")
        if self.ledger.lives[body.request].peer is None:  # a second one is refused, and must not change the first
            self._announced[body.request] = tuple(body.blocks)
        return event

    def _greeted(self, body: Hello, before: str | None, heard: str, at_ns: int) -> None:
        self._speaks, self._peer_pool = True, body.pool_blocks
        if self.side == "prefill":
            self._greet(heard)
        if before is not None:
            self.give_all(PeerRestarted(heard), at_ns)
        for name, life in list(self.ledger.lives.items()):
            if not life.request.posts and life.state in UNDER_WAY:
                self.give(name, PeerReady(heard), at_ns)

    def _greet(self, to: str | None) -> None:
        self.outbox = Outbox(self.side, self.incarnation, self._token)
        parallel = self._task.side(self.side).parallel
        self._seal(Hello(ranks=parallel.size, pool_blocks=self.ledger.pool.size), to)

    def _send(self, body: Said) -> None:
        self._seal(body, self.inbox.heard)

    def _seal(self, body: Body, to: str | None) -> None:
        self.outbox, data = self.outbox.seal(body, to)
        try:
            self.link.send(data)
        except TransferFailed as failed:  # the peer's fault, and no reason to stop: the next turn says it
            self.link.close(failed.message)

    def _log(self, refusals: Iterable[str]) -> None:
        for why in refusals:
            if len(self.refusals) < _MOST_REFUSALS:
                self.refusals.append(why)
            elif len(self.refusals) == _MOST_REFUSALS:
                self.refusals.append(f"more than {_MOST_REFUSALS} were refused; the others are not listed")


def _number(name: str) -> int:
    return int(name[1:])


def side_of(name: SideName) -> SideOf:
    """Return a side as the pure half has it."""
    return SideOf(name)


def roles_of(task: Task, side: SideName) -> list[str]:
    """Return the roles of a server's ranks."""
    return [role_of(side, number) for number in range(task.side(side).parallel.size)]
