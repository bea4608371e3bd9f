"""Several files, no room, direct I/O, a file that is cut under way: XFER-608 to XFER-612."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.properties.moving import SETTLE, broken, in_place, moved, not_done, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart, case
from conformance.transfer.crew import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.implementation import MovesBytes
    from conformance.transfer.scene import Scene

_PAGE = 4096
_FILES = 3
_LARGE = 64 << 10
_WAYS = ("out", "in")


def _ready(one: Scene, **file: Any) -> None:
    """Set up and paint, with such a file; skip where the machine has none."""
    try:
        one.lay(**file)
    except Refusal as refusal:
        if refusal.kind == "Missing":
            pytest.skip(refusal.words.splitlines()[0])
        raise
    one.open("initiator")
    one.stage_bytes()


@requirement("XFER-608")
@pytest.mark.parametrize("case", [apart([3000] * 12, way=way, tag=b"") for way in _WAYS], ids=_WAYS)
def test_several_files(implementation: MovesBytes, case: Case) -> None:
    """Three files as one region; rows lie in each of them, and across where they meet."""
    with scene(implementation, case, file=True, ready=False) as one:
        _ready(one, files=_FILES)
        one.prepare()
        moved(one)
        in_place(case, one.damage(), f"in {_FILES} files, ")


def _full() -> Iterator[Case]:
    """Yield rows with the bytes that there is room for: up to the last row, and up to the middle of it."""
    four = apart([_LARGE] * 4, tag=b"")
    last = int(four.rows[-1, 1])
    for room in (last, last + _LARGE // 2):
        yield replace(four, edit=("cut", room, 0))


@requirement("XFER-609")
@pytest.mark.parametrize("case", list(_full()), ids=["no byte of the last row", "half of the last row"])
def test_no_room(implementation: MovesBytes, case: Case) -> None:
    """RLIMIT_FSIZE: the kernel refuses to write beyond it, as on a disk that is full."""
    room = (case.edit or ("cut", 0, 0))[1]
    with scene(implementation, case, file=True) as one:
        one.prepare()
        one.ask("initiator", "limit_files", nbytes=one.addresses["initiator", "file"] + room)
        try:
            not_done(one, case, f"there is room for {room} of {case.nbytes[1]} bytes, and the store is done")
        finally:
            one.ask("initiator", "limit_files")


_PAGES = _PAGE * np.array([[0, 1, 1], [2, 4, 2], [6, 7, 3], [10, 12, 1]])


def _aligned(way: str) -> Case:
    return case(_PAGES, way=way, tag=b"")


@requirement("XFER-610")
@pytest.mark.parametrize("case", [_aligned(way) for way in _WAYS], ids=_WAYS)
def test_aligned_with_direct_io(implementation: MovesBytes, case: Case) -> None:
    """Rows of one page and of several."""
    with scene(implementation, case, file=True, ready=False) as one:
        _ready(one, direct=True)
        one.prepare()
        moved(one)
        in_place(case, one.damage(), "with O_DIRECT, ")


def _unaligned() -> dict[str, Case]:
    shifts = {"the source": (8, 0, 0), "the destination": (0, 8, 0), "a length": (0, 0, 8)}
    return {
        f"{what}, {way}": case(_PAGES + np.array(shift), way=way, tag=b"")
        for way in _WAYS
        for what, shift in shifts.items()
    }


@requirement("XFER-611")
@pytest.mark.parametrize("case", list(_unaligned().values()), ids=list(_unaligned()))
def test_unaligned_with_direct_io(implementation: MovesBytes, case: Case) -> None:
    """Source, destination or lengths are off by 8 bytes: an error, or every byte."""
    with scene(implementation, case, file=True, ready=False) as one:
        _ready(one, direct=True)
        try:
            one.prepare()
            told = one.move(rest=SETTLE)
        except Refusal:
            return
        if told.late:
            broken(case, "no error, and no end")
        in_place(case, one.damage(), "with O_DIRECT and not aligned, it is done, and ")


@requirement("XFER-612")
@pytest.mark.parametrize("case", [apart([256 << 10] * 8, way="in", tag=b"")], ids=["fetch"])
def test_cut_under_way(implementation: MovesBytes, case: Case) -> None:
    """To its first page, right after 2 MiB have been posted."""
    with scene(implementation, case, file=True) as one:
        one.prepare()
        try:
            one.ask("initiator", "post", names=["t"])
            one.ask("initiator", "truncate", place="file", nbytes=_PAGE)
            [told] = one.drive({"initiator": {"names": ["t"]}}).values()
        except Refusal:
            one.spoilt()
            return
        if told["late"]:
            broken(case, "the file was cut, and the fetch has no end")
        in_place(case, one.damage(), "the file was cut under way, the fetch is done, and ")
