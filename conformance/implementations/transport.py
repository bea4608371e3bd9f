"""A transport as an implementation under test: ours by name, a stranger's as `my_pkg.transport:transport`."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from conformance.faults.tried import Tried
from conformance.transfer.abilities import abilities, why_not
from conformance.transfer.crew import Apart, Together
from conformance.transfer.loading import made, taken_apart, transport_named
from conformance.transfer.scene import Scene, Stage
from suite.errors import Missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.faults.outcome import Outcome
    from conformance.requirement import Answers, Requirement
    from conformance.transfer.case import Case
    from conformance.transfer.crew import Crew
    from suite.transports.base import Transport

PATIENCE_S = 10.0  # for one question: a transfer of a case takes milliseconds
_WORKERS = 3
_FAULTS = "conformance.faults.worker:serve"


class TransportUnderTest:
    """Scenes of one transport: in worker processes, or in this process for one that lives there."""

    profile = ""
    note = ""

    def __init__(self, name: str, transport: Transport, patience_s: float = PATIENCE_S) -> None:
        self.name = name
        self.answers: frozenset[Answers] = frozenset({"transfer"})
        self.transport = transport
        self.tried = Tried()
        self.abilities = abilities(transport.traits, deregisters=transport.traits.deregisters)
        named = taken_apart(name)
        if getattr(transport, "in_process", False):
            self.crew: Crew = Together(transport)
        else:
            environment = {**transport.traits.environment, **named.environment}
            self.crew = Apart(named.transport, environment, _WORKERS)
            self.abilities |= {"processes"}
        self._stage = Stage(
            self.crew, transport.traits, memory=named.memory, settings=dict(named.settings), patience_s=patience_s
        )

    def scene(self, case: Case, *, others: bool = False, file: bool = False) -> Scene:
        """Return the stage for one case; with `others` there is a third side."""
        return Scene(self._stage, case, others=others, file=file)

    @contextmanager
    def for_faults(
        self,
        prefixes: Mapping[str, Sequence[str]] = MappingProxyType({}),
        own: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        roles: int = _WORKERS,
    ) -> Iterator[Stage]:
        """Return a stage with workers of its own, which a fault may end; see `Apart` for the arguments."""
        named = taken_apart(self.name)
        environment = {**self.transport.traits.environment, **named.environment}
        crew = Apart(named.transport, environment, roles, server=_FAULTS, prefixes=prefixes, own=own)
        try:
            yield Stage(
                crew,
                self.transport.traits,
                memory=named.memory,
                settings=dict(named.settings),
                patience_s=self._stage.patience_s,
            )
        finally:
            crew.renew()
            crew.close()

    def outcome(self, case: Case) -> Outcome:
        """Return what came of the fault of a case; it is brought about once."""
        return self.tried.outcome(self, case)

    def unable(self, requirement: Requirement) -> str:
        """Return why the transport is not asked about a requirement; empty if it is."""
        return next((why_not(word) for word in requirement.needs if word not in self.abilities), "")

    def close(self) -> None:
        """Let the workers leave."""
        self.crew.close()


def from_name(spec: str) -> TransportUnderTest:
    """Return a transport of the entry points; one that this machine cannot run is a `Missing`."""
    named = taken_apart(spec)
    return checked(spec, transport_named(named.transport))


def from_object(spec: str, found: object) -> TransportUnderTest:
    """Return what is at `module:attribute`."""
    return checked(spec, made(found, spec))


def checked(spec: str, transport: Transport) -> TransportUnderTest:
    """Return the implementation, if its machine has all that it needs."""
    if lacking := transport.missing():
        raise Missing("transport", f"{spec}: {lacking}")
    return TransportUnderTest(spec, transport)
