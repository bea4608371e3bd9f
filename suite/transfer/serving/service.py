"""A prefill and a decode server, and who starts them again when a rank is lost.

A server whose rank is lost is killed whole and started again, as an MPI job is.
That is what proves that nobody writes any more: a copy between two processes
needs both, and one of them is reaped. The same is done to a server whose ranks
cannot say in time that they have stopped.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from suite.transfer.requests.events import Cancelled, PeerLost, Stopped
from suite.transfer.requests.inbox import new_incarnation
from suite.transfer.requests.ledger import Ledger
from suite.transfer.requests.request import Request, State
from suite.transfer.serving.link import connected
from suite.transfer.serving.ranks import SideRanks
from suite.transfer.serving.rooms import Rooms
from suite.transfer.serving.server import Server, side_of
from suite.transfer.serving.shares import agreed
from suite.transfer.task import SIDES, seat_of
from suite.transfer.workers import INITIATOR
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.transfer.driver import Plan
    from suite.transfer.record import Op
    from suite.transfer.serving.manner import Manner
    from suite.transfer.task import SideName

_SLICE_NS = 2_000_000
_WAIT_S = 0.01  # for the ranks of one server, before the other may take its next turn
_clock = time.perf_counter_ns


class TooManyRestarts(Exception):
    """The servers were started again too often; `failed` is what came last."""

    def __init__(self, failed: WorkerFailed) -> None:
        super().__init__(str(failed))
        self.failed = failed


class Service:
    """Both servers of one op; a context manager that leaves no process behind."""

    def __init__(self, plan: Plan, op: Op, manner: Manner, epoch: int) -> None:
        self.plan, self.op, self.manner, self._epoch = plan, op, manner, epoch
        self._token = secrets.token_hex(16)
        self._generation = 0
        self._linked = False
        self._dead: set[str] = set()  # incarnations whose processes are reaped
        self.ranks: dict[SideName, SideRanks] = {}
        self.lost: list[WorkerFailed] = []
        self.servers = {side: self._server(side) for side in SIDES}
        try:
            for side in SIDES:
                self._start(side)
            self._introduce()
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill all workers of both servers."""
        for ranks in self.ranks.values():
            ranks.kill()
        if self._linked:
            for server in self.servers.values():
                server.link.close()

    # ------------------------------------------------------------------- serving

    def submit(self, number: int) -> None:
        """Begin a request on both sides."""
        now = _clock()
        shares = agreed(self.plan.task, number, self.manner.layers_each)
        for side in SIDES:
            other = SIDES[1 - SIDES.index(side)]
            server = self.servers[side]
            request = Request(
                f"r{number}",
                side_of(side),
                INITIATOR[self.op] == side,
                server.incarnation,
                Rooms(self.plan.task, side).need(number),
                sum(Rooms(self.plan.task, other).need(number)),
                shares,
                self.manner.patience,
                needs_notice=self.plan.files is None,  # storage notifies nobody
            )
            server.submit(request, now)

    def cancel(self, side: SideName, number: int) -> None:
        """Cancel a request at one side, as its user would."""
        self.servers[side].give(f"r{number}", Cancelled(), _clock())

    def turn(self) -> None:
        """Let both servers go on; a server whose rank is lost starts again."""
        for server in self.servers.values():
            server.begin_turn(_clock(), _SLICE_NS)
        for side in SIDES:
            self._end_turn(side, _WAIT_S)
        self._prove()
        self._end_doubt()

    def rest(self) -> None:
        """End the turns that are under way: ranks can be asked something else then."""
        for side in SIDES:
            self._end_turn(side, self.plan.deadline_s)

    def _end_turn(self, side: SideName, wait_s: float) -> None:
        try:
            self.servers[side].end_turn(_clock(), wait_s)
        except WorkerFailed as failed:
            self.restart(side, failed)

    def over(self, number: int) -> bool:
        """Tell whether a request has ended on both sides, and all of its blocks are back."""
        return all(server.over(f"r{number}") for server in self.servers.values())

    def serve(self, numbers: range) -> Iterator[int]:
        """Serve requests, `in_flight` at a time; yield each that is over."""
        waiting = list(numbers)
        under_way: list[int] = []
        while waiting or under_way:
            while waiting and len(under_way) < self.manner.in_flight:
                under_way.append(waiting.pop(0))
                self.submit(under_way[-1])
            self.turn()
            for number in [number for number in under_way if self.over(number)]:
                under_way.remove(number)
                for server in self.servers.values():
                    server.forget(f"r{number}")
                yield number
        self.settle()

    def settle(self) -> None:
        """Go on until every request that was submitted is over, and the ranks know it."""
        numbers = [int(name[1:]) for name in self.servers[SIDES[0]].notes]
        while not (all(map(self.over, numbers)) and all(server.idle for server in self.servers.values())):
            self.turn()

    # ----------------------------------------------------------------- restarting

    def restart(self, side: SideName, failed: WorkerFailed | None = None) -> None:
        """Kill a server's ranks and start it again; all that it had under way fails.

        The other server's ranks end their turn, in which one of them may be lost as well.
        """
        lost: dict[SideName, WorkerFailed | None] = {side: failed}
        self._reap(side)
        other = SIDES[1 - SIDES.index(side)]
        try:
            self.servers[other].end_turn(_clock(), self.plan.deadline_s)  # nobody waits for the dead
        except WorkerFailed as also:
            lost[other] = also
            self._reap(other)
        for each, why in lost.items():
            self._give_up(each, why)
        if self._generation - len(SIDES) >= self.manner.restarts:
            raise TooManyRestarts(failed or WorkerFailed(side, "serve", "started again too often"))
        for each in lost:
            self.servers[each].start(new_incarnation(time.time_ns()))
            self._start(each)
        self._introduce()

    def _reap(self, side: SideName) -> None:
        self.ranks[side].kill()
        self._dead.add(self.servers[side].incarnation)
        self.servers[side].leave_turn()

    def _give_up(self, side: SideName, failed: WorkerFailed | None) -> None:
        """Tell both servers which ranks are gone; the first is what requests are said to have ended of."""
        now = _clock()
        if failed is not None:
            self.lost.append(failed)
        first = [failed.role] if failed is not None else []
        for role in [*first, *self.ranks[side].roles]:
            for server in self.servers.values():
                server.give_all(PeerLost(side_of(side), seat_of(role)[1]), now)
        self.servers[side].ranks_are_lost(now)

    def _server(self, side: SideName) -> Server:
        task = self.plan.task
        ledger = Ledger(Rooms(task, side).pool(self.plan.seed))
        return Server(task, side, ledger, self._token, new_incarnation(time.time_ns()))

    def _start(self, side: SideName) -> None:
        self.ranks[side] = SideRanks(self.plan, side, self.op, self._generation, self.manner.server)
        self._generation += 1
        self.ranks[side].begin(self._epoch, self.manner.layers_each, self.manner.pace_ns)

    def _introduce(self) -> None:
        """Let the ranks of both sides know each other, and the servers talk over a new connection."""
        for side in SIDES:
            self.ranks[side].meet(self.ranks[SIDES[1 - SIDES.index(side)]].known)
        links = dict(zip(SIDES, connected(SIDES), strict=True))
        for side in SIDES:
            if self._linked:
                self.servers[side].link.close()
            self.servers[side].attach(self.ranks[side], links[side])
        self._linked = True

    def _prove(self) -> None:
        """Say of requests in doubt that nobody writes any more, where one of the two processes of each pair is reaped.

        A file outlives the rank that wrote it: decode's own must be reaped where it fetches from one.
        """
        for server in self.servers.values():
            for name, life in list(server.ledger.lives.items()):
                known = {life.request.incarnation, life.peer}
                if self.plan.files and life.request.posts:
                    known = {life.initiator}
                if life.state is State.IN_DOUBT and known & self._dead and life.initiator is not None:
                    server.give(name, Stopped(life.tally.writing, life.initiator), _clock())

    def _end_doubt(self) -> None:
        now = _clock()
        for server in self.servers.values():
            for life in server.ledger.lives.values():
                if life.state is State.IN_DOUBT and now - life.since[State.IN_DOUBT] > self.manner.doubt_ns:
                    self.restart(INITIATOR[self.op])
                    return
