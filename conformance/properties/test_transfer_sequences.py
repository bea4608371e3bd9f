"""What holds whatever was called before: XFER-801 to XFER-805. One search through sequences serves all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import pytest

from conformance.machine.play import BYTES, ENDS, NEW_PAIR, REFUSED, SENTENCES, TOLD, Broken
from conformance.machine.replay import Theatre
from conformance.machine.script import script
from conformance.machine.steps import as_json
from conformance.properties.sequences import searched
from conformance.requirement import requirement
from conformance.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.implementation import MovesBytes
    from conformance.machine.search import Search
    from conformance.machine.steps import Step

    Given = tuple[Step, ...] | None  # a sequence to try, instead of drawn ones

_drawn = pytest.mark.parametrize("sequence", [None], ids=["drawn"])
_known: WeakKeyDictionary[MovesBytes, Search] = WeakKeyDictionary()


@requirement(BYTES)
@_drawn
def test_regions(implementation: MovesBytes, sequence: Given) -> None:
    """Every byte of every region, and of the guards around it, against a model."""
    _judge(implementation, BYTES, sequence)


@requirement(NEW_PAIR)
@_drawn
def test_a_new_pair(implementation: MovesBytes, sequence: Given) -> None:
    """At the end of every sequence."""
    _judge(implementation, NEW_PAIR, sequence)


@requirement(ENDS)
@_drawn
def test_everything_ends(implementation: MovesBytes, sequence: Given) -> None:
    """Within seconds; no worker dies or hangs."""
    _judge(implementation, ENDS, sequence)


@requirement(TOLD)
@_drawn
def test_notifications(implementation: MovesBytes, sequence: Given) -> None:
    """Counted, by sender and tag."""
    _judge(implementation, TOLD, sequence)


@requirement(REFUSED)
@_drawn
def test_others_go_on(implementation: MovesBytes, sequence: Given) -> None:
    """An error where nothing excuses one."""
    _judge(implementation, REFUSED, sequence)


def _judge(implementation: MovesBytes, identity: str, sequence: Given) -> None:
    if sequence is not None:
        with Theatre(implementation.name) as theatre:
            _, broken = theatre.attempt(sequence, [one for one in SENTENCES if one != identity])
        if broken is not None and broken.requirement == identity:
            raise _violation(implementation.name, broken, sequence)
        return
    if implementation not in _known:
        _known[implementation] = searched(implementation.name)
    if found := _known[implementation].found.get(identity):
        raise _violation(implementation.name, found.broken, found.steps, again=found.again)


def _violation(name: str, broken: Broken, steps: Iterable[Step], *, again: bool = True) -> Violation:
    told = tuple(steps)
    what = broken.what if again else f"{broken.what} (once; not in three tries of the same sequence)"
    text = script(name, broken.requirement, what, told)
    return Violation(f"after {len(told)} calls, {what}", {}, case=as_json(told), script=text)
