"""Where rows lie, against looking at every byte of every row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import TransferFailed, Unsupported
from suite.transports.reach import Stretch, located

TOP = (1 << 64) - 1


def table(*rows: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return np.array([(address, length, 0) for address, length in rows], np.uint64).reshape(-1, 3)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30)), max_size=6),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40)), min_size=1, max_size=6),
    st.sampled_from([0, 1 << 40, TOP - 400]),
    st.randoms(),
)
def test_a_row_is_where_all_its_bytes_are(
    gaps: list[tuple[int, int]], rows: list[tuple[int, int]], base: int, random: object
) -> None:
    """Rows that lie wholly in one stretch are found, at the same distance from its start; any other is refused."""
    stretches, owner_of, at = [], {}, base
    for number, (gap, nbytes) in enumerate(gaps):
        at += gap
        stretches.append(Stretch("cuda", at, nbytes, here=(number + 1) << 20))
        owner_of.update(dict.fromkeys(range(at, at + nbytes), number))
        at += nbytes
    expected = []
    for start, length in rows:
        owners = {owner_of.get(byte) for byte in range(base + start, base + start + length)}
        owner = owners.pop() if len(owners) == 1 else None
        expected.append(None if owner is None else (base + start, stretches[owner]))
    shuffled = stretches.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis draws a random.Random
    asked = table(*((base + start, length) for start, length in rows))
    if None in expected:
        with pytest.raises(TransferFailed, match="are in no region of p's"):
            located(asked, shuffled, "p")
    else:
        assert located(asked, shuffled, "p") == [
            (one.here + address - one.address, one) for address, one in filter(None, expected)
        ]


@pytest.mark.parametrize("row", [(TOP, 1), (TOP - 7, 16), (0, TOP), (1 << 40, TOP - 1)])
def test_rows_that_wrap_around_are_refused(row: tuple[int, int]) -> None:
    """Sums and differences of 64-bit numbers come back at the other end: no such row may pass for a small one."""
    with pytest.raises(TransferFailed, match=f"{row[1]} bytes at {row[0]:#x}"):
        located(table(row), [Stretch("host", 1 << 40, 64, 1 << 40)], "p")


def test_memory_that_cannot_be_reached_is_refused_only_where_a_row_needs_it() -> None:
    """A peer may have registered more than this plan touches."""
    closed = Stretch("host", 0, 64, refusal=("locked away", "use the other"))
    opened = Stretch("cuda", 64, 64, 1 << 20)
    assert located(table((64, 8)), [closed, opened], "p") == [(1 << 20, opened)]
    with pytest.raises(Unsupported, match="copy: locked away \\(p's\\)") as caught:
        located(table((64, 8), (0, 8)), [closed, opened], "p")
    assert caught.value.hint == "use the other"
