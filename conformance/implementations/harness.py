"""`exec:COMMAND`: an implementation in any language, behind a program that speaks JSON lines (`docs/implementations.md`).

A harness that does not work at all is told from an implementation that answers
wrongly: before anything is tested it is started and asked one question.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from conformance.implementations.answers import plain
from conformance.implementations.child import Child, resolved
from conformance.implementations.messages import VERSION, Backends, Method, Started, pairs, question, read
from conformance.implementations.patience import Patience
from conformance.verdict import Aborted, ImplementationBroke, Refused
from suite.errors import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.implementations.messages import Reply
    from conformance.requirement import Answers

PREFIX = "exec:"
DEADLINE_S = 5.0
_FAREWELL_S = 0.5
_SETTINGS = (b"DYN_", b"TRTLLM_", b"KVBM_")  # the caller's own must not have a say
_START = question("start", kvgauge=VERSION)
_STOP = question("stop")


class Harness:
    """A command that answers: one process that is asked again and again, or a fresh one for each question."""

    def __init__(self, command: str, *, deadline_s: float = DEADLINE_S) -> None:
        self.name = PREFIX + command
        self._command = resolved(command, "exec:COMMAND")
        self._patience = Patience(deadline_s)
        self._child: Child | None = None
        self._finalizer: weakref.finalize[[], Harness] | None = None
        try:
            told = self._start()
            self.answers: frozenset[Answers] = frozenset(told.answers)
            self.profile = told.profile
            self.note = plain(f"{told.name} {told.version}")
            self._fresh = told.environment == "process"
            if self._fresh:
                self.close()
            self._smoke()
        except ImplementationBroke as broke:
            self.close()
            it = str(broke).removeprefix(f"{plain(self.name)} ")
            hint = "nothing can be said about what is behind it; docs/implementations.md shows a harness that works"
            raise Missing("broken-harness", f"the harness {plain(self.name)} does not work: it {it}", hint) from None
        except BaseException:
            self.close()
            raise

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return what the harness answers."""
        return tuple(self._ask(Backends, "backends", environment).backends)

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        """Return what the harness answers."""
        return self._ask(Method, "method", environment, config=dict(config)).method

    def close(self) -> None:
        """Ask the process to leave, and kill it and what it started."""
        child = self._take()
        if child:
            child.tell(_STOP, last=True)
            child.close(_FAREWELL_S)

    def _smoke(self) -> None:
        """Ask one question. A refusal is an answer, too, and so is that the parser ended its process."""
        try:
            if "backends" in self.answers:
                self.backends({})
            else:
                self.method({}, {})
        except (Refused, Aborted):
            pass

    def _ask(self, kind: type[Reply], do: str, environment: Mapping[bytes, bytes], **fields: object) -> Reply:
        try:
            if self._fresh:
                return read(self._ask_fresh(question(do, **fields), environment), kind)
            if self._child is None:
                self._start()
            return self._ask_running(question(do, **fields, environment=pairs(environment)), kind)
        except Aborted as ended:  # the parser did; the harness lives
            raise Aborted(f"{plain(self.name)}: {ended}") from None
        except ImplementationBroke as broke:
            self._drop()
            raise ImplementationBroke(f"{plain(self.name)} {broke}") from None

    def _ask_fresh(self, line: bytes, environment: Mapping[bytes, bytes]) -> bytes:
        with self._patience.waiting() as limit_s, Child(self._command, environment, talks=True) as child:
            return child.ask(line, limit_s, last=True)

    def _ask_running(self, line: bytes, kind: type[Reply]) -> Reply:
        if self._child is None:
            raise ImplementationBroke("is not running")
        with self._patience.waiting() as limit_s:
            return read(self._child.ask(line, limit_s), kind)

    def _start(self) -> Started:
        ours = {name: value for name, value in os.environb.items() if not name.upper().startswith(_SETTINGS)}
        self._child = Child(self._command, ours, talks=True)
        self._finalizer = weakref.finalize(self, self._child.close)
        return self._ask_running(_START, Started)

    def _take(self) -> Child | None:
        """Return the process, if there is one, and forget it."""
        child, self._child = self._child, None
        if self._finalizer:
            self._finalizer.detach()
        return child

    def _drop(self) -> None:
        """Kill a process whose next answer nobody could trust."""
        child = self._take()
        if child:
            child.close()
