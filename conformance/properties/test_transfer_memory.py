"""What is registered, and what is not: XFER-201 to XFER-208."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from conformance.properties import transfer_strategies as strategies
from conformance.properties.given import given_case
from conformance.properties.moving import broken, in_place, not_done, refused, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart, case
from conformance.transfer.crew import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from conformance.implementation import MovesBytes
    from conformance.transfer.scene import Scene

_KINDS = ("cuda", "file")


def _elsewhere(one: Scene, column: int, role: str, place: str) -> NDArray[np.int64]:
    """Return the case's rows with one side of them in another place of a role."""
    own = one.addresses[one.source() if column == 0 else one.destination()]
    moved: NDArray[np.int64] = one.case.rows + (np.arange(3) == column) * (one.addresses[role, place] - own)
    return moved


def _is_refused(one: Scene, case: Case, what: str, rows: NDArray[np.int64], watched: tuple[str, str]) -> None:
    one.ask(watched[0], "mark", place=watched[1])
    if not refused(one, rows=rows):
        broken(case, f"{what}, and the transfer is done")
    if changed := one.ask(watched[0], "changed", place=watched[1]):
        broken(case, f"{what}: refused, but {changed} bytes changed")


@requirement("XFER-201")
@given_case(strategies.plain(most=2, tag=b""))
def test_unregistered_remote_memory(implementation: MovesBytes, case: Case) -> None:
    """Memory of the target that is there, beside the region that is registered."""
    with scene(implementation, case) as one:
        one.lay_one("target", "spare", max(case.nbytes))
        one.ask("target", "paint", place="spare", seed=9)
        rows = _elsewhere(one, one.remote, "target", "spare")
        watched = ("target", "spare") if one.op == "WRITE" else ("initiator", "main")
        _is_refused(one, case, "the target has not registered it", rows, watched)


@requirement("XFER-202")
@given_case(strategies.plain(most=2, tag=b""))
def test_unregistered_local_memory(implementation: MovesBytes, case: Case) -> None:
    """Memory of the initiator that is there, beside the region that is registered."""
    with scene(implementation, case) as one:
        one.lay_one("initiator", "spare", max(case.nbytes))
        one.ask("initiator", "paint", place="spare", seed=9)
        rows = _elsewhere(one, one.local, "initiator", "spare")
        watched = one.destination() if one.op in {"WRITE", "STORE"} else ("initiator", "spare")
        _is_refused(one, case, "the initiator has not registered it", rows, watched)


@requirement("XFER-203")
@pytest.mark.parametrize(
    "case", [case([[0, 0, 64]], (4096, 64)), case([[0, 0, 64]], (64, 4096), way="in")], ids=["out", "in"]
)
def test_beyond_the_end(implementation: MovesBytes, case: Case) -> None:
    """By a word at the remote side, where its guard is; the local side has room."""
    with scene(implementation, case) as one:
        if case.nbytes[one.remote] > int(case.lengths[0]):
            pytest.skip("it goes one way only")
        rows = case.rows + np.array([0, 0, 8])
        _is_refused(one, case, "the row ends 8 bytes beyond the region", rows, one.destination())


@requirement("XFER-204")
@given_case(strategies.plain(most=2, tag=b""))
def test_memory_of_another_endpoint(implementation: MovesBytes, case: Case) -> None:
    """The target has a second endpoint, to which the memory belongs."""
    with scene(implementation, case) as one:
        one.lay_one("target", "spare", max(case.nbytes))
        one.ask("target", "paint", place="spare", seed=9)
        one.open("target", agent=one.agent("second"), at="second", places=("spare",))
        rows = _elsewhere(one, one.remote, "target", "spare")
        watched = ("target", "spare") if one.op == "WRITE" else ("initiator", "main")
        _is_refused(one, case, "another endpoint of the target has registered it", rows, watched)


@requirement("XFER-205")
@pytest.mark.parametrize("case", [apart([64])], ids=["a kind"])
def test_memory_of_another_kind(implementation: MovesBytes, case: Case) -> None:
    """Host memory that says it is of a kind that the traits do not name."""
    with scene(implementation, case, ready=False) as one:
        kind = next((kind for kind in _KINDS if kind not in one.kinds), None)
        if kind is None:
            pytest.skip("it names every kind of memory")
        one.lay()
        one.ask("initiator", "masquerade", place="main", kind=kind)
        try:
            one.open("initiator", places=("main",))
        except Refusal:
            return
        one.spoilt()
        broken(case, f"it does not name {kind} memory, and takes it")


@requirement("XFER-206")
@given_case(strategies.plain(most=2, tag=b""))
def test_deregistered_remote_memory(implementation: MovesBytes, case: Case) -> None:
    """Registered when the transfer was prepared; no longer when it is posted."""
    with scene(implementation, case) as one:
        one.prepare()
        role, place = one.source() if one.remote == 0 else one.destination()
        one.ask(role, "deregister", place=place)
        not_done(one, case, "its owner has deregistered the memory, and the transfer is done")


@requirement("XFER-207")
@given_case(strategies.plain(most=2, tag=b""))
def test_deregistered_local_memory(implementation: MovesBytes, case: Case) -> None:
    """Registered when the transfer was prepared; no longer when it is posted."""
    with scene(implementation, case) as one:
        one.prepare()
        one.ask("initiator", "deregister", place="main")
        not_done(one, case, "the initiator has deregistered the memory, and the transfer is done")


_LONG = [apart([256 << 10] * 8, way=way, tag=b"") for way in ("out", "in")]


@requirement("XFER-208")
@pytest.mark.parametrize("case", _LONG, ids=["out", "in"])
def test_deregistered_under_way_by_the_target(implementation: MovesBytes, case: Case) -> None:
    """Right after 2 MiB were posted."""
    _deregistered_under_way(implementation, case, "target")


@requirement("XFER-208")
@pytest.mark.parametrize("case", _LONG, ids=["out", "in"])
def test_deregistered_under_way_by_the_initiator(implementation: MovesBytes, case: Case) -> None:
    """Right after 2 MiB were posted."""
    _deregistered_under_way(implementation, case, "initiator")


def _deregistered_under_way(implementation: MovesBytes, case: Case, role: str) -> None:
    with scene(implementation, case) as one:
        one.prepare()
        one.spoilt()
        if one.ask("initiator", "post", names=["t"])[0] == "DONE":
            pytest.skip("no transfer was under way: all were done when post returned")
        try:
            one.ask(role, "deregister", place="main")
            driven = one.drive({"initiator": {"names": ["t"]}, "target": {}})
        except Refusal:
            return
        if not driven["initiator"]["late"]:
            in_place(
                case, one.damage(), f"the {role} has deregistered its memory under way, the transfer is done, and "
            )
