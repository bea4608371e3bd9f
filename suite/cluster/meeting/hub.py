"""Rank 0's endpoint: ranks join by their proof, are heard, gathered from and answered; a lost one is named.

It listens only at the address it is given. A stranger costs a line in `strangers`,
never the run. A rank of this run that is wrong (another version, another spec), or
is lost, costs the run: all others are told which one, in which phase, and why.
What ranks have sent is kept line by line as it comes, also after a failure.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from suite.cluster.meeting import listening
from suite.cluster.meeting.changes import Changes
from suite.cluster.meeting.failure import Failure, MeetingFailed, ranks
from suite.cluster.meeting.frames import Ended, Frames, Traffic
from suite.cluster.meeting.gathering import Gathering
from suite.cluster.meeting.greeting import Guard
from suite.cluster.meeting.messages import (
    FROM_RANK,
    MAX_MESSAGE,
    Abort,
    Beat,
    Bye,
    Failed,
    Got,
    Kept,
    Phase,
    Piece,
    Put,
    decode,
    reason,
)
from suite.cluster.meeting.records import Assembly
from suite.cluster.meeting.roll import JOIN, Patience, Roll, Run
from suite.errors import KvgaugeError, TransferFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from pydantic import JsonValue

    from suite.cluster.meeting.messages import Closed
    from suite.cluster.meeting.proof import Token
    from suite.cluster.world import Address

    Keep = Callable[[int, str], None]  # a rank's line of records; OSError where it cannot be kept

_STRANGERS = 64  # connections without a proof, beside one for each rank
_LOGGED = 100  # lines about strangers
_LINGER_S = 2.0  # for what is still to be sent when the hub closes


class Hub:
    """The meeting place of a run; an async context manager that listens and, at its end, lets all go."""

    def __init__(self, address: Address, run: Run, token: Token, keep: Keep, patience: Patience | None = None) -> None:
        self._asked, self._run, self._keep = address, run, keep
        self._patience = patience or Patience()
        self._roll = Roll(run, self._patience)
        self._guard = Guard(token, self._roll, self._patience)
        self._gathering = Gathering(run.size)
        self._frames: dict[int, Frames] = {}
        self._handlers: set[asyncio.Task[None]] = set()
        self._changes = Changes()
        self._over = False
        self.failure: Failure | None = None
        self.strangers: deque[str] = deque(maxlen=_LOGGED)  # printable lines about who was sent away
        self.traffic = Traffic()

    async def __aenter__(self) -> Self:
        self._server = await listening.listen(self._asked, self._serve)
        self.address = listening.address_of(self._server)
        self._watch = asyncio.create_task(self._watching())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over, self._roll.closed = True, "rank 0 has left"
        self._server.close()
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch
        for frames in self._frames.values():
            frames.close()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=_LINGER_S)
        for frames in self._frames.values():
            frames.cut()  # whoever does not read has had its time
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def everyone(self) -> None:
        """Wait until all ranks have joined; `MeetingFailed` names those that have not in time, or should not."""
        await self._until(self._roll.full, self._patience.join_s, self._roll.not_joined)

    async def gather(self, key: str, deadline_s: float) -> list[JsonValue]:
        """Return what all ranks have put under `key`, in their order; `MeetingFailed` names who has not in time."""

        def late() -> Failure:
            missing = self._gathering.missing(key)
            what = f"{ranks(missing)} did not come to {key!r} within {deadline_s:g} s"
            return Failure(missing[0], self._roll.phase(missing[0]), what)

        await self._until(lambda: self._gathering.whole(key), deadline_s, late)
        return self._gathering.take(key)

    def scatter(self, key: str, values: Sequence[JsonValue]) -> None:
        """Answer each rank under `key` with a value of its own."""
        for rank, value in enumerate(values):
            self._send(rank, Got(key=key, value=value))

    def broadcast(self, key: str, value: JsonValue) -> None:
        """Answer all ranks under `key` with one value."""
        self.scatter(key, [value] * self._run.size)

    async def barrier(self, key: str, deadline_s: float) -> None:
        """Let all ranks go on once all are there; they `exchange` a null under `key`."""
        await self.gather(key, deadline_s)
        self.broadcast(key, None)

    async def all_left(self, deadline_s: float) -> None:
        """Wait until all ranks have said good-bye: their records are here then."""

        def late() -> Failure:
            here = self._roll.staying()
            return Failure(here[0], self._roll.phase(here[0]), f"{ranks(here)} did not leave within {deadline_s:g} s")

        await self._until(self._roll.all_left, deadline_s, late)

    def fail(self, failure: Failure) -> None:
        """End the run for all ranks; only the first failure counts."""
        if self.failure or self._over:
            return
        self.failure = failure
        self._roll.closed = failure.sentence()
        told = Failed(rank=failure.rank, phase=failure.phase, reason=reason(failure.reason))
        for frames in self._frames.values():
            frames.write(told)
        self._changes.tell()

    async def _until(self, done: Callable[[], bool], deadline_s: float, late: Callable[[], Failure]) -> None:
        if not await self._changes.until(lambda: done() or self.failure is not None, deadline_s):
            self.fail(late())
        if self.failure:
            raise MeetingFailed(self.failure)

    def _send(self, rank: int, message: Closed) -> None:
        frames = self._frames.get(rank)
        if frames and not frames.write(message):
            self.fail(Failure(rank, self._roll.phase(rank), "does not read what it is sent"))

    async def _watching(self) -> None:
        while True:
            due_s = time.monotonic() + self._patience.beat_s
            await asyncio.sleep(self._patience.beat_s)
            self._roll.excuse(time.monotonic() - due_s)
            overdue = self._roll.overdue(time.monotonic())
            if overdue and not self.failure:
                self.fail(overdue)
            for rank in tuple(self._frames):
                if not self._roll.quiet(rank):
                    self._send(rank, Beat())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames(reader, writer, self.traffic)
        task = asyncio.current_task()
        if task is None or len(self._handlers) - len(self._frames) >= self._run.size + _STRANGERS:
            frames.cut()
            return
        self._handlers.add(task)
        try:
            rank = await self._greet(frames)
            if rank is not None:
                await self._hear(rank, frames)
        finally:
            self._handlers.discard(task)
            frames.close()

    async def _greet(self, frames: Frames) -> int | None:
        met = await self._guard.greet(frames, time.monotonic)
        if met.stranger:
            self.strangers.append(met.stranger)
        if met.wrong:
            self.fail(Failure(met.rank, JOIN, met.wrong))
        if met.admitted and met.rank is not None:
            self._frames[met.rank] = frames
        self._changes.tell()
        return met.rank if met.admitted else None

    async def _hear(self, rank: int, frames: Frames) -> None:
        assembly = Assembly()
        try:
            while not self._roll.has_left(rank):
                message = decode(await frames.read(MAX_MESSAGE), FROM_RANK)
                self._roll.heard(rank, time.monotonic())
                self._take(rank, message, assembly)
        except Ended as ended:
            self.fail(Failure(rank, self._roll.phase(rank), str(ended)))
        except TransferFailed as error:
            self.fail(Failure(rank, self._roll.phase(rank), f"sent what is not taken: {error.message}"))
        self._frames.pop(rank, None)
        self._changes.tell()

    def _take(self, rank: int, message: Closed, assembly: Assembly) -> None:
        match message:
            case Phase():
                self._roll.enter(rank, message, time.monotonic())
            case Put():
                self._gathering.put(rank, message.key, message.value)
                self._roll.wait(rank)
                if self._gathering.whole(message.key):
                    self._changes.tell()
            case Piece():
                if self._stored(rank, assembly.add(message)):
                    self._send(rank, Kept(index=message.index))
            case Abort():
                self.fail(Failure(rank, self._roll.phase(rank), message.reason))
            case Bye():
                self._roll.leave(rank)
            case _:
                pass  # a beat: that it was heard is all

    def _stored(self, rank: int, line: str | None) -> bool:
        if line is None:
            return True
        try:
            self._keep(rank, line)
        except (OSError, KvgaugeError) as error:
            why = getattr(error, "strerror", None) or error
            self.fail(Failure(0, self._roll.phase(0), f"the records of rank {rank} cannot be kept: {why}"))
            return False
        return True
