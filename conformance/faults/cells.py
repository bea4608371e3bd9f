"""Faults as data: which there are, at whom, in which phase of a transfer, and which are tried by default."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.transfer.case import Way

INITIATOR, TARGET = "initiator", "target"
BEFORE, CONNECTED, UNDER_WAY, AFTER = "before connect", "connected", "in transfer", "after data"
PHASES = (BEFORE, CONNECTED, UNDER_WAY, AFTER)


@dataclass(frozen=True)
class Fault:
    """One kind of fault; `usual` are the (role, phase) that a run tries without being asked for more."""

    name: str
    what: str
    roles: tuple[str, ...]
    phases: tuple[str, ...]
    usual: tuple[tuple[str, str], ...]
    file: bool = False  # it is about a file, which has no peer


@dataclass(frozen=True)
class Cell:
    """One fault at one role in one phase of a transfer that goes one way."""

    fault: str
    role: str
    phase: str
    way: Way = "out"

    def __str__(self) -> str:
        return f"{self.fault} {self.role} {self.phase}{' READ' if self.way == 'in' else ''}"


_BOTH = (INITIATOR, TARGET)
_LINKED = (CONNECTED, UNDER_WAY)
_ALL = (
    Fault(
        "kill",
        "SIGKILL",
        _BOTH,
        PHASES,
        ((TARGET, CONNECTED), (TARGET, UNDER_WAY), (INITIATOR, UNDER_WAY)),
    ),
    Fault("pause", "SIGSTOP, and SIGCONT a second later", _BOTH, PHASES, ((TARGET, UNDER_WAY),)),
    Fault("stop", "SIGSTOP", _BOTH, PHASES, ((TARGET, UNDER_WAY),)),
    Fault("reset", "every TCP connection of the process is reset", _BOTH, PHASES[1:], ((TARGET, UNDER_WAY),)),
    Fault("cut", "the link is taken down", (TARGET,), _LINKED, ((TARGET, UNDER_WAY),)),
    Fault("gap", "the link is taken down, and up a second later", (TARGET,), _LINKED, ((TARGET, UNDER_WAY),)),
    Fault("slow", "the link carries 8 Mbit/s", (TARGET,), _LINKED, ((TARGET, CONNECTED),)),
    Fault("full", "the disk has no room", (INITIATOR,), _LINKED[:1], ((INITIATOR, CONNECTED),), file=True),
    Fault("quota", "the file may not grow (RLIMIT_FSIZE)", (INITIATOR,), _LINKED[:1], ((INITIATOR, CONNECTED),), file=True),
    Fault("read-only", "the right to write is lost", (INITIATOR,), _LINKED[:1], ((INITIATOR, CONNECTED),), file=True),
    Fault("device-memory", "the device has no memory left", _BOTH, PHASES[:2], ((INITIATOR, CONNECTED),)),
)  # fmt: skip
FAULTS: Mapping[str, Fault] = MappingProxyType({one.name: one for one in _ALL})


def cells(*names: str, deep: bool) -> list[Cell]:
    """Return the cells of some faults: those that are usual, or with `deep` all, both ways."""
    found = []
    for fault in map(FAULTS.__getitem__, names or FAULTS):
        ways: tuple[Way, ...] = ("out", "in") if deep and not fault.file else ("out",)
        where = [(role, phase) for role in fault.roles for phase in fault.phases] if deep else fault.usual
        found += [Cell(fault.name, role, phase, way) for role, phase in where for way in ways]
    return found


def checked(told: object) -> tuple[str, str, str]:
    """Return (fault, role, phase) as a printed case tells it; anything else is a `BadInput`."""
    if isinstance(told, list | tuple) and len(told) == 3 and all(isinstance(one, str) for one in told):  # noqa: PLR2004  as said
        name, role, phase = told
        fault = FAULTS.get(name)
        if fault and role in fault.roles and phase in fault.phases:
            return name, role, phase
    raise BadInput("bad-fault", f"no fault {str(told)[:80]!a}", f"[one of {', '.join(FAULTS)}; role; phase]")
