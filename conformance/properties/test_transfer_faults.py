"""Faults of peers, links, disks and devices: XFER-701 to XFER-711. Each is brought about once, and looked at by all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from conformance.faults.cells import BEFORE, CONNECTED, FAULTS, INITIATOR, TARGET, Cell, cells
from conformance.properties.given import DEEP
from conformance.properties.moving import broken
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.faults.outcome import Outcome
    from conformance.implementation import MovesBytes

_BLOCKING_MS = 2000
_ROWS, _FILE_ROWS, _SLOW_ROWS = [1 << 20] * 32, [1 << 20] * 4, [64 << 10] * 8
_NO_END = {"no end": "has no end", "hung": "does not return from a call", "died": "ends its process"}


def _case(cell: Cell) -> Case:
    """Return the case of a cell: 32 MiB, so that it takes a moment; 512 KiB over a link that is slow."""
    rows = _SLOW_ROWS if cell.fault == "slow" else _FILE_ROWS if FAULTS[cell.fault].file else _ROWS
    found = apart(rows, way=cell.way)
    size = max(found.nbytes)  # alike, as either side may be the source of the next transfer
    return replace(found, nbytes=(size, size), fault=(cell.fault, cell.role, cell.phase))


def _over(*faults: str, only: Callable[[Cell], bool] = lambda _: True) -> pytest.MarkDecorator:
    """Try the cells of some faults: the usual ones, with the deep profile all."""
    deep = settings.get_current_profile_name() == DEEP
    found = [cell for cell in cells(*faults, deep=deep) if only(cell)]
    return pytest.mark.parametrize("case", [_case(cell) for cell in found], ids=[str(cell) for cell in found])


def _seen(implementation: MovesBytes, case: Case) -> Outcome:
    """Return what came of it; what cannot be tried here is skipped."""
    if case.fault is None:
        pytest.skip("a case without a fault")
    found = implementation.outcome(case)
    if found.skipped:
        pytest.skip(found.skipped)
    return found


def _after(found: Outcome) -> str:
    return f"{found.fault} at the {found.role}, {found.phase}"


def _at_the_target(cell: Cell) -> bool:
    return cell.role == TARGET


@requirement("XFER-701")
@_over("kill", "reset")
def test_it_ends(implementation: MovesBytes, case: Case) -> None:
    """A target that is never notified has no transfer: that its process lives is all that is asked of it."""
    found = _seen(implementation, case)
    waits = found.role == INITIATOR and found.ended == "no end"
    if found.ended in _NO_END and not waits:
        broken(case, f"{_after(found)}: the survivor {_NO_END[found.ended]}")


@requirement("XFER-702")
@_over("kill", only=lambda cell: cell.role == TARGET and cell.phase in {BEFORE, CONNECTED})
def test_not_done_with_the_dead(implementation: MovesBytes, case: Case) -> None:
    """Posted when the process is gone."""
    found = _seen(implementation, case)
    if found.ended == "done":
        broken(case, f"{_after(found)}: the transfer is reported done {found.after_ms} ms after it")


@requirement("XFER-703")
@_over("kill", only=_at_the_target)
def test_a_name_of_its_own(implementation: MovesBytes, case: Case) -> None:
    """Of those that end in an error."""
    found = _seen(implementation, case)
    if found.ended == "error" and found.code != "peer-lost":
        broken(case, f"{_after(found)}: told as {found.code}: {found.named}")


@requirement("XFER-704")
@_over()
def test_no_wrong_byte_is_good(implementation: MovesBytes, case: Case) -> None:
    """Looked at when it is done, when it is notified, and when all is quiet."""
    found = _seen(implementation, case)
    if found.wrong:
        broken(case, f"{_after(found)}: {found.wrong}")


@requirement("XFER-705")
@_over()
def test_the_next_is_served(implementation: MovesBytes, case: Case) -> None:
    """By a process that was there before the fault, with a peer that was not."""
    found = _seen(implementation, case)
    if found.serves:
        broken(case, f"{_after(found)}: the next transfer failed: {found.serves}")


def _costs_nothing(found: Outcome, case: Case) -> None:
    if found.ended != "done":
        told = _NO_END.get(found.ended, f"ends in {found.code}: {found.named}")
        broken(case, f"{_after(found)}: the survivor {told}")
    if found.notified == "no":
        broken(case, f"{_after(found)}: the transfer is done, and the target was never notified")


@requirement("XFER-706")
@_over("pause")
def test_a_pause_costs_nothing(implementation: MovesBytes, case: Case) -> None:
    """One second."""
    _costs_nothing(_seen(implementation, case), case)


@requirement("XFER-707")
@_over("gap", "slow")
def test_a_link_comes_back(implementation: MovesBytes, case: Case) -> None:
    """A veth pair between network namespaces."""
    _costs_nothing(_seen(implementation, case), case)


@requirement("XFER-708")
@_over("stop", "cut")
def test_a_peer_that_stays_away(implementation: MovesBytes, case: Case, observe: Callable[[str], None]) -> None:
    """Watched for four seconds."""
    found = _seen(implementation, case)
    when = f" after {found.after_ms} ms" if found.after_ms >= 0 else ""
    ended = f"{found.ended}{when}" + (f", {found.code}" if found.code else "")
    observe(f"{_after(found)}: {'no end in 4 s' if found.ended == 'no end' else ended}")


@requirement("XFER-709")
@_over("kill", "stop", "pause", "reset", "cut", "gap")
def test_no_call_waits(implementation: MovesBytes, case: Case) -> None:
    """The longest call of the survivor; one that never returned is the longest."""
    found = _seen(implementation, case)
    if found.ended == "hung" or found.slowest_ms > _BLOCKING_MS:
        took = "did not return" if found.ended == "hung" else f"took {found.slowest_ms} ms"
        broken(case, f"{_after(found)}: a call of the survivor {took}")


@requirement("XFER-710")
@_over("full", "quota", "read-only")
def test_no_room(implementation: MovesBytes, case: Case) -> None:
    """The fault comes when the transfer is prepared, and is mended before the next."""
    found = _seen(implementation, case)
    if found.ended != "error":
        broken(case, f"{_after(found)}: the store {_NO_END.get(found.ended, 'is reported done')}")


@requirement("XFER-711")
@_over("device-memory")
def test_no_device_memory(implementation: MovesBytes, case: Case) -> None:
    """All that the driver gives is taken, by the same process."""
    found = _seen(implementation, case)
    if found.ended in _NO_END:
        broken(case, f"{_after(found)}: the survivor {_NO_END[found.ended]}")
