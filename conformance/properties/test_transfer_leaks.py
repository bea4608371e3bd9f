"""What a process still holds when transfers are over: XFER-501 to XFER-503."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.properties.moving import broken, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart

if TYPE_CHECKING:
    from conformance.implementation import MovesBytes
    from conformance.transfer.scene import Scene

_WARM, _TIMES, _OPENED = 100, 1000, 20
_SLOW_S, _FEWER = 2.0, 5  # for three endpoints, and how many are enough then: more than the slack
_MOST_BYTES = 16 << 20
_SLACK = 2  # descriptors or threads that a library may open once and keep
_CASE = replace(apart([64] * 4), posts=_TIMES)


def _grown(one: Scene, times: int) -> dict[str, dict[str, int]]:
    """Return what each side holds more after `times` transfers than before, warmed up."""
    one.repeat(_WARM)
    before = one.ask_all(dict.fromkeys(one.roles, ("usage", {})))
    one.repeat(times)
    after = one.ask_all(dict.fromkeys(one.roles, ("usage", {})))
    return {role: {what: after[role][what] - before[role][what] for what in before[role]} for role in one.roles}


@requirement("XFER-501")
@pytest.mark.parametrize("case", [_CASE], ids=["1000 transfers"])
def test_descriptors_and_threads(implementation: MovesBytes, case: Case) -> None:
    """Each is prepared, posted, finished and released; both sides are looked at."""
    with scene(implementation, case) as one:
        for role, grown in _grown(one, case.posts).items():
            for what in ("descriptors", "threads"):
                if grown[what] > _SLACK:
                    broken(case, f"the {role} has {grown[what]} {what} more after {case.posts} transfers")


@requirement("XFER-502")
@pytest.mark.parametrize("case", [_CASE], ids=["1000 transfers"])
def test_memory(implementation: MovesBytes, case: Case) -> None:
    """Resident anonymous memory of both sides."""
    with scene(implementation, case) as one:
        for role, grown in _grown(one, case.posts).items():
            if grown["bytes"] > _MOST_BYTES:
                broken(case, f"the {role} has {grown['bytes'] >> 20} MiB more after {case.posts} transfers")


@requirement("XFER-503")
@pytest.mark.parametrize("case", [apart([64])], ids=["20 endpoints"])
def test_endpoints(implementation: MovesBytes, case: Case) -> None:
    """Opened, registered, closed; after the first few."""
    with scene(implementation, case) as one:
        started = time.monotonic()
        one.reopen(3)
        opened = _OPENED if time.monotonic() - started < _SLOW_S else _FEWER
        before = one.ask("initiator", "usage")
        one.reopen(opened)
        after = one.ask("initiator", "usage")
        for what in ("descriptors", "threads"):
            if after[what] - before[what] > _SLACK:
                broken(
                    case, f"{after[what] - before[what]} {what} more after {opened} endpoints were opened and closed"
                )
