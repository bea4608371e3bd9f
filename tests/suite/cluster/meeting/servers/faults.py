"""Three ranks as real processes, one of which is killed, stopped or late, in each phase; all cases at the same time.

Prints one JSON object: case -> what each rank came to. Processes are forked, so
that what costs time is the faults' own.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

from suite.cluster.meeting.failure import MeetingFailed
from suite.cluster.meeting.greeting import Me
from suite.cluster.meeting.hub import Hub
from suite.cluster.meeting.member import Member
from suite.cluster.meeting.proof import Token
from suite.cluster.meeting.roll import Patience, Run
from suite.cluster.world import Address
from suite.errors import KvgaugeError

SIZE = 3
TOKEN = Token(b"t" * 16, given=True)
SPEC = "0" * 64
PATIENCE = Patience(join_s=4.0, greet_s=2.0, beat_s=0.1, silence_s=1.5)
CASES = [
    *[
        (fault, victim, phase)
        for fault in ("killed", "stopped")
        for victim in (0, 1)
        for phase in ("join", "place", "launch")
    ],
    *[("late", 1, phase) for phase in ("place", "launch")],
    ("none", -1, ""),
]
LONG = 20.0
SIGNALS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}
_Seen = dict[str, Any]


class Rank:
    """One rank's course, in its own process."""

    def __init__(self, case: tuple[str, int, str], rank: int, out: int) -> None:
        self.fault, self.victim, self.phase = case
        self.rank, self.out = rank, out
        self.kept: list[str] = []

    def tell(self, **what: Any) -> None:
        os.write(self.out, json.dumps(what).encode() + b"\n")

    async def come_to(self, phase: str) -> None:
        """Wait here for the end, if this is the victim's phase."""
        if self.rank == self.victim and phase == self.phase:
            self.tell(here=phase)
            if phase == "join":
                time.sleep(60)
            await asyncio.sleep(60)

    async def member(self, address: Address) -> None:
        await self.come_to("join")
        me = Me(self.rank, SIZE, "1.0", SPEC, f"host{self.rank}", os.getpid())
        async with Member(address, me, TOKEN, PATIENCE) as member:
            await member.exchange("joined", None, LONG)
            for phase in ("place", "launch"):
                late = self.fault == "late" and self.rank == self.victim and phase == self.phase
                member.phase(phase, 0.5 if late else LONG)
                await member.keep(f"{phase} of {self.rank}", LONG)
                await self.come_to(phase)
                await member.exchange(phase, self.rank, LONG)
            member.leave()

    async def hub(self) -> None:
        def keep(_rank: int, line: str) -> None:
            self.kept.append(line)

        async with Hub(Address("127.0.0.1", 0), Run(SIZE, "1.0", SPEC), TOKEN, keep, PATIENCE) as hub:
            self.tell(port=hub.address.port)
            await self.come_to("join")
            own = asyncio.create_task(self.member(hub.address))
            try:
                await hub.everyone()
                for phase in ("joined", "place", "launch"):
                    await hub.barrier(phase, LONG)
                await hub.all_left(LONG)
            finally:
                own.cancel()
                await asyncio.gather(own, return_exceptions=True)

    def run(self, address: Address) -> NoReturn:
        begun = time.monotonic()
        try:
            asyncio.run(self.member(address) if self.rank else self.hub())
            self.tell(end="good", kept=self.kept)
        except MeetingFailed as error:
            failure = [error.failure.rank, error.failure.phase, error.failure.reason]
            self.tell(end=failure, code=int(error.exit_code), kept=self.kept, s=time.monotonic() - begun)
        except KvgaugeError as error:
            self.tell(end=error.message, code=int(error.exit_code), kept=self.kept, s=time.monotonic() - begun)
        os._exit(0)


class Case:
    """The ranks of one case, as processes."""

    def __init__(self, case: tuple[str, int, str]) -> None:
        self.case = case
        self.pids: dict[int, int] = {}
        self.ears: dict[int, int] = {}
        self.seen: dict[int, list[_Seen]] = {rank: [] for rank in range(SIZE)}
        self.rest = dict.fromkeys(range(SIZE), b"")

    def start(self, rank: int, address: Address) -> None:
        ear, out = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(ear)
            Rank(self.case, rank, out).run(address)
        os.close(out)
        self.pids[rank], self.ears[rank] = pid, ear

    def hear(self, until: float) -> None:
        """Read what ranks tell, until something has come or `until`."""
        ready, _, _ = select.select(list(self.ears.values()), [], [], max(0.0, until - time.monotonic()))
        for rank, ear in list(self.ears.items()):
            if ear in ready:
                data = os.read(ear, 1 << 16)
                if not data:
                    del self.ears[rank]
                *lines, self.rest[rank] = (self.rest[rank] + data).split(b"\n")
                self.seen[rank] += map(json.loads, lines)

    def told(self, rank: int, key: str) -> Any:
        return next((one[key] for one in self.seen[rank] if key in one), None)

    def wait_for(self, rank: int, key: str, within_s: float = 15.0) -> Any:
        until = time.monotonic() + within_s
        while self.told(rank, key) is None and rank in self.ears and time.monotonic() < until:
            self.hear(until)
        return self.told(rank, key)

    def run(self) -> dict[int, _Seen | None]:
        """Return what each rank came to."""
        fault, victim, _ = self.case
        self.start(0, Address("", 0))
        port = self.wait_for(0, "port")
        for rank in range(1, SIZE):
            self.start(rank, Address("127.0.0.1", port))
        if fault in SIGNALS:
            self.wait_for(victim, "here")
            os.kill(self.pids[victim], SIGNALS[fault])
        for rank in range(SIZE):
            if rank != victim:
                self.wait_for(rank, "end")
        if fault == "stopped" and victim == 0 and self.case[2] != "join":
            os.kill(self.pids[0], signal.SIGCONT)  # and what does rank 0 say when it wakes up?
            self.wait_for(0, "end")
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return {rank: next((one for one in self.seen[rank] if "end" in one), None) for rank in range(SIZE)}


def main() -> None:
    """Run all cases, each in a process of its own."""
    ears = {}
    for case in CASES:
        ear, out = os.pipe()
        if not os.fork():
            os.close(ear)
            with os.fdopen(out, "w", encoding="utf-8") as file:
                json.dump(Case(case).run(), file)
            os._exit(0)
        os.close(out)
        ears[" ".join(map(str, case))] = ear
    found = {}
    for name, ear in ears.items():
        with os.fdopen(ear, encoding="utf-8") as file:
            found[name] = json.loads(file.read() or "null")
        os.wait()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
