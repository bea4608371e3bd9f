"""Memory between guards: each byte that is not as it must be is seen."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.transfer.place import GUARD, Place, content, span
from suite.memory.host import HostRegion

ROWS = np.array([[0, 8, 4], [4, 20, 6]])


@pytest.fixture
def place():
    return Place(HostRegion(span(64, 3), "4k"), 64, 3)


def staged(place):
    source = content(1, 100)
    place.stage(ROWS, source, 2)
    return source


def move(place, source):
    for start, to, length in ROWS.tolist():
        place.region.write(to, source[start : start + length])


def test_what_has_arrived_is_no_damage(place):
    move(place, staged(place))
    assert place.damage() is None


def test_no_byte_that_is_to_arrive_is_there_before(place):
    """So a transfer that does nothing is seen, whatever the bytes are."""
    staged(place)
    assert place.damage()["rows"] == 10
    assert place.damage()["beside"] == 0


@pytest.mark.parametrize("at", [-GUARD - 3, -1, 0, 7, 12, 63, 64, 64 + GUARD - 1])
def test_a_byte_beside_the_rows_is_damage(place, at):
    """In the guards, in gaps, at both ends."""
    source = staged(place)
    move(place, source)
    place.base.write(place.start + at, ~place.expected[place.start + at :][:1])
    found = place.damage()
    assert (found["rows"], found["beside"], found["first"]) == (0, 1, at)


def test_the_region_is_what_lies_between_the_guards(place):
    assert place.region.address == place.base.address + GUARD + 3
    assert place.region.nbytes == 64


def test_bytes_that_were_wiped_are_expected_back(place):
    place.paint(5)
    place.wipe(np.array([4]), np.array([8]))
    assert place.damage()["rows"] == 8
    place.region.write(4, place.expected[place.start + 4 :][:8])
    assert place.damage() is None


def test_zeros_are_expected_where_none_are(place):
    staged(place)
    place.zeros(np.array([4]), np.array([8]))
    assert place.damage()["rows"] == 8
    place.region.write(4, np.zeros(8, np.uint8))
    assert place.damage() is None


def test_change_is_counted_from_the_mark(place):
    place.paint(1)
    place.mark()
    assert place.changed() == 0
    place.region.write(0, ~place.expected[place.start :][:3])
    assert place.changed() == 3
