"""Transfers between memory and a file: XFER-601 to XFER-607."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.properties import transfer_strategies as strategies
from conformance.properties.given import given_case
from conformance.properties.moving import SETTLE, broken, in_place, moved, not_done, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart
from conformance.transfer.crew import Refusal

if TYPE_CHECKING:
    from conformance.implementation import MovesBytes

_PAGE = 4096
_PAGES = apart([_PAGE] * 4, tag=b"")
_FETCHED = apart([_PAGE] * 4, way="in", tag=b"")


@requirement("XFER-601")
@given_case(strategies.plain(way="out", tag=b""))
def test_stored(implementation: MovesBytes, case: Case) -> None:
    """Read back by the kernel, from the device where that can be done."""
    with scene(implementation, case, file=True) as one:
        one.prepare()
        moved(one, rest=0)
        in_place(case, one.damage(), "in the file, ")


@requirement("XFER-602")
@given_case(strategies.plain(way="in", tag=b""))
def test_fetched(implementation: MovesBytes, case: Case) -> None:
    """Written by the kernel."""
    with scene(implementation, case, file=True) as one:
        one.prepare()
        in_place(case, moved(one, look=True, rest=0).damage, "when fetched, ")


@requirement("XFER-603")
@pytest.mark.parametrize(
    "case",
    [replace(_FETCHED, edit=("cut", left, 0)) for left in (0, _PAGE, 3 * _PAGE + 100)],
    ids=["all", "most", "some"],
)
def test_beyond_the_end(implementation: MovesBytes, case: Case) -> None:
    """All of the rows, most, or some bytes of them."""
    left = (case.edit or ("cut", 0, 0))[1]
    with scene(implementation, case, file=True) as one:
        one.ask("initiator", "truncate", place="file", nbytes=left)
        try:
            one.prepare()
        except Refusal:
            return
        not_done(one, case, f"the file has {left} bytes, and the fetch beyond them is done")


@requirement("XFER-604")
@pytest.mark.parametrize("case", [_FETCHED], ids=["fetch"])
def test_a_hole(implementation: MovesBytes, case: Case) -> None:
    """The file has its size, and nothing in it."""
    with scene(implementation, case, file=True) as one:
        one.ask("initiator", "truncate", place="file", nbytes=0, hole=True)
        one.expect_zeros()
        one.prepare()
        moved(one)
        in_place(case, one.damage(), "of a hole, ")


@requirement("XFER-605")
@pytest.mark.parametrize("case", [_PAGES], ids=["store"])
def test_a_descriptor_for_reading(implementation: MovesBytes, case: Case) -> None:
    """Refused when it is registered, when prepared, or when posted."""
    with scene(implementation, case, file=True, ready=False) as one:
        one.lay(read_only=True)
        try:
            one.open("initiator")
            one.stage_bytes()
            one.prepare()
        except Refusal:
            return
        not_done(one, case, "the file is open for reading only, and the store is done")


@requirement("XFER-606")
@pytest.mark.parametrize("case", [_FETCHED], ids=["fetch"])
def test_cut_after_it_was_prepared(implementation: MovesBytes, case: Case) -> None:
    """By another hand."""
    with scene(implementation, case, file=True) as one:
        one.prepare()
        one.ask("initiator", "truncate", place="file", nbytes=_PAGE)
        not_done(one, case, "the file was cut, and the fetch is done")


@requirement("XFER-607")
@pytest.mark.parametrize("case", [_PAGES], ids=["store"])
def test_two_writers(implementation: MovesBytes, case: Case) -> None:
    """Two processes, each with every second row, at the same time."""
    with scene(implementation, case, file=True, others=True, ready=False) as one:
        one.lay()
        one.lay_one("target", "main", case.nbytes[0], case.starts[0])
        one.lay_one("target", "file", case.nbytes[1], case.starts[1], create=False)
        for role in ("initiator", "target"):
            one.open(role)
        one.stage_bytes()
        one.ask("target", "paint", place="main", seed=case.seed)
        for number, role in enumerate(("initiator", "target")):
            told = one.arguments(rows=case.rows[number::2])
            told["rows"] = one.between(role, role, case.rows[number::2], to="file")
            one.ask(role, "prepare", name="t", **told)
        drive = {"names": ["t"], "post": True, "rest": SETTLE}
        if any(answer["late"] for answer in one.drive({"initiator": drive, "target": drive}).values()):
            broken(case, "no end with two writers")
        in_place(case, one.damage(), "of two writers, ")
