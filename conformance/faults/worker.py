"""The worker of a fault: what any worker of a case is asked, and besides to endure one, or to bring it about."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.faults import spoiling
from conformance.faults.strike import soon_mark, struck_by
from conformance.transfer.loading import transport_named
from conformance.transfer.side import Side
from conformance.transfer.turns import Late, acting, to_the_end
from suite.errors import KvgaugeError
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    Waiting = Generator[bool, None, Any]

_WORDS = 500
_AFTER_S = 1.0  # for a notification, when the initiator has nothing more to do
_NEVER = "never"  # a file that nobody makes


class TooSoon(KvgaugeError):
    """The transfer was over before anything could happen to it."""


class Enduring(Side):
    """A side that tells how its steps ended, instead of stopping at the first error."""

    def endure(self, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> Waiting:
        """Take steps until one fails.

        Returns how it ended, at which step, when (of the machine's clock), what was notified, what was
        wrong where it looked, and how long the longest call took.
        """
        told: dict[str, Any] = {"step": "", "ended": "no end", "code": "", "words": "", "arrived": [], "damage": None}
        self._told = told
        self.slowest_ms()
        try:
            for name, arguments in steps:
                told["step"] = name
                yield from getattr(self, f"step_{name}")(**arguments)
            told["ended"] = "done"
        except Late:
            pass
        except Exception as error:  # noqa: BLE001  how a transport takes a fault is what is asked
            ours = isinstance(error, KvgaugeError)
            told["code"] = error.code if isinstance(error, KvgaugeError) else type(error).__name__
            told["words"] = (error.message if ours else str(error))[:_WORDS]  # type: ignore[attr-defined]  # ours have one
            told["ended"] = "error"
        return {"at": time.monotonic(), **told, "slowest_ms": self.slowest_ms()}

    def time_post(self, name: str) -> tuple[str, float]:
        """Post; return the state, and how many seconds that took."""
        started = time.monotonic()
        state = self.post([name])[0]
        return state, time.monotonic() - started

    # --- what it does to itself ---

    def spoil(self, what: str, place: str) -> None:
        """Have the disk of a place fail; see `spoiling`."""
        spoiling.spoil(what, self._places[place].base)

    def mend(self, what: str, place: str) -> None:
        """Have it work again."""
        spoiling.mend(what, self._places[place].base)

    def hoard(self) -> int:
        """Take all memory of the device; return how many bytes."""
        from suite.memory.hoard import Hoard

        self._hoard = Hoard(0)
        return self._hoard.nbytes

    def unhoard(self) -> None:
        """Give it back."""
        self._hoard.close()

    # --- steps ---

    def step_connect(self, peer: str, metadata: str) -> Waiting:
        """Learn a peer's metadata."""
        self._timed(self.connect, peer, metadata)
        yield False

    def step_prepare(self, **arguments: Any) -> Waiting:
        """Prepare a transfer."""
        self.prepare(**arguments)
        yield False

    def step_post(self, name: str = "t", strike: Mapping[str, Any] | None = None, after_s: float = 0.0) -> Waiting:
        """Post; with `strike` a fault comes while the transfer is under way.

        That is when post has returned, or with `after_s` so long after it was called.
        """
        timer = threading.Timer(after_s, struck_by, (self._folder, strike))
        if strike and after_s:
            timer.start()
        state = self.post([name])[0]
        if strike:
            timer.cancel()
            if state == State.DONE.name and not (self._folder / str(strike["mark"])).exists():
                soon_mark(self._folder / str(strike["mark"])).touch()
                raise TooSoon("too-soon", "it was done when post returned")
            struck_by(self._folder, strike)
        yield False

    def step_wait(self, name: str = "t") -> Waiting:
        """Drive on until a transfer is done."""
        while self.poll(name) != State.DONE.name:
            self._timed(self._progress, self._told, "")
            yield False
        self._transfers[name].finish()
        self._told["at"] = time.monotonic()

    def step_listen(self, count: int, quiet_s: float, over: str) -> Waiting:
        """Drive on until so many are notified; after `quiet_s` without, or soon after `over` is there, it has no end."""
        until = time.monotonic() + quiet_s
        while len(self._told["arrived"]) < count:
            if (self._folder / over).exists():
                until, over = min(until, time.monotonic() + _AFTER_S), _NEVER
            if time.monotonic() > until:
                raise Late
            self._timed(self._progress, self._told, "")
            yield False
        self._told["at"] = time.monotonic()

    def step_linger(self, until: str) -> Waiting:
        """Drive on until a file is there."""
        while not (self._folder / until).exists():
            self._timed(self._progress, self._told, "")
            yield False

    def step_look(self, place: str) -> Waiting:
        """Compare the bytes of a place now."""
        self._told["damage"] = self.damage(place)
        yield False

    def step_notify(self, peer: str, tag: str) -> Waiting:
        """Send a notification that belongs to no transfer."""
        self._timed(self.notify, peer, tag)
        yield False

    def step_suffer(self, strike: Mapping[str, Any]) -> Waiting:
        """Bring about a fault outside of a transfer."""
        struck_by(self._folder, strike)
        yield False


class Worker:
    """One side in a process of its own."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._side: Enduring

    def begin(self, transport: str, folder: str, path: Sequence[str]) -> None:
        """Learn what is tested; see `conformance.transfer.worker`."""
        sys.path.extend(entry for entry in path if entry not in sys.path)
        self._side = Enduring(lambda: transport_named(transport), Path(folder))

    def do(self, verb: str, arguments: Mapping[str, Any], patience_s: float) -> dict[str, Any]:
        """Answer one question; see `Side` and `Enduring`."""
        return to_the_end(acting(self._side, verb, arguments), patience_s)


def serve(role: str) -> Worker:
    """Return what the supervisor may ask."""
    return Worker(role)
