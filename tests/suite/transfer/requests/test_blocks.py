"""The pool: all or nothing, first come first served, nothing freed twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.transfer.requests import blocks
from suite.transfer.requests.blocks import BlockPool, PoolMisused, new_pool


def given_to(pool: BlockPool, owner: str, count: int) -> BlockPool:
    pool, grants = blocks.allocate(pool, owner, (count,))
    assert [grant.owner for grant in grants] == [owner]
    return pool


def test_blocks_are_reused_in_the_order_in_which_they_came_back() -> None:
    pool = given_to(given_to(given_to(new_pool(6), "a", 2), "b", 2), "c", 1)
    assert pool.owned == {"a": (0, 1), "b": (2, 3), "c": (4,)}
    pool, _ = blocks.give_back(pool, "b", (2, 3))
    pool, _ = blocks.give_back(pool, "a", (0, 1))
    assert given_to(pool, "d", 4).owned["d"] == (5, 2, 3, 0)


def test_the_first_in_the_queue_is_not_overtaken_by_one_that_would_fit() -> None:
    pool = given_to(new_pool(4), "a", 3)
    pool, grants = blocks.allocate(pool, "large", (2,))
    pool, more = blocks.allocate(pool, "small", (1,))
    assert not grants
    assert not more
    pool, grants = blocks.give_back(pool, "a", (0, 1, 2))
    assert [(grant.owner, grant.blocks) for grant in grants] == [("large", (3, 0)), ("small", (1,))]


def test_who_leaves_the_queue_lets_the_next_one_in() -> None:
    pool = given_to(new_pool(4), "a", 3)
    pool, _ = blocks.allocate(pool, "large", (2,))
    pool, _ = blocks.allocate(pool, "small", (1,))
    pool, grants = blocks.withdraw(pool, "large")
    assert [grant.owner for grant in grants] == ["small"]
    with pytest.raises(PoolMisused, match="large"):
        blocks.withdraw(pool, "large")


@pytest.mark.parametrize("count", [0, -1, 5])
def test_what_the_pool_can_never_give_is_refused_at_once_with_both_sizes(count: int) -> None:
    with pytest.raises(BadInput, match=rf"'r1' needs {count} blocks; the whole pool has 4"):
        blocks.allocate(new_pool(4), "r1", (count,))


def test_blocks_in_quarantine_are_neither_owned_nor_free() -> None:
    pool = blocks.quarantine(given_to(new_pool(4), "a", 3), "a", (0, 1, 2))
    assert (pool.free, pool.owned, pool.quarantined) == ((3,), {}, {"a": (0, 1, 2)})
    pool, grants = blocks.allocate(pool, "b", (2,))
    assert not grants
    pool, grants = blocks.release(pool, "a", (0, 1, 2))
    assert [grant.blocks for grant in grants] == [(3, 0)]


def test_a_misuse_is_a_fault_of_ours_and_is_told() -> None:
    pool = given_to(given_to(new_pool(6), "a", 2), "b", 2)
    freed, _ = blocks.give_back(pool, "a", (0, 1))
    for fault in (
        lambda: blocks.give_back(freed, "a", (0, 1)),  # twice
        lambda: blocks.give_back(pool, "a", (0, 0)),  # twice at once
        lambda: blocks.give_back(pool, "a", (2,)),  # another's
        lambda: blocks.give_back(pool, "c", ()),  # nobody's
        lambda: blocks.release(pool, "a", (0,)),  # not in quarantine
        lambda: blocks.give_back(blocks.quarantine(pool, "a", (0, 1)), "a", (0, 1)),  # in quarantine
        lambda: blocks.allocate(pool, "a", (1,)),  # a second time
    ):
        with pytest.raises(PoolMisused):
            fault()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("agqrw"), st.integers(1, 4)), max_size=30))
def test_no_block_is_lost_or_doubled_whatever_is_asked(asked: list[tuple[str, str, int]]) -> None:
    pool = new_pool(4)
    for owner, what, count in asked:
        before = pool
        try:
            match what:
                case "a":
                    pool, _ = blocks.allocate(pool, owner, (count,))
                case "g":
                    pool, _ = blocks.give_back(pool, owner, pool.owned.get(owner, ()))
                case "q":
                    pool = blocks.quarantine(pool, owner, pool.owned.get(owner, ()))
                case "r":
                    pool, _ = blocks.release(pool, owner, pool.quarantined.get(owner, ()))
                case _:
                    pool, _ = blocks.withdraw(pool, owner)
        except PoolMisused:
            assert pool is before
        held = [block for some in (*pool.owned.values(), *pool.quarantined.values()) for block in some]
        assert sorted([*pool.free, *held]) == [0, 1, 2, 3]
        assert not pool.waiting or pool.waiting[0].need[0] > len(pool.free)


def test_blocks_of_a_kind_are_for_those_who_need_that_kind() -> None:
    """A window's pool that is empty keeps a request waiting, however many blocks of full attention are free."""
    pool, [first] = blocks.allocate(new_pool(5, 2, order=(6, 4, 3, 5, 2, 1, 0)), "a", (2, 1))
    assert first.blocks == (4, 3, 6)
    pool, [second] = blocks.allocate(pool, "b", (1, 1))
    assert second.blocks == (2, 5)
    pool, none = blocks.allocate(pool, "c", (1, 1))
    assert none == ()
    pool, [third] = blocks.give_back(pool, "a", first.blocks)
    assert third.blocks == (1, 6)
    with pytest.raises(BadInput, match=r"needs 1 \+ 3 blocks; the whole pool has 5 \+ 2"):
        blocks.allocate(pool, "d", (1, 3))
