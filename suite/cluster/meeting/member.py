"""A rank at the meeting: joins, beats, tells its phase, gives its part, sends its records, leaves.

All waits are bounded. When the run is over, by whomever, every wait raises
`MeetingFailed`; records can still be sent then, as long as rank 0 is there.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self

from suite.cluster.meeting.changes import Changes
from suite.cluster.meeting.failure import Failure, MeetingFailed
from suite.cluster.meeting.frames import Ended, Frames, Traffic
from suite.cluster.meeting.greeting import introduce
from suite.cluster.meeting.messages import (
    FROM_HUB,
    MAX_MESSAGE,
    Abort,
    Beat,
    Bye,
    Failed,
    Got,
    Kept,
    Phase,
    Put,
    decode,
    reason,
)
from suite.cluster.meeting.records import pieces
from suite.cluster.meeting.roll import JOIN, Patience
from suite.errors import PeerLost, TransferFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from suite.cluster.meeting.greeting import Me
    from suite.cluster.meeting.messages import Closed
    from suite.cluster.meeting.proof import Token
    from suite.cluster.world import Address

_FIRST_S, _LAST_S = 0.05, 1.0  # between two tries to connect


class Member:
    """One rank's end; an async context manager that joins."""

    def __init__(self, address: Address, me: Me, token: Token, patience: Patience | None = None) -> None:
        self._address, self._me, self._token = address, me, token
        self._patience = patience or Patience()
        self._answers: dict[str, JsonValue] = {}
        self._changes = Changes()
        self._connected = False
        self._next = 0  # piece
        self._kept = -1
        self._gone = ""  # why rank 0 is not heard any more
        self._phase, self._quiet = JOIN, False
        self._heard_s = 0.0
        self.failure: Failure | None = None
        self.traffic = Traffic()

    async def __aenter__(self) -> Self:
        self._frames = await self._join()
        self._heard_s = time.monotonic()
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._beat())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._frames.close()

    def phase(self, name: str, deadline_s: float | None = None, *, quiet: bool = False) -> None:
        """Begin a phase that will be over within `deadline_s`; `quiet`: nothing is sent or awaited in it, not even beats."""
        self._phase, self._quiet = name, quiet and deadline_s is not None
        self._heard_s = time.monotonic()
        self._send(Phase(name=name, deadline_s=deadline_s, quiet=quiet))

    def put(self, key: str, value: JsonValue) -> None:
        """Give this rank's part of what rank 0 gathers under `key`."""
        self._check()
        self._quiet, self._heard_s = False, time.monotonic()
        self._send(Put(key=key, value=value))

    async def get(self, key: str, deadline_s: float) -> JsonValue:
        """Return rank 0's answer under `key`."""
        await self._until(lambda: key in self._answers, deadline_s, f"no answer to {key!r}")
        return self._answers.pop(key)

    async def exchange(self, key: str, value: JsonValue, deadline_s: float) -> JsonValue:
        """Give a part, and return rank 0's answer to it; with a null on both sides it is a barrier."""
        self.put(key, value)
        return await self.get(key, deadline_s)

    async def keep(self, line: str, deadline_s: float) -> None:
        """Send a record, a line without its end, and return when rank 0 has it; also after the run has failed."""
        for piece in pieces(line, self._next):
            self._next = piece.index + 1
            self._send(piece)
            await self._until(lambda: self._kept >= self._next - 1, deadline_s, "records are not kept", failed=True)

    def abort(self, why: str) -> None:
        """End the run for all ranks."""
        self._send(Abort(reason=reason(why)))

    def leave(self) -> None:
        """Say that all is done."""
        self._send(Bye())

    def _send(self, message: Closed) -> None:
        if not self._frames.write(message):
            self._gone = self._gone or "does not read"

    def _check(self, *, failed: bool = False) -> None:
        if self.failure and not failed:
            raise MeetingFailed(self.failure)
        if self._gone:
            raise MeetingFailed(self.failure or Failure(0, self._phase, self._gone))

    async def _until(self, done: Callable[[], bool], deadline_s: float, late: str, *, failed: bool = False) -> None:
        def over() -> bool:
            return done() or bool(self._gone) or (self.failure is not None and not failed)

        await self._changes.until(over, deadline_s)
        if done():
            return
        self._check(failed=failed)
        raise MeetingFailed(Failure(0, self._phase, f"{late} within {deadline_s:g} s"))

    async def _join(self) -> Frames:
        deadline_s = time.monotonic() + self._patience.join_s
        pause_s, why = _FIRST_S, "nobody answers"
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    return await self._try()
            except TimeoutError:
                why = "what answers says nothing" if self._connected else why
            except (OSError, UnicodeError) as error:
                why = str(getattr(error, "strerror", None) or error)
            except Ended as ended:
                why = str(ended)
            await asyncio.sleep(min(pause_s, max(0.0, deadline_s - time.monotonic())))
            pause_s = min(2 * pause_s, _LAST_S)
        what = f"rank {self._me.rank} has not met rank 0 at {self._address} within {self._patience.join_s:g} s: {why}"
        raise PeerLost("no-meeting", what, "was rank 0 started, and can this host reach it?")

    async def _try(self) -> Frames:
        self._connected = False
        reader, writer = await asyncio.open_connection(*self._address)
        self._connected = True
        frames = Frames(reader, writer, self.traffic)
        try:
            await introduce(frames, self._me, self._token)
        except BaseException:
            frames.cut()
            raise
        return frames

    async def _beat(self) -> None:
        while True:
            due_s = time.monotonic() + self._patience.beat_s
            await asyncio.sleep(self._patience.beat_s)
            late_s = time.monotonic() - due_s
            if late_s > self._patience.beat_s:
                self._heard_s += late_s  # this process was not running: what rank 0 said is read only now
            if self._quiet:
                continue
            self._send(Beat())
            silent_s = time.monotonic() - self._heard_s
            if silent_s > self._patience.silence_s:
                self.abort(f"rank 0 was not heard for {silent_s:.1f} s")  # in case it wakes up
                self._lost(f"not heard for {silent_s:.1f} s: stopped, or cut off")

    async def _hear(self) -> None:
        try:
            while True:
                message = decode(await self._frames.read(MAX_MESSAGE), FROM_HUB)
                self._heard_s = time.monotonic()
                self._take(message)
        except Ended as ended:
            self._lost(str(ended))
        except TransferFailed as error:
            self._lost(f"sent what is not taken: {error.message}")

    def _take(self, message: Closed) -> None:
        match message:
            case Got():
                self._answers[message.key] = message.value
            case Kept():
                self._kept = message.index
            case Failed():
                self.failure = self.failure or Failure(message.rank, message.phase, message.reason)
            case _:
                return  # a beat
        self._changes.tell()

    def _lost(self, why: str) -> None:
        self._gone = self._gone or why
        self._changes.tell()
