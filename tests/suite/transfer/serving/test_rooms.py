"""The ledger's one pool and the ranks' pools: what is granted to a request lies in its pools, and nothing else passes."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.transfer.pools import placed
from suite.transfer.requests.blocks import allocate
from suite.transfer.serving.rooms import Rooms
from suite.transfer.task import SIDES, rank_of
from tests.suite.transfer.servers.test_image import CASES, GQA, MLA, STATES, WINDOWS, side, task_of

tasks = st.builds(
    lambda model, tp, dp, blocks, tokens, requests, batch: replace(
        task_of(
            model,
            side(tp=tp, dp=dp[0], block=blocks[0]),
            side(dp=dp[1], block=blocks[1]),
            tokens=tokens,
            requests=requests,
        ),
        batch=batch,
    ),
    st.sampled_from((GQA, MLA, WINDOWS, STATES)),
    st.sampled_from((1, 2)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.sampled_from((4, 8, 16)), st.sampled_from((4, 8, 16))),
    st.integers(1, 90),
    st.integers(1, 9),
    st.integers(1, 9),
)
rooms_of = st.builds(Rooms, tasks | st.sampled_from(list(CASES.values())), st.sampled_from(SIDES))


def ranges(rooms: Rooms) -> list[range]:
    """Return the ledger's numbers of each pool."""
    ends = list(accumulate(rooms.kinds, initial=0))
    return [range(start, stop) for start, stop in pairwise(ends)]


@given(rooms_of, st.integers(0, 99))
def test_what_the_pool_grants_is_the_table_of_the_request(rooms: Rooms, seed: int) -> None:
    task, pool = rooms.task, rooms.pool(seed)
    seen: dict[tuple[int, str], set[int]] = {}
    for request in range(task.batch):
        pool, [grant] = allocate(pool, f"r{request}", rooms.need(request))  # a batch always has room
        table = rooms.table(request, grant.blocks)
        home = task.group_of(rooms.side, request)
        for group in task.model.groups:
            blocks = table[group.name]
            assert len(blocks) == task.block_count(rooms.side, group)
            taken = seen.setdefault((home, group.name), set())
            assert not taken & set(blocks), "two requests share a block"
            taken |= set(blocks)
    for (home, name), taken in seen.items():
        for number in range(task.side(rooms.side).parallel.size):
            if rank_of(task.side(rooms.side).parallel, number).dp == home:
                [place] = [place for place in placed(task, rooms.side, number) if place.group.name == name]
                assert min(taken) >= 0
                assert max(taken) < place.blocks  # of the pool that the ranks really have


@given(rooms_of, st.integers(0, 99))
def test_the_table_has_the_granted_blocks_in_their_order(rooms: Rooms, seed: int) -> None:
    request = seed % 5
    _, [grant] = allocate(rooms.pool(seed), "r", rooms.need(request))
    table = rooms.table(request, grant.blocks)
    home, groups = rooms.task.group_of(rooms.side, request), rooms.task.model.groups
    pools = ranges(rooms)[home * len(groups) :]
    back = [pool.start + block for pool, group in zip(pools, groups, strict=False) for block in table[group.name]]
    assert tuple(back) == grant.blocks


@given(rooms_of, st.data())
def test_blocks_that_are_not_the_request_s_are_refused(rooms: Rooms, data: st.DataObject) -> None:
    request = data.draw(st.integers(0, 5))
    need, pools = rooms.need(request), ranges(rooms)
    right = [block for pool, count in zip(pools, need, strict=True) for block in pool[:count]]
    kinds = [kind for kind, count in enumerate(need) for _ in range(count)]
    at = data.draw(st.integers(0, len(right) - 1))
    wrong = data.draw(st.integers(-2, sum(rooms.kinds) + 2).filter(lambda block: block not in pools[kinds[at]]))
    with pytest.raises(BadInput, match=rf"^blocks: {wrong} is not of pool {kinds[at]}, which has \d+ to \d+$"):
        rooms.table(request, [*right[:at], wrong, *right[at + 1 :]])
    with pytest.raises(BadInput):  # too few
        rooms.table(request, [*right[:at], *right[at + 1 :]])
    with pytest.raises(BadInput, match=rf"^{len(right) + 1} blocks; the request needs {len(right)}$"):
        rooms.table(request, [*right, right[at]])
    with pytest.raises(BadInput, match=rf"^0 blocks; the request needs {len(right)}$"):
        rooms.table(request, [])


def test_the_blocks_are_given_in_an_order_that_the_seed_and_the_side_decide() -> None:
    task = CASES["windows"]
    orders = [Rooms(task, name).pool(seed).free for name in SIDES for seed in (1, 2)]
    assert len(set(orders)) == 4
    assert orders[0] == Rooms(task, "prefill").pool(1).free
    assert sorted(orders[0]) == list(range(sum(Rooms(task, "prefill").kinds)))
    assert list(orders[0]) != sorted(orders[0])
