"""What the properties of transfers share: a scene whose surprises are violations, and the usual script."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from conformance.transfer.crew import Died, Refusal
from conformance.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.implementation import MovesBytes
    from conformance.transfer.case import Case
    from conformance.transfer.scene import Moved, Scene

SETTLE = 2  # turns after a transfer is done, in the properties that are not about that very moment


def broken(case: Case, what: str) -> NoReturn:
    """Raise the violation of a case."""
    raise Violation(what, {}, case=case.as_json())


@contextmanager
def scene(
    implementation: MovesBytes, case: Case, *, others: bool = False, file: bool = False, ready: bool = True
) -> Iterator[Scene]:
    """Return the scene of a case, set up and painted if `ready`.

    An error where none is due, a worker that dies or hangs: each is a violation of the
    sentence that is tried. What the transport says that it does not support is skipped.
    """
    try:
        with implementation.scene(case, others=others, file=file) as one:
            try:
                if ready:
                    one.set_up()
                    one.stage_bytes()
                yield one
            except Violation:
                one.spoilt()
                raise
    except Refusal as refusal:
        if refusal.kind == "Unsupported":
            pytest.skip(refusal.words.splitlines()[0])
        broken(case, f"an error where none is due: {refusal}")
    except Died as died:
        broken(case, str(died))


def moved(
    one: Scene, *names: str, look: bool = False, rest: int = SETTLE, count: int = -1, peer: str = "target"
) -> Moved:
    """Post, and drive to the end; what has no end is a violation."""
    told = one.move(*names, look=look, rest=rest, count=count, peer=peer)
    if told.late:
        broken(one.case, f"no end: the {' and the '.join(told.late)} still waits")
    return told


def usual(implementation: MovesBytes, case: Case) -> dict[str, Any] | None:
    """Move a case once; return what is wrong at the destination when all is quiet."""
    with scene(implementation, case) as one:
        one.prepare()
        moved(one)
        return one.damage()


def in_place(case: Case, damage: dict[str, Any] | None, when: str = "") -> None:
    """Raise if a byte that the rows name is not the right one."""
    if damage and damage["rows"]:
        broken(case, f"{when}{damage['rows']} of {int(case.lengths.sum())} bytes are wrong{_where(damage)}")


def untouched(case: Case, damage: dict[str, Any] | None) -> None:
    """Raise if a byte has changed that no row names."""
    if damage and damage["beside"]:
        broken(case, f"{damage['beside']} bytes changed that no descriptor names{_where(damage)}")


def refused(one: Scene, *, names: tuple[str, ...] = ("t",), peer: str = "target", **prepare: Any) -> str:
    """Prepare and post what is to be refused; return the words of the refusal, empty if there was none.

    The workers are new afterwards: what was not refused may be anywhere.
    """
    try:
        one.prepare(names[0], peer=peer, **prepare)
        told = one.move(*names, count=0, rest=SETTLE, peer=peer)
    except Refusal as refusal:
        return str(refusal)
    one.spoilt()
    return "it has no end" if told.late else ""


def not_done(one: Scene, case: Case, what: str) -> None:
    """Post what cannot succeed; raise if it is reported done. An error will do, and so will no end."""
    try:
        told = one.move(count=0)
    except Refusal:
        return
    if not told.late:
        broken(case, what)
    one.spoilt()


def _where(damage: dict[str, Any]) -> str:
    return f", the first at offset {damage['first']}: {damage['holds']:#04x} instead of {damage['expected']:#04x}"
