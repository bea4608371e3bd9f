"""The image against the plans: two computations that share nothing but the layouts, and each wrong byte is named."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from suite.kv import reshard
from suite.kv.geometry import Order
from suite.kv.groups import LayerGroup, Model
from suite.kv.parallel import Parallel
from suite.kv.side import Side
from suite.memory.host import HostRegion
from suite.transfer.image import Image
from suite.transfer.pools import block_tables, placed, region_bytes
from suite.transfer.task import SIDES, Task, seat_of

GQA = Model("gqa", 4, (LayerGroup("full", (0, 1, 2, 3), 2, 4, 8),))
MLA = Model("mla", 4, (LayerGroup("latent", (0, 1, 2, 3), 1, 1, 66), LayerGroup("key", (0, 2), 1, 1, 33)))
WINDOWS = Model("windows", 4, (LayerGroup("full", (1, 3), 2, 2, 8), LayerGroup("window", (0, 2), 2, 2, 4, window=24)))
STATES = Model(
    "states",
    4,
    (LayerGroup("full", (1,), 2, 2, 8), LayerGroup("state", (0, 2, 3), 1, 4, 6, per_request=True, element_bytes=4)),
)
EPOCH = 5


def side(tp=1, pp=1, *, dp=1, block=8, order=Order.HND, stages=None):
    return Side(Parallel(tp, pp, dp, stages), block, 2, order)


def task_of(model=GQA, prefill=None, decode=None, *, tokens=37, requests=3, cached=0):
    return Task(model, prefill or side(), decode or side(tp=2), tokens, requests, requests, cached)


class World:
    """All ranks of a task in this process; rows are copied one by one."""

    def __init__(self, task):
        self.task = task
        self.tables = {name: block_tables(task, name, range(task.requests), (1,)) for name in SIDES}
        self.regions = {}
        for role in task.roles():
            self.regions[role] = HostRegion(region_bytes(placed(task, *seat_of(role))), "4k")
            before = self.tables["prefill"] if role.startswith("prefill") else {}
            Image(task, *seat_of(role), EPOCH, before).write(self.regions[role])

    def plans(self, request):
        for way in self.task.ways(request):
            for pair in way.pairs:
                pools = [self.pool(role, pair.group) for role in (way.source, way.destination)]
                tables = [np.array(self.tables[name][request][pair.group.name]) for name in SIDES]
                yield reshard.plan(pair, tuple(pools), tuple(tables), tokens=self.task.tokens, cached=self.task.cached)

    def pool(self, role, group):
        [pool] = [one for one in placed(self.task, *seat_of(role)) if one.group == group]
        return pool.at(self.regions[role].address, 0)

    def move(self, change=lambda plan: plan, skip=0):
        for request in range(self.task.requests):
            for plan in list(self.plans(request))[skip:]:
                changed = change(plan)
                for source, destination in zip(changed.source.tolist(), changed.destination.tolist(), strict=True):
                    ctypes.memmove(destination[0], source[0], source[1])

    def findings(self):
        found = {}
        for role in self.task.roles():
            name, number = seat_of(role)
            found[role] = Image(self.task, name, number, EPOCH, self.tables[name]).compare(self.regions[role])
        return {role: findings for role, findings in found.items() if findings}


CASES = {
    "tp 1 to 2": task_of(),
    "tp 2 to 1": task_of(prefill=side(tp=2), decode=side()),
    "replicated heads": task_of(prefill=side(tp=2), decode=side(tp=8)),
    "replicated on both sides": task_of(prefill=side(tp=8), decode=side(tp=2)),
    "uneven stages": task_of(prefill=side(pp=2, stages=(3, 1)), decode=side(tp=2, pp=2)),
    "DP groups": task_of(prefill=side(tp=2, dp=2), decode=side(tp=1, dp=3), requests=7),
    "larger blocks": task_of(prefill=side(block=8), decode=side(tp=2, block=32)),
    "smaller blocks": task_of(prefill=side(block=32, tp=2), decode=side(block=8)),
    "NHD": task_of(prefill=side(order=Order.NHD, tp=2), decode=side(order=Order.NHD, tp=4)),
    "HND to NHD": task_of(prefill=side(tp=2), decode=side(order=Order.NHD, block=16)),
    "MLA": task_of(MLA, prefill=side(tp=2, pp=2), decode=side(tp=4)),
    "MLA on one": task_of(MLA, prefill=side(tp=4), decode=side(tp=2, block=16)),
    "windows": task_of(WINDOWS, prefill=side(tp=2), decode=side(pp=2)),
    "windows, larger blocks": task_of(WINDOWS, prefill=side(block=4), decode=side(block=16, order=Order.NHD)),
    "windows, smaller blocks": task_of(WINDOWS, prefill=side(block=16), decode=side(block=4)),
    "states": task_of(STATES, prefill=side(tp=2, block=16), decode=side(tp=4, pp=2)),
    "cached prefix": task_of(prefill=side(block=32), decode=side(tp=2, block=8), cached=24),
    "cached prefix, windows and states": task_of(
        Model("both", 4, (*WINDOWS.groups, STATES.groups[1])), decode=side(tp=2, block=16), cached=32
    ),
    "one token": task_of(tokens=1, requests=1),
}


@pytest.mark.parametrize("task", CASES.values(), ids=CASES)
def test_what_the_plans_move_is_what_the_image_wants(task):
    world = World(task)
    assert any(role.startswith("decode") for role in world.findings()), "nothing has been moved yet"
    world.move()
    assert world.findings() == {}


def test_ranks_that_hold_the_same_heads_hold_the_same_bytes():
    world = World(task_of(prefill=side(tp=8), decode=side(tp=4)))
    twins = [placed(world.task, "prefill", number)[0] for number in (0, 1, 2)]
    blocks = world.tables["prefill"][0]["full"]
    held = []
    for number, pool in enumerate(twins):
        view = world.regions[f"prefill-{number}"].view()[pool.offset :][: pool.nbytes].reshape(pool.blocks, -1)
        held.append(view[blocks])
    assert np.array_equal(held[0], held[1])
    assert not np.array_equal(held[0], held[2])


def test_each_word_of_all_requests_is_another_one():
    task = task_of(prefill=side(tp=2), tokens=16)
    world = World(task)
    words = np.concatenate([world.regions[f"prefill-{number}"].view().view(np.uint64) for number in (0, 1)])
    assert len(np.unique(words)) == len(words)


def swapped(plan):
    order = np.arange(len(plan))
    order[[0, -1]] = -1, 0
    return type(plan)(plan.source, plan.destination[order], 0, 0, 0)


def test_a_swap_is_named_with_what_lies_there():
    world = World(task_of(requests=1))
    world.move(swapped)
    [first, second] = world.findings().values()
    block = world.tables["decode"][0]["full"][0]
    assert first[0].request == 0
    assert first[0].rows == 2 * 2 * 8  # two pages of two heads and eight tokens
    assert (
        f"request 0, layer 0, K, head 0, block {block} of full, token 0: holds request 0, layer 3, V" in first[0].text
    )
    assert "K, head 2" in second[0].text


def test_a_dropped_pair_is_untouched_and_an_earlier_epoch_is_stale():
    world = World(task_of(requests=1))
    world.move(skip=1)
    assert list(world.findings()) == ["decode-0"]
    [finding] = world.findings()["decode-0"]
    assert "untouched" in finding.text
    assert finding.rows == 4 * 2 * 2 * 40  # layers, K and V, heads of the rank, tokens of five blocks
    Image(world.task, "prefill", 0, EPOCH - 1, world.tables["prefill"]).write(world.regions["prefill-0"])
    world.move()
    assert "stale, of epoch 4: holds request 0, layer 0" in world.findings()["decode-0"][0].text


def test_a_block_of_nobody_and_a_guard_are_watched():
    world = World(task_of(requests=1))
    world.move()
    [pool] = placed(world.task, "decode", 0)
    free = next(block for block in range(pool.blocks) if block not in world.tables["decode"][0]["full"])
    view = world.regions["decode-0"].view()
    view[pool.offset + free * pool.layout.block_bytes] ^= 1
    view[pool.offset + pool.nbytes] ^= 0x80  # the byte behind the pool
    found = world.findings()["decode-0"]
    assert [finding.request for finding in found] == [None, None]
    assert f"unused, layer 0, K, head 0, block {free} of full" in found[0].text
    assert "a guard was written to" in found[1].text


def test_a_changed_source_is_found():
    world = World(task_of(requests=1))
    world.move()
    [pool] = placed(world.task, "prefill", 0)
    block = world.tables["prefill"][0]["full"][-1]  # with padding: the last token of it is nobody's, and yet watched
    world.regions["prefill-0"].view()[pool.offset + (block + 1) * pool.layout.block_bytes - 1] ^= 1
    assert "token 39" in world.findings()["prefill-0"][0].text
