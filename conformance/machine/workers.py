"""Those who take the steps: workers of which each can be killed alone, or sides of this process that can be dropped."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from conformance.transfer.crew import Died, Folder, begin, last_line, put, worker_of
from conformance.transfer.side import Side
from conformance.transfer.turns import acting, by_turns
from suite.world.supervisor import Group, WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from suite.transports.base import Transport

    Questions = Mapping[str, tuple[str, Mapping[str, Any]]]  # role -> (verb, arguments)
    Answers = dict[str, dict[str, Any]]

_MORE_S = 5.0  # beyond patience: for calls that wait for nobody
_IN_MEMORY = "/dev/shm"  # noqa: S108  a new folder in it, of this user alone


class Workers(Protocol):
    """Sides by role, which are there when they are first asked."""

    def ask(self, questions: Questions, patience_s: float) -> Answers:
        """Put a question to each of several sides at once; return their answers. Raises `Died`, and all are new then."""

    def kill(self, role: str) -> None:
        """End one without a word to it; it is new when it is asked again."""

    def renew(self) -> None:
        """Kill all."""

    def close(self) -> None:
        """End."""


class Processes:
    """Each worker is a group of its own, so that the others outlive it."""

    def __init__(self, transport: str, environment: Mapping[str, str]) -> None:
        self._transport, self._environment = transport, environment
        self._folder = Folder()
        self._groups: dict[str, Group] = {}

    def ask(self, questions: Questions, patience_s: float) -> Answers:
        """Ask all at once, and collect one after the other; a worker that does not answer is ended."""
        answers: Answers = {}
        limit_s = patience_s + _MORE_S
        try:
            self._start([role for role in questions if role not in self._groups])
            for role, (verb, arguments) in questions.items():
                self._groups[role].send(put({role: (verb, arguments)}, patience_s), limit_s)
            for role in questions:
                while (answer := self._groups[role].collect("a step", limit_s)) is None:
                    pass
                answers.update(answer)
        except WorkerFailed as failed:
            self.renew()
            raise Died(f"the {failed.role} {failed.reason}{last_line(failed.detail)}") from None
        return answers

    def kill(self, role: str) -> None:
        """SIGKILL."""
        if role in self._groups:
            self._groups.pop(role).kill()

    def renew(self) -> None:
        """Kill all; those asked next are new."""
        for role in list(self._groups):
            self.kill(role)

    def close(self) -> None:
        """Kill all, and remove their logs: whoever wants those has read them."""
        self.renew()
        self._folder.close()

    def _start(self, roles: list[str]) -> None:
        folder = self._folder.path()
        started = {role: Group([worker_of(role, self._environment, folder)]) for role in roles}
        self._groups.update(started)
        try:
            for role, group in started.items():
                begin(group, [role], self._transport, folder)
        except Died:
            self.renew()
            raise


class Here:
    """Sides in this process, driven by turns; one that is killed has its endpoint closed, as a kernel does it."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._transport = make()
        self._folder = Folder(_IN_MEMORY)
        self._sides: dict[str, Side] = {}

    def ask(self, questions: Questions, patience_s: float) -> Answers:
        """Drive all by turns."""
        for role in questions:
            if role not in self._sides:
                self._sides[role] = Side(lambda: self._transport, self._folder.path())
        acts = {role: acting(self._sides[role], *question) for role, question in questions.items()}
        return by_turns(acts, patience_s)

    def kill(self, role: str) -> None:
        """Drop one."""
        if role in self._sides:
            with suppress(Exception):  # whatever its endpoint has to say: it is gone
                self._sides.pop(role).close()

    def renew(self) -> None:
        """Drop all, and the transport with what it remembers of them."""
        for role in list(self._sides):
            self.kill(role)
        self._transport = self._make()

    def close(self) -> None:
        """Remove the files."""
        self.renew()
        self._folder.close()
