"""Those who carry out cases: sides in worker processes, or sides that share this process and are driven by turns."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conformance.transfer.side import Side
from conformance.transfer.turns import PATIENCE_S, acting, by_turns
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from suite.transports.base import Transport

    Questions = Mapping[str, tuple[str, Mapping[str, Any]]]  # role -> (verb, arguments)

ROLES = ("initiator", "target", "other")
_IN_MEMORY = "/dev/shm"  # noqa: S108  a new folder in it, of this user alone
_SERVER = "conformance.transfer.worker:serve"
_START_S, _MORE_S = 60.0, 20.0
_KEEP_PATH = 64  # entries of sys.path that a worker is told


class Refusal(Exception):
    """A side answered with an error: its code, its words, the name of its class."""

    def __init__(self, role: str, verb: str, answer: Mapping[str, Any]) -> None:
        self.role, self.verb, self.code, self.kind = role, verb, str(answer["refused"]), str(answer["kind"])
        self.words = str(answer["message"])
        super().__init__(f"{role}, {verb}: {self.words.splitlines()[0] if self.words else self.code}")


class Died(Exception):
    """A worker died, or hung beyond every deadline; all of them are new when the next case begins."""


class Folder:
    """Where workers' logs and the files of cases are; there once it is asked for, in `within` if that can be written to."""

    def __init__(self, within: str | None = None) -> None:
        self._within = within if within and os.access(within, os.W_OK) else None
        self._made: tempfile.TemporaryDirectory[str] | None = None

    def path(self) -> Path:
        """Return it."""
        self._made = self._made or tempfile.TemporaryDirectory(prefix="kvgauge-conform-", dir=self._within)
        return Path(self._made.name)

    def close(self) -> None:
        """Remove it, with all that is in it."""
        if self._made is not None:
            self._made.cleanup()
            self._made = None


class Crew(Protocol):
    """Sides by role, which are there when they are first asked."""

    def ask(self, questions: Questions, patience_s: float) -> dict[str, dict[str, Any]]:
        """Put a question to each of several sides at once; return their answers, see `turns.acting`. Raises `Died`."""

    def renew(self) -> None:
        """Begin anew: a side did what it must not, and may do more."""

    def close(self) -> None:
        """End."""


class Together:
    """Sides that share this process, for a transport that meets its peers only there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._folder = Folder(_IN_MEMORY)  # no disk is under test, but where O_DIRECT needs one
        self._disk = Folder()
        self._sides: dict[str, Side] = {}

    def ask(self, questions: Questions, patience_s: float) -> dict[str, dict[str, Any]]:
        """Drive all by turns."""
        acts = {role: acting(self._side(role), *question) for role, question in questions.items()}
        return by_turns(acts, max(patience_s, PATIENCE_S))

    def renew(self) -> None:
        """Forget all sides."""
        self._sides = {}

    def close(self) -> None:
        """Remove the files."""
        self.renew()
        self._folder.close()
        self._disk.close()

    def _side(self, role: str) -> Side:
        if role not in self._sides:
            self._sides[role] = Side(lambda: self._transport, self._folder.path(), self._disk.path())
        return self._sides[role]


class Apart:
    """Sides in worker processes of their own, kept from case to case until something goes wrong."""

    def __init__(
        self,
        transport: str,
        environment: Mapping[str, str],
        roles: int,
        *,
        server: str = _SERVER,
        prefixes: Mapping[str, Sequence[str]] = MappingProxyType({}),
        own: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        """`server` is what the workers run; `prefixes` and `own` are commands and variables of single roles."""
        self._transport, self._environment = transport, environment
        self._server, self._prefixes, self._own = server, prefixes, own
        self._roles = ROLES[:roles]
        self._folder = Folder()
        self._group: Group | None = None
        self.started = 0  # groups of workers: a test of ours looks at it

    def ask(self, questions: Questions, patience_s: float) -> dict[str, dict[str, Any]]:
        """Ask all at once; a worker that does not answer at all is ended some time after `patience_s`."""
        group = self._group or self._started()
        try:
            return group.ask("case", put(questions, patience_s), patience_s + _MORE_S)
        except WorkerFailed as failed:
            self.renew()
            raise Died(f"the {failed.role} {failed.reason}{last_line(failed.detail)}") from None

    def renew(self) -> None:
        """Kill the workers; the next question starts new ones."""
        if self._group is not None:
            self._group.kill()
            self._group = None

    def group(self) -> Group:
        """Return the workers, for those who ask some while others are dead or stopped."""
        return self._group or self._started()

    def folder(self) -> Path:
        """Return where the workers' files are."""
        return self._folder.path()

    def pids(self) -> dict[str, int]:
        """Return role -> process id, for those who kill and stop."""
        return (self._group or self._started()).pids()

    def close(self) -> None:
        """Let the workers leave."""
        if self._group is not None:
            self._group.__exit__(None, None, None)
            self._group = None
        self._folder.close()

    def _started(self) -> Group:
        folder = self._folder.path()
        group = Group(
            [
                worker_of(
                    role,
                    {**self._environment, **self._own.get(role, {})},
                    folder,
                    self._server,
                    self._prefixes.get(role, ()),
                )
                for role in self._roles
            ]
        )
        begin(group, self._roles, self._transport, folder)
        self._group = group
        self.started += 1
        return group


def worker_of(
    role: str, environment: Mapping[str, str], folder: Path, server: str = _SERVER, prefix: Sequence[str] = ()
) -> WorkerSpec:
    """Return how to start the worker of one role, with its logs in `folder`; `prefix` is a command that starts it."""
    mine = {**os.environ, **environment, "UCX_LOG_FILE": str(folder / f"{role}.ucx.log")}
    return WorkerSpec(role, server, mine, sorted(os.sched_getaffinity(0)), folder / f"{role}.log", prefix)


def begin(group: Group, roles: Sequence[str], transport: str, folder: Path) -> None:
    """Tell new workers what is tested; one that cannot begin ends all of the group, and is `Died`."""
    try:
        told: dict[str, Any] = {"transport": transport, "folder": str(folder), "path": sys.path[-_KEEP_PATH:]}
        group.ask("begin", dict.fromkeys(roles, ("begin", told)), _START_S)
    except WorkerFailed as failed:
        group.kill()
        raise Died(f"the {failed.role} did not begin: {failed.reason}{last_line(failed.detail)}") from None


def put(questions: Questions, patience_s: float) -> dict[str, Any]:
    """Return questions as `Group` puts them to workers."""
    return {
        role: ("do", {"verb": verb, "arguments": plain(arguments), "patience_s": patience_s})
        for role, (verb, arguments) in questions.items()
    }


def plain(value: Any) -> Any:
    """Return arrays as lists: what a worker is asked is JSON."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def last_line(detail: str) -> str:
    """Return the last words of a log, in brackets."""
    lines = [line for line in detail.splitlines() if line.strip()]
    return f" ({lines[-1].strip()[:200]})" if lines else ""
