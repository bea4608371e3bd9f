"""From a transport's name to sequences of calls on it: for scripts, for `--case`, and for those who search."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from conformance.implementations.loading import load
from conformance.machine.play import PATIENCE_S, Broken, Play
from conformance.machine.workers import Here, Processes
from conformance.transfer.loading import taken_apart
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from types import TracebackType

    from conformance.machine.steps import Step
    from conformance.machine.workers import Workers
    from suite.transports.base import Transport


class Theatre:
    """The workers of one transport, for one sequence after the other; a context manager that ends them.

    `name` is what `kvgauge conform` takes: `nixl:UCX?UCX_TLS=tcp`, `my_pkg.transport:transport`.
    """

    def __init__(self, name: str, patience_s: float = PATIENCE_S) -> None:
        named = taken_apart(name)
        transport = _transport(name)
        self.name, self.traits, self._patience_s = name, transport.traits, patience_s
        self._memory, self._settings = named.memory, dict(named.settings)
        self._last: Play | None = None
        self._places = 0
        self.here = bool(getattr(transport, "in_process", False))
        self._workers: Workers = (
            Here(lambda: _transport(name))
            if self.here
            else Processes(named.transport, {**transport.traits.environment, **named.environment})
        )

    def play(self, ignored: Collection[str] = ()) -> Play:
        """Return a sequence that has not begun; that before it has ended."""
        if self._last is not None and self._last.may_be_written:
            self._places += 1
        self._last = Play(
            self._workers,
            self.traits,
            memory=self._memory,
            settings=self._settings,
            ignored=ignored,
            patience_s=self._patience_s,
            place=f"main-{self._places}",
        )
        return self._last

    def attempt(self, steps: Iterable[Step], ignored: Collection[str] = ()) -> tuple[tuple[Step, ...], Broken | None]:
        """Try a sequence; return the steps that were taken, and what they broke."""
        play = self.play(ignored)
        try:
            with play:
                play.run(steps)
        except Broken as broken:
            return tuple(play.steps), broken
        return tuple(play.steps), None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.close()


@contextmanager
def playing(name: str, **more: Any) -> Iterator[Play]:
    """Return a sequence to take steps in, as a printed script does; a broken sentence is told, and ends the process with 1."""
    sys.path.append(os.getcwd())  # noqa: PTH109  sys.path has strings; a stranger's module is found as by kvgauge conform
    try:
        with Theatre(name, **more) as theatre, theatre.play() as play:
            yield play
            play.end()
    except Broken as broken:
        print(f"{name} breaks {broken}")
        raise SystemExit(1) from None
    print(f"{name}: all as it must be")


def _transport(name: str) -> Transport:
    """Return the transport of a name, a new one if it is made for the name."""
    transport: Transport | None = getattr(load(name), "transport", None)
    if transport is None:
        raise BadInput("no-transport", f"{name[:100]!a} is no transport", "it reads settings")
    return transport
